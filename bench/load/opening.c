/* opening.c: how long a large store takes to open, what dropping all of it costs the caller, and what memory it holds.
 *
 * PATH   A store of --gib, --entry-bytes in each entry, is built in --dir, or the one that an earlier run kept there is
 *        taken. Then --reps times each: opened after a clean close; opened after a writer was killed in full flight. At
 *        last the one log is compacted up to its end. Each step is a process of its own, so that no memory, no open
 *        file and no ring is left over from the one before.
 * FAILS  Whatever ends the run, the store is removed unless it is to be kept. Only a directory that this program made,
 *        or whose log holds its mark, is ever written to.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "store_rig.h"

enum { LOG = 1, BATCH = 64, WINDOW = 4096, REPS_MAX = 64, ENTRY_BYTES_MAX = 4096 };
static const char mark[] = "made by bench_opening";

static const char *option_dir = "opening-store", *option_backend = "uring";
static uint64_t gib = 10, entry_bytes = 256, reps = 5, kill_mib = 256;
static bool keep, as_json;

/* What one process measured. */
enum measured { OPEN_CALL, LOCK_WAIT, OPEN_REST, LISTING, SYNCING, SEALED, SCANNING, FIRST_APPEND, MEASURED };
static const char *const measured_names[MEASURED] = {"call_ms", "lock_wait_ms", "without_lock_wait_ms", "list_ms",
                                                     "sync_ms", "sealed_ms", "scan_ms", "first_append_ms"};
struct outcome {
    bool good;
    double ms[MEASURED];
    uint64_t entries, scanned_bytes, segments, verdict;
    uint64_t rss_opened, rss_driven, arena_bytes, table_bytes;
    double submit_ms, drain_ms, poll_max_ms, forgotten_ms; /* of dropping */
    uint64_t rss_dropped, segments_left;
};

static uint8_t payload[ENTRY_BYTES_MAX];

static double ms_since(uint64_t begun) { return (double)(rig_now() - begun) * 1e-6; }

static struct teak_store *open_store(bool create, struct teak_report *report)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    struct teak_store *store = NULL;
    options.create = create;
    options.backend = store_backend(option_backend);
    store_check(teak_open(option_dir, &options, &store, report, &error), option_dir, &error);
    return store;
}

static uint64_t last_index(struct teak_store *store)
{
    struct teak_log log = {0};
    struct teak_error error = {0};
    store_check(teak_log(store, LOG, &log, &error), "log", &error);
    return log.last.index;
}

static void append_one(struct teak_store *store, uint64_t index)
{
    const struct teak_bytes entry = {payload, (uint32_t)entry_bytes};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = index, .term = 1, .count = 1,
                               .entries = &entry};
    store_submit(store, &(struct teak_batch){.ops = &op, .count = 1});
    store_await(store, 1);
}

/* Appends until `until` is the last index, WINDOW outstanding. `told`: a descriptor that gets a byte when half is
 * done, or -1. */
static void append_until(struct teak_store *store, uint64_t until, int told)
{
    struct teak_error error = {0};
    struct teak_bytes entries[BATCH];
    struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .term = 1, .count = BATCH, .entries = entries};
    const struct teak_batch batch = {.ops = &op, .count = 1};
    const uint64_t begin = last_index(store);
    uint64_t last = begin, outstanding = 0;
    for (size_t i = 0; i < BATCH; i++) entries[i] = (struct teak_bytes){payload, (uint32_t)entry_bytes};
    while (last < until && !rig_stopped) {
        while (last < until && outstanding < WINDOW / BATCH) {
            op.index = last + 1;
            const enum teak_status status = teak_submit(store, &batch, &error);
            if (status == TEAK_FULL) break;
            store_check(status, "submit", &error);
            last += BATCH;
            outstanding++;
        }
        struct teak_completion done[WINDOW / BATCH];
        uint32_t count = 0;
        store_check(teak_poll(store, TEAK_FOREVER, done, WINDOW / BATCH, &count, &error), "poll", &error);
        outstanding -= count;
        if (told >= 0 && last - begin > (until - begin) / 2) {
            if (write(told, "x", 1) != 1) rig_refuse("pipe", errno);
            told = -1;
        }
    }
    store_await(store, outstanding);
}

/* -------------------------------------------------------------------------------------------------------- the steps */

static void step_build(struct outcome *out)
{
    struct teak_error error = {0};
    struct teak_store *const store = open_store(true, NULL);
    struct teak_log log;
    if (teak_log(store, LOG, &log, &error) == TEAK_UNKNOWN_LOG) {
        const struct teak_op ops[2] = {{.op = TEAK_OP_CREATE, .log = LOG},
                                       {.op = TEAK_OP_META, .log = LOG, .data = mark, .bytes = sizeof(mark)}};
        const struct teak_batch batch = {.ops = ops, .count = 2};
        store_submit(store, &batch);
        store_await(store, 1);
    }
    append_until(store, gib * (UINT64_C(1) << 30) / entry_bytes, -1);
    out->entries = last_index(store);
    store_check(teak_close(store, &error), "close", &error);
}

/* Opens, appends one entry, closes: what is opened next was closed cleanly after it had been written to. */
static void step_open(struct outcome *out)
{
    struct teak_report report;
    struct teak_error error = {0};
    struct teak_stats stats;
    struct teak_limits limits;
    uint64_t begun = rig_now();
    struct teak_store *const store = open_store(false, &report);
    out->ms[OPEN_CALL] = ms_since(begun);
    out->ms[LOCK_WAIT] = (double)report.lock_wait_ns * 1e-6;
    out->ms[OPEN_REST] = out->ms[OPEN_CALL] - out->ms[LOCK_WAIT];
    out->ms[LISTING] = (double)report.list_ns * 1e-6;
    out->ms[SYNCING] = (double)report.sync_ns * 1e-6;
    out->ms[SEALED] = (double)report.sealed_ns * 1e-6;
    out->ms[SCANNING] = (double)report.scan_ns * 1e-6;
    out->scanned_bytes = report.scanned_bytes;
    out->segments = report.segments;
    out->verdict = report.verdict;
    out->rss_opened = store_memory("VmRSS:");
    out->entries = last_index(store);
    begun = rig_now();
    append_one(store, out->entries + 1);
    out->ms[FIRST_APPEND] = ms_since(begun);
    out->rss_driven = store_memory("VmRSS:");
    teak_stats(store, &stats);
    teak_limits(store, &limits);
    out->arena_bytes = limits.arena_bytes;
    out->table_bytes = stats.memory_bytes;
    store_check(teak_close(store, &error), "close", &error);
}

/* `really`: and waits until what can go is forgotten: all but the newest two segments. Else the store is abandoned
 * before the batch has left: nothing is dropped, and it can be measured again. */
static void drop(struct outcome *out, bool really)
{
    struct teak_error error = {0};
    struct teak_stats stats = {0};
    struct teak_store *const store = open_store(false, NULL);
    out->entries = last_index(store);
    append_one(store, out->entries + 1);
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = LOG, .index = out->entries + 1};
    const struct teak_batch batch = {.ops = &op, .count = 1};
    out->rss_driven = store_memory("VmRSS:");
    uint64_t begun = rig_now();
    store_check(teak_submit(store, &batch, &error), "compact", &error);
    out->submit_ms = ms_since(begun);
    if (!really) {
        teak_abandon(store);
        return;
    }
    store_await(store, 1);
    out->drain_ms = ms_since(begun);
    do {
        const uint64_t before = rig_now();
        store_check(teak_poll(store, 1000000, NULL, 0, NULL, &error), "poll", &error);
        if (ms_since(before) > out->poll_max_ms) out->poll_max_ms = ms_since(before);
        teak_stats(store, &stats);
        if (stats.segments > 2) nanosleep(&(struct timespec){0, 1000000}, NULL);
    } while (stats.segments > 2 && ms_since(begun) < 10000);
    out->forgotten_ms = ms_since(begun);
    out->segments_left = stats.segments;
    out->rss_dropped = store_memory("VmRSS:");
    store_check(teak_close(store, &error), "close", &error);
}

static void step_drop_tried(struct outcome *out) { drop(out, false); }
static void step_drop(struct outcome *out) { drop(out, true); }

/* ------------------------------------------------------------------------------------------------------- processes */

/* Runs `step` in a process of its own. */
static struct outcome run(void (*step)(struct outcome *))
{
    struct outcome outcome = {0};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) rig_refuse("pipe", errno);
    fflush(stdout); /* or both would print it */
    const pid_t child = fork();
    if (child < 0) rig_refuse("fork", errno);
    if (child == 0) {
        store_to_remove = NULL;
        step(&outcome);
        outcome.good = true;
        _exit(write(ends[1], &outcome, sizeof(outcome)) == (ssize_t)sizeof(outcome) ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got;
    do got = read(ends[0], &outcome, sizeof(outcome));
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    if (got == (ssize_t)sizeof(outcome) && outcome.good && !rig_stopped) return outcome;
    if (store_to_remove != NULL) store_remove(store_to_remove);
    exit(1);
}

/* A writer, killed when it is about half-way through kill_mib. */
static void write_and_kill(uint64_t last)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0) rig_refuse("pipe", errno);
    fflush(stdout); /* or both would print it */
    const pid_t child = fork();
    if (child < 0) rig_refuse("fork", errno);
    if (child == 0) {
        store_to_remove = NULL;
        append_until(open_store(false, NULL), last + kill_mib * (1 << 20) / entry_bytes, ends[1]);
        pause(); /* the signal is on its way */
        _exit(1);
    }
    close(ends[1]);
    ssize_t got;
    do got = read(ends[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    if (got != 1 && store_to_remove != NULL) store_remove(store_to_remove);
    if (got != 1) exit(1);
}

static void print_openings(const char *name, const struct outcome *outcomes)
{
    double values[REPS_MAX];
    printf("\"%s\": {", name);
    for (int k = 0; k < MEASURED; k++) {
        for (uint64_t i = 0; i < reps; i++) values[i] = outcomes[i].ms[k];
        store_print_spread(measured_names[k], values, reps, stdout);
        printf(", ");
    }
    for (uint64_t i = 0; i < reps; i++) values[i] = (double)outcomes[i].scanned_bytes / (1 << 20);
    store_print_spread("scanned_mib", values, reps, stdout);
    const struct outcome *const last = &outcomes[reps - 1];
    printf(", \"verdict\": %llu, \"entries\": %llu, \"segments\": %llu, \"rss_opened\": %llu, \"rss_driven\": %llu, "
           "\"arena_bytes\": %llu, \"table_bytes\": %llu}",
           (unsigned long long)last->verdict, (unsigned long long)last->entries, (unsigned long long)last->segments,
           (unsigned long long)last->rss_opened, (unsigned long long)last->rss_driven,
           (unsigned long long)last->arena_bytes, (unsigned long long)last->table_bytes);
}

static void measure(void)
{
    static struct outcome clean[REPS_MAX], killed[REPS_MAX];
    static double submit_ms[REPS_MAX + 1];
    uint64_t begun = rig_now();
    const struct outcome built = run(step_build);
    const double build_seconds = ms_since(begun) * 1e-3;
    for (uint64_t i = 0; i < reps; i++) clean[i] = run(step_open);
    uint64_t last = clean[reps - 1].entries + 1;
    for (uint64_t i = 0; i < reps; i++) {
        write_and_kill(last);
        killed[i] = run(step_open);
        last = killed[i].entries + 1;
    }
    printf("{\"entries\": %llu, \"build_seconds\": %.1f, ", (unsigned long long)built.entries, build_seconds);
    print_openings("clean", clean);
    printf(", ");
    print_openings("killed", killed);
    for (uint64_t i = 0; i < reps; i++) submit_ms[i] = run(step_drop_tried).submit_ms;
    printf(", \"drop\": {");
    if (!keep) {
        const struct outcome dropped = run(step_drop);
        submit_ms[reps] = dropped.submit_ms;
        printf("\"durable_ms\": %.3f, \"poll_max_ms\": %.3f, \"forgotten_ms\": %.3f, \"segments_left\": %llu, "
               "\"rss_before\": %llu, \"rss_after\": %llu, ",
               dropped.drain_ms, dropped.poll_max_ms, dropped.forgotten_ms,
               (unsigned long long)dropped.segments_left, (unsigned long long)dropped.rss_driven,
               (unsigned long long)dropped.rss_dropped);
    }
    store_print_spread("submit_ms", submit_ms, reps + (keep ? 0 : 1), stdout);
    printf("}}\n");
}

/* Is there a store, and is it one of this program's? Anything else there is refused. */
static void claim(void)
{
    char meta[256];
    uint32_t bytes = 0;
    struct stat info;
    struct teak_options options = teak_options_default();
    struct teak_store *store = NULL;
    options.read_only = true;
    if (stat(option_dir, &info) == 0) {
        const bool is_ours = teak_open(option_dir, &options, &store, NULL, NULL) == TEAK_OK &&
                             teak_meta(store, LOG, meta, sizeof(meta), &bytes, NULL) == TEAK_OK &&
                             bytes == sizeof(mark) && memcmp(meta, mark, bytes) == 0;
        if (store != NULL) teak_abandon(store);
        if (!is_ours) {
            fprintf(stderr, "%s is there and no store of this program's: name a directory that is not there\n",
                    option_dir);
            exit(2);
        }
    }
    store_to_remove = keep ? NULL : option_dir;
}

int main(int argc, char **argv)
{
    const struct rig_option options[] = {
        {.name = "--dir", .text = &option_dir, .help = "the store: new, or kept by an earlier run [opening-store]"},
        {.name = "--gib", .number = &gib, .help = "GiB of payload in it [10]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry, 1 to 4096 [256]"},
        {.name = "--kill-mib", .number = &kill_mib, .help = "a writer is killed half-way through as much [256]"},
        {.name = "--reps", .number = &reps, .help = "openings of each kind, 1 to 64 [5]"},
        {.name = "--backend", .text = &option_backend, .help = "uring or posix [uring]"},
        {.name = "--keep", .flag = &keep, .help = "the store stays, and nothing is dropped from it"},
        {.name = "--json", .flag = &as_json, .help = "one JSON object, as always"},
        {.name = NULL}};
    rig_parse(argc, argv, options);
    rig_warn_of_memory(option_dir);
    if (reps == 0 || reps > REPS_MAX || entry_bytes == 0 || entry_bytes > ENTRY_BYTES_MAX || gib == 0 ||
        kill_mib == 0) {
        fprintf(stderr, "--reps 1 to %d, --entry-bytes 1 to %d, --gib and --kill-mib 1 up\n", REPS_MAX,
                ENTRY_BYTES_MAX);
        return 2;
    }
    rig_catch_signals();
    memset(payload, 0x5a, sizeof(payload));
    claim();
    measure();
    if (store_to_remove != NULL) store_remove(store_to_remove);
    return 0;
}
