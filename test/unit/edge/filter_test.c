#include "edge/filter.h"

#include "edge/subscriber.h"
#include "lab.h"
#include "wire/grip_item.h"

static struct lab lab;
static struct subscriber s;
static struct buf out;

static void on_deliver(struct subscriber *s_, const struct delivery *d)
{
}

static void on_news(struct subscriber *s_)
{
}

static const struct subscriber_ops facts = {on_deliver, on_deliver, on_news, on_news, on_news};

static int setup(void **state)
{
    lab_open(&lab);
    subscriber_init(&s, lab.edge, GRIP_HTTP_STREAM, 5, SLICE_NONE, &facts);
    buf_init(&out, FILTER_CONTENT_MAX);
    return 0;
}

static int teardown(void **state)
{
    subscriber_done(&s);
    buf_done(&out);
    lab_close(&lab);
    return 0;
}

static void meta(const char *name, const char *value)
{
    const struct slice v = slice_str(value);

    assert_int_equal(subscriber_meta(&s, slice_str(name), value ? &v : NULL), 0);
}

/* What these filters make of an item with this content and one pair of metadata. */
static int filter_pair(struct grip_filters f, struct grip_pair pair, struct slice content)
{
    const struct grip_item item = {
        .channel = SLICE("c"), .id = SLICE("17"), .has_id = true, .meta = &pair, .n_meta = 1};
    const struct grip_format format = {.has = true, .content = content};

    buf_clear(&out);
    return filter_item(&s, &f, &item, &format, &out);
}

static int filter_one(enum grip_filter f, const char *name, const char *value)
{
    return filter_pair((struct grip_filters){1, {(uint8_t)f}},
                       (struct grip_pair){slice_str(name), slice_str(value)}, SLICE("text"));
}

static int change(enum grip_filter f, const char *content)
{
    return filter_pair((struct grip_filters){1, {(uint8_t)f}}, (struct grip_pair){0},
                       slice_str(content));
}

/* want NULL: unusable. */
static void expect_change(enum grip_filter f, const char *content, const char *want)
{
    const int r = change(f, content);

    if (r != (want ? 1 : -ERR_SYNTAX) || (want && !slice_eq(buf_slice(&out), slice_str(want))))
        fail_msg("%s: %d %.*s", content, r, SLICE_FMT(buf_slice(&out)));
}

/* --- who hears it --- */

TEST(without_filters_everybody_hears_the_content_as_it_is)
{
    assert_int_equal(filter_pair((struct grip_filters){0}, (struct grip_pair){0}, SLICE("%(x)")),
                     0);
    assert_int_equal(out.n, 0);
}

TEST(a_sender_does_not_hear_itself)
{
    static const enum grip_filter self = GRIP_FILTER_SKIP_SELF;

    assert_int_equal(filter_one(self, "sender", "ann"), 0);
    meta("user", "ann");
    assert_int_equal(filter_one(self, "sender", "ann"), -ERR_DENIED);
    assert_int_equal(filter_one(self, "sender", "anna"), 0);
    assert_int_equal(filter_one(self, "other", "ann"), 0);
    meta("user", "");
    assert_int_equal(filter_one(self, "sender", ""), 0);
}

TEST(users_of_the_list_are_skipped)
{
    static const enum grip_filter skip = GRIP_FILTER_SKIP_USERS;

    assert_int_equal(filter_one(skip, "skip_users", "ann"), 0);
    meta("user", "ann");
    assert_int_equal(filter_one(skip, "skip_users", "ann"), -ERR_DENIED);
    assert_int_equal(filter_one(skip, "skip_users", "bob , ann,eve"), -ERR_DENIED);
    assert_int_equal(filter_one(skip, "skip_users", "bob,anna"), 0);
    assert_int_equal(filter_one(skip, "skip_users", ""), 0);
}

TEST(another_channel_may_be_required)
{
    static const enum grip_filter require = GRIP_FILTER_REQUIRE_SUB;

    assert_int_equal(filter_one(require, "other", "d"), 0);
    assert_int_equal(filter_one(require, "require_sub", "d"), -ERR_DENIED);
    (void)subscriber_add(&s, SLICE("d"), &(struct subscribe){0});
    assert_int_equal(filter_one(require, "require_sub", "d"), 0);
}

TEST(an_unknown_filter_does_nothing)
{
    assert_int_equal(filter_one(GRIP_FILTER_UNKNOWN, "sender", "ann"), 0);
}

/* --- content --- */

TEST(variables_are_put_in)
{
    static const enum grip_filter vars = GRIP_FILTER_VAR_SUBST;

    meta("who", "Ann");
    meta("", "nameless");
    expect_change(vars, "", "");
    expect_change(vars, "plain", "plain");
    expect_change(vars, "hi %(who)s, 100%%!", "hi Ann, 100%!");
    expect_change(vars, "%(who)s%(who)s", "AnnAnn");
    expect_change(vars, "%()s", "nameless");
    expect_change(vars, "%(nobody)s", NULL);
    expect_change(vars, "%(who)d", NULL);
    expect_change(vars, "%(who)%", NULL);
    expect_change(vars, "%(who", NULL);
    expect_change(vars, "%(who)", NULL);
    expect_change(vars, "100%", NULL);
    expect_change(vars, "%I", NULL);
}

TEST(ids_are_built)
{
    static const enum grip_filter ids = GRIP_FILTER_BUILD_ID;

    expect_change(ids, "%(5)I", "5");
    expect_change(ids, "id: %I", NULL); /* no id_format yet */
    meta("id_format", "c-%(c)s");
    expect_change(ids, "id: %I", "id: c-17");
    meta("id_format", "%(d)s");
    expect_change(ids, "%I", NULL);
    (void)subscriber_add(&s, SLICE("d"),
                         &(struct subscribe){.prev_id = SLICE("9"), .has_prev_id = true});
    expect_change(ids, "%I", "9");
    meta("id_encoding", "hex");
    expect_change(ids, "%I %(ab)I", "39 6162");
    meta("id_format", "%(c)x");
    expect_change(ids, "%I", NULL);
    expect_change(ids, "%(c)s", NULL);
}

TEST(filters_are_taken_in_their_order)
{
    const struct grip_filters both = {2, {GRIP_FILTER_VAR_SUBST, GRIP_FILTER_BUILD_ID}};

    meta("id", "%(7)I");
    assert_int_equal(filter_pair(both, (struct grip_pair){0}, SLICE("%(id)s")), 1);
    assert_true(slice_eq(buf_slice(&out), SLICE("7")));
    assert_int_equal(filter_pair((struct grip_filters){2, {both.ids[1], both.ids[0]}},
                                 (struct grip_pair){0}, SLICE("%(id)s")),
                     -ERR_SYNTAX);
}

TEST(what_comes_out_has_a_bound)
{
    static const enum grip_filter vars = GRIP_FILTER_VAR_SUBST;
    char value[1001];
    struct buf text;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    meta("v", value);
    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < FILTER_CONTENT_MAX / 1000; i++)
        (void)buf_add(&text, SLICE("%(v)s"));
    for (unsigned i = 0; i < FILTER_CONTENT_MAX % 1000; i++)
        (void)buf_add_byte(&text, 'y');
    (void)buf_add_byte(&text, 0);
    assert_int_equal(change(vars, (const char *)text.p), 1);
    assert_int_equal(out.n, FILTER_CONTENT_MAX);
    text.p[text.n - 1] = 'z';
    (void)buf_add_byte(&text, 0);
    assert_int_equal(change(vars, (const char *)text.p), -ERR_TOO_LARGE);
    buf_done(&text);
}

TEST(a_patch_is_not_changed)
{
    const struct grip_filters f = {1, {GRIP_FILTER_VAR_SUBST}};
    const struct grip_item item = {.channel = SLICE("c")};
    const struct grip_format format = {.has = true, .is_patch = true, .content = SLICE("[%]")};

    assert_int_equal(filter_item(&s, &f, &item, &format, &out), 0);
}

TEST(content_filters_of_the_item_must_be_those_of_the_subscription)
{
    static const struct {
        struct grip_filters has, wanted;
        int r;
    } cases[] = {
        {{0}, {0}, 0},
        {{1, {GRIP_FILTER_SKIP_SELF}}, {0}, 0},
        {{1, {GRIP_FILTER_VAR_SUBST}}, {0}, -ERR_DENIED},
        {{0}, {1, {GRIP_FILTER_VAR_SUBST}}, -ERR_DENIED},
        {{2, {GRIP_FILTER_SKIP_SELF, GRIP_FILTER_VAR_SUBST}}, {1, {GRIP_FILTER_VAR_SUBST}}, 1},
        {{2, {GRIP_FILTER_BUILD_ID, GRIP_FILTER_VAR_SUBST}},
         {2, {GRIP_FILTER_VAR_SUBST, GRIP_FILTER_BUILD_ID}},
         -ERR_DENIED},
        {{1, {GRIP_FILTER_VAR_SUBST}}, {1, {GRIP_FILTER_UNKNOWN}}, -ERR_DENIED},
    };
    const struct grip_item item = {.channel = SLICE("c")};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct grip_format format = {.has = true,
                                           .content = SLICE("x"),
                                           .has_content_filters = true,
                                           .content_filters = cases[i].wanted};

        buf_clear(&out);
        assert_int_equal(filter_item(&s, &cases[i].has, &item, &format, &out), cases[i].r);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(without_filters_everybody_hears_the_content_as_it_is),
        T(a_sender_does_not_hear_itself),
        T(users_of_the_list_are_skipped),
        T(another_channel_may_be_required),
        T(an_unknown_filter_does_nothing),
        T(variables_are_put_in),
        T(ids_are_built),
        T(filters_are_taken_in_their_order),
        T(what_comes_out_has_a_bound),
        T(a_patch_is_not_changed),
        T(content_filters_of_the_item_must_be_those_of_the_subscription),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
