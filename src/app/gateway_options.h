/*
 * The command line: gateway_options.def as data, parsed and printed.
 *
 * Values stay text: what they mean is decided where configuration is read (src/api/config.js), so
 * that an option and the same key in a file get the same check and the same message.
 */
#ifndef APP_GATEWAY_OPTIONS_H
#define APP_GATEWAY_OPTIONS_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

enum command {
    COMMAND_NONE,
    COMMAND_DEV,
    COMMAND_SERVE,
    COMMAND_BUILD,
    COMMAND_PUBLISH,
    COMMAND_PUSHPIN, /* Pushpin's own command line; also when the program is called by that name */
};

enum option {
#define OPT(symbol, ...) OPT_##symbol,
#include "app/gateway_options.def"
#undef OPT
    OPT_COUNT
};

enum { OPT_GIVEN_MAX = 256 };

/* What the program exits with. */
enum {
    EXIT_FINE = 0,
    EXIT_FAILED = 1, /* something went wrong while it ran */
    EXIT_WRONG = 2,  /* what was given is wrong: an option, a configuration, code that cannot run */
};

struct options {
    enum command command;
    const char *path; /* NULL when none was given; of publish: the channel */
    const char *text; /* what is published; NULL when none was given */
    bool help;
    bool version;
    /* What was given, in order. Borrowed from argv. A switch has no text. */
    struct {
        enum option option;
        const char *text;
    } given[OPT_GIVEN_MAX];
    size_t n;
};

/* Reads argv. -ERR_CONFIG and a note that says what was expected. --help and --version end the
 * reading. */
int options_parse(int argc, char **argv, struct options *ret, struct err_note *note);

/* The last text given for an option, which is the one that counts; NULL when it was not given (""
 * for a switch that was). */
const char *options_find(const struct options *o, enum option option);

/* Its key in the normalised configuration ("listen.port"), or NULL; how it is spelt ("--port");
 * what its text is there: "string", "number" or "list". */
const char *options_key(enum option option);
const char *options_spelling(enum option option);
const char *options_kind(enum option option);

/* The help of a command, or of all when it is COMMAND_NONE. */
void options_help(FILE *out, enum command command);

#endif
