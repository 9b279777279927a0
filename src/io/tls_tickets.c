#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "io/tls_int.h"

enum { NAME = 16, KEY = 32, EPOCHS_MAX = 4096 };

void tls_seed_make(struct loop *l, struct tls_seed *ret)
{
    if (RAND_bytes(ret->secret, sizeof(ret->secret)) != 1)
        abort(); /* no randomness: nothing that TLS says would be secret */
    ret->epoch = loop_wall(l) / TLS_TICKET_MS;
}

static void derive(const uint8_t secret[KEY], const char *label, uint8_t ret[KEY])
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (!HMAC(EVP_sha256(), secret, KEY, (const uint8_t *)label, strlen(label), out, &n))
        abort(); /* out of memory */
    memcpy(ret, out, KEY);
    OPENSSL_cleanse(out, sizeof(out));
}

void tls_tickets_init(struct tls_tickets *t, const struct tls_seed *seed)
{
    memcpy(t->secret, seed->secret, KEY);
    derive(seed->secret, "before", t->before); /* of no ticket */
    t->epoch = seed->epoch;
}

void tls_tickets_turn(struct tls_tickets *t, int64_t wall_ms)
{
    const int64_t epoch = wall_ms / TLS_TICKET_MS;

    /* A clock that was set right may jump by years; siblings jump the same way. */
    for (int n = 0; t->epoch < epoch && n < EPOCHS_MAX; n++, t->epoch++) {
        memcpy(t->before, t->secret, KEY);
        derive(t->before, "next", t->secret);
    }
}

static bool is_of(const uint8_t secret[KEY], const uint8_t name[NAME])
{
    uint8_t own[KEY];

    derive(secret, "name", own);
    return CRYPTO_memcmp(own, name, NAME) == 0;
}

static bool set_keys(const uint8_t secret[KEY], const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, bool encrypt)
{
    uint8_t key[KEY], mac_key[KEY];
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    bool ok;

    derive(secret, "cipher", key);
    derive(secret, "mac", mac_key);
    ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1 &&
         EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(mac_key, sizeof(mac_key));
    return ok;
}

static int seal(const struct tls_tickets *t, uint8_t name[NAME], uint8_t *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    uint8_t own[KEY];

    derive(t->secret, "name", own);
    memcpy(name, own, NAME);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
        return -1;
    return set_keys(t->secret, iv, cipher, mac, true) ? 1 : -1;
}

int tls_tickets_key(const struct tls_tickets *t, uint8_t name[NAME], uint8_t *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    if (encrypt)
        return seal(t, name, iv, cipher, mac);
    if (is_of(t->secret, name))
        return set_keys(t->secret, iv, cipher, mac, false) ? 1 : -1;
    if (is_of(t->before, name)) /* 2: good, and the client should get a new one */
        return set_keys(t->before, iv, cipher, mac, false) ? 2 : -1;
    return 0;
}
