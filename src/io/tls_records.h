/*
 * TLS records behind the handshake (RFC 8446 5, RFC 5246 6.2 with the AEAD ciphers of RFC 5288 and
 * 7905): opening, sealing, and what a peer says between its data: alerts, KeyUpdate. Bytes in,
 * bytes out.
 *
 * The library makes the handshake and computes every cipher; its connection goes when the handshake
 * is done, as it would for records in the kernel (kTLS). It has 13 KB, of which a quiet connection
 * needs a key, a nonce and a number for each direction: what is here.
 */
#ifndef IO_TLS_RECORDS_H
#define IO_TLS_RECORDS_H

#include <openssl/ssl.h>

#include "base/bytes.h"

enum {
    TLS_PLAIN_MAX = 16 * 1024,                /* of one record, whatever is in it */
    TLS_RECORD_MAX = 5 + TLS_PLAIN_MAX + 256, /* longer ones are refused */
    TLS_AEADS = 3,
    /* Records in a row without data either way. Java asks for our next key with each record that it
     * reads until we answer: a window of them. */
    TLS_QUIET_MAX = 1024,
};

/* The library's cipher contexts, for all connections of a thread: keyed anew for each record, which
 * costs 0.15 µs and saves every connection two kilobytes. */
struct tls_aeads {
    EVP_CIPHER_CTX *ctx[TLS_AEADS];
};
bool tls_aeads_init(struct tls_aeads *a); /* false: out of memory; tls_aeads_done() all the same */
void tls_aeads_done(struct tls_aeads *a);

struct tls_direction {
    uint64_t seq;       /* of the next record */
    uint8_t secret[48]; /* 1.3: what the next key is made of */
    uint8_t n_secret;
    uint8_t key[32];
    uint8_t iv[12]; /* 1.2 with GCM: four bytes, the rest is in the record */
};

struct tls_records {
    struct tls_direction in;
    struct tls_direction out;
    const SSL_CIPHER *cipher;
    uint16_t plain_max; /* of a record, either way */
    uint16_t quiet;     /* records since the last data, in or out */
    uint8_t aead;
    bool is_13;
    uint8_t n_begun; /* bytes of a KeyUpdate that came in pieces */
    uint8_t begun[5];
    uint8_t alert; /* see TLS_RECORD_ALERT, TLS_RECORD_BAD */
};

/* Every SSL of ctx tells its secrets, and how many records the peer's Finished was, to the struct
 * tls_records that is its app data (SSL_set_app_data). */
void tls_records_follow(SSL_CTX *ctx);
/* Takes over from ssl, whose handshake is done and which is not used any more. last: what it wrote
 * in the step that ended the handshake. False: it is in a state that cannot be taken over, and then
 * nothing may be sent. */
bool tls_records_start(struct tls_records *r, const SSL *ssl, struct slice last);

enum tls_record {
    TLS_RECORD_NONE,  /* incomplete; nothing was taken */
    TLS_RECORD_DATA,  /* perhaps of no bytes */
    TLS_RECORD_QUIET, /* nothing for the owner */
    TLS_RECORD_END,   /* close_notify: the peer's last */
    TLS_RECORD_ALERT, /* the peer gave up: r->alert */
    TLS_RECORD_BAD,   /* forged, or against the protocol; r->alert is what it was told */
};
/* Takes the first record off *in. Its data go to `to`, which has room for as many bytes as the
 * record; answers that the protocol asks for are appended to `answers`. After END, ALERT and BAD it
 * is not called again. */
enum tls_record tls_records_open(struct tls_records *r, const struct tls_aeads *a, struct slice *in,
                                 uint8_t *to, size_t *ret_n, struct buf *answers);

/* Pieces, of which the first `at` bytes of the first are taken. */
struct tls_source {
    const struct iovec *iov;
    int n;
    size_t at;
};
/* Appends one record with the next bytes of *from. How many it took: 0 when there are none.
 * -ERR_TOO_LARGE: `out` has no room, nothing was taken. */
ssize_t tls_records_seal(struct tls_records *r, const struct tls_aeads *a, struct tls_source *from,
                         struct buf *out);
/* Appends one record of another type (SSL3_RT_ALERT, …), of at most TLS_PLAIN_MAX bytes. */
int tls_records_say(struct tls_records *r, const struct tls_aeads *a, uint8_t type,
                    struct slice what, struct buf *out);

#endif
