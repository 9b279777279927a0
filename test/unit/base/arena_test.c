#include "base/arena.h"

#include "lib/test.h"

TEST(pieces_are_zeroed_aligned_and_apart)
{
    struct arena a = {0};

    for (size_t n = 0; n < 10000; n += n / 8 + 1) {
        uint8_t *const p = arena_new(&a, n);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    arena_done(&a);
    assert_null(a.chunks);
}

TEST(copies_stay_when_more_is_added)
{
    struct arena a = {0};
    const struct slice first = arena_copy(&a, SLICE("hello"));

    for (unsigned i = 0; i < 1000; i++)
        (void)arena_new(&a, i * 3);
    assert_true(slice_eq(first, SLICE("hello")));
    assert_int_equal(arena_copy(&a, SLICE_NONE).n, 0);
    arena_done(&a);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(copies_stay_when_more_is_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
