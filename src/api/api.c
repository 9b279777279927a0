#include "api/api.h"

#include <assert.h>

#include "api/bundle.h"
#include "api/modules.h"

/* A frame's strings are built here: no larger than a frame. */
enum { SCRATCH_MAX = 48 << 20 };

static const struct {
    const char *name;
    const struct js_native *natives;
    int (*open)(struct api *api);
    void (*close)(struct api *api);
} modules[] = {
#define API_MODULE(name, open, close) {#name, api_##name##_natives, open, close},
#include "api/modules.def"
#undef API_MODULE
};

static int open_modules(struct api *api)
{
    JSObjectRef native = js_object(js_cx(api->vm));

    js_ref_set(&api->native, api->vm, native);
    api_share(api, native);
    for (size_t i = 0; i < COUNT_OF(modules); i++) {
        const int r = modules[i].open ? modules[i].open(api) : 0;

        if (r < 0)
            return r;
        js_set(js_cx(api->vm), native, modules[i].name,
               js_natives(api->vm, modules[i].natives, api));
    }
    return 0;
}

static int take_hooks(struct js_vm *vm, JSValueRef from, struct api_hooks *ret_hooks)
{
    struct {
        const char *name;
        struct js_ref *to;
    } rows[] = {
#define API_HOOK(name) {#name, &ret_hooks->name},
#include "api/hooks.def"
#undef API_HOOK
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        JSValueRef fn = js_get(js_cx(vm), from, rows[i].name);

        if (!fn || !JSValueIsObject(js_cx(vm), fn))
            return -ERR_INTERNAL;
        js_ref_set(rows[i].to, vm, fn);
    }
    return 0;
}

int api_init(struct api *api, struct js_vm *vm, const struct api_ops *ops, void *host,
             const struct api_facts *facts, struct api_hooks *ret_hooks, struct js_error *ret_err)
{
    JSValueRef bundle;
    JSValueRef hooks;
    int r;

    *api = (struct api){.vm = vm, .ops = ops, .host = host, .facts = *facts};
    buf_init(&api->scratch, SCRATCH_MAX);
    buf_init(&api->list, SCRATCH_MAX);
    if ((r = open_modules(api)) < 0)
        return r;
    if ((r = js_eval(vm, api_bundle(), "holdfast:api", 1, &bundle, ret_err)) < 0)
        return r;
    JSValueRef args[] = {api->native.v, js_global(vm)};

    if ((r = js_call(vm, bundle, COUNT_OF(args), args, &hooks, ret_err)) < 0)
        return r;
    return take_hooks(vm, hooks, ret_hooks);
}

void api_done(struct api *api, struct api_hooks *hooks)
{
    if (!api->vm)
        return;
#define API_HOOK(name) js_ref_drop(&hooks->name);
#include "api/hooks.def"
#undef API_HOOK
    js_ref_drop(&api->native);
    for (size_t i = COUNT_OF(modules); i-- > 0;)
        if (modules[i].close)
            modules[i].close(api);
    buf_done(&api->scratch);
    buf_done(&api->list);
    *api = (struct api){0};
}
