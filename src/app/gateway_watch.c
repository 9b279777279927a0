#include "app/gateway_watch.h"

#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/map.h"

enum { REST_MS = 60, PATH_TEXT = PATH_MAX + NAME_MAX + 2 };

#define EVENTS (IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE)

struct watcher {
    struct loop *loop;
    struct watch watch;
    struct timer rest;
    struct map files;      /* path: any value */
    struct map folders;    /* path: its own copy, the one in by_number */
    struct map64 numbers;  /* inotify's number of a folder: its path */
    char first[PATH_TEXT]; /* the first change since the last telling, or empty */
    bool any;
    watcher_changed *changed;
    void *arg;
};

static void on_rest(struct timer *t)
{
    struct watcher *w = CONTAINER_OF(t, struct watcher, rest);
    char path[PATH_TEXT];

    memcpy(path, w->first, sizeof(path));
    w->first[0] = 0;
    w->changed(w->arg, path);
}

static bool counts(const struct watcher *w, const char *path, const char *name)
{
    return map_find(&w->files, slice_str(path)) || (w->any && name[0] != '.');
}

static void on_event(struct watcher *w, const struct inotify_event *ev)
{
    const char *folder = map64_find(&w->numbers, (uint64_t)ev->wd), *name = ev->len ? ev->name : "";
    char path[PATH_TEXT];

    if (!folder)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (!counts(w, path, name))
        return;
    if (!w->first[0])
        memcpy(w->first, path, sizeof(path));
    timer_set(w->loop, &w->rest, loop_now(w->loop) + REST_MS);
}

static void on_ready(struct watch *watch, uint32_t events)
{
    struct watcher *w = CONTAINER_OF(watch, struct watcher, watch);
    char bytes[16 << 10] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;

    while ((n = read(watch->fd, bytes, sizeof(bytes))) > 0)
        for (const char *p = bytes; p < bytes + n;) {
            const struct inotify_event *ev = (const void *)p;

            on_event(w, ev);
            p += sizeof(*ev) + ev->len;
        }
}

struct watcher *watcher_open(struct loop *l, watcher_changed *changed, void *arg,
                             struct err_note *note)
{
    struct watcher *w = mem_new(sizeof(*w));

    w->loop = l;
    w->changed = changed;
    w->arg = arg;
    w->rest.due = on_rest;
    w->watch = (struct watch){.ready = on_ready, .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (w->watch.fd >= 0 && watch_start(l, &w->watch, EPOLLIN) >= 0)
        return w;
    (void)err_notef(note, -ERR_OS,
                    "cannot watch source files (inotify): %m; --no-watch runs without");
    if (w->watch.fd >= 0)
        (void)close(w->watch.fd);
    mem_free(w);
    return NULL;
}

static void free_watcher(void *arg)
{
    struct watcher *w = arg;
    struct slice key;
    uint32_t it = 0;
    void *folder;

    while (map_next(&w->folders, &it, &key, &folder))
        mem_free(folder);
    map_done(&w->files);
    map_done(&w->folders);
    map64_done(&w->numbers);
    mem_free(w);
}

void watcher_close(struct watcher *w)
{
    if (!w)
        return;
    timer_del(w->loop, &w->rest);
    watch_stop(w->loop, &w->watch);
    (void)close(w->watch.fd);
    loop_defer(w->loop, LOOP_REAP, free_watcher, w);
}

void watcher_clear(struct watcher *w)
{
    map_done(&w->files); /* folders stay watched: nothing is missed in between */
}

static void watch_folder(struct watcher *w, struct slice folder)
{
    if (map_find(&w->folders, folder))
        return;
    char *path = slice_dup(folder);
    int number = inotify_add_watch(w->watch.fd, path, EVENTS);

    if (number < 0 || map64_find(&w->numbers, (uint64_t)number)) {
        mem_free(path);
        return;
    }
    (void)map_put(&w->folders, folder, path);
    (void)map64_put(&w->numbers, (uint64_t)number, path);
}

void watcher_add(struct watcher *w, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return;
    (void)map_put(&w->files, slice_str(path), w);
    watch_folder(w, slice_make(path, (size_t)(slash - path)));
}

void watcher_any(struct watcher *w, bool on)
{
    w->any = on;
}
