#include "wire/jwt.h"

#include <inttypes.h>
#include <math.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/enc.h"
#include "wire/grip_int.h"
#include "wire/jwt_int.h"

static const char *const alg_names[] = {
    [JWT_HS256] = "HS256",
    [JWT_ES256] = "ES256",
    [JWT_RS256] = "RS256",
    [JWT_EDDSA] = "EdDSA",
};

enum {
    SIGNATURE_MAX = 1024, /* RSA of 8192 bits */
    HALF = 32,            /* of an ES256 signature: r, then s (RFC 7518 3.4) */
};

const char *jwt_key_alg(const struct jwt_key *k)
{
    return alg_names[k->alg];
}

void jwt_key_free(struct jwt_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    if (k->secret)
        OPENSSL_cleanse(k->secret, k->n);
    mem_free(k->secret);
    mem_free(k);
}

/* --- ES256: DER, which OpenSSL speaks, and the 64 bytes of JWT --- */

static bool from_der(uint8_t *signature, size_t *n)
{
    const uint8_t *p = signature;
    ECDSA_SIG *const s = d2i_ECDSA_SIG(NULL, &p, (long)*n);
    const bool ok = s && BN_bn2binpad(ECDSA_SIG_get0_r(s), signature, HALF) == HALF &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(s), signature + HALF, HALF) == HALF;

    ECDSA_SIG_free(s);
    *n = 2 * (size_t)HALF;
    return ok;
}

/* Into room of SIGNATURE_MAX; its length, or 0. */
static size_t to_der(struct slice raw, uint8_t *room)
{
    ECDSA_SIG *const s = raw.n == 2 * (size_t)HALF ? ECDSA_SIG_new() : NULL;
    uint8_t *p = room;
    int n = 0;

    if (s && ECDSA_SIG_set0(s, BN_bin2bn(raw.p, HALF, NULL), BN_bin2bn(raw.p + HALF, HALF, NULL)))
        n = i2d_ECDSA_SIG(s, &p);
    ECDSA_SIG_free(s);
    return n > 0 ? (size_t)n : 0;
}

/* --- signatures --- */

static const EVP_MD *digest_of(const struct jwt_key *k)
{
    return k->alg == JWT_EDDSA ? NULL : EVP_sha256();
}

static bool hmac(const struct jwt_key *k, struct slice text, uint8_t *ret, size_t *ret_n)
{
    unsigned n = 0;
    const bool ok = HMAC(EVP_sha256(), k->secret, (int)k->n, text.p, text.n, ret, &n) != NULL;

    *ret_n = n;
    return ok;
}

static bool make_signature(const struct jwt_key *k, struct slice text, uint8_t *ret, size_t *ret_n)
{
    EVP_MD_CTX *ctx;
    bool ok;

    if (k->alg == JWT_HS256)
        return hmac(k, text, ret, ret_n);
    ctx = EVP_MD_CTX_new();
    *ret_n = SIGNATURE_MAX;
    ok = ctx && EVP_DigestSignInit(ctx, NULL, digest_of(k), NULL, k->pkey) == 1 &&
         EVP_DigestSign(ctx, ret, ret_n, text.p, text.n) == 1 &&
         (k->alg != JWT_ES256 || from_der(ret, ret_n));
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool check_hmac(const struct jwt_key *k, struct slice text, struct slice signature)
{
    uint8_t want[EVP_MAX_MD_SIZE];
    size_t n;

    return hmac(k, text, want, &n) && signature.n == n && CRYPTO_memcmp(want, signature.p, n) == 0;
}

static bool check_signature(const struct jwt_key *k, struct slice text, struct slice signature)
{
    uint8_t room[SIGNATURE_MAX];
    EVP_MD_CTX *ctx;
    bool ok;

    if (k->alg == JWT_HS256)
        return check_hmac(k, text, signature);
    if (k->alg == JWT_ES256)
        signature = slice_make(room, to_der(signature, room));
    ctx = EVP_MD_CTX_new();
    ok = ctx && EVP_DigestVerifyInit(ctx, NULL, digest_of(k), NULL, k->pkey) == 1 &&
         EVP_DigestVerify(ctx, signature.p, signature.n, text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* --- writing --- */

static int put_claims(struct buf *claims, struct slice iss, int64_t exp_s)
{
    int err = buf_addf(claims, "{\"exp\":%" PRId64, exp_s);

    if (err >= 0 && iss.n > 0 && (err = buf_add(claims, SLICE(",\"iss\":"))) >= 0)
        err = enc_json(claims, iss);
    return err < 0 ? err : buf_add_byte(claims, '}');
}

/* Header and claims, which are what is signed. */
static int put_text(struct buf *out, const struct jwt_key *k, struct slice iss, int64_t exp_s)
{
    struct buf part = {.max = JWT_MAX};
    int err = buf_addf(&part, "{\"typ\":\"JWT\",\"alg\":\"%s\"}", jwt_key_alg(k));

    if (err >= 0)
        err = enc_base64(out, buf_slice(&part), ENC_BASE64_URL);
    buf_clear(&part);
    if (err >= 0 && (err = buf_add_byte(out, '.')) >= 0 &&
        (err = put_claims(&part, iss, exp_s)) >= 0)
        err = enc_base64(out, buf_slice(&part), ENC_BASE64_URL);
    buf_done(&part);
    return err;
}

int jwt_sign(struct buf *out, const struct jwt_key *k, struct slice iss, int64_t exp_s)
{
    const size_t before = out->n;
    uint8_t signature[SIGNATURE_MAX];
    size_t n;
    int err = put_text(out, k, iss, exp_s);

    if (err >= 0 && !make_signature(k, slice_sub(buf_slice(out), before, out->n), signature, &n))
        err = -ERR_INTERNAL;
    if (err >= 0 && (err = buf_add_byte(out, '.')) >= 0)
        err = enc_base64(out, slice_make(signature, n), ENC_BASE64_URL);
    if (err < 0)
        out->n = before;
    return err < 0 ? err : 0;
}

/* --- reading --- */

static json_t *object_of(struct slice part)
{
    struct buf text = {.max = JWT_MAX};
    json_t *j = NULL;

    if (enc_base64_decode(&text, part, ENC_BASE64_URL) >= 0)
        j = grip__json(buf_slice(&text));
    buf_done(&text);
    if (json_is_object(j))
        return j;
    json_decref(j);
    return NULL;
}

/* RFC 7515 4.1.11: what we must understand and do not is refused. */
static bool is_our_header(const struct jwt_key *k, const json_t *header)
{
    return slice_eq(grip__string(json_object_get(header, "alg")), slice_str(jwt_key_alg(k))) &&
           !json_object_get(header, "crit");
}

static int check_claims(const json_t *claims, struct slice iss, int64_t now_s)
{
    const json_t *const exp = json_object_get(claims, "exp");

    if (!json_is_number(exp) || json_number_value(exp) <= (double)now_s)
        return -ERR_TIMEOUT;
    if (iss.n > 0 && !slice_eq(grip__string(json_object_get(claims, "iss")), iss))
        return -ERR_DENIED;
    return 0;
}

int jwt_verify(const struct jwt_key *k, struct slice token, struct slice iss, int64_t now_s)
{
    CLEANUP(grip__drop) json_t *header = NULL;
    CLEANUP(grip__drop) json_t *claims = NULL;
    uint8_t room[SIGNATURE_MAX];
    struct buf signature = {.p = room, .cap = sizeof(room), .max = sizeof(room)};
    struct slice rest = token, part[2];
    struct slice text;

    if (token.n > JWT_MAX)
        return -ERR_SYNTAX;
    for (size_t i = 0; i < COUNT_OF(part); i++) {
        const ptrdiff_t at = slice_find(rest, '.');

        if (at < 0)
            return -ERR_SYNTAX;
        part[i] = slice_take(&rest, (size_t)at);
        (void)slice_take(&rest, 1);
    }
    text = slice_sub(token, 0, part[0].n + 1 + part[1].n);
    header = object_of(part[0]);
    claims = object_of(part[1]);
    if (!header || !claims || enc_base64_decode(&signature, rest, ENC_BASE64_URL) < 0)
        return -ERR_SYNTAX;
    if (!is_our_header(k, header) || !check_signature(k, text, buf_slice(&signature)))
        return -ERR_DENIED;
    return check_claims(claims, iss, now_s);
}
