/*
 * Our records beside the library's own: one handshake in memory, after which the library's server
 * and a struct tls_records have the same keys and are fed the same bytes. A hostile peer is a
 * string of bytes; both must hear the same data of it and come to the same end.
 *
 * What it cannot say, because there we differ on purpose:
 *   - more than four alerts: the library bears five warnings, we TLS_QUIET_MAX (as its empty
 *     records and KeyUpdates)
 *   - in 1.2 a no_renegotiation, at which the library leaves; handshake messages that are no
 *     ClientHello: all are declined
 *   - a close_notify that calls itself fatal: an end to us, as RFC 8446 6 has it
 *   - in 1.2 a length that no AEAD makes, which the library waits for: to us it is too long
 *   - in 1.3 a padding that makes a record longer than RFC 8446 5.4 allows, which the library takes;
 *     less of a handshake message than its head, before which the library does not judge
 */
#ifndef TEST_LIB_TLS_LAB_H
#define TEST_LIB_TLS_LAB_H

#include <openssl/err.h>
#include <stdlib.h>

#include "io/tls_records.h"

enum { TLS_LAB_RECORDS = 24, TLS_LAB_KINDS = 6 };

enum tls_lab_state { TLS_LAB_OPEN, TLS_LAB_ENDED, TLS_LAB_DEAD };

struct tls_lab_ear {
    enum tls_lab_state state;
    uint8_t alert; /* the fatal one that it said, or 0 */
    struct buf heard;
};

struct tls_lab {
    SSL *server;
    BIO *to_server;           /* its */
    struct tls_records spare; /* the server's app data after the handshake */
    struct tls_lab_ear library;

    struct tls_aeads aeads;
    struct tls_records records;
    struct tls_lab_ear ours;
    struct buf wire; /* not yet opened by us */

    struct tls_records peer;
    struct buf said[TLS_LAB_RECORDS]; /* by the peer; in_bytes order */
    size_t n;
    unsigned alerts;
};

static inline void tls_lab_check(bool ok)
{
    if (!ok)
        abort();
}

/* --- the handshake: a key that both know --- */

static inline unsigned tls_lab_psk_client(SSL *ssl, const char *hint, char *name, unsigned max_name,
                                          unsigned char *psk, unsigned max)
{
    (void)snprintf(name, max_name, "lab");
    memset(psk, 'p', 32);
    return 32;
}

static inline unsigned tls_lab_psk_server(SSL *ssl, const char *name, unsigned char *psk,
                                          unsigned max)
{
    memset(psk, 'p', 32);
    return 32;
}

static inline SSL_SESSION *tls_lab_session(SSL *ssl)
{
    STACK_OF(SSL_CIPHER) *all = SSL_get1_supported_ciphers(ssl);
    SSL_SESSION *s = SSL_SESSION_new();
    uint8_t key[48];

    memset(key, 'p', sizeof(key));
    tls_lab_check(SSL_SESSION_set1_master_key(s, key, sizeof(key)) == 1 &&
                  SSL_SESSION_set_cipher(s, sk_SSL_CIPHER_value(all, 0)) == 1 &&
                  SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1);
    sk_SSL_CIPHER_free(all);
    return s;
}

static inline int tls_lab_use(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n,
                              SSL_SESSION **session)
{
    *id = (const unsigned char *)"lab";
    *n = 3;
    *session = tls_lab_session(ssl);
    return 1;
}

static inline int tls_lab_find(SSL *ssl, const unsigned char *id, size_t n, SSL_SESSION **session)
{
    *session = tls_lab_session(ssl);
    return 1;
}

static inline SSL_CTX *tls_lab_context(unsigned kind)
{
    static const char *const names[TLS_LAB_KINDS] = {
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "PSK-AES128-GCM-SHA256",  "PSK-AES256-GCM-SHA384",  "PSK-CHACHA20-POLY1305"};
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    const int version = kind < 3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    tls_lab_check(SSL_CTX_set_min_proto_version(ctx, version) == 1 &&
                  SSL_CTX_set_max_proto_version(ctx, version) == 1 &&
                  (kind < 3 ? SSL_CTX_set_ciphersuites(ctx, names[kind])
                            : SSL_CTX_set_cipher_list(ctx, names[kind])) == 1);
    if (kind < 3) {
        SSL_CTX_set_psk_use_session_callback(ctx, tls_lab_use);
        SSL_CTX_set_psk_find_session_callback(ctx, tls_lab_find);
    } else {
        SSL_CTX_set_psk_client_callback(ctx, tls_lab_psk_client);
        SSL_CTX_set_psk_server_callback(ctx, tls_lab_psk_server);
    }
    return ctx;
}

static inline void tls_lab_on_info(const SSL *ssl, int where, int value)
{
    struct tls_lab *l = CONTAINER_OF(SSL_get_app_data(ssl), struct tls_lab, spare);

    if (where & SSL_CB_ALERT && where & SSL_CB_WRITE && value >> 8 == SSL3_AL_FATAL)
        l->library.alert = (uint8_t)value;
}

/* The server, and our records, after a handshake. */
static inline void tls_lab_shake(struct tls_lab *l, unsigned kind)
{
    static SSL_CTX *contexts[TLS_LAB_KINDS];
    BIO *to_client = BIO_new(BIO_s_mem());
    char *last;
    SSL *client;
    long n;

    if (!contexts[kind]) {
        contexts[kind] = tls_lab_context(kind);
        tls_records_follow(contexts[kind]);
    }
    l->server = SSL_new(contexts[kind]);
    client = SSL_new(contexts[kind]);
    l->to_server = BIO_new(BIO_s_mem());
    tls_lab_check(BIO_up_ref(l->to_server) == 1 && BIO_up_ref(to_client) == 1);
    SSL_set_bio(l->server, l->to_server, to_client);
    SSL_set_bio(client, to_client, l->to_server);
    SSL_set_app_data(l->server, &l->records);
    SSL_set_app_data(client, &l->spare);
    SSL_set_accept_state(l->server);
    SSL_set_connect_state(client);
    while (!SSL_is_init_finished(l->server) || !SSL_is_init_finished(client)) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(l->server);
        tls_lab_check(ERR_peek_error() == 0);
    }
    SSL_free(client);
    n = BIO_get_mem_data(to_client, &last);
    tls_lab_check(tls_records_start(&l->records, l->server, slice_make(last, (size_t)n)));
}

static inline void tls_lab_open(struct tls_lab *l, unsigned kind)
{
    *l = (struct tls_lab){0};
    tls_lab_shake(l, kind % TLS_LAB_KINDS);
    tls_lab_check(tls_aeads_init(&l->aeads));
    SSL_set_app_data(l->server, &l->spare);
    SSL_set_info_callback(l->server, tls_lab_on_info);
    l->peer = l->records;
    l->peer.in = l->records.out;
    l->peer.out = l->records.in;
    buf_init(&l->library.heard, 4 << 20);
    buf_init(&l->ours.heard, 4 << 20);
    buf_init(&l->wire, 4 << 20);
}

static inline void tls_lab_close(struct tls_lab *l)
{
    SSL_free(l->server);
    tls_aeads_done(&l->aeads);
    buf_done(&l->library.heard);
    buf_done(&l->ours.heard);
    buf_done(&l->wire);
    for (size_t i = 0; i < l->n; i++)
        buf_done(&l->said[i]);
    ERR_clear_error();
}

/* --- what each hears --- */

static inline void tls_lab_library_hears(struct tls_lab *l, struct slice bytes)
{
    uint8_t got[TLS_PLAIN_MAX];
    int n;

    tls_lab_check(BIO_write(l->to_server, bytes.p, (int)bytes.n) == (int)bytes.n);
    if (l->library.state != TLS_LAB_OPEN)
        return;
    ERR_clear_error();
    while ((n = SSL_read(l->server, got, sizeof(got))) > 0)
        tls_lab_check(buf_add(&l->library.heard, slice_make(got, (size_t)n)) == 0);
    n = SSL_get_error(l->server, n);
    if (n == SSL_ERROR_WANT_READ)
        (void)SSL_write(l->server, "", 1); /* it answers a KeyUpdate when it has something to say */
    else
        l->library.state = n == SSL_ERROR_ZERO_RETURN ? TLS_LAB_ENDED : TLS_LAB_DEAD;
}

static inline void tls_lab_we_hear(struct tls_lab *l, struct slice bytes)
{
    uint8_t got[TLS_RECORD_MAX];
    struct buf answers;
    struct slice in;
    enum tls_record what = TLS_RECORD_DATA;
    size_t n;

    tls_lab_check(buf_add(&l->wire, bytes) == 0);
    buf_init(&answers, 1 << 20);
    in = buf_slice(&l->wire);
    while (l->ours.state == TLS_LAB_OPEN && what != TLS_RECORD_NONE) {
        what = tls_records_open(&l->records, &l->aeads, &in, got, &n, &answers);
        if (what == TLS_RECORD_DATA)
            tls_lab_check(buf_add(&l->ours.heard, slice_make(got, n)) == 0);
        else if (what == TLS_RECORD_END)
            l->ours.state = TLS_LAB_ENDED;
        else if (what == TLS_RECORD_ALERT || what == TLS_RECORD_BAD)
            l->ours.state = TLS_LAB_DEAD;
        if (what == TLS_RECORD_BAD)
            l->ours.alert = l->records.alert;
    }
    buf_consume(&l->wire, l->wire.n - in.n);
    buf_done(&answers);
}

/*
 * The library has other names for a KeyUpdate of a length that it cannot have, and some of its
 * versions (3.0.20) one of their own for a record that is none.
 */
static inline bool tls_lab_is_same_alert(const struct tls_lab *l)
{
    const uint8_t a = l->ours.alert, b = l->library.alert;

    return a == b || b == SSL_AD_INTERNAL_ERROR ||
           (a == SSL_AD_UNEXPECTED_MESSAGE &&
            (b == SSL_AD_ILLEGAL_PARAMETER || b == SSL_AD_DECODE_ERROR));
}

static inline bool tls_lab_agrees(const struct tls_lab *l)
{
    return l->ours.state == l->library.state && tls_lab_is_same_alert(l) &&
           l->ours.heard.n == l->library.heard.n &&
           (l->ours.heard.n == 0 ||
            memcmp(l->ours.heard.p, l->library.heard.p, l->ours.heard.n) == 0);
}

/* --- the peer --- */

static inline void tls_lab_say(struct tls_lab *l, uint8_t type, struct slice what)
{
    struct tls_records ear = l->peer; /* follows the key that the peer's next records are under */
    struct buf *record = &l->said[l->n], none;
    uint8_t got[TLS_RECORD_MAX];
    struct slice in;
    size_t n;

    if (l->n == TLS_LAB_RECORDS)
        return;
    buf_init(record, 1 << 20);
    ear.in = l->peer.out;
    ear.quiet = 0;
    tls_lab_check(tls_records_say(&l->peer, &l->aeads, type, what, record) == 0);
    l->n++;
    in = buf_slice(record);
    buf_init(&none, 1 << 20);
    if (tls_records_open(&ear, &l->aeads, &in, got, &n, &none) == TLS_RECORD_QUIET) {
        l->peer.out = ear.in;
        l->peer.n_begun = ear.n_begun;
        memcpy(l->peer.begun, ear.begun, sizeof(ear.begun));
    }
    buf_done(&none);
}

static inline void tls_lab_say_alert(struct tls_lab *l, uint8_t level, uint8_t number)
{
    const uint8_t alert[] = {number == 0 ? 1 : 1 + (level & 1), number == 100 ? 90 : number};

    if (l->alerts++ < 4)
        tls_lab_say(l, SSL3_RT_ALERT, slice_make(alert, sizeof(alert)));
}

/* Any type, and up to eight bytes; in 1.3 the type may be hidden among them (0). */
static inline void tls_lab_say_any(struct tls_lab *l, uint8_t type, struct slice what)
{
    uint8_t message[8] = {0};

    memcpy(message, what.p, what.n);
    if (type == 0 &&
        (memchr(message, SSL3_RT_HANDSHAKE, what.n) || memchr(message, SSL3_RT_ALERT, what.n)))
        return; /* hidden, and perhaps what it cannot say */
    if (type == SSL3_RT_ALERT && l->alerts++ >= 4)
        return;
    if (type == SSL3_RT_ALERT && what.n == 2)
        tls_lab_say_alert(l, what.p[0], what.p[1]);
    else if (type == SSL3_RT_HANDSHAKE && !l->peer.is_13)
        tls_lab_say(l, type, SLICE("\1\0\0\0"));
    else if (type == SSL3_RT_HANDSHAKE)
        tls_lab_say(l, type, slice_make(message, MAX(what.n, 4)));
    else
        tls_lab_say(l, type, what);
}

static inline void tls_lab_say_much(struct tls_lab *l, uint8_t type, size_t n)
{
    static const uint8_t much[TLS_PLAIN_MAX + 256] = {'m', 'u', 'c', 'h'};

    tls_lab_say(l, type, slice_make(much, MIN(n, sizeof(much))));
}

static inline void tls_lab_say_key_update(struct tls_lab *l, uint8_t how)
{
    const uint8_t message[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, how & 1};
    const size_t cut = how >> 1 & 7;

    if (!l->peer.is_13 || (cut && cut < 5 && l->n + 2 > TLS_LAB_RECORDS))
        return;
    if (cut && cut < 5)
        tls_lab_say(l, SSL3_RT_HANDSHAKE, slice_make(message, cut));
    tls_lab_say(l, SSL3_RT_HANDSHAKE,
                slice_make(message + (cut < 5 ? cut : 0), 5 - (cut < 5 ? cut : 0)));
}

/* Somebody on the way, at record i. */
static inline void tls_lab_meddle(struct tls_lab *l, uint8_t how, size_t i, uint8_t a)
{
    struct buf *at = &l->said[i % l->n], *last = &l->said[l->n - 1];
    const struct buf old = *at;

    switch (how % 6) {
    case 0:
        at->p[(size_t)a * 7 % at->n] ^= (uint8_t)(1 << a % 8);
        break;
    case 1:
        at->p[3 + a % 2] = a;
        break;
    case 2:
        *at = *last;
        *last = old;
        break;
    case 3: /* again, now */
        if (l->n < TLS_LAB_RECORDS) {
            buf_init(&l->said[l->n], 1 << 20);
            tls_lab_check(buf_add(&l->said[l->n++], buf_slice(&old)) == 0);
        }
        break;
    case 4:
        buf_consume(at, MIN(a, at->n - 1));
        break;
    default:
        at->p[a % 5] ^= (uint8_t)(1 << a % 8);
    }
    if (!l->peer.is_13 && at->n > 3 && at->p[3] >= 0x41)
        at->p[3] = 0x50;
}

/* One step, of at most three bytes and a content. */
static inline void tls_lab_step(struct tls_lab *l, struct slice *in)
{
    const struct slice head = slice_take(in, MIN(in->n, 3));
    const uint8_t a = head.n > 1 ? head.p[1] : 0, b = head.n > 2 ? head.p[2] : 0;

    switch (head.p[0] % 8) {
    case 0:
        tls_lab_say(l, SSL3_RT_APPLICATION_DATA, slice_take(in, MIN(a, in->n)));
        break;
    case 1:
        tls_lab_say_any(l, b & 1 ? SSL3_RT_HANDSHAKE : b, slice_take(in, MIN(a % 8, in->n)));
        break;
    case 2:
        tls_lab_say_much(l, SSL3_RT_APPLICATION_DATA, (size_t)a << 8 | b);
        break;
    case 3:
        tls_lab_say_key_update(l, a);
        break;
    case 4:
        tls_lab_say_alert(l, a, b & 3 ? b : 0);
        break;
    case 5:
        tls_lab_say_any(l, (uint8_t)(20 + a % 5), slice_take(in, MIN(b % 8, in->n)));
        break;
    default:
        if (l->n)
            tls_lab_meddle(l, head.p[0] >> 3, a, b);
    }
}

/* The first byte chooses version and cipher, the second how the bytes are cut (0: not at all). What
 * both made of it is in *l afterwards. */
static inline void tls_lab_run(struct tls_lab *l, struct slice in)
{
    const uint8_t kind = in.n ? slice_take(&in, 1).p[0] : 0;
    const size_t step = in.n ? slice_take(&in, 1).p[0] : 0;

    tls_lab_open(l, kind);
    while (in.n)
        tls_lab_step(l, &in);
    for (size_t i = 0; i < l->n; i++) {
        struct slice bytes = buf_slice(&l->said[i]);

        while (bytes.n) {
            const struct slice part = slice_take(&bytes, MIN(step ? step : bytes.n, bytes.n));

            tls_lab_library_hears(l, part);
            tls_lab_we_hear(l, part);
        }
    }
}

#endif
