/*
 * A WebSocket of a client whose request goes to an origin: which of the two ways it takes (woh.h,
 * ws_origin.h), and by what its origin is asked from then on.
 */
#ifndef EDGE_ORIGIN_SOCKET_H
#define EDGE_ORIGIN_SOCKET_H

#include <stdbool.h>

#include "base/bytes.h"

struct app;
struct exchange;
struct origin_route;

/* Borrowed for the call; the route is counted. */
struct origin_socket {
    struct app *app;
    struct origin_route *route;
    struct exchange *exchange;
    struct slice host, path, fields; /* of the request, as the origin gets it */
    bool is_trusted;                 /* the client's Grip-Sig is one of ours */
    bool is_plain;                   /* no GRIP: nothing is signed, no instruction obeyed */
};

/* From now on the exchange is the WebSocket's. */
void origin_socket_open(const struct origin_socket *s);

#endif
