/* frame.h: the head of a frame, and judging a whole frame. */
#ifndef TEAK_FORMAT_FRAME_H
#define TEAK_FORMAT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "format/key.h"

struct frame_head {
    uint64_t salt, segment, lsn, durable_lsn, chain;
    uint64_t table_sum;
    uint64_t checksum; /* judge: out; encode: ignored, returned */
    uint32_t offset, bytes, table_offset, table_bytes, op_count, entry_count;
};

/* Where a frame stands: what the head must say of itself. */
struct frame_place {
    uint64_t segment;
    uint64_t offset;        /* of the frame in the file                */
    uint64_t segment_bytes; /* the frame must end at or before it      */
    uint32_t block_bytes;
};

/* Writes HEAD_BYTES; returns the checksum, which the next frame chains on. */
uint64_t frame_head_encode(const struct frame_head *head, const struct key *key, uint8_t *out);

/* True if these HEAD_BYTES are a frame head that names this very place, under `key` (its salt must be the key's). All
 * lengths in `out` are then within the place: blocks, table inside the frame and 8-aligned behind the head. */
bool frame_head_judge(const uint8_t *bytes, const struct key *key, const struct frame_place *place,
                      struct frame_head *out);

/* The same, under the salt that the head holds itself: for a segment whose identity block is lost. */
bool frame_head_judge_unkeyed(const uint8_t *bytes, const uint8_t family[16], const struct frame_place *place,
                              struct frame_head *out);

#endif
