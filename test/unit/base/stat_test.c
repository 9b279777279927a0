#include "base/stat.h"

#include "base/err.h"
#include "lib/test.h"

struct sample {
#define STAT STAT_FIELD
#include "unit/base/sample.metrics.def"
#undef STAT
};

static const struct stat_row rows[] = {
#define STAT(...) STAT_ROW(struct sample, __VA_ARGS__)
#include "unit/base/sample.metrics.def"
#undef STAT
};

static bool has(const struct buf *b, const char *line)
{
    return slice_find_slice(buf_slice(b), slice_str(line)) >= 0;
}

TEST(rows_become_prometheus_text)
{
    CLEANUP(buf_done) struct buf b = {.max = 10000};
    struct sample s = {.requests = 3, .ws = -1};

    stat_observe(&s.turn, 1);
    stat_observe(&s.turn, 3);
    stat_observe(&s.turn, UINT64_MAX / 2);
    assert_int_equal(stat_render(rows, COUNT_OF(rows), &s, "hf_", "app=\"a\"", &b), 0);
    assert_true(
        has(&b, "# HELP hf_requests_total Requests received.\n# TYPE hf_requests_total counter\n"
                "hf_requests_total{app=\"a\"} 3\n"));
    assert_true(has(&b, "hf_holds{app=\"a\",transport=\"websocket\"} "
                        "-1\nhf_holds{app=\"a\",transport=\"sse\"} 0\n"));
    assert_true(has(&b, "hf_turn_seconds_bucket{app=\"a\",le=\"0.000001\"} 1\n"
                        "hf_turn_seconds_bucket{app=\"a\",le=\"0.000004\"} 2\n"));
    assert_true(has(&b, "le=\"+Inf\"} 3\n"));
    assert_true(has(&b, "hf_turn_seconds_count{app=\"a\"} 3\n"));
}

TEST(without_labels_there_are_no_braces)
{
    CLEANUP(buf_done) struct buf b = {.max = 10000}, small = {.max = 100};
    struct sample s = {0};

    assert_int_equal(stat_render(rows, COUNT_OF(rows), &s, "", "", &b), 0);
    assert_true(has(&b, "\nrequests_total 0\n"));
    assert_true(has(&b, "turn_seconds_sum 0.000000\n"));
    assert_int_equal(stat_render(rows, COUNT_OF(rows), &s, "", "", &small), -ERR_TOO_LARGE);
}

TEST(the_lines_of_a_name_stand_together)
{
    CLEANUP(buf_done) struct buf b = {.max = 10000};
    const struct sample one = {.ws = 1}, two = {.ws = 2};
    const void *const stats[] = {&one, &two};
    const char *const labels[] = {"app=\"a\"", "app=\"b\""};

    assert_int_equal(stat_render_each(rows, COUNT_OF(rows), stats, labels, 2, "", &b), 0);
    assert_true(has(&b, "holds{app=\"a\",transport=\"websocket\"} 1\n"
                        "holds{app=\"b\",transport=\"websocket\"} 2\n"
                        "holds{app=\"a\",transport=\"sse\"} 0\n"));
}

TEST(loops_are_summed)
{
    struct sample a = {.requests = 1, .ws = 5}, b = {.requests = 2, .ws = -2};

    stat_observe(&a.turn, 10);
    stat_observe(&b.turn, 20);
    stat_sum(rows, COUNT_OF(rows), &a, &b);
    assert_int_equal(a.requests, 3);
    assert_int_equal(a.ws, 3);
    assert_int_equal(a.turn.sum, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_prometheus_text),
        cmocka_unit_test(the_lines_of_a_name_stand_together),
        cmocka_unit_test(without_labels_there_are_no_braces),
        cmocka_unit_test(loops_are_summed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
