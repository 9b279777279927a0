/*
 * Listeners: accept on a TCP address or a Unix path, a bounded number of connections a tick.
 *
 * Out of descriptors (EMFILE, ENFILE): the listener gives up a spare one to accept and close the
 * connection that waits (its client hears at once instead of hanging), then pauses for 100 ms.
 * Accepted sockets are non-blocking, close-on-exec, TCP_NODELAY.
 */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include "base/err.h"
#include "io/stream.h"

struct listener;
struct tls;

struct listen_options {
    const char *host; /* "127.0.0.1", "::1", "::" (both families), "0.0.0.0", "localhost" */
    uint16_t port;    /* 0: any */
    bool shared;      /* another listener of ours has this port already: a sibling loop's */
    const char *path; /* a Unix socket instead; a stale one is replaced */
    uint16_t mode;    /* of the path; 0: 0600 */
    int take_fd;  /* accepts at this copy of a sibling loop's (listen_copy()) instead; 0: opens */
    bool preface; /* connections begin with what listen_ops.preface() understands */
    struct tls *tls;  /* borrowed, NULL: none. What is accepted is tls_accept()ed */
    int backlog;      /* 0: 4096 */
    uint32_t budget;  /* accepts a tick; 0: 64 */
    uint32_t max_out; /* of the streams, see stream_open() */
};

struct listen_ops {
    /* take_s is the callee's, paused and without an owner. */
    void (*accepted)(void *arg, struct stream *take_s);
    /*
     * What stands before the first byte of a connection (and of its TLS), with
     * listen_options.preface: its length once it is complete, 0 for more, or an error, which closes
     * it. Sets the client's address. It has 5 s to come.
     */
    ssize_t (*preface)(void *arg, struct slice seen, struct stream_address *ret);
    /* NULL, or whether a connection from there may be: false closes it, after an answer 503 where
     * nothing is encrypted. True: *ret hears of its end. */
    bool (*admit)(void *arg, const struct stream_address *from, struct stream_origin *ret);
};

/* TCP listeners set SO_REUSEPORT, so that every loop can have its own on one port; the first, which
 * is not `shared`, finds out whether another program is there. NULL with *note (which may be NULL)
 * saying why: in use, not permitted, no such address. */
struct listener *listen_open(struct loop *l, const struct listen_options *o,
                             const struct listen_ops *ops, void *arg, struct err_note *note);
/* The port it listens at; 0 for a Unix path. */
uint16_t listen_port(const struct listener *li);
/* A Unix path has one socket: a copy of it for a sibling loop. -ERR_OS with errno. */
int listen_copy(const struct listener *li);
/* Accepting off and on, for an owner that has enough; connections wait in the kernel's backlog. */
void listen_pause(struct listener *li);
void listen_resume(struct listener *li);
/* Connections that were turned away because there was no descriptor, or no memory of the kernel's,
 * left for them. */
uint64_t listen_refused(const struct listener *li);
/* Stops at once; a Unix path is removed. NULL is nothing. */
void listen_close(struct listener *li);

#endif
