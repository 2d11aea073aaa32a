/* locate.c: see locate.h. */
#include "store/locate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

enum { RUN_AHEAD_MAX = 1024, USUAL_MARGIN = 4 };

/* Pieces that begin before `index`. */
static uint32_t pieces_before(const struct log *log, uint64_t index)
{
    uint32_t begin = 0, end = log->piece_count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (log->pieces[middle].first < index)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

const struct piece *locate_piece(const struct log *log, uint64_t index)
{
    const uint32_t count = log->piece_count;
    if (count == 0 || index < log->pieces[0].first) return NULL;
    const bool is_last = index >= log->pieces[count - 1].first; /* the tail is asked most */
    const struct piece *piece = &log->pieces[is_last ? count - 1 : pieces_before(log, index + 1) - 1];
    return piece_is_hole(piece) ? NULL : piece;
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

/* Does an entry of that term and kind go on where the last one ended, and does it need no extent of its own? */
static bool will_extend(const struct effect *effect, uint64_t term, uint8_t kind, uint32_t count)
{
    if (effect->count == 0 || count > effect->room) return false;
    const struct layout_extent *extents = effect->capacity > 1 ? effect->heap : &effect->one;
    const struct layout_extent *last = &extents[effect->count - 1];
    return last->kind == kind && last->flags == 0 && le64_get(last->term) == term &&
           le32_get(last->slot) + le32_get(last->count) == effect->slot;
}

bool map_has_room(const struct log *log, const struct segment *active, uint32_t ops, uint64_t term, uint8_t kind,
                  uint32_t count)
{
    if (log->piece_count + ops > log->piece_capacity || log->terms.count + ops > log->terms.capacity) return false;
    if (log->effect_segment != active->number) return ops <= max_u64(1, log->ahead_capacity);
    const struct effect *effect = &active->effects[log->effect];
    return effect->count + ops <= effect->capacity || (count > 0 && will_extend(effect, term, kind, count));
}

bool map_has_room_behind(const struct log *log, const struct segment *active, uint64_t term, uint8_t kind,
                         uint32_t count)
{
    if (log->piece_count == log->piece_capacity) return false;
    if (log->effect_segment != active->number) return true; /* an effect holds one extent itself */
    const struct effect *effect = &active->effects[log->effect];
    return effect->count < effect->capacity || will_extend(effect, term, kind, count);
}

struct effect *map_add_effect(struct log *log, struct segment *active)
{
    log->effect = segment_add_effect(active, log->id);
    log->effect_segment = active->number;
    log->usual = log->taken;
    log->taken = 0;
    struct effect *effect = &active->effects[log->effect];
    if (log->ahead) {
        effect->heap = log->ahead;
        effect->capacity = log->ahead_capacity;
        log->ahead = NULL;
        log->ahead_capacity = 0;
    }
    return effect;
}

/* Slots are as many as entries find room for in the segment, each with 32 bytes in frames and index, and the spare
 * ones. So of those up to slots_end no more may lie idle than these, and what the frames that are there have taken
 * beyond their entries. */
static uint32_t spare_slots(const struct segment *active, uint32_t count)
{
    const uint64_t taken = active->slots_end + (uint64_t)count;
    const uint64_t most = active->frames_end / (2 * sizeof(struct layout_slot)) +
                          active->slot_capacity / (SEGMENT_SPARE_SLOTS + 1);
    return most > taken ? (uint32_t)(most - taken) : 0;
}

uint32_t map_take_slots(struct log *log, struct segment *active, uint32_t count)
{
    struct effect *effect = map_effect(log, active);
    if (count > effect->room) {
        uint64_t more = 0;
        if (effect->slot + effect->room != active->slots_end || log->taken == 0) { /* others came between */
            effect->slot = active->slots_end;
            effect->room = 0;
            const uint64_t usual = log->usual + log->usual / USUAL_MARGIN;
            more = usual > log->taken + count ? usual - log->taken - count : log->taken;
        }
        const uint32_t lacks = count - effect->room;
        const uint32_t kept = (uint32_t)min_u64(min_u64(more, RUN_AHEAD_MAX), spare_slots(active, lacks));
        CHECK_LE(active->slots_end + (uint64_t)lacks + kept, active->slot_capacity);
        active->slots_end += lacks + kept;
        effect->room += lacks + kept;
    }
    const uint32_t slot = effect->slot;
    effect->slot += count;
    effect->room -= count;
    active->slot_count += count;
    log->taken = (uint16_t)min_u64(log->taken + (uint64_t)count, UINT16_MAX);
    return slot;
}

/* ---------------------------------------------------------------------------------------------------------- pieces */

static void gain(struct segments *segments, struct segment *segment, uint64_t bytes)
{
    segment->live_bytes += bytes;
    segments->live_bytes += bytes;
}

static void lose(struct segments *segments, struct segment *segment, uint64_t bytes)
{
    CHECK_LE(bytes, segment->live_bytes);
    segment->live_bytes -= bytes;
    segments->live_bytes -= bytes;
}

static void release(struct segments *segments, const struct piece *piece, uint64_t lsn)
{
    if (piece_is_hole(piece)) return;
    struct segment *segment = segment_of_piece(segments, piece->segment);
    CHECK_LT(0, segment->live);
    segment->live--;
    segment->released_lsn = max_u64(segment->released_lsn, lsn);
    lose(segments, segment, piece->bytes);
}

/* Of a piece of `of` entries `kept` stay. */
static void shrink(struct segments *segments, struct piece *piece, uint64_t kept, uint64_t of)
{
    if (piece_is_hole(piece)) return;
    const uint64_t bytes = piece->bytes * kept / of;
    lose(segments, segment_of_piece(segments, piece->segment), piece->bytes - bytes);
    piece->bytes = bytes;
}

/* One behind the last index of a piece; `last`: of the log. */
static uint64_t piece_end(const struct log *log, uint32_t at, uint64_t last)
{
    return at + 1 < log->piece_count ? log->pieces[at + 1].first : last + 1;
}

void map_cut(struct log *log, struct segments *segments, uint64_t from, uint64_t last, uint64_t lsn)
{
    uint64_t end = last + 1;
    while (log->piece_count > 0 && log->pieces[log->piece_count - 1].first >= from) {
        const struct piece *piece = &log->pieces[--log->piece_count];
        end = piece->first;
        release(segments, piece, lsn);
    }
    if (log->piece_count == 0) {
        log->scattered = false;
    } else if (end > from) {
        struct piece *tail = &log->pieces[log->piece_count - 1];
        shrink(segments, tail, from - tail->first, end - tail->first);
    }
}

static bool is_same_place(const struct piece *a, const struct piece *b)
{
    return a->segment == b->segment && a->record == b->record && !piece_is_hole(a) && !piece_is_hole(b);
}

void map_splice(struct log *log, struct segments *segments, struct piece piece, uint64_t end, uint64_t last,
                uint64_t lsn)
{
    struct piece *pieces = log->pieces;
    const uint32_t low = pieces_before(log, piece.first);
    uint32_t high = pieces_before(log, end);
    /* [low, high) begin inside what is replaced. The last piece that begins before `end` may go on behind it. */
    const uint64_t high_end = high < log->piece_count ? pieces[high].first : last + 1;
    struct piece rest = {.record = PIECE_HOLE};
    const bool has_rest = high_end > end;
    if (has_rest && high > 0) rest = pieces[high - 1];
    if (has_rest && !piece_is_hole(&rest)) {
        struct segment *segment = segment_of_piece(segments, rest.segment);
        rest.bytes = rest.bytes * (high_end - end) / (high_end - rest.first);
        segment->live++;
        gain(segments, segment, rest.bytes);
    }
    rest.first = end;
    if (low > 0) {
        const uint64_t low_end = piece_end(log, low - 1, last);
        shrink(segments, &pieces[low - 1], piece.first - pieces[low - 1].first, low_end - pieces[low - 1].first);
    }
    for (uint32_t i = low; i < high; i++) release(segments, &pieces[i], lsn);
    struct segment *into = segment_of_piece(segments, piece.segment);
    gain(segments, into, piece.bytes);
    struct piece put[2];
    uint32_t count = 0;
    const bool joins = low > 0 && is_same_place(&pieces[low - 1], &piece);
    if (joins)
        pieces[low - 1].bytes += piece.bytes;
    else
        put[count++] = piece;
    if (!joins) into->live++;
    if (has_rest) {
        put[count++] = rest;
    } else if (high < log->piece_count && is_same_place(&pieces[high], &piece)) {
        *(joins ? &pieces[low - 1].bytes : &put[0].bytes) += pieces[high].bytes;
        into->live--;
        high++;
    }
    const uint32_t behind = log->piece_count - high;
    CHECK_LE(low + count + behind, log->piece_capacity);
    memmove(pieces + low + count, pieces + high, behind * sizeof *pieces);
    memcpy(pieces + low, put, count * sizeof *pieces);
    log->piece_count = low + count + behind;
    log->scattered = true;
}

/* ------------------------------------------------------------------------------------------------ the map's changes */

uint64_t slots_cost(const struct layout_slot *slots, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += entry_cost(le32_get(slots[i].bytes));
    return bytes;
}

/* Extents at `at` and behind it move up by one; what joins the one before needs no place of its own. */
static void put_extent(struct effect *effect, struct segment *active, uint32_t at, const struct map_entries *entries,
                       uint8_t flags)
{
    struct layout_extent *extents = effect_extents(effect);
    struct layout_extent *before = at > 0 ? &extents[at - 1] : NULL;
    effect->bytes += entries->bytes;
    if (before && before->kind == entries->kind && before->flags == flags &&
        le64_get(before->first) + le32_get(before->count) == entries->first &&
        le32_get(before->slot) + le32_get(before->count) == entries->slot && le64_get(before->term) == entries->term) {
        before->count = le32_of(le32_get(before->count) + entries->count);
        return;
    }
    CHECK_LT(effect->count, effect->capacity);
    if (at < effect->count) memmove(extents + at + 1, extents + at, (effect->count - at) * sizeof *extents);
    extents[at] = (struct layout_extent){.first = le64_of(entries->first), .term = le64_of(entries->term),
                                         .count = le32_of(entries->count), .slot = le32_of(entries->slot),
                                         .kind = entries->kind, .flags = flags};
    effect->count++;
    active->extent_count++;
}

void map_append(struct log *log, struct segments *segments, struct segment *active, const struct map_entries *entries)
{
    struct effect *effect = map_effect(log, active);
    put_extent(effect, active, effect->count, entries, 0);
    struct piece *last = log->piece_count > 0 ? &log->pieces[log->piece_count - 1] : NULL;
    if (!last || piece_is_hole(last) || last->segment != (uint32_t)active->number) {
        CHECK_LT(log->piece_count, log->piece_capacity);
        last = &log->pieces[log->piece_count++];
        *last = (struct piece){.first = entries->first, .segment = (uint32_t)active->number, .record = log->effect};
        active->live++;
    }
    last->bytes += entries->bytes;
    gain(segments, active, entries->bytes);
    if (!entries->is_same_term) terms_append(&log->terms, entries->first, entries->term);
}

void map_extend(struct log *log, struct segments *segments, struct segment *active, uint32_t slot, uint32_t count,
                uint64_t bytes)
{
    CHECK_EQ(log->effect_segment, active->number);
    struct effect *effect = &active->effects[log->effect];
    struct layout_extent *last = &effect_extents(effect)[effect->count - 1];
    CHECK_EQ(le32_get(last->slot) + le32_get(last->count), slot);
    last->count = le32_of(le32_get(last->count) + count);
    effect->bytes += bytes;
    log->pieces[log->piece_count - 1].bytes += bytes;
    gain(segments, active, bytes);
}

void map_replace(struct log *log, struct segments *segments, struct segment *active, const struct map_entries *entries,
                 uint64_t lsn)
{
    struct effect *effect = map_effect(log, active);
    const struct layout_extent *extents = effect_extents(effect);
    uint32_t at = effect->count;
    while (at > 0 && le64_get(extents[at - 1].first) > entries->first) at--;
    put_extent(effect, active, at, entries, EXTENT_REPLACES);
    map_splice(log, segments,
               (struct piece){.first = entries->first, .bytes = entries->bytes, .segment = (uint32_t)active->number,
                              .record = log->effect},
               map_end(entries), log->head.last.index, lsn);
}

/* What the segment itself brought goes too: exactly, its slots are at hand. */
void map_trim_effect(struct effect *effect, const struct segment *active, uint64_t from)
{
    struct layout_extent *extents = effect_extents(effect);
    while (effect->count > 0) {
        struct layout_extent *last = &extents[effect->count - 1];
        const uint64_t first = le64_get(last->first);
        const uint32_t count = le32_get(last->count);
        if (first + count <= from) return;
        const uint32_t kept = first < from ? (uint32_t)(from - first) : 0;
        effect->bytes -= slots_cost(active->slots + le32_get(last->slot) + kept, count - kept);
        last->count = le32_of(kept);
        if (kept > 0) return;
        effect->count--;
    }
}

void map_truncate(struct log *log, struct segments *segments, struct segment *active, uint64_t from, uint64_t lsn)
{
    map_cut(log, segments, from, log->head.last.index, lsn);
    struct effect *effect = map_effect(log, active);
    effect->removed_from = min_u64(effect->removed_from, from);
    map_trim_effect(effect, active, from);
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
    while (gone < log->piece_count && piece_end(log, gone, last_index) <= upto + 1)
        release(segments, &log->pieces[gone++], lsn);
    log->piece_count -= gone;
    if (gone > 0) memmove(log->pieces, log->pieces + gone, log->piece_count * sizeof *log->pieces);
    if (log->piece_count == 0) {
        log->terms.count = 0;
        log->scattered = false;
        return;
    }
    struct piece *piece = log->pieces;
    if (piece->first <= upto) {
        const uint64_t end = piece_end(log, 0, last_index);
        shrink(segments, piece, end - (upto + 1), end - piece->first);
        piece->first = upto + 1;
    }
    terms_compact(&log->terms, upto + 1);
}
