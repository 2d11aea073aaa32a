/* wire_sum_lanes.h: the sum itself, for the two files that compile it for one set of instructions each. */
#ifndef TEAK_WIRE_SUM_LANES_H
#define TEAK_WIRE_SUM_LANES_H

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL 1
#endif
#include <xxhash.h>

#include "wire/wire_sum.h"

static inline uint64_t sum_in_lanes(uint64_t seed, const struct teak_raft_span *spans, uint32_t count)
{
    if (count == 1) return XXH3_64bits_withSeed(spans[0].data, spans[0].bytes, seed);
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    (void)XXH3_64bits_reset_withSeed(&state, seed);
    for (uint32_t i = 0; i < count; i++) (void)XXH3_64bits_update(&state, spans[i].data, spans[i].bytes);
    return XXH3_64bits_digest(&state);
}

#endif
