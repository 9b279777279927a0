#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

struct row {
    const char *text;
    const char *label;
    uint16_t status;
    uint16_t close_code;
    enum err_blame blame;
};

static const struct row rows[ERR_COUNT] = {
    [ERR_NONE] = {"no error", "none", 200, 1000, SELF},
#define ERR(symbol, text, blame, status, close, label)                                             \
    [symbol] = {text, label, status, close, blame},
#include "base/errors.def"
#undef ERR
};

static const struct row *row_of(int err)
{
    const unsigned i = err < 0 ? 0u - (unsigned)err : (unsigned)err;

    return &rows[i < ERR_COUNT ? i : ERR_INTERNAL];
}

const char *err_text(int err)
{
    return row_of(err)->text;
}

const char *err_label(int err)
{
    return row_of(err)->label;
}

int err_status(int err)
{
    return row_of(err)->status;
}

int err_close_code(int err)
{
    return row_of(err)->close_code;
}

enum err_blame err_blame(int err)
{
    return row_of(err)->blame;
}

int err_notef(struct err_note *note, int err, const char *fmt, ...)
{
    va_list ap;

    if (!note)
        return err;
    va_start(ap, fmt);
    (void)vsnprintf(note->text, sizeof(note->text), fmt, ap);
    va_end(ap);
    return err;
}
