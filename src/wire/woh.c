#include "wire/woh.h"

#include <sys/types.h>

#include "base/enc.h"
#include "base/utf8.h"
#include "wire/ws.h"

static const char *const names[WOH_TYPES] = {
    [WOH_OPEN] = "OPEN",
    [WOH_TEXT] = "TEXT",
    [WOH_BINARY] = "BINARY",
    [WOH_PING] = "PING",
    [WOH_PONG] = "PONG",
    [WOH_CLOSE] = "CLOSE",
    [WOH_DISCONNECT] = "DISCONNECT",
};

/* --- reading --- */

static enum woh_type type_of(struct slice name)
{
    for (unsigned i = 1; i < WOH_TYPES; i++) {
        if (slice_eq(name, slice_str(names[i])))
            return i;
    }
    return 0;
}

/* 1*HEXDIG, at most 32 bits without its leading zeros. */
static bool length_of(struct slice digits, size_t *ret)
{
    uint64_t n = 0;

    for (size_t i = 0; i < digits.n; i++) {
        const int d = enc_hex_digit(digits.p[i]);

        if (d < 0 || (n = n << 4 | (unsigned)d) > UINT32_MAX)
            return false;
    }
    *ret = (size_t)n;
    return digits.n > 0;
}

/* Bytes of the first line without its CRLF; 0: hungry. A first line is never empty. */
static ssize_t line_of(struct slice in, bool last)
{
    const struct slice room = slice_sub(in, 0, WOH_LINE_MAX);
    const ptrdiff_t end = slice_find_slice(room, SLICE("\r\n"));

    if (end > 0)
        return end;
    return end == 0 || last || room.n == WOH_LINE_MAX ? -ERR_SYNTAX : 0;
}

/* Takes one event of any type; ret->type is 0 for an unknown one. */
static int take_event(struct slice *in, bool last, struct woh_event *ret)
{
    const ssize_t n = line_of(*in, last);
    const struct slice line = slice_sub(*in, 0, n > 0 ? (size_t)n : 0);
    const ptrdiff_t space = slice_find(line, ' ');
    size_t length = 0, all = line.n + 2;

    if (n <= 0)
        return (int)n;
    if (space >= 0) {
        if (!length_of(slice_sub(line, (size_t)space + 1, line.n), &length))
            return -ERR_SYNTAX;
        all += length + 2;
    }
    if (all > in->n && !last)
        return 0;
    ret->type = type_of(space < 0 ? line : slice_sub(line, 0, (size_t)space));
    ret->content = slice_sub(*in, line.n + 2, length);
    (void)slice_take(in, MIN(all, in->n));
    return 1;
}

int woh_next(struct slice *in, bool last, struct woh_event *ret)
{
    struct woh_event ev;

    while (in->n > 0) {
        const int r = take_event(in, last, &ev);

        if (r <= 0)
            return r;
        if (ev.type) {
            *ret = ev;
            return 1;
        }
    }
    return 0;
}

void woh_read_close(struct slice content, unsigned *ret_code, struct slice *ret_reason)
{
    const unsigned code = content.n < 2 ? 1000 : (unsigned)(content.p[0] << 8 | content.p[1]);
    const struct slice reason = slice_sub(content, 2, content.n);

    *ret_code = ws_is_close_code(code) ? code : 1000;
    *ret_reason =
        utf8_is_valid(reason) ? slice_sub(reason, 0, utf8_clip(reason, WS_REASON_MAX)) : SLICE_NONE;
}

/* --- writing --- */

struct slice woh_type_name(enum woh_type type)
{
    return slice_str(names[type]);
}

static size_t digits_of(size_t n)
{
    size_t digits = 1;

    while (n >>= 4)
        digits++;
    return digits;
}

size_t woh_size(enum woh_type type, size_t n)
{
    return strlen(names[type]) + 2 + (n > 0 ? 1 + digits_of(n) + n + 2 : 0);
}

static uint8_t *add(uint8_t *to, struct slice s)
{
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

static uint8_t *add_hex(uint8_t *to, size_t n)
{
    const size_t digits = digits_of(n);

    for (size_t i = digits; i > 0; i--, n >>= 4)
        to[i - 1] = (uint8_t) "0123456789abcdef"[n & 15];
    return to + digits;
}

/* Room for an event of n bytes of content, and its first line in it; NULL: it does not fit. */
static uint8_t *begin(struct buf *out, enum woh_type type, size_t n)
{
    uint8_t *to = buf_reserve(out, woh_size(type, n));

    if (!to)
        return NULL;
    to = add(to, woh_type_name(type));
    if (n > 0) {
        *to++ = ' ';
        to = add_hex(to, n);
    }
    return add(to, SLICE("\r\n"));
}

int woh_put(struct buf *out, enum woh_type type, struct slice content)
{
    uint8_t *to = begin(out, type, content.n);

    if (!to)
        return -ERR_TOO_LARGE;
    if (content.n > 0)
        (void)add(add(to, content), SLICE("\r\n"));
    buf_commit(out, woh_size(type, content.n));
    return 0;
}
