#include "hub/hub.h"

#include <stdio.h>

#include "base/err.h"
#include "lib/test.h"

static struct hub *hub;
static struct buf heard; /* "a:m1 b:m1 " */
static int64_t now;

struct text {
    struct msg msg;
    char id[16], prev[16];
};

struct listener {
    struct sub sub;
    const char *name;
    struct listener *ends; /* is unsubscribed when this one hears something */
    const char *says;      /* is published on "c" then, once */
};

static int alive; /* messages */

static void free_text(struct msg *m)
{
    alive--;
    mem_free(m);
}

static struct msg *text(const char *channel, const char *id, const char *prev)
{
    struct text *t = mem_new(sizeof(*t));

    alive++;
    msg_init(&t->msg, free_text);
    t->msg.channel = slice_str(channel);
    (void)snprintf(t->id, sizeof(t->id), "%s", id ? id : "");
    (void)snprintf(t->prev, sizeof(t->prev), "%s", prev ? prev : "");
    t->msg.id = slice_str(t->id);
    t->msg.has_id = id != NULL;
    t->msg.prev_id = slice_str(t->prev);
    t->msg.has_prev_id = prev != NULL;
    t->msg.weight = 100;
    return &t->msg;
}

static bool publish(const char *channel, const char *id, const char *prev)
{
    return hub_publish(hub, text(channel, id, prev), now);
}

static void on_deliver(void *arg, struct sub *s, struct msg *m)
{
    struct listener *l = CONTAINER_OF(s, struct listener, sub);

    (void)buf_addf(&heard, "%s:%.*s ", l->name, SLICE_FMT(m->has_id ? m->id : SLICE("-")));
    if (l->ends)
        hub_unsubscribe(hub, &l->ends->sub, now);
    if (l->says)
        (void)publish("c", l->says, NULL);
    l->says = NULL;
}

static void on_refresh(void *arg, struct sub *s)
{
    (void)buf_addf(&heard, "%s!refresh ", CONTAINER_OF(s, struct listener, sub)->name);
}

static void on_known(void *arg, struct slice channel, bool is_known)
{
    (void)buf_addf(&heard, "%c%.*s ", is_known ? '+' : '-', SLICE_FMT(channel));
}

static const struct hub_ops facts = {on_deliver, on_refresh, NULL};
static const struct hub_ops all_facts = {on_deliver, on_refresh, on_known};

static const struct hub_options usual = {
    .wait_ms = 5000,
    .id_cache_ms = 60000,
    .linger_ms = 60000,
    .history_count = 4,
    .history_bytes = 10000,
    .history_ms = 300000,
    .history_total = 100000,
};

static void restart(const struct hub_options *o, const struct hub_ops *ops)
{
    hub_free(hub);
    hub = hub_new(o, ops, NULL);
}

static int setup(void **state)
{
    now = 1000;
    alive = 0;
    buf_init(&heard, 1 << 20);
    hub = hub_new(&usual, &facts, NULL);
    return 0;
}

static int teardown(void **state)
{
    hub_free(hub);
    hub = NULL;
    buf_done(&heard);
    assert_int_equal(alive, 0);
    return 0;
}

static void expect(const char *what)
{
    while (hub_run(hub, now, 1000))
        continue;
    (void)buf_add_byte(&heard, '\0');
    assert_string_equal((char *)heard.p, what);
    buf_clear(&heard);
}

static void subscribe(struct listener *l, const char *channel)
{
    hub_subscribe(hub, &l->sub, slice_str(channel), now);
}

static void leave(struct listener *l)
{
    hub_unsubscribe(hub, &l->sub, now);
}

TEST(all_subs_of_a_channel_hear_in_the_order_they_came)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"}, other = {.name = "x"};

    subscribe(&a, "c");
    subscribe(&b, "c");
    subscribe(&other, "d");
    assert_true(publish("c", "1", NULL));
    assert_true(publish("c", "2", NULL));
    expect("a:1 b:1 a:2 b:2 ");
    assert_int_equal(hub_stats(hub).subs, 3);
}

TEST(nothing_is_told_before_the_run)
{
    static struct listener a = {.name = "a"};

    subscribe(&a, "c");
    (void)publish("c", "1", NULL);
    assert_int_equal(heard.n, 0);
    assert_int_equal(hub_due(hub), 0);
    expect("a:1 ");
}

TEST(one_who_listens_on_two_channels_hears_both_in_order)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "c");
    subscribe(&b, "d");
    (void)publish("c", "1", NULL);
    (void)publish("d", "2", NULL);
    (void)publish("c", "3", NULL);
    expect("a:1 b:2 a:3 ");
}

TEST(who_comes_later_does_not_hear_what_was_said_before)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "c");
    (void)publish("c", "1", NULL);
    subscribe(&b, "c");
    (void)publish("c", "2", NULL);
    expect("a:1 a:2 b:2 ");
}

TEST(who_leaves_before_the_run_hears_nothing)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "c");
    subscribe(&b, "c");
    (void)publish("c", "1", NULL);
    leave(&a);
    expect("b:1 ");
    leave(&b);
    expect("");
}

TEST(a_listener_may_end_itself_and_the_next_one_while_it_hears)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};

    subscribe(&a, "c");
    subscribe(&b, "c");
    subscribe(&c, "c");
    a.ends = &b;
    (void)publish("c", "1", NULL);
    expect("a:1 c:1 ");
    a.ends = &a;
    c.ends = &c;
    (void)publish("c", "2", NULL);
    expect("a:2 c:2 ");
    assert_int_equal(hub_stats(hub).subs, 0);
    leave(&a);
}

TEST(a_listener_may_publish_while_it_hears)
{
    static struct listener a = {.name = "a", .says = "2"}, b = {.name = "b"};

    subscribe(&a, "c");
    subscribe(&b, "c");
    (void)publish("c", "1", NULL);
    expect("a:1 b:1 a:2 b:2 ");
}

TEST(a_run_stops_at_its_budget_and_goes_on_where_it_was)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};

    subscribe(&a, "c");
    subscribe(&b, "c");
    subscribe(&c, "c");
    (void)publish("c", "1", NULL);
    assert_true(hub_run(hub, now, 2));
    leave(&c);
    assert_true(hub_run(hub, now, 0));
    expect("a:1 b:1 ");
}

TEST(a_channel_name_may_be_empty_or_have_any_bytes)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "");
    hub_subscribe(hub, &b.sub, SLICE("x\0y"), now);
    (void)publish("", "1", NULL);
    (void)publish("x", "2", NULL);
    expect("a:1 ");
    assert_true(slice_eq(hub_channel(&b.sub), SLICE("x\0y")));
}

/* --- ids --- */

TEST(the_same_id_is_published_once_within_its_time)
{
    static struct listener a = {.name = "a"};

    subscribe(&a, "c");
    assert_true(publish("c", "1", NULL));
    assert_false(publish("c", "1", NULL));
    assert_true(publish("d", "1", NULL));
    now += 59999;
    assert_false(publish("c", "1", NULL));
    now += 1;
    assert_true(publish("c", "1", NULL));
    expect("a:1 a:1 a!refresh ");
    assert_int_equal(hub_stats(hub).duplicates, 2);
}

TEST(messages_in_reverse_wait_for_each_other)
{
    static struct listener a = {.name = "a"};

    subscribe(&a, "c");
    (void)publish("c", "6", "5");
    (void)publish("c", "9", "8");
    (void)publish("c", "8", "7");
    expect("a:6 ");
    (void)publish("c", "7", "6");
    expect("a:7 a:8 a:9 ");
    assert_int_equal(hub_stats(hub).parked, 0);
}

TEST(a_gap_is_passed_after_the_waiting_time)
{
    static struct listener a = {.name = "a"};
    const struct hub_options o = {.wait_ms = 5000, .no_first = true};

    restart(&o, &facts);
    subscribe(&a, "c");
    (void)publish("c", "6", "5");
    (void)publish("c", "9", "8");
    (void)publish("c", "10", "9");
    expect("a:6 ");
    assert_int_equal(hub_due(hub), now + 5000);
    now += 4999;
    expect("");
    now += 1;
    expect("a:9 a:10 ");
    assert_int_equal(hub_stats(hub).overdue, 1);
    assert_int_equal(hub_due(hub), INT64_MAX);
}

TEST(no_seq_and_unknown_channels_do_not_wait)
{
    static struct listener a = {.name = "a"};
    struct msg *m = text("c", "9", "8");

    (void)publish("c", "1", NULL);
    (void)publish("c", "3", "2");
    subscribe(&a, "c");
    (void)publish("c", "4", "3");
    m->no_seq = true;
    assert_true(hub_publish(hub, m, now));
    expect("a:4 a:9 ");
}

TEST(too_many_that_wait_are_dropped)
{
    static struct listener a = {.name = "a"};
    char id[8], prev[8];

    subscribe(&a, "c");
    (void)publish("c", "x", NULL);
    for (int i = 0; i < HUB_PARKED; i++) {
        (void)snprintf(id, sizeof(id), "%d", i + 1);
        (void)snprintf(prev, sizeof(prev), "%d", i);
        assert_true(publish("c", id, prev));
    }
    assert_false(publish("c", "y", "200"));
    assert_false(publish("c", "z", "7"));
    assert_int_equal(hub_stats(hub).misordered, 2);
    assert_int_equal(hub_stats(hub).parked, HUB_PARKED);
    expect("a:x ");
    leave(&a);
}

TEST(the_last_id_is_known_until_it_is_forgotten_or_cleared)
{
    struct slice id;

    assert_false(hub_last_id(hub, SLICE("c"), &id));
    (void)publish("c", "1", NULL);
    assert_true(hub_last_id(hub, SLICE("c"), &id));
    assert_true(slice_eq(id, SLICE("1")));
    hub_forget(hub, SLICE("c"));
    assert_false(hub_last_id(hub, SLICE("c"), &id));
    (void)publish("c", "2", NULL);
    (void)publish("c", NULL, NULL);
    assert_false(hub_last_id(hub, SLICE("c"), &id));
}

/* --- refreshing --- */

TEST(a_second_after_the_first_sub_all_are_refreshed_once)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "c");
    assert_int_equal(hub_due(hub), now + 1000);
    now += 500;
    subscribe(&b, "c");
    expect("");
    now += 500;
    expect("a!refresh b!refresh ");
    now += 5000;
    leave(&b);
    subscribe(&b, "c");
    now += 5000;
    expect("");
}

TEST(a_polled_channel_stays_known_between_polls)
{
    static struct listener a = {.name = "a"};

    restart(&usual, &all_facts);
    a.sub.lingers = true;
    subscribe(&a, "c");
    now += 1000;
    leave(&a);
    expect("+c ");
    now += 59999;
    subscribe(&a, "c");
    now += 2000;
    expect("");
    leave(&a);
    now += 60000;
    expect("-c ");
    subscribe(&a, "c");
    a.sub.lingers = false;
    leave(&a);
    expect("+c -c ");
    assert_int_equal(hub_stats(hub).channels, 0);
}

TEST(recovery_forgets_ids_and_refreshes_everyone)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};
    struct slice id;

    subscribe(&a, "c");
    subscribe(&b, "d");
    (void)publish("c", "1", NULL);
    expect("a:1 ");
    hub_recover(hub);
    assert_false(hub_last_id(hub, SLICE("c"), &id));
    assert_true(publish("c", "1", NULL));
    leave(&b);
    expect("a!refresh a:1 ");
}

/* --- history --- */

TEST(what_came_after_an_id_is_replayed_before_what_comes)
{
    static struct listener a = {.name = "a"};

    (void)publish("c", "1", NULL);
    (void)publish("c", "2", NULL);
    (void)publish("c", "3", NULL);
    subscribe(&a, "c");
    assert_int_equal(hub_replay(hub, &a.sub, SLICE("1")), 2);
    (void)publish("c", "4", NULL);
    expect("a:2 a:3 a:4 ");
    assert_int_equal(hub_stats(hub).replayed, 2);
}

TEST(replay_says_when_it_does_not_know_the_id)
{
    static struct listener a = {.name = "a"};

    for (int i = 1; i <= 6; i++)
        (void)publish("c", (const char *[]){"1", "2", "3", "4", "5", "6"}[i - 1], NULL);
    subscribe(&a, "c");
    assert_int_equal(hub_replay(hub, &a.sub, SLICE("2")), -ERR_NOT_FOUND);
    assert_int_equal(hub_replay(hub, &a.sub, SLICE("6")), 0);
    assert_int_equal(hub_replay(hub, &a.sub, SLICE("3")), 3);
    expect("a:4 a:5 a:6 ");
}

TEST(what_is_queued_for_others_is_in_a_replay_once)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    subscribe(&a, "c");
    (void)publish("c", "1", NULL);
    (void)publish("c", "2", NULL);
    subscribe(&b, "c");
    assert_int_equal(hub_replay(hub, &b.sub, SLICE("1")), 1);
    expect("a:1 a:2 b:2 ");
}

TEST(one_who_leaves_in_the_middle_of_its_replay_hears_no_more)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};

    (void)publish("c", "1", NULL);
    (void)publish("c", "2", NULL);
    (void)publish("c", "3", NULL);
    subscribe(&a, "c");
    subscribe(&b, "c");
    a.ends = &a;
    (void)hub_replay(hub, &a.sub, SLICE("1"));
    (void)hub_replay(hub, &b.sub, SLICE("1"));
    assert_true(hub_run(hub, now, 2));
    leave(&b);
    expect("a:2 ");
}

TEST(passing_messages_are_delivered_and_not_kept)
{
    static struct listener a = {.name = "a"};
    struct msg *hint = text("c", NULL, NULL);

    subscribe(&a, "c");
    hint->passing = true;
    (void)hub_publish(hub, hint, now);
    expect("a:- ");
    assert_int_equal(hub_stats(hub).kept, 0);
}

TEST(a_channel_without_subs_goes_with_its_history)
{
    (void)publish("c", "1", NULL);
    assert_int_equal(hub_stats(hub).channels, 1);
    assert_int_equal(hub_due(hub), now + 300000);
    now += 300000;
    expect("");
    assert_int_equal(hub_stats(hub).channels, 0);
    assert_int_equal(hub_stats(hub).ids, 0);
}

TEST(without_a_history_nothing_stays)
{
    const struct hub_options o = {0};
    static struct listener a = {.name = "a"};

    restart(&o, &facts);
    (void)publish("c", "1", NULL);
    assert_int_equal(hub_stats(hub).channels, 0);
    subscribe(&a, "c");
    (void)publish("c", "1", "0");
    (void)publish("c", "1", "3");
    now += 1000;
    expect("a:1 a:1 a!refresh ");
    leave(&a);
    assert_int_equal(hub_stats(hub).channels, 0);
}

TEST(the_queue_is_weighed)
{
    static struct listener a = {.name = "a"};

    (void)publish("c", "0", NULL);
    assert_int_equal(hub_stats(hub).queue_bytes, 0);
    subscribe(&a, "c");
    (void)publish("c", "1", NULL);
    (void)publish("c", "3", "2");
    assert_int_equal(hub_stats(hub).queued, 1);
    assert_int_equal(hub_stats(hub).queue_bytes, 2 * (100 + HUB_CHANNEL_WEIGHT));
    expect("a:1 ");
    now += 5000;
    expect("a:3 a!refresh ");
    assert_int_equal(hub_stats(hub).queue_bytes, 0);
}

TEST(channels_can_be_looked_at)
{
    static struct listener a = {.name = "a"}, b = {.name = "b"};
    struct hub_channel_info info;
    uint32_t it = 0;

    subscribe(&a, "c");
    subscribe(&b, "c");
    (void)publish("c", "7", NULL);
    assert_true(hub_next(hub, &it, &info));
    assert_true(slice_eq(info.name, SLICE("c")));
    assert_true(slice_eq(info.last_id, SLICE("7")));
    assert_int_equal(info.subs, 2);
    assert_int_equal(info.kept, 1);
    assert_false(hub_next(hub, &it, &info));
}

TEST(a_hub_may_go_with_everything_in_it)
{
    static struct listener a = {.name = "a"};

    subscribe(&a, "c");
    (void)publish("c", "1", NULL);
    (void)publish("c", "3", "2");
    hub_recover(hub);
    hub_free(hub);
    hub = NULL;
    assert_null(a.sub.channel);
}

/* --- a walk --- */

enum { WALKERS = 40, STEPS = 20000 };

static struct walker {
    struct sub sub;
    uint64_t heard; /* msg.seq of the last one */
} walkers[WALKERS];

static uint32_t dice; /* a fixed sequence: the walk is the same every time */

static uint32_t roll(uint32_t n)
{
    dice = dice * 1664525 + 1013904223;
    return (dice >> 8) % n;
}

static const char *any_channel(void)
{
    return (const char *[]){"a", "b", "c", ""}[roll(4)];
}

static void any_step(void);

static void on_walker_heard(void *arg, struct sub *s, struct msg *m)
{
    struct walker *w = CONTAINER_OF(s, struct walker, sub);

    assert_ptr_not_equal(s->channel, NULL);
    assert_true(slice_eq(hub_channel(s), m->channel));
    assert_true(w->heard < m->seq);
    w->heard = m->seq;
    if (roll(3) == 0)
        any_step();
}

static void on_walker_refresh(void *arg, struct sub *s)
{
    assert_non_null(s->channel);
    if (roll(3) == 0)
        any_step();
}

static void step_subscribe(struct walker *w)
{
    char id[16];

    if (w->sub.channel) {
        hub_unsubscribe(hub, &w->sub, now);
        return;
    }
    w->heard = 0;
    w->sub.lingers = roll(2);
    hub_subscribe(hub, &w->sub, slice_str(any_channel()), now);
    (void)snprintf(id, sizeof(id), "%u", roll(50));
    if (roll(2))
        (void)hub_replay(hub, &w->sub, slice_str(id));
}

static void step_publish(void)
{
    char id[16], prev[16];
    struct msg *m;

    (void)snprintf(id, sizeof(id), "%u", roll(50));
    (void)snprintf(prev, sizeof(prev), "%u", roll(50));
    m = text(any_channel(), roll(4) ? id : NULL, roll(3) ? NULL : prev);
    m->no_seq = roll(8) == 0;
    m->passing = roll(8) == 0;
    (void)hub_publish(hub, m, now);
}

static void any_step(void)
{
    switch (roll(16)) {
    case 0:
        hub_recover(hub);
        break;
    case 1:
        hub_forget(hub, slice_str(any_channel()));
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        step_publish();
        break;
    default:
        step_subscribe(&walkers[roll(WALKERS)]);
        break;
    }
}

TEST(a_long_walk_keeps_order_and_ends_with_nothing)
{
    static const struct hub_ops walking = {on_walker_heard, on_walker_refresh, NULL};
    const struct hub_options o = {.wait_ms = 50,
                                  .id_cache_ms = 100,
                                  .linger_ms = 30,
                                  .history_count = 5,
                                  .history_bytes = 450,
                                  .history_ms = 200,
                                  .history_total = 1000};

    restart(&o, &walking);
    dice = 1;
    for (int i = 0; i < STEPS; i++) {
        any_step();
        if (roll(4) == 0)
            (void)hub_run(hub, now, roll(10));
        now += roll(5);
    }
    for (int i = 0; i < WALKERS; i++)
        hub_unsubscribe(hub, &walkers[i].sub, now);
    for (int i = 0; i < 10; i++, now += 1000)
        while (hub_run(hub, now, 100))
            continue;
    assert_int_equal(hub_stats(hub).subs, 0);
    assert_int_equal(hub_stats(hub).channels, 0);
    assert_int_equal(hub_stats(hub).queue_bytes, 0);
    assert_int_equal(hub_stats(hub).kept_bytes, 0);
    assert_int_equal(hub_stats(hub).parked, 0);
    assert_int_equal(hub_stats(hub).ids, 0);
    assert_int_equal(alive, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(all_subs_of_a_channel_hear_in_the_order_they_came),
        T(nothing_is_told_before_the_run),
        T(one_who_listens_on_two_channels_hears_both_in_order),
        T(who_comes_later_does_not_hear_what_was_said_before),
        T(who_leaves_before_the_run_hears_nothing),
        T(a_listener_may_end_itself_and_the_next_one_while_it_hears),
        T(a_listener_may_publish_while_it_hears),
        T(a_run_stops_at_its_budget_and_goes_on_where_it_was),
        T(a_channel_name_may_be_empty_or_have_any_bytes),
        T(the_same_id_is_published_once_within_its_time),
        T(messages_in_reverse_wait_for_each_other),
        T(a_gap_is_passed_after_the_waiting_time),
        T(no_seq_and_unknown_channels_do_not_wait),
        T(too_many_that_wait_are_dropped),
        T(the_last_id_is_known_until_it_is_forgotten_or_cleared),
        T(a_second_after_the_first_sub_all_are_refreshed_once),
        T(a_polled_channel_stays_known_between_polls),
        T(recovery_forgets_ids_and_refreshes_everyone),
        T(what_came_after_an_id_is_replayed_before_what_comes),
        T(replay_says_when_it_does_not_know_the_id),
        T(what_is_queued_for_others_is_in_a_replay_once),
        T(one_who_leaves_in_the_middle_of_its_replay_hears_no_more),
        T(passing_messages_are_delivered_and_not_kept),
        T(a_channel_without_subs_goes_with_its_history),
        T(without_a_history_nothing_stays),
        T(the_queue_is_weighed),
        T(channels_can_be_looked_at),
        T(a_hub_may_go_with_everything_in_it),
        T(a_long_walk_keeps_order_and_ends_with_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
