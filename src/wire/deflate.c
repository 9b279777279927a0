#include "wire/deflate.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

/* --- negotiation --- */

/* What one element `permessage-deflate; a; b=10` says. Bits 0: the parameter is absent. */
struct params {
    bool server_fresh;
    bool client_fresh;
    uint8_t server_bits;
    uint8_t client_bits;
    bool client_bits_free; /* client_max_window_bits without a value: "I can be told" */
};

/* Cuts the part before sep off the front of *in; a separator inside quotes does not count. */
static bool next_part(struct slice *in, uint8_t sep, struct slice *ret)
{
    bool quoted = false;
    size_t i = 0;

    if (in->n == 0)
        return false;
    for (; i < in->n && (quoted || in->p[i] != sep); i++)
        if (in->p[i] == '"')
            quoted = !quoted;
    *ret = slice_trim(slice_take(in, i));
    if (in->n)
        (void)slice_take(in, 1);
    return true;
}

static struct slice unquoted(struct slice s)
{
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        return slice_sub(s, 1, s.n - 2);
    return s;
}

/* 7.1.2.1: a decimal integer 8 … 15 without leading zeros. */
static bool parse_bits(struct slice value, uint8_t *ret)
{
    uint64_t v;

    if (value.n == 0 || value.p[0] == '0' || slice_u64(value, DEFLATE_BITS_MAX, &v) < 0 ||
        v < DEFLATE_BITS_MIN)
        return false;
    *ret = (uint8_t)v;
    return true;
}

static bool set_once(bool *flag, bool has_value)
{
    const bool ok = !*flag && !has_value;

    *flag = true;
    return ok;
}

static bool parse_param(struct slice part, struct params *p)
{
    const ptrdiff_t eq = slice_find(part, '=');
    const bool has_value = eq >= 0;
    const struct slice name = slice_trim(has_value ? slice_sub(part, 0, (size_t)eq) : part);
    const struct slice value =
        has_value ? unquoted(slice_trim(slice_sub(part, (size_t)eq + 1, part.n))) : SLICE_NONE;

    if (slice_eq_nocase(name, SLICE("server_no_context_takeover")))
        return set_once(&p->server_fresh, has_value);
    if (slice_eq_nocase(name, SLICE("client_no_context_takeover")))
        return set_once(&p->client_fresh, has_value);
    if (slice_eq_nocase(name, SLICE("server_max_window_bits")))
        return !p->server_bits && parse_bits(value, &p->server_bits);
    if (slice_eq_nocase(name, SLICE("client_max_window_bits"))) {
        if (p->client_bits || p->client_bits_free)
            return false;
        if (!has_value)
            return p->client_bits_free = true;
        return parse_bits(value, &p->client_bits);
    }
    return false;
}

/* Reads one element. 1: permessage-deflate with good parameters, 0: it with bad ones, -1: another
 * extension. */
static int parse_element(struct slice element, struct params *ret)
{
    struct slice part;

    *ret = (struct params){0};
    if (!next_part(&element, ';', &part) || !slice_eq_nocase(part, SLICE("permessage-deflate")))
        return -1;
    while (next_part(&element, ';', &part))
        if (!parse_param(part, ret))
            return 0;
    return 1;
}

static int add_bits(struct buf *out, const char *name, uint8_t bits)
{
    return buf_addf(out, "; %s=%u", name, bits);
}

static int write_answer(const struct deflate_terms *t, const struct params *offer, struct buf *out)
{
    int r = buf_add(out, SLICE("permessage-deflate"));

    if (r >= 0 && t->server_fresh)
        r = buf_add(out, SLICE("; server_no_context_takeover"));
    if (r >= 0 && t->client_fresh)
        r = buf_add(out, SLICE("; client_no_context_takeover"));
    if (r >= 0 && (offer->server_bits || t->server_bits < DEFLATE_BITS_MAX))
        r = add_bits(out, "server_max_window_bits", t->server_bits);
    if (r >= 0 && t->client_bits < DEFLATE_BITS_MAX)
        r = add_bits(out, "client_max_window_bits", t->client_bits);
    return r < 0 ? r : 1;
}

int deflate_wish(struct slice answer, struct deflate_policy *policy)
{
    struct slice element;
    struct params p;

    if (!next_part(&answer, ',', &element) || answer.n || parse_element(element, &p) <= 0)
        return 0;
    if (p.server_bits)
        policy->server_bits = MAX(p.server_bits, DEFLATE_BITS_MIN + 1); /* what zlib can do */
    policy->client_bits = p.client_bits;
    policy->server_fresh = p.server_fresh;
    policy->client_fresh = p.client_fresh;
    return 1;
}

static uint8_t largest(uint8_t offered, uint8_t wished, uint8_t bits)
{
    bits = offered ? MIN(offered, bits) : bits;
    return wished ? MIN(wished, bits) : bits;
}

int deflate_accept(struct slice offers, const struct deflate_policy *policy,
                   struct deflate_terms *ret_terms, struct buf *out)
{
    struct slice element;
    struct params p;

    assert(policy->bits > DEFLATE_BITS_MIN && policy->bits <= DEFLATE_BITS_MAX);
    while (next_part(&offers, ',', &element)) {
        /* zlib compresses with windows of 9 bits and more only. */
        if (parse_element(element, &p) <= 0 || p.server_bits == DEFLATE_BITS_MIN)
            continue;

        const bool can_tell = p.client_bits || p.client_bits_free; /* 7.1.2.2 */
        const struct deflate_terms t = {
            .server_bits = largest(p.server_bits, policy->server_bits, policy->bits),
            .client_bits = can_tell ? largest(p.client_bits, policy->client_bits, policy->bits)
                                    : DEFLATE_BITS_MAX,
            .server_fresh = p.server_fresh || policy->server_fresh || !policy->takeover,
            .client_fresh = p.client_fresh || policy->client_fresh || !policy->takeover,
        };
        const size_t before = out->n;
        const int r = write_answer(&t, &p, out);

        if (r < 0)
            out->n = before;
        else
            *ret_terms = t;
        return r;
    }
    return 0;
}

int deflate_offer(const struct deflate_policy *policy, struct buf *out)
{
    int r = buf_add(out, SLICE("permessage-deflate; client_max_window_bits"));

    if (r >= 0 && policy->bits < DEFLATE_BITS_MAX)
        r = add_bits(out, "server_max_window_bits", policy->bits);
    if (r >= 0 && !policy->takeover)
        r = buf_add(out, SLICE("; server_no_context_takeover; client_no_context_takeover"));
    return r;
}

int deflate_check(struct slice answer, const struct deflate_policy *policy,
                  struct deflate_terms *ret_terms)
{
    struct slice element, rest = answer;
    struct params p;

    if (slice_trim(answer).n == 0)
        return 0;
    if (!next_part(&rest, ',', &element) || rest.n || parse_element(element, &p) <= 0 ||
        p.client_bits_free || p.client_bits == DEFLATE_BITS_MIN)
        return -ERR_WS_HANDSHAKE;
    /* 7.1.2.1: a server that was given a bound for its own window answers within it. */
    if (policy->bits < DEFLATE_BITS_MAX && (!p.server_bits || p.server_bits > policy->bits))
        return -ERR_WS_HANDSHAKE;
    *ret_terms = (struct deflate_terms){
        .server_bits = p.server_bits ? p.server_bits : DEFLATE_BITS_MAX,
        .client_bits = MIN(p.client_bits ? p.client_bits : DEFLATE_BITS_MAX, policy->bits),
        .server_fresh = p.server_fresh,
        .client_fresh = p.client_fresh || !policy->takeover,
    };
    return 1;
}

/* --- messages --- */

/* zlib's states are made at first use; bits 0: not made yet. */
struct deflate_pair {
    z_stream out;
    z_stream in;
    int level;
    uint8_t out_bits;
    uint8_t in_bits;
};

enum { MEMORY_LEVEL = 8 };

static const uint8_t tail[] = {0x00, 0x00, 0xff, 0xff};

struct deflate_pair *deflate_pair_new(int level)
{
    struct deflate_pair *p = mem_new(sizeof(*p));

    assert(level >= 1 && level <= 9);
    p->level = level;
    return p;
}

void deflate_pair_free(struct deflate_pair *p)
{
    if (!p)
        return;
    if (p->out_bits)
        (void)deflateEnd(&p->out);
    if (p->in_bits)
        (void)inflateEnd(&p->in);
    mem_free(p);
}

/* zlib fails here only for want of memory, of a size we chose. */
static void made(int z)
{
    if (z != Z_OK)
        abort();
}

static void begin_out(struct deflate_pair *p, uint8_t bits, bool fresh)
{
    if (p->out_bits && p->out_bits != bits) {
        (void)deflateEnd(&p->out);
        p->out_bits = 0;
    }
    if (!p->out_bits)
        made(deflateInit2(&p->out, p->level, Z_DEFLATED, -bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY));
    else if (fresh)
        (void)deflateReset(&p->out);
    p->out_bits = bits;
}

int deflate_message(struct deflate_pair *p, uint8_t bits, bool fresh, struct slice in,
                    struct buf *out)
{
    const size_t before = out->n;

    assert(bits > DEFLATE_BITS_MIN && bits <= DEFLATE_BITS_MAX && in.n <= UINT32_MAX);
    if (in.n == 0) /* 7.2.3.6 */
        return buf_add_byte(out, 0);
    begin_out(p, bits, fresh);
    p->out.next_in = (Bytef *)in.p;
    p->out.avail_in = (uInt)in.n;
    do {
        const size_t room = MIN(MAX(in.n / 2, 128), out->max - out->n);
        uint8_t *to = room ? buf_reserve(out, room) : NULL;

        if (!to) {
            out->n = before;
            return -ERR_TOO_LARGE;
        }
        p->out.next_out = to;
        p->out.avail_out = (uInt)room;
        (void)deflate(&p->out, Z_SYNC_FLUSH);
        buf_commit(out, room - p->out.avail_out);
    } while (p->out.avail_out == 0);
    assert(out->n - before >= sizeof(tail) &&
           memcmp(out->p + out->n - sizeof(tail), tail, sizeof(tail)) == 0);
    out->n -= sizeof(tail);
    return 0;
}

static void begin_in(struct deflate_pair *p, uint8_t bits, bool fresh)
{
    if (!p->in_bits)
        made(inflateInit2(&p->in, -bits));
    else if (fresh || p->in_bits != bits)
        (void)inflateReset2(&p->in, -bits);
    p->in_bits = bits;
}

/* 7.2.3.4: a peer may end its stream with every message; the window stays what it was. */
static int after_final_block(z_stream *z)
{
    Bytef window[1u << DEFLATE_BITS_MAX];
    uInt n = 0;

    if (inflateGetDictionary(z, window, &n) != Z_OK || inflateReset(z) != Z_OK ||
        (n && inflateSetDictionary(z, window, n) != Z_OK))
        return -ERR_WS_DEFLATE;
    return 0;
}

/* Expands one piece. One byte more than max is asked for, to tell "just fits" from "more". */
static int expand(z_stream *z, struct slice in, size_t max, size_t before, struct buf *out)
{
    z->next_in = (Bytef *)in.p;
    z->avail_in = (uInt)in.n;
    do {
        const size_t left = max - (out->n - before);
        const size_t room = MIN(MAX(in.n * 2, 256), left + 1);
        uint8_t *to = buf_reserve(out, room);
        int r;

        if (!to)
            return -ERR_WS_TOO_LARGE;
        z->next_out = to;
        z->avail_out = (uInt)room;
        r = inflate(z, Z_SYNC_FLUSH);
        buf_commit(out, room - z->avail_out);
        if (out->n - before > max)
            return -ERR_WS_TOO_LARGE;
        if (r == Z_STREAM_END && (r = after_final_block(z)) < 0)
            return r;
        if (r == Z_BUF_ERROR && z->avail_out > 0)
            return z->avail_in ? -ERR_WS_DEFLATE : 0;
        if (r != Z_OK && r != Z_BUF_ERROR)
            return -ERR_WS_DEFLATE;
    } while (z->avail_in || z->avail_out == 0);
    return 0;
}

int inflate_message(struct deflate_pair *p, uint8_t bits, bool fresh, struct slice in, size_t max,
                    struct buf *out)
{
    const size_t before = out->n;
    int r;

    assert(bits >= DEFLATE_BITS_MIN && bits <= DEFLATE_BITS_MAX && in.n <= UINT32_MAX);
    begin_in(p, bits, fresh);
    r = expand(&p->in, in, max, before, out);
    if (r >= 0)
        r = expand(&p->in, slice_make(tail, sizeof(tail)), max, before, out);
    if (r < 0)
        out->n = before;
    return r;
}
