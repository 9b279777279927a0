/* What the files of http1 share: the characters of the grammar, the parser of one whole head. */
#ifndef WIRE_HTTP1_INT_H
#define WIRE_HTTP1_INT_H

#include "wire/http1.h"

enum http1__class {
    HTTP1__TCHAR = 1,  /* RFC 9110 5.6.2: of a token */
    HTTP1__VALUE = 2,  /* of a field value: visible, blank, obs-text */
    HTTP1__TARGET = 4, /* of a request target: visible ASCII but '#' */
    HTTP1__HOST = 8,   /* RFC 3986 3.2.2: of a registered name */
};

extern const uint8_t http1__classes[256];

static inline bool http1__is(uint8_t c, enum http1__class want)
{
    return http1__classes[c] & want;
}

/* True when s is not empty and has only such characters. */
bool http1__all(struct slice s, enum http1__class want);

/* bytes: a whole head, first line to empty line, every line ending in CRLF. 0 or a negative row. */
int http1__parse(const struct http1_decoder *d, struct slice bytes, struct http1_head *ret);

#endif
