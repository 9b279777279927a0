#include "app/gateway_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ESBUILD_PLATFORM "linux-x64"
#elif defined(__aarch64__)
#define ESBUILD_PLATFORM "linux-arm64"
#else
#define ESBUILD_PLATFORM "linux"
#endif
#define ESBUILD_NATIVE "node_modules/@esbuild/" ESBUILD_PLATFORM "/bin/esbuild"

char *text_format(const char *fmt, ...)
{
    char *text;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    va_end(args);
    char *kept = slice_dup(slice_str(text));

    free(text);
    return kept;
}

char *path_absolute(const char *path)
{
    char here[PATH_MAX];

    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return text_format("%s", path);
    return text_format("%s/%s", here, path);
}

/* Cuts the last part off. False at the root. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || (slash == path && !path[1]))
        return false;
    slash[slash == path] = 0;
    return true;
}

/* The path when it can be run; else frees it and returns NULL. */
static char *runnable(char *take_path)
{
    struct stat st;

    if (access(take_path, X_OK) == 0 && stat(take_path, &st) == 0 && S_ISREG(st.st_mode))
        return take_path;
    mem_free(take_path);
    return NULL;
}

static void text_free(char **text)
{
    mem_free(*text);
}

int paths_find(struct paths *ret, struct err_note *note)
{
    char own[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);

    own[MAX(n, 0)] = 0;
    (void)to_parent(own);
    char *places[] = {text_format("%s", own), text_format("%s/../libexec/holdfast", own),
                      text_format("%s", HOLDFAST_LIBEXEC)};

    *ret = (struct paths){0};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if (!ret->worker && (ret->worker = runnable(text_format("%s/holdfast-worker", places[i]))))
            ret->helpers = places[i];
        else
            mem_free(places[i]);
    }
    if (!ret->worker)
        return err_notef(
            note, -ERR_NOT_FOUND,
            "holdfast-worker is neither in %s nor in %s; is Holdfast installed completely?", own,
            HOLDFAST_LIBEXEC);
    ret->modules = text_format("%s/modules", ret->helpers);
    if (access(ret->modules, R_OK) < 0) {
        mem_free(ret->modules);
        ret->modules = text_format("%s/src/api/modules", ret->helpers); /* a build folder */
    }
    return 0;
}

void paths_done(struct paths *p)
{
    mem_free(p->helpers);
    mem_free(p->worker);
    mem_free(p->modules);
    *p = (struct paths){0};
}

/* In the node_modules of folder or of one above it. */
static char *find_upwards(const char *folder)
{
    CLEANUP(text_free) char *at = text_format("%s", folder);
    char *found;

    do {
        if ((found = runnable(text_format("%s/" ESBUILD_NATIVE, at))) ||
            (found = runnable(text_format("%s/node_modules/.bin/esbuild", at))))
            return found;
    } while (to_parent(at));
    return NULL;
}

static char *find_on_path(void)
{
    struct slice path = slice_str(getenv("PATH")), folder;
    char *found = NULL;

    while (!found && slice_split(&path, ':', &folder))
        found = runnable(text_format("%.*s/esbuild", SLICE_FMT(folder)));
    return found;
}

char *paths_esbuild(const struct paths *p, const char *root)
{
    char *found = runnable(text_format("%s/esbuild", p->helpers));

    if (!found)
        found = find_upwards(p->helpers);
    if (!found)
        found = find_upwards(root);
    return found ? found : find_on_path();
}

int folder_make(const char *path, struct err_note *note)
{
    CLEANUP(text_free) char *at = text_format("%s/", path);

    for (char *slash = strchr(at + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(at, 0777) < 0 && errno != EEXIST)
            return err_notef(note, -ERR_OS, "cannot make the folder %s: %s", at, strerror(errno));
        *slash = '/';
    }
    return 0;
}

void say_lines(FILE *out, struct slice lines)
{
    if (lines.n)
        (void)fwrite(lines.p, 1, lines.n, out);
}

int file_read(const char *path, struct buf *out, struct err_note *note)
{
    FILE *f = fopen(path, "re");
    uint8_t *room;
    size_t n;

    if (!f)
        return err_notef(note, -ERR_OS, "cannot read %s: %s", path, strerror(errno));
    while ((room = buf_reserve(out, BUFSIZ)) && (n = fread(room, 1, BUFSIZ, f)) > 0)
        buf_commit(out, n);
    bool failed = ferror(f);

    (void)fclose(f);
    if (!room)
        return err_notef(note, -ERR_TOO_LARGE, "%s is larger than %zu bytes", path, out->max);
    return failed ? err_notef(note, -ERR_OS, "cannot read %s", path) : 0;
}

int file_write(const char *path, struct slice text, struct err_note *note)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return err_notef(note, -ERR_OS, "cannot write %s: %s", path, strerror(errno));
    bool written = text.n == 0 || fwrite(text.p, 1, text.n, f) == text.n;

    if (fclose(f) != 0 || !written)
        return err_notef(note, -ERR_OS, "cannot write %s: %s", path, strerror(errno));
    return 0;
}
