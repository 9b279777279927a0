#include "edge/pages.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/enc.h"
#include "conn/exchange.h"
#include "conn/http1_server.h"
#include "edge/access.h"
#include "edge/edge_int.h"
#include "edge/fleet.h"
#include "edge/hold.h"
#include "edge/link.h"
#include "edge/relay.h"
#include "edge/round.h"
#include "edge/settings.h"
#include "edge/target.h"
#include "io/listen.h"
#include "io/memory.h"
#include "io/stream.h"

enum { PAGE_MAX = 1 << 20, METRICS_MAX = 64 << 20, LABEL_MAX = 160 };

static const struct stat_row rows[] = {
#define STAT(...) STAT_ROW(struct edge_stats, __VA_ARGS__)
#include "edge/edge.metrics.def"
#undef STAT
};

static const struct stat_row app_rows[] = {
#define STAT(...) STAT_ROW(struct app_stats, __VA_ARGS__)
#include "edge/app.metrics.def"
#undef STAT
};

#define JSON SLICE("application/json")
#define TEXT SLICE("text/plain; charset=utf-8")

/* --- numbers of all edges --- */

/* Gauges that are not counted as things happen; the process is counted once. */
static struct app_stats app_snapshot(const struct app *a)
{
    struct app_stats s = a->stats;
    const struct fleet_view *v = a->edge->index == 0 ? fleet_view(a->edge->fleet, a->index) : NULL;

    for (const struct list *it = a->inbounds.next; it != &a->inbounds; it = it->next)
        s.requests_open++;
    s.events = a->events.n;
    s.event_bytes = (int64_t)a->events.bytes;
    s.actors = a->actors.n;
    s.alarms = a->alarms.by_actor.count;
    if (v) {
        const int state = atomic_load(&v->state);

        s.worker_asleep = state == FLEET_ASLEEP;
        s.worker_starting = state == FLEET_STARTING;
        s.worker_running = state == FLEET_RUNNING;
        s.worker_starts = atomic_load(&v->starts);
    }
    return s;
}

static int64_t link_queues(const struct app *a)
{
    int64_t n = 0;

    for (const struct list *it = a->links.next; it != &a->links; it = it->next)
        n += (int64_t)stream_pending(LIST_ITEM(it, struct link, in_app)->stream);
    return n;
}

static struct edge_stats snapshot(const struct edge *e)
{
    struct edge_stats s = e->stats;

    for (size_t i = 0; i < e->n_apps; i++) {
        const struct app *a = e->apps[i];

        s.events += a->events.n;
        s.event_bytes += (int64_t)a->events.bytes;
        s.actors += a->actors.n;
        s.alarms += a->alarms.by_actor.count;
        s.link_queues += link_queues(a);
        s.messages_in += a->stats.messages_in;
        s.messages_out += a->stats.messages_out;
        s.bytes_in += a->stats.bytes_in;
        s.bytes_out += a->stats.bytes_out;
    }
    s.client_queues = (int64_t)loop_queued(e->loop) - s.link_queues;
    for (size_t i = 0; i < e->n_listeners; i++) {
        const struct http1_stats *h = http1_server_stats(e->listeners[i].http);

        s.connections += (int64_t)h->open;
        s.requests_refused += h->refused;
        if (e->listeners[i].listener)
            s.refused_descriptor += listen_refused(e->listeners[i].listener);
    }
    relay_count(e->relay, &s);
    s.pings = websocket_pool_stats(e->sockets)->pings;
    s.silent = websocket_pool_stats(e->sockets)->silent;
    s.deflated = websocket_pool_stats(e->sockets)->deflated;
    s.inflated = websocket_pool_stats(e->sockets)->inflated;
    if (e->index == 0)
        s.resident = (int64_t)memory_resident();
    s.access_lost = e->access ? access_lost(e->access) : 0;
    if (e->index == 0)
        s.workers = fleet_alive(e->fleet);
    return s;
}

/* A question to every edge. The client may go meanwhile: then x is NULL when it returns. */
struct survey {
    struct round round;
    struct edge_stats sum;
    struct app_stats *apps; /* [asker->n_apps] */
    struct exchange *x;
    void (*answer)(struct survey *s);
    struct app *app;
};

static void on_closed(void *arg, int err)
{
    struct survey *s = arg;

    s->x = NULL;
}

static const struct exchange_ops waiting = {.closed = on_closed};

static void come_back(struct round *r)
{
    struct survey *s = CONTAINER_OF(r, struct survey, round);

    if (s->x)
        s->answer(s);
    mem_free(s->apps);
    mem_free(s);
}

static void visit(struct round *r, struct edge *here)
{
    struct survey *s = CONTAINER_OF(r, struct survey, round);
    const struct edge_stats stats = snapshot(here);

    stat_sum(rows, COUNT_OF(rows), &s->sum, &stats);
    for (size_t i = 0; i < here->n_apps; i++) {
        const struct app_stats app = app_snapshot(here->apps[i]);

        stat_sum(app_rows, COUNT_OF(app_rows), &s->apps[i], &app);
    }
}

static void ask_all(struct edge *e, struct exchange *x, struct app *a,
                    void (*answer)(struct survey *s))
{
    struct survey *s = mem_new(sizeof(*s));

    *s = (struct survey){
        .round = {.visit = visit, .back = come_back}, .x = x, .answer = answer, .app = a};
    s->apps = mem_new(e->n_apps * sizeof(s->apps[0]));
    exchange_attach(x, &waiting, s);
    round_send(&s->round, e);
}

/* --- control --- */

/* The part that has a line for each application; their names need no escaping. */
static int render_apps(const struct survey *s, struct buf *b)
{
    const size_t n = s->round.asker->n_apps;
    const void **stats = mem_new(n * sizeof(*stats));
    const char **labels = mem_new(n * sizeof(*labels));
    struct span text = {.p = mem_new(n * LABEL_MAX), .n = n * LABEL_MAX};
    int r;

    for (size_t i = 0; i < n; i++) {
        char *label = (char *)text.p + i * LABEL_MAX;

        (void)snprintf(label, LABEL_MAX, "app=\"%.*s\"",
                       SLICE_FMT(app_name(s->round.asker->apps[i])));
        stats[i] = &s->apps[i];
        labels[i] = label;
    }
    r = stat_render_each(app_rows, COUNT_OF(app_rows), stats, labels, n, "holdfast_", b);
    mem_free(stats);
    mem_free(labels);
    mem_free(text.p);
    return r;
}

static void answer_metrics(struct survey *s)
{
    struct buf b;

    buf_init(&b, METRICS_MAX);
    if (stat_render(rows, COUNT_OF(rows), &s->sum, "holdfast_", "", &b) < 0 ||
        render_apps(s, &b) < 0)
        exchange_fail(s->x, -ERR_INTERNAL, SLICE_NONE);
    else
        exchange_answer(s->x, 200, SLICE("text/plain; version=0.0.4; charset=utf-8"),
                        buf_slice(&b));
    buf_done(&b);
}

static void answer_ready(struct edge *e, struct exchange *x)
{
    struct buf b;
    uint16_t status = e->shut ? 503 : 200;

    buf_init(&b, PAGE_MAX);
    if (e->shut)
        (void)buf_add(&b, SLICE("stopping\n"));
    for (size_t i = 0; i < e->n_apps; i++)
        if (e->apps[i]->broken) {
            (void)buf_addf(&b, "%.*s: its code cannot run\n", SLICE_FMT(app_name(e->apps[i])));
            status = 503;
        }
    exchange_answer(x, status, TEXT, b.n ? buf_slice(&b) : SLICE("ready\n"));
    buf_done(&b);
}

static bool is_page(const struct exchange *x, const char *method, const char *path)
{
    const struct exchange_request *rq = exchange_request(x);
    struct slice target = rq->target;
    const ptrdiff_t query = slice_find(target, '?');

    if (query >= 0)
        target = slice_sub(target, 0, (size_t)query);
    return slice_eq(rq->method, slice_str(method)) && slice_eq(target, slice_str(path));
}

/* Monitors look with HEAD, too. */
static bool is_read(const struct exchange *x, const char *path)
{
    return is_page(x, "GET", path) || is_page(x, "HEAD", path);
}

void pages_control(struct edge *e, struct exchange *x)
{
    e->stats.requests_other++;
    if (is_read(x, "/metrics"))
        ask_all(e, x, NULL, answer_metrics);
    else if (is_read(x, "/healthz"))
        exchange_answer(x, 200, TEXT, SLICE("ok\n"));
    else if (is_read(x, "/readyz"))
        answer_ready(e, x);
    else
        exchange_answer(x, 404, SLICE("text/plain"), SLICE("Not Found\n"));
}

/* --- dev --- */

static bool is_loopback(struct slice address)
{
    return slice_starts(address, SLICE("127.")) || slice_eq(address, SLICE("::1")) ||
           slice_starts(address, SLICE("::ffff:127."));
}

/* A name that somebody's DNS cannot point here: localhost or a literal address. */
static bool is_own_host(struct slice host)
{
    char text[64];
    struct in_addr v4;

    host = target_host_name(host);
    if (slice_eq_nocase(host, SLICE("localhost")) || slice_starts(host, SLICE("[")))
        return true;
    return host.n < sizeof(text) && snprintf(text, sizeof(text), "%.*s", SLICE_FMT(host)) > 0 &&
           inet_pton(AF_INET, text, &v4) == 1;
}

static bool is_same_origin(const struct exchange *x)
{
    const struct slice *site = exchange_find(x, SLICE("Sec-Fetch-Site"));
    const struct slice *origin = exchange_find(x, SLICE("Origin"));
    const struct slice o = origin ? *origin : SLICE_NONE;
    const struct slice scheme =
        exchange_request(x)->tls_version ? SLICE("https://") : SLICE("http://");

    if (site && !slice_eq(*site, SLICE("same-origin")) && !slice_eq(*site, SLICE("none")))
        return false;
    if (!origin)
        return true;
    if (!slice_starts(o, scheme))
        return false;
    return slice_eq(slice_sub(o, scheme.n, SIZE_MAX), exchange_request(x)->host);
}

/* A page of another site must not reach these through its visitor's browser. */
static bool is_own_page(const struct exchange *x)
{
    return is_loopback(exchange_peer(x)) && is_own_host(exchange_request(x)->host) &&
           is_same_origin(x);
}

static void put_worker(struct buf *b, const struct edge *e, const struct fleet_view *v)
{
    static const char *const names[] = {"asleep", "starting", "running"};
    const int pid = atomic_load(&v->pid), state = atomic_load(&v->state);
    const unsigned starts = atomic_load(&v->starts);
    const int64_t since = atomic_load(&v->since_ms);

    (void)buf_addf(b, "\"worker\":{\"state\":\"%s\",\"pid\":%d,\"starts\":%u,\"uptime_ms\":%lld}",
                   names[state], pid, starts, pid ? (long long)(loop_now(e->loop) - since) : 0ll);
}

static void answer_dev(struct survey *s)
{
    const struct edge *e = s->round.asker;
    const struct edge_stats *n = &s->sum;
    struct buf b;

    buf_init(&b, PAGE_MAX);
    (void)buf_add(&b,
                  SLICE("{\"program\":\"holdfast\",\"version\":\"" HOLDFAST_VERSION "\",\"app\":"));
    (void)enc_json(&b, app_name(s->app));
    (void)buf_add_byte(&b, ',');
    put_worker(&b, e, fleet_view(e->siblings[0]->fleet, s->app->index));
    (void)buf_addf(&b, ",\"sockets\":{\"open\":%lld,\"hibernatable\":%lld}}",
                   (long long)(n->holds_plain + n->holds_hibernatable + n->holds_joined),
                   (long long)n->holds_hibernatable);
    exchange_answer(s->x, 200, JSON, buf_slice(&b));
    buf_done(&b);
}

static void kill_worker(struct app *a, struct exchange *x)
{
    const struct fleet_view *v = fleet_view(a->edge->siblings[0]->fleet, a->index);
    const int pid = atomic_load(&v->state) == FLEET_RUNNING ? atomic_load(&v->pid) : 0;
    char text[64];
    int n;

    if (!pid) {
        exchange_answer(x, 409, JSON, SLICE("{\"error\":\"no worker is running\"}"));
        return;
    }
    edge_report(a->edge, (struct report){.kind = REPORT_KILL, .app = a->index}, SLICE_NONE);
    n = snprintf(text, sizeof(text), "{\"killed\":%d}", pid);
    exchange_answer(x, 200, JSON, slice_make(text, (size_t)n));
}

bool pages_dev(struct app *a, struct exchange *x)
{
    if (!slice_starts(exchange_request(x)->target, SLICE("/__holdfast/")))
        return false;
    if (!is_own_page(x))
        exchange_fail(x, -ERR_DENIED, SLICE("only pages of this machine may ask\n"));
    else if (is_page(x, "GET", "/__holdfast/dev"))
        ask_all(a->edge, x, a, answer_dev);
    else if (is_page(x, "POST", "/__holdfast/kill"))
        kill_worker(a, x);
    else
        exchange_fail(x, -ERR_NOT_FOUND, SLICE_NONE);
    return true;
}
