/* quorum.c: see quorum.h. */
#include "core/quorum.h"

/* Not every compiler has this as an instruction, and its library is not ours. */
static uint32_t count(uint32_t set)
{
    set -= set >> 1 & 0x55555555;
    set = (set & 0x33333333) + (set >> 2 & 0x33333333);
    return ((set + (set >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

static bool half_has(uint32_t half, uint32_t have) { return half == 0 || count(half & have) > count(half) / 2; }

bool quorum_has(uint32_t voters, uint32_t next, uint32_t have)
{
    return (voters | next) != 0 && half_has(voters, have) && half_has(next, have);
}

bool quorum_is_lost(uint32_t voters, uint32_t next, uint32_t denied) { return !quorum_has(voters, next, ~denied); }

/* Sorted on the stack, descending: with n voters, number n / 2 from the top is what a majority has reached. */
static uint64_t half_index(uint32_t half, const uint64_t *match)
{
    uint64_t sorted[32];
    uint32_t n = 0;
    for (uint32_t rest = half; rest != 0; rest &= rest - 1) {
        const uint64_t value = match[__builtin_ctz(rest)];
        uint32_t at = n++;
        for (; at > 0 && sorted[at - 1] < value; at--) sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return n == 0 ? UINT64_MAX : sorted[n / 2];
}

uint64_t quorum_index(uint32_t voters, uint32_t next, const uint64_t *match)
{
    const uint64_t a = half_index(voters, match), b = half_index(next, match);
    if ((voters | next) == 0) return 0;
    return a < b ? a : b;
}
