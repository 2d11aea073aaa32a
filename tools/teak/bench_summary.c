/* bench_summary.c: see bench_summary.h. */
#include "bench_summary.h"

#include <math.h>

const char *const bench_shape_names[] = {"window", "rate", "threads", NULL};

const double bench_quantiles[] = {0,     0.1,   0.2,    0.3,     0.4,    0.5,     0.55,   0.6,     0.65,  0.7,
                                  0.75,  0.8,   0.85,   0.9,     0.925,  0.95,    0.9625, 0.975,   0.98,  0.99,
                                  0.995, 0.999, 0.9995, 0.9999,  0.99995, 0.99999, 0.999999, 1};
const uint32_t bench_quantiles_count = sizeof(bench_quantiles) / sizeof(bench_quantiles[0]);

double bench_micros(const struct latency *latency, double share)
{
    return (double)latency_quantile(latency, share) / 1e3;
}

struct bench_point bench_point_of(const struct bench_result *result, double setting)
{
    const double seconds = (double)result->ns / 1e9;
    return (struct bench_point){
        .setting = setting,
        .entries_per_second = seconds > 0 ? (double)result->entries / seconds : 0,
        .payload_bytes_per_second = seconds > 0 ? (double)result->payload_bytes / seconds : 0,
        .p50_us = bench_micros(&result->latency, 0.5),
        .p90_us = bench_micros(&result->latency, 0.9),
        .p99_us = bench_micros(&result->latency, 0.99),
        .p999_us = bench_micros(&result->latency, 0.999),
        .max_us = (double)result->latency.max / 1e3,
        .entries = result->entries,
        .unfinished = result->unfinished,
    };
}

void bench_summary_add(struct bench_summary *summary, const struct bench_result *result, struct disk_count did)
{
    struct bench_result *total = &summary->total;
    total->entries += result->entries;
    total->payload_bytes += result->payload_bytes;
    total->ns += result->ns;
    total->frames += result->frames;
    total->frame_bytes += result->frame_bytes;
    total->syncs += result->syncs;
    total->bytes_written += result->bytes_written;
    total->stalls += result->stalls;
    total->arena_reads += result->arena_reads;
    total->disk_reads += result->disk_reads;
    total->cpu_seconds += result->cpu_seconds;
    total->rss_bytes_max = result->rss_bytes_max; /* a maximum of the whole process: it never falls */
    total->unfinished += result->unfinished;
    total->commits += result->commits;
    total->elections += result->elections;
    total->resent += result->resent;
    total->stats = result->stats;
    latency_merge(&total->latency, &result->latency);
    latency_merge(&total->late, &result->late);
    for (uint32_t i = 0; i < ACT_COUNT; i++) latency_merge(&total->acts[i], &result->acts[i]);
    summary->did = (struct disk_count){
        .known = did.known,
        .writes = summary->did.writes + did.writes,
        .write_bytes = summary->did.write_bytes + did.write_bytes,
        .flushes = summary->did.flushes + did.flushes,
    };
    summary->reps[summary->reps_count] = bench_point_of(result, summary->reps_count + 1);
    summary->reps_count++;
}

static double field_of(const struct bench_point *point, enum bench_field field)
{
    switch (field) {
    case FIELD_RATE: return point->entries_per_second;
    case FIELD_P50: return point->p50_us;
    case FIELD_P99: return point->p99_us;
    case FIELD_P999: return point->p999_us;
    }
    return NAN;
}

struct spread bench_spread_of(const struct bench_summary *summary, enum bench_field field)
{
    double values[BENCH_REPS_MAX];
    for (uint32_t i = 0; i < summary->reps_count; i++) values[i] = field_of(&summary->reps[i], field);
    return spread_of(values, summary->reps_count);
}

double bench_seconds(const struct bench_summary *summary) { return (double)summary->total.ns / 1e9; }

double bench_rate(const struct bench_summary *summary)
{
    return summary->total.ns > 0 ? (double)summary->total.entries / bench_seconds(summary) : 0;
}

double bench_ceiling_entries(const struct bench_summary *summary)
{
    const struct bench_ceiling_row *best = bench_ceiling_best(&summary->ceiling);
    return best != NULL ? bench_ceiling_rate(best) : NAN;
}

double bench_share(const struct bench_summary *summary) { return bench_rate(summary) / bench_ceiling_entries(summary); }

enum disk_verdict bench_verdict(const struct bench_summary *summary)
{
    const bool syncs = summary->total.stats.strategy != TEAK_NONE && summary->total.syncs > 0;
    /* Through the page cache and without a sync the kernel may write later, or never. */
    if (summary->total.stats.strategy == TEAK_NONE && !summary->total.stats.direct_io) return DISK_NOT_KNOWN;
    return disk_verdict_of(summary->did, summary->total.frame_bytes,
                           syncs && machine_needs_flushes(&summary->machine));
}
