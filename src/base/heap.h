/*
 * Deadlines in order. The node sits in the caller's struct (16 bytes; 8 more in the heap while it
 * is set); deadlines that are equal come out in the order they were set. A zeroed heap and a zeroed
 * node are empty and unset.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/bytes.h"

struct heap_node {
    int64_t at_ms;
    uint32_t index; /* place in the heap, from 1; 0: not set */
    uint32_t order;
};

struct heap {
    struct heap_node **nodes;
    uint32_t count;
    uint32_t cap;
    uint32_t order;
};

/* Frees the heap's own memory; nodes still set become unset. */
void heap_done(struct heap *h);
/* Sets the node's deadline, or moves it when it was set. */
void heap_set(struct heap *h, struct heap_node *node, int64_t at_ms);
/* Unsets; nothing when it was not set. */
void heap_del(struct heap *h, struct heap_node *node);
/* The earliest node, still set, or NULL. */
struct heap_node *heap_peek(const struct heap *h);
/* Unsets and returns the earliest node whose deadline is now_ms or before, or NULL. */
struct heap_node *heap_pop_due(struct heap *h, int64_t now_ms);

static inline bool heap_is_set(const struct heap_node *node)
{
    return node->index != 0;
}

#endif
