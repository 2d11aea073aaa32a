/* backends.h: runs a program's tests over each backend that the machine has. `program uring` or `program posix`, or
 * TEAK_TEST_BACKEND, picks one.
 */
#ifndef TEAK_TESTS_BACKENDS_H
#define TEAK_TESTS_BACKENDS_H

#include "store/faulty_disk.h"
#include "store/rig.h"

static enum teak_backend backend_now;

static inline struct teak_options backend_options(void)
{
    struct teak_options options = rig_options();
    options.backend = backend_now;
    return options;
}

static inline struct teak_store *backend_open(const struct rig *rig)
{
    const struct teak_options options = backend_options();
    return rig_open_with(rig, &options, NULL);
}

/* A store on a disk that can be made to fail. */
static inline struct teak_store *backend_open_faulty(const struct rig *rig, const struct teak_options *options,
                                                     struct faulty **out)
{
    struct faulty *faulty = faulty_make(backend_now);
    assert_non_null(faulty);
    struct teak_store *store;
    struct teak_error error = {0};
    rig_ok(store_open_on(&faulty->disk, rig->dir, options, &store, NULL, &error), &error);
    *out = faulty;
    return store;
}

/* Until spares are filled, what is dead is removed, the idle mark is written and the numbers are published: then
 * nothing is asked of the disk any more. Completions are taken. */
static inline void rig_settle(struct teak_store *store)
{
    struct teak_completion done[8];
    struct teak_stats last = {0}, now;
    struct teak_error error = {0};
    uint32_t count, quiet = 0;
    for (struct rig_patience patience = {0}; quiet < 40 && rig_waits(&patience);) {
        rig_ok(teak_poll(store, 1000000, done, 8, &count, &error), &error);
        usleep(500);
        teak_stats(store, &now);
        const bool is_quiet = now.writes == last.writes && now.syncs == last.syncs &&
                              (now.spares >= 1 || store->phase != STORE_WRITING) && /* before, none is made */
                              store->disk->submitted == store->disk->collected &&
                              teak_deadline(store) == TEAK_NO_DEADLINE;
        quiet = is_quiet ? quiet + 1 : 0;
        last = now;
    }
    assert_int_equal(quiet, 40);
}

static inline int backends_run(int argc, char **argv, const char *name, const struct CMUnitTest *tests, size_t count)
{
    const char *only = argc > 1 ? argv[1] : getenv("TEAK_TEST_BACKEND");
    int failed = 0;
    bool ran = false;
    for (enum teak_backend backend = TEAK_BACKEND_URING; backend < TEAK_BACKEND_COUNT; backend++) {
        const char *which = backend == TEAK_BACKEND_URING ? "uring" : "posix";
        if (only && strcmp(only, which) != 0) continue;
        struct faulty *probe = faulty_make(backend);
        if (!probe) {
            printf("skipped: no %s here\n", which);
            continue;
        }
        disk_close(&probe->disk);
        backend_now = backend;
        ran = true;
        char group[128];
        snprintf(group, sizeof group, "%s over %s", name, which);
        failed += _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    }
    return ran ? failed : 77;
}

#endif
