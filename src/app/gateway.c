#include <stdio.h>

#include "app/gateway_build.h"
#include "app/gateway_options.h"
#include "app/gateway_publish.h"
#include "app/gateway_run.h"

static int usage(const struct err_note *note)
{
    (void)fprintf(stderr, "holdfast: %s\n", note->text);
    return EXIT_WRONG;
}

int main(int argc, char **argv)
{
    struct options o;
    struct err_note note = {0};

    if (options_parse(argc, argv, &o, &note) < 0)
        return usage(&note);
    if (o.help) {
        options_help(stdout, o.command);
        return EXIT_FINE;
    }
    if (o.version) {
        puts("holdfast " HOLDFAST_VERSION);
        return EXIT_FINE;
    }
    if (o.command == COMMAND_BUILD)
        return gateway_build(&o);
    return o.command == COMMAND_PUBLISH ? gateway_publish(&o) : gateway_run(&o);
}
