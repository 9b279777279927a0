#include "app/gateway_options.h"

#include <stdlib.h>

enum {
    DEV = 1 << COMMAND_DEV,
    SERVE = 1 << COMMAND_SERVE,
    BUILD = 1 << COMMAND_BUILD,
    PUBLISH = 1 << COMMAND_PUBLISH,
    PUSHPIN = 1 << COMMAND_PUSHPIN,
    ALL = 0xff
};
enum kind { TEXT, LIST, COUNT, SWITCH };

static const struct row {
    const char *name;
    const char *argument;
    enum kind kind;
    unsigned commands;
    const char *key;
    const char *preset;
    const char *help;
} rows[] = {
#define OPT(symbol, ...) {__VA_ARGS__},
#include "app/gateway_options.def"
#undef OPT
};

static const struct {
    const char *name;
    const char *usage;
    const char *help;
} commands[] = {
    [COMMAND_NONE] = {"", "", ""},
    [COMMAND_DEV] = {"dev", "dev PATH [options]",
                     "Runs an application and reloads it when a source file changes. PATH is a "
                     ".js, .mjs or .ts\n"
                     "file, or a folder with wrangler.jsonc, wrangler.json, wrangler.toml, "
                     "fastly.toml, or a\n"
                     "holdfast.toml with several applications."},
    [COMMAND_SERVE] =
        {"serve", "serve --config FILE | --routes FILE | --route LINE | PATH [options]",
         "Runs the applications of a holdfast.toml (docs/configuration.md), or stands in front of\n"
         "the origins of a Pushpin routes file (docs/grip.md), then by default at port 7999 and "
         "with\n"
         "publishing at 127.0.0.1:5561. `serve PATH` runs one folder made by `holdfast build`."},
    [COMMAND_BUILD] =
        {"build", "build PATH [--out DIR] [--env NAME]",
         "Bundles an application into a folder that `holdfast serve` runs without esbuild."},
    [COMMAND_PUBLISH] =
        {"publish", "publish CHANNEL [TEXT] [options]",
         "Sends a message to everyone who is held on a channel. `@FILE` as the TEXT "
         "reads a file."},
    [COMMAND_PUSHPIN] = {"pushpin", "pushpin [options]",
                         "Takes Pushpin's command line and files: pushpin.conf of the working "
                         "folder or of\n"
                         "/etc/pushpin unless --config names another. The same when the program is "
                         "called pushpin."},
};

/* Short spellings. */
static const struct {
    char letter;
    enum option option;
} letters[] = {{'H', OPT_PUB_HEADER},
               {'M', OPT_PUB_META},
               {'u', OPT_PUB_USER},
               {'B', OPT_PUB_BEARER},
               {'m', OPT_PP_MERGE}};

/* Edits (insert, drop, replace, swap is two) between two short names. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);

    if (n >= COUNT_OF(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; *a; a++, i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t replace = corner + (*a != b[j - 1]);

            corner = row[j];
            row[j] = MIN(replace, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

/* The option that was probably meant, NULL when nothing is near. */
static const char *nearest(const char *name, unsigned command_bit)
{
    const char *best = NULL;
    size_t least = MIN(strlen(name) / 2, 2) + 1;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t d = (rows[i].commands & command_bit) ? distance(name, rows[i].name) : SIZE_MAX;

        if (d < least) {
            least = d;
            best = rows[i].name;
        }
    }
    return best;
}

static int unknown_option(const struct options *o, const char *name, struct err_note *note)
{
    const char *meant = nearest(name, 1u << o->command);

    if (meant)
        return err_notef(note, -ERR_CONFIG, "unknown option --%s; did you mean --%s?", name, meant);
    return err_notef(note, -ERR_CONFIG,
                     "unknown option --%s; `holdfast %s%s--help` lists the options", name,
                     commands[o->command].name, o->command == COMMAND_NONE ? "" : " ");
}

/* The row of that name for this command; else one of another command, else -1. */
static int find_row(const char *name, size_t n, enum command command)
{
    int found = -1;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strlen(rows[i].name) != n || memcmp(rows[i].name, name, n) != 0)
            continue;
        if (rows[i].commands & (1u << command))
            return (int)i;
        found = (int)i;
    }
    return found;
}

static int check_count(const struct row *row, const char *text, struct err_note *note)
{
    uint64_t n;

    if (slice_u64(slice_str(text), UINT32_MAX, &n) < 0)
        return err_notef(note, -ERR_CONFIG, "--%s %s: expected a whole number", row->name, text);
    return 0;
}

static int keep(struct options *o, enum option option, const char *text, struct err_note *note)
{
    if (o->n == OPT_GIVEN_MAX)
        return err_notef(note, -ERR_CONFIG, "too many options");
    o->given[o->n].option = option;
    o->given[o->n++].text = text;
    return 0;
}

/* What a row's option is given at argv[*at], inline behind a "=" or as the next word. */
static int take_value(int argc, char **argv, int *at, enum option option, const char *text,
                      struct options *o, struct err_note *note)
{
    const struct row *row = &rows[option];
    int r;

    if (row->kind == SWITCH)
        return text ? err_notef(note, -ERR_CONFIG, "--%s takes no value", row->name)
                    : keep(o, option, "", note);
    if (!text && (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0))
        return err_notef(note, -ERR_CONFIG, "--%s: expected %s behind it", row->name,
                         row->argument);
    if (!text)
        text = argv[++*at];
    if (row->kind == COUNT && (r = check_count(row, text, note)) < 0)
        return r;
    return keep(o, option, text, note);
}

/* One "--name", "--name=text" or "--name" "text" at argv[*at]; moves *at to its last word. */
static int parse_option(int argc, char **argv, int *at, struct options *o, struct err_note *note)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '='),
               *text = equals ? equals + 1 : NULL;
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    int found = find_row(name, n, o->command);

    if (found < 0)
        return unknown_option(o, name, note);
    if (!(rows[found].commands & (1u << o->command)))
        return err_notef(note, -ERR_CONFIG, "--%s is no option of `holdfast %s`", rows[found].name,
                         commands[o->command].name);
    return take_value(argc, argv, at, (enum option)found, text, o, note);
}

/* One "-X" or "-X" "text". */
static int parse_letter(int argc, char **argv, int *at, struct options *o, struct err_note *note)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (argv[*at][1] == letters[i].letter && !argv[*at][2] &&
            (rows[letters[i].option].commands & (1u << o->command)))
            return take_value(argc, argv, at, letters[i].option, NULL, o, note);
    return err_notef(note, -ERR_CONFIG, "unknown option %s; options begin with --", argv[*at]);
}

static int parse_word(const char *word, struct options *o, struct err_note *note)
{
    if (o->command == COMMAND_NONE) {
        for (size_t i = 1; i < COUNT_OF(commands); i++)
            if (strcmp(word, commands[i].name) == 0)
                o->command = (enum command)i;
        if (o->command == COMMAND_NONE)
            return err_notef(note, -ERR_CONFIG,
                             "unknown command `%s`; expected dev, serve, build or publish", word);
        return 0;
    }
    if (o->command == COMMAND_PUBLISH && o->path && !o->text) {
        o->text = word;
        return 0;
    }
    if (o->command == COMMAND_PUSHPIN)
        return err_notef(note, -ERR_CONFIG, "`%s`: expected options only", word);
    if (o->path)
        return err_notef(note, -ERR_CONFIG, "`%s`: expected one PATH, there is `%s` already", word,
                         o->path);
    o->path = word;
    return 0;
}

static int check_serve(const struct options *o, struct err_note *note)
{
    const bool config = options_find(o, OPT_CONFIG) != NULL,
               routes = options_find(o, OPT_ROUTES) || options_find(o, OPT_ROUTE);

    if (o->path ? config || routes : !config && !routes)
        return err_notef(note, -ERR_CONFIG,
                         "serve: expected --config FILE, --routes FILE, --route LINE or the PATH "
                         "of a built bundle");
    return 0;
}

static int check_publish(const struct options *o, struct err_note *note)
{
    const bool is_bare = options_find(o, OPT_PUB_HINT) || options_find(o, OPT_PUB_CLOSE);

    if (!o->path)
        return err_notef(note, -ERR_CONFIG, "publish: expected a CHANNEL and a TEXT");
    if (!o->text == !is_bare)
        return err_notef(note, -ERR_CONFIG,
                         "publish: expected a TEXT behind the channel, or --hint or --close "
                         "instead");
    return 0;
}

static int check_complete(const struct options *o, struct err_note *note)
{
    switch (o->command) {
    case COMMAND_NONE:
        return err_notef(note, -ERR_CONFIG,
                         "expected a command: dev, serve, build or publish (`holdfast --help`)");
    case COMMAND_SERVE:
        return check_serve(o, note);
    case COMMAND_PUBLISH:
        return check_publish(o, note);
    case COMMAND_PUSHPIN:
        return 0;
    case COMMAND_DEV:
    case COMMAND_BUILD:
        break;
    }
    if (!o->path)
        return err_notef(note, -ERR_CONFIG,
                         "%s: expected the PATH of an application (a .js, .mjs or .ts file, or a "
                         "folder with a wrangler file)",
                         commands[o->command].name);
    return 0;
}

static bool is_short(const char *word, const char *letter, const char *name)
{
    return strcmp(word, letter) == 0 || strcmp(word, name) == 0;
}

static bool is_pushpin(const char *program)
{
    const char *slash = strrchr(program, '/');

    return strcmp(slash ? slash + 1 : program, "pushpin") == 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err_note *note)
{
    struct options o = {.command =
                            argc > 0 && is_pushpin(argv[0]) ? COMMAND_PUSHPIN : COMMAND_NONE};
    bool only_words = false;
    int r = 0;

    for (int i = 1; i < argc && r >= 0 && !o.help && !o.version; i++) {
        const char *word = argv[i];

        if (only_words)
            r = parse_word(word, &o, note);
        else if (strcmp(word, "--") == 0)
            only_words = true;
        else if (is_short(word, "-h", "--help") ||
                 (o.command == COMMAND_NONE && strcmp(word, "help") == 0))
            o.help = true;
        else if (is_short(word, "-v", "--version"))
            o.version = true;
        else if (strncmp(word, "--", 2) == 0 && word[2])
            r = parse_option(argc, argv, &i, &o, note);
        else if (word[0] == '-' && word[1])
            r = parse_letter(argc, argv, &i, &o, note);
        else
            r = parse_word(word, &o, note);
    }
    if (r >= 0 && !o.help && !o.version)
        r = check_complete(&o, note);
    if (r >= 0)
        *ret = o;
    return r;
}

const char *options_find(const struct options *o, enum option option)
{
    for (size_t i = o->n; i-- > 0;)
        if (o->given[i].option == option)
            return o->given[i].text;
    return NULL;
}

const char *options_key(enum option option)
{
    return rows[option].key;
}

const char *options_spelling(enum option option)
{
    static const char *const spellings[] = {
#define OPT(symbol, name, ...) "--" name,
#include "app/gateway_options.def"
#undef OPT
    };

    return spellings[option];
}

const char *options_kind(enum option option)
{
    enum kind kind = rows[option].kind;

    return kind == COUNT ? "number" : kind == LIST ? "list" : kind == SWITCH ? "boolean" : "string";
}

static void print_option(FILE *out, const struct row *row)
{
    char left[64];

    (void)snprintf(left, sizeof(left), "--%s%s%s", row->name, row->argument ? " " : "",
                   row->argument ? row->argument : "");
    (void)fprintf(out, "  %-28s %s", left, row->help);
    if (row->preset)
        (void)fprintf(out, " [%s]", row->preset);
    (void)fputc('\n', out);
}

void options_help(FILE *out, enum command command)
{
    (void)fputs("Holdfast holds connections so that code can come and go.\n", out);
    for (enum command c = COMMAND_DEV; c <= COMMAND_PUSHPIN; c++)
        if (command == COMMAND_NONE || command == c)
            (void)fprintf(out, "\nholdfast %s\n%s\n", commands[c].usage, commands[c].help);
    (void)fputs("\nOptions:\n", out);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].commands & (command == COMMAND_NONE ? DEV | SERVE | BUILD : 1u << command))
            print_option(out, &rows[i]);
    if (command == COMMAND_NONE)
        (void)fputs("\n`holdfast publish --help` lists the options of publish.\n", out);
}
