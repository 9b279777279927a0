#include "base/stat.h"

#include <inttypes.h>

#include "base/err.h"

static unsigned bucket_of(uint64_t v)
{
    unsigned i = 0;

    for (uint64_t bound = 1; v > bound && i < STAT_BUCKETS - 1; bound *= 4)
        i++;
    return i;
}

void stat_observe(struct stat_hist *h, uint64_t value)
{
    h->sum += value;
    h->buckets[bucket_of(value)]++;
}

static void sum_hist(struct stat_hist *into, const struct stat_hist *from)
{
    into->sum += from->sum;
    for (unsigned i = 0; i < STAT_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

void stat_sum(const struct stat_row *rows, size_t n, void *into, const void *from)
{
    for (size_t i = 0; i < n; i++) {
        void *to = (char *)into + rows[i].offset;
        const void *v = (const char *)from + rows[i].offset;

        if (rows[i].kind == STAT_COUNTER || rows[i].kind == STAT_GAUGE)
            *(uint64_t *)to += *(const uint64_t *)v;
        else
            sum_hist(to, v);
    }
}

/* Prints a value of the row's unit: microseconds become seconds. */
static int add_number(struct buf *out, enum stat_kind kind, uint64_t v)
{
    if (kind == STAT_DURATION)
        return buf_addf(out, "%" PRIu64 ".%06" PRIu64, v / 1000000, v % 1000000);
    return buf_addf(out, "%" PRIu64, v);
}

struct writer {
    struct buf *out;
    const char *prefix;
    const char *labels;
};

/* name{labels,own,extra} with only the parts there are. */
static int add_name(struct writer *w, const struct stat_row *row, const char *suffix,
                    const char *extra)
{
    const char *parts[] = {w->labels, row->labels, extra};
    char sep = '{';
    int r = buf_addf(w->out, "%s%s%s", w->prefix, row->name, suffix);

    for (size_t i = 0; i < COUNT_OF(parts) && r == 0; i++)
        if (parts[i] && *parts[i]) {
            r = buf_addf(w->out, "%c%s", sep, parts[i]);
            sep = ',';
        }
    if (r == 0)
        r = buf_add(w->out, sep == ',' ? SLICE("} ") : SLICE(" "));
    return r;
}

static int add_bound(struct buf *out, enum stat_kind kind, unsigned i)
{
    int r = buf_add(out, SLICE("le=\""));

    if (r == 0)
        r = i == STAT_BUCKETS - 1 ? buf_add(out, SLICE("+Inf"))
                                  : add_number(out, kind, 1ull << (2 * i));
    return r < 0 ? r : buf_add(out, slice_make("\"", 2));
}

static int add_hist(struct writer *w, const struct stat_row *row, const struct stat_hist *h)
{
    uint64_t count = 0;
    int r = 0;

    for (unsigned i = 0; i < STAT_BUCKETS && r == 0; i++) {
        CLEANUP(buf_done) struct buf le = {.max = 64};

        count += h->buckets[i];
        if ((r = add_bound(&le, row->kind, i)) == 0 &&
            (r = add_name(w, row, "_bucket", (const char *)le.p)) == 0)
            r = buf_addf(w->out, "%" PRIu64 "\n", count);
    }
    if (r < 0 || (r = add_name(w, row, "_sum", "")) < 0 ||
        (r = add_number(w->out, row->kind, h->sum)) < 0 || (r = buf_add_byte(w->out, '\n')) < 0 ||
        (r = add_name(w, row, "_count", "")) < 0)
        return r;
    return buf_addf(w->out, "%" PRIu64 "\n", count);
}

static int add_row(struct writer *w, const struct stat_row *row, const void *value)
{
    int r;

    if (row->kind == STAT_HISTOGRAM || row->kind == STAT_DURATION)
        return add_hist(w, row, value);
    if ((r = add_name(w, row, "", "")) < 0)
        return r;
    if (row->kind == STAT_GAUGE)
        return buf_addf(w->out, "%" PRId64 "\n", *(const int64_t *)value);
    return buf_addf(w->out, "%" PRIu64 "\n", *(const uint64_t *)value);
}

static int add_family(struct writer *w, const struct stat_row *row)
{
    static const char *const types[] = {"counter", "gauge", "histogram", "histogram"};

    return buf_addf(w->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", w->prefix, row->name, row->help,
                    w->prefix, row->name, types[row->kind]);
}

int stat_render_each(const struct stat_row *rows, size_t n, const void *const *stats,
                     const char *const *labels, size_t count, const char *prefix, struct buf *out)
{
    struct writer w = {out, prefix, NULL};
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++) {
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            r = add_family(&w, &rows[i]);
        for (size_t k = 0; k < count && r == 0; k++) {
            w.labels = labels[k];
            r = add_row(&w, &rows[i], (const char *)stats[k] + rows[i].offset);
        }
    }
    return r;
}

int stat_render(const struct stat_row *rows, size_t n, const void *stats, const char *prefix,
                const char *labels, struct buf *out)
{
    return stat_render_each(rows, n, &stats, &labels, 1, prefix, out);
}
