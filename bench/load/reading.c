/* reading.c: cold sequential reads through a cursor that waits for nothing, beside bare direct reads of the same files;
 * and what such a reader at full speed costs the commits beside it.
 *
 * PATH   A store is filled, closed, and opened again: its arena is empty, and its entries were written past the page
 *        cache. Then in turn, --reps times: all of its segments read by direct reads of 1 MiB, as many outstanding as
 *        the cursor has windows (2), and with one; the log read from its first entry to its last by the cursor. Before
 *        each the files leave the page cache. Then, in turn: slices of one entry at a time until it is durable, alone
 *        and with a cursor that reads the log round and round. Medians of the repetitions are told.
 */
#define _GNU_SOURCE
#include "store_rig.h"

enum { REPS_MAX = 64, LOG = 1, OTHER = 2, PIECE = 1 << 20, FILES_MAX = 1024, ENTRIES = 512 };

static const char *option_dir = ".";
static const char *option_backend = "uring";
static uint64_t entry_bytes = 1024, total_bytes = UINT64_C(512) << 20, reps = 5;
static double seconds = 2;
static bool as_json;

static struct {
    struct teak_store *store;
    struct teak_cursor *cursor;
    uint64_t last, index, pending;
    uint8_t *payload, *memory[2];
    int files[FILES_MAX];
    uint64_t file_bytes[FILES_MAX];
    uint32_t file_count;
} r;

/* Entries of 256 each batch. */
static void fill(void)
{
    enum { BATCH = 256 };
    struct teak_bytes entries[BATCH];
    for (int i = 0; i < BATCH; i++) entries[i] = (struct teak_bytes){r.payload, (uint32_t)entry_bytes};
    uint64_t owed = 0;
    for (uint64_t index = 1; (index - 1) * entry_bytes < total_bytes; index += BATCH, owed++) {
        const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = LOG, .index = index, .term = 1, .entries = entries,
                                   .count = BATCH};
        store_submit(r.store, &(struct teak_batch){.ops = &op, .count = 1});
        r.last = index + BATCH - 1;
        if (owed < 16) continue;
        store_await(r.store, 1);
        owed--;
    }
    struct teak_error error = {0};
    store_check(teak_drain(r.store, &error), "drain", &error);
}

static void open_store(const char *dir, bool create)
{
    struct teak_options options = teak_options_default();
    struct teak_error error = {0};
    options.create = create;
    options.backend = store_backend(option_backend);
    store_check(teak_open(dir, &options, &r.store, NULL, &error), "open", &error);
}

static void open_files(const char *dir)
{
    DIR *const listing = opendir(dir);
    if (listing == NULL) rig_refuse(dir, errno);
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        const size_t length = strlen(entry->d_name);
        if (length != 20 || strcmp(entry->d_name + 16, ".seg") != 0 || r.file_count == FILES_MAX) continue;
        const int file = openat(dirfd(listing), entry->d_name, O_RDONLY | O_DIRECT | O_CLOEXEC);
        if (file < 0) rig_refuse(entry->d_name, errno);
        r.files[r.file_count] = file;
        r.file_bytes[r.file_count++] = (uint64_t)lseek(file, 0, SEEK_END) / PIECE * PIECE;
    }
    closedir(listing);
}

static void go_cold(void)
{
    for (uint32_t i = 0; i < r.file_count; i++) (void)posix_fadvise(r.files[i], 0, 0, POSIX_FADV_DONTNEED);
}

/* MiB/s of direct reads of 1 MiB, `depth` outstanding. */
static double read_raw(uint32_t depth)
{
    struct io_uring ring;
    const int made = io_uring_queue_init(8, &ring, 0);
    if (made < 0) rig_refuse("io_uring_setup", -made);
    uint64_t bytes = 0, at = 0;
    uint32_t file = 0, out = 0, next = 0;
    const uint64_t begun = rig_now();
    while ((file < r.file_count || out > 0) && !rig_stopped) {
        while (out < depth && file < r.file_count) {
            if (at < r.file_bytes[file]) {
                struct io_uring_sqe *const sqe = io_uring_get_sqe(&ring);
                io_uring_prep_read(sqe, r.files[file], r.memory[next++ % 2], PIECE, at);
                out++;
            }
            at += PIECE;
            if (at >= r.file_bytes[file]) {
                file++;
                at = 0;
            }
        }
        struct io_uring_cqe *cqe;
        const int entered = io_uring_submit_and_wait(&ring, 1);
        if (entered < 0 && entered != -EINTR) rig_refuse("io_uring_enter", -entered);
        while (io_uring_peek_cqe(&ring, &cqe) == 0) {
            if (cqe->res != PIECE) rig_refuse("read", cqe->res < 0 ? -cqe->res : EIO);
            io_uring_cqe_seen(&ring, cqe);
            bytes += PIECE;
            out--;
        }
    }
    const double took = (double)(rig_now() - begun) * 1e-9;
    io_uring_queue_exit(&ring);
    return (double)bytes / took / PIECE;
}

/* What is there. Returns the bytes; the end of the log: back to its beginning if `round`. */
static uint64_t take_entries(bool round, bool *is_over)
{
    static struct teak_entry entries[ENTRIES];
    struct teak_error error = {0};
    uint64_t bytes = 0;
    for (;;) {
        uint32_t count;
        const enum teak_status status = teak_cursor_try_read(r.cursor, PIECE, entries, ENTRIES, &count, &error);
        if (status == TEAK_PENDING) return bytes;
        store_check(status, "read", &error);
        for (uint32_t i = 0; i < count; i++) bytes += entries[i].bytes;
        if (count > 0 && round) return bytes; /* commits first, then the rest */
        if (count > 0) continue;
        if (is_over) *is_over = true;
        if (!round) return bytes;
        store_check(teak_cursor_seek(r.cursor, 1, &error), "seek", &error);
    }
}

/* MiB/s of payload. */
static double read_cursor(void)
{
    struct teak_error error = {0};
    uint64_t bytes = 0;
    bool is_over = false;
    store_check(teak_cursor_open(r.store, LOG, 1, &r.cursor, &error), "cursor", &error);
    const uint64_t begun = rig_now();
    while (!is_over && !rig_stopped) {
        bytes += take_entries(false, &is_over);
        if (!is_over) store_check(teak_poll(r.store, TEAK_FOREVER, NULL, 0, NULL, &error), "poll", &error);
        r.pending++;
    }
    const double took = (double)(rig_now() - begun) * 1e-9;
    teak_cursor_close(r.cursor);
    return (double)bytes / took / PIECE;
}

/* One entry at a time until it is durable, for a slice. Returns MiB/s that were read beside it. */
static double commit_slice(struct rig_tally *tally, bool reads)
{
    struct teak_error error = {0};
    uint64_t bytes = 0;
    tally->used = tally->total = 0;
    go_cold();
    if (reads) store_check(teak_cursor_open(r.store, LOG, 1, &r.cursor, &error), "cursor", &error);
    const uint64_t slice = rig_now();
    while (!rig_stopped && rig_now() - slice < (uint64_t)(seconds * 1e9)) {
        const uint64_t begun = rig_now();
        enum teak_status status;
        while ((status = teak_append(r.store, OTHER, r.index, 1, r.payload, 256, 0, &error)) == TEAK_FULL)
            store_check(teak_poll(r.store, TEAK_FOREVER, NULL, 0, NULL, &error), "poll", &error);
        store_check(status, "append", &error);
        r.index++;
        for (uint32_t count = 0; count == 0;) {
            struct teak_completion done;
            store_check(teak_poll(r.store, TEAK_FOREVER, &done, 1, &count, &error), "poll", &error);
            if (count > 0) rig_tally_add(tally, rig_now() - begun, 1);
            if (reads) bytes += take_entries(true, NULL);
        }
    }
    if (reads) teak_cursor_close(r.cursor);
    rig_tally_sort(tally);
    return (double)bytes / seconds / PIECE;
}

static void measure(void)
{
    static double raw1[REPS_MAX], raw2[REPS_MAX], cursor[REPS_MAX], share1[REPS_MAX], share2[REPS_MAX];
    static double alone50[REPS_MAX], alone99[REPS_MAX], with50[REPS_MAX], with99[REPS_MAX], ratio[REPS_MAX];
    static double beside[REPS_MAX];
    static struct rig_tally tally;
    size_t done = 0;
    rig_tally_init(&tally);
    for (; done < reps && !rig_stopped; done++) {
        go_cold();
        raw1[done] = read_raw(1);
        go_cold();
        cursor[done] = read_cursor();
        go_cold();
        raw2[done] = read_raw(2);
        share1[done] = cursor[done] / raw1[done];
        share2[done] = cursor[done] / raw2[done];
    }
    for (size_t i = 0; i < reps && !rig_stopped; i++) {
        (void)commit_slice(&tally, false);
        alone50[i] = (double)rig_tally_quantile(&tally, 0.5) * 1e-3;
        alone99[i] = (double)rig_tally_quantile(&tally, 0.99) * 1e-3;
        beside[i] = commit_slice(&tally, true);
        with50[i] = (double)rig_tally_quantile(&tally, 0.5) * 1e-3;
        with99[i] = (double)rig_tally_quantile(&tally, 0.99) * 1e-3;
        ratio[i] = with99[i] / alone99[i];
    }
    if (rig_stopped) return;
    const struct {
        const char *name;
        double *values;
    } told[] = {{"raw_1_mib_s", raw1}, {"raw_2_mib_s", raw2}, {"cursor_mib_s", cursor}, {"of_raw_1", share1},
                {"of_raw_2", share2}, {"commit_alone_p50_us", alone50}, {"commit_alone_p99_us", alone99},
                {"commit_beside_p50_us", with50}, {"commit_beside_p99_us", with99}, {"p99_ratio", ratio},
                {"read_beside_mib_s", beside}};
    printf("{\"repetitions\": %zu, \"entry_bytes\": %llu, \"bytes\": %llu, \"backend\": \"%s\"", done,
           (unsigned long long)entry_bytes, (unsigned long long)total_bytes, option_backend);
    for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++) {
        printf(", ");
        store_print_spread(told[k].name, told[k].values, done, stdout);
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    char dir[4096];
    const struct rig_option options[] = {
        {.name = "--dir", .text = &option_dir, .help = "where the store is made, and removed [.]"},
        {.name = "--entry-bytes", .number = &entry_bytes, .help = "bytes of one entry [1024]"},
        {.name = "--bytes", .number = &total_bytes, .help = "of all entries [512m]"},
        {.name = "--backend", .text = &option_backend, .help = "uring or posix [uring]"},
        {.name = "--seconds", .seconds = &seconds, .help = "of each slice of commits [2]"},
        {.name = "--reps", .number = &reps, .help = "repetitions, 1 to 64 [5]"},
        {.name = "--json", .flag = &as_json, .help = "one JSON object, as always"},
        {.name = NULL}};
    rig_parse(argc, argv, options);
    rig_warn_of_memory(option_dir);
    if (reps == 0 || reps > REPS_MAX || entry_bytes > 65536 || total_bytes < entry_bytes) {
        fprintf(stderr, "--reps 1 to %d, --entry-bytes up to 65536\n", REPS_MAX);
        return 2;
    }
    rig_catch_signals();
    snprintf(dir, sizeof(dir), "%s/bench-reading-%ld", option_dir, (long)getpid());
    r.payload = rig_memory(65536);
    memset(r.payload, 0x5a, 65536);
    for (int i = 0; i < 2; i++) r.memory[i] = rig_memory(PIECE);
    store_to_remove = dir;
    open_store(dir, true);
    struct teak_error error = {0};
    store_check(teak_create_log(r.store, LOG, 0, &error), "create", &error);
    store_check(teak_create_log(r.store, OTHER, 0, &error), "create", &error);
    r.index = 1;
    fill();
    store_check(teak_close(r.store, &error), "close", &error);
    open_store(dir, false);
    open_files(dir);
    measure();
    teak_abandon(r.store);
    for (uint32_t i = 0; i < r.file_count; i++) close(r.files[i]);
    store_remove(dir);
    return rig_stopped ? 1 : 0;
}
