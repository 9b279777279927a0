#include "wire/proxy.h"

#include "lib/test.h"

static void expect_split(struct slice in, ssize_t n)
{
    struct proxy_header h;

    for (size_t cut = 0; n > 0 && cut < (size_t)n; cut++)
        assert_int_equal(proxy_parse(slice_sub(in, 0, cut), &h), 0);
    assert_int_equal(proxy_parse(in, &h), n);
}

#define GOOD(text) expect_split(SLICE(text "GET /"), sizeof(text) - 1)

static void expect_bad(struct slice in, int err)
{
    struct proxy_header h = {.source_port = 77};

    assert_int_equal(proxy_parse(in, &h), err);
    assert_int_equal(h.source_port, 77);
}

#define BAD(text) expect_bad(SLICE(text), -ERR_SYNTAX)

TEST(a_line_has_the_client_s_address_at_every_split)
{
    const uint8_t client[4] = {192, 0, 2, 1};
    struct proxy_header h;

    GOOD("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n");
    (void)proxy_parse(SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"), &h);
    assert_true(h.has_address && !h.is_v6);
    assert_memory_equal(h.source, client, 4);
    assert_int_equal(h.source_port, 56324);
    assert_int_equal(h.destination_port, 443);
    GOOD("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n");
    (void)proxy_parse(SLICE("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n"), &h);
    assert_true(h.is_v6 && h.source[0] == 0x20 && h.source[15] == 1);
}

TEST(unknown_clients_have_no_address)
{
    struct proxy_header h = {.has_address = true};

    GOOD("PROXY UNKNOWN\r\n");
    GOOD("PROXY UNKNOWN ffff::1 whatever it says 1 2\r\n");
    (void)proxy_parse(SLICE("PROXY UNKNOWN\r\n"), &h);
    assert_false(h.has_address);
}

TEST(a_line_that_is_not_exact_is_refused)
{
    BAD("GET / HTTP/1.1\r\n");
    BAD("PROXX");
    BAD("\r\n\r\n\r");
    BAD("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\n");
    BAD("PROXY \r\n");
    BAD("PROXY\n");
    BAD("PROXY TCP4  192.0.2.1 192.0.2.2 56324 443\r\n");
    BAD("PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n");
    BAD("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443 \r\n");
    BAD("PROXY TCP4 192.0.2.1 192.0.2.2 056324 443\r\n");
    BAD("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n");
    BAD("PROXY TCP4 192.0.2.01 192.0.2.2 1 443\r\n");
    BAD("PROXY TCP4 ::1 ::1 1 443\r\n");
    BAD("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n");
    BAD("PROXY UNKNOWNS\r\n");
    BAD("PROXY UNKNOWN "
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "0000000000000000000000");
}

#define V2 "\r\n\r\n\0\r\nQUIT\n"

TEST(binary_headers_at_every_split)
{
    struct proxy_header h;

    GOOD(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbb");
    (void)proxy_parse(SLICE(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbb"), &h);
    assert_true(h.has_address && !h.is_v6);
    assert_int_equal(h.source[3], 1);
    assert_int_equal(h.source_port, 0xdc04);
    assert_int_equal(h.destination_port, 443);
    GOOD(V2 "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbb\4\0\1x"); /* with a TLV */
    GOOD(V2 "\x21\x21\0\x24"
            "0123456789abcdef0123456789abcdef1234");
    GOOD(V2 "\x20\0\0\0");
    GOOD(V2 "\x20\xff\0\2xx"); /* LOCAL: the family is not looked at */
    GOOD(V2 "\x21\0\0\0");
    (void)proxy_parse(SLICE(V2 "\x20\0\0\0"), &h);
    assert_false(h.has_address);
}

TEST(binary_headers_that_lie_are_refused)
{
    BAD(V2 "\x11\x11\0\x0c");
    BAD(V2 "\x22\x11\0\x0c");
    BAD(V2 "\x21\x12\0\x0c"); /* UDP */
    BAD(V2 "\x21\x11\0\x0b");
    BAD(V2 "\x21\x21\0\x23");
    BAD(V2 "\x21\x31\0\x0c");
    expect_bad(SLICE(V2 "\x21\x11\xff\xff"), -ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_client_s_address_at_every_split),
        cmocka_unit_test(unknown_clients_have_no_address),
        cmocka_unit_test(a_line_that_is_not_exact_is_refused),
        cmocka_unit_test(binary_headers_at_every_split),
        cmocka_unit_test(binary_headers_that_lie_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
