/* full_disk_test.c: lives in a row on a medium without space, each ended by a power cut at any of its changes: the last
 * segment is written on behind its cut, again and again. Found is always a state from the last acknowledged batch to
 * the last submitted one of the life before, and of no life before that. TEAK_SEED=n repeats a run; TEAK_RUNS=n makes
 * it longer.
 */
#include "sim_disk.h"

#include "store/rig.h"
#include "store/store.h"

enum { LOG = 7, SEGMENT = 512 * 1024, ENTRIES = 20, LIVES = 30, BURST_MAX = 12, SHORT_LIFE = 60 };

static struct {
    struct seeded seeded;
    struct sim_medium *medium, *left; /* what the cut left; NULL: no cut yet                 */
    uint64_t submitted, acknowledged; /* commit indexes                                      */
    uint64_t acknowledged_then, submitted_then; /* when the power went                       */
    uint64_t changes_to_live;
    uint64_t lives, in_place;
} lives;

/* The power goes at one of the changes; and there is never space. */
static void on_change(void *context)
{
    (void)context;
    sim_fail(lives.medium, DISK_ALLOCATE, 1, ENOSPC);
    if (lives.left || lives.changes_to_live-- > 0) return;
    lives.left = sim_cut(lives.medium, SIM_POWER, &lives.seeded);
    lives.acknowledged_then = lives.acknowledged;
    lives.submitted_then = lives.submitted;
}

static struct teak_store *open_medium(void)
{
    struct teak_options options = rig_options();
    options.segment_bytes = SEGMENT;
    options.in_flight = 8;
    options.group_bytes = RIG_BLOCK; /* each batch a frame: several fly at a time */
    options.strategy = seeded_below(&lives.seeded, 2) ? TEAK_DSYNC : TEAK_FDATASYNC;
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    rig_ok(store_open_on(sim_open(lives.medium), "store", &options, &store, &report, &error), &error);
    return store;
}

static void collect(struct teak_store *store, uint64_t wait_ns)
{
    struct teak_completion done[16];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(store, wait_ns, done, 16, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(done[i].status, TEAK_OK);
        lives.acknowledged = done[i].tag;
    }
}

/* Several frames on their way at once. false: the reserve is used up. */
static bool burst(struct teak_store *store)
{
    for (uint32_t i = seeded_below(&lives.seeded, BURST_MAX) + 1; i > 0 && !lives.left; i--) {
        const struct teak_op op = {.op = TEAK_OP_HARD_STATE, .log = LOG, .term = 1, .vote = 1,
                                   .commit = lives.submitted + 1};
        const struct teak_batch batch = {.ops = &op, .count = 1, .tag = op.commit, .flags = TEAK_URGENT};
        struct teak_error error = {0};
        enum teak_status status;
        lives.submitted++; /* from now on it may be there */
        while ((status = teak_submit(store, &batch, &error)) == TEAK_FULL) collect(store, 1000000);
        if (status == TEAK_NO_SPACE) {
            lives.submitted--;
            return false;
        }
        rig_ok(status, &error);
        collect(store, seeded_below(&lives.seeded, 3) == 0 ? 1000000 : 0);
    }
    return true;
}

/* Opens what is there, checks it, goes on until the power goes. false: no further life is possible, or wanted. */
static bool live(void)
{
    lives.left = NULL;
    lives.changes_to_live = seeded_below(&lives.seeded, SHORT_LIFE);
    sim_set_hook(lives.medium, on_change, NULL);
    struct teak_store *store = open_medium();
    rig_expect_entries(store, LOG, 1, ENTRIES);
    const uint64_t found = rig_log(store, LOG).hard.commit;
    if (found < lives.acknowledged || found > lives.submitted)
        fail_msg("commit %" PRIu64 " is not of %" PRIu64 " to %" PRIu64, found, lives.acknowledged, lives.submitted);
    lives.submitted = lives.acknowledged = found;
    const uint64_t newest = store->segments.newest;
    bool goes_on = true;
    while (goes_on && !lives.left) goes_on = burst(store);
    lives.in_place += store->segments.newest == newest;
    sim_set_hook(lives.medium, NULL, NULL);
    teak_abandon(store);
    if (!lives.left) return false;
    sim_free(lives.medium);
    lives.medium = lives.left;
    lives.acknowledged = lives.acknowledged_then;
    lives.submitted = lives.submitted_then;
    lives.lives++;
    return true;
}

static void begin(void)
{
    lives.medium = sim_make(seeded_u64(&lives.seeded));
    struct teak_store *store = open_medium();
    rig_create(store, LOG);
    rig_append_synced(store, LOG, 1, ENTRIES, 1, 600);
    lives.submitted = lives.acknowledged = 0;
    teak_abandon(store);
}

static void no_life_on_a_full_disk_sees_frames_of_one_that_was_cut(void **state)
{
    (void)state;
    const char *given = getenv("TEAK_RUNS");
    const uint32_t runs = given ? (uint32_t)atoi(given) : 150;
    lives.seeded = seeded_begin("full_disk");
    for (uint32_t run = 0; run < runs; run++) {
        begin();
        for (uint32_t i = 0; i < LIVES; i++)
            if (!live()) break;
        sim_free(lives.medium);
    }
    printf("full disk: %" PRIu64 " lives ended by a power cut, %" PRIu64 " stayed in their segment\n", lives.lives,
           lives.in_place);
    assert_true(lives.lives > runs && lives.in_place > runs);
}

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

static bool has_all_that_is_wanting(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready && store->pool.stock_count >= store->pool.spares && store->pool.step == POOL_IDLE;
}

static bool has_given_up(struct teak_store *store, void *context)
{
    (void)context;
    return store->pool.no_space && store->pool.step == POOL_IDLE;
}

static bool lacks_no_space(struct teak_store *store, void *context)
{
    (void)context;
    struct teak_stats stats;
    teak_stats(store, &stats);
    return !stats.lacks_space;
}

/* The disk stays full. What is forgotten comes back a file at a time: the first becomes the next segment, and another
 * one is wanting still; the next is that one. Nobody tries to make a file any more, and whoever waits for space has to
 * be told nevertheless. */
static void space_is_there_when_what_was_forgotten_suffices(void **state)
{
    (void)state;
    struct sim_medium *medium = sim_make(1);
    struct teak_options options = rig_options();
    struct teak_store *store;
    struct teak_error error = {0};
    options.strategy = TEAK_DSYNC;
    options.spares = 1;
    rig_ok(store_open_on(sim_open(medium), "store", &options, &store, NULL, &error), &error);
    rig_create(store, LOG);
    uint64_t last = 0;
    for (; store->segments.newest < store->segments.oldest + 5; last++)
        rig_append_synced(store, LOG, last + 1, last + 1, 1, 3000);
    rig_drive_until(store, has_all_that_is_wanting, NULL);
    sim_set_hook(medium, refuse_space, medium);
    refuse_space(medium);
    const uint64_t before = store->segments.newest;
    for (; store->segments.newest == before; last++) rig_append_synced(store, LOG, last + 1, last + 1, 1, 3000);
    rig_drive_until(store, has_given_up, NULL);
    assert_false(lacks_no_space(store, NULL));
    for (uint64_t index = 1; !has_all_that_is_wanting(store, NULL) && index < last; index++) {
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = LOG, .index = index});
        for (uint32_t polls = 0; polls < 20; polls++) rig_poll(store);
    }
    rig_drive_until(store, has_all_that_is_wanting, NULL);
    rig_drive_until(store, lacks_no_space, NULL);
    assert_int_equal(store->pool.failure, 0);
    sim_set_hook(medium, NULL, NULL);
    assert_int_equal(teak_close(store, &error), TEAK_OK);
    sim_free(medium);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_life_on_a_full_disk_sees_frames_of_one_that_was_cut),
        cmocka_unit_test(space_is_there_when_what_was_forgotten_suffices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
