#include "edge/alarms.h"

#include "lib/test.h"

#include <math.h>

TEST(alarms_run_in_order_of_time_and_not_before)
{
    struct alarms as = {0};
    const struct alarm *a;

    alarms_set(&as, SLICE("A"), SLICE("a"), 2000);
    alarms_set(&as, SLICE("B"), SLICE(""), 999.5);
    assert_int_equal(alarms_next(&as), 1000);
    assert_null(alarms_pop(&as, 999, 1));
    a = alarms_pop(&as, 5000, 1);
    assert_true(slice_eq(blob_slice(a->actor), SLICE("B")));
    assert_true(a->wall_ms == 999.5);
    a = alarms_pop(&as, 5000, 2);
    assert_true(slice_eq(blob_slice(a->name), SLICE("a")));
    assert_null(alarms_pop(&as, 5000, 3));
    assert_int_equal(alarms_running(&as), 2);
    alarms_done(&as);
}

TEST(an_alarm_that_is_set_again_moves_and_0_removes_it)
{
    struct alarms as = {0};

    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    alarms_set(&as, SLICE("A"), SLICE(""), 3000);
    assert_int_equal(alarms_next(&as), 3000);
    alarms_set(&as, SLICE("A"), SLICE(""), 0);
    assert_int_equal(alarms_next(&as), INT64_MAX);
    alarms_set(&as, SLICE("A"), SLICE(""), NAN);
    alarms_set(&as, SLICE("A"), SLICE(""), -5);
    alarms_set(&as, SLICE("A"), SLICE(""), INFINITY);
    assert_int_equal(alarms_next(&as), INT64_MAX);
    alarms_done(&as);
}

TEST(a_new_process_that_repeats_a_running_alarm_does_not_double_it)
{
    struct alarms as = {0};

    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_non_null(alarms_pop(&as, 1000, 7));
    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_null(alarms_pop(&as, 9000, 8));
    alarms_finish(&as, 7);
    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_non_null(alarms_pop(&as, 9000, 9));
    alarms_done(&as);
}

TEST(a_retry_set_while_it_runs_survives_its_finish)
{
    struct alarms as = {0};

    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_non_null(alarms_pop(&as, 1000, 7));
    alarms_set(&as, SLICE("A"), SLICE(""), 3000);
    alarms_finish(&as, 7);
    assert_int_equal(alarms_next(&as), 3000);
    alarms_done(&as);
}

TEST(a_condemned_alarm_runs_only_at_another_time)
{
    struct alarms as = {0};

    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_non_null(alarms_pop(&as, 1000, 7));
    alarms_condemn(&as, 7);
    alarms_finish(&as, 7);
    alarms_set(&as, SLICE("A"), SLICE(""), 1000);
    assert_null(alarms_pop(&as, 9000, 8));
    alarms_set(&as, SLICE("A"), SLICE(""), 2000);
    assert_non_null(alarms_pop(&as, 9000, 8));
    alarms_done(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alarms_run_in_order_of_time_and_not_before),
        cmocka_unit_test(an_alarm_that_is_set_again_moves_and_0_removes_it),
        cmocka_unit_test(a_new_process_that_repeats_a_running_alarm_does_not_double_it),
        cmocka_unit_test(a_retry_set_while_it_runs_survives_its_finish),
        cmocka_unit_test(a_condemned_alarm_runs_only_at_another_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
