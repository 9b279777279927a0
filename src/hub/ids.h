/*
 * Ids that were published lately, so that a message that comes twice is noticed. Hashes of them:
 * two that collide (keyed, 64 bits) would be taken for the same.
 */
#ifndef HUB_IDS_H
#define HUB_IDS_H

#include "base/map.h"

struct id_seen;

/* Zero is an empty one. */
struct ids {
    struct map64 hashes;
    struct id_seen *ring; /* in the order they were seen */
    uint32_t first, n, cap;
};

/* Forgets all. */
void ids_done(struct ids *s);
/* Forgets those that were seen ttl_ms ago and before. */
void ids_expire(struct ids *s, int64_t now_ms, uint32_t ttl_ms);
/* True: it was seen before (and is not refreshed by that). Over max ids the oldest is forgotten. */
bool ids_seen(struct ids *s, struct slice channel, struct slice id, int64_t now_ms, uint32_t max);

#endif
