#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "io/io_int.h"

struct signals {
    struct watch watch;
    struct loop *loop;
    void (*caught)(void *arg, int number);
    void *arg;
};

static void on_ready(struct watch *w, uint32_t events)
{
    struct signals *s = CONTAINER_OF(w, struct signals, watch);
    struct signalfd_siginfo info;

    (void)events;
    while (w->ready && read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        s->caught(s->arg, (int)info.ssi_signo);
}

struct signals *signals_open(struct loop *l, const int *numbers, size_t n,
                             void (*caught)(void *arg, int number), void *arg)
{
    struct signals *s;
    sigset_t set;
    int fd;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        (void)sigaddset(&set, numbers[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return NULL;
    s = mem_new(sizeof(*s));
    *s = (struct signals){{.ready = on_ready, .fd = fd}, l, caught, arg};
    if (watch_start(l, &s->watch, EPOLLIN) < 0) {
        s->watch.ready = NULL;
        signals_close(s);
        return NULL;
    }
    return s;
}

static void reap(void *arg)
{
    struct signals *s = arg;

    (void)close(s->watch.fd);
    mem_free(s);
}

void signals_close(struct signals *s)
{
    if (!s)
        return;
    watch_stop(s->loop, &s->watch);
    loop_defer(s->loop, LOOP_REAP, reap, s);
}
