/*
 * Frames (RFC 6455 5.2):
 *
 *    0               1               2               3
 *   +-+-+-+-+-------+-+-------------+-------------------------------+
 *   |F|R|R|R| opcode|M| length (7)  |  16 or 64 bits of length when |
 *   |I|S|S|S|  (4)  |A|             |  the 7 bits say 126 or 127    |
 *   |N|V|V|V|       |S|             |  then 4 bytes of mask if MASK |
 *   | |1|2|3|       |K|             |  then the payload             |
 *   +-+-+-+-+-------+-+-------------+-------------------------------+
 *
 * A data frame is taken header first, then payload as it comes (bit IN_FRAME). A control frame is
 * taken whole or not at all, so that its payload is in one piece.
 */
#include "wire/ws.h"

#include <assert.h>

enum bits {
    IN_FRAME = 1 << 0,
    FINAL = 1 << 1,    /* the frame is its message's last */
    REPORTED = 1 << 2, /* a piece of the message has been given out */
    COMPRESSED = 1 << 3,
    CLOSED = 1 << 4,
};

#define FIN_BIT 0x80
#define RSV_BITS 0x70
#define RSV1_BIT 0x40
#define MASK_BIT 0x80

static_assert(ERR_COUNT <= UINT8_MAX, "an error fits the decoder");
static_assert(sizeof(struct ws_decoder) == 16, "an idle connection stays small");

struct frame {
    unsigned op;
    unsigned rsv;
    bool is_final;
    uint64_t length;
    size_t header; /* bytes */
    const uint8_t *mask;
};

static bool is_control(unsigned op)
{
    return op >= WS_CLOSE;
}

static bool is_known(unsigned op)
{
    return op <= WS_BINARY || (op >= WS_CLOSE && op <= WS_PONG);
}

/* What the first two bytes tell. */
static int check(const struct ws_decoder *d, const struct ws_rules *rules, const struct frame *f)
{
    /* RFC 6455 5.2; RFC 7692 6.1: an extension's bit stands on the first frame of a message. */
    if (f->rsv & ~(unsigned)rules->rsv ||
        (f->rsv && (is_control(f->op) || f->op == WS_CONTINUATION)))
        return -ERR_WS_RSV;
    if (!is_known(f->op))
        return -ERR_WS_OPCODE;
    /* 5.5 */
    if (is_control(f->op) && (!f->is_final || f->length > WS_CONTROL_MAX))
        return -ERR_WS_CONTROL;
    /* 5.4 */
    if (f->op == WS_CONTINUATION && !d->op)
        return -ERR_WS_CONTINUATION;
    if ((f->op == WS_TEXT || f->op == WS_BINARY) && d->op)
        return -ERR_WS_INTERLEAVED;
    /* 5.1 */
    return (f->mask != NULL) == (rules->role == WS_SERVER) ? 0 : -ERR_WS_MASK;
}

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* The length in n bytes behind the first two; 5.2: the shortest form must be used. */
static int long_length(struct frame *f, const uint8_t *p, size_t n)
{
    f->length = big_endian(p, n);
    f->header += n;
    if (n == 2)
        return f->length < 126 ? -ERR_WS_LENGTH : 0;
    return f->length <= UINT16_MAX || f->length > INT64_MAX ? -ERR_WS_LENGTH : 0;
}

/* 1: *f is a header that may stand here; 0: hungry. */
static int parse_header(const struct ws_decoder *d, const struct ws_rules *rules, struct span in,
                        struct frame *f)
{
    size_t more;
    int r;

    if (in.n < 2)
        return 0;
    *f = (struct frame){
        .op = in.p[0] & 0x0f,
        .rsv = in.p[0] & RSV_BITS,
        .is_final = in.p[0] & FIN_BIT,
        .length = in.p[1] & 0x7f,
        .header = 2,
        .mask = in.p[1] & MASK_BIT ? in.p : NULL,
    };
    if ((r = check(d, rules, f)) < 0)
        return r;
    more = f->length == 126 ? 2 : f->length == 127 ? 8 : 0;
    if (in.n < f->header + more)
        return 0;
    if (more && (r = long_length(f, in.p + 2, more)) < 0)
        return r;
    if (!is_control(f->op) && f->length > rules->max - d->total)
        return -ERR_WS_TOO_LARGE;
    if (f->mask) {
        f->mask = in.p + f->header;
        f->header += 4;
    }
    return in.n >= f->header;
}

static struct span take(struct span *in, size_t n)
{
    const struct span front = {in->p, n};

    in->p += n;
    in->n -= n;
    return front;
}

/* --- control frames --- */

bool ws_is_close_code(unsigned code)
{
    if (code >= 3000)
        return code <= 4999;
    /* 7.4.1: 1004 to 1006 and 1015 never stand in a frame. */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

static int on_close(struct ws_decoder *d, struct ws_event *ev)
{
    d->bits |= CLOSED;
    ev->code = 1005;
    if (ev->bytes.n == 0)
        return 0;
    if (ev->bytes.n == 1)
        return -ERR_WS_CLOSE;
    ev->code = (uint16_t)big_endian(take(&ev->bytes, 2).p, 2);
    if (!ws_is_close_code(ev->code))
        return -ERR_WS_CLOSE;
    return utf8_is_valid(span_slice(ev->bytes)) ? 0 : -ERR_WS_UTF8;
}

static int next_control(struct ws_decoder *d, struct span *in, const struct frame *f,
                        struct ws_event *ret)
{
    struct ws_event ev = {.type = WS_EVENT_PING};
    int r = 0;

    if (in->n < f->header + f->length)
        return 0;
    (void)take(in, f->header);
    ev.bytes = take(in, f->length);
    if (f->mask)
        ws_mask(ev.bytes, f->mask, 0);
    if (f->op == WS_PONG)
        ev.type = WS_EVENT_PONG;
    if (f->op == WS_CLOSE) {
        ev.type = WS_EVENT_CLOSE;
        r = on_close(d, &ev);
    }
    if (r < 0)
        return r;
    *ret = ev;
    return (int)ev.type;
}

/* --- data frames --- */

static void begin_message(struct ws_decoder *d, const struct frame *f)
{
    d->op = (uint8_t)f->op;
    d->total = 0;
    d->utf8 = (struct utf8){0};
    d->bits = f->rsv & RSV1_BIT ? COMPRESSED : 0;
}

static void begin_frame(struct ws_decoder *d, struct span *in, const struct frame *f)
{
    if (f->op != WS_CONTINUATION)
        begin_message(d, f);
    d->bits &= (uint8_t)~FINAL;
    d->bits |= IN_FRAME | (f->is_final ? FINAL : 0);
    d->left = (uint32_t)f->length;
    if (f->mask)
        memcpy(d->mask, f->mask, 4);
    (void)take(in, f->header);
}

static void turn_mask(struct ws_decoder *d, size_t n)
{
    uint8_t old[4];

    memcpy(old, d->mask, 4);
    for (size_t i = 0; i < 4; i++)
        d->mask[i] = old[(i + n) & 3];
}

static bool is_text_fine(struct ws_decoder *d, struct slice piece, bool is_last)
{
    if (d->op != WS_TEXT || d->bits & COMPRESSED)
        return true;
    return utf8_next(&d->utf8, piece) && (!is_last || utf8_is_complete(&d->utf8));
}

static void end_frame(struct ws_decoder *d)
{
    if (d->bits & FINAL)
        *d = (struct ws_decoder){0};
    else
        d->bits &= (uint8_t)~IN_FRAME;
}

/* WS_EVENT_DATA; 0 when nothing is to be said: hungry, or the end of an empty fragment. */
static int next_piece(struct ws_decoder *d, const struct ws_rules *rules, struct span *in,
                      struct ws_event *ret)
{
    const size_t n = MIN(d->left, in->n);
    const bool is_end = n == d->left, is_last = is_end && d->bits & FINAL;
    const struct span bytes = take(in, n);

    if (n && rules->role == WS_SERVER) {
        ws_mask(bytes, d->mask, 0);
        turn_mask(d, n);
    }
    d->left -= (uint32_t)n;
    d->total += (uint32_t)n;
    if (!is_text_fine(d, span_slice(bytes), is_last))
        return -ERR_WS_UTF8;
    if (n || is_last)
        *ret = (struct ws_event){
            .type = WS_EVENT_DATA,
            .bytes = bytes,
            .is_first = !(d->bits & REPORTED),
            .is_last = is_last,
            .is_binary = d->op == WS_BINARY,
            .is_rsv1 = d->bits & COMPRESSED,
            .left = d->left,
        };
    if (n)
        d->bits |= REPORTED;
    if (is_end)
        end_frame(d);
    return n || is_last ? WS_EVENT_DATA : 0;
}

static int next_event(struct ws_decoder *d, const struct ws_rules *rules, struct span *in,
                      struct ws_event *ret)
{
    struct frame f;
    int r;

    for (;;) {
        if (d->bits & IN_FRAME) {
            r = next_piece(d, rules, in, ret);
            if (r != 0 || d->bits & IN_FRAME)
                return r;
        }
        if ((r = parse_header(d, rules, *in, &f)) <= 0)
            return r;
        if (is_control(f.op))
            return next_control(d, in, &f, ret);
        begin_frame(d, in, &f);
    }
}

int ws_next(struct ws_decoder *d, const struct ws_rules *rules, struct span *in,
            struct ws_event *ret_ev)
{
    int r;

    if (d->error)
        return -(int)d->error;
    if (d->bits & CLOSED) {
        (void)take(in, in->n);
        return 0;
    }
    r = next_event(d, rules, in, ret_ev);
    if (r < 0)
        d->error = (uint8_t)-r;
    return r;
}

bool ws_is_inside_message(const struct ws_decoder *d)
{
    return d->op != 0;
}

/* --- encoding --- */

/* Eight bytes at a time; the compiler makes vectors of it. */
void ws_mask(struct span bytes, const uint8_t mask[4], size_t at)
{
    uint8_t turned[8];
    uint64_t key, word;
    size_t i = 0;

    for (size_t k = 0; k < 8; k++)
        turned[k] = mask[(at + k) & 3];
    memcpy(&key, turned, 8);
    for (; i + 8 <= bytes.n; i += 8) {
        memcpy(&word, bytes.p + i, 8);
        word ^= key;
        memcpy(bytes.p + i, &word, 8);
    }
    for (; i < bytes.n; i++)
        bytes.p[i] ^= turned[i & 7];
}

static size_t put_length(uint8_t *to, uint64_t length)
{
    const size_t n = length < 126 ? 0 : length <= UINT16_MAX ? 2 : 8;

    to[0] = n == 0 ? (uint8_t)length : n == 2 ? 126 : 127;
    for (size_t i = 0; i < n; i++)
        to[1 + i] = (uint8_t)(length >> 8 * (n - 1 - i));
    return 1 + n;
}

/* Writes a final frame's header (op may carry reserved bits, e.g. WS_TEXT | 0x40) with the shortest
 * length; mask NULL for a server. Returns its length. */
static size_t put_header(uint8_t ret[WS_HEADER_MAX], unsigned op, uint64_t length,
                         const uint8_t *mask)
{
    size_t n = 1;

    ret[0] = (uint8_t)(FIN_BIT | op);
    n += put_length(ret + 1, length);
    if (!mask)
        return n;
    ret[1] |= MASK_BIT;
    memcpy(ret + n, mask, 4);
    return n + 4;
}

struct blob *ws_frame(unsigned op, struct slice payload, const uint8_t *mask)
{
    uint8_t header[WS_HEADER_MAX];
    const size_t n = put_header(header, op, payload.n, mask);
    struct blob *b = blob_new(n + payload.n);

    memcpy(b->p, header, n);
    if (payload.n)
        memcpy(b->p + n, payload.p, payload.n);
    if (mask)
        ws_mask((struct span){b->p + n, payload.n}, mask, 0);
    return b;
}

struct blob *ws_close_frame(unsigned code, struct slice reason, const uint8_t *mask)
{
    uint8_t payload[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t n = 0;

    if (code && code != 1005) {
        assert(ws_is_close_code(code));
        n = utf8_is_valid(reason) ? utf8_clip(reason, WS_REASON_MAX) : 0;
        if (n)
            memcpy(payload + 2, reason.p, n);
        n += 2;
    }
    return ws_frame(WS_CLOSE, slice_make(payload, n), mask);
}
