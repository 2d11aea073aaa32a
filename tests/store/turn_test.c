/* turn_test.c: when frames leave, in what order completions come, and what is written when nothing is asked for. */
#include "store/backends.h"

enum { MS = 1000000 };

static struct teak_store *open_lingering(const struct rig *rig, uint64_t linger_ns)
{
    struct teak_options options = backend_options();
    options.linger_ns = linger_ns;
    struct teak_store *store = rig_open_with(rig, &options, NULL);
    rig_create(store, 1);
    rig_drain(store);
    return store;
}

static void submit_hard_state(struct teak_store *store, uint64_t commit, uint32_t flags, uint64_t tag)
{
    struct teak_error error = {0};
    const struct teak_op op = {.op = TEAK_OP_HARD_STATE, .log = 1, .term = 1, .vote = 1, .commit = commit};
    const struct teak_batch batch = {.ops = &op, .count = 1, .flags = flags, .tag = tag};
    rig_ok(teak_submit(store, &batch, &error), &error);
}

/* Waits for the next completion; how long it took. */
static uint64_t next_completion(struct teak_store *store, uint64_t tag)
{
    const uint64_t began = rig_now_ns();
    struct teak_completion done;
    struct teak_error error = {0};
    uint32_t count = 0;
    while (count == 0) {
        rig_ok(teak_poll(store, UINT64_C(5000000000), &done, 1, &count, &error), &error);
        assert_true(rig_now_ns() - began < UINT64_C(20000000000));
    }
    assert_int_equal(done.tag, tag);
    assert_int_equal(done.status, TEAK_OK);
    return rig_now_ns() - began;
}

/* Its clock stands where it is, and goes when the test says so: however slow this machine is. */
static struct teak_store *open_still(const struct rig *rig, uint64_t linger_ns, struct faulty **out)
{
    struct teak_options options = backend_options();
    options.linger_ns = linger_ns;
    struct teak_store *store = backend_open_faulty(rig, &options, out);
    rig_create(store, 1);
    rig_drain(store);
    (*out)->stands_ns = disk_now((*out)->real);
    return store;
}

static void expect_nothing(struct teak_store *store)
{
    struct teak_completion done;
    struct teak_error error = {0};
    for (int turn = 0; turn < 20; turn++) {
        uint32_t count;
        rig_ok(teak_poll(store, 0, &done, 1, &count, &error), &error);
        assert_int_equal(count, 0);
    }
}

static void siblings_share_a_frame_while_it_lingers(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct faulty *faulty;
    struct teak_store *store = open_still(&rig, 50 * MS, &faulty);
    faulty->ahead_ns += 60 * MS; /* linger counts from the batch, not from the last turn */
    struct teak_stats before, after;
    teak_stats(store, &before);
    submit_hard_state(store, 1, 0, 1);
    faulty->ahead_ns += 40 * MS;
    expect_nothing(store);
    submit_hard_state(store, 2, 0, 2);
    faulty->ahead_ns += 10 * MS - 1;
    expect_nothing(store);
    faulty->ahead_ns += 1;
    next_completion(store, 1);
    next_completion(store, 2);
    teak_stats(store, &after);
    assert_int_equal(after.frames - before.frames, 1);
    rig_close(store);
    rig_remove(rig.dir);
}

enum { LARGE_ENTRY = 65536, LARGE_SEGMENT = 4 << 20, SMALL_ENTRIES = 4 };

/* The idle mark has landed, too. */
static bool is_supplied_and_still(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready && rig_stats(store).spares >= 1 && store->flight.in_flight == 0 &&
           store->writer.ends_in_mark;
}

static struct teak_store *open_large(const struct rig *rig, uint64_t linger_ns, uint32_t group_bytes)
{
    struct teak_options options = backend_options();
    options.segment_bytes = LARGE_SEGMENT;
    options.linger_ns = linger_ns;
    options.group_bytes = group_bytes;
    options.in_flight = 2;
    struct teak_store *store = rig_open_with(rig, &options, NULL);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, SMALL_ENTRIES, 1, 16);
    rig_drive_until(store, is_supplied_and_still, NULL); /* from now on nothing that a batch needs is lacking */
    return store;
}

/* Appends up to so many large entries, and does not poll. How many frames are at the disk then. */
static uint64_t at_disk_after(struct teak_store *store, uint64_t entries)
{
    static uint8_t data[LARGE_ENTRY];
    struct teak_error error = {0};
    for (uint64_t index = rig_log(store, 1).last.index + 1; index <= entries + SMALL_ENTRIES; index++) {
        rig_fill(data, LARGE_ENTRY, 1, index, 1);
        rig_ok(teak_append(store, 1, index, 1, data, LARGE_ENTRY, index, &error), &error);
    }
    return rig_stats(store).frames_in_flight;
}

static void a_large_frame_leaves_while_the_caller_submits(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_large(&rig, 0, 0);
    assert_int_equal(at_disk_after(store, 7), 0); /* 448 KiB */
    assert_int_equal(at_disk_after(store, 8), 1);
    assert_int_equal(at_disk_after(store, 15), 1);
    assert_int_equal(at_disk_after(store, 16), 2);
    assert_int_equal(at_disk_after(store, 24), 2); /* no lane is free */
    rig_drain(store);
    rig_expect_entries(store, 1, 1, 24 + SMALL_ENTRIES);
    rig_close(store);
    rig_remove(rig.dir);
}

static void small_full_frames_leave_together(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_large(&rig, 0, 2 * LARGE_ENTRY + 4096);
    assert_int_equal(at_disk_after(store, 7), 0);
    assert_int_equal(at_disk_after(store, 8), 2);
    rig_drain(store);
    rig_close(store);
    rig_remove(rig.dir);
}

static void what_lingers_does_not_hurry(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_large(&rig, 1000 * MS, 0);
    assert_int_equal(at_disk_after(store, 12), 0);
    rig_close(store);
    rig_remove(rig.dir);
}

static void an_urgent_batch_does_not_linger(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct faulty *faulty;
    struct teak_store *store = open_still(&rig, 1000 * MS, &faulty);
    submit_hard_state(store, 1, 0, 1);
    expect_nothing(store);
    submit_hard_state(store, 2, TEAK_URGENT, 2);
    next_completion(store, 1);
    next_completion(store, 2);
    submit_hard_state(store, 3, 0, 3);
    expect_nothing(store);
    struct teak_error error = {0};
    rig_ok(teak_barrier(store, 4, &error), &error); /* neither does what a barrier waits for */
    next_completion(store, 3);
    next_completion(store, 4);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 46. */
static void a_lazy_batch_rides_or_leaves_after_a_second(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct faulty *faulty;
    struct teak_store *store = open_still(&rig, 0, &faulty);
    submit_hard_state(store, 1, TEAK_LAZY, 1);
    expect_nothing(store);
    submit_hard_state(store, 2, 0, 2);
    next_completion(store, 1); /* it rides */
    next_completion(store, 2);
    submit_hard_state(store, 3, TEAK_LAZY, 3);
    faulty->ahead_ns += 1000 * MS - 1;
    expect_nothing(store);
    faulty->ahead_ns += 1;
    next_completion(store, 3); /* alone */
    submit_hard_state(store, 4, TEAK_LAZY, 4);
    struct teak_error error = {0};
    rig_ok(teak_barrier(store, 5, &error), &error);
    next_completion(store, 4); /* a barrier takes it along */
    next_completion(store, 5);
    submit_hard_state(store, 5, TEAK_LAZY, 6);
    rig_drain(store);
    submit_hard_state(store, 6, TEAK_LAZY, 7);
    rig_close(store); /* and so does closing */
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 1).hard.commit, 6);
    rig_close(store);
    rig_remove(rig.dir);
}

/* By the real clock: the time is not shorter than was promised, and waiting is not spinning. */
static void who_waits_for_a_lazy_batch_sleeps(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_lingering(&rig, 0);
    const clock_t spent = clock();
    submit_hard_state(store, 1, TEAK_LAZY, 1);
    assert_true(next_completion(store, 1) >= 990 * MS);
    assert_true(clock() - spent < CLOCKS_PER_SEC / 2);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 48. */
static void a_barrier_on_nothing_completes_at_once(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_lingering(&rig, 0);
    struct teak_error error = {0};
    struct teak_stats before, after;
    teak_stats(store, &before);
    rig_ok(teak_barrier(store, 9, &error), &error);
    assert_int_equal(teak_deadline(store), 0);
    next_completion(store, 9);
    teak_stats(store, &after);
    assert_int_equal(after.frames, before.frames);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 25. */
static void completions_come_in_order_of_submission(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_STRATEGY_COUNT; strategy++) {
        const struct rig rig = rig_make("turn");
        struct teak_options options = backend_options();
        options.strategy = strategy;
        options.in_flight = 8;
        options.group_bytes = RIG_BLOCK;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        struct teak_error error = {0};
        rig_ok(teak_create_log(store, 1, 0, &error), &error);
        uint64_t tag = 1, told = 0, lsn = 0;
        static uint8_t data[1500];
        struct teak_completion done[7];
        uint32_t count;
        while (tag <= 300) {
            rig_fill(data, sizeof data, 1, tag, 1);
            if (teak_append(store, 1, tag, 1, data, sizeof data, tag, &error) == TEAK_OK) {
                if (tag++ % 5) continue;
            }
            rig_ok(teak_poll(store, 0, done, 7, &count, &error), &error);
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(done[i].tag, told++);
                assert_true(done[i].lsn >= lsn);
                lsn = done[i].lsn;
            }
        }
        rig_ok(teak_barrier(store, 301, &error), &error);
        while (told <= 301) {
            rig_ok(teak_poll(store, 1000 * MS, done, 7, &count, &error), &error);
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(done[i].tag, told++);
                assert_true(done[i].lsn >= lsn);
                lsn = done[i].lsn;
            }
            struct teak_log is = rig_log(store, 1);
            assert_true(is.durable.index + 1 >= told || told > 300);
        }
        rig_close(store);
        rig_remove(rig.dir);
    }
}

/* Ten milliseconds after the last frame one mark is written, and the next commit completes under every strategy. */
static void an_idle_mark_is_written_once_and_is_in_nobodys_way(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_STRATEGY_COUNT; strategy++) {
        const struct rig rig = rig_make("turn");
        struct teak_options options = backend_options();
        options.strategy = strategy;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        rig_create(store, 1);
        rig_drain(store);
        for (uint64_t commit = 1; commit <= 3; commit++) {
            struct teak_stats before, after;
            teak_stats(store, &before);
            const uint64_t wanted = strategy == TEAK_NONE ? 0 : 1;
            struct teak_completion done;
            struct teak_error error = {0};
            uint32_t more = 0; /* turns after it was there, ten times the time that it takes to come */
            for (struct rig_patience patience = {0}; more < 60 && rig_waits(&patience);) {
                uint32_t count;
                rig_ok(teak_poll(store, 1 * MS, &done, 1, &count, &error), &error);
                teak_stats(store, &after);
                more += after.frames - before.frames == wanted;
                usleep(1500);
            }
            assert_int_equal(after.frames - before.frames, wanted);
            submit_hard_state(store, commit, 0, commit);
            next_completion(store, commit);
            teak_stats(store, &after);
            assert_int_equal(after.durable_lsn, after.last_lsn);
        }
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void a_poll_with_nothing_to_wait_for_returns(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    struct teak_store *store = open_lingering(&rig, 0);
    struct teak_completion done;
    struct teak_error error = {0};
    uint32_t count = 7;
    const uint64_t began = rig_now_ns();
    rig_ok(teak_poll(store, TEAK_FOREVER, &done, 1, &count, &error), &error);
    assert_int_equal(count, 0);
    assert_true(rig_now_ns() - began < UINT64_C(5000000000));
    rig_close(store);
    rig_remove(rig.dir);
}

static const struct disk_ops *counted_ops;
static uint64_t turns;

static uint32_t counting_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    turns++;
    return counted_ops->collect(disk, done, max, wait_ns);
}

enum { STEADY_WINDOW = 6, STEADY_ENTRIES = 3000, STEADY_BYTES = 2000, STEADY_KEPT = 32 };

/* A closed loop behind which the log is compacted: its segments are recycled. How often it polled. */
static uint64_t steady(struct teak_store *store)
{
    static uint8_t data[STEADY_BYTES];
    const uint64_t first = rig_log(store, 1).last.index + 1;
    uint64_t next = first, durable = first, polls = 0;
    struct teak_completion done[STEADY_WINDOW];
    struct teak_error error = {0};
    while (durable < first + STEADY_ENTRIES) {
        bool has_room = true;
        for (; has_room && next < durable + STEADY_WINDOW && next < first + STEADY_ENTRIES; next += has_room) {
            const struct teak_bytes entry = {.data = data, .bytes = STEADY_BYTES};
            const struct teak_op ops[] = {
                {.op = TEAK_OP_ENTRIES, .log = 1, .index = next, .term = 1, .entries = &entry, .count = 1},
                {.op = TEAK_OP_COMPACT, .log = 1, .index = next - STEADY_KEPT},
            };
            rig_fill(data, STEADY_BYTES, 1, next, 1);
            const struct teak_batch batch = {.ops = ops, .count = next % 8 == 0 && next > STEADY_KEPT ? 2 : 1};
            const enum teak_status status = teak_submit(store, &batch, &error);
            has_room = status != TEAK_FULL;
            if (has_room) rig_ok(status, &error);
        }
        uint32_t count;
        rig_ok(teak_poll(store, TEAK_FOREVER, done, STEADY_WINDOW, &count, &error), &error);
        durable += count;
        polls++;
    }
    return polls;
}

static void no_start(struct disk *disk)
{
    (void)disk;
    fail_msg("a frame that is neither full nor large was sent by itself");
}

/* The ring is entered once for each turn, to hand over what is new and to wait; no turn comes back with nothing. */
static void a_turn_makes_one_system_call(void **state)
{
    (void)state;
    const struct rig rig = rig_make("turn");
    const struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 1);
    (void)steady(store);
    struct disk *disk = store->disk;
    counted_ops = disk->ops;
    struct disk_ops counting = *counted_ops;
    counting.collect = counting_collect;
    counting.start = no_start;
    disk->ops = &counting;
    turns = 0;
    const struct disk_counters before = disk->counters;
    const uint64_t collected = disk->collected, recycled = rig_stats(store).recycled;
    const uint64_t polls = steady(store);
    const uint64_t enters = disk->counters.enters - before.enters, retries = disk->counters.retries - before.retries;
    const uint64_t ended = disk->collected - collected;
    print_message("%" PRIu64 " calls, %" PRIu64 " turns, %" PRIu64 " polls, %" PRIu64 " operations\n", enters, turns,
                  polls, ended);
    assert_true(rig_stats(store).recycled - recycled >= 20);
    if (backend_now == TEAK_BACKEND_URING) assert_true(enters <= turns + retries);
    assert_true(turns <= ended + polls);
    disk->ops = counted_ops;
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siblings_share_a_frame_while_it_lingers),
        cmocka_unit_test(an_urgent_batch_does_not_linger),
        cmocka_unit_test(a_large_frame_leaves_while_the_caller_submits),
        cmocka_unit_test(small_full_frames_leave_together),
        cmocka_unit_test(what_lingers_does_not_hurry),
        cmocka_unit_test(a_lazy_batch_rides_or_leaves_after_a_second),
        cmocka_unit_test(who_waits_for_a_lazy_batch_sleeps),
        cmocka_unit_test(a_barrier_on_nothing_completes_at_once),
        cmocka_unit_test(completions_come_in_order_of_submission),
        cmocka_unit_test(an_idle_mark_is_written_once_and_is_in_nobodys_way),
        cmocka_unit_test(a_turn_makes_one_system_call),
        cmocka_unit_test(a_poll_with_nothing_to_wait_for_returns),
    };
    return backends_run(argc, argv, "turn", tests, sizeof tests / sizeof tests[0]);
}
