#include "edge/fleet.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edge/edge_int.h"
#include "edge/settings.h"
#include "edge/worker.h"
#include "wire/pulse.h"

enum {
    WATCH_MS = 100,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MAX_MS = 10000,
    GIVE_UP_STARTS = 3,   /* failed starts in a row, then requests are answered with it */
    QUICK_MS = 2000,      /* a process that dies within it delays the next one */
    LEAVE_MS = 2000,      /* a process that said it leaves, or closed its link, has this long */
    LAST_WORDS_MS = 1000, /* until what a dead process wrote is read */
    TEXT_MAX = 64 << 10,
};

enum unit_state { UNIT_STARTING, UNIT_READY, UNIT_SERVING, UNIT_DRAINING };

/* One process. */
struct unit {
    struct list in_crew;
    struct crew *crew;
    uint32_t generation;
    enum unit_state state;
    struct worker worker;
    int64_t started_ms;
    struct timer deadline; /* to be ready, or to be gone */
    int why;               /* row of errors.def, when we know it before its death */
    bool said_failed;
    bool late;         /* was killed because it did not leave in time */
    bool heard;        /* edge 0 has read all that it wrote */
    bool exited;       /* its process is gone; it is buried when it was heard, too */
    int status;        /* of the exit */
    struct blob *text; /* its last words */
};

/* All processes of one application. */
struct crew {
    struct fleet *fleet;
    unsigned app;
    struct settings *settings;
    struct blob *start; /* the START frame */
    struct list units;
    struct unit *serving;
    struct unit *next; /* STARTING or READY */
    uint32_t generation;
    uint64_t idle_edges; /* bits */
    struct timer idle;
    struct timer retry;
    unsigned failures; /* starts and quick deaths in a row */
    bool wanted;       /* an event waits */
    bool broken;       /* do not start: the code cannot run */
    bool gave_up;      /* the edges were told a text until the next try */
    struct fleet_view view;
};

struct fleet {
    struct edge *edge;
    struct crew *crews;
    size_t n;
    struct timer watch;
    unsigned alive;
    bool stopping;
};

static struct log *log_of(struct crew *c)
{
    return &c->fleet->edge->log;
}

static struct loop *loop_of(const struct crew *c)
{
    return c->fleet->edge->loop;
}

static int64_t now(const struct crew *c)
{
    return loop_now(loop_of(c));
}

static struct slice name_of(const struct crew *c)
{
    return slice_str(c->settings->config.name);
}

static void order_all(struct crew *c, struct order o, struct slice text)
{
    struct edge *e = c->fleet->edge;

    o.app = c->app;
    for (unsigned i = 0; i < e->count; i++)
        edge_order(e->siblings[i], o, text);
}

static void show(struct crew *c)
{
    const struct unit *u = c->serving ? c->serving : c->next;

    c->view.state = c->serving ? FLEET_RUNNING : u ? FLEET_STARTING : FLEET_ASLEEP;
    c->view.pid = u ? child_pid(u->worker.child) : 0;
    c->view.since_ms = u ? u->started_ms : 0;
}

const struct fleet_view *fleet_view(const struct fleet *f, unsigned app)
{
    return &f->crews[app].view;
}

unsigned fleet_alive(const struct fleet *f)
{
    return f->alive;
}

/* --- starting a process --- */

static void on_exited(void *arg, int status);
static const struct child_ops child_facts = {.exited = on_exited};

static void unit_free(struct unit *u)
{
    struct crew *c = u->crew;

    if (c->serving == u)
        c->serving = NULL;
    if (c->next == u)
        c->next = NULL;
    list_del(&u->in_crew);
    timer_del(loop_of(c), &u->deadline);
    worker_done(&u->worker);
    blob_unref(u->text);
    mem_free(u);
}

static void on_deadline(struct timer *t);

static void start_watch(struct fleet *f)
{
    if (!heap_is_set(&f->watch.node))
        timer_set(f->edge->loop, &f->watch, loop_now(f->edge->loop) + WATCH_MS);
}

/* Its links, one for each edge. */
static void hand_out(struct unit *u, const int *links)
{
    struct edge *e = u->crew->fleet->edge;

    for (unsigned i = 0; i < e->count; i++) {
        const struct order o = {.kind = ORDER_OPEN,
                                .app = u->crew->app,
                                .generation = u->generation,
                                .fd = loop_give(e->siblings[i]->loop, links[i])};

        edge_order(e->siblings[i], o, i == 0 ? blob_slice(u->crew->start) : SLICE_NONE);
    }
}

static void start_failed(struct crew *c, struct slice text);

static void spawn(struct crew *c)
{
    struct unit *u = mem_new(sizeof(*u));
    struct err_note note = {0};
    int links[PULSE_LINKS];

    u->crew = c;
    u->generation = ++c->generation;
    u->started_ms = now(c);
    u->deadline.due = on_deadline;
    list_add_tail(&c->units, &u->in_crew);
    if (worker_start(&u->worker, loop_of(c), &c->settings->config, c->fleet->edge->count, links,
                     &child_facts, u, &note) < 0) {
        unit_free(u);
        start_failed(c, slice_str(note.text));
        return;
    }
    c->next = u;
    c->fleet->alive++;
    c->fleet->edge->stats.workers_started++;
    atomic_fetch_add(&c->view.starts, 1);
    hand_out(u, links);
    timer_set(loop_of(c), &u->deadline, now(c) + c->settings->config.limits.ready_ms);
    start_watch(c->fleet);
    log_event(log_of(c), LOG_INFO, "worker.start", F_TEXT("app", name_of(c)),
              F_UINT("generation", u->generation),
              F_UINT("pid", (unsigned)child_pid(u->worker.child)));
    show(c);
}

/* --- when to start --- */

static void wake(struct crew *c)
{
    if (c->next || c->serving || c->broken || c->fleet->stopping || !c->start ||
        heap_is_set(&c->retry.node))
        return;
    spawn(c);
}

static void on_retry(struct timer *t)
{
    struct crew *c = CONTAINER_OF(t, struct crew, retry);

    if (c->gave_up) {
        c->gave_up = false;
        order_all(c, (struct order){.kind = ORDER_BROKEN}, SLICE_NONE);
    }
    if (c->wanted)
        wake(c);
}

static void back_off(struct crew *c)
{
    const unsigned doublings = MIN(c->failures, 8u);

    c->failures++;
    timer_set(loop_of(c), &c->retry,
              now(c) + MIN(BACKOFF_FIRST_MS << doublings, (int)BACKOFF_MAX_MS));
}

static void tell_failed(struct crew *c, struct slice text)
{
    struct edge *e = c->fleet->edge;

    log_event(log_of(c), LOG_ERROR, "worker.failed", F_TEXT("app", name_of(c)),
              F_TEXT("why", text));
    if (e->ops && e->ops->app_failed)
        e->ops->app_failed(e->arg, c->settings->config.name, text);
}

/* It could not even be started, or died before it was ready: again, later and later. Requests wait
 * for the first few tries. */
static void start_failed(struct crew *c, struct slice text)
{
    tell_failed(c, text);
    back_off(c);
    if (c->failures >= GIVE_UP_STARTS && !c->serving && !c->gave_up) {
        c->gave_up = true;
        order_all(c, (struct order){.kind = ORDER_BROKEN}, text);
    }
    show(c);
}

/* The code itself cannot run: starting it again would not help. In dev its error is what people
 * need to see; otherwise the generation before it goes on. */
static void drain(struct unit *u, uint32_t ms);

static void code_failed(struct crew *c, struct slice text)
{
    tell_failed(c, text);
    if (c->serving && !c->settings->config.dev)
        return;
    c->broken = true;
    order_all(c, (struct order){.kind = ORDER_BROKEN}, text);
    if (c->serving)
        drain(c->serving, c->settings->config.limits.drain_ms);
}

/* --- ready, serving, draining --- */

static void leave_within(struct unit *u, int64_t ms)
{
    timer_set(loop_of(u->crew), &u->deadline, now(u->crew) + ms);
}

static void drain(struct unit *u, uint32_t ms)
{
    struct crew *c = u->crew;

    if (c->serving == u)
        c->serving = NULL;
    if (c->next == u)
        c->next = NULL;
    u->state = UNIT_DRAINING;
    order_all(c, (struct order){.kind = ORDER_DRAIN, .generation = u->generation, .ms = ms},
              SLICE_NONE);
    leave_within(u, (int64_t)ms + LEAVE_MS);
    log_event(log_of(c), LOG_INFO, "worker.drain", F_TEXT("app", name_of(c)),
              F_UINT("generation", u->generation), F_UINT("within_ms", ms));
    show(c);
}

static void serve(struct unit *u)
{
    struct crew *c = u->crew;

    u->state = UNIT_SERVING;
    c->serving = u;
    c->next = NULL;
    c->wanted = false;
    c->idle_edges = 0;
    order_all(c, (struct order){.kind = ORDER_SERVE, .generation = u->generation}, SLICE_NONE);
    show(c);
}

/* The next generation takes over when every older one is gone. */
static void promote(struct crew *c)
{
    if (c->next && c->next->state == UNIT_READY && c->units.next == c->units.prev)
        serve(c->next);
}

static void on_ready(struct unit *u)
{
    struct crew *c = u->crew;
    struct edge *e = c->fleet->edge;

    if (u->state != UNIT_STARTING)
        return;
    u->state = UNIT_READY;
    timer_del(loop_of(c), &u->deadline);
    log_event(log_of(c), LOG_INFO, "worker.ready", F_TEXT("app", name_of(c)),
              F_UINT("generation", u->generation), F_MS("took_ms", now(c) - u->started_ms));
    if (c->serving)
        drain(c->serving, c->settings->config.limits.drain_ms);
    promote(c);
    if (e->ops && e->ops->app_ready)
        e->ops->app_ready(e->arg, c->settings->config.name);
}

static void on_idle_due(struct timer *t)
{
    struct crew *c = CONTAINER_OF(t, struct crew, idle);

    if (c->serving && !c->next)
        drain(c->serving, c->settings->config.limits.drain_ms);
}

static void on_idle(struct crew *c, const struct report *r)
{
    const uint64_t all =
        c->fleet->edge->count >= 64 ? UINT64_MAX : (1ull << c->fleet->edge->count) - 1;

    if (r->idle)
        c->idle_edges |= 1ull << r->edge;
    else
        c->idle_edges &= ~(1ull << r->edge);
    if (c->serving && c->serving->generation == r->generation && c->idle_edges == all)
        timer_set(loop_of(c), &c->idle, now(c) + c->settings->config.limits.process_idle_ms);
    else
        timer_del(loop_of(c), &c->idle);
}

/* --- the end of a process --- */

static void kill_for(struct unit *u, int why)
{
    if (!u->why)
        u->why = why;
    child_signal(u->worker.child, SIGKILL);
}

static void bury(struct unit *u);

static void on_deadline(struct timer *t)
{
    struct unit *u = CONTAINER_OF(t, struct unit, deadline);
    struct crew *c = u->crew;

    if (u->exited) {
        bury(u);
        return;
    }
    if (u->state == UNIT_STARTING && !u->text)
        u->text = blob_copy(SLICE("the evaluation of the module did not end in time"));
    log_event(log_of(c), LOG_WARN, "worker.late", F_TEXT("app", name_of(c)),
              F_UINT("generation", u->generation),
              F_NAME("to", u->state == UNIT_STARTING ? "be ready" : "leave"));
    u->late = true;
    child_signal(u->worker.child, SIGKILL);
}

static bool was_killed_from_outside(const struct unit *u, int status)
{
    return !u->why && !u->late && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* Why it ended: what we or it said before, else what the status shows. */
static int why_of(const struct unit *u, int status)
{
    if (u->why)
        return u->why;
    if (u->late && u->state == UNIT_DRAINING)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && u->state == UNIT_DRAINING)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_CPU)
        return ERR_WORKER_CPU;
    if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_EXIT_MEMORY)
        return ERR_WORKER_MEMORY;
    return ERR_WORKER_CRASH;
}

static void count(struct crew *c, int why)
{
    struct edge_stats *s = &c->fleet->edge->stats;

    if (why == 0)
        s->workers_drained++;
    else if (why == ERR_WORKER_CPU)
        s->workers_cpu++;
    else if (why == ERR_WORKER_MEMORY)
        s->workers_memory++;
    else if (why == ERR_IPC_STATE)
        s->workers_hostile++;
    else
        s->workers_crashed++;
}

static void log_exit(struct unit *u, int status, int why, uint64_t guilty)
{
    struct crew *c = u->crew;
    char text[64];
    struct log_field fields[8] = {
        F_TEXT("app", name_of(c)),
        F_UINT("generation", u->generation),
        F_NAME("status", child_status_text(status, text)),
        F_NAME("why", u->said_failed ? "its code cannot run"
                      : why          ? err_text(why)
                                     : "it was told to"),
        F_MS("lived_ms", now(c) - u->started_ms),
    };
    size_t n = 5;

    if (guilty)
        fields[n++] = F_HEX("guilty_event", guilty);
    if (u->text && !u->said_failed)
        fields[n++] = F_TEXT("text", blob_slice(u->text));
    log_write(log_of(c), why ? LOG_WARN : LOG_INFO, "worker.exit", fields);
    if (why == ERR_WORKER_MEMORY)
        log_event(log_of(c), LOG_ERROR, "worker.memory", F_TEXT("app", name_of(c)),
                  F_UINT("limit_bytes", c->settings->config.limits.memory_bytes));
    if (why == ERR_WORKER_CPU)
        log_event(log_of(c), LOG_ERROR, "worker.cpu", F_TEXT("app", name_of(c)),
                  F_UINT("limit_ms", c->settings->config.limits.cpu_ms));
}

static void tell_gone(struct unit *u, int why, bool by_itself, uint64_t guilty)
{
    struct edge *e = u->crew->fleet->edge;

    for (unsigned i = 0; i < e->count; i++) {
        const struct order o = {
            .kind = ORDER_GONE,
            .app = u->crew->app,
            .generation = u->generation,
            .why = why,
            .by_itself = by_itself,
            .guilty = guilty,
            .begun = worker_begun(&u->worker, i),
        };

        edge_order(e->siblings[i], o, SLICE_NONE);
    }
}

/* Died before it was ready: a text for people. */
static void died_early(struct unit *u, int status)
{
    struct crew *c = u->crew;
    char text[64];
    struct buf b;

    if (u->said_failed)
        return;
    buf_init(&b, TEXT_MAX);
    (void)buf_addf(&b, "the worker ended before it was ready: it %s",
                   child_status_text(status, text));
    if (u->text) {
        (void)buf_add(&b, SLICE(": "));
        (void)buf_add(&b, blob_slice(u->text));
    }
    start_failed(c, buf_slice(&b));
    buf_done(&b);
}

/* The process is gone and its last words were heard: what is to be made of it. */
static void bury(struct unit *u)
{
    struct crew *c = u->crew;
    const int status = u->status;
    const int why = why_of(u, status);
    const bool by_itself = why && !was_killed_from_outside(u, status);
    const uint64_t guilty = by_itself ? worker_event(&u->worker) : 0;
    const bool early = u->state == UNIT_STARTING;
    const bool quick = by_itself && now(c) - u->started_ms < QUICK_MS;

    c->fleet->alive--;
    count(c, why);
    log_exit(u, status, why, guilty);
    tell_gone(u, why, by_itself, guilty);
    if (c->serving == u)
        timer_del(loop_of(c), &c->idle);
    if (early && c->next == u) {
        c->next = NULL;
        died_early(u, status);
    } else if (quick) {
        back_off(c);
    } else if (!early) {
        c->failures = 0;
    }
    unit_free(u);
    promote(c);
    show(c);
}

static void on_exited(void *arg, int status)
{
    struct unit *u = arg;

    u->exited = true;
    u->status = status;
    if (u->heard)
        bury(u);
    else
        leave_within(u, LAST_WORDS_MS);
}

static void on_heard(struct unit *u)
{
    u->heard = true;
    if (u->exited)
        bury(u);
    else if (u->state != UNIT_DRAINING)
        leave_within(u, LEAVE_MS);
}

/* --- the watchdog --- */

static void watch_unit(struct unit *u)
{
    const int why =
        u->exited ? 0 : worker_excess(&u->worker, settings_limits(u->crew->settings), now(u->crew));

    if (why)
        kill_for(u, why);
}

static void on_watch(struct timer *t)
{
    struct fleet *f = CONTAINER_OF(t, struct fleet, watch);
    struct list *it, *tmp;

    for (size_t i = 0; i < f->n; i++)
        LIST_EACH (&f->crews[i].units, it, tmp)
            watch_unit(LIST_ITEM(it, struct unit, in_crew));
    if (f->alive)
        start_watch(f);
}

/* --- reports --- */

static struct unit *find_unit(struct crew *c, uint32_t generation)
{
    struct list *it, *tmp;

    LIST_EACH (&c->units, it, tmp)
        if (LIST_ITEM(it, struct unit, in_crew)->generation == generation)
            return LIST_ITEM(it, struct unit, in_crew);
    return NULL;
}

static void keep_text(struct unit *u, struct slice text)
{
    blob_unref(u->text);
    u->text = text.n ? blob_copy(slice_sub(text, 0, TEXT_MAX)) : NULL;
}

static void on_failed(struct unit *u, struct slice text)
{
    struct crew *c = u->crew;

    u->said_failed = true;
    keep_text(u, text);
    leave_within(u, LEAVE_MS);
    if (c->next == u) {
        c->next = NULL;
        code_failed(c, text);
        show(c);
    }
}

static void on_exiting(struct unit *u, int why, struct slice text)
{
    if (!u->why)
        u->why = why;
    keep_text(u, text);
    leave_within(u, LEAVE_MS);
}

static void on_bad(struct unit *u, struct slice text)
{
    log_event(log_of(u->crew), LOG_ERROR, "worker.hostile", F_TEXT("app", name_of(u->crew)),
              F_UINT("generation", u->generation), F_TEXT("why", text));
    keep_text(u, text);
    kill_for(u, ERR_IPC_STATE);
    u->heard = true; /* nobody listens any more */
    if (u->exited)
        bury(u);
}

void fleet_hear(struct fleet *f, const struct report *r)
{
    struct crew *c = &f->crews[r->app];
    struct unit *u = find_unit(c, r->generation);
    const struct slice text = span_slice(r->text);

    switch (r->kind) {
    case REPORT_WAKE:
        c->wanted = true;
        wake(c);
        break;
    case REPORT_IDLE:
        on_idle(c, r);
        break;
    case REPORT_READY:
        if (u)
            on_ready(u);
        break;
    case REPORT_FAILED:
        if (u)
            on_failed(u, text);
        break;
    case REPORT_EXITING:
        if (u)
            on_exiting(u, r->why, text);
        break;
    case REPORT_BAD:
        if (u)
            on_bad(u, text);
        break;
    case REPORT_LOST:
        if (u && r->edge == 0)
            on_heard(u);
        break;
    case REPORT_KILL:
        if (c->serving)
            child_signal(c->serving->worker.child, SIGKILL);
        break;
    case REPORT_STOPPED:
        break;
    }
}

/* --- configuration --- */

/* START, made once for all processes of this code. NULL: the application has no code. */
static struct blob *start_frame(const struct app_config *c)
{
    const struct ipc_start m = {.config = c->config, .map = c->map, .script = c->script};
    struct blob *frame = NULL;
    struct buf b;

    if (c->script.n == 0)
        return NULL;
    buf_init(&b, (size_t)IPC_PAYLOAD_MAX + IPC_HEADER);
    if (ipc_put_start(&b, 0, 0, &m) == 0)
        frame = blob_copy(buf_slice(&b));
    buf_done(&b);
    return frame;
}

static void configure(struct crew *c, const struct app_config *config)
{
    settings_free(c->settings);
    blob_unref(c->start);
    c->settings = settings_new(config);
    c->start = start_frame(config);
}

static bool has_alarms(const struct crew *c)
{
    char path[4096];
    const char *dir = c->settings->config.state_dir;

    return dir && (size_t)snprintf(path, sizeof(path), "%s/alarms.sqlite", dir) < sizeof(path) &&
           access(path, F_OK) == 0;
}

struct fleet *fleet_new(struct edge *edge0, const struct app_config *apps, size_t n)
{
    struct fleet *f = mem_new(sizeof(*f));

    f->edge = edge0;
    f->watch.due = on_watch;
    f->crews = mem_new(n * sizeof(f->crews[0]));
    f->n = n;
    for (size_t i = 0; i < n; i++) {
        struct crew *c = &f->crews[i];

        c->fleet = f;
        c->app = (unsigned)i;
        list_init(&c->units);
        c->idle.due = on_idle_due;
        c->retry.due = on_retry;
        configure(c, &apps[i]);
    }
    return f;
}

void fleet_begin(struct fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->crews[i].settings->config.eager || has_alarms(&f->crews[i]))
            wake(&f->crews[i]);
}

void fleet_free(struct fleet *f)
{
    if (!f)
        return;
    timer_del(f->edge->loop, &f->watch);
    for (size_t i = 0; i < f->n; i++) {
        struct crew *c = &f->crews[i];

        while (!list_empty(&c->units))
            unit_free(LIST_ITEM(c->units.next, struct unit, in_crew));
        timer_del(f->edge->loop, &c->idle);
        timer_del(f->edge->loop, &c->retry);
        settings_free(c->settings);
        blob_unref(c->start);
    }
    mem_free(f->crews);
    mem_free(f);
}

/* A generation that is not ready yet is of no use any more. */
static void discard_next(struct crew *c)
{
    struct unit *u = c->next;

    if (!u)
        return;
    c->next = NULL;
    u->said_failed = true;
    child_signal(u->worker.child, SIGKILL);
}

static void forget_failures(struct crew *c)
{
    const bool told = c->broken || c->gave_up;

    c->broken = c->gave_up = false;
    c->failures = 0;
    timer_del(loop_of(c), &c->retry);
    if (told)
        order_all(c, (struct order){.kind = ORDER_BROKEN}, SLICE_NONE);
}

void fleet_reload(struct fleet *f, unsigned app, const struct app_config *config)
{
    struct crew *c = &f->crews[app];

    configure(c, config);
    for (unsigned i = 0; i < f->edge->count; i++)
        edge_order(
            f->edge->siblings[i],
            (struct order){.kind = ORDER_SETTINGS, .app = app, .settings = settings_new(config)},
            SLICE_NONE);
    discard_next(c);
    forget_failures(c);
    if (!f->stopping && c->start)
        spawn(c);
}

static void stop_crew(struct crew *c, bool at_once)
{
    struct list *it, *tmp;

    timer_del(loop_of(c), &c->idle);
    timer_del(loop_of(c), &c->retry);
    LIST_EACH (&c->units, it, tmp) {
        struct unit *u = LIST_ITEM(it, struct unit, in_crew);

        if (at_once)
            child_signal(u->worker.child, SIGKILL);
        else if (u->state != UNIT_DRAINING)
            drain(u, c->settings->config.limits.drain_ms);
    }
}

void fleet_stop(struct fleet *f, bool at_once)
{
    f->stopping = true;
    for (size_t i = 0; i < f->n; i++)
        stop_crew(&f->crews[i], at_once);
}
