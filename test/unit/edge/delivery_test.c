#include "edge/delivery.h"

#include "lab.h"

static struct lab lab;
static struct fake one, two, three;
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

TEST(a_message_goes_to_the_worker_and_its_answer_to_the_client)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "hi");
    fake_expect(&lab, &one, "WS_MESSAGE hi\n");
    fake_send(&one, hold, "hello");
    peer_expect(&client, SLICE("\x81\x05hello"));
    assert_int_equal(lab.app->events.n, 1);
    fake_ack(&one, lab.seq, 1);
    assert_int_equal(lab.app->events.n, 0);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(the_same_bytes_go_to_every_hold_of_the_list)
{
    uint64_t holds[2];

    fake_serve(&lab, &one);
    holds[0] = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    holds[1] = lab_socket(&lab, &one, &other, IPC_HIBERNATE, "Room/1");
    SAY(&one, ws_send, 0, IPC_BINARY, .holds = slice_make(holds, 16), .bytes = SLICE("x"));
    peer_expect(&client, SLICE("\x82\x01x"));
    peer_expect(&other, SLICE("\x82\x01x"));
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(nothing_is_read_before_the_worker_accepts)
{
    fake_serve(&lab, &one);
    client_upgrade(&lab, &client, "/ws");
    fake_expect(&lab, &one, "REQUEST GET http://h/ws\n");
    SAY(&one, response, lab.id, 0, .status = 101, .hold = lab.hold);
    client_text(&client, "early");
    fake_expect(&lab, &one, "");
    SAY(&one, ws_accept, lab.hold, 0, .half_open = 0);
    fake_expect(&lab, &one, "WS_MESSAGE early\n");
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(unacknowledged_events_go_to_the_next_worker_in_order)
{
    uint64_t seq;

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "a");
    fake_expect(&lab, &one, "WS_MESSAGE a\n");
    fake_ack(&one, lab.seq, 1);
    client_text(&client, "b");
    fake_expect(&lab, &one, "WS_MESSAGE b\n");
    seq = lab.seq;
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, seq);
    client_text(&client, "c");
    lab_expect_reports(&lab, "LOST\nWAKE\n");
    fake_serve(&lab, &two);
    fake_expect(&lab, &two, "WS_OWNER Room/1 lobby\nWS_MESSAGE b\nWS_MESSAGE c\n");
    assert_int_equal(lab.seq, seq + 1);
    fake_ack(&two, seq, 2);
    assert_int_equal(lab.app->events.n, 0);
    assert_true(lab_logged(&lab, "events.redelivered app=\"app\" events=1"));
    peer_close(&client);
    fake_die(&lab, &two, 0, 0, 0);
}

TEST(what_a_dying_worker_wrote_counts_before_its_death)
{
    uint64_t hold;
    struct buf last;
    uint64_t range[2];

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "a");
    fake_expect(&lab, &one, "WS_MESSAGE a\n");
    range[0] = lab.seq;
    range[1] = 1;
    buf_init(&last, 1000);
    (void)ipc_put_ws_send(
        &last, 0, 0, &(struct ipc_ws_send){.holds = slice_make(&hold, 8), .bytes = SLICE("last")});
    (void)ipc_put_ack(&last, 0, 0, &(struct ipc_ack){.ranges = slice_make(range, 16)});
    (void)stream_write(one.pipe.stream, buf_slice(&last));
    buf_done(&last);
    stream_end(one.pipe.stream);
    edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_GONE,
                                                       .generation = one.generation,
                                                       .why = ERR_WORKER_CRASH,
                                                       .begun = range[0]}));
    loop_advance(lab.loop, 0);
    peer_expect(&client, SLICE("\x81\x04last"));
    assert_int_equal(lab.app->events.n, 0);
    peer_close(&one.pipe);
    peer_close(&client);
}

TEST(an_event_that_ended_two_workers_closes_its_own_socket)
{
    uint64_t guilty;

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    (void)lab_socket(&lab, &one, &other, IPC_HIBERNATE, "Room/1");
    client_text(&client, "bomb");
    fake_expect(&lab, &one, "WS_MESSAGE bomb\n");
    guilty = lab.seq;
    client_text(&other, "innocent");
    fake_die(&lab, &one, ERR_WORKER_CPU, guilty, guilty + 1);
    fake_serve(&lab, &two);
    fake_expect(
        &lab, &two,
        "WS_OWNER Room/1 lobby\nWS_MESSAGE bomb\nWS_OWNER Room/1 lobby\nWS_MESSAGE innocent\n");
    fake_die(&lab, &two, ERR_WORKER_CPU, guilty, guilty);
    assert_true(client_heard_close(&client, 1011));
    fake_serve(&lab, &three);
    fake_expect(&lab, &three,
                "WS_OWNER Room/1 lobby\nWS_MESSAGE innocent\nWS_OWNER Room/1 lobby\n"
                "WS_CLOSED 1011 lost a message of this socket ended the application repeatedly\n");
    assert_int_equal(peer_heard(&other).n, 0);
    assert_true(lab_logged(&lab, "events.condemned"));
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &three, 0, 0, 0);
}

/* Dies again and again with "a" begun; returns how often until its socket was closed. */
static int deaths(int why, int most)
{
    struct fake w;
    int n = 0;

    fake_serve(&lab, &w);
    (void)lab_socket(&lab, &w, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "a");
    while (n < most && !client_heard_close(&client, 1011)) {
        fake_die(&lab, &w, why, 0, UINT64_MAX);
        fake_serve(&lab, &w);
        n++;
    }
    peer_close(&client);
    fake_die(&lab, &w, 0, 0, 0);
    return n;
}

TEST(an_event_that_was_there_at_every_death_is_dropped_in_the_end)
{
    assert_int_equal(deaths(ERR_WORKER_CRASH, 100), TRIES_MAX);
}

TEST(a_kill_from_outside_blames_nobody)
{
    assert_int_equal(deaths(ERR_WORKER_DOWN, 100), 100);
}

TEST(a_worker_that_was_drained_blames_nobody)
{
    struct fake w;

    fake_serve(&lab, &w);
    (void)lab_socket(&lab, &w, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "a");
    for (int i = 0; i < TRIES_MAX * 2; i++) {
        fake_die(&lab, &w, 0, 0, UINT64_MAX);
        fake_serve(&lab, &w);
    }
    fake_expect(&lab, &w, "WS_OWNER Room/1 lobby\nWS_MESSAGE a\n");
    peer_close(&client);
    fake_die(&lab, &w, 0, 0, 0);
}

TEST(a_plain_socket_ends_with_its_worker)
{
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, 0, "");
    client_text(&client, "lost");
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, 0);
    assert_true(client_heard_close(&client, 1011));
    assert_int_equal(lab.app->events.n, 0);
    assert_true(lab_logged(&lab, "events.lost app=\"app\" messages=1"));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
}

TEST(a_drain_closes_plain_sockets_with_1012_and_tells_their_code)
{
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, 0, "");
    (void)lab_socket(&lab, &one, &other, IPC_HIBERNATE, "Room/1");
    edge_obey(lab.edge,
              lab_order(&lab, (struct order){
                                  .kind = ORDER_DRAIN, .generation = one.generation, .ms = 5000}));
    fake_expect(&lab, &one, "WS_CLOSED 1012 clean the application is being restarted\nDRAIN\n");
    assert_true(client_heard_close(&client, 1012));
    client_text(&other, "later");
    fake_expect(&lab, &one, "");
    fake_start(&lab, &two);
    edge_obey(lab.edge,
              lab_order(&lab, (struct order){.kind = ORDER_SERVE, .generation = two.generation}));
    fake_expect(&lab, &two, "");
    fake_die(&lab, &one, 0, 0, 0);
    fake_expect(&lab, &two, "WS_OWNER Room/1 lobby\nWS_MESSAGE later\n");
    assert_int_equal(peer_heard(&other).n, 0);
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &two, 0, 0, 0);
}

TEST(a_cold_actor_gets_its_holds_oldest_first)
{
    uint64_t hold;
    struct buf tags;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    SAY(&one, ws_attach, hold, 0, .bytes = SLICE("note"));
    client_upgrade(&lab, &other, "/second?q");
    fake_expect(&lab, &one, "REQUEST GET http://h/second?q\n");
    SAY(&one, response, lab.id, 0, .status = 101, .hold = lab.hold);
    buf_init(&tags, 100);
    (void)ipc_list_add(&tags, SLICE("red"));
    (void)ipc_list_add(&tags, SLICE("blue"));
    SAY(&one, ws_accept, lab.hold, IPC_HIBERNATE, .half_open = 1, .actor = SLICE("Room/1"),
        .name = SLICE("lobby"), .tags = buf_slice(&tags));
    buf_done(&tags);
    fake_ack(&one, lab.seq, 1);
    SAY(&one, auto_response, 0, 0, .actor = SLICE("Room/1"), .request = SLICE("ping"),
        .response = SLICE("pong"));
    SAY(&one, ws_close, lab.hold, 0, .code = 1000);
    fake_die(&lab, &one, 0, 0, 0);
    fake_serve(&lab, &two);
    SAY(&two, restore_want, 0, 0, .token = 7, .actor = SLICE("Room/1"));
    fake_expect(&lab, &two,
                "RESTORE closing=0 name=lobby url=http://h/ws attachment=note tags=\n"
                "RESTORE closing=1 name=lobby url=http://h/second?q attachment= tags=red,blue,\n"
                "RESTORED 7 auto=1 ping pong\n");
    SAY(&two, restore_want, 0, 0, .token = 8, .actor = SLICE("Room/unknown"));
    fake_expect(&lab, &two, "RESTORED 8 auto=0  \n");
    client_text(&client, "known");
    fake_expect(&lab, &two, "WS_MESSAGE known\n");
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &two, 0, 0, 0);
}

TEST(an_automatic_answer_wakes_nobody)
{
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    SAY(&one, auto_response, 0, 0, .actor = SLICE("Room/1"), .request = SLICE("ping"),
        .response = SLICE("pong"));
    client_text(&client, "ping");
    peer_expect(&client, SLICE("\x81\x04pong"));
    fake_expect(&lab, &one, "WS_AUTO\n");
    fake_die(&lab, &one, 0, 0, 0);
    lab_expect_reports(&lab, "LOST\n");
    client_text(&client, "ping");
    peer_expect(&client, SLICE("\x81\x04pong"));
    client_frame(&client, 2, SLICE("ping"));
    lab_expect_reports(&lab, "WAKE\n");
    assert_int_equal(lab.app->events.n, 1);
    peer_close(&client);
}

TEST(a_peers_close_is_told_once_and_answered_by_the_worker)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_frame(&client, 8,
                 SLICE("\x0b\xb8"
                       "bye"));
    fake_expect(&lab, &one, "WS_CLOSED 3000 clean bye\n");
    assert_int_equal(peer_heard(&client).n, 0);
    SAY(&one, ws_close, hold, 0, .code = 3000, .reason = SLICE("bye"));
    assert_true(client_heard_close(&client, 3000));
    assert_int_equal(lab.edge->holds.used, 1);
    fake_ack(&one, lab.seq, 1);
    assert_int_equal(lab.edge->holds.used, 0);
    assert_int_equal(lab.app->actors.n, 0);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(answers_go_before_the_close_for_a_mistake)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "hi");
    fake_expect(&lab, &one, "WS_MESSAGE hi\n");
    client_frame(&client, 3, SLICE("?"));
    fake_expect(&lab, &one, "WS_ERROR 1002\n");
    assert_int_equal(peer_heard(&client).n, 0);
    fake_send(&one, hold, "hello");
    SAY(&one, ws_close, hold, 0, .code = 1000, .reason = SLICE("fine"));
    peer_expect(&client, SLICE("\x81\x05hello\x88\x10\x03\xea"
                               "unknown opcode"));
    fake_ack(&one, lab.seq - 1, 2);
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);

    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_text(&client, "hi");
    client_frame(&client, 3, SLICE("?"));
    fake_expect(&lab, &one, "WS_MESSAGE hi\nWS_ERROR 1002\n");
    fake_ack(&one, lab.seq - 1, 2);
    assert_true(client_heard(&client, "unknown opcode"));
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_lost_connection_is_told_again_after_a_crash)
{
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    client_cut(&client);
    fake_expect(&lab, &one, "WS_CLOSED 1006 lost \n");
    fake_die(&lab, &one, ERR_WORKER_CRASH, 0, lab.seq);
    fake_serve(&lab, &two);
    fake_expect(&lab, &two, "WS_OWNER Room/1 lobby\nWS_CLOSED 1006 lost \n");
    fake_ack(&two, lab.seq, 1);
    assert_int_equal(lab.edge->holds.used, 0);
    peer_close(&client);
    fake_die(&lab, &two, 0, 0, 0);
}

TEST(a_client_whose_events_pile_up_is_not_read)
{
    uint64_t first;
    char text[16];

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    first = lab.seq + 1;
    for (int i = 0; i < HOLD_EVENTS_MAX + 10; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        client_text(&client, text);
    }
    assert_int_equal(lab.app->events.n, HOLD_EVENTS_MAX);
    assert_int_equal(lab.edge->stats.paused, 1);
    fake_ack(&one, first, HOLD_EVENTS_MAX / 2 - 1);
    assert_int_equal(lab.app->events.n, HOLD_EVENTS_MAX / 2 + 1);
    fake_ack(&one, first + HOLD_EVENTS_MAX / 2 - 1, 1);
    assert_int_equal(lab.app->events.n, HOLD_EVENTS_MAX / 2 + 10);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(so_do_its_bytes)
{
    static char big[HOLD_BYTES_MAX / 32];
    unsigned n = 0;

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    while (lab.edge->stats.paused == 0) {
        const uint64_t before = lab.app->events.bytes;

        assert_true(before < HOLD_BYTES_MAX);
        client_frame(&client, 2, slice_make(big, sizeof(big)));
        assert_true(lab.app->events.bytes > before);
        n++;
    }
    assert_true(lab.app->events.bytes >= HOLD_BYTES_MAX);
    client_frame(&client, 2, slice_make(big, sizeof(big)));
    assert_int_equal(lab.app->events.n, n);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

#define FRAME SLICE("\x81\x81\0\0\0\0x")

TEST(an_application_whose_events_pile_up_hears_nobody)
{
    enum { CLIENTS = APP_EVENTS_MAX / HOLD_EVENTS_MAX };
    static struct peer clients[CLIENTS];
    CLEANUP(buf_done) struct buf frames = {.max = 1 << 16};
    uint64_t first;

    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    for (unsigned i = 0; i < CLIENTS; i++)
        (void)lab_socket(&lab, &one, &clients[i], IPC_HIBERNATE, "Room/1");
    first = lab.seq + 1;
    for (unsigned i = 0; i < HOLD_EVENTS_MAX; i++)
        (void)buf_add(&frames, FRAME);
    for (unsigned i = 0; i < CLIENTS; i++)
        peer_say(&clients[i], slice_sub(buf_slice(&frames), i ? 0 : FRAME.n, SIZE_MAX));
    assert_int_equal(lab.app->events.n, APP_EVENTS_MAX - 1);
    assert_int_equal(lab.edge->stats.paused, CLIENTS - 1);
    client_text(&client, "the last");
    client_text(&client, "too many");
    assert_int_equal(lab.app->events.n, APP_EVENTS_MAX);
    assert_int_equal(lab.edge->stats.paused, CLIENTS);
    client_get(&lab, &other, "/");
    assert_true(client_heard(&other, "HTTP/1.1 503 "));
    fake_ack(&one, first, APP_EVENTS_MAX / 2 - 1);
    assert_int_equal(lab.app->events.n, APP_EVENTS_MAX / 2 + 1);
    fake_ack(&one, first + APP_EVENTS_MAX / 2 - 1, 1);
    assert_int_equal(lab.app->events.n, APP_EVENTS_MAX / 2 + 1); /* it is heard again */
    for (unsigned i = 0; i < CLIENTS; i++)
        peer_close(&clients[i]);
    peer_close(&client);
    peer_close(&other);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_client_that_does_not_read_is_closed)
{
    static char big[60000];
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    memset(big, 'x', sizeof(big) - 1);
    for (int i = 0; i < 80; i++)
        fake_send(&one, hold, big);
    fake_expect(&lab, &one, "WS_CLOSED 1013 lost the client reads too slowly\n");
    assert_int_equal(lab.edge->stats.slow_consumers, 1);
    fake_ack(&one, lab.seq, 1);
    assert_int_equal(lab.edge->holds.used, 0);
    stream_resume(client.stream); /* it hears why, when it comes to that */
    loop_advance(lab.loop, 0);
    assert_true(client_heard_close(&client, 1013));
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(or_it_misses_messages_and_is_told_so)
{
    static char big[60000];
    uint64_t hold;

    lab.app->settings->config.sockets.slow = APP_SLOW_DROP;
    lab.app->settings->config.sockets.slow_mark = "MISSED";
    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    stream_pause(client.stream);
    stream_loopback_limits(client.stream, 0, 1000);
    memset(big, 'x', sizeof(big) - 1);
    for (int i = 0; i < 80; i++)
        fake_send(&one, hold, big);
    fake_expect(&lab, &one, "");
    assert_in_range(lab.edge->stats.messages_dropped, 50, 70);
    stream_resume(client.stream);
    loop_advance(lab.loop, 0);
    assert_true(slice_ends(peer_heard(&client), SLICE("xxx\x81\x06MISSED")));
    fake_send(&one, hold, "again");
    assert_true(slice_ends(peer_heard(&client), SLICE("MISSED\x81\x05"
                                                      "again")));
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(a_client_that_sends_too_fast_is_closed)
{
    lab.app->settings->config.sockets.message_rate = 10;
    lab.app->settings->config.sockets.message_burst = 3;
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    lab.app->ws.ping_ms = 0;
    loop_advance(lab.loop, 100 * 3600 * 1000); /* the counter went round */
    for (int i = 0; i < 3; i++)
        client_text(&client, "x");
    for (int i = 0; i < 20; i++) {
        loop_advance(lab.loop, 100);
        client_text(&client, "x");
    }
    assert_int_equal(lab.app->stats.messages_in, 23);
    loop_advance(lab.loop, 200);
    for (int i = 0; i < 3; i++)
        client_text(&client, "x");
    assert_int_equal(lab.app->stats.messages_in, 25);
    assert_int_equal(lab.edge->stats.too_fast, 1);
    assert_true(client_heard_close(&client, 1008));
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

TEST(alarms_wake_the_worker_and_survive_it)
{
    const int64_t wall = loop_wall(lab.loop);

    fake_serve(&lab, &one);
    SAY(&one, alarm_set, 0, 0, .wall_ms = (double)wall + 5000, .actor = SLICE("Room/1"));
    fake_die(&lab, &one, 0, 0, 0);
    lab_expect_reports(&lab, "LOST\n");
    loop_advance(lab.loop, 4999);
    lab_expect_reports(&lab, "");
    loop_advance(lab.loop, 1);
    lab_expect_reports(&lab, "WAKE\n");
    fake_serve(&lab, &two);
    SAY(&two, alarm_set, 0, 0, .wall_ms = (double)wall + 5000, .actor = SLICE("Room/1"));
    peer_forget(&two.pipe);
    fake_die(&lab, &two, ERR_WORKER_CRASH, 0, UINT64_MAX);
    fake_serve(&lab, &three);
    assert_int_equal(peer_heard(&three.pipe).n > 0, 1);
    peer_forget(&three.pipe);
    fake_ack(&three, 1, 1);
    assert_int_equal(lab.app->alarms.by_actor.count, 0);
    fake_die(&lab, &three, 0, 0, 0);
}

TEST(an_idle_application_says_so_until_an_event_comes)
{
    fake_serve(&lab, &one);
    (void)lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    lab_expect_reports(&lab, "");
    SAY(&one, idle, 0, 0, .last_seq = lab.seq);
    lab_expect_reports(&lab, "IDLE yes\n");
    client_text(&client, "hi");
    lab_expect_reports(&lab, "IDLE no\n");
    SAY(&one, idle, 0, 0, .last_seq = lab.seq);
    lab_expect_reports(&lab, "");
    fake_expect(&lab, &one, "WS_MESSAGE hi\n");
    fake_ack(&one, lab.seq, 1);
    SAY(&one, idle, 0, 0, .last_seq = lab.seq);
    lab_expect_reports(&lab, "IDLE yes\n");
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_message_goes_to_the_worker_and_its_answer_to_the_client),
        T(the_same_bytes_go_to_every_hold_of_the_list),
        T(nothing_is_read_before_the_worker_accepts),
        T(unacknowledged_events_go_to_the_next_worker_in_order),
        T(what_a_dying_worker_wrote_counts_before_its_death),
        T(an_event_that_ended_two_workers_closes_its_own_socket),
        T(an_event_that_was_there_at_every_death_is_dropped_in_the_end),
        T(a_kill_from_outside_blames_nobody),
        T(a_worker_that_was_drained_blames_nobody),
        T(a_plain_socket_ends_with_its_worker),
        T(a_drain_closes_plain_sockets_with_1012_and_tells_their_code),
        T(a_cold_actor_gets_its_holds_oldest_first),
        T(an_automatic_answer_wakes_nobody),
        T(a_peers_close_is_told_once_and_answered_by_the_worker),
        T(a_lost_connection_is_told_again_after_a_crash),
        T(answers_go_before_the_close_for_a_mistake),
        T(a_client_whose_events_pile_up_is_not_read),
        T(so_do_its_bytes),
        T(an_application_whose_events_pile_up_hears_nobody),
        T(a_client_that_does_not_read_is_closed),
        T(or_it_misses_messages_and_is_told_so),
        T(a_client_that_sends_too_fast_is_closed),
        T(alarms_wake_the_worker_and_survive_it),
        T(an_idle_application_says_so_until_an_event_comes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
