/*
 * The sandbox: the last act before user code. What a worker may do afterwards: read and write its
 * links, its pulse page and files below its state folder; compute; start threads. Nothing else: no
 * other file, no new socket, no other process, no more privileges.
 *
 * Two steps, because namespaces and Landlock must come before the engine starts its threads, while
 * the engine reads files (libraries, /proc) when it starts:
 *
 *   sandbox_enter   user, mount, network, IPC and UTS namespaces; no_new_privs; rlimits; Landlock
 *   sandbox_seal    seccomp on all threads
 */
#ifndef HOST_SANDBOX_H
#define HOST_SANDBOX_H

#include "base/bytes.h"
#include "base/err.h"

enum sandbox_mode {
    SANDBOX_AUTO,   /* apply what the system permits, say what it does not */
    SANDBOX_STRICT, /* refuse to run when a part cannot be applied */
    SANDBOX_OFF,    /* for debuggers and sanitizers */
};

/* What could not be applied, "network namespace: Operation not permitted; …"; empty: all was. */
struct sandbox_gaps {
    char text[512];
};

/*
 * state_dir may be "". Both return 0, or, in strict mode only, -ERR_DENIED with a note that names
 * what could not be applied; in auto mode that is added to *gaps.
 */
int sandbox_enter(enum sandbox_mode mode, const char *state_dir, struct sandbox_gaps *gaps,
                  struct err_note *note);
int sandbox_seal(enum sandbox_mode mode, struct sandbox_gaps *gaps, struct err_note *note);

#endif
