/*
 * Who answers a request: the router's application (its dev pages, its files, its worker, its
 * origin), or on the control door the publish API and the pages about us. What all doors log of it.
 */
#ifndef EDGE_DISPATCH_H
#define EDGE_DISPATCH_H

struct edge_listener;
struct http1_server_ops;

/* What the HTTP server of this listener tells; its arg is the listener. */
const struct http1_server_ops *dispatch_ops(const struct edge_listener *li);

#endif
