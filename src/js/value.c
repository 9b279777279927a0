#include "js/value.h"

#include "base/err.h"
#include "js/jsc.h"

/* Text up to this many bytes is converted on the stack. */
enum { STACK_TEXT = 4096 };

#define REPLACEMENT 0xfffd

JSValueRef js_undefined(JSContextRef cx)
{
    return JSValueMakeUndefined(cx);
}

JSValueRef js_null(JSContextRef cx)
{
    return JSValueMakeNull(cx);
}

JSValueRef js_bool(JSContextRef cx, bool b)
{
    return JSValueMakeBoolean(cx, b);
}

JSValueRef js_number(JSContextRef cx, double n)
{
    return JSValueMakeNumber(cx, n);
}

/* --- text into JavaScript --- */

/*
 * Most text is ASCII without NUL, and becomes a string of one byte a character: the engine does
 * everything with those faster.
 */
static bool is_plain(struct slice s)
{
    const uint64_t high = 0x8080808080808080u;
    const uint64_t ones = 0x0101010101010101u;
    uint64_t bad = 0;
    size_t i = 0;

    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;

        memcpy(&w, s.p + i, 8);
        bad |= (w | ((w - ones) & ~w)) & high; /* a byte over 127, or a NUL */
    }
    for (; i < s.n; i++)
        bad |= s.p[i] == 0 || s.p[i] >= 0x80;
    return bad == 0;
}

static JSStringRef plain_string(struct slice s)
{
    char small[STACK_TEXT];
    char *p = s.n < sizeof(small) ? small : mem_new(s.n + 1);
    JSStringRef made;

    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    made = JSStringCreateWithUTF8CString(p);
    if (p != small)
        mem_free(p);
    return made;
}

/*
 * One code point off the front of *s. A sequence that is cut short or not allowed gives U+FFFD for
 * its longest valid beginning (Unicode 3.9, WHATWG Encoding).
 */
static uint32_t next_code_point(struct slice *s)
{
    static const struct {
        uint8_t first, last, low, high, more;
    } leads[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2}, {0xe1, 0xec, 0x80, 0xbf, 2},
        {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2}, {0xf0, 0xf0, 0x90, 0xbf, 3},
        {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
    };
    const uint8_t lead = slice_take(s, 1).p[0];

    if (lead < 0x80)
        return lead;
    for (size_t i = 0; i < COUNT_OF(leads); i++) {
        uint32_t c = lead & (0x3fu >> leads[i].more);
        uint8_t low = leads[i].low;
        uint8_t high = leads[i].high;

        if (lead < leads[i].first || lead > leads[i].last)
            continue;
        for (int k = 0; k < leads[i].more; k++, low = 0x80, high = 0xbf) {
            if (s->n == 0 || s->p[0] < low || s->p[0] > high)
                return REPLACEMENT;
            c = c << 6 | (slice_take(s, 1).p[0] & 0x3fu);
        }
        return c;
    }
    return REPLACEMENT;
}

static size_t to_utf16(struct slice s, JSChar *out)
{
    size_t n = 0;

    while (s.n) {
        const uint32_t c = next_code_point(&s);

        if (c >= 0x10000) {
            out[n++] = (JSChar)(0xd7c0 + (c >> 10));
            out[n++] = (JSChar)(0xdc00 + (c & 0x3ff));
        } else {
            out[n++] = (JSChar)c;
        }
    }
    return n;
}

static size_t widen(struct slice s, JSChar *out)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i];
    return s.n;
}

/* No text has more UTF-16 units than bytes. */
static JSStringRef wide_string(struct slice s, size_t (*convert)(struct slice, JSChar *))
{
    JSChar small[STACK_TEXT / 2];
    JSChar *p = s.n <= COUNT_OF(small) ? small : mem_new(s.n * sizeof(*p));
    JSStringRef made = JSStringCreateWithCharacters(p, convert(s, p));

    if (p != small)
        mem_free(p);
    return made;
}

static JSValueRef string_value(JSContextRef cx, JSStringRef take_s)
{
    JSValueRef v = JSValueMakeString(cx, take_s);

    JSStringRelease(take_s);
    return v;
}

JSValueRef js_string(JSContextRef cx, struct slice utf8)
{
    return string_value(cx, is_plain(utf8) ? plain_string(utf8) : wide_string(utf8, to_utf16));
}

JSValueRef js_latin1(JSContextRef cx, struct slice bytes)
{
    return string_value(cx, is_plain(bytes) ? plain_string(bytes) : wide_string(bytes, widen));
}

/* --- text out of JavaScript --- */

static uint8_t *put_utf8(uint8_t *p, uint32_t c)
{
    if (c < 0x80) {
        *p++ = (uint8_t)c;
        return p;
    }
    if (c < 0x800) {
        *p++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *p++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *p++ = (uint8_t)(0xf0 | c >> 18);
            *p++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        }
        *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    }
    *p++ = (uint8_t)(0x80 | (c & 0x3f));
    return p;
}

/* Lone surrogates become U+FFFD; the engine's conversion stops there. At most 3 bytes a unit. */
static size_t to_utf8(const JSChar *u, size_t n, uint8_t *out)
{
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++) {
        uint32_t c = u[i];

        if ((c & 0xfc00) == 0xd800 && i + 1 < n && (u[i + 1] & 0xfc00) == 0xdc00)
            c = (c << 10) + u[++i] - ((0xd800u << 10) + 0xdc00u - 0x10000u);
        else if ((c & 0xf800) == 0xd800)
            c = REPLACEMENT;
        p = put_utf8(p, c);
    }
    return (size_t)(p - out);
}

/* Writes s and a NUL to out, which has room for 3 bytes a unit and one; returns the bytes before
 * it. */
static size_t write_utf8(JSStringRef s, size_t length, uint8_t *out)
{
    size_t n = JSStringGetUTF8CString(s, (char *)out, length * 3 + 1);

    if (n == length + 1) /* all ASCII */
        return length;
    n = to_utf8(JSStringGetCharactersPtr(s), length, out);
    out[n] = 0;
    return n;
}

static JSStringRef string_of(JSContextRef cx, JSValueRef v)
{
    return v && JSValueIsString(cx, v) ? JSValueToStringCopy(cx, v, NULL) : NULL;
}

bool js_text_get(JSContextRef cx, JSValueRef v, struct js_text *ret)
{
    JSStringRef s = string_of(cx, v);
    size_t length;
    char *p;

    if (!s)
        return false;
    length = JSStringGetLength(s);
    ret->heap = length * 3 + 1 > sizeof(ret->small) ? mem_new(length * 3 + 1) : NULL;
    p = ret->heap ? ret->heap : ret->small;
    ret->s = slice_make(p, write_utf8(s, length, (uint8_t *)p));
    JSStringRelease(s);
    return true;
}

void js_text_done(struct js_text *t)
{
    mem_free(t->heap);
    t->heap = NULL;
    t->s = SLICE_NONE;
}

int js_text_add(JSContextRef cx, JSValueRef v, struct buf *out)
{
    JSStringRef s = string_of(cx, v);
    size_t length;
    uint8_t *p;
    int r = 0;

    if (!s)
        return -ERR_SYNTAX;
    length = JSStringGetLength(s);
    p = buf_reserve(out, length * 3 + 1);
    if (p) {
        buf_commit(out, write_utf8(s, length, p));
    } else {
        /* It may fit all the same: three bytes a unit is the most that it can take. */
        p = mem_new(length * 3 + 1);
        r = buf_add(out, slice_make(p, write_utf8(s, length, p)));
        mem_free(p);
    }
    JSStringRelease(s);
    return r;
}

int js_latin1_add(JSContextRef cx, JSValueRef v, struct buf *out)
{
    JSStringRef s = string_of(cx, v);
    size_t length;
    uint8_t *p;

    if (!s)
        return -ERR_SYNTAX;
    length = JSStringGetLength(s);
    p = buf_reserve(out, length * 3 + 1);
    if (p && JSStringGetUTF8CString(s, (char *)p, length * 3 + 1) != length + 1) {
        const JSChar *u = JSStringGetCharactersPtr(s);

        for (size_t i = 0; i < length; i++)
            p[i] = (uint8_t)u[i];
    }
    JSStringRelease(s);
    if (!p)
        return -ERR_TOO_LARGE;
    buf_commit(out, length);
    return 0;
}

/* --- bytes --- */

/* Any thread. */
static void on_bytes_freed(void *bytes, void *arg)
{
    (void)arg;
    mem_free(bytes);
}

static struct span copy_of(struct slice s)
{
    struct span copy = {mem_new(MAX(s.n, 1)), s.n};

    if (s.n)
        memcpy(copy.p, s.p, s.n);
    return copy;
}

/* The engine wants an address even for no bytes. */
static struct span with_address(struct span s)
{
    return s.p ? s : (struct span){mem_new(1), 0};
}

JSValueRef js_bytes_take(JSContextRef cx, struct span take_s)
{
    const struct span s = with_address(take_s);

    return JSObjectMakeTypedArrayWithBytesNoCopy(cx, kJSTypedArrayTypeUint8Array, s.p, s.n,
                                                 on_bytes_freed, NULL, NULL);
}

JSValueRef js_buffer_take(JSContextRef cx, struct span take_s)
{
    const struct span s = with_address(take_s);

    return JSObjectMakeArrayBufferWithBytesNoCopy(cx, s.p, s.n, on_bytes_freed, NULL, NULL);
}

JSValueRef js_bytes(JSContextRef cx, struct slice s)
{
    return js_bytes_take(cx, copy_of(s));
}

JSValueRef js_buffer(JSContextRef cx, struct slice s)
{
    return js_buffer_take(cx, copy_of(s));
}

/* Any thread. */
static void on_borrowed_freed(void *bytes, void *arg)
{
    (void)bytes;
    (void)arg;
}

JSValueRef js_doubles(JSContextRef cx, double *borrowed, size_t n)
{
    return JSObjectMakeTypedArrayWithBytesNoCopy(cx, kJSTypedArrayTypeFloat64Array, borrowed,
                                                 n * sizeof(*borrowed), on_borrowed_freed, NULL,
                                                 NULL);
}

bool js_bytes_get(JSContextRef cx, JSValueRef v, struct span *ret)
{
    JSObjectRef o;
    JSTypedArrayType type;

    if (!v || !JSValueIsObject(cx, v))
        return false;
    type = JSValueGetTypedArrayType(cx, v, NULL);
    o = (JSObjectRef)v;
    if (type == kJSTypedArrayTypeNone)
        return false;
    if (type == kJSTypedArrayTypeArrayBuffer) {
        *ret = (struct span){JSObjectGetArrayBufferBytesPtr(cx, o, NULL),
                             JSObjectGetArrayBufferByteLength(cx, o, NULL)};
        return true;
    }
    *ret = (struct span){JSObjectGetTypedArrayBytesPtr(cx, o, NULL),
                         JSObjectGetTypedArrayByteLength(cx, o, NULL)};
    if (ret->p)
        ret->p +=
            JSObjectGetTypedArrayByteOffset(cx, o, NULL); /* it points to the buffer's start */
    return true;
}

/* --- objects --- */

JSObjectRef js_object(JSContextRef cx)
{
    return JSObjectMake(cx, NULL, NULL);
}

void js_set(JSContextRef cx, JSObjectRef o, const char *name, JSValueRef v)
{
    JSStringRef key = JSStringCreateWithUTF8CString(name);

    JSObjectSetProperty(cx, o, key, v, kJSPropertyAttributeNone, NULL);
    JSStringRelease(key);
}

JSValueRef js_get(JSContextRef cx, JSValueRef o, const char *name)
{
    JSValueRef exception = NULL;
    JSStringRef key;
    JSValueRef v;

    if (!JSValueIsObject(cx, o))
        return NULL;
    key = JSStringCreateWithUTF8CString(name);
    v = JSObjectGetProperty(cx, (JSObjectRef)o, key, &exception);
    JSStringRelease(key);
    return exception ? NULL : v;
}

JSValueRef js_array(JSContextRef cx, size_t n, const JSValueRef *v)
{
    return JSObjectMakeArray(cx, n, v, NULL);
}
