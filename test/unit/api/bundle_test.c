#include "api/bundle.h"
#include "lib/test.h"

TEST(bundle_is_one_ascii_function_expression)
{
    struct slice text = api_bundle();

    assert_true(slice_starts(text, SLICE("(function(native,global){")));
    assert_int_equal(text.p[text.n], 0);
    for (size_t i = 0; i < text.n; i++)
        assert_true(text.p[i] < 0x80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bundle_is_one_ascii_function_expression)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
