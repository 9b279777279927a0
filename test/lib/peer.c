#include "lib/peer.h"

#include "lib/test.h"

static void on_data(void *arg, struct span in)
{
    struct peer *p = arg;

    assert_int_equal(buf_add(&p->heard, span_slice(in)), 0);
}

static void on_ended(void *arg)
{
    struct peer *p = arg;

    p->has_ended = true;
}

static void on_lost(void *arg, int err)
{
    struct peer *p = arg;

    p->lost = err;
}

static const struct stream_ops facts = {on_data, on_ended, NULL, on_lost};

void peer_open(struct peer *p, struct loop *l, struct stream **ret_other)
{
    *p = (struct peer){.loop = l};
    buf_init(&p->heard, 256 << 20);
    stream_open_pair(l, 0, &p->stream, ret_other);
    stream_attach(p->stream, &facts, p);
    stream_resume(p->stream);
}

void peer_close(struct peer *p)
{
    stream_doom(p->stream);
    buf_done(&p->heard);
    loop_advance(p->loop, 0);
}

void peer_say(struct peer *p, struct slice bytes)
{
    (void)stream_write(p->stream, bytes);
    loop_advance(p->loop, 0);
}

void peer_say_slowly(struct peer *p, struct slice bytes)
{
    while (bytes.n)
        peer_say(p, slice_take(&bytes, 1));
}

void peer_end(struct peer *p)
{
    stream_end(p->stream);
    loop_advance(p->loop, 0);
}

struct slice peer_heard(struct peer *p)
{
    loop_advance(p->loop, 0);
    return buf_slice(&p->heard);
}

void peer_forget(struct peer *p)
{
    buf_clear(&p->heard);
}

void peer_expect(struct peer *p, struct slice bytes)
{
    loop_advance(p->loop, 0);
    if (!slice_eq(buf_slice(&p->heard), bytes))
        print_error("heard:\n%.*s\nexpected:\n%.*s\n", SLICE_FMT(buf_slice(&p->heard)),
                    SLICE_FMT(bytes));
    assert_true(slice_eq(buf_slice(&p->heard), bytes));
    buf_clear(&p->heard);
}
