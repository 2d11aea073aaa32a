/* wire_sum_avx2.c: the long case of wire_sum for processors that have AVX2: the same sums, faster. Compiled with -mavx2
 * where the build is for x86-64 (TEAK_HAVE_AVX2), else empty. wire_sum.c asks the processor. */
#include "wire/wire_sum_lanes.h"

#ifdef TEAK_HAVE_AVX2
uint64_t wire_sum_avx2(uint64_t seed, const struct teak_raft_span *spans, uint32_t count);

uint64_t wire_sum_avx2(uint64_t seed, const struct teak_raft_span *spans, uint32_t count)
{
    return sum_in_lanes(seed, spans, count);
}
#endif
