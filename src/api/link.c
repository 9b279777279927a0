/*
 * native.link: frames to the gateway, one function a row of wire/ipc.def that goes TO_GATEWAY, with
 * the fields in their order (the id first, flags where they read best). Strings are text (UTF-8)
 * but for `head`, which is Latin-1.
 */
#include <assert.h>

#include "api/api.h"
#include "api/modules.h"
#include "wire/ipc.h"

/* Actors' tags: ten of 256 bytes, with room. */
enum { TAGS_MAX = 64 };

/* --- arguments --- */

static struct api *api_of(const struct js_args *a)
{
    return a->state;
}

/* Argument i as an id or as 0, and the link it names; NULL after throwing. */
static struct buf *frame_for(const struct js_args *a, size_t i, uint64_t *ret_id)
{
    struct buf *out;

    if (!js_arg_u64(a, i, ret_id))
        return NULL;
    out = api_of(a)->ops->frame(api_of(a)->host, *ret_id);
    if (!out)
        js_throw(a, "RangeError", "there is no link for id %llu", (unsigned long long)*ret_id);
    return out;
}

static struct buf *first_link(const struct js_args *a)
{
    return api_of(a)->ops->frame(api_of(a)->host, 0);
}

static struct buf *link_at(const struct js_args *a, unsigned link)
{
    return api_of(a)->ops->frame(api_of(a)->host, (uint64_t)link << IPC_EDGE_SHIFT);
}

/* What ipc_put_x said. */
static JSValueRef put(const struct js_args *a, int r)
{
    return r < 0 ? js_throw_err(a, r, NULL) : NULL;
}

static bool head_of(const struct js_args *a, size_t i, struct slice *ret)
{
    struct buf *b = &api_of(a)->scratch;

    buf_clear(b);
    if (js_latin1_add(a->cx, a->v[i], b) < 0) {
        js_throw(a, "TypeError", "the head is not a string that fits a frame");
        return false;
    }
    *ret = buf_slice(b);
    return true;
}

/* A string's text or an array's bytes. *ret borrows from t or from the array. */
static bool data_of(const struct js_args *a, size_t i, struct js_text *t, struct slice *ret,
                    bool *ret_binary)
{
    struct span bytes;

    *ret_binary = !JSValueIsString(a->cx, a->v[i]);
    if (!*ret_binary) {
        if (!js_arg_text(a, i, t))
            return false;
        *ret = t->s;
        return true;
    }
    if (!js_arg_bytes(a, i, &bytes))
        return false;
    *ret = span_slice(bytes);
    return true;
}

/* An array of strings as a LIST field. */
static bool list_of(const struct js_args *a, size_t i, struct slice *ret)
{
    struct buf *list = &api_of(a)->list;
    JSValueRef length = js_get(a->cx, a->v[i], "length");
    const double n = length ? JSValueToNumber(a->cx, length, NULL) : -1;

    buf_clear(list);
    if (!(n >= 0 && n <= TAGS_MAX)) {
        js_throw(a, "TypeError", "expected an array of at most %d strings", TAGS_MAX);
        return false;
    }
    for (unsigned k = 0; k < (unsigned)n; k++) {
        CLEANUP(js_text_done) struct js_text t = {0};
        JSValueRef item = JSObjectGetPropertyAtIndex(a->cx, (JSObjectRef)a->v[i], k, NULL);

        if (!js_text_get(a->cx, item, &t) || ipc_list_add(list, t.s) < 0) {
            js_throw(a, "TypeError", "expected an array of strings");
            return false;
        }
    }
    *ret = buf_slice(list);
    return true;
}

/* --- what JavaScript leaves in memory --- */

void api_share(struct api *api, JSObjectRef native)
{
    JSContextRef cx = js_cx(api->vm);

    js_set(cx, native, "acks", js_doubles(cx, api->acks, COUNT_OF(api->acks)));
    js_set(cx, native, "holds", js_doubles(cx, api->holds, COUNT_OF(api->holds)));
}

void api_take_acks(struct api *api)
{
    const size_t n = MIN((size_t)api->acks[0], COUNT_OF(api->acks) - 1);

    api->acks[0] = 0;
    for (size_t i = 1; i <= n; i++)
        api->ops->ack(api->host, (uint64_t)api->acks[i]);
}

/* --- exchanges --- */

/* response(id, status, hold, bodyKind, length, reason, head) */
static JSValueRef response(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text reason = {0};
    struct ipc_response m = {0};
    uint64_t id;
    uint32_t status, body;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &status) || !js_arg_u64(a, 2, &m.hold) ||
        !js_arg_u32(a, 3, &body) || !js_arg_u64(a, 4, &m.length) || !js_arg_text(a, 5, &reason) ||
        !head_of(a, 6, &m.head))
        return NULL;
    m.status = (uint16_t)status;
    m.body = (uint8_t)body;
    m.reason = reason.s;
    return put(a, ipc_put_response(out, id, 0, &m));
}

/*
 * respond(id, status, reason, head, body): a response with its whole body, a string or bytes.
 * false, and nothing is written, when the body is larger than a window: then it is response() and
 * body()s.
 */
static JSValueRef respond(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text reason = {0};
    CLEANUP(js_text_done) struct js_text text = {0};
    struct ipc_response m = {.body = IPC_BODY_LENGTH};
    struct ipc_body whole = {0};
    uint64_t id;
    uint32_t status;
    bool binary;
    struct buf *out = frame_for(a, 0, &id);
    int r;

    if (!out || !js_arg_u32(a, 1, &status) || !js_arg_text(a, 2, &reason) ||
        !head_of(a, 3, &m.head) || !data_of(a, 4, &text, &whole.bytes, &binary))
        return NULL;
    if (whole.bytes.n > IPC_BODY_WINDOW)
        return js_bool(a->cx, false);
    m.status = (uint16_t)status;
    m.length = whole.bytes.n;
    m.reason = reason.s;
    r = ipc_put_response(out, id, 0, &m);
    if (r >= 0)
        r = ipc_put_body(out, id, IPC_END, &whole);
    put(a, r);
    return js_bool(a->cx, true);
}

/* handoff(id, kind, backend, head) */
static JSValueRef handoff(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text backend = {0};
    struct ipc_handoff m = {0};
    uint64_t id;
    uint32_t kind;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &kind) || !js_arg_text(a, 2, &backend) || !head_of(a, 3, &m.head))
        return NULL;
    m.kind = (uint8_t)kind;
    m.backend = backend.s;
    return put(a, ipc_put_handoff(out, id, 0, &m));
}

/* fail(id, status, text) */
static JSValueRef fail(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};
    struct ipc_fail m = {.error = ERR_SCRIPT};
    uint64_t id;
    uint32_t status;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &status) || !js_arg_text(a, 2, &text))
        return NULL;
    m.status = (uint16_t)status;
    m.text = text.s;
    return put(a, ipc_put_fail(out, id, 0, &m));
}

/* body(id, bytes or string, end) */
static JSValueRef body(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};
    struct ipc_body m = {0};
    uint64_t id;
    bool binary;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !data_of(a, 1, &text, &m.bytes, &binary))
        return NULL;
    return put(a, ipc_put_body(out, id, js_arg_bool(a, 2) ? IPC_END : 0, &m));
}

/* bodyAbort(id, text) */
static JSValueRef body_abort(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};
    struct ipc_body_abort m = {.error = ERR_SCRIPT};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_text(a, 1, &text))
        return NULL;
    m.text = text.s;
    return put(a, ipc_put_body_abort(out, id, 0, &m));
}

/* credit(id, bytes) */
static JSValueRef credit(const struct js_args *a)
{
    struct ipc_credit m = {0};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &m.bytes))
        return NULL;
    return put(a, ipc_put_credit(out, id, 0, &m));
}

/* cancel(id) */
static JSValueRef cancel(const struct js_args *a)
{
    const struct ipc_cancel m = {.error = ERR_CLOSED};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    return out ? put(a, ipc_put_cancel(out, id, 0, &m)) : NULL;
}

/* fetch(id, redirect, upgrade, bodyKind, length, service, head) */
static JSValueRef fetch(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text service = {0};
    struct ipc_fetch m = {0};
    uint64_t id;
    uint32_t redirect, kind;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &redirect) || !js_arg_u32(a, 3, &kind) ||
        !js_arg_u64(a, 4, &m.length) || !js_arg_text(a, 5, &service) || !head_of(a, 6, &m.head))
        return NULL;
    m.redirect = (uint8_t)redirect;
    m.body = (uint8_t)kind;
    m.service = service.s;
    return put(a, ipc_put_fetch(out, id, js_arg_bool(a, 2) ? IPC_UPGRADE : 0, &m));
}

/* --- WebSockets --- */

/* wsAccept(hold, hibernate, halfOpen, actor, name, tags) */
static JSValueRef ws_accept(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text actor = {0};
    CLEANUP(js_text_done) struct js_text name = {0};
    struct ipc_ws_accept m = {0};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_text(a, 3, &actor) || !js_arg_text(a, 4, &name) || !list_of(a, 5, &m.tags))
        return NULL;
    m.half_open = js_arg_bool(a, 2);
    m.actor = actor.s;
    m.name = name.s;
    return put(a, ipc_put_ws_accept(out, id, js_arg_bool(a, 1) ? IPC_HIBERNATE : 0, &m));
}

/* Those of n holds that belong to a link, as packed u64; they become 0. */
static struct slice holds_of_link(double *holds, size_t n, unsigned link, struct buf *out)
{
    uint8_t *p;

    buf_clear(out);
    p = buf_reserve(out, n * sizeof(uint64_t));
    for (size_t i = 0; p && i < n; i++) {
        const uint64_t id = (uint64_t)holds[i];

        if (id == 0 || id >> IPC_EDGE_SHIFT != link)
            continue;
        memcpy(p + out->n, &id, sizeof(id));
        buf_commit(out, sizeof(id));
        holds[i] = 0;
    }
    return buf_slice(out);
}

/* wsSend(data, n): to the first n of native.holds, which become 0. */
static JSValueRef ws_send(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};
    struct api *api = api_of(a);
    struct ipc_ws_send m = {0};
    uint32_t n;
    bool binary;
    int r = 0;

    if (!data_of(a, 0, &text, &m.bytes, &binary) || !js_arg_u32(a, 1, &n))
        return NULL;
    n = MIN(n, COUNT_OF(api->holds));
    for (unsigned link = 0; link < api->facts.links && r >= 0; link++) {
        m.holds = holds_of_link(api->holds, n, link, &api->list);
        if (m.holds.n)
            r = ipc_put_ws_send(link_at(a, link), 0, binary ? IPC_BINARY : 0, &m);
    }
    return put(a, r);
}

/* wsClose(hold, code, reason) */
static JSValueRef ws_close(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text reason = {0};
    struct ipc_ws_close m = {0};
    uint64_t id;
    uint32_t code;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u32(a, 1, &code) || !js_arg_text(a, 2, &reason))
        return NULL;
    m.code = (uint16_t)code;
    m.reason = reason.s;
    return put(a, ipc_put_ws_close(out, id, 0, &m));
}

/* wsTerminate(hold) */
static JSValueRef ws_terminate(const struct js_args *a)
{
    const struct ipc_ws_terminate m = {0};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    return out ? put(a, ipc_put_ws_terminate(out, id, 0, &m)) : NULL;
}

/* wsAttach(hold, bytes) */
static JSValueRef ws_attach(const struct js_args *a)
{
    struct ipc_ws_attach m = {0};
    struct span bytes;
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_bytes(a, 1, &bytes))
        return NULL;
    m.bytes = span_slice(bytes);
    return put(a, ipc_put_ws_attach(out, id, 0, &m));
}

/* wsJoin(hold, other) */
static JSValueRef ws_join(const struct js_args *a)
{
    struct ipc_ws_join m = {0};
    uint64_t id;
    struct buf *out = frame_for(a, 0, &id);

    if (!out || !js_arg_u64(a, 1, &m.other))
        return NULL;
    return put(a, ipc_put_ws_join(out, id, 0, &m));
}

/* --- actors --- */

/* autoResponse(actor, request or null, response): on every link. */
static JSValueRef auto_response(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text actor = {0};
    CLEANUP(js_text_done) struct js_text request = {0};
    CLEANUP(js_text_done) struct js_text answer = {0};
    const bool set = js_arg_given(a, 1);
    int r = 0;

    if (!js_arg_text(a, 0, &actor) ||
        (set && (!js_arg_text(a, 1, &request) || !js_arg_text(a, 2, &answer))))
        return NULL;
    const struct ipc_auto_response m = {
        .actor = actor.s, .request = request.s, .response = answer.s};

    for (unsigned link = 0; link < api_of(a)->facts.links && r >= 0; link++)
        r = ipc_put_auto_response(link_at(a, link), 0, set ? 0 : IPC_UNSET, &m);
    return put(a, r);
}

/* restoreWant(token, actor): on every link; hooks.restored(token) comes once all have answered. */
static JSValueRef restore_want(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text actor = {0};
    struct ipc_restore_want m = {0};
    int r = 0;

    if (!js_arg_u32(a, 0, &m.token) || !js_arg_text(a, 1, &actor))
        return NULL;
    m.actor = actor.s;
    for (unsigned link = 0; link < api_of(a)->facts.links && r >= 0; link++)
        r = ipc_put_restore_want(link_at(a, link), 0, 0, &m);
    return put(a, r);
}

/* actorState(sleeping, sockets, actor, name) */
static JSValueRef actor_state(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text actor = {0}, name = {0};
    struct ipc_actor_state m = {.sleeping = js_arg_bool(a, 0)};

    if (!js_arg_u32(a, 1, &m.sockets) || !js_arg_text(a, 2, &actor) || !js_arg_text(a, 3, &name))
        return NULL;
    m.actor = actor.s;
    m.name = name.s;
    return put(a, ipc_put_actor_state(first_link(a), 0, 0, &m));
}

/* alarmSet(ms or 0, actor, name) */
static JSValueRef alarm_set(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text actor = {0};
    CLEANUP(js_text_done) struct js_text name = {0};
    struct ipc_alarm_set m = {0};

    if (!js_arg_number(a, 0, &m.wall_ms) || !js_arg_text(a, 1, &actor) || !js_arg_text(a, 2, &name))
        return NULL;
    m.actor = actor.s;
    m.name = name.s;
    return put(a, ipc_put_alarm_set(first_link(a), 0, 0, &m));
}

/* --- the process --- */

/* ready(exports) */
static JSValueRef ready(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text exports = {0};

    if (!js_arg_text(a, 0, &exports))
        return NULL;
    const struct ipc_ready m = {.exports = exports.s};

    return put(a, ipc_put_ready(first_link(a), 0, 0, &m));
}

/* failed(text): the application cannot run; follow it by leave(true). */
static JSValueRef failed(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text text = {0};

    if (!js_arg_text(a, 0, &text))
        return NULL;
    const struct ipc_failed m = {.text = text.s};

    return put(a, ipc_put_failed(first_link(a), 0, 0, &m));
}

/* leave(failed): the process ends when this batch has left; EXITING is said unless it failed(). */
static JSValueRef leave(const struct js_args *a)
{
    struct api *api = a->state;

    api->ops->leave(api->host, js_arg_bool(a, 0));
    return NULL;
}

/* open(): how many events have begun and are not acknowledged. */
static JSValueRef open_events(const struct js_args *a)
{
    struct api *api = a->state;

    api_take_acks(api);
    return js_number(a->cx, (double)api->ops->open(api->host));
}

/* idle(): IDLE on every link, behind the ACKs of this batch. */
static JSValueRef idle(const struct js_args *a)
{
    struct api *api = a->state;

    api->ops->idle(api->host);
    return NULL;
}

/* log(level, where, text) */
static JSValueRef log_line(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text where = {0};
    CLEANUP(js_text_done) struct js_text text = {0};
    uint32_t level;

    if (!js_arg_u32(a, 0, &level) || !js_arg_text(a, 1, &where) || !js_arg_text(a, 2, &text))
        return NULL;
    const struct ipc_log m = {.level = (uint8_t)level, .where = where.s, .text = text.s};

    return put(a, ipc_put_log(first_link(a), 0, 0, &m));
}

/* acked(): native.acks is full. */
static JSValueRef acked(const struct js_args *a)
{
    api_take_acks(a->state);
    return NULL;
}

/* event(seq): what runs until the end of this turn belongs to an event that began earlier. */
static JSValueRef event(const struct js_args *a)
{
    struct api *api = a->state;
    uint64_t seq;

    if (js_arg_u64(a, 0, &seq))
        api->ops->event(api->host, seq);
    return NULL;
}

/* as(actor): frames and acks from now on wait for this actor's commit; 0: for none. */
static JSValueRef as_actor(const struct js_args *a)
{
    struct api *api = a->state;
    uint32_t actor;

    if (js_arg_u32(a, 0, &actor))
        api->ops->as(api->host, actor);
    return NULL;
}

const struct js_native api_link_natives[] = {
    {"response", 7, response},
    {"respond", 5, respond},
    {"handoff", 4, handoff},
    {"fail", 3, fail},
    {"body", 2, body},
    {"bodyAbort", 2, body_abort},
    {"credit", 2, credit},
    {"cancel", 1, cancel},
    {"fetch", 7, fetch},
    {"wsAccept", 6, ws_accept},
    {"wsSend", 2, ws_send},
    {"wsClose", 3, ws_close},
    {"wsTerminate", 1, ws_terminate},
    {"wsAttach", 2, ws_attach},
    {"wsJoin", 2, ws_join},
    {"autoResponse", 3, auto_response},
    {"restoreWant", 2, restore_want},
    {"actorState", 4, actor_state},
    {"alarmSet", 3, alarm_set},
    {"ready", 1, ready},
    {"failed", 1, failed},
    {"leave", 0, leave},
    {"open", 0, open_events},
    {"idle", 0, idle},
    {"log", 3, log_line},
    {"acked", 0, acked},
    {"event", 1, event},
    {"as", 1, as_actor},
    {0},
};
