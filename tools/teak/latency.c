/* latency.c: see latency.h. */
#include "latency.h"

#include <string.h>

/* The largest value that falls into the bucket. */
static uint64_t top_of(uint32_t bucket)
{
    if (bucket < LATENCY_SUB) return bucket;
    const uint32_t shift = bucket / LATENCY_SUB - 1;
    return ((uint64_t)(bucket % LATENCY_SUB + LATENCY_SUB) << shift) + ((UINT64_C(1) << shift) - 1);
}

void latency_reset(struct latency *latency) { memset(latency, 0, sizeof(*latency)); }

void latency_merge(struct latency *into, const struct latency *from)
{
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) into->counts[bucket] += from->counts[bucket];
    into->total += from->total;
    if (from->max > into->max) into->max = from->max;
}

uint64_t latency_bar_high(uint32_t bar)
{
    const uint64_t last = top_of(bar * LATENCY_BAR_BUCKETS + LATENCY_BAR_BUCKETS - 1);
    return last == UINT64_MAX ? last : last + 1; /* the last bar ends with the last number */
}

struct latency_bar latency_bar(const struct latency *latency, uint32_t bar)
{
    const uint32_t first = bar * LATENCY_BAR_BUCKETS;
    struct latency_bar out = {.low = bar == 0 ? 0 : latency_bar_high(bar - 1), .high = latency_bar_high(bar)};
    for (uint32_t i = 0; i < LATENCY_BAR_BUCKETS; i++) out.count += latency->counts[first + i];
    return out;
}

uint64_t latency_quantile(const struct latency *latency, double share)
{
    const double wanted = share * (double)latency->total;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; bucket++) {
        seen += latency->counts[bucket];
        if (latency->counts[bucket] == 0 || (double)seen < wanted) continue;
        const uint64_t top = top_of(bucket);
        return top < latency->max ? top : latency->max;
    }
    return latency->max;
}
