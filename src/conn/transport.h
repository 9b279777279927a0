/*
 * A transport: how a parked client is spoken to. A hold owns one and knows only this door; each way
 * of holding (websocket.c) is one kind.
 *
 * Life: whoever makes a transport attaches its owner; transport_start() begins reading, so nothing
 * is lost or early. The last fact is closed() or failed(): no message comes after it. Only a
 * half-open transport can still send then, until gone(). The owner ends it with
 * transport_release(), at any time, once.
 */
#ifndef CONN_TRANSPORT_H
#define CONN_TRANSPORT_H

#include "base/bytes.h"
#include "base/err.h"

struct transport;

/* Facts for the owner. Each may call any verb of the transport, release included. */
struct transport_ops {
    /* One whole message; bytes are valid (and writable) until it returns. Text is valid UTF-8. */
    void (*message)(void *arg, struct span bytes, bool binary);
    /* After transport_send() queued more than half of the bound, or refused: the queue is empty
     * again. */
    void (*drained)(void *arg);
    /* The peer said Close (clean; code 1005 and no reason when its frame was empty), or the
     * connection was lost or timed out (code 1006, not clean). Last. A Close that had no answer yet
     * is answered with the same code and reason, unless half-open. */
    void (*closed)(void *arg, uint16_t code, bool clean, struct slice reason);
    /* The peer broke the protocol or passed a limit: a Close with err_close_code(err) is on its
     * way when it returns (but see websocket_be_patient()). Last, instead of closed(). */
    void (*failed)(void *arg, int err);
    /* After closed() on a half-open transport, or failed() with a patient owner: the connection
     * itself is gone, sends fail from now on. */
    void (*gone)(void *arg);
    /* The peer's Ping or Pong; told only when the owner asked for it (websocket_hear_controls). */
    void (*control)(void *arg, bool is_pong, struct slice bytes);
};

/* What is sent: made once, sent to one or to thousands; each kind keeps its encoding in it. Lives
 * on the caller's stack or longer; bytes must stay until payload_done(). */
struct payload {
    struct slice bytes;
    bool binary; /* else text, which the caller knows to be UTF-8 */
    /* Unmasked frames, each made by the first that needs it: [0] plain, the others deflated with a
     * window of 8 + i bits (or plain, too, when that is no longer). */
    struct blob *ws_frames[8];
};

/* Frees the encodings. */
static inline void payload_done(struct payload *p)
{
    for (size_t i = 0; i < COUNT_OF(p->ws_frames); i++)
        blob_unref(p->ws_frames[i]);
    memset(p->ws_frames, 0, sizeof(p->ws_frames));
}

struct transport_kind {
    int (*send)(struct transport *t, struct payload *p);
    int (*close)(struct transport *t, uint16_t code, struct slice reason);
    void (*read)(struct transport *t, bool on);
    size_t (*pending)(const struct transport *t);
    void (*release)(struct transport *t, bool at_once);
};

/* The first member of every kind. */
struct transport {
    const struct transport_kind *kind;
    const struct transport_ops *ops;
    void *arg;
};

/* Makes ops and arg the owner, instead of the one before. */
static inline void transport_attach(struct transport *t, const struct transport_ops *ops, void *arg)
{
    t->ops = ops;
    t->arg = arg;
}

/* Reading on (a transport begins paused) and off. Pausing takes effect at once, also inside
 * message(): what was received already is kept, and told after the next start. A Close or a lost
 * connection behind unread bytes is then told late, too. Idempotent. */
static inline void transport_start(struct transport *t)
{
    t->kind->read(t, true);
}

static inline void transport_pause(struct transport *t)
{
    t->kind->read(t, false);
}

/* Queues; leaves in this tick's flush. -ERR_SLOW_CONSUMER: as much as its bound waits for the
 * client already, nothing was queued (the owner decides: usually close(1013) and release).
 * -ERR_CLOSED: a Close was sent, or the connection is gone. */
static inline int transport_send(struct transport *t, struct payload *p)
{
    return t->kind->send(t, p);
}

/* Bytes queued and not yet taken by the system. */
static inline size_t transport_pending(const struct transport *t)
{
    return t->kind->pending(t);
}

/*
 * Says Close behind what was sent before; code 0 (or 1005): without a code. Reason: UTF-8, at most
 * 123 bytes. The peer's answer comes as closed(), within the closing time, messages may come until
 * then. After the peer's Close this is the answer to it. -ERR_CLOSED when it was said before,
 * -ERR_SYNTAX for a code that may not be sent (below 1000, 1004, 1006, 1015 up to 2999, above 4999)
 * or a bad reason.
 */
static inline int transport_close(struct transport *t, uint16_t code, struct slice reason)
{
    return t->kind->close(t, code, reason);
}

/* The owner lets go: no fact is told any more and t is invalid for it. What was queued, and a
 * closing handshake that has begun, are finished in the background within the closing time; when
 * neither side has said Close yet, the peer sees a lost connection (1006) after the queue. */
static inline void transport_release(struct transport *t)
{
    t->kind->release(t, false);
}

/* The same, now: the queue is dropped, the peer sees 1006. */
static inline void transport_terminate(struct transport *t)
{
    t->kind->release(t, true);
}

#endif
