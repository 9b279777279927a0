#include "edge/woh_head.h"

#include <stdio.h>

#include "lib/test.h"

static const char *text_of(struct buf *b)
{
    assert_int_equal(buf_add_byte(b, '\0'), 0);
    return (const char *)b->p;
}

TEST(a_request_has_the_clients_fields_and_the_protocols_own)
{
    CLEANUP(buf_done) struct buf b = {.max = WOH_FIELDS_MAX};

    assert_int_equal(woh_put_fields(&b,
                                    SLICE("Sec-WebSocket-Key: k\n"
                                          "Cookie: a=b\n"
                                          "upgrade: websocket\n"
                                          "Connection: Upgrade\n"
                                          "ACCEPT: */*\n"
                                          "Connection-Id: forged\n"
                                          "Content-Type: text/plain\n"
                                          "Content-Length: 3\n"
                                          "meta-user: forged\n"
                                          "Grip-Sig: forged\n"
                                          "Content-Bytes-Replayed: 3\n"
                                          "Sec-WebSocket-Extensions: permessage-deflate\n"),
                                    true, SLICE("the-id")),
                     0);
    assert_string_equal(text_of(&b), "Sec-WebSocket-Key: k\n"
                                     "Cookie: a=b\n"
                                     "Sec-WebSocket-Extensions: grip\n"
                                     "Accept: application/websocket-events\n"
                                     "Connection-Id: the-id\n"
                                     "Content-Type: application/websocket-events\n");
}

TEST(without_grip_the_extension_is_not_offered)
{
    CLEANUP(buf_done) struct buf b = {.max = WOH_FIELDS_MAX};

    (void)woh_put_fields(&b, SLICE_NONE, false, SLICE("i"));
    assert_true(slice_find_slice(buf_slice(&b), SLICE("Extensions")) < 0);
}

static struct woh_head head_of(unsigned status, const char *lines)
{
    return woh_read_head(status, slice_str(lines), NULL);
}

TEST(only_200_with_exactly_the_type_is_events)
{
    assert_true(head_of(200, "content-type: application/websocket-events\n").is_events);
    assert_false(head_of(201, "Content-Type: application/websocket-events\n").is_events);
    assert_false(
        head_of(200, "Content-Type: application/websocket-events; charset=utf-8\n").is_events);
    assert_false(head_of(200, "Content-Type: text/html\n").is_events);
    assert_false(head_of(200, "").is_events);
}

TEST(keep_alive_intervals_are_whole_seconds_from_20)
{
    static const struct {
        const char *line;
        uint32_t seconds;
    } cases[] = {{"Keep-Alive-Interval: 30\n", 30},  {"keep-alive-interval: 5\n", 20},
                 {"Keep-Alive-Interval: +20\n", 20}, {"Keep-Alive-Interval: 0\n", 0},
                 {"Keep-Alive-Interval: -5\n", 0},   {"Keep-Alive-Interval: soon\n", 0},
                 {"Keep-Alive-Interval:\n", 0}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct woh_head h = head_of(200, cases[i].line);

        assert_true(h.has_keep_alive);
        assert_int_equal(h.keep_alive_s, cases[i].seconds);
    }
    assert_false(head_of(200, "").has_keep_alive);
}

TEST(accepted_bytes_are_all_unless_a_number_says_otherwise)
{
    assert_true(head_of(200, "").accepted == SIZE_MAX);
    assert_int_equal(head_of(200, "Content-Bytes-Accepted: 3\n").accepted, 3);
    assert_int_equal(head_of(200, "Content-Bytes-Accepted: 0\n").accepted, 0);
    assert_true(head_of(200, "Content-Bytes-Accepted: -3\n").accepted == SIZE_MAX);
    assert_true(head_of(200, "Content-Bytes-Accepted: some\n").accepted == SIZE_MAX);
}

TEST(metadata_is_set_replaced_in_any_case_and_taken_away)
{
    CLEANUP(buf_done) struct buf meta = {0};

    (void)woh_read_head(200, SLICE("Set-Meta-User: bob\nSet-Meta-Room: 7\n"), &meta);
    assert_true(slice_eq(buf_slice(&meta), SLICE("Meta-User: bob\nMeta-Room: 7\n")));
    (void)woh_read_head(200, SLICE("set-meta-user: alice\n"), &meta);
    assert_true(slice_eq_nocase(buf_slice(&meta), SLICE("Meta-Room: 7\nmeta-user: alice\n")));
    (void)woh_read_head(200, SLICE("Set-Meta-ROOM:\n"), &meta);
    assert_true(slice_eq_nocase(buf_slice(&meta), SLICE("meta-user: alice\n")));
    (void)woh_read_head(200, SLICE("Set-Meta-User:\n"), &meta);
    assert_int_equal(meta.n, 0);
}

TEST(metadata_is_bounded)
{
    CLEANUP(buf_done) struct buf meta = {0};
    char line[256];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(line, sizeof(line), "Set-Meta-Name-%d: %0200d\n", i, i);
        (void)woh_read_head(200, slice_str(line), &meta);
    }
    assert_true(meta.n <= WOH_META_BYTES);
}

TEST(extensions_of_several_fields_are_one_list)
{
    CLEANUP(buf_done) struct buf extension = {0};

    woh_put_extensions(&extension,
                       SLICE("Sec-WebSocket-Extensions: x\nsec-websocket-extensions: grip\n"));
    assert_true(slice_eq(buf_slice(&extension), SLICE("x, grip")));
}

TEST(the_client_gets_the_fields_that_are_not_the_protocols)
{
    CLEANUP(buf_done) struct buf b = {.max = WOH_FIELDS_MAX};

    assert_int_equal(woh_put_accepted(&b, SLICE("Content-Type: application/websocket-events\n"
                                                "Content-Length: 6\n"
                                                "Set-Cookie: a=1\n"
                                                "Sec-WebSocket-Protocol: chat\n"
                                                "Sec-WebSocket-Extensions: grip\n"
                                                "Set-Meta-User: bob\n"
                                                "Keep-Alive-Interval: 20\n"
                                                "Set-Cookie: b=2\n")),
                     0);
    assert_string_equal(text_of(&b),
                        "Set-Cookie: a=1\nSec-WebSocket-Protocol: chat\nSet-Cookie: b=2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_the_clients_fields_and_the_protocols_own),
        cmocka_unit_test(without_grip_the_extension_is_not_offered),
        cmocka_unit_test(only_200_with_exactly_the_type_is_events),
        cmocka_unit_test(keep_alive_intervals_are_whole_seconds_from_20),
        cmocka_unit_test(accepted_bytes_are_all_unless_a_number_says_otherwise),
        cmocka_unit_test(metadata_is_set_replaced_in_any_case_and_taken_away),
        cmocka_unit_test(metadata_is_bounded),
        cmocka_unit_test(extensions_of_several_fields_are_one_list),
        cmocka_unit_test(the_client_gets_the_fields_that_are_not_the_protocols),
    };

    return cmocka_run_group_tests_name("woh_head", tests, NULL, NULL);
}
