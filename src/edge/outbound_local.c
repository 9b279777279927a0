/*
 * Outbounds that are answered in this process: the answerer sees a reply (edge/reply.h), the worker
 * its frames. The request's body waits here until the answerer pulls it.
 */
#include "edge/dispatch.h"
#include "edge/edge_int.h"
#include "edge/files.h"
#include "edge/link.h"
#include "edge/outbound_int.h"
#include "edge/reply.h"
#include "edge/target.h"

enum {
    FIELDS_MAX = 256,
    QUEUE_MAX = 4 << 20, /* bytes of a response beyond the worker's window */
};

struct local {
    struct outbound o;
    const struct exchange_ops *ops; /* the answerer's, after reply_attach */
    void *arg;
    struct blob *head; /* what request's slices point into */
    struct exchange_request request;
    struct exchange_field *fields;
    struct buf body;  /* request bytes that the answerer has not pulled yet */
    size_t granted;   /* it pulled so many more */
    bool body_ended;  /* the worker sent its last byte */
    bool end_told;    /* the answerer heard of it */
    bool delivering;  /* a deferred task is on its way */
    struct buf queue; /* response bytes for which the worker's window has no room */
    bool ends;        /* the answerer is done: the end stands behind the queue */
};

static struct loop *loop_of(const struct local *c)
{
    return c->o.link->app->edge->loop;
}

static void release(void *arg)
{
    struct local *c = arg;

    blob_unref(c->head);
    mem_free(c->fields);
    buf_done(&c->body);
    buf_done(&c->queue);
    mem_free(c);
}

static void drop_queue(struct local *c)
{
    c->o.link->app->edge->stats.fetch_queues -= (int64_t)c->queue.n;
    buf_done(&c->queue);
}

/* Its memory goes after the tick, or after the task that still knows it. */
static void release_soon(struct local *c)
{
    drop_queue(c);
    if (!c->delivering)
        loop_defer(loop_of(c), LOOP_REAP, release, c);
}

/* --- the request's body --- */

/* Hands over what was pulled and has come, as one piece. */
static void deliver(struct local *c)
{
    const size_t n = MIN(c->granted, c->body.n);
    const struct span all = buf_take(&c->body);

    (void)buf_add(&c->body, slice_make(all.p + n, all.n - n));
    c->granted -= n;
    c->end_told = c->body_ended && c->body.n == 0;
    if (n)
        (void)ipc_put_credit(link_out(c->o.link), c->o.id, 0,
                             &(struct ipc_credit){.bytes = (uint32_t)n});
    if ((n || c->end_told) && c->ops->body)
        c->ops->body(c->arg, slice_make(all.p, n), c->end_told);
    mem_free(all.p);
}

static void on_deferred(void *arg)
{
    struct local *c = arg;

    c->delivering = false;
    if (c->o.over)
        release(c);
    else if (c->ops && !c->end_told)
        deliver(c);
}

static void deliver_soon(struct local *c)
{
    if (c->delivering || !c->granted || c->end_told)
        return;
    c->delivering = true;
    loop_defer(loop_of(c), LOOP_DEFERRED, on_deferred, c);
}

/* --- the reply's verbs: what the answerer says --- */

static void attach(void *to, const struct exchange_ops *ops, void *arg)
{
    struct local *c = to;

    c->ops = ops;
    c->arg = arg;
}

static void pull(void *to, size_t n)
{
    struct local *c = to;

    c->granted += n;
    deliver_soon(c);
}

static int respond(void *to, const struct exchange_response *r)
{
    struct local *c = to;

    outbound_say_response(&c->o, &(struct ipc_response){.status = r->status,
                                                        .body = (uint8_t)r->body,
                                                        .length = r->length,
                                                        .reason = r->reason,
                                                        .head = r->fields});
    return 0;
}

static size_t room(const struct local *c)
{
    return IPC_BODY_WINDOW - c->o.pending;
}

static int send(void *to, struct slice bytes)
{
    struct local *c = to;
    const size_t n = c->queue.n ? 0 : MIN(room(c), bytes.n);
    const struct slice rest = slice_sub(bytes, n, SIZE_MAX);

    if (rest.n && buf_add(&c->queue, rest) < 0)
        return -ERR_SLOW_CONSUMER;
    c->o.link->app->edge->stats.fetch_queues += (int64_t)rest.n;
    if (n)
        outbound_say_body(&c->o, slice_sub(bytes, 0, n));
    return 0;
}

static int share(void *to, struct blob *bytes, struct blob **chunked)
{
    (void)chunked;
    return send(to, blob_slice(bytes));
}

static size_t pending(const void *to)
{
    const struct local *c = to;

    return c->o.pending + c->queue.n;
}

static void finish(struct local *c)
{
    outbound_say_end(&c->o);
    outbound_drop(&c->o);
    release_soon(c);
}

static void end(void *to)
{
    struct local *c = to;

    c->ops = NULL;
    c->ends = true;
    if (c->queue.n == 0)
        finish(c);
}

static void cut(void *to)
{
    struct local *c = to;

    outbound_say_failed(&c->o, ERR_RESET, SLICE("the answer was cut"));
    outbound_drop(&c->o);
    release_soon(c);
}

static const struct reply_kind reply_to_worker = {
    .attach = attach,
    .pull = pull,
    .respond = respond,
    .send = send,
    .share = share,
    .pending = pending,
    .end = end,
    .abort = cut,
};

/* --- what the worker says --- */

static int on_body(struct outbound *o, struct slice bytes, bool end_)
{
    struct local *c = CONTAINER_OF(o, struct local, o);

    if (c->body_ended || buf_add(&c->body, bytes) < 0)
        return -ERR_TOO_LARGE;
    c->body_ended = end_;
    deliver_soon(c);
    return 0;
}

/* The worker has taken some: as much of the queue follows. */
static void move_on(struct local *c)
{
    const size_t n = MIN(room(c), c->queue.n);

    if (n == 0)
        return;
    outbound_say_body(&c->o, slice_sub(buf_slice(&c->queue), 0, n));
    buf_consume(&c->queue, n);
    c->o.link->app->edge->stats.fetch_queues -= (int64_t)n;
}

static void on_credit(struct outbound *o, uint32_t n)
{
    struct local *c = CONTAINER_OF(o, struct local, o);

    move_on(c);
    if (c->ends && c->queue.n == 0)
        finish(c);
    else if (c->ops && c->ops->taken)
        c->ops->taken(c->arg, n);
}

/* For the answerer its client has gone. */
static void on_cancel(struct outbound *o)
{
    struct local *c = CONTAINER_OF(o, struct local, o);

    release_soon(c);
    if (c->ops)
        c->ops->closed(c->arg, -ERR_RESET);
}

static const struct outbound_kind local = {
    .body = on_body, .credit = on_credit, .cancel = on_cancel};

/* --- the request --- */

/* Takes the head apart: "METHOD URL\n", then "name: value\n". False: it is not that. */
static bool parse_head(struct local *c)
{
    struct slice head = blob_slice(c->head), line, name;
    struct exchange_request *rq = &c->request;

    if (!slice_split(&head, '\n', &line) || !slice_split(&line, ' ', &rq->method) || line.n == 0)
        return false;
    rq->target = line;
    rq->path = target_path(line);
    rq->host = target_authority(line);
    c->fields = mem_new(FIELDS_MAX * sizeof(c->fields[0]));
    rq->fields = c->fields;
    while (slice_split(&head, '\n', &line)) {
        if (rq->n_fields == FIELDS_MAX || !slice_split(&line, ':', &name) || name.n == 0)
            return false;
        c->fields[rq->n_fields++] = (struct exchange_field){name, slice_trim(line)};
    }
    return true;
}

void outbound_start_local(struct link *l, const struct ipc_frame *f, const struct ipc_fetch *m,
                          struct app *to)
{
    struct local *c = mem_new(sizeof(*c));
    const struct reply reply = {&reply_to_worker, c};

    outbound_init(&c->o, &local, l, f->id);
    c->head = blob_copy(m->head);
    c->request.body = (enum exchange_body)m->body;
    c->request.length = m->length;
    c->request.minor = 1;
    c->body_ended = c->end_told = m->body == IPC_BODY_NONE;
    buf_init(&c->body, IPC_BODY_WINDOW);
    buf_init(&c->queue, QUEUE_MAX);
    if (!parse_head(c))
        reply_text(reply, 400, SLICE("the request has a header that cannot be sent"));
    else if (to)
        dispatch_request(to, &c->request, reply, SLICE_NONE);
    else
        (void)files_serve(l->app->files, &c->request, reply, FILES_FETCH);
}
