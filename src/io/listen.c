#include "io/listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "io/io_int.h"
#include "io/tls.h"

enum {
    BACKLOG = 4096,
    BUDGET = 64,
    RETRY_MS = 100,
    UNIX_MODE = 0600,
    PREFACE_MAX = 4096,
    PREFACE_MS = 5000,
    WAITING_MAX = 4096,
};

struct listener {
    struct watch watch;
    struct timer retry; /* set while descriptors are out */
    struct loop *loop;
    const struct listen_ops *ops;
    void *arg;
    char *path; /* NULL: TCP */
    uint32_t budget;
    uint32_t max_out;
    struct tls *tls;
    int spare_fd;
    uint16_t port;
    bool is_readable; /* connections may wait */
    bool is_paused;
    bool is_posted;
    bool is_closed;
    bool has_preface;
    uint64_t refused;
    struct list waiting; /* connections whose preface is not complete, oldest first */
    uint32_t n_waiting;
    struct timer preface_timer;
};

/* A connection that has not said its preface yet. */
struct waiting {
    struct watch watch;
    struct list link;
    struct listener *listener;
    int64_t deadline;
};

/* --- accepting --- */

static void post_accept(struct listener *li);

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_one(struct listener *li)
{
    const int fd = accept4(li->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* No descriptor is left: the spare one makes room to turn the first in line away, which empties the
 * kernel's queue slowly instead of leaving all its clients hanging; then wait for better times. */
static void turn_away(struct listener *li)
{
    int fd;

    if (li->spare_fd >= 0)
        (void)close(li->spare_fd);
    fd = accept_one(li);
    if (fd >= 0) {
        (void)close(fd);
        li->refused++;
    }
    li->spare_fd = open_spare();
    timer_set(li->loop, &li->retry, loop_now(li->loop) + RETRY_MS);
}

static void on_retry(struct timer *t)
{
    post_accept(CONTAINER_OF(t, struct listener, retry));
}

/* --- connections that were accepted --- */

static void turn_down(struct listener *li, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";

    if (!li->tls)
        (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

/* from NULL: as the kernel knows it. */
static void hand_up(struct listener *li, int fd, const struct stream_origin *from)
{
    struct stream *s = li->tls ? tls_accept(li->tls, fd, li->max_out, from)
                       : from  ? stream_open_from(li->loop, fd, li->max_out, from)
                               : stream_open(li->loop, fd, li->max_out);

    if (s)
        li->ops->accepted(li->arg, s);
    else
        li->refused++;
}

static void check_in(struct listener *li, int fd, const struct stream_address *from)
{
    struct stream_origin origin = {.peer = *from};

    if (li->ops->admit && !li->ops->admit(li->arg, from, &origin))
        turn_down(li, fd);
    else
        hand_up(li, fd, &origin);
}

static struct stream_address peer_of(int fd)
{
    struct stream_address a = {0};
    struct sockaddr_in6 v6 = {0};
    struct sockaddr_in v4;
    socklen_t n = sizeof(v6);

    if (getpeername(fd, (struct sockaddr *)&v6, &n) < 0)
        return a;
    a.is_known = v6.sin6_family == AF_INET6 || v6.sin6_family == AF_INET;
    a.port = a.is_known ? ntohs(v6.sin6_port) : 0; /* at the same place in both */
    memcpy(&v4, &v6, sizeof(v4));
    if (v6.sin6_family == AF_INET6) {
        memcpy(a.ip, &v6.sin6_addr, sizeof(a.ip));
    } else {
        memset(a.ip + 10, 0xff, 2);
        memcpy(a.ip + 12, &v4.sin_addr, 4);
    }
    return a;
}

static void stop_waiting(struct waiting *w)
{
    struct listener *li = w->listener;

    watch_stop(li->loop, &w->watch);
    list_del(&w->link);
    li->n_waiting--;
    if (list_empty(&li->waiting))
        timer_del(li->loop, &li->preface_timer);
    loop_defer(li->loop, LOOP_REAP, mem_free, w);
}

static void give_up(struct waiting *w)
{
    stop_waiting(w);
    (void)close(w->watch.fd);
}

static struct waiting *oldest(const struct listener *li)
{
    return list_empty(&li->waiting) ? NULL : LIST_ITEM(li->waiting.next, struct waiting, link);
}

static void on_preface_due(struct timer *t)
{
    struct listener *li = CONTAINER_OF(t, struct listener, preface_timer);
    struct waiting *w;

    while ((w = oldest(li)) != NULL && w->deadline <= loop_now(li->loop))
        give_up(w);
    if (w)
        timer_set(li->loop, t, w->deadline);
}

/* The preface is looked at in the kernel's buffer, and taken from it exactly. */
static void on_preface(struct watch *watch, uint32_t events)
{
    struct waiting *w = CONTAINER_OF(watch, struct waiting, watch);
    struct listener *li = w->listener;
    uint8_t seen[PREFACE_MAX];
    struct stream_address from = peer_of(watch->fd);
    const ssize_t there = recv(watch->fd, seen, sizeof(seen), MSG_PEEK);
    ssize_t n;

    if (there < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    n = there <= 0 ? -1 : li->ops->preface(li->arg, slice_make(seen, (size_t)there), &from);
    if (n == 0 && there < PREFACE_MAX && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        return;
    if (n <= 0 || recv(watch->fd, seen, (size_t)n, 0) != n) {
        give_up(w);
        return;
    }
    stop_waiting(w);
    check_in(li, watch->fd, &from);
}

static void wait_for_preface(struct listener *li, int fd)
{
    struct waiting *w = mem_new(sizeof(*w));

    if (li->n_waiting == WAITING_MAX)
        give_up(oldest(li));
    w->watch = (struct watch){.ready = on_preface, .fd = fd};
    w->listener = li;
    w->deadline = loop_now(li->loop) + PREFACE_MS;
    if (watch_start(li->loop, &w->watch, EPOLLIN | EPOLLRDHUP) < 0) {
        (void)close(fd);
        mem_free(w);
        li->refused++;
        return;
    }
    if (list_empty(&li->waiting))
        timer_set(li->loop, &li->preface_timer, w->deadline);
    list_add_tail(&li->waiting, &w->link);
    li->n_waiting++;
}

static void welcome(struct listener *li, int fd)
{
    struct stream_address from;

    if (li->has_preface) {
        wait_for_preface(li, fd);
    } else if (li->ops->admit) {
        from = peer_of(fd);
        check_in(li, fd, &from);
    } else {
        hand_up(li, fd, NULL);
    }
}

/* --- the budget --- */

static bool may_accept(const struct listener *li)
{
    return li->is_readable && !li->is_paused && !li->is_closed && !heap_is_set(&li->retry.node);
}

static void accept_some(struct listener *li)
{
    for (uint32_t n = 0; n < li->budget && may_accept(li); n++) {
        const int fd = accept_one(li);

        if (fd == -EAGAIN) {
            li->is_readable = false;
        } else if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
            turn_away(li);
        } else if (fd >= 0) {
            welcome(li, fd);
        } /* else that one connection broke while it waited (ECONNABORTED and its like) */
    }
    post_accept(li);
}

static void accept_posted(void *arg)
{
    struct listener *li = arg;

    li->is_posted = false;
    if (may_accept(li))
        accept_some(li);
}

static void post_accept(struct listener *li)
{
    if (li->is_posted || !may_accept(li))
        return;
    li->is_posted = true;
    loop_defer(li->loop, LOOP_READS, accept_posted, li);
}

static void on_ready(struct watch *w, uint32_t events)
{
    struct listener *li = CONTAINER_OF(w, struct listener, watch);

    (void)events;
    li->is_readable = true;
    if (!li->is_posted && may_accept(li))
        accept_some(li);
}

void listen_pause(struct listener *li)
{
    li->is_paused = true;
}

void listen_resume(struct listener *li)
{
    li->is_paused = false;
    post_accept(li);
}

/* --- opening --- */

static int fail(int fd, struct err_note *note, const char *what, const char *where)
{
    const int saved = errno;

    if (fd >= 0)
        (void)close(fd);
    (void)err_notef(note, -ERR_OS, "cannot %s %s: %s", what, where, strerror(saved));
    return -1;
}

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_tcp(const struct sockaddr *a, socklen_t n, int backlog, const char *where,
                    struct err_note *note)
{
    const int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

    if (fd < 0)
        return fail(fd, note, "open a socket for", where);
    if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return fail(fd, note, "share the port of", where);
    /* Accepted sockets inherit it: one system call here instead of one for each. */
    if (set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) < 0)
        return fail(fd, note, "set TCP_NODELAY on", where);
    if (a->sa_family == AF_INET6)
        (void)set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0); /* "::" hears both families */
    if (bind(fd, a, n) < 0)
        return fail(fd, note, "listen at", where);
    if (listen(fd, backlog) < 0)
        return fail(fd, note, "listen at", where);
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage room = {0};
    socklen_t n = sizeof(room);

    if (getsockname(fd, (struct sockaddr *)&room, &n) < 0)
        return 0;
    /* The port is at the same place in both families. */
    return ntohs(((const struct sockaddr_in *)&room)->sin_port);
}

/* SO_REUSEPORT is for the listeners of one process; without this, a second program on the same port
 * would silently get half of the connections. */
static int check_free(const struct sockaddr *a, socklen_t n)
{
    const int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    int r;

    if (fd < 0)
        return -errno;
    (void)set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (a->sa_family == AF_INET6)
        (void)set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    r = bind(fd, a, n) < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

static int listen_tcp(const struct listen_options *o, struct err_note *note)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *host = o->host && strcmp(o->host, "localhost") == 0 ? "127.0.0.1" : o->host;
    struct addrinfo *found = NULL;
    char service[8], where[96];
    int fd;

    (void)snprintf(service, sizeof(service), "%u", o->port);
    (void)snprintf(where, sizeof(where), strchr(host ? host : "", ':') ? "[%s]:%u" : "%s:%u",
                   host ? host : "*", o->port);
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        (void)err_notef(note, -ERR_OS, "cannot listen at %s: not an IP address", where);
        return -1;
    }
    if (o->port && !o->shared && (errno = -check_free(found->ai_addr, found->ai_addrlen)) != 0)
        fd = fail(-1, note, "listen at", where);
    else
        fd = open_tcp(found->ai_addr, found->ai_addrlen, o->backlog ? o->backlog : BACKLOG, where,
                      note);
    freeaddrinfo(found);
    return fd;
}

/* A socket that nobody listens at any more is what a killed predecessor left. */
static void remove_stale(const struct sockaddr_un *a)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (fd < 0)
        return;
    if (stat(a->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED)
        (void)unlink(a->sun_path);
    (void)close(fd);
}

static int listen_unix(const struct listen_options *o, struct err_note *note)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(o->path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return fail(-1, note, "listen at", o->path);
    }
    memcpy(a.sun_path, o->path, strlen(o->path));
    remove_stale(&a);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mode of the socket is that of the path, minus the umask, from its first moment on. */
    if (fd < 0 || fchmod(fd, o->mode ? o->mode : UNIX_MODE) < 0 ||
        bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ||
        chmod(o->path, o->mode ? o->mode : UNIX_MODE) < 0 ||
        listen(fd, o->backlog ? o->backlog : BACKLOG) < 0)
        return fail(fd, note, "listen at", o->path);
    return fd;
}

static int open_socket(const struct listen_options *o, struct err_note *note)
{
    if (o->take_fd)
        return o->take_fd;
    return o->path ? listen_unix(o, note) : listen_tcp(o, note);
}

struct listener *listen_open(struct loop *l, const struct listen_options *o,
                             const struct listen_ops *ops, void *arg, struct err_note *note)
{
    const int fd = open_socket(o, note);
    struct listener *li;

    if (fd < 0)
        return NULL;
    li = mem_new(sizeof(*li));
    *li = (struct listener){
        .watch = {.ready = on_ready, .fd = fd},
        .retry = {.due = on_retry},
        .loop = l,
        .ops = ops,
        .arg = arg,
        .path = o->path && !o->take_fd ? slice_dup(slice_str(o->path)) : NULL,
        .tls = o->tls,
        .has_preface = o->preface,
        .preface_timer = {.due = on_preface_due},
        .budget = o->budget ? o->budget : BUDGET,
        .max_out = o->max_out,
        .spare_fd = open_spare(),
        .port = o->path ? 0 : port_of(fd),
    };
    list_init(&li->waiting);
    if (watch_start(l, &li->watch, EPOLLIN) < 0) {
        (void)err_notef(note, -ERR_OS, "cannot watch a listener: %s", strerror(errno));
        listen_close(li);
        return NULL;
    }
    return li;
}

int listen_copy(const struct listener *li)
{
    const int fd = fcntl(li->watch.fd, F_DUPFD_CLOEXEC, 0);

    return fd < 0 ? -ERR_OS : fd;
}

uint16_t listen_port(const struct listener *li)
{
    return li->port;
}

uint64_t listen_refused(const struct listener *li)
{
    return li->refused;
}

static void reap(void *arg)
{
    struct listener *li = arg;

    if (li->spare_fd >= 0)
        (void)close(li->spare_fd);
    mem_free(li->path);
    mem_free(li);
}

void listen_close(struct listener *li)
{
    if (!li || li->is_closed)
        return;
    li->is_closed = true;
    timer_del(li->loop, &li->retry);
    while (oldest(li))
        give_up(oldest(li));
    watch_stop(li->loop, &li->watch);
    (void)close(li->watch.fd); /* at once: a successor may want the address */
    if (li->path)
        (void)unlink(li->path);
    loop_defer(li->loop, LOOP_REAP, reap, li);
}
