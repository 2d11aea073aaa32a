/* key_avx2.c: the long case of key_sum for processors that have AVX2: the same sums, about three times as fast at 4
 * KiB. Compiled with -mavx2 where the build is for x86-64 (TEAK_HAVE_AVX2), else empty. key.c asks the processor. */
#include "format/key.h"

#ifdef TEAK_HAVE_AVX2
#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL 1
#endif
#include <xxhash.h>

uint64_t key_sum_avx2(const struct key *key, const void *bytes, size_t count)
{
    return XXH3_64bits_withSecret(bytes, count, key->secret, sizeof key->secret);
}
#else
typedef int key_avx2_is_empty; /* a translation unit must hold something */
#endif
