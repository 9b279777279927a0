#include "app/gateway_build.h"

#include <stdlib.h>
#include <unistd.h>

#include "app/gateway_load.h"
#include "app/gateway_tool.h"

struct build {
    struct loop *loop;
    const char *out;
    struct tool *copy;
    int status;
};

static void end(struct build *b, int status)
{
    b->status = status;
    loop_stop(b->loop);
}

static int write_file(const char *folder, const char *name, struct slice text,
                      struct err_note *note)
{
    char *path = text_format("%s/%s", folder, name);
    int r = file_write(path, text, note);

    mem_free(path);
    return r;
}

/* holdfast.json: what the application's own configuration said. */
static int write_manifest(const char *out, const struct loaded *x, struct err_note *note)
{
    json_t *manifest = json_object_get(x->config->doc, "manifest"),
           *start = json_loadb((const char *)x->apps[0].config.p, x->apps[0].config.n, 0, NULL);

    (void)json_object_set(json_object_get(manifest, "app"), "format",
                          json_object_get(start, "format"));
    char *text = json_dumps(manifest, JSON_INDENT(2));
    int r = text ? write_file(out, "holdfast.json", slice_str(text), note) : -ERR_INTERNAL;

    free(text);
    json_decref(start);
    return r;
}

static int write_all(const char *out, const struct loaded *x, struct err_note *note)
{
    char *meta = text_format("%s/meta.json", out);
    int r;

    (void)unlink(meta);
    mem_free(meta);
    if ((r = folder_make(out, note)) < 0 ||
        (r = write_file(out, "worker.js", buf_slice(&x->apps[0].script), note)) < 0 ||
        (r = write_file(out, "worker.js.map", buf_slice(&x->apps[0].map), note)) < 0)
        return r;
    return write_manifest(out, x, note);
}

static void on_copied(void *arg, bool ok, struct slice out, struct slice err)
{
    struct build *b = arg;

    say_lines(stderr, err);
    end(b, ok ? 0 : 1);
}

/* The assets go into the folder, so that it is whole. */
static int copy_assets(struct build *b, const char *from, struct err_note *note)
{
    char *source = text_format("%s/.", from), *target = text_format("%s/assets", b->out);
    const char *const argv[] = {"cp", "-RL", "--", source, target, NULL};
    int r = folder_make(target, note);

    if (r >= 0 && !(b->copy = tool_open(b->loop, argv, NULL, on_copied, b, note)))
        r = -ERR_OS;
    mem_free(source);
    mem_free(target);
    return r;
}

static void on_loaded(void *arg, struct loaded *take_loaded, struct slice text)
{
    struct build *b = arg;
    struct err_note note = {0};

    say_lines(stderr, text);
    if (!take_loaded) {
        end(b, EXIT_WRONG);
        return;
    }
    const char *assets = take_loaded->apps[0].edge.assets.dir;
    int r = write_all(b->out, take_loaded, &note);

    if (r >= 0 && assets)
        r = copy_assets(b, assets, &note);
    if (r < 0)
        (void)fprintf(stderr, "holdfast: %s\n", note.text);
    if (r < 0 || !assets)
        end(b, r < 0);
    loaded_free(take_loaded);
}

static int run(const struct options *o, const struct paths *paths, const char *out)
{
    struct build b = {.loop = loop_new(), .out = out};
    struct loading *ld = load_open(b.loop, paths, o, out, on_loaded, &b);

    loop_run(b.loop);
    load_close(ld);
    tool_close(b.copy);
    loop_free(b.loop);
    if (b.status == 0)
        printf("built %s\n", out);
    return b.status;
}

int gateway_build(const struct options *o)
{
    const char *given = options_find(o, OPT_OUT);
    char *out = path_absolute(given ? given : "dist");
    struct err_note note = {0};
    struct paths paths;
    int status = 1;

    if (paths_find(&paths, &note) < 0)
        (void)fprintf(stderr, "holdfast: %s\n", note.text);
    else
        status = run(o, &paths, out);
    paths_done(&paths);
    mem_free(out);
    return status;
}
