/* How long things took, in tenths of a microsecond: one round trip on an idle machine must not be
 * all rounding. */
#include "load.h"

enum { BUCKETS = 1 << 16 };

static _Atomic uint32_t counts[BUCKETS];

/* Two digits of precision: values below 128 have their own bucket, above that 64 buckets for each
 * doubling. */
static unsigned bucket_of(uint64_t value)
{
    const unsigned shift = value < 128 ? 0 : 57u - (unsigned)__builtin_clzll(value);

    return shift * 64 + (unsigned)(value >> shift);
}

static double bucket_value(unsigned bucket)
{
    const unsigned shift = bucket < 128 ? 0 : bucket / 64 - 1;

    return (double)((uint64_t)(bucket - shift * 64) << shift);
}

void latency_clear(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        counts[i] = 0;
}

void latency_count(int64_t ns)
{
    counts[bucket_of((uint64_t)(ns > 0 ? ns : 0) / 100)]++;
}

double latency_at(double part)
{
    uint64_t total = 0, before = 0;

    for (unsigned i = 0; i < BUCKETS; i++)
        total += counts[i];
    for (unsigned i = 0; i < BUCKETS; i++)
        if (counts[i] && (before += counts[i]) >= (uint64_t)((double)total * part + 0.5))
            return bucket_value(i) / 10;
    return 0;
}
