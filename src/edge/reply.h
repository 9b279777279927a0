/*
 * A reply: where the answer to a request goes. Whoever answers (a worker behind its link, a folder)
 * speaks to this door and does not know who asked: a client (conn/exchange.h) or an application's
 * own fetch to its assets or to another application (outbound.c).
 *
 * The rules are those of an exchange: attach first; facts come as exchange_ops; end, abort and
 * answer are the last verb, closed() the last fact, and after either the reply is invalid.
 */
#ifndef EDGE_REPLY_H
#define EDGE_REPLY_H

#include "conn/exchange.h"

struct reply_kind {
    void (*attach)(void *to, const struct exchange_ops *ops, void *arg);
    void (*pull)(void *to, size_t n);
    int (*respond)(void *to, const struct exchange_response *r);
    int (*send)(void *to, struct slice bytes);
    int (*share)(void *to, struct blob *bytes, struct blob **chunked);
    size_t (*pending)(const void *to);
    void (*end)(void *to);
    void (*abort)(void *to);
};

struct reply {
    const struct reply_kind *kind; /* NULL: over */
    void *to;
};

/* The reply that goes to the client of an exchange. */
struct reply reply_to_client(struct exchange *x);
/* The exchange behind it, NULL for any other kind. */
struct exchange *reply_client(struct reply r);

static inline void reply_attach(struct reply r, const struct exchange_ops *ops, void *arg)
{
    r.kind->attach(r.to, ops, arg);
}

/* As exchange_pull. */
static inline void reply_pull(struct reply r, size_t n)
{
    r.kind->pull(r.to, n);
}

/* As exchange_respond. */
static inline int reply_respond(struct reply r, const struct exchange_response *response)
{
    return r.kind->respond(r.to, response);
}

/* As exchange_send. */
static inline int reply_send(struct reply r, struct slice bytes)
{
    return r.kind->send(r.to, bytes);
}

/* As exchange_share. */
static inline int reply_share(struct reply r, struct blob *bytes, struct blob **chunked)
{
    return r.kind->share(r.to, bytes, chunked);
}

static inline size_t reply_pending(struct reply r)
{
    return r.kind->pending(r.to);
}

/* As exchange_end. */
static inline void reply_end(struct reply r)
{
    r.kind->end(r.to);
}

/* As exchange_abort. */
static inline void reply_abort(struct reply r)
{
    r.kind->abort(r.to);
}

/* A whole short answer; fields as in exchange_response, with the Content-Type. Only before a
 * response was begun. */
void reply_answer(struct reply r, uint16_t status, struct slice fields, struct slice body);
/* The same as text/plain. */
void reply_text(struct reply r, uint16_t status, struct slice text);

#endif
