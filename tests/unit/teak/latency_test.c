/* latency_test.c: the benchmark's histogram against a sorted array of the same values; three digits hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../tools/teak/latency.h"
#include "../seeded.h"

enum { VALUES = 20000 };

static struct latency one, other;

static int by_size(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void nothing_answers_zero(void **state)
{
    (void)state;
    latency_reset(&one);
    assert_int_equal(latency_quantile(&one, 0), 0);
    assert_int_equal(latency_quantile(&one, 1), 0);
}

static void quantiles_hold_to_three_digits(void **state)
{
    (void)state;
    static const double shares[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    static uint64_t values[VALUES];
    struct seeded seeded = seeded_begin("latency");
    latency_reset(&one);
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = seeded_u64(&seeded) >> seeded_below(&seeded, 64); /* all magnitudes alike */
        latency_add(&one, values[i], 1);
    }
    qsort(values, VALUES, sizeof(values[0]), by_size);
    assert_int_equal(one.total, VALUES);
    assert_int_equal(one.max, values[VALUES - 1]);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        size_t rank = (size_t)(shares[i] * VALUES);
        while ((double)rank < shares[i] * VALUES) rank++;
        const uint64_t exact = values[rank - 1], told = latency_quantile(&one, shares[i]);
        assert_true(told >= exact);
        assert_true(told - exact <= exact / 1000); /* never less, and a thousandth more at most */
    }
}

static void the_largest_and_the_least_have_their_buckets(void **state)
{
    (void)state;
    latency_reset(&one);
    latency_add(&one, UINT64_MAX, 2);
    latency_add(&one, 0, 1);
    assert_int_equal(latency_quantile(&one, 0.1), 0);
    assert_true(latency_quantile(&one, 1) == UINT64_MAX);
    assert_int_equal(latency_bar(&one, 0).count, 1);
    assert_int_equal(latency_bar(&one, LATENCY_BARS - 1).count, 2);
    assert_true(latency_bar(&one, LATENCY_BARS - 1).high == UINT64_MAX);
}

static void merging_is_adding(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("merge");
    static struct latency both;
    latency_reset(&one);
    latency_reset(&other);
    latency_reset(&both);
    for (size_t i = 0; i < VALUES; i++) {
        const uint64_t value = seeded_u64(&seeded) >> seeded_below(&seeded, 64);
        latency_add(i % 3 == 0 ? &one : &other, value, 1 + i % 5);
        latency_add(&both, value, 1 + i % 5);
    }
    latency_merge(&one, &other);
    assert_memory_equal(&one, &both, sizeof(both));
}

static void bars_are_neighbours_and_hold_everything(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("bars");
    latency_reset(&one);
    for (size_t i = 0; i < VALUES; i++) latency_add(&one, seeded_u64(&seeded) >> seeded_below(&seeded, 64), 1);
    uint64_t count = 0, low = 0;
    for (uint32_t i = 0; i < LATENCY_BARS; i++) {
        const struct latency_bar bar = latency_bar(&one, i);
        assert_true(bar.low == low);
        assert_true(bar.high > bar.low);
        assert_int_equal(latency_bar_of(bar.low), i);
        assert_int_equal(latency_bar_of(bar.high - 1), i);
        low = bar.high;
        count += bar.count;
    }
    assert_int_equal(count, VALUES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_answers_zero),
        cmocka_unit_test(quantiles_hold_to_three_digits),
        cmocka_unit_test(the_largest_and_the_least_have_their_buckets),
        cmocka_unit_test(merging_is_adding),
        cmocka_unit_test(bars_are_neighbours_and_hold_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
