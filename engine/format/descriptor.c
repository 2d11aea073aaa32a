/* descriptor.c: see descriptor.h. One function, op_read, decides what an operation is: judging and walking share it. */
#include "format/descriptor.h"

/* What an operation's head may hold, and how long it is: fixed_bytes, then count * unit_bytes padded to 8. A code with
 * no row (fixed_bytes 0) is unknown to this version. */
struct shape {
    uint32_t fixed_bytes;
    uint32_t unit_bytes;
    uint32_t count_max;
    uint8_t kind_max;
    bool has_log;
};
static const struct shape shapes[OP_CODE_COUNT] = {
    [OP_CREATE] = {.fixed_bytes = sizeof(struct layout_op), .has_log = true},
    [OP_ENTRIES] = {.fixed_bytes = sizeof(struct layout_entries), .unit_bytes = sizeof(struct layout_slot),
                    .count_max = UINT32_MAX, .kind_max = UINT8_MAX, .has_log = true},
    [OP_HARD_STATE] = {.fixed_bytes = sizeof(struct layout_hard_state), .has_log = true},
    [OP_TRUNCATE] = {.fixed_bytes = sizeof(struct layout_truncate), .has_log = true},
    [OP_SNAPSHOT] = {.fixed_bytes = sizeof(struct layout_snapshot), .kind_max = SNAPSHOT_CLEARS, .has_log = true},
    [OP_COMPACT] = {.fixed_bytes = sizeof(struct layout_compact), .has_log = true},
    [OP_META] = {.fixed_bytes = sizeof(struct layout_op), .unit_bytes = 1, .count_max = META_BYTES_MAX,
                 .has_log = true},
    [OP_DROP] = {.fixed_bytes = sizeof(struct layout_op), .has_log = true},
    [OP_FORGET] = {.fixed_bytes = sizeof(struct layout_forget)},
    [OP_MARK] = {.fixed_bytes = sizeof(struct layout_op), .kind_max = UINT8_MAX},
    [OP_CHECKPOINT] = {.fixed_bytes = sizeof(struct layout_checkpoint), .count_max = UINT32_MAX},
    [OP_REPLACE] = {.fixed_bytes = sizeof(struct layout_entries), .unit_bytes = sizeof(struct layout_slot),
                    .count_max = UINT32_MAX, .kind_max = UINT8_MAX, .has_log = true},
};

static uint64_t shape_bytes(const struct shape *shape, uint32_t count)
{
    return shape->fixed_bytes + align_up((uint64_t)shape->unit_bytes * count, PAYLOAD_ALIGN);
}

uint32_t op_bytes(enum op_code code, uint32_t count)
{
    return (uint32_t)min_u64(shape_bytes(&shapes[code], count), UINT32_MAX); /* too long for any table, never wrapped */
}

/* ---- writing ---- */

static void meta_put(const uint8_t *meta, uint32_t count, uint8_t *out)
{
    memset(out, 0, align_up(count, PAYLOAD_ALIGN));
    if (count > 0) memcpy(out, meta, count);
}

uint32_t op_put(const struct op *op, uint8_t *out)
{
    union {
        struct layout_op head;
        struct layout_entries entries;
        struct layout_hard_state hard;
        struct layout_truncate truncate;
        struct layout_snapshot snapshot;
        struct layout_compact compact;
        struct layout_forget forget;
        struct layout_checkpoint checkpoint;
    } put;
    const struct layout_op head = {
        .code = (uint8_t)op->code, .kind = op->kind, .count = le32_of(op->count), .log = le64_of(op->log)};
    put.head = head;
    switch (op->code) {
    case OP_CREATE:
    case OP_DROP:
    case OP_MARK:
    case OP_CODE_COUNT:
        break;
    case OP_ENTRIES:
    case OP_REPLACE:
        put.entries = (struct layout_entries){head, le64_of(op->entries.first), le64_of(op->entries.term)};
        break;
    case OP_HARD_STATE:
        put.hard = (struct layout_hard_state){
            head, le64_of(op->hard.term), le64_of(op->hard.vote), le64_of(op->hard.commit)};
        break;
    case OP_TRUNCATE:
        put.truncate = (struct layout_truncate){head, le64_of(op->from)};
        break;
    case OP_SNAPSHOT:
        put.snapshot = (struct layout_snapshot){
            head, le64_of(op->snapshot.index), le64_of(op->snapshot.term), le64_of(op->snapshot.file_id),
            le64_of(op->snapshot.file_bytes), le64_of(op->snapshot.file_sum)};
        break;
    case OP_COMPACT:
        put.compact = (struct layout_compact){head, le64_of(op->compact.upto), le64_of(op->compact.term)};
        break;
    case OP_META:
        meta_put(op->meta, op->count, out + sizeof head);
        break;
    case OP_FORGET:
        put.forget = (struct layout_forget){head, le64_of(op->oldest)};
        break;
    case OP_CHECKPOINT:
        put.checkpoint = (struct layout_checkpoint){
            head, le64_of(op->checkpoint.oldest), le64_of(op->checkpoint.segment), le64_of(op->checkpoint.salt),
            le64_of(op->checkpoint.last_lsn), le64_of(op->checkpoint.end_offset), le64_of(op->checkpoint.chain)};
        break;
    }
    memcpy(out, &put, shapes[op->code].fixed_bytes);
    return op->code == OP_META ? op_bytes(OP_META, op->count) : shapes[op->code].fixed_bytes;
}

void op_set_count(uint8_t *op, uint32_t count)
{
    const le32 bytes = le32_of(count);
    memcpy(op + offsetof(struct layout_op, count), &bytes, sizeof bytes);
}

uint32_t log_record_bytes(uint32_t meta_bytes)
{
    return (uint32_t)(sizeof(struct layout_log) + align_up(meta_bytes, PAYLOAD_ALIGN));
}

uint32_t log_record_put(const struct log_record *record, uint8_t *out)
{
    const struct layout_log layout = {
        .log = le64_of(record->log),
        .life = le64_of(record->life),
        .term = le64_of(record->term),
        .vote = le64_of(record->vote),
        .commit = le64_of(record->commit),
        .base_index = le64_of(record->base_index),
        .base_term = le64_of(record->base_term),
        .last_index = le64_of(record->last_index),
        .last_term = le64_of(record->last_term),
        .snapshot_index = le64_of(record->snapshot_index),
        .snapshot_term = le64_of(record->snapshot_term),
        .file_id = le64_of(record->file_id),
        .file_bytes = le64_of(record->file_bytes),
        .file_sum = le64_of(record->file_sum),
        .changed_lsn = le64_of(record->changed_lsn),
        .marks = le32_of(record->marks),
        .meta_bytes = le32_of(record->meta_bytes),
    };
    memcpy(out, &layout, sizeof layout);
    meta_put(record->meta, record->meta_bytes, out + sizeof layout);
    return log_record_bytes(record->meta_bytes);
}

/* ---- reading ---- */

uint32_t log_record_get(const uint8_t *at, struct log_record *out)
{
    const struct layout_log *layout = (const struct layout_log *)at;
    *out = (struct log_record){
        .log = le64_get(layout->log),
        .life = le64_get(layout->life),
        .term = le64_get(layout->term),
        .vote = le64_get(layout->vote),
        .commit = le64_get(layout->commit),
        .base_index = le64_get(layout->base_index),
        .base_term = le64_get(layout->base_term),
        .last_index = le64_get(layout->last_index),
        .last_term = le64_get(layout->last_term),
        .snapshot_index = le64_get(layout->snapshot_index),
        .snapshot_term = le64_get(layout->snapshot_term),
        .file_id = le64_get(layout->file_id),
        .file_bytes = le64_get(layout->file_bytes),
        .file_sum = le64_get(layout->file_sum),
        .changed_lsn = le64_get(layout->changed_lsn),
        .marks = le32_get(layout->marks),
        .meta_bytes = le32_get(layout->meta_bytes),
        .meta = at + sizeof *layout,
    };
    return log_record_bytes(out->meta_bytes);
}

/* Records say their length one by one, so their end is found by walking. Each takes room: a hostile count ends soon. */
static bool records_judge(const uint8_t *records, uint64_t room, uint32_t count, uint64_t *bytes_out)
{
    uint64_t at = 0;
    uint64_t log_before = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct log_record record;
        if (!range_fits(at, sizeof(struct layout_log), room)) return false;
        const uint64_t bytes = log_record_get(records + at, &record);
        if (record.meta_bytes > META_BYTES_MAX || !range_fits(at, bytes, room)) return false;
        if (i > 0 && record.log <= log_before) return false;
        log_before = record.log;
        at += bytes;
    }
    *bytes_out = at;
    return true;
}

/* The members of an operation whose bytes lie inside its room. */
static void op_get(const uint8_t *at, struct op *out)
{
    const struct layout_entries *entries = (const void *)at;
    const struct layout_hard_state *hard = (const void *)at;
    const struct layout_snapshot *snapshot = (const void *)at;
    const struct layout_compact *compact = (const void *)at;
    const struct layout_checkpoint *checkpoint = (const void *)at;
    const struct layout_op *head = (const void *)at;
    *out = (struct op){.code = (enum op_code)head->code, .kind = head->kind, .count = le32_get(head->count),
                       .log = le64_get(head->log)};
    switch (out->code) {
    case OP_CREATE:
    case OP_DROP:
    case OP_MARK:
    case OP_CODE_COUNT:
        break;
    case OP_ENTRIES:
    case OP_REPLACE:
        out->entries.first = le64_get(entries->first);
        out->entries.term = le64_get(entries->term);
        out->entries.slots = (const void *)(at + sizeof *entries);
        break;
    case OP_HARD_STATE:
        out->hard.term = le64_get(hard->term);
        out->hard.vote = le64_get(hard->vote);
        out->hard.commit = le64_get(hard->commit);
        break;
    case OP_TRUNCATE:
        out->from = le64_get(((const struct layout_truncate *)at)->from);
        break;
    case OP_SNAPSHOT:
        out->snapshot.index = le64_get(snapshot->index);
        out->snapshot.term = le64_get(snapshot->term);
        out->snapshot.file_id = le64_get(snapshot->file_id);
        out->snapshot.file_bytes = le64_get(snapshot->file_bytes);
        out->snapshot.file_sum = le64_get(snapshot->file_sum);
        break;
    case OP_COMPACT:
        out->compact.upto = le64_get(compact->upto);
        out->compact.term = le64_get(compact->term);
        break;
    case OP_META:
        out->meta = at + sizeof *head;
        break;
    case OP_FORGET:
        out->oldest = le64_get(((const struct layout_forget *)at)->oldest);
        break;
    case OP_CHECKPOINT:
        out->checkpoint.oldest = le64_get(checkpoint->oldest);
        out->checkpoint.segment = le64_get(checkpoint->segment);
        out->checkpoint.salt = le64_get(checkpoint->salt);
        out->checkpoint.last_lsn = le64_get(checkpoint->last_lsn);
        out->checkpoint.end_offset = le64_get(checkpoint->end_offset);
        out->checkpoint.chain = le64_get(checkpoint->chain);
        out->checkpoint.records = at + sizeof *checkpoint;
        break;
    }
}

/* Judges and reads the operation at `at`, which may reach no further than `room`. */
static enum frame_verdict op_read(const uint8_t *at, uint64_t room, struct op *out, uint64_t *bytes_out)
{
    *out = (struct op){0};
    if (room < sizeof(struct layout_op)) return FRAME_SENSELESS;
    const struct layout_op *head = (const struct layout_op *)at;
    if (head->code >= OP_CODE_COUNT || shapes[head->code].fixed_bytes == 0 || head->flags != 0) return FRAME_UNKNOWN;
    const struct shape *shape = &shapes[head->code];
    const uint32_t count = le32_get(head->count);
    uint64_t bytes = shape_bytes(shape, count);
    if (bytes > room || count > shape->count_max) return FRAME_SENSELESS;
    if (head->kind > shape->kind_max || head->zero != 0) return FRAME_SENSELESS;
    if (!shape->has_log && le64_get(head->log) != 0) return FRAME_SENSELESS;
    op_get(at, out);
    uint64_t end;
    if (op_has_entries(out->code) &&
        (out->count == 0 || out->entries.first == 0 || !add_fits(out->entries.first, out->count, &end)))
        return FRAME_SENSELESS;
    if (out->code == OP_TRUNCATE && out->from == 0) return FRAME_SENSELESS;
    if (out->code == OP_MARK && out->kind != MARK_CLEAN && out->kind != MARK_IDLE)
        return out->kind == 0 ? FRAME_SENSELESS : FRAME_UNKNOWN;
    if (out->code == OP_CHECKPOINT) {
        if (!records_judge(out->checkpoint.records, room - bytes, out->count, &out->checkpoint.record_bytes))
            return FRAME_SENSELESS;
        bytes += out->checkpoint.record_bytes;
    }
    *bytes_out = bytes;
    return FRAME_WHOLE;
}

bool table_next(const uint8_t *frame, const struct frame_head *head, uint32_t *cursor, struct op *out)
{
    if (*cursor >= head->table_bytes) return false;
    uint64_t bytes;
    const uint8_t *at = frame + head->table_offset + *cursor;
    if (op_read(at, head->table_bytes - *cursor, out, &bytes) != FRAME_WHOLE) return false;
    *cursor += (uint32_t)bytes;
    return true;
}

/* ---- judging ---- */

/* Each payload begins where the one before ended; `payload_end` (in the frame) moves behind the last. */
static bool slots_are_sound(const struct op *op, const struct frame_head *head, uint64_t *payload_end)
{
    for (uint32_t i = 0; i < op->count; i++) {
        const struct layout_slot *slot = &op->entries.slots[i];
        if (le32_get(slot->offset) != head->offset + *payload_end) return false;
        *payload_end += align_up(le32_get(slot->bytes), PAYLOAD_ALIGN);
        if (*payload_end > head->table_offset) return false;
    }
    return true;
}

/* On anything but FRAME_WHOLE `op` is the operation it stumbled over, as far as that could be read. */
static enum frame_verdict judge_table(const uint8_t *frame, const struct frame_head *head, const struct key *key,
                                      struct op *op)
{
    *op = (struct op){0};
    const uint8_t *table = frame + head->table_offset;
    if (key_sum(key, table, head->table_bytes) != head->table_sum) return FRAME_TORN_TABLE;
    uint64_t payload_end = HEAD_BYTES;
    uint64_t ops = 0;
    uint64_t entries = 0;
    for (uint64_t cursor = 0, bytes; cursor < head->table_bytes; cursor += bytes) {
        const enum frame_verdict verdict = op_read(table + cursor, head->table_bytes - cursor, op, &bytes);
        if (verdict != FRAME_WHOLE) return verdict;
        if (op->code == OP_CHECKPOINT && ops > 0) return FRAME_SENSELESS;
        if (op_has_entries(op->code)) {
            if (!slots_are_sound(op, head, &payload_end)) return FRAME_SENSELESS;
            entries += op->count;
        }
        ops++;
    }
    const bool adds_up = ops == head->op_count && entries == head->entry_count && payload_end == head->table_offset;
    return adds_up ? FRAME_WHOLE : FRAME_SENSELESS;
}

/* Index of the first entry whose payload is not what was summed, or 0: indexes begin at 1. */
static uint64_t torn_entry(const uint8_t *frame, const struct frame_head *head, const struct key *key,
                           const struct op *op)
{
    for (uint32_t i = 0; i < op->count; i++) {
        const struct layout_slot *slot = &op->entries.slots[i];
        const struct entry_identity who = {.log = op->log, .index = op->entries.first + i, .term = op->entries.term,
                                           .bytes = le32_get(slot->bytes), .kind = op->kind};
        const uint8_t *payload = frame + (le32_get(slot->offset) - head->offset);
        if (key_entry_sum(key, &who, payload) != le64_get(slot->sum)) return who.index;
    }
    return 0;
}

enum frame_verdict frame_judge(const uint8_t *frame, const struct frame_head *head, const struct key *key,
                               struct op *bad_op_out, uint64_t *bad_index_out)
{
    *bad_index_out = 0;
    const enum frame_verdict verdict = judge_table(frame, head, key, bad_op_out);
    if (verdict != FRAME_WHOLE) return verdict;
    uint32_t cursor = 0;
    while (table_next(frame, head, &cursor, bad_op_out)) {
        if (!op_has_entries(bad_op_out->code)) continue;
        *bad_index_out = torn_entry(frame, head, key, bad_op_out);
        if (*bad_index_out != 0) return FRAME_TORN_ENTRY;
    }
    return FRAME_WHOLE;
}

enum frame_verdict frame_judge_table(const uint8_t *frame, const struct frame_head *head, const struct key *key)
{
    struct op op;
    return judge_table(frame, head, key, &op);
}
