/* segment_index.h: what a sealed segment carries behind its frames: slots, summary, footer. */
#ifndef TEAK_FORMAT_SEGMENT_INDEX_H
#define TEAK_FORMAT_SEGMENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "format/key.h"
#include "format/layout.h"

struct footer {
    uint64_t salt, segment, first_lsn, last_lsn, chain, slots_sum, summary_sum, file_bytes;
    uint32_t frames_end, slots_offset, slot_count, summary_offset, summary_bytes, log_count;
    uint32_t flags, zero; /* zero: no hole in the struct, which is compared byte by byte */
};

/* Writes HEAD_BYTES. */
void footer_encode(const struct footer *footer, const struct key *key, uint8_t *out);
/* True if these HEAD_BYTES are the footer of that segment under `key`, in a file of `file_bytes`, with every range
 * inside the file and in order (frames, slots, summary, footer block). */
bool footer_judge(const uint8_t *bytes, const struct key *key, uint64_t segment, uint64_t file_bytes,
                  uint32_t block_bytes, struct footer *out);

/* Footer's slots_sum from the sums of the pieces. `count` <= SLOT_PIECES_MAX. */
enum { SLOT_PIECES_MAX = SEGMENT_BYTES_MAX / 32 / SLOT_PIECE };
uint64_t slots_sum_of(const struct key *key, const uint64_t *piece_sums, uint32_t count);

/* True if the summary's sum holds and its records make sense: logs ascending, extents inside it and ascending, those
 * that replace before the contiguous others, slots below slot_count. A judged summary can be walked and searched
 * without another check. */
bool summary_judge(const uint8_t *summary, const struct footer *footer, const struct key *key);

/* Records of a judged summary. `record` is an offset in the summary; 0 is the first; returns the next one's offset. */
struct touched {
    uint64_t log, removed_from, bytes;
    uint32_t flags, extent_count;
    const struct layout_extent *extents;
};
uint32_t touched_get(const uint8_t *summary, uint32_t record, struct touched *out);
/* Writing: returns the bytes written (record and extents). */
uint32_t touched_put(const struct touched *touched, uint8_t *out);
static inline uint32_t touched_bytes(uint32_t extent_count)
{
    return (uint32_t)(sizeof(struct layout_touched) + extent_count * sizeof(struct layout_extent));
}

/* The extent that holds `index`, or NULL: extents ascend. */
const struct layout_extent *extent_find(const struct layout_extent *extents, uint32_t count, uint64_t index);

#endif
