/*
 * native.storage: the store (src/store) for storage.js, sql.js and alarm.js.
 *
 * An actor is the number that open() gives. Errors of the store are thrown as Error with SQLite's
 * text.
 */
#include <math.h>

#include "api/api.h"
#include "api/modules.h"
#include "js/native.h"
#include "store/alarm.h"
#include "store/kv.h"
#include "store/sql.h"

enum {
    ROWS_AHEAD_BYTES = 1 << 20, /* of a cursor's rows read at once */
    BINDINGS_MAX = 1000,        /* SQLite permits 100 */
};

void api_storage_close(struct api *api)
{
    store_free(api->store);
    api->store = NULL;
}

/* --- arguments --- */

/* NULL after throwing. */
static struct db *arg_db(const struct js_args *a)
{
    struct api *api = a->state;
    struct db *db;
    uint32_t handle;

    if (!js_arg_u32(a, 0, &handle))
        return NULL;
    db = api->store ? store_find(api->store, handle) : NULL;
    if (!db)
        (void)js_throw(a, "Error",
                       "This Durable Object's storage is closed: the object was reset.");
    return db;
}

static JSValueRef thrown(const struct js_args *a, int r, const struct err_note *note)
{
    return r == -ERR_STORE_LIMIT ? js_throw(a, "RangeError", "%s", note->text)
                                 : js_throw_err(a, r, note);
}

/* What a verb said: thrown, or undefined. */
static JSValueRef done(const struct js_args *a, int r, const struct err_note *note)
{
    return r < 0 ? thrown(a, r, note) : js_undefined(a->cx);
}

static JSValueRef yes_no(const struct js_args *a, int r, const struct err_note *note)
{
    return r < 0 ? thrown(a, r, note) : js_bool(a->cx, r > 0);
}

/* --- the store, actors --- */

/* configure(syncNormal, keyMax, valueMax, databaseMax): 0 means the default. Once. */
static JSValueRef configure(const struct js_args *a)
{
    struct api *api = a->state;
    struct store_options o = {.sync_normal = js_arg_bool(a, 0)};
    struct err_note note = {0};

    if (!js_arg_u32(a, 1, &o.key_max) || !js_arg_u32(a, 2, &o.value_max) ||
        !js_arg_u64(a, 3, &o.db_max))
        return NULL;
    if (api->facts.state_dir && api->facts.state_dir[0])
        o.dir = api->facts.state_dir;
    store_free(api->store);
    api->store = store_new(&o, &note);
    return api->store ? js_undefined(a->cx) : js_throw_err(a, -ERR_STORE_IO, &note);
}

/* open(classKey, id, name) → actor */
static JSValueRef open_actor(const struct js_args *a)
{
    struct api *api = a->state;
    CLEANUP(js_text_done) struct js_text key = {0};
    CLEANUP(js_text_done) struct js_text id = {0};
    CLEANUP(js_text_done) struct js_text name = {0};
    uint32_t actor;

    if (!js_arg_text(a, 0, &key) || !js_arg_text(a, 1, &id) || !js_arg_text(a, 2, &name))
        return NULL;
    actor = api->store ? store_open(api->store, key.s, id.s, name.s) : 0;
    return actor ? js_number(a->cx, actor)
                 : js_throw(a, "Error", "the storage of this Durable Object cannot be opened");
}

/* close(actor): uncommitted writes are rolled back. */
static JSValueRef close_actor(const struct js_args *a)
{
    struct api *api = a->state;
    uint32_t actor;

    if (!js_arg_u32(a, 0, &actor))
        return NULL;
    store_close(api->store, actor);
    return js_undefined(a->cx);
}

/* commit(actor): now. */
static JSValueRef commit(const struct js_args *a)
{
    struct api *api = a->state;
    struct err_note note = {0};
    uint32_t actor;

    if (!js_arg_u32(a, 0, &actor))
        return NULL;
    return done(a, store_commit(api->store, actor, &note), &note);
}

/* --- keys and values --- */

/* get(actor, key) → bytes or undefined */
static JSValueRef get(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text key = {0};
    struct err_note note = {0};
    struct db *db = arg_db(a);
    struct buf value;
    int r;

    if (!db || !js_arg_text(a, 1, &key))
        return NULL;
    buf_init(&value, SIZE_MAX);
    if ((r = kv_get(db, key.s, &value, &note)) > 0)
        return js_bytes_take(a->cx, buf_take(&value));
    buf_done(&value);
    return done(a, r, &note);
}

/* put(actor, key, bytes) */
static JSValueRef put(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text key = {0};
    struct err_note note = {0};
    struct db *db = arg_db(a);
    struct span value;

    if (!db || !js_arg_text(a, 1, &key) || !js_arg_bytes(a, 2, &value))
        return NULL;
    return done(a, kv_put(db, key.s, span_slice(value), &note), &note);
}

/* delete(actor, key) → whether it was there */
static JSValueRef delete_key(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text key = {0};
    struct err_note note = {0};
    struct db *db = arg_db(a);

    if (!db || !js_arg_text(a, 1, &key))
        return NULL;
    return yes_no(a, kv_delete(db, key.s, &note), &note);
}

struct listing {
    const struct js_args *a;
    JSObjectRef array;
    unsigned n;
};

static int add_pair(void *ctx, struct slice key, struct slice value)
{
    struct listing *l = ctx;
    JSContextRef cx = l->a->cx;

    JSObjectSetPropertyAtIndex(cx, l->array, l->n++, js_string(cx, key), NULL);
    JSObjectSetPropertyAtIndex(cx, l->array, l->n++, js_bytes(cx, value), NULL);
    return 0;
}

/* list(actor, start, startExclusive, end, prefix, reverse, limit) → [key, bytes, key, bytes, …];
 * start and end may be null. */
static JSValueRef list(const struct js_args *a)
{
    CLEANUP(js_text_done) struct js_text start = {0};
    CLEANUP(js_text_done) struct js_text end = {0};
    CLEANUP(js_text_done) struct js_text prefix = {0};
    struct kv_range range = {.start_exclusive = js_arg_bool(a, 2), .reverse = js_arg_bool(a, 5)};
    struct listing l = {a, NULL, 0};
    struct err_note note = {0};
    struct db *db = arg_db(a);
    int r;

    range.has_start = js_arg_given(a, 1);
    range.has_end = js_arg_given(a, 3);
    if (!db || (range.has_start && !js_arg_text(a, 1, &start)) ||
        (range.has_end && !js_arg_text(a, 3, &end)) || !js_arg_text(a, 4, &prefix) ||
        !js_arg_u64(a, 6, &range.limit))
        return NULL;
    range.start = start.s;
    range.end = end.s;
    range.prefix = prefix.s;
    l.array = JSObjectMakeArray(a->cx, 0, NULL, NULL);
    r = kv_list(db, &range, add_pair, &l, &note);
    return r < 0 ? thrown(a, r, &note) : l.array;
}

/* --- transactions --- */

static JSValueRef nested(const struct js_args *a, int (*verb)(struct db *, struct err_note *))
{
    struct err_note note = {0};
    struct db *db = arg_db(a);
    int r;

    if (!db)
        return NULL;
    r = verb(db, &note);
    return r < 0 ? thrown(a, r, &note) : js_number(a->cx, r);
}

/* begin(actor) → depth; beginSync(actor) → depth */
static JSValueRef begin(const struct js_args *a)
{
    return nested(a, db_begin);
}

static JSValueRef begin_sync(const struct js_args *a)
{
    return nested(a, db_begin_sync);
}

static JSValueRef ended(const struct js_args *a, int (*verb)(struct db *, int, struct err_note *))
{
    struct err_note note = {0};
    struct db *db = arg_db(a);
    uint32_t depth;

    if (!db || !js_arg_u32(a, 1, &depth))
        return NULL;
    return done(a, verb(db, (int)depth, &note), &note);
}

/* release(actor, depth); rollback(actor, depth) */
static JSValueRef release(const struct js_args *a)
{
    return ended(a, db_release);
}

static JSValueRef rollback(const struct js_args *a)
{
    return ended(a, db_rollback);
}

/* deleteAll(actor, alarmToo) */
static JSValueRef delete_all(const struct js_args *a)
{
    struct err_note note = {0};
    struct db *db = arg_db(a);

    return db ? done(a, db_delete_all(db, js_arg_bool(a, 1), &note), &note) : NULL;
}

/* size(actor) → bytes */
static JSValueRef size(const struct js_args *a)
{
    struct err_note note = {0};
    struct db *db = arg_db(a);
    uint64_t bytes;
    int r;

    if (!db)
        return NULL;
    r = db_size(db, &bytes, &note);
    return r < 0 ? thrown(a, r, &note) : js_number(a->cx, (double)bytes);
}

/* --- alarms --- */

/* alarmGet(actor) → [due, scheduled, retries] or undefined */
static JSValueRef get_alarm(const struct js_args *a)
{
    struct err_note note = {0};
    struct db *db = arg_db(a);
    struct alarm alarm;
    int r;

    if (!db)
        return NULL;
    if ((r = alarm_get(db, &alarm, &note)) <= 0)
        return done(a, r, &note);
    return js_array(a->cx, 3,
                    (JSValueRef[]){js_number(a->cx, (double)alarm.due_ms),
                                   js_number(a->cx, (double)alarm.scheduled_ms),
                                   js_number(a->cx, alarm.retries)});
}

/* alarmSet(actor, due, scheduled, retries) */
static JSValueRef set_alarm(const struct js_args *a)
{
    struct err_note note = {0};
    struct db *db = arg_db(a);
    struct alarm alarm = {0};
    uint64_t due, scheduled;

    if (!db || !js_arg_u64(a, 1, &due) || !js_arg_u64(a, 2, &scheduled) ||
        !js_arg_u32(a, 3, &alarm.retries))
        return NULL;
    alarm.due_ms = (int64_t)due;
    alarm.scheduled_ms = (int64_t)scheduled;
    return done(a, alarm_set(db, &alarm, &note), &note);
}

/* alarmDelete(actor) */
static JSValueRef delete_alarm(const struct js_args *a)
{
    struct err_note note = {0};
    struct db *db = arg_db(a);

    return db ? done(a, alarm_delete(db, &note), &note) : NULL;
}

static int add_alarm(void *ctx, struct slice class_key, struct slice id, struct slice name,
                     int64_t due_ms)
{
    struct listing *l = ctx;
    JSContextRef cx = l->a->cx;
    const JSValueRef row[] = {js_string(cx, class_key), js_string(cx, id), js_string(cx, name),
                              js_number(cx, (double)due_ms)};

    JSObjectSetPropertyAtIndex(cx, l->array, l->n++, js_array(cx, COUNT_OF(row), row), NULL);
    return 0;
}

/* alarms() → [[classKey, id, name, due], …], all there are */
static JSValueRef alarms(const struct js_args *a)
{
    struct api *api = a->state;
    struct listing l = {a, JSObjectMakeArray(a->cx, 0, NULL, NULL), 0};
    struct err_note note = {0};
    const int r = api->store ? alarm_each(api->store, add_alarm, &l, &note) : 0;

    return r < 0 ? thrown(a, r, &note) : l.array;
}

/* --- SQL --- */

static void free_cursor(void *body)
{
    sql_close(body);
}

static const struct js_kind cursor_kind = {"SQL cursor", free_cursor};

/* Bindings as C sees them, while the query runs. */
struct bindings {
    struct sql_value *v;
    struct js_text *texts;
    size_t n;
};

static void bindings_done(struct bindings *b)
{
    for (size_t i = 0; i < b->n; i++)
        js_text_done(&b->texts[i]);
    mem_free(b->texts);
    mem_free(b->v);
}

static bool bind(const struct js_args *a, JSValueRef from, struct js_text *text,
                 struct sql_value *ret)
{
    struct span bytes;

    if (JSValueIsNumber(a->cx, from)) {
        *ret = (struct sql_value){.type = SQL_REAL, .r = JSValueToNumber(a->cx, from, NULL)};
    } else if (js_text_get(a->cx, from, text)) {
        *ret = (struct sql_value){.type = SQL_TEXT, .bytes = text->s};
    } else if (js_bytes_get(a->cx, from, &bytes)) {
        *ret = (struct sql_value){.type = SQL_BLOB, .bytes = span_slice(bytes)};
    } else if (JSValueIsNull(a->cx, from)) {
        *ret = (struct sql_value){.type = SQL_NULL};
    } else {
        return js_throw(a, "TypeError", "a binding is none of number, string, bytes, null");
    }
    return true;
}

/* The array that is argument 2. False after throwing. */
static bool bind_all(const struct js_args *a, struct bindings *b)
{
    JSObjectRef array = JSValueToObject(a->cx, a->v[2], a->exception);
    double n;

    if (!array)
        return false;
    n = JSValueToNumber(a->cx, js_get(a->cx, array, "length"), NULL);
    if (!(n >= 0 && n <= BINDINGS_MAX))
        return js_throw(a, "Error", "too many bindings");
    b->v = mem_new(sizeof(*b->v) * ((size_t)n + 1));
    b->texts = mem_new(sizeof(*b->texts) * ((size_t)n + 1));
    for (; b->n < (size_t)n; b->n++)
        if (!bind(a, JSObjectGetPropertyAtIndex(a->cx, array, (unsigned)b->n, NULL),
                  &b->texts[b->n], &b->v[b->n]))
            return false;
    return true;
}

static JSValueRef column(JSContextRef cx, const struct sql_cursor *c, int i, size_t *bytes)
{
    const struct sql_value v = sql_column(c, i);

    *bytes += v.bytes.n + 16;
    switch (v.type) {
    case SQL_INTEGER:
        return js_number(cx, (double)v.i);
    case SQL_REAL:
        return js_number(cx, v.r);
    case SQL_TEXT:
        return js_string(cx, v.bytes);
    case SQL_BLOB:
        return js_buffer(cx, v.bytes);
    case SQL_NULL:
        break;
    }
    return js_null(cx);
}

/* Appends rows to l->array: 1 when there may be more, 0 at the end, or an error. */
static int read_rows(struct listing *l, struct sql_cursor *c, struct err_note *note)
{
    size_t bytes = 0;
    int r;

    while (bytes < ROWS_AHEAD_BYTES) {
        if ((r = sql_next(c, note)) <= 0)
            return r;
        for (int i = 0; i < sql_columns(c); i++)
            JSObjectSetPropertyAtIndex(l->a->cx, l->array, l->n++, column(l->a->cx, c, i, &bytes),
                                       NULL);
    }
    return 1;
}

/* {cursor, more, values, rowsRead, rowsWritten}: values are the next rows', flat; cursor is null
 * when it is no longer needed. */
static JSValueRef rows_of(const struct js_args *a, JSValueRef cursor, struct sql_cursor *c)
{
    struct api *api = a->state;
    struct listing l = {a, JSObjectMakeArray(a->cx, 0, NULL, NULL), 0};
    JSObjectRef result = js_object(a->cx);
    struct err_note note = {0};
    const int r = read_rows(&l, c, &note);

    js_set(a->cx, result, "values", l.array);
    js_set(a->cx, result, "more", js_bool(a->cx, r > 0));
    js_set(a->cx, result, "cursor", cursor);
    js_set(a->cx, result, "rowsRead", js_number(a->cx, (double)sql_rows_read(c)));
    js_set(a->cx, result, "rowsWritten", js_number(a->cx, (double)sql_rows_written(c)));
    if (r <= 0)
        js_handle_close(api->vm, cursor, &cursor_kind);
    return r < 0 ? thrown(a, r, &note) : result;
}

static JSValueRef names_of(const struct js_args *a, const struct sql_cursor *c)
{
    JSObjectRef names = JSObjectMakeArray(a->cx, 0, NULL, NULL);

    for (int i = 0; i < sql_columns(c); i++)
        JSObjectSetPropertyAtIndex(a->cx, names, (unsigned)i,
                                   js_string(a->cx, sql_column_name(c, i)), NULL);
    return names;
}

/* exec(actor, query, bindings) → rows_of(), and columns: their names */
static JSValueRef exec(const struct js_args *a)
{
    struct api *api = a->state;
    CLEANUP(js_text_done) struct js_text query = {0};
    CLEANUP(bindings_done) struct bindings b = {0};
    struct err_note note = {0};
    struct db *db = arg_db(a);
    struct sql_cursor *c;
    int r;

    if (!db || !js_arg_text(a, 1, &query) || !bind_all(a, &b))
        return NULL;
    if ((r = sql_exec(db, query.s, b.v, b.n, &c, &note)) < 0)
        return thrown(a, r, &note);
    JSValueRef names = names_of(a, c);
    JSValueRef result = rows_of(a, js_handle(api->vm, &cursor_kind, c), c);

    if (result)
        js_set(a->cx, (JSObjectRef)result, "columns", names);
    return result;
}

/* more(cursor) → rows_of() */
static JSValueRef more(const struct js_args *a)
{
    struct sql_cursor *c = js_arg_handle(a, 0, &cursor_kind);

    return c ? rows_of(a, a->v[0], c) : NULL;
}

const struct js_native api_storage_natives[] = {
    {"configure", 4, configure},
    {"open", 3, open_actor},
    {"close", 1, close_actor},
    {"commit", 1, commit},
    {"get", 2, get},
    {"put", 3, put},
    {"delete", 2, delete_key},
    {"list", 7, list},
    {"begin", 1, begin},
    {"beginSync", 1, begin_sync},
    {"release", 2, release},
    {"rollback", 2, rollback},
    {"deleteAll", 2, delete_all},
    {"size", 1, size},
    {"alarmGet", 1, get_alarm},
    {"alarmSet", 4, set_alarm},
    {"alarmDelete", 1, delete_alarm},
    {"alarms", 0, alarms},
    {"exec", 3, exec},
    {"more", 1, more},
    {0},
};
