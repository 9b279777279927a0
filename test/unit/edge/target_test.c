#include "edge/target.h"

#include <stdio.h>

#include "lib/test.h"

static void expect(struct slice got, const char *want)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "%.*s", SLICE_FMT(got));
    assert_string_equal(text, want);
}

TEST(the_path_of_every_form)
{
    expect(target_path(SLICE("/a/b?c=d")), "/a/b?c=d");
    expect(target_path(SLICE("http://h:1/a?b")), "/a?b");
    expect(target_path(SLICE("http://h")), "/");
    expect(target_path(SLICE("*")), "/");
    expect(target_path(SLICE("")), "/");
    expect(target_path(SLICE("/x?to=http://h/y")), "/x?to=http://h/y");
}

TEST(a_url_in_a_query_does_not_make_a_target_absolute)
{
    assert_true(target_is_absolute(SLICE("http://h/")));
    assert_false(target_is_absolute(SLICE("/x?to=http://h/y")));
    assert_false(target_is_absolute(SLICE("*")));
}

TEST(a_hosts_name_without_its_port)
{
    expect(target_host_name(SLICE("h:80")), "h");
    expect(target_host_name(SLICE("h")), "h");
    expect(target_host_name(SLICE("h.example.")), "h.example");
    expect(target_host_name(SLICE("[::1]:80")), "[::1]");
    expect(target_host_name(SLICE("[::1]")), "[::1]");
    expect(target_host_name(SLICE("[::1")), "[::1");
    expect(target_host_name(SLICE("")), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_of_every_form),
        cmocka_unit_test(a_url_in_a_query_does_not_make_a_target_absolute),
        cmocka_unit_test(a_hosts_name_without_its_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
