/* snapshots.c: see snapshots.h. */
#include "store/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/reader.h"
#include "store/store.h"

enum { MARKED_AT_ONCE = 256, NOTES_FIRST = 16 };

static uint64_t term_of(const void *context, uint64_t index) { return log_term_at(context, index); }

static enum snapshot_effect effect_of(const struct log *log, struct teak_pos pos, bool replaces)
{
    const struct teak_pos in_force = log->head.snapshot;
    if (replaces && pos.index == in_force.index && pos.term == in_force.term) return SNAPSHOT_KEEPS;
    return log_snapshot_effect(&log->head, pos, term_of, log);
}

bool snapshot_is_stale(const struct log *log, struct teak_pos pos, bool replaces)
{
    return effect_of(log, pos, replaces) == SNAPSHOT_STALE;
}

/* ----------------------------------------------------------------------------------------------------------- notes */

bool snapshots_make_room(struct snapshots *snapshots, uint32_t more)
{
    if (snapshots->count + more <= snapshots->capacity) return true;
    const uint32_t capacity = (uint32_t)max_u64(snapshots->count + more, max_u64(NOTES_FIRST, 2 * snapshots->capacity));
    struct snapshot_note *grown = heap_grow(snapshots->notes, capacity * sizeof *grown);
    if (!grown) return false;
    snapshots->notes = grown;
    snapshots->capacity = capacity;
    return true;
}

struct snapshot_note *snapshots_part_of(struct snapshots *snapshots, uint64_t log)
{
    for (uint32_t i = 0; i < snapshots->count; i++)
        if (snapshots->notes[i].name.is_part && snapshots->notes[i].name.log == log) return &snapshots->notes[i];
    return NULL;
}

static void forget(struct snapshots *snapshots, struct snapshot_note *note)
{
    snapshots->dead -= note->dead_lsn != UINT64_MAX;
    *note = snapshots->notes[--snapshots->count]; /* marking goes downwards: the last one is not missed */
    snapshots->unmarked = (uint32_t)min_u64(snapshots->unmarked, snapshots->count);
}

static void declare_dead(struct snapshots *snapshots, struct snapshot_note *note, uint64_t lsn)
{
    snapshots->dead += note->dead_lsn == UINT64_MAX;
    snapshots->earliest = snapshots->dead == 1 ? lsn : min_u64(snapshots->earliest, lsn);
    note->dead_lsn = lsn;
}

/* Does any log still want the file, as everything stands that was admitted? */
static bool is_wanted(struct teak_store *store, const struct snapshot_note *note)
{
    if (note->writer) return true;
    if (note->is_aborted) return false;
    const struct log *log = logs_find(&store->logs, note->name.log);
    if (!log || !log->head.alive) return false;
    if (!note->name.is_part) return log->head.file_id == note->name.file_id;
    return log->head.life == note->life && log->head.snapshot.index < note->index &&
           log->head.base.index <= note->index;
}

/* The next few notes are looked at. What is not wanted goes once all that was admitted by now is durable: what took it
 * out of force is among that. */
static void mark_some(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    if (snapshots->changed) snapshots->unmarked = snapshots->count;
    snapshots->changed = false;
    for (uint32_t i = 0; i < MARKED_AT_ONCE && snapshots->unmarked > 0; i++) {
        struct snapshot_note *note = &snapshots->notes[--snapshots->unmarked];
        if (note->dead_lsn == UINT64_MAX && !is_wanted(store, note))
            declare_dead(snapshots, note, store->writer.data_lsn);
    }
}

static bool has_removable(const struct teak_store *store)
{
    return store->snapshots.dead > 0 && store->snapshots.earliest <= store->flight.durable_lsn;
}

static struct snapshot_note *first_removable(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    if (!has_removable(store)) return NULL;
    uint64_t earliest = UINT64_MAX;
    for (uint32_t i = 0; i < snapshots->count; i++) {
        if (snapshots->notes[i].dead_lsn <= store->flight.durable_lsn) return &snapshots->notes[i];
        earliest = min_u64(earliest, snapshots->notes[i].dead_lsn);
    }
    snapshots->earliest = earliest;
    return NULL;
}

/* --------------------------------------------------------------------------------------------------------- opening */

struct snapshot_listing {
    struct snapshots *snapshots;
    bool no_memory;
};

static void take_name(void *context, const char *text)
{
    struct snapshot_listing *listing = context;
    struct snapshot_name name;
    if (!snapshot_name_judge(text, &name)) return;
    if (!snapshots_make_room(listing->snapshots, 1)) {
        listing->no_memory = true;
        return;
    }
    listing->snapshots->notes[listing->snapshots->count++] =
        (struct snapshot_note){.name = name, .dead_lsn = UINT64_MAX};
}

static int by_file(const void *a, const void *b)
{
    const struct snapshot_name *x = &((const struct snapshot_note *)a)->name;
    const struct snapshot_name *y = &((const struct snapshot_note *)b)->name;
    if (x->log != y->log) return x->log < y->log ? -1 : 1;
    if (x->is_part != y->is_part) return x->is_part ? 1 : -1;
    return (x->file_id > y->file_id) - (x->file_id < y->file_id);
}

static void report_missing(struct teak_store *store, struct teak_report *report)
{
    const struct snapshots *snapshots = &store->snapshots;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        const struct log *log = store->logs.sorted[i];
        if (log->head.file_id == 0) continue;
        report->snapshot_files++;
        const struct snapshot_note wanted = {.name = {.log = log->id, .file_id = log->head.file_id}};
        if (snapshots->count > 0 && bsearch(&wanted, snapshots->notes, snapshots->count, sizeof wanted, by_file))
            continue;
        if (report->snapshots_missing < TEAK_SNAPSHOTS_MISSING_MAX)
            report->snapshot_missing_of[report->snapshots_missing] = log->id;
        report->snapshots_missing++;
    }
}

enum teak_status snapshots_load(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    struct snapshots *snapshots = &store->snapshots;
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = "snapshots", .flags = DISK_DIRECTORY};
    report->snapshot_files = report->snapshots_missing = 0;
    int os_errno = disk_run(store->disk, &open);
    if (os_errno && os_errno != ENOENT && os_errno != ENOTDIR) return fail_errno(error, os_errno, "open", "snapshots");
    snapshots->directory = open.file;
    struct snapshot_listing listing = {.snapshots = snapshots};
    if (!os_errno) {
        os_errno = disk_list(store->disk, snapshots->directory, take_name, &listing);
        if (os_errno) return fail_errno(error, os_errno, "list", "snapshots");
        if (listing.no_memory) return fail(error, TEAK_NO_MEMORY, "list");
    }
    if (snapshots->count > 1) qsort(snapshots->notes, snapshots->count, sizeof *snapshots->notes, by_file);
    if (!store->living) report_missing(store, report); /* beside a writer files come and go between two looks */
    for (uint32_t i = 0; i < snapshots->count && store->phase != STORE_READING; i++) {
        struct snapshot_note *note = &snapshots->notes[i];
        struct snapshot_head head;
        if (!note->name.is_part) continue;
        note->is_aborted = !snapshot_in_peek(store->disk, snapshots->directory, note->name.log,
                                             store->superblock.family, &head);
        if (note->is_aborted) continue;
        note->life = head.life;
        note->index = head.index;
    }
    snapshots->changed = snapshots->count > 0;
    return TEAK_OK;
}

static void free_all(struct teak_snapshot_writer *writer)
{
    while (writer) {
        struct teak_snapshot_writer *next = writer->next;
        snapshot_in_free(writer);
        writer = next;
    }
}

void snapshots_fini(struct snapshots *snapshots, struct disk *disk)
{
    free_all(snapshots->queue);
    free_all(snapshots->ended);
    disk_close_file(disk, &snapshots->directory);
    heap_give(snapshots->notes);
    *snapshots = (struct snapshots){.directory = DISK_NONE};
}

/* -------------------------------------------------------------------------------------------------------- trailing */

/* Counts back from `index` while the payloads fit. */
static enum teak_status walk_back(struct teak_store *store, const struct log *log, uint64_t index, uint64_t entries,
                                  uint64_t bytes, uint64_t *index_out, struct teak_error *error)
{
    const uint64_t least = index - entries;
    while (index > least) {
        const struct piece *piece = locate_piece(log, index);
        if (!piece) break;
        enum teak_status status = reader_hold(store, segment_of_piece(&store->segments, piece->segment), error);
        const uint64_t first = max_u64(piece->first, least + 1);
        if (status == TEAK_OK) status = reader_populate(store, piece, first, index - first + 1, error);
        if (status != TEAK_OK) return status;
        for (; index >= first; index--) {
            struct place place;
            if (!locate(&store->segments, log, index, &place) || place.bytes > bytes) {
                *index_out = index;
                return TEAK_OK;
            }
            bytes -= place.bytes;
        }
    }
    *index_out = index;
    return TEAK_OK;
}

static enum teak_status trailing_index(struct teak_store *store, const struct log *log, uint64_t index,
                                       struct teak_trailing keep, uint64_t *index_out, struct teak_error *error)
{
    const uint64_t base = log->head.base.index;
    *index_out = base;
    if (index <= base) return TEAK_OK;
    const uint64_t entries = min_u64(keep.entries, index - base);
    if (keep.bytes != UINT64_MAX) return walk_back(store, log, index, entries, keep.bytes, index_out, error);
    *index_out = index - entries;
    return TEAK_OK;
}

enum teak_status teak_trailing_index(struct teak_store *store, uint64_t id, uint64_t index, struct teak_trailing keep,
                                     uint64_t *index_out, struct teak_error *error)
{
    const struct log *log = logs_find(&store->logs, id);
    if (!log || !log->head.alive) return fail_log(error, TEAK_UNKNOWN_LOG, id);
    if (index > log->head.last.index) return fail_index(error, TEAK_BEYOND, id, index, log->head.last.index);
    return trailing_index(store, log, index, keep, index_out, error);
}

/* --------------------------------------------------------------------------------------------------------- install */

enum teak_status teak_snapshot_install(struct teak_snapshot_writer *writer, struct teak_trailing keep, uint64_t tag,
                                       struct teak_error *error)
{
    struct teak_store *store = writer->store;
    if (store_is_lent(store)) return fail(error, TEAK_IN_CALLBACK, "install");
    enum teak_status status = store_guard_writing(store, error);
    uint64_t offset;
    if (status == TEAK_OK) status = teak_snapshot_offset(writer, &offset, error); /* opened at last, if it is empty */
    if (status != TEAK_OK) return status;
    const struct snapshot_head *head = &writer->file_key.head;
    if (head->body_bytes != SNAPSHOT_BODY_UNKNOWN && offset < head->body_bytes)
        return fail_index(error, TEAK_GAP, head->log, head->index, offset);
    const struct log *log = logs_find(&store->logs, head->log);
    const struct teak_pos pos = {.index = head->index, .term = head->term};
    if (!log || !log->head.alive || log->head.life != head->life) return fail_log(error, TEAK_LOG_GONE, head->log);
    if (snapshot_is_stale(log, pos, writer->replaces))
        return fail_index(error, TEAK_BELOW_SNAPSHOT, head->log, head->index, log->head.snapshot.index + 1);
    struct snapshots *snapshots = &store->snapshots;
    if (snapshots->failure) return fail_errno(error, snapshots->failure, "sync", "snapshots");
    writer->tag = tag;
    writer->keep = keep;
    if (snapshots->queue)
        snapshots->queue_last->next = writer;
    else
        snapshots->queue = writer;
    snapshots->queue_last = writer;
    store->unstarted = true;
    return TEAK_OK;
}

static struct snapshot_note *note_of(struct snapshots *snapshots, const struct teak_snapshot_writer *writer)
{
    struct snapshot_note *note = snapshots_part_of(snapshots, writer->file_key.head.log);
    CHECK(note && note->writer == writer);
    return note;
}

static void leave_queue(struct snapshots *snapshots)
{
    struct teak_snapshot_writer *writer = snapshots->queue;
    snapshots->queue = writer->next;
    writer->next = NULL;
    snapshots->step = SNAPSHOT_IDLE;
}

/* It is over before anything was admitted. `is_renamed`: the file bears its name already. */
static void give_up(struct teak_store *store, enum teak_status status, bool is_renamed)
{
    struct snapshots *snapshots = &store->snapshots;
    struct teak_snapshot_writer *writer = snapshots->queue;
    struct snapshot_note *note = note_of(snapshots, writer);
    const struct snapshot_head *head = &writer->file_key.head;
    note->writer = NULL;
    if (is_renamed)
        note->name = (struct snapshot_name){
            .log = head->log, .index = head->index, .term = head->term, .file_id = head->file_id};
    else
        note->is_aborted = status != TEAK_NO_SPACE; /* what came is whole: when there is space it can be gone on with */
    snapshots->changed = true;
    leave_queue(snapshots);
    writer->status = status;
    if (writer->is_told) {
        snapshot_in_free(writer);
        return;
    }
    if (snapshots->ended)
        snapshots->ended_last->next = writer;
    else
        snapshots->ended = writer;
    snapshots->ended_last = writer;
}

/* What has become of its log since it was queued? */
static enum teak_status still_wanted(struct teak_store *store, const struct teak_snapshot_writer *writer)
{
    const struct snapshot_head *head = &writer->file_key.head;
    const struct log *log = logs_find(&store->logs, head->log);
    if (!log || !log->head.alive || log->head.life != head->life) return TEAK_LOG_GONE;
    const struct teak_pos pos = {.index = head->index, .term = head->term};
    return snapshot_is_stale(log, pos, writer->replaces) ? TEAK_BELOW_SNAPSHOT : TEAK_OK;
}

/* File, name and directory are durable: the record. A batch as the caller's are, but for what is starved: it is not the
 * caller who waits. */
static enum teak_status submit_record(struct teak_store *store, const struct teak_snapshot_writer *writer)
{
    const struct snapshot_head *head = &writer->file_key.head;
    const struct log *log = logs_find(&store->logs, head->log);
    const struct teak_pos pos = {.index = head->index, .term = head->term};
    struct teak_op ops[2] = {{.op = TEAK_OP_SNAPSHOT, .log = head->log, .index = pos.index, .term = pos.term},
                             {.op = TEAK_OP_COMPACT, .log = head->log}};
    struct teak_batch batch = {.ops = ops, .count = 1, .tag = writer->tag};
    const enum snapshot_effect effect = effect_of(log, pos, writer->replaces);
    struct teak_error error;
    if (effect == SNAPSHOT_KEEPS && pos.index > log->head.base.index &&
        /* an index that cannot be read now: more is kept than was asked for */
        trailing_index(store, log, pos.index, writer->keep, &ops[1].index, &error) == TEAK_OK)
        batch.count += ops[1].index > log->head.base.index;
    const bool was_starved = store->starved, was_unstarted = store->unstarted;
    store->writer.snapshot = (struct writer_snapshot){
        .effect = effect, .id = head->file_id, .bytes = writer->file_bytes, .sum = writer->file_sum};
    const enum teak_status status = writer_submit(store, &batch, &error);
    store->writer.snapshot = (struct writer_snapshot){0};
    store->starved = was_starved;
    if (status != TEAK_OK) store->unstarted = was_unstarted;
    return status;
}

static enum teak_status admit(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    struct teak_snapshot_writer *writer = snapshots->queue;
    if (store->writer.reserved) return TEAK_FULL; /* the open frame is the caller's */
    enum teak_status status = still_wanted(store, writer);
    if (status == TEAK_OK) status = submit_record(store, writer);
    if (status == TEAK_FULL) return status;
    if (status != TEAK_OK) {
        give_up(store, status, true);
        return TEAK_OK;
    }
    struct snapshot_note *note = note_of(snapshots, writer);
    const struct snapshot_head *head = &writer->file_key.head;
    note->name = (struct snapshot_name){
        .log = head->log, .index = head->index, .term = head->term, .file_id = head->file_id};
    note->writer = NULL;
    snapshots->changed = true;
    snapshots->installed++;
    snapshots->installed_bytes += writer->file_bytes;
    leave_queue(snapshots);
    snapshot_in_free(writer);
    return TEAK_OK;
}

/* ---------------------------------------------------------------------------------------------------------- chores */

static void begin_job(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    if (snapshots->queue) {
        const enum teak_status status = still_wanted(store, snapshots->queue);
        if (status != TEAK_OK) {
            give_up(store, status, false);
            return;
        }
        const struct snapshot_head *head = &snapshots->queue->file_key.head;
        snapshot_name_put(&(struct snapshot_name){.log = head->log, .is_part = true}, snapshots->name);
        snapshot_name_put(&(struct snapshot_name){.log = head->log, .index = head->index, .term = head->term,
                                                  .file_id = head->file_id},
                          snapshots->to);
        snapshots->step = SNAPSHOT_WRITE;
        return;
    }
    struct snapshot_note *note = first_removable(store);
    if (!note) return;
    snapshot_name_put(&note->name, snapshots->name);
    snapshots->removing = note->name.log;
    snapshots->removes_part = note->name.is_part;
    forget(snapshots, note);
    snapshots->step = SNAPSHOT_REMOVE;
}

static struct disk_op operation_of(struct snapshots *snapshots)
{
    struct disk_op op = {.flags = DISK_CHORE, .dir = snapshots->directory, .name = snapshots->name,
                         .to = snapshots->to, .owner = snapshots};
    struct teak_snapshot_writer *writer = snapshots->queue;
    switch (snapshots->step) {
    case SNAPSHOT_WRITE:
        op.kind = DISK_WRITE;
        op.file = writer->file;
        op.data = writer->window;
        op.bytes = snapshot_in_finish(writer, &op.offset);
        break;
    case SNAPSHOT_SYNC:
        op.kind = DISK_SYNC_ALL;
        op.file = writer->file;
        break;
    case SNAPSHOT_RENAME: op.kind = DISK_RENAME; break;
    case SNAPSHOT_SYNC_NAME:
        op.kind = DISK_SYNC_ALL;
        op.file = snapshots->directory;
        break;
    case SNAPSHOT_REMOVE: op.kind = DISK_UNLINK; break;
    case SNAPSHOT_ADMIT:
    case SNAPSHOT_IDLE: CHECK(false);
    }
    return op;
}

enum teak_status snapshots_step(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    if (snapshots->waiting) return TEAK_OK;
    mark_some(store);
    if (snapshots->step == SNAPSHOT_IDLE) begin_job(store);
    if (snapshots->step == SNAPSHOT_IDLE) return TEAK_OK;
    if (snapshots->step == SNAPSHOT_ADMIT) return admit(store);
    snapshots->op = operation_of(snapshots);
    snapshots->waiting = true;
    disk_submit(store->disk, &snapshots->op);
    return TEAK_OK;
}

bool snapshots_are_due(const struct teak_store *store)
{
    const struct snapshots *snapshots = &store->snapshots;
    if (snapshots->waiting) return false;
    if (snapshots->step == SNAPSHOT_ADMIT) return false; /* tried at every turn */
    return snapshots->step != SNAPSHOT_IDLE || snapshots->queue || snapshots->changed || snapshots->unmarked > 0 ||
           has_removable(store);
}

static enum teak_status status_of_job(int os_errno)
{
    struct teak_error error;
    const enum teak_status status = fail_errno(&error, os_errno, "install", "");
    return status == TEAK_NO_SPACE || status == TEAK_NO_MEMORY ? status : TEAK_IO;
}

void snapshots_ended(struct teak_store *store)
{
    struct snapshots *snapshots = &store->snapshots;
    const int os_errno = snapshots->op.error;
    snapshots->waiting = false;
    switch (snapshots->step) {
    case SNAPSHOT_WRITE:
        if (os_errno) give_up(store, status_of_job(os_errno), false);
        else snapshots->step = SNAPSHOT_SYNC;
        return;
    case SNAPSHOT_SYNC: /* no space, found out so late, is a failed sync: what the file holds is not known */
        if (os_errno) give_up(store, TEAK_IO, false);
        else snapshots->step = SNAPSHOT_RENAME;
        return;
    case SNAPSHOT_RENAME:
        if (os_errno) give_up(store, status_of_job(os_errno), false);
        else snapshots->step = SNAPSHOT_SYNC_NAME;
        return;
    case SNAPSHOT_SYNC_NAME:
        snapshots->failure = os_errno;
        if (os_errno) give_up(store, TEAK_IO, true);
        else snapshots->step = SNAPSHOT_ADMIT;
        return;
    case SNAPSHOT_REMOVE: /* where it cannot be removed it stays, and the next open finds it */
        snapshots->removed += os_errno == 0;
        snapshots->step = SNAPSHOT_IDLE;
        return;
    case SNAPSHOT_ADMIT:
    case SNAPSHOT_IDLE: break;
    }
    CHECK(false);
}

/* ---------------------------------------------------------------------------------------------------------- telling */

/* Of a poisoned store every installation that is under way has ended; its memory may still be at the disk. */
static struct teak_snapshot_writer *untold(const struct snapshots *snapshots)
{
    struct teak_snapshot_writer *writer = snapshots->queue;
    while (writer && writer->is_told) writer = writer->next;
    return writer;
}

bool snapshots_have_ended(const struct teak_store *store)
{
    const struct snapshots *snapshots = &store->snapshots;
    return snapshots->ended || (store->flight.poisoned && untold(snapshots));
}

bool snapshots_take_ended(struct teak_store *store, struct teak_completion *out)
{
    struct snapshots *snapshots = &store->snapshots;
    struct teak_snapshot_writer *writer = snapshots->ended;
    if (writer) {
        *out = (struct teak_completion){.tag = writer->tag, .status = writer->status};
        snapshots->ended = writer->next;
        snapshot_in_free(writer);
        return true;
    }
    writer = store->flight.poisoned ? untold(snapshots) : NULL;
    if (!writer) return false;
    writer->is_told = true;
    *out = (struct teak_completion){.tag = writer->tag, .status = TEAK_POISONED};
    return true;
}
