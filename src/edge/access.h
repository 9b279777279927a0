/*
 * The access log: an event line for each request of a client, when it has its answer, and for each
 * WebSocket, when its connection is over. What the control door answers is not in it. Off unless
 * edge_options.access_log names a file; then a WebSocket costs a struct visit more.
 *
 *   request  app client method target status bytes ms  (cut) (referer) (agent)
 *   socket   app client target code bytes received messages_out messages_in ms  (referer) (agent)
 *
 * status 499: the client left before it had an answer. cut: the answer is not whole.
 */
#ifndef EDGE_ACCESS_H
#define EDGE_ACCESS_H

#include "base/bytes.h"
#include "base/err.h"

struct access;
struct edge;
struct exchange;
struct hold;
struct stream;
struct visit;

/* NULL with *note when the file cannot be opened. */
struct access *access_open(struct edge *e, const char *path, struct err_note *note);
uint64_t access_lost(const struct access *a);
/* NULL is nothing. */
void access_close(struct access *a);

/* As http1_server_ops: it is over. One that became a WebSocket waits for access_enter(). */
void access_request(struct access *a, const struct exchange *x);
void access_refused(struct access *a, const struct stream *s, int err);

/* The hold's connection has opened; when that is the WebSocket that access_request() was told of
 * last, its line is written by access_leave(). */
void access_enter(struct access *a, struct hold *h);
/* Its connection is over, with the close code (1006: none). Frees hold.visit; NULL is nothing. */
void access_leave(struct hold *h, uint16_t code);
/* A message went either way. */
void access_count(struct visit *v, bool in, size_t bytes);

#endif
