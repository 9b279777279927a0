/*
 * C functions for JavaScript.
 *
 *   static JSValueRef sum(const struct js_args *a)
 *   {
 *       double x, y;
 *
 *       if (!js_arg_number(a, 0, &x) || !js_arg_number(a, 1, &y))
 *           return NULL;                                       // it threw
 *       return js_number(a->cx, x + y);
 *   }
 *
 *   const struct js_native calc[] = {{"sum", 2, sum}, {0}};
 *
 * A native that returns NULL has thrown, or returns undefined. It is called with at least as many
 * arguments as its row says: fewer throw before it runs.
 */
#ifndef JS_NATIVE_H
#define JS_NATIVE_H

#include "js/value.h"
#include "js/vm.h"

struct js_args {
    struct js_vm *vm;
    JSContextRef cx;
    void *state; /* what js_natives was given */
    size_t n;
    const JSValueRef *v;
    JSValueRef *exception;
};

struct js_native {
    const char *name;
    unsigned arity;
    JSValueRef (*fn)(const struct js_args *a);
};

/* An object with one function a row; the table ends with a row without a name and lives as long as
 * the vm, as does state. The functions do not need their `this`. */
JSObjectRef js_natives(struct js_vm *vm, const struct js_native *table, void *state);

/* --- throwing: always returns NULL, so that `return js_throw(a, …)` reads well --- */

/* name: "TypeError", "RangeError", "Error", … or a DOMException's ("DataCloneError"). */
JSValueRef js_throw(const struct js_args *a, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* An Error with the text of the row, or of the note when there is one. err may be negative. */
JSValueRef js_throw_err(const struct js_args *a, int err, const struct err_note *note);

/* --- arguments: false means that a TypeError or RangeError was thrown --- */

bool js_arg_number(const struct js_args *a, size_t i, double *ret);
/* Integers 0 … 2^32 - 1 and 0 … 2^53 - 1. */
bool js_arg_u32(const struct js_args *a, size_t i, uint32_t *ret);
bool js_arg_u64(const struct js_args *a, size_t i, uint64_t *ret);
/* Truthiness; false for an argument that was not given. */
bool js_arg_bool(const struct js_args *a, size_t i);
/* A string; js_text_done it. */
bool js_arg_text(const struct js_args *a, size_t i, struct js_text *ret);
/* An ArrayBuffer's or a view's bytes, borrowed until JavaScript runs again. */
bool js_arg_bytes(const struct js_args *a, size_t i, struct span *ret);
/* Given, and neither undefined nor null. */
bool js_arg_given(const struct js_args *a, size_t i);

/* --- handles: a C body with a JavaScript life --- */

/*
 * A handle is an object that owns a C body. js_handle_close ends the body by decision; else it goes
 * to the morgue when the object is collected (on any thread) and kind->free runs on ours, in
 * js_morgue_empty. Explicit close is the real end of life; the morgue is for the forgotten.
 */
struct js_kind {
    const char *name;
    void (*free)(void *body);
};

JSObjectRef js_handle(struct js_vm *vm, const struct js_kind *kind, void *take_body);
/* The body, or NULL after throwing: not a handle of this kind, or closed. */
void *js_arg_handle(const struct js_args *a, size_t i, const struct js_kind *kind);
/* Frees the body now. Nothing on a closed handle or another value. */
void js_handle_close(struct js_vm *vm, JSValueRef v, const struct js_kind *kind);

/* Frees what the collector found. The host calls it after each batch of turns. */
void js_morgue_empty(struct js_vm *vm);

#endif
