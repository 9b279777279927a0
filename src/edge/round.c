#include "edge/round.h"

#include "edge/edge_int.h"

static void travel(struct round *r)
{
    const struct edge *e = r->asker;

    mailbox_post(r->at < e->count ? e->siblings[r->at]->loop : e->loop, &r->mail);
}

static void on_mail(struct mail *m)
{
    struct round *r = CONTAINER_OF(m, struct round, mail);
    struct edge *e = r->asker;

    if (!e->gone && r->at < e->count) {
        r->visit(r, e->siblings[r->at++]);
        travel(r);
        return;
    }
    e->rounds--;
    r->back(r);
}

void round_send(struct round *take_r, struct edge *asker)
{
    take_r->mail.deliver = on_mail;
    take_r->asker = asker;
    take_r->at = asker->said_stopped ? asker->count : 0;
    asker->rounds++;
    travel(take_r);
}
