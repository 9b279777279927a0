/*
 * Pages: what the gateway answers by itself.
 *
 *   control listener   /metrics (Prometheus), /healthz (this process works), /readyz (it takes
 *                      requests: 503 while it stops or while an application's code cannot run)
 *   dev, any listener  GET /__holdfast/dev (JSON: worker, sockets), POST /__holdfast/kill
 *                      (SIGKILL to the worker): for pages of this machine only
 */
#ifndef EDGE_PAGES_H
#define EDGE_PAGES_H

#include <stdbool.h>

struct app;
struct edge;
struct exchange;

/* Ends the exchange, at once or (the numbers of siblings have to come) soon. */
void pages_control(struct edge *e, struct exchange *x);
/* True: it was one of the dev pages, the exchange is answered. */
bool pages_dev(struct app *a, struct exchange *x);

#endif
