/* What an HTTP/1.1 decoder hears, as text: one line an event, the pieces of a body joined. */
#ifndef TEST_LIB_HEAR_HTTP1_H
#define TEST_LIB_HEAR_HTTP1_H

#include <inttypes.h>

#include "lib/cuts.h"
#include "wire/http1.h"

static inline void http1_tell_head(struct buf *out, enum http1_side side,
                                   const struct http1_head *h)
{
    static const char *const forms[] = {"origin", "absolute", "authority", "asterisk"};
    static const char *const bodies[] = {"none", "length", "chunked", "close"};

    if (side == HTTP1_REQUESTS)
        (void)buf_addf(out, "%.*s %s [%.*s] [%.*s]%s", SLICE_FMT(h->method), forms[h->form],
                       SLICE_FMT(h->authority), SLICE_FMT(h->path), h->is_https ? " https" : "");
    else
        (void)buf_addf(out, "%u [%.*s]", h->status, SLICE_FMT(h->reason));
    (void)buf_addf(out, " 1.%u body=%s", h->minor, bodies[h->body]);
    if (h->length)
        (void)buf_addf(out, ":%" PRIu64, h->length);
    (void)buf_addf(out, "%s%s", h->keep_alive ? " keep" : " close",
                   h->expects_continue ? " expect" : "");
    if (h->upgrade.n)
        (void)buf_addf(out, " upgrade=%.*s", SLICE_FMT(h->upgrade));
    for (uint32_t i = 0; i < h->count; i++)
        (void)buf_addf(out, " {%.*s=%.*s}", SLICE_FMT(h->fields[i].name),
                       SLICE_FMT(h->fields[i].value));
    (void)buf_addf(out, "\n");
}

static inline void http1_tell_body(struct buf *out, struct buf *body)
{
    if (body->n == 0)
        return;
    (void)buf_add(out, SLICE("body "));
    (void)buf_add(out, buf_slice(body));
    (void)buf_add(out, SLICE("\n"));
    buf_clear(body);
}

/*
 * Appends to out: heads, "body BYTES", "end", and at last "error LABEL", or what http1_eof says.
 * Returns how many body bytes were heard.
 */
static inline uint64_t http1_hear(struct buf *out, enum http1_side side, bool to_head,
                                  const struct http1_limits *limits, struct slice wire,
                                  struct cuts cuts)
{
    CLEANUP(buf_done) struct buf body = {.max = SIZE_MAX};
    struct http1_decoder d;
    static struct http1_head head;
    struct slice in = {wire.p, 0}, piece;
    uint64_t total = 0;
    size_t given = 0;
    int r;

    http1_init(&d, side, limits);
    if (to_head)
        http1_expect_head_answer(&d);
    for (;;) {
        r = http1_next(&d, &in, &head, &piece);
        if (r == HTTP1_BODY) {
            (void)buf_add(&body, piece);
            total += piece.n;
            continue;
        }
        if (r != 0)
            http1_tell_body(out, &body);
        if (r == HTTP1_HEAD)
            http1_tell_head(out, side, &head);
        else if (r == HTTP1_END)
            (void)buf_add(out, SLICE("end\n"));
        else if (r < 0 || given == wire.n)
            break;
        else { /* the bytes not taken stay in front of the next ones */
            const size_t n = cuts_take(&cuts, given, wire.n - given);

            given += n;
            in.n += n;
        }
    }
    if (r == 0) {
        r = http1_eof(&d, in);
        http1_tell_body(out, &body);
    }
    (void)buf_addf(out, "%s\n", r == HTTP1_END ? "end" : r < 0 ? err_label(r) : "idle");
    return total;
}

#endif
