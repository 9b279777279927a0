#include "edge/slots.h"

#include <assert.h>

#include "base/seen.h"

enum { CHUNK = 64, SLOT_BITS = 24, GENERATION_BITS = 20 };

#define SLOT_MASK ((1u << SLOT_BITS) - 1)
#define NOWHERE SLOT_MASK /* the last number is nobody's slot */
#define GENERATION_ONE (1ull << SLOT_BITS)
#define GENERATION_MASK (((1ull << GENERATION_BITS) - 1) << SLOT_BITS)
#define IS_FREE (1ull << 63)

void slots_init(struct slots *s, uint64_t tag, size_t item_bytes)
{
    assert(item_bytes >= sizeof(struct slot));
    *s = (struct slots){
        .tag = tag, .item_bytes = item_bytes, .first_free = NOWHERE, .last_free = NOWHERE};
}

void slots_done(struct slots *s)
{
    for (uint32_t i = 0; i < s->n_chunks; i++)
        mem_free(s->chunks[i]);
    mem_free(s->chunks);
    *s = (struct slots){0};
}

static struct slot *at(const struct slots *s, uint32_t slot)
{
    return (struct slot *)(void *)(s->chunks[slot / CHUNK] + (slot % CHUNK) * s->item_bytes);
}

static void add_chunk(struct slots *s)
{
    s->chunks = mem_grow(s->chunks, (s->n_chunks + 1) * sizeof(s->chunks[0]));
    s->chunks[s->n_chunks++] = mem_new(CHUNK * s->item_bytes);
}

static struct slot *make(struct slots *s)
{
    if (s->made == NOWHERE)
        return NULL;
    if (s->made == s->n_chunks * CHUNK)
        add_chunk(s);
    at(s, s->made)->id = s->tag | GENERATION_ONE | s->made;
    return at(s, s->made++);
}

static struct slot *reuse(struct slots *s)
{
    const uint32_t slot = s->first_free;
    struct slot *item = at(s, slot);
    uint64_t generation = (item->id + GENERATION_ONE) & GENERATION_MASK;

    s->first_free = (uint32_t)item->id & SLOT_MASK;
    if (s->first_free == NOWHERE)
        s->last_free = NOWHERE;
    if (generation == 0)
        generation = GENERATION_ONE;
    memset(item, 0, s->item_bytes);
    item->id = s->tag | generation | slot;
    return item;
}

void *slots_add(struct slots *s)
{
    struct slot *item = s->first_free != NOWHERE ? reuse(s) : make(s);

    if (item)
        seen_add(&s->used, 1);
    return item;
}

void *slots_find(const struct slots *s, uint64_t id)
{
    const uint32_t slot = (uint32_t)id & SLOT_MASK;

    if (slot >= s->made || at(s, slot)->id != id || (id & IS_FREE))
        return NULL;
    return at(s, slot);
}

void slots_drop(struct slots *s, void *item)
{
    struct slot *it = item;
    const uint32_t slot = (uint32_t)it->id & SLOT_MASK;

    assert(slots_find(s, it->id) == it);
    it->id = IS_FREE | (it->id & GENERATION_MASK) | NOWHERE;
    if (s->last_free == NOWHERE)
        s->first_free = slot;
    else
        at(s, s->last_free)->id ^= NOWHERE ^ slot;
    s->last_free = slot;
    seen_add(&s->used, -1);
}

void *slots_each(const struct slots *s, uint32_t *slot)
{
    while (*slot < s->made) {
        struct slot *item = at(s, (*slot)++);

        if (!(item->id & IS_FREE))
            return item;
    }
    return NULL;
}
