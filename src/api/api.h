/*
 * The api as the host sees it: the natives of modules.def on one hidden object, the bundle's hooks.
 *
 * api.js files give the Web API, .c files of the same stem the mechanism. What natives do to the
 * world goes through api_ops: frames into the host's outbox, timers into its heap.
 */
#ifndef API_API_H
#define API_API_H

#include "base/bytes.h"
#include "base/err.h"
#include "js/ref.h"
#include "js/vm.h"

/* What the host does for natives. */
struct api_ops {
    /* Where a frame for id goes: appended there, it leaves with the turn's effects. Borrowed until
     * the next call. Ids name their edge (wire/ipc.def); 0 is the first link. */
    struct buf *(*frame)(void *host, uint64_t id);
    /* Every link in turn: index 0 and up; NULL behind the last. */
    struct buf *(*each)(void *host, size_t index);
    /* Event seq is finished: its ACK leaves behind everything written so far. */
    void (*ack)(void *host, uint64_t seq);
    /* Frames from now on wait for this actor's commit; 0: for nobody's. */
    void (*as)(void *host, uint32_t actor);
    /* hooks.timer(id) is wanted in ms milliseconds, once; again: it is moved; INT64_MAX: stopped. */
    void (*timer)(void *host, uint32_t id, int64_t ms);
};

/* State of the natives; a module with state of its own adds a pointer here and fills it in its open
 * function. */
struct api {
    struct js_vm *vm;
    const struct api_ops *ops;
    void *host;
    const char *state_dir; /* "" when there is none */
    JSObjectRef native;
};

/* Hooks: what JavaScript does for the host. One row a function of the bundle's `hooks` object. */
#define API_HOOKS(X)                                                                               \
    X(start) X(request) X(body) X(bodyAbort) X(credit) X(cancel) X(response) X(fail) X(wsMessage)  \
    X(wsClosed) X(wsError) X(wsAuto) X(restore) X(restored) X(alarm) X(drain) X(timer) X(settle)   \
    X(commitFailed) X(stats)

struct api_hooks {
#define X(name) struct js_ref name;
    API_HOOKS(X)
#undef X
};

#endif
