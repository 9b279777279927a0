/* First byte: 'K' a key to verify with, else a token. Oracles: a key has an algorithm, and none
 * accepts what it did not sign; a token that is accepted is one that we signed. */
#include <stdlib.h>

#include "wire/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define SIGNED                                                                                     \
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUyNDg1MjgsImlzcyI6InB1c2hwaW4ifQ."

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct slice in = slice_make(p + 1, n ? n - 1 : 0);
    struct err_note note = {0};
    struct jwt_key *k = NULL;

    if (n == 0)
        return 0;
    if (p[0] == 'K') {
        if (jwt_key_new(in, JWT_VERIFY, &k, &note) == 0) {
            check(jwt_key_alg(k)[0] != 0);
            check(jwt_verify(k, SLICE(SIGNED "AAAA"), SLICE_NONE, 0) < 0);
        } else
            check(note.text[0]);
    } else if (jwt_key_new(SLICE("changeme"), JWT_VERIFY, &k, &note) == 0) {
        if (jwt_verify(k, in, SLICE_NONE, 1700000000) == 0)
            check(slice_starts(in, SLICE(SIGNED)));
    }
    jwt_key_free(k);
    return 0;
}
