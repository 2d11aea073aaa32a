/* cursor.c: replays one log from any index, and then follows its tail.
 *
 * OWNS   What reads on the calling thread see of the medium: one window.
 * PATH   locate -> arena, without a copy -> else the window -> else one read that fills the window. A call makes one
 *        read at most: where the next entry would need another, it ends, so that what it handed out stays where it is.
 *        teak_cursor_try_read never reads: what is not in memory is asked of fetch.c, and comes while the store is
 *        driven.
 * HOLDS  (1) a window never reaches beyond what was durable when it was read: nothing in it can be overwritten later
 *        (2) the arena has every entry that is not durable
 */
#include "store/cursor.h"

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/durable.h"
#include "store/failure.h"
#include "store/fetch.h"
#include "store/locate.h"
#include "store/reader.h"
#include "store/store.h"

struct teak_cursor {
    struct teak_store *store;             /* NULL: it was closed before the cursor        */
    struct teak_cursor *before, *behind;  /* all of the store's                           */
    uint64_t log, life;
    uint64_t index;                       /* the next entry                               */
    struct window window;                 /* of reads on the calling thread               */
    struct stream *stream;                /* of reads that wait for nothing; NULL: none yet */
    uint64_t lent_first, lent_stamp;      /* what the last read handed out, and when      */
    uint32_t lent_count;
};

static enum teak_status cursor_log(const struct teak_cursor *cursor, struct log **out, struct teak_error *error)
{
    *out = cursor->store ? logs_find(&cursor->store->logs, cursor->log) : NULL;
    if (!*out || (*out)->head.life != cursor->life) return fail_log(error, TEAK_LOG_GONE, cursor->log);
    return TEAK_OK;
}

/* Moves when the arena takes something over, or a window is filled: what was handed out before may be gone. */
static uint64_t stamp_of(const struct teak_cursor *cursor)
{
    return cursor->store->arena.generation + (cursor->stream ? cursor->stream->fills : 0);
}

/* Stands at `index`, wherever it went, having handed out the `count` entries before. */
static void stand_at(struct teak_cursor *cursor, uint64_t index, uint32_t count)
{
    cursor->index = index;
    cursor->lent_first = index - count;
    cursor->lent_count = count;
    cursor->lent_stamp = stamp_of(cursor);
    if (cursor->stream) stream_move(cursor->stream, index);
}

bool cursor_lent(const struct teak_cursor *cursor, struct cursor_lent *out)
{
    if (!cursor->store || cursor->lent_count == 0 || cursor->lent_stamp != stamp_of(cursor)) return false;
    *out = (struct cursor_lent){.store = cursor->store, .first = cursor->lent_first, .count = cursor->lent_count,
                                .windows = {cursor->window.memory}};
    for (uint32_t i = 0; cursor->stream && i < 2; i++) out->windows[1 + i] = cursor->stream->fetches[i].window.memory;
    return true;
}

enum teak_status teak_cursor_seek(struct teak_cursor *cursor, uint64_t index, struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = cursor_log(cursor, &log, error);
    if (status != TEAK_OK) return status;
    const uint64_t first = log->head.base.index + 1, next = log->head.last.index + 1;
    if (!log->head.fresh && index < first) return fail_index(error, TEAK_COMPACTED, log->id, index, first);
    if (!log->head.fresh && index > next) return fail_index(error, TEAK_BEYOND, log->id, index, next);
    stand_at(cursor, index, 0);
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
    if (status != TEAK_OK) {
        heap_give(cursor);
        return status;
    }
    cursor->behind = store->cursors;
    if (cursor->behind) cursor->behind->before = cursor;
    store->cursors = cursor;
    *out = cursor;
    return TEAK_OK;
}

void teak_cursor_close(struct teak_cursor *cursor)
{
    if (!cursor) return;
    if (cursor->store) {
        stream_close(cursor->stream);
        if (cursor->before)
            cursor->before->behind = cursor->behind;
        else
            cursor->store->cursors = cursor->behind;
        if (cursor->behind) cursor->behind->before = cursor->before;
    }
    window_memory_drop(cursor->window.memory);
    heap_give(cursor);
}

void cursors_part(struct teak_store *store)
{
    for (struct teak_cursor *cursor = store->cursors; cursor; cursor = cursor->behind) {
        cursor->store = NULL;
        cursor->stream = NULL; /* its own end comes with the store's */
    }
    store->cursors = NULL;
}

/* BEYOND: no entry can lie there, the slot is rotten. */
static enum teak_status fill_window(struct teak_cursor *cursor, const struct place *place, struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    struct window *window = &cursor->window;
    const uint64_t block = store->superblock.block_bytes;
    const uint64_t begin = align_down(place->offset, block);
    const uint64_t least = align_up((uint64_t)place->offset + place->bytes, block);
    const uint64_t limit = reader_end(store, place->segment);
    if (least > limit) return TEAK_BEYOND;
    const uint64_t end = max_u64(least, min_u64(begin + WINDOW_BYTES, limit));
    if (!window_make_room(window, end - begin)) return fail(error, TEAK_NO_MEMORY, "cursor");
    const enum teak_status status =
        reader_read(store, place->segment, begin, window->memory->data, end - begin, error);
    if (status != TEAK_OK) return status;
    window->segment = place->segment->number;
    window->salt = place->segment->key.salt;
    window->begin = begin;
    window->end = end;
    return TEAK_OK;
}

static bool has_window(const struct teak_cursor *cursor, const struct place *place)
{
    return window_has(&cursor->window, place->segment, place->offset, place->bytes);
}

static enum teak_status rotten(const struct log *log, uint64_t index, const struct place *place,
                               struct teak_error *error)
{
    return reader_rotten(log, index, place->segment, place->offset, error);
}

/* The payload from the window, which is filled for it or holds it. HASH_MISMATCH: it is not there. */
static enum teak_status take(struct teak_cursor *cursor, const struct log *log, uint64_t index,
                             const struct place *place, const uint8_t **out, struct teak_error *error)
{
    const enum teak_status status = has_window(cursor, place) ? TEAK_OK : fill_window(cursor, place, error);
    if (status != TEAK_OK) return status == TEAK_BEYOND ? rotten(log, index, place, error) : status;
    *out = window_at(&cursor->window, place->offset);
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
    if (!locate(&store->segments, log, index, place))
        return fail_index(error, TEAK_HASH_MISMATCH, log->id, index, 0);
    *out = arena_find(&store->arena, place->segment->number, place->offset, place->bytes);
    if (*out) {
        store->arena_reads++;
        return TEAK_OK;
    }
    if (!has_window(cursor, place)) {
        if (!may_fill) return TEAK_FULL;
        const enum teak_status status = reader_hold(store, place->segment, error);
        if (status != TEAK_OK) return status;
    }
    store->disk_reads++;
    if (may_fill) return take_verified(cursor, log, index, place, out, error);
    *out = window_at(&cursor->window, place->offset);
    /* if it is not whole: alone, at the next call, for it may need a read */
    return reader_is_whole(log, index, place, *out) ? TEAK_OK : TEAK_FULL;
}

/* Where the cursor may read: OK and a log, whose entries from cursor->index to its last are there to be read. */
static enum teak_status look(const struct teak_cursor *cursor, struct log **out, struct teak_error *error)
{
    const enum teak_status status = cursor_log(cursor, out, error);
    if (status != TEAK_OK) return status;
    const struct log_head *head = &(*out)->head;
    const bool is_below = !head->fresh && cursor->index <= head->base.index;
    return is_below ? fail_index(error, TEAK_COMPACTED, (*out)->id, cursor->index, head->base.index + 1) : TEAK_OK;
}

static bool is_at_end(const struct teak_cursor *cursor, const struct log *log)
{
    return log->head.fresh || cursor->index > log->head.last.index;
}

static uint64_t end_of_piece(const struct log *log, const struct piece *piece)
{
    return piece == &log->pieces[log->piece_count - 1] ? UINT64_MAX : piece[1].first;
}

enum teak_status teak_cursor_read(struct teak_cursor *cursor, uint64_t bytes_max, struct teak_entry *out, uint32_t max,
                                  uint32_t *count_out, struct teak_error *error)
{
    *count_out = 0;
    cursor->lent_count = 0;
    struct log *log;
    struct teak_error own;
    if (!error) error = &own; /* a read that meets rot is told of, whether the caller wants to know where or not */
    enum teak_status status = look(cursor, &log, error);
    if (status != TEAK_OK || is_at_end(cursor, log)) return status;
    const uint64_t durable = durable_of(log, &cursor->store->segments, &cursor->store->flight).index;
    uint64_t bytes = 0, piece_end = 0, index = cursor->index;
    uint32_t count = 0;
    for (; count < max && index <= log->head.last.index; index++) {
        if (index >= piece_end) { /* another segment */
            const struct piece *piece = locate_piece(log, index);
            if (!piece) status = fail_index(error, TEAK_HASH_MISMATCH, log->id, index, 0);
            if (piece) status = ready_index(cursor, log, index, max - count, error);
            if (status != TEAK_OK) break;
            piece_end = end_of_piece(log, piece);
        }
        struct place place;
        const uint8_t *payload;
        status = read_entry(cursor, log, index, count == 0, &place, &payload, error);
        if (status != TEAK_OK) break;
        if (count > 0 && bytes + place.bytes > bytes_max) break;
        out[count++] = (struct teak_entry){.index = index, .term = place.term, .data = payload, .bytes = place.bytes,
                                           .kind = place.kind, .durable = index <= durable};
        bytes += place.bytes;
    }
    *count_out = count;
    stand_at(cursor, index, count);
    if (count > 0) return TEAK_OK;
    notice_read(cursor->store, status, error);
    return status;
}

/* ----------------------------------------------------------------------------------------- waiting for nothing */

/* From memory: the arena, or a window that was fetched. PENDING: it is not there; nothing was asked of the disk. */
static enum teak_status try_unsealed(struct teak_cursor *cursor, const struct log *log, uint64_t index,
                                     struct place *place, const uint8_t **out, struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    if (!locate(&store->segments, log, index, place))
        return fail_index(error, TEAK_HASH_MISMATCH, log->id, index, 0);
    *out = arena_find(&store->arena, place->segment->number, place->offset, place->bytes);
    store->arena_reads += *out != NULL;
    if (*out) return TEAK_OK;
    struct fetch *fetch = cursor->stream ? stream_find(cursor->stream, index) : NULL;
    if (!fetch || !window_has(&fetch->window, place->segment, place->offset, place->bytes)) {
        if (fetch) fetch_reset(fetch);
        return TEAK_PENDING;
    }
    *out = window_at(&fetch->window, place->offset);
    store->disk_reads++;
    if (reader_is_whole(log, index, place, *out)) return TEAK_OK;
    fetch_reset(fetch); /* its slot is in memory: it is the bytes. The next try reads them again */
    return rotten(log, index, place, error);
}

/* The same where the index lies on the medium: the places were noted when the window was fetched. */
static enum teak_status try_sealed(struct teak_cursor *cursor, const struct log *log, uint64_t index, bool may_ask,
                                   struct place *place, const uint8_t **out, struct teak_error *error)
{
    struct teak_store *store = cursor->store;
    const struct segment *segment = place->segment;
    struct fetch *fetch = cursor->stream ? stream_find(cursor->stream, index) : NULL;
    if (!fetch) return TEAK_PENDING;
    if (!fetch->was_sealed || fetch->noted != segment->number || fetch->salt != segment->key.salt) {
        fetch_reset(fetch);
        return TEAK_PENDING;
    }
    const struct spot *spot = &fetch->spots[index - fetch->index];
    place->offset = spot->offset;
    place->bytes = spot->bytes;
    place->sum = spot->sum;
    place->term = spot->term;
    place->kind = spot->kind;
    *out = arena_find(&store->arena, segment->number, spot->offset, spot->bytes);
    store->arena_reads += *out != NULL;
    if (*out) return TEAK_OK;
    if (!window_has(&fetch->window, segment, spot->offset, spot->bytes)) { /* it was in the arena when it was noted */
        if (may_ask) fetch_reset(fetch);
        return TEAK_PENDING;
    }
    *out = window_at(&fetch->window, spot->offset);
    store->disk_reads++;
    if (reader_is_whole(log, index, place, *out)) return TEAK_OK;
    if (!may_ask) return TEAK_PENDING; /* alone, at the next call: what this one hands out stays */
    if (fetch->asks_table) {
        fetch_reset(fetch);
        return rotten(log, index, place, error);
    }
    fetch_ask_table(fetch, index);
    return TEAK_PENDING;
}

static enum teak_status make_stream(struct teak_cursor *cursor, struct teak_error *error)
{
    if (cursor->stream) return TEAK_OK;
    cursor->stream = stream_open(cursor->store, cursor->log, cursor->life, cursor->index);
    return cursor->stream ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "cursor");
}

/* Entries were handed out: what comes behind them is brought while they are looked at. Nothing was found: it is asked
 * for. */
static enum teak_status ask_for_more(struct teak_cursor *cursor, const struct log *log, uint32_t count,
                                     enum teak_status status, struct teak_error *error)
{
    if (count > 0) {
        if (cursor->stream) stream_read_ahead(cursor->stream);
        return TEAK_OK;
    }
    if (status != TEAK_PENDING) return status;
    status = make_stream(cursor, error);
    if (status == TEAK_OK) status = stream_want(cursor->stream, cursor->index, error);
    return status == TEAK_OK ? fail_index(error, TEAK_PENDING, log->id, cursor->index, 0) : status;
}

enum teak_status teak_cursor_try_read(struct teak_cursor *cursor, uint64_t bytes_max, struct teak_entry *out,
                                      uint32_t max, uint32_t *count_out, struct teak_error *error)
{
    *count_out = 0;
    cursor->lent_count = 0;
    struct log *log;
    struct teak_error own;
    if (!error) error = &own; /* a read that meets rot is told of, whether the caller wants to know where or not */
    enum teak_status status = look(cursor, &log, error);
    if (status != TEAK_OK || is_at_end(cursor, log)) return status;
    struct teak_store *store = cursor->store;
    if (store->phase == STORE_READING) return teak_cursor_read(cursor, bytes_max, out, max, count_out, error);
    status = store_guard(store, error);
    if (status != TEAK_OK) return status;
    const uint64_t durable = durable_of(log, &store->segments, &store->flight).index;
    uint64_t bytes = 0, piece_end = 0, index = cursor->index;
    uint32_t count = 0;
    struct place place = {0};
    for (; count < max && index <= log->head.last.index; index++) {
        if (index >= piece_end) { /* another segment */
            const struct piece *piece = locate_piece(log, index);
            if (!piece) status = fail_index(error, TEAK_HASH_MISMATCH, log->id, index, 0);
            if (!piece) break;
            place.segment = segment_of_piece(&store->segments, piece->segment);
            piece_end = end_of_piece(log, piece);
        }
        const uint8_t *payload = NULL;
        status = place.segment->state == SEGMENT_SEALED
                     ? try_sealed(cursor, log, index, count == 0, &place, &payload, error)
                     : try_unsealed(cursor, log, index, &place, &payload, error);
        if (status != TEAK_OK) break;
        if (count > 0 && bytes + place.bytes > bytes_max) break;
        out[count++] = (struct teak_entry){.index = index, .term = place.term, .data = payload, .bytes = place.bytes,
                                           .kind = place.kind, .durable = index <= durable};
        bytes += place.bytes;
    }
    *count_out = count;
    stand_at(cursor, index, count);
    if (count == 0) notice_read(store, status, error);
    return ask_for_more(cursor, log, count, status, error);
}
