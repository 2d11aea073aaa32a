/* ticks.h: the monotonic clock. */
#ifndef TEAK_TOOLS_TICKS_H
#define TEAK_TOOLS_TICKS_H

#include <stdint.h>
#include <time.h>

#define TICKS_PER_SECOND UINT64_C(1000000000)

static inline uint64_t ticks_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock and a valid pointer */
    return (uint64_t)now.tv_sec * TICKS_PER_SECOND + (uint64_t)now.tv_nsec;
}

#endif
