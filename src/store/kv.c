#include "store/kv.h"

#include "store/store_int.h"

static int check_key(const struct db *db, struct slice key, struct err_note *note)
{
    if (key.n <= db->store->o.key_max)
        return 0;
    return err_notef(note, -ERR_STORE_LIMIT,
                     "Keys cannot be larger than %u bytes. A key of size %zu was provided.",
                     db->store->o.key_max, key.n);
}

static int check_value(const struct db *db, struct slice value, struct err_note *note)
{
    if (value.n <= db->store->o.value_max)
        return 0;
    return err_notef(note, -ERR_STORE_LIMIT,
                     "Values cannot be larger than %u bytes. A value of size %zu was provided.",
                     db->store->o.value_max, value.n);
}

static void bind_text(sqlite3_stmt *st, int i, struct slice s)
{
    sqlite3_bind_text64(st, i, s.n ? (const char *)s.p : "", s.n, SQLITE_STATIC, SQLITE_UTF8);
}

static void bind_blob(sqlite3_stmt *st, int i, struct slice s)
{
    sqlite3_bind_blob64(st, i, s.n ? (const void *)s.p : "", s.n, SQLITE_STATIC);
}

static struct slice column(sqlite3_stmt *st, int i)
{
    const void *p = sqlite3_column_blob(st, i);

    return slice_make(p, (size_t)sqlite3_column_bytes(st, i));
}

int kv_get(struct db *db, struct slice key, struct buf *ret_value, struct err_note *note)
{
    int r;

    if ((r = check_key(db, key, note)) < 0 || (r = db__open(db, false, note)) < 0 || !db->migrated)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_KV_GET, &r, note);
    if (!st)
        return r;
    bind_text(st, 1, key);
    if ((r = db__step(db, st, note)) <= 0)
        return r;
    return (r = buf_add(ret_value, column(st, 0))) < 0 ? r : 1;
}

int kv_put(struct db *db, struct slice key, struct slice value, struct err_note *note)
{
    int r;

    if ((r = check_key(db, key, note)) < 0 || (r = check_value(db, value, note)) < 0 ||
        (r = db__write(db, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_KV_PUT, &r, note);
    if (!st)
        return r;
    bind_text(st, 1, key);
    bind_blob(st, 2, value);
    return db__step(db, st, note);
}

static int has(struct db *db, struct slice key, struct err_note *note)
{
    int r;

    if ((r = db__open(db, false, note)) < 0 || !db->migrated)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_KV_GET, &r, note);
    if (!st)
        return r;
    bind_text(st, 1, key);
    return db__step(db, st, note);
}

/* A key that is not there costs no transaction. */
int kv_delete(struct db *db, struct slice key, struct err_note *note)
{
    int r;

    if ((r = check_key(db, key, note)) < 0 || (r = has(db, key, note)) <= 0 ||
        (r = db__write(db, note)) < 0)
        return r;
    CLEANUP(db__reset) sqlite3_stmt *st = db__stmt(db, STMT_KV_DELETE, &r, note);
    if (!st)
        return r;
    bind_text(st, 1, key);
    return (r = db__step(db, st, note)) < 0 ? r : 1;
}

/* --- list --- */

static int cmp(struct slice a, struct slice b)
{
    const size_t n = MIN(a.n, b.n);
    const int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* The least key that is greater than every key with this prefix; false when there is none. */
static bool successor(struct slice prefix, struct buf *out)
{
    while (prefix.n && prefix.p[prefix.n - 1] == 0xff)
        prefix.n--;
    if (prefix.n == 0)
        return false;
    (void)buf_add(out, prefix);
    out->p[out->n - 1]++;
    return true;
}

/* Where the list begins, inclusive: the later of start and prefix. */
static void lower_bound(const struct kv_range *range, struct buf *out)
{
    const bool from_prefix = !range->has_start || cmp(range->start, range->prefix) < 0;

    (void)buf_add(out, from_prefix ? range->prefix : range->start);
    if (!from_prefix && range->start_exclusive)
        (void)buf_add_byte(out, 0); /* the next key there could be */
}

/* Where it ends, exclusive; false when nothing bounds it. */
static bool upper_bound(const struct kv_range *range, struct buf *out)
{
    const bool bounded = range->prefix.n && successor(range->prefix, out);

    if (range->has_end && (!bounded || cmp(range->end, buf_slice(out)) < 0)) {
        buf_clear(out);
        (void)buf_add(out, range->end);
        return true;
    }
    return bounded;
}

static int give(struct db *db, sqlite3_stmt *st, kv_pair_fn *on_pair, void *ctx,
                struct err_note *note)
{
    int n = 0, r;

    while ((r = db__step(db, st, note)) > 0) {
        n++;
        if (on_pair(ctx, column(st, 0), column(st, 1)))
            return n;
    }
    return r < 0 ? r : n;
}

int kv_list(struct db *db, const struct kv_range *range, kv_pair_fn *on_pair, void *ctx,
            struct err_note *note)
{
    CLEANUP(buf_done) struct buf from;
    CLEANUP(buf_done) struct buf to;
    int r;

    buf_init(&from, SIZE_MAX);
    buf_init(&to, SIZE_MAX);
    if ((r = db__open(db, false, note)) < 0 || !db->migrated)
        return r;
    CLEANUP(db__reset)
    sqlite3_stmt *st = db__stmt(db, range->reverse ? STMT_KV_LIST_REVERSE : STMT_KV_LIST, &r, note);
    if (!st)
        return r;
    lower_bound(range, &from);
    bind_text(st, 1, buf_slice(&from));
    if (upper_bound(range, &to))
        bind_text(st, 2, buf_slice(&to));
    else
        bind_blob(st, 2, SLICE_NONE); /* in SQLite every blob is greater than any text */
    sqlite3_bind_int64(st, 3, range->limit ? (int64_t)MIN(range->limit, INT64_MAX) : -1);
    return give(db, st, on_pair, ctx, note);
}
