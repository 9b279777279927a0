/* Text and bytes (encoding.js): the conversions that the engine has no words for. */
#include "api/api.h"
#include "api/modules.h"
#include "base/utf8.h"
#include "js/native.h"

/* The conversion reserves room for the worst case; what it did not need goes back. */
static struct span fit(struct span take_s)
{
    return (struct span){mem_grow(take_s.p, MAX(take_s.n, 1)), take_s.n};
}

static JSValueRef utf8_encode(const struct js_args *a)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    if (js_text_add(a->cx, a->v[0], &out) < 0)
        return js_throw(a, "TypeError", "not a string");
    return js_bytes_take(a->cx, fit(buf_take(&out)));
}

/* Bytes that are not UTF-8 become U+FFFD. */
static JSValueRef utf8_decode(const struct js_args *a)
{
    struct span s;

    return js_arg_bytes(a, 0, &s) ? js_string(a->cx, span_slice(s)) : NULL;
}

static JSValueRef is_utf8(const struct js_args *a)
{
    struct span s;

    return js_arg_bytes(a, 0, &s) ? js_bool(a->cx, utf8_is_valid(span_slice(s))) : NULL;
}

static JSValueRef latin1_decode(const struct js_args *a)
{
    struct span s;

    return js_arg_bytes(a, 0, &s) ? js_latin1(a->cx, span_slice(s)) : NULL;
}

/* Two bytes of UTF-8 that stand for U+0080 to U+00FF become one; false when there are others. */
static bool narrow(struct span *s)
{
    uint8_t *to = s->p;

    for (size_t i = 0; i < s->n; i++) {
        uint8_t c = s->p[i];

        if (c >= 0x80) {
            if ((c & 0xfe) != 0xc2)
                return false;
            c = (uint8_t)(c << 6 | (s->p[++i] & 0x3f));
        }
        *to++ = c;
    }
    s->n = (size_t)(to - s->p);
    return true;
}

/* The bytes of a string whose characters are all below U+0100, else null. */
static JSValueRef latin1_encode(const struct js_args *a)
{
    struct buf out;
    struct span s;

    buf_init(&out, SIZE_MAX);
    if (js_text_add(a->cx, a->v[0], &out) < 0)
        return js_throw(a, "TypeError", "not a string");
    s = buf_take(&out);
    if (narrow(&s))
        return js_bytes_take(a->cx, fit(s));
    mem_free(s.p);
    return js_null(a->cx);
}

const struct js_native api_encoding_natives[] = {
    {"utf8Encode", 1, utf8_encode},     {"utf8Decode", 1, utf8_decode},     {"isUtf8", 1, is_utf8},
    {"latin1Decode", 1, latin1_decode}, {"latin1Encode", 1, latin1_encode}, {0},
};
