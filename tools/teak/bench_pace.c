/* bench_pace.c: see bench_pace.h. */
#include "bench_pace.h"

#include <math.h>

#include "bench_random.h"

static void advance(struct bench_pace *pace)
{
    if (pace->poisson)
        pace->next_ns -= log(bench_random_share(&pace->random)) * pace->gap_ns;
    else
        pace->next_ns = (double)pace->taken * pace->gap_ns; /* a product: no error adds up over an hour */
}

void bench_pace_begin(struct bench_pace *pace, double each_second, bool poisson, uint64_t begin_ns, uint64_t seed)
{
    *pace = (struct bench_pace){
        .gap_ns = 1e9 / each_second, .poisson = poisson, .begin_ns = begin_ns, .random = seed};
    if (poisson) advance(pace);
}

uint64_t bench_pace_take(struct bench_pace *pace)
{
    const uint64_t meant_ns = bench_pace_next(pace);
    pace->taken++;
    advance(pace);
    return meant_ns;
}
