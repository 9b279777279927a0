/*
 * Two holds joined: what one says the other hears, and they end together. No worker is involved,
 * so that the application may sleep or be replaced meanwhile. A side that reads slowly stops the
 * reading of the other (TCP pushes back).
 */
#include "edge/edge_int.h"
#include "edge/hold.h"

static struct hold *other(const struct hold *h)
{
    return hold_find(h->app, h->other);
}

static void on_opened(struct hold *h)
{
}

static void set_full(struct hold *h, bool full)
{
    h->full = full;
    hold_pace(h);
}

static void on_message(struct hold *h, struct slice bytes, bool binary)
{
    struct payload p = {.bytes = bytes, .binary = binary};
    struct hold *to = other(h);

    /* On -ERR_SLOW_CONSUMER, one message larger than the bound, both are closed already. */
    if (hold_send(to, &p) == 0 && transport_pending(to->transport) > h->app->ws.out_bytes / 2)
        set_full(h, true);
    payload_done(&p);
}

static void on_drained(struct hold *h)
{
    set_full(other(h), false);
}

/* The code of a lost connection cannot be sent: the other side is cut as well. */
static void on_closed(struct hold *h, uint16_t code, bool clean, struct slice reason, int err)
{
    struct hold *to = other(h);

    if (clean)
        hold_leave(to, code, reason);
    else if (err < 0 || code == 1013)
        hold_leave(to, 1011, SLICE("the other side failed"));
    else
        hold_terminate(to);
    hold_free(to);
    hold_free(h);
}

const struct backend_ops proxy_backend = {
    .can = BACKEND_SEES_MESSAGES,
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
};
