#include "edge/shed.h"

#include "conn/http1_server.h"
#include "edge/doors.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "io/memory.h"

enum {
    LOOK_MS = 200,
    OVER_MS = 300, /* what was ended needs a moment to be gone */
    PART = 16,     /* of the connections go at a time */
};

struct shed {
    struct edge *edge;
    uint64_t bytes;
    struct timer timer;
    bool is_over;
};

static uint32_t http_connections(const struct edge *e)
{
    uint32_t n = 0;

    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].door == EDGE_PUBLIC)
            n += http1_server_stats(e->listeners[i].http)->open;
    return n;
}

/* Of both kinds, each its part. */
static uint32_t shed_newest(struct edge *e)
{
    const uint32_t holds = (e->holds.used + PART - 1) / PART;
    const uint32_t http = (http_connections(e) + PART - 1) / PART;
    uint32_t done = 0;

    for (uint32_t i = 0; i < holds && hold_shed_newest(e); i++)
        done++;
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].door == EDGE_PUBLIC)
            done += http1_server_shed(e->listeners[i].http, http);
    return done;
}

static void on_look(struct timer *t)
{
    struct shed *s = CONTAINER_OF(t, struct shed, timer);
    struct edge *e = s->edge;
    const uint64_t now = memory_resident();
    const bool was_over = s->is_over;
    uint32_t gone;

    timer_set(e->loop, t, loop_now(e->loop) + (now > s->bytes ? OVER_MS : LOOK_MS));
    s->is_over = now > s->bytes;
    if (!s->is_over)
        return;
    doors_crowd(e);
    gone = shed_newest(e);
    e->stats.shed += gone;
    memory_trim();
    if (!was_over)
        log_event(&e->log, LOG_WARN, "memory.over", F_UINT("resident_bytes", now),
                  F_UINT("most", s->bytes), F_UINT("closed", gone));
}

struct shed *shed_open(struct edge *e, uint64_t bytes)
{
    struct shed *s;

    if (!bytes)
        return NULL;
    s = mem_new(sizeof(*s));
    s->edge = e;
    s->bytes = bytes;
    s->timer.due = on_look;
    timer_set(e->loop, &s->timer, loop_now(e->loop) + LOOK_MS);
    return s;
}

bool shed_is_over(const struct shed *s)
{
    return s && s->is_over;
}

void shed_close(struct shed *s)
{
    if (!s)
        return;
    timer_del(s->edge->loop, &s->timer);
    mem_free(s);
}
