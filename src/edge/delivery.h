/*
 * Delivery: how events reach a worker, once; and what happens to them when it dies.
 *
 * An event is added, goes to the serving worker at once (or waits until there is one), and is done
 * with its ACK. When the process ends, delivery_gone() decides about what it had not acknowledged
 * (ARCHITECTURE.md, "Redelivery by guilt"):
 *
 *   WS_* of a hibernatable hold, ALARM   again, in the old order, before what came later
 *     … that ended two workers           its socket closes with 1011, the alarm is dropped
 *     … that was begun TRIES_MAX times when a worker ended itself and it was not known in which
 *       event                            the same
 *   WS_* of a plain hold                 lost with its socket (1011 crash, 1012 restart)
 *   REQUEST not begun, without a body    again
 *   other REQUESTs                       503 with the reason, or a cut connection
 *
 * Bounds: a hold with HOLD_EVENTS_MAX or HOLD_BYTES_MAX waiting is not read; when the application
 * has APP_EVENTS_MAX or APP_BYTES_MAX, nobody who speaks is. Reading goes on at half of that.
 */
#ifndef EDGE_DELIVERY_H
#define EDGE_DELIVERY_H

#include "base/bytes.h"
#include "wire/ipc.h"

struct app;
struct event;
struct link;
struct order;

enum {
    HOLD_EVENTS_MAX = 1024,
    HOLD_BYTES_MAX = 1 << 20,
    APP_EVENTS_MAX = 65536,
    APP_BYTES_MAX = 64 << 20,
    TRIES_MAX = 8,
    GUILTY_MAX = 2,
    ALARMS_AT_ONCE = 256,
};

/* The seq of the next event, to be written into its frame. */
uint64_t delivery_next_seq(const struct app *a);
/* Adds the event whose frame carries delivery_next_seq(). id: its exchange or hold (whose counters
 * grow), 0 for an alarm. keep: it may be delivered again. */
void delivery_add(struct app *a, unsigned type, uint64_t id, struct blob *take_frame, bool keep);
/* Tells that the hold of that id, which is not there any more, has lost its connection. */
void delivery_lost(struct app *a, uint64_t hold);
/* The event is not wanted any more and has not been sent: dropped. Nothing when it was sent. */
void delivery_withdraw(struct app *a, uint64_t seq);

/* Whether the event's turn may have begun in a worker; false while it waits here. */
bool delivery_is_sent(const struct app *a, uint64_t seq);

/* The link's worker gets the events from now on; when another one still has some, after its end. */
void delivery_serve(struct app *a, struct link *l);
/* It gets no more; it is told to finish within ms. Plain holds close with 1012. */
void delivery_drain(struct app *a, struct link *l, uint32_t ms);
/* Its process is gone, and all it wrote was heard. */
void delivery_gone(struct link *l, const struct order *verdict);
/* The edge ends: what was never acknowledged is lost, and said to be. */
void delivery_end(struct app *a);
/* The code cannot run: requests that wait are answered. */
void delivery_broken(struct app *a);

/* Frames. 0, or the value of link_bad(). */
int delivery_ack(struct link *l, const struct ipc_frame *f, const struct ipc_ack *m);
int delivery_alarm_set(struct link *l, const struct ipc_frame *f, const struct ipc_alarm_set *m);
void delivery_alarm_due(struct app *a);
/* Tells the fleet when the application has become idle here, or has stopped to be. */
void delivery_check_idle(struct app *a);

#endif
