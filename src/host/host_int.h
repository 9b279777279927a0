/* What the files of this folder share. */
#ifndef HOST_HOST_INT_H
#define HOST_HOST_INT_H

#include "api/api.h"
#include "host/endpoint.h"
#include "host/host.h"
#include "wire/pulse.h"

/* Actors that wait for RESTORED from every link. */
struct host_restore {
    uint32_t token;
    unsigned left;
};

struct host {
    const struct host_options *o;
    struct loop *loop;
    struct js_vm *vm;
    struct api api;
    struct api_hooks hooks;
    struct pulse *pulse;
    struct endpoint ends[PULSE_LINKS];
    uint32_t actor; /* to whose output gate frames belong now */
    struct timer wake;
    double wake_at;
    struct timer rest;  /* set while something happens, and until that is over for a while */
    int64_t busy_ms;    /* when the newest batch was */
    uint64_t collected; /* resident bytes after the last collection at rest */
    struct host_restore *restores;
    size_t n_restores, cap_restores;
    uint64_t begun;    /* events */
    uint64_t finished; /* acknowledged */
    unsigned drains;   /* links that said DRAIN */
    bool idle;         /* JavaScript says that nothing runs or pends */
    bool says_exiting; /* EXITING is due */
    bool flushing;     /* a flush is due */
    bool overran;      /* a turn was ended by the CPU limit */
    uint64_t guilty;   /* its event, left in the pulse page for the gateway to find */
    char *where;       /* then: the place, as the engine says it */
    bool leaving;      /* reads nothing any more; ends when the outboxes are empty */
    int exit_code;
};

/* turn.c */

/* Runs the turn of one frame. 0; -ERR_IPC_FRAME when the frame does not fit its row. */
int host__turn(struct host *h, struct endpoint *e, const struct ipc_frame *frame);
/* A turn of a hook without arguments; its value, NULL when it failed. */
JSValueRef host__call(struct host *h, const struct js_ref *hook);
/* A turn with the actor and the text of its failed commit. */
void host__commit_failed(struct host *h, uint32_t actor, const char *text);
/* After a turn overran: JavaScript names the place, then leaves. */
void host__overran(struct host *h, const char *where);

/* host.c */

/* A line of the runtime's own, as if JavaScript had logged it. level: enum log_level. */
void host__log(struct host *h, unsigned level, const char *text);

#endif
