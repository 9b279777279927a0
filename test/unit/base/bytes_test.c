#include "base/bytes.h"

#include "base/err.h"
#include "lib/test.h"

TEST(slice_split_gives_every_part_and_then_ends)
{
    struct slice s = SLICE("a,,b"), part;

    assert_true(slice_split(&s, ',', &part) && slice_eq(part, SLICE("a")));
    assert_true(slice_split(&s, ',', &part) && part.n == 0);
    assert_true(slice_split(&s, ',', &part) && slice_eq(part, SLICE("b")));
    assert_false(slice_split(&s, ',', &part));
}

TEST(slice_u64_accepts_up_to_its_maximum)
{
    uint64_t v = 7;

    assert_int_equal(slice_u64(SLICE("255"), 255, &v), 0);
    assert_int_equal(v, 255);
    assert_int_equal(slice_u64(SLICE("256"), 255, &v), -ERR_SYNTAX);
    assert_int_equal(slice_u64(SLICE(""), 255, &v), -ERR_SYNTAX);
    assert_int_equal(slice_u64(SLICE("1x"), 255, &v), -ERR_SYNTAX);
    assert_int_equal(slice_u64(SLICE("18446744073709551615"), UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(slice_u64(SLICE("18446744073709551616"), UINT64_MAX, &v), -ERR_SYNTAX);
    assert_int_equal(slice_u64(SLICE("9"), 3, &v), -ERR_SYNTAX);
}

TEST(slice_digits_writes_all_numbers)
{
    char room[SLICE_DIGITS];

    assert_true(slice_eq(slice_digits(0, room), SLICE("0")));
    assert_true(slice_eq(slice_digits(1090, room), SLICE("1090")));
    assert_true(slice_eq(slice_digits(UINT64_MAX, room), SLICE("18446744073709551615")));
}

TEST(buf_refuses_what_passes_its_maximum_and_stays_as_it_was)
{
    struct buf b;

    buf_init(&b, 4);
    assert_int_equal(buf_add(&b, SLICE("abc")), 0);
    assert_int_equal(buf_add(&b, SLICE("de")), -ERR_TOO_LARGE);
    assert_int_equal(buf_addf(&b, "%d", 42), -ERR_TOO_LARGE);
    assert_true(slice_eq(buf_slice(&b), SLICE("abc")));
    assert_int_equal(buf_addf(&b, "%d", 4), 0);
    buf_consume(&b, 2);
    assert_true(slice_eq(buf_slice(&b), SLICE("c4")));
    buf_done(&b);
}

TEST(outq_leaves_in_order_and_is_bounded)
{
    struct iovec iov[8];
    struct outq q;

    outq_init(&q, 10);
    assert_int_equal(outq_add(&q, SLICE("abc")), 0);
    assert_int_equal(outq_add(&q, SLICE("defg")), 0);
    assert_int_equal(outq_add(&q, SLICE("hij")), 0);
    assert_int_equal(outq_add(&q, SLICE("k")), -ERR_SLOW_CONSUMER);
    outq_consume(&q, 4);
    assert_int_equal(outq_iov(&q, iov, 8), 2);
    assert_int_equal(iov[0].iov_len, 3);
    assert_memory_equal(iov[0].iov_base, "efg", 3);
    assert_int_equal(outq_add(&q, SLICE("klmn")), 0);
    outq_consume(&q, 10);
    assert_true(outq_empty(&q));
    assert_int_equal(outq_iov(&q, iov, 8), 0);
    outq_done(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slice_split_gives_every_part_and_then_ends),
        cmocka_unit_test(slice_u64_accepts_up_to_its_maximum),
        cmocka_unit_test(slice_digits_writes_all_numbers),
        cmocka_unit_test(buf_refuses_what_passes_its_maximum_and_stays_as_it_was),
        cmocka_unit_test(outq_leaves_in_order_and_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
