#include "api/api.h"
#include "api/bundle.h"
#include "api/modules.h"

#include "js/jsc.h"

/* evaluate(script, name) → the script's value; what it throws passes through. */
static JSValueRef evaluate(const struct js_args *a)
{
    JSStringRef script;
    JSStringRef name;
    JSValueRef v;

    if (!JSValueIsString(a->cx, a->v[0]) || !JSValueIsString(a->cx, a->v[1]))
        return js_throw(a, "TypeError", "evaluate(script, name) takes strings");
    script = JSValueToStringCopy(a->cx, a->v[0], NULL);
    name = JSValueToStringCopy(a->cx, a->v[1], NULL);
    v = JSEvaluateScript(a->cx, script, NULL, name, 1, a->exception);
    JSStringRelease(script);
    JSStringRelease(name);
    return v;
}

/* node() → the value of the node bundle: a function (native, global). */
static JSValueRef node(const struct js_args *a)
{
    JSStringRef script = JSStringCreateWithUTF8CString((const char *)api_node_bundle().p);
    JSStringRef name = JSStringCreateWithUTF8CString("holdfast:node");
    JSValueRef v = JSEvaluateScript(a->cx, script, NULL, name, 1, a->exception);

    JSStringRelease(script);
    JSStringRelease(name);
    return v;
}

/* allowEval(allowed) */
static JSValueRef allow_eval(const struct js_args *a)
{
    js_vm_allow_eval(a->vm, js_arg_bool(a, 0));
    return NULL;
}

/* errors(make): make(name, message) makes what natives throw. */
static JSValueRef errors(const struct js_args *a)
{
    js_vm_set_error_maker(a->vm, a->v[0]);
    return NULL;
}

/* rejections(fn): fn(promise, reason) hears of rejections that nobody handled. */
static JSValueRef rejections(const struct js_args *a)
{
    return js_vm_on_rejection(a->vm, a->v[0]) < 0
               ? js_throw(a, "TypeError", "rejections(fn) takes a function")
               : NULL;
}

/* watch(on): whether the engine itself watches the CPU limit, and can say where a loop was. */
static JSValueRef watch(const struct js_args *a)
{
    const struct api *api = a->state;

    api->ops->watch(api->host, js_arg_bool(a, 0));
    return NULL;
}

/* memory() → {heap, extra, objects} of the last collection, in bytes and pieces. */
static JSValueRef memory(const struct js_args *a)
{
    struct js_memory m;
    JSObjectRef o = js_object(a->cx);

    js_vm_memory(a->vm, &m);
    js_set(a->cx, o, "heap", js_number(a->cx, (double)m.heap));
    js_set(a->cx, o, "extra", js_number(a->cx, (double)m.extra));
    js_set(a->cx, o, "objects", js_number(a->cx, (double)m.objects));
    return o;
}

const struct js_native api_module_natives[] = {
    {"evaluate", 2, evaluate},     {"node", 0, node},
    {"allowEval", 1, allow_eval},  {"errors", 1, errors},
    {"rejections", 1, rejections}, {"memory", 0, memory},
    {"watch", 1, watch},           {0},
};
