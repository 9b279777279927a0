/*
 * The worker's end of one link: frames in, the outbox out.
 *
 * One read brings as many frames as fit; they are handed up one after the other, and what they
 * cause leaves together (host.c). A frame that has not come whole waits in the buffer. While
 * OUTBOX_HIGH bytes wait to be written, nothing is read.
 */
#ifndef HOST_ENDPOINT_H
#define HOST_ENDPOINT_H

#include "host/outbox.h"
#include "io/loop.h"
#include "wire/ipc.h"

struct endpoint;

struct endpoint_ops {
    /* A frame, valid until it returns; later ones of the same read follow. */
    void (*frame)(struct endpoint *e, const struct ipc_frame *frame);
    /* A read is over: its frames were all handed up. */
    void (*batch)(struct endpoint *e);
    /* The gateway is gone (-ERR_RESET) or sent nonsense (-ERR_IPC_FRAME). The last call. */
    void (*lost)(struct endpoint *e, int err);
};

struct endpoint {
    const struct endpoint_ops *ops;
    void *arg;
    struct loop *loop;
    struct watch watch;
    unsigned link;
    uint64_t last_seq; /* the last event that came */
    uint64_t idle_seq; /* that of the last IDLE */
    bool said_idle;    /* there was one */
    struct outbox out;
    struct buf in;
    size_t need;  /* bytes of the frame that is not whole yet; 0: unknown */
    bool reading; /* a read is due in this tick or the next */
    bool blocked; /* the socket is full, and watched for room */
    bool hung_up; /* the gateway has gone: it is read until that shows */
    bool lost;
};

/* Takes the socket fd of link number `link`. -ERR_OS when it cannot be watched. */
int endpoint_open(struct endpoint *e, struct loop *loop, int fd, unsigned link,
                  const struct endpoint_ops *ops, void *arg);
void endpoint_close(struct endpoint *e);
/* Writes the released outbox as far as the socket takes it; the rest follows by itself. */
void endpoint_flush(struct endpoint *e);

#endif
