/*
 * The WebSocket transport (RFC 6455), server and client side, over a stream.
 *
 * Pings are answered here (at most one pong waits, the newest: 5.5.3), fragments joined within
 * message_bytes, text checked. An unfragmented message that lies whole in the read buffer is handed
 * up from there, without a copy. An idle websocket is 64 bytes beside its stream.
 */
#ifndef CONN_WEBSOCKET_H
#define CONN_WEBSOCKET_H

#include "conn/transport.h"

struct list;
struct stream;
struct websocket;

/* Shared by all websockets of an application, must outlive them. 0 means the default in brackets.
 */
struct websocket_options {
    uint32_t message_bytes; /* one message, fragments joined [32 MiB] */
    uint32_t out_bytes;     /* queue of one client [4 MiB] */
    uint32_t close_ms;      /* for the peer's answer to Close, and to read our last bytes [10 s] */
    /* An initialised head, or NULL: here stand those that were released and are not gone yet. */
    struct list *released;
};

/*
 * Takes a stream whose opening handshake is over (its bound is set to out_bytes), and `early`:
 * bytes that were read behind the handshake already (copied). client: we mask, the peer must not.
 * Reading begins with transport_start(). Never NULL.
 */
struct transport *websocket_open(struct stream *take_stream, bool client, struct slice early,
                                 const struct websocket_options *o);

/* Ends what was released and still says goodbye, at once: before its options or its loop go. */
void websocket_cut(struct list *released);

/* The peer's Close is not answered by itself: closed() is told, sending goes on until our Close. */
void websocket_half_open(struct transport *t, bool on);
/* A ping of our own, at most 125 bytes; its pong is swallowed. */
int websocket_ping(struct transport *t, struct slice bytes);
/* The underlying stream, for its peer's address. Borrowed. */
struct stream *websocket_stream(const struct transport *t);

#endif
