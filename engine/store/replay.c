/* replay.c: see replay.h. */
#include "store/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "store/apply.h"
#include "store/failure.h"
#include "store/locate.h"
#include "store/seal.h"

/* The log of that id, made if `make`; NULL and OK: there is none. Its tables have room for one more of everything, and
 * for
 * META where `meta_bytes` says so. */
static enum teak_status find_log(struct teak_store *store, struct segment *segment, uint64_t id, bool make,
                                 uint32_t meta_bytes, struct log **out, struct teak_error *error)
{
    *out = logs_find(&store->logs, id);
    if (!*out && !make) return TEAK_OK;
    if (!*out) {
        if (!logs_has_room(&store->logs, 1) && !logs_grow(&store->logs, store->logs.count / 2 + 16, NULL))
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

/* ---------------------------------------------------------------------------------------------------------- sealed */

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
            take_away(store, log, touched.removed_from);
            if (touched.extent_count > 0) status = add_extents(store, segment, log, &touched, record, error);
            if (status != TEAK_OK) return status;
        }
        record = next;
    }
    return TEAK_OK;
}

/* --------------------------------------------------------------------------------------------------------- scanned */

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
    take_away(store, log, record->last_index + 1);
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
                                  .meta_bytes = record->meta_bytes};
    if (record->meta_bytes > 0) memcpy(log->meta, record->meta, record->meta_bytes);
    store->logs.record_bytes += log_record_bytes(record->meta_bytes);
    return TEAK_OK;
}

/* The checkpoint is the whole truth about which logs there are and how they stand; the map is kept where it agrees. */
static enum teak_status load_checkpoint(struct teak_store *store, struct segment *segment, const struct op *op,
                                        struct teak_error *error)
{
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
    return TEAK_OK;
}

/* Their slots become the segment's. The caller has seen that there is room. */
static struct map_entries take_slots(struct segment *segment, const struct op *op)
{
    const uint32_t slot = segment->slot_count;
    memcpy(segment->slots + slot, op->entries.slots, op->count * sizeof *segment->slots);
    segment->slot_count += op->count;
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
                       op->count <= segment->slot_capacity - segment->slot_count;
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
    const struct map_entries entries = take_slots(segment, op);
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
    if (op->count > segment->slot_capacity - segment->slot_count)
        return senseless(segment, log->id, op->entries.first, error);
    apply_entries(at, log, take_slots(segment, op));
    return TEAK_OK;
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
        store->writer.oldest = max_u64(store->writer.oldest, op->oldest);
        return TEAK_OK;
    }
    struct log *log;
    const enum teak_status status = find_log(store, segment, op->log, op->code == OP_CREATE,
                                             op->code == OP_META ? op->count : 0, &log, error);
    if (status != TEAK_OK) return status;
    if (!log || log->head.alive == (op->code == OP_CREATE)) return senseless(segment, op->log, 0, error);
    switch (op->code) {
    case OP_CREATE: apply_create(at, log); return TEAK_OK;
    case OP_ENTRIES: return replay_entries(at, log, op, error);
    case OP_REPLACE: return replay_replace(at, log, op, error);
    case OP_HARD_STATE: apply_hard_state(log, op->hard.term, op->hard.vote, op->hard.commit); return TEAK_OK;
    case OP_TRUNCATE: apply_truncate(at, log, op->from); return TEAK_OK;
    case OP_SNAPSHOT:
        if (op->snapshot.index == UINT64_MAX) return senseless(segment, op->log, op->snapshot.index, error);
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

/* ---------------------------------------------------------------------------------------------------------- finish */

static void report_hole(struct teak_report *report, uint64_t log, uint64_t first, uint64_t last)
{
    if (report->damage_count < TEAK_DAMAGE_MAX)
        report->damage[report->damage_count] =
            (struct teak_damage){.log = log, .first = first, .last = last, .has_log = true};
    report->damage_count++;
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
        if (end > segment->file_bytes) return senseless(segment, 0, 0, error);
    }
    return TEAK_OK;
}

enum teak_status replay_finish(struct teak_store *store, struct teak_report *report, struct teak_error *error)
{
    const enum teak_status status = find_room_for_indexes(store, error);
    if (status != TEAK_OK) return status;
    const uint32_t holes_before = report->damage_count;
    for (uint32_t i = 0; i < store->logs.count; i++) {
        struct log *log = store->logs.sorted[i];
        const struct log_head *head = &log->head;
        map_compact(log, &store->segments, head->base.index, head->last.index, 0);
        const uint64_t first = head->base.index + 1;
        const uint64_t found = log->piece_count > 0 ? log->pieces[0].first : head->last.index + 1;
        if (found > first && head->last.index >= first) report_hole(report, log->id, first, found - 1);
        for (uint32_t p = 0; log->scattered && p < log->piece_count; p++)
            if (piece_is_hole(&log->pieces[p]))
                report_hole(report, log->id, log->pieces[p].first,
                            p + 1 < log->piece_count ? log->pieces[p + 1].first - 1 : head->last.index);
        log->floor = head->last;
        log->base_lsn = 0;
    }
    if (report->damage_count == holes_before) return TEAK_OK;
    const struct teak_damage *hole = &report->damage[holes_before < TEAK_DAMAGE_MAX ? holes_before : 0];
    return fail_index(error, TEAK_DAMAGED, hole->log, hole->first, hole->last);
}
