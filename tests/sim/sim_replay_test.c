/* sim_replay_test.c: one seed replays a run byte for byte, in another process too; a life that fails is found and
 * shrunk to the shortest that does.
 */
#include "sim_life.h"
#include "sim_shrink.h"
#include "store/rig.h"

static const struct life_shape replayed = {.name = "replayed", .steps = 60, .ends_one_in = 20, .look_one_in = 10,
                                           .all_below = 9, .samples = 2, .nested_one_in = 16, .nested_samples = 1,
                                           .fail_one_in = 200, .shorten_one_in = 10, .stall_one_in = 200};
/* A disk whose syncs do nothing: a store on it breaks its promise at the first cut that shows. */
static const struct life_shape broken = {.name = "broken", .steps = 40, .ends_one_in = 1000, .look_one_in = 1,
                                         .all_below = 9, .samples = 2, .nested_one_in = 16, .nested_samples = 1,
                                         .syncs_lie = true};

static struct life_totals totals_of(uint64_t seed)
{
    struct life_totals totals = {0};
    assert_true(live_once(&replayed, seed, NULL, 0, false, &totals));
    return totals;
}

static void print_all(void)
{
    const struct life_totals totals = totals_of(7);
    const uint64_t *words = (const uint64_t *)&totals;
    for (size_t i = 0; i < sizeof totals / sizeof *words; i++) printf("%" PRIu64 "\n", words[i]);
}

static void one_seed_replays_a_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const struct life_totals first = totals_of(seed), second = totals_of(seed), other = totals_of(seed + 100);
        assert_memory_equal(&first, &second, sizeof first);
        assert_true(first.operations > 100);
        assert_true(first.history != other.history);
    }
}

/* Where memory lies does not matter, nor what else the process did before. */
static void another_process_replays_it_too(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (dup2(ends[1], 1) >= 0) execl("/proc/self/exe", "sim_replay_test", "--print", (char *)NULL);
        _exit(3);
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    assert_non_null(in);
    const struct life_totals here = totals_of(7);
    const uint64_t *words = (const uint64_t *)&here;
    for (size_t i = 0; i < sizeof here / sizeof *words; i++) {
        uint64_t there;
        assert_int_equal(fscanf(in, "%" SCNu64, &there), 1);
        assert_int_equal(there, words[i]);
    }
    fclose(in);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

struct needed {
    const uint32_t *steps;
    uint32_t count, tries;
};

static bool has_all(void *context, const uint32_t *steps, uint32_t count)
{
    struct needed *needed = context;
    uint32_t found = 0;
    needed->tries++;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t n = 0; n < needed->count; n++) found += steps[i] == needed->steps[n];
    return found == needed->count;
}

static void only_what_is_needed_is_left(void **state)
{
    (void)state;
    static const uint32_t few[] = {3}, some[] = {0, 17, 41, 99}, neighbours[] = {50, 51};
    struct needed cases[] = {{few, 1, 0}, {some, 4, 0}, {neighbours, 2, 0}, {few, 0, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        uint32_t steps[100];
        for (uint32_t i = 0; i < 100; i++) steps[i] = i;
        const uint32_t count = shrink(steps, 100, has_all, &cases[c], 1000);
        assert_int_equal(count, cases[c].count);
        assert_true(count == 0 || memcmp(steps, cases[c].steps, count * sizeof *steps) == 0);
        assert_true(cases[c].tries < 400);
    }
    uint32_t steps[100];
    for (uint32_t i = 0; i < 100; i++) steps[i] = i;
    assert_int_equal(shrink(steps, 100, has_all, &cases[1], 1), 100); /* both halves are needed, and there it ends */
}

static void a_disk_that_keeps_nothing_is_found_and_the_life_shrunk(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct life_totals totals = {0};
    while (seed < 20 && live_once(&broken, seed, NULL, 0, false, &totals)) seed++;
    assert_true(seed < 20);
    uint32_t steps[64], without[64];
    const uint32_t count = shrink_life(&broken, seed, steps);
    print_message("seed %d: %d steps of %d still fail\n", (int)seed, (int)count, (int)broken.steps);
    assert_true(count <= 5);
    assert_false(live_once(&broken, seed, steps, count, false, &totals));
    for (uint32_t gone = 0; gone < count; gone++) { /* and without any one of them it is a good life */
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++)
            if (i != gone) without[left++] = steps[i];
        assert_true(live_once(&broken, seed, without, left, false, &totals));
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--print") == 0) {
        print_all();
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_replays_a_run),
        cmocka_unit_test(another_process_replays_it_too),
        cmocka_unit_test(only_what_is_needed_is_left),
        cmocka_unit_test(a_disk_that_keeps_nothing_is_found_and_the_life_shrunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
