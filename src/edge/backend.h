/*
 * The backend: who hears what a hold says. A hold has exactly one, and knows it only by these
 * facts; an actor in a worker (delivery.c) is one kind, another hold (proxy.c) a second.
 *
 * All are told on the edge's loop and may call any verb of the hold.
 */
#ifndef EDGE_BACKEND_H
#define EDGE_BACKEND_H

#include "base/bytes.h"

struct hold;

struct backend_ops {
    bool is_origin; /* no worker: it hears of every end, and nothing else frees its holds */
    /* It got the hold, which is not read before hold_accept() or hold_join(). */
    void (*opened)(struct hold *h);
    /* A whole message; bytes are valid until it returns. */
    void (*message)(struct hold *h, struct slice bytes, bool binary);
    /* What was sent has left, after more than half of the bound was queued. */
    void (*drained)(struct hold *h);
    /* The last fact: the peer's Close or the connection's loss (as transport_ops.closed), or, with
     * err, the error for which we sent Close (reason: its text). The hold is LEFT or OVER. An
     * origin is told once more when a LEFT one's connection goes. */
    void (*closed)(struct hold *h, uint16_t code, bool clean, struct slice reason, int err);
    /* The client's Ping or Pong, after hold_hear_controls(). */
    void (*control)(struct hold *h, bool is_pong, struct slice bytes);
};

/* The worker of hold.app (actor_backend.c). */
extern const struct backend_ops actor_backend;
/* The hold that this one is joined with (proxy.c). */
extern const struct backend_ops proxy_backend;

#endif
