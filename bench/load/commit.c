/* commit.c: one entry at a time, until it is durable, beside a bare durable write of one block: op by op in turn, so
 * that whatever the machine does falls on both.
 *
 * PATH   A pair: an entry appended and its completion awaited; a block written into a file of the same directory,
 *        written before. Every second pair begins with the block. --reps times; medians of the repetitions are told.
 * Against the ring stands a write with RWF_DSYNC through a ring of the same flags; against the posix backend pwritev2.
 */
#define _GNU_SOURCE
#include "store_rig.h"

enum { REPS_MAX = 64, FILE_BYTES = 64 << 20, LOG = 1 };

static const char *option_dir = ".";
static const char *option_backend = "uring";
static uint64_t entry_bytes = 256, reps = 7;
static double seconds = 1;
static bool as_json;

static struct {
    struct io_uring ring;
    bool registered, by_ring;
    int file;
    uint8_t *block, *payload;
    uint64_t at, index;
    struct teak_store *store;
    struct rig_tally entries, writes;
} c;

static uint64_t write_block(void)
{
    const uint64_t begun = rig_now();
    if (c.by_ring) {
        struct io_uring_cqe *cqe = NULL;
        rig_write(&c.ring, c.registered, c.block, RIG_BLOCK, c.at, RWF_DSYNC, 0);
        do {
            const int error = io_uring_submit_and_wait(&c.ring, 1);
            if (error < 0 && error != -EINTR) rig_refuse("io_uring_enter", -error);
        } while (io_uring_peek_cqe(&c.ring, &cqe) != 0);
        const int result = cqe->res;
        io_uring_cqe_seen(&c.ring, cqe);
        if (result != RIG_BLOCK) rig_refuse("write", result < 0 ? -result : EIO);
    } else {
        const struct iovec vector = {.iov_base = c.block, .iov_len = RIG_BLOCK};
        if (pwritev2(c.file, &vector, 1, (off_t)c.at, RWF_DSYNC) != RIG_BLOCK) rig_refuse("pwritev2", errno);
    }
    c.at = (c.at + RIG_BLOCK) % FILE_BYTES;
    return rig_now() - begun;
}

static uint64_t append_entry(void)
{
    struct teak_error error = {0};
    enum teak_status status;
    const uint64_t begun = rig_now();
    while ((status = teak_append(c.store, LOG, c.index, 1, c.payload, (uint32_t)entry_bytes, c.index, &error)) ==
           TEAK_FULL)
        store_check(teak_poll(c.store, TEAK_FOREVER, NULL, 0, NULL, &error), "poll", &error);
    store_check(status, "append", &error);
    store_await(c.store, 1);
    c.index++;
    return rig_now() - begun;
}

static void repeat_once(void)
{
    c.entries.used = c.entries.total = 0;
    c.writes.used = c.writes.total = 0;
    const uint64_t begun = rig_now();
    for (uint64_t i = 0; !rig_stopped && rig_now() - begun < (uint64_t)(seconds * 1e9); i++) {
        if (i % 2 == 1) rig_tally_add(&c.writes, write_block(), 1);
        rig_tally_add(&c.entries, append_entry(), 1);
        if (i % 2 == 0) rig_tally_add(&c.writes, write_block(), 1);
    }
    rig_tally_sort(&c.entries);
    rig_tally_sort(&c.writes);
}

static void prepare(const char *dir)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    options.create = true;
    options.backend = store_backend(option_backend);
    c.by_ring = options.backend == TEAK_BACKEND_URING;
    store_to_remove = dir;
    store_check(teak_open(dir, &options, &c.store, NULL, &error), "open", &error);
    store_check(teak_create_log(c.store, LOG, 0, &error), "create", &error);
    store_await(c.store, 1);
    store_settle(c.store, options.spares == 0 ? 1 : options.spares);
    c.index = 1;
    c.payload = rig_memory(entry_bytes + 1);
    c.block = rig_memory(RIG_BLOCK);
    memset(c.payload, 0x5a, entry_bytes);
    memset(c.block, 0x5a, RIG_BLOCK);
    c.file = rig_scratch(dir, FILE_BYTES, true);
    c.registered = rig_ring(&c.ring, 8, c.file, c.block, RIG_BLOCK);
    rig_tally_init(&c.entries);
    rig_tally_init(&c.writes);
}

static void measure(void)
{
    static const struct { const char *name; double share; } wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    enum { WANTED = sizeof(wanted) / sizeof(wanted[0]) };
    static double entry_us[WANTED][REPS_MAX], write_us[WANTED][REPS_MAX], ratio[WANTED][REPS_MAX];
    struct teak_stats stats;
    size_t done = 0;
    uint64_t pairs = 0;
    for (uint64_t i = 0; i < 200 && !rig_stopped; i++) { /* warm */
        (void)append_entry();
        (void)write_block();
    }
    for (; done < reps && !rig_stopped; done++) {
        repeat_once();
        pairs += c.entries.total;
        for (size_t k = 0; k < WANTED; k++) {
            entry_us[k][done] = (double)rig_tally_quantile(&c.entries, wanted[k].share) * 1e-3;
            write_us[k][done] = (double)rig_tally_quantile(&c.writes, wanted[k].share) * 1e-3;
            ratio[k][done] = entry_us[k][done] / write_us[k][done];
        }
    }
    teak_stats(c.store, &stats);
    if (done == 0 || rig_stopped) return;
    printf("{\"pairs\": %llu, \"repetitions\": %zu, \"backend\": \"%s\", \"beside\": \"%s\", \"filled_bytes\": %llu",
           (unsigned long long)pairs, done, stats.backend, c.by_ring ? "ring RWF_DSYNC" : "pwritev2 RWF_DSYNC",
           (unsigned long long)stats.filled_bytes);
    for (size_t k = 0; k < WANTED; k++) {
        printf(", \"%s_us\": {", wanted[k].name);
        store_print_spread("entry", entry_us[k], done, stdout);
        printf(", ");
        store_print_spread("write", write_us[k], done, stdout);
        printf(", ");
        store_print_spread("ratio", ratio[k], done, stdout);
        printf("}");
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    char dir[4096];
    const struct rig_option options[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the store and the file are made, and removed [.]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry [256]"},
        {.name = "--backend", .text = &option_backend, .help = "uring or posix [uring]"},
        {.name = "--seconds", .seconds = &seconds, .help = "of each repetition [1]"},
        {.name = "--reps", .number = &reps, .help = "repetitions, 1 to 64 [7]"},
        {.name = "--json", .flag = &as_json, .help = "one JSON object, as always"},
        {.name = NULL}};
    rig_parse(argc, argv, options);
    rig_warn_of_memory(option_dir);
    if (reps == 0 || reps > REPS_MAX || entry_bytes > 2048) {
        fprintf(stderr, "--reps 1 to %d, --entry-bytes up to 2048: one block\n", REPS_MAX);
        return 2;
    }
    rig_catch_signals();
    snprintf(dir, sizeof(dir), "%s/bench-commit-%ld", option_dir, (long)getpid());
    prepare(dir);
    measure();
    teak_abandon(c.store);
    io_uring_queue_exit(&c.ring);
    close(c.file);
    store_remove(dir);
    return rig_stopped ? 1 : 0;
}
