#include "conn/http1_client.h"

#include "lib/peer.h"
#include "lib/test.h"

/* A client with an owner above it that writes down what it is told. */
static struct loop *loop;
static struct peer peer;
static struct http1_client *client;
static struct http1_head head;
static struct buf told;
static struct stream *upgraded;
static bool is_over; /* the owner has closed it */

static void close_client(void)
{
    if (!is_over)
        http1_client_close(client);
    is_over = true;
}

static void on_answered(void *arg, const struct http1_head *h)
{
    struct slice early;

    (void)buf_addf(&told, "answered %u %.*s\n", h->status, SLICE_FMT(h->reason));
    if (h->status != 101)
        return;
    upgraded = http1_client_take_stream(client, &early);
    is_over = true;
    (void)buf_addf(&told, "early %.*s\n", SLICE_FMT(early));
}

static void on_body(void *arg, struct slice bytes)
{
    (void)buf_addf(&told, "body %.*s\n", SLICE_FMT(bytes));
}

static void on_ended(void *arg, bool reusable)
{
    (void)buf_addf(&told, "ended%s\n", reusable ? "" : " for good");
    if (!reusable)
        close_client();
}

static void on_failed(void *arg, int err, struct slice text)
{
    (void)buf_addf(&told, "failed %s%s%s\n", err_label(err),
                   http1_client_has_heard(client) ? "" : " unheard",
                   http1_client_is_sent(client) ? "" : " unsent");
    close_client();
}

static void on_taken(void *arg, size_t n)
{
    (void)buf_addf(&told, "taken %zu\n", n);
}

static void on_gone(void *arg)
{
    (void)buf_addf(&told, "gone\n");
    close_client();
}

static const struct http1_client_ops ops = {on_answered, on_body,  on_ended,
                                            on_failed,   on_taken, on_gone};

static int begin(void **state)
{
    struct stream *s;

    loop = loop_new_simulated();
    buf_init(&told, 1 << 20);
    upgraded = NULL;
    is_over = false;
    peer_open(&peer, loop, &s);
    client = http1_client_open(s, &head);
    http1_client_attach(client, &ops, NULL);
    return 0;
}

static int end(void **state)
{
    close_client();
    stream_doom(upgraded);
    peer_close(&peer);
    loop_free(loop);
    buf_done(&told);
    return 0;
}

static void again(void)
{
    (void)end(NULL);
    (void)begin(NULL);
}

static void expect_told(const char *lines)
{
    loop_advance(loop, 0);
    (void)buf_add_byte(&told, 0);
    assert_string_equal((const char *)told.p, lines);
    buf_clear(&told);
}

#define GET SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
#define CHUNKED SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")

static void get(size_t credit)
{
    http1_client_start(client, GET, HTTP1_BODY_NONE, false, credit);
}

TEST(a_connection_serves_one_request_after_another)
{
    for (int i = 0; i < 3; i++) {
        get(100);
        peer_expect(&peer, GET);
        peer_say(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
        expect_told("answered 200 OK\nbody hi\nended\n");
    }
}

TEST(a_response_survives_every_split)
{
    static const char text[] = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";

    for (size_t cut = 1; cut < sizeof(text) - 1; cut++) {
        again();
        get(100);
        peer_say(&peer, slice_make(text, cut));
        peer_say(&peer, slice_make(text + cut, sizeof(text) - 1 - cut));
        expect_told("answered 200 OK\nbody x\nended\n");
    }
    again();
    get(100);
    peer_say_slowly(&peer, slice_str(text));
    expect_told("answered 200 OK\nbody x\nended\n");
}

TEST(a_body_comes_as_fast_as_credit_is_given)
{
    get(3);
    peer_say(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678"));
    expect_told("answered 200 OK\nbody 123\n");
    http1_client_credit(client, 4);
    expect_told("body 4567\n");
    http1_client_credit(client, 100);
    expect_told("body 8\nended\n");
}

TEST(the_end_of_the_connection_waits_for_credit)
{
    get(2);
    peer_say(&peer, SLICE("HTTP/1.1 200 OK\r\n\r\nabcd"));
    peer_end(&peer);
    expect_told("answered 200 OK\nbody ab\n");
    http1_client_credit(client, 2);
    expect_told("body cd\nended for good\n");
}

TEST(a_request_body_is_chunked_and_counted)
{
    http1_client_start(client, CHUNKED, HTTP1_BODY_CHUNKED, false, 10);
    http1_client_send(client, SLICE("abc"), false);
    http1_client_send(client, SLICE("de"), true);
    peer_expect(&peer, SLICE("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    expect_told("taken 5\n");
    assert_true(http1_client_is_sent(client));
    peer_say(&peer, SLICE("HTTP/1.1 204 No Content\r\n\r\n"));
    expect_told("answered 204 No Content\nended\n");
}

TEST(a_response_before_the_whole_request_ends_the_connection)
{
    http1_client_start(client, CHUNKED, HTTP1_BODY_CHUNKED, false, 10);
    http1_client_send(client, SLICE("abc"), false);
    peer_say(&peer, SLICE("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"));
    expect_told("taken 3\nanswered 413 No\nended for good\n");
}

TEST(an_answer_to_head_has_no_body)
{
    http1_client_start(client, SLICE("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), HTTP1_BODY_NONE, true,
                       9);
    peer_say(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"));
    expect_told("answered 200 OK\nended\n");
}

TEST(what_is_malformed_or_cut_fails)
{
    static const struct {
        const char *say, *expect;
    } cases[] = {
        {"", "failed origin_lost unheard\n"},
        {"HTTP/1.1 200", "failed origin_lost\n"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "answered 200 OK\nbody ab\nfailed "
                                                           "origin_lost\n"},
        {"SSH-2.0\r\n\r\n", "failed origin_bad\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
         "answered 200 OK\nfailed origin_bad\n"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        again();
        get(100);
        loop_advance(loop, 0);
        if (*cases[i].say)
            peer_say(&peer, slice_str(cases[i].say));
        peer_end(&peer);
        expect_told(cases[i].expect);
    }
}

TEST(a_request_that_a_broken_connection_did_not_take_is_unsent)
{
    stream_pause(peer.stream);
    stream_loopback_limits(peer.stream, 0, 10);
    get(100);
    loop_advance(loop, 0);
    stream_loopback_break(peer.stream);
    expect_told("failed origin_lost unheard unsent\n");
}

TEST(an_idle_connection_that_ends_or_speaks_is_gone)
{
    peer_end(&peer);
    expect_told("gone\n");
    again();
    peer_say(&peer, SLICE("HTTP/1.1 408 Timeout\r\n\r\n"));
    expect_told("gone\n");
}

TEST(bytes_behind_a_response_end_the_connection)
{
    get(100);
    peer_say(&peer, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    expect_told("answered 200 OK\nended for good\n");
}

TEST(a_granted_upgrade_gives_the_stream_away)
{
    get(100);
    peer_say(&peer, SLICE("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                          "Upgrade: websocket\r\n\r\nrest"));
    expect_told("answered 101 Switching Protocols\nearly rest\n");
    assert_non_null(upgraded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_serves_one_request_after_another, begin, end),
        cmocka_unit_test_setup_teardown(a_response_survives_every_split, begin, end),
        cmocka_unit_test_setup_teardown(a_body_comes_as_fast_as_credit_is_given, begin, end),
        cmocka_unit_test_setup_teardown(the_end_of_the_connection_waits_for_credit, begin, end),
        cmocka_unit_test_setup_teardown(a_request_body_is_chunked_and_counted, begin, end),
        cmocka_unit_test_setup_teardown(a_response_before_the_whole_request_ends_the_connection,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_answer_to_head_has_no_body, begin, end),
        cmocka_unit_test_setup_teardown(what_is_malformed_or_cut_fails, begin, end),
        cmocka_unit_test_setup_teardown(a_request_that_a_broken_connection_did_not_take_is_unsent,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_idle_connection_that_ends_or_speaks_is_gone, begin, end),
        cmocka_unit_test_setup_teardown(bytes_behind_a_response_end_the_connection, begin, end),
        cmocka_unit_test_setup_teardown(a_granted_upgrade_gives_the_stream_away, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
