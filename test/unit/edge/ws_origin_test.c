/* The test plays an origin that speaks WebSocket: a connection of ours to a peer in memory. */
#include "edge/ws_origin.h"

#include "socket_lab.h"

static struct peer origin;
static bool is_connected;

static struct upstream_call *connect_origin(void *arg, struct slice f,
                                            const struct upstream_ops *ops, void *ops_arg)
{
    return begin_call(f, ops, ops_arg);
}

static const struct socket_origin_ops origin_ops = {.connect = connect_origin,
                                                    .credit = credit_call,
                                                    .cancel = cancel_call,
                                                    .release = release_origin};

static void connect_client(void)
{
    ask_upgrade();
    assert_non_null(call.ops);
}

static void accept_with(const char *head)
{
    const struct upstream_call c = call;
    struct upstream_response r = {.status = 101, .head = slice_str(head)};
    struct stream *s;

    peer_open(&origin, lab.loop, &s);
    is_connected = true;
    r.socket = websocket_open(s, true, SLICE_NONE, &lab.app->ws);
    call.ops = NULL;
    c.ops->response(c.arg, &r);
    loop_advance(lab.loop, 0);
}

static void open_socket(const char *head)
{
    connect_client();
    accept_with(head);
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
    peer_forget(&client);
}

/* What the origin heard since the last time, as opcode, payload and a semicolon. */
static void expect_origin(const char *want)
{
    struct slice in;
    char got[512] = "";
    size_t n = 0;

    loop_advance(lab.loop, 0);
    in = peer_heard(&origin);
    while (in.n >= 6) {
        const struct slice head = slice_take(&in, 6);
        const struct slice payload = slice_take(&in, head.p[1] & 127);

        n += (size_t)snprintf(got + n, sizeof(got) - n, "%x", head.p[0] & 15);
        for (size_t i = 0; i < payload.n; i++)
            got[n++] = (char)(payload.p[i] ^ head.p[2 + i % 4]);
        got[n++] = ';';
        got[n] = '\0';
    }
    assert_string_equal(got, want);
    peer_forget(&origin);
}

static void expect_client(struct slice bytes)
{
    loop_advance(lab.loop, 0);
    peer_expect(&client, bytes);
}

static int begin(void **state)
{
    socket_lab_open(&(struct app_sockets){.ping_ms = APP_NEVER, .uncompressed = true}, &origin_ops,
                    ws_origin_open,
                    SLICE("Cookie: a=b\nSec-WebSocket-Extensions: permessage-deflate\n"));
    is_connected = false;
    return 0;
}

static int end(void **state)
{
    if (is_connected)
        peer_close(&origin);
    socket_lab_close();
    return 0;
}

TEST(an_upgrade_is_answered_when_the_origin_has_accepted)
{
    connect_client();
    expect_client(SLICE(""));
    assert_true(
        slice_eq(buf_slice(&fields), SLICE("Cookie: a=b\nSec-WebSocket-Extensions: grip\n")));
    accept_with("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Extensions: grip\n");
    assert_true(client_heard(&client, "Sec-WebSocket-Protocol: chat\r\n"));
    assert_false(client_heard(&client, "Extensions"));
}

TEST(a_refusal_is_relayed)
{
    const struct upstream_response r = {
        .status = 403, .reason = SLICE("No"), .head = SLICE("X-Why: no\n")};
    struct upstream_call c;

    connect_client();
    c = call;
    c.ops->response(c.arg, &r);
    c.ops->body(c.arg, SLICE("text"));
    call.ops = NULL;
    c.ops->ended(c.arg);
    loop_advance(lab.loop, 0);
    assert_true(client_heard(&client, "HTTP/1.1 403 No\r\nX-Why: no\r\n"));
    assert_true(client_heard(&client, "\r\n\r\ntext"));
}

TEST(an_origin_that_is_not_there_is_502)
{
    struct upstream_call c;

    connect_client();
    c = call;
    call.ops = NULL;
    c.ops->failed(c.arg, UPSTREAM_NOT_REACHED, -ERR_REFUSED, SLICE("why"));
    loop_advance(lab.loop, 0);
    assert_true(client_heard(&client, "HTTP/1.1 502 "));
}

TEST(a_client_that_does_not_wait_ends_the_asking)
{
    connect_client();
    client_cut(&client);
    assert_null(call.ops);
    assert_int_equal(released, 1);
}

TEST(messages_and_pings_pass_both_ways)
{
    open_socket("");
    client_text(&client, "hello");
    client_frame(&client, 2, SLICE("bin"));
    client_frame(&client, 9, SLICE("p"));
    client_frame(&client, 10, SLICE("q"));
    expect_origin("1hello;2bin;9p;aq;");
    expect_client(SLICE(""));
    peer_say(&origin, SLICE("\x81\x05hello\x82\x03zip\x89\x01p\x8a\x00"));
    expect_client(SLICE("\x81\x05hello\x82\x03zip\x89\x01p\x8a\x00"));
}

TEST(a_close_of_the_client_waits_for_the_origins)
{
    open_socket("");
    client_frame(&client, 8, SLICE("\x0f\xa1no"));
    expect_origin("8\x0f\xa1no;");
    expect_client(SLICE(""));
    peer_say(&origin, SLICE("\x88\x02\x0f\xa2"));
    expect_client(SLICE("\x88\x02\x0f\xa2"));
    assert_int_equal(released, 1);
}

TEST(a_close_of_the_origin_waits_for_the_clients)
{
    open_socket("");
    peer_say(&origin, SLICE("\x88\x02\x0f\xa2"));
    expect_client(SLICE("\x88\x02\x0f\xa2"));
    expect_origin("");
    client_frame(&client, 8, SLICE("\x0f\xa1"));
    expect_origin("8\x0f\xa1;");
    assert_int_equal(released, 1);
}

TEST(a_lost_origin_cuts_the_client)
{
    open_socket("");
    stream_loopback_break(origin.stream);
    expect_client(SLICE(""));
    assert_true(client.has_ended || client.lost);
    assert_int_equal(released, 1);
}

TEST(a_lost_client_cuts_the_origin)
{
    open_socket("");
    client_cut(&client);
    expect_origin("");
    assert_true(origin.has_ended || origin.lost);
    assert_int_equal(released, 1);
}

TEST(a_client_that_breaks_the_protocol_cuts_the_origin)
{
    open_socket("");
    peer_say(&client, SLICE("\x81\x02hi"));
    assert_true(client_heard_close(&client, 1002));
    expect_origin("");
    assert_true(origin.has_ended || origin.lost);
}

TEST(a_lost_origin_cuts_a_client_whose_close_waits)
{
    open_socket("");
    client_frame(&client, 8, SLICE("\x0f\xa1"));
    stream_loopback_break(origin.stream);
    expect_client(SLICE(""));
    assert_int_equal(released, 1);
}

TEST(a_slow_client_stops_the_origin)
{
    CLEANUP(buf_done) struct buf frame = {.max = 1 << 20};

    (void)buf_add(&frame, SLICE("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"));
    memset(buf_reserve(&frame, 65536), 'x', 65536);
    buf_commit(&frame, 65536);
    open_socket("");
    stream_loopback_limits(client.stream, 0, 10);
    stream_pause(client.stream);
    for (int i = 0; i < 20; i++)
        (void)stream_write(origin.stream, buf_slice(&frame));
    loop_advance(lab.loop, 0);
    assert_true(peer_heard(&client).n < WS_ORIGIN_PENDING);
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    assert_int_equal(peer_heard(&client).n, 20 * frame.n);
}

TEST(a_slow_origin_stops_the_client)
{
    enum { FRAMES = 30, SIZE = 60000 };
    static char text[SIZE];
    size_t to_origin;

    open_socket("");
    stream_loopback_limits(origin.stream, 0, 10);
    stream_pause(origin.stream);
    for (int i = 0; i < FRAMES; i++)
        client_frame(&client, 2, slice_make(text, SIZE));
    to_origin = loop_queued(lab.loop) - stream_pending(client.stream);
    assert_true(to_origin > WS_ORIGIN_PENDING && to_origin < WS_ORIGIN_PENDING + 2 * SIZE);
    stream_loopback_limits(origin.stream, 0, 0);
    stream_resume(origin.stream);
    loop_advance(lab.loop, 0);
    assert_int_equal(peer_heard(&origin).n, FRAMES * (SIZE + 8));
}

#define CONTROL "c:{\"type\":\"subscribe\",\"channel\":\"w\"}"
#define DETACH "c:{\"type\":\"detach\"}"

TEST(with_the_extension_control_messages_are_obeyed)
{
    open_socket("Sec-WebSocket-Extensions: grip\n");
    peer_say(&origin, SLICE("\x81\x24" CONTROL "\x81\x03m:x\x81\x01y"));
    expect_client(SLICE("\x81\x01x"));
    publish("{\"content\":\"p\"}");
    expect_client(SLICE("\x81\x01p"));
}

TEST(without_it_they_are_messages)
{
    open_socket("");
    peer_say(&origin, SLICE("\x81\x13" DETACH));
    expect_client(SLICE("\x81\x13" DETACH));
}

TEST(detached_the_client_stays_alone)
{
    open_socket("Sec-WebSocket-Extensions: grip\n");
    peer_say(&origin, SLICE("\x81\x13" DETACH));
    expect_origin("8\x03\xe8;");
    peer_say(&origin, SLICE("\x88\x02\x03\xe8"));
    client_text(&client, "nobody");
    expect_client(SLICE(""));
    assert_int_equal(released, 0);
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_client(SLICE("\x88\x02\x03\xe9"));
    assert_int_equal(released, 1);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(an_upgrade_is_answered_when_the_origin_has_accepted),
        FRESH(a_refusal_is_relayed),
        FRESH(an_origin_that_is_not_there_is_502),
        FRESH(a_client_that_does_not_wait_ends_the_asking),
        FRESH(messages_and_pings_pass_both_ways),
        FRESH(a_close_of_the_client_waits_for_the_origins),
        FRESH(a_close_of_the_origin_waits_for_the_clients),
        FRESH(a_lost_origin_cuts_the_client),
        FRESH(a_lost_client_cuts_the_origin),
        FRESH(a_client_that_breaks_the_protocol_cuts_the_origin),
        FRESH(a_lost_origin_cuts_a_client_whose_close_waits),
        FRESH(a_slow_client_stops_the_origin),
        FRESH(a_slow_origin_stops_the_client),
        FRESH(with_the_extension_control_messages_are_obeyed),
        FRESH(without_it_they_are_messages),
        FRESH(detached_the_client_stays_alone),
    };

    return cmocka_run_group_tests_name("ws_origin", tests, NULL, NULL);
}
