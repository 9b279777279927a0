#include "edge/subscriber.h"

#include "edge/filter.h"
#include "edge/publication.h"
#include "edge/relay.h"
#include "lab.h"

static struct lab lab;
static struct buf heard; /* "a=text a!recover " */

struct client {
    struct subscriber s;
    const char *name;
    bool ends;
};

static struct client a, b;

static const char *name_of(struct subscriber *s)
{
    return CONTAINER_OF(s, struct client, s)->name;
}

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    (void)buf_addf(&heard, "%s=%.*s ", name_of(s), SLICE_FMT(d->content));
    if (s->kind == GRIP_HTTP_STREAM)
        assert_true(slice_eq(blob_slice(d->blob), d->content));
    if (s->kind == GRIP_WS_MESSAGE && d->payload)
        assert_true(slice_eq(d->payload->bytes, d->content));
    if (CONTAINER_OF(s, struct client, s)->ends)
        subscriber_done(s);
}

static void on_close(struct subscriber *s, const struct delivery *d)
{
    (void)buf_addf(&heard, "%s!close%u ", name_of(s), d->format->code);
}

#define FACT(what)                                                                                 \
    static void on_##what(struct subscriber *s)                                                    \
    {                                                                                              \
        (void)buf_addf(&heard, "%s!" #what " ", name_of(s));                                       \
    }
FACT(hint)
FACT(recover)
FACT(refresh)

static const struct subscriber_ops facts = {on_deliver, on_close, on_hint, on_recover, on_refresh};

static void use_options(const struct grip_options *o)
{
    relay_free(lab.edge->relay);
    lab.edge->relay = relay_new(lab.edge, o);
}

static int setup(void **state)
{
    buf_init(&heard, 1 << 20);
    a = (struct client){.name = "a"};
    b = (struct client){.name = "b"};
    lab_open(&lab);
    return 0;
}

static int teardown(void **state)
{
    subscriber_done(&a.s);
    subscriber_done(&b.s);
    lab_close(&lab);
    buf_done(&heard);
    return 0;
}

static void begin(struct client *c, enum grip_kind kind)
{
    subscriber_init(&c->s, lab.edge, kind, 3, SLICE_NONE, &facts);
}

static int add(struct client *c, const char *channel)
{
    return subscriber_add(&c->s, slice_str(channel), &(struct subscribe){0});
}

static int add_at(struct client *c, const char *channel, const char *prev_id)
{
    return subscriber_add(&c->s, slice_str(channel),
                          &(struct subscribe){.has_prev_id = true, .prev_id = slice_str(prev_id)});
}

static int add_filtered(struct client *c, const char *channel, enum grip_filter f)
{
    return subscriber_add(&c->s, slice_str(channel),
                          &(struct subscribe){.filters = {.n = 1, .ids = {f}}});
}

static void meta(struct client *c, const char *name, const char *value)
{
    const struct slice v = slice_str(value);

    assert_int_equal(subscriber_meta(&c->s, slice_str(name), value ? &v : NULL), 0);
}

static void publish_item(struct grip_item item)
{
    struct grip_items items = {.items = &item, .n = 1};

    assert_int_equal(relay_publish(lab.edge, &items), 0);
}

/* To all kinds. id and prev may be NULL. */
static struct grip_item text(const char *channel, const char *content, const char *id,
                             const char *prev)
{
    struct grip_item item = {
        .channel = slice_str(channel),
        .id = slice_str(id),
        .has_id = id != NULL,
        .prev_id = slice_str(prev),
        .has_prev_id = prev != NULL,
        .no_seq = true,
        .size = -1,
    };

    for (unsigned i = 0; i < GRIP_KINDS; i++)
        item.formats[i] = (struct grip_format){.has = true, .content = slice_str(content)};
    return item;
}

static void publish(const char *channel, const char *content)
{
    publish_item(text(channel, content, NULL, NULL));
}

static void publish_action(const char *channel, enum grip_action action)
{
    struct grip_item item = text(channel, "", NULL, NULL);

    for (unsigned i = 0; i < GRIP_KINDS; i++) {
        item.formats[i].action = action;
        item.formats[i].code = 1000;
    }
    publish_item(item);
}

static void expect_now(const char *what)
{
    (void)buf_add_byte(&heard, '\0');
    assert_string_equal((char *)heard.p, what);
    buf_clear(&heard);
}

static void expect(const char *what)
{
    loop_advance(lab.loop, 0);
    expect_now(what);
}

TEST(each_kind_hears_its_format)
{
    struct grip_item item = text("c", "x", NULL, NULL);

    begin(&a, GRIP_HTTP_STREAM);
    begin(&b, GRIP_WS_MESSAGE);
    add(&a, "c");
    add(&b, "c");
    item.formats[GRIP_HTTP_STREAM].content = SLICE("stream");
    item.formats[GRIP_WS_MESSAGE].content = SLICE("ws");
    publish_item(item);
    expect("a=stream b=ws ");
    item.formats[GRIP_HTTP_STREAM].has = false;
    publish_item(item);
    expect("b=ws ");
    assert_int_equal(lab.edge->stats.items_delivered, 3);
}

TEST(a_channel_is_subscribed_to_once)
{
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    add(&a, "c");
    assert_int_equal(a.s.n, 1);
    publish("c", "x");
    expect("a=x ");
    assert_true(subscriber_remove(&a.s, SLICE("c")));
    assert_false(subscriber_remove(&a.s, SLICE("c")));
    publish("c", "x");
    expect("");
}

TEST(only_so_many_channels_and_implicit_ones_beside)
{
    begin(&a, GRIP_HTTP_STREAM);
    assert_int_equal(add(&a, "1"), 0);
    assert_int_equal(add(&a, "2"), 0);
    assert_int_equal(subscriber_add(&a.s, SLICE("i"), &(struct subscribe){.implicit = true}), 0);
    assert_int_equal(add(&a, "3"), 0);
    assert_int_equal(add(&a, "4"), -ERR_TOO_LARGE);
    assert_int_equal(add(&a, "1"), 0);
    assert_false(subscriber_remove(&a.s, SLICE("i")));
    assert_true(subscriber_remove(&a.s, SLICE("1")));
    assert_int_equal(add(&a, "4"), 0);
    assert_true(subscriber_has(&a.s, SLICE("i")));
}

TEST(a_set_is_replaced_without_a_gap)
{
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "1");
    add(&a, "2");
    (void)subscriber_add(&a.s, SLICE("i"), &(struct subscribe){.implicit = true});
    publish("1", "before");
    subscriber_replace(&a.s);
    add(&a, "1");
    add(&a, "3");
    subscriber_replaced(&a.s);
    publish("2", "gone");
    publish("3", "new");
    publish("i", "implicit");
    expect("a=before a=new a=implicit ");
    assert_int_equal(a.s.n, 2);
}

TEST(the_actions_are_facts_of_their_kinds)
{
    begin(&a, GRIP_HTTP_RESPONSE);
    begin(&b, GRIP_WS_MESSAGE);
    add(&a, "c");
    add(&b, "c");
    publish_action("c", GRIP_HINT);
    expect("a!hint ");
    publish_action("c", GRIP_CLOSE);
    expect("b!close1000 ");
    publish_action("c", GRIP_REFRESH);
    expect("b!refresh ");
}

TEST(http_is_refreshed_after_the_first_subscription_and_on_recovery)
{
    begin(&a, GRIP_HTTP_STREAM);
    begin(&b, GRIP_WS_MESSAGE);
    add(&a, "c");
    add(&b, "c");
    loop_advance(lab.loop, 999);
    expect("");
    loop_advance(lab.loop, 1);
    expect("a!refresh ");
    relay_recover(lab.edge);
    expect("a!refresh ");
}

TEST(a_subscriber_may_end_itself_while_it_hears)
{
    begin(&a, GRIP_HTTP_STREAM);
    begin(&b, GRIP_HTTP_STREAM);
    add(&a, "c");
    add(&b, "c");
    a.ends = true;
    publish("c", "1");
    publish("c", "2");
    expect("a=1 b=1 b=2 ");
}

/* --- sequences --- */

TEST(an_item_that_follows_is_delivered_and_another_breaks_the_sequence)
{
    begin(&a, GRIP_HTTP_STREAM);
    add_at(&a, "c", "5");
    publish_item(text("c", "six", "6", "5"));
    publish_item(text("c", "seven", "7", "6"));
    expect("a=six a=seven ");
    publish_item(text("c", "nine", "9", "8"));
    publish("c", "no id");
    expect("a!recover a!recover ");
    assert_int_equal(lab.edge->stats.items_missed, 2);
}

TEST(a_stale_prev_id_is_a_conflict_once)
{
    begin(&a, GRIP_HTTP_RESPONSE);
    publish_item(text("c", "x", "2", NULL));
    add_at(&a, "c", "1");
    assert_true(subscriber_conflicts(&a.s));
    assert_false(subscriber_conflicts(&a.s));
    publish_item(text("d", "x", "3", NULL));
    add_at(&a, "d", "3");
    assert_false(subscriber_conflicts(&a.s));
}

TEST(the_places_in_sequences_can_be_listed)
{
    const struct subscription *it = NULL;
    struct slice channel, id;

    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "plain");
    add_at(&a, "c", "5");
    publish_item(text("c", "x", "6", "5"));
    expect("a=x ");
    assert_true(subscriber_prev_next(&a.s, &it, &channel, &id));
    assert_true(slice_eq(channel, SLICE("c")));
    assert_true(slice_eq(id, SLICE("6")));
    assert_false(subscriber_prev_next(&a.s, &it, &channel, &id));
}

TEST(all_heard_means_every_channel)
{
    begin(&a, GRIP_HTTP_STREAM);
    assert_false(subscriber_all_heard(&a.s));
    add(&a, "1");
    add(&a, "2");
    publish("1", "x");
    expect("a=x ");
    assert_false(subscriber_all_heard(&a.s));
    publish("2", "x");
    expect("a=x ");
    assert_true(subscriber_all_heard(&a.s));
    assert_false(subscriber_all_heard(&a.s));
}

TEST(what_came_after_an_id_is_heard_first)
{
    publish_item(text("c", "one", "1", NULL));
    publish_item(text("c", "two", "2", "1"));
    publish_item(text("c", "three", "3", "2"));
    begin(&a, GRIP_HTTP_STREAM);
    assert_int_equal(
        subscriber_add(&a.s, SLICE("c"),
                       &(struct subscribe){.has_after_id = true, .after_id = SLICE("1")}),
        1);
    begin(&b, GRIP_HTTP_STREAM);
    assert_int_equal(
        subscriber_add(&b.s, SLICE("c"),
                       &(struct subscribe){.has_after_id = true, .after_id = SLICE("0")}),
        -ERR_NOT_FOUND);
    publish("c", "four");
    expect("a=two a=three a=four b=four ");
}

/* --- pace --- */

TEST(a_paused_subscriber_hears_later_in_order)
{
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    add(&a, "d");
    subscriber_pause(&a.s);
    publish("c", "1");
    publish("d", "2");
    publish("c", "3");
    expect("");
    (void)subscriber_remove(&a.s, SLICE("d"));
    subscriber_resume(&a.s);
    publish("c", "4");
    expect_now("");
    expect("a=1 a=3 a=4 ");
    assert_null(a.s.queue);
}

TEST(a_pause_keeps_so_many_items)
{
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    subscriber_pause(&a.s);
    for (int i = 0; i < SUBSCRIBER_QUEUE + 5; i++)
        publish("c", "x");
    expect("");
    assert_int_equal(lab.edge->stats.items_dropped_slow, 5);
    subscriber_drop(&a.s);
    subscriber_resume(&a.s);
    expect("");
}

/* Publishes an item of which a queue counts so many bytes. */
static void publish_weight(uint32_t weight)
{
    static char zeroes[SUBSCRIBER_QUEUE_BYTES];
    struct grip_item item = {.channel = SLICE("c"), .size = -1};
    struct publication *p = publication_new(&item);

    item.formats[GRIP_HTTP_STREAM] =
        (struct grip_format){.has = true, .content = slice_make(zeroes, weight - p->msg.weight)};
    publication_unref(p);
    publish_item(item);
}

TEST(the_bytes_are_counted_exactly)
{
    static const uint32_t small = 10000;

    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    for (uint32_t more = 0; more < 2; more++) {
        subscriber_pause(&a.s);
        publish_weight(SUBSCRIBER_QUEUE_BYTES - small);
        publish_weight(small + more);
        loop_advance(lab.loop, 0);
        assert_int_equal(lab.edge->stats.items_dropped_slow, more);
        subscriber_drop(&a.s);
        subscriber_resume(&a.s);
    }
}

TEST(a_pause_keeps_so_many_bytes)
{
    static char big[400000];
    struct grip_item item = text("c", "x", NULL, NULL);

    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    subscriber_pause(&a.s);
    item.formats[GRIP_WS_MESSAGE].content = slice_make(big, sizeof(big));
    for (int i = 0; i < 4; i++)
        publish_item(item);
    publish("c", "small");
    expect("");
    assert_int_equal(lab.edge->stats.items_dropped_slow, 2);
    subscriber_resume(&a.s);
    expect("a=x a=x a=small ");
    subscriber_pause(&a.s);
    item.formats[GRIP_HTTP_RESPONSE].content = slice_make(big, sizeof(big));
    item.formats[GRIP_HTTP_STREAM].content = SLICE("y");
    item.size = 1;
    publish_item(item);
    expect("");
    subscriber_resume(&a.s);
    expect("a=y ");
}

TEST(a_pause_in_the_middle_of_a_resume_holds_the_rest)
{
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    subscriber_pause(&a.s);
    publish("c", "1");
    publish("c", "2");
    expect("");
    subscriber_resume(&a.s);
    subscriber_pause(&a.s);
    publish("c", "3");
    expect("");
    subscriber_resume(&a.s);
    a.ends = true;
    expect("a=1 ");
}

TEST(what_a_link_has_brought_is_not_heard_again)
{
    begin(&a, GRIP_HTTP_STREAM);
    add_at(&a, "c", "5");
    subscriber_pause(&a.s);
    publish_item(text("c", "six", "6", "5"));
    publish_item(text("c", "seven", "7", "6"));
    publish_item(text("c", "eight", "8", "7"));
    expect("");
    add_at(&a, "c", "7");
    subscriber_resume(&a.s);
    expect("a=eight ");
    subscriber_pause(&a.s);
    publish_item(text("c", "nine", "9", "8"));
    expect("");
    add_at(&a, "c", "9");
    subscriber_resume(&a.s);
    expect("");
    subscriber_pause(&a.s);
    publish_item(text("c", "eleven", "11", "10"));
    expect("");
    subscriber_resume(&a.s);
    expect("a!recover ");
}

TEST(a_rate_spreads_deliveries_and_drops_over_its_mark)
{
    const struct grip_options o = {.message_rate = 80, .message_hwm = 3};

    use_options(&o);
    begin(&a, GRIP_HTTP_STREAM);
    begin(&b, GRIP_HTTP_STREAM);
    add(&a, "c");
    add(&b, "d");
    for (int i = 0; i < 6; i++)
        publish("c", (const char *[]){"0", "1", "2", "3", "4", "5"}[i]);
    publish("d", "x");
    loop_tick(lab.loop, 0);
    loop_tick(lab.loop, 0);
    expect_now("a=0 a=1 ");
    assert_int_equal(lab.edge->stats.items_dropped_rate, 2);
    loop_advance(lab.loop, 25);
    expect_now("a=2 a=3 ");
    subscriber_done(&a.s);
    loop_advance(lab.loop, 25);
    expect_now("");
}

TEST(a_delivery_weighs_its_blocks)
{
    const struct grip_options o = {.message_rate = 40, .message_block = 10};
    struct grip_item item = text("c", "x", NULL, NULL);

    use_options(&o);
    assert_int_equal(relay_weight(lab.edge->relay, &item, &item.formats[0]), 1);
    item.formats[0].content = SLICE("0123456789x");
    assert_int_equal(relay_weight(lab.edge->relay, &item, &item.formats[0]), 2);
    item.size = 95;
    assert_int_equal(relay_weight(lab.edge->relay, &item, &item.formats[0]), 10);
}

/* --- filters --- */

static void publish_from(const char *name, const char *value, const char *content)
{
    struct grip_pair pair = {slice_str(name), slice_str(value)};
    struct grip_item item = text("c", content, NULL, NULL);

    item.meta = &pair;
    item.n_meta = 1;
    publish_item(item);
}

TEST(skip_self_and_skip_users)
{
    begin(&a, GRIP_HTTP_STREAM);
    add_filtered(&a, "c", GRIP_FILTER_SKIP_SELF);
    meta(&a, "user", "alice");
    begin(&b, GRIP_WS_MESSAGE);
    add_filtered(&b, "c", GRIP_FILTER_SKIP_USERS);
    meta(&b, "user", "bob");
    publish_from("sender", "alice", "1");
    publish_from("skip_users", "alice, bob", "2");
    publish_from("sender", "", "3");
    expect("b=1 a=2 a=3 b=3 ");
    assert_int_equal(lab.edge->stats.items_filtered, 2);
    meta(&b, "user", NULL);
    publish_from("skip_users", "bob", "4");
    expect("a=4 b=4 ");
}

TEST(require_sub_asks_for_another_channel)
{
    begin(&a, GRIP_HTTP_STREAM);
    add_filtered(&a, "c", GRIP_FILTER_REQUIRE_SUB);
    add(&a, "d");
    publish_from("require_sub", "d", "1");
    publish_from("require_sub", "e", "2");
    publish_from("x", "y", "3");
    expect("a=1 a=3 ");
}

TEST(var_subst_puts_metadata_in)
{
    begin(&a, GRIP_HTTP_STREAM);
    add_filtered(&a, "c", GRIP_FILTER_VAR_SUBST);
    meta(&a, "user", "alice");
    publish("c", "hi %(user)s 100%%");
    publish("c", "hi %(nobody)s");
    publish("c", "hi %x");
    publish("c", "hi %(user");
    publish("c", "hi %");
    publish("c", "plain");
    expect("a=hi alice 100% a=plain ");
    assert_int_equal(lab.edge->stats.items_unusable, 4);
}

TEST(a_text_that_becomes_bad_utf8_is_not_sent)
{
    begin(&a, GRIP_WS_MESSAGE);
    add_filtered(&a, "c", GRIP_FILTER_VAR_SUBST);
    meta(&a, "user", "\xff");
    publish("c", "hi %(user)s");
    expect("");
}

TEST(build_id_renders_the_new_id)
{
    begin(&a, GRIP_HTTP_STREAM);
    (void)subscriber_add(&a.s, SLICE("c"),
                         &(struct subscribe){.has_prev_id = true,
                                             .prev_id = SLICE("7"),
                                             .filters = {1, {GRIP_FILTER_BUILD_ID}}});
    add_at(&a, "d", "3");
    meta(&a, "id_format", "c:%(c)s,d:%(d)s");
    publish_item(text("c", "id: %I %(x)I", "8", "7"));
    expect("a=id: c:8,d:3 x ");
    meta(&a, "id_encoding", "hex");
    publish_item(text("c", "%(ab)I", "9", "8"));
    expect("a=6162 ");
}

TEST(a_body_gets_ids_too)
{
    struct buf out;

    buf_init(&out, FILTER_CONTENT_MAX);
    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    assert_int_equal(filter_body(&a.s, SLICE("%(5)I"), &out), 0);
    add_filtered(&a, "c", GRIP_FILTER_BUILD_ID);
    assert_int_equal(filter_body(&a.s, SLICE("%(5)I"), &out), 1);
    assert_true(slice_eq(buf_slice(&out), SLICE("5")));
    assert_int_equal(filter_body(&a.s, SLICE("%I"), &out), -ERR_SYNTAX);
    buf_done(&out);
}

TEST(content_filters_must_be_the_same)
{
    struct grip_item item = text("c", "%(user)s", NULL, NULL);

    begin(&a, GRIP_HTTP_STREAM);
    add_filtered(&a, "c", GRIP_FILTER_VAR_SUBST);
    meta(&a, "user", "alice");
    begin(&b, GRIP_HTTP_STREAM);
    add_filtered(&b, "c", GRIP_FILTER_SKIP_SELF);
    item.formats[GRIP_HTTP_STREAM].has_content_filters = true;
    publish_item(item);
    expect("b=%(user)s ");
    item.formats[GRIP_HTTP_STREAM].content_filters =
        (struct grip_filters){1, {GRIP_FILTER_VAR_SUBST}};
    publish_item(item);
    expect("a=alice ");
}

TEST(metadata_is_bounded)
{
    static char big[SUBSCRIBER_META + 1];
    const struct slice value = slice_make(big, sizeof(big)), nul = SLICE("a\0b");

    begin(&a, GRIP_HTTP_STREAM);
    meta(&a, "x", "1");
    assert_int_equal(subscriber_meta(&a.s, SLICE("y"), &value), -ERR_TOO_LARGE);
    assert_int_equal(subscriber_meta(&a.s, SLICE("y"), &nul), -ERR_TOO_LARGE);
    meta(&a, "x", "");
    assert_string_equal(subscriber_meta_find(&a.s, SLICE("x")), "");
    meta(&a, "x", NULL);
    assert_null(subscriber_meta_find(&a.s, SLICE("x")));
}

/* --- the relay --- */

static void on_known(void *arg, struct slice channel, bool is_known)
{
    (void)buf_addf(&heard, "%c%.*s ", is_known ? '+' : '-', SLICE_FMT(channel));
}

TEST(it_tells_which_channels_are_known)
{
    relay_watch(lab.edge, on_known, NULL);
    begin(&a, GRIP_HTTP_STREAM);
    begin(&b, GRIP_HTTP_STREAM);
    add(&a, "c");
    add(&b, "c");
    expect("+c ");
    subscriber_done(&a.s);
    subscriber_done(&b.s);
    expect("-c ");
}

TEST(who_publishes_too_much_is_refused)
{
    static char big[1 << 20];
    struct grip_item item = text("c", "", NULL, NULL);
    struct grip_items items = {.items = &item, .n = 1};
    int n = 0;

    begin(&a, GRIP_HTTP_STREAM);
    add(&a, "c");
    a.ends = true;
    item.formats[GRIP_HTTP_STREAM].content = slice_make(big, sizeof(big));
    item.formats[GRIP_WS_MESSAGE].content = item.formats[GRIP_HTTP_RESPONSE].content = SLICE_NONE;
    while (n < 100 && relay_publish(lab.edge, &items) == 0)
        n++;
    assert_int_equal(n, 64);
    assert_int_equal(lab.edge->stats.items_refused, 1);
    buf_done(&heard);
    buf_init(&heard, 10 << 20);
    loop_advance(lab.loop, 0);
    assert_int_equal(relay_publish(lab.edge, &items), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_kind_hears_its_format),
        T(a_channel_is_subscribed_to_once),
        T(only_so_many_channels_and_implicit_ones_beside),
        T(a_set_is_replaced_without_a_gap),
        T(the_actions_are_facts_of_their_kinds),
        T(http_is_refreshed_after_the_first_subscription_and_on_recovery),
        T(a_subscriber_may_end_itself_while_it_hears),
        T(an_item_that_follows_is_delivered_and_another_breaks_the_sequence),
        T(a_stale_prev_id_is_a_conflict_once),
        T(the_places_in_sequences_can_be_listed),
        T(all_heard_means_every_channel),
        T(what_came_after_an_id_is_heard_first),
        T(a_paused_subscriber_hears_later_in_order),
        T(a_pause_keeps_so_many_items),
        T(the_bytes_are_counted_exactly),
        T(a_pause_keeps_so_many_bytes),
        T(a_pause_in_the_middle_of_a_resume_holds_the_rest),
        T(what_a_link_has_brought_is_not_heard_again),
        T(a_rate_spreads_deliveries_and_drops_over_its_mark),
        T(a_delivery_weighs_its_blocks),
        T(skip_self_and_skip_users),
        T(require_sub_asks_for_another_channel),
        T(var_subst_puts_metadata_in),
        T(a_text_that_becomes_bad_utf8_is_not_sent),
        T(build_id_renders_the_new_id),
        T(a_body_gets_ids_too),
        T(content_filters_must_be_the_same),
        T(metadata_is_bounded),
        T(it_tells_which_channels_are_known),
        T(who_publishes_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
