/* bench_sizes.h: how large entries are: all alike, or drawn from a distribution. */
#ifndef TEAK_TOOLS_BENCH_SIZES_H
#define TEAK_TOOLS_BENCH_SIZES_H

#include <stdbool.h>
#include <stdint.h>

enum bench_sizes_kind {
    SIZES_FIXED,   /* "256", "4K": `low`                                                           */
    SIZES_UNIFORM, /* "uniform:16-4096": low to high                                               */
    SIZES_EXP,     /* "exp:256": exponential with that mean, cut at 16 times it, which one in nine
                    * million would exceed                                                         */
    SIZES_PARTS,   /* "256*90+4K*9+64K*1": sizes and how often each                                */
};
enum { SIZES_PARTS_MAX = 8, SIZES_EXP_CUT = 16 };

struct bench_sizes {
    enum bench_sizes_kind kind;
    uint32_t low, high; /* FIXED: both alike; EXP: `low` is the mean, `high` the cut */
    struct {
        uint32_t bytes, weight;
    } parts[SIZES_PARTS_MAX];
    uint32_t parts_count, weights;
};

/* False: not understood, or a size is above `max`; *out is then undefined. */
bool bench_sizes_parse(const char *text, uint32_t max, struct bench_sizes *out);

/* `state`: of bench_random. */
uint32_t bench_sizes_draw(const struct bench_sizes *sizes, uint64_t *state);

double bench_sizes_mean(const struct bench_sizes *sizes);
uint32_t bench_sizes_max(const struct bench_sizes *sizes);

#endif
