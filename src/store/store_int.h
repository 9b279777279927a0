/* What the files of store/ share. */
#ifndef STORE_STORE_INT_H
#define STORE_STORE_INT_H

#include <sqlite3.h>

#include "base/list.h"
#include "base/map.h"
#include "store/db.h"

enum {
    STORE_OPEN_MAX = 64,
    STORE_KEY_MAX = 2048,
    STORE_VALUE_MAX = 2 << 20,
    STORE_SAVEPOINTS = 64,
    STORE_SQL_CACHE = 32,
    STORE_BUSY_MS = 2000,
};

/* Our own statements, prepared on first use and kept while the file is open. */
enum db_stmt {
#define STMT(name, sql) name,
#include "store/stmts.def"
#undef STMT
    STMT_COUNT
};

/*
 * One actor. The connection is there while the file is open:
 *
 *   CLOSED ── db__open ──► CLEAN ── db__write ──► DIRTY (BEGIN) ── commit, rollback ──► CLEAN
 *                            ▲ least recently used, without cursors: closed again
 */
struct db {
    struct store *store;
    uint32_t handle;
    struct slice class_key; /* the three live in one block, `names` */
    struct slice id;
    struct slice name;
    char *names;
    char *path;

    sqlite3 *sq; /* NULL: CLOSED */
    sqlite3_stmt *stmts[STMT_COUNT];
    struct list lru;   /* in store->open while the file is open */
    struct list dirty; /* in store->dirty while DIRTY */
    bool migrated;     /* our tables are there */
    bool emptied;      /* by db_delete_all: the file may go when it is closed */
    bool absent;       /* there was no file when we looked, and nobody else makes one */

    int depth;          /* savepoints open */
    int explicit_depth; /* of the outermost that a commit has to respect; 0: none */
    int broken;         /* a row of errors.def, negative; 0: well */
    char broken_text[200];

    bool alarm_touched;  /* its row may have changed since the last commit */
    int64_t alarm_index; /* what the index says, -1: unknown */
    int64_t alarm_new;   /* what the row says, during a commit */

    int trusted;             /* > 0: the authorizer lets everything pass */
    bool denied_transaction; /* what the authorizer saw in the statement being compiled */
    bool alters;
    struct list cursors;
    struct list cache; /* compiled single statements of the application, most recently used first */
    unsigned cached;
};

struct store {
    struct store_options o;
    char *dir;
    char *vfs;
    struct map64 actors; /* by handle */
    uint32_t last_handle;
    struct list open;  /* dbs with an open file, least recently used first */
    struct list dirty; /* dbs to commit */
    unsigned n_open;
    struct list lost; /* handles whose uncommitted writes are gone, not reported yet */
    struct db index;  /* STATE/alarms.sqlite; only its connection is used */
};

/* --- db.c */

/* Opens the file when it is there, or when make is set. 0 with db->sq NULL: there is none. */
int db__open(struct db *db, bool make, struct err_note *note);
/* For a connection that is not an actor's. */
int db__connect(struct db *db, struct err_note *note);
void db__disconnect(struct db *db);
/* Closes it for good; removes the file of an actor that deleted everything. */
void db__done(struct db *db);
/* Opens it, and the transaction and our tables when they are missing. Before every write. */
int db__write(struct db *db, struct err_note *note);
/* The statement, reset and without bindings; NULL with *ret_err. Give back with db__reset. */
sqlite3_stmt *db__stmt(struct db *db, enum db_stmt which, int *ret_err, struct err_note *note);
void db__reset(sqlite3_stmt **st); /* for CLEANUP */
/* 1: a row, 0: done, or an error. Own statements only. */
int db__step(struct db *db, sqlite3_stmt *st, struct err_note *note);
int db__run(struct db *db, const char *sql, struct err_note *note);
/* The row of errors.def for what SQLite said last, with its text; breaks the actor if it must. */
int db__error(struct db *db, int rc, struct err_note *note);
/* The error that broke it, with its text, or 0. */
int db__check(const struct db *db, struct err_note *note);
/* Commits; a failure breaks the actor. note is needed. */
int db__commit(struct db *db, struct err_note *note);
/* The first one counts. Returns err. */
int db__break(struct db *db, int err, const char *text);
bool db__file_exists(const struct db *db);

/* --- alarm.c: around the commits of a batch (alarm.h says why) */

/* Reads what the row of a dirty actor says and moves the index forward where needed. */
int alarm__before(struct db *db, struct err_note *note);
int alarm__index_commit(struct store *s, struct err_note *note);
/* The index could not be written: breaks those whose alarm changed. */
void alarm__fail(struct store *s, int err, const struct err_note *note);
/* The actor's commit succeeded: moves the index back where needed. */
void alarm__after(struct db *db);

/* --- sql.c */

int sql__authorize(void *db, int action, const char *a, const char *b, const char *schema,
                   const char *trigger);
/* Ends the cursors and drops the cache: before the connection is closed. */
void sql__forget(struct db *db);

#endif
