/*
 * A subscriber: the channels one client is subscribed to (a hold over HTTP or a WebSocket), with
 * the filters, the place in the sequence (prev-id) and the metadata that decide what it hears.
 *
 *   hub ─► subscription ─► rate of the route ─► paused? queue ─► filters ─► prev-id ─► ops
 *
 * Embedded in its owner's struct, whose memory stays until the reap phase after subscriber_done().
 * All facts come from the loop, never from inside a verb; none comes after subscriber_done(). A
 * subscriber is 56 bytes, a subscription 96 and its names.
 *
 * Bounds: `max` channels (of the origin's making; implicit ones do not count); while paused,
 * SUBSCRIBER_QUEUE items with SUBSCRIBER_QUEUE_BYTES (one may be larger): the next ones are dropped
 * and counted, or, on a channel with prev-id, the sequence breaks and recover() is told after the
 * resume. Metadata: SUBSCRIBER_META bytes.
 */
#ifndef EDGE_SUBSCRIBER_H
#define EDGE_SUBSCRIBER_H

#include "edge/publication.h"
#include "wire/grip_words.h"

struct edge;
struct hub_ops;
struct paced;
struct subscriber;
struct subscription;
struct subscriber_queue;
struct rate;

enum {
    SUBSCRIBER_QUEUE = 100,
    SUBSCRIBER_QUEUE_BYTES = 1 << 20,
    SUBSCRIBER_META = 8192,
};

/* What an item says to this subscriber. Valid until the fact returns; publication_ref() keeps the
 * item. */
struct delivery {
    struct publication *publication;
    const struct grip_format *format; /* the item's for this kind: code, fields, type, is_patch… */
    struct slice content;             /* format->content after the subscription's filters */
    bool is_changed;                  /* … and they made another content of it */
    struct slice channel;             /* as it is subscribed to: with the route's prefix */
    /* ws-message of text or binary: content, for transport_send(); the encodings are shared by all
     * who hear the same. NULL for other kinds, and for Ping and Pong. */
    struct payload *payload;
    /* http-stream: content as a shared blob (blob_ref() and exchange_push()), also if changed. */
    struct blob *blob;
};

/* Facts. Each may call any verb of this or another subscriber, subscriber_done() included. */
struct subscriber_ops {
    /* action "send": an http-response answers, an http-stream's content is sent… */
    void (*deliver)(struct subscriber *s, const struct delivery *d);
    /* action "close" of an http-stream or a ws-message (then d->format->code and ->reason). */
    void (*close)(struct subscriber *s, const struct delivery *d);
    /* HTTP only, action "hint": there is news at the origin. */
    void (*hint)(struct subscriber *s);
    /* HTTP only: an item did not follow the last one on a channel with prev-id; what was queued is
     * dropped. The items before it are lost unless they are asked for again. */
    void (*recover)(struct subscriber *s);
    /* HTTP: a second after one of its channels was heard of for the first time, or /recover/:
     * something may have been missed. ws-message: action "refresh". */
    void (*refresh)(struct subscriber *s);
};

struct subscriber {
    const struct subscriber_ops *ops;
    struct edge *edge;
    struct subscription *first;     /* in the order they were added */
    struct subscriber_queue *queue; /* NULL: not paused, nothing waits */
    struct rate *rate;              /* of the route; NULL: unlimited */
    struct span meta;               /* "name\0value\0"… */
    uint8_t kind;                   /* enum grip_kind */
    uint8_t n, max;                 /* subscriptions that count */
};

/* kind: which of an item's formats it hears. max: channels, 1 … 255. route_id: of whose rate it
 * takes, may be empty (one rate for all such). Zeroed memory or not, all is set. */
void subscriber_init(struct subscriber *s, struct edge *edge, enum grip_kind kind, unsigned max,
                     struct slice route_id, const struct subscriber_ops *ops);
/* Leaves all channels. Safe on zeroed memory and twice. */
void subscriber_done(struct subscriber *s);

/* --- channels: names are whole, with the route's prefix --- */

/* How to subscribe; zero is a plain subscription. */
struct subscribe {
    struct slice prev_id;
    bool has_prev_id;
    bool implicit; /* of the target (`sub=`): does not count, is not removed */
    struct grip_filters filters;
    /* SSE's Last-Event-ID and the like: hear what was published after the item of this id first. */
    struct slice after_id;
    bool has_after_id;
};

/*
 * Subscribes, or changes a subscription to what `how` says (implicit ones stay that). 0; 1: what
 * came after after_id is on its way; -ERR_NOT_FOUND: subscribed, but nobody knows what came after
 * it; -ERR_TOO_LARGE: it has `max` channels, nothing was done.
 */
int subscriber_add(struct subscriber *s, struct slice channel, const struct subscribe *how);
/* False: it was not subscribed to it, or implicitly. */
bool subscriber_remove(struct subscriber *s, struct slice channel);
bool subscriber_has(const struct subscriber *s, struct slice channel);

/* One of its channels has that filter. */
bool subscriber_filters_by(const struct subscriber *s, enum grip_filter filter);

/* A new set instead of the old: between the two, those that are added again stay without a gap;
 * subscriber_replaced() removes the others (not the implicit ones). */
void subscriber_replace(struct subscriber *s);
void subscriber_replaced(struct subscriber *s);

/* Metadata for filters. value NULL: removed. -ERR_TOO_LARGE: there is too much, or a NUL in it. */
int subscriber_meta(struct subscriber *s, struct slice name, const struct slice *value);
void subscriber_meta_clear(struct subscriber *s);
/* NULL-terminated, or NULL. Borrowed. */
const char *subscriber_meta_find(const struct subscriber *s, struct slice name);

/* --- sequences --- */

/* One that has a prev-id although the channel's newest item has another id: something came between
 * the origin's answer and the subscription. That id is then forgotten, so that it is said once. */
bool subscriber_conflicts(struct subscriber *s);
/* The channels with prev-id, for Grip-Last: start with *it = NULL; false at the end. */
bool subscriber_prev_next(const struct subscriber *s, const struct subscription **it,
                          struct slice *ret_channel, struct slice *ret_prev_id);
/* The newest id the subscriber heard on that channel; false: it has no prev-id. */
bool subscriber_prev_id(const struct subscriber *s, struct slice channel, struct slice *ret_id);
/* Every channel had an item (send) since the last time that this was true; then it begins anew. */
bool subscriber_all_heard(struct subscriber *s);

/* --- pace --- */

/*
 * Items wait: the client is slow, a link is being fetched. Resumed, they come in order; on a
 * channel with prev-id (which may have moved meanwhile, subscriber_add()) those that it has passed
 * are skipped. Idempotent.
 */
void subscriber_pause(struct subscriber *s);
void subscriber_resume(struct subscriber *s);
/* What waits is dropped. */
void subscriber_drop(struct subscriber *s);
bool subscriber_is_paused(const struct subscriber *s);

/* --- for relay.c and census.c --- */

struct sub;
/* Of the subscriber that a hub's sub belongs to. */
enum grip_kind subscriber_kind_of(const struct sub *sub);
extern const struct hub_ops subscriber_hub_ops;
void subscriber_paced(struct paced *p); /* its rate lets it through */
/* Tells those that were resumed (a list of theirs) what waited, in turn. */
void subscribers_resume(struct list *resumed);

#endif
