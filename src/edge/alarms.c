#include "edge/alarms.h"

#include <assert.h>
#include <math.h>

/* ECMAScript's largest time; later is never. */
#define WALL_MAX 8.64e15

static void drop(struct alarms *as, struct alarm *a)
{
    heap_del(&as->waiting, &a->node);
    if (a->state == ALARM_RUNNING)
        (void)map64_del(&as->running, a->seq);
    (void)map_del(&as->by_actor, blob_slice(a->actor));
    blob_unref(a->actor);
    blob_unref(a->name);
    mem_free(a);
}

void alarms_done(struct alarms *as)
{
    uint32_t it = 0;
    struct slice key;
    void *a;

    while (map_next(&as->by_actor, &it, &key, &a))
        drop(as, a);
    map_done(&as->by_actor);
    map64_done(&as->running);
    heap_done(&as->waiting);
}

static struct alarm *get(struct alarms *as, struct slice actor)
{
    struct alarm *a = map_find(&as->by_actor, actor);

    if (a)
        return a;
    a = mem_new(sizeof(*a));
    a->actor = blob_copy(actor);
    (void)map_put(&as->by_actor, actor, a);
    return a;
}

/* A running alarm that is set anew waits again; its event goes on without it. */
static void wait_until(struct alarms *as, struct alarm *a, double wall_ms)
{
    if (a->state == ALARM_RUNNING)
        (void)map64_del(&as->running, a->seq);
    a->state = ALARM_WAITING;
    a->wall_ms = wall_ms;
    heap_set(&as->waiting, &a->node, (int64_t)ceil(wall_ms));
}

void alarms_set(struct alarms *as, struct slice actor, struct slice name, double wall_ms)
{
    struct alarm *a = map_find(&as->by_actor, actor);

    if (!(wall_ms > 0 && wall_ms <= WALL_MAX)) {
        if (a)
            drop(as, a);
        return;
    }
    if (a && a->state != ALARM_WAITING && a->wall_ms == wall_ms)
        return;
    a = get(as, actor);
    blob_unref(a->name);
    a->name = blob_copy(name);
    wait_until(as, a, wall_ms);
}

int64_t alarms_next(const struct alarms *as)
{
    const struct heap_node *first = heap_peek(&as->waiting);

    return first ? first->at_ms : INT64_MAX;
}

const struct alarm *alarms_pop(struct alarms *as, int64_t now_wall, uint64_t seq)
{
    struct heap_node *first = heap_pop_due(&as->waiting, now_wall);
    struct alarm *a;

    if (!first)
        return NULL;
    a = CONTAINER_OF(first, struct alarm, node);
    a->state = ALARM_RUNNING;
    a->seq = seq;
    (void)map64_put(&as->running, seq, a);
    return a;
}

void alarms_finish(struct alarms *as, uint64_t seq)
{
    struct alarm *a = map64_find(&as->running, seq);

    if (a)
        drop(as, a);
}

void alarms_condemn(struct alarms *as, uint64_t seq)
{
    struct alarm *a = map64_del(&as->running, seq);

    if (a)
        a->state = ALARM_DROPPED;
}
