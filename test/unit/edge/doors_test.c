/* Who is let in and who waits, over real sockets on 127.0.0.1. */
#include "edge/doors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conn/http1_server.h"
#include "edge/edge_int.h"
#include "io/loop.h"
#include "io/tls.h"
#include "lib/test.h"

#define GET "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
#define METRICS "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"

static struct loop *loop;
static struct edge *edge;
static uint16_t port;
static int fds[8];
static unsigned n_fds;

static void open_edge(struct edge_options o)
{
    const struct app_config app = {.name = "app", .assets.dir = "/tmp"};
    struct err_note note = {0};

    loop = loop_new();
    o.count = 1;
    o.apps = &app;
    o.n_apps = 1;
    edge = edge_new(loop, &o, &note);
    if (!edge)
        fail_msg("%s", note.text);
    edge_introduce(&edge, 1);
}

static void listen_at(enum edge_door door, bool proxy_protocol)
{
    const struct edge_address at = {.host = "127.0.0.1", .proxy_protocol = proxy_protocol};
    struct err_note note = {0};

    if (edge_listen(edge, door, &at, &port, &note) < 0)
        fail_msg("%s", note.text);
}

static int teardown(void **state)
{
    while (n_fds)
        (void)close(fds[--n_fds]);
    doors_close(edge);
    edge_free(edge);
    for (unsigned i = 0; i < 5; i++)
        loop_tick(loop, 0);
    loop_free(loop);
    return 0;
}

static int dial(void)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = fds[n_fds++] = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int ask_with(const char *text)
{
    const int fd = dial();

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* Whether an answer comes within half a second that begins so; "" is the end. */
static bool hears(int fd, const char *want)
{
    char text[64];
    ssize_t n = -1;

    for (unsigned i = 0; i < 50 && n < 0; i++) {
        loop_tick(loop, 10);
        n = recv(fd, text, sizeof(text), 0);
    }
    return n == (*want ? MIN(n, (ssize_t)sizeof(text)) : 0) &&
           slice_starts(slice_make(text, (size_t)MAX(n, 0)), slice_str(want));
}

/* Whether that text is somewhere in what comes. */
static bool hears_at_all(int fd, const char *want)
{
    static char text[1 << 16];
    size_t n = 0;

    for (unsigned i = 0; i < 50 && !memmem(text, n, want, strlen(want)); i++) {
        const ssize_t more = recv(fd, text + n, sizeof(text) - n, 0);

        n += more > 0 ? (size_t)more : 0;
        loop_tick(loop, 10);
    }
    return memmem(text, n, want, strlen(want)) != NULL;
}

#define ANSWER "HTTP/1.1 "

TEST(so_many_are_here_and_the_next_waits_until_one_has_gone)
{
    int first, third;

    open_edge((struct edge_options){.max_connections = 2});
    listen_at(EDGE_PUBLIC, false);
    first = ask_with(GET);
    assert_true(hears(first, ANSWER));
    assert_true(hears(ask_with(GET), ANSWER));
    third = ask_with(GET);
    assert_false(hears(third, ANSWER));
    (void)shutdown(first, SHUT_RDWR);
    assert_true(hears(third, ANSWER));
}

TEST(the_control_door_has_places_of_its_own)
{
    uint16_t public;
    int first, second;

    open_edge((struct edge_options){.max_connections = 1, .grip.control_clients = 1});
    listen_at(EDGE_PUBLIC, false);
    public = port;
    listen_at(EDGE_CONTROL, false);
    first = ask_with(GET);
    assert_true(hears(first, ANSWER "200"));
    second = ask_with(GET);
    assert_false(hears(second, ANSWER));
    (void)shutdown(first, SHUT_RDWR);
    assert_true(hears(second, ANSWER "200"));
    port = public; /* two have been at the other one */
    assert_true(hears(ask_with(GET), ANSWER "404"));
}

TEST(one_client_has_so_many_places_and_gets_them_back)
{
    int first;

    open_edge((struct edge_options){.max_per_client = 1});
    listen_at(EDGE_PUBLIC, false);
    first = ask_with(GET);
    assert_true(hears(first, ANSWER "404"));
    assert_true(hears(ask_with(GET), ANSWER "503"));
    assert_int_equal(edge->stats.refused_client, 1);
    (void)shutdown(first, SHUT_RDWR);
    for (unsigned i = 0; i < 5; i++)
        loop_tick(loop, 10);
    assert_true(hears(ask_with(GET), ANSWER "404"));
}

TEST(a_connection_without_a_descriptor_is_closed_and_counted)
{
    struct rlimit limit, low;
    int first, control;

    open_edge((struct edge_options){0});
    listen_at(EDGE_CONTROL, false);
    control = dial();
    assert_false(hears(control, ANSWER)); /* accepted */
    listen_at(EDGE_PUBLIC, false);
    first = ask_with(GET);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)first + 1; /* everything below is taken */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    loop_tick(loop, 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(hears(first, ""));
    assert_true(hears(ask_with(GET), ANSWER "404"));
    assert_int_equal(write(control, METRICS, strlen(METRICS)), strlen(METRICS));
    assert_true(hears_at_all(control, "connections_refused_total{why=\"descriptors\"} 1\n"));
}

TEST(trusted_proxies_have_no_such_limit)
{
    static const char *const trusted[] = {"127.0.0.0/8", NULL};

    open_edge((struct edge_options){.max_per_client = 1, .trusted_proxies = trusted});
    listen_at(EDGE_PUBLIC, false);
    for (unsigned i = 0; i < 3; i++)
        assert_true(hears(ask_with(GET), ANSWER "404"));
}

TEST(the_address_of_a_proxy_header_counts_as_the_clients)
{
    open_edge((struct edge_options){.max_per_client = 1});
    listen_at(EDGE_PUBLIC, true);
    assert_true(hears(ask_with("PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n" GET), ANSWER "404"));
    assert_true(hears(ask_with("PROXY TCP4 192.0.2.3 192.0.2.2 5 80\r\n" GET), ANSWER "404"));
    assert_true(hears(ask_with("PROXY TCP4 192.0.2.1 192.0.2.2 6 80\r\n" GET), ANSWER "503"));
    assert_true(hears(ask_with("PROXY TCP6 2001:db8::1 ::1 5 80\r\n" GET), ANSWER "404"));
    assert_true(hears(ask_with("PROXY TCP6 2001:db8::2 ::1 6 80\r\n" GET), ANSWER "503"));
    assert_true(hears(ask_with("PROXY nonsense\r\n" GET), ""));
    assert_int_equal(edge->stats.refused_preface, 1);
}

TEST(there_are_so_many_listeners)
{
    const struct edge_address at = {.host = "127.0.0.1"};
    struct err_note note = {0};

    open_edge((struct edge_options){0});
    for (unsigned i = 0; i < EDGE_LISTENERS; i++)
        listen_at(EDGE_PUBLIC, false);
    assert_int_equal(edge_listen(edge, EDGE_PUBLIC, &at, NULL, &note), -ERR_CONFIG);
    assert_string_equal(note.text, "more than 16 listeners");
}

TEST(a_listener_that_fails_leaves_no_trace)
{
    const struct tls_certificate none = {"/nowhere.pem", "/nowhere.key"};
    const struct tls_options tls = {.certificates = &none, .n_certificates = 1};
    const struct edge_address encrypted = {.host = "127.0.0.1", .tls = &tls},
                              nowhere = {.host = "192.0.2.1"};
    struct err_note note = {0};

    open_edge((struct edge_options){0});
    assert_int_equal(edge_listen(edge, EDGE_PUBLIC, &encrypted, NULL, &note), -ERR_CONFIG);
    assert_int_equal(edge_listen(edge, EDGE_PUBLIC, &nowhere, NULL, &note), -ERR_OS);
    assert_int_equal(edge->n_listeners, 0);
    listen_at(EDGE_PUBLIC, false);
    assert_true(hears(ask_with(GET), ANSWER "404"));
}

TEST(a_unix_socket_has_its_mode_and_no_address)
{
    char path[] = "/tmp/holdfast-doors-XXXXXX";
    const struct edge_address at = {.path = path, .mode = 0640};
    struct err_note note = {0};
    struct stat st;

    assert_true(mkstemp(path) >= 0);
    (void)unlink(path);
    open_edge((struct edge_options){.max_per_client = 1});
    assert_int_equal(edge_listen(edge, EDGE_PUBLIC, &at, NULL, &note), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    doors_close(edge);
    assert_int_not_equal(stat(path, &st), 0);
}

TEST(shut_public_doors_leave_the_control_door_open)
{
    uint16_t public;

    open_edge((struct edge_options){0});
    listen_at(EDGE_PUBLIC, false);
    public = port;
    listen_at(EDGE_CONTROL, false);
    doors_shut(edge);
    assert_true(hears(ask_with(GET), ANSWER "200"));
    doors_close(edge);
    port = public;

    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = fds[n_fds++] = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), -1);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        T(so_many_are_here_and_the_next_waits_until_one_has_gone),
        T(the_control_door_has_places_of_its_own),
        T(one_client_has_so_many_places_and_gets_them_back),
        T(a_connection_without_a_descriptor_is_closed_and_counted),
        T(trusted_proxies_have_no_such_limit),
        T(the_address_of_a_proxy_header_counts_as_the_clients),
        T(there_are_so_many_listeners),
        T(a_listener_that_fails_leaves_no_trace),
        T(a_unix_socket_has_its_mode_and_no_address),
        T(shut_public_doors_leave_the_control_door_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
