/*
 * Who has said Close, and who has been told
 *
 *                    ┌──────────── our close() ───────────► SAID ──── peer's Close ──┐
 *   open ────────────┤                                        └─ closing time over ──┤
 *                    │                                                               ▼
 *                    ├─ peer's Close ─► (answered at once: SAID and HEARD) ──► finishing ─► gone
 *                    │        └─ half-open: HEARD ─── our close() ───────────────────▲
 *                    └─ peer broke the protocol: Close is sent, at once or, when the
 *                       owner has asked for time, at its close() or release() ────────┘
 *
 * Finishing: our half of the stream is closed behind the queue, what still comes is dropped, and
 * the stream goes when the peer closes its half or the closing time is over. (To close at once
 * would let unread bytes turn into a reset that overtakes our Close.)
 *
 * The owner is told closed() or failed() once (TOLD). The memory goes when the owner has released
 * it and the stream is gone, whichever is later.
 *
 * What only a busy websocket needs -- a cut header, a message in pieces, a waiting pong, the
 * closing timer -- is in struct websocket__more, which an idle one does not have.
 */
#include "conn/websocket.h"

#include <assert.h>

#include "base/utf8.h"
#include "conn/websocket_int.h"
#include "io/stream.h"

enum {
    MESSAGE_BYTES = 32 << 20,
    OUT_BYTES = 4 << 20,
    CLOSE_MS = 10000,
    PONG_BACKLOG = 64 * 1024, /* above it pongs wait, and only the newest does */
    PONGS_A_TICK = 64,        /* the same above so many at once */
};

enum facts {
    CLIENT = WEBSOCKET__CLIENT,
    READING = WEBSOCKET__READING,
    HALF_OPEN = WEBSOCKET__HALF_OPEN,
    SAID = WEBSOCKET__SAID,
    HEARD = WEBSOCKET__HEARD,
    TOLD = WEBSOCKET__TOLD,
    RELEASED = WEBSOCKET__RELEASED,
    FINISHING = WEBSOCKET__FINISHING,
    PRESSED = WEBSOCKET__PRESSED,
    PONG_POSTED = WEBSOCKET__PONG_POSTED,
    REPLAY_POSTED = WEBSOCKET__REPLAY_POSTED,
    PINGED = WEBSOCKET__PINGED,
    CONTROLS = WEBSOCKET__CONTROLS,
    SILENT = WEBSOCKET__SILENT,
};

static uint16_t units(int64_t ms)
{
    return (uint16_t)(ms >> WEBSOCKET__UNIT_SHIFT);
}

static bool has(const struct websocket *w, uint32_t fact)
{
    return websocket__has(w, fact);
}

static struct websocket *of(struct transport *t)
{
    return CONTAINER_OF(t, struct websocket, transport);
}

static uint32_t out_bytes(const struct websocket *w)
{
    return w->options->out_bytes ? w->options->out_bytes : OUT_BYTES;
}

static uint32_t message_bytes(const struct websocket *w)
{
    return w->options->message_bytes ? w->options->message_bytes : MESSAGE_BYTES;
}

/* --- more --- */

static void on_closing_time(struct timer *t);

struct websocket__more *websocket__more(struct websocket *w)
{
    if (!w->more) {
        w->more = mem_new(sizeof(*w->more));
        w->more->websocket = w;
        w->more->closing.due = on_closing_time;
        buf_init(&w->more->kept, SIZE_MAX / 2); /* what one read brought, which we bound */
        buf_init(&w->more->message, 0);         /* set when a message begins */
    }
    return w->more;
}

static bool has_kept(const struct websocket *w)
{
    return w->more && w->more->kept.n > 0;
}

static void trim(struct websocket *w)
{
    struct websocket__more *m = w->more;

    if (!m || m->kept.n || m->message.n || m->pong || m->pair || heap_is_set(&m->closing.node) ||
        list_linked(&m->released) || has(w, PONG_POSTED))
        return;
    buf_done(&m->kept);
    buf_done(&m->message);
    mem_free(m);
    w->more = NULL;
}

static void drop_more(struct websocket *w)
{
    struct websocket__more *m = w->more;

    if (!m)
        return;
    buf_done(&m->kept);
    buf_done(&m->message);
    blob_unref(m->pong);
    deflate_pair_free(m->pair);
    m->pong = NULL;
    m->pair = NULL;
    m->kept_at = 0;
    list_del(&m->released);
    if (w->stream)
        timer_del(stream_loop(w->stream), &m->closing);
    trim(w);
}

/* --- the end --- */

static void reap(void *arg)
{
    mem_free(arg);
}

/* The stream goes; the memory too when nobody owns it any more. */
static void drop_stream(struct websocket *w)
{
    struct stream *s = w->stream;

    drop_more(w);
    if (w->index != WEBSOCKET__NOBODY)
        pool__remove(w->options->pool, w);
    w->stream = NULL;
    w->loop = stream_loop(s);
    stream_doom(s);
    if (has(w, RELEASED))
        loop_defer(w->loop, LOOP_REAP, reap, w);
}

static void set_closing_time(struct websocket *w)
{
    struct loop *l = stream_loop(w->stream);
    const uint32_t ms = w->options->close_ms ? w->options->close_ms : CLOSE_MS;

    timer_set(l, &websocket__more(w)->closing, loop_now(l) + ms);
}

static void tell_closed(struct websocket *w, uint16_t code, bool clean, struct slice reason)
{
    if (has(w, TOLD | RELEASED))
        return;
    w->facts |= TOLD;
    w->transport.ops->closed(w->transport.arg, code, clean, reason);
}

/* The connection is gone without our doing: whoever still counted on it hears so. */
static void lose(struct websocket *w)
{
    const bool could_send = has(w, TOLD) && !has(w, SAID | RELEASED);

    drop_stream(w);
    if (could_send)
        w->transport.ops->gone(w->transport.arg);
    else
        tell_closed(w, 1006, false, SLICE_NONE);
}

static void on_closing_time(struct timer *t)
{
    lose(CONTAINER_OF(t, struct websocket__more, closing)->websocket);
}

static void update_reading(struct websocket *w)
{
    if (!w->stream)
        return;
    if (has(w, HEARD) || (has(w, READING | RELEASED) && !has_kept(w)))
        stream_resume(w->stream);
    else
        stream_pause(w->stream);
}

/* Both have said Close, or need not any more. */
static void finish(struct websocket *w)
{
    if (!w->stream || has(w, FINISHING))
        return;
    w->facts |= FINISHING | HEARD;
    stream_end(w->stream);
    set_closing_time(w);
    update_reading(w);
}

/* --- sending --- */

static void push_pong(struct websocket *w)
{
    struct blob *pong = w->more ? w->more->pong : NULL;

    if (!pong || !w->stream || stream_pending(w->stream) > PONG_BACKLOG)
        return;
    w->more->pong = NULL;
    (void)stream_push(w->stream, pong);
    trim(w);
}

static void say_close(struct websocket *w, unsigned code, struct slice reason)
{
    uint8_t mask[4];

    assert(!has(w, SAID));
    push_pong(w);
    w->facts |= SAID;
    (void)stream_push(w->stream, ws_close_frame(code, reason, websocket__mask(w, mask)));
    set_closing_time(w);
}

/* For what the peer did. */
static void say_failure(struct websocket *w)
{
    const int err = w->more->failed;

    say_close(w, (unsigned)err_close_code(err), slice_str(err_text(err)));
    finish(w);
}

static bool has_failed(const struct websocket *w)
{
    return w->more && w->more->failed < 0;
}

/* What waits is not more than the bound and one message: what may be received may be echoed, too.
 * Asked before a message becomes a frame: what has passed the compressor's window must go. */
static bool is_full(const struct websocket *w)
{
    return stream_pending(w->stream) >= out_bytes(w);
}

static int websocket_send(struct transport *t, struct payload *p)
{
    struct websocket *w = of(t);
    int r;

    if (!w->stream || has(w, SAID))
        return -ERR_CLOSED;
    if (p->bytes.n > UINT32_MAX / 4 || is_full(w)) {
        w->facts |= PRESSED;
        return -ERR_SLOW_CONSUMER;
    }
    r = stream_push(w->stream, websocket__frame(w, p));
    if (stream_pending(w->stream) > out_bytes(w) / 2)
        w->facts |= PRESSED;
    return r;
}

static bool is_sendable(unsigned code, struct slice reason)
{
    if (code == 0 || code == 1005)
        return reason.n == 0;
    return ws_is_close_code(code) && reason.n <= WS_REASON_MAX && utf8_is_valid(reason);
}

static int websocket_close(struct transport *t, uint16_t code, struct slice reason)
{
    struct websocket *w = of(t);

    if (!w->stream || has(w, SAID))
        return -ERR_CLOSED;
    if (!is_sendable(code, reason))
        return -ERR_SYNTAX;
    if (has_failed(w)) {
        say_failure(w);
        return 0;
    }
    say_close(w, code, reason);
    if (has(w, HEARD))
        finish(w);
    return 0;
}

static int send_control(struct transport *t, unsigned op, struct slice bytes)
{
    struct websocket *w = of(t);
    uint8_t mask[4];

    if (!w->stream || has(w, SAID))
        return -ERR_CLOSED;
    if (bytes.n > WS_CONTROL_MAX)
        return -ERR_WS_CONTROL;
    if (is_full(w))
        return -ERR_SLOW_CONSUMER;
    return stream_push(w->stream, ws_frame(op, bytes, websocket__mask(w, mask)));
}

int websocket_ping(struct transport *t, struct slice bytes)
{
    return send_control(t, WS_PING, bytes);
}

int websocket_pong(struct transport *t, struct slice bytes)
{
    return send_control(t, WS_PONG, bytes);
}

void websocket_want_drained(struct transport *t)
{
    of(t)->facts |= PRESSED;
}

static size_t websocket_pending(const struct transport *t)
{
    const struct websocket *w = CONTAINER_OF(t, struct websocket, transport);

    return w->stream ? stream_pending(w->stream) : 0;
}

/* --- pongs --- */

static void pong_posted(void *arg)
{
    struct websocket *w = arg;

    w->facts &= ~(uint32_t)PONG_POSTED;
    if (!w->more)
        return;
    w->more->pongs = 0;
    push_pong(w);
    trim(w);
}

static void answer_ping(struct websocket *w, struct slice bytes)
{
    struct websocket__more *m = websocket__more(w);
    uint8_t mask[4];

    if (has(w, SAID))
        return;
    /* RFC 6455 5.5.3: of several pings only the newest needs its pong. So a flood has one that
     * waits; the others have theirs each, as people expect. */
    blob_unref(m->pong);
    m->pong = ws_frame(WS_PONG, bytes, websocket__mask(w, mask));
    if (!has(w, PONG_POSTED))
        loop_defer(stream_loop(w->stream), LOOP_DEFERRED, pong_posted, w);
    w->facts |= PONG_POSTED;
    if (m->pongs++ < PONGS_A_TICK)
        push_pong(w);
}

static void tell_control(struct websocket *w, bool is_pong, struct slice bytes)
{
    if (has(w, CONTROLS) && !has(w, TOLD | RELEASED))
        w->transport.ops->control(w->transport.arg, is_pong, bytes);
}

static void on_ping(struct websocket *w, struct slice bytes)
{
    if (!has(w, SILENT) || has(w, RELEASED))
        answer_ping(w, bytes);
    tell_control(w, false, bytes);
}

/* The round's own ping is empty, and nobody else's matter. */
static void on_pong(struct websocket *w, struct slice bytes)
{
    if (has(w, PINGED) && bytes.n == 0)
        w->facts &= ~(uint32_t)PINGED;
    else
        tell_control(w, true, bytes);
}

void websocket_hear_controls(struct transport *t, bool answer)
{
    struct websocket *w = of(t);

    w->facts = (w->facts & ~(uint32_t)SILENT) | CONTROLS | (answer ? 0 : (uint32_t)SILENT);
}

/* --- hearing --- */

static void on_error(struct websocket *w, int err);

static void deliver(struct websocket *w, struct span bytes, bool binary)
{
    if (!has(w, TOLD | RELEASED))
        w->transport.ops->message(w->transport.arg, bytes, binary);
}

/* A message that came whole, joined from its fragments. */
static void on_message(struct websocket *w, struct span bytes, const struct ws_event *ev)
{
    struct buf *whole;
    int r;

    if (!ev->is_rsv1) {
        deliver(w, bytes, ev->is_binary);
        return;
    }
    if ((r = websocket__expand(w, span_slice(bytes), message_bytes(w), &whole)) < 0) {
        on_error(w, r);
        return;
    }
    if (!ev->is_binary && !utf8_is_valid(buf_slice(whole)))
        on_error(w, -ERR_WS_UTF8);
    else
        deliver(w, (struct span){whole->p, whole->n}, ev->is_binary);
    pool__tidy(whole);
}

/* The decoder's bound is that of badly compressed messages. */
static bool is_over(const struct websocket *w, const struct ws_event *ev)
{
    const size_t before = w->more ? w->more->message.n : 0;

    return !ev->is_rsv1 && before + ev->bytes.n + ev->left > message_bytes(w);
}

static void on_piece(struct websocket *w, const struct ws_event *ev)
{
    struct websocket__more *m;
    struct buf whole;

    if (is_over(w, ev)) {
        on_error(w, -ERR_WS_TOO_LARGE);
        return;
    }
    if (ev->is_first && ev->is_last) {
        on_message(w, ev->bytes, ev);
        return;
    }
    m = websocket__more(w);
    if (ev->is_first)
        m->message.max = websocket__wire_bytes(w, message_bytes(w));
    if (buf_add(&m->message, span_slice(ev->bytes)) < 0) { /* the options have changed meanwhile */
        on_error(w, -ERR_WS_TOO_LARGE);
        return;
    }
    if (!ev->is_last)
        return;
    whole = m->message;
    buf_init(&m->message, 0);
    on_message(w, (struct span){whole.p, whole.n}, ev);
    buf_done(&whole);
}

/* What we have to say about the peer's Close comes before the owner hears of it: it may release. */
static void on_close(struct websocket *w, unsigned code, struct slice reason)
{
    w->facts |= HEARD;
    if (!has(w, SAID) && (!has(w, HALF_OPEN) || has(w, RELEASED)))
        say_close(w, code, reason);
    if (has(w, SAID))
        finish(w);
    else
        update_reading(w);
    tell_closed(w, (uint16_t)code, true, reason);
}

static void on_error(struct websocket *w, int err)
{
    const bool is_told = has(w, TOLD | RELEASED);

    w->facts |= HEARD;
    if (has(w, SAID)) {
        finish(w);
        tell_closed(w, 1006, false, SLICE_NONE);
        return;
    }
    websocket__more(w)->failed = err;
    set_closing_time(w);
    update_reading(w);
    w->facts |= TOLD;
    if (!is_told)
        w->transport.ops->failed(w->transport.arg, err);
    if (w->stream && !has(w, SAID) && !w->more->is_patient)
        say_failure(w);
}

void websocket_be_patient(struct transport *t)
{
    websocket__more(of(t))->is_patient = true;
}

static void on_event(struct websocket *w, const struct ws_event *ev)
{
    switch (ev->type) {
    case WS_EVENT_DATA:
        on_piece(w, ev);
        break;
    case WS_EVENT_PING:
        on_ping(w, span_slice(ev->bytes));
        break;
    case WS_EVENT_PONG:
        on_pong(w, span_slice(ev->bytes));
        break;
    case WS_EVENT_CLOSE:
        on_close(w, ev->code, span_slice(ev->bytes));
        break;
    }
}

static bool is_decoding(const struct websocket *w)
{
    return w->stream && !has(w, HEARD) && has(w, READING | RELEASED);
}

/* Takes events off *in while there are any and somebody wants them. */
static void decode(struct websocket *w, struct span *in)
{
    const struct ws_rules rules = {has(w, CLIENT) ? WS_CLIENT : WS_SERVER,
                                   (uint32_t)websocket__wire_bytes(w, message_bytes(w)),
                                   w->in_bits ? 0x40 : 0};
    struct ws_event ev;
    int r;

    while (is_decoding(w)) {
        r = ws_next(&w->decoder, &rules, in, &ev);
        if (r == 0)
            return;
        if (r < 0)
            on_error(w, r);
        else
            on_event(w, &ev);
    }
}

static void keep(struct websocket *w, struct slice rest)
{
    int r;

    if (!w->stream || has(w, HEARD) || rest.n == 0)
        return;
    r = buf_add(&websocket__more(w)->kept, rest);
    assert(r == 0);
}

static void note_life(struct websocket *w)
{
    w->alive = units(loop_now(stream_loop(w->stream)));
}

static void on_data(void *arg, struct span in)
{
    struct websocket *w = arg;

    if (has(w, HEARD))
        return;
    note_life(w);
    if (has_kept(w)) {
        struct buf *kept = &w->more->kept;

        /* While the stream is read nothing is kept but the beginning of a frame. */
        assert(kept->n <= WS_KEEP_MAX && w->more->kept_at == 0);
        in.p -= kept->n;
        in.n += kept->n;
        memcpy(in.p, kept->p, kept->n);
        buf_done(kept);
    }
    decode(w, &in);
    keep(w, span_slice(in));
    trim(w);
}

/* After a pause: what was read before it comes first. The buffer is ours meanwhile: the owner may
 * end the websocket while it looks at a message in there. */
static void replay(void *arg)
{
    struct websocket *w = arg;
    struct buf kept;
    struct span in;

    w->facts &= ~(uint32_t)REPLAY_POSTED;
    if (!is_decoding(w) || !has_kept(w))
        return;
    kept = w->more->kept;
    in = (struct span){kept.p + w->more->kept_at, kept.n - w->more->kept_at};
    w->more->kept = (struct buf){.max = kept.max};
    w->more->kept_at = 0;
    decode(w, &in);
    if (is_decoding(w) || !w->stream || has(w, HEARD) || in.n == 0) {
        keep(w, span_slice(in)); /* the beginning of a frame at most */
        buf_done(&kept);
    } else {
        websocket__more(w)->kept = kept;
        w->more->kept_at = kept.n - in.n;
    }
    trim(w);
    if (is_decoding(w))
        stream_resume(w->stream);
}

static void post_replay(struct websocket *w)
{
    if (!has_kept(w) || has(w, REPLAY_POSTED))
        return;
    w->facts |= REPLAY_POSTED;
    loop_defer(stream_loop(w->stream), LOOP_READS, replay, w);
}

static void websocket_read(struct transport *t, bool on)
{
    struct websocket *w = of(t);

    if (has(w, READING) == on || !w->stream)
        return;
    w->facts ^= READING;
    if (on)
        post_replay(w);
    update_reading(w);
}

static void on_ended(void *arg)
{
    lose(arg);
}

static void on_lost(void *arg, int err)
{
    (void)err;
    lose(arg);
}

static void on_sent(void *arg, size_t pending)
{
    struct websocket *w = arg;

    push_pong(w);
    if (pending || has(w, PRESSED)) /* a full queue moves: the peer takes what we say */
        note_life(w);
    if (pending == 0 && has(w, PRESSED)) {
        w->facts &= ~(uint32_t)PRESSED;
        if (!has(w, SAID | RELEASED))
            w->transport.ops->drained(w->transport.arg);
    }
}

static const struct stream_ops facts_of_stream = {on_data, on_ended, on_sent, on_lost};

/* --- silent peers --- */

/* How many units a time is at least. */
static uint16_t at_least(uint32_t ms)
{
    return (uint16_t)(units(ms) + 1);
}

static void ask(struct websocket *w, uint16_t now)
{
    w->facts |= PINGED;
    /* The pong has all of its time, however late the round came by. */
    w->alive = (uint16_t)(now - at_least(w->options->ping_ms));
    pool__stats(w->options->pool)->pings++;
    (void)websocket_ping(&w->transport, SLICE_NONE);
}

void websocket__look(struct websocket *w, uint16_t now)
{
    const struct websocket_options *o = w->options;
    const uint16_t silent = (uint16_t)(now - w->alive), ping = at_least(o->ping_ms);

    if (o->ping_ms == 0 || has(w, SAID | HEARD))
        return;
    if (!is_decoding(w)) /* we do not listen: nobody can be heard */
        w->alive = now;
    if (!is_decoding(w) || silent < ping) {
        w->facts &= ~(uint32_t)PINGED;
    } else if (!has(w, PINGED)) {
        ask(w, now);
    } else if (silent >= ping + at_least(websocket_pong_ms(o))) {
        pool__stats(o->pool)->silent++;
        lose(w);
    }
}

/* --- life --- */

static void websocket_release(struct transport *t, bool at_once)
{
    struct websocket *w = of(t);

    assert(!has(w, RELEASED));
    w->facts |= RELEASED;
    if (!w->stream) {
        loop_defer(w->loop, LOOP_REAP, reap, w);
        return;
    }
    if (at_once) {
        drop_stream(w);
        return;
    }
    if (has_failed(w) && !has(w, SAID))
        say_failure(w);
    if (has(w, HEARD) && !has(w, SAID))
        say_close(w, 1005, SLICE_NONE);
    if (!has(w, SAID) || has(w, HEARD))
        finish(w);
    if (w->stream && w->options->released)
        list_add_tail(w->options->released, &websocket__more(w)->released);
    post_replay(w);
    update_reading(w);
}

void websocket_cut(struct list *released)
{
    while (!list_empty(released))
        drop_stream(LIST_ITEM(released->next, struct websocket__more, released)->websocket);
}

static const struct transport_kind kind = {websocket_send, websocket_close, websocket_read,
                                           websocket_pending, websocket_release};

struct transport *websocket_open(struct stream *take_stream, bool client, struct slice early,
                                 const struct websocket_options *o)
{
    struct websocket *w = mem_new(sizeof(*w));

    w->transport.kind = &kind;
    w->stream = take_stream;
    w->options = o;
    w->facts = client ? CLIENT : 0;
    w->index = WEBSOCKET__NOBODY;
    stream_attach(take_stream, &facts_of_stream, w);
    stream_bound(take_stream, 0);
    stream_pause(take_stream);
    if (o->pool)
        pool__add(o->pool, w);
    keep(w, early);
    return &w->transport;
}

void websocket_half_open(struct transport *t, bool on)
{
    struct websocket *w = of(t);

    w->facts = on ? w->facts | HALF_OPEN : w->facts & ~(uint32_t)HALF_OPEN;
}

struct stream *websocket_stream(const struct transport *t)
{
    return CONTAINER_OF(t, struct websocket, transport)->stream;
}
