#include "app/gateway_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/gateway_paths.h"
#include "lib/test.h"

enum { LONG_MS = 2000, SHORT_MS = 200 };

static struct {
    struct loop *loop;
    struct watcher *watcher;
    char folder[64];
    char told[256];
    int n;
} it;

static void on_changed(void *arg, const char *path)
{
    (void)snprintf(it.told, sizeof(it.told), "%s", strrchr(path, '/') + 1);
    it.n++;
}

static char *in_folder(const char *name)
{
    return text_format("%s/%s", it.folder, name);
}

static void add(const char *name)
{
    char *path = in_folder(name);

    watcher_add(it.watcher, path);
    mem_free(path);
}

static void write_to(const char *name)
{
    char *path = in_folder(name);
    struct err_note note;

    assert_int_equal(file_write(path, SLICE("x"), &note), 0);
    mem_free(path);
}

static int start(void **state)
{
    struct err_note note;

    (void)snprintf(it.folder, sizeof(it.folder), "/tmp/holdfast-watch-XXXXXX");
    assert_non_null(mkdtemp(it.folder));
    it.n = 0;
    it.loop = loop_new();
    it.watcher = watcher_open(it.loop, on_changed, NULL, &note);
    return it.watcher ? 0 : -1;
}

static int finish(void **state)
{
    char *command[] = {in_folder("a.js"), in_folder("b.js"), in_folder("c.js")};

    watcher_close(it.watcher);
    loop_free(it.loop);
    for (size_t i = 0; i < COUNT_OF(command); i++) {
        (void)unlink(command[i]);
        mem_free(command[i]);
    }
    return rmdir(it.folder);
}

/* Ticks until something was told, or for so long. */
static void wait_for(int n, int ms)
{
    int64_t end = loop_now(it.loop) + ms;

    while (it.n < n && loop_now(it.loop) < end)
        loop_tick(it.loop, 10);
}

TEST(watch_tells_a_burst_of_changes_once)
{
    add("a.js");
    add("b.js");
    write_to("a.js");
    write_to("b.js");
    write_to("a.js");
    wait_for(1, LONG_MS);
    wait_for(2, SHORT_MS);
    assert_int_equal(it.n, 1);
    assert_string_equal(it.told, "a.js");
}

TEST(watch_hears_of_a_file_that_is_replaced)
{
    char *from = in_folder("b.js"), *to = in_folder("a.js");

    add("a.js");
    write_to("b.js");
    wait_for(1, SHORT_MS);
    assert_int_equal(it.n, 0);
    assert_int_equal(rename(from, to), 0);
    wait_for(1, LONG_MS);
    assert_string_equal(it.told, "a.js");
    mem_free(from);
    mem_free(to);
}

TEST(watch_ignores_what_was_not_added)
{
    add("a.js");
    write_to("c.js");
    wait_for(1, SHORT_MS);
    assert_int_equal(it.n, 0);
    watcher_any(it.watcher, true);
    write_to("c.js");
    wait_for(1, LONG_MS);
    assert_string_equal(it.told, "c.js");
}

TEST(watch_forgets_files)
{
    add("a.js");
    watcher_clear(it.watcher);
    add("b.js");
    write_to("a.js");
    wait_for(1, SHORT_MS);
    assert_int_equal(it.n, 0);
    write_to("b.js");
    wait_for(1, LONG_MS);
    assert_string_equal(it.told, "b.js");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(watch_tells_a_burst_of_changes_once, start, finish),
        cmocka_unit_test_setup_teardown(watch_hears_of_a_file_that_is_replaced, start, finish),
        cmocka_unit_test_setup_teardown(watch_ignores_what_was_not_added, start, finish),
        cmocka_unit_test_setup_teardown(watch_forgets_files, start, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
