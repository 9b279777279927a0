/*
 * The decoder: finds where a head ends, then lets the body through.
 *
 *   HEAD ──► (no body) ───────────────► DONE ─────────────────► (END) HEAD
 *     ├────► LENGTH ──────────────────► DONE ─────────────────► (END) HEAD
 *     ├────► UNTIL_CLOSE ── http1_eof ────────────────────────► (END) HEAD
 *     └────► SIZE ► DIGITS ► BLANK ► EXT ► SIZE_LF ─┬─► DATA ► DATA_CR ► DATA_LF ► SIZE
 *                                                   └─► TRAILER ► NAME ► VALUE ► VALUE_LF ► TRAILER
 *                                                          └─► LAST_LF ► DONE
 *   any ───► FAILED
 *
 * Chunk framing and trailers are read byte by byte: they are few, and so nothing needs to be kept
 * when they are cut. Trailers are checked and dropped.
 */
#include "wire/http1.h"

#include <assert.h>

#include "base/enc.h"
#include "wire/http1_int.h"

enum state {
    HEAD,
    LENGTH,
    UNTIL_CLOSE,
    SIZE,
    DIGITS,
    BLANK,
    EXT,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    NAME,
    VALUE,
    VALUE_LF,
    LAST_LF,
    DONE,
    FAILED,
};

void http1_init(struct http1_decoder *d, enum http1_side side, const struct http1_limits *limits)
{
    assert(limits->fields <= HTTP1_FIELDS_MAX);
    *d = (struct http1_decoder){.limits = limits, .side = (uint8_t)side};
}

void http1_expect_head_answer(struct http1_decoder *d)
{
    d->is_answer_to_head = true;
}

bool http1_is_idle(const struct http1_decoder *d)
{
    return d->state == HEAD && d->scanned == 0;
}

static int fail(struct http1_decoder *d, int err)
{
    d->state = FAILED;
    d->error = (int16_t)err;
    return err;
}

static void begin(struct http1_decoder *d)
{
    *d = (struct http1_decoder){.limits = d->limits, .side = d->side};
}

/* --- the head --- */

static int check_size(const struct http1_decoder *d, size_t end)
{
    if (d->first == 0)
        return end > d->limits->line ? -ERR_HTTP_URI_LONG : 0;
    return end - d->first > d->limits->headers ? -ERR_HTTP_HEADERS_LARGE : 0;
}

/* Refuses what cannot become a message at its first byte: TLS on a plain port, binary noise. */
static int check_first_byte(const struct http1_decoder *d, uint8_t c)
{
    const bool fits = d->side == HTTP1_REQUESTS ? http1__is(c, HTTP1__TCHAR) : c == 'H';

    return fits ? 0 : c == '\n' ? -ERR_HTTP_EOL : -ERR_HTTP_LINE;
}

/* RFC 9112 2.2: one empty line before a request is forgiven. 1: go on; 0: hungry. */
static int skip_blank_line(struct http1_decoder *d, struct slice *in)
{
    if (in->n == 0)
        return 0;
    if (in->p[0] == '\r' && d->side == HTTP1_REQUESTS && !d->is_blank_skipped) {
        if (in->n < 2)
            return 0;
        if (in->p[1] != '\n')
            return -ERR_HTTP_EOL;
        (void)slice_take(in, 2);
        d->is_blank_skipped = true;
    }
    return in->n > 0;
}

/* 1: the head is in the first *ret_n bytes. 0: hungry. Goes on where it stopped the last time. */
static int find_end(struct http1_decoder *d, struct slice in, size_t *ret_n)
{
    for (;;) {
        const struct slice rest = slice_sub(in, d->scanned, in.n);
        const ptrdiff_t lf = slice_find(rest, '\n');
        const size_t end = lf < 0 ? in.n : d->scanned + (size_t)lf + 1;
        const int r = check_size(d, end);

        if (r < 0)
            return r;
        d->scanned = (uint32_t)end;
        if (lf < 0)
            return 0;
        if (end - d->line < 2 || in.p[end - 2] != '\r')
            return -ERR_HTTP_EOL;
        if (end - d->line == 2) {
            *ret_n = end;
            return 1;
        }
        d->line = (uint32_t)end;
        if (d->first == 0)
            d->first = d->line;
    }
}

static bool is_interim(const struct http1_decoder *d, const struct http1_head *h)
{
    return d->side == HTTP1_RESPONSES && h->status < 200 && h->status != 101;
}

static enum state body_state(enum http1_body body)
{
    switch (body) {
    case HTTP1_BODY_NONE:
        break;
    case HTTP1_BODY_LENGTH:
        return LENGTH;
    case HTTP1_BODY_CHUNKED:
        return SIZE;
    case HTTP1_BODY_CLOSE:
        return UNTIL_CLOSE;
    }
    return DONE;
}

static int on_head(struct http1_decoder *d, struct slice bytes, struct http1_head *ret)
{
    const bool is_answer_to_head = d->is_answer_to_head;
    const int r = http1__parse(d, bytes, ret);

    if (r < 0)
        return r;
    begin(d);
    if (is_interim(d, ret)) {
        d->is_answer_to_head = is_answer_to_head;
        return HTTP1_HEAD;
    }
    d->state = (uint8_t)body_state(ret->body);
    d->left = ret->body == HTTP1_BODY_LENGTH ? ret->length : 0;
    return HTTP1_HEAD;
}

static int next_head(struct http1_decoder *d, struct slice *in, struct http1_head *ret)
{
    size_t n;
    int r;

    if (d->scanned == 0) {
        if ((r = skip_blank_line(d, in)) <= 0 || (r = check_first_byte(d, in->p[0])) < 0)
            return r;
    }
    if ((r = find_end(d, *in, &n)) <= 0)
        return r;
    return on_head(d, slice_take(in, n), ret);
}

/* --- the body --- */

static int count_extra(struct http1_decoder *d, int err)
{
    return ++d->extra > d->limits->headers ? err : 0;
}

/* RFC 9112 7.1. Sixteen digits are 64 bits; more would overflow whatever they say. */
static int on_digit(struct http1_decoder *d, uint8_t c)
{
    const int digit = enc_hex_digit(c);

    if (digit < 0 || ++d->line > 16)
        return -ERR_HTTP_CHUNK;
    d->left = d->left << 4 | (uint64_t)digit;
    d->state = DIGITS;
    return 0;
}

static int on_size_end(struct http1_decoder *d, uint8_t c)
{
    if (c == '\r')
        d->state = SIZE_LF;
    else if (c == ';')
        d->state = EXT;
    else if (c == ' ' || c == '\t')
        d->state = BLANK;
    else
        return c == '\n' ? -ERR_HTTP_EOL : -ERR_HTTP_CHUNK;
    return 0;
}

static int on_blank(struct http1_decoder *d, uint8_t c)
{
    /* Blanks may stand before an extension's semicolon, not before the end of the line. */
    if (c == ';')
        d->state = EXT;
    else if (c != ' ' && c != '\t')
        return -ERR_HTTP_CHUNK;
    return count_extra(d, -ERR_HTTP_CHUNK);
}

static int on_ext(struct http1_decoder *d, uint8_t c)
{
    if (c == '\r')
        d->state = SIZE_LF;
    else if (!http1__is(c, HTTP1__VALUE))
        return c == '\n' ? -ERR_HTTP_EOL : -ERR_HTTP_CHUNK;
    return count_extra(d, -ERR_HTTP_CHUNK);
}

static int on_size_lf(struct http1_decoder *d, uint8_t c)
{
    if (c != '\n')
        return -ERR_HTTP_EOL;
    d->line = 0;
    if (d->left > d->limits->body - d->received)
        return -ERR_HTTP_BODY_LARGE;
    d->received += d->left;
    d->state = d->left ? DATA : TRAILER;
    return 0;
}

static int expect_byte(struct http1_decoder *d, uint8_t c, uint8_t want, enum state next, int err)
{
    if (c != want)
        return err;
    d->state = (uint8_t)next;
    return 0;
}

static int on_trailer(struct http1_decoder *d, uint8_t c)
{
    if (c == '\r')
        d->state = LAST_LF;
    else if (http1__is(c, HTTP1__TCHAR))
        d->state = NAME;
    else if (c == ' ' || c == '\t')
        return -ERR_HTTP_FOLD;
    else
        return c == '\n' ? -ERR_HTTP_EOL : -ERR_HTTP_NAME;
    return count_extra(d, -ERR_HTTP_HEADERS_LARGE);
}

static int on_trailer_name(struct http1_decoder *d, uint8_t c)
{
    if (c == ':')
        d->state = VALUE;
    else if (c == ' ' || c == '\t')
        return -ERR_HTTP_NAME_SPACE;
    else if (!http1__is(c, HTTP1__TCHAR))
        return -ERR_HTTP_NAME;
    return count_extra(d, -ERR_HTTP_HEADERS_LARGE);
}

static int on_trailer_value(struct http1_decoder *d, uint8_t c)
{
    if (c == '\r')
        d->state = VALUE_LF;
    else if (!http1__is(c, HTTP1__VALUE))
        return c == '\n' ? -ERR_HTTP_EOL : -ERR_HTTP_VALUE;
    return count_extra(d, -ERR_HTTP_HEADERS_LARGE);
}

static int on_framing(struct http1_decoder *d, uint8_t c)
{
    switch ((enum state)d->state) {
    case SIZE:
        return on_digit(d, c);
    case DIGITS:
        return enc_hex_digit(c) >= 0 ? on_digit(d, c) : on_size_end(d, c);
    case BLANK:
        return on_blank(d, c);
    case EXT:
        return on_ext(d, c);
    case SIZE_LF:
        return on_size_lf(d, c);
    case DATA_CR:
        return expect_byte(d, c, '\r', DATA_LF, -ERR_HTTP_CHUNK);
    case DATA_LF:
        return expect_byte(d, c, '\n', SIZE, -ERR_HTTP_CHUNK);
    case TRAILER:
        return on_trailer(d, c);
    case NAME:
        return on_trailer_name(d, c);
    case VALUE:
        return on_trailer_value(d, c);
    case VALUE_LF:
        return expect_byte(d, c, '\n', TRAILER, -ERR_HTTP_EOL);
    case LAST_LF:
        return expect_byte(d, c, '\n', DONE, -ERR_HTTP_EOL);
    case HEAD:
    case LENGTH:
    case UNTIL_CLOSE:
    case DATA:
    case DONE:
    case FAILED:
        break;
    }
    assert(!"not a state of framing");
    return -ERR_INTERNAL;
}

/* A piece of what is left; then on to `next`. */
static int take_piece(struct http1_decoder *d, struct slice *in, enum state next, struct slice *ret)
{
    const size_t n = MIN(in->n, d->left);

    if (n == 0)
        return 0;
    *ret = slice_take(in, n);
    d->left -= n;
    if (d->left == 0)
        d->state = (uint8_t)next;
    return HTTP1_BODY;
}

static int take_until_close(struct http1_decoder *d, struct slice *in, struct slice *ret)
{
    const size_t n = MIN(in->n, d->limits->body - d->received);

    if (in->n == 0)
        return 0;
    if (n == 0)
        return -ERR_HTTP_BODY_LARGE;
    d->received += n;
    *ret = slice_take(in, n);
    return HTTP1_BODY;
}

static int skip_framing(struct http1_decoder *d, struct slice *in)
{
    int r = 0;

    while (in->n && r == 0 && d->state != DATA && d->state != DONE)
        r = on_framing(d, slice_take(in, 1).p[0]);
    return r;
}

static int next_body(struct http1_decoder *d, struct slice *in, struct slice *ret)
{
    int r;

    if (d->state == LENGTH)
        return take_piece(d, in, DONE, ret);
    if (d->state == UNTIL_CLOSE)
        return take_until_close(d, in, ret);
    if ((r = skip_framing(d, in)) < 0)
        return r;
    if (d->state == DATA)
        return take_piece(d, in, DATA_CR, ret);
    if (d->state != DONE)
        return 0;
    begin(d);
    return HTTP1_END;
}

int http1_next(struct http1_decoder *d, struct slice *in, struct http1_head *ret_head,
               struct slice *ret_bytes)
{
    int r;

    if (d->state == FAILED)
        return d->error;
    r = d->state == HEAD ? next_head(d, in, ret_head) : next_body(d, in, ret_bytes);
    return r < 0 ? fail(d, r) : r;
}

int http1_eof(struct http1_decoder *d, struct slice rest)
{
    if (d->state == FAILED)
        return d->error;
    if (d->state == HEAD && d->scanned == 0 && rest.n == 0)
        return 0;
    if (d->state != UNTIL_CLOSE && d->state != DONE)
        return fail(d, -ERR_RESET);
    begin(d);
    return HTTP1_END;
}
