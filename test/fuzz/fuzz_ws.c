/*
 * WebSocket, both roles. Byte 0 chooses role, limit and extension bits, bytes 1 and 2 the cuts; the
 * rest is wire. Whatever the cuts, the same is heard, in order and within the limit; a frame that
 * is written is heard as it was meant.
 */
#include <stdlib.h>

#include "lib/hear_ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(enum ws_role role, struct slice payload)
{
    static const uint8_t mask[4] = {0xde, 0xad, 0, 0xef};
    const struct ws_rules rules = {role, UINT32_MAX, 0};
    struct blob *b = ws_frame(WS_BINARY, payload, role == WS_SERVER ? mask : NULL);
    struct ws_decoder d = {0};
    struct span in = {b->p, b->n};
    struct ws_event ev;

    expect(ws_next(&d, &rules, &in, &ev) == WS_EVENT_DATA && ev.is_first && ev.is_last);
    expect(slice_eq(span_slice(ev.bytes), payload) && in.n == 0);
    expect(ws_next(&d, &rules, &in, &ev) == 0 && !ws_is_inside_message(&d));
    blob_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(buf_done) struct buf whole = {.max = SIZE_MAX};
    CLEANUP(buf_done) struct buf cut = {.max = SIZE_MAX};
    struct ws_rules rules;
    struct slice wire;

    if (n < 3)
        return 0;
    rules = (struct ws_rules){
        .role = data[0] & 1 ? WS_CLIENT : WS_SERVER,
        .max = data[0] & 2 ? 16 : 1 << 20,
        .rsv = data[0] & 4 ? 0x40 : 0,
    };
    wire = slice_make(data + 3, n - 3);
    expect(ws_hear(&whole, &rules, wire, (struct cuts){0}));
    expect(ws_hear(&cut, &rules, wire, (struct cuts){data[1], 1u + data[2]}));
    expect(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    check_round_trip(rules.role, wire);
    return 0;
}
