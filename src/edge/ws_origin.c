/*
 * Two connections that pass on what they hear:
 *
 *   client ── hold ── pair ── transport ── origin
 *
 * A Close of either side is passed on; the other's answer to it comes back, and both are over.
 */
#include "edge/ws_origin.h"

#include <assert.h>

#include "conn/websocket.h"
#include "edge/edge_int.h"
#include "edge/grip_socket.h"
#include "edge/handshake.h"
#include "edge/hold.h"
#include "edge/reply.h"
#include "edge/roster.h"
#include "edge/settings.h"
#include "edge/statistics.h"
#include "edge/upstream.h"
#include "edge/woh.h"
#include "edge/woh_head.h"
#include "wire/fields.h"

struct pair {
    struct list in_app;
    struct app *app;
    struct hold *hold;           /* the client */
    struct transport *transport; /* the origin; NULL: detached, or not connected yet */
    const struct socket_origin_ops *ops;
    void *origin;
    struct upstream_call *call;
    struct handshake *handshake; /* until the client is answered */
    struct buf body;             /* of a refusal */
    struct grip_socket *grip;    /* NULL: it was not negotiated */
    uint64_t seat;               /* in the roster */
};

static struct loop *loop_of(const struct pair *p)
{
    return p->app->edge->loop;
}

/* --- the end --- */

static void reap(void *arg)
{
    mem_free(arg);
}

static void drop_hold(struct pair *p)
{
    struct hold *h = p->hold;

    grip_socket_free(p->grip);
    p->grip = NULL;
    p->hold = NULL;
    if (h)
        hold_free(h);
}

/* What is left of either side ends with it: the origin's connection behind what was sent. */
static void over(struct pair *p)
{
    if (p->call)
        p->ops->cancel(p->call);
    if (p->hold && p->hold->state == HOLD_LEFT)
        hold_terminate(p->hold); /* its Close would be answered */
    else if (p->hold && p->hold->state != HOLD_OVER)
        hold_leave(p->hold, 0, SLICE_NONE);
    drop_hold(p);
    if (p->transport)
        transport_release(p->transport);
    p->transport = NULL;
    handshake_free(p->handshake);
    buf_done(&p->body);
    list_del(&p->in_app);
    p->app->edge->stats.ws_origins_open--;
    roster_drop(p->app->edge, p->seat);
    p->ops->release(p->origin);
    loop_defer(loop_of(p), LOOP_REAP, reap, p);
}

/* --- the origin speaks --- */

/* Its other side is not read until this one's queue is empty. */
static bool is_full(struct transport *t)
{
    if (transport_pending(t) <= WS_ORIGIN_PENDING)
        return false;
    websocket_want_drained(t);
    return true;
}

static void send(struct pair *p, struct slice bytes, bool binary)
{
    struct payload m = {.bytes = bytes, .binary = binary};

    (void)hold_send(p->hold, &m);
    payload_done(&m);
}

static void on_origin_message(void *arg, struct span bytes, bool binary)
{
    struct pair *p = arg;

    if (p->grip)
        grip_socket_message(p->grip, span_slice(bytes), binary);
    else
        send(p, span_slice(bytes), binary);
    if (p->hold && p->transport && p->hold->transport && is_full(p->hold->transport))
        transport_pause(p->transport);
}

static void on_origin_control(void *arg, bool is_pong, struct slice bytes)
{
    struct pair *p = arg;

    (void)hold_control(p->hold, is_pong, bytes);
}

static void on_origin_drained(void *arg)
{
    struct pair *p = arg;

    p->hold->full = false;
    hold_pace(p->hold);
}

/* Its Close is passed on, or was the answer to the client's. */
static void on_origin_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct pair *p = arg;

    if (!clean || hold_close(p->hold, code, reason) < 0 || p->hold->state == HOLD_OVER)
        over(p);
}

static void on_origin_failed(void *arg, int err)
{
    over(arg);
}

static void on_origin_gone(void *arg)
{
    over(arg);
}

static const struct transport_ops origin_facts = {
    .message = on_origin_message,
    .drained = on_origin_drained,
    .closed = on_origin_closed,
    .failed = on_origin_failed,
    .gone = on_origin_gone,
    .control = on_origin_control,
};

/* --- the client speaks --- */

static void on_opened(struct hold *h)
{
}

static void on_message(struct hold *h, struct slice bytes, bool binary)
{
    struct pair *p = h->owner;
    struct payload m = {.bytes = bytes, .binary = binary};

    if (p->transport && transport_send(p->transport, &m) == -ERR_SLOW_CONSUMER) {
        over(p); /* one message that is larger than the bound */
    } else if (p->transport && is_full(p->transport)) {
        h->full = true;
        hold_pace(h);
    }
    payload_done(&m);
}

static void on_control(struct hold *h, bool is_pong, struct slice bytes)
{
    struct pair *p = h->owner;

    if (!p->transport)
        return;
    if (is_pong)
        (void)websocket_pong(p->transport, bytes);
    else
        (void)websocket_ping(p->transport, bytes);
}

static void on_drained(struct hold *h)
{
    struct pair *p = h->owner;

    if (p->transport)
        transport_start(p->transport);
}

/* Its Close is passed on, or was the answer to the origin's. A client that is lost, or that broke
 * the protocol, takes the origin's connection with it. */
static void on_closed(struct hold *h, uint16_t code, bool clean, struct slice reason, int err)
{
    struct pair *p = h->owner;
    const bool is_over = h->state == HOLD_OVER;
    const bool is_passed =
        clean && p->transport && transport_close(p->transport, code, reason) == 0;

    if (is_over || !is_passed)
        over(p);
}

static const struct backend_ops backend = {
    .is_origin = true,
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
    .control = on_control,
};

/* --- what is published, and what control messages want --- */

/* The client hears Close; the origin hears one when the client has answered. */
static void on_publish_close(void *arg, uint16_t code, struct slice reason)
{
    struct pair *p = arg;

    if (hold_close(p->hold, code, reason) == 0 && p->hold->state == HOLD_OVER)
        over(p);
}

/* The client's Close is answered by itself from now on. */
static void on_detach(void *arg)
{
    struct pair *p = arg;

    if (p->hold->state == HOLD_LEFT) {
        over(p);
        return;
    }
    (void)transport_close(p->transport, 1000, SLICE_NONE);
    transport_release(p->transport);
    p->transport = NULL;
    p->hold->full = false;
    hold_accept(p->hold, false, false);
}

static void on_refresh(void *arg)
{
}

static const struct grip_socket_ops grip_facts = {on_publish_close, on_detach, on_refresh};

/* --- the opening handshake --- */

static void fail(struct pair *p, struct slice text)
{
    handshake_fail(p->handshake, text);
    over(p);
}

static void refuse(struct pair *p)
{
    handshake_refuse(p->handshake, buf_slice(&p->body));
    over(p);
}

/* The origin has said 101. */
static void accept(struct pair *p, struct transport *take_t)
{
    p->transport = take_t;
    transport_attach(take_t, &origin_facts, p);
    websocket_half_open(take_t, true);
    websocket_hear_controls(take_t, false);
    if (!handshake_is_waiting(p->handshake)) {
        over(p);
        return;
    }
    p->hold = handshake_accept(p->handshake, &p->app->ws, &backend, p);
    if (!p->hold) {
        fail(p, SLICE_NONE);
        return;
    }
    hold_hear_controls(p->hold, false);
    p->grip = handshake_grip(p->handshake, p->hold, &grip_facts, p);
    handshake_free(p->handshake);
    p->handshake = NULL;
    transport_start(take_t);
}

static void on_response(void *arg, const struct upstream_response *r)
{
    struct pair *p = arg;

    handshake_hear(p->handshake, r);
    p->body.max = WOH_REFUSAL;
    if (!r->socket)
        return;
    p->call = NULL;
    accept(p, r->socket);
}

static void on_body(void *arg, struct slice bytes)
{
    struct pair *p = arg;
    const size_t room = p->body.max - p->body.n;

    (void)buf_add(&p->body, slice_sub(bytes, 0, room));
    if (bytes.n <= room)
        p->ops->credit(p->call, bytes.n);
    else
        refuse(p);
}

static void on_ended(void *arg)
{
    struct pair *p = arg;

    p->call = NULL;
    refuse(p);
}

static void on_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    struct pair *p = arg;

    p->call = NULL;
    fail(p, text);
}

static const struct upstream_ops call_facts = {
    .response = on_response,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
};

static void on_client_gone(void *arg)
{
    over(arg);
}

static void put_fields(struct buf *out, const struct socket_start *s)
{
    const struct slice extensions = SLICE("Sec-WebSocket-Extensions");
    struct slice rest = s->fields, name, value;

    while (fields_next(&rest, &name, &value))
        if (s->trusted || !slice_eq_nocase(name, extensions))
            (void)fields_put(out, name, value);
    if (!s->no_grip && !s->trusted)
        (void)fields_put(out, extensions, SLICE("grip"));
}

void ws_origin_open(const struct socket_start *s)
{
    CLEANUP(buf_done) struct buf fields = {.max = WOH_FIELDS_MAX};
    struct pair *p = mem_new(sizeof(*p));

    p->app = s->app;
    p->ops = s->ops;
    p->origin = s->origin;
    list_add_tail(&s->app->ws_origins, &p->in_app);
    s->app->edge->stats.ws_origins_open++;
    p->seat = roster_add(s->app->edge, NULL, p);
    statistics_conn(s->app->edge, p->seat, s->exchange, true);
    p->handshake = handshake_new(s, on_client_gone, p);
    put_fields(&fields, s);
    p->call = p->ops->connect(p->origin, buf_slice(&fields), &call_facts, p);
}

void ws_origin_end(struct app *a)
{
    struct list *it, *tmp;

    LIST_EACH (&a->ws_origins, it, tmp)
        over(LIST_ITEM(it, struct pair, in_app));
}
