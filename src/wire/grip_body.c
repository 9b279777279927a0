/* Instructions as a JSON document: {"hold": {…}, "response": {…}}. */
#include "wire/grip_int.h"
#include "wire/http1.h"

#define BAD(note, ...) err_notef(note, -ERR_ORIGIN_BAD, __VA_ARGS__)

static int wrong_type(struct err_note *note, const char *of, const char *field)
{
    return BAD(note, "%s contains '%s' with wrong type", of, field);
}

/* A member's string, or -1 when it is another thing; absent: untouched. 1: it is there. */
static int read_string(struct arena *a, const json_t *in, const char *name, struct slice *ret)
{
    const json_t *const value = json_object_get(in, name);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return -1;
    *ret = arena_copy(a, grip__string(value));
    return 1;
}

/* Text, or base64 by the other name, which wins. As above. */
static int read_bytes(struct arena *a, const json_t *in, const char *plain, const char *bin,
                      struct slice *ret)
{
    struct slice text;
    const int found = read_string(a, in, bin, &text);

    if (found > 0)
        *ret = grip__base64(a, text);
    return found != 0 ? found : read_string(a, in, plain, ret);
}

static int read_seconds(const json_t *in, const char *of, uint32_t *ret, struct err_note *note)
{
    const json_t *const value = json_object_get(in, "timeout");
    int64_t n;

    if (!value)
        return 0;
    if (!grip__number(value, &n))
        return wrong_type(note, of, "timeout");
    if (n < 0 || n > INT32_MAX)
        return BAD(note, "%s contains 'timeout' with invalid value", of);
    *ret = (uint32_t)n;
    return 0;
}

/* --- hold --- */

static int read_filters(struct grip_channel *c, const json_t *in, struct err_note *note)
{
    const json_t *const filters = json_object_get(in, "filters");
    const json_t *name;
    size_t i;

    if (!filters)
        return 0;
    if (!json_is_array(filters))
        return wrong_type(note, "channel", "filters");
    if (json_array_size(filters) > GRIP_FILTERS_MAX)
        return BAD(note, "too many filters for channel '%.*s'", SLICE_FMT(c->name));
    json_array_foreach(filters, i, name)
    {
        if (!json_is_string(name))
            return wrong_type(note, "channel", "filters");
        (void)grip__add_filter(&c->filters, grip__string(name));
    }
    return 0;
}

static int read_channel(struct grip_instruct *g, const json_t *in, struct err_note *note)
{
    struct grip_channel c = {0};
    const int found = read_string(&g->memory, in, "name", &c.name);
    int err;

    if (!json_is_object(in))
        return wrong_type(note, "hold", "channels");
    if (found < 0)
        return wrong_type(note, "channel", "name");
    if (found == 0 || c.name.n == 0)
        return BAD(note, "channel does not contain 'name'");
    if (read_string(&g->memory, in, "prev-id", &c.prev_id) < 0)
        return wrong_type(note, "channel", "prev-id");
    if ((err = read_filters(&c, in, note)) < 0)
        return err;
    c.has_prev_id = c.prev_id.n > 0;
    c.recover = json_is_true(json_object_get(in, "recover"));
    grip__add_channel(g, &c);
    return 0;
}

static int read_channels(struct grip_instruct *g, const json_t *hold, struct err_note *note)
{
    const json_t *const channels = json_object_get(hold, "channels");
    const json_t *channel;
    size_t i;

    if (!channels)
        return BAD(note, "hold does not contain 'channels'");
    if (!json_is_array(channels))
        return wrong_type(note, "hold", "channels");
    json_array_foreach(channels, i, channel)
    {
        const int err = read_channel(g, channel, note);

        if (err < 0)
            return err;
    }
    return 0;
}

static int read_mode(struct grip_instruct *g, const json_t *hold, struct err_note *note)
{
    const json_t *const mode = json_object_get(hold, "mode");

    if (!mode || slice_eq(grip__string(mode), SLICE("response")))
        g->hold = GRIP_HOLD_RESPONSE;
    else if (slice_eq(grip__string(mode), SLICE("stream")))
        g->hold = GRIP_HOLD_STREAM;
    else
        return BAD(note, "hold 'mode' must be set to either 'response' or 'stream'");
    return 0;
}

static int read_keep_alive(struct grip_instruct *g, const json_t *hold, struct err_note *note)
{
    const json_t *const in = json_object_get(hold, "keep-alive");
    int found;

    if (!in)
        return 0;
    if (!json_is_object(in))
        return wrong_type(note, "hold", "keep-alive");
    found = read_bytes(&g->memory, in, "content", "content-bin", &g->keep_alive);
    if (found < 0)
        return wrong_type(note, "keep-alive", "content");
    if (found == 0 || g->keep_alive.n == 0)
        return BAD(note, "keep-alive does not contain 'content' or 'content-bin'");
    g->has_keep_alive = true;
    g->keep_alive_s = GRIP_TIMEOUT_S;
    g->keep_alive_mode = GRIP_INTERVAL; /* JSON has no word for it, and this is what Pushpin does */
    return read_seconds(in, "keep-alive", &g->keep_alive_s, note);
}

static int read_meta(struct grip_instruct *g, const json_t *hold, struct err_note *note)
{
    json_t *const meta = json_object_get(hold, "meta");
    struct grip_pair *pairs;
    struct slice key;
    size_t n;

    if (!meta)
        return 0;
    if (!json_is_object(meta))
        return wrong_type(note, "hold", "meta");
    if (!grip__pairs(&g->memory, meta, &pairs, &n, &key))
        return BAD(note, "meta contains '%.*s' with wrong type", SLICE_FMT(key));
    for (size_t i = 0; i < n; i++)
        grip__add_meta(g, pairs[i].name, pairs[i].value);
    return 0;
}

static int read_hold(struct grip_instruct *g, const json_t *hold, struct err_note *note)
{
    int err;

    if (!hold)
        return 0;
    if (!json_is_object(hold))
        return wrong_type(note, "instruct", "hold");
    if ((err = read_mode(g, hold, note)) < 0 || (err = read_channels(g, hold, note)) < 0 ||
        (err = read_seconds(hold, "hold", &g->timeout_s, note)) < 0 ||
        (err = read_keep_alive(g, hold, note)) < 0)
        return err;
    return read_meta(g, hold, note);
}

/* --- response --- */

/* A Grip-Status field wins. */
static int read_code(struct grip_instruct *g, const json_t *response, struct err_note *note)
{
    const json_t *const code = json_object_get(response, "code");
    struct slice reason = SLICE_NONE;
    int64_t n = 200;

    if (code && !grip__number(code, &n))
        return wrong_type(note, "response", "code");
    if (n < 100 || n > 999)
        return BAD(note, "response contains 'code' with invalid value");
    if (read_string(&g->memory, response, "reason", &reason) < 0 || !http1_is_value(reason))
        return wrong_type(note, "response", "reason");
    if (g->status == 0) {
        g->status = (uint16_t)n;
        g->reason = reason;
    }
    return 0;
}

static int read_fields(struct grip_instruct *g, const json_t *response, struct err_note *note)
{
    json_t *const fields = json_object_get(response, "headers");
    struct slice key;

    if (!fields)
        return 0;
    if ((!json_is_array(fields) && !json_is_object(fields)) ||
        grip__fields(&g->memory, fields, &g->fields, &g->n_fields, &key) != GRIP_FINE)
        return wrong_type(note, "response", "headers");
    return 0;
}

static int read_response(struct grip_instruct *g, const json_t *response, struct err_note *note)
{
    int err;

    if (response && !json_is_object(response))
        return wrong_type(note, "instruct", "response");
    if ((err = read_code(g, response, note)) < 0 || (err = read_fields(g, response, note)) < 0)
        return err;
    if (read_bytes(&g->memory, response, "body", "body-bin", &g->body) < 0)
        return wrong_type(note, "response", "body");
    return 0;
}

int grip__read_body(struct grip_instruct *g, unsigned status, struct slice body,
                    struct err_note *note)
{
    CLEANUP(grip__drop) json_t *root = NULL;
    int err;

    if (status != 200)
        return BAD(note, "response code for application/grip-instruct content must be 200");
    if (!(root = grip__json(body)))
        return BAD(note, "failed to parse application/grip-instruct content as JSON");
    if (!json_is_object(root))
        return BAD(note, "instruct must be an object");
    g->is_json = true;
    err = read_hold(g, json_object_get(root, "hold"), note);
    return err < 0 ? err : read_response(g, json_object_get(root, "response"), note);
}
