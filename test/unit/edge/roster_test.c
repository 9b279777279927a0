#include "edge/roster.h"

#include "edge/edge_int.h"
#include "lib/test.h"

struct lab {
    struct loop *loop;
    struct edge *edges[2];
    struct roster_call heard; /* n: how many answers */
    bool found[3];
    unsigned refreshed;
};

static void open_lab(struct lab *lab)
{
    const struct app_config app = {.name = "app", .script = SLICE("x"), .worker_path = "/nowhere"};

    *lab = (struct lab){.loop = loop_new_simulated()};
    for (unsigned i = 0; i < 2; i++) {
        const struct edge_options o = {.index = i, .count = 2, .apps = &app, .n_apps = 1};

        lab->edges[i] = edge_new(lab->loop, &o, NULL);
        assert_non_null(lab->edges[i]);
    }
    edge_introduce(lab->edges, 2);
}

static void close_lab(struct lab *lab)
{
    edge_free(lab->edges[1]);
    edge_free(lab->edges[0]);
    loop_advance(lab->loop, 0);
    loop_free(lab->loop);
}

static void on_refresh(void *arg)
{
    struct lab *lab = arg;

    lab->refreshed++;
}

static void on_done(void *arg, const struct roster_call *call)
{
    struct lab *lab = arg;

    lab->heard.n++;
    memcpy(lab->found, call->found, call->n * sizeof(call->found[0]));
}

static void ask(struct lab *lab, const uint64_t *seats, size_t n, bool refresh)
{
    struct roster_call call = {.refresh = refresh, .n = n};

    call.seats = mem_new(n * sizeof(call.seats[0]));
    call.found = mem_new(n * sizeof(call.found[0]));
    memcpy(call.seats, seats, n * sizeof(call.seats[0]));
    lab->heard.n = 0;
    roster_ask(lab->edges[0], call, on_done, lab);
    assert_int_equal(lab->heard.n, 0);
    loop_advance(lab->loop, 0);
    assert_int_equal(lab->heard.n, 1);
}

TEST(names_are_lower_case_version_4_uuids)
{
    char a[ROSTER_NAME + 1], b[ROSTER_NAME + 1];

    roster_name(1, a);
    roster_name(2, b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), ROSTER_NAME);
    assert_int_equal(a[14], '4');
    assert_int_equal(strspn(a, "0123456789abcdef-"), ROSTER_NAME);
    for (uint64_t seat = 1; seat < UINT64_C(1) << 53; seat = seat * 3 + 1) {
        roster_name(seat, a);
        assert_non_null(strchr("89ab", a[19]));
        assert_true(roster_seat(slice_str(a)) == seat);
    }
}

TEST(nobody_makes_up_a_name)
{
    char a[ROSTER_NAME + 1];

    roster_name(77, a);
    for (size_t i = 0; i < ROSTER_NAME; i++) {
        const char was = a[i];

        if (i == 14 || i == 19)
            continue; /* the bits that say which UUID it is */
        a[i] = was == '0' ? '1' : '0';
        assert_true(roster_seat(slice_str(a)) == 0);
        a[i] = was;
    }
    assert_true(roster_seat(SLICE("")) == 0);
    assert_true(roster_seat(SLICE("00000000-0000-4000-8000-000000000000")) == 0);
    assert_true(roster_seat(SLICE("0000000000000-4000-8000-00000000000g")) == 0);
    assert_true(roster_seat(SLICE("------------------------------------")) == 0);
}

TEST(seats_are_found_on_every_edge_until_they_are_left)
{
    struct lab lab;
    uint64_t seats[3];

    open_lab(&lab);
    seats[0] = roster_add(lab.edges[0], on_refresh, &lab);
    seats[1] = roster_add(lab.edges[1], on_refresh, &lab);
    seats[2] = 12345;
    assert_true(seats[0] != seats[1]);
    ask(&lab, seats, 3, false);
    assert_true(lab.found[0] && lab.found[1] && !lab.found[2]);
    assert_int_equal(lab.refreshed, 0);
    roster_drop(lab.edges[0], seats[0]);
    roster_drop(lab.edges[0], seats[0]);
    roster_drop(lab.edges[0], 0);
    ask(&lab, seats, 3, true);
    assert_true(!lab.found[0] && lab.found[1]);
    assert_int_equal(lab.refreshed, 1);
    close_lab(&lab);
}

TEST(an_answer_on_its_way_ends_with_its_edge)
{
    struct roster_call call = {.n = 1, .seats = mem_new(8), .found = mem_new(1)};
    struct lab lab;

    open_lab(&lab);
    roster_ask(lab.edges[0], call, on_done, &lab);
    close_lab(&lab);
    assert_int_equal(lab.heard.n, 0);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

TEST(an_edge_that_has_stopped_asks_nobody)
{
    bool stopped = false;
    uint64_t seat;
    struct lab lab;

    open_lab(&lab);
    seat = roster_add(lab.edges[0], on_refresh, &lab);
    edge_stop(lab.edges[0], on_stopped, &stopped);
    loop_advance(lab.loop, 1000);
    assert_true(stopped);
    ask(&lab, &seat, 1, true);
    assert_false(lab.found[0]);
    assert_int_equal(lab.refreshed, 0);
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_lower_case_version_4_uuids),
        cmocka_unit_test(nobody_makes_up_a_name),
        cmocka_unit_test(seats_are_found_on_every_edge_until_they_are_left),
        cmocka_unit_test(an_answer_on_its_way_ends_with_its_edge),
        cmocka_unit_test(an_edge_that_has_stopped_asks_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
