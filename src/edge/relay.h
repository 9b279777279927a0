/*
 * The relay: publishing, of one edge. It has the edge's hub on the edge's loop, and hands what is
 * published on one edge to all of them, each its own copy.
 *
 *   control, ZeroMQ ─► relay_publish ─► mail to every edge, this one too ─► its hub ─► subscribers
 *
 * Bound: RELAY_BACKLOG bytes that were published and are not handed to all subscribers yet, on any
 * edge; who publishes more hears -ERR_OVERLOADED. Hubs tell RELAY_BUDGET facts in a tick, so that a
 * flood of items does not keep a loop from its other work.
 *
 * All verbs: on the edge's own loop, unless they say otherwise.
 */
#ifndef EDGE_RELAY_H
#define EDGE_RELAY_H

#include "base/bytes.h"

struct edge;
struct edge_stats;
struct grip_format;
struct grip_item;
struct grip_items;
struct grip_options;
struct hub;
struct list;
struct rate;
struct relay;

enum {
    RELAY_BACKLOG = 64 << 20,
    RELAY_BUDGET = 5000,
};

/* Copies what it needs of o. */
struct relay *relay_new(struct edge *e, const struct grip_options *o);
/* Its subscribers are gone. NULL is nothing. */
void relay_free(struct relay *r);

/* Publishes all items, in their order, on all edges. -ERR_OVERLOADED: none of them, for now. */
int relay_publish(struct edge *e, const struct grip_items *items);
/* Forgets all ids and has all holds refreshed, on all edges. */
void relay_recover(struct edge *e);

/* Fills the numbers of the hub and the rates in. */
void relay_count(const struct relay *r, struct edge_stats *ret);

/* --- for subscriber.c --- */

/* This edge's hub. */
struct hub *relay_hub(struct relay *r);
/* The rate that the routes of that id share; NULL: unlimited. Lives as long as the relay. */
struct rate *relay_rate(struct relay *r, struct slice route_id);
/* The hub, or `resumed`, has work. Idempotent, cheap. */
void relay_wake(struct relay *r);
/* Subscribers that are to be told what waited for them. */
struct list *relay_resumed(struct relay *r);
/* A channel is known here, or not any more. */
void relay_known(struct relay *r, struct slice channel, bool is_known);
/* The weight of an item's delivery. */
uint32_t relay_weight(const struct relay *r, const struct grip_item *item,
                      const struct grip_format *format);

/*
 * Tells known(arg, channel, true) when somebody subscribes to a channel that nobody on any edge
 * listened to, and false when the last one has gone (polled channels: linger_ms later). Once, for
 * edge 0, after edge_introduce() and before the loops run; told on edge 0's loop.
 */
void relay_watch(struct edge *edge0, void (*known)(void *arg, struct slice channel, bool is_known),
                 void *arg);

#endif
