/*
 * A record on the wire, and what stands for its number when it is authenticated:
 *
 *                 head    explicit nonce      sealed                    authenticated beside it
 *   1.3           23 n    -                   data, type, zeros | tag   head
 *   1.2 GCM       type n  eight bytes         data | tag                number, type, length of
 * data 1.2 ChaCha20  type n  -                   data | tag                the same
 */
#include "io/tls_records.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

enum { HEAD = 5, NONCE = 12, EXPLICIT = 8, TAG = 16, RANDOM = 32, MASTER = 48 };

/* A key of AES-GCM is good for 2^24.5 records (RFC 8446 5.5). 1.2 has no other key to go to, and
 * the library sets no bound there either: after 2^32 full records, 64 TB of one connection, the
 * same formula says 2^-44. */
static const uint64_t key_records = 1 << 24;

static const struct aead {
    int nid;
    uint8_t key;
    uint8_t iv_12; /* of 1.2; the rest of the nonce is explicit */
} aeads[TLS_AEADS] = {
    {NID_aes_128_gcm, 16, 4},
    {NID_aes_256_gcm, 32, 4},
    {NID_chacha20_poly1305, 32, NONCE},
};

/* A cipher that the system's policy forbids has no context; the handshake does not choose it. */
bool tls_aeads_init(struct tls_aeads *a)
{
    for (int i = 0; i < TLS_AEADS; i++) {
        const EVP_CIPHER *cipher = EVP_get_cipherbynid(aeads[i].nid);

        a->ctx[i] = EVP_CIPHER_CTX_new();
        if (!a->ctx[i])
            return false;
        if (EVP_CipherInit_ex(a->ctx[i], cipher, NULL, NULL, NULL, 1) != 1) {
            EVP_CIPHER_CTX_free(a->ctx[i]);
            a->ctx[i] = NULL;
            ERR_clear_error();
        }
    }
    return true;
}

void tls_aeads_done(struct tls_aeads *a)
{
    for (int i = 0; i < TLS_AEADS; i++)
        EVP_CIPHER_CTX_free(a->ctx[i]);
}

/* --- keys --- */

/* HKDF-Expand-Label without a context (RFC 8446 7.1), for at most one block. */
static void expand(const struct tls_records *r, const struct tls_direction *d, const char *label,
                   uint8_t *ret, size_t n)
{
    uint8_t info[32] = {0}, block[EVP_MAX_MD_SIZE];
    const int n_label = snprintf((char *)info + 3, sizeof(info) - 5, "tls13 %s", label);

    info[1] = (uint8_t)n;
    info[2] = (uint8_t)n_label;
    info[4 + n_label] = 1; /* behind the empty context: the block's number */
    if (!HMAC(SSL_CIPHER_get_handshake_digest(r->cipher), d->secret, d->n_secret, info,
              (size_t)n_label + 5, block, NULL))
        abort(); /* out of memory */
    memcpy(ret, block, n);
    OPENSSL_cleanse(block, sizeof(block));
}

static void make_keys(const struct tls_records *r, struct tls_direction *d)
{
    expand(r, d, "key", d->key, aeads[r->aead].key);
    expand(r, d, "iv", d->iv, NONCE);
}

static void next_keys(const struct tls_records *r, struct tls_direction *d)
{
    uint8_t secret[sizeof(d->secret)];

    expand(r, d, "traffic upd", secret, d->n_secret);
    memcpy(d->secret, secret, d->n_secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    make_keys(r, d);
    d->seq = 0;
}

/* The library tells the secrets of 1.3 only as lines of a key log, "LABEL random secret". */
static void on_secret(const SSL *ssl, const char *line)
{
    struct tls_records *r = SSL_get_app_data(ssl);
    const bool is_in = strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0;
    struct tls_direction *d = is_in ? &r->in : &r->out;
    size_t n;

    if (!is_in && strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) != 0)
        return;
    if (OPENSSL_hexstr2buf_ex(d->secret, sizeof(d->secret), &n, strrchr(line, ' ') + 1, '\0') == 1)
        d->n_secret = (uint8_t)n;
}

/* The client's Finished of 1.2 may come in pieces, each a record under the key of the data. */
static void on_message(int writes, int version, int type, const void *p, size_t n, SSL *ssl,
                       void *arg)
{
    struct tls_direction *d = &((struct tls_records *)SSL_get_app_data(ssl))->in;

    if (!writes && type == SSL3_RT_HEADER)
        d->seq = *(const uint8_t *)p == SSL3_RT_CHANGE_CIPHER_SPEC ? 0 : d->seq + 1;
}

void tls_records_follow(SSL_CTX *ctx)
{
    SSL_CTX_set_keylog_callback(ctx, on_secret);
    SSL_CTX_set_msg_callback(ctx, on_message);
}

/* How many records these bytes are. */
static uint64_t count_records(struct slice bytes)
{
    uint64_t n = 0;

    for (; bytes.n >= HEAD; n++) {
        const size_t body = (size_t)bytes.p[3] << 8 | bytes.p[4];

        (void)slice_take(&bytes, MIN(HEAD + body, bytes.n));
    }
    return n;
}

/* Our Finished went long before the client's, so the last things said are tickets, and they are
 * under the key of the data. */
static bool start_13(struct tls_records *r, const EVP_MD *md, struct slice last)
{
    if (r->in.n_secret != EVP_MD_get_size(md) || r->out.n_secret != EVP_MD_get_size(md))
        return false;
    make_keys(r, &r->in);
    make_keys(r, &r->out);
    r->in.seq = 0; /* the library stops at the client's Finished */
    r->out.seq = count_records(last);
    return true;
}

/* The PRF of RFC 5246 5. */
static bool expand_12(const EVP_MD *md, struct slice secret, struct slice seed, struct span ret)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)secret.p, secret.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)seed.p, seed.n),
        OSSL_PARAM_END,
    };
    const bool ok = ctx && EVP_KDF_derive(ctx, ret.p, ret.n, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

/* The key block of RFC 5246 6.3: keys, then nonces, each time the client's first. */
static bool start_12(struct tls_records *r, const EVP_MD *md, const SSL *ssl)
{
    static const char label[] = "key expansion";
    const size_t n_label = sizeof(label) - 1, key = aeads[r->aead].key, iv = aeads[r->aead].iv_12;
    uint8_t master[MASTER], seed[sizeof(label) - 1 + 2 * RANDOM];
    uint8_t block[2 * (sizeof(r->in.key) + sizeof(r->in.iv))], *p = block;
    bool ok;

    memcpy(seed, label, n_label);
    r->out.seq = 1; /* after our Finished */
    ok = SSL_get_server_random(ssl, seed + n_label, RANDOM) == RANDOM &&
         SSL_get_client_random(ssl, seed + n_label + RANDOM, RANDOM) == RANDOM &&
         SSL_SESSION_get_master_key(SSL_get_session(ssl), master, MASTER) == MASTER &&
         expand_12(md, slice_make(master, MASTER), slice_make(seed, sizeof(seed)),
                   (struct span){block, 2 * (key + iv)});
    if (ok) {
        memcpy(r->in.key, p, key);
        memcpy(r->out.key, p += key, key);
        memcpy(r->in.iv, p += key, iv);
        memcpy(r->out.iv, p += iv, iv);
    }
    OPENSSL_cleanse(master, sizeof(master));
    OPENSSL_cleanse(block, sizeof(block));
    return ok;
}

static bool find_aead(struct tls_records *r)
{
    for (r->aead = 0; r->aead < TLS_AEADS; r->aead++)
        if (r->cipher && SSL_CIPHER_get_cipher_nid(r->cipher) == aeads[r->aead].nid)
            return true;
    return false;
}

bool tls_records_start(struct tls_records *r, const SSL *ssl, struct slice last)
{
    const SSL_SESSION *session = SSL_get_session(ssl);
    const unsigned fragment = session ? SSL_SESSION_get_max_fragment_length(session) : 0;
    const EVP_MD *md;

    r->cipher = SSL_get_current_cipher(ssl);
    r->is_13 = SSL_version(ssl) == TLS1_3_VERSION;
    r->plain_max = (uint16_t)(fragment ? 256U << fragment : TLS_PLAIN_MAX); /* RFC 6066 4 */
    if (SSL_has_pending(ssl) || !find_aead(r) || !(r->is_13 || SSL_version(ssl) == TLS1_2_VERSION))
        return false;
    md = SSL_CIPHER_get_handshake_digest(r->cipher);
    return r->is_13 ? start_13(r, md, last) : start_12(r, md, ssl);
}

/* --- one record --- */

static bool is_explicit(const struct tls_records *r)
{
    return !r->is_13 && aeads[r->aead].iv_12 < NONCE;
}

static void put_number(uint8_t *p, uint64_t n)
{
    for (int i = 7; i >= 0; i--, n >>= 8)
        p[i] = (uint8_t)n;
}

static void put_head(uint8_t *p, uint8_t type, size_t n)
{
    p[0] = type;
    p[1] = p[2] = 3; /* 1.2, and of 1.3 */
    p[3] = (uint8_t)(n >> 8);
    p[4] = (uint8_t)n;
}

static void make_nonce(const struct tls_direction *d, const uint8_t *given, uint8_t ret[NONCE])
{
    uint8_t number[EXPLICIT];

    memcpy(ret, d->iv, NONCE);
    if (given) {
        memcpy(ret + NONCE - EXPLICIT, given, EXPLICIT);
        return;
    }
    put_number(number, d->seq);
    for (int i = 0; i < EXPLICIT; i++)
        ret[NONCE - EXPLICIT + i] ^= number[i];
}

/* Keys the context for the direction's next record of n bytes of data, of that type on the wire.
 * given: the explicit nonce, or NULL. */
static bool begin(const struct tls_records *r, struct tls_direction *d, EVP_CIPHER_CTX *ctx,
                  const uint8_t *given, uint8_t type, size_t n, bool seals)
{
    uint8_t nonce[NONCE], beside[8 + HEAD];
    const int n_beside = r->is_13 ? HEAD : sizeof(beside);
    int none;

    make_nonce(d, given, nonce);
    put_number(beside, d->seq);
    put_head(beside + 8, type, r->is_13 ? n + TAG : n);
    d->seq++;
    return EVP_CipherInit_ex(ctx, NULL, NULL, d->key, nonce, seals) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &none, beside + sizeof(beside) - n_beside, n_beside) == 1;
}

/* --- sealing --- */

static size_t left(const struct tls_source *from)
{
    size_t n = 0;

    for (int i = 0; i < from->n; i++)
        n += from->iov[i].iov_len;
    return n - from->at;
}

static bool update(EVP_CIPHER_CTX *ctx, uint8_t *to, const void *p, size_t n)
{
    int out;

    return EVP_CipherUpdate(ctx, to, &out, p, (int)n) == 1 && out == (int)n;
}

/* Takes n bytes. */
static bool seal_pieces(EVP_CIPHER_CTX *ctx, uint8_t *to, struct tls_source *from, size_t n)
{
    bool ok = true;

    while (n > 0) {
        const struct iovec *piece = from->iov;
        const size_t part = MIN(n, piece->iov_len - from->at);

        ok = update(ctx, to, (const uint8_t *)piece->iov_base + from->at, part) && ok;
        to += part;
        n -= part;
        from->at += part;
        if (from->at == piece->iov_len) {
            from->iov++;
            from->n--;
            from->at = 0;
        }
    }
    return ok;
}

/* Appends a record of n <= plain_max bytes. */
static int seal(struct tls_records *r, const struct tls_aeads *a, uint8_t type,
                struct tls_source *from, size_t n, struct buf *out)
{
    EVP_CIPHER_CTX *ctx = a->ctx[r->aead];
    const size_t given = is_explicit(r) ? EXPLICIT : 0, sealed = n + (r->is_13 ? 1 : 0);
    const uint8_t outer = r->is_13 ? SSL3_RT_APPLICATION_DATA : type;
    uint8_t *p = buf_reserve(out, HEAD + given + sealed + TAG), *body;
    int none;

    if (!p)
        return -ERR_TOO_LARGE;
    body = p + HEAD + given;
    put_head(p, outer, given + sealed + TAG);
    if (given) /* the library's Finished had a random one: 2^-64 that it is this */
        put_number(p + HEAD, r->out.seq);
    if (!begin(r, &r->out, ctx, given ? p + HEAD : NULL, outer, sealed, true) ||
        !seal_pieces(ctx, body, from, n) || (r->is_13 && !update(ctx, body + n, &type, 1)) ||
        EVP_CipherFinal_ex(ctx, body + sealed, &none) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, body + sealed) != 1)
        abort(); /* out of memory; nothing leaves unsealed */
    buf_commit(out, HEAD + given + sealed + TAG);
    return 0;
}

int tls_records_say(struct tls_records *r, const struct tls_aeads *a, uint8_t type,
                    struct slice what, struct buf *out)
{
    const struct iovec iov = {(void *)what.p, what.n};
    struct tls_source from = {.iov = &iov, .n = 1};

    return seal(r, a, type, &from, what.n, out);
}

static void say_alert(struct tls_records *r, const struct tls_aeads *a, uint8_t level,
                      uint8_t number, struct buf *out)
{
    const uint8_t alert[] = {level, number};

    (void)tls_records_say(r, a, SSL3_RT_ALERT, slice_make(alert, sizeof(alert)), out);
}

/* Our next key, said under the old one. */
static void change_key(struct tls_records *r, const struct tls_aeads *a, struct buf *out)
{
    if (tls_records_say(r, a, SSL3_RT_HANDSHAKE, SLICE("\x18\0\0\1\0"), out) == 0)
        next_keys(r, &r->out);
}

ssize_t tls_records_seal(struct tls_records *r, const struct tls_aeads *a, struct tls_source *from,
                         struct buf *out)
{
    const size_t n = MIN(left(from), r->plain_max);
    int result;

    if (n == 0)
        return 0;
    if (r->is_13 && r->out.seq >= key_records)
        change_key(r, a, out);
    r->quiet = 0;
    result = seal(r, a, SSL3_RT_APPLICATION_DATA, from, n, out);
    return result < 0 ? result : (ssize_t)n;
}

/* --- opening --- */

static enum tls_record refuse(struct tls_records *r, const struct tls_aeads *a, uint8_t alert,
                              struct buf *answers)
{
    r->alert = alert;
    say_alert(r, a, SSL3_AL_FATAL, alert, answers);
    return TLS_RECORD_BAD;
}

/* Whether the body is genuine; then its *ret_n bytes are at `to`. */
static bool open_body(struct tls_records *r, const struct tls_aeads *a, uint8_t type,
                      struct slice body, uint8_t *to, size_t *ret_n)
{
    EVP_CIPHER_CTX *ctx = a->ctx[r->aead];
    const struct slice given = slice_take(&body, MIN(body.n, is_explicit(r) ? EXPLICIT : 0));
    const size_t n = body.n - MIN(body.n, TAG);
    int none;

    if (body.n >= TAG && begin(r, &r->in, ctx, given.n ? given.p : NULL, type, n, false) &&
        update(ctx, to, body.p, n) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, (void *)(body.p + n)) == 1 &&
        EVP_CipherFinal_ex(ctx, to + n, &none) == 1) {
        *ret_n = n;
        return true;
    }
    ERR_clear_error();
    return false;
}

static enum tls_record on_alert(struct tls_records *r, const struct tls_aeads *a, struct slice in,
                                struct buf *answers)
{
    if (in.n != 2)
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    if (in.p[1] == SSL3_AD_CLOSE_NOTIFY)
        return TLS_RECORD_END;
    if (r->is_13 ? in.p[1] == SSL_AD_USER_CANCELLED : in.p[0] == SSL3_AL_WARNING)
        return TLS_RECORD_QUIET;
    r->alert = in.p[1];
    return TLS_RECORD_ALERT;
}

/* Of all handshake messages only a KeyUpdate may come, perhaps in pieces, and nothing behind it
 * under the same key. */
static enum tls_record on_key_update(struct tls_records *r, const struct tls_aeads *a,
                                     struct slice in, struct buf *answers)
{
    static const uint8_t expected[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1};

    if (in.n == 0 || r->n_begun + in.n > sizeof(r->begun))
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    memcpy(r->begun + r->n_begun, in.p, in.n);
    r->n_begun += (uint8_t)in.n;
    if (memcmp(r->begun, expected, MIN(r->n_begun, sizeof(expected))) != 0)
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    if (r->n_begun < sizeof(r->begun))
        return TLS_RECORD_QUIET;
    r->n_begun = 0;
    if (r->begun[4] > 1)
        return refuse(r, a, SSL_AD_ILLEGAL_PARAMETER, answers);
    next_keys(r, &r->in);
    if (r->begun[4] == 1)
        change_key(r, a, answers);
    return TLS_RECORD_QUIET;
}

static enum tls_record on_handshake(struct tls_records *r, const struct tls_aeads *a,
                                    struct slice in, struct buf *answers)
{
    if (r->is_13)
        return on_key_update(r, a, in, answers);
    say_alert(r, a, SSL3_AL_WARNING, SSL_AD_NO_RENEGOTIATION, answers);
    return TLS_RECORD_QUIET;
}

/* 1.3 hides the type behind the data, and zeros behind the type. 0: there was none. */
static uint8_t strip(const uint8_t *p, size_t *n)
{
    while (*n > 0 && p[*n - 1] == 0)
        --*n;
    return *n > 0 ? p[--*n] : 0;
}

static enum tls_record on_record(struct tls_records *r, const struct tls_aeads *a, uint8_t type,
                                 struct slice in, struct buf *answers)
{
    if (in.n > r->plain_max)
        return refuse(r, a, SSL_AD_RECORD_OVERFLOW, answers);
    if (r->n_begun && type != SSL3_RT_HANDSHAKE)
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    r->quiet++;
    if (in.n && type == SSL3_RT_APPLICATION_DATA)
        r->quiet = 0;
    if (r->quiet > TLS_QUIET_MAX)
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    switch (type) {
    case SSL3_RT_APPLICATION_DATA:
        return TLS_RECORD_DATA;
    case SSL3_RT_ALERT:
        return on_alert(r, a, in, answers);
    case SSL3_RT_HANDSHAKE:
        return on_handshake(r, a, in, answers);
    default:
        return refuse(r, a, SSL_AD_UNEXPECTED_MESSAGE, answers);
    }
}

/* The alert that a head deserves, or 0; the same and in the same order as the library's. */
static uint8_t judge_head(const struct tls_records *r, const uint8_t *head, size_t n)
{
    if (head[1] != 3 || (head[2] != 3 && !r->is_13))
        return SSL_AD_PROTOCOL_VERSION;
    if (r->is_13 && head[0] != SSL3_RT_APPLICATION_DATA)
        return SSL_AD_UNEXPECTED_MESSAGE;
    if (head[2] != 3)
        return SSL_AD_DECODE_ERROR;
    return n > TLS_RECORD_MAX - HEAD ? SSL_AD_RECORD_OVERFLOW : 0;
}

enum tls_record tls_records_open(struct tls_records *r, const struct tls_aeads *a, struct slice *in,
                                 uint8_t *to, size_t *ret_n, struct buf *answers)
{
    uint8_t type, alert;
    size_t n;

    if (in->n < HEAD)
        return TLS_RECORD_NONE;
    type = in->p[0];
    n = (size_t)in->p[3] << 8 | in->p[4];
    alert = judge_head(r, in->p, n);
    if (alert)
        return refuse(r, a, alert, answers);
    if (in->n < HEAD + n)
        return TLS_RECORD_NONE;
    (void)slice_take(in, HEAD);
    if (!open_body(r, a, type, slice_take(in, n), to, ret_n))
        return refuse(r, a, SSL_AD_BAD_RECORD_MAC, answers);
    if (*ret_n > TLS_PLAIN_MAX + (r->is_13 ? 1U : 0)) /* type and padding count: RFC 8446 5.4 */
        return refuse(r, a, SSL_AD_RECORD_OVERFLOW, answers);
    if (r->is_13)
        type = strip(to, ret_n);
    return on_record(r, a, type, slice_make(to, *ret_n), answers);
}
