#include "edge/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edge/edge.h"
#include "wire/pulse.h"

enum { LINK_BUFFER = 1 << 20 };

/* --- its links and its page --- */

/* A sealed page: its size cannot change under our feet. */
static int pulse_open(unsigned links, struct pulse **ret)
{
    const int fd = memfd_create("holdfast-pulse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct pulse *p;

    if (fd < 0)
        return -ERR_OS;
    if (ftruncate(fd, PULSE_BYTES) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
        (p = mmap(NULL, PULSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
        (void)close(fd);
        return -ERR_OS;
    }
    p->version = PULSE_VERSION;
    p->links = links;
    *ret = p;
    return fd;
}

struct pipes {
    int ours[PULSE_LINKS];
    int theirs[PULSE_LINKS + 1]; /* the pulse behind the links */
    unsigned n;
};

static void close_all(int *fds, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (void)close(fds[i]);
}

static int pipes_open(struct pipes *p, unsigned links, struct pulse **ret_pulse)
{
    int pair[2], fd;

    for (p->n = 0; p->n < links; p->n++) {
        if (child_socketpair(pair, LINK_BUFFER) < 0)
            break;
        p->ours[p->n] = pair[0];
        p->theirs[p->n] = pair[1];
    }
    fd = p->n == links ? pulse_open(links, ret_pulse) : -ERR_OS;
    if (fd >= 0) {
        p->theirs[links] = fd;
        return 0;
    }
    close_all(p->ours, p->n);
    close_all(p->theirs, p->n);
    return -ERR_OS;
}

/* --- the process --- */

#define NUMBER(text, value) (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(value))

static struct child *run(struct loop *loop, const struct app_config *c, const struct pipes *p,
                         const struct child_ops *ops, void *arg, struct err_note *note)
{
    static const char *const sandbox[] = {"auto", "strict", "off"};
    char links[24], cpu[24], memory[24], idle[24];
    const char *const argv[] = {c->worker_path,
                                "--app",
                                c->name,
                                "--links",
                                links,
                                "--state",
                                c->state_dir,
                                "--sandbox",
                                sandbox[c->sandbox],
                                "--cpu-ms",
                                cpu,
                                "--memory-bytes",
                                memory,
                                "--actor-idle-ms",
                                idle,
                                NULL};
    const struct child_options o = {.argv = argv,
                                    .fds = p->theirs,
                                    .n_fds = p->n + 1,
                                    .stdio = CHILD_INHERIT,
                                    .own_group = true};

    NUMBER(links, p->n);
    NUMBER(cpu, c->limits.cpu_ms);
    NUMBER(memory, c->limits.memory_bytes);
    NUMBER(idle, c->limits.actor_idle_ms);
    return child_open(loop, &o, ops, arg, note);
}

int worker_start(struct worker *w, struct loop *loop, const struct app_config *c, unsigned links,
                 int *ret_links, const struct child_ops *ops, void *arg, struct err_note *note)
{
    struct pipes p;

    if (pipes_open(&p, links, &w->pulse) < 0)
        return err_notef(note, -ERR_OS, "out of descriptors");
    w->child = run(loop, c, &p, ops, arg, note);
    close_all(p.theirs, p.n + 1);
    if (!w->child) {
        close_all(p.ours, p.n);
        return -ERR_OS;
    }
    memcpy(ret_links, p.ours, p.n * sizeof(p.ours[0]));
    return 0;
}

void worker_done(struct worker *w)
{
    child_close(w->child);
    if (w->pulse)
        (void)munmap(w->pulse, PULSE_BYTES);
}

/* --- what its page says --- */

uint64_t worker_event(const struct worker *w)
{
    return atomic_load_explicit(&w->pulse->event, memory_order_relaxed);
}

uint64_t worker_begun(const struct worker *w, unsigned link)
{
    return atomic_load_explicit(&w->pulse->begun[link], memory_order_relaxed);
}

/* A worker ends a turn that is too long by itself (host/limits.h); this is for one that cannot. */
static bool is_turn_stuck(struct worker *w, uint64_t turn, const struct app_limits *l, int64_t now)
{
    const int64_t cpu = child_cpu_ms(child_pid(w->child));

    if (turn != w->turn) {
        w->turn_cpu_ms = cpu;
        w->turn_since_ms = now;
        return false;
    }
    return cpu - w->turn_cpu_ms > (int64_t)l->cpu_ms * 3 / 2 + 250 ||
           now - w->turn_since_ms > (int64_t)l->cpu_ms * 4 + 10000;
}

int worker_excess(struct worker *w, const struct app_limits *l, int64_t now)
{
    const uint64_t turn = atomic_load_explicit(&w->pulse->turn, memory_order_acquire);
    const bool runs = turn & 1, has_run = turn != w->turn || runs;
    const bool is_stuck = runs && is_turn_stuck(w, turn, l, now);

    w->turn = turn;
    if (is_stuck)
        return ERR_WORKER_CPU;
    return has_run && child_memory(child_pid(w->child)) > (int64_t)l->memory_bytes
               ? ERR_WORKER_MEMORY
               : 0;
}
