#include "js/value.h"

#include <stdio.h>

#include "base/err.h"
#include "js/vm.h"
#include "lib/test.h"

static struct js_vm *vm;

static JSValueRef eval(const char *script)
{
    JSValueRef v = NULL;

    assert_int_equal(js_eval(vm, slice_str(script), "test.js", 1, &v, NULL), 0);
    return v;
}

/* Hands v to a JavaScript predicate. */
static void expect_js(JSValueRef v, const char *predicate)
{
    JSValueRef verdict = NULL;

    assert_int_equal(js_call(vm, eval(predicate), 1, &v, &verdict, NULL), 0);
    if (!JSValueToBoolean(js_cx(vm), verdict))
        fail_msg("%s", predicate);
}

static void expect_text(const char *script, struct slice expected)
{
    CLEANUP(js_text_done) struct js_text t = {0};

    assert_true(js_text_get(js_cx(vm), eval(script), &t));
    if (!slice_eq(t.s, expected))
        fail_msg("%s: got \"%.*s\"", script, SLICE_FMT(t.s));
    assert_int_equal(t.s.p[t.s.n], 0);
}

TEST(value_strings_cross_both_ways)
{
    const struct {
        struct slice bytes;
        const char *script;
    } rows[] = {
        {SLICE(""), "''"},
        {SLICE("plain"), "'plain'"},
        {SLICE("nul\0inside"), "'nul\\0inside'"},
        {SLICE("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "'\\u00e4\\u20ac\\u{1f600}'"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char predicate[128];

        snprintf(predicate, sizeof(predicate), "(v => v === %s)", rows[i].script);
        expect_js(js_string(js_cx(vm), rows[i].bytes), predicate);
        expect_text(rows[i].script, rows[i].bytes);
    }
}

TEST(value_long_strings_cross_both_ways)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++)
        (void)buf_add_byte(&b, 'x');
    expect_js(js_string(js_cx(vm), buf_slice(&b)), "(v => v === 'x'.repeat(100000))");
    expect_text("'x'.repeat(100000)", buf_slice(&b));
    buf_done(&b);
}

TEST(value_bad_utf8_becomes_replacement_characters)
{
    const struct {
        struct slice bytes;
        const char *expected; /* WHATWG Encoding: one for each longest valid beginning */
    } rows[] = {
        {SLICE("a\xff"
               "b"),
         "a\\ufffdb"},
        {SLICE("\xe2\x82"), "\\ufffd"},
        {SLICE("\xe2\x82z"), "\\ufffdz"},
        {SLICE("\xc0\xaf"), "\\ufffd\\ufffd"},
        {SLICE("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd"},
        {SLICE("\xf0\x9f\x98"), "\\ufffd"},
        {SLICE("\xf4\x90\x80\x80"), "\\ufffd\\ufffd\\ufffd\\ufffd"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char predicate[128];

        snprintf(predicate, sizeof(predicate), "(v => v === '%s')", rows[i].expected);
        expect_js(js_string(js_cx(vm), rows[i].bytes), predicate);
    }
}

TEST(value_lone_surrogates_become_replacement_characters)
{
    expect_text("'a\\ud800b\\udc00'", SLICE("a\xef\xbf\xbd"
                                            "b\xef\xbf\xbd"));
}

TEST(value_latin1_keeps_bytes)
{
    struct buf b;

    buf_init(&b, 64);
    expect_js(js_latin1(js_cx(vm), SLICE("a\xe4\xff")), "(v => v === 'a\\u00e4\\u00ff')");
    assert_int_equal(js_latin1_add(js_cx(vm), eval("'a\\u00e4\\u00ff'"), &b), 0);
    assert_true(slice_eq(buf_slice(&b), SLICE("a\xe4\xff")));
    buf_done(&b);
}

TEST(value_text_add_respects_the_bound)
{
    struct buf b;

    buf_init(&b, 5);
    assert_int_equal(js_text_add(js_cx(vm), eval("'12345'"), &b),
                     0); /* 15 bytes at most, 5 in fact */
    assert_int_equal(js_text_add(js_cx(vm), eval("'6'"), &b), -ERR_TOO_LARGE);
    assert_int_equal(js_text_add(js_cx(vm), eval("6"), &b), -ERR_SYNTAX);
    assert_true(slice_eq(buf_slice(&b), SLICE("12345")));
    buf_done(&b);
}

TEST(value_bytes_cross_both_ways)
{
    struct span s;

    expect_js(js_bytes(js_cx(vm), SLICE("\1\2")),
              "(v => v instanceof Uint8Array && v.join() === '1,2')");
    expect_js(js_bytes(js_cx(vm), SLICE_NONE), "(v => v instanceof Uint8Array && v.length === 0)");
    expect_js(js_buffer(js_cx(vm), SLICE("\1\2")),
              "(v => v instanceof ArrayBuffer && v.byteLength === 2)");
    assert_true(js_bytes_get(js_cx(vm), eval("new Uint8Array([1,2,3,4]).subarray(1, 3)"), &s));
    assert_true(slice_eq(span_slice(s), SLICE("\2\3")));
    assert_true(js_bytes_get(js_cx(vm), eval("new Uint8Array([7]).buffer"), &s));
    assert_true(slice_eq(span_slice(s), SLICE("\7")));
    assert_false(js_bytes_get(js_cx(vm), eval("'text'"), &s));
    assert_false(js_bytes_get(js_cx(vm), eval("({})"), &s));
}

TEST(value_doubles_are_shared)
{
    static double doubles[2] = {1.5, 0}; /* the engine ends last */

    expect_js(js_doubles(js_cx(vm), doubles, 2),
              "(a => a instanceof Float64Array && a.length === 2 && a[0] === 1.5 && (a[1] = 7))");
    assert_int_equal((int)doubles[1], 7);
}

static int set_up(void **state)
{
    vm = js_vm_new();
    return 0;
}

static int tear_down(void **state)
{
    js_vm_free(vm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_strings_cross_both_ways),
        cmocka_unit_test(value_long_strings_cross_both_ways),
        cmocka_unit_test(value_bad_utf8_becomes_replacement_characters),
        cmocka_unit_test(value_lone_surrogates_become_replacement_characters),
        cmocka_unit_test(value_latin1_keeps_bytes),
        cmocka_unit_test(value_text_add_respects_the_bound),
        cmocka_unit_test(value_bytes_cross_both_ways),
        cmocka_unit_test(value_doubles_are_shared),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
