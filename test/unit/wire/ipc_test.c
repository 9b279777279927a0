#include "wire/ipc.h"

#include "lib/test.h"

static struct buf one_message(void)
{
    const struct ipc_ws_message m = {.seq = 9, .bytes = SLICE("hello")};
    struct buf b;

    buf_init(&b, 1 << 20);
    assert_int_equal(ipc_put_ws_message(&b, 77, IPC_BINARY, &m), 0);
    return b;
}

TEST(a_frame_comes_back_as_it_went)
{
    CLEANUP(buf_done) struct buf b = one_message();
    struct slice in = buf_slice(&b);
    struct ipc_ws_message m;
    struct ipc_frame f;

    assert_int_equal(ipc_next(&in, IPC_FROM_GATEWAY, &f, NULL), 1);
    assert_int_equal(f.type, IPC_WS_MESSAGE);
    assert_int_equal(f.id, 77);
    assert_int_equal(f.flags, IPC_BINARY);
    assert_int_equal(ipc_get_ws_message(&f, &m), 0);
    assert_int_equal(m.seq, 9);
    assert_true(slice_eq(m.bytes, SLICE("hello")));
    assert_int_equal(in.n, 0);
}

TEST(a_cut_frame_is_hungry_at_every_split)
{
    CLEANUP(buf_done) struct buf b = one_message();
    struct ipc_frame f;
    size_t need;

    for (size_t cut = 0; cut < b.n; cut++) {
        struct slice in = slice_sub(buf_slice(&b), 0, cut);

        assert_int_equal(ipc_next(&in, IPC_FROM_GATEWAY, &f, &need), 0);
        assert_int_equal(in.n, cut);
        assert_int_equal(need, cut < IPC_HEADER ? 0 : b.n);
    }
}

TEST(the_wrong_side_may_not_send_it)
{
    CLEANUP(buf_done) struct buf b = one_message();
    struct slice in = buf_slice(&b);
    struct ipc_frame f;

    assert_int_equal(ipc_next(&in, IPC_FROM_WORKER, &f, NULL), -ERR_IPC_FRAME);
}

TEST(a_payload_that_does_not_fit_its_row_is_refused)
{
    struct ipc_ws_close m;
    struct ipc_frame f = {.type = IPC_WS_CLOSE, .payload = SLICE("x")};
    struct ipc_ws_terminate t;
    struct ipc_frame g = {.type = IPC_WS_TERMINATE, .payload = SLICE("x")};

    assert_int_equal(ipc_get_ws_close(&f, &m), -ERR_IPC_FRAME);
    assert_int_equal(ipc_get_ws_terminate(&g, &t), -ERR_IPC_FRAME);
}

TEST(a_list_comes_back_as_it_went)
{
    struct slice list, item;
    struct buf b;

    buf_init(&b, 100);
    assert_int_equal(ipc_list_add(&b, SLICE("one")), 0);
    assert_int_equal(ipc_list_add(&b, SLICE("")), 0);
    list = buf_slice(&b);
    assert_int_equal(ipc_list_next(&list, &item), 1);
    assert_true(slice_eq(item, SLICE("one")));
    assert_int_equal(ipc_list_next(&list, &item), 1);
    assert_int_equal(item.n, 0);
    assert_int_equal(ipc_list_next(&list, &item), 0);
    list = SLICE("\x09\0\0\0abc");
    assert_int_equal(ipc_list_next(&list, &item), -ERR_IPC_FRAME);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_back_as_it_went),
        cmocka_unit_test(a_cut_frame_is_hungry_at_every_split),
        cmocka_unit_test(the_wrong_side_may_not_send_it),
        cmocka_unit_test(a_payload_that_does_not_fit_its_row_is_refused),
        cmocka_unit_test(a_list_comes_back_as_it_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
