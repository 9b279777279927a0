/* What the two kinds of outbounds share. */
#ifndef EDGE_OUTBOUND_INT_H
#define EDGE_OUTBOUND_INT_H

#include "edge/outbound.h"

struct app;
struct outbound;

/* What the worker says about a call in flight. */
struct outbound_kind {
    /* A piece of the request's body. -ERR_TOO_LARGE: over its window. */
    int (*body)(struct outbound *o, struct slice bytes, bool end);
    /* The worker took n bytes of the response. */
    void (*credit)(struct outbound *o, uint32_t n);
    /* It lost interest, or the link ends. The outbound is dropped already; no frame follows. */
    void (*cancel)(struct outbound *o);
};

struct outbound {
    const struct outbound_kind *kind;
    struct link *link;
    uint64_t id;
    uint32_t pending; /* response bytes that the worker did not credit yet */
    uint8_t body;     /* IPC_BODY_… of the response */
    bool responded;
    bool over;
};

/* Registers it; o is embedded in the kind's struct. */
void outbound_init(struct outbound *o, const struct outbound_kind *kind, struct link *l,
                   uint64_t id);
/* Nobody names it any more. The kind frees it, in the reap phase. */
void outbound_drop(struct outbound *o);
/* Frames to the worker. */
void outbound_say_response(struct outbound *o, const struct ipc_response *r);
void outbound_say_body(struct outbound *o, struct slice bytes);
/* The last frame: FAIL before a response, BODY_ABORT after it. */
void outbound_say_failed(struct outbound *o, int err, struct slice text);
/* The last frame of a response that is complete. */
void outbound_say_end(struct outbound *o);

/* Starts. l and f belong to a new id. to: the application that answers, NULL for the own folder. */
void outbound_start_local(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m,
                          struct app *to);
/* service: an HTTP server's URL, NULL for where the request's own URL points. */
void outbound_start_remote(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m,
                           const char *service);

#endif
