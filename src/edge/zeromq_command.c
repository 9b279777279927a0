/*
 * Commands, as Pushpin has them on its REP socket. All are tnetstrings:
 *
 *   {"id": S, "method": S, "args": {…}}
 *   {"id": S, "success": true, "value": …}
 *   {"id": S, "success": false, "condition": S, "value": S for people, or absent}
 *
 *   get-zmq-uris                      the addresses of the sockets
 *   publish    items: [item, …]       as wire/grip_item.h reads them
 *   recover                           all ids are forgotten, all holds refreshed
 *   refresh    cid: S  or  channel: S the origin of that WebSocket (or of those) is asked now
 *   conncheck  ids: [S, …]            those of them that are open
 */
#include "edge/relay.h"
#include "edge/roster.h"
#include "edge/zeromq_int.h"
#include "wire/tnet.h"

/* --- replies --- */

/* {"id": …, "success": …} and more members. */
static void reply(struct zeromq *z, struct tnet id, bool success, struct slice more)
{
    CLEANUP(buf_done) struct buf members = {.max = ZEROMQ_REPLY_MAX};
    CLEANUP(buf_done) struct buf out = {.max = ZEROMQ_REPLY_MAX};

    if (id.type && tnet_put_string(&members, SLICE("id")) == 0)
        (void)tnet_put(&members, id.type, id.bytes);
    (void)tnet_put_string(&members, SLICE("success"));
    (void)tnet_put_bool(&members, success);
    if (buf_add(&members, more) < 0 || tnet_put(&out, TNET_MAP, buf_slice(&members)) < 0)
        buf_clear(&out); /* whoever asked such a thing hears nothing in it */
    zeromq__reply(z, buf_slice(&out));
}

/* value: a tnetstring; empty: null. */
static void succeed(struct zeromq *z, struct tnet id, struct slice value)
{
    CLEANUP(buf_done) struct buf more = {.max = ZEROMQ_REPLY_MAX};

    (void)tnet_put_string(&more, SLICE("value"));
    if (value.n)
        (void)buf_add(&more, value);
    else
        (void)tnet_put_null(&more);
    reply(z, id, true, buf_slice(&more));
}

/* why, for people, may be empty. */
static void fail_why(struct zeromq *z, struct tnet id, const char *condition, const char *why)
{
    CLEANUP(buf_done) struct buf more = {.max = ZEROMQ_REPLY_MAX};

    (void)tnet_put_string(&more, SLICE("condition"));
    (void)tnet_put_string(&more, slice_str(condition));
    if (why[0]) {
        (void)tnet_put_string(&more, SLICE("value"));
        (void)tnet_put_string(&more, slice_str(why));
    }
    reply(z, id, false, buf_slice(&more));
}

static void fail(struct zeromq *z, struct tnet id, const char *condition)
{
    fail_why(z, id, condition, "");
}

/* --- questions to all edges: answered later --- */

/* The id and the argument of the command that z->question keeps. */
static bool find_question(struct zeromq *z, const char *name, struct tnet *ret_id,
                          struct tnet *ret_argument)
{
    struct slice in = buf_slice(&z->question);
    struct tnet all, args;

    if (tnet_next(&in, &all) <= 0 || !tnet_find(all, SLICE("args"), &args))
        return false;
    (void)tnet_find(all, SLICE("id"), ret_id);
    return tnet_find(args, slice_str(name), ret_argument);
}

static void on_refreshed(void *arg, const struct roster_call *call)
{
    struct zeromq *z = arg;
    struct tnet id = {0}, cid;

    (void)find_question(z, "cid", &id, &cid);
    if (call->found[0])
        succeed(z, id, SLICE_NONE);
    else
        fail(z, id, "item-not-found");
}

static void on_checked(void *arg, const struct roster_call *call)
{
    CLEANUP(buf_done) struct buf names = {.max = ZEROMQ_REPLY_MAX};
    CLEANUP(buf_done) struct buf value = {.max = ZEROMQ_REPLY_MAX};
    struct zeromq *z = arg;
    struct tnet id = {0}, ids = {0}, name;

    (void)find_question(z, "ids", &id, &ids);
    for (size_t i = 0; i < call->n && tnet_next(&ids.bytes, &name) > 0; i++)
        if (call->found[i])
            (void)tnet_put_string(&names, name.bytes);
    (void)tnet_put(&value, TNET_LIST, buf_slice(&names));
    succeed(z, id, buf_slice(&value));
}

static void ask(struct zeromq *z, struct slice request, struct roster_call take_call,
                void (*done)(void *arg, const struct roster_call *call))
{
    take_call.found = mem_new(MAX(take_call.n, 1) * sizeof(take_call.found[0]));
    buf_clear(&z->question);
    (void)buf_add(&z->question, request);
    roster_ask(z->edge, take_call, done, z);
}

static int refresh_one(struct zeromq *z, struct slice request, struct slice name)
{
    struct roster_call call = {.refresh = true, .n = 1, .seats = mem_new(sizeof(uint64_t))};

    call.seats[0] = roster_seat(name);
    ask(z, request, call, on_refreshed);
    return 0;
}

static int refresh_channel(struct zeromq *z, struct tnet id, struct slice channel)
{
    struct grip_item item = {.channel = channel, .no_seq = true, .size = -1};
    const struct grip_items items = {.items = &item, .n = 1};

    item.formats[GRIP_WS_MESSAGE] = (struct grip_format){.has = true, .action = GRIP_REFRESH};
    if (relay_publish(z->edge, &items) < 0)
        fail(z, id, "service-unavailable");
    else
        succeed(z, id, SLICE_NONE);
    return 0;
}

/* --- methods: what they do not understand, -ERR_SYNTAX --- */

struct command {
    struct slice request;
    struct tnet id;
    struct tnet args;
};

static int get_uris(struct zeromq *z, const struct command *c)
{
    CLEANUP(buf_done) struct buf value = {.max = ZEROMQ_REPLY_MAX};

    (void)tnet_put(&value, TNET_MAP, buf_slice(&z->uris));
    succeed(z, c->id, buf_slice(&value));
    return 0;
}

static int publish(struct zeromq *z, const struct command *c)
{
    struct err_note note = {"Invalid format: object does not contain 'items'"};
    struct grip_items items;
    struct tnet list;

    if (!tnet_find(c->args, SLICE("items"), &list) ||
        grip_items_parse_tnet(list, &items, &note) < 0) {
        fail_why(z, c->id, "bad-request", note.text);
        return 0;
    }
    if (relay_publish(z->edge, &items) < 0)
        fail(z, c->id, "service-unavailable");
    else
        succeed(z, c->id, SLICE_NONE);
    grip_items_done(&items);
    return 0;
}

static int recover(struct zeromq *z, const struct command *c)
{
    relay_recover(z->edge);
    succeed(z, c->id, SLICE_NONE);
    return 0;
}

static int refresh(struct zeromq *z, const struct command *c)
{
    struct tnet what;

    if (tnet_find(c->args, SLICE("cid"), &what) && what.type == TNET_STRING)
        return refresh_one(z, c->request, what.bytes);
    if (tnet_find(c->args, SLICE("channel"), &what) && what.type == TNET_STRING)
        return refresh_channel(z, c->id, what.bytes);
    return -ERR_SYNTAX;
}

static int conncheck(struct zeromq *z, const struct command *c)
{
    struct roster_call call = {0};
    struct tnet ids, name;
    struct slice rest;
    int r;

    if (!tnet_find(c->args, SLICE("ids"), &ids) || ids.type != TNET_LIST)
        return -ERR_SYNTAX;
    for (rest = ids.bytes; (r = tnet_next(&rest, &name)) > 0 && name.type == TNET_STRING;)
        call.n++;
    if (r != 0)
        return -ERR_SYNTAX;
    call.seats = mem_new(MAX(call.n, 1) * sizeof(call.seats[0]));
    for (size_t i = 0; tnet_next(&ids.bytes, &name) > 0; i++)
        call.seats[i] = roster_seat(name.bytes);
    ask(z, c->request, call, on_checked);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct zeromq *z, const struct command *c);
} methods[] = {
    {"get-zmq-uris", get_uris}, {"publish", publish},     {"recover", recover},
    {"refresh", refresh},       {"conncheck", conncheck},
};

static void run(struct zeromq *z, struct slice method, const struct command *c)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (!slice_eq(method, slice_str(methods[i].name)))
            continue;
        if (methods[i].run(z, c) < 0)
            fail(z, c->id, "bad-request");
        return;
    }
    fail(z, c->id, "method-not-found");
}

void zeromq__command(struct zeromq *z, struct slice request)
{
    struct command c = {.request = request, .args = {.type = TNET_MAP}};
    struct slice rest = request;
    struct tnet all, method;

    if (tnet_next(&rest, &all) <= 0)
        all = (struct tnet){0};
    (void)tnet_find(all, SLICE("id"), &c.id);
    (void)tnet_find(all, SLICE("args"), &c.args);
    if (tnet_find(all, SLICE("method"), &method) && c.args.type == TNET_MAP)
        run(z, method.bytes, &c);
    else
        fail(z, c.id, "bad-request");
}
