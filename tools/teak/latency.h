/* latency.h: how often which latency was met: log-linear buckets of 3 significant digits, fixed memory. */
#ifndef TEAK_TOOLS_LATENCY_H
#define TEAK_TOOLS_LATENCY_H

#include <stdint.h>

/* 1,024 buckets for each power of two: none is wider than a thousandth of its values. 64 - 10 + 1 powers: 450 KB. */
enum {
    LATENCY_SUB_BITS = 10,
    LATENCY_SUB = 1 << LATENCY_SUB_BITS,
    LATENCY_BUCKETS = (65 - LATENCY_SUB_BITS) * LATENCY_SUB
};

struct latency {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t total, max; /* max is exact */
};

static inline uint32_t latency_bucket_of(uint64_t ns)
{
    if (ns < LATENCY_SUB) return (uint32_t)ns;
    const uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - LATENCY_SUB_BITS;
    return (shift + 1) * LATENCY_SUB + (uint32_t)((ns >> shift) - LATENCY_SUB);
}

static inline void latency_add(struct latency *latency, uint64_t ns, uint64_t times)
{
    latency->counts[latency_bucket_of(ns)] += times;
    latency->total += times;
    if (ns > latency->max) latency->max = ns;
}

void latency_reset(struct latency *latency);

/* All that was met in `from`, into `into` too. */
void latency_merge(struct latency *into, const struct latency *from);

/* For drawing: eight bars for each power of two. What fell into the bar, and its bounds, the upper one not in it. */
enum { LATENCY_BAR_BUCKETS = LATENCY_SUB / 8, LATENCY_BARS = LATENCY_BUCKETS / LATENCY_BAR_BUCKETS };
struct latency_bar {
    uint64_t low, high, count;
};
static inline uint32_t latency_bar_of(uint64_t ns) { return latency_bucket_of(ns) / LATENCY_BAR_BUCKETS; }
uint64_t latency_bar_high(uint32_t bar);
struct latency_bar latency_bar(const struct latency *latency, uint32_t bar);

/* The least value, to a thousandth, that at least `share` (0 to 1) of all do not exceed; 0 where there is none. */
uint64_t latency_quantile(const struct latency *latency, double share);

#endif
