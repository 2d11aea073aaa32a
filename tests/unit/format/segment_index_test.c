/* segment_index_test.c: the footer, the summary, and finding an index in extents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "format/segment_index.h"
#include "../seeded.h"

enum { BLOCK = 4096, FILE_BYTES = 65536 };

static struct key key;
static const uint8_t family[16] = {9, 8, 7};

static const struct footer sample = {
    .salt = 99, .segment = 7, .first_lsn = 10, .last_lsn = 20, .chain = 1, .slots_sum = 2, .summary_sum = 3,
    .file_bytes = FILE_BYTES, .frames_end = 6 * BLOCK, .slots_offset = 6 * BLOCK, .slot_count = 300,
    .summary_offset = 8 * BLOCK, .summary_bytes = 640, .log_count = 4,
};

static int derive(void **state)
{
    (void)state;
    key_derive(&key, family, 99);
    return 0;
}

/* ---- footer ---- */

static bool footer_passes(const uint8_t *bytes)
{
    struct footer out;
    return footer_judge(bytes, &key, 7, FILE_BYTES, BLOCK, &out);
}

static bool sealed_passes(const struct footer *footer)
{
    uint8_t bytes[HEAD_BYTES];
    footer_encode(footer, &key, bytes);
    return footer_passes(bytes);
}

static void a_footer_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[HEAD_BYTES];
    struct footer out;
    footer_encode(&sample, &key, bytes);
    assert_true(footer_judge(bytes, &key, 7, FILE_BYTES, BLOCK, &out));
    assert_memory_equal(&out, &sample, sizeof sample);
}

static void every_flip_in_a_footer_is_rejected(void **state)
{
    (void)state;
    uint8_t bytes[HEAD_BYTES];
    footer_encode(&sample, &key, bytes);
    for (uint32_t bit = 0; bit < 8 * HEAD_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(footer_passes(bytes));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(footer_passes(bytes));
}

static void a_footer_of_elsewhere_is_rejected(void **state)
{
    (void)state;
    uint8_t bytes[HEAD_BYTES];
    struct footer out;
    struct key other;
    footer_encode(&sample, &key, bytes);
    assert_false(footer_judge(bytes, &key, 8, FILE_BYTES, BLOCK, &out));
    assert_false(footer_judge(bytes, &key, 7, FILE_BYTES + BLOCK, BLOCK, &out)); /* the file was cut or has grown */
    key_derive(&other, family, 100);
    assert_false(footer_judge(bytes, &other, 7, FILE_BYTES, BLOCK, &out));
}

static void ranges_out_of_order_or_of_the_file_are_rejected(void **state)
{
    (void)state;
    const struct footer rows[] = {
        {.frames_end = 0, .summary_offset = 8 * BLOCK},
        {.frames_end = 6 * BLOCK + 8, .summary_offset = 8 * BLOCK},
        {.frames_end = FILE_BYTES, .summary_offset = FILE_BYTES},
        {.frames_end = UINT32_MAX - BLOCK + 1, .summary_offset = UINT32_MAX - BLOCK + 1},
        {.frames_end = 6 * BLOCK, .summary_offset = 5 * BLOCK},
        {.frames_end = 6 * BLOCK, .summary_offset = 8 * BLOCK + 16},
        {.frames_end = 6 * BLOCK, .slot_count = 513, .summary_offset = 8 * BLOCK},
        {.frames_end = 6 * BLOCK, .slot_count = UINT32_MAX, .summary_offset = 8 * BLOCK},
        {.frames_end = 6 * BLOCK, .slot_count = 1 << 28, .summary_offset = 8 * BLOCK},
        {.frames_end = 6 * BLOCK, .summary_offset = 8 * BLOCK, .summary_bytes = 7 * BLOCK + 1},
        {.frames_end = 6 * BLOCK, .summary_offset = 8 * BLOCK, .summary_bytes = UINT32_MAX},
        {.frames_end = 6 * BLOCK, .summary_offset = 8 * BLOCK, .summary_bytes = 64, .log_count = 3},
        {.frames_end = 6 * BLOCK, .summary_offset = 8 * BLOCK, .log_count = UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct footer footer = sample;
        footer.frames_end = footer.slots_offset = rows[i].frames_end;
        footer.slot_count = rows[i].slot_count;
        footer.summary_offset = rows[i].summary_offset;
        footer.summary_bytes = rows[i].summary_bytes;
        footer.log_count = rows[i].log_count;
        assert_false(sealed_passes(&footer));
    }
    struct footer footer = sample;
    footer.slots_offset += BLOCK;
    assert_false(sealed_passes(&footer));
}

static void ranges_at_their_limits_are_accepted(void **state)
{
    (void)state;
    struct footer footer = sample;
    footer.slot_count = 512;
    footer.summary_bytes = 7 * BLOCK;
    footer.log_count = 7 * BLOCK / 32;
    assert_true(sealed_passes(&footer));
    footer.slot_count = footer.summary_bytes = footer.log_count = 0;
    footer.summary_offset = footer.frames_end;
    assert_true(sealed_passes(&footer));
}

static void lsns_begin_at_one_and_ascend(void **state)
{
    (void)state;
    const uint64_t rows[][3] = {{1, 1, 1}, {1, UINT64_MAX, 1}, {0, 1, 0}, {0, 0, 0}, {21, 20, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct footer footer = sample;
        footer.first_lsn = rows[i][0];
        footer.last_lsn = rows[i][1];
        assert_int_equal(sealed_passes(&footer), rows[i][2]);
    }
}

static void a_file_size_that_is_no_block_is_rejected(void **state)
{
    (void)state;
    const uint64_t sizes[] = {0, 100, BLOCK - 1, FILE_BYTES - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[HEAD_BYTES];
        struct footer footer = sample;
        struct footer out;
        footer.file_bytes = sizes[i];
        footer_encode(&footer, &key, bytes);
        assert_false(footer_judge(bytes, &key, 7, sizes[i], BLOCK, &out));
    }
}

/* ---- summary ---- */

static uint8_t summary[4096];
static struct footer footer;

static struct layout_extent extent(uint64_t first, uint32_t count, uint64_t term, uint32_t slot)
{
    return (struct layout_extent){
        .first = le64_of(first), .term = le64_of(term), .count = le32_of(count), .slot = le32_of(slot)};
}

static void put(uint64_t log, const struct layout_extent *extents, uint32_t count)
{
    const struct touched touched = {.log = log, .removed_from = UINT64_MAX, .flags = TOUCHED_CREATED,
                                    .bytes = count * UINT64_C(1000), .extent_count = count, .extents = extents};
    footer.summary_bytes += touched_put(&touched, summary + footer.summary_bytes);
    footer.log_count++;
}

static bool summary_passes(void)
{
    footer.summary_sum = key_sum(&key, summary, footer.summary_bytes);
    return summary_judge(summary, &footer, &key);
}

static void begin(void)
{
    memset(summary, 0xee, sizeof summary);
    footer = (struct footer){.slot_count = 100, .file_bytes = 65536};
}

/* Log 3: 10..14 in term 1, 15..16 in term 2; log 5: nothing left; log 9: 1..100. */
static void build(void)
{
    const struct layout_extent three[] = {extent(10, 5, 1, 0), extent(15, 2, 2, 5)};
    const struct layout_extent nine[] = {extent(1, 100, 4, 0)};
    begin();
    put(3, three, 2);
    put(5, NULL, 0);
    put(9, nine, 1);
}

static void a_summary_comes_back_as_it_was(void **state)
{
    (void)state;
    build();
    assert_int_equal(footer.summary_bytes, touched_bytes(2) + touched_bytes(0) + touched_bytes(1));
    assert_true(summary_passes());
    static const uint64_t logs[] = {3, 5, 9};
    static const uint32_t counts[] = {2, 0, 1};
    uint32_t record = 0;
    for (uint32_t i = 0; i < footer.log_count; i++) {
        struct touched touched;
        record = touched_get(summary, record, &touched);
        assert_int_equal(touched.log, logs[i]);
        assert_int_equal(touched.removed_from, UINT64_MAX);
        assert_int_equal(touched.flags, TOUCHED_CREATED);
        assert_int_equal(touched.extent_count, counts[i]);
        assert_int_equal(touched.bytes, 1000 * counts[i]);
        if (i == 0) assert_int_equal(le64_get(touched.extents[1].first), 15);
    }
    assert_int_equal(record, footer.summary_bytes);
}

static void an_empty_summary_is_one(void **state)
{
    (void)state;
    begin();
    assert_true(summary_passes());
}

static void every_flip_in_a_summary_is_rejected(void **state)
{
    (void)state;
    build();
    assert_true(summary_passes());
    for (uint32_t bit = 0; bit < 8 * footer.summary_bytes; bit++) {
        summary[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(summary_judge(summary, &footer, &key));
        summary[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void logs_ascend_strictly(void **state)
{
    (void)state;
    begin();
    put(3, NULL, 0);
    put(3, NULL, 0);
    assert_false(summary_passes());
    begin();
    put(3, NULL, 0);
    put(2, NULL, 0);
    assert_false(summary_passes());
    begin();
    put(0, NULL, 0);
    put(UINT64_MAX, NULL, 0);
    assert_true(summary_passes());
}

static void extents_that_do_not_follow_each_other_are_rejected(void **state)
{
    (void)state;
    const struct layout_extent rows[][2] = {
        {extent(10, 5, 1, 0), extent(16, 2, 2, 5)},            /* a gap            */
        {extent(10, 5, 1, 0), extent(14, 2, 2, 5)},            /* an overlap       */
        {extent(10, 5, 2, 0), extent(15, 2, 1, 5)},            /* a term backwards */
        {extent(10, 0, 1, 0), extent(10, 2, 2, 5)},            /* nothing in it    */
        {extent(0, 5, 1, 0), extent(5, 2, 2, 5)},              /* indexes from 1   */
        {extent(UINT64_MAX - 3, 5, 1, 0), extent(1, 2, 2, 5)}, /* wraps            */
        {extent(10, 5, 1, 96), extent(15, 2, 2, 5)},           /* slots beyond     */
        {extent(10, 5, 1, UINT32_MAX), extent(15, 2, 2, 5)},
        {extent(10, UINT32_MAX, 1, 0), extent(10 + (uint64_t)UINT32_MAX, 2, 2, 5)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        put(1, rows[i], 2);
        assert_false(summary_passes());
    }
}

static struct layout_extent replacing(struct layout_extent extent)
{
    extent.flags = EXTENT_REPLACES;
    return extent;
}

static void extents_that_replace_stand_first_and_may_leave_gaps(void **state)
{
    (void)state;
    const struct { struct layout_extent extents[3]; bool passes; } rows[] = {
        {{replacing(extent(10, 5, 1, 0)), replacing(extent(20, 2, 2, 5)), extent(30, 3, 2, 7)}, true},
        {{replacing(extent(10, 5, 1, 0)), replacing(extent(15, 2, 1, 5)), extent(17, 3, 2, 7)}, true},
        {{replacing(extent(10, 5, 1, 0)), replacing(extent(14, 2, 2, 5)), extent(30, 3, 2, 7)}, false}, /* overlap */
        {{replacing(extent(20, 5, 1, 0)), replacing(extent(10, 2, 1, 5)), extent(30, 3, 2, 7)}, false}, /* order   */
        {{replacing(extent(10, 5, 3, 0)), replacing(extent(20, 2, 2, 5)), extent(30, 3, 3, 7)}, false}, /* terms   */
        {{replacing(extent(10, 5, 1, 0)), extent(20, 2, 2, 5), replacing(extent(22, 3, 2, 7))}, false}, /* above   */
        {{replacing(extent(10, 5, 1, 0)), extent(20, 2, 2, 5), extent(23, 3, 2, 7)}, false},            /* gap     */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        put(1, rows[i].extents, 3);
        assert_int_equal(summary_passes(), rows[i].passes);
        for (uint64_t index = 9; rows[i].passes && index < 35; index++) {
            const struct layout_extent *is = extent_find(rows[i].extents, 3, index), *found = NULL;
            for (uint32_t e = 0; e < 3; e++) {
                const uint64_t first = le64_get(rows[i].extents[e].first);
                if (index >= first && index - first < le32_get(rows[i].extents[e].count)) found = &rows[i].extents[e];
            }
            assert_ptr_equal(is, found);
        }
    }
}

static void what_the_entries_cost_is_bounded(void **state)
{
    (void)state;
    const struct { uint32_t count; uint64_t bytes; bool passes; } rows[] = {
        {2, 0, true}, {2, 65536, true}, {2, 65537, false}, {2, UINT64_MAX, false}, {0, 0, true}, {0, 1, false}};
    const struct layout_extent extents[] = {extent(10, 5, 1, 0), extent(15, 2, 2, 5)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        begin();
        put(1, extents, rows[i].count);
        const le64 bytes = le64_of(rows[i].bytes);
        memcpy(summary + offsetof(struct layout_touched, bytes), &bytes, sizeof bytes);
        assert_int_equal(summary_passes(), rows[i].passes);
    }
}

static void reserved_bits_and_bytes_must_be_zero(void **state)
{
    (void)state;
    const size_t bytes[] = {offsetof(struct layout_touched, flags), offsetof(struct layout_touched, flags) + 3,
                            32 + offsetof(struct layout_extent, flags), 32 + offsetof(struct layout_extent, zero),
                            32 + offsetof(struct layout_extent, zero) + 5};
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        build();
        summary[bytes[i]] |= 0x80;
        assert_false(summary_passes());
    }
}

static void counts_that_leave_the_summary_are_rejected(void **state)
{
    (void)state;
    const uint32_t counts[] = {1, 3, 7, 1000, UINT32_C(1) << 27, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        build();
        const le32 count = le32_of(counts[i]);
        memcpy(summary + offsetof(struct layout_touched, extent_count), &count, sizeof count);
        assert_false(summary_passes());
    }
    build();
    footer.log_count = 2;
    assert_false(summary_passes());
    footer.log_count = 4;
    assert_false(summary_passes());
    footer.log_count = 3;
    footer.summary_bytes -= 8;
    assert_false(summary_passes());
}

/* ---- extents ---- */

static void finding_an_index_is_looking_at_each_extent(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t round = 0; round < 200; round++) {
        struct layout_extent extents[20];
        const uint32_t count = seeded_below(&seeded, 21);
        uint64_t next = 1 + seeded_below(&seeded, 50);
        for (uint32_t i = 0; i < count; i++) {
            extents[i] = extent(next, 1 + seeded_below(&seeded, 9), i, 0);
            next += le32_get(extents[i].count);
        }
        for (uint64_t index = 0; index < next + 10; index++) {
            const struct layout_extent *wanted = NULL;
            for (uint32_t i = 0; i < count; i++) {
                const uint64_t first = le64_get(extents[i].first);
                if (index >= first && index < first + le32_get(extents[i].count)) wanted = &extents[i];
            }
            assert_ptr_equal(extent_find(extents, count, index), wanted);
        }
        assert_null(extent_find(extents, count, UINT64_MAX));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_footer_comes_back_as_it_was),
        cmocka_unit_test(every_flip_in_a_footer_is_rejected),
        cmocka_unit_test(a_footer_of_elsewhere_is_rejected),
        cmocka_unit_test(ranges_out_of_order_or_of_the_file_are_rejected),
        cmocka_unit_test(ranges_at_their_limits_are_accepted),
        cmocka_unit_test(lsns_begin_at_one_and_ascend),
        cmocka_unit_test(a_file_size_that_is_no_block_is_rejected),
        cmocka_unit_test(a_summary_comes_back_as_it_was),
        cmocka_unit_test(an_empty_summary_is_one),
        cmocka_unit_test(every_flip_in_a_summary_is_rejected),
        cmocka_unit_test(logs_ascend_strictly),
        cmocka_unit_test(extents_that_do_not_follow_each_other_are_rejected),
        cmocka_unit_test(extents_that_replace_stand_first_and_may_leave_gaps),
        cmocka_unit_test(what_the_entries_cost_is_bounded),
        cmocka_unit_test(reserved_bits_and_bytes_must_be_zero),
        cmocka_unit_test(counts_that_leave_the_summary_are_rejected),
        cmocka_unit_test(finding_an_index_is_looking_at_each_extent),
    };
    return cmocka_run_group_tests_name("segment_index", tests, derive, NULL);
}
