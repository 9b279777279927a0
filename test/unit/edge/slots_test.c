#include "edge/slots.h"

#include "lib/test.h"

#define TAG (3ull << 45)

struct thing {
    struct slot slot;
    int value;
};

TEST(an_id_finds_its_item_and_no_other)
{
    struct slots s;
    struct thing *a, *b;

    slots_init(&s, TAG, sizeof(struct thing));
    a = slots_add(&s);
    b = slots_add(&s);
    assert_ptr_equal(slots_find(&s, a->slot.id), a);
    assert_ptr_equal(slots_find(&s, b->slot.id), b);
    assert_null(slots_find(&s, a->slot.id ^ TAG));
    assert_null(slots_find(&s, a->slot.id + 2));
    assert_null(slots_find(&s, 0));
    assert_null(slots_find(&s, UINT64_MAX));
    slots_done(&s);
}

TEST(an_id_is_below_2_to_the_53_and_never_0)
{
    struct slots s;
    struct thing *a;

    slots_init(&s, 0, sizeof(struct thing));
    a = slots_add(&s);
    assert_true(a->slot.id != 0 && a->slot.id < 1ull << 44);
    slots_done(&s);
}

TEST(a_reused_slot_has_a_new_id_and_zeroed_memory)
{
    struct slots s;
    struct thing *a;
    uint64_t id;

    slots_init(&s, TAG, sizeof(struct thing));
    a = slots_add(&s);
    id = a->slot.id;
    a->value = 7;
    slots_drop(&s, a);
    assert_null(slots_find(&s, id));
    a = slots_add(&s);
    assert_int_equal(a->value, 0);
    assert_true(a->slot.id != id);
    assert_null(slots_find(&s, id));
    slots_done(&s);
}

TEST(free_slots_are_reused_in_the_order_they_were_freed)
{
    struct slots s;
    struct thing *t[3];

    slots_init(&s, TAG, sizeof(struct thing));
    for (int i = 0; i < 3; i++)
        t[i] = slots_add(&s);
    slots_drop(&s, t[2]);
    slots_drop(&s, t[0]);
    assert_ptr_equal(slots_add(&s), t[2]);
    assert_ptr_equal(slots_add(&s), t[0]);
    assert_int_equal(s.used, 3);
    slots_done(&s);
}

TEST(a_generation_that_wraps_skips_0)
{
    struct slots s;
    struct thing *t;

    slots_init(&s, TAG, sizeof(struct thing));
    for (int i = 0; i < (1 << 20) + 2; i++) {
        t = slots_add(&s);
        assert_true((t->slot.id >> 24 & 0xfffff) != 0);
        slots_drop(&s, t);
    }
    slots_done(&s);
}

TEST(each_walks_the_living_while_they_are_dropped)
{
    struct slots s;
    struct thing *t;
    uint32_t at = 0;
    int n = 0;

    slots_init(&s, TAG, sizeof(struct thing));
    for (int i = 0; i < 200; i++)
        (void)slots_add(&s);
    while ((t = slots_each(&s, &at))) {
        slots_drop(&s, t);
        n++;
    }
    assert_int_equal(n, 200);
    assert_int_equal(s.used, 0);
    at = 0;
    assert_null(slots_each(&s, &at));
    slots_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_finds_its_item_and_no_other),
        cmocka_unit_test(an_id_is_below_2_to_the_53_and_never_0),
        cmocka_unit_test(a_reused_slot_has_a_new_id_and_zeroed_memory),
        cmocka_unit_test(free_slots_are_reused_in_the_order_they_were_freed),
        cmocka_unit_test(a_generation_that_wraps_skips_0),
        cmocka_unit_test(each_walks_the_living_while_they_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
