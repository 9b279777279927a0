#include "edge/events.h"

#include <assert.h>

enum { TABLE_FIRST = 64, SPARE_MAX = 1024 };

void events_init(struct events *ev, uint64_t tag)
{
    *ev = (struct events){.next_seq = tag + 1};
    list_init(&ev->all);
    ev->unsent = &ev->all;
}

/* --- the table -----------------------------------------------------------------------------------
 *
 * By the counter itself: counters are consecutive, so that the table is filled like a ring, and
 * only an event that runs for longer than a round shares its place with others.
 */

static struct event **place(const struct events *ev, uint64_t seq)
{
    struct event **at = &ev->table[(uint32_t)seq & ev->mask];

    while (*at && (*at)->seq != seq)
        at = &(*at)->next;
    return at;
}

static void table_grow(struct events *ev)
{
    struct event **old = ev->table;
    const uint32_t n = old ? ev->mask + 1 : 0;
    const uint32_t size = MAX(n * 2, (uint32_t)TABLE_FIRST);

    ev->table = mem_new(size * sizeof(ev->table[0]));
    ev->mask = size - 1;
    for (uint32_t i = 0; i < n; i++) {
        struct event *e;

        while ((e = old[i])) {
            old[i] = e->next;
            e->next = NULL;
            *place(ev, e->seq) = e;
        }
    }
    mem_free(old);
}

/* An application at rest gives the memory of its busiest moment back. */
static void table_rest(struct events *ev)
{
    if (ev->n > 0 || ev->mask < TABLE_FIRST * 16)
        return;
    mem_free(ev->table);
    ev->table = NULL;
    ev->mask = 0;
}

/* --- events --- */

static struct event *event_new(struct events *ev)
{
    struct event *e = ev->spare;

    if (!e)
        return mem_new(sizeof(*e));
    ev->spare = e->next;
    ev->n_spare--;
    *e = (struct event){0};
    return e;
}

static void event_free(struct events *ev, struct event *e)
{
    blob_unref(e->frame);
    if (ev->n_spare >= SPARE_MAX) {
        mem_free(e);
        return;
    }
    e->next = ev->spare;
    ev->spare = e;
    ev->n_spare++;
}

void events_done(struct events *ev)
{
    struct event *e;

    if (!ev->all.next)
        return;
    while (!list_empty(&ev->all))
        events_drop(ev, LIST_ITEM(ev->all.next, struct event, order));
    while ((e = ev->spare)) {
        ev->spare = e->next;
        mem_free(e);
    }
    mem_free(ev->table);
    *ev = (struct events){0};
}

struct event *events_add(struct events *ev, unsigned type, uint64_t id, struct blob *take_frame,
                         uint32_t bytes)
{
    struct event *e = event_new(ev);

    e->seq = ev->next_seq++;
    e->id = id;
    e->type = (uint16_t)type;
    e->frame = take_frame;
    e->bytes = bytes;
    list_add_tail(&ev->all, &e->order);
    if (ev->unsent == &ev->all)
        ev->unsent = &e->order;
    ev->bytes += bytes;
    ev->n++;
    if (!ev->table || ev->n > (ev->mask + 1) / 2)
        table_grow(ev);
    *place(ev, e->seq) = e;
    return e;
}

struct event *events_find(const struct events *ev, uint64_t seq)
{
    return ev->table ? *place(ev, seq) : NULL;
}

void events_drop(struct events *ev, struct event *e)
{
    if (ev->unsent == &e->order)
        ev->unsent = e->order.next;
    list_del(&e->order);
    *place(ev, e->seq) = e->next;
    ev->bytes -= e->bytes;
    ev->n--;
    event_free(ev, e);
    table_rest(ev);
}

struct event *events_send(struct events *ev)
{
    struct event *e;

    if (!events_has_unsent(ev))
        return NULL;
    e = LIST_ITEM(ev->unsent, struct event, order);
    ev->unsent = e->order.next;
    e->sent = true;
    return e;
}

void events_rewind(struct events *ev)
{
    struct list *it, *tmp;

    LIST_EACH (&ev->all, it, tmp) {
        struct event *e = LIST_ITEM(it, struct event, order);

        assert(!e->sent || e->frame);
        e->sent = false;
    }
    ev->unsent = ev->all.next;
}
