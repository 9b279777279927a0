#include "io/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/child.h"
#include "lib/test.h"

/* Who owns a stream in these tests, and what it heard. */
struct ear {
    struct stream *stream;
    struct buf bytes;
    int reads;
    int ended;
    int sent;
    int lost;
    size_t pending;
    bool pause_in_data;
    bool doom_in_data;
};

static void on_data(void *arg, struct span in)
{
    struct ear *e = arg;

    e->reads++;
    assert_true(in.n > 0);
    memset(in.p - LOOP_HEADROOM, '!', LOOP_HEADROOM);
    assert_int_equal(buf_add(&e->bytes, span_slice(in)), 0);
    if (e->pause_in_data)
        stream_pause(e->stream);
    if (e->doom_in_data)
        stream_doom(e->stream);
}

static void on_ended(void *arg)
{
    struct ear *e = arg;

    e->ended++;
}

static void on_sent(void *arg, size_t pending)
{
    struct ear *e = arg;

    e->sent++;
    e->pending = pending;
}

static void on_lost(void *arg, int err)
{
    struct ear *e = arg;

    e->lost = err;
}

static const struct stream_ops ears = {on_data, on_ended, on_sent, on_lost};

static void listen_to(struct ear *e, struct stream *s)
{
    *e = (struct ear){.stream = s};
    buf_init(&e->bytes, 64 << 20);
    stream_attach(s, &ears, e);
    stream_resume(s);
}

/* Two ends on a loop: loopback on a simulated loop, or sockets on a real one. Every behaviour must
 * be the same. */
struct pair {
    struct loop *loop;
    struct ear a;
    struct ear b;
    bool is_real;
};

static void pair_open(struct pair *p, bool real, uint32_t max_out)
{
    struct stream *a, *b;

    p->is_real = real;
    if (real) {
        int fds[2];

        p->loop = loop_new();
        assert_int_equal(child_socketpair(fds, 4096), 0);
        a = stream_open(p->loop, fds[0], max_out);
        b = stream_open(p->loop, fds[1], max_out);
    } else {
        p->loop = loop_new_simulated();
        stream_open_pair(p->loop, max_out, &a, &b);
        stream_loopback_limits(a, 0, 4096);
        stream_loopback_limits(b, 0, 4096);
    }
    listen_to(&p->a, a);
    listen_to(&p->b, b);
}

static void settle(struct pair *p)
{
    if (!p->is_real)
        loop_advance(p->loop, 0);
    for (int i = 0; p->is_real && i < 300; i++)
        loop_tick(p->loop, 0);
}

static void pair_close(struct pair *p)
{
    stream_doom(p->a.stream);
    stream_doom(p->b.stream);
    buf_done(&p->a.bytes);
    buf_done(&p->b.bytes);
    loop_free(p->loop);
}

#define BOTH_WAYS(name)                                                                            \
    static void name##_(struct pair *p);                                                           \
    TEST(name)                                                                                     \
    {                                                                                              \
        for (int real = 0; real < 2; real++) {                                                     \
            struct pair p = {0};                                                                   \
                                                                                                   \
            pair_open(&p, real, 1 << 20);                                                          \
            name##_(&p);                                                                           \
            pair_close(&p);                                                                        \
        }                                                                                          \
    }                                                                                              \
    static void name##_(struct pair *p)

static struct blob *pattern(size_t n)
{
    struct blob *b = blob_new(n);

    for (size_t i = 0; i < n; i++)
        b->p[i] = (uint8_t)(i * 7 + i / 251);
    return b;
}

BOTH_WAYS(bytes_arrive_in_order)
{
    assert_int_equal(stream_write(p->a.stream, SLICE("one ")), 0);
    assert_int_equal(stream_write(p->a.stream, SLICE("two ")), 0);
    assert_int_equal(stream_write(p->b.stream, SLICE("three")), 0);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), SLICE("one two ")));
    assert_true(slice_eq(buf_slice(&p->a.bytes), SLICE("three")));
    assert_int_equal(p->b.reads, 1); /* two pushes left with one write */
    assert_int_equal(p->a.sent, 1);
    assert_int_equal(p->a.pending, 0);
}

BOTH_WAYS(nothing_is_written_inside_a_callback)
{
    assert_int_equal(stream_write(p->a.stream, SLICE("x")), 0);
    assert_int_equal(stream_pending(p->a.stream), 1);
    settle(p);
    assert_int_equal(stream_pending(p->a.stream), 0);
}

BOTH_WAYS(more_than_the_system_takes_goes_on_when_it_takes_more)
{
    struct blob *big = pattern(600000);

    stream_pause(p->b.stream);
    assert_int_equal(stream_push(p->a.stream, blob_ref(big)), 0);
    settle(p);
    assert_true(stream_pending(p->a.stream) > 300000);
    stream_resume(p->b.stream);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), blob_slice(big)));
    assert_int_equal(stream_pending(p->a.stream), 0);
    assert_int_equal(p->a.pending, 0);
    blob_unref(big);
}

BOTH_WAYS(many_small_pieces_are_one_stream)
{
    struct blob *big = pattern(3000);

    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(stream_write(p->a.stream, slice_sub(blob_slice(big), i, 1)), 0);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), blob_slice(big)));
    blob_unref(big);
}

BOTH_WAYS(the_queue_is_bounded)
{
    stream_bound(p->a.stream, 10);
    assert_int_equal(stream_write(p->a.stream, SLICE("12345678")), 0);
    assert_int_equal(stream_write(p->a.stream, SLICE("abc")), -ERR_SLOW_CONSUMER);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), SLICE("12345678")));
}

BOTH_WAYS(the_end_comes_behind_the_queue_and_the_other_way_stays_open)
{
    struct blob *big = pattern(100000);

    assert_int_equal(stream_push(p->a.stream, blob_ref(big)), 0);
    stream_end(p->a.stream);
    assert_int_equal(stream_write(p->a.stream, SLICE("late")), -ERR_CLOSED);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), blob_slice(big)));
    assert_int_equal(p->b.ended, 1);
    assert_int_equal(stream_write(p->b.stream, SLICE("answer")), 0);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->a.bytes), SLICE("answer")));
    assert_int_equal(p->a.lost, 0);
    blob_unref(big);
}

BOTH_WAYS(a_pause_inside_data_holds_at_once)
{
    p->b.pause_in_data = true;
    assert_int_equal(stream_write(p->a.stream, SLICE("one")), 0);
    settle(p);
    assert_int_equal(stream_write(p->a.stream, SLICE("two")), 0);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), SLICE("one")));
    stream_resume(p->b.stream);
    settle(p);
    assert_true(slice_eq(buf_slice(&p->b.bytes), SLICE("onetwo")));
}

BOTH_WAYS(doom_is_final_for_us_and_an_end_for_the_peer)
{
    p->b.doom_in_data = true;
    assert_int_equal(stream_write(p->a.stream, SLICE("one")), 0);
    settle(p);
    assert_int_equal(p->a.ended, 1);
    assert_int_equal(p->a.lost, 0);
    assert_int_equal(p->b.ended, 0);
    assert_int_equal(p->b.lost, 0);
    p->b.stream = NULL;
}

BOTH_WAYS(writing_to_who_is_gone_loses_the_stream)
{
    stream_doom(p->b.stream);
    p->b.stream = NULL;
    settle(p);
    assert_int_equal(stream_write(p->a.stream, SLICE("one")), 0);
    settle(p);
    assert_int_equal(p->a.lost, -ERR_RESET);
    assert_int_equal(stream_write(p->a.stream, SLICE("one")), -ERR_CLOSED);
    assert_int_equal(stream_pending(p->a.stream), 0);
}

BOTH_WAYS(doom_frees_what_waits)
{
    stream_pause(p->b.stream);
    assert_int_equal(stream_push(p->a.stream, pattern(600000)), 0);
    settle(p);
    stream_doom(p->a.stream);
    stream_doom(p->a.stream);
    assert_int_equal(stream_write(p->a.stream, SLICE("x")), -ERR_CLOSED);
    p->a.stream = NULL;
    settle(p);
}

TEST(loopback_hands_up_pieces_of_the_asked_size)
{
    struct pair p = {0};

    pair_open(&p, false, 0);
    stream_loopback_limits(p.b.stream, 3, 0);
    assert_int_equal(stream_write(p.a.stream, SLICE("12345678")), 0);
    settle(&p);
    assert_true(slice_eq(buf_slice(&p.b.bytes), SLICE("12345678")));
    assert_int_equal(p.b.reads, 3);
    pair_close(&p);
}

TEST(loopback_breaks_both_ends)
{
    struct pair p = {0};

    pair_open(&p, false, 0);
    stream_loopback_break(p.a.stream);
    assert_int_equal(p.a.lost, -ERR_RESET);
    assert_int_equal(p.b.lost, -ERR_RESET);
    pair_close(&p);
}

/* A TCP connection over 127.0.0.1; the client end is a plain blocking descriptor. */
static int tcp_client(struct loop *l, struct stream **ret_server)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int door = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t n = sizeof(a);

    assert_int_equal(bind(door, (struct sockaddr *)&a, n), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&a, &n), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&a, n), 0);
    *ret_server = stream_open(l, accept4(door, NULL, NULL, SOCK_NONBLOCK), 0);
    (void)close(door);
    return client;
}

static void reset(int fd)
{
    const struct linger hard = {1, 0};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
    (void)close(fd);
}

TEST(a_reset_is_told_also_while_paused)
{
    struct loop *l = loop_new();
    struct stream *s;
    struct ear e;
    const int client = tcp_client(l, &s);

    listen_to(&e, s);
    stream_pause(s);
    loop_tick(l, 0);
    reset(client);
    for (int i = 0; i < 4000 && !e.lost; i++)
        loop_tick(l, 10);
    assert_int_equal(e.lost, -ERR_RESET);
    stream_doom(s);
    loop_free(l);
}

TEST(a_reset_after_the_end_is_told)
{
    struct loop *l = loop_new();
    struct stream *s;
    struct ear e;
    const int client = tcp_client(l, &s);

    listen_to(&e, s);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    for (int i = 0; i < 4000 && !e.ended; i++)
        loop_tick(l, 10);
    assert_int_equal(e.ended, 1);
    reset(client);
    for (int i = 0; i < 4000 && !e.lost; i++)
        loop_tick(l, 10);
    assert_int_equal(e.lost, -ERR_RESET);
    stream_doom(s);
    loop_free(l);
}

TEST(the_peer_has_an_address_and_keeps_it)
{
    struct loop *l = loop_new();
    char text[64];
    uint16_t port = 0;
    struct stream *s;
    struct ear e;
    const int client = tcp_client(l, &s);

    listen_to(&e, s);
    assert_true(slice_eq(stream_peer(s, text, &port), SLICE("127.0.0.1")));
    assert_int_not_equal(port, 0);
    reset(client);
    for (int i = 0; i < 4000 && !e.lost; i++)
        loop_tick(l, 10);
    port = 0;
    assert_true(slice_eq(stream_peer(s, text, &port), SLICE("127.0.0.1")));
    assert_int_not_equal(port, 0);
    stream_doom(s);
    loop_free(l);
}

/* --- a stream over a library's connection: one that reads ahead, and hands out bytes one by one
 * --- */

struct library {
    int fd;
    uint8_t ahead[64];
    size_t n;
    bool is_closed;
};

static ssize_t library_read(void *conn, void *p, size_t n)
{
    struct library *c = conn;

    if (c->n == 0) {
        const ssize_t r = read(c->fd, c->ahead, sizeof(c->ahead));

        if (r <= 0)
            return r < 0 ? -errno : 0;
        c->n = (size_t)r;
    }
    *(uint8_t *)p = c->ahead[0];
    c->n--;
    memmove(c->ahead, c->ahead + 1, c->n);
    return 1;
}

static ssize_t library_write(void *conn, const struct iovec *iov, int n)
{
    struct library *c = conn;
    const ssize_t r = writev(c->fd, iov, n);

    return r < 0 ? -errno : r;
}

static void library_end(void *conn)
{
    (void)shutdown(((struct library *)conn)->fd, SHUT_WR);
}

static void library_close(void *conn)
{
    struct library *c = conn;

    c->is_closed = true;
    (void)close(c->fd);
}

TEST(a_library_that_reads_ahead_loses_nothing)
{
    static const struct stream_io io = {library_read, library_write, library_end, library_close};
    struct library c = {0};
    struct pair p = {.loop = loop_new(), .is_real = true};
    int fds[2];

    assert_int_equal(child_socketpair(fds, 0), 0);
    c.fd = fds[0];
    memcpy(c.ahead, "early ", 6);
    c.n = 6;
    listen_to(&p.a, stream_open_io(p.loop, c.fd, &io, &c, 0));
    listen_to(&p.b, stream_open(p.loop, fds[1], 0));
    assert_int_equal(stream_write(p.b.stream, SLICE("and late")), 0);
    assert_int_equal(stream_write(p.a.stream, SLICE("answer")), 0);
    stream_end(p.b.stream);
    settle(&p);
    assert_true(slice_eq(buf_slice(&p.a.bytes), SLICE("early and late")));
    assert_true(slice_eq(buf_slice(&p.b.bytes), SLICE("answer")));
    assert_int_equal(p.a.ended, 1);
    pair_close(&p);
    assert_true(c.is_closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_in_order),
        cmocka_unit_test(nothing_is_written_inside_a_callback),
        cmocka_unit_test(more_than_the_system_takes_goes_on_when_it_takes_more),
        cmocka_unit_test(many_small_pieces_are_one_stream),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(the_end_comes_behind_the_queue_and_the_other_way_stays_open),
        cmocka_unit_test(a_pause_inside_data_holds_at_once),
        cmocka_unit_test(doom_is_final_for_us_and_an_end_for_the_peer),
        cmocka_unit_test(writing_to_who_is_gone_loses_the_stream),
        cmocka_unit_test(doom_frees_what_waits),
        cmocka_unit_test(loopback_hands_up_pieces_of_the_asked_size),
        cmocka_unit_test(loopback_breaks_both_ends),
        cmocka_unit_test(a_reset_is_told_also_while_paused),
        cmocka_unit_test(a_reset_after_the_end_is_told),
        cmocka_unit_test(the_peer_has_an_address_and_keeps_it),
        cmocka_unit_test(a_library_that_reads_ahead_loses_nothing),
    };

    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
