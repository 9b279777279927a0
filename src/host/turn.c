/*
 * A turn: one frame, one call of the hook with its fields, microtasks to their end.
 *
 * Each row of ipc.def that goes TO_WORKER has a function here; an event (a frame with a seq) is
 * noted in the pulse page before it begins, so that the gateway knows what a worker that died was
 * doing.
 */
#include "host/host_int.h"
#include "js/native.h"
#include "js/value.h"

/* --- entering and leaving --- */

static void begin(struct host *h, uint64_t seq)
{
    h->actor = 0;
    pulse_turn_begin(h->pulse, seq);
    js_enter(h->vm);
}

/* An event of this link: the gateway may count on begun[] growing in order. */
static void begin_event(struct host *h, struct endpoint *e, uint64_t seq)
{
    e->last_seq = seq;
    h->begun++;
    atomic_store_explicit(&h->pulse->begun[e->link], seq, memory_order_relaxed);
    begin(h, seq);
}

/* A hook catches what applications throw; what gets here is our own bug, and is said. */
static void complain(struct host *h, struct js_error *err)
{
    struct buf text;

    buf_init(&text, 64 << 10);
    (void)buf_addf(&text, "%.4096s\n%.32768s", err->message, err->stack ? err->stack : "");
    (void)buf_add_byte(&text, '\0');
    host__log(h, 3, (const char *)text.p);
    buf_done(&text);
    js_error_done(err);
}

static JSValueRef end(struct host *h, const struct js_ref *hook, size_t n, const JSValueRef *args)
{
    struct js_error err = {0};
    JSValueRef value = NULL;
    const int r = js_call(h->vm, hook->v, n, args, &value, &err);
    const int left = js_leave(h->vm);
    const uint64_t event = atomic_load_explicit(&h->pulse->event, memory_order_relaxed);

    pulse_turn_end(h->pulse);
    if (r == -ERR_WORKER_CPU || left == -ERR_WORKER_CPU) {
        if (!h->overran)
            h->guilty = event;
        h->overran = true;
        js_error_done(&err);
        return NULL;
    }
    if (r < 0) {
        complain(h, &err);
        return NULL;
    }
    return value;
}

JSValueRef host__call(struct host *h, const struct js_ref *hook)
{
    begin(h, 0);
    return end(h, hook, 0, NULL);
}

void host__commit_failed(struct host *h, uint32_t actor, const char *text)
{
    begin(h, 0);
    JSContextRef cx = js_cx(h->vm);
    JSValueRef args[] = {js_number(cx, actor), js_string(cx, slice_str(text))};

    end(h, &h->hooks.commitFailed, COUNT_OF(args), args);
}

void host__overran(struct host *h, const char *where)
{
    begin(h, 0);
    JSValueRef args[] = {js_string(js_cx(h->vm), slice_str(where))};

    end(h, &h->hooks.overran, COUNT_OF(args), args);
}

/* --- one function a row --- */

#define ROW(lower)                                                                                 \
    struct ipc_##lower m;                                                                          \
    JSContextRef cx = js_cx(h->vm);                                                                \
    if (ipc_get_##lower(f, &m) < 0)                                                                \
        return -ERR_IPC_FRAME;                                                                     \
    (void)cx;

#define NUM(v) js_number(cx, (double)(v))
#define TEXT(s) js_string(cx, s)
#define CALL(hook, ...)                                                                            \
    do {                                                                                           \
        JSValueRef args_[] = {__VA_ARGS__};                                                        \
        end(h, &h->hooks.hook, COUNT_OF(args_), args_);                                            \
    } while (0)

static int on_start(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(start)
    begin(h, 0);
    CALL(start, TEXT(m.config), TEXT(m.map), TEXT(m.script));
    return 0;
}

static int on_drain(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(drain)
    if (++h->drains < h->o->links && !(f->flags & IPC_DRAIN_NOW))
        return 0; /* every edge says it; events of the others may still come */
    begin(h, 0);
    CALL(drain, NUM(m.deadline_ms), js_bool(cx, f->flags & IPC_DRAIN_NOW));
    return 0;
}

static int on_request(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(request)
    begin_event(h, e, m.seq);
    CALL(request, NUM(f->id), NUM(m.seq), NUM(m.hold), NUM(m.body), NUM(m.length), TEXT(m.cf),
         js_latin1(cx, m.head));
    return 0;
}

static int on_response(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(response)
    begin(h, 0);
    CALL(response, NUM(f->id), NUM(m.status), NUM(m.hold), NUM(m.body), NUM(m.length),
         js_latin1(cx, m.reason), TEXT(m.url), js_latin1(cx, m.head));
    return 0;
}

static int on_fail(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(fail)
    begin(h, 0);
    CALL(fail, NUM(f->id), NUM(m.status), TEXT(m.text));
    return 0;
}

static int on_body(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(body)
    begin(h, 0);
    CALL(body, NUM(f->id), js_bytes(cx, m.bytes), js_bool(cx, f->flags & IPC_END));
    return 0;
}

static int on_body_abort(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(body_abort)
    begin(h, 0);
    CALL(bodyAbort, NUM(f->id), TEXT(m.text));
    return 0;
}

static int on_credit(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(credit)
    begin(h, 0);
    CALL(credit, NUM(f->id), NUM(m.bytes));
    return 0;
}

static int on_cancel(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(cancel)
    begin(h, 0);
    CALL(cancel, NUM(f->id));
    return 0;
}

static int on_ws_message(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(ws_message)
    begin_event(h, e, m.seq);
    CALL(wsMessage, NUM(f->id), NUM(m.seq),
         f->flags & IPC_BINARY ? js_buffer(cx, m.bytes) : TEXT(m.bytes));
    return 0;
}

static int on_ws_closed(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(ws_closed)
    begin_event(h, e, m.seq);
    CALL(wsClosed, NUM(f->id), NUM(m.seq), NUM(m.code), js_bool(cx, m.clean), TEXT(m.reason));
    return 0;
}

static int on_ws_error(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(ws_error)
    begin_event(h, e, m.seq);
    CALL(wsError, NUM(f->id), NUM(m.seq), NUM(m.code), TEXT(m.text));
    return 0;
}

static int on_ws_auto(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(ws_auto)
    begin(h, 0);
    CALL(wsAuto, NUM(f->id), NUM(m.wall_ms));
    return 0;
}

static int on_ws_owner(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(ws_owner)
    begin(h, 0);
    CALL(wsOwner, NUM(f->id), TEXT(m.actor), TEXT(m.name));
    return 0;
}

static int on_alarm(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    ROW(alarm)
    begin_event(h, e, m.seq);
    CALL(alarm, NUM(m.seq), NUM(m.wall_ms), TEXT(m.actor), TEXT(m.name));
    return 0;
}

/* --- restoring: one answer of each link --- */

/* Tags of an actor's socket; the gateway keeps ten at most. */
enum { TAGS_MAX = 64 };

static int tags_of(JSContextRef cx, struct slice list, JSValueRef *ret)
{
    JSValueRef tags[TAGS_MAX];
    struct slice tag;
    size_t n = 0;
    int r;

    while ((r = ipc_list_next(&list, &tag)) > 0 && n < TAGS_MAX)
        tags[n++] = js_string(cx, tag);
    if (r != 0)
        return -ERR_IPC_FRAME;
    *ret = js_array(cx, n, tags);
    return 0;
}

static int on_restore(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    JSValueRef tags;
    ROW(restore)

    if (tags_of(cx, m.tags, &tags) < 0)
        return -ERR_IPC_FRAME;
    begin(h, 0);
    CALL(restore, NUM(m.token), NUM(f->id), NUM(m.closing), NUM(m.since), NUM(m.auto_ms),
         TEXT(m.name), tags, TEXT(m.url), TEXT(m.protocol), js_bytes(cx, m.attachment));
    return 0;
}

static struct host_restore *restore_of(struct host *h, uint32_t token)
{
    for (size_t i = 0; i < h->n_restores; i++)
        if (h->restores[i].token == token)
            return &h->restores[i];
    if (h->n_restores == h->cap_restores) {
        h->cap_restores = MAX(h->cap_restores * 2, 16);
        h->restores = mem_grow(h->restores, h->cap_restores * sizeof(*h->restores));
    }
    h->restores[h->n_restores] = (struct host_restore){token, h->o->links};
    return &h->restores[h->n_restores++];
}

static int on_restored(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    struct host_restore *r;
    ROW(restored)

    r = restore_of(h, m.token);
    if (--r->left > 0)
        return 0;
    *r = h->restores[--h->n_restores];
    begin(h, 0);
    CALL(restored, NUM(m.token), m.has_auto ? TEXT(m.auto_request) : js_null(cx),
         TEXT(m.auto_response));
    return 0;
}

/* --- dispatch --- */

int host__turn(struct host *h, struct endpoint *e, const struct ipc_frame *f)
{
    switch (f->type) {
    case IPC_START:
        return on_start(h, e, f);
    case IPC_DRAIN:
        return on_drain(h, e, f);
    case IPC_REQUEST:
        return on_request(h, e, f);
    case IPC_RESPONSE:
        return on_response(h, e, f);
    case IPC_FAIL:
        return on_fail(h, e, f);
    case IPC_BODY:
        return on_body(h, e, f);
    case IPC_BODY_ABORT:
        return on_body_abort(h, e, f);
    case IPC_CREDIT:
        return on_credit(h, e, f);
    case IPC_CANCEL:
        return on_cancel(h, e, f);
    case IPC_WS_MESSAGE:
        return on_ws_message(h, e, f);
    case IPC_WS_CLOSED:
        return on_ws_closed(h, e, f);
    case IPC_WS_ERROR:
        return on_ws_error(h, e, f);
    case IPC_WS_AUTO:
        return on_ws_auto(h, e, f);
    case IPC_WS_OWNER:
        return on_ws_owner(h, e, f);
    case IPC_RESTORE:
        return on_restore(h, e, f);
    case IPC_RESTORED:
        return on_restored(h, e, f);
    case IPC_ALARM:
        return on_alarm(h, e, f);
    }
    return -ERR_IPC_FRAME;
}
