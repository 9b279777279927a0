#include "edge/origin.h"

#include <assert.h>
#include <stdio.h>

#include "edge/edge_int.h"
#include "edge/grip_hold.h"
#include "edge/origin_cors.h"
#include "edge/origin_head.h"
#include "edge/origin_jsonp.h"
#include "edge/origin_route.h"
#include "edge/origin_socket.h"
#include "edge/settings.h"
#include "edge/upstream.h"
#include "io/stream.h"
#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/http1.h"

#define FAILED SLICE("Error while proxying to origin.\n")

enum {
    HEAD_MAX = 512 << 10,
    FAILURES_LOGGED = 5, /* a second */
};

/* One client's request, from its beginning until the client has its answer; a hold keeps it. */
struct proxied {
    struct list in_app; /* while no hold has it */
    struct app *app;
    struct origin_route *route;
    struct reply reply;
    struct upstream_call *call;

    /* The request as the origin gets it. */
    char *text; /* owns the slices */
    struct slice method, host, path, uri, fields;
    struct buf body; /* what came of it, while that is short enough to be kept */
    enum exchange_body body_kind;
    uint64_t length;
    uint64_t body_came;
    bool is_body_over;
    bool is_head;
    bool is_secure;
    bool is_trusted;
    bool is_plain; /* no GRIP: nothing is signed, no instruction obeyed */

    bool has_responded;
    bool is_over;
};

static bool has_grip(const struct proxied *p)
{
    return !p->is_plain && origin_route_has_grip(p->route);
}

/* --- the end --- */

static void proxied_free(void *arg)
{
    struct proxied *p = arg;

    list_del(&p->in_app);
    origin_route_unref(p->route);
    buf_done(&p->body);
    mem_free(p->text);
    mem_free(p);
}

static void set_over(struct proxied *p)
{
    p->is_over = true;
    p->call = NULL;
    list_del(&p->in_app);
    loop_defer(p->app->edge->loop, LOOP_REAP, proxied_free, p);
}

static void refuse(struct proxied *p, uint16_t status, struct slice text)
{
    const struct reply reply = p->reply;

    upstream_cancel(p->call);
    set_over(p);
    if (p->has_responded)
        reply_abort(reply);
    else
        reply_answer(reply, status, SLICE("Content-Type: text/plain\n"), text);
}

/* An origin that is down does not fill the disk. */
static bool may_log(struct app *a)
{
    const int64_t second = loop_now(a->edge->loop) / 1000;

    if (a->failures_second != second) {
        a->failures_second = second;
        a->failures_logged = 0;
    }
    return a->failures_logged++ < FAILURES_LOGGED;
}

/* The origin's fault. What it was the client hears only from a route that is debugged. */
static void refuse_origin(struct proxied *p, int err, struct slice why)
{
    CLEANUP(buf_done) struct buf text = {.max = 8192};
    struct app *a = p->app;

    if (may_log(a))
        log_event(&a->edge->log, LOG_WARN, "origin.failed", F_TEXT("app", app_name(a)),
                  F_TEXT("path", p->path), F_TEXT("why", why));
    a->edge->stats.requests_failed++;
    (void)buf_addf(&text, "%.*s\n", SLICE_FMT(why));
    refuse(p, err == -ERR_OVERLOADED ? 503 : 502,
           origin_route_is_debug(p->route) ? buf_slice(&text) : FAILED);
}

/* --- facts of the reply --- */

static void keep_body(struct proxied *p, struct slice bytes)
{
    p->body_came += bytes.n;
    if (p->body_came > GRIP_HOLD_BODY)
        buf_done(&p->body);
    else if (has_grip(p) && !p->is_trusted)
        (void)buf_add(&p->body, bytes);
}

static void on_request_body(void *arg, struct slice bytes, bool end)
{
    struct proxied *p = arg;

    keep_body(p, bytes);
    p->is_body_over = end;
    upstream_body(p->call, bytes, end);
}

static void on_response_taken(void *arg, size_t n)
{
    struct proxied *p = arg;

    upstream_credit(p->call, n);
}

static void on_closed(void *arg, int err)
{
    struct proxied *p = arg;

    upstream_cancel(p->call);
    set_over(p);
}

static const struct exchange_ops reply_facts = {
    .body = on_request_body, .taken = on_response_taken, .closed = on_closed};

/* --- what a hold asks for --- */

static void ask(struct proxied *p, struct slice last, bool from_kept);

static void hold_again(void *origin, struct reply take_reply, struct slice last)
{
    struct proxied *p = origin;

    p->reply = take_reply;
    list_add_tail(&p->app->proxied, &p->in_app);
    reply_attach(p->reply, &reply_facts, p);
    ask(p, last, true);
}

/* "scheme://authority" of an absolute URI; ret_path: the rest, at least "/". */
static struct slice split_uri(struct slice uri, struct slice *ret_path)
{
    const ptrdiff_t colon = slice_find_slice(uri, SLICE("://"));
    size_t at = colon < 0 ? uri.n : (size_t)colon + 3;

    while (at < uri.n && uri.p[at] != '/' && uri.p[at] != '?' && uri.p[at] != '#')
        at++;
    *ret_path = slice_sub(uri, at, SIZE_MAX);
    if (slice_find(*ret_path, '#') >= 0)
        *ret_path = slice_sub(*ret_path, 0, (size_t)slice_find(*ret_path, '#'));
    return slice_sub(uri, 0, at);
}

static void put_loop(const struct proxied *p, struct buf *out)
{
    const char *name = origin_route_origin(p->route)->cdn_loop;

    if (name)
        (void)buf_addf(out, "CDN-Loop: %s\n", name);
}

static struct upstream_call *hold_fetch(void *origin, const struct grip_fetch *f,
                                        const struct upstream_ops *ops, void *arg)
{
    struct proxied *p = origin;
    CLEANUP(buf_done) struct buf fields = {.max = HEAD_MAX};
    CLEANUP(buf_done) struct buf path = {.max = HEAD_MAX};
    struct slice own_path, rest;
    const struct slice own = split_uri(p->uri, &own_path), there = split_uri(f->uri, &rest);
    const bool is_own = slice_eq_nocase(own, there);
    const ptrdiff_t colon = slice_find_slice(there, SLICE("://"));

    (void)buf_add(&path, slice_starts(rest, SLICE("/")) ? SLICE_NONE : SLICE("/"));
    (void)buf_add(&path, rest);
    (void)buf_add(&fields, f->last);
    put_loop(p, &fields);
    return upstream_start(
        p->app,
        &(struct upstream_request){
            .route = p->route,
            .method = f->method,
            .path = buf_slice(&path),
            .host = is_own ? p->host : slice_sub(there, (size_t)MAX(colon + 3, 0), SIZE_MAX),
            .fields = buf_slice(&fields),
            .sign = true,
            .hurries = true,
            .direct = is_own ? SLICE_NONE : there,
        },
        ops, arg);
}

/* Of thousands of open streams, only what their links need is kept. */
static void hold_trim(void *origin)
{
    struct proxied *p = origin;
    const size_t host = p->host.n, uri = p->uri.n;
    char *text = mem_new(host + uri);

    if (host)
        memcpy(text, p->host.p, host);
    memcpy(text + host, p->uri.p, uri);
    mem_free(p->text);
    p->text = text;
    p->host = slice_make(text, host);
    p->uri = slice_make(text + host, uri);
    p->method = p->path = p->fields = SLICE_NONE;
    buf_done(&p->body);
}

static void hold_release(void *origin)
{
    proxied_free(origin);
}

static const struct grip_origin_ops hold_ops = {
    .again = hold_again,
    .fetch = hold_fetch,
    .attach = upstream_attach,
    .credit = upstream_credit,
    .cancel = upstream_cancel,
    .trim = hold_trim,
    .release = hold_release,
};

static struct slice field_of(const struct proxied *p, struct slice name)
{
    struct slice value = SLICE_NONE;

    (void)fields_find(p->fields, name, &value);
    return value;
}

/* The response's head instructs: from here on the reply, the call and p itself are the hold's. */
static void hand_to_hold(struct proxied *p, const struct upstream_response *r)
{
    const struct app_origin_route *c = p->route->config;
    const struct reply reply = p->reply;
    struct upstream_call *call = p->call;

    list_del(&p->in_app);
    p->call = NULL;
    p->reply = (struct reply){0};
    upstream_hurry(call);
    grip_hold_open(&(struct grip_hold_start){
        .app = p->app,
        .take_reply = reply,
        .ops = &hold_ops,
        .origin = p,
        .take_call = call,
        .response = r,
        .uri = p->uri,
        .prefix = slice_str(c->prefix),
        .route = p->route,
        .route_id = slice_str(c->id),
        .last_event_id = field_of(p, SLICE("Last-Event-ID")),
        .channels = origin_route_origin(p->route)->subscriptions,
        .debug = origin_route_is_debug(p->route),
        .is_head = p->is_head,
        .is_large = p->body_came > GRIP_HOLD_BODY || !p->is_body_over,
    });
}

/* --- facts of the call --- */

static bool is_instructed(const struct proxied *p, const struct upstream_response *r)
{
    return has_grip(p) && !p->is_trusted && grip_is_instructed(r->head);
}

/* A body that HEAD and 304 only announce is announced. */
static enum exchange_body body_of(const struct upstream_response *r)
{
    return r->body == EXCHANGE_BODY_NONE && r->has_length ? EXCHANGE_BODY_LENGTH : r->body;
}

static void on_response(void *arg, const struct upstream_response *r)
{
    struct proxied *p = arg;
    const struct exchange_response response = {
        .status = r->status,
        .reason = r->reason,
        .fields = r->head,
        .body = body_of(r),
        .length = r->length,
        .comment_ms = settings_comment_ms(p->app->settings, r->head),
    };

    if (is_instructed(p, r)) {
        hand_to_hold(p, r);
        return;
    }
    if (reply_respond(p->reply, &response) < 0)
        refuse_origin(p, -ERR_ORIGIN_BAD, slice_str(err_text(ERR_ORIGIN_BAD)));
    else
        p->has_responded = true;
}

static void on_body(void *arg, struct slice bytes)
{
    struct proxied *p = arg;

    if (reply_send(p->reply, bytes) < 0)
        refuse(p, 502, FAILED);
}

static void on_ended(void *arg)
{
    struct proxied *p = arg;
    const struct reply reply = p->reply;

    set_over(p);
    reply_end(reply);
}

static void on_failed(void *arg, enum upstream_reached reached, int err, struct slice text)
{
    struct proxied *p = arg;

    p->call = NULL;
    refuse_origin(p, err, text);
}

static void on_request_taken(void *arg, size_t n)
{
    struct proxied *p = arg;

    if (!p->is_body_over)
        reply_pull(p->reply, n);
}

static const struct upstream_ops call_facts = {
    .response = on_response,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
    .taken = on_request_taken,
};

static void ask(struct proxied *p, struct slice last, bool from_kept)
{
    CLEANUP(buf_done) struct buf fields = {.max = HEAD_MAX};

    if (last.n) {
        (void)buf_add(&fields, p->fields);
        (void)buf_add(&fields, last);
    }
    p->call = upstream_start(p->app,
                             &(struct upstream_request){
                                 .route = p->route,
                                 .method = p->method,
                                 .path = p->path,
                                 .host = p->host,
                                 .fields = last.n ? buf_slice(&fields) : p->fields,
                                 .body = from_kept ? EXCHANGE_BODY_LENGTH : p->body_kind,
                                 .length = from_kept ? p->body.n : p->length,
                                 .content = from_kept ? buf_slice(&p->body) : SLICE_NONE,
                                 .sign = has_grip(p) && !p->is_trusted,
                             },
                             &call_facts, p);
}

/* --- the beginning --- */

static void open_socket(struct proxied *p)
{
    const struct origin_socket s = {
        .app = p->app,
        .route = p->route,
        .exchange = reply_client(p->reply),
        .host = p->host,
        .path = p->path,
        .fields = p->fields,
        .is_trusted = p->is_trusted,
        .is_plain = p->is_plain,
    };

    list_del(&p->in_app);
    p->reply = (struct reply){0};
    origin_socket_open(&s);
    set_over(p);
}

static int64_t now_s(const struct app *a)
{
    return loop_wall(a->edge->loop) / 1000;
}

static bool is_trusted(const struct app *a, const struct exchange_request *rq)
{
    const struct slice *token = origin_head_find(rq, SLICE("Grip-Sig"));

    return token && origin_table_trusts(a->routes, *token, now_s(a));
}

/* The host that the origin sees, in lower case. */
static void put_host(const struct proxied *p, const struct exchange_request *rq, struct buf *out)
{
    const char *as = p->route->config->as_host;
    const size_t begin = out->n;

    (void)buf_add(out, as ? slice_str(as) : rq->host.n ? rq->host : SLICE("localhost"));
    for (size_t i = begin; i < out->n; i++)
        out->p[i] |= out->p[i] >= 'A' && out->p[i] <= 'Z' ? 0x20 : 0;
}

/* Everything that the origin is to see, in one piece of memory. */
static int write_request(struct proxied *p, const struct exchange_request *rq, struct slice peer)
{
    CLEANUP(buf_done) struct buf uri = {.max = HEAD_MAX};
    struct buf b = {.max = HEAD_MAX};
    const struct origin_head head = {.route = p->route,
                                     .request = rq,
                                     .peer = peer,
                                     .is_trusted = p->is_trusted,
                                     .is_secure = p->is_secure};
    size_t host, path, end;
    struct slice all;
    int r;

    (void)buf_add(&b, rq->method);
    host = b.n;
    put_host(p, rq, &b);
    path = b.n;
    r = origin_route_path(p->route, rq->path, &b);
    end = b.n;
    (void)buf_addf(&uri, "%s://", p->is_secure ? "https" : "http");
    (void)buf_add(&uri, slice_sub(buf_slice(&b), host, end - host));
    if (r == 0)
        r = buf_add(&b, buf_slice(&uri));
    if (r == 0)
        r = origin_head_put(&head, &b);
    all = span_slice(buf_take(&b));
    p->text = (char *)all.p;
    p->method = slice_sub(all, 0, host);
    p->host = slice_sub(all, host, path - host);
    p->path = slice_sub(all, path, end - path);
    p->uri = slice_sub(all, end, uri.n);
    p->fields = slice_sub(all, end + uri.n, SIZE_MAX);
    return r;
}

static bool posts_events(const struct proxied *p)
{
    const struct slice type = field_of(p, SLICE("Content-Type"));

    return slice_starts(type, SLICE("application/websocket-events"));
}

static bool has_over_http(const struct origin_route *r)
{
    for (size_t i = 0; i < r->config->n_targets; i++)
        if (r->config->targets[i].over_http)
            return true;
    return false;
}

static void begin(struct proxied *p, const struct exchange_request *rq)
{
    if (rq->upgrade && reply_client(p->reply)) {
        open_socket(p);
        return;
    }
    if (has_grip(p) && !p->is_trusted && has_over_http(p->route) &&
        slice_eq(p->method, SLICE("POST")) && posts_events(p)) {
        refuse(p, 403, SLICE("Client not allowed to send WebSocket events directly.\n"));
        return;
    }
    ask(p, SLICE_NONE, p->body.n > 0);
    if (!p->is_body_over)
        reply_pull(p->reply, UPSTREAM_WINDOW);
}

struct opening {
    struct app *app;
    struct origin_route *route;
    struct slice peer;
    bool is_plain;
};

/* content: all of the request's body, or nothing when that comes from the reply. */
static void open_request(const struct opening *o, const struct exchange_request *rq,
                         struct slice content, struct reply take_reply)
{
    struct app *a = o->app;
    struct proxied *p = mem_new(sizeof(*p));

    p->app = a;
    p->route = origin_route_ref(o->route);
    p->reply = take_reply;
    p->is_plain = o->is_plain;
    p->is_head = slice_eq(rq->method, SLICE("HEAD"));
    p->is_trusted = is_trusted(a, rq);
    p->is_secure = rq->tls_version || origin_head_says_secure(a->settings->config.origin, rq);
    p->body_kind = rq->body;
    p->length = rq->length;
    p->is_body_over = rq->body == EXCHANGE_BODY_NONE || content.n;
    buf_init(&p->body, GRIP_HOLD_BODY);
    (void)buf_add(&p->body, content);
    list_add_tail(&a->proxied, &p->in_app);
    reply_attach(take_reply, &reply_facts, p);
    a->edge->stats.requests_origin++;
    if (write_request(p, rq, o->peer) < 0)
        refuse(p, 431, slice_str(err_text(ERR_HTTP_HEADERS_LARGE)));
    else
        begin(p, rq);
}

/* A route for pages of other sites. */
static void open_cross(const struct opening *o, const struct exchange_request *rq,
                       struct reply take_reply)
{
    const struct app_origin_route *c = o->route->config;
    struct origin_jsonp j;
    const int r = origin_jsonp_read(c, rq, &j);

    if (r == 0) {
        open_request(o, rq, SLICE_NONE, origin_cors(rq, take_reply));
    } else if (r < 0) {
        reply_text(take_reply, 400, SLICE("The query is no JSONP request.\n"));
    } else {
        open_request(o, &j.request, j.content, origin_jsonp_reply(c, j.callback, take_reply));
        origin_jsonp_done(&j);
    }
}

static void open_route(const struct opening *o, const struct exchange_request *rq,
                       struct reply take_reply)
{
    const struct app_origin *all = o->app->settings->config.origin;
    const bool is_cross = (o->route->config->aco || all->auto_cross_origin) && !o->is_plain;

    if (is_cross && !rq->upgrade && !is_trusted(o->app, rq))
        open_cross(o, rq, take_reply);
    else
        open_request(o, rq, SLICE_NONE, take_reply);
}

static struct origin_route *find_route(struct app *a, const struct exchange_request *rq)
{
    const struct app_origin *o = a->settings->config.origin;
    const struct slice *id =
        o->accept_route_header ? origin_head_find(rq, SLICE("Pushpin-Route")) : NULL;

    if (id)
        return origin_route_by_id(a->routes, *id);
    return origin_route_find(a->routes,
                             &(struct origin_wish){
                                 .host = rq->host,
                                 .path = rq->path,
                                 .is_ws = rq->upgrade,
                                 .is_secure = rq->tls_version || origin_head_says_secure(o, rq),
                             });
}

void origin_open(struct app *a, const struct exchange_request *rq, struct reply take_reply,
                 struct slice peer)
{
    struct origin_route *route = find_route(a, rq);
    CLEANUP(buf_done) struct buf text = {.max = 1024};

    if (route) {
        open_route(&(struct opening){.app = a, .route = route, .peer = peer}, rq, take_reply);
        return;
    }
    a->edge->stats.requests_other++;
    (void)buf_addf(&text, "No route for host: %.*s\n", SLICE_FMT(slice_sub(rq->host, 0, 512)));
    reply_answer(take_reply, 502, SLICE("Content-Type: text/plain\n"), buf_slice(&text));
}

int origin_handoff(struct app *a, const struct origin_handoff *h, struct reply take_reply)
{
    struct origin_route *route = a->routes ? origin_route_by_id(a->routes, h->route) : NULL;

    if (!route)
        return -ERR_NOT_FOUND;
    open_route(
        &(struct opening){
            .app = a, .route = route, .peer = h->peer, .is_plain = h->how == ORIGIN_WEBSOCKET},
        h->request, take_reply);
    return 0;
}

void origin_stop(struct app *a)
{
    struct list *it, *tmp;

    LIST_EACH (&a->proxied, it, tmp)
        refuse(LIST_ITEM(it, struct proxied, in_app), 503, slice_str(err_text(ERR_CLOSED)));
}
