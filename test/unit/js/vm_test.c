#include "js/vm.h"

#include <stdio.h>
#include <stdlib.h>

#include "js/native.h"
#include "lib/test.h"

static struct js_vm *vm;

static int eval(const char *script, JSValueRef *ret, struct js_error *err)
{
    return js_eval(vm, slice_str(script), "test.js", 1, ret, err);
}

static JSValueRef value(const char *script)
{
    JSValueRef v = NULL;

    assert_int_equal(eval(script, &v, NULL), 0);
    return v;
}

static void expect_text(JSValueRef v, const char *expected)
{
    struct js_text t = {0};

    assert_true(js_text_get(js_cx(vm), v, &t));
    assert_string_equal((const char *)t.s.p, expected);
    js_text_done(&t);
}

TEST(vm_exceptions_become_text_with_their_stack)
{
    struct js_error err = {0};

    assert_int_equal(eval("function f() { throw new TypeError('no') }\nf()", NULL, &err),
                     -ERR_SCRIPT);
    assert_string_equal(err.message, "TypeError: no");
    assert_non_null(strstr(err.stack, "f@test.js:1:"));
    js_error_done(&err);
}

TEST(vm_syntax_errors_say_their_line)
{
    struct js_error err = {0};

    assert_int_equal(eval("\nlet = = 5", NULL, &err), -ERR_SCRIPT);
    assert_non_null(strstr(err.message, "SyntaxError"));
    assert_non_null(strstr(err.stack, "test.js:2"));
    js_error_done(&err);
}

TEST(vm_exceptions_that_cannot_be_shown_are_survived)
{
    struct js_error err = {0};

    assert_int_equal(eval("throw {toString() { throw 1 }}", NULL, &err), -ERR_SCRIPT);
    assert_non_null(err.message);
    js_error_done(&err);
    assert_int_equal(eval("throw undefined", NULL, NULL), -ERR_SCRIPT);
}

TEST(vm_runs_microtasks_before_a_turn_is_over)
{
    JSValueRef fn =
        value("globalThis.log = []; (x) => { Promise.resolve().then(() => log.push(x)) }");
    JSValueRef arg = js_number(js_cx(vm), 7);

    assert_int_equal(js_call(vm, fn, 1, &arg, NULL, NULL), 0);
    expect_text(value("String(log)"), "7");
    js_enter(vm);
    assert_int_equal(js_call(vm, fn, 1, &arg, NULL, NULL), 0);
    assert_int_equal(js_leave(vm), 0);
    expect_text(value("String(log)"), "7,7");
}

static char place[256];

static void on_limit(void *arg, struct slice where)
{
    snprintf(place, sizeof(place), "%.*s", SLICE_FMT(where));
}

TEST(vm_limit_ends_a_loop_that_catches_and_says_where)
{
    JSValueRef fn = value("(function spin() { for (;;) try { for (;;); } finally { continue; } })");

    js_vm_limit(vm, 0.05, on_limit, NULL);
    assert_int_equal(js_call(vm, fn, 0, NULL, NULL, NULL), -ERR_WORKER_CPU);
    assert_non_null(strstr(place, "spin() at test.js:1"));
    js_vm_limit(vm, 0, on_limit, NULL);
    assert_int_equal(eval("1 + 1", NULL, NULL), 0); /* it can go on, should somebody want that */
}

TEST(vm_refuses_eval_when_told)
{
    struct js_error err = {0};

    js_vm_allow_eval(vm, false);
    assert_int_equal(eval("new Function('return 1')", NULL, &err), -ERR_SCRIPT);
    assert_string_equal(err.message,
                        "EvalError: Code generation from strings disallowed for this context");
    js_error_done(&err);
    assert_int_equal(eval("(0, eval)('1')", NULL, NULL), -ERR_SCRIPT);
    js_vm_allow_eval(vm, true);
    assert_int_equal(eval("eval('1')", NULL, NULL), 0);
}

TEST(vm_tells_of_rejections_that_nobody_handles)
{
    assert_int_equal(
        js_vm_on_rejection(vm, value("globalThis.seen = []; (p, reason) => { seen.push(reason) }")),
        0);
    value("Promise.reject('lost'); Promise.reject('found').catch(() => {}); 0");
    expect_text(value("String(seen)"), "lost");
}

/* --- natives --- */

static JSValueRef sum(const struct js_args *a)
{
    uint32_t x;
    double y;

    if (!js_arg_u32(a, 0, &x) || !js_arg_number(a, 1, &y))
        return NULL;
    return js_number(a->cx, x + y);
}

static JSValueRef fail_with(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text name = {0};

    if (!js_arg_text(a, 0, &name))
        return NULL;
    return js_throw(a, (const char *)name.s.p, "reason %d", 7);
}

static int freed;

static void free_body(void *body)
{
    freed++;
    mem_free(body);
}

static const struct js_kind kind = {"Thing", free_body};

static JSValueRef make(const struct js_args *a)
{
    return js_handle(a->vm, &kind, mem_new(1));
}

static JSValueRef use(const struct js_args *a)
{
    return js_arg_handle(a, 0, &kind) ? js_bool(a->cx, true) : NULL;
}

static JSValueRef end(const struct js_args *a)
{
    js_handle_close(a->vm, a->v[0], &kind);
    return NULL;
}

static const struct js_native natives[] = {
    {"sum", 2, sum}, {"fail", 1, fail_with}, {"make", 0, make},
    {"use", 1, use}, {"end", 1, end},        {0},
};

static void expect_error(const char *script, const char *message)
{
    struct js_error err = {0};

    assert_int_equal(eval(script, NULL, &err), -ERR_SCRIPT);
    assert_string_equal(err.message, message);
    js_error_done(&err);
}

TEST(natives_check_their_arguments)
{
    expect_text(value("String(natives.sum(1, 2.5))"), "3.5");
    expect_error("natives.sum(1)", "TypeError: sum needs 2 arguments, 1 given");
    expect_error("natives.sum('1', 2)", "TypeError: argument 1 is not a number");
    expect_error("natives.sum(-1, 2)",
                 "RangeError: argument 1 is -1, expected an integer from 0 to 4294967295");
    expect_error("const { fail } = natives; fail('SyntaxError')", "SyntaxError: reason 7");
}

TEST(natives_throw_what_the_error_maker_makes)
{
    js_vm_set_error_maker(vm,
                          value("(name, message) => ({ toString: () => name + '!' + message })"));
    expect_error("natives.fail('DataCloneError')", "DataCloneError!reason 7");
}

TEST(handles_free_their_body_once_when_closed_or_forgotten)
{
    freed = 0;
    value("globalThis.h = natives.make(); natives.use(h)");
    value("natives.end(h); natives.end(h)");
    assert_int_equal(freed, 1);
    assert_int_equal(eval("natives.use(h)", NULL, NULL), -ERR_SCRIPT);
    assert_int_equal(eval("natives.use({})", NULL, NULL), -ERR_SCRIPT);
    value("for (let i = 0; i < 1000; i++) natives.make(); 0");
    js_vm_collect(vm);
    js_morgue_empty(vm);
    assert_true(freed > 900);
}

static int set_up(void **state)
{
    vm = js_vm_new();
    js_set(js_cx(vm), (JSObjectRef)js_global(vm), "natives", js_natives(vm, natives, NULL));
    return 0;
}

static int tear_down(void **state)
{
    js_vm_free(vm);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(vm_exceptions_become_text_with_their_stack),
        CASE(vm_syntax_errors_say_their_line),
        CASE(vm_exceptions_that_cannot_be_shown_are_survived),
        CASE(vm_runs_microtasks_before_a_turn_is_over),
        CASE(vm_limit_ends_a_loop_that_catches_and_says_where),
        CASE(vm_refuses_eval_when_told),
        CASE(vm_tells_of_rejections_that_nobody_handles),
        CASE(natives_check_their_arguments),
        CASE(natives_throw_what_the_error_maker_makes),
        CASE(handles_free_their_body_once_when_closed_or_forgotten),
    };

    /* cmocka takes the signals by which the engine interrupts its compiled code. */
    setenv("JSC_usePollingTraps", "true", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
