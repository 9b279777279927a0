/*
 * A stream: a byte pipe on a loop. TCP or Unix socket, an in-memory loopback for tests, or anything
 * that has a descriptor and four functions (struct stream_io: TLS, a library's connection). Same
 * verbs for all.
 *
 * Up: the owner's stream_ops. Down: push (queued), end (half-close behind the queue), doom.
 * A stream owns no read buffer: bytes are read into the loop's and handed up; what the owner wants
 * to keep it copies. An idle stream is 64 bytes.
 *
 * Writing: pushed blobs wait in a bounded queue and leave with one writev in the flush phase of the
 * tick. Reading is off until stream_resume(); a pause takes effect at once, also inside data().
 * SIGPIPE never happens.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/bytes.h"
#include "base/err.h"
#include "io/loop.h"

struct stream;

/* All may call any verb of the stream, doom included. After stream_doom() none is called again. */
struct stream_ops {
    /* Bytes arrived (in.n > 0). Valid and writable until it returns, and so are LOOP_HEADROOM bytes
     * in front of in.p: put a kept beginning there to see both in one piece. */
    void (*data)(void *arg, struct span in);
    /* The peer has sent its last byte (FIN); pushing still works. May be followed by lost(). */
    void (*ended)(void *arg);
    /* A flush wrote something; `pending` bytes still wait. NULL when nobody cares. */
    void (*sent)(void *arg, size_t pending);
    /* Broken (err: -ERR_RESET, -ERR_OS; with TLS also -ERR_TLS, -ERR_TIMEOUT): nothing comes or
     * goes any more, the queue is dropped. The owner dooms it. */
    void (*lost)(void *arg, int err);
};

/*
 * Takes a connected non-blocking socket. max_out: bound of the queue in bytes (0: none, for owners
 * with their own flow control). Nothing is called before stream_attach() and stream_resume(). The
 * descriptor is closed by the stream, also when -- out of kernel memory -- NULL is returned.
 */
struct stream *stream_open(struct loop *l, int take_fd, uint32_t max_out);

/* Where a connection came from, when that is known better than the kernel knows it, and who wants
 * to hear that it is gone. */
struct stream_address {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
    bool is_known;
};
struct stream_origin {
    struct stream_address peer;
    /* In the reap phase, once; NULL: nobody. */
    void (*closed)(void *arg, const struct stream_address *peer);
    void *arg;
};
/* As stream_open(), for a stream whose stream_peer() is origin->peer. closed() is also called when
 * NULL is returned. */
struct stream *stream_open_from(struct loop *l, int take_fd, uint32_t max_out,
                                const struct stream_origin *origin);

/*
 * A stream over something else: io's functions are given `conn`. fd is watched, not owned: close()
 * ends both. read and write return bytes (read 0: the end), -EAGAIN, or another negated errno;
 * end() is the half-close. fd must become readable when read() would go on after an EAGAIN.
 */
struct stream_io {
    ssize_t (*read)(void *conn, void *p, size_t n);
    ssize_t (*write)(void *conn, const struct iovec *iov, int n);
    void (*end)(void *conn);
    void (*close)(void *conn);
};
struct stream *stream_open_io(struct loop *l, int fd, const struct stream_io *io, void *take_conn,
                              uint32_t max_out);

/* Two streams that are each other's peer, in memory, on one loop (simulated or not). What one
 * pushes is flushed in the tick and handed up in the next. */
void stream_open_pair(struct loop *l, uint32_t max_out, struct stream **ret_a,
                      struct stream **ret_b);
/* Test knobs of a loopback end: hand up at most `piece` bytes at a time (0: whatever came), and
 * take in at most `window` bytes that are not handed up yet (0: no limit; a slow reader). */
void stream_loopback_limits(struct stream *s, size_t piece, size_t window);
/* The loopback end breaks, as by a reset: both ends hear lost(). */
void stream_loopback_break(struct stream *s);

/* Makes ops and arg the stream's owner, instead of who owned it before. */
void stream_attach(struct stream *s, const struct stream_ops *ops, void *arg);
/* Reading on and off; a stream begins paused. Idempotent. */
void stream_resume(struct stream *s);
void stream_pause(struct stream *s);

/*
 * Queues, taking the reference also on failure. -ERR_SLOW_CONSUMER over the bound (nothing queued),
 * -ERR_CLOSED when the stream is doomed, lost or its end was queued.
 */
int stream_push(struct stream *s, struct blob *take_b);
/* The same with a copy of the bytes. */
int stream_write(struct stream *s, struct slice bytes);
/* Bytes queued and not yet taken by the system. */
size_t stream_pending(const struct stream *s);
/* Changes the queue's bound; what waits already stays. */
void stream_bound(struct stream *s, uint32_t max_out);
/* Half-closes behind what is queued. Reading goes on. */
void stream_end(struct stream *s);

/* The end: unread and unsent bytes are dropped, ops are never called again, the descriptor is
 * closed in the reap phase. A second doom and NULL are nothing. */
void stream_doom(struct stream *s);
bool stream_is_doomed(const struct stream *s);
/* The peer has ended or lost the connection, perhaps behind bytes that were not read yet. */
bool stream_has_hung_up(const struct stream *s);

struct loop *stream_loop(const struct stream *s);
/* The peer's address as text, "192.0.2.1", "2001:db8::1" or empty (Unix, loopback), and its port
 * (ret_port may be NULL). The slice is inside ret. */
struct slice stream_peer(const struct stream *s, char ret[64], uint16_t *ret_port);

#endif
