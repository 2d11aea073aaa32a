/* bench_load.h: a closed loop of appends: a window of entries is always outstanding, submitted some at a time. */
#ifndef TEAK_TOOLS_BENCH_LOAD_H
#define TEAK_TOOLS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

#include "latency.h"

struct bench_load {
    uint32_t entry_bytes;
    uint32_t window;       /* entries outstanding                                  */
    uint32_t batch;        /* entries in a batch; at most `window`                 */
    uint32_t logs;         /* 1..logs, in turn, one batch each                     */
    uint64_t retain_bytes; /* payload that stays in all logs together; 0: all of it */
    uint64_t measure_ns;
    bool progress; /* a bar, where standard error is a terminal            */
};

/* Warm-up: a tenth of the measured time, half a second at most. Not counted. */
enum { BENCH_WARM_SHARE = 10, BENCH_WARM_NS_MAX = 500000000 };

struct bench_result {
    uint64_t entries; /* that became durable while it was measured */
    uint64_t ns;
    uint64_t frames, syncs, bytes_written, stalls;
    double cpu_seconds;
    uint64_t rss_bytes_max;
    struct latency latency; /* ns, from submit to durable, one for each entry */
    struct teak_stats stats; /* at the end */
};

/* Run it on an open store. Nothing of the load is outstanding afterwards, unless it failed.
 * False: *error says why. A wish to stop (stop.h) ends it early, with TEAK_OK. */
bool bench_load_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                    struct teak_error *error);

#endif
