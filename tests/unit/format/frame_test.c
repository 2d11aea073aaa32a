/* frame_test.c: a frame head is judged by its own 128 bytes, and only at the place that it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame_builder.h"
#include "../seeded.h"

static struct frame_builder b;

static struct frame_head sample(void)
{
    builder_begin(&b);
    struct frame_head head = b.head;
    head.bytes = 3 * BUILDER_BLOCK;
    head.table_offset = 1000;
    head.table_bytes = 96;
    head.table_sum = 0x1234;
    head.op_count = 2;
    head.entry_count = 3;
    return head;
}

static bool judge(const uint8_t *bytes)
{
    const struct frame_place place = builder_place(&b);
    struct frame_head out;
    return frame_head_judge(bytes, &b.key, &place, &out);
}

static void a_head_comes_back_as_it_was(void **state)
{
    (void)state;
    struct frame_head head = sample();
    const struct frame_place place = builder_place(&b);
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    head.checksum = frame_head_encode(&head, &b.key, bytes);
    assert_true(frame_head_judge(bytes, &b.key, &place, &out));
    assert_memory_equal(&out, &head, sizeof head);
}

static void the_checksum_is_the_last_eight_bytes(void **state)
{
    (void)state;
    const struct frame_head head = sample();
    uint8_t bytes[HEAD_BYTES];
    const uint64_t checksum = frame_head_encode(&head, &b.key, bytes);
    le64 last;
    memcpy(&last, bytes + HEAD_BYTES - 8, 8);
    assert_int_equal(le64_get(last), checksum);
    assert_int_equal(key_sum(&b.key, bytes, HEAD_BYTES - 8), checksum);
}

static void every_flip_is_rejected_with_and_without_the_key(void **state)
{
    (void)state;
    const struct frame_head head = sample();
    const struct frame_place place = builder_place(&b);
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    frame_head_encode(&head, &b.key, bytes);
    for (uint32_t bit = 0; bit < 8 * HEAD_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(judge(bytes));
        assert_false(frame_head_judge_unkeyed(bytes, builder_family, &place, &out));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_head_of_another_use_or_store_is_rejected(void **state)
{
    (void)state;
    const struct frame_head head = sample();
    const struct frame_place place = builder_place(&b);
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    frame_head_encode(&head, &b.key, bytes);
    struct key other;
    key_derive(&other, builder_family, b.key.salt + 1);
    assert_false(frame_head_judge(bytes, &other, &place, &out));
    uint8_t family[16] = {0};
    key_derive(&other, family, b.key.salt);
    assert_false(frame_head_judge(bytes, &other, &place, &out));
    assert_false(frame_head_judge_unkeyed(bytes, family, &place, &out));
}

/* History 7. */
static void a_head_elsewhere_than_it_says_is_rejected(void **state)
{
    (void)state;
    const struct frame_head head = sample();
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    frame_head_encode(&head, &b.key, bytes);
    struct frame_place place = builder_place(&b);
    place.offset += BUILDER_BLOCK; /* a copy inside a payload, or a misdirected write */
    assert_false(frame_head_judge(bytes, &b.key, &place, &out));
    place = builder_place(&b);
    place.offset += UINT64_C(1) << 32;
    place.segment_bytes = UINT64_MAX;
    assert_false(frame_head_judge(bytes, &b.key, &place, &out));
    place = builder_place(&b);
    place.segment++;
    assert_false(frame_head_judge(bytes, &b.key, &place, &out));
    place = builder_place(&b);
    place.segment_bytes = head.offset + head.bytes;
    assert_true(frame_head_judge(bytes, &b.key, &place, &out));
    place.segment_bytes--;
    assert_false(frame_head_judge(bytes, &b.key, &place, &out));
}

/* History 6. */
static void a_lost_identity_does_not_hide_a_head(void **state)
{
    (void)state;
    struct frame_head head = sample();
    const struct frame_place place = builder_place(&b);
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    head.checksum = frame_head_encode(&head, &b.key, bytes);
    assert_true(frame_head_judge_unkeyed(bytes, builder_family, &place, &out));
    assert_memory_equal(&out, &head, sizeof head);
}

/* History 7. Under a checksum that holds: what only a bug or malice writes. */
static void lengths_beyond_the_place_are_rejected(void **state)
{
    (void)state;
    static const struct {
        uint32_t bytes, table_offset, table_bytes;
        bool sound;
    } rows[] = {
        {4096, 128, 0, true},
        {4096, 128, 3968, true},
        {4096, 4096, 0, true},
        {BUILDER_SEGMENT - BUILDER_BLOCK, 128, 16, true},
        {BUILDER_SEGMENT, 128, 16, false},
        {0, 128, 16, false},
        {4095, 128, 16, false},
        {4104, 128, 16, false},
        {UINT32_MAX - 4095, 128, 16, false},
        {4096, 120, 16, false},
        {4096, 0, 16, false},
        {4096, 129, 16, false},
        {4096, 132, 16, false},
        {4096, 4104, 0, false},
        {4096, 128, 3969, false},
        {4096, 4088, 16, false},
        {4096, 128, UINT32_MAX, false},
        {4096, UINT32_MAX - 7, 16, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct frame_head head = sample();
        uint8_t bytes[HEAD_BYTES];
        head.bytes = rows[i].bytes;
        head.table_offset = rows[i].table_offset;
        head.table_bytes = rows[i].table_bytes;
        frame_head_encode(&head, &b.key, bytes);
        assert_int_equal(judge(bytes), rows[i].sound);
    }
}

static void a_frame_never_vouches_for_itself(void **state)
{
    (void)state;
    static const struct {
        uint64_t lsn, durable;
        bool sound;
    } rows[] = {{1, 0, true}, {9, 8, true}, {UINT64_MAX, 0, true}, {0, 0, false}, {9, 9, false}, {9, 10, false},
                {9, UINT64_MAX, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct frame_head head = sample();
        uint8_t bytes[HEAD_BYTES];
        head.lsn = rows[i].lsn;
        head.durable_lsn = rows[i].durable;
        frame_head_encode(&head, &b.key, bytes);
        assert_int_equal(judge(bytes), rows[i].sound);
    }
}

static void reserved_bytes_must_be_zero(void **state)
{
    (void)state;
    const struct frame_head head = sample();
    for (size_t at = offsetof(struct layout_frame, zero); at < offsetof(struct layout_frame, checksum); at++) {
        uint8_t bytes[HEAD_BYTES];
        frame_head_encode(&head, &b.key, bytes);
        bytes[at] = 1;
        key_seal_head(&b.key, bytes);
        assert_false(judge(bytes));
    }
}

static void an_offset_within_a_block_is_rejected(void **state)
{
    (void)state;
    struct frame_head head = sample();
    uint8_t bytes[HEAD_BYTES];
    struct frame_head out;
    head.offset += 512;
    frame_head_encode(&head, &b.key, bytes);
    struct frame_place place = builder_place(&b);
    place.offset += 512;
    assert_false(frame_head_judge(bytes, &b.key, &place, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_comes_back_as_it_was),
        cmocka_unit_test(the_checksum_is_the_last_eight_bytes),
        cmocka_unit_test(every_flip_is_rejected_with_and_without_the_key),
        cmocka_unit_test(a_head_of_another_use_or_store_is_rejected),
        cmocka_unit_test(a_head_elsewhere_than_it_says_is_rejected),
        cmocka_unit_test(a_lost_identity_does_not_hide_a_head),
        cmocka_unit_test(lengths_beyond_the_place_are_rejected),
        cmocka_unit_test(a_frame_never_vouches_for_itself),
        cmocka_unit_test(reserved_bytes_must_be_zero),
        cmocka_unit_test(an_offset_within_a_block_is_rejected),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
