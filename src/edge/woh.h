/*
 * WebSocket-over-HTTP: the backend of a client's WebSocket whose origin answers HTTP requests. What
 * the client says becomes events in the body of a POST, what the origin wants said is in the
 * response (wire/woh.h); GRIP's control messages and published items are grip_socket.h's.
 *
 *            OPEN is posted             it answered OPEN: 101
 *   asking ─────────────────► OPENING ────────────────────────► OPEN ──┬─► CLOSING ─► over
 *                               │ refused: the answer is relayed       │    (Close both ways)
 *                               ▼                                      ├─► DETACHED ─► over
 *                              over                                    └─► LEAVING ─► over
 *                                                                         (DISCONNECT is posted)
 *
 * One request is under way for a client at a time; what comes meanwhile goes with the next. A
 * client that is faster than its origin is not read while WOH_PENDING bytes wait, so TCP slows it
 * down. A client that is slower than its origin gets no new request while WOH_PENDING bytes wait
 * for it. A request whose target was not reached is made again after 1, 2, 4, 8, 16 s (and up to
 * one more), five times.
 *
 * What is asked of the origin goes through woh_origin_ops, so that tests can play it.
 */
#ifndef EDGE_WOH_H
#define EDGE_WOH_H

#include "base/bytes.h"

struct app;
struct exchange;
struct upstream_call; /* upstream.h */
struct upstream_ops;  /* upstream.h: response, body, ended, failed */

enum {
    WOH_MESSAGE = 200000,   /* bytes of one message of the client: more close it (1009) */
    WOH_PENDING = 200000,   /* bytes that wait for the origin, or for the client */
    WOH_RESPONSE = 1000000, /* bytes of a response's body: more cut the client's connection */
    WOH_REFUSAL = 100000,   /* bytes of a refusal's body that are relayed */
};

/* What an open WebSocket asks of its route; `origin` is what its start said. Nothing calls back
 * into the asker from inside, but release(). */
struct woh_origin_ops {
    /*
     * POST to the request's URI at the route's targets that are over_http. fields: "Name: value\n"
     * lines, all that goes there but Host, Content-Length, Grip-Sig (made anew) and Grip-Feature.
     * All is copied. Never NULL: what is wrong is told by failed(); its err says whether the
     * request can have reached the origin.
     */
    struct upstream_call *(*post)(void *origin, struct slice fields, struct slice body,
                                  const struct upstream_ops *ops, void *arg);
    /* upstream_credit, upstream_cancel of what post() gave. */
    void (*credit)(struct upstream_call *c, size_t n);
    void (*cancel)(struct upstream_call *c);
    /* Nothing more will be asked. */
    void (*release)(void *origin);
};

/* A client's upgrade that is to be answered; slices are copied unless it says borrowed. The same
 * for a real WebSocket to the origin (ws_origin.h). */
struct woh_start {
    struct app *app;
    struct exchange *exchange; /* asks for an upgrade, nothing was said yet: the callee's now */
    const struct woh_origin_ops *ops;
    void *origin; /* until ops->release() */

    /* "Name: value\n"…: the client's, by the rules for every request to an origin (hop-by-hop and
     * Grip- fields are out, X-Forwarded- and the route's own are in). Without Host. */
    struct slice fields;
    struct slice prefix;   /* of the route's channels. Borrowed as long as origin */
    struct slice route_id; /* the same */
    bool no_grip;          /* the route's: no extension is offered, messages go as they are */
    bool trusted;          /* the client is a GRIP proxy: it hears of the extension itself */
    bool one_event;        /* the target's: one event a request */
    bool debug;            /* errors are told to the client */
};

void woh_open(const struct woh_start *s);

/* The application ends: those whose clients have gone, and whose origins would still hear of it. */
void woh_end(struct app *a);

#endif
