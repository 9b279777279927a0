/*
 * The link. Byte 0 chooses the sender, byte 1 a cut; the rest is wire. A frame that is read and
 * written again gives the same bytes; a cut one is hungry and says how much it needs.
 */
#include <stdlib.h>

#include "wire/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void expect(bool holds)
{
    if (!holds)
        abort();
}

static void walk_list(struct slice list)
{
    struct slice item;
    size_t left = list.n;

    while (ipc_list_next(&list, &item) > 0) {
        expect(list.n < left && item.n <= left);
        left = list.n;
    }
}

/* Appends the frame again when its payload fits its row. */
static int write_again(const struct ipc_frame *f, struct buf *out)
{
    walk_list(f->payload);
    switch (f->type) {
#define IPC(NAME, lower, number, direction, fields)                                                \
    case IPC_##NAME: {                                                                             \
        struct ipc_##lower m;                                                                      \
        const int r = ipc_get_##lower(f, &m);                                                      \
                                                                                                   \
        return r < 0 ? r : ipc_put_##lower(out, f->id, f->flags, &m);                              \
    }
#include "wire/ipc.def"
    }
    abort(); /* ipc_next gives known types only */
}

static void check_cut(struct slice wire, size_t cut, enum ipc_side from, size_t frame)
{
    struct slice in = slice_sub(wire, 0, cut);
    struct ipc_frame f;
    size_t need;
    const int r = ipc_next(&in, from, &f, &need);

    expect(r == (cut >= frame));
    if (r == 0)
        expect(in.n == cut && need == (cut < IPC_HEADER ? 0 : frame));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    CLEANUP(buf_done) struct buf out = {.max = SIZE_MAX};
    enum ipc_side from;
    struct ipc_frame f;
    struct slice in;

    if (n < 2)
        return 0;
    from = data[0] & 1 ? IPC_FROM_WORKER : IPC_FROM_GATEWAY;
    in = slice_make(data + 2, n - 2);
    for (;;) {
        const struct slice before = in;

        if (ipc_next(&in, from, &f, NULL) <= 0)
            break;
        const size_t frame = before.n - in.n;

        expect(frame == IPC_HEADER + f.payload.n && f.payload.n <= IPC_PAYLOAD_MAX);
        check_cut(before, data[1] % (frame + 1), from, frame);
        buf_clear(&out);
        if (write_again(&f, &out) == 0)
            expect(slice_eq(buf_slice(&out), slice_sub(before, 0, frame)));
    }
    return 0;
}
