/* bench_show_json.c: a benchmark as one JSON object; docs/tuning.md says what the fields mean. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "bench_summary.h"
#include "json.h"
#include "store_args.h"

static void known_bool(struct json *json, const char *key, bool known, bool value)
{
    if (known)
        json_bool(json, key, value);
    else
        json_null(json, key);
}

static void show_latency(struct json *json, const char *key, const struct latency *latency)
{
    json_object(json, key);
    json_real(json, "p50", bench_micros(latency, 0.50), 3);
    json_real(json, "p90", bench_micros(latency, 0.90), 3);
    json_real(json, "p99", bench_micros(latency, 0.99), 3);
    json_real(json, "p999", bench_micros(latency, 0.999), 3);
    json_real(json, "max", (double)latency->max / 1e3, 3);
    json_close(json);
}

static void show_load(struct json *json, const struct bench_summary *summary)
{
    const struct bench_load *load = summary->load;
    json_object(json, "load");
    json_text(json, "shape", bench_shape_names[load->shape]);
    json_text(json, "mix", summary->mix_text);
    json_text(json, "entry_bytes", summary->sizes_text);
    json_real(json, "entry_bytes_mean", bench_sizes_mean(&load->sizes), 1);
    if (load->shape == SHAPE_WINDOW) json_number(json, "window", load->window);
    if (load->shape == SHAPE_RATE) {
        json_real(json, "rate", load->rate, 3);
        json_text(json, "arrivals", load->poisson ? "poisson" : "even");
    }
    if (load->shape != SHAPE_THREADS) json_bool(json, "busy_poll", load->busy_poll);
    if (load->shape == SHAPE_THREADS) json_number(json, "threads", load->threads);
    json_number(json, "batch", load->batch);
    json_number(json, "logs", load->logs);
    json_number(json, "retain_bytes", load->retain_bytes);
    json_number(json, "preload_bytes", load->preload_bytes);
    json_real(json, "seconds", (double)load->measure_ns / 1e9, 3);
    json_real(json, "warm_up_seconds", (double)load->warm_ns / 1e9, 3);
    json_number(json, "repetitions", summary->reps_count);
    json_number(json, "seed", load->seed);
    json_close(json);
}

static void show_point(struct json *json, const char *setting, const struct bench_point *point)
{
    json_object(json, NULL);
    if (setting != NULL) json_real(json, setting, point->setting, 3);
    json_number(json, "entries", point->entries);
    json_real(json, "entries_per_second", point->entries_per_second, 1);
    json_real(json, "payload_bytes_per_second", point->payload_bytes_per_second, 1);
    json_object(json, "latency_us");
    json_real(json, "p50", point->p50_us, 3);
    json_real(json, "p90", point->p90_us, 3);
    json_real(json, "p99", point->p99_us, 3);
    json_real(json, "p999", point->p999_us, 3);
    json_real(json, "max", point->max_us, 3);
    json_close(json);
    json_number(json, "unfinished", point->unfinished);
    json_close(json);
}

static void show_spread(struct json *json, const char *key, struct spread spread, uint32_t decimals)
{
    json_object(json, key);
    json_real(json, "median", spread.median, decimals);
    json_real(json, "low", spread.low, decimals);
    json_real(json, "high", spread.high, decimals);
    json_close(json);
}

static void show_runs(struct json *json, const struct bench_summary *summary)
{
    json_array(json, "repetitions");
    for (uint32_t i = 0; i < summary->reps_count; i++) show_point(json, NULL, &summary->reps[i]);
    json_close(json);
    json_object(json, "spread");
    show_spread(json, "entries_per_second", bench_spread_of(summary, FIELD_RATE), 1);
    show_spread(json, "p50_us", bench_spread_of(summary, FIELD_P50), 3);
    show_spread(json, "p99_us", bench_spread_of(summary, FIELD_P99), 3);
    show_spread(json, "p999_us", bench_spread_of(summary, FIELD_P999), 3);
    json_close(json);
    json_array(json, "sweep");
    for (uint32_t i = 0; i < summary->sweep_count; i++)
        show_point(json, bench_shape_names[summary->load->shape], &summary->sweep[i]);
    json_close(json);
}

static void show_acts(struct json *json, const struct bench_summary *summary)
{
    json_array(json, "operations");
    for (uint32_t i = 0; i < ACT_COUNT; i++) {
        const struct latency *latency = &summary->total.acts[i];
        if (latency->total == 0) continue;
        json_object(json, NULL);
        json_text(json, "operation", bench_act_names[i]);
        json_number(json, "count", latency->total);
        show_latency(json, "latency_us", latency);
        json_close(json);
    }
    json_close(json);
    if (!summary->load->mix.replicator) return;
    json_object(json, "replicator");
    json_number(json, "commits_noted", summary->total.commits);
    json_number(json, "terms", summary->total.elections);
    json_number(json, "entries_resent", summary->total.resent);
    json_close(json);
}

static void show_did(struct json *json, struct disk_count did)
{
    known_bool(json, "known", true, did.known);
    json_number(json, "writes", did.writes);
    json_number(json, "write_bytes", did.write_bytes);
    json_number(json, "flushes", did.flushes);
}

static void show_ceiling(struct json *json, const struct bench_summary *summary)
{
    const struct bench_ceiling_row *best = bench_ceiling_best(&summary->ceiling);
    if (best == NULL) {
        json_null(json, "ceiling");
        return;
    }
    json_object(json, "ceiling");
    json_real(json, "entries_per_second", bench_ceiling_entries(summary), 1);
    json_real(json, "share", bench_share(summary), 4);
    json_bool(json, "above", bench_share(summary) > 1);
    json_text(json, "way", ceiling_way_names[best->point.way]);
    json_text(json, "through", summary->ceiling.disk.ring ? "uring" : "threads");
    json_array(json, "rows");
    for (uint32_t i = 0; i < summary->ceiling.count; i++) {
        const struct bench_ceiling_row *row = &summary->ceiling.rows[i];
        const double seconds = (double)row->ns / 1e9;
        json_object(json, NULL);
        json_text(json, "way", ceiling_way_names[row->point.way]);
        json_number(json, "write_bytes", row->point.write_bytes);
        json_number(json, "in_flight", row->point.in_flight);
        json_real(json, "entries_per_second", bench_ceiling_rate(row), 1);
        json_real(json, "bytes_per_second", (double)(row->writes * row->point.write_bytes) / seconds, 1);
        json_real(json, "syncs_per_second", (double)row->syncs / seconds, 1);
        show_latency(json, "latency_us", row->latency);
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void show_disk(struct json *json, const struct bench_summary *summary)
{
    json_object(json, "disk");
    show_did(json, summary->did);
    json_number(json, "frame_bytes", summary->total.frame_bytes);
    const enum disk_verdict verdict = bench_verdict(summary);
    known_bool(json, "did_the_work", verdict != DISK_NOT_KNOWN, verdict == DISK_DID_IT);
    json_close(json);
}

static void show_latencies(struct json *json, const struct bench_summary *summary)
{
    const struct latency *latency = &summary->total.latency;
    json_array(json, "quantiles"); /* share of all entries, microseconds that it did not exceed */
    for (uint32_t i = 0; i < bench_quantiles_count; i++) {
        json_array(json, NULL);
        json_real(json, NULL, bench_quantiles[i], 6);
        json_real(json, NULL, bench_micros(latency, bench_quantiles[i]), 3);
        json_close(json);
    }
    json_close(json);
    json_array(json, "histogram"); /* from, to, in microseconds; entries */
    for (uint32_t i = 0; i < LATENCY_BARS; i++) {
        const struct latency_bar bar = latency_bar(latency, i);
        if (bar.count == 0) continue;
        json_array(json, NULL);
        json_real(json, NULL, (double)bar.low / 1e3, 3);
        json_real(json, NULL, (double)bar.high / 1e3, 3);
        json_number(json, NULL, bar.count);
        json_close(json);
    }
    json_close(json);
}

static void show_counts(struct json *json, const struct bench_summary *summary)
{
    const struct bench_result *total = &summary->total;
    const double seconds = bench_seconds(summary), payload = (double)total->payload_bytes;
    json_number(json, "entries", total->entries);
    json_real(json, "seconds", seconds, 6);
    json_real(json, "entries_per_second", bench_rate(summary), 1);
    json_real(json, "payload_bytes_per_second", payload / seconds, 1);
    json_number(json, "frames", total->frames);
    json_number(json, "syncs", total->syncs);
    json_number(json, "bytes_written", total->bytes_written);
    json_real(json, "write_amplification", payload > 0 ? (double)total->bytes_written / payload : NAN, 4);
    json_real(json, "cpu_seconds", total->cpu_seconds, 6);
    json_number(json, "max_rss_bytes", total->rss_bytes_max);
    json_number(json, "stalls", total->stalls);
    json_number(json, "arena_reads", total->arena_reads);
    json_number(json, "disk_reads", total->disk_reads);
    show_latency(json, "latency_us", &total->latency);
    if (summary->load->shape != SHAPE_RATE) return;
    json_object(json, "open_loop");
    json_real(json, "asked_per_second", summary->load->rate, 3);
    json_number(json, "unfinished", total->unfinished);
    show_latency(json, "late_us", &total->late);
    json_close(json);
}

void bench_show_json(const struct bench_summary *summary, FILE *out)
{
    const struct teak_stats *stats = &summary->total.stats;
    char when[32];
    struct tm broken;
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&summary->when, &broken));
    struct json json;
    json_begin(&json, out);
    json_text(&json, "when", when);
    show_load(&json, summary);
    show_counts(&json, summary);
    show_acts(&json, summary);
    show_runs(&json, summary);
    show_ceiling(&json, summary);
    show_disk(&json, summary);
    show_latencies(&json, summary);
    json_text(&json, "strategy", stats->strategy < TEAK_STRATEGY_COUNT ? store_strategy_names[stats->strategy] : "");
    json_text(&json, "backend", stats->backend);
    json_number(&json, "in_flight", summary->limits.in_flight);
    json_number(&json, "group_bytes", summary->limits.group_bytes);
    json_number(&json, "linger_ns", summary->linger_ns);
    json_number(&json, "arena_bytes", summary->limits.arena_bytes);
    json_number(&json, "segment_bytes", summary->limits.segment_bytes);
    json_number(&json, "block_bytes", summary->limits.block_bytes);
    json_object(&json, "device");
    json_text(&json, "filesystem", stats->filesystem);
    known_bool(&json, "fua", stats->device_known, stats->fua);
    known_bool(&json, "write_cache", stats->device_known, stats->write_cache);
    json_bool(&json, "direct_io", stats->direct_io);
    json_close(&json);
    machine_json(&json, "machine", &summary->machine);
    json_end(&json);
}
