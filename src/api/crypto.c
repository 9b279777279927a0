/*
 * Cryptography with shared secrets, digests and random bytes (crypto.js), by OpenSSL's EVP calls.
 * crypto_key.c has the key pairs.
 *
 * Checks that Web Crypto asks for are JavaScript's; what still fails here is an OperationError.
 */
#include <limits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "api/api.h"
#include "api/crypto_int.h"
#include "api/modules.h"

enum { BLOCK = 16, RANDOM_MAX = 65536 };

JSValueRef crypto__failed(const struct js_args *a, const char *what)
{
    ERR_clear_error();
    return js_throw(a, "OperationError", "%s", what);
}

bool crypto__digest(const struct js_args *a, size_t i, const EVP_MD **ret)
{
    static const struct {
        const char *name;
        const EVP_MD *(*get)(void);
    } digests[] = {{"SHA-1", EVP_sha1},
                   {"SHA-256", EVP_sha256},
                   {"SHA-384", EVP_sha384},
                   {"SHA-512", EVP_sha512},
                   {"MD5", EVP_md5}};
    struct js_text name;
    const EVP_MD *md = NULL;

    if (!js_arg_text(a, i, &name))
        return false;
    for (size_t k = 0; k < COUNT_OF(digests); k++)
        if (slice_eq(name.s, slice_str(digests[k].name)))
            md = digests[k].get();
    js_text_done(&name);
    if (!md) {
        js_throw(a, "NotSupportedError", "unknown digest");
        return false;
    }
    *ret = md;
    return true;
}

/* --- random --- */

/* random(view): fills it, at most RANDOM_MAX bytes. */
static JSValueRef random_fill(const struct js_args *a)
{
    struct span view;

    if (!js_arg_bytes(a, 0, &view))
        return NULL;
    if (view.n > RANDOM_MAX || RAND_bytes(view.p, (int)view.n) != 1)
        return crypto__failed(a, "no random bytes");
    return NULL;
}

/* RFC 9562 5.4: version 4, the other bits random. */
static JSValueRef random_uuid(const struct js_args *a)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    char text[36];
    char *to = text;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return crypto__failed(a, "no random bytes");
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[bytes[i] >> 4];
        *to++ = digits[bytes[i] & 15];
    }
    return js_string(a->cx, slice_make(text, sizeof(text)));
}

/* --- digests --- */

/* digest(name, data) → bytes */
static JSValueRef digest(const struct js_args *a)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    const EVP_MD *md;
    struct span data;
    unsigned n;

    if (!crypto__digest(a, 0, &md) || !js_arg_bytes(a, 1, &data))
        return NULL;
    if (EVP_Digest(data.p, data.n, out, &n, md, NULL) != 1)
        return crypto__failed(a, "digest failed");
    return js_bytes(a->cx, slice_make(out, n));
}

static void digest_free(void *body)
{
    EVP_MD_CTX_free(body);
}

static const struct js_kind digest_kind = {"digest", digest_free};

/* digestOpen(name) → handle; digestUpdate(handle, data); digestEnd(handle) → bytes */
static JSValueRef digest_open(const struct js_args *a)
{
    const EVP_MD *md;
    EVP_MD_CTX *ctx;

    if (!crypto__digest(a, 0, &md))
        return NULL;
    ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1)
        return js_handle(a->vm, &digest_kind, ctx);
    EVP_MD_CTX_free(ctx);
    return crypto__failed(a, "digest failed");
}

static JSValueRef digest_update(const struct js_args *a)
{
    EVP_MD_CTX *ctx = js_arg_handle(a, 0, &digest_kind);
    struct span data;

    if (!ctx || !js_arg_bytes(a, 1, &data))
        return NULL;
    return EVP_DigestUpdate(ctx, data.p, data.n) == 1 ? NULL : crypto__failed(a, "digest failed");
}

static JSValueRef digest_end(const struct js_args *a)
{
    EVP_MD_CTX *ctx = js_arg_handle(a, 0, &digest_kind);
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned n;

    if (!ctx)
        return NULL;
    if (EVP_DigestFinal_ex(ctx, out, &n) != 1)
        return crypto__failed(a, "digest failed");
    js_handle_close(a->vm, a->v[0], &digest_kind);
    return js_bytes(a->cx, slice_make(out, n));
}

/* hmac(digest, key, data) → bytes */
static JSValueRef hmac(const struct js_args *a)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    const EVP_MD *md;
    struct span key;
    struct span data;
    unsigned n;

    if (!crypto__digest(a, 0, &md) || !js_arg_bytes(a, 1, &key) || !js_arg_bytes(a, 2, &data))
        return NULL;
    if (key.n > INT_MAX || !HMAC(md, key.p ? key.p : out, (int)key.n, data.p, data.n, out, &n))
        return crypto__failed(a, "HMAC failed");
    return js_bytes(a->cx, slice_make(out, n));
}

/* equal(a, b): whether bytes of the same length are the same, in time that tells nothing else. */
static JSValueRef equal(const struct js_args *a)
{
    struct span x;
    struct span y;

    if (!js_arg_bytes(a, 0, &x) || !js_arg_bytes(a, 1, &y))
        return NULL;
    return js_bool(a->cx, x.n == y.n && (x.n == 0 || CRYPTO_memcmp(x.p, y.p, x.n) == 0));
}

/* --- AES --- */

struct aes {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *ctx;
    bool encrypts;
};

static void aes_done(struct aes *c)
{
    EVP_CIPHER_CTX_free(c->ctx);
    EVP_CIPHER_free(c->cipher);
    ERR_clear_error();
}

static bool aes_init(struct aes *c, const char *mode, struct span key, struct span iv)
{
    char name[32];

    snprintf(name, sizeof(name), "AES-%zu-%s", key.n * 8, mode);
    c->cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    c->ctx = EVP_CIPHER_CTX_new();
    if (!c->cipher || !c->ctx)
        return false;
    EVP_CIPHER_CTX_set_flags(c->ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(c->ctx, c->cipher, NULL, NULL, c->encrypts, NULL) != 1)
        return false;
    if (strcmp(mode, "GCM") == 0 &&
        EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.n, NULL) != 1)
        return false;
    return EVP_CipherInit_ex2(c->ctx, NULL, key.p, iv.n ? iv.p : NULL, c->encrypts, NULL) == 1;
}

/* Appends in's other form, and what the end of the text gives, to out, which has room for it. */
static bool aes_run(struct aes *c, struct slice in, struct span *out)
{
    int n = 0;
    int more = 0;

    if (in.n > INT_MAX - 64)
        return false;
    if (in.n && EVP_CipherUpdate(c->ctx, out->p + out->n, &n, in.p, (int)in.n) != 1)
        return false;
    if (EVP_CipherFinal_ex(c->ctx, out->p + out->n + n, &more) != 1)
        return false;
    out->n += (size_t)n + (size_t)more;
    return true;
}

static bool aes_add_data(struct aes *c, struct span aad)
{
    int n;

    return aad.n == 0 ||
           (aad.n <= INT_MAX && EVP_CipherUpdate(c->ctx, NULL, &n, aad.p, (int)aad.n) == 1);
}

/* The tag stands behind the ciphertext. */
static bool gcm_run(struct aes *c, struct slice in, struct span aad, size_t tag, struct span *out)
{
    if (!aes_add_data(c, aad))
        return false;
    if (c->encrypts) {
        if (!aes_run(c, in, out) ||
            EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag, out->p + out->n) != 1)
            return false;
        out->n += tag;
        return true;
    }
    if (in.n < tag || EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag,
                                          (void *)(in.p + in.n - tag)) != 1)
        return false;
    return aes_run(c, slice_make(in.p, in.n - tag), out);
}

/* What the callers below share: arguments key, iv, data at 1, 2, 3 and a place for the result. */
struct aes_call {
    struct aes aes;
    struct span key;
    struct span iv;
    struct span data;
    struct span out;
};

static bool aes_args(const struct js_args *a, struct aes_call *c)
{
    *c = (struct aes_call){.aes.encrypts = js_arg_bool(a, 0)};
    if (!js_arg_bytes(a, 1, &c->key) || !js_arg_bytes(a, 2, &c->iv) ||
        !js_arg_bytes(a, 3, &c->data))
        return false;
    c->out.p = mem_new(c->data.n + 4 * BLOCK);
    return true;
}

static JSValueRef aes_result(const struct js_args *a, struct aes_call *c, bool ok)
{
    aes_done(&c->aes);
    if (ok)
        return js_bytes_take(a->cx, c->out);
    mem_free(c->out.p);
    return crypto__failed(a, c->aes.encrypts ? "Encryption failed." : "Decryption failed.");
}

/* gcm(encrypts, key, iv, data, aad, bytes of the tag) → bytes */
static JSValueRef gcm(const struct js_args *a)
{
    struct aes_call c;
    struct span aad;
    uint32_t tag;

    if (!js_arg_bytes(a, 4, &aad) || !js_arg_u32(a, 5, &tag) || !aes_args(a, &c))
        return NULL;
    return aes_result(a, &c,
                      tag <= BLOCK && c.iv.n > 0 && c.iv.n <= INT_MAX &&
                          aes_init(&c.aes, "GCM", c.key, c.iv) &&
                          gcm_run(&c.aes, span_slice(c.data), aad, tag, &c.out));
}

/* cbc(encrypts, key, iv, data) → bytes. PKCS #7 padding. */
static JSValueRef cbc(const struct js_args *a)
{
    struct aes_call c;

    if (!aes_args(a, &c))
        return NULL;
    return aes_result(a, &c,
                      c.iv.n == BLOCK && aes_init(&c.aes, "CBC", c.key, c.iv) &&
                          aes_run(&c.aes, span_slice(c.data), &c.out));
}

/* kw(encrypts, key, nothing, data) → bytes. RFC 3394, with its own initial value. */
static JSValueRef kw(const struct js_args *a)
{
    struct aes_call c;

    if (!aes_args(a, &c))
        return NULL;
    return aes_result(a, &c,
                      aes_init(&c.aes, "WRAP", c.key, (struct span){0}) &&
                          aes_run(&c.aes, span_slice(c.data), &c.out));
}

typedef unsigned __int128 u128;

static u128 counter_get(const uint8_t *block, unsigned bits)
{
    u128 v = 0;

    for (int i = 0; i < BLOCK; i++)
        v = v << 8 | block[i];
    return bits == 128 ? v : v & (((u128)1 << bits) - 1);
}

/* Zeroes the counter's bits: it has passed its end. */
static void counter_clear(uint8_t *block, unsigned bits)
{
    for (int i = BLOCK - 1; i >= 0 && bits; i--) {
        const unsigned n = MIN(bits, 8);

        block[i] = (uint8_t)(block[i] & ~((1u << n) - 1));
        bits -= n;
    }
}

static bool ctr_part(struct aes_call *c, const uint8_t *block, size_t from, size_t to)
{
    uint8_t iv[BLOCK];
    bool ok;

    memcpy(iv, block, BLOCK);
    ok = aes_init(&c->aes, "CTR", c->key, (struct span){iv, BLOCK}) &&
         aes_run(&c->aes, slice_make(c->data.p + from, to - from), &c->out);
    aes_done(&c->aes);
    c->aes.ctx = NULL;
    c->aes.cipher = NULL;
    return ok;
}

/*
 * The low `bits` of the counter block count, the rest is a nonce. OpenSSL counts with all 128 bits,
 * so a text in which the counter starts anew is done in two parts.
 */
static bool ctr_run(struct aes_call *c, unsigned bits)
{
    const u128 blocks = (c->data.n + BLOCK - 1) / BLOCK;
    const u128 limit = bits == 128 ? 0 : (u128)1 << bits; /* 0: further than any text */
    const u128 left = limit - counter_get(c->iv.p, bits);
    uint8_t again[BLOCK];
    size_t cut;

    if (limit && blocks > limit)
        return false;
    if (!limit || blocks <= left)
        return ctr_part(c, c->iv.p, 0, c->data.n);
    cut = (size_t)left * BLOCK;
    memcpy(again, c->iv.p, BLOCK);
    counter_clear(again, bits);
    return ctr_part(c, c->iv.p, 0, cut) && ctr_part(c, again, cut, c->data.n);
}

/* ctr(encrypts, key, counter block, data, bits of the counter) → bytes */
static JSValueRef ctr(const struct js_args *a)
{
    struct aes_call c;
    uint32_t bits;

    if (!js_arg_u32(a, 4, &bits) || !aes_args(a, &c))
        return NULL;
    return aes_result(a, &c, c.iv.n == BLOCK && bits >= 1 && bits <= 128 && ctr_run(&c, bits));
}

/* --- derivation --- */

/* hkdf(digest, key, salt, info, n) → bytes */
static JSValueRef hkdf(const struct js_args *a)
{
    struct span key;
    struct span salt;
    struct span info;
    struct span out;
    const EVP_MD *md;
    EVP_KDF *kdf;
    EVP_KDF_CTX *ctx;
    uint32_t n;
    bool ok;

    if (!crypto__digest(a, 0, &md) || !js_arg_bytes(a, 1, &key) || !js_arg_bytes(a, 2, &salt) ||
        !js_arg_bytes(a, 3, &info) || !js_arg_u32(a, 4, &n))
        return NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)EVP_MD_get0_name(md), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.p, key.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt.p, salt.n),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.p, info.n),
        OSSL_PARAM_construct_end(),
    };
    out = (struct span){mem_new(MAX(n, 1)), n};
    kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    ok = n == 0 || (ctx && EVP_KDF_derive(ctx, out.p, n, params) == 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    if (ok)
        return js_bytes_take(a->cx, out);
    mem_free(out.p);
    return crypto__failed(a, "HKDF failed.");
}

/* pbkdf2(digest, password, salt, iterations, n) → bytes */
static JSValueRef pbkdf2(const struct js_args *a)
{
    struct span password;
    struct span salt;
    struct span out;
    const EVP_MD *md;
    uint32_t iterations;
    uint32_t n;

    if (!crypto__digest(a, 0, &md) || !js_arg_bytes(a, 1, &password) ||
        !js_arg_bytes(a, 2, &salt) || !js_arg_u32(a, 3, &iterations) || !js_arg_u32(a, 4, &n))
        return NULL;
    if (password.n > INT_MAX || salt.n > INT_MAX || iterations > INT_MAX || n > INT_MAX)
        return crypto__failed(a, "PBKDF2 failed.");
    out = (struct span){mem_new(MAX(n, 1)), n};
    if (n == 0 || PKCS5_PBKDF2_HMAC(password.n ? (const char *)password.p : "", (int)password.n,
                                    salt.p, (int)salt.n, (int)iterations, md, (int)n, out.p) == 1)
        return js_bytes_take(a->cx, out);
    mem_free(out.p);
    return crypto__failed(a, "PBKDF2 failed.");
}

const struct js_native api_crypto_natives[] = {
    {"random", 1, random_fill},
    {"uuid", 0, random_uuid},
    {"digest", 2, digest},
    {"digestOpen", 1, digest_open},
    {"digestUpdate", 2, digest_update},
    {"digestEnd", 1, digest_end},
    {"hmac", 3, hmac},
    {"equal", 2, equal},
    {"gcm", 6, gcm},
    {"cbc", 4, cbc},
    {"ctr", 5, ctr},
    {"kw", 4, kw},
    {"hkdf", 5, hkdf},
    {"pbkdf2", 5, pbkdf2},
    {0},
};
