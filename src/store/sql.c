#include "store/sql.h"

#include <stdio.h>
#include <strings.h>

#include "base/map.h"
#include "store/store_int.h"

static const char USE_TRANSACTION[] =
    "To execute a transaction, please use the state.storage.transaction() or "
    "state.storage.transactionSync() APIs "
    "instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer "
    "because it will "
    "automatically roll back on exceptions, and because it interacts correctly with Durable "
    "Objects' automatic "
    "atomic write coalescing.";

/* A compiled statement, in use by one cursor or waiting in its database's cache. */
struct compiled {
    struct list node; /* in db->cache */
    sqlite3_stmt *st;
    uint64_t hash;
    struct slice text; /* NULL: not to be kept */
};

struct sql_cursor {
    struct db *db; /* NULL: the database was closed under it */
    struct list node;
    struct compiled *stmt; /* NULL: at the end */
    char **names;
    int columns;
    bool has_row; /* the first row is there already */
    uint64_t returned;
    uint64_t read;
    uint64_t written;
};

/* --- what is permitted --- */

static bool is_reserved(const char *name)
{
    return name && strncasecmp(name, "_cf_", 4) == 0;
}

static bool listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (name && strcasecmp(*list, name) == 0)
            return true;
    return false;
}

static bool pragma_permitted(const char *name)
{
    static const char *const names[] = {
        "case_sensitive_like",
        "data_version",
        "defer_foreign_keys",
        "foreign_key_check",
        "foreign_key_list",
        "foreign_keys",
        "function_list",
        "ignore_check_constraints",
        "index_info",
        "index_list",
        "index_xinfo",
        "legacy_alter_table",
        "optimize",
        "quick_check",
        "recursive_triggers",
        "reverse_unordered_selects",
        "table_info",
        "table_list",
        "table_xinfo",
        NULL,
    };

    return listed(names, name);
}

static bool function_permitted(const char *name)
{
    static const char *const denied[] = {
        "load_extension",
        "fts3_tokenizer",
        "sqlite_version",
        "sqlite_source_id",
        "sqlite_compileoption_get",
        "sqlite_compileoption_used",
        "sqlite_offset",
        NULL,
    };

    return !listed(denied, name);
}

static bool module_permitted(const char *name)
{
    static const char *const modules[] = {"fts5", "fts5vocab", "rtree", NULL};

    return listed(modules, name);
}

static bool action_permitted(int action, const char *a, const char *b)
{
    switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_CREATE_TEMP_INDEX:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
        return false;
    case SQLITE_PRAGMA:
        return pragma_permitted(a);
    case SQLITE_FUNCTION:
        return function_permitted(b);
    case SQLITE_CREATE_VTABLE:
        return module_permitted(b) && !is_reserved(a);
    case SQLITE_READ:
    case SQLITE_UPDATE:
        return !is_reserved(a); /* b is a column */
    default:
        return !is_reserved(a) && !is_reserved(b);
    }
}

int sql__authorize(void *arg, int action, const char *a, const char *b, const char *schema,
                   const char *trigger)
{
    struct db *db = arg;

    if (db->trusted > 0)
        return SQLITE_OK;
    db->alters |= action == SQLITE_ALTER_TABLE;
    if (action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT) {
        db->denied_transaction = true;
        return SQLITE_DENY;
    }
    return action_permitted(action, a, b) ? SQLITE_OK : SQLITE_DENY;
}

/* --- errors --- */

static const char *code_name(int rc)
{
    static const char *const names[] = {
        [SQLITE_ERROR] = "SQLITE_ERROR",         [SQLITE_INTERNAL] = "SQLITE_INTERNAL",
        [SQLITE_PERM] = "SQLITE_PERM",           [SQLITE_ABORT] = "SQLITE_ABORT",
        [SQLITE_BUSY] = "SQLITE_BUSY",           [SQLITE_LOCKED] = "SQLITE_LOCKED",
        [SQLITE_NOMEM] = "SQLITE_NOMEM",         [SQLITE_READONLY] = "SQLITE_READONLY",
        [SQLITE_INTERRUPT] = "SQLITE_INTERRUPT", [SQLITE_IOERR] = "SQLITE_IOERR",
        [SQLITE_CORRUPT] = "SQLITE_CORRUPT",     [SQLITE_NOTFOUND] = "SQLITE_NOTFOUND",
        [SQLITE_FULL] = "SQLITE_FULL",           [SQLITE_CANTOPEN] = "SQLITE_CANTOPEN",
        [SQLITE_PROTOCOL] = "SQLITE_PROTOCOL",   [SQLITE_SCHEMA] = "SQLITE_SCHEMA",
        [SQLITE_TOOBIG] = "SQLITE_TOOBIG",       [SQLITE_CONSTRAINT] = "SQLITE_CONSTRAINT",
        [SQLITE_MISMATCH] = "SQLITE_MISMATCH",   [SQLITE_MISUSE] = "SQLITE_MISUSE",
        [SQLITE_NOLFS] = "SQLITE_NOLFS",         [SQLITE_AUTH] = "SQLITE_AUTH",
        [SQLITE_RANGE] = "SQLITE_RANGE",         [SQLITE_NOTADB] = "SQLITE_NOTADB",
    };
    const size_t i = (size_t)(rc & 0xff);

    return i < COUNT_OF(names) && names[i] ? names[i] : "SQLITE_ERROR";
}

static const char *constraint_name(int rc)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_CHECK:
        return "SQLITE_CONSTRAINT_CHECK";
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return "SQLITE_CONSTRAINT_FOREIGNKEY";
    case SQLITE_CONSTRAINT_NOTNULL:
        return "SQLITE_CONSTRAINT_NOTNULL";
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return "SQLITE_CONSTRAINT_PRIMARYKEY";
    case SQLITE_CONSTRAINT_TRIGGER:
        return "SQLITE_CONSTRAINT_TRIGGER";
    case SQLITE_CONSTRAINT_UNIQUE:
        return "SQLITE_CONSTRAINT_UNIQUE";
    case SQLITE_CONSTRAINT_ROWID:
        return "SQLITE_CONSTRAINT_ROWID";
    case SQLITE_CONSTRAINT_DATATYPE:
        return "SQLITE_CONSTRAINT_DATATYPE";
    case SQLITE_CONSTRAINT_COMMITHOOK:
        return "SQLITE_CONSTRAINT_COMMITHOOK";
    default:
        return NULL;
    }
}

/* "TEXT at offset N: CODE (extended: CODE)". */
static void describe(struct db *db, int rc, struct err_note *ret)
{
    const int offset = sqlite3_error_offset(db->sq);
    const char *extended = constraint_name(rc);
    char where[40] = "";

    if (offset >= 0)
        snprintf(where, sizeof(where), " at offset %d", offset);
    (void)err_notef(ret, 0, "%s%s: %s%s%s%s", sqlite3_errmsg(db->sq), where, code_name(rc),
                    extended ? " (extended: " : "", extended ? extended : "", extended ? ")" : "");
}

static int fail(struct db *db, int rc, struct err_note *note)
{
    struct err_note said = {0};
    int r;

    if (db->denied_transaction)
        return err_notef(note, -ERR_SQL, "%s", USE_TRANSACTION);
    describe(db, rc, &said);
    r = db__error(db, rc, note);
    return err_notef(note, r, "%s", said.text);
}

/* --- compiling --- */

static void free_compiled(struct compiled *c)
{
    sqlite3_finalize(c->st);
    mem_free((void *)c->text.p);
    mem_free(c);
}

static struct compiled *find_cached(struct db *db, struct slice query)
{
    const uint64_t hash = map_hash(query);
    struct list *it, *tmp;

    LIST_EACH (&db->cache, it, tmp) {
        struct compiled *c = LIST_ITEM(it, struct compiled, node);

        if (c->hash != hash || !slice_eq(c->text, query))
            continue;
        list_del(&c->node);
        db->cached--;
        return c;
    }
    return NULL;
}

/* Back into the cache, at the front; the one that waited longest goes. */
static void give_back(struct db *db, struct compiled *c)
{
    if (!c->text.p) {
        free_compiled(c);
        return;
    }
    (void)sqlite3_reset(c->st);
    (void)sqlite3_clear_bindings(c->st);
    list_add_head(&db->cache, &c->node);
    if (++db->cached <= STORE_SQL_CACHE)
        return;
    c = LIST_ITEM(db->cache.prev, struct compiled, node);
    list_del(&c->node);
    db->cached--;
    free_compiled(c);
}

/* The authorizer is not told the new name of a table. */
static bool renames_to_reserved(const struct db *db, struct slice text)
{
    for (size_t i = 0; db->alters && i + 4 <= text.n; i++)
        if (is_reserved((const char *)text.p + i))
            return true;
    return false;
}

/* Length of the space or comment that s begins with, 0 for none. */
static size_t blank_length(struct slice s)
{
    ptrdiff_t end;

    if (strchr(" \t\r\n\f", s.p[0]))
        return 1;
    if (slice_starts(s, SLICE("--")))
        return (end = slice_find(s, '\n')) < 0 ? s.n : (size_t)end + 1;
    if (slice_starts(s, SLICE("/*")))
        return (end = slice_find_slice(slice_sub(s, 2, s.n), SLICE("*/"))) < 0 ? s.n
                                                                               : (size_t)end + 4;
    return 0;
}

static void skip_blank(struct slice *s)
{
    size_t n;

    while (s->n && (n = blank_length(*s)))
        (void)slice_take(s, n);
}

/* Takes the next statement off the front of *query, and the blanks behind it. */
static int compile(struct db *db, struct slice *query, struct compiled **ret, struct err_note *note)
{
    const char *sql = (const char *)query->p, *tail;
    sqlite3_stmt *st;
    int rc;

    db->denied_transaction = db->alters = false;
    rc = sqlite3_prepare_v3(db->sq, sql, (int)query->n, SQLITE_PREPARE_PERSISTENT, &st, &tail);
    if (rc != SQLITE_OK)
        return fail(db, rc, note);
    if (!st) /* a lone semicolon */
        return err_notef(note, -ERR_SQL, "SQL code did not contain a statement.");
    const struct slice text = slice_take(query, (size_t)(tail - sql));
    if (renames_to_reserved(db, text)) {
        sqlite3_finalize(st);
        return err_notef(note, -ERR_SQL, "not authorized: SQLITE_AUTH");
    }
    skip_blank(query);
    *ret = mem_new(sizeof(**ret));
    (*ret)->st = st;
    return 0;
}

/* --- running --- */

/* Steps once, counting what was written. 1: a row, 0: done, or an error. */
static int step(struct db *db, sqlite3_stmt *st, uint64_t *written, struct err_note *note)
{
    const int64_t before = sqlite3_total_changes64(db->sq);
    int rc, r;

    if (!sqlite3_stmt_readonly(st) && (r = db__write(db, note)) < 0)
        return r;
    db->denied_transaction = false;
    rc = sqlite3_step(st);
    *written += (uint64_t)(sqlite3_total_changes64(db->sq) - before);
    if (rc == SQLITE_ROW || rc == SQLITE_DONE)
        return rc == SQLITE_ROW;
    return fail(db, rc, note);
}

static int bind_one(sqlite3_stmt *st, int i, const struct sql_value *v)
{
    switch (v->type) {
    case SQL_INTEGER:
        return sqlite3_bind_int64(st, i, v->i);
    case SQL_REAL:
        return sqlite3_bind_double(st, i, v->r);
    case SQL_TEXT:
        return sqlite3_bind_text64(st, i, v->bytes.n ? (const char *)v->bytes.p : "", v->bytes.n,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(st, i, v->bytes.n ? (const void *)v->bytes.p : "", v->bytes.n,
                                   SQLITE_TRANSIENT);
    case SQL_NULL:
        break;
    }
    return sqlite3_bind_null(st, i);
}

static int bind_all(struct db *db, sqlite3_stmt *st, const struct sql_value *bindings, size_t n,
                    struct err_note *note)
{
    int rc;

    if ((size_t)sqlite3_bind_parameter_count(st) != n)
        return err_notef(note, -ERR_SQL, "Wrong number of parameter bindings for SQL query.");
    for (size_t i = 0; i < n; i++)
        if ((rc = bind_one(st, (int)i + 1, &bindings[i])) != SQLITE_OK)
            return fail(db, rc, note);
    return 0;
}

/* All statements but the last run to their end; they take no bindings. */
static int run_through(struct db *db, struct compiled *c, uint64_t *written, struct err_note *note)
{
    int r;

    if (sqlite3_bind_parameter_count(c->st) > 0)
        return err_notef(note, -ERR_SQL,
                         "When executing multiple SQL statements in a single call, only the last "
                         "statement can have parameters.");
    while ((r = step(db, c->st, written, note)) > 0)
        ;
    return r;
}

/* Compiles all and runs all but the last, which is returned. A query of one statement is worth
 * keeping. */
static int prepare_last(struct db *db, struct slice query, struct compiled **ret, uint64_t *written,
                        struct err_note *note)
{
    struct slice rest = query;
    struct compiled *c = NULL;
    bool alone = true;
    int r;

    if ((*ret = find_cached(db, query)))
        return 0;
    for (skip_blank(&rest);; alone = false) {
        if (rest.n == 0)
            return err_notef(note, -ERR_SQL, "SQL code did not contain a statement.");
        if ((r = compile(db, &rest, &c, note)) < 0)
            return r;
        if (rest.n == 0)
            break;
        r = run_through(db, c, written, note);
        free_compiled(c);
        if (r < 0)
            return r;
    }
    if (alone) {
        c->hash = map_hash(query);
        c->text = slice_make(slice_dup(query), query.n);
    }
    *ret = c;
    return 0;
}

/* --- the cursor --- */

static void keep_names(struct sql_cursor *c)
{
    c->columns = sqlite3_column_count(c->stmt->st);
    c->names = mem_new(sizeof(*c->names) * (size_t)MAX(c->columns, 1));
    for (int i = 0; i < c->columns; i++)
        c->names[i] = slice_dup(slice_str(sqlite3_column_name(c->stmt->st, i)));
}

/* Done with the statement, not with the cursor. */
static void finish(struct sql_cursor *c)
{
    if (!c->stmt)
        return;
    c->read = MAX(c->returned,
                  (uint64_t)sqlite3_stmt_status(c->stmt->st, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1));
    list_del(&c->node);
    give_back(c->db, c->stmt);
    c->stmt = NULL;
    c->has_row = false;
}

int sql_exec(struct db *db, struct slice query, const struct sql_value *bindings, size_t n,
             struct sql_cursor **ret_cursor, struct err_note *note)
{
    struct compiled *stmt;
    uint64_t written = 0;
    int r;

    if ((r = db__open(db, true, note)) < 0 ||
        (r = prepare_last(db, query, &stmt, &written, note)) < 0)
        return r;
    if ((r = bind_all(db, stmt->st, bindings, n, note)) < 0 ||
        (r = step(db, stmt->st, &written, note)) < 0) {
        give_back(db, stmt);
        return r;
    }
    struct sql_cursor *c = mem_new(sizeof(*c));

    *c = (struct sql_cursor){.db = db, .stmt = stmt, .has_row = r > 0, .written = written};
    list_add_tail(&db->cursors, &c->node);
    keep_names(c);
    if (!c->has_row)
        finish(c);
    *ret_cursor = c;
    return 0;
}

int sql_next(struct sql_cursor *c, struct err_note *note)
{
    int r = 1;

    if (!c->stmt)
        return 0;
    if (c->returned > 0)
        r = step(c->db, c->stmt->st, &c->written, note);
    if (r > 0)
        c->returned++;
    else
        finish(c);
    return r;
}

int sql_columns(const struct sql_cursor *c)
{
    return c->columns;
}

struct slice sql_column_name(const struct sql_cursor *c, int column)
{
    return slice_str(c->names[column]);
}

struct sql_value sql_column(const struct sql_cursor *c, int column)
{
    sqlite3_stmt *st = c->stmt->st;
    struct sql_value v = {0};

    switch (sqlite3_column_type(st, column)) {
    case SQLITE_INTEGER:
        v.type = SQL_INTEGER;
        v.i = sqlite3_column_int64(st, column);
        break;
    case SQLITE_FLOAT:
        v.type = SQL_REAL;
        v.r = sqlite3_column_double(st, column);
        break;
    case SQLITE_TEXT:
        v.type = SQL_TEXT;
        v.bytes.p = sqlite3_column_text(st, column);
        v.bytes.n = (size_t)sqlite3_column_bytes(st, column);
        break;
    case SQLITE_BLOB:
        v.type = SQL_BLOB;
        v.bytes.p = sqlite3_column_blob(st, column);
        v.bytes.n = (size_t)sqlite3_column_bytes(st, column);
        break;
    }
    return v;
}

uint64_t sql_rows_read(const struct sql_cursor *c)
{
    if (!c->stmt)
        return c->read;
    return MAX(c->returned,
               (uint64_t)sqlite3_stmt_status(c->stmt->st, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0));
}

uint64_t sql_rows_written(const struct sql_cursor *c)
{
    return c->written;
}

void sql_close(struct sql_cursor *c)
{
    if (!c)
        return;
    finish(c);
    for (int i = 0; i < c->columns; i++)
        mem_free(c->names[i]);
    mem_free(c->names);
    mem_free(c);
}

void sql__forget(struct db *db)
{
    struct list *it;

    while (!list_empty(&db->cursors)) {
        struct sql_cursor *c = LIST_ITEM(db->cursors.next, struct sql_cursor, node);

        finish(c);
        c->db = NULL;
    }
    while ((it = list_pop(&db->cache)))
        free_compiled(LIST_ITEM(it, struct compiled, node));
    db->cached = 0;
}
