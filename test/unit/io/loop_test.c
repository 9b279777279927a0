#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/mailbox.h"
#include "lib/test.h"

static char heard[256];

static void hear(const char *what)
{
    (void)snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s%s",
                   heard[0] ? " " : "", what);
}

static int forget(void **state)
{
    heard[0] = '\0';
    return 0;
}

static void say(void *arg)
{
    hear(arg);
}

struct alarm {
    struct timer timer;
    const char *name;
    struct loop *loop;
    int64_t again_ms;
};

static void on_due(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

    hear(a->name);
    if (a->again_ms)
        timer_set(a->loop, t, loop_now(a->loop) + a->again_ms);
}

TEST(phases_run_in_their_order)
{
    struct loop *l = loop_new_simulated();
    char reads[] = "reads", mail[] = "mailbox", deferred[] = "deferred", flush[] = "flush",
         reap[] = "reap";

    loop_defer(l, LOOP_REAP, say, reap);
    loop_defer(l, LOOP_FLUSH, say, flush);
    loop_defer(l, LOOP_DEFERRED, say, deferred);
    loop_defer(l, LOOP_MAILBOX, say, mail);
    loop_defer(l, LOOP_READS, say, reads);
    loop_advance(l, 0);
    assert_string_equal(heard, "reads mailbox deferred flush reap");
    loop_free(l);
}

static struct loop *the_loop;

static void doom_later(void *arg)
{
    static char task[] = "task", freed[] = "freed";

    loop_defer(the_loop, LOOP_READS, say, task);
    loop_defer(the_loop, LOOP_REAP, say, freed);
}

TEST(a_task_posted_before_doom_runs_before_the_memory_goes)
{
    the_loop = loop_new_simulated();
    loop_defer(the_loop, LOOP_DEFERRED, doom_later, NULL);
    loop_advance(the_loop, 0);
    assert_string_equal(heard, "task freed");
    loop_free(the_loop);
}

static void doom_in_reap(void *arg)
{
    loop_defer(the_loop, LOOP_REAP, doom_later, NULL);
}

TEST(doom_in_the_reap_phase_waits_for_tasks_too)
{
    the_loop = loop_new_simulated();
    loop_defer(the_loop, LOOP_REAP, doom_in_reap, NULL);
    loop_advance(the_loop, 0);
    assert_string_equal(heard, "task freed");
    loop_free(the_loop);
}

TEST(freeing_the_loop_frees_what_was_doomed)
{
    the_loop = loop_new_simulated();
    loop_defer(the_loop, LOOP_DEFERRED, doom_later, NULL);
    loop_free(the_loop);
    assert_string_equal(heard, "task freed");
}

TEST(timers_are_due_in_order_of_their_deadlines)
{
    struct loop *l = loop_new_simulated();
    struct alarm a = {{.due = on_due}, "a"}, b = {{.due = on_due}, "b"}, c = {{.due = on_due}, "c"};

    timer_set(l, &b.timer, loop_now(l) + 20);
    timer_set(l, &a.timer, loop_now(l) + 10);
    timer_set(l, &c.timer, loop_now(l) + 15);
    timer_del(l, &c.timer);
    loop_advance(l, 9);
    assert_string_equal(heard, "");
    loop_advance(l, 1);
    assert_string_equal(heard, "a");
    loop_advance(l, 100);
    assert_string_equal(heard, "a b");
    loop_free(l);
}

TEST(a_timer_may_set_itself_again)
{
    struct loop *l = loop_new_simulated();
    struct alarm a = {{.due = on_due}, "a", l, 10};

    timer_set(l, &a.timer, loop_now(l) + 10);
    loop_advance(l, 35);
    assert_string_equal(heard, "a a a");
    timer_del(l, &a.timer);
    loop_free(l);
}

TEST(a_timer_for_now_waits_for_the_next_tick)
{
    struct loop *l = loop_new();
    struct alarm a = {{.due = on_due}, "a", l, -5}; /* sets itself into the past */

    timer_set(l, &a.timer, loop_now(l));
    loop_tick(l, 0);
    assert_string_equal(heard, "a");
    loop_tick(l, -1);
    assert_string_equal(heard, "a a");
    timer_del(l, &a.timer);
    loop_free(l);
}

TEST(the_http_date_is_in_its_only_form)
{
    struct loop *l = loop_new_simulated();

    assert_true(slice_eq(loop_http_date(l), SLICE("Tue, 14 Nov 2023 22:13:20 GMT")));
    loop_advance(l, 1000);
    assert_true(slice_eq(loop_http_date(l), SLICE("Tue, 14 Nov 2023 22:13:21 GMT")));
    loop_free(l);
}

TEST(a_real_loop_waits_for_its_timer_and_not_longer)
{
    struct loop *l = loop_new();
    struct alarm a = {{.due = on_due}, "a"};
    const int64_t began = loop_now(l);

    timer_set(l, &a.timer, began + 30);
    while (!heard[0])
        loop_tick(l, 1000);
    assert_in_range(loop_now(l) - began, 30, 500);
    loop_free(l);
}

static void on_ready(struct watch *w, uint32_t events)
{
    hear("ready");
}

TEST(a_watch_is_told_once_an_edge_and_nothing_after_its_stop)
{
    struct loop *l = loop_new();
    struct watch w = {.ready = on_ready, .fd = eventfd(1, EFD_NONBLOCK)};
    const uint64_t one = 1;

    assert_int_equal(watch_start(l, &w, EPOLLIN), 0);
    loop_tick(l, 0);
    loop_tick(l, 0);
    assert_string_equal(heard, "ready");
    assert_int_equal(write(w.fd, &one, sizeof(one)), sizeof(one));
    loop_tick(l, 0);
    assert_string_equal(heard, "ready ready");
    assert_int_equal(write(w.fd, &one, sizeof(one)), sizeof(one));
    watch_stop(l, &w);
    loop_tick(l, 0);
    assert_string_equal(heard, "ready ready");
    (void)close(w.fd);
    loop_free(l);
}

static struct watch twins[2];

static void on_twin(struct watch *w, uint32_t events)
{
    hear("one");
    watch_stop(the_loop, &twins[w == &twins[0]]);
}

TEST(an_event_of_this_tick_is_not_told_to_a_watch_that_was_stopped_in_it)
{
    the_loop = loop_new();
    for (int i = 0; i < 2; i++) {
        twins[i] = (struct watch){.ready = on_twin, .fd = eventfd(1, EFD_NONBLOCK)};
        assert_int_equal(watch_start(the_loop, &twins[i], EPOLLIN), 0);
    }
    loop_tick(the_loop, 0);
    loop_tick(the_loop, 0);
    assert_string_equal(heard, "one");
    for (int i = 0; i < 2; i++) {
        watch_stop(the_loop, &twins[i]);
        (void)close(twins[i].fd);
    }
    loop_free(the_loop);
}

/* --- mails --- */

enum { SENDERS = 4, EACH = 20000 };

struct numbered {
    struct mail mail;
    int sender;
    int number;
};

static int last[SENDERS];
static int delivered;

static void on_numbered(struct mail *m)
{
    struct numbered *n = CONTAINER_OF(m, struct numbered, mail);

    assert_int_equal(n->number, last[n->sender] + 1);
    last[n->sender] = n->number;
    mem_free(n);
    if (++delivered == SENDERS * EACH)
        loop_stop(the_loop);
}

static void *post_many(void *arg)
{
    for (int i = 1; i <= EACH; i++) {
        struct numbered *n = mem_new(sizeof(*n));

        *n = (struct numbered){{.deliver = on_numbered}, (int)(intptr_t)arg, i};
        mailbox_post(the_loop, &n->mail);
    }
    return NULL;
}

TEST(mails_of_many_threads_arrive_all_and_in_order)
{
    pthread_t threads[SENDERS];

    the_loop = loop_new();
    delivered = 0;
    for (intptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
    loop_run(the_loop);
    for (int i = 0; i < SENDERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(delivered, SENDERS * EACH);
    loop_free(the_loop);
}

static void on_hello(struct mail *m)
{
    hear("hello");
}

TEST(mails_posted_before_the_end_are_delivered)
{
    struct loop *l = loop_new();
    struct mail m = {.deliver = on_hello};

    mailbox_post(l, &m);
    loop_free(l);
    assert_string_equal(heard, "hello");
}

TEST(stop_before_run_is_not_lost)
{
    struct loop *l = loop_new();

    loop_stop(l);
    loop_run(l);
    loop_free(l);
}

TEST(spinning_finds_what_comes)
{
    struct loop *l = loop_new();
    struct watch w = {.ready = on_ready, .fd = eventfd(1, EFD_NONBLOCK)};
    const uint64_t one = 1;

    loop_spin(l, 2000);
    assert_int_equal(watch_start(l, &w, EPOLLIN), 0);
    loop_tick(l, 10);
    assert_int_equal(write(w.fd, &one, sizeof(one)), sizeof(one));
    loop_tick(l, 10);
    loop_tick(l, 5);
    assert_string_equal(heard, "ready ready");
    watch_stop(l, &w);
    (void)close(w.fd);
    loop_free(l);
}

static void on_signal(void *arg, int number)
{
    hear(number == SIGUSR1 ? "usr1" : "?");
}

TEST(signals_are_told_on_the_loop)
{
    struct loop *l = loop_new();
    const int numbers[] = {SIGUSR1};
    struct signals *s = signals_open(l, numbers, 1, on_signal, NULL);

    assert_non_null(s);
    (void)raise(SIGUSR1);
    assert_string_equal(heard, "");
    loop_tick(l, 100);
    assert_string_equal(heard, "usr1");
    (void)raise(SIGPIPE); /* ignored from now on */
    signals_close(s);
    loop_free(l);
}

#define FRESH(t) cmocka_unit_test_setup(t, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(phases_run_in_their_order),
        FRESH(a_task_posted_before_doom_runs_before_the_memory_goes),
        FRESH(doom_in_the_reap_phase_waits_for_tasks_too),
        FRESH(freeing_the_loop_frees_what_was_doomed),
        FRESH(timers_are_due_in_order_of_their_deadlines),
        FRESH(a_timer_may_set_itself_again),
        FRESH(a_timer_for_now_waits_for_the_next_tick),
        FRESH(the_http_date_is_in_its_only_form),
        FRESH(a_real_loop_waits_for_its_timer_and_not_longer),
        FRESH(a_watch_is_told_once_an_edge_and_nothing_after_its_stop),
        FRESH(an_event_of_this_tick_is_not_told_to_a_watch_that_was_stopped_in_it),
        FRESH(mails_of_many_threads_arrive_all_and_in_order),
        FRESH(mails_posted_before_the_end_are_delivered),
        FRESH(stop_before_run_is_not_lost),
        FRESH(spinning_finds_what_comes),
        FRESH(signals_are_told_on_the_loop),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
