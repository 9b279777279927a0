#include "store/kv.h"

#include "unit/store/store_fixture.h"

static int add_key(void *ctx, struct slice key, struct slice value)
{
    struct buf *out = ctx;

    if (out->n)
        assert_int_equal(buf_add_byte(out, ' '), 0);
    assert_int_equal(key.n ? buf_add(out, key) : buf_add(out, SLICE("\"\"")), 0);
    return 0;
}

static const char *keys(struct fixture *f, struct kv_range range)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, sizeof(f->text) - 1);
    assert_true(kv_list(f->db, &range, add_key, &b, NULL) >= 0);
    snprintf(f->text, sizeof(f->text), "%.*s", SLICE_FMT(buf_slice(&b)));
    return f->text;
}

TEST(list_is_ordered_by_the_bytes_of_the_key)
{
    struct fixture f;

    fixture_init(&f);
    for (const char **k = (const char *[]){"b", "é", "", "a", "x", "Z", NULL}; *k; k++)
        put(&f, *k, "v");
    assert_string_equal(keys(&f, (struct kv_range){0}), "\"\" Z a b x é");
    assert_string_equal(keys(&f, (struct kv_range){.reverse = true}), "é x b a Z \"\"");
    assert_string_equal(keys(&f, (struct kv_range){.limit = 2}), "\"\" Z");
    assert_string_equal(keys(&f, (struct kv_range){.has_start = true, .start = SLICE("a")}),
                        "a b x é");
    assert_string_equal(
        keys(&f,
             (struct kv_range){.has_start = true, .start = SLICE("a"), .start_exclusive = true}),
        "b x é");
    assert_string_equal(keys(&f, (struct kv_range){.has_end = true, .end = SLICE("b")}),
                        "\"\" Z a");
    assert_string_equal(
        keys(&f,
             (struct kv_range){.has_end = true, .end = SLICE("b"), .reverse = true, .limit = 2}),
        "a Z");
    fixture_done(&f);
}

TEST(prefix_and_bounds_meet)
{
    struct fixture f;

    fixture_init(&f);
    for (const char **k = (const char *[]){"a", "a1", "a2", "a3", "b", "\xff\xff", "\xff", NULL};
         *k; k++)
        put(&f, *k, "v");
    assert_string_equal(keys(&f, (struct kv_range){.prefix = SLICE("a")}), "a a1 a2 a3");
    assert_string_equal(
        keys(&f, (struct kv_range){.prefix = SLICE("a"), .has_start = true, .start = SLICE("a2")}),
        "a2 a3");
    assert_string_equal(
        keys(&f, (struct kv_range){.prefix = SLICE("a"), .has_start = true, .start = SLICE("")}),
        "a a1 a2 a3");
    assert_string_equal(
        keys(&f, (struct kv_range){.prefix = SLICE("a"), .has_end = true, .end = SLICE("a2")}),
        "a a1");
    assert_string_equal(
        keys(&f, (struct kv_range){.prefix = SLICE("a"), .has_end = true, .end = SLICE("z")}),
        "a a1 a2 a3");
    assert_string_equal(keys(&f, (struct kv_range){.prefix = SLICE("\xff")}), "\xff \xff\xff");
    assert_string_equal(keys(&f, (struct kv_range){.prefix = SLICE("q")}), "");
    fixture_done(&f);
}

TEST(keys_and_values_have_limits)
{
    struct fixture f;
    char *big = calloc(1, 2049);

    fixture_init(&f);
    f.options.value_max = 100;
    reopen(&f);
    memset(big, 'k', 2049);
    assert_int_equal(kv_put(f.db, slice_make(big, 2048), SLICE(""), &f.note), 0);
    assert_int_equal(kv_put(f.db, slice_make(big, 2049), SLICE(""), &f.note), -ERR_STORE_LIMIT);
    assert_string_equal(f.note.text,
                        "Keys cannot be larger than 2048 bytes. A key of size 2049 was provided.");
    assert_int_equal(kv_put(f.db, SLICE("k"), slice_make(big, 100), &f.note), 0);
    assert_int_equal(kv_put(f.db, SLICE("k"), slice_make(big, 101), &f.note), -ERR_STORE_LIMIT);
    free(big);
    fixture_done(&f);
}

TEST(any_bytes_are_a_value_and_a_key)
{
    struct fixture f;
    CLEANUP(buf_done) struct buf b;

    fixture_init(&f);
    buf_init(&b, 10);
    assert_int_equal(kv_put(f.db, SLICE("a\0b"), SLICE("\0\xff\0"), NULL), 0);
    assert_int_equal(kv_get(f.db, SLICE("a"), &b, NULL), 0);
    assert_int_equal(kv_get(f.db, SLICE("a\0b"), &b, NULL), 1);
    assert_true(slice_eq(buf_slice(&b), SLICE("\0\xff\0")));
    assert_int_equal(kv_delete(f.db, SLICE("a\0b"), NULL), 1);
    assert_int_equal(kv_delete(f.db, SLICE("a\0b"), NULL), 0);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_ordered_by_the_bytes_of_the_key),
        cmocka_unit_test(prefix_and_bounds_meet),
        cmocka_unit_test(keys_and_values_have_limits),
        cmocka_unit_test(any_bytes_are_a_value_and_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
