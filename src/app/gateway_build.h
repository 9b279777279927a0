/* `holdfast build`: an application as a folder that `holdfast serve` runs without esbuild. */
#ifndef APP_GATEWAY_BUILD_H
#define APP_GATEWAY_BUILD_H

#include "app/gateway_options.h"

/* The status to exit with. Says on stderr what is wrong, on stdout what was made. */
int gateway_build(const struct options *o);

#endif
