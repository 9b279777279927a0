/*
 * Actors as the gateway knows them: a name, the hibernatable holds on this edge, an automatic
 * answer. All that outlives an instance's sleep and its process is here and in the holds.
 *
 * What many holds of one actor have in common (tags, URLs) is stored once: share() finds an equal
 * piece among the last few that this actor saw.
 *
 * Per application and edge. An actor lives while it has holds; one without holds, that only has an
 * automatic answer, lives until it sleeps or its process ends (actor_rest).
 */
#ifndef EDGE_ACTORS_H
#define EDGE_ACTORS_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"

enum {
    ACTOR_KEY_MAX = 1024, /* bytes of "CLASS/64 hex digits" */
    ACTOR_SHARED = 4,
};

struct actor {
    struct list holds; /* hibernatable holds of this edge, oldest first (hold.in_actor) */
    uint32_t n_holds;
    uint32_t key_bytes;
    uint64_t hash;
    struct actor *same_hash;
    struct blob *name; /* it was reached by; NULL: none */
    struct blob *auto_request;
    struct blob *auto_response; /* NULL: no automatic answer */
    struct blob *shared[ACTOR_SHARED];
    uint8_t key[];
};

struct actors {
    struct map64 by_hash;
    uint32_t n;
};

/* No hold may be left. */
void actors_done(struct actors *as);
struct actor *actors_find(const struct actors *as, struct slice key);
/* Finds or makes. NULL: the key is empty or too long. A name replaces an older one, an empty one
 * does not. */
struct actor *actors_get(struct actors *as, struct slice key, struct slice name);

static inline struct slice actor_key(const struct actor *a)
{
    return slice_make(a->key, a->key_bytes);
}

static inline struct slice actor_name(const struct actor *a)
{
    return a->name ? blob_slice(a->name) : SLICE_NONE;
}

/* A blob of these bytes, shared where an equal one is at hand; the caller owns one reference. */
struct blob *actor_share(struct actor *a, struct slice bytes);

/* Copies; replaces an older answer. */
void actor_set_auto(struct actor *a, struct slice request, struct slice response);
void actor_unset_auto(struct actor *a);

void actor_add_hold(struct actor *a, struct list *in_actor);
/* May free the actor (when it has nothing left). */
void actor_del_hold(struct actors *as, struct actor *a, struct list *in_actor);

/* Frees the actor when it has no holds: its instance is gone. */
void actor_rest(struct actors *as, struct actor *a);
/* actor_rest() for all. */
void actors_rest(struct actors *as);

#endif
