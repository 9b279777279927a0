/*
 * What is true now on all edges, and when it was said last. A line is "TYPE T<tnetstring>" or "TYPE
 * J<JSON>".
 */
#include "base/enc.h"
#include "base/map.h"
#include "edge/statistics_int.h"
#include "edge/zeromq.h"
#include "wire/tnet.h"

enum {
    TICK_MS = 1000,
    MINUTE_MS = 60000,
    LINE_MAX_BYTES = 1 << 20, /* a channel's name is never so long */
};

struct conn {
    int64_t since_ms; /* and a minute later for each that was counted */
    int64_t again_ms;
    bool is_ws, is_tls;
    size_t n;
    uint8_t peer[];
};

/* A channel that is listened to in one way. */
struct listened {
    struct list in_fresh; /* linked: what was said may not be true */
    enum grip_kind mode;
    uint32_t count;
    bool is_said;
    int64_t again_ms;
    int64_t end_ms;   /* nobody is there any more: until then somebody may come back */
    struct slice key; /* the mode's digit, and the channel */
};

struct statistics_book {
    struct edge *edge;
    struct timer timer;
    char *from;
    bool is_json;
    uint32_t conn_ms, sub_ms, report_ms, linger_ms;
    struct map conns;    /* by id */
    struct map listened; /* by key */
    struct list fresh;
    struct timer soon; /* set while there are fresh ones */
    /* Since the last report. */
    int64_t reported_ms;
    uint32_t most;
    uint64_t minutes;
    struct statistics_counts counts;
};

static int64_t now_of(const struct statistics_book *b)
{
    return loop_now(b->edge->loop);
}

/* --- lines --- */

struct line {
    const struct statistics_book *book;
    const char *type;
    struct buf members;
};

static struct line line_of(const struct statistics_book *b, const char *type)
{
    return (struct line){b, type, {.max = LINE_MAX_BYTES}};
}

/* JSON: the name and what stands before it. */
static void put_name(struct line *l, const char *name)
{
    if (!l->book->is_json) {
        (void)tnet_put_string(&l->members, slice_str(name));
        return;
    }
    (void)buf_addf(&l->members, "%s\"%s\":", l->members.n ? "," : "", name);
}

static void put_text(struct line *l, const char *name, struct slice text)
{
    put_name(l, name);
    if (l->book->is_json)
        (void)enc_json(&l->members, text);
    else
        (void)tnet_put_string(&l->members, text);
}

static void put_number(struct line *l, const char *name, uint64_t n)
{
    put_name(l, name);
    if (l->book->is_json)
        (void)buf_addf(&l->members, "%llu", (unsigned long long)n);
    else
        (void)tnet_put_int(&l->members, (int64_t)n);
}

static void put_true(struct line *l, const char *name)
{
    put_name(l, name);
    if (l->book->is_json)
        (void)buf_add(&l->members, SLICE("true"));
    else
        (void)tnet_put_bool(&l->members, true);
}

static void say(struct line *l)
{
    CLEANUP(buf_done) struct buf out = {.max = LINE_MAX_BYTES + 64};

    put_text(l, "from", slice_str(l->book->from));
    (void)buf_addf(&out, "%s %c", l->type, l->book->is_json ? 'J' : 'T');
    if (l->book->is_json) {
        (void)buf_add_byte(&out, '{');
        (void)buf_add(&out, buf_slice(&l->members));
        (void)buf_add_byte(&out, '}');
    } else
        (void)tnet_put(&out, TNET_MAP, buf_slice(&l->members));
    zeromq_say(l->book->edge->zeromq, buf_slice(&out));
    buf_done(&l->members);
}

/* --- connections --- */

static void say_conn(struct statistics_book *b, struct slice id, struct conn *c)
{
    struct line l = line_of(b, "conn");

    put_text(&l, "id", id);
    put_text(&l, "type", c->is_ws ? SLICE("ws") : SLICE("http"));
    if (c->n)
        put_text(&l, "peer-address", slice_make(c->peer, c->n));
    if (c->is_tls)
        put_true(&l, "ssl");
    put_number(&l, "ttl", b->conn_ms / 1000);
    say(&l);
    c->again_ms = now_of(b) + b->conn_ms / 2;
}

void statistics_book_conn(struct statistics_book *b, struct slice id, struct slice peer, bool is_ws,
                          bool is_tls)
{
    struct conn *c = mem_new(sizeof(*c) + peer.n);

    c->since_ms = now_of(b);
    c->is_ws = is_ws;
    c->is_tls = is_tls;
    c->n = peer.n;
    if (peer.n)
        memcpy(c->peer, peer.p, peer.n);
    mem_free(map_put(&b->conns, id, c));
    b->minutes++;
    b->most = MAX(b->most, b->conns.count);
    say_conn(b, id, c);
}

void statistics_book_gone(struct statistics_book *b, struct slice id)
{
    struct conn *c = map_del(&b->conns, id);
    struct line l = line_of(b, "conn");

    if (!c)
        return;
    mem_free(c);
    put_text(&l, "id", id);
    put_true(&l, "unavailable");
    say(&l);
}

static void sweep_conns(struct statistics_book *b, int64_t now)
{
    uint32_t at = 0;
    struct slice id;
    void *value;

    while (map_next(&b->conns, &at, &id, &value)) {
        struct conn *c = value;

        if (now - c->since_ms >= MINUTE_MS) {
            c->since_ms += MINUTE_MS;
            b->minutes++;
        }
        if (now >= c->again_ms)
            say_conn(b, id, c);
    }
}

/* --- channels --- */

static void say_listened(struct statistics_book *b, struct listened *s)
{
    static const char *const modes[GRIP_KINDS] = {"response", "stream", "ws"};
    struct line l = line_of(b, "sub");

    put_text(&l, "mode", slice_str(modes[s->mode]));
    put_text(&l, "channel", slice_sub(s->key, 1, s->key.n));
    if (s->count || s->end_ms > now_of(b)) {
        put_number(&l, "ttl", b->sub_ms / 1000);
        put_number(&l, "subscribers", s->count);
    } else
        put_true(&l, "unavailable");
    say(&l);
    s->is_said = true;
    s->again_ms = now_of(b) + b->sub_ms / 2;
}

static void forget(struct statistics_book *b, struct listened *s)
{
    list_del(&s->in_fresh);
    (void)map_del(&b->listened, s->key);
    mem_free((void *)s->key.p);
    mem_free(s);
}

/* What came and went within one tick is not told. */
static void on_soon(struct timer *t)
{
    struct statistics_book *b = CONTAINER_OF(t, struct statistics_book, soon);
    struct list *it, *tmp;

    LIST_EACH (&b->fresh, it, tmp) {
        struct listened *s = CONTAINER_OF(it, struct listened, in_fresh);
        const bool is_over = s->count == 0 && s->end_ms <= now_of(b);

        list_del(it);
        if (s->count || s->is_said)
            say_listened(b, s);
        if (is_over)
            forget(b, s);
    }
}

static struct listened *find_listened(struct statistics_book *b, enum grip_kind mode,
                                      struct slice channel)
{
    CLEANUP(buf_done) struct buf key = {.max = channel.n + 1};
    struct listened *s;

    (void)buf_add_byte(&key, (uint8_t)('0' + mode));
    (void)buf_add(&key, channel);
    if ((s = map_find(&b->listened, buf_slice(&key))))
        return s;
    s = mem_new(sizeof(*s));
    s->mode = mode;
    s->key = slice_make(slice_dup(buf_slice(&key)), key.n);
    (void)map_put(&b->listened, s->key, s);
    return s;
}

void statistics_book_sub(struct statistics_book *b, enum grip_kind kind, struct slice channel,
                         int change)
{
    struct listened *s = find_listened(b, kind, channel);

    s->count += (uint32_t)change;
    s->end_ms = now_of(b) + (kind == GRIP_HTTP_RESPONSE ? b->linger_ms : 0);
    if (list_linked(&s->in_fresh))
        return;
    if (list_empty(&b->fresh))
        timer_set(b->edge->loop, &b->soon, now_of(b));
    list_add_tail(&b->fresh, &s->in_fresh);
}

static void sweep_listened(struct statistics_book *b, int64_t now)
{
    uint32_t at = 0;
    struct slice key;
    void *value;

    while (map_next(&b->listened, &at, &key, &value)) {
        struct listened *s = value;
        const bool is_over = s->count == 0 && now >= s->end_ms;

        if (is_over || now >= s->again_ms)
            say_listened(b, s);
        if (is_over)
            forget(b, s);
    }
}

/* --- what was counted --- */

/* How much there was to do, twice: as Pushpin says it, and as others read it. */
static void say_requests(struct statistics_book *b, uint64_t n)
{
    struct line activity = line_of(b, "activity"), counts = line_of(b, "counts");

    put_number(&activity, "count", n);
    say(&activity);
    put_number(&counts, "requests-received", n);
    say(&counts);
}

void statistics_book_count(struct statistics_book *b, const struct statistics_counts *c)
{
    struct statistics_counts *sum = &b->counts;

    if (c->requests)
        say_requests(b, c->requests);
    sum->received += c->received;
    sum->sent += c->sent;
    sum->messages_in += c->messages_in;
    sum->messages_out += c->messages_out;
    sum->bytes_in += c->bytes_in;
    sum->bytes_out += c->bytes_out;
}

static void say_report(struct statistics_book *b, int64_t now)
{
    struct line l = line_of(b, "report");

    put_number(&l, "connections", b->most);
    put_number(&l, "minutes", b->minutes);
    put_number(&l, "received", b->counts.received);
    put_number(&l, "sent", b->counts.sent);
    put_number(&l, "client-messages-received", b->counts.messages_in);
    put_number(&l, "client-messages-sent", b->counts.messages_out);
    put_number(&l, "client-content-bytes-received", b->counts.bytes_in);
    put_number(&l, "client-content-bytes-sent", b->counts.bytes_out);
    put_number(&l, "duration", (uint64_t)(now - b->reported_ms));
    say(&l);
    b->counts = (struct statistics_counts){0};
    b->minutes = 0;
    b->most = b->conns.count;
    b->reported_ms = now;
}

static void on_tick(struct timer *t)
{
    struct statistics_book *b = CONTAINER_OF(t, struct statistics_book, timer);
    const int64_t now = now_of(b);

    sweep_conns(b, now);
    sweep_listened(b, now);
    if (now - b->reported_ms >= b->report_ms)
        say_report(b, now);
    timer_set(b->edge->loop, t, now + TICK_MS);
}

/* --- life --- */

#define OR(value, usual) ((value) ? (value) : (usual))

struct statistics_book *statistics_book_new(struct edge *edge0, const struct grip_options *o)
{
    struct statistics_book *b = mem_new(sizeof(*b));

    *b = (struct statistics_book){
        .edge = edge0,
        .timer.due = on_tick,
        .soon.due = on_soon,
        .from = slice_dup(slice_str(o->zmq.stats_from ? o->zmq.stats_from : "holdfast")),
        .is_json = o->zmq.stats_json,
        .conn_ms = OR(o->zmq.stats_conn_ms, 120000),
        .sub_ms = OR(o->zmq.stats_sub_ms, 60000),
        .report_ms = OR(o->zmq.stats_report_ms, 10000),
        .linger_ms = o->linger_ms == APP_NEVER ? 0 : OR(o->linger_ms, 60000),
        .reported_ms = loop_now(edge0->loop),
    };
    list_init(&b->fresh);
    timer_set(edge0->loop, &b->timer, loop_now(edge0->loop) + TICK_MS);
    return b;
}

void statistics_book_free(struct statistics_book *b)
{
    uint32_t at = 0;
    struct slice key;
    void *value;

    if (!b)
        return;
    timer_del(b->edge->loop, &b->timer);
    timer_del(b->edge->loop, &b->soon);
    while (map_next(&b->conns, &at, &key, &value))
        mem_free(value);
    for (at = 0; map_next(&b->listened, &at, &key, &value);)
        forget(b, value);
    map_done(&b->conns);
    map_done(&b->listened);
    mem_free(b->from);
    mem_free(b);
}
