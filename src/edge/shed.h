/*
 * The memory ceiling (edge_options.memory_bytes): while the process has more than that, this edge
 * accepts nobody and ends its newest connections, a part of them at a time, so that those who were
 * here first stay. WebSockets hear 1013, or nothing when much waits for them; requests are cut.
 */
#ifndef EDGE_SHED_H
#define EDGE_SHED_H

#include "base/bytes.h"

struct edge;
struct shed;

/* NULL when bytes is 0: there is no ceiling. */
struct shed *shed_open(struct edge *e, uint64_t bytes);
/* Too much is used now: nobody is accepted. */
bool shed_is_over(const struct shed *s);
/* NULL is nothing, here and above. */
void shed_close(struct shed *s);

#endif
