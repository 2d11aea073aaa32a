/* bench_load.h: a load on a store, and what came of it. */
#ifndef TEAK_TOOLS_BENCH_LOAD_H
#define TEAK_TOOLS_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "teak/engine.h"

#include "bench_mix.h"
#include "bench_sizes.h"
#include "latency.h"

enum bench_shape {
    SHAPE_WINDOW,  /* closed loop: so many entries are always outstanding               */
    SHAPE_RATE,    /* open loop: so many entries a second, whatever the store makes of it */
    SHAPE_THREADS, /* closed loop: each thread waits for its batch, through a committer */
};

struct bench_load {
    struct bench_sizes sizes;
    struct bench_mix mix;
    enum bench_shape shape;
    uint32_t window;        /* WINDOW: entries outstanding                                           */
    double rate;            /* RATE: entries a second                                                */
    bool poisson;           /* RATE: requests come independently of each other, else evenly          */
    bool busy_poll;         /* WINDOW, RATE: it never sleeps between two polls; not of a replicator      */
    uint32_t threads;       /* THREADS                                                               */
    uint32_t batch;         /* entries in a batch; at most `window`                                  */
    uint32_t logs;          /* 1..logs, in turn, one batch each; of a replicator: groups             */
    uint64_t retain_bytes;  /* payload that stays in all logs together; 0: all of it                 */
    uint64_t preload_bytes; /* payload in the logs before anything is measured                       */
    uint64_t warm_ns, measure_ns;
    uint64_t rest_ns;       /* of the whole command from here on: is there space for so long?        */
    uint64_t seed;
    const char *directory;  /* where space is asked                                                  */
    const char *label;      /* before the bar                                                        */
    bool progress;          /* a bar, where standard error is a terminal                             */
};

/* Warm-up: a tenth of the measured time, half a second at most, unless the caller says else. Not counted. */
enum { BENCH_WARM_SHARE = 10, BENCH_WARM_NS_MAX = 500000000 };

struct bench_result {
    uint64_t entries; /* that became durable while it was measured; of an open loop: that were meant to begin then */
    uint64_t payload_bytes;
    uint64_t ns;
    uint64_t frames, frame_bytes, syncs, bytes_written, stalls, arena_reads, disk_reads;
    double cpu_seconds;
    uint64_t rss_bytes_max;
    uint64_t unfinished;     /* RATE: entries not durable a second behind the end; their age counts as latency       */
    uint64_t commits, elections, resent; /* of a replicator: commit indexes noted; new terms; entries sent again     */
    uint64_t space_wanted;   /* not 0: nothing was measured, for what is left would take so much and it is not there */
    uint64_t space_free;
    struct latency latency;  /* ns, until durable, one for each entry: from submitting, or from when it was meant to  */
    struct latency late;     /* RATE: ns that batches were submitted later than meant                                */
    struct latency acts[ACT_COUNT]; /* ns of each other act                                                          */
    struct teak_stats stats; /* at the end                                                                           */
};

/* Run it on an open store. Nothing of the load is outstanding afterwards, unless it failed.
 * False: *error says why. A wish to stop (stop.h) ends it early, with TEAK_OK. Not for SHAPE_THREADS. */
bool bench_load_run(const struct bench_load *load, struct teak_store *store, struct bench_result *out,
                    struct teak_error *error);

/* --- What kinds of loads share. --- */

/* Counters at one moment; `out` gets the difference of two of them. */
struct bench_mark {
    uint64_t ns;
    struct teak_stats stats;
    double cpu_seconds;
    uint64_t rss_bytes_max;
};
void bench_mark_take(struct teak_store *store, uint64_t now_ns, struct bench_mark *out);
void bench_mark_difference(const struct bench_mark *before, const struct bench_mark *after, struct bench_result *out);

/* Behind the warm-up: does what is to come fit? False: noted in *out. */
bool bench_load_has_space(const struct bench_load *load, const struct bench_mark *begin, const struct bench_mark *warm,
                          struct bench_result *out);

/* Sleep until then, or until a signal. */
void bench_sleep_until(uint64_t until_ns);

#endif
