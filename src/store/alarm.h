/*
 * Alarms: a row in the actor's own database, which decides, and an index over all actors, which
 * only has to be early enough.
 *
 * The index is written before the commit of an actor whose alarm appears or moves forward, and
 * after the commit of one whose alarm goes or moves back. So after a crash it may name an alarm
 * that is not there or is due later (the worker finds out and corrects it), but never misses one.
 */
#ifndef STORE_ALARM_H
#define STORE_ALARM_H

#include "store/db.h"

struct alarm {
    int64_t due_ms;       /* wall time of the next run */
    int64_t scheduled_ms; /* what setAlarm said; earlier than due_ms while a retry waits */
    uint32_t retries;     /* failed runs so far */
};

/* 1 and the alarm, 0 for none. */
int alarm_get(struct db *db, struct alarm *ret, struct err_note *note);
int alarm_set(struct db *db, const struct alarm *a, struct err_note *note);
int alarm_delete(struct db *db, struct err_note *note);

/* Borrowed during the call; nonzero ends the walk. */
typedef int alarm_each_fn(void *ctx, struct slice class_key, struct slice id, struct slice name,
                          int64_t due_ms);
/* Every alarm of the index, earliest first. How many were given, or an error. */
int alarm_each(struct store *s, alarm_each_fn *on_alarm, void *ctx, struct err_note *note);

#endif
