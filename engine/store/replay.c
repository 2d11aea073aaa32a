/* replay.c: see replay.h. */
#include "store/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/apply.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/seal.h"
#include "store/verdict.h"

enum { LOGS_AHEAD = 64 };

/* The log of that id, made if `make`; NULL and OK: there is none. Its tables have room for one more of everything, and
 * for
 * META where `meta_bytes` says so. */
static enum teak_status find_log(struct teak_store *store, struct segment *segment, uint64_t id, bool make,
                                 uint32_t meta_bytes, struct log **out, struct teak_error *error)
{
    *out = logs_find(&store->logs, id);
    if (!*out && !make) return TEAK_OK;
    if (!*out) {
        if (!logs_has_room(&store->logs, 1) && !logs_grow(&store->logs, LOGS_AHEAD, NULL))
            return fail(error, TEAK_NO_MEMORY, "replay");
        *out = logs_add(&store->logs, id);
    }
    struct log *log = *out;
    log->wants_meta = meta_bytes > 0;
    bool enough = true;
    if (log_is_short(log)) {
        logs_want(&store->logs, log);
        enough = logs_grow(&store->logs, 0, NULL);
    }
    if (segment && segment->effects) {
        if (enough && segment->effect_count == segment->effect_capacity)
            enough = segment_grow_effects(segment, 2 * segment->effect_capacity);
        struct effect *effect =
            log->effect_segment == segment->number ? &segment->effects[log->effect] : NULL;
        if (enough && effect && effect->count == effect->capacity) enough = effect_grow(effect, 2 * effect->capacity);
    }
    return enough ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "replay");
}

static enum teak_status senseless(const struct segment *segment, uint64_t log, uint64_t index, struct teak_error *error)
{
    fail_segment(error, TEAK_DECODE, "replay", segment->number, 0);
    if (error) {
        error->log = log;
        error->has_log = 1;
        error->index = index;
    }
    return TEAK_DECODE;
}

/* ---------------------------------------------------------------------------------------------------------- the row */

struct segment *replay_add_segment(struct teak_store *store, uint64_t number, enum segment_state state)
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

struct segment *replay_add_image(struct teak_store *store, struct image *image, enum segment_state state,
                                 struct teak_report *report)
{
    struct segment *segment = replay_add_segment(store, image->number, state);
    if (!segment || !segment_make_tables(segment, store->superblock.segment_bytes)) return NULL;
    segment->key = image->key;
    segment->file_bytes = image->file_bytes;
    /* Only a lenient source takes one: its end is missing. */
    segment->is_cut_short = !image->has_footer && image->file_bytes != store->superblock.segment_bytes;
    segment->is_salvaged = segment->is_cut_short;
    segment->frames_end = store->superblock.block_bytes;
    if (store->phase != STORE_READING) {
        segment->file = image->file;
        image->file = DISK_NONE;
    }
    report->scanned++;
    return segment;
}

void replay_note_unindexed(struct teak_store *store, uint64_t number)
{
    struct segments *segments = &store->segments;
    segments->unindexed = segments->unindexed ? min_u64(segments->unindexed, number) : number;
}

/* ----------------------------------------------------------------------------------------------------------- losses */

void replay_lost(struct teak_store *store, uint64_t first_lsn)
{
    struct losses *losses = &store->losses;
    losses->is_blind = true;
    if (losses->first_lsn == 0) losses->first_lsn = first_lsn;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        store->logs.sorted[i]->frozen = true;
        store->logs.sorted[i]->is_told = false;
    }
}

void replay_forget_losses(struct teak_store *store)
{
    heap_give(store->losses.rotten);
    store->losses = (struct losses){0};
}

/* A log that lost frames created, or that only the map knows: it is there, and hurt, and no more is known. */
static void begin_unknown(struct teak_store *store, struct log *log, uint64_t lsn)
{
    const uint64_t base = log->piece_count > 0 ? log->pieces[0].first - 1 : 0;
    const uint64_t last = log->piece_count > 0 ? log->head.last.index : 0;
    log->head = (struct log_head){.alive = true, .life = lsn, .base = {.index = base}, .last = {.index = last}};
    if (last > base) log->head.last.term = terms_at(&log->terms, last);
    log->frozen = true;
    log->changed_lsn = lsn;
    store->logs.record_bytes += log_record_bytes(0);
}

enum teak_status replay_revive(struct teak_store *store, uint64_t lsn, struct teak_error *error)
{
    for (uint32_t i = 0; i < store->logs.count; i++) {
        struct log *log = store->logs.sorted[i];
        if (log->head.alive) continue;
        if (log_is_short(log)) logs_want(&store->logs, log);
        begin_unknown(store, log, lsn);
    }
    return logs_grow(&store->logs, 0, NULL) ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "replay");
}

enum teak_status replay_rotten(struct teak_store *store, const struct rotten *rotten, struct teak_error *error)
{
    struct losses *losses = &store->losses;
    if (losses->rotten_count == losses->rotten_capacity) {
        const uint32_t capacity = losses->rotten_capacity ? losses->rotten_capacity * 2 : 64;
        struct rotten *grown = heap_grow(losses->rotten, capacity * sizeof *grown);
        if (!grown) return fail(error, TEAK_NO_MEMORY, "replay");
        losses->rotten = grown;
        losses->rotten_capacity = capacity;
    }
    losses->rotten[losses->rotten_count++] = *rotten;
    return TEAK_OK;
}

/* ----------------------------------------------------------------------------------------------------------- sealed */

/* Pieces at or above `from` go; no effect is written: the segment's own summary says it already. */
static void take_away(struct teak_store *store, struct log *log, uint64_t from)
{
    map_cut(log, &store->segments, from, log->head.last.index, 0);
    terms_truncate(&log->terms, from);
    if (log->head.last.index >= from) log->head.last.index = from - (from > 0);
}

/* The map knows nothing of what lies between its end and `end`: it was in segments that are forgotten, and a REPLACE
 * further on brings it again; or the end finds the hole. */
static void leave_hole(struct log *log, uint64_t end)
{
    const uint64_t next = log->head.last.index + 1;
    if (log->piece_count == 0 || next >= end) return;
    CHECK_LT(log->piece_count, log->piece_capacity);
    if (!piece_is_hole(&log->pieces[log->piece_count - 1]))
        log->pieces[log->piece_count++] = (struct piece){.first = next, .record = PIECE_HOLE};
    log->scattered = true;
    log->head.last.index = end - 1;
}

static enum teak_status make_room(struct teak_store *store, struct log *log, struct teak_error *error)
{
    if (!log_is_short(log)) return TEAK_OK;
    logs_want(&store->logs, log);
    return logs_grow(&store->logs, 0, NULL) ? TEAK_OK : fail(error, TEAK_NO_MEMORY, "replay");
}

/* An extent of entries that were there before, and lie in `segment` from it on. */
static enum teak_status replace_extent(struct teak_store *store, struct segment *segment, struct log *log,
                                       const struct layout_extent *extent, struct piece piece,
                                       struct teak_error *error)
{
    const uint64_t first = le64_get(extent->first), end = first + le32_get(extent->count);
    struct log_head *head = &log->head;
    if (log->piece_count == 0) {
        log->terms.count = 0;
        head->last.index = end - 1;
    }
    leave_hole(log, first);
    map_splice(log, &store->segments, piece, end, head->last.index, 0);
    if (head->last.index < end - 1) head->last.index = end - 1;
    return terms_learn(&log->terms, first, end, le64_get(extent->term)) ? TEAK_OK
                                                                        : senseless(segment, log->id, first, error);
}

/* Entries that end the log there. */
static enum teak_status append_extent(struct teak_store *store, struct segment *segment, struct log *log,
                                      const struct layout_extent *extent, struct piece piece, struct teak_error *error)
{
    const uint64_t first = le64_get(extent->first), term = le64_get(extent->term);
    const struct terms *terms = &log->terms;
    take_away(store, log, first);
    leave_hole(log, first);
    if (log->piece_count == 0) log->terms.count = 0;
    if (terms->count > 0 && terms->runs[terms->count - 1].term > term)
        return senseless(segment, log->id, first, error);
    const uint64_t end = first + le32_get(extent->count);
    const bool was_scattered = log->scattered;
    map_splice(log, &store->segments, piece, end, first - 1, 0);
    log->scattered = was_scattered;
    log->head.last = (struct teak_pos){.index = end - 1, .term = term};
    terms_append(&log->terms, first, term);
    return TEAK_OK;
}

static enum teak_status add_extents(struct teak_store *store, struct segment *segment, struct log *log,
                                    const struct touched *touched, uint32_t record, struct teak_error *error)
{
    uint64_t entries = 0;
    for (uint32_t i = 0; i < touched->extent_count; i++) entries += le32_get(touched->extents[i].count);
    for (uint32_t i = 0; i < touched->extent_count; i++) {
        const struct layout_extent *extent = &touched->extents[i];
        const struct piece piece = {.first = le64_get(extent->first), .segment = (uint32_t)segment->number,
                                    .record = record, .bytes = touched->bytes * le32_get(extent->count) / entries};
        enum teak_status status = make_room(store, log, error);
        if (status == TEAK_OK)
            status = extent->flags & EXTENT_REPLACES ? replace_extent(store, segment, log, extent, piece, error)
                                                     : append_extent(store, segment, log, extent, piece, error);
        if (status != TEAK_OK) return status;
    }
    return TEAK_OK;
}

enum teak_status replay_summary(struct teak_store *store, struct segment *segment, const uint8_t *summary,
                                struct teak_error *error)
{
    for (uint32_t record = 0; record < segment->footer.summary_bytes;) {
        struct touched touched;
        const uint32_t next = touched_get(summary, record, &touched);
        struct log *log;
        enum teak_status status = find_log(store, NULL, touched.log, touched.extent_count > 0, 0, &log, error);
        if (status != TEAK_OK) return status;
        if (log) {
            if (touched.flags & (TOUCHED_CREATED | TOUCHED_DROPPED)) take_away(store, log, 0);
            if ((touched.flags & TOUCHED_CREATED) || touched.removed_from == 0) log->doubt_upto = 0;
            take_away(store, log, touched.removed_from);
            if (touched.extent_count > 0) status = add_extents(store, segment, log, &touched, record, error);
            if (status != TEAK_OK) return status;
        }
        record = next;
    }
    return TEAK_OK;
}

/* ---------------------------------------------------------------------------------------------------------- scanned */

/* Entries of a higher term than the log's last, and the last itself if its term is another, were replaced by what is
 * lost. */
static void take_away_wrong_terms(struct teak_store *store, struct log *log, const struct log_record *record)
{
    while (log->terms.count > 0 && log->terms.runs[log->terms.count - 1].term > record->last_term)
        take_away(store, log, log->terms.runs[log->terms.count - 1].first);
    if (log->piece_count > 0 && log->head.last.index == record->last_index && log->terms.count > 0 &&
        terms_at(&log->terms, record->last_index) != record->last_term)
        take_away(store, log, record->last_index);
}

static enum teak_status load_record(struct teak_store *store, struct segment *segment, const struct log_record *record,
                                    struct teak_error *error)
{
    struct log *log;
    const enum teak_status status = find_log(store, segment, record->log, true, record->meta_bytes, &log, error);
    if (status != TEAK_OK) return status;
    const bool fresh = record->marks & LOG_FRESH;
    if (record->base_index > record->last_index || record->last_index == UINT64_MAX ||
        (fresh && record->last_index != 0))
        return senseless(segment, record->log, record->last_index, error);
    const struct losses *losses = &store->losses;
    const bool is_touched = losses->first_lsn != 0 && record->changed_lsn >= losses->first_lsn &&
                            (log->frozen || !losses->is_blind);
    if (is_touched) log->doubt_upto = max_u64(log->doubt_upto, record->last_index);
    log->frozen = log->is_told = false;
    take_away(store, log, record->last_index + 1);
    if (is_touched) take_away_wrong_terms(store, log, record);
    leave_hole(log, record->last_index + 1);
    if (record->last_index > record->base_index && locate_piece(log, record->last_index) &&
        terms_at(&log->terms, record->last_index) != record->last_term)
        return senseless(segment, record->log, record->last_index, error);
    log->head = (struct log_head){.alive = true,
                                  .fresh = fresh,
                                  .life = record->life,
                                  .term = record->term,
                                  .vote = record->vote,
                                  .commit = record->commit,
                                  .base = {.index = record->base_index, .term = record->base_term},
                                  .last = {.index = record->last_index, .term = record->last_term},
                                  .snapshot = {.index = record->snapshot_index, .term = record->snapshot_term},
                                  .file_id = record->file_id,
                                  .file_bytes = record->file_bytes,
                                  .file_sum = record->file_sum,
                                  .marks = record->marks & ~(uint32_t)LOG_FRESH,
                                  .meta_bytes = (uint16_t)record->meta_bytes};
    log->changed_lsn = record->changed_lsn;
    if (record->meta_bytes > 0) memcpy(log->meta, record->meta, record->meta_bytes);
    store->logs.record_bytes += log_record_bytes(record->meta_bytes);
    return TEAK_OK;
}

/* The checkpoint is the whole truth about which logs there are and how they stand; the map is kept where it agrees. */
static enum teak_status load_checkpoint(struct teak_store *store, struct segment *segment, const struct op *op,
                                        struct teak_error *error)
{
    /* a checkpoint is asked beside its own segment where the one before it is lost */
    if (op->checkpoint.oldest > segment->number + 1) return senseless(segment, 0, 0, error);
    for (uint32_t i = 0; i < store->logs.count; i++) store->logs.sorted[i]->head.alive = false;
    store->logs.record_bytes = 0;
    const uint8_t *at = op->checkpoint.records;
    for (uint32_t i = 0; i < op->count; i++) {
        struct log_record record;
        at += log_record_get(at, &record);
        const enum teak_status status = load_record(store, segment, &record, error);
        if (status != TEAK_OK) return status;
    }
    for (uint32_t i = store->logs.count; i-- > 0;) {
        struct log *log = store->logs.sorted[i];
        if (log->head.alive) continue;
        take_away(store, log, 0);
        logs_remove(&store->logs, log);
    }
    store->writer.oldest = max_u64(store->writer.oldest, op->checkpoint.oldest);
    store->losses.is_blind = false;
    store->losses.first_lsn = 0;
    return TEAK_OK;
}

enum teak_status replay_checkpoint(struct teak_store *store, struct segment *segment, const struct op *op,
                                   struct teak_error *error)
{
    return load_checkpoint(store, segment, op, error);
}

/* Their slots become the segment's. The caller has seen that there is room. */
static struct map_entries take_slots(struct log *log, struct segment *segment, const struct op *op)
{
    const uint32_t slot = map_take_slots(log, segment, op->count);
    memcpy(segment->slots + slot, op->entries.slots, op->count * sizeof *segment->slots);
    return (struct map_entries){.first = op->entries.first, .term = op->entries.term, .count = op->count, .slot = slot,
                                .bytes = slots_cost(segment->slots + slot, op->count), .kind = op->kind};
}

/* The same entries again: they must be in the log, not in this segment yet, and of that term where it is known. */
static enum teak_status replay_replace(const struct apply_at *at, struct log *log, const struct op *op,
                                       struct teak_error *error)
{
    struct segment *segment = at->active;
    const struct log_head *head = &log->head;
    const uint64_t first = op->entries.first, last = first + op->count - 1;
    bool makes_sense = !head->fresh && first > head->base.index && last <= head->last.index &&
                       op->count <= segment->slot_capacity - segment->slots_end;
    for (uint32_t i = 0; makes_sense && i < log->piece_count; i++) {
        const struct piece *piece = &log->pieces[i];
        const uint64_t end = i + 1 < log->piece_count ? piece[1].first : head->last.index + 1;
        if (piece->first > last || end <= first || piece_is_hole(piece)) continue;
        makes_sense = piece->segment != (uint32_t)segment->number &&
                      terms_at(&log->terms, max_u64(first, piece->first)) == op->entries.term &&
                      terms_at(&log->terms, min_u64(last, end - 1)) == op->entries.term;
    }
    if (!makes_sense || !terms_learn(&log->terms, first, last + 1, op->entries.term))
        return senseless(segment, log->id, first, error);
    const struct map_entries entries = take_slots(log, segment, op);
    apply_replace(at, log, &entries);
    return TEAK_OK;
}

static enum teak_status replay_entries(const struct apply_at *at, struct log *log, const struct op *op,
                                       struct teak_error *error)
{
    struct segment *segment = at->active;
    const struct log_head *head = &log->head;
    if (!head->fresh && op->entries.first > head->last.index + 1)
        return senseless(segment, log->id, op->entries.first, error);
    const struct terms *terms = &log->terms;
    const uint64_t from = head->fresh ? op->entries.first : max_u64(op->entries.first, head->base.index + 1);
    uint32_t run = terms->count; /* the run that will be the last once the entries from `first` on are gone */
    while (run > 0 && terms->runs[run - 1].first >= from) run--;
    if (run > 0 && terms->runs[run - 1].term > op->entries.term)
        return senseless(segment, log->id, op->entries.first, error);
    if (op->count > segment->slot_capacity - segment->slots_end)
        return senseless(segment, log->id, op->entries.first, error);
    apply_entries(at, log, take_slots(log, segment, op));
    return TEAK_OK;
}

/* What happens to a log that lost frames may have touched. What is removed goes, for an entry that was truncated must
 * not come back; nothing is added, for what it would follow may be missing; what says all by itself is taken. */
static enum teak_status replay_frozen(struct teak_store *store, const struct apply_at *at, struct log *log,
                                      const struct op *op, struct teak_error *error)
{
    struct log_head *head = &log->head;
    log->changed_lsn = at->lsn;
    switch (op->code) {
    case OP_ENTRIES: apply_truncate(at, log, op->entries.first); return TEAK_OK;
    case OP_TRUNCATE: apply_truncate(at, log, op->from); return TEAK_OK;
    case OP_REPLACE: return TEAK_OK; /* of entries that may be other ones than the map knows */
    case OP_HARD_STATE:
        apply_hard_state(log, op->hard.term, op->hard.vote, op->hard.commit);
        log->is_told = true;
        return TEAK_OK;
    case OP_META: apply_meta(&store->logs, log, op->meta, op->count); return TEAK_OK;
    case OP_COMPACT:
        if (op->compact.upto <= head->last.index) {
            apply_compact(at, log, op->compact.upto, op->compact.term);
            return TEAK_OK;
        }
        map_clear(log, at->segments, at->active, at->lsn);
        head->base = head->last = (struct teak_pos){.index = op->compact.upto, .term = op->compact.term};
        return TEAK_OK;
    case OP_SNAPSHOT: {
        if (op->snapshot.index == UINT64_MAX) return senseless(at->active, op->log, op->snapshot.index, error);
        const struct teak_pos pos = {.index = op->snapshot.index, .term = op->snapshot.term};
        enum snapshot_effect effect = (enum snapshot_effect)op->kind;
        if (effect == SNAPSHOT_KEEPS && pos.index > head->last.index) effect = SNAPSHOT_CLEARS;
        apply_snapshot(at, log, pos, effect,
                       (struct snapshot_file){op->snapshot.file_id, op->snapshot.file_bytes, op->snapshot.file_sum});
        return TEAK_OK;
    }
    case OP_CREATE: /* all that is lost was of a life before */
        apply_drop(at, log);
        log->frozen = log->is_told = false;
        log->doubt_upto = 0;
        apply_create(at, log);
        return TEAK_OK;
    case OP_DROP:
        apply_drop(at, log);
        logs_remove(at->logs, log);
        return TEAK_OK;
    case OP_FORGET:
    case OP_MARK:
    case OP_CHECKPOINT:
    case OP_CODE_COUNT: break;
    }
    return senseless(at->active, op->log, 0, error);
}

/* `at_start`: of a segment. There stands a checkpoint, and nowhere else. */
static enum teak_status replay_op(struct teak_store *store, const struct apply_at *at, const struct op *op,
                                  bool at_start, struct teak_error *error)
{
    struct segment *segment = at->active;
    if ((op->code == OP_CHECKPOINT) != at_start) return senseless(segment, 0, 0, error);
    if (op->code == OP_CHECKPOINT) return load_checkpoint(store, segment, op, error);
    if (op->code == OP_MARK) return TEAK_OK;
    if (op->code == OP_FORGET) {
        if (op->oldest > segment->number) return senseless(segment, 0, 0, error); /* who says so would be gone */
        store->writer.oldest = max_u64(store->writer.oldest, op->oldest);
        return TEAK_OK;
    }
    struct log *log;
    const bool is_blind = store->losses.is_blind;
    const enum teak_status status =
        find_log(store, segment, op->log, op->code == OP_CREATE || (is_blind && op->code != OP_DROP),
                 op->code == OP_META ? op->count : 0, &log, error);
    if (status != TEAK_OK) return status;
    if (is_blind && !log) return TEAK_OK; /* it came and went among what is lost */
    if (is_blind && !log->head.alive && op->code != OP_CREATE) begin_unknown(store, log, store->losses.first_lsn);
    if (is_blind && log->frozen) return replay_frozen(store, at, log, op, error);
    if (!log || log->head.alive == (op->code == OP_CREATE)) return senseless(segment, op->log, 0, error);
    log->changed_lsn = at->lsn;
    switch (op->code) {
    case OP_CREATE:
        log->doubt_upto = 0;
        apply_create(at, log);
        return TEAK_OK;
    case OP_ENTRIES: return replay_entries(at, log, op, error);
    case OP_REPLACE: return replay_replace(at, log, op, error);
    case OP_HARD_STATE: apply_hard_state(log, op->hard.term, op->hard.vote, op->hard.commit); return TEAK_OK;
    case OP_TRUNCATE: apply_truncate(at, log, op->from); return TEAK_OK;
    case OP_SNAPSHOT:
        if (op->snapshot.index == UINT64_MAX) return senseless(segment, op->log, op->snapshot.index, error);
        if (op->kind == SNAPSHOT_CLEARS) log->doubt_upto = 0;
        apply_snapshot(at, log, (struct teak_pos){.index = op->snapshot.index, .term = op->snapshot.term},
                       (enum snapshot_effect)op->kind,
                       (struct snapshot_file){op->snapshot.file_id, op->snapshot.file_bytes, op->snapshot.file_sum});
        return TEAK_OK;
    case OP_COMPACT:
        if (op->compact.upto > log->head.last.index) return senseless(segment, op->log, op->compact.upto, error);
        apply_compact(at, log, op->compact.upto, op->compact.term);
        return TEAK_OK;
    case OP_META: apply_meta(&store->logs, log, op->meta, op->count); return TEAK_OK;
    case OP_DROP:
        apply_drop(at, log);
        logs_remove(at->logs, log);
        return TEAK_OK;
    case OP_FORGET:
    case OP_MARK:
    case OP_CHECKPOINT:
    case OP_CODE_COUNT: break;
    }
    return senseless(segment, op->log, 0, error);
}

static uint64_t record_room(const struct teak_store *store)
{
    return store->limits.checkpoint_bytes - HEAD_BYTES - sizeof(struct layout_checkpoint);
}

enum teak_status replay_frame(struct teak_store *store, struct segment *segment, const uint8_t *frame,
                              const struct frame_head *head, struct teak_error *error)
{
    const struct apply_at at = {
        .logs = &store->logs, .segments = &store->segments, .active = segment, .lsn = head->lsn};
    uint32_t cursor = 0;
    struct op op;
    bool at_start = segment->first_lsn == 0;
    for (; table_next(frame, head, &cursor, &op); at_start = false) {
        const enum teak_status status = replay_op(store, &at, &op, at_start, error);
        if (status != TEAK_OK) return status;
    }
    if (at_start || record_room(store) < store->logs.record_bytes) /* no checkpoint could hold these logs */
        return senseless(segment, 0, 0, error);
    if (segment->first_lsn == 0) segment->first_lsn = head->lsn;
    segment->last_lsn = head->lsn;
    segment->chain = head->checksum;
    segment->frames_end = head->offset + head->bytes;
    return TEAK_OK;
}

/* ----------------------------------------------------------------------------------------------------------- finish */

static void report_hole(struct teak_store *store, struct teak_report *report, uint64_t log, uint64_t first,
                        uint64_t last)
{
    harm_note(&store->harm, report, (struct teak_damage){.log = log, .first = first, .last = last, .has_log = true});
}

/* The index of a segment that was scanned will stand behind its frames: a writer sees to it that it fits. */
static enum teak_status find_room_for_indexes(const struct teak_store *store, struct teak_error *error)
{
    const struct segments *segments = &store->segments;
    for (uint64_t number = segments->oldest; number <= segments->newest; number++) {
        const struct segment *segment = segment_at(segments, number);
        if (segment->state == SEGMENT_SEALED) continue;
        uint64_t end;
        if (!seal_fits(segment, store->limits.block_bytes, &end)) return fail(error, TEAK_NO_MEMORY, "replay");
        const bool will_grow = segment->is_cut_short || segment->is_lost;
        if (end > segment->file_bytes && !will_grow) return senseless(segment, 0, 0, error);
    }
    return TEAK_OK;
}

/* The first index above the base that is not there; last + 1: all are. */
static uint64_t first_gap(const struct teak_store *store, const struct log *log)
{
    const struct log_head *head = &log->head;
    const uint64_t first = head->base.index + 1, end = head->last.index + 1;
    if (head->last.index < first) return end;
    if (log->piece_count == 0 || log->pieces[0].first > first) return first;
    uint64_t gap = end;
    for (uint32_t i = 0; i < log->piece_count && gap == end; i++)
        if (piece_is_hole(&log->pieces[i])) gap = max_u64(first, log->pieces[i].first);
    for (uint32_t i = 0; i < store->losses.rotten_count; i++) {
        const struct rotten *rotten = &store->losses.rotten[i];
        struct place place;
        if (rotten->log != log->id || rotten->index < first || rotten->index >= gap) continue;
        const struct piece *piece = locate_piece(log, rotten->index);
        if (piece && piece->segment == (uint32_t)rotten->segment &&
            locate(&store->segments, log, rotten->index, &place) && place.offset == rotten->offset)
            gap = rotten->index;
    }
    return gap;
}

static void report_holes(struct teak_store *store, const struct log *log, struct teak_report *report)
{
    const struct log_head *head = &log->head;
    const uint64_t first = head->base.index + 1;
    const uint64_t found = log->piece_count > 0 ? log->pieces[0].first : head->last.index + 1;
    if (found > first && head->last.index >= first) report_hole(store, report, log->id, first, found - 1);
    for (uint32_t p = 0; log->scattered && p < log->piece_count; p++)
        if (piece_is_hole(&log->pieces[p]))
            report_hole(store, report, log->id, log->pieces[p].first,
                        p + 1 < log->piece_count ? log->pieces[p + 1].first - 1 : head->last.index);
}

/* Nothing of the log from `from` on is kept, in the index of a segment that has none yet neither. */
static void cut_log(struct teak_store *store, struct log *log, uint64_t from)
{
    take_away(store, log, from);
    log->head.last.index = from - 1;
    log->head.last.term = log_term_at(log, from - 1);
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++) {
        struct segment *segment = segment_at(&store->segments, number);
        for (uint32_t i = 0; segment->state != SEGMENT_SEALED && i < segment->effect_count; i++) {
            struct effect *effect = &segment->effects[i];
            if (effect->log == log->id) map_trim_effect(effect, segment, from);
        }
    }
}

/* Where indexes were taken and the checkpoint behind them is lost, the base may be one of before: of a life that ended
 * there, say. Then the map knows better. */
static void settle_base(struct log *log)
{
    struct log_head *head = &log->head;
    if (head->base.index <= head->last.index) return;
    head->base = (struct teak_pos){.index = log->piece_count > 0 ? log->pieces[0].first - 1 : head->last.index};
}

static void mark_losses(struct teak_store *store, struct log *log, uint64_t gap)
{
    static const uint32_t marks[] = {[LOSS_NONE] = 0,
                                     [LOSS_TAIL] = LOG_TAIL_LOST,
                                     [LOSS_TAIL_AND_HARD_STATE] = LOG_TAIL_LOST | LOG_HARD_STATE_SUSPECT};
    log->head.marks |= marks[loss_verdict((struct loss_facts){.blind = store->losses.is_blind,
                                                              .born = !log->frozen,
                                                              .told = log->is_told,
                                                              .touched = log->doubt_upto > 0,
                                                              .covered = log->doubt_upto <= log->head.base.index,
                                                              .gap = gap <= log->head.last.index})];
    if (gap <= log->head.last.index) cut_log(store, log, gap);
    log->frozen = log->is_told = false;
    log->doubt_upto = 0;
}

enum teak_status replay_finish(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    const enum teak_status status = find_room_for_indexes(store, error);
    if (status != TEAK_OK) return status;
    const uint32_t holes_before = report->damage_count;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        struct log *log = store->logs.sorted[i];
        const struct log_head *head = &log->head;
        settle_base(log);
        map_compact(log, &store->segments, head->base.index, head->last.index, 0);
        /* A truncation may have met entries whose segments are gone: what told their terms came after it, a REPLACE
         * that brought them again or the compaction that took them. */
        if (head->last.index == head->base.index || locate_piece(log, head->last.index))
            log->head.last.term = log_term_at(log, head->last.index);
        const uint64_t gap = first_gap(store, log);
        report_holes(store, log, report);
        store->salvaging |= store->quarantine && gap <= head->last.index;
        if (store->salvaging) mark_losses(store, log, gap);
        log->floor = head->last;
        log->base_lsn = 0;
    }
    replay_forget_losses(store);
    if (report->damage_count == holes_before || store->salvaging) return TEAK_OK;
    const struct teak_damage *hole = &report->damage[holes_before < TEAK_DAMAGE_MAX ? holes_before : 0];
    return fail_index(error, TEAK_DAMAGED, hole->log, hole->first, hole->last);
}
