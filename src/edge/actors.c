#include "edge/actors.h"

#include <assert.h>

static void actor_free(struct actor *a)
{
    actor_unset_auto(a);
    blob_unref(a->name);
    for (int i = 0; i < ACTOR_SHARED; i++)
        blob_unref(a->shared[i]);
    mem_free(a);
}

struct actor *actors_find(const struct actors *as, struct slice key)
{
    struct actor *a = map64_find(&as->by_hash, map_hash(key));

    while (a && !slice_eq(actor_key(a), key))
        a = a->same_hash;
    return a;
}

static struct actor *actor_new(struct actors *as, struct slice key)
{
    struct actor *a = mem_new(sizeof(*a) + key.n);

    list_init(&a->holds);
    memcpy(a->key, key.p, key.n);
    a->key_bytes = (uint32_t)key.n;
    a->hash = map_hash(key);
    a->same_hash = map64_put(&as->by_hash, a->hash, a);
    as->n++;
    return a;
}

static void set_name(struct actor *a, struct slice name)
{
    if (name.n == 0 || slice_eq(actor_name(a), name))
        return;
    blob_unref(a->name);
    a->name = blob_copy(name);
}

struct actor *actors_get(struct actors *as, struct slice key, struct slice name)
{
    struct actor *a;

    if (key.n == 0 || key.n > ACTOR_KEY_MAX)
        return NULL;
    a = actors_find(as, key);
    if (!a)
        a = actor_new(as, key);
    set_name(a, name);
    return a;
}

static void drop(struct actors *as, struct actor *a)
{
    struct actor *first = map64_find(&as->by_hash, a->hash);

    if (first != a) {
        while (first->same_hash != a)
            first = first->same_hash;
        first->same_hash = a->same_hash;
    } else if (a->same_hash) {
        (void)map64_put(&as->by_hash, a->hash, a->same_hash);
    } else {
        (void)map64_del(&as->by_hash, a->hash);
    }
    as->n--;
    actor_free(a);
}

struct blob *actor_share(struct actor *a, struct slice bytes)
{
    struct blob *b;

    for (int i = 0; i < ACTOR_SHARED && a->shared[i]; i++)
        if (slice_eq(blob_slice(a->shared[i]), bytes))
            return blob_ref(a->shared[i]);
    b = blob_copy(bytes);
    blob_unref(a->shared[ACTOR_SHARED - 1]);
    memmove(a->shared + 1, a->shared, (ACTOR_SHARED - 1) * sizeof(a->shared[0]));
    a->shared[0] = blob_ref(b);
    return b;
}

void actor_unset_auto(struct actor *a)
{
    blob_unref(a->auto_request);
    blob_unref(a->auto_response);
    a->auto_request = a->auto_response = NULL;
}

void actor_set_auto(struct actor *a, struct slice request, struct slice response)
{
    actor_unset_auto(a);
    a->auto_request = blob_copy(request);
    a->auto_response = blob_copy(response);
}

void actor_add_hold(struct actor *a, struct list *in_actor)
{
    list_add_tail(&a->holds, in_actor);
    a->n_holds++;
}

void actor_del_hold(struct actors *as, struct actor *a, struct list *in_actor)
{
    assert(a->n_holds > 0);
    list_del(in_actor);
    if (--a->n_holds == 0 && !a->auto_response)
        drop(as, a);
}

void actor_rest(struct actors *as, struct actor *a)
{
    if (a->n_holds == 0)
        drop(as, a);
}

void actors_rest(struct actors *as)
{
    uint32_t it = 0;
    uint64_t hash;
    void *first;

    while (map64_next(&as->by_hash, &it, &hash, &first)) {
        struct actor *a, *next;

        for (a = first; a; a = next) {
            next = a->same_hash;
            actor_rest(as, a);
        }
    }
}

void actors_done(struct actors *as)
{
    actors_rest(as);
    assert(as->n == 0);
    map64_done(&as->by_hash);
}
