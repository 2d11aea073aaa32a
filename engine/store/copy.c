/* copy.c: teak_copy: a store of its own out of another one, also while that is written.
 *
 * OWNS   The directory that the copy is made in, under its LOCK.
 * PATH   open `from` for reading (waits for a dead owner, refuses damage) -> gather: a second name for every segment ->
 *        settle the tail: the frames of the segments without an index, judged, into files of their own -> snapshots ->
 *        sync -> judge the whole as opening does -> STORE, last.
 * FAILS  Without STORE it is no store. What the writer forgot meanwhile is noticed (a hole, another number, another
 *        salt): once more from the beginning, a limited number of times.
 * HOLDS  A second name pins a segment: the writer unlinks such a file and never writes over it (pool.c). Its lock comes
 *        before it counts names, and we ask for a lock after we have made ours: one of the two sees the other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/recover.h"
#include "store/scan.h"
#include "store/store.h"
#include "teak/inspect.h"

enum { PIECE = 1 << 20, ATTEMPTS = 50, PAUSE_NS = 2000000 };

struct copying {
    struct teak_store *from, *to;
    struct scan_source source;        /* of the copy's files                                     */
    uint8_t *piece;                   /* PIECE bytes                                             */
    uint64_t *numbers;                /* segments that are in the copy, ascending                */
    uint64_t count, capacity;
    bool no_memory;
    char **names;                     /* of a directory                                          */
    uint64_t name_count, name_capacity;
    struct tail *tail;
    uint32_t snapshots_missing;       /* in the origin, already                                  */
    struct teak_error seen;           /* damage: only what is met twice in one place is it       */
    struct teak_copy_result *result;
    teak_progress progress;
    void *context;
};

/* ----------------------------------------------------------------------------------------------------------- files */

static int run(struct copying *copying, struct disk_op op) { return disk_run(copying->to->disk, &op); }

static int unlink_in(struct copying *copying, int32_t dir, const char *name)
{
    return run(copying, (struct disk_op){.kind = DISK_UNLINK, .dir = dir, .name = name});
}

static int open_in(struct copying *copying, int32_t dir, const char *name, uint32_t flags, int32_t *out)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = dir, .name = name, .flags = flags};
    const int os_errno = disk_run(copying->to->disk, &op);
    *out = op.file;
    return os_errno;
}

/* Bytes of one file into another that is new, synced. */
static int copy_bytes(struct copying *copying, int32_t from_dir, const char *name, int32_t to_dir)
{
    int32_t from, to;
    int os_errno = open_in(copying, from_dir, name, 0, &from);
    if (os_errno) return os_errno;
    os_errno = disk_lock(copying->to->disk, from, DISK_LOCK_SHARED); /* while it is read nobody writes over it */
    if (os_errno == EWOULDBLOCK) os_errno = ENOENT;                  /* it is being taken again just now */
    if (!os_errno) os_errno = open_in(copying, to_dir, name, DISK_CREATE | DISK_WRITABLE | DISK_NO_COW, &to);
    if (os_errno) {
        disk_close_file(copying->to->disk, &from);
        return os_errno;
    }
    for (uint64_t offset = 0; !os_errno;) {
        struct disk_op read = {.kind = DISK_READ, .file = from, .data = copying->piece, .bytes = PIECE,
                               .offset = offset};
        os_errno = disk_run(copying->to->disk, &read);
        if (os_errno || read.done == 0) break;
        os_errno = run(copying, (struct disk_op){.kind = DISK_WRITE, .file = to, .data = copying->piece,
                                                 .bytes = read.done, .offset = offset});
        offset += read.done;
        copying->result->copied_bytes += read.done;
    }
    if (!os_errno) os_errno = run(copying, (struct disk_op){.kind = DISK_SYNC_ALL, .file = to});
    disk_close_file(copying->to->disk, &to);
    disk_close_file(copying->to->disk, &from);
    if (os_errno) unlink_in(copying, to_dir, name);
    return os_errno;
}

static bool cannot_link(int os_errno)
{
    return os_errno == EXDEV || os_errno == EPERM || os_errno == EMLINK || os_errno == EOPNOTSUPP ||
           os_errno == ENOSYS || os_errno == EACCES;
}

/* A second name, or where there can be none the bytes. */
static int take_file(struct copying *copying, int32_t from_dir, const char *name, int32_t to_dir, bool *linked_out)
{
    const int os_errno = run(copying, (struct disk_op){.kind = DISK_LINK, .dir = from_dir, .name = name,
                                                       .file = to_dir, .to = name});
    *linked_out = os_errno == 0;
    return cannot_link(os_errno) ? copy_bytes(copying, from_dir, name, to_dir) : os_errno;
}

/* ----------------------------------------------------------------------------------------------------------- names */

static void take_name(void *context, const char *name)
{
    struct copying *copying = context;
    if (copying->name_count == copying->name_capacity) {
        const uint64_t capacity = copying->name_capacity ? copying->name_capacity * 2 : 64;
        char **grown = heap_grow(copying->names, capacity * sizeof *grown);
        if (!grown) {
            copying->no_memory = true;
            return;
        }
        copying->names = grown;
        copying->name_capacity = capacity;
    }
    const size_t bytes = strlen(name) + 1;
    char *own = heap_take(bytes);
    if (!own) {
        copying->no_memory = true;
        return;
    }
    memcpy(own, name, bytes);
    copying->names[copying->name_count++] = own;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Names ascend, and numbers of segments with them: sixteen digits. */
static enum teak_status list(struct copying *copying, int32_t dir, struct teak_error *error)
{
    while (copying->name_count > 0) heap_give(copying->names[--copying->name_count]);
    const int os_errno = disk_list(copying->to->disk, dir, take_name, copying);
    if (os_errno) return fail_errno(error, os_errno, "list", ".");
    if (copying->no_memory) return fail(error, TEAK_NO_MEMORY, "list");
    if (copying->name_count > 1) qsort(copying->names, copying->name_count, sizeof(char *), by_name);
    return TEAK_OK;
}

static enum teak_status must_be_empty(struct copying *copying, struct teak_error *error)
{
    const enum teak_status status = list(copying, copying->to->directory, error);
    if (status != TEAK_OK || copying->name_count == 0) return status;
    return fail_file(error, TEAK_INVALID, "copy into", copying->names[0], 0);
}

/* --------------------------------------------------------------------------------------------------------- segments */

static bool add_number(struct copying *copying, uint64_t number)
{
    if (copying->count == copying->capacity) {
        const uint64_t capacity = copying->capacity ? copying->capacity * 2 : 64;
        uint64_t *grown = heap_grow(copying->numbers, capacity * sizeof *grown);
        if (!grown) return false;
        copying->numbers = grown;
        copying->capacity = capacity;
    }
    copying->numbers[copying->count++] = number;
    return true;
}

static void drop_segment(struct copying *copying, uint64_t number)
{
    char name[NAME_BYTES];
    name_segment(number, name);
    unlink_in(copying, copying->to->directory, name);
}

/* Everything that has a number, from the oldest on. What vanishes under our hands was forgotten. */
static enum teak_status gather(struct copying *copying, struct teak_error *error)
{
    for (uint64_t i = 0; i < copying->count; i++) drop_segment(copying, copying->numbers[i]); /* of the last attempt */
    copying->count = copying->result->linked = copying->result->copied = copying->result->copied_bytes = 0;
    enum teak_status status = list(copying, copying->from->directory, error);
    for (uint64_t i = 0; status == TEAK_OK && i < copying->name_count; i++) {
        const char *name = copying->names[i];
        uint64_t number;
        bool linked;
        if (name_judge(name, &number) != NAME_SEGMENT) continue;
        const int os_errno =
            take_file(copying, copying->from->directory, name, copying->to->directory, &linked);
        if (os_errno == ENOENT) continue;
        if (os_errno) return fail_errno(error, os_errno, "copy", name);
        if (!add_number(copying, number)) return fail(error, TEAK_NO_MEMORY, "copy");
        struct image image;
        struct teak_error why = {0};
        const enum teak_status opened = image_open(&copying->source, number, &image, &why);
        if (opened == TEAK_NO_MEMORY || opened == TEAK_IO) {
            if (error) *error = why;
            return opened;
        }
        if (opened != TEAK_OK) { /* it is being used again, or was before the name was ours */
            drop_segment(copying, number);
            copying->count--;
            continue;
        }
        image_close(&copying->source, &image);
        copying->result->linked += linked;
        copying->result->copied += !linked;
        if (copying->progress) copying->progress(copying->context, i + 1, copying->name_count);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------------------- tail */

static void close_tail(struct copying *copying)
{
    struct tail *tail = copying->tail;
    for (uint32_t i = 0; i < tail->count; i++) image_close(&copying->source, &tail->images[i]);
    *tail = (struct tail){0};
}

/* The newest, and those before it without a footer. The newest is always taken by its frames: were it sealed, its
 * successor would have to be there too. */
static enum teak_status open_tail(struct copying *copying, struct footer *before, bool *has_before,
                                  struct teak_error *error)
{
    struct image found[SCAN_TAIL_MAX];
    struct tail *tail = copying->tail;
    enum teak_status status = TEAK_OK;
    *has_before = false;
    for (uint64_t i = copying->count; i-- > 0 && tail->count < SCAN_TAIL_MAX && status == TEAK_OK;) {
        if (i + 1 < copying->count && copying->numbers[i] + 1 != copying->numbers[i + 1]) break;
        struct image *image = &found[tail->count];
        status = image_open(&copying->source, copying->numbers[i], image, error);
        if (status != TEAK_OK) break;
        if (image->has_footer && tail->count > 0) {
            *before = image->footer;
            *has_before = true;
            image_close(&copying->source, image);
            break;
        }
        status = image_load(&copying->source, image, error);
        if (status == TEAK_OK && image->has_key)
            tail->count++;
        else
            image_close(&copying->source, image); /* not one head in it: made ready, never used */
    }
    for (uint32_t i = 0; i < tail->count; i++) tail->images[i] = found[tail->count - 1 - i];
    if (status == TEAK_OK && tail->count == 0) return fail(error, TEAK_SEGMENT_MISSING, "copy");
    return status;
}

/* Identity and frames up to `end`, zeros behind, in a file of its own, under the name that was a second one. */
static int write_segment(struct copying *copying, const struct image *image, uint64_t end)
{
    char name[NAME_BYTES], temporary[NAME_BYTES];
    name_segment(image->number, name);
    name_spare_temporary(image->number, temporary);
    const int32_t dir = copying->to->directory;
    const uint64_t bytes = copying->source.segment_bytes;
    int32_t file;
    int os_errno = open_in(copying, dir, temporary, DISK_CREATE | DISK_WRITABLE | DISK_NO_COW, &file);
    if (os_errno) return os_errno;
    os_errno =
        run(copying, (struct disk_op){.kind = DISK_WRITE, .file = file, .data = image->bytes, .bytes = end});
    memset(copying->piece, 0, PIECE);
    for (uint64_t offset = end; offset < bytes && !os_errno; offset += PIECE)
        os_errno = run(copying, (struct disk_op){.kind = DISK_WRITE, .file = file, .data = copying->piece,
                                                 .bytes = min_u64(PIECE, bytes - offset), .offset = offset});
    if (image->identity != TEAK_OK && !os_errno) { /* lost there: here it is made anew out of what repeats it */
        struct segment_id id = {.segment = image->number, .salt = image->key.salt,
                                .block_bytes = copying->source.block_bytes, .segment_bytes = bytes};
        memcpy(id.family, copying->source.family, sizeof id.family);
        segment_id_encode(&id, copying->piece);
        os_errno = run(copying, (struct disk_op){.kind = DISK_WRITE, .file = file, .data = copying->piece,
                                                 .bytes = id.block_bytes});
    }
    if (!os_errno) os_errno = run(copying, (struct disk_op){.kind = DISK_SYNC_ALL, .file = file});
    disk_close_file(copying->to->disk, &file);
    if (!os_errno)
        os_errno = run(copying, (struct disk_op){.kind = DISK_RENAME, .flags = DISK_REPLACE, .dir = dir,
                                                 .name = temporary, .to = name});
    if (os_errno) unlink_in(copying, dir, temporary);
    copying->result->copied_bytes += end;
    return os_errno;
}

static uint64_t end_of(const struct copying *copying, uint32_t i)
{
    const struct tail *tail = copying->tail;
    struct frame_head head;
    struct op op;
    if (i < tail->last && image_checkpoint(&copying->source, &tail->images[i + 1], &head, &op))
        return op.checkpoint.end_offset;
    return tail->end;
}

/* TEAK_LOG_GONE: begin again. */
static enum teak_status settle_tail(struct copying *copying, struct teak_error *error)
{
    struct tail *tail = copying->tail;
    struct footer before;
    bool has_before;
    struct teak_report *report = heap_take_zeroed(1, sizeof *report);
    if (!report) return fail(error, TEAK_NO_MEMORY, "copy");
    enum teak_status status = open_tail(copying, &before, &has_before, error);
    if (status == TEAK_OK)
        status = scan_tail(&copying->source, tail, has_before ? &before : NULL, UINT64_MAX, report, error);
    heap_give(report);
    if (status != TEAK_OK) return status;
    const uint64_t first = tail->images[0].number, last = tail->images[tail->last].number;
    for (uint32_t i = 0; i <= tail->last; i++) {
        if (tail->images[i].number < tail->oldest) continue;
        const int os_errno = write_segment(copying, &tail->images[i], end_of(copying, i));
        if (os_errno) return fail_errno(error, os_errno, "copy", "segment");
    }
    uint64_t kept = 0;
    for (uint64_t i = 0; i < copying->count; i++) {
        const uint64_t number = copying->numbers[i];
        if (number < tail->oldest || number > last)
            drop_segment(copying, number);
        else
            copying->numbers[kept++] = number;
    }
    copying->count = kept;
    copying->result->segments = kept;
    copying->result->last_lsn = tail->lsn - 1;
    const uint64_t written = last - max_u64(first, tail->oldest) + 1;
    const bool by_bytes = copying->result->copied > 0; /* one file system: all of them, or none */
    copying->result->linked = by_bytes || kept < written ? 0 : kept - written;
    copying->result->copied = kept - copying->result->linked;
    if (kept != last - tail->oldest + 1) return TEAK_LOG_GONE; /* forgotten between our listing and our link */
    return TEAK_OK;
}

/* ------------------------------------------------------------------------------------------------------- the whole */

/* Snapshot files of the origin: whatever is a file there and is no longer being made. */
static enum teak_status take_snapshots(struct copying *copying, struct teak_error *error)
{
    int32_t from = DISK_NONE, to = DISK_NONE;
    int os_errno = open_in(copying, copying->from->directory, "snapshots", DISK_DIRECTORY, &from);
    if (os_errno == ENOENT) return TEAK_OK;
    if (os_errno) return fail_errno(error, os_errno, "open", "snapshots");
    os_errno = run(copying, (struct disk_op){.kind = DISK_MKDIR, .dir = copying->to->directory, .name = "snapshots"});
    if (os_errno == EEXIST) os_errno = 0;
    if (!os_errno) os_errno = open_in(copying, copying->to->directory, "snapshots", DISK_DIRECTORY, &to);
    enum teak_status status =
        os_errno ? fail_errno(error, os_errno, "create", "snapshots") : list(copying, from, error);
    for (uint64_t i = 0; status == TEAK_OK && i < copying->name_count; i++) {
        const char *name = copying->names[i];
        const size_t bytes = strlen(name);
        bool linked;
        if (bytes < 5 || strcmp(name + bytes - 5, ".snap") != 0) continue;
        os_errno = take_file(copying, from, name, to, &linked);
        copying->result->snapshots += os_errno == 0;
        if (os_errno && os_errno != ENOENT && os_errno != EEXIST) status = fail_errno(error, os_errno, "copy", name);
    }
    if (status == TEAK_OK) {
        os_errno = run(copying, (struct disk_op){.kind = DISK_SYNC_ALL, .file = to});
        if (os_errno) status = fail_errno(error, os_errno, "sync", "snapshots");
    }
    disk_close_file(copying->to->disk, &from);
    if (to != DISK_NONE) disk_close_file(copying->to->disk, &to);
    return status;
}

/* A second name for bytes that are still in flight would be worth nothing behind a power cut. */
static enum teak_status sync_all(struct copying *copying, struct teak_error *error)
{
    for (uint64_t i = 0; i < copying->count; i++) {
        char name[NAME_BYTES];
        int32_t file;
        name_segment(copying->numbers[i], name);
        int os_errno = open_in(copying, copying->to->directory, name, 0, &file);
        if (!os_errno) os_errno = run(copying, (struct disk_op){.kind = DISK_SYNC, .file = file});
        disk_close_file(copying->to->disk, &file);
        if (os_errno) return fail_errno(error, os_errno, "sync", name);
    }
    const int os_errno = run(copying, (struct disk_op){.kind = DISK_SYNC_ALL, .file = copying->to->directory});
    return os_errno ? fail_errno(error, os_errno, "sync", ".") : TEAK_OK;
}

static enum teak_status judge(struct copying *copying, struct teak_error *error)
{
    struct teak_report *report = heap_take_zeroed(1, sizeof *report);
    if (!report) return fail(error, TEAK_NO_MEMORY, "copy");
    enum teak_status status = recover_read(copying->to, report, error);
    if (status == TEAK_OK && report->last_lsn != copying->result->last_lsn)
        status = fail(error, TEAK_DAMAGED, "copy"); /* another end than the one that was copied */
    if (status == TEAK_OK && report->snapshots_missing > copying->snapshots_missing)
        status = fail_file(error, TEAK_NOT_FOUND, "copy", "snapshots", 0); /* superseded and removed meanwhile */
    copying->result->logs = report->logs;
    heap_give(report);
    return status;
}

static enum teak_status attempt(struct copying *copying, struct teak_error *error)
{
    enum teak_status status = take_snapshots(copying, error); /* before: one that the tail names may be gone after it */
    copying->result->snapshots = 0;
    if (status == TEAK_OK) status = gather(copying, error);
    if (status == TEAK_OK) status = settle_tail(copying, error);
    close_tail(copying);
    if (status == TEAK_OK) status = take_snapshots(copying, error); /* and after: one may have come since */
    return status;
}

/* Worth another attempt: a writer goes on beside us, and what was met may be its doing. */
static bool may_pass(struct copying *copying, enum teak_status status, const struct teak_error *why)
{
    if (status == TEAK_LOG_GONE || status == TEAK_SEGMENT_MISSING) return true;
    if (status == TEAK_OK || status == TEAK_NO_MEMORY || status == TEAK_NO_SPACE || status == TEAK_IO ||
        status == TEAK_DENIED || status == TEAK_READ_ONLY_FS)
        return false;
    const bool again = copying->seen.status == status && copying->seen.segment == why->segment &&
                       copying->seen.offset == why->offset;
    copying->seen = *why;
    return !again;
}

static enum teak_status copy(struct copying *copying, struct teak_error *error)
{
    struct teak_store *to = copying->to;
    struct teak_report *report = heap_take_zeroed(1, sizeof *report);
    if (!report) return fail(error, TEAK_NO_MEMORY, "copy");
    enum teak_status status = must_be_empty(copying, error);
    if (status == TEAK_OK) status = recover_lock(to, 0, report, error);
    heap_give(report);
    if (status != TEAK_OK) return status;
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        struct teak_error why = {0};
        status = attempt(copying, &why);
        if (error) *error = why;
        if (!may_pass(copying, status, &why)) break;
        copying->result->restarts++;
        disk_pause(to->disk, PAUSE_NS);
    }
    if (status == TEAK_LOG_GONE) return fail(error, TEAK_SEGMENT_MISSING, "copy");
    if (status == TEAK_OK) status = sync_all(copying, error);
    if (status == TEAK_OK) status = judge(copying, error);
    if (status != TEAK_OK) return status;
    to->superblock = copying->from->superblock;
    const int os_errno = disk_entropy(to->disk, to->superblock.instance, sizeof to->superblock.instance);
    if (os_errno) return fail_errno(error, os_errno, "entropy", "");
    memcpy(copying->result->instance, to->superblock.instance, sizeof to->superblock.instance);
    return recover_write_superblock(to, error);
}

static void copying_fini(struct copying *copying)
{
    while (copying->name_count > 0) heap_give(copying->names[--copying->name_count]);
    heap_give(copying->names);
    heap_give(copying->numbers);
    heap_give(copying->piece);
    heap_give(copying->tail);
    if (copying->to) teak_abandon(copying->to);
    if (copying->from) teak_abandon(copying->from);
}

enum teak_status teak_copy(const char *from, const char *to, struct teak_copy_result *out, teak_progress progress,
                           void *context, struct teak_error *error)
{
    struct teak_copy_result own;
    struct copying copying = {.result = out ? out : &own, .progress = progress, .context = context};
    *copying.result = (struct teak_copy_result){0};
    if (!from || !to) return fail(error, TEAK_INVALID, "copy");
    struct teak_options options = teak_options_default();
    options.read_only = true;
    options.backend = TEAK_BACKEND_POSIX;
    struct teak_report *report = heap_take_zeroed(1, sizeof *report);
    if (!report) return fail(error, TEAK_NO_MEMORY, "copy");
    enum teak_status status = teak_open(from, &options, &copying.from, report, error);
    copying.snapshots_missing = report->snapshots_missing;
    heap_give(report);
    if (status != TEAK_OK) return status;
    copying.tail = tail_new();
    copying.piece = heap_take_aligned(65536, PIECE);
    if (!copying.tail || !copying.piece) status = fail(error, TEAK_NO_MEMORY, "copy");
    if (status == TEAK_OK) status = store_begin_bare(to, &copying.from->superblock, &copying.to, error);
    if (status == TEAK_OK) {
        copying.source = recover_source(copying.to);
        status = copy(&copying, error);
    }
    copying_fini(&copying);
    return status;
}
