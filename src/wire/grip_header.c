/* Instructions in header fields: one function for each field. */
#include "base/enc.h"
#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/grip_int.h"

#define BAD(note, ...) err_notef(note, -ERR_ORIGIN_BAD, __VA_ARGS__)

/* An integer of 32 bits with its sign. */
static bool int_of(struct slice text, int64_t *ret)
{
    const bool is_negative = slice_starts(text, SLICE("-"));
    uint64_t n;

    if (slice_u64(slice_sub(text, is_negative || slice_starts(text, SLICE("+")), text.n), INT32_MAX,
                  &n) < 0)
        return false;
    *ret = is_negative ? -(int64_t)n : (int64_t)n;
    return true;
}

/* Seconds, 0 or more: "failed to parse FIELD" with ` value` for a parameter's. */
static int read_seconds(struct slice text, const char *field, const char *value, uint32_t *ret,
                        struct err_note *note)
{
    int64_t n;

    if (!int_of(text, &n))
        return BAD(note, "failed to parse %s%s", field, value);
    if (n < 0)
        return BAD(note, "%s has invalid value", field);
    *ret = (uint32_t)n;
    return 0;
}

static int read_hold(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    if (slice_eq(value, SLICE("response")))
        g->hold = GRIP_HOLD_RESPONSE;
    else if (slice_eq(value, SLICE("stream")))
        g->hold = GRIP_HOLD_STREAM;
    else
        return BAD(note, "Grip-Hold must be set to either 'response' or 'stream'");
    return 0;
}

/* --- channels --- */

static int read_channel(struct grip_instruct *g, struct slice element, struct err_note *note)
{
    struct grip_channel c = {0};
    struct slice part, name, value;
    unsigned n_filters = 0;

    if (!slice_split(&element, ';', &part) || (part = slice_trim(part)).n == 0)
        return BAD(note, "failed to parse Grip-Channel");
    c.name = arena_copy(&g->memory, part);
    while (grip_part_next(&element, &part)) {
        grip__halves(part, &name, &value);
        if (slice_eq(name, SLICE("prev-id")))
            c.prev_id = grip__unquote(&g->memory, value);
        else if (slice_eq(name, SLICE("filter")))
            n_filters += grip__add_filter(&c.filters, grip__unquote(&g->memory, value));
        else if (slice_eq(name, SLICE("recover")))
            c.recover = true;
    }
    if (n_filters > GRIP_FILTERS_MAX)
        return BAD(note, "too many filters for channel '%.*s'", SLICE_FMT(c.name));
    c.has_prev_id = c.prev_id.n > 0;
    grip__add_channel(g, &c);
    return 0;
}

static int read_channels(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice element;
    int err = 0;

    while (err == 0 && grip_element_next(&value, &element))
        err = read_channel(g, element, note);
    return err;
}

/* --- keep-alive --- */

/* Pushpin's cstring, and \t, which its publishers write. Other escapes vanish. */
static bool unescape(struct arena *a, struct slice in, struct slice *ret)
{
    uint8_t *const p = arena_new(a, in.n);
    size_t n = 0;

    while (in.n > 0) {
        const uint8_t c = slice_take(&in, 1).p[0];
        struct buf byte = {.p = p + n, .cap = 1, .max = 1};

        if (c != '\\') {
            p[n++] = c;
            continue;
        }
        if (in.n == 0)
            return false;
        switch (slice_take(&in, 1).p[0]) {
        case '\\':
            p[n++] = '\\';
            break;
        case 'r':
            p[n++] = '\r';
            break;
        case 'n':
            p[n++] = '\n';
            break;
        case 't':
            p[n++] = '\t';
            break;
        case 'x':
            if (in.n < 2 || enc_hex_decode(&byte, slice_take(&in, 2)) < 0)
                return false;
            n++;
            break;
        default:
            break;
        }
    }
    *ret = slice_make(p, n);
    return true;
}

static int read_data(struct grip_instruct *g, struct slice data, struct slice format,
                     struct err_note *note)
{
    if (format.n == 0 || slice_eq(format, SLICE("raw")))
        g->keep_alive = arena_copy(&g->memory, data);
    else if (slice_eq(format, SLICE("base64")))
        g->keep_alive = grip__base64(&g->memory, data);
    else if (!slice_eq(format, SLICE("cstring")))
        return BAD(note, "no such Grip-Keep-Alive format '%.*s'", SLICE_FMT(format));
    else if (!unescape(&g->memory, data, &g->keep_alive))
        return BAD(note, "failed to parse Grip-Keep-Alive cstring format");
    return 0;
}

static int read_mode(struct grip_instruct *g, struct slice mode, struct err_note *note)
{
    if (slice_eq(mode, SLICE("interval")))
        g->keep_alive_mode = GRIP_INTERVAL;
    else if (mode.n > 0 && !slice_eq(mode, SLICE("idle")))
        return BAD(note, "no such Grip-Keep-Alive mode '%.*s'", SLICE_FMT(mode));
    return 0;
}

/* The data ends at the first ";", also within quotes. */
static int read_keep_alive(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice data = SLICE_NONE, part, name, format = SLICE_NONE, mode = SLICE_NONE;
    struct slice timeout = SLICE("55");
    int err;

    (void)slice_split(&value, ';', &data);
    data = slice_trim(data);
    if (data.n == 0)
        return BAD(note, "Grip-Keep-Alive cannot be empty");
    while (grip_part_next(&value, &part)) {
        struct slice said;

        grip__halves(part, &name, &said);
        said = grip__unquote(&g->memory, said);
        if (slice_eq(name, SLICE("format")))
            format = said;
        else if (slice_eq(name, SLICE("mode")))
            mode = said;
        else if (slice_eq(name, SLICE("timeout")))
            timeout = said;
    }
    if ((err = read_mode(g, mode, note)) < 0 || (err = read_data(g, data, format, note)) < 0)
        return err;
    g->has_keep_alive = true;
    return read_seconds(timeout, "Grip-Keep-Alive timeout", " value", &g->keep_alive_s, note);
}

/* --- the others --- */

static int read_timeout(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    return read_seconds(value, "Grip-Timeout", "", &g->timeout_s, note);
}

static int read_meta(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice element, name, said;
    bool has_any = false;

    while (grip_element_next(&value, &element)) {
        struct slice part = SLICE_NONE;

        (void)grip_part_next(&element, &part);
        grip__halves(part, &name, &said);
        if (name.n == 0)
            break;
        grip__add_meta(g, arena_copy(&g->memory, name), grip__unquote(&g->memory, said));
        has_any = true;
    }
    return has_any ? 0 : BAD(note, "Grip-Set-Meta cannot be empty");
}

static int read_status(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice code = SLICE_NONE;
    uint64_t n;

    (void)slice_split(&value, ' ', &code);
    if (slice_u64(code, 999, &n) < 0)
        return BAD(note, "Grip-Status contains invalid status code");
    g->status = n < 100 ? 0 : (uint16_t)n;
    g->reason = arena_copy(&g->memory, slice_trim(value));
    return 0;
}

/* A URI reference: no blanks, no controls, no characters that RFC 3986 leaves out. */
static bool is_reference(struct slice uri)
{
    for (size_t i = 0; i < uri.n; i++) {
        if (uri.p[i] <= ' ' || uri.p[i] == 0x7f || strchr("<>\"\\^`{|}", uri.p[i]))
            return false;
    }
    return uri.n > 0;
}

static int read_link(struct grip_instruct *g, struct slice element, struct err_note *note)
{
    struct slice uri = SLICE_NONE, part, name, value, rel = SLICE_NONE, timeout = SLICE("120");
    int err;

    (void)grip_part_next(&element, &uri);
    if (element.n == 0)
        return 0; /* without parameters it says nothing */
    if (uri.n < 2 || uri.p[0] != '<' || uri.p[uri.n - 1] != '>')
        return BAD(note, "failed to parse Grip-Link value");
    uri = slice_sub(uri, 1, uri.n - 2);
    if (!is_reference(uri))
        return BAD(note, "Grip-Link contains invalid link");
    while (grip_part_next(&element, &part)) {
        grip__halves(part, &name, &value);
        if (slice_eq(name, SLICE("rel")))
            rel = grip__unquote(&g->memory, value);
        else if (slice_eq(name, SLICE("timeout")))
            timeout = grip__unquote(&g->memory, value);
    }
    if (slice_eq(rel, SLICE("gone"))) {
        g->has_gone = true;
        g->gone = arena_copy(&g->memory, uri);
    } else if (slice_eq(rel, SLICE("next"))) {
        if ((err = read_seconds(timeout, "Grip-Link timeout", " value", &g->next_s, note)) < 0)
            return err;
        g->has_next = true;
        g->next = arena_copy(&g->memory, uri);
    }
    return 0;
}

static int read_links(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice element;
    int err = 0;

    while (err == 0 && grip_element_next(&value, &element))
        err = read_link(g, element, note);
    return err;
}

static int read_exposed(struct grip_instruct *g, struct slice value, struct err_note *note)
{
    struct slice element;

    g->has_exposed = true;
    while (grip_element_next(&value, &element)) {
        if (g->n_exposed % 16 == 0) {
            struct slice *const more =
                arena_new(&g->memory, (g->n_exposed + 16) * sizeof(struct slice));

            if (g->n_exposed > 0)
                memcpy(more, g->exposed, g->n_exposed * sizeof(struct slice));
            g->exposed = more;
        }
        g->exposed[g->n_exposed++] = arena_copy(&g->memory, element);
    }
    return 0;
}

/* `once`: of several such fields the first counts. */
static const struct {
    const char *name;
    int (*read)(struct grip_instruct *g, struct slice value, struct err_note *note);
    bool once;
} fields[] = {
    {"Grip-Hold", read_hold, true},       {"Grip-Channel", read_channels, false},
    {"Grip-Timeout", read_timeout, true}, {"Grip-Keep-Alive", read_keep_alive, true},
    {"Grip-Set-Meta", read_meta, false},  {"Grip-Status", read_status, true},
    {"Grip-Link", read_links, false},     {"Grip-Expose-Headers", read_exposed, false},
};

/* In the order of the table, so that of several errors always the same is told. */
int grip__read_head(struct grip_instruct *g, struct slice head, struct err_note *note)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct slice rest = head, name, value;

        while (fields_next(&rest, &name, &value)) {
            int err;

            if (!slice_eq_nocase(name, slice_str(fields[i].name)))
                continue;
            if ((err = fields[i].read(g, value, note)) < 0)
                return err;
            if (fields[i].once)
                break;
        }
    }
    return 0;
}
