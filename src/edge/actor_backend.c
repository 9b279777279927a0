/*
 * What clients say, made events for the application's worker. The other direction is sockets.c.
 */
#include <assert.h>

#include "edge/backend.h"
#include "edge/delivery.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/link.h"

static void on_opened(struct hold *h)
{
    struct slice url, protocol;

    hold_origin(h, &url, &protocol);
    log_event(&h->app->edge->log, LOG_DEBUG, "hold.open", F_TEXT("app", app_name(h->app)),
              F_HEX("hold", hold_id(h)), F_TEXT("url", url), F_BOOL("outgoing", h->outgoing));
}

/* The frame is made in its blob, in one copy. */
static struct blob *message_frame(uint64_t seq, uint64_t id, unsigned flags, struct slice bytes)
{
    struct blob *frame = blob_new(IPC_HEADER + 8 + bytes.n);
    struct buf b = {.p = frame->p, .cap = frame->n, .max = frame->n};
    int r = ipc_put_ws_message(&b, id, flags, &(struct ipc_ws_message){.seq = seq, .bytes = bytes});

    assert(r == 0 && b.n == frame->n && b.p == frame->p);
    (void)r;
    return frame;
}

/* Exactly that text has its answer here; nothing wakes. */
static bool answer_auto(struct hold *h, struct slice bytes)
{
    const struct actor *actor = h->actor;
    struct app *a = h->app;
    struct payload p;

    if (!actor || !actor->auto_response || !slice_eq(bytes, blob_slice(actor->auto_request)))
        return false;
    p = (struct payload){.bytes = blob_slice(actor->auto_response)};
    h->auto_ms = (double)loop_wall(a->edge->loop);
    a->edge->stats.auto_responses++;
    if (a->serving && h->known_to == a->serving->generation)
        (void)ipc_put_ws_auto(link_out(a->serving), hold_id(h), 0,
                              &(struct ipc_ws_auto){.wall_ms = h->auto_ms});
    (void)hold_send(h, &p);
    payload_done(&p);
    return true;
}

static void on_message(struct hold *h, struct slice bytes, bool binary)
{
    struct app *a = h->app;
    struct blob *frame;

    if (!binary && answer_auto(h, bytes))
        return;
    frame = message_frame(delivery_next_seq(a), hold_id(h), binary ? IPC_BINARY : 0, bytes);
    delivery_add(a, IPC_WS_MESSAGE, hold_id(h), frame, h->hibernates);
}

static void on_drained(struct hold *h)
{
}

static struct blob *end_frame(struct app *a, uint64_t hold, uint16_t code, bool clean,
                              struct slice reason, bool error)
{
    const uint64_t seq = delivery_next_seq(a);
    struct blob *frame;
    struct buf b;

    buf_init(&b, 4096);
    if (error)
        (void)ipc_put_ws_error(&b, hold, 0,
                               &(struct ipc_ws_error){.seq = seq, .code = code, .text = reason});
    else
        (void)ipc_put_ws_closed(
            &b, hold, 0,
            &(struct ipc_ws_closed){.seq = seq, .code = code, .clean = clean, .reason = reason});
    frame = blob_copy(buf_slice(&b));
    buf_done(&b);
    return frame;
}

static void on_closed(struct hold *h, uint16_t code, bool clean, struct slice reason, int err)
{
    struct app *a = h->app;

    log_event(&a->edge->log, LOG_DEBUG, "hold.close", F_HEX("hold", hold_id(h)),
              F_UINT("code", code), F_BOOL("clean", clean), F_TEXT("reason", reason),
              F_ERR("error", err));
    delivery_add(a, err < 0 ? IPC_WS_ERROR : IPC_WS_CLOSED, hold_id(h),
                 end_frame(a, hold_id(h), code, clean, reason, err < 0), h->hibernates);
}

void delivery_lost(struct app *a, uint64_t hold)
{
    delivery_add(a, IPC_WS_CLOSED, hold,
                 end_frame(a, hold, 1006, false, SLICE("the client has gone"), false), false);
}

const struct backend_ops actor_backend = {
    .opened = on_opened,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
};
