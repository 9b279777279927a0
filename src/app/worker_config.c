#include "app/worker_config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/enc.h"
#include "js/native.h"
#include "js/value.h"
#include "js/vm.h"

enum { FILE_MAX = 16 << 20, OUTPUT_MAX = 64 << 20, READ_SIZE = 16 << 10 };

/* From the assembler file that tools/bundle-api.mjs writes. */
extern const uint8_t config_bundle_text[];
extern const uint8_t config_bundle_end[];

/* --- native.config: the few questions about files --- */

static JSValueRef config_cwd(const struct js_args *a)
{
    char path[PATH_MAX];

    return js_string(a->cx, slice_str(getcwd(path, sizeof(path)) ? path : "/"));
}

static JSValueRef config_kind(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text path = {0};
    struct stat st;

    if (!js_arg_text(a, 0, &path))
        return NULL;
    if (stat((const char *)path.s.p, &st) < 0)
        return js_string(a->cx, SLICE(""));
    return js_string(a->cx, S_ISREG(st.st_mode)   ? SLICE("file")
                            : S_ISDIR(st.st_mode) ? SLICE("folder")
                                                  : SLICE(""));
}

/* 0 or an errno. */
static int read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "re");
    uint8_t *room;
    size_t n;

    if (!f)
        return errno;
    while ((room = buf_reserve(out, READ_SIZE)) && (n = fread(room, 1, READ_SIZE, f)) > 0)
        buf_commit(out, n);
    int r = !room ? EFBIG : ferror(f) ? EIO : 0;

    (void)fclose(f);
    return r;
}

static JSValueRef config_read(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text path = {0};
    CLEANUP(buf_done) struct buf text;

    buf_init(&text, FILE_MAX);
    if (!js_arg_text(a, 0, &path))
        return NULL;
    int r = read_file((const char *)path.s.p, &text);

    if (r == ENOENT)
        return js_undefined(a->cx);
    if (r)
        return js_throw(a, "Error", "%.*s: %s", SLICE_FMT(path.s), strerror(r));
    return js_string(a->cx, buf_slice(&text));
}

static JSValueRef list_names(JSContextRef cx, struct dirent **names, int n)
{
    JSObjectRef list = (JSObjectRef)js_array(cx, 0, NULL);
    char index[16];

    for (int i = 0; i < n; i++) {
        (void)snprintf(index, sizeof(index), "%d", i);
        js_set(cx, list, index, js_string(cx, slice_str(names[i]->d_name)));
        free(names[i]);
    }
    free(names);
    return list;
}

static int is_visible(const struct dirent *one)
{
    return one->d_name[0] != '.';
}

static JSValueRef config_list(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text path = {0};
    struct dirent **names = NULL;

    if (!js_arg_text(a, 0, &path))
        return NULL;
    const int n = scandir((const char *)path.s.p, &names, is_visible, alphasort);

    return list_names(a->cx, names, MAX(n, 0));
}

/* What is in a file of any bytes, as base64; nothing when there is none. */
static JSValueRef config_bytes(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text path = {0};
    CLEANUP(buf_done) struct buf bytes, text;

    buf_init(&bytes, FILE_MAX);
    buf_init(&text, OUTPUT_MAX);
    if (!js_arg_text(a, 0, &path))
        return NULL;
    const int r = read_file((const char *)path.s.p, &bytes);

    if (r == ENOENT)
        return js_undefined(a->cx);
    if (r || enc_base64(&text, buf_slice(&bytes), ENC_BASE64) < 0)
        return js_throw(a, "Error", "%.*s: %s", SLICE_FMT(path.s), strerror(r));
    return js_string(a->cx, buf_slice(&text));
}

/* What an environment variable says. */
static JSValueRef config_variable(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text name = {0};

    if (!js_arg_text(a, 0, &name))
        return NULL;
    const char *text = getenv((const char *)name.s.p);

    return text ? js_string(a->cx, slice_str(text)) : js_undefined(a->cx);
}

static const struct js_native natives[] = {{"cwd", 0, config_cwd},
                                           {"kind", 1, config_kind},
                                           {"read", 1, config_read},
                                           {"list", 1, config_list},
                                           {"bytes", 1, config_bytes},
                                           {"variable", 1, config_variable},
                                           {0}};

/* --- the run --- */

static JSValueRef make_native(struct js_vm *vm)
{
    JSObjectRef native = js_object(js_cx(vm));

    js_set(js_cx(vm), native, "config", js_natives(vm, natives, NULL));
    return native;
}

static JSValueRef make_words(struct js_vm *vm, int argc, char **argv)
{
    JSObjectRef words = (JSObjectRef)js_array(js_cx(vm), 0, NULL);
    char index[16];

    for (int i = 0; i < argc; i++) {
        (void)snprintf(index, sizeof(index), "%d", i);
        js_set(js_cx(vm), words, index, js_string(js_cx(vm), slice_str(argv[i])));
    }
    return words;
}

/* Calls hooks.readConfig(words) of the bundle. */
static int run(struct js_vm *vm, int argc, char **argv, JSValueRef *ret, struct js_error *err)
{
    struct slice script =
        slice_make(config_bundle_text, (size_t)(config_bundle_end - config_bundle_text));
    JSValueRef bundle, hooks, args[] = {make_native(vm), js_global(vm)},
                              words = make_words(vm, argc, argv);
    int r;

    if ((r = js_eval(vm, script, "holdfast:config", 1, &bundle, err)) < 0 ||
        (r = js_call(vm, bundle, COUNT_OF(args), args, &hooks, err)) < 0)
        return r;
    return js_call(vm, js_get(js_cx(vm), hooks, "readConfig"), 1, &words, ret, err);
}

/* Writes a member of the result to f. */
static int print(struct js_vm *vm, JSValueRef result, const char *name, FILE *f)
{
    CLEANUP(buf_done) struct buf text;
    int r;

    buf_init(&text, OUTPUT_MAX);
    if ((r = js_text_add(js_cx(vm), js_get(js_cx(vm), result, name), &text)) < 0)
        return r;
    if (text.n && fwrite(text.p, 1, text.n, f) != text.n)
        return -ERR_OS;
    return fflush(f) == 0 ? 0 : -ERR_OS;
}

static int report(struct js_vm *vm, JSValueRef result)
{
    if (print(vm, result, "err", stderr) < 0 || print(vm, result, "out", stdout) < 0)
        return 1;
    return (int)JSValueToNumber(js_cx(vm), js_get(js_cx(vm), result, "status"), NULL);
}

int worker_config(int argc, char **argv)
{
    if (argc < 1) {
        (void)fputs("--config: expected PATH behind it\n", stderr);
        return 2;
    }
    CLEANUP(js_error_done) struct js_error err = {0};
    struct js_vm *vm = js_vm_new();
    JSValueRef result;
    int status = 1;

    if (run(vm, argc, argv, &result, &err) < 0)
        (void)fprintf(stderr, "%s\n", err.message);
    else
        status = report(vm, result);
    js_vm_free(vm);
    return status;
}
