/* key_test.c: the sums are what docs/format.md says, and each bit of payload, identity and key counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define XXH_INLINE_ALL 1
#include <xxhash.h>

#include "format/key.h"
#include "format/layout.h"
#include "../seeded.h"

static const uint8_t family[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static struct key key_of(uint64_t salt)
{
    struct key key;
    key_derive(&key, family, salt);
    return key;
}

/* docs/format.md, "The secret", step by step and by nothing but XXH128. */
static void secret_as_written(uint8_t secret[KEY_SECRET_BYTES], uint64_t salt)
{
    uint8_t seed[24];
    memcpy(seed, family, 16);
    const le64 salt_bytes = le64_of(salt);
    memcpy(seed + 16, &salt_bytes, 8);
    const XXH128_hash_t h = XXH3_128bits(seed, sizeof seed);
    XXH128_canonical_t scrambler; /* h, most significant byte first */
    XXH128_canonicalFromHash(&scrambler, h);
    for (uint32_t i = 0; i < KEY_SECRET_BYTES; i++) secret[i] = seed[i % sizeof seed];
    for (uint32_t piece = 0; piece <= KEY_SECRET_BYTES / 16; piece++) {
        const bool last = piece == KEY_SECRET_BYTES / 16;
        const XXH128_hash_t g = last ? h : XXH3_128bits_withSeed(&scrambler, 16, piece);
        const le64 halves[2] = {le64_of(g.low64), le64_of(g.high64)};
        uint8_t *at = secret + (last ? KEY_SECRET_BYTES - 16 : 16 * piece);
        for (uint32_t i = 0; i < 16; i++) at[i] ^= ((const uint8_t *)halves)[i];
    }
}

static void the_secret_is_the_one_in_the_format(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t i = 0; i < 100; i++) {
        const uint64_t salt = seeded_u64(&seeded);
        const struct key key = key_of(salt);
        uint8_t secret[KEY_SECRET_BYTES];
        secret_as_written(secret, salt);
        assert_memory_equal(key.secret, secret, sizeof secret);
        assert_int_equal(key.salt, salt);
    }
}

static void every_bit_of_family_and_salt_changes_the_secret(void **state)
{
    (void)state;
    const struct key key = key_of(77);
    for (uint32_t bit = 0; bit < 192; bit++) {
        uint8_t other_family[16];
        memcpy(other_family, family, sizeof family);
        uint64_t salt = 77;
        if (bit < 128)
            other_family[bit / 8] ^= (uint8_t)(1 << bit % 8);
        else
            salt ^= UINT64_C(1) << (bit - 128);
        struct key other;
        key_derive(&other, other_family, salt);
        assert_memory_not_equal(key.secret, other.secret, sizeof key.secret);
    }
}

static void the_entry_sum_is_the_one_in_the_format(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    const struct key key = key_of(1);
    uint8_t payload[600];
    seeded_fill(&seeded, payload, sizeof payload);
    for (uint32_t bytes = 0; bytes <= sizeof payload; bytes++) {
        const struct entry_identity who = {.log = seeded_u64(&seeded), .index = seeded_u64(&seeded),
                                           .term = seeded_u64(&seeded), .bytes = bytes, .kind = (uint8_t)bytes};
        uint8_t identity[32] = {0};
        const le64 numbers[3] = {le64_of(who.log), le64_of(who.index), le64_of(who.term)};
        const le32 length = le32_of(bytes);
        memcpy(identity, numbers, 24);
        memcpy(identity + 24, &length, 4);
        identity[28] = who.kind;
        const uint64_t p = XXH3_64bits_withSecret(payload, bytes, key.secret, KEY_SECRET_BYTES);
        const uint64_t i = XXH3_64bits_withSecret(identity, 32, key.secret, KEY_SECRET_BYTES);
        assert_int_equal(key_entry_sum(&key, &who, payload), p ^ i * UINT64_C(0x9e3779b97f4a7c15));
    }
}

static void every_bit_of_a_payload_changes_its_sum(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    const struct key key = key_of(2);
    uint8_t payload[300];
    seeded_fill(&seeded, payload, sizeof payload);
    for (uint32_t bytes = 1; bytes <= sizeof payload; bytes += 1 + bytes / 16) {
        const struct entry_identity who = {.log = 1, .index = 2, .term = 3, .bytes = bytes};
        const uint64_t sum = key_entry_sum(&key, &who, payload);
        for (uint32_t bit = 0; bit < 8 * bytes; bit++) {
            payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(key_entry_sum(&key, &who, payload), sum);
            payload[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void every_bit_of_an_identity_changes_the_sum(void **state)
{
    (void)state;
    const struct key key = key_of(3);
    static const uint8_t payload[300] = {1};
    const struct entry_identity who = {.log = 10, .index = 11, .term = 12, .bytes = 16, .kind = 1};
    const uint64_t sum = key_entry_sum(&key, &who, payload);
    for (uint32_t bit = 0; bit < 64; bit++) {
        struct entry_identity log = who, index = who, term = who, kind = who;
        log.log ^= UINT64_C(1) << bit;
        index.index ^= UINT64_C(1) << bit;
        term.term ^= UINT64_C(1) << bit;
        kind.kind ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(key_entry_sum(&key, &log, payload), sum);
        assert_int_not_equal(key_entry_sum(&key, &index, payload), sum);
        assert_int_not_equal(key_entry_sum(&key, &term, payload), sum);
        assert_int_not_equal(key_entry_sum(&key, &kind, payload), sum);
    }
    for (uint32_t bytes = 0; bytes < 300; bytes++) {
        struct entry_identity longer = who;
        longer.bytes = bytes;
        if (bytes != who.bytes) assert_int_not_equal(key_entry_sum(&key, &longer, payload), sum);
    }
}

/* History 43. What `withSecretandSeed` would get wrong: short payloads without the salt, long ones without the
 * identity. */
static void salt_and_index_count_at_every_length(void **state)
{
    (void)state;
    static const uint8_t payload[2048];
    const struct key key = key_of(4);
    const struct key stale = key_of(5);
    for (uint32_t bytes = 0; bytes <= sizeof payload; bytes++) {
        const struct entry_identity who = {.log = 1, .index = 2, .term = 3, .bytes = bytes};
        const struct entry_identity next = {.log = 1, .index = 3, .term = 3, .bytes = bytes};
        const uint64_t sum = key_entry_sum(&key, &who, payload);
        assert_int_not_equal(key_entry_sum(&stale, &who, payload), sum);
        assert_int_not_equal(key_entry_sum(&key, &next, payload), sum);
    }
}

static void an_entry_of_its_own_identity_has_a_sum_like_any(void **state)
{
    (void)state;
    const struct key key = key_of(6);
    uint8_t payload[32] = {0};
    payload[24] = 32;
    const struct entry_identity who = {.bytes = sizeof payload};
    assert_int_not_equal(key_entry_sum(&key, &who, payload), 0);
}

static void a_sealed_head_is_whole_and_each_flip_breaks_it(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    const struct key key = key_of(7);
    const struct key other = key_of(8);
    uint8_t head[HEAD_BYTES];
    seeded_fill(&seeded, head, sizeof head);
    key_seal_head(&key, head);
    assert_true(key_head_is_whole(&key, head));
    assert_false(key_head_is_whole(&other, head));
    for (uint32_t bit = 0; bit < 8 * HEAD_BYTES; bit++) {
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(key_head_is_whole(&key, head));
        head[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void sums_are_plain_xxh3(void **state)
{
    (void)state;
    const struct key key = key_of(9);
    static const uint8_t bytes[500] = {7};
    for (size_t count = 0; count <= sizeof bytes; count++) {
        assert_int_equal(plain_sum(bytes, count), XXH3_64bits(bytes, count));
        assert_int_equal(key_sum(&key, bytes, count), XXH3_64bits_withSecret(bytes, count, key.secret, 192));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secret_is_the_one_in_the_format),
        cmocka_unit_test(every_bit_of_family_and_salt_changes_the_secret),
        cmocka_unit_test(the_entry_sum_is_the_one_in_the_format),
        cmocka_unit_test(every_bit_of_a_payload_changes_its_sum),
        cmocka_unit_test(every_bit_of_an_identity_changes_the_sum),
        cmocka_unit_test(salt_and_index_count_at_every_length),
        cmocka_unit_test(an_entry_of_its_own_identity_has_a_sum_like_any),
        cmocka_unit_test(a_sealed_head_is_whole_and_each_flip_breaks_it),
        cmocka_unit_test(sums_are_plain_xxh3),
    };
    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
