/*
 * Two holds joined: what one says the other hears, and they end together. No worker is involved,
 * so that the application may sleep or be replaced meanwhile. A side that reads slowly stops the
 * reading of the other (TCP pushes back).
 */
#include "edge/edge_int.h"
#include "edge/hold.h"

/* NULL when it has gone already. */
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

    /* On -ERR_SLOW_CONSUMER both are closed already. */
    if (to && hold_send(to, &p) == 0 && transport_pending(to->transport) > h->app->ws.out_bytes / 2)
        set_full(h, true);
    payload_done(&p);
}

static void on_drained(struct hold *h)
{
    struct hold *from = other(h);

    if (from)
        set_full(from, false);
}

/* The one whose connection is lost takes the other with it: a code for that cannot be sent. */
static void end_both(struct hold *h, struct hold *to, bool failed)
{
    if (to && failed)
        hold_leave(to, 1011, SLICE("the other side failed"));
    else if (to)
        hold_terminate(to);
    if (to)
        hold_free(to);
    if (h->state != HOLD_OVER)
        hold_terminate(h);
    hold_free(h);
}

/*
 * A Close is passed on with its code and reason. The first makes h LEFT and the other CLOSING; its
 * answer comes back the same way and both are over.
 */
static void on_closed(struct hold *h, uint16_t code, bool clean, struct slice reason, int err)
{
    struct hold *to = other(h);

    if (!clean || !to || hold_close(to, code, reason) < 0)
        end_both(h, to, err < 0 || code == 1013);
    else if (h->state == HOLD_OVER && to->state == HOLD_OVER)
        end_both(h, to, false);
}

const struct backend_ops proxy_backend = {
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
};
