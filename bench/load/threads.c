/* threads.c: many threads, each appending one entry at a time to one log and waiting until it is durable, through a
 * committer; or, with --threads 0, one thread that drives the store itself with --window entries outstanding.
 *
 * FAILS  What the store refuses ends the run, exit 1. The store lies in a directory of its own, which is removed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>

#include "store_rig.h"
#include "teak/committer.h"

enum { THREADS_MAX = 4096, LOG = 1, STACK_BYTES = 64 << 10, DONE_MAX = 4096 };

static const char *option_dir = ".";
static const char *option_backend = "uring";
static uint64_t thread_count = 64, window = 64, entry_bytes = 256, logs = 1, retain_bytes = 16 << 20;
static uint64_t gather_us = 0, spin_us = 0;
static double seconds = 2, warm_seconds = 0.5;
static bool no_gather;

struct worker {
    _Alignas(64) pthread_t id;
    uint64_t log, appended;
    struct rig_tally tally;
};

static struct {
    struct teak_committer *committer;
    struct teak_store *store;
    struct worker *workers;
    uint8_t *payload;
    atomic_bool counting, stop;
    struct teak_stats stats;
} t;

/* ----------------------------------------------------------------------------------------------------- many threads */

static void compact(uint64_t log, uint64_t upto)
{
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = log, .index = upto};
    struct teak_error error = {0};
    store_check(teak_committer_commit(t.committer, &(struct teak_batch){.ops = &op, .count = 1}, NULL, &error),
                "compact", &error);
}

/* Payload beyond --retain-bytes is forgotten, so that segments are recycled: by the thread that came to the mark. */
static void retain(uint64_t log, uint64_t index)
{
    const uint64_t kept = retain_bytes / (entry_bytes * logs) + 1;
    if (retain_bytes > 0 && index % (kept / 4 + 1) == 0 && index > kept) compact(log, index - kept);
}

static void *work(void *argument)
{
    struct worker *const worker = argument;
    struct teak_error error = {0};
    while (!atomic_load_explicit(&t.stop, memory_order_relaxed)) {
        const bool counts = atomic_load_explicit(&t.counting, memory_order_relaxed);
        const uint64_t begun = counts ? rig_now() : 0;
        uint64_t index;
        store_check(teak_committer_append(t.committer, worker->log, TEAK_INDEX_NEXT, 1, t.payload,
                                          (uint32_t)entry_bytes, &index, &error), "append", &error);
        if (counts) {
            rig_tally_add(&worker->tally, rig_now() - begun, 1);
            worker->appended++;
        }
        retain(worker->log, index);
    }
    return NULL;
}

static void read_stats(struct teak_store *store, void *context) { teak_stats(store, context); }

static void start_threads(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    t.workers = (struct worker *)(void *)rig_memory(thread_count * sizeof(struct worker));
    for (uint64_t i = 0; i < thread_count; i++) {
        t.workers[i] = (struct worker){.log = LOG + i % logs};
        rig_tally_init(&t.workers[i].tally);
        const int error = pthread_create(&t.workers[i].id, &attributes, work, &t.workers[i]);
        if (error != 0) rig_refuse("pthread_create", error);
    }
    pthread_attr_destroy(&attributes);
}

static uint64_t join_threads(struct rig_tally *tally, uint64_t *least, uint64_t *most)
{
    uint64_t appended = 0;
    *least = UINT64_MAX;
    *most = 0;
    atomic_store(&t.stop, true);
    for (uint64_t i = 0; i < thread_count; i++) {
        struct worker *const worker = &t.workers[i];
        pthread_join(worker->id, NULL);
        for (size_t k = 0; k < worker->tally.used; k++)
            rig_tally_add(tally, worker->tally.samples[k].ns, worker->tally.samples[k].count);
        appended += worker->appended;
        if (worker->appended < *least) *least = worker->appended;
        if (worker->appended > *most) *most = worker->appended;
    }
    return appended;
}

static void open_committer(const char *dir, const struct teak_options *options)
{
    const struct teak_committer_options own = {.gather_ns = gather_us * 1000, .never_gather = no_gather,
                                               .spin_ns = spin_us * 1000};
    struct teak_error error = {0};
    store_check(teak_committer_open(dir, options, &own, &t.committer, NULL, &error), "open", &error);
    for (uint64_t i = 0; i < logs; i++) {
        const struct teak_op op = {.op = TEAK_OP_CREATE, .log = LOG + i};
        store_check(teak_committer_commit(t.committer, &(struct teak_batch){.ops = &op, .count = 1}, NULL, &error),
                    "create", &error);
    }
}

/* ------------------------------------------------------------------------------------------------------- one thread */

struct single {
    uint64_t *next, *begun_ns;
    uint64_t submitted, landed;
};

static void single_submit(struct single *one, const struct teak_op *op)
{
    one->begun_ns[one->submitted % window] = rig_now();
    store_submit(t.store, &(struct teak_batch){.ops = op, .count = 1, .tag = one->submitted++});
}

static void single_append(struct single *one)
{
    const uint64_t which = one->submitted % logs;
    const struct teak_bytes entry = {t.payload, (uint32_t)entry_bytes};
    const uint64_t kept = retain_bytes / (entry_bytes * logs) + 1, index = one->next[which]++;
    single_submit(one, &(struct teak_op){.op = TEAK_OP_ENTRIES, .log = LOG + which, .index = index, .term = 1,
                                         .entries = &entry, .count = 1});
    if (retain_bytes > 0 && index % (kept / 4 + 1) == 0 && index > kept) {
        const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = LOG + which, .index = index - kept};
        store_submit(t.store, &(struct teak_batch){.ops = &op, .count = 1, .tag = UINT64_MAX});
    }
}

/* Until `until_ns`, or, with 0, until everything has landed. Returns entries durable. */
static uint64_t single_run(struct single *one, uint64_t until_ns, struct rig_tally *tally)
{
    static struct teak_completion done[DONE_MAX];
    struct teak_error error = {0};
    const uint64_t before = one->landed;
    while (!rig_stopped && (until_ns > 0 ? rig_now() < until_ns : one->landed < one->submitted)) {
        uint32_t count = 0;
        while (until_ns > 0 && one->submitted - one->landed < window) single_append(one);
        store_check(teak_poll(t.store, TEAK_FOREVER, done, DONE_MAX, &count, &error), "poll", &error);
        const uint64_t now = rig_now();
        for (uint32_t i = 0; i < count; i++) {
            if (done[i].status != TEAK_OK) store_refuse("completion", &(struct teak_error){.status = done[i].status});
            if (done[i].tag == UINT64_MAX) continue;
            rig_tally_add(tally, now - one->begun_ns[done[i].tag % window], 1);
            one->landed++;
        }
    }
    return one->landed - before;
}

/* ------------------------------------------------------------------------------------------------------------- runs */

static void print(uint64_t entries, double took, double cpu, struct rig_tally *tally, struct disk_count before,
                  struct disk_count after)
{
    const double rate = (double)entries / took;
    printf("{\"threads\": %llu, \"window\": %llu, \"entry_bytes\": %llu, \"logs\": %llu, \"entries\": %llu, "
           "\"seconds\": %.3f, \"entries_per_second\": %.0f, \"cpu_seconds\": %.3f, \"frames\": %llu, "
           "\"syncs\": %llu, \"bytes_written\": %llu, ",
           (unsigned long long)thread_count, (unsigned long long)(thread_count ? thread_count : window),
           (unsigned long long)entry_bytes, (unsigned long long)logs, (unsigned long long)entries, took, rate, cpu,
           (unsigned long long)t.stats.frames, (unsigned long long)t.stats.syncs,
           (unsigned long long)t.stats.bytes_written);
    rig_tally_print(tally, stdout);
    printf(", ");
    rig_device_print(before, after, stdout);
}

static void pause_until(uint64_t until_ns)
{
    while (!rig_stopped && rig_now() < until_ns) nanosleep(&(struct timespec){0, 10000000}, NULL);
}

static void run_threads(const char *dir, const struct teak_options *options)
{
    struct rig_tally tally;
    struct teak_error error = {0};
    struct teak_stats begun_stats;
    uint64_t least, most, appended;
    rig_tally_init(&tally);
    open_committer(dir, options);
    start_threads();
    pause_until(rig_now() + (uint64_t)(warm_seconds * 1e9));
    store_check(teak_committer_call(t.committer, read_stats, &begun_stats, &error), "stats", &error);
    const struct disk_count before = disk_count_read(option_dir);
    const double cpu_begun = rig_cpu_seconds();
    const uint64_t begun = rig_now();
    atomic_store(&t.counting, true);
    pause_until(begun + (uint64_t)(seconds * 1e9));
    atomic_store(&t.counting, false);
    const double took = (double)(rig_now() - begun) * 1e-9, cpu = rig_cpu_seconds() - cpu_begun;
    store_check(teak_committer_call(t.committer, read_stats, &t.stats, &error), "stats", &error);
    const struct disk_count after = disk_count_read(option_dir);
    appended = join_threads(&tally, &least, &most);
    store_check(teak_committer_close(t.committer, &error), "close", &error);
    t.stats.frames -= begun_stats.frames;
    t.stats.syncs -= begun_stats.syncs;
    t.stats.bytes_written -= begun_stats.bytes_written;
    print(appended, took, cpu, &tally, before, after);
    printf(", \"least_of_a_thread\": %llu, \"most_of_a_thread\": %llu}\n", (unsigned long long)least,
           (unsigned long long)most);
}

static void run_single(const char *dir, const struct teak_options *options)
{
    struct rig_tally warm, tally;
    struct teak_error error = {0};
    struct teak_stats begun_stats;
    rig_tally_init(&warm);
    rig_tally_init(&tally);
    struct single one = {.next = (uint64_t *)(void *)rig_memory(logs * sizeof(uint64_t)),
                         .begun_ns = (uint64_t *)(void *)rig_memory(window * sizeof(uint64_t))};
    store_check(teak_open(dir, options, &t.store, NULL, &error), "open", &error);
    for (uint64_t i = 0; i < logs; i++) {
        store_check(teak_create_log(t.store, LOG + i, 0, &error), "create", &error);
        store_await(t.store, 1);
        one.next[i] = 1;
    }
    (void)single_run(&one, rig_now() + (uint64_t)(warm_seconds * 1e9), &warm);
    teak_stats(t.store, &begun_stats);
    const struct disk_count before = disk_count_read(option_dir);
    const double cpu_begun = rig_cpu_seconds();
    const uint64_t begun = rig_now();
    const uint64_t entries = single_run(&one, begun + (uint64_t)(seconds * 1e9), &tally);
    const double took = (double)(rig_now() - begun) * 1e-9, cpu = rig_cpu_seconds() - cpu_begun;
    const struct disk_count after = disk_count_read(option_dir);
    teak_stats(t.store, &t.stats);
    (void)single_run(&one, 0, &warm);
    store_check(teak_close(t.store, &error), "close", &error);
    t.stats.frames -= begun_stats.frames;
    t.stats.syncs -= begun_stats.syncs;
    t.stats.bytes_written -= begun_stats.bytes_written;
    print(entries, took, cpu, &tally, before, after);
    printf("}\n");
}

int main(int argc, char **argv)
{
    const struct rig_option table[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the store's directory is made [.]"},
        {.name = "--backend", .text = &option_backend, .help = "uring or posix [uring]"},
        {.name = "--threads", .number = &thread_count, .help = "threads; 0: one that drives the store itself [64]"},
        {.name = "--window", .number = &window, .help = "entries outstanding, with --threads 0 [64]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry [256]"},
        {.name = "--logs", .number = &logs, .help = "logs, thread by thread in turn [1]"},
        {.name = "--retain-bytes", .number = &retain_bytes, .help = "payload kept; 0: all [16m]"},
        {.name = "--gather-us", .number = &gather_us, .help = "teak_committer_options.gather_ns, in us; 0: default"},
        {.name = "--no-gather", .flag = &no_gather, .help = "frames leave with what is there"},
        {.name = "--spin-us", .number = &spin_us, .help = "teak_committer_options.spin_ns, in us [0]"},
        {.name = "--warm", .seconds = &warm_seconds, .help = "before it counts [0.5]"},
        {.name = "--seconds", .seconds = &seconds, .help = "how long [2]"},
        {.name = NULL}};
    rig_parse(argc, argv, table);
    rig_warn_of_memory(option_dir);
    if (thread_count > THREADS_MAX || window == 0 || entry_bytes == 0 || logs == 0) {
        fprintf(stderr, "--threads 0 to %d, --window, --entry-bytes and --logs from 1 up\n", THREADS_MAX);
        return 2;
    }
    rig_catch_signals();
    char dir[4096];
    struct teak_options options = teak_options_default();
    snprintf(dir, sizeof(dir), "%s/bench_threads.%d", option_dir, (int)getpid());
    options.create = true;
    options.backend = store_backend(option_backend);
    store_to_remove = dir;
    t.payload = rig_memory(entry_bytes);
    memset(t.payload, 0x5a, entry_bytes);
    if (thread_count > 0)
        run_threads(dir, &options);
    else
        run_single(dir, &options);
    store_remove(dir);
    return 0;
}
