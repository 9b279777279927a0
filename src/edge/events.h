/*
 * Events: what has happened for an application on this edge and is not acknowledged yet.
 *
 * Every event has a seq (edge bits and a counter), in the order in which it happened. It is queued,
 * then sent to a worker, and it is dropped when the worker's ACK comes. When the worker dies the
 * sent ones are still here: retry() makes those of them that may be delivered again queued
 * again, in the old order and before everything that came later.
 *
 * The frame of an event is kept as it goes over the link. No I/O and no policy here: who may be
 * delivered again, and how much may wait, is decided above (link.c).
 */
#ifndef EDGE_EVENTS_H
#define EDGE_EVENTS_H

#include "base/bytes.h"
#include "base/list.h"

struct event {
    struct list order;
    struct event *next; /* at the same place of the table; of the spare ones */
    uint64_t seq;
    int64_t at_us;      /* when it happened; once sent, when it was */
    uint64_t id;        /* the exchange or the hold; 0 for an alarm */
    struct blob *frame; /* NULL once sent, when the event is not kept */
    uint32_t bytes;     /* what it counts for */
    uint16_t type;      /* enum ipc_type */
    bool sent;
    bool keep;      /* the frame stays after sending, for another delivery */
    uint8_t guilty; /* how many workers ended in it */
    uint8_t tries;  /* how many ended in an unknown event while this one had begun */
};

struct events {
    uint64_t next_seq;
    struct list all;      /* in order of seq */
    struct list *unsent;  /* the first event that is not sent; &all when there is none */
    struct event **table; /* by the counter */
    uint32_t mask;
    uint32_t n;
    uint64_t bytes;
    struct event *spare; /* freed ones, for the next */
    uint32_t n_spare;
};

void events_init(struct events *ev, uint64_t tag);
/* Drops everything. */
void events_done(struct events *ev);

/* The seq that the next events_add will use, so that it can be written into the frame. */
static inline uint64_t events_next_seq(const struct events *ev)
{
    return ev->next_seq;
}

/* Appends. bytes: what it counts for in ev->bytes. Borrowed until it is dropped. */
struct event *events_add(struct events *ev, unsigned type, uint64_t id, struct blob *take_frame,
                         uint32_t bytes);
struct event *events_find(const struct events *ev, uint64_t seq);
void events_drop(struct events *ev, struct event *e);

/* The first queued event becomes a sent one; NULL when all are sent. Its frame is there; the caller
 * drops it when the event is not kept. */
struct event *events_send(struct events *ev);
static inline bool events_has_unsent(const struct events *ev)
{
    return ev->unsent != &ev->all;
}

/* All sent events (only kept ones may be left) are queued again. */
void events_rewind(struct events *ev);

#endif
