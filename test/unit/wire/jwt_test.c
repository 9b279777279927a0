#include "wire/jwt.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/enc.h"
#include "lib/test.h"

enum { NOW = 1700000000 };

static struct buf text_of(struct slice s)
{
    struct buf b = {.max = 1 << 16};

    (void)buf_add(&b, s);
    return b;
}

/* A new key of OpenSSL's as PEM, private (PKCS#8) or public. */
static struct buf pem_of(EVP_PKEY *pkey, bool is_public)
{
    BIO *const bio = BIO_new(BIO_s_mem());
    struct buf out;
    char *p;
    long n;

    assert_int_equal(is_public
                         ? PEM_write_bio_PUBKEY(bio, pkey)
                         : PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL),
                     1);
    n = BIO_get_mem_data(bio, &p);
    out = text_of(slice_make(p, (size_t)n));
    (void)BIO_free(bio);
    return out;
}

static struct jwt_key *key(struct slice form, enum jwt_use use)
{
    struct err_note note = {0};
    struct jwt_key *k = NULL;

    if (jwt_key_new(form, use, &k, &note) < 0)
        fail_msg("%s", note.text);
    return k;
}

static struct buf sign(const struct jwt_key *k, struct slice iss, int64_t exp)
{
    struct buf token = {.max = JWT_MAX};

    assert_int_equal(jwt_sign(&token, k, iss, exp), 0);
    return token;
}

/* Signs with one key, verifies with the other; then with every byte changed. */
static void round_trip(struct slice private_form, struct slice public_form, const char *alg)
{
    struct jwt_key *const mine = key(private_form, JWT_SIGN);
    struct jwt_key *const theirs = key(public_form, JWT_VERIFY);
    struct buf token = sign(mine, SLICE("pushpin"), NOW + 3600);

    assert_string_equal(jwt_key_alg(mine), alg);
    assert_string_equal(jwt_key_alg(theirs), alg);
    assert_int_equal(jwt_verify(theirs, buf_slice(&token), SLICE("pushpin"), NOW), 0);
    assert_int_equal(jwt_verify(theirs, buf_slice(&token), SLICE_NONE, NOW + 3599), 0);
    assert_int_equal(jwt_verify(theirs, buf_slice(&token), SLICE_NONE, NOW + 3600), -ERR_TIMEOUT);
    assert_int_equal(jwt_verify(theirs, buf_slice(&token), SLICE("other"), NOW), -ERR_DENIED);
    for (size_t i = 0; i < token.n; i += 7) {
        token.p[i] ^= 1;
        assert_true(jwt_verify(theirs, buf_slice(&token), SLICE_NONE, NOW) < 0);
        token.p[i] ^= 1;
        assert_true(jwt_verify(theirs, slice_sub(buf_slice(&token), 0, i), SLICE_NONE, NOW) < 0);
    }
    buf_done(&token);
    jwt_key_free(mine);
    jwt_key_free(theirs);
}

static void round_trip_pem(EVP_PKEY *take_pkey, const char *alg)
{
    struct buf private = pem_of(take_pkey, false), public = pem_of(take_pkey, true);

    round_trip(buf_slice(&private), buf_slice(&public), alg);
    round_trip(buf_slice(&private), buf_slice(&private), alg);
    buf_done(&private);
    buf_done(&public);
    EVP_PKEY_free(take_pkey);
}

TEST(secrets)
{
    round_trip(SLICE("changeme"), SLICE("changeme"), "HS256");
    round_trip(SLICE("base64:Y2hhbmdlbWU="), SLICE("changeme"), "HS256");
}

TEST(elliptic_curves)
{
    round_trip_pem(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), "ES256");
}

TEST(rsa)
{
    round_trip_pem(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), "RS256");
}

TEST(ed25519)
{
    round_trip_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "EdDSA");
}

TEST(the_token_is_pushpin_s)
{
    struct jwt_key *const k = key(SLICE("changeme"), JWT_SIGN);
    struct buf token = sign(k, SLICE("pushpin"), 1795248528), text = {.max = 200};
    struct slice rest = buf_slice(&token), part = SLICE_NONE;

    (void)slice_split(&rest, '.', &part);
    assert_int_equal(enc_base64_decode(&text, part, ENC_BASE64_URL), 0);
    assert_true(slice_eq(buf_slice(&text), SLICE("{\"typ\":\"JWT\",\"alg\":\"HS256\"}")));
    (void)slice_split(&rest, '.', &part);
    buf_clear(&text);
    assert_int_equal(enc_base64_decode(&text, part, ENC_BASE64_URL), 0);
    assert_true(slice_eq(buf_slice(&text), SLICE("{\"exp\":1795248528,\"iss\":\"pushpin\"}")));
    buf_done(&text);
    buf_done(&token);
    jwt_key_free(k);
}

/* RFC 7515 A.1 and A.3. */
#define CLAIMS                                                                                     \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV"  \
    "lfQ."

TEST(examples_of_the_rfc)
{
    struct jwt_key *k =
        key(SLICE("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                  "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}"),
            JWT_VERIFY);

    assert_int_equal(jwt_verify(k,
                                SLICE("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." CLAIMS
                                      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
                                SLICE("joe"), 1300819379),
                     0);
    jwt_key_free(k);
    k = key(SLICE("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9u"
                  "PHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"),
            JWT_VERIFY);
    assert_int_equal(
        jwt_verify(k,
                   SLICE("eyJhbGciOiJFUzI1NiJ9." CLAIMS
                         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT"
                         "UJqPP3-Kg6NU1Q"),
                   SLICE("joe"), 1300819379),
        0);
    jwt_key_free(k);
}

static void put_number(struct buf *out, const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *n = NULL;
    uint8_t bytes[512];

    assert_int_equal(EVP_PKEY_get_bn_param(pkey, name, &n), 1);
    assert_int_equal(
        enc_base64(out, slice_make(bytes, (size_t)BN_bn2bin(n, bytes)), ENC_BASE64_URL), 0);
    BN_free(n);
}

TEST(public_jwks)
{
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    struct buf pem = pem_of(pkey, false), jwk = {.max = 4096};
    uint8_t raw[32];
    size_t n = sizeof(raw);

    (void)buf_addf(&jwk, "{\"kty\":\"RSA\",\"n\":\"");
    put_number(&jwk, pkey, OSSL_PKEY_PARAM_RSA_N);
    (void)buf_addf(&jwk, "\",\"e\":\"AQAB\"}");
    round_trip(buf_slice(&pem), buf_slice(&jwk), "RS256");
    buf_done(&pem);
    EVP_PKEY_free(pkey);

    pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    pem = pem_of(pkey, false);
    assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &n), 1);
    buf_clear(&jwk);
    (void)buf_addf(&jwk, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
    (void)enc_base64(&jwk, slice_make(raw, n), ENC_BASE64_URL);
    (void)buf_addf(&jwk, "\"}");
    round_trip(buf_slice(&pem), buf_slice(&jwk), "EdDSA");
    buf_done(&pem);
    buf_done(&jwk);
    EVP_PKEY_free(pkey);
}

TEST(a_public_key_is_no_secret)
{
    EVP_PKEY *const pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct buf public = pem_of(pkey, true), token = {.max = JWT_MAX};
    struct jwt_key *const theirs = key(buf_slice(&public), JWT_VERIFY);
    struct jwt_key *const mine = key(SLICE("secret"), JWT_SIGN);

    assert_int_equal(jwt_sign(&token, mine, SLICE("x"), NOW + 1), 0);
    assert_int_equal(jwt_verify(theirs, buf_slice(&token), SLICE_NONE, NOW), -ERR_DENIED);
    buf_done(&public);
    buf_done(&token);
    jwt_key_free(mine);
    jwt_key_free(theirs);
    EVP_PKEY_free(pkey);
}

/* A token with any header and claims, signed with the secret "s". */
static int verify_signed(const char *header, const char *claims)
{
    struct jwt_key *const k = key(SLICE("s"), JWT_VERIFY);
    struct buf token = {.max = JWT_MAX};
    uint8_t mac[32];
    size_t n = 0;
    int r;

    (void)enc_base64(&token, slice_str(header), ENC_BASE64_URL);
    (void)buf_add_byte(&token, '.');
    (void)enc_base64(&token, slice_str(claims), ENC_BASE64_URL);
    assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, "s", 1, token.p, token.n, mac,
                              sizeof(mac), &n));
    (void)buf_add_byte(&token, '.');
    (void)enc_base64(&token, slice_make(mac, n), ENC_BASE64_URL);
    r = jwt_verify(k, buf_slice(&token), SLICE_NONE, NOW);
    buf_done(&token);
    jwt_key_free(k);
    return r;
}

TEST(claims_and_headers)
{
    assert_int_equal(verify_signed("{\"alg\":\"HS256\"}", "{\"exp\":1700000001}"), 0);
    assert_int_equal(verify_signed("{\"alg\":\"HS256\"}", "{\"exp\":1700000000.5}"), 0);
    assert_int_equal(verify_signed("{\"alg\":\"HS256\"}", "{}"), -ERR_TIMEOUT);
    assert_int_equal(verify_signed("{\"alg\":\"HS256\"}", "{\"exp\":\"1700000001\"}"),
                     -ERR_TIMEOUT);
    assert_int_equal(verify_signed("{\"alg\":\"none\"}", "{\"exp\":1700000001}"), -ERR_DENIED);
    assert_int_equal(verify_signed("{\"alg\":\"ES256\"}", "{\"exp\":1700000001}"), -ERR_DENIED);
    assert_int_equal(verify_signed("{}", "{\"exp\":1700000001}"), -ERR_DENIED);
    assert_int_equal(verify_signed("{\"alg\":\"HS256\",\"crit\":[\"x\"]}", "{\"exp\":1700000001}"),
                     -ERR_DENIED);
    assert_int_equal(verify_signed("[]", "{}"), -ERR_SYNTAX);
    assert_int_equal(verify_signed("{\"alg\":\"HS256\"}", "5"), -ERR_SYNTAX);
}

TEST(no_tokens)
{
    struct jwt_key *const k = key(SLICE("s"), JWT_VERIFY);

    assert_int_equal(jwt_verify(k, SLICE(""), SLICE_NONE, NOW), -ERR_SYNTAX);
    assert_int_equal(jwt_verify(k, SLICE(".."), SLICE_NONE, NOW), -ERR_SYNTAX);
    assert_int_equal(jwt_verify(k, SLICE("a.b"), SLICE_NONE, NOW), -ERR_SYNTAX);
    assert_int_equal(jwt_verify(k, SLICE("e30.e30.!"), SLICE_NONE, NOW), -ERR_SYNTAX);
    assert_int_equal(jwt_verify(k, SLICE("e30.e30.e30.e30"), SLICE_NONE, NOW), -ERR_SYNTAX);
    assert_int_equal(jwt_verify(k, SLICE("e30.e30."), SLICE_NONE, NOW), -ERR_DENIED);
    jwt_key_free(k);
}

TEST(a_token_fits_or_is_not_there)
{
    struct jwt_key *const k = key(SLICE("s"), JWT_SIGN);

    for (size_t max = 0; max < 130; max++) {
        struct buf out;

        buf_init(&out, max);
        if (jwt_sign(&out, k, SLICE("pushpin"), NOW) < 0)
            assert_int_equal(out.n, 0);
        else
            assert_true(out.n > 100);
        buf_done(&out);
    }
    jwt_key_free(k);
}

static void refuse(struct slice form, enum jwt_use use, const char *text)
{
    struct err_note note = {0};
    struct jwt_key *k = NULL;

    assert_int_equal(jwt_key_new(form, use, &k, &note), -ERR_CONFIG);
    assert_string_equal(note.text, text);
    assert_null(k);
}

TEST(keys_that_cannot_be_used)
{
    EVP_PKEY *const ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *const p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    struct buf public = pem_of(ec, true), other = pem_of(p384, false);

    refuse(SLICE(""), JWT_SIGN, "the key is empty");
    refuse(SLICE("base64:"), JWT_SIGN, "the key is empty");
    refuse(SLICE("base64:***"), JWT_SIGN, "the key is not base64");
    refuse(SLICE("file:x"), JWT_SIGN, "a key of a file is needed here as the file's contents");
    refuse(SLICE("-----BEGIN nothing"), JWT_SIGN, "the PEM holds no private key without password");
    refuse(SLICE("-----BEGIN nothing"), JWT_VERIFY, "the PEM holds no key");
    refuse(buf_slice(&public), JWT_SIGN, "the PEM holds no private key without password");
    refuse(buf_slice(&other), JWT_SIGN,
           "the key is none of RSA (2048 to 8192 bits), EC P-256 and Ed25519");
    refuse(SLICE("{}"), JWT_VERIFY, "the JWK is malformed, or of a kind that is not supported");
    refuse(SLICE("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}"), JWT_VERIFY,
           "the JWK is malformed, or of a kind that is not supported");
    refuse(SLICE("{}"), JWT_SIGN,
           "a JWK signs only when it is a secret (\"kty\": \"oct\"); use a PEM");
    buf_done(&public);
    buf_done(&other);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(p384);
}

TEST(files_hold_pem_jwk_or_hex)
{
    EVP_PKEY *const ec = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    struct buf pem = pem_of(ec, false), token;
    struct jwt_key *k = NULL, *same = key(SLICE("changeme"), JWT_VERIFY);
    struct slice path;

    assert_true(jwt_key_is_file(SLICE("file:/etc/key"), &path) &&
                slice_eq(path, SLICE("/etc/key")));
    assert_false(jwt_key_is_file(SLICE("base64:x"), &path));
    assert_int_equal(jwt_key_new_file(SLICE(" 6368616e67656d65\n"), JWT_SIGN, &k, NULL), 0);
    token = sign(k, SLICE_NONE, NOW + 1);
    assert_int_equal(jwt_verify(same, buf_slice(&token), SLICE_NONE, NOW), 0);
    buf_done(&token);
    jwt_key_free(k);
    assert_int_equal(jwt_key_new_file(buf_slice(&pem), JWT_SIGN, &k, NULL), 0);
    assert_string_equal(jwt_key_alg(k), "ES256");
    jwt_key_free(k);
    assert_int_equal(jwt_key_new_file(SLICE("changeme"), JWT_SIGN, &k, NULL), -ERR_CONFIG);
    assert_int_equal(jwt_key_new_file(SLICE("\n"), JWT_SIGN, &k, NULL), -ERR_CONFIG);
    jwt_key_free(same);
    buf_done(&pem);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets),
        cmocka_unit_test(elliptic_curves),
        cmocka_unit_test(rsa),
        cmocka_unit_test(ed25519),
        cmocka_unit_test(the_token_is_pushpin_s),
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(public_jwks),
        cmocka_unit_test(a_public_key_is_no_secret),
        cmocka_unit_test(claims_and_headers),
        cmocka_unit_test(no_tokens),
        cmocka_unit_test(a_token_fits_or_is_not_there),
        cmocka_unit_test(keys_that_cannot_be_used),
        cmocka_unit_test(files_hold_pem_jwk_or_hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
