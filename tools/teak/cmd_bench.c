/* cmd_bench.c: teak bench append: a load on a directory, and what came of it.
 * OWNS   The store while it runs, and the directory's state before it.
 * PATH   Claim the place, open, load (bench_load.c), close, leave the place as it was, then show the result.
 * FAILS  Whatever ends the run, a signal too, what it wrote is removed unless it is to be kept.
 * HOLDS  Nothing is ever removed from a directory that was not new or empty. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "teak/engine.h"

#include "args.h"
#include "bench_load.h"
#include "bench_place.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "json.h"
#include "stop.h"
#include "store_args.h"

static const char *const who = "bench append";

enum { WINDOW_MAX = 1 << 24, BATCH_MAX = 1 << 16, LOGS_MAX = 1 << 20, SECONDS_MAX = 1000000 };
#define SECONDS_MIN 0.01

struct bench {
    struct store_args at;
    uint64_t entry_bytes, window, batch, logs, retain_bytes;
    uint64_t in_flight, group_bytes, linger_us, arena_bytes;
    double seconds;
    bool linger_given, keep, as_json;
    struct teak_limits limits;
};

/* ---------------------------------------------------------------------------------------------------------- showing */

static const char *strategy_name(enum teak_strategy strategy)
{
    return strategy < TEAK_STRATEGY_COUNT ? store_strategy_names[strategy] : "unknown";
}

static double micros(const struct bench_result *result, double share)
{
    return (double)latency_quantile(&result->latency, share) / 1e3;
}

static void known_bool(struct json *json, const char *key, bool known, bool value)
{
    if (known)
        json_bool(json, key, value);
    else
        json_null(json, key);
}

static void show_json(const struct bench *bench, const struct bench_result *result)
{
    const struct teak_stats *stats = &result->stats;
    const double seconds = (double)result->ns / 1e9;
    const double payload = (double)result->entries * (double)bench->entry_bytes;
    struct json json;
    json_begin(&json, stdout);
    json_number(&json, "entries", result->entries);
    json_real(&json, "seconds", seconds, 6);
    json_real(&json, "entries_per_second", (double)result->entries / seconds, 1);
    json_real(&json, "payload_bytes_per_second", payload / seconds, 1);
    json_number(&json, "frames", result->frames);
    json_number(&json, "syncs", result->syncs);
    json_number(&json, "bytes_written", result->bytes_written);
    json_real(&json, "write_amplification", payload > 0 ? (double)result->bytes_written / payload : NAN, 4);
    json_real(&json, "cpu_seconds", result->cpu_seconds, 6);
    json_number(&json, "max_rss_bytes", result->rss_bytes_max);
    json_number(&json, "stalls", result->stalls);
    json_object(&json, "latency_us");
    json_real(&json, "p50", micros(result, 0.50), 3);
    json_real(&json, "p90", micros(result, 0.90), 3);
    json_real(&json, "p99", micros(result, 0.99), 3);
    json_real(&json, "p999", micros(result, 0.999), 3);
    json_real(&json, "max", (double)result->latency.max / 1e3, 3);
    json_close(&json);
    json_text(&json, "strategy", strategy_name(stats->strategy));
    json_text(&json, "backend", stats->backend);
    json_number(&json, "in_flight", bench->limits.in_flight);
    json_object(&json, "device");
    json_text(&json, "filesystem", stats->filesystem);
    known_bool(&json, "fua", stats->device_known, stats->fua);
    known_bool(&json, "write_cache", stats->device_known, stats->write_cache);
    json_bool(&json, "direct_io", stats->direct_io);
    json_close(&json);
    json_end(&json);
}

static double per(double amount, double count) { return count > 0 ? amount / count : 0; }

static void show_table(const struct bench *bench, const struct bench_result *result)
{
    const struct teak_stats *stats = &result->stats;
    const double seconds = (double)result->ns / 1e9, entries = (double)result->entries;
    const uint64_t payload = result->entries * bench->entry_bytes;
    printf("%s in each entry, %s outstanding, %s at a time, %s, %.2f s\n\n", human_bytes(bench->entry_bytes).text,
           human_count(bench->window).text, human_count(bench->batch).text,
           human_of(bench->logs, "log", "logs").text, seconds);
    printf("  entries    %16s  %s/s\n", human_count(result->entries).text, human_rate(entries / seconds).text);
    printf("  payload    %16s  %s/s\n", human_bytes(payload).text,
           human_bytes((uint64_t)((double)payload / seconds)).text);
    printf("  written    %16s  %.2f bytes for each of payload\n", human_bytes(result->bytes_written).text,
           per((double)result->bytes_written, (double)payload));
    printf("  frames     %16s  %.1f entries in each\n", human_count(result->frames).text,
           per(entries, (double)result->frames));
    printf("  syncs      %16s  %s/s\n", human_count(result->syncs).text,
           human_rate((double)result->syncs / seconds).text);
    printf("  processor  %14.2f s  %.0f ns for each entry\n", result->cpu_seconds,
           per(result->cpu_seconds * 1e9, entries));
    printf("  memory     %16s  at most\n", human_bytes(result->rss_bytes_max).text);
    printf("  stalls     %16s\n\n", human_count(result->stalls).text);
    printf("  latency    %12s %12s %12s %12s %12s\n", "p50", "p90", "p99", "p99.9", "max");
    printf("             %12s %12s %12s %12s %12s\n\n", human_micros(micros(result, 0.5)).text,
           human_micros(micros(result, 0.9)).text, human_micros(micros(result, 0.99)).text,
           human_micros(micros(result, 0.999)).text, human_micros((double)result->latency.max / 1e3).text);
    printf("  %s through %s, up to %s in flight\n", strategy_name(stats->strategy), stats->backend,
           human_of(bench->limits.in_flight, "frame", "frames").text);
    printf("  %s, %s", stats->filesystem, stats->direct_io ? "direct I/O" : "no direct I/O");
    if (stats->device_known)
        printf(", %s, %s", stats->write_cache ? "a write cache" : "no write cache", stats->fua ? "FUA" : "no FUA");
    printf("\n");
}

/* ---------------------------------------------------------------------------------------------------------- running */

static void warn_where_nothing_is_durable(const char *directory, struct teak_store *store)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    if (strcmp(stats.filesystem, "tmpfs") == 0 || strcmp(stats.filesystem, "ramfs") == 0)
        complain(who, "warning: %s lies in memory (%s): nothing there is durable", directory, stats.filesystem);
}

/* Does one batch fit? Says what would. */
static bool batch_fits(const struct bench *bench)
{
    if (bench->entry_bytes > bench->limits.entry_bytes) {
        complain(who, "--entry-bytes %" PRIu64 " is more than the store takes: write --entry-bytes %" PRIu32 " or less",
                 bench->entry_bytes, bench->limits.entry_bytes);
        return false;
    }
    struct teak_bytes *entries = calloc(bench->batch, sizeof(*entries));
    if (entries == NULL) return true; /* the load will meet it again, and say it */
    for (uint64_t i = 0; i < bench->batch; i++)
        entries[i] = (struct teak_bytes){.data = "", .bytes = (uint32_t)bench->entry_bytes};
    struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = 1, .term = 1, .entries = entries,
                         .count = (uint32_t)bench->batch};
    const struct teak_batch batch = {.ops = &op, .count = 1};
    while (op.count > 1 && teak_batch_bytes(&batch) > bench->limits.batch_bytes) op.count -= op.count / 16 + 1;
    free(entries);
    if (op.count == bench->batch) return true;
    complain(who, "--batch %" PRIu64 " is more than the store takes at once: write --batch %" PRIu32 " or less",
             bench->batch, op.count);
    return false;
}

static int run_load(struct bench *bench, struct teak_store *store, struct bench_result *result)
{
    struct teak_error error = {0};
    const struct bench_load load = {
        .entry_bytes = (uint32_t)bench->entry_bytes,
        .window = (uint32_t)bench->window,
        .batch = (uint32_t)bench->batch,
        .logs = (uint32_t)bench->logs,
        .retain_bytes = bench->retain_bytes,
        .measure_ns = (uint64_t)(bench->seconds * 1e9),
        .progress = true,
    };
    teak_limits(store, &bench->limits);
    if (!batch_fits(bench)) return EXIT_WRONG;
    warn_where_nothing_is_durable(bench->at.directory, store);
    if (!bench_load_run(&load, store, result, &error)) return complain_error(who, bench->at.directory, &error);
    return EXIT_GOOD;
}

static bool options_of(const struct bench *bench, struct teak_options *out)
{
    if (!store_args_options(who, &bench->at, out)) return false;
    out->create = true;
    if (bench->in_flight != 0) out->in_flight = (uint32_t)bench->in_flight;
    if (bench->group_bytes != 0) out->group_bytes = (uint32_t)bench->group_bytes;
    if (bench->arena_bytes != 0) out->arena_bytes = bench->arena_bytes;
    if (bench->linger_given) out->linger_ns = bench->linger_us * 1000;
    return true;
}

static int run_bench(struct bench *bench, const struct teak_options *options, struct bench_place *place,
                     struct bench_result *result)
{
    struct teak_store *store = NULL;
    struct teak_report report = {0};
    struct teak_error error = {0};
    const char *directory = bench->at.directory;
    if (teak_open(directory, options, &store, &report, &error) != TEAK_OK) {
        /* Half a creation is ours to remove; what another process holds open is not. */
        if (error.status == TEAK_LOCKED) place->kept = true;
        return complain_error(who, directory, &error);
    }
    if (!bench->keep && report.verdict != TEAK_VERDICT_CREATED) {
        place->kept = true; /* it came into being between looking and opening */
        complain(who, "%s: a store appeared there meanwhile; it was left as it is", directory);
        teak_abandon(store);
        return EXIT_PROBLEM;
    }
    if (!bench->as_json) store_args_notice(who, &report);
    int status = run_load(bench, store, result);
    if (!bench->keep)
        teak_abandon(store); /* it is removed next: no need to leave it in order */
    else if (teak_close(store, &error) != TEAK_OK && status == EXIT_GOOD)
        status = complain_error(who, directory, &error);
    return status;
}

static int bench_append(struct bench *bench)
{
    struct teak_options options;
    struct bench_place place;
    if (!options_of(bench, &options)) return EXIT_WRONG;
    int status = bench_place_claim(bench->at.directory, bench->keep, &place);
    if (status != EXIT_GOOD) return status;
    struct bench_result *result = calloc(1, sizeof(*result));
    if (result == NULL || !stop_init()) {
        complain(who, "%s", strerror(errno));
        free(result);
        return EXIT_PROBLEM;
    }
    status = run_bench(bench, &options, &place, result);
    const int cleared = bench_place_clear(&place);
    if (status == EXIT_GOOD) status = cleared;
    if (stop_asked())
        complain(who, "stopped before the end: nothing is reported");
    else if (status == EXIT_GOOD && bench->as_json)
        show_json(bench, result);
    else if (status == EXIT_GOOD)
        show_table(bench, result);
    free(result);
    status = complain_flush(who, status);
    stop_obey();
    return status;
}

/* What no single row of the table can judge. */
static bool sensible(const struct bench *bench)
{
    if (bench->seconds < SECONDS_MIN) {
        complain(who, "--seconds %g is too short to measure: write --seconds %g or more", bench->seconds, SECONDS_MIN);
        return false;
    }
    if (bench->batch > bench->window) {
        complain(who, "--batch %" PRIu64 " never fits into --window %" PRIu64 ": write --window %" PRIu64, bench->batch,
                 bench->window, bench->batch);
        return false;
    }
    if (bench->retain_bytes != 0 && bench->entry_bytes == 0) {
        complain(who, "--retain-bytes counts payload, and there is none: write --entry-bytes 1 or more");
        return false;
    }
    return true;
}

static const char notes[] =
    "A closed loop: as soon as entries are durable, others take their place. A warm-up of a tenth of the seconds,\n"
    "half a second at most, is not counted. Latencies are from submitting to durable, for each entry. The store is\n"
    "new and removed at the end, after an interrupt too, unless --keep is given: then it stays, and a second run\n"
    "appends behind the first. Where --batch does not divide --window the rest of the window is left empty.";

int cmd_bench(int argc, char **argv)
{
    struct bench bench = {.batch = 1, .logs = 1, .seconds = 5};
    enum { ROW_LINGER = 9 };
    struct arg rows[] = {
        STORE_ARG_DIR(bench.at),
        {.name = "entry-bytes", .type = ARG_BYTES, .required = true, .to.number = &bench.entry_bytes, .high = 1 << 30,
         .word = "N", .help = "payload of each entry"},
        {.name = "window", .type = ARG_NUMBER, .required = true, .to.number = &bench.window, .low = 1,
         .high = WINDOW_MAX, .word = "W", .help = "entries outstanding"},
        {.name = "batch", .type = ARG_NUMBER, .to.number = &bench.batch, .low = 1, .high = BATCH_MAX, .word = "B",
         .help = "entries submitted at a time, as one batch; default 1"},
        {.name = "logs", .type = ARG_NUMBER, .to.number = &bench.logs, .low = 1, .high = LOGS_MAX, .word = "L",
         .help = "logs, appended to in turn; default 1"},
        {.name = "seconds", .type = ARG_SECONDS, .to.seconds = &bench.seconds, .high = SECONDS_MAX, .word = "S",
         .help = "measured time; default 5"},
        STORE_ARG_STRATEGY(bench.at),
        {.name = "in-flight", .type = ARG_NUMBER, .to.number = &bench.in_flight, .low = 1, .high = 64, .word = "K",
         .help = "frames written at a time, 1 to 64"},
        {.name = "group-bytes", .type = ARG_BYTES, .to.number = &bench.group_bytes, .low = 1, .high = 1 << 30,
         .word = "G", .help = "a frame is closed when it reaches this size"},
        [ROW_LINGER] = {.name = "linger-us", .type = ARG_NUMBER, .to.number = &bench.linger_us, .high = 1000000,
                        .word = "U", .help = "a frame waits this long for siblings, 0 to 1000000"},
        {.name = "retain-bytes", .type = ARG_BYTES, .to.number = &bench.retain_bytes, .low = 1, .high = UINT64_MAX,
         .word = "R", .help = "compact behind the writer once more payload than this is retained"},
        {.name = "arena-bytes", .type = ARG_BYTES, .to.number = &bench.arena_bytes, .low = 1, .high = UINT64_MAX,
         .word = "N", .help = "memory that frames are built in"},
        STORE_ARG_SEGMENT(bench.at),
        STORE_ARG_BLOCK(bench.at),
        STORE_ARG_BACKEND(bench.at),
        {.name = "keep", .type = ARG_FLAG, .to.flag = &bench.keep, .help = "the store stays; may be one that is there"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &bench.as_json, .help = "one JSON object"},
    };
    const struct arg_command command = {.name = who, .what = "a load of appends on a directory", .args = rows,
                                        .count = sizeof(rows) / sizeof(rows[0]), .notes = notes};
    static char help_flag[] = "--help";
    char *help_words[] = {argv[0], help_flag, NULL};
    const bool help = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
    if (!help && (argc < 2 || strcmp(argv[1], "append") != 0)) {
        complain("bench", "what to measure is missing: write teak bench append --dir D --entry-bytes N --window W");
        return EXIT_WRONG;
    }
    const enum args_answer answer =
        help ? args_parse(&command, 2, help_words) : args_parse(&command, argc - 1, argv + 1);
    if (answer != ARGS_GO) return complain_flush(who, answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    bench.linger_given = rows[ROW_LINGER].given;
    if (!sensible(&bench)) return EXIT_WRONG;
    return bench_append(&bench);
}
