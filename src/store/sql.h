/*
 * The application's own SQL on an actor's database, with the limits of the platform.
 *
 * All statements of a query run at once; bindings belong to the last, and its rows are read through
 * a cursor. Refused by an authorizer: transactions and savepoints, ATTACH, names beginning with
 * `_cf_`, pragmas that are not on the list, VACUUM, extension loading. Compiled single statements
 * are cached.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "store/db.h"

struct sql_cursor;

enum sql_type { SQL_NULL, SQL_INTEGER, SQL_REAL, SQL_TEXT, SQL_BLOB };

/* A binding or a column. Columns are borrowed until the next sql_ call on the database. */
struct sql_value {
    enum sql_type type;
    int64_t i;
    double r;
    struct slice bytes; /* TEXT (UTF-8) or BLOB */
};

/*
 * Runs the query. *ret_cursor stands before the first row; close it with sql_close. -ERR_SQL with
 * SQLite's text in the note: "near \"x\": syntax error at offset 0: SQLITE_ERROR".
 */
int sql_exec(struct db *db, struct slice query, const struct sql_value *bindings, size_t n,
             struct sql_cursor **ret_cursor, struct err_note *note);
int sql_columns(const struct sql_cursor *c);
struct slice sql_column_name(const struct sql_cursor *c, int column);
/* 1 with a row, 0 at the end (the statement is given back then), or an error. */
int sql_next(struct sql_cursor *c, struct err_note *note);
struct sql_value sql_column(const struct sql_cursor *c, int column);
uint64_t sql_rows_read(const struct sql_cursor *c);
uint64_t sql_rows_written(const struct sql_cursor *c);
/* Frees it; NULL is nothing. store_close ends all cursors of an actor: they then answer 0. */
void sql_close(struct sql_cursor *c);

#endif
