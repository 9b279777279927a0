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

struct app;
struct socket_start; /* handshake.h */

enum { WS_ORIGIN_PENDING = 256 << 10 }; /* bytes that wait for a side: the other is not read */

/* Connects to the origin, and takes the client from there on. */
void ws_origin_open(const struct socket_start *s);

/* The application ends: those whose clients have not been answered yet. */
void ws_origin_end(struct app *a);

#endif
