/*
 * Who is subscribed: the counts of each channel's subscribers on all edges, as JSON.
 *
 *   GET /channels/              {"channels":{"room":{"response":0,"stream":2,"ws":1}},"more":false}
 *   GET /channels/?channel=room that one (also when it has nobody: all zero); may be repeated
 *   GET /channels/?prefix=room- those that begin with it
 *
 * Bound: CENSUS_CHANNELS channels are told, in the order of their names; "more" says that there
 * are others.
 */
#ifndef EDGE_CENSUS_H
#define EDGE_CENSUS_H

struct edge;
struct exchange;

enum { CENSUS_CHANNELS = 10000 };

/* Ends the exchange when all edges were asked. */
void census_answer(struct edge *e, struct exchange *x);

#endif
