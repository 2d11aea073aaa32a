/* coarse.h: struct teak_histogram: eight buckets for each power of two, 4 KiB. What is published and exported;
 * base/hist keeps more digits and takes fifteen times the memory.
 */
#ifndef TEAK_BASE_COARSE_H
#define TEAK_BASE_COARSE_H

#include "base/hist.h"
#include "teak/counters.h"

void coarse_add(struct teak_histogram *histogram, uint64_t value);

/* The same values with fewer digits: exact, for a bucket there is a union of buckets here. */
void coarse_of(const struct hist *hist, struct teak_histogram *out);

#endif
