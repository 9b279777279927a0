#include "conn/http1_client.h"

#include <assert.h>

#include "io/loop.h"
#include "io/stream.h"

enum client_state { IDLE, ASKED, ANSWERED, OVER };

struct http1_client {
    struct stream *stream; /* NULL: taken, or closed */
    struct loop *loop;
    const struct http1_client_ops *ops;
    void *arg;
    struct http1_head *head;
    struct http1_decoder decoder;
    struct buf kept; /* bytes of an incomplete head, or that wait for credit */
    struct slice rest;
    size_t credit;
    size_t pending; /* bytes of the request that wait, also when the stream has dropped them */
    size_t untold;  /* request body bytes queued that taken() has not told */
    enum client_state state;
    bool is_chunked;
    bool is_body_over; /* of the request: all of it was queued */
    bool keeps_alive;
    bool has_heard;
    bool has_ended; /* the server has half-closed */
    bool is_posted;
    bool is_decoding;
};

static const struct http1_limits limits = {16 << 10, HTTP1_CLIENT_HEAD, HTTP1_FIELDS_MAX,
                                           UINT64_MAX};

/* --- the end --- */

static void reap(void *arg)
{
    struct http1_client *c = arg;

    buf_done(&c->kept);
    mem_free(c);
}

static void retire(struct http1_client *c)
{
    c->state = OVER;
    c->stream = NULL;
    loop_defer(c->loop, LOOP_REAP, reap, c);
}

void http1_client_close(struct http1_client *c)
{
    if (!c || c->state == OVER)
        return;
    stream_doom(c->stream);
    retire(c);
}

struct stream *http1_client_take_stream(struct http1_client *c, struct slice *ret_early)
{
    struct stream *s = c->stream;

    assert(c->is_decoding);
    stream_pause(s);
    *ret_early = c->rest;
    retire(c);
    return s;
}

static void fail(struct http1_client *c, int err, const char *text)
{
    if (c->state == IDLE)
        c->ops->gone(c->arg);
    else if (c->state != OVER)
        c->ops->failed(c->arg, err, slice_str(text));
}

/* --- the response --- */

static void on_head(struct http1_client *c)
{
    if (c->head->status < 200 && c->head->status != 101)
        return;
    c->state = ANSWERED;
    c->keeps_alive = c->head->keep_alive;
    c->ops->answered(c->arg, c->head);
}

/* The last byte of the response. What is left of the input would be an answer to nothing. */
static void on_end(struct http1_client *c)
{
    const bool reusable =
        c->keeps_alive && http1_client_is_sent(c) && c->rest.n == 0 && !c->has_ended;

    c->state = IDLE;
    buf_done(&c->kept);
    c->ops->ended(c->arg, reusable);
}

/* One event out of c->rest, of which no more than the credit may be body. False: hungry. */
static bool step(struct http1_client *c)
{
    struct slice view = c->state == ANSWERED ? slice_sub(c->rest, 0, c->credit) : c->rest, bytes;
    const size_t before = view.n;
    const int r = http1_next(&c->decoder, &view, c->head, &bytes);

    (void)slice_take(&c->rest, before - view.n);
    if (r == HTTP1_HEAD) {
        on_head(c);
    } else if (r == HTTP1_BODY) {
        c->credit -= bytes.n;
        c->ops->body(c->arg, bytes);
    } else if (r == HTTP1_END) {
        on_end(c);
    } else if (r < 0) {
        fail(c, -ERR_ORIGIN_BAD, err_text(r));
        return false;
    }
    return r != 0 || before > view.n;
}

static bool is_wanted(const struct http1_client *c)
{
    return c->state == ASKED || c->state == ANSWERED;
}

static void keep(struct http1_client *c)
{
    const struct buf old = c->kept;

    buf_init(&c->kept, limits.line + limits.headers + 4 * LOOP_READ);
    if (c->rest.n && buf_add(&c->kept, c->rest) < 0)
        fail(c, -ERR_ORIGIN_BAD, err_text(ERR_HTTP_HEADERS_LARGE));
    mem_free(old.p); /* rest may be part of it */
}

static void decode(struct http1_client *c, struct slice in)
{
    c->rest = in;
    c->is_decoding = true;
    while (is_wanted(c) && step(c))
        continue;
    c->is_decoding = false;
    if (!is_wanted(c))
        return;
    keep(c);
    if (is_wanted(c) && c->state == ANSWERED && c->kept.n)
        stream_pause(c->stream);
}

/* --- facts of the stream --- */

static void on_data(void *arg, struct span in)
{
    struct http1_client *c = arg;

    c->has_heard = true;
    if (c->state == IDLE)
        c->ops->gone(c->arg);
    else if (c->kept.n == 0)
        decode(c, span_slice(in));
    else if (buf_add(&c->kept, span_slice(in)) < 0)
        fail(c, -ERR_ORIGIN_BAD, err_text(ERR_HTTP_HEADERS_LARGE));
    else
        decode(c, buf_slice(&c->kept));
}

static void on_ended(void *arg)
{
    struct http1_client *c = arg;

    c->has_ended = true;
    if (c->state == IDLE)
        c->ops->gone(c->arg);
    else if (c->kept.n && c->state == ANSWERED)
        return; /* what is kept comes first */
    else if (http1_eof(&c->decoder, buf_slice(&c->kept)) == HTTP1_END)
        on_end(c);
    else
        fail(c, -ERR_ORIGIN_LOST, NULL);
}

static void on_sent(void *arg, size_t pending)
{
    struct http1_client *c = arg;
    const size_t n = c->untold - MIN(c->untold, pending);

    c->pending = pending;
    c->untold -= n;
    if (n && is_wanted(c))
        c->ops->taken(c->arg, n);
}

static void on_lost(void *arg, int err)
{
    fail(arg, -ERR_ORIGIN_LOST, NULL);
}

static const struct stream_ops stream_facts = {on_data, on_ended, on_sent, on_lost};

/* --- verbs --- */

struct http1_client *http1_client_open(struct stream *take_s, struct http1_head *head)
{
    struct http1_client *c = mem_new(sizeof(*c));

    c->stream = take_s;
    c->loop = stream_loop(take_s);
    c->head = head;
    stream_attach(take_s, &stream_facts, c);
    return c;
}

void http1_client_attach(struct http1_client *c, const struct http1_client_ops *ops, void *arg)
{
    c->ops = ops;
    c->arg = arg;
    if (c->stream)
        stream_resume(c->stream);
}

/* A stream that cannot take it tells lost(). */
static void push(struct http1_client *c, struct slice bytes)
{
    c->pending += bytes.n;
    (void)stream_write(c->stream, bytes);
}

void http1_client_start(struct http1_client *c, struct slice head, enum http1_body body,
                        bool is_head, size_t credit)
{
    assert(c->state == IDLE);
    c->state = ASKED;
    c->has_heard = false;
    c->is_chunked = body == HTTP1_BODY_CHUNKED;
    c->is_body_over = body == HTTP1_BODY_NONE;
    c->untold = c->pending = 0;
    c->credit = credit;
    http1_init(&c->decoder, HTTP1_RESPONSES, &limits);
    if (is_head)
        http1_expect_head_answer(&c->decoder);
    push(c, head);
}

static void push_chunk(struct http1_client *c, struct slice bytes)
{
    char line[HTTP1_CHUNK_HEAD];

    push(c, slice_make(line, http1_chunk_head(bytes.n, line)));
    push(c, bytes);
    push(c, HTTP1_CHUNK_TAIL);
}

void http1_client_send(struct http1_client *c, struct slice bytes, bool end)
{
    if (!is_wanted(c))
        return;
    c->untold += bytes.n;
    c->is_body_over |= end;
    if (bytes.n && c->is_chunked)
        push_chunk(c, bytes);
    else if (bytes.n)
        push(c, bytes);
    if (end && c->is_chunked)
        push(c, HTTP1_LAST_CHUNK);
}

static void go_on(void *arg)
{
    struct http1_client *c = arg;

    c->is_posted = false;
    if (c->state != ANSWERED)
        return;
    if (c->kept.n)
        decode(c, buf_slice(&c->kept));
    if (!is_wanted(c) || c->kept.n)
        return;
    if (c->has_ended)
        on_ended(c);
    else
        stream_resume(c->stream);
}

void http1_client_credit(struct http1_client *c, size_t n)
{
    c->credit += n;
    if (c->is_posted || c->state != ANSWERED || c->kept.n == 0)
        return;
    c->is_posted = true;
    loop_defer(c->loop, LOOP_DEFERRED, go_on, c);
}

bool http1_client_is_sent(const struct http1_client *c)
{
    return c->is_body_over && c->pending == 0;
}

bool http1_client_has_heard(const struct http1_client *c)
{
    return c->has_heard;
}

bool http1_client_is_held(const struct http1_client *c)
{
    return c->kept.n > 0;
}
