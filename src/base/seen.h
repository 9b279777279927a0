/*
 * Numbers that one thread counts and others may look at: no lock, no order among them, only never a
 * torn value. The owner reads its own as it is.
 */
#ifndef BASE_SEEN_H
#define BASE_SEEN_H

#include <stdint.h>

/* By the owner's thread. */
static inline void seen_add(uint32_t *n, int32_t difference)
{
    __atomic_store_n(n, *n + (uint32_t)difference, __ATOMIC_RELAXED);
}

/* From any thread. */
static inline uint32_t seen_get(const uint32_t *n)
{
    return __atomic_load_n(n, __ATOMIC_RELAXED);
}

#endif
