#include "edge/files_head.h"

#include <stdio.h>

/* --- what a name says --- */

static const struct {
    const char *extension;
    const char *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
    {".md", "text/markdown; charset=utf-8"},
    {".csv", "text/csv; charset=utf-8"},
    {".xml", "application/xml"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},
    {".webp", "image/webp"},
    {".avif", "image/avif"},
    {".ico", "image/vnd.microsoft.icon"},
    {".bmp", "image/bmp"},
    {".woff", "font/woff"},
    {".woff2", "font/woff2"},
    {".ttf", "font/ttf"},
    {".otf", "font/otf"},
    {".mp3", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".wav", "audio/wav"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".pdf", "application/pdf"},
    {".zip", "application/zip"},
    {".gz", "application/gzip"},
    {".wasm", "application/wasm"},
};

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < COUNT_OF(types); i++)
        if (slice_eq_nocase(slice_str(dot), slice_str(types[i].extension)))
            return types[i].type;
    return "application/octet-stream";
}

/* --- what a request says --- */

struct slice files_head_find(const struct exchange_request *rq, struct slice name)
{
    for (size_t i = 0; i < rq->n_fields; i++)
        if (slice_eq_nocase(rq->fields[i].name, name))
            return rq->fields[i].value;
    return SLICE_NONE;
}

/* "q=0", "q=0.000" (RFC 9110 12.4.2) */
static bool is_refused(struct slice weight)
{
    if (!slice_starts_nocase(weight, SLICE("q=")))
        return false;
    for (size_t i = 0; i < weight.n; i++)
        if (weight.p[i] >= '1' && weight.p[i] <= '9')
            return false;
    return true;
}

bool files_head_accepts(struct slice value, struct slice coding)
{
    struct slice item, name;

    while (slice_split(&value, ',', &item))
        if (slice_split(&item, ';', &name) && slice_eq_nocase(slice_trim(name), coding))
            return !is_refused(slice_trim(item));
    return false;
}

/* --- conditions and ranges (RFC 9110 13, 14) --- */

static void set_validators(struct files_head *h)
{
    struct tm tm;

    (void)snprintf(h->etag, sizeof(h->etag), "\"%llx-%llx%s%s\"", (unsigned long long)h->size,
                   (unsigned long long)h->changed.tv_sec * 1000000000ull +
                       (unsigned long long)h->changed.tv_nsec,
                   h->coding ? "-" : "", h->coding ? h->coding : "");
    (void)gmtime_r(&h->changed.tv_sec, &tm);
    (void)strftime(h->date, sizeof(h->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static bool names_etag(struct slice list, const char *etag)
{
    struct slice item;

    while (slice_split(&list, ',', &item)) {
        item = slice_trim(item);
        if (slice_starts(item, SLICE("W/")))
            (void)slice_take(&item, 2);
        if (slice_eq(item, SLICE("*")) || slice_eq(item, slice_str(etag)))
            return true;
    }
    return false;
}

/* 13.2.2: If-None-Match decides, without it If-Modified-Since (equal to what we said). */
static bool is_unchanged(const struct files_head *h, const struct exchange_request *rq)
{
    const struct slice none_match = files_head_find(rq, SLICE("If-None-Match"));

    if (none_match.n)
        return names_etag(none_match, h->etag);
    return slice_eq(files_head_find(rq, SLICE("If-Modified-Since")), slice_str(h->date));
}

/* "a-b", "a-" or "-n" within size. 1: yes, 0: not a range we serve, -ERR_SYNTAX: beyond the end. */
static int parse_range(struct slice s, uint64_t size, uint64_t *ret_at, uint64_t *ret_n)
{
    uint64_t first, last = UINT64_MAX;
    struct slice from;

    if (slice_find(s, ',') >= 0 || slice_find(s, '-') < 0)
        return 0;
    (void)slice_split(&s, '-', &from);
    if (from.n == 0) {
        if (slice_u64(s, UINT64_MAX, &last) < 0)
            return 0;
        *ret_n = MIN(last, size);
        *ret_at = size - *ret_n;
        return *ret_n ? 1 : -ERR_SYNTAX;
    }
    if (slice_u64(from, UINT64_MAX, &first) < 0 || (s.n && slice_u64(s, UINT64_MAX, &last) < 0) ||
        last < first)
        return 0;
    if (first >= size)
        return -ERR_SYNTAX;
    *ret_at = first;
    *ret_n = MIN(last, size - 1) - first + 1;
    return 1;
}

static void apply_range(struct files_head *h, const struct exchange_request *rq)
{
    const struct slice range = files_head_find(rq, SLICE("Range"));
    const struct slice if_range = files_head_find(rq, SLICE("If-Range"));
    int r;

    if (!slice_starts(range, SLICE("bytes=")) || h->status != 200 || h->coding)
        return;
    if (if_range.n && !slice_eq(if_range, slice_str(h->etag)) &&
        !slice_eq(if_range, slice_str(h->date)))
        return;
    r = parse_range(slice_trim(slice_sub(range, 6, SIZE_MAX)), h->size, &h->at, &h->n);
    if (r)
        h->status = r > 0 ? 206 : 416;
}

void files_head_decide(struct files_head *h, const struct exchange_request *rq)
{
    h->n = h->size;
    set_validators(h);
    if (h->status == 200 && is_unchanged(h, rq))
        h->status = 304;
    apply_range(h, rq);
}

void files_head_put(const struct files_head *h, const char *name, struct buf *b)
{
    (void)buf_addf(b, "Content-Type: %s\nETag: %s\nLast-Modified: %s\n", type_of(name), h->etag,
                   h->date);
    (void)buf_addf(b, "Cache-Control: public, max-age=0, must-revalidate\nAccept-Ranges: bytes\n");
    if (h->coding)
        (void)buf_addf(b, "Content-Encoding: %s\nVary: Accept-Encoding\n", h->coding);
    if (h->status == 206)
        (void)buf_addf(b, "Content-Range: bytes %llu-%llu/%llu\n", (unsigned long long)h->at,
                       (unsigned long long)(h->at + h->n - 1), (unsigned long long)h->size);
    if (h->status == 416)
        (void)buf_addf(b, "Content-Range: bytes */%llu\n", (unsigned long long)h->size);
}
