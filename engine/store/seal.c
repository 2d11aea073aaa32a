/* seal.c: see seal.h. */
#include "store/seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/locate.h"

enum { PIECE_BYTES = SLOT_PIECE * sizeof(struct layout_slot), PIECES_MAX = 4 };

bool seal_init(struct seal *seal, uint32_t block_bytes, bool is_unsynced)
{
    *seal = (struct seal){.errand = ERRAND_SEAL, .block_bytes = block_bytes, .is_unsynced = is_unsynced};
    seal->pieces = heap_take_aligned(65536, PIECES_MAX * PIECE_BYTES);
    return seal->pieces != NULL;
}

static void forget_job(struct seal *seal)
{
    heap_give(seal->tail);
    heap_give(seal->sorted);
    seal->tail = NULL;
    seal->sorted = NULL;
    seal->segment = NULL;
    seal->step = SEAL_IDLE;
}

void seal_fini(struct seal *seal)
{
    forget_job(seal);
    heap_give(seal->pieces);
    seal->pieces = NULL;
}

/* The oldest segment that is closed: those without a footer are the newest. */
static struct segment *oldest_closed(const struct segments *segments)
{
    struct segment *found = NULL;
    for (uint64_t number = segments->newest; number >= segments->oldest; number--) {
        struct segment *segment = segment_at(segments, number);
        if (segment->state == SEGMENT_SEALED) break;
        if (segment->state == SEGMENT_CLOSED) found = segment;
    }
    return found;
}

/* Those whose index was lost, or that were salvaged, may lie deeper: they come first. */
static struct segment *deep_closed(const struct segments *segments)
{
    if (segments->unindexed == 0) return NULL;
    for (uint64_t number = max_u64(segments->unindexed, segments->oldest); number < segments->newest; number++)
        if (segment_at(segments, number)->state == SEGMENT_CLOSED) return segment_at(segments, number);
    return NULL;
}

static struct segment *next_closed(const struct segments *segments)
{
    struct segment *deep = deep_closed(segments);
    return deep ? deep : oldest_closed(segments);
}

bool seal_has_deep(const struct segments *segments) { return deep_closed(segments) != NULL; }

static bool is_due(const struct segments *segments, const struct segment *segment, uint64_t durable_lsn)
{
    if (!segment) return false;
    const struct segment *successor = segment_at(segments, segment->number + 1);
    return successor->first_lsn != 0 && successor->first_lsn <= durable_lsn;
}

bool seal_is_due(const struct segments *segments, uint64_t durable_lsn)
{
    return is_due(segments, next_closed(segments), durable_lsn);
}

static int by_log_then_age(const void *a, const void *b)
{
    const struct effect *x = *(const struct effect *const *)a, *y = *(const struct effect *const *)b;
    if (x->log != y->log) return x->log < y->log ? -1 : 1;
    return x < y ? -1 : 1;
}

static const struct layout_extent *extents_of(const struct effect *effect)
{
    return effect->capacity > 1 ? effect->heap : &effect->one;
}

/* Appends the effect's extents, with their slots renumbered from *slot on; neighbours that became one are joined. */
static uint32_t put_extents(const struct effect *effect, struct layout_extent *out, uint32_t *slot)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->count; i++) {
        struct layout_extent extent = extents_of(effect)[i];
        extent.slot = le32_of(*slot);
        *slot += le32_get(extent.count);
        struct layout_extent *last = count ? &out[count - 1] : NULL;
        if (last && last->kind == extent.kind && last->flags == extent.flags &&
            le64_get(last->term) == le64_get(extent.term) &&
            le64_get(last->first) + le32_get(last->count) == le64_get(extent.first))
            last->count = le32_of(le32_get(last->count) + le32_get(extent.count));
        else
            out[count++] = extent;
    }
    return count;
}

uint32_t seal_summarise(const struct segment *segment, const struct effect **sorted, uint8_t *out,
                        struct footer *footer)
{
    for (uint32_t i = 0; i < segment->effect_count; i++) sorted[i] = &segment->effects[i];
    if (segment->effect_count > 1) qsort(sorted, segment->effect_count, sizeof *sorted, by_log_then_age);
    uint32_t bytes = 0, slot = 0;
    footer->log_count = 0;
    for (uint32_t i = 0; i < segment->effect_count;) {
        /* one log may have several lives here; a drop took all of the earlier ones' entries away */
        struct touched touched = {.log = sorted[i]->log, .removed_from = UINT64_MAX};
        struct layout_extent *extents = (struct layout_extent *)(void *)(out + bytes + sizeof(struct layout_touched));
        for (; i < segment->effect_count && sorted[i]->log == touched.log; i++) {
            CHECK_EQ(touched.extent_count, 0);
            CHECK_EQ(touched.bytes, 0);
            touched.bytes = sorted[i]->bytes;
            touched.removed_from = min_u64(touched.removed_from, sorted[i]->removed_from);
            touched.flags = (touched.flags & TOUCHED_CREATED) | sorted[i]->flags;
            touched.extent_count = put_extents(sorted[i], extents, &slot);
        }
        touched.extents = extents;
        bytes += touched_put(&touched, out + bytes);
        footer->log_count++;
    }
    footer->slot_count = slot;
    return bytes;
}

static uint64_t summary_room(const struct segment *segment, uint32_t block_bytes)
{
    return align_up(segment->effect_count * sizeof(struct layout_touched) +
                        segment->extent_count * sizeof(struct layout_extent), block_bytes);
}

bool seal_fits(const struct segment *segment, uint32_t block_bytes, uint64_t *end_out)
{
    /* At most this much; what was sealed before and cut behind its footer may be that much shorter. */
    *end_out = segment->frames_end + segment_index_bytes(segment->slot_count, segment->effect_count,
                                                         segment->extent_count, block_bytes);
    if (*end_out <= segment->file_bytes) return true;
    uint8_t *summary = heap_take_aligned(65536, align_up(summary_room(segment, block_bytes) + 1, 65536));
    const struct effect **sorted = heap_take((segment->effect_count + 1) * sizeof(const struct effect *));
    struct footer footer = {0};
    const bool enough = summary && sorted;
    if (enough) {
        const uint64_t bytes = seal_summarise(segment, sorted, summary, &footer);
        *end_out = segment->frames_end + align_up(footer.slot_count * sizeof(struct layout_slot), block_bytes) +
                   align_up(bytes, block_bytes) + block_bytes;
    }
    heap_give(summary);
    heap_give(sorted);
    return enough;
}

/* The next piece of slots, in the summary's order. Returns how many. */
static uint32_t fill_piece(struct seal *seal, uint8_t *piece)
{
    const struct segment *segment = seal->segment;
    struct layout_slot *out = (struct layout_slot *)(void *)piece;
    uint32_t count = 0;
    while (count < SLOT_PIECE && seal->at_effect < segment->effect_count) {
        const struct effect *effect = seal->sorted[seal->at_effect];
        if (seal->at_extent == effect->count) {
            seal->at_effect++;
            seal->at_extent = 0;
            continue;
        }
        const struct layout_extent *extent = &extents_of(effect)[seal->at_extent];
        const uint32_t left = le32_get(extent->count) - seal->at_slot;
        const uint32_t take = left < SLOT_PIECE - count ? left : SLOT_PIECE - count;
        memcpy(out + count, segment->slots + le32_get(extent->slot) + seal->at_slot, take * sizeof *out);
        count += take;
        seal->at_slot += take;
        if (take == left) {
            seal->at_extent++;
            seal->at_slot = 0;
        }
    }
    return count;
}

static int begin(struct seal *seal, struct segment *segment)
{
    const uint32_t block = seal->block_bytes;
    const uint64_t room = summary_room(segment, block) + block;
    seal->tail = heap_take_aligned(65536, align_up(room, 65536));
    seal->sorted = heap_take((segment->effect_count + 1) * sizeof(const struct effect *));
    if (!seal->tail || !seal->sorted) {
        forget_job(seal);
        return ENOMEM;
    }
    seal->segment = segment;
    seal->footer = (struct footer){.salt = segment->key.salt,
                                   .segment = segment->number,
                                   .first_lsn = segment->first_lsn,
                                   .last_lsn = segment->last_lsn,
                                   .chain = segment->chain,
                                   .frames_end = segment->frames_end,
                                   .slots_offset = segment->frames_end,
                                   .flags = segment->is_salvaged ? FOOTER_SALVAGED : 0};
    struct footer *footer = &seal->footer;
    footer->summary_bytes = seal_summarise(segment, seal->sorted, seal->tail, footer);
    footer->summary_sum = key_sum(&segment->key, seal->tail, footer->summary_bytes);
    footer->summary_offset =
        footer->slots_offset + (uint32_t)align_up(footer->slot_count * sizeof(struct layout_slot), block);
    const uint64_t end = footer->summary_offset + align_up(footer->summary_bytes, block) + block;
    CHECK_LE(end, segment->file_bytes);
    /* A segment that is less than half full, because a crash ended it early, gives the rest back. */
    segment->is_short = end < segment->file_bytes / 2;
    if (segment->is_short) segment->file_bytes = end;
    footer->file_bytes = segment->file_bytes;
    seal->slots_done = seal->at_effect = seal->at_extent = seal->at_slot = 0;
    seal->step = SEAL_SLOTS;
    return 0;
}

static void submit_on(struct seal *seal, struct disk *disk, const struct segment *segment, struct disk_op op)
{
    op.flags |= DISK_CHORE;
    op.owner = seal;
    op.file = segment->file;
    seal->op = op;
    seal->waiting = true;
    disk_submit(disk, &seal->op);
}

static void submit(struct seal *seal, struct disk *disk, struct disk_op op)
{
    submit_on(seal, disk, seal->segment, op);
}

/* As many as `room` bytes hold, and one at least. */
static void submit_pieces(struct seal *seal, struct disk *disk, uint64_t room)
{
    const uint64_t offset = seal->footer.slots_offset + seal->slots_done * sizeof(struct layout_slot);
    const uint64_t limit = min_u64(room, PIECES_MAX * PIECE_BYTES);
    uint64_t used = 0;
    do {
        uint8_t *const piece = seal->pieces + used;
        const uint32_t count = fill_piece(seal, piece);
        const uint64_t bytes = count * sizeof(struct layout_slot);
        seal->sums[seal->slots_done / SLOT_PIECE] = key_sum(&seal->segment->key, piece, bytes);
        seal->slots_done += count;
        used += bytes;
    } while (seal->slots_done < seal->footer.slot_count && used + PIECE_BYTES <= limit);
    const uint64_t bytes = align_up(used, seal->block_bytes);
    memset(seal->pieces + used, 0, bytes - used);
    submit(seal, disk, (struct disk_op){.kind = DISK_WRITE, .data = seal->pieces, .bytes = bytes, .offset = offset});
}

/* Summary and footer: one write where they are neighbours, and only the footer makes the segment sealed. Both lie
 * behind a sync of the slots; the footer's sum covers the summary's, so that a tear between them is seen. */
static void submit_tail(struct seal *seal, struct disk *disk)
{
    struct footer *footer = &seal->footer;
    const uint32_t block = seal->block_bytes;
    const uint64_t summary = align_up(footer->summary_bytes, block);
    memset(seal->tail + footer->summary_bytes, 0, summary - footer->summary_bytes + block);
    footer->slots_sum =
        slots_sum_of(&seal->segment->key, seal->sums, (footer->slot_count + SLOT_PIECE - 1) / SLOT_PIECE);
    footer_encode(footer, &seal->segment->key, seal->tail + summary);
    const bool together = footer->summary_offset + summary + block == footer->file_bytes;
    if (together) {
        submit(seal, disk, (struct disk_op){.kind = DISK_WRITE, .data = seal->tail, .bytes = summary + block,
                           .offset = footer->summary_offset});
        seal->tail_bytes = 0;
    } else if (summary > 0 && seal->tail_bytes == 0) {
        seal->tail_bytes = block; /* the footer is still to be written */
        submit(seal, disk, (struct disk_op){.kind = DISK_WRITE, .data = seal->tail, .bytes = summary,
                           .offset = footer->summary_offset});
    } else {
        seal->tail_bytes = 0;
        submit(seal, disk, (struct disk_op){.kind = DISK_WRITE, .data = seal->tail + summary, .bytes = block,
                           .offset = footer->file_bytes - block});
    }
}

static enum seal_step after_frames(const struct seal *seal)
{
    return seal->footer.slot_count > 0 ? SEAL_SLOTS : SEAL_SUMMARY;
}

int seal_step(struct seal *seal, struct disk *disk, const struct segments *segments, uint64_t durable_lsn,
              uint64_t room)
{
    if (seal->waiting) return 0;
    if (seal->step == SEAL_IDLE) {
        struct segment *segment = next_closed(segments);
        if (!is_due(segments, segment, durable_lsn)) return 0;
        const int error = begin(seal, segment);
        if (error) return error;
        seal->step = seal->is_unsynced ? SEAL_SYNC_NEXT : after_frames(seal);
    }
    switch (seal->step) {
    case SEAL_IDLE: break;
    case SEAL_SLOTS: submit_pieces(seal, disk, room); break;
    case SEAL_SYNC_NEXT:
        submit_on(seal, disk, segment_at(segments, seal->segment->number + 1), (struct disk_op){.kind = DISK_SYNC});
        break;
    case SEAL_SYNC_FRAMES:
    case SEAL_SYNC_SLOTS:
    case SEAL_SYNC_SUMMARY: submit(seal, disk, (struct disk_op){.kind = DISK_SYNC}); break;
    case SEAL_SUMMARY: submit_tail(seal, disk); break;
    case SEAL_TRUNCATE:
        submit(seal, disk, (struct disk_op){.kind = DISK_TRUNCATE, .bytes = seal->footer.file_bytes});
        break;
    case SEAL_SYNC_SIZE: submit(seal, disk, (struct disk_op){.kind = DISK_SYNC_ALL}); break;
    }
    return 0;
}

/* From now on lookups use the index on disk, mapped when it is first read: pieces name the record in the summary
 * instead of the effect in memory. */
static void switch_over(struct seal *seal, const struct segments *segments, struct logs *logs)
{
    struct segment *segment = seal->segment;
    const struct footer *footer = &seal->footer;
    for (uint32_t record = 0; record < footer->summary_bytes;) {
        struct touched touched;
        const uint32_t next = touched_get(seal->tail, record, &touched);
        struct log *log = logs_find(logs, touched.log);
        for (uint32_t i = log ? log->piece_count : 0; i-- > 0;) {
            struct piece *piece = &log->pieces[i];
            if (piece_is_hole(piece)) continue;
            if (piece->segment == (uint32_t)segment->number)
                piece->record = record;
            else if (!log->scattered && segment_of_piece(segments, piece->segment)->number < segment->number)
                break;
        }
        record = next;
    }
    segment->footer = *footer;
    segment_move(segment, SEGMENT_SEALED);
}

static void finish(struct seal *seal, struct disk *disk, struct spare_tables *spare)
{
    struct segment *segment = seal->segment;
    /* everything was synced; whoever reads it opens it again, a bounded number at a time */
    if (segment->pins == 0) disk_close_file(disk, &segment->file);
    segment_keep_tables(segment, spare);
    seal->sealed++;
    forget_job(seal);
}

int seal_ended(struct seal *seal, struct disk *disk, const struct segments *segments, struct logs *logs,
               struct spare_tables *spare)
{
    seal->waiting = false;
    if (seal->op.error) return seal->op.error;
    if (seal->op.kind == DISK_WRITE) seal->bytes += seal->op.done;
    switch (seal->step) {
    case SEAL_SYNC_NEXT: seal->step = SEAL_SYNC_FRAMES; return 0;
    case SEAL_SYNC_FRAMES: seal->step = after_frames(seal); return 0;
    case SEAL_SLOTS:
        if (seal->slots_done == seal->footer.slot_count) seal->step = SEAL_SYNC_SLOTS;
        return 0;
    case SEAL_SYNC_SLOTS: seal->step = SEAL_SUMMARY; return 0;
    case SEAL_SUMMARY:
        if (seal->tail_bytes == 0) seal->step = SEAL_SYNC_SUMMARY;
        return 0;
    case SEAL_SYNC_SUMMARY:
        if (seal->segment->is_short) {
            seal->step = SEAL_TRUNCATE;
            return 0;
        }
        break;
    case SEAL_TRUNCATE: seal->step = SEAL_SYNC_SIZE; return 0;
    case SEAL_SYNC_SIZE: break;
    case SEAL_IDLE: CHECK(seal->step != SEAL_IDLE);
    }
    switch_over(seal, segments, logs);
    finish(seal, disk, spare);
    return 0;
}
