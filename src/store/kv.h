/*
 * Keys and values of an actor: one table, ordered by the bytes of the key (UTF-8).
 *
 * Values are opaque. An actor without a file answers every read without making one.
 */
#ifndef STORE_KV_H
#define STORE_KV_H

#include "store/db.h"

/* 1 and the value appended to ret_value, 0 when there is no such key. */
int kv_get(struct db *db, struct slice key, struct buf *ret_value, struct err_note *note);
/* -ERR_STORE_LIMIT when key or value is over its limit. */
int kv_put(struct db *db, struct slice key, struct slice value, struct err_note *note);
/* 1 when it was there. */
int kv_delete(struct db *db, struct slice key, struct err_note *note);

/* Keys in [start, end), both optional, all beginning with prefix. */
struct kv_range {
    struct slice start;
    struct slice end;
    struct slice prefix;
    bool has_start;
    bool start_exclusive; /* startAfter */
    bool has_end;
    bool reverse;
    uint64_t limit; /* 0: none */
};

/* Called for each pair, borrowed during the call; nonzero ends the list. It may not call kv_ or
 * sql_. */
typedef int kv_pair_fn(void *ctx, struct slice key, struct slice value);

/* How many pairs were given, or an error. */
int kv_list(struct db *db, const struct kv_range *range, kv_pair_fn *on_pair, void *ctx,
            struct err_note *note);

#endif
