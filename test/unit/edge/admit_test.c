#include "edge/admit.h"

#include <pthread.h>

#include "io/stream.h"
#include "lib/test.h"

static struct stream_address v6(uint8_t network, uint8_t host)
{
    return (struct stream_address){.ip = {0x20, 1, [7] = network, [15] = host}, .is_known = true};
}

static struct stream_address v4(uint8_t last)
{
    return (struct stream_address){.ip = {[10] = 0xff, 0xff, 192, 0, 2, last}, .is_known = true};
}

TEST(each_address_has_its_places)
{
    struct admit *a = admit_new(2);
    const struct stream_address one = v4(1), two = v4(2);

    assert_true(admit_enter(a, &one) && admit_enter(a, &one));
    assert_false(admit_enter(a, &one));
    assert_true(admit_enter(a, &two));
    admit_leave(a, &one);
    assert_true(admit_enter(a, &one));
    assert_false(admit_enter(a, &one));
    admit_leave(a, &one);
    admit_leave(a, &one);
    admit_close(a);
    admit_leave(a, &two); /* the last one, after the owner */
}

TEST(an_ipv6_network_is_one_client)
{
    struct admit *a = admit_new(1);
    const struct stream_address one = v6(1, 1), same = v6(1, 2), other = v6(2, 1);

    assert_true(admit_enter(a, &one));
    assert_false(admit_enter(a, &same));
    assert_true(admit_enter(a, &other));
    admit_leave(a, &one);
    admit_leave(a, &other);
    admit_close(a);
}

static void *come_and_go(void *arg)
{
    struct admit *a = arg;
    const struct stream_address one = v4(1);

    for (int i = 0; i < 10000; i++)
        if (admit_enter(a, &one))
            admit_leave(a, &one);
    admit_close(a);
    return NULL;
}

TEST(edges_share_the_places)
{
    struct admit *a = admit_new(1), *shared = admit_share(a);
    const struct stream_address one = v4(1);
    pthread_t threads[3];

    assert_true(admit_enter(a, &one));
    assert_false(admit_enter(shared, &one));
    admit_leave(shared, &one);
    admit_close(shared);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, admit_share(a)), 0);
    for (int i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    assert_true(admit_enter(a, &one));
    admit_leave(a, &one);
    admit_close(a);
    assert_null(admit_share(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_has_its_places),
        cmocka_unit_test(edges_share_the_places),
        cmocka_unit_test(an_ipv6_network_is_one_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
