/* segment_index.c: see segment_index.h. */
#include "format/segment_index.h"

void footer_encode(const struct footer *footer, const struct key *key, uint8_t *out)
{
    struct layout_footer layout = {
        .magic = le64_of(MAGIC_FOOTER),
        .salt = le64_of(footer->salt),
        .segment = le64_of(footer->segment),
        .first_lsn = le64_of(footer->first_lsn),
        .last_lsn = le64_of(footer->last_lsn),
        .chain = le64_of(footer->chain),
        .slots_sum = le64_of(footer->slots_sum),
        .summary_sum = le64_of(footer->summary_sum),
        .frames_end = le32_of(footer->frames_end),
        .slots_offset = le32_of(footer->slots_offset),
        .slot_count = le32_of(footer->slot_count),
        .summary_offset = le32_of(footer->summary_offset),
        .summary_bytes = le32_of(footer->summary_bytes),
        .log_count = le32_of(footer->log_count),
        .file_bytes = le64_of(footer->file_bytes),
        .flags = le32_of(footer->flags),
    };
    key_seal_head(key, &layout);
    memcpy(out, &layout, sizeof layout);
}

/* Identity block, frames, slots, summary, footer block: each where the one before ends, the summary at a block behind
 * the slots. A 32-bit count times 16 or 32 stays far below 64 bits. */
static bool ranges_are_sound(const struct footer *footer, uint32_t block_bytes)
{
    const uint64_t slots_bytes = (uint64_t)footer->slot_count * sizeof(struct layout_slot);
    const uint64_t records_bytes = (uint64_t)footer->log_count * sizeof(struct layout_touched);
    return footer->file_bytes % block_bytes == 0 && footer->file_bytes >= block_bytes &&
           footer->frames_end >= block_bytes && footer->frames_end % block_bytes == 0 &&
           footer->slots_offset == footer->frames_end && footer->summary_offset % block_bytes == 0 &&
           range_fits(footer->slots_offset, slots_bytes, footer->summary_offset) &&
           range_fits(footer->summary_offset, footer->summary_bytes, footer->file_bytes - block_bytes) &&
           records_bytes <= footer->summary_bytes;
}

bool footer_judge(const uint8_t *bytes, const struct key *key, uint64_t segment, uint64_t file_bytes,
                  uint32_t block_bytes, struct footer *out)
{
    struct layout_footer layout;
    memcpy(&layout, bytes, sizeof layout);
    if (le64_get(layout.magic) != MAGIC_FOOTER || le64_get(layout.salt) != key->salt) return false;
    if (!key_head_is_whole(key, &layout)) return false;
    *out = (struct footer){
        .salt = le64_get(layout.salt),
        .segment = le64_get(layout.segment),
        .first_lsn = le64_get(layout.first_lsn),
        .last_lsn = le64_get(layout.last_lsn),
        .chain = le64_get(layout.chain),
        .slots_sum = le64_get(layout.slots_sum),
        .summary_sum = le64_get(layout.summary_sum),
        .file_bytes = le64_get(layout.file_bytes),
        .frames_end = le32_get(layout.frames_end),
        .slots_offset = le32_get(layout.slots_offset),
        .slot_count = le32_get(layout.slot_count),
        .summary_offset = le32_get(layout.summary_offset),
        .summary_bytes = le32_get(layout.summary_bytes),
        .log_count = le32_get(layout.log_count),
        .flags = le32_get(layout.flags),
    };
    if (out->flags & ~(uint32_t)FOOTER_SALVAGED) return false;
    return out->segment == segment && out->file_bytes == file_bytes && ranges_are_sound(out, block_bytes) &&
           out->first_lsn > 0 && out->first_lsn <= out->last_lsn && bytes_are_zero(layout.zero, sizeof layout.zero);
}

uint64_t slots_sum_of(const struct key *key, const uint64_t *piece_sums, uint32_t count)
{
    le64 sums[SLOT_PIECES_MAX];
    for (uint32_t i = 0; i < count; i++) sums[i] = le64_of(piece_sums[i]);
    return key_sum(key, sums, count * sizeof sums[0]);
}

/* ---- summary ---- */

static uint64_t extent_end(const struct layout_extent *extent) /* one behind its last index */
{
    return le64_get(extent->first) + le32_get(extent->count);
}

static bool extent_is_sound(const struct layout_extent *extent, uint32_t slot_count)
{
    uint64_t end;
    return le32_get(extent->count) > 0 && le64_get(extent->first) > 0 &&
           add_fits(le64_get(extent->first), le32_get(extent->count), &end) &&
           range_fits(le32_get(extent->slot), le32_get(extent->count), slot_count) &&
           (extent->flags & ~EXTENT_REPLACES) == 0 &&
           bytes_are_zero(extent->zero, sizeof extent->zero);
}

static bool extents_are_sound(const struct layout_extent *extents, uint32_t count, uint32_t slot_count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!extent_is_sound(&extents[i], slot_count)) return false;
        if (i == 0) continue;
        const uint64_t end = extent_end(&extents[i - 1]), first = le64_get(extents[i].first);
        if (extents[i - 1].flags & EXTENT_REPLACES) {
            if (first < end) return false;
        } else if (first != end || extents[i].flags & EXTENT_REPLACES) {
            return false;
        }
        if (le64_get(extents[i].term) < le64_get(extents[i - 1].term)) return false;
    }
    return true;
}

bool summary_judge(const uint8_t *summary, const struct footer *footer, const struct key *key)
{
    if (key_sum(key, summary, footer->summary_bytes) != footer->summary_sum) return false;
    uint32_t at = 0;
    uint64_t log_before = 0;
    for (uint32_t i = 0; i < footer->log_count; i++) {
        struct layout_touched head;
        if (!range_fits(at, sizeof head, footer->summary_bytes)) return false;
        memcpy(&head, summary + at, sizeof head);
        const uint64_t room = footer->summary_bytes - at - sizeof head;
        if (le32_get(head.extent_count) > room / sizeof(struct layout_extent)) return false;
        if ((le32_get(head.flags) & ~(uint32_t)(TOUCHED_CREATED | TOUCHED_DROPPED)) != 0) return false;
        if (le64_get(head.bytes) > footer->file_bytes) return false;
        if (le32_get(head.extent_count) == 0 && le64_get(head.bytes) != 0) return false;
        if (i > 0 && le64_get(head.log) <= log_before) return false;
        log_before = le64_get(head.log);
        struct touched touched;
        at = touched_get(summary, at, &touched);
        if (!extents_are_sound(touched.extents, touched.extent_count, footer->slot_count)) return false;
    }
    return at == footer->summary_bytes;
}

uint32_t touched_get(const uint8_t *summary, uint32_t record, struct touched *out)
{
    const struct layout_touched *head = (const struct layout_touched *)(summary + record);
    *out = (struct touched){
        .log = le64_get(head->log),
        .removed_from = le64_get(head->removed_from),
        .bytes = le64_get(head->bytes),
        .flags = le32_get(head->flags),
        .extent_count = le32_get(head->extent_count),
        .extents = (const struct layout_extent *)(summary + record + sizeof *head),
    };
    return record + touched_bytes(out->extent_count);
}

uint32_t touched_put(const struct touched *touched, uint8_t *out)
{
    const struct layout_touched head = {
        .log = le64_of(touched->log),
        .removed_from = le64_of(touched->removed_from),
        .flags = le32_of(touched->flags),
        .extent_count = le32_of(touched->extent_count),
        .bytes = le64_of(touched->bytes),
    };
    const size_t extents_bytes = touched->extent_count * sizeof(struct layout_extent);
    memcpy(out, &head, sizeof head);
    if (extents_bytes > 0) memcpy(out + sizeof head, touched->extents, extents_bytes);
    return touched_bytes(touched->extent_count);
}

const struct layout_extent *extent_find(const struct layout_extent *extents, uint32_t count, uint64_t index)
{
    uint32_t begin = 0; /* extents before it end at or before `index` */
    uint32_t end = count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (extent_end(&extents[middle]) <= index)
            begin = middle + 1;
        else
            end = middle;
    }
    if (begin == count || index < le64_get(extents[begin].first)) return NULL;
    return &extents[begin];
}
