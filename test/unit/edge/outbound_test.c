#include "edge/outbound.h"

#include "edge/relay.h"
#include "lab.h"
#include "wire/grip_item.h"

/* Application "a" fetches from application "b", by the service binding B. "b" hands requests off to
 * its origin "x", which holds them on the channel "test". */
static struct lab lab;
static struct fake asker, answerer;

#define CALL (IPC_WORKER_EXCHANGE | 1)

static int setup(void **state)
{
    static const struct app_service services[] = {{.name = "B", .app = "b"},
                                                  {.name = "GONE", .app = "nobody"}};
    static const struct app_origin_target target = {.name = "test", .test = true};
    static const struct app_origin_route route = {
        .id = "x", .host = "", .targets = &target, .n_targets = 1};
    static const struct app_origin origin = {.routes = &route, .n_routes = 1};
    const struct app_config apps[] = {
        {.name = "a",
         .script = SLICE("x"),
         .worker_path = "/nowhere",
         .services = services,
         .n_services = 2},
        {.name = "b", .script = SLICE("x"), .worker_path = "/nowhere", .origin = &origin},
    };

    lab_open_with(&lab, apps, 2);
    fake_serve(&lab, &asker);
    lab.app = lab.edge->apps[1];
    fake_start(&lab, &answerer);
    delivery_serve(lab.app, answerer.link);
    return 0;
}

static int teardown(void **state)
{
    struct fake *const both[] = {&asker, &answerer};

    for (unsigned i = 0; i < 2; i++) {
        if (!lab.edge->apps[i]->bearer)
            continue;
        peer_close(&both[i]->pipe);
        edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_GONE,
                                                           .app = i,
                                                           .generation = both[i]->generation}));
    }
    lab_close(&lab);
    return 0;
}

static void call(unsigned body)
{
    SAY(&asker, fetch, CALL, 0, .service = SLICE("B"), .body = (uint8_t)body,
        .head = SLICE("POST http://b.example/path?q\nX-A: 1\n"));
    fake_expect(&lab, &answerer, "REQUEST POST http://b.example/path?q\n");
}

TEST(a_service_binding_reaches_another_application)
{
    call(IPC_BODY_NONE);
    SAY(&answerer, response, lab.id, 0, .status = 200, .body = IPC_BODY_LENGTH, .length = 2);
    SAY(&answerer, body, lab.id, IPC_END, .bytes = SLICE("ok"));
    fake_expect(&lab, &asker, "RESPONSE 200\nBODY ok\nBODY  end\n");
    fake_ack(&answerer, lab.seq, 1);
    assert_int_equal(asker.link->calls.count, 0);
    assert_int_equal(lab.edge->inbounds.used, 0);
}

TEST(the_requests_body_passes_under_credit)
{
    call(IPC_BODY_STREAM);
    SAY(&asker, body, CALL, 0, .bytes = SLICE("one"));
    SAY(&asker, body, CALL, IPC_END, .bytes = SLICE("two"));
    fake_expect(&lab, &answerer, "BODY one\nBODY two end\n");
    fake_expect(&lab, &asker, "CREDIT 3\nCREDIT 3\n");
    SAY(&answerer, response, lab.id, 0, .status = 204);
    fake_expect(&lab, &asker, "RESPONSE 204\n");
}

TEST(the_responses_credit_passes_back)
{
    static const char piece[IPC_BODY_WINDOW / 4];

    call(IPC_BODY_NONE);
    SAY(&answerer, response, lab.id, 0, .status = 200, .body = IPC_BODY_STREAM);
    SAY(&answerer, body, lab.id, 0, .bytes = slice_make(piece, sizeof(piece)));
    SAY(&asker, credit, CALL, 0, .bytes = sizeof(piece));
    fake_expect(&lab, &answerer, "CREDIT 65536\n");
    lab_expect_reports(&lab, "");
    SAY(&asker, credit, CALL, 0, .bytes = 1);
    lab_expect_reports(&lab, "BAD CREDIT: credit for bytes that were not sent\n");
}

TEST(a_fetch_that_is_given_up_cancels_the_other_request)
{
    call(IPC_BODY_NONE);
    SAY(&asker, cancel, CALL, 0, 0);
    fake_expect(&lab, &answerer, "CANCEL\n");
    assert_int_equal(asker.link->calls.count, 0);
    assert_int_equal(lab.edge->inbounds.used, 0);
    fake_expect(&lab, &asker, "");
}

TEST(an_asker_that_dies_takes_its_fetches_with_it)
{
    call(IPC_BODY_STREAM);
    peer_close(&asker.pipe);
    edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_GONE,
                                                       .generation = asker.generation,
                                                       .why = ERR_WORKER_CRASH}));
    fake_expect(&lab, &answerer, "CANCEL\n");
    assert_int_equal(lab.edge->inbounds.used, 0);
}

TEST(an_answerer_that_dies_is_a_503)
{
    call(IPC_BODY_NONE);
    peer_close(&answerer.pipe);
    edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_GONE,
                                                       .app = 1,
                                                       .generation = answerer.generation,
                                                       .why = ERR_WORKER_CRASH,
                                                       .begun = lab.seq}));
    fake_expect(
        &lab, &asker,
        "RESPONSE 503\nBODY the worker crashed while it handled this request\n\nBODY  end\n");
}

TEST(an_answer_that_is_cut_is_told)
{
    call(IPC_BODY_NONE);
    SAY(&answerer, response, lab.id, 0, .status = 200, .body = IPC_BODY_STREAM);
    SAY(&answerer, body_abort, lab.id, 0, .error = ERR_INTERNAL);
    fake_expect(&lab, &asker, "RESPONSE 200\nBODY_ABORT\n");
}

/* What the asker hears of a body: so many bytes of one letter. */
static void expect_letters(char letter, size_t n)
{
    struct buf line = {.max = 2 << 20};

    (void)buf_add(&line, SLICE("BODY "));
    memset(buf_reserve(&line, n), letter, n);
    buf_commit(&line, n);
    (void)buf_add(&line, SLICE("\n\0"));
    fake_expect(&lab, &asker, (char *)line.p);
    buf_done(&line);
}

static void hold_stream(void)
{
    call(IPC_BODY_NONE);
    SAY(&answerer, handoff, lab.id, 0, .kind = IPC_HANDOFF_FANOUT, .backend = SLICE("x"),
        .head = SLICE("GET http://b.example/stream\n"));
    fake_expect(&lab, &asker, "RESPONSE 200\nBODY [stream opened]\n\n");
    SAY(&asker, credit, CALL, 0, .bytes = 16);
}

static void publish_letters(char letter, size_t n, bool closes)
{
    char *text = mem_new(n);
    struct grip_item items[2] = {{.channel = SLICE("test"), .size = -1},
                                 {.channel = SLICE("test"), .size = -1}};

    memset(text, letter, n);
    items[0].formats[GRIP_HTTP_STREAM] =
        (struct grip_format){.has = true, .action = GRIP_SEND, .content = {(void *)text, n}};
    items[1].formats[GRIP_HTTP_STREAM] = (struct grip_format){.has = true, .action = GRIP_CLOSE};
    assert_int_equal(
        relay_publish(lab.edge, &(struct grip_items){.items = items, .n = closes ? 2 : 1}), 0);
    loop_advance(lab.loop, 0);
    mem_free(text);
}

TEST(an_item_over_the_window_comes_as_it_is_taken)
{
    hold_stream();
    publish_letters('y', 2 * IPC_BODY_WINDOW + 1, true);
    expect_letters('y', IPC_BODY_WINDOW);
    SAY(&asker, credit, CALL, 0, .bytes = IPC_BODY_WINDOW);
    expect_letters('y', IPC_BODY_WINDOW);
    assert_int_equal(lab.edge->stats.fetch_queues, 1);
    SAY(&asker, credit, CALL, 0, .bytes = IPC_BODY_WINDOW);
    fake_expect(&lab, &asker, "BODY y\nBODY  end\n");
    assert_int_equal(lab.edge->stats.fetch_queues, 0);
    assert_int_equal(asker.link->calls.count, 0);
}

TEST(a_fetch_is_given_up_while_its_end_waits)
{
    hold_stream();
    publish_letters('y', IPC_BODY_WINDOW + 1, true);
    expect_letters('y', IPC_BODY_WINDOW);
    SAY(&asker, cancel, CALL, 0, 0);
    fake_expect(&lab, &asker, "");
    assert_int_equal(lab.edge->stats.fetch_queues, 0);
    assert_int_equal(asker.link->calls.count, 0);
}

TEST(an_item_that_fills_the_queue_comes_whole_and_one_byte_more_cuts_the_answer)
{
    const size_t most = IPC_BODY_WINDOW + (4 << 20); /* QUEUE_MAX of outbound_local.c */

    hold_stream();
    publish_letters('y', most, true);
    expect_letters('y', IPC_BODY_WINDOW);
    assert_int_equal(lab.edge->stats.fetch_queues, 4 << 20);
    for (unsigned i = 0; i < (4 << 20) / IPC_BODY_WINDOW - 1; i++) {
        SAY(&asker, credit, CALL, 0, .bytes = IPC_BODY_WINDOW);
        expect_letters('y', IPC_BODY_WINDOW);
    }
    SAY(&asker, cancel, CALL, 0, 0);
    hold_stream();
    publish_letters('z', most + 1, false);
    fake_expect(&lab, &asker, "BODY_ABORT\n");
    assert_int_equal(lab.edge->stats.fetch_queues, 0);
    assert_int_equal(asker.link->calls.count, 0);
}

TEST(a_worker_makes_so_many_requests_at_once)
{
    for (unsigned i = 0; i < LINK_CALLS; i++)
        SAY(&asker, fetch, IPC_WORKER_EXCHANGE | i, 0, .service = SLICE("B"),
            .head = SLICE("GET http://b.example/\n"));
    assert_int_equal(asker.link->calls.count, LINK_CALLS);
    lab_expect_reports(&lab, "");
    SAY(&asker, cancel, IPC_WORKER_EXCHANGE | 7, 0, 0);
    SAY(&asker, fetch, IPC_WORKER_EXCHANGE | 7, 0, .service = SLICE("B"),
        .head = SLICE("GET http://b.example/\n"));
    lab_expect_reports(&lab, "");
    SAY(&asker, fetch, IPC_WORKER_EXCHANGE | LINK_CALLS, 0, .service = SLICE("B"),
        .head = SLICE("GET http://b.example/\n"));
    lab_expect_reports(&lab, "BAD FETCH: too many requests at once\n");
}

TEST(a_request_whose_body_breaks_off_is_cancelled)
{
    call(IPC_BODY_STREAM);
    SAY(&asker, body_abort, CALL, 0, .error = ERR_INTERNAL);
    fake_expect(&lab, &answerer, "CANCEL\n");
    fake_expect(&lab, &asker, "");
    assert_int_equal(asker.link->calls.count, 0);
}

TEST(a_service_that_is_not_there_fails)
{
    SAY(&asker, fetch, CALL, 0, .service = SLICE("GONE"), .head = SLICE("GET http://x/\n"));
    SAY(&asker, fetch, CALL, 0, .service = SLICE("?"), .head = SLICE("GET http://x/\n"));
    fake_expect(&lab, &asker,
                "FAIL no such service is configured\nFAIL no such service is configured\n");
    SAY(&asker, fetch, CALL, 0, .service = SLICE("B"), .head = SLICE("nonsense"));
    fake_expect(&lab, &asker,
                "RESPONSE 400\nBODY the request has a header that cannot be sent\nBODY  end\n");
}

TEST(a_body_over_its_window_is_a_violation)
{
    static const char piece[IPC_BODY_WINDOW + 1];

    call(IPC_BODY_STREAM);
    SAY(&asker, body, CALL, 0, .bytes = slice_make(piece, sizeof(piece)));
    lab_expect_reports(&lab, "BAD BODY: more than the window of a body\n");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_service_binding_reaches_another_application),
        T(the_requests_body_passes_under_credit),
        T(the_responses_credit_passes_back),
        T(a_fetch_that_is_given_up_cancels_the_other_request),
        T(an_asker_that_dies_takes_its_fetches_with_it),
        T(an_answerer_that_dies_is_a_503),
        T(an_answer_that_is_cut_is_told),
        T(an_item_over_the_window_comes_as_it_is_taken),
        T(a_fetch_is_given_up_while_its_end_waits),
        T(an_item_that_fills_the_queue_comes_whole_and_one_byte_more_cuts_the_answer),
        T(a_worker_makes_so_many_requests_at_once),
        T(a_request_whose_body_breaks_off_is_cancelled),
        T(a_service_that_is_not_there_fails),
        T(a_body_over_its_window_is_a_violation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
