/* repair.c: see repair.h. */
#include "store/repair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "format/segment_id.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/recover.h"
#include "teak/inspect.h"

enum { PIECE_BYTES = 1 << 20, PATH_BYTES = 64 };
#define REPLACED "replaced"
#define TEMPORARY REPLACED "/copy.tmp"

/* ---------------------------------------------------------------------------------------------------------- helpers */

static int make_replaced(struct teak_store *store)
{
    struct disk_op mkdir = {.kind = DISK_MKDIR, .dir = store->directory, .name = REPLACED};
    const int os_errno = disk_run(store->disk, &mkdir);
    return os_errno && os_errno != EEXIST ? os_errno : disk_sync_all(store->disk, store->directory);
}

/* The n-th name in replaced/ for a file. */
static void name_replaced(const char *name, uint32_t n, char out[PATH_BYTES])
{
    if (n == 0)
        snprintf(out, PATH_BYTES, REPLACED "/%s", name);
    else
        snprintf(out, PATH_BYTES, REPLACED "/%s.%u", name, n);
}

/* ---------------------------------------------------------------------------------------------------------- copying */

struct copying {
    uint8_t *one, *other; /* PIECE_BYTES each */
};

static int read_piece(struct teak_store *store, int32_t file, uint64_t offset, uint8_t *out, uint64_t *done)
{
    struct disk_op read = {.kind = DISK_READ, .file = file, .data = out, .bytes = PIECE_BYTES, .offset = offset};
    const int os_errno = disk_run(store->disk, &read);
    *done = read.done;
    return os_errno;
}

/* Are both files the same, byte for byte? */
static int compare(struct teak_store *store, const struct copying *copying, int32_t file, int32_t other, bool *same)
{
    *same = true;
    for (uint64_t offset = 0;; offset += PIECE_BYTES) {
        uint64_t one_bytes, other_bytes;
        int os_errno = read_piece(store, file, offset, copying->one, &one_bytes);
        if (!os_errno) os_errno = read_piece(store, other, offset, copying->other, &other_bytes);
        if (os_errno) return os_errno;
        *same = one_bytes == other_bytes && memcmp(copying->one, copying->other, one_bytes) == 0;
        if (!*same || one_bytes < PIECE_BYTES) return 0;
    }
}

/* `file` as TEMPORARY, synced. */
static int copy_file(struct teak_store *store, const struct copying *copying, int32_t file)
{
    struct disk_op unlink = {.kind = DISK_UNLINK, .dir = store->directory, .name = TEMPORARY};
    (void)disk_run(store->disk, &unlink); /* of a try that was cut short; usually there is none */
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = TEMPORARY,
                           .flags = DISK_CREATE | DISK_WRITABLE};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return os_errno;
    uint64_t done = PIECE_BYTES;
    for (uint64_t offset = 0; done == PIECE_BYTES && !os_errno; offset += PIECE_BYTES) {
        os_errno = read_piece(store, file, offset, copying->one, &done);
        struct disk_op write = {.kind = DISK_WRITE, .file = open.file, .data = copying->one, .bytes = done,
                                .offset = offset};
        if (!os_errno && done > 0) os_errno = disk_run(store->disk, &write);
    }
    if (!os_errno) os_errno = disk_sync_all(store->disk, open.file);
    disk_close_file(store->disk, &open.file);
    return os_errno;
}

/* A durable copy of the file in replaced/, under a name of its own, unless there is one already. A file that is not
 * there needs none. */
static int keep_copy(struct teak_store *store, const struct copying *copying, const char *name)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = name};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return os_errno == ENOENT ? 0 : os_errno;
    char path[PATH_BYTES];
    bool is_there = false;
    for (uint32_t n = 0; !os_errno; n++) {
        name_replaced(name, n, path);
        struct disk_op other = {.kind = DISK_OPEN, .dir = store->directory, .name = path};
        os_errno = disk_run(store->disk, &other);
        if (os_errno) break;
        os_errno = compare(store, copying, open.file, other.file, &is_there);
        disk_close_file(store->disk, &other.file);
        if (is_there) break;
    }
    if (os_errno == ENOENT) {
        os_errno = copy_file(store, copying, open.file);
        struct disk_op rename = {.kind = DISK_RENAME, .dir = store->directory, .name = TEMPORARY, .to = path};
        if (!os_errno) os_errno = disk_run(store->disk, &rename);
        if (!os_errno) os_errno = disk_sync_directory(store->disk, store->directory, REPLACED);
    }
    disk_close_file(store->disk, &open.file);
    return os_errno;
}

enum teak_status repair_move_away(struct teak_store *store, const char *name, bool *moved_out,
                                  struct teak_error *error)
{
    char path[PATH_BYTES];
    int os_errno = EEXIST;
    for (uint32_t n = 0; os_errno == EEXIST; n++) {
        name_replaced(name, n, path);
        struct disk_op rename = {.kind = DISK_RENAME, .dir = store->directory, .name = name, .to = path};
        os_errno = disk_run(store->disk, &rename);
    }
    *moved_out = os_errno == 0;
    if (!os_errno) os_errno = disk_sync_directory(store->disk, store->directory, REPLACED);
    if (!os_errno) os_errno = disk_sync_all(store->disk, store->directory);
    return os_errno ? fail_errno(error, os_errno, "rename", name) : TEAK_OK;
}

/* ------------------------------------------------------------------------------------------------------ substitutes */

static int write_identity(struct teak_store *store, const struct segment *segment, int32_t file)
{
    struct segment_id id = {.segment = segment->number, .salt = segment->key.salt,
                            .block_bytes = store->superblock.block_bytes,
                            .segment_bytes = store->superblock.segment_bytes};
    memcpy(id.family, store->superblock.family, sizeof id.family);
    segment_id_encode(&id, store->pool.identity);
    struct disk_op write = {.kind = DISK_WRITE, .file = file, .data = store->pool.identity, .bytes = id.block_bytes};
    return disk_run(store->disk, &write);
}

/* A file without a frame, under the number of one of which nothing can be read. */
static int make_substitute(struct teak_store *store, struct segment *segment, const char *name)
{
    char temporary[NAME_BYTES];
    name_spare_temporary(store->pool.next_spare++, temporary);
    if (segment->key.salt == 0) {
        uint64_t salt;
        const int os_errno = disk_entropy(store->disk, &salt, sizeof salt);
        if (os_errno) return os_errno;
        key_derive(&segment->key, store->superblock.family, salt);
    }
    disk_close_file(store->disk, &segment->file);
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = temporary,
                           .flags = DISK_CREATE | DISK_WRITABLE | DISK_NO_COW | store->open_flags};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return os_errno;
    segment->file_bytes = store->superblock.segment_bytes;
    struct disk_op allocate = {.kind = DISK_ALLOCATE, .file = open.file, .bytes = segment->file_bytes};
    os_errno = disk_run(store->disk, &allocate);
    if (!os_errno) os_errno = write_identity(store, segment, open.file);
    if (!os_errno) os_errno = disk_sync_all(store->disk, open.file);
    struct disk_op rename = {.kind = DISK_RENAME, .dir = store->directory, .name = temporary, .to = name,
                             .flags = DISK_REPLACE};
    if (!os_errno) os_errno = disk_run(store->disk, &rename);
    if (!os_errno) os_errno = disk_sync_all(store->disk, store->directory);
    if (os_errno) {
        disk_close_file(store->disk, &open.file);
        struct disk_op unlink = {.kind = DISK_UNLINK, .dir = store->directory, .name = temporary};
        (void)disk_run(store->disk, &unlink); /* it has its new name, or means nothing */
        return os_errno;
    }
    segment->file = open.file;
    segment->is_lost = segment->is_cut_short = false;
    return 0;
}

/* Room for an index behind the frames. */
static int bring_to_size(struct teak_store *store, struct segment *segment)
{
    const uint64_t bytes = store->superblock.segment_bytes;
    struct disk_op allocate = {.kind = DISK_ALLOCATE, .file = segment->file, .bytes = bytes};
    int os_errno = disk_run(store->disk, &allocate);
    if (!os_errno) os_errno = disk_sync_all(store->disk, segment->file);
    if (os_errno) return os_errno;
    segment->file_bytes = bytes;
    segment->is_cut_short = false;
    return 0;
}

static int keep_segment(struct teak_store *store, const struct copying *copying, struct segment *segment)
{
    char name[NAME_BYTES];
    name_segment(segment->number, name);
    int os_errno = keep_copy(store, copying, name);
    if (!os_errno && segment->is_lost) os_errno = make_substitute(store, segment, name);
    if (!os_errno && segment->is_cut_short) os_errno = bring_to_size(store, segment);
    return os_errno;
}

enum teak_status repair_keep_damaged(struct teak_store *store, struct teak_error *error)
{
    struct copying copying = {.one = heap_take_aligned(65536, PIECE_BYTES),
                              .other = heap_take_aligned(65536, PIECE_BYTES)};
    int os_errno = copying.one && copying.other ? make_replaced(store) : ENOMEM;
    const struct segments *segments = &store->segments;
    /* First every copy, then the first change. */
    for (uint64_t number = segments->oldest; number <= segments->newest && !os_errno; number++) {
        char name[NAME_BYTES];
        name_segment(number, name);
        if (segment_at(segments, number)->is_salvaged) os_errno = keep_copy(store, &copying, name);
    }
    for (uint64_t number = segments->oldest; number <= segments->newest && !os_errno; number++) {
        struct segment *segment = segment_at(segments, number);
        if (segment->is_lost || segment->is_cut_short) os_errno = keep_segment(store, &copying, segment);
    }
    heap_give(copying.one);
    heap_give(copying.other);
    return os_errno ? fail_errno(error, os_errno, "keep", REPLACED) : TEAK_OK;
}

enum teak_status repair_make_store(struct teak_store *store, struct teak_error *error)
{
    struct copying copying = {.one = heap_take_aligned(65536, PIECE_BYTES),
                              .other = heap_take_aligned(65536, PIECE_BYTES)};
    int os_errno = copying.one && copying.other ? make_replaced(store) : ENOMEM;
    if (!os_errno) os_errno = keep_copy(store, &copying, "STORE");
    heap_give(copying.one);
    heap_give(copying.other);
    if (os_errno) return fail_errno(error, os_errno, "keep", REPLACED);
    return recover_write_superblock(store, error);
}

/* --------------------------------------------------------------------------------------------------------- the plan */

uint32_t teak_repair_files(struct teak_store *store, uint64_t from, struct teak_repair_file *out, uint32_t max)
{
    const struct segments *segments = &store->segments;
    uint32_t count = 0;
    uint64_t position = 0;
    if (!store->salvaging) return 0;
    for (uint64_t number = segments->oldest; number <= segments->newest && count < max; number++) {
        const struct segment *segment = segment_at(segments, number);
        if (!segment->is_salvaged) continue;
        const enum teak_repair_fate fate = segment->is_missing ? TEAK_REPAIR_MADE
                                           : segment->is_lost  ? TEAK_REPAIR_SUBSTITUTED
                                                               : TEAK_REPAIR_COPIED;
        if (position++ >= from) out[count++] = (struct teak_repair_file){.segment = number, .fate = fate};
    }
    for (uint64_t number = store->cut_first; number < store->cut_end && count < max; number++)
        if (position++ >= from) out[count++] = (struct teak_repair_file){.segment = number, .fate = TEAK_REPAIR_MOVED};
    return count;
}
