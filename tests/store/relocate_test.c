/* relocate_test.c: a log that lags holds no store back: its live entries are moved forward, whatever happens meanwhile.
 * History 22.
 */
#define RIG_MOVES 0
#include "store/backends.h"
#include "format/segment_index.h"
#include "store/locate.h"
#include "store/reader.h"
#include "store/turn.h"

enum { CRASHES_MAX = 100 }; /* a slow disk leaves a job more moments to crash at than there is time for */
enum { LAGGING = 3, BUSY = 9, ENTRIES = 10, BYTES = 900, WINDOW = 40 };

/* Drives the store for a moment, taking what completes. */
static void turn_once(struct teak_store *store, uint64_t wait_ns)
{
    struct teak_completion done[64];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(store, wait_ns, done, 64, &count, &error), &error);
}

struct carried {
    uint64_t moved, forget;
};

/* A turn. REPLACE and FORGET ride with what must be durable: a frame for each, no more. */
static void turn_and_carry(struct teak_store *store, struct carried *carried)
{
    turn_once(store, 1000000);
    if (store->forget_lsn == carried->forget && rig_stats(store).moved_entries == carried->moved) return;
    carried->moved = rig_stats(store).moved_entries;
    carried->forget = store->forget_lsn;
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = BUSY, .term = 1});
    rig_drain(store);
}

static void begin(struct teak_store *store)
{
    rig_create(store, LAGGING);
    rig_create(store, BUSY);
    rig_append(store, LAGGING, 1, ENTRIES / 2, 1, BYTES);
    rig_append(store, LAGGING, ENTRIES / 2 + 1, ENTRIES, 2, BYTES);
    rig_drain(store);
}

/* One entry more of the log that goes on for ever; all but the last few are compacted. */
static void go_on(struct teak_store *store, uint64_t index)
{
    rig_append(store, BUSY, index, index, 5, BYTES);
    if (index % 8 == 0 && index > WINDOW)
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = BUSY, .index = index - WINDOW});
    if (index % 4 == 0) rig_drain(store);
}

/* Segments of 64 KiB are full before the chores of one have ended: a writer at full speed is ahead of them by a few. */
static uint64_t over_the_bound(struct teak_store *store)
{
    const struct teak_stats stats = rig_stats(store);
    const uint64_t bound = 2 * stats.live_bytes + 4 * (uint64_t)RIG_SEGMENT;
    return stats.disk_bytes > bound ? stats.disk_bytes - bound : 0;
}

static void a_log_that_lags_holds_nothing_back(void **state)
{
    (void)state;
    const struct rig rig = rig_make("lag");
    struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    begin(store);
    uint64_t highest = 0;
    for (uint64_t index = 1; index <= 4000; index++) {
        go_on(store, index);
        const uint64_t over = over_the_bound(store);
        if (over > highest) highest = over;
        if (index % 100 != 0) continue;
        struct carried carried = {0};
        for (struct rig_patience patience = {0}; over_the_bound(store) > 0 && rig_waits(&patience);)
            turn_and_carry(store, &carried);
        assert_int_equal(over_the_bound(store), 0);
    }
    printf("moved %" PRIu64 " entries; over the bound meanwhile at most %" PRIu64 " bytes\n",
           rig_stats(store).moved_entries, highest);
    assert_true(rig_stats(store).moved_entries >= ENTRIES);
    rig_expect_entries(store, LAGGING, 1, ENTRIES);
    const struct teak_log log = rig_log(store, LAGGING);
    assert_int_equal(log.durable.index, ENTRIES);
    assert_int_equal(log.durable.term, 2);
    rig_close(store);
    for (int reopened = 0; reopened < 2; reopened++) {
        store = rig_open_with(&rig, &options, NULL);
        rig_expect_entries(store, LAGGING, 1, ENTRIES);
        assert_true(rig_log(store, BUSY).last.index == 4000);
        go_on(store, 4001);
        rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = BUSY, .index = 4001});
        if (reopened == 0) {
            teak_abandon(store);
        } else {
            rig_close(store);
        }
    }
    store = rig_open_read_only(&rig, NULL);
    struct teak_verify_result result;
    struct teak_error error = {0};
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What a crash at this moment would leave, whatever was at the disk. */
static void expect_after_crash(const struct rig *rig, const struct rig *copy, uint64_t acknowledged, uint64_t submitted)
{
    rig_copy(rig, copy);
    struct teak_store *store = rig_open(copy, NULL);
    rig_expect_entries(store, LAGGING, 1, ENTRIES);
    const struct teak_log busy = rig_log(store, BUSY);
    assert_true(busy.last.index >= acknowledged && busy.last.index <= submitted);
    if (busy.last.index > busy.base.index) rig_expect_entries(store, BUSY, busy.first, busy.last.index);
    rig_close(store);
}

static void a_crash_at_any_operation_loses_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("crash"), copy = rig_make("crashcopy");
    const struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    begin(store);
    uint64_t index = 1, crashes = 0, acknowledged = 0;
    while (rig_stats(store).moved_entries < 3 * ENTRIES && index < 3000) {
        const uint64_t before = rig_stats(store).moved_entries;
        const bool is_moving = store->relocate.step != RELOCATE_IDLE;
        rig_append(store, BUSY, index, index, 5, BYTES);
        if (index % 8 == 0 && index > WINDOW)
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = BUSY, .index = index - WINDOW});
        for (uint64_t seen = 0; acknowledged < index;) {
            turn_once(store, 50000);
            if (rig_log(store, BUSY).durable.index >= index) acknowledged = index;
            if (store->disk->submitted == seen) continue;
            seen = store->disk->submitted;
            if (!is_moving && before == rig_stats(store).moved_entries && store->relocate.step == RELOCATE_IDLE &&
                store->forget_lsn == 0)
                continue;
            if (crashes++ < CRASHES_MAX) expect_after_crash(&rig, &copy, acknowledged, index);
        }
        index++;
    }
    printf("%" PRIu64 " crashes, %" PRIu64 " entries moved\n", crashes, rig_stats(store).moved_entries);
    assert_true(crashes > 20);
    assert_true(rig_stats(store).moved_entries >= 3 * ENTRIES);
    rig_close(store);
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* The job stops when it has read and verified, until it is given something to spend. */
static struct teak_options options_of_a_job_that_waits(void)
{
    struct teak_options options = backend_options();
    options.move_bytes_per_second = 1;
    return options;
}

/* Whose entries are to be written next; 0: nobody's. */
static uint64_t log_at_hand(const struct relocate *relocate)
{
    if (relocate->step != RELOCATE_PUT) return 0;
    struct touched touched;
    touched_get(relocate->summary, relocate->notes[relocate->note].record, &touched);
    return touched.log;
}

static uint64_t go_on_until_read(struct teak_store *store)
{
    uint64_t index = 1;
    store->relocate.budget = INT32_MIN;
    while (log_at_hand(&store->relocate) != LAGGING) {
        assert_true(index < 2000);
        go_on(store, index++);
    }
    return index;
}

static void drop_again(struct teak_store *store)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = LAGGING});
    rig_create(store, LAGGING);
    rig_append(store, LAGGING, 1, ENTRIES, 7, 20);
}

static void cut_tail(struct teak_store *store)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = LAGGING, .index = 4});
    rig_append(store, LAGGING, 4, ENTRIES, 8, 20);
}

static void compact_all(struct teak_store *store)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = LAGGING, .index = ENTRIES});
}

static void install_snapshot(struct teak_store *store)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = LAGGING, .index = 100, .term = 9});
}

/* Between reading and writing the entries go: none of them comes back. */
static void what_went_meanwhile_does_not_come_back(void **state)
{
    (void)state;
    const struct { void (*change)(struct teak_store *store); uint64_t first, last; bool refused; } rows[] = {
        {drop_again, 1, ENTRIES, false}, {cut_tail, 1, ENTRIES, true}, {compact_all, ENTRIES + 1, ENTRIES, false},
        {install_snapshot, 101, 100, false}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const struct rig rig = rig_make("meanwhile");
        const struct teak_options options = options_of_a_job_that_waits();
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        begin(store);
        uint64_t index = go_on_until_read(store);
        rows[row].change(store);
        rig_drain(store);
        store->relocate.budget = INT32_MAX;
        for (int more = 0; more < 300; more++) go_on(store, index++);
        /* where none is refused the job has ended by itself */
        for (struct rig_patience patience = {0}; rows[row].refused && rig_stats(store).moves_refused == 0;) {
            assert_true(rig_waits(&patience));
            go_on(store, index++);
        }
        for (int reopened = 0; reopened < 2; reopened++) {
            const struct teak_log log = rig_log(store, LAGGING);
            assert_int_equal(log.first, rows[row].first);
            assert_int_equal(log.last.index, rows[row].last);
            if (log.last.index >= log.first) rig_expect_entries(store, LAGGING, log.first, log.last.index);
            rig_close(store);
            if (reopened == 0) store = rig_open(&rig, NULL);
        }
        rig_remove(rig.dir);
    }
}

static void rot_is_not_moved_and_its_log_is_named(void **state)
{
    (void)state;
    const struct rig rig = rig_make("rotlag");
    const struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    begin(store);
    uint64_t index = 1;
    while (rig_stats(store).newest_segment < 3) go_on(store, index++);
    struct place place;
    struct teak_error error = {0};
    rig_ok(reader_hold(store, segment_at(&store->segments, 1), &error), &error);
    assert_true(locate(&store->segments, logs_find(&store->logs, LAGGING), 1, &place));
    assert_int_equal(place.segment->number, 1);
    rig_flip(&rig, "0000000000000001.seg", place.offset + 5, 0x10);
    for (struct rig_patience patience = {0}; rig_stats(store).moves_rotten == 0 && rig_waits(&patience);)
        go_on(store, index++);
    for (int more = 0; more < 600; more++) go_on(store, index++);
    const struct teak_stats stats = rig_stats(store);
    assert_true(stats.moves_rotten > 0);
    assert_int_equal(stats.oldest_segment, 1);
    struct teak_lagging lagging[4];
    assert_int_equal(teak_lagging(store, lagging, 4), 1);
    assert_int_equal(lagging[0].log, LAGGING);
    assert_int_equal(lagging[0].segment, 1);
    assert_true(lagging[0].entries > 0 && lagging[0].bytes >= lagging[0].entries * BYTES);
    struct teak_cursor *cursor;
    struct teak_entry entry;
    uint32_t count;
    rig_ok(teak_cursor_open(store, LAGGING, 1, &cursor, &error), &error);
    assert_int_equal(teak_cursor_read(cursor, 1, &entry, 1, &count, &error), TEAK_HASH_MISMATCH);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 26: what is durable stays so, and readable, while its copy is on its way and then fails. */
static void poison_loses_nothing_that_was_being_moved(void **state)
{
    (void)state;
    const struct rig rig = rig_make("poisonlag");
    const struct teak_options options = options_of_a_job_that_waits();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    begin(store);
    (void)go_on_until_read(store);
    rig_drain(store);
    faulty->holds_writes = true;
    store->relocate.budget = 1;
    struct teak_error error = {0};
    uint32_t count;
    for (struct rig_patience patience = {0}; rig_stats(store).moved_entries == 0 && rig_waits(&patience);)
        turn_once(store, 100000);
    assert_true(rig_stats(store).moved_entries > 0);
    assert_int_equal(rig_log(store, LAGGING).durable.index, ENTRIES);
    rig_append(store, BUSY, rig_log(store, BUSY).last.index + 1, rig_log(store, BUSY).last.index + 1, 5, BYTES);
    for (struct rig_patience patience = {0}; faulty->held_count == 0 && rig_waits(&patience);)
        turn_once(store, 100000);
    assert_true(faulty->held_count > 0);
    faulty_fail_held(faulty, EIO);
    faulty->holds_writes = false;
    enum teak_status status = TEAK_OK;
    struct teak_completion done[16];
    for (struct rig_patience patience = {0}; status == TEAK_OK && rig_waits(&patience);)
        status = teak_poll(store, 100000, done, 16, &count, &error);
    assert_int_equal(status, TEAK_POISONED);
    rig_expect_entries(store, LAGGING, 1, ENTRIES);
    assert_int_equal(rig_log(store, LAGGING).durable.index, ENTRIES);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    store = rig_open(&rig, NULL);
    rig_expect_entries(store, LAGGING, 1, ENTRIES);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What the opening meets then: a truncation down to an entry whose segment is gone. Its term is told further on, by the
 * REPLACE that brings it again, or by the compaction that took it. */
static void a_truncation_may_meet_what_was_moved_after_it(void **state)
{
    (void)state;
    for (int compacts = 0; compacts < 2; compacts++) {
        const struct rig rig = rig_make("metlater");
        const struct teak_options options = options_of_a_job_that_waits();
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        begin(store);
        uint64_t index = 1;
        store->relocate.budget = INT32_MIN;
        while (rig_stats(store).newest_segment < 4) go_on(store, index++);
        rig_drain(store);
        const uint64_t active = rig_stats(store).newest_segment;
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = BUSY, .index = index - 1});
        rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = LAGGING, .index = ENTRIES - 1});
        if (compacts) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = LAGGING, .index = ENTRIES - 2});
        rig_drain(store);
        store->relocate.budget = INT32_MAX;
        struct carried carried = {0};
        for (struct rig_patience patience = {0}; rig_stats(store).oldest_segment == 1 && rig_waits(&patience);)
            turn_and_carry(store, &carried);
        assert_true(rig_stats(store).oldest_segment > 1);
        assert_int_equal(rig_stats(store).newest_segment, active);
        const struct teak_log before = rig_log(store, LAGGING);
        teak_abandon(store);
        for (int reopened = 0; reopened < 2; reopened++) {
            store = rig_open(&rig, NULL);
            const struct teak_log log = rig_log(store, LAGGING);
            assert_int_equal(log.last.index, ENTRIES - 2);
            assert_int_equal(log.last.term, 2);
            assert_memory_equal(&log.last, &before.last, sizeof log.last);
            assert_memory_equal(&log.base, &before.base, sizeof log.base);
            assert_memory_equal(&log.durable, &before.durable, sizeof log.durable);
            if (!compacts) rig_expect_entries(store, LAGGING, 1, ENTRIES - 2);
            rig_close(store);
        }
        rig_remove(rig.dir);
    }
}

/* A rate that was asked for is kept. */
static void moving_is_bounded_per_second(void **state)
{
    (void)state;
    const struct rig rig = rig_make("slowlag");
    struct teak_options options = backend_options();
    options.move_bytes_per_second = 1; /* after the first entries nothing for a quarter of an hour */
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, LAGGING);
    rig_create(store, BUSY);
    for (uint64_t index = 1; index <= ENTRIES; index++) rig_append(store, LAGGING, index, index, index, BYTES);
    rig_drain(store);
    uint64_t index = 1;
    for (struct rig_patience patience = {0}; rig_stats(store).moved_entries == 0 && rig_waits(&patience);)
        go_on(store, index++);
    for (const uint64_t enough = index + 600; index < enough;) go_on(store, index++);
    assert_int_equal(rig_stats(store).moved_entries, 1);
    struct teak_lagging lagging[4];
    assert_int_equal(teak_lagging(store, lagging, 4), 1);
    assert_int_equal(lagging[0].log, LAGGING);
    assert_int_equal(lagging[0].entries, ENTRIES - 1);
    rig_expect_entries(store, LAGGING, 1, ENTRIES);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The mover is in the middle of a segment of which nothing is needed any more: closing the store gives it back. The
 * file counts as about to come until the FORGET is durable, not while it is only held. */
static void closing_takes_from_the_mover_what_is_forgotten(void **state)
{
    (void)state;
    const struct rig rig = rig_make("letgo");
    const struct teak_options options = options_of_a_job_that_waits();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    begin(store);
    (void)go_on_until_read(store);
    const struct teak_op ops[] = {
        {.op = TEAK_OP_COMPACT, .log = LAGGING, .index = ENTRIES},
        {.op = TEAK_OP_COMPACT, .log = BUSY, .index = rig_log(store, BUSY).last.index},
    };
    struct teak_error error = {0};
    rig_ok(teak_submit(store, &(struct teak_batch){.ops = ops, .count = 2}, &error), &error);
    const uint64_t held = store->relocate.segment;
    bool was_coming = false, was_held = false;
    for (struct rig_patience patience = {0}; store->segments.oldest <= held && rig_waits(&patience);) {
        const uint64_t durable = store->flight.durable_lsn;
        turn(store, 0, true);
        const bool is_coming = store->forget_lsn > durable;
        was_coming |= is_coming;
        was_held |= store->forget_lsn && !is_coming;
        assert_int_equal(store->pool.coming, is_coming ? store->forget_upto - store->segments.oldest : 0);
    }
    assert_true(store->segments.oldest > held);
    assert_true(was_coming && was_held);
    rig_drain(store);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(void)
{
    backend_now = TEAK_BACKEND_AUTO;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_lags_holds_nothing_back),
        cmocka_unit_test(a_crash_at_any_operation_loses_nothing),
        cmocka_unit_test(what_went_meanwhile_does_not_come_back),
        cmocka_unit_test(closing_takes_from_the_mover_what_is_forgotten),
        cmocka_unit_test(rot_is_not_moved_and_its_log_is_named),
        cmocka_unit_test(poison_loses_nothing_that_was_being_moved),
        cmocka_unit_test(a_truncation_may_meet_what_was_moved_after_it),
        cmocka_unit_test(moving_is_bounded_per_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
