/*
 * What a client said and its origin has not accepted yet: events in their order, of which a request
 * carries the first. The origin may accept a part of a request's content (Content-Bytes-Accepted);
 * the rest leads the next request.
 */
#ifndef EDGE_WOH_QUEUE_H
#define EDGE_WOH_QUEUE_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/woh.h"

enum {
    WOH_QUEUE_FULL = 200000,  /* bytes of content; one message more may stand behind it */
    WOH_QUEUE_BATCH = 200000, /* bytes of content in one request, or one event */
};

/* Zeroed is empty. The owner bounds it: whoever is at WOH_QUEUE_FULL adds no message. */
struct woh_queue {
    struct buf events;   /* records */
    size_t content;      /* bytes of content in them */
    size_t sent;         /* bytes of records in the request under way */
    size_t sent_content; /* … of their content */
    size_t sent_close;   /* … of it, in a CLOSE at the end */
    size_t replayed;     /* bytes of content that an earlier request offered */
    bool has_close_sent; /* the request under way ends with a CLOSE */
    bool is_fresh;       /* something that no request has carried */
};

/* Empties it; it may be used again. */
void woh_queue_done(struct woh_queue *q);
/* Copies the event in; whoever adds looks at woh_queue_is_full() and slows the client down. */
void woh_queue_add(struct woh_queue *q, enum woh_type type, struct slice content);

static inline bool woh_queue_is_empty(const struct woh_queue *q)
{
    return q->events.n == 0;
}

static inline bool woh_queue_is_full(const struct woh_queue *q)
{
    return q->content >= WOH_QUEUE_FULL;
}

/* Begins a request: the first events (only one when `one`), WOH_QUEUE_BATCH bytes of content at
 * most unless the first has more. Returns how many content bytes of it were offered before. */
size_t woh_queue_take(struct woh_queue *q, bool one);
/* Appends the events of the request under way. */
void woh_queue_put(const struct woh_queue *q, struct buf *out);

enum woh_accepted {
    WOH_ACCEPTED = 0,   /* what was accepted is gone */
    WOH_ACCEPTED_CLOSE, /* … and the CLOSE was in it */
};

/*
 * The request under way is over; its origin accepted n bytes of content (SIZE_MAX: all).
 * -ERR_SYNTAX: more than it was offered, or a part of a CLOSE; -ERR_TOO_LARGE: nothing at all of a
 * full queue.
 */
int woh_queue_accept(struct woh_queue *q, size_t n);

#endif
