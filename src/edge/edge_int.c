#include "edge/edge_int.h"

#include <unistd.h>

#include "base/seen.h"
#include "edge/settings.h"
#include "egress/egress.h"

/* --- mails between edges and the fleet --- */

static struct span copy_text(struct slice text)
{
    struct span copy = {.p = text.n ? mem_new(text.n) : NULL, .n = text.n};

    if (text.n)
        memcpy(copy.p, text.p, text.n);
    return copy;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    mem_free(o->text.p);
    mem_free(o);
}

static void discard(struct loop *l, int given)
{
    const int fd = loop_take(l, given);

    if (fd >= 0)
        (void)close(fd);
}

static void deliver_order(struct mail *m)
{
    struct order *o = CONTAINER_OF(m, struct order, mail);

    if (!o->to->gone) {
        o->to->obey(o->to, o);
        return;
    }
    if (o->kind == ORDER_OPEN)
        discard(o->to->loop, o->fd);
    settings_free(o->settings);
    order_free(o);
}

void edge_order(struct edge *to, struct order o, struct slice text)
{
    struct order *copy = mem_new(sizeof(*copy));

    *copy = o;
    copy->to = to;
    copy->text = copy_text(text);
    copy->mail.deliver = deliver_order;
    mailbox_post(to->loop, &copy->mail);
}

static void deliver_report(struct mail *m)
{
    struct report *r = CONTAINER_OF(m, struct report, mail);

    if (!r->to->gone)
        r->to->on_report(r->to->on_report_arg, r);
    mem_free(r->text.p);
    mem_free(r);
}

void edge_report(struct edge *e, struct report r, struct slice text)
{
    struct report *copy = mem_new(sizeof(*copy));

    *copy = r;
    copy->to = e->siblings[0];
    copy->edge = e->index;
    copy->text = copy_text(text);
    copy->mail.deliver = deliver_report;
    mailbox_post(copy->to->loop, &copy->mail);
}

/* --- applications --- */

struct slice app_name(const struct app *a)
{
    return slice_str(a->settings->config.name);
}

uint32_t app_open(const struct app *a)
{
    const struct edge *e = a->edge;
    uint32_t n = 0;

    for (unsigned i = 0; i < e->count; i++)
        n += seen_get(&e->siblings[i]->apps[a->index]->n_open);
    return n;
}

struct egress *app_egress(struct app *a, struct err_note *note)
{
    const struct egress_limits defaults = {0};

    return egress_new(a->edge->loop, &a->settings->config.egress, &defaults, &a->ws, note);
}
