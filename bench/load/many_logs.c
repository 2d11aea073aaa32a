/* many_logs.c: what it costs that a store has many logs: entries per second beside those of one log, opening, memory.
 *
 * PATH   Two stores, one with --logs logs and one with a single one, take the same load in turn, --reps times each: so
 *        many entries outstanding, --batch of them in a batch, from log to log in an order that was shuffled once.
 *        Payload beyond --retain-bytes is compacted. Then the store of many logs is opened: after a clean close, and
 *        after a writer was killed in full flight. Each step is a process of its own.
 * FAILS  Whatever ends the run, both stores are removed: they lie in directories that this program has made.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/wait.h>

#include "store_rig.h"

enum { LOGS_MAX = 1 << 20, BATCH_MAX = 4096, REPS_MAX = 64, DONE_MAX = 4096 };

static const char *option_dir = ".", *option_backend = "uring";
static uint64_t log_count = 10000, entry_bytes = 256, window, batch_entries = 64, retain_bytes = 256 << 20, reps = 5;
static double seconds = 1;

/* A store and what is under way in it. */
struct side {
    char dir[4096];
    struct teak_store *store;
    uint64_t logs, at;       /* whose turn it is, in `order` */
    uint32_t *order;
    uint64_t *next;          /* of each log, its next index  */
    uint64_t submitted, landed; /* entries                   */
    uint64_t *batches;       /* entries of the batch with that tag, modulo window + 1 */
    uint64_t tag;
};

struct result {
    bool good;
    double rate[2][REPS_MAX], cpu_ns[2][REPS_MAX], batch_ns[2][REPS_MAX];
    double bytes_an_entry[2];
    uint64_t table_bytes[2], moved_bytes[2], filled_bytes[2], full[2], stalls[2], index_bytes[2], frame_bytes[2];
    double call_ms, lock_ms, list_ms, sync_ms, sealed_ms, scan_ms, first_append_ms, scanned_mib;
    uint64_t verdict, logs, segments, rss_opened;
};

static struct result *shared;
static struct side sides[2]; /* one log, many */
static uint8_t *payload;

static uint64_t id_of(uint64_t which) { return (which + 1) * UINT64_C(0x9e3779b97f4a7c15); }

static struct teak_store *open_store(const char *dir, struct teak_report *report)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    struct teak_store *store = NULL;
    options.create = true;
    options.backend = store_backend(option_backend);
    store_check(teak_open(dir, &options, &store, report, &error), dir, &error);
    return store;
}

/* --------------------------------------------------------------------------------------------------------- the load */

static void begin_side(struct side *side, uint64_t logs)
{
    uint64_t seed = 1;
    side->logs = logs;
    side->order = (uint32_t *)(void *)rig_memory(logs * sizeof(uint32_t));
    side->next = (uint64_t *)(void *)rig_memory(logs * sizeof(uint64_t));
    side->batches = (uint64_t *)(void *)rig_memory((window + 1) * sizeof(uint64_t));
    for (uint64_t i = 0; i < logs; i++) {
        side->order[i] = (uint32_t)i;
        side->next[i] = 1;
    }
    for (uint64_t i = logs - 1; i > 0; i--) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
        const uint64_t j = (seed >> 33) % (i + 1);
        const uint32_t kept = side->order[i];
        side->order[i] = side->order[j];
        side->order[j] = kept;
    }
}

static void create_logs(struct side *side)
{
    for (uint64_t i = 0; i < side->logs;) {
        struct teak_op ops[BATCH_MAX];
        uint32_t count = 0;
        for (; count < 512 && i < side->logs; i++)
            ops[count++] = (struct teak_op){.op = TEAK_OP_CREATE, .log = id_of(i)};
        store_submit(side->store, &(struct teak_batch){.ops = ops, .count = count});
        store_await(side->store, 1);
    }
}

/* Room for the batch and a compaction for each of its entries. false: the store is full for now. */
static bool submit(struct side *side)
{
    static struct teak_op ops[2 * BATCH_MAX];
    static struct teak_bytes entries[BATCH_MAX];
    const uint64_t kept = retain_bytes / (entry_bytes * side->logs) + 1, mark = kept / 4 + 1;
    struct teak_error error = {0};
    uint32_t count = 0;
    for (uint64_t i = 0; i < batch_entries; i++) entries[i] = (struct teak_bytes){payload, (uint32_t)entry_bytes};
    const uint64_t take = side->logs == 1 ? batch_entries : 1; /* of one log */
    uint64_t at = side->at;
    for (uint64_t i = 0; i < batch_entries; i += take) {
        const uint32_t which = side->order[at];
        const uint64_t index = side->next[which];
        ops[count++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id_of(which), .index = index, .term = 1,
                                        .entries = entries, .count = (uint32_t)take};
        if (retain_bytes > 0 && index / mark != (index + take) / mark && index > kept)
            ops[count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = id_of(which), .index = index - kept};
        if (++at == side->logs) at = 0;
    }
    const struct teak_batch batch = {.ops = ops, .count = count, .tag = side->tag};
    const enum teak_status status = teak_submit(side->store, &batch, &error);
    if (status == TEAK_FULL) return false;
    store_check(status, "submit", &error);
    for (uint64_t i = 0; i < batch_entries; i += take) {
        side->next[side->order[side->at]] += take;
        if (++side->at == side->logs) side->at = 0;
    }
    side->batches[side->tag++ % (window + 1)] = batch_entries;
    side->submitted += batch_entries;
    return true;
}

static void collect(struct side *side)
{
    static struct teak_completion done[DONE_MAX];
    struct teak_error error = {0};
    uint32_t count = 0;
    store_check(teak_poll(side->store, TEAK_FOREVER, done, DONE_MAX, &count, &error), "poll", &error);
    for (uint32_t i = 0; i < count; i++) {
        if (done[i].status != TEAK_OK) store_refuse("completion", &(struct teak_error){.status = done[i].status});
        side->landed += side->batches[done[i].tag % (window + 1)];
    }
}

/* Until `until_ns`, or, with 0, until `entries` have landed. */
static uint64_t run_load(struct side *side, uint64_t until_ns, uint64_t entries)
{
    const uint64_t before = side->landed;
    while (!rig_stopped && (until_ns > 0 ? rig_now() < until_ns : side->landed - before < entries)) {
        while (side->submitted - side->landed + batch_entries <= window && submit(side)) continue;
        collect(side);
    }
    return side->landed - before;
}

static void finish_load(struct side *side)
{
    while (!rig_stopped && side->landed < side->submitted) collect(side);
}

static void step_append(void)
{
    struct teak_error error = {0};
    struct teak_stats stats, begun_stats;
    for (int i = 0; i < 2; i++) {
        begin_side(&sides[i], i == 0 ? 1 : log_count);
        sides[i].store = open_store(sides[i].dir, NULL);
        create_logs(&sides[i]);
        run_load(&sides[i], 0, 3 * retain_bytes / entry_bytes + window); /* until what is kept is kept */
        finish_load(&sides[i]);
    }
    for (uint64_t rep = 0; rep < reps && !rig_stopped; rep++)
        for (int turn = 0; turn < 2; turn++) {
            const int i = turn ^ (int)(rep & 1);
            teak_stats(sides[i].store, &begun_stats);
            const double cpu = rig_cpu_seconds();
            const uint64_t begun = rig_now();
            const uint64_t entries = run_load(&sides[i], begun + (uint64_t)(seconds * 1e9), 0);
            const double took = (double)(rig_now() - begun) * 1e-9;
            shared->rate[i][rep] = (double)entries / took;
            shared->cpu_ns[i][rep] = (rig_cpu_seconds() - cpu) * 1e9 / (double)entries;
            finish_load(&sides[i]);
            teak_stats(sides[i].store, &stats);
            shared->bytes_an_entry[i] =
                (double)(stats.bytes_written - begun_stats.bytes_written) / (double)(entries + window);
            shared->table_bytes[i] = stats.memory_bytes;
            shared->moved_bytes[i] += stats.moved_bytes - begun_stats.moved_bytes;
            shared->filled_bytes[i] += stats.filled_bytes - begun_stats.filled_bytes;
            shared->index_bytes[i] += stats.index_bytes - begun_stats.index_bytes;
            shared->frame_bytes[i] += stats.frame_bytes - begun_stats.frame_bytes;
            shared->full[i] += stats.full - begun_stats.full;
            shared->stalls[i] += stats.stalls - begun_stats.stalls;
        }
    for (int i = 0; i < 2; i++) store_check(teak_close(sides[i].store, &error), "close", &error);
}

/* ---------------------------------------------------------------------------------------------------------- opening */

static double ms_since(uint64_t begun) { return (double)(rig_now() - begun) * 1e-6; }

/* Opens the store of many logs, appends one entry, closes it. */
static void step_open(void)
{
    struct teak_report report;
    struct teak_error error = {0};
    struct teak_log log;
    uint64_t begun = rig_now();
    struct teak_store *const store = open_store(sides[1].dir, &report);
    shared->call_ms = ms_since(begun);
    shared->rss_opened = store_memory("VmRSS:");
    shared->lock_ms = (double)report.lock_wait_ns * 1e-6;
    shared->list_ms = (double)report.list_ns * 1e-6;
    shared->sync_ms = (double)report.sync_ns * 1e-6;
    shared->sealed_ms = (double)report.sealed_ns * 1e-6;
    shared->scan_ms = (double)report.scan_ns * 1e-6;
    shared->scanned_mib = (double)report.scanned_bytes / (1 << 20);
    shared->verdict = report.verdict;
    shared->segments = report.segments;
    store_check(teak_log(store, id_of(0), &log, &error), "log", &error);
    begun = rig_now();
    const struct teak_bytes entry = {payload, (uint32_t)entry_bytes};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = id_of(0), .index = log.last.index + 1, .term = 1,
                               .entries = &entry, .count = 1};
    store_submit(store, &(struct teak_batch){.ops = &op, .count = 1});
    store_await(store, 1);
    shared->first_append_ms = ms_since(begun);
    struct teak_stats stats;
    teak_stats(store, &stats);
    shared->logs = stats.logs;
    store_check(teak_close(store, &error), "close", &error);
}

/* Writes on, from where each log stands, until it is killed. `told` gets a byte when half of it is done. */
static void write_until_killed(int told)
{
    struct side *const side = &sides[1];
    struct teak_error error = {0};
    begin_side(side, log_count);
    side->store = open_store(side->dir, NULL);
    for (uint64_t i = 0; i < log_count; i++) {
        struct teak_log log;
        store_check(teak_log(side->store, id_of(i), &log, &error), "log", &error);
        side->next[i] = log.last.index + 1;
    }
    run_load(side, 0, (128 << 20) / entry_bytes);
    if (write(told, "x", 1) != 1) rig_refuse("pipe", errno);
    run_load(side, rig_now() + UINT64_C(10000000000), 0);
}

/* -------------------------------------------------------------------------------------------------------- processes */

static _Noreturn void give_up(void)
{
    store_remove(sides[0].dir);
    store_remove(sides[1].dir);
    exit(1);
}

static void run(void (*step)(void))
{
    fflush(stdout); /* or both would print it */
    shared->good = false;
    const pid_t child = fork();
    if (child < 0) rig_refuse("fork", errno);
    if (child == 0) {
        step();
        shared->good = !rig_stopped;
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    if (!shared->good || rig_stopped) give_up();
}

static void write_and_kill(void)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0) rig_refuse("pipe", errno);
    const pid_t child = fork();
    if (child < 0) rig_refuse("fork", errno);
    if (child == 0) {
        write_until_killed(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    ssize_t got;
    do got = read(ends[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
    if (got != 1) give_up();
}

/* --------------------------------------------------------------------------------------------------------- printing */

static void print_openings(const char *name, const struct result *results)
{
    double values[REPS_MAX];
    printf(", \"%s\": {", name);
    const struct { const char *name; size_t at; } rows[] = {
        {"call_ms", offsetof(struct result, call_ms)}, {"lock_wait_ms", offsetof(struct result, lock_ms)},
        {"list_ms", offsetof(struct result, list_ms)}, {"sync_ms", offsetof(struct result, sync_ms)},
        {"sealed_ms", offsetof(struct result, sealed_ms)}, {"scan_ms", offsetof(struct result, scan_ms)},
        {"first_append_ms", offsetof(struct result, first_append_ms)},
        {"scanned_mib", offsetof(struct result, scanned_mib)}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        for (uint64_t i = 0; i < reps; i++)
            memcpy(&values[i], (const char *)&results[i] + rows[row].at, sizeof(double));
        store_print_spread(rows[row].name, values, reps, stdout);
        printf(", ");
    }
    printf("\"verdict\": %llu, \"logs\": %llu, \"segments\": %llu, \"rss_opened\": %llu}",
           (unsigned long long)results[reps - 1].verdict, (unsigned long long)results[reps - 1].logs,
           (unsigned long long)results[reps - 1].segments, (unsigned long long)results[reps - 1].rss_opened);
}

static void print_load(void)
{
    double ratio[REPS_MAX];
    printf("{\"logs\": %llu, \"entry_bytes\": %llu, \"window\": %llu, \"batch\": %llu, \"retain_bytes\": %llu",
           (unsigned long long)log_count, (unsigned long long)entry_bytes, (unsigned long long)window,
           (unsigned long long)batch_entries, (unsigned long long)retain_bytes);
    for (uint64_t i = 0; i < reps; i++) ratio[i] = shared->rate[1][i] / shared->rate[0][i];
    printf(", ");
    store_print_spread("ratio", ratio, reps, stdout);
    for (int i = 0; i < 2; i++) {
        printf(", \"%s\": {", i == 0 ? "one" : "many");
        store_print_spread("entries_per_second", shared->rate[i], reps, stdout);
        printf(", ");
        store_print_spread("processor_ns", shared->cpu_ns[i], reps, stdout);
        printf(", \"bytes_written_an_entry\": %.1f, \"table_bytes\": %llu, \"frame_bytes\": %llu, "
               "\"index_bytes\": %llu, \"filled_bytes\": %llu, \"moved_bytes\": %llu, \"full\": %llu, "
               "\"stalls\": %llu}", shared->bytes_an_entry[i], (unsigned long long)shared->table_bytes[i],
               (unsigned long long)shared->frame_bytes[i], (unsigned long long)shared->index_bytes[i],
               (unsigned long long)shared->filled_bytes[i], (unsigned long long)shared->moved_bytes[i],
               (unsigned long long)shared->full[i], (unsigned long long)shared->stalls[i]);
    }
}

static void measure(void)
{
    static struct result clean[REPS_MAX], killed[REPS_MAX];
    run(step_append);
    print_load();
    for (uint64_t i = 0; i < reps; i++) {
        run(step_open);
        clean[i] = *shared;
    }
    for (uint64_t i = 0; i < reps; i++) {
        write_and_kill();
        run(step_open);
        killed[i] = *shared;
    }
    print_openings("clean", clean);
    print_openings("killed", killed);
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct rig_option table[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the stores' directories are made [.]"},
        {.name = "--backend", .text = &option_backend, .help = "uring or posix [uring]"},
        {.name = "--logs", .number = &log_count, .help = "logs of the one store; the other has one [10000]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry [256]"},
        {.name = "--window", .number = &window, .help = "entries outstanding; 0: as many as there are logs [0]"},
        {.name = "--batch", .number = &batch_entries, .help = "entries in a batch, each of another log [64]"},
        {.name = "--retain-bytes", .number = &retain_bytes, .help = "payload kept in a store; 0: all [256m]"},
        {.name = "--seconds", .seconds = &seconds, .help = "how long each, each time [1]"},
        {.name = "--reps", .number = &reps, .help = "how often, 1 to 64 [5]"},
        {.name = NULL}};
    rig_parse(argc, argv, table);
    rig_warn_of_memory(option_dir);
    if (window == 0) window = log_count;
    if (log_count == 0 || log_count > LOGS_MAX || entry_bytes == 0 || batch_entries == 0 ||
        batch_entries > BATCH_MAX || window < batch_entries || reps == 0 || reps > REPS_MAX) {
        fprintf(stderr, "--logs 1 to %d, --batch 1 to %d and at most --window, --reps 1 to %d, --entry-bytes 1 up\n",
                LOGS_MAX, BATCH_MAX, REPS_MAX);
        return 2;
    }
    rig_catch_signals();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) rig_refuse("mmap", errno);
    for (int i = 0; i < 2; i++)
        snprintf(sides[i].dir, sizeof sides[i].dir, "%s/bench_many_logs.%d.%d", option_dir, (int)getpid(), i);
    payload = rig_memory(entry_bytes);
    memset(payload, 0x5a, entry_bytes);
    measure();
    store_remove(sides[0].dir);
    store_remove(sides[1].dir);
    return 0;
}
