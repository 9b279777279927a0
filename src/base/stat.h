/*
 * Metrics are rows of a folder's own table, <folder>/<folder>.metrics.def:
 *
 *   STAT(kind, field, name, labels, help)
 *   STAT(COUNTER, requests, "requests_total", "", "Requests received.")
 *   STAT(GAUGE, holds_ws, "holds", "transport=\"websocket\"", "Clients held now.")
 *   STAT(DURATION, turn, "turn_seconds", "", "From an event's delivery to its ACK.")
 *
 * From it the folder makes its struct and its rows:
 *
 *   struct edge_stats {
 *   #define STAT STAT_FIELD
 *   #include "edge/edge.metrics.def"
 *   #undef STAT
 *   };
 *   static const struct stat_row rows[] = {
 *   #define STAT(...) STAT_ROW(struct edge_stats, __VA_ARGS__)
 *   #include "edge/edge.metrics.def"
 *   #undef STAT
 *   };
 *
 * Counters are plain integers owned by one loop; stat_sum adds the structs of several loops when
 * somebody asks. Rows of one name stand together in the table.
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include "base/bytes.h"

enum stat_kind {
    STAT_COUNTER,   /* uint64_t, only grows */
    STAT_GAUGE,     /* int64_t */
    STAT_HISTOGRAM, /* struct stat_hist of counts or bytes */
    STAT_DURATION,  /* struct stat_hist of microseconds, shown in seconds */
};

/* Bucket i counts values <= 4^i; the last one everything. */
enum { STAT_BUCKETS = 14 };
struct stat_hist {
    uint64_t sum;
    uint64_t buckets[STAT_BUCKETS];
};

typedef uint64_t stat_type_COUNTER;
typedef int64_t stat_type_GAUGE;
typedef struct stat_hist stat_type_HISTOGRAM;
typedef struct stat_hist stat_type_DURATION;

struct stat_row {
    const char *name; /* without the program's prefix */
    const char *labels;
    const char *help;
    enum stat_kind kind;
    uint32_t offset;
};

#define STAT_FIELD(kind, field, name, labels, help) stat_type_##kind field;
#define STAT_ROW(type, kind, field, name, labels, help)                                            \
    {name, labels, help, STAT_##kind, offsetof(type, field)},

/* Counts a value in its bucket, and in the sum. */
void stat_observe(struct stat_hist *h, uint64_t value);
/* Adds every row of *from to *into; both are the struct the rows were made for. */
void stat_sum(const struct stat_row *rows, size_t n, void *into, const void *from);
/*
 * Appends Prometheus text (exposition format 0.0.4). Names get `prefix` ("holdfast_"); labels
 * ("app=\"chat\"", may be empty) stand before a row's own. stats is the struct of the rows.
 * -ERR_TOO_LARGE over out's maximum.
 */
int stat_render(const struct stat_row *rows, size_t n, const void *stats, const char *prefix,
                const char *labels, struct buf *out);
/* The same for several structs with labels of their own, the lines of a name together: stats[i] and
 * labels[i], i below count. */
int stat_render_each(const struct stat_row *rows, size_t n, const void *const *stats,
                     const char *const *labels, size_t count, const char *prefix, struct buf *out);

#endif
