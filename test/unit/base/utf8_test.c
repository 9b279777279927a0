#include "base/utf8.h"

#include "lib/test.h"

TEST(texts_of_every_length_are_valid)
{
    assert_true(utf8_is_valid(SLICE("")));
    assert_true(utf8_is_valid(SLICE("plain")));
    assert_true(utf8_is_valid(SLICE("κόσμε € 𝄞 \xf4\x8f\xbf\xbf \xed\x9f\xbf \xee\x80\x80")));
    assert_true(
        utf8_is_valid(SLICE("0123456789012345678901234567890123456789é and more behind it")));
}

TEST(what_the_standard_forbids_is_refused)
{
    static const struct slice bad[] = {
        {(const uint8_t *)"\x80", 1},     /* a continuation alone */
        {(const uint8_t *)"\xc0\x80", 2}, /* overlong */
        {(const uint8_t *)"\xc1\xbf", 2},
        {(const uint8_t *)"\xe0\x9f\xbf", 3},
        {(const uint8_t *)"\xf0\x8f\xbf\xbf", 4},
        {(const uint8_t *)"\xed\xa0\x80", 3},     /* a surrogate */
        {(const uint8_t *)"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {(const uint8_t *)"\xf5\x80\x80\x80", 4},
        {(const uint8_t *)"\xff", 1},
        {(const uint8_t *)"\xe2\x82", 2}, /* cut */
        {(const uint8_t *)"\xe2\x82x", 3},
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(utf8_is_valid(bad[i]));
}

TEST(every_split_of_a_text_gives_the_same_answer)
{
    const struct slice text = SLICE("aé€𝄞z0123456789012345678901234567890123456789€!");

    for (size_t cut = 0; cut <= text.n; cut++) {
        struct utf8 u = {0};

        assert_true(utf8_next(&u, slice_sub(text, 0, cut)));
        assert_int_equal(utf8_is_complete(&u), cut == text.n || (text.p[cut] & 0xc0) != 0x80);
        assert_true(utf8_next(&u, slice_sub(text, cut, text.n)));
        assert_true(utf8_is_complete(&u));
    }
}

TEST(an_error_is_seen_at_its_byte_and_stays)
{
    struct utf8 u = {0};

    assert_true(utf8_next(&u, SLICE("\xed")));
    assert_false(utf8_next(&u, SLICE("\xa0")));
    assert_false(utf8_next(&u, SLICE("fine")));
    assert_false(utf8_is_complete(&u));
}

TEST(clipping_keeps_characters_whole)
{
    assert_int_equal(utf8_clip(SLICE("a€b"), 10), 5);
    assert_int_equal(utf8_clip(SLICE("a€b"), 4), 4);
    assert_int_equal(utf8_clip(SLICE("a€b"), 3), 1);
    assert_int_equal(utf8_clip(SLICE("€"), 1), 0);
    assert_int_equal(utf8_ascii(SLICE("0123456789012345678901234567890123456789\x80")), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_every_length_are_valid),
        cmocka_unit_test(what_the_standard_forbids_is_refused),
        cmocka_unit_test(every_split_of_a_text_gives_the_same_answer),
        cmocka_unit_test(an_error_is_seen_at_its_byte_and_stays),
        cmocka_unit_test(clipping_keeps_characters_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
