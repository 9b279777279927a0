/*
 * Open addressing with linear probing. A deleted entry leaves a grave, so that a walk may delete as
 * it goes; graves vanish when the table is rebuilt, which happens at three quarters full.
 */
#include "base/map.h"

#include <assert.h>
#include <sys/auxv.h>

/* --- hashing --- */

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = ROTL(s->v1, 13) ^ s->v0;
    s->v0 = ROTL(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = ROTL(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = ROTL(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = ROTL(s->v1, 17) ^ s->v2;
    s->v2 = ROTL(s->v2, 32);
}

/* Little-endian; n <= 8. */
static inline uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

static uint64_t sip13(const uint64_t key[2], struct slice in)
{
    struct sip s = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
                    key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
    uint64_t last = (uint64_t)in.n << 56;

    for (; in.n >= 8; in.p += 8, in.n -= 8) {
        const uint64_t word = load(in.p, 8);

        s.v3 ^= word;
        sip_round(&s);
        s.v0 ^= word;
    }
    if (in.n)
        last |= load(in.p, in.n);
    s.v3 ^= last;
    sip_round(&s);
    s.v0 ^= last;
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/*
 * 16 random bytes that the kernel gave this process. libc draws its stack guard from the same
 * bytes, so they are used as a key only, and only the results of a keyed hash are seen outside.
 */
static void secret(uint64_t ret_key[2])
{
    const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);

    assert(random);
    memcpy(ret_key, random, 16);
}

uint64_t map_hash(struct slice key)
{
    uint64_t k[2];

    secret(k);
    return sip13(k, key);
}

uint64_t map_hash64(uint64_t key)
{
    return map_hash(slice_make(&key, sizeof(key)));
}

/* Room for count + 1 entries at three quarters full at most half of it graves. */
static uint32_t cap_for(uint32_t count)
{
    uint32_t cap = 8;

    while (count + 1 > cap / 2)
        cap *= 2;
    return cap;
}

static bool is_full(uint32_t used, uint32_t cap)
{
    return (uint64_t)(used + 1) * 4 > (uint64_t)cap * 3;
}

static char grave_mark;
#define GRAVE ((void *)&grave_mark)

/* --- map --- */

struct map_slot {
    void *value; /* NULL: free, GRAVE: was deleted */
    uint8_t *key;
    uint32_t n;
    uint32_t hash;
};

static bool is_entry(const void *value)
{
    return value && value != GRAVE;
}

void map_done(struct map *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; i < m->cap; i++)
        if (is_entry(m->slots[i].value))
            mem_free(m->slots[i].key);
    mem_free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *find(const struct map *m, struct slice key, uint32_t hash)
{
    struct map_slot *s;

    if (m->count == 0)
        return NULL;
    for (uint32_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        s = &m->slots[i];
        if (!s->value)
            return NULL;
        if (s->value != GRAVE && s->hash == hash && slice_eq(slice_make(s->key, s->n), key))
            return s;
    }
}

static struct map_slot *free_slot(struct map *m, uint32_t hash)
{
    uint32_t i = hash & (m->cap - 1);

    while (is_entry(m->slots[i].value))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static void rebuild(struct map *m)
{
    const struct map old = *m;

    m->cap = cap_for(old.count);
    m->slots = mem_new(m->cap * sizeof(*m->slots));
    m->used = old.count;
    for (uint32_t i = 0; i < old.cap; i++)
        if (is_entry(old.slots[i].value))
            *free_slot(m, old.slots[i].hash) = old.slots[i];
    mem_free(old.slots);
}

void *map_find(const struct map *m, struct slice key)
{
    const struct map_slot *s = m->count ? find(m, key, (uint32_t)map_hash(key)) : NULL;

    return s ? s->value : NULL;
}

void *map_put(struct map *m, struct slice key, void *value)
{
    const uint32_t hash = (uint32_t)map_hash(key);
    struct map_slot *s = find(m, key, hash);
    void *old;

    assert(value && key.n <= UINT32_MAX);
    if (s) {
        old = s->value;
        s->value = value;
        return old;
    }
    if (is_full(m->used, m->cap))
        rebuild(m);
    s = free_slot(m, hash);
    m->used += s->value != GRAVE;
    m->count++;
    *s = (struct map_slot){value, (uint8_t *)slice_dup(key), (uint32_t)key.n, hash};
    return NULL;
}

void *map_del(struct map *m, struct slice key)
{
    struct map_slot *s = find(m, key, (uint32_t)map_hash(key));
    void *old;

    if (!s)
        return NULL;
    old = s->value;
    mem_free(s->key);
    *s = (struct map_slot){.value = GRAVE};
    m->count--;
    return old;
}

bool map_next(const struct map *m, uint32_t *it, struct slice *ret_key, void **ret_value)
{
    while (*it < m->cap) {
        const struct map_slot *s = &m->slots[(*it)++];

        if (!is_entry(s->value))
            continue;
        *ret_key = slice_make(s->key, s->n);
        *ret_value = s->value;
        return true;
    }
    return false;
}

/* --- map64 --- */

struct map64_slot {
    uint64_t key;
    void *value;
};

void map64_done(struct map64 *m)
{
    if (!m)
        return;
    mem_free(m->slots);
    *m = (struct map64){0};
}

static struct map64_slot *find64(const struct map64 *m, uint64_t key)
{
    struct map64_slot *s;

    if (m->count == 0)
        return NULL;
    for (uint32_t i = (uint32_t)map_hash64(key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        s = &m->slots[i];
        if (!s->value)
            return NULL;
        if (s->key == key && s->value != GRAVE)
            return s;
    }
}

static struct map64_slot *free_slot64(struct map64 *m, uint64_t key)
{
    uint32_t i = (uint32_t)map_hash64(key) & (m->cap - 1);

    while (is_entry(m->slots[i].value))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

static void rebuild64(struct map64 *m)
{
    const struct map64 old = *m;

    m->cap = cap_for(old.count);
    m->slots = mem_new(m->cap * sizeof(*m->slots));
    m->used = old.count;
    for (uint32_t i = 0; i < old.cap; i++)
        if (is_entry(old.slots[i].value))
            *free_slot64(m, old.slots[i].key) = old.slots[i];
    mem_free(old.slots);
}

void *map64_find(const struct map64 *m, uint64_t key)
{
    const struct map64_slot *s = find64(m, key);

    return s ? s->value : NULL;
}

void *map64_put(struct map64 *m, uint64_t key, void *value)
{
    struct map64_slot *s = find64(m, key);
    void *old;

    assert(value);
    if (s) {
        old = s->value;
        s->value = value;
        return old;
    }
    if (is_full(m->used, m->cap))
        rebuild64(m);
    s = free_slot64(m, key);
    m->used += s->value != GRAVE;
    m->count++;
    *s = (struct map64_slot){key, value};
    return NULL;
}

void *map64_del(struct map64 *m, uint64_t key)
{
    struct map64_slot *s = find64(m, key);
    void *old;

    if (!s)
        return NULL;
    old = s->value;
    s->value = GRAVE;
    m->count--;
    return old;
}

bool map64_next(const struct map64 *m, uint32_t *it, uint64_t *ret_key, void **ret_value)
{
    while (*it < m->cap) {
        const struct map64_slot *s = &m->slots[(*it)++];

        if (!is_entry(s->value))
            continue;
        *ret_key = s->key;
        *ret_value = s->value;
        return true;
    }
    return false;
}
