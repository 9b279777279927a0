#include "edge/route.h"

#include "lib/test.h"

static void add(struct router *r, const char *host, const char *path, unsigned app)
{
    assert_int_equal(router_add(r, host, path, app, NULL), 0);
}

static int find(const struct router *r, const char *host, const char *path)
{
    return router_find(r, slice_str(host), slice_str(path));
}

TEST(the_most_exact_host_wins)
{
    struct router r = {0};

    add(&r, NULL, NULL, 0);
    add(&r, "*.example.com", NULL, 1);
    add(&r, "*.b.example.com", NULL, 2);
    add(&r, "a.b.example.com", NULL, 3);
    assert_int_equal(find(&r, "other.org", "/"), 0);
    assert_int_equal(find(&r, "example.com", "/"), 0);
    assert_int_equal(find(&r, "x.example.com", "/"), 1);
    assert_int_equal(find(&r, "x.b.example.com", "/"), 2);
    assert_int_equal(find(&r, "A.B.Example.COM:8080", "/"), 3);
    router_done(&r);
}

TEST(the_longest_path_of_whole_segments_wins)
{
    struct router r = {0};

    add(&r, "h", NULL, 0);
    add(&r, "h", "/api", 1);
    add(&r, "h", "/api/v2/", 2);
    assert_int_equal(find(&r, "h", "/"), 0);
    assert_int_equal(find(&r, "h", "/apix"), 0);
    assert_int_equal(find(&r, "h", "/api?x=1"), 1);
    assert_int_equal(find(&r, "h", "/api/v2"), 2);
    assert_int_equal(find(&r, "h", "/api/v2/x"), 2);
    router_done(&r);
}

TEST(a_host_whose_paths_do_not_fit_leaves_it_to_the_next)
{
    struct router r = {0};

    add(&r, "h", "/api", 1);
    add(&r, NULL, "/", 0);
    assert_int_equal(find(&r, "h", "/x"), 0);
    router_done(&r);
}

TEST(nothing_fits)
{
    struct router r = {0};

    assert_int_equal(find(&r, "h", "/"), -ERR_NOT_FOUND);
    add(&r, "[::1]", NULL, 1);
    assert_int_equal(find(&r, "[::1]:80", "/"), 1);
    assert_int_equal(find(&r, "[::2]:80", "/"), -ERR_NOT_FOUND);
    assert_int_equal(find(&r, "", ""), -ERR_NOT_FOUND);
    router_done(&r);
}

TEST(a_malformed_or_second_route_is_refused)
{
    struct router r = {0};
    struct err_note note;

    assert_int_equal(router_add(&r, "a*b", NULL, 0, &note), -ERR_CONFIG);
    assert_int_equal(router_add(&r, "a:80", NULL, 0, &note), -ERR_CONFIG);
    assert_int_equal(router_add(&r, NULL, "api", 0, &note), -ERR_CONFIG);
    add(&r, "h", "/a", 0);
    assert_int_equal(router_add(&r, "H", "/a/", 1, &note), -ERR_CONFIG);
    assert_string_equal(note.text, "two routes for host \"H\" and path \"/a/\"");
    router_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_exact_host_wins),
        cmocka_unit_test(the_longest_path_of_whole_segments_wins),
        cmocka_unit_test(a_host_whose_paths_do_not_fit_leaves_it_to_the_next),
        cmocka_unit_test(nothing_fits),
        cmocka_unit_test(a_malformed_or_second_route_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
