#include "store/alarm.h"

#include "store/store_int.h"

/* --- the row of an actor --- */

int alarm_get(struct db *db, struct alarm *ret, struct err_note *note)
{
    int r;

    if ((r = db__open(db, false, note)) < 0 || !db->migrated)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_ALARM_GET, &r, note);
    if (!st || (r = db__step(db, st, note)) <= 0)
        return r;
    ret->due_ms = sqlite3_column_int64(st, 0);
    ret->scheduled_ms = sqlite3_column_int64(st, 1);
    ret->retries = (uint32_t)sqlite3_column_int64(st, 2);
    return 1;
}

int alarm_set(struct db *db, const struct alarm *a, struct err_note *note)
{
    int r;

    if ((r = db__write(db, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_ALARM_SET, &r, note);
    if (!st)
        return r;
    sqlite3_bind_int64(st, 1, a->due_ms);
    sqlite3_bind_int64(st, 2, a->scheduled_ms);
    sqlite3_bind_int64(st, 3, a->retries);
    if ((r = db__step(db, st, note)) < 0)
        return r;
    db->alarm_touched = true;
    return 0;
}

int alarm_delete(struct db *db, struct err_note *note)
{
    struct alarm a = {0};
    int r;

    if ((r = alarm_get(db, &a, note)) <= 0 || (r = db__write(db, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_ALARM_DELETE, &r, note);
    if (!st || (r = db__step(db, st, note)) < 0)
        return r;
    db->alarm_touched = true;
    return 0;
}

/* --- the index --- */

static int open_index(struct store *s, struct err_note *note)
{
    struct db *index = &s->index;
    int r;

    if (index->sq)
        return 0;
    if (!s->dir)
        return err_notef(note, -ERR_STORE_NONE, "%s", err_text(-ERR_STORE_NONE));
    if ((r = db__connect(index, note)) < 0)
        return r;
    r = db__run(index,
                "CREATE TABLE IF NOT EXISTS alarm (class TEXT, id TEXT, name TEXT NOT NULL, "
                "due INTEGER NOT NULL, PRIMARY KEY (class, id)) WITHOUT ROWID",
                note);
    if (r < 0)
        db__disconnect(index);
    return r;
}

static bool in_transaction(const struct db *index)
{
    return index->sq && !sqlite3_get_autocommit(index->sq);
}

/* An index that is too early costs a look; one that is late costs an alarm. So only moving forward
 * has to reach the disk. */
static int begin(struct store *s, bool sync, struct err_note *note)
{
    int r;

    if ((r = open_index(s, note)) < 0 || in_transaction(&s->index))
        return r;
    if ((r = db__run(&s->index,
                     sync && !s->o.sync_normal ? "PRAGMA synchronous = FULL"
                                               : "PRAGMA synchronous = NORMAL",
                     note)) < 0)
        return r;
    return db__run(&s->index, "BEGIN IMMEDIATE", note);
}

int alarm__index_commit(struct store *s, struct err_note *note)
{
    int r;

    if (!in_transaction(&s->index))
        return 0;
    if ((r = db__run(&s->index, "COMMIT", note)) < 0 && in_transaction(&s->index))
        (void)db__run(&s->index, "ROLLBACK", NULL);
    return r;
}

static void bind_actor(sqlite3_stmt *st, const struct db *db)
{
    sqlite3_bind_text(st, 1, (const char *)db->class_key.p, (int)db->class_key.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, (const char *)db->id.p, (int)db->id.n, SQLITE_STATIC);
}

static int read_index(struct db *db, struct err_note *note)
{
    int r;

    if (db->alarm_index >= 0)
        return 0;
    if ((r = open_index(db->store, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(&db->store->index, STMT_INDEX_GET, &r, note);
    if (!st)
        return r;
    bind_actor(st, db);
    if ((r = db__step(&db->store->index, st, note)) < 0)
        return r;
    db->alarm_index = r ? sqlite3_column_int64(st, 0) : 0;
    return 0;
}

static int write_index(struct db *db, bool sync, struct err_note *note)
{
    struct db *index = &db->store->index;
    int r;

    if ((r = begin(db->store, sync, note)) < 0)
        return r;
    CLEANUP(db__reset)
    sqlite3_stmt *st =
        db__stmt(index, db->alarm_new ? STMT_INDEX_SET : STMT_INDEX_DELETE, &r, note);
    if (!st)
        return r;
    bind_actor(st, db);
    if (db->alarm_new) {
        sqlite3_bind_text(st, 3, db->name.n ? (const char *)db->name.p : "", (int)db->name.n,
                          SQLITE_STATIC);
        sqlite3_bind_int64(st, 4, db->alarm_new);
    }
    if ((r = db__step(index, st, note)) < 0)
        return r;
    db->alarm_index = db->alarm_new;
    return 0;
}

int alarm__before(struct db *db, struct err_note *note)
{
    struct alarm a = {0};
    int r;

    if ((r = alarm_get(db, &a, note)) < 0)
        return r;
    db->alarm_new = r ? a.due_ms : 0;
    if ((r = read_index(db, note)) < 0)
        return r;
    if (db->alarm_new == 0 || (db->alarm_index != 0 && db->alarm_index <= db->alarm_new))
        return 0;
    return write_index(db, true, note);
}

void alarm__after(struct db *db)
{
    if (!db->alarm_touched)
        return;
    db->alarm_touched = false;
    if (db->alarm_new != db->alarm_index && write_index(db, false, NULL) < 0)
        db->alarm_index = -1;
}

void alarm__fail(struct store *s, int err, const struct err_note *note)
{
    struct list *it, *tmp;

    if (in_transaction(&s->index))
        (void)db__run(&s->index, "ROLLBACK", NULL);
    LIST_EACH (&s->dirty, it, tmp) {
        struct db *db = LIST_ITEM(it, struct db, dirty);

        if (db->explicit_depth > 0 || !db->alarm_touched)
            continue;
        db->alarm_index = -1;
        db__break(db, err, note->text);
    }
}

int alarm_each(struct store *s, alarm_each_fn *on_alarm, void *ctx, struct err_note *note)
{
    int n = 0, r;

    if (!s->dir || !db__file_exists(&s->index))
        return 0;
    if ((r = open_index(s, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(&s->index, STMT_INDEX_ALL, &r, note);
    if (!st)
        return r;
    while ((r = db__step(&s->index, st, note)) > 0) {
        struct slice col[3];

        for (int i = 0; i < 3; i++)
            col[i] = slice_make(sqlite3_column_text(st, i), (size_t)sqlite3_column_bytes(st, i));
        n++;
        if (on_alarm(ctx, col[0], col[1], col[2], sqlite3_column_int64(st, 3)))
            return n;
    }
    return r < 0 ? r : n;
}
