#include "edge/edge.h"

#include <assert.h>

#include "conn/http1_server.h"
#include "edge/access.h"
#include "edge/admit.h"
#include "edge/app.h"
#include "edge/control.h"
#include "edge/delivery.h"
#include "edge/doors.h"
#include "edge/edge_int.h"
#include "edge/fleet.h"
#include "edge/frames.h"
#include "edge/grip_hold.h"
#include "edge/hold.h"
#include "edge/inbound.h"
#include "edge/link.h"
#include "edge/relay.h"
#include "edge/roster.h"
#include "edge/settings.h"
#include "edge/shed.h"
#include "edge/statistics.h"
#include "edge/zeromq.h"
#include "io/stream.h"
#include "wire/pulse.h"

/* --- orders --- */

static struct link *find_link(struct app *a, uint32_t generation)
{
    struct list *it, *tmp;

    LIST_EACH (&a->links, it, tmp)
        if (LIST_ITEM(it, struct link, in_app)->generation == generation)
            return LIST_ITEM(it, struct link, in_app);
    return NULL;
}

static void obey_open(struct app *a, struct order *o)
{
    const int fd = loop_take(a->edge->loop, o->fd);
    struct stream *s = fd < 0 ? NULL : stream_open(a->edge->loop, fd, 0);
    struct link *l;

    if (!s) {
        edge_report(
            a->edge,
            (struct report){.kind = REPORT_LOST, .app = a->index, .generation = o->generation},
            SLICE_NONE);
        return;
    }
    l = link_new(a, o->generation, s, &frames_ops);
    if (o->text.n)
        (void)stream_write(l->stream, span_slice(o->text));
}

static void obey_broken(struct app *a, struct slice text)
{
    blob_unref(a->broken);
    a->broken = text.n ? blob_copy(text) : NULL;
    if (a->broken)
        delivery_broken(a);
}

static void edge_shut(struct edge *e);
static void edge_leave(struct edge *e, uint32_t ms);

/* True: the order is kept by someone. */
static bool obey(struct edge *e, struct app *a, struct order *o)
{
    struct link *l = a ? find_link(a, o->generation) : NULL;

    switch (o->kind) {
    case ORDER_OPEN:
        obey_open(a, o);
        break;
    case ORDER_SERVE:
        if (l)
            delivery_serve(a, l);
        break;
    case ORDER_DRAIN:
        if (l)
            delivery_drain(a, l, o->ms);
        break;
    case ORDER_GONE:
        if (l)
            link_gone(l, o);
        return l != NULL;
    case ORDER_SETTINGS:
        app_configure(a, o->settings);
        break;
    case ORDER_BROKEN:
        obey_broken(a, span_slice(o->text));
        break;
    case ORDER_CERTIFY: /* its `app` is a listener: obeyed before */
        break;
    case ORDER_CROWD:
        doors_crowd(e);
        break;
    case ORDER_SHUT:
        edge_shut(e);
        break;
    case ORDER_STOP:
        edge_leave(e, o->ms);
        break;
    }
    return false;
}

void edge_obey(struct edge *e, struct order *take_o)
{
    if (take_o->kind == ORDER_CERTIFY) {
        doors_certify(e, take_o);
        order_free(take_o);
        return;
    }
    if (!obey(e, take_o->app < e->n_apps ? e->apps[take_o->app] : NULL, take_o))
        order_free(take_o);
}

/* --- reports --- */

static void on_report(void *edge0, struct report *r)
{
    struct edge *e = edge0;

    if (r->kind == REPORT_STOPPED)
        e->stopped++;
    else
        fleet_hear(e->fleet, r);
}

/* --- life --- */

static int find_app(const struct edge *e, const char *name)
{
    for (size_t i = 0; i < e->n_apps; i++)
        if (slice_eq(app_name(e->apps[i]), slice_str(name)))
            return (int)i;
    return -ERR_NOT_FOUND;
}

static int add_apps(struct edge *e, const struct edge_options *o, struct err_note *note)
{
    e->apps = mem_new(o->n_apps * sizeof(e->apps[0]));
    for (size_t i = 0; i < o->n_apps; i++) {
        if (find_app(e, o->apps[i].name) >= 0)
            return err_notef(note, -ERR_CONFIG, "two applications have the name \"%s\"",
                             o->apps[i].name);
        e->apps[i] = app_new(e, (unsigned)i, &o->apps[i], note);
        if (!e->apps[i])
            return -ERR_CONFIG;
        e->n_apps++;
    }
    return e->n_apps ? 0 : err_notef(note, -ERR_CONFIG, "no application is configured");
}

static int add_routes(struct edge *e, const struct edge_options *o, struct err_note *note)
{
    int r = 0;

    if (o->n_routes == 0)
        return router_add(&e->router, NULL, NULL, 0, note);
    for (size_t i = 0; i < o->n_routes && r == 0; i++) {
        const int app = find_app(e, o->routes[i].app);

        if (app < 0)
            return err_notef(note, -ERR_CONFIG, "a route names an unknown application \"%s\"",
                             o->routes[i].app);
        r = router_add(&e->router, o->routes[i].host, o->routes[i].path, (unsigned)app, note);
    }
    return r;
}

static void edge_done(struct edge *e)
{
    statistics_close(e);
    zeromq_free(e->zeromq);
    for (size_t i = 0; i < e->n_apps; i++)
        app_free(e->apps[i]);
    relay_free(e->relay);
    control_free(e->control);
    access_close(e->access);
    shed_close(e->shed);
    websocket_pool_free(e->sockets);
    mem_free(e->apps);
    router_done(&e->router);
    slots_done(&e->holds);
    slots_done(&e->inbounds);
    slots_done(&e->roster);
    admit_close(e->admit);
    e->admit = NULL;
    egress_rules_done(&e->trusted);
    mem_free(e->siblings);
}

struct edge *edge_new(struct loop *loop, const struct edge_options *o, struct err_note *note)
{
    struct edge *e = mem_new(sizeof(*e));

    assert(o->index < o->count && o->count <= PULSE_LINKS);
    e->loop = loop;
    e->index = o->index;
    e->count = o->count;
    e->log = o->log;
    e->ops = o->ops;
    e->arg = o->arg;
    e->goodbye_ms = o->goodbye_ms;
    if (e->index == 0 && o->max_per_client)
        e->admit = admit_new(o->max_per_client);
    e->obey = edge_obey;
    e->on_report = on_report;
    e->on_report_arg = e;
    doors_init(e, o);
    e->sockets = websocket_pool_new(loop);
    e->relay = relay_new(e, &o->grip);
    e->control = control_new(e, &o->grip, note);
    slots_init(&e->holds, edge_tag(e), sizeof(struct hold));
    slots_init(&e->inbounds, edge_tag(e), sizeof(struct inbound));
    roster_init(e);
    statistics_open(e, &o->grip);
    e->shed = shed_open(e, o->memory_bytes);
    if (o->access_log)
        e->access = access_open(e, o->access_log, note);
    if ((o->access_log && !e->access) ||
        egress_rules_init(&e->trusted, o->trusted_proxies, NULL, note) < 0 ||
        add_apps(e, o, note) < 0 || add_routes(e, o, note) < 0 ||
        (e->index == 0 && zeromq_open(e, &o->grip, &e->zeromq, note) < 0)) {
        edge_done(e);
        mem_free(e);
        return NULL;
    }
    if (e->index == 0)
        e->fleet = fleet_new(e, o->apps, o->n_apps);
    return e;
}

void edge_introduce(struct edge *const *edges, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct edge *e = edges[i];

        assert(e->index == i && e->count == count);
        e->fleet = edges[0]->fleet;
        if (i > 0)
            e->admit = admit_share(edges[0]->admit);
        e->siblings = mem_new(count * sizeof(e->siblings[0]));
        memcpy(e->siblings, edges, count * sizeof(e->siblings[0]));
    }
}

void edge_begin(struct edge *edge0)
{
    assert(edge0->index == 0 && edge0->siblings);
    zeromq_start(edge0->zeromq);
    if (edge0->fleet)
        fleet_begin(edge0->fleet);
}

int edge_reload(struct edge *e, const struct app_config *app, struct err_note *note)
{
    const int i = find_app(e, app->name);

    assert(e->index == 0);
    if (i < 0)
        return err_notef(note, i, "there is no application \"%s\"", app->name);
    if (app_check(e, app, note) < 0)
        return -ERR_CONFIG;
    fleet_reload(e->fleet, (unsigned)i, app);
    return 0;
}

/* --- the end --- */

enum {
    STOP_CHECK_MS = 10,
    STOP_GRACE_MS = 500, /* for the answers to our Close */
};

static bool hears_goodbye(const struct hold *h)
{
    return h->backend->is_origin ||
           (h->accepted && !h->hibernates && h->app->serving && h->state != HOLD_OVER);
}

/* The client hears that the server goes. So does who has the socket in its hands and would wait for
 * it; actors are not woken for theirs. */
static void leave_hold(struct hold *h)
{
    const bool tell = hears_goodbye(h);

    hold_leave(h, 1001, SLICE("the server is stopping"));
    if (tell)
        h->backend->closed(h, 1001, true, SLICE("the server is stopping"), 0);
    else
        hold_free(h);
}

static void leave_holds(struct edge *e)
{
    struct hold *h;
    uint32_t at = 0;

    while ((h = slots_each(&e->holds, &at)))
        if (h->state != HOLD_PENDING)
            leave_hold(h);
}

static void leave_grip_holds(struct edge *e)
{
    for (size_t i = 0; i < e->n_apps; i++)
        grip_holds_stop(e->apps[i]);
}

/* Whether everybody whose socket was closed has answered, or has had the time to. */
static bool has_said_goodbye(const struct edge *e)
{
    for (size_t i = 0; i < e->n_apps; i++)
        if (!list_empty(&e->apps[i]->goodbyes))
            return loop_now(e->loop) >= e->goodbye_by;
    return true;
}

/* Whether all requests have been answered, and the answers are on their way. */
static bool has_answered(const struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        if (http1_server_is_busy(e->listeners[i].http))
            return loop_now(e->loop) >= e->stop_by;
    return true;
}

static void on_stop_check(struct timer *t)
{
    struct edge *e = CONTAINER_OF(t, struct edge, stop_check);

    leave_grip_holds(e);
    if (!e->said_stopped && has_said_goodbye(e) && has_answered(e) && e->rounds == 0) {
        e->said_stopped = true;
        edge_report(e, (struct report){.kind = REPORT_STOPPED}, SLICE_NONE);
    }
    if (e->index == 0 && e->stopped == e->count && fleet_alive(e->fleet) == 0)
        e->done(e->done_arg);
    else if (e->index == 0 || !e->said_stopped)
        timer_set(e->loop, t, loop_now(e->loop) + STOP_CHECK_MS);
}

static void edge_shut(struct edge *e)
{
    e->shut = true;
    doors_shut(e);
}

/* The second time only shortens the waits. */
static void edge_leave(struct edge *e, uint32_t ms)
{
    const int64_t now = loop_now(e->loop);

    e->stop_by = now + ms;
    e->goodbye_by = now + MIN(ms, STOP_GRACE_MS);
    if (e->stopping)
        return;
    e->shut = e->stopping = true;
    doors_close(e);
    leave_holds(e);
    for (size_t i = 0; i < e->n_apps; i++)
        timer_del(e->loop, &e->apps[i]->alarm_timer);
    e->stop_check.due = on_stop_check;
    timer_set(e->loop, &e->stop_check, now);
}

static void order_all(struct edge *edge0, enum order_kind kind, uint32_t ms)
{
    for (unsigned i = 0; i < edge0->count; i++)
        edge_order(edge0->siblings[i], (struct order){.kind = kind, .ms = ms}, SLICE_NONE);
}

/* The longest that an application's requests may take. */
static uint32_t drain_ms(const struct edge *e)
{
    uint32_t ms = STOP_GRACE_MS;

    for (size_t i = 0; i < e->n_apps; i++)
        ms = MAX(ms, settings_limits(e->apps[i]->settings)->drain_ms + STOP_GRACE_MS);
    return ms;
}

static void on_goodbye(struct timer *t)
{
    struct edge *e = CONTAINER_OF(t, struct edge, goodbye);

    order_all(e, ORDER_STOP, drain_ms(e));
    fleet_stop(e->fleet, false);
}

void edge_stop(struct edge *e, void (*done)(void *arg), void *arg)
{
    assert(e->index == 0);
    if (e->done) {
        timer_del(e->loop, &e->goodbye);
        order_all(e, ORDER_STOP, 0);
        fleet_stop(e->fleet, true);
        return;
    }
    e->done = done;
    e->done_arg = arg;
    e->goodbye.due = on_goodbye;
    if (e->goodbye_ms == 0) {
        on_goodbye(&e->goodbye);
        return;
    }
    order_all(e, ORDER_SHUT, 0);
    timer_set(e->loop, &e->goodbye, loop_now(e->loop) + e->goodbye_ms);
}

void edge_free(struct edge *e)
{
    if (!e)
        return;
    if (e->index == 0)
        fleet_free(e->fleet);
    doors_close(e);
    leave_holds(e);
    doors_free(e);
    timer_del(e->loop, &e->goodbye);
    timer_del(e->loop, &e->stop_check);
    edge_done(e);
    e->gone = true;
    loop_defer(e->loop, LOOP_REAP, mem_free, e); /* mails to it may still be on their way */
}
