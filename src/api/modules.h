/* What modules.def names. */
#ifndef API_MODULES_H
#define API_MODULES_H

#include "js/native.h"

struct api;

#define API_MODULE(name, open, close) extern const struct js_native api_##name##_natives[];
#include "api/modules.def"
#undef API_MODULE

void api_storage_close(struct api *api);

/* link.c: native.acks and native.holds are the api's. */
void api_share(struct api *api, JSObjectRef native);

#endif
