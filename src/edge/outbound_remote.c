/* Outbounds that leave the machine, or at least this process: libcurl answers (egress/egress.h). */
#include "conn/transport.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/link.h"
#include "edge/outbound_int.h"
#include "egress/egress.h"

struct remote {
    struct outbound o;
    struct egress_call *call;
};

static void finish(struct remote *c)
{
    outbound_drop(&c->o);
    loop_defer(c->o.link->app->edge->loop, LOOP_REAP, mem_free, c);
}

/* --- facts of the call --- */

/* The socket is a hold like any other; the worker accepts it, or joins it with a client's. */
static void hand_over_socket(struct remote *c, const struct egress_response *r)
{
    struct app *a = c->o.link->app;
    struct hold *h = hold_new(a, &actor_backend);

    if (!h) {
        transport_terminate(r->socket);
        outbound_say_failed(&c->o, ERR_OVERLOADED, slice_str(err_text(ERR_OVERLOADED)));
        return;
    }
    h->outgoing = true;
    outbound_say_response(&c->o, &(struct ipc_response){.status = r->status,
                                                        .hold = hold_id(h),
                                                        .reason = r->reason,
                                                        .url = r->url,
                                                        .head = r->head});
    hold_open(h, r->socket, r->url, SLICE_NONE);
}

static void on_response(void *arg, const struct egress_response *r)
{
    struct remote *c = arg;

    if (r->socket) {
        hand_over_socket(c, r);
        finish(c);
        return;
    }
    outbound_say_response(&c->o, &(struct ipc_response){.status = r->status,
                                                        .body = r->body,
                                                        .length = r->length,
                                                        .reason = r->reason,
                                                        .url = r->url,
                                                        .head = r->head});
}

static void on_body(void *arg, struct slice bytes)
{
    struct remote *c = arg;

    outbound_say_body(&c->o, bytes);
}

static void on_ended(void *arg)
{
    struct remote *c = arg;

    outbound_say_end(&c->o);
    finish(c);
}

static void on_failed(void *arg, int err, struct slice text)
{
    struct remote *c = arg;
    const struct app *a = c->o.link->app;

    /* The application sees an exception; that it was the configuration is for who wrote that. */
    log_event(&a->edge->log, err == -ERR_EGRESS_DENIED ? LOG_WARN : LOG_DEBUG, "egress.failed",
              F_TEXT("app", app_name(a)), F_ERR("error", err), F_TEXT("text", text));
    outbound_say_failed(&c->o, err, text);
    finish(c);
}

static void on_taken(void *arg, size_t n)
{
    struct remote *c = arg;

    (void)ipc_put_credit(link_out(c->o.link), c->o.id, 0,
                         &(struct ipc_credit){.bytes = (uint32_t)n});
}

static const struct egress_ops facts = {
    .response = on_response,
    .body = on_body,
    .ended = on_ended,
    .failed = on_failed,
    .taken = on_taken,
};

/* --- what the worker says --- */

static int send_body(struct outbound *o, struct slice bytes, bool end)
{
    egress_body(CONTAINER_OF(o, struct remote, o)->call, bytes, end);
    return 0;
}

static void credit(struct outbound *o, uint32_t n)
{
    egress_credit(CONTAINER_OF(o, struct remote, o)->call, n);
}

static void cancel(struct outbound *o)
{
    struct remote *c = CONTAINER_OF(o, struct remote, o);

    egress_cancel(c->call);
    loop_defer(o->link->app->edge->loop, LOOP_REAP, mem_free, c);
}

static const struct outbound_kind remote = {.body = send_body, .credit = credit, .cancel = cancel};

void outbound_start_remote(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m,
                           const char *service)
{
    struct remote *c = mem_new(sizeof(*c));
    const struct egress_request r = {
        .head = m->head,
        .redirect = (enum egress_redirect)m->redirect,
        .body = m->body,
        .length = m->length,
        .upgrade = f->flags & IPC_UPGRADE,
        .service = service,
    };

    outbound_init(&c->o, &remote, l, f->id);
    c->call = egress_start(l->egress, &r, &facts, c);
}
