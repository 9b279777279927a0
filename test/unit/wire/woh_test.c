#include "wire/woh.h"

#include "lib/cuts.h"
#include "lib/test.h"

/* What is heard, one line an event. */
static void hear(struct buf *out, struct slice wire, struct cuts cuts)
{
    struct buf kept = {.max = SIZE_MAX};
    size_t at = 0;
    int r;

    do {
        const size_t n = cuts_take(&cuts, at, wire.n - at);
        struct slice in;
        struct woh_event ev;

        (void)buf_add(&kept, slice_sub(wire, at, n));
        at += n;
        in = buf_slice(&kept);
        while ((r = woh_next(&in, at == wire.n, &ev)) > 0) {
            const struct slice name = woh_type_name(ev.type);

            (void)buf_addf(out, "%.*s %zu ", SLICE_FMT(name), ev.content.n);
            (void)buf_add(out, ev.content);
            (void)buf_add_byte(out, '\n');
        }
        buf_consume(&kept, kept.n - in.n);
    } while (r == 0 && at < wire.n);
    (void)buf_addf(out, "%s\n", r < 0 ? err_label(r) : "end");
    buf_done(&kept);
}

static void expect(struct slice wire, const char *want)
{
    struct buf out = {.max = SIZE_MAX};

    for (size_t first = 0; first <= wire.n; first++) {
        for (size_t step = 0; step < 3; step++) {
            buf_clear(&out);
            hear(&out, wire, (struct cuts){first, step});
            (void)buf_add_byte(&out, 0);
            assert_string_equal(out.p, want);
        }
    }
    buf_done(&out);
}

#define EXPECT(wire, want) expect(SLICE(wire), want)

TEST(events_at_every_split)
{
    EXPECT("", "end\n");
    EXPECT("OPEN\r\n", "OPEN 0 \nend\n");
    EXPECT("OPEN\r\nTEXT 5\r\nhello\r\nTEXT 0\r\n\r\nTEXT\r\nBINARY 3\r\n\0\r\n\r\n",
           "OPEN 0 \nTEXT 5 hello\nTEXT 0 \nTEXT 0 \nBINARY 3 \0");
    EXPECT("PING 1\r\nx\r\nPONG\r\nCLOSE\r\nDISCONNECT\r\n",
           "PING 1 x\nPONG 0 \nCLOSE 0 \nDISCONNECT 0 \nend\n");
    EXPECT("TEXT 00000A\r\n0123456789\r\nTEXT b\r\n0123456789a\r\n",
           "TEXT 10 0123456789\nTEXT 11 0123456789a\nend\n");
}

TEST(unknown_types_are_skipped_with_their_content)
{
    EXPECT("open\r\nHELLO 2\r\nhi\r\nTEXT 1\r\nx\r\n", "TEXT 1 x\nend\n");
    EXPECT("NOTHING\r\n", "end\n");
}

TEST(what_stands_behind_content_is_not_looked_at)
{
    EXPECT("TEXT 2\r\nhi--TEXT 1\r\nx--", "TEXT 2 hi\nTEXT 1 x\nend\n");
}

TEST(content_that_is_cut_is_taken_as_it_is)
{
    EXPECT("TEXT 5\r\nhel", "TEXT 3 hel\nend\n");
    EXPECT("TEXT 5\r\nhello", "TEXT 5 hello\nend\n");
    EXPECT("TEXT 5\r\nhello\r", "TEXT 5 hello\nend\n");
    EXPECT("TEXT ffffffff\r\n", "TEXT 0 \nend\n");
}

TEST(a_malformed_first_line_makes_the_body_invalid)
{
    EXPECT("TEXT", "syntax\n");
    EXPECT("OPEN\r\nTEXT 5", "OPEN 0 \nsyntax\n");
    EXPECT("TEXT \r\n", "syntax\n");
    EXPECT("TEXT 5 \r\nhello\r\n", "syntax\n");
    EXPECT("TEXT g\r\n", "syntax\n");
    EXPECT("TEXT -1\r\n", "syntax\n");
    EXPECT("TEXT 0x5\r\nhello\r\n", "syntax\n");
    EXPECT("TEXT 100000000\r\n", "syntax\n");
    EXPECT("\r\n", "syntax\n");
    EXPECT("OPEN\n", "syntax\n");
    EXPECT("01234567890123456789012345678901234567890123456789012345678901\r\n", "end\n");
    EXPECT("012345678901234567890123456789012345678901234567890123456789012\r\n", "syntax\n");
}

static void expect_put(enum woh_type type, struct slice content, struct slice want)
{
    struct buf out;

    buf_init(&out, want.n);
    assert_int_equal(woh_put(&out, type, content), 0);
    assert_true(slice_eq(buf_slice(&out), want));
    assert_int_equal(woh_size(type, content.n), want.n);
    assert_int_equal(woh_put(&out, type, content), -ERR_TOO_LARGE);
    assert_int_equal(out.n, want.n);
    buf_done(&out);
}

TEST(events_are_written_in_the_shortest_form)
{
    expect_put(WOH_OPEN, SLICE_NONE, SLICE("OPEN\r\n"));
    expect_put(WOH_TEXT, SLICE(""), SLICE("TEXT\r\n"));
    expect_put(WOH_TEXT, SLICE("hello"), SLICE("TEXT 5\r\nhello\r\n"));
    expect_put(WOH_BINARY, SLICE("0123456789abcde"), SLICE("BINARY f\r\n0123456789abcde\r\n"));
    expect_put(WOH_PING, SLICE("0123456789abcdef"), SLICE("PING 10\r\n0123456789abcdef\r\n"));
    expect_put(WOH_DISCONNECT, SLICE_NONE, SLICE("DISCONNECT\r\n"));
}

static void expect_close(struct slice content, unsigned want_code, const char *want_reason)
{
    unsigned code;
    struct slice reason;

    woh_read_close(content, &code, &reason);
    assert_int_equal(code, want_code);
    assert_true(slice_eq(reason, slice_str(want_reason)));
}

TEST(codes_that_no_close_frame_may_carry_become_1000)
{
    expect_close(SLICE(""), 1000, "");
    expect_close(SLICE("\x03"), 1000, "");
    expect_close(SLICE("\0\0"), 1000, "");
    expect_close(SLICE("\x03\xec"), 1000, "");
    expect_close(SLICE("\x03\xed why"), 1000, " why");
    expect_close(SLICE("\x03\xee"), 1000, "");
    expect_close(SLICE("\x03\xf7"), 1000, "");
    expect_close(SLICE("\x03\xe9 why"), 1001, " why");
    expect_close(SLICE("\x10\x04r"), 4100, "r");
    expect_close(SLICE("\x10\x04\xff\xff"), 4100, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_at_every_split),
        cmocka_unit_test(unknown_types_are_skipped_with_their_content),
        cmocka_unit_test(what_stands_behind_content_is_not_looked_at),
        cmocka_unit_test(content_that_is_cut_is_taken_as_it_is),
        cmocka_unit_test(a_malformed_first_line_makes_the_body_invalid),
        cmocka_unit_test(events_are_written_in_the_shortest_form),
        cmocka_unit_test(codes_that_no_close_frame_may_carry_become_1000),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
