#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store_int.h"

/* PRAGMA user_version of a file with our tables in this shape. */
enum { SCHEMA_VERSION = 1 };

static const char SCHEMA[] =
    "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE _cf_ALARM (one INTEGER PRIMARY KEY CHECK (one = 1), due INTEGER NOT NULL,"
    " scheduled INTEGER NOT NULL, retries INTEGER NOT NULL);"
    "PRAGMA user_version = 1";

static const char *const STMT_SQL[] = {
#define STMT(name, sql) [name] = sql,
#include "store/stmts.def"
#undef STMT
};

/* --- errors --- */

static int row_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return -ERR_STORE_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -ERR_STORE_CORRUPT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS:
    case SQLITE_NOMEM:
        return -ERR_STORE_IO;
    default:
        return -ERR_SQL;
    }
}

int db__break(struct db *db, int err, const char *text)
{
    if (!db->broken) {
        db->broken = err;
        snprintf(db->broken_text, sizeof(db->broken_text), "%.199s", text);
    }
    return err;
}

static bool is_dirty(const struct db *db)
{
    return list_linked(&db->dirty);
}

/* Writes of this batch are lost when SQLite ended the transaction by itself, and nobody can say
 * what is left when the disk failed under it. A full disk that undid one statement only is the
 * application's to handle. */
static bool loses_writes(const struct db *db, int err)
{
    if (!is_dirty(db))
        return false;
    return sqlite3_get_autocommit(db->sq) || err == -ERR_STORE_IO || err == -ERR_STORE_CORRUPT;
}

int db__error(struct db *db, int rc, struct err_note *note)
{
    int err = row_of(rc);
    const char *text = db->sq ? sqlite3_errmsg(db->sq) : sqlite3_errstr(rc);

    err_notef(note, err, "%s", text);
    if (loses_writes(db, err))
        return db__break(db, err == -ERR_SQL ? -ERR_STORE_LOST : err, text);
    return err;
}

int db__check(const struct db *db, struct err_note *note)
{
    return db->broken ? err_notef(note, db->broken, "%s", db->broken_text) : 0;
}

/* --- opening and closing --- */

static int pragmas(struct db *db, struct err_note *note)
{
    const bool normal = db->store->o.sync_normal;
    const uint64_t max = db->store->o.db_max;
    char sql[200];
    int r;

    snprintf(sql, sizeof(sql), "PRAGMA synchronous = %s; PRAGMA max_page_count = %lld",
             normal ? "NORMAL" : "FULL", max ? (long long)(max / 4096) : 2621440LL);
    if ((r = db__run(db, "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 1048576", note)) <
        0)
        return r;
    if ((r = db__run(db, sql, note)) < 0)
        return r;
    return db__run(
        db,
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024; "
        "PRAGMA trusted_schema = OFF",
        note);
}

static void limits(struct db *db)
{
    static const struct {
        int what;
        int value;
    } rows[] = {
        {SQLITE_LIMIT_SQL_LENGTH, 100000},   {SQLITE_LIMIT_COLUMN, 100},
        {SQLITE_LIMIT_EXPR_DEPTH, 100},      {SQLITE_LIMIT_COMPOUND_SELECT, 5},
        {SQLITE_LIMIT_VDBE_OP, 25000},       {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 100}, {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 10},    {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        sqlite3_limit(db->sq, rows[i].what, rows[i].value);
    sqlite3_limit(db->sq, SQLITE_LIMIT_LENGTH, (int)db->store->o.value_max + STORE_KEY_MAX);
}

int db__connect(struct db *db, struct err_note *note)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int r, rc = sqlite3_open_v2(db->path, &db->sq, flags, db->store->o.vfs);

    if (rc != SQLITE_OK) {
        r = db__error(db, rc, note);
        db__disconnect(db);
        return r;
    }
    sqlite3_busy_timeout(db->sq, STORE_BUSY_MS);
    sqlite3_db_config(db->sq, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_set_authorizer(db->sq, sql__authorize, db);
    if ((r = pragmas(db, note)) < 0) {
        db__disconnect(db);
        return r;
    }
    limits(db);
    db->absent = false;
    return 0;
}

void db__disconnect(struct db *db)
{
    sql__forget(db);
    for (size_t i = 0; i < STMT_COUNT; i++)
        sqlite3_finalize(db->stmts[i]);
    memset(db->stmts, 0, sizeof(db->stmts));
    (void)sqlite3_close_v2(db->sq);
    db->sq = NULL;
    db->migrated = false;
}

/* A file of another shape is not ours to touch. */
static int read_version(struct db *db, struct err_note *note)
{
    sqlite3_stmt *st = NULL;
    int rc, version = 0;

    db->trusted++;
    rc = sqlite3_prepare_v2(db->sq, "PRAGMA user_version", -1, &st, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        version = sqlite3_column_int(st, 0);
    db->trusted--;
    if (rc != SQLITE_ROW) {
        rc = db__error(db, rc, note);
        sqlite3_finalize(st);
        return rc;
    }
    sqlite3_finalize(st);
    if (version > SCHEMA_VERSION)
        return err_notef(note, -ERR_STORE_CORRUPT, "%s was written by a newer version", db->path);
    db->migrated = version > 0;
    return 0;
}

bool db__file_exists(const struct db *db)
{
    struct stat st;

    return stat(db->path, &st) == 0;
}

static int make_folder(const struct db *db, struct err_note *note)
{
    char *end = strrchr(db->path, '/');

    *end = '\0';
    const int failed = mkdir(db->path, 0700) < 0 && errno != EEXIST ? errno : 0;
    *end = '/';
    if (failed)
        return err_notef(note, failed == ENOSPC ? -ERR_STORE_FULL : -ERR_STORE_IO,
                         "the folder of %s cannot be made: %s", db->path, strerror(failed));
    return 0;
}

/* Closes the least recently used file that nobody needs open. */
static void make_room(struct store *s)
{
    struct list *it, *tmp;

    if (s->n_open < s->o.max_open)
        return;
    LIST_EACH (&s->open, it, tmp) {
        struct db *db = LIST_ITEM(it, struct db, lru);

        if (is_dirty(db) || db->depth > 0 || !list_empty(&db->cursors))
            continue;
        list_del(&db->lru);
        s->n_open--;
        db__disconnect(db);
        return;
    }
}

static void used(struct db *db)
{
    list_del(&db->lru);
    list_add_tail(&db->store->open, &db->lru);
}

int db__open(struct db *db, bool make, struct err_note *note)
{
    struct store *s = db->store;
    int r;

    if ((r = db__check(db, note)) < 0)
        return r;
    if (db->sq) {
        used(db);
        return 0;
    }
    if (!s->dir)
        return err_notef(note, -ERR_STORE_NONE, "%s", err_text(-ERR_STORE_NONE));
    if (!make && (db->absent || (db->absent = !db__file_exists(db))))
        return 0;
    make_room(s);
    if ((r = make_folder(db, note)) < 0 || (r = db__connect(db, note)) < 0)
        return r;
    if ((r = read_version(db, note)) < 0) {
        db__disconnect(db);
        return r;
    }
    s->n_open++;
    used(db);
    return 0;
}

static bool is_empty(struct db *db)
{
    int err;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_IS_EMPTY, &err, NULL);

    return st && db__step(db, st, NULL) == 1 && sqlite3_column_int(st, 0);
}

static void remove_file(const struct db *db)
{
    char path[4096];

    for (const char *const *suffix = (const char *const[]){"", "-wal", "-shm", NULL}; *suffix;
         suffix++) {
        snprintf(path, sizeof(path), "%s%s", db->path, *suffix);
        (void)unlink(path);
    }
}

/* Rolls back; the connection is clean afterwards. */
static void rollback_all(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sq))
        (void)db__run(db, "ROLLBACK", NULL);
    list_del(&db->dirty);
    db->depth = db->explicit_depth = 0;
    db->alarm_touched = false;
    db->migrated = false; /* perhaps: looked at again when the file is opened */
}

void db__done(struct db *db)
{
    bool gone = false;

    if (db->sq) {
        if (is_dirty(db))
            rollback_all(db);
        gone = db->emptied && db->migrated && is_empty(db);
        list_del(&db->lru);
        db->store->n_open--;
    }
    db__disconnect(db);
    if (gone)
        remove_file(db);
}

/* --- statements --- */

sqlite3_stmt *db__stmt(struct db *db, enum db_stmt which, int *ret_err, struct err_note *note)
{
    sqlite3_stmt **st = &db->stmts[which];
    int rc = SQLITE_OK;

    if (!*st) {
        db->trusted++;
        rc = sqlite3_prepare_v3(db->sq, STMT_SQL[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL);
        db->trusted--;
    }
    if (rc == SQLITE_OK)
        return *st;
    *ret_err = db__error(db, rc, note);
    return NULL;
}

void db__reset(sqlite3_stmt **st)
{
    if (!*st)
        return;
    (void)sqlite3_reset(*st);
    (void)sqlite3_clear_bindings(*st);
}

int db__step(struct db *db, sqlite3_stmt *st, struct err_note *note)
{
    int rc;

    db->trusted++;
    rc = sqlite3_step(st);
    db->trusted--;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return rc == SQLITE_ROW;
    return db__error(db, rc, note);
}

int db__run(struct db *db, const char *sql, struct err_note *note)
{
    int rc;

    db->trusted++;
    rc = sqlite3_exec(db->sq, sql, NULL, NULL, NULL);
    db->trusted--;
    return rc == SQLITE_OK ? 0 : db__error(db, rc, note);
}

static int run_stmt(struct db *db, enum db_stmt which, struct err_note *note)
{
    int err = 0;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, which, &err, note);

    return st ? db__step(db, st, note) : err;
}

/* --- transactions --- */

bool db_is_dirty(const struct db *db)
{
    return is_dirty(db);
}

int db_broken(const struct db *db)
{
    return db->broken;
}

int db_depth(const struct db *db)
{
    return db->depth;
}

static int migrate(struct db *db, struct err_note *note)
{
    int r;

    if (db->migrated)
        return 0;
    if ((r = db__run(db, SCHEMA, note)) < 0)
        return r;
    db->migrated = true;
    return 0;
}

static int begin(struct db *db, struct err_note *note)
{
    int r;

    if ((r = db__open(db, true, note)) < 0)
        return r;
    if (is_dirty(db))
        return 0;
    if ((r = run_stmt(db, STMT_BEGIN, note)) < 0)
        return r;
    list_add_tail(&db->store->dirty, &db->dirty);
    return 0;
}

int db__write(struct db *db, struct err_note *note)
{
    int r = begin(db, note);

    return r < 0 ? r : migrate(db, note);
}

int db__commit(struct db *db, struct err_note *note)
{
    int r;

    if ((r = db__check(db, note)) < 0 || (r = run_stmt(db, STMT_COMMIT, note)) < 0) {
        db__break(db, r == -ERR_SQL ? -ERR_STORE_LOST : r, note->text);
        rollback_all(db);
        return r;
    }
    list_del(&db->dirty);
    return 0;
}

static int savepoint(struct db *db, const char *verb, int depth, struct err_note *note)
{
    char sql[40];

    snprintf(sql, sizeof(sql), "%s s%d", verb, depth);
    return db__run(db, sql, note);
}

static int nest(struct db *db, struct err_note *note)
{
    int r;

    if (db->depth >= STORE_SAVEPOINTS)
        return err_notef(note, -ERR_STORE_LIMIT, "transactions are nested more than %d deep",
                         STORE_SAVEPOINTS);
    if ((r = db__write(db, note)) < 0 || (r = savepoint(db, "SAVEPOINT", db->depth + 1, note)) < 0)
        return r;
    return ++db->depth;
}

int db_begin_sync(struct db *db, struct err_note *note)
{
    return nest(db, note);
}

int db_begin(struct db *db, struct err_note *note)
{
    struct err_note own;
    int r;

    if (!note)
        note = &own;
    if (db->explicit_depth == 0 && is_dirty(db) && db->depth == 0 &&
        (r = store_commit(db->store, db->handle, note)) < 0)
        return r;
    if ((r = nest(db, note)) > 0 && db->explicit_depth == 0)
        db->explicit_depth = r;
    return r;
}

static int end_savepoints(struct db *db, int depth, bool undo, struct err_note *note)
{
    int r;

    if ((r = db__check(db, note)) < 0)
        return r;
    if (depth < 1 || depth > db->depth)
        return err_notef(note, -ERR_STORE_BUSY, "there is no such transaction");
    if (undo && (r = savepoint(db, "ROLLBACK TO", depth, note)) < 0)
        return r;
    if ((r = savepoint(db, "RELEASE", depth, note)) < 0)
        return r;
    db->depth = depth - 1;
    if (db->explicit_depth >= depth)
        db->explicit_depth = 0;
    return 0;
}

int db_release(struct db *db, int depth, struct err_note *note)
{
    return end_savepoints(db, depth, false, note);
}

int db_rollback(struct db *db, int depth, struct err_note *note)
{
    return end_savepoints(db, depth, true, note);
}

/* --- the whole database --- */

int db_size(struct db *db, uint64_t *ret_bytes, struct err_note *note)
{
    int r;

    if ((r = db__open(db, true, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_SIZE, &r, note);
    if (!st || (r = db__step(db, st, note)) < 0)
        return r;
    *ret_bytes = (uint64_t)sqlite3_column_int64(st, 0);
    return 0;
}

/* Appends "DROP TYPE "name";" for the application's objects of one kind. */
static int list_drops(struct db *db, const char *kind, struct buf *out, struct err_note *note)
{
    int r = 0;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_OBJECTS, &r, note);

    if (!st)
        return r;
    while ((r = db__step(db, st, note)) > 0) {
        if (strcmp((const char *)sqlite3_column_text(st, 0), kind) != 0)
            continue;
        char *sql = sqlite3_mprintf("DROP %s IF EXISTS \"%w\";", kind, sqlite3_column_text(st, 1));

        r = sql ? buf_add(out, slice_str(sql)) : -ERR_STORE_IO;
        sqlite3_free(sql);
        if (r < 0)
            return err_notef(note, r, "too many objects to delete");
    }
    return r;
}

static int drop_kind(struct db *db, const char *kind, struct err_note *note)
{
    CLEANUP(buf_done) struct buf sql;
    int r;

    buf_init(&sql, 64 << 20);
    if ((r = list_drops(db, kind, &sql, note)) < 0 || sql.n == 0)
        return r;
    (void)buf_add_byte(&sql, '\0');
    return db__run(db, (const char *)sql.p, note);
}

static int drop_all(struct db *db, bool alarm_too, struct err_note *note)
{
    static const char *const kinds[] = {"trigger", "view", "table"};
    int r;

    /* Shadow tables go with their virtual table, hence IF EXISTS; indexes go with their table. */
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if ((r = drop_kind(db, kinds[i], note)) < 0)
            return r;
    return db__run(
        db, alarm_too ? "DELETE FROM _cf_KV; DELETE FROM _cf_ALARM" : "DELETE FROM _cf_KV", note);
}

int db_delete_all(struct db *db, bool alarm_too, struct err_note *note)
{
    int r;

    if ((r = db__open(db, false, note)) < 0 || !db->sq)
        return r;
    if (db->depth > 0)
        return err_notef(note, -ERR_STORE_BUSY, "Cannot call deleteAll() within a transaction");
    if ((r = db_begin_sync(db, note)) < 0)
        return r;
    /* Unlike the pragma this works within a transaction, and defensive mode protects shadow tables
     * from being dropped one by one. */
    sqlite3_db_config(db->sq, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    sql__forget(db);
    r = drop_all(db, alarm_too, note);
    sqlite3_db_config(db->sq, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    if (r < 0) {
        (void)db_rollback(db, db->depth, NULL);
        return r;
    }
    db->alarm_touched |= alarm_too;
    db->emptied = true;
    return db_release(db, db->depth, note);
}
