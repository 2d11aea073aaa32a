/* bench_random.h: numbers that look random and are the same in every run (SplitMix64). */
#ifndef TEAK_TOOLS_BENCH_RANDOM_H
#define TEAK_TOOLS_BENCH_RANDOM_H

#include <stdint.h>

static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t value = *state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ value >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ value >> 27) * UINT64_C(0x94D049BB133111EB);
    return value ^ value >> 31;
}

/* Above 0, at most 1: its logarithm is finite. */
static inline double bench_random_share(uint64_t *state)
{
    return (double)((bench_random(state) >> 11) + 1) / 9007199254740992.0; /* 2^53 */
}

#endif
