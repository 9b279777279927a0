/*
 * A laboratory for HTTP holds: clients in memory, an origin that the test plays, and items that it
 * publishes. What is asked of the origin is written down, one line each: "GET uri", "POST uri" and
 * "again", with the Grip-Last lines behind it.
 */
#ifndef TEST_UNIT_EDGE_GRIP_LAB_H
#define TEST_UNIT_EDGE_GRIP_LAB_H

#include "edge/grip_hold_int.h"
#include "edge/relay.h"
#include "lab.h"
#include "wire/grip_item.h"

struct upstream_call {
    const struct upstream_ops *ops; /* NULL: over */
    void *arg;
    size_t credit;
};

static struct lab lab;
static struct http1_server *server;
static struct buf asked;
static struct upstream_call *calls[20000]; /* of fetch(), in their order */
static unsigned n_calls;
static unsigned n_origins;             /* that are the holds' */
static struct reply given_back;        /* by again() */
static struct upstream_call *response; /* the one that the last hold was opened with */
static struct upstream_call *dead[40000];
static unsigned n_dead;

/* How the next request is answered. */
static struct {
    unsigned status;
    const char *head;
    const char *prefix;
    const char *last_event_id;
    const char *const *subs;
    bool debug, is_large;
} how;

static inline struct upstream_call *call_new(const struct upstream_ops *ops, void *arg)
{
    struct upstream_call *c = mem_new(sizeof(*c));

    *c = (struct upstream_call){ops, arg, UPSTREAM_WINDOW};
    dead[n_dead++] = c; /* freed at the end, so that a late verb would be seen */
    return c;
}

static inline void given_body(void *arg, struct slice bytes, bool end)
{
    (void)arg;
    (void)bytes;
    (void)end;
}

static inline void given_taken(void *arg, size_t n)
{
    (void)arg;
    (void)n;
}

static inline void given_closed(void *arg, int err)
{
    (void)arg;
    (void)err;
    given_back = (struct reply){0};
}

static const struct exchange_ops given_facts = {given_body, given_taken, given_closed};

static inline void origin_again(void *origin, struct reply take_reply, struct slice last)
{
    n_origins--;
    mem_free(origin);
    given_back = take_reply;
    reply_attach(take_reply, &given_facts, NULL);
    (void)buf_addf(&asked, "again\n%.*s", SLICE_FMT(last));
}

static inline struct upstream_call *origin_fetch(void *origin, const struct grip_fetch *f,
                                                 const struct upstream_ops *ops, void *arg)
{
    assert_non_null(origin);
    (void)buf_addf(&asked, "%.*s %.*s\n%.*s", SLICE_FMT(f->method), SLICE_FMT(f->uri),
                   SLICE_FMT(f->last));
    return calls[n_calls++] = call_new(ops, arg);
}

static inline void origin_attach(struct upstream_call *c, const struct upstream_ops *ops, void *arg)
{
    c->ops = ops;
    c->arg = arg;
}

static inline void origin_credit(struct upstream_call *c, size_t n)
{
    assert_non_null(c->ops);
    c->credit += n;
}

static inline void origin_cancel(struct upstream_call *c)
{
    assert_non_null(c->ops);
    c->ops = NULL;
}

static inline void origin_trim(void *origin)
{
    assert_non_null(origin);
}

static inline void origin_release(void *origin)
{
    n_origins--;
    mem_free(origin);
}

static const struct grip_origin_ops origin_ops = {
    origin_again,  origin_fetch, origin_attach,  origin_credit,
    origin_cancel, origin_trim,  origin_release,
};

/* The head of a response has come for that reply. */
static inline void respond_to(struct reply reply, bool is_head)
{
    const struct upstream_response r = {
        .status = (uint16_t)(how.status ? how.status : 200),
        .head = slice_str(how.head),
        .target = SLICE("127.0.0.1:80"),
        .subs = how.subs,
    };

    n_origins++;
    response = call_new(NULL, NULL);
    grip_hold_open(&(struct grip_hold_start){
        .app = lab.app,
        .take_reply = reply,
        .ops = &origin_ops,
        .origin = mem_new(1),
        .take_call = response,
        .response = &r,
        .uri = SLICE("http://h/a/b?c"),
        .prefix = slice_str(how.prefix),
        .route = &how,
        .last_event_id = slice_str(how.last_event_id),
        .debug = how.debug,
        .is_head = is_head,
        .is_large = how.is_large,
    });
}

static inline void on_lab_request(void *arg, struct exchange *x)
{
    (void)arg;
    respond_to(reply_to_client(x), slice_eq(exchange_request(x)->method, SLICE("HEAD")));
}

static const struct http1_server_ops lab_server_ops = {.request = on_lab_request};

/* Somebody listens on the channels of the tests already, so that they are known for a while and
 * nothing is refreshed a second after a test's beginning. */
static struct subscriber keeper;

static inline void keeper_told(struct subscriber *s)
{
    (void)s;
}

static inline void keeper_heard(struct subscriber *s, const struct delivery *d)
{
    (void)s;
    (void)d;
}

static inline void keep_channels(void)
{
    static const struct subscriber_ops ops = {keeper_heard, keeper_heard, keeper_told, keeper_told,
                                              keeper_told};
    static const char *const names[] = {"a", "b", "c", "pre-c1"};
    const struct subscribe plain = {0};

    subscriber_init(&keeper, lab.edge, GRIP_WS_MESSAGE, 10, SLICE_NONE, &ops);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)subscriber_add(&keeper, slice_str(names[i]), &plain);
    loop_advance(lab.loop, 2000);
}

static inline int grip_lab_open(void **state)
{
    (void)state;
    lab_open(&lab);
    keep_channels();
    server = http1_server_open(lab.loop, &(struct http1_options){0}, &lab_server_ops, NULL);
    buf_init(&asked, 16 << 20);
    n_calls = n_dead = n_origins = 0;
    memset(&how, 0, sizeof(how));
    return 0;
}

static inline int grip_lab_close(void **state)
{
    (void)state;
    http1_server_close(server);
    loop_advance(lab.loop, 0);
    grip_holds_free(lab.app);
    subscriber_done(&keeper);
    assert_int_equal(n_origins, 0);
    lab_close(&lab);
    buf_done(&asked);
    while (n_dead)
        mem_free(dead[--n_dead]);
    return 0;
}

/* --- clients and the origin --- */

static inline void say_request(struct peer *c, const char *request)
{
    struct stream *s;

    peer_open(c, lab.loop, &s);
    http1_server_take(server, s);
    peer_say(c, slice_str(request));
}

static inline void origin_body(struct upstream_call *c, const char *bytes)
{
    assert_non_null(c->ops);
    assert_true(strlen(bytes) <= c->credit);
    c->credit -= strlen(bytes);
    c->ops->body(c->arg, slice_str(bytes));
}

static inline void origin_end(struct upstream_call *c)
{
    const struct upstream_ops *ops = c->ops;

    assert_non_null(ops);
    c->ops = NULL;
    ops->ended(c->arg);
    loop_advance(lab.loop, 0);
}

static inline void origin_fail(struct upstream_call *c, enum upstream_reached reached)
{
    const struct upstream_ops *ops = c->ops;

    assert_non_null(ops);
    c->ops = NULL;
    ops->failed(c->arg, reached, -ERR_REFUSED, SLICE("Unable to connect to any targets."));
    loop_advance(lab.loop, 0);
}

/* A client asks, and the origin's whole response is this. */
static inline void hold(struct peer *c, const char *head, const char *body)
{
    how.head = head;
    say_request(c, "GET /a/b?c HTTP/1.1\r\nHost: h\r\n\r\n");
    if (*body)
        origin_body(response, body);
    origin_end(response);
}

/* The origin's response to the newest link that was fetched. */
static inline void origin_answers(struct upstream_call *c, unsigned status, const char *head,
                                  const char *body)
{
    const struct upstream_response r = {.status = (uint16_t)status, .head = slice_str(head)};

    assert_non_null(c->ops);
    c->ops->response(c->arg, &r);
    if (c->ops && *body)
        origin_body(c, body);
    if (c->ops)
        origin_end(c);
    loop_advance(lab.loop, 0);
}

/* The client is gone. */
static inline void leave(struct peer *c)
{
    client_cut(c);
    peer_close(c);
}

static inline void expect_asked(const char *lines)
{
    loop_advance(lab.loop, 0);
    assert_int_equal(buf_add_byte(&asked, 0), 0);
    assert_string_equal((char *)asked.p, lines);
    buf_clear(&asked);
}

/* --- publishing --- */

/* One item's JSON. */
static inline void publish(const char *item)
{
    CLEANUP(buf_done) struct buf json = {.max = 4 << 20};
    struct grip_items items = {0};
    struct err_note note = {0};

    (void)buf_addf(&json, "{\"items\":[%s]}", item);
    if (grip_items_parse(buf_slice(&json), &items, &note) < 0)
        fail_msg("%s: %s", item, note.text);
    assert_int_equal(relay_publish(lab.edge, &items), 0);
    grip_items_done(&items);
    loop_advance(lab.loop, 0);
}

#define STREAM(channel, content)                                                                   \
    "{\"channel\":\"" channel "\",\"formats\":{\"http-stream\":{\"content\":\"" content "\"}}}"
#define STREAM_ID(channel, id, prev, content)                                                      \
    "{\"channel\":\"" channel "\",\"id\":\"" id "\",\"prev-id\":\"" prev                           \
    "\",\"formats\":{\"http-stream\":{\"content\":\"" content "\"}}}"
#define RESPONSE(channel, fields)                                                                  \
    "{\"channel\":\"" channel "\",\"formats\":{\"http-response\":{" fields "}}}"

/* --- what clients hear --- */

/* The body of a chunked response so far, without its framing. */
static inline void heard_body(struct peer *c, struct buf *out)
{
    struct slice in = peer_heard(c);
    const ptrdiff_t head = slice_find_slice(in, SLICE("\r\n\r\n"));

    buf_init(out, 64 << 20);
    if (head < 0)
        return;
    (void)slice_take(&in, (size_t)head + 4);
    while (in.n) {
        struct slice line;
        size_t n;

        assert_true(slice_split(&in, '\n', &line));
        n = strtoul((const char *)line.p, NULL, 16);
        if (n == 0 && line.n > 1) {
            (void)buf_add(out, SLICE("<end>"));
            return;
        }
        (void)buf_add(out, slice_sub(in, 0, n));
        (void)slice_take(&in, MIN(n + 2, in.n));
    }
}

static inline void expect_body(struct peer *c, const char *want)
{
    CLEANUP(buf_done) struct buf body = {0};

    heard_body(c, &body);
    body.max++;
    assert_int_equal(buf_add_byte(&body, 0), 0);
    assert_string_equal((char *)body.p, want);
}

#endif
