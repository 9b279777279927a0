/* JSON and tnetstrings of a peer as jansson's trees, and parts of those as copies in an arena. */
#include <math.h>
#include <stdlib.h>

#include "base/enc.h"
#include "wire/grip_int.h"
#include "wire/http1.h"

enum { DEPTH_MAX = 32 }; /* of a tnetstring; jansson has its own bound for JSON */

json_t *grip__json(struct slice text)
{
    return text.n == 0
               ? NULL
               : json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* --- tnetstrings --- */

static json_t *tree_of(struct tnet t, unsigned depth);

static json_t *list_of(struct slice in, unsigned depth)
{
    json_t *const list = json_array();
    struct tnet t;
    int r;

    while ((r = tnet_next(&in, &t)) > 0) {
        if (json_array_append_new(list, tree_of(t, depth + 1)) != 0)
            r = -1;
        if (r < 0)
            break;
    }
    if (r == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *map_of(struct slice in, unsigned depth)
{
    json_t *const map = json_object();
    struct slice key;
    struct tnet t;
    int r;

    while ((r = tnet_next_pair(&in, &key, &t)) > 0) {
        if (json_object_setn_new_nocheck(map, (const char *)key.p, key.n, tree_of(t, depth + 1)) !=
            0)
            r = -1;
        if (r < 0)
            break;
    }
    if (r == 0)
        return map;
    json_decref(map);
    return NULL;
}

static json_t *real_of(struct slice text)
{
    char room[64], *end;
    double v;

    if (text.n == 0 || text.n >= sizeof(room))
        return NULL;
    memcpy(room, text.p, text.n);
    room[text.n] = 0;
    v = strtod(room, &end);
    return *end == 0 && isfinite(v) ? json_real(v) : NULL;
}

static json_t *scalar_of(struct tnet t)
{
    int64_t n;
    bool yes;

    switch (t.type) {
    case TNET_STRING:
        return json_stringn_nocheck(t.bytes.n ? (const char *)t.bytes.p : "", t.bytes.n);
    case TNET_INT:
        return tnet_int(t, &n) == 0 ? json_integer(n) : NULL;
    case TNET_BOOL:
        return tnet_bool(t, &yes) == 0 ? json_boolean(yes) : NULL;
    case TNET_FLOAT:
        return real_of(t.bytes);
    default:
        return t.bytes.n == 0 ? json_null() : NULL;
    }
}

static json_t *tree_of(struct tnet t, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return NULL;
    if (t.type == TNET_LIST)
        return list_of(t.bytes, depth);
    return t.type == TNET_MAP ? map_of(t.bytes, depth) : scalar_of(t);
}

json_t *grip__tree(struct tnet t)
{
    return tree_of(t, 0);
}

json_t *grip__tnet(struct slice text)
{
    struct tnet t;

    return tnet_next(&text, &t) > 0 && text.n == 0 ? tree_of(t, 0) : NULL;
}

/* --- values --- */

bool grip__number(const json_t *j, int64_t *ret)
{
    uint64_t n;

    if (json_is_integer(j)) {
        *ret = json_integer_value(j);
        return true;
    }
    if (json_is_real(j)) {
        const double v = json_real_value(j);

        if (v != floor(v) || fabs(v) > (double)INT32_MAX)
            return false;
        *ret = (int64_t)v;
        return true;
    }
    if (!json_is_string(j) || slice_u64(grip__string(j), INT64_MAX, &n) < 0)
        return false;
    *ret = (int64_t)n;
    return true;
}

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

struct slice grip__base64(struct arena *a, struct slice text)
{
    uint8_t *const digits = arena_new(a, text.n);
    struct buf out = {.p = arena_new(a, text.n), .cap = text.n, .max = text.n};
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (is_base64(text.p[i]))
            digits[n++] = text.p[i];
    }
    n -= n % 4 == 1; /* six bits are no byte */
    return enc_base64_forgive(&out, slice_make(digits, n)) < 0 ? SLICE("") : buf_slice(&out);
}

static struct slice key_of(void *iter)
{
    return slice_make(json_object_iter_key(iter), json_object_iter_key_len(iter));
}

bool grip__pairs(struct arena *a, json_t *object, struct grip_pair **ret, size_t *ret_n,
                 struct slice *ret_key)
{
    struct grip_pair *const pairs = arena_new(a, json_object_size(object) * sizeof(*pairs));
    size_t n = 0;

    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const json_t *const value = json_object_iter_value(i);

        if (!json_is_string(value)) {
            *ret_key = key_of(i);
            return false;
        }
        pairs[n++] =
            (struct grip_pair){arena_copy(a, key_of(i)), arena_copy(a, grip__string(value))};
    }
    *ret = pairs;
    *ret_n = n;
    return true;
}

/* --- header fields --- */

static enum grip__fault list_of_fields(struct arena *a, json_t *list, struct grip_pair *pairs)
{
    size_t i;
    json_t *pair;

    json_array_foreach(list, i, pair)
    {
        const json_t *const name = json_array_get(pair, 0), *const value = json_array_get(pair, 1);

        if (!json_is_array(pair))
            return GRIP_ELEMENT_TYPE;
        if (json_array_size(pair) != 2)
            return GRIP_PAIR_LENGTH;
        if (!json_is_string(name) || !json_is_string(value))
            return GRIP_ELEMENT_TYPE;
        pairs[i].name = arena_copy(a, grip__string(name));
        pairs[i].value = arena_copy(a, grip__string(value));
    }
    return GRIP_FINE;
}

static enum grip__fault check_fields(struct grip_pair *pairs, size_t n, struct slice *ret_key)
{
    for (size_t i = 0; i < n; i++) {
        pairs[i].value = slice_trim(pairs[i].value);
        if (!http1_is_token(pairs[i].name) || !http1_is_value(pairs[i].value)) {
            *ret_key = pairs[i].name;
            return GRIP_UNFIT;
        }
    }
    return GRIP_FINE;
}

enum grip__fault grip__fields(struct arena *a, json_t *fields, struct grip_pair **ret,
                              size_t *ret_n, struct slice *ret_key)
{
    enum grip__fault fault = GRIP_FINE;
    struct grip_pair *pairs;
    size_t n = json_array_size(fields);

    if (json_is_array(fields)) {
        pairs = arena_new(a, n * sizeof(*pairs));
        fault = list_of_fields(a, fields, pairs);
    } else if (!grip__pairs(a, fields, &pairs, &n, ret_key))
        fault = GRIP_VALUE_TYPE;
    if (fault == GRIP_FINE)
        fault = check_fields(pairs, n, ret_key);
    if (fault == GRIP_FINE) {
        *ret = pairs;
        *ret_n = n;
    }
    return fault;
}
