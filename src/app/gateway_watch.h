/*
 * Watches source files: tells once when one of them has changed and the changes have come to rest.
 *
 * It is the folders that are watched, because editors replace files instead of writing them.
 */
#ifndef APP_GATEWAY_WATCH_H
#define APP_GATEWAY_WATCH_H

#include "base/bytes.h"
#include "base/err.h"
#include "io/loop.h"

struct watcher;

/* path: the first file that changed; good until it returns. */
typedef void watcher_changed(void *arg, const char *path);

/* NULL with *note: the system has no more inotify instances. */
struct watcher *watcher_open(struct loop *l, watcher_changed *changed, void *arg,
                             struct err_note *note);
void watcher_close(struct watcher *w); /* NULL is nothing */

/* Forgets all files; what is still watched afterwards is said by watcher_add. */
void watcher_clear(struct watcher *w);
/* A file that counts, absolute. It need not exist; when its folder does not either, it is not
 * watched. */
void watcher_add(struct watcher *w, const char *path);
/* On: any file in the folders counts (a build failed, and its fix may be a file that no build has
 * seen). */
void watcher_any(struct watcher *w, bool on);

#endif
