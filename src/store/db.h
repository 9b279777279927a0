/*
 * The database of one actor: transactions, and the errors that all of store/ shares.
 *
 * Every write joins the transaction that store_commit_dirty ends. db_begin opens an explicit one in
 * it: store_commit_dirty leaves the actor alone until db_release or db_rollback closed the
 * outermost.
 *
 * Errors: -ERR_SQL is the application's mistake and leaves the actor as it was; -ERR_STORE_LIMIT is
 * a documented limit; -ERR_STORE_FULL, -ERR_STORE_IO and -ERR_STORE_CORRUPT are the disk's (store.h
 * says when they break the actor). The note has SQLite's text with its code.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include "store/store.h"

/* Has uncommitted writes. */
bool db_is_dirty(const struct db *db);
/* The error that broke it, or 0. */
int db_broken(const struct db *db);

/*
 * A savepoint named by its depth, which is returned (1 for the outermost). What was written before
 * the outermost is committed first. At most 64 deep: -ERR_STORE_LIMIT.
 */
int db_begin(struct db *db, struct err_note *note);
/* Keeps (release) or undoes (rollback) everything since the savepoint `depth`, deeper ones too. */
int db_release(struct db *db, int depth, struct err_note *note);
int db_rollback(struct db *db, int depth, struct err_note *note);
/* How many savepoints are open. */
int db_depth(const struct db *db);
/* A savepoint that store_commit_dirty need not respect: it ends within the same turn. Same
 * contract, but what was written before stays uncommitted. */
int db_begin_sync(struct db *db, struct err_note *note);

/* Bytes of the database, uncommitted pages included. */
int db_size(struct db *db, uint64_t *ret_bytes, struct err_note *note);
/* Everything goes: keys, the application's tables, and the alarm when asked. -ERR_STORE_BUSY inside
 * an explicit transaction. */
int db_delete_all(struct db *db, bool alarm_too, struct err_note *note);

#endif
