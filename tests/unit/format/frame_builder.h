/* frame_builder.h: frames for tests, built the way docs/format.md says: head, payloads, table, zeros. */
#ifndef TEAK_TESTS_FRAME_BUILDER_H
#define TEAK_TESTS_FRAME_BUILDER_H

#include <string.h>

#include "format/descriptor.h"
#include "format/frame.h"
#include "format/key.h"
#include "format/layout.h"

enum { BUILDER_BLOCK = 4096, BUILDER_SEGMENT = 65536, BUILDER_TABLE = 16384, BUILDER_FRAME = 49152 };

struct frame_builder {
    struct key key;
    struct frame_head head;
    uint32_t payload_end; /* in the frame */
    uint32_t table_bytes;
    uint8_t table[BUILDER_TABLE];
    uint8_t frame[BUILDER_FRAME];
};

static const uint8_t builder_family[16] = {0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static inline void builder_begin(struct frame_builder *b)
{
    memset(b, 0, sizeof *b);
    key_derive(&b->key, builder_family, UINT64_C(0x5a175a175a175a17));
    b->head = (struct frame_head){.salt = b->key.salt, .segment = 7, .lsn = 42, .durable_lsn = 40,
                                  .chain = UINT64_C(0xc4a1c4a1c4a1c4a1), .offset = BUILDER_BLOCK};
    b->payload_end = HEAD_BYTES;
}

static inline struct frame_place builder_place(const struct frame_builder *b)
{
    return (struct frame_place){.segment = b->head.segment, .offset = b->head.offset,
                                .segment_bytes = BUILDER_SEGMENT, .block_bytes = BUILDER_BLOCK};
}

static inline void builder_op(struct frame_builder *b, const struct op *op)
{
    b->table_bytes += op_put(op, b->table + b->table_bytes);
    b->head.op_count++;
}

/* One entry more in the ENTRIES that was put last: call it op->count times. */
static inline void builder_entry(struct frame_builder *b, const struct op *op, uint64_t index, const void *payload,
                                 uint32_t bytes)
{
    const struct entry_identity who = {
        .log = op->log, .index = index, .term = op->entries.term, .bytes = bytes, .kind = op->kind};
    const struct layout_slot slot = {.offset = le32_of(b->head.offset + b->payload_end), .bytes = le32_of(bytes),
                                     .sum = le64_of(key_entry_sum(&b->key, &who, payload))};
    if (bytes > 0) memcpy(b->frame + b->payload_end, payload, bytes);
    b->payload_end += (uint32_t)align_up(bytes, PAYLOAD_ALIGN);
    memcpy(b->table + b->table_bytes, &slot, sizeof slot);
    b->table_bytes += (uint32_t)sizeof slot;
    b->head.entry_count++;
}

static inline void builder_record(struct frame_builder *b, const struct log_record *record)
{
    b->table_bytes += log_record_put(record, b->table + b->table_bytes);
}

/* Puts the table behind the payloads and seals both; may be called again after the table or the head was changed. */
static inline void builder_end(struct frame_builder *b)
{
    b->head.table_offset = b->payload_end;
    b->head.table_bytes = b->table_bytes;
    b->head.table_sum = key_sum(&b->key, b->table, b->table_bytes);
    b->head.bytes = (uint32_t)align_up(b->payload_end + b->table_bytes, BUILDER_BLOCK);
    memcpy(b->frame + b->payload_end, b->table, b->table_bytes);
    b->head.checksum = frame_head_encode(&b->head, &b->key, b->frame);
}

#endif
