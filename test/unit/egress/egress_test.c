/* Against an origin of our own on the same loop, over real sockets on 127.0.0.1. */
#include "egress/egress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/origin_lab.h"
#include "wire/ipc.h"

/* --- the asker --- */

struct world {
    struct loop *loop;
    struct origin *origin;
    struct egress *egress;
    struct egress_call *call;
    struct buf told;
    size_t body; /* bytes told */
    size_t taken;
    bool is_over;
    bool is_body_told; /* as text */
    bool is_cancelling;
    struct transport *socket;
    struct websocket_options ws;
};

static void on_message(void *arg, struct span bytes, bool binary)
{
    struct world *w = arg;

    (void)buf_addf(&w->told, "message %.*s\n", SLICE_FMT(span_slice(bytes)));
}

static void on_closed(void *arg, uint16_t code, bool clean, struct slice reason)
{
    struct world *w = arg;

    (void)buf_addf(&w->told, "closed %u %d\n", code, clean);
    transport_release(w->socket);
    w->socket = NULL;
    w->is_over = true;
}

static const struct transport_ops socket_ops = {.message = on_message, .closed = on_closed};

static void on_response(void *arg, const struct egress_response *r)
{
    struct world *w = arg;
    static const char *const bodies[] = {"none", "length", "stream"};

    (void)buf_addf(&w->told, "%u [%.*s] url=[%.*s] %s", r->status, SLICE_FMT(r->reason),
                   SLICE_FMT(r->url), bodies[r->body]);
    if (r->length)
        (void)buf_addf(&w->told, ":%" PRIu64, r->length);
    (void)buf_addf(&w->told, "\n%.*s", SLICE_FMT(r->head));
    if (w->is_cancelling) {
        egress_cancel(w->call);
        w->is_over = true;
    }
    if (!r->socket)
        return;
    w->socket = r->socket;
    w->is_over = true;
    transport_attach(w->socket, &socket_ops, w);
    transport_start(w->socket);
}

static void on_body(void *arg, struct slice bytes)
{
    struct world *w = arg;

    w->body += bytes.n;
    if (w->is_body_told)
        (void)buf_addf(&w->told, "+%.*s\n", SLICE_FMT(bytes));
}

static void on_ended(void *arg)
{
    struct world *w = arg;

    (void)buf_addf(&w->told, "ended\n");
    w->is_over = true;
}

static void on_failed(void *arg, int err, struct slice text)
{
    struct world *w = arg;

    (void)buf_addf(&w->told, "failed %s\n", err_label(err));
    assert_true(text.n > 0);
    w->is_over = true;
}

static void on_taken(void *arg, size_t n)
{
    ((struct world *)arg)->taken += n;
}

static const struct egress_ops ops = {on_response, on_body, on_ended, on_failed, on_taken};

static struct world *open_world(const char *const *answers, const struct egress_policy *policy,
                                const struct egress_limits *egress_limits)
{
    static const struct egress_policy open = {0};
    struct world *w = mem_new(sizeof(*w));
    struct err_note note = {0};

    w->loop = loop_new();
    w->origin = origin_open(w->loop, answers);
    buf_init(&w->told, 1 << 20);
    w->is_body_told = true;
    w->egress = egress_new(w->loop, policy ? policy : &open, egress_limits, &w->ws, &note);
    if (!w->egress)
        fail_msg("%s", note.text);
    return w;
}

static void settle(struct world *w, int ticks)
{
    while (ticks--)
        loop_tick(w->loop, 2);
}

static void close_world(struct world *w)
{
    if (w->socket)
        transport_terminate(w->socket);
    egress_free(w->egress);
    settle(w, 3);
    origin_close(w->origin);
    settle(w, 3);
    loop_free(w->loop);
    buf_done(&w->told);
    mem_free(w);
}

/* %P in head is the origin's port. */
static void start(struct world *w, const char *head, struct egress_request r)
{
    CLEANUP(buf_done) struct buf text = {.max = 1 << 16};
    const char *at;

    for (; (at = strstr(head, "%P")); head = at + 2)
        (void)buf_addf(&text, "%.*s%u", (int)(at - head), head, w->origin->port);
    (void)buf_addf(&text, "%s", head);
    r.head = buf_slice(&text);
    w->is_over = false;
    w->call = egress_start(w->egress, &r, &ops, w);
}

static void run(struct world *w)
{
    for (int i = 0; i < 1000 && !w->is_over; i++)
        loop_tick(w->loop, 10);
    assert_true(w->is_over);
}

static void told(struct world *w, const char *want)
{
    expect_text(&w->told, want, w->origin->port);
}

static void heard(struct world *w, const char *want)
{
    expect_text(&w->origin->heard, want, w->origin->port);
}

static void get(struct world *w, const char *head)
{
    start(w, head, (struct egress_request){0});
    run(w);
}

#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\nKeep-Alive: timeout=5\r\n\r\nhi"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define TOLD_OK "200 [OK] url=[] none\nContent-Length: 0\nended\n"

TEST(a_response_comes_with_its_head_and_body)
{
    struct world *w = open_world(ANSWERS(HI), NULL, NULL);

    get(w, "GET http://127.0.0.1:%P/a?b=%20c#frag\nAccept: text/x\nHost: evil\nConnection: "
           "close\nEmpty:\n");
    told(w, "200 [OK] url=[] length:2\nContent-Length: 2\nX: y\n+hi\nended\n");
    heard(w, "GET /a?b=%20c Host=127.0.0.1:%P Accept=text/x Empty=\n");
    assert_int_equal(egress_calls(w->egress), 1);
    settle(w, 2);
    assert_int_equal(egress_calls(w->egress), 0);
    close_world(w);
}

TEST(connections_are_used_again)
{
    struct world *w = open_world(ANSWERS(HI, HI, HI), NULL, NULL);

    for (int i = 0; i < 3; i++) {
        get(w, "GET http://127.0.0.1:%P/\n");
        settle(w, 2);
    }
    assert_int_equal(w->origin->n, 1);
    close_world(w);
}

TEST(bodies_of_every_framing_come_through)
{
    struct world *w = open_world(
        ANSWERS(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        NULL, NULL);

    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "200 [OK] url=[] stream\n+abc\nended\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "200 [OK] url=[] stream\n+until close\nended\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "204 [None] url=[] none\nended\n");
    get(w, "HEAD http://127.0.0.1:%P/\n");
    told(w, "200 [OK] url=[] none\nContent-Length: 99\nended\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "200 [] url=[] none\nContent-Length: 0\nended\n");
    close_world(w);
}

TEST(content_codings_are_passed_through)
{
    struct world *w = open_world(
        ANSWERS("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), NULL,
        NULL);

    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "200 [OK] url=[] length:4\nContent-Encoding: gzip\nContent-Length: 4\n+nope\nended\n");
    heard(w, "GET / Host=127.0.0.1:%P\n");
    close_world(w);
}

TEST(request_bodies_are_sent_as_they_come)
{
    struct world *w = open_world(ANSWERS(OK, OK, OK), NULL, NULL);

    start(w, "POST http://127.0.0.1:%P/\nContent-Length: 77\n",
          (struct egress_request){.body = IPC_BODY_LENGTH, .length = 5});
    settle(w, 5);
    egress_body(w->call, SLICE("ab"), false);
    settle(w, 5);
    assert_int_equal(w->taken, 2);
    egress_body(w->call, SLICE("cde"), true);
    run(w);
    told(w, TOLD_OK);
    heard(w, "POST / Host=127.0.0.1:%P Content-Length=5\n+ab\n+cde\n");
    start(w, "PUT http://127.0.0.1:%P/\n", (struct egress_request){.body = IPC_BODY_STREAM});
    egress_body(w->call, SLICE("one"), false);
    settle(w, 5);
    egress_body(w->call, SLICE(""), true);
    run(w);
    told(w, TOLD_OK);
    heard(w, "PUT / Host=127.0.0.1:%P Transfer-Encoding=chunked\n+one\n");
    get(w, "POST http://127.0.0.1:%P/\n");
    heard(w, "POST / Host=127.0.0.1:%P Content-Length=0\n");
    close_world(w);
}

TEST(a_body_that_is_not_what_was_announced_fails)
{
    struct world *w = open_world(ANSWERS(OK), NULL, NULL);

    start(w, "POST http://127.0.0.1:%P/\n",
          (struct egress_request){.body = IPC_BODY_LENGTH, .length = 5});
    egress_body(w->call, SLICE("ab"), true);
    run(w);
    told(w, "failed fetch\n");
    start(w, "POST http://127.0.0.1:%P/\n",
          (struct egress_request){.body = IPC_BODY_LENGTH, .length = 1});
    egress_body(w->call, SLICE("ab"), false);
    run(w);
    told(w, "failed fetch\n");
    close_world(w);
}

TEST(response_bytes_wait_for_credit)
{
    enum { SIZE = 3 * IPC_BODY_WINDOW };
    char *big = mem_new(SIZE + 100);
    const int n = sprintf(big, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE);
    struct world *w;

    memset(big + n, 'x', SIZE);
    w = open_world(ANSWERS(big), NULL, NULL);
    w->is_body_told = false;
    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){0});
    settle(w, 100);
    assert_true(w->body > 0 && w->body <= IPC_BODY_WINDOW);
    while (!w->is_over) {
        const size_t before = w->body;

        egress_credit(w->call, 100000);
        settle(w, 20);
        assert_true(w->is_over || (w->body > before && w->body <= before + 120000));
    }
    assert_int_equal(w->body, SIZE);
    close_world(w);
    mem_free(big);
}

TEST(redirects_are_followed_and_told)
{
    struct world *w = open_world(
        ANSWERS("HTTP/1.1 302 F\r\nLocation: ../b?q\r\nContent-Length: 3\r\n\r\nold",
                "HTTP/1.1 307 F\r\nLocation: //127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", HI),
        NULL, NULL);

    get(w, "GET http://127.0.0.1:%P/x/y\nAuthorization: secret\n");
    told(w, "failed refused\n");
    heard(w, "GET /x/y Host=127.0.0.1:%P Authorization=secret\nGET /b?q Host=127.0.0.1:%P "
             "Authorization=secret\n");
    close_world(w);
    w = open_world(ANSWERS("HTTP/1.1 301 F\r\nLocation: /b#f\r\nContent-Length: 0\r\n\r\n", HI),
                   NULL, NULL);
    get(w, "GET http://127.0.0.1:%P/a\n");
    told(w, "200 [OK] url=[http://127.0.0.1:%P/b] length:2\nContent-Length: 2\nX: y\n+hi\nended\n");
    close_world(w);
}

TEST(another_origin_gets_no_secrets)
{
    const struct egress_policy policy = {.resolve = NULL};
    struct world *w = open_world(ANSWERS(NULL), &policy, NULL);
    char to_other[200];

    (void)snprintf(to_other, sizeof(to_other),
                   "HTTP/1.1 302 F\r\nLocation: http://localhost:%u/\r\nContent-Length: 0\r\n\r\n",
                   w->origin->port);
    w->origin->answers = ANSWERS(to_other, OK);
    get(w, "GET http://127.0.0.1:%P/\nAuthorization: a\nCookie: b\nX: c\n");
    heard(w, "GET / Host=127.0.0.1:%P Authorization=a Cookie=b X=c\nGET / Host=localhost:%P X=c\n");
    close_world(w);
}

TEST(a_post_becomes_a_get_or_sends_its_body_again)
{
    struct world *w =
        open_world(ANSWERS("HTTP/1.1 303 F\r\nLocation: /get\r\nContent-Length: 0\r\n\r\n", OK,
                           "HTTP/1.1 308 F\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", OK),
                   NULL, NULL);

    start(w, "POST http://127.0.0.1:%P/\nContent-Type: t\n",
          (struct egress_request){.body = IPC_BODY_LENGTH, .length = 4});
    egress_body(w->call, SLICE("body"), true);
    run(w);
    heard(w, "POST / Host=127.0.0.1:%P Content-Type=t Content-Length=4\n+body\nGET /get "
             "Host=127.0.0.1:%P\n");
    start(w, "POST http://127.0.0.1:%P/\nContent-Type: t\n",
          (struct egress_request){.body = IPC_BODY_LENGTH, .length = 4});
    egress_body(w->call, SLICE("body"), true);
    run(w);
    heard(w, "POST / Host=127.0.0.1:%P Content-Type=t Content-Length=4\n+body\n"
             "POST /again Host=127.0.0.1:%P Content-Type=t Content-Length=4\n+body\n");
    assert_int_equal(w->taken, 8);
    close_world(w);
}

TEST(redirects_that_cannot_be_followed_fail)
{
    const char *loop = "HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
    struct world *w =
        open_world(ANSWERS(loop, loop, loop, loop), NULL, &(struct egress_limits){.redirects = 2});

    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed redirect\n");
    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){.redirect = EGRESS_ERROR});
    run(w);
    told(w, "failed redirect\n");
    w->origin->answers =
        ANSWERS("HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed redirect\n");
    w->origin->answers = ANSWERS(loop);
    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){.redirect = EGRESS_MANUAL});
    run(w);
    told(w, "302 [F] url=[] none\nLocation: /\nContent-Length: 0\nended\n");
    close_world(w);
}

TEST(rules_hold_for_names_addresses_and_every_hop)
{
    const struct egress_policy policy = {.allow = (const char *const[]){"127.0.0.1", NULL},
                                         .deny = (const char *const[]){"10.0.0.0/8", NULL}};
    const struct egress_policy private = {.deny = (const char *const[]){"private", NULL}};
    struct world *w = open_world(
        ANSWERS("HTTP/1.1 302 F\r\nLocation: http://10.1.2.3/\r\nContent-Length: 0\r\n\r\n", OK),
        &policy, NULL);

    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed egress_denied\n");
    get(w, "GET http://name.invalid/\n");
    told(w, "failed origin_name\n");
    get(w, "GET http://localhost:%P/\n");
    told(w, TOLD_OK);
    close_world(w);
    w = open_world(ANSWERS(OK), &private, NULL);
    get(w, "GET http://localhost:%P/\n");
    told(w, "failed egress_denied\n");
    assert_int_equal(w->origin->n, 0);
    close_world(w);
}

TEST(names_are_sent_where_the_configuration_says)
{
    char rule[100];
    struct world *w = open_world(ANSWERS(OK), NULL, NULL);
    struct err_note note = {0};
    const struct egress_policy bad = {.resolve = (const char *const[]){"a:b:c", NULL}};
    const struct egress_policy bad_ca = {.ca_files = (const char *const[]){"/nonexistent", NULL}};

    (void)snprintf(rule, sizeof(rule), "api.example.com:%u:127.0.0.1", w->origin->port);
    egress_free(w->egress);
    w->egress =
        egress_new(w->loop, &(struct egress_policy){.resolve = (const char *const[]){rule, NULL}},
                   NULL, &w->ws, &note);
    assert_non_null(w->egress);
    get(w, "GET http://api.example.com:%P/\n");
    told(w, TOLD_OK);
    heard(w, "GET / Host=api.example.com:%P\n");
    assert_null(egress_new(w->loop, &bad, NULL, &w->ws, &note));
    assert_non_null(strstr(note.text, "egress.resolve"));
    assert_null(egress_new(w->loop, &bad_ca, NULL, &w->ws, &note));
    assert_non_null(strstr(note.text, "egress.ca"));
    close_world(w);
}

TEST(a_service_is_reached_whatever_the_host_says)
{
    const struct egress_policy closed = {.deny = (const char *const[]){"private", NULL}};
    struct world *w = open_world(ANSWERS(OK), &closed, NULL);
    char service[100];

    (void)snprintf(service, sizeof(service), "http://127.0.0.1:%u", w->origin->port);
    start(w, "GET https://some.host/path\n", (struct egress_request){.service = service});
    run(w);
    told(w, TOLD_OK);
    heard(w, "GET /path Host=some.host\n");
    close_world(w);
}

TEST(failures_have_their_rows)
{
    struct world *w = open_world(ANSWERS("!", "", "nonsense\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                                         "Connection: close\r\n\r\nab"),
                                 NULL, &(struct egress_limits){.head_ms = 50});

    get(w, "GET http://127.0.0.1:1/\n");
    told(w, "failed refused\n");
    get(w, "GET http://name.invalid/\n");
    told(w, "failed origin_name\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed origin_lost\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed origin_timeout\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "failed origin_bad\n");
    get(w, "GET http://127.0.0.1:%P/\n");
    told(w, "200 [OK] url=[] length:5\nContent-Length: 5\n+ab\nfailed origin_lost\n");
    get(w, "GET ftp://127.0.0.1/\n");
    told(w, "failed fetch\n");
    get(w, "CONNECT http://127.0.0.1:%P/\n");
    told(w, "failed fetch\n");
    get(w, "GET http://127.0.0.1:%P/\nA: b\rc\n");
    told(w, "failed fetch\n");
    get(w, "nothing");
    told(w, "failed fetch\n");
    close_world(w);
}

TEST(more_calls_than_allowed_are_refused)
{
    struct world *w = open_world(ANSWERS(OK), NULL, &(struct egress_limits){.calls = 1});

    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){0});
    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){0});
    run(w);
    told(w, "failed overloaded\n");
    w->is_over = false;
    run(w);
    told(w, TOLD_OK);
    close_world(w);
}

TEST(a_cancelled_call_is_never_heard_of_again)
{
    struct world *w =
        open_world(ANSWERS(HI, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", HI), NULL, NULL);

    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){0});
    egress_cancel(w->call);
    settle(w, 5);
    told(w, "");
    w->is_cancelling = true;
    get(w, "GET http://127.0.0.1:%P/\n");
    settle(w, 5);
    told(w, "200 [OK] url=[] length:2\nContent-Length: 2\nX: y\n");
    assert_int_equal(egress_calls(w->egress), 0);
    w->is_cancelling = false;
    start(w, "GET http://127.0.0.1:%P/\n", (struct egress_request){0});
    settle(w, 5);
    close_world(w); /* with a call under way */
}

TEST(a_socket_is_opened_and_outlives_the_egress)
{
    struct world *w = open_world(ANSWERS("ws"), NULL, NULL);
    struct payload p = {.bytes = SLICE("ping?")};

    start(w,
          "GET ws://127.0.0.1:%P/chat?room=1\nSec-WebSocket-Protocol: chat\nSec-WebSocket-Version: "
          "7\n",
          (struct egress_request){.upgrade = true});
    run(w);
    heard(w,
          "GET /chat?room=1 Host=127.0.0.1:%P Sec-WebSocket-Protocol=chat Sec-WebSocket-Version=13 "
          "Connection=Upgrade Upgrade=websocket\n");
    assert_true(
        slice_starts(buf_slice(&w->told), SLICE("101 [Switching Protocols] url=[] none\n")));
    assert_true(slice_find_slice(buf_slice(&w->told), SLICE("Sec-WebSocket-Protocol: chat\n")) > 0);
    settle(w, 5);
    assert_true(slice_ends(buf_slice(&w->told), SLICE("message hello\n")));
    buf_clear(&w->told);
    egress_free(w->egress);
    w->egress = NULL;
    assert_int_equal(transport_send(w->socket, &p), 0);
    payload_done(&p);
    settle(w, 5);
    told(w, "message ping?\n");
    assert_int_equal(transport_close(w->socket, 4000, SLICE("bye")), 0);
    w->is_over = false;
    run(w);
    told(w, "closed 4000 1\n");
    heard(w, "closed 4000\n");
    close_world(w);
}

TEST(a_refused_upgrade_is_an_ordinary_response)
{
    struct world *w =
        open_world(ANSWERS("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno",
                           "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nplain",
                           "HTTP/1.1 302 F\r\nLocation: /to\r\nContent-Length: 0\r\n\r\n", "ws",
                           "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                           "Sec-WebSocket-Accept: wrong\r\n\r\n",
                           "!", "zzz\r\n\r\n"),
                   NULL, NULL);
    const struct egress_request upgrade = {.upgrade = true};

    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    told(w, "403 [No] url=[] length:2\nContent-Length: 2\n+no\nended\n");
    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    told(w, "200 [OK] url=[] stream\n+plain\nended\n");
    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    assert_non_null(w->socket);
    assert_true(slice_starts(buf_slice(&w->told),
                             SLICE("101 [Switching Protocols] url=[http://127.0.0.1:")));
    buf_clear(&w->told);
    transport_terminate(w->socket);
    w->socket = NULL;
    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    told(w, "failed ws_handshake\n");
    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    told(w, "failed origin_lost\n");
    start(w, "GET http://127.0.0.1:%P/\n", upgrade);
    run(w);
    told(w, "failed origin_bad\n");
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_comes_with_its_head_and_body),
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(bodies_of_every_framing_come_through),
        cmocka_unit_test(content_codings_are_passed_through),
        cmocka_unit_test(request_bodies_are_sent_as_they_come),
        cmocka_unit_test(a_body_that_is_not_what_was_announced_fails),
        cmocka_unit_test(response_bytes_wait_for_credit),
        cmocka_unit_test(redirects_are_followed_and_told),
        cmocka_unit_test(another_origin_gets_no_secrets),
        cmocka_unit_test(a_post_becomes_a_get_or_sends_its_body_again),
        cmocka_unit_test(redirects_that_cannot_be_followed_fail),
        cmocka_unit_test(rules_hold_for_names_addresses_and_every_hop),
        cmocka_unit_test(names_are_sent_where_the_configuration_says),
        cmocka_unit_test(a_service_is_reached_whatever_the_host_says),
        cmocka_unit_test(failures_have_their_rows),
        cmocka_unit_test(more_calls_than_allowed_are_refused),
        cmocka_unit_test(a_cancelled_call_is_never_heard_of_again),
        cmocka_unit_test(a_socket_is_opened_and_outlives_the_egress),
        cmocka_unit_test(a_refused_upgrade_is_an_ordinary_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
