/* What the files of this folder share. */
#ifndef IO_IO_INT_H
#define IO_IO_INT_H

#include <stdatomic.h>

#include "io/loop.h"
#include "io/mailbox.h"

/* Newest first; taken whole and turned round by the loop. */
struct mailbox {
    _Atomic(struct mail *) newest;
};

struct mailbox *loop__mailbox(struct loop *l);
/* From any thread: a loop that sleeps in poll comes back. */
void loop__wake(struct loop *l);
/* Its thread will have a file table of its own: loop_give() works across. -ERR_OS with errno. */
int loop__open_handover(struct loop *l);
/* What the loop itself has open; -1: nothing there. */
enum { LOOP_EPOLL_FD, LOOP_WAKE_FD, LOOP_GIVE_FD, LOOP_TAKE_FD, LOOP_DESCRIPTORS };
void loop__descriptors(const struct loop *l, int ret[LOOP_DESCRIPTORS]);
/* For loop_queued(). */
void loop__queue(struct loop *l, int64_t difference);

bool mailbox__is_empty(struct mailbox *b);
/* Delivers what is there now, in order. */
void mailbox__deliver(struct mailbox *b);

/* -ERR_RESET for what a peer or the network did, -ERR_TLS for EPROTO, -ERR_OS for the rest. */
int io__error(int os_errno);

#endif
