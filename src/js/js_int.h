/* What the files of this folder share. */
#ifndef JS_INT_H
#define JS_INT_H

#include "js/jsc.h"
#include "js/native.h"
#include "js/ref.h"
#include "js/vm.h"

struct js__handle;

/* Native functions of one table, kept until the engine is gone. */
struct js__table {
    struct js__table *next;
    struct js__bound *rows;
};

struct js_vm {
    JSContextGroupRef group;
    JSGlobalContextRef cx;
    JSClassRef function_class;
    JSClassRef handle_class;
    struct js__table *tables;
    struct js__handle *_Atomic morgue;
    struct js_ref error_maker;
    void (*on_limit)(void *arg, struct slice where);
    void *on_limit_arg;
    bool terminated;
};

/* native.c: before the engine starts, and after it ended. */
void js__natives_init(struct js_vm *vm);
void js__natives_done(struct js_vm *vm);

/* An error object of the class or DOMException called name. */
JSValueRef js__make_error(struct js_vm *vm, const char *name, const char *text);

#endif
