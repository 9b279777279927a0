#include "edge/grip_head.h"

#include "base/err.h"
#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/grip_item.h"

static bool is_exposed(const struct grip_instruct *g, struct slice name)
{
    for (size_t i = 0; g->has_exposed && i < g->n_exposed; i++)
        if (slice_eq_nocase(g->exposed[i], name))
            return true;
    return !g->has_exposed;
}

static int put_json(struct buf *out, const struct grip_instruct *g)
{
    for (size_t i = 0; i < g->n_fields; i++)
        if (!grip_is_field(g->fields[i].name) && is_exposed(g, g->fields[i].name) &&
            fields_put(out, g->fields[i].name, g->fields[i].value) < 0)
            return -ERR_TOO_LARGE;
    return 0;
}

int grip_head_fields(struct buf *out, struct slice head, const struct grip_instruct *g)
{
    struct slice name, value;

    if (g->is_json)
        return put_json(out, g);
    /* We asked for no coding; whoever codes all the same does it under another name. */
    while (fields_next(&head, &name, &value))
        if (!grip_is_field(name) && !slice_eq_nocase(name, SLICE("Content-Encoding")) &&
            is_exposed(g, name) && fields_put(out, name, value) < 0)
            return -ERR_TOO_LARGE;
    return 0;
}

/* --- a published response --- */

static bool lists(struct slice list, struct slice name)
{
    struct slice element;

    while (grip_element_next(&list, &element))
        if (slice_eq_nocase(slice_trim(element), name))
            return true;
    return false;
}

static bool is_removed(const struct grip_format *f, struct slice name)
{
    for (size_t i = 0; i < f->n_fields; i++)
        if (slice_eq_nocase(f->fields[i].name, SLICE("Grip-Expose-Headers")) &&
            lists(f->fields[i].value, name))
            return true;
    return false;
}

static bool is_replaced(const struct grip_format *f, struct slice name)
{
    for (size_t i = 0; i < f->n_fields; i++)
        if (slice_eq_nocase(f->fields[i].name, name))
            return true;
    return false;
}

int grip_head_publish(struct buf *out, struct slice held, const struct grip_format *f)
{
    struct slice name, value;

    while (fields_next(&held, &name, &value))
        if (!is_replaced(f, name) && !is_removed(f, name) && fields_put(out, name, value) < 0)
            return -ERR_TOO_LARGE;
    for (size_t i = 0; i < f->n_fields; i++)
        if (!grip_is_field(f->fields[i].name) && !is_removed(f, f->fields[i].name) &&
            fields_put(out, f->fields[i].name, f->fields[i].value) < 0)
            return -ERR_TOO_LARGE;
    return 0;
}
