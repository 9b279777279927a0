#include "edge/woh_queue.h"

#include "lib/test.h"

static struct woh_queue q;

static int begin(void **state)
{
    q = (struct woh_queue){0};
    return 0;
}

static int end(void **state)
{
    woh_queue_done(&q);
    return 0;
}

static void expect_request(bool one, const char *body)
{
    CLEANUP(buf_done) struct buf out = {.max = 1 << 20};

    (void)woh_queue_take(&q, one);
    woh_queue_put(&q, &out);
    (void)buf_add_byte(&out, '\0');
    assert_string_equal((const char *)out.p, body);
}

static void say(const char *text)
{
    woh_queue_add(&q, WOH_TEXT, slice_str(text));
}

TEST(events_leave_in_their_order_and_go_when_all_was_accepted)
{
    say("hello");
    woh_queue_add(&q, WOH_BINARY, SLICE("\x01\x02"));
    say("");
    expect_request(false, "TEXT 5\r\nhello\r\nBINARY 2\r\n\x01\x02\r\nTEXT\r\n");
    assert_int_equal(woh_queue_accept(&q, SIZE_MAX), WOH_ACCEPTED);
    assert_true(woh_queue_is_empty(&q));
    assert_int_equal(q.content, 0);
    assert_false(q.is_fresh);
}

TEST(what_comes_meanwhile_is_for_the_next_request)
{
    say("a");
    expect_request(false, "TEXT 1\r\na\r\n");
    say("b");
    assert_true(q.is_fresh);
    assert_int_equal(woh_queue_accept(&q, SIZE_MAX), WOH_ACCEPTED);
    expect_request(false, "TEXT 1\r\nb\r\n");
}

TEST(one_event_goes_alone_where_the_target_wants_it)
{
    say("a");
    say("b");
    expect_request(true, "TEXT 1\r\na\r\n");
    assert_true(q.is_fresh);
    assert_int_equal(woh_queue_accept(&q, SIZE_MAX), WOH_ACCEPTED);
    expect_request(true, "TEXT 1\r\nb\r\n");
    assert_false(q.is_fresh);
}

TEST(a_request_made_again_says_the_same)
{
    CLEANUP(buf_done) struct buf out = {.max = 1 << 20};

    say("a");
    expect_request(false, "TEXT 1\r\na\r\n");
    say("b");
    woh_queue_put(&q, &out);
    assert_true(slice_eq(buf_slice(&out), SLICE("TEXT 1\r\na\r\n")));
}

TEST(what_is_not_accepted_leads_the_next_request)
{
    say("hello");
    expect_request(false, "TEXT 5\r\nhello\r\n");
    assert_int_equal(woh_queue_accept(&q, 3), WOH_ACCEPTED);
    assert_false(q.is_fresh);
    assert_int_equal(q.replayed, 2);
    say("x");
    assert_int_equal(woh_queue_take(&q, false), 2);
    expect_request(false, "TEXT 2\r\nlo\r\nTEXT 1\r\nx\r\n");
    assert_int_equal(woh_queue_accept(&q, 1), WOH_ACCEPTED);
    assert_int_equal(q.replayed, 2);
    expect_request(false, "TEXT 1\r\no\r\nTEXT 1\r\nx\r\n");
    assert_int_equal(woh_queue_accept(&q, 2), WOH_ACCEPTED);
    assert_int_equal(q.replayed, 0);
    assert_true(woh_queue_is_empty(&q));
}

TEST(more_than_was_offered_cannot_be_accepted)
{
    say("hello");
    expect_request(false, "TEXT 5\r\nhello\r\n");
    assert_int_equal(woh_queue_accept(&q, 99), -ERR_SYNTAX);
}

TEST(a_close_counts_when_all_before_it_was_accepted)
{
    say("hello");
    woh_queue_add(&q, WOH_CLOSE,
                  SLICE("\x03\xe9"
                        "bye"));
    expect_request(false, "TEXT 5\r\nhello\r\nCLOSE 5\r\n\x03\xe9"
                          "bye\r\n");
    assert_int_equal(woh_queue_accept(&q, 4), WOH_ACCEPTED);
    expect_request(false, "TEXT 1\r\no\r\nCLOSE 5\r\n\x03\xe9"
                          "bye\r\n");
    assert_int_equal(woh_queue_accept(&q, 6), WOH_ACCEPTED_CLOSE);
    assert_true(woh_queue_is_empty(&q));
}

TEST(a_part_of_a_close_cannot_be_accepted)
{
    say("hello");
    woh_queue_add(&q, WOH_CLOSE,
                  SLICE("\x03\xe9"
                        "bye"));
    (void)woh_queue_take(&q, false);
    assert_int_equal(woh_queue_accept(&q, 7), -ERR_SYNTAX);
}

TEST(a_bare_close_has_no_bytes_to_be_accepted)
{
    woh_queue_add(&q, WOH_CLOSE, SLICE_NONE);
    expect_request(false, "CLOSE\r\n");
    assert_int_equal(woh_queue_accept(&q, 0), WOH_ACCEPTED_CLOSE);
}

TEST(a_full_queue_of_which_nothing_is_accepted_is_an_error)
{
    static const char big[WOH_QUEUE_FULL];

    woh_queue_add(&q, WOH_BINARY, slice_make(big, sizeof(big)));
    assert_true(woh_queue_is_full(&q));
    (void)woh_queue_take(&q, false);
    assert_int_equal(woh_queue_accept(&q, 0), -ERR_TOO_LARGE);
}

TEST(a_request_has_a_bounded_content)
{
    static const char big[90000];

    for (int i = 0; i < 3; i++)
        woh_queue_add(&q, WOH_BINARY, slice_make(big, sizeof(big)));
    (void)woh_queue_take(&q, false);
    assert_int_equal(q.sent_content, 180000);
    assert_true(q.is_fresh);
    assert_int_equal(woh_queue_accept(&q, SIZE_MAX), WOH_ACCEPTED);
    (void)woh_queue_take(&q, false);
    assert_int_equal(q.sent_content, 90000);
    assert_int_equal(woh_queue_accept(&q, SIZE_MAX), WOH_ACCEPTED);
    assert_true(woh_queue_is_empty(&q));
}

/* Whatever is accepted of whatever was offered: all content arrives once and in order. */
TEST(any_accepted_parts_join_to_what_was_said)
{
    static const char *const words[] = {"one", "", "three", "4", "", "", "seven"};
    CLEANUP(buf_done) struct buf heard = {.max = 1 << 10};
    CLEANUP(buf_done) struct buf said = {.max = 1 << 10};

    for (size_t step = 1; step < 9; step++) {
        buf_clear(&heard);
        buf_clear(&said);
        for (size_t i = 0; i < COUNT_OF(words); i++) {
            say(words[i]);
            (void)buf_add(&said, slice_str(words[i]));
        }
        while (!woh_queue_is_empty(&q)) {
            CLEANUP(buf_done) struct buf body = {.max = 1 << 10};
            struct slice in;
            struct woh_event ev;
            size_t left;

            (void)woh_queue_take(&q, false);
            left = MIN(step, q.sent_content);
            woh_queue_put(&q, &body);
            assert_int_equal(woh_queue_accept(&q, left), WOH_ACCEPTED);
            for (in = buf_slice(&body); left && woh_next(&in, true, &ev) > 0;) {
                const size_t n = MIN(left, ev.content.n);

                (void)buf_add(&heard, slice_sub(ev.content, 0, n));
                left -= n;
            }
        }
        assert_true(slice_eq(buf_slice(&heard), buf_slice(&said)));
    }
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(events_leave_in_their_order_and_go_when_all_was_accepted),
        FRESH(what_comes_meanwhile_is_for_the_next_request),
        FRESH(one_event_goes_alone_where_the_target_wants_it),
        FRESH(a_request_made_again_says_the_same),
        FRESH(what_is_not_accepted_leads_the_next_request),
        FRESH(more_than_was_offered_cannot_be_accepted),
        FRESH(a_close_counts_when_all_before_it_was_accepted),
        FRESH(a_part_of_a_close_cannot_be_accepted),
        FRESH(a_bare_close_has_no_bytes_to_be_accepted),
        FRESH(a_full_queue_of_which_nothing_is_accepted_is_an_error),
        FRESH(a_request_has_a_bounded_content),
        FRESH(any_accepted_parts_join_to_what_was_said),
    };

    return cmocka_run_group_tests_name("woh_queue", tests, NULL, NULL);
}
