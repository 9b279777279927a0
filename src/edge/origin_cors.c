#include "edge/origin_cors.h"

#include "edge/origin_head.h"
#include "wire/fields.h"
#include "wire/grip.h"

enum { FIELDS_MAX = 256 << 10 };

struct cors {
    struct reply inner;
    const struct exchange_ops *ops;
    void *arg;
    char *methods, *headers, *origin; /* of the request, NULL where it says nothing */
};

static void cors_free(struct cors *c)
{
    mem_free(c->methods);
    mem_free(c->headers);
    mem_free(c->origin);
    mem_free(c);
}

/* --- facts, passed on --- */

static void on_body(void *arg, struct slice bytes, bool end)
{
    struct cors *c = arg;

    c->ops->body(c->arg, bytes, end);
}

static void on_taken(void *arg, size_t n)
{
    struct cors *c = arg;

    c->ops->taken(c->arg, n);
}

static void on_closed(void *arg, int err)
{
    struct cors *c = arg;
    const struct exchange_ops *ops = c->ops;
    void *owner = c->arg;

    cors_free(c);
    ops->closed(owner, err);
}

static const struct exchange_ops facts = {.body = on_body, .taken = on_taken, .closed = on_closed};

/* --- the response's head --- */

/* Fields that pages may read anyway, and those that are about CORS. */
static bool is_safe(struct slice name)
{
    static const char *const names[] = {"Cache-Control", "Content-Language", "Content-Length",
                                        "Content-Type",  "Expires",          "Last-Modified",
                                        "Pragma"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(name, slice_str(names[i])))
            return true;
    return slice_starts_nocase(name, SLICE("Access-Control-"));
}

static void put_missing(struct buf *out, struct slice said, const char *name, struct slice value)
{
    struct slice present;

    if (value.n && !fields_find(said, slice_str(name), &present))
        (void)buf_addf(out, "%s: %.*s\n", name, SLICE_FMT(value));
}

static void put_exposed(struct buf *out, struct slice said)
{
    CLEANUP(buf_done) struct buf list = {.max = FIELDS_MAX};
    struct slice rest = said, key, value;

    while (fields_next(&rest, &key, &value))
        if (!is_safe(key) && slice_find_slice(buf_slice(&list), key) < 0)
            (void)buf_addf(&list, "%s%.*s", list.n ? ", " : "", SLICE_FMT(key));
    put_missing(out, said, "Access-Control-Expose-Headers", buf_slice(&list));
}

static void put_cors(const struct cors *c, struct buf *out, struct slice said)
{
    put_missing(out, said, "Access-Control-Allow-Methods",
                c->methods ? slice_str(c->methods)
                           : SLICE("OPTIONS, HEAD, GET, POST, PUT, DELETE"));
    put_missing(out, said, "Access-Control-Allow-Headers", slice_str(c->headers));
    put_exposed(out, said);
    put_missing(out, said, "Access-Control-Allow-Credentials", SLICE("true"));
    put_missing(out, said, "Access-Control-Allow-Origin",
                c->origin ? slice_str(c->origin) : SLICE("*"));
    put_missing(out, said, "Access-Control-Max-Age", SLICE("3600"));
}

static int cors_respond(void *to, const struct exchange_response *r)
{
    struct cors *c = to;
    CLEANUP(buf_done) struct buf fields = {.max = FIELDS_MAX};
    struct exchange_response more = *r;

    (void)buf_add(&fields, r->fields);
    put_cors(c, &fields, r->fields);
    more.fields = buf_slice(&fields);
    return reply_respond(c->inner, &more);
}

/* --- the other verbs, passed on --- */

static void cors_attach(void *to, const struct exchange_ops *ops, void *arg)
{
    struct cors *c = to;

    c->ops = ops;
    c->arg = arg;
    reply_attach(c->inner, &facts, c);
}

static void cors_pull(void *to, size_t n)
{
    reply_pull(((struct cors *)to)->inner, n);
}

static int cors_send(void *to, struct slice bytes)
{
    return reply_send(((struct cors *)to)->inner, bytes);
}

static int cors_share(void *to, struct blob *bytes, struct blob **chunked)
{
    return reply_share(((struct cors *)to)->inner, bytes, chunked);
}

static size_t cors_pending(const void *to)
{
    return reply_pending(((const struct cors *)to)->inner);
}

static void cors_end(void *to)
{
    const struct reply inner = ((struct cors *)to)->inner;

    cors_free(to);
    reply_end(inner);
}

static void cors_abort(void *to)
{
    const struct reply inner = ((struct cors *)to)->inner;

    cors_free(to);
    reply_abort(inner);
}

static const struct reply_kind kind = {
    .attach = cors_attach,
    .pull = cors_pull,
    .respond = cors_respond,
    .send = cors_send,
    .share = cors_share,
    .pending = cors_pending,
    .end = cors_end,
    .abort = cors_abort,
};

static char *copy_field(const struct exchange_request *rq, struct slice name)
{
    const struct slice *value = origin_head_find(rq, name);

    return value && value->n ? slice_dup(*value) : NULL;
}

struct reply origin_cors(const struct exchange_request *rq, struct reply take_reply)
{
    struct cors *c = mem_new(sizeof(*c));

    c->inner = take_reply;
    c->methods = copy_field(rq, SLICE("Access-Control-Request-Method"));
    c->headers = copy_field(rq, SLICE("Access-Control-Request-Headers"));
    c->origin = copy_field(rq, SLICE("Origin"));
    return (struct reply){&kind, c};
}
