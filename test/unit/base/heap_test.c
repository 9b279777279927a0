#include "base/heap.h"

#include "lib/test.h"

TEST(deadlines_come_out_in_order_and_equal_ones_as_they_were_set)
{
    struct heap_node a = {0}, b = {0}, c = {0}, d = {0};
    struct heap h = {0};

    heap_set(&h, &a, 30);
    heap_set(&h, &b, 10);
    heap_set(&h, &c, 20);
    heap_set(&h, &d, 10);
    assert_null(heap_pop_due(&h, 9));
    assert_ptr_equal(heap_peek(&h), &b);
    assert_ptr_equal(heap_pop_due(&h, 20), &b);
    assert_ptr_equal(heap_pop_due(&h, 20), &d);
    assert_ptr_equal(heap_pop_due(&h, 20), &c);
    assert_null(heap_pop_due(&h, 20));
    assert_true(heap_is_set(&a) && !heap_is_set(&b));
    heap_done(&h);
    assert_false(heap_is_set(&a));
}

TEST(a_node_moves_and_goes_from_anywhere)
{
    enum { N = 500 };
    static struct heap_node nodes[N];
    struct heap h = {0};
    struct heap_node *node;
    uint32_t x = 1;
    int64_t last = INT64_MIN;
    unsigned n = 0;

    for (unsigned round = 0; round < 20; round++)
        for (unsigned i = 0; i < N; i++) {
            x = x * 1664525 + 1013904223;
            if (x >> 30 == 0)
                heap_del(&h, &nodes[i]);
            else
                heap_set(&h, &nodes[i], (int64_t)(x >> 8) % 1000);
        }
    heap_del(&h, &nodes[0]);
    heap_del(&h, &nodes[0]);
    for (unsigned i = 0; i < N; i++)
        n += heap_is_set(&nodes[i]);
    assert_int_equal(n, h.count);
    while ((node = heap_pop_due(&h, INT64_MAX))) {
        assert_true(node->at_ms >= last);
        last = node->at_ms;
        n--;
    }
    assert_int_equal(n, 0);
    heap_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_come_out_in_order_and_equal_ones_as_they_were_set),
        cmocka_unit_test(a_node_moves_and_goes_from_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
