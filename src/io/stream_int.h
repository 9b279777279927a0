/*
 * A stream's kind: where its bytes come from and go to. stream.c has the socket and the wrapped
 * library connection, loopback.c the pair in memory.
 */
#ifndef IO_STREAM_INT_H
#define IO_STREAM_INT_H

#include "io/stream.h"

struct stream_kind {
    /* Bytes, 0 for the end, or a negated errno. -EALREADY: nothing yet, but ask again in the next
     * tick. */
    ssize_t (*read)(struct stream *s, void *p, size_t n);
    ssize_t (*write)(struct stream *s, const struct iovec *iov, int n);
    void (*end)(struct stream *s);
    void (*close)(struct stream *s); /* in the reap phase, before the memory goes */
    /* For layers that keep bytes of their own for the wire, else NULL: sends them before anything
     * else. 0: all are gone; or a negated errno. */
    int (*settle)(struct stream *s);
    /* NULL, or where it comes from; may return NULL. */
    const struct stream_origin *(*origin)(const struct stream *s);
    /* A short read says that nothing is left: true of the kernel's stream sockets, whose next byte
     * is a new edge; not of layers that buffer. */
    bool short_read_is_last;
};

/* Facts of watch.flags. */
enum {
    STREAM_READING = 1 << 0,      /* the owner wants bytes */
    STREAM_READABLE = 1 << 1,     /* there may be some */
    STREAM_READ_POSTED = 1 << 2,  /* a task will look */
    STREAM_ENDED = 1 << 3,        /* the peer's end was told */
    STREAM_HUNG_UP = 1 << 4,      /* the end is near: read until it shows */
    STREAM_FLUSH_POSTED = 1 << 5, /* a task will write */
    STREAM_BLOCKED = 1 << 6,      /* the system takes no more for now */
    STREAM_WATCH_OUT = 1 << 7,    /* EPOLLOUT is asked for */
    STREAM_END_QUEUED = 1 << 8,
    STREAM_END_SENT = 1 << 9,
    STREAM_LOST = 1 << 10,
    STREAM_DOOMED = 1 << 11,
};

struct stream {
    struct watch watch;
    const struct stream_kind *kind;
    struct loop *loop;
    const struct stream_ops *ops;
    void *arg;
    struct outq out;
};

static_assert(sizeof(struct stream) == 64, "an idle stream is small");

/* Tells who wants to know that the stream is gone. o may be NULL. */
void stream__closed(const struct stream_origin *o);
/* There may be bytes to read: reads now when the owner wants them and the loop is in its reads
 * phase, else soon. */
void stream__readable(struct stream *s);
/* The system takes bytes again. */
void stream__writable(struct stream *s);
/* It does not: nothing is written until it does. */
void stream__block(struct stream *s);
/* Broken: tells the owner. */
void stream__lost(struct stream *s, int err);
/* Sets up *s, which is the first member of what the kind allocated, and watches fd. NULL out of
 * kernel memory: it was closed and freed. */
struct stream *stream__open(struct stream *s, const struct stream_kind *kind, struct loop *l,
                            int fd, uint32_t max_out);

#endif
