/* What the GRIP codecs share: JSON of a peer, and what becomes of it in an arena. */
#ifndef WIRE_GRIP_INT_H
#define WIRE_GRIP_INT_H

#include <jansson.h>

#include "wire/grip.h"
#include "wire/tnet.h"

/* json_decref for CLEANUP. */
static inline void grip__drop(json_t **j)
{
    json_decref(*j);
}

/* Any JSON text; NULL when it is none. */
json_t *grip__json(struct slice text);
/* A tnetstring as a tree of the same shape; strings hold any bytes. NULL when it is malformed, or
 * deeper than 32. */
json_t *grip__tnet(struct slice text);
/* The same of one that has been read. */
json_t *grip__tree(struct tnet t);

/* A string's bytes, borrowed from j. */
static inline struct slice grip__string(const json_t *j)
{
    return slice_make(json_string_value(j), json_string_length(j));
}

/* An integer, a whole real or a string of digits. */
bool grip__number(const json_t *j, int64_t *ret);

/* Base64 as others decode it: characters that are not of it are passed over. */
struct slice grip__base64(struct arena *a, struct slice text);

/* A copy of an object of strings; false at the first value that is none, with its key (borrowed
 * from object). */
bool grip__pairs(struct arena *a, json_t *object, struct grip_pair **ret, size_t *ret_n,
                 struct slice *ret_key);

/* What is wrong with header fields; UNFIT: not for a head, by name or value. */
enum grip__fault { GRIP_FINE, GRIP_ELEMENT_TYPE, GRIP_PAIR_LENGTH, GRIP_VALUE_TYPE, GRIP_UNFIT };

/* Copies header fields: an object of strings, or a list of pairs. Key (of VALUE_TYPE and UNFIT):
 * whose value is wrong; borrowed from fields or the arena. */
enum grip__fault grip__fields(struct arena *a, json_t *fields, struct grip_pair **ret,
                              size_t *ret_n, struct slice *ret_key);

/* --- instructions --- */

/* "name=value", trimmed; without "=" the value is empty. */
void grip__halves(struct slice part, struct slice *ret_name, struct slice *ret_value);
/* A copy of a token, or of what a quoted string says. */
struct slice grip__unquote(struct arena *a, struct slice value);

/* Adds a filter that we know, where there is room. Always 1: how many were named. */
unsigned grip__add_filter(struct grip_filters *f, struct slice name);
/* Adds a channel, unless it is there, or there are very many. */
void grip__add_channel(struct grip_instruct *g, const struct grip_channel *c);
/* Sets a name, in the arena like its value, of the metadata. */
void grip__add_meta(struct grip_instruct *g, struct slice name, struct slice value);

int grip__read_head(struct grip_instruct *g, struct slice head, struct err_note *note);
/* status: of the response that has this body. */
int grip__read_body(struct grip_instruct *g, unsigned status, struct slice body,
                    struct err_note *note);

#endif
