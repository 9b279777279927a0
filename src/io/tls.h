/*
 * TLS for accepted connections (OpenSSL 3): a stream like any other whose bytes travel encrypted.
 *
 * TLS 1.2 and 1.3 with the ciphers and groups of Mozilla's "intermediate" list; several
 * certificates, chosen by the client's SNI and by what it can verify; ALPN "http/1.1"; resumption
 * by tickets, whose keys turn every twelve hours; no renegotiation, no compression, no early data.
 *
 * An idle connection is 400 bytes. It owns no buffers between records: ciphertext is read into, and
 * written from, memory that all connections of one struct tls share. What the kernel does not take
 * is kept until it does.
 *
 * The end: a peer's close_notify is ended(); a connection that ends without one was cut, which is
 * lost(-ERR_RESET), because somebody in between could have done it. stream_end() sends ours behind
 * the queue. A doomed stream sends none: what it said may be incomplete.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include "base/err.h"
#include "io/loop.h"

struct stream;
struct stream_origin;
struct tls;

/* PEM files: the certificate with its chain behind it, and its private key. */
struct tls_certificate {
    const char *cert;
    const char *key;
};

/* What the listeners of several loops share, so that a ticket of one resumes at the other. */
struct tls_seed {
    uint8_t secret[32];
    int64_t epoch;
};
/* Randomness for the ticket keys, and the present on the loop's clock. */
void tls_seed_make(struct loop *l, struct tls_seed *ret);

struct tls_options {
    const struct tls_certificate *certificates; /* the first answers for unknown names */
    size_t n_certificates;
    bool only_13;                /* refuse TLS 1.2 */
    uint32_t handshake_ms;       /* a handshake may take [10 s]: lost(-ERR_TIMEOUT) */
    const struct tls_seed *seed; /* NULL: tickets of our own */
};

struct tls_ops {
    /* A handshake failed, or a record was forged; lost() follows. `why` is one line for a log. May
     * be NULL. */
    void (*failed)(void *arg, const struct stream *s, struct slice why);
};

struct tls_stats {
    uint64_t handshakes; /* completed */
    uint64_t resumed;    /* of those, with a ticket */
    uint64_t failed;
    uint32_t shaking; /* in a handshake now */
};

/* ops may be NULL. NULL with *note: a file cannot be read, is no PEM, or key and certificate do not
 * belong together. */
struct tls *tls_open(struct loop *l, const struct tls_options *o, const struct tls_ops *ops,
                     void *arg, struct err_note *note);
/* Reads the files (or others) again: new handshakes get what they hold now. -ERR_CONFIG with *note:
 * the old ones stay. Strings are borrowed for the call. */
int tls_reload(struct tls *t, const struct tls_certificate *certificates, size_t n,
               struct err_note *note);
const struct tls_stats *tls_stats(const struct tls *t);
/* No new connections; those there are go on, and the memory goes with the last. NULL is nothing. */
void tls_close(struct tls *t);

/* The server's side of a connected non-blocking socket; otherwise as stream_open(). The handshake
 * begins with stream_resume(); bytes pushed before it is done wait. origin: as stream_open_from(),
 * or NULL. */
struct stream *tls_accept(struct tls *t, int take_fd, uint32_t max_out,
                          const struct stream_origin *origin);

/* "TLSv1.3"; NULL when the stream is not encrypted (or not yet). */
const char *tls_version(const struct stream *s);
/* The cipher's name in OpenSSL's spelling, or NULL as above. */
const char *tls_cipher(const struct stream *s);
/* Whether a ticket made the handshake short. */
bool tls_is_resumed(const struct stream *s);

#endif
