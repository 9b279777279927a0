#include "io/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

static struct buf said;
static int status, gone;

static void on_output(void *arg, int fd, struct slice bytes)
{
    assert_int_equal(buf_addf(&said, "%d:", fd), 0);
    assert_int_equal(buf_add(&said, bytes), 0);
}

static void on_exited(void *arg, int with)
{
    status = with;
    gone++;
}

static const struct child_ops ops = {on_output, on_exited};

static int fresh(void **state)
{
    buf_done(&said);
    buf_init(&said, 1 << 20);
    status = gone = 0;
    return 0;
}

static int done(void **state)
{
    buf_done(&said);
    return 0;
}

static void wait_gone(struct loop *l)
{
    for (int i = 0; i < 4000 && !gone; i++)
        loop_tick(l, 50);
    assert_int_equal(gone, 1);
}

static struct child *shell(struct loop *l, const char *script, enum child_stdio stdio)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct child_options o = {.argv = argv, .stdio = stdio};
    struct err_note note = {0};
    struct child *c = child_open(l, &o, &ops, NULL, &note);

    assert_string_equal(note.text, "");
    return c;
}

TEST(output_is_captured_whole_before_the_end_is_told)
{
    struct loop *l = loop_new();
    struct child *c = shell(l, "echo out; sleep 0.05; echo err >&2; exit 3", CHILD_CAPTURE);
    char text[64];

    wait_gone(l);
    assert_true(slice_eq(buf_slice(&said), SLICE("1:out\n2:err\n")));
    assert_string_equal(child_status_text(status, text), "exited with status 3");
    child_close(c);
    loop_free(l);
}

TEST(stdin_is_empty_and_no_descriptor_leaks)
{
    struct loop *l = loop_new();
    const int leaky = open("/dev/null", O_RDONLY); /* not close-on-exec */
    struct child *c = shell(l, "cat; ls /proc/self/fd | wc -l", CHILD_CAPTURE);

    wait_gone(l);
    /* 0, 1, 2 and the one that ls reads the folder with. */
    assert_true(slice_eq(buf_slice(&said), SLICE("1:4\n")));
    child_close(c);
    (void)close(leaky);
    loop_free(l);
}

TEST(descriptors_become_three_and_on_in_any_order)
{
    struct loop *l = loop_new();
    const char *const argv[] = {"sh", "-c", "echo three >&3; echo four >&4", NULL};
    int a[2], b[2];
    char text[16] = {0};
    struct child *c;

    assert_int_equal(child_socketpair(a, 0), 0);
    assert_int_equal(child_socketpair(b, 65536), 0);
    /* Given in the order in which each would overwrite the other. */
    const int fds[] = {MAX(a[1], b[1]), MIN(a[1], b[1])};
    const struct child_options o = {.argv = argv, .fds = fds, .n_fds = 2, .stdio = CHILD_NULL};

    c = child_open(l, &o, &ops, NULL, NULL);
    wait_gone(l);
    assert_int_equal(status, 0);
    assert_int_equal(read(fds[0] == a[1] ? a[0] : b[0], text, sizeof(text) - 1), 6);
    assert_string_equal(text, "three\n");
    child_close(c);
    for (int i = 0; i < 2; i++) {
        (void)close(a[i]);
        (void)close(b[i]);
    }
    loop_free(l);
}

TEST(a_missing_program_is_said)
{
    struct loop *l = loop_new();
    const char *const argv[] = {"/nowhere/at-all", NULL};
    const struct child_options o = {.argv = argv};
    struct err_note note = {0};

    assert_null(child_open(l, &o, &ops, NULL, &note));
    assert_string_equal(note.text, "cannot start /nowhere/at-all: No such file or directory");
    loop_free(l);
}

TEST(a_signal_reaches_it_and_its_mask_is_clear)
{
    struct loop *l = loop_new();
    struct child *c;
    sigset_t set;
    char text[64];

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    c = shell(l, "exec sleep 60", CHILD_NULL);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    child_signal(c, SIGTERM);
    wait_gone(l);
    assert_string_equal(child_status_text(status, text), "was killed by signal 15 (Terminated)");
    child_signal(c, SIGTERM); /* gone: nothing */
    child_close(c);
    loop_free(l);
}

TEST(a_child_that_never_stops_talking_does_not_stop_the_loop)
{
    struct loop *l = loop_new();
    struct child *c = shell(l, "cat /dev/zero", CHILD_CAPTURE);

    said.max = 1 << 30;
    for (int i = 0; i < 4000 && said.n == 0; i++)
        loop_tick(l, 10);
    for (int i = 0; i < 20; i++)
        loop_tick(l, 100);
    assert_true(said.n > 0);
    child_close(c);
    for (int i = 0; i < 50; i++)
        loop_tick(l, 2);
    assert_int_equal(gone, 0);
    loop_free(l);
}

TEST(who_is_let_go_is_killed_and_reaped_in_silence)
{
    struct loop *l = loop_new();
    struct child *c = shell(l, "exec sleep 60", CHILD_CAPTURE);
    const pid_t pid = child_pid(c);

    assert_true(child_memory(pid) > 0);
    assert_true(child_cpu_ms(pid) >= 0);
    child_close(c);
    for (int i = 0; i < 4000 && kill(pid, 0) == 0; i++)
        loop_tick(l, 20);
    assert_int_not_equal(kill(pid, 0), 0);
    assert_int_equal(child_memory(pid), -1);
    assert_int_equal(child_cpu_ms(pid), -1);
    assert_int_equal(gone, 0);
    loop_free(l);
}

TEST(a_loop_that_ends_leaves_no_process_behind)
{
    struct loop *l = loop_new();
    struct child *c = shell(l, "exec sleep 60", CHILD_CAPTURE);
    const pid_t pid = child_pid(c);

    child_end(c);
    assert_int_not_equal(kill(pid, 0), 0);
    assert_int_equal(gone, 0);
    loop_free(l);
}

#define FRESH(t) cmocka_unit_test_setup_teardown(t, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(output_is_captured_whole_before_the_end_is_told),
        FRESH(stdin_is_empty_and_no_descriptor_leaks),
        FRESH(descriptors_become_three_and_on_in_any_order),
        FRESH(a_missing_program_is_said),
        FRESH(a_signal_reaches_it_and_its_mask_is_clear),
        FRESH(a_child_that_never_stops_talking_does_not_stop_the_loop),
        FRESH(who_is_let_go_is_killed_and_reaped_in_silence),
        FRESH(a_loop_that_ends_leaves_no_process_behind),
    };

    return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
