#include "edge/zeromq.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <zmq.h>

#include "edge/relay.h"
#include "edge/statistics.h"
#include "edge/zeromq_int.h"
#include "wire/tnet.h"

enum {
    BUDGET = 200,  /* messages of one socket before others have their turn */
    AGAIN_MS = 20, /* until an item that had no room is tried again */
    BODY = 1000000,
};

/* --- receiving --- */

/* A message's first two parts; what comes behind them is dropped. */
struct message {
    zmq_msg_t part[2];
    unsigned n; /* parts that came */
};

static struct slice part(struct message *m, unsigned i)
{
    return slice_make(zmq_msg_data(&m->part[i]), zmq_msg_size(&m->part[i]));
}

static void message_done(struct message *m)
{
    (void)zmq_msg_close(&m->part[0]);
    (void)zmq_msg_close(&m->part[1]);
}

/* False when there is none. All parts of a message arrive together. */
static bool receive(struct inlet *in, struct message *m)
{
    zmq_msg_t rest;
    bool more = true;

    (void)zmq_msg_init(&m->part[0]);
    (void)zmq_msg_init(&m->part[1]);
    (void)zmq_msg_init(&rest);
    for (m->n = 0; more; m->n++) {
        zmq_msg_t *const p = m->n < 2 ? &m->part[m->n] : &rest;

        if (zmq_msg_recv(p, in->socket, ZMQ_DONTWAIT) < 0)
            break;
        more = zmq_msg_more(p);
    }
    (void)zmq_msg_close(&rest);
    return m->n > 0;
}

/* --- publishing --- */

/* Publishes, or keeps the items until there is room. */
static void publish(struct inlet *in, struct grip_items *take_items)
{
    struct edge *e = in->zeromq->edge;

    if (relay_publish(e, take_items) == 0) {
        grip_items_done(take_items);
        return;
    }
    in->has_waiting = true;
    in->waiting = *take_items;
    timer_set(e->loop, &in->again, loop_now(e->loop) + AGAIN_MS);
}

static void refused(struct inlet *in, const struct err_note *note)
{
    struct edge *e = in->zeromq->edge;

    e->stats.zeromq_refused++;
    log_event(&e->log, log_level_of(-ERR_SYNTAX), "zeromq.refused", F_NAME("why", note->text));
}

static void on_item(struct inlet *in, struct message *m)
{
    const bool has_topic = in->kind == INLET_SUB;
    struct slice topic = SLICE_NONE;
    struct grip_items items;
    struct err_note note = {"message has a wrong number of parts"};

    if (has_topic && m->n > 1)
        topic = part(m, 0);
    if (m->n != (has_topic ? 2u : 1u) ||
        grip_item_parse_zmq(part(m, m->n - 1), has_topic ? &topic : NULL, &items, &note) < 0) {
        refused(in, &note);
        return;
    }
    in->zeromq->edge->stats.zeromq_items++;
    publish(in, &items);
}

/* --- reading --- */

static void on_read(void *arg);

/* Reads it in this tick or the next. */
static void read_soon(struct inlet *in)
{
    if (!in->is_posted) {
        in->is_posted = true;
        loop_defer(in->zeromq->edge->loop, LOOP_DEFERRED, on_read, in);
    }
}

/* A command is answered before the next is read. */
static bool is_full(const struct inlet *in)
{
    return in->has_waiting || (in->kind == INLET_COMMAND && in->zeromq->is_asking);
}

static void on_command(struct inlet *in, struct message *m)
{
    in->zeromq->edge->stats.zeromq_commands++;
    in->zeromq->is_asking = true;
    zeromq__command(in->zeromq, part(m, 0));
}

void zeromq__reply(struct zeromq *z, struct slice reply)
{
    z->is_asking = false;
    for (size_t i = 0; i < z->n_inlets; i++) {
        if (z->inlets[i].kind != INLET_COMMAND)
            continue;
        (void)zmq_send(z->inlets[i].socket, reply.p, reply.n, ZMQ_DONTWAIT);
        read_soon(&z->inlets[i]);
    }
}

static void on_read(void *arg)
{
    struct inlet *in = arg;
    struct message m;

    in->is_posted = false;
    if (in->zeromq->is_gone)
        return;
    for (unsigned i = 0; !is_full(in) && i < BUDGET; i++) {
        if (!receive(in, &m))
            return; /* its descriptor tells when there is more */
        if (in->kind == INLET_COMMAND)
            on_command(in, &m);
        else
            on_item(in, &m);
        message_done(&m);
    }
    if (!is_full(in))
        read_soon(in);
}

static void on_ready(struct watch *w, uint32_t events)
{
    read_soon(CONTAINER_OF(w, struct inlet, watch));
}

static void on_again(struct timer *t)
{
    struct inlet *in = CONTAINER_OF(t, struct inlet, again);
    struct grip_items items = in->waiting;

    in->has_waiting = false;
    in->waiting = (struct grip_items){0};
    publish(in, &items);
    if (!in->has_waiting)
        read_soon(in);
}

/* Publishers hear which channels are worth sending. */
static void on_known(void *arg, struct slice channel, bool is_known)
{
    struct zeromq *z = arg;

    for (size_t i = 0; i < z->n_inlets; i++) {
        if (z->inlets[i].kind != INLET_SUB)
            continue;
        (void)zmq_setsockopt(z->inlets[i].socket, is_known ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE,
                             channel.n ? (const void *)channel.p : "", channel.n);
        read_soon(&z->inlets[i]); /* the call may have eaten what the descriptor would tell */
    }
}

/* --- opening --- */

static void set_number(void *socket, int option, int value)
{
    (void)zmq_setsockopt(socket, option, &value, sizeof(value));
}

static void set_limits(void *socket, uint32_t body)
{
    const int64_t most = body;

    (void)zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof(most));
    set_number(socket, ZMQ_RCVHWM, ZEROMQ_QUEUE);
    set_number(socket, ZMQ_SNDHWM, ZEROMQ_QUEUE);
    set_number(socket, ZMQ_LINGER, 0);
}

/* What a socket is bound to: the spec, with the port that the system chose for "*". */
static void endpoint(void *socket, const char *spec, char *ret, size_t room)
{
    size_t n = room;

    if (!slice_ends(slice_str(spec), SLICE(":*")) ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, ret, &n) < 0)
        (void)snprintf(ret, room, "%s", spec);
}

static void set_mode(const char *spec, uint16_t mode)
{
    const struct slice ipc = SLICE("ipc://");

    if (slice_starts(slice_str(spec), ipc) && !slice_starts(slice_str(spec), SLICE("ipc://@")))
        (void)chmod(spec + ipc.n, mode ? mode : 0600);
}

static const char *const names[] = {
    [INLET_PULL] = "publish-pull",
    [INLET_SUB] = "publish-sub",
    [INLET_COMMAND] = "command",
};

/* Where it is, for the log; the first of a socket also for get-zmq-uris. */
static void tell(struct inlet *in, const char *spec, bool connects, bool is_first)
{
    struct zeromq *z = in->zeromq;
    char at[256];

    endpoint(in->socket, spec, at, sizeof(at));
    log_event(&z->edge->log, LOG_INFO, "zeromq.open", F_NAME("socket", names[in->kind]),
              F_NAME("at", at), F_BOOL("connects", connects));
    if (is_first && !connects && tnet_put_string(&z->uris, slice_str(names[in->kind])) == 0)
        (void)tnet_put_string(&z->uris, slice_str(at));
}

static int attach(struct inlet *in, const char *const *specs, const struct zmq_options *o,
                  struct err_note *note)
{
    const bool connects = in->kind == INLET_SUB && o->sub_connect;

    for (size_t i = 0; specs[i]; i++) {
        if ((connects ? zmq_connect(in->socket, specs[i]) : zmq_bind(in->socket, specs[i])) < 0)
            return err_notef(note, -ERR_OS, "ZeroMQ %s at %s: %s", names[in->kind], specs[i],
                             zmq_strerror(errno));
        if (!connects)
            set_mode(specs[i], o->ipc_mode);
        tell(in, specs[i], connects, i == 0);
    }
    return 0;
}

static int open_inlet(struct zeromq *z, enum inlet_kind kind, const char *const *specs,
                      const struct grip_options *o, struct err_note *note)
{
    static const int types[] = {
        [INLET_PULL] = ZMQ_PULL,
        [INLET_SUB] = ZMQ_SUB,
        [INLET_COMMAND] = ZMQ_REP,
    };
    struct inlet *in = &z->inlets[z->n_inlets];

    if (!specs || !specs[0])
        return 0;
    *in = (struct inlet){.zeromq = z, .kind = kind, .again.due = on_again};
    in->watch = (struct watch){.ready = on_ready, .fd = -1};
    in->socket = zmq_socket(z->ctx, types[kind]);
    if (!in->socket)
        return err_notef(note, -ERR_OS, "ZeroMQ %s: %s", names[kind], zmq_strerror(errno));
    z->n_inlets++;
    set_limits(in->socket, o->control_body ? o->control_body : BODY);
    return attach(in, specs, &o->zmq, note);
}

static int open_pub(struct zeromq *z, const struct zmq_options *q, struct err_note *note)
{
    if (!q->stats || !q->stats[0])
        return 0;
    if (!(z->pub = zmq_socket(z->ctx, ZMQ_PUB)))
        return err_notef(note, -ERR_OS, "ZeroMQ stats: %s", zmq_strerror(errno));
    set_number(z->pub, ZMQ_SNDHWM, STATISTICS_QUEUE);
    set_number(z->pub, ZMQ_LINGER, 0);
    for (size_t i = 0; q->stats[i]; i++) {
        char at[256];

        if (zmq_bind(z->pub, q->stats[i]) < 0)
            return err_notef(note, -ERR_OS, "ZeroMQ stats at %s: %s", q->stats[i],
                             zmq_strerror(errno));
        set_mode(q->stats[i], q->ipc_mode);
        endpoint(z->pub, q->stats[i], at, sizeof(at));
        log_event(&z->edge->log, LOG_INFO, "zeromq.open", F_NAME("socket", "stats"),
                  F_NAME("at", at));
    }
    return 0;
}

void zeromq_say(struct zeromq *z, struct slice message)
{
    if (z && z->pub)
        (void)zmq_send(z->pub, message.p, message.n, ZMQ_DONTWAIT);
}

static bool is_any(const char *const *specs)
{
    return specs && specs[0];
}

int zeromq_open(struct edge *edge0, const struct grip_options *o, struct zeromq **ret,
                struct err_note *note)
{
    const struct zmq_options *q = &o->zmq;
    const char *const command[] = {q->command, NULL};
    struct zeromq *z;
    int err;

    *ret = NULL;
    if (!is_any(q->pull) && !is_any(q->sub) && !is_any(q->stats) && !q->command)
        return 0;
    z = mem_new(sizeof(*z));
    z->edge = edge0;
    z->ctx = zmq_ctx_new();
    buf_init(&z->uris, 4096);
    buf_init(&z->question, o->control_body ? o->control_body : BODY);
    if ((err = open_inlet(z, INLET_COMMAND, command, o, note)) < 0 ||
        (err = open_inlet(z, INLET_PULL, q->pull, o, note)) < 0 ||
        (err = open_inlet(z, INLET_SUB, q->sub, o, note)) < 0 || (err = open_pub(z, q, note)) < 0) {
        zeromq_free(z);
        return err;
    }
    *ret = z;
    return 0;
}

void zeromq_start(struct zeromq *z)
{
    for (size_t i = 0; z && i < z->n_inlets; i++) {
        struct inlet *in = &z->inlets[i];
        size_t n = sizeof(in->watch.fd);

        if (zmq_getsockopt(in->socket, ZMQ_FD, &in->watch.fd, &n) < 0 ||
            watch_start(z->edge->loop, &in->watch, EPOLLIN) < 0)
            log_event(&z->edge->log, LOG_ERROR, "zeromq.failed", F_NAME("socket", names[in->kind]));
        if (in->kind == INLET_SUB)
            relay_watch(z->edge, on_known, z);
        read_soon(in);
    }
}

static void inlet_done(struct inlet *in)
{
    if (in->watch.fd >= 0)
        watch_stop(in->zeromq->edge->loop, &in->watch);
    timer_del(in->zeromq->edge->loop, &in->again);
    grip_items_done(&in->waiting);
    (void)zmq_close(in->socket);
}

void zeromq_free(struct zeromq *z)
{
    if (!z)
        return;
    for (size_t i = 0; i < z->n_inlets; i++)
        inlet_done(&z->inlets[i]);
    if (z->pub)
        (void)zmq_close(z->pub);
    (void)zmq_ctx_term(z->ctx);
    buf_done(&z->uris);
    buf_done(&z->question);
    z->is_gone = true;
    loop_defer(z->edge->loop, LOOP_REAP, mem_free, z);
}
