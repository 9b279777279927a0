/*
 * The server side of HTTP/1.1 (RFC 9112): takes streams, hands up exchanges (conn/exchange.h).
 *
 * Strict: a request whose framing two readers could understand differently is answered with 400 and
 * the connection closed (the list is in wire/http1.h). Errors are answered with their row's status
 * and a text that names the cause; then we stop sending, and read on for linger_ms so that the
 * client gets to see it. Pipelined requests are handled one after the other: the next is parsed
 * when the current one is over, until then the bytes stay in the kernel (but for one read buffer at
 * most).
 *
 * Timeouts are coarse (checked every second): one sweep for all connections, no timer of their own.
 * An idle kept-alive connection owns no buffers.
 */
#ifndef CONN_HTTP1_SERVER_H
#define CONN_HTTP1_SERVER_H

#include "base/err.h"

struct exchange;
struct http1_server;
struct loop;
struct stream;

/* 0 means the default in brackets. */
struct http1_options {
    uint32_t line_bytes; /* request line [16 KiB]: 414 */
    uint32_t head_bytes; /* all fields [64 KiB]: 431 */
    uint32_t fields;     /* how many [128]: 431 */
    uint64_t body_bytes; /* request body [100 MiB]: 413 */
    uint32_t drop_bytes; /* of a body that nobody wanted, to keep the connection [256 KiB] */
    uint32_t out_bytes;  /* queue toward one client [4 MiB] */
    uint32_t head_ms;    /* from the first byte of a head to its last [15 s]: 408 */
    uint32_t idle_ms;    /* a new or kept-alive connection without a request [60 s]: closed */
    uint32_t body_ms;    /* without a byte of a body that was pulled [60 s]: 408 */
    uint32_t send_ms;    /* without the client taking a byte that waits for it [60 s]: cut */
    uint32_t linger_ms;  /* [2 s] */
    uint32_t leave_ms;   /* for an answer, once the client has closed its half [1 s] */
};

struct http1_stats {
    uint64_t connections; /* accepted since the start */
    uint64_t requests;
    uint64_t refused; /* requests answered here with an error */
    uint32_t open;    /* connections now, upgraded ones not counted */
    uint32_t idle;    /* of those, without an exchange */
};

struct http1_server_ops {
    /* A request's head has arrived. Attach, or end the exchange, before it returns. */
    void (*request)(void *arg, struct exchange *x);
    /* NULL, or: an exchange is over, whoever ended it; it may be read, its stream too, but not
     * used. For an account of what was answered (exchange_account()). */
    void (*over)(void *arg, const struct exchange *x);
    /* NULL, or: a request that could not be understood was answered with err's status. s may only
     * be read. */
    void (*refused)(void *arg, const struct stream *s, int err);
};

struct http1_server *http1_server_open(struct loop *l, const struct http1_options *o,
                                       const struct http1_server_ops *ops, void *arg);
/* A new connection; the server owns it from now on. */
void http1_server_take(struct http1_server *h, struct stream *take_s);
/* No more keep-alive: idle connections close now, others after their response ("Connection:
 * close"). Connections taken later get one exchange. */
void http1_server_drain(struct http1_server *h);
/* Cuts the n newest connections, whatever they do: there is no room. Exchanges hear
 * closed(-ERR_OVERLOADED). Returns how many there were. */
uint32_t http1_server_shed(struct http1_server *h, uint32_t n);
/* Whether a request is being handled, or an answer still waits for its client. */
bool http1_server_is_busy(const struct http1_server *h);
const struct http1_stats *http1_server_stats(const struct http1_server *h);
/* stats.open, from any thread as long as the server lives. */
uint32_t http1_server_open_now(const struct http1_server *h);
/* Cuts what is left: exchanges hear closed(-ERR_CLOSED). Memory goes in the reap phase. NULL is
 * nothing. */
void http1_server_close(struct http1_server *h);

#endif
