/* snapshot_file_test.c: head, chunks, foot and names: what is written is read back, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/snapshot_file.h"

static const uint8_t family[16] = {0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct snapshot_head head_of(uint32_t meta_bytes)
{
    struct snapshot_head head = {.file_id = 0xf11e, .log = 7, .life = 3, .index = 100, .term = 2, .stream = 42,
                                 .body_bytes = SNAPSHOT_BODY_UNKNOWN, .meta_bytes = meta_bytes, .block_bytes = 4096};
    memcpy(head.family, family, sizeof family);
    return head;
}

static struct key key_of(const struct snapshot_head *head)
{
    struct key key;
    key_derive(&key, family, head->file_id);
    return key;
}

static void head_goes_and_comes_back(void **state)
{
    (void)state;
    struct snapshot_head head = head_of(5), out;
    struct key key = key_of(&head), judged;
    head.meta_sum = snapshot_meta_sum(&key, &head, "12345");
    uint8_t bytes[HEAD_BYTES];
    uint64_t chain;
    const uint64_t begin = snapshot_head_encode(&head, &key, bytes);
    assert_int_equal(snapshot_head_judge(bytes, family, &judged, &out, &chain), TEAK_OK);
    assert_memory_equal(&out, &head, sizeof head);
    assert_int_equal(chain, begin);
    assert_memory_equal(judged.secret, key.secret, sizeof key.secret);
    assert_int_not_equal(snapshot_meta_sum(&key, &head, "12346"), head.meta_sum);
}

static void every_bit_of_a_head_and_a_foot_counts(void **state)
{
    (void)state;
    const struct snapshot_head head = head_of(0);
    const struct key key = key_of(&head);
    const uint64_t size = snapshot_file_bytes(&head, 10);
    const struct snapshot_foot foot = {.file_id = head.file_id, .file_bytes = size, .body_bytes = 10, .chunk_count = 1};
    uint8_t first[HEAD_BYTES], last[HEAD_BYTES];
    snapshot_head_encode(&head, &key, first);
    snapshot_foot_encode(&foot, &key, last);
    struct key judged;
    struct snapshot_head out;
    struct snapshot_foot foot_out;
    uint64_t sum;
    for (uint32_t bit = 0; bit < 8 * HEAD_BYTES; bit++) {
        const uint8_t mask = (uint8_t)(1u << bit % 8);
        first[bit / 8] ^= mask;
        last[bit / 8] ^= mask;
        assert_int_not_equal(snapshot_head_judge(first, family, &judged, &out, &sum), TEAK_OK);
        assert_int_not_equal(snapshot_foot_judge(last, &key, &head, size, &foot_out, &sum), TEAK_OK);
        first[bit / 8] ^= mask;
        last[bit / 8] ^= mask;
    }
    const uint8_t other[16] = {1};
    assert_int_equal(snapshot_head_judge(first, other, &judged, &out, &sum), TEAK_HASH_MISMATCH);
    assert_int_equal(snapshot_foot_judge(last, &key, &head, size, &foot_out, &sum), TEAK_OK);
    assert_int_equal(snapshot_foot_judge(last, &key, &head, size + 4096, &foot_out, &sum), TEAK_DECODE);
    assert_int_equal(snapshot_foot_judge(last, &key, &head, size - 4096, &foot_out, &sum), TEAK_DECODE);
}

/* Under a good sum: what no writer writes. */
static void a_head_without_sense_is_refused(void **state)
{
    (void)state;
    for (int row = 0; row < 9; row++) {
        struct snapshot_head head = head_of(0), out;
        switch (row) {
        case 0: head.file_id = 0; break;
        case 1: head.index = 0; break;
        case 2: head.index = UINT64_MAX; break;
        case 3: head.meta_bytes = SNAPSHOT_META_MAX + 1; break;
        case 4: head.block_bytes = 0; break;
        case 5: head.block_bytes = 5000; break;
        case 6: head.block_bytes = 2 * BLOCK_BYTES_MAX; break;
        case 7: head.body_bytes = SNAPSHOT_BODY_MAX + 1; break;
        case 8: head.block_bytes = 2048; break;
        }
        const struct key key = key_of(&head);
        struct key judged;
        uint8_t bytes[HEAD_BYTES];
        uint64_t chain;
        snapshot_head_encode(&head, &key, bytes);
        assert_int_equal(snapshot_head_judge(bytes, family, &judged, &out, &chain), TEAK_DECODE);
    }
}

static void a_foot_without_sense_is_refused(void **state)
{
    (void)state;
    struct snapshot_head head = head_of(0);
    const struct key key = key_of(&head);
    for (int row = 0; row < 6; row++) {
        const uint64_t body = 3 * SNAPSHOT_CHUNK_BODY + 1, size = snapshot_file_bytes(&head, body);
        struct snapshot_foot foot = {.file_id = head.file_id, .file_bytes = size, .body_bytes = body, .chunk_count = 4};
        head.body_bytes = row == 5 ? body + 1 : SNAPSHOT_BODY_UNKNOWN;
        switch (row) {
        case 0: foot.file_id++; break;
        case 1: foot.file_bytes -= 4096; break;
        case 2: foot.body_bytes = SNAPSHOT_BODY_MAX + 1; break;
        case 3: foot.chunk_count = 3; break;
        case 4: foot.body_bytes += SNAPSHOT_CHUNK_BODY; break;
        }
        uint8_t bytes[HEAD_BYTES];
        uint64_t sum;
        snapshot_foot_encode(&foot, &key, bytes);
        assert_int_equal(snapshot_foot_judge(bytes, &key, &head, size, &foot, &sum), TEAK_DECODE);
    }
}

static void a_chunk_is_one_of_its_file_at_its_place(void **state)
{
    (void)state;
    static uint8_t chunk[SNAPSHOT_CHUNK];
    const struct snapshot_head head = head_of(0);
    const struct key key = key_of(&head);
    for (uint32_t i = 0; i < 1000; i++) chunk[SNAPSHOT_CHUNK_HEAD + i] = (uint8_t)(i * 7);
    uint64_t sum;
    const uint64_t sealed = snapshot_chunk_seal(&key, &head, 5, 1000, chunk);
    assert_true(snapshot_chunk_judge(&key, &head, 5, 1000, chunk, &sum));
    assert_int_equal(sum, sealed);
    assert_false(snapshot_chunk_judge(&key, &head, 4, 1000, chunk, &sum));
    assert_false(snapshot_chunk_judge(&key, &head, 5, 999, chunk, &sum));
    struct snapshot_head other = head;
    other.log = 8;
    assert_false(snapshot_chunk_judge(&key, &other, 5, 1000, chunk, &sum));
    other = head;
    other.life = 4;
    assert_false(snapshot_chunk_judge(&key, &other, 5, 1000, chunk, &sum));
    other.file_id++;
    const struct key other_key = key_of(&other);
    assert_false(snapshot_chunk_judge(&other_key, &head, 5, 1000, chunk, &sum));
    for (uint32_t byte = 0; byte < SNAPSHOT_CHUNK_HEAD + 1000; byte++) {
        chunk[byte] ^= 0x10;
        assert_false(snapshot_chunk_judge(&key, &head, 5, 1000, chunk, &sum));
        chunk[byte] ^= 0x10;
    }
    /* the chain tells order, number and content of all chunks */
    const uint64_t ab = snapshot_chain(&key, snapshot_chain(&key, 1, 10), 11);
    assert_int_not_equal(ab, snapshot_chain(&key, snapshot_chain(&key, 1, 11), 10));
    assert_int_not_equal(ab, snapshot_chain(&key, 1, 10));
}

static void places_follow_from_lengths(void **state)
{
    (void)state;
    struct snapshot_head head = head_of(0);
    assert_int_equal(snapshot_head_end(&head), 4096);
    assert_int_equal(snapshot_file_bytes(&head, 0), 2 * 4096);
    assert_int_equal(snapshot_file_bytes(&head, 1), 3 * 4096);
    assert_int_equal(snapshot_file_bytes(&head, 4080), 3 * 4096);
    assert_int_equal(snapshot_file_bytes(&head, 4081), 4 * 4096);
    assert_int_equal(snapshot_file_bytes(&head, SNAPSHOT_CHUNK_BODY), 2 * 4096 + 65536);
    assert_int_equal(snapshot_file_bytes(&head, SNAPSHOT_CHUNK_BODY + 1), 3 * 4096 + 65536);
    assert_int_equal(snapshot_chunk_bytes(SNAPSHOT_CHUNK_BODY + 1, 1), 1);
    head = head_of(3968);
    assert_int_equal(snapshot_head_end(&head), 4096);
    head = head_of(3969);
    assert_int_equal(snapshot_head_end(&head), 8192);
    head = head_of(SNAPSHOT_META_MAX);
    head.block_bytes = BLOCK_BYTES_MAX;
    assert_int_equal(snapshot_head_end(&head), 2 * 65536);
    assert_true(snapshot_file_bytes(&head, SNAPSHOT_BODY_MAX) < INT64_MAX); /* any length there can be has a place */
    assert_true(snapshot_file_bytes(&head, SNAPSHOT_BODY_MAX) > SNAPSHOT_BODY_MAX);
}

static void names_have_one_spelling(void **state)
{
    (void)state;
    const struct snapshot_name names[] = {
        {.log = 7, .index = 100, .term = 3, .file_id = 42},
        {.log = UINT64_MAX, .index = UINT64_MAX, .term = UINT64_MAX, .file_id = UINT64_MAX},
        {.log = 0, .is_part = true},
        {.log = UINT64_MAX, .is_part = true},
    };
    char text[SNAPSHOT_NAME_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct snapshot_name out;
        snapshot_name_put(&names[i], text);
        assert_true(snapshot_name_judge(text, &out));
        assert_memory_equal(&out, &names[i], sizeof out);
    }
    snapshot_name_put(&names[0], text);
    assert_string_equal(text, "7-100-3-000000000000002a.snap");
    const char *const others[] = {
        "", ".part", "7.par", "7.part2", "07.part", "+7.part", " 7.part", "-7.part", "18446744073709551616.part",
        "7-100-3-000000000000002A.snap", "7-100-3-2a.snap", "7-100-000000000000002a.snap", "7-100-3-000000000000002a",
        "7-100-3-000000000000002a.snap.tmp", "7-0100-3-000000000000002a.snap", "7-100--3-000000000000002a.snap",
        "7-100-3-0x0000000000002a.snap", "7-100-3-000000000000002a.part",
        "7777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777777.part",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct snapshot_name out;
        assert_false(snapshot_name_judge(others[i], &out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_goes_and_comes_back),
        cmocka_unit_test(every_bit_of_a_head_and_a_foot_counts),
        cmocka_unit_test(a_head_without_sense_is_refused),
        cmocka_unit_test(a_foot_without_sense_is_refused),
        cmocka_unit_test(a_chunk_is_one_of_its_file_at_its_place),
        cmocka_unit_test(places_follow_from_lengths),
        cmocka_unit_test(names_have_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
