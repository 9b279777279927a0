/*
 * GRIP on one WebSocket: what its origin asks for in control messages ("c:" and JSON), and what is
 * published on the channels that it is subscribed to. The same above WebSocket-over-HTTP (woh.c)
 * and a real WebSocket to the origin (ws_origin.c), which it serves as a part.
 *
 * Only where the origin's handshake negotiated the extension; without it messages pass as they are
 * and there is no grip_socket.
 *
 * Bounds: the channels and metadata of a subscriber, one keep-alive and one delayed message of at
 * most GRIP_SOCKET_KEPT bytes each. A published message is dropped for a client that has
 * GRIP_SOCKET_FULL bytes waiting.
 */
#ifndef EDGE_GRIP_SOCKET_H
#define EDGE_GRIP_SOCKET_H

#include "base/bytes.h"

struct edge;
struct grip_socket;
struct hold;

enum {
    GRIP_SOCKET_KEPT = 200000, /* a longer keep-alive or delayed message is ignored */
    GRIP_SOCKET_FULL = 200000,
    GRIP_SOCKET_CHANNELS = 20, /* where it is not configured */
};

/* Facts for the owner; each may free the grip_socket. */
struct grip_socket_ops {
    /* The client is to be told Close: published, or (1011) a control message that cannot be. */
    void (*close)(void *arg, uint16_t code, struct slice reason);
    /* The origin does not want to hear of this client any more; the client stays. */
    void (*detach)(void *arg);
    /* Published: the origin is to be asked now. */
    void (*refresh)(void *arg);
};

struct grip_socket_start {
    struct hold *hold;           /* OPEN; must stay until grip_socket_free() */
    struct slice message_prefix; /* of the negotiated extension; copied */
    struct slice channel_prefix; /* of the route; borrowed until grip_socket_free() */
    const char *const *subs;     /* implicit channels, NULL-terminated or NULL */
    struct slice route_id;       /* of whose rate published messages take */
    bool debug;                  /* reasons of our own Close are told */
    const struct grip_socket_ops *ops;
    void *arg;
};

/* Never NULL. */
struct grip_socket *grip_socket_new(const struct grip_socket_start *s);
/* NULL is nothing. */
void grip_socket_free(struct grip_socket *g);

/* A message of the origin: obeyed, or sent to the client without its prefix, or dropped. The
 * grip_socket may be gone afterwards (a fact was told). */
void grip_socket_message(struct grip_socket *g, struct slice bytes, bool binary);

#endif
