/*
 * permessage-deflate: no offer and no compressed message may crash, pass its bound, or come back
 * changed. First byte: what is tried; second: window and bound; the rest is wire.
 */
#include <assert.h>
#include <stdlib.h>

#include "wire/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void negotiate(struct slice offers, bool takeover)
{
    const struct deflate_policy policy = {.bits = 12, .takeover = takeover};
    struct deflate_policy wish;
    struct deflate_terms t, again;
    struct buf answer;

    buf_init(&answer, 300);
    if (deflate_accept(offers, &policy, &t, &answer) == 1) {
        assert(t.server_bits >= 9 && t.server_bits <= 12);
        assert(t.client_bits >= DEFLATE_BITS_MIN && t.client_bits <= DEFLATE_BITS_MAX);
        /* Our own answer, offered, is agreed to again. */
        buf_clear(&answer);
        assert(deflate_accept(SLICE("permessage-deflate"), &policy, &again, &answer) == 1);
    }
    (void)deflate_check(offers, &policy, &t);
    wish = policy;
    (void)deflate_wish(offers, &wish);
    assert(wish.bits <= policy.bits && (takeover || !wish.takeover));
    buf_done(&answer);
}

static void expand_twice(struct slice wire, uint8_t bits, size_t max)
{
    struct deflate_pair *p = deflate_pair_new(1);
    struct buf out, small, back;

    buf_init(&out, max + 1);
    buf_init(&small, 1 << 20);
    buf_init(&back, max + 1);
    if (inflate_message(p, bits, true, wire, max, &out) >= 0) {
        assert(out.n <= max);
        assert(deflate_message(p, 15, true, buf_slice(&out), &small) == 0);
        assert(inflate_message(p, 15, true, buf_slice(&small), max, &back) == 0);
        assert(slice_eq(buf_slice(&back), buf_slice(&out)));
    } else {
        assert(out.n == 0);
    }
    buf_clear(&out);
    (void)inflate_message(p, bits, false, wire, max, &out);
    assert(out.n <= max);
    buf_done(&out);
    buf_done(&small);
    buf_done(&back);
    deflate_pair_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    if (data[0] & 1)
        negotiate(slice_make(data + 2, n - 2), data[1] & 1);
    else
        expand_twice(slice_make(data + 2, n - 2), (uint8_t)(8 + data[1] % 8),
                     (size_t)(data[1] / 8) * 1000);
    return 0;
}
