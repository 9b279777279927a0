#include "hub/history.h"

void history_init(struct history *h, const struct history_limits *limits,
                  void (*emptied)(struct ring *r))
{
    *h = (struct history){.limits = *limits, .emptied = emptied};
    list_init(&h->msgs);
}

static void forget(struct history *h, struct msg *m)
{
    struct ring *r = m->ring;

    list_del(&m->in_channel);
    list_del(&m->in_total);
    m->ring = NULL;
    r->n--;
    r->bytes -= m->weight;
    h->n--;
    h->bytes -= m->weight;
    msg_unref(m);
}

void history_done(struct history *h)
{
    while (!list_empty(&h->msgs))
        forget(h, LIST_ITEM(h->msgs.next, struct msg, in_total));
}

static void drop_oldest(struct history *h, const struct ring *keeping)
{
    struct msg *m = LIST_ITEM(h->msgs.next, struct msg, in_total);
    struct ring *r = m->ring;

    forget(h, m);
    if (r->n == 0 && r != keeping)
        h->emptied(r);
}

void history_keep(struct history *h, struct ring *r, struct msg *m, int64_t now_ms)
{
    const struct history_limits *l = &h->limits;

    if (l->count == 0 || m->weight > l->bytes || m->weight > l->total)
        return;
    if (!r->msgs.next)
        list_init(&r->msgs);
    list_add_tail(&r->msgs, &m->in_channel);
    list_add_tail(&h->msgs, &m->in_total);
    m->ring = r;
    m->at_ms = now_ms;
    r->n++;
    r->bytes += m->weight;
    h->n++;
    h->bytes += m->weight;
    (void)msg_ref(m);
    while (r->n > l->count || r->bytes > l->bytes)
        forget(h, LIST_ITEM(r->msgs.next, struct msg, in_channel));
    while (h->bytes > l->total)
        drop_oldest(h, r);
}

void history_expire(struct history *h, int64_t now_ms)
{
    while (history_due(h) <= now_ms)
        drop_oldest(h, NULL);
}

int64_t history_due(const struct history *h)
{
    if (list_empty(&h->msgs))
        return INT64_MAX;
    return LIST_ITEM(h->msgs.next, struct msg, in_total)->at_ms + h->limits.ms;
}

struct msg *history_find(const struct ring *r, struct slice id)
{
    if (r->n == 0)
        return NULL;
    for (const struct list *it = r->msgs.prev; it != &r->msgs; it = it->prev) {
        struct msg *m = LIST_ITEM(it, struct msg, in_channel);

        if (m->has_id && slice_eq(m->id, id))
            return m;
    }
    return NULL;
}

struct msg *history_after(const struct ring *r, const struct msg *m)
{
    const struct list *next = m->in_channel.next;

    return next == &r->msgs ? NULL : LIST_ITEM(next, struct msg, in_channel);
}
