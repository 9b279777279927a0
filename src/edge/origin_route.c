#include "edge/origin_route.h"

#include <assert.h>

#include "edge/settings.h"
#include "wire/jwt.h"

enum {
    TOKEN_S = 3600, /* how long a Grip-Sig is good */
    TOKEN_MAX = 16 << 10,
};

/* The routes of one host, in the order of the file. */
struct group {
    struct origin_route **routes;
    size_t n;
};

struct origin_table {
    unsigned refs;
    struct settings *settings;
    const struct app_origin *config;
    struct origin_route *routes;
    size_t n;
    struct map hosts; /* struct group */
    struct group any;
    struct map ids; /* struct origin_route, or the table itself for an id that is used twice */
    struct jwt_key *trusted;
};

/* --- making --- */

static int load_key(struct app_key key, enum jwt_use use, struct jwt_key **ret,
                    struct err_note *note)
{
    *ret = NULL;
    if (key.form == APP_KEY_NONE)
        return 0;
    return key.form == APP_KEY_FILE ? jwt_key_new_file(key.text, use, ret, note)
                                    : jwt_key_new(key.text, use, ret, note);
}

static void add_key_part(struct buf *b, struct slice part)
{
    (void)buf_addf(b, "%zu:", part.n);
    (void)buf_add(b, part);
}

/* Two targets with the same key are the same server, spoken to in the same way. */
static struct slice target_key(const struct app_origin_target *t)
{
    struct buf b = {.max = SIZE_MAX};
    struct span key;

    (void)buf_addf(&b, "%u %d%d%d%d %d", t->port, t->tls, t->insecure, t->trust_connect_host,
                   t->untrusted, t->test);
    add_key_part(&b, slice_str(t->host));
    add_key_part(&b, slice_str(t->path));
    add_key_part(&b, slice_str(t->cert_host));
    add_key_part(&b, t->client_cert);
    add_key_part(&b, t->client_key);
    add_key_part(&b, t->ca);
    key = buf_take(&b);
    return span_slice(key);
}

static int make_route(struct origin_table *t, struct origin_route *r,
                      const struct app_origin_route *c, struct err_note *note)
{
    const struct app_key key = c->sig_key.form ? c->sig_key : t->config->sig_key;

    r->table = t;
    r->config = c;
    r->iss = slice_str(c->sig_iss ? c->sig_iss : t->config->sig_iss);
    r->keys = mem_new((c->n_targets + 1) * sizeof(r->keys[0]));
    buf_init(&r->token, TOKEN_MAX);
    for (size_t i = 0; i < c->n_targets; i++)
        r->keys[i] = target_key(&c->targets[i]);
    return c->no_grip ? 0 : load_key(key, JWT_SIGN, &r->key, note);
}

static void add_to_group(struct group *g, struct origin_route *r)
{
    g->routes = mem_grow(g->routes, (g->n + 1) * sizeof(g->routes[0]));
    g->routes[g->n++] = r;
}

static void index_route(struct origin_table *t, struct origin_route *r)
{
    const struct slice host = slice_str(r->config->host), id = slice_str(r->config->id);
    struct group *g = &t->any;

    if (id.n && map_find(&t->ids, id))
        (void)map_put(&t->ids, id, t);
    else if (id.n)
        (void)map_put(&t->ids, id, r);
    if (r->config->host && host.n == 0)
        return;
    if (host.n && !(g = map_find(&t->hosts, host))) {
        g = mem_new(sizeof(*g));
        (void)map_put(&t->hosts, host, g);
    }
    add_to_group(g, r);
}

struct origin_table *origin_table_new(struct settings *settings, struct err_note *note)
{
    struct origin_table *t = mem_new(sizeof(*t));
    const struct app_origin *c = settings->config.origin;

    t->refs = 1;
    t->settings = settings_ref(settings);
    t->config = c;
    t->routes = mem_new((c->n_routes + 1) * sizeof(t->routes[0]));
    if (load_key(c->upstream_key, JWT_VERIFY, &t->trusted, note) < 0)
        goto fail;
    for (; t->n < c->n_routes; t->n++) {
        struct origin_route *r = &t->routes[t->n];

        if (make_route(t, r, &c->routes[t->n], note) < 0) {
            t->n++;
            goto fail;
        }
        index_route(t, r);
    }
    return t;
fail:
    origin_table_free(t);
    return NULL;
}

/* --- the end --- */

static void free_route(struct origin_route *r)
{
    jwt_key_free(r->key);
    buf_done(&r->token);
    for (size_t i = 0; i < r->config->n_targets; i++)
        mem_free((void *)r->keys[i].p);
    mem_free(r->keys);
}

void origin_table_free(struct origin_table *t)
{
    uint32_t it = 0;
    struct slice host;
    void *g;

    if (!t || --t->refs > 0)
        return;
    for (size_t i = 0; i < t->n; i++)
        free_route(&t->routes[i]);
    while (map_next(&t->hosts, &it, &host, &g)) {
        mem_free(((struct group *)g)->routes);
        mem_free(g);
    }
    map_done(&t->hosts);
    map_done(&t->ids);
    mem_free(t->any.routes);
    mem_free(t->routes);
    jwt_key_free(t->trusted);
    settings_free(t->settings);
    mem_free(t);
}

struct origin_route *origin_route_ref(struct origin_route *r)
{
    r->table->refs++;
    return r;
}

void origin_route_unref(struct origin_route *r)
{
    if (r)
        origin_table_free(r->table);
}

const struct app_origin *origin_route_origin(const struct origin_route *r)
{
    return r->table->config;
}

/* --- finding --- */

static bool fits(const struct app_origin_route *c, const struct origin_wish *w)
{
    const enum app_protocol protocol = w->is_ws ? APP_PROTOCOL_WS : APP_PROTOCOL_HTTP;
    const enum app_secure secure = w->is_secure ? APP_SECURE_YES : APP_SECURE_NO;

    return (c->protocol == APP_PROTOCOL_ANY || c->protocol == protocol) &&
           (c->secure == APP_SECURE_ANY || c->secure == secure) &&
           slice_starts(w->path, slice_str(c->path_beg));
}

/* Whether a is meant more exactly than b. */
static bool is_better(const struct app_origin_route *a, const struct app_origin_route *b)
{
    const size_t path_a = slice_str(a->path_beg).n, path_b = slice_str(b->path_beg).n;

    if ((a->protocol != APP_PROTOCOL_ANY) != (b->protocol != APP_PROTOCOL_ANY))
        return a->protocol != APP_PROTOCOL_ANY;
    if (path_a != path_b)
        return path_a > path_b;
    return a->secure != APP_SECURE_ANY && b->secure == APP_SECURE_ANY;
}

static struct origin_route *find_in(const struct group *g, const struct origin_wish *w)
{
    struct origin_route *best = NULL;

    for (size_t i = 0; i < g->n; i++)
        if (fits(g->routes[i]->config, w) &&
            (!best || is_better(g->routes[i]->config, best->config)))
            best = g->routes[i];
    return best;
}

static struct slice without_port(struct slice host)
{
    ptrdiff_t colon;

    if (host.n && host.p[0] == '[') {
        const ptrdiff_t end = slice_find(host, ']');

        return end > 0 ? slice_sub(host, 1, (size_t)end - 1) : host;
    }
    colon = slice_find(host, ':');
    return colon < 0 ? host : slice_sub(host, 0, (size_t)colon);
}

struct origin_route *origin_route_find(const struct origin_table *t, const struct origin_wish *w)
{
    const struct slice host = without_port(w->host);
    char lower[256];
    const struct group *g = NULL;

    if (t->hosts.count && host.n <= sizeof(lower)) {
        for (size_t i = 0; i < host.n; i++)
            lower[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] | 0x20 : host.p[i]);
        g = map_find(&t->hosts, slice_make(lower, host.n));
    }
    return find_in(g ? g : &t->any, w);
}

struct origin_route *origin_route_by_id(const struct origin_table *t, struct slice id)
{
    void *found = map_find(&t->ids, id);

    return found == t ? NULL : found;
}

int origin_route_path(const struct origin_route *r, struct slice path, struct buf *out)
{
    const struct app_origin_route *c = r->config;
    const size_t drop = c->replace_beg ? slice_str(c->path_beg).n : c->path_rem;
    const struct slice front = slice_str(c->replace_beg);
    int e = 0;

    path = slice_sub(path, MIN(drop, path.n), SIZE_MAX);
    if (!slice_starts(front, SLICE("/")) && (front.n || !slice_starts(path, SLICE("/"))))
        e = buf_add_byte(out, '/');
    if (e == 0)
        e = buf_add(out, front);
    return e < 0 ? e : buf_add(out, path);
}

/* --- trust --- */

bool origin_route_has_grip(const struct origin_route *r)
{
    return !r->config->no_grip;
}

bool origin_route_is_debug(const struct origin_route *r)
{
    return r->config->debug || r->table->config->debug;
}

struct slice origin_route_sign(struct origin_route *r, int64_t now_s)
{
    if (!r->key || r->iss.n == 0)
        return SLICE_NONE;
    if (r->token.n == 0 || r->token_s != now_s) {
        buf_clear(&r->token);
        if (jwt_sign(&r->token, r->key, r->iss, now_s + TOKEN_S) < 0)
            buf_clear(&r->token);
        r->token_s = now_s;
    }
    return buf_slice(&r->token);
}

bool origin_table_trusts(const struct origin_table *t, struct slice token, int64_t now_s)
{
    return t->trusted && jwt_verify(t->trusted, token, SLICE_NONE, now_s) == 0;
}
