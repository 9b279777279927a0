/*
 * native.durable: ids of Durable Objects.
 *
 *   key = SHA-256(unique key of the class)
 *   id  = 16 bytes | HMAC-SHA-256(key, those 16 bytes)[0..16]        the first 16:
 * HMAC-SHA-256(key, name)[0..16], or random
 */
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "api/api.h"
#include "api/modules.h"
#include "base/enc.h"
#include "js/native.h"

enum { HALF = 16, ID = 2 * HALF };

struct class_key {
    uint8_t p[SHA256_DIGEST_LENGTH];
};

static void mac(const struct class_key *key, struct slice of, uint8_t ret[HALF])
{
    uint8_t whole[EVP_MAX_MD_SIZE];

    (void)HMAC(EVP_sha256(), key->p, sizeof key->p, of.p, of.n, whole, NULL);
    memcpy(ret, whole, HALF);
}

/* Argument 0, the unique key. */
static bool arg_key(const struct js_args *a, struct class_key *ret)
{
    CLEANUP(js_text_done) struct js_text text = {0};

    if (!js_arg_text(a, 0, &text))
        return false;
    (void)SHA256(text.s.p, text.s.n, ret->p);
    return true;
}

static JSValueRef seal(const struct js_args *a, const struct class_key *key, uint8_t id[ID])
{
    CLEANUP(buf_done) struct buf hex;

    buf_init(&hex, 2 * ID);
    mac(key, slice_make(id, HALF), id + HALF);
    (void)enc_hex(&hex, slice_make(id, ID));
    return js_string(a->cx, buf_slice(&hex));
}

/* namedId(uniqueKey, name) → 64 hex digits */
static JSValueRef named_id(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text name = {0};
    struct class_key key;
    uint8_t id[ID];

    if (!arg_key(a, &key) || !js_arg_text(a, 1, &name))
        return NULL;
    mac(&key, name.s, id);
    return seal(a, &key, id);
}

/* randomId(uniqueKey) → 64 hex digits */
static JSValueRef random_id(const struct js_args *a)
{
    struct class_key key;
    uint8_t id[ID];

    if (!arg_key(a, &key))
        return NULL;
    if (RAND_bytes(id, HALF) != 1)
        return js_throw(a, "Error", "there is no randomness");
    return seal(a, &key, id);
}

/* checkId(uniqueKey, 64 hex digits) → whether it is one of this class */
static JSValueRef check_id(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text hex = {0};
    CLEANUP(buf_done) struct buf id;
    struct class_key key;
    uint8_t half[HALF];

    if (!arg_key(a, &key) || !js_arg_text(a, 1, &hex))
        return NULL;
    buf_init(&id, ID);
    if (enc_hex_decode(&id, hex.s) < 0 || id.n != ID)
        return js_bool(a->cx, false);
    mac(&key, slice_make(id.p, HALF), half);
    return js_bool(a->cx, memcmp(half, id.p + HALF, HALF) == 0);
}

const struct js_native api_durable_natives[] = {
    {"namedId", 2, named_id},
    {"randomId", 1, random_id},
    {"checkId", 2, check_id},
    {0},
};
