#include "edge/round.h"

#include "edge/edge_int.h"
#include "lib/test.h"

enum { EDGES = 3 };

struct lab {
    struct loop *loop;
    struct edge *edges[EDGES];
    unsigned visited[EDGES]; /* their indices, in the order of the visits */
    unsigned n_visited;
    unsigned backs;
};

struct question {
    struct round round;
    struct lab *lab;
};

static void open_lab(struct lab *lab)
{
    const struct app_config app = {.name = "app", .script = SLICE("x"), .worker_path = "/nowhere"};

    *lab = (struct lab){.loop = loop_new_simulated()};
    for (unsigned i = 0; i < EDGES; i++) {
        const struct edge_options o = {.index = i, .count = EDGES, .apps = &app, .n_apps = 1};

        lab->edges[i] = edge_new(lab->loop, &o, NULL);
        assert_non_null(lab->edges[i]);
    }
    edge_introduce(lab->edges, EDGES);
}

static void close_lab(struct lab *lab)
{
    for (unsigned i = EDGES; i-- > 0;)
        edge_free(lab->edges[i]);
    loop_advance(lab->loop, 0);
    loop_free(lab->loop);
}

static void on_visit(struct round *r, struct edge *here)
{
    struct lab *lab = CONTAINER_OF(r, struct question, round)->lab;

    assert_true(lab->n_visited < EDGES);
    lab->visited[lab->n_visited++] = here->index;
}

static void on_back(struct round *r)
{
    struct question *q = CONTAINER_OF(r, struct question, round);

    q->lab->backs++;
    mem_free(q);
}

static void ask(struct lab *lab, unsigned asker)
{
    struct question *q = mem_new(sizeof(*q));

    *q = (struct question){.round = {.visit = on_visit, .back = on_back}, .lab = lab};
    round_send(&q->round, lab->edges[asker]);
}

TEST(a_round_visits_all_in_their_order_and_comes_back_to_whoever_asks)
{
    for (unsigned asker = 0; asker < EDGES; asker++) {
        struct lab lab;

        open_lab(&lab);
        ask(&lab, asker);
        assert_int_equal(lab.n_visited, 0); /* not from inside */
        assert_int_equal(lab.edges[asker]->rounds, 1);
        loop_advance(lab.loop, 0);
        assert_int_equal(lab.n_visited, EDGES);
        for (unsigned i = 0; i < EDGES; i++)
            assert_int_equal(lab.visited[i], i);
        assert_int_equal(lab.backs, 1);
        assert_int_equal(lab.edges[asker]->rounds, 0);
        close_lab(&lab);
    }
}

TEST(an_edge_that_has_stopped_gets_its_round_back_at_once)
{
    struct lab lab;

    open_lab(&lab);
    lab.edges[1]->said_stopped = true;
    ask(&lab, 1);
    loop_advance(lab.loop, 0);
    assert_int_equal(lab.n_visited, 0);
    assert_int_equal(lab.backs, 1);
    close_lab(&lab);
}

TEST(a_round_of_an_edge_that_was_freed_visits_nobody_more)
{
    struct lab lab;

    open_lab(&lab);
    ask(&lab, 2);
    edge_free(lab.edges[2]);
    lab.edges[2] = NULL;
    loop_advance(lab.loop, 0);
    assert_int_equal(lab.n_visited, 0);
    assert_int_equal(lab.backs, 1);
    close_lab(&lab);
}

TEST(an_edge_stops_when_its_rounds_are_back)
{
    struct lab lab;

    open_lab(&lab);
    lab.edges[1]->rounds++; /* one that is kept on its way */
    edge_order(lab.edges[1], (struct order){.kind = ORDER_STOP}, SLICE_NONE);
    loop_advance(lab.loop, 1000);
    assert_false(lab.edges[1]->said_stopped);
    lab.edges[1]->rounds--;
    loop_advance(lab.loop, 1000);
    assert_true(lab.edges[1]->said_stopped);
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_visits_all_in_their_order_and_comes_back_to_whoever_asks),
        cmocka_unit_test(an_edge_that_has_stopped_gets_its_round_back_at_once),
        cmocka_unit_test(a_round_of_an_edge_that_was_freed_visits_nobody_more),
        cmocka_unit_test(an_edge_stops_when_its_rounds_are_back),
    };

    return cmocka_run_group_tests_name("round", tests, NULL, NULL);
}
