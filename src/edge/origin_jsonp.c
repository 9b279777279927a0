#include "edge/origin_jsonp.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/enc.h"
#include "edge/edge.h"
#include "edge/origin_head.h"
#include "wire/fields.h"
#include "wire/grip.h"
#include "wire/http1.h"

enum {
    MEMORY_MAX = 256 << 10,
    SCRIPT_MAX = 8 * ORIGIN_JSONP_BODY,
};

/* --- the request that is meant --- */

struct query {
    struct slice callback, method, headers, body;
    bool has_callback, has_body;
};

static struct slice decoded(struct buf *memory, struct slice text)
{
    const size_t begin = memory->n;

    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '%' && i + 2 < text.n && enc_hex_digit(text.p[i + 1]) >= 0 &&
            enc_hex_digit(text.p[i + 2]) >= 0) {
            (void)buf_add_byte(memory, (uint8_t)(enc_hex_digit(text.p[i + 1]) << 4 |
                                                 enc_hex_digit(text.p[i + 2])));
            i += 2;
        } else {
            (void)buf_add_byte(memory, text.p[i] == '+' ? ' ' : text.p[i]);
        }
    return slice_make(memory->p + begin, memory->n - begin);
}

/* One "name=value" of the query; false: it is the origin's. */
static bool take_parameter(const struct app_origin_route *r, struct slice part, struct query *q,
                           struct buf *memory)
{
    const bool extended = r->jsonp_mode == APP_JSONP_EXTENDED;
    struct slice name = part, value = SLICE_NONE;
    const ptrdiff_t eq = slice_find(part, '=');

    if (eq >= 0) {
        name = slice_sub(part, 0, (size_t)eq);
        value = slice_sub(part, (size_t)eq + 1, SIZE_MAX);
    }
    if (slice_eq(name, slice_str(r->jsonp_cb))) {
        q->callback = decoded(memory, value);
        q->has_callback = true;
    } else if (slice_eq(name, slice_str(r->jsonp_body))) {
        q->body = decoded(memory, value);
        q->has_body = true;
    } else if (extended && slice_eq(name, SLICE("_method"))) {
        q->method = decoded(memory, value);
    } else if (extended && slice_eq(name, SLICE("_headers"))) {
        q->headers = decoded(memory, value);
    } else {
        return false;
    }
    return true;
}

/* The path with what is left of the query. memory must not move: it was reserved. */
static struct slice read_query(const struct app_origin_route *r, struct slice path,
                               struct query *ret, struct buf *memory)
{
    struct slice query, part;
    const ptrdiff_t at = slice_find(path, '?');
    CLEANUP(buf_done) struct buf rest = {.max = MEMORY_MAX};
    size_t begin;

    if (at < 0)
        return path;
    query = slice_sub(path, (size_t)at + 1, SIZE_MAX);
    (void)buf_add(&rest, slice_sub(path, 0, (size_t)at));
    begin = rest.n;
    while (slice_split(&query, '&', &part)) {
        if (take_parameter(r, part, ret, memory))
            continue;
        (void)buf_add_byte(&rest, rest.n == begin ? '?' : '&');
        (void)buf_add(&rest, part);
    }
    begin = memory->n;
    (void)buf_add(memory, buf_slice(&rest));
    return slice_make(memory->p + begin, memory->n - begin);
}

/* What is put in front of a "(" of ours: names, dots and indices only. */
static bool is_callback(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        const uint8_t c = name.p[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !memchr("_$.[]", c, 5))
            return false;
    }
    return name.n > 0 && name.n <= 256;
}

static struct slice copied(struct buf *memory, const char *text)
{
    const size_t begin = memory->n;

    (void)buf_add(memory, slice_str(text));
    return slice_make(memory->p + begin, memory->n - begin);
}

static int add_field(struct origin_jsonp *j, const char *name, const char *value)
{
    const struct exchange_field f = {copied(&j->memory, name), copied(&j->memory, value)};

    if (!http1_is_token(f.name) || !http1_is_value(f.value) ||
        j->request.n_fields >= ORIGIN_JSONP_FIELDS)
        return -ERR_SYNTAX;
    j->fields[j->request.n_fields++] = f;
    return 0;
}

static int read_headers(struct origin_jsonp *j, struct slice text)
{
    json_t *root = text.n ? json_loadb((const char *)text.p, text.n, 0, NULL) : json_object();
    const char *name;
    json_t *value;
    int r = json_is_object(root) ? 0 : -ERR_SYNTAX;

    if (r == 0)
        json_object_foreach(root, name, value)
        {
            r = json_is_string(value) ? add_field(j, name, json_string_value(value)) : -ERR_SYNTAX;
            if (r < 0)
                break;
        }
    json_decref(root);
    return r;
}

static bool is_said(const struct origin_jsonp *j, struct slice name)
{
    for (size_t i = 0; i < j->request.n_fields; i++)
        if (slice_eq_nocase(j->fields[i].name, name))
            return true;
    return false;
}

/* Fields of the query first, then the client's of other names. */
static int make_fields(struct origin_jsonp *j, const struct exchange_request *rq,
                       struct slice headers)
{
    size_t n;
    const int r = read_headers(j, headers);

    n = j->request.n_fields;
    for (size_t i = 0; i < rq->n_fields && r == 0; i++)
        if (!is_said(j, rq->fields[i].name))
            j->fields[n++] = rq->fields[i];
    j->request.n_fields = n;
    j->request.fields = j->fields;
    return r;
}

static int make_request(struct origin_jsonp *j, const struct app_origin_route *r,
                        const struct exchange_request *rq)
{
    struct query q = {0};
    const struct slice path = read_query(r, rq->path, &q, &j->memory);

    j->callback = q.has_callback ? q.callback : slice_str(r->jsonp_defcb);
    if (!q.has_callback && !r->jsonp_defcb)
        return 0;
    j->request = *rq;
    j->request.n_fields = 0;
    j->request.path = j->request.target = path;
    j->request.method = q.method.n ? q.method : slice_str(r->jsonp_defmethod);
    j->content = q.body;
    if (q.has_body) {
        j->request.body = EXCHANGE_BODY_LENGTH;
        j->request.length = q.body.n;
    }
    if (!is_callback(j->callback) || !http1_is_token(j->request.method))
        return -ERR_SYNTAX;
    return make_fields(j, rq, q.headers) < 0 ? -ERR_SYNTAX : 1;
}

int origin_jsonp_read(const struct app_origin_route *route, const struct exchange_request *rq,
                      struct origin_jsonp *ret)
{
    int r;

    if (!slice_eq(rq->method, SLICE("GET")) || rq->body != EXCHANGE_BODY_NONE || rq->upgrade)
        return 0;
    if (slice_find(rq->path, '?') < 0 && !route->jsonp_defcb)
        return 0;
    *ret = (struct origin_jsonp){0};
    buf_init(&ret->memory, MEMORY_MAX);
    if (!buf_reserve(&ret->memory, 4 * rq->path.n + 64)) /* slices point in: it must not move */
        return -ERR_TOO_LARGE;
    ret->fields = mem_new((rq->n_fields + ORIGIN_JSONP_FIELDS) * sizeof(ret->fields[0]));
    r = make_request(ret, route, rq);
    if (r <= 0)
        origin_jsonp_done(ret);
    return r;
}

void origin_jsonp_done(struct origin_jsonp *j)
{
    mem_free(j->fields);
    buf_done(&j->memory);
    j->fields = NULL;
}

/* --- the script --- */

struct script {
    struct reply inner;
    const struct exchange_ops *ops;
    void *arg;
    char *callback;
    bool extended;
    uint16_t status;
    struct buf reason;
    struct buf head;
    struct buf body;
};

static void script_free(struct script *s)
{
    mem_free(s->callback);
    buf_done(&s->reason);
    buf_done(&s->head);
    buf_done(&s->body);
    mem_free(s);
}

static void on_body(void *arg, struct slice bytes, bool end)
{
    struct script *s = arg;

    s->ops->body(s->arg, bytes, end);
}

static void on_closed(void *arg, int err)
{
    struct script *s = arg;
    const struct exchange_ops *ops = s->ops;
    void *owner = s->arg;

    script_free(s);
    ops->closed(owner, err);
}

static const struct exchange_ops facts = {.body = on_body, .closed = on_closed};

static void script_attach(void *to, const struct exchange_ops *ops, void *arg)
{
    struct script *s = to;

    s->ops = ops;
    s->arg = arg;
    reply_attach(s->inner, &facts, s);
}

/* The request's body was in its query. */
static void script_pull(void *to, size_t n)
{
}

static int script_respond(void *to, const struct exchange_response *r)
{
    struct script *s = to;

    s->status = r->status;
    (void)buf_add(&s->reason, r->reason.n ? r->reason : slice_str(http1_reason(r->status)));
    if (r->body == EXCHANGE_BODY_LENGTH)
        (void)buf_addf(&s->head, "Content-Length: %" PRIu64 "\n", r->length);
    (void)buf_add(&s->head, r->fields);
    return 0;
}

static int script_send(void *to, struct slice bytes)
{
    struct script *s = to;

    return buf_add(&s->body, bytes);
}

static int script_share(void *to, struct blob *bytes, struct blob **chunked)
{
    return script_send(to, blob_slice(bytes));
}

static size_t script_pending(const void *to)
{
    return 0;
}

static void put_head(struct script *s, struct buf *out)
{
    struct slice rest = buf_slice(&s->head), key, value;
    bool is_first = true;

    (void)buf_addf(out, "{\"code\": %u, \"reason\": ", s->status);
    (void)enc_json(out, buf_slice(&s->reason));
    (void)buf_add(out, SLICE(", \"headers\": {"));
    while (fields_next(&rest, &key, &value)) {
        (void)buf_add(out, is_first ? SLICE_NONE : SLICE(","));
        (void)enc_json(out, key);
        (void)buf_add_byte(out, ':');
        (void)enc_json(out, value);
        is_first = false;
    }
    (void)buf_add(out, SLICE("}, \"body\": "));
}

static int put_script(struct script *s, struct buf *out)
{
    struct slice body = buf_slice(&s->body);

    /* Begins with a comment, so that no plugin takes it for a file of its own. */
    (void)buf_addf(out, "/**/%s(", s->callback);
    if (s->extended) {
        put_head(s, out);
        (void)enc_json(out, body);
        (void)buf_add_byte(out, '}');
    } else {
        (void)buf_add(out, slice_ends(body, SLICE("\n")) ? slice_sub(body, 0, body.n - 1) : body);
    }
    return buf_add(out, SLICE(");\n"));
}

static void script_end(void *to)
{
    struct script *s = to;
    const struct reply inner = s->inner;
    CLEANUP(buf_done) struct buf out = {.max = SCRIPT_MAX};
    const int r = put_script(s, &out);

    script_free(s);
    if (r < 0)
        reply_text(inner, 502, slice_str(err_text(-r)));
    else
        reply_answer(inner, 200, SLICE("Content-Type: application/javascript\n"), buf_slice(&out));
}

static void script_abort(void *to)
{
    struct script *s = to;
    const struct reply inner = s->inner;

    script_free(s);
    reply_abort(inner);
}

static const struct reply_kind kind = {
    .attach = script_attach,
    .pull = script_pull,
    .respond = script_respond,
    .send = script_send,
    .share = script_share,
    .pending = script_pending,
    .end = script_end,
    .abort = script_abort,
};

struct reply origin_jsonp_reply(const struct app_origin_route *route, struct slice callback,
                                struct reply take_reply)
{
    struct script *s = mem_new(sizeof(*s));

    s->inner = take_reply;
    s->callback = slice_dup(callback);
    s->extended = route->jsonp_mode == APP_JSONP_EXTENDED;
    buf_init(&s->reason, 1024);
    buf_init(&s->head, 256 << 10);
    buf_init(&s->body, ORIGIN_JSONP_BODY);
    return (struct reply){&kind, s};
}
