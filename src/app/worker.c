/*
 * holdfast-worker: started by the gateway with its links, never by hand.
 *
 *   --app NAME --links N --state DIR --sandbox auto|strict|off --cpu-ms N --memory-bytes N
 *
 * Descriptors 3 … 3 + N - 1 are the links of edges 0 … N - 1, 3 + N the pulse page.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app/worker_config.h"
#include "host/host.h"
#include "wire/pulse.h"

enum { FIRST_FD = 3, EXIT_USAGE = 2 };

static bool number_is(const char *text, uint64_t max, uint64_t *ret)
{
    return slice_u64(slice_str(text), max, ret) == 0;
}

static bool mode_is(const char *text, enum sandbox_mode *ret)
{
    static const char *const names[] = {"auto", "strict", "off"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum sandbox_mode)i;
            return true;
        }
    return false;
}

static bool option_is(const char *name, const char *value, struct host_options *o)
{
    uint64_t n = 0;

    if (strcmp(name, "--app") == 0)
        o->app = value;
    else if (strcmp(name, "--state") == 0)
        o->state_dir = value;
    else if (strcmp(name, "--sandbox") == 0)
        return mode_is(value, &o->sandbox);
    else if (strcmp(name, "--links") == 0 && number_is(value, PULSE_LINKS, &n) && n > 0)
        o->links = (unsigned)n;
    else if (strcmp(name, "--cpu-ms") == 0 && number_is(value, UINT32_MAX, &n))
        o->cpu_ms = (uint32_t)n;
    else if (strcmp(name, "--memory-bytes") == 0 && number_is(value, UINT64_MAX, &n))
        o->memory_bytes = n;
    else
        return strcmp(name, "--actor-idle-ms") == 0 && number_is(value, UINT32_MAX, &n);
    return true;
}

/* What the gateway's environment says is none of the application's business. Workers run in UTC. */
static void clean_environment(void)
{
    (void)clearenv();
    (void)setenv("TZ", "UTC", 1);
    (void)setenv("LANG", "C.UTF-8", 1);
}

int main(int argc, char **argv)
{
    struct host_options o = {.app = "", .state_dir = "", .first_fd = FIRST_FD};

    if (argc > 1 && strcmp(argv[1], "--config") == 0)
        return worker_config(argc - 2, argv + 2);
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !option_is(argv[i], argv[i + 1], &o)) {
            fprintf(stderr, "holdfast-worker: unknown option or value: %s %s\n", argv[i],
                    i + 1 == argc ? "(missing)" : argv[i + 1]);
            return EXIT_USAGE;
        }
    if (o.links == 0) {
        fputs("holdfast-worker " HOLDFAST_VERSION " is started by holdfast, not by hand\n", stderr);
        return EXIT_USAGE;
    }
    clean_environment();
    return host_run(&o);
}
