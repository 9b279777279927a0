/*
 * The configuration as the gateway uses it: what `holdfast-worker --config` printed
 * (src/api/config.js), as C structs.
 */
#ifndef APP_GATEWAY_CONFIG_H
#define APP_GATEWAY_CONFIG_H

#include <jansson.h>

#include "app/gateway_options.h"
#include "app/gateway_paths.h"
#include "base/log.h"
#include "edge/edge.h"
#include "io/loop.h"
#include "io/tls.h"

struct config_address {
    const char *host; /* as it was written; "unix:PATH" has a path as well */
    uint16_t port;
    const char *path;
    uint16_t mode;
    struct tls_certificate *certificates; /* NULL: no TLS, unless it is `local` */
    size_t n_certificates;
    bool only_13;
    bool proxy_protocol;
    bool is_local; /* TLS with a certificate for this machine, which the gateway makes */
};

struct config_app {
    /* Complete but for config, script and map, which come with the bundle. */
    struct app_config edge;
    const char *root;
    const char *entry;  /* to bundle, or NULL: */
    const char *script; /* the files of a bundle that is made already; both NULL without code (only
                           assets) */
    const char *map;
    const char *format;       /* of that bundle */
    const char *build_dir;    /* where esbuild writes; need not exist */
    const char *const *watch; /* files besides the sources that say how it runs; NULL-terminated */
    const char *const *routes_files; /* read again when they change, in serve too; the same */
    json_t *build;                   /* loaders, alias, define… */
    json_t *start;                   /* START.config but for the format */
    json_t *origin;                  /* edge.origin as it was read, or null */
    json_t *durable_objects;         /* [{binding, class, where}] */
};

/* All text is owned by the document, all arrays by the config. Immutable once read. */
struct config {
    json_t *doc;
    struct config_address *listen;
    size_t n_listen;
    struct config_address control; /* host NULL: none */
    unsigned threads;              /* 0: not said */
    uint32_t max_connections;
    uint32_t goodbye_ms;
    uint32_t max_per_client;
    const char *const *trusted_proxies;
    struct grip_options grip;
    uint64_t memory_bytes;
    const char *access_log; /* NULL: none */
    enum log_form log_form;
    enum log_level log_level;
    struct config_app *apps;
    size_t n_apps;
    struct edge_route *routes;
    size_t n_routes;
    void **owned;
    size_t n_owned;
};

/* take_config is NULL when something is wrong: err is then whole lines for people, "FILE:LINE: what
 * was expected". Else err has the warnings, the same way. */
typedef void config_done(void *arg, struct config *take_config, struct slice err);

/* Reads what the command line names. Ends with one call of done on the loop. NULL with *note: it
 * could not be started. */
struct config_reading;
struct config_reading *config_read(struct loop *l, const struct paths *paths,
                                   const struct options *options, config_done *done, void *arg,
                                   struct err_note *note);
/* Ends it; done is not called any more. NULL is nothing. */
void config_cancel(struct config_reading *r);

/* From the reader's JSON. NULL when it is not a document of ours. */
struct config *config_parse(struct slice json, const struct options *options,
                            const struct paths *paths);
void config_free(struct config *c); /* NULL is nothing */

/* The application of that name, or NULL. */
struct config_app *config_find(const struct config *c, const char *name);

#endif
