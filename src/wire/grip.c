#include "wire/grip.h"

#include "wire/grip_int.h"

enum {
    CHANNELS_MAX = 1024, /* far more than a client may subscribe to */
    META_MAX = 256,
    TIMEOUT_MIN_S = 5,
};

unsigned grip__add_filter(struct grip_filters *f, struct slice name)
{
    const enum grip_filter id = grip_filter_of(name);

    if (id != GRIP_FILTER_UNKNOWN && f->n < GRIP_FILTERS_MAX)
        f->ids[f->n++] = (uint8_t)id;
    return 1;
}

void grip__add_channel(struct grip_instruct *g, const struct grip_channel *c)
{
    for (size_t i = 0; i < g->n_channels; i++) {
        if (slice_eq(g->channels[i].name, c->name))
            return;
    }
    if (g->n_channels == CHANNELS_MAX)
        return;
    if ((g->n_channels & (g->n_channels - 1)) == 0) { /* full: 0, 1, 2, 4… */
        struct grip_channel *const more =
            arena_new(&g->memory, MAX(1, 2 * g->n_channels) * sizeof(*more));

        if (g->n_channels > 0)
            memcpy(more, g->channels, g->n_channels * sizeof(*more));
        g->channels = more;
    }
    g->channels[g->n_channels++] = *c;
}

void grip__add_meta(struct grip_instruct *g, struct slice name, struct slice value)
{
    for (size_t i = 0; i < g->n_meta; i++) {
        if (slice_eq(g->meta[i].name, name)) {
            g->meta[i].value = value;
            return;
        }
    }
    if (g->n_meta == META_MAX)
        return;
    if ((g->n_meta & (g->n_meta - 1)) == 0) {
        struct grip_pair *const more = arena_new(&g->memory, MAX(1, 2 * g->n_meta) * sizeof(*more));

        if (g->n_meta > 0)
            memcpy(more, g->meta, g->n_meta * sizeof(*more));
        g->meta = more;
    }
    g->meta[g->n_meta++] = (struct grip_pair){name, value};
}

int grip_instruct_parse(struct slice head, unsigned status, struct slice body,
                        struct grip_instruct *ret, struct err_note *note)
{
    struct grip_instruct g = {.timeout_s = GRIP_TIMEOUT_S, .next_s = GRIP_NEXT_S};
    int err = grip__read_head(&g, head, note);

    if (err == 0 && grip_is_json(head))
        err = grip__read_body(&g, status, body, note);
    if (err < 0) {
        grip_instruct_done(&g);
        return err;
    }
    g.timeout_s = MAX(g.timeout_s, TIMEOUT_MIN_S);
    if (g.has_keep_alive)
        g.keep_alive_s = MAX(g.keep_alive_s, 1);
    *ret = g;
    return 0;
}

void grip_instruct_done(struct grip_instruct *g)
{
    arena_done(&g->memory);
}
