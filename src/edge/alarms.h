/*
 * Alarms: when an actor wants to be woken. The worker keeps them in its database and tells every
 * change; this is the copy that is looked at while no worker lives. Wall time in ms; no clock and
 * no I/O here.
 *
 *        set            pop                  ALARM_SET with another time
 *   (none) ──► WAITING ──► RUNNING ─── finish ──► (none)      ──► WAITING
 *                             │ condemn
 *                             ▼
 *                          DROPPED: remembered, so that a new process that reports the same alarm
 *                          again does not run it again
 */
#ifndef EDGE_ALARMS_H
#define EDGE_ALARMS_H

#include "base/bytes.h"
#include "base/heap.h"
#include "base/map.h"

enum alarm_state { ALARM_WAITING, ALARM_RUNNING, ALARM_DROPPED };

struct alarm {
    struct heap_node node; /* at_ms: wall time, rounded up */
    double wall_ms;
    uint64_t seq; /* of the running one's event */
    enum alarm_state state;
    struct blob *actor;
    struct blob *name;
};

struct alarms {
    struct map by_actor;
    struct map64 running; /* by seq */
    struct heap waiting;
};

/* Safe on a zeroed struct. */
void alarms_done(struct alarms *as);
/*
 * The worker's ALARM_SET; wall_ms 0 (or anything that is not a time) removes. The time at which the
 * alarm runs already, or was condemned, changes nothing: a new process repeats what it finds.
 */
void alarms_set(struct alarms *as, struct slice actor, struct slice name, double wall_ms);
/* The time of the first that waits, INT64_MAX when none does. */
int64_t alarms_next(const struct alarms *as);
/* The first that is due at now_wall, NULL when none is; it runs now, as the event seq. Borrowed
 * until the next verb. */
const struct alarm *alarms_pop(struct alarms *as, int64_t now_wall, uint64_t seq);
static inline uint32_t alarms_running(const struct alarms *as)
{
    return as->running.count;
}
/* The event seq is acknowledged. Unknown ones are nothing. */
void alarms_finish(struct alarms *as, uint64_t seq);
/* The event seq has ended too many workers: its alarm will not run, unless it is set to another
 * time. */
void alarms_condemn(struct alarms *as, uint64_t seq);

#endif
