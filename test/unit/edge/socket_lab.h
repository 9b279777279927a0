/*
 * A laboratory for WebSockets whose origin the test plays: a client in memory that asks for an
 * upgrade, and the call by which the origin is asked.
 */
#ifndef TEST_UNIT_EDGE_SOCKET_LAB_H
#define TEST_UNIT_EDGE_SOCKET_LAB_H

#include "edge/handshake.h"
#include "edge/relay.h"
#include "edge/upstream.h"
#include "lab.h"
#include "wire/grip_item.h"

struct upstream_call {
    const struct upstream_ops *ops;
    void *arg;
};

static struct lab lab;
static struct http1_server *server;
static struct peer client;
static struct upstream_call call; /* ops NULL: none is under way */
static struct buf fields;         /* that the origin was asked with last */
static int released, cancelled;
static struct socket_start start;                  /* tests may change it before the client comes */
static void (*opens)(const struct socket_start *); /* what is tested */

static inline struct upstream_call *begin_call(struct slice f, const struct upstream_ops *ops,
                                               void *arg)
{
    assert_null(call.ops);
    call = (struct upstream_call){ops, arg};
    buf_clear(&fields);
    (void)buf_add(&fields, f);
    return &call;
}

static inline void credit_call(struct upstream_call *c, size_t n)
{
}

static inline void cancel_call(struct upstream_call *c)
{
    assert_non_null(c->ops);
    c->ops = NULL;
    cancelled++;
}

static inline void release_origin(void *origin)
{
    released++;
}

static inline void open_for_client(void *arg, struct exchange *x)
{
    start.app = lab.app;
    start.exchange = x;
    opens(&start);
}

/* ops: what the origin is asked by. */
static inline void socket_lab_open(const struct app_sockets *sockets,
                                   const struct socket_origin_ops *ops,
                                   void (*open)(const struct socket_start *s), struct slice head)
{
    static const struct http1_server_ops server_ops = {.request = open_for_client};
    const struct http1_options o = {0};
    const struct app_config app = {
        .name = "app", .script = SLICE("x"), .worker_path = "/nowhere", .sockets = *sockets};

    lab_open_with(&lab, &app, 1);
    server = http1_server_open(lab.loop, &o, &server_ops, NULL);
    buf_init(&fields, 1 << 20);
    call.ops = NULL;
    released = cancelled = 0;
    opens = open;
    start = (struct socket_start){.ops = ops, .fields = head};
}

static inline void socket_lab_close(void)
{
    http1_server_close(server);
    peer_close(&client);
    lab_close(&lab);
    buf_done(&fields);
    assert_int_equal(released, 1);
}

static inline void ask_upgrade(void)
{
    static const char text[] = "GET /ws HTTP/1.1\r\nHost: h\r\n" UPGRADE;
    struct stream *s;

    peer_open(&client, lab.loop, &s);
    http1_server_take(server, s);
    peer_say(&client, slice_str(text));
}

/* An item for the channel "w". */
static inline void publish(const char *format)
{
    CLEANUP(buf_done) struct buf b = {.max = 1 << 12};
    struct err_note note = {0};
    struct grip_items items;

    (void)buf_addf(&b, "{\"items\":[{\"channel\":\"w\",\"formats\":{\"ws-message\":%s}}]}", format);
    assert_int_equal(grip_items_parse(buf_slice(&b), &items, &note), 0);
    assert_int_equal(relay_publish(lab.edge, &items), 0);
    grip_items_done(&items);
    loop_advance(lab.loop, 0);
}

#endif
