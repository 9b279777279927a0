#include "edge/publication.h"

#include <assert.h>

/* What an item takes beside its struct: the arrays first, because they are aligned, then bytes. */
struct pack {
    struct grip_pair *pairs;
    uint8_t *bytes;
};

static void free_publication(struct msg *m)
{
    struct publication *p = publication_of(m);

    payload_done(&p->ws);
    blob_unref(p->stream);
    blob_unref(p->chunked);
    mem_free(p);
}

static size_t pair_bytes(const struct grip_pair *pairs, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += sizeof(*pairs) + pairs[i].name.n + pairs[i].value.n;
    return bytes;
}

static size_t item_bytes(const struct grip_item *item)
{
    size_t n = item->channel.n + item->id.n + item->prev_id.n;

    n += pair_bytes(item->meta, item->n_meta);
    for (unsigned i = 0; i < GRIP_KINDS; i++) {
        const struct grip_format *f = &item->formats[i];

        n += f->content.n + f->reason.n + pair_bytes(f->fields, f->n_fields);
    }
    return n;
}

static void move(struct pack *at, struct slice *s)
{
    if (s->n)
        memcpy(at->bytes, s->p, s->n);
    s->p = at->bytes;
    at->bytes += s->n;
}

static void move_pairs(struct pack *at, struct grip_pair **pairs, size_t n)
{
    struct grip_pair *to = at->pairs;

    if (n)
        memcpy(to, *pairs, n * sizeof(*to));
    *pairs = to;
    at->pairs += n;
    for (size_t i = 0; i < n; i++) {
        move(at, &to[i].name);
        move(at, &to[i].value);
    }
}

static size_t count_pairs(const struct grip_item *item)
{
    size_t n = item->n_meta;

    for (unsigned i = 0; i < GRIP_KINDS; i++)
        n += item->formats[i].n_fields;
    return n;
}

/* The struct's slices point elsewhere; they move behind it. */
static void pull_in(struct publication *p)
{
    struct grip_item *item = &p->item;
    struct grip_pair *pairs = (struct grip_pair *)(void *)(p + 1);
    struct pack at = {pairs, (uint8_t *)(pairs + count_pairs(item))};

    move(&at, &item->channel);
    move(&at, &item->id);
    move(&at, &item->prev_id);
    move_pairs(&at, &item->meta, item->n_meta);
    for (unsigned i = 0; i < GRIP_KINDS; i++) {
        struct grip_format *f = &item->formats[i];

        move(&at, &f->content);
        move(&at, &f->reason);
        move_pairs(&at, &f->fields, f->n_fields);
    }
}

static bool sends_something(const struct grip_item *item)
{
    for (unsigned i = 0; i < GRIP_KINDS; i++)
        if (item->formats[i].has && item->formats[i].action == GRIP_SEND)
            return true;
    return false;
}

struct publication *publication_new(const struct grip_item *item)
{
    const size_t n = sizeof(struct publication) + item_bytes(item);
    struct publication *p = mem_new(n);
    const struct grip_format *ws = &p->item.formats[GRIP_WS_MESSAGE];

    assert(n <= UINT32_MAX);
    msg_init(&p->msg, free_publication);
    p->item = *item;
    pull_in(p);
    p->msg.channel = p->item.channel;
    p->msg.id = p->item.id;
    p->msg.prev_id = p->item.prev_id;
    p->msg.has_id = item->has_id;
    p->msg.has_prev_id = item->has_prev_id;
    p->msg.no_seq = item->no_seq;
    p->msg.passing = !sends_something(item);
    p->msg.weight = (uint32_t)n;
    p->ws = (struct payload){.bytes = ws->content, .binary = ws->type == GRIP_WS_BINARY};
    return p;
}

struct blob *publication_stream(struct publication *p)
{
    if (!p->stream)
        p->stream = blob_copy(p->item.formats[GRIP_HTTP_STREAM].content);
    return p->stream;
}
