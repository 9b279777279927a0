/*
 * One worker process: its links, the page that it shares with us (wire/pulse.h), and what it may
 * use of the machine. When one is started, serves and leaves is for the fleet to decide.
 */
#ifndef EDGE_WORKER_H
#define EDGE_WORKER_H

#include "io/child.h"

struct app_config;
struct app_limits;

/* Zero is empty. */
struct worker {
    struct child *child;
    struct pulse *pulse;
    /* The turn that was seen last. */
    uint64_t turn;
    int64_t turn_cpu_ms;
    int64_t turn_since_ms;
};

/* Starts the process of that application, with so many links; ret_links are our ends of them.
 * ops->exited(arg, status) tells its end. -ERR_OS with the note; then it is only to be done. */
int worker_start(struct worker *w, struct loop *loop, const struct app_config *c, unsigned links,
                 int *ret_links, const struct child_ops *ops, void *arg, struct err_note *note);
/* A process that lives is killed, and nothing is told of it. */
void worker_done(struct worker *w);

/* The event whose turn runs, or ran when it died; 0: none that is known. */
uint64_t worker_event(const struct worker *w);
/* The newest event of that link that has begun. */
uint64_t worker_begun(const struct worker *w, unsigned link);
/* Which limit it is over now (ERR_WORKER_CPU, ERR_WORKER_MEMORY), or 0. To be asked again and
 * again: it compares with what it saw the last time. */
int worker_excess(struct worker *w, const struct app_limits *l, int64_t now);

#endif
