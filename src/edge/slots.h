/*
 * Slots: things that a worker names by number, found in one step and impossible to mix up.
 *
 * An id is tag | generation << 24 | slot, as wire/ipc.def says: the tag is the edge's bits, the
 * slot says where the item lies, and the generation (20 bits, never 0) makes an old id of a reused
 * slot miss. Items lie in chunks: they never move, and a free slot costs nothing but its place.
 * Per edge; an item begins with struct slot.
 */
#ifndef EDGE_SLOTS_H
#define EDGE_SLOTS_H

#include "base/bytes.h"

struct slot {
    uint64_t
        id; /* of a living item; free items keep their generation and the next free slot here */
};

struct slots {
    uint64_t tag;
    size_t item_bytes;
    uint8_t **chunks;
    uint32_t n_chunks;
    uint32_t made;       /* slots that exist, free ones too */
    uint32_t used;       /* slots with a living item; others may look (base/seen.h) */
    uint32_t first_free; /* the free slots are a queue, so that a slot rests before it is reused */
    uint32_t last_free;
};

/* tag: the bits above 44. item_bytes: at least sizeof(struct slot). */
void slots_init(struct slots *s, uint64_t tag, size_t item_bytes);
/* Living items lose their memory as they are. Safe on a zeroed struct. */
void slots_done(struct slots *s);

/* A zeroed item with its id set; NULL when all 2^24 are in use. */
void *slots_add(struct slots *s);
/* NULL: no such item (any more). Any number may be asked for. */
void *slots_find(const struct slots *s, uint64_t id);
void slots_drop(struct slots *s, void *item);

/* The living item at or after *slot, which is left behind it; NULL at the end. Begin with *slot 0;
 * the item may be dropped before the next call. */
void *slots_each(const struct slots *s, uint32_t *slot);

#endif
