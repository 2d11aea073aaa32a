/* poison_test.c: a write or a sync fails. Nothing more is written, every pending batch and every later one is told so,
 * what was durable is still read, and reopening finds it.
 */
#include "store/backends.h"

enum { DURABLE = 40, PENDING = 5 };

static const enum teak_strategy strategies[] = {TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC, TEAK_BUFFERED};

struct scene {
    struct rig rig;
    struct faulty *faulty;
    struct teak_store *store;
};

static struct teak_options poison_options(void)
{
    struct teak_options options = backend_options();
    options.segment_bytes = 1 << 20;
    return options;
}

static struct teak_store *open_again(const struct rig *rig)
{
    const struct teak_options options = poison_options();
    return rig_open_with(rig, &options, NULL);
}

/* While tables grow it is full; that needs no write. */
static void submit_held(struct teak_store *store, struct teak_op op, uint64_t tag)
{
    struct teak_error error = {0};
    enum teak_status status;
    for (int i = 0; i < 100; i++) {
        status = teak_submit(store, &(struct teak_batch){.ops = &op, .count = 1, .tag = tag}, &error);
        if (status != TEAK_FULL) break;
        uint32_t count;
        rig_ok(teak_poll(store, 1000000, NULL, 0, &count, &error), &error);
    }
    rig_ok(status, &error);
}

static void append_held(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term, uint64_t tag)
{
    uint8_t data[600];
    rig_fill(data, sizeof data, log, index, term);
    const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
    submit_held(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term,
                                        .entries = &entry, .count = 1}, tag);
}

/* Log 1: DURABLE entries of term 1; log 2: the same, and a hard state. */
static struct scene begin(enum teak_strategy strategy)
{
    struct scene scene = {.rig = rig_make("poison")};
    struct teak_options options = poison_options();
    options.strategy = strategy;
    scene.store = backend_open_faulty(&scene.rig, &options, &scene.faulty);
    for (uint64_t log = 1; log <= 2; log++) {
        rig_create(scene.store, log);
        rig_append(scene.store, log, 1, DURABLE, 1, 600);
    }
    rig_do(scene.store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 2, .term = 1, .vote = 3, .commit = 2});
    rig_drain(scene.store);
    return scene;
}

/* Everything that is pending ends POISONED, in order, tags first .. last; then the cause itself. */
static void expect_poisoned(struct teak_store *store, uint64_t first, uint64_t last)
{
    struct teak_completion done[3];
    struct teak_error error = {0};
    uint32_t count;
    uint64_t next = first;
    for (int turns = 0; turns < 100; turns++) {
        const enum teak_status status = teak_poll(store, 100000000, done, 3, &count, &error);
        for (uint32_t i = 0; i < count; i++, next++) {
            assert_int_equal(done[i].tag, next);
            assert_int_equal(done[i].status, TEAK_POISONED);
        }
        if (status == TEAK_OK) continue;
        assert_int_equal(status, TEAK_POISONED);
        assert_int_equal(next, last + 1);
        assert_int_equal(error.status, TEAK_POISONED);
        assert_int_equal(error.os_errno, EIO);
        char text[256];
        teak_error_text(&error, text, sizeof text);
        assert_non_null(strstr(text, "poisoned"));
        assert_non_null(strstr(text, ".seg"));
        return;
    }
    fail_msg("the poison never showed");
}

static void expect_durable_entries(struct teak_store *store, uint64_t log, uint64_t last)
{
    rig_expect_entries(store, log, 1, last);
    const struct teak_log is = rig_log(store, log);
    assert_int_equal(is.last.term, 1);
    assert_int_equal(is.durable.index, last);
    assert_int_equal(is.durable.term, 1);
}

static void expect_everything_is_refused(struct teak_store *store)
{
    struct teak_error error = {0};
    void *memory;
    uint32_t count;
    assert_int_equal(teak_append(store, 1, DURABLE + 1, 1, "x", 1, 0, &error), TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    assert_int_equal(teak_create_log(store, 99, 0, &error), TEAK_POISONED);
    assert_int_equal(teak_barrier(store, 0, &error), TEAK_POISONED);
    assert_int_equal(teak_reserve(store, 8, 1, &memory, &error), TEAK_POISONED);
    for (int i = 0; i < 2; i++) { /* nothing is owed any more, and what was is not known to be durable */
        error = (struct teak_error){0};
        assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
        assert_int_equal(error.os_errno, EIO);
    }
    assert_int_equal(teak_poll(store, TEAK_FOREVER, NULL, 0, &count, &error), TEAK_POISONED);
    assert_int_equal(teak_deadline(store), TEAK_NO_DEADLINE);
}

static void end(struct scene *scene)
{
    uint64_t tried[DISK_KIND_COUNT];
    memcpy(tried, scene->faulty->tried, sizeof tried);
    struct teak_error error = {0};
    assert_int_equal(teak_close(scene->store, &error), TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    for (enum disk_kind kind = 0; kind < DISK_KIND_COUNT; kind++)
        if (kind != DISK_CLOSE) assert_int_equal(faulty_tried_at_end[kind], tried[kind]);
    /* what was durable is there again; what was pending may be */
    struct teak_store *store = open_again(&scene->rig);
    for (uint64_t log = 1; log <= 2; log++) {
        const struct teak_log is = rig_log(store, log);
        assert_true(is.last.index >= 1 && is.last.index <= DURABLE + PENDING);
        assert_int_equal(is.durable.index, is.last.index);
        rig_expect_entries(store, log, 1, is.last.index);
    }
    assert_int_equal(rig_log(store, 2).hard.vote, 3);
    rig_append(store, 2, rig_log(store, 2).last.index + 1, DURABLE + 20, 9, 50);
    rig_close(store);
    rig_remove(scene->rig.dir);
}

static void append_pending(struct teak_store *store)
{
    for (uint64_t i = 1; i <= PENDING; i++) append_held(store, 1, DURABLE + i, 1, i);
}

/* History 26. */
static void a_failed_write_poisons_under_every_strategy(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof strategies / sizeof strategies[0]; s++)
        for (int lands = 0; lands <= 1; lands++) {
            struct scene scene = begin(strategies[s]);
            faulty_arm(scene.faulty, DISK_WRITE, 1, EIO);
            scene.faulty->lands_anyway = lands != 0;
            append_pending(scene.store);
            expect_poisoned(scene.store, 1, PENDING);
            expect_durable_entries(scene.store, 1, DURABLE);
            expect_durable_entries(scene.store, 2, DURABLE);
            expect_everything_is_refused(scene.store);
            end(&scene);
        }
}

static void a_failed_sync_poisons_and_is_never_asked_again(void **state)
{
    (void)state;
    for (int lands = 0; lands <= 1; lands++) {
        struct scene scene = begin(TEAK_FDATASYNC);
        faulty_arm(scene.faulty, DISK_SYNC, 1, EIO);
        scene.faulty->lands_anyway = lands != 0;
        append_pending(scene.store);
        expect_poisoned(scene.store, 1, PENDING);
        const uint64_t syncs = scene.faulty->tried[DISK_SYNC];
        expect_durable_entries(scene.store, 1, DURABLE);
        expect_everything_is_refused(scene.store);
        assert_int_equal(scene.faulty->tried[DISK_SYNC], syncs);
        end(&scene);
    }
}

static void a_failed_write_of_an_index_poisons(void **state)
{
    (void)state;
    struct scene scene = begin(TEAK_AUTO);
    struct faulty_index fault;
    faulty_arm_at_index(scene.faulty, DISK_WRITE, &fault);
    struct teak_error error = {0};
    uint64_t next = DURABLE + 1;
    uint8_t data[600];
    enum teak_status status = TEAK_OK;
    for (struct rig_patience patience = {0}; status != TEAK_POISONED && rig_waits(&patience);) {
        rig_fill(data, sizeof data, 1, next, 1);
        status = teak_append(scene.store, 1, next, 1, data, sizeof data, next, &error);
        if (status == TEAK_OK) next++;
        struct teak_completion done[16];
        uint32_t count;
        if (status == TEAK_FULL || next % 8 == 0) status = teak_poll(scene.store, 20000000, done, 16, &count, &error);
    }
    assert_true(fault.is_armed);
    assert_int_equal(scene.faulty->struck, 1);
    assert_int_equal(status, TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    const struct teak_log is = rig_log(scene.store, 1);
    assert_true(is.last.index >= DURABLE);
    rig_expect_entries(scene.store, 1, 1, is.last.index);
    teak_abandon(scene.store);
    struct teak_store *store = open_again(&scene.rig);
    assert_true(rig_log(store, 1).last.index >= DURABLE);
    rig_close(store);
    rig_remove(scene.rig.dir);
}

/* History 26. What a pending batch replaced is not read any more: last falls back to what is certain. */
static void last_falls_back_below_a_pending_truncation(void **state)
{
    (void)state;
    struct scene scene = begin(TEAK_AUTO);
    scene.faulty->holds_writes = true;
    submit_held(scene.store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 31}, 1);
    assert_int_equal(rig_log(scene.store, 1).durable.index, 30);
    append_held(scene.store, 1, 31, 2, 2);
    assert_int_equal(rig_log(scene.store, 1).durable.index, 30);
    assert_int_equal(rig_log(scene.store, 1).last.term, 2);
    submit_held(scene.store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 2, .index = DURABLE}, 3);
    append_held(scene.store, 2, DURABLE + 1, 4, 4);
    assert_int_equal(rig_log(scene.store, 2).durable.index, DURABLE);
    assert_int_equal(rig_log(scene.store, 2).durable.term, 1);
    submit_held(scene.store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 3}, 5);
    scene.faulty->holds_writes = false;
    faulty_fail_held(scene.faulty, EIO); /* if tables had to grow a frame is on its way already */
    faulty_arm(scene.faulty, DISK_WRITE, 1, EIO);
    expect_poisoned(scene.store, 1, 5);
    expect_durable_entries(scene.store, 1, 30);
    const struct teak_log two = rig_log(scene.store, 2);
    assert_int_equal(two.last.index, DURABLE);
    assert_int_equal(two.last.term, 1);
    assert_int_equal(two.durable.index, DURABLE);
    expect_everything_is_refused(scene.store);
    end(&scene);
}

static bool stands_still(struct teak_store *store, void *context)
{
    (void)context;
    return store->writer.ends_in_mark && store->disk->submitted == store->disk->collected;
}

/* More logs than the active segment has effects for: all of them fall back. */
static void many_logs_fall_back_at_once(void **state)
{
    (void)state;
    const struct rig rig = rig_make("poison");
    struct teak_options options = poison_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    enum { LOGS = 300 };
    for (uint64_t log = 1; log <= LOGS; log++) {
        rig_create(store, log);
        rig_append(store, log, 5, 7, 1, 20);
    }
    rig_drain(store);
    rig_close(store);
    store = backend_open_faulty(&rig, &options, &faulty);
    rig_append(store, 1, 8, 8, 1, 20); /* a segment or a stretch of its own, with few effects */
    rig_drain(store);
    rig_drive_until(store, stands_still, NULL); /* else an idle mark may come first */
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    struct teak_error error = {0};
    static struct teak_op ops[LOGS];
    const struct teak_bytes entry = {.data = "later", .bytes = 5};
    for (uint32_t i = 0; i < LOGS; i++)
        ops[i] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = i + 1, .index = i == 0 ? 9 : 8, .term = 2,
                                  .entries = &entry, .count = 1};
    enum teak_status status;
    uint32_t count;
    struct teak_completion done[4];
    const struct teak_batch batch = {.ops = ops, .count = LOGS, .tag = 1};
    while ((status = teak_submit(store, &batch, &error)) == TEAK_FULL)
        (void)teak_poll(store, 1000000, done, 4, &count, &error);
    rig_ok(status, &error);
    expect_poisoned(store, 1, 1);
    for (uint64_t log = 1; log <= LOGS; log++) {
        const struct teak_log is = rig_log(store, log);
        assert_int_equal(is.last.index, log == 1 ? 8 : 7);
        assert_int_equal(is.last.term, 1);
        assert_int_equal(is.durable.index, is.last.index);
        rig_expect_entries(store, log, 5, is.last.index);
    }
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    store = open_again(&rig);
    assert_int_equal(rig_log(store, 2).last.index, 7);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The frame behind a failed one lands: it is not durable, for there is a hole before it. */
static void what_lands_behind_a_failure_is_not_durable(void **state)
{
    (void)state;
    struct scene scene = begin(TEAK_DSYNC);
    scene.faulty->holds_writes = true;
    append_pending(scene.store);
    uint32_t count;
    struct teak_completion done[8];
    struct teak_error error = {0};
    rig_ok(teak_poll(scene.store, 0, done, 8, &count, &error), &error);
    assert_int_equal(count, 0);
    assert_int_equal(scene.faulty->held_count, 1);
    faulty_arm(scene.faulty, DISK_WRITE, 1, EIO);
    append_held(scene.store, 2, DURABLE + 1, 1, PENDING + 1);
    faulty_release_all(scene.faulty); /* the first lands, the second fails */
    uint32_t ok = 0, poisoned = 0;
    enum teak_status status;
    while ((status = teak_poll(scene.store, 100000000, done, 8, &count, &error)) == TEAK_OK)
        for (uint32_t i = 0; i < count; i++) {
            ok += done[i].status == TEAK_OK;
            poisoned += done[i].status == TEAK_POISONED;
        }
    assert_int_equal(status, TEAK_POISONED);
    assert_int_equal(ok, PENDING);
    assert_int_equal(poisoned, 1);
    expect_durable_entries(scene.store, 1, DURABLE + PENDING);
    expect_durable_entries(scene.store, 2, DURABLE);
    assert_int_equal(teak_close(scene.store, &error), TEAK_POISONED);
    rig_remove(scene.rig.dir);
}

/* An idle mark is a write like any other. */
static void a_failed_idle_mark_poisons(void **state)
{
    (void)state;
    struct scene scene = begin(TEAK_AUTO);
    faulty_arm(scene.faulty, DISK_WRITE, 1, EIO);
    uint32_t count;
    struct teak_completion done[1];
    struct teak_error error = {0};
    enum teak_status status = TEAK_OK;
    for (struct rig_patience patience = {0}; status == TEAK_OK && rig_waits(&patience);) {
        status = teak_poll(scene.store, 1000000, done, 1, &count, &error);
        disk_pause(scene.faulty->real, 1000000);
    }
    assert_int_equal(status, TEAK_POISONED);
    expect_durable_entries(scene.store, 1, DURABLE);
    end(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_poisons_under_every_strategy),
        cmocka_unit_test(a_failed_sync_poisons_and_is_never_asked_again),
        cmocka_unit_test(a_failed_write_of_an_index_poisons),
        cmocka_unit_test(last_falls_back_below_a_pending_truncation),
        cmocka_unit_test(many_logs_fall_back_at_once),
        cmocka_unit_test(what_lands_behind_a_failure_is_not_durable),
        cmocka_unit_test(a_failed_idle_mark_poisons),
    };
    return backends_run(argc, argv, "poison", tests, sizeof tests / sizeof tests[0]);
}
