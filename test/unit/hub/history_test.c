#include "hub/history.h"

#include "lib/test.h"

static struct history history;
static struct ring a, b;
static struct buf gone;

static void on_emptied(struct ring *r)
{
    (void)buf_addf(&gone, "%s ", r == &a ? "a" : "b");
}

static void free_msg(struct msg *m)
{
    mem_free(m);
}

static void open_with(struct history_limits l)
{
    a = b = (struct ring){0};
    buf_init(&gone, 1000);
    history_init(&history, &l, on_emptied);
}

static void keep(struct ring *r, const char *id, uint32_t weight, int64_t now)
{
    struct msg *m = mem_new(sizeof(*m));

    msg_init(m, free_msg);
    m->id = slice_str(id);
    m->has_id = true;
    m->weight = weight;
    history_keep(&history, r, m, now);
    msg_unref(m);
}

static void close_all(void)
{
    history_done(&history);
    assert_int_equal(history.bytes, 0);
    buf_done(&gone);
}

TEST(a_channel_keeps_its_newest)
{
    open_with((struct history_limits){.count = 2, .bytes = 100, .ms = 1000, .total = 100});
    keep(&a, "1", 10, 0);
    keep(&a, "2", 10, 0);
    keep(&a, "3", 10, 0);
    assert_null(history_find(&a, SLICE("1")));
    assert_non_null(history_find(&a, SLICE("2")));
    assert_ptr_equal(history_after(&a, history_find(&a, SLICE("2"))), history_find(&a, SLICE("3")));
    assert_null(history_after(&a, history_find(&a, SLICE("3"))));
    assert_null(history_find(&b, SLICE("1")));
    close_all();
}

TEST(bytes_of_a_channel_are_bounded)
{
    open_with((struct history_limits){.count = 9, .bytes = 25, .ms = 1000, .total = 100});
    keep(&a, "1", 10, 0);
    keep(&a, "2", 10, 0);
    keep(&a, "3", 15, 0);
    assert_int_equal(a.bytes, 25);
    keep(&a, "4", 26, 0);
    assert_null(history_find(&a, SLICE("4")));
    assert_int_equal(a.n, 2);
    close_all();
}

TEST(the_oldest_of_all_channels_goes_when_there_is_too_much)
{
    open_with((struct history_limits){.count = 9, .bytes = 50, .ms = 1000, .total = 50});
    keep(&a, "1", 20, 0);
    keep(&b, "2", 20, 0);
    keep(&b, "3", 20, 0);
    assert_int_equal(a.n, 0);
    assert_int_equal(b.n, 2);
    assert_true(slice_eq(buf_slice(&gone), SLICE("a ")));
    close_all();
}

TEST(what_is_old_goes_in_time)
{
    open_with((struct history_limits){.count = 9, .bytes = 50, .ms = 1000, .total = 50});
    assert_true(history_due(&history) == INT64_MAX);
    keep(&a, "1", 20, 0);
    keep(&b, "2", 20, 500);
    assert_int_equal(history_due(&history), 1000);
    history_expire(&history, 999);
    assert_int_equal(history.n, 2);
    history_expire(&history, 1000);
    assert_int_equal(history_due(&history), 1500);
    history_expire(&history, 5000);
    assert_true(slice_eq(buf_slice(&gone), SLICE("a b ")));
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_keeps_its_newest),
        cmocka_unit_test(bytes_of_a_channel_are_bounded),
        cmocka_unit_test(the_oldest_of_all_channels_goes_when_there_is_too_much),
        cmocka_unit_test(what_is_old_goes_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
