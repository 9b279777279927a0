/* Keys as people write them: text, base64, hex, PEM, JWK. */
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include "base/enc.h"
#include "wire/grip_int.h"
#include "wire/jwt_int.h"

enum { RSA_BITS_MIN = 2048 /* RFC 7518 3.3 */, RSA_BITS_MAX = 8192 };

#define BAD(note, ...) err_notef(note, -ERR_CONFIG, __VA_ARGS__)

static int keep_secret(struct slice bytes, struct jwt_key **ret, struct err_note *note)
{
    struct jwt_key *k;

    if (bytes.n == 0)
        return BAD(note, "the key is empty");
    k = mem_new(sizeof(*k));
    k->secret = (uint8_t *)slice_dup(bytes);
    k->n = bytes.n;
    *ret = k;
    return 0;
}

/* The algorithm that a key is for; -1: none of ours. */
static int alg_of(const EVP_PKEY *pkey)
{
    char group[64];
    size_t n;

    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return JWT_EDDSA;
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return EVP_PKEY_get_bits(pkey) >= RSA_BITS_MIN && EVP_PKEY_get_bits(pkey) <= RSA_BITS_MAX
                   ? JWT_RS256
                   : -1;
    if (EVP_PKEY_is_a(pkey, "EC") && EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
        slice_eq(slice_str(group), SLICE("prime256v1")))
        return JWT_ES256;
    return -1;
}

static int keep_pkey(EVP_PKEY *take_pkey, struct jwt_key **ret, struct err_note *note)
{
    const int alg = alg_of(take_pkey);
    struct jwt_key *k;

    if (alg < 0) {
        EVP_PKEY_free(take_pkey);
        return BAD(note, "the key is none of RSA (2048 to 8192 bits), EC P-256 and Ed25519");
    }
    k = mem_new(sizeof(*k));
    k->alg = (enum jwt_alg)alg;
    k->pkey = take_pkey;
    *ret = k;
    return 0;
}

/* --- PEM --- */

/* Nobody is asked for a password. */
static int no_password(char *room, int n, int writing, void *arg)
{
    return -1;
}

static EVP_PKEY *read_pem(struct slice text, bool is_public)
{
    BIO *const in = BIO_new_mem_buf(text.p, (int)text.n);
    EVP_PKEY *const pkey = !in         ? NULL
                           : is_public ? PEM_read_bio_PUBKEY(in, NULL, no_password, NULL)
                                       : PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);

    BIO_free(in);
    ERR_clear_error();
    return pkey;
}

static int key_of_pem(struct slice text, enum jwt_use use, struct jwt_key **ret,
                      struct err_note *note)
{
    EVP_PKEY *pkey = text.n <= JWT_MAX ? read_pem(text, false) : NULL;

    if (!pkey && use == JWT_VERIFY && text.n <= JWT_MAX)
        pkey = read_pem(text, true);
    if (!pkey)
        return BAD(note, use == JWT_SIGN ? "the PEM holds no private key without password"
                                         : "the PEM holds no key");
    return keep_pkey(pkey, ret, note);
}

/* --- JWK (RFC 7517, RFC 8037) --- */

/* A member's bytes, appended to out; false when it is missing or no base64. */
static bool bytes_of(struct buf *out, const json_t *jwk, const char *name)
{
    const json_t *const value = json_object_get(jwk, name);

    return json_is_string(value) &&
           enc_base64_decode(out, grip__string(value), ENC_BASE64_URL) >= 0;
}

static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *const params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *const ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

/* An uncompressed point: 4, x, y. */
static EVP_PKEY *ec_of(const json_t *jwk, OSSL_PARAM_BLD *build)
{
    uint8_t point[66];
    struct buf out = {.p = point, .cap = sizeof(point), .max = sizeof(point)};

    if (!slice_eq(grip__string(json_object_get(jwk, "crv")), SLICE("P-256")) ||
        buf_add_byte(&out, 4) < 0 || !bytes_of(&out, jwk, "x") || out.n != 33 ||
        !bytes_of(&out, jwk, "y") || out.n != 65 ||
        !OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, out.n))
        return NULL;
    return make("EC", build);
}

static EVP_PKEY *ed_of(const json_t *jwk, OSSL_PARAM_BLD *build)
{
    uint8_t key[33];
    struct buf out = {.p = key, .cap = sizeof(key), .max = sizeof(key)};

    if (!slice_eq(grip__string(json_object_get(jwk, "crv")), SLICE("Ed25519")) ||
        !bytes_of(&out, jwk, "x") || out.n != 32 ||
        !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, key, out.n))
        return NULL;
    return make("ED25519", build);
}

static EVP_PKEY *rsa_of(const json_t *jwk, OSSL_PARAM_BLD *build)
{
    uint8_t number[2][RSA_BITS_MAX / 8 + 1];
    struct buf n = {.p = number[0], .cap = sizeof(number[0]), .max = sizeof(number[0])};
    struct buf e = {.p = number[1], .cap = sizeof(number[1]), .max = sizeof(number[1])};
    BIGNUM *modulus, *exponent;
    EVP_PKEY *pkey = NULL;

    if (!bytes_of(&n, jwk, "n") || !bytes_of(&e, jwk, "e"))
        return NULL;
    modulus = BN_bin2bn(n.p, (int)n.n, NULL);
    exponent = BN_bin2bn(e.p, (int)e.n, NULL);
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
        pkey = make("RSA", build);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

static EVP_PKEY *public_of(const json_t *jwk)
{
    OSSL_PARAM_BLD *const build = OSSL_PARAM_BLD_new();
    const struct slice kty = grip__string(json_object_get(jwk, "kty"));
    EVP_PKEY *pkey = NULL;

    if (slice_eq(kty, SLICE("EC")))
        pkey = ec_of(jwk, build);
    else if (slice_eq(kty, SLICE("OKP")))
        pkey = ed_of(jwk, build);
    else if (slice_eq(kty, SLICE("RSA")))
        pkey = rsa_of(jwk, build);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static int key_of_jwk(struct slice text, enum jwt_use use, struct jwt_key **ret,
                      struct err_note *note)
{
    CLEANUP(grip__drop) json_t *jwk = text.n <= JWT_MAX ? grip__json(text) : NULL;
    struct buf secret = {.max = JWT_MAX};
    EVP_PKEY *pkey;
    int err;

    if (slice_eq(grip__string(json_object_get(jwk, "kty")), SLICE("oct")) &&
        bytes_of(&secret, jwk, "k")) {
        err = keep_secret(buf_slice(&secret), ret, note);
        OPENSSL_cleanse(secret.p, secret.n);
        buf_done(&secret);
        return err;
    }
    buf_done(&secret);
    if (use == JWT_SIGN)
        return BAD(note, "a JWK signs only when it is a secret (\"kty\": \"oct\"); use a PEM");
    if (!(pkey = public_of(jwk)))
        return BAD(note, "the JWK is malformed, or of a kind that is not supported");
    return keep_pkey(pkey, ret, note);
}

/* --- forms --- */

static int key_of(struct slice bytes, enum jwt_use use, struct jwt_key **ret, struct err_note *note)
{
    if (slice_starts(bytes, SLICE("-----BEGIN")))
        return key_of_pem(bytes, use, ret, note);
    if (slice_starts(bytes, SLICE("{")))
        return key_of_jwk(bytes, use, ret, note);
    return keep_secret(bytes, ret, note);
}

bool jwt_key_is_file(struct slice form, struct slice *ret_path)
{
    const struct slice word = SLICE("file:");

    if (!slice_starts(form, word))
        return false;
    *ret_path = slice_sub(form, word.n, form.n);
    return true;
}

/* Decodes by one of enc.h's functions and makes a key of that. */
static int key_decoded(int (*decode)(struct buf *, struct slice), const char *what,
                       struct slice text, enum jwt_use use, struct jwt_key **ret,
                       struct err_note *note)
{
    struct buf bytes = {.max = JWT_MAX};
    const int err = decode(&bytes, text) < 0 ? BAD(note, "the key is not %s", what)
                                             : key_of(buf_slice(&bytes), use, ret, note);

    if (bytes.p)
        OPENSSL_cleanse(bytes.p, bytes.cap);
    buf_done(&bytes);
    return err;
}

int jwt_key_new(struct slice form, enum jwt_use use, struct jwt_key **ret, struct err_note *note)
{
    const struct slice base64 = SLICE("base64:");
    struct slice path;

    if (jwt_key_is_file(form, &path))
        return BAD(note, "a key of a file is needed here as the file's contents");
    if (slice_starts(form, base64))
        return key_decoded(enc_base64_forgive, "base64", slice_sub(form, base64.n, form.n), use,
                           ret, note);
    return key_of(form, use, ret, note);
}

static struct slice without_blanks(struct slice s)
{
    while (s.n > 0 && strchr(" \t\r\n", s.p[0]) && s.p[0])
        (void)slice_take(&s, 1);
    while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) && s.p[s.n - 1])
        s.n--;
    return s;
}

int jwt_key_new_file(struct slice contents, enum jwt_use use, struct jwt_key **ret,
                     struct err_note *note)
{
    const struct slice text = without_blanks(contents);

    if (slice_starts(text, SLICE("-----BEGIN")) || slice_starts(text, SLICE("{")))
        return key_of(text, use, ret, note);
    return key_decoded(enc_hex_decode, "a PEM, a JWK or hex", text, use, ret, note);
}
