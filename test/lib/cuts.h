/*
 * One input, cut in different ways: a decoder must say the same whatever the cuts. A `hear`
 * function gives the decoder the wire in pieces and writes what it hears as text.
 */
#ifndef TEST_LIB_CUTS_H
#define TEST_LIB_CUTS_H

#include "base/bytes.h"

/* The first piece is `first` bytes long, those behind it `step` bytes (0: all the rest at once). */
struct cuts {
    size_t first;
    size_t step;
};

static inline size_t cuts_take(const struct cuts *c, size_t at, size_t left)
{
    const size_t n = at < c->first ? c->first - at : c->step ? c->step : left;

    return MIN(n, left);
}

#endif
