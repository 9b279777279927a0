/*
 * Hash maps. The hash is keyed with a secret of the process, so that a peer who chooses keys cannot
 * choose collisions.
 *
 *   map    keys are bytes; the map keeps its own copies of them
 *   map64  keys are numbers (ids)
 *
 * Values are pointers the caller owns, never NULL: NULL is the answer "not there". A zeroed map is
 * an empty one and costs no memory beyond itself. Sizes are ours to bound: the maps only grow with
 * what the caller puts in.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/bytes.h"

/* SipHash-1-3 with the secret of this process; never the same in two processes. */
uint64_t map_hash(struct slice key);
uint64_t map_hash64(uint64_t key);

struct map_slot;
struct map {
    struct map_slot *slots;
    uint32_t cap;   /* 0 or a power of two */
    uint32_t count; /* of entries */
    uint32_t used;  /* entries and the graves of deleted ones */
};

/* Frees the table and the keys; values are the caller's. Leaves an empty map. */
void map_done(struct map *m);
void *map_find(const struct map *m, struct slice key);
/* Puts or replaces (value is not NULL). Returns the value that was there, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);
/* Removes. Returns the value that was there, or NULL. */
void *map_del(struct map *m, struct slice key);
/*
 * Walks in no particular order: start with *it = 0; false at the end. The key is borrowed until it
 * is deleted. Between two calls any key may be deleted; nothing may be put.
 */
bool map_next(const struct map *m, uint32_t *it, struct slice *ret_key, void **ret_value);

struct map64_slot;
struct map64 {
    struct map64_slot *slots;
    uint32_t cap;
    uint32_t count;
    uint32_t used;
};

/* The same verbs for keys that are numbers. */
void map64_done(struct map64 *m);
void *map64_find(const struct map64 *m, uint64_t key);
void *map64_put(struct map64 *m, uint64_t key, void *value);
void *map64_del(struct map64 *m, uint64_t key);
bool map64_next(const struct map64 *m, uint32_t *it, uint64_t *ret_key, void **ret_value);

#endif
