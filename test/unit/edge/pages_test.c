#include "edge/pages.h"

#include "lab.h"

static struct lab lab;
static struct peer client;

static int setup(void **state)
{
    lab_open(&lab);
    return 0;
}

static int teardown(void **state)
{
    peer_close(&client);
    lab_close(&lab);
    return 0;
}

static size_t count(struct slice text, struct slice line)
{
    struct slice one;
    size_t n = 0;

    while (slice_split(&text, '\n', &one))
        n += slice_eq(one, line);
    return n;
}

static void get_control(const char *target)
{
    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    client_get(&lab, &client, target);
}

TEST(metrics_are_prometheus_text)
{
    get_control("/metrics");
    assert_true(client_heard(&client, "HTTP/1.1 200 OK"));
    assert_true(client_heard(&client, "text/plain; version=0.0.4"));
    assert_true(client_heard(&client, "# TYPE holdfast_holds gauge\n"));
    assert_true(client_heard(&client, "holdfast_requests_total{to=\"gateway\"} 1\n"));
}

/* A second HELP or TYPE for a name is an error for who reads them. */
TEST(metrics_of_one_name_stand_together)
{
    struct slice page, line;

    get_control("/metrics");
    page = peer_heard(&client);
    for (struct slice rest = page; slice_split(&rest, '\n', &line);)
        if (slice_starts(line, SLICE("# TYPE ")))
            assert_int_equal(count(page, line), 1);
}

TEST(monitors_may_ask_for_heads)
{
    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    client_open(&lab, &client);
    (void)stream_write(client.stream, SLICE("HEAD /healthz HTTP/1.1\r\nHost: h\r\n\r\n"));
    loop_advance(lab.loop, 0);
    assert_true(client_heard(&client, "HTTP/1.1 200 OK"));
    assert_false(client_heard(&client, "\r\n\r\nok"));
}

TEST(applications_have_numbers_of_their_own)
{
    struct fake one;
    struct peer socket;

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &socket, IPC_HIBERNATE, "Room/1");
    client_text(&socket, "hi");
    fake_expect(&lab, &one, "WS_MESSAGE hi\n");
    fake_ack(&one, lab.seq, 1);
    get_control("/metrics");
    assert_true(client_heard(&client, "holdfast_app_holds{app=\"app\",state=\"open\"} 1\n"
                                      "holdfast_app_holds{app=\"app\",state=\"closing\"} 0\n"));
    assert_true(
        client_heard(&client, "holdfast_app_messages_total{app=\"app\",direction=\"in\"} 1\n"));
    assert_true(client_heard(&client, "holdfast_messages_total{direction=\"in\"} 1\n"));
    assert_true(client_heard(&client, "holdfast_app_event_seconds_count{app=\"app\"} 2\n"));
    assert_true(client_heard(&client, "holdfast_app_event_wait_seconds_count{app=\"app\"} 2\n"));
    assert_true(client_heard(&client, "holdfast_app_response_seconds_count{app=\"app\"} 1\n"));
    assert_true(client_heard(&client, "holdfast_queued_bytes{to=\"clients\"} "));
    peer_close(&socket);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_client_that_does_not_wait_for_the_metrics_is_no_trouble)
{
    struct stream *s;

    lab.door = doors_open(lab.edge, EDGE_CONTROL);
    peer_open(&client, lab.loop, &s);
    http1_server_take(lab.door->http, s);
    (void)stream_write(client.stream, SLICE("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"));
    loop_tick(lab.loop, 0);
    loop_tick(lab.loop, 0);
    stream_loopback_break(client.stream);
    loop_advance(lab.loop, 0);
}

TEST(health_and_readiness)
{
    struct peer other;

    get_control("/healthz");
    assert_true(client_heard(&client, "\r\n\r\nok\n"));
    client_get(&lab, &other, "/readyz");
    assert_true(client_heard(&other, "HTTP/1.1 200 OK"));
    peer_close(&other);
    lab.app->broken = blob_copy(SLICE("why"));
    client_get(&lab, &other, "/readyz");
    assert_true(client_heard(&other, "HTTP/1.1 503 "));
    assert_true(client_heard(&other, "app: its code cannot run\n"));
    peer_close(&other);
    client_get(&lab, &other, "/nothing");
    assert_true(client_heard(&other, "HTTP/1.1 404 "));
    peer_close(&other);
}

/* Peers in memory have no address, so they are not of this machine. */
TEST(dev_pages_are_for_this_machine)
{
    client_get(&lab, &client, "/__holdfast/dev");
    assert_true(client_heard(&client, "HTTP/1.1 403 "));
    assert_int_equal(lab.app->events.n, 0);
}

TEST(in_production_there_are_no_dev_pages)
{
    const struct app_config app = {.name = "app", .script = SLICE("x"), .worker_path = "/nowhere"};

    lab_close(&lab);
    lab_open_with(&lab, &app, 1);
    client_get(&lab, &client, "/__holdfast/dev");
    assert_int_equal(lab.app->events.n, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(metrics_are_prometheus_text),
        T(metrics_of_one_name_stand_together),
        T(monitors_may_ask_for_heads),
        T(applications_have_numbers_of_their_own),
        T(a_client_that_does_not_wait_for_the_metrics_is_no_trouble),
        T(health_and_readiness),
        T(dev_pages_are_for_this_machine),
        T(in_production_there_are_no_dev_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
