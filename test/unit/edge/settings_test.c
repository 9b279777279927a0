#include "edge/settings.h"

#include "lib/test.h"

static const struct app_header dropped = {.name = "X-Internal", .value = ""};
static const char *const subs[] = {"all", NULL};
static const struct app_origin_target target = {
    .host = "127.0.0.1", .port = 8000, .name = "127.0.0.1:8000", .over_http = true, .subs = subs};
static const struct app_origin_route route = {.id = "api",
                                              .host = "example.com",
                                              .path_beg = "/api/",
                                              .prefix = "p-",
                                              .headers = &dropped,
                                              .n_headers = 1,
                                              .targets = &target,
                                              .n_targets = 1};

TEST(settings_copy_an_origin_whole)
{
    char secret[] = "changeme";
    struct app_origin origin = {.routes = &route, .n_routes = 1};
    struct app_config app = {.name = "a", .origin = &origin};

    origin.sig_key = (struct app_key){APP_KEY_TEXT, slice_make(secret, 8)};
    struct settings *s = settings_new(&app);
    memset(secret, 'x', sizeof(secret));
    memset(&origin, 0, sizeof(origin));
    const struct app_origin *copy = s->config.origin;

    assert_false(s->has_worker);
    assert_memory_equal(copy->sig_key.text.p, "changeme", 8);
    assert_int_equal(copy->n_routes, 1);
    assert_string_equal(copy->routes[0].headers[0].value, "");
    assert_string_equal(copy->routes[0].targets[0].subs[0], "all");
    assert_ptr_not_equal(copy->routes[0].targets, &target);
    settings_free(s);
}

TEST(settings_fill_in_what_an_origin_does_not_say)
{
    const struct app_origin origin = {.routes = &route, .n_routes = 1, .connect_ms = 7};
    const struct app_config app = {.name = "a", .origin = &origin};
    struct settings *s = settings_new(&app);

    assert_string_equal(s->config.origin->sig_iss, "pushpin");
    assert_int_equal(s->config.origin->connect_ms, 7);
    assert_int_equal(s->config.origin->subscriptions, 20);
    assert_string_equal(s->config.origin->routes[0].jsonp_cb, "callback");
    assert_null(s->config.origin->routes[0].sig_iss);
    settings_free(s);
}

TEST(settings_without_an_origin_have_none)
{
    const struct app_config app = {.name = "a", .script = SLICE("export {}")};
    struct settings *s = settings_new(&app);

    assert_null(s->config.origin);
    assert_true(s->has_worker);
    settings_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_copy_an_origin_whole),
        cmocka_unit_test(settings_fill_in_what_an_origin_does_not_say),
        cmocka_unit_test(settings_without_an_origin_have_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
