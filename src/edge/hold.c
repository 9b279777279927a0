#include "edge/hold.h"

#include <assert.h>

#include "base/seen.h"
#include "conn/websocket.h"
#include "edge/access.h"
#include "edge/edge_int.h"
#include "edge/settings.h"

/* From a state (row) to these. */
static const uint8_t legal[] = {
    [HOLD_PENDING] = 1 << HOLD_OPEN | 1 << HOLD_OVER,
    [HOLD_OPEN] = 1 << HOLD_CLOSING | 1 << HOLD_LEFT | 1 << HOLD_OVER,
    [HOLD_CLOSING] = 1 << HOLD_OVER,
    [HOLD_LEFT] = 1 << HOLD_OVER,
    [HOLD_OVER] = 0,
};

/* The gauge that counts holds of that state. */
static int64_t *state_gauge(struct hold *h)
{
    struct app_stats *s = &h->app->stats;
    int64_t *const gauges[] = {&s->holds_pending, &s->holds_open, &s->holds_closing, &s->holds_left,
                               &s->holds_over};

    return gauges[h->state];
}

static void set_state(struct hold *h, enum hold_state to)
{
    assert(legal[h->state] & 1u << to);
    --*state_gauge(h);
    h->state = (uint8_t)to;
    ++*state_gauge(h);
}

static struct edge *edge_of(const struct hold *h)
{
    return h->app->edge;
}

/* --- facts of the transport --- */

/* The transport has nothing more to tell: after a half-open peer's Close it can still send. code:
 * how it ended. */
static void let_go(struct hold *h, uint16_t code)
{
    if (h->state == HOLD_OVER)
        return;
    access_leave(h, code);
    set_state(h, HOLD_OVER);
    list_del(&h->waiting);
    if (h->transport)
        transport_release(h->transport);
    h->transport = NULL;
}

/* The peer did what it must not: a Close with the row's code is on its way. */
static void fail(struct hold *h, int err)
{
    let_go(h, (uint16_t)err_close_code(err));
    h->backend->closed(h, (uint16_t)err_close_code(err), false, slice_str(err_text(err)), err);
}

/*
 * One number a hold: rate_at is the moment from which it has all of its burst again, each message
 * moves it on by its share of a second. In thirty-seconds of a millisecond, which come round after
 * 37 hours: what is out of any message's reach is long past.
 */
static bool is_too_fast(struct hold *h)
{
    const struct app_sockets *s = &h->app->settings->config.sockets;
    const uint32_t now = (uint32_t)(loop_now(edge_of(h)->loop) << 5);
    uint32_t share, ahead;

    if (s->message_rate == 0)
        return false;
    share = MAX(32000 / s->message_rate, 1);
    ahead = h->rate_at - now;
    if (ahead > share * s->message_burst)
        ahead = 0;
    if (ahead > share * (s->message_burst - 1))
        return true;
    h->rate_at = now + ahead + share;
    return false;
}

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct hold *h = arg;

    if (is_too_fast(h)) {
        edge_of(h)->stats.too_fast++;
        (void)transport_close(h->transport, (uint16_t)err_close_code(-ERR_WS_RATE),
                              slice_str(err_text(ERR_WS_RATE)));
        fail(h, -ERR_WS_RATE);
        return;
    }
    h->app->stats.messages_in++;
    h->app->stats.bytes_in += bytes.n;
    if (h->visit)
        access_count(h->visit, true, bytes.n);
    h->backend->message(h, span_slice(bytes), binary);
}

/* In the place of what was dropped. */
static void send_mark(struct hold *h)
{
    struct payload p = {.bytes = slice_str(h->app->settings->config.sockets.slow_mark)};

    h->missed = false;
    if (p.bytes.n)
        (void)transport_send(h->transport, &p);
    payload_done(&p);
}

static void on_drained(void *arg)
{
    struct hold *h = arg;

    if (h->missed)
        send_mark(h);
    h->backend->drained(h);
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct hold *h = arg;

    if (h->state == HOLD_OPEN && h->half_open && clean)
        set_state(h, HOLD_LEFT);
    else
        let_go(h, code);
    h->backend->closed(h, code, clean, reason, 0);
}

/* The answers to what it said before its mistake go before our Close: until the backend is done
 * with all of that. */
static void on_failed(void *arg, int err)
{
    struct hold *h = arg;

    if (h->n_events == 0 || h->state != HOLD_OPEN) {
        fail(h, err);
        return;
    }
    websocket_be_patient(h->transport);
    access_leave(h, (uint16_t)err_close_code(err));
    set_state(h, HOLD_LEFT);
    h->failed = true;
    h->backend->closed(h, (uint16_t)err_close_code(err), false, slice_str(err_text(err)), err);
}

static void on_control(void *arg, bool is_pong, struct slice bytes)
{
    struct hold *h = arg;

    h->backend->control(h, is_pong, bytes);
}

/* Its last event was told with closed(); whoever waits for that event frees it. An origin's hold
 * has no such events. */
static void on_gone(void *arg)
{
    struct hold *h = arg;

    let_go(h, 1006);
    if (h->backend->is_origin)
        h->backend->closed(h, 1006, false, SLICE_NONE, 0);
    else
        (void)hold_settle(h);
}

static const struct transport_ops facts = {
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
    .failed = on_failed,
    .gone = on_gone,
    .control = on_control,
};

/* --- life --- */

/* Which gauge counts it; NULL while it counts nowhere. */
static int64_t *gauge(struct hold *h)
{
    struct edge_stats *s = &edge_of(h)->stats;

    return h->joined               ? &s->holds_joined
           : h->backend->is_origin ? &s->holds_origin
           : !h->accepted          ? &s->holds_waiting
           : h->hibernates         ? &s->holds_hibernatable
                                   : &s->holds_plain;
}

struct hold *hold_new(struct app *a, const struct backend_ops *backend)
{
    struct hold *h = slots_add(&a->edge->holds);

    if (!h)
        return NULL;
    h->app = a;
    seen_add(&a->n_open, 1);
    h->backend = backend;
    ++*gauge(h);
    ++*state_gauge(h);
    return h;
}

struct hold *hold_find(const struct app *a, uint64_t id)
{
    return slots_find(&a->edge->holds, id);
}

static struct blob *pack_origin(struct slice url, struct slice protocol)
{
    struct blob *b = blob_new(protocol.n + 1 + url.n);

    if (protocol.n)
        memcpy(b->p, protocol.p, protocol.n);
    b->p[protocol.n] = '\n';
    if (url.n)
        memcpy(b->p + protocol.n + 1, url.p, url.n);
    return b;
}

void hold_origin(const struct hold *h, struct slice *ret_url, struct slice *ret_protocol)
{
    *ret_url = h->url ? blob_slice(h->url) : SLICE_NONE;
    *ret_protocol = SLICE_NONE;
    (void)slice_split(ret_url, '\n', ret_protocol);
}

void hold_open(struct hold *h, struct transport *take_t, struct slice url, struct slice protocol)
{
    set_state(h, HOLD_OPEN);
    h->url = pack_origin(url, protocol);
    h->transport = take_t;
    transport_attach(take_t, &facts, h);
    websocket_half_open(take_t, h->half_open);
    edge_of(h)->stats.holds_opened++;
    access_enter(edge_of(h)->access, h);
    h->backend->opened(h);
    hold_pace(h);
}

/* Only who hibernates is ever restored. */
static void forget_origin(struct hold *h)
{
    blob_unref(h->url);
    h->url = NULL;
}

void hold_accept(struct hold *h, bool hibernates, bool half_open)
{
    --*gauge(h);
    h->accepted = true;
    h->hibernates = hibernates;
    if (!hibernates && h->backend == &actor_backend)
        forget_origin(h);
    h->half_open = half_open;
    ++*gauge(h);
    if (h->transport)
        websocket_half_open(h->transport, half_open);
    hold_pace(h);
}

void hold_hear_controls(struct hold *h, bool answer)
{
    if (h->transport)
        websocket_hear_controls(h->transport, answer);
}

void hold_join(struct hold *a, struct hold *b)
{
    struct hold *const both[] = {a, b};

    for (int i = 0; i < 2; i++) {
        struct hold *h = both[i];

        assert(h->state == HOLD_OPEN && !h->accepted && !h->joined);
        --*gauge(h);
        h->joined = h->half_open = true;
        websocket_half_open(h->transport, true);
        h->other = hold_id(both[!i]);
        forget_origin(h);
        h->backend = &proxy_backend;
        ++*gauge(h);
    }
    hold_pace(a);
    hold_pace(b);
}

void hold_free(struct hold *h)
{
    assert(h->state == HOLD_OVER || h->state == HOLD_PENDING);
    --*gauge(h);
    --*state_gauge(h);
    seen_add(&h->app->n_open, -1);
    list_del(&h->waiting);
    if (h->actor)
        actor_del_hold(&h->app->actors, h->actor, &h->in_actor);
    blob_unref(h->tags);
    blob_unref(h->url);
    blob_unref(h->attachment);
    slots_drop(&edge_of(h)->holds, h);
}

bool hold_settle(struct hold *h)
{
    if (h->state != HOLD_OVER || h->n_events > 0)
        return false;
    hold_free(h);
    return true;
}

/* --- reading --- */

void hold_pace(struct hold *h)
{
    if (!h->transport)
        return;
    if ((h->accepted || h->joined) && !h->full && !list_linked(&h->waiting))
        transport_start(h->transport);
    else
        transport_pause(h->transport);
}

/* --- speaking --- */

/* Nobody else waits for a client that does not read. It still hears why, should it read again
 * within the closing time; until then its queue stays. */
static void close_slow(struct hold *h)
{
    struct edge *e = edge_of(h);

    e->stats.slow_consumers++;
    log_event(&e->log, LOG_INFO, "hold.slow", F_HEX("hold", hold_id(h)),
              F_UINT("pending_bytes", transport_pending(h->transport)));
    hold_leave(h, 1013, slice_str(err_text(ERR_SLOW_CONSUMER)));
    h->backend->closed(h, 1013, false, slice_str(err_text(ERR_SLOW_CONSUMER)), 0);
}

enum { SHED_WAITING = 64 << 10 };

bool hold_shed_newest(struct edge *e)
{
    struct transport *t = websocket_pool_newest(e->sockets, &facts);
    const struct slice why = slice_str(err_text(ERR_OVERLOADED));
    struct hold *h = t ? t->arg : NULL;

    if (!h)
        return false;
    if (transport_pending(t) > SHED_WAITING)
        hold_terminate(h);
    else
        hold_leave(h, 1013, why);
    h->backend->closed(h, 1013, false, why, 0);
    return true;
}

static void drop_message(struct hold *h)
{
    struct edge *e = edge_of(h);

    e->stats.messages_dropped++;
    if (!h->missed)
        log_event(&e->log, LOG_INFO, "hold.missed", F_HEX("hold", hold_id(h)),
                  F_UINT("pending_bytes", transport_pending(h->transport)));
    h->missed = true;
}

int hold_send(struct hold *h, struct payload *p)
{
    int r;

    if (h->state != HOLD_OPEN && h->state != HOLD_LEFT)
        return -ERR_CLOSED;
    r = transport_send(h->transport, p);
    /* A joined hold's other side relies on all of them. */
    if (r == -ERR_SLOW_CONSUMER && !h->joined &&
        h->app->settings->config.sockets.slow == APP_SLOW_DROP)
        drop_message(h);
    else if (r == -ERR_SLOW_CONSUMER)
        close_slow(h);
    if (r < 0)
        return r;
    h->app->stats.messages_out++;
    h->app->stats.bytes_out += p->bytes.n;
    if (h->visit)
        access_count(h->visit, false, p->bytes.n);
    return 0;
}

int hold_control(struct hold *h, bool is_pong, struct slice bytes)
{
    if (h->state != HOLD_OPEN && h->state != HOLD_LEFT)
        return -ERR_CLOSED;
    return is_pong ? websocket_pong(h->transport, bytes) : websocket_ping(h->transport, bytes);
}

int hold_close(struct hold *h, uint16_t code, struct slice reason)
{
    const bool was_left = h->state == HOLD_LEFT;
    int r;

    if (h->state != HOLD_OPEN && !was_left)
        return -ERR_CLOSED;
    r = transport_close(h->transport, code, reason);
    if (r < 0)
        return r;
    if (was_left)
        let_go(h, code ? code : 1005);
    else
        set_state(h, HOLD_CLOSING);
    return 0;
}

void hold_leave(struct hold *h, uint16_t code, struct slice reason)
{
    if (h->transport && h->state != HOLD_CLOSING && code)
        (void)transport_close(h->transport, code, reason);
    let_go(h, code ? code : 1006);
}

void hold_terminate(struct hold *h)
{
    access_leave(h, 1006);
    if (h->transport)
        transport_terminate(h->transport);
    h->transport = NULL;
    let_go(h, 1006);
}
