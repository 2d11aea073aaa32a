/* lanes_test.c: how many frames fly at a time, where the engine is left to itself and where it is told. On a
 * disk on which nothing lands before the test waits for it.
 */
#include "sim_disk.h"

#include "store/rig.h"
#include "store/store.h"

enum { ENTRY = 40000, GROUP = 65536, SEGMENT = 1 << 20, LARGE_SEGMENT = 4 << 20, LARGE = 520 << 10 };

static struct sim_medium *medium;

static struct teak_store *open_store(uint32_t in_flight, uint64_t segment_bytes, uint32_t group_bytes)
{
    struct teak_options options = rig_options();
    static struct teak_report report;
    struct teak_store *store;
    struct teak_error error = {0};
    options.in_flight = in_flight;
    options.segment_bytes = segment_bytes;
    options.group_bytes = group_bytes;
    rig_ok(store_open_on(sim_open(medium), "store", &options, &store, &report, &error), &error);
    return store;
}

static bool is_at_rest(struct teak_store *store, void *context)
{
    (void)context;
    return !pool_is_busy(&store->pool) && !pool_has_work(&store->pool, &store->segments);
}

/* A store with nothing to do: its spare is made. */
static struct teak_store *begin(uint32_t in_flight, uint64_t segment_bytes, uint32_t group_bytes)
{
    medium = sim_make(1);
    struct teak_store *store = open_store(in_flight, segment_bytes, group_bytes);
    rig_create(store, 7);
    rig_drive_until(store, is_at_rest, NULL);
    rig_drain(store);
    return store;
}

static void end(struct teak_store *store)
{
    rig_drain(store);
    rig_close(store);
    sim_free(medium);
}

static void append(struct teak_store *store, uint64_t index, uint32_t bytes)
{
    rig_append(store, 7, index, index, 1, bytes);
}

/* How many fly once a turn has launched what it may. */
static uint64_t flying(struct teak_store *store)
{
    struct teak_completion done[16];
    struct teak_error error;
    uint32_t count;
    rig_ok(teak_poll(store, 0, done, 16, &count, &error), &error);
    assert_int_equal(count, 0);
    return store->flight.in_flight;
}

static uint64_t flying_of_ten(uint32_t in_flight)
{
    struct teak_store *store = begin(in_flight, SEGMENT, GROUP);
    for (uint64_t index = 1; index <= 10; index++) append(store, index, ENTRY); /* a frame each */
    const uint64_t count = flying(store);
    end(store);
    return count;
}

static void four_frames_fly(void **state)
{
    (void)state;
    assert_int_equal(flying_of_ten(0), 4);
}

static void as_many_fly_as_was_said(void **state)
{
    (void)state;
    static const uint32_t said[] = {1, 2, 3, 8};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) assert_int_equal(flying_of_ten(said[i]), said[i]);
}

/* More can join it. */
static void an_open_frame_waits_for_a_free_lane(void **state)
{
    (void)state;
    struct teak_store *store = begin(2, LARGE_SEGMENT, 1 << 20);
    append(store, 1, LARGE);
    assert_int_equal(flying(store), 1);
    append(store, 2, LARGE);
    assert_int_equal(flying(store), 2);
    append(store, 3, LARGE);
    assert_int_equal(flying(store), 2);
    assert_int_equal(store->flight.next, store->flight.end);
    assert_true(writer_has_work(&store->writer));
    end(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_frames_fly),
        cmocka_unit_test(as_many_fly_as_was_said),
        cmocka_unit_test(an_open_frame_waits_for_a_free_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
