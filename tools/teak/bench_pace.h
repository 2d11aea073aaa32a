/* bench_pace.h: when requests of an open loop are meant to begin. No clock of its own: the caller says what time it is.
 *
 * A request that cannot begin when it was meant to keeps its time: what it then waits counts. To take the time at which
 * it did begin would leave out just those moments in which the store was slow (coordinated omission). */
#ifndef TEAK_TOOLS_BENCH_PACE_H
#define TEAK_TOOLS_BENCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct bench_pace {
    double gap_ns;     /* mean time between two      */
    bool poisson;      /* gaps are drawn, else even  */
    uint64_t begin_ns;
    double next_ns;    /* behind begin_ns            */
    uint64_t taken;
    uint64_t random;
};

/* `each_second` > 0 requests a second from `begin_ns` on. */
void bench_pace_begin(struct bench_pace *pace, double each_second, bool poisson, uint64_t begin_ns, uint64_t seed);

/* When the next is meant to begin. */
static inline uint64_t bench_pace_next(const struct bench_pace *pace)
{
    return pace->begin_ns + (uint64_t)pace->next_ns;
}

/* It has begun: its time; the one behind it is next. */
uint64_t bench_pace_take(struct bench_pace *pace);

#endif
