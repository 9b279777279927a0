#include "app/gateway_config.h"

#include <unistd.h>

#include "app/gateway_json.h"
#include "app/gateway_origin.h"
#include "app/gateway_tool.h"

enum { WORDS_MAX = OPT_GIVEN_MAX * 5 + 16 };

/* --- the document as structs --- */

void *config__own(struct config *c, size_t n)
{
    void *p = mem_new(n);

    c->owned = mem_grow(c->owned, (c->n_owned + 1) * sizeof(*c->owned));
    return c->owned[c->n_owned++] = p;
}

const char *const *texts_of(struct config *c, const json_t *o, const char *key)
{
    const json_t *list = json_object_get(o, key);
    size_t n = json_array_size(list);
    const char **texts = n ? config__own(c, (n + 1) * sizeof(*texts)) : NULL;

    for (size_t i = 0; i < n; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

unsigned word_of(const json_t *o, const char *key, const char *const *words, unsigned n)
{
    const char *text = text_of(o, key);

    for (unsigned i = 0; text && i < n; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return 0;
}

static void read_tls(struct config *c, struct config_address *at, const json_t *o)
{
    const json_t *list = json_object_get(o, "certificates");

    at->n_certificates = json_array_size(list);
    at->certificates =
        at->n_certificates ? config__own(c, at->n_certificates * sizeof(*at->certificates)) : NULL;
    for (size_t i = 0; i < at->n_certificates; i++) {
        const json_t *one = json_array_get(list, i);

        at->certificates[i] =
            (struct tls_certificate){.cert = text_of(one, "cert"), .key = text_of(one, "key")};
    }
    at->only_13 = WORD_OF(o, "min_version", "1.2", "1.3") == 1;
    at->is_local = flag_of(o, "local");
}

static struct config_address address_of(struct config *c, const json_t *o)
{
    struct config_address at = {.host = text_of(o, "host"),
                                .port = (uint16_t)number_of(o, "port"),
                                .path = text_of(o, "path"),
                                .mode = (uint16_t)number_of(o, "mode"),
                                .proxy_protocol = flag_of(o, "proxy_protocol")};

    read_tls(c, &at, json_object_get(o, "tls"));
    return at;
}

/* What the configuration calls 0: never. */
static uint32_t time_of(const json_t *o, const char *key)
{
    const uint32_t ms = (uint32_t)number_of(o, key);

    return ms ? ms : APP_NEVER;
}

static struct app_limits limits_of(const json_t *o)
{
    return (struct app_limits){
        .cpu_ms = (uint32_t)number_of(o, "cpu_ms"),
        .memory_bytes = number_of(o, "memory_mb") << 20,
        .actor_idle_ms = (uint32_t)number_of(o, "actor_idle_ms"),
        .process_idle_ms = (uint32_t)number_of(o, "worker_idle_ms"),
        .drain_ms = (uint32_t)number_of(o, "drain_ms"),
        .ready_ms = (uint32_t)number_of(o, "ready_ms"),
        .head_ms = (uint32_t)number_of(o, "head_ms"),
        .message_bytes = (uint32_t)number_of(o, "message_bytes"),
        .request_bytes = number_of(o, "request_bytes"),
        .connections = (uint32_t)number_of(o, "connections"),
        .send_queue_bytes = (uint32_t)number_of(o, "send_queue_bytes"),
        .comment_ms = time_of(o, "comment_ms"),
    };
}

static struct app_sockets sockets_of(struct config *c, const json_t *o)
{
    return (struct app_sockets){
        .origins = texts_of(c, o, "origins"),
        .message_rate = (uint32_t)number_of(o, "message_rate"),
        .message_burst = (uint32_t)number_of(o, "message_burst"),
        .slow = (enum app_slow)WORD_OF(o, "slow", "close", "drop"),
        .slow_mark = text_of(o, "slow_mark"),
        .ping_ms = time_of(o, "ping_ms"),
        .pong_ms = (uint32_t)number_of(o, "pong_ms"),
        .uncompressed = !flag_of(o, "compression"),
        .deflate_level = (uint8_t)number_of(o, "compression_level"),
        .deflate_bits = (uint8_t)number_of(o, "compression_bits"),
        .deflate_takeover = flag_of(o, "context_takeover"),
        .deflate_bytes = (uint32_t)number_of(o, "compression_bytes"),
    };
}

/* In the order of enum app_not_found and enum app_html. */
static struct app_assets assets_of(struct config *c, const json_t *o)
{
    return (struct app_assets){
        .dir = text_of(o, "directory"),
        .not_found =
            WORD_OF(o, "not_found_handling", "none", "404-page", "single-page-application"),
        .html = WORD_OF(o, "html_handling", "auto-trailing-slash", "force-trailing-slash",
                        "drop-trailing-slash", "none"),
        .worker_first = flag_of(o, "run_worker_first"),
        .worker_first_paths = texts_of(c, o, "run_worker_first"),
    };
}

static struct egress_policy egress_of(struct config *c, const json_t *o)
{
    return (struct egress_policy){
        .allow = texts_of(c, o, "allow"),
        .deny = texts_of(c, o, "deny"),
        .resolve = texts_of(c, o, "resolve"),
        .ca_files = texts_of(c, o, "ca"),
    };
}

static void read_services(struct config *c, struct app_config *app, const json_t *list)
{
    struct app_service *services = config__own(c, json_array_size(list) * sizeof(*services));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);

        services[i] = (struct app_service){
            .name = text_of(o, "name"), .app = text_of(o, "app"), .url = text_of(o, "url")};
    }
    app->services = services;
    app->n_services = json_array_size(list);
}

static struct config_app app_of(struct config *c, const json_t *o)
{
    struct config_app app = {
        .edge =
            {
                .name = text_of(o, "name"),
                .state_dir = text_of(o, "state"),
                .limits = limits_of(json_object_get(o, "limits")),
                .sockets = sockets_of(c, json_object_get(o, "websocket")),
                .assets = assets_of(c, json_object_get(o, "assets")),
                .egress = egress_of(c, json_object_get(o, "egress")),
                .origin = origin_read(c, json_object_get(o, "origin")),
                .eager = true,
            },
        .root = text_of(o, "root"),
        .entry = text_of(o, "entry"),
        .script = text_of(o, "script"),
        .map = text_of(o, "map"),
        .format = text_of(o, "format"),
        .build_dir = text_of(o, "build_dir"),
        .watch = texts_of(c, o, "watch"),
        .routes_files = texts_of(c, o, "routes_files"),
        .build = json_object_get(o, "build"),
        .start = json_object_get(o, "start"),
        .origin = json_object_get(o, "origin"),
        .durable_objects = json_object_get(o, "durable_objects"),
    };

    if (app.edge.origin && !app.entry && !app.script)
        app.edge.state_dir = NULL; /* nothing of it is kept */
    read_services(c, &app.edge, json_object_get(o, "service_targets"));
    return app;
}

static void add_routes(struct config *c, const char *app, const json_t *list)
{
    size_t n = json_array_size(list);

    c->routes = mem_grow(c->routes, (c->n_routes + n) * sizeof(*c->routes));
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(list, i);

        c->routes[c->n_routes++] =
            (struct edge_route){.host = text_of(o, "host"), .path = text_of(o, "path"), .app = app};
    }
}

static void read_apps(struct config *c, const json_t *list)
{
    c->n_apps = json_array_size(list);
    c->apps = mem_new(c->n_apps * sizeof(*c->apps));
    for (size_t i = 0; i < c->n_apps; i++) {
        const json_t *o = json_array_get(list, i);

        c->apps[i] = app_of(c, o);
        add_routes(c, c->apps[i].edge.name, json_object_get(o, "routes"));
    }
}

static void read_gateway(struct config *c)
{
    const json_t *list = json_object_get(c->doc, "listen"), *log = json_object_get(c->doc, "log");

    c->n_listen = json_array_size(list);
    c->listen = mem_new(c->n_listen * sizeof(*c->listen));
    for (size_t i = 0; i < c->n_listen; i++)
        c->listen[i] = address_of(c, json_array_get(list, i));
    c->control = address_of(c, json_object_get(c->doc, "control"));
    c->threads = (unsigned)number_of(c->doc, "threads");
    c->max_connections = (uint32_t)number_of(c->doc, "max_connections");
    c->goodbye_ms = (uint32_t)number_of(c->doc, "goodbye_ms");
    c->max_per_client = (uint32_t)number_of(c->doc, "max_connections_per_client");
    c->memory_bytes = number_of(c->doc, "max_memory_mb") << 20;
    c->access_log = text_of(log, "access");
    c->trusted_proxies = texts_of(c, c->doc, "trusted_proxies");
    c->grip = grip_read(c, json_object_get(c->doc, "grip"));
    c->log_form = WORD_OF(log, "format", "text", "json") == 1 ? LOG_JSON : LOG_COLOR;
    (void)log_level_parse(slice_str(text_of(log, "level")), &c->log_level);
}

struct config *config_parse(struct slice json, const struct options *options,
                            const struct paths *paths)
{
    json_t *doc = json_loadb((const char *)json.p, json.n, 0, NULL);

    if (!json_is_array(json_object_get(doc, "apps"))) {
        json_decref(doc);
        return NULL;
    }
    struct config *c = mem_new(sizeof(*c));

    c->doc = doc;
    read_gateway(c);
    read_apps(c, json_object_get(doc, "apps"));
    for (size_t i = 0; i < c->n_apps; i++) {
        struct app_config *app = &c->apps[i].edge;

        app->worker_path = paths->worker;
        app->dev = options->command == COMMAND_DEV;
        app->sandbox = WORD_OF(doc, "sandbox", "auto", "strict", "off");
    }
    return c;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    json_decref(c->doc);
    for (size_t i = 0; i < c->n_owned; i++)
        mem_free(c->owned[i]);
    mem_free(c->owned);
    mem_free(c->listen);
    mem_free(c->apps);
    mem_free(c->routes);
    mem_free(c);
}

struct config_app *config_find(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n_apps; i++)
        if (strcmp(c->apps[i].edge.name, name) == 0)
            return &c->apps[i];
    return NULL;
}

/* --- reading it --- */

struct config_reading {
    struct tool *tool;
    const struct options *options;
    const struct paths *paths;
    config_done *done;
    void *arg;
};

/* The warnings of a document as lines. */
static void add_warnings(const struct config *c, struct buf *out)
{
    const json_t *list = json_object_get(c->doc, "warnings");

    for (size_t i = 0; i < json_array_size(list); i++)
        (void)buf_addf(out, "%s\n", json_string_value(json_array_get(list, i)));
}

static void on_read(void *arg, bool ok, struct slice out, struct slice err)
{
    struct config_reading *r = arg;
    struct config *c = ok ? config_parse(out, r->options, r->paths) : NULL;
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, 1 << 20);
    if (c)
        add_warnings(c, &text);
    else
        (void)buf_add(&text, err.n ? err : SLICE("the configuration reader said nothing\n"));
    r->done(r->arg, c, buf_slice(&text));
}

/* Where Pushpin looks for its configuration; "" when there is none, and the options say all. */
static const char *pushpin_config(void)
{
    static const char *const places[] = {"pushpin.conf", "/etc/pushpin/pushpin.conf"};

    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return "";
}

/* What is read: an application's path, or a configuration; "" for none but the options. */
static const char *path_of(const struct options *o)
{
    const char *config = options_find(o, OPT_CONFIG);

    if (config || o->path)
        return config ? config : o->path;
    return o->command == COMMAND_PUSHPIN ? pushpin_config() : "";
}

static size_t add_option(const char **words, size_t n, enum option option, const char *text)
{
    words[n++] = "--set";
    words[n++] = options_spelling(option);
    words[n++] = options_key(option);
    words[n++] = options_kind(option);
    words[n++] = text;
    return n;
}

/* The reader's arguments: --config PATH, and --set OPTION KEY KIND TEXT for what the command line
 * says over the file. */
static void make_words(const struct options *o, const struct paths *paths, const char **words)
{
    const char *env = options_find(o, OPT_ENV);
    size_t n = 0;

    words[n++] = paths->worker;
    words[n++] = "--config";
    words[n++] = path_of(o);
    if (!o->path)
        words[n++] = "--serve";
    if (o->command == COMMAND_PUSHPIN)
        words[n++] = "--pushpin";
    if (o->command == COMMAND_DEV)
        words[n++] = "--dev";
    if (env) {
        words[n++] = "--env";
        words[n++] = env;
    }
    for (size_t i = 0; i < o->n; i++)
        if (options_key(o->given[i].option))
            n = add_option(words, n, o->given[i].option, o->given[i].text);
    if (options_find(o, OPT_PP_VERBOSE))
        n = add_option(words, n, OPT_PP_LEVEL, "3");
    words[n] = NULL;
}

struct config_reading *config_read(struct loop *l, const struct paths *paths,
                                   const struct options *options, config_done *done, void *arg,
                                   struct err_note *note)
{
    struct config_reading *r = mem_new(sizeof(*r));
    const char *words[WORDS_MAX];

    *r = (struct config_reading){.options = options, .paths = paths, .done = done, .arg = arg};
    make_words(options, paths, words);
    r->tool = tool_open(l, words, NULL, on_read, r, note);
    if (r->tool)
        return r;
    mem_free(r);
    return NULL;
}

void config_cancel(struct config_reading *r)
{
    if (!r)
        return;
    tool_close(r->tool);
    mem_free(r);
}
