/* One connection: it connects, shakes hands and finds the ends of messages. */
#include "load.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int number_of(const struct conn *c)
{
    return (int)(c - load.conns);
}

static void send_all(struct conn *c, const void *bytes, size_t n)
{
    const ssize_t r = wire_send(c, bytes, n);

    /* A connection has one message of ours under way, which fits any socket buffer. */
    if (r != (ssize_t)n)
        die("send on connection %d: %s", number_of(c), r < 0 ? strerror(errno) : "short");
}

void conn_send(struct conn *c)
{
    size_t n;
    const uint8_t *frame = message_frame(&n);

    c->sent_ns = now_ns();
    send_all(c, frame, n);
}

static void send_pong(struct conn *c)
{
    static const uint8_t pong[6] = {0x8a, 0x80};

    send_all(c, pong, sizeof pong);
}

/* --- until it is open --- */

#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void send_handshake(struct conn *c)
{
    char path[600], request[1024];
    const char *room = strstr(load.path, "%d");
    int n = room ? snprintf(path, sizeof path, "%.*s%d%s", (int)(room - load.path), load.path,
                            number_of(c) % load.rooms, room + 2)
                 : snprintf(path, sizeof path, "%s", load.path);

    n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", path,
                 load.host, load.is_http ? "" : UPGRADE,
                 load.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                "client_max_window_bits\r\n"
                              : "");
    send_all(c, request, (size_t)n);
    c->state = HANDSHAKING;
}

/* The port is chosen when the destination is known, so that it need only be free for that one. */
static void bind_source(int fd, int i)
{
    const int one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET};

    if (load.sources == 1)
        return;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned)(i % load.sources));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
        die("bind: %s", strerror(errno));
}

void conn_start(struct hand *h, struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    const int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket %d: %s (ulimit -n?)", number_of(c), strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bind_source(c->fd, number_of(c));
    if (connect(c->fd, (struct sockaddr *)&load.address, sizeof load.address) < 0 &&
        errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    epoll_ctl(h->epoll, EPOLL_CTL_ADD, c->fd, &e);
    h->opening++;
}

static void on_open(struct hand *h, struct conn *c)
{
    c->state = OPEN;
    h->opening--;
    load.last_heard = now_ns();
    if (++load.opened == load.connections)
        hand_ring(&load.hands[0]);
}

static void secure(struct hand *h, struct conn *c)
{
    c->state = SECURING;
    if (!wire_open(c))
        return;
    if (load.mode == REQUEST)
        on_open(h, c);
    else
        send_handshake(c);
}

static void on_connected(struct hand *h, struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int error = 0;
    socklen_t n = sizeof error;

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        die("connect: %s", strerror(error));
    epoll_ctl(h->epoll, EPOLL_CTL_MOD, c->fd, &e);
    secure(h, c);
}

/* Takes the answer's head off the front of the bytes; returns what is left of them. */
static size_t read_handshake(struct hand *h, struct conn *c, const uint8_t *bytes, size_t n)
{
    static const char end[] = "\r\n\r\n";

    for (size_t i = 0; i < n; i++) {
        if (c->status_len < 12)
            c->status[c->status_len++] = (char)bytes[i];
        c->matched = bytes[i] == end[c->matched] ? c->matched + 1 : bytes[i] == '\r';
        if (c->matched < 4)
            continue;
        if (strcmp(c->status + 9, load.is_http ? "200" : "101") != 0)
            die("the server answered %s", c->status + 9);
        on_open(h, c);
        return n - i - 1;
    }
    return 0;
}

/* --- frames --- */

/* RFC 6455 5.2, server to client: how long a header is, as far as its first `have` bytes tell. */
static unsigned header_size(unsigned have, unsigned second)
{
    if (have < 2)
        return 2;
    if (second & 0x80)
        die("a masked frame");
    return second < 126 ? 2 : second == 126 ? 4 : 10;
}

static void on_header(struct conn *c, unsigned size)
{
    const unsigned op = c->header[0] & 15;

    c->left = size == 2 ? c->header[1] : 0;
    for (unsigned i = 2; i < size; i++)
        c->left = c->left << 8 | c->header[i];
    c->fin = c->header[0] & 0x80;
    c->data = op < 8;
    if (op == 8)
        die("connection %d: the server sent Close", number_of(c));
    if (op == 9)
        send_pong(c);
    if (c->data && op)
        c->packed = c->header[0] & 0x40;
    if (c->data)
        c->length += c->left;
}

/* Takes header bytes off the front of the input; true when the header is whole. */
static bool read_header(struct conn *c, const uint8_t **p, size_t *n)
{
    unsigned have = c->header_len, size = header_size(have, c->header[1]);

    if (have == size)
        return true;
    while (*n && have < size) {
        c->header[have++] = *(*p)++;
        --*n;
        size = header_size(have, c->header[1]);
    }
    c->header_len = (uint8_t)have;
    if (have < size)
        return false;
    on_header(c, size);
    return true;
}

static void read_frames(struct conn *c, const uint8_t *p, size_t n, int64_t now)
{
    while (n) {
        if (!read_header(c, &p, &n))
            return;
        const size_t step = c->left < n ? (size_t)c->left : n;

        p += step;
        n -= step;
        c->left -= step;
        if (c->left)
            return;
        c->header_len = 0;
        if (c->data && c->fin) {
            talk_on_message(c, now);
            c->length = 0;
        }
    }
}

/* The end of a message; what is around it and the chunks' frames do not matter. */
static void read_stream(struct conn *c, const uint8_t *p, size_t n, int64_t now)
{
    const uint8_t *end = p + n, *at;

    for (; (at = memchr(p, '!', (size_t)(end - p))); p = at + 1) {
        c->length += (uint64_t)(at - p) + 1;
        if (c->length < (uint64_t)load.size)
            die("a message of %llu bytes instead of %d", (unsigned long long)c->length, load.size);
        c->length = (uint64_t)load.size;
        talk_on_message(c, now);
        c->length = 0;
    }
    c->length += (uint64_t)(end - p);
}

/* A response: its head comes in one piece, and says how long the body is. */
static void read_response(struct conn *c, char *p, size_t n, int64_t now)
{
    if (!c->left) {
        p[n] = '\0';
        const char *length = strcasestr(p, "\r\nContent-Length:"), *end = strstr(p, "\r\n\r\n");

        if (strncmp(p, "HTTP/1.1 200 ", 13) != 0 || !end || !length || length > end)
            die("expected a response with a length, got %.200s", p);
        c->left = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
        n -= (size_t)(end + 4 - p);
    }
    if (n > c->left)
        die("a response of more bytes than it says");
    c->left -= n;
    if (!c->left)
        talk_on_message(c, now);
}

static void read_once(struct hand *h, struct conn *c)
{
    const ssize_t n = wire_recv(c, h->buffer, READ_MAX - 1);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 && c->state == OPEN && load.lossy) {
        close(c->fd);
        talk_on_lost(c);
        return;
    }
    if (n <= 0)
        die("connection %d of %d: %s", number_of(c), load.opened,
            n ? strerror(errno) : "closed by the server");
    const size_t rest = c->state == OPEN ? (size_t)n : read_handshake(h, c, h->buffer, (size_t)n);

    if (rest && load.mode == REQUEST)
        read_response(c, (char *)h->buffer, rest, now_ns());
    else if (rest && load.is_http)
        read_stream(c, h->buffer + n - rest, rest, now_ns());
    else if (rest)
        read_frames(c, h->buffer + n - rest, rest, now_ns());
}

void conn_on_event(struct hand *h, struct conn *c)
{
    if (c->state == CONNECTING) {
        on_connected(h, c);
    } else if (c->state == SECURING) {
        secure(h, c);
    } else {
        do
            read_once(h, c);
        while (wire_has_more(c));
    }
}
