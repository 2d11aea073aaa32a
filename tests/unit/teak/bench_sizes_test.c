/* bench_sizes_test.c: distributions of sizes and of acts: what is understood, and what is drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../tools/teak/bench_mix.h"
#include "../../../tools/teak/bench_sizes.h"

enum { DRAWS = 100000, MAX = 1 << 20 };

static double mean_of(const struct bench_sizes *sizes, uint32_t low, uint32_t high)
{
    uint64_t random = 7;
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
        const uint32_t drawn = bench_sizes_draw(sizes, &random);
        assert_in_range(drawn, low, high);
        sum += drawn;
    }
    return sum / DRAWS;
}

static void is_near(double value, double wanted)
{
    assert_true(value > wanted * 0.98 && value < wanted * 1.02);
}

static void one_size(void **state)
{
    (void)state;
    struct bench_sizes sizes;
    assert_true(bench_sizes_parse("4K", MAX, &sizes));
    assert_int_equal(bench_sizes_max(&sizes), 4096);
    assert_true(mean_of(&sizes, 4096, 4096) == 4096);
    assert_true(bench_sizes_parse("0", MAX, &sizes));
    assert_int_equal(bench_sizes_max(&sizes), 0);
    assert_true(bench_sizes_parse("1M", MAX, &sizes));
}

static void uniform_reaches_both_ends(void **state)
{
    (void)state;
    struct bench_sizes sizes;
    assert_true(bench_sizes_parse("uniform:10-13", MAX, &sizes));
    uint32_t seen = 0;
    uint64_t random = 1;
    for (int i = 0; i < 1000; i++) seen |= 1u << (bench_sizes_draw(&sizes, &random) - 10);
    assert_int_equal(seen, 15);
    assert_true(bench_sizes_parse("uniform:16-4096", MAX, &sizes));
    is_near(mean_of(&sizes, 16, 4096), bench_sizes_mean(&sizes));
    assert_true(bench_sizes_mean(&sizes) == 2056);
    assert_true(bench_sizes_parse("uniform:5-5", MAX, &sizes));
    assert_int_equal(bench_sizes_draw(&sizes, &random), 5);
}

static void exponential_has_its_mean_and_its_cut(void **state)
{
    (void)state;
    struct bench_sizes sizes;
    assert_true(bench_sizes_parse("exp:256", MAX, &sizes));
    assert_int_equal(bench_sizes_max(&sizes), 4096);
    is_near(mean_of(&sizes, 0, 4096), 256);
    assert_true(bench_sizes_parse("exp:1M", MAX, &sizes));
    assert_int_equal(bench_sizes_max(&sizes), MAX); /* nothing above what the caller takes */
}

static void parts_come_by_their_weights(void **state)
{
    (void)state;
    struct bench_sizes sizes;
    assert_true(bench_sizes_parse("256*90+4K*9+64K*1", MAX, &sizes));
    assert_int_equal(bench_sizes_max(&sizes), 65536);
    assert_true(bench_sizes_mean(&sizes) == (256 * 90 + 4096 * 9 + 65536) / 100.0);
    uint64_t random = 3;
    uint32_t large = 0, middle = 0;
    for (int i = 0; i < DRAWS; i++) {
        const uint32_t drawn = bench_sizes_draw(&sizes, &random);
        large += drawn == 65536;
        middle += drawn == 4096;
        assert_true(drawn == 256 || drawn == 4096 || drawn == 65536);
    }
    assert_in_range(large, 850, 1150);
    assert_in_range(middle, 8600, 9400);
}

static void what_is_no_distribution_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "-1", "1x", "2M", "4G", "uniform:", "uniform:5", "uniform:9-5",
                                      "uniform:1-2M", "uniform:1-2-3", "exp:", "exp:0", "exp:1-2", "1*0", "1*", "*1",
                                      "1*1+", "1*1+2", "1*1 +2*1", "99999999999999999999",
                                      "1*1+1*1+1*1+1*1+1*1+1*1+1*1+1*1+1*1"};
    struct bench_sizes sizes;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_false(bench_sizes_parse(bad[i], MAX, &sizes));
}

static void acts_come_by_their_weights(void **state)
{
    (void)state;
    struct bench_mix mix;
    assert_true(bench_mix_parse("append=70,tail=20,term=10", &mix));
    assert_false(bench_mix_only_appends(&mix));
    uint64_t random = 5, count[ACT_COUNT] = {0};
    for (int i = 0; i < DRAWS; i++) count[bench_mix_draw(&mix, &random)]++;
    assert_in_range(count[ACT_APPEND], 69000, 71000);
    assert_in_range(count[ACT_TAIL], 19000, 21000);
    assert_in_range(count[ACT_TERM], 9300, 10700);
    assert_int_equal(count[ACT_COLD] + count[ACT_TRUNCATE] + count[ACT_COMPACT], 0);
    assert_true(bench_mix_parse("append", &mix) && bench_mix_only_appends(&mix));
    assert_true(bench_mix_parse("append=3,tail=0", &mix) && bench_mix_only_appends(&mix));
    assert_true(bench_mix_parse("replicator", &mix) && mix.replicator && !bench_mix_only_appends(&mix));
}

static void what_is_no_mix_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "tail", "tail=1", "append=0", "append=1,", "append=1,tail", "append=1,tail=",
                                      "append=1,append=1", "append=-1", "append=1;tail=1", "append=2000000",
                                      "append=1,read=1", "replicator=1"};
    struct bench_mix mix;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) assert_false(bench_mix_parse(bad[i], &mix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_size),
        cmocka_unit_test(uniform_reaches_both_ends),
        cmocka_unit_test(exponential_has_its_mean_and_its_cut),
        cmocka_unit_test(parts_come_by_their_weights),
        cmocka_unit_test(what_is_no_distribution_is_refused),
        cmocka_unit_test(acts_come_by_their_weights),
        cmocka_unit_test(what_is_no_mix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
