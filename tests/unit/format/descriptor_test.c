/* descriptor_test.c: operations written and read, and frames judged whole, torn, senseless or unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame_builder.h"
#include "../seeded.h"

static struct frame_builder b;
static struct op bad_op;
static uint64_t bad_index;

static enum frame_verdict judge(void) { return frame_judge(b.frame, &b.head, &b.key, &bad_op, &bad_index); }

static enum frame_verdict judge_after_sealing(void)
{
    builder_end(&b);
    const struct frame_place place = builder_place(&b);
    struct frame_head out;
    assert_true(frame_head_judge(b.frame, &b.key, &place, &out));
    const enum frame_verdict verdict = judge();
    if (verdict != FRAME_TORN_ENTRY) assert_int_equal(frame_judge_table(b.frame, &b.head, &b.key), verdict);
    return verdict;
}

static const struct op entries_op = {.code = OP_ENTRIES, .kind = 2, .count = 3, .log = 17,
                                     .entries = {.first = 100, .term = 5}};

/* A frame of three entries: 5 bytes, none, 300. */
static void build_entries(void)
{
    static const uint8_t payload[300] = {'p', 'a', 'y', 'l', 'o', 'a', 'd'};
    builder_begin(&b);
    builder_op(&b, &entries_op);
    builder_entry(&b, &entries_op, 100, payload, 5);
    builder_entry(&b, &entries_op, 101, payload, 0);
    builder_entry(&b, &entries_op, 102, payload, 300);
    builder_end(&b);
}

static void build_one(const struct op *op)
{
    builder_begin(&b);
    builder_op(&b, op);
}

/* ---- operations ---- */

static void operations_take_the_bytes_that_the_format_says(void **state)
{
    (void)state;
    static const uint32_t fixed[OP_CODE_COUNT] = {[OP_CREATE] = 16, [OP_HARD_STATE] = 40, [OP_TRUNCATE] = 24,
                                                  [OP_SNAPSHOT] = 56, [OP_COMPACT] = 32, [OP_DROP] = 16,
                                                  [OP_FORGET] = 24, [OP_MARK] = 16, [OP_CHECKPOINT] = 64};
    for (uint32_t code = OP_CREATE; code < OP_CODE_COUNT; code++)
        if (fixed[code] > 0) assert_int_equal(op_bytes((enum op_code)code, 0), fixed[code]);
    for (uint32_t count = 0; count < 100; count++) {
        assert_int_equal(op_bytes(OP_ENTRIES, count), 32 + 16 * count);
        assert_int_equal(op_bytes(OP_REPLACE, count), 32 + 16 * count);
        assert_int_equal(op_bytes(OP_META, count), 16 + (count + 7) / 8 * 8);
        assert_int_equal(log_record_bytes(count), 128 + (count + 7) / 8 * 8);
        assert_int_equal(op_bytes(OP_CHECKPOINT, count), 64);
    }
}

static void bytes_of_absurd_counts_do_not_wrap(void **state)
{
    (void)state;
    assert_int_equal(op_bytes(OP_ENTRIES, UINT32_MAX), UINT32_MAX);
    assert_int_equal(op_bytes(OP_ENTRIES, UINT32_C(1) << 28), UINT32_MAX);
    assert_int_equal(op_bytes(OP_META, UINT32_MAX), UINT32_MAX);
}

static void each_operation_comes_back_as_it_was(void **state)
{
    (void)state;
    static const uint8_t word[11] = "my own word";
    const struct op ops[] = {
        {.code = OP_CREATE, .log = 1},
        {.code = OP_HARD_STATE, .log = 2, .hard = {.term = 3, .vote = 4, .commit = 5}},
        {.code = OP_TRUNCATE, .log = 6, .from = 7},
        {.code = OP_SNAPSHOT, .log = 8, .snapshot = {9, 10, 11, 12, 13}},
        {.code = OP_COMPACT, .log = 14, .compact = {.upto = 15, .term = 16}},
        {.code = OP_META, .log = 17, .count = sizeof word, .meta = word},
        {.code = OP_META, .log = 18},
        {.code = OP_DROP, .log = 19},
        {.code = OP_FORGET, .oldest = 20},
        {.code = OP_MARK, .kind = MARK_CLEAN},
        {.code = OP_MARK, .kind = MARK_IDLE},
    };
    const uint32_t count = sizeof ops / sizeof ops[0];
    builder_begin(&b);
    for (uint32_t i = 0; i < count; i++) builder_op(&b, &ops[i]);
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
    uint32_t cursor = 0;
    struct op op;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t before = cursor;
        assert_true(table_next(b.frame, &b.head, &cursor, &op));
        assert_int_equal(cursor - before, op_bytes(ops[i].code, ops[i].count));
        assert_int_equal(op.code, ops[i].code);
        assert_int_equal(op.kind, ops[i].kind);
        assert_int_equal(op.count, ops[i].count);
        assert_int_equal(op.log, ops[i].log);
        uint8_t again[64]; /* members: what was read is written as it was */
        const uint32_t bytes = op_put(&op, again);
        assert_int_equal(bytes, cursor - before);
        assert_memory_equal(again, b.table + before, bytes);
    }
    assert_false(table_next(b.frame, &b.head, &cursor, &op));
    assert_int_equal(cursor, b.head.table_bytes);
}

/* History 44. */
static void padding_is_written_as_zeros(void **state)
{
    (void)state;
    static const uint8_t word[9] = "123456789";
    uint8_t out[64];
    memset(out, 0xee, sizeof out);
    const struct op op = {.code = OP_META, .log = 1, .count = 9, .meta = word};
    assert_int_equal(op_put(&op, out), 32);
    assert_true(bytes_are_zero(out + 16 + 9, 7));
    assert_int_equal(out[32], 0xee);
}

static void a_count_can_grow_after_it_was_written(void **state)
{
    (void)state;
    builder_begin(&b);
    struct op op = entries_op;
    op.count = 1;
    builder_op(&b, &op);
    builder_entry(&b, &op, 100, "a", 1);
    builder_entry(&b, &op, 101, "b", 1);
    assert_int_not_equal(judge_after_sealing(), FRAME_WHOLE); /* the second slot is taken for an operation */
    op_set_count(b.table, 2);
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
    uint32_t cursor = 0;
    assert_true(table_next(b.frame, &b.head, &cursor, &op));
    assert_int_equal(op.count, 2);
    assert_int_equal(op.entries.first, 100);
}

/* ---- checkpoint ---- */

static const struct log_record records[] = {
    {.log = 3, .life = 1, .term = 2, .vote = 3, .commit = 4, .base_index = 5, .base_term = 6, .last_index = 7,
     .last_term = 8, .snapshot_index = 9, .snapshot_term = 10, .file_id = 11, .file_bytes = 12, .file_sum = 13,
     .changed_lsn = 14, .marks = LOG_FRESH, .meta_bytes = 5, .meta = (const uint8_t *)"hello"},
    {.log = 4, .marks = LOG_TAIL_LOST},
    {.log = UINT64_MAX, .meta_bytes = 8, .meta = (const uint8_t *)"12345678"},
};
enum { RECORDS = sizeof records / sizeof records[0] };

static const struct op checkpoint_op = {.code = OP_CHECKPOINT, .count = RECORDS, .checkpoint = {
    .oldest = 1, .segment = 6, .salt = 7, .last_lsn = 8, .end_offset = 9, .chain = 10}};

static void build_checkpoint(void)
{
    builder_begin(&b);
    builder_op(&b, &checkpoint_op);
    for (uint32_t i = 0; i < RECORDS; i++) builder_record(&b, &records[i]);
}

static void a_checkpoint_comes_back_as_it_was(void **state)
{
    (void)state;
    build_checkpoint();
    builder_op(&b, &(struct op){.code = OP_DROP, .log = 4});
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
    uint32_t cursor = 0;
    struct op op;
    assert_true(table_next(b.frame, &b.head, &cursor, &op));
    assert_int_equal(op.count, RECORDS);
    assert_int_equal(op.checkpoint.oldest, 1);
    assert_int_equal(op.checkpoint.segment, 6);
    assert_int_equal(op.checkpoint.salt, 7);
    assert_int_equal(op.checkpoint.last_lsn, 8);
    assert_int_equal(op.checkpoint.end_offset, 9);
    assert_int_equal(op.checkpoint.chain, 10);
    const uint8_t *at = op.checkpoint.records;
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct log_record record;
        const uint32_t bytes = log_record_get(at, &record);
        assert_int_equal(bytes, log_record_bytes(records[i].meta_bytes));
        if (record.meta_bytes > 0) assert_memory_equal(record.meta, records[i].meta, record.meta_bytes);
        record.meta = records[i].meta;
        assert_memory_equal(&record, &records[i], sizeof record);
        at += bytes;
    }
    assert_int_equal(at - op.checkpoint.records, op.checkpoint.record_bytes);
    assert_true(table_next(b.frame, &b.head, &cursor, &op));
    assert_int_equal(op.code, OP_DROP);
}

static void a_checkpoint_stands_first_or_nowhere(void **state)
{
    (void)state;
    builder_begin(&b);
    builder_op(&b, &(struct op){.code = OP_CREATE, .log = 1});
    builder_op(&b, &(struct op){.code = OP_CHECKPOINT});
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    builder_begin(&b);
    builder_op(&b, &(struct op){.code = OP_CHECKPOINT});
    builder_op(&b, &(struct op){.code = OP_CHECKPOINT});
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    build_one(&(struct op){.code = OP_CHECKPOINT});
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
}

static void records_ascend_strictly(void **state)
{
    (void)state;
    for (uint32_t equal = 0; equal < 2; equal++) {
        builder_begin(&b);
        builder_op(&b, &(struct op){.code = OP_CHECKPOINT, .count = 2});
        builder_record(&b, &(struct log_record){.log = 8});
        builder_record(&b, &(struct log_record){.log = equal ? 8 : 7});
        assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    }
}

static void records_that_leave_the_table_make_no_sense(void **state)
{
    (void)state;
    const uint32_t meta_bytes_at = sizeof(struct layout_checkpoint) + offsetof(struct layout_log, meta_bytes);
    const uint32_t lengths[] = {META_BYTES_MAX + 1, UINT32_MAX, UINT32_MAX - 6, 200};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        builder_begin(&b);
        builder_op(&b, &(struct op){.code = OP_CHECKPOINT, .count = 1});
        builder_record(&b, &records[0]);
        const le32 length = le32_of(lengths[i]);
        memcpy(b.table + meta_bytes_at, &length, sizeof length);
        assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    }
    const uint32_t counts[] = {RECORDS - 1, RECORDS + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        build_checkpoint();
        op_set_count(b.table, counts[i]);
        assert_int_not_equal(judge_after_sealing(), FRAME_WHOLE);
    }
}

/* ---- torn ---- */

static void each_flip_in_the_table_tears_it(void **state)
{
    (void)state;
    build_entries();
    assert_int_equal(judge(), FRAME_WHOLE);
    for (uint32_t bit = 0; bit < 8 * b.head.table_bytes; bit++) {
        uint8_t *at = &b.frame[b.head.table_offset + bit / 8];
        *at ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(judge(), FRAME_TORN_TABLE);
        assert_int_equal(frame_judge_table(b.frame, &b.head, &b.key), FRAME_TORN_TABLE);
        *at ^= (uint8_t)(1 << bit % 8);
    }
}

static void each_flip_in_a_payload_names_its_entry(void **state)
{
    (void)state;
    build_entries();
    for (uint32_t at = HEAD_BYTES; at < b.head.table_offset; at++) {
        const bool first = at < HEAD_BYTES + 5;
        const bool last = at >= HEAD_BYTES + 8 && at < HEAD_BYTES + 308;
        b.frame[at] ^= 1;
        const enum frame_verdict verdict = judge();
        assert_int_equal(verdict, first || last ? FRAME_TORN_ENTRY : FRAME_WHOLE); /* padding is not looked at */
        assert_int_equal(bad_index, first ? 100 : last ? 102 : 0);
        if (verdict == FRAME_TORN_ENTRY) assert_int_equal(bad_op.log, 17);
        assert_int_equal(frame_judge_table(b.frame, &b.head, &b.key), FRAME_WHOLE);
        b.frame[at] ^= 1;
    }
}

/* History 44. */
static void what_lies_behind_the_table_is_not_looked_at(void **state)
{
    (void)state;
    build_entries();
    const uint32_t end = b.head.table_offset + b.head.table_bytes;
    memset(b.frame + end, 0xff, b.head.bytes - end);
    assert_int_equal(judge(), FRAME_WHOLE);
}

static void an_entry_is_bound_to_who_it_is(void **state)
{
    (void)state;
    static const size_t fields[] = {offsetof(struct layout_entries, op.kind), offsetof(struct layout_entries, op.log),
                                    offsetof(struct layout_entries, first), offsetof(struct layout_entries, term)};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        build_entries();
        b.table[fields[i]] ^= 1;
        assert_int_equal(judge_after_sealing(), FRAME_TORN_ENTRY);
    }
}

/* ---- senseless and unknown ---- */

static void set32(size_t at, uint32_t value)
{
    const le32 bytes = le32_of(value);
    memcpy(b.table + at, &bytes, sizeof bytes);
}

static void slots_that_do_not_lie_one_behind_another_make_no_sense(void **state)
{
    (void)state;
    enum { SLOTS = sizeof(struct layout_entries) };
    const struct {
        size_t at;
        uint32_t value;
    } rows[] = {
        {SLOTS, BUILDER_BLOCK},                        /* at the head                    */
        {SLOTS, BUILDER_BLOCK + HEAD_BYTES + 8},       /* a gap                          */
        {SLOTS, BUILDER_BLOCK + HEAD_BYTES - 8},       /* inside the head                */
        {SLOTS, 0},
        {SLOTS, UINT32_MAX},
        {SLOTS + 4, 9},                                /* its end is not the next begin  */
        {SLOTS + 4, UINT32_MAX},
        {SLOTS + 16, BUILDER_BLOCK + HEAD_BYTES},      /* twice the same bytes           */
        {SLOTS + 32 + 4, 295},                         /* ends before the table          */
        {SLOTS + 32 + 4, 305},                         /* reaches into the table         */
        {SLOTS + 32 + 4, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        build_entries();
        set32(rows[i].at, rows[i].value);
        assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    }
}

static void counts_of_the_head_must_be_the_tables(void **state)
{
    (void)state;
    build_entries();
    b.head.op_count++;
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    b.head.op_count -= 2;
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    b.head.op_count++;
    b.head.entry_count++;
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    b.head.entry_count -= 2;
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    b.head.entry_count++;
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
}

static void entries_have_indexes_from_one_that_do_not_wrap(void **state)
{
    (void)state;
    const struct {
        uint64_t first;
        enum frame_verdict verdict;
    } rows[] = {{1, FRAME_WHOLE}, {0, FRAME_SENSELESS}, {UINT64_MAX - 2, FRAME_WHOLE},
                {UINT64_MAX - 1, FRAME_SENSELESS}, {UINT64_MAX, FRAME_SENSELESS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct op op = {.code = OP_ENTRIES, .count = 2, .log = 1, .entries = {.first = rows[i].first, .term = 1}};
        build_one(&op);
        builder_entry(&b, &op, rows[i].first, "a", 1);
        builder_entry(&b, &op, rows[i].first + 1, "b", 1);
        assert_int_equal(judge_after_sealing(), rows[i].verdict);
        op.code = OP_REPLACE;
        build_one(&op);
        builder_entry(&b, &op, rows[i].first, "a", 1);
        builder_entry(&b, &op, rows[i].first + 1, "b", 1);
        assert_int_equal(judge_after_sealing(), rows[i].verdict);
    }
    build_one(&(struct op){.code = OP_ENTRIES, .log = 1, .entries = {.first = 1, .term = 1}});
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    build_one(&(struct op){.code = OP_REPLACE, .log = 1, .entries = {.first = 1, .term = 1}});
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    build_one(&(struct op){.code = OP_TRUNCATE, .log = 1, .from = 0});
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
}

static void fields_without_a_meaning_must_be_zero(void **state)
{
    (void)state;
    const struct op ops[] = {
        {.code = OP_CREATE, .kind = 1},      {.code = OP_CREATE, .count = 1},   {.code = OP_HARD_STATE, .kind = 1},
        {.code = OP_HARD_STATE, .count = 1}, {.code = OP_DROP, .count = 1},     {.code = OP_SNAPSHOT, .kind = 9},
        {.code = OP_COMPACT, .count = 1},    {.code = OP_META, .kind = 1},      {.code = OP_FORGET, .log = 1},
        {.code = OP_FORGET, .count = 1},     {.code = OP_MARK, .kind = 0},      {.code = OP_MARK, .kind = 1, .log = 1},
        {.code = OP_MARK, .kind = 1, .count = 1}, {.code = OP_CHECKPOINT, .log = 1}, {.code = OP_CHECKPOINT, .kind = 1},
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        build_one(&ops[i]);
        assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
    }
    build_one(&(struct op){.code = OP_CREATE, .log = 1});
    b.table[offsetof(struct layout_op, zero)] = 1;
    assert_int_equal(judge_after_sealing(), FRAME_SENSELESS);
}

static void a_meta_beyond_its_limit_makes_no_sense(void **state)
{
    (void)state;
    static const uint8_t word[META_BYTES_MAX + 8];
    for (uint32_t bytes = META_BYTES_MAX - 1; bytes < META_BYTES_MAX + 3; bytes++) {
        build_one(&(struct op){.code = OP_META, .log = 1, .count = bytes, .meta = word});
        assert_int_equal(judge_after_sealing(), bytes <= META_BYTES_MAX ? FRAME_WHOLE : FRAME_SENSELESS);
    }
}

/* History 45. */
static void a_later_versions_operation_or_flag_is_unknown(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 256; code++) {
        if (code >= OP_CREATE && code < OP_CODE_COUNT) continue;
        build_one(&(struct op){.code = OP_CREATE, .log = 1});
        b.table[0] = (uint8_t)code;
        assert_int_equal(judge_after_sealing(), FRAME_UNKNOWN);
    }
    for (uint32_t bit = 0; bit < 8; bit++) {
        build_entries();
        b.table[offsetof(struct layout_op, flags)] = (uint8_t)(1 << bit);
        assert_int_equal(judge_after_sealing(), FRAME_UNKNOWN);
    }
    build_one(&(struct op){.code = OP_MARK, .kind = MARK_IDLE + 1});
    assert_int_equal(judge_after_sealing(), FRAME_UNKNOWN);
}

static void a_table_cut_anywhere_is_never_over_read(void **state)
{
    (void)state;
    static const uint8_t word[20] = {1};
    build_checkpoint();
    builder_op(&b, &(struct op){.code = OP_META, .log = 3, .count = sizeof word, .meta = word});
    builder_op(&b, &(struct op){.code = OP_SNAPSHOT, .log = 3});
    const uint32_t whole = b.table_bytes;
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
    for (uint32_t bytes = 0; bytes < whole; bytes++) {
        uint8_t *exact = malloc(HEAD_BYTES + bytes); /* so that a sanitizer sees the first byte too many */
        assert_non_null(exact);
        struct frame_head head = b.head;
        head.table_bytes = bytes;
        head.table_sum = key_sum(&b.key, b.table, bytes);
        memcpy(exact + HEAD_BYTES, b.table, bytes);
        assert_int_equal(frame_judge_table(exact, &head, &b.key), FRAME_SENSELESS);
        free(exact);
    }
}

/* Random operations against a list of what was put. */
static void random_tables_come_back_as_they_were(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    static uint8_t payload[512];
    seeded_fill(&seeded, payload, sizeof payload);
    for (uint32_t round = 0; round < 300; round++) {
        struct op put[40];
        const uint32_t count = seeded_below(&seeded, 40);
        builder_begin(&b);
        for (uint32_t i = 0; i < count; i++) {
            const bool entries = seeded_below(&seeded, 2) == 0;
            const enum op_code code = i % 2 ? OP_ENTRIES : OP_REPLACE;
            put[i] = (struct op){.code = entries ? code : OP_COMPACT, .log = seeded_u64(&seeded)};
            put[i].entries.first = seeded_u64(&seeded) >> 1 | 1;
            put[i].entries.term = seeded_u64(&seeded);
            if (entries) put[i].count = 1 + seeded_below(&seeded, 3);
            builder_op(&b, &put[i]);
            for (uint32_t k = 0; k < put[i].count; k++)
                builder_entry(&b, &put[i], put[i].entries.first + k, payload, seeded_below(&seeded, sizeof payload));
        }
        if (b.payload_end + b.table_bytes > BUILDER_FRAME) continue;
        assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
        uint32_t cursor = 0;
        struct op op;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(table_next(b.frame, &b.head, &cursor, &op));
            assert_int_equal(op.code, put[i].code);
            assert_int_equal(op.log, put[i].log);
            assert_int_equal(op.count, put[i].count);
            assert_int_equal(op.entries.first, put[i].entries.first); /* or compact.upto */
            assert_int_equal(op.entries.term, put[i].entries.term);
        }
        assert_false(table_next(b.frame, &b.head, &cursor, &op));
    }
}

static void a_frame_may_be_empty(void **state)
{
    (void)state;
    builder_begin(&b);
    assert_int_equal(judge_after_sealing(), FRAME_WHOLE);
    uint32_t cursor = 0;
    struct op op;
    assert_false(table_next(b.frame, &b.head, &cursor, &op));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_take_the_bytes_that_the_format_says),
        cmocka_unit_test(bytes_of_absurd_counts_do_not_wrap),
        cmocka_unit_test(each_operation_comes_back_as_it_was),
        cmocka_unit_test(padding_is_written_as_zeros),
        cmocka_unit_test(a_count_can_grow_after_it_was_written),
        cmocka_unit_test(a_checkpoint_comes_back_as_it_was),
        cmocka_unit_test(a_checkpoint_stands_first_or_nowhere),
        cmocka_unit_test(records_ascend_strictly),
        cmocka_unit_test(records_that_leave_the_table_make_no_sense),
        cmocka_unit_test(each_flip_in_the_table_tears_it),
        cmocka_unit_test(each_flip_in_a_payload_names_its_entry),
        cmocka_unit_test(what_lies_behind_the_table_is_not_looked_at),
        cmocka_unit_test(an_entry_is_bound_to_who_it_is),
        cmocka_unit_test(slots_that_do_not_lie_one_behind_another_make_no_sense),
        cmocka_unit_test(counts_of_the_head_must_be_the_tables),
        cmocka_unit_test(entries_have_indexes_from_one_that_do_not_wrap),
        cmocka_unit_test(fields_without_a_meaning_must_be_zero),
        cmocka_unit_test(a_meta_beyond_its_limit_makes_no_sense),
        cmocka_unit_test(a_later_versions_operation_or_flag_is_unknown),
        cmocka_unit_test(a_table_cut_anywhere_is_never_over_read),
        cmocka_unit_test(random_tables_come_back_as_they_were),
        cmocka_unit_test(a_frame_may_be_empty),
    };
    return cmocka_run_group_tests_name("descriptor", tests, NULL, NULL);
}
