/*
 * A log's way to a file, for lines that are many: they gather and leave together, at most
 * LOG_FILE_LAG_MS late. What the file does not take at once (a pipe that nobody reads, a full disk)
 * is lost and counted: nobody waits for a log. A file that was moved away or removed is made anew
 * at its path within a second or so, which is all that log rotation needs.
 */
#ifndef IO_LOG_FILE_H
#define IO_LOG_FILE_H

#include "base/err.h"
#include "base/log.h"

struct log_file;
struct loop;

enum { LOG_FILE_LAG_MS = 50 };

/* path: appended to, created (0640) when it is not there; "-" is standard error. Several loops may
 * have the same path: a line is never torn. NULL with *note when it cannot be opened. */
struct log_file *log_file_open(struct loop *l, const char *path, struct err_note *note);
/* A log whose lines go there, all levels; its time is the loop's. LOG_COLOR is for standard error
 * only, where the caller knows whether a terminal is. */
struct log log_file_log(struct log_file *f, enum log_form form);
/* Lines that were lost. */
uint64_t log_file_lost(const struct log_file *f);
/* Writes what is left. NULL is nothing. */
void log_file_close(struct log_file *f);

#endif
