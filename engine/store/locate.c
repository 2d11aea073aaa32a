/* locate.c: see locate.h. */
#include "store/locate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

const struct piece *locate_piece(const struct log *log, uint64_t index)
{
    uint32_t end = log->piece_count;
    if (end == 0 || index < log->pieces[0].first) return NULL;
    if (index >= log->pieces[end - 1].first) return &log->pieces[end - 1];
    uint32_t begin = 0; /* pieces[begin].first <= index < pieces[end].first */
    end -= 1;
    while (end - begin > 1) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (log->pieces[middle].first <= index)
            begin = middle;
        else
            end = middle;
    }
    return &log->pieces[begin];
}

const struct layout_extent *locate_extents(const struct segments *segments, const struct piece *piece,
                                           uint32_t *count_out)
{
    struct segment *segment = segment_of_piece(segments, piece->segment);
    if (segment->state != SEGMENT_SEALED) {
        struct effect *effect = &segment->effects[piece->record];
        *count_out = effect->count;
        return effect_extents(effect);
    }
    CHECK(segment->map);
    struct touched touched;
    const uint32_t summary = segment->footer.summary_offset - segment->footer.slots_offset;
    touched_get(segment->map + summary, piece->record, &touched);
    *count_out = touched.extent_count;
    return touched.extents;
}

bool locate(const struct segments *segments, const struct log *log, uint64_t index, struct place *out)
{
    const struct piece *piece = locate_piece(log, index);
    if (!piece) return false;
    uint32_t count;
    const struct layout_extent *extents = locate_extents(segments, piece, &count);
    const struct layout_extent *extent = extent_find(extents, count, index);
    if (!extent) return false;
    struct segment *segment = segment_of_piece(segments, piece->segment);
    const struct layout_slot *slots =
        segment->state == SEGMENT_SEALED ? (const struct layout_slot *)(const void *)segment->map : segment->slots;
    const struct layout_slot *slot = &slots[le32_get(extent->slot) + (uint32_t)(index - le64_get(extent->first))];
    *out = (struct place){.segment = segment,
                          .offset = le32_get(slot->offset),
                          .bytes = le32_get(slot->bytes),
                          .sum = le64_get(slot->sum),
                          .term = le64_get(extent->term),
                          .kind = extent->kind};
    return true;
}

bool map_has_room(const struct log *log, const struct segment *active, uint32_t ops)
{
    if (log->piece_count + ops > log->piece_capacity || log->terms.count + ops > log->terms.capacity) return false;
    if (log->effect_segment != active->number) return ops <= max_u64(1, log->ahead_capacity);
    const struct effect *effect = &active->effects[log->effect];
    return effect->count + ops <= effect->capacity;
}

bool map_is_short(const struct log *log, const struct segment *active)
{
    if (log->effect_segment != active->number) return false;
    const struct effect *effect = &active->effects[log->effect];
    return effect->count > 1 && effect->count + LOG_EXTENTS_AHEAD > effect->capacity;
}

struct effect *map_effect(struct log *log, struct segment *active)
{
    if (log->effect_segment != active->number) {
        log->effect = segment_add_effect(active, log->id);
        log->effect_segment = active->number;
        if (log->ahead) {
            struct effect *effect = &active->effects[log->effect];
            effect->heap = log->ahead;
            effect->capacity = log->ahead_capacity;
            log->ahead = NULL;
            log->ahead_capacity = 0;
        }
    }
    return &active->effects[log->effect];
}

void map_append(struct log *log, struct segment *active, uint64_t first, uint32_t count, uint64_t term, uint8_t kind,
                uint32_t slot)
{
    struct effect *effect = map_effect(log, active);
    struct layout_extent *extents = effect_extents(effect);
    struct layout_extent *last = effect->count ? &extents[effect->count - 1] : NULL;
    if (last && last->kind == kind && le64_get(last->first) + le32_get(last->count) == first &&
        le32_get(last->slot) + le32_get(last->count) == slot && le64_get(last->term) == term) {
        last->count = le32_of(le32_get(last->count) + count);
    } else {
        CHECK_LT(effect->count, effect->capacity);
        extents[effect->count++] = (struct layout_extent){.first = le64_of(first),
                                                          .term = le64_of(term),
                                                          .count = le32_of(count),
                                                          .slot = le32_of(slot),
                                                          .kind = kind};
        active->extent_count++;
    }
    if (log->piece_count == 0 || log->pieces[log->piece_count - 1].segment != (uint32_t)active->number) {
        CHECK_LT(log->piece_count, log->piece_capacity);
        log->pieces[log->piece_count++] =
            (struct piece){.first = first, .segment = (uint32_t)active->number, .record = log->effect};
        active->live++;
    }
    terms_append(&log->terms, first, term);
}

void map_extend(struct log *log, struct segment *active, uint32_t count)
{
    CHECK_EQ(log->effect_segment, active->number);
    struct effect *effect = &active->effects[log->effect];
    struct layout_extent *last = &effect_extents(effect)[effect->count - 1];
    last->count = le32_of(le32_get(last->count) + count);
}

static void release(struct segments *segments, const struct piece *piece, uint64_t lsn)
{
    struct segment *segment = segment_of_piece(segments, piece->segment);
    CHECK_LT(0, segment->live);
    segment->live--;
    segment->released_lsn = max_u64(segment->released_lsn, lsn);
}

void map_truncate(struct log *log, struct segments *segments, struct segment *active, uint64_t from, uint64_t lsn)
{
    while (log->piece_count > 0 && log->pieces[log->piece_count - 1].first >= from)
        release(segments, &log->pieces[--log->piece_count], lsn);
    struct effect *effect = map_effect(log, active);
    effect->removed_from = min_u64(effect->removed_from, from);
    struct layout_extent *extents = effect_extents(effect);
    while (effect->count > 0 && le64_get(extents[effect->count - 1].first) >= from) effect->count--;
    if (effect->count > 0) {
        struct layout_extent *last = &extents[effect->count - 1];
        const uint64_t kept = from - le64_get(last->first);
        if (kept < le32_get(last->count)) last->count = le32_of((uint32_t)kept);
    }
    terms_truncate(&log->terms, from);
}

void map_clear(struct log *log, struct segments *segments, struct segment *active, uint64_t lsn)
{
    map_truncate(log, segments, active, 0, lsn);
    CHECK_EQ(log->piece_count, 0);
    CHECK_EQ(log->terms.count, 0);
}

void map_compact(struct log *log, struct segments *segments, uint64_t upto, uint64_t last_index, uint64_t lsn)
{
    uint32_t gone = 0;
    while (gone < log->piece_count) {
        const uint64_t end = gone + 1 < log->piece_count ? log->pieces[gone + 1].first : last_index + 1;
        if (end > upto + 1) break;
        release(segments, &log->pieces[gone++], lsn);
    }
    log->piece_count -= gone;
    if (gone > 0) memmove(log->pieces, log->pieces + gone, log->piece_count * sizeof *log->pieces);
    if (log->piece_count == 0)
        log->terms.count = 0;
    else
        terms_compact(&log->terms, upto + 1);
}
