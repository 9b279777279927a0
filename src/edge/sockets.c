#include "edge/sockets.h"

#include "edge/delivery.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/link.h"

/*
 * The hold that id names for this link's worker; *ret is NULL when it has gone. A hold of another
 * application, or an id of another edge, is nobody's honest mistake.
 */
static int find(struct link *l, const struct ipc_frame *f, uint64_t id, struct hold **ret)
{
    struct hold *h = hold_find(l->app, id);

    *ret = NULL;
    if (id >> IPC_EDGE_SHIFT != l->app->edge->index)
        return link_bad(l, "a hold of another edge", f);
    if (h && h->app != l->app)
        return link_bad(l, "another application's hold", f);
    *ret = h && h->backend == &actor_backend ? h : NULL;
    return 0;
}

int sockets_send(struct link *l, const struct ipc_frame *f, const struct ipc_ws_send *m)
{
    struct payload p = {.bytes = m->bytes, .binary = f->flags & IPC_BINARY};
    int r = 0;

    if (m->holds.n % 8)
        return link_bad(l, "malformed list of holds", f);
    for (size_t i = 0; i < m->holds.n && r == 0; i += 8) {
        struct hold *h;

        r = find(l, f, ipc_u64_at(m->holds.p + i), &h);
        if (r == 0 && h)
            (void)hold_send(h, &p);
    }
    payload_done(&p);
    return r;
}

/* --- acceptance --- */

static bool are_tags(struct slice list)
{
    struct slice tag;
    int r;

    if (list.n > SOCKETS_TAGS_MAX)
        return false;
    while ((r = ipc_list_next(&list, &tag)) > 0)
        ;
    return r == 0;
}

static void list_in_actor(struct hold *h, struct actor *a, struct slice tags)
{
    struct blob *url = h->url;

    h->actor = a;
    actor_add_hold(a, &h->in_actor);
    if (tags.n)
        h->tags = actor_share(a, tags);
    if (url) {
        h->url = actor_share(a, blob_slice(url));
        blob_unref(url);
    }
    h->since = ++h->app->edge->accepted_order;
    h->known_to = h->app->serving ? h->app->serving->generation : 0;
}

/* The client had gone before its 101: the socket that the application has now hears that. */
static int accepted_late(struct link *l, const struct ipc_frame *f)
{
    if (l->app->events.n >= APP_EVENTS_MAX)
        return link_bad(l, "it accepts what is not there", f);
    delivery_lost(l->app, f->id);
    return 0;
}

int sockets_accept(struct link *l, const struct ipc_frame *f, const struct ipc_ws_accept *m)
{
    const bool hibernates = f->flags & IPC_HIBERNATE;
    struct actor *a = NULL;
    struct hold *h;
    int r = find(l, f, f->id, &h);

    if (r < 0)
        return r;
    if (!are_tags(m->tags))
        return link_bad(l, "malformed tags", f);
    if (!h)
        return accepted_late(l, f);
    if (h->state == HOLD_OVER)
        return 0;
    if (h->accepted)
        return link_bad(l, "accepted before", f);
    if (hibernates && !(a = actors_get(&l->app->actors, m->actor, m->name)))
        return link_bad(l, "a hibernatable hold needs an actor", f);
    if (hibernates)
        list_in_actor(h, a, m->tags);
    hold_accept(h, hibernates, m->half_open);
    log_event(&l->app->edge->log, LOG_DEBUG, "hold.accept", F_HEX("hold", hold_id(h)),
              F_BOOL("hibernates", hibernates), F_TEXT("actor", m->actor));
    return 0;
}

int sockets_attach(struct link *l, const struct ipc_frame *f, const struct ipc_ws_attach *m)
{
    struct hold *h;
    int r = find(l, f, f->id, &h);

    if (r < 0 || !h)
        return r;
    if (m->bytes.n > SOCKETS_ATTACHMENT_MAX)
        return link_bad(l, "attachment too large", f);
    blob_unref(h->attachment);
    h->attachment = m->bytes.n ? blob_copy(m->bytes) : NULL;
    return 0;
}

/* --- the end --- */

int sockets_close(struct link *l, const struct ipc_frame *f, const struct ipc_ws_close *m)
{
    struct hold *h;
    int r = find(l, f, f->id, &h);

    if (r < 0 || !h)
        return r;
    if (hold_close(h, m->code, m->reason) == -ERR_SYNTAX) {
        log_event(&l->app->edge->log, LOG_WARN, "close.refused", F_HEX("hold", hold_id(h)),
                  F_UINT("code", m->code), F_UINT("reason_bytes", m->reason.n));
        (void)hold_close(h, 1011, SLICE_NONE);
    }
    (void)hold_settle(h);
    return 0;
}

int sockets_terminate(struct link *l, const struct ipc_frame *f, const struct ipc_ws_terminate *m)
{
    struct hold *h;
    int r = find(l, f, f->id, &h);

    if (r < 0 || !h || h->state == HOLD_PENDING)
        return r;
    hold_terminate(h);
    (void)hold_settle(h);
    return 0;
}

int sockets_join(struct link *l, const struct ipc_frame *f, const struct ipc_ws_join *m)
{
    struct hold *one, *two = NULL;
    int r = find(l, f, f->id, &one);

    if (r == 0)
        r = find(l, f, m->other, &two);
    if (r < 0)
        return r;
    if (one == two && one)
        return link_bad(l, "joined with itself", f);
    if ((one && one->accepted) || (two && two->accepted))
        return link_bad(l, "accepted before", f);
    if (one && one->state == HOLD_OPEN && two && two->state == HOLD_OPEN) {
        hold_join(one, two);
        return 0;
    }
    /* One side has gone on the way: the other one goes, too. */
    for (int i = 0; i < 2; i++) {
        struct hold *h = i ? two : one;

        if (h && h->state == HOLD_OPEN)
            hold_leave(h, 1001, SLICE("the other side has gone"));
        if (h)
            (void)hold_settle(h);
    }
    return 0;
}

/* --- actors --- */

int sockets_auto_response(struct link *l, const struct ipc_frame *f,
                          const struct ipc_auto_response *m)
{
    const bool unset = f->flags & IPC_UNSET;
    struct actor *a = unset ? actors_find(&l->app->actors, m->actor)
                            : actors_get(&l->app->actors, m->actor, SLICE_NONE);

    if (m->request.n > SOCKETS_AUTO_MAX || m->response.n > SOCKETS_AUTO_MAX)
        return link_bad(l, "automatic answer too large", f);
    if (!a && !unset)
        return link_bad(l, "no such actor can be", f);
    if (!a)
        return 0;
    actor_unset_auto(a);
    if (!unset)
        actor_set_auto(a, m->request, m->response);
    else
        actor_rest(&l->app->actors, a);
    return 0;
}

static void put_restore(struct link *l, struct hold *h, uint32_t token)
{
    struct slice url, protocol;

    hold_origin(h, &url, &protocol);
    h->known_to = l->generation;
    (void)ipc_put_restore(link_out(l), hold_id(h), 0,
                          &(struct ipc_restore){.token = token,
                                                .closing = h->state == HOLD_CLOSING,
                                                .since = h->since,
                                                .auto_ms = h->auto_ms,
                                                .name = actor_name(h->actor),
                                                .tags = h->tags ? blob_slice(h->tags) : SLICE_NONE,
                                                .url = url,
                                                .protocol = protocol,
                                                .attachment = h->attachment
                                                                  ? blob_slice(h->attachment)
                                                                  : SLICE_NONE});
}

int sockets_restore(struct link *l, const struct ipc_frame *f, const struct ipc_restore_want *m)
{
    struct actor *a = actors_find(&l->app->actors, m->actor);
    struct ipc_restored done = {.token = m->token};
    struct list *it, *tmp;

    l->app->edge->stats.restores++;
    if (a) {
        LIST_EACH (&a->holds, it, tmp)
            put_restore(l, LIST_ITEM(it, struct hold, in_actor), m->token);
        done.has_auto = a->auto_response != NULL;
    }
    if (done.has_auto) {
        done.auto_request = blob_slice(a->auto_request);
        done.auto_response = blob_slice(a->auto_response);
    }
    (void)ipc_put_restored(link_out(l), 0, 0, &done);
    return 0;
}

int sockets_actor_state(struct link *l, const struct ipc_frame *f, const struct ipc_actor_state *m)
{
    struct app *a = l->app;
    struct actor *actor = actors_find(&a->actors, m->actor);

    if (m->sleeping)
        a->edge->stats.actor_sleeps++;
    else
        a->edge->stats.actor_wakes++;
    log_event(&a->edge->log, LOG_INFO, m->sleeping ? "actor.sleep" : "actor.wake",
              F_TEXT("app", app_name(a)), F_TEXT("actor", m->actor), F_TEXT("name", m->name),
              F_UINT("sockets", m->sockets));
    if (m->sleeping && actor)
        actor_rest(&a->actors, actor);
    return 0;
}
