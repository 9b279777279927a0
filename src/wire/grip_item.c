#include "wire/grip_item.h"

#include "base/utf8.h"
#include "wire/grip_int.h"
#include "wire/http1.h"
#include "wire/ws.h"

#define ITEM "publish item object"
#define BAD(r, ...) err_notef((r)->note, -ERR_SYNTAX, "Invalid format: " __VA_ARGS__)

/* One parse: where copies go, what to say, and whether strings are bytes (ZeroMQ). */
struct reader {
    struct arena *memory;
    struct err_note *note;
    bool is_tnet;
};

static const char *const kind_names[GRIP_KINDS] = {
    [GRIP_HTTP_RESPONSE] = "http-response",
    [GRIP_HTTP_STREAM] = "http-stream",
    [GRIP_WS_MESSAGE] = "ws-message",
};

/* --- one format --- */

static int wrong_type(struct reader *r, enum grip_kind kind, const char *field)
{
    return BAD(r, "'%s' contains '%s' with wrong type", kind_names[kind], field);
}

static int invalid_value(struct reader *r, enum grip_kind kind, const char *field)
{
    return BAD(r, "'%s' contains '%s' with invalid value", kind_names[kind], field);
}

/* 1 when the field is there, 0 when it is absent. */
static int read_string(struct reader *r, enum grip_kind kind, const json_t *in, const char *field,
                       struct slice *ret)
{
    const json_t *const value = json_object_get(in, field);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return wrong_type(r, kind, field);
    *ret = arena_copy(r->memory, grip__string(value));
    return 1;
}

static int read_action(struct reader *r, enum grip_kind kind, const json_t *in,
                       enum grip_action *ret)
{
    static const char *const names[] = {
        [GRIP_SEND] = "send",
        [GRIP_HINT] = "hint",
        [GRIP_CLOSE] = "close",
        [GRIP_REFRESH] = "refresh",
    };
    struct slice name;
    const int r1 = read_string(r, kind, in, "action", &name);

    if (r1 <= 0)
        return r1;
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        if (slice_eq(name, slice_str(names[i]))) {
            *ret = i;
            return 0;
        }
    }
    return err_notef(r->note, -ERR_SYNTAX, "Invalid format: ");
}

/* Text or base64; 1: there was one. */
static int read_content(struct reader *r, enum grip_kind kind, const json_t *in, const char *plain,
                        const char *bin, bool *ret_is_bin, struct slice *ret)
{
    struct slice text;
    const bool has_bin = !r->is_tnet || kind == GRIP_WS_MESSAGE;
    const int found = has_bin ? read_string(r, kind, in, bin, &text) : 0;

    if (found == 0)
        return read_string(r, kind, in, plain, ret);
    if (found < 0)
        return found;
    *ret = r->is_tnet ? text : grip__base64(r->memory, text);
    *ret_is_bin = true;
    return 1;
}

static void add_content_filter(struct grip_filters *f, struct slice name)
{
    if (f->n < GRIP_FILTERS_MAX)
        f->ids[f->n++] = (uint8_t)grip_filter_of(name);
    else
        f->ids[GRIP_FILTERS_MAX - 1] = GRIP_FILTER_UNKNOWN;
}

static int read_content_filters(struct reader *r, enum grip_kind kind, const json_t *in,
                                struct grip_format *f)
{
    const json_t *const list = json_object_get(in, "content-filters");
    const json_t *name;
    size_t i;

    if (!list)
        return 0;
    if (!json_is_array(list))
        return wrong_type(r, kind, "content-filters");
    f->has_content_filters = true;
    json_array_foreach(list, i, name)
    {
        if (!json_is_string(name))
            return BAD(r, "content-filters contains element with wrong type");
        add_content_filter(&f->content_filters, grip__string(name));
    }
    return 0;
}

static int read_code(struct reader *r, enum grip_kind kind, const json_t *in, int64_t max,
                     int64_t *ret)
{
    const json_t *const value = json_object_get(in, "code");
    int64_t code;

    if (!value)
        return 0;
    if (!json_is_number(value) && !json_is_string(value))
        return wrong_type(r, kind, "code");
    if (!grip__number(value, &code) || code < 0 || code > max)
        return invalid_value(r, kind, "code");
    *ret = code;
    return 0;
}

static int read_fields(struct reader *r, const json_t *in, struct grip_format *f)
{
    json_t *const fields = json_object_get(in, "headers");
    struct slice key;

    if (!fields)
        return 0;
    if (!json_is_array(fields) && !json_is_object(fields))
        return wrong_type(r, GRIP_HTTP_RESPONSE, "headers");
    switch (grip__fields(r->memory, fields, &f->fields, &f->n_fields, &key)) {
    case GRIP_ELEMENT_TYPE:
        return BAD(r, "headers contains element with wrong type");
    case GRIP_PAIR_LENGTH:
        return BAD(r, "headers contains list with wrong number of elements");
    case GRIP_VALUE_TYPE:
        return BAD(r, "headers contains '%.*s' with wrong type", SLICE_FMT(key));
    case GRIP_UNFIT:
        return BAD(r, "headers contains '%.*s' with invalid value", SLICE_FMT(key));
    default:
        return 0;
    }
}

static struct slice text_of(struct arena *a, const json_t *j)
{
    const size_t n = json_dumpb(j, NULL, 0, JSON_COMPACT);
    char *const p = arena_new(a, n);

    return slice_make(p, json_dumpb(j, p, n, JSON_COMPACT));
}

static int read_patch(struct reader *r, const json_t *in, struct grip_format *f)
{
    const json_t *const patch = json_object_get(in, "body-patch");

    if (!patch)
        return 0;
    if (!json_is_array(patch))
        return wrong_type(r, GRIP_HTTP_RESPONSE, "body-patch");
    f->content = text_of(r->memory, patch);
    f->is_patch = true;
    return 1;
}

static int read_http_response(struct reader *r, const json_t *in, struct grip_format *f)
{
    int64_t code = 0;
    bool is_bin;
    int err = read_code(r, GRIP_HTTP_RESPONSE, in, 999, &code);

    if (err == 0 && (err = read_string(r, GRIP_HTTP_RESPONSE, in, "reason", &f->reason)) > 0)
        err = http1_is_value(f->reason) ? 0 : invalid_value(r, GRIP_HTTP_RESPONSE, "reason");
    if (err < 0 || (err = read_fields(r, in, f)) < 0)
        return err;
    f->code = code < 100 ? 0 : (uint16_t)code;
    err = read_content(r, GRIP_HTTP_RESPONSE, in, "body", "body-bin", &is_bin, &f->content);
    if (err == 0)
        err = read_patch(r, in, f);
    if (err == 0)
        return BAD(r, "'http-response' does not contain 'body', 'body-bin', or 'body-patch'");
    return err < 0 ? err : 0;
}

static int read_http_stream(struct reader *r, const json_t *in, struct grip_format *f)
{
    bool is_bin;
    const int found =
        read_content(r, GRIP_HTTP_STREAM, in, "content", "content-bin", &is_bin, &f->content);

    if (found == 0)
        return BAD(r, "'http-stream' does not contain 'content' or 'content-bin'");
    return found < 0 ? found : 0;
}

/* What no frame of the type may carry (RFC 6455 5.5, 5.6) is told to the publisher, not to the
 * clients. */
static int check_message(struct reader *r, const struct grip_format *f)
{
    const bool is_control = f->type == GRIP_WS_PING || f->type == GRIP_WS_PONG;

    if ((is_control && f->content.n > WS_CONTROL_MAX) ||
        (f->type == GRIP_WS_TEXT && !utf8_is_valid(f->content)))
        return invalid_value(r, GRIP_WS_MESSAGE, "content");
    return 0;
}

static int read_ws_message(struct reader *r, const json_t *in, struct grip_format *f)
{
    static const char *const names[] = {
        [GRIP_WS_TEXT] = "text",
        [GRIP_WS_BINARY] = "binary",
        [GRIP_WS_PING] = "ping",
        [GRIP_WS_PONG] = "pong",
    };
    struct slice name = SLICE_NONE;
    bool is_bin = false;
    unsigned type = 0;
    const int typed = read_string(r, GRIP_WS_MESSAGE, in, "type", &name);
    int found;

    while (typed > 0 && type < COUNT_OF(names) && !slice_eq(name, slice_str(names[type])))
        type++;
    if (typed < 0)
        return typed;
    if (type == COUNT_OF(names))
        return BAD(r, "'ws-message' contains 'type' with unknown value");
    found = read_content(r, GRIP_WS_MESSAGE, in, "content", "content-bin", &is_bin, &f->content);
    if (found < 0)
        return found;
    f->type = typed ? type : is_bin ? GRIP_WS_BINARY : GRIP_WS_TEXT;
    if (found == 0 && (f->type == GRIP_WS_TEXT || f->type == GRIP_WS_BINARY))
        return BAD(r, "'ws-message' does not contain 'content' or 'content-bin'");
    return check_message(r, f);
}

static int read_ws_close(struct reader *r, const json_t *in, struct grip_format *f)
{
    int64_t code = 1000;
    int err = read_code(r, GRIP_WS_MESSAGE, in, INT64_MAX, &code);

    if (err == 0)
        err = read_string(r, GRIP_WS_MESSAGE, in, "reason", &f->reason);
    f->code = code <= UINT16_MAX && ws_is_close_code((unsigned)code) ? (uint16_t)code : 1000;
    return err < 0 ? err : 0;
}

static int read_format(struct reader *r, enum grip_kind kind, const json_t *in,
                       struct grip_format *f)
{
    static int (*const read_send[])(struct reader *, const json_t *, struct grip_format *) = {
        [GRIP_HTTP_RESPONSE] = read_http_response,
        [GRIP_HTTP_STREAM] = read_http_stream,
        [GRIP_WS_MESSAGE] = read_ws_message,
    };
    int err;

    if (!json_is_object(in))
        return BAD(r, "'%s' is not an object", kind_names[kind]);
    f->has = true;
    if ((err = read_action(r, kind, in, &f->action)) < 0)
        return err;
    if (f->action == GRIP_CLOSE && kind == GRIP_WS_MESSAGE)
        return read_ws_close(r, in, f);
    if (f->action != GRIP_SEND)
        return 0;
    err = read_send[kind](r, in, f);
    return err < 0 ? err : read_content_filters(r, kind, in, f);
}

/* --- one item --- */

static int item_string(struct reader *r, const json_t *in, const char *field, struct slice *ret,
                       bool *ret_has)
{
    const json_t *const value = json_object_get(in, field);

    *ret_has = value != NULL;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return BAD(r, ITEM " contains '%s' with wrong type", field);
    *ret = arena_copy(r->memory, grip__string(value));
    return 0;
}

static int read_channel(struct reader *r, const json_t *in, const struct slice *topic,
                        struct grip_item *item)
{
    bool has = true;
    int err = 0;

    if (topic)
        item->channel = arena_copy(r->memory, *topic);
    else if ((err = item_string(r, in, "channel", &item->channel, &has)) == 0 && !has)
        return BAD(r, ITEM " does not contain 'channel'");
    return err;
}

/* `formats`, or the item itself, as it was written before there was that. */
static int read_formats(struct reader *r, const json_t *in, struct grip_item *item)
{
    const json_t *const formats = json_object_get(in, "formats");
    bool has_any = formats && json_object_size(formats) > 0;

    if (formats && !json_is_object(formats))
        return BAD(r, ITEM " contains 'formats' with wrong type");
    for (unsigned kind = 0; kind < GRIP_KINDS; kind++) {
        const json_t *const f = json_object_get(formats ? formats : in, kind_names[kind]);
        const int err = f ? read_format(r, kind, f, &item->formats[kind]) : 0;

        if (err < 0)
            return err;
        has_any = has_any || f;
    }
    return has_any ? 0 : BAD(r, "no formats specified");
}

static int read_meta(struct reader *r, const json_t *in, struct grip_item *item)
{
    json_t *const meta = json_object_get(in, "meta");
    struct slice key;

    if (!meta)
        return 0;
    if (!json_is_object(meta))
        return BAD(r, ITEM " contains 'meta' with wrong type");
    if (!grip__pairs(r->memory, meta, &item->meta, &item->n_meta, &key))
        return BAD(r, "'meta' contains '%.*s' with wrong type", SLICE_FMT(key));
    return 0;
}

static int read_size(struct reader *r, const json_t *in, struct grip_item *item)
{
    const json_t *const size = json_object_get(in, "size");

    item->size = -1;
    if (!size)
        return 0;
    if (!json_is_number(size) && !json_is_string(size))
        return BAD(r, ITEM " contains 'size' with wrong type");
    if (!grip__number(size, &item->size) || item->size < 0)
        return BAD(r, ITEM " contains 'size' with invalid value");
    return 0;
}

static int read_no_seq(struct reader *r, const json_t *in, struct grip_item *item)
{
    const json_t *const no_seq = json_object_get(in, "no-seq");

    if (no_seq && !json_is_boolean(no_seq))
        return BAD(r, ITEM " contains 'no-seq' with wrong type");
    item->no_seq = json_is_true(no_seq);
    return 0;
}

static int read_item(struct reader *r, const json_t *in, const struct slice *topic,
                     struct grip_item *item)
{
    int err;

    if (!json_is_object(in))
        return BAD(r, ITEM " is not an object");
    if ((err = read_channel(r, in, topic, item)) < 0 ||
        (err = item_string(r, in, "id", &item->id, &item->has_id)) < 0 ||
        (err = item_string(r, in, "prev-id", &item->prev_id, &item->has_prev_id)) < 0 ||
        (err = read_formats(r, in, item)) < 0 || (err = read_meta(r, in, item)) < 0 ||
        (err = read_size(r, in, item)) < 0)
        return err;
    return read_no_seq(r, in, item);
}

/* --- the verbs --- */

/* list: an array; what is made of it is the caller's only when all of it is good. */
static int read_list(const json_t *list, bool is_tnet, struct grip_items *ret,
                     struct err_note *note)
{
    struct grip_items items = {.n = json_array_size(list)};
    struct reader r = {&items.memory, note, is_tnet};
    const json_t *in;
    size_t i;

    items.items = arena_new(&items.memory, items.n * sizeof(*items.items));
    json_array_foreach(list, i, in)
    {
        const int err = read_item(&r, in, NULL, &items.items[i]);

        if (err < 0) {
            grip_items_done(&items);
            return err;
        }
    }
    *ret = items;
    return 0;
}

int grip_items_parse(struct slice body, struct grip_items *ret, struct err_note *note)
{
    CLEANUP(grip__drop) json_t *root = grip__json(body);
    const json_t *const items = json_object_get(root, "items");
    const struct reader r = {.note = note};

    if (!root)
        return err_notef(note, -ERR_SYNTAX, "Body is not valid JSON.");
    if (!json_is_object(root))
        return err_notef(note, -ERR_SYNTAX, "Invalid format.");
    if (!items)
        return BAD(&r, "object does not contain 'items'");
    if (!json_is_array(items))
        return BAD(&r, "object contains 'items' with wrong type");
    return read_list(items, false, ret, note);
}

int grip_item_parse_zmq(struct slice message, const struct slice *topic, struct grip_items *ret,
                        struct err_note *note)
{
    const bool is_json = slice_starts(message, SLICE("J"));
    const size_t skip = is_json || slice_starts(message, SLICE("T"));
    const struct slice text = slice_sub(message, skip, message.n);
    CLEANUP(grip__drop) json_t *in = is_json ? grip__json(text) : grip__tnet(text);
    struct grip_items items = {.n = 1};
    struct reader r = {&items.memory, note, !is_json};
    int err;

    if (!in)
        return BAD(&r, "message is neither a tnetstring nor JSON");
    items.items = arena_new(&items.memory, sizeof(*items.items));
    if ((err = read_item(&r, in, topic, items.items)) < 0) {
        grip_items_done(&items);
        return err;
    }
    *ret = items;
    return 0;
}

int grip_items_parse_tnet(struct tnet list, struct grip_items *ret, struct err_note *note)
{
    CLEANUP(grip__drop) json_t *in = grip__tree(list);
    const struct reader r = {.note = note};

    if (!json_is_array(in))
        return BAD(&r, "object contains 'items' with wrong type");
    return read_list(in, true, ret, note);
}

void grip_items_done(struct grip_items *items)
{
    arena_done(&items->memory);
}
