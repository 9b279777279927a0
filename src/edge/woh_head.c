#include "edge/woh_head.h"

#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/woh.h"

/* --- requests --- */

static bool is_one_of(struct slice name, const struct slice *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_nocase(name, names[i]))
            return true;
    return false;
}

/* Of the client's fields: those of its connection, and those that would speak for us. */
static bool is_removed(struct slice name)
{
    static const struct slice names[] = {
        SLICE("Upgrade"),
        SLICE("Connection"),
        SLICE("Accept"),
        SLICE("Connection-Id"),
        SLICE("Content-Length"),
        SLICE("Content-Type"),
        SLICE("Content-Bytes-Replayed"),
        SLICE("Sec-WebSocket-Extensions"),
    };

    return is_one_of(name, names, COUNT_OF(names)) || slice_starts_nocase(name, SLICE("Meta-")) ||
           grip_is_field(name);
}

int woh_put_fields(struct buf *out, struct slice fields, bool grip, struct slice id)
{
    struct slice name, value;
    int r = 0;

    while (r == 0 && fields_next(&fields, &name, &value))
        if (!is_removed(name))
            r = fields_put(out, name, value);
    if (r == 0 && grip)
        r = fields_put(out, SLICE("Sec-WebSocket-Extensions"), SLICE("grip"));
    if (r < 0 || (r = fields_put(out, SLICE("Accept"), SLICE(WOH_CONTENT_TYPE))) < 0 ||
        (r = fields_put(out, SLICE("Connection-Id"), id)) < 0)
        return r;
    return fields_put(out, SLICE("Content-Type"), SLICE(WOH_CONTENT_TYPE));
}

/* --- responses --- */

/* The line of that name in *meta, with its "\n"; empty when there is none. */
static struct slice find_meta(const struct buf *meta, struct slice name)
{
    struct slice rest = buf_slice(meta), line;

    while (rest.n) {
        const uint8_t *const start = rest.p;

        (void)slice_split(&rest, '\n', &line);
        if (line.n > name.n && line.p[name.n] == ':' &&
            slice_eq_nocase(slice_sub(line, 0, name.n), name))
            return slice_make(start, line.n + 1);
    }
    return SLICE_NONE;
}

static void remove_meta(struct buf *meta, struct slice name)
{
    const struct slice line = find_meta(meta, name);
    const size_t at = line.n ? (size_t)(line.p - meta->p) : 0;

    if (line.n == 0)
        return;
    memmove(meta->p + at, meta->p + at + line.n, meta->n - at - line.n);
    meta->n -= line.n;
}

/* "Set-Meta-User: bob" makes "Meta-User: bob" of the lines; an empty value takes it away. */
static void set_meta(struct buf *meta, struct slice name, struct slice value)
{
    const struct slice kept = slice_sub(name, 4, name.n);

    meta->max = WOH_META_BYTES;
    remove_meta(meta, kept);
    if (value.n)
        (void)fields_put(meta, kept, value);
    if (meta->n == 0)
        buf_done(meta);
}

/* A decimal number, perhaps with a sign; 0 for anything that is none or negative. */
static uint32_t interval_of(struct slice text)
{
    uint64_t n;

    if (slice_starts(text, SLICE("+")))
        text = slice_sub(text, 1, text.n);
    if (slice_u64(text, UINT32_MAX / 2000, &n) < 0 || n == 0)
        return 0;
    return MAX((uint32_t)n, WOH_KEEP_ALIVE_MIN_S);
}

static void add_extension(struct buf *out, struct slice value)
{
    out->max = 4096;
    if (out->n)
        (void)buf_add(out, SLICE(", "));
    (void)buf_add(out, value);
}

static void read_field(struct woh_head *h, struct slice name, struct slice value, bool *is_type)
{
    uint64_t n;

    if (slice_eq_nocase(name, SLICE("Content-Type"))) {
        *is_type = slice_eq(value, SLICE(WOH_CONTENT_TYPE));
    } else if (slice_eq_nocase(name, SLICE("Keep-Alive-Interval"))) {
        h->has_keep_alive = true;
        h->keep_alive_s = interval_of(value);
    } else if (slice_eq_nocase(name, SLICE("Content-Bytes-Accepted"))) {
        if (slice_u64(value, SIZE_MAX - 1, &n) == 0)
            h->accepted = (size_t)n;
    }
}

struct woh_head woh_read_head(unsigned status, struct slice head, struct buf *meta)
{
    struct woh_head h = {.accepted = SIZE_MAX};
    struct slice name, value;
    bool is_type = false;

    while (fields_next(&head, &name, &value)) {
        if (!slice_starts_nocase(name, SLICE("Set-Meta-")))
            read_field(&h, name, value, &is_type);
        else if (meta)
            set_meta(meta, name, value);
    }
    h.is_events = status == 200 && is_type;
    return h;
}

void woh_put_extensions(struct buf *out, struct slice head)
{
    struct slice name, value;

    while (fields_next(&head, &name, &value))
        if (slice_eq_nocase(name, SLICE("Sec-WebSocket-Extensions")))
            add_extension(out, value);
}

int woh_put_accepted(struct buf *out, struct slice head)
{
    static const struct slice ours[] = {
        SLICE("Content-Length"),           SLICE("Content-Type"),
        SLICE("Keep-Alive-Interval"),      SLICE("Content-Bytes-Accepted"),
        SLICE("Sec-WebSocket-Extensions"),
    };
    struct slice name, value;
    int r = 0;

    while (r == 0 && fields_next(&head, &name, &value))
        if (!is_one_of(name, ours, COUNT_OF(ours)) &&
            !slice_starts_nocase(name, SLICE("Set-Meta-")))
            r = fields_put(out, name, value);
    return r;
}
