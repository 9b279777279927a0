/* Two sockets that are joined (proxy.c). */
#include "conn/transport.h"
#include "lab.h"

static struct lab lab;
static struct fake one;
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

/* Two clients whose sockets the worker has joined. */
static void join_two(void)
{
    uint64_t a, b;

    fake_serve(&lab, &one);
    client_upgrade(&lab, &client, "/a");
    fake_expect(&lab, &one, "REQUEST GET http://h/a\n");
    a = lab.hold;
    SAY(&one, response, lab.id, 0, .status = 101, .hold = a);
    client_upgrade(&lab, &other, "/b");
    fake_expect(&lab, &one, "REQUEST GET http://h/b\n");
    b = lab.hold;
    SAY(&one, response, lab.id, 0, .status = 101, .hold = b);
    SAY(&one, ws_join, a, 0, .other = b);
    peer_forget(&client);
    peer_forget(&other);
}

TEST(joined_holds_speak_without_a_worker)
{
    join_two();
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, 0);
    client_text(&client, "to b");
    peer_expect(&other, SLICE("\x81\x04to b"));
    client_frame(&other, 2, SLICE("to a"));
    peer_expect(&client, SLICE("\x82\x04to a"));
    client_frame(&client, 8,
                 SLICE("\x0b\xb8"
                       "bye"));
    assert_true(client_heard_close(&other, 3000));
    assert_int_equal(peer_heard(&client).n, 0);
    client_frame(&other, 8,
                 SLICE("\x0b\xb9"
                       "ciao"));
    assert_true(client_heard_close(&client, 3001));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    peer_close(&other);
}

TEST(joined_holds_that_close_at_the_same_time_both_get_an_answer)
{
    join_two();
    client_frame(&client, 8, SLICE("\x0b\xb8"));
    client_frame(&other, 8, SLICE("\x0b\xb9"));
    assert_true(client_heard_close(&client, 3001));
    assert_true(client_heard_close(&other, 3000));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_joined_hold_that_is_lost_takes_the_other_with_it)
{
    join_two();
    client_cut(&client);
    assert_true(other.has_ended || other.lost);
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
    join_two();
    client_frame(&client, 8, SLICE("\x0b\xb8"));
    client_cut(&client);
    client_frame(&other, 8, SLICE("\x0b\xb8"));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

static void leave(void)
{
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

/* How often that byte was heard. */
static size_t count_of(struct peer *c, uint8_t byte)
{
    const struct slice all = peer_heard(c);
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++)
        n += all.p[i] == byte;
    return n;
}

TEST(one_that_reads_slowly_stops_the_other_and_misses_nothing)
{
    enum { FRAMES = 100, SIZE = 60000 };
    static char text[SIZE];
    const size_t most = lab.app->ws.out_bytes / 2 + SIZE + 16;
    const struct hold *to;

    join_two();
    to = hold_find(lab.app, lab.hold); /* the second one's */
    stream_loopback_limits(other.stream, 0, SIZE);
    stream_pause(other.stream);
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < FRAMES; i++) {
        client_frame(&client, 2, slice_make(text, sizeof(text)));
        assert_true(transport_pending(to->transport) <= most);
    }
    assert_true(transport_pending(to->transport) > most - SIZE - 16);
    assert_int_equal(lab.edge->stats.slow_consumers, 0);
    stream_resume(other.stream);
    loop_advance(lab.loop, 0);
    assert_int_equal(count_of(&other, 'x'), (size_t)FRAMES * SIZE);
    leave();
}

TEST(a_mistake_of_one_is_the_end_of_both)
{
    join_two();
    client_frame(&client, 3, SLICE("no such opcode"));
    assert_true(client_heard_close(&client, 1002));
    assert_true(client_heard_close(&other, 1011));
    assert_int_equal(lab.edge->holds.used, 0);
    leave();
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(joined_holds_speak_without_a_worker),
        T(joined_holds_that_close_at_the_same_time_both_get_an_answer),
        T(a_joined_hold_that_is_lost_takes_the_other_with_it),
        T(one_that_reads_slowly_stops_the_other_and_misses_nothing),
        T(a_mistake_of_one_is_the_end_of_both),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
