#include "api/bundle.h"
#include "lib/test.h"

static void assert_function_expression(struct slice text)
{
    assert_true(slice_starts(text, SLICE("(function(native,global){")));
    assert_int_equal(text.p[text.n], 0);
    for (size_t i = 0; i < text.n; i++)
        assert_true(text.p[i] < 0x80);
}

TEST(bundles_are_ascii_function_expressions)
{
    assert_function_expression(api_bundle());
    assert_function_expression(api_node_bundle());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bundles_are_ascii_function_expressions)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
