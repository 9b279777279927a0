#include "base/map.h"

#include <stdio.h>

#include "lib/test.h"

static struct slice number(char *text, size_t size, unsigned i)
{
    const int n = snprintf(text, size, "key-%u", i);

    return slice_make(text, (size_t)n);
}

TEST(what_was_put_is_found_until_it_is_deleted)
{
    struct map m = {0};
    int a = 1, b = 2;

    assert_null(map_find(&m, SLICE("x")));
    assert_null(map_put(&m, SLICE("x"), &a));
    assert_null(map_put(&m, SLICE(""), &b));
    assert_ptr_equal(map_find(&m, SLICE("x")), &a);
    assert_ptr_equal(map_find(&m, SLICE("")), &b);
    assert_ptr_equal(map_put(&m, SLICE("x"), &b), &a);
    assert_ptr_equal(map_del(&m, SLICE("x")), &b);
    assert_null(map_del(&m, SLICE("x")));
    assert_int_equal(m.count, 1);
    map_done(&m);
    assert_null(map_find(&m, SLICE("")));
}

TEST(it_grows_and_shrinks_with_many_keys)
{
    enum { N = 5000 };
    static int values[N];
    struct map m = {0};
    char text[32];

    for (unsigned i = 0; i < N; i++)
        assert_null(map_put(&m, number(text, sizeof(text), i), &values[i]));
    for (unsigned i = 0; i < N; i += 2)
        assert_ptr_equal(map_del(&m, number(text, sizeof(text), i)), &values[i]);
    for (unsigned i = 0; i < N; i++)
        assert_ptr_equal(map_find(&m, number(text, sizeof(text), i)), i % 2 ? &values[i] : NULL);
    assert_int_equal(m.count, N / 2);
    map_done(&m);
}

TEST(putting_and_deleting_for_ever_does_not_grow_it)
{
    struct map64 m = {0};
    int v = 0;

    for (uint64_t i = 0; i < 100000; i++) {
        assert_null(map64_put(&m, i, &v));
        assert_ptr_equal(map64_del(&m, i), &v);
    }
    assert_int_equal(m.count, 0);
    assert_true(m.cap <= 16);
    map64_done(&m);
}

TEST(a_walk_sees_every_entry_once_and_may_delete)
{
    enum { N = 300 };
    static int values[N], seen[N];
    struct map64 m = {0};
    uint64_t key;
    uint32_t it = 0;
    void *v;

    for (unsigned i = 0; i < N; i++)
        map64_put(&m, i * 64, &values[i]);
    while (map64_next(&m, &it, &key, &v)) {
        assert_ptr_equal(v, &values[key / 64]);
        seen[key / 64]++;
        assert_ptr_equal(map64_del(&m, key), v);
    }
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(seen[i], 1);
    assert_int_equal(m.count, 0);
    map64_done(&m);
}

TEST(a_walk_over_bytes_lends_the_keys)
{
    struct map m = {0};
    struct slice key;
    uint32_t it = 0;
    int a = 0;
    void *v;

    assert_false(map_next(&m, &it, &key, &v));
    map_put(&m, SLICE("only"), &a);
    assert_true(map_next(&m, &it, &key, &v));
    assert_true(slice_eq(key, SLICE("only")));
    assert_false(map_next(&m, &it, &key, &v));
    map_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_it_is_deleted),
        cmocka_unit_test(it_grows_and_shrinks_with_many_keys),
        cmocka_unit_test(putting_and_deleting_for_ever_does_not_grow_it),
        cmocka_unit_test(a_walk_sees_every_entry_once_and_may_delete),
        cmocka_unit_test(a_walk_over_bytes_lends_the_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
