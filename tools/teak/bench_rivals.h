/* bench_rivals.h: what bench/compare.py wrote of others under the same load. */
#ifndef TEAK_TOOLS_BENCH_RIVALS_H
#define TEAK_TOOLS_BENCH_RIVALS_H

#include <stdbool.h>
#include <stdint.h>

enum { RIVALS_MAX = 64, RIVAL_LOADS_MAX = 8 };

/* One rival under one load. NAN: it is not told. */
struct rival {
    char name[96];
    char version[48], settings[256]; /* as its own documentation advises                    */
    char complaint[160];             /* why runs of it were not counted, if some were not   */
    double rate, p99_us;             /* medians; entries a second. rate NAN: none counted   */
    double times;                    /* Teak is so many times as fast, pair by pair         */
    uint32_t runs, load;
    bool is_teak;
};

struct rivals {
    struct rival rows[RIVALS_MAX];
    uint32_t count;
    char loads[RIVAL_LOADS_MAX][160]; /* what the load was */
    uint32_t loads_count;
};

/* A load is an object with a text "title" and an array "points", of objects with "name", "summary" and the like.
 * Within a load the fastest is first, who did not count is last. False: no JSON, or not one point in it. */
bool rivals_read(const char *text, struct rivals *out);

#endif
