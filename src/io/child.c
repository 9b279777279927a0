#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/io_int.h"

extern char **environ;

enum {
    FIRST_FD = 3,
    READS = 4,        /* of captured output, a tick */
    LAST_READS = 256, /* more than a pipe holds */
};

/* One captured output. */
struct pipe_end {
    struct watch watch;
    struct child *child;
    bool is_posted;
};

struct child {
    struct watch watch; /* of the pidfd: readable when the process has ended */
    struct loop *loop;
    const struct child_ops *ops;
    void *arg;
    pid_t pid; /* 0: reaped */
    int status;
    bool is_released; /* the owner let go */
    bool is_told;
    struct pipe_end out[2];
};

/* --- output --- */

static void close_pipe(struct pipe_end *p)
{
    if (p->watch.fd < 0)
        return;
    watch_stop(p->child->loop, &p->watch);
    (void)close(p->watch.fd);
    p->watch.fd = -1;
}

static int number_of(const struct pipe_end *p)
{
    return p == &p->child->out[0] ? 1 : 2;
}

/* At most `reads` of them: a child that never stops talking gets its turn like everybody. False
 * when nothing more is there for now. */
static bool read_pipe(struct pipe_end *p, int reads)
{
    struct child *c = p->child;
    const struct span room = loop_read_buffer(c->loop);

    while (p->watch.fd >= 0 && reads-- > 0) {
        const ssize_t n = read(p->watch.fd, room.p, room.n);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return errno == EINTR;
        if (n <= 0)
            close_pipe(p);
        else if (!c->is_released && c->ops->output)
            c->ops->output(c->arg, number_of(p), slice_make(room.p, (size_t)n));
    }
    return p->watch.fd >= 0;
}

static void read_on(void *arg);

static void read_some(struct pipe_end *p)
{
    if (p->is_posted || !read_pipe(p, READS))
        return;
    p->is_posted = true;
    loop_defer(p->child->loop, LOOP_READS, read_on, p);
}

static void read_on(void *arg)
{
    struct pipe_end *p = arg;

    p->is_posted = false;
    read_some(p);
}

static void on_output(struct watch *w, uint32_t events)
{
    (void)events;
    read_some(CONTAINER_OF(w, struct pipe_end, watch));
}

/* --- the end --- */

static void reap(void *arg)
{
    mem_free(arg);
}

static void forget(struct child *c)
{
    for (int i = 0; i < 2; i++)
        close_pipe(&c->out[i]);
    watch_stop(c->loop, &c->watch);
    (void)close(c->watch.fd);
    loop_defer(c->loop, LOOP_REAP, reap, c);
}

static void on_gone(struct watch *w, uint32_t events)
{
    struct child *c = CONTAINER_OF(w, struct child, watch);

    (void)events;
    if (c->pid == 0 || waitpid(c->pid, &c->status, WNOHANG) != c->pid)
        return;
    c->pid = 0;
    /* A grandchild may hold the pipe open: what it says later is nobody's. */
    for (int i = 0; i < 2; i++)
        if (c->out[i].watch.fd >= 0)
            (void)read_pipe(&c->out[i], LAST_READS);
    if (c->is_released) {
        forget(c);
        return;
    }
    c->is_told = true;
    c->ops->exited(c->arg, c->status);
}

void child_close(struct child *c)
{
    if (!c || c->is_released)
        return;
    c->is_released = true;
    if (c->pid)
        (void)kill(c->pid, SIGKILL);
    else
        forget(c);
}

void child_end(struct child *c)
{
    if (!c || c->is_released)
        return;
    if (c->pid) {
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, &c->status, 0);
        c->pid = 0;
    }
    child_close(c);
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

void child_signal(struct child *c, int number)
{
    if (c->pid) /* not reaped, so the number is still its own */
        (void)kill(c->pid, number);
}

/* --- the start --- */

/* What a start needs for a moment; all of it is given back by start_done(). */
struct start {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int *high; /* copies of the descriptors, above every target, so that none overwrites another */
    size_t n_high;
    int pipes[2][2];
};

static void start_init(struct start *st, size_t n_fds)
{
    (void)posix_spawn_file_actions_init(&st->actions);
    (void)posix_spawnattr_init(&st->attributes);
    st->high = mem_new(n_fds * sizeof(int));
    st->n_high = 0;
    for (int i = 0; i < 4; i++)
        st->pipes[i / 2][i % 2] = -1;
}

static void start_done(struct start *st)
{
    (void)posix_spawn_file_actions_destroy(&st->actions);
    (void)posix_spawnattr_destroy(&st->attributes);
    for (size_t i = 0; i < st->n_high; i++)
        (void)close(st->high[i]);
    mem_free(st->high);
    for (int i = 0; i < 4; i++)
        if (st->pipes[i / 2][i % 2] >= 0)
            (void)close(st->pipes[i / 2][i % 2]);
}

static void set_attributes(struct start *st, bool own_group)
{
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&st->attributes, &none);
    (void)posix_spawnattr_setsigdefault(&st->attributes, &all);
    if (own_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    (void)posix_spawnattr_setpgroup(&st->attributes, 0);
    (void)posix_spawnattr_setflags(&st->attributes, flags);
}

static int set_stdio(struct start *st, enum child_stdio stdio)
{
    (void)posix_spawn_file_actions_addopen(&st->actions, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 0; i < 2; i++) {
        const int target = i + 1;

        if (stdio == CHILD_NULL)
            (void)posix_spawn_file_actions_addopen(&st->actions, target, "/dev/null", O_WRONLY, 0);
        if (stdio != CHILD_CAPTURE)
            continue;
        if (pipe2(st->pipes[i], O_CLOEXEC) < 0)
            return -errno;
        (void)fcntl(st->pipes[i][0], F_SETFL, O_NONBLOCK);
        (void)posix_spawn_file_actions_adddup2(&st->actions, st->pipes[i][1], target);
    }
    return 0;
}

static int set_fds(struct start *st, const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int high = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FD + (int)n);

        if (high < 0)
            return -errno;
        st->high[st->n_high++] = high;
        (void)posix_spawn_file_actions_adddup2(&st->actions, high, FIRST_FD + (int)i);
    }
    (void)posix_spawn_file_actions_addclosefrom_np(&st->actions, FIRST_FD + (int)n);
    return 0;
}

static int spawn(struct start *st, const struct child_options *o, pid_t *ret_pid)
{
    int r;

    set_attributes(st, o->own_group);
    if (o->dir)
        (void)posix_spawn_file_actions_addchdir_np(&st->actions, o->dir);
    if ((r = set_stdio(st, o->stdio)) < 0 || (r = set_fds(st, o->fds, o->n_fds)) < 0)
        return r;
    return -posix_spawnp(ret_pid, o->argv[0], &st->actions, &st->attributes,
                         (char *const *)(uintptr_t)o->argv,
                         o->envp ? (char *const *)(uintptr_t)o->envp : environ);
}

static int watch_pipe(struct child *c, int i, int take_fd)
{
    c->out[i] = (struct pipe_end){{.ready = on_output, .fd = take_fd}, c, false};
    return take_fd < 0 ? 0 : watch_start(c->loop, &c->out[i].watch, EPOLLIN);
}

static struct child *watched(struct loop *l, struct start *st, pid_t pid,
                             const struct child_ops *ops, void *arg)
{
    struct child *c = mem_new(sizeof(*c));
    int r;

    *c = (struct child){
        .watch = {.ready = on_gone, .fd = pidfd_open(pid, 0)}, .loop = l, .ops = ops, .arg = arg};
    c->pid = pid;
    r = c->watch.fd < 0 ? -ERR_OS : watch_start(l, &c->watch, EPOLLIN);
    for (int i = 0; i < 2; i++) {
        const int watching = watch_pipe(c, i, st->pipes[i][0]);

        st->pipes[i][0] = -1;
        r = MIN(r, watching);
    }
    if (r == 0)
        return c;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    forget(c);
    return NULL;
}

struct child *child_open(struct loop *l, const struct child_options *o, const struct child_ops *ops,
                         void *arg, struct err_note *note)
{
    CLEANUP(start_done) struct start st;
    struct child *c;
    pid_t pid;
    int r;

    start_init(&st, o->n_fds);
    r = spawn(&st, o, &pid);
    if (r < 0) {
        (void)err_notef(note, -ERR_OS, "cannot start %s: %s", o->argv[0], strerror(-r));
        return NULL;
    }
    c = watched(l, &st, pid, ops, arg);
    if (!c)
        (void)err_notef(note, -ERR_OS, "cannot watch %s: %s", o->argv[0], strerror(errno));
    return c;
}

/* --- about processes --- */

const char *child_status_text(int status, char ret[64])
{
    if (WIFSIGNALED(status))
        (void)snprintf(ret, 64, "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(ret, 64, "exited with status %d", WEXITSTATUS(status));
    return ret;
}

int child_socketpair(int ret_fds[2], int buffer)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -ERR_OS;
    for (int i = 0; i < 2 && buffer > 0; i++)
        (void)setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

/* The first bytes of a file of /proc, as a string. False when the process is gone. */
static bool read_proc(pid_t pid, const char *name, char *ret, size_t n)
{
    char path[64];
    ssize_t got;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read(fd, ret, n - 1);
    (void)close(fd);
    ret[MAX(got, 0)] = '\0';
    return got > 0;
}

int64_t child_cpu_ms(pid_t pid)
{
    unsigned long user = 0, system = 0;
    char text[1024];
    const char *after;

    if (!read_proc(pid, "stat", text, sizeof(text)))
        return -1;
    /* The name, in parentheses, may hold anything: what counts follows the last one. */
    after = strrchr(text, ')');
    if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                         &system) != 2)
        return -1;
    return (int64_t)((user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

int64_t child_memory(pid_t pid)
{
    unsigned long pages = 0;
    char text[128];

    if (!read_proc(pid, "statm", text, sizeof(text)) || sscanf(text, "%*u %lu", &pages) != 1)
        return -1;
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}
