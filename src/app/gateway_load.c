#include "app/gateway_load.h"

#include "app/gateway_bundle.h"

enum { CONFIG_MAX = 4 << 20, SCRIPT_MAX = 32 << 20, MAP_MAX = 64 << 20, TEXT_MAX = 1 << 20 };

struct loading {
    struct loop *loop;
    const struct paths *paths;
    const char *out;
    struct config_reading *reading;
    struct bundle *bundle;
    struct loaded *loaded;
    size_t next; /* application */
    struct buf text;
    load_done *done;
    void *arg;
};

/* --- what is loaded --- */

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        mem_free(texts[i]);
    mem_free(texts);
}

void loaded_free(struct loaded *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < x->config->n_apps; i++) {
        free_texts(x->apps[i].files);
        buf_done(&x->apps[i].config);
        buf_done(&x->apps[i].script);
        buf_done(&x->apps[i].map);
    }
    mem_free(x->apps);
    config_free(x->config);
    mem_free(x);
}

static struct loaded *make_loaded(struct config *take_config)
{
    struct loaded *x = mem_new(sizeof(*x));

    x->config = take_config;
    x->apps = mem_new(take_config->n_apps * sizeof(*x->apps));
    for (size_t i = 0; i < take_config->n_apps; i++) {
        buf_init(&x->apps[i].config, CONFIG_MAX);
        buf_init(&x->apps[i].script, SCRIPT_MAX);
        buf_init(&x->apps[i].map, MAP_MAX);
    }
    return x;
}

static size_t count_texts(const char *const *texts)
{
    size_t n = 0;

    while (texts && texts[n])
        n++;
    return n;
}

/* Copies of both lists in one. */
static char **join_texts(const char *const *a, const char *const *b)
{
    size_t n_a = count_texts(a), n_b = count_texts(b);
    char **all = mem_new((n_a + n_b + 1) * sizeof(*all));

    for (size_t i = 0; i < n_a + n_b; i++)
        all[i] = text_format("%s", i < n_a ? a[i] : b[i - n_a]);
    return all;
}

/* START.config with the format in it, and the edge's view of all that was loaded. */
static int complete(struct loaded_app *app, const struct config_app *from, const char *format)
{
    json_t *start = json_copy(from->start);

    (void)json_object_set_new(start, "format", json_string(format));
    char *text = json_dumps(start, JSON_COMPACT);
    int r = text ? buf_add(&app->config, slice_str(text)) : -ERR_INTERNAL;

    free(text);
    json_decref(start);
    app->origin = from->origin;
    app->edge = from->edge;
    app->edge.config = buf_slice(&app->config);
    app->edge.script = buf_slice(&app->script);
    app->edge.map = buf_slice(&app->map);
    return r;
}

/* --- one application after the other --- */

static void load_next(struct loading *ld);

static void succeed(struct loading *ld)
{
    struct loaded *x = ld->loaded;

    ld->loaded = NULL;
    ld->done(ld->arg, x, buf_slice(&ld->text));
}

static void fail(struct loading *ld)
{
    ld->done(ld->arg, NULL, buf_slice(&ld->text));
}

static void fail_note(struct loading *ld, const struct err_note *note)
{
    (void)buf_addf(&ld->text, "holdfast: %s\n", note->text);
    fail(ld);
}

static void on_bundle(void *arg, const struct bundle_result *result, struct slice errors)
{
    struct loading *ld = arg;
    struct loaded_app *app = &ld->loaded->apps[ld->next];
    const struct config_app *from = &ld->loaded->config->apps[ld->next];

    (void)buf_add(&ld->text, errors);
    if (!result) {
        fail(ld);
        return;
    }
    app->files = join_texts((const char *const *)result->inputs, from->watch);
    if (buf_add(&app->script, result->script) < 0 || buf_add(&app->map, result->map) < 0 ||
        complete(app, from, result->format) < 0) {
        fail_note(ld, &(struct err_note){"the bundle is too large"});
        return;
    }
    bundle_close(ld->bundle);
    ld->bundle = NULL;
    ld->next++;
    load_next(ld);
}

static int start_bundle(struct loading *ld, const struct config_app *from, struct err_note *note)
{
    const char *dir = ld->out ? ld->out : from->build_dir;

    ld->bundle = bundle_open(ld->loop, ld->paths, from, dir, on_bundle, ld, note);
    return ld->bundle ? 0 : -ERR_NOT_FOUND;
}

/* A bundle that is made already, or no code at all: then there are only assets, and the script is
 * empty. */
static int read_code(struct loaded_app *app, const struct config_app *from, struct err_note *note)
{
    int r;

    app->files = join_texts(from->watch, NULL);
    if (from->script && ((r = file_read(from->script, &app->script, note)) < 0 ||
                         (r = file_read(from->map, &app->map, note)) < 0))
        return r;
    return complete(app, from, from->format ? from->format : "modules");
}

static void load_next(struct loading *ld)
{
    const struct config *config = ld->loaded->config;
    struct err_note note = {0};

    for (; ld->next < config->n_apps; ld->next++) {
        const struct config_app *from = &config->apps[ld->next];

        if (from->entry ? start_bundle(ld, from, &note) < 0
                        : read_code(&ld->loaded->apps[ld->next], from, &note) < 0) {
            fail_note(ld, &note);
            return;
        }
        if (from->entry)
            return; /* on_bundle() goes on */
    }
    succeed(ld);
}

static void on_config(void *arg, struct config *take_config, struct slice err)
{
    struct loading *ld = arg;

    (void)buf_add(&ld->text, err);
    if (!take_config) {
        fail(ld);
        return;
    }
    ld->loaded = make_loaded(take_config);
    load_next(ld);
}

/* The reader cannot even be started: told as everything else, on the loop. */
static void on_unstarted(void *arg)
{
    fail(arg);
}

struct loading *load_open(struct loop *l, const struct paths *paths, const struct options *options,
                          const char *out, load_done *done, void *arg)
{
    struct loading *ld = mem_new(sizeof(*ld));
    struct err_note note = {0};

    *ld = (struct loading){.loop = l, .paths = paths, .out = out, .done = done, .arg = arg};
    buf_init(&ld->text, TEXT_MAX);
    ld->reading = config_read(l, paths, options, on_config, ld, &note);
    if (!ld->reading) {
        (void)buf_addf(&ld->text, "holdfast: %s\n", note.text);
        loop_defer(l, LOOP_DEFERRED, on_unstarted, ld);
    }
    return ld;
}

void load_close(struct loading *ld)
{
    if (!ld)
        return;
    config_cancel(ld->reading);
    bundle_close(ld->bundle);
    loaded_free(ld->loaded);
    buf_done(&ld->text);
    mem_free(ld);
}
