#include "edge/origin_route.h"

#include "edge/settings.h"
#include "lib/test.h"

enum { ROUTES = 16 };

static struct app_origin_target target = {.host = "127.0.0.1", .port = 80, .name = "127.0.0.1:80"};
static struct app_origin_route routes[ROUTES];
static struct app_origin origin;
static struct settings *settings;
static struct origin_table *table;

static void add(struct app_origin_route r)
{
    r.targets = &target;
    r.n_targets = 1;
    routes[origin.n_routes++] = r;
}

static void make(void)
{
    struct err_note note = {0};

    origin.routes = routes;
    settings = settings_new(&(struct app_config){.name = "test", .origin = &origin});
    table = origin_table_new(settings, &note);
    assert_non_null(table);
}

static int begin(void **state)
{
    origin = (struct app_origin){0};
    return 0;
}

static int end(void **state)
{
    origin_table_free(table);
    settings_free(settings);
    table = NULL;
    settings = NULL;
    return 0;
}

/* The id of the route, "" for none. */
static const char *find(const char *host, const char *path, bool is_ws, bool is_secure)
{
    const struct origin_wish w = {slice_str(host), slice_str(path), is_ws, is_secure};
    const struct origin_route *r = origin_route_find(table, &w);

    return r ? r->config->id : "";
}

TEST(rules_for_the_host_win_even_when_none_fits)
{
    add((struct app_origin_route){.id = "any"});
    add((struct app_origin_route){.id = "one", .host = "one.example", .path_beg = "/in"});
    add((struct app_origin_route){.id = "named", .host = ""});
    make();
    assert_string_equal(find("two.example", "/in", false, false), "any");
    assert_string_equal(find("one.example", "/in/side", false, false), "one");
    assert_string_equal(find("ONE.Example:8080", "/in", false, false), "one");
    assert_string_equal(find("one.example", "/out", false, false), "");
    assert_string_equal(find("", "/", false, false), "any");
    assert_ptr_equal(origin_route_by_id(table, SLICE("named"))->config->id,
                     settings->config.origin->routes[2].id);
}

TEST(addresses_are_hosts_too)
{
    add((struct app_origin_route){.id = "v6", .host = "::1"});
    make();
    assert_string_equal(find("[::1]:80", "/", false, false), "v6");
    assert_string_equal(find("[::1]", "/", false, false), "v6");
    assert_string_equal(find("[::2]", "/", false, false), "");
    assert_string_equal(find("[", "/", false, false), "");
}

TEST(the_most_exact_rule_is_taken)
{
    add((struct app_origin_route){.id = "first"});
    add((struct app_origin_route){.id = "same"});
    add((struct app_origin_route){.id = "long", .path_beg = "/abc"});
    add((struct app_origin_route){.id = "longer", .path_beg = "/abcd"});
    add((struct app_origin_route){.id = "tls", .secure = APP_SECURE_YES});
    add((struct app_origin_route){.id = "ws", .protocol = APP_PROTOCOL_WS});
    make();
    assert_string_equal(find("a", "/", false, false), "first");
    assert_string_equal(find("a", "/abc", false, false), "long");
    assert_string_equal(find("a", "/abcde", false, false), "longer");
    assert_string_equal(find("a", "/", false, true), "tls");
    assert_string_equal(find("a", "/abc", false, true), "long");
    assert_string_equal(find("a", "/abcd", true, false), "ws");
}

TEST(an_id_that_two_routes_have_is_nobodys)
{
    add((struct app_origin_route){.id = "twice"});
    add((struct app_origin_route){.id = "twice"});
    add((struct app_origin_route){.id = "twice"});
    add((struct app_origin_route){.id = "once"});
    make();
    assert_null(origin_route_by_id(table, SLICE("twice")));
    assert_non_null(origin_route_by_id(table, SLICE("once")));
    assert_null(origin_route_by_id(table, SLICE("other")));
}

TEST(paths_are_written_anew)
{
    static const struct {
        struct app_origin_route route;
        const char *path, *expect;
    } cases[] = {
        {{0}, "/a?b", "/a?b"},
        {{0}, "", "/"},
        {{.path_rem = 4}, "/api/x", "/x"},
        {{.path_rem = 4}, "/api", "/"},
        {{.path_rem = 4}, "/api?q", "/?q"},
        {{.path_rem = 5}, "/api/x", "/x"},
        {{.path_rem = 100}, "/api", "/"},
        {{.path_beg = "/a", .replace_beg = "/b"}, "/a/c", "/b/c"},
        {{.path_beg = "/a/", .replace_beg = "/"}, "/a/c", "/c"},
        {{.path_beg = "/a", .replace_beg = ""}, "/a", "/"},
        {{.replace_beg = "/f"}, "/a", "/f/a"},
        {{.replace_beg = "f"}, "/a", "/f/a"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = {.max = 100};

        origin.n_routes = 0;
        add(cases[i].route);
        make();
        assert_int_equal(
            origin_route_path(
                origin_route_find(table, &(struct origin_wish){.path = slice_str(cases[i].path)}),
                slice_str(cases[i].path), &out),
            0);
        (void)buf_add_byte(&out, 0);
        assert_string_equal((const char *)out.p, cases[i].expect);
        buf_done(&out);
        (void)end(NULL);
    }
}

TEST(a_signature_is_made_once_a_second)
{
    const struct app_key key = {APP_KEY_TEXT, SLICE("secret")};
    struct slice first;
    struct origin_route *r;

    origin.sig_key = key;
    add((struct app_origin_route){.id = "a"});
    add((struct app_origin_route){.id = "b", .sig_iss = ""});
    make();
    r = origin_route_by_id(table, SLICE("a"));
    first = origin_route_sign(r, 1000);
    assert_true(first.n > 20);
    assert_ptr_equal(origin_route_sign(r, 1000).p, first.p);
    assert_int_equal(r->token_s, 1000);
    (void)origin_route_sign(r, 1001);
    assert_int_equal(r->token_s, 1001);
    assert_int_equal(origin_route_sign(origin_route_by_id(table, SLICE("b")), 1000).n, 0);
}

TEST(a_route_outlives_its_table)
{
    struct origin_route *r;

    add((struct app_origin_route){.id = "a", .prefix = "p-"});
    make();
    r = origin_route_ref(origin_route_by_id(table, SLICE("a")));
    (void)end(NULL);
    assert_string_equal(r->config->prefix, "p-");
    origin_route_unref(r);
}

TEST(a_key_that_cannot_be_used_is_told)
{
    struct err_note note = {0};

    add((struct app_origin_route){.id = "a"});
    add((struct app_origin_route){
        .id = "b",
        .sig_key = {APP_KEY_TEXT, SLICE("-----BEGIN NOTHING-----\n-----END NOTHING-----\n")}});
    origin.routes = routes;
    settings = settings_new(&(struct app_config){.name = "test", .origin = &origin});
    assert_null(origin_table_new(settings, &note));
    assert_true(note.text[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_for_the_host_win_even_when_none_fits, begin, end),
        cmocka_unit_test_setup_teardown(addresses_are_hosts_too, begin, end),
        cmocka_unit_test_setup_teardown(the_most_exact_rule_is_taken, begin, end),
        cmocka_unit_test_setup_teardown(an_id_that_two_routes_have_is_nobodys, begin, end),
        cmocka_unit_test_setup_teardown(paths_are_written_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_signature_is_made_once_a_second, begin, end),
        cmocka_unit_test_setup_teardown(a_route_outlives_its_table, begin, end),
        cmocka_unit_test_setup_teardown(a_key_that_cannot_be_used_is_told, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
