#include "wire/ws.h"

#include "lib/hear_ws.h"
#include "lib/test.h"
#include "wire/http1.h"

static const struct ws_rules server = {WS_SERVER, 1 << 20, 0};
static const struct ws_rules client = {WS_CLIENT, 1 << 20, 0};
static const uint8_t key[4] = {1, 2, 3, 4};

/* Frames as a peer writes them: first byte, payload, masked by `key` when to a server. */
static void add(struct buf *wire, unsigned first, struct slice payload, bool is_masked)
{
    struct blob *b = ws_frame(first & 0x7f, payload, is_masked ? key : NULL);

    b->p[0] = (uint8_t)first;
    assert_int_equal(buf_add(wire, blob_slice(b)), 0);
    blob_unref(b);
}

static void hears(const struct ws_rules *rules, struct slice wire, const char *want)
{
    const size_t big = wire.n > 600 ? 97 : 1;

    for (size_t step = 0; step <= 2; step++)
        for (size_t cut = 0; cut <= wire.n; cut += big) {
            CLEANUP(buf_done) struct buf out = {.max = 1 << 21};

            assert_true(ws_hear(&out, rules, wire, (struct cuts){cut, step}));
            assert_int_equal(buf_add_byte(&out, 0), 0);
            assert_string_equal((const char *)out.p, want);
        }
}

/* One masked frame, then what it gives. */
static void frame_gives(unsigned first, struct slice payload, const char *want)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1 << 20};

    add(&wire, first, payload, true);
    hears(&server, buf_slice(&wire), want);
}

TEST(the_examples_of_the_rfc)
{
    hears(&client, SLICE("\x81\x05\x48\x65\x6c\x6c\x6f"), "text Hello\nhungry\n");
    hears(&server, SLICE("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "text Hello\nhungry\n");
    hears(&client, SLICE("\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f"), "text Hello\nhungry\n");
    hears(&client, SLICE("\x89\x05\x48\x65\x6c\x6c\x6f"), "ping Hello\nhungry\n");
    hears(&server, SLICE("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "pong Hello\nhungry\n");
}

TEST(messages_of_every_length_form)
{
    static const size_t sizes[] = {0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70001};
    CLEANUP(buf_done) struct buf text = {.max = 1 << 20};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        CLEANUP(buf_done) struct buf wire = {.max = 1 << 20};
        CLEANUP(buf_done) struct buf want = {.max = 1 << 20};

        while (text.n < sizes[i])
            assert_int_equal(buf_add_byte(&text, (uint8_t)('a' + text.n % 26)), 0);
        add(&wire, 0x82, buf_slice(&text), true);
        assert_int_equal(buf_addf(&want, "binary "), 0);
        assert_int_equal(buf_add(&want, buf_slice(&text)), 0);
        assert_int_equal(buf_add(&want, slice_make("\nhungry\n", 9)), 0);
        if (sizes[i] < 1000)
            hears(&server, buf_slice(&wire), (const char *)want.p);
        else {
            CLEANUP(buf_done) struct buf out = {.max = 1 << 20};

            assert_true(ws_hear(&out, &server, buf_slice(&wire), (struct cuts){5, 1000}));
            assert_true(slice_eq(buf_slice(&out), slice_sub(buf_slice(&want), 0, want.n - 1)));
        }
    }
}

TEST(control_frames_stand_between_fragments)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};

    add(&wire, 0x01, SLICE("\xe2\x82"), true);
    add(&wire, 0x89, SLICE("ping"), true);
    add(&wire, 0x00, SLICE(""), true);
    add(&wire, 0x8a, SLICE(""), true);
    add(&wire, 0x00, SLICE("\xac, "), true);
    add(&wire, 0x80, SLICE("yes"), true);
    add(&wire, 0x82, SLICE("\xff"), true);
    hears(&server, buf_slice(&wire), "ping ping\npong \ntext €, yes\nbinary \xff\nhungry\n");
}

TEST(empty_messages_and_empty_last_fragments_are_messages)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};

    add(&wire, 0x81, SLICE(""), true);
    add(&wire, 0x01, SLICE(""), true);
    add(&wire, 0x80, SLICE(""), true);
    add(&wire, 0x02, SLICE("x"), true);
    add(&wire, 0x80, SLICE(""), true);
    hears(&server, buf_slice(&wire), "text \ntext \nbinary x\nhungry\n");
}

TEST(a_message_that_has_begun_is_known)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};

    add(&wire, 0x01, SLICE("half"), true);
    hears(&server, buf_slice(&wire), "inside\n");
}

TEST(a_close_has_a_code_and_a_reason)
{
    frame_gives(0x88, SLICE(""), "close 1005  \nhungry\n");
    frame_gives(0x88, SLICE("\x03\xe8"), "close 1000  \nhungry\n");
    frame_gives(0x88, SLICE("\x0f\xa0why €"), "close 4000  why €\nhungry\n");
    frame_gives(0x88, SLICE("\x03"), "ws_close\n");
    frame_gives(0x88, SLICE("\x03\xe8\xff"), "ws_utf8\n");
    frame_gives(0x88, SLICE("\x03\xe8\xe2\x82"), "ws_utf8\n");
    frame_gives(0x88, SLICE("\x03\xed"), "ws_close\n"); /* 1005 */
    frame_gives(0x88, SLICE("\x03\xee"), "ws_close\n"); /* 1006 */
}

TEST(codes_of_a_close_are_those_of_the_registry)
{
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                    1011, 1012, 1014, 3000, 4999};
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535};

    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(ws_is_close_code(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(ws_is_close_code(bad[i]));
}

TEST(after_a_close_nothing_is_heard)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};

    add(&wire, 0x88, SLICE(""), true);
    add(&wire, 0x81, SLICE("late"), true);
    hears(&server, buf_slice(&wire), "close 1005  \nhungry\n");
}

TEST(text_is_refused_at_its_first_wrong_byte)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};

    frame_gives(0x81, SLICE("ok\xff"), "ws_utf8\n");
    frame_gives(0x81, SLICE("cut \xe2\x82"), "ws_utf8\n");
    frame_gives(0x81, SLICE("\xed\xa0\x80"), "ws_utf8\n");
    add(&wire, 0x01, SLICE("\xf4"), true);
    add(&wire, 0x00, SLICE("\x90"), true);
    hears(&server, buf_slice(&wire), "ws_utf8\n");
}

TEST(the_grammar_of_frames_is_kept)
{
    CLEANUP(buf_done) struct buf wire = {.max = 1000};
    char big[126] = {0};

    frame_gives(0xc1, SLICE("x"), "ws_rsv\n");
    frame_gives(0xa1, SLICE("x"), "ws_rsv\n");
    frame_gives(0x91, SLICE("x"), "ws_rsv\n");
    frame_gives(0x83, SLICE("x"), "ws_opcode\n");
    frame_gives(0x8b, SLICE("x"), "ws_opcode\n");
    frame_gives(0x09, SLICE("x"), "ws_control\n");
    frame_gives(0x89, slice_make(big, 126), "ws_control\n");
    frame_gives(0x80, SLICE("x"), "ws_continuation\n");
    add(&wire, 0x01, SLICE("a"), true);
    add(&wire, 0x81, SLICE("b"), true);
    hears(&server, buf_slice(&wire), "ws_interleaved\n");
    hears(&server, SLICE("\x81\x01x"), "ws_mask\n");
    hears(&client, SLICE("\x81\x81\x01\x02\x03\x04x"), "ws_mask\n");
}

TEST(lengths_take_their_shortest_form)
{
    hears(&client, SLICE("\x82\x7e\x00\x7d"), "ws_length\n");
    hears(&client, SLICE("\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff"), "ws_length\n");
    hears(&client, SLICE("\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00"), "ws_length\n");
}

TEST(a_message_stays_within_its_limit)
{
    static const struct ws_rules tight = {WS_CLIENT, 4, 0};

    hears(&tight,
          SLICE("\x82\x04"
                "1234\x82\x05"),
          "binary 1234\nws_too_large\n");
    hears(&tight,
          SLICE("\x02\x02"
                "12\x00\x02"
                "34\x00\x00\x80\x01"),
          "ws_too_large\n");
    hears(&tight, SLICE("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"), "ws_too_large\n");
    hears(&tight,
          SLICE("\x89\x05"
                "12345"),
          "ping 12345\nhungry\n");
}

TEST(an_extension_may_use_its_bit_on_the_first_frame)
{
    static const struct ws_rules deflate = {WS_CLIENT, 100, 0x40};

    hears(&deflate, SLICE("\x41\x01\xff\x80\x01\xfe\x81\x01y"),
          "compressed text \xff\xfe\ntext y\nhungry\n");
    hears(&deflate, SLICE("\x01\x01x\xc0\x01y"), "ws_rsv\n");
    hears(&deflate, SLICE("\xc9\x00"), "ws_rsv\n");
    hears(&deflate, SLICE("\xe1\x00"), "ws_rsv\n");
}

TEST(after_an_error_it_stays_in_error)
{
    struct ws_decoder d = {0};
    uint8_t bad[] = {0x83, 0x80}, good[] = {0x81, 0x80, 0, 0, 0, 0};
    struct span in = {bad, 2}, next = {good, 6};
    struct ws_event ev;

    assert_int_equal(ws_next(&d, &server, &in, &ev), -ERR_WS_OPCODE);
    assert_int_equal(ws_next(&d, &server, &next, &ev), -ERR_WS_OPCODE);
}

TEST(pieces_say_what_is_still_to_come)
{
    struct ws_decoder d = {0};
    uint8_t wire[] = {0x82, 5, 'a', 'b', 'c', 'd', 'e'};
    struct span in = {wire, 4};
    struct ws_event ev;

    assert_int_equal(ws_next(&d, &client, &in, &ev), WS_EVENT_DATA);
    assert_true(ev.is_first && !ev.is_last && ev.left == 3 && ev.bytes.n == 2);
    in = (struct span){wire + 4, 3};
    assert_int_equal(ws_next(&d, &client, &in, &ev), WS_EVENT_DATA);
    assert_true(!ev.is_first && ev.is_last && ev.left == 0 && ev.bytes.n == 3);
    assert_int_equal(ws_next(&d, &client, &in, &ev), 0);
    assert_memory_equal(&d, &(struct ws_decoder){0}, sizeof(d));
}

TEST(masking_is_its_own_inverse_from_any_place)
{
    uint8_t whole[61], parts[61];

    for (size_t i = 0; i < sizeof(whole); i++)
        whole[i] = parts[i] = (uint8_t)i;
    ws_mask((struct span){whole, sizeof(whole)}, key, 0);
    for (size_t i = 0; i < sizeof(whole); i++)
        assert_int_equal(whole[i], i ^ key[i & 3]);
    ws_mask((struct span){parts, 13}, key, 0);
    ws_mask((struct span){parts + 13, sizeof(parts) - 13}, key, 13);
    assert_memory_equal(whole, parts, sizeof(whole));
}

TEST(close_frames_keep_within_125_bytes)
{
    CLEANUP(buf_done) struct buf reason = {.max = 1000};
    struct blob *b;

    for (int i = 0; i < 50; i++)
        assert_int_equal(buf_add(&reason, SLICE("€")), 0);
    b = ws_close_frame(1011, buf_slice(&reason), NULL);
    assert_int_equal(b->n, 2 + 2 + 123);
    hears(&client, blob_slice(b),
          "close 1011  €€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\nhungry\n");
    blob_unref(b);
    b = ws_close_frame(0, SLICE("unused"), key);
    hears(&server, blob_slice(b), "close 1005  \nhungry\n");
    blob_unref(b);
    b = ws_close_frame(4001, SLICE("\xff"), key);
    hears(&server, blob_slice(b), "close 4001  \nhungry\n");
    blob_unref(b);
}

/* --- handshake --- */

static const struct http1_limits limits = {1000, 2000, 20, 100};

static int parse(enum http1_side side, const char *wire, struct http1_head *head)
{
    struct slice in = slice_str(wire), bytes;
    struct http1_decoder d;

    http1_init(&d, side, &limits);
    return http1_next(&d, &in, head, &bytes);
}

#define GET "GET /chat HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static int check_request(const char *wire)
{
    static struct http1_head head;
    struct slice got;

    assert_int_equal(parse(HTTP1_REQUESTS, wire, &head), HTTP1_HEAD);
    return ws_check_request(&head, &got);
}

TEST(a_server_checks_the_request)
{
    assert_int_equal(check_request(GET UPGRADE KEY VERSION "\r\n"), 0);
    assert_int_equal(check_request(GET UPGRADE KEY "\r\n"), -ERR_WS_VERSION);
    assert_int_equal(check_request(GET UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"),
                     -ERR_WS_VERSION);
    assert_int_equal(check_request(GET UPGRADE VERSION "\r\n"), -ERR_WS_HANDSHAKE);
    assert_int_equal(check_request(GET UPGRADE KEY KEY VERSION "\r\n"), -ERR_WS_HANDSHAKE);
    assert_int_equal(check_request(GET UPGRADE VERSION "Sec-WebSocket-Key: dGhl\r\n\r\n"),
                     -ERR_WS_HANDSHAKE);
    assert_int_equal(
        check_request(GET UPGRADE VERSION "Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        -ERR_WS_HANDSHAKE);
    assert_int_equal(
        check_request(GET "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n"),
        -ERR_WS_HANDSHAKE);
    assert_int_equal(check_request("POST / HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n"),
                     -ERR_WS_HANDSHAKE);
}

TEST(keys_and_their_answers_are_those_of_the_rfc)
{
    char accept[WS_ACCEPT_SIZE + 1], made[WS_KEY_SIZE + 1];

    ws_accept(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_key((const uint8_t *)"the sample nonce", made);
    assert_string_equal(made, "dGhlIHNhbXBsZSBub25jZQ==");
}

static int check_response(const char *wire)
{
    static struct http1_head head;

    assert_int_equal(parse(HTTP1_RESPONSES, wire, &head), HTTP1_HEAD);
    return ws_check_response(&head, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
}

TEST(a_client_checks_the_response)
{
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    assert_int_equal(check_response("HTTP/1.1 101 X\r\n" UPGRADE ACCEPT "\r\n"), 0);
    assert_int_equal(check_response("HTTP/1.1 200 X\r\n" UPGRADE ACCEPT "\r\n"), -ERR_WS_HANDSHAKE);
    assert_int_equal(check_response("HTTP/1.1 101 X\r\n" UPGRADE "\r\n"), -ERR_WS_HANDSHAKE);
    assert_int_equal(check_response("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n" ACCEPT "\r\n"),
                     -ERR_WS_HANDSHAKE);
    assert_int_equal(check_response("HTTP/1.1 101 X\r\n" UPGRADE "Sec-WebSocket-Accept: x\r\n\r\n"),
                     -ERR_WS_HANDSHAKE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc),
        cmocka_unit_test(messages_of_every_length_form),
        cmocka_unit_test(control_frames_stand_between_fragments),
        cmocka_unit_test(empty_messages_and_empty_last_fragments_are_messages),
        cmocka_unit_test(a_message_that_has_begun_is_known),
        cmocka_unit_test(a_close_has_a_code_and_a_reason),
        cmocka_unit_test(codes_of_a_close_are_those_of_the_registry),
        cmocka_unit_test(after_a_close_nothing_is_heard),
        cmocka_unit_test(text_is_refused_at_its_first_wrong_byte),
        cmocka_unit_test(the_grammar_of_frames_is_kept),
        cmocka_unit_test(lengths_take_their_shortest_form),
        cmocka_unit_test(a_message_stays_within_its_limit),
        cmocka_unit_test(an_extension_may_use_its_bit_on_the_first_frame),
        cmocka_unit_test(after_an_error_it_stays_in_error),
        cmocka_unit_test(pieces_say_what_is_still_to_come),
        cmocka_unit_test(masking_is_its_own_inverse_from_any_place),
        cmocka_unit_test(close_frames_keep_within_125_bytes),
        cmocka_unit_test(a_server_checks_the_request),
        cmocka_unit_test(keys_and_their_answers_are_those_of_the_rfc),
        cmocka_unit_test(a_client_checks_the_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
