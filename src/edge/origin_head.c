#include "edge/origin_head.h"

#include <stdio.h>

#include "edge/edge.h"
#include "edge/origin_route.h"
#include "wire/fields.h"
#include "wire/http1.h"

#define MARK "eb9bf0f5-" /* in front of the copies that `orig_headers` makes */

enum { LIST_MAX = 16 << 10 /* bytes of a joined X-Forwarded-For or CDN-Loop */ };

static bool is_one_of(struct slice name, const char *const *names)
{
    for (; names && *names; names++)
        if (slice_eq_nocase(name, slice_str(*names)))
            return true;
    return false;
}

const struct slice *origin_head_find(const struct exchange_request *rq, struct slice name)
{
    for (size_t i = 0; i < rq->n_fields; i++)
        if (slice_eq_nocase(rq->fields[i].name, name))
            return &rq->fields[i].value;
    return NULL;
}

/* --- what stays behind --- */

/* The origin must not compress: instructed bodies are read here, and parts are added to streams. */
static bool is_hop_by_hop(const struct exchange_request *rq, struct slice name)
{
    static const char *const always[] = {"Accept-Encoding", "Expect", "Host", NULL};

    if (http1_is_framing(name) || is_one_of(name, always))
        return true;
    for (size_t i = 0; i < rq->n_fields; i++) {
        struct slice list = rq->fields[i].value, token;

        if (!slice_eq_nocase(rq->fields[i].name, SLICE("Connection")))
            continue;
        while (http1_list_next(&list, &token))
            if (slice_eq_nocase(token, name))
                return true;
    }
    return false;
}

static bool hides_proto(const struct app_origin *o)
{
    return o->accept_forwarded_proto || o->set_forwarded_proto != APP_FORWARDED_NONE;
}

static bool is_forwarded_proto(struct slice name)
{
    return slice_eq_nocase(name, SLICE("X-Forwarded-Proto")) ||
           slice_eq_nocase(name, SLICE("X-Forwarded-Protocol"));
}

static bool is_route_header(const struct origin_head *h, struct slice name)
{
    const struct app_origin_route *r = h->route->config;

    for (size_t i = 0; i < r->n_headers; i++)
        if (slice_eq_nocase(name, slice_str(r->headers[i].name)))
            return true;
    return false;
}

static const struct app_forwarded *forwarded_rule(const struct origin_head *h)
{
    const struct app_origin *o = origin_route_origin(h->route);

    return h->is_trusted ? &o->forwarded_trusted : &o->forwarded;
}

static bool is_rewritten(const struct origin_head *h, struct slice name)
{
    const struct app_origin *o = origin_route_origin(h->route);
    const struct app_forwarded *f = forwarded_rule(h);

    return (is_forwarded_proto(name) && hides_proto(o)) ||
           ((f->truncate || f->append) && slice_eq_nocase(name, SLICE("X-Forwarded-For"))) ||
           (o->cdn_loop && slice_eq_nocase(name, SLICE("CDN-Loop"))) ||
           (o->accept_route_header && slice_eq_nocase(name, SLICE("Pushpin-Route"))) ||
           is_route_header(h, name);
}

static bool is_passed(const struct origin_head *h, struct slice name)
{
    if (slice_starts_nocase(name, SLICE("Grip-")))
        return h->is_trusted;
    if (slice_starts_nocase(name, SLICE(MARK)))
        return h->is_trusted;
    return !is_hop_by_hop(h->request, name) && !is_rewritten(h, name);
}

static int put_passed(const struct origin_head *h, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < h->request->n_fields && r == 0; i++) {
        const struct exchange_field *f = &h->request->fields[i];

        if (is_passed(h, f->name))
            r = fields_put(out, f->name, f->value);
    }
    return r;
}

/* --- what is added --- */

static struct slice last_items(struct slice list, uint32_t keep)
{
    size_t at = list.n;

    if (keep == 0)
        return SLICE_NONE;
    while (at > 0 && (list.p[at - 1] != ',' || --keep > 0))
        at--;
    return slice_trim(slice_sub(list, at, SIZE_MAX));
}

static void join(const struct exchange_request *rq, struct slice name, struct buf *out)
{
    for (size_t i = 0; i < rq->n_fields; i++)
        if (slice_eq_nocase(rq->fields[i].name, name) && rq->fields[i].value.n) {
            (void)buf_add(out, out->n ? SLICE(", ") : SLICE_NONE);
            (void)buf_add(out, rq->fields[i].value);
        }
}

static int put_forwarded_for(const struct origin_head *h, struct buf *out)
{
    const struct app_forwarded *f = forwarded_rule(h);
    CLEANUP(buf_done) struct buf all = {.max = LIST_MAX};
    CLEANUP(buf_done) struct buf list = {.max = LIST_MAX};

    if (!f->truncate && !f->append)
        return 0;
    join(h->request, SLICE("X-Forwarded-For"), &all);
    (void)buf_add(&list, f->truncate ? last_items(buf_slice(&all), f->keep) : buf_slice(&all));
    if (f->append && h->peer.n) {
        (void)buf_add(&list, list.n ? SLICE(", ") : SLICE_NONE);
        (void)buf_add(&list, h->peer);
    }
    return list.n ? fields_put(out, SLICE("X-Forwarded-For"), buf_slice(&list)) : 0;
}

static int put_forwarded_proto(const struct origin_head *h, struct buf *out)
{
    const struct app_origin *o = origin_route_origin(h->route);
    const struct slice proto = h->request->upgrade ? SLICE("wss") : SLICE("https");
    int r;

    if (!h->is_secure || o->set_forwarded_proto == APP_FORWARDED_NONE)
        return 0;
    r = fields_put(out, SLICE("X-Forwarded-Proto"), proto);
    if (r == 0 && o->set_forwarded_proto == APP_FORWARDED_BOTH)
        r = fields_put(out, SLICE("X-Forwarded-Protocol"), proto);
    return r;
}

/* RFC 8586 */
static int put_cdn_loop(const struct origin_head *h, struct buf *out)
{
    const char *ours = origin_route_origin(h->route)->cdn_loop;
    CLEANUP(buf_done) struct buf list = {.max = LIST_MAX};

    if (!ours)
        return 0;
    join(h->request, SLICE("CDN-Loop"), &list);
    (void)buf_addf(&list, "%s%s", list.n ? ", " : "", ours);
    return fields_put(out, SLICE("CDN-Loop"), buf_slice(&list));
}

static int put_route_headers(const struct origin_head *h, struct buf *out)
{
    const struct app_origin_route *c = h->route->config;
    int r = 0;

    for (size_t i = 0; i < c->n_headers && r == 0; i++)
        if (c->headers[i].value[0])
            r = fields_put(out, slice_str(c->headers[i].name), slice_str(c->headers[i].value));
    return r;
}

static int put_marked(const struct origin_head *h, const struct exchange_field *f, struct buf *out)
{
    char name[256];
    int n;

    if (slice_starts_nocase(f->name, SLICE(MARK)))
        return fields_put(out, f->name, f->value);
    if (is_one_of(f->name, origin_route_origin(h->route)->unmarked))
        return 0;
    n = snprintf(name, sizeof(name), MARK "%.*s", SLICE_FMT(slice_sub(f->name, 0, 200)));
    return fields_put(out, slice_make(name, (size_t)n), f->value);
}

/* What the client sent, also where it was replaced or taken out. */
static int put_originals(const struct origin_head *h, struct buf *out)
{
    int r = 0;

    if (!h->route->config->orig_headers || h->is_trusted)
        return 0;
    for (size_t i = 0; i < h->request->n_fields && r == 0; i++)
        r = put_marked(h, &h->request->fields[i], out);
    return r;
}

int origin_head_put(const struct origin_head *h, struct buf *out)
{
    int r;

    if ((r = put_passed(h, out)) < 0 || (r = put_forwarded_for(h, out)) < 0 ||
        (r = put_forwarded_proto(h, out)) < 0 || (r = put_cdn_loop(h, out)) < 0 ||
        (r = put_route_headers(h, out)) < 0)
        return r;
    return put_originals(h, out);
}

bool origin_head_says_secure(const struct app_origin *o, const struct exchange_request *rq)
{
    const struct slice *proto = origin_head_find(rq, SLICE("X-Forwarded-Proto"));

    if (!proto)
        proto = origin_head_find(rq, SLICE("X-Forwarded-Protocol"));
    return o->accept_forwarded_proto && proto &&
           (slice_eq_nocase(*proto, SLICE("https")) || slice_eq_nocase(*proto, SLICE("wss")));
}
