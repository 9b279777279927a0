/*
 * Tnetstrings: LENGTH ":" BYTES TYPE, the format of ZeroMQ publishers and commands.
 * https://tnetstrings.info (as of 2012)
 */
#ifndef WIRE_TNET_H
#define WIRE_TNET_H

#include "base/bytes.h"
#include "base/err.h"

enum tnet_type {
    TNET_STRING = ',',
    TNET_INT = '#',
    TNET_FLOAT = '^',
    TNET_BOOL = '!',
    TNET_NULL = '~',
    TNET_MAP = '}', /* keys (strings) and values in turn */
    TNET_LIST = ']',
};

/* Of a map or list, bytes hold its elements: read them with tnet_next(). */
struct tnet {
    enum tnet_type type;
    struct slice bytes; /* borrowed from the input */
};

/* Takes one value off the front of *in: 1; 0 at its end; -ERR_SYNTAX. What is within a map or list
 * is not looked at. */
int tnet_next(struct slice *in, struct tnet *ret);
/* The same, where the map's next key comes first. */
int tnet_next_pair(struct slice *in, struct slice *ret_key, struct tnet *ret_value);
/* The first value of that name in a map; false when it is absent, or t is no sound map. */
bool tnet_find(struct tnet t, struct slice name, struct tnet *ret);
/* -ERR_SYNTAX when t is not an integer, or not one of 64 bits. */
int tnet_int(struct tnet t, int64_t *ret);
int tnet_bool(struct tnet t, bool *ret);

/* --- writing --- Appends, or -ERR_TOO_LARGE and nothing appended. --- */

/* A value of any type around its bytes; for maps and lists: their elements, written before. */
int tnet_put(struct buf *out, enum tnet_type type, struct slice bytes);
int tnet_put_string(struct buf *out, struct slice s);
int tnet_put_int(struct buf *out, int64_t n);
int tnet_put_bool(struct buf *out, bool yes);
int tnet_put_null(struct buf *out);

#endif
