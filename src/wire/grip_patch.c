/* JSON Patch (RFC 6902) on jansson's trees. */
#include "wire/grip_int.h"
#include "wire/grip_item.h"

enum {
    POINTER_MAX = 1024, /* bytes of one name in a path, unescaped */
    OPS_MAX = 4096,
    FLAGS = JSON_COMPACT | JSON_ENCODE_ANY,
};

/* --- pointers (RFC 6901) --- */

/* One reference token, unescaped. False for "~" before anything but 0 or 1, or when it is long. */
static bool unescape(struct slice in, char *room, struct slice *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < in.n; i++, n++) {
        char c = (char)in.p[i];

        if (n == POINTER_MAX)
            return false;
        if (c == '~') {
            if (++i == in.n || (in.p[i] != '0' && in.p[i] != '1'))
                return false;
            c = in.p[i] == '0' ? '~' : '/';
        }
        room[n] = c;
    }
    *ret = slice_make(room, n);
    return true;
}

/* An array's index: digits without leading zeros, below `end`. */
static bool index_of(struct slice name, size_t end, size_t *ret)
{
    uint64_t n;

    if ((name.n > 1 && name.p[0] == '0') || slice_u64(name, SIZE_MAX, &n) < 0 || n >= end)
        return false;
    *ret = (size_t)n;
    return true;
}

static json_t *child(json_t *in, struct slice name)
{
    size_t i;

    if (json_is_object(in))
        return json_object_getn(in, (const char *)name.p, name.n);
    return json_is_array(in) && index_of(name, json_array_size(in), &i) ? json_array_get(in, i)
                                                                        : NULL;
}

/* A place: a member of `parent`, or (parent NULL) the whole document. */
struct place {
    json_t *parent;
    struct slice name;
    char room[POINTER_MAX];
};

static bool find_place(json_t *doc, struct slice path, struct place *p)
{
    p->parent = NULL;
    if (path.n == 0)
        return true;
    while (path.n > 0) {
        ptrdiff_t end;

        if (path.p[0] != '/')
            return false;
        p->parent = p->parent ? child(p->parent, p->name) : doc;
        (void)slice_take(&path, 1);
        end = slice_find(path, '/');
        if (!p->parent ||
            !unescape(slice_take(&path, end < 0 ? path.n : (size_t)end), p->room, &p->name))
            return false;
    }
    return true;
}

static json_t *value_at(json_t *doc, const struct place *p)
{
    return p->parent ? child(p->parent, p->name) : doc;
}

/* --- operations; *doc may become another document --- */

static bool put(json_t **doc, const struct place *p, json_t *value)
{
    size_t i;

    if (!p->parent) {
        json_decref(*doc);
        *doc = json_incref(value);
        return true;
    }
    if (json_is_object(p->parent))
        return json_object_setn_nocheck(p->parent, (const char *)p->name.p, p->name.n, value) == 0;
    if (!json_is_array(p->parent))
        return false;
    if (slice_eq(p->name, SLICE("-")))
        return json_array_append(p->parent, value) == 0;
    return index_of(p->name, json_array_size(p->parent) + 1, &i) &&
           json_array_insert(p->parent, i, value) == 0;
}

static bool take_out(const struct place *p)
{
    size_t i;

    if (json_is_object(p->parent))
        return json_object_deln(p->parent, (const char *)p->name.p, p->name.n) == 0;
    return json_is_array(p->parent) && index_of(p->name, json_array_size(p->parent), &i) &&
           json_array_remove(p->parent, i) == 0;
}

static bool replace(json_t **doc, const struct place *p, json_t *value)
{
    if (!value_at(*doc, p))
        return false;
    return (!p->parent || take_out(p)) && put(doc, p, value);
}

/* Whether `to` is within `from`, which then cannot be moved there. */
static bool is_within(struct slice from, struct slice to)
{
    return slice_starts(to, from) && to.n > from.n && to.p[from.n] == '/';
}

static bool is_op(const json_t *op, const char *name)
{
    return slice_eq(grip__string(json_object_get(op, "op")), slice_str(name));
}

/* Copies of copies would double with every step: *room is for all of them. */
static json_t *copy_of(const json_t *found, size_t *room)
{
    const size_t n = json_dumpb(found, NULL, 0, FLAGS);

    if (n > *room)
        return NULL;
    *room -= n;
    return json_deep_copy(found);
}

static bool bring(json_t **doc, const json_t *op, struct place *p, size_t *room)
{
    const struct slice path = grip__string(json_object_get(op, "path"));
    const bool is_move = is_op(op, "move");
    const json_t *const from = json_object_get(op, "from");
    CLEANUP(grip__drop) json_t *value = NULL;
    json_t *found;

    if (!json_is_string(from) || (is_move && is_within(grip__string(from), path)) ||
        !find_place(*doc, grip__string(from), p) || !(found = value_at(*doc, p)))
        return false;
    value = is_move ? json_incref(found) : copy_of(found, room);
    if (!value || (is_move && p->parent && !take_out(p)))
        return false;
    return find_place(*doc, path, p) && put(doc, p, value);
}

static bool apply(json_t **doc, const json_t *op, size_t *room)
{
    const json_t *const path = json_object_get(op, "path");
    json_t *const value = json_object_get(op, "value");
    struct place p;

    if (!json_is_string(json_object_get(op, "op")) || !json_is_string(path))
        return false;
    if (is_op(op, "move") || is_op(op, "copy"))
        return bring(doc, op, &p, room);
    if (!find_place(*doc, grip__string(path), &p))
        return false;
    if (is_op(op, "remove"))
        return p.parent && take_out(&p);
    if (!value)
        return false;
    if (is_op(op, "test"))
        return json_equal(value_at(*doc, &p), value);
    if (is_op(op, "replace"))
        return replace(doc, &p, value);
    return is_op(op, "add") && put(doc, &p, value);
}

static int write_out(struct buf *out, const json_t *doc, bool newline)
{
    const size_t n = json_dumpb(doc, NULL, 0, FLAGS);
    uint8_t *const to = n > 0 ? buf_reserve(out, n + newline) : NULL;

    if (!to)
        return n == 0 ? -ERR_SYNTAX : -ERR_TOO_LARGE;
    (void)json_dumpb(doc, (char *)to, n, FLAGS);
    if (newline)
        to[n] = '\n';
    buf_commit(out, n + newline);
    return 0;
}

int grip_patch(struct buf *out, struct slice document, struct slice patch)
{
    CLEANUP(grip__drop) json_t *doc = grip__json(document);
    CLEANUP(grip__drop) json_t *ops = grip__json(patch);
    size_t room = out->max;
    const json_t *op;
    size_t i;

    if (!doc || !json_is_array(ops) || json_array_size(ops) > OPS_MAX)
        return -ERR_SYNTAX;
    json_array_foreach(ops, i, op)
    {
        if (!apply(&doc, op, &room))
            return -ERR_SYNTAX;
    }
    return write_out(out, doc, slice_ends(document, SLICE("\n")));
}
