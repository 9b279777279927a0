/*
 * All databases of one worker process: one SQLite file per actor, opened when it is needed.
 *
 *   STATE/<class key>/<64 hex>.sqlite  an actor: key-value table, alarm, the application's tables
 *   STATE/alarms.sqlite                every alarm of every actor (alarm.h)
 *
 * An actor is named by a handle (never 0). Taking one is cheap and touches no file; the file
 * appears with the first write. What is written after the last commit is one transaction per actor:
 * store_commit_dirty ends them all, and nothing that a turn produced may leave the process before
 * it returned. The number of open files is bounded: the least recently used clean database is
 * closed and opened again when asked for.
 *
 * When uncommitted writes are lost (disk full, I/O error, corruption) the actor is broken: every
 * later call with its handle returns the same error, the next store_commit_dirty reports it, and
 * only a new handle starts again from what was committed. The same failure without uncommitted
 * writes is an error of that call alone. Nothing here logs.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/bytes.h"
#include "base/err.h"

struct store;
struct db;

struct store_options {
    const char *dir;  /* the application's state folder; made when missing */
    const char *vfs;  /* a registered SQLite VFS; NULL: SQLite's own */
    bool sync_normal; /* false: every commit is fsynced. true: a power cut may lose the last ones */
    unsigned max_open;  /* open files at once, 0: 64 */
    uint32_t key_max;   /* bytes of a key, 0: 2,048 */
    uint32_t value_max; /* bytes of a value, of a string, blob or row in SQL, 0: 2 MiB */
    uint64_t db_max;    /* bytes of an actor's file, 0: 10 GiB */
};

/*
 * NULL with a note when the folder cannot be made. The options are copied. Free with store_free,
 * which rolls back what was not committed.
 */
struct store *store_new(const struct store_options *options, struct err_note *note);
void store_free(struct store *s);
const struct store_options *store_options(const struct store *s);

/*
 * A handle for the actor `id` (64 hex digits) of the class whose stable key is `class_key`. `name`
 * is remembered with its alarms, may be empty. Two handles for one actor are a bug of the caller.
 * 0 when the id or the key cannot name a file, or 1,048,575 handles are open.
 */
uint32_t store_open(struct store *s, struct slice class_key, struct slice id, struct slice name);
/* Forgets the handle; 0 or an old handle is nothing. What was not committed is rolled back, and the
 * next store_commit_dirty reports the handle (-ERR_STORE_LOST), so that its output does not leave.
 */
void store_close(struct store *s, uint32_t actor);
/* Borrowed until store_close. NULL for an old handle. */
struct db *store_find(struct store *s, uint32_t actor);

/* A commit failed: the actor's writes since the last commit are gone, and so must be its output. */
typedef void store_failed_fn(void *ctx, uint32_t actor, int err, const char *text);

bool store_is_dirty(const struct store *s);
/*
 * Commits every actor that wrote, except those inside an explicit transaction (db_begin). Calls
 * on_failed for each that could not be; it may call store_close. Returns how many failed.
 */
int store_commit_dirty(struct store *s, store_failed_fn *on_failed, void *ctx);
/* The same for one actor, at once. 0, or the error that broke it, with a note. */
int store_commit(struct store *s, uint32_t actor, struct err_note *note);

#endif
