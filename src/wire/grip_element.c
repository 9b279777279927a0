/* How GRIP's header fields are written: lists of elements, elements of parts, parts with values. */
#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/grip_int.h"
#include "wire/http1.h"

bool grip_is_field(struct slice name)
{
    return slice_starts_nocase(name, SLICE("Grip-"));
}

static bool is_json_type(struct slice name, struct slice value)
{
    struct slice type = SLICE_NONE;

    return slice_eq_nocase(name, SLICE("Content-Type")) && slice_split(&value, ';', &type) &&
           slice_eq_nocase(slice_trim(type), SLICE("application/grip-instruct"));
}

bool grip_is_instructed(struct slice head)
{
    struct slice name, value;

    while (fields_next(&head, &name, &value)) {
        if (grip_is_field(name) || is_json_type(name, value))
            return true;
    }
    return false;
}

bool grip_is_json(struct slice head)
{
    const struct slice name = SLICE("Content-Type");
    struct slice value;

    return fields_find(head, name, &value) && is_json_type(name, value);
}

/* Cuts what stands before the first `sep` outside of quotes off *in, trimmed. False when a quote is
 * not ended; all is taken then. */
static bool cut(struct slice *in, uint8_t sep, struct slice *ret)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < in->n && (quoted || in->p[at] != sep); at++) {
        if (in->p[at] == '"')
            quoted = !quoted;
        else if (quoted && in->p[at] == '\\' && at + 1 < in->n)
            at++;
    }
    *ret = slice_trim(slice_take(in, at));
    (void)slice_take(in, MIN(in->n, 1));
    return !quoted;
}

bool grip_element_next(struct slice *list, struct slice *ret_element)
{
    struct slice element;

    while (list->n > 0) {
        if (cut(list, ',', &element) && element.n > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

bool grip_part_next(struct slice *element, struct slice *ret_part)
{
    struct slice part;

    while (element->n > 0) {
        if (cut(element, ';', &part) && part.n > 0) {
            *ret_part = part;
            return true;
        }
    }
    return false;
}

struct slice grip__unquote(struct arena *a, struct slice value)
{
    uint8_t *p;
    size_t n = 0;

    if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"')
        return arena_copy(a, value);
    value = slice_sub(value, 1, value.n - 2);
    p = arena_new(a, value.n);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '\\' && i + 1 < value.n)
            i++;
        p[n++] = value.p[i];
    }
    return slice_make(p, n);
}

void grip__halves(struct slice part, struct slice *ret_name, struct slice *ret_value)
{
    struct slice name = SLICE_NONE;

    (void)slice_split(&part, '=', &name);
    *ret_name = slice_trim(name);
    *ret_value = slice_trim(part);
}

/* --- others that are written so --- */

/* A value without its quotes, borrowed; false when it has escapes. */
static bool plain(struct slice value, struct slice *ret)
{
    if (value.n >= 2 && value.p[0] == '"')
        value = slice_sub(value, 1, value.n - 2);
    *ret = value;
    return slice_find(value, '\\') < 0;
}

bool grip_is_negotiated(struct slice extensions, struct slice *ret_prefix)
{
    struct slice element, part, name, value, prefix = SLICE("m:");

    while (grip_element_next(&extensions, &element)) {
        if (!grip_part_next(&element, &part) || !slice_eq(part, SLICE("grip")))
            continue;
        while (grip_part_next(&element, &part)) {
            grip__halves(part, &name, &value);
            if (slice_eq(name, SLICE("message-prefix")) && !plain(value, &prefix))
                return false;
        }
        *ret_prefix = prefix;
        return true;
    }
    return false;
}

static bool is_special(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < 0x80 && strchr(" \t,;\"\\=", s.p[i]))
            return true;
    }
    return s.n == 0;
}

static int put_word(struct buf *out, struct slice s)
{
    int err = 0;

    if (!is_special(s))
        return buf_add(out, s);
    err = buf_add_byte(out, '"');
    for (size_t i = 0; err >= 0 && i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            err = buf_add_byte(out, '\\');
        if (err >= 0)
            err = buf_add_byte(out, s.p[i]);
    }
    return err < 0 ? err : buf_add_byte(out, '"');
}

int grip_put_last(struct buf *out, struct slice channel, struct slice last_id)
{
    const size_t before = out->n;

    if (!http1_is_value(channel) || !http1_is_value(last_id))
        return -ERR_HTTP_VALUE;
    if (put_word(out, channel) >= 0 && buf_add(out, SLICE("; last-id=")) >= 0 &&
        put_word(out, last_id) >= 0)
        return 0;
    out->n = before;
    return -ERR_TOO_LARGE;
}
