#include "js/vm.h"

#include <stdio.h>
#include <stdlib.h>

#include "js/js_int.h"
#include "js/value.h"

/* Frames that js_vm_limit's answer names at most. */
enum { WHERE_DEPTH = 12 };

struct js_vm *js_vm_new(void)
{
    struct js_vm *vm = mem_new(sizeof(*vm));

    js__natives_init(vm);
    vm->group = JSContextGroupCreate();
    vm->cx = JSGlobalContextCreateInGroup(vm->group, NULL);
    return vm;
}

void js_vm_free(struct js_vm *vm)
{
    if (!vm)
        return;
    js_ref_drop(&vm->error_maker);
    JSGlobalContextRelease(vm->cx);
    JSContextGroupRelease(vm->group);
    js_morgue_empty(vm);
    js__natives_done(vm);
    mem_free(vm);
}

JSContextRef js_cx(const struct js_vm *vm)
{
    return vm->cx;
}

JSValueRef js_global(const struct js_vm *vm)
{
    return JSContextGetGlobalObject(vm->cx);
}

/* --- exceptions as text --- */

void js_error_done(struct js_error *e)
{
    mem_free(e->message);
    mem_free(e->stack);
    *e = (struct js_error){0};
}

static char *text_of(JSContextRef cx, JSValueRef v)
{
    struct js_text t;
    char *copy;

    if (!v || !js_text_get(cx, v, &t))
        return NULL;
    copy = slice_dup(t.s);
    js_text_done(&t);
    return copy;
}

/* String(v), which may run the application's toString and throw. */
static char *display(JSContextRef cx, JSValueRef v)
{
    JSValueRef exception = NULL;
    JSStringRef s = JSValueToStringCopy(cx, v, &exception);
    char *text = NULL;

    if (s && !exception)
        text = text_of(cx, JSValueMakeString(cx, s));
    if (s)
        JSStringRelease(s);
    return text ? text : slice_dup(SLICE("exception that cannot be shown"));
}

/* A SyntaxError has no stack, but says its place. */
static char *place_of(JSContextRef cx, JSValueRef error)
{
    struct buf place;
    JSValueRef line = js_get(cx, error, "line");
    JSValueRef column = js_get(cx, error, "column");
    CLEANUP(js_text_done) struct js_text url = {0};

    if (!line || !JSValueIsNumber(cx, line) ||
        !js_text_get(cx, js_get(cx, error, "sourceURL"), &url))
        return NULL;
    buf_init(&place, 4096);
    (void)buf_addf(&place, "%.*s:%d", SLICE_FMT(url.s), (int)JSValueToNumber(cx, line, NULL));
    if (column && JSValueIsNumber(cx, column))
        (void)buf_addf(&place, ":%d", (int)JSValueToNumber(cx, column, NULL));
    (void)buf_add_byte(&place, '\0');
    return (char *)buf_take(&place).p;
}

/* Fills *ret (NULL is allowed) from an exception. */
static void set_error(JSContextRef cx, JSValueRef exception, struct js_error *ret)
{
    if (!ret)
        return;
    *ret = (struct js_error){.message = display(cx, exception)};
    if (!JSValueIsObject(cx, exception))
        return;
    ret->stack = text_of(cx, js_get(cx, exception, "stack"));
    if (!ret->stack || !ret->stack[0]) {
        mem_free(ret->stack);
        ret->stack = place_of(cx, exception);
    }
}

static int outcome(struct js_vm *vm, JSValueRef value, JSValueRef exception, JSValueRef *ret,
                   struct js_error *ret_err)
{
    if (vm->terminated) {
        if (ret_err)
            *ret_err = (struct js_error){.message = slice_dup(SLICE("CPU limit"))};
        return -ERR_WORKER_CPU;
    }
    if (exception) {
        set_error(vm->cx, exception, ret_err);
        return -ERR_SCRIPT;
    }
    if (ret)
        *ret = value;
    return 0;
}

/* --- entering --- */

int js_eval(struct js_vm *vm, struct slice script, const char *name, int line, JSValueRef *ret,
            struct js_error *ret_err)
{
    JSValueRef exception = NULL;
    JSStringRef text = JSValueToStringCopy(vm->cx, js_string(vm->cx, script), NULL);
    JSStringRef url = JSStringCreateWithUTF8CString(name);
    JSValueRef value;

    vm->terminated = false;
    value = JSEvaluateScript(vm->cx, text, NULL, url, line, &exception);
    JSStringRelease(text);
    JSStringRelease(url);
    return outcome(vm, value, exception, ret, ret_err);
}

int js_call(struct js_vm *vm, JSValueRef fn, size_t n, const JSValueRef *args, JSValueRef *ret,
            struct js_error *ret_err)
{
    JSValueRef exception = NULL;
    JSValueRef value;

    vm->terminated = false;
    value = JSObjectCallAsFunction(vm->cx, (JSObjectRef)fn, NULL, n, args, &exception);
    return outcome(vm, value, exception, ret, ret_err);
}

void js_enter(struct js_vm *vm)
{
    JSLock(vm->cx);
}

int js_leave(struct js_vm *vm)
{
    const bool before = vm->terminated;

    JSUnlock(vm->cx);
    return vm->terminated && !before ? -ERR_WORKER_CPU : 0;
}

/* --- limits and settings --- */

static bool on_timeout(JSContextRef cx, void *arg)
{
    struct js_vm *vm = arg;
    JSStringRef where = JSContextCreateBacktrace(cx, WHERE_DEPTH);
    const size_t max = JSStringGetMaximumUTF8CStringSize(where);
    char *text = mem_new(max);
    const size_t n = JSStringGetUTF8CString(where, text, max);

    vm->terminated = true;
    vm->on_limit(vm->on_limit_arg, slice_make(text, n > 0 ? n - 1 : 0));
    JSStringRelease(where);
    mem_free(text);
    return true;
}

void js_vm_limit(struct js_vm *vm, double seconds, void (*on_limit)(void *arg, struct slice where),
                 void *arg)
{
    vm->on_limit = on_limit;
    vm->on_limit_arg = arg;
    if (seconds > 0)
        JSContextGroupSetExecutionTimeLimit(vm->group, seconds, on_timeout, vm);
    else
        JSContextGroupClearExecutionTimeLimit(vm->group);
}

void js_vm_allow_eval(struct js_vm *vm, bool allowed)
{
    JSStringRef text =
        JSStringCreateWithUTF8CString("Code generation from strings disallowed for this context");

    JSGlobalContextSetEvalEnabled(vm->cx, allowed, text);
    JSStringRelease(text);
}

int js_vm_on_rejection(struct js_vm *vm, JSValueRef fn)
{
    JSValueRef exception = NULL;

    JSGlobalContextSetUnhandledRejectionCallback(vm->cx, (JSObjectRef)fn, &exception);
    return exception ? -ERR_SCRIPT : 0;
}

void js_vm_set_error_maker(struct js_vm *vm, JSValueRef fn)
{
    js_ref_set(&vm->error_maker, vm, fn);
}

static size_t figure(JSContextRef cx, JSObjectRef figures, const char *name)
{
    JSValueRef v = js_get(cx, figures, name);
    const double n = v && JSValueIsNumber(cx, v) ? JSValueToNumber(cx, v, NULL) : 0;

    return n > 0 ? (size_t)n : 0;
}

void js_vm_memory(struct js_vm *vm, struct js_memory *ret)
{
    JSObjectRef figures = JSGetMemoryUsageStatistics(vm->cx);

    *ret = (struct js_memory){
        .heap = figure(vm->cx, figures, "heapSize"),
        .extra = figure(vm->cx, figures, "extraMemorySize"),
        .objects = figure(vm->cx, figures, "objectCount"),
    };
}

void js_vm_collect(struct js_vm *vm)
{
    JSSynchronousGarbageCollectForDebugging(vm->cx);
}

#ifdef __SANITIZE_ADDRESS__
/* The engine keeps its tables of names to the end of the process. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libjavascriptcoregtk\n";
}
#endif
