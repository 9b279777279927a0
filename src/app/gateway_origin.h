/*
 * Origins and publishing of the normalised configuration (src/api/config_origin.js) as the edge's
 * structs.
 */
#ifndef APP_GATEWAY_ORIGIN_H
#define APP_GATEWAY_ORIGIN_H

#include "app/gateway_config.h"

/* o: the `origin` of an application; NULL when that is null. All is owned by c. */
const struct app_origin *origin_read(struct config *c, const json_t *o);

/* o: the `grip` of the gateway; absent is all defaults. */
struct grip_options grip_read(struct config *c, const json_t *o);

#endif
