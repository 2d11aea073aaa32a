/* coarse.c: see coarse.h. */
#include "base/coarse.h"

#include <string.h>

enum { SUB_BITS = TEAK_HISTOGRAM_SUB_BITS, SUB = 1 << SUB_BITS };

static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB) return (uint32_t)value;
    const uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - SUB_BITS;
    return (shift + 1) * SUB + (uint32_t)((value >> shift) - SUB);
}

uint64_t teak_histogram_top(uint32_t bucket)
{
    if (bucket < SUB) return bucket;
    if (bucket >= TEAK_HISTOGRAM_BUCKETS) return UINT64_MAX;
    const uint32_t shift = bucket / SUB - 1;
    return ((uint64_t)(bucket % SUB + SUB) << shift) + ((UINT64_C(1) << shift) - 1);
}

void coarse_add(struct teak_histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) histogram->max = value;
}

void coarse_of(const struct hist *hist, struct teak_histogram *out)
{
    memset(out, 0, sizeof *out);
    out->count = hist->total;
    out->sum = hist->sum;
    out->max = hist->max;
    for (uint32_t fine = 0; fine < HIST_BUCKETS; fine++)
        if (hist->counts[fine] > 0) out->buckets[bucket_of(hist_bucket_top(fine))] += hist->counts[fine];
}

uint64_t teak_histogram_quantile(const struct teak_histogram *histogram, double share)
{
    if (histogram->count == 0) return 0;
    const double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < TEAK_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (histogram->buckets[bucket] == 0 || (double)seen < wanted) continue;
        const uint64_t top = teak_histogram_top(bucket);
        return top < histogram->max ? top : histogram->max;
    }
    return histogram->max;
}
