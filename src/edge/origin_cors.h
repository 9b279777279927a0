/*
 * Other sites' pages at an origin that knows nothing of them (a route's `aco`): a reply in front of
 * the client's that adds the fields of CORS (Fetch standard, 3.2) which the origin did not say.
 */
#ifndef EDGE_ORIGIN_CORS_H
#define EDGE_ORIGIN_CORS_H

#include "edge/reply.h"

/* Takes the reply; what it needs of the request is copied. */
struct reply origin_cors(const struct exchange_request *rq, struct reply take_reply);

#endif
