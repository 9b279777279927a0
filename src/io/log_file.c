#include "io/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/loop.h"

enum {
    GATHERED_MAX = 256 << 10, /* above it lines are lost */
    GATHERED_MANY = 64 << 10, /* they leave with the tick */
    LOOK_MS = 1000,           /* how often the path is compared with what is open */
};

struct log_file {
    struct loop *loop;
    char *path;
    int fd; /* -1: could not be opened anew */
    bool is_pipe;
    bool is_ours; /* not standard error */
    bool is_posted;
    bool is_closed;
    int64_t looked_ms;
    struct stat open; /* what fd is */
    struct buf lines;
    struct timer lag;
    uint64_t lost;
};

static uint64_t count_lines(struct slice s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

/* --- the descriptor --- */

static int open_path(struct log_file *f)
{
    f->fd = f->is_ours ? open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640)
                       : STDERR_FILENO;
    if (f->fd < 0 || fstat(f->fd, &f->open) < 0)
        return -ERR_OS;
    f->is_pipe = !S_ISREG(f->open.st_mode);
    return 0;
}

static bool has_moved(const struct log_file *f)
{
    struct stat now;

    return stat(f->path, &now) < 0 || now.st_dev != f->open.st_dev || now.st_ino != f->open.st_ino;
}

/* Somebody may have rotated it. */
static void look(struct log_file *f)
{
    const int64_t now = loop_now(f->loop);

    if (!f->is_ours || now - f->looked_ms < LOOK_MS)
        return;
    f->looked_ms = now;
    if (f->fd >= 0 && !has_moved(f))
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    (void)open_path(f);
}

/* --- writing --- */

/* The longest piece of whole lines that a pipe takes at once, or everything. */
static struct slice next_piece(const struct log_file *f, struct slice rest)
{
    size_t n = PIPE_BUF;

    if (!f->is_pipe || rest.n <= PIPE_BUF)
        return rest;
    while (n > 0 && rest.p[n - 1] != '\n')
        n--;
    return slice_sub(rest, 0, n ? n : rest.n);
}

/* Standard error may be shared with others and block: it is asked before. POLLOUT on a pipe means
 * that PIPE_BUF bytes find room. */
static bool would_block(const struct log_file *f)
{
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};

    return f->is_pipe && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT));
}

static bool put(const struct log_file *f, struct slice piece)
{
    while (piece.n && !would_block(f)) {
        const ssize_t n = write(f->fd, piece.p, piece.n);

        if (n > 0)
            (void)slice_take(&piece, (size_t)n);
        else if (errno != EINTR)
            break;
    }
    return piece.n == 0;
}

static void write_out(struct log_file *f)
{
    struct slice rest = buf_slice(&f->lines);

    look(f);
    while (rest.n) {
        const struct slice piece = next_piece(f, rest);

        if (f->fd < 0 || !put(f, piece))
            break;
        (void)slice_take(&rest, piece.n);
    }
    f->lost += count_lines(rest);
    buf_clear(&f->lines);
}

static void on_lag(struct timer *t)
{
    write_out(CONTAINER_OF(t, struct log_file, lag));
}

static void on_many(void *arg)
{
    struct log_file *f = arg;

    f->is_posted = false;
    if (f->is_closed)
        return;
    timer_del(f->loop, &f->lag);
    write_out(f);
}

static void line(void *ctx, enum log_level level, struct slice s)
{
    struct log_file *f = ctx;

    if (f->lines.n + s.n > GATHERED_MAX) {
        f->lost++;
        return;
    }
    if (f->lines.n == 0)
        timer_set(f->loop, &f->lag, loop_now(f->loop) + LOG_FILE_LAG_MS);
    (void)buf_add(&f->lines, s);
    if (f->lines.n < GATHERED_MANY || f->is_posted)
        return;
    f->is_posted = true;
    loop_defer(f->loop, LOOP_FLUSH, on_many, f);
}

static int64_t wall_ms(void *ctx)
{
    const struct log_file *f = ctx;

    return loop_wall(f->loop);
}

/* --- life --- */

struct log_file *log_file_open(struct loop *l, const char *path, struct err_note *note)
{
    struct log_file *f = mem_new(sizeof(*f));

    f->loop = l;
    f->is_ours = strcmp(path, "-") != 0;
    f->path = mem_new(strlen(path) + 1);
    memcpy(f->path, path, strlen(path) + 1);
    f->looked_ms = loop_now(l);
    f->lag.due = on_lag;
    buf_init(&f->lines, GATHERED_MAX);
    if (open_path(f) == 0)
        return f;
    (void)err_notef(note, -ERR_OS, "%s cannot be written: %m", path);
    log_file_close(f);
    return NULL;
}

struct log log_file_log(struct log_file *f, enum log_form form)
{
    static const struct log_ops ops = {line, wall_ms};

    return (struct log){&ops, f, LOG_DEBUG, form == LOG_COLOR && f->is_ours ? LOG_HUMAN : form};
}

uint64_t log_file_lost(const struct log_file *f)
{
    return f->lost;
}

static void reap(void *arg)
{
    struct log_file *f = arg;

    buf_done(&f->lines);
    mem_free(f->path);
    mem_free(f);
}

void log_file_close(struct log_file *f)
{
    if (!f)
        return;
    timer_del(f->loop, &f->lag);
    write_out(f);
    if (f->is_ours && f->fd >= 0)
        (void)close(f->fd);
    f->is_closed = true;
    loop_defer(f->loop, LOOP_REAP, reap, f);
}
