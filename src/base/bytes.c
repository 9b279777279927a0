#include "base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static void *checked(void *p)
{
    if (!p) {
        fputs("holdfast: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_new(size_t n)
{
    return checked(calloc(1, n ? n : 1));
}

void *mem_grow(void *p, size_t n)
{
    return checked(realloc(p, n ? n : 1));
}

void mem_free(void *p)
{
    free(p);
}

/* --- slice --- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
    return slice_eq_nocase(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n && slice_eq(slice_sub(s, s.n - suffix.n, suffix.n), suffix);
}

struct slice slice_sub(struct slice s, size_t at, size_t n)
{
    at = MIN(at, s.n);
    return slice_make(s.p ? s.p + at : NULL, MIN(n, s.n - at));
}

ptrdiff_t slice_find(struct slice s, uint8_t c)
{
    const uint8_t *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? at - s.p : -1;
}

ptrdiff_t slice_find_slice(struct slice s, struct slice needle)
{
    const uint8_t *at;

    if (needle.n == 0)
        return 0;
    at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? at - s.p : -1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.n && is_blank(s.p[0]))
        s = slice_sub(s, 1, s.n);
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool slice_split(struct slice *s, uint8_t sep, struct slice *ret_part)
{
    const ptrdiff_t at = slice_find(*s, sep);

    if (s->n == 0)
        return false;
    *ret_part = slice_take(s, at < 0 ? s->n : (size_t)at);
    if (at >= 0)
        (void)slice_take(s, 1);
    return true;
}

struct slice slice_take(struct slice *s, size_t n)
{
    const struct slice front = slice_make(s->p, n);

    assert(n <= s->n);
    if (n) {
        s->p += n;
        s->n -= n;
    }
    return front;
}

int slice_u64(struct slice s, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.n == 0)
        return -ERR_SYNTAX;
    for (size_t i = 0; i < s.n; i++) {
        const unsigned d = s.p[i] - (unsigned)'0';

        if (d > 9 || v > (max - MIN(d, max)) / 10)
            return -ERR_SYNTAX;
        v = v * 10 + d;
    }
    if (v > max)
        return -ERR_SYNTAX;
    *ret = v;
    return 0;
}

struct slice slice_digits(uint64_t number, char room[SLICE_DIGITS])
{
    char *p = room + SLICE_DIGITS;

    do
        *--p = (char)('0' + number % 10);
    while (number /= 10);
    return slice_make(p, (size_t)(room + SLICE_DIGITS - p));
}

char *slice_dup(struct slice s)
{
    char *p = mem_new(s.n + 1);

    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

/* --- buf --- */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    if (!b)
        return;
    mem_free(b->p);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    size_t cap;

    if (n > b->max || b->n > b->max - n)
        return NULL;
    if (b->n + n > b->cap || !b->p) {
        cap = MAX(b->cap * 2, MAX(b->n + n, 64));
        b->cap = MAX(MIN(cap, b->max), b->n + n);
        b->p = mem_grow(b->p, b->cap);
    }
    return b->p + b->n;
}

void buf_commit(struct buf *b, size_t n)
{
    assert(b->n + n <= b->cap);
    b->n += n;
}

int buf_add(struct buf *b, struct slice s)
{
    uint8_t *p;

    if (s.n == 0)
        return 0;
    p = buf_reserve(b, s.n);
    if (!p)
        return -ERR_TOO_LARGE;
    memcpy(p, s.p, s.n);
    b->n += s.n;
    return 0;
}

int buf_add_byte(struct buf *b, uint8_t c)
{
    return buf_add(b, slice_make(&c, 1));
}

/* vsnprintf ends with a NUL, which needs room but is not kept. */
static int print(struct buf *b, const char *fmt, va_list ap)
{
    const int n = vsnprintf(b->p ? (char *)b->p + b->n : NULL, b->cap - b->n, fmt, ap);

    assert(n >= 0);
    return n;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    n = (size_t)print(b, fmt, ap);
    va_end(ap);
    if (n > b->max || b->n > b->max - n)
        return -ERR_TOO_LARGE;
    if (b->n + n + 1 > b->cap) {
        b->cap = MAX(b->cap * 2, b->n + n + 1);
        b->p = mem_grow(b->p, b->cap);
        va_start(ap, fmt);
        (void)print(b, fmt, ap);
        va_end(ap);
    }
    b->n += n;
    return 0;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->n);
    b->n -= n;
    if (b->n && n)
        memmove(b->p, b->p + n, b->n);
}

struct span buf_take(struct buf *b)
{
    const struct span s = {b->p, b->n};

    *b = (struct buf){.max = b->max};
    return s;
}

/* --- blob --- */

struct blob *blob_new(size_t n)
{
    struct blob *b;

    assert(n <= UINT32_MAX);
    b = checked(malloc(sizeof(*b) + n));
    b->refs = 1;
    b->n = (uint32_t)n;
    return b;
}

struct blob *blob_copy(struct slice s)
{
    struct blob *b = blob_new(s.n);

    if (s.n)
        memcpy(b->p, s.p, s.n);
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    assert(b->refs > 0);
    b->refs++;
    return b;
}

void blob_unref(struct blob *b)
{
    if (!b)
        return;
    assert(b->refs > 0);
    if (--b->refs == 0)
        free(b);
}

/* --- outq: a ring of blobs; `offset` bytes of the first have left already --- */

struct outq_node {
    uint32_t first;
    uint32_t count;
    uint32_t cap; /* a power of two */
    uint32_t offset;
    struct blob *blobs[];
};

void outq_init(struct outq *q, uint32_t max)
{
    *q = (struct outq){.max = max};
}

static struct blob **slot(struct outq_node *r, uint32_t i)
{
    return &r->blobs[(r->first + i) & (r->cap - 1)];
}

void outq_done(struct outq *q)
{
    if (!q || !q->nodes)
        return;
    for (uint32_t i = 0; i < q->nodes->count; i++)
        blob_unref(*slot(q->nodes, i));
    mem_free(q->nodes);
    q->nodes = NULL;
    q->bytes = 0;
}

static struct outq_node *ring_new(uint32_t cap)
{
    struct outq_node *r = mem_new(sizeof(*r) + cap * sizeof(r->blobs[0]));

    r->cap = cap;
    return r;
}

static void ring_grow(struct outq *q)
{
    struct outq_node *old = q->nodes;
    struct outq_node *r = ring_new(old->cap * 2);

    for (uint32_t i = 0; i < old->count; i++)
        r->blobs[i] = *slot(old, i);
    r->count = old->count;
    r->offset = old->offset;
    mem_free(old);
    q->nodes = r;
}

int outq_push(struct outq *q, struct blob *take_b)
{
    if (take_b->n == 0) {
        blob_unref(take_b);
        return 0;
    }
    if (take_b->n > UINT32_MAX - q->bytes || (q->max && q->bytes + take_b->n > q->max)) {
        blob_unref(take_b);
        return -ERR_SLOW_CONSUMER;
    }
    if (!q->nodes)
        q->nodes = ring_new(2);
    else if (q->nodes->count == q->nodes->cap)
        ring_grow(q);
    *slot(q->nodes, q->nodes->count++) = take_b;
    q->bytes += take_b->n;
    return 0;
}

int outq_add(struct outq *q, struct slice s)
{
    if (s.n > UINT32_MAX)
        return -ERR_SLOW_CONSUMER;
    return outq_push(q, blob_copy(s));
}

int outq_iov(const struct outq *q, struct iovec *ret_iov, int max)
{
    struct outq_node *r = q->nodes;
    int n = 0;

    for (; r && n < max && (uint32_t)n < r->count; n++) {
        struct blob *b = *slot(r, (uint32_t)n);
        const uint32_t skip = n == 0 ? r->offset : 0;

        ret_iov[n] = (struct iovec){b->p + skip, b->n - skip};
    }
    return n;
}

void outq_consume(struct outq *q, size_t n)
{
    struct outq_node *r = q->nodes;

    assert(n <= q->bytes);
    q->bytes -= (uint32_t)n;
    while (n > 0) {
        struct blob *b = *slot(r, 0);
        const size_t left = b->n - r->offset;

        if (n < left) {
            r->offset += (uint32_t)n;
            return;
        }
        n -= left;
        r->offset = 0;
        r->first = (r->first + 1) & (r->cap - 1);
        r->count--;
        blob_unref(b);
    }
    if (r && r->count == 0) {
        mem_free(r);
        q->nodes = NULL;
    }
}
