/*
 * How a doomed object stays safe
 *
 * A task can wait for a phase of the next tick, so memory must outlive the tick in which its
 * object was doomed: reap tasks that are posted in tick N run at the end of tick N+1.
 *
 *   tick N      … deferred: X posts a READS task, then X is doomed (posts its REAP task) … reap
 *   tick N+1    reads: the task finds X doomed, does nothing … reap: X is freed
 */
#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "io/descriptors.h"
#include "io/io_int.h"

enum {
    EVENTS = 512,           /* told by one poll */
    SETTLE_TICKS = 1000000, /* a simulated loop that does not come to rest by then never will */
    FREE_ROUNDS = 1000,
};

struct task {
    void (*run)(void *arg);
    void *arg;
};

struct tasks {
    struct task *list;
    uint32_t n;
    uint32_t cap;
};

struct loop {
    struct tasks posted[LOOP_PHASES];
    struct tasks ripe;  /* reap tasks of the last tick */
    struct tasks spare; /* memory that the next phase to run leaves for new posts */
    struct heap timers;
    int64_t now_ms;
    int64_t now_us; /* real loops */
    int64_t wall_ms;
    uint64_t queued;
    int epoll_fd; /* -1: simulated */
    struct watch wake;
    struct mailbox mailbox;
    struct handover handover; /* for descriptors from other threads; -1: they share a table */
    atomic_bool stopping;
    unsigned spin_us;
    int64_t busy_us; /* when events last came, for the spin */
    int64_t date_s;
    char date[32];
    uint8_t *buffer;
    int n_events;
    struct epoll_event events[EVENTS];
};

/* --- time --- */

static int64_t clock_us(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void update_time(struct loop *l)
{
    if (l->epoll_fd < 0)
        return;
    l->now_us = clock_us(CLOCK_MONOTONIC);
    l->now_ms = l->now_us / 1000;
    l->wall_ms = clock_us(CLOCK_REALTIME) / 1000;
}

int64_t loop_now(const struct loop *l)
{
    return l->now_ms;
}

int64_t loop_now_us(const struct loop *l)
{
    return l->epoll_fd < 0 ? l->now_ms * 1000 : l->now_us;
}

uint64_t loop_queued(const struct loop *l)
{
    return l->queued;
}

void loop__queue(struct loop *l, int64_t difference)
{
    l->queued += (uint64_t)difference;
}

int64_t loop_wall(const struct loop *l)
{
    return l->wall_ms;
}

struct slice loop_http_date(struct loop *l)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = (time_t)(l->wall_ms / 1000);
    struct tm t;

    if (l->date_s != now) {
        l->date_s = now;
        (void)gmtime_r(&now, &t);
        /* RFC 9110 5.6.7, without the locale that strftime would ask. */
        (void)snprintf(l->date, sizeof(l->date), "%s, %02u %s %04u %02u:%02u:%02u GMT",
                       days[t.tm_wday], (unsigned)t.tm_mday % 100, months[t.tm_mon],
                       (unsigned)(t.tm_year + 1900) % 10000, (unsigned)t.tm_hour % 100,
                       (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
    }
    return slice_make(l->date, 29);
}

void timer_set(struct loop *l, struct timer *t, int64_t at_ms)
{
    heap_set(&l->timers, &t->node, at_ms);
}

void timer_del(struct loop *l, struct timer *t)
{
    heap_del(&l->timers, &t->node);
}

/* --- tasks --- */

void loop_defer(struct loop *l, enum loop_phase phase, void (*run)(void *arg), void *arg)
{
    struct tasks *t = &l->posted[phase];

    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 32;
        t->list = mem_grow(t->list, t->cap * sizeof(t->list[0]));
    }
    t->list[t->n++] = (struct task){run, arg};
}

/* Empties *from first, so that what the tasks post there belongs to the next tick. */
static void run_tasks(struct loop *l, struct tasks *from)
{
    struct tasks now = *from;

    if (now.n == 0)
        return;
    *from = l->spare;
    l->spare = (struct tasks){0};
    for (uint32_t i = 0; i < now.n; i++)
        now.list[i].run(now.list[i].arg);
    now.n = 0;
    mem_free(l->spare.list);
    l->spare = now;
}

static void run_reap(struct loop *l)
{
    struct tasks empty;

    run_tasks(l, &l->ripe);
    empty = l->ripe;
    l->ripe = l->posted[LOOP_REAP];
    l->posted[LOOP_REAP] = empty;
}

static bool has_work(struct loop *l)
{
    if (l->ripe.n || !mailbox__is_empty(&l->mailbox))
        return true;
    for (int i = 0; i < LOOP_PHASES; i++)
        if (l->posted[i].n)
            return true;
    return false;
}

/* --- the tick --- */

static int wait_ms(struct loop *l, int64_t max_wait_ms)
{
    const struct heap_node *next = heap_peek(&l->timers);
    int64_t wait = max_wait_ms;

    if (has_work(l) || atomic_load_explicit(&l->stopping, memory_order_acquire))
        return 0;
    if (next) {
        const int64_t left = MAX(next->at_ms - clock_us(CLOCK_MONOTONIC) / 1000, 0);

        wait = wait < 0 ? left : MIN(wait, left);
    }
    return (int)MIN(wait, INT_MAX);
}

static int poll_once(struct loop *l, int ms)
{
    const int n = epoll_wait(l->epoll_fd, l->events, EVENTS, ms);

    return MAX(n, 0); /* EINTR: the tick goes on without events */
}

static int spin(struct loop *l, int ms)
{
    const int64_t began = clock_us(CLOCK_MONOTONIC);
    const int64_t until = began + MIN((int64_t)l->spin_us, ms < 0 ? INT64_MAX : (int64_t)ms * 1000);
    int n = 0;

    if (began - l->busy_us > l->spin_us)
        return 0;
    do
        n = poll_once(l, 0);
    while (n == 0 && clock_us(CLOCK_MONOTONIC) < until);
    return n;
}

static void poll_events(struct loop *l, int64_t max_wait_ms)
{
    const int ms = wait_ms(l, max_wait_ms);

    l->n_events = 0;
    if (l->epoll_fd < 0)
        return;
    if (ms != 0 && l->spin_us)
        l->n_events = spin(l, ms);
    if (l->n_events == 0)
        l->n_events = poll_once(l, ms);
    if (l->spin_us && l->n_events)
        l->busy_us = clock_us(CLOCK_MONOTONIC);
    update_time(l);
}

/* At most as many as were set when it began: one that sets itself to now again waits for the next
 * tick. */
static void run_timers(struct loop *l)
{
    for (uint32_t n = l->timers.count; n > 0; n--) {
        struct heap_node *node = heap_pop_due(&l->timers, l->now_ms);
        struct timer *t = CONTAINER_OF(node, struct timer, node);

        if (!node)
            return;
        t->due(t);
    }
}

/* Tasks first: what an event posts behind them (a stream that has more to say) is for the next
 * tick. */
static void run_reads(struct loop *l)
{
    run_tasks(l, &l->posted[LOOP_READS]);
    for (int i = 0; i < l->n_events; i++) {
        struct watch *w = l->events[i].data.ptr;

        if (w->ready)
            w->ready(w, l->events[i].events);
    }
    l->n_events = 0;
}

static void run_mailbox(struct loop *l)
{
    if (!mailbox__is_empty(&l->mailbox))
        mailbox__deliver(&l->mailbox);
    run_tasks(l, &l->posted[LOOP_MAILBOX]);
}

void loop_tick(struct loop *l, int64_t max_wait_ms)
{
    poll_events(l, max_wait_ms);
    run_timers(l);
    run_reads(l);
    run_mailbox(l);
    run_tasks(l, &l->posted[LOOP_DEFERRED]);
    run_tasks(l, &l->posted[LOOP_FLUSH]);
    run_reap(l);
}

void loop_run(struct loop *l)
{
    while (!atomic_load_explicit(&l->stopping, memory_order_acquire))
        loop_tick(l, -1);
    atomic_store_explicit(&l->stopping, false, memory_order_release);
}

void loop_stop(struct loop *l)
{
    atomic_store_explicit(&l->stopping, true, memory_order_release);
    loop__wake(l);
}

static void settle(struct loop *l)
{
    int ticks = 0;

    do
        loop_tick(l, 0);
    while (has_work(l) && ++ticks < SETTLE_TICKS);
    assert(ticks < SETTLE_TICKS);
}

void loop_advance(struct loop *l, int64_t ms)
{
    const int64_t until = l->now_ms + ms;
    const struct heap_node *next;

    assert(l->epoll_fd < 0);
    settle(l);
    while ((next = heap_peek(&l->timers)) != NULL && next->at_ms <= until) {
        const int64_t step = MAX(next->at_ms - l->now_ms, 0);

        l->now_ms += step;
        l->wall_ms += step;
        settle(l);
    }
    l->wall_ms += until - l->now_ms;
    l->now_ms = until;
}

void loop_spin(struct loop *l, unsigned microseconds)
{
    l->spin_us = microseconds;
}

/* --- descriptors --- */

/* False: a simulated loop, which has no descriptors to watch. */
static bool is_real(const struct loop *l)
{
    return l->epoll_fd >= 0;
}

static int control(struct loop *l, int op, struct watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events | EPOLLET, .data.ptr = w};

    return epoll_ctl(l->epoll_fd, op, w->fd, &ev) < 0 ? -ERR_OS : 0;
}

int watch_start(struct loop *l, struct watch *w, uint32_t events)
{
    assert(is_real(l) && w->ready);
    return control(l, EPOLL_CTL_ADD, w, events);
}

int watch_change(struct loop *l, struct watch *w, uint32_t events)
{
    return control(l, EPOLL_CTL_MOD, w, events);
}

void watch_stop(struct loop *l, struct watch *w)
{
    /* Not left to close(): a child between fork and exec has a copy of the descriptor, which would
     * keep the registration, and with it a pointer to w, alive. */
    if (w->ready)
        (void)control(l, EPOLL_CTL_DEL, w, 0);
    w->ready = NULL;
}

int loop_give(struct loop *to, int take_fd)
{
    if (to->handover.give_fd < 0)
        return take_fd;
    return handover_give(&to->handover, take_fd);
}

int loop_take(struct loop *l, int given)
{
    return given < 0 || l->handover.take_fd < 0 ? given : handover_take(&l->handover);
}

struct span loop_read_buffer(struct loop *l)
{
    return (struct span){l->buffer + LOOP_HEADROOM, LOOP_READ};
}

/* --- for this folder --- */

struct mailbox *loop__mailbox(struct loop *l)
{
    return &l->mailbox;
}

void loop__wake(struct loop *l)
{
    const uint64_t one = 1;

    /* Edge-triggered: every write is an event, nobody needs to read the counter back. */
    if (l->epoll_fd >= 0)
        (void)!write(l->wake.fd, &one, sizeof(one));
}

int loop__open_handover(struct loop *l)
{
    return handover_open(&l->handover);
}

void loop__descriptors(const struct loop *l, int ret[LOOP_DESCRIPTORS])
{
    ret[LOOP_EPOLL_FD] = l->epoll_fd;
    ret[LOOP_WAKE_FD] = l->wake.fd;
    ret[LOOP_GIVE_FD] = l->handover.give_fd;
    ret[LOOP_TAKE_FD] = l->handover.take_fd;
}

int io__error(int os_errno)
{
    switch (os_errno) {
    case ENOMEM:
    case ENOBUFS:
    case EBADF:
    case EINVAL:
        return -ERR_OS;
    case EPROTO:
        return -ERR_TLS;
    default:
        return -ERR_RESET;
    }
}

/* --- life --- */

static void on_wake(struct watch *w, uint32_t events)
{
    (void)w;
    (void)events;
}

static struct loop *make(int epoll_fd, int wake_fd)
{
    struct loop *l = mem_new(sizeof(*l));

    l->epoll_fd = epoll_fd;
    l->wake = (struct watch){.ready = on_wake, .fd = wake_fd};
    l->buffer = mem_new(LOOP_HEADROOM + LOOP_READ);
    l->date_s = -1;
    l->handover = (struct handover){-1, -1};
    return l;
}

struct loop *loop_new(void)
{
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    const int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct loop *l = make(epoll_fd, wake_fd);

    if (epoll_fd < 0 || wake_fd < 0 || watch_start(l, &l->wake, EPOLLIN) < 0) {
        const int saved = errno;

        loop_free(l);
        errno = saved;
        return NULL;
    }
    update_time(l);
    return l;
}

struct loop *loop_new_simulated(void)
{
    struct loop *l = make(-1, -1);

    l->now_ms = 1000000;
    l->wall_ms = 1700000000000;
    return l;
}

static void run_rest(struct loop *l)
{
    for (int i = 0; i < FREE_ROUNDS && has_work(l); i++) {
        mailbox__deliver(&l->mailbox);
        for (int phase = 0; phase < LOOP_REAP; phase++)
            run_tasks(l, &l->posted[phase]);
        run_reap(l);
    }
    assert(!has_work(l));
}

static void close_descriptors(const struct loop *l)
{
    int fds[LOOP_DESCRIPTORS];

    loop__descriptors(l, fds);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    run_rest(l);
    assert(!heap_peek(&l->timers));
    heap_done(&l->timers);
    for (int i = 0; i < LOOP_PHASES; i++)
        mem_free(l->posted[i].list);
    mem_free(l->ripe.list);
    mem_free(l->spare.list);
    mem_free(l->buffer);
    close_descriptors(l);
    mem_free(l);
}
