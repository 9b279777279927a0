/* What the normalised configuration says of origins and publishing, as the edge takes it. */
#include "app/gateway_origin.h"

#include <stdio.h>

#include "app/gateway_config.h"
#include "lib/test.h"

static struct config *config;

static int drop(void **state)
{
    config_free(config);
    config = NULL;
    return 0;
}

static const struct config *parse(const char *form, const char *part)
{
    const struct options options = {.command = COMMAND_SERVE};
    struct paths paths = {.worker = (char *)(uintptr_t) "/w"};
    char text[4096];

    config_free(config);
    assert_true((size_t)snprintf(text, sizeof(text), form, part) < sizeof(text));
    config = config_parse(slice_str(text), &options, &paths);
    assert_non_null(config);
    return config;
}

static const struct app_origin *origin(const char *keys)
{
    return parse("{\"apps\":[{\"name\":\"a\",\"state\":\"/s\",\"origin\":{%s}}],\"grip\":{}}", keys)
        ->apps[0]
        .edge.origin;
}

static const struct app_origin_route *route(const char *keys)
{
    char routes[2048];
    const struct app_origin *o;

    assert_true((size_t)snprintf(routes, sizeof(routes), "\"routes\":[{%s}]", keys) <
                sizeof(routes));
    o = origin(routes);
    assert_int_equal(o->n_routes, 1);
    return &o->routes[0];
}

static const struct grip_options *grip(const char *keys)
{
    return &parse("{\"apps\":[],\"grip\":{%s}}", keys)->grip;
}

TEST(an_application_without_an_origin_has_none)
{
    parse("{\"apps\":[{\"name\":\"a\",\"state\":\"/s\"%s}],\"grip\":{}}", "");
    assert_null(config->apps[0].edge.origin);
}

TEST(words_are_values)
{
    assert_int_equal(route("\"protocol\":\"any\"")->protocol, APP_PROTOCOL_ANY);
    assert_int_equal(route("\"protocol\":\"http\"")->protocol, APP_PROTOCOL_HTTP);
    assert_int_equal(route("\"protocol\":\"ws\"")->protocol, APP_PROTOCOL_WS);
    assert_int_equal(route("\"secure\":\"no\"")->secure, APP_SECURE_NO);
    assert_int_equal(route("\"secure\":\"yes\"")->secure, APP_SECURE_YES);
    assert_int_equal(route("\"jsonp_mode\":\"extended\"")->jsonp_mode, APP_JSONP_EXTENDED);
    assert_int_equal(route("\"jsonp_mode\":\"basic\"")->jsonp_mode, APP_JSONP_BASIC);
    assert_int_equal(origin("\"set_x_forwarded_protocol\":\"proto-only\"")->set_forwarded_proto,
                     APP_FORWARDED_PROTO);
    assert_int_equal(origin("\"set_x_forwarded_protocol\":\"true\"")->set_forwarded_proto,
                     APP_FORWARDED_BOTH);
    assert_int_equal(origin("\"set_x_forwarded_protocol\":\"false\"")->set_forwarded_proto,
                     APP_FORWARDED_NONE);
    assert_int_equal(origin("\"sig_key\":{\"form\":\"text\",\"text\":\"k\"}")->sig_key.form,
                     APP_KEY_TEXT);
    assert_true(grip("\"zmq\":{\"stats_format\":\"json\"}")->zmq.stats_json);
    assert_false(grip("\"zmq\":{\"stats_format\":\"tnetstring\"}")->zmq.stats_json);
}

TEST(what_is_on_by_default_is_said_the_other_way_round)
{
    assert_false(origin("\"answer_pings\":true")->no_pong);
    assert_true(origin("\"answer_pings\":false")->no_pong);
    assert_false(grip("\"update_on_first_subscription\":true")->no_first);
    assert_true(grip("\"update_on_first_subscription\":false")->no_first);
    assert_false(grip("\"zmq\":{\"stats_connection_send\":true}")->zmq.no_stats_connections);
    assert_true(grip("\"zmq\":{\"stats_connection_send\":false}")->zmq.no_stats_connections);
}

TEST(a_route_has_its_parts)
{
    const struct app_origin_route *r =
        route("\"id\":\"i\",\"host\":\"h\",\"path_beg\":\"/b\",\"path_rem\":2,\"replace_beg\":\"/"
              "r\",\"as_host\":\"a\",\"prefix\":\"p\",\"sig_iss\":\"s\",\"debug\":true,\"orig_"
              "headers\":true,\"no_grip\":true,\"aco\":true,\"jsonp_cb\":\"1\",\"jsonp_body\":"
              "\"2\",\"jsonp_defcb\":\"3\",\"jsonp_defmethod\":\"4\",\"headers\":[{\"name\":\"X\","
              "\"value\":\"y\"},{\"name\":\"Z\",\"value\":\"\"}],\"targets\":[{\"path\":\"/s\"},{"
              "\"host\":\"h\",\"port\":65535,\"name\":\"n\"}]");

    assert_string_equal(r->id, "i");
    assert_string_equal(r->host, "h");
    assert_string_equal(r->path_beg, "/b");
    assert_int_equal(r->path_rem, 2);
    assert_string_equal(r->replace_beg, "/r");
    assert_string_equal(r->as_host, "a");
    assert_string_equal(r->prefix, "p");
    assert_string_equal(r->sig_iss, "s");
    assert_true(r->debug && r->orig_headers && r->no_grip && r->aco);
    assert_string_equal(r->jsonp_cb, "1");
    assert_string_equal(r->jsonp_body, "2");
    assert_string_equal(r->jsonp_defcb, "3");
    assert_string_equal(r->jsonp_defmethod, "4");
    assert_int_equal(r->n_headers, 2);
    assert_string_equal(r->headers[1].name, "Z");
    assert_int_equal(r->n_targets, 2);
    assert_string_equal(r->targets[0].path, "/s");
    assert_int_equal(r->targets[1].port, 65535);
}

TEST(a_target_has_its_own)
{
    const struct app_origin_target *t =
        route("\"targets\":[{\"name\":\"n\",\"test\":true,\"tls\":true,\"insecure\":true,\"host_"
              "field\":\"f\",\"cert_host\":\"c\",\"trust_connect_host\":true,\"untrusted\":true,"
              "\"over_http\":true,\"one_event\":true,\"subs\":[\"a\",\"b\"],\"client_cert\":{"
              "\"text\":\"1\"},\"client_key\":{\"text\":\"22\"},\"ca\":{\"text\":\"333\"}}]")
            ->targets;

    assert_true(t->test && t->tls && t->insecure && t->trust_connect_host && t->untrusted);
    assert_true(t->over_http && t->one_event);
    assert_string_equal(t->host_field, "f");
    assert_string_equal(t->cert_host, "c");
    assert_string_equal(t->subs[1], "b");
    assert_null(t->subs[2]);
    assert_int_equal(t->client_cert.n, 1);
    assert_int_equal(t->client_key.n, 2);
    assert_int_equal(t->ca.n, 3);
}

TEST(publishing_and_zeromq_have_their_numbers)
{
    const struct grip_options *g =
        grip("\"tokens\":[\"t\"],\"logins\":[\"l\"],\"issuer\":\"i\",\"keys\":[{\"form\":\"text\","
             "\"text\":\"k\"},{\"form\":\"file\",\"text\":\"f\"}],\"max_headers_size\":1,\"max_"
             "body_size\":2,\"max_connections\":3,\"message_rate\":4,\"message_hwm\":5,\"message_"
             "block_size\":6,\"message_wait_ms\":7,\"id_cache_ms\":8,\"subscription_linger_ms\":9,"
             "\"history_count\":10,\"history_bytes\":11,\"history_ms\":12,\"history_total_bytes\":"
             "4294967297,\"zmq\":{\"sub\":[\"s\"],\"sub_connect\":true,\"command\":\"c\",\"stats\":"
             "[\"p\"],\"stats_from\":\"me\",\"stats_connection_ttl_ms\":1,\"stats_subscription_ttl_"
             "ms\":2,\"stats_report_interval_ms\":3,\"ipc_file_mode\":384}");
    const uint32_t numbers[] = {g->control_headers, g->control_body,  g->control_clients,
                                g->message_rate,    g->message_hwm,   g->message_block,
                                g->message_wait_ms, g->id_cache_ms,   g->linger_ms,
                                g->history_count,   g->history_bytes, g->history_ms};

    for (uint32_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(numbers[i], i + 1);
    assert_int_equal(g->history_total, UINT64_C(4294967297));
    assert_string_equal(g->auth.tokens[0], "t");
    assert_string_equal(g->auth.logins[0], "l");
    assert_string_equal(g->auth.jwt_iss, "i");
    assert_int_equal(g->auth.n_keys, 2);
    assert_int_equal(g->auth.keys[1].form, APP_KEY_FILE);
    assert_null(g->zmq.pull);
    assert_true(g->zmq.sub_connect);
    assert_string_equal(g->zmq.sub[0], "s");
    assert_string_equal(g->zmq.command, "c");
    assert_string_equal(g->zmq.stats[0], "p");
    assert_string_equal(g->zmq.stats_from, "me");
    assert_int_equal(g->zmq.stats_conn_ms + g->zmq.stats_sub_ms * 10 + g->zmq.stats_report_ms * 100,
                     321);
    assert_int_equal(g->zmq.ipc_mode, 0600);
}

TEST(an_origin_has_its_numbers_and_rules)
{
    const struct app_origin *o =
        origin("\"connection_subscription_max\":1,\"max_open_requests\":2,\"connect_ms\":3,"
               "\"response_ms\":4,\"pool_idle_ms\":5,\"breaker_failures\":6,\"breaker_ms\":7,"
               "\"debug\":true,\"auto_cross_origin\":true,\"accept_pushpin_route\":true,\"accept_x_"
               "forwarded_protocol\":true,\"x_forwarded_for\":{\"truncate\":true,\"keep\":3},\"x_"
               "forwarded_for_trusted\":{\"append\":true},\"orig_headers_need_mark\":[\"a\"],\"cdn_"
               "loop\":\"l\",\"sig_iss\":\"s\"");
    const uint32_t numbers[] = {o->subscriptions, o->requests,     o->connect_ms,
                                o->response_ms,   o->pool_idle_ms, o->breaker_failures,
                                o->breaker_ms};

    for (uint32_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(numbers[i], i + 1);
    assert_true(o->debug && o->auto_cross_origin && o->accept_route_header);
    assert_true(o->accept_forwarded_proto && o->forwarded.truncate && !o->forwarded.append);
    assert_int_equal(o->forwarded.keep, 3);
    assert_true(o->forwarded_trusted.append && !o->forwarded_trusted.truncate);
    assert_string_equal(o->unmarked[0], "a");
    assert_string_equal(o->cdn_loop, "l");
    assert_string_equal(o->sig_iss, "s");
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, drop)
    const struct CMUnitTest tests[] = {
        T(an_application_without_an_origin_has_none),
        T(words_are_values),
        T(what_is_on_by_default_is_said_the_other_way_round),
        T(a_route_has_its_parts),
        T(a_target_has_its_own),
        T(publishing_and_zeromq_have_their_numbers),
        T(an_origin_has_its_numbers_and_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
