#include "edge/handoff.h"

#include "lab.h"

static struct lab lab;
static struct fake one;
static struct peer client;

static const struct app_origin_target target = {.name = "test", .test = true};
static const struct app_origin_route route = {
    .id = "origin", .host = "", .targets = &target, .n_targets = 1};
static const struct app_origin origin = {.routes = &route, .n_routes = 1};

static void begin(const struct app_origin *o)
{
    const struct app_config app = {
        .name = "app",
        .script = SLICE("x"),
        .worker_path = "/nowhere",
        .origin = o,
    };

    lab_open_with(&lab, &app, 1);
    fake_serve(&lab, &one);
}

static void end(void)
{
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
    lab_close(&lab);
}

static struct exchange_field fields[HANDOFF_FIELDS];

static void expect_field(const struct exchange_request *rq, size_t i, const char *name,
                         const char *value)
{
    assert_true(i < rq->n_fields);
    assert_true(slice_eq(rq->fields[i].name, slice_str(name)));
    assert_true(slice_eq(rq->fields[i].value, slice_str(value)));
}

TEST(what_the_application_changed_goes_along_and_the_clients_own_stays)
{
    const struct exchange_field had[] = {{SLICE("Host"), SLICE("site.test")},
                                         {SLICE("Content-Length"), SLICE("5")},
                                         {SLICE("X-A"), SLICE("1")},
                                         {SLICE("CDN-Loop"), SLICE("a")}};
    const struct exchange_request from = {
        .method = SLICE("POST"),
        .target = SLICE("/a"),
        .path = SLICE("/a"),
        .host = SLICE("site.test"),
        .fields = had,
        .n_fields = COUNT_OF(had),
        .length = 5,
        .body = EXCHANGE_BODY_LENGTH,
        .minor = 1,
    };
    struct exchange_request rq;

    assert_int_equal(
        handoff_request(SLICE("PUT http://other.test/b?c\nhost: other.test\nX-A: 2\n"
                              "content-length: 99\nCF-Connecting-IP: 10.0.0.1\nX-New: n\n"),
                        &from, fields, &rq),
        0);
    assert_true(slice_eq(rq.method, SLICE("PUT")));
    assert_true(slice_eq(rq.path, SLICE("/b?c")));
    assert_true(slice_eq(rq.host, SLICE("site.test")));
    assert_int_equal(rq.length, 5);
    assert_int_equal(rq.n_fields, 5);
    expect_field(&rq, 0, "X-A", "2");
    expect_field(&rq, 1, "X-New", "n");
    expect_field(&rq, 2, "Host", "site.test");
    expect_field(&rq, 3, "Content-Length", "5");
    expect_field(&rq, 4, "CDN-Loop", "a");
}

TEST(without_a_client_the_head_is_taken_as_it_is)
{
    struct exchange_request rq;

    assert_int_equal(
        handoff_request(SLICE("GET https://a.test:8443/?q\nHost: a.test\n"), NULL, fields, &rq), 0);
    assert_true(slice_eq(rq.host, SLICE("a.test:8443")));
    assert_true(slice_eq(rq.path, SLICE("/?q")));
    assert_int_equal(rq.body, EXCHANGE_BODY_NONE);
    expect_field(&rq, 0, "Host", "a.test");
}

TEST(a_head_that_is_none_or_too_long_is_refused)
{
    CLEANUP(buf_done) struct buf many;
    struct exchange_request rq;

    assert_int_equal(handoff_request(SLICE_NONE, NULL, fields, &rq), -ERR_SYNTAX);
    assert_int_equal(handoff_request(SLICE("GET\n"), NULL, fields, &rq), -ERR_SYNTAX);
    buf_init(&many, 64 << 10);
    (void)buf_add(&many, SLICE("GET http://a/\n"));
    for (int i = 0; i <= HANDOFF_FIELDS; i++)
        (void)buf_add(&many, SLICE("a: b\n"));
    assert_int_equal(handoff_request(buf_slice(&many), NULL, fields, &rq), -ERR_TOO_LARGE);
}

TEST(the_client_hears_the_route_that_is_named)
{
    begin(&origin);
    client_get(&lab, &client, "/page");
    fake_expect(&lab, &one, "REQUEST GET http://h/page\n");
    SAY(&one, handoff, lab.id, 0, .kind = IPC_HANDOFF_FANOUT, .backend = SLICE("origin"),
        .head = SLICE("GET http://h/nothing\n"));
    fake_ack(&one, lab.seq, 1);
    assert_true(client_heard(&client, "HTTP/1.1 "));
    assert_int_equal(lab.edge->stats.handoffs, 1);
    assert_int_equal(lab.edge->inbounds.used, 0);
    end();
}

TEST(a_route_that_is_not_there_is_500)
{
    begin(&origin);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, handoff, lab.id, 0, .kind = IPC_HANDOFF_WEBSOCKET, .backend = SLICE("nobody"),
        .head = SLICE("GET http://h/\n"));
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_true(client_heard(&client, "Backend handoff signaled to unknown backend 'nobody'."));
    assert_true(lab_logged(&lab, "handoff.refused"));
    end();
}

TEST(without_an_origin_it_is_500)
{
    begin(NULL);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, handoff, lab.id, 0, .backend = SLICE("origin"), .head = SLICE("GET http://h/\n"));
    assert_true(client_heard(&client, "Pushpin handoff signaled, but Pushpin mode not enabled."));
    end();
}

TEST(an_upgrade_that_is_handed_off_leaves_no_hold)
{
    begin(&origin);
    client_upgrade(&lab, &client, "/nothing");
    fake_expect(&lab, &one, "REQUEST GET http://h/nothing\n");
    assert_true(lab.hold != 0);
    SAY(&one, handoff, lab.id, 0, .backend = SLICE("nobody"), .head = SLICE("GET http://h/\n"));
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_null(hold_find(lab.app, lab.hold));
    end();
}

TEST(the_body_is_kept_until_it_is_known_who_answers)
{
    begin(&origin);
    client_open(&lab, &client);
    peer_say(&client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel"));
    fake_expect(&lab, &one, "REQUEST POST http://h/\nBODY hel\n");
    assert_int_equal(lab.edge->stats.handoff_bytes, 3);
    SAY(&one, handoff, lab.id, 0, .backend = SLICE("nobody"), .head = SLICE("POST http://h/\n"));
    assert_int_equal(lab.edge->stats.handoff_bytes, 0);
    assert_int_equal(lab.edge->stats.handoffs, 0);
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    end();
}

TEST(a_body_that_was_taken_beyond_a_window_cannot_be_handed_off)
{
    static char x[IPC_BODY_WINDOW];

    begin(&origin);
    client_open(&lab, &client);
    peer_say(&client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n"));
    fake_expect(&lab, &one, "REQUEST POST http://h/\n");
    peer_say(&client, slice_make(x, sizeof(x)));
    assert_int_equal(lab.edge->stats.handoff_bytes, IPC_BODY_WINDOW);
    SAY(&one, credit, lab.id, 0, .bytes = IPC_BODY_WINDOW);
    peer_say(&client, SLICE("more"));
    assert_int_equal(lab.edge->stats.handoff_bytes, 0);
    SAY(&one, handoff, lab.id, 0, .backend = SLICE("origin"), .head = SLICE("POST http://h/\n"));
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_true(lab_logged(&lab, "read too far for a handoff"));
    end();
}

TEST(a_worker_hands_off_once)
{
    begin(&origin);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, response, lab.id, 0, .status = 200, .body = IPC_BODY_STREAM);
    SAY(&one, handoff, lab.id, 0, .backend = SLICE("origin"), .head = SLICE("GET http://h/\n"));
    lab_expect_reports(&lab, "BAD HANDOFF: behind a response, or of an unknown kind\n");
    end();
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_the_application_changed_goes_along_and_the_clients_own_stays),
        T(without_a_client_the_head_is_taken_as_it_is),
        T(a_head_that_is_none_or_too_long_is_refused),
        T(the_client_hears_the_route_that_is_named),
        T(a_route_that_is_not_there_is_500),
        T(without_an_origin_it_is_500),
        T(an_upgrade_that_is_handed_off_leaves_no_hold),
        T(the_body_is_kept_until_it_is_known_who_answers),
        T(a_body_that_was_taken_beyond_a_window_cannot_be_handed_off),
        T(a_worker_hands_off_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
