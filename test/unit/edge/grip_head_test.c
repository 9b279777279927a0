#include "edge/grip_head.h"

#include "base/err.h"
#include "lib/test.h"
#include "wire/grip.h"
#include "wire/grip_item.h"

static void expect(struct buf *out, const char *want)
{
    assert_int_equal(buf_add_byte(out, 0), 0);
    assert_string_equal((char *)out->p, want);
    buf_clear(out);
}

TEST(instructions_and_codings_do_not_reach_the_client)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    const struct grip_instruct none = {0};

    assert_int_equal(grip_head_fields(&out,
                                      SLICE("Content-Type: text/plain\nGrip-Hold: stream\n"
                                            "grip-foo: x\nCONTENT-ENCODING: gzip\nX-A: b: c\n"),
                                      &none),
                     0);
    expect(&out, "Content-Type: text/plain\nX-A: b: c\n");
    out.max = 10;
    assert_int_equal(grip_head_fields(&out, SLICE("Content-Type: text/plain\n"), &none),
                     -ERR_TOO_LARGE);
}

TEST(only_exposed_fields_reach_the_client_where_they_are_listed)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    struct slice names[] = {SLICE("x-a")};
    const struct grip_instruct one = {.has_exposed = true, .exposed = names, .n_exposed = 1};
    const struct grip_instruct nothing = {.has_exposed = true};

    assert_int_equal(grip_head_fields(&out, SLICE("Content-Type: a\nX-A: b\n"), &one), 0);
    expect(&out, "X-A: b\n");
    assert_int_equal(grip_head_fields(&out, SLICE("Content-Type: a\nX-A: b\n"), &nothing), 0);
    expect(&out, "");
}

TEST(a_json_instruction_has_fields_of_its_own)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    struct grip_pair fields[] = {{SLICE("X-J"), SLICE("1")}, {SLICE("Grip-Hold"), SLICE("x")}};
    const struct grip_instruct json = {.is_json = true, .fields = fields, .n_fields = 2};

    assert_int_equal(grip_head_fields(&out, SLICE("Content-Type: a\nX-A: b\n"), &json), 0);
    expect(&out, "X-J: 1\n");
}

TEST(a_published_response_replaces_fields_by_name_and_keeps_their_order)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    struct grip_pair fields[] = {{SLICE("X-T"), SLICE("new")},
                                 {SLICE("X"), SLICE("a")},
                                 {SLICE("X"), SLICE("b")},
                                 {SLICE("Grip-Set-Meta"), SLICE("c")}};
    const struct grip_format f = {.fields = fields, .n_fields = 4};

    assert_int_equal(grip_head_publish(&out, SLICE("x-t: 1\nX-U: 2\n"), &f), 0);
    expect(&out, "X-U: 2\nX-T: new\nX: a\nX: b\n");
}

TEST(names_a_published_response_lists_are_removed)
{
    CLEANUP(buf_done) struct buf out = {.max = 1000};
    struct grip_pair fields[] = {{SLICE("Grip-Expose-Headers"), SLICE("X-U, x-n")},
                                 {SLICE("X-N"), SLICE("c")}};
    const struct grip_format f = {.fields = fields, .n_fields = 2};

    assert_int_equal(grip_head_publish(&out, SLICE("X-T: 1\nX-U: 2\n"), &f), 0);
    expect(&out, "X-T: 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_and_codings_do_not_reach_the_client),
        cmocka_unit_test(only_exposed_fields_reach_the_client_where_they_are_listed),
        cmocka_unit_test(a_json_instruction_has_fields_of_its_own),
        cmocka_unit_test(a_published_response_replaces_fields_by_name_and_keeps_their_order),
        cmocka_unit_test(names_a_published_response_lists_are_removed),
    };

    return cmocka_run_group_tests_name("grip_head", tests, NULL, NULL);
}
