/* store.c: the public calls: check the arguments, call one part. And putting the parts together, and taking them
 * apart. */
#include "store/store.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/cursor.h"
#include "store/durable.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/locate.h"
#include "store/publish.h"
#include "store/reader.h"
#include "store/recover.h"
#include "store/replay.h"
#include "store/turn.h"

enum {
    BLOCK_DEFAULT = 4096,
    SEGMENT_DEFAULT = 64 << 20,
    IN_FLIGHT_DEFAULT = 2,
    GROUP_DEFAULT = 2 << 20,
    SPARES_DEFAULT = 1,
    WORKERS = 4,
    SPARES_MAX = 1024,
    QUARTERS = 4, /* largest batch and largest checkpoint are a quarter of a segment each */
};
enum { LINGER_MAX_NS = 1000000000 };
#define LOCK_WAIT_DEFAULT_NS UINT64_C(10000000000)
#define STALL_DEFAULT_NS UINT64_C(1000000000)
enum { SPACE_LOW_SEGMENTS = 4 };
#define ARENA_MAX (UINT64_C(1) << 30)

struct teak_options teak_options_default(void)
{
    return (struct teak_options){.lock_wait_ns = LOCK_WAIT_DEFAULT_NS};
}

/* --------------------------------------------------------------------------------------------------------- options */

static enum teak_status bad_option(struct teak_error *error, const char *which, uint64_t right)
{
    fail(error, TEAK_OPTIONS, which);
    if (error && right) {
        error->expected = right;
        error->has_expected = 1;
    }
    return TEAK_OPTIONS;
}

static enum teak_status other_shape(struct teak_error *error, const char *which, uint64_t is)
{
    bad_option(error, which, is);
    if (error) error->status = TEAK_BLOCK_SIZE;
    return TEAK_BLOCK_SIZE;
}

static enum teak_status check_options(const struct teak_options *o, struct teak_error *error)
{
    if ((unsigned)o->backend >= TEAK_BACKEND_COUNT) return bad_option(error, "backend", 0);
    if ((unsigned)o->strategy >= TEAK_STRATEGY_COUNT) return bad_option(error, "strategy", 0);
    if (o->block_bytes && (!is_power_of_two(o->block_bytes) || o->block_bytes < BLOCK_BYTES_MIN ||
                           o->block_bytes > BLOCK_BYTES_MAX))
        return bad_option(error, "block_bytes", BLOCK_DEFAULT);
    if (o->segment_bytes && (o->segment_bytes < SEGMENT_BYTES_MIN || o->segment_bytes > SEGMENT_BYTES_MAX ||
                             o->segment_bytes % SEGMENT_BYTES_MIN != 0))
        return bad_option(error, "segment_bytes", SEGMENT_DEFAULT);
    if (o->create && !layout_sizes_are_sound(o->block_bytes ? o->block_bytes : BLOCK_DEFAULT,
                                             o->segment_bytes ? o->segment_bytes : SEGMENT_DEFAULT))
        return bad_option(error, "block_bytes", BLOCK_DEFAULT);
    if (o->in_flight > FLIGHT_IN_FLIGHT_MAX) return bad_option(error, "in_flight", IN_FLIGHT_DEFAULT);
    if (o->linger_ns > LINGER_MAX_NS) return bad_option(error, "linger_ns", 0);
    if (o->spares > SPARES_MAX) return bad_option(error, "spares", SPARES_DEFAULT);
    if (o->arena_bytes > ARENA_MAX) return bad_option(error, "arena_bytes", ARENA_MAX);
    if ((unsigned)o->on_damage >= TEAK_ON_DAMAGE_COUNT) return bad_option(error, "on_damage", 0);
    if (o->create && o->read_only) return bad_option(error, "read_only", 0);
    return TEAK_OK;
}

static uint64_t pick(uint64_t asked, uint64_t stored, uint64_t engine)
{
    return asked ? asked : stored ? stored : engine;
}

/* The defaults in STORE are judged as options are: whoever made its checksum may be no writer of ours. */
static enum teak_status check_defaults(const struct superblock *super, struct teak_error *error)
{
    if (super->strategy < TEAK_STRATEGY_COUNT && super->in_flight <= FLIGHT_IN_FLIGHT_MAX &&
        super->linger_ns <= LINGER_MAX_NS && super->spares <= SPARES_MAX && super->arena_bytes <= ARENA_MAX)
        return TEAK_OK;
    return fail_file(error, TEAK_DECODE, "judge", "STORE", 0);
}

/* The limits follow from the superblock; the rest from options, the store's defaults, the engine's. */
static enum teak_status settle_limits(struct teak_store *store, const struct teak_options *options,
                                      struct teak_error *error)
{
    const struct superblock *super = &store->superblock;
    const enum teak_status status = check_defaults(super, error);
    if (status != TEAK_OK) return status;
    if (options->block_bytes && options->block_bytes != super->block_bytes)
        return other_shape(error, "block_bytes", super->block_bytes);
    if (options->segment_bytes && options->segment_bytes != super->segment_bytes)
        return other_shape(error, "segment_bytes", super->segment_bytes);
    struct teak_limits *limits = &store->limits;
    const uint64_t quarter = align_down(super->segment_bytes / QUARTERS, super->block_bytes);
    const uint64_t least_arena = align_up(3 * quarter + super->block_bytes, 65536);
    limits->block_bytes = super->block_bytes;
    limits->segment_bytes = super->segment_bytes;
    limits->batch_bytes = (uint32_t)quarter;
    limits->entry_bytes = (uint32_t)(quarter - HEAD_BYTES - sizeof(struct layout_entries) - sizeof(struct layout_slot));
    limits->checkpoint_bytes = (uint32_t)quarter;
    limits->logs = (uint32_t)((quarter - HEAD_BYTES - sizeof(struct layout_checkpoint)) / sizeof(struct layout_log));
    limits->meta_bytes = META_BYTES_MAX;
    limits->strategy = (enum teak_strategy)pick(options->strategy, super->strategy, TEAK_AUTO);
    limits->in_flight = (uint32_t)pick(options->in_flight, super->in_flight, IN_FLIGHT_DEFAULT);
    limits->group_bytes = (uint32_t)min_u64(pick(options->group_bytes, super->group_bytes, GROUP_DEFAULT), quarter);
    limits->arena_bytes = pick(options->arena_bytes, super->arena_bytes, max_u64(least_arena, SEGMENT_BYTES_MIN));
    if (limits->group_bytes < super->block_bytes) return bad_option(error, "group_bytes", super->block_bytes);
    if (limits->arena_bytes < least_arena) return bad_option(error, "arena_bytes", least_arena);
    limits->arena_bytes = align_up(limits->arena_bytes, 65536);
    CHECK(arena_is_sound(limits->arena_bytes, quarter)); /* 3/8 of (3 quarters and a block) is more than one */
    store->linger_ns = pick(options->linger_ns, super->linger_ns, 0);
    return TEAK_OK;
}

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

/* What is out lands, and the disk lets go, before the memory it is written from is freed. */
static void store_destroy(struct teak_store *store)
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
    const uint32_t spares = (uint32_t)pick(options->spares, store->superblock.spares, SPARES_DEFAULT);
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
    if (status == TEAK_OK) status = settle_limits(store, options, error);
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
    if (status == TEAK_OK) status = settle_limits(store, options, error);
    if (status == TEAK_OK) status = make_parts(store, options, report, error);
    if (status == TEAK_OK) status = recover_read(store, report, error);
    if (options->read_only) disk_close_file(store->disk, &store->lock_file); /* it was for the time of looking */
    return status;
}

/* ---------------------------------------------------------------------------------------------------------- events */

static const char callback_mark; /* who drives a store while a callback runs: nobody */
static const char lent_mark;     /* and while a committer's caller looks at it: not he   */

/* Every structure is whole here. The mark leads each guard to its refusal, so that the commit path asks for nothing. */
static void tell(struct teak_store *store)
{
    notice_state(store);
    if (store->events.begin == store->events.end) return;
    const void *thread = store->thread;
    store->thread = &callback_mark;
    events_deliver(&store->events);
    store->thread = thread;
}

/* Turns; a device that hangs is told of while it is waited for. */
static void drive(struct teak_store *store, uint64_t wait_ns, bool final)
{
    for (;;) {
        turn(store, wait_ns, final);
        const bool is_hot = store->events.is_hot;
        tell(store);
        if (!is_hot || store->now_ns >= store->until_ns || store->flight.poisoned || turn_has_completion(store) ||
            (store->starved && store->chore_ended) || store->streams.news)
            return;
        wait_ns = store->until_ns == UINT64_MAX ? UINT64_MAX : store->until_ns - store->now_ns;
    }
}

/* ------------------------------------------------------------------------------------------------------ the opening */

static enum teak_status open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                bool mends, struct teak_store **out, struct teak_report *report,
                                struct teak_error *error)
{
    *out = NULL;
    struct teak_report own_report;
    if (!report) report = &own_report;
    *report = (struct teak_report){.verdict = TEAK_VERDICT_CREATED};
    enum teak_status status =
        directory && options ? check_options(options, error) : fail(error, TEAK_INVALID, "open");
    struct teak_store *store = status == TEAK_OK ? heap_take_aligned(64, align_up(sizeof *store, 64)) : NULL;
    if (!store) {
        if (disk) disk_close(disk);
        return status != TEAK_OK ? status : fail(error, TEAK_NO_MEMORY, "open");
    }
    memset(store, 0, sizeof *store);
    store->disk = disk;
    store->directory = store->lock_file = store->pool.file = store->snapshots.directory = DISK_NONE;
    store->relocate.file = DISK_NONE;
    store->snapshots.errand = ERRAND_SNAPSHOT;
    store->quarantine = options->on_damage == TEAK_QUARANTINE;
    store->mends = mends;
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
    tell(store);
    return TEAK_OK;
}

enum teak_status store_open_on(struct disk *disk, const char *directory, const struct teak_options *options,
                               struct teak_store **out, struct teak_report *report, struct teak_error *error)
{
    return open_on(disk, directory, options, false, out, report, error);
}

enum teak_status store_open_mending_on(struct disk *disk, const char *directory, const struct teak_options *options,
                                       struct teak_store **out, struct teak_report *report, struct teak_error *error)
{
    return open_on(disk, directory, options, true, out, report, error);
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

void teak_abandon(struct teak_store *store)
{
    if (store->thread != &callback_mark && store->thread != &lent_mark) store_destroy(store);
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
    status = settle_limits(store, &options, error);
    return status == TEAK_OK ? make_parts(store, &options, report, error) : status;
}

enum teak_status store_begin_bare(const char *directory, const struct superblock *superblock, struct teak_store **out,
                                  struct teak_error *error)
{
    struct teak_report report = {0};
    struct teak_store *store = heap_take_aligned(64, align_up(sizeof *store, 64));
    if (!store) return fail(error, TEAK_NO_MEMORY, "open");
    memset(store, 0, sizeof *store);
    store->directory = store->lock_file = store->pool.file = store->snapshots.directory = DISK_NONE;
    store->relocate.file = DISK_NONE;
    store->snapshots.errand = ERRAND_SNAPSHOT;
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

/* ---------------------------------------------------------------------------------------------------------- guards */

static _Thread_local char thread_mark;

enum teak_status store_guard(struct teak_store *store, struct teak_error *error)
{
    if (store->thread == &thread_mark) return TEAK_OK;
    if (store->thread == &callback_mark) return fail(error, TEAK_IN_CALLBACK, "drive");
    if (store->thread == &lent_mark && store->lender == &thread_mark) return TEAK_OK;
    if (store->thread) return fail(error, TEAK_WRONG_THREAD, "drive");
    if (store->phase != STORE_READING) {
        const int os_errno = disk_attach(store->disk);
        if (os_errno == EEXIST) return fail(error, TEAK_WRONG_THREAD, "drive");
        if (os_errno) return fail_errno(error, os_errno, "attach", "");
        /* Pinning touches every page: it belongs to driving, not to opening. */
        store->limits.registered_bytes =
            disk_register_memory(store->disk, store->arena.base, store->arena.bytes);
    }
    store->thread = &thread_mark;
    return TEAK_OK;
}

void store_lend(struct teak_store *store)
{
    store->lender = store->thread;
    store->thread = &lent_mark;
}

void store_take_back(struct teak_store *store) { store->thread = store->lender; }

bool store_is_lent(const struct teak_store *store) { return store->thread == &lent_mark; }

/* As store_guard, for what takes part in a committer's work. */
static enum teak_status guard_driving(struct teak_store *store, const char *operation, struct teak_error *error)
{
    if (store_is_lent(store)) return fail(error, TEAK_IN_CALLBACK, operation);
    return store_guard(store, error);
}

/* RLIMIT_FSIZE may have sunk since the segments were made: a write beyond it would be a failed one, and poison. */
static enum teak_status ask_size_limit(struct teak_store *store, struct teak_error *error)
{
    if (store->device.size_limit >= store->limits.segment_bytes) return TEAK_OK;
    struct disk_device now; /* it may have risen since opening */
    const int os_errno = disk_probe(store->disk, store->directory, &now);
    if (os_errno) return fail_errno(error, os_errno, "probe", "");
    if (now.size_limit < store->limits.segment_bytes) return fail_errno(error, EFBIG, "limit", "");
    store->device.size_limit = now.size_limit;
    return TEAK_OK;
}

/* What opening left to be done. Segments that crashes ended early get their index now: a service that dies young again
 * and again would never come to it, and each life would cost a segment (history 14). */
static enum teak_status begin_writing(struct teak_store *store, struct teak_error *error)
{
    enum teak_status status = ask_size_limit(store, error);
    if (status == TEAK_OK) status = recover_apply(store, error);
    if (status == TEAK_OK) publish_open(store);
    struct segments *segments = &store->segments;
    while (status == TEAK_OK && !store->no_memory && !store->flight.poisoned &&
           (segments_closed(segments) > SEGMENTS_CLOSED_MAX || seal_has_deep(segments)))
        turn(store, TEAK_FOREVER, true);
    if (status == TEAK_OK && !seal_has_deep(segments)) segments->unindexed = 0;
    if (status == TEAK_OK && store->flight.poisoned) {
        if (error) *error = store->flight.cause;
        return TEAK_POISONED;
    }
    return status;
}

static enum teak_status guard_writing(struct teak_store *store, struct teak_error *error)
{
    if (store->thread != &thread_mark || store->phase != STORE_WRITING || store->flight.poisoned) {
        if (store->phase == STORE_READING) return fail(error, TEAK_READ_ONLY, "submit");
        enum teak_status status = guard_driving(store, "submit", error);
        if (status != TEAK_OK) return status;
        if (store->flight.poisoned) {
            if (error) *error = store->flight.cause;
            return TEAK_POISONED;
        }
        if (store->phase == STORE_OPENED) return begin_writing(store, error);
    }
    return TEAK_OK;
}

enum teak_status store_guard_writing(struct teak_store *store, struct teak_error *error)
{
    if (!store_is_lent(store)) return guard_writing(store, error);
    enum teak_status status = store_guard(store, error); /* is it the one that it was lent to? */
    if (status != TEAK_OK) return status;
    store_take_back(store);
    status = guard_writing(store, error);
    store_lend(store);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- batches */

enum teak_status teak_submit(struct teak_store *store, const struct teak_batch *batch, struct teak_error *error)
{
    const enum teak_status status = guard_writing(store, error);
    return status == TEAK_OK ? writer_submit(store, batch, error) : status;
}

enum teak_status teak_append(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term, const void *data,
                             uint32_t bytes, uint64_t tag, struct teak_error *error)
{
    const struct teak_bytes entry = {.data = data, .bytes = bytes};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .entries = &entry,
                               .count = 1};
    return teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, error);
}

enum teak_status teak_create_log(struct teak_store *store, uint64_t log, uint64_t tag, struct teak_error *error)
{
    const struct teak_op op = {.op = TEAK_OP_CREATE, .log = log};
    return teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, error);
}

enum teak_status teak_reserve(struct teak_store *store, uint32_t bytes, uint32_t entries, void **out,
                              struct teak_error *error)
{
    const enum teak_status status = guard_writing(store, error);
    return status == TEAK_OK ? writer_reserve(store, bytes, entries, out, error) : status;
}

void teak_release(struct teak_store *store) { store->writer.reserved = false; }

enum teak_status teak_barrier(struct teak_store *store, uint64_t tag, struct teak_error *error)
{
    const enum teak_status status = guard_writing(store, error);
    if (status != TEAK_OK) return status;
    if (tickets_are_full(&store->tickets)) return fail(error, TEAK_FULL, "barrier");
    if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    ticket_put(&store->tickets, tag, store->writer.data_lsn);
    return TEAK_OK;
}

/* --------------------------------------------------------------------------------------------------------- driving */

static enum teak_status poll_once(struct teak_store *store, uint64_t wait_ns, struct teak_completion *out, uint32_t max,
                                  uint32_t *count_out, struct teak_error *error)
{
    if (count_out) *count_out = 0;
    enum teak_status status = guard_driving(store, "poll", error);
    if (status != TEAK_OK) return status;
    struct flight *flight = &store->flight;
    const bool reads = streams_are_busy(&store->streams) || readers_have_asked(&store->readers);
    if ((!flight->poisoned && store->phase == STORE_WRITING) || reads)
        drive(store, wait_ns, false);
    else
        tell(store);
    uint32_t count = 0;
    struct ticket ticket;
    while (count < max && ticket_take(&store->tickets, flight->poisoned ? UINT64_MAX : flight->durable_lsn, &ticket))
        out[count++] = (struct teak_completion){
            .tag = ticket.tag,
            .lsn = ticket.lsn,
            .status = ticket.lsn <= flight->durable_lsn ? TEAK_OK : TEAK_POISONED};
    while (count < max && snapshots_take_ended(store, &out[count])) count++;
    if (count_out) *count_out = count;
    if (count > 0 || !flight->poisoned) return TEAK_OK;
    if (error) *error = flight->cause;
    return TEAK_POISONED;
}

enum teak_status teak_poll(struct teak_store *store, uint64_t wait_ns, struct teak_completion *out, uint32_t max,
                           uint32_t *count_out, struct teak_error *error)
{
    const enum teak_status status = poll_once(store, wait_ns, out, max, count_out, error);
    const bool has_driven = status != TEAK_WRONG_THREAD && status != TEAK_IN_CALLBACK;
    if (has_driven) store->streams.news = false; /* told by returning */
    return status;
}

/* Is it? Then why. */
static enum teak_status poisoned(const struct teak_store *store, struct teak_error *error)
{
    if (!store->flight.poisoned) return TEAK_OK;
    if (error) *error = store->flight.cause;
    return TEAK_POISONED;
}

enum teak_status teak_drain(struct teak_store *store, struct teak_error *error)
{
    enum teak_status status = guard_driving(store, "drain", error);
    if (status != TEAK_OK) return status;
    if (store->phase != STORE_WRITING) return poisoned(store, error);
    if (store->writer.reserved) return fail(error, TEAK_RESERVED, "drain");
    if (store->starved) status = poll_once(store, 0, NULL, 0, NULL, error); /* room is made, though nothing is owed */
    if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    enum { DROPPED_MAX = 64 };
    struct teak_completion dropped[DROPPED_MAX];
    enum teak_status not_installed = TEAK_OK;
    uint32_t count = 0;
    store->streams.are_mute = true;
    while ((!tickets_are_empty(&store->tickets) || snapshots_are_installing(&store->snapshots) ||
            snapshots_have_ended(store)) &&
           status == TEAK_OK) {
        status = poll_once(store, TEAK_FOREVER, dropped, DROPPED_MAX, &count, error);
        for (uint32_t i = 0; i < count; i++)
            if (dropped[i].status != TEAK_OK && not_installed == TEAK_OK) not_installed = dropped[i].status;
        if (writer_has_work(&store->writer)) store->writer.is_urgent = true;
    }
    store->streams.are_mute = false;
    if (status == TEAK_OK) status = poisoned(store, error); /* each time: what was dropped before is not known either */
    return status == TEAK_OK && not_installed != TEAK_OK ? fail(error, not_installed, "install") : status;
}

enum teak_status teak_event_fd(struct teak_store *store, int *out, struct teak_error *error)
{
    if (store->phase == STORE_READING) return fail(error, TEAK_READ_ONLY, "event_fd");
    const enum teak_status status = guard_driving(store, "event_fd", error);
    if (status != TEAK_OK) return status;
    *out = disk_event_fd(store->disk);
    return *out >= 0 ? TEAK_OK : fail_errno(error, -*out, "event_fd", "");
}

uint64_t teak_deadline(const struct teak_store *store)
{
    if (turn_has_completion(store) || store->streams.news || readers_just_asked(&store->readers)) return 0;
    return turn_deadline(store);
}

/* Something must still come to the disk before the store can be marked clean. An index for which there is no memory is
 * not waited for: the next open scans that segment instead. */
static bool has_unfinished(const struct teak_store *store)
{
    const uint64_t durable = store->flight.durable_lsn;
    /* an installation cannot end while nobody takes completions, and none more fits */
    const bool installs = snapshots_are_installing(&store->snapshots) && !tickets_are_full(&store->tickets);
    return writer_has_work(&store->writer) || durable < store->writer.data_lsn || seal_is_busy(&store->seal) ||
           installs || snapshots_are_due(store) ||
           (seal_is_due(&store->segments, durable) && !store->no_memory);
}

/* Waits for indexes that are being written, then says that nothing is behind. */
static void finish_writing(struct teak_store *store)
{
    struct writer *writer = &store->writer;
    struct flight *flight = &store->flight;
    writer->reserved = false;
    while (!flight->poisoned && has_unfinished(store)) drive(store, TEAK_FOREVER, true);
    const bool wrote = !store->continues || writer->frames > 0;
    if (flight->poisoned || !wrote || !writer_put_mark(store, MARK_CLEAN)) return;
    store->closing = true;
    while (!flight->poisoned && flight->durable_lsn < writer->data_lsn) drive(store, TEAK_FOREVER, true);
}

enum teak_status teak_close(struct teak_store *store, struct teak_error *error)
{
    struct teak_error refusal;
    enum teak_status status = guard_driving(store, "close", &refusal);
    if (status == TEAK_WRONG_THREAD || status == TEAK_IN_CALLBACK) {
        if (error) *error = refusal;
        return status;
    }
    status = TEAK_OK; /* else: what cannot be driven now never was, and there is nothing to bring to an end */
    if (store->phase == STORE_WRITING && !store->flight.poisoned) finish_writing(store);
    store->publish.is_last = !store->flight.poisoned;
    if (store->flight.poisoned) {
        status = TEAK_POISONED;
        if (error) *error = store->flight.cause;
    }
    notice_closed(store);
    tell(store);
    store_destroy(store);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- looking */

void teak_limits(const struct teak_store *store, struct teak_limits *out) { *out = store->limits; }

static enum teak_status find(struct teak_store *store, uint64_t id, struct log **out, struct teak_error *error)
{
    *out = logs_find(&store->logs, id);
    return *out ? TEAK_OK : fail_log(error, TEAK_UNKNOWN_LOG, id);
}

enum teak_status teak_log(struct teak_store *store, uint64_t id, struct teak_log *out, struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &log->head;
    *out = (struct teak_log){.id = id,
                             .life = head->life,
                             .first = head->base.index + 1,
                             .last = head->last,
                             .base = head->base,
                             .snapshot = head->snapshot,
                             .durable = durable_of(log, &store->segments, &store->flight),
                             .hard = {.term = head->term, .vote = head->vote, .commit = head->commit},
                             .meta_bytes = head->meta_bytes,
                             .snapshot_file_bytes = head->file_bytes,
                             .fresh = head->fresh,
                             .marks = head->marks & LOG_HURT};
    return TEAK_OK;
}

static_assert((int)TEAK_TAIL_LOST == (int)LOG_TAIL_LOST &&
                  (int)TEAK_HARD_STATE_SUSPECT == (int)LOG_HARD_STATE_SUSPECT, "marks are told as they lie on disk");

uint32_t teak_logs(struct teak_store *store, bool from_start, uint64_t after, uint64_t *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = logs_first_above(&store->logs, from_start, after); i < store->logs.count && count < max; i++)
        out[count++] = store->logs.sorted[i]->id;
    return count;
}

enum teak_status teak_meta(struct teak_store *store, uint64_t id, void *out, uint32_t room, uint32_t *bytes_out,
                           struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    *bytes_out = log->head.meta_bytes;
    if (room < log->head.meta_bytes) return fail_log(error, TEAK_INVALID, id);
    if (log->head.meta_bytes > 0) memcpy(out, log->meta, log->head.meta_bytes);
    return TEAK_OK;
}

enum teak_status teak_term_at(struct teak_store *store, uint64_t id, uint64_t index, uint64_t *term_out,
                              struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &log->head;
    if (index < head->base.index) return fail_index(error, TEAK_COMPACTED, id, index, head->base.index);
    if (index > head->last.index) return fail_index(error, TEAK_BEYOND, id, index, head->last.index);
    *term_out = log_term_at(log, index);
    return TEAK_OK;
}

enum teak_status teak_last_of_kind(struct teak_store *store, uint64_t id, uint8_t kind, uint64_t index,
                                   struct teak_pos *out, struct teak_error *error)
{
    struct log *log;
    enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    index = min_u64(index, log->head.last.index);
    for (uint32_t i = log->piece_count; i-- > 0;) {
        const struct piece *piece = &log->pieces[i];
        if (piece->first > index || piece_is_hole(piece)) continue;
        status = reader_hold(store, segment_of_piece(&store->segments, piece->segment), error);
        if (status != TEAK_OK) return status;
        uint32_t count;
        const struct layout_extent *extents = locate_extents(&store->segments, piece, &count);
        while (count-- > 0) {
            const struct layout_extent *extent = &extents[count];
            const uint64_t first = le64_get(extent->first);
            if (extent->kind != kind || first > index) continue;
            const uint64_t last = min_u64(index, first + le32_get(extent->count) - 1);
            if (last <= log->head.base.index) break;
            *out = (struct teak_pos){.index = last, .term = le64_get(extent->term)};
            return TEAK_OK;
        }
        if (piece->first > 0) index = min_u64(index, piece->first - 1); /* older pieces end where newer ones begin */
    }
    return fail_log(error, TEAK_NOT_FOUND, id);
}

enum teak_status teak_term_runs(struct teak_store *store, uint64_t id, struct teak_pos *out, uint32_t max,
                                uint32_t *count_out, struct teak_error *error)
{
    struct log *log;
    *count_out = 0;
    const enum teak_status status = find(store, id, &log, error);
    if (status != TEAK_OK) return status;
    const struct terms *terms = &log->terms;
    for (uint32_t i = terms->count; i-- > 0 && *count_out < max;)
        out[(*count_out)++] = (struct teak_pos){.index = terms->runs[i].first, .term = terms->runs[i].term};
    return TEAK_OK;
}

uint32_t teak_lagging(struct teak_store *store, struct teak_lagging *out, uint32_t max)
{
    uint32_t count = 0;
    const uint32_t oldest = (uint32_t)store->segments.oldest;
    for (uint32_t i = 0; i < store->logs.count && count < max; i++) {
        const struct log *log = store->logs.sorted[i];
        struct teak_lagging lagging = {.log = log->id, .segment = store->segments.oldest};
        for (uint32_t p = 0; p < log->piece_count; p++) {
            const struct piece *piece = &log->pieces[p];
            if (piece_is_hole(piece) || piece->segment != oldest) continue;
            lagging.entries += (p + 1 < log->piece_count ? piece[1].first : log->head.last.index + 1) - piece->first;
            lagging.bytes += piece->bytes;
        }
        if (lagging.entries > 0) out[count++] = lagging;
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------------ statistics */

static uint64_t table_bytes(const struct teak_store *store)
{
    uint64_t bytes = sizeof *store + store->logs.memory_bytes + store->segments.capacity * sizeof(struct segment *);
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++) {
        const struct segment *segment = segment_at(&store->segments, number);
        bytes += sizeof *segment + segment->slots_end * sizeof(struct layout_slot) +
                 segment->effect_capacity * sizeof(struct effect);
    }
    return bytes;
}

void teak_stats(struct teak_store *store, struct teak_stats *out)
{
    const struct writer *writer = &store->writer;
    const struct flight *flight = &store->flight;
    const struct disk_counters *disk = &store->disk->counters;
    const struct hist *latency = &flight->latency;
    *out = (struct teak_stats){.batches = writer->batches,
                               .entries = writer->entries,
                               .payload_bytes = writer->payload_bytes,
                               .frames = writer->frames,
                               .frame_bytes = writer->frame_bytes,
                               .padding_bytes = writer->padding_bytes,
                               .syncs = disk->syncs,
                               .writes = disk->writes,
                               .bytes_written = disk->write_bytes,
                               .enters = disk->enters,
                               .short_transfers = disk->short_transfers,
                               .retries = disk->retries,
                               .durable_lsn = flight->durable_lsn,
                               .last_lsn = writer->next_lsn - 1,
                               .frames_in_flight = flight->in_flight,
                               .frames_waiting = flight->end - flight->next,
                               .full = writer->full,
                               .stalls = writer->stalls,
                               .segments = store->segments.newest - store->segments.oldest + 1,
                               .oldest_segment = store->segments.oldest,
                               .newest_segment = store->segments.newest,
                               .spares = store->pool.stock_count,
                               .filled = store->pool.made,
                               .recycled = store->pool.recycled,
                               .sealed = store->seal.sealed,
                               .forgotten = store->forgotten,
                               .unlinked = store->pool.unlinked,
                               .filled_bytes = store->pool.made_bytes,
                               .index_bytes = store->seal.bytes,
                               .arena_reads = store->arena_reads,
                               .disk_reads = store->disk_reads,
                               .disk_read_bytes = store->disk_read_bytes,
                               .snapshot_files = store->snapshots.count,
                               .snapshots_installed = store->snapshots.installed,
                               .snapshots_removed = store->snapshots.removed,
                               .logs = store->logs.count,
                               .memory_bytes = table_bytes(store),
                               .live_bytes = store->segments.live_bytes,
                               .disk_bytes = relocate_disk_bytes(store),
                               .moved_entries = store->relocate.moved_entries,
                               .moved_bytes = store->relocate.moved_bytes,
                               .moves_refused = store->relocate.refused,
                               .moves_rotten = store->relocate.rotten,
                               .published = store->publish.written,
                               .publish_failed = store->publish.failed,
                               .frame_latency = {.count = latency->total,
                                                 .p50 = hist_quantile(latency, 0.5),
                                                 .p90 = hist_quantile(latency, 0.9),
                                                 .p99 = hist_quantile(latency, 0.99),
                                                 .p999 = hist_quantile(latency, 0.999),
                                                 .max = latency->max},
                               .slow_writes = store->stall.writes,
                               .slow_syncs = store->stall.syncs,
                               .slow_others = store->stall.others,
                               .longest_stall_ns = store->stall.longest_ns,
                               .stalled_now = store->stall.hanging,
                               .worker_ops = disk->worker_ops,
                               .no_space = store->notice.no_space_answers,
                               .supply_failures = store->pool.failures,
                               .free_bytes = store->notice.free_bytes,
                               .cut_bytes = store->notice.cut_bytes,
                               .cut_frames = store->notice.cut_frames,
                               .damaged_reads = store->notice.damaged_reads,
                               .events = store->events.told,
                               .events_lost = store->events.lost,
                               .requests = store->crowd.requests,
                               .request_groups = store->crowd.groups,
                               .threads_woken = store->crowd.woken,
                               .waits_for_room = store->crowd.waits_for_room,
                               .gathers = store->crowd.gathers,
                               .gathers_vain = store->crowd.gathers_vain,
                               .lacks_space = store->pool.no_space,
                               .poisoned = flight->poisoned,
                               .strategy = store->limits.strategy,
                               .direct_io = store->device.direct_io,
                               .device_known = store->device.known,
                               .write_cache = store->device.write_cache,
                               .fua = store->device.fua};
    memcpy(out->backend, store->disk->ops->name, min_u64(strlen(store->disk->ops->name), sizeof out->backend - 1));
    memcpy(out->filesystem, store->device.filesystem, sizeof out->filesystem);
}
