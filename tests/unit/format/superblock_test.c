/* superblock_test.c: the STORE file as a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/key.h"
#include "format/layout.h"
#include "format/superblock.h"
#include "../seeded.h"

static const struct superblock sample = {
    .block_bytes = 4096,
    .segment_bytes = 64 << 20,
    .family = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .instance = {17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32},
    .arena_bytes = 16 << 20,
    .linger_ns = 50000,
    .strategy = 2,
    .in_flight = 32,
    .group_bytes = 1 << 20,
    .spares = 3,
};

static enum teak_status judge(const uint8_t *bytes, int writable)
{
    struct superblock out;
    return superblock_judge(bytes, SUPERBLOCK_BYTES, writable, &out);
}

/* What a later version, or malice, would write: any field, under a checksum that holds. */
static void reseal(uint8_t *bytes)
{
    const le64 sum = le64_of(plain_sum(bytes, offsetof(struct layout_store, checksum)));
    memcpy(bytes + offsetof(struct layout_store, checksum), &sum, sizeof sum);
}

static void a_store_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[SUPERBLOCK_BYTES];
    struct superblock out;
    memset(bytes, 0xee, sizeof bytes);
    superblock_encode(&sample, bytes);
    assert_int_equal(superblock_judge(bytes, sizeof bytes, 1, &out), TEAK_OK);
    assert_int_equal(out.block_bytes, sample.block_bytes);
    assert_int_equal(out.segment_bytes, sample.segment_bytes);
    assert_memory_equal(out.family, sample.family, sizeof sample.family);
    assert_memory_equal(out.instance, sample.instance, sizeof sample.instance);
    assert_int_equal(out.arena_bytes, sample.arena_bytes);
    assert_int_equal(out.linger_ns, sample.linger_ns);
    assert_int_equal(out.strategy, sample.strategy);
    assert_int_equal(out.in_flight, sample.in_flight);
    assert_int_equal(out.group_bytes, sample.group_bytes);
    assert_int_equal(out.spares, sample.spares);
    assert_true(bytes_are_zero(bytes + sizeof(struct layout_store), sizeof bytes - sizeof(struct layout_store)));
}

static void every_flip_in_the_head_is_rejected(void **state)
{
    (void)state;
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&sample, bytes);
    for (uint32_t bit = 0; bit < 8 * sizeof(struct layout_store); bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(judge(bytes, 0), bit < 64 ? TEAK_BAD_MAGIC : TEAK_HASH_MISMATCH);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void bytes_behind_the_head_mean_nothing(void **state)
{
    (void)state;
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&sample, bytes);
    memset(bytes + sizeof(struct layout_store), 0xff, sizeof bytes - sizeof(struct layout_store));
    assert_int_equal(judge(bytes, 1), TEAK_OK);
}

static void a_short_file_is_no_store(void **state)
{
    (void)state;
    uint8_t bytes[SUPERBLOCK_BYTES];
    struct superblock out;
    superblock_encode(&sample, bytes);
    for (uint64_t count = 0; count < SUPERBLOCK_BYTES; count++)
        assert_int_equal(superblock_judge(bytes, count, 0, &out), TEAK_DECODE);
}

static void another_version_is_named_as_such(void **state)
{
    (void)state;
    uint8_t bytes[SUPERBLOCK_BYTES];
    superblock_encode(&sample, bytes);
    bytes[offsetof(struct layout_store, version)] = FORMAT_VERSION + 1;
    reseal(bytes);
    assert_int_equal(judge(bytes, 0), TEAK_VERSION);
}

/* History 45. */
static void an_unknown_feature_does_what_its_word_says(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        enum teak_status reading, writing;
    } words[] = {
        {offsetof(struct layout_store, features_ignore), TEAK_OK, TEAK_OK},
        {offsetof(struct layout_store, features_read), TEAK_OK, TEAK_FEATURE},
        {offsetof(struct layout_store, features_refuse), TEAK_FEATURE, TEAK_FEATURE},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (uint32_t bit = 0; bit < 64; bit++) {
            uint8_t bytes[SUPERBLOCK_BYTES];
            superblock_encode(&sample, bytes);
            bytes[words[i].offset + bit / 8] = (uint8_t)(1 << bit % 8);
            reseal(bytes);
            assert_int_equal(judge(bytes, 0), words[i].reading);
            assert_int_equal(judge(bytes, 1), words[i].writing);
        }
    }
}

static void sizes_out_of_range_are_rejected(void **state)
{
    (void)state;
    static const struct {
        uint32_t block;
        uint64_t segment;
        enum teak_status status;
    } sizes[] = {
        {4096, 65536, TEAK_OK},        {65536, 1 << 30, TEAK_OK},
        {16384, 65536, TEAK_OK},       {32768, 65536, TEAK_DECODE}, /* two blocks: no room for a frame */
        {0, 65536, TEAK_DECODE},       {512, 65536, TEAK_DECODE},
        {4097, 65536, TEAK_DECODE},    {131072, 1 << 20, TEAK_DECODE},
        {4096, 0, TEAK_DECODE},        {4096, 61440, TEAK_DECODE},
        {4096, 65536 + 1, TEAK_DECODE}, {4096, UINT64_C(1) << 31, TEAK_DECODE},
        {4096, UINT64_MAX, TEAK_DECODE},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[SUPERBLOCK_BYTES];
        struct superblock changed = sample;
        changed.block_bytes = sizes[i].block;
        changed.segment_bytes = sizes[i].segment;
        superblock_encode(&changed, bytes);
        assert_int_equal(judge(bytes, 0), sizes[i].status);
    }
}

static void random_bytes_are_no_store(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t i = 0; i < 200; i++) {
        uint8_t bytes[SUPERBLOCK_BYTES];
        seeded_fill(&seeded, bytes, sizeof bytes);
        assert_int_equal(judge(bytes, 0), TEAK_BAD_MAGIC);
    }
}

static void other_defaults_leave_the_rest_as_it_is(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    uint8_t before[SUPERBLOCK_BYTES], after[SUPERBLOCK_BYTES];
    struct superblock changed = sample, out;
    superblock_encode(&sample, before);
    /* what a later version may have put there */
    seeded_fill(&seeded, before + offsetof(struct layout_store, features_ignore), 8);
    seeded_fill(&seeded, before + offsetof(struct layout_store, zero), sizeof(((struct layout_store *)0)->zero));
    seeded_fill(&seeded, before + sizeof(struct layout_store), sizeof before - sizeof(struct layout_store));
    reseal(before);
    memcpy(after, before, sizeof before);
    superblock_put_defaults(&sample, after);
    assert_memory_equal(after, before, sizeof before);
    changed.arena_bytes = changed.linger_ns = 77;
    changed.strategy = changed.in_flight = changed.group_bytes = changed.spares = 0;
    superblock_put_defaults(&changed, after);
    assert_int_equal(superblock_judge(after, sizeof after, 1, &out), TEAK_OK);
    assert_int_equal(out.arena_bytes, 77);
    assert_int_equal(out.linger_ns, 77);
    assert_int_equal(out.strategy + out.in_flight + out.group_bytes + out.spares, 0);
    for (size_t i = 0; i < sizeof before; i++)
        if ((i < 80 || i >= 112) && (i < 248 || i >= 256)) assert_int_equal(after[i], before[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_comes_back_as_it_was),
        cmocka_unit_test(every_flip_in_the_head_is_rejected),
        cmocka_unit_test(bytes_behind_the_head_mean_nothing),
        cmocka_unit_test(a_short_file_is_no_store),
        cmocka_unit_test(another_version_is_named_as_such),
        cmocka_unit_test(an_unknown_feature_does_what_its_word_says),
        cmocka_unit_test(sizes_out_of_range_are_rejected),
        cmocka_unit_test(random_bytes_are_no_store),
        cmocka_unit_test(other_defaults_leave_the_rest_as_it_is),
    };
    return cmocka_run_group_tests_name("superblock", tests, NULL, NULL);
}
