/*
 * The client side of HTTP/1.1 (RFC 9112): one connection to a server, one request at a time, no
 * pipelining. Who picks the server, keeps idle connections and repeats requests is above.
 *
 *            start()           head            end, or cut
 *   IDLE ─────────────► ASKED ──────► ANSWERED ─────────────► IDLE, or over
 *
 * Facts of a request: answered, body…, ended; or failed, at any point. ended() and failed() are the
 * last. Between requests only gone() is told.
 */
#ifndef CONN_HTTP1_CLIENT_H
#define CONN_HTTP1_CLIENT_H

#include "base/bytes.h"
#include "base/err.h"
#include "wire/http1.h"

struct http1_client;
struct stream;

enum { HTTP1_CLIENT_HEAD = 128 << 10 }; /* bytes of a response's fields */

/* All may call any verb, close and start included. */
struct http1_client_ops {
    /* The head of the final response (or 101); borrowed. Interim ones (1xx) are skipped. */
    void (*answered)(void *arg, const struct http1_head *h);
    /* Within the credit. */
    void (*body)(void *arg, struct slice bytes);
    /* The response is complete. reusable: the connection is idle again; else close it. */
    void (*ended)(void *arg, bool reusable);
    /* Lost or malformed (-ERR_ORIGIN_LOST, -ERR_ORIGIN_BAD with text): close it. */
    void (*failed)(void *arg, int err, struct slice text);
    /* n more bytes of the request's body have left. */
    void (*taken)(void *arg, size_t n);
    /* While idle: the server has closed it, or says something nobody asked for: close it. */
    void (*gone)(void *arg);
};

/* Takes a connected stream, made without a bound. head: for parsing, one for all clients of a loop;
 * outlives them. */
struct http1_client *http1_client_open(struct stream *take_s, struct http1_head *head);
/* Makes ops and arg the owner. */
void http1_client_attach(struct http1_client *c, const struct http1_client_ops *ops, void *arg);
/* The end, at any time; no fact is told any more. NULL is nothing. */
void http1_client_close(struct http1_client *c);

/*
 * While idle: queues a request. head: all of it, from the request line to the empty line, as the
 * writer of wire/http1.h makes it; body says which framing it announces (HTTP1_BODY_NONE, _LENGTH,
 * _CHUNKED). is_head: the method is HEAD. credit: of response body bytes that may come.
 */
void http1_client_start(struct http1_client *c, struct slice head, enum http1_body body,
                        bool is_head, size_t credit);
/* More of the request's body, a copy; end: that was all. The caller keeps to what it announced. */
void http1_client_send(struct http1_client *c, struct slice bytes, bool end);
/* n more bytes of the response's body may come. Facts come later, never from in here. */
void http1_client_credit(struct http1_client *c, size_t n);

/* Whether the request has left whole. */
bool http1_client_is_sent(const struct http1_client *c);
/* Whether any byte came in answer to it. */
bool http1_client_has_heard(const struct http1_client *c);
/* Bytes of the response wait for credit. */
bool http1_client_is_held(const struct http1_client *c);

/* From inside answered() with 101: the stream, paused, is the caller's, the client is closed.
 * ret_early: bytes behind the head, valid until the fact returns. */
struct stream *http1_client_take_stream(struct http1_client *c, struct slice *ret_early);

#endif
