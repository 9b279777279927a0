#include "edge/admit.h"

#include <pthread.h>

#include "base/map.h"
#include "io/stream.h"

struct admit {
    pthread_mutex_t lock;
    struct map counts; /* address or network → how many, as a pointer's value */
    uint32_t each;
    uint64_t refs; /* who entered, and the owners */
};

static struct slice key_of(const struct stream_address *from)
{
    static const uint8_t v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool is_v4 = memcmp(from->ip, v4, sizeof(v4)) == 0;

    return slice_make(from->ip, is_v4 ? 16 : 8);
}

struct admit *admit_new(uint32_t each)
{
    struct admit *a = mem_new(sizeof(*a));

    a->each = each;
    a->refs = 1;
    (void)pthread_mutex_init(&a->lock, NULL);
    return a;
}

struct admit *admit_share(struct admit *a)
{
    if (!a)
        return NULL;
    (void)pthread_mutex_lock(&a->lock);
    a->refs++;
    (void)pthread_mutex_unlock(&a->lock);
    return a;
}

bool admit_enter(struct admit *a, const struct stream_address *from)
{
    uintptr_t n;

    (void)pthread_mutex_lock(&a->lock);
    n = (uintptr_t)map_find(&a->counts, key_of(from));
    if (n < a->each) {
        (void)map_put(&a->counts, key_of(from), (void *)(n + 1));
        a->refs++;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return n < a->each;
}

/* Unlocks; frees with the last. */
static void unref(struct admit *a)
{
    const bool is_last = --a->refs == 0;

    (void)pthread_mutex_unlock(&a->lock);
    if (!is_last)
        return;
    (void)pthread_mutex_destroy(&a->lock);
    map_done(&a->counts);
    mem_free(a);
}

void admit_leave(void *admit, const struct stream_address *from)
{
    struct admit *a = admit;
    uintptr_t n;

    (void)pthread_mutex_lock(&a->lock);
    n = (uintptr_t)map_find(&a->counts, key_of(from));
    if (n > 1)
        (void)map_put(&a->counts, key_of(from), (void *)(n - 1));
    else
        (void)map_del(&a->counts, key_of(from));
    unref(a);
}

void admit_close(struct admit *a)
{
    if (!a)
        return;
    (void)pthread_mutex_lock(&a->lock);
    unref(a);
}
