#include "edge/dispatch.h"

#include "conn/http1_server.h"
#include "edge/access.h"
#include "edge/browser_origin.h"
#include "edge/client.h"
#include "edge/control.h"
#include "edge/edge_int.h"
#include "edge/files.h"
#include "edge/inbound.h"
#include "edge/origin.h"
#include "edge/pages.h"
#include "edge/settings.h"
#include "edge/target.h"
#include "io/stream.h"

void dispatch_request(struct app *a, const struct exchange_request *rq, struct reply reply,
                      struct slice peer)
{
    const bool has_code = a->settings->has_worker || a->broken;
    const enum files_asker asker = has_code || a->routes ? FILES_CLIENT : FILES_FETCH;
    char text[CLIENT_TEXT];

    if (a->files && files_serve(a->files, rq, reply, asker))
        a->edge->stats.requests_files++;
    else if (has_code)
        inbound_open(a, rq, reply, client_find(&a->edge->trusted, peer, rq, text),
                     client_is_secure(&a->edge->trusted, peer, rq));
    else if (a->routes)
        origin_open(a, rq, reply, peer);
    else
        reply_text(reply, 404, SLICE("Not Found"));
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
    log_event(&a->edge->log, LOG_INFO, "browser_origin.refused", F_TEXT("app", app_name(a)),
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
    if (index < 0) {
        e->stats.requests_other++;
        exchange_fail(x, -ERR_NOT_FOUND, SLICE("no application answers for this host and path"));
        return;
    }
    a = e->apps[index];
    if (refuse_origin(a, x))
        return;
    if (a->settings->config.dev && pages_dev(a, x))
        e->stats.requests_other++;
    else
        dispatch_request(a, rq, reply_to_client(x), exchange_peer(x));
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

static const struct http1_server_ops facts = {.request = on_request};
static const struct http1_server_ops logged_facts = {
    .request = on_request, .over = on_over, .refused = on_refused};

const struct http1_server_ops *dispatch_ops(const struct edge_listener *li)
{
    return li->edge->access && li->door == EDGE_PUBLIC ? &logged_facts : &facts;
}
