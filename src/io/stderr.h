/* The log's way to standard error: one write a line, wall time from the system. Any thread. */
#ifndef IO_STDERR_H
#define IO_STDERR_H

#include "base/log.h"

/* Form LOG_COLOR becomes LOG_HUMAN when standard error is no terminal or NO_COLOR is set. */
struct log stderr_log(enum log_level min, enum log_form form);

#endif
