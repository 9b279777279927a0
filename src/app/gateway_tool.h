/*
 * A program that is run to its end while the loop goes on: the configuration reader, esbuild, cp.
 */
#ifndef APP_GATEWAY_TOOL_H
#define APP_GATEWAY_TOOL_H

#include "base/bytes.h"
#include "base/err.h"
#include "io/loop.h"

struct tool;

/* Told once, when it has ended. ok: its status was 0. The slices are good until tool_close(), which
 * the callee may call. */
typedef void tool_done(void *arg, bool ok, struct slice out, struct slice err);

/* Starts argv in dir (NULL: ours) without standard input. NULL with *note: there is no such
 * program. */
struct tool *tool_open(struct loop *l, const char *const *argv, const char *dir, tool_done *done,
                       void *arg, struct err_note *note);
/* Kills it when it still runs, and waits for that; done is not called any more. NULL is nothing. */
void tool_close(struct tool *t);

#endif
