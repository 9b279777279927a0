#include "io/threads.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "base/err.h"
#include "io/descriptors.h"
#include "io/io_int.h"

struct thread {
    struct threads *all;
    unsigned index;
    pthread_t id;
    struct loop *loop;
    int fds[LOOP_DESCRIPTORS]; /* the loop's */
    sem_t asked, done;
    void (*call)(void *arg); /* what is asked; NULL: run the loop */
    void *call_arg;
};

struct threads {
    unsigned n;       /* loops */
    unsigned started; /* of them; the first is the caller's */
    bool is_split;
    bool is_running;
    struct thread list[THREADS_MAX];
    pthread_barrier_t rest;
    void (*leave)(void *arg, unsigned i);
    void *arg;
};

struct loop *threads_loop(const struct threads *t, unsigned i)
{
    assert(i < t->n);
    return t->list[i].loop;
}

unsigned threads_tables(const struct threads *t)
{
    return t->is_split ? t->n : 1;
}

/* --- one thread --- */

/* Loops wake each other. */
static void split(const struct thread *own)
{
    const struct threads *t = own->all;
    int keep[LOOP_DESCRIPTORS + THREADS_MAX];
    size_t n = 0;

    for (; n < LOOP_DESCRIPTORS; n++)
        keep[n] = own->fds[n];
    for (unsigned i = 0; i < t->n; i++)
        keep[n++] = t->list[i].fds[LOOP_WAKE_FD];
    descriptors_split(keep, n);
}

/* Mails that are on their way find whom they are for: memory goes with the loops, after them. */
static void leave_in_turn(struct threads *t, unsigned own)
{
    (void)pthread_barrier_wait(&t->rest);
    for (unsigned i = t->started; i-- > 0;) {
        if (i == own)
            t->leave(t->arg, i);
        (void)pthread_barrier_wait(&t->rest);
    }
    mailbox__deliver(loop__mailbox(t->list[own].loop));
    (void)pthread_barrier_wait(&t->rest);
}

static void wait_for(sem_t *s)
{
    while (sem_wait(s) < 0) /* a signal */
        ;
}

static void serve_calls(struct thread *own)
{
    for (;;) {
        wait_for(&own->asked);
        if (!own->call)
            return;
        own->call(own->call_arg);
        (void)sem_post(&own->done);
    }
}

static void *run(void *arg)
{
    struct thread *own = arg;

    if (own->all->is_split)
        split(own);
    serve_calls(own);
    loop_run(own->loop);
    leave_in_turn(own->all, own->index);
    loop_free(own->loop);
    return NULL;
}

/* --- all of them --- */

static void add(struct threads *t, struct loop *loop)
{
    struct thread *own = &t->list[t->n];

    *own = (struct thread){.all = t, .index = t->n++, .loop = loop};
    loop__descriptors(loop, own->fds);
}

static int add_new(struct threads *t)
{
    struct loop *loop = loop_new();

    if (!loop || (t->is_split && loop__open_handover(loop) < 0)) {
        loop_free(loop);
        return -ERR_OS;
    }
    add(t, loop);
    return 0;
}

/* All loops are there before the first thread looks at them. */
static int start(struct threads *t, unsigned n)
{
    while (t->n < n)
        if (add_new(t) < 0)
            return -ERR_OS;
    for (; t->started < n; t->started++) {
        struct thread *own = &t->list[t->started];

        (void)sem_init(&own->asked, 0, 0);
        (void)sem_init(&own->done, 0, 0);
        errno = pthread_create(&own->id, NULL, run, own);
        if (errno)
            return -ERR_OS;
    }
    return 0;
}

static void leave_nothing(void *arg, unsigned i)
{
    (void)arg;
    (void)i;
}

struct threads *threads_start(struct loop *first, unsigned n)
{
    struct threads *t = mem_new(sizeof(*t));

    assert(n > 0 && n <= THREADS_MAX);
    t->is_split = n > 1 && descriptors_can_split();
    add(t, first);
    t->started = 1;
    if (start(t, n) < 0) {
        const int saved = errno;

        threads_end(t, leave_nothing, NULL);
        errno = saved;
        return NULL;
    }
    return t;
}

static void ask(struct thread *t, void (*call)(void *arg), void *arg)
{
    t->call = call;
    t->call_arg = arg;
    (void)sem_post(&t->asked);
}

void threads_call(struct threads *t, unsigned i, void (*call)(void *arg), void *arg)
{
    assert(i < t->n && !t->is_running);
    if (i == 0) {
        call(arg);
        return;
    }
    ask(&t->list[i], call, arg);
    wait_for(&t->list[i].done);
}

void threads_run(struct threads *t)
{
    assert(!t->is_running);
    t->is_running = true;
    for (unsigned i = 1; i < t->started; i++)
        ask(&t->list[i], NULL, NULL);
}

/* What the first thread's table has of the loop, whose own thread closed only its own. */
static void close_copies(const struct thread *own)
{
    for (size_t i = 0; i < COUNT_OF(own->fds); i++)
        if (own->fds[i] >= 0)
            (void)close(own->fds[i]);
}

void threads_end(struct threads *take_t, void (*leave)(void *arg, unsigned i), void *arg)
{
    struct threads *t = take_t;

    if (!t)
        return;
    t->leave = leave;
    t->arg = arg;
    (void)pthread_barrier_init(&t->rest, NULL, t->started);
    if (!t->is_running)
        threads_run(t);
    for (unsigned i = 1; i < t->started; i++)
        loop_stop(t->list[i].loop);
    leave_in_turn(t, 0);
    for (unsigned i = 1; i < t->started; i++) {
        (void)pthread_join(t->list[i].id, NULL);
        if (t->is_split)
            close_copies(&t->list[i]);
    }
    for (unsigned i = t->started; i < t->n; i++)
        loop_free(t->list[i].loop);
    (void)pthread_barrier_destroy(&t->rest);
    mem_free(t);
}
