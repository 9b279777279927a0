/*
 * The hub: all channels of one loop, who listens on them, and what was said lately. No I/O and no
 * clock: `now_ms` is given, and only hub_run() calls back.
 *
 *                  duplicate id: dropped
 *                ┌──────────────────────►
 *   hub_publish ─┼─► parked until its predecessor came, or for wait_ms ─┐
 *                └──────────────────────────────────────────────────────┴─► history ─► queue
 *   hub_run:  queue ─► deliver() to each sub that was there when it was published, in that order
 *
 * A channel is there while it has subs, lingers, or has a history; names are any bytes, also none.
 * Every listener of a channel hears all messages in the same order, and so does one who listens on
 * several. A sub costs 40 bytes in its owner's struct.
 *
 * Bounds: parked messages of a channel (HUB_PARKED) and remembered ids (HUB_IDS): the newest
 * message, the oldest id are dropped. The history as hub_options say. The queue has no bound of its
 * own: its user asks hub_stats.queue_bytes before it publishes.
 */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "hub/msg.h"

struct hub;

enum {
    HUB_PARKED = 100,         /* messages of one channel that wait for their predecessors */
    HUB_IDS = 1 << 20,        /* ids that are known as published, to find duplicates */
    HUB_FIRST_MS = 1000,      /* from a channel's first sub to refresh() */
    HUB_CHANNEL_WEIGHT = 256, /* what keeping a channel and a message in it costs besides */
};

/* All as they are: no defaults. */
struct hub_options {
    uint32_t wait_ms;       /* a message waits for its predecessor; 0: it does not */
    uint32_t id_cache_ms;   /* the same id is not published twice within; 0: it may be */
    uint32_t linger_ms;     /* a channel stays known after the last sub that lingers has gone */
    uint32_t history_count; /* messages kept for a channel; 0: there is no history */
    uint32_t history_bytes; /* … bytes of them */
    uint32_t history_ms;    /* … for so long */
    uint64_t history_total; /* bytes kept for all channels */
    bool no_first;          /* refresh() is not told after a channel's first sub */
};

/* One listener on one channel; in its owner's struct, zeroed before hub_subscribe(). */
struct sub {
    struct list in_channel;
    struct channel *channel; /* NULL: subscribed to nothing */
    uint64_t since;          /* msg.seq of the last one that was published before */
    bool replaying;          /* its history is in the queue */
    bool lingers; /* the owner's: when it leaves, the channel stays known for linger_ms */
};

/* Facts, told from within hub_run() only. Each may call any verb of the hub but hub_run() and
 * hub_free(), for any sub. */
struct hub_ops {
    void (*deliver)(void *arg, struct sub *s, struct msg *m);
    /* A second ago the channel was heard of for the first time, or hub_recover() was called: what
     * happened before may have been missed. Once for each sub of the channel. */
    void (*refresh)(void *arg, struct sub *s);
    /* The first sub of a channel that was not known came, or the last one has gone (and does not
     * linger). May be NULL; told also from inside hub_subscribe(), hub_unsubscribe(). */
    void (*known)(void *arg, struct slice channel, bool is_known);
};

struct hub_stats {
    uint64_t published;  /* messages that went into the queue */
    uint64_t duplicates; /* dropped: that id was published already */
    uint64_t misordered; /* dropped: too many are parked, or one has that predecessor already */
    uint64_t overdue;    /* published without their predecessor */
    uint64_t delivered;  /* deliver() calls */
    uint64_t replayed;   /* … of them from the history */
    uint32_t channels;   /* now … */
    uint32_t subs;
    uint32_t parked;
    uint32_t ids;
    uint32_t queued;      /* messages that are not delivered to all yet */
    uint64_t queue_bytes; /* their weight, and that of the parked */
    uint32_t kept;        /* messages in the histories */
    uint64_t kept_bytes;
};

/* Copies o, borrows ops. Never NULL. */
struct hub *hub_new(const struct hub_options *o, const struct hub_ops *ops, void *arg);
/* Subs need not be gone; they are subscribed to nothing then. NULL is nothing. */
void hub_free(struct hub *h);
struct hub_stats hub_stats(const struct hub *h);

/* s hears what is published from now on. s->channel is NULL before. */
void hub_subscribe(struct hub *h, struct sub *s, struct slice channel, int64_t now_ms);
/* Nothing is told to s any more. Safe on one that is not subscribed. */
void hub_unsubscribe(struct hub *h, struct sub *s, int64_t now_ms);
/*
 * At once after hub_subscribe(): the messages kept after the one with that id are delivered to s,
 * before anything that is published later. Returns how many; -ERR_NOT_FOUND: that id is not in the
 * history, so that nobody knows what is missing.
 */
int hub_replay(struct hub *h, struct sub *s, struct slice after_id);

/* Takes the caller's reference. Nothing is delivered before hub_run(). True: it goes to the
 * subs (or waits for its predecessor); false: it was dropped, a duplicate or misordered. */
bool hub_publish(struct hub *h, struct msg *take_m, int64_t now_ms);

/* The id of the newest message on that channel, false when it is not known or has none. The slice
 * is borrowed until the next verb. */
bool hub_last_id(const struct hub *h, struct slice channel, struct slice *ret_id);
/* That id is forgotten. */
void hub_forget(struct hub *h, struct slice channel);
/* All ids are forgotten (duplicates are let through, too), and refresh() is told to all subs. */
void hub_recover(struct hub *h);

/*
 * Does what is due and tells at most `budget` facts (about: a channel's last one may pass it).
 * True: more is to be done now. Cost is that of the facts and of what expires.
 */
bool hub_run(struct hub *h, int64_t now_ms, unsigned budget);
/* When hub_run() has to be called at the latest; INT64_MAX: when something is published. */
int64_t hub_due(const struct hub *h);

/* The name of the sub's channel; borrowed while it is subscribed. */
struct slice hub_channel(const struct sub *s);

/* Channels in no particular order: start with *it = 0; false at the end. Between two calls no other
 * verb may be called. Borrowed: name, last id. */
struct hub_channel_info {
    struct slice name;
    struct slice last_id; /* empty: none */
    uint32_t subs;
    uint32_t kept;
    const struct list *list; /* of struct sub, by in_channel */
};
bool hub_next(const struct hub *h, uint32_t *it, struct hub_channel_info *ret);

#endif
