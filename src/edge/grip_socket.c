#include "edge/grip_socket.h"

#include <sys/random.h>

#include "base/utf8.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/settings.h"
#include "edge/subscriber.h"
#include "wire/channel_message.h"
#include "wire/ws.h"

/* A message for later: what a keep-alive says, or a delayed one. */
struct later {
    struct timer timer;
    struct grip_socket *socket;
    struct buf content;
    uint32_t wait_ms;
    uint8_t type;  /* enum grip_ws_type */
    uint8_t mode;  /* enum grip_keep_alive_mode */
    uint8_t place; /* which of socket.laters it is */
};

enum { KEEP_ALIVE, DELAYED, LATERS };
enum { SPREAD_MS = 1000, TIMEOUT_MAX_S = 86400 };

struct grip_socket {
    struct subscriber subscriber;
    struct hold *hold; /* NULL: freed */
    const struct grip_socket_ops *ops;
    void *arg;
    struct blob *message_prefix;
    struct slice channel_prefix;
    struct later *laters[LATERS]; /* NULL: there is none */
    bool debug;
};

static struct loop *loop_of(const struct grip_socket *g)
{
    return g->hold->app->edge->loop;
}

/* --- messages to the client --- */

static void later_wait(struct later *l);

static void note_traffic(struct grip_socket *g)
{
    struct later *l = g->laters[KEEP_ALIVE];

    if (l && l->mode == GRIP_IDLE)
        later_wait(l);
}

static void send_payload(struct grip_socket *g, struct payload *p)
{
    note_traffic(g);
    (void)hold_send(g->hold, p);
}

static void send(struct grip_socket *g, enum grip_ws_type type, struct slice content)
{
    struct payload p = {.bytes = content, .binary = type == GRIP_WS_BINARY};

    if (type == GRIP_WS_PING || type == GRIP_WS_PONG) {
        note_traffic(g);
        (void)hold_control(g->hold, type == GRIP_WS_PONG, slice_sub(content, 0, WS_CONTROL_MAX));
        return;
    }
    send_payload(g, &p);
    payload_done(&p);
}

/* --- keep-alives and delayed messages --- */

static void later_free(struct grip_socket *g, unsigned place)
{
    struct later *l = g->laters[place];

    if (!l)
        return;
    timer_del(loop_of(g), &l->timer);
    buf_done(&l->content);
    mem_free(l);
    g->laters[place] = NULL;
}

static void later_wait(struct later *l)
{
    struct loop *loop = loop_of(l->socket);

    timer_set(loop, &l->timer, loop_now(loop) + l->wait_ms);
}

/* Clients that were told the same timeout at the same moment are not all spoken to at the same
 * moment: a keep-alive comes up to a second early, of one client always by the same. */
static uint32_t wait_of(unsigned place, uint32_t timeout_s)
{
    uint32_t early = 0;

    if (place == KEEP_ALIVE)
        (void)!getrandom(&early, sizeof(early), 0);
    return MIN(timeout_s, (uint32_t)TIMEOUT_MAX_S) * 1000 - early % SPREAD_MS;
}

static void flush_delayed(struct grip_socket *g)
{
    struct later *l = g->laters[DELAYED];

    if (!l)
        return;
    g->laters[DELAYED] = NULL;
    timer_del(loop_of(g), &l->timer);
    send(g, (enum grip_ws_type)l->type, buf_slice(&l->content));
    buf_done(&l->content);
    mem_free(l);
}

static void on_due(struct timer *t)
{
    struct later *l = CONTAINER_OF(t, struct later, timer);
    struct grip_socket *g = l->socket;

    if (l->place == DELAYED) {
        flush_delayed(g);
        return;
    }
    later_wait(l);
    send(g, (enum grip_ws_type)l->type, buf_slice(&l->content));
}

static void later_new(struct grip_socket *g, unsigned place, const struct channel_message *m)
{
    struct later *l;

    if (!g->hold || m->content.n > GRIP_SOCKET_KEPT)
        return;
    g->laters[place] = l = mem_new(sizeof(*l));
    l->timer.due = on_due;
    l->socket = g;
    l->content.max = GRIP_SOCKET_KEPT;
    (void)buf_add(&l->content, m->content);
    l->wait_ms = wait_of(place, m->timeout_s);
    l->type = (uint8_t)m->message_type;
    l->mode = (uint8_t)m->mode;
    l->place = (uint8_t)place;
    later_wait(l);
}

/* --- control messages --- */

static void with_channel(struct grip_socket *g, const struct channel_message *m)
{
    CLEANUP(buf_done) struct buf name = {.max = SIZE_MAX / 2};
    const struct subscribe how = {
        .filters = m->filters, .after_id = m->after_id, .has_after_id = m->has_after_id};

    (void)buf_add(&name, g->channel_prefix);
    (void)buf_add(&name, m->channel);
    if (m->type == CHANNEL_UNSUBSCRIBE)
        (void)subscriber_remove(&g->subscriber, buf_slice(&name));
    else if (subscriber_add(&g->subscriber, buf_slice(&name), &how) == -ERR_NOT_FOUND && m->has_gap)
        send(g, GRIP_WS_TEXT, m->gap);
}

static void obey(struct grip_socket *g, const struct channel_message *m)
{
    switch (m->type) {
    case CHANNEL_SUBSCRIBE:
    case CHANNEL_UNSUBSCRIBE:
        with_channel(g, m);
        break;
    case CHANNEL_SET_META:
        (void)subscriber_meta(&g->subscriber, m->name, m->has_value ? &m->value : NULL);
        break;
    case CHANNEL_KEEP_ALIVE:
        later_free(g, KEEP_ALIVE);
        if (m->has_content)
            later_new(g, KEEP_ALIVE, m);
        break;
    case CHANNEL_SEND_DELAYED:
        flush_delayed(g);
        if (m->has_content)
            later_new(g, DELAYED, m);
        break;
    case CHANNEL_FLUSH_DELAYED:
        flush_delayed(g);
        break;
    case CHANNEL_DETACH:
    case CHANNEL_SESSION:
        break;
    }
}

/* What is wrong with a control message is the origin's matter: the client does not hear of it. */
static void on_control_message(struct grip_socket *g, struct slice json)
{
    struct edge *e = g->hold->app->edge;
    struct err_note note = {0};
    struct channel_message m;
    const int r = channel_message_parse(json, &m, &note);
    bool detaches;

    if (r == -ERR_DENIED) {
        g->ops->close(g->arg, 1011, g->debug ? slice_str(note.text) : SLICE_NONE);
        return;
    }
    if (r < 0) {
        e->stats.controls_bad++;
        log_event(&e->log, LOG_INFO, "control.unusable", F_HEX("hold", hold_id(g->hold)),
                  F_TEXT("why", slice_str(note.text)));
        return;
    }
    detaches = m.type == CHANNEL_DETACH;
    obey(g, &m);
    channel_message_done(&m);
    if (detaches)
        g->ops->detach(g->arg);
}

void grip_socket_message(struct grip_socket *g, struct slice bytes, bool binary)
{
    const struct slice prefix = blob_slice(g->message_prefix);

    if (!binary && slice_starts(bytes, SLICE("c:")))
        on_control_message(g, slice_sub(bytes, 2, bytes.n));
    else if (slice_starts(bytes, prefix))
        send(g, binary ? GRIP_WS_BINARY : GRIP_WS_TEXT, slice_sub(bytes, prefix.n, bytes.n));
}

/* --- what is published --- */

static struct grip_socket *of(struct subscriber *s)
{
    return CONTAINER_OF(s, struct grip_socket, subscriber);
}

static void on_deliver(struct subscriber *s, const struct delivery *d)
{
    struct grip_socket *g = of(s);
    struct hold *h = g->hold;

    if (!h->transport || (h->state != HOLD_OPEN && h->state != HOLD_LEFT))
        return;
    if (transport_pending(h->transport) > GRIP_SOCKET_FULL)
        h->app->edge->stats.messages_dropped++;
    else if (d->payload)
        send_payload(g, d->payload);
    else
        send(g, d->format->type, d->content);
}

/* What fits in a close frame, whole characters of it. */
static struct slice cut_reason(struct slice s)
{
    size_t n = MIN(s.n, (size_t)WS_REASON_MAX);

    while (n > 0 && n < s.n && (s.p[n] & 0xc0) == 0x80)
        n--;
    s = slice_sub(s, 0, n);
    return utf8_is_valid(s) ? s : SLICE_NONE;
}

static void on_close(struct subscriber *s, const struct delivery *d)
{
    struct grip_socket *g = of(s);
    const bool is_code = ws_is_close_code(d->format->code);

    g->ops->close(g->arg, (uint16_t)(is_code ? d->format->code : 1000),
                  cut_reason(d->format->reason));
}

static void on_refresh(struct subscriber *s)
{
    struct grip_socket *g = of(s);

    g->ops->refresh(g->arg);
}

static void on_nothing(struct subscriber *s)
{
}

static const struct subscriber_ops facts = {
    .deliver = on_deliver,
    .close = on_close,
    .hint = on_nothing,
    .recover = on_nothing,
    .refresh = on_refresh,
};

/* --- life --- */

static unsigned max_channels(const struct app *a)
{
    const struct app_origin *o = a->settings->config.origin;

    return o && o->subscriptions ? MIN(o->subscriptions, 255u) : GRIP_SOCKET_CHANNELS;
}

struct grip_socket *grip_socket_new(const struct grip_socket_start *s)
{
    const struct subscribe implicit = {.implicit = true};
    struct grip_socket *g = mem_new(sizeof(*g));
    struct app *a = s->hold->app;

    g->hold = s->hold;
    g->ops = s->ops;
    g->arg = s->arg;
    g->message_prefix = blob_copy(s->message_prefix);
    g->channel_prefix = s->channel_prefix;
    g->debug = s->debug;
    subscriber_init(&g->subscriber, a->edge, GRIP_WS_MESSAGE, max_channels(a), s->route_id, &facts);
    for (const char *const *sub = s->subs; sub && *sub; sub++)
        (void)subscriber_add(&g->subscriber, slice_str(*sub), &implicit);
    return g;
}

static void reap(void *arg)
{
    struct grip_socket *g = arg;

    blob_unref(g->message_prefix);
    mem_free(g);
}

void grip_socket_free(struct grip_socket *g)
{
    if (!g)
        return;
    subscriber_done(&g->subscriber);
    for (unsigned i = 0; i < LATERS; i++)
        later_free(g, i);
    loop_defer(loop_of(g), LOOP_REAP, reap, g);
    g->hold = NULL;
}
