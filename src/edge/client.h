/*
 * Who the client of a request is. The peer of the connection; or, when that is a proxy that the
 * configuration trusts, who the proxy says it is: X-Forwarded-For, or Forwarded (RFC 7239) without
 * it. Both are read from the right, over proxies that are trusted as well; what stands left of the
 * first stranger can be anybody's invention.
 */
#ifndef EDGE_CLIENT_H
#define EDGE_CLIENT_H

#include "base/bytes.h"
#include "conn/exchange.h"

struct egress_rules;

enum { CLIENT_TEXT = 80 };

/*
 * peer: the address of the connection, empty for a Unix socket, which is as trusted as a proxy when
 * there are any. trusted: its allow list; NULL or an empty one: nobody. Returns the address, inside
 * ret or peer.
 */
struct slice client_find(const struct egress_rules *trusted, struct slice peer,
                         const struct exchange_request *rq, char ret[CLIENT_TEXT]);
/*
 * Whether the client speaks TLS: with us, or as a trusted peer says (X-Forwarded-Proto, or without
 * it `proto` of Forwarded; the nearest proxy's word).
 */
bool client_is_secure(const struct egress_rules *trusted, struct slice peer,
                      const struct exchange_request *rq);

#endif
