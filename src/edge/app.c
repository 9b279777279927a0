#include "edge/app.h"

#include "edge/delivery.h"
#include "edge/files.h"
#include "edge/grip_hold.h"
#include "edge/inbound.h"
#include "edge/link.h"
#include "edge/origin.h"
#include "edge/origin_route.h"
#include "edge/settings.h"
#include "edge/upstream.h"
#include "edge/woh.h"
#include "edge/ws_origin.h"
#include "egress/egress.h"

static void on_alarm_due(struct timer *t)
{
    delivery_alarm_due(CONTAINER_OF(t, struct app, alarm_timer));
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

int app_check(struct edge *e, const struct app_config *c, struct err_note *note)
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

    a->ws = (struct websocket_options){
        .message_bytes = MIN(l->message_bytes, (uint32_t)IPC_PAYLOAD_MAX - 64),
        .out_bytes = l->send_queue_bytes,
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

void app_configure(struct app *a, struct settings *take_s)
{
    files_close(a->files);
    settings_free(a->settings);
    a->settings = take_s;
    a->files =
        take_s->config.assets.dir ? files_open(a->edge->loop, &take_s->config.assets, NULL) : NULL;
    configure_sockets(a);
    configure_origin(a);
}

struct app *app_new(struct edge *e, unsigned index, const struct app_config *c,
                    struct err_note *note)
{
    struct app *a;

    if (app_check(e, c, note) < 0)
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

void app_free(struct app *a)
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
