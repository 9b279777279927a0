#include "lib/test.h"
#include "wire/grip_item.h"

static void expect(const char *document, const char *patch, const char *want)
{
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(grip_patch(&out, slice_str(document), slice_str(patch)), 0);
    (void)buf_add_byte(&out, 0);
    assert_string_equal(out.p, want);
    buf_done(&out);
}

static void refuse(const char *document, const char *patch, int err)
{
    struct buf out;

    buf_init(&out, 1000);
    assert_int_equal(grip_patch(&out, slice_str(document), slice_str(patch)), err);
    assert_int_equal(out.n, 0);
    buf_done(&out);
}

#define ONE(op, path, more) "[{\"op\":\"" op "\",\"path\":\"" path "\"" more "}]"

TEST(every_operation)
{
    expect("{\"a\":1}\n", ONE("add", "/b", ",\"value\":[2]"), "{\"a\":1,\"b\":[2]}\n");
    expect("[1,3]", ONE("add", "/1", ",\"value\":2"), "[1,2,3]");
    expect("[1]", ONE("add", "/-", ",\"value\":2"), "[1,2]");
    expect("[1,2]", ONE("remove", "/0", ""), "[2]");
    expect("{\"a\":1}", ONE("replace", "/a", ",\"value\":null"), "{\"a\":null}");
    expect("[1,2,3]", ONE("replace", "/1", ",\"value\":9"), "[1,9,3]");
    expect("{\"a\":{\"b\":1}}", ONE("move", "/c", ",\"from\":\"/a/b\""), "{\"a\":{},\"c\":1}");
    expect("{\"a\":{\"b\":1}}", ONE("copy", "/c", ",\"from\":\"/a\""),
           "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
    expect("{\"a\":1}", ONE("test", "/a", ",\"value\":1"), "{\"a\":1}");
    expect("{\"a\":1}", ONE("add", "", ",\"value\":[5]"), "[5]");
    expect("{\"a\":[1]}", ONE("move", "", ",\"from\":\"/a\""), "[1]");
    expect("5", "[]", "5");
}

TEST(names_are_unescaped)
{
    expect("{\"a/b\":1,\"~1\":2,\"\":3}",
           "[{\"op\":\"remove\",\"path\":\"/a~1b\"},{\"op\":\"remove\",\"path\":\"/~01\"},"
           "{\"op\":\"remove\",\"path\":\"/\"}]",
           "{}");
    refuse("{}", ONE("add", "/~2", ",\"value\":1"), -ERR_SYNTAX);
}

TEST(a_patch_that_does_not_apply_changes_nothing)
{
    refuse("{}", ONE("remove", "/a", ""), -ERR_SYNTAX);
    refuse("{}", ONE("remove", "", ""), -ERR_SYNTAX);
    refuse("{}", ONE("replace", "/a", ",\"value\":1"), -ERR_SYNTAX);
    refuse("{}", ONE("add", "/a/b", ",\"value\":1"), -ERR_SYNTAX);
    refuse("{}", ONE("add", "a", ",\"value\":1"), -ERR_SYNTAX);
    refuse("{}", ONE("add", "/a", ""), -ERR_SYNTAX);
    refuse("[1]", ONE("add", "/2", ",\"value\":1"), -ERR_SYNTAX);
    refuse("[1]", ONE("add", "/01", ",\"value\":1"), -ERR_SYNTAX);
    refuse("[1]", ONE("test", "/0", ",\"value\":2"), -ERR_SYNTAX);
    refuse("{\"a\":{}}", ONE("move", "/a/b", ",\"from\":\"/a\""), -ERR_SYNTAX);
    refuse("{}", ONE("grow", "/a", ",\"value\":1"), -ERR_SYNTAX);
    refuse("{}", "[5]", -ERR_SYNTAX);
    refuse("{}", "{}", -ERR_SYNTAX);
    refuse("no", "[]", -ERR_SYNTAX);
}

TEST(copies_of_copies_have_a_bound)
{
    struct buf patch = {.max = 1 << 16};

    (void)buf_addf(&patch, "[");
    for (unsigned i = 0; i < 200; i++)
        (void)buf_addf(&patch, "%s{\"op\":\"copy\",\"from\":\"\",\"path\":\"/%u\"}", i ? "," : "",
                       i);
    (void)buf_addf(&patch, "]%c", 0);
    refuse("{\"a\":1}", (const char *)patch.p, -ERR_SYNTAX);
    buf_done(&patch);
}

TEST(the_result_has_a_bound)
{
    struct buf out;

    buf_init(&out, 6);
    assert_int_equal(grip_patch(&out, SLICE("[1]"), SLICE(ONE("add", "/-", ",\"value\":2"))), 0);
    assert_int_equal(grip_patch(&out, SLICE("[1]"), SLICE("[]")), -ERR_TOO_LARGE);
    assert_int_equal(out.n, 5);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(names_are_unescaped),
        cmocka_unit_test(a_patch_that_does_not_apply_changes_nothing),
        cmocka_unit_test(copies_of_copies_have_a_bound),
        cmocka_unit_test(the_result_has_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
