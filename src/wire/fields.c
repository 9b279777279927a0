#include "wire/fields.h"

#include "base/err.h"

bool fields_next(struct slice *text, struct slice *ret_name, struct slice *ret_value)
{
    struct slice line;

    while (slice_split(text, '\n', &line)) {
        const ptrdiff_t colon = slice_find(line, ':');

        if (colon > 0) {
            *ret_name = slice_sub(line, 0, (size_t)colon);
            *ret_value = slice_trim(slice_sub(line, (size_t)colon + 1, line.n));
            return true;
        }
    }
    return false;
}

bool fields_find(struct slice text, struct slice name, struct slice *ret_value)
{
    struct slice key, value;

    while (fields_next(&text, &key, &value))
        if (slice_eq_nocase(key, name)) {
            *ret_value = value;
            return true;
        }
    return false;
}

int fields_put(struct buf *out, struct slice name, struct slice value)
{
    uint8_t *p = buf_reserve(out, name.n + value.n + 3);

    if (!p)
        return -ERR_TOO_LARGE;
    memcpy(p, name.p, name.n);
    memcpy(p + name.n, ": ", 2);
    if (value.n)
        memcpy(p + name.n + 2, value.p, value.n);
    p[name.n + 2 + value.n] = '\n';
    buf_commit(out, name.n + value.n + 3);
    return 0;
}
