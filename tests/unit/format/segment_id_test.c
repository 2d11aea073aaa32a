/* segment_id_test.c: identity blocks, and the names of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/key.h"
#include "format/layout.h"
#include "format/segment_id.h"
#include "../seeded.h"

static const struct segment_id sample = {
    .family = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .segment = 7,
    .salt = UINT64_C(0x1122334455667788),
    .block_bytes = 4096,
    .segment_bytes = 64 << 20,
};

static enum teak_status judge(const uint8_t *bytes)
{
    struct segment_id out;
    return segment_id_judge(bytes, sample.family, &out);
}

static void reseal(uint8_t *bytes)
{
    struct key key;
    key_derive(&key, sample.family, sample.salt);
    key_seal_head(&key, bytes);
}

static void an_identity_comes_back_as_it_was(void **state)
{
    (void)state;
    for (uint32_t block = BLOCK_BYTES_MIN; block <= BLOCK_BYTES_MAX; block *= 2) {
        static uint8_t bytes[BLOCK_BYTES_MAX];
        struct segment_id id = sample;
        struct segment_id out;
        id.block_bytes = block;
        memset(bytes, 0xee, sizeof bytes);
        segment_id_encode(&id, bytes);
        assert_int_equal(segment_id_judge(bytes, id.family, &out), TEAK_OK);
        assert_memory_equal(out.family, id.family, sizeof id.family);
        assert_int_equal(out.segment, id.segment);
        assert_int_equal(out.salt, id.salt);
        assert_int_equal(out.block_bytes, block);
        assert_int_equal(out.segment_bytes, id.segment_bytes);
        assert_true(bytes_are_zero(bytes + HEAD_BYTES, block - HEAD_BYTES));
        if (block < BLOCK_BYTES_MAX) assert_int_equal(bytes[block], 0xee);
    }
}

static void every_flip_in_the_head_is_rejected(void **state)
{
    (void)state;
    uint8_t bytes[BLOCK_BYTES_MIN];
    segment_id_encode(&sample, bytes);
    for (uint32_t bit = 0; bit < 8 * HEAD_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(judge(bytes), bit < 64 ? TEAK_BAD_MAGIC : TEAK_HASH_MISMATCH);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void another_familys_segment_is_a_mismatch(void **state)
{
    (void)state;
    uint8_t bytes[BLOCK_BYTES_MIN];
    struct segment_id other = sample;
    other.family[15] ^= 1;
    segment_id_encode(&other, bytes);
    assert_int_equal(judge(bytes), TEAK_HASH_MISMATCH);
    memcpy(bytes, "not a segment", 13);
    assert_int_equal(judge(bytes), TEAK_BAD_MAGIC);
}

static void a_family_that_contradicts_its_key_makes_no_sense(void **state)
{
    (void)state;
    uint8_t bytes[BLOCK_BYTES_MIN];
    segment_id_encode(&sample, bytes);
    bytes[offsetof(struct layout_identity, family)] ^= 1;
    reseal(bytes);
    assert_int_equal(judge(bytes), TEAK_DECODE);
}

/* History 45. */
static void version_and_features_are_judged_under_the_checksum(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        enum teak_status status;
    } fields[] = {
        {offsetof(struct layout_identity, version), TEAK_VERSION},
        {offsetof(struct layout_identity, features_ignore), TEAK_OK},
        {offsetof(struct layout_identity, features_read), TEAK_OK}, /* STORE holds the bit too and stops a writer */
        {offsetof(struct layout_identity, features_refuse), TEAK_FEATURE},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint8_t bytes[BLOCK_BYTES_MIN];
        segment_id_encode(&sample, bytes);
        bytes[fields[i].offset] = 9;
        reseal(bytes);
        assert_int_equal(judge(bytes), fields[i].status);
    }
}

static void sizes_out_of_range_are_rejected(void **state)
{
    (void)state;
    static const struct {
        uint32_t block;
        uint64_t segment;
    } sizes[] = {{0, 65536}, {512, 65536}, {12288, 1 << 20}, {4096, 4096}, {4096, 65537}, {4096, UINT64_MAX - 4095}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[BLOCK_BYTES_MIN];
        segment_id_encode(&sample, bytes);
        const le32 block = le32_of(sizes[i].block);
        const le64 segment = le64_of(sizes[i].segment);
        memcpy(bytes + offsetof(struct layout_identity, block_bytes), &block, sizeof block);
        memcpy(bytes + offsetof(struct layout_identity, segment_bytes), &segment, sizeof segment);
        reseal(bytes);
        assert_int_equal(judge(bytes), TEAK_DECODE);
    }
}

/* ---- names ---- */

static void names_are_spelled_as_the_format_says(void **state)
{
    (void)state;
    char name[NAME_BYTES];
    name_segment(7, name);
    assert_string_equal(name, "0000000000000007.seg");
    name_segment(UINT64_C(0xfedcba9876543210), name);
    assert_string_equal(name, "fedcba9876543210.seg");
    name_spare(3, name);
    assert_string_equal(name, "spare-0000000000000003.seg");
    name_spare_temporary(0xabc, name);
    assert_string_equal(name, "spare-0000000000000abc.tmp");
}

static void names_come_back_as_their_numbers(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t i = 0; i < 1000; i++) {
        const uint64_t number = i == 0 ? UINT64_MAX : seeded_u64(&seeded) >> seeded_below(&seeded, 64);
        char name[NAME_BYTES];
        uint64_t out;
        name_segment(number, name);
        assert_int_equal(name_judge(name, &out), NAME_SEGMENT);
        assert_int_equal(out, number);
        name_spare(number, name);
        assert_int_equal(name_judge(name, &out), NAME_SPARE);
        assert_int_equal(out, number);
        name_spare_temporary(number, name);
        assert_int_equal(name_judge(name, &out), NAME_TEMPORARY);
        assert_int_equal(out, number);
    }
}

static void fixed_names_are_known(void **state)
{
    (void)state;
    uint64_t number = 5;
    assert_int_equal(name_judge("STORE", &number), NAME_STORE);
    assert_int_equal(number, 0);
    assert_int_equal(name_judge("STORE.tmp", &number), NAME_STORE_TEMPORARY);
    assert_int_equal(name_judge("LOCK", &number), NAME_LOCK);
    assert_int_equal(name_judge("snapshots", &number), NAME_SNAPSHOTS);
    assert_int_equal(name_judge("replaced", &number), NAME_REPLACED);
}

static void anything_spelled_otherwise_is_not_ours(void **state)
{
    (void)state;
    static const char *const others[] = {
        "", ".", "..", "store", "STORE ", "STORE.TMP", "STATS.tmp", "LOCKS", "lost+found", "7.seg", "0000000000000007",
        "0000000000000007.SEG", "0000000000000007.seg ", "0000000000000007.tmp", "000000000000000A.seg",
        "00000000000000007.seg", " 000000000000007.seg", "+000000000000007.seg", "0x00000000000007.seg",
        "000000000000000g.seg", "spare-", "spare-.seg", "spare-3.seg", "spare-0000000000000003",
        "spare-0000000000000003.segx", "Spare-0000000000000003.seg", "spare-spare-0000000000000003.seg",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint64_t number = 5;
        assert_int_equal(name_judge(others[i], &number), NAME_OTHER);
        assert_int_equal(number, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_identity_comes_back_as_it_was),
        cmocka_unit_test(every_flip_in_the_head_is_rejected),
        cmocka_unit_test(another_familys_segment_is_a_mismatch),
        cmocka_unit_test(a_family_that_contradicts_its_key_makes_no_sense),
        cmocka_unit_test(version_and_features_are_judged_under_the_checksum),
        cmocka_unit_test(sizes_out_of_range_are_rejected),
        cmocka_unit_test(names_are_spelled_as_the_format_says),
        cmocka_unit_test(names_come_back_as_their_numbers),
        cmocka_unit_test(fixed_names_are_known),
        cmocka_unit_test(anything_spelled_otherwise_is_not_ours),
    };
    return cmocka_run_group_tests_name("segment_id", tests, NULL, NULL);
}
