/* descriptor.h: the operations in a frame's table: written one behind another, read one after another.
 *
 * Writing: the writer keeps `uint8_t *at` and the table's room; each put returns the bytes it wrote. Sizes first, so
 * that a batch can be refused before anything is written.
 * Reading: bytes from outside are judged: a table that passes `table_judge` can be walked without another check of
 * bounds.
 */
#ifndef TEAK_FORMAT_DESCRIPTOR_H
#define TEAK_FORMAT_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "format/frame.h"
#include "format/layout.h"

/* One operation as a value. Only the members of its code mean something. */
struct op {
    enum op_code code;
    uint8_t kind;   /* ENTRIES, REPLACE: the entries' kind; MARK: enum mark           */
    uint32_t count; /* ENTRIES, REPLACE: entries; META: bytes; CHECKPOINT: records    */
    uint64_t log;
    union {
        struct { uint64_t first, term; const struct layout_slot *slots; } entries; /* REPLACE too */
        struct { uint64_t term, vote, commit; } hard;
        uint64_t from;                                             /* TRUNCATE        */
        struct { uint64_t index, term, file_id, file_bytes, file_sum; } snapshot;
        struct { uint64_t upto, term; } compact;
        const uint8_t *meta;
        uint64_t oldest;                                           /* FORGET          */
        struct {
            uint64_t oldest, segment, salt, last_lsn, end_offset, chain;
            const uint8_t *records;
            uint64_t record_bytes;
        } checkpoint;
    };
};

/* One log's record in a checkpoint. */
struct log_record {
    uint64_t log, life, term, vote, commit, base_index, base_term, last_index, last_term;
    uint64_t snapshot_index, snapshot_term, file_id, file_bytes, file_sum, changed_lsn;
    uint32_t marks, meta_bytes;
    const uint8_t *meta;
};

/* Payloads belong to it: count of them, with slots. */
static inline bool op_has_entries(enum op_code code) { return code == OP_ENTRIES || code == OP_REPLACE; }

/* Bytes that an operation takes in the table (without a checkpoint's records). */
uint32_t op_bytes(enum op_code code, uint32_t count);
/* Writes everything but ENTRIES' slots and CHECKPOINT's records, which the caller puts behind. Returns the bytes
 * written. */
uint32_t op_put(const struct op *op, uint8_t *out);
/* The same of ENTRIES: nearly all that is ever written. */
static inline uint32_t op_put_entries(uint64_t log, uint8_t kind, uint32_t count, uint64_t first, uint64_t term,
                                      uint8_t *out)
{
    const uint64_t head = (uint64_t)count << 32 | (uint64_t)kind << 8 | OP_ENTRIES; /* struct layout_op's, at once */
    const le64 words[4] = {le64_of(head), le64_of(log), le64_of(first), le64_of(term)};
    static_assert(sizeof words == sizeof(struct layout_entries), "docs/format.md: ENTRIES");
    memcpy(out, words, sizeof words);
    return sizeof words;
}
/* ENTRIES grown by one: the count in an operation already written. */
void op_set_count(uint8_t *op, uint32_t count);

uint32_t log_record_bytes(uint32_t meta_bytes);
uint32_t log_record_put(const struct log_record *record, uint8_t *out);
/* Reads the record at `at` (inside judged records); returns the bytes it takes. */
uint32_t log_record_get(const uint8_t *at, struct log_record *out);

/* Judges a whole frame whose head has been judged: `frame` holds head->bytes bytes. Checks the table's sum, every
 * operation's bounds and values (codes, counts, zero fields, ascending logs in a checkpoint), that payloads lie one
 * behind another from the head to the table, and every entry's sum. */
enum frame_verdict { FRAME_WHOLE, FRAME_TORN_TABLE, FRAME_TORN_ENTRY, FRAME_SENSELESS, FRAME_UNKNOWN };
/* FRAME_TORN_*: bytes are not what was written. FRAME_SENSELESS: sums hold but the table makes no sense (a bug or
 * malice). FRAME_UNKNOWN: an operation or flag of a later version. */
enum frame_verdict frame_judge(const uint8_t *frame, const struct frame_head *head, const struct key *key,
                               struct op *bad_op_out, uint64_t *bad_index_out);
/* Only the table: for a reader that wants to know who is in a frame whose payload is hurt. */
enum frame_verdict frame_judge_table(const uint8_t *frame, const struct frame_head *head, const struct key *key);

/* Walks a judged table: `cursor` begins at 0; false at the end. */
bool table_next(const uint8_t *frame, const struct frame_head *head, uint32_t *cursor, struct op *out);

#endif
