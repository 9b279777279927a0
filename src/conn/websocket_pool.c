/*
 * The round: no websocket has a timer for its pings. All of a loop stand in one array, and a single
 * timer walks it, at most STEP of them at a time, so that a round takes a fraction of the shortest
 * ping time and never holds the loop up. Eight bytes a websocket.
 */
#include <assert.h>

#include "conn/websocket_int.h"
#include "wire/deflate.h"

enum {
    STEP = 1024,
    ROUND_MS = 4000, /* unless somebody wants it sooner */
    LEVELS = 10,
    SCRATCH_KEEP = 64 << 10,
};

struct websocket_pool {
    struct loop *loop;
    struct websocket **members;
    uint32_t n;
    uint32_t cap;
    uint32_t at;       /* this round still looks at members[0 … at-1] */
    uint32_t round_ms; /* from the beginning of a round to the next */
    int64_t due;
    struct timer timer;
    struct deflate_pair *pairs[LEVELS];
    struct buf deflated;
    struct buf inflated;
    struct websocket_pool_stats stats;
};

/* --- the round --- */

static void plan(struct websocket_pool *p)
{
    const uint32_t steps = p->n / STEP + 1;

    p->due = loop_now(p->loop) + p->round_ms / steps + 1;
    timer_set(p->loop, &p->timer, p->due);
}

/* An eighth of the times that are waited for: what is late by that much is in time. */
static void hurry(struct websocket_pool *p, const struct websocket_options *o)
{
    if (o->ping_ms)
        p->round_ms = MIN(p->round_ms, MIN(o->ping_ms, websocket_pong_ms(o)) / 8 + 1);
}

static void look(struct websocket_pool *p)
{
    const uint16_t now = (uint16_t)(loop_now(p->loop) >> WEBSOCKET__UNIT_SHIFT);

    if (p->at == 0)
        p->at = p->n;
    for (unsigned i = 0; i < STEP && p->at > 0; i++) {
        struct websocket *w = p->members[--p->at];

        hurry(p, w->options);
        websocket__look(w, now);
    }
}

static void on_step(struct timer *t)
{
    struct websocket_pool *p = CONTAINER_OF(t, struct websocket_pool, timer);

    /* After a long standstill (the machine slept) what the peers said is still unread. */
    if (loop_now(p->loop) <= p->due + p->round_ms)
        look(p);
    if (p->n)
        plan(p);
}

void pool__add(struct websocket_pool *p, struct websocket *w)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap + p->cap / 2 : 16;
        p->members = mem_grow(p->members, p->cap * sizeof(p->members[0]));
    }
    assert(p->n < WEBSOCKET__NOBODY);
    w->index = p->n & WEBSOCKET__NOBODY;
    w->alive = (uint16_t)(loop_now(p->loop) >> WEBSOCKET__UNIT_SHIFT);
    p->members[p->n++] = w;
    hurry(p, w->options);
    if (p->n == 1)
        plan(p);
}

enum { LAST_FEW = 4096 };

struct transport *websocket_pool_newest(const struct websocket_pool *p,
                                        const struct transport_ops *ops)
{
    const uint32_t end = p->n > LAST_FEW ? p->n - LAST_FEW : 0;

    for (uint32_t i = p->n; i > end; i--) {
        struct websocket *w = p->members[i - 1];

        if (w->transport.ops == ops &&
            !websocket__has(w, WEBSOCKET__SAID | WEBSOCKET__HEARD | WEBSOCKET__RELEASED))
            return &w->transport;
    }
    return NULL;
}

/* The last one takes its place; when that was looked at already in this round it is not twice. */
void pool__remove(struct websocket_pool *p, struct websocket *w)
{
    struct websocket *last = p->members[p->n - 1];

    assert(p->members[w->index] == w);
    p->members[w->index] = last;
    last->index = w->index;
    w->index = WEBSOCKET__NOBODY;
    p->n--;
    p->at = MIN(p->at, p->n);
    if (p->n)
        return;
    timer_del(p->loop, &p->timer);
    mem_free(p->members);
    p->members = NULL;
    p->cap = 0;
    p->round_ms = ROUND_MS;
}

/* --- compression --- */

struct deflate_pair *pool__pair(struct websocket_pool *p, unsigned level)
{
    assert(level > 0 && level < LEVELS);
    if (!p->pairs[level])
        p->pairs[level] = deflate_pair_new((int)level);
    return p->pairs[level];
}

static struct buf *emptied(struct buf *b, size_t max)
{
    buf_clear(b);
    b->max = max;
    return b;
}

struct buf *pool__deflated(struct websocket_pool *p)
{
    return emptied(&p->deflated, SIZE_MAX / 2);
}

struct buf *pool__inflated(struct websocket_pool *p, size_t max)
{
    return emptied(&p->inflated, max);
}

void pool__tidy(struct buf *scratch)
{
    if (scratch->cap > SCRATCH_KEEP)
        buf_done(scratch);
}

/* --- life --- */

struct websocket_pool_stats *pool__stats(struct websocket_pool *p)
{
    return &p->stats;
}

const struct websocket_pool_stats *websocket_pool_stats(const struct websocket_pool *p)
{
    return &p->stats;
}

struct websocket_pool *websocket_pool_new(struct loop *loop)
{
    struct websocket_pool *p = mem_new(sizeof(*p));

    p->loop = loop;
    p->round_ms = ROUND_MS;
    p->timer.due = on_step;
    return p;
}

void websocket_pool_free(struct websocket_pool *p)
{
    if (!p)
        return;
    timer_del(p->loop, &p->timer);
    for (uint32_t i = 0; i < p->n; i++)
        p->members[i]->index = WEBSOCKET__NOBODY;
    for (unsigned i = 0; i < LEVELS; i++)
        deflate_pair_free(p->pairs[i]);
    buf_done(&p->deflated);
    buf_done(&p->inflated);
    mem_free(p->members);
    mem_free(p);
}
