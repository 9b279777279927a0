/*
 * The api as the host sees it: the natives of modules.def on one hidden object, the hooks of the
 * bundle.
 *
 * x.js files give the Web API, x.c files of the same stem the mechanism. What natives do to the
 * world goes through api_ops: frames into the host's outbox, a wake-up, the end of the process.
 */
#ifndef API_API_H
#define API_API_H

#include "base/bytes.h"
#include "base/err.h"
#include "js/ref.h"
#include "js/vm.h"

/* What the host does for natives. */
struct api_ops {
    /*
     * Where a frame goes: appended there, it leaves with the turn's effects. id: an exchange, hold
     * or event, which names its link; NULL when there is no such link. Borrowed until the next
     * call.
     */
    struct buf *(*frame)(void *host, uint64_t id);
    /* Event seq is finished: its ACK leaves behind everything written so far. */
    void (*ack)(void *host, uint64_t seq);
    /* What runs now belongs to event seq, although its own turn is over: it would be guilty. */
    void (*event)(void *host, uint64_t seq);
    /* Nothing runs or pends: IDLE is said on every link, behind the ACKs of this batch. */
    void (*idle)(void *host);
    /* Frames and ACKs from now on wait for this actor's commit; 0: for nobody's. */
    void (*as)(void *host, uint32_t actor);
    /* hooks.timer() is wanted at this time of now (once, the earlier one is forgotten); infinity:
     * not at all. */
    void (*wake)(void *host, double at_ms);
    /* Turns are watched by the engine (js_vm_limit), so that a loop can be named, or only timed. */
    void (*watch)(void *host, bool on);
    /* Monotonic milliseconds, with a fraction: the time of timers. */
    double (*now)(void *host);
    /* The process ends once this batch has left: drained, or because it said that it failed. */
    void (*leave)(void *host, bool failed);
    /* Events that have begun and are not acknowledged. */
    uint64_t (*open)(void *host);
};

/* Places in memory that JavaScript writes. */
enum { API_ACKS = 1024, API_HOLDS = 4096 };

struct api_facts {
    unsigned links;        /* edges of the gateway: the ids' top bits are 0 … links - 1 */
    const char *state_dir; /* "" when there is none */
};

/* State of the natives (their a->state). A module with state of its own adds a pointer here, which
 * its open function fills. */
struct api {
    struct js_vm *vm;
    const struct api_ops *ops;
    void *host;
    struct api_facts facts;
    struct js_ref native;
    struct store *store;       /* of storage.c; NULL before START */
    struct buf scratch;        /* for one native call */
    struct buf list;           /* for LIST fields */
    double acks[1 + API_ACKS]; /* how many events are finished, and which: api_take_acks() */
    double holds[API_HOLDS];   /* whom the next wsSend() sends to */
};

/* What JavaScript does for the host: the functions of the bundle's `hooks`. */
struct api_hooks {
#define API_HOOK(name) struct js_ref name;
#include "api/hooks.def"
#undef API_HOOK
};

/*
 * Installs the natives and evaluates the bundle. api and what it borrows (ops, host, facts) must
 * stay where they are until api_done. -ERR_SCRIPT with *ret_err filled when the bundle is broken,
 * or another error of a module's open.
 */
int api_init(struct api *api, struct js_vm *vm, const struct api_ops *ops, void *host,
             const struct api_facts *facts, struct api_hooks *ret_hooks, struct js_error *ret_err);
/* Tells ops->ack of the events that JavaScript has finished since. At the end of each batch. */
void api_take_acks(struct api *api);
/* Safe on a zeroed or half-made one. Before js_vm_free, after which what the api shares with
 * JavaScript may go, too. */
void api_done(struct api *api, struct api_hooks *hooks);

#endif
