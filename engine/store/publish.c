/* publish.c: see publish.h. */
#include "store/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/coarse.h"
#include "format/stats_record.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/store.h"

enum { INTERVAL_NS = 1000000000 };

/* ------------------------------------------------------------------------------------------------------- the table */

static const struct teak_counter table[] = {
#define COUNTER_ROW(counter_kind, field, counter_unit, text)                                                           \
    {.name = #field,                                                                                                   \
     .unit = counter_unit,                                                                                             \
     .help = text,                                                                                                     \
     .kind = TEAK_##counter_kind,                                                                                      \
     .offset = offsetof(struct teak_stats, field)},
    TEAK_COUNTER_LIST(COUNTER_ROW)
#undef COUNTER_ROW
};
enum { COUNTERS = sizeof table / sizeof table[0] };
static_assert((int)COUNTERS <= (int)TEAK_PUBLISHED_COUNTERS, "all of them fit the record");
static_assert((int)TEAK_HISTOGRAM_COUNT <= (int)TEAK_PUBLISHED_HISTOGRAMS, "all of them fit the record");

const struct teak_counter *teak_counters(uint32_t *count_out)
{
    *count_out = COUNTERS;
    return table;
}

void teak_histogram(const struct teak_store *store, enum teak_histogram_id id, struct teak_histogram *out)
{
    switch (id) {
    case TEAK_HISTOGRAM_FRAME_LATENCY: coarse_of(&store->flight.latency, out); return;
    case TEAK_HISTOGRAM_SYNC_LATENCY: *out = store->publish.sync_latency; return;
    case TEAK_HISTOGRAM_FRAME_BATCHES: *out = store->publish.frame_batches; return;
    case TEAK_HISTOGRAM_FRAME_ENTRIES: *out = store->publish.frame_entries; return;
    case TEAK_HISTOGRAM_FRAME_BYTES: *out = store->publish.frame_size; return;
    case TEAK_HISTOGRAM_REQUEST_WAIT: *out = store->crowd.request_wait; return;
    case TEAK_HISTOGRAM_COUNT: break;
    }
    memset(out, 0, sizeof *out);
}

void publish_sync(struct publish *publish, uint64_t ns) { coarse_add(&publish->sync_latency, ns); }

void publish_group(struct publish *publish, uint64_t batches, uint64_t entries, uint64_t bytes)
{
    const uint64_t grouped = batches - publish->batches_before;
    publish->batches_before = batches;
    if (grouped == 0) return; /* the engine's own word alone */
    coarse_add(&publish->frame_batches, grouped);
    coarse_add(&publish->frame_entries, entries);
    coarse_add(&publish->frame_size, bytes);
}

/* ---------------------------------------------------------------------------------------------------------- writing */

void publish_init(struct publish *publish, uint64_t interval_ns)
{
    *publish = (struct publish){.errand = ERRAND_PUBLISH, .file = DISK_NONE,
                                .interval_ns = interval_ns ? interval_ns : INTERVAL_NS};
}

void publish_fini(struct publish *publish)
{
    heap_give(publish->record);
    heap_give(publish->numbers);
}

void publish_open(struct teak_store *store)
{
    struct publish *publish = &store->publish;
    publish->opened_ns = disk_now(store->disk);
    if (publish->interval_ns == TEAK_FOREVER || publish->file != DISK_NONE) return;
    publish->record = heap_take(STATS_RECORD_MAX);
    publish->numbers = heap_take_zeroed(1, sizeof *publish->numbers);
    struct disk_op op = {.kind = DISK_OPEN, .dir = store->directory, .name = "STATS",
                         .flags = DISK_WRITABLE | DISK_OR_CREATE};
    if (!publish->record || !publish->numbers || disk_run(store->disk, &op) != 0) {
        publish->failed++;
        return;
    }
    publish->file = op.file;
    publish->next_ns = publish->opened_ns + publish->interval_ns;
}

/* Grows with everything that is worth telling, and not with what publishing itself does. */
static uint64_t change_of(const struct teak_store *store)
{
    const struct writer *writer = &store->writer;
    const struct pool *pool = &store->pool;
    return writer->batches + writer->frames + writer->full + writer->stalls + store->flight.durable_lsn +
           store->seal.sealed + store->seal.bytes + pool->made_bytes + pool->recycled + pool->unlinked +
           store->forgotten + store->arena_reads + store->disk_reads;
}

static void set_label(struct teak_published *numbers, const char *name, const char *text)
{
    CHECK_LT(numbers->label_count, TEAK_PUBLISHED_LABELS);
    const uint32_t at = numbers->label_count++;
    snprintf(numbers->labels[at].name, sizeof numbers->labels[at].name, "%s", name);
    snprintf(numbers->labels[at].text, sizeof numbers->labels[at].text, "%s", text);
}

static const char *yes_or_no(const struct teak_stats *stats, bool value)
{
    return !stats->device_known ? "unknown" : value ? "yes" : "no";
}

static void set_labels(struct teak_published *numbers, const struct teak_stats *stats)
{
    static const char *const strategies[] = {[TEAK_AUTO] = "auto", [TEAK_DSYNC] = "dsync",
                                             [TEAK_FDATASYNC] = "fdatasync", [TEAK_BUFFERED] = "buffered",
                                             [TEAK_NONE] = "none"};
    numbers->label_count = 0;
    set_label(numbers, "strategy", strategies[stats->strategy]);
    set_label(numbers, "backend", stats->backend);
    set_label(numbers, "filesystem", stats->filesystem);
    set_label(numbers, "direct_io", stats->direct_io ? "yes" : "no");
    set_label(numbers, "write_cache", yes_or_no(stats, stats->write_cache));
    set_label(numbers, "fua", yes_or_no(stats, stats->fua));
}

static uint32_t make_record(struct teak_store *store, bool closed)
{
    static const char *const histograms[] = {
#define HISTOGRAM_NAME(id, name, unit, help) #name,
        TEAK_HISTOGRAM_LIST(HISTOGRAM_NAME)
#undef HISTOGRAM_NAME
    };
    struct publish *publish = &store->publish;
    struct teak_published *numbers = publish->numbers;
    struct teak_stats stats;
    teak_stats(store, &stats);
    numbers->closed = closed;
    memcpy(numbers->instance, store->superblock.instance, sizeof numbers->instance);
    numbers->pid = disk_process_id(store->disk);
    numbers->sequence = ++publish->sequence;
    numbers->uptime_ns = disk_now(store->disk) - publish->opened_ns;
    numbers->counter_count = COUNTERS;
    for (uint32_t i = 0; i < COUNTERS; i++) {
        snprintf(numbers->counters[i].name, sizeof numbers->counters[i].name, "%s", table[i].name);
        numbers->counters[i].kind = table[i].kind;
        memcpy(&numbers->counters[i].value, (const uint8_t *)&stats + table[i].offset, sizeof(uint64_t));
    }
    set_labels(numbers, &stats);
    numbers->histogram_count = TEAK_HISTOGRAM_COUNT;
    for (uint32_t i = 0; i < TEAK_HISTOGRAM_COUNT; i++) {
        snprintf(numbers->histograms[i].name, sizeof numbers->histograms[i].name, "%s", histograms[i]);
        teak_histogram(store, (enum teak_histogram_id)i, &numbers->histograms[i].histogram);
    }
    return stats_record_encode(numbers, publish->record);
}

uint64_t publish_due_ns(const struct teak_store *store)
{
    const struct publish *publish = &store->publish;
    if (publish->file == DISK_NONE || publish->waiting || publish->change == change_of(store)) return UINT64_MAX;
    return publish->next_ns;
}

void publish_step(struct teak_store *store)
{
    struct publish *publish = &store->publish;
    if (publish->file == DISK_NONE || publish->waiting || store->now_ns < publish->next_ns ||
        publish->change == change_of(store))
        return;
    publish->change = change_of(store);
    publish->next_ns = store->now_ns + publish->interval_ns;
    publish->op = (struct disk_op){.kind = DISK_WRITE, .flags = DISK_CHORE, .file = publish->file,
                                   .data = publish->record, .bytes = make_record(store, false), .owner = publish};
    publish->waiting = true;
    disk_submit(store->disk, &publish->op);
}

void publish_ended(struct publish *publish)
{
    publish->waiting = false;
    if (publish->op.error)
        publish->failed++;
    else
        publish->written++;
}

void publish_close(struct teak_store *store)
{
    struct publish *publish = &store->publish;
    if (publish->file == DISK_NONE) return;
    if (publish->is_last) {
        struct disk_op write = {.kind = DISK_WRITE, .file = publish->file, .data = publish->record,
                                .bytes = make_record(store, true)};
        disk_run(store->disk, &write); /* nobody is left to be told of a failure, and nothing hangs on it */
    }
    disk_close_file(store->disk, &publish->file);
}

/* ---------------------------------------------------------------------------------------------------------- reading */

enum { TRIES = 50, PAUSE_NS = 2000000 };

static int read_file(struct disk *disk, int32_t directory, const char *name, void *out, uint64_t room,
                     uint64_t *bytes_out, struct disk_file_info *info)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = directory, .name = name};
    int os_errno = disk_run(disk, &open);
    if (os_errno) return os_errno;
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = out, .bytes = room};
    os_errno = disk_run(disk, &read);
    if (!os_errno) os_errno = disk_stat(disk, open.file, info);
    disk_close_file(disk, &open.file);
    *bytes_out = read.done;
    return os_errno;
}

/* A shared lock that can be had at once: nobody writes. It is given back with the descriptor. One that cannot may be
 * the shadow of a process that was killed: its last requests hold it (history 1). */
static bool somebody_writes(struct disk *disk, int32_t directory)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = directory, .name = "LOCK"};
    if (disk_run(disk, &open) != 0) return false;
    char owner[32] = {0};
    bool living = disk_lock(disk, open.file, DISK_LOCK_SHARED) == EWOULDBLOCK;
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = owner, .bytes = sizeof owner - 1};
    if (living && disk_run(disk, &read) == 0) {
        const uint64_t pid = strtoull(owner, NULL, 10);
        living = pid == 0 || disk_is_process_alive(disk, pid);
    }
    disk_close_file(disk, &open.file);
    return living;
}

static enum teak_status judge_store(struct disk *disk, int32_t directory, uint8_t *bytes, uint8_t instance[16],
                                    struct teak_error *error)
{
    struct disk_file_info info;
    struct superblock superblock;
    uint64_t count;
    const int os_errno = read_file(disk, directory, "STORE", bytes, SUPERBLOCK_BYTES, &count, &info);
    if (os_errno == ENOENT) return fail_file(error, TEAK_NOT_A_STORE, "open", "STORE", 0);
    if (os_errno) return fail_errno(error, os_errno, "read", "STORE");
    const enum teak_status status = superblock_judge(bytes, count, 0, &superblock);
    if (status != TEAK_OK) return fail_file(error, status, "judge", "STORE", 0);
    memcpy(instance, superblock.instance, sizeof superblock.instance);
    return TEAK_OK;
}

static enum teak_status read_stats(struct disk *disk, int32_t directory, uint8_t *bytes, struct teak_published *out,
                                   struct teak_error *error)
{
    uint8_t instance[16];
    enum teak_status status = judge_store(disk, directory, bytes, instance, error);
    if (status != TEAK_OK) return status;
    struct disk_file_info info;
    for (uint32_t i = 0; i < TRIES; i++) {
        uint64_t count;
        const int os_errno = read_file(disk, directory, "STATS", bytes, STATS_RECORD_MAX, &count, &info);
        if (os_errno == ENOENT || (!os_errno && count == 0))
            return fail_file(error, TEAK_NOT_FOUND, "read", "STATS", 0);
        if (os_errno) return fail_errno(error, os_errno, "read", "STATS");
        status = stats_record_judge(bytes, count, out);
        if (status != TEAK_HASH_MISMATCH && status != TEAK_DECODE && status != TEAK_BAD_MAGIC) break;
        disk_pause(disk, PAUSE_NS); /* being written */
    }
    if (status != TEAK_OK) return fail_file(error, status, "judge", "STATS", 0);
    if (memcmp(instance, out->instance, sizeof instance) != 0)
        return fail_file(error, TEAK_NOT_FOUND, "read", "STATS", 0); /* copied by hand: another store's */
    out->written_unix_ns = info.modified_ns;
    out->living = somebody_writes(disk, directory);
    return TEAK_OK;
}

enum teak_status teak_read_stats(const char *directory, struct teak_published *out, struct teak_error *error)
{
    enum { WORKERS_LEAST = 2 }; /* none is started: only plain calls are made */
    memset(out, 0, sizeof *out);
    if (!directory) return fail(error, TEAK_INVALID, "read");
    struct disk *disk;
    const int os_errno = disk_posix_open(WORKERS_LEAST, &disk);
    if (os_errno) return fail_errno(error, os_errno, "posix", "");
    uint8_t *bytes = heap_take(STATS_RECORD_MAX);
    struct disk_op open = {.kind = DISK_OPEN, .dir = DISK_CWD, .name = directory, .flags = DISK_DIRECTORY};
    enum teak_status status = bytes ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "read");
    if (status == TEAK_OK && disk_run(disk, &open) != 0) status = fail_errno(error, open.error, "open", directory);
    if (status == TEAK_OK) {
        status = read_stats(disk, open.file, bytes, out, error);
        disk_close_file(disk, &open.file);
    }
    heap_give(bytes);
    disk_close(disk);
    return status;
}
