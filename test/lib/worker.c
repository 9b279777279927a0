#include "lib/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

enum { LINK_FD = 3, PATIENCE_MS = 20000, BIG = 64 << 20 };

static _Noreturn void run(int link, int page, const struct worker_options *o)
{
    const struct host_options h = {
        .app = "test",
        .state_dir = o->state_dir ? o->state_dir : "",
        .links = 1,
        .first_fd = LINK_FD,
        .sandbox = o->sandbox,
        .cpu_ms = o->cpu_ms,
        .memory_bytes = o->memory_bytes,
    };

    /* cmocka's handlers would go on with the next test, in this process. */
    for (int number = 1; number < 32; number++)
        (void)signal(number, SIG_DFL);
    if (o->file_max) {
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){o->file_max, o->file_max});
    }
    /* Far away first: the targets may be taken. */
    link = fcntl(link, F_DUPFD, 100);
    page = fcntl(page, F_DUPFD, 100);
    if (dup2(link, LINK_FD) < 0 || dup2(page, LINK_FD + 1) < 0)
        _exit(99);
    for (int fd = LINK_FD + 2; fd < 200; fd++)
        (void)close(fd);
    /* The test's own memory would look like a leak of this process. */
    _exit(host_run(&h));
}

static void say_start(struct worker *w, const char *script, const struct worker_options *o)
{
    struct buf config;
    struct buf out;

    buf_init(&config, BIG);
    buf_init(&out, BIG);
    (void)buf_addf(&config,
                   "{\"name\": \"test\", \"format\": \"modules\", \"dev\": true, "
                   "\"compatibility_date\": null, \"compatibility_flags\": []%s%s}",
                   o->config ? ", " : "", o->config ? o->config : "");
    const struct ipc_start m = {
        .config = buf_slice(&config), .map = slice_str(o->map), .script = slice_str(script)};

    (void)ipc_put_start(&out, 0, 0, &m);
    worker_say(w, &out);
    buf_done(&config);
    buf_done(&out);
}

void worker_start(struct worker *w, const char *script, const struct worker_options *options)
{
    const struct worker_options usual = {.sandbox = SANDBOX_OFF};
    const struct worker_options *o = options ? options : &usual;
    const int page = memfd_create("pulse", 0);
    int pair[2];

    *w = (struct worker){.in = {.max = BIG}};
    if (page < 0 || ftruncate(page, PULSE_BYTES) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
        fail_msg("no socket or memory for the worker");
    w->pulse = mmap(NULL, PULSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    w->pulse->version = PULSE_VERSION;
    w->pulse->links = 1;
    w->fd = pair[0];
    w->pid = fork();
    if (w->pid == 0) {
        (void)close(pair[0]);
        run(pair[1], page, o);
    }
    (void)close(pair[1]);
    (void)close(page);
    if (!o->silent)
        say_start(w, script, o);
}

static void wait_for(struct worker *w, short events)
{
    struct pollfd p = {.fd = w->fd, .events = events};

    if (poll(&p, 1, PATIENCE_MS) <= 0)
        fail_msg("the worker says nothing");
}

void worker_say(struct worker *w, struct buf *out)
{
    size_t sent = 0;

    while (sent < out->n) {
        const ssize_t n = send(w->fd, out->p + sent, out->n - sent, MSG_NOSIGNAL);

        if (n < 0)
            wait_for(w, POLLOUT);
        else
            sent += (size_t)n;
    }
    buf_clear(out);
}

const struct ipc_frame *worker_hear(struct worker *w)
{
    for (;;) {
        struct slice in = slice_make(w->in.p + w->used, w->in.n - w->used);
        const int r = ipc_next(&in, IPC_FROM_WORKER, &w->frame, NULL);
        ssize_t n;

        if (r < 0)
            fail_msg("the worker sent a malformed frame");
        w->used = w->in.n - in.n;
        if (r > 0)
            return &w->frame;
        buf_consume(&w->in, w->used);
        w->used = 0;
        wait_for(w, POLLIN);
        n = recv(w->fd, buf_reserve(&w->in, 1 << 16), 1 << 16, 0);
        if (n <= 0)
            return NULL;
        buf_commit(&w->in, (size_t)n);
    }
}

const struct ipc_frame *worker_expect(struct worker *w, enum ipc_type type)
{
    const struct ipc_frame *f;

    do {
        f = worker_hear(w);
        if (!f)
            fail_msg("the worker ended, %s was expected", ipc_name(type));
        if (f->type == IPC_LOG && type != IPC_LOG)
            print_message("LOG %.*s\n", SLICE_FMT(f->payload));
    } while (f->type != type);
    return f;
}

void worker_restore_none(struct worker *w)
{
    struct ipc_restore_want want;
    struct buf out;

    buf_init(&out, 4096);
    assert_int_equal(ipc_get_restore_want(worker_expect(w, IPC_RESTORE_WANT), &want), 0);
    (void)ipc_put_restored(&out, 0, 0, &(struct ipc_restored){.token = want.token});
    worker_say(w, &out);
    buf_done(&out);
}

void worker_request(struct worker *w, uint64_t id, const char *head)
{
    const struct ipc_request m = {.seq = ++w->seq, .head = slice_str(head)};
    struct buf out;

    buf_init(&out, BIG);
    (void)ipc_put_request(&out, id, 0, &m);
    worker_say(w, &out);
    buf_done(&out);
}

static void expect_slice(struct slice got, const char *text)
{
    if (!slice_eq(got, slice_str(text)))
        fail_msg("got \"%.*s\", expected \"%s\"", SLICE_FMT(got), text);
}

void worker_expect_text(struct worker *w, unsigned status, const char *text)
{
    struct ipc_response m;
    struct ipc_body b;

    assert_int_equal(ipc_get_response(worker_expect(w, IPC_RESPONSE), &m), 0);
    assert_int_equal(m.status, status);
    assert_int_equal(ipc_get_body(worker_expect(w, IPC_BODY), &b), 0);
    expect_slice(b.bytes, text);
}

void worker_expect_log(struct worker *w, const char *text)
{
    struct ipc_log m;

    assert_int_equal(ipc_get_log(worker_expect(w, IPC_LOG), &m), 0);
    expect_slice(m.text, text);
}

int worker_end(struct worker *w)
{
    int status = 0;

    while (worker_hear(w))
        ;
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    (void)close(w->fd);
    (void)munmap(w->pulse, PULSE_BYTES);
    buf_done(&w->in);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void worker_stop(struct worker *w)
{
    (void)shutdown(w->fd, SHUT_WR);
    assert_int_equal(worker_end(w), HOST_EXIT_OK);
}
