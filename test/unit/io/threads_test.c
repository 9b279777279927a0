#include "io/threads.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "io/descriptors.h"
#include "io/mailbox.h"
#include "lib/test.h"

enum { THREADS = 4, OPEN_MAX_LOW = 64, OPENED = 40 };

struct lab {
    struct loop *first;
    struct threads *threads;
    unsigned asked;           /* of which loop */
    int fds[THREADS][OPENED]; /* what each thread opened */
    int given, taken, copy;   /* a descriptor on its way */
    atomic_uint mails;
    unsigned left[THREADS]; /* in which order they left, from 1 */
    unsigned leavers;
};

static void open_lab(struct lab *lab)
{
    *lab = (struct lab){.first = loop_new()};
    lab->threads = threads_start(lab->first, THREADS);
    assert_non_null(lab->threads);
}

static void on_leave(void *arg, unsigned i)
{
    struct lab *lab = arg;

    lab->left[i] = ++lab->leavers;
    for (size_t n = 0; n < OPENED; n++)
        if (lab->fds[i][n] > 0)
            (void)close(lab->fds[i][n]);
}

static void close_lab(struct lab *lab)
{
    threads_end(lab->threads, on_leave, lab);
    loop_free(lab->first);
}

static int lowest_free(void)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    (void)close(fd);
    return fd;
}

static void open_many(void *arg)
{
    struct lab *lab = arg;

    for (size_t n = 0; n < OPENED; n++)
        lab->fds[lab->asked][n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(every_thread_has_as_many_descriptors_as_the_limit_says)
{
    struct lab lab;
    struct rlimit was, low;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    low = (struct rlimit){.rlim_cur = OPEN_MAX_LOW, .rlim_max = was.rlim_max};
    open_lab(&lab);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (lab.asked = 0; lab.asked < threads_tables(lab.threads); lab.asked++) {
        threads_call(lab.threads, lab.asked, open_many, &lab);
        assert_true(lab.fds[lab.asked][OPENED - 1] > 0);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    close_lab(&lab);
}

TEST(the_tables_are_as_many_as_the_threads)
{
    struct lab lab;
    struct threads *one;

    open_lab(&lab);
    assert_int_equal(threads_tables(lab.threads), descriptors_can_split() ? THREADS : 1);
    assert_ptr_equal(threads_loop(lab.threads, 0), lab.first);
    close_lab(&lab);
    lab = (struct lab){.first = loop_new()};
    one = threads_start(lab.first, 1);
    assert_int_equal(threads_tables(one), 1);
    lab.threads = one;
    close_lab(&lab);
}

TEST(a_thread_leaves_nothing_open_behind)
{
    struct lab lab;
    const int before = lowest_free();

    open_lab(&lab);
    threads_run(lab.threads);
    close_lab(&lab);
    assert_int_equal(lowest_free(), before);
}

static void take(void *arg)
{
    struct lab *lab = arg;

    lab->taken = loop_take(threads_loop(lab->threads, lab->asked), lab->given);
    if (lab->taken >= 0) {
        lab->copy = (int)write(lab->taken, "x", 1);
        (void)close(lab->taken);
    }
}

TEST(a_descriptor_is_given_to_another_thread)
{
    struct lab lab;
    int ends[2];
    char byte;

    open_lab(&lab);
    for (lab.asked = 0; lab.asked < THREADS; lab.asked++) {
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        lab.given = loop_give(threads_loop(lab.threads, lab.asked), ends[1]);
        threads_call(lab.threads, lab.asked, take, &lab);
        assert_int_equal(lab.copy, 1);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(read(ends[0], &byte, 1), 0); /* nobody else has the writing end */
        (void)close(ends[0]);
    }
    close_lab(&lab);
}

TEST(what_cannot_be_given_is_an_error_on_both_sides)
{
    struct lab lab;

    open_lab(&lab);
    lab.asked = 1;
    lab.given = loop_give(threads_loop(lab.threads, 1), -1);
    assert_true(lab.given < 0);
    threads_call(lab.threads, 1, take, &lab);
    assert_true(lab.taken < 0);
    close_lab(&lab);
}

struct mail_to_all {
    struct mail mail;
    struct lab *lab;
};

static void on_mail(struct mail *m)
{
    struct mail_to_all *one = CONTAINER_OF(m, struct mail_to_all, mail);

    if (atomic_fetch_add(&one->lab->mails, 1) + 1 == THREADS - 1)
        loop_stop(one->lab->first);
    mem_free(one);
}

TEST(loops_run_and_leave_one_after_another_the_first_last)
{
    struct lab lab;

    open_lab(&lab);
    threads_run(lab.threads);
    for (unsigned i = 1; i < THREADS; i++) {
        struct mail_to_all *one = mem_new(sizeof(*one));

        *one = (struct mail_to_all){.mail = {.deliver = on_mail}, .lab = &lab};
        mailbox_post(threads_loop(lab.threads, i), &one->mail);
    }
    loop_run(lab.first);
    assert_int_equal(atomic_load(&lab.mails), THREADS - 1);
    close_lab(&lab);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(lab.left[i], THREADS - i);
}

TEST(threads_that_never_ran_end_as_well)
{
    struct lab lab;

    open_lab(&lab);
    close_lab(&lab);
    assert_int_equal(lab.leavers, THREADS);
}

TEST(a_handover_keeps_the_order_and_says_when_it_is_empty)
{
    struct handover h;
    int ends[2], fd;
    char byte;

    assert_int_equal(handover_open(&h), 0);
    assert_int_equal(handover_take(&h), -ERR_OS);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(handover_give(&h, ends[0]), 0);
    assert_int_equal(handover_give(&h, ends[1]), 0);
    ends[0] = handover_take(&h);
    fd = handover_take(&h);
    assert_int_equal(write(fd, "y", 1), 1);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    (void)close(ends[0]);
    (void)close(fd);
    (void)close(h.give_fd);
    (void)close(h.take_fd);
}

TEST(a_handover_holds_a_hundred_and_its_bound_loses_nothing_that_was_taken)
{
    struct handover h;
    const int before = lowest_free();
    int given = 0, fd;

    assert_int_equal(handover_open(&h), 0);
    while (given < 5000 && handover_give(&h, open("/dev/null", O_RDONLY | O_CLOEXEC)) == 0)
        given++;
    assert_in_range(given, 100, 4999);
    for (int i = 0; i < given; i++) {
        fd = handover_take(&h);
        assert_true(fd >= 0);
        (void)close(fd);
    }
    assert_int_equal(handover_take(&h), -ERR_OS);
    (void)close(h.give_fd);
    (void)close(h.take_fd);
    assert_int_equal(lowest_free(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_has_as_many_descriptors_as_the_limit_says),
        cmocka_unit_test(the_tables_are_as_many_as_the_threads),
        cmocka_unit_test(a_thread_leaves_nothing_open_behind),
        cmocka_unit_test(a_descriptor_is_given_to_another_thread),
        cmocka_unit_test(what_cannot_be_given_is_an_error_on_both_sides),
        cmocka_unit_test(loops_run_and_leave_one_after_another_the_first_last),
        cmocka_unit_test(threads_that_never_ran_end_as_well),
        cmocka_unit_test(a_handover_keeps_the_order_and_says_when_it_is_empty),
        cmocka_unit_test(a_handover_holds_a_hundred_and_its_bound_loses_nothing_that_was_taken),
    };

    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
