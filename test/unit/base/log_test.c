#include "base/log.h"

#include "lib/test.h"

static void expect(struct log_capture *c, const char *text)
{
    assert_int_equal(buf_add_byte(&c->lines, 0), 0);
    assert_string_equal((const char *)c->lines.p, text);
    log_capture_done(c);
}

TEST(a_line_for_people)
{
    struct log_capture c;

    log_capture_init(&c, LOG_HUMAN);
    log_event(&c.log, LOG_INFO, "hold.open", F_UINT("id", 7), F_TEXT("path", SLICE("/a\nb")),
              F_NAME("kind", "ws"), F_MS("took_ms", -3), F_ERR("error", -ERR_RESET),
              F_SECRET("key", ((struct secret){SLICE("hush")})), F_BOOL("ok", true),
              F_HEX("at", 255));
    log_event(&c.log, LOG_WARN, "plain");
    expect(&c,
           "00:00:00.000 info  hold.open id=7 path=\"/a\\nb\" kind=ws took_ms=-3 error=reset key=… "
           "ok=true at=ff\n00:00:00.000 warn  plain\n");
}

TEST(a_line_for_programs)
{
    struct log_capture c;

    log_capture_init(&c, LOG_JSON);
    log_event(&c.log, LOG_ERROR, "worker.exit", F_REAL("load", 0.5),
              F_TEXT("text", SLICE("\"x\"")));
    expect(&c,
           "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"event\":\"worker.exit\","
           "\"load\":0.5,\"text\":\"\\\"x\\\"\"}\n");
}

static int64_t wall;

static int64_t given_wall(void *ctx)
{
    return wall;
}

static void to_buf(void *ctx, enum log_level level, struct slice line)
{
    (void)buf_add(ctx, line);
}

TEST(dates_are_those_of_the_calendar)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1709251199999, "2024-02-29T23:59:59.999Z"},
        {4102444800000, "2100-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
    };
    const struct log_ops ops = {to_buf, given_wall};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_done) struct buf b = {.max = 1000};
        struct log log = {&ops, &b, LOG_DEBUG, LOG_JSON};

        wall = rows[i].ms;
        log_event(&log, LOG_INFO, "x");
        assert_true(slice_find_slice(buf_slice(&b), slice_str(rows[i].text)) > 0);
    }
}

TEST(below_the_level_nothing_is_said)
{
    struct log_capture c;

    log_capture_init(&c, LOG_HUMAN);
    c.log.min = LOG_WARN;
    log_event(&c.log, LOG_INFO, "quiet");
    assert_false(log_is_on(&c.log, LOG_INFO));
    log_event(&(struct log){0}, LOG_ERROR, "nowhere");
    expect(&c, "");
}

TEST(text_of_a_peer_is_bounded_and_a_line_too)
{
    struct log_capture c;
    char big[4000];

    memset(big, 1, sizeof(big));
    log_capture_init(&c, LOG_JSON);
    log_event(&c.log, LOG_INFO, "x", F_TEXT("a", slice_make(big, sizeof(big))));
    assert_true(c.lines.n < LOG_TEXT_MAX * 6 + 120);
    buf_clear(&c.lines);
    log_event(&c.log, LOG_INFO, "x", F_NAME("long", "ok"), F_TEXT("a", slice_make(big, 500)),
              F_TEXT("b", slice_make(big, 500)), F_TEXT("c", slice_make(big, 500)),
              F_TEXT("d", slice_make(big, 500)), F_TEXT("e", slice_make(big, 500)),
              F_TEXT("f", slice_make(big, 500)), F_UINT("last", 1));
    assert_true(c.lines.n <= LOG_LINE_MAX);
    assert_true(slice_ends(buf_slice(&c.lines), SLICE(",\"last\":1}\n")));
    log_capture_done(&c);
}

TEST(console_text_keeps_its_colours_on_a_terminal)
{
    struct log_capture c;

    log_capture_init(&c, LOG_COLOR);
    log_console(&c.log, LOG_INFO, SLICE("chat"), SLICE_NONE,
                SLICE("\x1b[1;31mred\x1b[0m \x1b[2J\x1b[38:5:1mx\x1b[31 \x1b"));
    expect(&c, "\x1b[1;31mred\x1b[0m \\x1b[2J\x1b[38:5:1mx\\x1b[31 \\x1b\x1b[0m\n");
}

TEST(console_text_keeps_its_lines_and_loses_its_escapes)
{
    struct log_capture c;

    log_capture_init(&c, LOG_HUMAN);
    log_console(&c.log, LOG_INFO, SLICE("chat"), SLICE("app.js:3:1"),
                SLICE("hi \x1b[1mé\x1b[0m\x1b[2J\n  two"));
    log_console(&c.log, LOG_INFO, SLICE("chat"), SLICE(""), SLICE(""));
    expect(&c, "hi é\\x1b[2J  (app.js:3:1)\n  two\n\n");
    log_capture_init(&c, LOG_JSON);
    log_console(&c.log, LOG_WARN, SLICE("chat"), SLICE("a.js:1:1"), SLICE("a\nb"));
    expect(
        &c,
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"event\":\"console\",\"app\":"
        "\"chat\",\"where\":\"a.js:1:1\",\"text\":\"a\\nb\"}\n");
}

TEST(severity_follows_from_blame)
{
    enum log_level level = LOG_ERROR;

    assert_int_equal(log_level_of(-ERR_HTTP_LINE), LOG_INFO);
    assert_int_equal(log_level_of(-ERR_REFUSED), LOG_WARN);
    assert_int_equal(log_level_of(-ERR_OS), LOG_ERROR);
    assert_true(log_level_parse(SLICE("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse(SLICE("loud"), &level));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_people),
        cmocka_unit_test(a_line_for_programs),
        cmocka_unit_test(dates_are_those_of_the_calendar),
        cmocka_unit_test(below_the_level_nothing_is_said),
        cmocka_unit_test(text_of_a_peer_is_bounded_and_a_line_too),
        cmocka_unit_test(console_text_keeps_its_colours_on_a_terminal),
        cmocka_unit_test(console_text_keeps_its_lines_and_loses_its_escapes),
        cmocka_unit_test(severity_follows_from_blame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
