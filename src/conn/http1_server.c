#include <assert.h>

#include "base/seen.h"
#include "conn/http1_int.h"
#include "wire/ws.h"

enum {
    SWEEP_MS = 1000,
    PIPELINE_BACKLOG =
        64 * 1024, /* response bytes that wait: above it no further request is taken */
};

/* --- states --- */

void connection__touch(struct connection *c)
{
    c->since_ms = loop_now(c->server->loop);
}

static bool is_between(enum connection_state s)
{
    return s == IDLE || s == HEAD;
}

static void set_state(struct connection *c, enum connection_state to)
{
    static const uint8_t legal[] = {
        [IDLE] = 1 << HEAD | 1 << EXCHANGE | 1 << LINGER,
        [HEAD] = 1 << EXCHANGE | 1 << LINGER,
        [EXCHANGE] = 1 << IDLE | 1 << DROP | 1 << LINGER,
        [DROP] = 1 << IDLE | 1 << LINGER,
        [LINGER] = 0,
    };
    struct http1_stats *stats = &c->server->stats;

    assert(legal[c->state] & (1u << to));
    stats->idle -= is_between(c->state);
    stats->idle += is_between(to);
    c->state = (uint8_t)to;
    connection__touch(c);
}

static bool wants_body(const struct exchange *x)
{
    return !x->has_body_ended && x->credit > 0;
}

/* Whether bytes can be used now. */
static bool is_hungry(const struct connection *c)
{
    switch ((enum connection_state)c->state) {
    case IDLE:
    case HEAD:
        return stream_pending(c->stream) <= PIPELINE_BACKLOG;
    case EXCHANGE:
        return wants_body(c->exchange);
    case DROP:
    case LINGER:
        break;
    }
    return true;
}

static size_t kept_bytes(const struct connection *c)
{
    return c->kept.n - c->kept_at;
}

/* While a response is made the stream is read on, so that a client that leaves is noticed; what
 * one read brings of a next request is kept. */
static bool may_read(const struct connection *c)
{
    if (c->state == EXCHANGE && c->exchange->has_body_ended)
        return kept_bytes(c) == 0;
    return is_hungry(c) && !c->is_posted;
}

static void update_reading(struct connection *c)
{
    if (!c->stream)
        return;
    if (may_read(c))
        stream_resume(c->stream);
    else
        stream_pause(c->stream);
}

/* --- the end of a connection --- */

static void reap(void *arg)
{
    struct connection *c = arg;

    buf_done(&c->kept);
    mem_free(c->peer);
    mem_free(c);
}

static void forget(struct connection *c)
{
    struct http1_server *h = c->server;

    c->stream = NULL;
    list_del(&c->link);
    seen_add(&h->stats.open, -1);
    h->stats.idle -= is_between(c->state);
    loop_defer(h->loop, LOOP_REAP, reap, c);
}

void connection__cut(struct connection *c)
{
    struct stream *s = c->stream;

    if (!s)
        return;
    forget(c);
    stream_doom(s);
}

struct stream *connection__take_stream(struct connection *c, struct slice *ret_early)
{
    struct stream *s = c->stream;

    *ret_early = c->decoding ? *c->decoding : slice_make(c->kept.p + c->kept_at, kept_bytes(c));
    c->exchange = NULL;
    forget(c);
    return s;
}

void connection__linger(struct connection *c)
{
    c->exchange = NULL;
    set_state(c, LINGER);
    if (c->has_ended && stream_pending(c->stream) == 0) {
        connection__cut(c);
        return;
    }
    stream_end(c->stream);
    update_reading(c);
}

/* The connection breaks under its exchange, if it has one. */
static void lose(struct connection *c, int err)
{
    struct exchange *x = c->exchange;

    c->exchange = NULL;
    if (x)
        exchange__account(x);
    connection__cut(c);
    if (x)
        exchange__closed(x, err);
}

static void tell_refused(struct connection *c, const struct exchange *x, int err)
{
    const struct http1_server_ops *ops = c->server->ops;

    if (x)
        exchange__account(x);
    else if (ops->refused)
        ops->refused(c->server->arg, c->stream, err);
}

/* The peer's fault: it is told which, and nothing more is read as HTTP. */
static void refuse(struct connection *c, int err)
{
    struct exchange *x = c->exchange;

    c->server->stats.refused++;
    if (x && x->is_responded) {
        lose(c, err);
        return;
    }
    if (x)
        x->status = (uint16_t)err_status(err);
    tell_refused(c, x, err);
    exchange__refuse(c, err);
    connection__linger(c);
    if (x)
        exchange__closed(x, err);
}

/* --- decoding --- */

/* RFC 6455 4.2.1. Returns <0 to refuse; *ret_key stays empty when it is no such request. */
static int check_upgrade(const struct http1_head *h, struct slice *ret_key)
{
    *ret_key = SLICE_NONE;
    if (!ws_is_upgrade(h) || h->body != HTTP1_BODY_NONE)
        return 0;
    return ws_check_request(h, ret_key);
}

static void begin_exchange(struct connection *c, struct slice key)
{
    struct http1_server *h = c->server;
    struct slice nothing = SLICE_NONE;

    /* Without a body its end comes at once; it is taken now, so that the decoder stands at the next
     * request. */
    if (h->head.body == HTTP1_BODY_NONE) {
        const int r = http1_next(&c->decoder, &nothing, NULL, NULL);

        assert(r == HTTP1_END);
    }
    h->stats.requests++;
    set_state(c, EXCHANGE);
    c->exchange = exchange__new(c, &h->head, key);
    h->ops->request(h->arg, c->exchange);
    assert(!c->exchange || c->exchange->ops);
}

static void on_head(struct connection *c)
{
    const struct http1_head *head = &c->server->head;
    struct slice key;
    int r;

    /* RFC 9110 9.3.6: a tunnel is no exchange. */
    if (head->form == HTTP1_AUTHORITY)
        refuse(c, -ERR_UNSUPPORTED);
    else if ((r = check_upgrade(head, &key)) < 0)
        refuse(c, r);
    else
        begin_exchange(c, key);
}

static void decode_head(struct connection *c, struct slice *in)
{
    const int r = http1_next(&c->decoder, in, &c->server->head, NULL);

    if (r == HTTP1_HEAD)
        on_head(c);
    else if (r < 0)
        refuse(c, r);
    else if (c->state == IDLE && in->n > 0)
        set_state(c, HEAD);
}

static void tell_body(struct exchange *x, struct slice bytes, bool end)
{
    if (bytes.n == 0 && !end)
        return;
    x->credit -= bytes.n;
    x->has_body_ended = end;
    x->wants_continue = false;
    connection__touch(x->connection);
    if (x->ops->body)
        x->ops->body(x->arg, bytes, end);
}

/* Takes what the credit allows. A piece is held back until it is known whether the body ends with
 * it, so that a body that came at once is told at once. */
static void decode_body(struct connection *c, struct slice *in)
{
    struct exchange *x = c->exchange;
    struct slice held = SLICE_NONE;

    for (;;) {
        struct slice some = slice_sub(*in, 0, (size_t)MIN(x->credit - held.n, SIZE_MAX));
        const size_t offered = some.n;
        struct slice piece = SLICE_NONE;
        const int r = http1_next(&c->decoder, &some, NULL, &piece);

        (void)slice_take(in, offered - some.n);
        tell_body(x, held, r == HTTP1_END);
        held = piece;
        if (r == HTTP1_END || c->exchange != x)
            return;
        if (r < 0)
            refuse(c, r);
        if (r != HTTP1_BODY)
            return;
    }
}

static void decode_dropped(struct connection *c, struct slice *in)
{
    struct slice piece = SLICE_NONE;
    const int r = http1_next(&c->decoder, in, NULL, &piece);

    if (r == HTTP1_END)
        set_state(c, IDLE);
    else if (r < 0 || piece.n > c->drop_left)
        connection__linger(c);
    else
        c->drop_left -= (uint32_t)piece.n;
}

static void decode_one(struct connection *c, struct slice *in)
{
    switch ((enum connection_state)c->state) {
    case IDLE:
    case HEAD:
        decode_head(c, in);
        break;
    case EXCHANGE:
        decode_body(c, in);
        break;
    case DROP:
        decode_dropped(c, in);
        break;
    case LINGER:
        (void)slice_take(in, in->n);
        break;
    }
}

/* Goes on until nothing moves: the input is used up, cut in a head, or not wanted now. */
static void decode(struct connection *c, struct slice *in)
{
    size_t before;
    int state;

    c->decoding = in;
    do {
        before = in->n;
        state = c->state;
        if (c->stream && is_hungry(c))
            decode_one(c, in);
    } while (c->stream && (in->n < before || (int)c->state != state));
    c->decoding = NULL;
}

static void keep(struct connection *c, struct slice rest)
{
    if (!c->stream || rest.n == 0)
        return;
    buf_init(&c->kept, SIZE_MAX / 2); /* bounded by the head's limits and one read */
    (void)buf_add(&c->kept, rest);
    c->kept_at = 0;
}

static void drop_kept(struct connection *c)
{
    buf_done(&c->kept);
    c->kept_at = 0;
}

static void close_if_over(struct connection *c);

static void decode_kept(struct connection *c)
{
    struct slice in = slice_make(c->kept.p + c->kept_at, kept_bytes(c));

    decode(c, &in);
    c->kept_at = c->kept.n - in.n;
    if (in.n == 0)
        drop_kept(c);
    close_if_over(c);
    update_reading(c);
}

static void decode_posted(void *arg)
{
    struct connection *c = arg;

    c->is_posted = false;
    if (c->stream)
        decode_kept(c);
}

void connection__go_on(struct connection *c)
{
    if (!c->decoding && !c->is_posted && (kept_bytes(c) > 0 || c->has_ended)) {
        c->is_posted = true;
        loop_defer(c->server->loop, LOOP_READS, decode_posted, c);
    }
    update_reading(c);
}

void connection__responded(struct connection *c)
{
    const struct exchange *x = c->exchange;

    c->exchange = NULL;
    if (x->is_last || c->server->is_draining) {
        connection__linger(c);
        return;
    }
    set_state(c, x->has_body_ended ? IDLE : DROP);
    c->drop_left = c->server->options.drop_bytes;
    connection__go_on(c);
}

/* --- events of the stream --- */

/* The client has said all it had to say, and has been answered. */
static void close_if_over(struct connection *c)
{
    if (c->stream && c->has_ended && c->state != EXCHANGE && c->state != LINGER &&
        (kept_bytes(c) == 0 || is_hungry(c)))
        connection__linger(c);
}

static void on_data(void *arg, struct span in)
{
    struct connection *c = arg;
    const size_t n = kept_bytes(c);
    struct slice rest;

    if (n > LOOP_HEADROOM) {
        (void)buf_add(&c->kept, span_slice(in));
        decode_kept(c);
        return;
    }
    if (n > 0) {
        memcpy(in.p - n, c->kept.p + c->kept_at, n);
        drop_kept(c);
    }
    rest = slice_make(in.p - n, in.n + n);
    decode(c, &rest);
    keep(c, rest);
    update_reading(c);
}

/* Most clients that have half-closed are gone, and somebody works for them in vain; some wait for
 * their answer. The sweep comes for it, not only with its next second. */
static void leave_soon(struct connection *c)
{
    struct http1_server *h = c->server;

    connection__touch(c);
    timer_set(h->loop, &h->sweep, MIN(h->sweep.node.at_ms, c->since_ms + h->options.leave_ms));
}

static void on_ended(void *arg)
{
    struct connection *c = arg;

    c->has_ended = true;
    if (c->state == LINGER) {
        if (stream_pending(c->stream) == 0)
            connection__cut(c);
    } else if (c->state != EXCHANGE) {
        if (!c->is_posted)
            close_if_over(c);
    } else if (!c->exchange->has_body_ended) {
        lose(c, -ERR_RESET);
    } else {
        leave_soon(c);
    }
}

static void on_sent(void *arg, size_t pending)
{
    struct connection *c = arg;

    connection__touch(c);
    if (c->state == EXCHANGE)
        exchange__sent(c->exchange, pending);
    else if (c->state == LINGER && c->has_ended && pending == 0)
        connection__cut(c);
    else if (c->state != LINGER)
        connection__go_on(c);
}

static void on_lost(void *arg, int err)
{
    lose(arg, err);
}

static const struct stream_ops stream_facts = {on_data, on_ended, on_sent, on_lost};

/* --- timeouts --- */

/* How long the state may last without progress; 0: for ever. */
static uint32_t patience(const struct connection *c)
{
    const struct http1_options *o = &c->server->options;

    switch ((enum connection_state)c->state) {
    case IDLE:
        return o->idle_ms;
    case HEAD:
        return o->head_ms;
    case DROP:
        return o->body_ms;
    case LINGER:
        return stream_pending(c->stream) ? o->send_ms : o->linger_ms;
    case EXCHANGE:
        break;
    }
    if (stream_pending(c->stream))
        return o->send_ms;
    if (wants_body(c->exchange))
        return o->body_ms;
    /* A client that has half-closed: most are gone, some wait for their answer. */
    return c->has_ended || c->is_ending ? o->leave_ms : 0;
}

static void on_timeout(struct connection *c)
{
    switch ((enum connection_state)c->state) {
    case IDLE:
    case DROP:
        connection__linger(c);
        break;
    case HEAD:
        refuse(c, -ERR_TIMEOUT);
        break;
    case LINGER:
        connection__cut(c);
        break;
    case EXCHANGE:
        if (stream_pending(c->stream) || !wants_body(c->exchange))
            lose(c, -ERR_TIMEOUT);
        else
            refuse(c, -ERR_TIMEOUT);
        break;
    }
}

static bool is_overdue(const struct connection *c)
{
    const uint32_t ms = patience(c);

    return ms && loop_now(c->server->loop) - c->since_ms >= ms;
}

/* Behind a next request that waits its turn nothing is read: that such a client has left is seen
 * here. */
static void look_for_end(struct connection *c)
{
    if (c->is_ending || c->state != EXCHANGE || kept_bytes(c) == 0 ||
        !stream_has_hung_up(c->stream))
        return;
    c->is_ending = true;
    connection__touch(c);
}

static void look_for_silence(const struct connection *c)
{
    if (c->state == EXCHANGE)
        exchange__silent(c->exchange, loop_now(c->server->loop) - c->since_ms);
}

/* In two passes, because what is told above can end any connection. */
static void on_sweep(struct timer *t)
{
    struct http1_server *h = CONTAINER_OF(t, struct http1_server, sweep);
    struct list overdue, *it, *next;

    if (!list_empty(&h->connections))
        timer_set(h->loop, t, loop_now(h->loop) + SWEEP_MS);
    list_init(&overdue);
    LIST_EACH (&h->connections, it, next) {
        look_for_end(LIST_ITEM(it, struct connection, link));
        look_for_silence(LIST_ITEM(it, struct connection, link));
        if (is_overdue(LIST_ITEM(it, struct connection, link))) {
            list_del(it);
            list_add_tail(&overdue, it);
        }
    }
    while ((it = list_pop(&overdue)) != NULL) {
        list_add_tail(&h->connections, it);
        on_timeout(LIST_ITEM(it, struct connection, link));
    }
}

/* --- the server --- */

static struct http1_options with_defaults(const struct http1_options *o)
{
#define OR(field, value) .field = o->field ? o->field : (value)
    return (struct http1_options){
        OR(line_bytes, 16 << 10),  OR(head_bytes, 64 << 10),  OR(fields, HTTP1_FIELDS_MAX),
        OR(body_bytes, 100 << 20), OR(drop_bytes, 256 << 10), OR(out_bytes, 4 << 20),
        OR(head_ms, 15000),        OR(idle_ms, 60000),        OR(body_ms, 60000),
        OR(send_ms, 60000),        OR(linger_ms, 2000),       OR(leave_ms, 1000)};
#undef OR
}

struct http1_server *http1_server_open(struct loop *l, const struct http1_options *o,
                                       const struct http1_server_ops *ops, void *arg)
{
    struct http1_server *h = mem_new(sizeof(*h));

    h->loop = l;
    h->options = with_defaults(o);
    h->limits =
        (struct http1_limits){h->options.line_bytes, h->options.head_bytes,
                              MIN(h->options.fields, HTTP1_FIELDS_MAX), h->options.body_bytes};
    h->ops = ops;
    h->arg = arg;
    list_init(&h->connections);
    buf_init(&h->scratch, HEAD_MAX);
    h->sweep.due = on_sweep;
    return h;
}

void http1_server_take(struct http1_server *h, struct stream *take_s)
{
    struct connection *c;

    if (h->is_closed) {
        stream_doom(take_s);
        return;
    }
    c = mem_new(sizeof(*c));
    c->server = h;
    c->stream = take_s;
    c->since_ms = loop_now(h->loop);
    http1_init(&c->decoder, HTTP1_REQUESTS, &h->limits);
    list_add_tail(&h->connections, &c->link);
    if (!heap_is_set(&h->sweep.node))
        timer_set(h->loop, &h->sweep, c->since_ms + SWEEP_MS);
    h->stats.connections++;
    seen_add(&h->stats.open, 1);
    h->stats.idle++;
    /* The bound is ours to check: it leaves room for heads, and counts only what bodies add. */
    stream_bound(take_s, 0);
    stream_attach(take_s, &stream_facts, c);
    stream_resume(take_s);
}

void http1_server_drain(struct http1_server *h)
{
    struct list *it, *next;

    h->is_draining = true;
    LIST_EACH (&h->connections, it, next) {
        struct connection *c = LIST_ITEM(it, struct connection, link);

        if (c->state == IDLE && kept_bytes(c) == 0)
            connection__linger(c);
    }
}

uint32_t http1_server_shed(struct http1_server *h, uint32_t n)
{
    uint32_t done = 0;

    for (; done < n && !list_empty(&h->connections); done++)
        lose(LIST_ITEM(h->connections.prev, struct connection, link), -ERR_OVERLOADED);
    return done;
}

static bool is_busy(const struct connection *c)
{
    return c->state == EXCHANGE || c->state == DROP ||
           (c->state == LINGER && stream_pending(c->stream) > 0);
}

bool http1_server_is_busy(const struct http1_server *h)
{
    for (const struct list *it = h->connections.next; it != &h->connections; it = it->next)
        if (is_busy(LIST_ITEM(it, struct connection, link)))
            return true;
    return false;
}

const struct http1_stats *http1_server_stats(const struct http1_server *h)
{
    return &h->stats;
}

uint32_t http1_server_open_now(const struct http1_server *h)
{
    return seen_get(&h->stats.open);
}

static void reap_server(void *arg)
{
    struct http1_server *h = arg;

    buf_done(&h->scratch);
    mem_free(h);
}

void http1_server_close(struct http1_server *h)
{
    if (!h || h->is_closed)
        return;
    h->is_closed = true;
    timer_del(h->loop, &h->sweep);
    while (!list_empty(&h->connections))
        lose(LIST_ITEM(h->connections.next, struct connection, link), -ERR_CLOSED);
    loop_defer(h->loop, LOOP_REAP, reap_server, h);
}
