#include "edge/doors.h"

#include <stdio.h>
#include <sys/resource.h>

#include "base/seen.h"
#include "conn/http1_server.h"
#include "edge/admit.h"
#include "edge/dispatch.h"
#include "edge/settings.h"
#include "edge/shed.h"
#include "io/listen.h"
#include "io/stream.h"
#include "io/tls.h"
#include "wire/proxy.h"

/* --- how many may be here --- */

enum {
    CROWD_MS = 50,
    CONTROL_CLIENTS = 128, /* where it is not configured */
};

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

    if (connections(e) >= e->max_connections || shed_is_over(e->shed)) {
        timer_set(e->loop, t, loop_now(e->loop) + CROWD_MS);
        return;
    }
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].listener)
            listen_resume(e->listeners[i].listener);
}

void doors_crowd(struct edge *e)
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
    doors_crowd(e);
    for (unsigned i = 0; i < e->count; i++)
        if (i != e->index)
            edge_order(e->siblings[i], (struct order){.kind = ORDER_CROWD}, SLICE_NONE);
}

/* What the limit on open files leaves for connections. */
static uint32_t descriptors(unsigned tables)
{
    struct rlimit l;
    uint64_t n;

    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return UINT32_MAX;
    n = l.rlim_cur > 256 ? l.rlim_cur - 128 : l.rlim_cur / 2;
    return (uint32_t)(n > UINT32_MAX / tables ? UINT32_MAX : n * tables);
}

void doors_init(struct edge *e, const struct edge_options *o)
{
    e->max_connections =
        o->max_connections ? o->max_connections : descriptors(MAX(1, o->file_tables));
    e->control_clients = o->grip.control_clients ? o->grip.control_clients : CONTROL_CLIENTS;
    e->crowd.due = on_crowd_due;
    e->control_crowd.due = on_control_due;
}

/* --- listeners --- */

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

struct edge_listener *doors_open(struct edge *e, enum edge_door door)
{
    struct edge_listener *li = &e->listeners[e->n_listeners];
    const struct http1_options o = http_options(e, door);

    if (e->n_listeners == EDGE_LISTENERS)
        return NULL;
    e->n_listeners++;
    *li = (struct edge_listener){.edge = e, .door = door, .given = li->given};
    li->http = http1_server_open(e->loop, &o, dispatch_ops(li), li);
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

/* The siblings accept at the same Unix socket; they take it when they are told to listen. */
static void share(const struct edge_listener *li)
{
    const struct edge *e = li->edge;
    const size_t nth = (size_t)(li - e->listeners);

    for (unsigned i = 1; i < e->count; i++)
        e->siblings[i]->listeners[nth].given =
            loop_give(e->siblings[i]->loop, listen_copy(li->listener));
}

static int take_shared(struct edge_listener *li, int *ret, struct err_note *note)
{
    *ret = loop_take(li->edge->loop, li->given);
    return *ret < 0 ? err_notef(note, -ERR_OS, "cannot share a Unix socket") : 0;
}

static int open_listener(struct edge_listener *li, const struct edge_address *at,
                         struct err_note *note)
{
    struct edge *e = li->edge;
    struct listen_options o = {.host = at->host,
                               .port = at->port,
                               .shared = e->index > 0,
                               .preface = at->proxy_protocol,
                               .path = at->path,
                               .mode = at->mode};

    if (at->tls) {
        li->tls = tls_open(e->loop, at->tls, &tls_facts, li, note);
        if (!li->tls)
            return -ERR_CONFIG;
    }
    if (at->path && e->index > 0 && take_shared(li, &o.take_fd, note) < 0)
        return -ERR_OS;
    o.tls = li->tls;
    li->listener = listen_open(e->loop, &o, e->admit ? &admit_facts : &listen_facts, li, note);
    if (!li->listener)
        return -ERR_OS;
    if (at->path && e->index == 0)
        share(li);
    return 0;
}

int edge_listen(struct edge *e, enum edge_door door, const struct edge_address *at,
                uint16_t *ret_port, struct err_note *note)
{
    struct edge_listener *li = doors_open(e, door);
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

void doors_certify(struct edge *e, const struct order *o)
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

/* --- the end --- */

static void close_listener(struct edge_listener *li)
{
    listen_close(li->listener);
    li->listener = NULL;
    http1_server_drain(li->http);
}

void doors_shut(struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        if (e->listeners[i].door == EDGE_PUBLIC)
            close_listener(&e->listeners[i]);
    timer_del(e->loop, &e->crowd);
}

void doors_close(struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        close_listener(&e->listeners[i]);
    timer_del(e->loop, &e->crowd);
    timer_del(e->loop, &e->control_crowd);
}

void doors_free(struct edge *e)
{
    for (size_t i = 0; i < e->n_listeners; i++)
        http1_server_close(e->listeners[i].http);
    for (size_t i = 0; i < e->n_listeners; i++)
        tls_close(e->listeners[i].tls);
}
