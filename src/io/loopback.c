/*
 * Two streams in memory. What one flushes lies in `in` of the other until it is read there; a
 * window makes a full one refuse bytes, as a socket does whose peer does not read.
 *
 * fd is -1: nothing is watched, each end posts to the other.
 */
#include <assert.h>
#include <errno.h>

#include "io/io_int.h"
#include "io/stream_int.h"

struct loopback {
    struct stream stream;
    struct loopback *peer; /* NULL: it is closed */
    struct outq in;
    size_t piece;
    size_t window;
    bool in_ended; /* nothing comes behind what is in */
};

static struct loopback *of(struct stream *s)
{
    return CONTAINER_OF(s, struct loopback, stream);
}

static ssize_t loopback_read(struct stream *s, void *p, size_t n)
{
    struct loopback *b = of(s);
    const size_t most = b->piece ? MIN(n, b->piece) : n;
    struct iovec iov;
    size_t got = 0;

    while (got < most && outq_iov(&b->in, &iov, 1) == 1) {
        const size_t part = MIN(iov.iov_len, most - got);

        memcpy((uint8_t *)p + got, iov.iov_base, part);
        outq_consume(&b->in, part);
        got += part;
    }
    if (got == 0)
        return b->in_ended ? 0 : -EAGAIN;
    if (b->peer)
        stream__writable(&b->peer->stream);
    return (ssize_t)got;
}

static size_t room_in(const struct loopback *b)
{
    const size_t window = b->window ? b->window : SIZE_MAX;

    return window > b->in.bytes ? window - b->in.bytes : 0;
}

static ssize_t loopback_write(struct stream *s, const struct iovec *iov, int n)
{
    struct loopback *peer = of(s)->peer;
    ssize_t put = 0;

    if (!peer)
        return -EPIPE;
    for (int i = 0; i < n; i++) {
        const size_t part = MIN(iov[i].iov_len, room_in(peer));

        (void)outq_add(&peer->in, slice_make(iov[i].iov_base, part));
        put += (ssize_t)part;
        if (part < iov[i].iov_len)
            break;
    }
    if (put == 0)
        return -EAGAIN;
    stream__readable(&peer->stream);
    return put;
}

static void loopback_end(struct stream *s)
{
    struct loopback *peer = of(s)->peer;

    if (!peer)
        return;
    peer->in_ended = true;
    stream__readable(&peer->stream);
}

static void loopback_close(struct stream *s)
{
    struct loopback *b = of(s);

    loopback_end(s);
    if (b->peer) {
        b->peer->peer = NULL;
        stream__writable(&b->peer->stream);
    }
    outq_done(&b->in);
}

static const struct stream_kind loopback_kind = {loopback_read, loopback_write, loopback_end,
                                                 loopback_close, false};

static struct loopback *make(struct loop *l, uint32_t max_out)
{
    struct loopback *b = mem_new(sizeof(*b));

    b->stream = (struct stream){.watch = {.fd = -1}, .kind = &loopback_kind, .loop = l};
    outq_init(&b->stream.out, max_out);
    return b;
}

void stream_open_pair(struct loop *l, uint32_t max_out, struct stream **ret_a,
                      struct stream **ret_b)
{
    struct loopback *a = make(l, max_out);
    struct loopback *b = make(l, max_out);

    a->peer = b;
    b->peer = a;
    *ret_a = &a->stream;
    *ret_b = &b->stream;
}

void stream_loopback_limits(struct stream *s, size_t piece, size_t window)
{
    struct loopback *b = of(s);

    assert(s->kind == &loopback_kind);
    b->piece = piece;
    b->window = window;
    if (b->peer)
        stream__writable(&b->peer->stream);
}

void stream_loopback_break(struct stream *s)
{
    struct loopback *b = of(s);
    struct loopback *peer = b->peer;

    assert(s->kind == &loopback_kind);
    b->peer = NULL;
    stream__lost(s, -ERR_RESET);
    if (peer) {
        peer->peer = NULL;
        stream__lost(&peer->stream, -ERR_RESET);
    }
}
