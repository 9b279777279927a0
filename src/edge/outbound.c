#include "edge/outbound.h"

#include "edge/delivery.h"
#include "edge/edge_int.h"
#include "edge/link.h"
#include "edge/outbound_int.h"
#include "edge/settings.h"

/* --- life --- */

void outbound_init(struct outbound *o, const struct outbound_kind *kind, struct link *l,
                   uint64_t id)
{
    o->kind = kind;
    o->link = l;
    o->id = id;
    (void)map64_put(&l->calls, id, o);
    l->app->edge->stats.fetches++;
    l->app->edge->stats.fetches_open++;
}

void outbound_drop(struct outbound *o)
{
    (void)map64_del(&o->link->calls, o->id);
    o->over = true;
    o->link->app->edge->stats.fetches_open--;
    delivery_check_idle(o->link->app);
}

/* --- frames to the worker --- */

void outbound_say_response(struct outbound *o, const struct ipc_response *r)
{
    o->responded = true;
    o->body = r->body;
    (void)ipc_put_response(link_out(o->link), o->id, 0, r);
}

void outbound_say_body(struct outbound *o, struct slice bytes)
{
    o->pending += (uint32_t)bytes.n;
    (void)ipc_put_body(link_out(o->link), o->id, 0, &(struct ipc_body){.bytes = bytes});
}

void outbound_say_failed(struct outbound *o, int err, struct slice text)
{
    const uint16_t error = (uint16_t)(err < 0 ? -err : err);

    if (o->responded)
        (void)ipc_put_body_abort(link_out(o->link), o->id, 0,
                                 &(struct ipc_body_abort){.error = error, .text = text});
    else
        (void)ipc_put_fail(link_out(o->link), o->id, 0,
                           &(struct ipc_fail){.error = error, .text = text});
}

void outbound_say_end(struct outbound *o)
{
    if (o->body != IPC_BODY_NONE)
        (void)ipc_put_body(link_out(o->link), o->id, IPC_END, &(struct ipc_body){0});
}

/* --- frames from the worker --- */

static struct outbound *find(struct link *l, const struct ipc_frame *f)
{
    return map64_find(&l->calls, f->id);
}

static const struct app_service *find_service(const struct app *a, struct slice name)
{
    const struct app_config *c = &a->settings->config;

    for (size_t i = 0; i < c->n_services; i++)
        if (slice_eq(slice_str(c->services[i].name), name))
            return &c->services[i];
    return NULL;
}

/* The application of that name; NULL. */
static struct app *find_app(const struct edge *e, struct slice name)
{
    for (size_t i = 0; i < e->n_apps; i++)
        if (slice_eq(app_name(e->apps[i]), name))
            return e->apps[i];
    return NULL;
}

static int no_service(struct link *l, const struct ipc_frame *f)
{
    (void)ipc_put_fail(
        link_out(l), f->id, 0,
        &(struct ipc_fail){.error = ERR_NOT_FOUND, .text = SLICE("no such service is configured")});
    return 0;
}

int outbound_fetch(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m)
{
    const struct app_service *s = find_service(l->app, m->service);
    struct app *to = s && s->app ? find_app(l->app->edge, slice_str(s->app)) : NULL;

    if (!(f->id & IPC_WORKER_EXCHANGE) || f->id >> IPC_EDGE_SHIFT != l->app->edge->index ||
        find(l, f))
        return link_bad(l, "not a new id of this link", f);
    if (m->body > IPC_BODY_STREAM || m->redirect > 2)
        return link_bad(l, "unknown kind of body or redirect", f);
    if (l->calls.count >= LINK_CALLS)
        return link_bad(l, "too many requests at once", f);
    if (to)
        outbound_start_local(l, f, m, to);
    else if (slice_eq(m->service, SLICE("ASSETS")) && l->app->files)
        outbound_start_local(l, f, m, NULL);
    else if (m->service.n == 0 || (s && s->url))
        outbound_start_remote(l, f, m, s ? s->url : NULL);
    else
        return no_service(l, f);
    return 0;
}

int outbound_body(struct link *l, const struct ipc_frame *f, const struct ipc_body *m)
{
    struct outbound *o = find(l, f);

    if (o && o->kind->body(o, m->bytes, f->flags & IPC_END) < 0)
        return link_bad(l, "more than the window of a body", f);
    return 0;
}

static void cancel(struct outbound *o)
{
    outbound_drop(o);
    o->kind->cancel(o);
}

int outbound_body_abort(struct link *l, const struct ipc_frame *f, const struct ipc_body_abort *m)
{
    struct outbound *o = find(l, f);

    if (o)
        cancel(o);
    return 0;
}

int outbound_cancel(struct link *l, const struct ipc_frame *f, const struct ipc_cancel *m)
{
    struct outbound *o = find(l, f);

    if (o)
        cancel(o);
    return 0;
}

int outbound_credit(struct link *l, const struct ipc_frame *f, const struct ipc_credit *m)
{
    struct outbound *o = find(l, f);

    if (!o || m->bytes == 0)
        return 0;
    if (m->bytes > o->pending)
        return link_bad(l, "credit for bytes that were not sent", f);
    o->pending -= m->bytes;
    o->kind->credit(o, m->bytes);
    return 0;
}

void outbound_drop_all(struct link *l)
{
    uint32_t it = 0;
    uint64_t id;
    void *o;

    while (map64_next(&l->calls, &it, &id, &o))
        cancel(o);
}
