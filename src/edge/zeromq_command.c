/*
 * Commands, as Pushpin has them on its REP socket. All are tnetstrings:
 *
 *   {"id": S, "method": S, "args": {…}}
 *   {"id": S, "success": true, "value": …}  |  {"id": S, "success": false, "condition": S}
 */
#include "edge/relay.h"
#include "edge/zeromq_int.h"
#include "wire/tnet.h"

/* --- replies --- */

static void put_name(struct buf *out, const char *name)
{
    (void)tnet_put_string(out, slice_str(name));
}

/* value: a tnetstring. */
static void succeed(struct buf *members, struct slice value)
{
    put_name(members, "success");
    (void)tnet_put_bool(members, true);
    put_name(members, "value");
    (void)buf_add(members, value);
}

static void fail(struct buf *members, const char *condition)
{
    put_name(members, "success");
    (void)tnet_put_bool(members, false);
    put_name(members, "condition");
    (void)tnet_put_string(members, slice_str(condition));
}

#define NOTHING SLICE("0:~")

/* --- methods --- */

static void get_uris(struct zeromq *z, struct tnet args, struct buf *reply)
{
    struct buf value = {.max = ZEROMQ_REPLY_MAX};

    (void)tnet_put(&value, TNET_MAP, buf_slice(&z->uris));
    succeed(reply, buf_slice(&value));
    buf_done(&value);
}

static void publish(struct zeromq *z, struct tnet args, struct buf *reply)
{
    struct grip_items items;
    struct tnet list;
    struct err_note note;

    if (!tnet_find(args, SLICE("items"), &list) || grip_items_parse_tnet(list, &items, &note) < 0) {
        fail(reply, "bad-request");
        return;
    }
    if (relay_publish(z->edge, &items) < 0)
        fail(reply, "service-unavailable");
    else
        succeed(reply, NOTHING);
    grip_items_done(&items);
}

static void recover(struct zeromq *z, struct tnet args, struct buf *reply)
{
    relay_recover(z->edge);
    succeed(reply, NOTHING);
}

static const struct {
    const char *name;
    void (*run)(struct zeromq *z, struct tnet args, struct buf *reply);
} methods[] = {
    {"get-zmq-uris", get_uris},
    {"publish", publish},
    {"recover", recover},
};

static void run(struct zeromq *z, struct tnet method, struct tnet args, struct buf *reply)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        if (slice_eq(method.bytes, slice_str(methods[i].name))) {
            methods[i].run(z, args, reply);
            return;
        }
    }
    fail(reply, "method-not-found");
}

void zeromq__command(struct zeromq *z, struct slice request, struct buf *reply)
{
    struct buf members = {.max = ZEROMQ_REPLY_MAX / 2};
    struct tnet all, id = {0}, method, args = {.type = TNET_MAP};

    if (tnet_next(&request, &all) > 0 && tnet_find(all, SLICE("id"), &id) &&
        tnet_put_string(&members, SLICE("id")) == 0)
        (void)tnet_put(&members, id.type, id.bytes);
    (void)(id.type && tnet_find(all, SLICE("args"), &args));
    if (id.type && tnet_find(all, SLICE("method"), &method) && args.type == TNET_MAP)
        run(z, method, args, &members);
    else
        fail(&members, "bad-request");
    (void)tnet_put(reply, TNET_MAP, buf_slice(&members));
    buf_done(&members);
}
