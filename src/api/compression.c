/*
 * zlib streams for CompressionStream and DecompressionStream (streams.js).
 *
 *   handle = compressor('gzip')     feed(handle, bytes, last)     drain(handle) → bytes, …, null
 *
 * drain gives at most PIECE bytes a call, so that a small input that expands a thousandfold never
 * sits in memory whole on our side.
 */
#include <zlib.h>

#include "api/api.h"
#include "api/modules.h"
#include "js/native.h"

enum { PIECE = 64 << 10, GZIP = 16 };

struct codec {
    z_stream z;
    struct buf input;
    size_t at; /* so much of input is consumed */
    bool inflates;
    bool last;  /* no more input will come */
    bool ended; /* the format's end has been written or seen */
};

static void codec_free(void *body)
{
    struct codec *c = body;

    if (c->inflates)
        (void)inflateEnd(&c->z);
    else
        (void)deflateEnd(&c->z);
    buf_done(&c->input);
    mem_free(c);
}

static const struct js_kind codec_kind = {"compression stream", codec_free};

/* zlib's window bits: negative for raw deflate, plus 16 for gzip. 0: unknown format. */
static int window_bits(struct slice format)
{
    if (slice_eq(format, SLICE("gzip")))
        return MAX_WBITS + GZIP;
    if (slice_eq(format, SLICE("deflate")))
        return MAX_WBITS;
    return slice_eq(format, SLICE("deflate-raw")) ? -MAX_WBITS : 0;
}

static JSValueRef open_codec(const struct js_args *a, bool inflates)
{
    struct js_text format;
    struct codec *c;
    int bits;
    int r;

    if (!js_arg_text(a, 0, &format))
        return NULL;
    bits = window_bits(format.s);
    js_text_done(&format);
    if (!bits)
        return js_throw(a, "TypeError", "unknown compression format");
    c = mem_new(sizeof(*c));
    c->inflates = inflates;
    buf_init(&c->input, SIZE_MAX);
    r = inflates
            ? inflateInit2(&c->z, bits)
            : deflateInit2(&c->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
    if (r == Z_OK)
        return js_handle(a->vm, &codec_kind, c);
    mem_free(c);
    return js_throw(a, "Error", "no memory for a compression stream");
}

static JSValueRef compressor(const struct js_args *a)
{
    return open_codec(a, false);
}

static JSValueRef decompressor(const struct js_args *a)
{
    return open_codec(a, true);
}

static JSValueRef feed(const struct js_args *a)
{
    struct codec *c = js_arg_handle(a, 0, &codec_kind);
    struct span bytes;

    if (!c || !js_arg_bytes(a, 1, &bytes))
        return NULL;
    if (c->ended && bytes.n)
        return js_throw(a, "TypeError", "Trailing bytes after end of compressed data");
    buf_consume(&c->input, c->at);
    c->at = 0;
    (void)buf_add(&c->input, span_slice(bytes));
    c->last = js_arg_bool(a, 2);
    return NULL;
}

static struct slice waiting(const struct codec *c)
{
    return slice_sub(buf_slice(&c->input), c->at, SIZE_MAX);
}

/* One step into out: consumes input, sets ended. Z_OK, or zlib's error. */
static int step(struct codec *c, struct span out, size_t *ret_made)
{
    const struct slice in = waiting(c);
    const uInt fed = (uInt)MIN(in.n, UINT32_MAX);
    int r;

    c->z.next_in = (Bytef *)in.p;
    c->z.avail_in = fed;
    c->z.next_out = out.p;
    c->z.avail_out = (uInt)out.n;
    r = c->inflates ? inflate(&c->z, Z_NO_FLUSH)
                    : deflate(&c->z, c->last && fed == in.n ? Z_FINISH : Z_NO_FLUSH);
    c->at += fed - c->z.avail_in;
    *ret_made = out.n - c->z.avail_out;
    c->ended = r == Z_STREAM_END;
    return r == Z_STREAM_END || r == Z_BUF_ERROR ? Z_OK : r;
}

static const char *complaint(const struct codec *c, int r)
{
    if (r != Z_OK)
        return "Decompression failed.";
    if (!c->inflates)
        return NULL;
    if (c->ended && waiting(c).n)
        return "Trailing bytes after end of compressed data";
    return NULL;
}

static JSValueRef drain(const struct js_args *a)
{
    struct codec *c = js_arg_handle(a, 0, &codec_kind);
    uint8_t out[PIECE];
    const char *text;
    size_t made;

    if (!c)
        return NULL;
    if (c->ended)
        return js_null(a->cx);
    text = complaint(c, step(c, (struct span){out, sizeof(out)}, &made));
    if (text)
        return js_throw(a, "TypeError", "%s", text);
    if (made)
        return js_bytes(a->cx, slice_make(out, made));
    if (c->inflates && c->last && !c->ended)
        return js_throw(a, "TypeError",
                        "Called close() on a decompression stream with incomplete data");
    return js_null(a->cx);
}

static JSValueRef close_codec(const struct js_args *a)
{
    js_handle_close(a->vm, a->v[0], &codec_kind);
    return NULL;
}

const struct js_native api_compression_natives[] = {
    {"compressor", 1, compressor}, {"decompressor", 1, decompressor}, {"feed", 2, feed},
    {"drain", 1, drain},           {"close", 1, close_codec},         {0},
};
