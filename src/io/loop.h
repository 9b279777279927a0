/*
 * The loop: one thread, no locks. Everything that polls, waits or asks the time is below this door.
 *
 * A tick is: poll → due timers → reads → mailbox → deferred → flush → reap.
 *
 *   - Nobody frees inside a callback: an object that dies is doomed (its verbs become no-ops) and
 *     its memory goes in the reap phase.
 *   - Nobody writes to a socket inside a callback: bytes go to a queue, the flush phase writes.
 *   - Time is given: loop_now() is the moment at which this tick began to work, and does not move
 *     within it.
 *
 * Only mailbox_post(), loop_give() and loop_stop() may be called from another thread.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/heap.h"

struct loop;

/* NULL with errno set when the system gives no descriptors. */
struct loop *loop_new(void);
/*
 * A loop without a kernel, for tests: no descriptors, and a clock that stands still (it begins at
 * 1,000,000 ms) until loop_advance() moves it. Loopback streams, timers, tasks and mails work.
 */
struct loop *loop_new_simulated(void);
/* Runs what is still due in the phases (so that doomed objects are freed), then frees the loop.
 * Watches and timers must be gone. NULL is nothing. */
void loop_free(struct loop *l);

/* Ticks until loop_stop(). */
void loop_run(struct loop *l);
/* From any thread or a callback: loop_run() returns after the tick that notices it. Sticks until
 * the next loop_run() has returned. */
void loop_stop(struct loop *l);
/* One tick; waits at most max_wait_ms for something to happen (-1: until something does). */
void loop_tick(struct loop *l, int64_t max_wait_ms);
/* Simulated loops: ticks until nothing is left to do, then moves the clock from deadline to
 * deadline (ticking at each) until ms have passed. 0 only settles what is due now. */
void loop_advance(struct loop *l, int64_t ms);

/* Monotonic milliseconds, fixed within a tick. */
int64_t loop_now(const struct loop *l);
/* The same moment in microseconds, for measurements. */
int64_t loop_now_us(const struct loop *l);
/* Bytes that wait in the queues of the loop's streams. */
uint64_t loop_queued(const struct loop *l);
/* Wall-clock milliseconds since 1970, fixed within a tick (simulated: moves with loop_advance). */
int64_t loop_wall(const struct loop *l);
/* The same moment as an HTTP date, "Sun, 06 Nov 1994 08:49:37 GMT": 29 bytes, for this tick. */
struct slice loop_http_date(struct loop *l);

/*
 * Busy polling: before it sleeps, the loop asks the kernel again and again for this long, when the
 * last events came within it. Trades CPU for the wake-up (some tens of microseconds); 0 is never,
 * the default.
 */
void loop_spin(struct loop *l, unsigned microseconds);

/* --- timers: the node is in the caller's struct --- */

struct timer {
    struct heap_node node;
    void (*due)(struct timer *t); /* unset again when it is called; may set it anew */
};

/* (Re)sets it to be due at_ms of loop_now(). */
void timer_set(struct loop *l, struct timer *t, int64_t at_ms);
/* Safe on one that is not set. */
void timer_del(struct loop *l, struct timer *t);

/* --- phases --- */

enum loop_phase {
    LOOP_READS,
    LOOP_MAILBOX,
    LOOP_DEFERRED,
    LOOP_FLUSH,
    LOOP_REAP,
    LOOP_PHASES,
};

/*
 * Calls run(arg) once when the phase comes: in this tick when it is still ahead, else in the next,
 * which then does not wait. A task cannot be taken back; it may outlive arg's doom (check it) but
 * never arg's memory, because memory goes in a reap task that comes after it: a task that is posted
 * while its own phase runs belongs to the next tick. A doomed object posts nothing.
 */
void loop_defer(struct loop *l, enum loop_phase phase, void (*run)(void *arg), void *arg);

/* --- descriptors --- */

/* Edge-triggered: ready() is told when fd becomes readable or writable, and must then go on until
 * the system says EAGAIN (or remember that it did not). The struct is embedded in the caller's. */
struct watch {
    void (*ready)(struct watch *w,
                  uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR */
    int fd;
    uint32_t flags; /* the owner's */
};

/* events: EPOLLIN and so on (EPOLLET is added). -ERR_OS with errno. */
int watch_start(struct loop *l, struct watch *w, uint32_t events);
/* Other events for a started watch; what is already ready is told again. */
int watch_change(struct loop *l, struct watch *w, uint32_t events);
/* Stops it before its fd is closed. w's memory must stay until the tick is over. */
void watch_stop(struct loop *l, struct watch *w);

/*
 * A descriptor for the thread of another loop, whose file table may be its own (threads.h). Takes
 * it in any case, and returns what loop_take() there wants to know, or -ERR_OS. Mails carry that
 * number, in the order of the calls.
 */
int loop_give(struct loop *to, int take_fd);
/* On l's thread: the descriptor; -ERR_OS when it cannot be had. */
int loop_take(struct loop *l, int given);

/* --- the shared read buffer --- */

enum {
    LOOP_HEADROOM = 16 * 1024, /* writable bytes in front of what a stream hands up */
    LOOP_READ = 64 * 1024,     /* one read at most */
};

/* LOOP_READ bytes, with LOOP_HEADROOM writable bytes before p. Whoever reads uses it and is done
 * with it before its callback returns. */
struct span loop_read_buffer(struct loop *l);

/* --- signals --- */

struct signals;
/*
 * Tells caught(arg, number) on this loop for each of the n signals, which are blocked in the
 * calling thread from now on (call it before other threads start, so that they inherit the mask).
 * SIGPIPE is ignored for the process. NULL with errno on failure.
 */
struct signals *signals_open(struct loop *l, const int *numbers, size_t n,
                             void (*caught)(void *arg, int number), void *arg);
/* The signals stay blocked. NULL is nothing. */
void signals_close(struct signals *s);

#endif
