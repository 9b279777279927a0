/* Who answers a request, and what is said when nobody does. */
#include "edge/dispatch.h"

#include "lab.h"

static struct lab lab;
static struct fake worker;
static struct peer client;

static const struct app_origin_target target = {.name = "test", .test = true};
static const struct app_origin_route route = {.targets = &target, .n_targets = 1};
static const struct app_origin origin = {.routes = &route, .n_routes = 1};
static const char *const sites[] = {"https://site.test", NULL};

static int setup(void **state)
{
    const struct app_config apps[] = {
        {.name = "code", .script = SLICE("x"), .worker_path = "/nowhere", .sockets.origins = sites},
        {.name = "files", .assets.dir = "/tmp"},
        {.name = "origin", .origin = &origin},
        {.name = "dev", .script = SLICE("x"), .worker_path = "/nowhere", .dev = true},
    };
    static const char *const hosts[] = {"code.test", "files.test", "origin.test", "dev.test"};

    lab_open_with(&lab, apps, COUNT_OF(apps));
    router_done(&lab.edge->router);
    for (unsigned i = 0; i < COUNT_OF(hosts); i++)
        assert_int_equal(router_add(&lab.edge->router, hosts[i], NULL, i, NULL), 0);
    fake_serve(&lab, &worker);
    return 0;
}

static void hang_up(void)
{
    if (client.loop)
        peer_close(&client);
    client = (struct peer){0};
}

static int teardown(void **state)
{
    hang_up();
    fake_die(&lab, &worker, 0, 0, 0);
    lab_close(&lab);
    return 0;
}

static void say(const char *request)
{
    hang_up();
    client_open(&lab, &client);
    peer_say(&client, slice_str(request));
    loop_advance(lab.loop, 0);
}

static void expect(const char *status, const char *end)
{
    if (!slice_starts(peer_heard(&client), slice_str(status)) ||
        !slice_ends(peer_heard(&client), slice_str(end)))
        fail_msg("%.*s", SLICE_FMT(peer_heard(&client)));
}

#define GET_OF(host, path, more) "GET " path " HTTP/1.1\r\nHost: " host "\r\n" more "\r\n"
#define FROM(site)                                                                                 \
    "Origin: " site "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "     \
    "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

TEST(the_host_chooses_who_answers)
{
    say(GET_OF("code.test", "/a", ""));
    fake_expect(&lab, &worker, "REQUEST GET http://code.test/a\n");
    say(GET_OF("files.test", "/a", ""));
    expect("HTTP/1.1 404 ", "Not Found");
    say(GET_OF("origin.test", "/", ""));
    expect("HTTP/1.1 200 ", "Hello from Holdfast's test target!\n");
    assert_int_equal(lab.edge->stats.requests_worker, 1);
    assert_int_equal(lab.edge->stats.requests_origin, 1);
    fake_expect(&lab, &worker, "");
}

TEST(a_host_that_is_nobodys_is_404)
{
    say(GET_OF("other.test", "/", ""));
    expect("HTTP/1.1 404 ", "no application answers for this host and path\n");
    assert_int_equal(lab.edge->stats.requests_other, 1);
}

TEST(nobody_is_connected_through_us)
{
    say("CONNECT code.test:443 HTTP/1.1\r\nHost: code.test\r\n\r\n");
    expect("HTTP/1.1 501 ", "not supported\n");
    fake_expect(&lab, &worker, "");
}

TEST(pages_of_other_sites_may_not_open_websockets)
{
    say(GET_OF("code.test", "/", FROM("https://evil.test")));
    expect("HTTP/1.1 403 ", "pages of this origin may not connect\n");
    assert_int_equal(lab.edge->stats.origins_refused, 1);
    assert_true(
        lab_logged(&lab, "browser_origin.refused app=\"code\" origin=\"https://evil.test\""));
    fake_expect(&lab, &worker, "");
    say(GET_OF("code.test", "/", FROM("https://site.test")));
    fake_expect(&lab, &worker, "REQUEST GET http://code.test/\n");
    say(GET_OF("code.test", "/", "Origin: https://evil.test\r\n"));
    fake_expect(&lab, &worker, "REQUEST GET http://code.test/\n");
}

TEST(the_pages_of_dev_are_for_dev)
{
    say(GET_OF("dev.test", "/__holdfast/dev", ""));
    expect("HTTP/1.1 ", "");
    assert_int_equal(lab.edge->stats.requests_other, 1);
    say(GET_OF("code.test", "/__holdfast/dev", ""));
    fake_expect(&lab, &worker, "REQUEST GET http://code.test/__holdfast/dev\n");
}

TEST(clients_do_not_reach_what_operators_do)
{
    say(GET_OF("code.test", "/metrics", ""));
    fake_expect(&lab, &worker, "REQUEST GET http://code.test/metrics\n");
    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    say(GET_OF("code.test", "/metrics", ""));
    expect("HTTP/1.1 200 ", "\n");
    say(GET_OF("code.test", "/a", ""));
    expect("HTTP/1.1 404 ", "\n");
    fake_expect(&lab, &worker, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_host_chooses_who_answers),   T(a_host_that_is_nobodys_is_404),
        T(nobody_is_connected_through_us), T(pages_of_other_sites_may_not_open_websockets),
        T(the_pages_of_dev_are_for_dev),   T(clients_do_not_reach_what_operators_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
