#include "host/host.h"

#include <assert.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "host/host_int.h"
#include "host/limits.h"
#include "js/native.h"
#include "store/store.h"

enum {
    SETTLE_MAX = 10000,  /* rounds of settle() for one batch; it takes a pause after 1,000 itself */
    TIMERS_MAX = 1000,   /* due timers that one tick runs */
    LEAVE_MS = 5000,     /* how long the gateway may take to read our last words */
    OVERRAN_SECONDS = 1, /* for naming the place of a loop */
    REST_MS = 2000,      /* without an event, then what is not used is collected, */
    REST_BYTES = 8 << 20, /* if there may be so much of it */
    WATCH_EXTRA_DIV = 4,  /* the timer of limits.h comes this part of the limit later */
};

/* --- what natives do (api_ops) --- */

static void flush_later(struct host *h);
static void leave(struct host *h, int exit_code);

static struct endpoint *endpoint_of(struct host *h, uint64_t id)
{
    const uint64_t link = id >> IPC_EDGE_SHIFT;

    return link < h->o->links ? &h->ends[link] : NULL;
}

static struct buf *on_frame_wanted(void *arg, uint64_t id)
{
    struct host *h = arg;
    struct endpoint *e = endpoint_of(h, id);

    flush_later(h);
    return e ? outbox_frame(&e->out, h->actor) : NULL;
}

static void on_ack(void *arg, uint64_t seq)
{
    struct host *h = arg;
    struct endpoint *e = endpoint_of(h, seq);

    h->finished++;
    if (e)
        outbox_ack(&e->out, seq);
}

static void on_event(void *arg, uint64_t seq)
{
    const struct host *h = arg;

    atomic_store_explicit(&h->pulse->event, seq, memory_order_relaxed);
}

static void on_as(void *arg, uint32_t actor)
{
    ((struct host *)arg)->actor = actor;
}

static double on_now(void *arg)
{
    struct timespec t;

    (void)arg;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void on_wake(void *arg, double at_ms)
{
    struct host *h = arg;

    h->wake_at = at_ms;
    if (h->leaving)
        return;
    if (at_ms < 9e15)
        timer_set(h->loop, &h->wake, (int64_t)ceil(at_ms));
    else
        timer_del(h->loop, &h->wake);
}

static void on_idle(void *arg)
{
    ((struct host *)arg)->idle = true;
}

static void on_leave(void *arg, bool failed)
{
    struct host *h = arg;

    h->says_exiting = !failed;
    leave(h, failed ? HOST_EXIT_FAILED : HOST_EXIT_OK);
}

static uint64_t on_open(void *arg)
{
    const struct host *h = arg;

    return h->begun - h->finished;
}

static void on_limit(void *arg, struct slice where);

static void on_watch(void *arg, bool on)
{
    struct host *h = arg;

    js_vm_limit(h->vm, on ? h->o->cpu_ms / 1e3 : 0, on_limit, h);
}

static const struct api_ops api_ops = {
    .frame = on_frame_wanted,
    .ack = on_ack,
    .event = on_event,
    .idle = on_idle,
    .as = on_as,
    .wake = on_wake,
    .watch = on_watch,
    .now = on_now,
    .leave = on_leave,
    .open = on_open,
};

void host__log(struct host *h, unsigned level, const char *text)
{
    const struct ipc_log m = {.level = (uint8_t)level, .text = slice_str(text)};

    (void)ipc_put_log(on_frame_wanted(h, 0), 0, 0, &m);
}

/* --- the end of a batch --- */

static void stop_when_written(struct host *h)
{
    for (unsigned i = 0; i < h->o->links; i++)
        if (!h->ends[i].lost && outbox_pending(&h->ends[i].out))
            return;
    loop_stop(h->loop);
}

static void on_leave_timeout(struct timer *t)
{
    loop_stop(CONTAINER_OF(t, struct host, wake)->loop);
}

/* The process ends when what is written has left. */
static void leave(struct host *h, int exit_code)
{
    if (h->leaving)
        return;
    h->leaving = true;
    h->exit_code = exit_code;
    h->wake.due = on_leave_timeout;
    timer_set(h->loop, &h->wake, loop_now(h->loop) + LEAVE_MS);
    flush_later(h);
}

/* JavaScript flushes what it gathered; it says true while that makes more. */
static void settle(struct host *h)
{
    for (int i = 0; i < SETTLE_MAX && !h->overran; i++) {
        JSValueRef again = host__call(h, &h->hooks.settle);

        if (!again || !JSValueToBoolean(js_cx(h->vm), again))
            return;
    }
}

static void on_commit_failed(void *arg, uint32_t actor, int err, const char *text)
{
    struct host *h = arg;

    (void)err;
    for (unsigned i = 0; i < h->o->links; i++)
        outbox_drop(&h->ends[i].out, actor);
    host__commit_failed(h, actor, text);
}

/* What a batch wrote is durable when this returns, or its actor's frames are dropped. */
static void commit(struct host *h)
{
    if (h->api.store && store_is_dirty(h->api.store))
        (void)store_commit_dirty(h->api.store, on_commit_failed, h);
}

/* The turn that overran is guilty of this whole batch: nothing of it leaves, the gateway delivers
 * its events again. Only the place of the loop is told. */
static void give_up(struct host *h)
{
    api_take_acks(&h->api);
    for (unsigned i = 0; i < h->o->links; i++)
        outbox_discard(&h->ends[i].out);
    js_vm_limit(h->vm, OVERRAN_SECONDS, on_limit, h);
    host__overran(h, h->where ? h->where : "");
    atomic_store_explicit(&h->pulse->event, h->guilty, memory_order_relaxed);
    h->says_exiting = true;
    leave(h, WORKER_EXIT_CPU);
}

/* Once for the newest event of each link: it may have been over in the turn that brought it. */
static void say_idle(struct endpoint *e)
{
    const struct ipc_idle idle = {.last_seq = e->last_seq};

    if (e->said_idle && e->idle_seq == e->last_seq)
        return;
    (void)ipc_put_idle(outbox_frame(&e->out, 0), 0, 0, &idle);
    e->idle_seq = e->last_seq;
    e->said_idle = true;
}

/* Behind the batch and its ACKs, in the same write. */
static void say_last(struct host *h, struct endpoint *e)
{
    const int err = h->overran ? ERR_WORKER_CPU : 0;
    const struct ipc_exiting exiting = {
        .error = (uint16_t)err,
        .text = err ? slice_str(limits_text(err)) : SLICE_NONE,
    };

    if (h->idle)
        say_idle(e);
    if (h->says_exiting && e->link == 0)
        (void)ipc_put_exiting(outbox_frame(&e->out, 0), 0, 0, &exiting);
    outbox_release(&e->out);
}

static void write_batch(struct host *h)
{
    api_take_acks(&h->api);
    for (unsigned i = 0; i < h->o->links; i++) {
        outbox_release(&h->ends[i].out);
        if (h->idle || h->says_exiting)
            say_last(h, &h->ends[i]);
        endpoint_flush(&h->ends[i]);
    }
    h->idle = false;
    h->says_exiting = false;
}

/*
 * The engine collects as it allocates: what it allocated last stays when nothing happens any more,
 * for as long as clients do, and that is most of what a burst of new connections took. So it is
 * given back when there was a pause. A collection takes some milliseconds for each ten megabytes.
 */
static void on_rest(struct timer *t)
{
    struct host *h = CONTAINER_OF(t, struct host, rest);
    const int64_t over = h->busy_ms + REST_MS;

    if (loop_now(h->loop) < over) {
        timer_set(h->loop, t, over);
        return;
    }
    if (h->leaving || limits_memory() < h->collected + REST_BYTES)
        return;
    js_vm_collect(h->vm);
    js_morgue_empty(h->vm);
    (void)malloc_trim(0);
    h->collected = limits_memory();
}

static void on_flush(void *arg)
{
    struct host *h = arg;

    h->flushing = false;
    if (!h->vm)
        return; /* the loop runs what is due before it goes */
    if (!h->leaving && !h->overran)
        settle(h);
    if (h->overran && !h->leaving)
        give_up(h);
    else if (!h->overran)
        commit(h);
    write_batch(h);
    js_morgue_empty(h->vm);
    if (h->leaving)
        stop_when_written(h);
}

/* The batch's effects leave in this tick. */
static void flush_later(struct host *h)
{
    if (h->flushing)
        return;
    h->flushing = true;
    loop_defer(h->loop, LOOP_FLUSH, on_flush, h);
}

/* The engine ended a turn. A second time it was the naming itself, with what the application left
 * in the microtask queue. */
static void on_limit(void *arg, struct slice where)
{
    struct host *h = arg;

    if (h->overran)
        limits_exit(ERR_WORKER_CPU);
    mem_free(h->where);
    h->where = slice_dup(where);
}

/* --- the links --- */

static void on_frame(struct endpoint *e, const struct ipc_frame *frame)
{
    struct host *h = e->arg;

    if (h->leaving || h->overran)
        return;
    if (host__turn(h, e, frame) < 0)
        e->ops->lost(e, -ERR_IPC_FRAME);
}

static void on_batch(struct endpoint *e)
{
    struct host *h = e->arg;

    flush_later(h);
    h->busy_ms = loop_now(h->loop);
    if (!heap_is_set(&h->rest.node))
        timer_set(h->loop, &h->rest, h->busy_ms + REST_MS);
}

/* Without its gateway a worker has nobody to work for; what was not acknowledged is delivered again
 * by a new gateway's clients. */
static void on_lost(struct endpoint *e, int err)
{
    struct host *h = e->arg;

    if (err == -ERR_IPC_FRAME)
        fprintf(stderr, "holdfast-worker: malformed frame on link %u\n", e->link);
    if (!h->leaving)
        h->exit_code = err == -ERR_IPC_FRAME ? HOST_EXIT_FAILED : HOST_EXIT_OK;
    h->leaving = true;
    loop_stop(h->loop);
}

static const struct endpoint_ops endpoint_ops = {
    .frame = on_frame,
    .batch = on_batch,
    .lost = on_lost,
};

/* --- timers --- */

/* One turn a due timer; hooks.timer() asks for the next wake-up itself. */
static void on_timer(struct timer *t)
{
    struct host *h = CONTAINER_OF(t, struct host, wake);

    for (int i = 0; i < TIMERS_MAX && !h->leaving && !h->overran; i++) {
        if (h->wake_at > on_now(h))
            break;
        h->wake_at = INFINITY;
        (void)host__call(h, &h->hooks.timer);
    }
    flush_later(h);
}

/* --- life --- */

static int map_pulse(struct host *h, struct err_note *note)
{
    const int fd = h->o->first_fd + (int)h->o->links;
    void *page = mmap(NULL, PULSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return err_notef(note, -ERR_OS, "cannot map the pulse page (fd %d): %m", fd);
    (void)close(fd);
    h->pulse = page;
    if (h->pulse->version != PULSE_VERSION)
        return err_notef(note, -ERR_OS, "the pulse page has version %u, expected %d",
                         h->pulse->version, PULSE_VERSION);
    return 0;
}

/* The engine reads its options once, when it starts. */
static void set_engine_options(const struct host_options *o)
{
    char ram[64];

    /* It collects earlier when it believes to own less memory. */
    snprintf(ram, sizeof(ram), "%llu", (unsigned long long)o->memory_bytes);
    if (o->memory_bytes)
        setenv("JSC_forceRAMSize", ram, 1);
    /* Its last compiler spends milliseconds on each function of ours to make it a little faster
     * than the one before: worth it after 66,000 calls (or a million loops), not after 4,000. */
    setenv("JSC_thresholdForFTLOptimizeAfterWarmUp", "1000000", 1);
}

static int start_limits(struct host *h, struct err_note *note)
{
    const uint32_t cpu = h->o->cpu_ms;

    return limits_start(&(struct limits){.pulse = h->pulse,
                                         .fd = h->o->first_fd,
                                         .turn_cpu_ms = cpu,
                                         .grace_ms = cpu / WATCH_EXTRA_DIV,
                                         .memory_bytes = h->o->memory_bytes},
                        note);
}

static int open_links(struct host *h, struct err_note *note)
{
    h->loop = loop_new();
    if (!h->loop)
        return err_notef(note, -ERR_OS, "cannot make a loop: %m");
    h->wake.due = on_timer;
    h->rest.due = on_rest;
    for (unsigned i = 0; i < h->o->links; i++)
        if (endpoint_open(&h->ends[i], h->loop, h->o->first_fd + (int)i, i, &endpoint_ops, h) < 0)
            return err_notef(note, -ERR_OS, "cannot watch link %u: %m", i);
    return 0;
}

static int start_engine(struct host *h, struct err_note *note)
{
    const struct api_facts facts = {h->o->links, h->o->state_dir};
    struct js_error err = {0};
    int r;

    h->vm = js_vm_new();
    r = api_init(&h->api, h->vm, &api_ops, h, &facts, &h->hooks, &err);
    if (r < 0)
        err_notef(note, r, "the platform's own script failed: %.200s %.200s",
                  err.message ? err.message : "", err.stack ? err.stack : "");
    js_error_done(&err);
    return r;
}

static int set_up(struct host *h, struct err_note *note)
{
    struct sandbox_gaps gaps = {0};
    int r;

    set_engine_options(h->o);
    if ((r = map_pulse(h, note)) < 0 || (r = open_links(h, note)) < 0 ||
        (r = start_limits(h, note)) < 0 ||
        (r = sandbox_enter(h->o->sandbox, h->o->state_dir, &gaps, note)) < 0 ||
        (r = start_engine(h, note)) < 0 || (r = sandbox_seal(h->o->sandbox, &gaps, note)) < 0)
        return r;
    if (gaps.text[0])
        host__log(h, LOG_WARN, gaps.text);
    if (h->o->cpu_ms)
        on_watch(h, true); /* module evaluation; JavaScript turns it off for production */
    return 0;
}

/* Why the worker cannot run: to the gateway when a link works, else to the terminal. */
static void tell(struct host *h, const struct err_note *note)
{
    const struct ipc_failed m = {.text = slice_str(note->text)};

    if (!h->loop || !h->ends[0].loop) {
        fprintf(stderr, "holdfast-worker: %s\n", note->text);
        return;
    }
    (void)ipc_put_failed(outbox_frame(&h->ends[0].out, 0), 0, 0, &m);
    outbox_release(&h->ends[0].out);
    endpoint_flush(&h->ends[0]);
}

static void tear_down(struct host *h)
{
    limits_stop();
    if (h->vm)
        api_done(&h->api, &h->hooks);
    js_vm_free(h->vm);
    h->vm = NULL;
    for (unsigned i = 0; i < h->o->links; i++)
        endpoint_close(&h->ends[i]);
    if (h->loop)
        timer_del(h->loop, &h->wake);
    if (h->loop)
        timer_del(h->loop, &h->rest);
    loop_free(h->loop);
    if (h->pulse)
        (void)munmap(h->pulse, PULSE_BYTES);
    mem_free(h->restores);
    mem_free(h->where);
}

int host_run(const struct host_options *o)
{
    struct host *h = mem_new(sizeof(*h));
    struct err_note note = {0};
    int exit_code = HOST_EXIT_FAILED;

    assert(o->links >= 1 && o->links <= PULSE_LINKS);
    h->o = o;
    if (set_up(h, &note) < 0) {
        tell(h, &note);
    } else {
        loop_run(h->loop);
        exit_code = h->exit_code;
    }
    tear_down(h);
    mem_free(h);
    return exit_code;
}
