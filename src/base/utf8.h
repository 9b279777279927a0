/*
 * UTF-8 as RFC 3629 and the Unicode standard's table 3-7 define it, checked as it arrives: one byte
 * of state, bad input is refused at the first byte that cannot continue.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Zero is the beginning. */
struct utf8 {
    uint8_t state;
};

/* False at the first byte that makes the text invalid; and from then on for this text. */
bool utf8_next(struct utf8 *u, struct slice in);
/* True when the text may end here: not inside a character. */
bool utf8_is_complete(const struct utf8 *u);
/* A whole text at once. */
bool utf8_is_valid(struct slice s);
/* Length of the longest prefix of s, at most max bytes, that does not cut a character (s valid). */
size_t utf8_clip(struct slice s, size_t max);
/* How many bytes at the front are ASCII. */
size_t utf8_ascii(struct slice s);

#endif
