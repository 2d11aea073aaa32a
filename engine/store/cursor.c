/* cursor.c: replays one log from any index, and then follows its tail.
 *
 * OWNS   One window: a stretch of a segment as it was read from the medium.
 * PATH   locate -> arena, without a copy -> else the window -> else one read that fills the window. A call makes one
 *        read at most: where the next entry would need another, it ends, so that what it handed out stays where it is.
 * HOLDS  the window never reaches beyond what was durable when it was read: nothing in it can be overwritten later.
 */

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/reader.h"
#include "store/store.h"

enum { WINDOW_BYTES = 1 << 20, WINDOW_MARGIN = 65536 };

struct teak_cursor {
    struct teak_store *store;
    uint64_t log, life;
    uint64_t index;             /* the next entry              */
    uint8_t *window;
    uint64_t room;
    uint64_t segment, salt;     /* what the window shows       */
    uint64_t begin, end;        /* offsets in the segment      */
};

static enum teak_status cursor_log(const struct teak_cursor *cursor, struct log **out, struct teak_error *error)
{
    *out = logs_find(&cursor->store->logs, cursor->log);
    if (!*out || (*out)->head.life != cursor->life) return fail_log(error, TEAK_LOG_GONE, cursor->log);
    return TEAK_OK;
}

enum teak_status teak_cursor_seek(struct teak_cursor *cursor, uint64_t index, struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = cursor_log(cursor, &log, error);
    if (status != TEAK_OK) return status;
    const uint64_t first = log->head.base.index + 1, next = log->head.last.index + 1;
    if (!log->head.fresh && index < first) return fail_index(error, TEAK_COMPACTED, log->id, index, first);
    if (!log->head.fresh && index > next) return fail_index(error, TEAK_BEYOND, log->id, index, next);
    cursor->index = index;
    return TEAK_OK;
}

enum teak_status teak_cursor_open(struct teak_store *store, uint64_t log_id, uint64_t index, struct teak_cursor **out,
                                  struct teak_error *error)
{
    *out = NULL;
    const struct log *log = logs_find(&store->logs, log_id);
    if (!log) return fail_log(error, TEAK_UNKNOWN_LOG, log_id);
    struct teak_cursor *cursor = heap_take_zeroed(1, sizeof *cursor);
    if (!cursor) return fail(error, TEAK_NO_MEMORY, "cursor");
    cursor->store = store;
    cursor->log = log_id;
    cursor->life = log->head.life;
    const enum teak_status status = teak_cursor_seek(cursor, index, error);
    if (status != TEAK_OK)
        heap_give(cursor);
    else
        *out = cursor;
    return status;
}

void teak_cursor_close(struct teak_cursor *cursor)
{
    if (!cursor) return;
    heap_give(cursor->window);
    heap_give(cursor);
}

/* How far the segment may be read: what is durable in it. */
static uint64_t readable_end(const struct teak_store *store, const struct segment *segment)
{
    if (segment->number < store->flight.durable_segment) return segment->frames_end;
    return segment->number == store->flight.durable_segment ? store->flight.durable_offset : 0;
}

static bool window_has(const struct teak_cursor *cursor, const struct place *place)
{
    return cursor->segment == place->segment->number && cursor->salt == place->segment->key.salt &&
           place->offset >= cursor->begin && (uint64_t)place->offset + place->bytes <= cursor->end;
}

/* BEYOND: no entry can lie there, the slot is rotten. */
static enum teak_status fill_window(struct teak_cursor *cursor, const struct place *place, struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    const uint64_t block = store->superblock.block_bytes;
    const uint64_t begin = align_down(place->offset, block);
    const uint64_t least = align_up((uint64_t)place->offset + place->bytes, block);
    const uint64_t limit = readable_end(store, place->segment);
    if (least > limit) return TEAK_BEYOND;
    const uint64_t end = max_u64(least, min_u64(begin + WINDOW_BYTES, limit));
    if (end - begin > cursor->room) {
        const uint64_t room = align_up(max_u64(end - begin, WINDOW_BYTES), WINDOW_MARGIN);
        heap_give(cursor->window);
        cursor->room = cursor->begin = cursor->end = 0;
        cursor->window = heap_take_aligned(WINDOW_MARGIN, room);
        if (!cursor->window) return fail(error, TEAK_NO_MEMORY, "cursor");
        cursor->room = room;
    }
    cursor->begin = cursor->end = 0;
    const enum teak_status status = reader_read(store, place->segment, begin, cursor->window, end - begin, error);
    if (status != TEAK_OK) return status;
    cursor->segment = place->segment->number;
    cursor->salt = place->segment->key.salt;
    cursor->begin = begin;
    cursor->end = end;
    return TEAK_OK;
}

static enum teak_status rotten(const struct log *log, uint64_t index, const struct place *place,
                               struct teak_error *error)
{
    fail_segment(error, TEAK_HASH_MISMATCH, "read", place->segment->number, place->offset);
    if (error) {
        error->log = log->id;
        error->has_log = 1;
        error->index = index;
        error->term = log_term_at(log, index);
        error->has_term = 1;
    }
    return TEAK_HASH_MISMATCH;
}

/* The payload from the window, which is filled for it or holds it. HASH_MISMATCH: it is not there. */
static enum teak_status take(struct teak_cursor *cursor, const struct log *log, uint64_t index,
                             const struct place *place, const uint8_t **out, struct teak_error *error)
{
    const enum teak_status status = window_has(cursor, place) ? TEAK_OK : fill_window(cursor, place, error);
    if (status != TEAK_OK) return status == TEAK_BEYOND ? rotten(log, index, place, error) : status;
    *out = cursor->window + (place->offset - cursor->begin);
    return reader_is_whole(log, index, place, *out) ? TEAK_OK : rotten(log, index, place, error);
}

/* The same; a slot that fails is asked of its frame's table before anything is called damaged. */
static enum teak_status take_verified(struct teak_cursor *cursor, const struct log *log, uint64_t index,
                                      struct place *place, const uint8_t **out, struct teak_error *error)
{
    enum teak_status status = take(cursor, log, index, place, out, error);
    if (status != TEAK_HASH_MISMATCH || place->segment->state != SEGMENT_SEALED) return status;
    status = reader_ask_table(cursor->store, log, index, place, error);
    if (status == TEAK_NOT_FOUND) return rotten(log, index, place, error);
    return status == TEAK_OK ? take(cursor, log, index, place, out, error) : status;
}

/* Everything the index of a sealed segment needs to be touched. */
static enum teak_status ready_index(struct teak_cursor *cursor, const struct log *log, uint64_t index, uint32_t count,
                                    struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    const struct piece *piece = locate_piece(log, index);
    CHECK(piece != NULL);
    struct segment *segment = segment_of_piece(&store->segments, piece->segment);
    enum teak_status status = reader_hold(store, segment, error);
    if (status == TEAK_OK) status = reader_populate(store, piece, index, count, error);
    return status;
}

/* One entry: 0 read so far in this call means that the window may be filled anew. */
static enum teak_status read_entry(struct teak_cursor *cursor, const struct log *log, uint64_t index, bool may_fill,
                                   struct place *place, const uint8_t **out, struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    if (!locate(&store->segments, log, index, place)) return rotten(log, index, place, error);
    *out = arena_find(&store->arena, place->segment->number, place->offset, place->bytes);
    if (*out) {
        store->arena_reads++;
        return TEAK_OK;
    }
    if (!window_has(cursor, place)) {
        if (!may_fill) return TEAK_FULL;
        const enum teak_status status = reader_hold(store, place->segment, error);
        if (status != TEAK_OK) return status;
    }
    store->disk_reads++;
    if (may_fill) return take_verified(cursor, log, index, place, out, error);
    *out = cursor->window + (place->offset - cursor->begin);
    /* if it is not whole: alone, at the next call, for it may need a read */
    return reader_is_whole(log, index, place, *out) ? TEAK_OK : TEAK_FULL;
}

enum teak_status teak_cursor_read(struct teak_cursor *cursor, uint64_t bytes_max, struct teak_entry *out, uint32_t max,
                                  uint32_t *count_out, struct teak_error *error)
{
    *count_out = 0;
    struct log *log;
    enum teak_status status = cursor_log(cursor, &log, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &log->head;
    if (head->fresh || cursor->index > head->last.index) return TEAK_OK;
    if (cursor->index <= head->base.index)
        return fail_index(error, TEAK_COMPACTED, log->id, cursor->index, head->base.index + 1);
    uint64_t bytes = 0, piece_end = 0;
    uint32_t count = 0;
    while (count < max && cursor->index <= head->last.index) {
        const uint64_t index = cursor->index;
        if (index >= piece_end) { /* another segment */
            const struct piece *piece = locate_piece(log, index);
            if (!piece) return fail_index(error, TEAK_HASH_MISMATCH, log->id, index, 0);
            const bool is_last = piece == &log->pieces[log->piece_count - 1];
            piece_end = is_last ? UINT64_MAX : piece[1].first;
            status = ready_index(cursor, log, index, max - count, error);
            if (status != TEAK_OK) break;
        }
        struct place place;
        const uint8_t *payload;
        status = read_entry(cursor, log, index, count == 0, &place, &payload, error);
        if (status != TEAK_OK) break;
        if (count > 0 && bytes + place.bytes > bytes_max) break;
        out[count++] = (struct teak_entry){.index = index, .term = place.term, .data = payload, .bytes = place.bytes,
                                           .kind = place.kind};
        bytes += place.bytes;
        cursor->index++;
    }
    *count_out = count;
    return count > 0 ? TEAK_OK : status;
}
