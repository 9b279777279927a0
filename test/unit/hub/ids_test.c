#include "hub/ids.h"

#include <stdio.h>

#include "lib/test.h"

static bool seen(struct ids *s, const char *channel, const char *id, int64_t now)
{
    return ids_seen(s, slice_str(channel), slice_str(id), now, 1000);
}

TEST(an_id_is_seen_until_it_expires)
{
    struct ids s = {0};

    assert_false(seen(&s, "a", "b", 0));
    assert_true(seen(&s, "a", "b", 5));
    assert_false(seen(&s, "b", "a", 5));
    ids_expire(&s, 9, 10);
    assert_int_equal(s.n, 2);
    ids_expire(&s, 10, 10);
    assert_false(seen(&s, "a", "b", 10));
    assert_true(seen(&s, "b", "a", 10));
    ids_expire(&s, 100, 10);
    assert_int_equal(s.cap, 0);
    ids_done(&s);
}

TEST(there_are_never_more_than_the_bound)
{
    struct ids s = {0};
    char id[16];

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        assert_false(seen(&s, "c", id, i));
    }
    assert_int_equal(s.n, 1000);
    assert_int_equal(s.hashes.count, 1000);
    assert_true(seen(&s, "c", "4000", 5000));
    assert_false(seen(&s, "c", "3999", 5000));
    ids_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_seen_until_it_expires),
        cmocka_unit_test(there_are_never_more_than_the_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
