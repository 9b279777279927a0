/*
 * The roster: clients by a name that can be told to others, who ask for it later (a Connection-Id,
 * the ids in commands and statistics). A name is a version 4 UUID and says for itself which edge
 * and which seat it is: nothing is kept to look it up, and nobody can make one up.
 *
 * 24 bytes a seat.
 */
#ifndef EDGE_ROSTER_H
#define EDGE_ROSTER_H

#include "base/bytes.h"
#include "edge/slots.h"

struct edge;

enum { ROSTER_NAME = 36 /* bytes of a name */ };

/* A fact, told on the client's edge: somebody wants its origin to be asked now. */
typedef void roster_refresh(void *arg);

void roster_init(struct edge *e);
/* A seat for a client; 0 when all are taken. refresh NULL: it is no WebSocket that can be. */
uint64_t roster_add(struct edge *e, roster_refresh *refresh, void *arg);
/* 0 and a seat that was left are nothing. */
void roster_drop(struct edge *e, uint64_t seat);
/* The seat's name, of ROSTER_NAME characters and a NUL. */
void roster_name(uint64_t seat, char ret[ROSTER_NAME + 1]);
/* The seat of a name; 0: it is none of ours. It may have been left. */
uint64_t roster_seat(struct slice name);

/* --- asking all edges --- */

struct roster_call {
    bool refresh;    /* refresh those that are found */
    size_t n;        /* of the two arrays, which are the call's */
    uint64_t *seats; /* to look for */
    bool *found;
};

/* Looks for seats on all edges, then tells done(arg, call) on this one's loop, once, never from
 * inside; not at all when it is freed before. take_call: its arrays are of mem_new(). */
void roster_ask(struct edge *e, struct roster_call take_call,
                void (*done)(void *arg, const struct roster_call *call), void *arg);

#endif
