/*
 * What one batch of turns wants to say on one link, held back until the commit behind it.
 *
 * Frames are appended to one buffer, in runs that belong to an actor (0: to nobody). After the
 * commit the runs of actors whose commit failed are dropped, then everything left moves to the
 * queue in one piece, the ACKs of finished events behind it, and leaves with as few writes as the
 * system allows. (An event whose commit failed is finished as well: it was logged, and would fail
 * again.) Bounds: a batch holds at most OUTBOX_BATCH_MAX; the host takes no more events while
 * OUTBOX_HIGH bytes wait in the queue, which therefore never holds more than both together.
 */
#ifndef HOST_OUTBOX_H
#define HOST_OUTBOX_H

#include "base/bytes.h"

enum {
    OUTBOX_HIGH = 8 << 20,
    OUTBOX_BATCH_MAX = 1 << 30,
};

struct outbox_run {
    uint32_t actor;
    size_t begin; /* in frames; it ends where the next one begins */
};

struct outbox {
    struct buf frames; /* of this batch */
    struct outbox_run *runs;
    size_t n_runs, cap_runs;
    uint64_t *acks; /* seqs of finished events */
    size_t n_acks, cap_acks;
    struct buf queue; /* committed, not yet written */
    size_t sent;      /* of queue */
};

void outbox_init(struct outbox *o);
void outbox_done(struct outbox *o);

/* Where to append the next frame of actor. Borrowed until the next call. */
struct buf *outbox_frame(struct outbox *o, uint32_t actor);
/* Event seq is finished. */
void outbox_ack(struct outbox *o, uint64_t seq);
/* Forgets what actor wrote in this batch. */
void outbox_drop(struct outbox *o, uint32_t actor);
/* Forgets the whole batch. */
void outbox_discard(struct outbox *o);
/* The batch is committed: what is left of it goes to the queue. */
void outbox_release(struct outbox *o);

/* Bytes in the queue. */
size_t outbox_pending(const struct outbox *o);
/* Writes what the socket takes now: bytes that still wait, or -ERR_RESET. */
int64_t outbox_write(struct outbox *o, int fd);

#endif
