#include "edge/grip_hold.h"

#include <assert.h>

#include "conn/exchange.h"
#include "edge/filter.h"
#include "edge/grip_head.h"
#include "edge/grip_hold_int.h"
#include "edge/roster.h"
#include "edge/settings.h"
#include "edge/statistics.h"

enum { LAST_BYTES = 64 * 1024 }; /* Grip-Last of one hold */

void grip_hold__state(struct grip_hold *h, enum grip_hold_state to)
{
    static const uint8_t legal[] = {
        [GRIP_COLLECTING] = 1 << GRIP_RELAYING | 1 << GRIP_PARKED | 1 << GRIP_OPEN | 1 << GRIP_OVER,
        [GRIP_RELAYING] = 1 << GRIP_OPEN | 1 << GRIP_OVER,
        [GRIP_PARKED] = 1 << GRIP_OVER,
        [GRIP_OPEN] = 1 << GRIP_OVER,
        [GRIP_OVER] = 0,
    };

    assert(legal[h->state] & (1u << to));
    h->state = (uint8_t)to;
}

/* --- the end --- */

void grip_hold__collect_free(struct grip_hold *h, struct grip_collect *c)
{
    if (!c)
        return;
    if (c->call)
        h->ops->cancel(c->call);
    grip_instruct_done(&c->instruct);
    buf_done(&c->text);
    buf_done(&c->body);
    mem_free(c);
}

static void free_part(struct grip_hold *h)
{
    switch ((enum grip_hold_state)h->state) {
    case GRIP_COLLECTING:
    case GRIP_RELAYING:
        grip_hold__collect_free(h, h->collect);
        break;
    case GRIP_PARKED:
        grip_poll__free(h);
        break;
    case GRIP_OPEN:
        grip_stream__free(h);
        break;
    case GRIP_OVER:
        break;
    }
    h->collect = NULL;
}

void grip_hold__count(struct grip_hold *h, enum grip_hold_mode mode)
{
    struct edge_stats *stats = &h->app->edge->stats;

    stats->grip_responses += (mode == GRIP_HOLD_RESPONSE) - (h->mode == GRIP_HOLD_RESPONSE);
    stats->grip_streams += (mode == GRIP_HOLD_STREAM) - (h->mode == GRIP_HOLD_STREAM);
    h->mode = (uint8_t)mode;
}

static void reap(void *arg)
{
    mem_free(arg);
}

void grip_hold__end(struct grip_hold *h, bool gone)
{
    if (h->state == GRIP_OVER)
        return;
    free_part(h);
    grip_hold__state(h, GRIP_OVER);
    grip_hold__count(h, GRIP_HOLD_NONE);
    roster_drop(h->app->edge, h->seat);
    timer_del(h->app->edge->loop, &h->timer);
    if (h->is_subscribed)
        subscriber_done(&h->sub);
    list_del(&h->in_app);
    grip_link__end(h, gone);
    if (h->origin)
        h->ops->release(h->origin);
    h->origin = NULL;
    h->reply = (struct reply){0};
    loop_defer(h->app->edge->loop, LOOP_REAP, reap, h);
}

static void answer_text(struct grip_hold *h, uint16_t status, struct slice text)
{
    const struct reply r = h->reply;

    grip_hold__end(h, true);
    reply_answer(r, status, SLICE("Content-Type: text/plain\n"), text);
}

void grip_hold__refuse(struct grip_hold *h, struct slice text)
{
    CLEANUP(buf_done) struct buf line = {.max = 4096};

    h->app->edge->stats.grip_refused++;
    if (!h->debug || text.n == 0)
        text = SLICE("Error while proxying to origin.");
    (void)buf_add(&line, slice_sub(text, 0, line.max - 1));
    (void)buf_add_byte(&line, '\n');
    answer_text(h, 502, buf_slice(&line));
}

void grip_hold__abort(struct grip_hold *h)
{
    const struct reply r = h->reply;

    grip_hold__end(h, true);
    reply_abort(r);
}

/* --- channels --- */

void grip_hold__subscriber(struct grip_hold *h, enum grip_kind kind, const struct grip_collect *c)
{
    subscriber_init(&h->sub, h->app->edge, kind, c->channels, c->route_id,
                    kind == GRIP_HTTP_RESPONSE ? &grip_poll__facts : &grip_stream__facts);
    h->is_subscribed = true;
}

/* As subscriber_add(); `how` may say more than the instruction. */
static int subscribe_to(struct grip_hold *h, const struct grip_channel *ch,
                        const struct grip_place *place, const struct subscribe *how)
{
    CLEANUP(buf_done) struct buf name = {.max = place->prefix.n + ch->name.n};

    (void)buf_add(&name, place->prefix);
    (void)buf_add(&name, ch->name);
    h->is_news |= how->has_prev_id && !subscriber_has(&h->sub, buf_slice(&name));
    return subscriber_add(&h->sub, buf_slice(&name), how); /* too many are dropped */
}

/* What came after the client's Last-Event-ID is asked of the history. False: in vain. */
static bool subscribe_all(struct grip_hold *h, const struct grip_instruct *g,
                          const struct grip_place *place, struct slice after)
{
    bool is_asked = false, is_found = false;

    for (size_t i = 0; i < g->n_channels; i++) {
        const struct grip_channel *ch = &g->channels[i];
        const struct subscribe how = {
            .prev_id = ch->prev_id,
            .has_prev_id = ch->has_prev_id,
            .filters = ch->filters,
            .after_id = after,
            .has_after_id = ch->recover && !ch->has_prev_id && after.n > 0,
        };
        const int r = subscribe_to(h, ch, place, &how);

        is_asked |= how.has_after_id;
        is_found |= how.has_after_id && r >= 0;
    }
    return !is_asked || is_found;
}

/* It is the place in the sequence: the origin's link is asked what came after it. */
static void ask_origin(struct grip_hold *h, const struct grip_instruct *g,
                       const struct grip_place *place, struct slice after)
{
    for (size_t i = 0; i < g->n_channels; i++) {
        const struct grip_channel *ch = &g->channels[i];
        const struct subscribe how = {
            .prev_id = after, .has_prev_id = true, .filters = ch->filters};

        if (ch->recover && !ch->has_prev_id)
            (void)subscribe_to(h, ch, place, &how);
    }
}

enum grip_missed grip_hold__subscribe(struct grip_hold *h, const struct grip_instruct *g,
                                      const struct grip_place *place, struct slice after)
{
    const struct subscribe implicit = {.implicit = true};
    bool is_known;

    subscriber_meta_clear(&h->sub);
    for (size_t i = 0; i < g->n_meta; i++)
        (void)subscriber_meta(&h->sub, g->meta[i].name, &g->meta[i].value);
    h->is_news = false;
    subscriber_replace(&h->sub);
    for (const char *const *name = place->subs; name && *name; name++)
        (void)subscriber_add(&h->sub, slice_str(*name), &implicit);
    is_known = subscribe_all(h, g, place, after);
    subscriber_replaced(&h->sub);
    if (!is_known && !g->has_next)
        return GRIP_MISSED_UNKNOWN;
    if (!is_known) {
        ask_origin(h, g, place, after);
        return GRIP_MISSED_SOME;
    }
    /* Of channels that are not new, everything since the origin was asked is in the queue. */
    return h->is_news && subscriber_conflicts(&h->sub) ? GRIP_MISSED_SOME : GRIP_MISSED_NOTHING;
}

void grip_hold__last(struct grip_hold *h, struct slice prefix, struct buf *out)
{
    const struct subscription *it = NULL;
    struct slice channel, id;

    buf_init(out, LAST_BYTES);
    while (subscriber_prev_next(&h->sub, &it, &channel, &id)) {
        const size_t before = out->n;

        if (slice_starts(channel, prefix))
            (void)slice_take(&channel, prefix.n);
        if (buf_add(out, SLICE("Grip-Last: ")) < 0 || grip_put_last(out, channel, id) < 0 ||
            buf_add_byte(out, '\n') < 0)
            out->n = before; /* an id that no field can carry */
    }
}

void grip_hold__park(struct grip_hold *h)
{
    struct exchange *x = reply_client(h->reply);

    /* Statistics say whose it is once more when the request is made again. */
    if (x && !h->app->edge->statistics)
        exchange_park(x);
}

/* --- what to do --- */

static void refuse_instruct(struct grip_hold *h, const char *why)
{
    CLEANUP(buf_done) struct buf text = {.max = 4096};

    (void)buf_addf(&text, "Failed to parse accept instructions: %s", why);
    grip_hold__refuse(h, buf_slice(&text));
}

static void refuse_large(struct grip_hold *h)
{
    CLEANUP(buf_done) struct buf text = {.max = 4096};

    (void)buf_addf(&text, "GRIP instruct response too large from %.*s",
                   SLICE_FMT(h->collect->target));
    grip_hold__refuse(h, buf_slice(&text));
}

int grip_hold__respond(struct grip_hold *h, const struct grip_instruct *g, enum exchange_body body,
                       uint64_t length)
{
    CLEANUP(buf_done) struct buf fields = {.max = SIZE_MAX};
    const struct grip_collect *c = h->collect;
    struct exchange_response r = {
        .status = g->status ? g->status : c->status,
        .reason = g->status ? g->reason : c->reason,
        .body = body,
        .length = length,
    };

    (void)grip_head_fields(&fields, c->head, g);
    r.fields = buf_slice(&fields);
    return reply_respond(h->reply, &r);
}

/* No hold and no link: the response, as it is, for the client. */
static void answer(struct grip_hold *h, const struct grip_instruct *g)
{
    CLEANUP(buf_done) struct buf kept = h->collect->body;
    const struct slice body = g->is_json ? g->body : buf_slice(&kept);
    const struct reply r = h->reply;

    h->collect->body = (struct buf){0};
    if (grip_hold__respond(h, g, body.n ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_NONE, body.n) < 0) {
        grip_hold__refuse(h, SLICE("the origin's response cannot be sent"));
        return;
    }
    grip_hold__end(h, true);
    if (body.n && reply_send(r, body) < 0)
        reply_abort(r);
    else
        reply_end(r);
}

static int parse(struct grip_hold *h, struct grip_instruct *ret, struct err_note *note)
{
    const struct grip_collect *c = h->collect;
    int r = grip_instruct_parse(c->head, c->status, buf_slice(&c->body), ret, note);

    if (r < 0)
        return r;
    if ((r = grip_link__set(h, ret, &c->place, c->place.uri)) < 0) {
        grip_instruct_done(ret);
        return err_notef(note, r, "Grip-Link contains invalid link");
    }
    return 0;
}

static bool has_build_id(const struct grip_instruct *g)
{
    for (size_t i = 0; i < g->n_channels; i++)
        for (unsigned k = 0; k < g->channels[i].filters.n; k++)
            if (g->channels[i].filters.ids[k] == GRIP_FILTER_BUILD_ID)
                return true;
    return false;
}

/* The body as the channels' filters change it, by a subscriber that is there for that only. */
static int filter(struct grip_hold *h, struct grip_instruct *g)
{
    CLEANUP(buf_done) struct buf out = {.max = FILTER_CONTENT_MAX};
    struct grip_collect *c = h->collect;
    int r;

    grip_hold__subscriber(h, GRIP_HTTP_STREAM, c);
    (void)grip_hold__subscribe(h, g, &c->place, SLICE_NONE);
    r = filter_body(&h->sub, g->is_json ? g->body : buf_slice(&c->body), &out);
    subscriber_done(&h->sub);
    if (r <= 0)
        return r;
    buf_done(&c->body);
    c->body = out;
    out = (struct buf){0};
    if (g->is_json)
        g->body = buf_slice(&c->body);
    return 0;
}

/* The response is here, whole. */
static void act(struct grip_hold *h)
{
    CLEANUP(grip_instruct_done) struct grip_instruct g = {0};
    struct err_note note = {0};

    if (parse(h, &g, &note) < 0)
        refuse_instruct(h, note.text);
    else if (has_build_id(&g) && filter(h, &g) < 0)
        grip_hold__refuse(h, SLICE("The filters of a channel cannot be applied to the body."));
    else if (g.hold == GRIP_HOLD_RESPONSE)
        grip_poll__park(h, &g);
    else if (g.hold == GRIP_HOLD_STREAM || g.has_next)
        grip_stream__open(h, &g);
    else
        answer(h, &g);
}

/* A long body can go on as it comes when nothing of it has to be known first. */
static bool can_relay(const struct grip_instruct *g)
{
    return (g->hold == GRIP_HOLD_STREAM || (g->hold == GRIP_HOLD_NONE && g->has_next)) &&
           !has_build_id(g);
}

/* The body is too long to be collected. */
static void overflow(struct grip_hold *h)
{
    struct grip_collect *c = h->collect;
    struct err_note note = {0};

    if (grip_is_json(c->head))
        refuse_large(h);
    else if (parse(h, &c->instruct, &note) < 0)
        refuse_instruct(h, note.text);
    else if (!can_relay(&c->instruct))
        refuse_large(h);
    else if (grip_stream__begin(h, &c->instruct)) {
        grip_hold__state(h, GRIP_RELAYING);
        if (reply_send(h->reply, buf_slice(&c->body)) < 0)
            grip_hold__abort(h);
        else
            buf_done(&c->body);
    }
}

/* --- facts of the call --- */

static void on_call_response(void *arg, const struct upstream_response *r)
{
    (void)arg;
    (void)r;
    assert(!"the response has begun before the hold");
}

static void on_call_body(void *arg, struct slice bytes)
{
    struct grip_hold *h = arg;
    struct grip_collect *c = h->collect;

    if (h->state == GRIP_COLLECTING && buf_add(&c->body, bytes) == 0)
        return;
    if (h->state == GRIP_COLLECTING)
        overflow(h);
    if (h->state == GRIP_RELAYING && reply_send(h->reply, bytes) < 0)
        grip_hold__abort(h);
}

static void on_call_ended(void *arg)
{
    struct grip_hold *h = arg;

    h->collect->call = NULL;
    if (h->state == GRIP_RELAYING)
        grip_stream__open(h, &h->collect->instruct);
    else
        act(h);
}

static void on_call_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    struct grip_hold *h = arg;

    (void)reached;
    (void)err;
    h->collect->call = NULL;
    if (h->state == GRIP_RELAYING)
        grip_hold__abort(h);
    else
        grip_hold__refuse(h, text);
}

static const struct upstream_ops call_facts = {
    .response = on_call_response,
    .body = on_call_body,
    .ended = on_call_ended,
    .failed = on_call_failed,
};

/* --- facts of the client --- */

static void on_body(void *arg, struct slice bytes, bool end)
{
    (void)arg; /* what is left of the request is nobody's */
    (void)bytes;
    (void)end;
}

static void on_taken(void *arg, size_t n)
{
    struct grip_hold *h = arg;

    if (h->state == GRIP_RELAYING)
        h->ops->credit(h->collect->call, n);
    else if (h->state == GRIP_OPEN)
        grip_stream__taken(h);
}

static void on_closed(void *arg, int err)
{
    (void)err;
    grip_hold__end(arg, true);
}

static const struct exchange_ops client_facts = {
    .body = on_body, .taken = on_taken, .closed = on_closed};

/* --- the beginning --- */

static struct slice keep(struct buf *text, struct slice s)
{
    const size_t at = text->n;

    (void)buf_add(text, s);
    return slice_make(text->p + at, s.n);
}

static struct grip_collect *collect_new(const struct grip_hold_start *s)
{
    const struct upstream_response *r = s->response;
    const size_t n = r->reason.n + r->head.n + r->target.n + s->route_id.n + s->last_event_id.n;
    struct grip_collect *c = mem_new(sizeof(*c));

    buf_init(&c->text, n);
    (void)buf_reserve(&c->text, n); /* what is kept does not move */
    c->call = s->take_call;
    c->status = r->status;
    c->reason = keep(&c->text, r->reason);
    c->head = keep(&c->text, r->head);
    c->target = keep(&c->text, r->target);
    c->route_id = keep(&c->text, s->route_id);
    c->last_event_id = keep(&c->text, s->last_event_id);
    c->place = (struct grip_place){s->uri, s->prefix, s->route, r->subs};
    c->channels = s->channels ? MIN(s->channels, 255) : GRIP_HOLD_CHANNELS;
    buf_init(&c->body, GRIP_HOLD_BODY);
    return c;
}

/* For statistics, if somebody wants them. */
static void take_seat(struct grip_hold *h)
{
    struct edge *e = h->app->edge;

    if (!e->statistics)
        return;
    h->seat = roster_add(e, NULL, h);
    statistics_conn(e, h->seat, reply_client(h->reply), false);
}

void grip_hold_open(const struct grip_hold_start *s)
{
    struct grip_hold *h = mem_new(sizeof(*h));

    h->app = s->app;
    h->reply = s->take_reply;
    h->ops = s->ops;
    h->origin = s->origin;
    h->is_head = s->is_head;
    h->debug = s->debug;
    h->collect = collect_new(s);
    take_seat(h);
    list_add_tail(&grip_holds__of(s->app)->holds, &h->in_app);
    reply_attach(h->reply, &client_facts, h);
    h->ops->attach(h->collect->call, &call_facts, h);
    if (s->is_large)
        answer_text(h, 400, SLICE("Request too large to accept GRIP instruct.\n"));
}
