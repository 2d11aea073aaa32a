/* recycle_test.c: in steady state the files that were forgotten serve again, and hardly any is made. On a disk whose
 * operations all take the same time, so that the answer does not depend on who was faster.
 */
#include "sim_disk.h"

#include "store/rig.h"
#include "store/store.h"

static bool is_within_the_bound(struct teak_store *store, void *context)
{
    sim_pass(context, 10000000); /* what was forgotten last is said at leisure */
    const struct teak_stats stats = rig_stats(store);
    return stats.disk_bytes <= 2 * stats.live_bytes + 4 * (uint64_t)RIG_SEGMENT;
}

/* A log that is compacted behind the writer, over many segments. */
static void steady(struct teak_store *store, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++) {
        rig_append_synced(store, 7, index, index, 1, 4000);
        if (index % 8 == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - 4});
    }
    rig_drain(store);
}

static void steady_state_makes_nothing(void **state)
{
    (void)state;
    struct sim_medium *medium = sim_make(1);
    struct teak_options options = rig_options();
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    rig_ok(store_open_on(sim_open(medium), "store", &options, &store, &report, &error), &error);
    rig_create(store, 7);
    steady(store, 1, 200);
    const struct teak_stats before = rig_stats(store);
    steady(store, 201, 1000);
    const struct teak_stats after = rig_stats(store);
    const uint64_t filled = after.filled - before.filled, recycled = after.recycled - before.recycled;
    print_message("filled %d, recycled %d, %d segments\n", (int)filled, (int)recycled, (int)after.segments);
    assert_true(recycled > 40);
    assert_true(filled * 10 <= recycled);
    assert_true(after.segments <= 6);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 1000}); /* nothing is live any more */
    rig_drain(store);
    rig_drive_until(store, is_within_the_bound, medium);
    rig_close(store);
    sim_free(medium);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steady_state_makes_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
