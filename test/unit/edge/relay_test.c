#include "edge/relay.h"

#include "edge/publication.h"
#include "edge/subscriber.h"
#include "hub/hub.h"
#include "lab.h"

enum { EDGES = 2 };

static struct loop *loop;
static struct edge *edges[EDGES];
static struct client {
    struct subscriber s;
    unsigned heard;
    struct buf text;
} clients[EDGES];
static struct buf known; /* "+a -a " */

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    struct client *c = CONTAINER_OF(s, struct client, s);

    c->heard++;
    if (d->content.n < 16)
        (void)buf_addf(&c->text, "%.*s ", SLICE_FMT(d->content));
}

static void on_refresh(struct subscriber *s)
{
    (void)buf_addf(&CONTAINER_OF(s, struct client, s)->text, "!refresh ");
}

static void ignore(struct subscriber *s)
{
}

static const struct subscriber_ops facts = {on_deliver, on_deliver, ignore, ignore, on_refresh};

static void on_known(void *arg, struct slice channel, bool is_known)
{
    (void)buf_addf(&known, "%c%.*s ", is_known ? '+' : '-', SLICE_FMT(channel));
}

static void open_edges(unsigned n)
{
    const struct app_config app = {.name = "app", .script = SLICE("x"), .worker_path = "/nowhere"};

    loop = loop_new_simulated();
    buf_init(&known, 1 << 16);
    for (unsigned i = 0; i < n; i++) {
        const struct edge_options o = {.index = i, .count = n, .apps = &app, .n_apps = 1};

        edges[i] = edge_new(loop, &o, NULL);
        clients[i] = (struct client){.text.max = 1 << 20};
    }
    edge_introduce(edges, n);
    relay_watch(edges[0], on_known, NULL);
    for (unsigned i = 0; i < n; i++)
        subscriber_init(&clients[i].s, edges[i], GRIP_HTTP_STREAM, 10, SLICE_NONE, &facts);
}

static void close_edges(void)
{
    for (unsigned i = EDGES; i-- > 0;) {
        if (!edges[i])
            continue;
        subscriber_done(&clients[i].s);
        buf_done(&clients[i].text);
        edge_free(edges[i]);
        edges[i] = NULL;
    }
    loop_advance(loop, 0);
    loop_free(loop);
    buf_done(&known);
}

static int one_edge(void **state)
{
    open_edges(1);
    return 0;
}

static int two_edges(void **state)
{
    open_edges(2);
    return 0;
}

static int teardown(void **state)
{
    close_edges();
    return 0;
}

/* Subscribed, and the refresh of the channel's first second is behind it. */
static void listen_on(unsigned i, const char *channel)
{
    (void)subscriber_add(&clients[i].s, slice_str(channel), &(struct subscribe){0});
    loop_advance(loop, 2000);
    buf_clear(&clients[i].text);
}

static struct grip_item item_of(const char *channel, struct slice content)
{
    return (struct grip_item){
        .channel = slice_str(channel),
        .size = -1,
        .formats[GRIP_HTTP_STREAM] = {.has = true, .content = content},
    };
}

static int publish(unsigned i, const char *channel, struct slice content)
{
    struct grip_item item = item_of(channel, content);

    return relay_publish(edges[i], &(struct grip_items){.items = &item, .n = 1});
}

static int publish_text(unsigned i, const char *text)
{
    return publish(i, "a", slice_str(text));
}

static void expect_text(struct buf *text, const char *want)
{
    (void)buf_add_byte(text, 0);
    assert_string_equal((char *)text->p, want);
    buf_clear(text);
}

static int64_t queued_bytes(unsigned i)
{
    struct edge_stats s = {0};

    relay_count(edges[i]->relay, &s);
    return s.items_queued_bytes;
}

/* --- the backlog --- */

static char zeroes[1 << 20];

/* Publishes until exactly so many bytes wait. */
static void fill(int64_t bytes)
{
    const int64_t least = (int64_t)sizeof(struct publication) + HUB_CHANNEL_WEIGHT + 64;
    int64_t weight;

    assert_int_equal(publish(0, "a", SLICE_NONE), 0);
    weight = queued_bytes(0);
    assert_true(weight < least);
    while (queued_bytes(0) < bytes) {
        const int64_t left = bytes - queued_bytes(0);
        const int64_t whole = MIN(left, (int64_t)sizeof(zeroes));

        /* What would be left for the next must be enough for one. */
        const int64_t next = left > whole && left - whole < least ? whole - least : whole;

        assert_true(next >= weight);
        assert_int_equal(publish(0, "a", slice_make(zeroes, (size_t)(next - weight))), 0);
    }
    assert_int_equal(queued_bytes(0), bytes);
}

TEST(what_waits_is_bounded_and_what_is_refused_is_not_heard)
{
    unsigned heard;

    listen_on(0, "a");
    fill(RELAY_BACKLOG);
    assert_int_equal(publish_text(0, "the last"), 0);
    assert_int_equal(publish_text(0, "too much"), -ERR_OVERLOADED);
    assert_int_equal(publish(0, "nobody", SLICE("x")), -ERR_OVERLOADED);
    assert_int_equal(edges[0]->stats.items_refused, 2);
    heard = clients[0].heard;
    loop_advance(loop, 0);
    assert_true(clients[0].heard > heard);
    assert_int_equal(queued_bytes(0), 0);
    assert_int_equal(publish_text(0, "again"), 0);
    loop_advance(loop, 0);
    assert_true(slice_ends(buf_slice(&clients[0].text), SLICE("the last again ")));
    assert_true(slice_find_slice(buf_slice(&clients[0].text), SLICE("too much")) < 0);
}

TEST(a_whole_list_is_taken_or_none_of_it)
{
    struct grip_item items[2] = {item_of("a", SLICE("x")), item_of("a", SLICE("y"))};

    listen_on(0, "a");
    fill(RELAY_BACKLOG + 1);
    assert_int_equal(relay_publish(edges[0], &(struct grip_items){.items = items, .n = 2}),
                     -ERR_OVERLOADED);
    assert_int_equal(edges[0]->stats.items_refused, 2);
    assert_int_equal(edges[0]->stats.items_published, 65);
}

TEST(an_edge_that_is_behind_holds_publishers_of_all_up)
{
    unsigned n = 0;

    listen_on(1, "a");
    /* The mails of both edges wait. */
    while (publish(0, "a", slice_make(zeroes, sizeof(zeroes))) == 0)
        n++;
    assert_int_equal(n, RELAY_BACKLOG >> 20);
    assert_int_equal(publish_text(1, "x"), -ERR_OVERLOADED);
    loop_advance(loop, 0);
    assert_int_equal(clients[1].heard, n);
    assert_int_equal(publish_text(1, "x"), 0);
}

/* --- the budget --- */

static struct client crowd[RELAY_BUDGET + 1];

static unsigned heard_by_crowd(void)
{
    unsigned n = 0;

    for (size_t i = 0; i < COUNT_OF(crowd); i++)
        n += crowd[i].heard;
    return n;
}

static void expect_ticks(unsigned listeners, unsigned first, unsigned second)
{
    memset(crowd, 0, sizeof(crowd));
    for (unsigned i = 0; i < listeners; i++) {
        subscriber_init(&crowd[i].s, edges[0], GRIP_HTTP_STREAM, 1, SLICE_NONE, &facts);
        (void)subscriber_add(&crowd[i].s, SLICE("a"), &(struct subscribe){0});
    }
    loop_advance(loop, 2000);
    assert_int_equal(publish_text(0, "x"), 0);
    loop_tick(loop, 0);
    assert_int_equal(heard_by_crowd(), first);
    loop_tick(loop, 0);
    assert_int_equal(heard_by_crowd(), first + second);
    for (unsigned i = 0; i < listeners; i++) {
        subscriber_done(&crowd[i].s);
        buf_done(&crowd[i].text);
    }
}

TEST(a_crowd_leaves_the_loop_to_others)
{
    expect_ticks(RELAY_BUDGET - 1, RELAY_BUDGET - 1, 0);
    expect_ticks(RELAY_BUDGET, RELAY_BUDGET, 0);
    expect_ticks(RELAY_BUDGET + 1, RELAY_BUDGET, 1);
}

/* --- edges --- */

TEST(every_edge_hears_what_any_publishes_in_one_order)
{
    listen_on(0, "a");
    listen_on(1, "a");
    assert_int_equal(publish_text(0, "one"), 0);
    assert_int_equal(publish_text(1, "two"), 0);
    assert_int_equal(publish_text(0, "three"), 0);
    loop_advance(loop, 0);
    expect_text(&clients[0].text, "one two three ");
    expect_text(&clients[1].text, "one two three ");
    assert_int_equal(edges[0]->stats.items_published + edges[1]->stats.items_published, 3);
}

TEST(recovery_refreshes_on_every_edge)
{
    listen_on(0, "a");
    listen_on(1, "a");
    relay_recover(edges[1]);
    loop_advance(loop, 0);
    expect_text(&clients[0].text, "!refresh ");
    expect_text(&clients[1].text, "!refresh ");
}

TEST(a_channel_is_known_once_for_all_edges)
{
    listen_on(0, "a");
    listen_on(1, "a");
    listen_on(1, "b");
    expect_text(&known, "+a +b ");
    subscriber_done(&clients[0].s);
    loop_advance(loop, 0);
    expect_text(&known, "");
    subscriber_done(&clients[1].s);
    loop_advance(loop, 0);
    assert_int_equal(known.n, 6);
    assert_true(slice_find_slice(buf_slice(&known), SLICE("-a ")) >= 0);
    assert_true(slice_find_slice(buf_slice(&known), SLICE("-b ")) >= 0);
}

/* --- weights and rates --- */

TEST(a_delivery_weighs_its_blocks)
{
    static const struct {
        int64_t size;
        uint32_t weight;
    } cases[] = {{-1, 1}, {0, 1}, {99, 1}, {100, 1}, {101, 2}, {INT64_MAX, INT32_MAX}};
    struct relay *r = relay_new(edges[0], &(struct grip_options){.message_block = 100});
    struct grip_item item = item_of("a", SLICE("abc"));

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        item.size = cases[i].size;
        assert_int_equal(relay_weight(r, &item, &item.formats[GRIP_HTTP_STREAM]), cases[i].weight);
    }
    item.size = 101;
    assert_int_equal(relay_weight(edges[0]->relay, &item, &item.formats[GRIP_HTTP_STREAM]), 1);
    relay_free(r);
}

TEST(routes_of_one_id_share_a_rate)
{
    struct relay *r = relay_new(edges[0], &(struct grip_options){.message_rate = 10});

    assert_non_null(relay_rate(r, SLICE("x")));
    assert_ptr_equal(relay_rate(r, SLICE("x")), relay_rate(r, SLICE("x")));
    assert_ptr_not_equal(relay_rate(r, SLICE("x")), relay_rate(r, SLICE("y")));
    assert_null(relay_rate(edges[0]->relay, SLICE("x")));
    relay_free(r);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, one_edge, teardown)
#define TWO(name) cmocka_unit_test_setup_teardown(name, two_edges, teardown)
    const struct CMUnitTest tests[] = {
        ONE(what_waits_is_bounded_and_what_is_refused_is_not_heard),
        ONE(a_whole_list_is_taken_or_none_of_it),
        TWO(an_edge_that_is_behind_holds_publishers_of_all_up),
        ONE(a_crowd_leaves_the_loop_to_others),
        TWO(every_edge_hears_what_any_publishes_in_one_order),
        TWO(recovery_refreshes_on_every_edge),
        TWO(a_channel_is_known_once_for_all_edges),
        ONE(a_delivery_weighs_its_blocks),
        ONE(routes_of_one_id_share_a_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
