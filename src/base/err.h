/*
 * Errors are rows of errors.def. A function returns 0 or more on success, a negated row on failure;
 * outputs are untouched on failure. Detail for people goes to a caller's struct err_note.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/bytes.h"

enum err {
    ERR_NONE = 0,
#define ERR(symbol, ...) symbol,
#include "base/errors.def"
#undef ERR
    ERR_COUNT
};

enum err_blame { PEER, ORIGIN, SELF, LIMIT };

/* All take the negative value a function returned (or its positive form). Unknown values answer as
 * ERR_INTERNAL. */
const char *err_text(int err);
const char *err_label(int err);
int err_status(int err);
int err_close_code(int err);
enum err_blame err_blame(int err);

/* A sentence for a person: what went wrong, where, what was expected. Zero is empty. */
struct err_note {
    char text[512];
};

/* Writes the note (NULL note is allowed) and returns err, so that `return err_notef(note,
 * -ERR_CONFIG, ...)` reads well. */
int err_notef(struct err_note *note, int err, const char *fmt, ...) PRINTF(3, 4);

#endif
