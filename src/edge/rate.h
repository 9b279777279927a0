/*
 * A rate: so many deliveries a second, for all subscribers of the routes with one id. What is too
 * much waits, in order, up to a mark; what comes beyond it is dropped.
 *
 * Deliveries are counted in windows of RATE_WINDOW_MS. One of a larger weight than is left in the
 * window is let through and owed to the next ones.
 */
#ifndef EDGE_RATE_H
#define EDGE_RATE_H

#include "base/list.h"

struct loop;
struct rate;

enum { RATE_WINDOW_MS = 25 };

/* Something that waits for its turn; the owner's. */
struct paced {
    struct list in_rate;
    uint32_t weight;
};

/* per_second is not 0. hwm: weight that may wait. due() is told on the loop, and owns p then; it
 * may call any verb. */
struct rate *rate_new(struct loop *loop, uint32_t per_second, uint32_t hwm,
                      void (*due)(struct paced *p));
/* What waits is told to nobody, its memory is its owner's to free before. NULL is nothing. */
void rate_free(struct rate *r);

/* True: now. False: it has to wait, its caller makes a struct paced for it. */
bool rate_take(struct rate *r, uint32_t weight);
/* -ERR_OVERLOADED: too much waits, nothing was done. */
int rate_wait(struct rate *r, struct paced *p);
/* It does not wait any more. */
void rate_cancel(struct rate *r, struct paced *p);
/* The weight that waits. */
uint32_t rate_waiting(const struct rate *r);

#endif
