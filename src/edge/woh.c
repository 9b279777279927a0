/*
 * The course of one WebSocket over HTTP:
 *
 *   state       client            origin               leaves it when
 *   OPENING     waits for 101     is asked OPEN        it answered, or was not reached
 *   OPEN        speaks            gets its events      a side ends it
 *   DETACHED    stays             gets a last CLOSE    the client closes
 *   ENDING      gone, cleanly     gets what is queued  that is said
 *   LEAVING     gone              the same, then DISCONNECT
 *   OVER
 *
 * A Close goes both ways. Of the client: the hold is LEFT until the origin answers CLOSE, with
 * whose code we then do. Of the origin: the hold is CLOSING until the client answers, and that is
 * told as CLOSE. What must be repeated (a request whose target was not reached) is in the queue
 * until its answer has come.
 */
#include "edge/woh.h"

#include <assert.h>
#include <sys/random.h>

#include "base/utf8.h"
#include "edge/edge_int.h"
#include "edge/grip_socket.h"
#include "edge/handshake.h"
#include "edge/hold.h"
#include "edge/roster.h"
#include "edge/settings.h"
#include "edge/statistics.h"
#include "edge/upstream.h"
#include "edge/woh_head.h"
#include "edge/woh_queue.h"
#include "wire/ws.h"

enum state { OPENING, OPEN, DETACHED, ENDING, LEAVING, OVER };
enum asking { ASK_OPEN, ASK_EVENTS, ASK_DISCONNECT };

enum { RETRIES = 5, RETRY_MS = 1000, RETRY_SPREAD_MS = 1000 };

struct woh {
    struct list in_app;
    struct app *app;
    struct hold *hold; /* OPEN and DETACHED, while there is a client */
    const struct socket_origin_ops *ops;
    void *origin;
    struct upstream_call *call;  /* under way */
    struct handshake *handshake; /* until the client is answered */
    struct grip_socket *grip;    /* NULL: it was not negotiated */
    struct blob *fields;         /* of every request */
    struct blob *goodbye;        /* the content of the client's CLOSE, until it is answered */
    struct buf meta;             /* "Meta-Name: value\n"… */
    struct buf body;             /* of the response */
    struct woh_queue queue;
    size_t counted;        /* its content, in the gauge */
    struct timer timer;    /* for a retry, else for the keep-alive */
    uint64_t seat;         /* in the roster, while there is a client */
    size_t replayed;       /* content bytes of the request that were offered before */
    size_t accepted;       /* what its response says of them */
    uint32_t keep_alive_s; /* 0: off */
    uint8_t state;         /* enum state */
    uint8_t asking;        /* enum asking; of the request under way or to be made again */
    uint8_t retries;
    bool is_retrying : 1;
    bool is_events : 1;  /* the response's body is to be read */
    bool is_due : 1;     /* a request is to be made, if only an empty one */
    bool has_closed : 1; /* Close was said to the client, and not as an answer */
    bool one_event : 1;
};

static struct loop *loop_of(const struct woh *w)
{
    return w->app->edge->loop;
}

/* --- the end --- */

static void end_handshake(struct woh *w)
{
    handshake_free(w->handshake);
    w->handshake = NULL;
}

static void reap(void *arg)
{
    mem_free(arg);
}

static void over(struct woh *w)
{
    assert(w->state != OVER && !w->hold);
    w->state = OVER;
    roster_drop(w->app->edge, w->seat);
    if (w->call)
        w->ops->cancel(w->call);
    w->call = NULL;
    timer_del(loop_of(w), &w->timer);
    grip_socket_free(w->grip);
    w->grip = NULL;
    end_handshake(w);
    blob_unref(w->fields);
    blob_unref(w->goodbye);
    buf_done(&w->meta);
    buf_done(&w->body);
    woh_queue_done(&w->queue);
    w->app->edge->stats.woh_bytes -= (int64_t)w->counted;
    list_del(&w->in_app);
    w->app->edge->stats.woh_open--;
    w->ops->release(w->origin);
    loop_defer(loop_of(w), LOOP_REAP, reap, w);
}

/* Nothing is said to the client any more, and it says nothing. Its hold must be OVER. */
static void drop_hold(struct woh *w)
{
    struct hold *h = w->hold;

    grip_socket_free(w->grip);
    w->grip = NULL;
    w->hold = NULL;
    roster_drop(w->app->edge, w->seat);
    hold_free(h);
}

/* The origin failed or wants it so: the client's connection ends behind what was said, without a
 * Close, and the origin is not asked again. A detached client does not depend on it. */
static void cut(struct woh *w)
{
    if (w->state == DETACHED)
        return;
    if (w->hold && w->hold->state == HOLD_LEFT)
        hold_terminate(w->hold); /* its Close would be answered */
    else if (w->hold)
        hold_leave(w->hold, 0, SLICE_NONE);
    if (w->hold)
        drop_hold(w);
    over(w);
}

/* --- asking the origin --- */

static const struct upstream_ops facts;

/* The lines of the next request; *more is scratch for those that are not the same every time. */
static struct slice fields_of(const struct woh *w, struct buf *more)
{
    if (w->meta.n == 0 && w->replayed == 0)
        return blob_slice(w->fields);
    (void)buf_add(more, blob_slice(w->fields));
    if (w->replayed)
        (void)buf_addf(more, "Content-Bytes-Replayed: %zu\n", w->replayed);
    (void)buf_add(more, buf_slice(&w->meta));
    return buf_slice(more);
}

/* Makes the request that w->asking and the queue say, for the first time or again. */
static void ask(struct woh *w)
{
    CLEANUP(buf_done) struct buf fields = {.max = WOH_FIELDS_MAX + WOH_META_BYTES + 64};
    CLEANUP(buf_done) struct buf body = {.max = SIZE_MAX / 2};

    if (w->asking == ASK_OPEN)
        (void)woh_put(&body, WOH_OPEN, SLICE_NONE);
    else if (w->asking == ASK_EVENTS)
        woh_queue_put(&w->queue, &body);
    else
        (void)woh_put(&body, WOH_DISCONNECT, SLICE_NONE);
    w->app->edge->stats.woh_requests++;
    w->call = w->ops->post(w->origin, fields_of(w, &fields), buf_slice(&body), &facts, w);
}

static void begin(struct woh *w, enum asking asking)
{
    w->asking = asking;
    w->retries = 0;
    w->is_due = false;
    w->replayed = asking == ASK_EVENTS ? woh_queue_take(&w->queue, w->one_event) : 0;
    timer_del(loop_of(w), &w->timer);
    ask(w);
}

/* The client does not keep up: what its origin would say has no place. */
static bool is_client_slow(struct woh *w)
{
    if (!w->hold || !w->hold->transport || transport_pending(w->hold->transport) <= WOH_PENDING)
        return false;
    websocket_want_drained(w->hold->transport);
    return true;
}

static void set_keep_alive(struct woh *w)
{
    if (w->keep_alive_s)
        timer_set(loop_of(w), &w->timer, loop_now(loop_of(w)) + w->keep_alive_s * 1000ll);
}

/* Does what is due now, if anything; waits for the keep-alive otherwise. */
static void go_on(struct woh *w)
{
    if (w->call || w->is_retrying || w->state == OPENING || w->state == OVER || is_client_slow(w))
        return;
    if (w->queue.is_fresh || w->is_due)
        begin(w, ASK_EVENTS);
    else if (w->state == LEAVING)
        begin(w, ASK_DISCONNECT);
    else if (w->state == ENDING)
        over(w);
    else if (w->state == OPEN)
        set_keep_alive(w);
}

/* The client has gone: the rest is between us and the origin. */
static void leave(struct woh *w, enum state to)
{
    drop_hold(w);
    w->state = (uint8_t)to;
    w->keep_alive_s = 0;
    w->is_due = false;
    go_on(w);
}

static void on_due(struct timer *t)
{
    struct woh *w = CONTAINER_OF(t, struct woh, timer);

    if (w->is_retrying) {
        w->is_retrying = false;
        ask(w);
        return;
    }
    if (w->state == OPENING) {
        begin(w, ASK_OPEN);
        return;
    }
    if (w->goodbye && w->hold->state == HOLD_LEFT && woh_queue_is_empty(&w->queue))
        woh_queue_add(&w->queue, WOH_CLOSE, blob_slice(w->goodbye));
    w->is_due = true;
    go_on(w);
}

static uint32_t random_ms(uint32_t below)
{
    uint32_t n = 0;

    (void)!getrandom(&n, sizeof(n), 0);
    return n % below;
}

static void retry(struct woh *w)
{
    const uint32_t ms = (RETRY_MS << w->retries) + random_ms(RETRY_SPREAD_MS);

    w->retries++;
    w->is_retrying = true;
    w->app->edge->stats.woh_retries++;
    timer_set(loop_of(w), &w->timer, loop_now(loop_of(w)) + ms);
}

/* --- what the client says --- */

/* The queue has grown or shrunk. */
static void note_queue(struct woh *w)
{
    const bool is_full = woh_queue_is_full(&w->queue);

    w->app->edge->stats.woh_bytes += (int64_t)w->queue.content - (int64_t)w->counted;
    w->counted = w->queue.content;

    if (!w->hold || w->hold->full == is_full)
        return;
    w->hold->full = is_full;
    hold_pace(w->hold);
}

static void say(struct woh *w, enum woh_type type, struct slice content)
{
    woh_queue_add(&w->queue, type, content);
    note_queue(w);
    go_on(w);
}

static void on_opened(struct hold *h)
{
}

static void on_message(struct hold *h, struct slice bytes, bool binary)
{
    struct woh *w = h->owner;

    if (w->state == OPEN)
        say(w, binary ? WOH_BINARY : WOH_TEXT, bytes);
}

static void on_control(struct hold *h, bool is_pong, struct slice bytes)
{
    struct woh *w = h->owner;

    if (w->state == OPEN)
        say(w, is_pong ? WOH_PONG : WOH_PING, bytes);
}

static void on_drained(struct hold *h)
{
    go_on(h->owner);
}

static void put_goodbye(struct woh *w, uint16_t code, struct slice reason)
{
    CLEANUP(buf_done) struct buf content = {.max = 256};
    const uint8_t head[2] = {(uint8_t)(code >> 8), (uint8_t)code};

    if (code != 1005 && code != 0) {
        (void)buf_add(&content, slice_make(head, sizeof(head)));
        (void)buf_add(&content, reason);
    }
    blob_unref(w->goodbye);
    w->goodbye = blob_copy(buf_slice(&content));
    woh_queue_add(&w->queue, WOH_CLOSE, buf_slice(&content));
}

/* It says Close, or answers ours, or its connection is lost (perhaps after a Close). The origin
 * hears of the end once. */
static void on_closed(struct hold *h, uint16_t code, bool clean, struct slice reason, int err)
{
    struct woh *w = h->owner;
    const bool is_over = h->state == HOLD_OVER, is_vanished = is_over && (!clean || !w->has_closed);

    if (w->state == DETACHED) {
        drop_hold(w);
        over(w);
        return;
    }
    if (!w->goodbye && !is_vanished)
        put_goodbye(w, code, reason);
    if (is_over)
        leave(w, w->goodbye ? ENDING : LEAVING);
    else
        go_on(w);
}

static const struct backend_ops woh_backend = {
    .is_origin = true,
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
    .control = on_control,
};

/* --- what is published, and what control messages want --- */

static void on_publish_close(void *arg, uint16_t code, struct slice reason)
{
    struct woh *w = arg;

    if (hold_close(w->hold, code, reason) < 0)
        return;
    if (w->hold->state == HOLD_OVER) {
        leave(w, ENDING);
        return;
    }
    w->has_closed = true;
    if (w->state != OPEN)
        return;
    put_goodbye(w, 0, SLICE_NONE);
    go_on(w);
}

/* Inside a response: what follows in it is not heard. The client's Close is answered by itself from
 * now on; one that waits for its answer gets it now. */
static void on_detach(void *arg)
{
    struct woh *w = arg;

    if (w->hold->state == HOLD_LEFT) {
        hold_leave(w->hold, 1000, SLICE_NONE);
        leave(w, ENDING);
        return;
    }
    w->state = DETACHED;
    w->keep_alive_s = 0;
    if (!w->goodbye)
        put_goodbye(w, 0, SLICE_NONE);
    w->hold->full = false;
    hold_accept(w->hold, false, false);
}

static void on_refresh(void *arg)
{
    struct woh *w = arg;

    if (w->state != OPEN)
        return;
    w->is_due = true;
    go_on(w);
}

static const struct grip_socket_ops grip_facts = {on_publish_close, on_detach, on_refresh};

/* --- what the origin says --- */

static void send(struct woh *w, struct slice bytes, bool binary)
{
    struct payload p = {.bytes = bytes, .binary = binary};

    (void)hold_send(w->hold, &p);
    payload_done(&p);
}

/* The answer to the client's Close, or one of the origin's own. */
static void hear_close(struct woh *w, struct slice content)
{
    struct slice reason;
    unsigned code;

    woh_read_close(content, &code, &reason);
    if (hold_close(w->hold, (uint16_t)code, reason) < 0)
        return;
    if (w->hold->state == HOLD_OVER)
        leave(w, ENDING);
    else
        w->has_closed = true;
}

/* False: nothing that stands behind it is heard. */
static bool hear(struct woh *w, const struct woh_event *ev)
{
    switch (ev->type) {
    case WOH_TEXT:
    case WOH_BINARY:
        if (w->grip)
            grip_socket_message(w->grip, ev->content, ev->type == WOH_BINARY);
        else
            send(w, ev->content, ev->type == WOH_BINARY);
        return true;
    case WOH_PING:
    case WOH_PONG:
        (void)hold_control(w->hold, ev->type == WOH_PONG,
                           slice_sub(ev->content, 0, WS_CONTROL_MAX));
        return true;
    case WOH_CLOSE:
        hear_close(w, ev->content);
        return false;
    default: /* DISCONNECT, or a second OPEN */
        cut(w);
        return false;
    }
}

/* Whether the whole body is well formed, and its text can be sent. */
static bool are_events(struct slice body)
{
    struct woh_event ev;
    int r;

    while ((r = woh_next(&body, true, &ev)) > 0)
        if (ev.type == WOH_TEXT && !utf8_is_valid(ev.content))
            return false;
    return r == 0;
}

/* While the client is there and the origin its backend. */
static void hear_all(struct woh *w, struct slice body)
{
    struct woh_event ev;

    while (w->state == OPEN && w->hold && woh_next(&body, true, &ev) > 0 && hear(w, &ev))
        ;
}

/* A Close that the client waits with, and that the origin has heard and not answered. */
static bool is_ignored(const struct woh *w)
{
    return w->hold && w->hold->state == HOLD_LEFT && w->keep_alive_s == 0 && !w->queue.is_fresh;
}

/* The answer to events is whole. */
static void on_answer(struct woh *w)
{
    struct buf body = w->body;

    w->body = (struct buf){0};
    if (!are_events(buf_slice(&body)) || woh_queue_accept(&w->queue, w->accepted) < 0) {
        cut(w);
    } else {
        note_queue(w);
        hear_all(w, buf_slice(&body));
        if (w->state == OPEN && is_ignored(w))
            cut(w);
        else
            go_on(w);
    }
    buf_done(&body);
}

/* --- the answer to OPEN --- */

/* An error of ours to the client that still waits for its 101. */
static void fail(struct woh *w, struct slice text)
{
    handshake_fail(w->handshake, text);
    over(w);
}

/* No events: the origin's own answer, its body as far as it has come. */
static void relay(struct woh *w)
{
    handshake_refuse(w->handshake, buf_slice(&w->body));
    over(w);
}

static bool answers_pings(const struct app *a)
{
    const struct app_origin *o = a->settings->config.origin;

    return !o || !o->no_pong;
}

/* Says 101. False: it cannot. */
static bool upgrade(struct woh *w)
{
    w->hold = handshake_accept(w->handshake, &w->app->ws_origin, &woh_backend, w);
    if (!w->hold)
        return false;
    w->state = OPEN;
    hold_hear_controls(w->hold, answers_pings(w->app));
    w->grip = handshake_grip(w->handshake, w->hold, &grip_facts, w);
    end_handshake(w);
    return true;
}

/* An empty answer: the client waits, and the origin is asked again. */
static void wait_more(struct woh *w)
{
    buf_done(&w->body);
    set_keep_alive(w);
}

static void on_accepted(struct woh *w)
{
    struct buf body = w->body;
    struct slice rest = buf_slice(&body);
    struct woh_event ev;

    w->body = (struct buf){0};
    (void)woh_next(&rest, true, &ev);
    if (upgrade(w)) {
        hear_all(w, rest);
        go_on(w);
    } else {
        fail(w, SLICE_NONE);
    }
    buf_done(&body);
}

static bool begins_with_open(struct slice body)
{
    struct woh_event ev;

    return are_events(body) && woh_next(&body, true, &ev) > 0 && ev.type == WOH_OPEN;
}

static void on_open_answer(struct woh *w, bool is_events)
{
    const bool waits = is_events && w->body.n == 0 && w->keep_alive_s;

    if (!is_events) {
        relay(w);
    } else if (!waits && !begins_with_open(buf_slice(&w->body))) {
        fail(w, SLICE("invalid response to the OPEN event"));
    } else if (!handshake_is_waiting(w->handshake)) {
        w->state = LEAVING;
        w->keep_alive_s = 0;
        buf_done(&w->body);
        go_on(w);
    } else if (waits) {
        wait_more(w);
    } else {
        on_accepted(w);
    }
}

/* --- facts of the call --- */

static void on_response(void *arg, const struct upstream_response *r)
{
    struct woh *w = arg;
    const struct woh_head h = woh_read_head(r->status, r->head, &w->meta);

    if (w->asking == ASK_OPEN)
        handshake_hear(w->handshake, r);
    w->is_events = h.is_events;
    w->accepted = h.accepted;
    if (h.has_keep_alive && h.is_events && (w->state == OPEN || w->state == OPENING))
        w->keep_alive_s = h.keep_alive_s;
    w->body.max = h.is_events ? WOH_RESPONSE : WOH_REFUSAL;
}

static void on_body(void *arg, struct slice bytes)
{
    struct woh *w = arg;
    const size_t room = w->body.max - w->body.n;

    (void)buf_add(&w->body, slice_sub(bytes, 0, room));
    if (bytes.n <= room) {
        w->ops->credit(w->call, bytes.n);
        return;
    }
    w->ops->cancel(w->call);
    w->call = NULL;
    if (w->asking == ASK_OPEN && !w->is_events)
        relay(w);
    else if (w->asking == ASK_OPEN)
        fail(w, SLICE("response to the OPEN event too large"));
    else
        cut(w);
}

static void on_ended(void *arg)
{
    struct woh *w = arg;

    w->call = NULL;
    w->retries = 0;
    if (w->asking == ASK_OPEN)
        on_open_answer(w, w->is_events);
    else if (w->asking == ASK_DISCONNECT)
        over(w);
    else if (!w->is_events)
        cut(w);
    else
        on_answer(w);
}

static void on_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    struct woh *w = arg;

    w->call = NULL;
    buf_done(&w->body);
    if (w->asking == ASK_OPEN)
        fail(w, text);
    else if (reached <= UPSTREAM_NOT_SENT && w->retries < RETRIES)
        retry(w);
    else
        cut(w);
}

static const struct upstream_ops facts = {
    .response = on_response,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
};

/* --- the beginning --- */

/* The client does not wait any more. What its origin knows of it ends with a DISCONNECT. */
static void on_client_gone(void *arg)
{
    struct woh *w = arg;

    if (w->call)
        return;
    w->state = LEAVING;
    w->keep_alive_s = 0;
    go_on(w);
}

static struct blob *make_fields(const struct socket_start *s, uint64_t seat)
{
    CLEANUP(buf_done) struct buf fields = {.max = WOH_FIELDS_MAX};
    char id[ROSTER_NAME + 1];

    roster_name(seat, id);
    (void)woh_put_fields(&fields, s->fields, !s->no_grip, slice_make(id, ROSTER_NAME));
    return blob_copy(buf_slice(&fields));
}

void woh_open(const struct socket_start *s)
{
    struct woh *w = mem_new(sizeof(*w));

    w->app = s->app;
    w->ops = s->ops;
    w->origin = s->origin;
    w->one_event = s->one_event;
    w->timer.due = on_due;
    w->seat = roster_add(s->app->edge, on_refresh, w);
    w->fields = make_fields(s, w->seat);
    statistics_conn(s->app->edge, w->seat, s->exchange, true);
    list_add_tail(&s->app->wohs, &w->in_app);
    s->app->edge->stats.woh_open++;
    w->handshake = handshake_new(s, on_client_gone, w);
    begin(w, ASK_OPEN);
}

void woh_end(struct app *a)
{
    struct list *it, *tmp;

    LIST_EACH (&a->wohs, it, tmp)
        over(LIST_ITEM(it, struct woh, in_app));
}
