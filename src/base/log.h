/*
 * The log: a line is an event's name and typed fields, never a sentence assembled from pieces.
 *
 *   log_event(log, LOG_INFO, "hold.open", F_UINT("id", id), F_TEXT("path", path));
 *
 *   human   12:34:56.789 info  hold.open id=7 path="/x"
 *   JSON {"time":"2026-01-01T12:34:56.789Z","level":"info","event":"hold.open","id":7,"path":"/x"}
 *
 * Only edge, host and app log, once, where the decision is made; lower folders return errors. Names
 * of events and fields are our literals. Text may come from a peer: it is cut at LOG_TEXT_MAX bytes
 * and escaped, so that a line stays a line. The log has no clock and no file of its own: it asks
 * its ops. One struct log belongs to one thread; copies of it (one for each edge) share the ops.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    LOG_TEXT_MAX = 512,      /* bytes of one F_TEXT field that are shown */
    LOG_LINE_MAX = 16 << 10, /* a line; fields that do not fit are left out */
};

/* The numbers of IPC LOG. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_form { LOG_HUMAN, LOG_COLOR /* human, with terminal colours */, LOG_JSON };

struct log_ops {
    /* A whole line with its newline. May not log. */
    void (*line)(void *ctx, enum log_level level, struct slice line);
    /* Wall time in milliseconds since 1970. */
    int64_t (*wall_ms)(void *ctx);
};

/* Zero is a log that says nothing. */
struct log {
    const struct log_ops *ops;
    void *ctx;
    enum log_level min;
    enum log_form form;
};

/* Something that must not be seen: prints as "…" whatever it holds. */
struct secret {
    struct slice bytes;
};

enum log_kind {
    LOG_END_,
    LOG_UINT_,
    LOG_INT_,
    LOG_REAL_,
    LOG_BOOL_,
    LOG_HEX_,
    LOG_TEXT_,
    LOG_NAME_,
    LOG_ERR_,
    LOG_SECRET_
};
struct log_field {
    const char *name;
    enum log_kind kind;
    union {
        uint64_t u;
        int64_t i;
        double f;
        struct slice s;
    };
};

#define F_UINT(name, v) ((struct log_field){name, LOG_UINT_, {.u = (v)}})
#define F_INT(name, v) ((struct log_field){name, LOG_INT_, {.i = (v)}})
#define F_REAL(name, v) ((struct log_field){name, LOG_REAL_, {.f = (v)}})
#define F_BOOL(name, v) ((struct log_field){name, LOG_BOOL_, {.u = (v)}})
/* Hexadecimal, for ids that are bit fields. */
#define F_HEX(name, v) ((struct log_field){name, LOG_HEX_, {.u = (v)}})
/* Milliseconds; the name should say so ("took_ms"). */
#define F_MS(name, v) F_INT(name, v)
/* Anybody's text: bounded and escaped. */
#define F_TEXT(name, slice) ((struct log_field){name, LOG_TEXT_, {.s = (slice)}})
/* A C string of ours, a constant or a path: not bounded. */
#define F_NAME(name, string) ((struct log_field){name, LOG_NAME_, {.s = slice_str(string)}})
/* An error as a function returned it: prints its label. */
#define F_ERR(name, v) ((struct log_field){name, LOG_ERR_, {.i = (v)}})
#define F_SECRET(name, secret) ((struct log_field){name, LOG_SECRET_, {.s = (secret).bytes}})

#define log_event(log, level, event, ...)                                                          \
    log_write(log, level, event, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields);
static inline bool log_is_on(const struct log *log, enum log_level level)
{
    return log && log->ops && level >= log->min;
}

/*
 * What an application said with console.*, or an error of its code: several lines are allowed, up
 * to LOG_LINE_MAX bytes. The human form prints the text as it is (control characters escaped) and
 * `where` ("file:line:column", may be empty) behind its first line; the JSON form is an event
 * "console" with app, where and text.
 */
void log_console(const struct log *log, enum log_level level, struct slice app, struct slice where,
                 struct slice text);

/* An error's severity follows from its blame: a peer's mistake is not our warning. */
enum log_level log_level_of(int err);
/* "debug", "info", "warn", "error"; false and nothing set for any other word. */
bool log_level_parse(struct slice word, enum log_level *ret);

/* A sink for tests: keeps every line in a buf, at time 0 (1970-01-01T00:00:00.000Z). */
struct log_capture {
    struct log log;
    struct buf lines;
};
void log_capture_init(struct log_capture *c, enum log_form form);
void log_capture_done(struct log_capture *c);

#endif
