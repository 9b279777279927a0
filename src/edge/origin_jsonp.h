/*
 * JSONP (a route's `aco`): a GET whose query names a callback stands for another request, and its
 * answer is a script that calls it. For pages of before CORS.
 *
 *   extended   cb({"code": 200, "reason": "OK", "headers": {…}, "body": "…"});
 *              with the method, fields and body of the query's _method, _headers and _body
 *   basic      cb(BODY);  the body is the argument
 */
#ifndef EDGE_ORIGIN_JSONP_H
#define EDGE_ORIGIN_JSONP_H

#include "edge/reply.h"

struct app_origin_route;

enum {
    ORIGIN_JSONP_BODY = 128 << 10, /* bytes of a response's body; more break it off */
    ORIGIN_JSONP_FIELDS = 64,      /* that _headers may name */
};

/* The request that is meant. */
struct origin_jsonp {
    struct exchange_request request; /* slices in `memory`, in `fields` and in the original */
    struct exchange_field *fields;
    struct slice callback;
    struct slice content; /* its body */
    struct buf memory;
};

/* Whether rq is JSONP: 1, and *ret is set (origin_jsonp_done()); 0: no; < 0: it is malformed (the
 * name of the callback is no name, _headers no JSON object of strings): 400. */
int origin_jsonp_read(const struct app_origin_route *route, const struct exchange_request *rq,
                      struct origin_jsonp *ret);
void origin_jsonp_done(struct origin_jsonp *j);

/* Takes the reply: what is answered to this one goes there as a script. */
struct reply origin_jsonp_reply(const struct app_origin_route *route, struct slice callback,
                                struct reply take_reply);

#endif
