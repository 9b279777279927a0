/*
 * A worker process for tests: host_run() in a fork, with one link, whose other end the test holds.
 *
 *   struct worker w;
 *   worker_start(&w, "return {default: {fetch() { return new Response('hi'); }}};", NULL);
 *   worker_request(&w, 1, "GET http://test/\n");
 *   worker_expect(&w, IPC_RESPONSE);
 *   worker_stop(&w);
 *
 * Anything unexpected (a timeout, the worker's death) fails the test.
 */
#ifndef TEST_LIB_WORKER_H
#define TEST_LIB_WORKER_H

#include <sys/types.h>

#include "host/host.h"
#include "wire/ipc.h"
#include "wire/pulse.h"

struct worker_options {
    const char *config; /* members of START.config beside the usual: "\"bindings\": […]" */
    const char *map;    /* a source map */
    enum sandbox_mode sandbox;
    const char *state_dir;
    uint32_t cpu_ms;
    uint64_t memory_bytes;
    uint64_t file_max; /* bytes of a file that it may write, 0: any: a disk that is full */
    bool silent;       /* no START: the test says it */
};

struct worker {
    int fd;
    pid_t pid;
    struct pulse *pulse;
    struct buf in;
    size_t used; /* of in: frames that were handed out */
    uint64_t seq;
    struct ipc_frame frame; /* the last one heard */
};

/* Starts it and says START. options may be NULL. Does not wait for READY. */
void worker_start(struct worker *w, const char *script, const struct worker_options *options);
/* The next frame, or NULL when the worker closed the link; valid until the next call. */
const struct ipc_frame *worker_hear(struct worker *w);
/* Skips frames until one of this type. */
const struct ipc_frame *worker_expect(struct worker *w, enum ipc_type type);
/* Sends what out holds, and empties it. */
void worker_say(struct worker *w, struct buf *out);
/* Answers the next RESTORE_WANT: no sockets. */
void worker_restore_none(struct worker *w);
/* An event: exchange id without a body. */
void worker_request(struct worker *w, uint64_t id, const char *head);
/* The response of a request whose body is text: status and body must be equal. */
void worker_expect_text(struct worker *w, unsigned status, const char *text);
/* The text of the next LOG line. */
void worker_expect_log(struct worker *w, const char *text);
/* Waits for the worker's end: its exit status, or minus the signal. */
int worker_end(struct worker *w);
/* Closes the link and expects that the worker ends by itself. */
void worker_stop(struct worker *w);

#endif
