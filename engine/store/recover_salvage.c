/* recover_salvage.c: see recover_salvage.h. */
#include "store/recover_salvage.h"

#include "base/bytes.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/recover.h"
#include "store/replay.h"

bool recover_passes_over(const struct teak_store *store, enum teak_status status)
{
    return store->quarantine && !store->living &&
           (status == TEAK_SEGMENT_MISSING || status == TEAK_SEGMENT_SHORT || status == TEAK_BAD_MAGIC ||
            status == TEAK_DAMAGED);
}

/* --------------------------------------------------------------------------------------------------------- one walk */

/* The segment of an image in which something is lost, with tables to replay what is not. */
static enum teak_status add_salvaged(struct teak_store *store, struct image *image, enum segment_state state,
                                     bool is_hurt, struct teak_report *report, struct teak_error *error)
{
    struct segment *segment = replay_add_image(store, image, state, report);
    if (!segment) return fail(error, TEAK_NO_MEMORY, "replay");
    segment->is_lost = !image->has_key; /* nothing in it can be judged: nothing of it is kept */
    segment->is_salvaged |= is_hurt || segment->is_lost;
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
    if (op.checkpoint.last_lsn + 1 != head.lsn) return; /* it contradicts itself */
    segment->frames_end =
        (uint32_t)min_u64(op.checkpoint.end_offset, source.segment_bytes - 2 * (uint64_t)source.block_bytes);
    segment->last_lsn = op.checkpoint.last_lsn;
    segment->chain = op.checkpoint.chain;
}

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

enum teak_status salvaging_replay(struct salvaging *salvaging, struct teak_store *store, struct teak_report *report,
                                  struct teak_error *error)
{
    const struct salvage *walk = &salvaging->walk;
    enum teak_status status = TEAK_OK;
    while (status == TEAK_OK) {
        const enum salvage_item item = salvage_next(&salvaging->walk);
        if (item == SALVAGE_END || walk->image >= salvaging->upto) break;
        if (item == SALVAGE_SENSELESS || item == SALVAGE_UNKNOWN) /* the plan began elsewhere, and did not come by */
            return fail_segment(error, item == SALVAGE_UNKNOWN ? TEAK_FEATURE : TEAK_DECODE, "salvage",
                                walk->tail->images[walk->image].number, walk->offset);
        status = add_upto(store, salvaging, walk->image, report, error);
        if (status != TEAK_OK) break;
        struct segment *segment = segment_at(&store->segments, walk->tail->images[walk->image].number);
        const uint8_t *frame = walk->tail->images[walk->image].bytes + walk->offset;
        if (item == SALVAGE_LOST) {
            segment->is_salvaged = true;
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
    replay_note_unindexed(store, walk->tail->images[0].number);
    return status;
}

/* --------------------------------------------------------------------------------------------------- below the tail */

/* What it did to any log is lost, and what the next one's checkpoint says is known again. */
enum teak_status recover_lost_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
                                      struct teak_report *report, struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    source.lenient = true; /* the next one may be hurt, too */
    struct segment *segment = replay_add_segment(store, number, SEGMENT_CLOSED);
    if (!segment || !segment_make_tables(segment, source.segment_bytes)) return fail(error, TEAK_NO_MEMORY, "replay");
    segment->is_lost = segment->is_salvaged = segment->is_missing = true;
    replay_note_unindexed(store, number);
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
            op.checkpoint.segment == number && op.checkpoint.last_lsn >= segment->first_lsn &&
            op.checkpoint.last_lsn + 1 == head.lsn) {
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

/* Not a frame of a segment can be read, nor who attests its end; but others follow it, so it had its checkpoint at
 * least. */
static void lose_all_frames(struct teak_store *store, struct segment *segment, const struct image *next,
                            uint64_t before_lsn, struct teak_report *report)
{
    segment->first_lsn = segment->last_lsn = before_lsn + 1;
    if (next && next->has_footer && next->footer.first_lsn > segment->first_lsn)
        segment->last_lsn = next->footer.first_lsn - 1;
    segment->is_salvaged = true;
    if (before_lsn != 0) replay_lost(store, segment->first_lsn);
    harm_note(&store->harm, report, (struct teak_damage){.segment = segment->number, .first_lsn = segment->first_lsn,
                                                         .last_lsn = segment->last_lsn});
    report->hard_states_suspect |= store->losses.is_blind;
}

/* What is left of it, and then what the next one's checkpoint says. */
enum teak_status recover_hurt_segment(struct teak_store *store, uint64_t number, uint64_t *last_lsn,
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
        if (i == 1 && recover_passes_over(store, status)) {
            status = TEAK_OK; /* the next one is worse: what is behind this one is not known */
            break;
        }
        if (status == TEAK_OK) pair->count++;
        if (status == TEAK_OK) status = recover_load_synced(store, &source, &pair->images[i], error);
    }
    const uint64_t lsn = *last_lsn ? *last_lsn + 1 : number == 1 ? 1 : 0;
    if (status == TEAK_OK) status = salvage_plan(&source, pair, lsn, false, &salvaging.hurt, report, error);
    if (status == TEAK_OK) {
        salvage_begin(&salvaging.walk, &source, pair, lsn, false);
        status = salvaging_replay(&salvaging, store, report, error);
    }
    if (status == TEAK_OK) {
        struct segment *segment = segment_at(&store->segments, number);
        if (segment->first_lsn == 0)
            lose_all_frames(store, segment, pair->count > 1 ? &pair->images[1] : NULL, *last_lsn, report);
        if (pair->count > 1 && image_checkpoint(&source, &pair->images[1], &head, &op))
            status = replay_checkpoint(store, segment, &op, error);
        *last_lsn = segment->last_lsn;
    }
    for (uint32_t i = 0; i < pair->count; i++) image_close(&source, &pair->images[i]);
    heap_give(pair);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- the tail */

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
    if (recover_passes_over(store, status)) return TEAK_OK;
    if (status == TEAK_OK) status = recover_load_synced(store, &source, &image, error);
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

enum teak_status salvaging_plan(struct salvaging *salvaging, struct teak_store *store, const struct listing *listing,
                                struct tail *tail, struct teak_report *report, struct teak_error *error)
{
    store->lenient = true;
    const struct scan_source source = recover_source(store);
    tail_close(tail, &source);
    *tail = (struct tail){0};
    struct before before = {.status = TEAK_OK};
    report->damage_count = 0;
    report->hard_states_suspect = false;
    struct listing known = *listing;
    enum teak_status status = tail_open(tail, store, &known, &before, report, error);
    const bool is_cut_off = status == TEAK_OK && is_behind_a_gap(&source, &known, tail);
    if (is_cut_off) {
        known.segments.count -= tail->count;
        tail_close(tail, &source);
        *tail = (struct tail){0};
        before = (struct before){.status = TEAK_OK};
        status = tail_open(tail, store, &known, &before, report, error);
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
    if (tail->frames == 0 && salvaging->hurt == 0) /* files made ready, and nothing of what stood before them */
        return fail_segment(error, TEAK_SEGMENT_MISSING, "salvage", tail->images[0].number - 1, 0);
    if (tail->oldest == 0) tail->oldest = min_u64(lowest_of_row(&known), tail->images[0].number);
    salvaging->upto = tail->last + 1;
    salvaging->newest = SEGMENT_ACTIVE;
    salvage_begin(&salvaging->walk, &source, tail, lsn, is_open_ended);
    return tail_check_sense(tail, error);
}
