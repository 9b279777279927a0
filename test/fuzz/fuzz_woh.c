/* Oracles: the same events for any cut; what is written from them is read as the same events; a
 * body that is refused in pieces is refused whole. First byte: where the input is cut. */
#include <stdlib.h>

#include "lib/cuts.h"
#include "wire/woh.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Writes the events that are heard; false for an invalid body. */
static bool hear(struct buf *out, struct slice wire, size_t cut)
{
    struct slice in = slice_sub(wire, 0, cut);
    struct woh_event ev;
    unsigned code;
    struct slice reason;
    int r;

    for (unsigned half = 0; half < 2; half++) {
        while ((r = woh_next(&in, half == 1, &ev)) > 0) {
            check(ev.content.p == NULL ||
                  (ev.content.p >= wire.p && ev.content.p <= wire.p + wire.n));
            check(woh_put(out, ev.type, ev.content) == 0);
            woh_read_close(ev.content, &code, &reason);
        }
        if (r < 0)
            return false;
        in = slice_make(in.p ? in.p : wire.p, (size_t)(wire.p + wire.n - (in.p ? in.p : wire.p)));
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf whole, parts, again;
    struct slice wire;
    bool ok;

    if (n < 2)
        return 0;
    wire = slice_make(p + 1, n - 1);
    buf_init(&whole, 4 * n + 64);
    buf_init(&parts, 4 * n + 64);
    buf_init(&again, 4 * n + 64);
    ok = hear(&whole, wire, wire.n);
    check(hear(&parts, wire, p[0] % (wire.n + 1)) == ok);
    check(slice_eq(buf_slice(&whole), buf_slice(&parts)));
    if (whole.n > 0) {
        check(hear(&again, buf_slice(&whole), whole.n));
        check(slice_eq(buf_slice(&whole), buf_slice(&again)));
    }
    buf_done(&whole);
    buf_done(&parts);
    buf_done(&again);
    return 0;
}
