/*
 * ZeroMQ: the sockets by which existing publishers reach a gateway, as Pushpin has them.
 *
 *   PULL  one part, an item                          ─┐
 *   SUB   two parts, a channel and an item           ─┴► relay_publish
 *   PUB   what others may want to know (statistics.h)
 *   REP   commands: get-zmq-uris, publish, recover, …  (zeromq_command.c)
 *
 * On edge 0. libzmq has a thread of its own for its connections; here its sockets are descriptors
 * of the loop. SUB subscribes to the channels that somebody listens to, so that publishers need not
 * send the others. Bound: one item of each socket waits while the relay is full, and its socket is
 * not read meanwhile; behind it are ZEROMQ_QUEUE messages of each peer, and then the peer waits
 * (PUSH) or drops (PUB).
 */
#ifndef EDGE_ZEROMQ_H
#define EDGE_ZEROMQ_H

#include "base/bytes.h"
#include "base/err.h"

struct edge;
struct grip_options;
struct zeromq;

enum { ZEROMQ_QUEUE = 256 };

/*
 * Binds (or connects) what o->zmq names; *ret is NULL when it names nothing. Nothing is read before
 * zeromq_start(). Messages over o->control_body end their connection. -ERR_OS with the note: an
 * address is in use, or no address.
 */
int zeromq_open(struct edge *edge0, const struct grip_options *o, struct zeromq **ret,
                struct err_note *note);
/* At edge_begin(), before the loops run. NULL is nothing, here and below. */
void zeromq_start(struct zeromq *z);
/* One message on the PUB sockets; nothing without them. */
void zeromq_say(struct zeromq *z, struct slice message);
/* Messages that were not read are lost. */
void zeromq_free(struct zeromq *z);

#endif
