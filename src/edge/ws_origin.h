/*
 * A client's WebSocket whose origin speaks WebSocket, too: frames are passed both ways, and GRIP's
 * control messages in the origin's are obeyed when it asked for that in its handshake
 * (grip_socket.h). The client's upgrade waits for the origin's answer; a refusal is relayed.
 *
 * Messages are passed whole (fragments joined), at most as large as the application's limit says;
 * Ping, Pong and Close with their bytes. A side that reads slowly stops the reading of the other.
 * They end together: the loss of one connection cuts the other.
 */
#ifndef EDGE_WS_ORIGIN_H
#define EDGE_WS_ORIGIN_H

#include "edge/woh.h"

enum { WS_ORIGIN_PENDING = 256 << 10 }; /* bytes that wait for a side: the other is not read */

struct ws_origin_ops {
    /* The upgrade at the route's targets, with these fields ("Name: value\n") besides Host,
     * Sec-WebSocket-Key and -Version, Grip-Sig and Grip-Feature. response() brings
     * upstream_response.socket (paused, not owned) when it was granted; that is then its last
     * fact. */
    struct upstream_call *(*connect)(void *origin, struct slice fields,
                                     const struct upstream_ops *ops, void *arg);
    void (*credit)(struct upstream_call *c, size_t n);
    void (*cancel)(struct upstream_call *c);
    void (*release)(void *origin);
};

/* s->ops is not looked at. */
void ws_origin_open(const struct woh_start *s, const struct ws_origin_ops *ops);

/* The application ends: those whose clients have not been answered yet. */
void ws_origin_end(struct app *a);

#endif
