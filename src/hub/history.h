/*
 * What was said lately: the newest messages of every channel, in order. Bounded for a channel
 * (count, bytes), in time, and in all; the oldest go first. Times are given.
 */
#ifndef HUB_HISTORY_H
#define HUB_HISTORY_H

#include "hub/msg.h"

/* As hub_options. */
struct history_limits {
    uint32_t count; /* of a channel; 0: nothing is kept */
    uint32_t bytes; /* of a channel */
    uint32_t ms;
    uint64_t total; /* bytes of all channels */
};

/* One channel's part; zero is an empty one. */
struct ring {
    struct list msgs; /* by msg.in_channel, the oldest first; zeroed while it is empty */
    uint32_t n;
    uint32_t bytes;
    void *arg; /* the owner's: who emptied() is about */
};

struct history {
    struct history_limits limits;
    struct list msgs; /* of all channels, by msg.in_total, the oldest first */
    uint32_t n;
    uint64_t bytes;
    /* The last message of a ring has gone; never told from a ring's own history_keep(). */
    void (*emptied)(struct ring *r);
};

/* Copies the limits. */
void history_init(struct history *h, const struct history_limits *limits,
                  void (*emptied)(struct ring *r));
/* Forgets all; emptied() is not told. */
void history_done(struct history *h);

/* Takes a reference of its own; a message over a limit is not kept. Then drops what is too much. */
void history_keep(struct history *h, struct ring *r, struct msg *m, int64_t now_ms);
/* Drops what is too old. */
void history_expire(struct history *h, int64_t now_ms);
/* When something is too old next; INT64_MAX: nothing is kept. */
int64_t history_due(const struct history *h);

/* The newest message with that id, or NULL. Linear in the ring. */
struct msg *history_find(const struct ring *r, struct slice id);
/* The one after m in its channel; NULL: m is the newest. */
struct msg *history_after(const struct ring *r, const struct msg *m);

#endif
