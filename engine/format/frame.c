/* frame.c: see frame.h. */
#include "format/frame.h"

#include "format/layout.h"

uint64_t frame_head_encode(const struct frame_head *head, const struct key *key, uint8_t *out)
{
    struct layout_frame frame = {
        .magic = le64_of(MAGIC_FRAME),
        .salt = le64_of(head->salt),
        .segment = le64_of(head->segment),
        .offset = le32_of(head->offset),
        .bytes = le32_of(head->bytes),
        .lsn = le64_of(head->lsn),
        .durable_lsn = le64_of(head->durable_lsn),
        .chain = le64_of(head->chain),
        .table_offset = le32_of(head->table_offset),
        .table_bytes = le32_of(head->table_bytes),
        .table_sum = le64_of(head->table_sum),
        .op_count = le32_of(head->op_count),
        .entry_count = le32_of(head->entry_count),
    };
    key_seal_head(key, &frame);
    memcpy(out, &frame, sizeof frame);
    return le64_get(frame.checksum);
}

/* A frame head of this place, should its checksum hold. Cheap, so that a search through blocks of anything, which must
 * derive a key for each candidate, derives few. */
static bool names_place(const struct layout_frame *frame, const struct frame_place *place)
{
    return le64_get(frame->magic) == MAGIC_FRAME && le64_get(frame->segment) == place->segment &&
           le32_get(frame->offset) == place->offset;
}

static bool lengths_are_sound(const struct frame_head *head, const struct frame_place *place)
{
    return head->bytes > 0 && head->bytes % place->block_bytes == 0 && head->offset % place->block_bytes == 0 &&
           range_fits(head->offset, head->bytes, place->segment_bytes) && head->table_offset >= HEAD_BYTES &&
           head->table_offset % PAYLOAD_ALIGN == 0 && range_fits(head->table_offset, head->table_bytes, head->bytes);
}

bool frame_head_judge(const uint8_t *bytes, const struct key *key, const struct frame_place *place,
                      struct frame_head *out)
{
    struct layout_frame frame;
    memcpy(&frame, bytes, sizeof frame);
    if (!names_place(&frame, place) || le64_get(frame.salt) != key->salt) return false;
    if (!key_head_is_whole(key, &frame)) return false;
    *out = (struct frame_head){
        .salt = le64_get(frame.salt),
        .segment = le64_get(frame.segment),
        .lsn = le64_get(frame.lsn),
        .durable_lsn = le64_get(frame.durable_lsn),
        .chain = le64_get(frame.chain),
        .table_sum = le64_get(frame.table_sum),
        .checksum = le64_get(frame.checksum),
        .offset = le32_get(frame.offset),
        .bytes = le32_get(frame.bytes),
        .table_offset = le32_get(frame.table_offset),
        .table_bytes = le32_get(frame.table_bytes),
        .op_count = le32_get(frame.op_count),
        .entry_count = le32_get(frame.entry_count),
    };
    return lengths_are_sound(out, place) && out->durable_lsn < out->lsn && /* so no frame has the LSN 0 */
           bytes_are_zero(frame.zero, sizeof frame.zero);
}

bool frame_head_judge_unkeyed(const uint8_t *bytes, const uint8_t family[16], const struct frame_place *place,
                              struct frame_head *out)
{
    struct layout_frame frame;
    memcpy(&frame, bytes, sizeof frame);
    if (!names_place(&frame, place)) return false;
    struct key key;
    key_derive(&key, family, le64_get(frame.salt));
    return frame_head_judge(bytes, &key, place, out);
}
