/*
 * The answer of an origin to a client's opening handshake, kept while its body comes: a refusal is
 * relayed to the client, an acceptance becomes its 101. What woh.c and ws_origin.c have in common.
 */
#ifndef EDGE_HANDSHAKE_H
#define EDGE_HANDSHAKE_H

#include "base/bytes.h"

struct app;
struct backend_ops;
struct exchange;
struct hold;
struct upstream_response;
struct websocket_options;

/* Zeroed is none. */
struct handshake {
    uint16_t status;
    struct buf reason;
    struct buf head;
    struct buf extension;    /* its Sec-WebSocket-Extensions, joined by commas */
    struct buf body;         /* the owner sets its max */
    const char *const *subs; /* of the target: as long as its route */
};

/* Copies what is not the body. */
void handshake_keep(struct handshake *h, const struct upstream_response *r);
void handshake_done(struct handshake *h);

/* Answers with status, fields and body as they are. x may be NULL: the client has gone. A status
 * or field that cannot be sent is a 502. */
void handshake_refuse(const struct handshake *h, struct exchange *x);
/* Answers 502: text with debug, else Pushpin's line. x may be NULL. */
void handshake_fail(struct exchange *x, bool debug, struct slice text);

/* Says 101 with the answer's fields (shows_extension: and its Sec-WebSocket-Extensions, which the
 * client offered itself), and makes a hold of the client that is read from the next tick on. NULL,
 * and x is still there: a field cannot be sent, or there is no room. */
struct hold *handshake_accept(const struct handshake *h, struct app *a, struct exchange *x,
                              const struct websocket_options *o, bool shows_extension,
                              const struct backend_ops *backend, void *owner);

#endif
