#include "host/outbox.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "wire/ipc.h"

/* A frame that the tests can tell apart: WS_CLOSE with a code. */
static void put(struct outbox *o, uint32_t actor, unsigned code)
{
    assert_int_equal(ipc_put_ws_close(outbox_frame(o, actor), 1, 0,
                                      &(struct ipc_ws_close){.code = (uint16_t)code}),
                     0);
}

/* What the queue holds: "close 1, ack 5+2, …". */
static void expect_queue(struct outbox *o, const char *expected)
{
    struct slice in = buf_slice(&o->queue);
    struct ipc_frame f;
    struct buf text;

    buf_init(&text, 4096);
    while (ipc_next(&in, IPC_FROM_WORKER, &f, NULL) > 0) {
        struct ipc_ws_close c;

        (void)buf_addf(&text, "%s", text.n ? ", " : "");
        if (f.type == IPC_WS_CLOSE) {
            assert_int_equal(ipc_get_ws_close(&f, &c), 0);
            (void)buf_addf(&text, "close %u", c.code);
            continue;
        }
        assert_int_equal(f.type, IPC_ACK);
        (void)buf_addf(&text, "ack");
        for (size_t i = 0; i < f.payload.n; i += 16)
            (void)buf_addf(&text, " %llu+%llu", (unsigned long long)ipc_u64_at(f.payload.p + i),
                           (unsigned long long)ipc_u64_at(f.payload.p + i + 8));
    }
    (void)buf_add_byte(&text, '\0');
    assert_string_equal((char *)text.p, expected);
    buf_done(&text);
}

TEST(outbox_puts_acks_behind_the_frames_and_merges_ranges)
{
    struct outbox o;

    outbox_init(&o);
    outbox_ack(&o, 7);
    put(&o, 0, 1);
    outbox_ack(&o, 8);
    outbox_ack(&o, 3);
    put(&o, 5, 2);
    outbox_release(&o);
    expect_queue(&o, "close 1, close 2, ack 7+2 3+1");
    outbox_done(&o);
}

TEST(outbox_drop_takes_an_actors_frames_and_leaves_the_rest_in_order)
{
    struct outbox o;

    outbox_init(&o);
    put(&o, 0, 1);
    put(&o, 5, 2);
    put(&o, 5, 3);
    put(&o, 6, 4);
    put(&o, 5, 5);
    put(&o, 0, 6);
    outbox_ack(&o, 1);
    outbox_ack(&o, 2);
    outbox_ack(&o, 3);
    outbox_drop(&o, 5);
    put(&o, 5, 7);
    outbox_release(&o);
    expect_queue(&o, "close 1, close 4, close 6, close 7, ack 1+3");
    outbox_done(&o);
}

TEST(outbox_keeps_the_order_of_batches_while_the_socket_is_full)
{
    struct outbox o;
    int pair[2];
    char bytes[512];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    outbox_init(&o);
    for (unsigned i = 0; i < 100000; i++) /* more than a socket takes */
        put(&o, 0, i & 0xfff);
    outbox_release(&o);
    assert_true(outbox_write(&o, pair[0]) > 0);
    put(&o, 0, 4095);
    outbox_ack(&o, 9);
    outbox_release(&o);
    while (outbox_pending(&o) > 32 + IPC_HEADER + 18) {
        assert_true(read(pair[1], bytes, sizeof(bytes)) > 0);
        assert_true(outbox_write(&o, pair[0]) >= 0);
    }
    assert_true(outbox_write(&o, pair[0]) >= 0);
    outbox_done(&o);
    close(pair[0]);
    close(pair[1]);
}

TEST(outbox_says_when_the_peer_is_gone)
{
    struct outbox o;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    close(pair[1]);
    outbox_init(&o);
    put(&o, 0, 1);
    outbox_release(&o);
    assert_int_equal(outbox_write(&o, pair[0]), -ERR_RESET);
    outbox_done(&o);
    close(pair[0]);
}

TEST(outbox_discard_forgets_the_batch_and_not_what_was_released)
{
    struct outbox o;

    outbox_init(&o);
    put(&o, 0, 1);
    outbox_release(&o);
    put(&o, 0, 2);
    outbox_ack(&o, 1);
    outbox_discard(&o);
    outbox_release(&o);
    expect_queue(&o, "close 1");
    outbox_done(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outbox_puts_acks_behind_the_frames_and_merges_ranges),
        cmocka_unit_test(outbox_drop_takes_an_actors_frames_and_leaves_the_rest_in_order),
        cmocka_unit_test(outbox_keeps_the_order_of_batches_while_the_socket_is_full),
        cmocka_unit_test(outbox_says_when_the_peer_is_gone),
        cmocka_unit_test(outbox_discard_forgets_the_batch_and_not_what_was_released),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
