#include "edge/target.h"

bool target_is_absolute(struct slice target)
{
    return !slice_starts(target, SLICE("/")) && slice_find_slice(target, SLICE("://")) > 0;
}

struct slice target_path(struct slice target)
{
    ptrdiff_t at;

    if (target_is_absolute(target))
        target = slice_sub(target, (size_t)slice_find_slice(target, SLICE("://")) + 3, SIZE_MAX);
    at = slice_find(target, '/');
    return at < 0 ? SLICE("/") : slice_sub(target, (size_t)at, SIZE_MAX);
}

struct slice target_authority(struct slice url)
{
    const ptrdiff_t at = slice_find_slice(url, SLICE("://"));
    struct slice rest = at < 0 ? SLICE_NONE : slice_sub(url, (size_t)at + 3, url.n);
    size_t n = 0;

    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    return slice_sub(rest, 0, n);
}

struct slice target_host_name(struct slice host)
{
    const ptrdiff_t end =
        slice_starts(host, SLICE("[")) ? slice_find(host, ']') + 1 : slice_find(host, ':');

    if (end > 0)
        host = slice_sub(host, 0, (size_t)end);
    if (slice_ends(host, SLICE(".")))
        host.n--;
    return host;
}
