/* Response holds: a poll waits for an item, for its timeout, or to be made again. */
#include <assert.h>

#include "edge/grip_head.h"
#include "edge/grip_hold_int.h"

enum { PATCHED = 4 << 20 }; /* bytes a patch may make of a held body */

/* --- answers --- */

/* Ends the hold with that response. */
static void answer(struct grip_hold *h, const struct exchange_response *head, struct slice body)
{
    struct exchange_response r = *head;
    const struct reply reply = h->reply;

    r.body = body.n ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_NONE;
    r.length = body.n;
    if (reply_respond(reply, &r) < 0) {
        grip_hold__refuse(h, SLICE("the response cannot be sent"));
        return;
    }
    if (body.n && reply_send(reply, body) < 0) {
        grip_hold__abort(h);
        return;
    }
    h->app->edge->stats.grip_answered++;
    grip_hold__end(h, true);
    reply_end(reply);
}

void grip_poll__answer(struct grip_hold *h)
{
    const struct grip_poll *p = h->poll;

    answer(
        h,
        &(struct exchange_response){.status = p->status, .reason = p->reason, .fields = p->fields},
        p->body);
}

static void on_timeout(struct timer *t)
{
    grip_poll__answer(CONTAINER_OF(t, struct grip_hold, timer));
}

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    struct grip_hold *h = CONTAINER_OF(s, struct grip_hold, sub);
    CLEANUP(buf_done) struct buf fields = {.max = SIZE_MAX};
    CLEANUP(buf_done) struct buf patched = {.max = PATCHED};
    struct slice body = d->content;

    (void)grip_head_publish(&fields, h->poll->fields, d->format);
    if (d->format->is_patch) {
        (void)grip_patch(&patched, h->poll->body, d->content); /* else it stays empty */
        body = buf_slice(&patched);
    }
    answer(h,
           &(struct exchange_response){
               .status = d->format->code ? d->format->code : 200,
               .reason = d->format->reason,
               .fields = buf_slice(&fields),
           },
           body);
}

/* --- again --- */

static void go_again(struct grip_ask *ask)
{
    struct grip_poll *p = CONTAINER_OF(ask, struct grip_poll, again);
    struct grip_hold *h = p->hold;
    const struct grip_origin_ops *ops = h->ops;
    CLEANUP(buf_done) struct buf last = {0};
    const struct reply reply = h->reply;
    void *origin = h->origin;

    h->app->edge->stats.grip_again++;
    grip_hold__last(h, p->prefix, &last);
    h->origin = NULL;
    grip_hold__end(h, false);
    ops->again(origin, reply, buf_slice(&last));
}

/* Until its turn comes it stays where it is, and may be answered. */
static void again(struct grip_hold *h)
{
    if (!list_linked(&h->poll->again.in_line))
        grip_line__again(h->app->grip, &h->poll->again);
}

static void on_close(struct subscriber *s, const struct delivery *d)
{
    (void)s; /* an http-response that closes says nothing */
    (void)d;
}

static void on_news(struct subscriber *s)
{
    again(CONTAINER_OF(s, struct grip_hold, sub));
}

const struct subscriber_ops grip_poll__facts = {
    .deliver = on_deliver,
    .close = on_close,
    .hint = on_news,
    .recover = on_news,
    .refresh = on_news,
};

/* --- parking --- */

static struct slice keep(uint8_t **at, struct slice s)
{
    struct slice kept = slice_make(*at, s.n);

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

static struct grip_poll *poll_new(struct grip_hold *h, const struct grip_instruct *g)
{
    CLEANUP(buf_done) struct buf fields = {.max = SIZE_MAX};
    const struct grip_collect *c = h->collect;
    const struct slice body = g->is_json ? g->body : buf_slice(&c->body);
    const struct slice reason = g->status ? g->reason : c->reason;
    struct grip_poll *p;
    uint8_t *at;

    (void)grip_head_fields(&fields, c->head, g);
    p = mem_new(sizeof(*p) + reason.n + fields.n + body.n);
    at = p->text;
    p->again.go = go_again;
    p->hold = h;
    p->prefix = c->place.prefix;
    p->status = g->status ? g->status : c->status;
    p->reason = keep(&at, reason);
    p->fields = keep(&at, buf_slice(&fields));
    p->body = keep(&at, body);
    return p;
}

void grip_poll__park(struct grip_hold *h, const struct grip_instruct *g)
{
    struct loop *loop = h->app->edge->loop;
    struct grip_poll *p = poll_new(h, g);
    struct grip_collect *c = h->collect;
    enum grip_missed missed;

    grip_hold__subscriber(h, GRIP_HTTP_RESPONSE, c);
    missed = grip_hold__subscribe(h, g, &c->place, SLICE_NONE);
    grip_hold__state(h, GRIP_PARKED);
    h->poll = p;
    grip_hold__collect_free(h, c);
    grip_hold__park(h);
    h->app->edge->stats.grip_held++;
    grip_hold__count(h, GRIP_HOLD_RESPONSE);
    h->timer.due = on_timeout;
    timer_set(loop, &h->timer, loop_now(loop) + (int64_t)g->timeout_s * 1000);
    if (missed == GRIP_MISSED_SOME)
        again(h);
}

void grip_poll__free(struct grip_hold *h)
{
    grip_line__leave(h->app->grip, &h->poll->again);
    mem_free(h->poll);
}
