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
    void *pub;           /* libzmq's; NULL: none */
    struct buf uris;     /* members of the answer to get-zmq-uris */
    struct buf question; /* the command that all edges are asked about */
    bool is_asking;      /* a command was read and is not answered */
    bool is_gone;
};

enum { ZEROMQ_REPLY_MAX = 1 << 20 };

/* Carries a command out, which is answered by zeromq__reply(), at once or later. */
void zeromq__command(struct zeromq *z, struct slice request);
void zeromq__reply(struct zeromq *z, struct slice reply);

#endif
