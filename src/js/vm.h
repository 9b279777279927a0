/*
 * One JavaScript engine and its global object, made safe: no raw exception leaves this folder.
 *
 * A process has one vm, used by one thread. js_call is the way in for an event (a turn): microtasks
 * run to their end before it returns. Natives (native.h) run inside a turn.
 */
#ifndef JS_VM_H
#define JS_VM_H

#include <JavaScriptCore/JSBase.h>

#include "base/bytes.h"
#include "base/err.h"

struct js_vm;

/* An exception as text. Zero is empty; js_error_done frees it, and is nothing on an empty one. */
struct js_error {
    char *message; /* "TypeError: x is not a function"; never NULL after a failure */
    char *stack;   /* the engine's: "function@file:line:column" a line; NULL when there is none */
};

void js_error_done(struct js_error *e);

struct js_vm *js_vm_new(void);
/* Collects all, runs what the morgue (native.h) holds, then ends the engine. NULL is nothing. */
void js_vm_free(struct js_vm *vm);

/* Borrowed, as long as the vm. */
JSContextRef js_cx(const struct js_vm *vm);
JSValueRef js_global(const struct js_vm *vm);

/*
 * Evaluates a classic script; its value goes to *ret (NULL is allowed), on the caller's stack only.
 * name and line (the first one's number) appear in stacks. -ERR_SCRIPT with *ret_err filled when it
 * does not parse or throws.
 */
int js_eval(struct js_vm *vm, struct slice script, const char *name, int line, JSValueRef *ret,
            struct js_error *ret_err);

/*
 * A turn: calls fn with n arguments (this: undefined), runs the microtasks. Outputs as js_eval.
 * -ERR_WORKER_CPU when the limit below ended it.
 */
int js_call(struct js_vm *vm, JSValueRef fn, size_t n, const JSValueRef *args, JSValueRef *ret,
            struct js_error *ret_err);

/*
 * Values that are made between js_enter and js_leave, and a js_call there, take the engine's lock
 * once instead of each time; microtasks run in js_leave instead of js_call, so js_leave may answer
 * -ERR_WORKER_CPU as well. Not nested.
 */
void js_enter(struct js_vm *vm);
int js_leave(struct js_vm *vm);

/*
 * Ends a turn that runs longer than seconds of CPU time; JavaScript cannot catch it. Then on_limit
 * is told where it was ("#0 function() at file:line" a line, innermost first, valid until it
 * returns). A limit costs about 1 µs an event; 0 takes it away again. May be called in a turn.
 */
void js_vm_limit(struct js_vm *vm, double seconds, void (*on_limit)(void *arg, struct slice where),
                 void *arg);

/* eval() and new Function() throw EvalError from now on, or work again. */
void js_vm_allow_eval(struct js_vm *vm, bool allowed);

/* fn(promise, reason) is called for a rejection that is not handled by the end of its turn. */
int js_vm_on_rejection(struct js_vm *vm, JSValueRef fn);

/* fn(name, message) makes the error that js_throw throws, so that names like NotSupportedError
 * become DOMExceptions. Until it is set, plain Errors are thrown. */
void js_vm_set_error_maker(struct js_vm *vm, JSValueRef fn);

/* Bytes of live objects and of the memory they need, as of the last collection. */
struct js_memory {
    size_t heap;
    size_t extra;
    size_t objects;
};

void js_vm_memory(struct js_vm *vm, struct js_memory *ret);

/* Collects garbage now. */
void js_vm_collect(struct js_vm *vm);

#endif
