#include "edge/origin_socket.h"

#include "edge/handshake.h"
#include "edge/origin_route.h"
#include "edge/upstream.h"
#include "edge/woh.h"
#include "edge/ws_origin.h"

/* What is left of the request while its WebSocket is open: what the origin is asked again with. */
struct asker {
    struct app *app;
    struct origin_route *route;
    struct slice host, path; /* behind the struct */
    bool has_grip;
    bool is_trusted;
    bool is_plain;
};

static bool has_grip(const struct origin_socket *s)
{
    return !s->is_plain && origin_route_has_grip(s->route);
}

static struct asker *make_asker(const struct origin_socket *s)
{
    const size_t host = s->host.n, path = s->path.n;
    struct asker *o = mem_new(sizeof(*o) + host + path);
    uint8_t *text = (uint8_t *)(o + 1);

    o->app = s->app;
    o->route = origin_route_ref(s->route);
    o->has_grip = has_grip(s);
    o->is_trusted = s->is_trusted;
    o->is_plain = s->is_plain;
    if (host)
        memcpy(text, s->host.p, host);
    if (path)
        memcpy(text + host, s->path.p, path);
    o->host = slice_make(text, host);
    o->path = slice_make(text + host, path);
    return o;
}

static void asker_free(void *origin)
{
    struct asker *o = origin;

    origin_route_unref(o->route);
    mem_free(o);
}

static struct upstream_call *socket_post(void *origin, struct slice fields, struct slice body,
                                         const struct upstream_ops *ops, void *arg)
{
    const struct asker *o = origin;

    return upstream_start(o->app,
                          &(struct upstream_request){
                              .route = o->route,
                              .method = SLICE("POST"),
                              .path = o->path,
                              .host = o->host,
                              .fields = fields,
                              .body = EXCHANGE_BODY_LENGTH,
                              .length = body.n,
                              .content = body,
                              .sign = o->has_grip,
                              .over_http = true,
                              .hurries = true,
                          },
                          ops, arg);
}

static struct upstream_call *socket_connect(void *origin, struct slice fields,
                                            const struct upstream_ops *ops, void *arg)
{
    const struct asker *o = origin;

    return upstream_start(o->app,
                          &(struct upstream_request){
                              .route = o->route,
                              .method = SLICE("GET"),
                              .path = o->path,
                              .host = o->host,
                              .fields = fields,
                              .sign = o->has_grip && !o->is_trusted,
                              .upgrade = true,
                              .hurries = true,
                              .plain = o->is_plain,
                          },
                          ops, arg);
}

static const struct socket_origin_ops socket_ops = {
    .post = socket_post,
    .connect = socket_connect,
    .credit = upstream_credit,
    .cancel = upstream_cancel,
    .release = asker_free,
};

/* The first target says which protocol the route's servers speak. */
void origin_socket_open(const struct origin_socket *s)
{
    const struct app_origin_route *r = s->route->config;
    const struct app_origin_target *t = &r->targets[0];
    const struct socket_start start = {
        .app = s->app,
        .exchange = s->exchange,
        .ops = &socket_ops,
        .origin = make_asker(s),
        .fields = s->fields,
        .prefix = slice_str(r->prefix),
        .route_id = slice_str(r->id),
        .no_grip = !has_grip(s),
        .trusted = s->is_trusted,
        .one_event = t->one_event,
        .debug = origin_route_is_debug(s->route),
    };

    if ((t->over_http || t->test) && !s->is_plain)
        woh_open(&start);
    else
        ws_origin_open(&start);
}
