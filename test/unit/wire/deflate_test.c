#include "wire/deflate.h"

#include "lib/test.h"

static const struct deflate_policy lean = {.bits = 15};
static const struct deflate_policy kept = {.bits = 15, .takeover = true};

static void agrees(const struct deflate_policy *policy, const char *offers, const char *answer)
{
    struct deflate_terms t;
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(deflate_accept(slice_str(offers), policy, &t, &out), *answer ? 1 : 0);
    assert_int_equal(buf_add_byte(&out, 0), 0);
    assert_string_equal((char *)out.p, answer);
    buf_done(&out);
}

TEST(a_plain_offer_is_met_with_fresh_windows)
{
    agrees(&lean, "permessage-deflate",
           "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    agrees(&kept, "permessage-deflate", "permessage-deflate");
    agrees(&kept, "foo, Permessage-Deflate; server_no_context_takeover",
           "permessage-deflate; server_no_context_takeover");
}

TEST(windows_are_told_only_to_those_who_can_be_told)
{
    const struct deflate_policy small = {.bits = 10, .takeover = true};

    agrees(&small, "permessage-deflate", "permessage-deflate; server_max_window_bits=10");
    agrees(&small, "permessage-deflate; client_max_window_bits",
           "permessage-deflate; server_max_window_bits=10; client_max_window_bits=10");
    agrees(&kept, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12",
           "permessage-deflate; server_max_window_bits=12; client_max_window_bits=9");
    agrees(&kept, "permessage-deflate; server_max_window_bits=\"15\"",
           "permessage-deflate; server_max_window_bits=15");
}

TEST(an_offer_that_cannot_be_met_is_passed_over)
{
    agrees(&kept, "", "");
    agrees(&kept, "deflate-frame", "");
    agrees(&kept, "permessage-deflate; server_max_window_bits=8", "");
    agrees(&kept, "permessage-deflate; server_max_window_bits=16", "");
    agrees(&kept, "permessage-deflate; server_max_window_bits=09", "");
    agrees(&kept, "permessage-deflate; server_max_window_bits", "");
    agrees(&kept, "permessage-deflate; client_max_window_bits=7", "");
    agrees(&kept, "permessage-deflate; client_max_window_bits; client_max_window_bits", "");
    agrees(&kept, "permessage-deflate; server_no_context_takeover=1", "");
    agrees(&kept, "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "");
    agrees(&kept, "permessage-deflate; unknown", "");
    agrees(&kept, "permessage-deflate; server_max_window_bits=8, permessage-deflate",
           "permessage-deflate");
    agrees(&kept, "x; y=\"a, permessage-deflate\"", "");
}

TEST(a_client_refuses_what_it_did_not_offer)
{
    const struct deflate_policy small = {.bits = 12};
    struct deflate_terms t;

    assert_int_equal(deflate_check(SLICE(""), &kept, &t), 0);
    assert_int_equal(deflate_check(SLICE("permessage-deflate"), &kept, &t), 1);
    assert_int_equal(t.server_bits, 15);
    assert_int_equal(deflate_check(SLICE("foo"), &kept, &t), -ERR_WS_HANDSHAKE);
    assert_int_equal(deflate_check(SLICE("permessage-deflate; foo"), &kept, &t), -ERR_WS_HANDSHAKE);
    assert_int_equal(deflate_check(SLICE("permessage-deflate, permessage-deflate"), &kept, &t),
                     -ERR_WS_HANDSHAKE);
    assert_int_equal(deflate_check(SLICE("permessage-deflate; client_max_window_bits"), &kept, &t),
                     -ERR_WS_HANDSHAKE);
    assert_int_equal(deflate_check(SLICE("permessage-deflate"), &small, &t), -ERR_WS_HANDSHAKE);
    assert_int_equal(
        deflate_check(SLICE("permessage-deflate; server_max_window_bits=11"), &small, &t), 1);
    assert_int_equal(t.server_bits, 11);
    assert_int_equal(t.client_bits, 12);
}

static void passes(struct deflate_pair *p, uint8_t bits, bool fresh, struct slice text)
{
    struct buf small, out;

    buf_init(&small, 1 << 20);
    buf_init(&out, 1 << 20);
    assert_int_equal(deflate_message(p, bits, fresh, text, &small), 0);
    assert_int_equal(inflate_message(p, bits, fresh, buf_slice(&small), text.n, &out), 0);
    assert_true(slice_eq(buf_slice(&out), text));
    if (text.n) {
        buf_clear(&out);
        assert_int_equal(inflate_message(p, bits, true, buf_slice(&small), text.n - 1, &out) < 0,
                         true);
        assert_int_equal(out.n, 0);
    }
    buf_done(&small);
    buf_done(&out);
}

TEST(messages_come_back_with_every_window)
{
    struct deflate_pair *p = deflate_pair_new(6);
    struct buf text;

    buf_init(&text, 1 << 20);
    for (unsigned i = 0; text.n < 200000; i++)
        assert_int_equal(buf_addf(&text, "%u %x,", i * 2654435761u, i), 0);
    for (uint8_t bits = 9; bits <= 15; bits++)
        for (size_t n = 0; n <= text.n; n = n * 3 + 1)
            passes(p, bits, true, slice_sub(buf_slice(&text), 0, n));
    buf_done(&text);
    deflate_pair_free(p);
}

TEST(a_kept_window_makes_a_repeated_message_tiny)
{
    struct deflate_pair *a = deflate_pair_new(6), *b = deflate_pair_new(6);
    const struct slice text = SLICE("the quick brown fox jumps over the lazy dog, 0123456789");
    struct buf first, second, out;

    buf_init(&first, 1000);
    buf_init(&second, 1000);
    buf_init(&out, 1000);
    assert_int_equal(deflate_message(a, 15, false, text, &first), 0);
    assert_int_equal(deflate_message(a, 15, false, text, &second), 0);
    assert_true(second.n < first.n / 3);
    assert_int_equal(inflate_message(b, 15, false, buf_slice(&first), 500, &out), 0);
    assert_int_equal(inflate_message(b, 15, false, buf_slice(&second), 500, &out), 0);
    assert_int_equal(out.n, text.n * 2);
    buf_clear(&out);
    assert_int_equal(inflate_message(b, 15, true, buf_slice(&second), 500, &out), -ERR_WS_DEFLATE);
    buf_done(&first);
    buf_done(&second);
    buf_done(&out);
    deflate_pair_free(a);
    deflate_pair_free(b);
}

/* The examples of RFC 7692 7.2.3. */
TEST(the_examples_of_the_rfc_expand_to_hello)
{
    static const struct slice examples[] = {
        SLICE("\xf2\x48\xcd\xc9\xc9\x07\x00"),                         /* one block */
        SLICE("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),         /* no compression */
        SLICE("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),                     /* BFINAL set */
        SLICE("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), /* two blocks */
    };
    struct deflate_pair *p = deflate_pair_new(1);
    struct buf out;

    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT_OF(examples); i++) {
        buf_clear(&out);
        assert_int_equal(inflate_message(p, 15, true, examples[i], 5, &out), 0);
        assert_true(slice_eq(buf_slice(&out), SLICE("Hello")));
    }
    /* 7.2.3.2: the second message refers into the first. */
    buf_clear(&out);
    assert_int_equal(inflate_message(p, 15, true, examples[0], 50, &out), 0);
    assert_int_equal(inflate_message(p, 15, false, SLICE("\xf2\x00\x11\x00\x00"), 50, &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("HelloHello")));
    /* A window survives the end of a stream. */
    buf_clear(&out);
    assert_int_equal(inflate_message(p, 15, true, examples[2], 50, &out), 0);
    assert_int_equal(inflate_message(p, 15, false, SLICE("\xf2\x00\x11\x00\x00"), 50, &out), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("HelloHello")));
    buf_done(&out);
    deflate_pair_free(p);
}

TEST(a_bomb_stops_at_its_bound)
{
    struct deflate_pair *p = deflate_pair_new(9);
    uint8_t *zeros = mem_new(16 << 20);
    struct buf small, out;

    buf_init(&small, 1 << 20);
    buf_init(&out, 100001);
    assert_int_equal(deflate_message(p, 15, true, slice_make(zeros, 16 << 20), &small), 0);
    assert_true(small.n < 20000);
    assert_int_equal(inflate_message(p, 15, true, buf_slice(&small), 100000, &out),
                     -ERR_WS_TOO_LARGE);
    assert_int_equal(out.n, 0);
    assert_true(out.cap <= 100001);
    mem_free(zeros);
    buf_done(&small);
    buf_done(&out);
    deflate_pair_free(p);
}

TEST(garbage_is_refused_and_the_pair_stays_usable)
{
    struct deflate_pair *p = deflate_pair_new(6);
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(inflate_message(p, 15, true, SLICE("\xff\xff\xff"), 900, &out),
                     -ERR_WS_DEFLATE);
    passes(p, 15, true, SLICE("still here"));
    buf_done(&out);
    deflate_pair_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_offer_is_met_with_fresh_windows),
        cmocka_unit_test(windows_are_told_only_to_those_who_can_be_told),
        cmocka_unit_test(an_offer_that_cannot_be_met_is_passed_over),
        cmocka_unit_test(a_client_refuses_what_it_did_not_offer),
        cmocka_unit_test(messages_come_back_with_every_window),
        cmocka_unit_test(a_kept_window_makes_a_repeated_message_tiny),
        cmocka_unit_test(the_examples_of_the_rfc_expand_to_hello),
        cmocka_unit_test(a_bomb_stops_at_its_bound),
        cmocka_unit_test(garbage_is_refused_and_the_pair_stays_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
