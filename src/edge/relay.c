#include "edge/relay.h"

#include <assert.h>

#include "base/map.h"
#include "edge/edge_int.h"
#include "edge/rate.h"
#include "edge/subscriber.h"
#include "hub/hub.h"

struct relay {
    struct edge *edge;
    struct hub *hub;
    struct timer timer;
    bool is_awake; /* a task will run the hub */
    bool is_gone;
    struct list resumed;
    struct map rates;          /* by route id, of struct rate */
    uint32_t rate, hwm, block; /* of message_…; 0: none */
    /* Bytes that were published and not handed to all yet: on their way here (added by whoever
     * publishes, on any thread), and in the hub. */
    uint64_t coming;
    uint64_t here;
    /* Edge 0's: channels known anywhere, and on how many edges. */
    void (*known)(void *arg, struct slice channel, bool is_known);
    void *known_arg;
    struct map counts;
};

#define KEEP(value, usual) ((value) ? (value) == APP_NEVER ? 0 : (value) : (usual))

/* Where APP_NEVER is no limit instead of nothing. */
static uint32_t most(uint32_t value, uint32_t usual)
{
    return value ? value : usual;
}

static struct hub_options hub_options(const struct grip_options *o)
{
    return (struct hub_options){
        .no_first = o->no_first,
        .wait_ms = KEEP(o->message_wait_ms, 5000),
        .id_cache_ms = KEEP(o->id_cache_ms, 60000),
        .linger_ms = KEEP(o->linger_ms, 60000),
        .history_count = most(o->history_count, 100),
        .history_bytes = most(o->history_bytes, 1 << 20),
        .history_ms = most(o->history_ms, 300000),
        .history_total = o->history_total ? o->history_total : 64 << 20,
    };
}

/* --- running the hub --- */

static void on_run(void *arg)
{
    struct relay *r = arg;
    struct edge *e = r->edge;
    const int64_t now = loop_now(e->loop);
    int64_t due;
    bool more;

    r->is_awake = false;
    if (r->is_gone)
        return;
    subscribers_resume(&r->resumed);
    more = hub_run(r->hub, now, RELAY_BUDGET);
    __atomic_store_n(&r->here, hub_stats(r->hub).queue_bytes, __ATOMIC_RELAXED);
    due = hub_due(r->hub);
    if (more || !list_empty(&r->resumed))
        relay_wake(r);
    else if (due < INT64_MAX)
        timer_set(e->loop, &r->timer, MAX(due, now + 1));
    else
        timer_del(e->loop, &r->timer);
}

void relay_wake(struct relay *r)
{
    if (r->is_awake)
        return;
    r->is_awake = true;
    loop_defer(r->edge->loop, LOOP_DEFERRED, on_run, r);
}

static void on_due(struct timer *t)
{
    relay_wake(CONTAINER_OF(t, struct relay, timer));
}

/* --- publishing --- */

struct parcel {
    struct mail mail;
    struct edge *to;
    uint64_t bytes;
    bool recover; /* instead of items */
    size_t n;
    struct publication *items[];
};

static bool is_full(const struct relay *r)
{
    return __atomic_load_n(&r->coming, __ATOMIC_RELAXED) +
               __atomic_load_n(&r->here, __ATOMIC_RELAXED) >
           RELAY_BACKLOG;
}

static void publish_here(struct relay *r, struct publication *take_p)
{
    (void)hub_publish(r->hub, &take_p->msg, loop_now(r->edge->loop));
}

static void changed(struct relay *r)
{
    __atomic_store_n(&r->here, hub_stats(r->hub).queue_bytes, __ATOMIC_RELAXED);
    relay_wake(r);
}

static void on_parcel(struct mail *m)
{
    struct parcel *p = CONTAINER_OF(m, struct parcel, mail);
    struct relay *r = p->to->gone ? NULL : p->to->relay;

    for (size_t i = 0; i < p->n; i++)
        if (r)
            publish_here(r, p->items[i]);
        else
            publication_unref(p->items[i]);
    if (r) {
        if (p->recover)
            hub_recover(r->hub);
        __atomic_fetch_sub(&r->coming, p->bytes, __ATOMIC_RELAXED);
        changed(r);
    }
    mem_free(p);
}

/*
 * Copies of the items are made here: what one thread made, another owns after the post. To this
 * edge itself, too: who publishes on one edge after the answer of another comes behind it
 * everywhere, also here, where that other's mail may still wait.
 */
static void post(struct edge *to, const struct grip_items *items)
{
    const size_t n = items ? items->n : 0;
    struct parcel *p = mem_new(sizeof(*p) + n * sizeof(p->items[0]));

    p->mail.deliver = on_parcel;
    p->to = to;
    p->recover = !items;
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        p->items[i] = publication_new(&items->items[i]);
        p->bytes += p->items[i]->msg.weight;
    }
    __atomic_fetch_add(&to->relay->coming, p->bytes, __ATOMIC_RELAXED);
    mailbox_post(to->loop, &p->mail);
}

static void publish_alone(struct relay *r, const struct grip_items *items)
{
    for (size_t i = 0; i < items->n; i++)
        publish_here(r, publication_new(&items->items[i]));
    changed(r);
}

int relay_publish(struct edge *e, const struct grip_items *items)
{
    for (unsigned i = 0; i < e->count; i++)
        if (is_full(e->siblings[i]->relay)) {
            e->stats.items_refused += items->n;
            return -ERR_OVERLOADED;
        }
    e->stats.items_published += items->n;
    if (e->count == 1)
        publish_alone(e->relay, items);
    for (unsigned i = 0; e->count > 1 && i < e->count && items->n; i++)
        post(e->siblings[i], items);
    return 0;
}

void relay_recover(struct edge *e)
{
    for (unsigned i = 0; i < e->count; i++)
        post(e->siblings[i], NULL);
}

/* --- which channels are known anywhere --- */

struct word {
    struct mail mail;
    struct relay *to; /* edge 0's */
    bool is_known;
    struct slice channel; /* behind the struct */
};

static void tell_known(struct relay *r, struct slice channel, bool is_known)
{
    const uintptr_t before = (uintptr_t)map_find(&r->counts, channel);
    const uintptr_t after = is_known ? before + 1 : before - 1;

    if (after)
        (void)map_put(&r->counts, channel, (void *)after);
    if (before == 0 || after == 0)
        r->known(r->known_arg, channel, is_known);
    if (!after)
        (void)map_del(&r->counts, channel);
}

static void on_word(struct mail *m)
{
    struct word *w = CONTAINER_OF(m, struct word, mail);

    if (!w->to->is_gone)
        tell_known(w->to, w->channel, w->is_known);
    mem_free(w);
}

/* A mail also on edge 0 itself: nothing is called from inside itself. */
void relay_known(struct relay *r, struct slice channel, bool is_known)
{
    struct relay *to = r->edge->siblings[0]->relay;
    struct word *w;

    if (!to->known)
        return;
    w = mem_new(sizeof(*w) + channel.n);
    w->mail.deliver = on_word;
    w->to = to;
    w->is_known = is_known;
    if (channel.n)
        memcpy(w + 1, channel.p, channel.n);
    w->channel = slice_make(w + 1, channel.n);
    mailbox_post(to->edge->loop, &w->mail);
}

void relay_watch(struct edge *edge0, void (*known)(void *arg, struct slice channel, bool is_known),
                 void *arg)
{
    assert(edge0->index == 0);
    edge0->relay->known = known;
    edge0->relay->known_arg = arg;
}

/* --- rates --- */

struct rate *relay_rate(struct relay *r, struct slice route_id)
{
    struct rate *rate = map_find(&r->rates, route_id);

    if (rate || r->rate == 0)
        return rate;
    rate = rate_new(r->edge->loop, r->rate, r->hwm, subscriber_paced);
    (void)map_put(&r->rates, route_id, rate);
    return rate;
}

uint32_t relay_weight(const struct relay *r, const struct grip_item *item,
                      const struct grip_format *format)
{
    const uint64_t size = item->size >= 0 ? (uint64_t)item->size : format->content.n;

    if (r->block == 0)
        return 1;
    return (uint32_t)MIN(MAX((size + r->block - 1) / r->block, 1u), (uint64_t)INT32_MAX);
}

/* --- life --- */

struct relay *relay_new(struct edge *e, const struct grip_options *o)
{
    const struct hub_options h = hub_options(o);
    struct relay *r = mem_new(sizeof(*r));

    r->edge = e;
    r->timer.due = on_due;
    r->rate = KEEP(o->message_rate, 0);
    r->hwm = most(o->message_hwm, 25000);
    r->block = KEEP(o->message_block, 0);
    list_init(&r->resumed);
    r->hub = hub_new(&h, &subscriber_hub_ops, r);
    return r;
}

static void free_rates(struct relay *r)
{
    uint32_t at = 0;
    struct slice id;
    void *rate;

    while (map_next(&r->rates, &at, &id, &rate))
        rate_free(rate);
    map_done(&r->rates);
}

void relay_free(struct relay *r)
{
    if (!r)
        return;
    r->is_gone = true;
    timer_del(r->edge->loop, &r->timer);
    hub_free(r->hub);
    free_rates(r);
    map_done(&r->counts);
    loop_defer(r->edge->loop, LOOP_REAP, mem_free, r); /* a task may still be on its way */
}

/* --- looking --- */

struct hub *relay_hub(struct relay *r)
{
    return r->hub;
}

struct list *relay_resumed(struct relay *r)
{
    return &r->resumed;
}

void relay_count(const struct relay *r, struct edge_stats *ret)
{
    const struct hub_stats h = hub_stats(r->hub);
    uint32_t at = 0;
    struct slice id;
    void *rate;

    ret->items_duplicate = h.duplicates;
    ret->items_misordered = h.misordered;
    ret->items_overdue = h.overdue;
    ret->items_replayed = h.replayed;
    ret->items_queued = h.queued;
    ret->items_queued_bytes = (int64_t)h.queue_bytes;
    ret->items_parked = h.parked;
    ret->items_kept = h.kept;
    ret->items_kept_bytes = (int64_t)h.kept_bytes;
    ret->ids_kept = h.ids;
    ret->channels = h.channels;
    ret->subscriptions = h.subs;
    while (map_next(&r->rates, &at, &id, &rate))
        ret->items_paced += rate_waiting(rate);
}
