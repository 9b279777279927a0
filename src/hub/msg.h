/*
 * A message: something published on a channel, as the hub sees it. Immutable and counted; what it
 * says to whom is its maker's, whose struct begins with this one (edge/publication.h).
 */
#ifndef HUB_MSG_H
#define HUB_MSG_H

#include "base/list.h"

struct msg {
    /* The maker's, before it is published; slices stay valid as long as the message. */
    void (*free)(struct msg *m);
    struct slice channel;
    struct slice id, prev_id; /* empty unless has_id, has_prev_id */
    bool has_id, has_prev_id;
    bool no_seq;     /* it does not wait for its predecessor */
    bool passing;    /* it is not kept in the history: a hint, a close */
    uint32_t weight; /* bytes it costs to keep */

    /* The rest is the hub's; a message is published once, in one hub. */
    uint32_t refs;                    /* the maker begins with 1: msg_init() */
    uint64_t seq;                     /* of all that was published in its hub, from 1 */
    struct ring *ring;                /* history.h; NULL: it is not kept */
    struct list in_channel, in_total; /* in the history */
    struct list parked;               /* waits for its predecessor, in its channel … */
    struct list waiting;              /* … and in all of the hub */
    int64_t at_ms;                    /* when it was kept, or parked */
};

/* One reference, on zeroed memory. */
static inline void msg_init(struct msg *m, void (*free)(struct msg *m))
{
    m->free = free;
    m->refs = 1;
}

static inline struct msg *msg_ref(struct msg *m)
{
    m->refs++;
    return m;
}

/* NULL is nothing. */
static inline void msg_unref(struct msg *m)
{
    if (m && --m->refs == 0)
        m->free(m);
}

#endif
