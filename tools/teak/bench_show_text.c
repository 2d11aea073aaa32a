/* bench_show_text.c: a benchmark for people at a terminal, with a chart of characters. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_summary.h"
#include "human.h"
#include "store_args.h"

enum { CHART_ROWS = 16, CHART_COLUMNS = 48 };

static double per(double amount, double count) { return count > 0 ? amount / count : 0; }

static void show_head(const struct bench_summary *summary)
{
    const struct bench_load *load = summary->load;
    const bool fixed = load->sizes.kind == SIZES_FIXED;
    printf("%s in each entry, ", fixed ? human_bytes(load->sizes.low).text : summary->sizes_text);
    switch (load->shape) {
    case SHAPE_WINDOW: printf("%s outstanding", human_count(load->window).text); break;
    case SHAPE_RATE: printf("%s a second, %s", human_rate(load->rate).text, load->poisson ? "as they come" : "evenly");
        break;
    case SHAPE_THREADS: printf("%s", human_of(load->threads, "thread that waits", "threads that wait").text); break;
    }
    printf(", %s at a time, %s, %.2f s", human_count(load->batch).text,
           human_of(load->logs, load->mix.replicator ? "group" : "log", load->mix.replicator ? "groups" : "logs").text,
           bench_seconds(summary));
    if (load->busy_poll) printf(", busy polling");
    if (summary->reps_count > 1) printf(" in %" PRIu32 " repetitions", summary->reps_count);
    if (strcmp(summary->mix_text, "append") != 0) printf(", %s", summary->mix_text);
    printf("\n\n");
}

static void show_counts(const struct bench_summary *summary)
{
    const struct bench_result *total = &summary->total;
    const double seconds = bench_seconds(summary), entries = (double)total->entries;
    const double payload = (double)total->payload_bytes;
    printf("  entries    %16s  %s/s\n", human_count(total->entries).text, human_rate(bench_rate(summary)).text);
    if (summary->reps_count > 1) {
        const struct spread spread = bench_spread_of(summary, FIELD_RATE);
        printf("             %16s  %s/s to %s/s: the middle half of the repetitions\n", "",
               human_rate(spread.low).text, human_rate(spread.high).text);
    }
    printf("  payload    %16s  %s/s\n", human_bytes(total->payload_bytes).text,
           human_bytes((uint64_t)(payload / seconds)).text);
    printf("  written    %16s  %.2f bytes for each of payload\n", human_bytes(total->bytes_written).text,
           per((double)total->bytes_written, payload));
    printf("  frames     %16s  %.1f entries in each\n", human_count(total->frames).text,
           per(entries, (double)total->frames));
    printf("  syncs      %16s  %s/s\n", human_count(total->syncs).text,
           human_rate((double)total->syncs / seconds).text);
    printf("  processor  %14.2f s  %.0f ns for each entry\n", total->cpu_seconds,
           per(total->cpu_seconds * 1e9, entries));
    printf("  memory     %16s  at most\n", human_bytes(total->rss_bytes_max).text);
    printf("  stalls     %16s\n", human_count(total->stalls).text);
    if (summary->load->shape == SHAPE_RATE)
        printf("  unfinished %16s  %s late to begin at p99\n", human_count(total->unfinished).text,
               human_micros(bench_micros(&total->late, 0.99)).text);
    if (summary->load->mix.replicator)
        printf("  terms      %16s  %s sent again, commit noted %s times\n", human_count(total->elections).text,
               human_of(total->resent, "entry", "entries").text, human_count(total->commits).text);
}

static void show_latency(const char *name, const struct latency *latency)
{
    printf("  %-10s %12s %12s %12s %12s %12s\n", name, human_micros(bench_micros(latency, 0.5)).text,
           human_micros(bench_micros(latency, 0.9)).text, human_micros(bench_micros(latency, 0.99)).text,
           human_micros(bench_micros(latency, 0.999)).text, human_micros((double)latency->max / 1e3).text);
}

static void show_latencies(const struct bench_summary *summary)
{
    const struct bench_result *total = &summary->total;
    printf("\n  latency    %12s %12s %12s %12s %12s\n", "p50", "p90", "p99", "p99.9", "max");
    show_latency(summary->load->mix.replicator ? "commit" : "durable", &total->latency);
    for (uint32_t i = 0; i < ACT_COUNT; i++)
        if (total->acts[i].total > 0) show_latency(bench_act_names[i], &total->acts[i]);
    if (total->acts[ACT_COLD].total > 0)
        printf("  of what was read %s came from memory and %s from the disk\n",
               human_of(total->arena_reads, "entry", "entries").text,
               human_of(total->disk_reads, "entry", "entries").text);
}

/* A bar of `share` of the width. */
static const char *bar_of(double share, char *room)
{
    size_t cells = (size_t)lround(fmax(0, fmin(1, share)) * CHART_COLUMNS);
    if (cells == 0 && share > 0) cells = 1;
    memset(room, '#', cells);
    room[cells] = '\0';
    return room;
}

/* Bars of the histogram, neighbours taken together until they fit. */
static void show_histogram(const struct latency *latency)
{
    uint32_t first = LATENCY_BARS, last = 0;
    for (uint32_t i = 0; i < LATENCY_BARS; i++) {
        if (latency_bar(latency, i).count == 0) continue;
        if (first == LATENCY_BARS) first = i;
        last = i;
    }
    if (first == LATENCY_BARS) return;
    uint32_t each = 1;
    while ((last - first) / each + 1 > CHART_ROWS) each *= 2;
    first -= first % each;
    uint64_t most = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = first; i <= last; i += each) {
            uint64_t count = 0;
            for (uint32_t k = i; k < i + each && k < LATENCY_BARS; k++) count += latency_bar(latency, k).count;
            if (count > most) most = count;
            if (pass == 0) continue;
            char bar[CHART_COLUMNS + 1];
            const uint32_t end = i + each - 1 < LATENCY_BARS ? i + each - 1 : LATENCY_BARS - 1;
            printf("  %9s  %6.2f %%  %s\n", human_micros((double)latency_bar_high(end) / 1e3).text,
                   100 * (double)count / (double)latency->total, bar_of((double)count / (double)most, bar));
        }
    }
}

static void show_sweep(const struct bench_summary *summary)
{
    double most = 0;
    if (summary->sweep_count == 0) return;
    for (uint32_t i = 0; i < summary->sweep_count; i++) most = fmax(most, summary->sweep[i].entries_per_second);
    printf("\n  %9s  %16s  %9s  %9s\n", bench_shape_names[summary->load->shape], "entries/s", "p50", "p99");
    for (uint32_t i = 0; i < summary->sweep_count; i++) {
        const struct bench_point *point = &summary->sweep[i];
        char bar[CHART_COLUMNS + 1];
        printf("  %9.0f  %16s  %9s  %9s  %s\n", point->setting, human_rate(point->entries_per_second).text,
               human_micros(point->p50_us).text, human_micros(point->p99_us).text,
               bar_of(most > 0 ? point->entries_per_second / most / 2 : 0, bar));
    }
}

static void show_ceiling(const struct bench_summary *summary)
{
    const struct bench_ceiling_row *best = bench_ceiling_best(&summary->ceiling);
    if (best == NULL) return;
    const double share = bench_share(summary);
    printf("\n  ceiling    %16s  entries/s, by %s of %s, %" PRIu32 " in flight: Teak comes to %.0f %% of it\n",
           human_rate(bench_ceiling_entries(summary)).text, ceiling_way_names[best->point.way],
           human_bytes(best->point.write_bytes).text, best->point.in_flight, share * 100);
    if (share > 1)
        printf("             which cannot be: the disk was faster under the load than without: measure longer\n");
}

void bench_show_text(const struct bench_summary *summary)
{
    const struct teak_stats *stats = &summary->total.stats;
    show_head(summary);
    show_counts(summary);
    show_latencies(summary);
    printf("\n  up to      of all\n");
    show_histogram(&summary->total.latency);
    show_sweep(summary);
    show_ceiling(summary);
    printf("\n  %s through %s, up to %s in flight\n",
           stats->strategy < TEAK_STRATEGY_COUNT ? store_strategy_names[stats->strategy] : "unknown", stats->backend,
           human_of(summary->limits.in_flight, "frame", "frames").text);
    printf("  %s, %s", stats->filesystem, stats->direct_io ? "direct I/O" : "no direct I/O");
    if (stats->device_known)
        printf(", %s, %s", stats->write_cache ? "a write cache" : "no write cache", stats->fua ? "FUA" : "no FUA");
    switch (bench_verdict(summary)) {
    case DISK_DID_IT:
        printf("; the device counted %s and %s", human_bytes(summary->did.write_bytes).text,
               human_of(summary->did.flushes, "flush", "flushes").text);
        break;
    case DISK_DID_LESS: printf("; the device counted LESS than was claimed: believe nothing of this"); break;
    case DISK_NOT_KNOWN: printf("; no device counts there"); break;
    }
    printf("\n");
}
