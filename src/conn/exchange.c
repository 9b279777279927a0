#include "conn/exchange.h"

#include <assert.h>
#include <stdio.h>

#include "conn/http1_int.h"
#include "conn/websocket.h"
#include "io/tls.h"
#include "wire/ws.h"

/* --- the request --- */

/* A head's slices stand in one piece of input, which is copied; they move with it. */
struct move {
    const uint8_t *from;
    const uint8_t *end;
    uint8_t *to;
};

static struct slice moved(const struct move *m, struct slice s)
{
    if (s.p < m->from || s.p >= m->end)
        return s; /* a constant, or nothing */
    return slice_make(m->to + (s.p - m->from), s.n);
}

static const uint8_t *end_of(const struct http1_head *h)
{
    const struct slice *last = h->count ? &h->fields[h->count - 1].value : &h->target;

    return last->p + last->n;
}

static enum exchange_body body_of(const struct http1_head *h)
{
    return h->body == HTTP1_BODY_NONE     ? EXCHANGE_BODY_NONE
           : h->body == HTTP1_BODY_LENGTH ? EXCHANGE_BODY_LENGTH
                                          : EXCHANGE_BODY_STREAM;
}

static struct kept_request *copy_request(const struct http1_head *h, struct slice key)
{
    const size_t text = (size_t)(end_of(h) - h->method.p);
    struct kept_request *k = mem_new(sizeof(*k) + h->count * sizeof(k->fields[0]) + text);
    const struct move m = {h->method.p, end_of(h), (uint8_t *)&k->fields[h->count]};

    memcpy(m.to, m.from, text);
    for (uint32_t i = 0; i < h->count; i++)
        k->fields[i] =
            (struct exchange_field){moved(&m, h->fields[i].name), moved(&m, h->fields[i].value)};
    k->key = moved(&m, key);
    k->request = (struct exchange_request){
        .method = moved(&m, h->method),
        .target = moved(&m, h->target),
        .path = moved(&m, h->path),
        .host = moved(&m, h->authority),
        .fields = k->fields,
        .n_fields = h->count,
        .length = h->length,
        .body = body_of(h),
        .minor = h->minor,
        .upgrade = key.n > 0,
    };
    return k;
}

struct exchange *exchange__new(struct connection *c, const struct http1_head *head,
                               struct slice key)
{
    struct exchange *x = mem_new(sizeof(*x));

    x->connection = c;
    x->began_ms = loop_now(c->server->loop);
    x->kept = copy_request(head, key);
    x->kept->request.tls_version = tls_version(c->stream);
    x->kept->request.tls_cipher = tls_cipher(c->stream);
    x->is_head = slice_eq(head->method, SLICE("HEAD"));
    x->minor = head->minor;
    x->has_body_ended = head->body == HTTP1_BODY_NONE;
    x->wants_continue = head->expects_continue && !x->has_body_ended;
    x->is_last = !head->keep_alive;
    return x;
}

const struct exchange_request *exchange_request(const struct exchange *x)
{
    return &x->kept->request;
}

const struct slice *exchange_find(const struct exchange *x, struct slice name)
{
    const struct exchange_request *r = &x->kept->request;

    for (size_t i = 0; i < r->n_fields; i++)
        if (slice_eq_nocase(r->fields[i].name, name))
            return &r->fields[i].value;
    return NULL;
}

void exchange_park(struct exchange *x)
{
    if (x->connection->server->ops->over)
        return;
    mem_free(x->kept);
    x->kept = NULL;
    mem_free(x->connection->peer);
    x->connection->peer = NULL;
}

struct stream *exchange_stream(const struct exchange *x)
{
    return x->connection->stream;
}

struct slice exchange_peer(const struct exchange *x)
{
    struct connection *c = x->connection;
    char room[64];

    if (!c->peer)
        c->peer = slice_dup(stream_peer(c->stream, room, NULL));
    return slice_str(c->peer);
}

void exchange_attach(struct exchange *x, const struct exchange_ops *ops, void *arg)
{
    x->ops = ops;
    x->arg = arg;
}

struct exchange_account exchange_account(const struct exchange *x)
{
    return (struct exchange_account){
        .status = x->status,
        .is_whole = x->is_whole,
        .bytes = x->sent,
        .ms = loop_now(x->connection->server->loop) - x->began_ms,
    };
}

/* --- the end --- */

static void forget_unread(struct exchange *x)
{
    buf_done(&x->unread->bytes);
    mem_free(x->unread);
    x->unread = NULL;
}

static void reap(void *arg)
{
    struct exchange *x = arg;

    if (x->unread)
        forget_unread(x);
    mem_free(x->kept);
    mem_free(x);
}

static void let_go(struct exchange *x)
{
    struct connection *c = x->connection;

    x->connection = NULL;
    loop_defer(c->server->loop, LOOP_REAP, reap, x);
}

void exchange__account(const struct exchange *x)
{
    const struct http1_server *h = x->connection->server;

    if (h->ops->over)
        h->ops->over(h->arg, x);
}

static void over(struct exchange *x)
{
    exchange__account(x);
    let_go(x);
}

void exchange__closed(struct exchange *x, int err)
{
    let_go(x);
    x->ops->closed(x->arg, err);
}

void exchange_abort(struct exchange *x)
{
    struct connection *c = x->connection;

    assert(c);
    over(x);
    /* Where the end of the connection would pass for the end of the body, only a reset tells. */
    if (!x->is_responded || x->is_close_framed)
        connection__cut(c);
    else
        connection__linger(c);
}

/* --- writing --- */

static void put(struct connection *c, struct slice bytes)
{
    if (stream_pending(c->stream) == 0)
        connection__touch(c);
    (void)stream_write(c->stream, bytes); /* unbounded; a lost stream has told so already */
}

static bool is_extensions(struct slice name)
{
    return slice_eq_nocase(name, SLICE("Sec-WebSocket-Extensions"));
}

/* Sec-WebSocket-Protocol is the answerer's to choose, its siblings are the handshake's. Where there
 * is no handshake (WebSocket-over-HTTP) they are fields like others. */
static bool is_ours(struct slice name, unsigned status)
{
    return http1_is_framing(name) ||
           (status == 101 &&
            (slice_eq_nocase(name, SLICE("Sec-WebSocket-Accept")) || is_extensions(name)));
}

/* "name: value\n" lines. */
static int put_fields(struct buf *out, unsigned status, struct slice lines, bool *ret_has_date)
{
    struct slice line, name;
    int r;

    *ret_has_date = false;
    while (slice_split(&lines, '\n', &line)) {
        if (line.n == 0)
            continue;
        (void)slice_split(&line, ':', &name);
        if (is_ours(name, status))
            continue;
        if ((r = http1_put_field(out, name, slice_trim(line))) < 0)
            return r;
        *ret_has_date |= slice_eq_nocase(name, SLICE("Date"));
    }
    return 0;
}

/* Status line, the fields of the layer above, Date. */
static int put_start(struct connection *c, unsigned status, struct slice reason,
                     struct slice fields)
{
    struct buf *out = &c->server->scratch;
    bool has_date;
    int r;

    buf_clear(out);
    if ((r = http1_put_status(out, status, reason)) < 0 ||
        (r = put_fields(out, status, fields, &has_date)) < 0)
        return r;
    return has_date ? 0 : http1_put_field(out, SLICE("Date"), loop_http_date(c->server->loop));
}

/* How the body of a response is marked off (RFC 9112 6.1, 6.3). */
struct framing {
    bool is_bodiless;
    bool is_chunked;
    bool is_close_framed;
    bool has_length;
    uint64_t length;
};

static struct framing frame(const struct exchange *x, const struct exchange_response *r)
{
    const bool is_stream = r->body == EXCHANGE_BODY_STREAM;
    struct framing f = {.length = r->body == EXCHANGE_BODY_LENGTH ? r->length : 0};

    f.is_bodiless = x->is_head || r->status == 204 || r->status == 304;
    f.is_chunked = is_stream && !f.is_bodiless && x->minor > 0;
    f.is_close_framed = is_stream && !f.is_bodiless && x->minor == 0;
    /* Of a body that is not sent, only a length that was given is known. RFC 9110 8.6: none in a
     * 204. */
    f.has_length = f.is_bodiless ? r->body == EXCHANGE_BODY_LENGTH && r->status != 204 : !is_stream;
    return f;
}

static int put_framing(struct buf *out, const struct framing *f)
{
    if (f->is_chunked)
        return http1_put_field(out, SLICE("Transfer-Encoding"), SLICE("chunked"));
    return f->has_length ? http1_put_number(out, SLICE("Content-Length"), f->length) : 0;
}

static int put_connection(struct buf *out, const struct exchange *x, bool is_last)
{
    if (is_last)
        return http1_put_field(out, SLICE("Connection"), SLICE("close"));
    if (x->minor == 0)
        return http1_put_field(out, SLICE("Connection"), SLICE("keep-alive"));
    return 0;
}

int exchange_respond(struct exchange *x, const struct exchange_response *r)
{
    struct connection *c = x->connection;
    struct buf *out = &c->server->scratch;
    const struct framing f = frame(x, r);
    /* A client that was not told to go on may or may not send its body: nobody can tell what comes
     * next. */
    const bool is_last =
        x->is_last || c->server->is_draining || f.is_close_framed || x->wants_continue;
    int e;

    assert(!x->is_responded);
    if (r->status < 200 || r->status > 599)
        return -ERR_SYNTAX;
    if ((e = put_start(c, r->status, r->reason, r->fields)) < 0 || (e = put_framing(out, &f)) < 0 ||
        (e = put_connection(out, x, is_last)) < 0 || (e = http1_put_end(out)) < 0)
        return e;
    put(c, buf_slice(out));
    x->is_responded = true;
    x->status = r->status;
    x->is_last = is_last;
    x->is_bodiless = f.is_bodiless;
    x->is_chunked = f.is_chunked;
    x->is_close_framed = f.is_close_framed;
    x->left = f.length;
    x->comment_ms = f.is_chunked || f.is_close_framed ? r->comment_ms : 0;
    return 0;
}

/* --- the response's body --- */

void exchange__sent(struct exchange *x, size_t pending)
{
    /* What waits is counted with its framing, so this is late by some bytes, never early. */
    const size_t n = x->untold > pending ? x->untold - pending : 0;

    if (n == 0)
        return;
    x->untold -= n;
    if (x->ops->taken)
        x->ops->taken(x->arg, n);
}

static void taken_posted(void *arg)
{
    struct exchange *x = arg;

    x->is_taken_posted = false;
    if (x->connection)
        exchange__sent(x, stream_pending(x->connection->stream));
}

/* A body that is not sent is taken at once, but not from inside the verb. */
static void swallow(struct exchange *x, size_t n)
{
    x->untold += n;
    if (x->is_taken_posted)
        return;
    x->is_taken_posted = true;
    loop_defer(x->connection->server->loop, LOOP_FLUSH, taken_posted, x);
}

static int check_send(const struct exchange *x, size_t n)
{
    const struct connection *c = x->connection;

    assert(c && x->is_responded);
    if (x->is_bodiless)
        return 0;
    if (!x->is_chunked && !x->is_close_framed && n > x->left)
        return -ERR_HTTP_FRAMING;
    if (n > c->server->options.out_bytes ||
        stream_pending(c->stream) > c->server->options.out_bytes - n)
        return -ERR_SLOW_CONSUMER;
    return 0;
}

/* take_b: these bytes of the body, perhaps as a chunk. */
static void queue(struct exchange *x, struct blob *take_b, struct slice bytes)
{
    x->untold += bytes.n;
    x->sent += bytes.n;
    x->is_mid_line = bytes.p[bytes.n - 1] != '\n';
    if (stream_pending(x->connection->stream) == 0)
        connection__touch(x->connection);
    (void)stream_push(x->connection->stream, take_b);
}

int exchange_push(struct exchange *x, struct blob *take_b)
{
    const size_t n = take_b->n;
    const int r = check_send(x, n);
    char head[HTTP1_CHUNK_HEAD];

    if (r < 0 || n == 0 || x->is_bodiless) {
        blob_unref(take_b);
        if (r == 0 && n > 0)
            swallow(x, n);
        return r;
    }
    if (x->is_chunked)
        put(x->connection, slice_make(head, http1_chunk_head(n, head)));
    else if (!x->is_close_framed)
        x->left -= n;
    queue(x, take_b, blob_slice(take_b));
    if (x->is_chunked)
        put(x->connection, SLICE("\r\n"));
    return 0;
}

/* A whole chunk in one blob: one copy, one allocation. Its end goes with it, and not before the
 * next one: there are clients that hand up a chunk only when they have seen that. */
static struct blob *chunk(struct slice bytes)
{
    char head[HTTP1_CHUNK_HEAD];
    const size_t n = http1_chunk_head(bytes.n, head);
    struct blob *b = blob_new(n + bytes.n + 2);

    memcpy(b->p, head, n);
    memcpy(b->p + n, bytes.p, bytes.n);
    memcpy(b->p + n + bytes.n, "\r\n", 2);
    return b;
}

int exchange_send(struct exchange *x, struct slice bytes)
{
    const int r = check_send(x, bytes.n);

    if (r < 0 || bytes.n == 0)
        return r;
    if (!x->is_chunked || x->is_bodiless)
        return exchange_push(x, blob_copy(bytes));
    queue(x, chunk(bytes), bytes);
    return 0;
}

int exchange_share(struct exchange *x, struct blob *bytes, struct blob **chunked)
{
    const int r = check_send(x, bytes->n);

    if (r < 0 || bytes->n == 0)
        return r;
    if (!x->is_chunked || x->is_bodiless)
        return exchange_push(x, blob_ref(bytes));
    if (!*chunked)
        *chunked = chunk(blob_slice(bytes));
    queue(x, blob_ref(*chunked), blob_slice(bytes));
    return 0;
}

/* A line of its own, and nothing but that: a blank line would end an event that has begun. */
void exchange__silent(struct exchange *x, int64_t ms)
{
    if (x->comment_ms && ms >= x->comment_ms && !x->is_mid_line && exchange_pending(x) == 0)
        put(x->connection, x->is_chunked ? SLICE("2\r\n:\n\r\n") : SLICE(":\n"));
}

size_t exchange_pending(const struct exchange *x)
{
    return stream_pending(x->connection->stream);
}

void exchange_end(struct exchange *x)
{
    struct connection *c = x->connection;

    assert(c && x->is_responded);
    if (!x->is_bodiless && x->left > 0) {
        exchange_abort(x);
        return;
    }
    if (x->is_chunked)
        put(c, HTTP1_LAST_CHUNK);
    x->is_whole = true;
    over(x);
    connection__responded(c);
}

/* --- the request's body --- */

/* Tells again what is granted; behind the last of it the body goes on where it was. */
static void tell_unread(struct exchange *x)
{
    struct unread *u = x->unread;
    const struct span all = buf_take(&u->bytes);
    const size_t n = MIN(u->granted, all.n);
    const bool is_whole = n == all.n, end = is_whole && u->has_end;

    u->granted -= n;
    (void)buf_add(&u->bytes, slice_make(all.p + n, all.n - n));
    if (is_whole) {
        const size_t rest = u->granted;

        forget_unread(x);
        exchange_pull(x, rest);
    }
    if ((n || end) && x->ops->body)
        x->ops->body(x->arg, slice_make(all.p, n), end);
    mem_free(all.p);
}

static void unread_posted(void *arg)
{
    struct exchange *x = arg;

    x->unread->is_posted = false;
    if (x->connection)
        tell_unread(x);
}

static void pull_unread(struct exchange *x, size_t n)
{
    struct unread *u = x->unread;

    u->granted += MIN(n, SIZE_MAX - u->granted);
    if (u->is_posted || n == 0)
        return;
    u->is_posted = true;
    loop_defer(x->connection->server->loop, LOOP_FLUSH, unread_posted, x);
}

void exchange_unread(struct exchange *x, struct slice bytes, bool end)
{
    assert(!x->unread && !x->is_responded);
    x->credit = 0;
    if (bytes.n == 0 && !end)
        return;
    x->unread = mem_new(sizeof(*x->unread));
    x->unread->has_end = end;
    buf_init(&x->unread->bytes, bytes.n);
    (void)buf_add(&x->unread->bytes, bytes);
}

void exchange_pull(struct exchange *x, size_t n)
{
    struct connection *c = x->connection;

    if (x->unread) {
        pull_unread(x, n);
        return;
    }
    const bool has_bytes = c->kept.n > c->kept_at || (c->decoding && c->decoding->n > 0);

    if (x->has_body_ended || n == 0)
        return;
    /* RFC 9110 10.1.1: not needed when the client did not wait. */
    if (x->wants_continue && !x->is_responded && !has_bytes)
        put(c, HTTP1_CONTINUE);
    if (!x->is_responded)
        x->wants_continue = false;
    if (x->credit == 0)
        connection__touch(c);
    x->credit += MIN(n, UINT64_MAX - x->credit);
    connection__go_on(c);
}

/* --- whole answers --- */

void exchange_answer(struct exchange *x, uint16_t status, struct slice content_type,
                     struct slice body)
{
    char fields[128];
    const int n = snprintf(fields, sizeof(fields), "Content-Type: %.*s\n", SLICE_FMT(content_type));
    const struct exchange_response r = {
        .status = status,
        .fields = slice_make(fields, (size_t)MAX(n, 0)),
        .body = EXCHANGE_BODY_LENGTH,
        .length = body.n,
    };

    assert(n > 0 && (size_t)n < sizeof(fields));
    if (exchange_respond(x, &r) < 0 || exchange_send(x, body) < 0)
        exchange_abort(x);
    else
        exchange_end(x);
}

static void error_text(struct buf *out, int err, struct slice text)
{
    buf_init(out, 64 * 1024);
    if (text.n == 0)
        text = slice_str(err_text(err));
    (void)buf_add(out, slice_sub(text, 0, out->max - 1));
    (void)buf_add_byte(out, '\n');
}

void exchange_fail(struct exchange *x, int err, struct slice text)
{
    CLEANUP(buf_done) struct buf body;

    if (x->is_responded) {
        exchange_abort(x);
        return;
    }
    error_text(&body, err, text);
    exchange_answer(x, (uint16_t)err_status(err), SLICE("text/plain; charset=utf-8"),
                    buf_slice(&body));
}

void exchange__refuse(struct connection *c, int err)
{
    struct buf *out = &c->server->scratch;
    CLEANUP(buf_done) struct buf body;
    struct slice fields = SLICE("Content-Type: text/plain; charset=utf-8\n");

    /* RFC 6455 4.4 */
    if (err == -ERR_WS_VERSION)
        fields = SLICE("Content-Type: text/plain; charset=utf-8\nSec-WebSocket-Version: 13\n"
                       "Upgrade: websocket\n");
    error_text(&body, err, SLICE_NONE);
    (void)put_start(c, (unsigned)err_status(err), SLICE_NONE, fields);
    (void)http1_put_number(out, SLICE("Content-Length"), body.n);
    (void)http1_put_field(out, SLICE("Connection"), SLICE("close"));
    (void)http1_put_end(out);
    (void)buf_add(out, buf_slice(&body));
    put(c, buf_slice(out));
}

/* --- upgrade --- */

/* What the layer above would answer to the client's offers. False: it says nothing. */
static bool find_wish(struct slice lines, struct slice *ret)
{
    struct slice line, name;

    while (slice_split(&lines, '\n', &line)) {
        (void)slice_split(&line, ':', &name);
        if (is_extensions(name)) {
            *ret = slice_trim(line);
            return true;
        }
    }
    return false;
}

/* Chooses among the client's offers (RFC 7692 5.1); an extension that is not ours is declined by
 * not naming it (RFC 6455 9.1). 1: agreed, and the answer is in *out. */
static int agree(const struct exchange *x, struct slice fields, const struct websocket_options *o,
                 struct deflate_terms *ret_terms, struct buf *out)
{
    struct deflate_policy policy;
    struct slice wish;

    if (!websocket_policy(o))
        return 0;
    policy = *websocket_policy(o);
    if (find_wish(fields, &wish) && !deflate_wish(wish, &policy))
        return 0;
    for (size_t i = 0; i < x->kept->request.n_fields; i++)
        if (is_extensions(x->kept->fields[i].name) &&
            deflate_accept(x->kept->fields[i].value, &policy, ret_terms, out) == 1)
            return 1;
    return 0;
}

static int put_switch(struct exchange *x, struct slice fields, struct slice extensions)
{
    struct buf *out = &x->connection->server->scratch;
    char accept[WS_ACCEPT_SIZE + 1];
    int r;

    ws_accept(x->kept->key, accept);
    if ((r = put_start(x->connection, 101, SLICE_NONE, fields)) < 0 ||
        (r = http1_put_field(out, SLICE("Upgrade"), SLICE("websocket"))) < 0 ||
        (r = http1_put_field(out, SLICE("Connection"), SLICE("Upgrade"))) < 0 ||
        (r = http1_put_field(out, SLICE("Sec-WebSocket-Accept"), slice_str(accept))) < 0 ||
        (extensions.n &&
         (r = http1_put_field(out, SLICE("Sec-WebSocket-Extensions"), extensions)) < 0))
        return r;
    return http1_put_end(out);
}

/* terms NULL: messages are not compressed. */
static struct transport *switch_protocols(struct exchange *x, struct slice fields,
                                          struct slice extensions,
                                          const struct deflate_terms *terms,
                                          const struct websocket_options *o)
{
    struct connection *c = x->connection;
    struct transport *t;
    struct stream *s;
    struct slice early;

    assert(c && x->kept->request.upgrade && !x->is_responded);
    if (put_switch(x, fields, extensions) < 0)
        return NULL;
    put(c, buf_slice(&c->server->scratch));
    x->status = 101;
    x->is_whole = true;
    over(x);
    s = connection__take_stream(c, &early);
    t = websocket_open(s, false, early, o);
    if (terms)
        websocket_agree(t, terms);
    return t;
}

struct transport *exchange_upgrade(struct exchange *x, struct slice fields,
                                   const struct websocket_options *o)
{
    CLEANUP(buf_done) struct buf extensions = {.max = 256};
    struct deflate_terms terms;
    const bool is_agreed = agree(x, fields, o, &terms, &extensions) == 1;

    return switch_protocols(x, fields, buf_slice(&extensions), is_agreed ? &terms : NULL, o);
}

struct transport *exchange_upgrade_with(struct exchange *x, struct slice fields,
                                        struct slice extensions, const struct websocket_options *o)
{
    return switch_protocols(x, fields, extensions, NULL, o);
}
