#include "hub/ids.h"

struct id_seen {
    uint64_t hash;
    int64_t at_ms;
};

void ids_done(struct ids *s)
{
    map64_done(&s->hashes);
    mem_free(s->ring);
    *s = (struct ids){0};
}

static void forget_oldest(struct ids *s)
{
    (void)map64_del(&s->hashes, s->ring[s->first].hash);
    s->first = (s->first + 1) % s->cap;
    s->n--;
}

void ids_expire(struct ids *s, int64_t now_ms, uint32_t ttl_ms)
{
    if (s->cap == 0)
        return;
    while (s->n && s->ring[s->first].at_ms + ttl_ms <= now_ms)
        forget_oldest(s);
    if (s->n == 0)
        ids_done(s);
}

static void grow(struct ids *s)
{
    const uint32_t cap = s->cap ? s->cap * 2 : 64;
    struct id_seen *ring = mem_new(cap * sizeof(*ring));

    for (uint32_t i = 0; i < s->n; i++)
        ring[i] = s->ring[(s->first + i) % s->cap];
    mem_free(s->ring);
    s->ring = ring;
    s->cap = cap;
    s->first = 0;
}

bool ids_seen(struct ids *s, struct slice channel, struct slice id, int64_t now_ms, uint32_t max)
{
    const uint64_t hash = map_hash64(map_hash(channel)) ^ map_hash(id);

    if (map64_find(&s->hashes, hash))
        return true;
    if (s->n == max)
        forget_oldest(s);
    if (s->n == s->cap)
        grow(s);
    s->ring[(s->first + s->n++) % s->cap] = (struct id_seen){hash, now_ms};
    (void)map64_put(&s->hashes, hash, s);
    return false;
}
