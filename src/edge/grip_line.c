/* What the holds of an application have in common, and how they wait for each other. */
#include "edge/grip_hold_int.h"

enum { PACE_MS = 100 };

static void on_pace(struct timer *t);

struct grip_holds *grip_holds__of(struct app *a)
{
    struct grip_holds *hs = a->grip;

    if (hs)
        return hs;
    hs = a->grip = mem_new(sizeof(*hs));
    hs->app = a;
    list_init(&hs->holds);
    list_init(&hs->line);
    list_init(&hs->again);
    list_init(&hs->fetches);
    list_init(&hs->gones);
    hs->pace.due = on_pace;
    hs->again_left = GRIP_HOLD_AGAIN;
    hs->again_ms = loop_now(a->edge->loop);
    return hs;
}

unsigned grip_holds__jitter(struct grip_holds *hs)
{
    return (unsigned)(map_hash64(++hs->dice) % 1000);
}

void grip_line__leave(struct grip_holds *hs, struct grip_ask *ask)
{
    if (list_linked(&ask->in_line))
        hs->app->edge->stats.grip_waiting--;
    list_del(&ask->in_line);
}

static void wait_in(struct grip_holds *hs, struct list *line, struct grip_ask *ask)
{
    hs->app->edge->stats.grip_waiting++;
    list_add_tail(line, &ask->in_line);
}

static struct grip_ask *first_of(struct grip_holds *hs, struct list *line)
{
    struct grip_ask *ask = LIST_ITEM(line->next, struct grip_ask, in_line);

    grip_line__leave(hs, ask);
    return ask;
}

/* --- calls --- */

void grip_line__call(struct grip_holds *hs, struct grip_ask *ask)
{
    if (hs->n_calls >= GRIP_HOLD_CALLS) {
        wait_in(hs, &hs->line, ask);
        return;
    }
    hs->n_calls++;
    ask->go(ask);
}

void grip_line__called(struct grip_holds *hs)
{
    struct grip_ask *ask;

    if (list_empty(&hs->line)) {
        hs->n_calls--;
        return;
    }
    ask = first_of(hs, &hs->line);
    ask->go(ask);
}

/* --- requests made again --- */

static bool may_go_again(struct grip_holds *hs)
{
    const int64_t now = loop_now(hs->app->edge->loop);

    if (now - hs->again_ms >= PACE_MS) {
        hs->again_ms = now;
        hs->again_left = GRIP_HOLD_AGAIN;
    }
    if (hs->again_left == 0)
        return false;
    hs->again_left--;
    return true;
}

static void pace(struct grip_holds *hs)
{
    if (!list_empty(&hs->again) && !heap_is_set(&hs->pace.node))
        timer_set(hs->app->edge->loop, &hs->pace, hs->again_ms + PACE_MS);
}

static void on_pace(struct timer *t)
{
    struct grip_holds *hs = CONTAINER_OF(t, struct grip_holds, pace);

    while (!list_empty(&hs->again) && may_go_again(hs)) {
        struct grip_ask *ask = first_of(hs, &hs->again);

        ask->go(ask);
    }
    pace(hs);
}

void grip_line__again(struct grip_holds *hs, struct grip_ask *ask)
{
    if (list_empty(&hs->again) && may_go_again(hs)) {
        ask->go(ask);
        return;
    }
    wait_in(hs, &hs->again, ask);
    pace(hs);
}

/* --- the end --- */

void grip_holds_stop(struct app *a)
{
    struct list *it, *next;

    if (!a->grip)
        return;
    LIST_EACH (&a->grip->holds, it, next) {
        struct grip_hold *h = LIST_ITEM(it, struct grip_hold, in_app);

        if (h->state == GRIP_PARKED)
            grip_poll__answer(h);
        else if (h->state == GRIP_OPEN)
            grip_stream__end(h, SLICE_NONE);
    }
}

void grip_holds_free(struct app *a)
{
    struct grip_holds *hs = a->grip;
    struct list *it, *next;

    if (!hs)
        return;
    LIST_EACH (&hs->holds, it, next)
        grip_hold__abort(LIST_ITEM(it, struct grip_hold, in_app));
    grip_link__cancel_all(hs);
    timer_del(a->edge->loop, &hs->pace);
    map_done(&hs->joinable);
    mem_free(hs);
    a->grip = NULL;
}
