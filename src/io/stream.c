/*
 * Edge-triggered, because it costs the fewest system calls: a readable edge means one read (a short
 * one says that the kernel has no more), pausing costs nothing (the edge is remembered), and
 * EPOLLOUT is asked for only while the kernel refuses bytes. An echoed message is one read, one
 * send, and its share of one epoll_wait.
 */
#include "io/stream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/io_int.h"
#include "io/stream_int.h"

enum {
    IOV = 256, /* below IOV_MAX, and 4 KiB of stack */
    READ_EVENTS = EPOLLIN | EPOLLRDHUP,
};

static bool has(const struct stream *s, uint32_t fact)
{
    return (s->watch.flags & fact) != 0;
}

static void set(struct stream *s, uint32_t fact)
{
    s->watch.flags |= fact;
}

static void clear(struct stream *s, uint32_t fact)
{
    s->watch.flags &= ~fact;
}

static bool is_dead(const struct stream *s)
{
    return has(s, STREAM_LOST | STREAM_DOOMED);
}

/* --- reading --- */

static void post_read(struct stream *s);

/* One read: a stream with a lot to say waits for the next tick, so that all get their turn. */
static void read_once(struct stream *s)
{
    const struct span room = loop_read_buffer(s->loop);
    ssize_t n;

    do
        n = s->kind->read(s, room.p, room.n);
    while (n == -EINTR);
    if (n > 0) {
        if ((size_t)n < room.n && s->kind->short_read_is_last && !has(s, STREAM_HUNG_UP))
            clear(s, STREAM_READABLE);
        s->ops->data(s->arg, (struct span){room.p, (size_t)n});
    } else if (n == 0) {
        clear(s, STREAM_READABLE);
        set(s, STREAM_ENDED);
        s->ops->ended(s->arg);
    } else if (n == -EAGAIN) {
        clear(s, STREAM_READABLE);
    } else if (n != -EALREADY) {
        stream__lost(s, io__error((int)-n));
    }
    post_read(s);
}

static bool wants_read(const struct stream *s)
{
    const uint32_t both = STREAM_READING | STREAM_READABLE;

    return (s->watch.flags & both) == both && !has(s, STREAM_ENDED) && !is_dead(s);
}

static void read_posted(void *arg)
{
    struct stream *s = arg;

    clear(s, STREAM_READ_POSTED);
    if (wants_read(s))
        read_once(s);
}

static void post_read(struct stream *s)
{
    if (!wants_read(s) || has(s, STREAM_READ_POSTED))
        return;
    set(s, STREAM_READ_POSTED);
    loop_defer(s->loop, LOOP_READS, read_posted, s);
}

void stream__readable(struct stream *s)
{
    set(s, STREAM_READABLE);
    post_read(s);
}

void stream_resume(struct stream *s)
{
    set(s, STREAM_READING);
    post_read(s);
}

void stream_pause(struct stream *s)
{
    clear(s, STREAM_READING);
}

/* --- writing --- */

static void post_flush(struct stream *s);

static void watch_out(struct stream *s, bool on)
{
    if (s->watch.fd < 0 || has(s, STREAM_WATCH_OUT) == on)
        return;
    s->watch.flags ^= STREAM_WATCH_OUT;
    if (watch_change(s->loop, &s->watch, READ_EVENTS | (on ? EPOLLOUT : 0)) < 0)
        stream__lost(s, -ERR_OS);
}

void stream__block(struct stream *s)
{
    set(s, STREAM_BLOCKED);
    watch_out(s, true);
}

/* Writes what the system takes. Returns bytes, or a negated errno. */
static ssize_t write_queue(struct stream *s)
{
    struct iovec iov[IOV];
    ssize_t all = 0;

    while (!outq_empty(&s->out)) {
        const int n = outq_iov(&s->out, iov, IOV);
        size_t offered = 0;
        ssize_t r;

        for (int i = 0; i < n; i++)
            offered += iov[i].iov_len;
        r = s->kind->write(s, iov, n);
        if (r == -EINTR)
            continue;
        if (r < 0 && r != -EAGAIN)
            return r;
        if (r > 0) {
            outq_consume(&s->out, (size_t)r);
            loop__queue(s->loop, -(int64_t)r);
            all += r;
        }
        if (r < 0 || (size_t)r < offered) {
            stream__block(s);
            break;
        }
    }
    return all;
}

static void send_end(struct stream *s)
{
    if (!has(s, STREAM_END_QUEUED) || has(s, STREAM_END_SENT) || !outq_empty(&s->out))
        return;
    set(s, STREAM_END_SENT);
    s->kind->end(s);
}

/* What the layer below kept goes first: 0, or an error. */
static int settle(struct stream *s)
{
    const int r = s->kind->settle ? s->kind->settle(s) : 0;

    if (r != -EAGAIN)
        return r;
    stream__block(s);
    return 0;
}

static void flush(void *arg)
{
    struct stream *s = arg;
    ssize_t n;

    clear(s, STREAM_FLUSH_POSTED);
    if (is_dead(s) || has(s, STREAM_BLOCKED))
        return;
    n = settle(s);
    if (n == 0 && !has(s, STREAM_BLOCKED))
        n = write_queue(s);
    if (n < 0) {
        stream__lost(s, io__error((int)-n));
        return;
    }
    if (!has(s, STREAM_BLOCKED))
        send_end(s);
    if (outq_empty(&s->out) && !has(s, STREAM_BLOCKED))
        watch_out(s, false);
    if (n > 0 && s->ops->sent && !is_dead(s))
        s->ops->sent(s->arg, s->out.bytes);
}

static void post_flush(struct stream *s)
{
    if (has(s, STREAM_FLUSH_POSTED | STREAM_BLOCKED) || is_dead(s))
        return;
    set(s, STREAM_FLUSH_POSTED);
    loop_defer(s->loop, LOOP_FLUSH, flush, s);
}

void stream__writable(struct stream *s)
{
    clear(s, STREAM_BLOCKED);
    if (!outq_empty(&s->out) || has(s, STREAM_END_QUEUED) || s->kind->settle)
        post_flush(s);
}

int stream_push(struct stream *s, struct blob *take_b)
{
    int64_t before;
    int r;

    if (is_dead(s) || has(s, STREAM_END_QUEUED)) {
        blob_unref(take_b);
        return -ERR_CLOSED;
    }
    before = s->out.bytes;
    r = outq_push(&s->out, take_b);
    loop__queue(s->loop, (int64_t)s->out.bytes - before);
    if (r == 0 && !outq_empty(&s->out))
        post_flush(s);
    return r;
}

int stream_write(struct stream *s, struct slice bytes)
{
    if (bytes.n > UINT32_MAX)
        return -ERR_SLOW_CONSUMER;
    return stream_push(s, blob_copy(bytes));
}

size_t stream_pending(const struct stream *s)
{
    return s->out.bytes;
}

void stream_bound(struct stream *s, uint32_t max_out)
{
    s->out.max = max_out;
}

void stream_end(struct stream *s)
{
    if (is_dead(s) || has(s, STREAM_END_QUEUED))
        return;
    set(s, STREAM_END_QUEUED);
    post_flush(s);
}

/* --- events --- */

static void drop_queue(struct stream *s)
{
    loop__queue(s->loop, -(int64_t)s->out.bytes);
    outq_done(&s->out);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct stream *s = CONTAINER_OF(w, struct stream, watch);

    if (is_dead(s))
        return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        set(s, STREAM_HUNG_UP);
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) && has(s, STREAM_BLOCKED))
        stream__writable(s);
    if (events & (READ_EVENTS | EPOLLHUP | EPOLLERR))
        set(s, STREAM_READABLE);
    /* A reset is told also to an owner who reads nothing for now, or has seen the end. */
    if (events & EPOLLERR && !wants_read(s))
        stream__lost(s, -ERR_RESET);
    else if (wants_read(s) && !has(s, STREAM_READ_POSTED))
        read_once(s);
}

void stream__lost(struct stream *s, int err)
{
    if (is_dead(s))
        return;
    set(s, STREAM_LOST);
    if (s->watch.fd >= 0)
        watch_stop(s->loop, &s->watch);
    drop_queue(s);
    if (s->ops)
        s->ops->lost(s->arg, err);
}

/* --- kinds: a socket, and a library's connection --- */

static ssize_t socket_read(struct stream *s, void *p, size_t n)
{
    const ssize_t r = recv(s->watch.fd, p, n, 0);

    return r < 0 ? -errno : r;
}

static ssize_t socket_write(struct stream *s, const struct iovec *iov, int n)
{
    const struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n};
    const ssize_t r = n == 1 ? send(s->watch.fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
                             : sendmsg(s->watch.fd, &msg, MSG_NOSIGNAL);

    return r < 0 ? -errno : r;
}

static void socket_end(struct stream *s)
{
    (void)shutdown(s->watch.fd, SHUT_WR); /* fails only when the peer is gone: lost() will say so */
}

static void socket_close(struct stream *s)
{
    (void)close(s->watch.fd);
}

static const struct stream_kind socket_kind = {
    .read = socket_read,
    .write = socket_write,
    .end = socket_end,
    .close = socket_close,
    .short_read_is_last = true,
};

/* A socket with an origin. */
struct told {
    struct stream stream;
    struct stream_origin origin;
};

static const struct stream_origin *told_origin(const struct stream *s)
{
    return &CONTAINER_OF(s, struct told, stream)->origin;
}

void stream__closed(const struct stream_origin *o)
{
    if (o && o->closed)
        o->closed(o->arg, &o->peer);
}

static void told_close(struct stream *s)
{
    stream__closed(told_origin(s));
    socket_close(s);
}

static const struct stream_kind told_kind = {
    .read = socket_read,
    .write = socket_write,
    .end = socket_end,
    .close = told_close,
    .origin = told_origin,
    .short_read_is_last = true,
};

struct wrapped {
    struct stream stream;
    const struct stream_io *io;
    void *conn;
};

static ssize_t wrapped_read(struct stream *s, void *p, size_t n)
{
    const struct wrapped *w = CONTAINER_OF(s, struct wrapped, stream);

    return w->io->read(w->conn, p, n);
}

static ssize_t wrapped_write(struct stream *s, const struct iovec *iov, int n)
{
    const struct wrapped *w = CONTAINER_OF(s, struct wrapped, stream);

    return w->io->write(w->conn, iov, n);
}

static void wrapped_end(struct stream *s)
{
    const struct wrapped *w = CONTAINER_OF(s, struct wrapped, stream);

    w->io->end(w->conn);
}

static void wrapped_close(struct stream *s)
{
    const struct wrapped *w = CONTAINER_OF(s, struct wrapped, stream);

    w->io->close(w->conn);
}

static const struct stream_kind wrapped_kind = {
    .read = wrapped_read, .write = wrapped_write, .end = wrapped_end, .close = wrapped_close};

/* --- life --- */

static void begin(struct stream *s, const struct stream_kind *kind, struct loop *l, int fd,
                  uint32_t max_out)
{
    s->watch = (struct watch){.ready = on_ready, .fd = fd};
    s->kind = kind;
    s->loop = l;
    outq_init(&s->out, max_out);
}

static struct stream *watched(struct stream *s)
{
    if (watch_start(s->loop, &s->watch, READ_EVENTS) == 0)
        return s;
    s->kind->close(s);
    mem_free(s);
    return NULL;
}

struct stream *stream__open(struct stream *s, const struct stream_kind *kind, struct loop *l,
                            int fd, uint32_t max_out)
{
    begin(s, kind, l, fd, max_out);
    return watched(s);
}

struct stream *stream_open(struct loop *l, int take_fd, uint32_t max_out)
{
    return stream__open(mem_new(sizeof(struct stream)), &socket_kind, l, take_fd, max_out);
}

struct stream *stream_open_from(struct loop *l, int take_fd, uint32_t max_out,
                                const struct stream_origin *origin)
{
    struct told *t = mem_new(sizeof(*t));

    t->origin = *origin;
    return stream__open(&t->stream, &told_kind, l, take_fd, max_out);
}

struct stream *stream_open_io(struct loop *l, int fd, const struct stream_io *io, void *take_conn,
                              uint32_t max_out)
{
    struct wrapped *w = mem_new(sizeof(*w));

    begin(&w->stream, &wrapped_kind, l, fd, max_out);
    w->io = io;
    w->conn = take_conn;
    /* The library may have read ahead, of which the descriptor says nothing. */
    set(&w->stream, STREAM_READABLE);
    return watched(&w->stream);
}

void stream_attach(struct stream *s, const struct stream_ops *ops, void *arg)
{
    s->ops = ops;
    s->arg = arg;
}

static void reap(void *arg)
{
    struct stream *s = arg;

    s->kind->close(s);
    mem_free(s);
}

void stream_doom(struct stream *s)
{
    if (!s || has(s, STREAM_DOOMED))
        return;
    if (s->watch.fd >= 0 && !has(s, STREAM_LOST))
        watch_stop(s->loop, &s->watch);
    set(s, STREAM_DOOMED);
    drop_queue(s);
    loop_defer(s->loop, LOOP_REAP, reap, s);
}

bool stream_is_doomed(const struct stream *s)
{
    return has(s, STREAM_DOOMED);
}

bool stream_has_hung_up(const struct stream *s)
{
    return has(s, STREAM_HUNG_UP);
}

struct loop *stream_loop(const struct stream *s)
{
    return s->loop;
}

static struct slice text_of(int family, const void *address, char ret[64])
{
    return slice_str(inet_ntop(family, address, ret, 64));
}

static struct slice told_peer(const struct stream_address *a, char ret[64], uint16_t *ret_port)
{
    struct in6_addr v6;

    if (ret_port)
        *ret_port = a->port;
    memcpy(&v6, a->ip, sizeof(v6));
    if (!a->is_known)
        return SLICE_NONE;
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        return text_of(AF_INET, &a->ip[12], ret);
    return text_of(AF_INET6, a->ip, ret);
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

/* Also of a connection that the peer has broken: then only the option tells, and takes no length
 * beyond the address's own. */
static bool find_peer(int fd, union address *ret)
{
    socklen_t n = sizeof(*ret), v4 = sizeof(ret->v4), v6 = sizeof(ret->v6);

    return getpeername(fd, &ret->any, &n) == 0 ||
           getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &ret->v6, &v6) == 0 ||
           getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &ret->v4, &v4) == 0;
}

struct slice stream_peer(const struct stream *s, char ret[64], uint16_t *ret_port)
{
    union address a = {0};
    const struct stream_origin *o = s->kind->origin ? s->kind->origin(s) : NULL;

    if (o)
        return told_peer(&o->peer, ret, ret_port);
    if (ret_port)
        *ret_port = 0;
    if (s->watch.fd < 0 || !find_peer(s->watch.fd, &a))
        return SLICE_NONE;
    if (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6)
        return SLICE_NONE;
    if (ret_port) /* at the same place in both */
        *ret_port = ntohs(a.v4.sin_port);
    if (a.any.sa_family == AF_INET)
        return text_of(AF_INET, &a.v4.sin_addr, ret);
    /* A client of a listener for both families: ::ffff:192.0.2.1 is an IPv4 address. */
    if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
        return text_of(AF_INET, &a.v6.sin6_addr.s6_addr[12], ret);
    return text_of(AF_INET6, &a.v6.sin6_addr, ret);
}
