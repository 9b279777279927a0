#include "edge/browser_origin.h"

/* The part behind "scheme://"; empty when there is none. */
static struct slice authority(struct slice origin)
{
    const ptrdiff_t at = slice_find_slice(origin, SLICE("://"));

    return at > 0 ? slice_sub(origin, (size_t)at + 3, SIZE_MAX) : SLICE_NONE;
}

static bool ends_nocase(struct slice s, struct slice end)
{
    return s.n > end.n && slice_eq_nocase(slice_sub(s, s.n - end.n, end.n), end);
}

static bool fits(struct slice rule, struct slice origin, struct slice host)
{
    const struct slice name = authority(rule);

    if (slice_eq(rule, SLICE("self")))
        return host.n && slice_eq_nocase(authority(origin), host);
    if (!slice_starts(name, SLICE("*.")))
        return slice_eq_nocase(rule, origin);
    /* The scheme with its "://", then any name that ends in ".example.com". */
    rule = slice_sub(rule, 0, rule.n - name.n);
    return slice_eq_nocase(slice_sub(origin, 0, rule.n), rule) &&
           ends_nocase(authority(origin), slice_sub(name, 1, name.n));
}

bool browser_origin_is_allowed(const char *const *list, struct slice origin, struct slice host)
{
    if (!list)
        return true;
    for (; *list; list++)
        if (fits(slice_str(*list), origin, host))
            return true;
    return false;
}
