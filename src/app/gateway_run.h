/* `holdfast dev` and `holdfast serve`: the edges, and what starts, reloads and stops them. */
#ifndef APP_GATEWAY_RUN_H
#define APP_GATEWAY_RUN_H

#include "app/gateway_options.h"

/* Runs until a signal ends it. The status to exit with. */
int gateway_run(const struct options *o);

#endif
