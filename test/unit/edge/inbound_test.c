#include "edge/inbound.h"

#include "lab.h"

static struct lab lab;
static struct fake one, two;
static struct peer client, other;

static int setup(void **state)
{
    lab_open(&lab);
    return 0;
}

static int teardown(void **state)
{
    lab_close(&lab);
    return 0;
}

static void broken(const char *text)
{
    struct order *o = lab_order(&lab, (struct order){.kind = ORDER_BROKEN});

    o->text = (struct span){(uint8_t *)slice_dup(slice_str(text)), strlen(text)};
    edge_obey(lab.edge, o);
    loop_advance(lab.loop, 0);
}

TEST(a_response_with_a_length_is_passed_on)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/x?y=1");
    fake_expect(&lab, &one, "REQUEST GET http://h/x?y=1\n");
    SAY(&one, response, lab.id, 0, .status = 201, .body = IPC_BODY_LENGTH, .length = 2,
        .head = SLICE("X-A: b\n"));
    SAY(&one, body, lab.id, IPC_END, .bytes = SLICE("ok"));
    fake_ack(&one, lab.seq, 1);
    assert_true(client_heard(&client, "HTTP/1.1 201 Created\r\n"));
    assert_true(client_heard(&client, "X-A: b\r\n"));
    assert_true(client_heard(&client, "Content-Length: 2\r\n\r\nok"));
    assert_int_equal(lab.edge->inbounds.used, 0);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_request_that_comes_before_the_worker_waits_for_it)
{
    client_get(&lab, &client, "/");
    lab_expect_reports(&lab, "WAKE\n");
    client_get(&lab, &other, "/2");
    lab_expect_reports(&lab, "");
    fake_serve(&lab, &one);
    fake_expect(&lab, &one, "REQUEST GET http://h/\nREQUEST GET http://h/2\n");
    client_cut(&client);
    client_cut(&other);
    fake_expect(&lab, &one, "CANCEL\nCANCEL\n");
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_client_that_leaves_before_the_worker_is_there_is_forgotten)
{
    client_get(&lab, &client, "/");
    client_cut(&client);
    assert_int_equal(lab.app->events.n, 0);
    peer_close(&client);
    fake_serve(&lab, &one);
    fake_expect(&lab, &one, "");
    fake_die(&lab, &one, 0, 0, 0);
}

static void say_bytes(struct peer *c, size_t n)
{
    static const char x[1024];

    for (; n >= sizeof(x); n -= sizeof(x))
        (void)stream_write(c->stream, slice_make(x, sizeof(x)));
    peer_say(c, slice_make(x, n));
}

/* Bytes of BODY frames that came since the last time. */
static size_t body_bytes(struct fake *w)
{
    struct slice in = peer_heard(&w->pipe);
    struct ipc_frame f;
    size_t n = 0;

    while (ipc_next(&in, IPC_FROM_GATEWAY, &f, NULL) > 0)
        n += f.type == IPC_BODY ? f.payload.n : 0;
    peer_forget(&w->pipe);
    return n;
}

TEST(a_request_body_flows_as_the_worker_takes_it)
{
    const size_t all = 1 << 20;

    fake_serve(&lab, &one);
    client_open(&lab, &client);
    peer_say(&client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n"));
    fake_expect(&lab, &one, "REQUEST POST http://h/\n");
    say_bytes(&client, all);
    assert_int_equal(body_bytes(&one), IPC_BODY_WINDOW);
    SAY(&one, credit, lab.id, 0, .bytes = 1000);
    assert_int_equal(body_bytes(&one), 1000);
    SAY(&one, credit, lab.id, 0, .bytes = IPC_BODY_WINDOW);
    assert_int_equal(body_bytes(&one), IPC_BODY_WINDOW);
    lab_expect_reports(&lab, "");
    SAY(&one, credit, lab.id, 0, .bytes = IPC_BODY_WINDOW + 1);
    lab_expect_reports(&lab, "BAD CREDIT: credit for bytes that were not sent\n");
    peer_close(&client);
    fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
}

TEST(a_response_body_waits_for_its_client)
{
    static const char piece[64 << 10];

    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    SAY(&one, response, lab.id, 0, .status = 200, .body = IPC_BODY_STREAM);
    for (int i = 0; i < 4; i++)
        SAY(&one, body, lab.id, 0, .bytes = slice_make(piece, sizeof(piece)));
    fake_expect(&lab, &one, "");
    stream_loopback_limits(client.stream, 0, 0);
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    assert_true(body_bytes(&one) == 0);
    assert_int_equal(inbound_find(lab.edge, lab.id)->window, IPC_BODY_WINDOW);
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    for (int i = 0; i < 4; i++)
        SAY(&one, body, lab.id, 0, .bytes = slice_make(piece, sizeof(piece)));
    lab_expect_reports(&lab, "");
    SAY(&one, body, lab.id, 0, .bytes = slice_make(piece, sizeof(piece)));
    lab_expect_reports(&lab, "BAD BODY: more than the window of a body\n");
    peer_close(&client);
    fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
}

TEST(a_request_that_was_begun_when_the_worker_died_gets_503)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    fake_die(&lab, &one, ERR_WORKER_CPU, lab.seq, lab.seq);
    assert_true(client_heard(&client, "HTTP/1.1 503 "));
    assert_true(
        client_heard(&client, "the worker passed its CPU limit while it handled this request"));
    assert_int_equal(lab.app->events.n, 0);
    peer_close(&client);
}

TEST(a_response_that_was_begun_is_cut)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, response, lab.id, 0, .status = 200, .body = IPC_BODY_STREAM);
    SAY(&one, body, lab.id, 0, .bytes = SLICE("half"));
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, lab.seq);
    assert_true(client_heard(&client, "half"));
    assert_false(client_heard(&client, "0\r\n\r\n"));
    assert_true(client.has_ended || client.lost);
    peer_close(&client);
}

TEST(a_request_that_was_not_begun_goes_to_the_next_worker)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/a");
    client_get(&lab, &other, "/b");
    fake_expect(&lab, &one, "REQUEST GET http://h/a\nREQUEST GET http://h/b\n");
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, lab.seq - 1);
    assert_true(client_heard(&client, "HTTP/1.1 503 "));
    fake_serve(&lab, &two);
    fake_expect(&lab, &two, "REQUEST GET http://h/b\n");
    SAY(&two, response, lab.id, 0, .status = 200);
    assert_true(client_heard(&other, "HTTP/1.1 200 "));
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &two, 0, 0, 0);
}

TEST(a_body_that_was_given_away_cannot_be_given_again)
{
    fake_serve(&lab, &one);
    client_open(&lab, &client);
    peer_say(&client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi"));
    fake_expect(&lab, &one, "REQUEST POST http://h/\nBODY hi end\n");
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, 0);
    assert_true(client_heard(&client, "HTTP/1.1 503 "));
    peer_close(&client);
}

TEST(broken_code_answers_with_its_error_until_it_is_mended)
{
    client_get(&lab, &client, "/");
    broken("app.js:3: unexpected token");
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_true(client_heard(&client, "app.js:3: unexpected token"));
    client_get(&lab, &other, "/");
    assert_true(client_heard(&other, "app.js:3: unexpected token"));
    assert_int_equal(lab.app->events.n, 0);
    peer_close(&other);
    broken("");
    fake_serve(&lab, &one);
    client_get(&lab, &other, "/again");
    fake_expect(&lab, &one, "REQUEST GET http://h/again\n");
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_header_that_cannot_be_sent_is_the_applications_mistake)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, response, lab.id, 0, .status = 200, .head = SLICE("Bad\x01Name: x\n"));
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_true(lab_logged(&lab, "response.refused"));
    lab_expect_reports(&lab, "");
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

/* What a worker may not say of a request that it was given, and how that is told. */
static void break_rule(int i)
{
    const uint64_t id = lab.id;

    if (i > 0)
        SAY(&one, response, id, 0, .status = 200, .body = IPC_BODY_LENGTH, .length = 5);
    switch (i) {
    case 0:
        SAY(&one, response, id, 0, .status = 200, .body = IPC_BODY_STREAM + 1);
        break;
    case 1:
        SAY(&one, response, id, 0, .status = 200);
        break;
    case 2:
        SAY(&one, fail, id, 0, .error = ERR_DENIED, .status = 399);
        break;
    case 3:
        SAY(&one, handoff, id, 0, .kind = IPC_HANDOFF_FANOUT, .backend = SLICE("x"));
        break;
    case 4:
        SAY(&one, response, id, 0, .status = 101, .hold = 1);
        break;
    }
}

TEST(what_a_worker_may_not_say_of_a_request)
{
    static const char *const reports[] = {
        "BAD RESPONSE: unknown kind of body, or a hold without 101\n",
        "BAD RESPONSE: a second response\n",
        "BAD FAIL: not a status of an error\n",
        "BAD HANDOFF: behind a response, or of an unknown kind\n",
        "BAD RESPONSE: a second response\n",
    };

    for (int i = 0; i < (int)COUNT_OF(reports); i++) {
        fake_serve(&lab, &one);
        client_get(&lab, &client, "/");
        fake_expect(&lab, &one, "REQUEST GET http://h/\n");
        break_rule(i);
        lab_expect_reports(&lab, reports[i]);
        fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
        peer_close(&client);
        loop_advance(lab.loop, 5000);
        buf_clear(&lab.reports);
    }
}

TEST(a_body_beyond_its_length_is_the_applications_mistake)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    SAY(&one, response, lab.id, 0, .status = 200, .body = IPC_BODY_LENGTH, .length = 5);
    SAY(&one, body, lab.id, 0, .bytes = SLICE("12345"));
    SAY(&one, body, lab.id, 0, .bytes = SLICE("6"));
    assert_true(lab_logged(&lab, "response.refused"));
    assert_true(slice_ends(peer_heard(&client), SLICE("\r\n\r\n12345")));
    assert_int_equal(lab.edge->inbounds.used, 0);
    lab_expect_reports(&lab, "");
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_handshake_that_cannot_be_answered_is_told_to_its_socket)
{
    fake_serve(&lab, &one);
    client_upgrade(&lab, &client, "/ws");
    fake_expect(&lab, &one, "REQUEST GET http://h/ws\n");
    SAY(&one, response, lab.id, 0, .status = 101, .hold = lab.hold,
        .head = SLICE("Bad\x01Name: x\n"));
    SAY(&one, ws_accept, lab.hold, 0, 0);
    fake_expect(&lab, &one, "WS_CLOSED 1006 lost the WebSocket handshake could not be answered\n");
    assert_true(client_heard(&client, "HTTP/1.1 500 "));
    assert_true(lab_logged(&lab, "response.refused"));
    lab_expect_reports(&lab, "");
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(an_upgrade_may_be_answered_like_any_request)
{
    fake_serve(&lab, &one);
    client_upgrade(&lab, &client, "/ws");
    fake_expect(&lab, &one, "REQUEST GET http://h/ws\n");
    assert_int_equal(lab.edge->holds.used, 1);
    SAY(&one, fail, lab.id, 0, .error = ERR_DENIED, .status = 403, .text = SLICE("no"));
    assert_true(client_heard(&client, "HTTP/1.1 403 "));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(an_upgrade_whose_client_has_gone_is_told_to_who_accepts_it)
{
    fake_serve(&lab, &one);
    client_upgrade(&lab, &client, "/ws");
    fake_expect(&lab, &one, "REQUEST GET http://h/ws\n");
    client_cut(&client);
    fake_expect(&lab, &one, "CANCEL\n");
    peer_close(&client);
    SAY(&one, response, lab.id, 0, .status = 101, .hold = lab.hold);
    SAY(&one, ws_accept, lab.hold, IPC_HIBERNATE, .actor = SLICE("Room/1"));
    fake_expect(&lab, &one, "WS_CLOSED 1006 lost the client has gone\n");
    fake_ack(&one, lab.seq, 1);
    lab_expect_reports(&lab, "");
    assert_int_equal(lab.edge->holds.used, 0);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_response_that_ends_before_the_requests_body_says_so_to_the_worker)
{
    fake_serve(&lab, &one);
    client_open(&lab, &client);
    peer_say(&client, SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\nhi"));
    fake_expect(&lab, &one, "REQUEST POST http://h/\nBODY hi\n");
    SAY(&one, response, lab.id, 0, .status = 200);
    fake_expect(&lab, &one, "BODY_ABORT\n");
    assert_true(client_heard(&client, "HTTP/1.1 200 "));
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_response_with_a_length_is_passed_on),
        T(a_request_that_comes_before_the_worker_waits_for_it),
        T(a_client_that_leaves_before_the_worker_is_there_is_forgotten),
        T(a_request_body_flows_as_the_worker_takes_it),
        T(a_response_body_waits_for_its_client),
        T(a_request_that_was_begun_when_the_worker_died_gets_503),
        T(a_response_that_was_begun_is_cut),
        T(a_request_that_was_not_begun_goes_to_the_next_worker),
        T(a_body_that_was_given_away_cannot_be_given_again),
        T(broken_code_answers_with_its_error_until_it_is_mended),
        T(a_header_that_cannot_be_sent_is_the_applications_mistake),
        T(what_a_worker_may_not_say_of_a_request),
        T(a_body_beyond_its_length_is_the_applications_mistake),
        T(a_handshake_that_cannot_be_answered_is_told_to_its_socket),
        T(an_upgrade_may_be_answered_like_any_request),
        T(an_upgrade_whose_client_has_gone_is_told_to_who_accepts_it),
        T(a_response_that_ends_before_the_requests_body_says_so_to_the_worker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
