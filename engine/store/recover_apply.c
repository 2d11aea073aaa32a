/* recover_apply.c: see recover.h: what opening left to be done, before the first batch. */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/segment_id.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/listing.h"
#include "store/recover.h"
#include "store/repair.h"

/* Half-made spares of a former life. Where one cannot be removed it stays a name that means nothing. */
static void remove_leftovers(struct teak_store *store)
{
    if (store->leftover_count == 0) return;
    struct teak_report report = {0};
    struct listing listing;
    if (listing_read(&listing, store, &report, NULL) == TEAK_OK) {
        struct disk_op op = {.kind = DISK_UNLINK, .dir = store->directory, .name = "STORE.tmp"};
        if (listing.has_store_temporary) disk_run(store->disk, &op);
        for (uint64_t i = 0; i < listing.temporaries.count; i++) {
            char name[NAME_BYTES];
            name_spare_temporary(listing.temporaries.list[i], name);
            op.name = name;
            disk_run(store->disk, &op);
        }
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
            if (status != TEAK_OK && why.os_errno == ENOENT) { /* it is one of those that are lost */
                store->cut_end--;
                continue;
            }
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
        if (recover_sync_directory(store, &why) != TEAK_OK) return name_not_durable(store, why.os_errno, error);
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
    if (recover_sync_directory(store, &why) != TEAK_OK) return name_not_durable(store, why.os_errno, error);
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
