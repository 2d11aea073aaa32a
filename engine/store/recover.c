/* recover.c: see recover.h. */
#include "store/recover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/segment_id.h"
#include "os/heap.h"
#include "store/apply.h"
#include "store/failure.h"
#include "store/repair.h"
#include "store/replay.h"
#include "store/salvage.h"
#include "store/scan.h"

/* --------------------------------------------------------------------------------------------------------- listing */

struct numbers {
    uint64_t *list;
    uint64_t count, capacity;
};

struct listing {
    struct numbers segments, spares, temporaries;
    struct teak_report *report; /* unknown names go there */
    bool no_memory;
};

static void numbers_add(struct listing *listing, struct numbers *numbers, uint64_t number)
{
    if (numbers->count == numbers->capacity) {
        const uint64_t capacity = numbers->capacity ? numbers->capacity * 2 : 64;
        uint64_t *grown = heap_grow(numbers->list, capacity * sizeof *grown);
        if (!grown) {
            listing->no_memory = true;
            return;
        }
        numbers->list = grown;
        numbers->capacity = capacity;
    }
    numbers->list[numbers->count++] = number;
}

static void take_name(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number = 0;
    switch (name_judge(name, &number)) {
    case NAME_SEGMENT: numbers_add(listing, &listing->segments, number); return;
    case NAME_SPARE: numbers_add(listing, &listing->spares, number); return;
    case NAME_TEMPORARY: numbers_add(listing, &listing->temporaries, number); return;
    case NAME_STORE:
    case NAME_LOCK:
    case NAME_STATS:
    case NAME_SNAPSHOTS:
    case NAME_REPLACED: return;
    case NAME_OTHER: break;
    }
    struct teak_report *report = listing->report;
    if (report->unknown_count < TEAK_UNKNOWN_NAMES_MAX)
        snprintf(report->unknown[report->unknown_count], sizeof report->unknown[0], "%s", name);
    report->unknown_count++;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum teak_status list_directory(struct teak_store *store, struct listing *listing, struct teak_report *report,
                                       struct teak_error *error)
{
    *listing = (struct listing){.report = report};
    report->unknown_count = 0;
    const int os_errno = disk_list(store->disk, store->directory, take_name, listing);
    if (os_errno) return fail_errno(error, os_errno, "list", ".");
    if (listing->no_memory) return fail(error, TEAK_NO_MEMORY, "list");
    if (listing->segments.count > 1)
        qsort(listing->segments.list, listing->segments.count, sizeof(uint64_t), ascending);
    return TEAK_OK;
}

static void listing_free(struct listing *listing)
{
    heap_give(listing->segments.list);
    heap_give(listing->spares.list);
    heap_give(listing->temporaries.list);
}

/* ------------------------------------------------------------------------------------------------------------ lock */

enum { LOCK_RETRY_NS = 2000000 };

static uint64_t lock_owner(struct teak_store *store)
{
    char text[32] = {0};
    struct disk_op op = {.kind = DISK_READ, .file = store->lock_file, .data = text, .bytes = sizeof text - 1};
    if (disk_run(store->disk, &op) != 0) return 0;
    return strtoull(text, NULL, 10);
}

static enum teak_status open_lock(struct teak_store *store, uint32_t flags, struct teak_error *error)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = store->directory, .name = "LOCK", .flags = flags};
    const int os_errno = disk_run(store->disk, &op);
    store->lock_file = op.file;
    return os_errno ? fail_errno(error, os_errno, "lock", "LOCK") : TEAK_OK;
}

/* Waits without a lock held by anybody that lives: a dead owner's requests may still be landing. OK: `how` is held.
 * LOCKED: a living process has it. */
static enum teak_status wait_for_lock(struct teak_store *store, enum disk_lock how, uint32_t open_flags,
                                      uint64_t wait_ns, struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    for (;;) {
        const int os_errno = disk_lock(store->disk, store->lock_file, how);
        bool is_named = false;
        if (os_errno == 0) {
            const int named_errno = disk_is_named(store->disk, store->directory, "LOCK", store->lock_file, &is_named);
            if (named_errno == 0 && is_named) return TEAK_OK;
            disk_close_file(store->disk, &store->lock_file); /* a LOCK that is no longer the file of that name */
            const enum teak_status status = open_lock(store, open_flags, error);
            if (status != TEAK_OK) return status;
            continue;
        }
        if (os_errno != EWOULDBLOCK) return fail_errno(error, os_errno, "lock", "LOCK");
        const uint64_t owner = lock_owner(store);
        const bool is_over = disk_now(store->disk) - begin >= wait_ns;
        if (is_over || (owner != 0 && disk_is_process_alive(store->disk, owner))) {
            fail_file(error, TEAK_LOCKED, "lock", "LOCK", 0);
            if (error) {
                error->expected = owner;
                error->has_offset = 0;
            }
            return TEAK_LOCKED;
        }
        disk_pause(store->disk, LOCK_RETRY_NS);
    }
}

static int write_owner(struct teak_store *store, uint64_t owner)
{
    char text[32];
    snprintf(text, sizeof text, "%-20" PRIu64 "\n", owner);
    struct disk_op op = {.kind = DISK_WRITE, .file = store->lock_file, .data = text, .bytes = strlen(text)};
    return disk_run(store->disk, &op);
}

void recover_unlock(struct teak_store *store)
{
    /* A reader may hold LOCK for a moment when this process opens the store again: nobody that lives owns it then.
     * Where the word cannot be written the pid stays, as a dead process's does. Behind a failed write nothing is
     * written. */
    if (store->has_lock && !store->flight.poisoned) write_owner(store, 0);
}

enum teak_status recover_lock(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                              struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    const uint32_t flags = DISK_WRITABLE | DISK_OR_CREATE;
    enum teak_status status = open_lock(store, flags, error);
    if (status == TEAK_OK) status = wait_for_lock(store, DISK_LOCK_EXCLUSIVE, flags, wait_ns, error);
    report->lock_wait_ns = disk_now(store->disk) - begin;
    if (status != TEAK_OK) return status;
    store->has_lock = true;
    int os_errno = write_owner(store, disk_process_id(store->disk));
    if (!os_errno) os_errno = disk_guard(store->disk, store->lock_file);
    return os_errno ? fail_errno(error, os_errno, "lock", "LOCK") : TEAK_OK;
}

enum teak_status recover_lock_shared(struct teak_store *store, uint64_t wait_ns, struct teak_report *report,
                                     struct teak_error *error)
{
    const uint64_t begin = disk_now(store->disk);
    struct teak_error ignored;
    enum teak_status status = open_lock(store, 0, &ignored);
    if (status != TEAK_OK)
        return ignored.os_errno == ENOENT ? TEAK_OK : fail_errno(error, ignored.os_errno, "lock", "LOCK");
    status = wait_for_lock(store, DISK_LOCK_SHARED, 0, wait_ns, error);
    report->lock_wait_ns = disk_now(store->disk) - begin;
    store->living = status == TEAK_LOCKED;
    return store->living ? TEAK_OK : status;
}

/* ------------------------------------------------------------------------------------------------------ superblock */

/* What the identity of one segment repeats of STORE. A file that is not there, or whose identity is lost, says
 * nothing: NOT_FOUND. */
static enum teak_status ask_identity(struct teak_store *store, uint64_t number, struct segment_id *out,
                                     struct teak_error *error)
{
    char name[NAME_BYTES];
    name_segment(number, name);
    struct layout_identity layout;
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = name};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return os_errno == ENOENT ? TEAK_NOT_FOUND : fail_errno(error, os_errno, "open", name);
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = &layout, .bytes = sizeof layout};
    os_errno = disk_run(store->disk, &read);
    disk_close_file(store->disk, &open.file);
    if (os_errno) return fail_errno(error, os_errno, "read", name);
    if (read.done != sizeof layout) return TEAK_NOT_FOUND;
    const enum teak_status status = segment_id_judge((const uint8_t *)&layout, layout.family, out);
    if (status == TEAK_VERSION || status == TEAK_FEATURE) return fail_file(error, status, "judge", name, 0);
    return status == TEAK_OK && out->segment == number ? TEAK_OK : TEAK_NOT_FOUND;
}

/* STORE out of the identities of the segments (history 15): all that are whole must say the same. Its defaults are the
 * engine's, its instance is a new one. `lost`: what is wrong with STORE. */
static enum teak_status make_up_superblock(struct teak_store *store, enum teak_status lost, struct teak_error *error)
{
    struct teak_report report = {0};
    struct listing listing;
    struct segment_id first = {0}, id;
    enum teak_status status = list_directory(store, &listing, &report, error);
    bool is_known = false;
    for (uint64_t i = 0; i < listing.segments.count && status == TEAK_OK; i++) {
        const uint64_t number = listing.segments.list[i];
        status = ask_identity(store, number, &id, error);
        if (status == TEAK_NOT_FOUND) {
            status = TEAK_OK;
            continue;
        }
        if (status == TEAK_OK && !is_known) first = id;
        if (status == TEAK_OK && (memcmp(id.family, first.family, sizeof id.family) != 0 ||
                                  id.block_bytes != first.block_bytes || id.segment_bytes != first.segment_bytes))
            status = fail_segment(error, TEAK_FOREIGN_FILE, "judge", number, 0);
        is_known |= status == TEAK_OK;
    }
    const bool has_segments = listing.segments.count > 0;
    listing_free(&listing);
    if (status != TEAK_OK) return status;
    if (!is_known) return fail_file(error, lost == TEAK_NOT_A_STORE && has_segments ? TEAK_STORE_LOST : lost, "judge",
                                    "STORE", 0);
    store->superblock = (struct superblock){.block_bytes = first.block_bytes, .segment_bytes = first.segment_bytes};
    memcpy(store->superblock.family, first.family, sizeof first.family);
    const int os_errno =
        disk_entropy(store->disk, store->superblock.instance, sizeof store->superblock.instance);
    if (os_errno) return fail_errno(error, os_errno, "entropy", "");
    store->store_lost = true;
    if (error) *error = (struct teak_error){.status = TEAK_OK};
    return TEAK_OK;
}

static enum teak_status read_superblock(struct teak_store *store, bool *is_short, struct teak_error *error)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = "STORE"};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno == ENOENT) return fail_file(error, TEAK_NOT_A_STORE, "open", "STORE", 0);
    if (os_errno) return fail_errno(error, os_errno, "open", "STORE");
    uint8_t bytes[SUPERBLOCK_BYTES];
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = bytes, .bytes = sizeof bytes};
    os_errno = disk_run(store->disk, &read);
    disk_close_file(store->disk, &open.file);
    if (os_errno) return fail_errno(error, os_errno, "read", "STORE");
    *is_short = read.done < sizeof bytes;
    const enum teak_status status =
        superblock_judge(bytes, read.done, store->phase != STORE_READING, &store->superblock);
    return status == TEAK_OK ? TEAK_OK : fail_file(error, status, "judge", "STORE", 0);
}

enum teak_status recover_superblock(struct teak_store *store, struct teak_error *error)
{
    bool is_short = false;
    const enum teak_status status = read_superblock(store, &is_short, error);
    if (!store->mends || status == TEAK_OK) return status;
    if (status != TEAK_NOT_A_STORE && status != TEAK_BAD_MAGIC && status != TEAK_HASH_MISMATCH && !is_short)
        return status;
    return make_up_superblock(store, status, error);
}

struct scan_source recover_source(struct teak_store *store)
{
    return (struct scan_source){.disk = store->disk,
                                .directory = store->directory,
                                .open_flags = store->open_flags | (store->phase == STORE_READING ? 0u : DISK_WRITABLE),
                                .block_bytes = store->superblock.block_bytes,
                                .segment_bytes = store->superblock.segment_bytes,
                                .family = store->superblock.family,
                                .beside = store->phase == STORE_READING,
                                .settled = store->settled,
                                .lenient = store->lenient,
                                .harm = &store->harm};
}

/* ------------------------------------------------------------------------------------------------------------ tail */

/* What is scanned is first synced: a killed writer's bytes may be in a cache, and what is decided must not hang on
 * that. */
static enum teak_status load_synced(struct teak_store *store, const struct scan_source *source, struct image *image,
                                    struct teak_error *error)
{
    if (store->phase != STORE_READING) {
        struct disk_op sync = {.kind = DISK_SYNC, .file = image->file};
        int os_errno = disk_run(store->disk, &sync);
        if (!os_errno && !(store->open_flags & DISK_DIRECT)) os_errno = disk_drop_cache(store->disk, image->file);
        if (os_errno) {
            fail_segment(error, TEAK_IO, "sync", image->number, 0);
            if (error) error->os_errno = os_errno;
            return TEAK_IO;
        }
    }
    return image_load(source, image, error);
}

/* What stands before the segments that are scanned. */
struct before {
    bool is_sealed;
    struct footer footer;      /* of the sealed one                                                       */
    enum teak_status status;   /* not OK: file `number` is not that segment. It need not be: one that was forgotten */
    uint64_t number;           /* keeps its name until its next use is ready, whatever it holds                   */
    struct teak_error error;
};

static bool is_judgement(enum teak_status status)
{
    return status == TEAK_FOREIGN_FILE || status == TEAK_BAD_MAGIC || status == TEAK_SEGMENT_SHORT ||
           status == TEAK_BLOCK_SIZE || status == TEAK_LOG_GONE;
}

/* The newest segments, down to the first with a footer; oldest first. */
static enum teak_status open_tail(struct teak_store *store, const struct listing *listing, struct tail *tail,
                                  struct before *before, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    const struct numbers *numbers = &listing->segments;
    struct image found[SCAN_TAIL_MAX];
    enum teak_status status = TEAK_OK;
    for (uint64_t i = numbers->count; i-- > 0 && tail->count < SCAN_TAIL_MAX && status == TEAK_OK;) {
        if (i + 1 < numbers->count && numbers->list[i] + 1 != numbers->list[i + 1]) break;
        struct image *image = &found[tail->count];
        struct teak_error why = {0};
        status = image_open(&source, numbers->list[i], image, &why);
        if (status == TEAK_OK && !image->has_footer) {
            const uint64_t begin = disk_now(store->disk);
            status = load_synced(store, &source, image, &why);
            report->sync_ns += disk_now(store->disk) - begin;
            if (status != TEAK_OK) image_close(&source, image);
        }
        if (status == TEAK_LOG_GONE && tail->count == 0) {
            status = TEAK_OK; /* beside a writer: it is being prepared, nothing stands in it yet; or forgotten since */
            continue;
        }
        if (status != TEAK_OK) {
            if (error) *error = why;
            if (tail->count == 0 || !is_judgement(status)) break;
            *before = (struct before){.status = status, .number = numbers->list[i], .error = why};
            status = TEAK_OK;
            break;
        }
        if (image->has_footer) {
            before->footer = image->footer;
            before->is_sealed = true;
            image_close(&source, image);
            break;
        }
        tail->count++;
    }
    for (uint32_t i = 0; i < tail->count; i++) tail->images[i] = found[tail->count - 1 - i];
    return status;
}

static void close_tail(const struct scan_source *source, struct tail *tail)
{
    for (uint32_t i = 0; i < tail->count; i++) image_close(source, &tail->images[i]);
}

/* ---------------------------------------------------------------------------------------------------------- replay */

static struct segment *add_segment(struct teak_store *store, uint64_t number, enum segment_state state)
{
    struct segment *segment = segments_make_room(&store->segments) ? segment_new(number) : NULL;
    if (!segment) return NULL;
    segment->state = state;
    if (store->segments.newest + 1 != number) { /* the first one */
        store->segments.oldest = number;
        store->segments.newest = number - 1;
    }
    segments_push(&store->segments, segment);
    return segment;
}

struct replaying {
    struct teak_store *store;
    struct segment *segment;
};

static enum teak_status visit_frame(void *context, const uint8_t *frame, const struct frame_head *head,
                                    struct teak_error *error)
{
    const struct replaying *replaying = context;
    return replay_frame(replaying->store, replaying->segment, frame, head, error);
}

/* A segment that is scanned: its tables are in memory until it has an index (again). */
static enum teak_status replay_image(struct teak_store *store, struct image *image, uint64_t end,
                                     enum segment_state state, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct segment *segment = add_segment(store, image->number, state);
    if (!segment || !segment_make_tables(segment, store->superblock.segment_bytes))
        return fail(error, TEAK_NO_MEMORY, "replay");
    segment->key = image->key;
    segment->file_bytes = image->file_bytes;
    segment->frames_end = store->superblock.block_bytes;
    if (store->phase != STORE_READING) { /* the descriptor goes on with the segment */
        segment->file = image->file;
        image->file = DISK_NONE;
    }
    report->scanned++;
    struct replaying replaying = {.store = store, .segment = segment};
    return scan_frames(&source, image, end, visit_frame, &replaying, report, error);
}

/* ----------------------------------------------------------------------------------------------- what is left of it */

/* Answers of reading that on_damage = quarantine does not stop at. */
static bool is_passed_over(const struct teak_store *store, enum teak_status status)
{
    return store->quarantine && !store->living &&
           (status == TEAK_SEGMENT_MISSING || status == TEAK_SEGMENT_SHORT || status == TEAK_BAD_MAGIC ||
            status == TEAK_DAMAGED);
}

/* Gets its index before the first batch. */
static void note_unindexed(struct teak_store *store, uint64_t number)
{
    struct segments *segments = &store->segments;
    segments->unindexed = segments->unindexed ? min_u64(segments->unindexed, number) : number;
}

/* The segment of an image in which something is lost, with tables to replay what is not. */
static enum teak_status add_salvaged(struct teak_store *store, struct image *image, enum segment_state state,
                                     bool is_hurt, struct teak_report *report, struct teak_error *error)
{
    struct segment *segment = add_segment(store, image->number, state);
    if (!segment || !segment_make_tables(segment, store->superblock.segment_bytes))
        return fail(error, TEAK_NO_MEMORY, "replay");
    segment->key = image->key;
    segment->file_bytes = image->file_bytes;
    segment->is_cut_short = !image->has_footer && image->file_bytes != store->superblock.segment_bytes;
    segment->is_lost = !image->has_key; /* nothing in it can be judged: nothing of it is kept */
    segment->is_salvaged = is_hurt || segment->is_cut_short || segment->is_lost;
    segment->frames_end = store->superblock.block_bytes;
    if (store->phase != STORE_READING) {
        segment->file = image->file;
        image->file = DISK_NONE;
    }
    report->scanned++;
    return TEAK_OK;
}

static enum teak_status replay_rotten_frame(struct teak_store *store, const struct salvage *walk,
                                            struct segment *segment, struct teak_error *error)
{
    const uint8_t *frame = walk->tail->images[walk->image].bytes + walk->offset;
    uint32_t cursor = 0;
    struct op op;
    enum teak_status status = replay_frame(store, segment, frame, &walk->head, error);
    while (status == TEAK_OK && table_next(frame, &walk->head, &cursor, &op))
        for (uint32_t i = 0; op.code == OP_ENTRIES && i < op.count && status == TEAK_OK; i++) {
            if (salvage_entry_is_whole(walk, &op, i)) continue;
            const struct rotten rotten = {.log = op.log, .index = op.entries.first + i, .segment = segment->number,
                                          .offset = le32_get(op.entries.slots[i].offset)};
            status = replay_rotten(store, &rotten, error);
        }
    return status;
}

/* The segments that the walk passed over without a frame get a share of the LSNs that are lost: every segment has
 * some. */
static enum teak_status share_lost(const struct salvage *walk, struct segment *segment, uint64_t *skipped_lsn,
                                   struct teak_error *error)
{
    const bool goes_on = walk->next_image < walk->tail->count;
    const uint64_t skipped = goes_on && walk->next_image > walk->image + 1 ? walk->next_image - walk->image - 1 : 0;
    if (walk->last_lsn - walk->first_lsn < skipped)
        return fail_segment(error, TEAK_DECODE, "salvage", segment->number, walk->offset);
    if (segment->first_lsn == 0) segment->first_lsn = walk->first_lsn;
    segment->last_lsn = walk->last_lsn - skipped;
    *skipped_lsn = segment->last_lsn + 1;
    return TEAK_OK;
}

/* Where the successor's checkpoint attests the end of a segment that was salvaged, that is its end. */
static void take_attested_end(struct teak_store *store, const struct tail *tail, uint32_t i)
{
    const struct scan_source source = recover_source(store);
    struct segment *segment = segment_at(&store->segments, tail->images[i].number);
    struct frame_head head;
    struct op op;
    if (!image_checkpoint(&source, &tail->images[i + 1], &head, &op) || op.checkpoint.segment != segment->number)
        return;
    if (segment->is_lost) key_derive(&segment->key, source.family, op.checkpoint.salt);
    if (op.checkpoint.salt != segment->key.salt || op.checkpoint.last_lsn < segment->first_lsn) return;
    segment->frames_end =
        (uint32_t)min_u64(op.checkpoint.end_offset, source.segment_bytes - 2 * (uint64_t)source.block_bytes);
    segment->last_lsn = op.checkpoint.last_lsn;
    segment->chain = op.checkpoint.chain;
}

struct salvaging {
    struct salvage walk;
    uint32_t added, upto;  /* images that have a segment; images to replay       */
    uint32_t hurt;         /* a bit for each that lost something                 */
    uint64_t skipped_lsn;  /* for an image without a frame                       */
    bool knows_state;      /* the state at its beginning is known, or will be    */
    enum segment_state newest;
};

static enum teak_status add_upto(struct teak_store *store, struct salvaging *salvaging, uint32_t image,
                                 struct teak_report *report, struct teak_error *error)
{
    struct tail *tail = (struct tail *)(uintptr_t)salvaging->walk.tail;
    while (salvaging->added <= image && salvaging->added < salvaging->upto) {
        const uint32_t i = salvaging->added++;
        const bool is_skipped = i < image;
        const enum segment_state state = i + 1 == salvaging->upto ? salvaging->newest : SEGMENT_CLOSED;
        const bool is_hurt = is_skipped || (salvaging->hurt >> i & 1u);
        const enum teak_status status = add_salvaged(store, &tail->images[i], state, is_hurt, report, error);
        if (status != TEAK_OK) return status;
        struct segment *segment = segment_at(&store->segments, tail->images[i].number);
        if (is_skipped) segment->first_lsn = segment->last_lsn = salvaging->skipped_lsn++;
    }
    return TEAK_OK;
}

static bool logs_lack_heads(const struct logs *logs)
{
    for (uint32_t i = 0; i < logs->count; i++)
        if (!logs->sorted[i]->head.alive) return true;
    return false;
}

/* Replays what the walk finds in the first `upto` images. */
static enum teak_status replay_salvaged(struct teak_store *store, struct salvaging *salvaging,
                                        struct teak_report *report, struct teak_error *error)
{
    const struct salvage *walk = &salvaging->walk;
    enum teak_status status = TEAK_OK;
    while (status == TEAK_OK) {
        const enum salvage_item item = salvage_next(&salvaging->walk);
        if (item == SALVAGE_END || walk->image >= salvaging->upto) break;
        status = add_upto(store, salvaging, walk->image, report, error);
        if (status != TEAK_OK) break;
        struct segment *segment = segment_at(&store->segments, walk->tail->images[walk->image].number);
        const uint8_t *frame = walk->tail->images[walk->image].bytes + walk->offset;
        if (item == SALVAGE_LOST) {
            const bool is_state_lost = walk->is_checkpoint && !salvaging->knows_state && segment->first_lsn == 0;
            status = share_lost(walk, segment, &salvaging->skipped_lsn, error);
            if (status == TEAK_OK && is_state_lost && walk->first_lsn > 1)
                status = replay_revive(store, walk->first_lsn, error);
            if (!walk->is_checkpoint || (is_state_lost && walk->first_lsn > 1)) replay_lost(store, walk->first_lsn);
        } else if (item == SALVAGE_ROTTEN) {
            status = replay_rotten_frame(store, walk, segment, error);
        } else {
            status = replay_frame(store, segment, frame, &walk->head, error);
        }
        salvaging->knows_state = true;
    }
    if (status == TEAK_OK) status = add_upto(store, salvaging, salvaging->upto - 1, report, error);
    if (status == TEAK_OK && logs_lack_heads(&store->logs)) { /* not one checkpoint could be read */
        const uint64_t lsn = max_u64(walk->lsn, 1);
        replay_lost(store, lsn);
        status = replay_revive(store, lsn, error);
    }
    for (uint32_t i = 0; status == TEAK_OK && i < salvaging->upto && i + 1 < walk->tail->count; i++)
        if (i + 1 < salvaging->upto || salvaging->newest == SEGMENT_CLOSED) take_attested_end(store, walk->tail, i);
    store->salvaging = true;
    note_unindexed(store, walk->tail->images[0].number);
    return status;
}

/* A segment below the tail of which nothing can be read: what it did to any log is lost, and what the next one's
 * checkpoint says is known again. */
static enum teak_status lose_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                     struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct segment *segment = add_segment(store, number, SEGMENT_CLOSED);
    if (!segment || !segment_make_tables(segment, source.segment_bytes)) return fail(error, TEAK_NO_MEMORY, "replay");
    segment->is_lost = segment->is_salvaged = segment->is_missing = true;
    note_unindexed(store, number);
    segment->first_lsn = segment->last_lsn = *last_lsn + 1; /* until the next one says more */
    segment->frames_end = source.block_bytes;
    segment->file_bytes = source.segment_bytes;
    if (*last_lsn != 0) replay_lost(store, segment->first_lsn); /* else nothing that is known can be out of date */
    struct image next;
    struct frame_head head;
    struct op op;
    enum teak_status status = image_open(&source, number + 1, &next, error);
    if (status == TEAK_SEGMENT_MISSING) status = TEAK_OK;
    if (status == TEAK_OK && next.file != DISK_NONE) {
        status = image_load(&source, &next, error);
        if (status == TEAK_OK && image_checkpoint(&source, &next, &head, &op) &&
            op.checkpoint.segment == number && op.checkpoint.last_lsn >= segment->first_lsn) {
            key_derive(&segment->key, source.family, op.checkpoint.salt);
            segment->last_lsn = op.checkpoint.last_lsn;
            if (*last_lsn == 0) segment->first_lsn = segment->last_lsn;
            segment->chain = op.checkpoint.chain;
            segment->frames_end =
                (uint32_t)min_u64(op.checkpoint.end_offset, source.segment_bytes - 2 * (uint64_t)source.block_bytes);
            if (*last_lsn != 0) status = replay_checkpoint(store, segment, &op, error);
        } else if (status == TEAK_OK && next.has_footer && next.footer.first_lsn > segment->first_lsn) {
            segment->last_lsn = next.footer.first_lsn - 1;
            if (*last_lsn == 0) segment->first_lsn = segment->last_lsn;
        }
        image_close(&source, &next);
    }
    harm_note(&store->harm, report, (struct teak_damage){.segment = number, .first_lsn = segment->first_lsn,
                                                         .last_lsn = segment->last_lsn});
    report->hard_states_suspect |= store->losses.is_blind;
    *last_lsn = segment->last_lsn;
    store->salvaging = true;
    return status;
}

/* A segment below the tail without an index, in which frames are lost: what is left of it, and then what the next one's
 * checkpoint says. */
static enum teak_status salvage_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                        struct teak_report *report, struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    source.lenient = true;
    struct tail *pair = tail_new();
    if (!pair) return fail(error, TEAK_NO_MEMORY, "replay");
    struct salvaging salvaging = {.upto = 1, .newest = SEGMENT_CLOSED};
    struct frame_head head;
    struct op op;
    enum teak_status status = TEAK_OK;
    for (uint32_t i = 0; i < 2 && status == TEAK_OK; i++) {
        status = image_open(&source, number + i, &pair->images[i], error);
        if (i == 1 && is_passed_over(store, status)) { /* the next one is worse: what is behind this one is not known */
            status = TEAK_OK;
            break;
        }
        if (status == TEAK_OK) pair->count++;
        if (status == TEAK_OK) status = load_synced(store, &source, &pair->images[i], error);
    }
    const uint64_t lsn = *last_lsn ? *last_lsn + 1 : number == 1 ? 1 : 0;
    if (status == TEAK_OK) status = salvage_plan(&source, pair, lsn, false, &salvaging.hurt, report, error);
    if (status == TEAK_OK) {
        salvage_begin(&salvaging.walk, &source, pair, lsn, false);
        status = replay_salvaged(store, &salvaging, report, error);
    }
    if (status == TEAK_OK) {
        struct segment *segment = segment_at(&store->segments, number);
        if (pair->count > 1 && image_checkpoint(&source, &pair->images[1], &head, &op))
            status = replay_checkpoint(store, segment, &op, error);
        *last_lsn = segment->last_lsn;
    }
    for (uint32_t i = 0; i < pair->count; i++) image_close(&source, &pair->images[i]);
    heap_give(pair);
    return status;
}

static enum teak_status ignore_frame(void *context, const uint8_t *frame, const struct frame_head *head,
                                     struct teak_error *error)
{
    (void)context;
    (void)frame;
    (void)head;
    (void)error;
    return TEAK_OK;
}

/* A segment in the middle of the stream: its summary, or, if that is lost, its frames up to what the next one attests.
 * `last_lsn`: of the one before it; 0: there is none. */
static enum teak_status replay_sealed(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                      struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct image image;
    enum teak_status status = image_open(&source, number, &image, error);
    if (status == TEAK_SEGMENT_MISSING && is_passed_over(store, status))
        return lose_segment(store, number, last_lsn, report, error);
    if (is_passed_over(store, status)) return salvage_segment(store, number, last_lsn, report, error);
    if (status != TEAK_OK) return status;
    uint8_t *summary = NULL;
    if (image.has_footer) status = image_summary(&source, &image, &summary, error);
    const bool usable = status == TEAK_OK && image.has_footer && summary_judge(summary, &image.footer, &image.key);
    if (status == TEAK_OK && usable) {
        struct segment *segment = add_segment(store, number, SEGMENT_SEALED);
        if (!segment) {
            status = fail(error, TEAK_NO_MEMORY, "replay");
        } else {
            segment->key = image.key;
            segment->file_bytes = image.file_bytes;
            segment->is_short = image.file_bytes < store->superblock.segment_bytes;
            segment->footer = image.footer;
            segment->frames_end = image.footer.frames_end;
            segment->first_lsn = image.footer.first_lsn;
            segment->last_lsn = image.footer.last_lsn;
            segment->chain = image.footer.chain;
            report->sealed++;
            status = replay_summary(store, segment, summary, error);
        }
    } else if (status == TEAK_OK) { /* its index is lost: not damage */
        status = load_synced(store, &source, &image, error);
        uint64_t end = 0;
        const uint32_t damage_before = report->damage_count;
        const bool suspect_before = report->hard_states_suspect;
        if (status == TEAK_OK) status = scan_lost_index(&source, &image, &end, report, error);
        if (status == TEAK_OK && store->quarantine)
            status = scan_frames(&source, &image, end, ignore_frame, NULL, report, error);
        if (is_passed_over(store, status)) {
            heap_give(summary);
            image_close(&source, &image);
            report->damage_count = damage_before;
            report->hard_states_suspect = suspect_before;
            return salvage_segment(store, number, last_lsn, report, error);
        }
        if (status == TEAK_OK) status = replay_image(store, &image, end, SEGMENT_CLOSED, report, error);
        if (status == TEAK_OK) note_unindexed(store, number);
    }
    const struct segment *segment = status == TEAK_OK ? segment_at(&store->segments, number) : NULL;
    if (segment && *last_lsn && segment->first_lsn != *last_lsn + 1) {
        status = scan_gap(&source, number, *last_lsn + 1, segment->first_lsn, report, error);
    }
    if (segment) *last_lsn = segment->last_lsn;
    heap_give(summary);
    image_close(&source, &image);
    return status;
}

/* From the oldest kept to the newest. */
static enum teak_status replay_all(struct teak_store *store, struct tail *tail, struct salvaging *salvaging,
                                   struct teak_report *report, struct teak_error *error)
{
    const uint64_t tail_first = tail->images[0].number;
    uint64_t last_lsn = 0; /* of the segment before; 0: none */
    enum teak_status status = TEAK_OK;
    const uint64_t begin = disk_now(store->disk);
    for (uint64_t number = tail->oldest; number < tail_first && status == TEAK_OK; number++)
        status = replay_sealed(store, number, &last_lsn, report, error);
    report->sealed_ns = disk_now(store->disk) - begin;
    if (salvaging && status == TEAK_OK) return replay_salvaged(store, salvaging, report, error);
    for (uint32_t i = 0; i <= tail->last && status == TEAK_OK; i++) {
        struct image *image = &tail->images[i];
        if (image->number < tail->oldest) continue;
        const bool is_last = i == tail->last;
        struct frame_head head;
        struct op op;
        uint64_t end = tail->end;
        if (!is_last && image_checkpoint(&(struct scan_source){.block_bytes = store->superblock.block_bytes,
                                                               .family = store->superblock.family},
                                         &tail->images[i + 1], &head, &op))
            end = op.checkpoint.end_offset;
        status = replay_image(store, image, end, is_last ? SEGMENT_ACTIVE : SEGMENT_CLOSED, report, error);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------------------ read */

static void fill_report(struct teak_store *store, const struct tail *tail, struct teak_report *report)
{
    report->verdict = tail->is_clean             ? TEAK_VERDICT_CLEAN
                      : tail->later_frames > 0   ? TEAK_VERDICT_CUT
                                                 : TEAK_VERDICT_UNCLEAN;
    if (store->salvaging) report->verdict = TEAK_VERDICT_QUARANTINED;
    report->segments = store->segments.newest - store->segments.oldest + 1;
    report->spares = store->spares_seen;
    report->logs = store->logs.count;
    report->quarantined = 0;
    for (uint32_t i = 0; i < store->logs.count; i++)
        report->quarantined += (store->logs.sorted[i]->head.marks & LOG_HURT) != 0;
    report->last_lsn = tail->lsn - 1;
    report->scanned_frames = tail->frames;
    report->scanned_bytes = tail->bytes;
    if (report->verdict == TEAK_VERDICT_CUT) {
        report->cut_segment = tail->images[tail->last].number;
        report->cut_offset = tail->end;
        report->cut_frames = tail->later_frames;
        report->cut_bytes = tail->later_bytes;
    }
}

/* Files above the newest segment: behind a cut, or behind one that is missing. */
static void note_cut(struct teak_store *store, const struct numbers *numbers)
{
    uint64_t i = numbers->count;
    while (i > 0 && numbers->list[i - 1] > store->segments.newest) i--;
    store->cut_first = i < numbers->count ? numbers->list[i] : 0;
    store->cut_end = i < numbers->count ? numbers->list[numbers->count - 1] + 1 : 0;
}

/* The state of writer, flight and pool, as if everything that was read had just become durable. */
static enum teak_status take_over(struct teak_store *store, const struct listing *listing, const struct tail *tail,
                                  struct teak_error *error)
{
    struct writer *writer = &store->writer;
    if (tail->lsn - 1 >= UINT64_MAX / 2) /* never given: one frame a nanosecond takes 292 years */
        return fail_segment(error, TEAK_DECODE, "judge", store->segments.newest, tail->end);
    writer->next_lsn = tail->lsn;
    writer->data_lsn = tail->lsn - 1;
    writer->chain = tail->chain;
    writer->ends_in_mark = true; /* nothing was written yet that an idle mark could vouch for */
    writer->oldest = max_u64(writer->oldest, tail->oldest);
    struct flight *flight = &store->flight;
    flight->durable_lsn = flight->vouched_lsn = tail->lsn - 1;
    flight->durable_segment = store->segments.newest;
    flight->durable_offset = (uint32_t)tail->end;
    store->forgot_at = store->segments.newest;
    store->continues = tail->is_clean && !store->salvaging;
    note_cut(store, &listing->segments);
    store->spares_seen = listing->spares.count;
    if (store->phase == STORE_READING) return TEAK_OK;
    bool enough = true;
    for (uint64_t i = 0; i < listing->spares.count; i++)
        enough &= pool_add(&store->pool, (struct stock){.is_spare = true, .number = listing->spares.list[i]});
    for (uint64_t i = 0; i < listing->segments.count && listing->segments.list[i] < store->segments.oldest; i++)
        enough &= pool_add(&store->pool, (struct stock){.number = listing->segments.list[i]});
    for (uint64_t i = 0; i < listing->temporaries.count; i++)
        store->pool.next_spare = max_u64(store->pool.next_spare, listing->temporaries.list[i] + 1);
    store->leftover_count = (uint32_t)min_u64(listing->temporaries.count, UINT32_MAX);
    return enough ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "open");
}

/* Numbers from the oldest kept to the tail are all there. */
static enum teak_status check_row(const struct listing *listing, const struct tail *tail, struct teak_error *error)
{
    const struct numbers *numbers = &listing->segments;
    uint64_t expected = tail->images[0].number;
    for (uint64_t i = numbers->count; i-- > 0 && expected > tail->oldest;) {
        if (numbers->list[i] >= expected) continue;
        if (numbers->list[i] != expected - 1) break;
        expected--;
    }
    if (expected <= tail->oldest) return TEAK_OK;
    char name[NAME_BYTES];
    name_segment(expected - 1, name);
    fail_file(error, TEAK_SEGMENT_MISSING, "list", name, 0);
    if (error) error->segment = expected - 1;
    return TEAK_SEGMENT_MISSING;
}

/* Numbers that no writer comes to, under sums that hold: malice. Nothing behind this must fear that they wrap. */
static enum teak_status check_sense(const struct tail *tail, struct teak_error *error)
{
    enum { NUMBERS_BITS = 62 };
    const struct image *last = &tail->images[tail->last];
    if (tail->oldest > 0 && tail->oldest <= last->number && last->number >> NUMBERS_BITS == 0 &&
        tail->lsn >> NUMBERS_BITS == 0)
        return TEAK_OK;
    return fail_segment(error, TEAK_DECODE, "scan", last->number, tail->end);
}

/* The first damaged place decides; the report names all of the tail. Where it cannot be walked, the first. */
static void list_all_damage(struct teak_store *store, const struct tail *tail, const struct before *before,
                            struct teak_report *report)
{
    const struct scan_source source = recover_source(store);
    const uint64_t lsn = before->is_sealed ? before->footer.last_lsn + 1 : tail->images[0].number == 1 ? 1 : 0;
    const struct teak_report first = *report;
    struct tail *walked = heap_take(sizeof *walked);
    if (!walked) return;
    *walked = *tail;
    uint32_t hurt;
    report->damage_count = 0;
    const bool is_walked = salvage_plan(&source, walked, lsn, false, &hurt, report, NULL) == TEAK_OK;
    heap_give(walked);
    report->logs_may_be_missing = first.logs_may_be_missing;
    report->hard_states_suspect |= first.hard_states_suspect;
    if (is_walked && report->damage_count >= first.damage_count) return;
    *report = first;
    report->damage_count = 0;
    for (uint32_t i = 0; i < first.damage_count && i < TEAK_DAMAGE_MAX; i++)
        harm_note(&store->harm, report, first.damage[i]);
    report->damage_count = first.damage_count;
}

/* Opens and judges the tail as a store has to be: damage is an answer. */
static enum teak_status judge_tail(struct teak_store *store, const struct listing *listing, struct tail *tail,
                                   struct before *before, struct teak_report *report, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    enum teak_status status = open_tail(store, listing, tail, before, report, error);
    if (status != TEAK_OK) return status;
    if (tail->count == 0) /* a sealed segment always has a successor */
        return fail_segment(error, TEAK_SEGMENT_MISSING, "list", before->footer.segment + 1, 0);
    uint64_t shown = UINT64_MAX;
    if (store->living) {
        shown = before->is_sealed ? before->footer.last_lsn + 1 : 0;
        for (uint32_t i = 0; i < tail->count; i++) shown = max_u64(shown, image_vouched(&source, &tail->images[i]));
    }
    status = scan_tail(&source, tail, before->is_sealed ? &before->footer : NULL, shown, report, error);
    if (status == TEAK_DAMAGED && before->status != TEAK_OK && tail->frames == 0 &&
        image_vouched(&source, &tail->images[0]) == 0) { /* not one frame behind the file that is wrong */
        report->damage_count = 0;
        report->hard_states_suspect = false;
        status = before->status;
        if (error) *error = before->error;
    }
    if (status == TEAK_DAMAGED) list_all_damage(store, tail, before, report);
    if (status == TEAK_OK) status = check_sense(tail, error);
    if (status == TEAK_OK && before->status != TEAK_OK && before->number >= tail->oldest) {
        status = before->status;
        if (error) *error = before->error;
    }
    return status;
}

/* The sealed segment before the tail, as its first image: its checkpoint and frames say again what the lost checkpoint
 * behind it said (history 15). Where it cannot be had, the tail stays as it is. */
static enum teak_status prepend_sealed(struct teak_store *store, const struct listing *listing, struct tail *tail,
                                       uint64_t *lsn, struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    if (tail->count == SCAN_TAIL_MAX) return TEAK_OK;
    const uint64_t newest = listing->segments.list[listing->segments.count - 1];
    const uint64_t number = tail->count > 0 ? tail->images[0].number - 1 : newest;
    struct image image = {.file = DISK_NONE};
    enum teak_status status = number == 0 ? TEAK_SEGMENT_MISSING : image_open(&source, number, &image, error);
    if (is_passed_over(store, status)) return TEAK_OK;
    if (status == TEAK_OK) status = load_synced(store, &source, &image, error);
    if (status != TEAK_OK || !image.has_footer) {
        image_close(&source, &image); /* fine where it is not open */
        return status;
    }
    for (uint32_t i = tail->count; i > 0; i--) tail->images[i] = tail->images[i - 1];
    tail->images[0] = image;
    tail->count++;
    *lsn = image.footer.first_lsn;
    return TEAK_OK;
}

/* What lies below the oldest that is kept is nothing, whatever it holds. */
static bool drop_forgotten(const struct scan_source *source, struct tail *tail)
{
    bool dropped = false;
    while (tail->count > 1 && tail->images[0].number < tail->oldest) {
        image_close(source, &tail->images[0]);
        tail->count--;
        for (uint32_t i = 0; i < tail->count; i++) tail->images[i] = tail->images[i + 1];
        dropped = true;
    }
    return dropped;
}

/* The lowest number from which on all are there: where nobody can say any more which is the oldest kept. */
static uint64_t lowest_of_row(const struct listing *listing)
{
    const struct numbers *numbers = &listing->segments;
    uint64_t i = numbers->count - 1;
    while (i > 0 && numbers->list[i - 1] + 1 == numbers->list[i]) i--;
    return numbers->list[i];
}

/* Not one head of a frame, but in a store's first segment, can be read in it. */
static bool is_mute(const struct scan_source *source, const struct tail *tail)
{
    for (uint32_t i = 0; i < tail->count; i++)
        if (image_vouched(source, &tail->images[i]) > 0) return false;
    return tail->count > 0;
}

/* The newest files hold not one frame, and the one before them is missing: they were made ready for what comes next,
 * and tell nothing of where the log ends. */
static bool is_behind_a_gap(const struct scan_source *source, const struct listing *listing, const struct tail *tail)
{
    const struct numbers *numbers = &listing->segments;
    if (tail->count >= numbers->count || !is_mute(source, tail)) return false;
    return numbers->list[numbers->count - tail->count - 1] + 1 != tail->images[0].number;
}

/* Damage is passed over: the tail is opened again, as far as it can be read, and planned anew. */
static enum teak_status plan_salvage(struct teak_store *store, const struct listing *listing, struct tail *tail,
                                     struct salvaging *salvaging, struct teak_report *report, struct teak_error *error)
{
    store->lenient = true;
    const struct scan_source source = recover_source(store);
    close_tail(&source, tail);
    *tail = (struct tail){0};
    struct before before = {.status = TEAK_OK};
    report->damage_count = 0;
    report->hard_states_suspect = false;
    struct listing known = *listing;
    enum teak_status status = open_tail(store, &known, tail, &before, report, error);
    const bool is_cut_off = status == TEAK_OK && is_behind_a_gap(&source, &known, tail);
    if (is_cut_off) {
        known.segments.count -= tail->count;
        close_tail(&source, tail);
        *tail = (struct tail){0};
        before = (struct before){.status = TEAK_OK};
        status = open_tail(store, &known, tail, &before, report, error);
    }
    if (status != TEAK_OK) return status;
    struct frame_head head;
    struct op op;
    uint64_t lsn = before.is_sealed ? before.footer.last_lsn + 1 : 0;
    const struct image *newest = &tail->images[tail->count - (tail->count > 0)];
    /* A footer proves that the next segment's checkpoint was durable: where nothing can be read behind it, anything may
     * have stood there. */
    const bool is_open_ended = is_cut_off || tail->count == 0 || (newest->is_suspect && !newest->has_key) ||
                               (before.is_sealed && is_mute(&source, tail));
    if (tail->count == 0 || !image_checkpoint(&source, &tail->images[0], &head, &op))
        status = prepend_sealed(store, &known, tail, &lsn, error);
    if (status == TEAK_OK && tail->count == 0)
        return fail_segment(error, TEAK_SEGMENT_MISSING, "list", listing->segments.list[0], 0);
    if (lsn == 0 && tail->images[0].number == 1) lsn = 1;
    if (status == TEAK_OK)
        status = salvage_plan(&source, tail, lsn, is_open_ended, &salvaging->hurt, report, error);
    if (status == TEAK_OK && drop_forgotten(&source, tail)) {
        report->damage_count = 0;
        report->hard_states_suspect = report->logs_may_be_missing = false;
        lsn = 0;
        status = salvage_plan(&source, tail, lsn, is_open_ended, &salvaging->hurt, report, error);
    }
    if (status != TEAK_OK) return status;
    if (tail->oldest == 0) tail->oldest = min_u64(lowest_of_row(&known), tail->images[0].number);
    salvaging->upto = tail->last + 1;
    salvaging->newest = SEGMENT_ACTIVE;
    salvage_begin(&salvaging->walk, &source, tail, lsn, is_open_ended);
    return check_sense(tail, error);
}

/* So many files that are not there are not made up for. */
static bool is_too_thin(const struct listing *listing, const struct tail *tail)
{
    enum { MISSING_MAX = 64 };
    const uint64_t needed = tail->images[0].number - min_u64(tail->oldest, tail->images[0].number);
    return needed > listing->segments.count + MISSING_MAX;
}

static enum teak_status read_once(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    struct listing listing;
    struct tail *tail = tail_new();
    if (!tail) return fail(error, TEAK_NO_MEMORY, "open");
    const uint64_t begin = disk_now(store->disk);
    enum teak_status status = list_directory(store, &listing, report, error);
    report->list_ns = disk_now(store->disk) - begin;
    if (status == TEAK_OK && listing.segments.count == 0) {
        char name[NAME_BYTES];
        name_segment(1, name);
        status = fail_file(error, TEAK_SEGMENT_MISSING, "list", name, 0);
    }
    struct before before = {.status = TEAK_OK};
    struct salvaging salvaging = {.hurt = 0};
    const uint64_t scan_begin = disk_now(store->disk);
    if (status == TEAK_OK) {
        status = judge_tail(store, &listing, tail, &before, report, error);
        if (is_passed_over(store, status)) status = plan_salvage(store, &listing, tail, &salvaging, report, error);
    }
    if (status == TEAK_OK && (!is_passed_over(store, TEAK_SEGMENT_MISSING) || is_too_thin(&listing, tail)))
        status = check_row(&listing, tail, error);
    if (status == TEAK_OK)
        status = replay_all(store, tail, salvaging.upto > 0 ? &salvaging : NULL, report, error);
    report->scan_ns = disk_now(store->disk) - scan_begin - report->sealed_ns;
    if (status == TEAK_OK) status = replay_finish(store, report, error);
    if (status == TEAK_OK) status = take_over(store, &listing, tail, error);
    if (status == TEAK_OK) status = snapshots_load(store, report, error);
    if (status == TEAK_OK) fill_report(store, tail, report);
    source.lenient = store->lenient;
    close_tail(&source, tail);
    store->lenient = false;
    heap_give(tail);
    listing_free(&listing);
    return status;
}

/* Beside a writer files vanish, and bytes are read before they land. What is told twice in a row of one place is so; a
 * file that is gone is looked for in a new listing, for a while. */
enum teak_status recover_read(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    enum { PAUSE_NS = 2000000 };
    const uint64_t until = disk_now(store->disk) + UINT64_C(5000000000);
    struct teak_error why = {0}, before = {0};
    enum teak_status status;
    store->settled = store->phase == STORE_READING && !store->living; /* LOCK is held, or nobody ever opened it */
    for (;;) {
        report->damage_count = 0;
        report->hard_states_suspect = report->logs_may_be_missing = false;
        store->salvaging = store->lenient = false;
        replay_forget_losses(store);
        report->scanned = report->sealed = report->sealed_ns = report->sync_ns = 0;
        why = (struct teak_error){0};
        status = read_once(store, report, &why);
        if (status == TEAK_OK || store->phase != STORE_READING) break;
        if (!store->living && status != TEAK_LOG_GONE) break;
        const bool is_gone = status == TEAK_LOG_GONE || status == TEAK_SEGMENT_MISSING;
        const bool is_same_place = why.segment == before.segment && why.offset == before.offset;
        if (!is_gone && why.status == before.status && is_same_place) break;
        if (disk_now(store->disk) >= until) break;
        before = why;
        segments_fini(&store->segments, store->disk);
        logs_fini(&store->logs);
        snapshots_fini(&store->snapshots, store->disk);
        if (!segments_init(&store->segments) || !logs_init(&store->logs)) return fail(error, TEAK_NO_MEMORY, "open");
        disk_pause(store->disk, PAUSE_NS);
    }
    store->settled = false;
    store->harm_count = report->damage_count;
    if (status == TEAK_DAMAGED) report->verdict = TEAK_VERDICT_DAMAGED;
    if (status == TEAK_LOG_GONE) return fail(error, TEAK_SEGMENT_MISSING, "open");
    if (status != TEAK_OK && error) *error = why;
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- apply */

static enum teak_status sync_directory(struct teak_store *store, struct teak_error *error)
{
    struct disk_op op = {.kind = DISK_SYNC_ALL, .file = store->directory};
    const int os_errno = disk_run(store->disk, &op);
    return os_errno ? fail_errno(error, os_errno, "sync", ".") : TEAK_OK;
}

/* Half-made spares of a former life. Where one cannot be removed it stays a name that means nothing. */
static void remove_leftovers(struct teak_store *store)
{
    if (store->leftover_count == 0) return;
    struct teak_report report = {0};
    struct listing listing;
    if (list_directory(store, &listing, &report, NULL) == TEAK_OK)
        for (uint64_t i = 0; i < listing.temporaries.count; i++) {
            char name[NAME_BYTES];
            name_spare_temporary(listing.temporaries.list[i], name);
            struct disk_op op = {.kind = DISK_UNLINK, .dir = store->directory, .name = name};
            disk_run(store->disk, &op);
        }
    listing_free(&listing);
    store->leftover_count = 0;
}

/* A name was changed, and the sync of its directory failed: asked again, that could be called a success. */
static enum teak_status name_not_durable(struct teak_store *store, int os_errno, struct teak_error *error)
{
    flight_poison(&store->flight, os_errno, "sync", segment_active(&store->segments), 0);
    if (error) *error = store->flight.cause;
    return TEAK_POISONED;
}

/* Newest first, so that at every moment what is there is contiguous. */
static enum teak_status discard_behind_cut(struct teak_store *store, struct teak_error *error)
{
    while (store->cut_end > store->cut_first) {
        const struct stock spare = {.is_spare = true, .number = store->pool.next_spare};
        char from[NAME_BYTES], to[NAME_BYTES];
        name_segment(store->cut_end - 1, from);
        name_spare(spare.number, to);
        if (store->salvaging) {
            bool is_moved;
            struct teak_error why;
            const enum teak_status status = repair_move_away(store, from, &is_moved, &why);
            if (status != TEAK_OK && is_moved) return name_not_durable(store, why.os_errno, error);
            if (status != TEAK_OK && error) *error = why;
            if (status != TEAK_OK) return status;
            store->cut_end--;
            continue;
        }
        struct disk_op op = {.kind = DISK_RENAME, .dir = store->directory, .name = from, .to = to};
        const int os_errno = disk_run(store->disk, &op);
        if (os_errno) return fail_errno(error, os_errno, "rename", from);
        store->cut_end--;
        if (!pool_add(&store->pool, spare)) store->pool.next_spare++; /* the next opening finds it */
        struct teak_error why;
        if (sync_directory(store, &why) != TEAK_OK) return name_not_durable(store, why.os_errno, error);
    }
    return TEAK_OK;
}

/* Could a later opening take this for a frame of the segment? Of what lies there from an earlier use no head holds this
 * salt. */
static bool looks_like_frame(const struct segment *segment, const uint8_t *block)
{
    struct layout_frame layout;
    memcpy(&layout, block, sizeof layout);
    return le64_get(layout.magic) == MAGIC_FRAME && le64_get(layout.salt) == segment->key.salt;
}

/* Heads of the active segment in one piece of its file, and what they begin, become zeros. An errno. */
static int clear_piece(struct teak_store *store, uint8_t *piece, uint64_t offset, uint64_t bytes)
{
    const struct segment *active = segment_active(&store->segments);
    const uint32_t block = store->limits.block_bytes;
    struct disk_op read = {.kind = DISK_READ, .file = active->file, .data = piece, .bytes = bytes, .offset = offset};
    int os_errno = disk_run(store->disk, &read);
    if (!os_errno && read.done != bytes) os_errno = EIO;
    for (uint64_t at = 0; at < bytes && !os_errno; at += block) {
        if (!looks_like_frame(active, piece + at)) continue;
        struct disk_op write = {.kind = DISK_WRITE, .file = active->file, .data = store->pool.zeros, .bytes = block,
                                .offset = offset + at};
        os_errno = disk_run(store->disk, &write);
        if (os_errno) flight_poison(&store->flight, os_errno, "clear", active, offset + at);
    }
    return os_errno;
}

/* There is no space for a fresh segment, and none is needed: the active one is written on. What flew behind the cut was
 * promised to nobody; it goes first, so that no frame of an earlier life ever stands behind one of this life
 * (history 8). Whatever of it is left by a crash, the next opening judges alike: the cut is where it was, and only a
 * later head could vouch for more. */
static enum teak_status go_on_behind_cut(struct teak_store *store, struct teak_error *error)
{
    static_assert(POOL_PIECE_BYTES % BLOCK_BYTES_MAX == 0, "pieces are whole blocks");
    struct segment *active = segment_active(&store->segments);
    struct disk_file_info info;
    int os_errno = disk_stat(store->disk, active->file, &info);
    if (!os_errno && info.links > 1) os_errno = ENOSPC; /* somebody's backup: nothing is written into it (history 17) */
    if (os_errno) return fail_errno(error, os_errno, "prepare", "");
    uint8_t *piece = heap_take_aligned(65536, POOL_PIECE_BYTES);
    if (!piece) return fail(error, TEAK_NO_MEMORY, "recover");
    for (uint64_t offset = active->frames_end; offset < active->file_bytes && !os_errno; offset += POOL_PIECE_BYTES)
        os_errno = clear_piece(store, piece, offset, min_u64(POOL_PIECE_BYTES, active->file_bytes - offset));
    heap_give(piece);
    struct disk_op sync = {.kind = DISK_SYNC, .file = active->file};
    if (!os_errno) {
        os_errno = disk_run(store->disk, &sync);
        if (os_errno) flight_poison(&store->flight, os_errno, "sync", active, active->frames_end);
    }
    if (store->flight.poisoned) {
        if (error) *error = store->flight.cause;
        return TEAK_POISONED;
    }
    if (os_errno) return fail_errno(error, os_errno, "clear", "");
    struct teak_error why; /* names that a killed process changed and did not come to sync: STORE itself, maybe */
    if (sync_directory(store, &why) != TEAK_OK) return name_not_durable(store, why.os_errno, error);
    store->writer.alone = true;
    store->phase = STORE_WRITING;
    return TEAK_OK;
}

enum teak_status recover_apply(struct teak_store *store, struct teak_error *error)
{
    struct segments *segments = &store->segments;
    remove_leftovers(store);
    if (store->store_lost) {
        const enum teak_status status = repair_make_store(store, error);
        if (status != TEAK_OK) return status;
        store->store_lost = false;
    }
    if (store->continues) {
        /* What is behind the mark was prepared, never used; it is prepared again, under another salt. */
        const enum teak_status status = discard_behind_cut(store, error);
        if (status != TEAK_OK) return status;
        store->writer.alone = true;
        store->phase = STORE_WRITING;
        return TEAK_OK;
    }
    enum teak_status status = store->salvaging ? repair_keep_damaged(store, error) : TEAK_OK;
    if (status == TEAK_OK) status = discard_behind_cut(store, error);
    if (status != TEAK_OK) return status;
    if (!segments_make_room(segments)) return fail(error, TEAK_NO_MEMORY, "recover");
    struct segment *fresh;
    const int os_errno = pool_prepare_now(&store->pool, store->disk, segments->newest + 1, &fresh);
    if (os_errno && !store->salvaging && store->pool.no_space) return go_on_behind_cut(store, error);
    if (os_errno) return fail_errno(error, os_errno, "prepare", "");
    segment_move(segment_active(segments), SEGMENT_CLOSED);
    segment_move(fresh, SEGMENT_ACTIVE);
    segments_push(segments, fresh);
    status = writer_put_checkpoint(store);
    CHECK_EQ(status, TEAK_OK); /* an idle store has room for its largest checkpoint */
    if (flight_land_now(&store->flight, store->disk) != 0) {
        if (error) *error = store->flight.cause;
        return TEAK_POISONED;
    }
    uint64_t position;
    if (flight_advance(&store->flight, disk_now(store->disk), &position)) store->arena.durable = position;
    store->phase = STORE_WRITING;
    store->salvaging = false;
    return TEAK_OK;
}

/* ---------------------------------------------------------------------------------------------------------- create */

enum teak_status recover_write_superblock(struct teak_store *store, struct teak_error *error)
{
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&store->superblock, bytes);
    struct disk_op unlink = {.kind = DISK_UNLINK, .dir = store->directory, .name = "STORE.tmp"};
    disk_run(store->disk, &unlink); /* of a creation that was cut short; usually there is none */
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = "STORE.tmp",
                           .flags = DISK_CREATE | DISK_WRITABLE};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return fail_errno(error, os_errno, "create", "STORE.tmp");
    struct disk_op write = {.kind = DISK_WRITE, .file = open.file, .data = bytes, .bytes = sizeof bytes};
    struct disk_op sync = {.kind = DISK_SYNC_ALL, .file = open.file};
    struct disk_op rename = {.kind = DISK_RENAME, .dir = store->directory, .name = "STORE.tmp", .to = "STORE",
                             .flags = store->store_lost ? DISK_REPLACE : 0};
    os_errno = disk_run(store->disk, &write);
    if (!os_errno) os_errno = disk_run(store->disk, &sync);
    disk_close_file(store->disk, &open.file);
    if (!os_errno) os_errno = disk_run(store->disk, &rename);
    return os_errno ? fail_errno(error, os_errno, "create", "STORE") : sync_directory(store, error);
}

static bool is_virgin(const struct scan_source *source, const struct image *image)
{
    struct frame_head head;
    struct op op;
    if (image->identity != TEAK_OK || image->has_footer) return false;
    if (image_checkpoint(source, image, &head, &op) && (op.count > 0 || head.op_count != 1)) return false;
    /* A checkpoint of no logs takes one block, whole or torn; behind it are the zeros that the file was filled with. */
    const uint64_t behind = 2 * (uint64_t)source->block_bytes;
    return bytes_are_zero(image->bytes + behind, image->file_bytes - behind);
}

/* Is it the first segment of a creation that did not come as far as STORE: the first checkpoint, of no logs, or less?
 * Its family is the one it names itself. STORE_LOST: it is not. What cannot be read is not judged. */
static enum teak_status judge_virgin(struct teak_store *store, uint64_t number, const char *name,
                                     struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    struct image image = {.number = number};
    struct layout_identity layout;
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = name};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return fail_errno(error, os_errno, "open", name);
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = &layout, .bytes = sizeof layout};
    os_errno = disk_run(store->disk, &read);
    disk_close_file(store->disk, &open.file);
    if (os_errno) return fail_errno(error, os_errno, "read", name);
    if (number != 1 || read.done != sizeof layout) return fail_file(error, TEAK_STORE_LOST, "open", name, 0);
    source.family = layout.family;
    source.block_bytes = le32_get(layout.block_bytes);
    source.segment_bytes = le64_get(layout.segment_bytes);
    if (!layout_sizes_are_sound(source.block_bytes, source.segment_bytes))
        return fail_file(error, TEAK_STORE_LOST, "open", name, 0);
    enum teak_status status = image_open(&source, number, &image, error);
    if (status == TEAK_OK) {
        status = image_load(&source, &image, error);
        if (status == TEAK_OK && !is_virgin(&source, &image))
            status = fail_file(error, TEAK_STORE_LOST, "open", name, 0);
        image_close(&source, &image);
    }
    if (status == TEAK_OK || status == TEAK_IO || status == TEAK_NO_MEMORY || status == TEAK_NO_SPACE ||
        status == TEAK_DENIED)
        return status;
    return fail_file(error, TEAK_STORE_LOST, "open", name, 0);
}

/* Segments without a STORE: a creation that was cut short, or a STORE that was lost. */
static enum teak_status clear_virgin(struct teak_store *store, const struct numbers *segments, struct teak_error *error)
{
    char name[NAME_BYTES];
    name_segment(segments->list[0], name);
    if (segments->count > 1) return fail_file(error, TEAK_STORE_LOST, "open", name, 0);
    const enum teak_status status = judge_virgin(store, segments->list[0], name, error);
    if (status != TEAK_OK) return status;
    struct disk_op op = {.kind = DISK_UNLINK, .dir = store->directory, .name = name};
    const int os_errno = disk_run(store->disk, &op);
    return os_errno ? fail_errno(error, os_errno, "unlink", name) : sync_directory(store, error);
}

bool recover_has_segments(struct teak_store *store, struct teak_error *error)
{
    struct teak_report report = {0};
    struct listing listing;
    bool found = list_directory(store, &listing, &report, NULL) == TEAK_OK && listing.segments.count > 0;
    if (found) {
        char name[NAME_BYTES];
        name_segment(listing.segments.list[0], name);
        fail_file(error, TEAK_STORE_LOST, "open", name, 0);
    }
    listing_free(&listing);
    return found;
}

enum teak_status recover_virgin(struct teak_store *store, struct teak_error *error)
{
    struct teak_report report = {0};
    struct listing listing;
    enum teak_status status = list_directory(store, &listing, &report, error);
    for (uint64_t i = 0; status == TEAK_OK && i < listing.spares.count; i++)
        store->pool.next_spare = max_u64(store->pool.next_spare, listing.spares.list[i] + 1);
    for (uint64_t i = 0; status == TEAK_OK && i < listing.temporaries.count; i++)
        store->pool.next_spare = max_u64(store->pool.next_spare, listing.temporaries.list[i] + 1);
    if (status == TEAK_OK && listing.segments.count > 0) status = clear_virgin(store, &listing.segments, error);
    listing_free(&listing);
    return status;
}

enum teak_status recover_create(struct teak_store *store, struct teak_error *error)
{
    struct segment *first;
    const int os_errno = pool_prepare_now(&store->pool, store->disk, 1, &first);
    if (os_errno) return fail_errno(error, os_errno, "prepare", "");
    segment_move(first, SEGMENT_ACTIVE);
    segments_push(&store->segments, first);
    store->writer.next_lsn = 1;
    store->writer.oldest = 1;
    const enum teak_status status = writer_put_checkpoint(store);
    CHECK_EQ(status, TEAK_OK);
    if (flight_land_now(&store->flight, store->disk) != 0) {
        if (error) *error = store->flight.cause;
        return TEAK_IO;
    }
    uint64_t position;
    if (flight_advance(&store->flight, disk_now(store->disk), &position)) store->arena.durable = position;
    store->phase = STORE_WRITING;
    return recover_write_superblock(store, error);
}
