/*
 * Who answers a request: the router's application (its dev pages, its files, its worker, its
 * origin), or on the control door the publish API and the pages about us. What all doors log of it.
 */
#ifndef EDGE_DISPATCH_H
#define EDGE_DISPATCH_H

#include "edge/reply.h"

struct app;
struct edge_listener;
struct http1_server_ops;

/* An application answers a request of a client at `peer`, or (empty) of another application: by a
 * file, its worker or its origin. Takes the reply. */
void dispatch_request(struct app *a, const struct exchange_request *rq, struct reply reply,
                      struct slice peer);

/* What the HTTP server of this listener tells; its arg is the listener. */
const struct http1_server_ops *dispatch_ops(const struct edge_listener *li);

#endif
