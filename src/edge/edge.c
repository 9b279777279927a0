#include "edge/edge.h"

#include <assert.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/seen.h"
#include "conn/http1_server.h"
#include "edge/access.h"
#include "edge/admit.h"
#include "edge/browser_origin.h"
#include "edge/client.h"
#include "edge/control.h"
#include "edge/delivery.h"
#include "edge/edge_int.h"
#include "edge/egress.h"
#include "edge/egress_rules.h"
#include "edge/files.h"
#include "edge/fleet.h"
#include "edge/grip_hold.h"
#include "edge/hold.h"
#include "edge/inbound.h"
#include "edge/link.h"
#include "edge/origin.h"
#include "edge/origin_route.h"
#include "edge/pages.h"
#include "edge/relay.h"
#include "edge/roster.h"
#include "edge/settings.h"
#include "edge/statistics.h"
#include "edge/target.h"
#include "edge/upstream.h"
#include "edge/woh.h"
#include "edge/ws_origin.h"
#include "edge/zeromq.h"
#include "io/listen.h"
#include "io/stream.h"
#include "io/tls.h"
#include "wire/proxy.h"
#include "wire/pulse.h"

/* --- mails between edges and the fleet --- */

static struct span copy_text(struct slice text)
{
    struct span copy = {.p = text.n ? mem_new(text.n) : NULL, .n = text.n};

    if (text.n)
        memcpy(copy.p, text.p, text.n);
    return copy;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    mem_free(o->text.p);
    mem_free(o);
}

static void deliver_order(struct mail *m)
{
    struct order *o = CONTAINER_OF(m, struct order, mail);

    if (!o->to->gone) {
        edge_obey(o->to, o);
        return;
    }
    if (o->kind == ORDER_OPEN)
        (void)close(o->fd);
    settings_free(o->settings);
    order_free(o);
}

void edge_order(struct edge *to, struct order o, struct slice text)
{
    struct order *copy = mem_new(sizeof(*copy));

    *copy = o;
    copy->to = to;
    copy->text = copy_text(text);
    copy->mail.deliver = deliver_order;
    mailbox_post(to->loop, &copy->mail);
}

static void on_stopped(struct edge *edge0);

static void deliver_report(struct mail *m)
{
    struct report *r = CONTAINER_OF(m, struct report, mail);

    if (r->to->gone)
        ;
    else if (r->to->on_report)
        r->to->on_report(r->to->on_report_arg, r);
    else if (r->kind == REPORT_STOPPED)
        on_stopped(r->to);
    else
        fleet_hear(r->to->fleet, r);
    mem_free(r->text.p);
    mem_free(r);
}

void edge_report(struct edge *e, struct report r, struct slice text)
{
    struct report *copy = mem_new(sizeof(*copy));

    *copy = r;
    copy->to = e->siblings[0];
    copy->edge = e->index;
    copy->text = copy_text(text);
    copy->mail.deliver = deliver_report;
    mailbox_post(copy->to->loop, &copy->mail);
}

enum { FRAME_HEAD = 16 /* more than a WebSocket frame's head takes */ };

/* --- applications --- */

struct slice app_name(const struct app *a)
{
    return slice_str(a->settings->config.name);
}

uint32_t app_open(const struct app *a)
{
    const struct edge *e = a->edge;
    uint32_t n = 0;

    for (unsigned i = 0; i < e->count; i++)
        n += seen_get(&e->siblings[i]->apps[a->index]->n_open);
    return n;
}

static void on_alarm_due(struct timer *t)
{
    delivery_alarm_due(CONTAINER_OF(t, struct app, alarm_timer));
}

struct egress *app_egress(struct app *a, struct err_note *note)
{
    const struct egress_limits defaults = {0};

    return egress_new(a->edge->loop, &a->settings->config.egress, &defaults, &a->ws, note);
}

/* Whether the keys of its routes can be used. */
static int check_origin(const struct app_config *c, struct err_note *note)
{
    struct settings *s = c->origin ? settings_new(c) : NULL;
    struct origin_table *t = s ? origin_table_new(s, note) : NULL;
    const int r = s && !t ? -ERR_CONFIG : 0;

    origin_table_free(t);
    settings_free(s);
    return r;
}

/* Whether these settings can be used at all. */
static int check_settings(struct edge *e, const struct app_config *c, struct err_note *note)
{
    static const struct websocket_options ws;
    const struct egress_limits defaults = {0};
    struct egress *egress = egress_new(e->loop, &c->egress, &defaults, &ws, note);
    struct files *files = egress && c->assets.dir ? files_open(e->loop, &c->assets, note) : NULL;
    const bool ok = egress && (files || !c->assets.dir) && check_origin(c, note) == 0;

    egress_free(egress);
    files_close(files);
    return ok ? 0 : -ERR_CONFIG;
}

static void configure_sockets(struct app *a)
{
    const struct app_limits *l = settings_limits(a->settings);
    const struct app_sockets *s = &a->settings->config.sockets;
    const uint32_t message_bytes = MIN(l->message_bytes, (uint32_t)IPC_PAYLOAD_MAX - 64);

    a->ws = (struct websocket_options){
        .message_bytes = message_bytes,
        .out_bytes = MAX(l->send_queue_bytes, message_bytes + FRAME_HEAD),
        .released = &a->goodbyes,
        .pool = a->edge->sockets,
        .ping_ms = s->ping_ms == APP_NEVER ? 0 : s->ping_ms,
        .pong_ms = s->pong_ms,
        .deflate = {.bits = s->uncompressed ? 0 : s->deflate_bits, .takeover = s->deflate_takeover},
        .deflate_level = s->deflate_level,
        .deflate_bytes = s->deflate_bytes,
    };
    a->ws_origin = a->ws;
    a->ws_origin.message_bytes = WOH_MESSAGE;
    a->ws_origin.out_bytes = MAX(l->send_queue_bytes, 2 * WOH_RESPONSE);
}

/* Requests that are under way, and those who are held, go on with the routes they have. */
static void configure_origin(struct app *a)
{
    origin_table_free(a->routes);
    a->routes = a->settings->config.origin ? origin_table_new(a->settings, NULL) : NULL;
    if (a->upstreams)
        upstreams_reset(a->upstreams);
    else if (a->routes)
        a->upstreams = upstreams_new(a);
}

/* Takes settings that were checked. The websockets' options are changed in place: those that are
 * open point here. A folder that has vanished since serves nothing. */
static void app_configure(struct app *a, struct settings *take_s)
{
    files_close(a->files);
    settings_free(a->settings);
    a->settings = take_s;
    a->files =
        take_s->config.assets.dir ? files_open(a->edge->loop, &take_s->config.assets, NULL) : NULL;
    configure_sockets(a);
    configure_origin(a);
}

static struct app *app_new(struct edge *e, unsigned index, const struct app_config *c,
                           struct err_note *note)
{
    struct app *a;

    if (check_settings(e, c, note) < 0)
        return NULL;
    a = mem_new(sizeof(*a));
    a->edge = e;
    a->index = index;
    list_init(&a->goodbyes);
    list_init(&a->proxied);
    app_configure(a, settings_new(c));
    events_init(&a->events, edge_tag(e));
    list_init(&a->waiting);
    list_init(&a->inbounds);
    list_init(&a->wohs);
    list_init(&a->ws_origins);
    list_init(&a->links);
    a->alarm_timer.due = on_alarm_due;
    return a;
}

static void app_free(struct app *a)
{
    struct list *it, *tmp;

    if (!a)
        return;
    grip_holds_free(a);
    LIST_EACH (&a->inbounds, it, tmp)
        inbound_refuse(LIST_ITEM(it, struct inbound, in_app), 503,
                       slice_str(err_text(ERR_WORKER_DOWN)));
    woh_end(a);
    ws_origin_end(a);
    LIST_EACH (&a->links, it, tmp)
        link_free(LIST_ITEM(it, struct link, in_app));
    origin_stop(a);
    upstreams_free(a->upstreams);
    origin_table_free(a->routes);
    timer_del(a->edge->loop, &a->alarm_timer);
    websocket_cut(&a->goodbyes);
    delivery_end(a);
    alarms_done(&a->alarms);
    actors_done(&a->actors);
    blob_unref(a->broken);
    files_close(a->files);
    settings_free(a->settings);
    mem_free(a);
}

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
    struct stream *s = stream_open(a->edge->loop, o->fd, 0);
    struct link *l;

    if (!s) {
        edge_report(
            a->edge,
            (struct report){.kind = REPORT_LOST, .app = a->index, .generation = o->generation},
            SLICE_NONE);
        return;
    }
    l = link_new(a, o->generation, s);
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

static void edge_crowd(struct edge *e);
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
        edge_crowd(e);
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

static void certify(struct edge *e, const struct order *o);

void edge_obey(struct edge *e, struct order *take_o)
{
    if (take_o->kind == ORDER_CERTIFY) {
        certify(e, take_o);
        order_free(take_o);
        return;
    }
    if (!obey(e, take_o->app < e->n_apps ? e->apps[take_o->app] : NULL, take_o))
        order_free(take_o);
}

/* --- requests --- */

static void to_worker(struct app *a, struct exchange *x)
{
    char address[64], text[CLIENT_TEXT];
    const struct slice peer = stream_peer(exchange_stream(x), address, NULL);

    inbound_open(a, exchange_request(x), reply_to_client(x),
                 client_find(&a->edge->trusted, peer, exchange_request(x), text));
}

/* A handshake that a page of a foreign site makes in a browser. */
static bool refuse_origin(struct app *a, struct exchange *x)
{
    const struct exchange_request *rq = exchange_request(x);
    const struct slice *origin = rq->upgrade ? exchange_find(x, SLICE("Origin")) : NULL;

    if (!origin ||
        browser_origin_is_allowed(a->settings->config.sockets.origins, *origin, rq->host))
        return false;
    a->edge->stats.origins_refused++;
    log_event(&a->edge->log, LOG_INFO, "origin.refused", F_TEXT("app", app_name(a)),
              F_TEXT("origin", *origin));
    exchange_fail(x, -ERR_WS_ORIGIN, SLICE_NONE);
    return true;
}

static void on_request(void *arg, struct exchange *x)
{
    struct edge_listener *li = arg;
    struct edge *e = li->edge;
    const struct exchange_request *rq = exchange_request(x);
    int index;
    struct app *a;

    if (li->door == EDGE_CONTROL) {
        if (!control_answer(e->control, x))
            pages_control(e, x);
        return;
    }
    index = router_find(&e->router, rq->host, target_path(rq->target));
    if (index < 0 || slice_eq(rq->method, SLICE("CONNECT"))) {
        e->stats.requests_other++;
        exchange_fail(x, index < 0 ? -ERR_NOT_FOUND : -ERR_UNSUPPORTED,
                      index < 0 ? SLICE("no application answers for this host and path\n")
                                : SLICE_NONE);
        return;
    }
    a = e->apps[index];
    if (refuse_origin(a, x))
        return;
    if (a->settings->config.dev && pages_dev(a, x))
        e->stats.requests_other++;
    else if (a->files && files_serve(a->files, rq, reply_to_client(x),
                                     a->settings->has_worker ? FILES_CLIENT : FILES_FETCH))
        e->stats.requests_files++;
    else if (a->settings->has_worker || a->broken)
        to_worker(a, x);
    else if (a->routes)
        origin_open(a, x);
    else
        exchange_fail(x, -ERR_NOT_FOUND, SLICE_NONE);
}

static void on_over(void *arg, const struct exchange *x)
{
    const struct edge_listener *li = arg;

    access_request(li->edge->access, x);
}

static void on_refused(void *arg, const struct stream *s, int err)
{
    const struct edge_listener *li = arg;

    access_refused(li->edge->access, s, err);
}

static const struct http1_server_ops server_facts = {.request = on_request};
static const struct http1_server_ops logged_facts = {
    .request = on_request, .over = on_over, .refused = on_refused};

/* --- listeners --- */

enum { CROWD_MS = 50 };

/* Of all edges. Two that accept in the same moment may both find the last place free. */
static uint32_t connections(const struct edge *e)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < e->count; i++) {
        const struct edge *one = e->siblings[i];

        n += seen_get(&one->holds.used);
        for (size_t k = 0; k < one->n_listeners; k++)
            n += http1_server_open_now(one->listeners[k].http);
    }
    return n;
}

/* Enough are here: the rest waits in the kernel's backlog until some have gone. */
static void on_crowd_due(struct timer *t)
{
    struct edge *e = CONTAINER_OF(t, struct edge, crowd);

    if (connections(e) >= e->max_connections) {
        timer_set(e->loop, t, loop_now(e->loop) + CROWD_MS);
        return;
    }
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].listener)
            listen_resume(e->listeners[i].listener);
}

static void edge_crowd(struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].listener && e->listeners[i].door == EDGE_PUBLIC)
            listen_pause(e->listeners[i].listener);
    if (!e->shut)
        timer_set(e->loop, &e->crowd, loop_now(e->loop) + CROWD_MS);
}

static bool is_crowded(const struct edge_listener *control)
{
    return http1_server_open_now(control->http) >= control->edge->control_clients;
}

static void on_control_due(struct timer *t)
{
    struct edge *e = CONTAINER_OF(t, struct edge, control_crowd);

    for (size_t i = 0; i < e->n_listeners; i++) {
        const struct edge_listener *li = &e->listeners[i];

        if (li->door != EDGE_CONTROL || !li->listener)
            continue;
        if (is_crowded(li))
            timer_set(e->loop, t, loop_now(e->loop) + CROWD_MS);
        else
            listen_resume(li->listener);
    }
}

/* Publishers wait for each other, not for clients. */
static void control_accepted(struct edge_listener *li)
{
    struct edge *e = li->edge;

    if (!is_crowded(li))
        return;
    listen_pause(li->listener);
    timer_set(e->loop, &e->control_crowd, loop_now(e->loop) + CROWD_MS);
}

static void on_accepted(void *arg, struct stream *take_s)
{
    struct edge_listener *li = arg;
    struct edge *e = li->edge;

    http1_server_take(li->http, take_s);
    if (li->door == EDGE_CONTROL) {
        control_accepted(li);
        return;
    }
    if (connections(e) < e->max_connections)
        return;
    edge_crowd(e);
    for (unsigned i = 0; i < e->count; i++)
        if (i != e->index)
            edge_order(e->siblings[i], (struct order){.kind = ORDER_CROWD}, SLICE_NONE);
}

static ssize_t on_preface(void *arg, struct slice seen, struct stream_address *ret)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const struct edge_listener *li = arg;
    struct proxy_header h;
    const ssize_t n = proxy_parse(seen, &h);

    li->edge->stats.refused_preface += n < 0;
    if (n <= 0 || !h.has_address)
        return n;
    *ret = (struct stream_address){.port = h.source_port, .is_known = true};
    if (h.is_v6) {
        memcpy(ret->ip, h.source, 16);
    } else {
        memcpy(ret->ip, mapped, sizeof(mapped));
        memcpy(ret->ip + 12, h.source, 4);
    }
    return n;
}

static bool on_admit(void *arg, const struct stream_address *from, struct stream_origin *ret)
{
    const struct edge_listener *li = arg;
    struct edge *e = li->edge;
    struct egress_address a;

    memcpy(a.bytes, from->ip, sizeof(a.bytes));
    if (!from->is_known || li->door == EDGE_CONTROL ||
        (e->trusted.n_allow && egress_rules_address(&e->trusted, &a, 0, false)))
        return true;
    if (!admit_enter(e->admit, from)) {
        e->stats.refused_client++;
        return false;
    }
    ret->closed = admit_leave;
    ret->arg = e->admit;
    return true;
}

static const struct listen_ops listen_facts = {.accepted = on_accepted, .preface = on_preface};
static const struct listen_ops admit_facts = {
    .accepted = on_accepted, .preface = on_preface, .admit = on_admit};

/* The largest of what the applications permit; one server does not know yet which will answer. */
enum {
    CONTROL_BODY = 1 << 30, /* control.c has a limit of its own, and words for it */
    CONTROL_IDLE_MS = 10000,
};

static struct http1_options http_options(const struct edge *e, enum edge_door door)
{
    struct http1_options o = {0};

    for (size_t i = 0; i < e->n_apps; i++) {
        const struct app_limits *l = settings_limits(e->apps[i]->settings);

        o.body_bytes = MAX(o.body_bytes, l->request_bytes);
        o.head_ms = MAX(o.head_ms, l->head_ms);
    }
    if (door == EDGE_CONTROL)
        o = (struct http1_options){.body_bytes = CONTROL_BODY, .idle_ms = CONTROL_IDLE_MS};
    return o;
}

struct edge_listener *edge_open_door(struct edge *e, enum edge_door door)
{
    struct edge_listener *li = &e->listeners[e->n_listeners];
    const struct http1_options o = http_options(e, door);

    if (e->n_listeners == EDGE_LISTENERS)
        return NULL;
    e->n_listeners++;
    *li = (struct edge_listener){.edge = e, .door = door};
    li->http = http1_server_open(
        e->loop, &o, e->access && door == EDGE_PUBLIC ? &logged_facts : &server_facts, li);
    return li;
}

static void log_listener(struct edge *e, enum edge_door door, const struct edge_address *a,
                         uint16_t port)
{
    char at[128];

    (void)snprintf(at, sizeof(at), a->path ? "%s" : "%s:%u", a->path ? a->path : a->host, port);
    log_event(&e->log, LOG_INFO, "edge.listen",
              F_NAME("door", door == EDGE_CONTROL ? "control" : "public"), F_NAME("at", at),
              F_UINT("edges", e->count));
}

/* The client's mistake, and told as one. */
static void on_tls_failed(void *arg, const struct stream *s, struct slice why)
{
    const struct edge_listener *li = arg;
    char address[64];

    li->edge->stats.handshakes_failed++;
    log_event(&li->edge->log, log_level_of(-ERR_TLS), "tls.failed",
              F_TEXT("peer", stream_peer(s, address, NULL)), F_TEXT("why", why));
}

static const struct tls_ops tls_facts = {.failed = on_tls_failed};

static int open_listener(struct edge_listener *li, const struct edge_address *at,
                         struct err_note *note)
{
    struct edge *e = li->edge;
    const size_t nth = (size_t)(li - e->listeners);
    struct listen_options o = {.host = at->host,
                               .port = at->port,
                               .shared = e->index > 0,
                               .preface = at->proxy_protocol,
                               .path = at->path,
                               .mode = at->mode};

    if (at->path && e->index > 0)
        o.sibling = e->siblings[0]->listeners[nth].listener;
    if (at->tls) {
        li->tls = tls_open(e->loop, at->tls, &tls_facts, li, note);
        if (!li->tls)
            return -ERR_CONFIG;
    }
    o.tls = li->tls;
    li->listener = listen_open(e->loop, &o, e->admit ? &admit_facts : &listen_facts, li, note);
    return li->listener ? 0 : -ERR_OS;
}

int edge_listen(struct edge *e, enum edge_door door, const struct edge_address *at,
                uint16_t *ret_port, struct err_note *note)
{
    struct edge_listener *li = edge_open_door(e, door);
    int r;

    if (!li)
        return err_notef(note, -ERR_CONFIG, "more than %d listeners", EDGE_LISTENERS);
    r = open_listener(li, at, note);
    if (r < 0) {
        tls_close(li->tls);
        http1_server_close(li->http);
        e->n_listeners--;
        return r;
    }
    if (ret_port)
        *ret_port = listen_port(li->listener);
    if (e->index == 0)
        log_listener(e, door, at, listen_port(li->listener));
    return 0;
}

/* --- certificates --- */

enum { CERTIFICATES_MAX = 256 };

static size_t parse_certificates(struct slice text, struct tls_certificate *ret)
{
    size_t n = 0;

    while (n < CERTIFICATES_MAX && text.n) {
        struct slice cert, key;

        (void)slice_split(&text, 0, &cert);
        (void)slice_split(&text, 0, &key);
        ret[n++] = (struct tls_certificate){(const char *)cert.p, (const char *)key.p};
    }
    return n;
}

static void certify(struct edge *e, const struct order *o)
{
    struct tls_certificate list[CERTIFICATES_MAX];
    const size_t n = parse_certificates(span_slice(o->text), list);
    struct tls *t = o->app < e->n_listeners ? e->listeners[o->app].tls : NULL;
    struct err_note note = {0};

    if (!t)
        return;
    if (tls_reload(t, list, n, &note) < 0)
        log_event(&e->log, LOG_ERROR, "tls.unchanged", F_NAME("why", note.text));
    else if (e->index == 0)
        log_event(&e->log, LOG_INFO, "tls.reload", F_UINT("listener", o->app),
                  F_UINT("certificates", n));
}

void edge_certify(struct edge *e, size_t nth, const struct tls_certificate *certificates, size_t n)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    for (size_t i = 0; i < MIN(n, (size_t)CERTIFICATES_MAX); i++) {
        (void)buf_add(&text, slice_make(certificates[i].cert, strlen(certificates[i].cert) + 1));
        (void)buf_add(&text, slice_make(certificates[i].key, strlen(certificates[i].key) + 1));
    }
    for (unsigned i = 0; i < e->count; i++)
        edge_order(e->siblings[i], (struct order){.kind = ORDER_CERTIFY, .app = (unsigned)nth},
                   buf_slice(&text));
    buf_done(&text);
}

/* --- life --- */

static uint32_t descriptors(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur > UINT32_MAX)
        return UINT32_MAX;
    return (uint32_t)(l.rlim_cur > 256 ? l.rlim_cur - 128 : l.rlim_cur / 2);
}

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
    e->max_connections = o->max_connections ? o->max_connections : descriptors();
    e->goodbye_ms = o->goodbye_ms;
    if (e->index == 0 && o->max_per_client)
        e->admit = admit_new(o->max_per_client);
    e->crowd.due = on_crowd_due;
    e->control_crowd.due = on_control_due;
    e->control_clients = o->grip.control_clients ? o->grip.control_clients : 128;
    e->sockets = websocket_pool_new(loop);
    e->relay = relay_new(e, &o->grip);
    e->control = control_new(e, &o->grip, note);
    slots_init(&e->holds, edge_tag(e), sizeof(struct hold));
    slots_init(&e->inbounds, edge_tag(e), sizeof(struct inbound));
    roster_init(e);
    statistics_open(e, &o->grip);
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
    if (check_settings(e, app, note) < 0)
        return -ERR_CONFIG;
    fleet_reload(e->fleet, (unsigned)i, app);
    return 0;
}

int edge_broken(struct edge *e, const char *app, struct slice text)
{
    const int i = find_app(e, app);

    assert(e->index == 0);
    if (i < 0)
        return i;
    fleet_broken(e->fleet, (unsigned)i, text);
    return 0;
}

/* --- the end --- */

static void close_listener(struct edge_listener *li)
{
    listen_close(li->listener);
    li->listener = NULL;
    http1_server_drain(li->http);
}

static void close_listeners(struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        close_listener(&e->listeners[i]);
    timer_del(e->loop, &e->crowd);
    timer_del(e->loop, &e->control_crowd);
}

enum {
    STOP_CHECK_MS = 10,
    STOP_GRACE_MS = 500, /* for the answers to our Close */
};

static bool hears_goodbye(const struct hold *h)
{
    return h->backend->can & BACKEND_IS_ORIGIN ||
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
    if (!e->said_stopped && has_said_goodbye(e) && has_answered(e)) {
        e->said_stopped = true;
        edge_report(e, (struct report){.kind = REPORT_STOPPED}, SLICE_NONE);
    }
    if (e->index == 0 && e->stopped == e->count && fleet_alive(e->fleet) == 0)
        e->done(e->done_arg);
    else if (e->index == 0 || !e->said_stopped)
        timer_set(e->loop, t, loop_now(e->loop) + STOP_CHECK_MS);
}

/* Who asks on the control door still learns that we are not ready any more. */
static void edge_shut(struct edge *e)
{
    e->shut = true;
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].door == EDGE_PUBLIC)
            close_listener(&e->listeners[i]);
    timer_del(e->loop, &e->crowd);
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
    close_listeners(e);
    leave_holds(e);
    for (size_t i = 0; i < e->n_apps; i++)
        timer_del(e->loop, &e->apps[i]->alarm_timer);
    e->stop_check.due = on_stop_check;
    timer_set(e->loop, &e->stop_check, now);
}

static void on_stopped(struct edge *edge0)
{
    edge0->stopped++;
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
    close_listeners(e);
    leave_holds(e);
    for (size_t i = 0; i < e->n_listeners; i++)
        http1_server_close(e->listeners[i].http);
    for (size_t i = 0; i < e->n_listeners; i++)
        tls_close(e->listeners[i].tls);
    timer_del(e->loop, &e->goodbye);
    timer_del(e->loop, &e->stop_check);
    edge_done(e);
    e->gone = true;
    loop_defer(e->loop, LOOP_REAP, mem_free, e); /* mails to it may still be on their way */
}
