/*
 * A publication: one published item on one edge, with what is made of it once for all its
 * listeners. Immutable, counted on its loop; relay.h gives every edge its own.
 */
#ifndef EDGE_PUBLICATION_H
#define EDGE_PUBLICATION_H

#include "conn/transport.h"
#include "hub/msg.h"
#include "wire/grip_item.h"

struct publication {
    struct msg msg;        /* first: hub.h */
    struct grip_item item; /* a copy; it points into this allocation */
    struct payload ws;     /* the ws-message's content, encodings are made by the first client */
    struct blob *stream;   /* the http-stream's content, made by publication_stream() */
    struct blob
        *chunked; /* the same as HTTP/1.1 chunks (exchange_share()); who needs it makes it */
};

/* One reference, a deep copy of the item. Does not touch anything of a loop: may be made on one
 * thread and given to another. */
struct publication *publication_new(const struct grip_item *item);

static inline struct publication *publication_ref(struct publication *p)
{
    msg_ref(&p->msg);
    return p;
}

static inline void publication_unref(struct publication *p)
{
    if (p)
        msg_unref(&p->msg);
}

static inline struct publication *publication_of(struct msg *m)
{
    return CONTAINER_OF(m, struct publication, msg);
}

/* The http-stream's content as bytes that many can share; borrowed (blob_ref() to keep). */
struct blob *publication_stream(struct publication *p);

#endif
