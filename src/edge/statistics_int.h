/* statistics.c hears of things on every edge, statistics_book.c keeps and tells them on edge 0. */
#ifndef EDGE_STATISTICS_INT_H
#define EDGE_STATISTICS_INT_H

#include "edge/edge_int.h"
#include "edge/statistics.h"

/* What an edge counted since it told so last. */
struct statistics_counts {
    uint64_t requests;                                       /* to origins */
    uint64_t received;                                       /* items that were published */
    uint64_t sent;                                           /* deliveries */
    uint64_t messages_in, messages_out, bytes_in, bytes_out; /* of WebSockets */
};

struct statistics_book;

/* On edge 0, and from its loop only; o is copied. */
struct statistics_book *statistics_book_new(struct edge *edge0, const struct grip_options *o);
void statistics_book_free(struct statistics_book *b);
/* id, peer: copied. */
void statistics_book_conn(struct statistics_book *b, struct slice id, struct slice peer, bool is_ws,
                          bool is_tls);
void statistics_book_gone(struct statistics_book *b, struct slice id);
void statistics_book_sub(struct statistics_book *b, enum grip_kind kind, struct slice channel,
                         int change);
void statistics_book_count(struct statistics_book *b, const struct statistics_counts *c);

#endif
