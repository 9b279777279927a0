#include "app/gateway_config.h"
#include "lib/test.h"

#define LIMITS                                                                                     \
    "\"limits\":{\"cpu_ms\":7,\"memory_mb\":2,\"actor_idle_ms\":1,\"worker_idle_ms\":3,\"drain_"   \
    "ms\":0,"                                                                                      \
    "\"ready_ms\":4,\"message_bytes\":5,\"request_bytes\":6,\"send_queue_bytes\":8}"
#define APP                                                                                        \
    "{\"name\":\"chat\",\"root\":\"/a\",\"entry\":\"/a/i.js\",\"state\":\"/s/"                     \
    "chat\",\"build_dir\":\"/s/.build/chat\"," LIMITS                                              \
    ",\"assets\":{\"directory\":\"/a/public\",\"not_found_handling\":\"single-page-application\"," \
    "\"html_handling\":\"drop-trailing-slash\",\"run_worker_first\":[\"/api/x\"]},"                \
    "\"egress\":{\"allow\":[\"a\",\"b\"],\"deny\":[],\"resolve\":[],\"ca\":[]},"                   \
    "\"service_targets\":[{\"name\":\"API\",\"url\":\"http://"                                     \
    "x\"},{\"name\":\"other\",\"app\":\"other\"}],"                                                \
    "\"routes\":[{\"host\":\"h\",\"path\":\"/p\"},{\"host\":null,\"path\":null}],\"watch\":[\"/a/" \
    "wrangler.toml\"],"                                                                            \
    "\"start\":{\"name\":\"chat\"},\"durable_objects\":[]}"
#define CONFIG                                                                                     \
    "{\"listen\":[{\"host\":\"::1\",\"port\":80}],\"threads\":3,\"sandbox\":\"strict\","           \
    "\"control\":{\"host\":\"h\",\"port\":9},"                                                     \
    "\"max_connections\":10,\"log\":{\"format\":\"json\",\"level\":\"warn\"},\"apps\":[" APP "]}"

#define ORIGIN                                                                                     \
    "{\"apps\":[{\"name\":\"default\",\"state\":\"/s\",\"routes_files\":[\"/"                      \
    "routes\"],\"origin\":{"                                                                       \
    "\"sig_iss\":\"me\",\"sig_key\":{\"form\":\"file\",\"text\":\"6b\"},\"debug\":true,"           \
    "\"x_forwarded_for\":{\"truncate\":true,\"keep\":2,\"append\":true},"                          \
    "\"set_x_forwarded_protocol\":\"false\",\"answer_pings\":true,\"update_on_first_"              \
    "subscription\":true,"                                                                         \
    "\"connect_ms\":7,\"routes\":[{\"id\":\"a\",\"host\":null,\"protocol\":\"ws\",\"path_rem\":3," \
    "\"headers\":[{\"name\":\"X\",\"value\":\"\"}],\"targets\":[{\"host\":\"o\",\"port\":81,"      \
    "\"name\":\"o:81\",\"over_http\":true,\"subs\":[\"c\"],\"ca\":{\"text\":\"PEM\"}}]}]}}],"      \
    "\"grip\":{\"tokens\":[\"t\"],\"keys\":[{\"form\":\"text\",\"text\":\"k\"}],"                  \
    "\"message_rate\":5,\"zmq\":{\"pull\":[\"tcp://*:1\"],\"stats_format\":\"json\"}}}"

static struct config *parse(enum command command, struct slice json)
{
    const struct options options = {.command = command};
    struct paths paths = {.worker = (char *)(uintptr_t) "/w"};

    return config_parse(json, &options, &paths);
}

TEST(config_says_how_the_gateway_runs)
{
    struct config *c = parse(COMMAND_SERVE, SLICE(CONFIG));

    assert_int_equal(c->n_listen, 1);
    assert_string_equal(c->listen[0].host, "::1");
    assert_int_equal(c->listen[0].port, 80);
    assert_string_equal(c->control.host, "h");
    assert_int_equal(c->threads, 3);
    assert_int_equal(c->max_connections, 10);
    assert_int_equal(c->log_form, LOG_JSON);
    assert_int_equal(c->log_level, LOG_WARN);
    config_free(c);
}

TEST(config_makes_an_application_for_the_edge)
{
    struct config *c = parse(COMMAND_DEV, SLICE(CONFIG));
    const struct app_config *app = &c->apps[0].edge;

    assert_ptr_equal(config_find(c, "chat"), &c->apps[0]);
    assert_null(config_find(c, "nobody"));
    assert_string_equal(app->worker_path, "/w");
    assert_true(app->dev);
    assert_int_equal(app->sandbox, APP_SANDBOX_STRICT);
    assert_int_equal(app->limits.cpu_ms, 7);
    assert_int_equal(app->limits.memory_bytes, 2 << 20);
    assert_int_equal(app->limits.process_idle_ms, 3);
    assert_int_equal(app->assets.not_found, APP_NOT_FOUND_SPA);
    assert_int_equal(app->assets.html, APP_HTML_DROP_SLASH);
    assert_false(app->assets.worker_first);
    assert_string_equal(app->assets.worker_first_paths[0], "/api/x");
    assert_string_equal(app->egress.allow[1], "b");
    assert_null(app->egress.allow[2]);
    assert_null(app->egress.deny);
    assert_int_equal(app->n_services, 2);
    assert_string_equal(app->services[0].url, "http://x");
    assert_null(app->services[0].app);
    assert_string_equal(app->services[1].app, "other");
    assert_string_equal(c->apps[0].watch[0], "/a/wrangler.toml");
    config_free(c);
}

TEST(config_routes_name_their_application)
{
    struct config *c = parse(COMMAND_SERVE, SLICE(CONFIG));

    assert_int_equal(c->n_routes, 2);
    assert_string_equal(c->routes[0].host, "h");
    assert_string_equal(c->routes[0].path, "/p");
    assert_null(c->routes[1].host);
    assert_string_equal(c->routes[1].app, "chat");
    config_free(c);
}

TEST(config_makes_an_origin_for_the_edge)
{
    struct config *c = parse(COMMAND_SERVE, SLICE(ORIGIN));
    const struct app_origin *o = c->apps[0].edge.origin;
    const struct app_origin_route *r = &o->routes[0];

    assert_null(c->apps[0].edge.state_dir);
    assert_string_equal(c->apps[0].routes_files[0], "/routes");
    assert_int_equal(o->n_routes, 1);
    assert_string_equal(o->sig_iss, "me");
    assert_int_equal(o->sig_key.form, APP_KEY_FILE);
    assert_int_equal(o->upstream_key.form, APP_KEY_NONE);
    assert_true(o->debug && o->forwarded.truncate && o->forwarded.append);
    assert_int_equal(o->forwarded.keep, 2);
    assert_int_equal(o->set_forwarded_proto, APP_FORWARDED_NONE);
    assert_false(o->no_pong);
    assert_int_equal(o->connect_ms, 7);
    assert_null(r->host);
    assert_int_equal(r->protocol, APP_PROTOCOL_WS);
    assert_int_equal(r->path_rem, 3);
    assert_string_equal(r->headers[0].value, "");
    assert_string_equal(r->targets[0].host, "o");
    assert_int_equal(r->targets[0].port, 81);
    assert_true(r->targets[0].over_http);
    assert_string_equal(r->targets[0].subs[0], "c");
    assert_int_equal(r->targets[0].ca.n, 3);
    config_free(c);
}

TEST(config_says_how_is_published)
{
    struct config *c = parse(COMMAND_SERVE, SLICE(ORIGIN));

    assert_string_equal(c->grip.auth.tokens[0], "t");
    assert_int_equal(c->grip.auth.n_keys, 1);
    assert_int_equal(c->grip.auth.keys[0].form, APP_KEY_TEXT);
    assert_true(c->grip.no_first);
    assert_int_equal(c->grip.message_rate, 5);
    assert_int_equal(c->grip.message_hwm, 0);
    assert_string_equal(c->grip.zmq.pull[0], "tcp://*:1");
    assert_true(c->grip.zmq.stats_json);
    assert_null(c->grip.zmq.command);
    config_free(c);
}

TEST(config_that_is_no_document_of_ours_is_refused)
{
    assert_null(parse(COMMAND_SERVE, SLICE("")));
    assert_null(parse(COMMAND_SERVE, SLICE("{")));
    assert_null(parse(COMMAND_SERVE, SLICE("{\"apps\":1}")));
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_says_how_the_gateway_runs),
        cmocka_unit_test(config_makes_an_application_for_the_edge),
        cmocka_unit_test(config_routes_name_their_application),
        cmocka_unit_test(config_makes_an_origin_for_the_edge),
        cmocka_unit_test(config_says_how_is_published),
        cmocka_unit_test(config_that_is_no_document_of_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
