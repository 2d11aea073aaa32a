/* wire_sum.c: see wire_sum.h. XXH3 is compiled in: a library's own would be one more thing to install. */
#include "wire/wire_sum_lanes.h"

/* Each word passes through a bijection of the seed: one that is changed changes it. */
uint64_t wire_seed(const struct wire_head *head)
{
    le64 cluster[2];
    memcpy(cluster, head->cluster, sizeof cluster);
    const le64 words[5] = {cluster[0], cluster[1], head->group, head->from, head->to};
    uint64_t seed = 0;
    for (int i = 0; i < 5; i++) {
        seed = (seed ^ le64_get(words[i])) * UINT64_C(0x9e3779b97f4a7c15);
        seed = seed << 29 | seed >> 35;
    }
    return seed;
}

#ifdef TEAK_HAVE_AVX2
uint64_t wire_sum_avx2(uint64_t seed, const struct teak_raft_span *spans, uint32_t count); /* wire_sum_avx2.c */
#endif

uint64_t wire_sum(uint64_t seed, const struct teak_raft_span *spans, uint32_t count)
{
#ifdef TEAK_HAVE_AVX2
    enum { LONG_BYTES = 240 }; /* XXH3 works in lanes beyond this */
    if ((count > 1 || spans[0].bytes > LONG_BYTES) && __builtin_cpu_supports("avx2"))
        return wire_sum_avx2(seed, spans, count);
#endif
    return sum_in_lanes(seed, spans, count);
}
