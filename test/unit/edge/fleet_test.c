/*
 * Real processes on a real loop. The worker is this program itself, started with the arguments of
 * a worker: what it does is said by START's config.
 */
#include "edge/fleet.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/child.h"
#include "lab.h"
#include "wire/pulse.h"

/* --- the worker --- */

static struct pulse *pulse;
static char mode[64];

static void say(struct buf *b)
{
    for (size_t at = 0; at < b->n;) {
        const ssize_t n = write(3, b->p + at, b->n - at);

        if (n > 0)
            at += (size_t)n;
        else
            (void)poll(&(struct pollfd){.fd = 3, .events = POLLOUT}, 1, 1000);
    }
    buf_clear(b);
}

static bool is_mode(const char *name)
{
    return strcmp(mode, name) == 0;
}

static void start(struct buf *out, struct slice config)
{
    (void)snprintf(mode, sizeof(mode), "%.*s", SLICE_FMT(config));
    if (is_mode("crash at start"))
        _exit(7);
    if (is_mode("late"))
        (void)sleep(100);
    if (is_mode("cannot run")) {
        (void)ipc_put_failed(out, 0, 0, &(struct ipc_failed){.text = SLICE("app.js:1: no")});
        say(out);
        _exit(1);
    }
    (void)ipc_put_ready(out, 0, 0, &(struct ipc_ready){.exports = SLICE("{}")});
}

static void serve_request(struct buf *out, const struct ipc_frame *f, const struct ipc_request *m)
{
    const uint64_t range[2] = {m->seq, 1};
    const struct slice answer = slice_str(mode);

    pulse->begun[0] = m->seq;
    pulse_turn_begin(pulse, m->seq);
    if (is_mode("loop"))
        for (;;)
            ;
    if (is_mode("crash"))
        abort();
    if (is_mode("hostile"))
        (void)buf_add(out, SLICE("this is no frame, whatever it is"));
    if (is_mode("eat"))
        for (;;)
            memset(mem_new(1 << 20), 1, 1 << 20);
    pulse_turn_end(pulse);
    (void)ipc_put_response(
        out, f->id, 0,
        &(struct ipc_response){.status = 200, .body = IPC_BODY_LENGTH, .length = answer.n});
    (void)ipc_put_body(out, f->id, IPC_END, &(struct ipc_body){.bytes = answer});
    (void)ipc_put_ack(out, 0, 0, &(struct ipc_ack){.ranges = slice_make(range, 16)});
    (void)ipc_put_idle(out, 0, 0, &(struct ipc_idle){.last_seq = m->seq});
}

static void on_frame(struct buf *out, const struct ipc_frame *f)
{
    if (f->type == IPC_START) {
        GET(start);
        start(out, m.config);
    } else if (f->type == IPC_REQUEST) {
        GET(request);
        serve_request(out, f, &m);
    } else if (f->type == IPC_DRAIN && !is_mode("stays")) {
        (void)ipc_put_exiting(out, 0, 0, &(struct ipc_exiting){0});
        say(out);
        _exit(0);
    }
}

static int work(void)
{
    struct buf in, out;

    buf_init(&in, 1 << 26);
    buf_init(&out, 1 << 26);
    pulse = mmap(NULL, PULSE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, 4, 0);
    if (pulse == MAP_FAILED || pulse->version != PULSE_VERSION || pulse->links != 1)
        return 9;
    for (;;) {
        struct ipc_frame f;
        struct slice s;
        ssize_t n;

        (void)poll(&(struct pollfd){.fd = 3, .events = POLLIN}, 1, -1);
        n = read(3, buf_reserve(&in, 65536), 65536);
        if (n == 0)
            return 0;
        buf_commit(&in, n > 0 ? (size_t)n : 0);
        s = buf_slice(&in);
        while (ipc_next(&s, IPC_FROM_GATEWAY, &f, NULL) > 0)
            on_frame(&out, &f);
        buf_consume(&in, in.n - s.n);
        say(&out);
    }
}

/* --- the gateway --- */

enum { PATIENCE_MS = 40000 }; /* what must come has so long */

static struct lab lab;
static struct peer client;
static struct buf told; /* by edge_ops */
static bool stopped;

static void on_app_ready(void *arg, const char *app)
{
    (void)buf_addf(&told, "ready %s\n", app);
}

static void on_app_failed(void *arg, const char *app, struct slice text)
{
    (void)buf_addf(&told, "failed %s: %.*s\n", app, SLICE_FMT(text));
}

static const struct edge_ops facts = {.app_ready = on_app_ready, .app_failed = on_app_failed};

static struct app_config config(const char *does)
{
    return (struct app_config){
        .name = "app",
        .config = slice_str(does),
        .script = SLICE("x"),
        .worker_path = "/proc/self/exe",
        .state_dir = "/nowhere",
        .limits = {.cpu_ms = 200,
                   .process_idle_ms = 100,
                   .drain_ms = 100,
                   .ready_ms = PATIENCE_MS,
                   .memory_bytes = 200 << 20},
        .dev = true,
    };
}

static void open_with(const struct app_config *c)
{
    const struct edge_options o = {.count = 1, .apps = c, .n_apps = 1, .ops = &facts};
    struct err_note note = {0};

    lab = (struct lab){.loop = loop_new()};
    log_capture_init(&lab.log, LOG_HUMAN);
    lab.log.log.min = LOG_INFO;
    buf_init(&told, 1 << 16);
    buf_clear(&told);
    lab.edge = edge_new(lab.loop, &o, &note);
    if (!lab.edge)
        fail_msg("%s", note.text);
    lab.edge->log = lab.log.log;
    edge_introduce(&lab.edge, 1);
    edge_begin(lab.edge);
    lab.app = lab.edge->apps[0];
    lab.door = doors_open(lab.edge, EDGE_PUBLIC);
}

static void open_doing(const char *does)
{
    const struct app_config c = config(does);

    open_with(&c);
}

#define UNTIL(condition)                                                                           \
    for (int64_t until_ = 0; !(condition);) {                                                      \
        if (until_ == 0)                                                                           \
            until_ = loop_now(lab.loop) + PATIENCE_MS;                                             \
        if (loop_now(lab.loop) > until_)                                                           \
            fail_msg("not within 40 s: %s\n%.*s", #condition,                                      \
                     SLICE_FMT(buf_slice(&lab.log.lines)));                                        \
        loop_tick(lab.loop, 20);                                                                   \
    }

static void on_done(void *arg)
{
    stopped = true;
}

static void finish(void)
{
    stopped = false;
    edge_stop(lab.edge, on_done, NULL);
    UNTIL(stopped);
    edge_free(lab.edge);
    loop_tick(lab.loop, 0);
    loop_free(lab.loop);
    log_capture_done(&lab.log);
    buf_done(&told);
}

static bool heard(const char *part)
{
    return slice_find_slice(buf_slice(&client.heard), slice_str(part)) >= 0;
}

static bool was_told(const char *part)
{
    return slice_find_slice(buf_slice(&told), slice_str(part)) >= 0;
}

static void ask(void)
{
    struct stream *s;

    client = (struct peer){.loop = lab.loop};
    peer_open(&client, lab.loop, &s);
    http1_server_take(lab.door->http, s);
    (void)stream_write(client.stream, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
}

/* peer_close() would move a clock that nobody may move here. */
static void leave(void)
{
    stream_doom(client.stream);
    buf_done(&client.heard);
}

TEST(the_first_event_starts_a_process_and_idleness_ends_it)
{
    open_doing("echo");
    assert_int_equal(fleet_alive(lab.edge->fleet), 0);
    ask();
    UNTIL(heard("\r\n\r\necho"));
    assert_true(was_told("ready app\n"));
    assert_int_equal(fleet_view(lab.edge->fleet, 0)->state, FLEET_RUNNING);
    UNTIL(fleet_alive(lab.edge->fleet) == 0);
    assert_int_equal(fleet_view(lab.edge->fleet, 0)->state, FLEET_ASLEEP);
    leave();
    ask();
    UNTIL(heard("\r\n\r\necho"));
    assert_int_equal(fleet_view(lab.edge->fleet, 0)->starts, 2);
    leave();
    finish();
}

TEST(code_that_cannot_run_is_told_and_answered_until_a_reload)
{
    struct app_config c;

    open_doing("cannot run");
    ask();
    UNTIL(heard("app.js:1: no"));
    assert_true(heard("HTTP/1.1 500 "));
    assert_string_equal((buf_add_byte(&told, 0), (char *)told.p), "failed app: app.js:1: no\n");
    leave();
    ask();
    UNTIL(heard("app.js:1: no"));
    leave();
    assert_int_equal(fleet_view(lab.edge->fleet, 0)->starts, 1);
    c = config("mended");
    assert_int_equal(edge_reload(lab.edge, &c, NULL), 0);
    ask();
    UNTIL(heard("\r\n\r\nmended"));
    leave();
    finish();
}

TEST(a_process_that_dies_at_its_start_is_started_later_and_later)
{
    open_doing("crash at start");
    ask();
    UNTIL(heard("HTTP/1.1 500 "));
    assert_true(heard("the worker ended before it was ready: it exited with status 7"));
    assert_int_equal(fleet_view(lab.edge->fleet, 0)->starts, 3);
    leave();
    finish();
}

TEST(a_process_that_is_not_ready_in_time_is_killed)
{
    struct app_config c = config("late");

    c.limits.ready_ms = 500;
    open_with(&c);
    ask();
    UNTIL(was_told("the evaluation of the module did not end in time"));
    leave();
    finish();
}

TEST(a_reload_hands_over_to_the_new_generation)
{
    struct app_config c;

    open_doing("old");
    ask();
    UNTIL(heard("\r\n\r\nold"));
    leave();
    c = config("new");
    assert_int_equal(edge_reload(lab.edge, &c, NULL), 0);
    UNTIL(lab_logged(&lab, "worker.exit app=\"app\" generation=1"));
    ask();
    UNTIL(heard("\r\n\r\nnew"));
    assert_true(lab_logged(&lab, "worker.drain app=\"app\" generation=1"));
    leave();
    finish();
}

TEST(in_production_code_that_cannot_run_leaves_the_old_one_in_place)
{
    struct app_config c = config("old"), bad = config("cannot run");

    c.dev = bad.dev = false;
    c.limits.process_idle_ms = bad.limits.process_idle_ms = 60000;
    open_with(&c);
    ask();
    UNTIL(heard("\r\n\r\nold"));
    leave();
    assert_int_equal(edge_reload(lab.edge, &bad, NULL), 0);
    UNTIL(was_told("failed app: app.js:1: no\n"));
    ask();
    UNTIL(heard("\r\n\r\nold"));
    leave();
    finish();
}

TEST(a_loop_is_ended_and_blamed)
{
    open_doing("loop");
    ask();
    UNTIL(heard("HTTP/1.1 503 "));
    assert_true(heard("CPU limit"));
    assert_true(lab_logged(&lab, "worker.cpu app=\"app\" limit_ms=200"));
    assert_int_equal(lab.edge->stats.workers_cpu, 1);
    leave();
    finish();
}

TEST(a_leak_is_ended_and_blamed)
{
    open_doing("eat");
    ask();
    UNTIL(heard("HTTP/1.1 503 "));
    assert_true(heard("memory limit"));
    assert_true(lab_logged(&lab, "worker.memory app=\"app\" limit_bytes=209715200"));
    leave();
    finish();
}

TEST(a_hostile_process_is_killed)
{
    open_doing("hostile");
    ask();
    UNTIL(lab.edge->stats.workers_hostile == 1);
    UNTIL(heard("HTTP/1.1 503 "));
    assert_true(lab_logged(&lab, "worker.hostile"));
    leave();
    finish();
}

TEST(a_process_that_does_not_leave_is_killed)
{
    open_doing("stays");
    ask();
    UNTIL(heard("\r\n\r\nstays"));
    leave();
    finish();
    assert_true(stopped);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_event_starts_a_process_and_idleness_ends_it),
        cmocka_unit_test(code_that_cannot_run_is_told_and_answered_until_a_reload),
        cmocka_unit_test(a_process_that_dies_at_its_start_is_started_later_and_later),
        cmocka_unit_test(a_process_that_is_not_ready_in_time_is_killed),
        cmocka_unit_test(a_reload_hands_over_to_the_new_generation),
        cmocka_unit_test(in_production_code_that_cannot_run_leaves_the_old_one_in_place),
        cmocka_unit_test(a_loop_is_ended_and_blamed),
        cmocka_unit_test(a_leak_is_ended_and_blamed),
        cmocka_unit_test(a_hostile_process_is_killed),
        cmocka_unit_test(a_process_that_does_not_leave_is_killed),
    };

    if (argc > 1 && strcmp(argv[1], "--app") == 0)
        return work();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
