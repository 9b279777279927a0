#include "edge/control.h"

#include <assert.h>
#include <stdio.h>

#include "conn/exchange.h"
#include "edge/census.h"
#include "edge/edge_int.h"
#include "edge/publish_auth.h"
#include "edge/relay.h"
#include "edge/target.h"
#include "wire/grip_item.h"

enum { PULL = 64 << 10 };

struct control {
    struct edge *edge;
    struct publishers *publishers;
    uint32_t head_bytes, body_bytes;
};

/* A publish request whose body is on its way. */
struct request {
    struct control *control;
    struct exchange *x;
    struct buf body;
    bool json; /* the form of the good answer */
};

#define TEXT SLICE("text/plain")

/* --- answers --- */

static void answer(struct exchange *x, uint16_t status, const char *fields, struct slice body)
{
    char all[256];
    const int n = snprintf(all, sizeof(all), "%sContent-Type: text/plain\n", fields);
    const struct exchange_response r = {
        .status = status,
        .fields = slice_make(all, (size_t)n),
        .body = EXCHANGE_BODY_LENGTH,
        .length = body.n,
    };

    assert(n > 0 && (size_t)n < sizeof(all));
    if (exchange_respond(x, &r) < 0 || exchange_send(x, body) < 0)
        exchange_abort(x);
    else
        exchange_end(x);
}

static void say(struct exchange *x, uint16_t status, struct slice text)
{
    answer(x, status, "", text);
}

static void say_done(struct exchange *x, bool json, const char *word)
{
    char text[64];
    const int n = snprintf(text, sizeof(text), json ? "{\"message\":\"%s\"}\n" : "%s\n", word);

    exchange_answer(x, 200, json ? SLICE("application/json") : TEXT, slice_make(text, (size_t)n));
}

static void say_bad_method(struct exchange *x, const char *allow)
{
    const struct slice method = exchange_request(x)->method;
    char fields[64];
    struct buf text;

    (void)snprintf(fields, sizeof(fields), "Allow: %s\n", allow);

    buf_init(&text, 1 << 17);
    (void)buf_addf(&text, "Method not allowed: %.*s.\n", SLICE_FMT(method));
    answer(x, 405, fields, buf_slice(&text));
    buf_done(&text);
}

static void say_who(struct exchange *x)
{
    answer(x, 401,
           "WWW-Authenticate: Bearer realm=\"publish\"\n"
           "WWW-Authenticate: Basic realm=\"publish\"\n",
           SLICE("Not authorized.\n"));
}

/* --- what is asked for --- */

/* The last one that we know decides, whatever its weight. */
static bool find_form(const struct exchange *x, bool *ret_json)
{
    const struct slice *accept = exchange_find(x, SLICE("Accept"));
    struct slice list = accept ? *accept : SLICE("*/*"), type;
    bool found = false;

    while (slice_split(&list, ',', &type)) {
        struct slice name = SLICE_NONE;

        (void)slice_split(&type, ';', &name);
        name = slice_trim(name);
        if (slice_eq_nocase(name, TEXT) || slice_eq_nocase(name, SLICE("text/*")) ||
            slice_eq(name, SLICE("*/*"))) {
            *ret_json = false;
            found = true;
        } else if (slice_eq_nocase(name, SLICE("application/json")) ||
                   slice_eq_nocase(name, SLICE("application/*"))) {
            *ret_json = true;
            found = true;
        }
    }
    return found;
}

static size_t head_bytes(const struct exchange_request *rq)
{
    size_t n = rq->method.n + rq->target.n + sizeof("  HTTP/1.1\r\n\r\n") - 1;

    for (size_t i = 0; i < rq->n_fields; i++)
        n += rq->fields[i].name.n + rq->fields[i].value.n + sizeof(": \r\n") - 1;
    return n;
}

/* A page that a browser shows may be anybody's; where nothing else protects the door, it is not
 * let in. */
static bool is_foreign_page(const struct control *c, const struct exchange *x)
{
    const struct slice *site = exchange_find(x, SLICE("Sec-Fetch-Site"));

    return site && !slice_eq(*site, SLICE("same-origin")) && !slice_eq(*site, SLICE("none")) &&
           publishers_is_open(c->publishers);
}

/* False: it was answered. */
static bool is_permitted(const struct control *c, struct exchange *x)
{
    if (head_bytes(exchange_request(x)) > c->head_bytes) {
        say(x, 400, SLICE("Request header too large.\n"));
        return false;
    }
    if (is_foreign_page(c, x)) {
        say(x, 403, SLICE("Pages of other sites may not publish.\n"));
        return false;
    }
    if (!publishers_is_open(c->publishers) &&
        !publishers_has(c->publishers, x, loop_wall(c->edge->loop) / 1000)) {
        c->edge->stats.publish_denied++;
        say_who(x);
        return false;
    }
    return true;
}

static bool is_acceptable(struct exchange *x, bool *ret_json)
{
    if (find_form(x, ret_json))
        return true;
    say(x, 406, SLICE("Not Acceptable. Supported formats are text/plain and application/json.\n"));
    return false;
}

/* --- publishing --- */

static void end_request(struct request *r)
{
    buf_done(&r->body);
    mem_free(r);
}

static void say_bad_items(struct exchange *x, const struct err_note *note)
{
    char text[sizeof(note->text) + 1];
    const int n = snprintf(text, sizeof(text), "%s\n", note->text);

    say(x, 400, slice_make(text, (size_t)n));
}

static void publish(struct control *c, struct exchange *x, struct slice body, bool json)
{
    struct grip_items items = {0};
    struct err_note note = {0};

    if (grip_items_parse(body, &items, &note) < 0) {
        c->edge->stats.publish_bad++;
        say_bad_items(x, &note);
        return;
    }
    if (relay_publish(c->edge, &items) < 0)
        answer(x, 503, "Retry-After: 1\n", SLICE("Too many items wait for delivery.\n"));
    else
        say_done(x, json, "Published");
    grip_items_done(&items);
}

static void on_body(void *arg, struct slice bytes, bool end)
{
    struct request *r = arg;

    if (buf_add(&r->body, bytes) < 0) {
        r->control->edge->stats.publish_bad++;
        say(r->x, 400, SLICE("Request body too large.\n"));
        end_request(r);
        return;
    }
    if (!end) {
        exchange_pull(r->x, PULL);
        return;
    }
    publish(r->control, r->x, buf_slice(&r->body), r->json);
    end_request(r);
}

static void on_closed(void *arg, int err)
{
    end_request(arg);
}

static const struct exchange_ops facts = {.body = on_body, .closed = on_closed};

static void begin_publish(struct control *c, struct exchange *x)
{
    const struct exchange_request *rq = exchange_request(x);
    struct request *r;
    bool json;

    if (!is_acceptable(x, &json))
        return;
    if (rq->body == EXCHANGE_BODY_NONE) {
        publish(c, x, SLICE_NONE, json);
        return;
    }
    if (rq->body == EXCHANGE_BODY_LENGTH && rq->length > c->body_bytes) {
        c->edge->stats.publish_bad++;
        say(x, 400, SLICE("Request body too large.\n"));
        return;
    }
    r = mem_new(sizeof(*r));
    *r = (struct request){.control = c, .x = x, .json = json};
    buf_init(&r->body, c->body_bytes);
    exchange_attach(x, &facts, r);
    exchange_pull(x, PULL);
}

static void recover(struct control *c, struct exchange *x)
{
    bool json;

    if (!is_acceptable(x, &json))
        return;
    relay_recover(c->edge);
    say_done(x, json, "Updated");
}

static void list_channels(struct control *c, struct exchange *x)
{
    census_answer(c->edge, x);
}

static void greet(struct control *c, struct exchange *x)
{
    say(x, 200, SLICE("Pushpin API\n"));
}

/* --- paths --- */

struct verb {
    const char *path;
    const char *method; /* NULL: any */
    void (*run)(struct control *c, struct exchange *x);
    bool is_open; /* to everyone */
};

static const struct verb verbs[] = {
    {"", NULL, greet, true},
    {"/publish", "POST", begin_publish, false},
    {"/recover", "POST", recover, false},
    {"/channels", "GET", list_channels, false},
};

/* "/service/ID/publish" is "/publish". Without the query and one slash at the end. */
static struct slice verb_path(struct slice target)
{
    struct slice path = target_path(target), rest = path, part;
    const ptrdiff_t query = slice_find(path, '?');

    if (query >= 0)
        rest = path = slice_sub(path, 0, (size_t)query);
    if (slice_ends(path, SLICE("/")))
        rest = path = slice_sub(path, 0, path.n - 1);
    if (slice_starts(path, SLICE("/service/"))) {
        (void)slice_take(&rest, sizeof("/service/") - 1);
        if (slice_split(&rest, '/', &part) && part.n && slice_eq(rest, SLICE("publish")))
            return SLICE("/publish");
    }
    return path;
}

static const struct verb *find_verb(struct slice path)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (slice_eq(path, slice_str(verbs[i].path)))
            return &verbs[i];
    return NULL;
}

bool control_answer(struct control *c, struct exchange *x)
{
    const struct exchange_request *rq = exchange_request(x);
    const struct verb *v = find_verb(verb_path(rq->target));

    if (!v)
        return false;
    c->edge->stats.requests_other++;
    if (!v->is_open && !is_permitted(c, x))
        return true;
    if (v->method && !slice_eq(rq->method, slice_str(v->method)))
        say_bad_method(x, v->method);
    else
        v->run(c, x);
    return true;
}

/* --- life --- */

struct control *control_new(struct edge *e, const struct grip_options *o, struct err_note *note)
{
    struct control *c = mem_new(sizeof(*c));

    c->edge = e;
    c->head_bytes = o->control_headers ? o->control_headers : 10000;
    c->body_bytes = o->control_body ? o->control_body : 1000000;
    c->publishers = publishers_new(&o->auth, note);
    if (!c->publishers) {
        mem_free(c);
        return NULL;
    }
    return c;
}

void control_free(struct control *c)
{
    if (!c)
        return;
    publishers_free(c->publishers);
    mem_free(c);
}
