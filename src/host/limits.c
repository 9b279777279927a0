#include "host/limits.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "wire/ipc.h"

enum { TICK_MS_MAX = 10, TICK_MS_MIN = 2, TEXT_MAX = 64 };

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* A signal handler is told nothing but a number: what it needs is here, set once. */
static struct {
    struct limits l;
    int statm;
    timer_t timer;
    bool started;
    uint32_t tick_ms;
    uint64_t turn;  /* the last one seen */
    uint32_t ticks; /* in it */
    long page;
    char cpu_text[TEXT_MAX];
    char memory_text[TEXT_MAX];
} watched = {.statm = -1};

/* Second number of "size resident shared …", in pages. */
static uint64_t resident_pages(const char *p)
{
    uint64_t n = 0;

    while (*p && *p != ' ')
        p++;
    for (p += *p == ' '; *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    return n;
}

uint64_t limits_memory(void)
{
    char text[128];
    ssize_t n;

    if (watched.statm < 0 || (n = pread(watched.statm, text, sizeof(text) - 1, 0)) <= 0)
        return 0;
    text[n] = '\0';
    return resident_pages(text) * (uint64_t)watched.page;
}

/* EXITING by hand: the codec allocates, a signal handler must not. */
static size_t exiting_frame(uint8_t *out, int err, const char *text)
{
    const uint32_t n = (uint32_t)strlen(text);
    const uint32_t length = 2 + 4 + n;
    const uint16_t type = IPC_EXITING;
    const uint16_t error = (uint16_t)err;

    memset(out, 0, IPC_HEADER);
    memcpy(out, &length, 4);
    memcpy(out + 4, &type, 2);
    memcpy(out + IPC_HEADER, &error, 2);
    memcpy(out + IPC_HEADER + 2, &n, 4);
    memcpy(out + IPC_HEADER + 6, text, n);
    return IPC_HEADER + length;
}

const char *limits_text(int err)
{
    return err == ERR_WORKER_CPU ? watched.cpu_text : watched.memory_text;
}

void limits_exit(int err)
{
    uint8_t frame[IPC_HEADER + 6 + TEXT_MAX];

    (void)send(watched.l.fd, frame, exiting_frame(frame, err, limits_text(err)), MSG_NOSIGNAL);
    _exit(err == ERR_WORKER_MEMORY ? WORKER_EXIT_MEMORY : WORKER_EXIT_CPU);
}

/* CPU time of the turn that runs, in ticks; 0 between turns. */
static uint32_t ticks_of_turn(void)
{
    const uint64_t turn = atomic_load_explicit(&watched.l.pulse->turn, memory_order_relaxed);

    if (turn != watched.turn)
        watched.ticks = 0;
    watched.turn = turn;
    return turn & 1 ? ++watched.ticks : 0;
}

/*
 * Only a turn is ended: between turns the outbox may be half written, and little happens. The first
 * tick may have begun in the turn before, so it does not count.
 */
static void on_tick(int number)
{
    const uint32_t ticks = ticks_of_turn();

    (void)number;
    if (ticks == 0)
        return;
    if (watched.l.turn_cpu_ms &&
        (ticks - 1) * watched.tick_ms > watched.l.turn_cpu_ms + watched.l.grace_ms)
        limits_exit(ERR_WORKER_CPU);
    if (watched.l.memory_bytes && limits_memory() > watched.l.memory_bytes)
        limits_exit(ERR_WORKER_MEMORY);
}

static int start_timer(void)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF};
    const struct timespec tick = {0, (long)watched.tick_ms * 1000000};
    const struct itimerspec times = {tick, tick};

    event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
    if (sigaction(SIGPROF, &action, NULL) < 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watched.timer) < 0)
        return -ERR_OS;
    watched.started = true;
    return timer_settime(watched.timer, 0, &times, NULL) < 0 ? -ERR_OS : 0;
}

void limits_stop(void)
{
    if (watched.started)
        (void)signal(SIGPROF, SIG_IGN);
    watched.started = false;
}

int limits_start(const struct limits *l, struct err_note *note)
{
    const uint32_t tick = l->turn_cpu_ms / 20;

    watched.l = *l;
    watched.page = sysconf(_SC_PAGESIZE);
    watched.tick_ms = tick && tick < TICK_MS_MAX ? MAX(tick, TICK_MS_MIN) : TICK_MS_MAX;
    snprintf(watched.cpu_text, sizeof(watched.cpu_text),
             "an event used more than %u ms of CPU time", l->turn_cpu_ms);
    snprintf(watched.memory_text, sizeof(watched.memory_text),
             "the process used more than %u MiB of memory", (unsigned)(l->memory_bytes >> 20));
    watched.statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (watched.statm < 0 && l->memory_bytes)
        return err_notef(note, -ERR_OS, "cannot open /proc/self/statm: %m");
    if (start_timer() < 0)
        return err_notef(note, -ERR_OS, "cannot start the CPU timer: %m");
    return 0;
}
