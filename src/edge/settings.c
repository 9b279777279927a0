#include "edge/settings.h"

#include "wire/fields.h"

static void *own(struct settings *s, void *p)
{
    s->owned = mem_grow(s->owned, (s->n_owned + 1) * sizeof(s->owned[0]));
    return s->owned[s->n_owned++] = p;
}

static const char *own_text(struct settings *s, const char *text)
{
    return text ? own(s, slice_dup(slice_str(text))) : NULL;
}

static const char *const *own_list(struct settings *s, const char *const *list)
{
    size_t n = 0;
    const char **copy;

    if (!list)
        return NULL;
    while (list[n])
        n++;
    copy = own(s, mem_new((n + 1) * sizeof(copy[0])));
    for (size_t i = 0; i < n; i++)
        copy[i] = own_text(s, list[i]);
    return copy;
}

static const struct app_service *own_services(struct settings *s, const struct app_config *c)
{
    struct app_service *copy = own(s, mem_new((c->n_services + 1) * sizeof(copy[0])));

    for (size_t i = 0; i < c->n_services; i++)
        copy[i] = (struct app_service){
            .name = own_text(s, c->services[i].name),
            .app = own_text(s, c->services[i].app),
            .url = own_text(s, c->services[i].url),
        };
    return copy;
}

static struct slice own_bytes(struct settings *s, struct slice bytes)
{
    return bytes.n ? (struct slice){own(s, slice_dup(bytes)), bytes.n} : SLICE_NONE;
}

static struct app_key own_key(struct settings *s, struct app_key key)
{
    return (struct app_key){key.form, own_bytes(s, key.text)};
}

static const struct app_header *own_headers(struct settings *s, const struct app_origin_route *r)
{
    struct app_header *copy = own(s, mem_new((r->n_headers + 1) * sizeof(copy[0])));

    for (size_t i = 0; i < r->n_headers; i++)
        copy[i] = (struct app_header){
            .name = own_text(s, r->headers[i].name),
            .value = own_text(s, r->headers[i].value),
        };
    return copy;
}

static const struct app_origin_target *own_targets(struct settings *s,
                                                   const struct app_origin_route *r)
{
    struct app_origin_target *copy = own(s, mem_new((r->n_targets + 1) * sizeof(copy[0])));

    for (size_t i = 0; i < r->n_targets; i++) {
        const struct app_origin_target *from = &r->targets[i];

        copy[i] = *from;
        copy[i].host = own_text(s, from->host);
        copy[i].path = own_text(s, from->path);
        copy[i].name = own_text(s, from->name);
        copy[i].host_field = own_text(s, from->host_field);
        copy[i].cert_host = own_text(s, from->cert_host);
        copy[i].subs = own_list(s, from->subs);
        copy[i].client_cert = own_bytes(s, from->client_cert);
        copy[i].client_key = own_bytes(s, from->client_key);
        copy[i].ca = own_bytes(s, from->ca);
    }
    return copy;
}

static void fill_route(struct app_origin_route *r)
{
    if (!r->jsonp_cb)
        r->jsonp_cb = "callback";
    if (!r->jsonp_body)
        r->jsonp_body = "_body";
    if (!r->jsonp_defmethod)
        r->jsonp_defmethod = r->jsonp_mode == APP_JSONP_BASIC ? "POST" : "GET";
}

static struct app_origin_route own_route(struct settings *s, const struct app_origin_route *from)
{
    struct app_origin_route r = *from;

    r.id = own_text(s, from->id);
    r.host = own_text(s, from->host);
    r.path_beg = own_text(s, from->path_beg);
    r.replace_beg = own_text(s, from->replace_beg);
    r.as_host = own_text(s, from->as_host);
    r.prefix = own_text(s, from->prefix);
    r.sig_iss = own_text(s, from->sig_iss);
    r.sig_key = own_key(s, from->sig_key);
    r.headers = own_headers(s, from);
    r.jsonp_cb = own_text(s, from->jsonp_cb);
    r.jsonp_body = own_text(s, from->jsonp_body);
    r.jsonp_defcb = own_text(s, from->jsonp_defcb);
    r.jsonp_defmethod = own_text(s, from->jsonp_defmethod);
    r.targets = own_targets(s, from);
    fill_route(&r);
    return r;
}

#define DEFAULT(field, value)                                                                      \
    if (l->field == 0)                                                                             \
    l->field = (value)

static void fill_sockets(struct app_sockets *l)
{
    DEFAULT(ping_ms, 30000);
    DEFAULT(pong_ms, 20000);
    DEFAULT(deflate_level, 4);
    DEFAULT(deflate_bits, 15);
    DEFAULT(deflate_bytes, 1024);
    DEFAULT(message_burst, l->message_rate);
}

static void fill_defaults(struct app_limits *l, bool dev)
{
    DEFAULT(cpu_ms, 30000);
    DEFAULT(memory_bytes, 512ull << 20);
    DEFAULT(actor_idle_ms, 10000);
    DEFAULT(process_idle_ms, 20000);
    DEFAULT(drain_ms, dev ? 1000 : 10000);
    DEFAULT(ready_ms, 20000);
    DEFAULT(head_ms, 15000);
    DEFAULT(message_bytes, 32u << 20);
    DEFAULT(request_bytes, 100ull << 20);
    DEFAULT(send_queue_bytes, 4u << 20);
    DEFAULT(comment_ms, 30000);
}

static void fill_origin(struct app_origin *l)
{
    if (!l->sig_iss)
        l->sig_iss = "pushpin";
    DEFAULT(subscriptions, 20);
    DEFAULT(connect_ms, 10000);
    DEFAULT(response_ms, 60000);
    DEFAULT(pool_idle_ms, 60000);
    DEFAULT(breaker_failures, 5);
    DEFAULT(breaker_ms, 2000);
}

static const struct app_origin *own_origin(struct settings *s, const struct app_origin *from)
{
    struct app_origin_route *routes;
    struct app_origin *copy;

    if (!from)
        return NULL;
    copy = own(s, mem_new(sizeof(*copy)));
    routes = own(s, mem_new((from->n_routes + 1) * sizeof(routes[0])));
    *copy = *from;
    copy->sig_iss = own_text(s, from->sig_iss);
    copy->sig_key = own_key(s, from->sig_key);
    copy->upstream_key = own_key(s, from->upstream_key);
    copy->unmarked = own_list(s, from->unmarked);
    copy->cdn_loop = own_text(s, from->cdn_loop);
    for (size_t i = 0; i < from->n_routes; i++)
        routes[i] = own_route(s, &from->routes[i]);
    copy->routes = routes;
    fill_origin(copy);
    return copy;
}

struct settings *settings_new(const struct app_config *c)
{
    struct settings *s = mem_new(sizeof(*s));

    s->refs = 1;
    s->config = *c;
    s->has_worker = c->script.n > 0;
    s->config.config = s->config.script = s->config.map = SLICE_NONE;
    s->config.name = own_text(s, c->name);
    s->config.state_dir = own_text(s, c->state_dir);
    s->config.worker_path = own_text(s, c->worker_path);
    s->config.assets.dir = own_text(s, c->assets.dir);
    s->config.assets.worker_first_paths = own_list(s, c->assets.worker_first_paths);
    s->config.sockets.origins = own_list(s, c->sockets.origins);
    s->config.sockets.slow_mark = own_text(s, c->sockets.slow_mark);
    s->config.egress.allow = own_list(s, c->egress.allow);
    s->config.egress.deny = own_list(s, c->egress.deny);
    s->config.egress.resolve = own_list(s, c->egress.resolve);
    s->config.egress.ca_files = own_list(s, c->egress.ca_files);
    s->config.services = own_services(s, c);
    s->config.origin = own_origin(s, c->origin);
    fill_defaults(&s->config.limits, c->dev);
    fill_sockets(&s->config.sockets);
    return s;
}

struct settings *settings_ref(struct settings *s)
{
    s->refs++;
    return s;
}

void settings_free(struct settings *s)
{
    if (!s || --s->refs > 0)
        return;
    for (size_t i = 0; i < s->n_owned; i++)
        mem_free(s->owned[i]);
    mem_free(s->owned);
    mem_free(s);
}

uint32_t settings_comment_ms(const struct settings *s, struct slice fields)
{
    const uint32_t ms = settings_limits(s)->comment_ms;
    struct slice type, coding;

    if (ms == APP_NEVER || !fields_find(fields, SLICE("Content-Type"), &type) ||
        fields_find(fields, SLICE("Content-Encoding"), &coding))
        return 0;
    return slice_starts_nocase(type, SLICE("text/event-stream")) ? ms : 0;
}
