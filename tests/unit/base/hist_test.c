/* hist_test.c: the histogram against a sorted array of the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hist.h"
#include "../seeded.h"

enum { VALUES = 5000 };

static struct hist hist; /* 60 KiB: not on the stack of a test */
static struct hist other;

static int by_size(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void nothing_recorded_answers_zero(void **state)
{
    (void)state;
    hist_reset(&hist);
    assert_int_equal(hist_quantile(&hist, 0.0), 0);
    assert_int_equal(hist_quantile(&hist, 1.0), 0);
    hist_add_many(&hist, 1000, 0);
    assert_int_equal(hist_quantile(&hist, 1.0), 0);
    assert_int_equal(hist.max, 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 2 * HIST_SUB; value++) {
        hist_reset(&hist);
        hist_add(&hist, value);
        hist_add(&hist, 1000000);
        assert_int_equal(hist_quantile(&hist, 0.5), value);
    }
}

static void the_largest_value_is_exact(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 64; bit++) {
        hist_reset(&hist);
        const uint64_t value = (UINT64_C(1) << bit) + (UINT64_C(1) << bit) / 3;
        hist_add(&hist, value);
        assert_int_equal(hist_quantile(&hist, 1.0), value);
        assert_int_equal(hist.max, value);
    }
    hist_add(&hist, UINT64_MAX);
    assert_int_equal(hist_quantile(&hist, 1.0), UINT64_MAX);
}

static void quantiles_are_within_a_bucket_of_the_sorted_array(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    static uint64_t values[VALUES];
    uint64_t sum = 0;
    hist_reset(&hist);
    for (uint32_t i = 0; i < VALUES; i++) {
        values[i] = seeded_u64(&seeded) >> (20 + seeded_below(&seeded, 44));
        sum += values[i];
        hist_add(&hist, values[i]);
    }
    qsort(values, VALUES, sizeof values[0], by_size);
    assert_int_equal(hist.total, VALUES);
    assert_int_equal(hist.sum, sum);
    for (uint32_t rank = 1; rank <= VALUES; rank++) {
        const uint64_t exact = values[rank - 1];
        const uint64_t answer = hist_quantile(&hist, (rank - 0.5) / VALUES);
        assert_true(answer >= exact);
        assert_true(answer - exact <= exact / HIST_SUB);
    }
}

static void many_at_once_count_as_often_one_by_one(void **state)
{
    (void)state;
    hist_reset(&hist);
    hist_reset(&other);
    hist_add_many(&hist, 12345, 17);
    for (uint32_t i = 0; i < 17; i++) hist_add(&other, 12345);
    assert_memory_equal(&hist, &other, sizeof hist);
}

static void merging_is_recording_both(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin(__func__);
    static struct hist both;
    hist_reset(&hist);
    hist_reset(&other);
    hist_reset(&both);
    for (uint32_t i = 0; i < VALUES; i++) {
        const uint64_t value = seeded_u64(&seeded) >> 30;
        hist_add(i % 3 == 0 ? &hist : &other, value);
        hist_add(&both, value);
    }
    hist_merge(&hist, &other);
    assert_memory_equal(&hist, &both, sizeof both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_recorded_answers_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(the_largest_value_is_exact),
        cmocka_unit_test(quantiles_are_within_a_bucket_of_the_sorted_array),
        cmocka_unit_test(many_at_once_count_as_often_one_by_one),
        cmocka_unit_test(merging_is_recording_both),
    };
    return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
