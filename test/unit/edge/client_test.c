#include "edge/client.h"

#include "egress/rules.h"
#include "lib/test.h"

/* Who the client is behind these fields, for a connection from peer. */
static void expect(const char *peer, const char *client, const struct exchange_field *fields,
                   size_t n)
{
    static const char *const list[] = {"10.0.0.0/8", "2001:db8:1::/48", NULL};
    const struct exchange_request rq = {.fields = fields, .n_fields = n};
    struct egress_rules rules = {0};
    char room[CLIENT_TEXT];
    struct slice found;

    assert_int_equal(egress_rules_init(&rules, list, NULL, NULL), 0);
    found = client_find(&rules, slice_str(peer), &rq, room);
    if (!slice_eq(found, slice_str(client)))
        fail_msg("expected %s, found %.*s", client, SLICE_FMT(found));
    egress_rules_done(&rules);
}

#define FIELDS(...)                                                                                \
    (const struct exchange_field[]){__VA_ARGS__},                                                  \
        COUNT_OF(((const struct exchange_field[]){__VA_ARGS__}))
#define XFF(text)                                                                                  \
    {                                                                                              \
        SLICE("x-forwarded-for"), SLICE(text)                                                      \
    }
#define FWD(text)                                                                                  \
    {                                                                                              \
        SLICE("Forwarded"), SLICE(text)                                                            \
    }

TEST(a_stranger_is_not_believed)
{
    expect("192.0.2.9", "192.0.2.9", FIELDS(XFF("1.2.3.4")));
}

TEST(a_trusted_proxy_names_its_client)
{
    expect("10.0.0.1", "192.0.2.1", FIELDS(XFF("192.0.2.1")));
    expect("2001:db8:1::7", "192.0.2.1", FIELDS(XFF("192.0.2.1:5555")));
    expect("10.0.0.1", "2001:db8::1", FIELDS(XFF("2001:db8::1")));
    expect("10.0.0.1", "2001:db8::1", FIELDS(XFF("[2001:db8::1]:80")));
    expect("", "192.0.2.1", FIELDS(XFF("192.0.2.1")));
}

TEST(what_the_client_wrote_itself_is_left_of_it)
{
    expect("10.0.0.1", "192.0.2.1", FIELDS(XFF("6.6.6.6, 192.0.2.1, 10.0.0.2")));
    expect("10.0.0.1", "192.0.2.1", FIELDS(XFF("6.6.6.6"), XFF("192.0.2.1"), XFF("10.2.3.4")));
    expect("10.0.0.1", "10.0.0.2", FIELDS(XFF("rubbish, 10.0.0.2")));
    expect("10.0.0.1", "10.0.0.1", FIELDS(XFF("1.2.3.4, unknown")));
    expect("10.0.0.1", "10.0.0.3", FIELDS(XFF("10.0.0.3,10.0.0.2")));
    expect("10.0.0.1", "10.0.0.1", NULL, 0);
}

TEST(forwarded_is_read_where_x_forwarded_for_is_not)
{
    expect("10.0.0.1", "192.0.2.1", FIELDS(FWD("for=192.0.2.1;proto=https, For=10.0.0.2")));
    expect("10.0.0.1", "2001:db8::1", FIELDS(FWD("proto=http; for=\"[2001:db8::1]:4711\"")));
    expect("10.0.0.1", "10.0.0.1", FIELDS(FWD("for=_hidden")));
    expect("10.0.0.1", "192.0.2.1", FIELDS(FWD("for=9.9.9.9"), XFF("192.0.2.1")));
}

/* A client behind so many trusted proxies. */
static void expect_behind(unsigned proxies, const char *want)
{
    CLEANUP(buf_done) struct buf list = {.max = 4096};
    struct exchange_field f = {.name = SLICE("X-Forwarded-For")};

    (void)buf_addf(&list, "192.0.2.1");
    for (unsigned i = 1; i <= proxies; i++)
        (void)buf_addf(&list, ", 10.0.1.%u", i);
    f.value = buf_slice(&list);
    expect("10.0.0.1", want, &f, 1);
}

TEST(so_many_proxies_are_looked_through)
{
    expect_behind(31, "192.0.2.1");
    expect_behind(32, "10.0.1.1");
    expect_behind(33, "10.0.1.2");
}

TEST(no_list_trusts_nobody)
{
    const struct exchange_field f = XFF("1.2.3.4");
    const struct exchange_request rq = {.fields = &f, .n_fields = 1};
    const struct egress_rules none = {0};
    char room[CLIENT_TEXT];

    assert_true(slice_eq(client_find(&none, SLICE("10.0.0.1"), &rq, room), SLICE("10.0.0.1")));
    assert_int_equal(client_find(NULL, SLICE_NONE, &rq, room).n, 0);
}

static bool is_secure(const char *peer, const char *tls, const char *name, const char *value)
{
    static const char *const list[] = {"10.0.0.0/8", NULL};
    const struct exchange_field f = {slice_str(name), slice_str(value)};
    const struct exchange_request rq = {.fields = &f, .n_fields = 1, .tls_version = tls};
    struct egress_rules rules = {0};
    bool found;

    assert_int_equal(egress_rules_init(&rules, list, NULL, NULL), 0);
    found = client_is_secure(&rules, slice_str(peer), &rq);
    egress_rules_done(&rules);
    return found;
}

TEST(a_trusted_proxy_says_whether_its_client_speaks_tls)
{
    assert_true(is_secure("10.0.0.1", NULL, "x-forwarded-proto", "https"));
    assert_true(is_secure("", NULL, "X-Forwarded-Proto", "http, WSS"));
    assert_false(is_secure("10.0.0.1", NULL, "X-Forwarded-Proto", "https, http"));
    assert_false(is_secure("10.0.0.1", "TLSv1.3", "X-Forwarded-Proto", "http"));
    assert_true(
        is_secure("10.0.0.1", NULL, "Forwarded", "proto=http, for=9.9.9.9;proto=\"https\""));
    assert_true(is_secure("10.0.0.1", "TLSv1.3", "Via", "1.1 x"));
    assert_false(is_secure("192.0.2.1", NULL, "X-Forwarded-Proto", "https"));
    assert_true(is_secure("192.0.2.1", "TLSv1.3", "X-Forwarded-Proto", "http"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_not_believed),
        cmocka_unit_test(a_trusted_proxy_names_its_client),
        cmocka_unit_test(what_the_client_wrote_itself_is_left_of_it),
        cmocka_unit_test(forwarded_is_read_where_x_forwarded_for_is_not),
        cmocka_unit_test(so_many_proxies_are_looked_through),
        cmocka_unit_test(no_list_trusts_nobody),
        cmocka_unit_test(a_trusted_proxy_says_whether_its_client_speaks_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
