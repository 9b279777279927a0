/*
 * A value that C keeps. The collector sees the stack, not our heap: a value in a struct is a
 * js_ref, set once and dropped in the owner's done.
 */
#ifndef JS_REF_H
#define JS_REF_H

#include <JavaScriptCore/JSBase.h>

#include "js/vm.h"

struct js_ref {
    struct js_vm *vm; /* NULL: empty */
    JSValueRef v;
};

/* Replaces what r held. */
void js_ref_set(struct js_ref *r, struct js_vm *vm, JSValueRef v);
/* Empties it; safe on a zeroed one. */
void js_ref_drop(struct js_ref *r);

#endif
