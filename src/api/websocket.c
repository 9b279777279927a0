/* native.websocket: what websocket.js cannot do fast enough by itself. */
#include "api/modules.h"
#include "js/native.h"

/* bytes(string) → its length in UTF-8 */
static JSValueRef bytes(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};

    return js_arg_text(a, 0, &text) ? js_number(a->cx, (double)text.s.n) : NULL;
}

/* same(a, b) → whether two buffers or views hold equal bytes */
static JSValueRef same(const struct js_args *a)
{
    struct span x, y;

    if (!js_arg_bytes(a, 0, &x) || !js_arg_bytes(a, 1, &y))
        return NULL;
    return js_bool(a->cx, slice_eq(span_slice(x), span_slice(y)));
}

const struct js_native api_websocket_natives[] = {
    {"bytes", 1, bytes},
    {"same", 2, same},
    {0},
};
