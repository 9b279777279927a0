#include "egress/rules.h"

#include "lib/test.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct egress_rules rules(const char *const *allow, const char *const *deny)
{
    struct egress_rules r;
    struct err_note note = {0};

    if (egress_rules_init(&r, allow, deny, &note) < 0)
        fail_msg("%s", note.text);
    return r;
}

static enum egress_verdict host(const struct egress_rules *r, const char *name, uint16_t port)
{
    return egress_rules_host(r, slice_str(name), port);
}

static bool address(const struct egress_rules *r, const char *text, bool by_name)
{
    struct egress_address a;

    assert_true(egress_address_parse(slice_str(text), &a));
    return egress_rules_address(r, &a, 80, by_name);
}

TEST(without_rules_everything_is_allowed)
{
    CLEANUP(egress_rules_done) struct egress_rules r = rules(NULL, NULL);

    assert_int_equal(host(&r, "example.com", 80), EGRESS_ALLOWED);
    assert_true(address(&r, "127.0.0.1", true));
    assert_true(address(&r, "::1", false));
}

TEST(names_fit_whole_and_below_a_star)
{
    CLEANUP(egress_rules_done)
    struct egress_rules r =
        rules(LIST("Api.example.com", "*.cdn.example", "one.example:8443"), NULL);

    assert_int_equal(host(&r, "API.example.com", 443), EGRESS_ALLOWED);
    assert_int_equal(host(&r, "api.example.com.", 443), EGRESS_ALLOWED);
    assert_int_equal(host(&r, "x.api.example.com", 443), EGRESS_DENIED);
    assert_int_equal(host(&r, "a.b.cdn.example", 443), EGRESS_ALLOWED);
    assert_int_equal(host(&r, "cdn.example", 443), EGRESS_DENIED);
    assert_int_equal(host(&r, "xcdn.example", 443), EGRESS_DENIED);
    assert_int_equal(host(&r, "one.example", 8443), EGRESS_ALLOWED);
    assert_int_equal(host(&r, "one.example", 443), EGRESS_DENIED);
    assert_int_equal(host(&r, "127.0.0.1", 80), EGRESS_DENIED);
}

TEST(deny_wins_over_allow)
{
    CLEANUP(egress_rules_done)
    struct egress_rules r =
        rules(LIST("*.example.com", "10.0.0.0/8"), LIST("bad.example.com", "10.1.0.0/16"));

    assert_int_equal(host(&r, "good.example.com", 80), EGRESS_ALLOWED);
    assert_int_equal(host(&r, "bad.example.com", 80), EGRESS_DENIED);
    assert_int_equal(host(&r, "other.example", 80), EGRESS_BY_ADDRESS);
    assert_true(address(&r, "10.2.3.4", false));
    assert_false(address(&r, "10.1.3.4", false));
    assert_false(address(&r, "192.0.2.1", false));
    assert_true(address(&r, "192.0.2.1", true));
    assert_false(address(&r, "10.1.3.4", true));
}

TEST(private_addresses_are_known_in_every_disguise)
{
    static const char *const inside[] = {"127.0.0.1",
                                         "10.9.9.9",
                                         "172.31.0.1",
                                         "192.168.1.1",
                                         "169.254.1.1",
                                         "100.64.0.1",
                                         "0.0.0.0",
                                         "::1",
                                         "::",
                                         "fd00::1",
                                         "fe80::1",
                                         "ff02::1",
                                         "::ffff:127.0.0.1",
                                         "64:ff9b::7f00:1",
                                         "224.0.0.1"};
    static const char *const outside[] = {"1.1.1.1",         "172.32.0.1",       "100.128.0.1",
                                          "2606:4700::1111", "64:ff9b::101:101", "198.51.100.7"};
    CLEANUP(egress_rules_done) struct egress_rules r = rules(NULL, LIST("private"));

    for (size_t i = 0; i < COUNT_OF(inside); i++)
        assert_false(address(&r, inside[i], true));
    for (size_t i = 0; i < COUNT_OF(outside); i++)
        assert_true(address(&r, outside[i], true));
    assert_int_equal(host(&r, "[::1]", 80), EGRESS_DENIED);
    assert_int_equal(host(&r, "127.0.0.1", 80), EGRESS_DENIED);
    assert_int_equal(host(&r, "localhost", 80), EGRESS_ALLOWED); /* until its address is known */
}

TEST(networks_have_bits_and_ports)
{
    CLEANUP(egress_rules_done)
    struct egress_rules r =
        rules(LIST("192.0.2.128/25", "2001:db8::/33", "[::1]:80", "127.0.0.1:81"), NULL);

    assert_true(address(&r, "192.0.2.200", false));
    assert_false(address(&r, "192.0.2.100", false));
    assert_true(address(&r, "2001:db8:7fff::", false));
    assert_false(address(&r, "2001:db8:8000::", false));
    assert_true(address(&r, "::1", false));
    assert_false(address(&r, "127.0.0.1", false));
}

TEST(malformed_rules_are_refused_with_what_was_expected)
{
    static const char *const bad[] = {"",        "*",      "*.",         "a b",
                                      "host:",   "host:0", "host:99999", "10.0.0.0/33",
                                      "::1/129", "a/8",    "http://a"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct egress_rules r;
        struct err_note note = {0};

        assert_int_equal(egress_rules_init(&r, NULL, LIST(bad[i]), &note), -ERR_CONFIG);
        assert_non_null(strstr(note.text, "egress.deny"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rules_everything_is_allowed),
        cmocka_unit_test(names_fit_whole_and_below_a_star),
        cmocka_unit_test(deny_wins_over_allow),
        cmocka_unit_test(private_addresses_are_known_in_every_disguise),
        cmocka_unit_test(networks_have_bits_and_ports),
        cmocka_unit_test(malformed_rules_are_refused_with_what_was_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
