/*
 * Values: JavaScript's from C's and back. Locals are safe on the stack, where the collector sees
 * them; a value kept anywhere else is a struct js_ref (ref.h).
 *
 * Text is UTF-8 on our side: bytes that are not become U+FFFD, and so do lone surrogates.
 */
#ifndef JS_VALUE_H
#define JS_VALUE_H

#include <JavaScriptCore/JSBase.h>
#include <JavaScriptCore/JSObjectRef.h>
#include <JavaScriptCore/JSValueRef.h>

#include "base/bytes.h"

/* --- making values --- */

JSValueRef js_undefined(JSContextRef cx);
JSValueRef js_null(JSContextRef cx);
JSValueRef js_bool(JSContextRef cx, bool b);
JSValueRef js_number(JSContextRef cx, double n);
/* From UTF-8. */
JSValueRef js_string(JSContextRef cx, struct slice utf8);
/* From Latin-1: each byte one code unit (header values). */
JSValueRef js_latin1(JSContextRef cx, struct slice bytes);
/* A Uint8Array or an ArrayBuffer holding a copy. */
JSValueRef js_bytes(JSContextRef cx, struct slice s);
JSValueRef js_buffer(JSContextRef cx, struct slice s);
/* The same without a copy: the array owns what mem_new or buf_take gave. */
JSValueRef js_bytes_take(JSContextRef cx, struct span take_s);
JSValueRef js_buffer_take(JSContextRef cx, struct span take_s);
/* A Float64Array over memory of ours, which outlives the engine. */
JSValueRef js_doubles(JSContextRef cx, double *borrowed, size_t n);
/* An empty object, and one property of it. */
JSObjectRef js_object(JSContextRef cx);
void js_set(JSContextRef cx, JSObjectRef o, const char *name, JSValueRef v);
JSValueRef js_array(JSContextRef cx, size_t n, const JSValueRef *v);

/* --- reading values --- */

/* A property, or NULL when reading it throws. undefined when it is not there. */
JSValueRef js_get(JSContextRef cx, JSValueRef o, const char *name);

/* A string's UTF-8, on the stack when it is short. Zero is empty. */
struct js_text {
    struct slice s; /* NUL-terminated as well */
    char *heap;
    char small[256];
};

/* false, and *ret untouched, when v is not a string. */
bool js_text_get(JSContextRef cx, JSValueRef v, struct js_text *ret);
void js_text_done(struct js_text *t);

/* Appends a string's UTF-8. -ERR_TOO_LARGE over out's bound, -ERR_SYNTAX when v is not a string. */
int js_text_add(JSContextRef cx, JSValueRef v, struct buf *out);

/* The same, each code unit one byte (header values; the caller has refused what is over 255). */
int js_latin1_add(JSContextRef cx, JSValueRef v, struct buf *out);

/* The bytes of an ArrayBuffer or of a view's window; borrowed until JavaScript runs again. false
 * when v is neither. */
bool js_bytes_get(JSContextRef cx, JSValueRef v, struct span *ret);

#endif
