/* cmd_bench_append.c: teak bench append: a load on a directory, and what came of it.
 * OWNS   The store while it runs, the directory's state before it, and the report until it is in its place.
 * PATH   Claim the place, open, then for each repetition the load and what the disk does without a log (the ceiling);
 *        the sweep; close, leave the place as it was, then show the result.
 * FAILS  Whatever ends the run, a signal too, what it wrote is removed unless it is to be kept.
 * HOLDS  Nothing is ever removed from a directory that was not new or empty. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "teak/committer.h"
#include "teak/engine.h"

#include "args.h"
#include "bench_load.h"
#include "bench_paper.h"
#include "bench_place.h"
#include "bench_summary.h"
#include "bench_threads.h"
#include "command.h"
#include "complain.h"
#include "human.h"
#include "stop.h"
#include "store_args.h"
#include "ticks.h"

static const char *const who = "bench append";

/* RATE_MAX: one each ten nanoseconds. SEGMENTS_LEAST: the active one, the next, a spare, the reserve, one sealed. */
enum { WINDOW_MAX = 1 << 24, BATCH_MAX = 1 << 16, LOGS_MAX = 1 << 20, SECONDS_MAX = 1000000, THREADS_MAX = 1024,
       ENTRY_MAX = 1 << 30, RATE_MAX = 100000000, SEGMENTS_LEAST = 5, SWEEP_PARTS = 5, CEILING_PARTS = 16,
       RIVALS_BYTES_MAX = 16 << 20 };
#define SECONDS_MIN 0.01
#define CEILING_NS_LEAST UINT64_C(30000000)
#define CEILING_NS_MOST UINT64_C(500000000)
#define SEGMENT_BYTES_USUAL (UINT64_C(64) << 20)

static const char *const arrivals_names[] = {"even", "poisson", NULL};

struct bench {
    struct store_args at;
    const char *entry_text, *mix_text, *out_path, *rivals_path;
    uint64_t window, batch, logs, rate, threads, retain_bytes, preload_bytes, reps, seed;
    uint64_t in_flight, group_bytes, linger_us, arena_bytes;
    uint32_t arrivals;
    double seconds, warm_up;
    bool linger_given, preload_given, warm_given, arrivals_given, keep, as_json, sweep, no_sweep, no_ceiling, busy_poll;
    struct bench_load load;
    struct bench_summary summary;
    struct bench_result *result; /* of the run that is on */
    struct bench_paper paper;
    struct rivals *rivals;
    uint64_t rest_ns;            /* of measuring, of all that is to come */
    struct teak_store *store;    /* or the committer                     */
    struct teak_committer *committer;
};

/* ---------------------------------------------------------------------------------------------------------- running */

static void look(struct teak_store *store, void *context)
{
    struct bench *bench = context;
    teak_limits(store, &bench->summary.limits);
    teak_stats(store, &bench->summary.total.stats);
}

static void warn_where_nothing_is_durable(const struct bench *bench)
{
    const char *filesystem = bench->summary.total.stats.filesystem;
    if (strcmp(filesystem, "tmpfs") == 0 || strcmp(filesystem, "ramfs") == 0)
        complain(who, "warning: %s lies in memory (%s): nothing there is durable", bench->at.directory, filesystem);
}

/* Does one batch fit? Says what would. */
static bool batch_fits(const struct bench *bench)
{
    const struct teak_limits *limits = &bench->summary.limits;
    const uint32_t largest = bench_sizes_max(&bench->load.sizes);
    if (largest > limits->entry_bytes) {
        complain(who, "--entry-bytes %s is more than the store takes: write --entry-bytes %" PRIu32 " or less",
                 bench->entry_text, limits->entry_bytes);
        return false;
    }
    struct teak_bytes *entries = calloc(bench->batch, sizeof(*entries));
    if (entries == NULL) return true; /* the load will meet it again, and say it */
    for (uint64_t i = 0; i < bench->batch; i++) entries[i] = (struct teak_bytes){.data = "", .bytes = largest};
    struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = 1, .term = 1, .entries = entries,
                         .count = (uint32_t)bench->batch};
    const struct teak_batch batch = {.ops = &op, .count = 1};
    while (op.count > 1 && teak_batch_bytes(&batch) > limits->batch_bytes) op.count -= op.count / 16 + 1;
    free(entries);
    if (op.count == bench->batch) return true;
    complain(who, "--batch %" PRIu64 " is more than the store takes at once: write --batch %" PRIu32 " or less",
             bench->batch, op.count);
    return false;
}

/* Do so many logs fit? Says how many would. */
static bool logs_fit(const struct bench *bench)
{
    const uint64_t each = bench->load.mix.replicator ? 2 : 1;
    if (bench->logs * each <= bench->summary.limits.logs) return true;
    complain(who, "--logs %" PRIu64 " is more than the store takes: write --logs %" PRIu64 " or less, or larger "
             "--segment-bytes", bench->logs, bench->summary.limits.logs / each);
    return false;
}

/* One run. EXIT_GOOD, else one line was said. */
static int run_once(struct bench *bench, const struct bench_load *load, struct bench_result *result)
{
    struct teak_error error = {0};
    const bool good = bench->committer != NULL ? bench_threads_run(load, bench->committer, result, &error)
                                               : bench_load_run(load, bench->store, result, &error);
    if (!good) return complain_error(who, bench->at.directory, &error);
    if (result->space_wanted == 0) return EXIT_GOOD;
    complain(who, "%s: the rest would take %s and %s are free: write --retain-bytes or fewer --seconds",
             bench->at.directory, human_bytes(result->space_wanted).text, human_bytes(result->space_free).text);
    return EXIT_PROBLEM;
}

/* What is on its way at a time: of an open loop, what its frames held. */
static double entries_outstanding(const struct bench *bench)
{
    switch (bench->load.shape) {
    case SHAPE_WINDOW: return bench->load.window;
    case SHAPE_THREADS: return (double)bench->load.threads * bench->load.batch;
    case SHAPE_RATE: break;
    }
    const struct bench_result *total = &bench->summary.total;
    return total->frames > 0 ? fmax(1, (double)total->entries / (double)total->frames) : 1;
}

static int measure_ceiling(struct bench *bench)
{
    struct bench_ceiling *ceiling = &bench->summary.ceiling;
    uint64_t each_ns = bench->load.measure_ns / CEILING_PARTS;
    if (each_ns < CEILING_NS_LEAST) each_ns = CEILING_NS_LEAST;
    if (each_ns > CEILING_NS_MOST) each_ns = CEILING_NS_MOST;
    if (ceiling->count == 0)
        bench_ceiling_plan(ceiling, entries_outstanding(bench), bench_sizes_mean(&bench->load.sizes),
                           bench->load.mix.replicator ? 2 : 1, each_ns);
    if (bench_ceiling_run(ceiling, bench->at.directory)) return EXIT_GOOD;
    complain(who, "%s: measuring the disk without a log: %s: %s (write --no-ceiling to do without)",
             bench->at.directory, ceiling->disk.operation, strerror(ceiling->disk.error));
    return EXIT_PROBLEM;
}

static int run_repetitions(struct bench *bench)
{
    char label[64];
    for (uint64_t i = 0; i < bench->reps && !stop_asked(); i++) {
        struct bench_load load = bench->load;
        if (i > 0) load.preload_bytes = 0;
        if (bench->reps > 1) {
            snprintf(label, sizeof(label), "%" PRIu64 " of %" PRIu64, i + 1, bench->reps);
            load.label = label;
        }
        load.rest_ns = bench->rest_ns;
        const struct disk_count before = disk_count_read(bench->at.directory);
        const int status = run_once(bench, &load, bench->result);
        if (status != EXIT_GOOD) return status;
        const struct disk_count did = disk_count_difference(before, disk_count_read(bench->at.directory));
        bench_summary_add(&bench->summary, bench->result, did);
        bench->rest_ns -= load.measure_ns;
        if (bench->no_ceiling || stop_asked()) continue;
        const int measured = measure_ceiling(bench);
        if (measured != EXIT_GOOD) return measured;
    }
    return EXIT_GOOD;
}

/* The settings of a sweep, least first; the asked one is among them. */
static uint32_t sweep_settings(const struct bench *bench, double *out)
{
    static const double shares[] = {0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
    uint32_t count = 0;
    if (bench->load.shape == SHAPE_RATE) {
        for (; count < sizeof(shares) / sizeof(shares[0]); count++) out[count] = bench->load.rate * shares[count];
        return count;
    }
    const uint64_t least = bench->load.shape == SHAPE_WINDOW ? bench->batch : 1;
    const uint64_t most = bench->load.shape == SHAPE_WINDOW ? bench->window : bench->threads;
    uint64_t setting = least;
    for (; setting < most && count + 1 < BENCH_SWEEP_MAX; setting *= 4) out[count++] = (double)setting;
    out[count++] = (double)most;
    return count;
}

static int run_sweep(struct bench *bench)
{
    struct bench_summary *summary = &bench->summary;
    double settings[BENCH_SWEEP_MAX];
    const uint32_t count = sweep_settings(bench, settings);
    char label[64];
    for (uint32_t i = 0; i < count && !stop_asked(); i++) {
        struct bench_load load = bench->load;
        load.preload_bytes = 0;
        load.measure_ns /= SWEEP_PARTS;
        load.warm_ns /= SWEEP_PARTS;
        load.rest_ns = load.measure_ns * (count - i);
        if (load.shape == SHAPE_WINDOW) load.window = (uint32_t)settings[i];
        if (load.shape == SHAPE_THREADS) load.threads = (uint32_t)settings[i];
        if (load.shape == SHAPE_RATE) load.rate = settings[i];
        snprintf(label, sizeof(label), "%s %.0f", bench_shape_names[load.shape], settings[i]);
        load.label = label;
        const int status = run_once(bench, &load, bench->result);
        if (status != EXIT_GOOD) return status;
        summary->sweep[summary->sweep_count++] = bench_point_of(bench->result, settings[i]);
    }
    return EXIT_GOOD;
}

static int run_all(struct bench *bench)
{
    if (!batch_fits(bench) || !logs_fit(bench)) return EXIT_WRONG;
    warn_where_nothing_is_durable(bench);
    machine_look(bench->at.directory, &bench->summary.machine);
    bench->rest_ns = bench->load.measure_ns * bench->reps;
    int status = run_repetitions(bench);
    if (status == EXIT_GOOD && bench->sweep) status = run_sweep(bench);
    return status;
}

/* ---------------------------------------------------------------------------------------------- opening and closing */

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

static enum teak_status open_it(struct bench *bench, const struct teak_options *options, struct teak_report *report,
                                struct teak_error *error)
{
    if (bench->load.shape != SHAPE_THREADS) {
        const enum teak_status status = teak_open(bench->at.directory, options, &bench->store, report, error);
        if (status == TEAK_OK) look(bench->store, bench);
        return status;
    }
    const enum teak_status status =
        teak_committer_open(bench->at.directory, options, NULL, &bench->committer, report, error);
    return status == TEAK_OK ? teak_committer_call(bench->committer, look, bench, error) : status;
}

/* `leave`: as it is, for it is removed next. */
static enum teak_status close_it(struct bench *bench, bool leave, struct teak_error *error)
{
    if (bench->committer != NULL) return teak_committer_close(bench->committer, error);
    if (!leave) return teak_close(bench->store, error);
    teak_abandon(bench->store);
    return TEAK_OK;
}

/* An option that depends on another one, or on the store that is there: said by its name here. */
static int complain_opening(const struct bench *bench, const struct teak_error *error)
{
    static const struct {
        const char *member, *option;
    } names[] = {{"group_bytes", "group-bytes"}, {"arena_bytes", "arena-bytes"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (error->status != TEAK_OPTIONS || !error->has_expected || strcmp(error->operation, names[i].member) != 0)
            continue;
        complain(who, "--%s is out of range here: the nearest is --%s %" PRIu64, names[i].option, names[i].option,
                 error->expected);
        return EXIT_WRONG;
    }
    return complain_error(who, bench->at.directory, error);
}

static int run_bench(struct bench *bench, const struct teak_options *options, struct bench_place *place)
{
    struct teak_report report = {0};
    struct teak_error error = {0};
    const char *directory = bench->at.directory;
    if (open_it(bench, options, &report, &error) != TEAK_OK) {
        /* Half a creation is ours to remove; what another process holds open is not. */
        if (error.status == TEAK_LOCKED) place->kept = true;
        return complain_opening(bench, &error);
    }
    if (!bench->keep && report.verdict != TEAK_VERDICT_CREATED) {
        place->kept = true; /* it came into being between looking and opening */
        complain(who, "%s: a store appeared there meanwhile; it was left as it is", directory);
        (void)close_it(bench, true, &error);
        return EXIT_PROBLEM;
    }
    if (!bench->as_json) store_args_notice(who, &report);
    int status = run_all(bench);
    if (close_it(bench, !bench->keep, &error) != TEAK_OK && status == EXIT_GOOD)
        status = complain_error(who, directory, &error);
    return status;
}

/* What is known before anything is written: a store's first segments, and all that an open loop brings. */
static bool has_space(const struct bench *bench)
{
    const uint64_t segment = bench->at.segment_bytes != 0 ? bench->at.segment_bytes : SEGMENT_BYTES_USUAL;
    double wanted = SEGMENTS_LEAST * (double)segment + (double)bench->preload_bytes;
    if (!bench->no_ceiling) wanted += BENCH_CEILING_FILE;
    if (bench->load.shape == SHAPE_RATE && bench->retain_bytes == 0)
        wanted += (double)bench->rate * bench->seconds * (double)bench->reps * bench_sizes_mean(&bench->load.sizes);
    wanted += (double)bench->retain_bytes * 2;
    uint64_t free_bytes;
    if (bench_place_has_space(bench->at.directory, wanted < 1e18 ? (uint64_t)wanted : UINT64_MAX, &free_bytes))
        return true;
    complain(who, "%s: this would take %s and %s are free: write another --dir, or less to write", bench->at.directory,
             human_bytes((uint64_t)wanted).text, human_bytes(free_bytes).text);
    return false;
}

static bool begin_paper(struct bench *bench)
{
    struct stat store, folder;
    char target[PATH_MAX], parent[PATH_MAX + 1];
    if (bench->out_path == NULL) return true;
    /* a link leads to what is replaced */
    if (realpath(bench->out_path, target) == NULL) snprintf(target, sizeof(target), "%s", bench->out_path);
    const char *slash = strrchr(target, '/');
    const int length = slash == NULL ? 0 : (int)(slash - target);
    snprintf(parent, sizeof(parent), "%.*s%s", length, target, slash == NULL ? "." : length == 0 ? "/" : "");
    if (stat(parent, &folder) == 0 && stat(bench->at.directory, &store) == 0 && store.st_dev == folder.st_dev &&
        store.st_ino == folder.st_ino) {
        complain(who, "--out %s lies in the directory of the store: write it elsewhere", bench->out_path);
        return false;
    }
    if (bench_paper_begin(&bench->paper, bench->out_path)) return true;
    if (errno == ENOTSUP)
        complain(who, "--out %s is no file that could be replaced: write a name that is free", bench->out_path);
    else
        complain(who, "--out %s: %s", bench->out_path, strerror(errno));
    return false;
}

static int show(struct bench *bench)
{
    if (bench->paper.file != NULL) {
        if (!bench_show_page(&bench->summary, bench->rivals, bench->paper.file) ||
            !bench_paper_finish(&bench->paper)) {
            complain(who, "--out %s: %s", bench->out_path, strerror(errno));
            return EXIT_PROBLEM;
        }
    }
    if (bench->as_json)
        bench_show_json(&bench->summary, stdout);
    else
        bench_show_text(&bench->summary);
    if (bench_verdict(&bench->summary) != DISK_DID_LESS) return EXIT_GOOD;
    complain(who, "%s: the device counted %s written, less than the %s of frames", bench->at.directory,
             human_bytes(bench->summary.did.write_bytes).text, human_bytes(bench->summary.total.frame_bytes).text);
    return EXIT_PROBLEM;
}

static int bench_append(struct bench *bench)
{
    struct teak_options options;
    struct bench_place place;
    if (!options_of(bench, &options)) return EXIT_WRONG;
    int status = bench_place_claim(who, bench->at.directory, bench->keep, &place);
    if (status != EXIT_GOOD) return status;
    if (!has_space(bench)) return EXIT_PROBLEM;
    if (!begin_paper(bench)) return EXIT_WRONG;
    bench->result = calloc(1, sizeof(*bench->result));
    bench->summary.reps = calloc(bench->reps, sizeof(bench->summary.reps[0]));
    if (bench->result == NULL || bench->summary.reps == NULL || !stop_init()) {
        complain(who, "%s", strerror(errno));
        bench_paper_drop(&bench->paper);
        return EXIT_PROBLEM;
    }
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* an open loop wakes when it is due, not 50 us later */
    bench->summary.load = &bench->load;
    bench->summary.sizes_text = bench->entry_text;
    bench->summary.mix_text = bench->mix_text;
    bench->summary.linger_ns = options.linger_ns;
    bench->summary.when = time(NULL);
    status = run_bench(bench, &options, &place);
    const int cleared = bench_place_clear(&place);
    if (status == EXIT_GOOD) status = cleared;
    if (stop_asked())
        complain(who, "stopped before the end: nothing is reported");
    else if (status == EXIT_GOOD)
        status = show(bench);
    bench_paper_drop(&bench->paper);
    return status;
}

/* -------------------------------------------------------------------------------------------------------- arguments */

static bool wrong(const char *text)
{
    complain(who, "%s", text);
    return false;
}

/* Which of the three loops is asked for? */
static bool shape_of(struct bench *bench)
{
    const int given = (bench->window != 0) + (bench->rate != 0) + (bench->threads != 0);
    if (given == 0) return wrong("--window is missing: write --window W, or --rate R, or --threads T");
    if (given > 1) return wrong("--window, --rate and --threads are three kinds of load: write one of them");
    bench->load.shape = bench->window != 0 ? SHAPE_WINDOW : bench->rate != 0 ? SHAPE_RATE : SHAPE_THREADS;
    if (bench->load.shape == SHAPE_WINDOW && bench->batch > bench->window) {
        complain(who, "--batch %" PRIu64 " never fits into --window %" PRIu64 ": write --window %" PRIu64, bench->batch,
                 bench->window, bench->batch);
        return false;
    }
    if (bench->load.shape == SHAPE_THREADS && !bench_mix_only_appends(&bench->load.mix))
        return wrong("--threads only append: write --window W with --mix");
    if (bench->load.shape == SHAPE_THREADS && bench->logs > bench->threads) {
        complain(who, "--logs %" PRIu64 " are more than --threads %" PRIu64 ": write --logs %" PRIu64, bench->logs,
                 bench->threads, bench->threads);
        return false;
    }
    return true;
}

/* What no single row of the table can judge. */
static bool sensible(struct bench *bench)
{
    if (!bench_sizes_parse(bench->entry_text, ENTRY_MAX, &bench->load.sizes)) {
        complain(who, "--entry-bytes \"%s\" is not understood: write --entry-bytes 256, uniform:16-4096, exp:256 or "
                 "256*90+4K*10", bench->entry_text);
        return false;
    }
    if (!bench_mix_parse(bench->mix_text, &bench->load.mix)) {
        complain(who, "--mix \"%s\" is not understood: write --mix append, replicator, or append=90,tail=8,cold=1,"
                 "term=1,truncate=1,compact=1", bench->mix_text);
        return false;
    }
    if (bench->seconds < SECONDS_MIN) {
        complain(who, "--seconds %g is too short to measure: write --seconds %g or more", bench->seconds, SECONDS_MIN);
        return false;
    }
    if (!shape_of(bench)) return false;
    if (bench->retain_bytes != 0 && bench_sizes_mean(&bench->load.sizes) < 1)
        return wrong("--retain-bytes counts payload, and there is none: write --entry-bytes 1 or more");
    if (bench->preload_bytes != 0 && bench_sizes_mean(&bench->load.sizes) < 1)
        return wrong("--preload-bytes counts payload, and there is none: write --entry-bytes 1 or more");
    if (bench->preload_bytes != 0 && (bench->load.shape == SHAPE_THREADS || bench->load.mix.replicator))
        return wrong("--preload-bytes goes with --mix append=..: leave it out");
    if (bench->busy_poll && (bench->load.shape == SHAPE_THREADS || bench->load.mix.replicator))
        return wrong("--busy-poll goes with --window or --rate and --mix append=..: leave it out");
    if (bench->arrivals_given && bench->load.shape != SHAPE_RATE)
        return wrong("--arrivals is how those of --rate come: write --rate R, or leave it out");
    if (bench->sweep && bench->no_sweep) return wrong("--sweep and --no-sweep exclude each other: write one of them");
    if (bench->rivals_path != NULL && bench->out_path == NULL)
        return wrong("--rivals goes into a report: write --out report.html too");
    return true;
}

/* What others did under the same load. */
static bool read_rivals(struct bench *bench)
{
    if (bench->rivals_path == NULL) return true;
    FILE *file = fopen(bench->rivals_path, "re");
    const int why = errno;
    char *text = file != NULL ? calloc(1, RIVALS_BYTES_MAX + 1) : NULL;
    bench->rivals = calloc(1, sizeof(*bench->rivals));
    const size_t got = text != NULL ? fread(text, 1, RIVALS_BYTES_MAX, file) : 0;
    const bool good = got > 0 && bench->rivals != NULL && rivals_read(text, bench->rivals);
    if (!good)
        complain(who, "--rivals %s: %s", bench->rivals_path,
                 file == NULL ? strerror(why) : "not what bench/compare.py --rows rivals --json writes");
    free(text);
    if (file != NULL) fclose(file);
    return good;
}

static void load_of(struct bench *bench)
{
    struct bench_load *load = &bench->load;
    const uint64_t measure_ns = (uint64_t)(bench->seconds * 1e9);
    uint64_t warm_ns = measure_ns / BENCH_WARM_SHARE;
    if (warm_ns > BENCH_WARM_NS_MAX) warm_ns = BENCH_WARM_NS_MAX;
    if (bench->warm_given) warm_ns = (uint64_t)(bench->warm_up * 1e9);
    if (bench->load.mix.weight[ACT_COLD] > 0 && !bench->preload_given)
        bench->preload_bytes = 2 * (bench->arena_bytes != 0 ? bench->arena_bytes : SEGMENT_BYTES_USUAL);
    load->window = (uint32_t)bench->window;
    load->rate = (double)bench->rate;
    load->poisson = bench->arrivals == 1;
    load->busy_poll = bench->busy_poll;
    load->threads = (uint32_t)bench->threads;
    load->batch = (uint32_t)bench->batch;
    load->logs = (uint32_t)bench->logs;
    load->retain_bytes = bench->retain_bytes;
    load->preload_bytes = bench->preload_bytes;
    load->warm_ns = warm_ns;
    load->measure_ns = measure_ns;
    load->seed = bench->seed;
    load->directory = bench->at.directory;
    load->label = "bench";
    load->progress = true;
    bench->sweep = bench->sweep || (bench->out_path != NULL && !bench->no_sweep);
}

static const char notes[] =
    "--window: a closed loop: as soon as entries are durable, others take their place. --rate: an open loop:\n"
    "batches begin when they are due, and a latency is counted from then, whether or not the store was ready.\n"
    "--threads: each waits until its batch is durable, through a committer. One of the three.\n"
    "\n"
    "A warm-up of a tenth of the seconds, half a second at most, is not counted. Latencies are until durable,\n"
    "for each entry. --mix: how often what is done: append; tail: the newest 16 entries are read; cold: one\n"
    "that is no longer in memory; term: 64 look-ups, timed together; truncate: the newest batch; compact: as\n"
    "many of the oldest as came since the last time. Or replicator: groups of a leader's log and a follower's:\n"
    "entries are carried over, and committed when durable in both.\n"
    "\n"
    "The ceiling is what the same disk does with the same bytes outstanding and no log. The store is new and\n"
    "removed at the end, after an interrupt too, unless --keep is given: then it stays, and a second run\n"
    "appends behind the first. Where --batch does not divide --window the rest of the window is left empty.";

enum { ROW_ARRIVALS = 4, ROW_WARM = 11, ROW_LINGER = 19, ROW_PRELOAD = 22 };

static enum args_answer parse(struct bench *bench, int argc, char **argv)
{
    struct arg rows[] = {
        STORE_ARG_DIR(bench->at),
        {.name = "entry-bytes", .type = ARG_TEXT, .required = true, .to.text = &bench->entry_text, .word = "N",
         .help = "payload of each entry: 256, 4K, uniform:16-4096, exp:256 (a mean),\n"
                 "or sizes by weight: 256*90+4K*10"},
        {.name = "window", .type = ARG_NUMBER, .to.number = &bench->window, .low = 1, .high = WINDOW_MAX, .word = "W",
         .help = "entries outstanding"},
        {.name = "rate", .type = ARG_NUMBER, .to.number = &bench->rate, .low = 1, .high = RATE_MAX, .word = "R",
         .help = "entries a second"},
        [ROW_ARRIVALS] = {.name = "arrivals", .type = ARG_CHOICE, .to.choice = &bench->arrivals,
                          .choices = arrivals_names, .word = "A",
                          .help = "of --rate: even (default), or poisson, independent of each other"},
        {.name = "threads", .type = ARG_NUMBER, .to.number = &bench->threads, .low = 1, .high = THREADS_MAX,
         .word = "T", .help = "threads that wait for each batch"},
        {.name = "busy-poll", .type = ARG_FLAG, .to.flag = &bench->busy_poll,
         .help = "of --window and --rate: ask again and again, and never sleep"},
        {.name = "mix", .type = ARG_TEXT, .to.text = &bench->mix_text, .word = "M",
         .help = "append (default), append=90,tail=8,cold=1,term=1, or replicator"},
        {.name = "batch", .type = ARG_NUMBER, .to.number = &bench->batch, .low = 1, .high = BATCH_MAX, .word = "B",
         .help = "entries submitted at a time, as one batch; default 1"},
        {.name = "logs", .type = ARG_NUMBER, .to.number = &bench->logs, .low = 1, .high = LOGS_MAX, .word = "L",
         .help = "logs, appended to in turn; default 1"},
        {.name = "seconds", .type = ARG_SECONDS, .to.seconds = &bench->seconds, .high = SECONDS_MAX, .word = "S",
         .help = "measured time; default 5"},
        [ROW_WARM] = {.name = "warm-up", .type = ARG_SECONDS, .to.seconds = &bench->warm_up, .high = SECONDS_MAX,
                      .word = "S", .help = "time before, that is not counted"},
        {.name = "reps", .type = ARG_NUMBER, .to.number = &bench->reps, .low = 1, .high = BENCH_REPS_MAX, .word = "N",
         .help = "repetitions, with their spread; default 1"},
        {.name = "sweep", .type = ARG_FLAG, .to.flag = &bench->sweep,
         .help = "smaller windows, rates or numbers of threads too"},
        {.name = "no-sweep", .type = ARG_FLAG, .to.flag = &bench->no_sweep, .help = "none with --out either"},
        {.name = "no-ceiling", .type = ARG_FLAG, .to.flag = &bench->no_ceiling,
         .help = "do not measure the disk without a log"},
        STORE_ARG_STRATEGY(bench->at),
        {.name = "in-flight", .type = ARG_NUMBER, .to.number = &bench->in_flight, .low = 1, .high = 64, .word = "K",
         .help = "frames written at a time, 1 to 64"},
        {.name = "group-bytes", .type = ARG_BYTES, .to.number = &bench->group_bytes, .low = 1, .high = 1 << 30,
         .word = "G", .help = "a frame is closed when it reaches this size"},
        [ROW_LINGER] = {.name = "linger-us", .type = ARG_NUMBER, .to.number = &bench->linger_us, .high = 1000000,
                        .word = "U", .help = "a frame waits this long for siblings, 0 to 1000000"},
        {.name = "retain-bytes", .type = ARG_BYTES, .to.number = &bench->retain_bytes, .low = 1, .high = UINT64_MAX,
         .word = "R", .help = "compact behind the writer once more payload than this is retained"},
        {.name = "arena-bytes", .type = ARG_BYTES, .to.number = &bench->arena_bytes, .low = 1, .high = UINT64_MAX,
         .word = "N", .help = "memory that frames are built in"},
        [ROW_PRELOAD] = {.name = "preload-bytes", .type = ARG_BYTES, .to.number = &bench->preload_bytes,
                         .high = UINT64_C(1) << 50, .word = "N",
                         .help = "payload written before; with a mix of cold reads twice the arena"},
        {.name = "seed", .type = ARG_NUMBER, .to.number = &bench->seed, .high = UINT64_MAX, .word = "N",
         .help = "of sizes, mixes and arrivals; default 1"},
        STORE_ARG_SEGMENT(bench->at),
        STORE_ARG_BLOCK(bench->at),
        STORE_ARG_BACKEND(bench->at),
        {.name = "keep", .type = ARG_FLAG, .to.flag = &bench->keep,
         .help = "the store stays; may be one that is there"},
        {.name = "json", .type = ARG_FLAG, .to.flag = &bench->as_json, .help = "one JSON object"},
        {.name = "out", .type = ARG_TEXT, .to.text = &bench->out_path, .word = "FILE",
         .help = "a report as one HTML file, with a sweep"},
        {.name = "rivals", .type = ARG_TEXT, .to.text = &bench->rivals_path, .word = "FILE",
         .help = "what bench/compare.py wrote of others, into the report"},
    };
    const struct arg_command command = {.name = who, .what = "a load of appends on a directory", .args = rows,
                                        .count = sizeof(rows) / sizeof(rows[0]), .notes = notes};
    const enum args_answer answer = args_parse(&command, argc, argv);
    bench->arrivals_given = rows[ROW_ARRIVALS].given;
    bench->linger_given = rows[ROW_LINGER].given;
    bench->preload_given = rows[ROW_PRELOAD].given;
    bench->warm_given = rows[ROW_WARM].given;
    return answer;
}

int cmd_bench_append(int argc, char **argv)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    if (bench == NULL) {
        complain(who, "%s", strerror(errno));
        return EXIT_PROBLEM;
    }
    bench->batch = bench->logs = bench->reps = bench->seed = 1;
    bench->seconds = 5;
    bench->mix_text = "append";
    const enum args_answer answer = parse(bench, argc, argv);
    int status = EXIT_WRONG;
    if (answer == ARGS_HELPED) status = EXIT_GOOD;
    if (answer == ARGS_GO && sensible(bench) && read_rivals(bench)) {
        load_of(bench);
        status = bench_append(bench);
    }
    status = complain_flush(who, status);
    bench_ceiling_close(&bench->summary.ceiling);
    free(bench->summary.reps);
    free(bench->result);
    free(bench->rivals);
    free(bench);
    stop_obey();
    return status;
}
