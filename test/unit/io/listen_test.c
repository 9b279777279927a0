#include "io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/test.h"

static struct stream *accepted[64];
static int count;

static void on_accepted(void *arg, struct stream *s)
{
    accepted[count++] = s;
}

static const struct listen_ops ops = {on_accepted};

static int fresh(void **state)
{
    count = 0;
    return 0;
}

static void drop_all(void)
{
    for (int i = 0; i < count; i++)
        stream_doom(accepted[i]);
    count = 0;
}

static int dial(uint16_t port)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void ticks(struct loop *l, int n)
{
    while (n-- > 0)
        loop_tick(l, 0);
}

TEST(any_port_accepts_a_bounded_number_a_tick)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1", .budget = 2};
    struct listener *li = listen_open(l, &o, &ops, NULL, NULL);
    int fds[5];

    assert_int_not_equal(listen_port(li), 0);
    for (int i = 0; i < 5; i++)
        fds[i] = dial(listen_port(li));
    loop_tick(l, 100);
    assert_int_equal(count, 2);
    ticks(l, 2);
    assert_int_equal(count, 5);
    drop_all();
    listen_close(li);
    loop_free(l);
    for (int i = 0; i < 5; i++)
        (void)close(fds[i]);
}

TEST(a_paused_listener_leaves_connections_waiting)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1"};
    struct listener *li = listen_open(l, &o, &ops, NULL, NULL);
    int fd;

    listen_pause(li);
    fd = dial(listen_port(li));
    ticks(l, 5);
    assert_int_equal(count, 0);
    listen_resume(li);
    ticks(l, 2);
    assert_int_equal(count, 1);
    drop_all();
    listen_close(li);
    loop_free(l);
    (void)close(fd);
}

TEST(accepted_sockets_do_not_delay)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "localhost"};
    struct listener *li = listen_open(l, &o, &ops, NULL, NULL);
    const int client = dial(listen_port(li));
    int on = 0, fd = -1;
    socklen_t n = sizeof(on);

    loop_tick(l, 100);
    assert_int_equal(count, 1);
    for (int i = 3; i < 64 && fd < 0; i++) {
        struct sockaddr_in a;
        socklen_t size = sizeof(a);

        if (i != client && getpeername(i, (struct sockaddr *)&a, &size) == 0)
            fd = i;
    }
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    assert_int_equal(on, 1);
    drop_all();
    listen_close(li);
    loop_free(l);
    (void)close(client);
}

TEST(a_port_that_another_program_has_is_refused_and_said)
{
    struct loop *l = loop_new();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    const int other = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct listen_options o = {.host = "127.0.0.1"};
    struct err_note note = {0};

    /* Also one that shares its port. */
    assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    assert_int_equal(bind(other, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(other, 1), 0);
    assert_int_equal(getsockname(other, (struct sockaddr *)&a, &n), 0);
    o.port = ntohs(a.sin_port);
    assert_null(listen_open(l, &o, &ops, NULL, &note));
    assert_non_null(strstr(note.text, "Address already in use"));
    (void)close(other);
    loop_free(l);
}

TEST(siblings_share_a_port)
{
    struct loop *l = loop_new();
    struct listen_options o = {.host = "127.0.0.1"};
    struct listener *first = listen_open(l, &o, &ops, NULL, NULL), *second;

    o.port = listen_port(first);
    o.shared = true;
    second = listen_open(l, &o, &ops, NULL, NULL);
    assert_non_null(second);
    assert_int_equal(listen_port(second), o.port);
    listen_close(first);
    listen_close(second);
    loop_free(l);
}

TEST(not_an_address_is_said)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "example.com", .port = 80};
    struct err_note note = {0};

    assert_null(listen_open(l, &o, &ops, NULL, &note));
    assert_string_equal(note.text, "cannot listen at example.com:80: not an IP address");
    loop_free(l);
}

TEST(both_families_are_heard_at_once_and_ipv4_looks_like_ipv4)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "::"};
    struct err_note note = {0};
    struct listener *li = listen_open(l, &o, &ops, NULL, &note);
    char text[64];
    int fd;

    if (!li) { /* a machine without IPv6 */
        loop_free(l);
        skip();
    }
    fd = dial(listen_port(li));
    loop_tick(l, 100);
    assert_int_equal(count, 1);
    assert_true(slice_eq(stream_peer(accepted[0], text, NULL), SLICE("127.0.0.1")));
    drop_all();
    listen_close(li);
    loop_free(l);
    (void)close(fd);
}

TEST(a_unix_path_replaces_what_a_dead_server_left_but_not_a_live_one)
{
    struct loop *l = loop_new();
    char path[] = "/tmp/holdfast-listen-XXXXXX";
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct listen_options o = {.path = path};
    struct err_note note = {0};
    struct listener *li;
    int fd = mkstemp(path);

    (void)close(fd);
    (void)unlink(path);
    memcpy(a.sun_path, path, sizeof(path));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    (void)close(fd); /* died without unlink */

    li = listen_open(l, &o, &ops, NULL, &note);
    assert_non_null(li);
    assert_int_equal(listen_port(li), 0);
    assert_null(listen_open(l, &o, &ops, NULL, &note));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    loop_tick(l, 100);
    drop_all();
    listen_close(li);
    assert_int_not_equal(access(path, F_OK), 0);
    loop_free(l);
    (void)close(fd);
}

TEST(out_of_descriptors_turns_away_and_recovers)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1"};
    struct listener *li = listen_open(l, &o, &ops, NULL, NULL);
    const int one = dial(listen_port(li)), two = dial(listen_port(li));
    struct rlimit limit, low;
    char c;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)two + 1; /* everything below is taken */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    loop_tick(l, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(count, 0);
    assert_int_equal(listen_refused(li), 1);
    assert_int_equal(read(one, &c, 1), 0); /* told at once */
    for (int i = 0; i < 4000 && count == 0; i++)
        loop_tick(l, 50);
    assert_int_equal(count, 1); /* the other was only kept waiting */
    drop_all();
    listen_close(li);
    loop_free(l);
    (void)close(one);
    (void)close(two);
}

/* --- prefaces and admission --- */

static int left;
static bool is_open = true;

/* "!" and a digit: the client is 192.0.2.DIGIT. */
static ssize_t on_preface(void *arg, struct slice seen, struct stream_address *ret)
{
    if (seen.p[0] != '!')
        return -ERR_SYNTAX;
    if (seen.n < 2)
        return 0;
    *ret = (struct stream_address){.ip = {[10] = 0xff, 0xff, 192, 0, 2, (uint8_t)(seen.p[1] - '0')},
                                   .port = 9,
                                   .is_known = true};
    return 2;
}

static void on_left(void *arg, const struct stream_address *from)
{
    left++;
}

static bool on_admit(void *arg, const struct stream_address *from, struct stream_origin *ret)
{
    ret->closed = on_left;
    return is_open;
}

static const struct listen_ops gate = {on_accepted, on_preface, on_admit};

static char first_byte;

static void on_data(void *arg, struct span in)
{
    first_byte = (char)in.p[0];
}

static void on_end(void *arg)
{
}

static void on_lost(void *arg, int err)
{
}

static const struct stream_ops ears = {on_data, on_end, NULL, on_lost};

TEST(a_preface_says_who_it_is_and_is_not_part_of_the_stream)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1", .preface = true};
    struct listener *li = listen_open(l, &o, &gate, NULL, NULL);
    const int fd = dial(listen_port(li));
    char room[64];
    uint16_t port;

    left = 0;
    is_open = true;
    ticks(l, 3);
    assert_int_equal(write(fd, "!", 1), 1);
    ticks(l, 3);
    assert_int_equal(count, 0);
    assert_int_equal(write(fd, "7x", 2), 2);
    ticks(l, 3);
    assert_int_equal(count, 1);
    assert_true(slice_eq(stream_peer(accepted[0], room, &port), SLICE("192.0.2.7")));
    assert_int_equal(port, 9);
    stream_attach(accepted[0], &ears, NULL);
    stream_resume(accepted[0]);
    ticks(l, 3);
    assert_int_equal(first_byte, 'x');
    drop_all();
    ticks(l, 3);
    assert_int_equal(left, 1);
    listen_close(li);
    loop_free(l);
    (void)close(fd);
}

TEST(without_its_preface_a_connection_is_closed)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1", .preface = true};
    struct listener *li = listen_open(l, &o, &gate, NULL, NULL);
    const int wrong = dial(listen_port(li)), gone = dial(listen_port(li)),
              quiet = dial(listen_port(li));
    char byte;

    assert_int_equal(write(wrong, "x", 1), 1);
    assert_int_equal(write(gone, "!", 1), 1);
    (void)shutdown(gone, SHUT_WR);
    ticks(l, 5);
    assert_int_equal(count, 0);
    assert_int_equal(listen_refused(li), 0);
    assert_true(read(wrong, &byte, 1) <= 0);
    assert_true(read(gone, &byte, 1) <= 0);
    listen_close(li); /* one still waits */
    assert_true(read(quiet, &byte, 1) <= 0);
    loop_free(l);
    (void)close(wrong);
    (void)close(gone);
    (void)close(quiet);
}

static bool has_descriptors(rlim_t n)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_max < n)
        return false;
    l.rlim_cur = MAX(l.rlim_cur, n);
    return setrlimit(RLIMIT_NOFILE, &l) == 0;
}

static bool is_open_still(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

TEST(of_too_many_that_owe_their_preface_the_oldest_goes)
{
    enum { WAITING_MAX = 4096 }; /* as in listen.c */
    static int fds[WAITING_MAX + 1];
    struct loop *l;
    struct listener *li;

    if (!has_descriptors(2 * WAITING_MAX + 100))
        skip();
    l = loop_new();
    li = listen_open(l, &(struct listen_options){.host = "127.0.0.1", .preface = true}, &gate, NULL,
                     NULL);
    for (int i = 0; i < WAITING_MAX; i++) {
        fds[i] = dial(listen_port(li));
        ticks(l, i % 32 == 31 ? 3 : 0);
    }
    assert_true(is_open_still(fds[0]));
    fds[WAITING_MAX] = dial(listen_port(li));
    ticks(l, 3);
    assert_false(is_open_still(fds[0]));
    assert_true(is_open_still(fds[1]) && is_open_still(fds[WAITING_MAX]));
    listen_close(li);
    loop_free(l);
    for (int i = 0; i <= WAITING_MAX; i++)
        (void)close(fds[i]);
}

TEST(who_is_not_admitted_hears_503)
{
    struct loop *l = loop_new();
    const struct listen_options o = {.host = "127.0.0.1"};
    struct listener *li = listen_open(l, &o, &gate, NULL, NULL);
    char got[64] = "";
    int fd;

    left = 0;
    is_open = false;
    fd = dial(listen_port(li));
    ticks(l, 3);
    assert_int_equal(count, 0);
    assert_true(read(fd, got, sizeof(got) - 1) > 12);
    assert_memory_equal(got, "HTTP/1.1 503", 12);
    (void)close(fd);
    is_open = true;
    fd = dial(listen_port(li));
    ticks(l, 3);
    assert_int_equal(count, 1);
    assert_true(slice_eq(stream_peer(accepted[0], got, NULL), SLICE("127.0.0.1")));
    drop_all();
    listen_close(li);
    loop_free(l);
    assert_int_equal(left, 1);
    (void)close(fd);
}

#define FRESH(t) cmocka_unit_test_setup(t, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(any_port_accepts_a_bounded_number_a_tick),
        FRESH(a_paused_listener_leaves_connections_waiting),
        FRESH(accepted_sockets_do_not_delay),
        FRESH(a_port_that_another_program_has_is_refused_and_said),
        FRESH(siblings_share_a_port),
        FRESH(not_an_address_is_said),
        FRESH(both_families_are_heard_at_once_and_ipv4_looks_like_ipv4),
        FRESH(a_preface_says_who_it_is_and_is_not_part_of_the_stream),
        FRESH(without_its_preface_a_connection_is_closed),
        FRESH(of_too_many_that_owe_their_preface_the_oldest_goes),
        FRESH(who_is_not_admitted_hears_503),
        FRESH(a_unix_path_replaces_what_a_dead_server_left_but_not_a_live_one),
        FRESH(out_of_descriptors_turns_away_and_recovers),
    };

    return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
