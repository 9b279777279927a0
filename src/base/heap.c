/* A binary heap in an array; every node knows its place in it. */
#include "base/heap.h"

#include <assert.h>

void heap_done(struct heap *h)
{
    if (!h)
        return;
    for (uint32_t i = 0; i < h->count; i++)
        h->nodes[i]->index = 0;
    mem_free(h->nodes);
    *h = (struct heap){0};
}

/* Order numbers wrap; their distance tells which was set first. */
static bool is_before(const struct heap_node *a, const struct heap_node *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    return (int32_t)(a->order - b->order) < 0;
}

static void place(struct heap *h, uint32_t i, struct heap_node *node)
{
    h->nodes[i] = node;
    node->index = i + 1;
}

static void sift_up(struct heap *h, uint32_t i, struct heap_node *node)
{
    for (; i > 0 && is_before(node, h->nodes[(i - 1) / 2]); i = (i - 1) / 2)
        place(h, i, h->nodes[(i - 1) / 2]);
    place(h, i, node);
}

static void sift_down(struct heap *h, uint32_t i, struct heap_node *node)
{
    uint32_t child;

    for (; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && is_before(h->nodes[child + 1], h->nodes[child]))
            child++;
        if (!is_before(h->nodes[child], node))
            break;
        place(h, i, h->nodes[child]);
    }
    place(h, i, node);
}

static void sift(struct heap *h, uint32_t i, struct heap_node *node)
{
    if (i > 0 && is_before(node, h->nodes[(i - 1) / 2]))
        sift_up(h, i, node);
    else
        sift_down(h, i, node);
}

void heap_set(struct heap *h, struct heap_node *node, int64_t at_ms)
{
    node->at_ms = at_ms;
    node->order = h->order++;
    if (node->index) {
        sift(h, node->index - 1, node);
        return;
    }
    if (h->count == h->cap) {
        h->cap = MAX(h->cap * 2, 16);
        h->nodes = mem_grow(h->nodes, h->cap * sizeof(*h->nodes));
    }
    sift_up(h, h->count++, node);
}

void heap_del(struct heap *h, struct heap_node *node)
{
    const uint32_t i = node->index - 1;
    struct heap_node *last;

    if (!node->index)
        return;
    assert(i < h->count && h->nodes[i] == node);
    node->index = 0;
    last = h->nodes[--h->count];
    if (last != node)
        sift(h, i, last);
}

struct heap_node *heap_peek(const struct heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}

struct heap_node *heap_pop_due(struct heap *h, int64_t now_ms)
{
    struct heap_node *first = heap_peek(h);

    if (!first || first->at_ms > now_ms)
        return NULL;
    heap_del(h, first);
    return first;
}
