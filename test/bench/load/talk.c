/* Who says what when, and what is printed of it. */
#include "load.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

static double own_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void start_figures(void)
{
    latency_clear();
    load.messages = load.packed = load.missed = 0;
    load.began_ns = now_ns();
    load.began_cpu = own_cpu();
}

static void say_result(const char *word)
{
    printf("%s {\"messages\":%llu,\"packed\":%llu,\"seconds\":%.4f,\"cpu\":%.4f,\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"missed\":%llu,\"lost\":%d}\n",
           word, (unsigned long long)load.messages, (unsigned long long)load.packed,
           (double)(now_ns() - load.began_ns) / 1e9, own_cpu() - load.began_cpu, latency_at(0.5),
           latency_at(0.9), latency_at(0.99), latency_at(1), (unsigned long long)load.missed,
           load.lost);
    fflush(stdout);
}

/* --- publishing --- */

/* Each on a connection of its own: not every server keeps it. */
static void publish_next(void)
{
    struct sockaddr_in at = load.address;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &load.publisher};
    char post[PUBLISH_MAX + 512];
    const size_t n = message_post(post, sizeof post);

    load.heard = 0;
    load.publication++;
    at.sin_port = htons((uint16_t)load.publish);
    load.publisher = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (load.publisher < 0 || connect(load.publisher, (struct sockaddr *)&at, sizeof at) < 0)
        die("publish: %s", strerror(errno));
    epoll_ctl(load.hands[0].epoll, EPOLL_CTL_ADD, load.publisher, &e);
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
void talk_on_published(void)
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

/* --- what is heard --- */

void talk_on_lost(struct conn *c)
{
    load.lost++;
    load.connections--;
    load.heard -= c->news == load.publication;
    if (load.connections == 0)
        die("the server has closed all connections");
    if (load.mode == PUBLISH)
        go_on_publishing();
}

/* A line's worth of messages: the time of each is since its own was sent, or the first of all. */
static void on_delivery(struct conn *c, int64_t now)
{
    latency_count(now - (load.mode == EACH ? c->sent_ns : load.began_ns));
    if (++load.heard == load.connections)
        say_result("all");
}

static void on_news(struct conn *c, int64_t now)
{
    latency_count(now - load.published_ns);
    load.heard += c->news != load.publication;
    c->news = load.publication;
    go_on_publishing();
}

void talk_on_message(struct conn *c, int64_t now)
{
    load.messages++;
    load.packed += c->packed;
    load.last_heard = now;
    if ((load.mode == ONCE || load.mode == EACH) && load.phase == HOLDING)
        return on_delivery(c, now);
    if (load.mode == PUBLISH && load.phase != HOLDING)
        return on_news(c, now);
    if (load.phase != WARMING && load.phase != COUNTING)
        return; /* a greeting, or the last answers */
    if (load.mode != REQUEST && !c->packed && c->length != (uint64_t)load.size)
        die("a message of %llu bytes instead of %d", (unsigned long long)c->length, load.size);
    if (load.mode == ECHO || load.mode == REQUEST) {
        latency_count(now - c->sent_ns);
        conn_send(c);
    } else if (++load.heard == load.connections) {
        load.heard = 0;
        latency_count(now - load.conns[0].sent_ns);
        conn_send(&load.conns[0]);
    }
}

/* --- phases --- */

static void set_phase(enum phase phase, double seconds)
{
    load.phase = phase;
    load.phase_until = seconds < 0 ? 0 : now_ns() + (int64_t)(seconds * 1e9);
    load.last_heard = now_ns();
}

void talk_start(void)
{
    start_figures();
    set_phase(OPENING, -1);
}

static void all_open(void)
{
    printf("open {\"connections\":%d,\"seconds\":%.3f}\n", load.opened,
           (double)(now_ns() - load.began_ns) / 1e9);
    fflush(stdout);
    if (load.mode == IDLE || load.mode == ONCE || load.mode == EACH)
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
    for (int i = 0; i < (load.mode == BROADCAST ? 1 : load.connections); i++)
        conn_send(&load.conns[i]);
}

static void start_counting(void)
{
    start_figures();
    set_phase(COUNTING, load.seconds);
    puts("begin");
    fflush(stdout);
}

static void finish(void)
{
    say_result("end");
    set_phase(HOLDING, -1);
}

void talk_next_phase(void)
{
    const int64_t now = now_ns();

    if (load.phase == OPENING && load.opened == load.connections)
        all_open();
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

/* --- lines on stdin --- */

void talk_on_line(void)
{
    if (load.phase != HOLDING || (load.mode != ONCE && load.mode != EACH))
        return;
    start_figures();
    load.heard = 0;
    load.round++;
    for (int i = 0; i < load.hand_count; i++)
        hand_ring(&load.hands[i]);
}

void talk_speak(struct hand *h)
{
    const int speakers = load.mode == EACH ? h->end : load.rooms;

    if (h->round == load.round)
        return;
    h->round = load.round;
    for (int i = h->first; i < h->end && i < speakers; i++)
        conn_send(&load.conns[i]);
}
