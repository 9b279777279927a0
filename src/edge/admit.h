/*
 * Admission by address: how many connections one client may have, on all edges together: the one
 * thing that they share, behind a lock that is held at an accept and a close. A client is an IPv4
 * address or the /64 of an IPv6 one, which is what one subscriber has.
 */
#ifndef EDGE_ADMIT_H
#define EDGE_ADMIT_H

#include "base/bytes.h"

struct admit;
struct stream_address;

struct admit *admit_new(uint32_t each);
/* False: it has `each` already. True: admit_leave() follows when it goes. */
bool admit_enter(struct admit *a, const struct stream_address *from);
/* For another edge; it closes it, too. NULL for NULL. */
struct admit *admit_share(struct admit *a);
/* Safe after admit_close(). The signature is stream_origin.closed. */
void admit_leave(void *admit, const struct stream_address *from);
/* The memory goes with the last who shares it or has entered. NULL is nothing. */
void admit_close(struct admit *a);

#endif
