#include "edge/origin_builtin.h"

#include "base/enc.h"
#include "wire/http1.h"
#include "wire/woh.h"

enum { TEXT_MAX = 1 << 20, CHANNEL_MAX = 1024 };

static void say(struct origin_builtin *t, uint16_t status, struct slice body)
{
    t->status = status;
    (void)buf_add(&t->head, SLICE("Content-Type: text/plain\n"));
    (void)buf_add(&t->body, body);
}

/* --- the channels of the query --- */

/* Takes the next one off; the first call finds "test" where there is none. */
static bool next_channel(struct slice *query, struct buf *ret)
{
    struct slice part;

    while (slice_split(query, '&', &part)) {
        if (!slice_starts(part, SLICE("channel=")))
            continue;
        buf_clear(ret);
        if (enc_percent_decode(ret, slice_sub(part, 8, SIZE_MAX)) == 0 && ret->n &&
            http1_is_value(buf_slice(ret)))
            return true;
    }
    return false;
}

static void each_channel(struct origin_builtin *t, struct slice query,
                         void (*put)(struct origin_builtin *t, struct slice channel))
{
    CLEANUP(buf_done) struct buf channel = {.max = CHANNEL_MAX};
    bool has_any = false;

    while (next_channel(&query, &channel)) {
        put(t, buf_slice(&channel));
        has_any = true;
    }
    if (!has_any)
        put(t, SLICE("test"));
}

static void put_channel(struct origin_builtin *t, struct slice channel)
{
    (void)buf_addf(&t->head, "Grip-Channel: %.*s\n", SLICE_FMT(channel));
}

static void hold(struct origin_builtin *t, const char *mode, struct slice query, struct slice body)
{
    say(t, 200, body);
    (void)buf_addf(&t->head, "Grip-Hold: %s\n", mode);
    each_channel(t, query, put_channel);
}

/* --- the WebSocket --- */

static void put_subscribe(struct origin_builtin *t, struct slice channel)
{
    CLEANUP(buf_done) struct buf text = {.max = 8 * CHANNEL_MAX};

    (void)buf_add(&text, SLICE("c:{\"type\":\"subscribe\",\"channel\":"));
    (void)enc_json(&text, channel);
    (void)buf_add_byte(&text, '}');
    (void)woh_put(&t->body, WOH_TEXT, buf_slice(&text));
}

/* With a prefix of its own, so that no client can say a control message through the echo. */
static void put_echo(struct origin_builtin *t, const struct woh_event *e)
{
    CLEANUP(buf_done) struct buf text = {.max = TEXT_MAX};

    (void)buf_add(&text, SLICE("m:"));
    (void)buf_add(&text, e->content);
    (void)woh_put(&t->body, e->type, buf_slice(&text));
}

static void answer_event(struct origin_builtin *t, const struct woh_event *e, struct slice query)
{
    if (e->type == WOH_OPEN) {
        (void)buf_add(&t->head, SLICE("Sec-WebSocket-Extensions: grip\n"));
        (void)woh_put(&t->body, WOH_OPEN, SLICE_NONE);
        each_channel(t, query, put_subscribe);
    } else if (e->type == WOH_TEXT || e->type == WOH_BINARY) {
        put_echo(t, e);
    } else if (e->type == WOH_PING) {
        (void)woh_put(&t->body, WOH_PONG, e->content);
    } else if (e->type == WOH_CLOSE) {
        (void)woh_put(&t->body, WOH_CLOSE, e->content);
    }
}

static void answer_events(struct origin_builtin *t, struct slice content, struct slice query)
{
    struct woh_event e;

    t->status = 200;
    (void)buf_add(&t->head, SLICE("Content-Type: " WOH_CONTENT_TYPE "\n"));
    while (woh_next(&content, true, &e) > 0)
        answer_event(t, &e, query);
}

void origin_builtin_answer(struct slice path, bool is_events, struct slice content,
                           struct origin_builtin *ret)
{
    const ptrdiff_t at = slice_find(path, '?');
    const struct slice query = at < 0 ? SLICE_NONE : slice_sub(path, (size_t)at + 1, SIZE_MAX);
    const struct slice name = at < 0 ? path : slice_sub(path, 0, (size_t)at);

    *ret = (struct origin_builtin){0};
    buf_init(&ret->head, TEXT_MAX);
    buf_init(&ret->body, 2 * TEXT_MAX);
    if (is_events && slice_eq(name, SLICE("/ws")))
        answer_events(ret, content, query);
    else if (slice_eq(name, SLICE("/")))
        say(ret, 200, SLICE("Hello from Holdfast's test target!\n"));
    else if (slice_eq(name, SLICE("/response")))
        hold(ret, "response", query, SLICE("nothing for now\n"));
    else if (slice_eq(name, SLICE("/stream")))
        hold(ret, "stream", query, SLICE("[stream opened]\n"));
    else
        say(ret, 404, SLICE("no such test resource\n"));
}

void origin_builtin_done(struct origin_builtin *t)
{
    buf_done(&t->head);
    buf_done(&t->body);
}
