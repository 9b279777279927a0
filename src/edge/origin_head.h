/*
 * The head of a request on its way to an origin: which fields of the client's go along, and what is
 * said besides (RFC 9110 7.6; GRIP's own rules). Host, Grip-Sig, Grip-Feature and the framing are
 * upstream's.
 */
#ifndef EDGE_ORIGIN_HEAD_H
#define EDGE_ORIGIN_HEAD_H

#include "conn/exchange.h"

struct app_origin;
struct origin_route;

struct origin_head {
    const struct origin_route *route;
    const struct exchange_request *request;
    struct slice peer; /* address of the connection, may be empty */
    bool is_trusted;   /* its Grip-* fields go along */
    bool is_secure;    /* the client came by TLS, or somebody who is believed says so */
};

/* Appends "name: value\n" lines; -ERR_TOO_LARGE. */
int origin_head_put(const struct origin_head *h, struct buf *out);

/* Whether a client without TLS counts as one with it: its X-Forwarded-Proto is believed. */
bool origin_head_says_secure(const struct app_origin *o, const struct exchange_request *rq);
/* The first field of that name in any case, or NULL. */
const struct slice *origin_head_find(const struct exchange_request *rq, struct slice name);

#endif
