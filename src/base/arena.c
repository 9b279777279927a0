#include "base/arena.h"

#include <stdalign.h>

enum { CHUNK = 4096 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    alignas(max_align_t) uint8_t bytes[];
};

void arena_done(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *const c = a->chunks;

        a->chunks = c->next;
        mem_free(c);
    }
}

static struct arena_chunk *add_chunk(size_t size)
{
    struct arena_chunk *const c = mem_new(sizeof(*c) + size);

    c->size = size;
    return c;
}

/* A piece that is large beside a chunk gets its own, behind the one in use. */
static void *new_large(struct arena *a, size_t n)
{
    struct arena_chunk *const c = add_chunk(n);
    struct arena_chunk **const at = a->chunks ? &a->chunks->next : &a->chunks;

    c->used = n;
    c->next = *at;
    *at = c;
    return c->bytes;
}

void *arena_new(struct arena *a, size_t n)
{
    const size_t size = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    void *p;

    if (size > CHUNK / 4)
        return new_large(a, size);
    if (!a->chunks || a->chunks->size - a->chunks->used < size) {
        struct arena_chunk *const c = add_chunk(CHUNK - sizeof(*c));

        c->next = a->chunks;
        a->chunks = c;
    }
    p = a->chunks->bytes + a->chunks->used;
    a->chunks->used += size;
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *p;

    if (s.n == 0)
        return SLICE("");
    p = arena_new(a, s.n);
    memcpy(p, s.p, s.n);
    return slice_make(p, s.n);
}
