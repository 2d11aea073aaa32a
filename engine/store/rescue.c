/* rescue.c: teak_salvage: what can be read of a damaged store, into a new one.
 *
 * OWNS   The new store while it is made, in a directory beside the one that it becomes.
 * PATH   open `from` for reading as a repair would -> empty `to`.unfinished, make a store there -> log by log: its
 *        base, its entries up to the first that cannot be read, hard state, META, snapshot, marks -> a checkpoint,
 *        which holds the marks -> close -> rename to `to`, sync its parent.
 * FAILS  Cut short anywhere there is no `to`; `to`.unfinished is emptied by the next try.
 * HOLDS  Nothing is written into `from`. What the new store shows was verified when it was read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/segment_id.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/store.h"
#include "teak/inspect.h"
#include "teak/snapshot.h"

enum { ENTRIES_MAX = 64, CHUNK_BYTES = 65536, WAIT_NS = 100000000 };
#define UNFINISHED ".unfinished"

struct rescue {
    struct teak_store *from, *to;
    const char *target;
    char *staging;
    uint64_t batch_bytes;
    uint8_t *chunk;
    struct teak_op ops[ENTRIES_MAX];
    struct teak_bytes payloads[ENTRIES_MAX];
    struct teak_entry entries[ENTRIES_MAX];
    struct teak_salvage_result *result;
    teak_salvaged_fn told;
    void *context;
    /* emptying a directory */
    struct disk *disk;
    int32_t dir;
    enum teak_status emptying;
    struct teak_error *error;
    bool is_nested;
};

/* -------------------------------------------------------------------------------------------------- a place for it */

static int open_directory(struct disk *disk, int32_t dir, const char *path, int32_t *out)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = dir, .name = path, .flags = DISK_DIRECTORY};
    const int os_errno = disk_run(disk, &op);
    *out = os_errno ? DISK_NONE : op.file;
    return os_errno;
}

/* A name that a store being made may have left; what else lies there is somebody's. */
static bool is_ours(const char *name, bool is_nested)
{
    uint64_t number;
    const size_t bytes = strlen(name);
    if (is_nested) return bytes > 5 && (!strcmp(name + bytes - 5, ".snap") || !strcmp(name + bytes - 5, ".part"));
    return name_judge(name, &number) != NAME_OTHER;
}

static void remove_name(void *context, const char *name)
{
    struct rescue *rescue = context;
    if (rescue->emptying != TEAK_OK || (!rescue->is_nested && !strcmp(name, "snapshots"))) return;
    struct disk_op op = {.kind = DISK_UNLINK, .dir = rescue->dir, .name = name};
    if (!is_ours(name, rescue->is_nested)) {
        rescue->emptying = fail_file(rescue->error, TEAK_INVALID, "salvage into", name, 0);
        return;
    }
    const int os_errno = disk_run(rescue->disk, &op);
    if (os_errno && os_errno != ENOENT) rescue->emptying = fail_errno(rescue->error, os_errno, "unlink", name);
}

static enum teak_status empty_directory(struct rescue *rescue, int32_t dir, bool is_nested, struct teak_error *error)
{
    rescue->dir = dir;
    rescue->is_nested = is_nested;
    rescue->error = error;
    rescue->emptying = TEAK_OK;
    const int os_errno = disk_list(rescue->disk, dir, remove_name, rescue);
    return os_errno ? fail_errno(error, os_errno, "list", "") : rescue->emptying;
}

/* What a try that was cut short left behind goes; unless its process is still at it. */
static enum teak_status empty_staging(struct rescue *rescue, struct teak_error *error)
{
    int32_t dir, nested;
    int os_errno = open_directory(rescue->disk, DISK_CWD, rescue->staging, &dir);
    if (os_errno == ENOENT) return TEAK_OK;
    if (os_errno) return fail_errno(error, os_errno, "open", UNFINISHED);
    struct disk_op lock = {.kind = DISK_OPEN, .dir = dir, .name = "LOCK"};
    enum teak_status status = TEAK_OK;
    if (disk_run(rescue->disk, &lock) == 0) {
        if (disk_lock(rescue->disk, lock.file, DISK_LOCK_EXCLUSIVE) != 0)
            status = fail_file(error, TEAK_LOCKED, "lock", UNFINISHED, 0);
    }
    if (status == TEAK_OK && open_directory(rescue->disk, dir, "snapshots", &nested) == 0) {
        status = empty_directory(rescue, nested, true, error);
        disk_close_file(rescue->disk, &nested);
    }
    if (status == TEAK_OK) status = empty_directory(rescue, dir, false, error);
    if (lock.error == 0) disk_close_file(rescue->disk, &lock.file);
    disk_close_file(rescue->disk, &dir);
    return status;
}

static void count_name(void *context, const char *name)
{
    struct rescue *rescue = context;
    if (rescue->emptying == TEAK_OK)
        rescue->emptying = fail_file(rescue->error, TEAK_INVALID, "salvage into", name, 0);
}

static enum teak_status target_is_free(struct rescue *rescue, struct teak_error *error)
{
    int32_t dir;
    int os_errno = open_directory(rescue->disk, DISK_CWD, rescue->target, &dir);
    if (os_errno == ENOENT) return TEAK_OK;
    if (os_errno) return fail_errno(error, os_errno, "open", "");
    rescue->error = error;
    rescue->emptying = TEAK_OK;
    os_errno = disk_list(rescue->disk, dir, count_name, rescue);
    disk_close_file(rescue->disk, &dir);
    return os_errno ? fail_errno(error, os_errno, "list", "") : rescue->emptying;
}

static char *join(const char *path, const char *more)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/') bytes--;
    char *out = heap_take(bytes + strlen(more) + 1);
    if (!out) return NULL;
    memcpy(out, path, bytes);
    memcpy(out + bytes, more, strlen(more) + 1);
    return out;
}

/* The name that makes it a store, durable. */
static enum teak_status move_into_place(struct rescue *rescue, struct teak_error *error)
{
    char *parent = join(rescue->target, "/..");
    if (!parent) return fail(error, TEAK_NO_MEMORY, "salvage");
    struct disk_op rename = {.kind = DISK_RENAME, .dir = DISK_CWD, .name = rescue->staging, .to = rescue->target,
                             .flags = DISK_REPLACE};
    int os_errno = disk_run(rescue->disk, &rename);
    if (!os_errno) os_errno = disk_sync_directory(rescue->disk, DISK_CWD, parent);
    heap_give(parent);
    return os_errno ? fail_errno(error, os_errno, "rename", "") : TEAK_OK;
}

/* ---------------------------------------------------------------------------------------------------------- one log */

static enum teak_status submit(struct rescue *rescue, const struct teak_op *ops, uint32_t count,
                               struct teak_error *error)
{
    for (;;) {
        const enum teak_status status =
            teak_submit(rescue->to, &(struct teak_batch){.ops = ops, .count = count}, error);
        if (status != TEAK_FULL) return status;
        uint32_t done_count;
        struct teak_completion done[ENTRIES_MAX];
        const enum teak_status polled = teak_poll(rescue->to, WAIT_NS, done, ENTRIES_MAX, &done_count, error);
        if (polled != TEAK_OK) return polled;
    }
}

static enum teak_status submit_one(struct rescue *rescue, struct teak_op op, struct teak_error *error)
{
    return submit(rescue, &op, 1, error);
}

/* Runs of one term and one kind become an operation each. */
static enum teak_status put_entries(struct rescue *rescue, uint64_t log, uint32_t count, struct teak_error *error)
{
    uint32_t op_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct teak_entry *entry = &rescue->entries[i];
        struct teak_op *last = op_count > 0 ? &rescue->ops[op_count - 1] : NULL;
        rescue->payloads[i] = (struct teak_bytes){.data = entry->data, .bytes = entry->bytes};
        rescue->result->entries++;
        rescue->result->bytes += entry->bytes;
        if (last && last->term == entry->term && last->kind == entry->kind)
            last->count++;
        else
            rescue->ops[op_count++] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = entry->index,
                                                       .term = entry->term, .kind = entry->kind, .count = 1,
                                                       .entries = &rescue->payloads[i]};
    }
    return submit(rescue, rescue->ops, op_count, error);
}

/* The next entries; one at a time where many cannot be read, so that the first that cannot is found. */
static enum teak_status read_entries(struct rescue *rescue, struct teak_cursor *cursor, uint32_t *count,
                                     struct teak_error *error)
{
    enum teak_status status =
        teak_cursor_read(cursor, rescue->batch_bytes / 2, rescue->entries, ENTRIES_MAX, count, error);
    if (status == TEAK_HASH_MISMATCH || status == TEAK_IO)
        status = teak_cursor_read(cursor, rescue->batch_bytes / 2, rescue->entries, 1, count, error);
    return status;
}

/* Up to the first that cannot be read. */
static enum teak_status take_entries(struct rescue *rescue, const struct teak_log *log, struct teak_salvaged *salvaged,
                                     struct teak_error *error)
{
    struct teak_cursor *cursor;
    struct teak_error why = {0};
    enum teak_status status = teak_cursor_open(rescue->from, log->id, log->first, &cursor, error);
    if (status != TEAK_OK) return status;
    uint64_t next = log->first;
    while (status == TEAK_OK && next <= log->last.index) {
        uint32_t count = 0;
        status = read_entries(rescue, cursor, &count, &why);
        if (status == TEAK_HASH_MISMATCH || status == TEAK_IO || (status == TEAK_OK && count == 0)) {
            salvaged->lost_first = next;
            salvaged->lost_last = log->last.index;
            salvaged->marks |= TEAK_TAIL_LOST;
            status = TEAK_OK;
            break;
        }
        if (status == TEAK_OK) status = put_entries(rescue, log->id, count, &why);
        next += count;
    }
    teak_cursor_close(cursor);
    salvaged->last = next - 1;
    if (status != TEAK_OK && error) *error = why;
    return status;
}

/* The base: an entry that is compacted away again says its term. */
static enum teak_status begin_log(struct rescue *rescue, const struct teak_log *log, struct teak_error *error)
{
    const struct teak_bytes nothing = {.data = "", .bytes = 0};
    enum teak_status status = submit_one(rescue, (struct teak_op){.op = TEAK_OP_CREATE, .log = log->id}, error);
    if (status == TEAK_OK && log->base.index > 0)
        status = submit_one(rescue, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log->id, .index = log->base.index,
                                                     .term = log->base.term, .count = 1, .entries = &nothing}, error);
    return status;
}

static enum teak_status take_hard_state(struct rescue *rescue, const struct teak_log *log, struct teak_error *error)
{
    const struct teak_hard_state *hard = &log->hard;
    uint8_t meta[META_BYTES_MAX];
    uint32_t bytes = 0;
    enum teak_status status = TEAK_OK;
    if (log->base.index > 0)
        status = submit_one(rescue, (struct teak_op){.op = TEAK_OP_COMPACT, .log = log->id, .index = log->base.index},
                            error);
    if (status == TEAK_OK && (hard->term || hard->vote || hard->commit))
        status = submit_one(rescue, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = log->id, .term = hard->term,
                                                     .vote = hard->vote, .commit = hard->commit}, error);
    if (status == TEAK_OK) status = teak_meta(rescue->from, log->id, meta, sizeof meta, &bytes, error);
    if (status == TEAK_OK && bytes > 0)
        status = submit_one(rescue, (struct teak_op){.op = TEAK_OP_META, .log = log->id, .data = meta, .bytes = bytes},
                            error);
    return status;
}

/* The body, chunk by chunk. What cannot be read: HASH_MISMATCH, DAMAGED. */
static enum teak_status stream(struct rescue *rescue, struct teak_snapshot_reader *reader,
                               struct teak_snapshot_writer *writer, struct teak_error *error)
{
    uint64_t offset = 0, bytes = 1;
    enum teak_status status = TEAK_OK;
    while (status == TEAK_OK && bytes > 0) {
        status = teak_snapshot_read(reader, offset, rescue->chunk, CHUNK_BYTES, &bytes, error);
        if (status == TEAK_IO) return TEAK_DAMAGED;
        if (status == TEAK_OK) status = teak_snapshot_write(writer, offset, rescue->chunk, bytes, error);
        offset += bytes;
    }
    return status;
}

static enum teak_status take_file(struct rescue *rescue, const struct teak_log *log, struct teak_error *error)
{
    struct teak_snapshot_reader *reader;
    struct teak_snapshot_writer *writer;
    struct teak_snapshot_info info;
    enum teak_status status = teak_snapshot_open(rescue->from, log->id, &reader, error);
    if (status != TEAK_OK) return status;
    status = teak_snapshot_info(reader, &info, error);
    if (status == TEAK_OK) {
        const struct teak_snapshot_offer offer = {.log = log->id, .pos = info.pos, .stream = info.stream,
                                                  .body_bytes = info.body_bytes, .meta = info.meta,
                                                  .meta_bytes = info.meta_bytes};
        status = teak_snapshot_begin(rescue->to, &offer, &writer, error);
        if (status == TEAK_OK) {
            status = stream(rescue, reader, writer, error);
            const struct teak_trailing all = {.entries = UINT64_MAX, .bytes = UINT64_MAX};
            if (status == TEAK_OK) status = teak_snapshot_install(writer, all, 0, error);
            if (status != TEAK_OK) teak_snapshot_abort(writer);
            if (status == TEAK_OK) status = teak_drain(rescue->to, error);
        }
    } else if (status == TEAK_IO) {
        status = TEAK_DAMAGED;
    }
    teak_snapshot_close(reader);
    return status;
}

/* In force, with its file if that is whole; else the boundary stays and the file is lost. One below the base holds
 * nothing that the base does not say. */
static enum teak_status take_snapshot(struct rescue *rescue, const struct teak_log *log, struct teak_salvaged *salvaged,
                                      struct teak_error *error)
{
    if (log->snapshot.index == 0 || log->snapshot.index < log->base.index) return TEAK_OK;
    enum teak_status status = TEAK_NOT_FOUND; /* the caller keeps it */
    if (salvaged->last >= log->snapshot.index || log->last.index == log->snapshot.index) {
        if (log->snapshot_file_bytes > 0) status = take_file(rescue, log, error);
        if (status == TEAK_OK) {
            rescue->result->snapshots++;
            return TEAK_OK;
        }
    }
    if (status != TEAK_NOT_FOUND && status != TEAK_DAMAGED && status != TEAK_HASH_MISMATCH) return status;
    if (log->snapshot_file_bytes > 0) {
        salvaged->snapshot_lost = true;
        salvaged->marks |= TEAK_TAIL_LOST;
        rescue->result->snapshots_lost++;
    }
    return submit_one(rescue, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = log->id, .index = log->snapshot.index,
                                               .term = log->snapshot.term}, error);
}

static enum teak_status take_log(struct rescue *rescue, uint64_t id, struct teak_error *error)
{
    struct teak_log log;
    enum teak_status status = teak_log(rescue->from, id, &log, error);
    if (status != TEAK_OK) return status;
    struct teak_salvaged salvaged = {.log = id, .first = log.first, .last = log.last.index, .marks = log.marks};
    if (log.marks & TEAK_TAIL_LOST) salvaged.lost_first = log.last.index + 1;
    status = begin_log(rescue, &log, error);
    if (status == TEAK_OK && !log.fresh) status = take_entries(rescue, &log, &salvaged, error);
    if (status == TEAK_OK) status = take_hard_state(rescue, &log, error);
    if (status == TEAK_OK) status = take_snapshot(rescue, &log, &salvaged, error);
    if (status != TEAK_OK) return status;
    logs_find(&rescue->to->logs, id)->head.marks |= salvaged.marks; /* durable with the next checkpoint */
    rescue->result->logs++;
    rescue->result->hurt += salvaged.marks != 0;
    if (salvaged.lost_last >= salvaged.lost_first && salvaged.lost_first > 0)
        rescue->result->lost_entries += salvaged.lost_last - salvaged.lost_first + 1;
    if (rescue->told) rescue->told(rescue->context, &salvaged);
    return TEAK_OK;
}

/* -------------------------------------------------------------------------------------------------------- the whole */

/* A segment begins, and with it a checkpoint, which holds the marks. */
static enum teak_status put_checkpoint(struct rescue *rescue, struct teak_error *error)
{
    struct teak_store *to = rescue->to;
    enum teak_status status = teak_drain(to, error);
    while (status == TEAK_OK) {
        const enum teak_status rolled = writer_roll(to, false);
        if (rolled != TEAK_FULL) return rolled == TEAK_OK ? TEAK_OK : fail(error, rolled, "salvage");
        to->starved = true; /* the chores make the next segment */
        status = teak_poll(to, WAIT_NS, NULL, 0, NULL, error);
    }
    return status;
}

static enum teak_status fill(struct rescue *rescue, struct teak_error *error)
{
    enum teak_status status = TEAK_OK;
    const struct logs *logs = &rescue->from->logs;
    for (uint32_t i = 0; i < logs->count && status == TEAK_OK; i++)
        status = take_log(rescue, logs->sorted[i]->id, error);
    if (status == TEAK_OK && rescue->result->logs > 0) status = put_checkpoint(rescue, error);
    return status;
}

static enum teak_status make_store(struct rescue *rescue, enum teak_backend backend, struct teak_error *error)
{
    struct teak_options options = teak_options_default();
    options.create = true;
    options.backend = backend;
    options.block_bytes = rescue->from->limits.block_bytes;
    options.segment_bytes = rescue->from->limits.segment_bytes;
    options.stats_interval_ns = TEAK_FOREVER;
    enum teak_status status = teak_open(rescue->staging, &options, &rescue->to, NULL, error);
    if (status != TEAK_OK) return status;
    struct teak_limits limits;
    teak_limits(rescue->to, &limits);
    rescue->batch_bytes = limits.batch_bytes;
    status = fill(rescue, error);
    struct teak_store *to = rescue->to;
    rescue->to = NULL;
    if (status != TEAK_OK) {
        teak_abandon(to);
        return status;
    }
    memcpy(rescue->result->instance, to->superblock.instance, sizeof to->superblock.instance);
    return teak_close(to, error);
}

static enum teak_status salvage(struct rescue *rescue, enum teak_backend backend, struct teak_error *error)
{
    rescue->disk = rescue->from->disk;
    rescue->staging = join(rescue->target, UNFINISHED);
    rescue->chunk = heap_take(CHUNK_BYTES);
    if (!rescue->staging || !rescue->chunk) return fail(error, TEAK_NO_MEMORY, "salvage");
    enum teak_status status = target_is_free(rescue, error);
    if (status == TEAK_OK) status = empty_staging(rescue, error);
    if (status == TEAK_OK) status = make_store(rescue, backend, error);
    if (status == TEAK_OK) status = move_into_place(rescue, error);
    return status;
}

enum teak_status teak_salvage(const char *from, const char *to, const struct teak_options *options,
                              struct teak_salvage_result *out, teak_salvaged_fn told, void *context,
                              struct teak_report *report, struct teak_error *error)
{
    struct teak_salvage_result own_result;
    struct teak_report own_report;
    *(out ? out : &own_result) = (struct teak_salvage_result){0};
    if (!from || !to || !*to) return fail(error, TEAK_INVALID, "salvage");
    struct rescue *rescue = heap_take_zeroed(1, sizeof *rescue);
    if (!rescue) return fail(error, TEAK_NO_MEMORY, "salvage");
    rescue->target = to;
    rescue->result = out ? out : &own_result;
    rescue->told = told;
    rescue->context = context;
    struct teak_options reading = options ? *options : teak_options_default();
    reading.create = false;
    reading.read_only = true;
    reading.on_damage = TEAK_QUARANTINE;
    enum teak_status status =
        store_open_mending(from, &reading, &rescue->from, report ? report : &own_report, error);
    if (status == TEAK_OK && rescue->from->living) status = fail_file(error, TEAK_LOCKED, "salvage", "LOCK", 0);
    if (status == TEAK_OK) status = salvage(rescue, reading.backend, error);
    heap_give(rescue->staging);
    heap_give(rescue->chunk);
    if (rescue->from) teak_abandon(rescue->from);
    heap_give(rescue);
    return status;
}
