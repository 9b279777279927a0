/*
 * A load of WebSocket connections on one server, from one thread where the limit on open files lets
 * it hold them all, as cheap as it can be made: the figures are about the server, so whatever this
 * program spends is spent in nobody's favour.
 *
 *   load [options] ws://ADDRESS:PORT/PATH   (or wss://; idle, publish: or http://, a response that
 *                                            streams)
 *
 * Every connection speaks RFC 6455 with frames built once. Ways to use them:
 *
 *   echo       each connection sends, waits for a message of the same length, sends again
 *   request    the same with requests and responses: http://
 *   broadcast  the first connection sends; when every connection has heard it, it sends again
 *   idle       connections are opened and held
 *   once       … and for each line on stdin the first one of each room sends, and all hear it
 *   each       … and for each line on stdin every one sends, and hears an answer
 *   publish    connections only listen; messages are published to the channel `bench` by a POST to
 *              /publish/ at port --publish, the next one when every connection has heard the last
 *
 * It prints a line as it goes, so that whoever started it can read the server's CPU in time:
 *
 *   open {"connections":N,"seconds":S}   all are open (then it waits --settle seconds)
 *   begin                                warmed up (--warm seconds); what follows counts
 *   end {"messages":N,"seconds":S,"cpu":S,"p50_us":T,"p90_us":T,"p99_us":T,"max_us":T}
 *   all {"messages":N,"seconds":S,"cpu":S,"p50_us":T,…}   once, each: every connection has heard
 *
 * publish: `end` counts deliveries that did not come within a second ("missed"). With --lossy 1
 * (echo, request, publish) a connection that the server closes is counted ("lost") instead of being an end.
 *
 * idle, once and each use as many threads as it takes (or --threads, if that is more), each with its
 * own table of open files, because the limit on them is one of a table. The others are one
 * conversation, and of one thread.
 *
 * With --sources N connections come from 127.0.0.1 to 127.0.0.N in turn: an address has no more
 * than some ten thousand free ports for one destination.
 *
 * --json 1 sends text that looks like an application's instead of the alphabet; --deflate 1 offers
 * permessage-deflate. Compressed messages are counted ("packed") and not expanded: they are the
 * server's work, not ours. messages are those received; times are from the sending to the answer,
 * or to the last hearer (publish: from the POST to each hearer; once: from the first sending).
 * After `end` (idle: after `open`) it holds its connections until stdin ends. Any failure (refused,
 * closed, a message of another length, 10 s of silence) ends it with status 1 and says so on
 * stderr.
 */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { RESERVE = 64 }; /* descriptors of a hand that are no connections */

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

struct load load = {
    .mode = ECHO,
    .connections = 100,
    .size = 64,
    .rooms = 1,
    .sources = 1,
    .seconds = 5,
    .warm = 1,
    .settle = 0.2,
};

void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(1);
}

int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void *allocate(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (!p)
        die("out of memory");
    return p;
}

/* --- hands --- */

void hand_ring(struct hand *h)
{
    (void)!write(h->bell, &(uint64_t){1}, 8);
}

static void watch(struct hand *h, int fd, void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};

    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        die("descriptor %d cannot be waited for%s", fd, fd ? "" : ": give stdin a pipe");
}

/* False: stdin has ended. */
static bool on_event(struct hand *h, void *what)
{
    char line[64];
    uint64_t rings;

    if (what == NULL) {
        if (read(STDIN_FILENO, line, sizeof line) <= 0)
            return false;
        talk_on_line();
    } else if (what == h) {
        (void)!read(h->bell, &rings, sizeof rings);
        talk_speak(h);
    } else if (what == &load.publisher) {
        talk_on_published();
    } else {
        conn_on_event(h, what);
    }
    return true;
}

static void tick(struct hand *h)
{
    while (h->opening < OPENING_MAX / load.hand_count && h->started < h->end)
        conn_start(h, &load.conns[h->started++]);
    if (h == &load.hands[0])
        talk_next_phase();
}

/* Returns when stdin, which hand 0 reads, has ended. */
static void run(struct hand *h)
{
    struct epoll_event events[256];

    h->buffer = allocate(1, READ_MAX);
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(h, h->bell, h);
    if (h == &load.hands[0])
        watch(h, STDIN_FILENO, NULL);
    for (;;) {
        tick(h);
        const int n = epoll_wait(h->epoll, events, 256, load.phase == HOLDING ? -1 : 20);

        for (int i = 0; i < n; i++)
            if (!on_event(h, events[i].data.ptr))
                return;
    }
}

static pthread_barrier_t all_apart;

static void *run_apart(void *hand)
{
    if (unshare(CLONE_FILES) < 0)
        die("a file table for each thread: %s", strerror(errno));
    pthread_barrier_wait(&all_apart);
    run(hand);
    return NULL;
}

/* Every hand gets an equal share, and its own file table before there is a connection. */
static void start_hands(int count)
{
    pthread_t thread;

    load.hand_count = count;
    for (int i = 0; i < count; i++) {
        load.hands[i].first = load.hands[i].started = (int)((int64_t)load.connections * i / count);
        load.hands[i].end = (int)((int64_t)load.connections * (i + 1) / count);
        load.hands[i].bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    pthread_barrier_init(&all_apart, NULL, (unsigned)count);
    for (int i = 1; i < count; i++)
        if (pthread_create(&thread, NULL, run_apart, &load.hands[i]) != 0)
            die("no thread %d", i);
    pthread_barrier_wait(&all_apart);
}

/* As few as the limit on open files, which is raised as far as it may be, lets hold them all. */
static int hands_needed(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        die("getrlimit: %s", strerror(errno));
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max <= RESERVE)
        die("%d open files are too few", (int)files.rlim_max);
    const int each = (int)MIN(files.rlim_max - RESERVE, 1 << 20);
    const int count = MAX(load.threads, (load.connections + each - 1) / each);

    if (count > HANDS_MAX)
        die("%d connections need more than %d threads: raise the limit on open files",
            load.connections, HANDS_MAX);
    if (count > 1 && load.mode != IDLE && load.mode != ONCE && load.mode != EACH)
        die("only --mode idle, once and each have several threads, and a thread may open %d files",
            (int)files.rlim_max);
    return count;
}

/* --- command line --- */

static void parse_url(const char *url)
{
    char host[48];
    int port, n = 0;

    load.is_http = !strncmp(url, "http:", 5);
    load.is_tls = !strncmp(url, "wss:", 4);
    if ((!load.is_http && !load.is_tls && strncmp(url, "ws:", 3) != 0) ||
        sscanf(strchr(url, ':'), "://%47[0-9.]:%d%n", host, &port, &n) != 2 ||
        !inet_aton(host, &load.address.sin_addr))
        die("expected ws://ADDRESS:PORT/PATH, wss://… or http://…, got %s", url);
    n += (int)(strchr(url, ':') - url);
    load.address.sin_family = AF_INET;
    load.address.sin_port = htons((uint16_t)port);
    snprintf(load.host, sizeof load.host, "%s:%d", host, port);
    snprintf(load.path, sizeof load.path, "%s", url[n] ? url + n : "/");
}

static enum mode parse_mode(const char *name)
{
    static const char *const names[] = {"echo", "request", "broadcast", "idle",
                                        "once", "each",    "publish"};

    for (int i = 0; i < MODES; i++)
        if (!strcmp(name, names[i]))
            return (enum mode)i;
    die("--mode is echo, request, broadcast, idle, once, each or publish, not %s", name);
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
    static const struct option options[] = {
        {"mode", required_argument, NULL, 'm'},    {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},    {"rooms", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 't'}, {"warm", required_argument, NULL, 'w'},
        {"settle", required_argument, NULL, 'q'},  {"json", required_argument, NULL, 'j'},
        {"deflate", required_argument, NULL, 'z'}, {"sources", required_argument, NULL, 'a'},
        {"publish", required_argument, NULL, 'p'}, {"lossy", required_argument, NULL, 'l'},
        {"threads", required_argument, NULL, 'n'}, {0}};
    int o;

    while ((o = getopt_long(argc, argv, "m:c:s:r:t:w:q:j:z:a:p:l:n:", options, NULL)) != -1) {
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
        case 'n':
            load.threads = parse_int(optarg, 1, HANDS_MAX);
            break;
        case 'p':
            load.publish = parse_int(optarg, 1, 65535);
            break;
        default:
            die("usage: load [--mode echo|request|broadcast|idle|once|each|publish]\n"
                "            [--connections N] [--size BYTES] [--rooms N (a %%d in PATH)]\n"
                "            [--seconds S] [--warm S] [--settle S] [--json 1] [--deflate 1]\n"
                "            [--sources N] [--publish PORT] [--lossy 1] [--threads N] "
                "ws://ADDRESS:PORT/PATH");
        }
    }
    if (optind != argc - 1)
        die("one URL is needed");
    parse_url(argv[optind]);
    if (load.mode == PUBLISH && (load.size < 1 || load.size > PUBLISH_MAX))
        die("--size of what is published is 1 to %d", PUBLISH_MAX);
    if (load.is_http && load.mode != PUBLISH && load.mode != IDLE && load.mode != REQUEST)
        die("http:// has no messages: --mode request, idle or publish");
    if (load.mode == REQUEST && !load.is_http)
        die("--mode request needs http://");
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    load.conns = allocate((size_t)load.connections, sizeof *load.conns);
    message_build();
    wire_init();
    talk_start();
    start_hands(hands_needed());
    run(&load.hands[0]);
    return 0;
}
