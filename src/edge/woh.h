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
 * What is asked of the origin goes through socket_origin_ops, so that tests can play it.
 */
#ifndef EDGE_WOH_H
#define EDGE_WOH_H

#include "base/bytes.h"

struct app;
struct socket_start; /* handshake.h */

enum {
    WOH_MESSAGE = 200000,   /* bytes of one message of the client: more close it (1009) */
    WOH_PENDING = 200000,   /* bytes that wait for the origin, or for the client */
    WOH_RESPONSE = 1000000, /* bytes of a response's body: more cut the client's connection */
    WOH_REFUSAL = 100000,   /* bytes of a refusal's body that are relayed */
};

/* Asks the origin OPEN, and takes the client from there on. */
void woh_open(const struct socket_start *s);

/* The application ends: those whose clients have gone, and whose origins would still hear of it. */
void woh_end(struct app *a);

#endif
