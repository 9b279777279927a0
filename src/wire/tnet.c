#include "wire/tnet.h"

#include <inttypes.h>
#include <stdio.h>

enum { DIGITS_MAX = 10 }; /* of a length; leading zeros are none (except "0") */

static bool is_type(uint8_t c)
{
    switch (c) {
    case TNET_STRING:
    case TNET_INT:
    case TNET_FLOAT:
    case TNET_BOOL:
    case TNET_NULL:
    case TNET_MAP:
    case TNET_LIST:
        return true;
    default:
        return false;
    }
}

int tnet_next(struct slice *in, struct tnet *ret)
{
    const ptrdiff_t colon = slice_find(slice_sub(*in, 0, DIGITS_MAX + 1), ':');
    uint64_t n;

    if (in->n == 0)
        return 0;
    if (colon <= 0 || (colon > 1 && in->p[0] == '0') ||
        slice_u64(slice_sub(*in, 0, (size_t)colon), UINT32_MAX, &n) < 0 ||
        in->n - (size_t)colon - 1 <= n || !is_type(in->p[(size_t)colon + 1 + n]))
        return -ERR_SYNTAX;
    *ret = (struct tnet){in->p[(size_t)colon + 1 + n], slice_sub(*in, (size_t)colon + 1, n)};
    (void)slice_take(in, (size_t)colon + 2 + n);
    return 1;
}

int tnet_next_pair(struct slice *in, struct slice *ret_key, struct tnet *ret_value)
{
    struct slice rest = *in;
    struct tnet key, value;
    const int r = tnet_next(&rest, &key);

    if (r <= 0)
        return r;
    if (key.type != TNET_STRING || tnet_next(&rest, &value) <= 0)
        return -ERR_SYNTAX;
    *in = rest;
    *ret_key = key.bytes;
    *ret_value = value;
    return 1;
}

bool tnet_find(struct tnet t, struct slice name, struct tnet *ret)
{
    struct slice key;
    struct tnet value;

    while (t.type == TNET_MAP && tnet_next_pair(&t.bytes, &key, &value) > 0) {
        if (slice_eq(key, name)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

int tnet_int(struct tnet t, int64_t *ret)
{
    const bool is_negative = slice_starts(t.bytes, SLICE("-"));
    uint64_t n;

    if (t.type != TNET_INT || slice_u64(slice_sub(t.bytes, is_negative, t.bytes.n),
                                        (uint64_t)INT64_MAX + is_negative, &n) < 0)
        return -ERR_SYNTAX;
    *ret = is_negative ? (int64_t)(0 - n) : (int64_t)n;
    return 0;
}

int tnet_bool(struct tnet t, bool *ret)
{
    const bool yes = slice_eq(t.bytes, SLICE("true"));

    if (t.type != TNET_BOOL || (!yes && !slice_eq(t.bytes, SLICE("false"))))
        return -ERR_SYNTAX;
    *ret = yes;
    return 0;
}

int tnet_put(struct buf *out, enum tnet_type type, struct slice bytes)
{
    const size_t before = out->n;

    if (buf_addf(out, "%zu:", bytes.n) < 0 || buf_add(out, bytes) < 0 ||
        buf_add_byte(out, (uint8_t)type) < 0) {
        out->n = before;
        return -ERR_TOO_LARGE;
    }
    return 0;
}

int tnet_put_string(struct buf *out, struct slice s)
{
    return tnet_put(out, TNET_STRING, s);
}

int tnet_put_int(struct buf *out, int64_t n)
{
    char text[24];
    const int length = snprintf(text, sizeof(text), "%" PRId64, n);

    return tnet_put(out, TNET_INT, slice_make(text, (size_t)length));
}

int tnet_put_bool(struct buf *out, bool yes)
{
    return tnet_put(out, TNET_BOOL, yes ? SLICE("true") : SLICE("false"));
}

int tnet_put_null(struct buf *out)
{
    return tnet_put(out, TNET_NULL, SLICE_NONE);
}
