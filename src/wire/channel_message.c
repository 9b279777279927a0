#include "wire/channel_message.h"

#include "base/utf8.h"
#include "wire/grip_int.h"
#include "wire/ws.h"

#define BAD(note, ...) err_notef(note, -ERR_SYNTAX, __VA_ARGS__)

/* A member that must be a string where it is there: 1, 0 when it is absent. */
static int read_string(struct channel_message *m, const json_t *in, const char *name,
                       struct slice *ret, struct err_note *note)
{
    const json_t *const value = json_object_get(in, name);

    if (!value)
        return 0;
    if (!json_is_string(value))
        return BAD(note, "'%s' is not a string", name);
    *ret = arena_copy(&m->memory, grip__string(value));
    return 1;
}

/* Which of n names a member says; `absent` where it is not there. */
static int read_name(const json_t *in, const char *name, const char *const *names, unsigned n,
                     unsigned absent, struct err_note *note)
{
    const json_t *const value = json_object_get(in, name);

    if (!value)
        return (int)absent;
    for (unsigned i = 0; i < n; i++) {
        if (slice_eq(grip__string(value), slice_str(names[i])))
            return (int)i;
    }
    return BAD(note, "unknown '%s'", name);
}

static int read_channel(struct channel_message *m, const json_t *in, struct err_note *note)
{
    const int found = read_string(m, in, "channel", &m->channel, note);

    return found < 0 ? found : m->channel.n > 0 ? 0 : BAD(note, "there is no 'channel'");
}

static int read_recovery(struct channel_message *m, const json_t *in, struct err_note *note)
{
    const int after = read_string(m, in, "after", &m->after_id, note);
    const int gap = read_string(m, in, "gap", &m->gap, note);

    if (after < 0 || gap < 0)
        return -ERR_SYNTAX;
    m->has_after_id = after > 0;
    m->has_gap = gap > 0;
    return utf8_is_valid(m->gap) ? 0 : BAD(note, "'gap' is not UTF-8");
}

static int read_subscribe(struct channel_message *m, const json_t *in, struct err_note *note)
{
    const json_t *const filters = json_object_get(in, "filters");
    const json_t *name;
    size_t i;

    if (filters && !json_is_array(filters))
        return BAD(note, "'filters' is not a list");
    if (json_array_size(filters) > GRIP_FILTERS_MAX)
        return err_notef(note, -ERR_DENIED, "too many filters");
    json_array_foreach(filters, i, name)
    {
        if (!json_is_string(name))
            return BAD(note, "'filters' holds what is not a string");
        (void)grip__add_filter(&m->filters, grip__string(name));
    }
    return read_recovery(m, in, note) < 0 ? -ERR_SYNTAX : read_channel(m, in, note);
}

static int read_meta(struct channel_message *m, const json_t *in, struct err_note *note)
{
    const int found = read_string(m, in, "name", &m->name, note);
    const int valued = read_string(m, in, "value", &m->value, note);

    if (found < 0 || valued < 0)
        return -ERR_SYNTAX;
    m->has_value = valued > 0;
    return m->name.n > 0 ? 0 : BAD(note, "there is no 'name'");
}

/* --- messages to send --- */

static int read_content(struct channel_message *m, const json_t *in, struct err_note *note)
{
    struct slice text;
    int found = read_string(m, in, "content-bin", &text, note);

    if (found > 0)
        m->content = grip__base64(&m->memory, text);
    else if (found == 0)
        found = read_string(m, in, "content", &m->content, note);
    m->has_content = found > 0;
    return found < 0 ? found : 0;
}

static int read_timeout(struct channel_message *m, const json_t *in, struct err_note *note)
{
    const json_t *const value = json_object_get(in, "timeout");
    int64_t n;

    if (!value)
        return 0;
    if (!json_is_number(value) || !grip__number(value, &n) || n < 0 || n > INT32_MAX)
        return BAD(note, "'timeout' is not a number of seconds");
    m->timeout_s = (uint32_t)MAX(n, 1);
    return 0;
}

/* RFC 6455 5.5, 5.6 */
static bool is_fit(const struct channel_message *m)
{
    if (m->message_type == GRIP_WS_TEXT)
        return utf8_is_valid(m->content);
    return m->message_type == GRIP_WS_BINARY || m->content.n <= WS_CONTROL_MAX;
}

static int read_message(struct channel_message *m, const json_t *in, struct err_note *note)
{
    static const char *const types[] = {"text", "binary", "ping", "pong"};
    static const char *const modes[] = {"idle", "interval"};
    const int type = read_name(in, "message-type", types, COUNT_OF(types), GRIP_WS_TEXT, note);
    const int mode = read_name(in, "mode", modes, COUNT_OF(modes), GRIP_IDLE, note);

    if (type < 0 || mode < 0 || read_content(m, in, note) < 0 || read_timeout(m, in, note) < 0)
        return -ERR_SYNTAX;
    m->message_type = (enum grip_ws_type)type;
    m->mode = (enum grip_keep_alive_mode)mode;
    return is_fit(m) ? 0 : BAD(note, "'content' does not fit its 'message-type'");
}

static int read_keep_alive(struct channel_message *m, const json_t *in, struct err_note *note)
{
    m->timeout_s = GRIP_TIMEOUT_S;
    return read_message(m, in, note);
}

static int read_delayed(struct channel_message *m, const json_t *in, struct err_note *note)
{
    int err;

    m->timeout_s = 1;
    err = read_message(m, in, note);
    return err < 0 || m->has_content ? err : BAD(note, "there is no 'content'");
}

static int read_nothing(struct channel_message *m, const json_t *in, struct err_note *note)
{
    return 0;
}

static int read_object(struct channel_message *m, const json_t *in, struct err_note *note)
{
    static const char *const names[] = {
        [CHANNEL_SUBSCRIBE] = "subscribe",
        [CHANNEL_UNSUBSCRIBE] = "unsubscribe",
        [CHANNEL_DETACH] = "detach",
        [CHANNEL_SET_META] = "set-meta",
        [CHANNEL_KEEP_ALIVE] = "keep-alive",
        [CHANNEL_SEND_DELAYED] = "send-delayed",
        [CHANNEL_FLUSH_DELAYED] = "flush-delayed",
        [CHANNEL_SESSION] = "session",
    };
    static int (*const read[])(struct channel_message *, const json_t *, struct err_note *) = {
        [CHANNEL_SUBSCRIBE] = read_subscribe,   [CHANNEL_UNSUBSCRIBE] = read_channel,
        [CHANNEL_DETACH] = read_nothing,        [CHANNEL_SET_META] = read_meta,
        [CHANNEL_KEEP_ALIVE] = read_keep_alive, [CHANNEL_SEND_DELAYED] = read_delayed,
        [CHANNEL_FLUSH_DELAYED] = read_nothing, [CHANNEL_SESSION] = read_nothing,
    };
    const int type = read_name(in, "type", names, COUNT_OF(names), COUNT_OF(names), note);

    if (type < 0)
        return type;
    if (type == COUNT_OF(names))
        return BAD(note, "there is no 'type'");
    m->type = (enum channel_message_type)type;
    return read[type](m, in, note);
}

int channel_message_parse(struct slice json, struct channel_message *ret, struct err_note *note)
{
    CLEANUP(grip__drop) json_t *root = grip__json(json);
    struct channel_message m = {0};
    int err;

    if (!json_is_object(root))
        return BAD(note, "no JSON object");
    if ((err = read_object(&m, root, note)) < 0) {
        channel_message_done(&m);
        return err;
    }
    *ret = m;
    return 0;
}

void channel_message_done(struct channel_message *m)
{
    arena_done(&m->memory);
}
