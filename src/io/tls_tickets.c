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

static void derive(const uint8_t secret[KEY], const char *label, uint8_t *ret, size_t n)
{
    uint8_t out[EVP_MAX_MD_SIZE];

    if (!HMAC(EVP_sha256(), secret, KEY, (const uint8_t *)label, strlen(label), out, NULL))
        abort(); /* out of memory */
    memcpy(ret, out, n);
    OPENSSL_cleanse(out, sizeof(out));
}

static void derive_keys(const uint8_t secret[KEY], struct tls_ticket_keys *ret)
{
    derive(secret, "name", ret->name, NAME);
    derive(secret, "cipher", ret->cipher, KEY);
    derive(secret, "mac", ret->mac, KEY);
}

void tls_tickets_init(struct tls_tickets *t, const struct tls_seed *seed)
{
    uint8_t none[KEY];

    memcpy(t->secret, seed->secret, KEY);
    derive_keys(t->secret, &t->keys);
    derive(t->secret, "before", none, KEY); /* of no ticket */
    derive_keys(none, &t->before);
    t->epoch = seed->epoch;
}

void tls_tickets_turn(struct tls_tickets *t, int64_t wall_ms)
{
    const int64_t epoch = wall_ms / TLS_TICKET_MS;

    /* A clock that was set right may jump by years; siblings jump the same way. */
    for (int n = 0; t->epoch < epoch && n < EPOCHS_MAX; n++, t->epoch++) {
        t->before = t->keys;
        derive(t->secret, "next", t->secret, KEY);
        derive_keys(t->secret, &t->keys);
    }
}

static bool is_of(const struct tls_ticket_keys *k, const uint8_t name[NAME])
{
    return CRYPTO_memcmp(k->name, name, NAME) == 0;
}

static bool set_keys(const struct tls_ticket_keys *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, bool encrypt)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac, KEY),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};

    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, encrypt) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(const struct tls_ticket_keys *k, uint8_t name[NAME], uint8_t *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, k->name, NAME);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
        return -1;
    return set_keys(k, iv, cipher, mac, true) ? 1 : -1;
}

int tls_tickets_key(const struct tls_tickets *t, uint8_t name[NAME], uint8_t *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
    if (encrypt)
        return seal(&t->keys, name, iv, cipher, mac);
    if (is_of(&t->keys, name))
        return set_keys(&t->keys, iv, cipher, mac, false) ? 1 : -1;
    if (is_of(&t->before, name)) /* 2: good, and the client should get a new one */
        return set_keys(&t->before, iv, cipher, mac, false) ? 2 : -1;
    return 0;
}
