#include "edge/statistics.h"

#include "conn/exchange.h"
#include "edge/client.h"
#include "edge/roster.h"
#include "edge/statistics_int.h"
#include "io/stream.h"

enum { COUNT_MS = 1000 };

/* Of an edge; NULL in it: nobody wants to know. */
struct statistics {
    struct edge *edge;
    struct timer timer;
    struct statistics_counts told;
    bool no_conns;
    struct statistics_book *book; /* edge 0's */
};

enum fact_kind { FACT_CONN, FACT_GONE, FACT_SUB, FACT_COUNT };

struct fact {
    struct mail mail;
    struct edge *to;
    enum fact_kind kind;
    bool is_ws, is_tls;
    enum grip_kind mode;
    int change;
    char id[ROSTER_NAME + 1];
    struct statistics_counts counts;
    size_t n;
    uint8_t text[]; /* the peer's address, or the channel */
};

/* --- edge 0 hears --- */

static void on_fact(struct mail *m)
{
    struct fact *f = CONTAINER_OF(m, struct fact, mail);
    struct statistics *s = f->to->gone ? NULL : f->to->statistics;
    const struct slice text = slice_make(f->text, f->n);

    if (s && f->kind == FACT_CONN)
        statistics_book_conn(s->book, slice_str(f->id), text, f->is_ws, f->is_tls);
    else if (s && f->kind == FACT_GONE)
        statistics_book_gone(s->book, slice_str(f->id));
    else if (s && f->kind == FACT_SUB)
        statistics_book_sub(s->book, f->mode, text, f->change);
    else if (s)
        statistics_book_count(s->book, &f->counts);
    mem_free(f);
}

static void tell(struct edge *e, struct fact what, struct slice text)
{
    struct fact *f = mem_new(sizeof(*f) + text.n);

    *f = what;
    f->mail.deliver = on_fact;
    f->to = e->siblings[0];
    f->n = text.n;
    if (text.n)
        memcpy(f->text, text.p, text.n);
    mailbox_post(f->to->loop, &f->mail);
}

/* --- an edge tells --- */

void statistics_conn(struct edge *e, uint64_t seat, const struct exchange *x, bool is_ws)
{
    struct fact f = {.kind = FACT_CONN, .is_ws = is_ws};
    char text[CLIENT_TEXT];
    struct slice peer = SLICE_NONE;

    if (!e->statistics || e->statistics->no_conns)
        return;
    if (x) {
        const struct exchange_request *rq = exchange_request(x);

        peer = client_find(&e->trusted, exchange_peer(x), rq, text);
        f.is_tls = rq->tls_version != NULL;
    }
    roster_name(seat, f.id);
    tell(e, f, peer);
}

void statistics_gone(struct edge *e, uint64_t seat)
{
    struct fact f = {.kind = FACT_GONE};

    if (!e->statistics || e->statistics->no_conns)
        return;
    roster_name(seat, f.id);
    tell(e, f, SLICE_NONE);
}

void statistics_sub(struct edge *e, enum grip_kind kind, struct slice channel, int change)
{
    if (e->statistics)
        tell(e, (struct fact){.kind = FACT_SUB, .mode = kind, .change = change}, channel);
}

static struct statistics_counts counts_of(const struct edge *e)
{
    struct statistics_counts c = {
        .requests = e->stats.requests_origin,
        .received = e->index == 0 ? e->stats.items_published : 0, /* every edge gets every item */
        .sent = e->stats.items_delivered,
    };

    for (size_t i = 0; i < e->n_apps; i++) {
        c.messages_in += e->apps[i]->stats.messages_in;
        c.messages_out += e->apps[i]->stats.messages_out;
        c.bytes_in += e->apps[i]->stats.bytes_in;
        c.bytes_out += e->apps[i]->stats.bytes_out;
    }
    return c;
}

static void on_due(struct timer *t)
{
    struct statistics *s = CONTAINER_OF(t, struct statistics, timer);
    const struct statistics_counts now = counts_of(s->edge), was = s->told;
    struct fact f = {.kind = FACT_COUNT};

    timer_set(s->edge->loop, t, loop_now(s->edge->loop) + COUNT_MS);
    if (memcmp(&now, &was, sizeof(now)) == 0)
        return;
    s->told = now;
    f.counts = (struct statistics_counts){
        now.requests - was.requests,
        now.received - was.received,
        now.sent - was.sent,
        now.messages_in - was.messages_in,
        now.messages_out - was.messages_out,
        now.bytes_in - was.bytes_in,
        now.bytes_out - was.bytes_out,
    };
    tell(s->edge, f, SLICE_NONE);
}

/* --- life --- */

void statistics_open(struct edge *e, const struct grip_options *o)
{
    struct statistics *s;

    if (!o->zmq.stats || !o->zmq.stats[0])
        return;
    s = e->statistics = mem_new(sizeof(*s));
    s->edge = e;
    s->no_conns = o->zmq.no_stats_connections;
    s->timer.due = on_due;
    timer_set(e->loop, &s->timer, loop_now(e->loop) + COUNT_MS);
    if (e->index == 0)
        s->book = statistics_book_new(e, o);
}

void statistics_close(struct edge *e)
{
    struct statistics *s = e->statistics;

    if (!s)
        return;
    e->statistics = NULL;
    timer_del(e->loop, &s->timer);
    statistics_book_free(s->book);
    mem_free(s);
}
