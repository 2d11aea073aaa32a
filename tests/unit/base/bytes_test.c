/* bytes_test.c: little-endian bytes, alignment, arithmetic that cannot wrap unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "../seeded.h"

static void integers_lie_lowest_byte_first(void **state)
{
    (void)state;
    const le32 small = le32_of(0x04030201);
    const le64 large = le64_of(UINT64_C(0x0807060504030201));
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(small.b[i], i + 1);
    for (uint32_t i = 0; i < 8; i++) assert_int_equal(large.b[i], i + 1);
}

static void integers_come_back_as_they_were(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    for (uint32_t i = 0; i < 10000; i++) {
        const uint64_t v = seeded_u64(&seeded) >> seeded_below(&seeded, 64);
        assert_int_equal(le64_get(le64_of(v)), v);
        assert_int_equal(le32_get(le32_of((uint32_t)v)), (uint32_t)v);
    }
    assert_int_equal(le64_get(le64_of(UINT64_MAX)), UINT64_MAX);
    assert_int_equal(le32_get(le32_of(UINT32_MAX)), UINT32_MAX);
}

static void integers_need_no_alignment(void **state)
{
    (void)state;
    assert_int_equal(_Alignof(le16), 1);
    assert_int_equal(_Alignof(le32), 1);
    assert_int_equal(_Alignof(le64), 1);
    assert_int_equal(sizeof(le16), 2);
    assert_int_equal(sizeof(le32), 4);
    assert_int_equal(sizeof(le64), 8);
}

static void powers_of_two_are_the_numbers_with_one_bit(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 70000; v++) assert_int_equal(is_power_of_two(v), __builtin_popcountll(v) == 1);
    for (uint32_t bit = 0; bit < 64; bit++) assert_true(is_power_of_two(UINT64_C(1) << bit));
    assert_false(is_power_of_two(UINT64_MAX));
}

static void alignment_finds_the_nearest_multiple(void **state)
{
    (void)state;
    for (uint64_t unit = 1; unit <= 64; unit *= 2) {
        for (uint64_t v = 0; v < 300; v++) {
            const uint64_t down = v / unit * unit;
            assert_int_equal(align_down(v, unit), down);
            assert_int_equal(align_up(v, unit), down == v ? v : down + unit);
        }
    }
}

/* Sums of the smallest and the largest numbers, judged by 128-bit arithmetic. */
static void arithmetic_refuses_exactly_what_would_wrap(void **state)
{
    (void)state;
    const uint64_t edges[] = {0, 1, 2, 15, UINT32_MAX, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX - 1,
                              UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (size_t j = 0; j < sizeof edges / sizeof edges[0]; j++) {
            const unsigned __int128 sum = (unsigned __int128)edges[i] + edges[j];
            const unsigned __int128 product = (unsigned __int128)edges[i] * edges[j];
            uint64_t out;
            assert_int_equal(add_fits(edges[i], edges[j], &out), sum <= UINT64_MAX);
            if (sum <= UINT64_MAX) assert_int_equal(out, (uint64_t)sum);
            assert_int_equal(mul_fits(edges[i], edges[j], &out), product <= UINT64_MAX);
            if (product <= UINT64_MAX) assert_int_equal(out, (uint64_t)product);
        }
    }
}

static void a_range_fits_if_its_end_is_within_the_limit(void **state)
{
    (void)state;
    const uint64_t edges[] = {0, 1, 2, 3, 4096, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};
    const size_t count = sizeof edges / sizeof edges[0];
    for (size_t i = 0; i < count * count * count; i++) {
        const uint64_t offset = edges[i % count];
        const uint64_t bytes = edges[i / count % count];
        const uint64_t limit = edges[i / count / count];
        assert_int_equal(range_fits(offset, bytes, limit), (unsigned __int128)offset + bytes <= limit);
    }
}

static void bytes_are_zero_sees_each_byte(void **state)
{
    (void)state;
    uint8_t bytes[40] = {0};
    assert_true(bytes_are_zero(bytes, sizeof bytes));
    assert_true(bytes_are_zero(bytes, 0));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 1;
        assert_false(bytes_are_zero(bytes, sizeof bytes));
        assert_true(bytes_are_zero(bytes, i));
        bytes[i] = 0;
    }
}

static void smaller_and_larger_are_what_they_say(void **state)
{
    (void)state;
    assert_int_equal(min_u64(3, UINT64_MAX), 3);
    assert_int_equal(min_u64(UINT64_MAX, 3), 3);
    assert_int_equal(max_u64(3, UINT64_MAX), UINT64_MAX);
    assert_int_equal(max_u64(4, 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_lie_lowest_byte_first),
        cmocka_unit_test(integers_come_back_as_they_were),
        cmocka_unit_test(integers_need_no_alignment),
        cmocka_unit_test(powers_of_two_are_the_numbers_with_one_bit),
        cmocka_unit_test(alignment_finds_the_nearest_multiple),
        cmocka_unit_test(arithmetic_refuses_exactly_what_would_wrap),
        cmocka_unit_test(a_range_fits_if_its_end_is_within_the_limit),
        cmocka_unit_test(bytes_are_zero_sees_each_byte),
        cmocka_unit_test(smaller_and_larger_are_what_they_say),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
