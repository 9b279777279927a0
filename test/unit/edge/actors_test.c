#include "edge/actors.h"

#include "lib/test.h"

TEST(an_actor_is_found_by_its_key_and_keeps_its_name)
{
    struct actors as = {0};
    struct actor *a = actors_get(&as, SLICE("Room/01"), SLICE("lobby"));

    assert_ptr_equal(actors_find(&as, SLICE("Room/01")), a);
    assert_ptr_equal(actors_get(&as, SLICE("Room/01"), SLICE("")), a);
    assert_true(slice_eq(actor_name(a), SLICE("lobby")));
    assert_true(slice_eq(actor_key(a), SLICE("Room/01")));
    assert_null(actors_find(&as, SLICE("Room/02")));
    assert_null(actors_get(&as, SLICE(""), SLICE("")));
    actors_done(&as);
}

TEST(a_key_has_a_size)
{
    static char key[ACTOR_KEY_MAX + 1];
    struct actors as = {0};

    memset(key, 'k', sizeof(key));
    assert_non_null(actors_get(&as, slice_make(key, ACTOR_KEY_MAX), SLICE("")));
    assert_null(actors_get(&as, slice_make(key, ACTOR_KEY_MAX + 1), SLICE("")));
    actors_done(&as);
}

TEST(an_actor_goes_with_its_last_hold)
{
    struct actors as = {0};
    struct actor *a = actors_get(&as, SLICE("A"), SLICE(""));
    struct list one = {0}, two = {0};

    actor_add_hold(a, &one);
    actor_add_hold(a, &two);
    actor_del_hold(&as, a, &one);
    assert_ptr_equal(actors_find(&as, SLICE("A")), a);
    actor_del_hold(&as, a, &two);
    assert_null(actors_find(&as, SLICE("A")));
    actors_done(&as);
}

TEST(an_automatic_answer_outlives_the_holds_until_the_actor_rests)
{
    struct actors as = {0};
    struct actor *a = actors_get(&as, SLICE("A"), SLICE(""));
    struct list hold = {0};

    actor_set_auto(a, SLICE("ping"), SLICE("pong"));
    actor_add_hold(a, &hold);
    actor_rest(&as, a);
    actor_del_hold(&as, a, &hold);
    assert_ptr_equal(actors_find(&as, SLICE("A")), a);
    actor_rest(&as, a);
    assert_null(actors_find(&as, SLICE("A")));
    actors_done(&as);
}

TEST(equal_pieces_are_stored_once)
{
    struct actors as = {0};
    struct actor *a = actors_get(&as, SLICE("A"), SLICE(""));
    struct blob *one = actor_share(a, SLICE("tags")), *two = actor_share(a, SLICE("tags"));

    assert_ptr_equal(one, two);
    blob_unref(two);
    for (char c = 'a'; c < 'a' + 2 * ACTOR_SHARED; c++)
        blob_unref(actor_share(a, slice_make(&c, 1)));
    two = actor_share(a, SLICE("tags"));
    assert_ptr_not_equal(one, two);
    blob_unref(one);
    blob_unref(two);
    actors_done(&as);
}

TEST(many_actors_rest_at_once)
{
    struct actors as = {0};
    struct list hold = {0};

    for (uint32_t i = 0; i < 1000; i++)
        actor_set_auto(actors_get(&as, slice_make(&i, 4), SLICE("")), SLICE("a"), SLICE("b"));
    actor_add_hold(actors_get(&as, SLICE("kept"), SLICE("")), &hold);
    actors_rest(&as);
    assert_int_equal(as.n, 1);
    actor_del_hold(&as, actors_find(&as, SLICE("kept")), &hold);
    actors_done(&as);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_is_found_by_its_key_and_keeps_its_name),
        cmocka_unit_test(a_key_has_a_size),
        cmocka_unit_test(an_actor_goes_with_its_last_hold),
        cmocka_unit_test(an_automatic_answer_outlives_the_holds_until_the_actor_rests),
        cmocka_unit_test(equal_pieces_are_stored_once),
        cmocka_unit_test(many_actors_rest_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
