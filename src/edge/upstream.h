/*
 * Upstream: requests to the targets of an origin route. One call is one request and its response:
 * the first target that can be reached gets it, by HTTP/1.1 on a pooled connection.
 *
 *   targets      in order; one that could not be reached (refused, no name, TLS, too slow to
 *                connect) breaker_failures times in a row rests for breaker_ms and is passed over.
 *                When all rest, one call each UPSTREAM_PROBE_MS tries, the others fail at once: an
 *                origin that is down is not hammered
 *   signing      Grip-Sig and Grip-Feature are made here, for every request anew
 *   connections  are kept while the origin agrees; one that turns out to be dead before any byte
 *                of a response is replaced by a new one and the request repeated, once, while its
 *                body is still here (up to UPSTREAM_KEEP bytes)
 *
 * Bodies flow under credit both ways, as on the link. Facts come from the loop, never from inside a
 * verb. Redirects are the client's matter, not followed. Content codings pass as they are.
 */
#ifndef EDGE_UPSTREAM_H
#define EDGE_UPSTREAM_H

#include "base/bytes.h"
#include "base/err.h"
#include "conn/exchange.h"

struct app;
struct origin_route; /* origin_route.h; counted: a call keeps its own */
struct transport;
struct upstreams; /* all targets of one application: connections and health */
struct upstream_call;

enum {
    UPSTREAM_WINDOW = 256 << 10, /* the first credit of both bodies */
    UPSTREAM_KEEP = 100000,
    UPSTREAM_PROBE_MS = 250,
};

/* All slices are copied. */
struct upstream_request {
    struct origin_route *route;
    struct slice method;
    struct slice path;   /* with query, as the origin shall see it (origin_route_path) */
    struct slice host;   /* the value of Host; a target's own host= wins */
    struct slice fields; /* "name: value\n"…; framing fields, Host and Expect in it are ignored */
    enum exchange_body body;
    uint64_t length;      /* of an EXCHANGE_BODY_LENGTH */
    struct slice content; /* the body's beginning; all of it when it is `length` long, then no
                             upstream_body() follows */
    bool sign;            /* add Grip-Sig and Grip-Feature (where the route has GRIP and a key) */
    /* "https://host:port", or empty: the targets of the route. A link to somewhere else. */
    struct slice direct;
    bool over_http; /* only targets that are; an upgrade goes only to the others */
    bool plain;     /* an upgrade goes to any target, whatever it speaks otherwise */
    bool hurries;   /* as upstream_hurry() */
    /* A WebSocket is asked for: method GET, no body. A Sec-WebSocket-Extensions among the fields is
     * sent as it is; Key and Version are ours. */
    bool upgrade;
};

/* How far a request got. */
enum upstream_reached {
    UPSTREAM_NOT_REACHED, /* no connection to any target (or all of them rest) */
    UPSTREAM_NOT_SENT,    /* reached; broken before the whole request was handed over */
    UPSTREAM_SENT,        /* handed over; then no response, a malformed one or none in time */
    UPSTREAM_CUT,         /* in the middle of the response's body */
};

/* Valid until response() returns. */
struct upstream_response {
    uint16_t status;
    struct slice reason;
    struct slice head; /* "name: value\n"…, without the fields about the connection (Connection,
                          Transfer-Encoding, Content-Length…); Keep-Alive too */
    enum exchange_body body;
    uint64_t length; /* of EXCHANGE_BODY_LENGTH; else what Content-Length announced (HEAD), or 0 */
    bool has_length; /* there was a Content-Length */
    struct slice target;     /* "host:port" that answered */
    const char *const *subs; /* that target's implicit channels, NULL-terminated or NULL; as long as
                                the route */
    /* The upgrade was granted (101): a paused transport, the receiver's from now on. Then this is
     * the call's last fact. Otherwise NULL. */
    struct transport *socket;
};

/* Facts. Each may call any verb of its call. */
struct upstream_ops {
    void (*response)(void *arg, const struct upstream_response *r);
    /* Response bytes, within the credit. */
    void (*body)(void *arg, struct slice bytes);
    /* The response is complete, with or without a body. Last; the call is gone. */
    void (*ended)(void *arg);
    /* No response, or its body was cut. Last; the call is gone. text: for people; when no target
     * could be reached "Unable to connect to any targets. Tried: h:p, h:p". */
    void (*failed)(void *arg, enum upstream_reached reached, int err, struct slice text);
    /* n bytes of the request's body have left. NULL when all of it was given at the start. */
    void (*taken)(void *arg, size_t n);
};

/* Never NULL: what is wrong is told by failed(). The call lives until its last fact or
 * upstream_cancel(). */
struct upstream_call *upstream_start(struct app *a, const struct upstream_request *r,
                                     const struct upstream_ops *ops, void *arg);
/* Another owner for the facts that come from now on; also from inside response(). */
void upstream_attach(struct upstream_call *c, const struct upstream_ops *ops, void *arg);
/* More of the request's body; end: that was all. Beyond the credit (UPSTREAM_WINDOW and what
 * taken() gave) or the announced length the call fails. */
void upstream_body(struct upstream_call *c, struct slice bytes, bool end);
/* n more bytes of the response's body may come; it begins with UPSTREAM_WINDOW. */
void upstream_credit(struct upstream_call *c, size_t n);
/* The response's body has failed when nothing of it comes for response_ms (up to twice that),
 * though it might. Others may be silent for as long as their client stays. */
void upstream_hurry(struct upstream_call *c);
/* Nobody wants it any more: no further fact. NULL is nothing. */
void upstream_cancel(struct upstream_call *c);

/* Of an application; NULL is nothing. Calls under way are cancelled in silence: their owners go
 * first. */
struct upstreams *upstreams_new(struct app *a);
void upstreams_free(struct upstreams *u);
/* The settings are new: connections of before are not used again. */
void upstreams_reset(struct upstreams *u);

#endif
