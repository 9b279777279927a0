#include "io/stderr.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void line(void *ctx, enum log_level level, struct slice s)
{
    while (s.n) {
        const ssize_t n = write(STDERR_FILENO, s.p, s.n);

        if (n > 0)
            (void)slice_take(&s, (size_t)n);
        else if (n < 0 && errno != EINTR)
            return; /* nobody listens, or the pipe is full: a line is lost, the program goes on */
    }
}

static int64_t wall_ms(void *ctx)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct log stderr_log(enum log_level min, enum log_form form)
{
    static const struct log_ops ops = {line, wall_ms};
    const char *no_color = getenv("NO_COLOR");

    if (form == LOG_COLOR && (!isatty(STDERR_FILENO) || (no_color && *no_color)))
        form = LOG_HUMAN;
    return (struct log){&ops, NULL, min, form};
}
