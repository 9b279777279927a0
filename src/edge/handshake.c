#include "edge/handshake.h"

#include <assert.h>

#include "edge/edge_int.h"
#include "edge/grip_socket.h"
#include "edge/hold.h"
#include "edge/reply.h"
#include "edge/upstream.h"
#include "edge/woh_head.h"
#include "wire/grip.h"

struct handshake {
    struct app *app;
    struct exchange *exchange; /* NULL: the client was answered, or has gone */
    void (*gone)(void *arg);
    void *arg;
    struct slice prefix, route_id;
    const char *const *subs; /* of the target: as long as its route */
    struct buf reason;
    struct buf head;
    struct buf extension; /* its Sec-WebSocket-Extensions, joined by commas */
    uint16_t status;
    bool no_grip : 1;
    bool trusted : 1;
    bool debug : 1;
};

/* --- the client waits --- */

static void on_closed(void *arg, int err)
{
    struct handshake *h = arg;

    h->exchange = NULL;
    h->gone(h->arg);
}

/* An upgrade has no body, and nothing is sent before its answer. */
static const struct exchange_ops facts = {.closed = on_closed};

struct handshake *handshake_new(const struct socket_start *s, void (*gone)(void *arg), void *arg)
{
    struct handshake *h = mem_new(sizeof(*h));

    h->app = s->app;
    h->exchange = s->exchange;
    h->gone = gone;
    h->arg = arg;
    h->prefix = s->prefix;
    h->route_id = s->route_id;
    h->no_grip = s->no_grip;
    h->trusted = s->trusted;
    h->debug = s->debug;
    exchange_attach(s->exchange, &facts, h);
    return h;
}

static void forget(struct handshake *h)
{
    buf_done(&h->reason);
    buf_done(&h->head);
    buf_done(&h->extension);
}

void handshake_free(struct handshake *h)
{
    if (!h)
        return;
    assert(!h->exchange);
    forget(h);
    mem_free(h);
}

bool handshake_is_waiting(const struct handshake *h)
{
    return h->exchange != NULL;
}

/* --- the origin answers --- */

void handshake_hear(struct handshake *h, const struct upstream_response *r)
{
    forget(h);
    h->status = r->status;
    h->reason.max = h->head.max = WOH_FIELDS_MAX;
    (void)buf_add(&h->reason, r->reason);
    (void)buf_add(&h->head, r->head);
    woh_put_extensions(&h->extension, r->head);
    h->subs = r->subs;
}

static void answer_error(struct exchange *x, struct slice text)
{
    CLEANUP(buf_done) struct buf body = {.max = 4096};

    if (text.n)
        (void)buf_addf(&body, "%.*s\n", SLICE_FMT(slice_sub(text, 0, 2000)));
    else
        (void)buf_add(&body, SLICE("Error while proxying to origin.\n"));
    reply_answer(reply_to_client(x), 502, SLICE_NONE, buf_slice(&body));
}

/* The client waits no more. */
static struct exchange *take_exchange(struct handshake *h)
{
    struct exchange *x = h->exchange;

    h->exchange = NULL;
    return x;
}

void handshake_fail(struct handshake *h, struct slice text)
{
    struct exchange *x = take_exchange(h);

    if (x)
        answer_error(x, h->debug ? text : SLICE_NONE);
}

void handshake_refuse(struct handshake *h, struct slice body)
{
    const struct exchange_response r = {
        .status = h->status,
        .reason = buf_slice(&h->reason),
        .fields = buf_slice(&h->head),
        .body = EXCHANGE_BODY_LENGTH,
        .length = body.n,
    };
    struct exchange *x = take_exchange(h);

    if (!x)
        return;
    if (exchange_respond(x, &r) < 0) {
        answer_error(x, SLICE_NONE);
        return;
    }
    (void)exchange_send(x, body);
    exchange_end(x);
}

static struct transport *upgrade(struct handshake *h, const struct websocket_options *o)
{
    CLEANUP(buf_done) struct buf fields = {.max = WOH_FIELDS_MAX};

    (void)woh_put_accepted(&fields, buf_slice(&h->head));
    return h->trusted
               ? exchange_upgrade_with(h->exchange, buf_slice(&fields), buf_slice(&h->extension), o)
               : exchange_upgrade(h->exchange, buf_slice(&fields), o);
}

struct hold *handshake_accept(struct handshake *h, const struct websocket_options *o,
                              const struct backend_ops *backend, void *owner)
{
    struct hold *hold = hold_new(h->app, backend);
    struct transport *t = hold ? upgrade(h, o) : NULL;

    if (!t) {
        if (hold)
            hold_free(hold);
        return NULL;
    }
    h->exchange = NULL;
    hold->owner = owner;
    hold_open(hold, t, SLICE_NONE, SLICE_NONE);
    hold_accept(hold, false, true);
    return hold;
}

struct grip_socket *handshake_grip(const struct handshake *h, struct hold *hold,
                                   const struct grip_socket_ops *ops, void *arg)
{
    struct grip_socket_start start = {
        .hold = hold,
        .channel_prefix = h->prefix,
        .route_id = h->route_id,
        .subs = h->subs,
        .debug = h->debug,
        .ops = ops,
        .arg = arg,
    };

    if (h->no_grip || h->trusted ||
        !grip_is_negotiated(buf_slice(&h->extension), &start.message_prefix))
        return NULL;
    return grip_socket_new(&start);
}
