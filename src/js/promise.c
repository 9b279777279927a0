#include "js/promise.h"

#include <assert.h>

#include "js/js_int.h"

JSValueRef js_deferred_init(struct js_deferred *d, struct js_vm *vm)
{
    JSObjectRef resolve = NULL;
    JSObjectRef reject = NULL;
    JSValueRef promise = JSObjectMakeDeferredPromise(vm->cx, &resolve, &reject, NULL);

    *d = (struct js_deferred){0};
    js_ref_set(&d->resolve, vm, resolve);
    js_ref_set(&d->reject, vm, reject);
    return promise;
}

static void settle(struct js_deferred *d, const struct js_ref *how, JSValueRef v)
{
    assert(how->vm); /* a promise is settled once */
    (void)js_call(how->vm, how->v, 1, &v, NULL, NULL);
    js_deferred_done(d);
}

void js_deferred_resolve(struct js_deferred *d, JSValueRef v)
{
    settle(d, &d->resolve, v);
}

void js_deferred_reject(struct js_deferred *d, const char *name, const char *text)
{
    assert(d->reject.vm);
    settle(d, &d->reject, js__make_error(d->reject.vm, name, text));
}

void js_deferred_done(struct js_deferred *d)
{
    js_ref_drop(&d->resolve);
    js_ref_drop(&d->reject);
}
