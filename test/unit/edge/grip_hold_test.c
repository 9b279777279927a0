#include "edge/grip_hold.h"

#include "grip_lab.h"

static struct peer client, other;

static void expect_answer(const char *start, const char *body)
{
    const struct slice heard = peer_heard(&client);

    if (!slice_starts(heard, slice_str(start)) || !slice_ends(heard, slice_str(body)))
        print_error("heard:\n%.*s\n", SLICE_FMT(heard));
    assert_true(slice_starts(heard, slice_str(start)));
    assert_true(slice_ends(heard, slice_str(body)));
    peer_forget(&client);
}

#define RESPONSE_HOLD "Content-Type: text/plain\nGrip-Hold: response\nGrip-Channel: a\n"
#define DATE "Date: Tue, 14 Nov 2023 22:13:22 GMT\r\n"

/* --- without a hold --- */

TEST(instructions_without_a_hold_are_stripped)
{
    hold(&client, "Grip-Foo: x\nX-A: b\n", "hello");
    peer_expect(&client,
                SLICE("HTTP/1.1 200 OK\r\nX-A: b\r\n" DATE "Content-Length: 5\r\n\r\nhello"));
    expect_asked("");
    peer_close(&client);
}

TEST(the_status_may_be_another)
{
    hold(&client, "Grip-Status: 404\n", "x");
    expect_answer("HTTP/1.1 404 Not Found\r\n", "\r\n\r\nx");
    peer_close(&client);
    hold(&client, "Grip-Status: 202 Acc\nGrip-Hold: stream\nGrip-Channel: a\n", "x");
    expect_answer("HTTP/1.1 202 Acc\r\n", "1\r\nx\r\n");
    peer_close(&client);
}

TEST(nothing_is_sent_before_the_whole_body_is_here)
{
    how.head = "Grip-Hold: stream\nGrip-Channel: a\n";
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_body(response, "one ");
    origin_body(response, "two");
    peer_expect(&client, SLICE(""));
    origin_end(response);
    expect_body(&client, "one two");
    peer_close(&client);
}

TEST(instructions_that_are_wrong_are_502)
{
    static const struct {
        const char *head, *text;
    } cases[] = {
        {"Grip-Hold: foo\n", "Grip-Hold must be set to either 'response' or 'stream'"},
        {"Grip-Hold: response\nGrip-Timeout: abc\n", "failed to parse Grip-Timeout"},
        {"Grip-Hold: response\nGrip-Timeout: -1\n", "Grip-Timeout has invalid value"},
        {"Grip-Hold: stream\nGrip-Keep-Alive: \\xZZ; format=cstring\n",
         "failed to parse Grip-Keep-Alive cstring format"},
        {"Grip-Hold: stream\nGrip-Keep-Alive: a; format=zzz\n",
         "no such Grip-Keep-Alive format 'zzz'"},
        {"Grip-Link: <ftp://x/>; rel=next\n", "Grip-Link contains invalid link"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_done) struct buf want = {.max = 1000};

        how.debug = false;
        hold(&client, cases[i].head, "x");
        expect_answer("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n",
                      "\r\n\r\nError while proxying to origin.\n");
        peer_close(&client);
        how.debug = true;
        hold(&client, cases[i].head, "x");
        (void)buf_addf(&want, "\r\n\r\nFailed to parse accept instructions: %s\n", cases[i].text);
        (void)buf_add_byte(&want, 0);
        expect_answer("HTTP/1.1 502 Bad Gateway\r\n", (char *)want.p);
        peer_close(&client);
    }
    expect_asked("");
}

TEST(a_request_that_could_not_be_kept_is_400)
{
    how.is_large = true;
    how.head = RESPONSE_HOLD;
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    expect_answer("HTTP/1.1 400 Bad Request\r\n",
                  "\r\n\r\nRequest too large to accept GRIP instruct.\n");
    peer_close(&client);
}

TEST(an_origin_that_breaks_in_the_body_is_502)
{
    how.head = RESPONSE_HOLD;
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_body(response, "half");
    origin_fail(response, UPSTREAM_CUT);
    expect_answer("HTTP/1.1 502 Bad Gateway\r\n", "\r\n\r\nError while proxying to origin.\n");
    peer_close(&client);
}

TEST(a_client_that_leaves_while_the_body_comes_cancels_the_call)
{
    how.head = RESPONSE_HOLD;
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client_cut(&client);
    assert_null(response->ops);
    peer_close(&client);
}

TEST(bodies_over_the_limit_go_on_as_a_stream_or_are_502)
{
    static char large[GRIP_HOLD_BODY + 2];
    CLEANUP(buf_done) struct buf body = {0};

    memset(large, 'x', sizeof(large) - 1);
    how.debug = true;
    hold(&client, "Grip-Hold: stream\nGrip-Channel: a\n", large);
    publish(STREAM("a", "!"));
    heard_body(&client, &body);
    assert_int_equal(body.n, GRIP_HOLD_BODY + 2);
    assert_int_equal(body.p[GRIP_HOLD_BODY + 1], '!');
    peer_close(&client);
    how.head = RESPONSE_HOLD;
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_body(response, large);
    assert_null(response->ops);
    expect_answer("HTTP/1.1 502 Bad Gateway\r\n",
                  "\r\n\r\nGRIP instruct response too large from 127.0.0.1:80\n");
    peer_close(&client);
}

TEST(a_body_of_the_greatest_size_is_held)
{
    static char whole[GRIP_HOLD_BODY + 1];

    memset(whole, 'x', sizeof(whole) - 1);
    hold(&client, RESPONSE_HOLD, whole);
    peer_expect(&client, SLICE_NONE);
    loop_advance(lab.loop, 55000);
    assert_true(client_heard(&client, "Content-Length: 100000\r\n"));
    assert_true(slice_ends(peer_heard(&client), slice_str(whole)));
    peer_close(&client);
}

TEST(a_long_body_comes_as_the_client_takes_it)
{
    static char piece[64 << 10];

    memset(piece, 'x', sizeof(piece) - 1);
    how.head = "Grip-Hold: stream\nGrip-Channel: a\n";
    say_request(&client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    while (response->credit >= sizeof(piece))
        origin_body(response, piece);
    loop_advance(lab.loop, 0);
    assert_true(response->credit < 2 * sizeof(piece));
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    assert_true(response->credit >= UPSTREAM_WINDOW - 1000);
    origin_end(response);
    publish(STREAM("a", "!"));
    peer_close(&client);
}

/* --- response holds --- */

TEST(a_poll_is_answered_by_an_item)
{
    hold(&client, RESPONSE_HOLD, "later\n");
    peer_expect(&client, SLICE(""));
    publish(RESPONSE("a", "\"body\":\"hi\\n\""));
    peer_expect(&client, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE
                               "Content-Length: 3\r\n\r\nhi\n"));
    publish(RESPONSE("a", "\"body\":\"nobody\""));
    peer_expect(&client, SLICE(""));
    /* The connection serves another request. */
    how.head = RESPONSE_HOLD;
    peer_say(&client, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    origin_end(response);
    publish(RESPONSE("a", "\"body\":\"two\""));
    expect_answer("HTTP/1.1 200 OK\r\n", "\r\n\r\ntwo");
    expect_asked("");
    peer_close(&client);
}

TEST(an_item_has_its_own_code_reason_and_fields)
{
    hold(&client, RESPONSE_HOLD "X-T: 1\nX-U: 2\n", "later");
    publish(RESPONSE("a", "\"code\":201,\"reason\":\"Mine\",\"headers\":{\"X-T\":\"new\"},"
                          "\"body\":\"b\""));
    peer_expect(&client, SLICE("HTTP/1.1 201 Mine\r\nContent-Type: text/plain\r\nX-U: 2\r\n"
                               "X-T: new\r\n" DATE "Content-Length: 1\r\n\r\nb"));
    peer_close(&client);
    hold(&client, RESPONSE_HOLD, "later");
    publish(RESPONSE("a", "\"headers\":[[\"X\",\"a\"],[\"X\",\"b\"]],\"body\":\"\""));
    peer_expect(&client,
                SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX: a\r\nX: b\r\n" DATE
                      "Content-Length: 0\r\n\r\n"));
    peer_close(&client);
}

TEST(at_the_timeout_the_origins_response_is_the_answer)
{
    how.status = 500;
    hold(&client, RESPONSE_HOLD "Grip-Timeout: 6\n", "late");
    loop_advance(lab.loop, 5999);
    peer_expect(&client, SLICE(""));
    loop_advance(lab.loop, 1);
    expect_answer("HTTP/1.1 500 Internal Server Error\r\n", "\r\n\r\nlate");
    peer_close(&client);
    hold(&client, RESPONSE_HOLD "Grip-Timeout: 1\n", "late");
    loop_advance(lab.loop, 4999);
    peer_expect(&client, SLICE(""));
    loop_advance(lab.loop, 1);
    expect_answer("HTTP/1.1 500 Internal Server Error\r\n", "\r\n\r\nlate");
    peer_close(&client);
    hold(&client, RESPONSE_HOLD, "late");
    loop_advance(lab.loop, 54999);
    assert_false(slice_starts(peer_heard(&client), SLICE("HTTP")));
    loop_advance(lab.loop, 1);
    expect_answer("HTTP/1.1 500 Internal Server Error\r\n", "\r\n\r\nlate");
    peer_close(&client);
}

TEST(json_instructions_have_the_whole_response)
{
#define JSON "Content-Type: application/grip-instruct; charset=utf-8\nX-Origin: 1\n"
    hold(&client, JSON,
         "{\"hold\":{\"channels\":[{\"name\":\"a\"}]},\"response\":{\"code\":404,\"headers\":"
         "{\"X-J\":\"2\"},\"body-bin\":\"aGk=\"}}");
    loop_advance(lab.loop, 55000);
    expect_answer("HTTP/1.1 404 Not Found\r\nX-J: 2\r\nDate", "\r\n\r\nhi");
    peer_close(&client);
    hold(&client, JSON, "{}");
    expect_answer("HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n\r\n");
    peer_close(&client);
    hold(&client, JSON,
         "{\"hold\":{\"mode\":\"stream\",\"channels\":[{\"name\":\"a\"}],\"keep-alive\":"
         "{\"content\":\"k\",\"timeout\":2}},\"response\":{\"body\":\"open\"}}");
    loop_advance(lab.loop, 2000);
    publish(STREAM("a", "!"));
    expect_body(&client, "openk!");
    peer_close(&client);
    how.debug = true;
    hold(&client, JSON, "[]");
    expect_answer("HTTP/1.1 502",
                  "Failed to parse accept instructions: instruct must be an object\n");
    peer_close(&client);
    how.status = 201;
    hold(&client, JSON, "{}");
    expect_answer("HTTP/1.1 502", "response code for application/grip-instruct content must be "
                                  "200\n");
    peer_close(&client);
}

TEST(a_patch_changes_the_held_body)
{
    hold(&client, RESPONSE_HOLD, "{\"a\":1}\n");
    publish(RESPONSE("a", "\"body-patch\":[{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]"));
    expect_answer("HTTP/1.1 200 OK\r\n", "\r\n\r\n{\"a\":1,\"b\":2}\n");
    peer_close(&client);
    hold(&client, RESPONSE_HOLD, "no json");
    publish(RESPONSE("a", "\"body-patch\":[{\"op\":\"remove\",\"path\":\"/b\"}]"));
    expect_answer("HTTP/1.1 200 OK\r\n", "Content-Length: 0\r\n\r\n");
    peer_close(&client);
}

TEST(a_hint_makes_the_request_again)
{
    hold(&client, RESPONSE_HOLD "Grip-Channel: s; prev-id=1\n", "later");
    publish(RESPONSE("a", "\"action\":\"hint\""));
    expect_asked("again\nGrip-Last: s; last-id=1\n");
    how.head = RESPONSE_HOLD;
    respond_to(given_back, false);
    origin_end(response);
    publish(RESPONSE("a", "\"body\":\"hi\""));
    expect_answer("HTTP/1.1 200 OK\r\n", "\r\n\r\nhi");
    peer_close(&client);
}

TEST(a_poll_that_missed_an_item_is_made_again_at_once)
{
    hold(&other, "Grip-Hold: stream\nGrip-Channel: c\n", "x");
    publish("{\"channel\":\"c\",\"id\":\"2\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    how.prefix = "";
    hold(&client, "Grip-Hold: response\nGrip-Channel: c; prev-id=1\n", "");
    expect_asked("again\nGrip-Last: c; last-id=1\n");
    /* Said once: the same answer again is held. */
    respond_to(given_back, false);
    origin_end(response);
    expect_asked("");
    peer_close(&client);
    peer_close(&other);
}

TEST(a_poll_whose_sequence_breaks_is_made_again)
{
    hold(&client, "Grip-Hold: response\nGrip-Channel: c; prev-id=1\n", "");
    publish("{\"channel\":\"c\",\"id\":\"3\",\"prev-id\":\"2\",\"no-seq\":true,"
            "\"formats\":{\"http-response\":{\"body\":\"x\"}}}");
    expect_asked("again\nGrip-Last: c; last-id=1\n");
    reply_text(given_back, 200, SLICE("over"));
    expect_answer("HTTP/1.1 200 OK\r\n", "over");
    peer_close(&client);
}

TEST(prefixes_are_the_routes_and_not_the_origins)
{
    how.prefix = "pre-";
    hold(&client, "Grip-Hold: response\nGrip-Channel: c1; prev-id=1\n", "");
    publish(RESPONSE("c1", "\"body\":\"no\""));
    expect_asked("");
    peer_expect(&client, SLICE(""));
    publish("{\"channel\":\"pre-c1\",\"prev-id\":\"0\",\"no-seq\":true,"
            "\"formats\":{\"http-response\":{\"body\":\"x\"}}}");
    expect_asked("again\nGrip-Last: c1; last-id=1\n");
    reply_abort(given_back);
    peer_close(&client);
}

TEST(many_polls_are_made_again_at_a_pace)
{
    enum { POLLS = 350 };
    static struct peer polls[POLLS];

    for (int i = 0; i < POLLS; i++)
        hold(&polls[i], RESPONSE_HOLD, "");
    publish(RESPONSE("a", "\"action\":\"hint\""));
    assert_int_equal(lab.edge->stats.grip_again, GRIP_HOLD_AGAIN);
    assert_int_equal(lab.edge->stats.grip_waiting, POLLS - GRIP_HOLD_AGAIN);
    loop_advance(lab.loop, 100);
    assert_int_equal(lab.edge->stats.grip_again, 2 * GRIP_HOLD_AGAIN);
    leave(&polls[POLLS - 1]);                 /* it waited */
    publish(RESPONSE("a", "\"body\":\"x\"")); /* those that wait are answered */
    assert_int_equal(lab.edge->stats.grip_answered, POLLS - 1 - 2 * GRIP_HOLD_AGAIN);
    assert_int_equal(lab.edge->stats.grip_waiting, 0);
    assert_int_equal(lab.edge->stats.grip_responses, 0);
    loop_advance(lab.loop, 1000);
    assert_int_equal(lab.edge->stats.grip_again, 2 * GRIP_HOLD_AGAIN);
    for (int i = 0; i < POLLS - 1; i++)
        leave(&polls[i]);
}

TEST(a_poll_of_a_channel_that_nobody_knew_is_made_again_once)
{
    hold(&client, "Grip-Hold: response\nGrip-Channel: fresh\n", "");
    loop_advance(lab.loop, 900);
    expect_asked("");
    loop_advance(lab.loop, 200);
    expect_asked("again\n");
    respond_to(given_back, false);
    origin_end(response);
    loop_advance(lab.loop, 5000);
    expect_asked("");
    leave(&client);
}

TEST(a_client_that_leaves_is_forgotten)
{
    hold(&client, RESPONSE_HOLD, "");
    assert_int_equal(lab.edge->stats.grip_responses, 1);
    client_cut(&client);
    assert_int_equal(lab.edge->stats.grip_responses, 0);
    assert_int_equal(n_origins, 0);
    publish(RESPONSE("a", "\"body\":\"hi\""));
    peer_close(&client);
}

TEST(a_poll_may_ask_by_head)
{
    how.head = RESPONSE_HOLD;
    say_request(&client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    origin_end(response);
    publish(RESPONSE("a", "\"body\":\"hello\""));
    expect_answer("HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n\r\n");
    peer_close(&client);
}

TEST(when_the_edge_stops_polls_are_answered_and_streams_end)
{
    hold(&client, RESPONSE_HOLD, "late");
    hold(&other, "Grip-Hold: stream\nGrip-Channel: a\n", "open");
    grip_holds_stop(lab.app);
    expect_answer("HTTP/1.1 200 OK\r\n", "\r\n\r\nlate");
    expect_body(&other, "open<end>");
    peer_close(&client);
    peer_close(&other);
}

TEST(channels_of_a_hold_are_bounded)
{
    CLEANUP(buf_done) struct buf head = {.max = 4096};

    (void)buf_addf(&head, "Grip-Hold: stream\nGrip-Channel: x, y\nGrip-Channel: c0");
    for (int i = 1; i < 25; i++)
        (void)buf_addf(&head, ", c%d", i);
    (void)buf_addf(&head, "\n%c", 0);
    hold(&client, (char *)head.p, "");
    publish(STREAM("y", "y"));
    publish(STREAM("c17", "17"));
    publish(STREAM("c18", "18"));
    publish(STREAM("c24", "24"));
    expect_body(&client, "y17");
    peer_close(&client);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, grip_lab_open, grip_lab_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(instructions_without_a_hold_are_stripped),
        FRESH(the_status_may_be_another),
        FRESH(nothing_is_sent_before_the_whole_body_is_here),
        FRESH(instructions_that_are_wrong_are_502),
        FRESH(a_request_that_could_not_be_kept_is_400),
        FRESH(an_origin_that_breaks_in_the_body_is_502),
        FRESH(a_client_that_leaves_while_the_body_comes_cancels_the_call),
        FRESH(bodies_over_the_limit_go_on_as_a_stream_or_are_502),
        FRESH(a_body_of_the_greatest_size_is_held),
        FRESH(a_long_body_comes_as_the_client_takes_it),
        FRESH(a_poll_is_answered_by_an_item),
        FRESH(an_item_has_its_own_code_reason_and_fields),
        FRESH(at_the_timeout_the_origins_response_is_the_answer),
        FRESH(json_instructions_have_the_whole_response),
        FRESH(a_patch_changes_the_held_body),
        FRESH(a_hint_makes_the_request_again),
        FRESH(a_poll_that_missed_an_item_is_made_again_at_once),
        FRESH(a_poll_whose_sequence_breaks_is_made_again),
        FRESH(prefixes_are_the_routes_and_not_the_origins),
        FRESH(many_polls_are_made_again_at_a_pace),
        FRESH(a_poll_of_a_channel_that_nobody_knew_is_made_again_once),
        FRESH(a_client_that_leaves_is_forgotten),
        FRESH(a_poll_may_ask_by_head),
        FRESH(when_the_edge_stops_polls_are_answered_and_streams_end),
        FRESH(channels_of_a_hold_are_bounded),
    };

    return cmocka_run_group_tests_name("grip_hold", tests, NULL, NULL);
}
