/* bench_pace_test.c: an open loop's schedule, against a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../tools/teak/bench_pace.h"
#include "../../../tools/teak/latency.h"

#define SECOND UINT64_C(1000000000)

static struct latency latency;

static void even_requests_stand_where_they_should_for_ever(void **state)
{
    (void)state;
    struct bench_pace pace;
    bench_pace_begin(&pace, 3, false, 77, 1);
    for (uint64_t i = 0; i < 3 * 86400; i++) {
        const uint64_t meant = bench_pace_take(&pace);
        const uint64_t exact = 77 + i * SECOND / 3;
        assert_true(meant <= exact + 1 && exact <= meant + 1); /* no error adds up */
    }
    assert_true(bench_pace_next(&pace) >= 77 + 86400 * SECOND - 1);
}

static void a_rate_that_divides_a_second_is_exact(void **state)
{
    (void)state;
    struct bench_pace pace;
    bench_pace_begin(&pace, 1e6, false, 0, 1);
    uint64_t count = 0;
    while (bench_pace_next(&pace) < SECOND) {
        (void)bench_pace_take(&pace);
        count++;
    }
    assert_int_equal(count, 1000000);
}

static void asking_does_not_take(void **state)
{
    (void)state;
    struct bench_pace pace;
    bench_pace_begin(&pace, 10, true, 5, 9);
    const uint64_t next = bench_pace_next(&pace);
    assert_int_equal(bench_pace_next(&pace), next);
    assert_int_equal(bench_pace_take(&pace), next);
    assert_true(bench_pace_next(&pace) >= next);
}

static void poisson_comes_to_its_rate_and_repeats(void **state)
{
    (void)state;
    struct bench_pace one, again;
    bench_pace_begin(&one, 1000, true, 0, 42);
    bench_pace_begin(&again, 1000, true, 0, 42);
    uint64_t count = 0, before = 0, longer = 0;
    while (bench_pace_next(&one) < 100 * SECOND) {
        const uint64_t meant = bench_pace_take(&one);
        assert_int_equal(meant, bench_pace_take(&again));
        assert_true(meant >= before);
        longer += meant - before > SECOND / 1000;
        before = meant;
        count++;
    }
    assert_in_range(count, 99000, 101000);              /* 100,000, and three of 316 */
    assert_in_range(longer * 1000 / count, 360, 376);   /* a gap is longer than the mean with 1/e */
}

/* A server of one request at a time, a millisecond each, that stands still for a second. 500 requests a second. */
static void a_stall_is_felt_by_all_that_were_meant_to_begin_in_it(void **state)
{
    (void)state;
    struct bench_pace pace;
    uint64_t now = 0, waited_long = 0;
    latency_reset(&latency);
    bench_pace_begin(&pace, 500, false, 0, 1);
    while (bench_pace_next(&pace) < 10 * SECOND) {
        const uint64_t meant = bench_pace_take(&pace);
        if (now < meant) now = meant; /* idle until it is due */
        now += SECOND / 1000;
        if (meant == 5 * SECOND) now += SECOND; /* the stall */
        latency_add(&latency, now - meant, 1);
        waited_long += now - meant > SECOND / 2;
    }
    assert_int_equal(latency.total, 5000);
    assert_true(latency.max >= SECOND);
    /* Behind the stall 500 wait, and it takes a second to catch up: half of these a thousand begin half a second late.
     * Counted from their true beginnings there would be one. */
    assert_in_range(waited_long, 480, 520);
    assert_true(latency_quantile(&latency, 0.95) > SECOND / 4);
    assert_true(latency_quantile(&latency, 0.5) <= SECOND / 1000 + SECOND / 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_requests_stand_where_they_should_for_ever),
        cmocka_unit_test(a_rate_that_divides_a_second_is_exact),
        cmocka_unit_test(asking_does_not_take),
        cmocka_unit_test(poisson_comes_to_its_rate_and_repeats),
        cmocka_unit_test(a_stall_is_felt_by_all_that_were_meant_to_begin_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
