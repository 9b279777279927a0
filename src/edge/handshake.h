/*
 * The opening handshake of a client's WebSocket that is its origin's to answer: the upgrade waits
 * for what the origin says. A refusal is relayed to the client, an acceptance becomes its 101. What
 * woh.c and ws_origin.c have in common until there is a hold, and what both ask of the origin.
 */
#ifndef EDGE_HANDSHAKE_H
#define EDGE_HANDSHAKE_H

#include "base/bytes.h"

struct app;
struct backend_ops;
struct exchange;
struct grip_socket;
struct grip_socket_ops;
struct handshake;
struct hold;
struct upstream_call;     /* upstream.h */
struct upstream_ops;      /* upstream.h: response, body, ended, failed */
struct upstream_response; /* upstream.h */
struct websocket_options;

/* What an open WebSocket asks of its route; `origin` is what its start said. Nothing calls back
 * into the asker from inside, but release(). */
struct socket_origin_ops {
    /*
     * For WebSocket-over-HTTP: POST to the request's URI at the route's targets that are over_http.
     * fields: "name: value\n" lines, all that goes there but Host, Content-Length, Grip-Sig (made
     * anew) and Grip-Feature. All is copied. Never NULL: what is wrong is told by failed(); its
     * `reached` says whether the request can have come to the origin.
     */
    struct upstream_call *(*post)(void *origin, struct slice fields, struct slice body,
                                  const struct upstream_ops *ops, void *arg);
    /* The upgrade at the route's other targets, with these fields besides Host, Sec-WebSocket-Key
     * and -Version, Grip-Sig and Grip-Feature. response() brings upstream_response.socket (paused,
     * not owned) when it was granted; that is then its last fact. */
    struct upstream_call *(*connect)(void *origin, struct slice fields,
                                     const struct upstream_ops *ops, void *arg);
    /* upstream_credit, upstream_cancel of what these gave. */
    void (*credit)(struct upstream_call *c, size_t n);
    void (*cancel)(struct upstream_call *c);
    /* Nothing more will be asked. */
    void (*release)(void *origin);
};

/* A client's upgrade that is to be answered; slices are copied unless it says borrowed. */
struct socket_start {
    struct app *app;
    struct exchange *exchange; /* asks for an upgrade, nothing was said yet: the callee's now */
    const struct socket_origin_ops *ops;
    void *origin; /* until ops->release() */

    /* "name: value\n"…: the client's, by the rules for every request to an origin (hop-by-hop and
     * Grip- fields are out, X-Forwarded- and the route's own are in). Without Host. */
    struct slice fields;
    struct slice prefix;   /* of the route's channels. Borrowed as long as origin */
    struct slice route_id; /* the same */
    bool no_grip;          /* the route's: no extension is offered, messages go as they are */
    bool trusted;          /* the client is a GRIP proxy: it hears of the extension itself */
    bool one_event;        /* the target's: one event a request */
    bool debug;            /* errors are told to the client */
};

/* Takes s->exchange. gone: the client does not wait any more; may free the handshake. */
struct handshake *handshake_new(const struct socket_start *s, void (*gone)(void *arg), void *arg);
/* The client has been answered, or has gone. NULL is nothing. */
void handshake_free(struct handshake *h);
bool handshake_is_waiting(const struct handshake *h);

/* Copies what the origin says, but for its body; the latest answer counts. */
void handshake_hear(struct handshake *h, const struct upstream_response *r);

/* Answers with the origin's status and fields, and this body. A status or field that cannot be sent
 * is a 502. */
void handshake_refuse(struct handshake *h, struct slice body);
/* Answers 502: text where errors are told, else Pushpin's line. */
void handshake_fail(struct handshake *h, struct slice text);

/* Says 101 with the origin's fields (Sec-WebSocket-Extensions only to a trusted client, which
 * offered it itself), and makes a hold of the client that is read from the next tick on. NULL, and
 * the client still waits: a field cannot be sent, or there is no room. */
struct hold *handshake_accept(struct handshake *h, const struct websocket_options *o,
                              const struct backend_ops *backend, void *owner);
/* What GRIP is for that hold then; NULL: the origin has not agreed on it. */
struct grip_socket *handshake_grip(const struct handshake *h, struct hold *hold,
                                   const struct grip_socket_ops *ops, void *arg);

#endif
