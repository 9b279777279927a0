#include "app/gateway_options.h"
#include "lib/test.h"

static struct err_note note;

static int parse(struct options *o, const char *a, const char *b, const char *c, const char *d)
{
    char *argv[] = {(char *)"holdfast", (char *)a, (char *)b, (char *)c, (char *)d, NULL};
    int argc = 1;

    while (argc < 5 && argv[argc])
        argc++;
    note = (struct err_note){0};
    *o = (struct options){0};
    return options_parse(argc, argv, o, &note);
}

static void refuse(const char *a, const char *b, const char *c, const char *d, const char *says)
{
    struct options o;

    assert_int_equal(parse(&o, a, b, c, d), -ERR_CONFIG);
    if (!strstr(note.text, says))
        fail_msg("expected \"%s\" in \"%s\"", says, note.text);
}

TEST(options_take_values_in_both_spellings)
{
    struct options o;

    assert_int_equal(parse(&o, "dev", "app", "--port=1", NULL), 0);
    assert_string_equal(options_find(&o, OPT_PORT), "1");
    assert_string_equal(o.path, "app");
    assert_int_equal(parse(&o, "dev", "--port", "2", "app"), 0);
    assert_string_equal(options_find(&o, OPT_PORT), "2");
    assert_int_equal(parse(&o, "dev", "app", "--port=1", "--port=2"), 0);
    assert_string_equal(options_find(&o, OPT_PORT), "2");
    assert_null(options_find(&o, OPT_HOST));
    assert_string_equal(options_key(OPT_PORT), "listen.port");
}

TEST(options_that_may_be_repeated_keep_their_order)
{
    struct options o;

    assert_int_equal(parse(&o, "dev", "app", "--allow=a", "--allow=b"), 0);
    assert_int_equal(o.n, 2);
    assert_string_equal(o.given[0].text, "a");
    assert_string_equal(options_find(&o, OPT_ALLOW), "b");
}

TEST(options_of_one_name_are_the_commands_own)
{
    struct options o;

    assert_int_equal(parse(&o, "pushpin", "--port", "localhost:7999", "-m"), 0);
    assert_string_equal(options_find(&o, OPT_PP_PORT), "localhost:7999");
    assert_null(options_find(&o, OPT_PORT));
    assert_string_equal(options_key(OPT_PP_PORT), "pushpin.port");
    assert_int_equal(parse(&o, "publish", "--id=1", "room", "hello"), 0);
    assert_string_equal(options_find(&o, OPT_PUB_ID), "1");
    assert_string_equal(o.path, "room");
    assert_string_equal(o.text, "hello");
    assert_int_equal(parse(&o, "publish", "--", "room", "-1"), 0);
    assert_string_equal(o.text, "-1");
}

TEST(options_are_pushpins_when_the_program_is_called_so)
{
    char *argv[] = {(char *)"/usr/bin/pushpin", (char *)"--config=p.conf", (char *)"--verbose",
                    NULL};
    struct options o;

    note = (struct err_note){0};
    assert_int_equal(options_parse(3, argv, &o, &note), 0);
    assert_int_equal(o.command, COMMAND_PUSHPIN);
    assert_string_equal(options_find(&o, OPT_CONFIG), "p.conf");
    assert_non_null(options_find(&o, OPT_PP_VERBOSE));
}

TEST(options_help_needs_nothing_else)
{
    struct options o;

    assert_int_equal(parse(&o, "--help", NULL, NULL, NULL), 0);
    assert_true(o.help);
    assert_int_equal(parse(&o, "serve", "--help", NULL, NULL), 0);
    assert_int_equal(o.command, COMMAND_SERVE);
    assert_int_equal(parse(&o, "--version", NULL, NULL, NULL), 0);
    assert_true(o.version);
}

TEST(options_that_are_wrong_say_what_was_expected)
{
    refuse(NULL, NULL, NULL, NULL, "expected a command: dev, serve, build or publish");
    refuse("run", NULL, NULL, NULL, "unknown command `run`");
    refuse("dev", NULL, NULL, NULL, "expected the PATH");
    refuse("dev", "a", "b", NULL, "expected one PATH");
    refuse("dev", "a", "--prot", "1", "did you mean --port?");
    refuse("dev", "a", "--foo", NULL, "unknown option --foo; `holdfast dev --help` lists");
    refuse("--foo", NULL, NULL, NULL, "unknown option --foo; `holdfast --help` lists");
    refuse("dev", "a", "--port", "x", "expected a whole number");
    refuse("dev", "a", "--port", NULL, "expected N behind it");
    refuse("dev", "a", "--port", "--host", "expected N behind it");
    refuse("dev", "a", "--out", "x", "no option of `holdfast dev`");
    refuse("dev", "a", "--no-watch=1", NULL, "takes no value");
    refuse("dev", "a", "-p", NULL, "options begin with --");
    refuse("serve", NULL, NULL, NULL, "--config FILE, --routes FILE, --route LINE or the PATH");
    refuse("serve", "a", "--route", "* test", "--config FILE, --routes FILE");
    refuse("publish", NULL, NULL, NULL, "expected a CHANNEL and a TEXT");
    refuse("publish", "c", NULL, NULL, "--hint or --close");
    refuse("publish", "c", "text", "--hint", "--hint or --close");
    refuse("publish", "c", "text", "-X", "unknown option -X");
    refuse("publish", "c", "text", "--port=1", "no option of `holdfast publish`");
    refuse("pushpin", "routes", NULL, NULL, "expected options only");
    refuse("pushpin", "--port", NULL, NULL, "expected [ADDRESS:]PORT behind it");
    refuse("serve", "a", "--config", "b", "--config FILE, --routes FILE, --route LINE or the PATH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_take_values_in_both_spellings),
        cmocka_unit_test(options_that_may_be_repeated_keep_their_order),
        cmocka_unit_test(options_of_one_name_are_the_commands_own),
        cmocka_unit_test(options_are_pushpins_when_the_program_is_called_so),
        cmocka_unit_test(options_help_needs_nothing_else),
        cmocka_unit_test(options_that_are_wrong_say_what_was_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
