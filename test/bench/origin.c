/*
 * An HTTP origin of GRIP and WebSocket-over-HTTP, as cheap as it can be made. It answers every
 * request with the events it was sent, so that every message comes back; who asks for /listen, as
 * a WebSocket or not, is held on the channel `bench`. One thread, keep-alive connections.
 *
 *   origin [PORT]      prints "ready PORT"; 0, or nothing: any
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 1 << 19, HEAD = 512 };

struct conn {
    int fd;
    size_t n; /* bytes of a request that is not whole */
    char in[];
};

static char out[ROOM + HEAD];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The value of Content-Length in a head; 0 without one. */
static size_t length_of(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

static bool say(struct conn *c, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent > 0) {
            bytes += sent;
            n -= (size_t)sent;
        }
    }
    return true;
}

static const char kind[] = "Content-Type: application/websocket-events\r\n";

/* One that only listens: it is put on the channel `bench`, over HTTP or as a WebSocket. */
static int put_hold(bool is_socket)
{
    static const char subscribe[] = "c:{\"type\":\"subscribe\",\"channel\":\"bench\"}";
    char body[96];
    int n;

    if (!is_socket)
        return snprintf(out, HEAD,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"
                        "Grip-Hold: stream\r\nGrip-Channel: bench\r\n\r\n");
    n = snprintf(body, sizeof(body), "OPEN\r\nTEXT %zx\r\n%s\r\n", sizeof(subscribe) - 1,
                 subscribe);
    return snprintf(out, HEAD,
                    "HTTP/1.1 200 OK\r\n%sSec-WebSocket-Extensions: grip\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    kind, n, body);
}

/* The answer to a request of that body, in `out`; how long it is. */
static size_t put_answer(bool is_get, bool is_listener, const char *body, size_t n)
{
    int m;

    if (is_listener && (is_get || (n >= 6 && memcmp(body, "OPEN\r\n", 6) == 0)))
        return (size_t)put_hold(!is_get);
    m = snprintf(out, HEAD, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", kind, n);
    memcpy(out + m, body, n);
    return (size_t)m + n;
}

/* Answers one request that is whole at the front; 0: none is, -1: the connection fails. */
static ssize_t answer(struct conn *c, char *at, size_t n)
{
    char *end = memmem(at, n, "\r\n\r\n", 4);
    size_t head, body;
    bool is_listener;

    if (!end)
        return 0;
    head = (size_t)(end - at) + 4;
    end[2] = '\0';
    body = length_of(at);
    is_listener = strstr(at, " /listen") != NULL;
    end[2] = '\r';
    if (head + body > n)
        return 0;
    n = put_answer(at[0] == 'G', is_listener, at + head, body);
    return say(c, out, n) ? (ssize_t)(head + body) : -1;
}

static bool hear(struct conn *c)
{
    const ssize_t got = recv(c->fd, c->in + c->n, ROOM - c->n, 0);
    size_t done = 0;
    ssize_t r;

    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    c->n += (size_t)got;
    while ((r = answer(c, c->in + done, c->n - done)) > 0)
        done += (size_t)r;
    memmove(c->in, c->in + done, c->n - done);
    c->n -= done;
    return r == 0 && c->n < ROOM;
}

static void take(int epoll, int listener)
{
    const int one = 1;
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct conn *c;

    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c = malloc(sizeof(*c) + ROOM);
    if (!c)
        die("malloc");
    c->fd = fd;
    c->n = 0;
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.ptr = c}});
}

int main(int argc, char **argv)
{
    const int one = 1;
    const int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    struct epoll_event events[64];

    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&at, n) < 0 || listen(listener, 4096) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &n) < 0)
        die("listen");
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.ptr = NULL}});
    printf("ready %d\n", ntohs(at.sin_port));
    fflush(stdout);
    for (;;) {
        const int got = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < got; i++) {
            struct conn *c = events[i].data.ptr;

            if (!c) {
                take(epoll, listener);
            } else if (!hear(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}
