#include "base/enc.h"

#include "base/err.h"
#include "base/utf8.h"

/* --- base64 --- */

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int base64_digit(uint8_t c, enum enc_base64 form)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (form == ENC_BASE64 ? '+' : '-'))
        return 62;
    return c == (form == ENC_BASE64 ? '/' : '_') ? 63 : -1;
}

static uint8_t *base64_quad(uint8_t *to, const uint8_t *from, const char *digits)
{
    const uint32_t v = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];

    for (int shift = 18; shift >= 0; shift -= 6)
        *to++ = (uint8_t)digits[v >> shift & 63];
    return to;
}

int enc_base64(struct buf *out, struct slice in, enum enc_base64 form)
{
    const char *digits = form == ENC_BASE64 ? standard : url_safe;
    const size_t whole = in.n / 3 * 3, rest = in.n - whole;
    const size_t tail = rest == 0 ? 0 : form == ENC_BASE64 ? 4 : rest + 1;
    uint8_t last[3] = {0}, quad[4], *to = buf_reserve(out, whole / 3 * 4 + tail);

    if (!to)
        return -ERR_TOO_LARGE;
    for (size_t i = 0; i < whole; i += 3)
        to = base64_quad(to, in.p + i, digits);
    if (rest) {
        memcpy(last, in.p + whole, rest);
        base64_quad(quad, last, digits);
        memset(quad + rest + 1, '=', 3 - rest);
        memcpy(to, quad, tail);
    }
    buf_commit(out, whole / 3 * 4 + tail);
    return 0;
}

/* in: digits only. A last group of 2 or 3 digits carries 1 or 2 bytes. */
static int base64_digits(struct buf *out, struct slice in, enum enc_base64 form, bool strict)
{
    const size_t rest = in.n % 4, n = in.n / 4 * 3 + (rest ? rest - 1 : 0);
    uint8_t *to;
    uint32_t v = 0;
    int d;

    if (rest == 1)
        return -ERR_SYNTAX;
    if (!(to = buf_reserve(out, n)))
        return -ERR_TOO_LARGE;
    for (size_t i = 0; i < in.n; i++) {
        if ((d = base64_digit(in.p[i], form)) < 0)
            return -ERR_SYNTAX;
        v = v << 6 | (uint32_t)d;
        if (i % 4 != 3)
            continue;
        *to++ = (uint8_t)(v >> 16);
        *to++ = (uint8_t)(v >> 8);
        *to++ = (uint8_t)v;
    }
    if (strict && ((rest == 2 && v & 0xf) || (rest == 3 && v & 3)))
        return -ERR_SYNTAX;
    if (rest == 2)
        *to = (uint8_t)(v >> 4);
    if (rest == 3) {
        *to++ = (uint8_t)(v >> 10);
        *to = (uint8_t)(v >> 2);
    }
    buf_commit(out, n);
    return 0;
}

static struct slice without_padding(struct slice s)
{
    for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
        s.n--;
    return s;
}

int enc_base64_decode(struct buf *out, struct slice in, enum enc_base64 form)
{
    if (form == ENC_BASE64 && in.n % 4 != 0)
        return -ERR_SYNTAX;
    return base64_digits(out, form == ENC_BASE64 ? without_padding(in) : in, form, true);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

int enc_base64_forgive(struct buf *out, struct slice in)
{
    CLEANUP(buf_done) struct buf dense = {.max = in.n};
    struct slice digits;

    for (size_t i = 0; i < in.n; i++)
        if (!is_space(in.p[i]))
            (void)buf_add_byte(&dense, in.p[i]);
    digits = buf_slice(&dense);
    if (digits.n % 4 == 0)
        digits = without_padding(digits);
    return base64_digits(out, digits, ENC_BASE64, false);
}

/* --- hex --- */

static const char hex_digits[] = "0123456789abcdef";

int enc_hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int enc_hex(struct buf *out, struct slice in)
{
    uint8_t *to = in.n > SIZE_MAX / 2 ? NULL : buf_reserve(out, in.n * 2);

    if (!to)
        return -ERR_TOO_LARGE;
    for (size_t i = 0; i < in.n; i++) {
        *to++ = (uint8_t)hex_digits[in.p[i] >> 4];
        *to++ = (uint8_t)hex_digits[in.p[i] & 15];
    }
    buf_commit(out, in.n * 2);
    return 0;
}

static int hex_byte(const uint8_t *p)
{
    const int high = enc_hex_digit(p[0]), low = enc_hex_digit(p[1]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int enc_hex_decode(struct buf *out, struct slice in)
{
    uint8_t *to = buf_reserve(out, in.n / 2);
    int v;

    if (in.n % 2)
        return -ERR_SYNTAX;
    if (!to)
        return -ERR_TOO_LARGE;
    for (size_t i = 0; i < in.n; i += 2) {
        if ((v = hex_byte(in.p + i)) < 0)
            return -ERR_SYNTAX;
        *to++ = (uint8_t)v;
    }
    buf_commit(out, in.n / 2);
    return 0;
}

/* --- percent --- */

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int enc_percent(struct buf *out, struct slice in, const char *keep)
{
    const size_t before = out->n;
    int r = 0;

    for (size_t i = 0; i < in.n && r == 0; i++) {
        const uint8_t c = in.p[i];

        if (is_unreserved(c) || (c && strchr(keep, c)))
            r = buf_add_byte(out, c);
        else
            r = buf_addf(out, "%%%02X", c);
    }
    if (r < 0)
        out->n = before;
    return r;
}

int enc_percent_decode(struct buf *out, struct slice in)
{
    const size_t before = out->n;
    int r = 0, v;

    for (size_t i = 0; i < in.n && r == 0; i++) {
        if (in.p[i] != '%')
            r = buf_add_byte(out, in.p[i]);
        else if (in.n - i < 3 || (v = hex_byte(in.p + i + 1)) < 0)
            r = -ERR_SYNTAX;
        else {
            r = buf_add_byte(out, (uint8_t)v);
            i += 2;
        }
    }
    if (r < 0)
        out->n = before;
    return r;
}

/* --- JSON --- */

/* Length of the character at the front of s, 0 when there is none that is valid. */
static size_t character(struct slice s)
{
    struct utf8 u = {0};

    for (size_t n = 1; n <= MIN(s.n, 4); n++) {
        if (!utf8_next(&u, slice_make(s.p + n - 1, 1)))
            return 0;
        if (utf8_is_complete(&u))
            return n;
    }
    return 0;
}

static int json_escape(struct buf *out, uint8_t c)
{
    switch (c) {
    case '"':
        return buf_add(out, SLICE("\\\""));
    case '\\':
        return buf_add(out, SLICE("\\\\"));
    case '\n':
        return buf_add(out, SLICE("\\n"));
    case '\r':
        return buf_add(out, SLICE("\\r"));
    case '\t':
        return buf_add(out, SLICE("\\t"));
    }
    return buf_addf(out, "\\u%04x", c);
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static int json_part(struct buf *out, struct slice *in)
{
    size_t n = 0;

    while (n < in->n && is_plain(in->p[n]))
        n++;
    if (n)
        return buf_add(out, slice_take(in, n));
    if (in->p[0] < 0x80)
        return json_escape(out, slice_take(in, 1).p[0]);
    n = character(*in);
    if (n)
        return buf_add(out, slice_take(in, n));
    (void)slice_take(in, 1);
    return buf_add(out, SLICE("\xef\xbf\xbd"));
}

int enc_json(struct buf *out, struct slice in)
{
    const size_t before = out->n;
    int r = buf_add_byte(out, '"');

    while (r == 0 && in.n)
        r = json_part(out, &in);
    if (r == 0)
        r = buf_add_byte(out, '"');
    if (r < 0)
        out->n = before;
    return r;
}
