/* salvage.c: see salvage.h. */
#include "store/salvage.h"

#include "base/bytes.h"
#include "store/failure.h"

/* Where the frames of an image end, as far as anybody says so. */
static uint64_t limit_of(const struct salvage *walk, uint32_t number)
{
    const struct image *image = &walk->tail->images[number];
    struct frame_head head;
    struct op op;
    if (image->has_footer) return min_u64(image->footer.frames_end, image->file_bytes);
    if (number + 1 < walk->tail->count && image_checkpoint(&walk->source, image + 1, &head, &op) &&
        op.checkpoint.segment == image->number && (!image->has_key || op.checkpoint.salt == image->key.salt))
        return min_u64(op.checkpoint.end_offset, image->file_bytes);
    return image->file_bytes;
}

/* The first valid head at or behind `offset` with an LSN of at least `lsn`. */
static bool find_head(const struct salvage *walk, uint32_t number, uint64_t offset, uint64_t limit, uint64_t lsn,
                      uint64_t *offset_out, struct frame_head *out)
{
    const struct image *image = &walk->tail->images[number];
    for (; offset < limit; offset += walk->source.block_bytes) {
        if (!image_head(&walk->source, image, offset, out) || out->lsn < lsn || offset + out->bytes > limit) continue;
        *offset_out = offset;
        return true;
    }
    return false;
}

void salvage_begin(struct salvage *walk, const struct scan_source *source, const struct tail *tail, uint64_t lsn,
                   bool is_open_ended)
{
    *walk = (struct salvage){.source = *source, .tail = tail, .lsn = lsn, .next_offset = source->block_bytes,
                             .reached_offset = source->block_bytes, .is_open_ended = is_open_ended};
    for (uint32_t i = 0; i < tail->count; i++) {
        const struct image *image = &tail->images[i];
        walk->vouched = max_u64(walk->vouched, image_vouched(source, image));
        if (image->has_footer && i + 1 < tail->count) /* of the next one's checkpoint: seal.h, HOLDS 1 */
            walk->vouched = max_u64(walk->vouched, image->footer.last_lsn + 1);
    }
}

static enum salvage_item lost(struct salvage *walk, uint64_t last_lsn)
{
    walk->reached = walk->image;
    walk->reached_offset = walk->offset;
    walk->first_lsn = walk->lsn;
    walk->last_lsn = last_lsn;
    walk->is_checkpoint = walk->offset == walk->source.block_bytes && walk->first_lsn == last_lsn;
    walk->lsn = last_lsn + 1;
    walk->has_chain = false;
    return SALVAGE_LOST;
}

/* A head with the right LSN stands there: the frame behind it. */
static enum salvage_item judge(struct salvage *walk)
{
    const struct image *image = &walk->tail->images[walk->image];
    struct op bad;
    uint64_t bad_index;
    const enum frame_verdict verdict =
        frame_judge(image->bytes + walk->offset, &walk->head, &image->key, &bad, &bad_index);
    if (verdict == FRAME_SENSELESS) return SALVAGE_SENSELESS;
    if (verdict == FRAME_UNKNOWN) return SALVAGE_UNKNOWN;
    if (verdict != FRAME_WHOLE && walk->head.lsn > walk->vouched) return SALVAGE_END; /* it flew, and did not land */
    walk->end = walk->next_offset = walk->offset + walk->head.bytes;
    if (verdict == FRAME_TORN_TABLE) return lost(walk, walk->lsn);
    walk->reached = walk->image;
    walk->reached_offset = walk->end;
    walk->first_lsn = walk->last_lsn = walk->lsn;
    walk->lsn = walk->head.lsn + 1;
    walk->chain = walk->head.checksum;
    walk->has_chain = true;
    return verdict == FRAME_WHOLE ? SALVAGE_WHOLE : SALVAGE_ROTTEN;
}

/* No head of the right LSN stands at walk->offset of walk->image. What does the next valid one say? */
static enum salvage_item pass_over(struct salvage *walk, uint64_t limit)
{
    struct frame_head head;
    const uint64_t block = walk->source.block_bytes;
    uint64_t found;
    if (walk->offset < limit &&
        find_head(walk, walk->image, walk->offset + block, limit, walk->lsn + 1, &found, &head)) {
        walk->end = walk->next_offset = found;
        if (walk->lsn == 0) walk->lsn = head.lsn - min_u64(head.lsn - 1, (found - walk->offset) / block);
        return lost(walk, head.lsn - 1);
    }
    for (uint32_t i = walk->image + 1; i < walk->tail->count; i++) {
        if (!find_head(walk, i, block, limit_of(walk, i), walk->lsn, &found, &head)) continue;
        const bool is_seamless = head.lsn == walk->lsn && i == walk->image + 1 && found == block;
        const bool is_next_first = head.lsn == walk->lsn + 1 && i == walk->image + 1 && found > block;
        if (walk->lsn == 0) walk->lsn = max_u64(head.lsn, 2) - 1; /* one at least; what stands before may say more */
        walk->end = walk->offset;
        walk->next_image = i;
        walk->next_offset = found;
        if (is_seamless) return salvage_next(walk);
        if (is_next_first) { /* the frame that is missing was the first of the next image: its checkpoint */
            walk->image = i;
            walk->offset = block;
            walk->end = found;
        }
        return lost(walk, max_u64(walk->lsn, head.lsn - 1));
    }
    return SALVAGE_END;
}

/* So many frames may have stood in `image` where nothing can be read any more. */
static uint64_t unread_blocks(const struct salvage *walk, const struct image *image)
{
    const uint64_t readable = image->is_suspect && !image->has_key ? 0 : image->file_bytes;
    if (image->has_footer || readable >= walk->source.segment_bytes) return 0;
    return (walk->source.segment_bytes - readable) / walk->source.block_bytes;
}

/* Behind everything that is there: does somebody vouch for more, or may a missing stretch have held more? The newest
 * segment may be one that was only prepared: what is missing then is missing before it. */
static enum salvage_item end(struct salvage *walk)
{
    uint64_t last = walk->vouched, unread = 0;
    for (uint32_t i = walk->reached; i < walk->tail->count; i++) unread += unread_blocks(walk, &walk->tail->images[i]);
    if (walk->is_open_ended) unread += SCAN_TAIL_MAX * (walk->source.segment_bytes / walk->source.block_bytes);
    if (unread > 0) last = max_u64(last, walk->lsn + unread - 1);
    walk->next_image = walk->tail->count;
    if (walk->lsn == 0 || last < walk->lsn) return SALVAGE_END;
    if (walk->image > walk->reached) { /* it begins where the last item ended */
        walk->image = walk->reached;
        walk->offset = walk->end = walk->reached_offset;
    }
    const enum salvage_item item = lost(walk, last);
    walk->is_checkpoint = false;
    return item;
}

enum salvage_item salvage_next(struct salvage *walk)
{
    if (walk->next_image >= walk->tail->count) return SALVAGE_END;
    walk->image = walk->next_image;
    walk->offset = walk->end = walk->next_offset;
    const uint64_t limit = limit_of(walk, walk->image);
    if (walk->offset >= limit && walk->image + 1 < walk->tail->count) {
        struct frame_head first;
        const bool is_ahead = image_head(&walk->source, &walk->tail->images[walk->image + 1],
                                         walk->source.block_bytes, &first) && first.lsn > walk->lsn;
        if (is_ahead && walk->lsn != 0 && walk->lsn <= walk->vouched) { /* the end of this one is missing */
            const enum salvage_item item = pass_over(walk, limit);
            return item == SALVAGE_END ? end(walk) : item;
        }
        walk->next_image++;
        walk->next_offset = walk->source.block_bytes;
        return salvage_next(walk);
    }
    const bool has_head = image_head(&walk->source, &walk->tail->images[walk->image], walk->offset, &walk->head) &&
                          (walk->lsn == 0 || walk->head.lsn == walk->lsn) &&
                          (!walk->has_chain || walk->head.chain == walk->chain) &&
                          walk->offset + walk->head.bytes <= limit;
    if (has_head) {
        walk->lsn = walk->head.lsn;
        const enum salvage_item item = judge(walk);
        return item == SALVAGE_END ? end(walk) : item;
    }
    if (walk->lsn != 0 && walk->lsn > walk->vouched) return end(walk);
    const enum salvage_item item = pass_over(walk, limit);
    return item == SALVAGE_END ? end(walk) : item;
}

bool salvage_entry_is_whole(const struct salvage *walk, const struct op *op, uint32_t entry)
{
    const struct image *image = &walk->tail->images[walk->image];
    const struct layout_slot *slot = &op->entries.slots[entry];
    const struct entry_identity who = {.log = op->log, .index = op->entries.first + entry, .term = op->entries.term,
                                       .bytes = le32_get(slot->bytes), .kind = op->kind};
    return key_entry_sum(&image->key, &who, image->bytes + le32_get(slot->offset)) == le64_get(slot->sum);
}

/* -------------------------------------------------------------------------------------------------------- the plan */

static void note(const struct salvage *walk, struct tail *tail)
{
    const struct image *image = &tail->images[walk->image];
    uint32_t cursor = 0;
    struct op op;
    while (table_next(image->bytes + walk->offset, &walk->head, &cursor, &op)) {
        if (op.code == OP_FORGET) tail->oldest = max_u64(tail->oldest, op.oldest);
        if (op.code == OP_CHECKPOINT) tail->oldest = max_u64(tail->oldest, op.checkpoint.oldest);
    }
    tail->chain = walk->head.checksum;
    tail->frames++;
    tail->bytes += walk->head.bytes;
}

enum teak_status salvage_plan(const struct scan_source *source, struct tail *tail, uint64_t lsn, bool is_open_ended,
                              uint32_t *hurt_out, struct teak_report *report, struct teak_error *error)
{
    struct salvage walk;
    salvage_begin(&walk, source, tail, lsn, is_open_ended);
    tail->is_clean = false;
    tail->oldest = tail->frames = tail->bytes = tail->chain = tail->last = 0;
    tail->end = source->block_bytes;
    tail->later_frames = tail->later_bytes = 0;
    tail->vouched = walk.vouched;
    tail->verdict = VERDICT_DAMAGED;
    *hurt_out = 0;
    for (;;) {
        const enum salvage_item item = salvage_next(&walk);
        const struct image *image = &tail->images[walk.image];
        if (item == SALVAGE_END) break;
        if (item == SALVAGE_SENSELESS || item == SALVAGE_UNKNOWN)
            return fail_segment(error, item == SALVAGE_UNKNOWN ? TEAK_FEATURE : TEAK_DECODE, "salvage", image->number,
                                walk.offset);
        if (item != SALVAGE_WHOLE) {
            *hurt_out |= 1u << walk.image;
            const bool suspect = report->hard_states_suspect;
            scan_describe(source, image, walk.offset, walk.first_lsn, walk.last_lsn, report);
            /* a table that can be read tells all; a checkpoint says nothing that is new */
            report->hard_states_suspect = suspect || (item == SALVAGE_LOST && !walk.is_checkpoint);
            report->logs_may_be_missing |= item == SALVAGE_LOST && !walk.is_checkpoint;
        }
        if (item != SALVAGE_LOST) {
            note(&walk, tail);
            if (tail->oldest > image->number) /* who says so would have to be gone himself */
                return fail_segment(error, TEAK_DECODE, "salvage", image->number, walk.offset);
            tail->last = walk.image;
            tail->end = walk.end;
        } else if (walk.image > tail->last && walk.next_image < tail->count) {
            tail->last = walk.image; /* something is kept behind it */
            tail->end = source->block_bytes;
        }
    }
    tail->lsn = walk.lsn;
    return TEAK_OK;
}
