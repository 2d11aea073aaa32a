/* cmd_stats.c: teak stats: the numbers of a store, as it wrote them last.
 * OWNS   What was read; for --watch also what was read before.
 * PATH   teak_read_stats; where no process has the store open it is opened for reading as well, to say what it holds.
 * FAILS  A store without numbers is still described; one that does not open has its numbers shown, and is a problem.
 * HOLDS  Never touches the writer: reads one file. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "teak/counters.h"
#include "teak/engine.h"
#include "teak/inspect.h"

#include "args.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "json.h"
#include "stats_prometheus.h"
#include "stop.h"
#include "store_args.h"

struct stats {
    struct store_args at;
    bool as_json, as_prometheus;
    double watch;
    enum teak_status answer; /* of reading the numbers: OK, NOT_FOUND */
    struct teak_error error;
    struct teak_published now, before;
    bool has_before;
    bool has_store;          /* nobody has it open, and it could be looked into */
    struct teak_store_info store;
    uint64_t logs, bytes;
};

static const struct teak_counter *known(const char *name)
{
    uint32_t count;
    const struct teak_counter *table = teak_counters(&count);
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

static bool is_time(const char *name)
{
#define STATS_IS_TIME(id, field, unit, help)                                                                           \
    if (strcmp(name, #field) == 0) return strcmp(unit, "ns") == 0;
    TEAK_HISTOGRAM_LIST(STATS_IS_TIME)
#undef STATS_IS_TIME
    return false;
}

static uint64_t value_of(const struct teak_published *numbers, const char *name)
{
    for (uint32_t i = 0; i < numbers->counter_count; i++)
        if (strcmp(numbers->counters[i].name, name) == 0) return numbers->counters[i].value;
    return 0;
}

static double age_of(const struct teak_published *numbers)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double age = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)numbers->written_unix_ns / 1e9;
    return age > 0 ? age : 0; /* the clock may have been set back */
}

/* ----------------------------------------------------------------------------------------------------------- a page */

static void store_text(const struct stats *run)
{
    printf("%-18s  %" PRIu64 " segments of %s, %s in frames, %" PRIu64 " spare, %s\n", "the store holds",
           run->store.segment_count, human_bytes(run->store.segment_bytes).text, human_bytes(run->bytes).text,
           run->store.spare_count, human_of(run->logs, "log", "logs").text);
}

static const char *one_histogram(const char *name, const struct teak_histogram *histogram, char *out, size_t room)
{
    const double shares[] = {0.5, 0.9, 0.99, 0.999};
    size_t at = 0;
    for (uint32_t i = 0; i <= 4 && at < room; i++) {
        const uint64_t value = i < 4 ? teak_histogram_quantile(histogram, shares[i]) : histogram->max;
        static const char *const names[] = {"p50", "p90", "p99", "p99.9", "max"};
        const struct human text = is_time(name) ? human_micros((double)value / 1e3) : human_count(value);
        const int wrote = snprintf(out + at, room - at, "%s%s %s", i ? ", " : "", names[i], text.text);
        if (wrote > 0) at += (size_t)wrote;
    }
    return out;
}

static void numbers_text(const struct stats *run)
{
    const struct teak_published *numbers = &run->now;
    printf("%-18s  process %" PRIu64 ", up %.1f s, written %.1f s ago%s\n", "numbers", numbers->pid,
           (double)numbers->uptime_ns / 1e9, age_of(numbers),
           numbers->living ? "" : numbers->closed ? ", at closing: OLD" : ", by a process that is gone: OLD");
    for (uint32_t i = 0; i < numbers->label_count; i++)
        printf("%-18s  %s\n", numbers->labels[i].name, numbers->labels[i].text);
    for (uint32_t i = 0; i < numbers->counter_count; i++) {
        const struct teak_counter *about = known(numbers->counters[i].name);
        const uint64_t value = numbers->counters[i].value;
        const bool is_bytes = about != NULL && strcmp(about->unit, "bytes") == 0;
        printf("%-18s  %20s  %s\n", numbers->counters[i].name,
               is_bytes ? human_bytes(value).text : human_count(value).text,
               about != NULL ? about->help : "(of another version)");
    }
    for (uint32_t i = 0; i < numbers->histogram_count; i++) {
        char text[256];
        printf("%-18s  %s\n", numbers->histograms[i].name,
               one_histogram(numbers->histograms[i].name, &numbers->histograms[i].histogram, text, sizeof(text)));
    }
}

static void page(const struct stats *run)
{
    printf("%s: %s\n", run->at.directory,
           run->answer != TEAK_OK ? "no numbers were published here"
           : run->now.living      ? "open in a living process"
                                  : "nobody has it open");
    if (run->has_store) store_text(run);
    if (run->answer == TEAK_OK) numbers_text(run);
}

/* ------------------------------------------------------------------------------------------------------------- JSON */

static void histogram_json(struct json *json, const char *name, const struct teak_histogram *histogram)
{
    json_object(json, name);
    json_number(json, "count", histogram->count);
    json_number(json, "sum", histogram->sum);
    json_number(json, "p50", teak_histogram_quantile(histogram, 0.5));
    json_number(json, "p90", teak_histogram_quantile(histogram, 0.9));
    json_number(json, "p99", teak_histogram_quantile(histogram, 0.99));
    json_number(json, "p999", teak_histogram_quantile(histogram, 0.999));
    json_number(json, "max", histogram->max);
    json_array(json, "buckets");
    for (uint32_t i = 0; i < TEAK_HISTOGRAM_BUCKETS; i++) {
        if (histogram->buckets[i] == 0) continue;
        json_array(json, NULL);
        json_number(json, NULL, teak_histogram_top(i));
        json_number(json, NULL, histogram->buckets[i]);
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void numbers_json(struct json *json, const struct teak_published *numbers)
{
    json_object(json, "numbers");
    json_bool(json, "old", !numbers->living);
    json_bool(json, "closed", numbers->closed);
    json_hex(json, "instance", numbers->instance, sizeof(numbers->instance));
    json_number(json, "pid", numbers->pid);
    json_number(json, "sequence", numbers->sequence);
    json_real(json, "uptime_seconds", (double)numbers->uptime_ns / 1e9, 6);
    json_real(json, "age_seconds", age_of(numbers), 3);
    json_object(json, "labels");
    for (uint32_t i = 0; i < numbers->label_count; i++)
        json_text(json, numbers->labels[i].name, numbers->labels[i].text);
    json_close(json);
    json_object(json, "counters");
    for (uint32_t i = 0; i < numbers->counter_count; i++)
        json_number(json, numbers->counters[i].name, numbers->counters[i].value);
    json_close(json);
    json_object(json, "histograms");
    for (uint32_t i = 0; i < numbers->histogram_count; i++)
        histogram_json(json, numbers->histograms[i].name, &numbers->histograms[i].histogram);
    json_close(json);
    json_close(json);
}

static void all_json(const struct stats *run)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "directory", run->at.directory);
    json_bool(&json, "living", run->now.living);
    if (run->answer == TEAK_OK)
        numbers_json(&json, &run->now);
    else
        json_null(&json, "numbers");
    if (run->has_store) {
        json_object(&json, "store");
        json_number(&json, "segments", run->store.segment_count);
        json_number(&json, "segment_bytes", run->store.segment_bytes);
        json_number(&json, "frame_bytes", run->bytes);
        json_number(&json, "spares", run->store.spare_count);
        json_number(&json, "logs", run->logs);
        json_number(&json, "last_lsn", run->store.last_lsn);
        json_close(&json);
    } else {
        json_null(&json, "store");
    }
    json_end(&json);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

/* What can be said of a store that nobody has open. */
static int look_into(struct stats *run)
{
    enum { PIECE = 64 };
    struct teak_options options;
    struct teak_store *store;
    struct teak_error error = {0};
    struct teak_segment_info piece[PIECE];
    uint64_t ids[PIECE], after = 0;
    uint32_t count;
    if (!store_args_options("stats", &run->at, &options)) return EXIT_WRONG;
    options.read_only = true;
    if (teak_open(run->at.directory, &options, &store, NULL, &error) != TEAK_OK)
        return complain_error("stats", run->at.directory, &error);
    teak_inspect_store(store, &run->store);
    run->logs = run->bytes = 0;
    for (uint64_t from = 0; (count = teak_inspect_segments(store, from, piece, PIECE)) > 0; from += count)
        for (uint32_t i = 0; i < count; i++) run->bytes += piece[i].frames_end;
    for (bool start = true; (count = teak_logs(store, start, after, ids, PIECE)) > 0; start = false) {
        run->logs += count;
        after = ids[count - 1];
    }
    run->has_store = true;
    return teak_close(store, &error) == TEAK_OK ? EXIT_GOOD : complain_error("stats", run->at.directory, &error);
}

static int look(struct stats *run)
{
    run->has_store = false;
    run->answer = teak_read_stats(run->at.directory, &run->now, &run->error);
    if (run->answer != TEAK_OK && run->answer != TEAK_NOT_FOUND)
        return complain_error("stats", run->at.directory, &run->error);
    return run->now.living ? EXIT_GOOD : look_into(run);
}

/* ------------------------------------------------------------------------------------------------------------ watch */

static void watch_line(struct stats *run, uint32_t lines)
{
    if (lines % 20 == 0)
        printf("%12s  %12s  %10s  %10s  %10s  %10s  %10s  %8s\n", "entries/s", "payload/s", "frames/s", "syncs/s",
               "p50", "p99", "segments", "stalls");
    const struct teak_published *now = &run->now, *before = &run->before;
    const double seconds = (double)(now->uptime_ns - before->uptime_ns) / 1e9;
    struct teak_histogram latency = {0};
    for (uint32_t i = 0; i < now->histogram_count && i < before->histogram_count; i++) {
        if (strcmp(now->histograms[i].name, "frame_latency") != 0) continue;
        latency = now->histograms[i].histogram;
        const struct teak_histogram *old = &before->histograms[i].histogram;
        latency.count -= old->count;
        for (uint32_t b = 0; b < TEAK_HISTOGRAM_BUCKETS; b++) latency.buckets[b] -= old->buckets[b];
    }
#define STATS_RATE(name) ((double)(value_of(now, name) - value_of(before, name)) / seconds)
    printf("%12s  %12s  %10s  %10s  %10s  %10s  %10" PRIu64 "  %8" PRIu64 "\n",
           human_rate(STATS_RATE("entries")).text, human_bytes((uint64_t)STATS_RATE("payload_bytes")).text,
           human_rate(STATS_RATE("frames")).text, human_rate(STATS_RATE("syncs")).text,
           human_micros((double)teak_histogram_quantile(&latency, 0.5) / 1e3).text,
           human_micros((double)teak_histogram_quantile(&latency, 0.99) / 1e3).text, value_of(now, "segments"),
           value_of(now, "stalls") - value_of(before, "stalls"));
#undef STATS_RATE
}

/* One line, or one object, each time that there are new numbers of the same opening; until a signal asks to stop. */
static int watch(struct stats *run)
{
    if (!stop_init()) {
        complain("stats", "signals: %s", strerror(errno));
        return EXIT_PROBLEM;
    }
    uint32_t lines = 0;
    while (!stop_asked() && !ferror(stdout)) {
        const int status = look(run);
        if (status != EXIT_GOOD) return status;
        const bool same = run->has_before && run->now.pid == run->before.pid &&
                          memcmp(run->now.instance, run->before.instance, sizeof(run->now.instance)) == 0 &&
                          run->now.uptime_ns >= run->before.uptime_ns && run->now.sequence >= run->before.sequence;
        if (run->as_json) {
            all_json(run);
        } else if (same && run->now.sequence > run->before.sequence) {
            watch_line(run, lines++);
        } else if (!run->now.living && run->has_before && run->before.living) {
            printf("nobody has it open any more\n");
        }
        if (fflush(stdout) != 0) break;
        run->before = run->now;
        run->has_before = run->answer == TEAK_OK;
        struct pollfd stop = {.fd = stop_fd(), .events = POLLIN};
        if (poll(&stop, 1, (int)(run->watch * 1000)) < 0 && errno != EINTR) break;
    }
    const int status = complain_flush("stats", EXIT_GOOD);
    stop_obey();
    return status;
}

static int once(struct stats *run)
{
    const int status = look(run);
    const bool shown = run->answer == TEAK_OK || run->answer == TEAK_NOT_FOUND;
    if (shown && run->as_prometheus)
        stats_prometheus(stdout, run->at.directory, run->answer == TEAK_OK ? &run->now : NULL, age_of(&run->now));
    else if (shown && run->as_json)
        all_json(run);
    else if (shown && (status == EXIT_GOOD || run->answer == TEAK_OK))
        page(run);
    return complain_flush("stats", status);
}

int cmd_stats(int argc, char **argv)
{
    static struct stats run;
    enum { ROW_WATCH = 3 };
    struct arg rows[] = {
        STORE_ARG_BARE_DIR(run.at),
        {.name = "json", .type = ARG_FLAG, .to.flag = &run.as_json, .help = "one JSON object; with --watch one a line"},
        {.name = "prometheus", .type = ARG_FLAG, .to.flag = &run.as_prometheus,
         .help = "the text format that Prometheus scrapes"},
        [ROW_WATCH] = {.name = "watch", .type = ARG_SECONDS, .to.seconds = &run.watch, .low = 0, .high = 86400,
                       .word = "SECONDS", .help = "again and again: what happened between two looks, as rates"},
        STORE_ARG_BACKEND(run.at),
    };
    const struct arg_command command = {
        .name = "stats", .what = "counters and latencies of a store, also while it is written", .args = rows,
        .count = sizeof(rows) / sizeof(rows[0]),
        .notes = "A writer puts its numbers into the file STATS of the store once a second while something changes\n"
                 "(option stats_interval_ns). This command reads that file: it costs the writer nothing. Where no\n"
                 "process has the store open, the last numbers are shown and marked as old, with what the store\n"
                 "holds. Counters begin anew with each opening.",
    };
    const enum args_answer answer = args_parse(&command, argc, argv);
    if (answer != ARGS_GO) return complain_flush("stats", answer == ARGS_HELPED ? EXIT_GOOD : EXIT_WRONG);
    if (run.as_json && run.as_prometheus) {
        complain("stats", "--json and --prometheus are two forms of the same: write one of them");
        return EXIT_WRONG;
    }
    if (rows[ROW_WATCH].given && (run.as_prometheus || run.watch < 0.05)) {
        complain("stats", run.as_prometheus ? "--watch and --prometheus: Prometheus looks by itself: write --prometheus"
                                            : "--watch is too short: write --watch 0.05 or more");
        return EXIT_WRONG;
    }
    return rows[ROW_WATCH].given ? watch(&run) : once(&run);
}
