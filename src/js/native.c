#include "js/native.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "js/js_int.h"

#define U53_MAX 9007199254740991.0

/* --- functions --- */

struct js__bound {
    struct js_vm *vm;
    const struct js_native *row;
    void *state;
};

static JSValueRef call(const struct js__bound *b, const struct js_args *a)
{
    if (a->n < b->row->arity)
        return js_throw(a, "TypeError", "%s needs %u arguments, %zu given", b->row->name,
                        b->row->arity, a->n);
    return b->row->fn(a);
}

/* The engine lets go of its lock before it calls us, and each of its functions would take it again:
 * it is taken once. */
static JSValueRef on_call(JSContextRef cx, JSObjectRef function, JSObjectRef self, size_t n,
                          const JSValueRef v[], JSValueRef *exception)
{
    const struct js__bound *b = JSObjectGetPrivate(function);
    JSValueRef value;

    (void)self;
    JSLock(cx);
    value = call(b, &(struct js_args){b->vm, cx, b->state, n, v, exception});
    JSUnlock(cx);
    return value;
}

static struct js__bound *bind(struct js_vm *vm, const struct js_native *table, void *state)
{
    struct js__table *t = mem_new(sizeof(*t));
    size_t n = 0;

    while (table[n].name)
        n++;
    t->rows = mem_new(MAX(n, 1) * sizeof(*t->rows));
    for (size_t i = 0; i < n; i++)
        t->rows[i] = (struct js__bound){vm, &table[i], state};
    t->next = vm->tables;
    vm->tables = t;
    return t->rows;
}

JSObjectRef js_natives(struct js_vm *vm, const struct js_native *table, void *state)
{
    struct js__bound *rows = bind(vm, table, state);
    JSObjectRef o = js_object(vm->cx);

    for (size_t i = 0; table[i].name; i++)
        js_set(vm->cx, o, table[i].name, JSObjectMake(vm->cx, vm->function_class, &rows[i]));
    return o;
}

/* --- throwing --- */

JSValueRef js__make_error(struct js_vm *vm, const char *name, const char *text)
{
    JSValueRef words[] = {js_string(vm->cx, slice_str(text)), js_string(vm->cx, slice_str(name))};
    JSValueRef exception = NULL;
    JSValueRef error;

    if (vm->error_maker.vm) {
        JSValueRef args[] = {words[1], words[0]};

        error = JSObjectCallAsFunction(vm->cx, (JSObjectRef)vm->error_maker.v, NULL, 2, args,
                                       &exception);
        return exception ? exception : error;
    }
    error = JSObjectMakeError(vm->cx, 1, words, NULL);
    js_set(vm->cx, (JSObjectRef)error, "name", words[1]);
    return error;
}

JSValueRef js_throw(const struct js_args *a, const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    *a->exception = js__make_error(a->vm, name, text);
    return NULL;
}

JSValueRef js_throw_err(const struct js_args *a, int err, const struct err_note *note)
{
    return js_throw(a, "Error", "%s", note && note->text[0] ? note->text : err_text(err));
}

/* --- arguments --- */

static bool wrong(const struct js_args *a, size_t i, const char *expected)
{
    js_throw(a, "TypeError", "argument %zu is not %s", i + 1, expected);
    return false;
}

bool js_arg_number(const struct js_args *a, size_t i, double *ret)
{
    if (i >= a->n || !JSValueIsNumber(a->cx, a->v[i]))
        return wrong(a, i, "a number");
    *ret = JSValueToNumber(a->cx, a->v[i], NULL);
    return true;
}

static bool integer(const struct js_args *a, size_t i, double max, double *ret)
{
    double d;

    if (!js_arg_number(a, i, &d))
        return false;
    if (!(d >= 0 && d <= max) || d != floor(d)) {
        js_throw(a, "RangeError", "argument %zu is %g, expected an integer from 0 to %.0f", i + 1,
                 d, max);
        return false;
    }
    *ret = d;
    return true;
}

bool js_arg_u32(const struct js_args *a, size_t i, uint32_t *ret)
{
    double d;

    if (!integer(a, i, UINT32_MAX, &d))
        return false;
    *ret = (uint32_t)d;
    return true;
}

bool js_arg_u64(const struct js_args *a, size_t i, uint64_t *ret)
{
    double d;

    if (!integer(a, i, U53_MAX, &d))
        return false;
    *ret = (uint64_t)d;
    return true;
}

bool js_arg_bool(const struct js_args *a, size_t i)
{
    return i < a->n && JSValueToBoolean(a->cx, a->v[i]);
}

bool js_arg_text(const struct js_args *a, size_t i, struct js_text *ret)
{
    return (i < a->n && js_text_get(a->cx, a->v[i], ret)) || wrong(a, i, "a string");
}

bool js_arg_bytes(const struct js_args *a, size_t i, struct span *ret)
{
    return (i < a->n && js_bytes_get(a->cx, a->v[i], ret)) ||
           wrong(a, i, "an ArrayBuffer or a typed array");
}

bool js_arg_given(const struct js_args *a, size_t i)
{
    return i < a->n && !JSValueIsUndefined(a->cx, a->v[i]) && !JSValueIsNull(a->cx, a->v[i]);
}

/* --- handles and the morgue --- */

struct js__handle {
    struct js_vm *vm;
    const struct js_kind *kind;
    void *body; /* NULL: closed */
    struct js__handle *next;
};

/* Any thread, and the engine is off limits. */
static void on_finalize(JSObjectRef o)
{
    struct js__handle *h = JSObjectGetPrivate(o);

    if (!h)
        return;
    h->next = atomic_load_explicit(&h->vm->morgue, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&h->vm->morgue, &h->next, h))
        ;
}

static void end_body(struct js__handle *h)
{
    void *body = h->body;

    h->body = NULL;
    if (body)
        h->kind->free(body);
}

void js_morgue_empty(struct js_vm *vm)
{
    struct js__handle *h;
    struct js__handle *next;

    if (!atomic_load_explicit(&vm->morgue, memory_order_relaxed))
        return;
    for (h = atomic_exchange(&vm->morgue, NULL); h; h = next) {
        next = h->next;
        end_body(h);
        mem_free(h);
    }
}

JSObjectRef js_handle(struct js_vm *vm, const struct js_kind *kind, void *take_body)
{
    struct js__handle *h = mem_new(sizeof(*h));

    assert(take_body);
    *h = (struct js__handle){vm, kind, take_body, NULL};
    return JSObjectMake(vm->cx, vm->handle_class, h);
}

static struct js__handle *handle_of(struct js_vm *vm, JSValueRef v, const struct js_kind *kind)
{
    struct js__handle *h;

    if (!JSValueIsObjectOfClass(vm->cx, v, vm->handle_class))
        return NULL;
    h = JSObjectGetPrivate((JSObjectRef)v);
    return h && h->kind == kind ? h : NULL;
}

void *js_arg_handle(const struct js_args *a, size_t i, const struct js_kind *kind)
{
    struct js__handle *h = i < a->n ? handle_of(a->vm, a->v[i], kind) : NULL;

    if (h && h->body)
        return h->body;
    js_throw(a, "TypeError", h ? "%s is closed" : "argument is not a %s", kind->name);
    return NULL;
}

void js_handle_close(struct js_vm *vm, JSValueRef v, const struct js_kind *kind)
{
    struct js__handle *h = handle_of(vm, v, kind);

    if (h)
        end_body(h);
}

/* --- classes --- */

void js__natives_init(struct js_vm *vm)
{
    JSClassDefinition function = kJSClassDefinitionEmpty;
    JSClassDefinition handle = kJSClassDefinitionEmpty;

    function.className = "Native";
    function.attributes = kJSClassAttributeNoAutomaticPrototype;
    function.callAsFunction = on_call;
    vm->function_class = JSClassCreate(&function);
    handle.className = "Handle";
    handle.attributes = kJSClassAttributeNoAutomaticPrototype;
    handle.finalize = on_finalize;
    vm->handle_class = JSClassCreate(&handle);
}

void js__natives_done(struct js_vm *vm)
{
    struct js__table *t;

    while ((t = vm->tables) != NULL) {
        vm->tables = t->next;
        mem_free(t->rows);
        mem_free(t);
    }
    JSClassRelease(vm->function_class);
    JSClassRelease(vm->handle_class);
}
