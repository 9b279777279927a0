/*
 * A GRIP hold over HTTP: a client whose request the origin answered with instructions instead of
 * (or beside) content. It begins when the head of such a response has come and takes the reply, the
 * call in progress and the kept request from origin.c; it ends with the client's response, or by
 * giving all of it back for the request to be made again.
 *
 *              head                 body, whole           Grip-Hold: response
 *   origin.c ───────► COLLECTING ───────────────────► PARKED ──► answered: item, timeout
 *       ▲              │  │  │ neither hold nor link     │
 *       │              │  │  └──► answered               │ hint, conflict, lost item, refresh
 *       │ again()      │  │                              ▼
 *       └──────────────┼──┼───────────────────────── (origin.c)
 *                      │  │ stream, or a next link
 *        body too long │  ▼          link is due, lost item, hint, refresh
 *          for that    │ OPEN ◄───────────────────────► FETCHING (grip_link.c)
 *                      ▼  ▲
 *                    RELAYING ──► OPEN
 *
 * Bounds: a collected body and a kept request body have GRIP_HOLD_BODY bytes at most. When
 * GRIP_HOLD_QUEUE bytes wait for a slow client, or while a link is fetched, its subscriber is
 * paused (subscriber.h bounds what waits then). The holds of an application ask the origin for
 * GRIP_HOLD_CALLS links at a time and make GRIP_HOLD_AGAIN requests again in a tenth of a second;
 * others wait in line, each in the memory it has. What a hold asks for goes through
 * grip_origin_ops, so that tests can play the origin.
 */
#ifndef EDGE_GRIP_HOLD_H
#define EDGE_GRIP_HOLD_H

#include "base/bytes.h"
#include "edge/reply.h"

struct app;
struct upstream_call;     /* upstream.h */
struct upstream_ops;      /* upstream.h: response, body, ended, failed */
struct upstream_response; /* upstream.h: status, reason, head */

enum {
    GRIP_HOLD_BODY = 100000,
    GRIP_HOLD_QUEUE = 128 << 10,
    GRIP_HOLD_CHANNELS = 20,
    GRIP_HOLD_CALLS = 64,
    GRIP_HOLD_AGAIN = 100,
};

/* A request that a hold makes by itself. No field of the client goes into it: Host, Grip-Last, and
 * what every request to an origin gets (Grip-Sig, Grip-Feature, CDN-Loop). */
struct grip_fetch {
    struct slice method; /* "GET" of a next link; "POST", Content-Length 0, of a gone link */
    struct slice uri;    /* absolute. With the authority of the request's own URI: by its route and
                            targets; another: straight there, signed with the route's key */
    struct slice last;   /* "Grip-Last: …\n" lines, may be empty */
};

/* What the hold asks of the origin; `origin` is grip_hold_start.origin. Nothing calls back into the
 * hold from inside. */
struct grip_origin_ops {
    /* Makes the client's request again, original method, head and body, with these "Grip-Last: …\n"
     * lines (and without those of before); the response is treated like the first one. The hold is
     * gone, origin and the reply are the callee's. The exchange behind the reply is parked: what it
     * knew of the request is only in origin. */
    void (*again)(void *origin, struct reply take_reply, struct slice last);
    /* Slices are copied. Never NULL: what is wrong is told by failed(). */
    struct upstream_call *(*fetch)(void *origin, const struct grip_fetch *f,
                                   const struct upstream_ops *ops, void *arg);
    /* upstream_attach, _credit, _cancel: of take_call and of what fetch() gave. */
    void (*attach)(struct upstream_call *c, const struct upstream_ops *ops, void *arg);
    void (*credit)(struct upstream_call *c, size_t n);
    void (*cancel)(struct upstream_call *c);
    /* again() will not be asked for any more (a stream is open): the kept request may be freed, and
     * grip_hold_start.uri with it. */
    void (*trim)(void *origin);
    /* Neither will fetch(). */
    void (*release)(void *origin);
};

struct grip_hold_start {
    struct app *app;
    struct reply take_reply;
    const struct grip_origin_ops *ops;
    void *origin; /* the hold's, until ops->again or ops->release */

    /* The instructed response (wire/grip.h says which are): its head has just come. */
    struct upstream_call *take_call;
    const struct upstream_response *response; /* its subs are kept; the rest is copied */

    /* Borrowed as long as origin, uri until trim(). */
    struct slice uri; /* of the request as the origin got it, absolute: links are relative to it */
    struct slice prefix; /* of the route's channels */
    const void *route;   /* who it is: holds of one route may share the fetch of a link */

    struct slice route_id;      /* whose rate of deliveries it takes from; may be empty */
    struct slice last_event_id; /* the client's Last-Event-ID; empty: none */
    unsigned channels;          /* at most, 1 … 255; more are dropped; 0: GRIP_HOLD_CHANNELS */
    bool debug;                 /* errors are told to the client */
    bool is_head;               /* the request's method */
    bool is_large; /* the request's body was over GRIP_HOLD_BODY and could not be kept: 400 */
};

/* From inside the call's response() fact, or after it. */
void grip_hold_open(const struct grip_hold_start *s);

/* The edge stops: polls are answered with what they would say at their timeout, streams end. */
void grip_holds_stop(struct app *a);
/* The application goes: cuts what is held, cancels what is asked for. Before its upstreams. */
void grip_holds_free(struct app *a);

#endif
