#include "conn/exchange.h"

#include <stdio.h>

#include "conn/http1_server.h"
#include "conn/websocket.h"
#include "lib/peer.h"
#include "lib/test.h"

/*
 * A server with an owner above it that writes down what it is told, and answers as the test says:
 * at once from answer(), or later through `now`.
 */
static struct loop *loop;
static struct http1_options options;
static struct http1_server *server;
static struct peer peer;
static struct exchange *now; /* the exchange under way */
static struct buf told;      /* one line a fact */
static void (*answer)(struct exchange *x);
static size_t pull_at_once; /* credit given in request() */
static size_t pull_on_body; /* given again for each piece */
static size_t taken;

static void on_body(void *arg, struct slice bytes, bool end)
{
    assert_int_equal(buf_addf(&told, "body "), 0);
    assert_int_equal(buf_add(&told, bytes), 0);
    assert_int_equal(buf_addf(&told, end ? " end\n" : "\n"), 0);
    if (pull_on_body && now && !end)
        exchange_pull(now, pull_on_body);
}

static void on_taken(void *arg, size_t n)
{
    taken += n;
}

static void on_closed(void *arg, int err)
{
    now = NULL;
    assert_int_equal(buf_addf(&told, "closed %s\n", err_label(err)), 0);
}

static const struct exchange_ops ops = {on_body, on_taken, on_closed};

static void on_request(void *arg, struct exchange *x)
{
    const struct exchange_request *r = exchange_request(x);

    assert_int_equal(buf_addf(&told, "%.*s %.*s\n", SLICE_FMT(r->method), SLICE_FMT(r->target)), 0);
    exchange_attach(x, &ops, NULL);
    now = x;
    if (pull_at_once)
        exchange_pull(x, pull_at_once);
    if (answer)
        answer(x);
}

static const struct http1_server_ops server_ops = {on_request};

static void dial(void)
{
    struct stream *s;

    peer_open(&peer, loop, &s);
    http1_server_take(server, s);
}

static int begin(void **state)
{
    loop = loop_new_simulated();
    options = (struct http1_options){0};
    server = http1_server_open(loop, &options, &server_ops, NULL);
    buf_init(&told, 64 << 20);
    now = NULL;
    answer = NULL;
    pull_at_once = pull_on_body = taken = 0;
    dial();
    return 0;
}

static void restart(void)
{
    http1_server_close(server);
    peer_close(&peer);
    server = http1_server_open(loop, &options, &server_ops, NULL);
    now = NULL;
    buf_clear(&told);
    dial();
}

static int end(void **state)
{
    http1_server_close(server);
    peer_close(&peer);
    loop_free(loop);
    buf_done(&told);
    return 0;
}

static void expect_told(const char *lines)
{
    loop_advance(loop, 0);
    assert_int_equal(buf_add_byte(&told, '\0'), 0);
    assert_string_equal((const char *)told.p, lines);
    buf_clear(&told);
}

#define DATE "Date: Tue, 14 Nov 2023 22:13:20 GMT\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static int respond(uint16_t status, const char *fields, enum exchange_body body, uint64_t length)
{
    const struct exchange_response r = {
        .status = status, .fields = slice_str(fields), .body = body, .length = length};

    return exchange_respond(now, &r);
}

static void answer_hello(struct exchange *x)
{
    now = NULL;
    exchange_answer(x, 200, SLICE("text/plain"), SLICE("hello"));
}

#define HELLO                                                                                      \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE "Content-Length: 5\r\n\r\nhello"
#define HELLO_CLOSE                                                                                \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE                                         \
    "Content-Length: 5\r\nConnection: close\r\n\r\nhello"

/* --- requests --- */

TEST(a_request_is_told_with_its_fields)
{
    const struct exchange_request *r;

    peer_say(&peer, SLICE("GET http://example.com:81/a?b HTTP/1.1\r\nHost: example.com:81\r\n"
                          "X-One: 1\r\nx-two:  two \r\nX-Empty:\r\n\r\n"));
    r = exchange_request(now);
    assert_true(slice_eq(r->method, SLICE("GET")));
    assert_true(slice_eq(r->target, SLICE("http://example.com:81/a?b")));
    assert_true(slice_eq(r->path, SLICE("/a?b")));
    assert_true(slice_eq(r->host, SLICE("example.com:81")));
    assert_int_equal(r->n_fields, 4);
    assert_true(slice_eq(r->fields[2].name, SLICE("x-two")));
    assert_true(slice_eq(r->fields[2].value, SLICE("two")));
    assert_int_equal(r->fields[3].value.n, 0);
    assert_true(slice_eq(*exchange_find(now, SLICE("X-ONE")), SLICE("1")));
    assert_null(exchange_find(now, SLICE("X-Three")));
    assert_int_equal(r->body, EXCHANGE_BODY_NONE);
    assert_false(r->upgrade);
}

TEST(an_absolute_target_without_a_path_has_one)
{
    peer_say(&peer, SLICE("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_true(slice_eq(exchange_request(now)->path, SLICE("/")));
}

TEST(a_conversation_is_the_same_at_every_split)
{
    const struct slice wire =
        SLICE("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
              "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nxyz\r\n0\r\n\r\n" GET);

    for (size_t cut = 0; cut <= wire.n; cut++) {
        pull_at_once = 1000;
        answer = answer_hello;
        restart();
        peer_say(&peer, slice_sub(wire, 0, cut));
        peer_say(&peer, slice_sub(wire, cut, wire.n));
        expect_told("POST /a\nPOST /b\nGET /\n");
        peer_expect(&peer, SLICE(HELLO HELLO HELLO));
    }
}

TEST(a_conversation_is_the_same_byte_by_byte)
{
    pull_at_once = 1000;
    answer = answer_hello;
    peer_say_slowly(&peer, SLICE("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"
                                 "\r\n" GET));
    expect_told("POST /a\nGET /\n");
    peer_expect(&peer, SLICE(HELLO HELLO));
}

TEST(pipelined_requests_are_taken_one_after_the_other)
{
    peer_say(&peer, SLICE("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                          "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                          "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"));
    expect_told("GET /1\n");
    answer_hello(now);
    expect_told("GET /2\n");
    answer_hello(now);
    expect_told("GET /3\n");
    assert_int_equal(http1_server_stats(server)->requests, 3);
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO HELLO HELLO));
}

TEST(a_pipeline_waits_in_the_kernel_while_a_response_is_made)
{
    for (int i = 0; i < 20000; i++)
        (void)stream_write(peer.stream, SLICE(GET));
    stream_loopback_limits(peer.stream, 0, 0);
    peer_say(&peer, SLICE_NONE);
    expect_told("GET /\n");
    answer = answer_hello;
    answer_hello(now);
    loop_advance(loop, 0);
    assert_int_equal(http1_server_stats(server)->requests, 20000);
}

TEST(who_pipelines_and_does_not_read_is_not_served_without_bound)
{
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 1000);
    answer = answer_hello;
    for (int i = 0; i < 20000; i++)
        (void)stream_write(peer.stream, SLICE(GET));
    peer_say(&peer, SLICE_NONE);
    assert_in_range(http1_server_stats(server)->requests, 100, 2000);
    stream_loopback_limits(peer.stream, 0, 0);
    stream_resume(peer.stream);
    loop_advance(loop, 0);
    assert_int_equal(http1_server_stats(server)->requests, 20000);
}

/* --- request bodies --- */

TEST(a_body_that_came_at_once_is_told_at_once_with_its_end)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    expect_told("POST /\nbody abc end\n");
    assert_int_equal(exchange_request(now)->length, 3);
    assert_int_equal(exchange_request(now)->body, EXCHANGE_BODY_LENGTH);
}

TEST(a_chunked_body_ends_with_its_last_piece)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: x\r\n\r\n"));
    expect_told("POST /\nbody abc\nbody de end\n");
    assert_int_equal(exchange_request(now)->body, EXCHANGE_BODY_STREAM);
}

TEST(an_empty_chunked_body_is_an_end)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "0\r\n\r\n"));
    expect_told("POST /\nbody  end\n");
}

TEST(no_more_of_a_body_comes_than_was_pulled)
{
    pull_at_once = 2;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabcdefg" GET));
    expect_told("POST /\nbody ab\n");
    exchange_pull(now, 1);
    exchange_pull(now, 1);
    expect_told("body cd\n");
    exchange_pull(now, 3);
    expect_told("body efg end\n");
    answer_hello(now);
    expect_told("GET /\n");
}

TEST(no_more_of_a_chunked_body_comes_than_was_pulled)
{
    const struct slice wire = SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                    "\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");

    pull_at_once = 1;
    pull_on_body = 1;
    peer_say(&peer, wire);
    loop_advance(loop, 0);
    expect_told("POST /\nbody a\nbody b\nbody c\nbody d\nbody e\nbody f\nbody g\nbody  end\n");
}

TEST(a_body_that_is_not_pulled_stays_with_the_client)
{
    struct blob *big = blob_new(1 << 20);

    memset(big->p, 'x', big->n);
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"));
    stream_loopback_limits(exchange_stream(now), 0, 100000);
    (void)stream_push(peer.stream, big);
    loop_advance(loop, 0);
    assert_true(stream_pending(peer.stream) > 700000);
    expect_told("POST /\n");
    exchange_pull(now, 1 << 20);
    loop_advance(loop, 0);
    assert_int_equal(stream_pending(peer.stream), 0);
    assert_true(slice_ends(buf_slice(&told), SLICE(" end\n")));
}

TEST(a_body_that_was_given_back_is_heard_again_from_its_beginning)
{
    pull_at_once = 4;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabcdef"));
    expect_told("POST /\nbody abcd\n");
    exchange_pull(now, 1);
    exchange_unread(now, SLICE("abcd"), false);
    exchange_attach(now, &ops, NULL);
    expect_told("");
    exchange_pull(now, 3);
    expect_told("body abc\n");
    exchange_pull(now, 2);
    expect_told("body d\nbody e\n");
    exchange_pull(now, 100);
    peer_say(&peer, SLICE("gh"));
    expect_told("body f\nbody gh end\n");
    answer_hello(now);
    peer_say(&peer, SLICE(GET));
    expect_told("GET /\n");
}

TEST(a_whole_body_that_was_given_back_ends_again)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    expect_told("POST /\nbody abc end\n");
    exchange_unread(now, SLICE("abc"), true);
    exchange_pull(now, 2);
    expect_told("body ab\n");
    exchange_pull(now, 2);
    expect_told("body c end\n");
    answer_hello(now);
    peer_say(&peer,
             SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    expect_told("POST /\nbody  end\n");
    exchange_unread(now, SLICE_NONE, true);
    exchange_pull(now, 1);
    expect_told("body  end\n");
}

TEST(a_body_that_was_given_back_goes_with_its_client)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabc"));
    expect_told("POST /\nbody abc\n");
    exchange_unread(now, SLICE("abc"), false);
    exchange_pull(now, 2);
    exchange_abort(now);
    expect_told("");
}

TEST(a_small_body_that_nobody_wanted_is_dropped_and_the_connection_goes_on)
{
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabcd"));
    answer_hello(now);
    peer_say(&peer, SLICE("efg" GET));
    expect_told("POST /\nGET /\n");
    peer_expect(&peer, SLICE(HELLO));
}

TEST(a_big_body_that_nobody_wanted_ends_the_connection)
{
    struct blob *big = blob_new(1 << 20);

    memset(big->p, 'x', big->n);
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"));
    answer_hello(now);
    (void)stream_push(peer.stream, big);
    peer_expect(&peer, SLICE(HELLO));
    assert_true(peer.has_ended);
    assert_int_equal(peer.lost, 0);
}

TEST(expect_is_answered_when_the_body_is_pulled)
{
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n"));
    peer_expect(&peer, SLICE_NONE);
    exchange_pull(now, 10);
    exchange_pull(now, 10);
    peer_expect(&peer, SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    peer_say(&peer, SLICE("abc"));
    expect_told("POST /\nbody abc end\n");
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO));
}

TEST(expect_is_not_answered_when_the_body_is_there)
{
    pull_at_once = 10;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\nabc"));
    expect_told("POST /\nbody abc end\n");
    peer_expect(&peer, SLICE_NONE);
}

TEST(a_final_answer_to_expect_closes_the_connection)
{
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                          "Expect: 100-continue\r\n\r\n"));
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO_CLOSE));
    assert_true(peer.has_ended);
}

TEST(a_broken_chunk_is_answered_and_told)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3\r\nabcX"));
    expect_told("POST /\nbody abc\nclosed http_chunk\n");
    assert_true(slice_starts(peer_heard(&peer), SLICE("HTTP/1.1 400 Bad Request\r\n")));
    assert_true(slice_ends(peer_heard(&peer), SLICE("\r\n\r\nmalformed chunk\n")));
    assert_true(peer.has_ended);
}

TEST(a_body_over_its_limit_is_413)
{
    options.body_bytes = 10;
    pull_at_once = 100;
    restart();
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"));
    expect_told("");
    assert_true(slice_starts(peer_heard(&peer), SLICE("HTTP/1.1 413 ")));
    restart();
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "a\r\n0123456789\r\n1\r\nx\r\n"));
    expect_told("POST /\nbody 0123456789\nclosed http_body_large\n");
    assert_true(slice_starts(peer_heard(&peer), SLICE("HTTP/1.1 413 ")));
}

TEST(a_broken_body_under_a_response_that_has_begun_cuts_the_connection)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    peer_say(&peer, SLICE("X"));
    expect_told("POST /\nclosed http_chunk\n");
    assert_true(peer.has_ended);
}

/* --- responses --- */

TEST(a_known_length_is_announced)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "x: y\n", EXCHANGE_BODY_LENGTH, 6), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    assert_int_equal(exchange_push(now, blob_copy(SLICE("def"))), 0);
    assert_int_equal(exchange_send(now, SLICE("!")), -ERR_HTTP_FRAMING);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\nx: y\r\n" DATE "Content-Length: 6\r\n\r\nabcdef"));
    assert_false(peer.has_ended);
}

TEST(an_unknown_length_is_chunked)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    assert_int_equal(exchange_send(now, SLICE_NONE), 0);
    assert_int_equal(exchange_push(now, blob_copy(SLICE("0123456789abcdefX"))), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n11\r\n0123456789abcdefX\r\n0\r\n\r\n"));
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
                             "0\r\n\r\n"));
}

TEST(an_unknown_length_ends_with_the_connection_for_http_1_0)
{
    peer_say(&peer, SLICE("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nabc"));
    assert_true(peer.has_ended);
}

TEST(keep_alive_of_http_1_0_is_confirmed)
{
    answer = answer_hello;
    peer_say(&peer, SLICE("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE
                             "Content-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"));
    peer_say(&peer, SLICE("GET / HTTP/1.0\r\n\r\n"));
    peer_expect(&peer, SLICE(HELLO_CLOSE));
    assert_true(peer.has_ended);
}

TEST(connection_close_is_honoured)
{
    answer = answer_hello;
    peer_say(&peer, SLICE("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET));
    expect_told("GET /\n");
    peer_expect(&peer, SLICE(HELLO_CLOSE));
    assert_true(peer.has_ended);
}

TEST(a_response_to_head_has_no_body)
{
    answer = answer_hello;
    peer_say(&peer, SLICE("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" DATE
                             "Content-Length: 5\r\n\r\n"));
    answer = NULL;
    peer_say(&peer, SLICE("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_send(now, SLICE("swallowed")), 0);
    loop_advance(loop, 0);
    assert_int_equal(taken, 9);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "\r\n"));
    assert_false(peer.has_ended);
}

TEST(statuses_without_a_body_have_none)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(204, "", EXCHANGE_BODY_LENGTH, 3), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 204 No Content\r\n" DATE "\r\n"));
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(304, "etag: x\n", EXCHANGE_BODY_NONE, 0), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 304 Not Modified\r\netag: x\r\n" DATE "\r\n"));
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(404, "", EXCHANGE_BODY_NONE, 0), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 0\r\n\r\n"));
}

TEST(the_framing_is_ours_whatever_the_layer_above_says)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200,
                             "Connection: x\nkeep-alive: 5\nTransfer-Encoding: gzip\n"
                             "content-length: 99\nUpgrade: h2c\nDate: today\nX: y\n",
                             EXCHANGE_BODY_NONE, 0),
                     0);
    exchange_end(now);
    peer_expect(&peer,
                SLICE("HTTP/1.1 200 OK\r\nDate: today\r\nX: y\r\nContent-Length: 0\r\n\r\n"));
}

TEST(a_head_that_cannot_be_sent_is_refused_whole)
{
    const struct exchange_response split = {.status = 200, .reason = SLICE("O\r\nK")};

    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "a: b\rc\n", EXCHANGE_BODY_NONE, 0), -ERR_HTTP_VALUE);
    assert_int_equal(respond(200, "a b: c\n", EXCHANGE_BODY_NONE, 0), -ERR_HTTP_NAME);
    assert_int_equal(respond(200, ": c\n", EXCHANGE_BODY_NONE, 0), -ERR_HTTP_NAME);
    assert_int_equal(respond(101, "", EXCHANGE_BODY_NONE, 0), -ERR_SYNTAX);
    assert_int_equal(respond(600, "", EXCHANGE_BODY_NONE, 0), -ERR_SYNTAX);
    assert_int_equal(exchange_respond(now, &split), -ERR_HTTP_VALUE);
    peer_expect(&peer, SLICE_NONE);
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO));
}

TEST(what_was_taken_is_told_as_it_leaves_and_all_of_it)
{
    struct blob *part = blob_new(50000);

    memset(part->p, 'x', part->n);
    peer_say(&peer, SLICE(GET));
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 60000);
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(exchange_push(now, blob_ref(part)), 0);
    loop_advance(loop, 0);
    assert_in_range(taken, 50000, 60000);
    assert_true(exchange_pending(now) > 100000);
    stream_resume(peer.stream);
    loop_advance(loop, 0);
    assert_int_equal(taken, 200000);
    assert_int_equal(exchange_pending(now), 0);
    blob_unref(part);
}

TEST(the_queue_toward_a_client_is_bounded)
{
    int r = 0, n = 0;

    options.out_bytes = 1000;
    restart();
    stream_pause(peer.stream);
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    for (; r == 0; n++)
        r = exchange_send(now, slice_make(GET, 20));
    assert_int_equal(r, -ERR_SLOW_CONSUMER);
    assert_in_range(n, 20, 50);
}

/* Some clients hand up a chunk when they have seen its end. */
TEST(a_chunk_has_its_end_before_there_is_another)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"));
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    peer_expect(&peer, SLICE("3\r\nabc\r\n"));
    assert_int_equal(exchange_push(now, blob_copy(SLICE("de"))), 0);
    peer_expect(&peer, SLICE("2\r\nde\r\n"));
    loop_advance(loop, 0);
    assert_int_equal(taken, 5);
    exchange_end(now);
    peer_expect(&peer, SLICE("0\r\n\r\n"));
}

TEST(bytes_for_many_are_framed_once)
{
    struct blob *bytes = blob_copy(SLICE("hello"));
    struct blob *chunked = NULL;

    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_share(now, bytes, &chunked), 0);
    assert_int_equal(exchange_share(now, bytes, &chunked), 0);
    assert_int_equal(exchange_share(now, bytes, &chunked), 0);
    assert_int_equal(chunked->refs, 4);
    loop_advance(loop, 0);
    assert_int_equal(taken, 15);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
                             "5\r\nhello\r\n5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"));
    loop_advance(loop, 0);
    assert_int_equal(chunked->refs, 1);
    blob_unref(chunked);
    chunked = NULL;
    peer_say(&peer, SLICE("GET / HTTP/1.0\r\n\r\n"));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_share(now, bytes, &chunked), 0);
    assert_int_equal(exchange_share(now, bytes, &chunked), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\n\r\nhellohello"));
    assert_null(chunked);
    blob_unref(bytes);
}

TEST(a_parked_exchange_has_forgotten_its_request_and_nothing_else)
{
    peer_say(&peer, SLICE("HEAD /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    exchange_park(now);
    exchange_park(now);
    assert_int_equal(respond(200, "", EXCHANGE_BODY_LENGTH, 7), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE
                             "Content-Length: 7\r\nConnection: keep-alive\r\n\r\n"));
    peer_say(&peer, SLICE(GET));
    exchange_park(now);
    stream_loopback_break(peer.stream);
    loop_advance(loop, 0);
    assert_null(now);
}

TEST(a_response_cut_short_shows)
{
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    exchange_abort(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n"));
    assert_true(peer.has_ended);
    restart();
    peer_say(&peer, SLICE(GET));
    assert_int_equal(respond(200, "", EXCHANGE_BODY_LENGTH, 5), 0);
    assert_int_equal(exchange_send(now, SLICE("abc")), 0);
    exchange_end(now);
    peer_expect(&peer, SLICE("HTTP/1.1 200 OK\r\n" DATE "Content-Length: 5\r\n\r\nabc"));
    assert_true(peer.has_ended);
}

TEST(an_error_is_answered_with_its_row)
{
    peer_say(&peer, SLICE(GET));
    exchange_fail(now, -ERR_OVERLOADED, SLICE_NONE);
    peer_expect(&peer, SLICE("HTTP/1.1 503 Service Unavailable\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n" DATE
                             "Content-Length: 31\r\n\r\nover capacity, try again later\n"));
    peer_say(&peer, SLICE(GET));
    exchange_fail(now, -ERR_WORKER_CRASH, SLICE("it broke"));
    assert_true(slice_ends(peer_heard(&peer), SLICE("\r\n\r\nit broke\n")));
    assert_false(peer.has_ended);
}

/* --- clients that leave --- */

TEST(a_reset_is_told)
{
    peer_say(&peer, SLICE(GET));
    stream_loopback_break(peer.stream);
    expect_told("GET /\nclosed reset\n");
}

TEST(a_half_closed_client_gets_an_answer_that_comes_soon)
{
    peer_say(&peer, SLICE(GET GET));
    peer_end(&peer);
    expect_told("GET /\n");
    loop_advance(loop, 500);
    answer = answer_hello;
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO HELLO));
    assert_true(peer.has_ended);
    assert_int_equal(http1_server_stats(server)->open, 0);
}

TEST(a_half_closed_client_is_given_up_after_a_while)
{
    peer_say(&peer, SLICE(GET));
    peer_end(&peer);
    loop_advance(loop, 990);
    expect_told("GET /\n");
    loop_advance(loop, 10);
    expect_told("closed timeout\n");
    assert_true(peer.has_ended);
}

TEST(a_request_cut_in_its_body_is_told)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabc"));
    peer_end(&peer);
    expect_told("POST /\nbody abc\nclosed reset\n");
}

TEST(a_request_cut_in_its_head_is_nothing)
{
    peer_say(&peer, SLICE("GET / HTTP/1.1\r\nHo"));
    peer_end(&peer);
    expect_told("");
    assert_true(peer.has_ended);
    assert_int_equal(http1_server_stats(server)->open, 0);
}

/* --- bad requests --- */

static void expect_refusal(struct slice wire, const char *start, const char *text)
{
    restart();
    answer = answer_hello;
    peer_say(&peer, wire);
    peer_say(&peer, SLICE(GET)); /* whatever follows is not read as HTTP */
    expect_told("");
    if (!slice_starts(peer_heard(&peer), slice_str(start)) ||
        !slice_ends(peer_heard(&peer), slice_str(text)))
        print_error("%.*s\n", SLICE_FMT(peer_heard(&peer)));
    assert_true(slice_starts(peer_heard(&peer), slice_str(start)));
    assert_true(slice_ends(peer_heard(&peer), slice_str(text)));
    assert_true(slice_find_slice(peer_heard(&peer), SLICE("\r\nConnection: close\r\n")) > 0);
    assert_true(peer.has_ended);
    assert_int_equal(peer.lost, 0);
}

TEST(bad_requests_are_answered_with_their_cause_and_the_connection_ends)
{
    expect_refusal(SLICE("GET / HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n",
                   "\r\n\r\nmissing, repeated or malformed Host\n");
    expect_refusal(SLICE("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "HTTP/1.1 400 ",
                   "Host\n");
    expect_refusal(SLICE("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), "HTTP/1.1 505 ", "supported\n");
    expect_refusal(SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"),
                   "HTTP/1.1 400 ", "both Transfer-Encoding and Content-Length\n");
    expect_refusal(SLICE("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n"), "HTTP/1.1 400 ",
                   "folded header field\n");
    expect_refusal(SLICE("GET / HTTP/1.1\nHost: a\n\n"), "HTTP/1.1 400 ", "CRLF\n");
    expect_refusal(SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: x\r\n\r\n"),
                   "HTTP/1.1 417 ", "unknown expectation\n");
    expect_refusal(SLICE("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"), "HTTP/1.1 501 ",
                   "not supported\n");
    expect_refusal(SLICE("\x16\x03\x01"), "HTTP/1.1 400 ", "malformed request line\n");
}

TEST(heads_over_their_limits_are_refused)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1 << 20);
    options.line_bytes = 100;
    options.head_bytes = 200;
    options.fields = 3;
    (void)buf_addf(&b, "GET /%0100d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    expect_refusal(buf_slice(&b), "HTTP/1.1 414 ", "request line too long\n");
    buf_clear(&b);
    (void)buf_addf(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: %0200d\r\n\r\n", 0);
    expect_refusal(buf_slice(&b), "HTTP/1.1 431 ", "header fields too large\n");
    expect_refusal(SLICE("GET / HTTP/1.1\r\nHost: a\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"),
                   "HTTP/1.1 431 ", "header fields too large\n");
}

TEST(a_head_of_the_greatest_size_comes_in_pieces_too)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1 << 20);
    (void)buf_addf(&b, "GET / HTTP/1.1\r\nHost: a\r\nX: %060000d\r\n\r\n", 0);
    answer = answer_hello;
    for (size_t at = 0; at < b.n; at += 7000)
        peer_say(&peer, slice_sub(buf_slice(&b), at, 7000));
    expect_told("GET /\n");
    peer_expect(&peer, SLICE(HELLO));
}

TEST(a_linger_that_the_client_does_not_end_ends_by_itself)
{
    peer_say(&peer, SLICE("bad\r\n\r\n"));
    assert_int_equal(http1_server_stats(server)->open, 1);
    loop_advance(loop, 4000);
    assert_int_equal(http1_server_stats(server)->open, 0);
}

/* --- time --- */

TEST(an_idle_connection_is_closed_after_its_time)
{
    answer = answer_hello;
    loop_advance(loop, 50000);
    peer_say(&peer, SLICE(GET));
    loop_advance(loop, 59000);
    assert_false(peer.has_ended);
    loop_advance(loop, 3000);
    assert_true(peer.has_ended);
    peer_end(&peer);
    assert_int_equal(http1_server_stats(server)->open, 0);
}

TEST(a_head_that_takes_too_long_is_408)
{
    peer_say(&peer, SLICE("GET / HT"));
    for (int i = 0; i < 17; i++) {
        loop_advance(loop, 1000);
        if (!peer.has_ended)
            peer_say(&peer, SLICE("T"));
    }
    assert_true(slice_starts(peer_heard(&peer), SLICE("HTTP/1.1 408 Request Timeout\r\n")));
    assert_true(peer.has_ended);
}

TEST(a_body_that_stops_is_408)
{
    pull_at_once = 100;
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabc"));
    loop_advance(loop, 50000);
    peer_say(&peer, SLICE("d"));
    loop_advance(loop, 59000);
    expect_told("POST /\nbody abc\nbody d\n");
    loop_advance(loop, 2000);
    expect_told("closed timeout\n");
    assert_true(slice_starts(peer_heard(&peer), SLICE("HTTP/1.1 408 ")));
}

TEST(a_body_that_is_not_pulled_does_not_time_out)
{
    peer_say(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nabc"));
    loop_advance(loop, 1000000);
    expect_told("POST /\n");
    exchange_pull(now, 10);
    loop_advance(loop, 2000);
    expect_told("body abc\n");
}

TEST(a_client_that_does_not_read_is_cut)
{
    peer_say(&peer, SLICE(GET));
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 10);
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    loop_advance(loop, 58000);
    expect_told("GET /\n");
    loop_advance(loop, 4000);
    expect_told("closed timeout\n");
}

TEST(an_answer_may_take_its_time)
{
    peer_say(&peer, SLICE(GET));
    loop_advance(loop, 10000000);
    expect_told("GET /\n");
    assert_int_equal(respond(200, "", EXCHANGE_BODY_STREAM, 0), 0);
    loop_advance(loop, 10000000);
    assert_int_equal(exchange_send(now, SLICE("event")), 0);
    exchange_end(now);
    assert_true(slice_ends(peer_heard(&peer), SLICE("5\r\nevent\r\n0\r\n\r\n")));
}

static void respond_events(enum exchange_body body, uint32_t comment_ms)
{
    const struct exchange_response r = {
        .status = 200, .body = body, .length = 100, .comment_ms = comment_ms};

    assert_int_equal(exchange_respond(now, &r), 0);
    (void)peer_heard(&peer);
    peer_forget(&peer);
}

TEST(a_silent_event_stream_gets_a_comment_where_a_line_may_stand)
{
    peer_say(&peer, SLICE(GET));
    respond_events(EXCHANGE_BODY_STREAM, 5000);
    loop_advance(loop, 4000);
    peer_expect(&peer, SLICE_NONE);
    loop_advance(loop, 2000);
    peer_expect(&peer, SLICE("2\r\n:\n\r\n"));
    assert_int_equal(exchange_send(now, SLICE("data: a\n\n")), 0);
    peer_expect(&peer, SLICE("9\r\ndata: a\n\n\r\n"));
    loop_advance(loop, 12000);
    peer_expect(&peer, SLICE("2\r\n:\n\r\n2\r\n:\n\r\n"));
    assert_int_equal(exchange_push(now, blob_copy(SLICE("data: "))), 0);
    peer_expect(&peer, SLICE("6\r\ndata: \r\n"));
    loop_advance(loop, 100000);
    peer_expect(&peer, SLICE_NONE);
    assert_int_equal(exchange_account(now).bytes, 15);
    exchange_end(now);
}

TEST(no_other_response_gets_one)
{
    static const struct {
        enum exchange_body body;
        uint32_t comment_ms;
    } cases[] = {{EXCHANGE_BODY_STREAM, 0}, {EXCHANGE_BODY_LENGTH, 1000}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        restart();
        peer_say(&peer, SLICE(GET));
        respond_events(cases[i].body, cases[i].comment_ms);
        loop_advance(loop, 100000);
        peer_expect(&peer, SLICE_NONE);
        exchange_abort(now);
    }
    restart();
    peer_say(&peer, SLICE("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"));
    respond_events(EXCHANGE_BODY_STREAM, 1000);
    loop_advance(loop, 100000);
    peer_expect(&peer, SLICE_NONE);
    exchange_end(now);
}

TEST(a_client_that_does_not_read_gets_no_comments_and_is_cut)
{
    peer_say(&peer, SLICE(GET));
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 10);
    respond_events(EXCHANGE_BODY_STREAM, 1000);
    loop_advance(loop, 62000);
    expect_told("GET /\nclosed timeout\n");
}

/* --- the server's end --- */

TEST(draining_closes_idle_connections_and_lets_others_finish)
{
    struct peer other;
    struct stream *s;

    peer_say(&peer, SLICE(GET));
    peer_open(&other, loop, &s);
    http1_server_take(server, s);
    loop_advance(loop, 0);
    assert_int_equal(http1_server_stats(server)->idle, 1);
    http1_server_drain(server);
    loop_advance(loop, 0);
    assert_true(other.has_ended);
    assert_false(peer.has_ended);
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO_CLOSE));
    assert_true(peer.has_ended);
    peer_close(&other);
}

TEST(closing_tells_exchanges)
{
    peer_say(&peer, SLICE(GET));
    http1_server_close(server);
    server = NULL;
    expect_told("GET /\nclosed closed\n");
    assert_true(peer.has_ended);
}

TEST(connections_are_counted)
{
    const struct http1_stats *stats = http1_server_stats(server);

    assert_int_equal(stats->open, 1);
    assert_int_equal(stats->idle, 1);
    peer_say(&peer, SLICE(GET));
    assert_int_equal(stats->idle, 0);
    answer_hello(now);
    assert_int_equal(stats->idle, 1);
    peer_say(&peer, SLICE("x y z\r\n\r\n"));
    assert_int_equal(stats->refused, 1);
    assert_int_equal(stats->connections, 1);
}

/* --- websockets --- */

#define UPGRADE                                                                                    \
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"   \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: chat\r\n" DATE                    \
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"                                                \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static struct transport *transport;
static const struct websocket_options ws_options = {0};

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct payload p = {.bytes = span_slice(bytes), .binary = binary};

    assert_int_equal(transport_send(transport, &p), 0);
    payload_done(&p);
}

static void on_nothing(void *arg)
{
}

static void on_ws_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    assert_int_equal(buf_addf(&told, "ws %u\n", code), 0);
    transport_release(transport);
}

static void on_failed(void *arg, int err)
{
    transport_release(transport);
}

static const struct transport_ops ws_ops = {on_message, on_nothing, on_ws_closed, on_failed,
                                            on_nothing};

static void upgrade(struct exchange *x)
{
    assert_true(exchange_request(x)->upgrade);
    transport = exchange_upgrade(
        x, SLICE("Sec-WebSocket-Protocol: chat\nSec-WebSocket-Accept: x\n"), &ws_options);
    assert_non_null(transport);
    now = NULL;
    transport_attach(transport, &ws_ops, NULL);
    transport_start(transport);
}

TEST(an_exchange_becomes_a_websocket)
{
    peer_say(&peer, SLICE(UPGRADE));
    upgrade(now);
    peer_expect(&peer, SLICE(SWITCHING));
    assert_int_equal(http1_server_stats(server)->open, 0);
    peer_say(&peer, SLICE("\x81\x82\x01\x02\x03\x04\x69\x6b"));
    peer_expect(&peer, SLICE("\x81\x02hi"));
    loop_advance(loop, 1000000); /* no timeout of HTTP's is left */
    peer_say(&peer, SLICE("\x88\x82\x01\x02\x03\x04\x02\xea"));
    expect_told("GET /chat\nws 1000\n");
    peer_expect(&peer, SLICE("\x88\x02\x03\xe8"));
    assert_true(peer.has_ended);
}

TEST(frames_behind_the_request_are_not_lost)
{
    const struct slice wire = SLICE(UPGRADE "\x81\x82\x01\x02\x03\x04\x69\x6b");

    for (size_t cut = wire.n - 10; cut <= wire.n; cut++) {
        for (int at_once = 0; at_once < 2; at_once++) {
            restart();
            answer = at_once ? upgrade : NULL;
            peer_say(&peer, slice_sub(wire, 0, cut));
            peer_say(&peer, slice_sub(wire, cut, wire.n));
            if (!at_once)
                upgrade(now);
            peer_expect(&peer, SLICE(SWITCHING "\x81\x02hi"));
            transport_terminate(transport);
        }
    }
}

TEST(an_upgrade_may_be_answered_otherwise)
{
    peer_say(&peer, SLICE(UPGRADE));
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO));
    peer_say(&peer, SLICE(GET));
    expect_told("GET /chat\nGET /\n");
}

TEST(fields_that_cannot_be_sent_leave_the_exchange_as_it_was)
{
    peer_say(&peer, SLICE(UPGRADE));
    assert_null(exchange_upgrade(now, SLICE("a: b\rc\n"), &ws_options));
    peer_expect(&peer, SLICE_NONE);
    answer_hello(now);
    peer_expect(&peer, SLICE(HELLO));
}

/* What the extensions' field of the 101 says, for offers of the client's and a wish of the layer
 * above ("-": it has none). */
static void agrees(struct websocket_options *o, const char *offers, const char *wish,
                   const char *want)
{
    CLEANUP(buf_done) struct buf request = {.max = 4096}, fields = {.max = 4096};
    struct slice said, value;
    ptrdiff_t at;

    restart();
    o->pool = websocket_pool_new(loop);
    (void)buf_addf(&request,
                   "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "%s\r\n",
                   offers);
    if (strcmp(wish, "-") != 0)
        (void)buf_addf(&fields, "Sec-WebSocket-Extensions: %s\n", wish);
    peer_say(&peer, buf_slice(&request));
    transport = exchange_upgrade(now, buf_slice(&fields), o);
    assert_non_null(transport);
    now = NULL;
    transport_attach(transport, &ws_ops, NULL);
    loop_advance(loop, 0);
    said = peer_heard(&peer);
    at = slice_find_slice(said, SLICE("Sec-WebSocket-Extensions: "));
    if (at >= 0) {
        (void)slice_take(&said, (size_t)at + 26);
        (void)slice_split(&said, '\r', &value);
        assert_true(slice_eq(value, slice_str(want)));
    } else {
        assert_string_equal("", want);
    }
    transport_terminate(transport);
    loop_advance(loop, 0);
    websocket_pool_free(o->pool);
}

#define OFFER(text) "Sec-WebSocket-Extensions: " text "\r\n"
#define FRESH_BOTH "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

TEST(compression_is_agreed_on_in_the_handshake)
{
    struct websocket_options o = {.deflate = {.bits = 15}};

    agrees(&o, "", "-", "");
    agrees(&o, OFFER("permessage-deflate"), "-", FRESH_BOTH);
    agrees(&o, OFFER("permessage-deflate; client_max_window_bits"), "-", FRESH_BOTH);
    agrees(&o, OFFER("x-other") OFFER("permessage-deflate"), "-", FRESH_BOTH);
    agrees(&o, OFFER("x-webkit-deflate-frame, permessage-deflate; bad, permessage-deflate"), "-",
           FRESH_BOTH);
    agrees(&o, OFFER("permessage-deflate; server_max_window_bits=10"), "-",
           FRESH_BOTH "; server_max_window_bits=10");
    agrees(&o, OFFER("x-other"), "-", "");
}

TEST(who_answers_the_request_may_narrow_or_decline_compression)
{
    struct websocket_options o = {.deflate = {.bits = 15, .takeover = true}};

    agrees(&o, OFFER("permessage-deflate; client_max_window_bits"),
           "permessage-deflate; client_max_window_bits=12; server_no_context_takeover",
           "permessage-deflate; server_no_context_takeover; client_max_window_bits=12");
    agrees(&o, OFFER("permessage-deflate"), "permessage-deflate; client_max_window_bits=12",
           "permessage-deflate");
    agrees(&o, OFFER("permessage-deflate"), "permessage-deflate; server_max_window_bits=9",
           "permessage-deflate; server_max_window_bits=9");
    agrees(&o, OFFER("permessage-deflate"), "", "");
    agrees(&o, OFFER("permessage-deflate"), "x-other", "");
    agrees(&o, "", "permessage-deflate", "");
    o.deflate.bits = 0;
    agrees(&o, OFFER("permessage-deflate"), "permessage-deflate", "");
}

TEST(bad_handshakes_are_refused)
{
    expect_refusal(
        SLICE("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n"),
        "HTTP/1.1 400 ", "malformed WebSocket handshake\n");
    expect_refusal(
        SLICE("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
              "Sec-WebSocket-Version: 8\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
        "HTTP/1.1 426 ", "version not supported\n");
    assert_true(slice_find_slice(peer_heard(&peer), SLICE("\r\nSec-WebSocket-Version: 13\r\n")) >
                0);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(a_request_is_told_with_its_fields),
        FRESH(an_absolute_target_without_a_path_has_one),
        FRESH(a_conversation_is_the_same_at_every_split),
        FRESH(a_conversation_is_the_same_byte_by_byte),
        FRESH(pipelined_requests_are_taken_one_after_the_other),
        FRESH(a_pipeline_waits_in_the_kernel_while_a_response_is_made),
        FRESH(who_pipelines_and_does_not_read_is_not_served_without_bound),
        FRESH(a_body_that_came_at_once_is_told_at_once_with_its_end),
        FRESH(a_chunked_body_ends_with_its_last_piece),
        FRESH(an_empty_chunked_body_is_an_end),
        FRESH(no_more_of_a_body_comes_than_was_pulled),
        FRESH(no_more_of_a_chunked_body_comes_than_was_pulled),
        FRESH(a_body_that_is_not_pulled_stays_with_the_client),
        FRESH(a_body_that_was_given_back_is_heard_again_from_its_beginning),
        FRESH(a_whole_body_that_was_given_back_ends_again),
        FRESH(a_body_that_was_given_back_goes_with_its_client),
        FRESH(a_small_body_that_nobody_wanted_is_dropped_and_the_connection_goes_on),
        FRESH(a_big_body_that_nobody_wanted_ends_the_connection),
        FRESH(expect_is_answered_when_the_body_is_pulled),
        FRESH(expect_is_not_answered_when_the_body_is_there),
        FRESH(a_final_answer_to_expect_closes_the_connection),
        FRESH(a_broken_chunk_is_answered_and_told),
        FRESH(a_body_over_its_limit_is_413),
        FRESH(a_broken_body_under_a_response_that_has_begun_cuts_the_connection),
        FRESH(a_known_length_is_announced),
        FRESH(an_unknown_length_is_chunked),
        FRESH(an_unknown_length_ends_with_the_connection_for_http_1_0),
        FRESH(keep_alive_of_http_1_0_is_confirmed),
        FRESH(connection_close_is_honoured),
        FRESH(a_response_to_head_has_no_body),
        FRESH(statuses_without_a_body_have_none),
        FRESH(the_framing_is_ours_whatever_the_layer_above_says),
        FRESH(a_head_that_cannot_be_sent_is_refused_whole),
        FRESH(what_was_taken_is_told_as_it_leaves_and_all_of_it),
        FRESH(the_queue_toward_a_client_is_bounded),
        FRESH(a_chunk_has_its_end_before_there_is_another),
        FRESH(bytes_for_many_are_framed_once),
        FRESH(a_parked_exchange_has_forgotten_its_request_and_nothing_else),
        FRESH(a_response_cut_short_shows),
        FRESH(an_error_is_answered_with_its_row),
        FRESH(a_reset_is_told),
        FRESH(a_half_closed_client_gets_an_answer_that_comes_soon),
        FRESH(a_half_closed_client_is_given_up_after_a_while),
        FRESH(a_request_cut_in_its_body_is_told),
        FRESH(a_request_cut_in_its_head_is_nothing),
        FRESH(bad_requests_are_answered_with_their_cause_and_the_connection_ends),
        FRESH(heads_over_their_limits_are_refused),
        FRESH(a_head_of_the_greatest_size_comes_in_pieces_too),
        FRESH(a_linger_that_the_client_does_not_end_ends_by_itself),
        FRESH(an_idle_connection_is_closed_after_its_time),
        FRESH(a_head_that_takes_too_long_is_408),
        FRESH(a_body_that_stops_is_408),
        FRESH(a_body_that_is_not_pulled_does_not_time_out),
        FRESH(a_client_that_does_not_read_is_cut),
        FRESH(an_answer_may_take_its_time),
        FRESH(a_silent_event_stream_gets_a_comment_where_a_line_may_stand),
        FRESH(no_other_response_gets_one),
        FRESH(a_client_that_does_not_read_gets_no_comments_and_is_cut),
        FRESH(draining_closes_idle_connections_and_lets_others_finish),
        FRESH(closing_tells_exchanges),
        FRESH(connections_are_counted),
        FRESH(an_exchange_becomes_a_websocket),
        FRESH(frames_behind_the_request_are_not_lost),
        FRESH(an_upgrade_may_be_answered_otherwise),
        FRESH(fields_that_cannot_be_sent_leave_the_exchange_as_it_was),
        FRESH(compression_is_agreed_on_in_the_handshake),
        FRESH(who_answers_the_request_may_narrow_or_decline_compression),
        FRESH(bad_handshakes_are_refused),
    };

    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
