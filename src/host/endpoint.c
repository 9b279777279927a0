#include "host/endpoint.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Writable is asked for only while something waits: the gateway's every read would wake us. */
enum { IN = EPOLLIN | EPOLLRDHUP, IN_OUT = IN | EPOLLOUT };

/* One read. Large enough for hundreds of events, small enough for the cache. */
enum { READ_SIZE = 256 << 10 };

static void lose(struct endpoint *e, int err)
{
    if (e->lost)
        return;
    e->lost = true;
    watch_stop(e->loop, &e->watch);
    e->ops->lost(e, err);
}

static int hand_up(struct endpoint *e)
{
    struct slice in = buf_slice(&e->in);
    struct ipc_frame frame;
    int r;

    while ((r = ipc_next(&in, IPC_FROM_GATEWAY, &frame, &e->need)) > 0) {
        e->ops->frame(e, &frame);
        if (e->lost)
            return 0;
    }
    buf_consume(&e->in, e->in.n - in.n);
    return r;
}

static void on_read(void *arg);

static void read_later(struct endpoint *e)
{
    if (e->reading || e->lost)
        return;
    e->reading = true;
    loop_defer(e->loop, LOOP_READS, on_read, e);
}

/* Bytes that one read has room for: a whole frame at least. */
static size_t room(const struct endpoint *e)
{
    return e->need > e->in.n + READ_SIZE ? e->need - e->in.n : READ_SIZE;
}

static void read_now(struct endpoint *e)
{
    const size_t want = room(e);
    ssize_t n;
    int r;

    if (e->lost || outbox_pending(&e->out) >= OUTBOX_HIGH)
        return; /* endpoint_flush goes on */
    do
        n = recv(e->watch.fd, buf_reserve(&e->in, want), want, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        lose(e, -ERR_RESET);
        return;
    }
    buf_commit(&e->in, (size_t)n);
    if ((size_t)n == want || e->hung_up)
        read_later(e); /* a short read has emptied the socket, but for its end */
    r = hand_up(e);
    e->ops->batch(e);
    if (r < 0)
        lose(e, r);
}

static void on_read(void *arg)
{
    struct endpoint *e = arg;

    e->reading = false;
    read_now(e);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct endpoint *e = CONTAINER_OF(w, struct endpoint, watch);

    if (events & (EPOLLHUP | EPOLLRDHUP))
        e->hung_up = true;
    if (events & EPOLLOUT && outbox_pending(&e->out))
        endpoint_flush(e);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP | EPOLLERR) && !e->reading)
        read_now(e);
}

void endpoint_flush(struct endpoint *e)
{
    const bool was_high = outbox_pending(&e->out) >= OUTBOX_HIGH;
    int64_t r;

    if (e->lost)
        return;
    r = outbox_write(&e->out, e->watch.fd);
    if (r < 0)
        lose(e, (int)r);
    else if (was_high && r < OUTBOX_HIGH)
        read_later(e);
    if (r >= 0 && (r > 0) != e->blocked) {
        e->blocked = r > 0;
        (void)watch_change(e->loop, &e->watch, e->blocked ? IN_OUT : IN);
    }
}

int endpoint_open(struct endpoint *e, struct loop *loop, int fd, unsigned link,
                  const struct endpoint_ops *ops, void *arg)
{
    *e = (struct endpoint){.ops = ops, .arg = arg, .loop = loop, .link = link};
    e->watch = (struct watch){.ready = on_ready, .fd = fd};
    outbox_init(&e->out);
    buf_init(&e->in, IPC_HEADER + (size_t)IPC_PAYLOAD_MAX + READ_SIZE);
    return watch_start(loop, &e->watch, IN);
}

void endpoint_close(struct endpoint *e)
{
    if (!e->loop)
        return;
    if (!e->lost)
        watch_stop(e->loop, &e->watch);
    (void)close(e->watch.fd);
    outbox_done(&e->out);
    buf_done(&e->in);
    *e = (struct endpoint){.lost = true}; /* for a read that is still due */
}
