#include "wire/fields.h"

#include "base/err.h"
#include "lib/test.h"

TEST(fields_come_one_by_one_and_trimmed)
{
    struct slice text = SLICE("A: 1\nb:\t2 \nEmpty:\nlast: x:y"), name, value;

    assert_true(fields_next(&text, &name, &value));
    assert_true(slice_eq(name, SLICE("A")) && slice_eq(value, SLICE("1")));
    assert_true(fields_next(&text, &name, &value));
    assert_true(slice_eq(name, SLICE("b")) && slice_eq(value, SLICE("2")));
    assert_true(fields_next(&text, &name, &value));
    assert_true(slice_eq(name, SLICE("Empty")) && value.n == 0);
    assert_true(fields_next(&text, &name, &value));
    assert_true(slice_eq(name, SLICE("last")) && slice_eq(value, SLICE("x:y")));
    assert_false(fields_next(&text, &name, &value));
}

TEST(lines_without_a_name_are_skipped)
{
    struct slice text = SLICE("\nno colon\n: no name\nA: 1\n"), name, value;

    assert_true(fields_next(&text, &name, &value));
    assert_true(slice_eq(name, SLICE("A")));
    assert_false(fields_next(&text, &name, &value));
}

TEST(the_first_of_a_name_is_found_in_any_case)
{
    const struct slice text = SLICE("A: 1\nType: x\ntype: y\n");
    struct slice value = SLICE("as it was");

    assert_false(fields_find(text, SLICE("Typ"), &value));
    assert_true(slice_eq(value, SLICE("as it was")));
    assert_true(fields_find(text, SLICE("TYPE"), &value));
    assert_true(slice_eq(value, SLICE("x")));
}

TEST(what_is_put_is_read_and_bounded)
{
    CLEANUP(buf_done) struct buf out = {.max = 12};

    assert_int_equal(fields_put(&out, SLICE("A"), SLICE("1")), 0);
    assert_int_equal(fields_put(&out, SLICE("B"), SLICE_NONE), 0);
    assert_true(slice_eq(buf_slice(&out), SLICE("A: 1\nB: \n")));
    assert_int_equal(fields_put(&out, SLICE("C"), SLICE("2")), -ERR_TOO_LARGE);
    assert_int_equal(out.n, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_one_by_one_and_trimmed),
        cmocka_unit_test(lines_without_a_name_are_skipped),
        cmocka_unit_test(the_first_of_a_name_is_found_in_any_case),
        cmocka_unit_test(what_is_put_is_read_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
