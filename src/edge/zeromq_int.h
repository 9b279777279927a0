/* What the files of zeromq.h share: the sockets, and how a command is answered. */
#ifndef EDGE_ZEROMQ_INT_H
#define EDGE_ZEROMQ_INT_H

#include "edge/edge_int.h"
#include "edge/zeromq.h"
#include "wire/grip_item.h"

/* One socket of each, whatever number of addresses it has. */
enum inlet_kind { INLET_PULL, INLET_SUB, INLET_COMMAND, INLETS };

struct inlet {
    struct zeromq *zeromq;
    enum inlet_kind kind;
    void *socket; /* libzmq's */
    struct watch watch;
    bool is_posted; /* a task will read it */
    /* What the relay had no room for. */
    bool has_waiting;
    struct grip_items waiting;
    struct timer again;
};

struct zeromq {
    struct edge *edge;
    void *ctx; /* libzmq's */
    struct inlet inlets[INLETS];
    size_t n_inlets;
    struct buf uris; /* members of the answer to get-zmq-uris */
    bool is_gone;
};

enum { ZEROMQ_REPLY_MAX = 1 << 20 };

/* Carries a command out; its reply is appended to `reply`, which is empty. */
void zeromq__command(struct zeromq *z, struct slice request, struct buf *reply);

#endif
