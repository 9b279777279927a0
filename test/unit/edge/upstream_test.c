/* Calls of an application's targets, which are servers on the same loop. */
#include "edge/upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/edge_int.h"
#include "edge/origin_route.h"
#include "edge/upstream_int.h"
#include "lib/origin_lab.h"

enum { TARGETS = 33 }; /* one more than are tried */

static struct loop *loop;
static struct origin *origins[TARGETS];
static struct app_origin_target targets[TARGETS];
static struct edge *edge;
static struct app *app;
static struct upstream_call *call;
static struct buf told;
static size_t body, taken;
static bool is_over;

/* --- facts --- */

static void on_response(void *arg, const struct upstream_response *r)
{
    static const char *const bodies[] = {"none", "length", "stream"};

    if (!r->socket) {
        (void)buf_addf(&told, "%u %s %.*s", r->status, bodies[r->body], SLICE_FMT(r->head));
        return;
    }
    (void)buf_addf(&told, "a socket");
    transport_terminate(r->socket);
    is_over = true;
}

static void on_body(void *arg, struct slice bytes)
{
    body += bytes.n;
}

static void on_ended(void *arg)
{
    (void)buf_addf(&told, "ended");
    is_over = true;
}

static void on_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    static const char *const names[] = {"not reached", "not sent", "sent", "cut"};

    (void)buf_addf(&told, "%s: %s", names[reached], err_label(err));
    assert_true(text.n > 0);
    is_over = true;
}

static void on_taken(void *arg, size_t n)
{
    taken += n;
}

static const struct upstream_ops facts = {on_response, on_body, on_ended, on_failed, on_taken};

/* --- the world --- */

static int setup(void **state)
{
    loop = loop_new();
    buf_init(&told, 1 << 20);
    return 0;
}

static void settle(void)
{
    for (unsigned i = 0; i < 5; i++)
        loop_tick(loop, 2);
}

static int teardown(void **state)
{
    edge_free(edge);
    settle();
    for (unsigned i = 0; i < TARGETS; i++) {
        if (origins[i])
            origin_close(origins[i]);
        origins[i] = NULL;
    }
    settle();
    loop_free(loop);
    buf_done(&told);
    memset(targets, 0, sizeof(targets));
    return 0;
}

static void add_target(unsigned i, const char *const *answers)
{
    origins[i] = origin_open(loop, answers);
    targets[i].host = targets[i].name = "127.0.0.1";
    targets[i].port = origins[i]->port;
}

/* Nobody listens there. */
static void add_dead_target(unsigned i)
{
    add_target(i, ANSWERS(NULL));
    origin_close(origins[i]);
    origins[i] = NULL;
}

static void open_app(unsigned n, struct app_origin o)
{
    const struct app_origin_route route = {.targets = targets, .n_targets = n};
    const struct app_config config = {.name = "app", .origin = &o};
    const struct edge_options options = {.count = 1, .apps = &config, .n_apps = 1};
    struct err_note note = {0};

    o.routes = &route;
    o.n_routes = 1;
    edge = edge_new(loop, &options, &note);
    if (!edge)
        fail_msg("%s", note.text);
    edge_introduce(&edge, 1);
    app = edge->apps[0];
}

/* One target with these answers. */
static void open_world(const char *const *answers)
{
    add_target(0, answers);
    open_app(1, (struct app_origin){0});
}

static void start(struct upstream_request r)
{
    const struct origin_wish wish = {SLICE("h"), SLICE("/"), r.upgrade, false};

    r.route = origin_route_find(app->routes, &wish);
    if (!r.method.n)
        r.method = SLICE("GET");
    if (!r.path.n)
        r.path = SLICE("/");
    r.host = SLICE("h");
    is_over = false;
    body = taken = 0;
    call = upstream_start(app, &r, &facts, NULL);
    assert_false(is_over);
}

static void expect(const char *want)
{
    for (unsigned i = 0; i < 4000 && !is_over; i++)
        loop_tick(loop, 10);
    assert_true(is_over);
    expect_text(&told, want, 0);
}

static void get(const char *want)
{
    start((struct upstream_request){0});
    expect(want);
}

#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nhi"
#define TOLD_HI "200 length X: y\nended"

/* --- connections --- */

TEST(a_connection_is_kept_and_used_again)
{
    open_world(ANSWERS(HI, HI, HI));
    for (unsigned i = 0; i < 3; i++)
        get(TOLD_HI);
    assert_int_equal(origins[0]->n, 1);
    assert_int_equal(edge->stats.upstream_connects, 1);
    assert_int_equal(edge->stats.upstream_requests, 3);
    assert_int_equal(edge->stats.upstream_open, 0);
}

TEST(a_connection_that_the_origin_ends_is_not)
{
    open_world(ANSWERS("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", HI));
    get("200 none ended");
    get(TOLD_HI);
    assert_int_equal(origins[0]->n, 2);
}

TEST(settings_that_are_new_want_new_connections)
{
    open_world(ANSWERS(HI, HI));
    get(TOLD_HI);
    upstreams_reset(app->upstreams);
    get(TOLD_HI);
    assert_int_equal(origins[0]->n, 2);
}

/* A kept connection that breaks at the second request, whose body came in two parts. */
static void send_twice(size_t n, const char *want)
{
    static char bytes[UPSTREAM_KEEP + 2];

    memset(bytes, 'x', sizeof(bytes));
    get(TOLD_HI);
    start((struct upstream_request){
        .method = SLICE("POST"), .body = EXCHANGE_BODY_LENGTH, .length = n, .content = SLICE("x")});
    for (unsigned i = 0; i < 4000 && taken == 0; i++)
        loop_tick(loop, 10);
    assert_int_equal(taken, 1);
    upstream_body(call, slice_make(bytes, n - 1), true);
    expect(want);
}

TEST(a_request_is_repeated_while_its_body_is_kept)
{
    open_world(ANSWERS(HI, "!", HI));
    send_twice(UPSTREAM_KEEP, TOLD_HI);
    assert_int_equal(edge->stats.upstream_repeated, 1);
    assert_int_equal(origins[0]->n, 2);
}

TEST(one_byte_more_is_not_kept)
{
    open_world(ANSWERS(HI, "!", HI));
    send_twice(UPSTREAM_KEEP + 1, "sent: origin_lost");
    assert_int_equal(edge->stats.upstream_repeated, 0);
    assert_int_equal(origins[0]->n, 1);
}

TEST(a_new_connection_that_breaks_is_an_answer)
{
    open_world(ANSWERS("!", HI));
    get("sent: origin_lost");
    assert_int_equal(edge->stats.upstream_failed, 1);
}

/* --- targets --- */

TEST(the_next_target_is_asked_when_one_is_not_reached)
{
    add_dead_target(0);
    add_target(1, ANSWERS(HI));
    open_app(2, (struct app_origin){0});
    get(TOLD_HI);
    assert_int_equal(edge->stats.upstream_unreached, 1);
}

TEST(a_target_that_fails_often_is_passed_over_for_a_while)
{
    add_dead_target(0);
    add_target(1, ANSWERS(HI, HI, HI, HI));
    open_app(2, (struct app_origin){.breaker_failures = 2, .breaker_ms = 2000});
    get(TOLD_HI);
    assert_int_equal(edge->stats.upstream_rests, 0);
    get(TOLD_HI);
    assert_int_equal(edge->stats.upstream_rests, 1);
    get(TOLD_HI);
    assert_int_equal(edge->stats.upstream_unreached, 2);
    usleep(2050000);
    get(TOLD_HI);
    assert_int_equal(edge->stats.upstream_unreached, 3);
}

TEST(nobody_there_is_said_with_all_names)
{
    add_dead_target(0);
    add_dead_target(1);
    open_app(2, (struct app_origin){.breaker_failures = 1});
    get("not reached: refused");
    /* Both rest: one call tries, the others do not wait. */
    get("not reached: refused");
    assert_int_equal(edge->stats.upstream_unreached, 2);
}

TEST(so_many_targets_are_tried)
{
    add_dead_target(0);
    for (unsigned i = 1; i < TARGETS; i++)
        targets[i] = targets[0];
    add_target(TARGETS - 1, ANSWERS(HI));
    open_app(TARGETS, (struct app_origin){0});
    get("not reached: refused"); /* the last is one too many */
}

TEST(so_many_requests_and_no_more)
{
    struct upstream_call *first;

    add_target(0, ANSWERS("", HI));
    open_app(1, (struct app_origin){.requests = 1});
    start((struct upstream_request){0});
    first = call;
    for (unsigned i = 0; i < 4000 && origins[0]->heard.n == 0; i++)
        loop_tick(loop, 10);
    get("not reached: overloaded");
    upstream_cancel(first);
    settle();
    get(TOLD_HI);
}

/* A target that accepts in its kernel and never says anything. */
static int open_deaf_target(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 4096), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    targets[0].host = targets[0].name = "127.0.0.1";
    targets[0].port = ntohs(at.sin_port);
    return fd;
}

static bool has_descriptors(rlim_t n)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_max < n)
        return false;
    l.rlim_cur = MAX(l.rlim_cur, n);
    return setrlimit(RLIMIT_NOFILE, &l) == 0;
}

static void run_until(const int64_t *gauge, int64_t want)
{
    for (unsigned i = 0; i < 2000 && *gauge != want; i++)
        loop_tick(loop, 5);
    assert_int_equal(*gauge, want);
}

TEST(so_many_connections_the_rest_waits_in_a_line_that_has_an_end)
{
    struct upstream_call *first;
    int fd;

    if (!has_descriptors(UPSTREAM__CONNECTIONS + 200))
        skip();
    fd = open_deaf_target();
    open_app(1, (struct app_origin){0});
    start((struct upstream_request){0});
    first = call;
    for (unsigned i = 1; i < UPSTREAM__CONNECTIONS + 1; i++)
        start((struct upstream_request){0});
    run_until(&edge->stats.upstream_waiting, 1);
    assert_int_equal(edge->stats.upstream_open, UPSTREAM__CONNECTIONS + 1);
    /* One that goes makes room for the one that waits. */
    upstream_cancel(first);
    run_until(&edge->stats.upstream_waiting, 0);
    for (unsigned i = 0; i < UPSTREAM__LINE; i++)
        start((struct upstream_request){0});
    run_until(&edge->stats.upstream_waiting, UPSTREAM__LINE);
    assert_int_equal(edge->stats.upstream_failed, 0);
    start((struct upstream_request){0});
    expect("not reached: overloaded");
    assert_int_equal(edge->stats.upstream_waiting, UPSTREAM__LINE);
    upstreams_reset(app->upstreams);
    (void)close(fd);
}

/* --- time and credit --- */

TEST(an_origin_that_is_silent_has_failed)
{
    add_target(0, ANSWERS(""));
    open_app(1, (struct app_origin){.response_ms = 50});
    get("sent: origin_timeout");
}

TEST(a_response_that_must_go_on_and_does_not_is_cut)
{
    add_target(0, ANSWERS("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi"));
    open_app(1, (struct app_origin){.response_ms = 50});
    start((struct upstream_request){.hurries = true});
    expect("200 length cut: origin_timeout");
    assert_int_equal(body, 2);
}

TEST(a_body_comes_as_far_as_it_is_wanted)
{
    CLEANUP(buf_done) struct buf answer = {.max = 1 << 20};

    (void)buf_addf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%*d", UPSTREAM_WINDOW + 1,
                   UPSTREAM_WINDOW + 1, 7);
    (void)buf_add_byte(&answer, 0);
    open_world(ANSWERS((const char *)answer.p));
    start((struct upstream_request){0});
    for (unsigned i = 0; i < 4000 && body < UPSTREAM_WINDOW; i++)
        loop_tick(loop, 10);
    settle();
    assert_int_equal(body, UPSTREAM_WINDOW);
    assert_false(is_over);
    upstream_credit(call, 1);
    expect("200 length ended");
    assert_int_equal(body, UPSTREAM_WINDOW + 1);
}

TEST(who_asks_wrongly_is_told)
{
    open_world(ANSWERS(""));
    start((struct upstream_request){
        .method = SLICE("POST"), .body = EXCHANGE_BODY_LENGTH, .length = 3, .content = SLICE("x")});
    upstream_body(call, SLICE("yyy"), true);
    expect("not reached: fetch");
    start((struct upstream_request){
        .method = SLICE("POST"), .body = EXCHANGE_BODY_LENGTH, .length = 3, .content = SLICE("x")});
    upstream_body(call, SLICE("y"), true);
    expect("not reached: fetch");
    start((struct upstream_request){.direct = SLICE("ftp://h/")});
    expect("not reached: fetch");
    start((struct upstream_request){.direct = SLICE("http://h:99999")});
    expect("not reached: fetch");
}

/* --- sockets --- */

TEST(an_upgrade_gives_the_connection_away)
{
    open_world(ANSWERS("ws", HI));
    start((struct upstream_request){.upgrade = true});
    expect("a socket");
    get(TOLD_HI);
    assert_int_equal(origins[0]->n, 2);
}

TEST(an_upgrade_that_is_not_granted_is_a_response)
{
    open_world(ANSWERS(HI));
    start((struct upstream_request){.upgrade = true});
    expect(TOLD_HI);
}

TEST(calls_of_an_application_that_goes_are_over_in_silence)
{
    open_world(ANSWERS(""));
    start((struct upstream_request){0});
    settle();
    assert_int_equal(edge->stats.upstream_open, 1);
    edge_free(edge);
    edge = NULL;
    settle();
    assert_int_equal(told.n, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_connection_is_kept_and_used_again),
        T(a_connection_that_the_origin_ends_is_not),
        T(settings_that_are_new_want_new_connections),
        T(a_request_is_repeated_while_its_body_is_kept),
        T(one_byte_more_is_not_kept),
        T(a_new_connection_that_breaks_is_an_answer),
        T(the_next_target_is_asked_when_one_is_not_reached),
        T(a_target_that_fails_often_is_passed_over_for_a_while),
        T(nobody_there_is_said_with_all_names),
        T(so_many_targets_are_tried),
        T(so_many_requests_and_no_more),
        T(so_many_connections_the_rest_waits_in_a_line_that_has_an_end),
        T(an_origin_that_is_silent_has_failed),
        T(a_response_that_must_go_on_and_does_not_is_cut),
        T(a_body_comes_as_far_as_it_is_wanted),
        T(who_asks_wrongly_is_told),
        T(an_upgrade_gives_the_connection_away),
        T(an_upgrade_that_is_not_granted_is_a_response),
        T(calls_of_an_application_that_goes_are_over_in_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
