/* hist.c: see hist.h. A value below HIST_SUB has its own bucket; above, each power of two has HIST_SUB buckets. */
#include "base/hist.h"

#include <string.h>

static uint32_t bucket_of(uint64_t value)
{
    if (value < HIST_SUB) return (uint32_t)value;
    const uint32_t high = 63u - (uint32_t)__builtin_clzll(value);
    const uint32_t shift = high - HIST_SUB_BITS;
    return (shift + 1) * HIST_SUB + (uint32_t)((value >> shift) - HIST_SUB);
}

uint64_t hist_bucket_top(uint32_t bucket)
{
    if (bucket < HIST_SUB) return bucket;
    const uint32_t shift = bucket / HIST_SUB - 1;
    const uint64_t low = (uint64_t)(bucket % HIST_SUB + HIST_SUB) << shift;
    return low + ((UINT64_C(1) << shift) - 1);
}

void hist_reset(struct hist *hist) { memset(hist, 0, sizeof(*hist)); }

void hist_add_many(struct hist *hist, uint64_t value, uint64_t times)
{
    hist->counts[bucket_of(value)] += times;
    hist->total += times;
    hist->sum += value * times;
    if (times > 0 && value > hist->max) hist->max = value;
}

uint64_t hist_quantile(const struct hist *hist, double share)
{
    if (hist->total == 0) return 0;
    const double wanted = share * (double)hist->total;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < HIST_BUCKETS; bucket++) {
        seen += hist->counts[bucket];
        if (hist->counts[bucket] > 0 && (double)seen >= wanted) {
            const uint64_t top = hist_bucket_top(bucket);
            return top < hist->max ? top : hist->max;
        }
    }
    return hist->max;
}

void hist_merge(struct hist *hist, const struct hist *from)
{
    for (uint32_t bucket = 0; bucket < HIST_BUCKETS; bucket++) hist->counts[bucket] += from->counts[bucket];
    hist->total += from->total;
    hist->sum += from->sum;
    if (from->max > hist->max) hist->max = from->max;
}
