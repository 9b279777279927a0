/*
 * The router: host and path of a request to the number of the application that answers.
 *
 * Hosts are "example.com", "*.example.com" (any depth below, not example.com itself) or any. Paths
 * are prefixes of whole segments: "/api" and "/api/" are the same and match /api, /api/x but not
 * /apix. The most exact host decides first (named, then the longest wildcard, then any), among its
 * routes the longest path; where no path of that host fits, the next host is asked.
 */
#ifndef EDGE_ROUTE_H
#define EDGE_ROUTE_H

#include "base/bytes.h"
#include "base/err.h"

struct route;
struct router {
    struct route *routes; /* the first that fits wins */
    size_t n;
};

/* Safe on a zeroed struct. */
void router_done(struct router *r);
/* host, path: as in the comment above, NULL for any. -ERR_CONFIG with a note for a malformed one or
 * one that exists already. */
int router_add(struct router *r, const char *host, const char *path, unsigned app,
               struct err_note *note);
/* host: the Host field, a port is ignored; path: starts with "/", percent-encoded as received, a
 * query is ignored. -ERR_NOT_FOUND, or the application. */
int router_find(const struct router *r, struct slice host, struct slice path);

#endif
