/* history_sim_test.c: histories, by their number as in history_test.c, that only a disk can show which may lose any
 * part of what was not synced: at every change of a life that provokes them the power goes, and what is left is opened.
 */
#include "every_cut.h"

#include "store/writer.h"

static void expect_all_that_was_promised(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    assert_true(log.last.index >= scene.promised);
    rig_expect_entries(store, 7, log.first, log.last.index); /* every entry is read, and verified */
}

/* Under `none` nothing is promised, but what is there is a beginning, and nothing is refused. */
static void expect_a_beginning(struct teak_store *store)
{
    struct teak_log log;
    struct teak_error error = {0};
    if (teak_log(store, 7, &log, &error) == TEAK_UNKNOWN_LOG) return;
    rig_expect_entries(store, 7, log.first, log.last.index);
}

static struct teak_store *begin_with(const char *name, enum teak_strategy strategy, uint32_t in_flight,
                                     uint32_t group_bytes)
{
    struct teak_store *store = begin(name);
    teak_abandon(store);
    scene.options.strategy = strategy;
    scene.options.in_flight = in_flight;
    scene.options.group_bytes = group_bytes;
    return open_medium(scene.medium);
}

/* Several frames at a time, durable every `every` entries; compacted behind, or not. */
static void append_in_bursts(struct teak_store *store, uint64_t first, uint64_t last, uint32_t every, uint64_t kept)
{
    for (uint64_t index = first; index <= last; index++) {
        rig_append(store, 7, index, index, 1, 3000);
        if (index % every != 0) continue;
        rig_drain(store);
        scene.promised = index;
        if (kept > 0 && index > kept)
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index - kept});
    }
    rig_drain(store);
    scene.promised = last;
}

static void history_02_an_index_is_never_durable_before_its_frames(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_NONE; strategy++) {
        struct teak_store *store = begin_with("history_02", strategy, 4, 0);
        rig_create(store, 7);
        rig_drain(store);
        watch(expect_all_that_was_promised);
        append_in_bursts(store, 1, 50, 5, 0);
        assert_true(store->segments.newest > 3);
        end(store);
    }
}

static void history_04_a_roll_in_full_flight_is_no_damage(void **state)
{
    (void)state;
    struct teak_store *store = begin_with("history_04", TEAK_DSYNC, 16, RIG_BLOCK);
    rig_create(store, 7);
    rig_drain(store);
    watch(expect_all_that_was_promised);
    append_in_bursts(store, 1, 48, 16, 0); /* a segment and more flies at a time */
    end(store);
}

static void history_08_sessions_that_write_on_in_place(void **state)
{
    (void)state;
    struct teak_store *store = begin_with("history_08", TEAK_DSYNC, 8, RIG_BLOCK);
    rig_create(store, 7);
    rig_drain(store);
    watch(expect_all_that_was_promised);
    for (uint64_t session = 0; session < 4; session++) {
        append_in_bursts(store, session * 3 + 1, session * 3 + 3, 3, 0);
        rig_close(store);
        store = open_medium(scene.medium);
    }
    assert_true(scene.looked > 50);
    end(store);
}

/* What still succeeds there. */
static void set_commit(struct teak_store *store, uint64_t commit)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7, .term = 1, .vote = 1, .commit = commit});
}

static void no_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

/* What the cut left is written on in place, for there is no space for another segment; the caller repeats one batch of
 * those that flew, byte for byte; and that is all there is. */
static void repeat_one(struct sim_medium *image)
{
    sim_set_hook(image, no_space, image);
    no_space(image);
    struct teak_store *store = open_medium(image);
    const uint64_t kept = rig_log(store, 7).hard.commit;
    assert_true(kept >= 3);
    set_commit(store, kept + 1);
    rig_drain(store);
    assert_int_equal(store->segments.newest, 1);
    teak_abandon(store);
    store = open_medium(image);
    assert_int_equal(rig_log(store, 7).hard.commit, kept + 1);
    teak_abandon(store);
    scene.looked++;
}

static void cut_and_repeat(void *medium)
{
    no_space(medium);
    for (uint32_t i = 0; i < 8; i++) {
        struct sim_medium *image = sim_cut(medium, SIM_POWER, &scene.seeded);
        repeat_one(image);
        sim_free(image);
    }
}

static void history_08_behind_a_cut_on_a_full_disk(void **state)
{
    (void)state;
    struct teak_store *store = begin("history_08_full");
    teak_abandon(store);
    sim_free(scene.medium);
    scene.medium = sim_make(2);
    scene.options.segment_bytes = 4 * RIG_SEGMENT;
    scene.options.strategy = TEAK_DSYNC;
    scene.options.in_flight = 8;
    scene.options.group_bytes = RIG_BLOCK;
    store = open_medium(scene.medium);
    sim_set_hook(scene.medium, no_space, scene.medium);
    no_space(scene.medium);
    rig_create(store, 7);
    for (uint64_t commit = 1; commit <= 3; commit++) {
        set_commit(store, commit);
        rig_drain(store);
    }
    sim_set_hook(scene.medium, cut_and_repeat, scene.medium);
    for (uint64_t commit = 4; commit <= 6; commit++) { /* three frames on their way */
        set_commit(store, commit);
        writer_close_frame(store);
    }
    rig_drain(store);
    sim_set_hook(scene.medium, NULL, NULL);
    assert_true(scene.looked > 20);
    teak_abandon(store);
    sim_free(scene.medium);
}

static void history_12_under_none_a_cut_is_a_cut_and_dsync_after_it_promises(void **state)
{
    (void)state;
    struct teak_store *store = begin_with("history_12", TEAK_NONE, 8, RIG_BLOCK);
    rig_create(store, 7);
    watch(expect_a_beginning);
    append_in_bursts(store, 1, 40, 4, 0);
    sim_set_hook(scene.medium, NULL, NULL);
    teak_abandon(store);
    struct sim_medium *left = sim_cut(scene.medium, SIM_POWER, &scene.seeded); /* the owner starts again with syncs */
    sim_free(scene.medium);
    scene.medium = left;
    scene.options.strategy = TEAK_DSYNC;
    store = open_medium(scene.medium);
    struct teak_error error = {0};
    struct teak_log log;
    if (teak_log(store, 7, &log, &error) == TEAK_UNKNOWN_LOG) {
        rig_create(store, 7);
        rig_drain(store);
        log = rig_log(store, 7);
    }
    rig_append_synced(store, 7, log.last.index + 1, log.last.index + 1, 1, 3000);
    scene.promised = log.last.index + 1;
    watch(expect_all_that_was_promised);
    append_in_bursts(store, log.last.index + 2, log.last.index + 20, 1, 0);
    end(store);
}

static void history_16_segments_are_taken_again_and_nothing_is_lost(void **state)
{
    (void)state;
    struct teak_store *store = begin_with("history_16", TEAK_AUTO, 4, 0);
    rig_create(store, 7);
    rig_drain(store);
    watch(expect_all_that_was_promised);
    append_in_bursts(store, 1, 120, 4, 6);
    struct teak_stats stats;
    teak_stats(store, &stats);
    assert_true(stats.recycled > 0);
    end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_02_an_index_is_never_durable_before_its_frames),
        cmocka_unit_test(history_04_a_roll_in_full_flight_is_no_damage),
        cmocka_unit_test(history_08_sessions_that_write_on_in_place),
        cmocka_unit_test(history_08_behind_a_cut_on_a_full_disk),
        cmocka_unit_test(history_12_under_none_a_cut_is_a_cut_and_dsync_after_it_promises),
        cmocka_unit_test(history_16_segments_are_taken_again_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
