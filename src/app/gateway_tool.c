#include "app/gateway_tool.h"

#include "io/child.h"

enum { OUTPUT_MAX = 64 << 20 };

struct tool {
    struct child *child;
    struct buf out;
    struct buf err;
    tool_done *done;
    void *arg;
};

/* Output over the bound is dropped: a tool that says so much is broken anyway. */
static void on_output(void *arg, int fd, struct slice bytes)
{
    struct tool *t = arg;

    (void)buf_add(fd == 1 ? &t->out : &t->err, bytes);
}

static void on_exited(void *arg, int status)
{
    struct tool *t = arg;
    char text[64];

    if (status != 0 && t->err.n == 0)
        (void)buf_addf(&t->err, "%s\n", child_status_text(status, text));
    t->done(t->arg, status == 0, buf_slice(&t->out), buf_slice(&t->err));
}

struct tool *tool_open(struct loop *l, const char *const *argv, const char *dir, tool_done *done,
                       void *arg, struct err_note *note)
{
    static const struct child_ops ops = {.output = on_output, .exited = on_exited};
    struct child_options o = {.argv = argv, .dir = dir, .stdio = CHILD_CAPTURE, .own_group = true};
    struct tool *t = mem_new(sizeof(*t));

    t->done = done;
    t->arg = arg;
    buf_init(&t->out, OUTPUT_MAX);
    buf_init(&t->err, OUTPUT_MAX);
    t->child = child_open(l, &o, &ops, t, note);
    if (t->child)
        return t;
    tool_close(t);
    return NULL;
}

void tool_close(struct tool *t)
{
    if (!t)
        return;
    child_end(t->child);
    buf_done(&t->out);
    buf_done(&t->err);
    mem_free(t);
}
