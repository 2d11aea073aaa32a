/* tune_search_test.c: the search, on disks that are made up: what a setting brings, what chance adds, what drifts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../tools/teak/bench_random.h"
#include "../../../tools/teak/tune_search.h"
#include "../../../tools/teak/tune_words.h"

#define SECOND UINT64_C(1000000000)
enum { SEEDS = 60 };

/* What a setting makes of it: factors. */
struct effect {
    double rate, p99;
};

struct made_up_disk {
    struct effect (*of)(const struct tune_setting *setting);
    double noise;        /* deviation of a run, as a share               */
    double drift;        /* each run is slower by that share than before */
    uint32_t stall_each; /* one run of so many takes five times as long  */
    uint32_t fails_at;   /* this run gives no answer; 0: all do          */
    uint64_t random;
    uint32_t runs;
    uint64_t ns;
};

/* Nearly normal, with a deviation of 1. */
static double normal(struct made_up_disk *disk)
{
    double sum = -6;
    for (uint32_t i = 0; i < 12; i++) sum += bench_random_share(&disk->random);
    return sum;
}

static bool measure(void *context, const struct tune_setting *setting, uint64_t run_ns, struct tune_sample *out)
{
    struct made_up_disk *disk = context;
    const struct effect effect = disk->of(setting);
    disk->runs++;
    disk->ns += run_ns;
    if (disk->runs == disk->fails_at) return false;
    double slow = exp(disk->drift * disk->runs);
    if (disk->stall_each != 0 && bench_random(&disk->random) % disk->stall_each == 0) slow *= 5;
    out->entries_per_second = 1e6 * effect.rate * exp(disk->noise * normal(disk)) / slow;
    out->p99_us = 1000 * effect.p99 * exp(2 * disk->noise * normal(disk)) * slow;
    return true;
}

static const struct tune_load large = {.outstanding_bytes = 64 << 20, .small_segment = 16 << 20,
                                       .large_segment = 256 << 20};
static const struct tune_load small = {.outstanding_bytes = 4096, .small_segment = 16 << 20};

static struct tune_search searched(const struct tune_load *load, struct made_up_disk disk, uint64_t seed)
{
    struct tune_search search;
    disk.random = seed;
    tune_plan(load, &search);
    assert_true(tune_run(&search, 30 * SECOND, measure, &disk));
    assert_true(disk.ns <= 30 * SECOND && disk.ns >= 29 * SECOND);
    return search;
}

static const struct tune_setting *chosen(const struct tune_search *search)
{
    return &search->candidates[search->chosen].setting;
}

/* ----------------------------------------------------------------------------------------------------------- shapes */

static struct effect flat(const struct tune_setting *setting)
{
    (void)setting;
    return (struct effect){1, 1};
}

/* Sharing a sync brings much; lingering and small groups cost. */
static struct effect fdatasync_wins(const struct tune_setting *s)
{
    return (struct effect){(s->strategy == TEAK_FDATASYNC ? 1.4 : 1) * (s->linger_ns ? 0.8 : 1) *
                               (s->group_bytes && s->group_bytes < 1 << 20 ? 0.7 : 1),
                           s->linger_ns ? 1.3 : 1};
}

static struct effect a_little_better(const struct tune_setting *s)
{
    return (struct effect){s->strategy == TEAK_FDATASYNC ? 1.03 : 1, s->strategy == TEAK_FDATASYNC ? 0.95 : 1};
}

static struct effect better_by_less_than_noise(const struct tune_setting *s)
{
    return (struct effect){s->strategy == TEAK_FDATASYNC ? 1.1 : 1, s->strategy == TEAK_FDATASYNC ? 0.9 : 1};
}

/* Neither knob does it alone. */
static struct effect only_together(const struct tune_setting *s)
{
    if (s->in_flight == 2 && s->group_bytes == 512 << 10) return (struct effect){1.6, 0.8};
    return (struct effect){s->in_flight || s->group_bytes ? 0.9 : 1, 1};
}

/* Many large frames at a time fill it; cut smaller, or half as many, they do not. */
static struct effect deep(const struct tune_setting *s)
{
    if (s->in_flight == 8 && s->group_bytes == 0) return (struct effect){1.45, 0.9};
    return (struct effect){s->in_flight == 1 || s->group_bytes ? 0.8 : 1, 1};
}

/* Each knob brings its part; nobody planned them together. */
static struct effect parts(const struct tune_setting *s)
{
    return (struct effect){(s->strategy == TEAK_BUFFERED ? 1.3 : 1) * (s->linger_ns == 50000 ? 1.3 : 1), 1};
}

/* As fast with one knob as with two. */
static struct effect one_knob_is_enough(const struct tune_setting *s)
{
    return (struct effect){s->strategy == TEAK_BUFFERED || s->linger_ns == 50000 ? 1.3 : 1, 1};
}

/* The fastest makes everybody wait. */
static struct effect fast_but_late(const struct tune_setting *s)
{
    if (s->linger_ns == 200000) return (struct effect){2, 4};
    if (s->strategy == TEAK_DSYNC) return (struct effect){1.3, 1.5};
    return (struct effect){1, 2.5};
}

static struct effect early(const struct tune_setting *s)
{
    return (struct effect){1, s->strategy == TEAK_DSYNC ? 0.5 : s->strategy == TEAK_BUFFERED ? 0.97 : 1};
}

/* ------------------------------------------------------------------------------------------------------------ tests */

/* Of SEEDS searches, which differ in what chance does, those that do not come to `strategy`, `linger_ns`, and so many
 * knobs turned. */
static uint32_t wrong(const struct tune_load *load, struct made_up_disk disk, enum teak_strategy strategy,
                      uint64_t linger_ns, uint32_t turned)
{
    uint32_t count = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct tune_search search = searched(load, disk, seed);
        const struct tune_setting *setting = chosen(&search);
        count += setting->strategy != strategy || setting->linger_ns != linger_ns || tune_turned(setting) != turned;
        assert_true(search.is_met || load->p99_us > 0);
        if (strategy == TEAK_FDATASYNC) assert_true(search.gain > 0.25 && search.gain < 0.6);
    }
    return count;
}
/* Chance may have it otherwise once in some hundreds: of ten thousand searches of each shape not more than one in a
 * hundred went wrong. */
#define assert_found(...) assert_in_range(wrong(__VA_ARGS__), 0, SEEDS / 30)

static void where_nothing_matters_the_defaults_stay(void **state)
{
    (void)state;
    static const double noises[] = {0, 0.01, 0.1, 0.5};
    for (uint32_t n = 0; n < sizeof(noises) / sizeof(noises[0]); n++) {
        assert_found(&large, (struct made_up_disk){.of = flat, .noise = noises[n]}, TEAK_AUTO, 0, 0);
        assert_found(&small, (struct made_up_disk){.of = flat, .noise = noises[n]}, TEAK_AUTO, 0, 0);
    }
}

static void the_right_one_is_found_each_time(void **state)
{
    (void)state;
    assert_found(&large, (struct made_up_disk){.of = fdatasync_wins, .noise = 0.02}, TEAK_FDATASYNC, 0, 1);
    assert_found(&large, (struct made_up_disk){.of = fdatasync_wins, .noise = 0.05}, TEAK_FDATASYNC, 0, 1);
}

static void knobs_that_only_help_together_are_found(void **state)
{
    (void)state;
    const struct made_up_disk disk = {.of = only_together, .noise = 0.05};
    assert_found(&large, disk, TEAK_AUTO, 0, 2);
    const struct tune_search search = searched(&large, disk, 11);
    assert_int_equal(chosen(&search)->in_flight, 2);
    assert_int_equal(chosen(&search)->group_bytes, 512 << 10);
}

static void a_deep_queue_is_found(void **state)
{
    (void)state;
    const struct made_up_disk disk = {.of = deep, .noise = 0.05};
    assert_found(&large, disk, TEAK_AUTO, 0, 1);
    const struct tune_search search = searched(&large, disk, 11);
    assert_int_equal(chosen(&search)->in_flight, 8);
}

static void what_did_well_is_tried_together(void **state)
{
    (void)state;
    assert_found(&small, (struct made_up_disk){.of = parts, .noise = 0.02}, TEAK_BUFFERED, 50000, 2);
}

static void of_those_alike_the_one_with_the_fewest_knobs(void **state)
{
    (void)state;
    uint32_t more = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct tune_search search =
            searched(&small, (struct made_up_disk){.of = one_knob_is_enough, .noise = 0.02}, seed);
        more += tune_turned(chosen(&search)) != 1;
        assert_true(search.gain > 0.2);
    }
    assert_in_range(more, 0, SEEDS / 30);
}

static void less_than_noise_is_not_chosen(void **state)
{
    (void)state;
    assert_found(&small, (struct made_up_disk){.of = a_little_better}, TEAK_AUTO, 0, 0);
    assert_found(&small, (struct made_up_disk){.of = better_by_less_than_noise, .noise = 0.2}, TEAK_AUTO, 0, 0);
    const struct tune_search search =
        searched(&small, (struct made_up_disk){.of = better_by_less_than_noise, .noise = 0.2}, 1);
    assert_true(search.needed > 0.1 && search.noise > 0.1);
}

/* A machine that gets slower and slower: at the end by a factor of eight or so. */
static void a_drift_meets_all_alike(void **state)
{
    (void)state;
    assert_found(&large, (struct made_up_disk){.of = flat, .noise = 0.05, .drift = 0.015}, TEAK_AUTO, 0, 0);
    assert_found(&large, (struct made_up_disk){.of = fdatasync_wins, .noise = 0.05, .drift = 0.015}, TEAK_FDATASYNC,
                 0, 1);
}

static void a_stall_here_and_there_decides_nothing(void **state)
{
    (void)state;
    assert_found(&large, (struct made_up_disk){.of = flat, .noise = 0.05, .stall_each = 15}, TEAK_AUTO, 0, 0);
}

static void a_limit_of_p99_comes_first(void **state)
{
    (void)state;
    struct tune_load load = small;
    const struct made_up_disk disk = {.of = fast_but_late, .noise = 0.03};
    assert_found(&load, disk, TEAK_AUTO, 200000, 1);
    load.p99_us = 2000;
    assert_found(&load, disk, TEAK_DSYNC, 0, 1);
    assert_true(searched(&load, disk, 1).is_met);
    load.p99_us = 10;
    assert_found(&load, disk, TEAK_DSYNC, 0, 1);
    const struct tune_search search = searched(&load, disk, 1);
    assert_false(search.is_met);
    assert_int_equal(search.aim, AIM_P99);
}

static void of_an_open_loop_p99_decides(void **state)
{
    (void)state;
    const struct tune_load load = {.is_open = true, .small_segment = 16 << 20};
    assert_found(&load, (struct made_up_disk){.of = early, .noise = 0.05}, TEAK_DSYNC, 0, 1);
    assert_found(&load, (struct made_up_disk){.of = flat, .noise = 0.05}, TEAK_AUTO, 0, 0);
}

static void told_twice_it_answers_alike(void **state)
{
    (void)state;
    static struct tune_search one, again;
    const struct made_up_disk disk = {.of = fdatasync_wins, .noise = 0.1};
    one = searched(&large, disk, 7);
    again = searched(&large, disk, 7);
    assert_int_equal(one.count, again.count);
    for (uint32_t i = 0; i < one.count; i++) {
        const struct tune_setting *was = &one.candidates[i].setting, *is = &again.candidates[i].setting;
        assert_true(was->strategy == is->strategy && was->in_flight == is->in_flight);
        assert_true(was->group_bytes == is->group_bytes && was->linger_ns == is->linger_ns);
        assert_true(was->segment_bytes == is->segment_bytes);
        assert_true(one.candidates[i].typical.p99_us == again.candidates[i].typical.p99_us);
    }
    assert_int_equal(one.chosen, again.chosen);
}

static void time_is_spent_where_it_matters(void **state)
{
    (void)state;
    const struct tune_search search = searched(&large, (struct made_up_disk){.of = fdatasync_wins, .noise = 0.02}, 3);
    uint32_t of_round[TUNE_ROUNDS + 1] = {0};
    for (uint32_t i = 0; i < search.count; i++) {
        assert_in_range(search.candidates[i].rounds, 1, TUNE_ROUNDS);
        of_round[search.candidates[i].rounds]++;
    }
    assert_int_equal(search.candidates[0].rounds, TUNE_ROUNDS);
    assert_true(of_round[1] >= search.count / 3); /* the worse ones had the short runs of one round */
}

static void the_frontier_is_what_nothing_beats(void **state)
{
    (void)state;
    const struct tune_search search = searched(&small, (struct made_up_disk){.of = fast_but_late, .noise = 0.03}, 5);
    uint32_t on = 0;
    for (uint32_t i = 0; i < search.count; i++) {
        const struct tune_candidate *mine = &search.candidates[i];
        on += mine->on_frontier;
        for (uint32_t j = 0; j < search.count; j++)
            if (mine->on_frontier)
                assert_false(search.candidates[j].typical.entries_per_second > mine->typical.entries_per_second &&
                             search.candidates[j].typical.p99_us < mine->typical.p99_us);
    }
    assert_true(on >= 2); /* the fastest, and what has the lower p99 */
}

static void only_what_can_matter_is_planned(void **state)
{
    (void)state;
    struct tune_search few, many;
    tune_plan(&small, &few);
    tune_plan(&large, &many);
    for (uint32_t i = 0; i < few.count; i++) {
        assert_int_equal(few.candidates[i].setting.in_flight, 0);
        assert_int_equal(few.candidates[i].setting.group_bytes, 0);
        assert_true(few.candidates[i].setting.segment_bytes <= 16 << 20);
        assert_true(few.candidates[i].setting.strategy != TEAK_NONE);
    }
    assert_true(many.count > few.count);
    uint32_t two = 0, megabyte = 0;
    for (uint32_t i = 0; i < many.count; i++) {
        const struct tune_setting *setting = &many.candidates[i].setting;
        assert_int_not_equal(setting->in_flight, 4); /* the default: it would be measured twice */
        two += setting->in_flight == 2 && setting->group_bytes == 0;
        megabyte += setting->in_flight == 0 && setting->group_bytes == 1 << 20;
    }
    assert_int_equal(two, 1);
    assert_int_equal(megabyte, 1);
    assert_int_equal(tune_turned(&few.candidates[0].setting), 0);
    assert_int_equal(tune_least_ns(&few), 0);
}

/* A load of ten entries a second: a run of ten takes a second, however short the others would be. */
static void runs_are_fewer_rather_than_too_short(void **state)
{
    (void)state;
    const struct tune_load load = {.is_open = true, .run_ns_least = SECOND};
    struct tune_search search;
    tune_plan(&load, &search);
    struct made_up_disk disk = {.of = flat, .random = 1};
    const uint64_t least_ns = tune_least_ns(&search);
    assert_true(least_ns >= search.count * SECOND);
    assert_true(tune_run(&search, least_ns, measure, &disk));
    assert_true(disk.ns / disk.runs >= SECOND);
}

static void who_cannot_measure_ends_it(void **state)
{
    (void)state;
    for (uint32_t at = 1; at < 60; at += 13) {
        struct tune_search search;
        struct made_up_disk disk = {.of = flat, .random = 1, .fails_at = at};
        tune_plan(&large, &search);
        assert_false(tune_run(&search, SECOND, measure, &disk));
        assert_int_equal(disk.runs, at);
    }
}

/* A disk so slow that nothing comes back within a run. */
static struct effect nothing(const struct tune_setting *setting)
{
    (void)setting;
    return (struct effect){0, 0};
}

static void nothing_measured_is_no_choice(void **state)
{
    (void)state;
    struct tune_search search;
    struct made_up_disk disk = {.of = nothing, .random = 1};
    tune_plan(&small, &search);
    assert_true(tune_run(&search, SECOND / 10, measure, &disk));
    assert_int_equal(search.chosen, 0);
}

/* ------------------------------------------------------------------------------------------------------------ words */

static void an_outcome_in_words(void **state)
{
    (void)state;
    char why[TUNE_WHY_BYTES];
    struct tune_load load = small;
    struct tune_search search = searched(&load, (struct made_up_disk){.of = flat, .noise = 0.01}, 1);
    tune_why(&search, why);
    assert_non_null(strstr(why, "defaults"));
    search = searched(&load, (struct made_up_disk){.of = fdatasync_wins, .noise = 0.01}, 1);
    tune_why(&search, why);
    assert_non_null(strstr(why, "\"fdatasync\" has "));
    assert_non_null(strstr(why, "more entries a second than the defaults"));
    load.p99_us = 2000;
    search = searched(&load, (struct made_up_disk){.of = fast_but_late, .noise = 0.01}, 1);
    tune_why(&search, why);
    assert_non_null(strstr(why, "above the limit of 2.00 ms. \"dsync\" keeps it"));
    load.p99_us = 10;
    search = searched(&load, (struct made_up_disk){.of = fast_but_late, .noise = 0.01}, 1);
    tune_why(&search, why);
    assert_non_null(strstr(why, "No setting keeps p99 within 10 us"));
    assert_true(strlen(why) < TUNE_WHY_BYTES - 1);
    load = (struct tune_load){.is_open = true, .rate = 2e6};
    search = searched(&load, (struct made_up_disk){.of = flat}, 1); /* it does 1e6 */
    tune_why(&search, why);
    assert_non_null(strstr(why, "No setting carries 2.00 million entries a second here, the best 1.00 million"));
    load.rate = 1e6;
    search = searched(&load, (struct made_up_disk){.of = flat, .noise = 0.01}, 1);
    tune_why(&search, why);
    assert_null(strstr(why, "carries"));
}

static void a_setting_as_c_and_as_options(void **state)
{
    (void)state;
    const struct tune_setting all = {.strategy = TEAK_FDATASYNC, .in_flight = 4, .group_bytes = 1 << 20,
                                     .linger_ns = 50000, .segment_bytes = 256 << 20};
    const struct tune_setting none = {0};
    struct tune_lines lines;
    struct tune_flags flags;
    tune_c(&all, &lines);
    assert_int_equal(lines.count, 6);
    assert_string_equal(lines.line[0], "struct teak_options options = teak_options_default();");
    assert_string_equal(lines.line[1], "options.strategy = TEAK_FDATASYNC;");
    assert_string_equal(lines.line[2], "options.in_flight = 4;");
    assert_string_equal(lines.line[3], "options.group_bytes = 1048576;");
    assert_string_equal(lines.line[4], "options.linger_ns = 50000;");
    assert_string_equal(lines.line[5], "options.segment_bytes = 268435456; /* of a new store */");
    tune_flags(&all, &flags);
    static const char *const words[] = {"--strategy", "fdatasync", "--in-flight", "4", "--group-bytes", "1048576",
                                        "--linger-us", "50", "--segment-bytes", "268435456"};
    assert_int_equal(flags.count, sizeof(words) / sizeof(words[0]));
    for (uint32_t i = 0; i < flags.count; i++) assert_string_equal(flags.word[i], words[i]);
    assert_string_equal(tune_words_of(&all).text,
                        "fdatasync, 4 in flight, groups of 1.0 MiB, linger 50 us, segments of 256.0 MiB");
    tune_c(&none, &lines);
    assert_int_equal(lines.count, 1);
    tune_flags(&none, &flags);
    assert_int_equal(flags.count, 0);
    assert_string_equal(tune_words_of(&none).text, "the defaults");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_matters_the_defaults_stay),
        cmocka_unit_test(the_right_one_is_found_each_time),
        cmocka_unit_test(knobs_that_only_help_together_are_found),
        cmocka_unit_test(a_deep_queue_is_found),
        cmocka_unit_test(what_did_well_is_tried_together),
        cmocka_unit_test(of_those_alike_the_one_with_the_fewest_knobs),
        cmocka_unit_test(less_than_noise_is_not_chosen),
        cmocka_unit_test(a_drift_meets_all_alike),
        cmocka_unit_test(a_stall_here_and_there_decides_nothing),
        cmocka_unit_test(a_limit_of_p99_comes_first),
        cmocka_unit_test(of_an_open_loop_p99_decides),
        cmocka_unit_test(told_twice_it_answers_alike),
        cmocka_unit_test(time_is_spent_where_it_matters),
        cmocka_unit_test(the_frontier_is_what_nothing_beats),
        cmocka_unit_test(only_what_can_matter_is_planned),
        cmocka_unit_test(runs_are_fewer_rather_than_too_short),
        cmocka_unit_test(who_cannot_measure_ends_it),
        cmocka_unit_test(nothing_measured_is_no_choice),
        cmocka_unit_test(an_outcome_in_words),
        cmocka_unit_test(a_setting_as_c_and_as_options),
    };
    return cmocka_run_group_tests_name("tune_search", tests, NULL, NULL);
}
