/*
 * Runs a bundled test file of this folder in the engine, with the natives that need no host
 * (storage in a folder of its own).
 *
 *   driver BUNDLE.js
 *
 * The bundle's value is a function (native, global) that returns lib.js's suite, { start(), step(),
 * makeError }; step() is called, a turn each, until it returns the report, whose first line begins
 * with "ok" or "not ok".
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "api/modules.h"
#include "base/bytes.h"
#include "js/native.h"
#include "js/vm.h"

static struct js_error err;

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "%s: %s\n%s\n", what, err.message, err.stack ? err.stack : "");
    exit(2);
}

static struct buf read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    struct buf text;
    size_t n;

    if (!f) {
        perror(path);
        exit(2);
    }
    buf_init(&text, SIZE_MAX);
    while ((n = fread(buf_reserve(&text, 64 << 10), 1, 64 << 10, f)) > 0)
        buf_commit(&text, n);
    fclose(f);
    return text;
}

static JSValueRef milliseconds(const struct js_args *a, clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return js_number(a->cx, (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6);
}

/* now(): monotonic milliseconds. */
static JSValueRef now(const struct js_args *a)
{
    return milliseconds(a, CLOCK_MONOTONIC);
}

/* cpu(): milliseconds that this thread has worked. */
static JSValueRef cpu(const struct js_args *a)
{
    return milliseconds(a, CLOCK_THREAD_CPUTIME_ID);
}

static const struct js_native clock_natives[] = {{"now", 0, now}, {"cpu", 0, cpu}, {0}};

static JSValueRef natives(struct js_vm *vm, struct api *api)
{
    JSObjectRef native = js_object(js_cx(vm));

    api_share(api, native);
    js_set(js_cx(vm), native, "compression", js_natives(vm, api_compression_natives, NULL));
    js_set(js_cx(vm), native, "crypto", js_natives(vm, api_crypto_natives, NULL));
    js_set(js_cx(vm), native, "crypto_key", js_natives(vm, api_crypto_key_natives, NULL));
    js_set(js_cx(vm), native, "encoding", js_natives(vm, api_encoding_natives, NULL));
    js_set(js_cx(vm), native, "clock", js_natives(vm, clock_natives, NULL));
    js_set(js_cx(vm), native, "durable", js_natives(vm, api_durable_natives, api));
    js_set(js_cx(vm), native, "storage", js_natives(vm, api_storage_natives, api));
    js_set(js_cx(vm), native, "websocket", js_natives(vm, api_websocket_natives, api));
    return native;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static bool report(struct js_vm *vm, JSValueRef suite)
{
    JSValueRef step = js_get(js_cx(vm), suite, "step");
    struct js_text text;
    JSValueRef v;
    bool ok;

    for (;;) {
        check(js_call(vm, step, 0, NULL, &v, &err), "step");
        if (js_text_get(js_cx(vm), v, &text))
            break;
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    ok = slice_starts(text.s, SLICE("ok"));
    printf("%.*s\n", SLICE_FMT(text.s));
    js_text_done(&text);
    return ok;
}

int main(int argc, char **argv)
{
    struct js_vm *vm = js_vm_new();
    char state[] = "/tmp/holdfast-js-XXXXXX";
    struct api api = {.vm = vm, .facts = {.links = 1, .state_dir = mkdtemp(state)}};
    struct buf text = read_file(argc > 1 ? argv[1] : "/dev/stdin");
    JSValueRef bundle;
    JSValueRef suite;
    bool ok;

    check(js_eval(vm, buf_slice(&text), argc > 1 ? argv[1] : "stdin", 1, &bundle, &err), "bundle");
    check(js_call(vm, bundle, 2, (JSValueRef[]){natives(vm, &api), js_global(vm)}, &suite, &err),
          "bundle");
    js_vm_set_error_maker(vm, js_get(js_cx(vm), suite, "makeError"));
    check(js_call(vm, js_get(js_cx(vm), suite, "start"), 0, NULL, NULL, &err), "start");
    ok = report(vm, suite);
    js_morgue_empty(vm);
    api_storage_close(&api);
    (void)nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_done(&text);
    js_vm_free(vm);
    return ok ? 0 : 1;
}
