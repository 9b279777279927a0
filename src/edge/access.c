#include "edge/access.h"

#include "conn/exchange.h"
#include "conn/websocket.h"
#include "edge/client.h"
#include "edge/edge_int.h"
#include "edge/hold.h"
#include "edge/target.h"
#include "io/log_file.h"
#include "io/stream.h"

enum { CLIENT_LEFT = 499, TEXT_MAX = LOG_TEXT_MAX /* more is not shown */ };

/* What a WebSocket's line needs beside its hold; only while the log is on. */
struct visit {
    const struct stream *stream;
    int64_t since_ms;
    uint64_t bytes[2]; /* out, in */
    uint64_t messages[2];
    uint16_t lengths[4]; /* of the texts: client, target, referer, agent */
    uint8_t texts[];
};

struct access {
    struct edge *edge;
    struct log_file *file;
    struct log log;
    struct visit *arriving; /* of the exchange that became a WebSocket just now */
};

struct access *access_open(struct edge *e, const char *path, struct err_note *note)
{
    struct log_file *file = log_file_open(e->loop, path, note);
    struct access *a;

    if (!file)
        return NULL;
    a = mem_new(sizeof(*a));
    a->edge = e;
    a->file = file;
    a->log = log_file_log(file, e->log.form);
    return a;
}

uint64_t access_lost(const struct access *a)
{
    return log_file_lost(a->file);
}

void access_close(struct access *a)
{
    if (!a)
        return;
    mem_free(a->arriving);
    log_file_close(a->file);
    mem_free(a);
}

/* --- requests --- */

static struct slice field(const struct exchange *x, struct slice name)
{
    const struct slice *value = exchange_find(x, name);

    return value ? *value : SLICE_NONE;
}

static struct slice client_of(const struct access *a, const struct exchange *x,
                              char text[CLIENT_TEXT])
{
    return client_find(&a->edge->trusted, exchange_peer(x), exchange_request(x), text);
}

static struct slice app_of(const struct access *a, const struct exchange *x)
{
    const struct exchange_request *rq = exchange_request(x);
    const int app = router_find(&a->edge->router, rq->host, target_path(rq->target));

    return app < 0 ? SLICE("-") : app_name(a->edge->apps[app]);
}

/* Fields that are not there are left out. */
static void finish(const struct access *a, const char *event, struct log_field *fields, size_t n,
                   struct slice referer, struct slice agent)
{
    if (referer.n)
        fields[n++] = F_TEXT("referer", referer);
    if (agent.n)
        fields[n++] = F_TEXT("agent", agent);
    fields[n] = (struct log_field){0};
    log_write(&a->log, LOG_INFO, event, fields);
}

static struct visit *visit_new(const struct access *a, const struct exchange *x);

void access_request(struct access *a, const struct exchange *x)
{
    const struct exchange_request *rq = exchange_request(x);
    const struct exchange_account done = exchange_account(x);
    char text[CLIENT_TEXT];
    struct log_field fields[12] = {
        F_TEXT("app", app_of(a, x)),
        F_TEXT("client", client_of(a, x, text)),
        F_TEXT("method", rq->method),
        F_TEXT("target", rq->target),
        F_UINT("status", done.status ? done.status : CLIENT_LEFT),
        F_UINT("bytes", done.bytes),
        F_MS("ms", done.ms),
        F_BOOL("cut", true),
    };

    if (done.status == 101) {
        mem_free(a->arriving);
        a->arriving = visit_new(a, x);
        return;
    }
    finish(a, "request", fields, done.is_whole ? 7 : 8, field(x, SLICE("Referer")),
           field(x, SLICE("User-Agent")));
}

void access_refused(struct access *a, const struct stream *s, int err)
{
    char address[64];

    log_event(&a->log, LOG_INFO, "request", F_TEXT("client", stream_peer(s, address, NULL)),
              F_UINT("status", (unsigned)err_status(err)), F_ERR("error", err));
}

/* --- WebSockets --- */

static struct visit *visit_new(const struct access *a, const struct exchange *x)
{
    char text[CLIENT_TEXT];
    const struct slice texts[] = {client_of(a, x, text), exchange_request(x)->target,
                                  field(x, SLICE("Referer")), field(x, SLICE("User-Agent"))};
    struct visit *v;
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        n += MIN(texts[i].n, (size_t)TEXT_MAX);
    v = mem_new(sizeof(*v) + n);
    v->stream = exchange_stream(x);
    v->since_ms = loop_now(a->edge->loop);
    n = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        v->lengths[i] = (uint16_t)MIN(texts[i].n, (size_t)TEXT_MAX);
        if (v->lengths[i])
            memcpy(v->texts + n, texts[i].p, v->lengths[i]);
        n += v->lengths[i];
    }
    return v;
}

void access_enter(struct access *a, struct hold *h)
{
    if (!a || !a->arriving || a->arriving->stream != websocket_stream(h->transport))
        return;
    h->visit = a->arriving;
    a->arriving = NULL;
}

void access_count(struct visit *v, bool in, size_t bytes)
{
    v->messages[in]++;
    v->bytes[in] += bytes;
}

void access_leave(struct hold *h, uint16_t code)
{
    const struct access *a = h->app->edge->access;
    struct visit *v = h->visit;
    struct slice texts[4];
    const uint8_t *p;

    if (!v)
        return;
    p = v->texts;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        texts[i] = slice_make(p, v->lengths[i]);
        p += v->lengths[i];
    }
    finish(a, "socket",
           (struct log_field[12]){
               F_TEXT("app", app_name(h->app)),
               F_TEXT("client", texts[0]),
               F_TEXT("target", texts[1]),
               F_UINT("code", code),
               F_UINT("bytes", v->bytes[0]),
               F_UINT("received", v->bytes[1]),
               F_UINT("messages_out", v->messages[0]),
               F_UINT("messages_in", v->messages[1]),
               F_MS("ms", loop_now(a->edge->loop) - v->since_ms),
           },
           9, texts[2], texts[3]);
    h->visit = NULL;
    mem_free(v);
}
