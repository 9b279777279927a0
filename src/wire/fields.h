/*
 * Field text: header fields as our parts hand them to each other, "name: value\n" each.
 */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include "base/bytes.h"

/* Takes the next field off the front of the text, its value trimmed; false at the end. Lines
 * without a name are skipped. */
bool fields_next(struct slice *text, struct slice *ret_name, struct slice *ret_value);

/* The first field of that name, in any case of letters. False, and *ret_value as it was: none. */
bool fields_find(struct slice text, struct slice name, struct slice *ret_value);

/* Appends a field as it is. -ERR_TOO_LARGE. */
int fields_put(struct buf *out, struct slice name, struct slice value);

#endif
