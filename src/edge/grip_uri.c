#include "edge/grip_uri.h"

#include "base/err.h"

/* "scheme://authority/path?query", RFC 3986 3. Parts may be absent, which is not empty. */
struct uri {
    bool has_scheme, has_authority, has_query;
    struct slice scheme, authority, path, query;
};

static ptrdiff_t find_any(struct slice s, const char *bytes)
{
    for (size_t i = 0; i < s.n; i++)
        if (strchr(bytes, s.p[i]) && s.p[i])
            return (ptrdiff_t)i;
    return -1;
}

/* What is before the first of `stops`, off the front of *s. */
static struct slice take_until(struct slice *s, const char *stops)
{
    const ptrdiff_t at = find_any(*s, stops);

    return slice_take(s, at < 0 ? s->n : (size_t)at);
}

static struct uri split(struct slice s)
{
    const ptrdiff_t colon = find_any(s, ":/?#");
    struct uri u = {0};

    if (colon > 0 && s.p[colon] == ':') {
        u.has_scheme = true;
        u.scheme = slice_take(&s, (size_t)colon);
        (void)slice_take(&s, 1);
    }
    if (slice_starts(s, SLICE("//"))) {
        u.has_authority = true;
        (void)slice_take(&s, 2);
        u.authority = take_until(&s, "/?#");
    }
    u.path = take_until(&s, "?#");
    if (s.n && s.p[0] == '?') {
        u.has_query = true;
        (void)slice_take(&s, 1);
        u.query = take_until(&s, "#");
    }
    return u;
}

/* --- putting together --- */

static int put_authority(struct buf *out, struct slice scheme, struct slice authority)
{
    const bool is_https = slice_eq_nocase(scheme, SLICE("https"));

    /* User information has no place in a request (RFC 9110 4.2.4). */
    if ((!is_https && !slice_eq_nocase(scheme, SLICE("http"))) || authority.n == 0 ||
        authority.p[0] == ':' || slice_find(authority, '@') >= 0)
        return -ERR_SYNTAX;
    return buf_addf(out, "%s://%.*s", is_https ? "https" : "http", SLICE_FMT(authority));
}

/* Drops the last segment of what was written from `start` on, with its slash. */
static void drop_segment(struct buf *out, size_t start)
{
    while (out->n > start && out->p[out->n - 1] != '/')
        out->n--;
    if (out->n > start)
        out->n--;
}

/* RFC 3986 5.2.4: path begins with "/". */
static int put_path(struct buf *out, struct slice path)
{
    const size_t start = out->n;
    bool is_dot = false;

    while (path.n > 0) {
        struct slice segment;

        (void)slice_take(&path, 1);
        segment = take_until(&path, "/");
        is_dot = slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE(".."));
        if (segment.n == 2 && is_dot)
            drop_segment(out, start);
        if (!is_dot && (buf_add_byte(out, '/') < 0 || buf_add(out, segment) < 0))
            return -ERR_TOO_LARGE;
    }
    return is_dot || out->n == start ? buf_add_byte(out, '/') : 0;
}

/* RFC 3986 5.2.3 */
static int merge(struct buf *out, struct slice base, struct slice path)
{
    size_t keep = base.n;

    while (keep > 0 && base.p[keep - 1] != '/')
        keep--;
    if (buf_add(out, keep ? slice_sub(base, 0, keep) : SLICE("/")) < 0 || buf_add(out, path) < 0)
        return -ERR_TOO_LARGE;
    return 0;
}

/* RFC 3986 5.2.2, without the schemes that are the same. */
static int put(struct buf *out, const struct uri *base, const struct uri *r)
{
    CLEANUP(buf_done) struct buf merged = {.max = out->max};
    const bool is_whole = r->has_scheme || r->has_authority;
    const bool is_same = !is_whole && r->path.n == 0;
    struct slice query = r->query, path = is_same ? base->path : r->path;
    bool has_query = r->has_query;
    int e;

    if (is_same && !has_query) {
        has_query = base->has_query;
        query = base->query;
    }
    if ((e = put_authority(out, r->has_scheme ? r->scheme : base->scheme,
                           is_whole ? r->authority : base->authority)) < 0)
        return e;
    if (!is_whole && path.n > 0 && path.p[0] != '/') {
        if ((e = merge(&merged, base->path, path)) < 0)
            return e;
        path = buf_slice(&merged);
    }
    if ((e = put_path(out, path)) < 0)
        return e;
    return has_query && (buf_add_byte(out, '?') < 0 || buf_add(out, query) < 0) ? -ERR_TOO_LARGE
                                                                                : 0;
}

static bool is_sendable(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    return true;
}

int grip_uri_resolve(struct buf *out, struct slice base, struct slice reference)
{
    const struct uri b = split(base), r = split(reference);
    const size_t before = out->n;
    const int e = is_sendable(reference) ? put(out, &b, &r) : -ERR_SYNTAX;

    if (e < 0)
        out->n = before;
    return e;
}
