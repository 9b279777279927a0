/*
 * Key pairs for crypto_key.js: RSA, EC on the NIST curves, Ed25519, X25519.
 *
 * In JavaScript a key is its DER: PKCS #8 for a private one, SubjectPublicKeyInfo for a public one
 * (RFC 5958, RFC 5280). Each call parses what it gets; that is little beside what it then does.
 */
#include <limits.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "api/api.h"
#include "api/crypto_int.h"
#include "api/modules.h"

enum {
    RSA_MIN_BITS = 256,
    COMPONENT_MAX = 4096, /* bytes: RSA of 16,384 bits has 2,048 */
    SIGNATURE_MAX = 160,  /* an ECDSA signature in DER: two numbers of 67 bytes and their heads */
};

static void pkey_done(EVP_PKEY **k)
{
    EVP_PKEY_free(*k);
}

static void pkey_ctx_done(EVP_PKEY_CTX **c)
{
    EVP_PKEY_CTX_free(*c);
}

static void md_ctx_done(EVP_MD_CTX **c)
{
    EVP_MD_CTX_free(*c);
}

static void bn_done(BIGNUM **n)
{
    BN_clear_free(*n);
}

#define PKEY CLEANUP(pkey_done) EVP_PKEY *
#define PKEY_CTX CLEANUP(pkey_ctx_done) EVP_PKEY_CTX *
#define MD_CTX CLEANUP(md_ctx_done) EVP_MD_CTX *
#define NUMBER CLEANUP(bn_done) BIGNUM *

/* --- DER --- */

static EVP_PKEY *parse_private(struct span der)
{
    const uint8_t *p = der.p;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
    EVP_PKEY *k = info && p == der.p + der.n ? EVP_PKCS82PKEY(info) : NULL;

    PKCS8_PRIV_KEY_INFO_free(info);
    return k;
}

static EVP_PKEY *parse_public(struct span der)
{
    const uint8_t *p = der.p;
    EVP_PKEY *k = d2i_PUBKEY(NULL, &p, (long)der.n);

    if (k && p != der.p + der.n) {
        EVP_PKEY_free(k);
        return NULL;
    }
    return k;
}

/* NULL after throwing a DataError. */
static EVP_PKEY *arg_key(const struct js_args *a, size_t i, bool is_private)
{
    struct span der;
    EVP_PKEY *k;

    if (!js_arg_bytes(a, i, &der))
        return NULL;
    k = is_private ? parse_private(der) : parse_public(der);
    if (!k) {
        ERR_clear_error();
        js_throw(a, "DataError", "Invalid key data.");
    }
    return k;
}

/* Bytes that OpenSSL allocated, as a Uint8Array; n < 0: its failure. */
static JSValueRef der_value(const struct js_args *a, uint8_t *take_p, int n)
{
    JSValueRef v = n < 0 ? crypto__failed(a, "The key cannot be encoded.")
                         : js_bytes(a->cx, slice_make(take_p, (size_t)n));

    if (n > 0)
        OPENSSL_clear_free(take_p, (size_t)n);
    return v;
}

static JSValueRef private_der(const struct js_args *a, const EVP_PKEY *k)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k);
    uint8_t *p = NULL;
    const int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &p) : -1;

    PKCS8_PRIV_KEY_INFO_free(info);
    return der_value(a, p, n);
}

static JSValueRef public_der(const struct js_args *a, const EVP_PKEY *k)
{
    uint8_t *p = NULL;
    const int n = i2d_PUBKEY(k, &p);

    return der_value(a, p, n);
}

/* publicOf(private DER) → public DER */
static JSValueRef public_of(const struct js_args *a)
{
    PKEY k = arg_key(a, 0, true);

    return k ? public_der(a, k) : NULL;
}

/* --- kinds and components --- */

static const struct curve {
    const char *name; /* Web Crypto's */
    const char *group;
    size_t bytes; /* of a coordinate */
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

static const struct curve *curve_of(const EVP_PKEY *k)
{
    char group[64];

    if (EVP_PKEY_get_utf8_string_param(k, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group), NULL) !=
        1)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (strcmp(curves[i].group, group) == 0)
            return &curves[i];
    return NULL;
}

static const struct curve *curve_named(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (slice_eq(slice_str(curves[i].name), name))
            return &curves[i];
    return NULL;
}

static void set_text(const struct js_args *a, JSObjectRef o, const char *name, const char *text)
{
    js_set(a->cx, o, name, js_string(a->cx, slice_str(text)));
}

/* A big number of the key as big-endian bytes, at least `bytes`; nothing when it has none. */
static void set_number(const struct js_args *a, JSObjectRef o, const char *name, const EVP_PKEY *k,
                       const char *param, size_t bytes)
{
    uint8_t out[COMPONENT_MAX];
    BIGNUM *got = NULL;
    size_t n;

    if (EVP_PKEY_get_bn_param(k, param, &got) != 1)
        return;
    n = MAX((size_t)BN_num_bytes(got), MAX(bytes, 1));
    if (n <= sizeof(out) && BN_bn2binpad(got, out, (int)n) >= 0)
        js_set(a->cx, o, name, js_bytes(a->cx, slice_make(out, n)));
    BN_clear_free(got);
    OPENSSL_cleanse(out, MIN(n, sizeof(out)));
}

static void set_rsa(const struct js_args *a, JSObjectRef o, const EVP_PKEY *k, bool is_private)
{
    static const struct {
        const char *name;
        const char *param;
    } parts[] = {
        {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
        {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
        {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
        {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
    };

    set_text(a, o, "kind", "RSA");
    js_set(a->cx, o, "bits", js_number(a->cx, EVP_PKEY_get_bits(k)));
    for (size_t i = 0; i < (is_private ? COUNT_OF(parts) : 2); i++)
        set_number(a, o, parts[i].name, k, parts[i].param, 0);
}

static bool set_ec(const struct js_args *a, JSObjectRef o, const EVP_PKEY *k, bool is_private)
{
    const struct curve *c = curve_of(k);

    if (!c)
        return false;
    set_text(a, o, "kind", "EC");
    set_text(a, o, "curve", c->name);
    set_number(a, o, "x", k, OSSL_PKEY_PARAM_EC_PUB_X, c->bytes);
    set_number(a, o, "y", k, OSSL_PKEY_PARAM_EC_PUB_Y, c->bytes);
    if (is_private)
        set_number(a, o, "d", k, OSSL_PKEY_PARAM_PRIV_KEY, c->bytes);
    return true;
}

static void set_raw(const struct js_args *a, JSObjectRef o, const EVP_PKEY *k, const char *kind,
                    bool is_private)
{
    uint8_t out[64];
    size_t n = sizeof(out);

    set_text(a, o, "kind", kind);
    if (EVP_PKEY_get_raw_public_key(k, out, &n) == 1)
        js_set(a->cx, o, "x", js_bytes(a->cx, slice_make(out, n)));
    n = sizeof(out);
    if (is_private && EVP_PKEY_get_raw_private_key(k, out, &n) == 1)
        js_set(a->cx, o, "d", js_bytes(a->cx, slice_make(out, n)));
    OPENSSL_cleanse(out, sizeof(out));
}

/*
 * describe(DER, is private) → { kind: 'RSA', bits, n, e, d… } | { kind: 'EC', curve, x, y, d } |
 * { kind: 'Ed25519' or 'X25519', x, d }: the components of RFC 7518 and 8037 as bytes. DataError
 * for DER that is no such key.
 */
static JSValueRef describe(const struct js_args *a)
{
    const bool is_private = js_arg_bool(a, 1);
    PKEY k = arg_key(a, 0, is_private);
    JSObjectRef o;
    bool known = true;

    if (!k)
        return NULL;
    o = js_object(a->cx);
    switch (EVP_PKEY_get_base_id(k)) {
    case EVP_PKEY_RSA:
        set_rsa(a, o, k, is_private);
        break;
    case EVP_PKEY_EC:
        known = set_ec(a, o, k, is_private);
        break;
    case EVP_PKEY_ED25519:
        set_raw(a, o, k, "Ed25519", is_private);
        break;
    case EVP_PKEY_X25519:
        set_raw(a, o, k, "X25519", is_private);
        break;
    default:
        known = false;
    }
    ERR_clear_error();
    return known ? o : js_throw(a, "DataError", "Invalid key data.");
}

/* --- making keys --- */

static EVP_PKEY *generate_rsa(uint32_t bits, struct span exponent)
{
    PKEY_CTX ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    NUMBER e = BN_bin2bn(exponent.p, (int)exponent.n, NULL);
    EVP_PKEY *k = NULL;

    if (ctx && e && EVP_PKEY_keygen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, (int)bits) == 1 &&
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) == 1)
        (void)EVP_PKEY_generate(ctx, &k);
    return k;
}

static EVP_PKEY *generate_named(struct slice name)
{
    const struct curve *c = curve_named(name);

    if (c)
        return EVP_EC_gen(c->group);
    if (slice_eq(name, SLICE("Ed25519")))
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return slice_eq(name, SLICE("X25519")) ? EVP_PKEY_Q_keygen(NULL, NULL, "X25519") : NULL;
}

/* generate('RSA', bits, exponent) or generate(a curve, 'Ed25519', 'X25519') → private DER */
static JSValueRef generate(const struct js_args *a)
{
    struct js_text name;
    struct span exponent;
    uint32_t bits;
    PKEY k = NULL;

    if (!js_arg_text(a, 0, &name))
        return NULL;
    if (!slice_eq(name.s, SLICE("RSA")))
        k = generate_named(name.s);
    else if (js_arg_u32(a, 1, &bits) && js_arg_bytes(a, 2, &exponent) && exponent.n < 64)
        k = generate_rsa(bits, exponent);
    js_text_done(&name);
    return k ? private_der(a, k) : crypto__failed(a, "The key cannot be generated.");
}

/* A component of the object in argument 1 as a big number; NULL when it has none. */
static BIGNUM *component(const struct js_args *a, const char *name)
{
    JSValueRef v = js_get(a->cx, a->v[1], name);
    struct span s;

    if (!v || !js_bytes_get(a->cx, v, &s) || s.n > COMPONENT_MAX)
        return NULL;
    return BN_bin2bn(s.p, (int)s.n, NULL);
}

static EVP_PKEY *from_params(const char *type, bool is_private, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    PKEY_CTX ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *k = NULL;

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &k, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                                params);
    OSSL_PARAM_free(params);
    return k;
}

static EVP_PKEY *assemble_rsa(const struct js_args *a, bool is_private)
{
    static const char *const names[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
    static const char *const params[] = {
        OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };
    const size_t n = is_private ? COUNT_OF(names) : 2;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *numbers[COUNT_OF(names)] = {0};
    EVP_PKEY *k = NULL;
    bool ok = build != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        numbers[i] = component(a, names[i]);
        ok = numbers[i] && OSSL_PARAM_BLD_push_BN(build, params[i], numbers[i]) == 1;
    }
    if (ok && BN_num_bits(numbers[0]) >= RSA_MIN_BITS)
        k = from_params("RSA", is_private, build);
    for (size_t i = 0; i < n; i++)
        BN_clear_free(numbers[i]);
    OSSL_PARAM_BLD_free(build);
    return k;
}

/* SEC 1 2.3.3: 4, x, y. */
static bool point_of(const struct js_args *a, const struct curve *c, uint8_t *ret_point)
{
    NUMBER x = component(a, "x");
    NUMBER y = component(a, "y");

    ret_point[0] = POINT_CONVERSION_UNCOMPRESSED;
    return x && y && BN_bn2binpad(x, ret_point + 1, (int)c->bytes) >= 0 &&
           BN_bn2binpad(y, ret_point + 1 + c->bytes, (int)c->bytes) >= 0;
}

static bool is_sound(EVP_PKEY *k, bool is_private)
{
    PKEY_CTX ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL);

    return ctx && (is_private ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check(ctx)) == 1;
}

static EVP_PKEY *assemble_ec(const struct js_args *a, const struct curve *c, bool is_private)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    NUMBER d = is_private ? component(a, "d") : NULL;
    uint8_t point[1 + 2 * 66];
    EVP_PKEY *k = NULL;

    if (build && point_of(a, c, point) && (!is_private || d) &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->bytes) ==
            1 &&
        (!d || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1))
        k = from_params("EC", is_private, build);
    OSSL_PARAM_BLD_free(build);
    if (k && !is_sound(k, is_private)) {
        EVP_PKEY_free(k);
        return NULL;
    }
    return k;
}

/* RFC 8032 and 7748 keys are their bytes. A private one that comes with a public one fits it. */
static EVP_PKEY *assemble_raw(const struct js_args *a, const char *type, bool is_private)
{
    JSValueRef v = js_get(a->cx, a->v[1], is_private ? "d" : "x");
    JSValueRef x = js_get(a->cx, a->v[1], "x");
    uint8_t own[64];
    size_t n = sizeof(own);
    struct span s;
    EVP_PKEY *k;

    if (!v || !js_bytes_get(a->cx, v, &s))
        return NULL;
    k = is_private ? EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, s.p, s.n)
                   : EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, s.p, s.n);
    if (k && x && js_bytes_get(a->cx, x, &s) &&
        (EVP_PKEY_get_raw_public_key(k, own, &n) != 1 || n != s.n || memcmp(own, s.p, n) != 0)) {
        EVP_PKEY_free(k);
        return NULL;
    }
    return k;
}

/* assemble(kind or curve, components as of describe, is private) → DER. DataError when they do not
 * fit. */
static JSValueRef assemble(const struct js_args *a)
{
    const bool is_private = js_arg_bool(a, 2);
    const struct curve *c;
    struct js_text kind;
    PKEY k = NULL;

    if (!js_arg_text(a, 0, &kind))
        return NULL;
    if (slice_eq(kind.s, SLICE("RSA")))
        k = assemble_rsa(a, is_private);
    else if (slice_eq(kind.s, SLICE("Ed25519")) || slice_eq(kind.s, SLICE("X25519")))
        k = assemble_raw(a, (const char *)kind.s.p, is_private);
    else if ((c = curve_named(kind.s)) != NULL)
        k = assemble_ec(a, c, is_private);
    js_text_done(&kind);
    ERR_clear_error();
    if (!k)
        return js_throw(a, "DataError", "Invalid key data.");
    return is_private ? private_der(a, k) : public_der(a, k);
}

/* --- signatures --- */

/* The scheme of arguments 2…: 'PKCS1' or 'PSS' (RSA), 'ECDSA', 'EdDSA'; digest; bytes of salt. */
struct scheme {
    const EVP_MD *md; /* NULL for EdDSA */
    bool pss;
    bool ecdsa;
    uint32_t salt;
};

static bool arg_scheme(const struct js_args *a, struct scheme *ret)
{
    struct js_text name;
    bool eddsa;

    if (!js_arg_text(a, 2, &name))
        return false;
    *ret = (struct scheme){.pss = slice_eq(name.s, SLICE("PSS")),
                           .ecdsa = slice_eq(name.s, SLICE("ECDSA"))};
    eddsa = slice_eq(name.s, SLICE("EdDSA"));
    js_text_done(&name);
    if (eddsa)
        return true;
    return crypto__digest(a, 3, &ret->md) && (!ret->pss || js_arg_u32(a, 4, &ret->salt));
}

static bool set_padding(EVP_PKEY_CTX *ctx, const struct scheme *s)
{
    if (!s->pss)
        return true;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)s->salt) == 1;
}

/* Web Crypto writes an ECDSA signature as r and s, each as long as the group's order. */
static size_t order_bytes(const EVP_PKEY *k)
{
    const struct curve *c = curve_of(k);

    return c ? c->bytes : 0;
}

static JSValueRef plain_signature(const struct js_args *a, const EVP_PKEY *k, struct slice der)
{
    const size_t n = order_bytes(k);
    const uint8_t *p = der.p;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    uint8_t out[2 * 66];
    const bool ok = sig && n && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)n) >= 0 &&
                    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + n, (int)n) >= 0;

    ECDSA_SIG_free(sig);
    return ok ? js_bytes(a->cx, slice_make(out, 2 * n)) : crypto__failed(a, "Signing failed.");
}

/* Its DER form, at most SIGNATURE_MAX bytes at ret; 0 when the plain one has the wrong length. */
static size_t der_signature(const EVP_PKEY *k, struct span plain, uint8_t *ret)
{
    const size_t n = order_bytes(k);
    ECDSA_SIG *sig;
    int size = 0;

    if (n == 0 || plain.n != 2 * n)
        return 0;
    sig = ECDSA_SIG_new();
    if (sig && ECDSA_SIG_set0(sig, BN_bin2bn(plain.p, (int)n, NULL),
                              BN_bin2bn(plain.p + n, (int)n, NULL)) == 1)
        size = i2d_ECDSA_SIG(sig, &ret);
    ECDSA_SIG_free(sig);
    return (size_t)MAX(size, 0);
}

/* sign(private DER, data, scheme, digest, salt) → bytes */
static JSValueRef sign(const struct js_args *a)
{
    PKEY k = arg_key(a, 0, true);
    MD_CTX ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL; /* ctx's */
    uint8_t out[COMPONENT_MAX];
    size_t n = sizeof(out);
    struct scheme s;
    struct span data;

    if (!k || !js_arg_bytes(a, 1, &data) || !arg_scheme(a, &s))
        return NULL;
    if (!ctx || EVP_DigestSignInit(ctx, &pctx, s.md, NULL, k) != 1 || !set_padding(pctx, &s) ||
        EVP_DigestSign(ctx, out, &n, data.p, data.n) != 1)
        return crypto__failed(a, "Signing failed.");
    return s.ecdsa ? plain_signature(a, k, slice_make(out, n))
                   : js_bytes(a->cx, slice_make(out, n));
}

/* verify(public DER, data, scheme, digest, salt, signature) → boolean */
static JSValueRef verify(const struct js_args *a)
{
    PKEY k = arg_key(a, 0, false);
    MD_CTX ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL; /* ctx's */
    uint8_t der[SIGNATURE_MAX];
    struct span signature;
    struct scheme s;
    struct span data;
    bool ok;

    if (!k || !js_arg_bytes(a, 1, &data) || !arg_scheme(a, &s) || !js_arg_bytes(a, 5, &signature))
        return NULL;
    if (s.ecdsa) {
        signature.n = der_signature(k, signature, der);
        signature.p = der;
    }
    ok = ctx && signature.n && EVP_DigestVerifyInit(ctx, &pctx, s.md, NULL, k) == 1 &&
         set_padding(pctx, &s) &&
         EVP_DigestVerify(ctx, signature.p, signature.n, data.p, data.n) == 1;
    ERR_clear_error();
    return js_bool(a->cx, ok);
}

/* --- encryption and agreement --- */

static bool set_oaep(EVP_PKEY_CTX *ctx, const EVP_MD *md, struct span label)
{
    void *copy = label.n ? OPENSSL_memdup(label.p, label.n) : NULL;

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
        (!copy || EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.n) == 1))
        return true;
    OPENSSL_free(copy);
    return false;
}

/* oaep(encrypts, DER (public to encrypt), digest, label, data) → bytes */
static JSValueRef oaep(const struct js_args *a)
{
    const bool encrypts = js_arg_bool(a, 0);
    PKEY k = arg_key(a, 1, !encrypts);
    PKEY_CTX ctx = k ? EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL) : NULL;
    uint8_t out[COMPONENT_MAX];
    size_t n = sizeof(out);
    const EVP_MD *md;
    struct span label;
    struct span data;
    bool ok;

    if (!k || !crypto__digest(a, 2, &md) || !js_arg_bytes(a, 3, &label) ||
        !js_arg_bytes(a, 4, &data))
        return NULL;
    ok = ctx && (encrypts ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) == 1 &&
         set_oaep(ctx, md, label) &&
         (encrypts ? EVP_PKEY_encrypt(ctx, out, &n, data.p, data.n)
                   : EVP_PKEY_decrypt(ctx, out, &n, data.p, data.n)) == 1;
    return ok ? js_bytes(a->cx, slice_make(out, n))
              : crypto__failed(a, encrypts ? "Encryption failed." : "Decryption failed.");
}

/* agree(private DER, public DER) → the shared secret of ECDH or X25519 */
static JSValueRef agree(const struct js_args *a)
{
    PKEY k = arg_key(a, 0, true);
    PKEY peer = k ? arg_key(a, 1, false) : NULL;
    PKEY_CTX ctx = peer ? EVP_PKEY_CTX_new_from_pkey(NULL, k, NULL) : NULL;
    uint8_t out[66];
    size_t n = sizeof(out);

    if (!peer)
        return NULL;
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
        EVP_PKEY_derive(ctx, out, &n) != 1)
        return crypto__failed(a, "Key agreement failed.");
    return js_bytes(a->cx, slice_make(out, n));
}

const struct js_native api_crypto_key_natives[] = {
    {"publicOf", 1, public_of}, {"describe", 2, describe}, {"generate", 1, generate},
    {"assemble", 3, assemble},  {"sign", 4, sign},         {"verify", 6, verify},
    {"oaep", 5, oaep},          {"agree", 2, agree},       {0},
};
