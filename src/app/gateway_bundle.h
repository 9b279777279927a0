/*
 * An application's sources bundled by esbuild into the one script that a worker runs.
 */
#ifndef APP_GATEWAY_BUNDLE_H
#define APP_GATEWAY_BUNDLE_H

#include "app/gateway_config.h"

struct bundle;

struct bundle_result {
    struct slice script; /* the body of a function (gateway_module.h) */
    struct slice map;    /* its source map; sources are named from the application's folder */
    const char *format;  /* "modules" or "service-worker" */
    char *const *inputs; /* every file that went into it, absolute; NULL-terminated */
};

/*
 * Told once. result is NULL when the code cannot be bundled, then errors says why in whole lines
 * (esbuild's, with file and line); else errors has warnings or is empty. All is good until
 * bundle_close(), which the callee may call.
 */
typedef void bundle_done(void *arg, const struct bundle_result *result, struct slice errors);

/* Bundles app->entry. dir: a folder for esbuild's output; made when it is not there. NULL with
 * *note: esbuild is missing, or the folder cannot be made. app stays as it is until the end. */
struct bundle *bundle_open(struct loop *l, const struct paths *paths, const struct config_app *app,
                           const char *dir, bundle_done *done, void *arg, struct err_note *note);
/* Ends it; done is not called any more. NULL is nothing. */
void bundle_close(struct bundle *b);

#endif
