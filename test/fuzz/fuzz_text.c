/*
 * Bytes as text: base64, hex, percent, JSON strings, UTF-8, header fields. Byte 0 chooses which,
 * byte 1 a cut; the rest is what is read. What was encoded is decoded to the same; what a strict
 * decoder takes is what its encoder writes; UTF-8 is the same at every cut; fields that are read
 * and written again are read again.
 */
#include <stdlib.h>

#include "base/enc.h"
#include "base/utf8.h"
#include "wire/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ROOM = 1 << 20 };

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void check_base64(struct slice in, enum enc_base64 form)
{
    CLEANUP(buf_done) struct buf text = {.max = ROOM}, back = {.max = ROOM};

    expect(enc_base64(&text, in, form) == 0 &&
           enc_base64_decode(&back, buf_slice(&text), form) == 0);
    expect(slice_eq(buf_slice(&back), in));
    buf_clear(&text);
    buf_clear(&back);
    if (enc_base64_decode(&back, in, form) == 0)
        expect(enc_base64(&text, buf_slice(&back), form) == 0 && slice_eq(buf_slice(&text), in));
    buf_clear(&text);
    if (enc_base64_forgive(&text, in) < 0)
        expect(text.n == 0);
    else
        expect(text.n <= in.n / 4 * 3 + 3);
}

static void check_hex(struct slice in)
{
    CLEANUP(buf_done) struct buf text = {.max = ROOM}, back = {.max = ROOM};

    expect(enc_hex(&text, in) == 0 && enc_hex_decode(&back, buf_slice(&text)) == 0);
    expect(slice_eq(buf_slice(&back), in));
    buf_clear(&text);
    buf_clear(&back);
    if (enc_hex_decode(&back, in) < 0)
        expect(back.n == 0);
    else
        expect(enc_hex(&text, buf_slice(&back)) == 0 && slice_eq_nocase(buf_slice(&text), in));
}

static void check_percent(struct slice in)
{
    CLEANUP(buf_done) struct buf text = {.max = ROOM}, back = {.max = ROOM};

    expect(enc_percent(&text, in, "/:") == 0 && enc_percent_decode(&back, buf_slice(&text)) == 0);
    expect(slice_eq(buf_slice(&back), in));
    buf_clear(&back);
    if (enc_percent_decode(&back, in) < 0)
        expect(back.n == 0);
    else
        expect(back.n <= in.n);
}

/* A JSON string is valid UTF-8 without control characters, and has its quotes only at its ends. */
static void check_json(struct slice in)
{
    CLEANUP(buf_done) struct buf text = {.max = 8 * ROOM};
    size_t i = 1;

    expect(enc_json(&text, in) == 0 && text.n >= 2 && utf8_is_valid(buf_slice(&text)));
    expect(text.p[0] == '"' && text.p[text.n - 1] == '"');
    for (; i < text.n - 1; i++) {
        expect(text.p[i] >= 0x20 && text.p[i] != '"');
        i += text.p[i] == '\\';
    }
    expect(i == text.n - 1);
}

static void check_utf8(struct slice in, size_t cut)
{
    struct utf8 whole = {0}, parts = {0};
    const size_t n = cut % (in.n + 1);
    const bool is_valid = utf8_next(&whole, in);
    const bool is_first = utf8_next(&parts, slice_sub(in, 0, n));

    expect(is_valid == (utf8_next(&parts, slice_sub(in, n, SIZE_MAX)) && is_first));
    expect(utf8_is_valid(in) == (is_valid && utf8_is_complete(&whole)));
    expect(!is_valid || whole.state == parts.state);
    expect(utf8_ascii(in) <= in.n);
    if (utf8_is_valid(in))
        expect(utf8_clip(in, n) <= n && utf8_is_valid(slice_sub(in, 0, utf8_clip(in, n))));
}

static void check_fields(struct slice in)
{
    CLEANUP(buf_done) struct buf first = {.max = ROOM}, second = {.max = ROOM};
    struct slice name, value, again;

    while (fields_next(&in, &name, &value)) {
        expect(name.n > 0 && slice_find(name, ':') < 0 && slice_find(value, '\n') < 0);
        expect(fields_put(&first, name, value) == 0);
    }
    for (in = buf_slice(&first); fields_next(&in, &name, &value);) {
        expect(fields_put(&second, name, value) == 0);
        expect(fields_find(buf_slice(&first), name, &again));
    }
    expect(slice_eq(buf_slice(&first), buf_slice(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in;

    if (n < 2)
        return 0;
    in = slice_make(data + 2, n - 2);
    switch (data[0] % 7) {
    case 0:
        check_base64(in, ENC_BASE64);
        break;
    case 1:
        check_base64(in, ENC_BASE64_URL);
        break;
    case 2:
        check_hex(in);
        break;
    case 3:
        check_percent(in);
        break;
    case 4:
        check_json(in);
        break;
    case 5:
        check_utf8(in, data[1]);
        break;
    case 6:
        check_fields(in);
        break;
    }
    return 0;
}
