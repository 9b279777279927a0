/*
 * arena: pieces of memory that are freed together. For what a decoder makes of one bounded input:
 * what it takes is proportional to that input, whose bound is the caller's.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

struct arena_chunk;

/* Zero is a valid empty arena. */
struct arena {
    struct arena_chunk *chunks;
};

/* Frees all pieces; the arena is empty and may be used again. */
void arena_done(struct arena *a);
/* n zeroed bytes, aligned for any type; never NULL. */
void *arena_new(struct arena *a, size_t n);
/* A copy that lives as long as the arena. */
struct slice arena_copy(struct arena *a, struct slice s);

#endif
