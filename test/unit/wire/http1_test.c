#include "wire/http1.h"

#include <stdio.h>

#include "lib/hear_http1.h"
#include "lib/test.h"

static const struct http1_limits roomy = {8192, 16384, 100, 1 << 20};

static void hears(enum http1_side side, bool to_head, const struct http1_limits *limits,
                  const char *wire, const char *want)
{
    const struct slice in = slice_str(wire);

    for (size_t step = 0; step <= 2; step++)
        for (size_t cut = 0; cut <= in.n; cut++) {
            CLEANUP(buf_done) struct buf out = {.max = 1 << 20};

            (void)http1_hear(&out, side, to_head, limits, in, (struct cuts){cut, step});
            assert_int_equal(buf_add_byte(&out, 0), 0);
            assert_string_equal((const char *)out.p, want);
        }
}

static void request(const char *wire, const char *want)
{
    hears(HTTP1_REQUESTS, false, &roomy, wire, want);
}

static void response(const char *wire, const char *want)
{
    hears(HTTP1_RESPONSES, false, &roomy, wire, want);
}

/* A head that is refused with this row; `line` alone decides it. */
static void refuses(const char *wire, const char *label)
{
    char want[64];

    (void)snprintf(want, sizeof(want), "%s\n", label);
    request(wire, want);
}

#define H "Host: a\r\n"

TEST(a_request_without_body)
{
    request("GET /x?y=1 HTTP/1.1\r\nHost: example.com:80\r\nAccept:  */* \t\r\nEmpty:\r\n\r\n",
            "GET origin [example.com:80] [/x?y=1] 1.1 body=none keep {Host=example.com:80} "
            "{Accept=*/*} "
            "{Empty=}\nend\nidle\n");
}

TEST(pipelined_requests_come_one_by_one)
{
    request(
        "GET /1 HTTP/1.1\r\n" H "\r\nPOST /2 HTTP/1.1\r\n" H
        "Content-Length: 3\r\n\r\nabcGET /3 HTTP/1.0\r\n\r\n",
        "GET origin [a] [/1] 1.1 body=none keep {Host=a}\nend\n"
        "POST origin [a] [/2] 1.1 body=length:3 keep {Host=a} {Content-Length=3}\nbody abc\nend\n"
        "GET origin [] [/3] 1.0 body=none close\nend\nidle\n");
}

TEST(an_empty_line_before_a_request_is_forgiven_once)
{
    request("\r\nGET / HTTP/1.1\r\n" H "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n",
            "GET origin [a] [/] 1.1 body=none keep {Host=a}\nend\n"
            "GET origin [a] [/] 1.1 body=none keep {Host=a}\nend\nidle\n");
    refuses("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "http_line");
    refuses("\r\rGET", "http_eol");
}

TEST(chunks_are_joined_and_extensions_and_trailers_dropped)
{
    request(
        "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"
        "3;a=b;c=\"d e\"\r\nabc\r\n000A \t;x\r\n0123456789\r\n0\r\nTrailer-One: 1\r\nTwo:\r\n\r\n"
        "GET /next HTTP/1.1\r\n" H "\r\n",
        "POST origin [a] [/] 1.1 body=chunked keep {Host=a} {Transfer-Encoding=Chunked}\n"
        "body abc0123456789\nend\nGET origin [a] [/next] 1.1 body=none keep {Host=a}\nend\nidle\n");
}

static void chunks_refuse(const char *chunks, const char *label)
{
    const char *head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    char wire[512], want[256];

    (void)snprintf(wire, sizeof(wire), "%s%s", head, chunks);
    (void)snprintf(
        want, sizeof(want),
        "POST origin [a] [/] 1.1 body=chunked keep {Host=a} {Transfer-Encoding=chunked}\n%s\n",
        label);
    request(wire, want);
}

TEST(chunks_that_could_be_read_in_two_ways_are_refused)
{
    chunks_refuse("\r\n", "http_chunk");
    chunks_refuse(" 3\r\n", "http_chunk");
    chunks_refuse("+3\r\n", "http_chunk");
    chunks_refuse("-1\r\n", "http_chunk");
    chunks_refuse("0x3\r\n", "http_chunk");
    chunks_refuse("3 \r\nabc\r\n", "http_chunk");
    chunks_refuse("3,4\r\n", "http_chunk");
    chunks_refuse("g\r\n", "http_chunk");
    chunks_refuse("3\nabc\r\n", "http_eol");
    chunks_refuse("3\rabc\r\n", "http_eol");
    chunks_refuse("3;a\nabc\r\n", "http_eol");
    chunks_refuse("3;\x01\r\n", "http_chunk");
    chunks_refuse("00000000000000003\r\nabc", "http_chunk");
    chunks_refuse("10000000000000003\r\nabc", "http_chunk");
    chunks_refuse("ffffffffffffffff\r\n", "http_body_large");
    chunks_refuse("100001\r\n", "http_body_large");
    chunks_refuse("3\r\nabcd\r\n", "body abc\nhttp_chunk");
    chunks_refuse("3\r\nabc\n0\r\n\r\n", "body abc\nhttp_chunk");
    chunks_refuse("3\r\nabc\r0\r\n\r\n", "body abc\nhttp_chunk");
    chunks_refuse("0\r\n bad: 1\r\n\r\n", "http_fold");
    chunks_refuse("0\r\n: 1\r\n\r\n", "http_name");
    chunks_refuse("0\r\na : 1\r\n\r\n", "http_name_space");
    chunks_refuse("0\r\na@: 1\r\n\r\n", "http_name");
    chunks_refuse("0\r\na: \x7f\r\n\r\n", "http_value");
    chunks_refuse("0\r\na: 1\n\r\n", "http_eol");
    chunks_refuse("0\r\na: 1\r\r\n", "http_eol");
    chunks_refuse("0\r\n\n", "http_eol");
    chunks_refuse("0\r\n\rx", "http_eol");
}

TEST(two_ways_to_say_where_a_body_ends_are_refused)
{
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "http_framing");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
            "http_framing");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n\r\n",
            "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: +3\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: -3\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 0x3\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 3 4\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551619\r\n\r\n", "http_length");
    refuses("POST / HTTP/1.1\r\n" H "Content-Length: 9223372036854775808\r\n\r\n", "http_length");
}

TEST(transfer_encoding_is_exactly_chunked)
{
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked;q=1\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "http_te");
    refuses("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
            "chunked\r\n\r\n",
            "http_value");
    refuses("POST / HTTP/1.1\r\n" H
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "http_te");
    refuses("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "http_te_old");
}

TEST(a_request_names_one_host)
{
    refuses("GET / HTTP/1.1\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\n" H H "\r\n", "http_host");
    refuses("GET / HTTP/1.0\r\n" H H "\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost:\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "http_host");
    refuses("GET / HTTP/1.1\r\nHost: []\r\n\r\n", "http_host");
    request("GET / HTTP/1.1\r\nHost: [::1]:8787\r\n\r\n",
            "GET origin [[::1]:8787] [/] 1.1 body=none keep {Host=[::1]:8787}\nend\nidle\n");
}

TEST(lines_end_in_crlf_only)
{
    refuses("GET / HTTP/1.1\nHost: a\n\n", "http_eol");
    refuses("GET / HTTP/1.1\r\nHost: a\n\r\n", "http_eol");
    refuses("GET / HTTP/1.1\r\nHost: a\r\n\n", "http_eol");
    refuses("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "http_value");
    refuses("GET / HTTP/1.1\rHost: a\r\n\r\n", "http_line");
    refuses("\nGET / HTTP/1.1\r\n" H "\r\n", "http_eol");
}

TEST(fields_are_what_the_grammar_says)
{
    refuses("GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "http_fold");
    refuses("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "http_fold");
    refuses("GET / HTTP/1.1\r\n" H "\tA: b\r\n\r\n", "http_fold");
    refuses("GET / HTTP/1.1\r\n" H "A : b\r\n\r\n", "http_name_space");
    refuses("GET / HTTP/1.1\r\n" H "A B: c\r\n\r\n", "http_name");
    refuses("GET / HTTP/1.1\r\n" H ": c\r\n\r\n", "http_name");
    refuses("GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", "http_name");
    refuses("GET / HTTP/1.1\r\n" H "A\x80: c\r\n\r\n", "http_name");
    refuses("GET / HTTP/1.1\r\n" H "A: b\x01\r\n\r\n", "http_value");
    refuses("GET / HTTP/1.1\r\n" H "A: b\x7f\r\n\r\n", "http_value");
    request("GET / HTTP/1.1\r\n" H "A: \xe9\t b\r\n\r\n",
            "GET origin [a] [/] 1.1 body=none keep {Host=a} {A=\xe9\t b}\nend\nidle\n");
}

TEST(nul_is_refused_anywhere)
{
    static const char wire[] = "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n";
    CLEANUP(buf_done) struct buf out = {.max = 1000};

    (void)http1_hear(&out, HTTP1_REQUESTS, false, &roomy, slice_make(wire, sizeof(wire) - 1),
                     (struct cuts){0});
    assert_true(slice_eq(buf_slice(&out), SLICE("http_value\n")));
}

TEST(the_first_line_is_what_the_grammar_says)
{
    refuses("GET  / HTTP/1.1\r\n" H "\r\n", "http_line");
    refuses("GET /\r\n" H "\r\n", "http_line");
    refuses("GET\r\n" H "\r\n", "http_line");
    refuses("GET / HTTP/1.1 \r\n" H "\r\n", "http_line");
    refuses("GET / http/1.1\r\n" H "\r\n", "http_line");
    refuses("GET / HTTP/11\r\n" H "\r\n", "http_line");
    refuses("G@T / HTTP/1.1\r\n" H "\r\n", "http_method");
    refuses("GET / HTTP/2.0\r\n" H "\r\n", "http_version");
    refuses("PRI * HTTP/2.0\r\n\r\n", "http_version");
    refuses("GET / HTTP/1.2\r\n" H "\r\n", "http_version");
    refuses(" GET / HTTP/1.1\r\n" H "\r\n", "http_line");
    refuses("\x16\x03\x01", "http_line");
}

TEST(targets_have_four_forms)
{
    request("GET http://b:1/x?y HTTP/1.1\r\n" H "\r\n",
            "GET absolute [b:1] [/x?y] 1.1 body=none keep {Host=a}\nend\nidle\n");
    request("GET HTTPS://b HTTP/1.1\r\n" H "\r\n",
            "GET absolute [b] [/] https 1.1 body=none keep {Host=a}\nend\nidle\n");
    request("OPTIONS * HTTP/1.1\r\n" H "\r\n",
            "OPTIONS asterisk [a] [] 1.1 body=none keep {Host=a}\nend\nidle\n");
    request("CONNECT b:443 HTTP/1.1\r\n" H "\r\n",
            "CONNECT authority [b:443] [] 1.1 body=none keep {Host=a}\nend\nidle\n");
    request("CONNECT [::1]:443 HTTP/1.1\r\n" H "\r\n",
            "CONNECT authority [[::1]:443] [] 1.1 body=none keep {Host=a}\nend\nidle\n");
    refuses("GET * HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET x HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET http:///x HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET http://u:p@b/ HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET http://b?x HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET /a#b HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET /\x7f HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("CONNECT b HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("CONNECT [::1] HTTP/1.1\r\n" H "\r\n", "http_target");
    refuses("CONNECT /x HTTP/1.1\r\n" H "\r\n", "http_target");
}

TEST(keep_alive_is_by_version_and_by_word)
{
    request("GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n\r\n",
            "GET origin [a] [/] 1.1 body=none close {Host=a} {Connection=foo, Close}\nend\nidle\n");
    request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET origin [] [/] 1.0 body=none keep {Connection=Keep-Alive}\nend\nidle\n");
    request("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
            "GET origin [] [/] 1.0 body=none close {Connection=keep-alive, close}\nend\nidle\n");
}

TEST(expect_and_upgrade_are_for_http_1_1)
{
    request("PUT / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n.",
            "PUT origin [a] [/] 1.1 body=length:1 keep expect {Host=a} {Expect=100-Continue} "
            "{Content-Length=1}\nbody .\nend\nidle\n");
    request("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n.",
            "PUT origin [] [/] 1.0 body=length:1 close {Expect=100-continue} {Content-Length=1}\n"
            "body .\nend\nidle\n");
    refuses("PUT / HTTP/1.1\r\n" H "Expect: more\r\n\r\n", "http_expect");
    request(
        "GET / HTTP/1.1\r\n" H "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nrest",
        "GET origin [a] [/] 1.1 body=none keep upgrade=websocket {Host=a} {Connection=keep-alive, "
        "Upgrade} {Upgrade=websocket}\nend\nreset\n");
    request("GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n",
            "GET origin [a] [/] 1.1 body=none keep {Host=a} {Upgrade=websocket}\nend\nidle\n");
    request("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET origin [] [/] 1.0 body=none close {Connection=upgrade} "
            "{Upgrade=websocket}\nend\nidle\n");
}

TEST(limits_are_kept_before_the_head_is_complete)
{
    static const struct http1_limits tight = {20, 24, 2, 4};

    hears(HTTP1_REQUESTS, false, &tight, "GET /12345 HTTP/1.1\r\n", "http_uri_long\n");
    hears(HTTP1_REQUESTS, false, &tight, "GET /1234567890123456", "http_uri_long\n");
    hears(HTTP1_REQUESTS, false, &tight, "GET /1 HTTP/1.1\r\nHost: a\r\nA: 123456789012345",
          "http_headers_large\n");
    hears(HTTP1_REQUESTS, false, &tight, "GET /1 HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n\r\n",
          "http_headers_large\n");
    hears(HTTP1_REQUESTS, false, &tight, "GET /1 HTTP/1.1\r\nHost: a\r\nA: 12345678\r\n\r\n",
          "GET origin [a] [/1] 1.1 body=none keep {Host=a} {A=12345678}\nend\nidle\n");
}

TEST(bodies_stay_within_their_limit)
{
    static const struct http1_limits tight = {100, 40, 10, 4};
    const char *chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    char wire[200];

    hears(HTTP1_REQUESTS, false, &tight, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
          "http_body_large\n");
    hears(HTTP1_RESPONSES, false, &tight, "HTTP/1.1 200 OK\r\n\r\n12345",
          "200 [OK] 1.1 body=close close\nbody 1234\nhttp_body_large\n");
    (void)snprintf(wire, sizeof(wire), "%s%s", chunked, "3\r\n123\r\n2\r\n");
    hears(
        HTTP1_RESPONSES, false, &tight, wire,
        "200 [OK] 1.1 body=chunked keep {Transfer-Encoding=chunked}\nbody 123\nhttp_body_large\n");
    (void)snprintf(wire, sizeof(wire), "%s%s", chunked,
                   "1;12345678901234567890123456789012345678901");
    hears(HTTP1_RESPONSES, false, &tight, wire,
          "200 [OK] 1.1 body=chunked keep {Transfer-Encoding=chunked}\nhttp_chunk\n");
    (void)snprintf(wire, sizeof(wire), "%s%s", chunked,
                   "0\r\na: 12345678901234567890123456789012345678901");
    hears(HTTP1_RESPONSES, false, &tight, wire,
          "200 [OK] 1.1 body=chunked keep {Transfer-Encoding=chunked}\nhttp_headers_large\n");
}

TEST(responses_end_as_their_status_and_fields_say)
{
    response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 204 \r\n\r\nHTTP/1.1 304\r\n"
             "Content-Length: 9\r\n\r\n",
             "200 [OK] 1.1 body=length:2 keep {Content-Length=2}\nbody hi\nend\n"
             "204 [] 1.1 body=none keep\nend\n304 [] 1.1 body=none:9 keep "
             "{Content-Length=9}\nend\nidle\n");
    response("HTTP/1.0 200 Fine then\r\n\r\nall of it",
             "200 [Fine then] 1.0 body=close close\nbody all of it\nend\n");
    response("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
             "100 [Continue] 1.1 body=none keep\n200 [OK] 1.1 body=none keep "
             "{Content-Length=0}\nend\nidle\n");
    hears(HTTP1_RESPONSES, true, &roomy,
          "HTTP/1.1 103 Hint\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
          "103 [Hint] 1.1 body=none keep\n200 [OK] 1.1 body=none:5 keep "
          "{Content-Length=5}\nend\nidle\n");
    response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
             "200 [OK] 1.1 body=length:5 keep {Content-Length=5}\nbody ab\nreset\n");
    response("HTTP/1.1 99 x\r\n\r\n", "http_line\n");
    response("HTTP/1.1 2000 x\r\n\r\n", "http_line\n");
    response("ICY 200 OK\r\n\r\n", "http_line\n");
}

TEST(after_an_error_it_stays_in_error)
{
    struct http1_decoder d;
    struct http1_head head;
    struct slice in = SLICE("GET / HTTP/9.9\r\n\r\n"),
                 good = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), bytes;

    http1_init(&d, HTTP1_REQUESTS, &roomy);
    assert_true(http1_is_idle(&d));
    assert_int_equal(http1_next(&d, &in, &head, &bytes), -ERR_HTTP_VERSION);
    assert_int_equal(http1_next(&d, &good, &head, &bytes), -ERR_HTTP_VERSION);
    assert_int_equal(http1_eof(&d, SLICE("")), -ERR_HTTP_VERSION);
}

TEST(lists_and_fields_are_found_in_any_case)
{
    struct http1_decoder d;
    static struct http1_head head;
    struct slice in = SLICE("GET / HTTP/1.1\r\nhost: a\r\nX: one,, TWO\r\nx: \"three\"\r\n\r\n"),
                 bytes, list = SLICE(" ,a ,, b"), item;

    http1_init(&d, HTTP1_REQUESTS, &roomy);
    assert_int_equal(http1_next(&d, &in, &head, &bytes), HTTP1_HEAD);
    assert_true(slice_eq(*http1_find(&head, SLICE("HOST")), SLICE("a")));
    assert_null(http1_find(&head, SLICE("y")));
    assert_true(http1_has_token(&head, SLICE("X"), SLICE("two")));
    assert_false(http1_has_token(&head, SLICE("X"), SLICE("tw")));
    assert_true(http1_list_next(&list, &item) && slice_eq(item, SLICE("a")));
    assert_true(http1_list_next(&list, &item) && slice_eq(item, SLICE("b")));
    assert_false(http1_list_next(&list, &item));
    assert_true(http1_is_framing(SLICE("Transfer-encoding")) && !http1_is_framing(SLICE("Date")));
}

static void put_chunk(struct buf *out, struct slice bytes)
{
    char head[HTTP1_CHUNK_HEAD];

    assert_int_equal(buf_add(out, slice_make(head, http1_chunk_head(bytes.n, head))), 0);
    assert_int_equal(buf_add(out, bytes), 0);
    assert_int_equal(buf_add(out, SLICE("\r\n")), 0);
}

TEST(what_is_written_is_heard)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    CLEANUP(buf_done) struct buf heard = {.max = 1000};

    assert_int_equal(http1_put_status(&out, 200, SLICE("")), 0);
    assert_int_equal(http1_put_field(&out, SLICE("Transfer-Encoding"), SLICE("chunked")), 0);
    assert_int_equal(http1_put_end(&out), 0);
    put_chunk(&out, SLICE("hello"));
    put_chunk(&out, SLICE(" a somewhat longer one"));
    assert_int_equal(buf_add(&out, HTTP1_LAST_CHUNK), 0);
    assert_int_equal(http1_put_status(&out, 599, SLICE("Odd")), 0);
    assert_int_equal(http1_put_number(&out, SLICE("Content-Length"), 0), 0);
    assert_int_equal(http1_put_end(&out), 0);
    (void)http1_hear(&heard, HTTP1_RESPONSES, false, &roomy, buf_slice(&out), (struct cuts){0});
    assert_int_equal(buf_add_byte(&heard, 0), 0);
    assert_string_equal((const char *)heard.p,
                        "200 [OK] 1.1 body=chunked keep {Transfer-Encoding=chunked}\n"
                        "body hello a somewhat longer one\nend\n"
                        "599 [Odd] 1.1 body=none keep {Content-Length=0}\nend\nidle\n");
}

TEST(nobody_splits_a_head_through_the_writer)
{
    CLEANUP(buf_done) struct buf out = {.max = 30};

    assert_int_equal(http1_put_field(&out, SLICE("A"), SLICE("b\r\nC: d")), -ERR_HTTP_VALUE);
    assert_int_equal(http1_put_field(&out, SLICE("A:"), SLICE("b")), -ERR_HTTP_NAME);
    assert_int_equal(http1_put_field(&out, SLICE(""), SLICE("b")), -ERR_HTTP_NAME);
    assert_int_equal(http1_put_status(&out, 200, SLICE("a\nb")), -ERR_HTTP_VALUE);
    assert_int_equal(http1_put_request(&out, SLICE("GE T"), SLICE("/")), -ERR_HTTP_METHOD);
    assert_int_equal(http1_put_request(&out, SLICE("GET"), SLICE("/ HTTP/1.1")), -ERR_HTTP_TARGET);
    assert_int_equal(http1_put_field(&out, SLICE("A"), SLICE("123456789012345678901234567890")),
                     -ERR_TOO_LARGE);
    assert_int_equal(out.n, 0);
    assert_int_equal(http1_put_request(&out, SLICE("GET"), SLICE("/x")), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("GET /x HTTP/1.1\r\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_without_body),
        cmocka_unit_test(pipelined_requests_come_one_by_one),
        cmocka_unit_test(an_empty_line_before_a_request_is_forgiven_once),
        cmocka_unit_test(chunks_are_joined_and_extensions_and_trailers_dropped),
        cmocka_unit_test(chunks_that_could_be_read_in_two_ways_are_refused),
        cmocka_unit_test(two_ways_to_say_where_a_body_ends_are_refused),
        cmocka_unit_test(transfer_encoding_is_exactly_chunked),
        cmocka_unit_test(a_request_names_one_host),
        cmocka_unit_test(lines_end_in_crlf_only),
        cmocka_unit_test(fields_are_what_the_grammar_says),
        cmocka_unit_test(nul_is_refused_anywhere),
        cmocka_unit_test(the_first_line_is_what_the_grammar_says),
        cmocka_unit_test(targets_have_four_forms),
        cmocka_unit_test(keep_alive_is_by_version_and_by_word),
        cmocka_unit_test(expect_and_upgrade_are_for_http_1_1),
        cmocka_unit_test(limits_are_kept_before_the_head_is_complete),
        cmocka_unit_test(bodies_stay_within_their_limit),
        cmocka_unit_test(responses_end_as_their_status_and_fields_say),
        cmocka_unit_test(after_an_error_it_stays_in_error),
        cmocka_unit_test(lists_and_fields_are_found_in_any_case),
        cmocka_unit_test(what_is_written_is_heard),
        cmocka_unit_test(nobody_splits_a_head_through_the_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
