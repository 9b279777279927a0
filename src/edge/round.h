/*
 * A round: a mail that visits every edge, in the order of their indices, and comes back to the one
 * that asks. An edge has not stopped before all its rounds are back, so no round meets an edge
 * that is gone.
 */
#ifndef EDGE_ROUND_H
#define EDGE_ROUND_H

#include "io/mailbox.h"

struct edge;

/* Embedded in the asker's heap struct; visit and back are the asker's. */
struct round {
    struct mail mail;
    struct edge *asker;
    unsigned at; /* the edge it is on its way to; how many there are: it is on its way back */
    /* On the loop of each edge, in turn. */
    void (*visit)(struct round *r, struct edge *here);
    /* On the asker's loop, once: the struct is the asker's again. asker->gone: it was freed
     * meanwhile, and then nobody may have been visited. */
    void (*back)(struct round *r);
};

/* Sends r from `asker`; neither function is called from inside. An edge that has stopped gets its
 * round back at once. */
void round_send(struct round *take_r, struct edge *asker);

#endif
