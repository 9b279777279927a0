/* What the files of TLS share: certificates (tls_certs.c), tickets (tls_tickets.c). */
#ifndef IO_TLS_INT_H
#define IO_TLS_INT_H

#include <openssl/ssl.h>

#include "io/tls.h"

/* --- certificates --- */

struct tls_certs;
/* NULL with *note. */
struct tls_certs *tls_certs_load(const struct tls_certificate *list, size_t n,
                                 struct err_note *note);
/* Gives the handshake every certificate that fits the client's name (one of each kind of key: the
 * library takes the one that the client can verify), or the first. False: it failed. */
bool tls_certs_choose(const struct tls_certs *c, SSL *ssl);
void tls_certs_free(struct tls_certs *c); /* NULL is nothing */

/* --- tickets --- */

enum { TLS_TICKET_MS = 12 * 60 * 60 * 1000 }; /* the life of a key, and of a session */

/*
 * The keys of this epoch and the one before. Each comes from the one before by a one-way function
 * and old ones are forgotten, so that memory seen today does not open what was said last week.
 */
struct tls_tickets {
    uint8_t secret[32];
    struct tls_ticket_keys {
        uint8_t name[16];
        uint8_t cipher[32];
        uint8_t mac[32];
    } keys, before;
    int64_t epoch;
};
void tls_tickets_init(struct tls_tickets *t, const struct tls_seed *seed);
/* Moves on to the epoch of that wall time. */
void tls_tickets_turn(struct tls_tickets *t, int64_t wall_ms);
/* For SSL_CTX_set_tlsext_ticket_key_evp_cb. */
int tls_tickets_key(const struct tls_tickets *t, uint8_t name[16], uint8_t *iv,
                    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt);

/* The library's oldest error as one line; its queue is empty afterwards. */
void tls_explain(char *ret, size_t n);

#endif
