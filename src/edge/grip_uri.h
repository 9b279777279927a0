/* Links of instructions: URI references (RFC 3986) that are relative to the request's URI. */
#ifndef EDGE_GRIP_URI_H
#define EDGE_GRIP_URI_H

#include "base/bytes.h"

/*
 * Appends the absolute form of `reference`, without its fragment; `base` is an absolute http or
 * https URI (RFC 3986 5.2). -ERR_SYNTAX: what comes out is no http or https URI with a host that
 * can stand in a request; -ERR_TOO_LARGE. Nothing is appended then. Cost is linear.
 */
int grip_uri_resolve(struct buf *out, struct slice base, struct slice reference);

#endif
