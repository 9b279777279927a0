#include "js/ref.h"

#include <JavaScriptCore/JSValueRef.h>

void js_ref_set(struct js_ref *r, struct js_vm *vm, JSValueRef v)
{
    JSValueProtect(js_cx(vm), v);
    js_ref_drop(r);
    *r = (struct js_ref){vm, v};
}

void js_ref_drop(struct js_ref *r)
{
    if (!r->vm)
        return;
    JSValueUnprotect(js_cx(r->vm), r->v);
    *r = (struct js_ref){0};
}
