/* bench_summary.h: all that is told of a benchmark, whoever shows it: as text, as JSON, as a page. */
#ifndef TEAK_TOOLS_BENCH_SUMMARY_H
#define TEAK_TOOLS_BENCH_SUMMARY_H

#include <stdio.h>
#include <time.h>

#include "bench_ceiling.h"
#include "bench_load.h"
#include "bench_rivals.h"
#include "disk_count.h"
#include "machine.h"
#include "spread.h"

/* One run, in short. */
struct bench_point {
    double setting; /* window, entries a second, or threads */
    double entries_per_second, payload_bytes_per_second;
    double p50_us, p90_us, p99_us, p999_us, max_us;
    uint64_t entries, unfinished;
};
enum { BENCH_REPS_MAX = 1000, BENCH_SWEEP_MAX = 16 };

struct bench_summary {
    const struct bench_load *load; /* as asked for */
    const char *sizes_text, *mix_text;
    time_t when;
    struct bench_result total; /* all repetitions together */
    struct bench_point *reps;
    uint32_t reps_count;
    struct bench_point sweep[BENCH_SWEEP_MAX];
    uint32_t sweep_count;
    struct bench_ceiling ceiling; /* count 0: not measured */
    struct disk_count did;        /* while the load ran    */
    struct machine machine;
    struct teak_limits limits;
    uint64_t linger_ns;
};

extern const char *const bench_shape_names[]; /* by enum bench_shape: "window", "rate", "threads" */

struct bench_point bench_point_of(const struct bench_result *result, double setting);
void bench_summary_add(struct bench_summary *summary, const struct bench_result *result, struct disk_count did);

/* Of a field of the repetitions. */
enum bench_field { FIELD_RATE, FIELD_P50, FIELD_P99, FIELD_P999 };
struct spread bench_spread_of(const struct bench_summary *summary, enum bench_field field);

double bench_seconds(const struct bench_summary *summary);
double bench_rate(const struct bench_summary *summary); /* entries a second */
double bench_micros(const struct latency *latency, double share);

/* Entries a second that the disk would carry without a log, and Teak's share of it; NAN where it is not known. */
double bench_ceiling_entries(const struct bench_summary *summary);
double bench_share(const struct bench_summary *summary);
enum disk_verdict bench_verdict(const struct bench_summary *summary);

/* Shares whose latencies are listed, the last one 1. */
extern const double bench_quantiles[];
extern const uint32_t bench_quantiles_count;

void bench_show_json(const struct bench_summary *summary, FILE *out);
void bench_show_text(const struct bench_summary *summary);
/* One HTML file that needs nothing else. `rivals` may be NULL. False: no memory. */
bool bench_show_page(const struct bench_summary *summary, const struct rivals *rivals, FILE *out);

#endif
