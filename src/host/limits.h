/*
 * Limits that end this process: CPU time of one turn, resident memory of all.
 *
 * A timer of the JavaScript thread's CPU time interrupts it every few milliseconds that it works
 * (never while it is idle); the handler looks at the pulse page and at /proc/self/statm. It catches
 * what the engine's own limit cannot, loops inside native code; and an allocating loop, before the
 * system does. The end: EXITING with a clear text on the first link, then _exit.
 */
#ifndef HOST_LIMITS_H
#define HOST_LIMITS_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/pulse.h"

struct limits {
    const struct pulse *pulse;
    int fd;                /* of the first link */
    uint32_t turn_cpu_ms;  /* 0: none */
    uint32_t grace_ms;     /* so much later, for what the engine ends more gently */
    uint64_t memory_bytes; /* resident; 0: none */
};

/* Before the sandbox (it opens a file of /proc) and on the thread of the turns. One per process: a
 * signal handler has no other place. The struct is copied. */
int limits_start(const struct limits *l, struct err_note *note);

/* No limits from now on: the pulse page is about to go. Safe when they were never started. */
void limits_stop(void);

/* Resident bytes of this process; 0 before limits_start. */
uint64_t limits_memory(void);

/* "an event used more than 300 ms of CPU time"; of ERR_WORKER_CPU and ERR_WORKER_MEMORY. Static. */
const char *limits_text(int err);

/* Says EXITING(err) on the first link and ends the process. Callable in a signal handler. */
_Noreturn void limits_exit(int err);

#endif
