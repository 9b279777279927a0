/*
 * The WebSocket transport (RFC 6455), server and client side, over a stream.
 *
 * Pings are answered here (at most one pong waits, the newest: 5.5.3), fragments joined within
 * message_bytes, text checked. An unfragmented message that lies whole in the read buffer is handed
 * up from there, without a copy. An idle websocket is 72 bytes beside its stream and 8 in its pool,
 * compressed or not, unless it keeps windows of its own (context takeover).
 */
#ifndef CONN_WEBSOCKET_H
#define CONN_WEBSOCKET_H

#include "conn/transport.h"
#include "wire/deflate.h"

struct list;
struct loop;
struct stream;
struct websocket;
struct websocket_pool;

/* Shared by all websockets of an application, outlives them. 0 means the default in brackets. */
struct websocket_options {
    uint32_t message_bytes; /* one message, fragments joined and expanded [32 MiB] */
    uint32_t out_bytes;     /* what may wait for one client before a message [4 MiB] */
    uint32_t close_ms;      /* for the peer's answer to Close, and to read our last bytes [10 s] */
    /* An initialised head, or NULL: here stand those that were released and are not gone yet. */
    struct list *released;
    struct websocket_pool *pool;   /* of their loop; without it no pings and no compression */
    uint32_t ping_ms;              /* a peer that was silent for so long is pinged [never] */
    uint32_t pong_ms;              /* and given up when it stays silent for so long [20 s] */
    struct deflate_policy deflate; /* what may be agreed on; bits 0: nothing */
    uint8_t deflate_level;         /* zlib's, 1 … 9 [4] */
    uint32_t deflate_bytes;        /* a shorter message is sent as it is [1024] */
};

static inline uint32_t websocket_pong_ms(const struct websocket_options *o)
{
    return o->pong_ms ? o->pong_ms : 20000;
}

/*
 * What the websockets of one loop share: a compressor and an expander (about 300 KiB, when first
 * used) for all connections without context takeover, and the round in which silent peers are
 * found, without a timer a connection. A peer counts as alive when bytes of it come, or when its
 * full queue moves; one that we do not read is not judged. A peer that is given up is closed()
 * with 1006.
 */
struct websocket_pool_stats {
    uint64_t pings;    /* sent by the round */
    uint64_t silent;   /* peers given up */
    uint64_t deflated; /* messages, each once however many receive it */
    uint64_t inflated;
};

struct websocket_pool *websocket_pool_new(struct loop *loop);
/* Websockets that are still there say nothing more. NULL is nothing. */
void websocket_pool_free(struct websocket_pool *p);
const struct websocket_pool_stats *websocket_pool_stats(const struct websocket_pool *p);

/* One of the newest websockets whose owner has these ops and that nobody has closed; NULL when
 * there is none among the last few thousand. */
struct transport *websocket_pool_newest(const struct websocket_pool *p,
                                        const struct transport_ops *ops);

/* What may be agreed on in an opening handshake; NULL: permessage-deflate is not for these. */
const struct deflate_policy *websocket_policy(const struct websocket_options *o);

/*
 * Takes a stream whose opening handshake is over (its bound is out_bytes from now on), and `early`:
 * bytes that were read behind the handshake already (copied). client: we mask, the peer must not.
 * Reading begins with transport_start(). Never NULL.
 */
struct transport *websocket_open(struct stream *take_stream, bool client, struct slice early,
                                 const struct websocket_options *o);

/* Ends what was released and still says goodbye, at once: before its options or its loop go. */
void websocket_cut(struct list *released);

/* The opening handshake agreed on permessage-deflate. At once after websocket_open(), whose options
 * have a policy. */
void websocket_agree(struct transport *t, const struct deflate_terms *terms);
/* Within failed(): the Close that says why is not said before the owner's own transport_close() or
 * release, so that answers to what came before can still go; nothing is read meanwhile. It has the
 * closing time for that. */
void websocket_be_patient(struct transport *t);
/* The peer's Close is not answered by itself: closed() is told, sending goes on until our Close. */
void websocket_half_open(struct transport *t, bool on);
/* The peer's Pings and Pongs are told (transport_ops.control), but for the answer to the pool's own
 * ping. answer: Pings are answered here nevertheless. */
void websocket_hear_controls(struct transport *t, bool answer);
/* Queues a Ping or Pong of at most 125 bytes. The peer's pong is swallowed unless controls are
 * heard. -ERR_WS_CONTROL: too long; others as transport_send(). */
int websocket_ping(struct transport *t, struct slice bytes);
int websocket_pong(struct transport *t, struct slice bytes);
/* drained() is told when the queue is empty the next time, however little is in it. */
void websocket_want_drained(struct transport *t);
/* The underlying stream, for its peer's address. Borrowed. */
struct stream *websocket_stream(const struct transport *t);

#endif
