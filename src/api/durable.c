/*
 * native.durable: ids of Durable Objects.
 *
 *   key = SHA-256(unique key of the class)
 *   id  = 16 bytes | HMAC-SHA-256(key, those 16 bytes)[0..16]        the first 16:
 * HMAC-SHA-256(key, name)[0..16], or random
 */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "api/api.h"
#include "api/modules.h"
#include "base/enc.h"
#include "js/native.h"

enum { HALF = 16, ID = 2 * HALF };

/* A class's key is a MAC that was given it: the library spends more on finding the algorithm than
 * on one. */
static void key_free(void *body)
{
    EVP_MAC_CTX_free(body);
}

static const struct js_kind key_kind = {"class key", key_free};

/* key(uniqueKey) → the handle that the others take */
static JSValueRef class_key(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };
    uint8_t key[SHA256_DIGEST_LENGTH];
    EVP_MAC *hmac;
    EVP_MAC_CTX *c;

    if (!js_arg_text(a, 0, &text))
        return NULL;
    (void)SHA256(text.s.p, text.s.n, key);
    hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    c = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    if (!c || EVP_MAC_init(c, key, sizeof(key), params) != 1) {
        EVP_MAC_CTX_free(c);
        return js_throw(a, "Error", "there is no HMAC-SHA-256");
    }
    return js_handle(a->vm, &key_kind, c);
}

static void mac(EVP_MAC_CTX *key, struct slice of, uint8_t ret[HALF])
{
    uint8_t whole[SHA256_DIGEST_LENGTH] = {0};
    const bool ok = EVP_MAC_init(key, NULL, 0, NULL) == 1 && EVP_MAC_update(key, of.p, of.n) == 1 &&
                    EVP_MAC_final(key, whole, NULL, sizeof(whole)) == 1;

    assert(ok); /* it has its key, and needs nothing else */
    (void)ok;
    memcpy(ret, whole, HALF);
}

static JSValueRef seal(const struct js_args *a, EVP_MAC_CTX *key, uint8_t id[ID])
{
    CLEANUP(buf_done) struct buf hex;

    buf_init(&hex, 2 * ID);
    mac(key, slice_make(id, HALF), id + HALF);
    (void)enc_hex(&hex, slice_make(id, ID));
    return js_string(a->cx, buf_slice(&hex));
}

/* namedId(key, name) → 64 hex digits */
static JSValueRef named_id(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text name = {0};
    EVP_MAC_CTX *key = js_arg_handle(a, 0, &key_kind);
    uint8_t id[ID];

    if (!key || !js_arg_text(a, 1, &name))
        return NULL;
    mac(key, name.s, id);
    return seal(a, key, id);
}

/* randomId(key) → 64 hex digits */
static JSValueRef random_id(const struct js_args *a)
{
    EVP_MAC_CTX *key = js_arg_handle(a, 0, &key_kind);
    uint8_t id[ID];

    if (!key)
        return NULL;
    if (RAND_bytes(id, HALF) != 1)
        return js_throw(a, "Error", "there is no randomness");
    return seal(a, key, id);
}

/* checkId(key, 64 hex digits) → whether it is one of this class */
static JSValueRef check_id(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text hex = {0};
    CLEANUP(buf_done) struct buf id;
    EVP_MAC_CTX *key = js_arg_handle(a, 0, &key_kind);
    uint8_t half[HALF];

    buf_init(&id, ID);
    if (!key || !js_arg_text(a, 1, &hex))
        return NULL;
    if (enc_hex_decode(&id, hex.s) < 0 || id.n != ID)
        return js_bool(a->cx, false);
    mac(key, slice_make(id.p, HALF), half);
    return js_bool(a->cx, memcmp(half, id.p + HALF, HALF) == 0);
}

const struct js_native api_durable_natives[] = {
    {"key", 1, class_key},
    {"namedId", 2, named_id},
    {"randomId", 1, random_id},
    {"checkId", 2, check_id},
    {0},
};
