/* raft_store_teak_test.c: the store on the engine under the suite of raft_store.h: on the simulated disk, where a crash
 * is a power cut, and on this machine's file system with both backends. `program CASE` runs one case.
 */
#include "conformance/raft_store.h"

#include <string.h>

#include "sim/sim_disk.h"
#include "store/rig.h"
#include "store/store.h"
#include "teak/raft_store_teak.h"

struct place {
    struct sim_medium *medium; /* NULL: a directory */
    struct rig rig;
    struct teak_options options;
    struct teak_store *engine;
};

static void open_place(struct place *place, struct teak_raft_log_store *out)
{
    struct teak_error error = {0};
    place->engine = NULL;
    if (place->medium)
        rig_ok(store_open_on(sim_open(place->medium), "store", &place->options, &place->engine, NULL, &error), &error);
    else
        rig_ok(teak_open(place->rig.dir, &place->options, &place->engine, NULL, &error), &error);
    assert_int_equal(teak_raft_teak_open(place->engine, false, out), TEAK_RAFT_OK);
}

static void close_place(struct place *place, struct teak_raft_log_store *store)
{
    store->ops->close(store->self);
    teak_abandon(place->engine);
}

/* ----------------------------------------------------------------------------------------------- the simulated disk */

static void sim_begin(void *context, struct teak_raft_log_store *out)
{
    struct place *place = context;
    place->medium = sim_make(1);
    open_place(place, out);
}

static void sim_end_place(void *context, struct teak_raft_log_store *store)
{
    struct place *place = context;
    close_place(place, store);
    sim_free(place->medium);
}

static void sim_crash(void *context, struct teak_raft_log_store *store, struct seeded *seeded)
{
    struct place *place = context;
    struct sim_medium *left = sim_cut(place->medium, SIM_POWER, seeded);
    sim_end_place(place, store);
    place->medium = left;
    open_place(place, store);
}

static void refuse_space(void *medium) { sim_fail(medium, DISK_ALLOCATE, 1, ENOSPC); }

static void sim_full(void *context, struct teak_raft_log_store *store, bool on)
{
    const struct place *place = context;
    (void)store;
    sim_set_hook(place->medium, on ? refuse_space : NULL, place->medium);
    sim_fail(place->medium, DISK_ALLOCATE, on, ENOSPC);
}

static void sim_poison(void *context, struct teak_raft_log_store *store)
{
    const struct place *place = context;
    (void)store;
    sim_set_faults(place->medium, (struct sim_faults){.fail_one_in = 1, .seed = 1});
}

static void sim_hold(void *context, struct teak_raft_log_store *store, bool on)
{
    const struct place *place = context;
    (void)store;
    sim_set_faults(place->medium, on ? (struct sim_faults){.stall_one_in = 1, .stall_ns = UINT64_C(10000000000)}
                                     : (struct sim_faults){.seed = 0});
}

/* ------------------------------------------------------------------------------------------------------ directories */

static void dir_begin(void *context, struct teak_raft_log_store *out)
{
    struct place *place = context;
    place->rig = rig_make("raft_store");
    open_place(place, out);
}

static void dir_end(void *context, struct teak_raft_log_store *store)
{
    struct place *place = context;
    close_place(place, store);
    rig_remove(place->rig.dir);
}

static void dir_crash(void *context, struct teak_raft_log_store *store, struct seeded *seeded)
{
    (void)seeded;
    close_place(context, store);
    open_place(context, store);
}

static uint32_t run_on_sim(const char *only)
{
    uint32_t missed = 0;
    for (enum teak_strategy strategy = TEAK_DSYNC; strategy <= TEAK_FDATASYNC; strategy++) {
        struct place place = {.options = rig_options()};
        place.options.strategy = strategy;
        place.options.arena_bytes = 0;
        const struct raft_store_subject subject = {
            .name = strategy == TEAK_DSYNC ? "teak, simulated, dsync" : "teak, simulated, fdatasync",
            .context = &place, .begin = sim_begin, .end = sim_end_place, .crash = sim_crash, .full = sim_full,
            .poison = sim_poison, .hold = sim_hold};
        missed += raft_store_run(&subject, only);
    }
    return missed;
}

static uint32_t run_in_directories(const char *only)
{
    uint32_t missed = 0;
    for (enum teak_backend backend = TEAK_BACKEND_URING; backend <= TEAK_BACKEND_POSIX; backend++) {
        struct place place = {.options = rig_options()};
        place.options.backend = backend;
        place.rig = rig_make("raft_store");
        struct teak_store *engine;
        const enum teak_status status = teak_open(place.rig.dir, &place.options, &engine, NULL, NULL);
        if (status == TEAK_OK) teak_abandon(engine);
        if (status == TEAK_NO_BACKEND) {
            printf("skipped: no io_uring here\n");
            rig_remove(place.rig.dir);
            continue;
        }
        const struct raft_store_subject subject = {
            .name = backend == TEAK_BACKEND_URING ? "teak, io_uring" : "teak, posix", .context = &place,
            .begin = dir_begin, .end = dir_end, .crash = dir_crash};
        missed += raft_store_run(&subject, only);
    }
    return missed;
}

static void the_suite_passes(void **state)
{
    const char *only = *state;
    uint32_t missed = run_on_sim(only);
    missed += run_in_directories(only);
    assert_int_equal(missed, 0);
}

/* ---------------------------------------------------------------------------------------- what is the adapter's own */

static void a_store_without_promises_is_refused(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    place.options.strategy = TEAK_NONE;
    place.rig = rig_make("raft_store_none");
    struct teak_error error = {0};
    rig_ok(teak_open(place.rig.dir, &place.options, &place.engine, NULL, &error), &error);
    assert_int_equal(teak_raft_teak_open(place.engine, false, &store), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(NULL, true, &store), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(place.engine, true, NULL), TEAK_RAFT_MISUSE);
    assert_int_equal(teak_raft_teak_open(place.engine, true, &store), TEAK_RAFT_OK);
    dir_end(&place, &store);
}

static void options_that_do_not_fit_are_told(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_options options = teak_raft_options_default();
    dir_begin(&place, &store);
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_TOO_LARGE); /* a segment is 64 KiB */
    options.entry_bytes_max = options.job_bytes_max = 8192;
    options.tail_entries = 128;
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_OK);
    options.entry_bytes_max = 60000;
    assert_int_equal(store.ops->fits(store.self, &options), TEAK_RAFT_TOO_LARGE);
    dir_end(&place, &store);
}

/* The largest job that fits() lets through is taken: entries of one byte, each of another kind than the one before. */
static void what_fits_is_taken(void **state)
{
    (void)state;
    enum { ENTRIES = 64 };
    static struct teak_raft_entry entries[ENTRIES];
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_options options = teak_raft_options_default();
    options.entry_bytes_max = 16;
    options.tail_entries = 2 * ENTRIES;
    dir_begin(&place, &store);
    for (options.job_bytes_max = 65536; store.ops->fits(store.self, &options) != TEAK_RAFT_OK;) options.job_bytes_max--;
    static uint8_t bytes[65536];
    for (uint32_t i = 0; i < ENTRIES; i++)
        entries[i] = (struct teak_raft_entry){.index = i + 1, .term = 1, .kind = (uint8_t)(16 + i % 2), .data = bytes,
                                              .bytes = options.job_bytes_max / ENTRIES - (i == 0 ? 0 : 1)};
    const struct teak_raft_job job = {.token = 1, .hard = {.term = 1}, .entries = entries, .count = ENTRIES,
                                      .after_first = 1, .after_last = {ENTRIES, 1}};
    struct teak_raft_start start = {.applied = 0};
    struct teak_raft_completion done;
    enum teak_raft_status status;
    while ((status = store.ops->create(store.self, 1, 1)) == TEAK_RAFT_BUSY)
        store.ops->collect(store.self, 1000000, NULL, 0);
    assert_int_equal(status, TEAK_RAFT_OK);
    while (store.ops->start(store.self, 1, &start) == TEAK_RAFT_BUSY) store.ops->collect(store.self, 1000000, &done, 1);
    assert_int_equal(store.ops->submit(store.self, 1, &job), TEAK_RAFT_OK);
    while (store.ops->collect(store.self, 1000000, &done, 1) == 0) continue;
    assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
    dir_end(&place, &store);
}

static void a_log_of_somebody_else_is_damaged(void **state)
{
    (void)state;
    struct teak_raft_log_store store;
    struct place place = {.options = rig_options()};
    struct teak_raft_start start = {.applied = 0};
    place.rig = rig_make("raft_store");
    struct teak_error error = {0};
    rig_ok(teak_open(place.rig.dir, &place.options, &place.engine, NULL, &error), &error);
    rig_create(place.engine, 3);
    rig_drain(place.engine);
    assert_int_equal(teak_raft_teak_open(place.engine, false, &store), TEAK_RAFT_OK);
    assert_int_equal(store.ops->start(store.self, 3, &start), TEAK_RAFT_DAMAGED);
    assert_int_equal(store.ops->create(store.self, 3, 1), TEAK_RAFT_MISUSE);
    dir_end(&place, &store);
}

int main(int argc, char **argv)
{
    void *only = argc > 1 ? argv[1] : NULL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(the_suite_passes, only),
        cmocka_unit_test(a_store_without_promises_is_refused),
        cmocka_unit_test(options_that_do_not_fit_are_told),
        cmocka_unit_test(what_fits_is_taken),
        cmocka_unit_test(a_log_of_somebody_else_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
