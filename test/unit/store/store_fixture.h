/* A store in a fresh folder, and short verbs on its first actor. */
#ifndef TEST_UNIT_STORE_FIXTURE_H
#define TEST_UNIT_STORE_FIXTURE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"
#include "store/alarm.h"
#include "store/kv.h"
#include "store/sql.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
    char dir[64];
    struct store_options options;
    struct store *store;
    struct db *db;
    uint32_t actor;
    struct err_note note;
    int failures;
    int last_error;
    char text[512];
};

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    return remove(path);
}

static inline void reopen(struct fixture *f)
{
    store_free(f->store);
    f->store = store_new(&f->options, &f->note);
    assert_non_null(f->store);
    f->actor = store_open(f->store, SLICE("chat-Room"), SLICE(ID_A), SLICE("lobby"));
    assert_int_not_equal(f->actor, 0);
    f->db = store_find(f->store, f->actor);
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/holdfast-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->options.dir = f->dir;
    reopen(f);
}

static inline void fixture_done(struct fixture *f)
{
    store_free(f->store);
    nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void count_failure(void *ctx, uint32_t actor, int err, const char *text)
{
    struct fixture *f = ctx;

    f->failures++;
    f->last_error = err;
    snprintf(f->text, sizeof(f->text), "%s", text);
}

static inline int commit_all(struct fixture *f)
{
    return store_commit_dirty(f->store, count_failure, f);
}

static inline int put(struct fixture *f, const char *key, const char *value)
{
    return kv_put(f->db, slice_str(key), slice_str(value), &f->note);
}

/* The value, "-" for none, "!" for an error. Good until the next call. */
static inline const char *get(struct fixture *f, const char *key)
{
    CLEANUP(buf_done) struct buf b;
    const int r = (buf_init(&b, 400), kv_get(f->db, slice_str(key), &b, &f->note));

    snprintf(f->text, sizeof(f->text), "%.*s", SLICE_FMT(buf_slice(&b)));
    return r < 0 ? "!" : r == 0 ? "-" : f->text;
}

static inline bool file_of(struct fixture *f, const char *suffix)
{
    char path[300];

    snprintf(path, sizeof(path), "%s/%s", f->dir, suffix);
    return access(path, F_OK) == 0;
}

/* All rows as text: columns with ",", rows with ";". "!" and the error's text when it fails. */
static inline const char *sql(struct fixture *f, const char *query)
{
    struct sql_cursor *c;
    size_t n = 0;

    f->text[0] = '\0';
    if (sql_exec(f->db, slice_str(query), NULL, 0, &c, &f->note) < 0) {
        snprintf(f->text, sizeof(f->text), "!%.500s", f->note.text);
        return f->text;
    }
    while (sql_next(c, &f->note) > 0) {
        for (int i = 0; i < sql_columns(c); i++) {
            const struct sql_value v = sql_column(c, i);
            const char *sep = i ? "," : n ? ";" : "";

            if (v.type == SQL_INTEGER)
                n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%lld", sep,
                                      (long long)v.i);
            else if (v.type == SQL_REAL)
                n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%g", sep, v.r);
            else if (v.type == SQL_NULL)
                n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%snull", sep);
            else
                n += (size_t)snprintf(f->text + n, sizeof(f->text) - n, "%s%.*s", sep,
                                      SLICE_FMT(v.bytes));
        }
    }
    sql_close(c);
    return f->text;
}

#endif
