#include "edge/settings.h"

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
    DEFAULT(send_queue_bytes, 32u << 20);
}

struct settings *settings_new(const struct app_config *c)
{
    struct settings *s = mem_new(sizeof(*s));

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
    fill_defaults(&s->config.limits, c->dev);
    fill_sockets(&s->config.sockets);
    return s;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_owned; i++)
        mem_free(s->owned[i]);
    mem_free(s->owned);
    mem_free(s);
}
