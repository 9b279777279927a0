/*
 * A child process: started, watched and signalled from a loop.
 *
 * It gets exactly the descriptors that are named here (every other is close-on-exec or closed), a
 * clear signal mask and default signal actions.
 */
#ifndef IO_CHILD_H
#define IO_CHILD_H

#include <sys/types.h>

#include "base/err.h"
#include "io/loop.h"

struct child;

enum child_stdio {
    CHILD_INHERIT, /* stdout and stderr are ours */
    CHILD_NULL,    /* /dev/null */
    CHILD_CAPTURE, /* output() hears both */
};

struct child_options {
    const char *const *argv; /* argv[0]: a path (as seen from dir), or a name that PATH knows */
    const char *const *envp; /* NULL: ours */
    const char *dir;         /* working folder; NULL: ours */
    const int *fds;          /* become 3, 4, 5… in the child; ours stay open here */
    size_t n_fds;
    enum child_stdio stdio; /* stdin is always /dev/null */
    bool own_group; /* a process group of its own: the terminal's Ctrl-C does not reach it */
};

struct child_ops {
    /* Captured output, as it comes. fd: 1 or 2. NULL unless CHILD_CAPTURE. */
    void (*output)(void *arg, int fd, struct slice bytes);
    /* It is gone and reaped, all captured output was told before. status as of waitpid(). The owner
     * calls child_close() then, or here. */
    void (*exited)(void *arg, int status);
};

/* NULL with *note saying why (no such program, out of processes). Options are used in the call
 * only. */
struct child *child_open(struct loop *l, const struct child_options *o, const struct child_ops *ops,
                         void *arg, struct err_note *note);
pid_t child_pid(const struct child *c);
/* Sends a signal; nothing when it is gone already. */
void child_signal(struct child *c, int number);
/* The owner lets go: ops are not called again. A process that still runs is killed (SIGKILL) and
 * reaped in the background. NULL is nothing. */
void child_close(struct child *c);
/* The same, but waits until a killed process is gone (it takes what its memory takes to be given
 * back): for the end of a loop, which does not watch any more. */
void child_end(struct child *c);
/* "exited with status 3", "was killed by signal 9 (Killed)": written into ret and returned. */
const char *child_status_text(int status, char ret[64]);

/* A pair of connected Unix stream sockets, non-blocking and close-on-exec, with room for `buffer`
 * bytes each way (0: the system's default). -ERR_OS with errno. */
int child_socketpair(int ret_fds[2], int buffer);
/* CPU time that a process has used, user and system, in ms; -1 when it is gone. */
int64_t child_cpu_ms(pid_t pid);
/* Its resident memory in bytes; -1 when it is gone. */
int64_t child_memory(pid_t pid);

#endif
