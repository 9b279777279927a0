/*
 * An exchange: one HTTP request and its response, as the layer above sees it.
 *
 * It begins with http1_server_ops.request() and ends with one of:
 *   - the response was written whole, after exchange_end() (finished() is not told: the layer above
 *     knows; the exchange is invalid for it when the verb returns);
 *   - closed(): the client is gone, or its request broke; nothing can be sent any more;
 *   - exchange_upgrade(): the connection became a websocket.
 * After it, the pointer is invalid. Every verb below says whether it ends the exchange.
 *
 * Bodies flow both ways under the reader's pace. Request: exchange_pull() grants bytes, body()
 * brings them; what is not granted stays in the kernel. Response: what is sent waits in a bounded
 * queue; taken() tells how much of it has left.
 *
 * What is added or refused here: Date; Connection and Keep-Alive; Content-Length or chunks as the
 * body and the client's version want it; no body for HEAD, 204, 304; 100 Continue at the first
 * pull; the hop-by-hop fields of the layer above (Connection, Keep-Alive, Transfer-Encoding,
 * Content-Length, Upgrade, Trailer, TE, Proxy-Connection) are dropped.
 */
#ifndef CONN_EXCHANGE_H
#define CONN_EXCHANGE_H

#include "base/bytes.h"
#include "base/err.h"

struct exchange;
struct stream;
struct transport;
struct websocket_options;

/* --- the request --- */

enum exchange_body {
    EXCHANGE_BODY_NONE,
    EXCHANGE_BODY_LENGTH, /* exactly `length` bytes */
    EXCHANGE_BODY_STREAM, /* unknown length */
};

struct exchange_field {
    struct slice name;  /* as received */
    struct slice value; /* without spaces around it */
};

/* Valid as long as the exchange, or until it is parked. */
struct exchange_request {
    struct slice method;
    struct slice target; /* as received: "/path?query", "http://host/path" or "*" */
    struct slice path;   /* with query; "/" for an absolute target without one, empty for "*" */
    struct slice host;   /* of an absolute target or of Host; empty in HTTP/1.0 without it */
    const struct exchange_field *fields;
    size_t n_fields;
    uint64_t length;
    enum exchange_body body;
    uint8_t minor;           /* HTTP/1.minor: 0 or 1 */
    const char *tls_version; /* "TLSv1.3"; NULL when the connection is not encrypted */
    const char *tls_cipher;
    bool upgrade; /* asks for a WebSocket, and well: exchange_upgrade() will work */
};

const struct exchange_request *exchange_request(const struct exchange *x);
/* The value of the first field of that name (any case); NULL when there is none. */
const struct slice *exchange_find(const struct exchange *x, struct slice name);
/* The response will take long: what is known of the request is freed (unless the server's owner
 * wants an account of it, http1_server_ops.over). exchange_request(), _find() and _upgrade() must
 * not be used any more. */
void exchange_park(struct exchange *x);
/* Borrowed. */
struct stream *exchange_stream(const struct exchange *x);
/* The address of the connection's other end as stream_peer() says it, empty when it has none;
 * borrowed until the exchange is over or parked. */
struct slice exchange_peer(const struct exchange *x);

/* What became of it, for http1_server_ops.over(). */
struct exchange_account {
    uint16_t status; /* of the response; 101: it became a WebSocket; 0: none was begun */
    bool is_whole;   /* the response was given whole; else the client left, or it was cut */
    uint64_t bytes;  /* of the response's body, framing not counted */
    int64_t ms;      /* since the head of the request was read */
};
struct exchange_account exchange_account(const struct exchange *x);

/* --- facts --- */

/* All may call any verb. body and taken may be NULL: nobody wants to know. */
struct exchange_ops {
    /* A piece of the request body that was pulled; bytes may be empty when end is set. end: the
     * last. A request without a body has no body() at all. */
    void (*body)(void *arg, struct slice bytes, bool end);
    /* n more bytes of what was sent have left for the client (framing not counted). */
    void (*taken)(void *arg, size_t n);
    /* The exchange is over and invalid: client gone (-ERR_RESET, -ERR_TIMEOUT) or its body broke
     * the protocol (-ERR_HTTP_CHUNK, -ERR_HTTP_BODY_LARGE…; the client was answered). */
    void (*closed)(void *arg, int err);
};

/* Makes ops and arg the owner. Do it before request() returns, or end the exchange there. */
void exchange_attach(struct exchange *x, const struct exchange_ops *ops, void *arg);

/* Grants n more bytes of the request body; body() is called later, never from in here. A body that
 * is never pulled: what is left of it is read and dropped after the response when it is small
 * (http1_options.drop_bytes), else the connection closes with it. */
void exchange_pull(struct exchange *x, size_t n);
/* The owner that had these first bytes of the body, all that were told (end: with the last), gives
 * them back: another one is about to attach, and hears the body from its beginning. What was pulled
 * and has not come is no longer granted. Once for an exchange, before its response. */
void exchange_unread(struct exchange *x, struct slice bytes, bool end);

/* --- the response --- */

struct exchange_response {
    uint16_t status;     /* 200 … 599 */
    struct slice reason; /* empty: the usual one */
    struct slice fields; /* "name: value\n" a field, Latin-1 */
    enum exchange_body body;
    uint64_t length;
    /* A body of text/event-stream that is silent for so long gets a comment, which clients pass
     * over: nobody on the way takes it for dead, and a client that is gone is noticed. 0: never. */
    uint32_t comment_ms;
};

/* Queues the head. -ERR_HTTP_NAME, -ERR_HTTP_VALUE: a field cannot be sent (control characters,
 * not a token), -ERR_SYNTAX: bad status or reason; nothing was sent then. With EXCHANGE_BODY_NONE
 * the exchange still needs its exchange_end(). */
int exchange_respond(struct exchange *x, const struct exchange_response *r);
/* Queues a copy of body bytes after exchange_respond(). Swallowed when the response can have no
 * body (HEAD, 204, 304). -ERR_SLOW_CONSUMER over out_bytes, nothing queued; -ERR_HTTP_FRAMING more
 * than the length that was promised. */
int exchange_send(struct exchange *x, struct slice bytes);
/* The same without the copy; takes the reference also on failure. */
int exchange_push(struct exchange *x, struct blob *take_b);
/* The same for bytes that many exchanges get: *chunked (the caller's, NULL at first) is their form
 * in a chunk, made once by the first exchange that needs it. Takes no reference of either. */
int exchange_share(struct exchange *x, struct blob *bytes, struct blob **chunked);
/* Bytes of the response that wait for the client. */
size_t exchange_pending(const struct exchange *x);
/* The body is complete. Ends the exchange. Fewer bytes than promised: as exchange_abort(). */
void exchange_end(struct exchange *x);
/* The response cannot be finished: the connection is cut so that the client notices. Before
 * exchange_respond(): just cut. Ends the exchange. */
void exchange_abort(struct exchange *x);
/* Answers with a short text/plain body and ends the exchange (as exchange_abort() when a head was
 * sent already). The connection stays usable where the framing allows. text empty: err_text(err).
 */
void exchange_fail(struct exchange *x, int err, struct slice text);
/* The same with a status and text of the caller's. */
void exchange_answer(struct exchange *x, uint16_t status, struct slice content_type,
                     struct slice body);

/*
 * Says 101 with Sec-WebSocket-Accept and the given fields (as above; Sec-WebSocket-Protocol,
 * Set-Cookie…), agrees on permessage-deflate when the client offers it and *o permits it, and turns
 * the connection into a websocket, paused and without owner. A
 * Sec-WebSocket-Extensions among the fields says what may be agreed on (deflate_wish); an empty or
 * unknown one declines. Ends the
 * exchange, and the HTTP side of the connection is freed. Only when the request has `upgrade`, and
 * before exchange_respond(). NULL, and nothing changed, when a field cannot be sent. o must outlive
 * it.
 */
struct transport *exchange_upgrade(struct exchange *x, struct slice fields,
                                   const struct websocket_options *o);
/* The same, but the answer's Sec-WebSocket-Extensions is this: what the layer above has agreed on
 * with a client that offered it. permessage-deflate is not agreed on. */
struct transport *exchange_upgrade_with(struct exchange *x, struct slice fields,
                                        struct slice extensions, const struct websocket_options *o);

#endif
