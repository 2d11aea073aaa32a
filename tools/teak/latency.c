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
