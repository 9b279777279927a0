#include "edge/census.h"

#include <stdlib.h>

#include "base/enc.h"
#include "base/map.h"
#include "conn/exchange.h"
#include "edge/edge_int.h"
#include "edge/relay.h"
#include "edge/round.h"
#include "edge/subscriber.h"
#include "hub/hub.h"

enum { JSON_MAX = 64 << 20, NAME_MAX_BYTES = 16 << 10 };

struct tally {
    uint32_t n[GRIP_KINDS];
};

struct census {
    struct round round;
    struct exchange *x; /* NULL: the client has gone meanwhile */
    struct map tallies; /* by channel, of struct tally */
    bool is_chosen;     /* the channels that are wanted are in tallies already */
    bool more;
    struct buf prefix;
};

/* --- counting --- */

static void count(struct tally *t, const struct hub_channel_info *c)
{
    for (const struct list *it = c->list->next; it != c->list; it = it->next)
        t->n[subscriber_kind_of(LIST_ITEM(it, struct sub, in_channel))]++;
}

static struct tally *tally_of(struct census *s, struct slice name)
{
    struct tally *t = map_find(&s->tallies, name);

    if (t || s->is_chosen || !slice_starts(name, buf_slice(&s->prefix)))
        return t;
    if (s->tallies.count == CENSUS_CHANNELS) {
        s->more = true;
        return NULL;
    }
    t = mem_new(sizeof(*t));
    (void)map_put(&s->tallies, name, t);
    return t;
}

static void ask(struct census *s, const struct hub *h)
{
    struct hub_channel_info c;
    uint32_t it = 0;

    while (hub_next(h, &it, &c)) {
        struct tally *t = c.subs ? tally_of(s, c.name) : NULL;

        if (t)
            count(t, &c);
    }
}

/* --- the answer --- */

struct row {
    struct slice name;
    const struct tally *tally;
};

static int by_name(const void *a, const void *b)
{
    const struct slice x = ((const struct row *)a)->name, y = ((const struct row *)b)->name;
    const int order = memcmp(x.p, y.p, MIN(x.n, y.n));

    return order ? order : (x.n > y.n) - (x.n < y.n);
}

static struct row *sorted_rows(const struct census *s)
{
    struct row *rows = mem_new((s->tallies.count + 1) * sizeof(*rows));
    uint32_t at = 0;
    size_t n = 0;
    void *tally;

    while (map_next(&s->tallies, &at, &rows[n].name, &tally))
        rows[n++].tally = tally;
    qsort(rows, n, sizeof(*rows), by_name);
    return rows;
}

static void put_rows(const struct census *s, struct buf *out)
{
    struct row *rows = sorted_rows(s);

    for (uint32_t i = 0; i < s->tallies.count; i++) {
        const uint32_t *n = rows[i].tally->n;

        (void)buf_add(out, i ? SLICE(",") : SLICE_NONE);
        (void)enc_json(out, rows[i].name);
        (void)buf_addf(out, ":{\"response\":%u,\"stream\":%u,\"ws\":%u}", n[GRIP_HTTP_RESPONSE],
                       n[GRIP_HTTP_STREAM], n[GRIP_WS_MESSAGE]);
    }
    mem_free(rows);
}

static void tell(struct census *s)
{
    struct buf out;

    buf_init(&out, JSON_MAX);
    (void)buf_add(&out, SLICE("{\"channels\":{"));
    put_rows(s, &out);
    (void)buf_addf(&out, "},\"more\":%s}\n", s->more ? "true" : "false");
    if (slice_ends(buf_slice(&out), SLICE("}\n")))
        exchange_answer(s->x, 200, SLICE("application/json"), buf_slice(&out));
    else
        exchange_fail(s->x, -ERR_TOO_LARGE, SLICE_NONE);
    buf_done(&out);
}

/* --- the way --- */

static void end_census(struct census *s)
{
    struct slice name;
    uint32_t at = 0;
    void *tally;

    while (map_next(&s->tallies, &at, &name, &tally))
        mem_free(tally);
    map_done(&s->tallies);
    buf_done(&s->prefix);
    mem_free(s);
}

static void come_back(struct round *r)
{
    struct census *s = CONTAINER_OF(r, struct census, round);

    if (s->x)
        tell(s);
    end_census(s);
}

static void visit(struct round *r, struct edge *here)
{
    ask(CONTAINER_OF(r, struct census, round), relay_hub(here->relay));
}

static void on_closed(void *arg, int err)
{
    struct census *s = arg;

    s->x = NULL;
}

static const struct exchange_ops waiting = {.closed = on_closed};

static void choose(struct census *s, struct slice name)
{
    s->is_chosen = true;
    if (s->tallies.count < CENSUS_CHANNELS && !map_find(&s->tallies, name))
        (void)map_put(&s->tallies, name, mem_new(sizeof(struct tally)));
}

/* "channel=a&prefix=b": percent-encoded. */
static void read_query(struct census *s, struct slice query)
{
    struct slice part, name;

    while (slice_split(&query, '&', &part)) {
        struct buf value;

        (void)slice_split(&part, '=', &name);
        buf_init(&value, NAME_MAX_BYTES);
        if (enc_percent_decode(&value, part) == 0) {
            if (slice_eq(name, SLICE("channel")))
                choose(s, buf_slice(&value));
            else if (slice_eq(name, SLICE("prefix")) && s->prefix.n == 0)
                (void)buf_add(&s->prefix, buf_slice(&value));
        }
        buf_done(&value);
    }
}

void census_answer(struct edge *e, struct exchange *x)
{
    struct census *s = mem_new(sizeof(*s));
    const struct slice target = exchange_request(x)->target;
    const ptrdiff_t query = slice_find(target, '?');

    s->round.visit = visit;
    s->round.back = come_back;
    s->x = x;
    buf_init(&s->prefix, NAME_MAX_BYTES);
    if (query >= 0)
        read_query(s, slice_sub(target, (size_t)query + 1, SIZE_MAX));
    exchange_attach(x, &waiting, s);
    round_send(&s->round, e);
}
