#include "base/enc.h"

#include "base/err.h"
#include "lib/test.h"

static void expect(struct buf *b, const char *text)
{
    assert_int_equal(b->n, strlen(text));
    assert_memory_equal(b->p ? b->p : (const uint8_t *)"", text, b->n);
    buf_clear(b);
}

TEST(base64_of_every_tail)
{
    static const char *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    CLEANUP(buf_done) struct buf b = {.max = 100};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(enc_base64(&b, slice_str(rows[i][0]), ENC_BASE64), 0);
        expect(&b, rows[i][1]);
        assert_int_equal(enc_base64(&b, slice_str(rows[i][0]), ENC_BASE64_URL), 0);
        expect(&b, rows[i][2]);
        assert_int_equal(enc_base64_decode(&b, slice_str(rows[i][1]), ENC_BASE64), 0);
        expect(&b, rows[i][0]);
        assert_int_equal(enc_base64_decode(&b, slice_str(rows[i][2]), ENC_BASE64_URL), 0);
        expect(&b, rows[i][0]);
    }
}

TEST(strict_base64_refuses_what_an_encoder_does_not_write)
{
    static const char *const bad[] = {
        "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Zm9v=", "Zm 9v", "Zm9-"};
    CLEANUP(buf_done) struct buf b = {.max = 100};

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(enc_base64_decode(&b, slice_str(bad[i]), ENC_BASE64), -ERR_SYNTAX);
    assert_int_equal(b.n, 0);
}

TEST(forgiving_base64_is_that_of_atob)
{
    CLEANUP(buf_done) struct buf b = {.max = 100};

    assert_int_equal(enc_base64_forgive(&b, SLICE(" Zm\n9v Zh")), 0);
    expect(&b, "foof");
    assert_int_equal(enc_base64_forgive(&b, SLICE("Zg==")), 0);
    expect(&b, "f");
    assert_int_equal(enc_base64_forgive(&b, SLICE("Zg=")), -ERR_SYNTAX);
    assert_int_equal(enc_base64_forgive(&b, SLICE("Z")), -ERR_SYNTAX);
}

TEST(hex_goes_there_and_back)
{
    CLEANUP(buf_done) struct buf b = {.max = 8};

    assert_int_equal(enc_hex(&b, SLICE("\x00\xaf")), 0);
    expect(&b, "00af");
    assert_int_equal(enc_hex_decode(&b, SLICE("6A6b")), 0);
    expect(&b, "jk");
    assert_int_equal(enc_hex_decode(&b, SLICE("6")), -ERR_SYNTAX);
    assert_int_equal(enc_hex_decode(&b, SLICE("6g")), -ERR_SYNTAX);
    assert_int_equal(enc_hex(&b, SLICE("12345")), -ERR_TOO_LARGE);
    assert_int_equal(b.n, 0);
}

TEST(percent_goes_there_and_back_or_leaves_nothing)
{
    CLEANUP(buf_done) struct buf b = {.max = 20};

    assert_int_equal(enc_percent(&b, SLICE("a b/ü"), "/"), 0);
    expect(&b, "a%20b/%C3%BC");
    assert_int_equal(enc_percent_decode(&b, SLICE("a%20b%2f")), 0);
    expect(&b, "a b/");
    assert_int_equal(enc_percent_decode(&b, SLICE("abc%2")), -ERR_SYNTAX);
    assert_int_equal(enc_percent(&b, SLICE("        "), ""), -ERR_TOO_LARGE);
    assert_int_equal(b.n, 0);
}

TEST(json_strings_escape_and_repair)
{
    CLEANUP(buf_done) struct buf b = {.max = 100};

    assert_int_equal(enc_json(&b, SLICE("a\"\\\n\x01\x7f é\xff\xe2\x82")), 0);
    expect(&b, "\"a\\\"\\\\\\n\\u0001\\u007f é\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_every_tail),
        cmocka_unit_test(strict_base64_refuses_what_an_encoder_does_not_write),
        cmocka_unit_test(forgiving_base64_is_that_of_atob),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(percent_goes_there_and_back_or_leaves_nothing),
        cmocka_unit_test(json_strings_escape_and_repair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
