#include "edge/rate.h"

#include <assert.h>

#include "base/err.h"
#include "io/loop.h"

struct rate {
    struct loop *loop;
    void (*due)(struct paced *p);
    struct timer timer; /* set while something waits */
    struct list waiting;
    uint32_t weight; /* of what waits */
    uint32_t hwm;
    int64_t window; /* what one window lets through */
    int64_t left;   /* of this one; negative: owed */
    int64_t ends_ms;
};

/* Begins the window that now is in. */
static void turn(struct rate *r)
{
    const int64_t now = loop_now(r->loop);
    const int64_t passed = now < r->ends_ms ? 0 : (now - r->ends_ms) / RATE_WINDOW_MS + 1;

    if (!passed)
        return;
    r->left = MIN(r->window, r->left + MIN(passed, UINT16_MAX) * r->window);
    r->ends_ms += passed * RATE_WINDOW_MS;
}

static void on_due(struct timer *t)
{
    struct rate *r = CONTAINER_OF(t, struct rate, timer);

    turn(r);
    while (r->left > 0 && !list_empty(&r->waiting)) {
        struct paced *p = LIST_ITEM(list_pop(&r->waiting), struct paced, in_rate);

        r->weight -= p->weight;
        r->left -= p->weight;
        r->due(p);
    }
    if (!list_empty(&r->waiting))
        timer_set(r->loop, t, r->ends_ms);
}

struct rate *rate_new(struct loop *loop, uint32_t per_second, uint32_t hwm,
                      void (*due)(struct paced *p))
{
    struct rate *r = mem_new(sizeof(*r));

    assert(per_second);
    r->loop = loop;
    r->due = due;
    r->timer.due = on_due;
    r->hwm = hwm;
    r->window = ((int64_t)per_second * RATE_WINDOW_MS + 999) / 1000;
    r->ends_ms = loop_now(loop);
    list_init(&r->waiting);
    return r;
}

void rate_free(struct rate *r)
{
    if (!r)
        return;
    timer_del(r->loop, &r->timer);
    mem_free(r);
}

bool rate_take(struct rate *r, uint32_t weight)
{
    turn(r);
    if (r->left <= 0 || !list_empty(&r->waiting))
        return false;
    r->left -= weight;
    return true;
}

int rate_wait(struct rate *r, struct paced *p)
{
    if (p->weight > r->hwm || r->weight > r->hwm - p->weight)
        return -ERR_OVERLOADED;
    if (list_empty(&r->waiting))
        timer_set(r->loop, &r->timer, r->ends_ms);
    list_add_tail(&r->waiting, &p->in_rate);
    r->weight += p->weight;
    return 0;
}

void rate_cancel(struct rate *r, struct paced *p)
{
    list_del(&p->in_rate);
    r->weight -= p->weight;
}

uint32_t rate_waiting(const struct rate *r)
{
    return r->weight;
}
