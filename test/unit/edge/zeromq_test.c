/* The edge's ZeroMQ sockets, spoken to by libzmq's own on loopback. */
#include <stdio.h>
#include <zmq.h>

#include "edge/edge_int.h"
#include "edge/relay.h"
#include "edge/roster.h"
#include "edge/statistics.h"
#include "edge/subscriber.h"
#include "lib/test.h"
#include "wire/grip_item.h"
#include "wire/tnet.h"

enum { TICKS = 2000, TICK_MS = 10 }; /* a test that fails ends after these */

struct lab {
    struct loop *loop;
    struct edge *edge;
    struct log_capture log;
    void *ctx;
    struct subscriber sub;
    struct buf heard; /* one line an item */
};

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    struct lab *lab = CONTAINER_OF(s, struct lab, sub);

    (void)buf_add(&lab->heard, d->channel);
    (void)buf_addf(&lab->heard, "=%.*s\n", SLICE_FMT(d->content));
}

static void on_refresh(struct subscriber *s)
{
    struct lab *lab = CONTAINER_OF(s, struct lab, sub);

    (void)buf_addf(&lab->heard, "refresh\n");
}

static void nothing(struct subscriber *s)
{
}

static const struct subscriber_ops ops = {
    .deliver = on_deliver,
    .close = on_deliver,
    .hint = nothing,
    .recover = nothing,
    .refresh = on_refresh,
};

static struct edge *open_edge(struct lab *lab, const struct zmq_options *zmq, struct err_note *note)
{
    const struct app_config app = {.name = "app", .script = SLICE("x"), .worker_path = "/nowhere"};
    const struct edge_options o = {
        .count = 1,
        .apps = &app,
        .n_apps = 1,
        .log = lab->log.log,
        .grip = {.zmq = *zmq, .control_body = 100000, .message_wait_ms = 500},
    };

    return edge_new(lab->loop, &o, note);
}

static const char *const any[] = {"tcp://127.0.0.1:*", NULL};

static void open_lab_with(struct lab *lab, const struct zmq_options *zmq)
{
    struct err_note note;

    *lab = (struct lab){.loop = loop_new(), .ctx = zmq_ctx_new()};
    buf_init(&lab->heard, 1 << 20);
    log_capture_init(&lab->log, LOG_HUMAN);
    lab->log.log.min = LOG_DEBUG;
    lab->edge = open_edge(lab, zmq, &note);
    if (!lab->edge)
        fail_msg("%s", note.text);
    edge_introduce(&lab->edge, 1);
    edge_begin(lab->edge);
    subscriber_init(&lab->sub, lab->edge, GRIP_WS_MESSAGE, 20, SLICE_NONE, &ops);
}

static void open_lab(struct lab *lab)
{
    const struct zmq_options zmq = {.pull = any, .sub = any, .command = any[0]};

    open_lab_with(lab, &zmq);
}

static void close_lab(struct lab *lab)
{
    subscriber_done(&lab->sub);
    loop_tick(lab->loop, 0);
    edge_free(lab->edge);
    loop_free(lab->loop);
    (void)zmq_ctx_term(lab->ctx);
    buf_done(&lab->heard);
    log_capture_done(&lab->log);
}

static void subscribe(struct lab *lab, const char *channel)
{
    assert_int_equal(subscriber_add(&lab->sub, slice_str(channel), &(struct subscribe){0}), 0);
}

/* A peer of the socket that the log calls `name`. */
static void *peer(struct lab *lab, int type, const char *name)
{
    void *const socket = zmq_socket(lab->ctx, type);
    const struct slice log = buf_slice(&lab->log.lines);
    char text[64], at[64];
    struct slice rest;

    (void)snprintf(text, sizeof(text), "socket=%s at=", name);
    assert_true(slice_find_slice(log, slice_str(text)) >= 0);
    rest = slice_sub(log, (size_t)slice_find_slice(log, slice_str(text)) + strlen(text), 60);
    (void)snprintf(at, sizeof(at), "%.*s", (int)strcspn((const char *)rest.p, " \n"),
                   (const char *)rest.p);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_LINGER, &(int){0}, sizeof(int)), 0);
    assert_int_equal(zmq_connect(socket, at), 0);
    return socket;
}

static void send_text(void *socket, struct slice text, int flags)
{
    assert_int_equal(zmq_send(socket, text.p, text.n, flags), text.n);
}

/* Runs the edge until `text` was heard. */
static void expect(struct lab *lab, const char *text)
{
    for (unsigned i = 0; i < TICKS; i++) {
        if (slice_find_slice(buf_slice(&lab->heard), slice_str(text)) >= 0)
            return;
        loop_tick(lab->loop, TICK_MS);
    }
    fail_msg("heard: %.*s", SLICE_FMT(buf_slice(&lab->heard)));
}

/* The same, until the log has it. */
static void expect_log(struct lab *lab, const char *text)
{
    for (unsigned i = 0; i < TICKS; i++) {
        if (slice_find_slice(buf_slice(&lab->log.lines), slice_str(text)) >= 0)
            return;
        loop_tick(lab->loop, TICK_MS);
    }
    fail_msg("log: %.*s", SLICE_FMT(buf_slice(&lab->log.lines)));
}

TEST(items_are_pulled_in_every_encoding)
{
    struct lab lab;
    void *push;

    open_lab(&lab);
    subscribe(&lab, "c");
    push = peer(&lab, ZMQ_PUSH, "publish-pull");
    send_text(push, SLICE("46:7:channel,1:c,10:ws-message,14:7:content,1:1,}}"), 0);
    send_text(push, SLICE("T46:7:channel,1:c,10:ws-message,14:7:content,1:2,}}"), 0);
    send_text(push, SLICE("J{\"channel\":\"c\",\"formats\":{\"ws-message\":{\"content\":\"3\"}}}"),
              0);
    expect(&lab, "c=1\nc=2\nc=3\n");
    assert_int_equal(lab.edge->stats.zeromq_items, 3);
    (void)zmq_close(push);
    close_lab(&lab);
}

/* Items that wait for their predecessors, until no more may wait. */
static void fill(struct lab *lab)
{
    static char zeroes[1 << 20];
    char id[16], prev[16];
    struct grip_item item = {
        .channel = SLICE("full"),
        .has_id = true,
        .has_prev_id = true,
        .size = -1,
        .formats[GRIP_HTTP_STREAM] = {.has = true, .content = slice_make(zeroes, sizeof(zeroes))}};

    subscribe(lab, "full");
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof(id), "%u", i);
        (void)snprintf(prev, sizeof(prev), "missing-%u", i);
        item.id = slice_str(id);
        item.prev_id = slice_str(prev);
        if (relay_publish(lab->edge, &(struct grip_items){.items = &item, .n = 1}) < 0)
            return;
        loop_tick(lab->loop, 0);
    }
    fail_msg("everything was taken");
}

TEST(items_that_find_no_room_wait_and_so_does_who_sends_more)
{
    struct lab lab;
    uint64_t refused;
    void *push;

    open_lab(&lab);
    subscribe(&lab, "c");
    push = peer(&lab, ZMQ_PUSH, "publish-pull");
    fill(&lab);
    refused = lab.edge->stats.items_refused;
    send_text(push, SLICE("J{\"channel\":\"c\",\"ws-message\":{\"content\":\"1\"}}"), 0);
    send_text(push, SLICE("J{\"channel\":\"c\",\"ws-message\":{\"content\":\"2\"}}"), 0);
    for (unsigned i = 0; i < TICKS && lab.edge->stats.zeromq_items == 0; i++)
        loop_tick(lab.loop, TICK_MS);
    assert_int_equal(lab.edge->stats.zeromq_items, 1);
    assert_true(lab.edge->stats.items_refused > refused);
    expect(&lab, "c=1\nc=2\n");
    assert_int_equal(lab.edge->stats.zeromq_items, 2);
    (void)zmq_close(push);
    close_lab(&lab);
}

TEST(an_edge_may_go_while_items_wait)
{
    struct lab lab;
    void *push;

    open_lab(&lab);
    push = peer(&lab, ZMQ_PUSH, "publish-pull");
    fill(&lab);
    send_text(push, SLICE("J{\"channel\":\"c\",\"ws-message\":{\"content\":\"1\"}}"), 0);
    for (unsigned i = 0; i < TICKS && lab.edge->stats.zeromq_items == 0; i++)
        loop_tick(lab.loop, TICK_MS);
    (void)zmq_close(push);
    close_lab(&lab);
}

TEST(what_is_no_item_is_refused_and_logged)
{
    struct lab lab;
    void *push;

    open_lab(&lab);
    subscribe(&lab, "c");
    push = peer(&lab, ZMQ_PUSH, "publish-pull");
    send_text(push, SLICE("nonsense"), 0);
    send_text(push, SLICE("two"), ZMQ_SNDMORE);
    send_text(push, SLICE("parts"), ZMQ_SNDMORE);
    send_text(push, SLICE("or three"), 0);
    send_text(push, SLICE("J{\"channel\":\"c\",\"ws-message\":{\"content\":\"after\"}}"), 0);
    expect(&lab, "c=after\n");
    expect_log(&lab, "message is neither a tnetstring nor JSON");
    expect_log(&lab, "message has a wrong number of parts");
    assert_int_equal(lab.edge->stats.zeromq_refused, 2);
    (void)zmq_close(push);
    close_lab(&lab);
}

/* An XPUB socket hears of subscriptions: 1 and the topic, or 0 and the topic. */
static void expect_topic(struct lab *lab, void *xpub, struct slice want)
{
    char room[64];

    for (unsigned i = 0; i < TICKS; i++) {
        const int n = zmq_recv(xpub, room, sizeof(room), ZMQ_DONTWAIT);

        if (n >= 0) {
            assert_true(slice_eq(slice_make(room, (size_t)n), want));
            return;
        }
        loop_tick(lab->loop, TICK_MS);
    }
    fail_msg("nobody subscribed");
}

TEST(publishers_hear_which_channels_are_wanted)
{
    struct lab lab;
    void *xpub;

    open_lab(&lab);
    xpub = peer(&lab, ZMQ_XPUB, "publish-sub");
    subscribe(&lab, "news");
    expect_topic(&lab, xpub, SLICE("\1news"));
    send_text(xpub, SLICE("news"), ZMQ_SNDMORE);
    send_text(xpub, SLICE("J{\"channel\":\"other\",\"ws-message\":{\"content\":\"hi\"}}"), 0);
    expect(&lab, "news=hi\n");
    assert_true(subscriber_remove(&lab.sub, SLICE("news")));
    expect_topic(&lab, xpub, SLICE("\0news"));
    (void)zmq_close(xpub);
    close_lab(&lab);
}

/* Sends a command and gives its reply to look at. */
static struct tnet ask(struct lab *lab, void *req, struct slice command, char *room, size_t size)
{
    struct slice in;
    struct tnet t;
    int n = -1;

    send_text(req, command, 0);
    for (unsigned i = 0; n < 0 && i < TICKS; i++) {
        loop_tick(lab->loop, TICK_MS);
        n = zmq_recv(req, room, size, ZMQ_DONTWAIT);
    }
    assert_true(n > 0);
    in = slice_make(room, (size_t)n);
    assert_int_equal(tnet_next(&in, &t), 1);
    assert_int_equal(t.type, TNET_MAP);
    return t;
}

static void expect_member(struct tnet map, const char *name, struct slice want)
{
    struct tnet value;

    assert_true(tnet_find(map, slice_str(name), &value));
    assert_true(slice_eq(value.bytes, want));
}

#define ASK(command) ask(&lab, req, SLICE(command), room, sizeof(room))

TEST(commands_are_answered)
{
    struct lab lab;
    char room[1024];
    struct tnet reply, value;
    void *req;

    open_lab(&lab);
    subscribe(&lab, "c");
    req = peer(&lab, ZMQ_REQ, "command");
    reply = ASK("34:2:id,1:7#6:method,12:get-zmq-uris,}");
    expect_member(reply, "id", SLICE("7"));
    expect_member(reply, "success", SLICE("true"));
    assert_true(tnet_find(reply, SLICE("value"), &value) &&
                tnet_find(value, SLICE("publish-sub"), &value));
    assert_true(slice_starts(value.bytes, SLICE("tcp://127.0.0.1:")));
    reply = ASK("106:2:id,1:a,6:method,7:publish,4:args,67:5:items,55:51:7:channel,1:c,10:ws-"
                "message,19:7:content,6:packet,}}]}}");
    expect_member(reply, "success", SLICE("true"));
    expect_member(reply, "value", SLICE(""));
    expect(&lab, "c=packet\n");
    expect_member(ASK("28:2:id,1:a,6:method,7:recover,}"), "success", SLICE("true"));
    (void)zmq_close(req);
    close_lab(&lab);
}

#define CHECK "100:2:id,1:a,6:method,9:conncheck,4:args,59:3:ids,49:36:%s,6:nobody,]}}"
#define REFRESH "85:2:id,1:a,6:method,7:refresh,4:args,46:3:cid,36:%s,}}"
#define CHANNEL "53:2:id,1:a,6:method,7:refresh,4:args,14:7:channel,1:c,}}"
#define NOTHING "38:2:id,1:a,6:method,7:refresh,4:args,0:}}"

static void on_seat_refresh(void *arg)
{
    (*(unsigned *)arg)++;
}

/* A command with one name: what stands around it was counted by hand. */
static struct slice with_name(char *room, size_t size, const char *form, const char *name)
{
    const int n = snprintf(room, size, form, name);

    assert_true(n > 0 && (size_t)n < size);
    return slice_make(room, (size_t)n);
}

TEST(clients_are_asked_for_by_their_id)
{
    struct lab lab;
    char room[1024], command[256], name[ROSTER_NAME + 1];
    unsigned refreshed = 0;
    struct tnet reply, value;
    uint64_t seat;
    void *req;

    open_lab(&lab);
    subscribe(&lab, "c");
    req = peer(&lab, ZMQ_REQ, "command");
    seat = roster_add(lab.edge, on_seat_refresh, &refreshed);
    roster_name(seat, name);
    reply = ask(&lab, req, with_name(command, sizeof(command), CHECK, name), room, sizeof(room));
    assert_true(tnet_find(reply, SLICE("value"), &value));
    assert_true(slice_ends(value.bytes, SLICE(",")) && value.bytes.n == 40);
    reply = ask(&lab, req, with_name(command, sizeof(command), REFRESH, name), room, sizeof(room));
    expect_member(reply, "success", SLICE("true"));
    assert_int_equal(refreshed, 1);
    roster_drop(lab.edge, seat);
    reply = ask(&lab, req, with_name(command, sizeof(command), REFRESH, name), room, sizeof(room));
    expect_member(reply, "condition", SLICE("item-not-found"));
    expect_member(ASK(CHANNEL), "success", SLICE("true"));
    expect(&lab, "refresh\n");
    expect_member(ASK(NOTHING), "condition", SLICE("bad-request"));
    (void)zmq_close(req);
    close_lab(&lab);
}

TEST(commands_that_are_wrong_are_answered_too)
{
    struct lab lab;
    char room[1024];
    struct tnet reply;
    void *req;

    open_lab(&lab);
    req = peer(&lab, ZMQ_REQ, "command");
    reply = ASK("28:2:id,1:a,6:method,7:explode,}");
    expect_member(reply, "id", SLICE("a"));
    expect_member(reply, "success", SLICE("false"));
    expect_member(reply, "condition", SLICE("method-not-found"));
    expect_member(ASK("28:2:id,1:a,6:method,7:publish,}"), "condition", SLICE("bad-request"));
    expect_member(ASK("9:2:id,1:a,}"), "condition", SLICE("bad-request"));
    expect_member(ASK("nonsense"), "condition", SLICE("bad-request"));
    (void)zmq_close(req);
    close_lab(&lab);
}

/* A SUB socket for everything. */
static void *listener(struct lab *lab)
{
    void *const sub = peer(lab, ZMQ_SUB, "stats");

    assert_int_equal(zmq_setsockopt(sub, ZMQ_SUBSCRIBE, "", 0), 0);
    return sub;
}

/* The next message that is no report, which come all the time. */
static void expect_line(struct lab *lab, void *sub, const char *want)
{
    char room[512];

    for (unsigned i = 0; i < TICKS; i++) {
        const int n = zmq_recv(sub, room, sizeof(room) - 1, ZMQ_DONTWAIT);

        if (n < 0) {
            loop_tick(lab->loop, TICK_MS);
            continue;
        }
        room[n] = 0;
        if (want[0] == 'r' ? room[0] == 'r' : room[0] != 'r') {
            if (slice_starts(slice_str(room), slice_str(want)))
                return;
            fail_msg("wanted %s, heard %s", want, room);
        }
    }
    fail_msg("nothing was said");
}

TEST(statistics_say_who_is_here_and_who_listens)
{
    const struct zmq_options zmq = {.stats = any, .stats_json = true, .stats_report_ms = 1000};
    struct lab lab;
    char name[ROSTER_NAME + 1], line[200];
    uint64_t seat;
    void *sub;

    open_lab_with(&lab, &zmq);
    sub = listener(&lab);
    expect_line(&lab, sub, "report J{\"connections\":0,\"minutes\":0,\"received\":0,\"sent\":0,");
    seat = roster_add(lab.edge, NULL, &lab);
    statistics_conn(lab.edge, seat, NULL, true);
    roster_name(seat, name);
    (void)snprintf(line, sizeof(line),
                   "conn J{\"id\":\"%s\",\"type\":\"ws\",\"ttl\":120,\"from\":\"holdfast\"}", name);
    expect_line(&lab, sub, line);
    subscribe(&lab, "c");
    expect_line(&lab, sub, "sub J{\"mode\":\"ws\",\"channel\":\"c\",\"ttl\":60,\"subscribers\":1,");
    assert_true(subscriber_remove(&lab.sub, SLICE("c")));
    expect_line(&lab, sub, "sub J{\"mode\":\"ws\",\"channel\":\"c\",\"unavailable\":true,");
    roster_drop(lab.edge, seat);
    (void)snprintf(line, sizeof(line), "conn J{\"id\":\"%s\",\"unavailable\":true,", name);
    expect_line(&lab, sub, line);
    lab.edge->stats.requests_origin += 3;
    expect_line(&lab, sub, "activity J{\"count\":3,");
    expect_line(&lab, sub, "counts J{\"requests-received\":3,");
    (void)zmq_close(sub);
    close_lab(&lab);
}

TEST(statistics_as_tnetstrings_say_it_again_in_time)
{
    const struct zmq_options zmq = {
        .stats = any, .stats_from = "x", .stats_sub_ms = 1000, .stats_report_ms = 1000};
    struct lab lab;
    void *sub;

    open_lab_with(&lab, &zmq);
    sub = listener(&lab);
    expect_line(&lab, sub, "report T");
    subscribe(&lab, "c");
    for (unsigned i = 0; i < 2; i++)
        expect_line(&lab, sub,
                    "sub T66:4:mode,2:ws,7:channel,1:c,3:ttl,1:1#11:subscribers,1:1#4:from,1:x,}");
    (void)zmq_close(sub);
    close_lab(&lab);
}

TEST(an_address_that_cannot_be_used_is_told)
{
    const struct zmq_options zmq = {.command = "tcp://nowhere.invalid:x"};
    struct lab lab = {.loop = loop_new()};
    struct err_note note = {0};

    assert_null(open_edge(&lab, &zmq, &note));
    assert_non_null(strstr(note.text, "ZeroMQ command at tcp://nowhere.invalid:x: "));
    loop_free(lab.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_pulled_in_every_encoding),
        cmocka_unit_test(items_that_find_no_room_wait_and_so_does_who_sends_more),
        cmocka_unit_test(an_edge_may_go_while_items_wait),
        cmocka_unit_test(what_is_no_item_is_refused_and_logged),
        cmocka_unit_test(publishers_hear_which_channels_are_wanted),
        cmocka_unit_test(commands_are_answered),
        cmocka_unit_test(clients_are_asked_for_by_their_id),
        cmocka_unit_test(commands_that_are_wrong_are_answered_too),
        cmocka_unit_test(statistics_say_who_is_here_and_who_listens),
        cmocka_unit_test(statistics_as_tnetstrings_say_it_again_in_time),
        cmocka_unit_test(an_address_that_cannot_be_used_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
