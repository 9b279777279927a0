#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "store/store_int.h"

enum { ID_DIGITS = 64, HANDLES_MAX = (1 << 20) - 1, NAME_MAX_BYTES = 200 };

/* A handle whose output must not leave, until store_commit_dirty has said so. */
struct lost {
    struct list node;
    uint32_t actor;
    int err;
    char text[200];
};

/* --- the store --- */

static char *dup_or_null(const char *s)
{
    return s ? slice_dup(slice_str(s)) : NULL;
}

static char *joined(const char *dir, struct slice folder, const char *file)
{
    const size_t n = strlen(dir) + folder.n + strlen(file) + 3;
    char *path = mem_new(n);

    snprintf(path, n, "%s/%.*s%s%s", dir, SLICE_FMT(folder), folder.n ? "/" : "", file);
    return path;
}

static void init_db(struct db *db, struct store *s)
{
    db->store = s;
    db->alarm_index = -1;
    list_init(&db->cursors);
    list_init(&db->cache);
}

static void set_options(struct store *s, const struct store_options *o)
{
    s->o = *o;
    s->o.dir = s->dir = dup_or_null(o->dir);
    s->o.vfs = s->vfs = dup_or_null(o->vfs);
    s->o.max_open = o->max_open ? o->max_open : STORE_OPEN_MAX;
    s->o.key_max = o->key_max ? o->key_max : STORE_KEY_MAX;
    s->o.value_max = o->value_max ? o->value_max : STORE_VALUE_MAX;
    s->o.db_max = o->db_max ? o->db_max : 10ull << 30;
}

struct store *store_new(const struct store_options *o, struct err_note *note)
{
    if (o->dir && mkdir(o->dir, 0700) < 0 && errno != EEXIST) {
        err_notef(note, -ERR_STORE_IO, "the folder %s cannot be made: %s", o->dir, strerror(errno));
        return NULL;
    }
    struct store *s = mem_new(sizeof(*s));

    set_options(s, o);
    list_init(&s->open);
    list_init(&s->dirty);
    list_init(&s->lost);
    init_db(&s->index, s);
    if (s->dir)
        s->index.path = joined(s->dir, SLICE(""), "alarms.sqlite");
    return s;
}

static void free_db(struct db *db)
{
    db__done(db);
    mem_free(db->names);
    mem_free(db->path);
    mem_free(db);
}

void store_free(struct store *s)
{
    uint64_t handle;
    void *db;

    if (!s)
        return;
    for (uint32_t it = 0; map64_next(&s->actors, &it, &handle, &db);)
        free_db(db);
    map64_done(&s->actors);
    db__disconnect(&s->index);
    for (struct list *it; (it = list_pop(&s->lost));)
        mem_free(LIST_ITEM(it, struct lost, node));
    mem_free(s->index.path);
    mem_free(s->dir);
    mem_free(s->vfs);
    mem_free(s);
}

const struct store_options *store_options(const struct store *s)
{
    return &s->o;
}

/* --- handles --- */

static bool is_id(struct slice id)
{
    for (size_t i = 0; i < id.n; i++)
        if (enc_hex_digit(id.p[i]) < 0)
            return false;
    return id.n == ID_DIGITS;
}

/* The class key as a folder's name: bytes that a file name should not have become %XX. */
static int folder_of(struct slice class_key, struct buf *out)
{
    int r = enc_percent(out, class_key, "");

    if (r < 0 || out->n == 0 || out->p[0] == '.')
        return -ERR_SYNTAX;
    return 0;
}

static void copy_names(struct db *db, struct slice class_key, struct slice id, struct slice name)
{
    char *p = db->names = mem_new(class_key.n + id.n + name.n + 1);

    db->class_key = slice_make(memcpy(p, class_key.p, class_key.n), class_key.n);
    db->id = slice_make(memcpy(p + class_key.n, id.p, id.n), id.n);
    db->name = slice_make(p + class_key.n + id.n, name.n);
    if (name.n)
        memcpy(p + class_key.n + id.n, name.p, name.n);
}

static uint32_t free_handle(struct store *s)
{
    do
        s->last_handle++;
    while (s->last_handle == 0 || map64_find(&s->actors, s->last_handle));
    return s->last_handle;
}

uint32_t store_open(struct store *s, struct slice class_key, struct slice id, struct slice name)
{
    CLEANUP(buf_done) struct buf folder;
    char file[ID_DIGITS + sizeof ".sqlite"];

    buf_init(&folder, NAME_MAX_BYTES);
    if (!is_id(id) || folder_of(class_key, &folder) < 0 || s->actors.count >= HANDLES_MAX)
        return 0;
    struct db *db = mem_new(sizeof(*db));

    init_db(db, s);
    copy_names(db, class_key, id, name);
    snprintf(file, sizeof(file), "%.*s.sqlite", SLICE_FMT(id));
    if (s->dir)
        db->path = joined(s->dir, buf_slice(&folder), file);
    db->handle = free_handle(s);
    (void)map64_put(&s->actors, db->handle, db);
    return db->handle;
}

struct db *store_find(struct store *s, uint32_t actor)
{
    return map64_find(&s->actors, actor);
}

static void note_lost(struct store *s, uint32_t actor, int err, const char *text)
{
    struct lost *l = mem_new(sizeof(*l));

    l->actor = actor;
    l->err = err;
    snprintf(l->text, sizeof(l->text), "%.199s", text);
    list_add_tail(&s->lost, &l->node);
}

void store_close(struct store *s, uint32_t actor)
{
    struct db *db = map64_del(&s->actors, actor);

    if (!db)
        return;
    if (db_is_dirty(db))
        note_lost(s, actor, db->broken ? db->broken : -ERR_STORE_LOST,
                  db->broken ? db->broken_text : err_text(-ERR_STORE_LOST));
    free_db(db);
}

/* --- commits --- */

bool store_is_dirty(const struct store *s)
{
    return !list_empty(&s->dirty) || !list_empty(&s->lost);
}

static int commit(struct db *db, struct err_note *note)
{
    int r = db__commit(db, note);

    if (r == 0)
        alarm__after(db);
    return r;
}

static void commit_and_note(struct db *db)
{
    struct err_note note = {0};
    int r;

    if (db->explicit_depth > 0 && !db->broken)
        return;
    if ((r = commit(db, &note)) < 0)
        note_lost(db->store, db->handle, r, note.text);
}

/* Alarms that come or move forward are in the index before their actors are committed. */
static void commit_alarms(struct store *s)
{
    struct err_note note = {0};
    struct list *it, *tmp;
    int r = 0;

    LIST_EACH (&s->dirty, it, tmp) {
        struct db *db = LIST_ITEM(it, struct db, dirty);

        if (r == 0 && db->explicit_depth == 0 && db->alarm_touched)
            r = alarm__before(db, &note);
    }
    if (r == 0)
        r = alarm__index_commit(s, &note);
    if (r < 0)
        alarm__fail(s, r, &note);
}

static int report(struct store *s, store_failed_fn *on_failed, void *ctx)
{
    struct list reports, *it;
    int n = 0;

    list_move(&reports, &s->lost);
    for (; (it = list_pop(&reports)); n++) {
        struct lost *l = LIST_ITEM(it, struct lost, node);

        on_failed(ctx, l->actor, l->err, l->text);
        mem_free(l);
    }
    return n;
}

int store_commit_dirty(struct store *s, store_failed_fn *on_failed, void *ctx)
{
    struct list *it, *tmp;

    commit_alarms(s);
    LIST_EACH (&s->dirty, it, tmp)
        commit_and_note(LIST_ITEM(it, struct db, dirty));
    (void)alarm__index_commit(s, NULL);
    return report(s, on_failed, ctx);
}

int store_commit(struct store *s, uint32_t actor, struct err_note *note)
{
    struct db *db = store_find(s, actor);
    struct err_note own = {0};
    int r;

    if (!db || !db_is_dirty(db) || db->explicit_depth > 0)
        return db ? db__check(db, note) : 0;
    if (db->alarm_touched &&
        ((r = alarm__before(db, &own)) < 0 || (r = alarm__index_commit(s, &own)) < 0))
        db__break(db, r, own.text);
    if ((r = commit(db, &own)) < 0) {
        note_lost(s, actor, r, own.text);
        return err_notef(note, r, "%s", own.text);
    }
    (void)alarm__index_commit(s, NULL);
    return 0;
}
