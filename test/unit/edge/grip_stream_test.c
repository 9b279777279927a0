#include "edge/grip_hold_int.h"

#include "grip_lab.h"

static struct peer client, other;

#define HOLD "Grip-Hold: stream\nGrip-Channel: a\n"
#define FRESH(test) cmocka_unit_test_setup_teardown(test, grip_lab_open, grip_lab_close)

TEST(items_are_appended_as_they_are)
{
    hold(&client, HOLD "Content-Type: text/plain\n", "open\n");
    expect_body(&client, "open\n");
    publish(STREAM("a", "m1\\n"));
    publish("{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"content-bin\":\"AAEC\"}}}");
    assert_true(slice_ends(peer_heard(&client), SLICE("\r\n3\r\n\0\1\2\r\n")));
    assert_true(client_heard(&client, "Transfer-Encoding: chunked\r\n"));
    assert_true(client_heard(&client, "m1\n"));
    expect_asked("");
    peer_close(&client);
}

TEST(a_close_ends_the_response_and_not_the_connection)
{
    hold(&client, HOLD, "open");
    publish("{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"close\",\"content\":"
            "\"\"}}}");
    expect_body(&client, "open<end>");
    assert_int_equal(lab.edge->stats.grip_streams, 0);
    peer_forget(&client);
    how.head = "Grip-Foo: x\n";
    peer_say(&client, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    origin_body(response, "again");
    origin_end(response);
    assert_true(client_heard(&client, "\r\n\r\nagain"));
    peer_close(&client);
}

TEST(http_1_0_has_no_chunks)
{
    how.head = HOLD;
    say_request(&client, "GET / HTTP/1.0\r\n\r\n");
    origin_body(response, "open");
    origin_end(response);
    publish(STREAM("a", "!"));
    assert_true(slice_ends(peer_heard(&client), SLICE("\r\n\r\nopen!")));
    publish("{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"close\",\"content\":"
            "\"\"}}}");
    loop_advance(lab.loop, 0);
    assert_true(client.has_ended);
    peer_close(&client);
}

TEST(a_stream_for_head_ends_at_once)
{
    how.head = HOLD;
    say_request(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_end(response);
    assert_true(slice_ends(peer_heard(&client), SLICE("\r\n\r\n")));
    peer_forget(&client);
    assert_int_equal(lab.edge->stats.grip_streams, 0);
    publish(STREAM("a", "!"));
    peer_expect(&client, SLICE(""));
    peer_close(&client);
    hold(&client, HOLD "Grip-Status: 304\n", "");
    assert_int_equal(lab.edge->stats.grip_streams, 0);
    peer_close(&client);
}

TEST(other_kinds_of_items_are_not_for_streams)
{
    hold(&client, HOLD, "open");
    publish("{\"channel\":\"a\",\"formats\":{\"ws-message\":{\"content\":\"x\"}}}");
    publish(RESPONSE("a", "\"body\":\"x\""));
    expect_body(&client, "open");
    peer_close(&client);
}

TEST(the_same_channel_twice_is_one_subscription)
{
    hold(&client, HOLD "Grip-Channel: a, a\n", "");
    publish(STREAM("a", "x"));
    expect_body(&client, "x");
    peer_close(&client);
}

TEST(implicit_channels_have_no_prefix_and_do_not_count)
{
    static const char *const subs[] = {"implicit", NULL};

    how.prefix = "p-";
    how.subs = subs;
    hold(&client, HOLD, "");
    publish(STREAM("implicit", "1"));
    publish(STREAM("p-implicit", "2"));
    publish(STREAM("p-a", "3"));
    expect_body(&client, "13");
    peer_close(&client);
}

TEST(a_keep_alive_comes_when_nothing_else_did)
{
    hold(&client, HOLD "Grip-Keep-Alive: x\\n; format=cstring; timeout=2\n", "");
    loop_advance(lab.loop, 1000);
    expect_body(&client, "");
    loop_advance(lab.loop, 1000);
    expect_body(&client, "x\n");
    /* Items put it off. */
    for (int i = 0; i < 6; i++) {
        publish(STREAM("a", "i"));
        loop_advance(lab.loop, 900);
    }
    expect_body(&client, "x\niiiiii");
    loop_advance(lab.loop, 1100);
    expect_body(&client, "x\niiiiiix\n");
    peer_close(&client);
}

TEST(a_keep_alive_by_interval_comes_whatever_else_does)
{
    CLEANUP(buf_done) struct buf body = {0};
    unsigned n = 0;

    hold(&client, HOLD "Grip-Keep-Alive: x; timeout=2; mode=interval\n", "");
    for (int i = 0; i < 20; i++) {
        publish(STREAM("a", "i"));
        loop_advance(lab.loop, 500);
    }
    heard_body(&client, &body);
    for (size_t i = 0; i < body.n; i++)
        n += body.p[i] == 'x';
    assert_in_range(n, 5, 10);
    peer_close(&client);
}

TEST(keep_alives_have_three_formats)
{
    static const struct {
        const char *field, *want;
    } cases[] = {
        {"Grip-Keep-Alive: a2EK; format=base64; timeout=1\n", "ka\n"},
        {"Grip-Keep-Alive: \\x41\\\\; format=cstring; timeout=0\n", "A\\"},
        {"Grip-Keep-Alive: \\t; format=cstring; timeout=1\n", "\t"},
        {"Grip-Keep-Alive: \\t; timeout=1\n", "\\t"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_done) struct buf head = {.max = 1000};
        CLEANUP(buf_done) struct buf body = {0};

        (void)buf_addf(&head, HOLD "%s", cases[i].field);
        (void)buf_add_byte(&head, 0);
        hold(&client, (char *)head.p, "");
        loop_advance(lab.loop, 1000);
        heard_body(&client, &body);
        assert_true(slice_starts(buf_slice(&body), slice_str(cases[i].want)));
        peer_close(&client);
    }
}

TEST(a_client_that_leaves_is_forgotten)
{
    hold(&client, HOLD "Grip-Keep-Alive: x; timeout=1\n", "");
    assert_int_equal(lab.edge->stats.grip_streams, 1);
    assert_int_equal(n_origins, 0); /* nothing more can be asked of it */
    client_cut(&client);
    assert_int_equal(lab.edge->stats.grip_streams, 0);
    publish(STREAM("a", "x"));
    loop_advance(lab.loop, 5000);
    peer_close(&client);
}

static void publish_kilobytes(unsigned n)
{
    static char item[1024 + 200];
    static char content[1025];

    memset(content, 'x', 1024);
    (void)snprintf(item, sizeof(item), STREAM("a", "%s"), content);
    while (n--)
        publish(item);
}

TEST(a_slow_client_gets_what_fits_and_nobody_waits_for_it)
{
    CLEANUP(buf_done) struct buf slow = {0};
    CLEANUP(buf_done) struct buf fast = {0};

    hold(&client, HOLD, "");
    hold(&other, HOLD, "");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    publish_kilobytes(1000);
    heard_body(&other, &fast);
    assert_int_equal(fast.n, 1000 << 10);
    assert_int_equal(lab.edge->stats.grip_streams, 2);
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    heard_body(&client, &slow);
    assert_in_range(slow.n, GRIP_HOLD_QUEUE, GRIP_HOLD_QUEUE + ((SUBSCRIBER_QUEUE + 2) << 10));
    publish(STREAM("a", "!"));
    assert_true(slice_ends(peer_heard(&client), SLICE("1\r\n!\r\n")));
    peer_close(&client);
    peer_close(&other);
}

TEST(an_item_for_many_is_framed_once)
{
    enum { CLIENTS = 10 };
    static struct peer clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        hold(&clients[i], HOLD, "open");
    publish(STREAM("a", "x"));
    for (int i = 0; i < CLIENTS; i++) {
        expect_body(&clients[i], "openx");
        peer_close(&clients[i]);
    }
}

TEST(filters_decide_and_change)
{
    hold(&client,
         HOLD "Grip-Channel: v; filter=var-subst; filter=skip-self\nGrip-Set-Meta: "
              "user=alice\n",
         "hi %(user)s\n");
    publish(STREAM("v", "hi %(user)s 100%%\\n"));
    publish(STREAM("v", "%(unknown)s"));
    publish("{\"channel\":\"v\",\"meta\":{\"sender\":\"alice\"},\"formats\":{\"http-stream\":{"
            "\"content\":\"mine\"}}}");
    publish("{\"channel\":\"v\",\"meta\":{\"sender\":\"bob\"},\"formats\":{\"http-stream\":{"
            "\"content\":\"bob\"}}}");
    publish("{\"channel\":\"v\",\"formats\":{\"http-stream\":{\"content\":\"x\",\"content-"
            "filters\":[]}}}");
    expect_body(&client, "hi %(user)s\nhi alice 100%\nbob");
    peer_close(&client);
}

TEST(a_body_is_built_with_ids)
{
    how.debug = true;
    hold(&client, HOLD "Grip-Channel: b; filter=build-id\n", "id: %(x1)I\n");
    publish(
        "{\"channel\":\"b\",\"id\":\"8\",\"formats\":{\"http-stream\":{\"content\":\"%(y)I\"}}}");
    expect_body(&client, "id: x1\ny");
    peer_close(&client);
    hold(&client, "Grip-Channel: b; filter=build-id\n", "%(x)I");
    assert_true(client_heard(&client, "Content-Length: 1\r\n\r\nx"));
    peer_close(&client);
    hold(&client, "Grip-Hold: response\nGrip-Channel: b; filter=build-id\n", "%I");
    assert_true(client_heard(&client, "HTTP/1.1 502 "));
    peer_close(&client);
    hold(&client, "Content-Type: application/grip-instruct\n",
         "{\"hold\":{\"mode\":\"stream\",\"channels\":[{\"name\":\"b\",\"filters\":[\"build-id\"]}]"
         "},"
         "\"response\":{\"body\":\"%(z)I\"}}");
    expect_body(&client, "z");
    peer_close(&client);
}

#define SSE "Content-Type: text/event-stream; charset=utf-8\nGrip-Hold: stream\n"
#define EVENT(channel, id)                                                                         \
    "{\"channel\":\"" channel "\",\"id\":\"" id                                                    \
    "\",\"formats\":{\"http-stream\":{\"content\":\"" id ";\"}}}"

TEST(an_event_source_hears_what_it_missed)
{
    publish(EVENT("a", "1"));
    publish(EVENT("a", "2"));
    publish(EVENT("a", "3"));
    how.last_event_id = "1";
    hold(&client, SSE "Grip-Channel: a; recover, b; recover\n", "hello;");
    publish(EVENT("a", "4"));
    expect_body(&client, "hello;2;3;4;");
    peer_close(&client);
    /* Only where the origin wants that. */
    hold(&client, SSE "Grip-Channel: a\n", "hello;");
    publish(EVENT("a", "5"));
    expect_body(&client, "hello;5;");
    peer_close(&client);
    how.last_event_id = NULL;
    hold(&client, SSE "Grip-Channel: a; recover\n", "hello;");
    expect_body(&client, "hello;");
    peer_close(&client);
}

TEST(an_event_source_hears_that_nobody_knows_what_it_missed)
{
    publish(EVENT("a", "1"));
    how.last_event_id = "0";
    hold(&client, SSE "Grip-Channel: a; recover\n", "hello;");
    publish(EVENT("a", "2"));
    expect_body(&client, "hello;event: gap\ndata: 0\n\n2;");
    peer_close(&client);
    hold(&client, "Grip-Hold: stream\nGrip-Channel: a; recover\n", "hello;");
    expect_body(&client, "hello;");
    peer_close(&client);
}

TEST(what_the_history_does_not_know_is_asked_of_the_link)
{
    publish(EVENT("a", "2"));
    how.last_event_id = "0";
    hold(&client, SSE "Grip-Channel: a; recover\nGrip-Link: </n>; rel=next\n", "hello;");
    expect_asked("GET http://h/n\nGrip-Last: a; last-id=0\n");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: a; recover\nGrip-Link: </n>; rel=next\n",
                   "1;2;");
    publish(EVENT("a", "3"));
    expect_body(&client, "hello;1;2;3;");
    expect_asked("");
    peer_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(items_are_appended_as_they_are),
        FRESH(a_close_ends_the_response_and_not_the_connection),
        FRESH(http_1_0_has_no_chunks),
        FRESH(a_stream_for_head_ends_at_once),
        FRESH(other_kinds_of_items_are_not_for_streams),
        FRESH(the_same_channel_twice_is_one_subscription),
        FRESH(implicit_channels_have_no_prefix_and_do_not_count),
        FRESH(a_keep_alive_comes_when_nothing_else_did),
        FRESH(a_keep_alive_by_interval_comes_whatever_else_does),
        FRESH(keep_alives_have_three_formats),
        FRESH(a_client_that_leaves_is_forgotten),
        FRESH(a_slow_client_gets_what_fits_and_nobody_waits_for_it),
        FRESH(an_item_for_many_is_framed_once),
        FRESH(filters_decide_and_change),
        FRESH(a_body_is_built_with_ids),
        FRESH(an_event_source_hears_what_it_missed),
        FRESH(an_event_source_hears_that_nobody_knows_what_it_missed),
        FRESH(what_the_history_does_not_know_is_asked_of_the_link),
    };

    return cmocka_run_group_tests_name("grip_stream", tests, NULL, NULL);
}
