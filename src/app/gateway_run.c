/*
 * One thread does everything but the sibling edges: the loop of edge 0 also hears signals, esbuild
 * and inotify.
 *
 *   load ─► open ─► (dev: wait for the worker) ─► ready ─► … ─► stop
 *    ▲                                             │
 *    └──────────── a file changed, SIGHUP ─────────┘    load again, then edge_reload
 */
#include "app/gateway_run.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/gateway_load.h"
#include "app/gateway_watch.h"
#include "io/certificate.h"
#include "io/stderr.h"
#include "io/threads.h"
#include "wire/pulse.h"

_Static_assert((int)THREADS_MAX == (int)PULSE_LINKS, "a worker has a link to every thread");

enum { WARNINGS_MAX = 1 << 20 };

struct run {
    const struct options *options;
    struct paths paths;
    struct log log;
    struct loop *loop;       /* the main thread's, of edge 0 */
    struct threads *threads; /* NULL before it is open */
    struct edge *edges[THREADS_MAX];
    unsigned n;
    struct tls_seed tls_seed;
    struct certificate_files local; /* what --https made */
    struct tls_certificate local_certificate;
    uint16_t *ports; /* of config->listen, as the system gave them */
    uint16_t control_port;
    struct signals *signals;
    struct watcher *watcher;
    struct loading *loading;
    struct loaded *loaded; /* what runs; NULL until it does */
    struct buf warnings;   /* as shown last */
    bool is_ready;
    bool is_stale;       /* something changed while it was loading */
    size_t apps_awaited; /* whose code has not run yet, in dev */
    unsigned stops;
    int status;
};

static bool is_dev(const struct run *r)
{
    return r->options->command == COMMAND_DEV;
}

/* --- stopping --- */

static void on_stopped(void *arg)
{
    struct run *r = arg;

    loop_stop(r->loop);
}

/* The second time ends all waits at once. Later ones do not wait for anything. */
static void stop(struct run *r, int status)
{
    if (r->stops++ == 0)
        r->status = status;
    if (r->stops > 2 || !r->loaded)
        loop_stop(r->loop);
    else
        edge_stop(r->edges[0], on_stopped, r);
}

/* --- opening --- */

static int say(const struct err_note *note)
{
    (void)fprintf(stderr, "holdfast: %s\n", note->text);
    return EXIT_WRONG;
}

static unsigned count_edges(const struct run *r, const struct config *c)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (c->threads)
        return MIN(c->threads, PULSE_LINKS);
    return is_dev(r) ? 1 : (unsigned)MAX(1, MIN(processors, PULSE_LINKS));
}

static bool is_secure(const struct config_address *at)
{
    return at->certificates || at->is_local;
}

/* A line of standard output: `ready` for the public, `control` for metrics and publishing. */
static void print_address(const char *word, const struct config_address *at, uint16_t port)
{
    const bool v6 = strchr(at->host, ':') != NULL;

    if (at->path)
        printf("%s %s\n", word, at->host);
    else
        printf("%s http%s://%s%s%s:%u\n", word, is_secure(at) ? "s" : "", v6 ? "[" : "", at->host,
               v6 ? "]" : "", port);
}

static void announce(struct run *r)
{
    const struct config *c = r->loaded->config;

    r->is_ready = true;
    if (c->control.host)
        print_address("control", &c->control, r->control_port);
    for (size_t i = 0; i < c->n_listen; i++)
        print_address("ready", &c->listen[i], r->ports[i]);
    if (r->options->command == COMMAND_PUSHPIN)
        puts("started"); /* what the Fastly CLI waits for */
    (void)fflush(stdout);
}

/* dev waits until all code has run once; serve does not, and applications without code have nothing
 * to wait for. */
static void announce_when_ready(struct run *r)
{
    if (r->apps_awaited == 0 && !r->is_ready && !r->stops)
        announce(r);
}

static void on_app_ready(void *arg, const char *app)
{
    struct run *r = arg;

    if (r->is_ready)
        return;
    r->apps_awaited -= r->apps_awaited > 0;
    announce_when_ready(r);
}

/* Before it was ready the command has failed; later the next change may repair it. The edge has
 * said it, in one line. */
static void on_app_failed(void *arg, const char *app, struct slice text)
{
    struct run *r = arg;

    if (!is_dev(r) || r->stops)
        return;
    if (r->log.form != LOG_JSON)
        (void)fprintf(stderr, "%.*s\n", SLICE_FMT(text));
    if (!r->is_ready)
        stop(r, EXIT_WRONG);
}

/* Something that an edge does on its own thread. */
struct step {
    struct run *run;
    unsigned edge;
    const struct edge_options *options;
    enum edge_door door;
    const struct edge_address *at;
    uint16_t port;
    struct err_note *note;
    int result;
};

static void make_edge(void *arg)
{
    struct step *s = arg;
    struct edge *e = edge_new(threads_loop(s->run->threads, s->edge), s->options, s->note);

    s->run->edges[s->edge] = e;
    s->result = e ? 0 : -ERR_CONFIG;
}

static int make_edges(struct run *r, const struct loaded *x, struct err_note *note)
{
    static const struct edge_ops ops = {.app_ready = on_app_ready, .app_failed = on_app_failed};
    const struct config *c = x->config;
    struct app_config *apps = mem_new(c->n_apps * sizeof(*apps));
    struct edge_options o = {
        .count = r->n,
        .apps = apps,
        .n_apps = c->n_apps,
        .routes = c->routes,
        .n_routes = c->n_routes,
        .ops = &ops,
        .arg = r,
        .log = r->log,
        .max_connections = c->max_connections,
        .goodbye_ms = c->goodbye_ms,
        .max_per_client = c->max_per_client,
        .trusted_proxies = c->trusted_proxies,
        .grip = c->grip,
        .access_log = c->access_log,
        .memory_bytes = c->memory_bytes,
        .file_tables = threads_tables(r->threads),
    };
    struct step s = {.run = r, .options = &o, .note = note};

    for (size_t i = 0; i < c->n_apps; i++)
        apps[i] = x->apps[i].edge;
    for (; s.edge < o.count && s.result >= 0; s.edge++) {
        o.index = s.edge;
        threads_call(r->threads, s.edge, make_edge, &s);
    }
    mem_free(apps);
    return s.result;
}

static void listen_edge(void *arg)
{
    struct step *s = arg;

    s->result = edge_listen(s->run->edges[s->edge], s->door, s->at, &s->port, s->note);
}

/* One address on every edge; the first one's port when any would do. */
static int listen_at(struct run *r, enum edge_door door, const struct config_address *at,
                     uint16_t *ret_port, struct err_note *note)
{
    struct err_note why = {0};
    const struct tls_options tls = {.certificates = at->certificates,
                                    .n_certificates = at->n_certificates,
                                    .only_13 = at->only_13,
                                    .seed = &r->tls_seed};
    struct edge_address a = {.host = at->host,
                             .port = at->port,
                             .path = at->path,
                             .mode = at->mode,
                             .proxy_protocol = at->proxy_protocol,
                             .tls = at->certificates ? &tls : NULL};

    struct step s = {.run = r, .door = door, .at = &a, .note = &why};

    for (; s.edge < r->n; s.edge++) {
        threads_call(r->threads, s.edge, listen_edge, &s);
        if (s.result == -ERR_CONFIG)
            return err_notef(note, s.result, "%s", why.text);
        if (s.result < 0)
            return err_notef(note, -ERR_OS,
                             "%s\n  choose another address: %s, or the configuration", why.text,
                             door == EDGE_CONTROL ? "--control HOST:PORT (port 0 takes a free one)"
                                                  : "--port N (0 takes a free one), --host H");
        a.port = s.port;
    }
    *ret_port = a.port;
    return 0;
}

/* A certificate for this machine, and how people make their browser believe it. */
static int make_local(struct run *r, struct config_address *at, const char *state,
                      struct err_note *note)
{
    char folder[480];
    bool is_new = false;
    int result;

    (void)snprintf(folder, sizeof(folder), "%s/.tls", state);
    result = folder_make(folder, note);
    if (result >= 0)
        result = certificate_local(folder, &r->local, &is_new, note);
    if (result < 0)
        return result;
    r->local_certificate = (struct tls_certificate){r->local.cert, r->local.key};
    at->certificates = &r->local_certificate;
    at->n_certificates = 1;
    (void)fprintf(stderr,
                  "%s %s can sign for localhost only.\n"
                  "  curl: --cacert FILE   node: NODE_EXTRA_CA_CERTS=FILE   browsers: import it "
                  "as an authority\n",
                  is_new ? "A new authority, to be trusted once:" : "The authority to trust:",
                  r->local.authority);
    return 0;
}

static int make_locals(struct run *r, const struct config *c, struct err_note *note)
{
    const char *state = json_string_value(json_object_get(c->doc, "state"));
    int result = 0;

    for (size_t i = 0; i < c->n_listen && result >= 0; i++)
        if (c->listen[i].is_local)
            result = make_local(r, &c->listen[i], state, note);
    return result;
}

static int listen_all(struct run *r, const struct config *c, struct err_note *note)
{
    int result = make_locals(r, c, note);

    tls_seed_make(r->loop, &r->tls_seed);
    r->ports = mem_new(c->n_listen * sizeof(*r->ports));
    for (size_t i = 0; i < c->n_listen && result >= 0; i++)
        result = listen_at(r, EDGE_PUBLIC, &c->listen[i], &r->ports[i], note);
    if (result >= 0 && c->control.host)
        result = listen_at(r, EDGE_CONTROL, &c->control, &r->control_port, note);
    explicit_bzero(&r->tls_seed, sizeof(r->tls_seed)); /* old tickets are not to be opened by it */
    return result;
}

/* The folder of a socket file that ZeroMQ makes; when it cannot be, binding it says so. */
static void make_ipc_folder(const char *spec)
{
    struct err_note ignored = {0};
    char *path = strncmp(spec, "ipc://", 6) == 0 ? text_format("%s", spec + 6) : NULL,
         *slash = path ? strrchr(path, '/') : NULL;

    if (slash && slash > path) {
        *slash = 0;
        (void)folder_make(path, &ignored);
    }
    mem_free(path);
}

static void make_ipc_folders(const struct zmq_options *z)
{
    const char *const *const lists[] = {z->pull, z->sub_connect ? NULL : z->sub, z->stats};

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (size_t n = 0; lists[i] && lists[i][n]; n++)
            make_ipc_folder(lists[i][n]);
    if (z->command)
        make_ipc_folder(z->command);
}

/* What dev keeps in a project is nobody's to commit. */
static void hide_from_git(const struct config *c)
{
    char *path = text_format("%s/.gitignore", json_string_value(json_object_get(c->doc, "state")));
    struct err_note ignored = {0};

    if (access(path, F_OK) < 0)
        (void)file_write(path, SLICE("*\n"), &ignored);
    mem_free(path);
}

static int make_folders(const struct config *c, struct err_note *note)
{
    make_ipc_folders(&c->grip.zmq);
    for (size_t i = 0; i < c->n_apps; i++)
        if (c->apps[i].edge.state_dir && folder_make(c->apps[i].edge.state_dir, note) < 0)
            return -ERR_OS;
    return 0;
}

static int start_threads(struct run *r, const struct config *c, struct err_note *note)
{
    r->n = count_edges(r, c);
    r->threads = threads_start(r->loop, r->n);
    return r->threads ? 0 : err_notef(note, -ERR_OS, "cannot start %u threads: %m", r->n);
}

static int open_all(struct run *r, const struct loaded *x, struct err_note *note)
{
    int result;

    if ((result = make_folders(x->config, note)) < 0 ||
        (result = start_threads(r, x->config, note)) < 0 || (result = make_edges(r, x, note)) < 0)
        return result;
    if (is_dev(r))
        hide_from_git(x->config);
    edge_introduce(r->edges, r->n);
    return listen_all(r, x->config, note);
}

/* All or nothing can fail only here; afterwards the program runs until it is told to stop. Workers
 * start when the addresses are ours. */
static void open_edges(struct run *r, struct loaded *take_x)
{
    struct err_note note = {0};

    if (open_all(r, take_x, &note) < 0) {
        loaded_free(take_x);
        stop(r, say(&note));
        return;
    }
    r->loaded = take_x;
    edge_begin(r->edges[0]);
    threads_run(r->threads);
    for (size_t i = 0; i < take_x->config->n_apps; i++)
        r->apps_awaited += is_dev(r) && take_x->apps[i].script.n > 0;
    announce_when_ready(r);
}

/* --- loading, and loading again --- */

static void load(struct run *r);

static void watch_app(struct run *r, const struct config_app *app, const struct loaded_app *loaded)
{
    for (char **file = loaded->files; is_dev(r) && *file; file++)
        watcher_add(r->watcher, *file);
    for (const char *const *file = app->routes_files; file && *file; file++)
        watcher_add(r->watcher, *file);
}

/* Sources in dev; routes, and the keys they name, always. */
static void watch_files(struct run *r, const struct loaded *x)
{
    if (!r->watcher)
        return;
    watcher_any(r->watcher, is_dev(r) && x == NULL);
    if (!x)
        return;
    watcher_clear(r->watcher);
    for (size_t i = 0; i < x->config->n_apps; i++)
        watch_app(r, &x->config->apps[i], &x->apps[i]);
}

static bool is_same(const struct loaded_app *a, const struct loaded_app *b)
{
    return slice_eq(a->edge.script, b->edge.script) && slice_eq(a->edge.config, b->edge.config) &&
           slice_eq(a->edge.map, b->edge.map) && json_equal(a->origin, b->origin);
}

static const struct loaded_app *find_loaded(const struct loaded *x, const char *name)
{
    const struct config_app *app = config_find(x->config, name);

    return app ? &x->apps[app - x->config->apps] : NULL;
}

static void reload_app(struct run *r, const struct loaded_app *app)
{
    const struct loaded_app *old = find_loaded(r->loaded, app->edge.name);
    struct err_note note = {0};

    if (old && is_same(old, app))
        return;
    int result = edge_reload(r->edges[0], &app->edge, &note);

    if (result < 0)
        log_event(&r->log, LOG_ERROR, "app.reload", F_NAME("app", app->edge.name),
                  F_ERR("error", result),
                  F_NAME("why", note.text[0] ? note.text
                                             : "applications come and go with a restart only"));
    else
        log_event(&r->log, LOG_INFO, "app.reload", F_NAME("app", app->edge.name),
                  F_UINT("routes", app->edge.origin ? app->edge.origin->n_routes : 0));
}

/* What the edges were made with cannot change under them. */
static void check_fixed(struct run *r, const struct config *new)
{
    static const char *const fixed[] = {
        "listen",          "threads",       "control",
        "state",           "sandbox",       "max_connections",
        "goodbye_ms",      "log",           "max_connections_per_client",
        "trusted_proxies", "max_memory_mb", "grip"};

    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (!json_equal(json_object_get(r->loaded->config->doc, fixed[i]),
                        json_object_get(new->doc, fixed[i])))
            log_event(&r->log, LOG_WARN, "config.unchanged", F_NAME("key", fixed[i]),
                      F_NAME("why", "a restart is needed for it"));
}

/* The files may be new though their names are the same. */
static void reload_certificates(struct run *r, const struct config *new)
{
    for (size_t i = 0; i < MIN(new->n_listen, r->loaded->config->n_listen); i++)
        if (new->listen[i].certificates)
            edge_certify(r->edges[0], i, new->listen[i].certificates,
                         new->listen[i].n_certificates);
}

static void reload(struct run *r, struct loaded *take_x)
{
    check_fixed(r, take_x->config);
    reload_certificates(r, take_x->config);
    for (size_t i = 0; i < take_x->config->n_apps; i++)
        reload_app(r, &take_x->apps[i]);
    loaded_free(r->loaded);
    r->loaded = take_x;
}

/* For programs each line is an event; as long as nothing runs, nobody but people can be meant. */
static void tell(struct run *r, bool failed, struct slice text)
{
    struct slice line;

    if (!r->log.ops || r->log.form != LOG_JSON) {
        say_lines(stderr, text);
        return;
    }
    while (slice_split(&text, '\n', &line))
        if (line.n)
            log_event(&r->log, failed ? LOG_ERROR : LOG_WARN,
                      failed ? "config.refused" : "config.warned", F_TEXT("text", line));
}

/* Errors each time, warnings when they are new. */
static void show(struct run *r, bool failed, struct slice text)
{
    if (failed || !slice_eq(text, buf_slice(&r->warnings)))
        tell(r, failed, text);
    buf_clear(&r->warnings);
    (void)buf_add(&r->warnings, failed ? SLICE_NONE : text);
}

static void on_loaded(void *arg, struct loaded *take_x, struct slice text)
{
    struct run *r = arg;

    if (take_x && !r->loaded)
        r->log = stderr_log(take_x->config->log_level, take_x->config->log_form);
    show(r, !take_x, text);
    load_close(r->loading);
    r->loading = NULL;
    watch_files(r, take_x);
    if (r->stops)
        loaded_free(take_x);
    else if (!r->loaded && !take_x)
        stop(r, EXIT_WRONG);
    else if (!r->loaded)
        open_edges(r, take_x);
    else if (take_x)
        reload(r, take_x);
    else
        log_event(&r->log, LOG_WARN, "app.unchanged",
                  F_NAME("why", is_dev(r) ? "the new code cannot be built"
                                          : "the new configuration is wrong"));
    if (r->is_stale && !r->stops)
        load(r);
}

static void load(struct run *r)
{
    r->is_stale = r->loading != NULL;
    if (!r->is_stale)
        r->loading = load_open(r->loop, &r->paths, r->options, NULL, on_loaded, r);
}

static void on_changed(void *arg, const char *path)
{
    struct run *r = arg;

    if (r->stops)
        return;
    log_event(&r->log, LOG_DEBUG, "file.changed", F_NAME("path", path));
    load(r);
}

static void on_signal(void *arg, int number)
{
    struct run *r = arg;

    if (number == SIGHUP && !is_dev(r) && r->loaded && !r->stops)
        load(r);
    else
        stop(r, EXIT_FINE);
}

/* --- the whole --- */

/* As many descriptors as the system lets us have: each client is one. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Everything that goes to standard error goes there. */
static int log_to(const char *path, struct err_note *note)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0)
        return err_notef(note, -ERR_OS, "cannot write the log %s: %m", path);
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
    return 0;
}

/* dev needs it; elsewhere routes that change are just not noticed without. */
static int begin_watching(struct run *r, struct err_note *note)
{
    if (options_find(r->options, OPT_WATCH))
        return 0;
    r->watcher = watcher_open(r->loop, on_changed, r, note);
    return r->watcher || !is_dev(r) ? 0 : -ERR_OS;
}

static int begin(struct run *r, struct err_note *note)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const char *logfile = options_find(r->options, OPT_PP_LOGFILE);
    int result = logfile ? log_to(logfile, note) : 0;

    if (result < 0 || (result = paths_find(&r->paths, note)) < 0)
        return result;
    raise_descriptors();
    r->loop = loop_new();
    if (r->loop)
        r->signals = signals_open(r->loop, numbers, COUNT_OF(numbers), on_signal, r);
    if (!r->signals)
        return err_notef(note, -ERR_OS, "cannot start: %m");
    return begin_watching(r, note);
}

static void free_edge(void *arg, unsigned i)
{
    const struct run *r = arg;

    edge_free(r->edges[i]);
}

static void end(struct run *r)
{
    threads_end(r->threads, free_edge, r);
    load_close(r->loading);
    watcher_close(r->watcher);
    signals_close(r->signals);
    if (r->loop)
        loop_free(r->loop);
    loaded_free(r->loaded);
    buf_done(&r->warnings);
    mem_free(r->ports);
    paths_done(&r->paths);
}

int gateway_run(const struct options *o)
{
    struct run r = {.options = o, .status = EXIT_FINE};
    struct err_note note = {0};

    buf_init(&r.warnings, WARNINGS_MAX);
    if (begin(&r, &note) < 0) {
        r.status = say(&note);
    } else {
        load(&r);
        loop_run(r.loop);
    }
    end(&r);
    return r.status;
}
