/*
 * Statistics for others: who is here and who listens to what, as Pushpin publishes them on ZeroMQ's
 * PUB sockets. Every edge tells edge 0 by mail, which keeps what is true now and says it again
 * before its time (ttl) is over.
 *
 *   conn      a client that is held for an origin: id, type, peer-address, ssl, ttl; unavailable
 *   sub       a channel that is listened to: mode, channel, subscribers, ttl; unavailable
 *   activity  count: requests to origins since the last; counts says the same as requests-received
 *   report    of an interval: connections (at most at once), minutes, received, sent, …
 *
 * Without such a socket nothing is kept and nothing posted. What a slow subscriber does not take is
 * dropped, STATISTICS_QUEUE messages behind.
 */
#ifndef EDGE_STATISTICS_H
#define EDGE_STATISTICS_H

#include "base/bytes.h"
#include "wire/grip_item.h"

struct edge;
struct exchange;
struct grip_options;

enum { STATISTICS_QUEUE = 50000 };

/* On every edge, before its loop runs. o is copied. */
void statistics_open(struct edge *e, const struct grip_options *o);
/* Idempotent. */
void statistics_close(struct edge *e);

/* A client took that seat of the roster. x: its request, or NULL. */
void statistics_conn(struct edge *e, uint64_t seat, const struct exchange *x, bool is_ws);
void statistics_gone(struct edge *e, uint64_t seat);
/* One more (or, change -1, one less) subscription of that kind. */
void statistics_sub(struct edge *e, enum grip_kind kind, struct slice channel, int change);

#endif
