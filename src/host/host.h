/*
 * The worker process: frames in, turns run, in order; effects leave after the commit.
 *
 *   link ──frame──► turn (hook, microtasks) ──┐ frames, ACKs into the outbox, writes into databases
 *   link ──frame──► turn ─────────────────────┤
 *   (all that one read brought)               ▼
 *                            settle ─► commit ─► one write
 *
 * A process runs one application for one gateway. It ends when the gateway goes away, when it was
 * told to drain, when the application cannot run, or by its limits.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/bytes.h"
#include "host/sandbox.h"

/* What main has read from its arguments. All borrowed. */
struct host_options {
    const char *app;
    const char *state_dir; /* absolute, exists; "" when there is none */
    unsigned links; /* descriptors first_fd … first_fd + links - 1; then the pulse page's */
    int first_fd;
    enum sandbox_mode sandbox;
    uint32_t cpu_ms;       /* CPU time of a turn, 0: no limit */
    uint64_t memory_bytes; /* resident, 0: no limit */
};

enum { HOST_EXIT_OK = 0, HOST_EXIT_FAILED = 1 };

/* Runs until the process has to end; returns its exit code. */
int host_run(const struct host_options *o);

#endif
