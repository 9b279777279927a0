/*
 * First byte: 'B' a publish body, 'Z' a message of ZeroMQ, 'L' what is in a list, 'P' a
 * document, a NUL and its patch. Oracles: an item that is accepted is fit for what carries it; a
 * refusal has a text and leaves nothing; a patch's result is JSON and within its bound.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "wire/grip_item.h"
#include "wire/http1.h"
#include "wire/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_format(const struct grip_format *f, enum grip_kind kind)
{
    check(f->content_filters.n <= GRIP_FILTERS_MAX);
    if (kind == GRIP_HTTP_RESPONSE) {
        check(f->code == 0 || (f->code >= 100 && f->code <= 999));
        check(http1_is_value(f->reason));
        for (size_t i = 0; i < f->n_fields; i++)
            check(http1_is_token(f->fields[i].name) && http1_is_value(f->fields[i].value));
    }
    if (kind == GRIP_WS_MESSAGE && f->has && f->action == GRIP_CLOSE)
        check(ws_is_close_code(f->code));
    if (kind == GRIP_WS_MESSAGE && f->has && f->type == GRIP_WS_TEXT)
        check(utf8_is_valid(f->content));
}

static void check_items(int r, struct grip_items *items, const struct err_note *note)
{
    check(r == 0 || (r == -ERR_SYNTAX && note->text[0]));
    for (size_t i = 0; i < items->n; i++) {
        for (unsigned kind = 0; kind < GRIP_KINDS; kind++)
            check_format(&items->items[i].formats[kind], kind);
        check(items->items[i].size >= -1);
    }
    grip_items_done(items);
}

static void patch(struct slice in)
{
    const ptrdiff_t at = slice_find(in, 0);
    struct buf out, again;

    if (at < 0)
        return;
    buf_init(&out, 4096);
    buf_init(&again, 4096);
    if (grip_patch(&out, slice_sub(in, 0, (size_t)at), slice_sub(in, (size_t)at + 1, in.n)) == 0) {
        check(out.n <= out.max);
        check(grip_patch(&again, buf_slice(&out), SLICE("[]")) == 0);
        check(slice_eq(buf_slice(&out), buf_slice(&again)));
    } else
        check(out.n == 0);
    buf_done(&out);
    buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    const struct slice topic = SLICE("topic"), in = slice_make(p + 1, n ? n - 1 : 0);
    struct grip_items items = {0};
    struct err_note note = {0};
    const uint8_t what = n ? p[0] : 0;

    if (what == 'B')
        check_items(grip_items_parse(in, &items, &note), &items, &note);
    else if (what == 'Z')
        check_items(grip_item_parse_zmq(in, in.n & 1 ? &topic : NULL, &items, &note), &items,
                    &note);
    else if (what == 'L')
        check_items(grip_items_parse_tnet((struct tnet){TNET_LIST, in}, &items, &note), &items,
                    &note);
    else if (what == 'P')
        patch(in);
    return 0;
}
