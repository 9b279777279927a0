/*
 * The doors of an edge: where it listens (edge_listen() and edge_certify() of edge.h are here), who
 * is let in, and when it accepts no more. Public doors count together on all edges; a control door
 * has places of its own, so that publishers wait for each other and not for clients.
 */
#ifndef EDGE_DOORS_H
#define EDGE_DOORS_H

#include "edge/edge_int.h"

/* Limits and timers; there is no door yet. */
void doors_init(struct edge *e, const struct edge_options *o);
/* A place for connections, without a socket that accepts them yet. NULL: there are enough. */
struct edge_listener *doors_open(struct edge *e, enum edge_door door);

/* ORDER_CROWD: public doors accept no more until some have gone. */
void doors_crowd(struct edge *e);
/* ORDER_CERTIFY: the listener reads its certificates again; it keeps those it has when they cannot
 * be read. */
void doors_certify(struct edge *e, const struct order *o);

/* Nobody new gets in by a public door; who asks on a control door still learns that we are not
 * ready any more. Requests that are here go on. */
void doors_shut(struct edge *e);
/* The same for all doors. */
void doors_close(struct edge *e);
/* Cuts what is connected. After doors_close(). */
void doors_free(struct edge *e);

#endif
