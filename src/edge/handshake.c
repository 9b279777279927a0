#include "edge/handshake.h"

#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/reply.h"
#include "edge/upstream.h"
#include "edge/woh_head.h"

void handshake_keep(struct handshake *h, const struct upstream_response *r)
{
    h->status = r->status;
    h->reason.max = h->head.max = WOH_FIELDS_MAX;
    (void)buf_add(&h->reason, r->reason);
    (void)buf_add(&h->head, r->head);
    woh_put_extensions(&h->extension, r->head);
    h->subs = r->subs;
}

void handshake_done(struct handshake *h)
{
    buf_done(&h->reason);
    buf_done(&h->head);
    buf_done(&h->extension);
    buf_done(&h->body);
}

void handshake_fail(struct exchange *x, bool debug, struct slice text)
{
    CLEANUP(buf_done) struct buf body = {.max = 4096};

    if (debug && text.n)
        (void)buf_addf(&body, "%.*s\n", SLICE_FMT(slice_sub(text, 0, 2000)));
    else
        (void)buf_add(&body, SLICE("Error while proxying to origin.\n"));
    if (x)
        reply_answer(reply_to_client(x), 502, SLICE_NONE, buf_slice(&body));
}

void handshake_refuse(const struct handshake *h, struct exchange *x)
{
    const struct exchange_response r = {
        .status = h->status,
        .reason = buf_slice(&h->reason),
        .fields = buf_slice(&h->head),
        .body = EXCHANGE_BODY_LENGTH,
        .length = h->body.n,
    };

    if (!x)
        return;
    if (exchange_respond(x, &r) < 0) {
        handshake_fail(x, false, SLICE_NONE);
        return;
    }
    (void)exchange_send(x, buf_slice(&h->body));
    exchange_end(x);
}

struct hold *handshake_accept(const struct handshake *h, struct app *a, struct exchange *x,
                              const struct websocket_options *o, bool shows_extension,
                              const struct backend_ops *backend, void *owner)
{
    CLEANUP(buf_done) struct buf fields = {.max = WOH_FIELDS_MAX};
    struct hold *hold = hold_new(a, backend);
    struct transport *t;

    if (!hold)
        return NULL;
    (void)woh_put_accepted(&fields, buf_slice(&h->head));
    t = shows_extension ? exchange_upgrade_with(x, buf_slice(&fields), buf_slice(&h->extension), o)
                        : exchange_upgrade(x, buf_slice(&fields), o);
    if (!t) {
        hold_free(hold);
        return NULL;
    }
    hold->owner = owner;
    hold_open(hold, t, SLICE_NONE, SLICE_NONE);
    hold_accept(hold, false, true);
    return hold;
}
