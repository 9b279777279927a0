#include <math.h>

#include "api/api.h"
#include "api/modules.h"

/* now() → ms, with a fraction. */
static JSValueRef now(const struct js_args *a)
{
    const struct api *api = a->state;

    return js_number(a->cx, api->ops->now(api->host));
}

/* wake(at): hooks.timer() is called at that time of now(); Infinity: not any more. */
static JSValueRef wake(const struct js_args *a)
{
    struct api *api = a->state;
    double at;

    if (js_arg_number(a, 0, &at))
        api->ops->wake(api->host, isnan(at) ? INFINITY : at);
    return NULL;
}

const struct js_native api_timers_natives[] = {
    {"now", 0, now},
    {"wake", 1, wake},
    {0},
};
