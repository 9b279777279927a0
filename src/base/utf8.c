#include "base/utf8.h"

/*
 * The state says which bytes may come next:
 *
 *   lead byte   next        then
 *   00..7F      -
 *   C2..DF      80..BF
 *   E0          A0..BF      1 more        (no overlong forms)
 *   E1..EC EE EF 80..BF     1 more
 *   ED          80..9F      1 more        (no surrogates)
 *   F0          90..BF      2 more        (no overlong forms)
 *   F1..F3      80..BF      2 more
 *   F4          80..8F      2 more        (nothing above U+10FFFF)
 */
enum state { START, MORE1, MORE2, MORE3, AFTER_E0, AFTER_ED, AFTER_F0, AFTER_F4, BAD };

static const struct {
    uint8_t low;
    uint8_t high;
    uint8_t next;
} rules[] = {
    [MORE1] = {0x80, 0xbf, START},    [MORE2] = {0x80, 0xbf, MORE1},
    [MORE3] = {0x80, 0xbf, MORE2},    [AFTER_E0] = {0xa0, 0xbf, MORE1},
    [AFTER_ED] = {0x80, 0x9f, MORE1}, [AFTER_F0] = {0x90, 0xbf, MORE2},
    [AFTER_F4] = {0x80, 0x8f, MORE2},
};

static enum state after_lead(uint8_t c)
{
    if (c < 0x80)
        return START;
    if (c < 0xc2 || c > 0xf4)
        return BAD;
    if (c < 0xe0)
        return MORE1;
    if (c < 0xf0)
        return c == 0xe0 ? AFTER_E0 : c == 0xed ? AFTER_ED : MORE2;
    return c == 0xf0 ? AFTER_F0 : c == 0xf4 ? AFTER_F4 : MORE3;
}

size_t utf8_ascii(struct slice s)
{
    size_t i = 0;

    for (; s.n - i >= 32; i += 32) {
        uint64_t w[4];

        memcpy(w, s.p + i, 32);
        if ((w[0] | w[1] | w[2] | w[3]) & 0x8080808080808080ull)
            break;
    }
    while (i < s.n && s.p[i] < 0x80)
        i++;
    return i;
}

bool utf8_next(struct utf8 *u, struct slice in)
{
    enum state state = u->state;

    for (size_t i = 0; i < in.n && state != BAD; i++) {
        const uint8_t c = in.p[i];

        if (state != START)
            state = c >= rules[state].low && c <= rules[state].high ? rules[state].next : BAD;
        else if (c < 0x80)
            i += utf8_ascii(slice_make(in.p + i, in.n - i)) - 1;
        else
            state = after_lead(c);
    }
    u->state = (uint8_t)state;
    return state != BAD;
}

bool utf8_is_complete(const struct utf8 *u)
{
    return u->state == START;
}

bool utf8_is_valid(struct slice s)
{
    struct utf8 u = {0};

    return utf8_next(&u, s) && utf8_is_complete(&u);
}

size_t utf8_clip(struct slice s, size_t max)
{
    if (s.n <= max)
        return s.n;
    while (max > 0 && (s.p[max] & 0xc0) == 0x80)
        max--;
    return max;
}
