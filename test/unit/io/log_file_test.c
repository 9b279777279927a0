#include "io/log_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/loop.h"
#include "lib/test.h"

/* What stands in the file now. */
static struct slice content(const char *path, char *room, size_t n)
{
    const int fd = open(path, O_RDONLY);
    const ssize_t r = fd < 0 ? 0 : read(fd, room, n);

    if (fd >= 0)
        (void)close(fd);
    return slice_make(room, (size_t)MAX(r, 0));
}

static void pass(struct loop *l, int64_t ms)
{
    for (const int64_t end = loop_now(l) + ms; loop_now(l) < end;)
        loop_tick(l, 5);
}

TEST(lines_gather_and_leave_together)
{
    char path[] = "/tmp/log_file_XXXXXX", moved[64], room[4096];
    struct loop *l = loop_new();
    struct log_file *f;
    struct log log;

    (void)close(mkstemp(path));
    (void)snprintf(moved, sizeof(moved), "%s.1", path);
    f = log_file_open(l, path, NULL);
    assert_non_null(f);
    log = log_file_log(f, LOG_JSON);
    log_event(&log, LOG_DEBUG, "one");
    log_event(&log, LOG_DEBUG, "two");
    assert_int_equal(content(path, room, sizeof(room)).n, 0);
    pass(l, LOG_FILE_LAG_MS + 20);
    assert_true(slice_find_slice(content(path, room, sizeof(room)), SLICE("two")) > 0);

    assert_int_equal(rename(path, moved), 0);
    pass(l, 1100);
    log_event(&log, LOG_DEBUG, "three");
    log_file_close(f);
    assert_true(slice_find_slice(content(path, room, sizeof(room)), SLICE("three")) > 0);
    assert_true(slice_find_slice(content(moved, room, sizeof(room)), SLICE("three")) < 0);
    loop_free(l);
    (void)unlink(path);
    (void)unlink(moved);
}

TEST(what_a_pipe_does_not_take_is_counted)
{
    char path[] = "/tmp/log_file_XXXXXX", room[1 << 17];
    struct loop *l = loop_new();
    struct log_file *f;
    struct log log;
    int reader;
    ssize_t n;

    (void)close(mkstemp(path));
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    f = log_file_open(l, path, NULL);
    assert_non_null(f);
    log = log_file_log(f, LOG_HUMAN);
    for (int i = 0; i < 5000; i++) {
        log_event(&log, LOG_INFO, "line", F_INT("i", i));
        loop_tick(l, 0);
    }
    pass(l, LOG_FILE_LAG_MS + 20);
    assert_true(log_file_lost(f) > 0);
    n = read(reader, room, sizeof(room));
    assert_true(n > 4096 && room[n - 1] == '\n');
    log_file_close(f);
    (void)close(reader);
    loop_free(l);
    (void)unlink(path);
}

TEST(a_place_that_is_not_there_is_an_error)
{
    struct loop *l = loop_new();
    struct err_note note = {0};

    assert_null(log_file_open(l, "/nowhere/at/all", &note));
    assert_non_null(strstr(note.text, "cannot be written"));
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_gather_and_leave_together),
        cmocka_unit_test(what_a_pipe_does_not_take_is_counted),
        cmocka_unit_test(a_place_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
