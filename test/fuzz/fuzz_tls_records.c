/* A peer that has the keys and says anything: the first byte chooses version and cipher, then each
 * piece is a type, a length and a content to seal; type 1 is bytes on the wire as they are.
 * Oracles: what is not whole is not touched, data come out as they went in, forged bytes never do,
 * and every answer opens at the peer. */
#include <stdlib.h>

#include "io/tls_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static const SSL_CIPHER *find_cipher(bool is_13)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    SSL *ssl = SSL_new(ctx);
    const SSL_CIPHER *found =
        SSL_CIPHER_find(ssl, (const uint8_t *)(is_13 ? "\x13\x01" : "\xc0\x2f"));

    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return found;
}

struct ends {
    struct tls_aeads aeads;
    struct tls_records us;
    struct tls_records peer;
    bool is_forged;
};

static void open_ends(struct ends *e, uint8_t choice)
{
    static const SSL_CIPHER *ciphers[2];
    const bool is_13 = choice & 1;

    if (!ciphers[is_13])
        ciphers[is_13] = find_cipher(is_13);
    *e = (struct ends){.us = {.cipher = ciphers[is_13],
                              .plain_max = TLS_PLAIN_MAX,
                              .aead = (choice >> 1) % TLS_AEADS,
                              .is_13 = is_13}};
    e->us.in.n_secret = e->us.out.n_secret = 32;
    e->us.in.key[0] = e->us.in.secret[0] = 1;
    e->peer = e->us;
    e->peer.in = e->us.out;
    e->peer.out = e->us.in;
    check(tls_aeads_init(&e->aeads));
}

static void read_answers(struct ends *e, struct buf *answers)
{
    struct slice in = buf_slice(answers);
    uint8_t got[TLS_RECORD_MAX];
    struct buf none = {0};
    size_t n;

    while (in.n) {
        const enum tls_record r = tls_records_open(&e->peer, &e->aeads, &in, got, &n, &none);

        check(r == TLS_RECORD_QUIET || r == TLS_RECORD_ALERT);
        e->peer.quiet = 0;
    }
    buf_clear(answers);
}

/* One piece; false: the connection is over. */
static bool hear(struct ends *e, struct buf *wire, struct slice said, struct buf *answers)
{
    uint8_t got[TLS_RECORD_MAX];
    struct slice in = buf_slice(wire);
    const uint8_t key = e->us.in.key[0];
    enum tls_record r;
    size_t n;

    do {
        const struct slice before = in;

        r = tls_records_open(&e->us, &e->aeads, &in, got, &n, answers);
        check(r != TLS_RECORD_NONE || (in.p == before.p && in.n == before.n));
        if (r == TLS_RECORD_DATA)
            check(!e->is_forged && (n == said.n ? memcmp(got, said.p, n) == 0 : n < said.n));
        check(r == TLS_RECORD_BAD || r == TLS_RECORD_QUIET || answers->n == 0);
        read_answers(e, answers);
    } while (r == TLS_RECORD_DATA || r == TLS_RECORD_QUIET);
    buf_consume(wire, wire->n - in.n);
    if (e->us.in.key[0] != key) /* a KeyUpdate of the peer's */
        e->peer.out = e->us.in;
    return r == TLS_RECORD_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct slice in = slice_make(p, n);
    struct buf wire, answers;
    struct ends e;

    if (n == 0)
        return 0;
    open_ends(&e, slice_take(&in, 1).p[0]);
    buf_init(&wire, 1 << 20);
    buf_init(&answers, 1 << 20);
    while (in.n >= 2) {
        const struct slice head = slice_take(&in, 2);
        const struct slice what = slice_take(&in, MIN(head.p[1], in.n));

        e.is_forged |= head.p[0] == 1 && what.n;
        if (head.p[0] == 1)
            check(buf_add(&wire, what) == 0);
        else
            check(tls_records_say(&e.peer, &e.aeads, head.p[0], what, &wire) == 0);
        if (!hear(&e, &wire, what, &answers))
            break;
    }
    tls_aeads_done(&e.aeads);
    buf_done(&wire);
    buf_done(&answers);
    return 0;
}
