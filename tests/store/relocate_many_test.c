/* relocate_many_test.c: moving entries where many logs took turns in a segment: it is read once, front to back; and
 * where logs bear marks.
 */
#define RIG_MOVES 0
#include "store/damage.h"
#include "store/store.h"

enum { LOGS = 60, FIRST = 100, ENTRIES = 12, BYTES = 60, BUSY = 9, BUSY_BYTES = 900, WINDOW = 40 };
enum { ROUNDS = 500, HURT = 7 };

/* One entry more of the log that goes on for ever; all but the last few are compacted. */
static void go_on(struct teak_store *store, uint64_t index)
{
    rig_append(store, BUSY, index, index, 5, BUSY_BYTES);
    if (index % 8 == 0 && index > WINDOW)
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = BUSY, .index = index - WINDOW});
    if (index % 4 == 0) rig_drain(store);
}

/* Entry `index` of each log, in one batch. */
static void append_in_turn(struct teak_store *store, uint64_t index, uint64_t term)
{
    static uint8_t data[LOGS][BYTES];
    struct teak_bytes entries[LOGS];
    struct teak_op ops[LOGS];
    struct teak_error error = {0};
    for (uint64_t i = 0; i < LOGS; i++) {
        rig_fill(data[i], BYTES, FIRST + i, index, term);
        entries[i] = (struct teak_bytes){data[i], BYTES};
        ops[i] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = FIRST + i, .index = index, .term = term,
                                  .kind = (uint8_t)(index % 5 == 0), .entries = &entries[i], .count = 1};
    }
    rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = LOGS}, &error), &error);
}

static void expect_in_turn(struct teak_store *store)
{
    for (uint64_t i = 0; i < LOGS; i++) rig_expect_entries(store, FIRST + i, 1, ENTRIES);
}

static bool is_within_the_bound(struct teak_store *store)
{
    const struct teak_stats stats = rig_stats(store);
    return stats.disk_bytes <= 2 * stats.live_bytes + 4 * (uint64_t)RIG_SEGMENT;
}

/* However slow the disk is. FORGET and REPLACE ride with what must be durable: now and then something must. */
static void come_within_the_bound(struct teak_store *store)
{
    uint64_t commit = rig_log(store, BUSY).hard.commit;
    for (uint32_t turns = 1; !is_within_the_bound(store); turns++) {
        struct teak_completion done[16];
        struct teak_error error = {0};
        uint32_t count;
        assert_true(turns < 100000);
        rig_ok(teak_poll(store, 1000000, done, 16, &count, &error), &error);
        if (count == 0) usleep(1000);
        if (turns % 50 != 0) continue;
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = BUSY, .commit = ++commit});
        rig_drain(store);
    }
}

/* `notes`: how many entries the mover notes at a time; 0: as always. */
static void move_in_turn(uint32_t notes)
{
    const struct rig rig = rig_make("inturn"), copy = rig_make("inturncopy");
    const struct teak_options options = backend_options();
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    if (notes) store->relocate.notes_max = notes;
    rig_create(store, BUSY);
    for (uint64_t i = 0; i < LOGS; i++) rig_create(store, FIRST + i);
    for (uint64_t index = 1; index <= ENTRIES; index++) append_in_turn(store, index, 1 + index / 4);
    rig_drain(store);
    uint64_t crashes = 0, moved = 0;
    for (uint64_t index = 1; index <= ROUNDS; index++) {
        go_on(store, index);
        if (rig_stats(store).moved_entries != moved && index % 3 == 0 && crashes < 10) { /* a crash at this moment */
            moved = rig_stats(store).moved_entries;
            rig_copy(&rig, &copy);
            struct teak_store *again = rig_open(&copy, NULL);
            expect_in_turn(again);
            rig_close(again);
            crashes++;
        }
        if (index % 100 == 0) come_within_the_bound(store);
    }
    const struct teak_stats stats = rig_stats(store);
    printf("%" PRIu64 " entries moved with %" PRIu64 " reads out of %" PRIu64 " segments, %" PRIu64 " crashes\n",
           stats.moved_entries, store->relocate.reads, stats.oldest_segment - 1, crashes);
    assert_true(stats.moved_entries >= LOGS * ENTRIES && crashes > 0);
    assert_int_equal(stats.moves_rotten, 0);
    /* summary, slots, window: of each segment once, or twice where a job was begun again */
    if (!notes) assert_true(store->relocate.reads <= 2 * 3 * stats.newest_segment);
    expect_in_turn(store);
    struct teak_lagging lagging[LOGS + 1];
    const uint32_t count = teak_lagging(store, lagging, LOGS + 1);
    for (uint32_t i = 0; i < count; i++) assert_int_equal(lagging[i].segment, stats.oldest_segment);
    teak_abandon(store);
    store = rig_open_with(&rig, &options, NULL);
    expect_in_turn(store);
    rig_close(store);
    store = rig_open_read_only(&rig, NULL);
    struct teak_verify_result result;
    struct teak_error error = {0};
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    expect_in_turn(store);
    rig_close(store);
    rig_remove(rig.dir);
    rig_remove(copy.dir);
}

static void logs_in_turn_are_moved_with_few_reads(void **state)
{
    (void)state;
    move_in_turn(0);
}

static void a_segment_with_more_than_can_be_noted_is_read_again(void **state)
{
    (void)state;
    move_in_turn(100);
}

/* ---- marks ---- */

struct marked {
    struct teak_log logs[2];
};

static void expect_marked(struct teak_store *store, const struct marked *marked)
{
    for (uint64_t i = 0; i < 2; i++) {
        const struct teak_log log = rig_log(store, HURT + i);
        assert_int_equal(log.marks, marked->logs[i].marks);
        assert_int_equal(log.hard.commit, marked->logs[i].hard.commit);
        rig_expect_entries(store, HURT + i, marked->logs[i].first, marked->logs[i].last.index);
    }
}

/* Two logs that share frames, one of which is then hurt: `offset` in it. */
static void make_hurt(const struct rig *rig, uint64_t offset)
{
    struct teak_store *store = backend_open(rig);
    rig_create(store, HURT);
    rig_create(store, HURT + 1);
    rig_drain(store);
    for (uint64_t index = 1; index <= 6; index++) {
        rig_append(store, HURT, index, index, 1, BYTES);
        rig_append(store, HURT + 1, index, index, 1, BYTES);
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = HURT, .term = 1, .commit = index});
        rig_drain(store);
    }
    teak_abandon(store);
    struct found_frame frames[32];
    const uint32_t count = damage_frames(rig, 1, frames, 32);
    uint32_t hurt = count, seen = 0;
    for (uint32_t i = 0; i < count && hurt == count; i++)
        if (frames[i].entries > 0 && ++seen == 4) hurt = i;
    assert_true(hurt < count);
    rig_flip(rig, "0000000000000001.seg", frames[hurt].offset + offset, 0x40);
}

/* What is left of a log that is hurt is moved like any other's, and the marks stay until it is dropped. */
static void marks_stay_while_what_is_left_is_moved(void **state)
{
    (void)state;
    const struct { uint64_t offset; uint32_t marks, others; } rows[] = {
        {HEAD_BYTES + 10, TEAK_TAIL_LOST, 0}, /* a payload */
        /* a head: nobody knows what the frame said; only one of them has told its hard state since */
        {20, TEAK_TAIL_LOST, TEAK_TAIL_LOST | TEAK_HARD_STATE_SUSPECT}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        const struct rig rig = rig_make("marked"), copy = rig_make("markedcopy");
        make_hurt(&rig, rows[row].offset);
        struct teak_options options = backend_options();
        struct teak_error error = {0};
        options.on_damage = TEAK_QUARANTINE;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        const struct marked marked = {.logs = {rig_log(store, HURT), rig_log(store, HURT + 1)}};
        assert_int_equal(marked.logs[0].marks, rows[row].marks);
        assert_int_equal(marked.logs[1].marks, rows[row].others);
        rig_create(store, BUSY);
        uint64_t index = 1;
        while (rig_stats(store).moved_entries < 8) {
            assert_true(index < 3000);
            const uint64_t moved = rig_stats(store).moved_entries;
            go_on(store, index++);
            if (rig_stats(store).moved_entries == moved) continue;
            rig_copy(&rig, &copy); /* a crash at this moment */
            struct teak_store *again = rig_open(&copy, NULL);
            expect_marked(again, &marked);
            assert_int_equal(rig_op(again, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = HURT, .term = 9}, &error),
                             TEAK_QUARANTINED);
            rig_close(again);
        }
        expect_marked(store, &marked);
        rig_close(store);
        store = backend_open(&rig); /* refuse: there is nothing to refuse any more */
        expect_marked(store, &marked);
        for (uint64_t more = 0; more < 100; more++) go_on(store, index++);
        rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = HURT});
        rig_create(store, HURT);
        assert_int_equal(rig_log(store, HURT).marks, 0);
        rig_append(store, HURT, 1, 3, 1, BYTES);
        teak_abandon(store);
        rig_remove(rig.dir);
        rig_remove(copy.dir);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs_in_turn_are_moved_with_few_reads),
        cmocka_unit_test(a_segment_with_more_than_can_be_noted_is_read_again),
        cmocka_unit_test(marks_stay_while_what_is_left_is_moved),
    };
    return backends_run(argc, argv, "relocate_many", tests, sizeof tests / sizeof tests[0]);
}
