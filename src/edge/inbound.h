/*
 * An inbound: a request that an application's worker answers. Between a reply (a client's exchange,
 * or another application's fetch) and the frames REQUEST, RESPONSE, BODY, CREDIT, CANCEL, FAIL.
 *
 *   the request's body   read from the client only as far as the worker gave credit; it begins with
 *                        IPC_BODY_WINDOW once the REQUEST has left
 *   the response's body  at most IPC_BODY_WINDOW waits for the client; CREDIT says what it took
 *
 * A worker may hand the request off to a route of the application's origin instead: the reply goes
 * there, with the body from its beginning (handoff.h).
 *
 * It lives in the edge's slots (the id of its frames) until the response is complete or one side
 * has gone.
 */
#ifndef EDGE_INBOUND_H
#define EDGE_INBOUND_H

#include "base/list.h"
#include "edge/reply.h"
#include "edge/slots.h"
#include "wire/ipc.h"

struct app;
struct edge;
struct link;

struct inbound {
    struct slot slot;
    struct app *app;
    struct list in_app;
    struct reply reply;
    uint64_t seq; /* of its REQUEST */
    int64_t began_us;
    uint64_t hold;    /* PENDING, when an upgrade was asked for; 0 */
    uint32_t owed;    /* of the request's body: bytes given to the worker that it did not credit */
    uint32_t window;  /* of the response's body: what the worker may still send */
    uint32_t unpaid;  /* of the response's body: taken by the client and not credited yet */
    struct buf *kept; /* what the worker was given of the request's body, for a handoff; NULL: none,
                         or it took more than a window */
    bool is_secure;   /* the client speaks TLS */
    bool has_body;    /* the request */
    bool body_done;   /* the request's body was given whole */
    bool responded;   /* a response head went to the reply */
};

/*
 * Queues the REQUEST; from now on the reply is the inbound's. peer: the address of the client, may
 * be empty; is_secure: it speaks TLS. Answers at once when the application cannot run (500) or
 * too much waits (503).
 */
void inbound_open(struct app *a, const struct exchange_request *request, struct reply take_reply,
                  struct slice peer, bool is_secure);
/* The REQUEST has gone over a link: its body may follow. */
void inbound_sent(struct inbound *in);
struct inbound *inbound_find(const struct edge *e, uint64_t id);

/*
 * The worker that was given the request is gone. True: it had not begun with it and can be given to
 * another. False: it was answered with why (a row of errors.def; 0: restart), and freed.
 */
bool inbound_survives(struct inbound *in, bool begun, int why);
/* Answers with status and text, or cuts when a response has begun; frees it. */
void inbound_refuse(struct inbound *in, uint16_t status, struct slice text);

/* Frames. 0, or the value of link_bad(). */
int inbound_response(struct link *l, const struct ipc_frame *f, const struct ipc_response *m);
int inbound_handoff(struct link *l, const struct ipc_frame *f, const struct ipc_handoff *m);
int inbound_fail(struct link *l, const struct ipc_frame *f, const struct ipc_fail *m);
int inbound_body(struct link *l, const struct ipc_frame *f, const struct ipc_body *m);
int inbound_body_abort(struct link *l, const struct ipc_frame *f, const struct ipc_body_abort *m);
int inbound_credit(struct link *l, const struct ipc_frame *f, const struct ipc_credit *m);
int inbound_cancel(struct link *l, const struct ipc_frame *f, const struct ipc_cancel *m);

#endif
