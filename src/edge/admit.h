/*
 * Admission by address: how many connections one client may have at an edge. A client is an IPv4
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
/* Safe after admit_close(). The signature is stream_origin.closed. */
void admit_leave(void *admit, const struct stream_address *from);
/* The memory goes with the last that entered. NULL is nothing. */
void admit_close(struct admit *a);

#endif
