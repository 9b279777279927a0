/*
 * The gateway's end of one link: the framed pipe between this edge and one generation of an
 * application's worker. Frames in are told one by one (frames.h), frames out are gathered and leave
 * with one write a tick.
 *
 * The worker may be hostile. Every id is looked up among what belongs to this application; what
 * does not follow ipc.def is a violation: link_bad() stops listening and the fleet kills the
 * process. Ids of things that have just ended are no violation, frames cross on the way.
 */
#ifndef EDGE_LINK_H
#define EDGE_LINK_H

#include "base/list.h"
#include "base/map.h"
#include "edge/edge_int.h"

struct egress;
struct stream;

struct link_ops {
    /* 0, or the value of link_bad(). */
    int (*frame)(struct link *l, const struct ipc_frame *f);
    /* Its process is gone, and all that it wrote was heard. The link is freed next. */
    void (*gone)(struct link *l, const struct order *verdict);
    void (*freed)(struct link *l);
};

struct link {
    struct list in_app; /* app.links */
    struct app *app;
    const struct link_ops *ops;
    uint32_t generation;
    struct stream *stream;
    struct buf out;
    struct buf rest;       /* an incomplete frame */
    size_t need;           /* bytes that the frame in rest will have; 0: unknown */
    struct map64 calls;    /* struct outbound, by the worker's id */
    struct egress *egress; /* by the policy of this generation */
    bool flushing;         /* the deferred task that pushes `out` is on its way */
    bool bad;              /* broke the protocol; nothing is read or written any more */
    bool ended;            /* the other end is closed and everything was read */
    bool said_idle;
    bool freed; /* only the flush task still refers to it */
    uint64_t idle_seq;
    struct order *verdict; /* its process is gone; applied when everything was read */
    struct timer last_words;
};

enum { LINK_CALLS = 4096 /* FETCHes at once */ };

/* Takes the stream; reads from now on. */
struct link *link_new(struct app *a, uint32_t generation, struct stream *take_stream,
                      const struct link_ops *ops);
/* Closes the pipe. */
void link_free(struct link *l);

/* Where to ipc_put_x() a frame; it leaves in this tick. Frames that do not fit (more than
 * IPC_PAYLOAD_MAX) are the caller's to prevent. */
struct buf *link_out(struct link *l);
/* A frame that is larger than what is worth copying goes without. */
void link_push_large(struct link *l, struct blob *take_frame);

/* The process is gone, *take_verdict says how: everything it wrote is read first, then
 * gone() is told and the link freed. */
void link_gone(struct link *l, struct order *take_verdict);

/* Says this of its worker to the fleet. */
void link_report(struct link *l, enum report_kind kind, int why, struct slice text);
/* The worker broke the protocol. Returns -ERR_IPC_STATE, for `return link_bad(…)`. */
int link_bad(struct link *l, const char *why, const struct ipc_frame *f);

#endif
