#include "edge/handoff.h"

#include "edge/edge_int.h"
#include "edge/origin.h"
#include "edge/settings.h"
#include "edge/target.h"
#include "io/stream.h"

/* What stays the client's, as Fastly has it. */
static const char *const clients[] = {
    "host",
    "connection",
    "sec-websocket-version",
    "upgrade",
    "sec-websocket-key",
    "pushpin-route",
    "content-length",
    "content-range",
    "expect",
    "fastly-ff",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "cdn-loop",
};

static bool is_clients(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        if (slice_eq_nocase(name, slice_str(clients[i])))
            return true;
    return false;
}

static int add(struct exchange_request *rq, struct exchange_field *fields, struct slice name,
               struct slice value)
{
    if (rq->n_fields == HANDOFF_FIELDS)
        return -ERR_TOO_LARGE;
    fields[rq->n_fields++] = (struct exchange_field){name, value};
    return 0;
}

/* The application's fields but for those that it cannot change. */
static int add_own(struct exchange_request *rq, struct exchange_field *fields, struct slice head,
                   bool all)
{
    struct slice line, name;
    int r = 0;

    while (r == 0 && slice_split(&head, '\n', &line)) {
        if (!slice_split(&line, ':', &name) || slice_eq_nocase(name, SLICE("CF-Connecting-IP")))
            continue;
        if (all || !is_clients(name))
            r = add(rq, fields, name, slice_trim(line));
    }
    return r;
}

static int add_clients(struct exchange_request *rq, struct exchange_field *fields,
                       const struct exchange_request *client)
{
    int r = 0;

    for (size_t i = 0; i < client->n_fields && r == 0; i++)
        if (is_clients(client->fields[i].name))
            r = add(rq, fields, client->fields[i].name, client->fields[i].value);
    return r;
}

int handoff_request(struct slice head, const struct exchange_request *client,
                    struct exchange_field *fields, struct exchange_request *ret)
{
    struct exchange_request rq = client ? *client : (struct exchange_request){.minor = 1};
    struct slice url;
    int r;

    if (!slice_split(&head, '\n', &url) || !slice_split(&url, ' ', &rq.method) || !url.n)
        return -ERR_SYNTAX;
    rq.path = rq.target = target_path(url);
    if (!client)
        rq.host = target_authority(url);
    rq.fields = fields;
    rq.n_fields = 0;
    if ((r = add_own(&rq, fields, head, !client)) < 0 ||
        (client && (r = add_clients(&rq, fields, client)) < 0))
        return r;
    *ret = rq;
    return 0;
}

static void refuse(struct app *a, struct reply reply, struct slice text)
{
    log_event(&a->edge->log, LOG_ERROR, "handoff.refused", F_TEXT("app", app_name(a)),
              F_TEXT("why", text));
    reply_text(reply, 500, text);
}

static void refuse_backend(struct app *a, struct reply reply, struct slice name)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, 1024);
    (void)buf_addf(&text, "Backend handoff signaled to unknown backend '%.*s'.",
                   SLICE_FMT(slice_sub(name, 0, 512)));
    refuse(a, reply, buf_slice(&text));
}

void handoff_open(struct app *a, const struct ipc_handoff *m, struct reply take_reply)
{
    struct exchange *x = reply_client(take_reply);
    struct exchange_field fields[HANDOFF_FIELDS];
    struct exchange_request rq;
    const struct origin_handoff h = {
        .route = m->backend,
        .request = &rq,
        .peer = x ? exchange_peer(x) : SLICE_NONE,
        .how = m->kind == IPC_HANDOFF_FANOUT ? ORIGIN_FANOUT : ORIGIN_WEBSOCKET,
    };

    if (!a->settings->config.origin)
        refuse(a, take_reply, SLICE("Pushpin handoff signaled, but Pushpin mode not enabled."));
    else if (handoff_request(m->head, x ? exchange_request(x) : NULL, fields, &rq) < 0)
        refuse(a, take_reply, SLICE("The request that was handed off has too many header fields."));
    else if (origin_handoff(a, &h, take_reply) < 0)
        refuse_backend(a, take_reply, m->backend);
    else
        a->edge->stats.handoffs++;
}
