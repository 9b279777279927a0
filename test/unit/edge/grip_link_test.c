#include "edge/grip_hold_int.h"

#include "grip_lab.h"

static struct peer client, other;

#define HOLD "Grip-Hold: stream\nGrip-Channel: a\n"
#define SEQ "Grip-Hold: stream\nGrip-Channel: c; prev-id=5\nGrip-Link: </n>; rel=next\n"
#define FRESH(test) cmocka_unit_test_setup_teardown(test, grip_lab_open, grip_lab_close)

TEST(page_follows_page)
{
    hold(&client, "Grip-Link: </b>; rel=next\n", "A");
    expect_body(&client, "A");
    expect_asked("GET http://h/b\n");
    origin_answers(calls[0], 200, "Grip-Link: <c?d>; rel=next\n", "B");
    expect_asked("GET http://h/c?d\n");
    origin_answers(calls[1], 299, "Content-Type: x\n", "C");
    expect_body(&client, "ABC<end>");
    expect_asked("");
    peer_close(&client);
}

TEST(a_page_may_be_the_beginning_of_a_hold)
{
    hold(&client, "Grip-Link: <http://other:81/b>; rel=next\n", "A");
    expect_asked("GET http://other:81/b\n");
    publish(STREAM("a", "early"));
    origin_answers(calls[0], 200, HOLD "Grip-Keep-Alive: k; timeout=2\n", "B");
    assert_int_equal(lab.edge->stats.grip_streams, 1);
    publish(STREAM("a", "!"));
    expect_body(&client, "AB!");
    loop_advance(lab.loop, 2000);
    expect_body(&client, "AB!k");
    peer_close(&client);
}

TEST(empty_pages_are_not_asked_for_in_a_hurry)
{
    hold(&client, "Grip-Link: </b>; rel=next\n", "A");
    expect_asked("GET http://h/b\n");
    origin_answers(calls[0], 200, "Grip-Link: </b>; rel=next\n", "");
    expect_asked("");
    loop_advance(lab.loop, 1000);
    expect_asked("GET http://h/b\n");
    leave(&client);
    assert_null(calls[1]->ops); /* nobody wants it any more */
}

TEST(a_quiet_stream_asks_its_link)
{
    hold(&client,
         "Grip-Hold: stream\nGrip-Channel: c; prev-id=1\nGrip-Link: </n>; rel=next; "
         "timeout=2\n",
         "A");
    loop_advance(lab.loop, 1999);
    expect_asked("");
    loop_advance(lab.loop, 1);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=1\n");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=2\nGrip-Link: </n>; rel=next; "
                   "timeout=3\n",
                   "B");
    loop_advance(lab.loop, 1500);
    publish(STREAM_ID("c", "3", "2", "3"));
    loop_advance(lab.loop, 2999);
    expect_asked("");
    loop_advance(lab.loop, 1);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=3\n");
    expect_body(&client, "AB3");
    peer_close(&client);
}

TEST(the_time_begins_anew_when_every_channel_had_an_item)
{
    hold(&client, "Grip-Hold: stream\nGrip-Channel: a, b\nGrip-Link: </n>; rel=next; timeout=2\n",
         "");
    loop_advance(lab.loop, 1000);
    publish(STREAM("a", "1"));
    publish(STREAM("a", "2"));
    loop_advance(lab.loop, 999);
    publish(STREAM("b", "3"));
    loop_advance(lab.loop, 1999);
    expect_asked("");
    loop_advance(lab.loop, 1);
    expect_asked("GET http://h/n\n");
    peer_close(&client);
}

TEST(a_sequence_without_a_link_ends_the_response)
{
    hold(&client, "Grip-Hold: stream\nGrip-Channel: c; prev-id=1\n", "A");
    expect_body(&client, "A<end>");
    peer_close(&client);
    how.debug = true;
    hold(&client, "Grip-Hold: stream\nGrip-Channel: c; prev-id=1\n", "A");
    expect_body(&client, "Achannel 'c' specifies prev-id, but no next link found<end>");
    peer_close(&client);
}

TEST(items_that_came_in_the_wrong_order_are_put_right)
{
    hold(&client, SEQ, "");
    publish(STREAM_ID("c", "6", "5", "6"));
    publish(STREAM_ID("c", "8", "7", "8"));
    publish(STREAM_ID("c", "7", "6", "7"));
    expect_body(&client, "678");
    expect_asked("");
    peer_close(&client);
}

TEST(an_item_that_was_lost_is_asked_for)
{
    hold(&client, SEQ, "");
    publish(STREAM_ID("c", "6", "5", "6"));
    publish(STREAM_ID("c", "9", "8", "9"));
    loop_advance(lab.loop, 4900);
    expect_asked("");
    loop_advance(lab.loop, 1200);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=6\n");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=9\nGrip-Link: </n>; rel=next\n",
                   "789");
    publish(STREAM_ID("c", "10", "9", "10"));
    expect_body(&client, "678910");
    expect_asked("");
    peer_close(&client);
}

TEST(without_sequence_nothing_waits)
{
    hold(&client, SEQ, "");
    publish("{\"channel\":\"c\",\"id\":\"9\",\"prev-id\":\"8\",\"no-seq\":true,\"formats\":{"
            "\"http-stream\":{\"content\":\"9\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    peer_close(&client);
}

TEST(what_was_published_while_a_page_came_is_not_lost_and_not_doubled)
{
    hold(&client, SEQ, "");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    calls[0]->ops->response(calls[0]->arg,
                            &(struct upstream_response){
                                .status = 200,
                                .head = SLICE("Grip-Hold: stream\nGrip-Channel: c; prev-id=7\n"
                                              "Grip-Link: </n>; rel=next\n"),
                            });
    origin_body(calls[0], "67");
    publish(STREAM_ID("c", "6", "5", "six"));
    publish(STREAM_ID("c", "7", "6", "seven"));
    publish(STREAM_ID("c", "8", "7", "8"));
    expect_body(&client, "67");
    origin_end(calls[0]);
    expect_body(&client, "678");
    expect_asked("");
    peer_close(&client);
}

TEST(an_item_that_comes_while_a_link_is_asked_waits_for_the_page)
{
    hold(&client, SEQ, "");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    publish(STREAM_ID("c", "6", "5", "six"));
    expect_body(&client, "");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=6\nGrip-Link: </n>; rel=next\n",
                   "6");
    publish(STREAM_ID("c", "7", "6", "7"));
    expect_body(&client, "67");
    expect_asked("");
    peer_close(&client);
}

TEST(a_new_channel_of_a_page_may_have_missed_an_item)
{
    hold(&other, "Grip-Hold: stream\nGrip-Channel: b\n", "x");
    publish("{\"channel\":\"b\",\"id\":\"6\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    hold(&client, SEQ, "");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=5, b; prev-id=4\n"
                   "Grip-Link: </n>; rel=next\n",
                   "");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\nGrip-Last: b; last-id=4\n");
    peer_close(&client);
    peer_close(&other);
}

TEST(a_stream_that_missed_an_item_asks_at_once)
{
    hold(&other, "Grip-Hold: stream\nGrip-Channel: c\n", "x");
    publish("{\"channel\":\"c\",\"id\":\"6\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    hold(&client, SEQ, "");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    peer_close(&client);
    peer_close(&other);
}

TEST(an_item_waits_for_the_page_also_when_the_client_takes_bytes_meanwhile)
{
    hold(&other, "Grip-Hold: stream\nGrip-Channel: c\n", "x");
    publish("{\"channel\":\"c\",\"id\":\"6\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    hold(&client, SEQ, "A");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    publish(STREAM_ID("c", "7", "6", "7"));
    expect_body(&client, "A");
    origin_answers(calls[0], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=6\nGrip-Link: </n>; rel=next\n",
                   "6");
    publish(STREAM_ID("c", "8", "7", "8"));
    expect_body(&client, "A678");
    expect_asked("");
    peer_close(&client);
    peer_close(&other);
}

TEST(a_hint_asks_at_once)
{
    hold(&client, HOLD "Grip-Link: </n>; rel=next\n", "");
    hold(&other, HOLD, "no link");
    publish("{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\n");
    peer_close(&client);
    peer_close(&other);
}

TEST(an_id_is_delivered_once)
{
    hold(&client, HOLD, "");
    publish("{\"channel\":\"a\",\"id\":\"1\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    publish("{\"channel\":\"a\",\"id\":\"1\",\"formats\":{\"http-stream\":{\"content\":\"x\"}}}");
    expect_body(&client, "x");
    peer_close(&client);
}

TEST(a_link_that_fails_is_tried_again)
{
    hold(&client, SEQ, "A");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    origin_answers(calls[0], 500, "", "sorry");
    loop_advance(lab.loop, 999);
    expect_asked("");
    loop_advance(lab.loop, 1001);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    origin_answers(calls[1], 404, "", "");
    loop_advance(lab.loop, 1999);
    expect_asked("");
    loop_advance(lab.loop, 1001);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    origin_answers(calls[2], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=6\nGrip-Link: </n>; rel=next\n",
                   "6");
    publish(STREAM_ID("c", "7", "6", "7"));
    expect_body(&client, "A67");
    peer_close(&client);
}

TEST(a_stream_hears_what_it_can_while_its_link_fails)
{
    hold(&client, "Grip-Hold: stream\nGrip-Channel: a, c; prev-id=5\nGrip-Link: </n>; rel=next\n",
         "");
    publish("{\"channel\":\"c\",\"id\":\"9\",\"prev-id\":\"8\",\"no-seq\":true,\"formats\":{"
            "\"http-stream\":{\"content\":\"9\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    publish(STREAM("a", "1"));
    origin_fail(calls[0], UPSTREAM_SENT);
    publish(STREAM("a", "2"));
    publish("{\"channel\":\"c\",\"id\":\"10\",\"prev-id\":\"9\",\"no-seq\":true,\"formats\":{"
            "\"http-stream\":{\"content\":\"10\"}}}");
    expect_body(&client, "12");
    expect_asked("");
    loop_advance(lab.loop, 2000);
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n");
    peer_close(&client);
}

TEST(a_link_that_fails_for_good_ends_the_stream)
{
    int64_t began;

    hold(&client, SEQ, "A");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    began = loop_now(lab.loop);
    for (unsigned i = 0; i < 6; i++) {
        while (n_calls == i)
            loop_advance(lab.loop, 100);
        origin_answers(calls[i], 500, "", "");
    }
    assert_in_range(loop_now(lab.loop) - began, 31000, 37000);
    expect_body(&client, "A<end>");
    assert_int_equal(lab.edge->stats.grip_links_lost, 1);
    peer_close(&client);
}

TEST(a_stream_outlives_an_origin_that_is_down)
{
    hold(&client, SEQ, "A");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    for (unsigned i = 0; i < 10; i++) {
        while (n_calls == i)
            loop_advance(lab.loop, 1000);
        origin_fail(calls[i], UPSTREAM_NOT_REACHED);
    }
    loop_advance(lab.loop, 61000);
    origin_answers(calls[10], 200,
                   "Grip-Hold: stream\nGrip-Channel: c; prev-id=6\nGrip-Link: </n>; rel=next\n",
                   "6");
    expect_body(&client, "A6");
    peer_close(&client);
}

TEST(a_page_that_breaks_ends_the_stream)
{
    hold(&client, SEQ, "A");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    calls[0]->ops->response(calls[0]->arg, &(struct upstream_response){.status = 200});
    origin_body(calls[0], "B");
    origin_fail(calls[0], UPSTREAM_CUT);
    expect_body(&client, "AB<end>");
    peer_close(&client);
}

TEST(links_that_are_wrong_end_the_stream)
{
    static const char *const heads[] = {
        "Grip-Hold: response\nGrip-Channel: a\n",
        "Grip-Hold: foo\n",
        "Grip-Link: <ftp://x>; rel=next\n",
        "Content-Type: application/grip-instruct\n",
        "Grip-Hold: stream\nGrip-Channel: c; prev-id=5\n",
    };

    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        hold(&client, "Grip-Link: </b>; rel=next\n", "A");
        origin_answers(calls[i], 200, heads[i], "");
        expect_body(&client, "A<end>");
        peer_close(&client);
    }
}

TEST(a_page_may_be_json)
{
    hold(&client, "Grip-Link: </b>; rel=next\n", "A");
    origin_answers(calls[0], 200, "Content-Type: application/grip-instruct\n",
                   "{\"hold\":{\"mode\":\"stream\",\"channels\":[{\"name\":\"a\"}]},\"response\":"
                   "{\"body\":\"B\"}}");
    publish(STREAM("a", "!"));
    expect_body(&client, "AB!");
    peer_close(&client);
}

TEST(who_wants_the_same_page_shares_it)
{
    enum { CLIENTS = 3 };
    static struct peer clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        hold(&clients[i], SEQ, "A");
    hold(&client, "Grip-Hold: stream\nGrip-Channel: c; prev-id=5\nGrip-Link: </n?x>; rel=next\n",
         "A");
    publish("{\"channel\":\"c\",\"formats\":{\"http-stream\":{\"action\":\"hint\"}}}");
    expect_asked("GET http://h/n\nGrip-Last: c; last-id=5\n"
                 "GET http://h/n?x\nGrip-Last: c; last-id=5\n");
    leave(&clients[0]);
    calls[0]->ops->response(calls[0]->arg,
                            &(struct upstream_response){.status = 200, .head = SLICE(HOLD)});
    origin_body(calls[0], "B");
    leave(&clients[1]);
    origin_body(calls[0], "C");
    origin_end(calls[0]);
    expect_body(&clients[2], "ABC");
    peer_close(&clients[2]);
    assert_non_null(calls[1]->ops);
    leave(&client);
    assert_null(calls[1]->ops);
}

TEST(a_page_is_as_fast_as_its_clients)
{
    static char piece[64 << 10];

    memset(piece, 'x', sizeof(piece) - 1);
    hold(&client, "Grip-Link: </b>; rel=next\n", "A");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    calls[0]->ops->response(calls[0]->arg, &(struct upstream_response){.status = 200});
    while (calls[0]->credit >= sizeof(piece)) {
        origin_body(calls[0], piece);
        loop_advance(lab.loop, 0);
    }
    assert_true(lab.edge->stats.grip_slow == 0);
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    assert_true(calls[0]->credit >= sizeof(piece));
    origin_end(calls[0]);
    assert_true(slice_ends(peer_heard(&client), SLICE("0\r\n\r\n")));
    peer_close(&client);
}

TEST(links_are_fetched_some_at_a_time)
{
    enum { CLIENTS = GRIP_HOLD_CALLS + 6 };
    static struct peer clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++) {
        char head[100];

        (void)snprintf(head, sizeof(head), "Grip-Link: </b?%d>; rel=next\n", i);
        hold(&clients[i], head, "A");
    }
    assert_int_equal(n_calls, GRIP_HOLD_CALLS);
    assert_int_equal(lab.edge->stats.grip_waiting, 6);
    leave(&clients[CLIENTS - 1]); /* it waited */
    assert_int_equal(lab.edge->stats.grip_waiting, 5);
    origin_answers(calls[0], 200, "", "B");
    assert_int_equal(n_calls, GRIP_HOLD_CALLS + 1);
    leave(&clients[1]);
    assert_int_equal(n_calls, GRIP_HOLD_CALLS + 2);
    for (int i = 0; i < CLIENTS - 1; i++)
        if (i != 1)
            leave(&clients[i]);
    assert_int_equal(lab.app->grip->n_calls, 0);
}

TEST(who_leaves_is_told_to_the_origin_once)
{
    hold(&client, HOLD "Grip-Link: </g>; rel=gone\n", "A");
    expect_asked("");
    leave(&client);
    expect_asked("POST http://h/g\n");
    origin_answers(calls[0], 200, "", "ignored");
    hold(&client, HOLD "Grip-Link: </g>; rel=gone\n", "A");
    publish("{\"channel\":\"a\",\"formats\":{\"http-stream\":{\"action\":\"close\",\"content\":"
            "\"\"}}}");
    expect_asked("POST http://h/g\n");
    origin_fail(calls[1], UPSTREAM_NOT_REACHED);
    loop_advance(lab.loop, 60000);
    expect_asked("");
    peer_close(&client);
}

TEST(so_many_may_wait_to_be_told_as_gone)
{
    enum { GONES = 10000 }; /* as in grip_link.c */

    for (int i = 0; i < GONES; i++) {
        hold(&client, HOLD "Grip-Link: </g>; rel=gone\n", "A");
        leave(&client);
    }
    assert_int_equal(lab.edge->stats.grip_gones_dropped, 0);
    hold(&client, HOLD "Grip-Link: </g>; rel=gone\n", "A");
    leave(&client);
    assert_int_equal(lab.edge->stats.grip_gones_dropped, 1);
    origin_answers(calls[0], 200, "", "");
    hold(&client, HOLD "Grip-Link: </g>; rel=gone\n", "A");
    leave(&client);
    assert_int_equal(lab.edge->stats.grip_gones_dropped, 1);
    /* Every one that was not dropped is told. */
    for (unsigned i = 1; i < n_calls; i++)
        origin_answers(calls[i], 200, "", "");
    assert_int_equal(n_calls, GONES + 1);
}

TEST(a_poll_has_gone_links_too_but_not_when_it_is_made_again)
{
    hold(&client, "Grip-Hold: response\nGrip-Channel: a\nGrip-Link: </g>; rel=gone\n", "A");
    publish(RESPONSE("a", "\"action\":\"hint\""));
    expect_asked("again\n");
    respond_to(given_back, false);
    origin_end(response);
    publish(RESPONSE("a", "\"body\":\"x\""));
    expect_asked("POST http://h/g\n");
    peer_close(&client);
    hold(&client, "Grip-Hold: response\nGrip-Channel: a\nGrip-Link: </g>; rel=gone\n", "A");
    loop_advance(lab.loop, 55000);
    expect_asked("POST http://h/g\n");
    peer_close(&client);
}

TEST(ten_thousand_streams_with_a_link_wait_for_an_origin_that_is_down)
{
    enum { CLIENTS = 10000 };
    static struct peer clients[CLIENTS];

    for (int i = 0; i < CLIENTS; i++)
        hold(&clients[i], SEQ, "A");
    publish("{\"channel\":\"c\",\"id\":\"9\",\"prev-id\":\"8\",\"no-seq\":true,\"formats\":{"
            "\"http-stream\":{\"content\":\"9\"}}}");
    assert_int_equal(n_calls, 1); /* all want the same */
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned k = 0; k < n_calls; k++)
            if (calls[k]->ops)
                origin_fail(calls[k], UPSTREAM_NOT_REACHED);
        loop_advance(lab.loop, 500);
    }
    assert_in_range(n_calls, 10, 10000);
    assert_int_equal(lab.edge->stats.grip_streams, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        peer_close(&clients[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(page_follows_page),
        FRESH(a_page_may_be_the_beginning_of_a_hold),
        FRESH(empty_pages_are_not_asked_for_in_a_hurry),
        FRESH(a_quiet_stream_asks_its_link),
        FRESH(the_time_begins_anew_when_every_channel_had_an_item),
        FRESH(a_sequence_without_a_link_ends_the_response),
        FRESH(items_that_came_in_the_wrong_order_are_put_right),
        FRESH(an_item_that_was_lost_is_asked_for),
        FRESH(without_sequence_nothing_waits),
        FRESH(what_was_published_while_a_page_came_is_not_lost_and_not_doubled),
        FRESH(an_item_that_comes_while_a_link_is_asked_waits_for_the_page),
        FRESH(a_new_channel_of_a_page_may_have_missed_an_item),
        FRESH(a_stream_that_missed_an_item_asks_at_once),
        FRESH(an_item_waits_for_the_page_also_when_the_client_takes_bytes_meanwhile),
        FRESH(a_hint_asks_at_once),
        FRESH(an_id_is_delivered_once),
        FRESH(a_link_that_fails_is_tried_again),
        FRESH(a_stream_hears_what_it_can_while_its_link_fails),
        FRESH(a_link_that_fails_for_good_ends_the_stream),
        FRESH(a_stream_outlives_an_origin_that_is_down),
        FRESH(a_page_that_breaks_ends_the_stream),
        FRESH(links_that_are_wrong_end_the_stream),
        FRESH(a_page_may_be_json),
        FRESH(who_wants_the_same_page_shares_it),
        FRESH(a_page_is_as_fast_as_its_clients),
        FRESH(links_are_fetched_some_at_a_time),
        FRESH(who_leaves_is_told_to_the_origin_once),
        FRESH(so_many_may_wait_to_be_told_as_gone),
        FRESH(a_poll_has_gone_links_too_but_not_when_it_is_made_again),
        FRESH(ten_thousand_streams_with_a_link_wait_for_an_origin_that_is_down),
    };

    return cmocka_run_group_tests_name("grip_link", tests, NULL, NULL);
}
