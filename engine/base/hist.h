/* hist.h: a latency histogram with 3 significant digits and fixed memory (log-linear buckets, as HdrHistogram has
 * them). */
#ifndef TEAK_BASE_HIST_H
#define TEAK_BASE_HIST_H

#include <stdint.h>

enum { HIST_SUB_BITS = 7, HIST_SUB = 1 << HIST_SUB_BITS, HIST_BUCKETS = (64 - HIST_SUB_BITS + 1) * HIST_SUB };

struct hist {
    uint64_t counts[HIST_BUCKETS];
    uint64_t total; /* values recorded          */
    uint64_t sum;   /* of the values            */
    uint64_t max;   /* exact                    */
};

/* The largest value that falls into a bucket. */
uint64_t hist_bucket_top(uint32_t bucket);

void hist_reset(struct hist *hist);
void hist_add_many(struct hist *hist, uint64_t value, uint64_t times);
static inline void hist_add(struct hist *hist, uint64_t value) { hist_add_many(hist, value, 1); }

/* Smallest recorded value (to bucket precision, never above the exact maximum) that at least `share` (0 to 1) of all
 * values do not exceed; 0 where nothing was recorded. */
uint64_t hist_quantile(const struct hist *hist, double share);

/* Add all of `from` to `hist`. */
void hist_merge(struct hist *hist, const struct hist *from);

#endif
