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

static inline void latency_add(struct latency *latency, uint64_t ns, uint64_t times)
{
    uint64_t bucket = ns;
    if (ns >= LATENCY_SUB) {
        const uint32_t shift = 63u - (uint32_t)__builtin_clzll(ns) - LATENCY_SUB_BITS;
        bucket = (uint64_t)(shift + 1) * LATENCY_SUB + ((ns >> shift) - LATENCY_SUB);
    }
    latency->counts[bucket] += times;
    latency->total += times;
    if (ns > latency->max) latency->max = ns;
}

void latency_reset(struct latency *latency);

/* The least value, to a thousandth, that at least `share` (0 to 1) of all do not exceed; 0 where there is none. */
uint64_t latency_quantile(const struct latency *latency, double share);

#endif
