#include "edge/woh_queue.h"

#include <assert.h>

/* In front of an event's content. Copied in and out: records are not aligned. */
struct record {
    uint32_t n; /* bytes of content */
    uint32_t type;
};

enum { KEEP_BYTES = 512 }; /* a buffer so small stays, for the next message */

static struct record record_at(const struct woh_queue *q, size_t at)
{
    struct record r;

    memcpy(&r, q->events.p + at, sizeof(r));
    return r;
}

void woh_queue_done(struct woh_queue *q)
{
    buf_done(&q->events);
    *q = (struct woh_queue){0};
}

void woh_queue_add(struct woh_queue *q, enum woh_type type, struct slice content)
{
    const struct record r = {(uint32_t)content.n, type};
    uint8_t *p;

    q->events.max = SIZE_MAX / 2;
    p = buf_reserve(&q->events, sizeof(r) + content.n);
    memcpy(p, &r, sizeof(r));
    if (content.n)
        memcpy(p + sizeof(r), content.p, content.n);
    buf_commit(&q->events, sizeof(r) + content.n);
    q->content += content.n;
    q->is_fresh = true;
}

size_t woh_queue_take(struct woh_queue *q, bool one)
{
    size_t at = 0;

    q->sent_content = q->sent_close = 0;
    q->has_close_sent = false;
    while (at < q->events.n) {
        const struct record r = record_at(q, at);

        if (at > 0 && (one || q->sent_content + r.n > WOH_QUEUE_BATCH))
            break;
        at += sizeof(r) + r.n;
        q->sent_content += r.n;
        q->has_close_sent = r.type == WOH_CLOSE;
        q->sent_close = q->has_close_sent ? r.n : 0;
    }
    q->sent = at;
    q->is_fresh = at < q->events.n;
    return MIN(q->replayed, q->sent_content);
}

void woh_queue_put(const struct woh_queue *q, struct buf *out)
{
    for (size_t at = 0; at < q->sent;) {
        const struct record r = record_at(q, at);
        const int e =
            woh_put(out, (enum woh_type)r.type, slice_make(q->events.p + at + sizeof(r), r.n));

        assert(e == 0);
        (void)e;
        at += sizeof(r) + r.n;
    }
}

/* Drops the first bytes of records; a small buffer is kept for what comes next. */
static void drop(struct woh_queue *q, size_t n)
{
    buf_consume(&q->events, n);
    if (q->events.n == 0 && q->events.cap > KEEP_BYTES)
        buf_done(&q->events);
}

/* The first record loses n bytes of its content. */
static void shorten(struct woh_queue *q, size_t n)
{
    struct record r = record_at(q, 0);

    assert(n < r.n);
    if (n == 0)
        return;
    r.n -= (uint32_t)n;
    buf_consume(&q->events, n);
    memcpy(q->events.p, &r, sizeof(r));
}

/* Takes n bytes of content off the front, and the empty events behind them. */
static void consume(struct woh_queue *q, size_t n)
{
    size_t at = 0, left = n;

    while (at < q->sent) {
        const struct record r = record_at(q, at);

        if (r.n > left)
            break;
        left -= r.n;
        at += sizeof(r) + r.n;
    }
    drop(q, at);
    if (left)
        shorten(q, left);
}

int woh_queue_accept(struct woh_queue *q, size_t n)
{
    const size_t offered = q->sent_content, data = offered - q->sent_close;
    const bool has_close = q->has_close_sent;
    const size_t taken = n == SIZE_MAX ? offered : n;

    if (taken > offered || (has_close && taken >= data && taken < offered))
        return -ERR_SYNTAX;
    if (taken == 0 && offered > 0 && woh_queue_is_full(q))
        return -ERR_TOO_LARGE;
    if (taken == offered)
        drop(q, q->sent);
    else
        consume(q, taken);
    q->content -= taken;
    q->replayed = MAX(q->replayed, offered) - taken;
    q->sent = q->sent_content = q->sent_close = 0;
    q->has_close_sent = false;
    return has_close && taken == offered ? WOH_ACCEPTED_CLOSE : WOH_ACCEPTED;
}
