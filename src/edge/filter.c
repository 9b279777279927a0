#include "edge/filter.h"

#include "base/enc.h"
#include "base/err.h"
#include "edge/subscriber.h"

/* --- who hears it --- */

static struct slice pub_meta(const struct grip_item *item, struct slice name)
{
    const struct slice *value = grip_pair_find(item->meta, item->n_meta, name);

    return value ? *value : SLICE_NONE;
}

static bool is_sender(struct slice user, const struct grip_item *item)
{
    return user.n && slice_eq(user, pub_meta(item, SLICE("sender")));
}

static bool is_skipped(struct slice user, const struct grip_item *item)
{
    struct slice list = pub_meta(item, SLICE("skip_users")), name;

    while (user.n && slice_split(&list, ',', &name))
        if (slice_eq(slice_trim(name), user))
            return true;
    return false;
}

static bool lacks_sub(const struct subscriber *s, const struct grip_item *item)
{
    const struct slice *channel = grip_pair_find(item->meta, item->n_meta, SLICE("require_sub"));

    return channel && !subscriber_has(s, *channel);
}

static bool drops(enum grip_filter f, const struct subscriber *s, const struct grip_item *item)
{
    const struct slice user = slice_str(subscriber_meta_find(s, SLICE("user")));

    switch (f) {
    case GRIP_FILTER_SKIP_SELF:
        return is_sender(user, item);
    case GRIP_FILTER_SKIP_USERS:
        return is_skipped(user, item);
    case GRIP_FILTER_REQUIRE_SUB:
        return lacks_sub(s, item);
    case GRIP_FILTER_BUILD_ID:
    case GRIP_FILTER_VAR_SUBST:
    case GRIP_FILTER_UNKNOWN:
        break;
    }
    return false;
}

/* --- templates: %% and %(name)X --- */

struct template
{
    const struct subscriber *s;
    const struct grip_item *item; /* NULL: a body */
    /* Appends what stands for the directive; has_name: it has parentheses. */
    int (*put)(const struct template *t, uint8_t directive, bool has_name, struct slice name,
               struct buf *out);
};

/* "%…" at the front of in: takes it off. */
static int put_directive(const struct template *t, struct slice *in, struct buf *out)
{
    const bool has_name = in->n > 1 && in->p[1] == '(';
    struct slice name = SLICE_NONE;
    size_t at = 1;

    if (has_name) {
        const ptrdiff_t end = slice_find(*in, ')');

        if (end < 0)
            return -ERR_SYNTAX;
        name = slice_sub(*in, 2, (size_t)end - 2);
        at = (size_t)end + 1;
    }
    if (at >= in->n)
        return -ERR_SYNTAX;
    (void)slice_take(in, at);
    const uint8_t directive = slice_take(in, 1).p[0];

    if (directive == '%' && !has_name)
        return buf_add_byte(out, '%');
    return t->put(t, directive, has_name, name, out);
}

static int expand(const struct template *t, struct slice in, struct buf *out)
{
    int r = 0;

    while (in.n && r == 0) {
        const ptrdiff_t at = slice_find(in, '%');

        r = buf_add(out, slice_take(&in, at < 0 ? in.n : (size_t)at));
        if (r == 0 && at >= 0)
            r = put_directive(t, &in, out);
    }
    return r;
}

static int put_variable(const struct template *t, uint8_t directive, bool has_name,
                        struct slice name, struct buf *out)
{
    const char *value = subscriber_meta_find(t->s, name);

    return directive == 's' && value ? buf_add(out, slice_str(value)) : -ERR_SYNTAX;
}

/* In id_format: %(channel)s. */
static int put_channel_id(const struct template *t, uint8_t directive, bool has_name,
                          struct slice name, struct buf *out)
{
    struct slice id;

    if (directive != 's')
        return -ERR_SYNTAX;
    if (slice_eq(name, t->item->channel) && t->item->has_id)
        return buf_add(out, t->item->id);
    return subscriber_prev_id(t->s, name, &id) ? buf_add(out, id) : -ERR_SYNTAX;
}

static int put_id_format(const struct template *t, struct buf *out)
{
    const char *format = subscriber_meta_find(t->s, SLICE("id_format"));
    const struct template id = {.s = t->s, .item = t->item, .put = put_channel_id};

    return format && t->item ? expand(&id, slice_str(format), out) : -ERR_SYNTAX;
}

static int put_id(const struct template *t, uint8_t directive, bool has_name, struct slice name,
                  struct buf *out)
{
    const char *encoding = subscriber_meta_find(t->s, SLICE("id_encoding"));
    struct buf id;
    int r;

    if (directive != 'I')
        return -ERR_SYNTAX;
    buf_init(&id, FILTER_CONTENT_MAX);
    r = has_name ? buf_add(&id, name) : put_id_format(t, &id);
    if (r == 0)
        r = encoding && slice_eq(slice_str(encoding), SLICE("hex")) ? enc_hex(out, buf_slice(&id))
                                                                    : buf_add(out, buf_slice(&id));
    buf_done(&id);
    return r;
}

/* --- content --- */

static int change(const struct subscriber *s, enum grip_filter f, const struct grip_item *item,
                  struct slice content, struct buf *out)
{
    const struct template t = {
        .s = s,
        .item = item,
        .put = f == GRIP_FILTER_VAR_SUBST ? put_variable : put_id,
    };

    return expand(&t, content, out);
}

/* The same content-changing filters in the same order. */
static bool has_filters(const struct grip_filters *filters, const struct grip_filters *wanted)
{
    uint8_t at = 0;

    for (uint8_t i = 0; i < filters->n; i++) {
        if (!grip_filter_changes(filters->ids[i]))
            continue;
        if (at == wanted->n || wanted->ids[at] != filters->ids[i])
            return false;
        at++;
    }
    return at == wanted->n;
}

/* out has the content so far: its filter's result takes its place. */
static int change_again(const struct subscriber *s, enum grip_filter f,
                        const struct grip_item *item, struct buf *out)
{
    struct buf before = *out;
    int r;

    buf_init(out, before.max);
    r = change(s, f, item, buf_slice(&before), out);
    buf_done(&before);
    return r;
}

int filter_item(const struct subscriber *s, const struct grip_filters *filters,
                const struct grip_item *item, const struct grip_format *format, struct buf *out)
{
    int changed = 0, r = 0;

    if (format->has_content_filters && !has_filters(filters, &format->content_filters))
        return -ERR_DENIED;
    for (uint8_t i = 0; i < filters->n && r == 0; i++) {
        const enum grip_filter f = filters->ids[i];

        if (drops(f, s, item))
            return -ERR_DENIED;
        if (!grip_filter_changes(f) || format->is_patch)
            continue;
        r = changed ? change_again(s, f, item, out) : change(s, f, item, format->content, out);
        changed = 1;
    }
    return r < 0 ? r : changed;
}

int filter_body(const struct subscriber *s, struct slice body, struct buf *out)
{
    int r;

    if (!subscriber_filters_by(s, GRIP_FILTER_BUILD_ID))
        return 0;
    r = change(s, GRIP_FILTER_BUILD_ID, NULL, body, out);
    return r < 0 ? r : 1;
}
