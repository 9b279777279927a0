#include "edge/inbound.h"

#include <assert.h>
#include <stdio.h>

#include "base/enc.h"
#include "base/seen.h"
#include "edge/delivery.h"
#include "edge/edge_int.h"
#include "edge/handoff.h"
#include "edge/hold.h"
#include "edge/link.h"
#include "edge/settings.h"
#include "edge/target.h"
#include "wire/fields.h"

enum {
    HEAD_MAX = 512 << 10, /* more than http1_options lets through */
    CF_MAX = 1 << 10,     /* bytes of request.cf */
    USUAL_TEXT = 1 << 10, /* bytes that most heads, and cf, have room in */
    CREDIT_STEP = IPC_BODY_WINDOW / 4,
};

/* --- life --- */

struct inbound *inbound_find(const struct edge *e, uint64_t id)
{
    return slots_find(&e->inbounds, id);
}

static void drop_hold(struct inbound *in)
{
    struct hold *h = hold_find(in->app, in->hold);

    if (h && h->state == HOLD_PENDING)
        hold_free(h);
    in->hold = 0;
}

/* Nothing of the body will be given back. */
static void drop_kept(struct inbound *in)
{
    if (!in->kept)
        return;
    in->app->edge->stats.handoff_bytes -= in->kept->n;
    buf_done(in->kept);
    mem_free(in->kept);
    in->kept = NULL;
}

static void inbound_free(struct inbound *in)
{
    struct app *a = in->app;

    drop_hold(in);
    drop_kept(in);
    list_del(&in->in_app);
    a->edge->stats.requests_open--;
    seen_add(&a->n_open, -1);
    slots_drop(&a->edge->inbounds, in);
    delivery_check_idle(a);
}

/* The link that has the request, NULL while it waits. */
static struct link *link_of(const struct inbound *in)
{
    return delivery_is_sent(in->app, in->seq) ? in->app->bearer : NULL;
}

/* --- facts of the reply --- */

/* At most a window: who takes more has read too far for a handoff. */
static void keep(struct inbound *in, struct slice bytes)
{
    if (!in->kept)
        return;
    if (buf_add(in->kept, bytes) < 0)
        drop_kept(in);
    else
        in->app->edge->stats.handoff_bytes += bytes.n;
}

static void on_body(void *arg, struct slice bytes, bool end)
{
    struct inbound *in = arg;
    struct link *l = in->app->bearer;

    in->owed += (uint32_t)bytes.n;
    in->body_done = end;
    keep(in, bytes);
    if (l)
        (void)ipc_put_body(link_out(l), in->slot.id, end ? IPC_END : 0,
                           &(struct ipc_body){.bytes = bytes});
}

static void pay(struct inbound *in)
{
    struct link *l = in->app->bearer;

    if (l)
        (void)ipc_put_credit(link_out(l), in->slot.id, 0,
                             &(struct ipc_credit){.bytes = in->unpaid});
    in->window += in->unpaid;
    in->unpaid = 0;
}

static void on_taken(void *arg, size_t n)
{
    struct inbound *in = arg;

    in->unpaid += (uint32_t)n;
    if (in->unpaid >= CREDIT_STEP || in->window < CREDIT_STEP)
        pay(in);
}

static void on_closed(void *arg, int err)
{
    struct inbound *in = arg;
    struct link *l = link_of(in);

    if (l)
        (void)ipc_put_cancel(link_out(l), in->slot.id, 0,
                             &(struct ipc_cancel){.error = (uint16_t)-err});
    else
        delivery_withdraw(in->app, in->seq);
    inbound_free(in);
}

static const struct exchange_ops facts = {.body = on_body, .taken = on_taken, .closed = on_closed};

/* --- the request --- */

/* The absolute URL that the application sees. */
static void put_url(struct buf *b, const struct exchange_request *rq, bool is_secure)
{
    const struct slice host = rq->host.n ? rq->host : SLICE("localhost");

    if (target_is_absolute(rq->target)) {
        (void)buf_add(b, rq->target);
        return;
    }
    (void)buf_add(b, is_secure ? SLICE("https://") : SLICE("http://"));
    (void)buf_add(b, host);
    (void)buf_add(b, target_path(rq->target));
}

/* Method, URL and fields. Applications read the client's address in CF-Connecting-IP: it is ours to
 * say, whatever a client from outside says. */
static void put_head(struct buf *b, const struct inbound *in, const struct exchange_request *rq,
                     struct slice peer)
{
    const bool outside = reply_client(in->reply) != NULL;

    (void)buf_add(b, rq->method);
    (void)buf_add_byte(b, ' ');
    put_url(b, rq, in->is_secure);
    (void)buf_add_byte(b, '\n');
    if (peer.n)
        (void)fields_put(b, SLICE("CF-Connecting-IP"), peer);
    for (size_t i = 0; i < rq->n_fields; i++) {
        if (outside && slice_eq_nocase(rq->fields[i].name, SLICE("CF-Connecting-IP")))
            continue;
        (void)fields_put(b, rq->fields[i].name, rq->fields[i].value);
    }
}

static void put_cf(struct buf *b, const struct exchange_request *rq, struct slice peer)
{
    (void)buf_add(b, SLICE("{\"clientIp\":"));
    (void)enc_json(b, peer);
    if (rq->tls_version)
        (void)buf_addf(b, ",\"tlsVersion\":\"%s\",\"tlsCipher\":\"%s\"", rq->tls_version,
                       rq->tls_cipher);
    (void)buf_add(b, rq->minor ? SLICE(",\"httpProtocol\":\"HTTP/1.1\",\"colo\":\"LOCAL\"}")
                               : SLICE(",\"httpProtocol\":\"HTTP/1.0\",\"colo\":\"LOCAL\"}"));
}

static struct blob *request_frame(const struct inbound *in, const struct exchange_request *rq,
                                  struct slice peer)
{
    struct buf text, frame;
    struct blob *b = NULL;
    size_t n;

    buf_init(&text, HEAD_MAX + CF_MAX);
    buf_init(&frame, HEAD_MAX + CF_MAX + 4096);
    (void)buf_reserve(&text, USUAL_TEXT);
    put_head(&text, in, rq, peer);
    n = text.n;
    put_cf(&text, rq, peer);
    (void)buf_reserve(&frame, text.n + 64);
    if (ipc_put_request(&frame, in->slot.id, 0,
                        &(struct ipc_request){.seq = in->seq,
                                              .hold = in->hold,
                                              .body = (uint8_t)rq->body,
                                              .length = rq->length,
                                              .cf = slice_sub(buf_slice(&text), n, SIZE_MAX),
                                              .head = slice_sub(buf_slice(&text), 0, n)}) == 0)
        b = blob_copy(buf_slice(&frame));
    buf_done(&text);
    buf_done(&frame);
    return b;
}

static_assert(EXCHANGE_BODY_NONE == (int)IPC_BODY_NONE &&
                  EXCHANGE_BODY_LENGTH == (int)IPC_BODY_LENGTH &&
                  EXCHANGE_BODY_STREAM == (int)IPC_BODY_STREAM,
              "the kinds of bodies are the same numbers");

static bool refuse_at_once(struct app *a, struct reply reply)
{
    struct edge_stats *s = &a->edge->stats;
    const uint32_t most = a->settings->config.limits.connections;
    const bool is_over = most && app_open(a) >= most;

    if (!a->broken && a->events.n < APP_EVENTS_MAX && !a->edge->stopping && !is_over)
        return false;
    s->requests_over += is_over;
    s->requests_failed++;
    if (a->broken)
        reply_text(reply, 500,
                   a->settings->config.dev ? blob_slice(a->broken)
                                           : SLICE("Internal Server Error"));
    else
        reply_text(reply, 503, slice_str(err_text(ERR_OVERLOADED)));
    return true;
}

static void want_hold(struct inbound *in)
{
    struct hold *h = hold_new(in->app, &actor_backend);

    in->hold = h ? hold_id(h) : 0;
}

void inbound_open(struct app *a, const struct exchange_request *request, struct reply take_reply,
                  struct slice peer, bool is_secure)
{
    struct inbound *in;
    struct blob *frame;

    if (refuse_at_once(a, take_reply))
        return;
    in = slots_add(&a->edge->inbounds);
    if (!in) {
        reply_text(take_reply, 503, slice_str(err_text(ERR_OVERLOADED)));
        return;
    }
    in->app = a;
    in->reply = take_reply;
    in->seq = delivery_next_seq(a);
    in->began_us = loop_now_us(a->edge->loop);
    in->window = IPC_BODY_WINDOW;
    in->is_secure = is_secure;
    in->has_body = request->body != EXCHANGE_BODY_NONE;
    in->body_done = !in->has_body;
    if (in->has_body && a->settings->config.origin && reply_client(take_reply)) {
        in->kept = mem_new(sizeof(*in->kept));
        buf_init(in->kept, IPC_BODY_WINDOW);
    }
    list_add_tail(&a->inbounds, &in->in_app);
    a->edge->stats.requests_open++;
    seen_add(&a->n_open, 1);
    a->edge->stats.requests_worker++;
    if (request->upgrade && reply_client(take_reply))
        want_hold(in);
    reply_attach(take_reply, &facts, in);
    frame = request_frame(in, request, peer);
    if (frame)
        delivery_add(a, IPC_REQUEST, in->slot.id, frame, !in->has_body);
    else
        inbound_refuse(in, 431, slice_str(err_text(ERR_HTTP_HEADERS_LARGE)));
}

void inbound_sent(struct inbound *in)
{
    if (!in->body_done)
        reply_pull(in->reply, IPC_BODY_WINDOW);
}

int inbound_credit(struct link *l, const struct ipc_frame *f, const struct ipc_credit *m)
{
    struct inbound *in = inbound_find(l->app->edge, f->id);

    if (!in)
        return 0;
    if (in->app != l->app || m->bytes > in->owed)
        return link_bad(l, "credit for bytes that were not sent", f);
    in->owed -= m->bytes;
    if (!in->body_done)
        reply_pull(in->reply, m->bytes);
    return 0;
}

/* The application does not want the request's body: it stays with the client. */
int inbound_cancel(struct link *l, const struct ipc_frame *f, const struct ipc_cancel *m)
{
    return 0;
}

/* --- the response --- */

/* The living inbound of this application that the frame names; *ret is NULL when it has ended. */
static int find(struct link *l, const struct ipc_frame *f, struct inbound **ret)
{
    struct inbound *in = inbound_find(l->app->edge, f->id);

    *ret = in;
    if (in && in->app != l->app)
        return link_bad(l, "another application's exchange", f);
    if (in && l != l->app->bearer)
        return link_bad(l, "an exchange that it was not given", f);
    return 0;
}

static void complete(struct inbound *in)
{
    struct link *l = in->app->bearer;

    if (!in->body_done && l)
        (void)ipc_put_body_abort(link_out(l), in->slot.id, 0,
                                 &(struct ipc_body_abort){.error = ERR_CLOSED});
    inbound_free(in);
}

void inbound_refuse(struct inbound *in, uint16_t status, struct slice text)
{
    const struct reply reply = in->reply;
    const bool cut = in->responded || status == 0;

    in->app->edge->stats.requests_failed++;
    complete(in);
    if (cut)
        reply_abort(reply);
    else
        reply_text(reply, status, text);
}

/* What the application wrote cannot be sent: its mistake, said in the log and, in dev, to the
 * client. */
static void refuse_response(struct inbound *in, const char *what)
{
    struct app *a = in->app;

    log_event(&a->edge->log, LOG_ERROR, "response.refused", F_TEXT("app", app_name(a)),
              F_NAME("why", what));
    inbound_refuse(in, 500,
                   a->settings->config.dev ? slice_str(what) : SLICE("Internal Server Error"));
}

static struct slice field_value(struct slice fields, struct slice name)
{
    struct slice value = SLICE_NONE;

    (void)fields_find(fields, name, &value);
    return value;
}

/* The exchange became a WebSocket that the application had coupled already, but it cannot be: the
 * socket's object hears that it is lost. */
static void lose_hold(struct inbound *in, struct hold *h)
{
    in->hold = 0;
    hold_terminate(h);
    h->backend->closed(h, 1006, false, SLICE("the WebSocket handshake could not be answered"), 0);
    refuse_response(in, "the 101 response has a header that cannot be sent");
}

static int upgrade(struct link *l, struct inbound *in, const struct ipc_frame *f,
                   const struct ipc_response *m)
{
    struct exchange *x = reply_client(in->reply);
    struct hold *h = hold_find(in->app, in->hold);
    struct transport *t;
    struct buf url;

    if (!x || !h || m->hold != in->hold)
        return link_bad(l, "101 for what was no upgrade", f);
    buf_init(&url, HEAD_MAX);
    put_url(&url, exchange_request(x), in->is_secure);
    t = exchange_upgrade(x, m->head, &in->app->ws);
    if (t) {
        in->hold = 0;
        in->reply = (struct reply){0};
        complete(in);
        hold_open(h, t, buf_slice(&url), field_value(m->head, SLICE("Sec-WebSocket-Protocol")));
    } else {
        lose_hold(in, h);
    }
    buf_done(&url);
    return 0;
}

static int respond(struct link *l, struct inbound *in, const struct ipc_frame *f,
                   const struct ipc_response *m)
{
    const struct exchange_response r = {
        .status = m->status,
        .reason = m->reason,
        .fields = m->head,
        .body = (enum exchange_body)m->body,
        .length = m->length,
        .comment_ms = settings_comment_ms(in->app->settings, m->head),
    };
    const struct reply reply = in->reply;

    if (m->body > IPC_BODY_STREAM || m->hold)
        return link_bad(l, "unknown kind of body, or a hold without 101", f);
    drop_hold(in);
    if (reply_respond(reply, &r) < 0) {
        refuse_response(in, "the response has a status or a header that cannot be sent");
        return 0;
    }
    in->responded = true;
    drop_kept(in);
    if (m->body == IPC_BODY_NONE) {
        complete(in);
        reply_end(reply);
    }
    return 0;
}

int inbound_response(struct link *l, const struct ipc_frame *f, const struct ipc_response *m)
{
    struct inbound *in;
    int r = find(l, f, &in);

    if (r < 0 || !in)
        return r;
    if (in->responded)
        return link_bad(l, "a second response", f);
    stat_observe(&l->app->stats.response,
                 (uint64_t)MAX(loop_now_us(l->app->edge->loop) - in->began_us, 0));
    return m->status == 101 ? upgrade(l, in, f, m) : respond(l, in, f, m);
}

/* The reply leaves the inbound with all of its body; what the worker still has of it is void. */
static struct reply give_up_reply(struct inbound *in)
{
    const struct reply reply = in->reply;

    if (in->kept)
        exchange_unread(reply_client(reply), buf_slice(in->kept), in->body_done);
    complete(in);
    return reply;
}

int inbound_handoff(struct link *l, const struct ipc_frame *f, const struct ipc_handoff *m)
{
    struct inbound *in;
    int r = find(l, f, &in);

    if (r < 0 || !in)
        return r;
    if (in->responded || m->kind > IPC_HANDOFF_WEBSOCKET)
        return link_bad(l, "behind a response, or of an unknown kind", f);
    if (in->has_body && !in->kept && in->app->settings->config.origin)
        refuse_response(in, "the request's body was read too far for a handoff");
    else
        handoff_open(l->app, m, give_up_reply(in));
    return 0;
}

int inbound_fail(struct link *l, const struct ipc_frame *f, const struct ipc_fail *m)
{
    struct inbound *in;
    int r = find(l, f, &in);

    if (r < 0 || !in)
        return r;
    if (m->status && (m->status < 400 || m->status > 599))
        return link_bad(l, "not a status of an error", f);
    inbound_refuse(in, m->status, m->text);
    return 0;
}

static void send(struct inbound *in, struct slice bytes)
{
    in->window -= (uint32_t)bytes.n;
    if (reply_send(in->reply, bytes) < 0)
        refuse_response(in, "the response's body is longer than its Content-Length");
}

int inbound_body(struct link *l, const struct ipc_frame *f, const struct ipc_body *m)
{
    struct inbound *in;
    int r = find(l, f, &in);

    if (r < 0 || !in)
        return r;
    if (!in->responded)
        return link_bad(l, "a body before its response", f);
    if (m->bytes.n > in->window)
        return link_bad(l, "more than the window of a body", f);
    send(in, m->bytes);
    in = inbound_find(l->app->edge, f->id);
    if (in && (f->flags & IPC_END)) {
        const struct reply reply = in->reply;

        complete(in);
        reply_end(reply);
    }
    return 0;
}

int inbound_body_abort(struct link *l, const struct ipc_frame *f, const struct ipc_body_abort *m)
{
    struct inbound *in;
    int r = find(l, f, &in);

    if (r < 0 || !in)
        return r;
    inbound_refuse(in, 500, SLICE("Internal Server Error"));
    return 0;
}

/* --- the worker is gone --- */

bool inbound_survives(struct inbound *in, bool begun, int why)
{
    struct buf text;

    if (!begun && !in->has_body && !in->responded)
        return true;
    buf_init(&text, 512);
    if (why)
        (void)buf_addf(&text, "%s while it handled this request\n", err_text(why));
    else
        (void)buf_addf(&text, "the worker was restarted while it handled this request\n");
    inbound_refuse(in, 503, buf_slice(&text));
    buf_done(&text);
    return false;
}
