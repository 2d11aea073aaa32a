/* defaults_test.c: what a store says where an opening says 0, and STORE replaced by one that says otherwise. */
#include "rig.h"

#include "format/layout.h"
#include "format/superblock.h"
#include "teak/committer.h"

static const struct teak_defaults sample = {.strategy = TEAK_FDATASYNC, .in_flight = 5, .group_bytes = 8192,
                                            .spares = 2, .arena_bytes = 1 << 20, .linger_ns = 30000};
static const struct teak_defaults none;

static void expect_same(const struct teak_defaults *a, const struct teak_defaults *b)
{
    assert_int_equal(a->strategy, b->strategy);
    assert_int_equal(a->in_flight, b->in_flight);
    assert_int_equal(a->group_bytes, b->group_bytes);
    assert_int_equal(a->spares, b->spares);
    assert_int_equal(a->arena_bytes, b->arena_bytes);
    assert_int_equal(a->linger_ns, b->linger_ns);
}

static void expect_defaults(const struct rig *rig, const struct teak_defaults *wanted)
{
    struct teak_defaults found;
    struct teak_error error = {0};
    rig_ok(teak_defaults_get(rig->dir, &found, &error), &error);
    expect_same(&found, wanted);
}

static void set(const struct rig *rig, const struct teak_defaults *defaults)
{
    struct teak_error error = {0};
    rig_ok(teak_defaults_set(rig->dir, defaults, &error), &error);
}

/* A store with ten entries in log 7. */
static struct rig rig_of_ten(const char *name)
{
    const struct rig rig = rig_make(name);
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 10, 1, 100);
    rig_close(store);
    return rig;
}

static struct teak_limits limits_of(const struct rig *rig, const struct teak_options *options)
{
    struct teak_limits limits;
    struct teak_report report;
    struct teak_store *store = rig_open_with(rig, options, &report);
    teak_limits(store, &limits);
    rig_expect_entries(store, 7, 1, 10);
    rig_close(store);
    return limits;
}

static void a_new_store_has_none(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_new");
    expect_defaults(&rig, &none);
}

static void what_was_set_is_there_and_in_force(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_set");
    struct teak_options options = rig_options();
    options.in_flight = 0;
    options.group_bytes = 0;
    options.arena_bytes = 0;
    options.strategy = TEAK_AUTO;
    const struct teak_limits before = limits_of(&rig, &options);
    set(&rig, &sample);
    expect_defaults(&rig, &sample);
    struct teak_limits limits = limits_of(&rig, &options);
    assert_int_equal(limits.strategy, TEAK_FDATASYNC);
    assert_int_equal(limits.in_flight, 5);
    assert_int_equal(limits.group_bytes, 8192);
    assert_int_equal(limits.arena_bytes, 1 << 20);
    options.strategy = TEAK_DSYNC; /* who asks gets what he asked for */
    options.in_flight = 1;
    options.group_bytes = 4096;
    options.arena_bytes = 2 << 20;
    limits = limits_of(&rig, &options);
    assert_int_equal(limits.strategy, TEAK_DSYNC);
    assert_int_equal(limits.in_flight, 1);
    assert_int_equal(limits.group_bytes, 4096);
    assert_int_equal(limits.arena_bytes, 2 << 20);
    expect_defaults(&rig, &sample); /* and leaves them as they are */
    set(&rig, &none);
    options = rig_options();
    options.in_flight = 0;
    options.group_bytes = 0;
    options.arena_bytes = 0;
    options.strategy = TEAK_AUTO;
    limits = limits_of(&rig, &options);
    assert_int_equal(limits.in_flight, before.in_flight);
    assert_int_equal(limits.group_bytes, before.group_bytes);
    assert_int_equal(limits.arena_bytes, before.arena_bytes);
    assert_int_equal(limits.strategy, TEAK_AUTO);
}

static void look_at_limits(struct teak_store *store, void *out) { teak_limits(store, out); }

static uint32_t frames_of_a_committer(const struct rig *rig, uint32_t asked)
{
    struct teak_options options = rig_options();
    struct teak_committer *committer;
    struct teak_limits limits = {0};
    struct teak_error error = {0};
    options.in_flight = asked;
    rig_ok(teak_committer_open(rig->dir, &options, NULL, &committer, NULL, &error), &error);
    rig_ok(teak_committer_call(committer, look_at_limits, &limits, &error), &error);
    rig_ok(teak_committer_close(committer, &error), &error);
    return limits.in_flight;
}

/* Its own default of three stood where nothing was asked for, whatever the store said. */
static void a_committer_takes_them_too(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_committer");
    assert_int_equal(frames_of_a_committer(&rig, 0), 3);
    set(&rig, &sample);
    assert_int_equal(frames_of_a_committer(&rig, 0), 5);
    assert_int_equal(frames_of_a_committer(&rig, 2), 2);
}

static void nobody_changes_them_beside_a_writer(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_locked");
    struct teak_error error = {0};
    struct teak_store *store = rig_open(&rig, NULL);
    assert_int_equal(teak_defaults_set(rig.dir, &sample, &error), TEAK_LOCKED);
    assert_int_equal(error.status, TEAK_LOCKED);
    expect_defaults(&rig, &none); /* to look is no offence */
    rig_append_synced(store, 7, 11, 12, 1, 100);
    rig_close(store);
    set(&rig, &sample);
}

static void what_cannot_be_is_refused_and_nothing_changes(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_refused");
    static const struct teak_defaults wrong[] = {
        {.strategy = TEAK_STRATEGY_COUNT},
        {.strategy = (enum teak_strategy)-1},
        {.strategy = TEAK_NONE},                /* nobody would know that nothing is durable */
        {.in_flight = 65},
        {.group_bytes = 512},                   /* less than a block                         */
        {.spares = 1025},
        {.arena_bytes = 4096},                  /* the largest batches do not fit            */
        {.arena_bytes = (UINT64_C(1) << 30) + 1},
        {.linger_ns = 1000000001},
    };
    size_t before_bytes, after_bytes;
    uint8_t *before = rig_read(&rig, "STORE", &before_bytes);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct teak_error error = {0};
        assert_int_equal(teak_defaults_set(rig.dir, &wrong[i], &error), TEAK_OPTIONS);
        assert_int_equal(error.status, TEAK_OPTIONS);
        uint8_t *after = rig_read(&rig, "STORE", &after_bytes);
        assert_int_equal(after_bytes, before_bytes);
        assert_memory_equal(after, before, before_bytes);
        free(after);
    }
    free(before);
    assert_false(rig_has(&rig, "STORE.tmp"));
}

static void where_there_is_no_store_it_is_said(void **state)
{
    (void)state;
    const struct rig rig = rig_make("defaults_no_store");
    struct teak_defaults found;
    struct teak_error error = {0};
    assert_int_equal(teak_defaults_set(NULL, &sample, &error), TEAK_INVALID);
    assert_int_equal(teak_defaults_set(rig.dir, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_defaults_get(NULL, &found, &error), TEAK_INVALID);
    assert_int_equal(teak_defaults_get(rig.dir, NULL, &error), TEAK_INVALID);
    const enum teak_status set_status = teak_defaults_set(rig.dir, &sample, &error);
    assert_true(set_status != TEAK_OK && error.status == set_status);
    assert_int_equal(teak_defaults_get(rig.dir, &found, &error), set_status);
    assert_false(rig_has(&rig, "STORE"));
}

/* A later version's bits and defaults, that this one knows nothing of. */
static void what_is_not_understood_stays(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_unknown");
    size_t bytes;
    uint8_t *store = rig_read(&rig, "STORE", &bytes);
    assert_int_equal(bytes, SUPERBLOCK_BYTES);
    store[offsetof(struct layout_store, features_ignore)] = 0x40;
    store[offsetof(struct layout_store, zero) + 5] = 0x77;
    store[300] = 0x55;
    const struct superblock as_it_is = {0};
    superblock_put_defaults(&as_it_is, store); /* sums it up */
    rig_write(&rig, "STORE", 0, store, bytes);
    free(store);
    set(&rig, &sample);
    expect_defaults(&rig, &sample);
    store = rig_read(&rig, "STORE", &bytes);
    assert_int_equal(bytes, SUPERBLOCK_BYTES);
    assert_int_equal(store[offsetof(struct layout_store, features_ignore)], 0x40);
    assert_int_equal(store[offsetof(struct layout_store, zero) + 5], 0x77);
    assert_int_equal(store[300], 0x55);
    free(store);
}

/* Who was killed in the middle left a new STORE under another name: no stranger's, and gone with the first write. */
static void what_was_cut_short_is_removed(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cutshort");
    rig_close(rig_open(&rig, NULL));
    rig_write(&rig, "STORE.tmp", 0, "TEAK", 4);
    struct teak_report report;
    rig_close(rig_open_read_only(&rig, &report));
    assert_int_equal(report.unknown_count, 0);
    assert_true(rig_has(&rig, "STORE.tmp"));
    struct teak_store *store = rig_open(&rig, &report);
    assert_int_equal(report.unknown_count, 0);
    rig_create(store, 7);
    rig_drain(store);
    assert_false(rig_has(&rig, "STORE.tmp"));
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_store_that_is_lost_is_not_made_up(void **state)
{
    (void)state;
    const struct rig rig = rig_of_ten("defaults_rotten");
    struct teak_error error = {0};
    rig_flip(&rig, "STORE", 30, 1);
    assert_int_equal(teak_defaults_set(rig.dir, &sample, &error), TEAK_HASH_MISMATCH);
    rig_unlink(&rig, "STORE");
    assert_int_equal(teak_defaults_set(rig.dir, &sample, &error), TEAK_STORE_LOST);
    assert_false(rig_has(&rig, "STORE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_has_none),
        cmocka_unit_test(what_was_set_is_there_and_in_force),
        cmocka_unit_test(a_committer_takes_them_too),
        cmocka_unit_test(nobody_changes_them_beside_a_writer),
        cmocka_unit_test(what_cannot_be_is_refused_and_nothing_changes),
        cmocka_unit_test(where_there_is_no_store_it_is_said),
        cmocka_unit_test(what_is_not_understood_stays),
        cmocka_unit_test(what_was_cut_short_is_removed),
        cmocka_unit_test(a_store_that_is_lost_is_not_made_up),
    };
    return cmocka_run_group_tests_name("defaults", tests, NULL, NULL);
}
