#include "edge/delivery.h"

#include <assert.h>

#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/inbound.h"
#include "edge/link.h"
#include "edge/settings.h"

enum { EVENT_OVERHEAD = 128 /* what an event counts for beside its bytes */ };

/* --- pace: how much may wait --- */

static bool app_is_full(const struct app *a)
{
    return a->events.n >= APP_EVENTS_MAX || a->events.bytes >= APP_BYTES_MAX;
}

static void pause_speaker(struct app *a, struct hold *h)
{
    const bool full = h->n_events >= HOLD_EVENTS_MAX || h->event_bytes >= HOLD_BYTES_MAX;

    if (!h->transport || h->full || list_linked(&h->waiting) || (!full && !app_is_full(a)))
        return;
    h->full = full;
    if (!full)
        list_add_tail(&a->waiting, &h->waiting);
    a->edge->stats.paused++;
    hold_pace(h);
}

static void resume_speaker(struct hold *h)
{
    if (!h->full || h->n_events > HOLD_EVENTS_MAX / 2 || h->event_bytes > HOLD_BYTES_MAX / 2)
        return;
    h->full = false;
    hold_pace(h);
}

static void resume_all(struct app *a)
{
    struct list *node;

    if (a->events.n > APP_EVENTS_MAX / 2 || a->events.bytes > APP_BYTES_MAX / 2)
        return;
    while ((node = list_pop(&a->waiting)))
        hold_pace(LIST_ITEM(node, struct hold, waiting));
}

/* --- events come and go --- */

uint64_t delivery_next_seq(const struct app *a)
{
    return events_next_seq(&a->events);
}

static bool is_of_hold(const struct event *e)
{
    return e->type == IPC_WS_MESSAGE || e->type == IPC_WS_CLOSED || e->type == IPC_WS_ERROR;
}

static bool is_last_of_hold(const struct event *e)
{
    return e->type == IPC_WS_CLOSED || e->type == IPC_WS_ERROR;
}

/* The living hold of a socket's event; NULL for other events. */
static struct hold *hold_of(const struct app *a, const struct event *e)
{
    return is_of_hold(e) ? hold_find(a, e->id) : NULL;
}

static void drop_event(struct app *a, struct event *e)
{
    struct hold *h = hold_of(a, e);

    if (h) {
        h->n_events--;
        h->event_bytes -= e->bytes;
    }
    events_drop(&a->events, e);
}

static void say_idle(struct app *a, bool idle)
{
    if (idle == a->reported_idle)
        return;
    a->reported_idle = idle;
    edge_report(a->edge,
                (struct report){.kind = REPORT_IDLE,
                                .app = a->index,
                                .generation = a->serving ? a->serving->generation : 0,
                                .idle = idle},
                SLICE_NONE);
}

void delivery_check_idle(struct app *a)
{
    const struct link *l = a->serving;

    say_idle(a, l && l->said_idle && l->idle_seq >= a->last_sent && a->events.n == 0 &&
                    list_empty(&a->inbounds) && l->calls.count == 0);
}

/* Nobody serves and something waits: a worker is wanted. */
static void wake(struct app *a)
{
    if (a->state != APP_ASLEEP)
        return;
    a->state = APP_WAKING;
    edge_report(a->edge, (struct report){.kind = REPORT_WAKE, .app = a->index}, SLICE_NONE);
}

/* Before the first event of a hold in a process: whose it is. */
static void introduce(struct link *l, const struct event *e)
{
    struct hold *h = hold_of(l->app, e);

    if (!h || !h->actor || h->known_to == l->generation)
        return;
    h->known_to = l->generation;
    (void)ipc_put_ws_owner(
        link_out(l), hold_id(h), 0,
        &(struct ipc_ws_owner){.actor = actor_key(h->actor), .name = actor_name(h->actor)});
}

/* What has passed since *at, which is now then. */
static void observe(struct stat_hist *h, const struct app *a, int64_t *at_us)
{
    const int64_t now = loop_now_us(a->edge->loop);

    stat_observe(h, (uint64_t)MAX(now - *at_us, 0));
    *at_us = now;
}

static void send(struct link *l, struct event *e)
{
    struct blob *frame = e->frame;

    introduce(l, e);
    l->said_idle = false;
    l->app->last_sent = e->seq;
    l->app->edge->stats.events_total++;
    observe(&l->app->stats.event_wait, l->app, &e->at_us);
    if (e->keep) {
        (void)blob_ref(frame);
    } else {
        e->frame = NULL;
    }
    link_push_large(l, frame);
}

static void pump(struct app *a)
{
    struct event *e;

    if (!a->serving) {
        if (events_has_unsent(&a->events))
            wake(a);
        return;
    }
    while ((e = events_send(&a->events))) {
        struct inbound *in = e->type == IPC_REQUEST ? inbound_find(a->edge, e->id) : NULL;

        send(a->serving, e);
        if (in)
            inbound_sent(in);
    }
    say_idle(a, false);
}

void delivery_add(struct app *a, unsigned type, uint64_t id, struct blob *take_frame, bool keep)
{
    struct event *e =
        events_add(&a->events, type, id, take_frame, take_frame->n + (uint32_t)EVENT_OVERHEAD);
    struct hold *h = hold_of(a, e);

    e->keep = keep;
    e->at_us = loop_now_us(a->edge->loop);
    if (h) {
        h->n_events++;
        h->event_bytes += e->bytes;
        pause_speaker(a, h);
    }
    pump(a);
}

void delivery_withdraw(struct app *a, uint64_t seq)
{
    struct event *e = events_find(&a->events, seq);

    if (e && !e->sent)
        drop_event(a, e);
}

bool delivery_is_sent(const struct app *a, uint64_t seq)
{
    const struct event *e = events_find(&a->events, seq);

    return !e || e->sent;
}

/* --- ACK --- */

/* A hold whose last event is done is not restored any more; it goes, or its connection lingers for
 * our Close. */
static void leave_actor(struct app *a, struct hold *h)
{
    if (h->actor)
        actor_del_hold(&a->actors, h->actor, &h->in_actor);
    h->actor = NULL;
}

static void finish(struct app *a, struct event *e)
{
    const bool last = is_last_of_hold(e);
    struct hold *h = hold_of(a, e);

    observe(&a->stats.event, a, &e->at_us);
    if (e->type == IPC_ALARM)
        alarms_finish(&a->alarms, e->seq);
    drop_event(a, e);
    if (!h)
        return;
    if (last)
        leave_actor(a, h);
    if (last && h->failed)
        (void)hold_close(h, 0, SLICE_NONE);
    if (!hold_settle(h))
        resume_speaker(h);
}

static int ack(struct link *l, const struct ipc_frame *f, uint64_t first, uint64_t n)
{
    struct app *a = l->app;

    if (first > a->last_sent || n > a->last_sent - first + 1 || n > APP_EVENTS_MAX * 2)
        return link_bad(l, "events that were not sent", f);
    for (uint64_t i = 0; i < n; i++) {
        struct event *e = events_find(&a->events, first + i);

        if (e && e->sent)
            finish(a, e);
    }
    return 0;
}

int delivery_ack(struct link *l, const struct ipc_frame *f, const struct ipc_ack *m)
{
    const struct slice ranges = m->ranges;
    struct app *a = l->app;
    int r = 0;

    if (ranges.n % 16)
        return link_bad(l, "malformed ranges", f);
    if (ranges.n && l != a->bearer)
        return link_bad(l, "events that it was not given", f);
    for (size_t i = 0; i < ranges.n && r == 0; i += 16)
        r = ack(l, f, ipc_u64_at(ranges.p + i), ipc_u64_at(ranges.p + i + 8));
    resume_all(a);
    delivery_alarm_due(a);
    delivery_check_idle(a);
    return r;
}

/* --- alarms --- */

enum { ALARM_CHECK_MS = 60 * 1000 /* the wall clock may be set meanwhile */ };

static struct blob *alarm_frame(const struct alarm *al)
{
    const struct ipc_alarm m = {.seq = al->seq,
                                .wall_ms = al->wall_ms,
                                .actor = blob_slice(al->actor),
                                .name = blob_slice(al->name)};
    struct blob *frame;
    struct buf b;

    buf_init(&b, IPC_PAYLOAD_MAX);
    (void)ipc_put_alarm(&b, 0, 0, &m);
    frame = blob_copy(buf_slice(&b));
    buf_done(&b);
    return frame;
}

void delivery_alarm_due(struct app *a)
{
    struct loop *loop = a->edge->loop;
    const struct alarm *al;
    int64_t next;

    while (!a->edge->stopping && alarms_running(&a->alarms) < ALARMS_AT_ONCE &&
           (al = alarms_pop(&a->alarms, loop_wall(loop), delivery_next_seq(a)))) {
        a->edge->stats.alarms_run++;
        delivery_add(a, IPC_ALARM, 0, alarm_frame(al), true);
    }
    next = alarms_next(&a->alarms);
    if (next == INT64_MAX || a->edge->stopping)
        timer_del(loop, &a->alarm_timer);
    else if (alarms_running(&a->alarms) < ALARMS_AT_ONCE)
        timer_set(loop, &a->alarm_timer,
                  loop_now(loop) + MIN(MAX(next - loop_wall(loop), 0), ALARM_CHECK_MS));
}

/* A generation that does not serve yet reports what it found when it started, which the one before
 * it may have changed since. */
int delivery_alarm_set(struct link *l, const struct ipc_frame *f, const struct ipc_alarm_set *m)
{
    struct app *a = l->app;

    if (m->actor.n == 0 || m->actor.n > ACTOR_KEY_MAX || m->name.n > ACTOR_KEY_MAX)
        return link_bad(l, "no such actor can be", f);
    if (a->bearer && l != a->bearer)
        return 0;
    alarms_set(&a->alarms, m->actor, m->name, m->wall_ms);
    delivery_alarm_due(a);
    return 0;
}

/* --- generations --- */

void delivery_serve(struct app *a, struct link *l)
{
    if (a->bearer) {
        a->heir = l;
        return;
    }
    a->heir = NULL;
    a->state = APP_SERVING;
    a->serving = a->bearer = l;
    a->last_sent = 0;
    pump(a);
    delivery_alarm_due(a);
    delivery_check_idle(a);
}

typedef void (*hold_fn)(struct hold *h, const void *arg);

static void each_hold(struct app *a, hold_fn fn, const void *arg)
{
    struct hold *h;
    uint32_t at = 0;

    while ((h = slots_each(&a->edge->holds, &at)))
        if (h->app == a && h->backend == &actor_backend && h->state != HOLD_PENDING)
            fn(h, arg);
}

static bool is_plain(const struct hold *h)
{
    return !h->hibernates && h->state != HOLD_OVER;
}

/* The code that knows this socket is asked to leave, and still hears why it closes. */
static void restart_plain(struct hold *h, const void *arg)
{
    if (!is_plain(h))
        return;
    hold_leave(h, 1012, SLICE("the application is being restarted"));
    h->backend->closed(h, 1012, true, SLICE("the application is being restarted"), 0);
}

void delivery_drain(struct app *a, struct link *l, uint32_t ms)
{
    if (l == a->serving) {
        each_hold(a, restart_plain, NULL);
        a->serving = NULL;
        a->state = APP_ASLEEP;
        say_idle(a, false);
    }
    (void)ipc_put_drain(link_out(l), 0, ms ? 0 : IPC_DRAIN_NOW,
                        &(struct ipc_drain){.deadline_ms = ms});
}

/* --- the process is gone --- */

static void log_lost(const struct app *a, uint32_t messages, const char *of)
{
    a->edge->stats.lost += messages;
    if (messages)
        log_event(&a->edge->log, LOG_WARN, "events.lost", F_TEXT("app", app_name(a)),
                  F_UINT("messages", messages), F_NAME("of", of));
}

void delivery_end(struct app *a)
{
    struct list *it, *tmp;
    uint32_t lost = 0;

    LIST_EACH (&a->events.all, it, tmp)
        lost += LIST_ITEM(it, struct event, order)->type == IPC_WS_MESSAGE;
    log_lost(a, lost, "sockets of a gateway that stops");
    events_done(&a->events);
}

struct tally {
    struct app *app;
    const struct order *verdict;
    struct buf condemned; /* packed ids of holds */
    uint32_t again;
    uint32_t lost;
};

/* Nobody knows which event it was: all that had begun are suspects. */
static bool is_suspect(const struct order *verdict, const struct event *e)
{
    return verdict->by_itself && verdict->guilty == 0 && e->seq <= verdict->begun;
}

static void condemn(struct tally *t, struct event *e)
{
    struct app *a = t->app;
    struct hold *h = hold_of(a, e);

    a->edge->stats.condemned++;
    log_event(&a->edge->log, LOG_ERROR, "events.condemned", F_TEXT("app", app_name(a)),
              F_NAME("event", ipc_name(e->type)), F_HEX("seq", e->seq), F_HEX("hold", e->id),
              F_TEXT("actor", h && h->actor ? actor_key(h->actor) : SLICE_NONE),
              F_UINT("suspect", e->tries), F_UINT("guilty", e->guilty));
    if (e->type == IPC_ALARM)
        alarms_condemn(&a->alarms, e->seq);
    else if (!is_last_of_hold(e))
        (void)buf_add(&t->condemned, slice_make(&e->id, sizeof(e->id)));
    drop_event(a, e);
}

/* An event that may be delivered again: is it still welcome? */
static void judge_kept(struct tally *t, struct event *e)
{
    if (is_suspect(t->verdict, e))
        e->tries++;
    if (t->verdict->guilty == e->seq)
        e->guilty++;
    if (e->guilty >= GUILTY_MAX || e->tries >= TRIES_MAX)
        condemn(t, e);
    else
        t->again++;
}

static void judge(struct tally *t, struct event *e)
{
    struct app *a = t->app;

    if (e->type == IPC_REQUEST) {
        if (inbound_find(a->edge, e->id))
            t->again++;
        else
            drop_event(a, e);
    } else if (e->keep && (e->type == IPC_ALARM || hold_of(a, e))) {
        judge_kept(t, e);
    } else {
        t->lost += e->type == IPC_WS_MESSAGE;
        drop_event(a, e);
    }
}

static void judge_all(struct tally *t)
{
    struct list *it, *tmp;

    LIST_EACH (&t->app->events.all, it, tmp) {
        struct event *e = LIST_ITEM(it, struct event, order);

        if (!e->sent)
            break;
        judge(t, e);
    }
}

static void judge_inbounds(struct tally *t)
{
    struct app *a = t->app;
    struct list *it, *tmp;

    LIST_EACH (&a->inbounds, it, tmp) {
        struct inbound *in = LIST_ITEM(it, struct inbound, in_app);
        const bool acked = !events_find(&a->events, in->seq);

        if (delivery_is_sent(a, in->seq))
            (void)inbound_survives(in, acked || in->seq <= t->verdict->begun, t->verdict->why);
    }
}

/* Its events ended worker after worker: the socket closes, and its actor hears of that alone. */
static void close_condemned(struct app *a, uint64_t id)
{
    struct hold *h = hold_find(a, id);
    struct list *it, *tmp;
    uint32_t lost = 0;

    if (!h || h->state == HOLD_OVER)
        return;
    LIST_EACH (&a->events.all, it, tmp) {
        struct event *e = LIST_ITEM(it, struct event, order);

        if (e->id != id || !is_of_hold(e))
            continue;
        drop_event(a, e);
        lost++;
    }
    log_lost(a, lost, "a condemned socket");
    hold_leave(h, 1011, SLICE("a message of this socket ended the application repeatedly"));
    h->backend->closed(h, 1011, false,
                       SLICE("a message of this socket ended the application repeatedly"), 0);
}

/* What only the dead process could have gone on with. */
static void end_orphan(struct hold *h, const void *arg)
{
    const struct order *verdict = arg;
    const bool is_listed = h->hibernates && h->actor;

    if (is_listed)
        return;
    if (verdict->why)
        hold_leave(h, 1011, SLICE("the application crashed"));
    else
        hold_leave(h, 1012, SLICE("the application is being restarted"));
    (void)hold_settle(h);
}

static void log_tally(const struct tally *t)
{
    const struct app *a = t->app;

    a->edge->stats.redelivered += t->again;
    if (t->again)
        log_event(&a->edge->log, LOG_INFO, "events.redelivered", F_TEXT("app", app_name(a)),
                  F_UINT("events", t->again));
    log_lost(a, t->lost, "sockets that ended with the worker");
}

void delivery_gone(struct link *l, const struct order *verdict)
{
    struct app *a = l->app;
    struct tally t = {.app = a, .verdict = verdict};

    if (l != a->bearer)
        return;
    a->serving = a->bearer = NULL;
    a->state = APP_ASLEEP;
    a->reported_idle = false;
    buf_init(&t.condemned, SIZE_MAX);
    judge_inbounds(&t);
    judge_all(&t);
    events_rewind(&a->events);
    for (size_t i = 0; i < t.condemned.n; i += 8)
        close_condemned(a, ipc_u64_at(t.condemned.p + i));
    buf_done(&t.condemned);
    each_hold(a, end_orphan, verdict);
    actors_rest(&a->actors);
    log_tally(&t);
    resume_all(a);
    if (a->heir)
        delivery_serve(a, a->heir);
    else
        pump(a);
}

void delivery_broken(struct app *a)
{
    struct list *it, *tmp;

    LIST_EACH (&a->inbounds, it, tmp) {
        struct inbound *in = LIST_ITEM(it, struct inbound, in_app);

        if (delivery_is_sent(a, in->seq))
            continue;
        delivery_withdraw(a, in->seq);
        inbound_refuse(in, 500,
                       a->settings->config.dev ? blob_slice(a->broken)
                                               : SLICE("Internal Server Error"));
    }
}
