#include "edge/grip_uri.h"

#include "base/err.h"
#include "lib/test.h"

static void expect(const char *base, const char *reference, const char *want)
{
    CLEANUP(buf_done) struct buf out = {.max = 4096};

    assert_int_equal(grip_uri_resolve(&out, slice_str(base), slice_str(reference)), 0);
    assert_int_equal(buf_add_byte(&out, 0), 0);
    assert_string_equal((char *)out.p, want);
}

static void expect_error(const char *base, const char *reference, int error)
{
    CLEANUP(buf_done) struct buf out = {.max = 64};

    assert_int_equal(buf_add(&out, SLICE("x")), 0);
    assert_int_equal(grip_uri_resolve(&out, slice_str(base), slice_str(reference)), error);
    assert_int_equal(out.n, 1);
}

/* RFC 3986 5.4, as far as requests have such parts. */
TEST(references_are_resolved_as_the_rfc_shows)
{
    static const char base[] = "http://a/b/c/d?q";

    expect(base, "g", "http://a/b/c/g");
    expect(base, "./g", "http://a/b/c/g");
    expect(base, "g/", "http://a/b/c/g/");
    expect(base, "/g", "http://a/g");
    expect(base, "//g", "http://g/");
    expect(base, "?y", "http://a/b/c/d?y");
    expect(base, "g?y", "http://a/b/c/g?y");
    expect(base, "#s", "http://a/b/c/d?q");
    expect(base, "g#s", "http://a/b/c/g");
    expect(base, "", "http://a/b/c/d?q");
    expect(base, ".", "http://a/b/c/");
    expect(base, "..", "http://a/b/");
    expect(base, "../g", "http://a/b/g");
    expect(base, "../..", "http://a/");
    expect(base, "../../../g", "http://a/g");
    expect(base, "/./g", "http://a/g");
    expect(base, "/../g", "http://a/g");
    expect(base, "g.", "http://a/b/c/g.");
    expect(base, "./../g", "http://a/b/g");
    expect(base, "g/./h/../i", "http://a/b/c/g/i");
    expect(base, "g?y/../x", "http://a/b/c/g?y/../x");
    expect(base, "g;x=1/../y", "http://a/b/c/y");
}

TEST(other_hosts_and_schemes_may_be_named)
{
    expect("http://a", "b?c", "http://a/b?c");
    expect("http://a:81/x", "?", "http://a:81/x?");
    expect("https://a/x", "//b:8443/y", "https://b:8443/y");
    expect("http://a/x", "HTTPS://b", "https://b/");
    expect("http://a/x", "https://[::1]:80/y//z", "https://[::1]:80/y//z");
}

TEST(what_no_request_can_ask_for_is_refused)
{
    expect_error("http://a/", "ftp://b/", -ERR_SYNTAX);
    expect_error("http://a/", "mailto:b", -ERR_SYNTAX);
    expect_error("http://a/", "http:b", -ERR_SYNTAX);
    expect_error("http://a/", "http:///b", -ERR_SYNTAX);
    expect_error("http://a/", "//:80/b", -ERR_SYNTAX);
    expect_error("http://a/", "//user@b/", -ERR_SYNTAX);
    expect_error("http://a/", "/b c", -ERR_SYNTAX);
    expect_error("http://a/", "/b\r\nX: y", -ERR_SYNTAX);
    expect_error("http://a/", "/\xc3\xa9", -ERR_SYNTAX);
    expect_error("http://a/", "/01234567890123456789012345678901234567890123456789012345678901234",
                 -ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_resolved_as_the_rfc_shows),
        cmocka_unit_test(other_hosts_and_schemes_may_be_named),
        cmocka_unit_test(what_no_request_can_ask_for_is_refused),
    };

    return cmocka_run_group_tests_name("grip_uri", tests, NULL, NULL);
}
