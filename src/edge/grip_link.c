/*
 * Links of instructions. A next link is fetched for the stream that has it; streams that want the
 * same one at the same time (route, URI and Grip-Last are equal) share the fetch:
 *
 *   hold.link ─┐                        ┌─► head: its instruction, for each
 *   hold.link ─┼─► fetching ─► the call ┼─► body: to each client as it comes
 *   hold.link ─┘                        └─► end: each follows the instruction
 *
 * The fetch is as fast as the fastest client; one for whom too much waits then is cut. A failed
 * fetch is tried again for each stream after 1, 2, 4, 8, 16 seconds; a stream that holds survives
 * an origin that cannot be reached, however long. A gone link is asked for once, when the hold is
 * over.
 */
#include <assert.h>

#include "edge/grip_hold_int.h"
#include "edge/grip_uri.h"

enum {
    URI_BYTES = 8192,
    TRIES = 5,
    RETRY_MS = 1000,      /* doubled for each failure */
    DOWN_MS = 60000,      /* at most, while the origin cannot be reached */
    EMPTY_MS = 1000,      /* after a page without a byte */
    GONES = 10000,        /* gone links that may wait */
    GONE_BODY = 64 << 10, /* bytes of an answer to one that are read */
};

struct grip_link {
    struct grip_hold *hold;
    char *next, *gone; /* absolute; NULL: there is none */
    struct slice prefix;
    const void *route;
    const char *const *subs;
    uint32_t next_s;
    uint8_t tries;
    bool is_held;       /* the stream has a hold; else page follows page */
    bool has_sent;      /* bytes of this page went to the client */
    bool is_slow;       /* the page before had none */
    struct timer timer; /* the next fetch is due */
    struct list in_fetch;
    struct grip_fetching *fetch; /* NULL: none */
};

struct grip_fetching {
    struct grip_ask ask;
    struct list in_all;
    struct grip_holds *hs;
    const struct grip_origin_ops *ops;
    struct upstream_call *call; /* NULL: it waits in line, or is over */
    struct list links;          /* who wants it */
    char *uri;
    struct buf last; /* lines of Grip-Last */
    struct buf key;
    size_t owed;   /* credit that the call was not given back */
    bool has_gone; /* out of the line */
    bool is_joinable;
    bool has_response;
    bool is_json;
    bool is_telling; /* links are walked: it does not end meanwhile */
    uint16_t status;
    struct buf head, body; /* of a JSON instruction */
    struct grip_instruct instruct;
};

static struct loop *loop_of(const struct grip_holds *hs)
{
    return hs->app->edge->loop;
}

/* --- setting --- */

static int resolve(struct slice base, struct slice reference, char **ret)
{
    CLEANUP(buf_done) struct buf uri = {.max = URI_BYTES};
    const int r = grip_uri_resolve(&uri, base, reference);

    if (r == 0)
        *ret = slice_dup(buf_slice(&uri));
    return r;
}

static struct grip_link *link_of(struct grip_hold *h, const struct grip_place *place)
{
    if (h->link)
        return h->link;
    h->link = mem_new(sizeof(*h->link));
    h->link->hold = h;
    h->link->prefix = place->prefix;
    h->link->route = place->route;
    h->link->subs = place->subs;
    return h->link;
}

static void on_due(struct timer *t);

int grip_link__set(struct grip_hold *h, const struct grip_instruct *g,
                   const struct grip_place *place, struct slice base)
{
    char *next = NULL, *gone = NULL;
    struct grip_link *l;

    if ((g->has_next && resolve(base, g->next, &next) < 0) ||
        (g->has_gone && resolve(base, g->gone, &gone) < 0)) {
        mem_free(next);
        return -ERR_ORIGIN_BAD;
    }
    if (!next && !gone && !h->link)
        return 0;
    l = link_of(h, place);
    mem_free(l->next);
    l->next = next;
    l->next_s = g->next_s;
    l->is_held = g->hold == GRIP_HOLD_STREAM;
    l->timer.due = on_due;
    timer_del(loop_of(h->app->grip), &l->timer);
    if (gone) { /* one that was given stays until there is another */
        mem_free(l->gone);
        l->gone = gone;
    }
    return 0;
}

bool grip_link__is_asked(const struct grip_hold *h)
{
    return h->link && h->link->fetch;
}

bool grip_link__is_busy(const struct grip_hold *h)
{
    return h->link && h->link->fetch && h->link->fetch->has_response;
}

static void due_in(struct grip_link *l, int64_t ms)
{
    struct loop *loop = loop_of(l->hold->app->grip);

    timer_set(loop, &l->timer, loop_now(loop) + ms);
}

void grip_link__touch(struct grip_hold *h)
{
    if (h->link && h->link->next && !h->link->fetch && h->link->tries == 0)
        due_in(h->link, (int64_t)h->link->next_s * 1000);
}

/* --- a fetch and who shares it --- */

static void unjoin(struct grip_fetching *f)
{
    if (f->is_joinable)
        (void)map_del(&f->hs->joinable, buf_slice(&f->key));
    f->is_joinable = false;
}

static void reap(void *arg)
{
    mem_free(arg);
}

static void fetching_end(struct grip_fetching *f)
{
    unjoin(f);
    list_del(&f->in_all);
    grip_instruct_done(&f->instruct);
    mem_free(f->uri);
    buf_done(&f->last);
    buf_done(&f->key);
    buf_done(&f->head);
    buf_done(&f->body);
    if (f->has_gone)
        grip_line__called(f->hs);
    else
        grip_line__leave(f->hs, &f->ask);
    loop_defer(loop_of(f->hs), LOOP_REAP, reap, f);
}

static bool cancel_if_unwanted(struct grip_fetching *f)
{
    if (f->is_telling || !list_empty(&f->links))
        return false;
    if (f->call)
        f->ops->cancel(f->call);
    f->call = NULL;
    fetching_end(f);
    return true;
}

static void leave(struct grip_link *l)
{
    struct grip_fetching *f = l->fetch;

    l->fetch = NULL;
    list_del(&l->in_fetch);
    if (f)
        (void)cancel_if_unwanted(f);
}

/* Lets all go, and tells each. The last that is done with a fetch. */
static void finish(struct grip_fetching *f,
                   void (*tell)(struct grip_fetching *f, struct grip_link *l))
{
    struct list todo, *it;

    unjoin(f); /* who fetches from now on fetches anew */
    f->is_telling = true;
    list_move(&todo, &f->links);
    for (it = todo.next; it != &todo; it = it->next)
        LIST_ITEM(it, struct grip_link, in_fetch)->fetch = NULL;
    while ((it = list_pop(&todo)) != NULL)
        tell(f, LIST_ITEM(it, struct grip_link, in_fetch));
    fetching_end(f);
}

/* --- what follows for one of them --- */

static void retry(struct grip_link *l, bool is_down)
{
    struct grip_hold *h = l->hold;
    const unsigned doubled = MIN(l->tries, 6);

    if (l->has_sent || (l->tries >= TRIES && !(is_down && l->is_held))) {
        h->app->edge->stats.grip_links_lost++;
        grip_stream__end(h, SLICE("The next link cannot be fetched."));
        return;
    }
    l->tries = (uint8_t)MIN(l->tries + 1, UINT8_MAX);
    due_in(l, MIN((int64_t)RETRY_MS << doubled, DOWN_MS) + grip_holds__jitter(h->app->grip));
    grip_stream__taken(h); /* meanwhile it hears what there is */
}

static void tell_down(struct grip_fetching *f, struct grip_link *l)
{
    (void)f;
    retry(l, true);
}

static void tell_failed(struct grip_fetching *f, struct grip_link *l)
{
    (void)f;
    retry(l, false);
}

static void tell_bad(struct grip_fetching *f, struct grip_link *l)
{
    (void)f;
    grip_stream__end(l->hold, SLICE("The next link's instruction is not valid."));
}

static void tell_ended(struct grip_fetching *f, struct grip_link *l)
{
    const struct grip_place place = {slice_str(f->uri), l->prefix, l->route, l->subs};
    struct grip_hold *h = l->hold;

    l->tries = 0;
    l->is_slow = !l->has_sent;
    if (grip_link__set(h, &f->instruct, &place, place.uri) < 0)
        tell_bad(f, l);
    else
        grip_stream__go_on(h, &f->instruct, &place);
}

/* --- facts of the call --- */

static void fail(struct grip_fetching *f,
                 void (*tell)(struct grip_fetching *f, struct grip_link *l))
{
    if (f->call)
        f->ops->cancel(f->call);
    f->call = NULL;
    f->hs->app->edge->stats.grip_links_failed++;
    finish(f, tell);
}

static void on_response(void *arg, const struct upstream_response *r)
{
    struct grip_fetching *f = arg;

    unjoin(f);
    if (r->status < 200 || r->status > 299) {
        fail(f, tell_failed);
        return;
    }
    f->has_response = true;
    f->status = r->status;
    f->is_json = grip_is_json(r->head);
    buf_init(&f->head, r->head.n);
    buf_init(&f->body, GRIP_HOLD_BODY);
    if (f->is_json)
        (void)buf_add(&f->head, r->head);
    else if (grip_is_instructed(r->head) &&
             grip_instruct_parse(r->head, r->status, SLICE_NONE, &f->instruct, NULL) < 0)
        fail(f, tell_bad);
}

/* Credit for as long as one of the clients keeps up. */
static void grant(struct grip_fetching *f, const struct grip_hold *h)
{
    if (!f->call || f->owed == 0 || reply_pending(h->reply) > GRIP_HOLD_QUEUE / 2)
        return;
    f->ops->credit(f->call, f->owed);
    f->owed = 0;
}

/* False: nobody is left, and so it has ended. */
static bool spread(struct grip_fetching *f, struct slice bytes)
{
    struct blob *b = blob_copy(bytes), *chunked = NULL;
    struct list todo, *it;

    f->is_telling = true;
    list_move(&todo, &f->links); /* in two steps, because a client may be cut */
    while ((it = list_pop(&todo)) != NULL) {
        struct grip_link *l = LIST_ITEM(it, struct grip_link, in_fetch);

        list_add_tail(&f->links, it);
        l->has_sent = true;
        if (grip_stream__send(l->hold, b, &chunked))
            grant(f, l->hold);
    }
    blob_unref(b);
    blob_unref(chunked);
    f->is_telling = false;
    return !cancel_if_unwanted(f);
}

static void on_body(void *arg, struct slice bytes)
{
    struct grip_fetching *f = arg;

    f->owed += bytes.n;
    if (!f->is_json)
        (void)spread(f, bytes);
    else if (buf_add(&f->body, bytes) < 0)
        fail(f, tell_bad);
}

static bool parse_json(struct grip_fetching *f)
{
    return grip_instruct_parse(buf_slice(&f->head), f->status, buf_slice(&f->body), &f->instruct,
                               NULL) == 0;
}

static void on_ended(void *arg)
{
    struct grip_fetching *f = arg;

    f->call = NULL;
    if (f->is_json && !parse_json(f)) {
        fail(f, tell_bad);
        return;
    }
    /* The fetch ends with the last of those who want it. */
    if (f->instruct.body.n == 0 || spread(f, f->instruct.body))
        finish(f, tell_ended);
}

static void on_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    struct grip_fetching *f = arg;

    (void)err;
    (void)text;
    f->call = NULL;
    fail(f, reached == UPSTREAM_NOT_REACHED ? tell_down : tell_failed);
}

static const struct upstream_ops call_facts = {
    .response = on_response,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
};

static void go_fetch(struct grip_ask *ask)
{
    struct grip_fetching *f = CONTAINER_OF(ask, struct grip_fetching, ask);
    const struct grip_link *l = LIST_ITEM(f->links.next, struct grip_link, in_fetch);
    const struct grip_fetch request = {
        .method = SLICE("GET"),
        .uri = slice_str(f->uri),
        .last = buf_slice(&f->last),
    };

    f->has_gone = true;
    f->hs->app->edge->stats.grip_links++;
    f->call = f->ops->fetch(l->hold->origin, &request, &call_facts, f);
}

/* --- asking for one --- */

static void put_key(struct buf *out, const struct grip_link *l, struct slice last)
{
    buf_init(out, SIZE_MAX);
    (void)buf_add(out, slice_make(&l->route, sizeof(l->route)));
    (void)buf_add(out, slice_str(l->next));
    (void)buf_add_byte(out, '\n');
    (void)buf_add(out, last);
}

/* Takes last and key. */
static struct grip_fetching *fetching_new(struct grip_link *l, struct buf *last, struct buf *key)
{
    struct grip_holds *hs = l->hold->app->grip;
    struct grip_fetching *f = mem_new(sizeof(*f));

    f->ask.go = go_fetch;
    f->hs = hs;
    f->ops = l->hold->ops;
    f->uri = slice_dup(slice_str(l->next));
    f->last = *last;
    f->key = *key;
    *last = *key = (struct buf){0};
    f->is_joinable = true;
    list_init(&f->links);
    list_add_tail(&hs->fetches, &f->in_all);
    (void)map_put(&hs->joinable, buf_slice(&f->key), f);
    return f;
}

/* What is published from now on comes behind the page, which is about what was before. */
static void join(struct grip_link *l, struct grip_fetching *f)
{
    subscriber_pause(&l->hold->sub);
    l->fetch = f;
    l->has_sent = false;
    list_add_tail(&f->links, &l->in_fetch);
}

static void fetch(struct grip_link *l)
{
    struct grip_holds *hs = l->hold->app->grip;
    CLEANUP(buf_done) struct buf last = {0};
    CLEANUP(buf_done) struct buf key = {0};
    struct grip_fetching *f;

    grip_hold__last(l->hold, l->prefix, &last);
    put_key(&key, l, buf_slice(&last));
    f = map_find(&hs->joinable, buf_slice(&key));
    if (f) {
        join(l, f);
        return;
    }
    f = fetching_new(l, &last, &key);
    join(l, f);
    grip_line__call(hs, &f->ask);
}

/* A page at a time, when the client has the one before; none in a hurry where pages are empty. */
static bool must_wait(struct grip_link *l)
{
    const bool is_behind = reply_pending(l->hold->reply) > GRIP_HOLD_QUEUE;
    const bool is_slow = l->is_slow && !l->is_held;

    l->is_slow = false;
    if (is_behind || is_slow)
        due_in(l, EMPTY_MS);
    return is_behind || is_slow;
}

void grip_link__fetch(struct grip_hold *h)
{
    struct grip_link *l = h->link;

    if (!l || !l->next || l->fetch)
        return;
    /* After a failure its time has to come, whatever else wants it. */
    if (l->tries > 0 && heap_is_set(&l->timer.node))
        return;
    timer_del(loop_of(h->app->grip), &l->timer);
    if (!must_wait(l))
        fetch(l);
}

static void on_due(struct timer *t)
{
    grip_link__fetch(CONTAINER_OF(t, struct grip_link, timer)->hold);
}

void grip_link__taken(struct grip_hold *h)
{
    if (h->link && h->link->fetch)
        grant(h->link->fetch, h);
}

/* --- gone links --- */

struct grip_gone {
    struct grip_ask ask;
    struct list in_all;
    struct grip_holds *hs;
    const struct grip_origin_ops *ops;
    void *origin;               /* NULL: the call has begun */
    struct upstream_call *call; /* NULL: it waits, or is over */
    size_t received;
    bool has_gone;
    char *uri;
};

static void gone_end(struct grip_gone *g)
{
    g->hs->n_gones--;
    list_del(&g->in_all);
    if (g->call)
        g->ops->cancel(g->call);
    g->call = NULL;
    if (g->origin)
        g->ops->release(g->origin);
    mem_free(g->uri);
    if (g->has_gone)
        grip_line__called(g->hs);
    else
        grip_line__leave(g->hs, &g->ask);
    loop_defer(loop_of(g->hs), LOOP_REAP, reap, g);
}

static void on_gone_response(void *arg, const struct upstream_response *r)
{
    (void)arg;
    (void)r;
}

static void on_gone_body(void *arg, struct slice bytes)
{
    struct grip_gone *g = arg;

    g->received += bytes.n;
    if (g->received > GONE_BODY)
        gone_end(g);
}

static void on_gone_ended(void *arg)
{
    struct grip_gone *g = arg;

    g->call = NULL;
    gone_end(g);
}

static void on_gone_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    (void)reached;
    (void)err;
    (void)text;
    on_gone_ended(arg);
}

static const struct upstream_ops gone_facts = {
    .response = on_gone_response,
    .body = on_gone_body,
    .ended = on_gone_ended,
    .failed = on_gone_failed,
};

static void go_gone(struct grip_ask *ask)
{
    struct grip_gone *g = CONTAINER_OF(ask, struct grip_gone, ask);
    const struct grip_fetch request = {.method = SLICE("POST"), .uri = slice_str(g->uri)};

    g->has_gone = true;
    g->call = g->ops->fetch(g->origin, &request, &gone_facts, g);
    g->ops->release(g->origin);
    g->origin = NULL;
}

static void say_gone(struct grip_hold *h)
{
    struct grip_holds *hs = h->app->grip;
    struct grip_gone *g;

    if (hs->n_gones >= GONES) {
        h->app->edge->stats.grip_gones_dropped++;
        return;
    }
    hs->n_gones++;
    g = mem_new(sizeof(*g));
    g->ask.go = go_gone;
    g->hs = hs;
    g->ops = h->ops;
    g->origin = h->origin;
    h->origin = NULL;
    g->uri = h->link->gone;
    h->link->gone = NULL;
    list_add_tail(&hs->gones, &g->in_all);
    grip_line__call(hs, &g->ask);
}

/* --- the end --- */

void grip_link__end(struct grip_hold *h, bool gone)
{
    struct grip_link *l = h->link;

    if (!l)
        return;
    leave(l);
    timer_del(loop_of(h->app->grip), &l->timer);
    if (gone && l->gone)
        say_gone(h);
    h->link = NULL;
    mem_free(l->next);
    mem_free(l->gone);
    loop_defer(loop_of(h->app->grip), LOOP_REAP, reap, l);
}

void grip_link__cancel_all(struct grip_holds *hs)
{
    struct list *it, *next;

    assert(list_empty(&hs->holds) && list_empty(&hs->fetches));
    list_init(&hs->line); /* nobody's turn comes any more */
    LIST_EACH (&hs->gones, it, next) {
        struct grip_gone *g = LIST_ITEM(it, struct grip_gone, in_all);

        if (!g->has_gone)
            hs->app->edge->stats.grip_waiting--;
        g->ask.in_line = (struct list){0};
        gone_end(g);
    }
}
