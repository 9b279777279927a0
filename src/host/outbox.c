#include "host/outbox.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/err.h"
#include "wire/ipc.h"

/* A buffer that grew beyond this is given back when it is empty. */
enum { KEEP = 1 << 20 };

void outbox_init(struct outbox *o)
{
    *o = (struct outbox){0};
    buf_init(&o->frames, OUTBOX_BATCH_MAX);
    buf_init(&o->queue, SIZE_MAX / 2);
}

void outbox_done(struct outbox *o)
{
    buf_done(&o->frames);
    buf_done(&o->queue);
    mem_free(o->runs);
    mem_free(o->acks);
    *o = (struct outbox){0};
}

/* Room for one more item of an array with n of them. */
static void *room(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = MAX(*cap * 2, 64);
    return mem_grow(p, *cap * size);
}

struct buf *outbox_frame(struct outbox *o, uint32_t actor)
{
    if (o->n_runs == 0 || o->runs[o->n_runs - 1].actor != actor) {
        o->runs = room(o->runs, o->n_runs, &o->cap_runs, sizeof(*o->runs));
        o->runs[o->n_runs++] = (struct outbox_run){actor, o->frames.n};
    }
    return &o->frames;
}

void outbox_ack(struct outbox *o, uint64_t seq)
{
    o->acks = room(o->acks, o->n_acks, &o->cap_acks, sizeof(*o->acks));
    o->acks[o->n_acks++] = seq;
}

static size_t run_end(const struct outbox *o, size_t i)
{
    return i + 1 < o->n_runs ? o->runs[i + 1].begin : o->frames.n;
}

void outbox_drop(struct outbox *o, uint32_t actor)
{
    size_t kept_runs = 0;
    size_t kept = 0;

    for (size_t i = 0; i < o->n_runs; i++) {
        const struct outbox_run run = o->runs[i];
        const size_t n = run_end(o, i) - run.begin;

        if (run.actor == actor)
            continue;
        memmove(o->frames.p + kept, o->frames.p + run.begin, n);
        o->runs[kept_runs++] = (struct outbox_run){run.actor, kept};
        kept += n;
    }
    o->n_runs = kept_runs;
    if (o->frames.n)
        o->frames.n = kept;
}

/* Pairs of u64 (first, count); events mostly finish in the order in which they came. */
static void put_acks(struct outbox *o)
{
    struct buf ranges;
    uint64_t range[2] = {o->acks[0], 0};

    buf_init(&ranges, o->n_acks * sizeof(range));
    for (size_t i = 0; i < o->n_acks; i++) {
        if (o->acks[i] != range[0] + range[1]) {
            (void)buf_add(&ranges, slice_make(range, sizeof(range)));
            range[0] = o->acks[i];
            range[1] = 0;
        }
        range[1]++;
    }
    (void)buf_add(&ranges, slice_make(range, sizeof(range)));
    (void)ipc_put_ack(&o->queue, 0, 0, &(struct ipc_ack){.ranges = buf_slice(&ranges)});
    buf_done(&ranges);
    o->n_acks = 0;
}

static void empty(struct buf *b)
{
    const size_t max = b->max;

    if (b->cap <= KEEP) {
        buf_clear(b);
        return;
    }
    buf_done(b);
    buf_init(b, max);
}

/* The usual case: nothing waits, and the two buffers change places. */
static void swap_buffers(struct outbox *o)
{
    struct buf queue = o->frames;

    queue.max = o->queue.max;
    o->queue.max = o->frames.max;
    o->frames = o->queue;
    o->queue = queue;
    o->sent = 0;
}

void outbox_discard(struct outbox *o)
{
    buf_clear(&o->frames);
    o->n_runs = 0;
    o->n_acks = 0;
}

void outbox_release(struct outbox *o)
{
    if (outbox_pending(o) == 0) {
        swap_buffers(o);
    } else {
        buf_consume(&o->queue, o->sent);
        o->sent = 0;
        (void)buf_add(&o->queue, buf_slice(&o->frames));
    }
    empty(&o->frames);
    o->n_runs = 0;
    if (o->n_acks)
        put_acks(o);
}

size_t outbox_pending(const struct outbox *o)
{
    return o->queue.n - o->sent;
}

int64_t outbox_write(struct outbox *o, int fd)
{
    while (o->sent < o->queue.n) {
        const ssize_t n = send(fd, o->queue.p + o->sent, o->queue.n - o->sent, MSG_NOSIGNAL);

        if (n > 0)
            o->sent += (size_t)n;
        else if (errno == EAGAIN)
            return (int64_t)outbox_pending(o);
        else if (errno != EINTR)
            return -ERR_RESET;
    }
    empty(&o->queue);
    o->sent = 0;
    return 0;
}
