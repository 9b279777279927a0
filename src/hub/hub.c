/*
 * A channel's life:
 *
 *              subscribe                     last sub leaves
 *   (nothing) ───────────► known, with subs ─────────────────► lingering ─────► unknown
 *        ▲                      ▲      if none of them lingers ───────────────►    │
 *        │                      └──────── subscribe ───────────┘                   │
 *        └── nothing is kept of it, parked in it, or queued for it ────────────────┘
 *
 * The queue is one for all channels, so that who listens on several hears them in the order in
 * which things were said. Only its head is worked on; `cursor` is the next sub to be told, and
 * moves on when that sub leaves.
 */
#include "hub/hub.h"

#include <assert.h>

#include "base/err.h"
#include "base/map.h"
#include "hub/history.h"
#include "hub/ids.h"

struct channel {
    struct hub *hub;
    struct list subs; /* by sub.in_channel, in the order they came: `since` grows */
    uint32_t n_subs;
    uint32_t n_queued; /* entries of the queue */
    struct ring kept;
    struct list parked; /* by msg.parked */
    uint32_t n_parked;
    bool is_known;
    struct list young;     /* in hub.young until refresh() was told */
    struct list lingering; /* in hub.lingering while it is known without subs */
    int64_t young_at, lingering_at;
    struct span last_id;
    bool has_last_id;
    struct slice name; /* behind the struct */
};

enum entry_kind { ENTRY_MSG, ENTRY_REFRESH, ENTRY_REPLAY };

struct entry {
    struct list in_queue;
    struct channel *channel;
    enum entry_kind kind;
    uint64_t upto;     /* subs that came later are not told */
    struct msg *msg;   /* MSG */
    struct sub *sub;   /* REPLAY; NULL: it has left */
    struct msg **msgs; /* REPLAY */
    uint32_t n, at;
};

struct hub {
    struct hub_options options;
    const struct hub_ops *ops;
    void *arg;
    struct map channels;
    struct history history;
    struct ids ids;
    struct list queue; /* of struct entry */
    struct list waiting;
    struct list young;
    struct list lingering;
    struct list *cursor; /* of the queue's head, NULL: it is not begun */
    uint64_t seq;
    struct hub_stats stats;
};

/* --- channels --- */

static struct channel *find(const struct hub *h, struct slice name)
{
    return map_find(&h->channels, name);
}

static struct channel *find_or_make(struct hub *h, struct slice name)
{
    struct channel *c = find(h, name);

    if (c)
        return c;
    c = mem_new(sizeof(*c) + name.n);
    c->hub = h;
    list_init(&c->subs);
    list_init(&c->parked);
    c->kept.arg = c;
    if (name.n)
        memcpy(c + 1, name.p, name.n);
    c->name = slice_make(c + 1, name.n);
    (void)map_put(&h->channels, c->name, c);
    return c;
}

static void free_channel(struct channel *c)
{
    mem_free(c->last_id.p);
    mem_free(c);
}

static void drop_if_idle(struct hub *h, struct channel *c)
{
    if (c->is_known || c->n_queued || c->n_parked || c->kept.n)
        return;
    (void)map_del(&h->channels, c->name);
    free_channel(c);
}

static void on_emptied(struct ring *r)
{
    struct channel *c = r->arg;

    drop_if_idle(c->hub, c);
}

static void forget_id(struct channel *c)
{
    mem_free(c->last_id.p);
    c->last_id = (struct span){0};
    c->has_last_id = false;
}

static void remember_id(struct channel *c, const struct msg *m)
{
    forget_id(c);
    if (!m->has_id)
        return;
    c->last_id = (struct span){mem_new(m->id.n + 1), m->id.n};
    if (m->id.n)
        memcpy(c->last_id.p, m->id.p, m->id.n);
    c->has_last_id = true;
}

static void set_known(struct hub *h, struct channel *c, bool is_known)
{
    c->is_known = is_known;
    if (h->ops->known)
        h->ops->known(h->arg, c->name, is_known);
}

/* --- the queue --- */

static uint32_t cost(const struct msg *m)
{
    return m->weight + HUB_CHANNEL_WEIGHT;
}

static struct entry *enqueue(struct hub *h, struct channel *c, enum entry_kind kind, uint64_t upto)
{
    struct entry *e = mem_new(sizeof(*e));

    e->kind = kind;
    e->channel = c;
    e->upto = upto;
    c->n_queued++;
    list_add_tail(&h->queue, &e->in_queue);
    return e;
}

static void free_entry(struct hub *h, struct entry *e)
{
    if (e->msg) {
        h->stats.queued--;
        h->stats.queue_bytes -= cost(e->msg);
    }
    msg_unref(e->msg);
    for (uint32_t i = e->at; i < e->n; i++)
        msg_unref(e->msgs[i]);
    if (e->sub)
        e->sub->replaying = false;
    list_del(&e->in_queue);
    mem_free(e->msgs);
    mem_free(e);
}

/* The head is done. */
static void dequeue(struct hub *h, struct entry *e)
{
    struct channel *c = e->channel;

    free_entry(h, e);
    h->cursor = NULL;
    c->n_queued--;
    drop_if_idle(h, c);
}

/* --- subs --- */

void hub_subscribe(struct hub *h, struct sub *s, struct slice channel, int64_t now_ms)
{
    struct channel *c = find_or_make(h, channel);

    assert(!s->channel);
    s->channel = c;
    s->since = h->seq;
    s->replaying = false;
    list_add_tail(&c->subs, &s->in_channel);
    c->n_subs++;
    h->stats.subs++;
    list_del(&c->lingering);
    if (c->is_known)
        return;
    if (!h->options.no_first) {
        c->young_at = now_ms;
        list_add_tail(&h->young, &c->young);
    }
    set_known(h, c, true);
}

static void leave_replay(struct hub *h, const struct sub *s)
{
    struct list *it, *tmp;

    LIST_EACH (&h->queue, it, tmp) {
        struct entry *e = LIST_ITEM(it, struct entry, in_queue);

        if (e->sub == s)
            e->sub = NULL;
    }
}

/* Nobody listens any more. */
static void desert(struct hub *h, struct channel *c, bool lingers, int64_t now_ms)
{
    if (lingers && h->options.linger_ms) {
        c->lingering_at = now_ms;
        list_add_tail(&h->lingering, &c->lingering);
        return;
    }
    list_del(&c->young);
    set_known(h, c, false);
    drop_if_idle(h, c);
}

void hub_unsubscribe(struct hub *h, struct sub *s, int64_t now_ms)
{
    struct channel *c = s->channel;

    if (!c)
        return;
    if (h->cursor == &s->in_channel)
        h->cursor = s->in_channel.next;
    if (s->replaying)
        leave_replay(h, s);
    list_del(&s->in_channel);
    s->channel = NULL;
    s->replaying = false;
    h->stats.subs--;
    if (--c->n_subs == 0)
        desert(h, c, s->lingers, now_ms);
}

int hub_replay(struct hub *h, struct sub *s, struct slice after_id)
{
    const struct ring *kept = &s->channel->kept;
    struct msg *m = history_find(kept, after_id);
    struct entry *e;

    assert(!s->replaying);
    if (!m)
        return -ERR_NOT_FOUND;
    m = history_after(kept, m);
    if (!m)
        return 0;
    e = enqueue(h, s->channel, ENTRY_REPLAY, 0);
    e->sub = s;
    e->msgs = mem_new(kept->n * sizeof(struct msg *));
    for (; m; m = history_after(kept, m))
        e->msgs[e->n++] = msg_ref(m);
    s->replaying = true;
    return (int)e->n;
}

/* --- publishing --- */

/* It is this message's turn: it is said, and takes the caller's reference. */
static void say(struct hub *h, struct channel *c, struct msg *take_m, int64_t now_ms)
{
    struct entry *e;

    take_m->seq = ++h->seq;
    h->stats.published++;
    remember_id(c, take_m);
    if (!take_m->passing)
        history_keep(&h->history, &c->kept, take_m, now_ms);
    if (c->n_subs == 0) {
        msg_unref(take_m);
        return;
    }
    e = enqueue(h, c, ENTRY_MSG, take_m->seq - 1);
    e->msg = take_m;
    h->stats.queued++;
    h->stats.queue_bytes += cost(take_m);
}

static struct msg *find_parked(const struct channel *c, struct slice prev_id)
{
    struct list *it, *tmp;

    LIST_EACH (&c->parked, it, tmp) {
        struct msg *m = LIST_ITEM(it, struct msg, parked);

        if (slice_eq(m->prev_id, prev_id))
            return m;
    }
    return NULL;
}

static void unpark(struct hub *h, struct channel *c, struct msg *m)
{
    list_del(&m->parked);
    list_del(&m->waiting);
    c->n_parked--;
    h->stats.parked--;
    h->stats.queue_bytes -= cost(m);
}

/* Says it, and those that waited for it. */
static void say_chain(struct hub *h, struct channel *c, struct msg *take_m, int64_t now_ms)
{
    for (;;) {
        say(h, c, take_m, now_ms);
        take_m = c->n_parked && c->has_last_id ? find_parked(c, span_slice(c->last_id)) : NULL;
        if (!take_m)
            break;
        unpark(h, c, take_m);
    }
}

static bool is_early(const struct hub *h, const struct channel *c, const struct msg *m)
{
    return h->options.wait_ms && c->is_known && m->has_prev_id && !m->no_seq && c->has_last_id &&
           !slice_eq(m->prev_id, span_slice(c->last_id));
}

static bool park(struct hub *h, struct channel *c, struct msg *take_m, int64_t now_ms)
{
    if (c->n_parked >= HUB_PARKED || find_parked(c, take_m->prev_id)) {
        h->stats.misordered++;
        msg_unref(take_m);
        return false;
    }
    take_m->at_ms = now_ms;
    list_add_tail(&c->parked, &take_m->parked);
    list_add_tail(&h->waiting, &take_m->waiting);
    c->n_parked++;
    h->stats.parked++;
    h->stats.queue_bytes += cost(take_m);
    return true;
}

static bool is_duplicate(struct hub *h, const struct msg *m, int64_t now_ms)
{
    if (!m->has_id || h->options.id_cache_ms == 0)
        return false;
    ids_expire(&h->ids, now_ms, h->options.id_cache_ms);
    return ids_seen(&h->ids, m->channel, m->id, now_ms, HUB_IDS);
}

bool hub_publish(struct hub *h, struct msg *take_m, int64_t now_ms)
{
    struct channel *c;

    if (is_duplicate(h, take_m, now_ms)) {
        h->stats.duplicates++;
        msg_unref(take_m);
        return false;
    }
    c = find_or_make(h, take_m->channel);
    if (is_early(h, c, take_m))
        return park(h, c, take_m, now_ms);
    say_chain(h, c, take_m, now_ms);
    drop_if_idle(h, c);
    return true;
}

/* --- ids --- */

bool hub_last_id(const struct hub *h, struct slice channel, struct slice *ret_id)
{
    const struct channel *c = find(h, channel);

    if (!c || !c->has_last_id)
        return false;
    *ret_id = span_slice(c->last_id);
    return true;
}

void hub_forget(struct hub *h, struct slice channel)
{
    struct channel *c = find(h, channel);

    if (c)
        forget_id(c);
}

void hub_recover(struct hub *h)
{
    uint32_t at = 0;
    struct slice name;
    void *value;

    ids_done(&h->ids);
    while (map_next(&h->channels, &at, &name, &value)) {
        struct channel *c = value;

        forget_id(c);
        if (c->n_subs)
            (void)enqueue(h, c, ENTRY_REFRESH, h->seq);
    }
}

/* --- what is due --- */

static void release_overdue(struct hub *h, int64_t now_ms)
{
    while (!list_empty(&h->waiting)) {
        struct msg *m = LIST_ITEM(h->waiting.next, struct msg, waiting);
        struct channel *c = find(h, m->channel);

        if (m->at_ms + h->options.wait_ms > now_ms)
            break;
        unpark(h, c, m);
        h->stats.overdue++;
        say_chain(h, c, m, now_ms);
        drop_if_idle(h, c);
    }
}

static void refresh_young(struct hub *h, int64_t now_ms)
{
    while (!list_empty(&h->young)) {
        struct channel *c = LIST_ITEM(h->young.next, struct channel, young);

        if (c->young_at + HUB_FIRST_MS > now_ms)
            break;
        list_del(&c->young);
        (void)enqueue(h, c, ENTRY_REFRESH, h->seq);
    }
}

static void end_lingering(struct hub *h, int64_t now_ms)
{
    while (!list_empty(&h->lingering)) {
        struct channel *c = LIST_ITEM(h->lingering.next, struct channel, lingering);

        if (c->lingering_at + h->options.linger_ms > now_ms)
            break;
        list_del(&c->lingering);
        list_del(&c->young);
        set_known(h, c, false);
        drop_if_idle(h, c);
    }
}

static void do_due(struct hub *h, int64_t now_ms)
{
    ids_expire(&h->ids, now_ms, h->options.id_cache_ms);
    history_expire(&h->history, now_ms);
    release_overdue(h, now_ms);
    refresh_young(h, now_ms);
    end_lingering(h, now_ms);
}

/* --- fan-out --- */

static bool replay(struct hub *h, struct entry *e, unsigned *budget)
{
    while (e->sub && e->at < e->n && *budget) {
        struct msg *m = e->msgs[e->at++];

        --*budget;
        h->stats.delivered++;
        h->stats.replayed++;
        h->ops->deliver(h->arg, e->sub, m);
        msg_unref(m);
    }
    return !e->sub || e->at == e->n;
}

static void tell(struct hub *h, const struct entry *e, struct sub *s)
{
    if (e->kind == ENTRY_REFRESH) {
        h->ops->refresh(h->arg, s);
        return;
    }
    h->stats.delivered++;
    h->ops->deliver(h->arg, s, e->msg);
}

/* True: all were told. */
static bool fan_out(struct hub *h, const struct entry *e, unsigned *budget)
{
    struct channel *c = e->channel;

    if (!h->cursor)
        h->cursor = c->subs.next;
    while (h->cursor != &c->subs) {
        struct sub *s = LIST_ITEM(h->cursor, struct sub, in_channel);

        if (s->since > e->upto)
            break;
        if (*budget == 0)
            return false;
        --*budget;
        h->cursor = h->cursor->next;
        tell(h, e, s);
    }
    return true;
}

bool hub_run(struct hub *h, int64_t now_ms, unsigned budget)
{
    do_due(h, now_ms);
    while (!list_empty(&h->queue) && budget) {
        struct entry *e = LIST_ITEM(h->queue.next, struct entry, in_queue);

        if (!(e->kind == ENTRY_REPLAY ? replay(h, e, &budget) : fan_out(h, e, &budget)))
            break;
        dequeue(h, e);
        budget -= budget > 0;
    }
    return !list_empty(&h->queue);
}

int64_t hub_due(const struct hub *h)
{
    const struct msg *m = LIST_ITEM(h->waiting.next, struct msg, waiting);
    const struct channel *young = LIST_ITEM(h->young.next, struct channel, young);
    const struct channel *lingering = LIST_ITEM(h->lingering.next, struct channel, lingering);
    int64_t at = history_due(&h->history);

    if (!list_empty(&h->queue))
        return 0;
    if (!list_empty(&h->waiting))
        at = MIN(at, m->at_ms + h->options.wait_ms);
    if (!list_empty(&h->young))
        at = MIN(at, young->young_at + HUB_FIRST_MS);
    if (!list_empty(&h->lingering))
        at = MIN(at, lingering->lingering_at + h->options.linger_ms);
    return at;
}

/* --- looking --- */

struct hub_stats hub_stats(const struct hub *h)
{
    struct hub_stats s = h->stats;

    s.channels = h->channels.count;
    s.ids = h->ids.n;
    s.kept = h->history.n;
    s.kept_bytes = h->history.bytes;
    return s;
}

struct slice hub_channel(const struct sub *s)
{
    return s->channel ? s->channel->name : SLICE_NONE;
}

bool hub_next(const struct hub *h, uint32_t *it, struct hub_channel_info *ret)
{
    struct slice name;
    void *value;
    const struct channel *c;

    if (!map_next(&h->channels, it, &name, &value))
        return false;
    c = value;
    *ret = (struct hub_channel_info){
        .name = c->name,
        .last_id = span_slice(c->last_id),
        .subs = c->n_subs,
        .kept = c->kept.n,
        .list = &c->subs,
    };
    return true;
}

/* --- life --- */

static struct history_limits limits_of(const struct hub_options *o)
{
    return (struct history_limits){
        .count = o->history_count,
        .bytes = o->history_bytes,
        .ms = o->history_ms,
        .total = o->history_total,
    };
}

struct hub *hub_new(const struct hub_options *o, const struct hub_ops *ops, void *arg)
{
    struct hub *h = mem_new(sizeof(*h));
    const struct history_limits limits = limits_of(o);

    h->options = *o;
    h->ops = ops;
    h->arg = arg;
    history_init(&h->history, &limits, on_emptied);
    list_init(&h->queue);
    list_init(&h->waiting);
    list_init(&h->young);
    list_init(&h->lingering);
    return h;
}

static void end_channel(struct channel *c)
{
    while (!list_empty(&c->subs)) {
        struct sub *s = LIST_ITEM(list_pop(&c->subs), struct sub, in_channel);

        s->channel = NULL;
        s->replaying = false;
    }
    while (!list_empty(&c->parked))
        msg_unref(LIST_ITEM(list_pop(&c->parked), struct msg, parked));
    free_channel(c);
}

void hub_free(struct hub *h)
{
    uint32_t at = 0;
    struct slice name;
    void *value;

    if (!h)
        return;
    while (!list_empty(&h->queue))
        free_entry(h, LIST_ITEM(h->queue.next, struct entry, in_queue));
    history_done(&h->history);
    while (map_next(&h->channels, &at, &name, &value))
        end_channel(value);
    map_done(&h->channels);
    ids_done(&h->ids);
    mem_free(h);
}
