#include "app/gateway_bundle.h"

#include <glob.h>
#include <unistd.h>

#include "app/gateway_module.h"
#include "app/gateway_tool.h"

enum { FLAGS_MAX = 256, SCRIPT_MAX = 32 << 20, MAP_MAX = 64 << 20, MODULES_MAX = 4096 };

struct bundle {
    const struct config_app *app;
    struct loop *loop;
    struct tool *tool;
    bool lowered; /* async functions are written as generators */
    char *dir;
    char *flags[FLAGS_MAX];
    size_t n_flags;
    struct buf script;
    struct buf map;
    char **inputs;
    struct buf modules; /* names of the platform's, " a b" */
    struct buf node;    /* those of Node.js, " a, b" */
    bundle_done *done;
    void *arg;
};

/* --- esbuild's command line --- */

static void add_flag(struct bundle *b, char *take_flag)
{
    if (b->n_flags == FLAGS_MAX - 1)
        mem_free(take_flag);
    else
        b->flags[b->n_flags++] = take_flag;
}

/* "--NAME:KEY=TEXT" for each member of an object. */
static void add_pairs(struct bundle *b, const char *name, json_t *pairs)
{
    const char *key;
    json_t *text;

    json_object_foreach(pairs, key, text)
        add_flag(b, text_format("--%s:%s=%s", name, key, json_string_value(text)));
}

static void add_setting(struct bundle *b, const char *flag, const char *key)
{
    const char *text = json_string_value(json_object_get(b->app->build, key));

    if (text)
        add_flag(b, text_format("--%s=%s", flag, text));
}

/* Whether the compatibility flags give the application this module of Node.js. */
static bool has_node(const struct bundle *b, struct slice name)
{
    const char *which = json_string_value(json_object_get(b->app->build, "nodejs"));

    return which && (strcmp(which, "all") == 0 ||
                     (strcmp(which, "als") == 0 && slice_eq(name, SLICE("async_hooks"))));
}

/* "a__b" as "a/b". */
static char *module_name(struct slice name)
{
    char *text = text_format("%.*s", SLICE_FMT(name)), *to = text;

    for (const char *from = text; *from; from++, to++) {
        bool slash = from[0] == '_' && from[1] == '_';

        *to = slash ? '/' : *from;
        from += slash;
    }
    *to = 0;
    return text;
}

static void add_node(struct bundle *b, const char *name, const char *path)
{
    add_flag(b, text_format("--alias:node:%s=%s", name, path));
    add_flag(b, text_format("--alias:%s=%s", name, path));
    (void)buf_addf(&b->node, "%s %s", b->node.n ? "," : "", name);
}

static void free_text(char **text)
{
    mem_free(*text);
}

/* modules/cloudflare_workers.mjs stands for `cloudflare:workers`, node_timers__promises.cjs for
 * `node:timers/promises`. */
static void add_module(struct bundle *b, const char *path)
{
    struct slice file = slice_str(strrchr(path, '/') + 1), scheme;

    file.n -= strlen(".mjs");
    (void)slice_split(&file, '_', &scheme);
    CLEANUP(free_text) char *name = module_name(file);

    if (slice_eq(scheme, SLICE("node"))) {
        if (has_node(b, file))
            add_node(b, name, path);
        return;
    }
    (void)buf_addf(&b->modules, " %.*s:%s", SLICE_FMT(scheme), name);
    add_flag(b, text_format("--alias:%.*s:%s=%s", SLICE_FMT(scheme), name, path));
}

static void add_modules(struct bundle *b, const char *folder)
{
    char *pattern = text_format("%s/*_*.?js", folder);
    glob_t found = {0};

    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            add_module(b, found.gl_pathv[i]);
    globfree(&found);
    mem_free(pattern);
}

static void make_flags(struct bundle *b, const struct paths *paths, char *take_esbuild)
{
    static const char *const always[] = {
        "--bundle",
        "--format=esm",
        "--platform=browser",
        "--target=es2024",
        "--conditions=workerd,worker,browser",
        "--sourcemap=external",
        "--sources-content=false",
        "--legal-comments=inline",
        "--log-level=warning",
        "--define:import.meta=holdfast_import_meta",
        "--banner:js=var holdfast_import_meta={url:\"file:///worker.js\"};",
    };

    add_flag(b, take_esbuild);
    add_flag(b, text_format("%s", b->app->entry));
    for (size_t i = 0; i < COUNT_OF(always); i++)
        add_flag(b, text_format("%s", always[i]));
    add_flag(b, text_format("--color=%s", isatty(STDERR_FILENO) ? "true" : "false"));
    add_flag(b, text_format("--outfile=%s/worker.js", b->dir));
    add_flag(b, text_format("--metafile=%s/meta.json", b->dir));
    /* Packages leave their checks out; an application's own `define` is stronger. */
    if (!json_is_true(json_object_get(b->app->start, "dev")))
        add_flag(b, text_format("--define:process.env.NODE_ENV=\"production\""));
    add_modules(b, paths->modules);
    add_pairs(b, "alias", json_object_get(b->app->build, "alias"));
    add_pairs(b, "define", json_object_get(b->app->build, "define"));
    add_pairs(b, "loader", json_object_get(b->app->build, "loaders"));
    add_setting(b, "tsconfig", "tsconfig");
    add_setting(b, "jsx-factory", "jsx_factory");
    add_setting(b, "jsx-fragment", "jsx_fragment");
}

/* --- what esbuild wrote --- */

static int read_output(const struct bundle *b, const char *name, struct buf *out,
                       struct err_note *note)
{
    char *path = text_format("%s/%s", b->dir, name);
    int r = file_read(path, out, note);

    mem_free(path);
    return r;
}

static json_t *read_json(const struct bundle *b, const char *name, struct err_note *note)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, MAP_MAX);
    if (read_output(b, name, &text, note) < 0)
        return NULL;
    json_t *doc = json_loadb((const char *)text.p, text.n, 0, NULL);

    if (!doc)
        (void)err_notef(note, -ERR_SYNTAX, "%s/%s is not JSON", b->dir, name);
    return doc;
}

static int read_script(struct bundle *b, bool *ret_module, struct err_note *note)
{
    CLEANUP(buf_done) struct buf text;
    int r;

    buf_init(&text, SCRIPT_MAX);
    if ((r = read_output(b, "worker.js", &text, note)) < 0)
        return r;
    if ((r = module_to_function(buf_slice(&text), &b->script, ret_module)) < 0)
        return err_notef(note, r, "%s/worker.js: the bundle has an unexpected form", b->dir);
    return 0;
}

/* The path from folder `from` to file `to`, both absolute and normal. */
static char *relative(struct slice from, struct slice to)
{
    size_t common = 0;
    CLEANUP(buf_done) struct buf up;

    buf_init(&up, 64 << 10);
    for (size_t i = 0;
         i <= from.n && i < to.n && (i == from.n ? to.p[i] == '/' : from.p[i] == to.p[i]); i++)
        if (to.p[i] == '/')
            common = i + 1;
    for (size_t i = common; i < from.n; i++)
        if (i == common || from.p[i] == '/')
            (void)buf_add(&up, SLICE("../"));
    return text_format("%.*s%.*s", SLICE_FMT(buf_slice(&up)),
                       SLICE_FMT(slice_sub(to, common, to.n)));
}

/* folder/path without its "." and "..". */
static char *resolved(const char *folder, const char *path)
{
    char *text = path[0] == '/' ? text_format("%s", path) : text_format("%s/%s", folder, path);
    struct slice rest = slice_str(text), part;
    CLEANUP(buf_done) struct buf out;

    buf_init(&out, rest.n + 2);
    while (slice_split(&rest, '/', &part)) {
        if (slice_eq(part, SLICE(".."))) {
            while (out.n && out.p[--out.n] != '/')
                ;
        } else if (part.n && !slice_eq(part, SLICE("."))) {
            (void)buf_addf(&out, "/%.*s", SLICE_FMT(part));
        }
    }
    mem_free(text);
    return text_format("%.*s", SLICE_FMT(buf_slice(&out)));
}

/* The map's sources are named from esbuild's folder; people know them from the application's. */
static void rename_sources(const struct bundle *b, json_t *map)
{
    json_t *sources = json_object_get(map, "sources"), *source;
    size_t i;

    json_array_foreach(sources, i, source)
    {
        char *path = resolved(b->dir, json_string_value(source)),
             *shown = relative(slice_str(b->app->root), slice_str(path));

        (void)json_array_set_new(sources, i, json_string(shown));
        mem_free(path);
        mem_free(shown);
    }
}

static int read_map(struct bundle *b, struct err_note *note)
{
    json_t *map = read_json(b, "worker.js.map", note);

    if (!map)
        return -ERR_OS;
    rename_sources(b, map);
    char *text = json_dumps(map, JSON_COMPACT);
    int r = text ? buf_add(&b->map, slice_str(text)) : -ERR_INTERNAL;

    free(text);
    json_decref(map);
    return r;
}

static void keep_inputs(struct bundle *b, json_t *inputs)
{
    const char *name;
    json_t *input;
    size_t n = 0;

    b->inputs = mem_new((json_object_size(inputs) + 1) * sizeof(*b->inputs));
    json_object_foreach(inputs, name, input) if (name[0] != '<' && name[0] != '(') b->inputs[n++] =
        resolved(b->app->root, name);
}

static bool has_text(const json_t *list, const char *text)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
            return true;
    return false;
}

/* A binding to a class that the entry does not export would fail in the worker; here it has a place
 * in a file. */
static int check_classes(const struct bundle *b, const json_t *exports, struct err_note *note)
{
    const json_t *list = b->app->durable_objects;
    CLEANUP(free_text) char *entry = relative(slice_str(b->app->root), slice_str(b->app->entry));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *name = json_string_value(json_object_get(o, "class")),
                   *where = json_string_value(json_object_get(o, "where"));

        if (!has_text(exports, name))
            return err_notef(note, -ERR_CONFIG,
                             "%s: class_name \"%s\": %s exports no class of this name; write "
                             "`export class %s …` there, or name "
                             "one that it exports",
                             where ? where : "durable_objects", name, entry, name);
    }
    return 0;
}

static int read_meta(struct bundle *b, bool module, struct err_note *note)
{
    json_t *meta = read_json(b, "meta.json", note), *output;
    const char *name;
    int r = meta ? 0 : -ERR_OS;

    keep_inputs(b, json_object_get(meta, "inputs"));
    json_object_foreach(json_object_get(meta, "outputs"), name,
                        output) if (r == 0 && module && json_object_get(output, "entryPoint")) r =
        check_classes(b, json_object_get(output, "exports"), note);
    json_decref(meta);
    return r;
}

static void fail(struct bundle *b, const struct err_note *note)
{
    char line[sizeof(note->text) + 2];

    (void)snprintf(line, sizeof(line), "%s\n", note->text);
    b->done(b->arg, NULL, slice_str(line));
}

static void explain_node(const struct bundle *b, struct slice err, struct buf *text)
{
    if (!b->node.n)
        (void)buf_add(text, SLICE("holdfast: the modules of Node.js come with `compatibility_flags "
                                  "= [\"nodejs_compat\"]`, which is on by itself\n"
                                  "  from compatibility_date 2026-08-04\n"));
    else
        (void)buf_addf(text,
                       "holdfast: of the modules of Node.js there are:%.*s.\n  For others use the "
                       "Web's own interfaces, or a package that does (\"alias\" in the wrangler "
                       "file puts another one\n  in its place)\n",
                       SLICE_FMT(buf_slice(&b->node)));
    if (slice_find_slice(err, SLICE("resolve \"http\"")) >= 0 ||
        slice_find_slice(err, SLICE("resolve \"node:http\"")) >= 0)
        (void)buf_add(
            text, SLICE("  A server for Node.js runs there as it is; `holdfast serve --route '* "
                        "localhost:PORT'` stands in front\n  of it (docs/grip.md)\n"));
}

/* esbuild's errors, and what they mean here where its own advice leads astray. */
static void explain(struct bundle *b, struct slice err)
{
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, err.n + 4096);
    (void)buf_add(&text, err);
    if (slice_find_slice(err, SLICE("built into node")) >= 0)
        explain_node(b, err, &text);
    if (slice_find_slice(err, SLICE("resolve \"cloudflare:")) >= 0 ||
        slice_find_slice(err, SLICE("resolve \"fastly:")) >= 0)
        (void)buf_addf(&text, "holdfast: of the platform's modules there are:%.*s\n",
                       SLICE_FMT(buf_slice(&b->modules)));
    else if (slice_find_slice(err, SLICE("No loader is configured")) >= 0)
        (void)buf_add(
            &text,
            SLICE("holdfast: the wrangler file says what such a file is: \"rules\": [{\"type\": "
                  "\"Text\", \"globs\": [\"**/*.svg\"]}],\n  or \"Data\" for bytes\n"));
    else if (slice_find_slice(err, SLICE("as external to exclude it")) >= 0)
        (void)buf_addf(&text,
                       "holdfast: a package that cannot be resolved is not installed: run `npm "
                       "install` in %s,\n  or `npm install NAME` for one that package.json does "
                       "not have yet; nothing can be external here\n",
                       b->app->root);
    b->done(b->arg, NULL, buf_slice(&text));
}

/* The engine's `await` leaves AsyncLocalStorage behind (src/api/frame.js): an application that uses
 * it is bundled again, without. */
static bool wants_lowering(const struct bundle *b, struct err_note *note)
{
    json_t *meta = b->lowered ? NULL : read_json(b, "meta.json", note);
    json_t *inputs = json_object_get(meta, "inputs"), *input;
    const char *name;
    bool found = false;

    json_object_foreach(inputs, name, input) found = found || strstr(name, "node_async_hooks.cjs");
    json_decref(meta);
    return found;
}

static void on_bundled(void *arg, bool ok, struct slice out, struct slice err);

static int bundle_again(struct bundle *b, struct err_note *note)
{
    b->lowered = true;
    add_flag(b, text_format("--supported:async-await=false"));
    add_flag(b, text_format("--supported:async-generator=false"));
    add_flag(b, text_format("--supported:for-await=false"));
    tool_close(b->tool);
    b->tool = tool_open(b->loop, (const char *const *)b->flags, b->app->root, on_bundled, b, note);
    return b->tool ? 0 : -ERR_OS;
}

static void on_bundled(void *arg, bool ok, struct slice out, struct slice err)
{
    struct bundle *b = arg;
    struct err_note note = {0};
    bool module;

    if (!ok) {
        explain(b, err);
        return;
    }
    if (wants_lowering(b, &note)) {
        if (bundle_again(b, &note) < 0)
            fail(b, &note);
        return;
    }
    if (read_script(b, &module, &note) < 0 || read_map(b, &note) < 0 ||
        read_meta(b, module, &note) < 0) {
        fail(b, &note);
        return;
    }
    const struct bundle_result result = {
        .script = buf_slice(&b->script),
        .map = buf_slice(&b->map),
        .format = module ? "modules" : "service-worker",
        .inputs = b->inputs,
    };

    b->done(b->arg, &result, err);
}

struct bundle *bundle_open(struct loop *l, const struct paths *paths, const struct config_app *app,
                           const char *dir, bundle_done *done, void *arg, struct err_note *note)
{
    char *esbuild = paths_esbuild(paths, app->root);

    if (!esbuild) {
        (void)err_notef(note, -ERR_NOT_FOUND,
                        "esbuild is missing: run `npm install --save-dev esbuild` in %s, or use a "
                        "bundle made by `holdfast build`",
                        app->root);
        return NULL;
    }
    struct bundle *b = mem_new(sizeof(*b));

    *b = (struct bundle){
        .app = app, .loop = l, .dir = text_format("%s", dir), .done = done, .arg = arg};
    buf_init(&b->script, SCRIPT_MAX + 4096);
    buf_init(&b->map, MAP_MAX);
    buf_init(&b->modules, MODULES_MAX);
    buf_init(&b->node, MODULES_MAX);
    make_flags(b, paths, esbuild);
    if (folder_make(dir, note) == 0 &&
        (b->tool = tool_open(l, (const char *const *)b->flags, app->root, on_bundled, b, note)))
        return b;
    bundle_close(b);
    return NULL;
}

void bundle_close(struct bundle *b)
{
    if (!b)
        return;
    tool_close(b->tool);
    for (size_t i = 0; i < b->n_flags; i++)
        mem_free(b->flags[i]);
    for (size_t i = 0; b->inputs && b->inputs[i]; i++)
        mem_free(b->inputs[i]);
    mem_free(b->inputs);
    mem_free(b->dir);
    buf_done(&b->script);
    buf_done(&b->map);
    buf_done(&b->modules);
    buf_done(&b->node);
    mem_free(b);
}
