/*
 * Which pages may open a WebSocket (RFC 6455 10.2): the Origin of a handshake against an
 * application's list. Browsers always send it and scripts cannot change it, so the list keeps other
 * sites' pages out; other programs send what they like, and pass without one.
 */
#ifndef EDGE_BROWSER_ORIGIN_H
#define EDGE_BROWSER_ORIGIN_H

#include "base/bytes.h"

/*
 * list: NULL-terminated (NULL: everybody may) of "https://example.com", "https://example.com:8443",
 * "https://" and "*.example.com" for its subdomains, "self" for the host that the handshake names
 * in Host, "null" (sandboxed pages, files). Letters in either case.
 */
bool browser_origin_is_allowed(const char *const *list, struct slice origin, struct slice host);

#endif
