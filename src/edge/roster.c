#include "edge/roster.h"

#include <stdio.h>

#include "base/enc.h"
#include "base/map.h"
#include "edge/edge_int.h"
#include "edge/round.h"
#include "edge/statistics.h"

struct seat {
    struct slot slot;
    roster_refresh *refresh;
    void *arg;
};

void roster_init(struct edge *e)
{
    slots_init(&e->roster, edge_tag(e), sizeof(struct seat));
}

uint64_t roster_add(struct edge *e, roster_refresh *refresh, void *arg)
{
    struct seat *s = slots_add(&e->roster);

    if (!s)
        return 0;
    s->refresh = refresh;
    s->arg = arg;
    return s->slot.id;
}

void roster_drop(struct edge *e, uint64_t seat)
{
    struct seat *s = seat ? slots_find(&e->roster, seat) : NULL;

    if (!s)
        return;
    statistics_gone(e, seat);
    slots_drop(&e->roster, s);
}

/* --- names ---
 *
 *   xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx
 *   60 bits before v: a keyed hash of the seat; 62 bits from v on: the seat, under a keyed hash of
 *   the others (RFC 9562 5.4 fixes the other 6)
 */

static uint64_t check_of(uint64_t seat)
{
    return map_hash64(seat) & UINT64_C(0xffffffffffff0fff);
}

static uint64_t mask_of(uint64_t check)
{
    return map_hash64(~check) & (UINT64_MAX >> 2);
}

void roster_name(uint64_t seat, char ret[ROSTER_NAME + 1])
{
    const uint64_t check = check_of(seat), high = check | 0x4000;
    const uint64_t low = (seat ^ mask_of(check)) | UINT64_C(1) << 63;

    (void)snprintf(ret, ROSTER_NAME + 1, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                   (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
                   (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
}

/* The 16 bytes of a UUID in its usual form. */
static bool bytes_of(struct slice name, uint8_t ret[16])
{
    struct buf out = {.p = ret, .cap = 16, .max = 16};
    struct slice part;
    size_t n = 0;

    if (name.n != ROSTER_NAME)
        return false;
    for (; slice_split(&name, '-', &part); n++)
        if (enc_hex_decode(&out, part) < 0)
            return false;
    return n == 5 && out.n == 16;
}

static uint64_t number(const uint8_t p[8])
{
    uint64_t n = 0;

    for (size_t i = 0; i < 8; i++)
        n = n << 8 | p[i];
    return n;
}

uint64_t roster_seat(struct slice name)
{
    uint8_t b[16];
    uint64_t check, seat;

    if (!bytes_of(name, b))
        return 0;
    check = number(b) & UINT64_C(0xffffffffffff0fff);
    seat = (number(b + 8) & (UINT64_MAX >> 2)) ^ mask_of(check);
    return check_of(seat) == check ? seat : 0;
}

/* --- asking all edges --- */

struct question {
    struct round round;
    struct roster_call call;
    void (*done)(void *arg, const struct roster_call *call);
    void *arg;
};

static void look(struct round *r, struct edge *here)
{
    struct roster_call *c = &CONTAINER_OF(r, struct question, round)->call;

    for (size_t i = 0; i < c->n; i++) {
        struct seat *s = slots_find(&here->roster, c->seats[i]);

        if (!s)
            continue;
        c->found[i] = !c->refresh || s->refresh;
        if (c->refresh && s->refresh)
            s->refresh(s->arg);
    }
}

static void come_back(struct round *r)
{
    struct question *q = CONTAINER_OF(r, struct question, round);

    if (!r->asker->gone)
        q->done(q->arg, &q->call);
    mem_free(q->call.seats);
    mem_free(q->call.found);
    mem_free(q);
}

void roster_ask(struct edge *e, struct roster_call take_call,
                void (*done)(void *arg, const struct roster_call *call), void *arg)
{
    struct question *q = mem_new(sizeof(*q));

    *q = (struct question){
        .round = {.visit = look, .back = come_back},
        .call = take_call,
        .done = done,
        .arg = arg,
    };
    round_send(&q->round, e);
}
