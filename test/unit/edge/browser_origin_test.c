#include "edge/browser_origin.h"

#include "lib/test.h"

static bool allows(const char *rule, const char *origin)
{
    const char *const list[] = {"https://other.example", rule, NULL};

    return browser_origin_is_allowed(list, slice_str(origin), SLICE("chat.example:8443"));
}

TEST(without_a_list_everybody_may)
{
    assert_true(browser_origin_is_allowed(NULL, SLICE("https://a.example"), SLICE("b.example")));
}

TEST(an_origin_is_compared_whole)
{
    assert_true(allows("https://a.example", "https://a.example"));
    assert_true(allows("https://a.example", "HTTPS://A.example"));
    assert_true(allows("https://other.example", "https://other.example"));
    assert_false(allows("https://a.example", "http://a.example"));
    assert_false(allows("https://a.example", "https://a.example:444"));
    assert_false(allows("https://a.example", "https://a.example.evil"));
    assert_false(allows("https://a.example", "https://evil-a.example"));
    assert_false(allows("https://a.example", ""));
    assert_true(allows("null", "null"));
    assert_false(allows("https://a.example", "null"));
}

TEST(a_star_stands_for_names_below)
{
    assert_true(allows("https://*.a.example", "https://b.a.example"));
    assert_true(allows("https://*.a.example", "https://c.b.A.EXAMPLE"));
    assert_true(allows("https://*.a.example:8443", "https://b.a.example:8443"));
    assert_false(allows("https://*.a.example", "https://a.example"));
    assert_false(allows("https://*.a.example", "https://.a.example"));
    assert_false(allows("https://*.a.example", "https://ba.example"));
    assert_false(allows("https://*.a.example", "http://b.a.example"));
    assert_false(allows("https://*.a.example", "https://b.a.example:1"));
}

TEST(self_is_the_host_that_was_asked)
{
    assert_true(allows("self", "https://chat.example:8443"));
    assert_true(allows("self", "http://CHAT.example:8443"));
    assert_false(allows("self", "https://chat.example"));
    assert_false(allows("self", "self"));
    assert_false(allows("self", "null"));
    assert_false(browser_origin_is_allowed((const char *const[]){"self", NULL}, SLICE("https://"),
                                           SLICE_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_list_everybody_may),
        cmocka_unit_test(an_origin_is_compared_whole),
        cmocka_unit_test(a_star_stands_for_names_below),
        cmocka_unit_test(self_is_the_host_that_was_asked),
    };

    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
