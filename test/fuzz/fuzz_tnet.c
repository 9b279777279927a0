/* Oracles: what is read and written again is the same bytes; nothing is read outside. */
#include <stdlib.h>

#include "wire/tnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void look(struct slice in, unsigned depth)
{
    struct slice before = in;
    struct tnet t, v;
    int64_t number;
    bool yes;

    while (tnet_next(&in, &t) > 0) {
        struct buf again;

        buf_init(&again, before.n);
        check(tnet_put(&again, t.type, t.bytes) == 0);
        check(slice_eq(buf_slice(&again), slice_sub(before, 0, before.n - in.n)));
        buf_done(&again);
        (void)tnet_int(t, &number);
        (void)tnet_bool(t, &yes);
        (void)tnet_find(t, SLICE("id"), &v);
        if (depth < 16 && (t.type == TNET_LIST || t.type == TNET_MAP))
            look(t.bytes, depth + 1);
        before = in;
    }
    check(before.n == in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    look(slice_make(p, n), 0);
    return 0;
}
