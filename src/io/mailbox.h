/*
 * Mails: how threads speak. Every loop has one mailbox; anybody may post, the loop delivers in its
 * mailbox phase, in the order of posting (for one sender). Lock-free; the loop is woken once for a
 * batch.
 */
#ifndef IO_MAILBOX_H
#define IO_MAILBOX_H

#include "io/loop.h"

/* Embedded in the sender's heap struct; deliver runs on the receiving loop and owns it then. */
struct mail {
    struct mail *next;
    void (*deliver)(struct mail *m);
};

/* From any thread, also from a signal handler. The loop must outlive the call. Mails that were
 * posted before loop_free() are delivered by it at the latest. */
void mailbox_post(struct loop *l, struct mail *take_m);

#endif
