#include "edge/link.h"

#include "egress/egress.h"
#include "io/stream.h"

enum {
    LARGE = 16 << 10,                        /* from here on a frame is not copied */
    OUT_MAX = IPC_PAYLOAD_MAX + (1 << 20),   /* one tick's frames beside the largest */
    REST_MAX = IPC_PAYLOAD_MAX + IPC_HEADER, /* one incomplete frame */
    OUT_FLUSH = 256 << 10,                   /* gathered bytes go to the stream from here on */
    KEEP_OUT = 1 << 20,                      /* memory that an idle link keeps */
    PENDING_MAX = 256 << 20,                 /* far over what events and windows can add up to */
    LAST_WORDS_MS = 1000,                    /* to read what a dead process wrote */
};

/* --- out --- */

static void push_out(struct link *l)
{
    if (l->out.n == 0)
        return;
    (void)stream_write(l->stream, buf_slice(&l->out));
    buf_clear(&l->out);
    if (l->out.cap > KEEP_OUT)
        buf_done(&l->out);
    if (stream_pending(l->stream) > PENDING_MAX)
        (void)link_bad(l, "it asks for more and more and does not read", NULL);
}

static void on_deferred(void *arg)
{
    struct link *l = arg;

    l->flushing = false;
    if (l->freed)
        mem_free(l);
    else
        push_out(l);
}

struct buf *link_out(struct link *l)
{
    if (!l->flushing) {
        l->flushing = true;
        loop_defer(l->app->edge->loop, LOOP_DEFERRED, on_deferred, l);
    }
    if (l->out.n > OUT_FLUSH)
        push_out(l);
    if (l->bad || l->ended)
        buf_clear(&l->out);
    l->app->edge->stats.frames_out++;
    return &l->out;
}

void link_push_large(struct link *l, struct blob *take_frame)
{
    (void)link_out(l);
    if (take_frame->n < LARGE) {
        (void)buf_add(&l->out, blob_slice(take_frame));
        blob_unref(take_frame);
        return;
    }
    push_out(l);
    (void)stream_push(l->stream, take_frame);
}

/* --- what the fleet hears of it --- */

void link_report(struct link *l, enum report_kind kind, int why, struct slice text)
{
    edge_report(l->app->edge,
                (struct report){
                    .kind = kind, .app = l->app->index, .generation = l->generation, .why = why},
                text);
}

int link_bad(struct link *l, const char *why, const struct ipc_frame *f)
{
    struct buf text;

    if (l->bad)
        return -ERR_IPC_STATE;
    l->bad = true;
    stream_pause(l->stream);
    buf_init(&text, 512);
    (void)buf_addf(&text, "%s%s%s", f ? ipc_name(f->type) : "", f ? ": " : "", why);
    link_report(l, REPORT_BAD, 0, buf_slice(&text));
    buf_done(&text);
    return -ERR_IPC_STATE;
}

/* --- in --- */

/* Takes all whole frames off the front of *in. */
static int hear(struct link *l, struct slice *in)
{
    struct ipc_frame f;
    int r;

    while ((r = ipc_next(in, IPC_FROM_WORKER, &f, &l->need)) > 0) {
        l->app->edge->stats.frames_in++;
        if (l->ops->frame(l, &f) < 0 || l->bad)
            return -ERR_IPC_STATE;
    }
    return r < 0 ? link_bad(l, "malformed frame", NULL) : 0;
}

/* The beginning of a frame that was kept is put in front of the new bytes when it is small. */
static void hear_in_place(struct link *l, struct span in)
{
    struct slice s;

    if (l->rest.n) {
        in.p -= l->rest.n;
        in.n += l->rest.n;
        memcpy(in.p, l->rest.p, l->rest.n);
        buf_clear(&l->rest);
    }
    s = span_slice(in);
    if (hear(l, &s) == 0)
        (void)buf_add(&l->rest, s);
}

static void hear_gathered(struct link *l, struct span in)
{
    struct slice s;

    (void)buf_add(&l->rest, span_slice(in));
    if (l->need && l->rest.n < l->need)
        return;
    s = buf_slice(&l->rest);
    if (hear(l, &s) == 0)
        buf_consume(&l->rest, l->rest.n - s.n);
    if (l->rest.n == 0)
        buf_done(&l->rest);
}

static void on_data(void *arg, struct span in)
{
    struct link *l = arg;

    l->app->edge->stats.links_read++;
    if (l->rest.n <= LOOP_HEADROOM)
        hear_in_place(l, in);
    else
        hear_gathered(l, in);
}

/* --- the end --- */

static void finish(struct link *l)
{
    struct order *verdict = l->verdict;

    l->verdict = NULL;
    l->ops->gone(l, verdict);
    link_free(l);
    order_free(verdict);
}

/* The process is gone or about to be: the fleet knows which and says so (link_gone). */
static void over(struct link *l)
{
    if (l->ended)
        return;
    l->ended = true;
    if (l->verdict)
        finish(l);
    else
        link_report(l, REPORT_LOST, 0, SLICE_NONE);
}

static void on_ended(void *arg)
{
    over(arg);
}

static void on_lost(void *arg, int err)
{
    over(arg);
}

static void on_last_words_due(struct timer *t)
{
    over(CONTAINER_OF(t, struct link, last_words));
}

void link_gone(struct link *l, struct order *take_verdict)
{
    l->verdict = take_verdict;
    if (l->ended || l->bad)
        finish(l);
    else
        timer_set(l->app->edge->loop, &l->last_words, loop_now(l->app->edge->loop) + LAST_WORDS_MS);
}

static const struct stream_ops facts = {.data = on_data, .ended = on_ended, .lost = on_lost};

struct link *link_new(struct app *a, uint32_t generation, struct stream *take_stream,
                      const struct link_ops *ops)
{
    struct link *l = mem_new(sizeof(*l));

    l->app = a;
    l->ops = ops;
    l->generation = generation;
    l->stream = take_stream;
    l->last_words.due = on_last_words_due;
    l->egress = app_egress(a, NULL);
    buf_init(&l->out, OUT_MAX);
    buf_init(&l->rest, REST_MAX + LOOP_READ);
    list_add_tail(&a->links, &l->in_app);
    stream_attach(take_stream, &facts, l);
    stream_resume(take_stream);
    return l;
}

void link_free(struct link *l)
{
    l->ops->freed(l);
    egress_free(l->egress);
    if (l->app->heir == l)
        l->app->heir = NULL;
    timer_del(l->app->edge->loop, &l->last_words);
    list_del(&l->in_app);
    stream_doom(l->stream);
    map64_done(&l->calls);
    buf_done(&l->out);
    buf_done(&l->rest);
    order_free(l->verdict);
    l->freed = true;
    if (!l->flushing)
        loop_defer(l->app->edge->loop, LOOP_REAP, mem_free, l);
}
