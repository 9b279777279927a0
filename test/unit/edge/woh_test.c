/* The test plays the origin of a WebSocket: it hears the requests and writes the answers. */
#include "edge/woh.h"

#include "socket_lab.h"

#define EVENTS "Content-Type: application/websocket-events\n"
#define GRIP EVENTS "Sec-WebSocket-Extensions: grip\n"

static struct buf body; /* of the last request */
static int requests;

/* --- the origin --- */

static struct upstream_call *post(void *origin, struct slice f, struct slice b,
                                  const struct upstream_ops *ops, void *arg)
{
    buf_clear(&body);
    (void)buf_add(&body, b);
    requests++;
    return begin_call(f, ops, arg);
}

static const struct socket_origin_ops origin_ops = {
    .post = post, .credit = credit_call, .cancel = cancel_call, .release = release_origin};

/* The request that came since the last time: nothing when body is NULL. */
static void expect_request(const char *want)
{
    loop_advance(lab.loop, 0);
    if (!want) {
        assert_int_equal(requests, 0);
        return;
    }
    assert_int_equal(requests, 1);
    requests = 0;
    (void)buf_add_byte(&body, '\0');
    assert_string_equal((const char *)body.p, want);
}

static bool request_has(const char *part)
{
    return slice_find_slice(buf_slice(&fields), slice_str(part)) >= 0;
}

static void answer_bytes(unsigned status, const char *head, struct slice bytes)
{
    const struct upstream_response r = {
        .status = (uint16_t)status, .reason = SLICE("Reason"), .head = slice_str(head)};
    struct upstream_call c = call;

    assert_non_null(c.ops);
    c.ops->response(c.arg, &r);
    if (call.ops && bytes.n)
        c.ops->body(c.arg, bytes);
    if (call.ops) {
        call.ops = NULL;
        c.ops->ended(c.arg);
    }
    loop_advance(lab.loop, 0);
}

static void answer(unsigned status, const char *head, const char *text)
{
    answer_bytes(status, head, slice_str(text));
}

static void fail_call(enum upstream_reached reached)
{
    const struct upstream_call c = call;

    call.ops = NULL;
    c.ops->failed(c.arg, reached, -ERR_REFUSED, SLICE("Unable to connect"));
    loop_advance(lab.loop, 0);
}

/* --- the client --- */

static void expect_heard(struct slice bytes)
{
    loop_advance(lab.loop, 0);
    peer_expect(&client, bytes);
}

static void connect_client(void)
{
    ask_upgrade();
    expect_request("OPEN\r\n");
}

static void open_socket(const char *head)
{
    connect_client();
    answer(200, head, "OPEN\r\n");
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
    peer_forget(&client);
    expect_request(NULL);
}

static int begin(void **state)
{
    socket_lab_open(&(struct app_sockets){.ping_ms = APP_NEVER}, &origin_ops, woh_open,
                    SLICE("Cookie: a=b\n"));
    buf_init(&body, 1 << 22);
    requests = 0;
    return 0;
}

static int end(void **state)
{
    socket_lab_close(); /* asks once more */
    buf_done(&body);
    return 0;
}

/* --- the beginning --- */

TEST(an_upgrade_is_answered_when_the_origin_has_opened)
{
    connect_client();
    expect_heard(SLICE(""));
    assert_true(request_has("Cookie: a=b\n"));
    assert_true(request_has("Sec-WebSocket-Extensions: grip\n"));
    assert_true(request_has("Connection-Id: "));
    answer(200, EVENTS "Set-Meta-User: bob\nSec-WebSocket-Protocol: chat\n",
           "OPEN\r\nTEXT 2\r\nhi\r\n");
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
    assert_true(client_heard(&client, "Sec-WebSocket-Protocol: chat\r\n"));
    assert_false(client_heard(&client, "Meta"));
    assert_true(client_heard(&client, "\r\n\r\n\x81\x02hi"));
    client_text(&client, "x");
    expect_request("TEXT 1\r\nx\r\n");
    assert_true(request_has("Meta-User: bob\n"));
    answer(200, EVENTS "Set-Meta-User:\n", "");
    client_text(&client, "y");
    expect_request("TEXT 1\r\ny\r\n");
    assert_false(request_has("Meta-User"));
}

TEST(a_refusal_is_relayed_as_it_is)
{
    connect_client();
    answer(403, "Content-Type: text/plain\nX-Why: no\n", "forbidden\n");
    assert_true(client_heard(&client, "HTTP/1.1 403 Reason\r\n"));
    assert_true(client_heard(&client, "X-Why: no\r\n"));
    assert_true(client_heard(&client, "\r\n\r\nforbidden\n"));
}

TEST(an_ordinary_page_is_a_refusal_too)
{
    connect_client();
    answer(200, "Content-Type: text/html\n", "<p>");
    assert_true(client_heard(&client, "HTTP/1.1 200 Reason\r\n"));
    assert_true(client_heard(&client, "\r\n\r\n<p>"));
}

TEST(a_long_refusal_is_cut)
{
    CLEANUP(buf_done) struct buf long_text = {.max = 1 << 20};

    memset(buf_reserve(&long_text, 150000), 'x', 150000);
    buf_commit(&long_text, 150000);
    connect_client();
    answer_bytes(403, "Content-Type: text/plain\n", buf_slice(&long_text));
    assert_true(client_heard(&client, "Content-Length: 100000\r\n"));
    assert_int_equal(cancelled, 1);
}

static void expect_502(const char *head, const char *text)
{
    connect_client();
    answer(200, head, text);
    assert_true(client_heard(&client, "HTTP/1.1 502 "));
    assert_true(client_heard(&client, "\r\n\r\nError while proxying to origin.\n"));
    assert_false(client_heard(&client, "Content-Type"));
}

TEST(events_without_open_are_502)
{
    expect_502(EVENTS, "TEXT 2\r\nhi\r\n");
}

TEST(malformed_events_are_502)
{
    expect_502(EVENTS, "OPEN");
}

TEST(an_empty_answer_is_502)
{
    expect_502(EVENTS, "");
}

TEST(an_origin_that_is_not_reached_is_502)
{
    connect_client();
    fail_call(UPSTREAM_NOT_REACHED);
    assert_true(client_heard(&client, "HTTP/1.1 502 "));
}

TEST(with_debug_the_client_hears_why)
{
    start.debug = true;
    connect_client();
    fail_call(UPSTREAM_NOT_REACHED);
    assert_true(client_heard(&client, "\r\n\r\nUnable to connect\n"));
}

TEST(an_empty_answer_with_an_interval_makes_the_client_wait)
{
    connect_client();
    answer(200, EVENTS "Keep-Alive-Interval: 25\n", "");
    expect_heard(SLICE(""));
    loop_advance(lab.loop, 24000);
    expect_request(NULL);
    loop_advance(lab.loop, 1000);
    expect_request("OPEN\r\n");
    answer(200, EVENTS, "OPEN\r\n");
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
}

TEST(a_client_that_does_not_wait_ends_the_asking)
{
    connect_client();
    answer(200, EVENTS "Keep-Alive-Interval: 25\n", "");
    client_cut(&client);
    expect_request("DISCONNECT\r\n");
    answer(200, EVENTS, "");
    loop_advance(lab.loop, 100000);
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(a_client_that_leaves_before_the_answer_is_a_disconnect)
{
    connect_client();
    client_cut(&client);
    expect_request(NULL);
    answer(200, EVENTS, "OPEN\r\n");
    expect_request("DISCONNECT\r\n");
    answer(500, "", "");
    assert_int_equal(released, 1);
}

TEST(a_client_that_leaves_before_a_refusal_is_nothing)
{
    connect_client();
    client_cut(&client);
    answer(404, "", "");
    expect_request(NULL);
    assert_int_equal(released, 1);
}

/* --- messages --- */

TEST(messages_become_events)
{
    open_socket(EVENTS);
    client_text(&client, "hello");
    expect_request("TEXT 5\r\nhello\r\n");
    answer(200, EVENTS, "");
    client_text(&client, "");
    expect_request("TEXT\r\n");
    answer(200, EVENTS, "");
    client_frame(&client, 2, SLICE("\1\2"));
    expect_request("BINARY 2\r\n\1\2\r\n");
}

TEST(fragments_are_one_event)
{
    open_socket(EVENTS);
    peer_say(&client, SLICE("\x01\x83\0\0\0\0par"));
    expect_request(NULL);
    peer_say(&client, SLICE("\x80\x84\0\0\0\0tial"));
    expect_request("TEXT 7\r\npartial\r\n");
}

TEST(what_comes_while_a_request_is_under_way_goes_with_the_next)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    client_text(&client, "b");
    client_text(&client, "c");
    expect_request(NULL);
    answer(200, EVENTS, "");
    expect_request("TEXT 1\r\nb\r\nTEXT 1\r\nc\r\n");
}

TEST(one_event_targets_get_one_event)
{
    start.one_event = true;
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    client_text(&client, "b");
    client_text(&client, "c");
    answer(200, EVENTS, "");
    expect_request("TEXT 1\r\nb\r\n");
    answer(200, EVENTS, "");
    expect_request("TEXT 1\r\nc\r\n");
}

TEST(events_become_messages)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer(200, EVENTS,
           "TEXT 1\r\nx\r\nBINARY 1\r\ny\r\nPING\r\nPONG 1\r\nz\r\nUNKNOWN\r\nTEXT\r\n");
    expect_heard(SLICE("\x81\x01x\x82\x01y\x89\x00\x8a\x01z\x81\x00"));
}

TEST(pings_are_events_and_answered_here)
{
    open_socket(EVENTS);
    client_frame(&client, 9, SLICE("p"));
    expect_request("PING 1\r\np\r\n");
    expect_heard(SLICE("\x8a\x01p"));
    answer(200, EVENTS, "");
    client_frame(&client, 10, SLICE(""));
    expect_request("PONG\r\n");
}

TEST(a_message_over_the_limit_ends_the_client_and_the_origin_hears_so)
{
    static const uint8_t head[] = {0x82, 0xff, 0, 0, 0, 0, 0, 3, 0xd0, 0x90, 0, 0, 0, 0};

    open_socket(EVENTS);
    peer_say(&client, slice_make(head, sizeof(head))); /* 250,000 bytes */
    expect_request("DISCONNECT\r\n");
    assert_true(client_heard_close(&client, 1009));
    answer(200, EVENTS, "");
}

TEST(text_of_the_origin_that_is_none_cuts)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer(200, EVENTS, "TEXT 1\r\n\xff\r\n");
    expect_heard(SLICE(""));
    assert_true(client.has_ended || client.lost);
}

TEST(a_client_that_is_faster_than_its_origin_is_not_read)
{
    static const char part[60000];
    size_t got = 0;
    int rounds = 0;

    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    for (int i = 0; i < 10; i++)
        client_frame(&client, 2, slice_make(part, sizeof(part)));
    for (requests = 1; requests; got += body.n) {
        requests = 0;
        buf_clear(&body);
        answer(200, EVENTS, "");
        assert_true(body.n < 181000);
        rounds++;
    }
    assert_true(got > 600000 && rounds > 4);
}

TEST(a_client_that_is_slower_than_its_origin_delays_the_next_request)
{
    CLEANUP(buf_done) struct buf much = {.max = 1 << 20};

    (void)buf_addf(&much, "BINARY 3d090\r\n");
    memset(buf_reserve(&much, 250000), 'x', 250000);
    buf_commit(&much, 250000);
    (void)buf_addf(&much, "\r\n");
    open_socket(EVENTS);
    stream_loopback_limits(client.stream, 0, 10);
    stream_pause(client.stream);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer_bytes(200, EVENTS, buf_slice(&much));
    client_text(&client, "b");
    expect_request(NULL);
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    expect_request("TEXT 1\r\nb\r\n");
}

/* --- acceptance --- */

TEST(a_part_that_was_accepted_is_not_sent_again)
{
    open_socket(EVENTS);
    client_text(&client, "hello");
    expect_request("TEXT 5\r\nhello\r\n");
    assert_false(request_has("Replayed"));
    answer(200, EVENTS "Content-Bytes-Accepted: 3\n", "");
    expect_request(NULL);
    client_text(&client, "x");
    expect_request("TEXT 2\r\nlo\r\nTEXT 1\r\nx\r\n");
    assert_true(request_has("Content-Bytes-Replayed: 2\n"));
}

TEST(more_than_was_offered_cuts)
{
    open_socket(EVENTS);
    client_text(&client, "hello");
    expect_request("TEXT 5\r\nhello\r\n");
    answer(200, EVENTS "Content-Bytes-Accepted: 99\n", "");
    assert_int_equal(released, 1);
    expect_heard(SLICE(""));
}

/* --- the end --- */

TEST(a_close_of_the_client_is_answered_by_the_origin)
{
    open_socket(EVENTS);
    client_frame(&client, 8,
                 SLICE("\x03\xe9"
                       "bye"));
    expect_request("CLOSE 5\r\n\x03\xe9"
                   "bye\r\n");
    expect_heard(SLICE(""));
    answer(200, EVENTS, "CLOSE 2\r\n\x03\xea\r\n");
    expect_heard(SLICE("\x88\x02\x03\xea"));
    assert_int_equal(released, 1);
    expect_request(NULL);
}

TEST(an_empty_close_is_a_bare_one)
{
    open_socket(EVENTS);
    client_frame(&client, 8, SLICE(""));
    expect_request("CLOSE\r\n");
    answer(200, EVENTS, "CLOSE\r\n");
    expect_heard(SLICE("\x88\x02\x03\xe8"));
}

TEST(a_close_that_is_not_answered_cuts)
{
    open_socket(EVENTS);
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_request("CLOSE 2\r\n\x03\xe9\r\n");
    answer(200, EVENTS, "");
    expect_heard(SLICE(""));
    assert_true(client.has_ended || client.lost);
    assert_int_equal(released, 1);
}

TEST(with_an_interval_it_is_said_again_until_it_is_answered)
{
    open_socket(EVENTS "Keep-Alive-Interval: 30\n");
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_request("CLOSE 2\r\n\x03\xe9\r\n");
    answer(200, EVENTS, "");
    loop_advance(lab.loop, 30000);
    expect_request("CLOSE 2\r\n\x03\xe9\r\n");
    answer(200, EVENTS, "CLOSE 2\r\n\x03\xe9\r\n");
    expect_heard(SLICE("\x88\x02\x03\xe9"));
    assert_int_equal(released, 1);
}

TEST(who_hangs_up_while_its_close_waits_is_gone)
{
    open_socket(EVENTS "Keep-Alive-Interval: 30\n");
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_request("CLOSE 2\r\n\x03\xe9\r\n");
    answer(200, EVENTS, "");
    client_cut(&client);
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(a_close_of_the_origin_is_told_when_the_client_has_answered)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer(200, EVENTS, "TEXT 1\r\nx\r\nCLOSE 4\r\n\x10\x04no\r\nTEXT 1\r\ny\r\n");
    expect_heard(SLICE("\x81\x01x\x88\x04\x10\x04no"));
    expect_request(NULL);
    client_frame(&client, 8, SLICE("\x10\x04no"));
    expect_request("CLOSE 4\r\n\x10\x04no\r\n");
    answer(200, EVENTS, "");
    assert_int_equal(released, 1);
}

TEST(codes_that_no_frame_carries_are_1000)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer_bytes(200, EVENTS, SLICE("CLOSE 2\r\n\0\0\r\n"));
    expect_heard(SLICE("\x88\x02\x03\xe8"));
}

TEST(open_and_close_in_one_answer)
{
    connect_client();
    answer(200, EVENTS, "OPEN\r\nCLOSE\r\n");
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
    assert_true(client_heard_close(&client, 1000));
}

TEST(open_and_disconnect_in_one_answer)
{
    connect_client();
    answer(200, EVENTS, "OPEN\r\nDISCONNECT\r\n");
    assert_true(client_heard(&client, "HTTP/1.1 101 "));
    assert_true(slice_ends(peer_heard(&client), SLICE("\r\n\r\n")));
    assert_int_equal(released, 1);
}

static void expect_cut(unsigned status, const char *head, const char *text)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer(status, head, text);
    expect_heard(SLICE(""));
    assert_true(client.has_ended || client.lost);
    assert_int_equal(released, 1);
    expect_request(NULL);
}

TEST(an_error_of_the_origin_cuts)
{
    expect_cut(500, EVENTS, "TEXT 1\r\nx\r\n");
}

TEST(another_type_cuts)
{
    expect_cut(200, "Content-Type: text/plain\n", "TEXT 1\r\nx\r\n");
}

TEST(malformed_events_cut_and_none_of_them_is_heard)
{
    expect_cut(200, EVENTS, "TEXT 1\r\nx\r\nTEXT zz\r\n");
}

TEST(disconnect_cuts)
{
    expect_cut(200, EVENTS, "DISCONNECT\r\n");
}

TEST(a_body_over_the_limit_cuts)
{
    CLEANUP(buf_done) struct buf much = {.max = 2 << 20};

    memset(buf_reserve(&much, WOH_RESPONSE + 1), 'x', WOH_RESPONSE + 1);
    buf_commit(&much, WOH_RESPONSE + 1);
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    answer_bytes(200, EVENTS, buf_slice(&much));
    assert_int_equal(cancelled, 1);
    assert_int_equal(released, 1);
}

TEST(a_lost_client_is_one_disconnect)
{
    open_socket(EVENTS);
    client_cut(&client);
    expect_request("DISCONNECT\r\n");
    answer(200, EVENTS, "TEXT 1\r\nx\r\n");
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(what_a_lost_client_had_said_goes_first)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    client_text(&client, "b");
    client_cut(&client);
    expect_request(NULL);
    answer(200, EVENTS, "");
    expect_request("TEXT 1\r\nb\r\n");
    answer(200, EVENTS, "");
    expect_request("DISCONNECT\r\n");
    answer(200, EVENTS, "");
}

/* --- waiting --- */

TEST(after_an_idle_interval_an_empty_request_is_made)
{
    open_socket(EVENTS "Keep-Alive-Interval: 5\n");
    loop_advance(lab.loop, 19999);
    expect_request(NULL);
    loop_advance(lab.loop, 1);
    expect_request("");
    answer(200, EVENTS, "");
    loop_advance(lab.loop, 20000);
    expect_request("");
    answer(200, EVENTS "Keep-Alive-Interval: 0\n", "");
    loop_advance(lab.loop, 100000);
    expect_request(NULL);
}

TEST(a_request_that_was_not_sent_is_made_again)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    fail_call(UPSTREAM_NOT_REACHED);
    client_text(&client, "b");
    client_text(&client, "c");
    expect_request(NULL);
    loop_advance(lab.loop, 2000);
    expect_request("TEXT 1\r\na\r\n");
    fail_call(UPSTREAM_NOT_SENT);
    loop_advance(lab.loop, 1999);
    expect_request(NULL);
    loop_advance(lab.loop, 1001);
    expect_request("TEXT 1\r\na\r\n");
    answer(200, EVENTS, "");
    expect_request("TEXT 1\r\nb\r\nTEXT 1\r\nc\r\n");
}

TEST(after_five_times_more_the_client_is_cut)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    for (int i = 0; i < 5; i++) {
        expect_request("TEXT 1\r\na\r\n");
        fail_call(UPSTREAM_NOT_REACHED);
        loop_advance(lab.loop, (1000 << i) + 1000);
    }
    expect_request("TEXT 1\r\na\r\n");
    fail_call(UPSTREAM_NOT_REACHED);
    assert_int_equal(released, 1);
    assert_true(client.has_ended || client.lost);
}

TEST(a_request_that_may_have_been_heard_is_not_made_again)
{
    open_socket(EVENTS);
    client_text(&client, "a");
    expect_request("TEXT 1\r\na\r\n");
    fail_call(UPSTREAM_SENT);
    assert_int_equal(released, 1);
}

TEST(a_disconnect_is_made_again_too)
{
    open_socket(EVENTS);
    client_cut(&client);
    expect_request("DISCONNECT\r\n");
    fail_call(UPSTREAM_NOT_REACHED);
    loop_advance(lab.loop, 2000);
    expect_request("DISCONNECT\r\n");
    answer(200, EVENTS, "");
}

TEST(a_server_that_stops_says_goodbye_to_the_client_and_the_origin)
{
    open_socket(EVENTS);
    edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_STOP, .ms = 1000}));
    loop_advance(lab.loop, 0);
    assert_true(client_heard_close(&client, 1001));
    expect_request("DISCONNECT\r\n");
}

/* --- GRIP --- */

static void say_events(const char *text)
{
    client_text(&client, "a");
    loop_advance(lab.loop, 0);
    requests = 0;
    answer(200, EVENTS, text);
}

TEST(with_the_extension_messages_have_a_prefix)
{
    open_socket(GRIP);
    say_events(
        "TEXT 3\r\nm:x\r\nTEXT 1\r\ny\r\nTEXT\r\nBINARY 3\r\nm:z\r\nBINARY 3\r\nc:z\r\nPING\r\n");
    expect_heard(SLICE("\x81\x01x\x82\x01z\x89\x00"));
}

TEST(without_the_extension_nothing_is_interpreted)
{
    open_socket(EVENTS);
    say_events("TEXT 13\r\nc:{\"type\":\"detach\"}\r\n");
    expect_heard(SLICE("\x81\x13"
                       "c:{\"type\":\"detach\"}"));
}

TEST(a_route_without_grip_negotiates_nothing)
{
    start.no_grip = true;
    open_socket(GRIP);
    assert_false(request_has("Extensions"));
    say_events("TEXT 3\r\nm:x\r\n");
    expect_heard(SLICE("\x81\x03m:x"));
}

TEST(the_prefix_may_be_empty_and_controls_are_still_obeyed)
{
    open_socket(EVENTS "Sec-WebSocket-Extensions: grip; message-prefix=\"\"\n");
    say_events("TEXT 3\r\nm:x\r\nTEXT 4\r\nc:{}\r\n");
    expect_heard(SLICE("\x81\x03m:x"));
}

TEST(detached_the_client_stays_and_the_origin_hears_a_bare_close)
{
    open_socket(GRIP "Keep-Alive-Interval: 20\n");
    say_events("TEXT 13\r\nc:{\"type\":\"detach\"}\r\nTEXT 3\r\nm:x\r\n");
    expect_request("CLOSE\r\n");
    answer(200, EVENTS, "CLOSE\r\n");
    expect_heard(SLICE(""));
    client_text(&client, "b");
    expect_request(NULL);
    loop_advance(lab.loop, 60000);
    expect_request(NULL);
    assert_int_equal(released, 0);
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_heard(SLICE("\x88\x02\x03\xe9"));
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(a_detached_client_that_is_lost_is_nobodys)
{
    open_socket(GRIP);
    say_events("TEXT 13\r\nc:{\"type\":\"detach\"}\r\n");
    expect_request("CLOSE\r\n");
    fail_call(UPSTREAM_SENT);
    client_cut(&client);
    expect_request(NULL);
    assert_int_equal(released, 1);
}

/* A control message as an event. */
static void say_control(const char *json)
{
    CLEANUP(buf_done) struct buf b = {.max = 1 << 12};

    (void)buf_addf(&b, "TEXT %zx\r\nc:%s\r\n", strlen(json) + 2, json);
    (void)buf_add_byte(&b, '\0');
    say_events((const char *)b.p);
}

static void subscribe(void)
{
    say_control("{\"type\":\"subscribe\",\"channel\":\"w\"}");
}

/* A ws-message on channel "w". */
TEST(what_is_published_on_a_channel_is_sent)
{
    open_socket(GRIP);
    subscribe();
    publish("{\"content\":\"p\"}");
    expect_heard(SLICE("\x81\x01p"));
    say_control("{\"type\":\"unsubscribe\",\"channel\":\"w\"}");
    publish("{\"content\":\"p\"}");
    expect_heard(SLICE(""));
}

TEST(a_published_close_is_told_to_both)
{
    open_socket(GRIP);
    subscribe();
    publish("{\"action\":\"close\",\"code\":4100,\"reason\":\"r\"}");
    expect_heard(SLICE("\x88\x03\x10\x04r"));
    expect_request("CLOSE\r\n");
    answer(200, EVENTS, "CLOSE\r\n");
    client_frame(&client, 8, SLICE("\x10\x04r"));
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(a_published_close_of_a_client_that_is_leaving_is_its_answer)
{
    open_socket(GRIP);
    subscribe();
    client_frame(&client, 8, SLICE("\x03\xe9"));
    expect_request("CLOSE 2\r\n\x03\xe9\r\n");
    publish("{\"action\":\"close\"}");
    expect_heard(SLICE("\x88\x02\x03\xe8"));
    answer(200, EVENTS, "CLOSE\r\n");
    expect_request(NULL);
    assert_int_equal(released, 1);
}

TEST(keep_alives_come_after_silence_and_stop)
{
    open_socket(GRIP);
    say_control("{\"type\":\"keep-alive\",\"content\":\"KA\",\"timeout\":10}");
    loop_advance(lab.loop, 9000);
    expect_heard(SLICE(""));
    say_events("TEXT 3\r\nm:x\r\n");
    expect_heard(SLICE("\x81\x01x"));
    loop_advance(lab.loop, 9000);
    expect_heard(SLICE(""));
    loop_advance(lab.loop, 1000);
    expect_heard(SLICE("\x81\x02KA"));
    say_control("{\"type\":\"keep-alive\"}");
    loop_advance(lab.loop, 60000);
    expect_heard(SLICE(""));
}

TEST(delayed_messages_wait_and_a_second_flushes_the_first)
{
    open_socket(GRIP);
    say_control("{\"type\":\"send-delayed\",\"content\":\"1\"}");
    loop_advance(lab.loop, 999);
    expect_heard(SLICE(""));
    loop_advance(lab.loop, 1);
    expect_heard(SLICE("\x81\x01\x31"));
    say_control("{\"type\":\"send-delayed\",\"content\":\"2\",\"timeout\":50}");
    say_control("{\"type\":\"send-delayed\",\"content\":\"3\",\"timeout\":50}");
    expect_heard(SLICE("\x81\x01\x32"));
    say_control("{\"type\":\"flush-delayed\"}");
    expect_heard(SLICE("\x81\x01\x33"));
}

TEST(too_many_filters_close_with_1011)
{
    open_socket(GRIP);
    say_control("{\"type\":\"subscribe\",\"channel\":\"w\",\"filters\":[\"a\",\"b\",\"c\",\"d\","
                "\"e\",\"f\"]}");
    expect_heard(SLICE("\x88\x02\x03\xf3"));
    expect_request("CLOSE\r\n");
}

TEST(a_client_that_is_a_proxy_itself_hears_of_the_extension)
{
    start.trusted = true;
    connect_client();
    answer(200, GRIP, "OPEN\r\nTEXT 3\r\nm:x\r\n");
    assert_true(client_heard(&client, "Sec-WebSocket-Extensions: grip\r\n"));
    assert_true(client_heard(&client, "\x81\x03m:x"));
}

/* --- anything in any order --- */

static const char *const answers[] = {
    "",
    "OPEN\r\n",
    "TEXT 3\r\nm:x\r\n",
    "TEXT 1\r\nx\r\nCLOSE 2\r\n\x03\xe9\r\n",
    "CLOSE\r\n",
    "DISCONNECT\r\n",
    "PING\r\nPONG\r\nBINARY 2\r\nm:\r\n",
    "TEXT 13\r\nc:{\"type\":\"detach\"}\r\n",
    "TEXT 24\r\nc:{\"type\":\"subscribe\",\"channel\":\"w\"}\r\n",
    "TEXT 35\r\nc:{\"type\":\"keep-alive\",\"content\":\"k\",\"timeout\":5}     \r\n",
    "TEXT 25\r\nc:{\"type\":\"send-delayed\",\"content\":\"d\"}\r\n",
    "TEXT zz\r\n",
};
static const char *const heads[] = {
    EVENTS,
    EVENTS,
    GRIP,
    GRIP "Keep-Alive-Interval: 20\n",
    EVENTS "Content-Bytes-Accepted: 1\n",
    "Content-Type: text/plain\n",
};

static void walk_origin(unsigned n)
{
    if (!call.ops)
        return;
    if (n % 16 == 0)
        fail_call((enum upstream_reached)(n / 16 % 4));
    else
        answer(n % 32 == 1 ? 500 : 200, heads[n % COUNT_OF(heads)],
               answers[n / 8 % COUNT_OF(answers)]);
}

static void walk_client(unsigned n)
{
    switch (n % 8) {
    case 0:
        client_frame(&client, 8, n & 16 ? SLICE("\x03\xe9") : SLICE(""));
        break;
    case 1:
        client_frame(&client, 9, SLICE("p"));
        break;
    case 2:
        if (n % 64 == 2)
            client_cut(&client);
        break;
    default:
        client_text(&client, "hello");
    }
}

static void walk(unsigned seed)
{
    unsigned state = seed * 2654435761u;
    bool is_open = false;

    (void)begin(NULL);
    start.one_event = seed & 1;
    connect_client();
    for (int i = 0; i < 60; i++) {
        const unsigned n = (state = state * 1103515245 + 12345) >> 16;

        if (!is_open && call.ops && n % 4) {
            answer(200, n & 64 ? GRIP : GRIP "Keep-Alive-Interval: 20\n", "OPEN\r\n");
            is_open = true;
        } else if (n % 8 < 4) {
            walk_client(n / 8);
        } else if (n % 8 < 7) {
            walk_origin(n / 8);
        } else if (n & 8) {
            loop_advance(lab.loop, n % 40000);
        } else {
            publish(n & 16    ? "{\"content\":\"p\"}"
                    : n & 256 ? "{\"action\":\"close\"}"
                              : "{\"action\":\"refresh\"}");
        }
    }
    (void)end(NULL);
}

TEST(whatever_happens_in_any_order_everything_is_released)
{
    for (unsigned seed = 1; seed < 400; seed++)
        walk(seed);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(an_upgrade_is_answered_when_the_origin_has_opened),
        FRESH(a_refusal_is_relayed_as_it_is),
        FRESH(an_ordinary_page_is_a_refusal_too),
        FRESH(a_long_refusal_is_cut),
        FRESH(events_without_open_are_502),
        FRESH(malformed_events_are_502),
        FRESH(an_empty_answer_is_502),
        FRESH(an_origin_that_is_not_reached_is_502),
        FRESH(with_debug_the_client_hears_why),
        FRESH(an_empty_answer_with_an_interval_makes_the_client_wait),
        FRESH(a_client_that_does_not_wait_ends_the_asking),
        FRESH(a_client_that_leaves_before_the_answer_is_a_disconnect),
        FRESH(a_client_that_leaves_before_a_refusal_is_nothing),
        FRESH(messages_become_events),
        FRESH(fragments_are_one_event),
        FRESH(what_comes_while_a_request_is_under_way_goes_with_the_next),
        FRESH(one_event_targets_get_one_event),
        FRESH(events_become_messages),
        FRESH(pings_are_events_and_answered_here),
        FRESH(a_message_over_the_limit_ends_the_client_and_the_origin_hears_so),
        FRESH(text_of_the_origin_that_is_none_cuts),
        FRESH(a_client_that_is_faster_than_its_origin_is_not_read),
        FRESH(a_client_that_is_slower_than_its_origin_delays_the_next_request),
        FRESH(a_part_that_was_accepted_is_not_sent_again),
        FRESH(more_than_was_offered_cuts),
        FRESH(a_close_of_the_client_is_answered_by_the_origin),
        FRESH(an_empty_close_is_a_bare_one),
        FRESH(a_close_that_is_not_answered_cuts),
        FRESH(with_an_interval_it_is_said_again_until_it_is_answered),
        FRESH(who_hangs_up_while_its_close_waits_is_gone),
        FRESH(a_close_of_the_origin_is_told_when_the_client_has_answered),
        FRESH(codes_that_no_frame_carries_are_1000),
        FRESH(open_and_close_in_one_answer),
        FRESH(open_and_disconnect_in_one_answer),
        FRESH(an_error_of_the_origin_cuts),
        FRESH(another_type_cuts),
        FRESH(malformed_events_cut_and_none_of_them_is_heard),
        FRESH(disconnect_cuts),
        FRESH(a_body_over_the_limit_cuts),
        FRESH(a_lost_client_is_one_disconnect),
        FRESH(what_a_lost_client_had_said_goes_first),
        FRESH(after_an_idle_interval_an_empty_request_is_made),
        FRESH(a_request_that_was_not_sent_is_made_again),
        FRESH(after_five_times_more_the_client_is_cut),
        FRESH(a_request_that_may_have_been_heard_is_not_made_again),
        FRESH(a_disconnect_is_made_again_too),
        FRESH(a_server_that_stops_says_goodbye_to_the_client_and_the_origin),
        FRESH(with_the_extension_messages_have_a_prefix),
        FRESH(without_the_extension_nothing_is_interpreted),
        FRESH(a_route_without_grip_negotiates_nothing),
        FRESH(the_prefix_may_be_empty_and_controls_are_still_obeyed),
        FRESH(detached_the_client_stays_and_the_origin_hears_a_bare_close),
        FRESH(a_detached_client_that_is_lost_is_nobodys),
        FRESH(what_is_published_on_a_channel_is_sent),
        FRESH(a_published_close_is_told_to_both),
        FRESH(a_published_close_of_a_client_that_is_leaving_is_its_answer),
        FRESH(keep_alives_come_after_silence_and_stop),
        FRESH(delayed_messages_wait_and_a_second_flushes_the_first),
        FRESH(too_many_filters_close_with_1011),
        FRESH(a_client_that_is_a_proxy_itself_hears_of_the_extension),
        cmocka_unit_test(whatever_happens_in_any_order_everything_is_released),
    };

    return cmocka_run_group_tests_name("woh", tests, NULL, NULL);
}
