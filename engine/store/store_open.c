/* store_open.c: the parts of a store put together, and taken apart. What the files say is recover.h's. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "os/heap.h"
#include "store/cursor.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/options.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/recover.h"
#include "store/replay.h"
#include "store/store.h"
#include "store/turn.h"

enum { WORKERS = 4, SPACE_LOW_SEGMENTS = 4 };
#define STALL_DEFAULT_NS UINT64_C(1000000000)

/* ------------------------------------------------------------------------------------------------------- directory */

static enum teak_status open_backend(struct teak_store *store, const struct teak_options *options,
                                     struct teak_report *report, struct teak_error *error)
{
    int os_errno = 0;
    if (!store->disk) os_errno = options->backend == TEAK_BACKEND_POSIX ? ENOSYS : disk_uring_open(&store->disk);
    if (os_errno && options->backend == TEAK_BACKEND_URING) {
        fail(error, TEAK_NO_BACKEND, "uring");
        if (error) error->os_errno = os_errno;
        return TEAK_NO_BACKEND;
    }
    if (os_errno) {
        report->backend_fell_back = options->backend == TEAK_BACKEND_AUTO;
        report->backend_errno = report->backend_fell_back ? os_errno : 0;
        os_errno = disk_posix_open(WORKERS, &store->disk);
    }
    if (os_errno) return fail_errno(error, os_errno, "posix", "");
    store->now_ns = disk_now(store->disk);
    memcpy(report->backend, store->disk->ops->name,
           min_u64(strlen(store->disk->ops->name), sizeof report->backend - 1));
    return TEAK_OK;
}

/* Makes the directory durable in its parent. */
static enum teak_status sync_parent(struct teak_store *store, const char *path, struct teak_error *error)
{
    const size_t bytes = strlen(path);
    char *parent = heap_take(bytes + sizeof "/..");
    if (!parent) return fail(error, TEAK_NO_MEMORY, "create");
    memcpy(parent, path, bytes);
    memcpy(parent + bytes, "/..", sizeof "/..");
    const int os_errno = disk_sync_directory(store->disk, DISK_CWD, parent);
    heap_give(parent);
    return os_errno ? fail_errno(error, os_errno, "create", path) : TEAK_OK;
}

static enum teak_status open_directory(struct teak_store *store, const char *path, const struct teak_options *options,
                                       struct teak_error *error)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = DISK_CWD, .name = path, .flags = DISK_DIRECTORY};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno == ENOENT && options->create) {
        struct disk_op mkdir = {.kind = DISK_MKDIR, .dir = DISK_CWD, .name = path};
        os_errno = disk_run(store->disk, &mkdir);
        if (!os_errno) {
            os_errno = disk_run(store->disk, &open);
        }
    }
    if (os_errno) return fail_errno(error, os_errno, "open", path);
    store->directory = open.file;
    os_errno = disk_probe(store->disk, store->directory, &store->device);
    return os_errno ? fail_errno(error, os_errno, "probe", path) : TEAK_OK;
}

/* -------------------------------------------------------------------------------------------------- making, taking */

/* One that has nothing yet. NULL: no memory. */
static struct teak_store *new_store(struct disk *disk)
{
    struct teak_store *store = heap_take_aligned(64, align_up(sizeof *store, 64));
    if (!store) return NULL;
    memset(store, 0, sizeof *store);
    store->disk = disk;
    store->directory = store->lock_file = store->snapshots.directory = DISK_NONE;
    store->pool.file = store->pool.half_file = store->relocate.file = DISK_NONE;
    store->snapshots.errand = ERRAND_SNAPSHOT;
    store->in_flight_usual = IN_FLIGHT_DEFAULT;
    store->lane_bytes = TURN_LANE_BYTES;
    return store;
}

static void close_disk(struct teak_store *store)
{
    struct disk *disk = store->disk;
    struct disk_op *done[DISK_SUBMITTED_MAX];
    while (disk->submitted != disk->collected) disk_collect(disk, done, DISK_SUBMITTED_MAX, UINT64_MAX);
    publish_close(store);
    readers_part(store);
    cursors_part(store);
    streams_fini(store);
    reader_fini(store);
    relocate_let_go(&store->relocate, disk);
    segments_fini(&store->segments, disk);
    pool_fini(&store->pool, disk);
    snapshots_fini(&store->snapshots, disk);
    recover_unlock(store);
    disk_close_file(disk, &store->lock_file);
    disk_close_file(disk, &store->directory);
    disk_close(disk);
}

void store_destroy(struct teak_store *store)
{
    if (store->disk) close_disk(store);
    logs_fini(&store->logs);
    replay_forget_losses(store);
    harm_fini(&store->harm);
    seal_fini(&store->seal);
    relocate_fini(&store->relocate);
    publish_fini(&store->publish);
    writer_fini(&store->writer);
    tickets_fini(&store->tickets);
    arena_fini(&store->arena);
    heap_give(store);
}

/* Memory of a store that writes. */
static enum teak_status make_parts(struct teak_store *store, const struct teak_options *options,
                                   struct teak_report *report, struct teak_error *error)
{
    const struct teak_limits *limits = &store->limits;
    const bool direct = store->device.direct_io && limits->strategy != TEAK_BUFFERED;
    store->open_flags = direct ? DISK_DIRECT : 0;
    report->direct_io = store->device.direct_io;
    flight_init(&store->flight, limits->strategy, limits->in_flight);
    relocate_init(&store->relocate, options->move_bytes_per_second);
    if (store->phase == STORE_READING) return TEAK_OK;
    struct segment_id shape = {.block_bytes = limits->block_bytes, .segment_bytes = limits->segment_bytes};
    memcpy(shape.family, store->superblock.family, sizeof shape.family);
    const uint32_t spares = (uint32_t)options_pick(options->spares, store->superblock.spares, SPARES_DEFAULT);
    if (!arena_init(&store->arena, limits->arena_bytes, limits->block_bytes) ||
        !tickets_init(&store->tickets, TICKETS) ||
        !writer_init(&store->writer, (uint32_t)max_u64(limits->batch_bytes, limits->group_bytes) + BLOCK_BYTES_MIN) ||
        !seal_init(&store->seal, limits->block_bytes, limits->strategy == TEAK_NONE) ||
        !pool_init(&store->pool, store->directory, store->open_flags, &shape, spares))
        return fail(error, TEAK_NO_MEMORY, "open");
    return TEAK_OK;
}

static enum teak_status draw_superblock(struct teak_store *store, const struct teak_options *options,
                                        struct teak_error *error)
{
    struct superblock *super = &store->superblock;
    /* The knobs of this opening are no defaults for the next one: what STORE says of them is 0, the engine's own. */
    *super = (struct superblock){.block_bytes = options->block_bytes ? options->block_bytes : BLOCK_DEFAULT,
                                 .segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_DEFAULT};
    int os_errno = disk_entropy(store->disk, super->family, sizeof super->family);
    if (!os_errno) os_errno = disk_entropy(store->disk, super->instance, sizeof super->instance);
    return os_errno ? fail_errno(error, os_errno, "entropy", "") : TEAK_OK;
}

static enum teak_status create_store(struct teak_store *store, const char *path, const struct teak_options *options,
                                     struct teak_report *report, struct teak_error *error)
{
    enum teak_status status = sync_parent(store, path, error);
    if (status == TEAK_OK) status = draw_superblock(store, options, error);
    if (status == TEAK_OK) status = options_settle(store, options, error);
    if (status == TEAK_OK) status = make_parts(store, options, report, error);
    if (status == TEAK_OK) status = recover_virgin(store, error);
    if (status == TEAK_OK) status = recover_create(store, error);
    if (status != TEAK_OK) return status;
    publish_open(store);
    report->verdict = TEAK_VERDICT_CREATED;
    report->segments = 1;
    report->last_lsn = store->flight.durable_lsn;
    return TEAK_OK;
}

static enum teak_status open_store(struct teak_store *store, const char *path, const struct teak_options *options,
                                   struct teak_report *report, struct teak_error *error)
{
    enum teak_status status = open_backend(store, options, report, error);
    if (status == TEAK_OK) status = open_directory(store, path, options, error);
    if (status != TEAK_OK) return status;
    if (!options->read_only && store->device.read_only) return fail(error, TEAK_READ_ONLY_FS, "open");
    if (!segments_init(&store->segments) || !logs_init(&store->logs)) return fail(error, TEAK_NO_MEMORY, "open");
    status = recover_superblock(store, error); /* asked before LOCK is made: not every directory is a store */
    if (status != TEAK_OK && (status != TEAK_NOT_A_STORE || !options->create)) {
        struct teak_error lost;
        if (status == TEAK_NOT_A_STORE && recover_has_segments(store, &lost)) {
            if (error) *error = lost;
            return TEAK_STORE_LOST;
        }
        return status;
    }
    status = options->read_only ? recover_lock_shared(store, options->lock_wait_ns, report, error)
                                : recover_lock(store, options->lock_wait_ns, report, error);
    if (status != TEAK_OK) return status;
    status = recover_superblock(store, error); /* again under the lock: another process may have made it meanwhile */
    if (status == TEAK_NOT_A_STORE && options->create) return create_store(store, path, options, report, error);
    if (status == TEAK_OK) status = options_settle(store, options, error);
    if (status == TEAK_OK) status = make_parts(store, options, report, error);
    if (status == TEAK_OK) status = recover_read(store, report, error);
    if (options->read_only) disk_close_file(store->disk, &store->lock_file); /* it was for the time of looking */
    return status;
}

/* ------------------------------------------------------------------------------------------------------ the opening */

struct opening {
    bool mends;
    uint32_t in_flight_usual;
};

static enum teak_status open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                struct opening how, struct teak_store **out, struct teak_report *report,
                                struct teak_error *error)
{
    *out = NULL;
    struct teak_report own_report;
    if (!report) report = &own_report;
    *report = (struct teak_report){.verdict = TEAK_VERDICT_CREATED};
    enum teak_status status =
        directory && options ? options_check(options, error) : fail(error, TEAK_INVALID, "open");
    struct teak_store *store = status == TEAK_OK ? new_store(disk) : NULL;
    if (!store) {
        if (disk) disk_close(disk);
        return status != TEAK_OK ? status : fail(error, TEAK_NO_MEMORY, "open");
    }
    store->quarantine = options->on_damage == TEAK_QUARANTINE;
    store->mends = how.mends;
    store->in_flight_usual = how.in_flight_usual;
    store->phase = options->read_only ? STORE_READING : STORE_OPENED;
    store->events = (struct events){.on_event = options->on_event, .on_log = options->on_log,
                                    .context = options->event_context, .now_ns = &store->now_ns};
    store->stall.limit_ns = options->stall_ns ? options->stall_ns : STALL_DEFAULT_NS;
    store->stall.due_ns = UINT64_MAX;
    publish_init(&store->publish, options->stats_interval_ns);
    status = open_store(store, directory, options, report, error);
    store->notice.space_low_bytes = options->space_low_bytes ? options->space_low_bytes
                                                             : SPACE_LOW_SEGMENTS * store->limits.segment_bytes;
    if (status != TEAK_OK) {
        store_destroy(store);
        return status;
    }
    *out = store;
    report->total_ns = disk_now(store->disk) - store->now_ns;
    notice_opened(store, report);
    store_tell(store);
    return TEAK_OK;
}

enum teak_status store_open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                               struct teak_store **out, struct teak_report *report, struct teak_error *error)
{
    return store_open_flying_on(disk, directory, options, IN_FLIGHT_DEFAULT, out, report, error);
}

enum teak_status store_open_flying_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                      uint32_t in_flight_usual, struct teak_store **out, struct teak_report *report,
                                      struct teak_error *error)
{
    return open_on(disk, directory, options, (struct opening){.in_flight_usual = in_flight_usual}, out, report, error);
}

enum teak_status store_open_mending_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                       struct teak_store **out, struct teak_report *report, struct teak_error *error)
{
    const struct opening how = {.mends = true, .in_flight_usual = IN_FLIGHT_DEFAULT};
    return open_on(disk, directory, options, how, out, report, error);
}

enum teak_status store_open_mending(const char *directory, const struct teak_options *options, struct teak_store **out,
                                    struct teak_report *report, struct teak_error *error)
{
    return store_open_mending_on(NULL, directory, options, out, report, error);
}

enum teak_status teak_open(const char *directory, const struct teak_options *options, struct teak_store **out,
                           struct teak_report *report, struct teak_error *error)
{
    return store_open_on(NULL, directory, options, out, report, error);
}

static enum teak_status begin_bare(struct teak_store *store, const char *path, struct teak_report *report,
                                   struct teak_error *error)
{
    struct teak_options options = teak_options_default();
    options.backend = TEAK_BACKEND_POSIX; /* plain calls are all that is made */
    options.create = true;
    enum teak_status status = open_backend(store, &options, report, error);
    if (status == TEAK_OK) status = open_directory(store, path, &options, error);
    if (status == TEAK_OK) status = sync_parent(store, path, error);
    if (status != TEAK_OK) return status;
    if (store->device.read_only) return fail(error, TEAK_READ_ONLY_FS, "open");
    if (!segments_init(&store->segments) || !logs_init(&store->logs)) return fail(error, TEAK_NO_MEMORY, "open");
    options.create = false;
    status = options_settle(store, &options, error);
    return status == TEAK_OK ? make_parts(store, &options, report, error) : status;
}

enum teak_status store_begin_bare(const char *directory, const struct superblock *superblock, struct teak_store **out,
                                  struct teak_error *error)
{
    struct teak_report report = {0};
    struct teak_store *store = new_store(NULL);
    if (!store) return fail(error, TEAK_NO_MEMORY, "open");
    store->phase = STORE_READING;
    store->superblock = *superblock;
    publish_init(&store->publish, TEAK_FOREVER);
    const enum teak_status status = begin_bare(store, directory, &report, error);
    if (status == TEAK_OK)
        *out = store;
    else
        store_destroy(store);
    return status;
}
