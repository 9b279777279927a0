/*
 * Loading: the configuration is read and the code of all its applications bundled, or read when it
 * is bundled already. Nothing runs yet, and what runs from an earlier loading is not touched.
 */
#ifndef APP_GATEWAY_LOAD_H
#define APP_GATEWAY_LOAD_H

#include "app/gateway_config.h"

struct loaded_app {
    struct app_config edge; /* complete, good as long as the struct loaded */
    char **files;           /* what it was made of, absolute; NULL-terminated */
    const json_t *origin;   /* what edge.origin was read from; the configuration's */
    struct buf config;
    struct buf script;
    struct buf map;
};

struct loaded {
    struct config *config;
    struct loaded_app *apps; /* as many as config->apps, in their order */
};

/* Told once. take_loaded is NULL when something is wrong: text is then whole lines for people
 * (FILE:LINE and what was expected, or esbuild's errors). Else text has the warnings, if any. */
typedef void load_done(void *arg, struct loaded *take_loaded, struct slice text);

/* One call of done follows, on the loop. out: where bundles are made; NULL: each application's
 * build_dir. */
struct loading *load_open(struct loop *l, const struct paths *paths, const struct options *options,
                          const char *out, load_done *done, void *arg);
/* Ends it; done is not called any more. To be called in or after done. NULL is nothing. */
void load_close(struct loading *ld);

void loaded_free(struct loaded *x); /* NULL is nothing */

#endif
