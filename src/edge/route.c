#include "edge/route.h"

#include "edge/target.h"

struct route {
    struct slice host; /* lower case as configured; empty: any */
    struct slice path; /* without the slash at the end; empty: any */
    bool wildcard;     /* host is ".example.com" */
    unsigned app;
};

void router_done(struct router *r)
{
    for (size_t i = 0; i < r->n; i++) {
        mem_free((void *)r->routes[i].host.p);
        mem_free((void *)r->routes[i].path.p);
    }
    mem_free(r->routes);
    *r = (struct router){0};
}

/* Named hosts stand before wildcards, those before any; longer before shorter. */
static int rank(const struct route *r)
{
    return r->host.n == 0 ? 0 : r->wildcard ? 1 : 2;
}

static bool stands_before(const struct route *a, const struct route *b)
{
    if (rank(a) != rank(b))
        return rank(a) > rank(b);
    if (a->host.n != b->host.n)
        return a->host.n > b->host.n;
    return a->path.n > b->path.n;
}

static struct slice copy(struct slice s)
{
    return s.n ? slice_make(slice_dup(s), s.n) : SLICE_NONE;
}

static int check(struct slice host, struct slice path, struct err_note *note)
{
    const bool v6 = slice_starts(host, SLICE("[")) && slice_ends(host, SLICE("]"));

    if (slice_find(host, '*') >= 0 || slice_find(host, '/') >= 0 ||
        (!v6 && slice_find(host, ':') >= 0))
        return err_notef(
            note, -ERR_CONFIG,
            "route host \"%.*s\": expected a name such as example.com or *.example.com",
            SLICE_FMT(host));
    if (path.n && (path.p[0] != '/' || slice_find(path, '*') >= 0))
        return err_notef(note, -ERR_CONFIG,
                         "route path \"%.*s\": expected a prefix such as /api, without *",
                         SLICE_FMT(path));
    return 0;
}

static void insert(struct router *r, struct route route)
{
    size_t at = 0;

    r->routes = mem_grow(r->routes, (r->n + 1) * sizeof(r->routes[0]));
    while (at < r->n && stands_before(&r->routes[at], &route))
        at++;
    memmove(&r->routes[at + 1], &r->routes[at], (r->n - at) * sizeof(route));
    route.host = copy(route.host);
    route.path = copy(route.path);
    r->routes[at] = route;
    r->n++;
}

int router_add(struct router *r, const char *host, const char *path, unsigned app,
               struct err_note *note)
{
    struct route route = {.host = slice_str(host), .path = slice_str(path), .app = app};
    int e;

    if (slice_starts(route.host, SLICE("*."))) {
        route.wildcard = true;
        (void)slice_take(&route.host, 1);
    }
    if ((e = check(route.host, route.path, note)) < 0)
        return e;
    while (route.path.n && route.path.p[route.path.n - 1] == '/')
        route.path.n--;
    for (size_t i = 0; i < r->n; i++)
        if (slice_eq_nocase(r->routes[i].host, route.host) &&
            slice_eq(r->routes[i].path, route.path))
            return err_notef(note, -ERR_CONFIG, "two routes for host \"%s\" and path \"%s\"",
                             host ? host : "*", path ? path : "/");
    insert(r, route);
    return 0;
}

static bool host_fits(const struct route *r, struct slice host)
{
    if (r->host.n == 0)
        return true;
    if (!r->wildcard)
        return slice_eq_nocase(r->host, host);
    return host.n > r->host.n &&
           slice_eq_nocase(r->host, slice_sub(host, host.n - r->host.n, r->host.n));
}

static bool path_fits(const struct route *r, struct slice path)
{
    return slice_starts(path, r->path) &&
           (path.n == r->path.n || path.p[r->path.n] == '/' || path.p[r->path.n] == '?');
}

int router_find(const struct router *r, struct slice host, struct slice path)
{
    host = target_host_name(host);
    for (size_t i = 0; i < r->n; i++)
        if (host_fits(&r->routes[i], host) &&
            (r->routes[i].path.n == 0 || path_fits(&r->routes[i], path)))
            return (int)r->routes[i].app;
    return -ERR_NOT_FOUND;
}
