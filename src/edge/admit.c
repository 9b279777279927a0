#include "edge/admit.h"

#include "base/map.h"
#include "io/stream.h"

struct admit {
    struct map counts; /* address or network → how many, as a pointer's value */
    uint32_t each;
    uint64_t refs; /* who entered, and the owner */
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
    return a;
}

bool admit_enter(struct admit *a, const struct stream_address *from)
{
    const uintptr_t n = (uintptr_t)map_find(&a->counts, key_of(from));

    if (n >= a->each)
        return false;
    (void)map_put(&a->counts, key_of(from), (void *)(n + 1));
    a->refs++;
    return true;
}

static void unref(struct admit *a)
{
    if (--a->refs > 0)
        return;
    map_done(&a->counts);
    mem_free(a);
}

void admit_leave(void *admit, const struct stream_address *from)
{
    struct admit *a = admit;
    const uintptr_t n = (uintptr_t)map_find(&a->counts, key_of(from));

    if (n > 1)
        (void)map_put(&a->counts, key_of(from), (void *)(n - 1));
    else
        (void)map_del(&a->counts, key_of(from));
    unref(a);
}

void admit_close(struct admit *a)
{
    if (a)
        unref(a);
}
