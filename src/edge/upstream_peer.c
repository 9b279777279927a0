/*
 * The servers of an application: connections that wait for the next request, and whether a server
 * can be reached at all.
 */
#include <assert.h>

#include "edge/edge_int.h"
#include "edge/settings.h"
#include "edge/upstream_int.h"
#include "io/memory.h"

static const struct app_origin *config_of(const struct upstream__peer *p)
{
    return p->upstreams->app->settings->config.origin;
}

static int64_t now_of(const struct upstream__peer *p)
{
    return loop_now(p->upstreams->loop);
}

/* --- life --- */

struct upstream__peer *upstream__peer(struct upstreams *u, struct slice key, const char *name)
{
    struct upstream__peer *p = map_find(&u->peers, key);

    if (p)
        return p;
    p = mem_new(sizeof(*p));
    p->upstreams = u;
    p->key = slice_make(slice_dup(key), key.n);
    p->name = slice_dup(slice_str(name));
    list_init(&p->idle);
    list_init(&p->line);
    (void)map_put(&u->peers, key, p);
    return p;
}

static void free_peer(struct upstream__peer *p)
{
    (void)map_del(&p->upstreams->peers, p->key);
    mem_free((void *)p->key.p);
    mem_free(p->name);
    mem_free(p);
}

void upstream__peer_rest(struct upstream__peer *p)
{
    if (p->open == 0 && p->n_line == 0 && p->failures == 0)
        free_peer(p);
}

bool upstream__peer_go_on(struct upstream__peer *p)
{
    if (p->n_line == 0 || p->open >= UPSTREAM__CONNECTIONS)
        return false;
    upstream__call_next(p);
    return true;
}

void upstream__free_peers(struct upstreams *u)
{
    uint32_t it = 0;
    struct slice key;
    void *p;

    while (map_next(&u->peers, &it, &key, &p))
        free_peer(p);
    map_done(&u->peers);
}

/* --- health --- */

bool upstream__peer_is_well(const struct upstream__peer *p)
{
    return p->rests_until <= now_of(p);
}

bool upstream__peer_wants_probe(const struct upstream__peer *p)
{
    return p->attempts == 0 && p->probe_at <= now_of(p);
}

void upstream__peer_reached(struct upstream__peer *p)
{
    p->attempts--;
    p->failures = 0;
    p->rests_until = 0;
}

static void log_rest(const struct upstream__peer *p)
{
    const struct app *a = p->upstreams->app;

    log_event(&a->edge->log, LOG_WARN, "upstream.rests", F_TEXT("app", app_name(a)),
              F_NAME("target", p->name), F_UINT("failures", p->failures));
}

void upstream__peer_failed(struct upstream__peer *p)
{
    const struct app_origin *c = config_of(p);
    const bool was_well = upstream__peer_is_well(p);

    p->attempts--;
    p->open--;
    p->failures++;
    p->probe_at = now_of(p) + UPSTREAM_PROBE_MS;
    upstream__sweep_soon(p->upstreams);
    if (!c || p->failures < c->breaker_failures || !was_well)
        return;
    p->rests_until = now_of(p) + c->breaker_ms;
    p->upstreams->app->edge->stats.upstream_rests++;
    log_rest(p);
}

/* --- connections --- */

static void close_conn(struct upstream__conn *conn)
{
    struct upstream__peer *p = conn->peer;

    list_del(&conn->link);
    http1_client_close(conn->http);
    mem_free(conn->name);
    mem_free(conn);
    p->open--;
}

static void on_gone(void *arg)
{
    struct upstream__conn *conn = arg;
    struct upstream__peer *p = conn->peer;

    close_conn(conn);
    upstream__peer_rest(p);
}

static const struct http1_client_ops idle_facts = {.gone = on_gone};

struct upstream__conn *upstream__conn_new(struct upstream__peer *p, struct stream *take_s,
                                          struct slice name)
{
    struct upstream__conn *conn = mem_new(sizeof(*conn));

    conn->peer = p;
    conn->name = name.n ? slice_dup(name) : NULL;
    conn->http = http1_client_open(take_s, &p->upstreams->head);
    return conn;
}

struct upstream__conn *upstream__peer_take(struct upstream__peer *p, struct slice name)
{
    struct list *it, *tmp;

    LIST_EACH (&p->idle, it, tmp) {
        struct upstream__conn *conn = LIST_ITEM(it, struct upstream__conn, link);

        if (conn->idle_until > now_of(p) && slice_eq(slice_str(conn->name), name)) {
            list_del(&conn->link);
            return conn;
        }
    }
    return NULL;
}

/* The server's own word for how long it waits (Keep-Alive: timeout), a second less: what is on its
 * way then would find the connection closed. */
static int64_t keep_ms(const struct upstream__conn *conn)
{
    const struct app_origin *c = config_of(conn->peer);
    const int64_t ours = c ? c->pool_idle_ms : 0;

    if (conn->keep_ms == 0)
        return ours;
    return MIN(ours, conn->keep_ms > 1500 ? conn->keep_ms - 1000 : conn->keep_ms / 3);
}

static void keep(struct upstream__conn *conn)
{
    struct upstreams *u = conn->peer->upstreams;

    conn->idle_until = loop_now(u->loop) + keep_ms(conn);
    list_add_head(&conn->peer->idle, &conn->link);
    http1_client_attach(conn->http, &idle_facts, conn);
    upstream__sweep_soon(u);
}

void upstream__conn_release(struct upstream__conn *conn, bool reusable)
{
    struct upstream__peer *p = conn->peer;

    if (reusable && !conn->is_old && !p->upstreams->is_closed)
        keep(conn);
    else
        close_conn(conn);
    if (p->n_line)
        upstream__call_next(p);
    else
        upstream__peer_rest(p);
}

/* --- all --- */

void upstream__sweep_soon(struct upstreams *u)
{
    if (!heap_is_set(&u->sweep.node) && !u->is_closed)
        timer_set(u->loop, &u->sweep, loop_now(u->loop) + UPSTREAM__SWEEP_MS);
}

static void sweep_idle(struct upstream__peer *p, int64_t until)
{
    struct list *it, *tmp;

    LIST_EACH (&p->idle, it, tmp) {
        struct upstream__conn *conn = LIST_ITEM(it, struct upstream__conn, link);

        if (conn->idle_until <= until)
            close_conn(conn);
    }
}

/* An old failure says nothing any more. */
static void forgive(struct upstream__peer *p, int64_t now)
{
    if (p->attempts == 0 && p->probe_at + UPSTREAM__FORGIVE_MS < now)
        p->failures = 0;
}

/* Making a connection takes some 10 KB for a moment, between things that stay: after many at once,
 * most of the memory is holes. */
static void after_burst(struct upstreams *u)
{
    if (u->dials >= UPSTREAM__BURST && u->dials == u->dials_swept) {
        memory_trim();
        u->dials = 0;
    }
    u->dials_swept = u->dials;
}

bool upstream__sweep(struct upstreams *u)
{
    const int64_t now = loop_now(u->loop);
    uint32_t it = 0;
    struct slice key;
    void *p;

    while (map_next(&u->peers, &it, &key, &p)) {
        sweep_idle(p, now);
        forgive(p, now);
        if (!upstream__peer_go_on(p))
            upstream__peer_rest(p);
    }
    after_burst(u);
    return u->peers.count > 0;
}

void upstream__close_idle(struct upstreams *u)
{
    uint32_t it = 0;
    struct slice key;
    void *p;

    while (map_next(&u->peers, &it, &key, &p)) {
        sweep_idle(p, INT64_MAX);
        upstream__peer_rest(p);
    }
}
