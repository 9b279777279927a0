/* Stream holds: items are appended to a response that has begun, keep-alives between them. */
#include <assert.h>

#include "edge/grip_hold_int.h"
#include "wire/fields.h"

/* --- sending --- */

static void touch(struct grip_hold *h)
{
    if (h->alive)
        h->alive->since_ms = loop_now(h->app->edge->loop);
}

bool grip_stream__send(struct grip_hold *h, struct blob *bytes, struct blob **chunked)
{
    if (reply_share(h->reply, bytes, chunked) < 0) {
        h->app->edge->stats.grip_slow++;
        grip_hold__abort(h);
        return false;
    }
    touch(h);
    if (reply_pending(h->reply) > GRIP_HOLD_QUEUE)
        subscriber_pause(&h->sub);
    return true;
}

void grip_stream__taken(struct grip_hold *h)
{
    grip_link__taken(h);
    if (h->state == GRIP_OPEN && !grip_link__is_asked(h) && subscriber_is_paused(&h->sub) &&
        reply_pending(h->reply) <= GRIP_HOLD_QUEUE / 2)
        subscriber_resume(&h->sub);
}

void grip_stream__end(struct grip_hold *h, struct slice why)
{
    const struct reply r = h->reply;

    if (h->debug && why.n)
        (void)reply_send(r, why);
    grip_hold__end(h, true);
    reply_end(r);
}

/* --- keep-alive --- */

static void set_alarm(struct grip_hold *h, int64_t from_ms)
{
    const unsigned early = MIN(grip_holds__jitter(h->app->grip), h->alive->ms - 1);

    timer_set(h->app->edge->loop, &h->timer, from_ms + h->alive->ms - early);
}

/* What was sent meanwhile puts it off: looked at only now, so that sending costs nothing. */
static bool is_put_off(const struct grip_hold *h, int64_t now)
{
    const struct grip_alive *a = h->alive;

    return a->is_idle && now - a->since_ms < (int64_t)a->ms - 999;
}

static void on_alarm(struct timer *t)
{
    struct grip_hold *h = CONTAINER_OF(t, struct grip_hold, timer);
    const int64_t now = loop_now(h->app->edge->loop);
    struct blob *chunked = NULL;

    if (is_put_off(h, now)) {
        set_alarm(h, h->alive->since_ms);
        return;
    }
    set_alarm(h, now);
    /* Not into the middle of a page, and not behind what a slow client has not read. */
    if (grip_link__is_busy(h) || reply_pending(h->reply) > 0)
        return;
    (void)grip_stream__send(h, h->alive->bytes, &chunked);
    blob_unref(chunked);
}

static void alive_free(struct grip_hold *h)
{
    if (!h->alive)
        return;
    timer_del(h->app->edge->loop, &h->timer);
    blob_unref(h->alive->bytes);
    mem_free(h->alive);
    h->alive = NULL;
}

static void keep_alive(struct grip_hold *h, const struct grip_instruct *g)
{
    alive_free(h);
    if (!g->has_keep_alive)
        return;
    h->alive = mem_new(sizeof(*h->alive));
    h->alive->ms = (uint32_t)MIN((uint64_t)g->keep_alive_s * 1000, UINT32_MAX);
    h->alive->is_idle = g->keep_alive_mode == GRIP_IDLE;
    h->alive->bytes = blob_copy(g->keep_alive);
    touch(h);
    h->timer.due = on_alarm;
    set_alarm(h, h->alive->since_ms);
}

void grip_stream__free(struct grip_hold *h)
{
    alive_free(h);
}

/* --- facts of the channels --- */

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    struct grip_hold *h = CONTAINER_OF(s, struct grip_hold, sub);
    struct blob *own = NULL;

    if (grip_stream__send(h, d->blob, d->is_changed ? &own : &d->publication->chunked) &&
        subscriber_all_heard(s))
        grip_link__touch(h);
    blob_unref(own);
}

static void on_close(struct subscriber *s, const struct delivery *d)
{
    (void)d;
    grip_stream__end(CONTAINER_OF(s, struct grip_hold, sub), SLICE_NONE);
}

static void on_news(struct subscriber *s)
{
    grip_link__fetch(CONTAINER_OF(s, struct grip_hold, sub));
}

const struct subscriber_ops grip_stream__facts = {
    .deliver = on_deliver,
    .close = on_close,
    .hint = on_news,
    .recover = on_news,
    .refresh = on_news,
};

/* --- opening --- */

static bool has_no_body(const struct grip_hold *h, unsigned status)
{
    return h->is_head || status == 204 || status == 304;
}

bool grip_stream__begin(struct grip_hold *h, const struct grip_instruct *g)
{
    const unsigned status = g->status ? g->status : h->collect->status;

    if (grip_hold__respond(h, g, EXCHANGE_BODY_STREAM, 0) < 0) {
        grip_hold__refuse(h, SLICE("the origin's response cannot be sent"));
        return false;
    }
    if (has_no_body(h, status)) {
        grip_stream__end(h, SLICE_NONE); /* nothing can follow */
        return false;
    }
    return true;
}

static const struct grip_channel *sequenced(const struct grip_instruct *g)
{
    for (size_t i = 0; i < g->n_channels; i++)
        if (g->channels[i].has_prev_id)
            return &g->channels[i];
    return NULL;
}

static void end_unrecoverable(struct grip_hold *h, struct slice channel)
{
    CLEANUP(buf_done) struct buf why = {.max = 4096};

    (void)buf_addf(&why, "channel '%.*s' specifies prev-id, but no next link found",
                   SLICE_FMT(channel));
    grip_stream__end(h, buf_slice(&why));
}

/* Page follows page, or the stream is over. */
static void follow_pages(struct grip_hold *h, const struct grip_instruct *g,
                         const struct grip_place *place)
{
    if (!g->has_next) {
        grip_stream__end(h, SLICE_NONE);
        return;
    }
    if (h->mode == GRIP_HOLD_STREAM)
        (void)grip_hold__subscribe(h, g, place, SLICE_NONE); /* to nothing any more */
    grip_hold__count(h, GRIP_HOLD_NONE);
    grip_link__fetch(h);
}

/* What the instruction says, now that its response's body is with the client. */
static void follow(struct grip_hold *h, const struct grip_instruct *g,
                   const struct grip_place *place, struct slice after)
{
    const struct grip_channel *ch = sequenced(g);
    enum grip_missed missed;

    keep_alive(h, g);
    if (g->hold == GRIP_HOLD_NONE) {
        follow_pages(h, g, place);
        return;
    }
    if (ch && !g->has_next) {
        end_unrecoverable(h, ch->name);
        return;
    }
    missed = grip_hold__subscribe(h, g, place, after);
    grip_hold__count(h, GRIP_HOLD_STREAM);
    grip_link__touch(h);
    h->has_gap = missed == GRIP_MISSED_UNKNOWN;
    if (missed == GRIP_MISSED_SOME)
        grip_link__fetch(h);
    else if (subscriber_is_paused(&h->sub) && reply_pending(h->reply) <= GRIP_HOLD_QUEUE)
        subscriber_resume(&h->sub);
}

/* The body that was collected; relayed ones have gone. */
static bool send_collected(struct grip_hold *h, const struct grip_instruct *g,
                           const struct grip_collect *c)
{
    const struct slice body = g->is_json ? g->body : buf_slice(&c->body);

    if (reply_send(h->reply, body) == 0)
        return true;
    grip_hold__abort(h);
    return false;
}

static bool is_event_stream(struct slice head, const struct grip_instruct *g)
{
    const struct slice type = SLICE("Content-Type"), wanted = SLICE("text/event-stream");
    struct slice value;

    for (size_t i = 0; i < g->n_fields; i++)
        if (slice_eq_nocase(g->fields[i].name, type))
            return slice_starts_nocase(g->fields[i].value, wanted);
    return !g->is_json && fields_find(head, type, &value) && slice_starts_nocase(value, wanted);
}

/* An EventSource hears that something is missing, in place of nothing. */
static void tell_gap(struct grip_hold *h, const struct grip_instruct *g,
                     const struct grip_collect *c)
{
    CLEANUP(buf_done) struct buf event = {.max = SIZE_MAX};
    struct blob *bytes, *chunked = NULL;

    if (!is_event_stream(c->head, g))
        return;
    (void)buf_addf(&event, "event: gap\ndata: %.*s\n\n", SLICE_FMT(c->last_event_id));
    bytes = blob_copy(buf_slice(&event));
    (void)grip_stream__send(h, bytes, &chunked);
    blob_unref(bytes);
    blob_unref(chunked);
}

void grip_stream__open(struct grip_hold *h, const struct grip_instruct *g)
{
    const bool is_relayed = h->state == GRIP_RELAYING;
    struct grip_collect *c = h->collect;

    if (!is_relayed && (!grip_stream__begin(h, g) || !send_collected(h, g, c)))
        return;
    grip_hold__subscriber(h, GRIP_HTTP_STREAM, c);
    grip_hold__state(h, GRIP_OPEN);
    h->alive = NULL;
    grip_hold__park(h);
    h->app->edge->stats.grip_held++;
    if (h->link)
        h->ops->trim(h->origin);
    follow(h, g, &c->place, c->last_event_id);
    if (h->state == GRIP_OPEN && h->has_gap)
        tell_gap(h, g, c);
    if (h->state == GRIP_OPEN && !h->link) {
        h->ops->release(h->origin);
        h->origin = NULL;
    }
    grip_hold__collect_free(h, c);
}

void grip_stream__go_on(struct grip_hold *h, const struct grip_instruct *g,
                        const struct grip_place *place)
{
    if (g->hold == GRIP_HOLD_RESPONSE)
        grip_stream__end(h, SLICE("Next link returned non-stream hold."));
    else
        follow(h, g, place, SLICE_NONE);
}
