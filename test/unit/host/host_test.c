/* The worker process as the gateway sees it: frames in, frames out. */
#include "host/host.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "lib/worker.h"

#define FETCH(body) "return {default: {async fetch(request, env, ctx) {" body "}}};"

static const char *text_of(const struct ipc_frame *f, size_t skip)
{
    static char text[4096];

    snprintf(text, sizeof(text), "%.*s", (int)(f->payload.n - skip), f->payload.p + skip);
    return text;
}

static struct worker ready(const char *script, const struct worker_options *options)
{
    struct worker w;

    worker_start(&w, script, options);
    worker_expect(&w, IPC_READY);
    return w;
}

static void expect_ack(struct worker *w, uint64_t first, uint64_t count)
{
    const struct ipc_frame *f = worker_expect(w, IPC_ACK);

    assert_int_equal(f->payload.n, 16);
    assert_int_equal(ipc_u64_at(f->payload.p), first);
    assert_int_equal(ipc_u64_at(f->payload.p + 8), count);
}

static void expect_failed(const char *script, const char *begin)
{
    struct worker w;
    const struct ipc_frame *f;

    worker_start(&w, script, NULL);
    f = worker_expect(&w, IPC_FAILED);
    if (strncmp(text_of(f, 4), begin, strlen(begin)) != 0)
        fail_msg("got \"%s\", expected \"%s\"", text_of(f, 4), begin);
    assert_int_equal(worker_end(&w), HOST_EXIT_FAILED);
}

/* --- requests --- */

TEST(host_answers_a_request_and_acknowledges_it_behind_the_answer)
{
    struct worker w = ready(FETCH("return new Response(request.method + request.url)"), NULL);

    worker_request(&w, 9, "POST http://test/a\n");
    worker_expect_text(&w, 200, "POSThttp://test/a");
    expect_ack(&w, 1, 1);
    worker_stop(&w);
}

TEST(host_answers_a_batch_in_one_piece)
{
    struct worker w = ready(FETCH("return new Response(request.url)"), NULL);
    struct buf out;

    buf_init(&out, 1 << 20);
    for (uint64_t i = 1; i <= 50; i++)
        (void)ipc_put_request(&out, i, 0,
                              &(struct ipc_request){.seq = i, .head = SLICE("GET http://t/\n")});
    worker_say(&w, &out);
    for (int i = 0; i < 50; i++)
        worker_expect_text(&w, 200, "http://t/");
    expect_ack(&w, 1, 50);
    buf_done(&out);
    worker_stop(&w);
}

TEST(host_notes_the_event_in_the_pulse_page)
{
    struct worker w = ready(FETCH("return new Response('x')"), NULL);

    w.seq = 41;
    worker_request(&w, 1, "GET http://t/\n");
    worker_expect(&w, IPC_ACK);
    assert_int_equal(atomic_load(&w.pulse->begun[0]), 42);
    assert_int_equal(atomic_load(&w.pulse->turn) & 1, 0);
    worker_stop(&w);
}

TEST(host_waits_for_waituntil_before_the_ack)
{
    struct worker w =
        ready(FETCH("ctx.waitUntil(new Promise((done) => setTimeout(() => {"
                    "console.log('later'); done(); }, 20))); return new Response('now')"),
              NULL);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_text(&w, 200, "now");
    assert_int_equal(worker_hear(&w)->type, IPC_LOG);
    expect_ack(&w, 1, 1);
    assert_int_equal(worker_hear(&w)->type, IPC_IDLE);
    worker_stop(&w);
}

static void say_body(struct worker *w, uint64_t id, size_t n, bool end)
{
    struct buf out;
    uint8_t *bytes = mem_new(n);

    memset(bytes, 'x', n);
    buf_init(&out, 1 << 24);
    (void)ipc_put_body(&out, id, end ? IPC_END : 0, &(struct ipc_body){.bytes = {bytes, n}});
    worker_say(w, &out);
    buf_done(&out);
    mem_free(bytes);
}

static void say_request_with_body(struct worker *w)
{
    const struct ipc_request m = {
        .seq = ++w->seq, .body = IPC_BODY_STREAM, .head = SLICE("POST http://t/\n")};
    struct buf out;

    buf_init(&out, 4096);
    (void)ipc_put_request(&out, 1, 0, &m);
    worker_say(w, &out);
    buf_done(&out);
}

TEST(host_grants_credit_for_what_the_application_read)
{
    struct worker w = ready(FETCH("return new Response((await request.text()).length)"), NULL);
    struct ipc_credit m;
    size_t credit = IPC_BODY_WINDOW;
    size_t left = 3 * IPC_BODY_WINDOW;

    say_request_with_body(&w);
    while (left) {
        const size_t n = MIN(left, MIN(credit, (size_t)64 << 10));

        say_body(&w, 1, n, left == n);
        left -= n;
        credit -= n;
        while (left && credit == 0) {
            assert_int_equal(ipc_get_credit(worker_expect(&w, IPC_CREDIT), &m), 0);
            credit += m.bytes;
        }
    }
    worker_expect_text(&w, 200, "786432");
    worker_stop(&w);
}

TEST(host_sends_no_more_of_a_body_than_the_window)
{
    struct worker w = ready(FETCH("return new Response('y'.repeat(1000000))"), NULL);
    size_t got = 0;
    size_t window = IPC_BODY_WINDOW;
    struct buf out;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    worker_expect(&w, IPC_RESPONSE);
    for (bool end = false; !end;) {
        const struct ipc_frame *f = worker_expect(&w, IPC_BODY);
        const size_t n = f->payload.n;

        end = f->flags & IPC_END;
        assert_true(n <= window);
        window -= n;
        got += n;
        if (window == 0) {
            window = 100000;
            (void)ipc_put_credit(&out, 1, 0, &(struct ipc_credit){.bytes = 100000});
            worker_say(&w, &out);
        }
    }
    assert_int_equal(got, 1000000);
    expect_ack(&w, 1, 1);
    buf_done(&out);
    worker_stop(&w);
}

TEST(host_tells_a_body_that_its_client_is_gone)
{
    struct worker w = ready(
        FETCH(
            "return new Response(new ReadableStream({pull(c) { c.enqueue(new Uint8Array(1000)); },"
            "cancel() { console.log('cancelled'); }}))"),
        NULL);
    struct buf out;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    worker_expect(&w, IPC_BODY);
    (void)ipc_put_cancel(&out, 1, 0, &(struct ipc_cancel){.error = ERR_RESET});
    worker_say(&w, &out);
    worker_expect_log(&w, "cancelled");
    expect_ack(&w, 1, 1);
    buf_done(&out);
    worker_stop(&w);
}

/* --- outgoing --- */

TEST(host_fetches_through_the_gateway)
{
    struct worker w =
        ready(FETCH("const r = await fetch('http://other/', {method: 'PUT', body: 'up',"
                    "headers: {a: 'b'}});"
                    "return new Response(r.status + await r.text())"),
              NULL);
    struct ipc_fetch m;
    struct buf out;
    uint64_t id;
    const struct ipc_frame *f;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    f = worker_expect(&w, IPC_FETCH);
    id = f->id;
    assert_true(id & IPC_WORKER_EXCHANGE);
    assert_int_equal(ipc_get_fetch(f, &m), 0);
    assert_true(slice_starts(m.head, SLICE("PUT http://other/\na: b\n")));
    assert_int_equal(m.length, 2);
    worker_expect(&w, IPC_BODY);
    (void)ipc_put_response(
        &out, id, 0, &(struct ipc_response){.status = 201, .body = IPC_BODY_LENGTH, .length = 4});
    (void)ipc_put_body(&out, id, IPC_END, &(struct ipc_body){.bytes = SLICE("down")});
    worker_say(&w, &out);
    worker_expect_text(&w, 200, "201down");
    buf_done(&out);
    worker_stop(&w);
}

TEST(host_reports_a_fetch_that_failed)
{
    struct worker w = ready(FETCH("try { await fetch('http://other/'); } catch (e) {"
                                  "return new Response(String(e)); }"),
                            NULL);
    struct buf out;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    (void)ipc_put_fail(
        &out, worker_expect(&w, IPC_FETCH)->id, 0,
        &(struct ipc_fail){.error = ERR_REFUSED, .text = SLICE("connection refused")});
    worker_say(&w, &out);
    worker_expect_text(&w, 200, "Error: connection refused");
    buf_done(&out);
    worker_stop(&w);
}

TEST(host_runs_scripts_of_the_service_worker_format)
{
    const struct worker_options o = {
        .sandbox = SANDBOX_OFF,
        .config = "\"format\": \"service-worker\", "
                  "\"bindings\": [{\"type\": \"text\", \"name\": \"WHO\", \"value\": \"me\"}]",
    };
    struct worker w =
        ready("loose = 'by ';"
              "addEventListener('fetch', (e) => e.respondWith(new Response(loose + WHO)));"
              "return {};",
              &o);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_text(&w, 200, "by me");
    worker_stop(&w);
}

TEST(host_calls_entrypoints_that_are_classes)
{
    const struct worker_options o = {
        .sandbox = SANDBOX_OFF,
        .config =
            "\"bindings\": [{\"type\": \"service\", \"name\": \"SELF\", \"service\": \"test\", "
            "\"self\": true, \"entrypoint\": \"Adder\", \"props\": {\"base\": 10}}]",
    };
    struct worker w = ready(
        "const { WorkerEntrypoint } = __holdfast.modules['cloudflare:workers'];"
        "class Adder extends WorkerEntrypoint { add(a, b) { return a + b + this.ctx.props.base; } }"
        "class Main extends WorkerEntrypoint {"
        "async fetch() { return new Response(await this.env.SELF.add(1, 2)); } }"
        "return {Adder, default: Main};",
        &o);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_text(&w, 200, "13");
    worker_stop(&w);
}

TEST(host_does_no_io_while_the_module_is_evaluated)
{
    struct worker w =
        ready("const said = await fetch('http://x/').catch((error) => error.message);" FETCH(
                  "return new Response(said.slice(0, 41))"),
              NULL);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_text(&w, 200, "Disallowed operation called within global");
    worker_stop(&w);
}

/* --- errors --- */

TEST(host_logs_what_a_handler_throws_and_answers_500)
{
    struct worker w = ready(FETCH("\nthrow new TypeError('no')"), NULL);
    struct ipc_fail m;

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_log(&w, "Uncaught TypeError: no\n    at fetch (worker.js:2:20)");
    assert_int_equal(ipc_get_fail(worker_expect(&w, IPC_FAIL), &m), 0);
    assert_int_equal(m.status, 500);
    assert_true(slice_eq(m.text, SLICE("TypeError: no\n    at fetch (worker.js:2:20)\n")));
    expect_ack(&w, 1, 1);
    worker_stop(&w);
}

TEST(host_shows_clients_no_details_in_production)
{
    const struct worker_options o = {.sandbox = SANDBOX_OFF, .config = "\"dev\": false"};
    struct worker w = ready(FETCH("throw new TypeError('secret')"), &o);
    struct ipc_fail m;

    worker_request(&w, 1, "GET http://t/\n");
    assert_int_equal(ipc_get_fail(worker_expect(&w, IPC_FAIL), &m), 0);
    assert_true(slice_eq(m.text, SLICE("Internal Server Error")));
    worker_stop(&w);
}

TEST(host_ends_a_request_that_nothing_can_answer)
{
    struct worker w = ready(FETCH("await new Promise(() => {})"), NULL);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect(&w, IPC_FAIL);
    expect_ack(&w, 1, 1);
    assert_int_equal(worker_hear(&w)->type, IPC_IDLE);
    worker_stop(&w);
}

TEST(host_logs_rejections_that_nobody_handles)
{
    struct worker w =
        ready(FETCH("Promise.reject(new Error('lost')); return new Response('ok')"), NULL);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_log(&w, "Uncaught (in promise) Error: lost\n    at fetch (worker.js:1:116)");
    worker_stop(&w);
}

TEST(host_says_why_an_application_cannot_run)
{
    expect_failed("let x = ;", "Uncaught SyntaxError: Unexpected token ';'\n    at worker.js:1");
    expect_failed("\nthrow new Error('early')", "Uncaught Error: early\n    at worker.js:2:16");
    expect_failed("return {}", "The entry file has no default export.");
    expect_failed("return {default: 5}", "The default export of the entry file is a number");
    expect_failed("setTimeout(() => {})", "Uncaught Error: Disallowed operation called within");
}

TEST(host_maps_places_to_the_authors_files)
{
    /* One source, "app.ts"; line 1 column 0 of the bundle is its line 3, column 4. */
    const struct worker_options o = {
        .sandbox = SANDBOX_OFF,
        .map = "{\"version\":3,\"sources\":[\"app.ts\"],\"names\":[],\"mappings\":\"AAEI\"}",
    };
    struct worker w;
    const struct ipc_frame *f;

    worker_start(&w, "throw new Error('mapped')", &o);
    f = worker_expect(&w, IPC_FAILED);
    assert_string_equal(text_of(f, 4), "Uncaught Error: mapped\n    at app.ts:3:5");
    assert_int_equal(worker_end(&w), HOST_EXIT_FAILED);
}

/* --- storage and the output gate --- */

#define ROOMS                                                                                      \
    "\"bindings\": [{\"type\": \"durable_object\", \"name\": \"ROOMS\", \"class\": \"Room\"}], "   \
    "\"durable\": {\"classes\": [{\"name\": \"Room\", \"key\": \"test-Room\", \"sqlite\": true}]}"

/* An object that stores a value of some size, and tells it at once; ?n: how many there are. */
static const char room[] = "class Room { constructor(state) { this.storage = state.storage; }"
                           "async fetch(request) {"
                           "if (!request.url.endsWith('n')) this.storage.put('k', "
                           "'v'.repeat(Number(new URL(request.url).pathname.slice(1))));"
                           "return new Response(String((await this.storage.list()).size)); } }"
                           "return {Room, default: {fetch(request, env) { return "
                           "env.ROOMS.getByName('a').fetch(request); }}};";

static char *state_folder(void)
{
    static char path[64];

    snprintf(path, sizeof(path), "/tmp/holdfast-host-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

TEST(host_keeps_what_an_object_stored_before_it_answers)
{
    const struct worker_options o = {
        .sandbox = SANDBOX_AUTO, .state_dir = state_folder(), .config = ROOMS};
    struct worker w = ready(room, &o);
    struct ipc_response m;

    worker_request(&w, 1, "GET http://t/100\n");
    worker_restore_none(&w);
    worker_expect_text(&w, 200, "1");
    (void)kill(w.pid, SIGKILL); /* what was answered is there */
    assert_int_equal(worker_end(&w), -SIGKILL);
    w = ready(room, &o);
    worker_request(&w, 1, "GET http://t/n\n");
    worker_restore_none(&w);
    assert_int_equal(ipc_get_response(worker_expect(&w, IPC_RESPONSE), &m), 0);
    worker_stop(&w);
    (void)nftw(o.state_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Thousands of turns that nothing else wakes the process for: instances rest for an hour. */
TEST(host_goes_on_with_what_one_batch_has_no_room_for)
{
    const struct worker_options o = {.config = "\"bindings\": [{\"type\": \"durable_object\", "
                                               "\"name\": \"ROOMS\", \"class\": \"Room\"}], "
                                               "\"durable\": {\"idle_ms\": 3600000, \"classes\": "
                                               "[{\"name\": \"Room\", \"key\": \"t-Room\"}]}"};
    struct worker w = ready("class Room { n = 0; fetch() { return new Response(++this.n); } }"
                            "return {Room, default: {async fetch(request, env) {"
                            "const calls = Array.from({length: 2000}, () => "
                            "env.ROOMS.getByName('a').fetch(request.url));"
                            "return (await Promise.all(calls)).at(-1); }}};",
                            &o);

    worker_request(&w, 1, "GET http://t/\n");
    worker_restore_none(&w);
    worker_expect_text(&w, 200, "2000");
    worker_stop(&w);
}

TEST(host_tells_nobody_of_writes_that_could_not_be_kept)
{
    const struct worker_options o = {.sandbox = SANDBOX_OFF,
                                     .state_dir = state_folder(),
                                     .config = ROOMS,
                                     .file_max = 128 << 10};
    struct worker w = ready(room, &o);
    const struct ipc_frame *f;

    worker_request(&w, 1, "GET http://t/1000000\n");
    worker_restore_none(&w);
    while ((f = worker_hear(&w))->type != IPC_FAIL)
        assert_int_not_equal(f->type, IPC_RESPONSE);
    expect_ack(&w, 1, 1);
    worker_request(&w, 2, "GET http://t/10\n"); /* a new instance: small values fit */
    worker_restore_none(&w);
    worker_expect_text(&w, 200, "1");
    worker_stop(&w);
    (void)nftw(o.state_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- limits --- */

static void expect_exiting(struct worker *w, int err)
{
    struct ipc_exiting m;

    assert_int_equal(ipc_get_exiting(worker_expect(w, IPC_EXITING), &m), 0);
    assert_int_equal(m.error, err);
    assert_int_equal(worker_end(w),
                     err == ERR_WORKER_MEMORY ? WORKER_EXIT_MEMORY : WORKER_EXIT_CPU);
}

static void expect_overrun(const char *script, const char *config)
{
    const struct worker_options o = {.sandbox = SANDBOX_AUTO, .cpu_ms = 100, .config = config};
    struct worker w = ready(script, &o);

    worker_request(&w, 1, "GET http://t/\n");
    expect_exiting(&w, ERR_WORKER_CPU);
}

TEST(host_ends_a_loop)
{
    expect_overrun(FETCH("for (;;);"), NULL);
    expect_overrun(FETCH("for (;;);"), "\"dev\": false");
}

TEST(host_ends_a_loop_that_catches_everything)
{
    expect_overrun(FETCH("for (;;) try { for (;;); } catch {} finally { for (;;); }"), NULL);
}

TEST(host_ends_a_loop_of_microtasks)
{
    expect_overrun(FETCH("const f = () => Promise.resolve().then(f); f();"), NULL);
}

TEST(host_ends_a_loop_in_native_code)
{
    expect_overrun(FETCH("/^(a+)+$/.test('a'.repeat(40) + 'b')"), NULL);
}

TEST(host_says_where_a_loop_was)
{
    const struct worker_options o = {.sandbox = SANDBOX_OFF, .cpu_ms = 100};
    struct worker w =
        ready("function spin() {\n let x = 0;\n for (;;) x++;\n}\n" FETCH("spin()"), &o);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_log(&w, "The event used more CPU time than its limit and was ended.\n"
                          "    at spin (worker.js:1)\n    at fetch (worker.js:5)");
    expect_exiting(&w, ERR_WORKER_CPU);
}

TEST(host_ends_a_leak)
{
    const struct worker_options o = {.sandbox = SANDBOX_AUTO, .memory_bytes = 192 << 20};
    struct worker w =
        ready(FETCH("const a = []; for (;;) a.push(new Uint8Array(1000000).fill(1));"), &o);

    worker_request(&w, 1, "GET http://t/\n");
    expect_exiting(&w, ERR_WORKER_MEMORY);
}

TEST(host_lets_garbage_be)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); /* freed memory stays resident in its quarantine */
#endif
    const struct worker_options o = {.sandbox = SANDBOX_AUTO, .memory_bytes = 192 << 20};
    struct worker w = ready(FETCH("let a; for (let i = 0; i < 3000; i++) {"
                                  "a = new Uint8Array(1000000).fill(1); a = 'x'.repeat(i) + {i}; }"
                                  "return new Response('fine')"),
                            &o);

    worker_request(&w, 1, "GET http://t/\n");
    worker_expect_text(&w, 200, "fine");
    worker_stop(&w);
}

/* --- the end --- */

TEST(host_drains_what_runs_and_leaves)
{
    struct worker w = ready(FETCH("await scheduler.wait(50); return new Response('done')"), NULL);
    struct ipc_exiting m;
    struct buf out;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    (void)ipc_put_drain(&out, 0, 0, &(struct ipc_drain){.deadline_ms = 5000});
    worker_say(&w, &out);
    worker_expect_text(&w, 200, "done");
    expect_ack(&w, 1, 1);
    assert_int_equal(ipc_get_exiting(worker_expect(&w, IPC_EXITING), &m), 0);
    assert_int_equal(m.error, 0);
    assert_int_equal(worker_end(&w), HOST_EXIT_OK);
    buf_done(&out);
}

TEST(host_leaves_at_the_deadline_whatever_runs)
{
    struct worker w = ready(FETCH("await scheduler.wait(60000)"), NULL);
    struct buf out;

    buf_init(&out, 4096);
    worker_request(&w, 1, "GET http://t/\n");
    (void)ipc_put_drain(&out, 0, 0, &(struct ipc_drain){.deadline_ms = 50});
    worker_say(&w, &out);
    worker_expect(&w, IPC_EXITING);
    assert_int_equal(worker_end(&w), HOST_EXIT_OK);
    buf_done(&out);
}

/* Its last words and its end are one event of the link. */
static int end_with(struct worker *w, struct buf *out)
{
    (void)kill(w->pid, SIGSTOP);
    worker_say(w, out);
    (void)shutdown(w->fd, SHUT_RDWR);
    (void)kill(w->pid, SIGCONT);
    return worker_end(w);
}

TEST(host_ends_with_the_gateway)
{
    struct worker w = ready(FETCH("return new Response('x')"), NULL);
    struct buf out;

    buf_init(&out, 4096);
    (void)ipc_put_credit(&out, 7, 0, &(struct ipc_credit){.bytes = 1});
    assert_int_equal(end_with(&w, &out), HOST_EXIT_OK);
    w = ready(FETCH("return new Response('x')"), NULL);
    (void)buf_add(&out, SLICE("its last words are no frame at all"));
    assert_int_equal(end_with(&w, &out), HOST_EXIT_FAILED);
    buf_done(&out);
}

TEST(host_refuses_nonsense_from_the_gateway)
{
    struct worker w;
    struct buf out;

    worker_start(&w, "", &(struct worker_options){.sandbox = SANDBOX_OFF, .silent = true});
    buf_init(&out, 4096);
    (void)buf_add(&out, SLICE("this is no frame at all, is it?"));
    worker_say(&w, &out);
    assert_int_equal(worker_end(&w), HOST_EXIT_FAILED);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_answers_a_request_and_acknowledges_it_behind_the_answer),
        cmocka_unit_test(host_answers_a_batch_in_one_piece),
        cmocka_unit_test(host_notes_the_event_in_the_pulse_page),
        cmocka_unit_test(host_waits_for_waituntil_before_the_ack),
        cmocka_unit_test(host_grants_credit_for_what_the_application_read),
        cmocka_unit_test(host_sends_no_more_of_a_body_than_the_window),
        cmocka_unit_test(host_tells_a_body_that_its_client_is_gone),
        cmocka_unit_test(host_fetches_through_the_gateway),
        cmocka_unit_test(host_reports_a_fetch_that_failed),
        cmocka_unit_test(host_runs_scripts_of_the_service_worker_format),
        cmocka_unit_test(host_calls_entrypoints_that_are_classes),
        cmocka_unit_test(host_does_no_io_while_the_module_is_evaluated),
        cmocka_unit_test(host_logs_what_a_handler_throws_and_answers_500),
        cmocka_unit_test(host_shows_clients_no_details_in_production),
        cmocka_unit_test(host_ends_a_request_that_nothing_can_answer),
        cmocka_unit_test(host_logs_rejections_that_nobody_handles),
        cmocka_unit_test(host_says_why_an_application_cannot_run),
        cmocka_unit_test(host_maps_places_to_the_authors_files),
        cmocka_unit_test(host_keeps_what_an_object_stored_before_it_answers),
        cmocka_unit_test(host_goes_on_with_what_one_batch_has_no_room_for),
        cmocka_unit_test(host_tells_nobody_of_writes_that_could_not_be_kept),
        cmocka_unit_test(host_ends_a_loop),
        cmocka_unit_test(host_ends_a_loop_that_catches_everything),
        cmocka_unit_test(host_ends_a_loop_of_microtasks),
        cmocka_unit_test(host_ends_a_loop_in_native_code),
        cmocka_unit_test(host_says_where_a_loop_was),
        cmocka_unit_test(host_ends_a_leak),
        cmocka_unit_test(host_lets_garbage_be),
        cmocka_unit_test(host_drains_what_runs_and_leaves),
        cmocka_unit_test(host_leaves_at_the_deadline_whatever_runs),
        cmocka_unit_test(host_ends_with_the_gateway),
        cmocka_unit_test(host_refuses_nonsense_from_the_gateway),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
