/*
 * Origin: an application (or a part of one) that HTTP servers behind us answer. A reverse proxy
 * with streaming bodies both ways, whose responses may carry GRIP instructions:
 *
 *   request ─► route ─► targets (upstream.h) ─► response ─┬─ plain ─► streamed to the reply
 *                                                         └─ instructed ─► grip_hold.h
 *   upgrade ─► route ─┬─ target with over_http ─► woh.h
 *                     └─ otherwise ─► ws_origin.h
 */
#ifndef EDGE_ORIGIN_H
#define EDGE_ORIGIN_H

#include "edge/reply.h"
#include "edge/upstream.h"

struct app;
struct origin_route;

/*
 * A request as the origin gets it: what woh and ws_origin are given, and what is kept so that a
 * hold can make it again. One owner; origin_request_free().
 */
struct origin_request {
    struct app *app;
    struct origin_route *route; /* a reference */
    struct slice method;
    struct slice host;   /* for Host */
    struct slice path;   /* with query, rewritten by the route */
    struct slice uri;    /* absolute, of the above: what links are relative to */
    struct slice fields; /* "name: value\n"…: the client's, by the rules (grip.md 1.1); without
                            Host, Grip-Sig and Grip-Feature */
    struct slice peer;   /* address of the client, may be empty */
    bool is_secure;      /* the client came by TLS */
    bool is_trusted;     /* it proved that it is a GRIP proxy itself: nothing is signed or held */
    char *owned;         /* what the slices point to */
};
void origin_request_free(struct origin_request *q);

/* The edge's dispatch: a client's request to an application that has an origin. Takes x. */
void origin_request_open(struct app *a, struct exchange *x);

/*
 * A worker's handoff: the request goes to the route of that id (fanout: with GRIP, woh; otherwise
 * byte for byte, websocket_handoff). head: "METHOD URL\n" and "name: value\n"…, the request as the
 * application would have it. body: what is left of the client's body is pulled from the reply.
 * No such route: 502, "No such backend" in the log.
 */
void origin_handoff(struct app *a, struct slice id, bool fanout, struct slice head,
                    struct reply take_reply);

#endif
