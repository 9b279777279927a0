/*
 * A response's head, a NUL, its body. Oracles: what is accepted is within its bounds and fit for a
 * head; a refusal has a text and leaves nothing; Grip-Last can be read back.
 */
#include <stdlib.h>

#include "wire/grip.h"
#include "wire/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_last(const struct grip_channel *c)
{
    struct buf out = {.max = 2 * (c->name.n + c->prev_id.n) + 32};
    struct slice in, element, part;

    if (grip_put_last(&out, c->name, c->prev_id) == 0) {
        in = buf_slice(&out);
        check(http1_is_value(in));
        check(grip_element_next(&in, &element) && in.n == 0);
        check(grip_part_next(&element, &part) && grip_part_next(&element, &part));
        check(slice_starts(part, SLICE("last-id=")) && element.n == 0);
    }
    buf_done(&out);
}

static void check_instruct(const struct grip_instruct *g)
{
    check(g->timeout_s >= 5 &&
          (!g->has_keep_alive || (g->keep_alive_s >= 1 && g->keep_alive.n < 1 << 20)));
    check(g->status == 0 || (g->status >= 100 && g->status <= 999));
    check(!g->has_next || g->next.n > 0);
    check(!g->has_gone || g->gone.n > 0);
    for (size_t i = 0; i < g->n_channels; i++) {
        check(g->channels[i].name.n > 0 && g->channels[i].filters.n <= GRIP_FILTERS_MAX);
        check_last(&g->channels[i]);
    }
    for (size_t i = 0; i < g->n_fields; i++)
        check(http1_is_token(g->fields[i].name) && http1_is_value(g->fields[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct slice in = slice_make(p, n);
    const ptrdiff_t at = slice_find(in, 0);
    const struct slice head = slice_sub(in, 0, at < 0 ? n : (size_t)at);
    const struct slice body = at < 0 ? SLICE_NONE : slice_sub(in, (size_t)at + 1, n);
    struct grip_instruct g = {0};
    struct err_note note = {0};
    struct slice prefix;

    if (grip_instruct_parse(head, 200, body, &g, &note) == 0)
        check_instruct(&g);
    else
        check(note.text[0] && !g.memory.chunks);
    (void)grip_is_instructed(head);
    (void)grip_is_negotiated(in, &prefix);
    grip_instruct_done(&g);
    return 0;
}
