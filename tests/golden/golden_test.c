/* golden_test.c: fixed values encode to exactly the bytes in tests/golden/, and these decode to exactly the values.
 *
 * The files are for people too: an offset, sixteen bytes, their letters; lines of zeros are left out, the last line is
 * the length. A change here is a change of the format: docs/format.md first, then TEAK_GOLDEN_WRITE=1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/format/frame_builder.h"
#include "format/segment_id.h"
#include "format/segment_index.h"
#include "format/snapshot_file.h"
#include "format/stats_record.h"
#include "format/superblock.h"

#include "hex_file.h"

enum { GOLDEN_MAX = 16384 };

static uint8_t golden[GOLDEN_MAX]; /* what the file of the running test holds */

/* The bytes are the file's; afterwards `golden` holds them, for decoding. */
static void assert_golden(const char *name, const uint8_t *bytes, size_t count)
{
    if (getenv("TEAK_GOLDEN_WRITE")) hex_write(name, bytes, count);
    assert_int_equal(hex_read(name, golden, GOLDEN_MAX), count);
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != golden[i]) fail_msg("%s.hex differs first at offset 0x%zx", name, i);
}

/* ---- values ---- */

static const uint8_t instance[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                     0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

static void store_is_these_bytes(void **state)
{
    (void)state;
    struct superblock store = {.block_bytes = 4096, .segment_bytes = 64 << 20, .arena_bytes = 16 << 20,
                               .linger_ns = 50000, .strategy = 1, .in_flight = 32, .group_bytes = 1 << 20, .spares = 2};
    memcpy(store.family, builder_family, 16);
    memcpy(store.instance, instance, 16);
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&store, bytes);
    assert_golden("store", bytes, sizeof bytes);
    struct superblock out;
    assert_int_equal(superblock_judge(golden, sizeof bytes, 1, &out), TEAK_OK);
    assert_int_equal(out.block_bytes, 4096);
    assert_int_equal(out.segment_bytes, 64 << 20);
    assert_memory_equal(out.family, builder_family, 16);
    assert_memory_equal(out.instance, instance, 16);
    assert_int_equal(out.arena_bytes, 16 << 20);
    assert_int_equal(out.linger_ns, 50000);
    assert_int_equal(out.strategy, 1);
    assert_int_equal(out.in_flight, 32);
    assert_int_equal(out.group_bytes, 1 << 20);
    assert_int_equal(out.spares, 2);
}

static void identity_is_these_bytes(void **state)
{
    (void)state;
    struct segment_id id = {.segment = 7, .salt = UINT64_C(0x5a175a175a175a17), .block_bytes = 4096,
                            .segment_bytes = 65536};
    memcpy(id.family, builder_family, 16);
    uint8_t bytes[4096];
    segment_id_encode(&id, bytes);
    assert_golden("identity", bytes, sizeof bytes);
    struct segment_id out;
    assert_int_equal(segment_id_judge(golden, builder_family, &out), TEAK_OK);
    assert_int_equal(out.segment, 7);
    assert_int_equal(out.salt, UINT64_C(0x5a175a175a175a17));
    assert_int_equal(out.block_bytes, 4096);
    assert_int_equal(out.segment_bytes, 65536);
    assert_memory_equal(out.family, builder_family, 16);
}

/* ---- frames ---- */

static struct frame_builder b;

static struct op next_op(const struct frame_head *head, uint32_t *cursor, enum op_code code)
{
    struct op op;
    assert_true(table_next(golden, head, cursor, &op));
    assert_int_equal(op.code, code);
    return op;
}

static struct frame_head judge_golden_frame(void)
{
    const struct frame_place place = builder_place(&b);
    struct frame_head head;
    struct op bad_op;
    uint64_t bad_index;
    assert_true(frame_head_judge(golden, &b.key, &place, &head));
    assert_memory_equal(&head, &b.head, sizeof head);
    assert_int_equal(frame_judge(golden, &head, &b.key, &bad_op, &bad_index), FRAME_WHOLE);
    return head;
}

/* Every operation but CHECKPOINT, in the order of their codes. */
static void a_frame_of_every_operation_is_these_bytes(void **state)
{
    (void)state;
    static const uint8_t word[] = {'m', 'e', 't', 'a', '!'};
    const struct op entries = {.code = OP_ENTRIES, .kind = 3, .count = 2, .log = 17,
                               .entries = {.first = 100, .term = 5}};
    const struct op replace = {.code = OP_REPLACE, .kind = 7, .count = 1, .log = 19,
                               .entries = {.first = 40, .term = 2}};
    builder_begin(&b);
    builder_op(&b, &(struct op){.code = OP_CREATE, .log = 17});
    builder_op(&b, &entries);
    builder_entry(&b, &entries, 100, "a whole oak", 11);
    builder_entry(&b, &entries, 101, "teak", 4);
    builder_op(&b, &(struct op){.code = OP_HARD_STATE, .log = 17, .hard = {.term = 5, .vote = 2, .commit = 99}});
    builder_op(&b, &(struct op){.code = OP_TRUNCATE, .log = 17, .from = 101});
    builder_op(&b, &(struct op){.code = OP_SNAPSHOT, .log = 17, .snapshot = {90, 4, 1, 4096, 0xabcdef}});
    builder_op(&b, &(struct op){.code = OP_COMPACT, .log = 17, .compact = {.upto = 80, .term = 3}});
    builder_op(&b, &(struct op){.code = OP_META, .log = 17, .count = sizeof word, .meta = word});
    builder_op(&b, &(struct op){.code = OP_DROP, .log = 18});
    builder_op(&b, &(struct op){.code = OP_FORGET, .oldest = 6});
    builder_op(&b, &(struct op){.code = OP_MARK, .kind = MARK_CLEAN});
    builder_op(&b, &replace);
    builder_entry(&b, &replace, 40, "moved", 5);
    builder_end(&b);
    assert_golden("frame", b.frame, b.head.bytes);

    const struct frame_head head = judge_golden_frame();
    uint32_t cursor = 0;
    assert_int_equal(next_op(&head, &cursor, OP_CREATE).log, 17);
    struct op op = next_op(&head, &cursor, OP_ENTRIES);
    assert_int_equal(op.kind, 3);
    assert_int_equal(op.count, 2);
    assert_int_equal(op.entries.first, 100);
    assert_int_equal(op.entries.term, 5);
    assert_memory_equal(golden + le32_get(op.entries.slots[1].offset) - head.offset, "teak", 4);
    op = next_op(&head, &cursor, OP_HARD_STATE);
    assert_int_equal(op.hard.term, 5);
    assert_int_equal(op.hard.vote, 2);
    assert_int_equal(op.hard.commit, 99);
    assert_int_equal(next_op(&head, &cursor, OP_TRUNCATE).from, 101);
    op = next_op(&head, &cursor, OP_SNAPSHOT);
    assert_int_equal(op.snapshot.index, 90);
    assert_int_equal(op.snapshot.term, 4);
    assert_int_equal(op.snapshot.file_id, 1);
    assert_int_equal(op.snapshot.file_bytes, 4096);
    assert_int_equal(op.snapshot.file_sum, 0xabcdef);
    op = next_op(&head, &cursor, OP_COMPACT);
    assert_int_equal(op.compact.upto, 80);
    assert_int_equal(op.compact.term, 3);
    assert_memory_equal(next_op(&head, &cursor, OP_META).meta, word, sizeof word);
    assert_int_equal(next_op(&head, &cursor, OP_DROP).log, 18);
    assert_int_equal(next_op(&head, &cursor, OP_FORGET).oldest, 6);
    assert_int_equal(next_op(&head, &cursor, OP_MARK).kind, MARK_CLEAN);
    op = next_op(&head, &cursor, OP_REPLACE);
    assert_int_equal(op.kind, 7);
    assert_int_equal(op.count, 1);
    assert_int_equal(op.log, 19);
    assert_int_equal(op.entries.first, 40);
    assert_int_equal(op.entries.term, 2);
    assert_memory_equal(golden + le32_get(op.entries.slots[0].offset) - head.offset, "moved", 5);
    assert_false(table_next(golden, &head, &cursor, &op));
}

static void a_checkpoint_frame_is_these_bytes(void **state)
{
    (void)state;
    const struct op checkpoint = {.code = OP_CHECKPOINT, .count = 2, .checkpoint = {
        .oldest = 4, .segment = 6, .salt = 0x6666, .last_lsn = 41, .end_offset = 61440,
        .chain = UINT64_C(0xc4a1c4a1c4a1c4a1)}};
    const struct log_record records[] = {
        {.log = 17, .life = 3, .term = 5, .vote = 2, .commit = 99, .base_index = 80, .base_term = 3, .last_index = 101,
         .last_term = 5, .snapshot_index = 90, .snapshot_term = 4, .file_id = 1, .file_bytes = 4096,
         .file_sum = 0xabcdef, .changed_lsn = 39,
         .marks = LOG_TAIL_LOST | LOG_HARD_STATE_SUSPECT, .meta_bytes = 5, .meta = (const uint8_t *)"meta!"},
        {.log = 18, .life = 40, .changed_lsn = 40, .marks = LOG_FRESH},
    };
    builder_begin(&b);
    builder_op(&b, &checkpoint);
    builder_record(&b, &records[0]);
    builder_record(&b, &records[1]);
    builder_end(&b);
    assert_golden("checkpoint", b.frame, b.head.bytes);

    const struct frame_head head = judge_golden_frame();
    uint32_t cursor = 0;
    const struct op op = next_op(&head, &cursor, OP_CHECKPOINT);
    assert_int_equal(op.checkpoint.oldest, 4);
    assert_int_equal(op.checkpoint.segment, 6);
    assert_int_equal(op.checkpoint.salt, 0x6666);
    assert_int_equal(op.checkpoint.last_lsn, 41);
    assert_int_equal(op.checkpoint.end_offset, 61440);
    assert_int_equal(op.checkpoint.chain, UINT64_C(0xc4a1c4a1c4a1c4a1));
    const uint8_t *at = op.checkpoint.records;
    for (uint32_t i = 0; i < 2; i++) {
        struct log_record record;
        at += log_record_get(at, &record);
        if (record.meta_bytes > 0) assert_memory_equal(record.meta, records[i].meta, record.meta_bytes);
        record.meta = records[i].meta;
        assert_memory_equal(&record, &records[i], sizeof record);
    }
}

/* ---- sealed segment: slots, summary, footer, as they lie behind the frames ---- */

enum { INDEX_FRAMES_END = 8192, INDEX_BYTES = 3 * BUILDER_BLOCK };

/* One piece: fewer than SLOT_PIECE. */
static uint64_t slots_sum(const void *slots, size_t bytes)
{
    const le64 piece = le64_of(key_sum(&b.key, slots, bytes));
    return key_sum(&b.key, &piece, sizeof piece);
}

static void index_build(uint8_t bytes[INDEX_BYTES], struct footer *footer)
{
    const struct layout_slot slots[4] = {
        {le32_of(4256), le32_of(20), le64_of(0x4444)},
        {le32_of(4224), le32_of(11), le64_of(0x1111)},
        {le32_of(4240), le32_of(4), le64_of(0x2222)},
        {le32_of(4248), le32_of(0), le64_of(0x3333)},
    };
    const struct layout_extent extents[3] = {
        {.first = le64_of(40), .term = le64_of(2), .count = le32_of(1), .slot = le32_of(0), .kind = 7,
         .flags = EXTENT_REPLACES},
        {.first = le64_of(100), .term = le64_of(5), .count = le32_of(2), .slot = le32_of(1), .kind = 3},
        {.first = le64_of(102), .term = le64_of(6), .count = le32_of(1), .slot = le32_of(3), .kind = 0},
    };
    memset(bytes, 0, INDEX_BYTES);
    memcpy(bytes, slots, sizeof slots);
    uint8_t *summary = bytes + BUILDER_BLOCK;
    uint32_t summary_bytes = touched_put(&(struct touched){.log = 17, .removed_from = 99, .bytes = 176,
                                                           .extent_count = 3, .extents = extents}, summary);
    summary_bytes += touched_put(&(struct touched){.log = 18, .removed_from = 0, .flags = TOUCHED_DROPPED},
                                 summary + summary_bytes);
    *footer = (struct footer){
        .salt = b.key.salt, .segment = 7, .first_lsn = 42, .last_lsn = 42, .chain = UINT64_C(0xc4a1c4a1c4a1c4a1),
        .slots_sum = slots_sum(slots, sizeof slots), .summary_sum = key_sum(&b.key, summary, summary_bytes),
        .file_bytes = INDEX_FRAMES_END + INDEX_BYTES, .frames_end = INDEX_FRAMES_END, .slots_offset = INDEX_FRAMES_END,
        .slot_count = 4, .summary_offset = INDEX_FRAMES_END + BUILDER_BLOCK, .summary_bytes = summary_bytes,
        .log_count = 2};
    footer_encode(footer, &b.key, bytes + INDEX_BYTES - BUILDER_BLOCK);
}

static void a_segments_index_is_these_bytes(void **state)
{
    (void)state;
    static uint8_t bytes[INDEX_BYTES];
    struct footer footer;
    builder_begin(&b);
    index_build(bytes, &footer);
    assert_golden("index", bytes, sizeof bytes);

    struct footer out;
    assert_true(footer_judge(golden + INDEX_BYTES - BUILDER_BLOCK, &b.key, 7, INDEX_FRAMES_END + INDEX_BYTES,
                             BUILDER_BLOCK, &out));
    assert_memory_equal(&out, &footer, sizeof out);
    assert_int_equal(slots_sum(golden, out.slot_count * sizeof(struct layout_slot)), out.slots_sum);
    const uint8_t *summary = golden + out.summary_offset - out.slots_offset;
    assert_true(summary_judge(summary, &out, &b.key));
    struct touched touched;
    const uint32_t second = touched_get(summary, 0, &touched);
    assert_int_equal(touched.log, 17);
    assert_int_equal(touched.removed_from, 99);
    assert_int_equal(touched.bytes, 176); /* 24 + 16 + 8 + 0, and 32 for each */
    assert_int_equal(touched.flags, 0);
    assert_int_equal(touched.extents[0].flags, EXTENT_REPLACES);
    assert_null(extent_find(touched.extents, touched.extent_count, 41));
    const struct layout_extent *extent = extent_find(touched.extents, touched.extent_count, 102);
    assert_non_null(extent);
    assert_int_equal(le64_get(extent->term), 6);
    const struct layout_slot *slot = (const struct layout_slot *)golden + le32_get(extent->slot);
    assert_int_equal(le32_get(slot->offset), 4248);
    assert_int_equal(touched_get(summary, second, &touched), out.summary_bytes);
    assert_int_equal(touched.log, 18);
    assert_int_equal(touched.flags, TOUCHED_DROPPED);
}

static void snapshot_is_these_bytes(void **state)
{
    (void)state;
    struct snapshot_head head = {.file_id = UINT64_C(0xf11ef11ef11ef11e), .log = 7, .life = 3, .index = 100, .term = 2,
                                 .stream = 42, .body_bytes = SNAPSHOT_BODY_UNKNOWN, .meta_bytes = 4,
                                 .block_bytes = 4096};
    memcpy(head.family, builder_family, 16);
    struct key key, judged;
    key_derive(&key, builder_family, head.file_id);
    head.meta_sum = snapshot_meta_sum(&key, &head, "meta");
    uint8_t bytes[3 * 4096] = {0};
    uint64_t sum, chain = snapshot_head_encode(&head, &key, bytes);
    memcpy(bytes + HEAD_BYTES, "meta", 4);
    memcpy(bytes + 4096 + SNAPSHOT_CHUNK_HEAD, "the body", 8);
    chain = snapshot_chain(&key, chain, snapshot_chunk_seal(&key, &head, 0, 8, bytes + 4096));
    const struct snapshot_foot foot = {.file_id = head.file_id, .file_bytes = sizeof bytes, .body_bytes = 8,
                                       .chunk_count = 1, .chain = chain};
    snapshot_foot_encode(&foot, &key, bytes + snapshot_foot_offset(&head, 8));
    assert_golden("snapshot", bytes, sizeof bytes);
    struct snapshot_head out;
    struct snapshot_foot foot_out;
    assert_int_equal(snapshot_head_judge(golden, builder_family, &judged, &out, &sum), TEAK_OK);
    assert_memory_equal(&out, &head, sizeof head);
    assert_int_equal(snapshot_meta_sum(&judged, &out, golden + HEAD_BYTES), out.meta_sum);
    assert_true(snapshot_chunk_judge(&judged, &out, 0, 8, golden + 4096, &sum));
    assert_int_equal(snapshot_foot_judge(golden + 8192, &judged, &out, sizeof bytes, &foot_out, &sum), TEAK_OK);
    assert_memory_equal(&foot_out, &foot, sizeof foot);
}

static void stats_are_these_bytes(void **state)
{
    (void)state;
    static struct teak_published stats, out;
    static uint8_t bytes[STATS_RECORD_MAX];
    stats.closed = true;
    memcpy(stats.instance, instance, 16);
    stats.pid = 4711;
    stats.sequence = 12;
    stats.uptime_ns = 5000000000;
    stats.counter_count = 2;
    strcpy(stats.counters[0].name, "batches");
    stats.counters[0].value = 1000000;
    strcpy(stats.counters[1].name, "segments");
    stats.counters[1].kind = TEAK_GAUGE;
    stats.counters[1].value = 7;
    stats.label_count = 1;
    strcpy(stats.labels[0].name, "backend");
    strcpy(stats.labels[0].text, "uring");
    stats.histogram_count = 1;
    strcpy(stats.histograms[0].name, "frame_latency");
    stats.histograms[0].histogram = (struct teak_histogram){.count = 5, .sum = 600, .max = 300};
    stats.histograms[0].histogram.buckets[5] = 2;
    stats.histograms[0].histogram.buckets[40] = 3;
    const uint32_t count = stats_record_encode(&stats, bytes);
    assert_golden("stats", bytes, count);
    assert_int_equal(stats_record_judge(golden, count, &out), TEAK_OK);
    assert_true(out.closed && out.pid == 4711 && out.sequence == 12 && out.uptime_ns == 5000000000);
    assert_memory_equal(out.instance, instance, 16);
    assert_true(out.counter_count == 2 && out.label_count == 1 && out.histogram_count == 1);
    assert_memory_equal(out.counters, stats.counters, sizeof out.counters);
    assert_memory_equal(out.labels, stats.labels, sizeof out.labels);
    assert_memory_equal(out.histograms, stats.histograms, sizeof out.histograms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_is_these_bytes),
        cmocka_unit_test(identity_is_these_bytes),
        cmocka_unit_test(a_frame_of_every_operation_is_these_bytes),
        cmocka_unit_test(a_checkpoint_frame_is_these_bytes),
        cmocka_unit_test(a_segments_index_is_these_bytes),
        cmocka_unit_test(snapshot_is_these_bytes),
        cmocka_unit_test(stats_are_these_bytes),
    };
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
