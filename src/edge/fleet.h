/*
 * The fleet: the worker processes of all applications, started, watched and ended from edge 0.
 *
 * An application has at most one process that serves. A process that is being started stands beside
 * it (a reload) or before it (the first event):
 *
 *              spawn         READY          older ones gone
 *   (nothing) ──────► STARTING ────► READY ────────────────► SERVING ──► DRAINING ──► (gone)
 *                        │                                      │   reload, idle, stop
 *                        └──► (gone): FAILED, or it died        └──► (gone): it died
 *
 * Edges tell it by reports what they want and see; it tells them by orders (edge_int.h).
 */
#ifndef EDGE_FLEET_H
#define EDGE_FLEET_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/err.h"

struct app_config;
struct edge;
struct fleet;
struct report;

/* What other threads may know of an application's processes. */
enum fleet_state { FLEET_ASLEEP, FLEET_STARTING, FLEET_RUNNING };
struct fleet_view {
    _Atomic int state; /* enum fleet_state */
    _Atomic int pid;   /* 0: none */
    _Atomic unsigned starts;
    _Atomic int64_t since_ms; /* of loop time */
};

struct fleet *fleet_new(struct edge *edge0, const struct app_config *apps, size_t n);
/* Processes that still live are killed. NULL is nothing. */
void fleet_free(struct fleet *f);
/* Edges know each other: what must start now (eager applications, waiting alarms) starts. */
void fleet_begin(struct fleet *f);
const struct fleet_view *fleet_view(const struct fleet *f, unsigned app);

/* A report's delivery: on edge 0's loop. */
void fleet_hear(struct fleet *f, const struct report *r);

/* As edge_reload. */
void fleet_reload(struct fleet *f, unsigned app, const struct app_config *c);
/* No process is started any more; those that live are drained, or killed when at_once. */
void fleet_stop(struct fleet *f, bool at_once);
/* Processes that are not gone. */
unsigned fleet_alive(const struct fleet *f);

#endif
