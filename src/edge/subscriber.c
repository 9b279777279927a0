#include "edge/subscriber.h"

#include <assert.h>

#include "base/utf8.h"
#include "edge/edge_int.h"
#include "edge/filter.h"
#include "edge/rate.h"
#include "edge/relay.h"
#include "edge/statistics.h"
#include "hub/hub.h"

struct subscription {
    struct sub sub; /* hub.h */
    struct subscriber *subscriber;
    struct subscription *next;
    struct list paced;    /* deliveries that wait for their rate; zeroed: none ever did */
    struct blob *prev_id; /* NULL: there is none */
    struct grip_filters filters;
    bool implicit;
    bool heard;   /* an item, since subscriber_all_heard() */
    bool replace; /* goes with subscriber_replaced(), if it is not added again */
};

/* A delivery that waits for its rate. */
struct paced_delivery {
    struct paced paced;
    struct list in_subscription;
    struct subscription *subscription;
    struct publication *publication;
};

/* One that waits for subscriber_resume(). */
struct waiting {
    struct subscription *subscription; /* NULL: it was removed */
    struct publication *publication;
};

struct subscriber_queue {
    struct subscriber *subscriber;
    struct list resumed; /* in relay_resumed() */
    bool is_paused;
    uint32_t at, n, cap;
    uint32_t bytes;          /* weight of what waits */
    struct waiting *waiting; /* from at to n */
};

static struct hub *hub_of(const struct subscriber *s)
{
    return relay_hub(s->edge->relay);
}

static int64_t now(const struct subscriber *s)
{
    return loop_now(s->edge->loop);
}

/* --- finding --- */

static struct slice channel_of(const struct subscription *u)
{
    return hub_channel(&u->sub);
}

static struct subscription *find(const struct subscriber *s, struct slice channel)
{
    for (struct subscription *u = s->first; u; u = u->next)
        if (slice_eq(channel_of(u), channel))
            return u;
    return NULL;
}

bool subscriber_has(const struct subscriber *s, struct slice channel)
{
    return find(s, channel) != NULL;
}

bool subscriber_filters_by(const struct subscriber *s, enum grip_filter filter)
{
    for (const struct subscription *u = s->first; u; u = u->next)
        for (uint8_t i = 0; i < u->filters.n; i++)
            if (u->filters.ids[i] == filter)
                return true;
    return false;
}

/* --- sequences --- */

static void set_prev_id(struct subscription *u, bool has, struct slice id)
{
    struct blob *copy = has ? blob_copy(id) : NULL;

    blob_unref(u->prev_id);
    u->prev_id = copy;
}

bool subscriber_prev_next(const struct subscriber *s, const struct subscription **it,
                          struct slice *ret_channel, struct slice *ret_prev_id)
{
    const struct subscription *u = *it ? (*it)->next : s->first;

    while (u && !u->prev_id)
        u = u->next;
    if (!u)
        return false;
    *it = u;
    *ret_channel = channel_of(u);
    *ret_prev_id = blob_slice(u->prev_id);
    return true;
}

bool subscriber_prev_id(const struct subscriber *s, struct slice channel, struct slice *ret_id)
{
    const struct subscription *u = find(s, channel);

    if (!u || !u->prev_id)
        return false;
    *ret_id = blob_slice(u->prev_id);
    return true;
}

bool subscriber_conflicts(struct subscriber *s)
{
    bool conflicts = false;
    struct slice last;

    for (const struct subscription *u = s->first; u; u = u->next) {
        if (!u->prev_id || !hub_last_id(hub_of(s), channel_of(u), &last) ||
            slice_eq(last, blob_slice(u->prev_id)))
            continue;
        hub_forget(hub_of(s), channel_of(u));
        conflicts = true;
    }
    return conflicts;
}

bool subscriber_all_heard(struct subscriber *s)
{
    for (const struct subscription *u = s->first; u; u = u->next)
        if (!u->heard)
            return false;
    for (struct subscription *u = s->first; u; u = u->next)
        u->heard = false;
    return s->first != NULL;
}

/* False: it does not follow what this one heard last. */
static bool follows(struct subscription *u, const struct publication *p)
{
    const struct grip_item *item = &p->item;

    if (!u->prev_id)
        return true;
    if (!item->has_prev_id || !slice_eq(item->prev_id, blob_slice(u->prev_id)))
        return false;
    set_prev_id(u, item->has_id, item->id);
    return true;
}

/* --- facts --- */

static bool is_ws_data(const struct grip_format *f)
{
    return f->type == GRIP_WS_TEXT || f->type == GRIP_WS_BINARY;
}

static void tell(struct subscriber *s, struct delivery *d,
                 void (*fact)(struct subscriber *s, const struct delivery *d))
{
    struct payload own = {.bytes = d->content, .binary = d->format->type == GRIP_WS_BINARY};
    struct blob *made = NULL;

    if (s->kind == GRIP_WS_MESSAGE && is_ws_data(d->format))
        d->payload = d->is_changed ? &own : &d->publication->ws;
    if (s->kind == GRIP_HTTP_STREAM)
        d->blob = d->is_changed ? made = blob_copy(d->content) : publication_stream(d->publication);
    fact(s, d);
    payload_done(&own);
    blob_unref(made);
}

/* A content that filters made badly is the application's mistake; the others hear theirs. */
static void complain(const struct subscription *u, int err)
{
    struct edge *e = u->subscriber->edge;

    if (err == -ERR_DENIED) {
        e->stats.items_filtered++;
        return;
    }
    e->stats.items_unusable++;
    log_event(&e->log, LOG_INFO, "publish.unusable", F_TEXT("channel", channel_of(u)),
              F_ERR("why", err));
}

static void send(struct subscription *u, struct delivery *d)
{
    struct subscriber *s = u->subscriber;
    struct buf changed;
    int r;

    buf_init(&changed, FILTER_CONTENT_MAX);
    r = filter_item(s, &u->filters, &d->publication->item, d->format, &changed);
    if (r > 0 && s->kind == GRIP_WS_MESSAGE && d->format->type == GRIP_WS_TEXT &&
        !utf8_is_valid(buf_slice(&changed)))
        r = -ERR_WS_UTF8;
    if (r < 0) {
        complain(u, r);
    } else {
        d->is_changed = r > 0;
        d->content = r > 0 ? buf_slice(&changed) : d->format->content;
        s->edge->stats.items_delivered++;
        tell(s, d, s->ops->deliver);
    }
    buf_done(&changed);
}

static void on_send(struct subscription *u, struct delivery *d)
{
    struct subscriber *s = u->subscriber;

    u->heard = true;
    if (follows(u, d->publication)) {
        send(u, d);
        return;
    }
    s->edge->stats.items_missed++;
    subscriber_drop(s);
    s->ops->recover(s);
}

/* It may be the end of the subscriber. */
static void hear(struct subscription *u, struct publication *p)
{
    struct subscriber *s = u->subscriber;
    const struct grip_format *f = &p->item.formats[s->kind];
    struct delivery d = {
        .publication = p, .format = f, .content = f->content, .channel = channel_of(u)};
    const bool is_ws = s->kind == GRIP_WS_MESSAGE;

    switch (f->action) {
    case GRIP_SEND:
        on_send(u, &d);
        break;
    case GRIP_HINT:
        if (!is_ws)
            s->ops->hint(s);
        break;
    case GRIP_CLOSE:
        if (s->kind != GRIP_HTTP_RESPONSE)
            s->ops->close(s, &d);
        break;
    case GRIP_REFRESH:
        if (is_ws)
            s->ops->refresh(s);
        break;
    }
}

/* --- pace --- */

static struct subscriber_queue *queue_of(struct subscriber *s)
{
    if (!s->queue) {
        s->queue = mem_new(sizeof(*s->queue));
        s->queue->subscriber = s;
    }
    return s->queue;
}

static void free_queue(struct subscriber *s)
{
    struct subscriber_queue *q = s->queue;

    if (!q)
        return;
    list_del(&q->resumed);
    for (; q->at < q->n; q->at++)
        publication_unref(q->waiting[q->at].publication);
    mem_free(q->waiting);
    mem_free(q);
    s->queue = NULL;
}

void subscriber_pause(struct subscriber *s)
{
    struct subscriber_queue *q = queue_of(s);

    list_del(&q->resumed);
    q->is_paused = true;
}

void subscriber_resume(struct subscriber *s)
{
    struct subscriber_queue *q = s->queue;

    if (!q || !q->is_paused)
        return;
    q->is_paused = false;
    if (q->at == q->n) {
        free_queue(s);
        return;
    }
    list_add_tail(relay_resumed(s->edge->relay), &q->resumed);
    relay_wake(s->edge->relay);
}

void subscriber_drop(struct subscriber *s)
{
    struct subscriber_queue *q = s->queue;

    if (!q)
        return;
    for (; q->at < q->n; q->at++)
        publication_unref(q->waiting[q->at].publication);
    q->at = q->n = q->bytes = 0;
    if (!q->is_paused)
        free_queue(s);
}

bool subscriber_is_paused(const struct subscriber *s)
{
    return s->queue && s->queue->is_paused;
}

/* False: SUBSCRIBER_QUEUE items wait already. */
static bool make_room(struct subscriber_queue *q)
{
    if (q->n < q->cap)
        return true;
    if (q->at) {
        memmove(q->waiting, q->waiting + q->at, (q->n - q->at) * sizeof(q->waiting[0]));
        q->n -= q->at;
        q->at = 0;
        return true;
    }
    if (q->cap == SUBSCRIBER_QUEUE)
        return false;
    q->cap = q->cap ? MIN(q->cap * 4, (uint32_t)SUBSCRIBER_QUEUE) : 4;
    q->waiting = mem_grow(q->waiting, q->cap * sizeof(q->waiting[0]));
    return true;
}

static void wait(struct subscription *u, struct publication *p)
{
    struct subscriber_queue *q = u->subscriber->queue;

    if ((q->bytes &&
         p->msg.weight > SUBSCRIBER_QUEUE_BYTES - MIN(q->bytes, SUBSCRIBER_QUEUE_BYTES)) ||
        !make_room(q)) {
        u->subscriber->edge->stats.items_dropped_slow++;
        return;
    }
    q->waiting[q->n++] = (struct waiting){u, publication_ref(p)};
    q->bytes += p->msg.weight;
}

/* What waited is older than where its channel is by now: its sequence goes on later in the queue,
 * or ends there. */
static bool is_passed(const struct subscriber_queue *q, const struct waiting *w)
{
    const struct subscription *u = w->subscription;

    if (!u->prev_id || w->publication->item.formats[u->subscriber->kind].action != GRIP_SEND)
        return false;
    for (uint32_t i = q->at; i <= q->n; i++) {
        const struct waiting *v = i == q->at ? w : &q->waiting[i - 1];
        const struct grip_item *item = &v->publication->item;

        if (v->subscription != u)
            continue;
        if (item->has_prev_id && slice_eq(item->prev_id, blob_slice(u->prev_id)))
            return v != w;
        if (item->has_id && slice_eq(item->id, blob_slice(u->prev_id)))
            return true;
    }
    return false;
}

static void resume(struct subscriber *s)
{
    while (s->queue && !s->queue->is_paused && s->queue->at < s->queue->n) {
        const struct waiting w = s->queue->waiting[s->queue->at++];

        s->queue->bytes -= w.publication->msg.weight;
        if (w.subscription && !is_passed(s->queue, &w))
            hear(w.subscription, w.publication);
        publication_unref(w.publication);
    }
    if (s->queue && !s->queue->is_paused)
        free_queue(s);
}

void subscribers_resume(struct list *resumed)
{
    struct list now_due;

    list_move(&now_due, resumed);
    while (!list_empty(&now_due))
        resume(LIST_ITEM(list_pop(&now_due), struct subscriber_queue, resumed)->subscriber);
}

static void pass(struct subscription *u, struct publication *p)
{
    if (u->subscriber->queue)
        wait(u, p);
    else
        hear(u, p);
}

/* --- rate --- */

static void free_paced(struct paced_delivery *d)
{
    list_del(&d->in_subscription);
    publication_unref(d->publication);
    mem_free(d);
}

void subscriber_paced(struct paced *p)
{
    struct paced_delivery *d = CONTAINER_OF(p, struct paced_delivery, paced);
    struct publication *publication = publication_ref(d->publication);
    struct subscription *u = d->subscription;

    free_paced(d);
    pass(u, publication);
    publication_unref(publication);
}

static void slow_down(struct subscription *u, struct publication *p, uint32_t weight)
{
    struct subscriber *s = u->subscriber;
    struct paced_delivery *d = mem_new(sizeof(*d));

    d->paced.weight = weight;
    if (rate_wait(s->rate, &d->paced) < 0) {
        s->edge->stats.items_dropped_rate++;
        mem_free(d);
        return;
    }
    d->subscription = u;
    d->publication = publication_ref(p);
    if (!u->paced.next)
        list_init(&u->paced);
    list_add_tail(&u->paced, &d->in_subscription);
}

static void cancel_paced(struct subscription *u)
{
    while (u->paced.next && !list_empty(&u->paced)) {
        struct paced_delivery *d = LIST_ITEM(u->paced.next, struct paced_delivery, in_subscription);

        rate_cancel(u->subscriber->rate, &d->paced);
        free_paced(d);
    }
}

/* --- from the hub --- */

static void on_deliver(void *arg, struct sub *sub, struct msg *m)
{
    struct subscription *u = CONTAINER_OF(sub, struct subscription, sub);
    const struct subscriber *s = u->subscriber;
    struct publication *p = publication_of(m);
    const struct grip_format *f = &p->item.formats[s->kind];

    if (!f->has)
        return;
    if (s->rate) {
        const uint32_t weight = relay_weight(s->edge->relay, &p->item, f);

        if (!rate_take(s->rate, weight)) {
            slow_down(u, p, weight);
            return;
        }
    }
    pass(u, p);
}

static void on_refresh(void *arg, struct sub *sub)
{
    struct subscriber *s = CONTAINER_OF(sub, struct subscription, sub)->subscriber;

    if (s->kind != GRIP_WS_MESSAGE)
        s->ops->refresh(s);
}

static void on_known(void *arg, struct slice channel, bool is_known)
{
    relay_known(arg, channel, is_known);
}

const struct hub_ops subscriber_hub_ops = {
    .deliver = on_deliver, .refresh = on_refresh, .known = on_known};

enum grip_kind subscriber_kind_of(const struct sub *sub)
{
    return CONTAINER_OF(sub, const struct subscription, sub)->subscriber->kind;
}

/* --- channels --- */

static struct subscription *subscribe_to(struct subscriber *s, struct slice channel)
{
    struct subscription *u = mem_new(sizeof(*u)), **end = &s->first;

    u->subscriber = s;
    u->sub.lingers = s->kind == GRIP_HTTP_RESPONSE;
    while (*end)
        end = &(*end)->next;
    *end = u;
    hub_subscribe(hub_of(s), &u->sub, channel, now(s));
    statistics_sub(s->edge, s->kind, channel, 1);
    relay_wake(s->edge->relay);
    return u;
}

static void forget_waiting(struct subscriber *s, const struct subscription *u)
{
    struct subscriber_queue *q = s->queue;

    for (uint32_t i = q ? q->at : 0; q && i < q->n; i++)
        if (q->waiting[i].subscription == u)
            q->waiting[i].subscription = NULL;
}

static void end_subscription(struct subscriber *s, struct subscription **at)
{
    struct subscription *u = *at;

    *at = u->next;
    cancel_paced(u);
    forget_waiting(s, u);
    statistics_sub(s->edge, s->kind, hub_channel(&u->sub), -1);
    hub_unsubscribe(hub_of(s), &u->sub, now(s));
    relay_wake(s->edge->relay);
    blob_unref(u->prev_id);
    mem_free(u);
}

void subscriber_init(struct subscriber *s, struct edge *edge, enum grip_kind kind, unsigned max,
                     struct slice route_id, const struct subscriber_ops *ops)
{
    assert(max > 0 && max <= UINT8_MAX);
    *s = (struct subscriber){
        .ops = ops,
        .edge = edge,
        .rate = relay_rate(edge->relay, route_id),
        .kind = kind,
        .max = (uint8_t)max,
    };
}

void subscriber_done(struct subscriber *s)
{
    free_queue(s);
    while (s->first)
        end_subscription(s, &s->first);
    s->n = 0;
    subscriber_meta_clear(s);
}

/* -ERR_TOO_LARGE: there is no room. */
static int count_in(struct subscriber *s, struct subscription *u, const struct subscribe *how)
{
    const bool counts = !how->implicit && (!u || (u->replace && !u->implicit));

    if (!counts)
        return 0;
    if (s->n == s->max)
        return -ERR_TOO_LARGE;
    s->n++;
    return 0;
}

int subscriber_add(struct subscriber *s, struct slice channel, const struct subscribe *how)
{
    struct subscription *u = find(s, channel);
    int r = count_in(s, u, how);

    if (r < 0)
        return r;
    if (!u)
        u = subscribe_to(s, channel);
    u->implicit |= how->implicit;
    u->replace = false;
    u->filters = how->filters;
    set_prev_id(u, how->has_prev_id, how->prev_id);
    if (!how->has_after_id || u->sub.replaying)
        return 0;
    r = hub_replay(hub_of(s), &u->sub, how->after_id);
    return r > 0 ? 1 : r;
}

bool subscriber_remove(struct subscriber *s, struct slice channel)
{
    for (struct subscription **at = &s->first; *at; at = &(*at)->next) {
        if (!slice_eq(channel_of(*at), channel))
            continue;
        if ((*at)->implicit)
            return false;
        s->n -= !(*at)->replace;
        end_subscription(s, at);
        return true;
    }
    return false;
}

void subscriber_replace(struct subscriber *s)
{
    for (struct subscription *u = s->first; u; u = u->next) {
        u->replace = !u->implicit;
        u->heard = false;
    }
    s->n = 0;
}

void subscriber_replaced(struct subscriber *s)
{
    struct subscription **at = &s->first;

    while (*at)
        if ((*at)->replace)
            end_subscription(s, at);
        else
            at = &(*at)->next;
}

/* --- metadata --- */

/* Takes the pair at the front of the rest. */
static bool meta_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    return slice_split(rest, 0, ret_name) && slice_split(rest, 0, ret_value);
}

const char *subscriber_meta_find(const struct subscriber *s, struct slice name)
{
    struct slice rest = span_slice(s->meta), at, value;

    while (meta_next(&rest, &at, &value))
        if (slice_eq(at, name))
            return (const char *)value.p;
    return NULL;
}

static int put_meta(struct buf *b, struct slice name, struct slice value)
{
    int r = buf_add(b, name);

    r = r < 0 ? r : buf_add_byte(b, 0);
    r = r < 0 ? r : buf_add(b, value);
    return r < 0 ? r : buf_add_byte(b, 0);
}

int subscriber_meta(struct subscriber *s, struct slice name, const struct slice *value)
{
    struct slice rest = span_slice(s->meta), at, old;
    struct buf b;
    int r = 0;

    if (slice_find(name, 0) >= 0 || (value && slice_find(*value, 0) >= 0))
        return -ERR_TOO_LARGE;
    buf_init(&b, SUBSCRIBER_META);
    while (r == 0 && meta_next(&rest, &at, &old))
        if (!slice_eq(at, name))
            r = put_meta(&b, at, old);
    if (r == 0 && value)
        r = put_meta(&b, name, *value);
    if (r == 0) {
        subscriber_meta_clear(s);
        s->meta = buf_take(&b);
    }
    buf_done(&b);
    return r;
}

void subscriber_meta_clear(struct subscriber *s)
{
    mem_free(s->meta.p);
    s->meta = (struct span){0};
}
