#include "base/log.h"

#include <inttypes.h>
#include <math.h>

#include "base/enc.h"
#include "base/utf8.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* --- time: days to a date by counting eras of 400 years from 0000-03-01 --- */

struct date {
    int64_t year;
    unsigned month;
    unsigned day;
};

static struct date date_of(int64_t days_since_1970)
{
    const int64_t z = days_since_1970 + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    const unsigned doe = (unsigned)(z - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    const unsigned mp = (5 * doy + 2) / 153;
    const unsigned month = mp < 10 ? mp + 3 : mp - 9;

    return (struct date){(int64_t)yoe + era * 400 + (month <= 2), month,
                         doy - (153 * mp + 2) / 5 + 1};
}

static void add_clock(struct buf *out, int64_t ms_of_day)
{
    const unsigned ms = (unsigned)ms_of_day;

    (void)buf_addf(out, "%02u:%02u:%02u.%03u", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
                   ms % 1000);
}

static void add_time(struct buf *out, int64_t wall_ms, bool with_date)
{
    const int64_t day_ms = 86400000, of_day = ((wall_ms % day_ms) + day_ms) % day_ms;
    const struct date d = date_of((wall_ms - of_day) / day_ms);

    if (!with_date) {
        add_clock(out, of_day);
        return;
    }
    (void)buf_addf(out, "%04" PRId64 "-%02u-%02uT", d.year, d.month, d.day);
    add_clock(out, of_day);
    (void)buf_add_byte(out, 'Z');
}

/* --- fields --- */

static int add_text(struct buf *out, struct slice s, size_t max)
{
    const bool cut = s.n > max;
    int r;

    /* Not utf8_clip: the text may be anything, and a cut character becomes U+FFFD. */
    if (cut)
        s.n = max;
    r = enc_json(out, s);
    if (r < 0 || !cut)
        return r;
    out->n--; /* the quote */
    return buf_add(out, SLICE("…\""));
}

static int add_real(struct buf *out, double v)
{
    return isfinite(v) ? buf_addf(out, "%.10g", v) : buf_add(out, SLICE("null"));
}

static int add_value(struct buf *out, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_UINT_:
        return buf_addf(out, "%" PRIu64, f->u);
    case LOG_INT_:
        return buf_addf(out, "%" PRId64, f->i);
    case LOG_REAL_:
        return add_real(out, f->f);
    case LOG_BOOL_:
        return buf_add(out, f->u ? SLICE("true") : SLICE("false"));
    case LOG_HEX_:
        return buf_addf(out, "\"%" PRIx64 "\"", f->u);
    case LOG_TEXT_:
        return add_text(out, f->s, LOG_TEXT_MAX);
    case LOG_NAME_:
        return enc_json(out, f->s);
    case LOG_ERR_:
        return buf_addf(out, "\"%s\"", err_label((int)f->i));
    case LOG_SECRET_:
        return buf_add(out, SLICE("\"…\""));
    case LOG_END_:
        break;
    }
    return 0;
}

static bool is_word(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '\\' || s.p[i] == '=')
            return false;
    return s.n > 0;
}

/* People read words without quotes more easily. */
static int add_human_value(struct buf *out, const struct log_field *f)
{
    if (f->kind == LOG_HEX_)
        return buf_addf(out, "%" PRIx64, f->u);
    if (f->kind == LOG_ERR_)
        return buf_add(out, slice_str(err_label((int)f->i)));
    if (f->kind == LOG_SECRET_)
        return buf_add(out, SLICE("…"));
    if (f->kind == LOG_NAME_ && is_word(f->s))
        return buf_add(out, f->s);
    return add_value(out, f);
}

/* Whole or not at all. */
static void add_field(struct buf *out, enum log_form form, const struct log_field *f)
{
    const size_t before = out->n;
    int r;

    if (form == LOG_JSON)
        r = buf_addf(out, ",\"%s\":", f->name);
    else
        r = buf_addf(out, form == LOG_COLOR ? " \x1b[2m%s=\x1b[0m" : " %s=", f->name);
    if (r == 0)
        r = form == LOG_JSON ? add_value(out, f) : add_human_value(out, f);
    if (r < 0)
        out->n = before;
}

/* --- lines --- */

static const char *color_of(enum log_level level)
{
    static const char *const colors[] = {"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};

    return colors[level];
}

static void add_head(struct buf *out, const struct log *log, enum log_level level,
                     const char *event)
{
    const int64_t now = log->ops->wall_ms(log->ctx);

    if (log->form == LOG_JSON) {
        (void)buf_add(out, SLICE("{\"time\":\""));
        add_time(out, now, true);
        (void)buf_addf(out, "\",\"level\":\"%s\",\"event\":\"%s\"", level_names[level], event);
        return;
    }
    if (log->form == LOG_COLOR)
        (void)buf_add(out, SLICE("\x1b[2m"));
    add_time(out, now, false);
    if (log->form == LOG_COLOR)
        (void)buf_addf(out, "\x1b[0m %s%-5s\x1b[0m %s", color_of(level), level_names[level], event);
    else
        (void)buf_addf(out, " %-5s %s", level_names[level], event);
}

/* The buf was born with room for the end of a line beyond LOG_LINE_MAX. */
enum { LINE_END = 8 };

static void finish(const struct log *log, enum log_level level, struct buf *line)
{
    line->max = LOG_LINE_MAX;
    (void)buf_add(line, log->form == LOG_JSON ? SLICE("}\n") : SLICE("\n"));
    log->ops->line(log->ctx, level, buf_slice(line));
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    CLEANUP(buf_done) struct buf line = {.max = LOG_LINE_MAX - LINE_END};

    if (!log_is_on(log, level))
        return;
    add_head(&line, log, level, event);
    for (; fields->kind != LOG_END_; fields++)
        add_field(&line, log->form, fields);
    finish(log, level, &line);
}

/* --- console --- */

/* Bytes of the colour or style ("ESC [ 1;31 m") that s begins with, 0 when it does not. */
static size_t style_bytes(struct slice s)
{
    size_t n = 2;

    if (!slice_starts(s, SLICE("\x1b[")))
        return 0;
    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == ';' || s.p[n] == ':'))
        n++;
    return n < s.n && s.p[n] == 'm' ? n + 1 : 0;
}

/* Newlines and tabs stay, colours and styles on a terminal only; any other escape sequence would
 * let a program, or its peer, write all over it. */
static void add_plain(struct buf *out, struct slice s, bool color)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i];
        const size_t style = style_bytes(slice_sub(s, i, s.n - i));
        int r;

        if (style)
            r = color ? buf_add(out, slice_sub(s, i, style)) : 0;
        else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            r = buf_addf(out, "\\x%02x", c);
        else
            r = buf_add_byte(out, c);
        if (r < 0)
            return;
        i += style ? style - 1 : 0;
    }
}

static void console_human(struct buf *out, const struct log *log, enum log_level level,
                          struct slice where, struct slice text)
{
    const bool color = log->form == LOG_COLOR;
    struct slice first = SLICE_NONE;

    (void)slice_split(&text, '\n', &first);
    if (color && level != LOG_INFO)
        (void)buf_add(out, slice_str(color_of(level)));
    add_plain(out, first, color);
    if (where.n) {
        (void)buf_add(out, color ? SLICE("\x1b[0m  \x1b[2m") : SLICE("  ("));
        add_plain(out, where, false);
        (void)buf_add(out, color ? SLICE("\x1b[0m") : SLICE(")"));
    }
    if (text.n) {
        (void)buf_add_byte(out, '\n');
        add_plain(out, text, color);
    }
    if (color)
        (void)buf_add(out, SLICE("\x1b[0m"));
}

static void console_json(struct buf *out, const struct log *log, enum log_level level,
                         struct slice app, struct slice where, struct slice text)
{
    const size_t room = LOG_LINE_MAX / 8; /* every byte may become six */

    add_head(out, log, level, "console");
    add_field(out, LOG_JSON, &F_TEXT("app", app));
    if (where.n)
        add_field(out, LOG_JSON, &F_TEXT("where", where));
    (void)buf_add(out, SLICE(",\"text\":"));
    if (add_text(out, text, LOG_LINE_MAX - 4096) < 0)
        (void)add_text(out, text, room);
}

void log_console(const struct log *log, enum log_level level, struct slice app, struct slice where,
                 struct slice text)
{
    CLEANUP(buf_done) struct buf line = {.max = LOG_LINE_MAX - LINE_END};

    if (!log_is_on(log, level))
        return;
    if (log->form == LOG_JSON)
        console_json(&line, log, level, app, where, text);
    else
        console_human(&line, log, level, where, text);
    finish(log, level, &line);
}

/* --- levels --- */

enum log_level log_level_of(int err)
{
    switch (err_blame(err)) {
    case PEER:
        return LOG_INFO;
    case ORIGIN:
    case LIMIT:
        return LOG_WARN;
    case SELF:
        break;
    }
    return LOG_ERROR;
}

bool log_level_parse(struct slice word, enum log_level *ret)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++)
        if (slice_eq(word, slice_str(level_names[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

/* --- capture --- */

static void capture_line(void *ctx, enum log_level level, struct slice line)
{
    struct log_capture *c = ctx;

    (void)buf_add(&c->lines, line);
}

static int64_t capture_wall(void *ctx)
{
    return 0;
}

static const struct log_ops capture_ops = {capture_line, capture_wall};

void log_capture_init(struct log_capture *c, enum log_form form)
{
    *c = (struct log_capture){.log = {&capture_ops, c, LOG_DEBUG, form}};
    buf_init(&c->lines, 16 << 20);
}

void log_capture_done(struct log_capture *c)
{
    if (c)
        buf_done(&c->lines);
}
