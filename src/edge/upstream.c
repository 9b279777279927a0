#include "edge/upstream.h"

#include <assert.h>
#include <stdio.h>

#include "edge/edge_int.h"
#include "edge/origin_builtin.h"
#include "edge/origin_route.h"
#include "edge/settings.h"
#include "edge/upstream_int.h"
#include "wire/fields.h"

enum {
    HEAD_MAX = 512 << 10,
    TARGETS_MAX = 32, /* of a route that are tried */
};

const struct app_origin_target *upstream__target(const struct upstream_call *c)
{
    return c->direct ? c->direct : &c->route->config->targets[c->target];
}

static size_t n_targets(const struct upstream_call *c)
{
    return c->direct ? 1 : MIN(c->route->config->n_targets, (size_t)TARGETS_MAX);
}

static struct slice key_of(const struct upstream_call *c)
{
    return c->direct ? c->direct_key : c->route->keys[c->target];
}

/* --- the end --- */

static void reap(void *arg)
{
    struct upstream_call *c = arg;
    struct upstreams *u = c->upstreams;

    origin_route_unref(c->route);
    buf_done(&c->kept);
    if (c->direct) {
        mem_free((void *)c->direct->host);
        mem_free(c->direct);
    }
    mem_free((void *)c->direct_key.p);
    mem_free(c->text);
    mem_free(c);
    if (--u->n_calls == 0 && u->is_closed)
        mem_free(u);
}

static void leave_line(struct upstream_call *c)
{
    if (c->state != CALL_WAITING)
        return;
    list_del(&c->in_line);
    c->peer->n_line--;
    c->upstreams->app->edge->stats.upstream_waiting--;
}

/* The peer is given back: what was asked of it is over. */
static void let_go(struct upstream_call *c, bool reusable)
{
    struct upstream__conn *conn = c->conn;
    struct upstream__peer *p = c->peer;

    c->conn = NULL;
    c->peer = NULL;
    if (c->dial) { /* given up: says nothing about the peer */
        egress_cancel(c->dial);
        c->dial = NULL;
        p->attempts--;
        p->open--;
    }
    if (conn)
        upstream__conn_release(conn, reusable);
    else if (p && !upstream__peer_go_on(p))
        upstream__peer_rest(p);
}

static void set_over(struct upstream_call *c, bool reusable)
{
    leave_line(c);
    c->state = CALL_OVER;
    timer_del(c->upstreams->loop, &c->late);
    list_del(&c->in_upstreams);
    c->upstreams->app->edge->stats.upstream_open--;
    let_go(c, reusable);
    loop_defer(c->upstreams->loop, LOOP_REAP, reap, c);
}

static void fail(struct upstream_call *c, enum upstream_reached reached, int err, struct slice text)
{
    if (c->state == CALL_OVER)
        return;
    c->upstreams->app->edge->stats.upstream_failed++;
    set_over(c, false);
    c->ops->failed(c->arg, reached, err, text.n ? text : slice_str(err_text(err)));
}

void upstream_cancel(struct upstream_call *c)
{
    if (c && c->state != CALL_OVER)
        set_over(c, false);
}

/* --- the response's head --- */

static enum exchange_body body_of(const struct http1_head *h)
{
    if (h->body == HTTP1_BODY_NONE)
        return EXCHANGE_BODY_NONE;
    return h->body == HTTP1_BODY_LENGTH ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_STREAM;
}

static void tell_response(struct upstream_call *c, const struct http1_head *h,
                          struct transport *socket)
{
    const struct upstream_response r = {
        .status = h->status,
        .reason = h->reason,
        .head = buf_slice(&c->upstreams->response),
        .body = body_of(h),
        .length = h->length,
        .has_length = http1_find(h, SLICE("Content-Length")) != NULL,
        .target = slice_str(upstream__target(c)->name),
        .subs = upstream__target(c)->subs,
        .socket = socket,
    };

    c->ops->response(c->arg, &r);
}

/* --- the upgrade --- */

static void become_socket(struct upstream_call *c, const struct http1_head *h)
{
    struct app *a = c->upstreams->app;
    struct slice early;
    struct stream *s;
    struct transport *t;

    if (!c->upgrade || ws_check_response(h, slice_str(c->key)) < 0) {
        fail(c, UPSTREAM_SENT, -ERR_WS_HANDSHAKE, SLICE_NONE);
        return;
    }
    s = http1_client_take_stream(c->conn->http, &early);
    t = websocket_open(s, true, early, &a->ws);
    tell_response(c, h, t);
    if (c->state != CALL_OVER)
        set_over(c, false);
}

/* --- facts of the connection --- */

static void wait_for_origin(struct upstream_call *c)
{
    const struct app_origin *o = origin_route_origin(c->route);

    timer_set(c->upstreams->loop, &c->late, loop_now(c->upstreams->loop) + o->response_ms);
}

static void on_answered(void *arg, const struct http1_head *h)
{
    struct upstream_call *c = arg;

    timer_del(c->upstreams->loop, &c->late);
    buf_done(&c->kept);
    c->is_kept = false;
    if (upstream__copy_head(c, h, &c->upstreams->response) < 0) {
        fail(c, UPSTREAM_SENT, -ERR_ORIGIN_BAD, slice_str(err_text(ERR_HTTP_HEADERS_LARGE)));
        return;
    }
    c->state = CALL_ANSWERED;
    if (h->status != 101 && c->hurries)
        wait_for_origin(c);
    if (h->status == 101)
        become_socket(c, h);
    else
        tell_response(c, h, NULL);
}

static void on_body(void *arg, struct slice bytes)
{
    struct upstream_call *c = arg;

    c->has_moved = true;
    c->ops->body(c->arg, bytes);
}

static void on_ended(void *arg, bool reusable)
{
    struct upstream_call *c = arg;

    set_over(c, reusable);
    c->ops->ended(c->arg);
}

static void begin(struct upstream_call *c);
static void post(struct upstream_call *c);

/* The connection had served others and died without a byte for this request: the server had closed
 * it already. */
static bool may_repeat(const struct upstream_call *c)
{
    return c->state == CALL_ASKED && c->conn->uses > 1 && !c->was_repeated &&
           !http1_client_has_heard(c->conn->http) && (c->is_kept || c->given == 0);
}

static void repeat(struct upstream_call *c)
{
    c->was_repeated = true;
    c->state = CALL_NEW;
    c->gone = 0;
    let_go(c, false);
    c->upstreams->app->edge->stats.upstream_repeated++;
    begin(c);
}

static enum upstream_reached reached(const struct upstream_call *c)
{
    if (c->state == CALL_ANSWERED)
        return UPSTREAM_CUT;
    if (c->state != CALL_ASKED)
        return UPSTREAM_NOT_REACHED;
    return http1_client_is_sent(c->conn->http) ? UPSTREAM_SENT : UPSTREAM_NOT_SENT;
}

static void on_failed(void *arg, int err, struct slice text)
{
    struct upstream_call *c = arg;

    if (may_repeat(c))
        repeat(c);
    else
        fail(c, reached(c), err, text);
}

static void on_taken(void *arg, size_t n)
{
    struct upstream_call *c = arg;

    c->gone += n;
    if (c->state == CALL_ASKED)
        wait_for_origin(c);
    if (c->gone <= c->told)
        return;
    n = (size_t)(c->gone - c->told);
    c->told = c->gone;
    if (c->ops->taken)
        c->ops->taken(c->arg, n);
}

static const struct http1_client_ops facts = {
    .answered = on_answered,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
    .taken = on_taken,
};

/* --- asking --- */

static enum http1_body framing_of(const struct upstream_call *c)
{
    if (c->body == EXCHANGE_BODY_NONE)
        return HTTP1_BODY_NONE;
    return c->body == EXCHANGE_BODY_STREAM ? HTTP1_BODY_CHUNKED : HTTP1_BODY_LENGTH;
}

static void ask(struct upstream_call *c, struct upstream__conn *conn)
{
    struct buf *head = &c->upstreams->request;

    c->conn = conn;
    c->state = CALL_ASKED;
    conn->uses++;
    if (upstream__put_head(c, head) < 0) {
        c->state = CALL_NEW;
        let_go(c, true);
        fail(c, UPSTREAM_NOT_REACHED, -ERR_FETCH, SLICE_NONE);
        return;
    }
    http1_client_start(conn->http, buf_slice(head), framing_of(c),
                       slice_eq(c->method, SLICE("HEAD")), c->credit);
    http1_client_attach(conn->http, &facts, c);
    if (c->kept.n || (c->is_body_over && c->body != EXCHANGE_BODY_NONE))
        http1_client_send(conn->http, buf_slice(&c->kept), c->is_body_over);
    if (conn->uses == 1) {
        buf_done(&c->kept); /* a new connection is not repeated on */
        c->is_kept = false;
    }
    wait_for_origin(c);
}

/* --- reaching a target --- */

static void next_target(struct upstream_call *c);

/* SNI: the Host that the target is to see. */
static struct slice tls_name(const struct upstream_call *c)
{
    const struct app_origin_target *t = upstream__target(c);
    const struct slice host = t->host_field ? slice_str(t->host_field) : c->host;
    ptrdiff_t colon;

    if (!t->tls)
        return SLICE_NONE;
    if (slice_starts(host, SLICE("[")))
        return slice_sub(host, 1, (size_t)MAX(slice_find(host, ']'), (ptrdiff_t)1) - 1);
    colon = slice_find(host, ':');
    return colon < 0 ? host : slice_sub(host, 0, (size_t)colon);
}

static void on_connected(void *arg, struct stream *take_s)
{
    struct upstream_call *c = arg;

    c->dial = NULL;
    upstream__peer_reached(c->peer);
    c->upstreams->app->edge->stats.upstream_connects++;
    c->upstreams->dials++;
    ask(c, upstream__conn_new(c->peer, take_s, tls_name(c)));
}

static void on_unreached(void *arg, int err, struct slice text)
{
    struct upstream_call *c = arg;
    struct upstream__peer *p = c->peer;

    c->dial = NULL;
    c->why = err;
    c->upstreams->app->edge->stats.upstream_unreached++;
    upstream__peer_failed(p);
    c->peer = NULL;
    c->state = CALL_NEW;
    if (p->n_line)
        upstream__call_next(p);
    c->target++;
    next_target(c);
}

static const struct egress_ops dial_facts = {.connected = on_connected, .failed = on_unreached};

static void dial(struct upstream_call *c)
{
    const struct app_origin_target *t = upstream__target(c);
    const struct slice name = tls_name(c);
    char text[256];

    (void)snprintf(text, sizeof(text), "%.*s", SLICE_FMT(slice_sub(name, 0, 255)));
    c->state = CALL_CONNECTING;
    c->peer->open++;
    c->peer->attempts++;
    c->dial = egress_connect(c->upstreams->egress,
                             &(struct egress_connect){
                                 .host = t->host,
                                 .port = t->port,
                                 .path = t->path,
                                 .name = t->tls ? text : NULL,
                                 .cert_name = t->cert_host            ? t->cert_host
                                              : t->trust_connect_host ? t->host
                                                                      : NULL,
                                 .insecure = t->insecure,
                                 .cert = t->client_cert,
                                 .key = t->client_key,
                                 .ca = t->ca,
                                 .by_rules = t->untrusted,
                             },
                             &dial_facts, c);
}

static void wait_in_line(struct upstream_call *c)
{
    struct upstream__peer *p = c->peer;

    if (p->n_line >= UPSTREAM__LINE) {
        c->peer = NULL;
        fail(c, UPSTREAM_NOT_REACHED, -ERR_OVERLOADED, SLICE_NONE);
        return;
    }
    c->state = CALL_WAITING;
    list_add_tail(&p->line, &c->in_line);
    p->n_line++;
    c->upstreams->app->edge->stats.upstream_waiting++;
    upstream__sweep_soon(c->upstreams); /* should its turn be lost with a call that was given up */
    wait_for_origin(c);
}

static void reach(struct upstream_call *c, struct upstream__peer *p)
{
    struct upstream__conn *conn = c->was_repeated ? NULL : upstream__peer_take(p, tls_name(c));

    c->peer = p;
    c->tried |= 1u << c->target;
    if (conn)
        ask(c, conn);
    else if (p->open < UPSTREAM__CONNECTIONS)
        dial(c);
    else
        wait_in_line(c);
}

void upstream__call_next(struct upstream__peer *p)
{
    struct upstream_call *c = LIST_ITEM(list_pop(&p->line), struct upstream_call, in_line);

    p->n_line--;
    c->upstreams->app->edge->stats.upstream_waiting--;
    c->peer = NULL;
    c->state = CALL_NEW;
    post(c);
}

static void fail_unreached(struct upstream_call *c)
{
    struct buf text = {.max = 4096};
    const size_t n = n_targets(c);

    (void)buf_add(&text, SLICE("Unable to connect to any targets. Tried:"));
    for (size_t i = 0; i < n; i++)
        (void)buf_addf(&text, "%s %s", i ? "," : "",
                       c->direct ? c->direct->name : c->route->config->targets[i].name);
    fail(c, UPSTREAM_NOT_REACHED, c->why ? c->why : -ERR_REFUSED, buf_slice(&text));
    buf_done(&text);
}

static bool suits(const struct upstream_call *c)
{
    const struct app_origin_target *t = upstream__target(c);

    return !t->test && (!c->over_http || t->over_http) &&
           (!c->upgrade || c->plain || !t->over_http);
}

/* The next target that is well; NULL: none. */
static struct upstream__peer *find_well(struct upstream_call *c)
{
    for (; c->target < n_targets(c); c->target++)
        if (suits(c)) {
            struct upstream__peer *p =
                upstream__peer(c->upstreams, key_of(c), upstream__target(c)->name);

            if (upstream__peer_is_well(p))
                return p;
        }
    return NULL;
}

/* All rest: one that may be tried nevertheless. */
static struct upstream__peer *find_probe(struct upstream_call *c)
{
    for (c->target = 0; c->target < n_targets(c); c->target++)
        if (suits(c) && !(c->tried & (1u << c->target))) {
            struct upstream__peer *p =
                upstream__peer(c->upstreams, key_of(c), upstream__target(c)->name);

            if (upstream__peer_wants_probe(p))
                return p;
        }
    return NULL;
}

static void next_target(struct upstream_call *c)
{
    struct upstream__peer *p = find_well(c);

    if (!p)
        p = find_probe(c);
    if (p)
        reach(c, p);
    else
        fail_unreached(c);
}

/* --- the target `test` --- */

static void give_test(struct upstream_call *c, const struct origin_builtin *t)
{
    const struct upstream_response r = {
        .status = t->status,
        .head = buf_slice(&t->head),
        .body = t->body.n ? EXCHANGE_BODY_LENGTH : EXCHANGE_BODY_NONE,
        .length = t->body.n,
        .has_length = true,
        .target = slice_str(upstream__target(c)->name),
        .subs = upstream__target(c)->subs,
    };

    c->state = CALL_ANSWERED;
    c->ops->response(c->arg, &r);
    if (c->state != CALL_OVER && t->body.n && !slice_eq(c->method, SLICE("HEAD")))
        c->ops->body(c->arg, buf_slice(&t->body));
    if (c->state != CALL_OVER)
        on_ended(c, false);
}

static void answer_test(struct upstream_call *c)
{
    const bool is_events = slice_find_slice(c->fields, SLICE("application/websocket-events")) >= 0;
    struct origin_builtin t;

    origin_builtin_answer(c->path, is_events, buf_slice(&c->kept), &t);
    give_test(c, &t);
    origin_builtin_done(&t);
}

static void begin(struct upstream_call *c)
{
    c->target = 0;
    c->tried = 0;
    if (!c->direct && !c->upgrade && upstream__target(c)->test)
        answer_test(c);
    else
        next_target(c);
}

static void work(void *arg)
{
    struct upstream_call *c = arg;

    c->is_posted = false;
    if (c->state == CALL_OVER)
        return;
    if (c->broken)
        fail(c, c->state == CALL_NEW ? UPSTREAM_NOT_REACHED : UPSTREAM_NOT_SENT, c->broken,
             SLICE_NONE);
    else if (c->state == CALL_NEW)
        begin(c);
}

static void post(struct upstream_call *c)
{
    if (c->is_posted || c->state == CALL_OVER)
        return;
    c->is_posted = true;
    loop_defer(c->upstreams->loop, LOOP_DEFERRED, work, c);
}

static void on_late(struct timer *t)
{
    struct upstream_call *c = CONTAINER_OF(t, struct upstream_call, late);

    if (c->state == CALL_ANSWERED && (c->has_moved || http1_client_is_held(c->conn->http))) {
        c->has_moved = false;
        wait_for_origin(c);
        return;
    }
    fail(c, reached(c), -ERR_ORIGIN_TIMEOUT, SLICE_NONE);
}

/* --- bodies --- */

static int check_body(const struct upstream_call *c)
{
    if (c->body == EXCHANGE_BODY_NONE || (c->body == EXCHANGE_BODY_LENGTH && c->given > c->length))
        return -ERR_FETCH;
    if (c->is_body_over && c->body == EXCHANGE_BODY_LENGTH && c->given != c->length)
        return -ERR_FETCH;
    return c->given - c->told > 2 * UPSTREAM_WINDOW ? -ERR_OVERLOADED : 0;
}

/* Until there is a connection all of it, then while it is short and may have to be repeated. */
static void keep_body(struct upstream_call *c, struct slice bytes)
{
    const bool is_on_its_way = c->state == CALL_ASKED || c->state == CALL_ANSWERED;

    if (is_on_its_way && !c->is_kept)
        return;
    if (is_on_its_way && c->given > UPSTREAM_KEEP) {
        c->is_kept = false;
        buf_done(&c->kept);
        return;
    }
    if (buf_add(&c->kept, bytes) < 0)
        c->broken = -ERR_OVERLOADED;
}

void upstream_body(struct upstream_call *c, struct slice bytes, bool end)
{
    if (c->state == CALL_OVER || c->is_body_over || c->broken)
        return;
    c->given += bytes.n;
    c->is_body_over = end;
    c->broken = check_body(c);
    if (!c->broken)
        keep_body(c, bytes);
    if (c->broken)
        post(c);
    else if (c->state == CALL_ASKED || c->state == CALL_ANSWERED)
        http1_client_send(c->conn->http, bytes, end);
}

void upstream_credit(struct upstream_call *c, size_t n)
{
    c->credit += n;
    c->has_moved = true;
    if (c->conn)
        http1_client_credit(c->conn->http, n);
}

void upstream_hurry(struct upstream_call *c)
{
    c->hurries = true;
    if (c->state == CALL_ANSWERED)
        wait_for_origin(c);
}

void upstream_attach(struct upstream_call *c, const struct upstream_ops *ops, void *arg)
{
    c->ops = ops;
    c->arg = arg;
}

/* --- the beginning --- */

static struct slice copy_to(char **at, struct slice s)
{
    char *to = *at;

    if (s.n)
        memcpy(to, s.p, s.n);
    *at += s.n;
    return slice_make(to, s.n);
}

static void copy_request(struct upstream_call *c, const struct upstream_request *r)
{
    char *at = c->text = mem_new(r->method.n + r->path.n + r->host.n + r->fields.n + 1);

    c->method = copy_to(&at, r->method);
    c->path = copy_to(&at, r->path);
    c->host = copy_to(&at, r->host);
    c->fields = copy_to(&at, r->fields);
}

/* "https://host:port" */
static int set_direct(struct upstream_call *c, struct slice url)
{
    const bool tls = slice_starts(url, SLICE("https://"));
    struct slice authority = slice_sub(url, tls ? 8 : 7, SIZE_MAX), port;
    ptrdiff_t colon = -1;
    uint64_t n = tls ? 443 : 80;

    if ((!tls && !slice_starts(url, SLICE("http://"))) || !http1_is_authority(authority))
        return -ERR_FETCH;
    for (size_t i = 0; i < authority.n; i++)
        if (authority.p[i] == ':')
            colon = (ptrdiff_t)i;
    if (colon > slice_find(authority, ']')) {
        port = slice_sub(authority, (size_t)colon + 1, SIZE_MAX);
        if (port.n && slice_u64(port, 65535, &n) < 0)
            return -ERR_FETCH;
        authority = slice_sub(authority, 0, (size_t)colon);
    }
    if (slice_starts(authority, SLICE("[")))
        authority = slice_sub(authority, 1, authority.n - 2);
    c->direct = mem_new(sizeof(*c->direct));
    *c->direct = (struct app_origin_target){
        .host = slice_dup(authority), .port = (uint16_t)n, .tls = tls, .over_http = c->over_http};
    c->direct->name = c->direct->host;
    c->direct_key = slice_make(slice_dup(url), url.n);
    return 0;
}

static int set_body(struct upstream_call *c, const struct upstream_request *r)
{
    buf_init(&c->kept, 4 * UPSTREAM_WINDOW);
    c->is_kept = true;
    c->body = r->upgrade ? EXCHANGE_BODY_NONE : r->body;
    c->length = r->length;
    if (c->body == EXCHANGE_BODY_LENGTH && c->length == 0)
        c->body = EXCHANGE_BODY_NONE;
    c->is_body_over = c->body == EXCHANGE_BODY_NONE;
    if (c->is_body_over || r->content.n == 0)
        return 0;
    c->given = r->content.n;
    c->is_body_over = c->body == EXCHANGE_BODY_LENGTH && c->given == c->length;
    if (c->body == EXCHANGE_BODY_LENGTH && c->given > c->length)
        return -ERR_FETCH;
    return buf_add(&c->kept, r->content);
}

static bool is_too_many(const struct upstreams *u, const struct app_origin *o)
{
    return o->requests && u->n_calls > o->requests;
}

struct upstream_call *upstream_start(struct app *a, const struct upstream_request *r,
                                     const struct upstream_ops *ops, void *arg)
{
    struct upstreams *u = a->upstreams;
    struct upstream_call *c = mem_new(sizeof(*c));

    c->upstreams = u;
    c->ops = ops;
    c->arg = arg;
    c->route = origin_route_ref(r->route);
    c->sign = r->sign;
    c->upgrade = r->upgrade;
    c->over_http = r->over_http;
    c->plain = r->plain;
    c->hurries = r->hurries;
    c->credit = UPSTREAM_WINDOW;
    c->late.due = on_late;
    list_add_tail(&u->calls, &c->in_upstreams);
    u->n_calls++;
    a->edge->stats.upstream_requests++;
    a->edge->stats.upstream_open++;
    copy_request(c, r);
    c->broken = is_too_many(u, origin_route_origin(c->route)) ? -ERR_OVERLOADED : set_body(c, r);
    if (!c->broken && r->direct.n)
        c->broken = set_direct(c, r->direct);
    post(c);
    return c;
}

/* --- all of an application --- */

static void on_sweep(struct timer *t)
{
    struct upstreams *u = CONTAINER_OF(t, struct upstreams, sweep);

    if (upstream__sweep(u))
        upstream__sweep_soon(u);
}

static struct egress *open_egress(struct app *a)
{
    const struct app_origin *o = a->settings->config.origin;
    const struct egress_limits limits = {.calls = UPSTREAM__CONNECTIONS * 8,
                                         .connect_ms = o ? o->connect_ms : 0};

    return egress_new(a->edge->loop, &a->settings->config.egress, &limits, &a->ws, NULL);
}

struct upstreams *upstreams_new(struct app *a)
{
    struct upstreams *u = mem_new(sizeof(*u));

    u->app = a;
    u->loop = a->edge->loop;
    u->sweep.due = on_sweep;
    u->egress = open_egress(a);
    list_init(&u->calls);
    buf_init(&u->request, HEAD_MAX);
    buf_init(&u->response, HEAD_MAX);
    return u;
}

void upstreams_reset(struct upstreams *u)
{
    struct egress *old = u->egress;
    struct list *it, *tmp;

    u->egress = open_egress(u->app);
    LIST_EACH (&u->calls, it, tmp) {
        struct upstream_call *c = LIST_ITEM(it, struct upstream_call, in_upstreams);

        if (c->conn)
            c->conn->is_old = true;
        if (c->state != CALL_CONNECTING)
            continue;
        c->state = CALL_NEW;
        let_go(c, false);
        post(c);
    }
    upstream__close_idle(u);
    egress_free(old);
}

void upstreams_free(struct upstreams *u)
{
    struct list *it, *tmp;

    if (!u)
        return;
    u->is_closed = true;
    u->n_calls++;
    LIST_EACH (&u->calls, it, tmp)
        upstream_cancel(LIST_ITEM(it, struct upstream_call, in_upstreams));
    upstream__close_idle(u);
    timer_del(u->loop, &u->sweep);
    upstream__free_peers(u);
    egress_free(u->egress);
    buf_done(&u->request);
    buf_done(&u->response);
    if (--u->n_calls == 0)
        mem_free(u);
}
