/*
 * A load of WebSocket connections on one server, from one thread, as cheap as it can be made: the
 * figures are about the server, so whatever this program spends is spent in nobody's favour.
 *
 *   load [options] ws://ADDRESS:PORT/PATH        (idle, publish: or http://, a response that
 * streams)
 *
 * Every connection speaks RFC 6455 with frames built once. Five ways to use them:
 *
 *   echo       each connection sends, waits for a message of the same length, sends again
 *   broadcast  the first connection sends; when every connection has heard it, it sends again
 *   once       connections are opened and held; for each line on stdin the first one of each room
 * sends
 *   idle       connections are opened and held
 *   publish    connections only listen; messages are published to the channel `bench` by a POST to
 *              /publish/ at port --publish, the next one when every connection has heard the last
 *
 * It prints a line as it goes, so that whoever started it can read the server's CPU in time:
 *
 *   open {"connections":N,"seconds":S}   all are open (then it waits --settle seconds)
 *   begin                                warmed up (--warm seconds); what follows counts
 *   end {"messages":N,"seconds":S,"cpu":S,"p50_us":T,"p90_us":T,"p99_us":T,"max_us":T}
 *   all {"messages":N,"seconds":S,"cpu":S,"p50_us":T,…}   once: every connection has heard
 *
 * publish: `end` counts deliveries that did not come within a second ("missed"). With --lossy 1
 * (echo, publish) a connection that the server closes is counted ("lost") instead of being an end.
 *
 * With --sources N connections come from 127.0.0.1 to 127.0.0.N in turn: an address has no more
 * than some ten thousand free ports for one destination.
 *
 * --json 1 sends text that looks like an application's instead of the alphabet; --deflate 1 offers
 * permessage-deflate. Compressed messages are counted ("packed") and not expanded: they are the
 * server's work, not ours. messages are those received; times are from the sending to the answer,
 * or to the last hearer (publish: from the POST to each hearer). After `end` (idle: after `open`)
 * it holds its connections until stdin ends. Any failure (refused, closed, a message of another
 * length, 10 s of silence) ends it with status 1 and says so on stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    OPENING_MAX = 64,      /* handshakes under way at once */
    READ_MAX = 64 << 10,   /* one read buffer for all connections */
    MESSAGE_MAX = 1 << 20, /* --size */
    PUBLISH_MAX = 4 << 10, /* --size of what is published */
    MISSED_MS = 1000,      /* publish: without a delivery for so long, the rest is not coming */
    SILENCE_S = 10,        /* a server that says nothing for so long has failed */
    BUCKETS = 1 << 16,     /* of latency, see bucket_of() */
};

#define MAX(a, b) ((a) > (b) ? (a) : (b))

enum mode { ECHO, BROADCAST, IDLE, ONCE, PUBLISH };
enum phase { OPENING, SETTLING, WARMING, COUNTING, HOLDING };
enum state { CONNECTING, HANDSHAKING, OPEN };

struct conn {
    int fd;
    enum state state;
    uint8_t matched;    /* of "\r\n\r\n", while handshaking */
    uint8_t header[14]; /* of the frame being read */
    uint8_t header_len; /* bytes of it that are here */
    bool fin, data;     /* of the frame being read */
    bool packed;        /* the message is compressed */
    uint64_t left;      /* bytes of its payload to come */
    uint64_t length;    /* of the message so far */
    int64_t sent_ns;    /* when its message was sent */
    uint32_t round;     /* publish: the last publication that it heard */
    char status[16];    /* "HTTP/1.1 101" */
    uint8_t status_len;
};

static struct {
    enum mode mode;
    int connections, size, rooms, sources, json, deflate, publish, lossy;
    bool is_http; /* responses that stream, no WebSockets */
    double seconds, warm, settle;
    struct sockaddr_in address;
    char host[64], path[512];

    enum phase phase;
    int64_t phase_until; /* ns; 0: not by time */
    int64_t last_heard;
    int epoll, opened, opening, started;
    struct conn *conns;
    int heard; /* of the broadcast under way */
    uint8_t *frame;
    size_t frame_len;
    uint64_t messages, packed;
    int64_t began_ns;
    double began_cpu;
    int publisher; /* the POST under way; 0: none */
    uint32_t round;
    int64_t published_ns;
    uint64_t missed; /* deliveries that did not come */
    int lost;        /* listeners that the server has closed */
    uint32_t *latency;
    uint8_t buffer[READ_MAX];
} load = {
    .mode = ECHO,
    .connections = 100,
    .size = 64,
    .rooms = 1,
    .sources = 1,
    .seconds = 5,
    .warm = 1,
    .settle = 0.2,
};

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static double own_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (!p)
        die("out of memory");
    return p;
}

/* --- latency --- */

/* Two digits of precision: values below 128 have their own bucket, above that 64 buckets for each
 * doubling. */
static unsigned bucket_of(uint64_t us)
{
    unsigned shift = us < 128 ? 0 : 57u - (unsigned)__builtin_clzll(us);

    return shift * 64 + (unsigned)(us >> shift);
}

static double bucket_value(unsigned bucket)
{
    unsigned shift = bucket < 128 ? 0 : bucket / 64 - 1;

    return (double)((uint64_t)(bucket - shift * 64) << shift);
}

static double percentile(double part)
{
    uint64_t total = 0, before = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        total += load.latency[i];
    for (unsigned i = 0; i < BUCKETS; i++)
        if (load.latency[i] &&
            (before += load.latency[i]) >= (uint64_t)((double)total * part + 0.5))
            return bucket_value(i) / 10;
    return 0;
}

/* In tenths of a microsecond, so that one round trip on an idle machine is not all rounding. */
static void count_latency(int64_t ns)
{
    load.latency[bucket_of((uint64_t)(ns > 0 ? ns : 0) / 100)]++;
}

/* --- what is sent --- */

/* What chat rooms and dashboards send: names that repeat, values that do not. */
static void write_json(char *to, size_t n)
{
    static const char *const names[] = {"ada", "grace", "barbara", "edsger", "donald", "alan"};
    uint32_t x = 2463534242;
    size_t at = 0;

    for (unsigned i = 0; at < n; i++) {
        char one[160];

        x = x * 1664525 + 1013904223;
        const int more =
            snprintf(one, sizeof one,
                     "{\"id\":%u,\"user\":\"%s\",\"at\":17636%08u,\"x\":%u.%02u,\"text\":"
                     "\"hello %s, how are you?\"},",
                     x >> 8, names[(x >> 10) % 6], x % 100000000, (x >> 16) % 1000, (x >> 4) % 100,
                     names[(x >> 20) % 6]);
        const size_t step = (size_t)more < n - at ? (size_t)more : n - at;

        memcpy(to + at, one, step);
        at += step;
    }
}

/* RFC 6455 5.2: FIN and text, masked as clients must; the mask is the same each time, nobody here
 * needs it to be new. */
static void build_frame(void)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t n = (size_t)load.size, at = 0;
    uint8_t *f = load.frame = allocate(1, n + 14);

    f[at++] = 0x81;
    if (n < 126) {
        f[at++] = 0x80 | (uint8_t)n;
    } else if (n < 65536) {
        f[at++] = 0x80 | 126;
        f[at++] = (uint8_t)(n >> 8);
        f[at++] = (uint8_t)n;
    } else {
        f[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            f[at++] = (uint8_t)((uint64_t)n >> shift);
    }
    memcpy(f + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < n; i++)
        f[at + i] = (uint8_t)('a' + i % 26);
    if (load.json)
        write_json((char *)f + at, n);
    for (size_t i = 0; i < n; i++)
        f[at + i] ^= mask[i & 3];
    load.frame_len = at + n;
}

static void send_all(struct conn *c, const void *bytes, size_t n)
{
    ssize_t r = send(c->fd, bytes, n, MSG_NOSIGNAL);

    /* A connection has one message of ours under way, which fits any socket buffer. */
    if (r != (ssize_t)n)
        die("send on connection %d: %s", (int)(c - load.conns), r < 0 ? strerror(errno) : "short");
}

static void send_message(struct conn *c)
{
    c->sent_ns = now_ns();
    send_all(c, load.frame, load.frame_len);
}

/* Ends with a byte that chunks are not framed with, so that streams need no decoder. */
static size_t write_post(char *to, size_t room)
{
    char content[PUBLISH_MAX + 1], body[PUBLISH_MAX + 256];
    int n;

    memset(content, 'a', (size_t)load.size);
    content[load.size - 1] = '!';
    content[load.size] = '\0';
    n = snprintf(body, sizeof body,
                 "{\"items\":[{\"channel\":\"bench\",\"formats\":"
                 "{\"%s\":{\"content\":\"%s\"}}}]}",
                 load.is_http ? "http-stream" : "ws-message", content);
    return (size_t)snprintf(to, room,
                            "POST /publish/ HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
                            "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                            n, body);
}

/* Each on a connection of its own: not every server keeps it. */
static void publish_next(void)
{
    struct sockaddr_in at = load.address;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &load.publisher};
    char post[PUBLISH_MAX + 512];
    const size_t n = write_post(post, sizeof post);

    load.heard = 0;
    load.round++;
    at.sin_port = htons((uint16_t)load.publish);
    load.publisher = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (load.publisher < 0 || connect(load.publisher, (struct sockaddr *)&at, sizeof at) < 0)
        die("publish: %s", strerror(errno));
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.publisher, &e);
    load.published_ns = now_ns();
    if (send(load.publisher, post, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("publish: %s", strerror(errno));
}

/* The next publication, when the last is answered and has been heard as far as it will be. */
static void go_on_publishing(void)
{
    if (!load.publisher && load.heard >= load.connections && load.phase != HOLDING)
        publish_next();
}

/* What the publisher is told: that it is done, then the end. */
static void on_published(void)
{
    char answer[1024];
    const ssize_t n = recv(load.publisher, answer, sizeof answer - 1, 0);

    if (n < 0 || (n >= 12 && memcmp(answer, "HTTP", 4) == 0 && memcmp(answer + 9, "200", 3) != 0))
        die("publish: %.*s", (int)(n < 0 ? 0 : n), answer);
    if (n > 0)
        return;
    close(load.publisher);
    load.publisher = 0;
    go_on_publishing();
}

static void give_up_waiting(int64_t now)
{
    if (now - MAX(load.last_heard, load.published_ns) < MISSED_MS * 1000000ll)
        return;
    load.missed += (uint64_t)(load.connections - load.heard);
    load.heard = load.connections;
    go_on_publishing();
}

/* The server has closed one, and --lossy bears it. */
static void lose(struct conn *c)
{
    close(c->fd);
    load.lost++;
    load.connections--;
    load.heard -= c->round == load.round;
    if (load.connections == 0)
        die("the server has closed all connections");
    if (load.mode == PUBLISH)
        go_on_publishing();
}

static void send_pong(struct conn *c)
{
    static const uint8_t pong[6] = {0x8a, 0x80};

    send_all(c, pong, sizeof pong);
}

#define UPGRADE                                                                                    \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void send_handshake(struct conn *c)
{
    int i = (int)(c - load.conns);
    char path[600], request[1024];
    const char *room = strstr(load.path, "%d");
    int n = room ? snprintf(path, sizeof path, "%.*s%d%s", (int)(room - load.path), load.path,
                            i % load.rooms, room + 2)
                 : snprintf(path, sizeof path, "%s", load.path);

    n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", path,
                 load.host, load.is_http ? "" : UPGRADE,
                 load.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; "
                                "client_max_window_bits\r\n"
                              : "");
    send_all(c, request, (size_t)n);
    c->state = HANDSHAKING;
}

/* --- connections --- */

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

static void connect_one(void)
{
    struct conn *c = &load.conns[load.started++];
    const int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket %d: %s (ulimit -n?)", load.started, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bind_source(c->fd, (int)(c - load.conns));
    if (connect(c->fd, (struct sockaddr *)&load.address, sizeof load.address) < 0 &&
        errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &e);
    load.opening++;
}

static void on_connected(struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    int error = 0;
    socklen_t n = sizeof error;

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error)
        die("connect: %s", strerror(error));
    epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &e);
    send_handshake(c);
}

static void on_open(struct conn *c)
{
    c->state = OPEN;
    load.opening--;
    load.opened++;
    load.last_heard = now_ns();
}

/* Takes the answer's head off the front of the bytes; returns what is left of them. */
static size_t read_handshake(struct conn *c, const uint8_t *bytes, size_t n)
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
        on_open(c);
        return n - i - 1;
    }
    return 0;
}

/* --- what is heard --- */

static void say_result(const char *word)
{
    printf("%s {\"messages\":%llu,\"packed\":%llu,\"seconds\":%.4f,\"cpu\":%.4f,\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"missed\":%llu,\"lost\":%d}\n",
           word, (unsigned long long)load.messages, (unsigned long long)load.packed,
           (double)(now_ns() - load.began_ns) / 1e9, own_cpu() - load.began_cpu, percentile(0.5),
           percentile(0.9), percentile(0.99), percentile(1), (unsigned long long)load.missed,
           load.lost);
    fflush(stdout);
}

/* One message to everybody: the time of each is since the first was sent. */
static void on_delivery(int64_t now)
{
    count_latency(now - load.began_ns);
    if (++load.heard == load.connections)
        say_result("all");
}

static void on_news(struct conn *c, int64_t now)
{
    count_latency(now - load.published_ns);
    load.heard += c->round != load.round;
    c->round = load.round;
    go_on_publishing();
}

static void on_message(struct conn *c, int64_t now)
{
    load.messages++;
    load.packed += c->packed;
    load.last_heard = now;
    if (load.mode == ONCE && load.phase == HOLDING)
        return on_delivery(now);
    if (load.mode == PUBLISH && load.phase != HOLDING)
        return on_news(c, now);
    if (load.phase != WARMING && load.phase != COUNTING)
        return; /* a greeting, or the last answers */
    if (!c->packed && c->length != (uint64_t)load.size)
        die("a message of %llu bytes instead of %d", (unsigned long long)c->length, load.size);
    if (load.mode == ECHO) {
        count_latency(now - c->sent_ns);
        send_message(c);
    } else if (++load.heard == load.connections) {
        load.heard = 0;
        count_latency(now - load.conns[0].sent_ns);
        send_message(&load.conns[0]);
    }
}

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
    unsigned op = c->header[0] & 15;

    c->left = size == 2 ? c->header[1] : 0;
    for (unsigned i = 2; i < size; i++)
        c->left = c->left << 8 | c->header[i];
    c->fin = c->header[0] & 0x80;
    c->data = op < 8;
    if (op == 8)
        die("connection %d: the server sent Close", (int)(c - load.conns));
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
        size_t step = c->left < n ? (size_t)c->left : n;

        p += step;
        n -= step;
        c->left -= step;
        if (c->left)
            return;
        c->header_len = 0;
        if (c->data && c->fin) {
            on_message(c, now);
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
        on_message(c, now);
        c->length = 0;
    }
    c->length += (uint64_t)(end - p);
}

static void on_readable(struct conn *c)
{
    ssize_t n = recv(c->fd, load.buffer, sizeof load.buffer, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 && c->state == OPEN && load.lossy) {
        lose(c);
        return;
    }
    if (n <= 0)
        die("connection %d of %d: %s", (int)(c - load.conns), load.opened,
            n ? strerror(errno) : "closed by the server");
    size_t rest = c->state == OPEN ? (size_t)n : read_handshake(c, load.buffer, (size_t)n);

    if (rest && load.is_http)
        read_stream(c, load.buffer + n - rest, rest, now_ns());
    else if (rest)
        read_frames(c, load.buffer + n - rest, rest, now_ns());
}

/* --- phases --- */

static void set_phase(enum phase phase, double seconds)
{
    load.phase = phase;
    load.phase_until = seconds < 0 ? 0 : now_ns() + (int64_t)(seconds * 1e9);
    load.last_heard = now_ns();
}

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void all_open(void)
{
    printf("open {\"connections\":%d,\"seconds\":%.3f}\n", load.opened,
           (double)(now_ns() - load.began_ns) / 1e9);
    fflush(stdout);
    if (load.mode == IDLE || load.mode == ONCE)
        set_phase(HOLDING, -1);
    else
        set_phase(SETTLING, load.settle);
}

static void start_talking(void)
{
    set_phase(WARMING, load.warm);
    if (load.mode == PUBLISH) {
        publish_next();
        return;
    }
    for (int i = 0; i < (load.mode == ECHO ? load.connections : 1); i++)
        send_message(&load.conns[i]);
}

static void start_counting(void)
{
    memset(load.latency, 0, BUCKETS * sizeof *load.latency);
    load.messages = load.packed = load.missed = 0;
    load.began_ns = now_ns();
    load.began_cpu = own_cpu();
    set_phase(COUNTING, load.seconds);
    say("begin");
}

static void finish(void)
{
    say_result("end");
    set_phase(HOLDING, -1);
}

static void tell_everybody(void)
{
    memset(load.latency, 0, BUCKETS * sizeof *load.latency);
    load.messages = load.packed = 0;
    load.heard = 0;
    load.began_ns = now_ns();
    load.began_cpu = own_cpu();
    for (int i = 0; i < load.rooms && i < load.connections; i++)
        send_message(&load.conns[i]);
}

/* False: stdin has ended. */
static bool obey_stdin(void)
{
    char line[64];
    const ssize_t n = read(STDIN_FILENO, line, sizeof line);

    if (n > 0 && load.mode == ONCE && load.phase == HOLDING)
        tell_everybody();
    return n > 0;
}

static void next_phase(void)
{
    if (load.phase == OPENING) {
        while (load.opening < OPENING_MAX && load.started < load.connections)
            connect_one();
        if (load.opened == load.connections)
            all_open();
    }
    int64_t now = now_ns();

    if (load.phase != HOLDING && now - load.last_heard > SILENCE_S * 1000000000ll &&
        load.phase != SETTLING)
        die("%d s of silence (%d of %d connections open, %d of a broadcast heard)", SILENCE_S,
            load.opened, load.connections, load.heard);
    if (load.mode == PUBLISH && (load.phase == WARMING || load.phase == COUNTING))
        give_up_waiting(now);
    if (!load.phase_until || now < load.phase_until)
        return;
    switch (load.phase) {
    case SETTLING:
        return start_talking();
    case WARMING:
        return start_counting();
    case COUNTING:
        return finish();
    default:
        return;
    }
}

static void run(void)
{
    struct epoll_event events[256];
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = NULL};

    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &in) < 0)
        die("stdin cannot be waited for: give it a pipe");
    load.began_ns = load.last_heard = now_ns();
    for (;;) {
        next_phase();
        int n = epoll_wait(load.epoll, events, 256, 20);

        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;

            if (!c && !obey_stdin())
                return;
            if (!c)
                continue;
            if (events[i].data.ptr == &load.publisher)
                on_published();
            else if (c->state == CONNECTING)
                on_connected(c);
            else
                on_readable(c);
        }
    }
}

/* --- command line --- */

static void parse_url(const char *url)
{
    char host[48];
    int port, n = 0;

    load.is_http = !strncmp(url, "http:", 5);
    if ((!load.is_http && strncmp(url, "ws:", 3) != 0) ||
        sscanf(strchr(url, ':'), "://%47[0-9.]:%d%n", host, &port, &n) != 2 ||
        !inet_aton(host, &load.address.sin_addr))
        die("expected ws://ADDRESS:PORT/PATH or http://…, got %s", url);
    n += (int)(strchr(url, ':') - url);
    load.address.sin_family = AF_INET;
    load.address.sin_port = htons((uint16_t)port);
    snprintf(load.host, sizeof load.host, "%s:%d", host, port);
    snprintf(load.path, sizeof load.path, "%s", url[n] ? url + n : "/");
}

static enum mode parse_mode(const char *name)
{
    static const char *const names[] = {"echo", "broadcast", "idle", "once", "publish"};

    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i]))
            return (enum mode)i;
    die("--mode is echo, broadcast, idle, once or publish, not %s", name);
}

static int parse_int(const char *text, int min, int max)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*end || n < min || n > max)
        die("expected a number from %d to %d, got %s", min, max, text);
    return (int)n;
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = {{"mode", required_argument, NULL, 'm'},
                                            {"connections", required_argument, NULL, 'c'},
                                            {"size", required_argument, NULL, 's'},
                                            {"rooms", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"warm", required_argument, NULL, 'w'},
                                            {"settle", required_argument, NULL, 'q'},
                                            {"json", required_argument, NULL, 'j'},
                                            {"deflate", required_argument, NULL, 'z'},
                                            {"sources", required_argument, NULL, 'a'},
                                            {"publish", required_argument, NULL, 'p'},
                                            {"lossy", required_argument, NULL, 'l'},
                                            {0}};
    int o;

    while ((o = getopt_long(argc, argv, "m:c:s:r:t:w:q:j:z:a:p:l:", options, NULL)) != -1) {
        switch (o) {
        case 'm':
            load.mode = parse_mode(optarg);
            break;
        case 'c':
            load.connections = parse_int(optarg, 1, 1000000);
            break;
        case 's':
            load.size = parse_int(optarg, 0, MESSAGE_MAX);
            break;
        case 'r':
            load.rooms = parse_int(optarg, 1, 1000000);
            break;
        case 't':
            load.seconds = strtod(optarg, NULL);
            break;
        case 'w':
            load.warm = strtod(optarg, NULL);
            break;
        case 'q':
            load.settle = strtod(optarg, NULL);
            break;
        case 'j':
            load.json = parse_int(optarg, 0, 1);
            break;
        case 'z':
            load.deflate = parse_int(optarg, 0, 1);
            break;
        case 'a':
            load.sources = parse_int(optarg, 1, 250);
            break;
        case 'l':
            load.lossy = parse_int(optarg, 0, 1);
            break;
        case 'p':
            load.publish = parse_int(optarg, 1, 65535);
            break;
        default:
            die("usage: load [--mode echo|broadcast|idle|once|publish] [--connections N] [--size "
                "BYTES] "
                "[--rooms N (a %%d in PATH)]\n            [--seconds S] [--warm S] [--settle S] "
                "[--json 1] [--deflate 1] [--sources N] [--publish PORT] [--lossy 1] "
                "ws://ADDRESS:PORT/PATH");
        }
    }
    if (optind != argc - 1)
        die("one URL is needed");
    parse_url(argv[optind]);
    if (load.mode == PUBLISH && (load.size < 1 || load.size > PUBLISH_MAX))
        die("--size of what is published is 1 to %d", PUBLISH_MAX);
    if (load.is_http && load.mode != PUBLISH && load.mode != IDLE)
        die("a response that streams says nothing: --mode idle or publish");
}

int main(int argc, char **argv)
{
    struct rlimit files;

    parse_options(argc, argv);
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    load.conns = allocate((size_t)load.connections, sizeof *load.conns);
    load.latency = allocate(BUCKETS, sizeof *load.latency);
    build_frame();
    run();
    return 0;
}
