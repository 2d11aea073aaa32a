/* recover_begin.c: see recover.h: STORE, read, made up or written, and a store that is new. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/segment_id.h"
#include "store/failure.h"
#include "store/listing.h"
#include "store/recover.h"

/* ------------------------------------------------------------------------------------------------------------ STORE */

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
    enum teak_status status = listing_read(&listing, store, &report, error);
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

static enum teak_status read_store(struct teak_store *store, uint8_t *bytes, uint64_t *count, struct teak_error *error)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = "STORE"};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno == ENOENT) return fail_file(error, TEAK_NOT_A_STORE, "open", "STORE", 0);
    if (os_errno) return fail_errno(error, os_errno, "open", "STORE");
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = bytes, .bytes = SUPERBLOCK_BYTES};
    os_errno = disk_run(store->disk, &read);
    disk_close_file(store->disk, &open.file);
    *count = read.done;
    return os_errno ? fail_errno(error, os_errno, "read", "STORE") : TEAK_OK;
}

static enum teak_status read_superblock(struct teak_store *store, bool *is_short, struct teak_error *error)
{
    uint8_t bytes[SUPERBLOCK_BYTES];
    uint64_t count;
    enum teak_status status = read_store(store, bytes, &count, error);
    if (status != TEAK_OK) return status;
    *is_short = count < sizeof bytes;
    status = superblock_judge(bytes, count, store->phase != STORE_READING, &store->superblock);
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

enum teak_status recover_sync_directory(struct teak_store *store, struct teak_error *error)
{
    const int os_errno = disk_sync_all(store->disk, store->directory);
    return os_errno ? fail_errno(error, os_errno, "sync", ".") : TEAK_OK;
}

/* `rename_flags`: DISK_REPLACE where there may be one. */
static enum teak_status write_store(struct teak_store *store, uint8_t *bytes, uint32_t rename_flags,
                                    struct teak_error *error)
{
    struct disk_op unlink = {.kind = DISK_UNLINK, .dir = store->directory, .name = "STORE.tmp"};
    disk_run(store->disk, &unlink); /* of one that was cut short; usually there is none */
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = "STORE.tmp",
                           .flags = DISK_CREATE | DISK_WRITABLE};
    int os_errno = disk_run(store->disk, &open);
    if (os_errno) return fail_errno(error, os_errno, "create", "STORE.tmp");
    struct disk_op write = {.kind = DISK_WRITE, .file = open.file, .data = bytes, .bytes = SUPERBLOCK_BYTES};
    struct disk_op rename = {.kind = DISK_RENAME, .dir = store->directory, .name = "STORE.tmp", .to = "STORE",
                             .flags = rename_flags};
    os_errno = disk_run(store->disk, &write);
    if (!os_errno) os_errno = disk_sync_all(store->disk, open.file);
    disk_close_file(store->disk, &open.file);
    if (!os_errno) os_errno = disk_run(store->disk, &rename);
    if (!os_errno) return recover_sync_directory(store, error);
    disk_run(store->disk, &unlink); /* as it was */
    return fail_errno(error, os_errno, "create", "STORE");
}

enum teak_status recover_write_superblock(struct teak_store *store, struct teak_error *error)
{
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&store->superblock, bytes);
    return write_store(store, bytes, store->store_lost ? DISK_REPLACE : 0, error);
}

enum teak_status recover_replace_defaults(struct teak_store *store, struct teak_error *error)
{
    uint8_t bytes[SUPERBLOCK_BYTES];
    uint64_t count;
    struct superblock seen;
    enum teak_status status = read_store(store, bytes, &count, error);
    if (status != TEAK_OK) return status;
    status = superblock_judge(bytes, count, 1, &seen); /* a disk may read it otherwise now */
    if (status != TEAK_OK) return fail_file(error, status, "judge", "STORE", 0);
    superblock_put_defaults(&store->superblock, bytes);
    return write_store(store, bytes, DISK_REPLACE, error);
}

/* ----------------------------------------------------------------------------------------------------------- create */

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
    return os_errno ? fail_errno(error, os_errno, "unlink", name) : recover_sync_directory(store, error);
}

bool recover_has_segments(struct teak_store *store, struct teak_error *error)
{
    struct teak_report report = {0};
    struct listing listing;
    bool found = listing_read(&listing, store, &report, NULL) == TEAK_OK && listing.segments.count > 0;
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
    enum teak_status status = listing_read(&listing, store, &report, error);
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
