/*
 * The pulse: one page of memory that the gateway and one worker process share (a sealed memfd).
 *
 * The worker notes what it is doing, at the cost of a few plain stores a turn and without a system
 * call; the gateway looks while the worker runs (is a turn stuck?) and once more after it died
 * (which event was it in?). Everything in it is a hint from a process that may be hostile: the
 * gateway lets it decide only about the worker's own application.
 *
 * Contract of the worker:
 *   - `begun[link]` is set to the seq of an event before the turn of that event starts. Events of
 *     one link begin in the order in which they came, so every event up to begun[link] has begun.
 *   - `event` is the seq of the event that the running turn belongs to: the event itself, or, where
 *     it is known, the event whose continuation runs. 0 when that is nobody.
 *   - `turn` is odd while a turn runs and even between turns; it grows by one at either end, so
 *     that an odd value seen twice is one turn that is still running.
 *
 * All stores are relaxed except `turn`, which is released: a value of `turn` that was acquired
 * comes with the `event` of that turn.
 */
#ifndef WIRE_PULSE_H
#define WIRE_PULSE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

enum {
    PULSE_BYTES = 4096, /* size of the memfd */
    PULSE_LINKS = 64,   /* edges of one gateway at most */
    PULSE_VERSION = 1,
};

/* Exit statuses of a worker that passed a limit: they tell why when EXITING found a full link. */
enum { WORKER_EXIT_CPU = 3, WORKER_EXIT_MEMORY = 5 };

struct pulse {
    uint32_t version; /* PULSE_VERSION, written by the gateway before the worker starts */
    uint32_t links;   /* how many links the worker has, written by the gateway */
    _Atomic uint64_t turn;
    _Atomic uint64_t event;
    _Atomic uint64_t begun[PULSE_LINKS];
};

static_assert(sizeof(struct pulse) <= PULSE_BYTES, "the pulse fits its page");

static inline void pulse_turn_begin(struct pulse *p, uint64_t event)
{
    atomic_store_explicit(&p->event, event, memory_order_relaxed);
    atomic_store_explicit(&p->turn, atomic_load_explicit(&p->turn, memory_order_relaxed) | 1,
                          memory_order_release);
}

static inline void pulse_turn_end(struct pulse *p)
{
    atomic_store_explicit(&p->turn, (atomic_load_explicit(&p->turn, memory_order_relaxed) | 1) + 1,
                          memory_order_release);
    atomic_store_explicit(&p->event, 0, memory_order_relaxed);
}

#endif
