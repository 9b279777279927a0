/*
 * HTTP/1.1, both sides. Byte 0 chooses side and limits, bytes 1 and 2 the cuts; the rest is wire.
 * Whatever the cuts, the same is heard; bodies stay within their limit; a head that was heard and
 * is written again is heard again.
 */
#include <stdlib.h>

#include "lib/hear_http1.h"
#include "wire/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void write_again(const struct http1_head *h, enum http1_side side, struct buf *out)
{
    if (side == HTTP1_REQUESTS)
        expect(http1_put_request(out, h->method, h->target) == 0);
    else
        expect(http1_put_status(out, h->status, h->reason) == 0);
    for (uint32_t i = 0; i < h->count; i++)
        expect(http1_put_field(out, h->fields[i].name, h->fields[i].value) == 0);
    expect(http1_put_end(out) == 0);
}

static void check_round_trip(enum http1_side side, struct slice wire)
{
    static const struct http1_limits roomy = {1 << 20, 1 << 20, HTTP1_FIELDS_MAX, UINT64_MAX};
    static struct http1_head head, again;
    CLEANUP(buf_done) struct buf out = {.max = SIZE_MAX};
    CLEANUP(buf_done) struct buf first = {.max = SIZE_MAX};
    CLEANUP(buf_done) struct buf second = {.max = SIZE_MAX};
    struct http1_decoder d;
    struct slice in, bytes;

    http1_init(&d, side, &roomy);
    if (http1_next(&d, &wire, &head, &bytes) != HTTP1_HEAD || head.minor == 0)
        return;
    /* An empty reason is written as the registered one. */
    if (side == HTTP1_RESPONSES && head.reason.n == 0)
        return;
    write_again(&head, side, &out);
    in = buf_slice(&out);
    http1_init(&d, side, &roomy);
    expect(http1_next(&d, &in, &again, &bytes) == HTTP1_HEAD && in.n == 0);
    http1_tell_head(&first, side, &head);
    http1_tell_head(&second, side, &again);
    expect(slice_eq(buf_slice(&first), buf_slice(&second)));
}

/* A handshake that is taken has a key that can be answered. */
static void check_handshake(struct slice wire)
{
    static const struct http1_limits roomy = {1 << 20, 1 << 20, HTTP1_FIELDS_MAX, UINT64_MAX};
    static struct http1_head head;
    struct http1_decoder d;
    struct slice bytes, key;
    char accept[WS_ACCEPT_SIZE + 1];

    http1_init(&d, HTTP1_REQUESTS, &roomy);
    if (http1_next(&d, &wire, &head, &bytes) != HTTP1_HEAD || !ws_is_upgrade(&head) ||
        ws_check_request(&head, &key) < 0)
        return;
    expect(key.n == WS_KEY_SIZE);
    ws_accept(key, accept);
    expect(strlen(accept) == WS_ACCEPT_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct http1_limits limits[] = {
        {8192, 16384, 100, 1 << 20},
        {40, 60, 4, 10},
    };
    CLEANUP(buf_done) struct buf whole = {.max = SIZE_MAX};
    CLEANUP(buf_done) struct buf cut = {.max = SIZE_MAX};
    const struct http1_limits *limit;
    enum http1_side side;
    struct slice wire;
    bool to_head;

    if (n < 3)
        return 0;
    side = data[0] & 1 ? HTTP1_RESPONSES : HTTP1_REQUESTS;
    to_head = data[0] & 2;
    limit = &limits[data[0] >> 2 & 1];
    wire = slice_make(data + 3, n - 3);
    const uint64_t heard = http1_hear(&whole, side, to_head, limit, wire, (struct cuts){0});

    expect(heard <= wire.n);
    (void)http1_hear(&cut, side, to_head, limit, wire, (struct cuts){data[1], 1u + data[2]});
    expect(slice_eq(buf_slice(&whole), buf_slice(&cut)));
    check_round_trip(side, wire);
    check_handshake(wire);
    return 0;
}
