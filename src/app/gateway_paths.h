/* Where the other programs and files of Holdfast lie, and a few helpers for paths. */
#ifndef APP_GATEWAY_PATHS_H
#define APP_GATEWAY_PATHS_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

struct paths {
    char *helpers; /* holdfast-worker, modules/, perhaps esbuild: libexec/holdfast, or the build
                      folder */
    char *worker;
    char *modules;
};

/* -ERR_NOT_FOUND with a note when there is no holdfast-worker. */
int paths_find(struct paths *ret, struct err_note *note);
void paths_done(struct paths *p);

/*
 * esbuild for an application in folder root: beside us, in our source tree's or the application's
 * node_modules (also of the folders above), on PATH. Owned by the caller; NULL when there is none.
 */
char *paths_esbuild(const struct paths *p, const char *root);

/* Text as printf makes it, for a path or a flag. The caller frees it with mem_free. */
char *text_format(const char *fmt, ...) PRINTF(1, 2);

/* The same place from the root. The caller frees it with mem_free. */
char *path_absolute(const char *path);

/* Makes a folder and those above it. -ERR_OS with a note. */
int folder_make(const char *path, struct err_note *note);

/* Whole lines for a person, as they are. */
void say_lines(FILE *out, struct slice lines);

/* A whole file. -ERR_OS or -ERR_TOO_LARGE (over out's bound) with a note. */
int file_read(const char *path, struct buf *out, struct err_note *note);
int file_write(const char *path, struct slice text, struct err_note *note);

#endif
