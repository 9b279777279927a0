/* A promise that C settles, exactly once. Zero is empty. */
#ifndef JS_PROMISE_H
#define JS_PROMISE_H

#include "js/ref.h"

struct js_deferred {
    struct js_ref resolve;
    struct js_ref reject;
};

/* Returns the promise, to be handed to JavaScript. */
JSValueRef js_deferred_init(struct js_deferred *d, struct js_vm *vm);
/* Settle it and empty d. Asserts that d is not empty. Its reactions run as microtasks. */
void js_deferred_resolve(struct js_deferred *d, JSValueRef v);
/* name: an error class or a DOMException's name, as for js_throw. */
void js_deferred_reject(struct js_deferred *d, const char *name, const char *text);
/* Drops it unsettled (the vm is going away). */
void js_deferred_done(struct js_deferred *d);

#endif
