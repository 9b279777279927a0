/*
 * Origin: an application (or a part of one) that HTTP servers behind us answer. A reverse proxy
 * with streaming bodies both ways, whose responses may carry GRIP instructions:
 *
 *   request ─► route ─► targets (upstream.h) ─► response ─┬─ plain ─► streamed to the reply
 *                                                         └─ instructed ─► grip_hold.h
 *   upgrade ─► route ─┬─ target with over_http ─► woh.h
 *                     └─ otherwise ─► ws_origin.h
 *
 * Bounds: at most UPSTREAM_WINDOW bytes of a body wait in either direction; of a request's body
 * GRIP_HOLD_BODY bytes are kept, so that a hold can make the request again.
 */
#ifndef EDGE_ORIGIN_H
#define EDGE_ORIGIN_H

#include "edge/reply.h"

struct app;

/* A request to an application whose origin answers it; rq is borrowed for the call. peer: the
 * address of the client's connection, may be empty. */
void origin_open(struct app *a, const struct exchange_request *rq, struct reply take_reply,
                 struct slice peer);

enum origin_how {
    ORIGIN_FANOUT,    /* a GRIP proxy: holds, WebSocket-over-HTTP */
    ORIGIN_WEBSOCKET, /* byte for byte: nothing is signed, no instruction is obeyed */
};

struct origin_handoff {
    struct slice route;                     /* the id of one */
    const struct exchange_request *request; /* borrowed for the call; may differ from the client's,
                                               but not in its body */
    struct slice peer;                      /* of the client, may be empty */
    enum origin_how how;
};

/* A worker gives a request to the route of that id: the reply is the origin's from now on, its body
 * not pulled yet. -ERR_NOT_FOUND: there is no such route (of no two the same); nothing was done. */
int origin_handoff(struct app *a, const struct origin_handoff *h, struct reply take_reply);

/* The application ends: what its origin has not answered is answered with 503, or cut. */
void origin_stop(struct app *a);

#endif
