#include "edge/frames.h"

#include "edge/delivery.h"
#include "edge/inbound.h"
#include "edge/outbound.h"
#include "edge/sockets.h"

/* --- life of a worker --- */

/* Only edge 0's word counts: the worker says the same on every link. */
static bool speaks_to_fleet(const struct link *l)
{
    return l->app->edge->index == 0;
}

static int on_ready(struct link *l, const struct ipc_frame *f, const struct ipc_ready *m)
{
    if (speaks_to_fleet(l))
        link_report(l, REPORT_READY, 0, m->exports);
    return 0;
}

static int on_failed(struct link *l, const struct ipc_frame *f, const struct ipc_failed *m)
{
    if (speaks_to_fleet(l))
        link_report(l, REPORT_FAILED, 0, m->text);
    return 0;
}

static int on_exiting(struct link *l, const struct ipc_frame *f, const struct ipc_exiting *m)
{
    if (m->error >= ERR_COUNT)
        return link_bad(l, "unknown error", f);
    if (speaks_to_fleet(l))
        link_report(l, REPORT_EXITING, m->error, m->text);
    return 0;
}

static int on_idle(struct link *l, const struct ipc_frame *f, const struct ipc_idle *m)
{
    l->said_idle = true;
    l->idle_seq = m->last_seq;
    delivery_check_idle(l->app);
    return 0;
}

static int on_log(struct link *l, const struct ipc_frame *f, const struct ipc_log *m)
{
    const struct app *a = l->app;

    if (m->level > LOG_ERROR)
        return link_bad(l, "unknown level", f);
    log_console(&a->edge->log, (enum log_level)m->level, app_name(a), m->where, m->text);
    return 0;
}

/* --- exchanges: bit 44 says whose they are --- */

static bool is_call(const struct ipc_frame *f)
{
    return f->id & IPC_WORKER_EXCHANGE;
}

static int on_body(struct link *l, const struct ipc_frame *f, const struct ipc_body *m)
{
    return is_call(f) ? outbound_body(l, f, m) : inbound_body(l, f, m);
}

static int on_body_abort(struct link *l, const struct ipc_frame *f, const struct ipc_body_abort *m)
{
    return is_call(f) ? outbound_body_abort(l, f, m) : inbound_body_abort(l, f, m);
}

static int on_credit(struct link *l, const struct ipc_frame *f, const struct ipc_credit *m)
{
    return is_call(f) ? outbound_credit(l, f, m) : inbound_credit(l, f, m);
}

static int on_cancel(struct link *l, const struct ipc_frame *f, const struct ipc_cancel *m)
{
    return is_call(f) ? outbound_cancel(l, f, m) : inbound_cancel(l, f, m);
}

/* --- one row of ipc.def, one function --- */

#define HEARD(NAME, lower, handler)                                                                \
    case IPC_##NAME: {                                                                             \
        struct ipc_##lower m;                                                                      \
                                                                                                   \
        if (ipc_get_##lower(f, &m) < 0)                                                            \
            return link_bad(l, "malformed", f);                                                    \
        return handler(l, f, &m);                                                                  \
    }

static int on_frame(struct link *l, const struct ipc_frame *f)
{
    switch (f->type) {
        HEARD(WS_SEND, ws_send, sockets_send)
        HEARD(ACK, ack, delivery_ack)
        HEARD(READY, ready, on_ready)
        HEARD(FAILED, failed, on_failed)
        HEARD(EXITING, exiting, on_exiting)
        HEARD(IDLE, idle, on_idle)
        HEARD(LOG, log, on_log)
        HEARD(FETCH, fetch, outbound_fetch)
        HEARD(RESPONSE, response, inbound_response)
        HEARD(HANDOFF, handoff, inbound_handoff)
        HEARD(FAIL, fail, inbound_fail)
        HEARD(BODY, body, on_body)
        HEARD(BODY_ABORT, body_abort, on_body_abort)
        HEARD(CREDIT, credit, on_credit)
        HEARD(CANCEL, cancel, on_cancel)
        HEARD(WS_ACCEPT, ws_accept, sockets_accept)
        HEARD(WS_CLOSE, ws_close, sockets_close)
        HEARD(WS_TERMINATE, ws_terminate, sockets_terminate)
        HEARD(WS_ATTACH, ws_attach, sockets_attach)
        HEARD(WS_JOIN, ws_join, sockets_join)
        HEARD(AUTO_RESPONSE, auto_response, sockets_auto_response)
        HEARD(RESTORE_WANT, restore_want, sockets_restore)
        HEARD(ACTOR_STATE, actor_state, sockets_actor_state)
        HEARD(ALARM_SET, alarm_set, delivery_alarm_set)
    }
    return link_bad(l, "not for the gateway", f);
}

const struct link_ops frames_ops = {
    .frame = on_frame,
    .gone = delivery_gone,
    .freed = outbound_drop_all,
};
