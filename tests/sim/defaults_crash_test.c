/* defaults_crash_test.c: a store's defaults are replaced, and at every change of the disk the power goes, or an
 * operation fails: what is opened then has the old ones or the new ones, and everything that was promised.
 */
#include "every_cut.h"

enum { LAST = 20, NTH_MAX = 200, CHANGES = 4, LOOKS = 8 };

/* The i-th, 0 being what a new store has. */
static struct teak_defaults defaults_of(uint32_t i)
{
    if (i == 0) return (struct teak_defaults){0};
    return (struct teak_defaults){.strategy = i % 2 ? TEAK_FDATASYNC : TEAK_DSYNC, .in_flight = i,
                                  .group_bytes = 4096 * i, .spares = i + 1, .linger_ns = 1000 * i};
}

static bool is(const struct teak_store *store, uint32_t i)
{
    const struct teak_defaults wanted = defaults_of(i);
    const struct superblock *super = &store->superblock;
    return super->strategy == (uint32_t)wanted.strategy && super->in_flight == wanted.in_flight &&
           super->group_bytes == wanted.group_bytes && super->spares == wanted.spares &&
           super->linger_ns == wanted.linger_ns && super->arena_bytes == wanted.arena_bytes;
}

static bool is_changing; /* from the promised ones to the next */

static void expect_one_of_two(struct teak_store *store)
{
    assert_true(is(store, (uint32_t)scene.promised) || (is_changing && is(store, (uint32_t)scene.promised + 1)));
    rig_expect_entries(store, 7, 1, LAST);
}

static void fill(void)
{
    struct teak_store *store = open_medium(scene.medium);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, LAST, 1, 500);
    rig_close(store);
}

static enum teak_status set(uint32_t i, struct teak_error *error)
{
    const struct teak_defaults defaults = defaults_of(i);
    return store_defaults_set_on(sim_open(scene.medium), "store", &defaults, error);
}

static void a_power_cut_leaves_the_old_ones_or_the_new_ones(void **state)
{
    (void)state;
    scene = (struct scene){.medium = sim_make(1), .options = rig_options(), .seeded = seeded_begin(__func__)};
    fill();
    watch(expect_one_of_two);
    for (uint32_t i = 1; i <= CHANGES; i++) {
        struct teak_error error = {0};
        is_changing = true;
        rig_ok(set(i, &error), &error);
        is_changing = false;
        scene.promised = i;
        for (int looks = 0; looks < LOOKS; looks++) look_at_a_cut(); /* nothing of it is in the cache any more */
    }
    end(open_medium(scene.medium));
}

/* How many failures of a kind are done without: of what makes the new ones durable none, but the last write, which says
 * in LOCK that nobody owns it. */
static uint32_t done_without_most(enum disk_kind kind)
{
    if (kind == DISK_WRITE) return 1;
    return kind == DISK_SYNC || kind == DISK_SYNC_ALL || kind == DISK_RENAME ? 0 : NTH_MAX;
}

/* True: that operation came to fail. Told or not, the old ones or the new ones are there; what is told as done is. */
static bool fail_at(enum disk_kind kind, uint64_t nth, enum teak_status *status_out)
{
    scene = (struct scene){.medium = sim_make(nth), .options = rig_options(), .seeded = {.state = nth}};
    fill();
    struct teak_error error = {0};
    sim_fail(scene.medium, kind, nth, EIO);
    const enum teak_status status = set(1, &error);
    const bool has_come = sim_fail_is_over(scene.medium);
    sim_fail(scene.medium, kind, 0, 0);
    assert_true(status == TEAK_OK || (has_come && status == TEAK_IO && error.os_errno == EIO));
    is_changing = status != TEAK_OK;
    scene.promised = status == TEAK_OK;
    scene.judge = expect_one_of_two;
    for (int looks = 0; looks < LOOKS; looks++) look_at_a_cut();
    if (status != TEAK_OK) rig_ok(set(1, &error), &error); /* as often as it takes */
    sim_free(scene.medium);
    *status_out = status;
    return has_come;
}

/* Of each kind the n-th, until there is no n-th. */
static void a_failure_is_told_and_leaves_one_of_them(void **state)
{
    (void)state;
    uint32_t failures = 0;
    for (int kind = 0; kind < DISK_KIND_COUNT; kind++) {
        uint32_t done_without = 0;
        enum teak_status status;
        for (uint64_t nth = 1; nth < NTH_MAX && fail_at((enum disk_kind)kind, nth, &status); nth++) {
            failures += status != TEAK_OK;
            done_without += status == TEAK_OK;
        }
        assert_in_range(done_without, 0, done_without_most((enum disk_kind)kind));
    }
    print_message("%" PRIu32 " failures\n", failures);
    assert_true(failures > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_power_cut_leaves_the_old_ones_or_the_new_ones),
        cmocka_unit_test(a_failure_is_told_and_leaves_one_of_them),
    };
    return cmocka_run_group_tests_name("defaults_crash", tests, NULL, NULL);
}
