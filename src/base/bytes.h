/*
 * Bytes, and who owns them.
 *
 *   slice  a borrowed, read-only view, passed by value
 *   span   the same, writable (a decoder unmasks in place)
 *   buf    owned and growable, born with its maximum
 *   blob   shared and immutable, reference counted on one thread
 *   outq   a queue of blobs waiting for a socket, bounded in bytes
 *
 * Order is always pointer then length. NUL-terminated strings exist only toward the OS and
 * libraries. Sizes that we choose cannot fail (mem_* abort with a message); sizes that a peer
 * chooses go through a buf or an outq, whose bound returns an error.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Zeroed memory of a size we chose. Never NULL. Free with mem_free (NULL is nothing). */
void *mem_new(size_t n);
void *mem_grow(void *p, size_t n);
void mem_free(void *p);

struct slice {
    const uint8_t *p;
    size_t n;
};

struct span {
    uint8_t *p;
    size_t n;
};

#define SLICE(lit) ((struct slice){(const uint8_t *)("" lit), sizeof(lit) - 1})
#define SLICE_NONE ((struct slice){0})
/* For "%.*s": printf("%.*s", SLICE_FMT(s)). */
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p

static inline struct slice slice_make(const void *p, size_t n)
{
    return (struct slice){(const uint8_t *)p, n};
}

/* A view of a NUL-terminated string; NULL gives the empty slice. */
static inline struct slice slice_str(const char *s)
{
    return s ? slice_make(s, strlen(s)) : SLICE_NONE;
}

static inline struct slice span_slice(struct span s)
{
    return (struct slice){s.p, s.n};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare equal in either case; nothing else is folded. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_starts_nocase(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
/* Bytes from at to at + n, clipped to s. */
struct slice slice_sub(struct slice s, size_t at, size_t n);
/* Index of the first c (or of needle), or -1. */
ptrdiff_t slice_find(struct slice s, uint8_t c);
ptrdiff_t slice_find_slice(struct slice s, struct slice needle);
/* Without spaces and tabs at either end. */
struct slice slice_trim(struct slice s);
/* Cuts the part before the first sep off the front of *s, and the sep with it; without a sep it
 * takes all. False when *s is empty from the start. */
bool slice_split(struct slice *s, uint8_t sep, struct slice *ret_part);
/* Takes the first n bytes off the front (n <= s->n). */
struct slice slice_take(struct slice *s, size_t n);
/* The whole slice as an unsigned decimal number. -ERR_SYNTAX: empty, not digits, or over max. */
int slice_u64(struct slice s, uint64_t max, uint64_t *ret);
/* The number in decimal digits, written to the end of room. */
enum { SLICE_DIGITS = 20 };
struct slice slice_digits(uint64_t number, char room[SLICE_DIGITS]);
/* A NUL-terminated copy; the caller frees it with mem_free. */
char *slice_dup(struct slice s);

/* buf: owned, growable, never longer than max. Zero is a valid empty buf that accepts nothing (max
 * 0). */
struct buf {
    uint8_t *p;
    size_t n;
    size_t cap;
    size_t max;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
/* Empties it and keeps the memory. */
void buf_clear(struct buf *b);
/* Appends a copy. -ERR_TOO_LARGE, and b unchanged, when it would pass max. Invalidates pointers
 * into b. */
int buf_add(struct buf *b, struct slice s);
int buf_add_byte(struct buf *b, uint8_t c);
int buf_addf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Room for n more bytes at the end, NULL over max; write there, then buf_commit what was. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
/* Drops n bytes (n <= b->n) off the front. */
void buf_consume(struct buf *b, size_t n);
/* The caller becomes owner of the bytes (mem_free); b is empty. */
struct span buf_take(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}

/* blob: immutable bytes with a plain reference count; never crosses a thread. */
struct blob {
    uint32_t refs;
    uint32_t n;
    uint8_t p[];
};

/* One reference, contents unset: the maker fills p before sharing it. n < 4 GiB. */
struct blob *blob_new(size_t n);
struct blob *blob_copy(struct slice s);
struct blob *blob_ref(struct blob *b);
void blob_unref(struct blob *b); /* NULL is nothing */

static inline struct slice blob_slice(const struct blob *b)
{
    return (struct slice){b->p, b->n};
}

/* outq: blobs in the order they leave. One pointer and one counter when empty. */
struct outq_node;
struct outq {
    struct outq_node *nodes; /* ring buffer, allocated on first use and freed when drained */
    uint32_t bytes;          /* not yet consumed */
    uint32_t max;            /* 0: unbounded (an internal queue with its own flow control) */
};

void outq_init(struct outq *q, uint32_t max);
void outq_done(struct outq *q);
/* Appends, taking the caller's reference even on failure. -ERR_SLOW_CONSUMER over max. */
int outq_push(struct outq *q, struct blob *take_b);
/* Appends a copy of s. -ERR_SLOW_CONSUMER over max. */
int outq_add(struct outq *q, struct slice s);
/* Fills at most max entries from the front; returns how many. Valid until the next outq_ call. */
int outq_iov(const struct outq *q, struct iovec *ret_iov, int max);
/* n bytes have left (n <= q->bytes). */
void outq_consume(struct outq *q, size_t n);

static inline bool outq_empty(const struct outq *q)
{
    return q->bytes == 0;
}

#endif
