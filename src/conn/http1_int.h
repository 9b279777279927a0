/*
 * One HTTP/1.1 connection, and the exchange on it. http1_server.c reads requests and keeps the
 * connection's state; exchange.c writes responses.
 *
 *            first byte          head              response over, body over
 *   IDLE ───────────────► HEAD ───────► EXCHANGE ───────────────────────────► IDLE
 *    │                     │                │ response over, body not: DROP ─────┘
 *    └─────────────────────┴────────────────┴──► LINGER ──► (doomed)
 *
 * DROP reads what is left of a body that nobody wants. LINGER has queued its last byte and
 * half-closed behind it, drops what comes and waits for the peer's end: to close with unread bytes
 * would be a reset, which can overtake the answer.
 */
#ifndef CONN_HTTP1_INT_H
#define CONN_HTTP1_INT_H

#include "base/list.h"
#include "conn/exchange.h"
#include "conn/http1_server.h"
#include "io/loop.h"
#include "io/stream.h"
#include "wire/http1.h"

enum { HEAD_MAX = 256 * 1024 }; /* bytes of a head that we write */

struct http1_server {
    struct loop *loop;
    struct http1_options options; /* defaults filled in */
    struct http1_limits limits;
    const struct http1_server_ops *ops;
    void *arg;
    struct http1_stats stats;
    struct list connections;
    struct timer sweep; /* set while there are connections */
    struct buf scratch; /* heads are written here, then copied to the queue in their size */
    bool is_draining;
    bool is_closed;
    struct http1_head head; /* of the request that is being read */
};

enum connection_state { IDLE, HEAD, EXCHANGE, DROP, LINGER };

struct connection {
    struct list link; /* in the server's */
    struct http1_server *server;
    struct stream *stream;     /* NULL: doomed, or a websocket's now */
    struct exchange *exchange; /* in EXCHANGE */
    struct http1_decoder decoder;
    char *peer;      /* exchange_peer(), once somebody asked */
    struct buf kept; /* bytes read and not yet decoded: from kept_at on */
    size_t kept_at;
    struct slice *decoding; /* what is left of the input while it is decoded, else NULL */
    int64_t since_ms;       /* beginning of the state, or its last progress */
    uint32_t drop_left;     /* in DROP */
    uint8_t state;
    bool is_posted; /* a task will decode what is kept */
    bool has_ended; /* the client has half-closed */
    bool is_ending; /* … behind bytes that are not read yet */
};

/* The request as the layer above sees it, and the text its slices stand in. */
struct kept_request {
    struct exchange_request request;
    struct slice key; /* Sec-WebSocket-Key, when request.upgrade */
    struct exchange_field fields[];
};

/* The beginning of a body that was given back. */
struct unread {
    struct buf bytes;
    size_t granted;
    bool has_end;
    bool is_posted;
};

struct exchange {
    struct connection *connection; /* NULL: over */
    const struct exchange_ops *ops;
    void *arg;
    struct kept_request *kept; /* NULL: parked */
    struct unread *unread;     /* NULL: nothing of the body was given back, or all is told again */
    uint64_t credit;           /* request body bytes that were pulled and have not come */
    uint64_t left;             /* of a response body of known length */
    uint64_t sent;             /* bytes of the response's body */
    int64_t began_ms;
    size_t untold;       /* response body bytes queued that taken() has not told */
    uint32_t comment_ms; /* exchange_response.comment_ms; 0 where no byte may be added */
    uint16_t status;     /* of the response; 0: none yet */
    bool is_whole;       /* nothing of it is missing */
    bool has_body_ended; /* of the request */
    bool wants_continue; /* the client waits for 100 */
    bool is_responded;
    bool is_bodiless; /* the response's body is swallowed */
    bool is_chunked;
    bool is_close_framed; /* the end of the connection is the end of the body */
    bool is_last;         /* no request is taken after this one */
    bool is_taken_posted;
    bool is_head;     /* the request's method */
    bool is_mid_line; /* the response's body does not end with a line break */
    uint8_t minor;
};

/* The response is over: the connection goes on, or lingers. The exchange is not its any more. */
void connection__responded(struct connection *c);
/* The stream is doomed: what is queued is dropped. */
void connection__cut(struct connection *c);
/* Half-closes behind what is queued, then waits for the peer's end. */
void connection__linger(struct connection *c);
/* The stream is the caller's now. ret_early: bytes read behind the request, good for this tick. */
struct stream *connection__take_stream(struct connection *c, struct slice *ret_early);
/* Something changed above: decodes (later, never from in here) what is kept, reads or pauses. */
void connection__go_on(struct connection *c);
/* Progress: the timeouts begin anew. */
void connection__touch(struct connection *c);

/* An exchange for a head, whose slices are copied. key: empty, or of a request for a WebSocket. */
struct exchange *exchange__new(struct connection *c, const struct http1_head *head,
                               struct slice key);
/* Tells the server's owner that it is over, before its stream goes. */
void exchange__account(const struct exchange *x);
/* The connection broke, which was told with exchange__account(): the owner hears closed(). */
void exchange__closed(struct exchange *x, int err);
/* A flush wrote something, `pending` bytes wait. */
void exchange__sent(struct exchange *x, size_t pending);
/* The response has been silent for so long: perhaps it gets a comment. */
void exchange__silent(struct exchange *x, int64_t ms);
/* Queues the answer to a request that cannot be taken: text/plain, Connection: close. */
void exchange__refuse(struct connection *c, int err);

#endif
