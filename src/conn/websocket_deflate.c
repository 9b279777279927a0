/*
 * Compressed messages (RFC 7692). Without context takeover -- the rule -- a message is compressed
 * by the pool's one compressor, and its frame is kept in the payload, so that a thousand receivers
 * with the same window cost one compression. With takeover a connection has windows of its own,
 * made when its first message is compressed or expanded.
 */
#include <assert.h>
#include <sys/random.h>

#include "conn/websocket_int.h"
#include "wire/deflate.h"

enum {
    LEVEL = 4,
    THRESHOLD = 1024,
    RSV1 = 0x40,
};

static unsigned level(const struct websocket_options *o)
{
    return o->deflate_level ? o->deflate_level : LEVEL;
}

const uint8_t *websocket__mask(const struct websocket *w, uint8_t room[4])
{
    if (!websocket__has(w, WEBSOCKET__CLIENT))
        return NULL;
    /* So few bytes are never cut short. */
    const ssize_t n = getrandom(room, 4, 0);

    assert(n == 4);
    return room;
}

/* --- what was agreed --- */

const struct deflate_policy *websocket_policy(const struct websocket_options *o)
{
    return o->pool && o->deflate.bits ? &o->deflate : NULL;
}

void websocket_agree(struct transport *t, const struct deflate_terms *terms)
{
    struct websocket *w = CONTAINER_OF(t, struct websocket, transport);
    const bool client = websocket__has(w, WEBSOCKET__CLIENT);

    assert(w->options->pool);
    w->out_bits = (client ? terms->client_bits : terms->server_bits) & 15u;
    w->in_bits = (client ? terms->server_bits : terms->client_bits) & 15u;
    w->out_fresh = client ? terms->client_fresh : terms->server_fresh;
    w->in_fresh = client ? terms->server_fresh : terms->client_fresh;
    /* Forgetting is always allowed (7.1.1), and costs nothing. */
    if (!w->options->deflate.takeover)
        w->out_fresh = true;
}

static struct deflate_pair *pair_of(struct websocket *w, bool fresh)
{
    const unsigned l = level(w->options);
    struct websocket__more *m;

    if (fresh)
        return pool__pair(w->options->pool, l);
    m = websocket__more(w);
    if (!m->pair)
        m->pair = deflate_pair_new((int)l);
    return m->pair;
}

/* --- out --- */

static unsigned op_of(const struct payload *p)
{
    return p->binary ? WS_BINARY : WS_TEXT;
}

static struct blob *plain(struct payload *p)
{
    if (!p->ws_frames[0])
        p->ws_frames[0] = ws_frame(op_of(p), p->bytes, NULL);
    return p->ws_frames[0];
}

static struct blob *deflated(struct websocket *w, struct payload *p)
{
    struct websocket_pool *pool = w->options->pool;
    struct buf *out = pool__deflated(pool);
    const int r =
        deflate_message(pair_of(w, w->out_fresh), w->out_bits, w->out_fresh, p->bytes, out);
    struct blob *b = NULL;

    assert(r == 0); /* nothing bounds it */
    if (!w->out_fresh || out->n < p->bytes.n)
        b = ws_frame(op_of(p) | RSV1, buf_slice(out), NULL);
    pool__tidy(out);
    pool__stats(pool)->deflated++;
    return b;
}

/* The frame that all with a window of w's size share. */
static struct blob *shared(struct websocket *w, struct payload *p)
{
    struct blob **slot = &p->ws_frames[w->out_bits - DEFLATE_BITS_MIN];

    assert(w->out_bits > DEFLATE_BITS_MIN);
    if (!*slot && !(*slot = deflated(w, p)))
        *slot = blob_ref(plain(p));
    return *slot;
}

static bool is_worth_it(const struct websocket *w, const struct payload *p)
{
    const uint32_t least = w->options->deflate_bytes ? w->options->deflate_bytes : THRESHOLD;

    return w->out_bits && p->bytes.n >= least;
}

/* By a window of its own, that outlives the message. */
static bool is_committed(const struct websocket *w, const struct payload *p)
{
    return !w->out_fresh && is_worth_it(w, p);
}

/* A client's frame has a mask of its own, whatever is shared. */
static struct blob *masked(const struct websocket *w, const struct blob *frame)
{
    const unsigned n = frame->p[1], header = n < 126 ? 2 : n == 126 ? 4 : 10;
    uint8_t mask[4];

    return ws_frame(frame->p[0] & 0x7f, slice_sub(blob_slice(frame), header, SIZE_MAX),
                    websocket__mask(w, mask));
}

struct blob *websocket__frame(struct websocket *w, struct payload *p)
{
    const bool client = websocket__has(w, WEBSOCKET__CLIENT);
    struct blob *own = is_committed(w, p) ? deflated(w, p) : NULL, *b = own;
    uint8_t mask[4];

    if (client && !is_worth_it(w, p))
        return ws_frame(op_of(p), p->bytes, websocket__mask(w, mask));
    if (!own)
        b = is_worth_it(w, p) ? shared(w, p) : plain(p);
    if (!client)
        return own ? own : blob_ref(b);
    b = masked(w, b);
    blob_unref(own);
    return b;
}

/* --- in --- */

/* A sender may choose stored or fixed blocks, and flush as often as it likes. */
size_t websocket__wire_bytes(const struct websocket *w, size_t max)
{
    return w->in_bits ? MIN(max + max / 8 + 64, UINT32_MAX) : max;
}

int websocket__expand(struct websocket *w, struct slice in, size_t max, struct buf **ret)
{
    struct buf *out = pool__inflated(w->options->pool, max + 1);
    const int r = inflate_message(pair_of(w, w->in_fresh), w->in_bits, w->in_fresh, in, max, out);

    pool__stats(w->options->pool)->inflated++;
    if (r < 0)
        pool__tidy(out);
    else
        *ret = out;
    return r;
}
