#include "edge/link.h"

#include "lab.h"

static struct lab lab;
static struct fake one, stranger;
static struct peer client, other;

static int setup(void **state)
{
    const struct app_config apps[] = {
        {.name = "a", .script = SLICE("x"), .worker_path = "/nowhere"},
        {.name = "b", .script = SLICE("x"), .worker_path = "/nowhere"},
    };

    lab_open_with(&lab, apps, 2);
    return 0;
}

static int teardown(void **state)
{
    lab_close(&lab);
    return 0;
}

/* A second worker, of the other application. */
static void stranger_serve(void)
{
    struct app *a = lab.app;

    lab.app = lab.edge->apps[1];
    fake_start(&lab, &stranger);
    delivery_serve(lab.app, stranger.link);
    lab.app = a;
}

static void stranger_die(void)
{
    peer_close(&stranger.pipe);
    edge_obey(lab.edge, lab_order(&lab, (struct order){.kind = ORDER_GONE,
                                                       .app = 1,
                                                       .generation = stranger.generation,
                                                       .why = ERR_IPC_STATE}));
    loop_advance(lab.loop, 0);
}

static void expect_bad(void)
{
    loop_advance(lab.loop, 0);
    assert_true(slice_starts(buf_slice(&lab.reports), SLICE("BAD ")));
    buf_clear(&lab.reports);
}

TEST(bytes_that_are_no_frame_are_a_violation)
{
    fake_serve(&lab, &one);
    peer_say(&one.pipe, SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
    expect_bad();
    fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
}

TEST(after_a_violation_nothing_is_heard)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    SAY(&one, ws_send, 0, 0, .holds = SLICE("odd"), .bytes = SLICE("x"));
    expect_bad();
    fake_send(&one, hold, "too late");
    assert_int_equal(peer_heard(&client).n, 0);
    assert_false(client.has_ended);
    fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
    peer_close(&client);
}

TEST(another_applications_hold_is_out_of_reach)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    stranger_serve();
    fake_send(&stranger, hold, "stolen");
    expect_bad();
    assert_int_equal(peer_heard(&client).n, 0);
    stranger_die();
    stranger_serve();
    SAY(&stranger, ws_terminate, hold, 0, 0);
    expect_bad();
    assert_false(client.has_ended);
    stranger_die();
    stranger_serve();
    SAY(&stranger, restore_want, 0, 0, .token = 1, .actor = SLICE("Room/1"));
    fake_expect(&lab, &stranger, "RESTORED 1 auto=0  \n");
    stranger_die();
    fake_die(&lab, &one, 0, 0, 0);
    peer_close(&client);
}

TEST(another_applications_exchange_is_out_of_reach)
{
    fake_serve(&lab, &one);
    client_get(&lab, &client, "/");
    fake_expect(&lab, &one, "REQUEST GET http://h/\n");
    stranger_serve();
    SAY(&stranger, response, lab.id, 0, .status = 200);
    expect_bad();
    assert_int_equal(peer_heard(&client).n, 0);
    stranger_die();
    fake_die(&lab, &one, 0, 0, 0);
    peer_close(&client);
}

TEST(ids_of_things_that_have_gone_are_no_violation)
{
    uint64_t hold;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, 0, "");
    client_cut(&client);
    fake_expect(&lab, &one, "WS_CLOSED 1006 lost \n");
    fake_ack(&one, lab.seq, 1);
    fake_send(&one, hold, "late");
    SAY(&one, ws_close, hold, 0, .code = 1000);
    SAY(&one, ws_attach, hold, 0, .bytes = SLICE("x"));
    SAY(&one, ws_terminate, hold, 0, 0);
    SAY(&one, body, lab.id, 0, .bytes = SLICE("x"));
    SAY(&one, credit, lab.id, 0, .bytes = 5);
    SAY(&one, cancel, lab.id | IPC_WORKER_EXCHANGE, 0, 0);
    fake_ack(&one, lab.seq, 1);
    lab_expect_reports(&lab, "");
    fake_die(&lab, &one, 0, 0, 0);
    peer_close(&client);
}

/* Each of these ends the worker. */
TEST(what_does_not_follow_the_protocol_is_a_violation)
{
    for (int i = 0; i < 12; i++) {
        uint64_t hold, range[2] = {1, 1ull << 40}, self;

        fake_serve(&lab, &one);
        hold = lab_socket(&lab, &one, &client, 0, "");
        self = hold;
        switch (i) {
        case 0:
            SAY(&one, ack, 0, 0, .ranges = slice_make(range, 16));
            break;
        case 1:
            SAY(&one, ack, 0, 0, .ranges = SLICE("123"));
            break;
        case 2:
            SAY(&one, ws_accept, hold, 0, 0);
            break;
        case 3:
            SAY(&one, ws_send, 0, 0, .holds = slice_make("\0\0\0\0\0\x20\0\0", 8));
            break;
        case 4:
            SAY(&one, log, 0, 0, .level = 9);
            break;
        case 5:
            SAY(&one, fetch, 5, 0, .head = SLICE("GET http://x/\n"));
            break;
        case 6:
            SAY(&one, fetch, IPC_WORKER_EXCHANGE | 1, 0, .body = 9);
            break;
        case 7:
            SAY(&one, exiting, 0, 0, .error = 60000);
            break;
        case 8:
            SAY(&one, alarm_set, 0, 0, .wall_ms = 1);
            break;
        case 9:
            SAY(&one, auto_response, 0, 0, .request = SLICE("a"), .response = SLICE("b"));
            break;
        case 10:
            SAY(&one, ws_join, self, 0, .other = self);
            break;
        case 11:
            client_upgrade(&lab, &other, "/");
            fake_expect(&lab, &one, "REQUEST GET http://h/\n");
            SAY(&one, response, lab.id, 0, .status = 101, .hold = hold);
            peer_close(&other);
            break;
        }
        expect_bad();
        fake_die(&lab, &one, ERR_IPC_STATE, 0, 0);
        peer_close(&client);
        buf_clear(&lab.reports);
    }
}

TEST(a_frame_in_pieces_is_heard_whole)
{
    static char big[200000];
    uint64_t hold;
    struct buf b;

    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    memset(big, 'x', sizeof(big));
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 3; i++) {
        (void)ipc_put_ws_send(&b, 0, 0,
                              &(struct ipc_ws_send){.holds = slice_make(&hold, 8),
                                                    .bytes = slice_make(big, i == 1 ? 200000 : 1)});
    }
    for (size_t at = 0; at < b.n; at += 7777)
        peer_say(&one.pipe, slice_sub(buf_slice(&b), at, 7777));
    assert_int_equal(peer_heard(&client).n, 3 + 200010 + 3);
    lab_expect_reports(&lab, "");
    buf_done(&b);
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
}

/* --- random frames: the gateway stands, and other applications notice nothing --- */

static unsigned seed;

static uint64_t pick(uint64_t n)
{
    return ((uint64_t)rand_r(&seed) << 20 ^ (uint64_t)rand_r(&seed)) % n;
}

/* An id that is likely to mean something. */
static uint64_t some_id(void)
{
    const uint64_t slot = pick(4), generation = 1 + pick(3);

    switch (pick(6)) {
    case 0:
        return IPC_WORKER_EXCHANGE | pick(3);
    case 1:
        return pick(1ull << 53);
    default:
        return generation << 24 | slot;
    }
}

static void put_random(struct buf *b)
{
    static const uint8_t types[] = {2,  5,  6,  8,  18, 19, 20, 21, 22, 23, 17, 32,
                                    36, 37, 38, 39, 40, 41, 48, 51, 52, 10, 7};
    uint8_t payload[64];
    struct {
        uint32_t length;
        uint16_t type, flags;
        uint64_t id;
    } h = {.type = types[pick(sizeof(types))], .flags = (uint16_t)pick(64), .id = some_id()};
    const uint64_t range[2] = {1 + pick(40), 1 + pick(3)}, hold = some_id();

    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = pick(3) ? 0 : (uint8_t)pick(256);
    h.length = (uint32_t)pick(sizeof(payload));
    if (h.type == IPC_ACK && pick(4)) {
        memcpy(payload, range, 16);
        h.length = 16;
    } else if (h.type == IPC_WS_SEND && pick(4)) {
        memcpy(payload, "\x08\0\0\0", 4);
        memcpy(payload + 4, &hold, 8);
        h.length = 12 + (uint32_t)pick(9);
    }
    (void)buf_add(b, slice_make(&h, sizeof(h)));
    (void)buf_add(b, slice_make(payload, h.length));
}

/* Valid frames about what is there, so that the random ones meet living things. */
static void put_sensible(struct buf *b)
{
    const uint64_t id = lab.id;

    switch (pick(5)) {
    case 0:
        (void)ipc_put_response(b, id, 0,
                               &(struct ipc_response){.status = (uint16_t)(pick(3) ? 200 : 101),
                                                      .hold = pick(2) ? lab.hold : 0,
                                                      .body = (uint8_t)pick(3),
                                                      .length = 3});
        break;
    case 1:
        (void)ipc_put_ws_accept(b, some_id(), pick(2) ? IPC_HIBERNATE : 0,
                                &(struct ipc_ws_accept){.actor = SLICE("Room/1")});
        break;
    case 2:
        (void)ipc_put_body(b, id, (unsigned)pick(2), &(struct ipc_body){.bytes = SLICE("abc")});
        break;
    case 3:
        (void)ipc_put_ws_join(b, some_id(), 0, &(struct ipc_ws_join){.other = some_id()});
        break;
    case 4:
        (void)ipc_put_fetch(b, IPC_WORKER_EXCHANGE | pick(5), 0,
                            &(struct ipc_fetch){.body = (uint8_t)pick(3),
                                                .service = SLICE("nobody"),
                                                .head = SLICE("GET http://x/\n")});
        break;
    }
}

static void note_ids(struct fake *w)
{
    struct slice in = peer_heard(&w->pipe);
    struct ipc_frame f;
    struct buf b;

    buf_init(&b, 1 << 26);
    while (ipc_next(&in, IPC_FROM_GATEWAY, &f, NULL) > 0)
        describe(&lab, &b, &f);
    buf_done(&b);
    peer_forget(&w->pipe);
}

static void random_life(int frames)
{
    struct peer c[3];
    struct buf b;

    buf_init(&b, 1 << 20);
    fake_serve(&lab, &one);
    client_get(&lab, &c[0], "/");
    client_upgrade(&lab, &c[1], "/ws");
    client_upgrade(&lab, &c[2], "/ws");
    for (int i = 0; i < frames; i++) {
        note_ids(&one);
        buf_clear(&b);
        if (pick(3))
            put_sensible(&b);
        else
            put_random(&b);
        if (pick(8) == 0)
            client_text(&c[1 + pick(2)], "hi");
        peer_say(&one.pipe, buf_slice(&b));
        if (one.link->bad)
            break;
    }
    if (pick(2))
        fake_die(&lab, &one, ERR_WORKER_CRASH, lab.seq, pick(50));
    for (int i = 0; i < 3; i++) {
        client_cut(&c[i]);
        peer_close(&c[i]);
    }
    if (lab.app->bearer)
        fake_die(&lab, &one, 0, 0, 0);
    buf_done(&b);
}

TEST(random_frames_hurt_nobody_else)
{
    uint64_t hold;

    stranger_serve();
    for (seed = 1; seed < 3000; seed += 7)
        random_life(60);
    fake_serve(&lab, &one);
    hold = lab_socket(&lab, &one, &client, IPC_HIBERNATE, "Room/1");
    fake_send(&one, hold, "still fine");
    assert_true(client_heard(&client, "still fine"));
    peer_close(&client);
    fake_die(&lab, &one, 0, 0, 0);
    stranger_die();
    assert_int_equal(lab.edge->inbounds.used, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bytes_that_are_no_frame_are_a_violation),
        T(after_a_violation_nothing_is_heard),
        T(another_applications_hold_is_out_of_reach),
        T(another_applications_exchange_is_out_of_reach),
        T(ids_of_things_that_have_gone_are_no_violation),
        T(what_does_not_follow_the_protocol_is_a_violation),
        T(a_frame_in_pieces_is_heard_whole),
        T(random_frames_hurt_nobody_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
