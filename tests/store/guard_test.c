/* guard_test.c: guards that hold in one rare moment each. Every case here failed to fail when its guard was taken away
 * (tests/mutation), before it was written.
 */
#include "format/descriptor.h"
#include "format/frame.h"
#include "format/key.h"
#include "store/damage.h"

enum { FRAMES_MAX = 64 };

static struct teak_report report;

/* A store whose clock stands: nothing is written but what the test submits. */
static struct teak_store *open_still(const struct rig *rig, struct faulty **out)
{
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(rig, &options, &faulty);
    faulty->stands_ns = 1000000000;
    if (out) *out = faulty;
    return store;
}

static void expect_refused(const struct rig *rig, enum teak_status expected)
{
    struct teak_store *store;
    struct teak_error error = {0};
    struct teak_options options = backend_options();
    const uint64_t before = rig_fingerprint(rig);
    assert_int_equal(rig_try_open(rig, &options, &store, &report, &error), expected);
    assert_null(store);
    assert_true(rig_fingerprint(rig) == before);
}

/* ---- batches and memory ---- */

static uint8_t kind_of(uint64_t index) { return (uint8_t)(index % 3); }
static uint64_t term_of(uint64_t index) { return 1 + index / 7; }

static bool has_next(struct teak_store *store, void *context)
{
    (void)context;
    return store->segments.ready != NULL;
}

static void entries_that_join_keep_term_and_kind(void **state)
{
    (void)state;
    enum { LAST = 100 };
    const struct rig rig = rig_make("join");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_drive_until(store, has_next, NULL); /* without a next segment each takes the long way */
    for (uint64_t index = 1; index <= LAST; index++) { /* nobody waits: they share frames */
        uint8_t data[40];
        rig_fill(data, sizeof data, 7, index, term_of(index));
        const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
        rig_do(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 7, .index = index, .term = term_of(index),
                                       .kind = kind_of(index), .entries = &entry, .count = 1});
    }
    rig_drain(store);
    for (int twice = 0; twice < 2; twice++) {
        rig_expect_entries(store, 7, 1, LAST);
        struct teak_cursor *cursor;
        struct teak_error error = {0};
        rig_ok(teak_cursor_open(store, 7, 1, &cursor, &error), &error);
        for (uint64_t next = 1; next <= LAST;) {
            struct teak_entry entries[16];
            uint32_t count;
            rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 16, &count, &error), &error);
            for (uint32_t i = 0; i < count; i++, next++) {
                assert_int_equal(entries[i].term, term_of(next));
                assert_int_equal(entries[i].kind, kind_of(next));
            }
        }
        teak_cursor_close(cursor);
        teak_abandon(store);
        if (!twice) store = backend_open(&rig);
    }
    rig_remove(rig.dir);
}

static void a_snapshot_at_the_very_last_entry_keeps_the_log(void **state)
{
    (void)state;
    const struct rig rig = rig_make("last");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 10, 3, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 7, .index = 10, .term = 3});
    rig_drain(store);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(rig_log(store, 7).snapshot.index, 10);
        rig_expect_entries(store, 7, 1, 10);
        teak_abandon(store);
        if (!twice) store = backend_open(&rig);
    }
    rig_remove(rig.dir);
}

/* Appends until the store has nothing left to append into. Returns the next index. */
static uint64_t append_until_full(struct teak_store *store, uint64_t next)
{
    uint8_t data[3000];
    struct teak_error error = {0};
    for (uint32_t full = 0; full < 50;) {
        rig_fill(data, sizeof data, 7, next, 1);
        const enum teak_status status = teak_append(store, 7, next, 1, data, sizeof data, next, &error);
        if (status == TEAK_OK) {
            next++;
            full = 0;
            continue;
        }
        assert_int_equal(status, TEAK_FULL);
        full++;
        rig_poll(store);
    }
    return next;
}

/* Some frames are durable, those behind them still fly: what flies stays readable, and lands as it was meant. */
static void nothing_leaves_memory_before_it_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("memory");
    struct teak_options options = backend_options();
    options.strategy = TEAK_DSYNC;
    options.in_flight = 32;
    options.group_bytes = RIG_BLOCK;
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 7);
    rig_drain(store);
    faulty->holds_writes = true;
    uint64_t next = 1;
    for (uint32_t lap = 0; lap < 6; lap++) {
        next = append_until_full(store, next);
        const uint64_t durable = rig_stats(store).durable_lsn;
        assert_true(faulty->held_count >= 3);
        rig_expect_entries(store, 7, 1, next - 1);
        faulty_release(faulty, faulty->held_count / 2); /* the oldest of them */
        for (struct rig_patience patience = {0}; rig_stats(store).durable_lsn == durable && rig_waits(&patience);)
            rig_poll(store);
        assert_true(rig_stats(store).durable_lsn > durable);
    }
    faulty_release_all(faulty);
    rig_drain(store);
    rig_expect_entries(store, 7, 1, next - 1);
    teak_abandon(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 7, 1, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What was read together with an entry, and was not durable then, is read again. */
static void a_window_ends_where_durable_does(void **state)
{
    (void)state;
    const struct rig rig = rig_make("window");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    rig_close(store);
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    store = backend_open_faulty(&rig, &options, &faulty); /* goes on in place, with nothing in memory */
    faulty->holds_writes = true;
    rig_append(store, 7, 4, 4, 1, 100);
    for (struct rig_patience patience = {0}; faulty->held_count == 0 && rig_waits(&patience);) rig_poll(store);
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    struct teak_entry entries[8];
    uint32_t count;
    rig_ok(teak_cursor_open(store, 7, 1, &cursor, &error), &error);
    for (uint32_t read = 0; read < 3; read += count)
        rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 3 - read, &count, &error), &error);
    faulty_release_all(faulty);
    rig_append_synced(store, 7, 5, 400, 1, 3000); /* the arena goes round */
    rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 1, &count, &error), &error);
    assert_int_equal(count, 1);
    rig_expect_entry(7, &entries[0], 4);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 30: a segment that removes entries, and brings none. */
static void what_was_removed_and_not_replaced_stays_removed(void **state)
{
    (void)state;
    const struct rig rig = rig_make("removed");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 7);
    rig_create(store, 8);
    rig_append(store, 7, 1, 20, 5, 100);
    rig_append(store, 8, 1, 30, 1, 3000); /* other segments */
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 7, .index = 8});
    rig_append(store, 8, 31, 90, 1, 3000);
    rig_close(store);
    for (uint64_t last = 7; last < 12; last++) {
        store = backend_open(&rig);
        rig_expect_entries(store, 7, 1, last);
        assert_int_equal(rig_log(store, 7).last.term, last == 7 ? 5 : 6);
        rig_append_synced(store, 7, last + 1, last + 1, 6, 100);
        rig_expect_entries(store, 7, 1, last + 1);
        if (last % 2)
            rig_close(store);
        else
            teak_abandon(store);
    }
    rig_remove(rig.dir);
}

/* ---- the end of the stream ---- */

/* The only head that vouches for what is hurt stands in the next segment; or before a frame that is torn itself. */
static void the_detector_fires_wherever_the_witness_stands(void **state)
{
    (void)state;
    static struct found_frame frames[FRAMES_MAX];
    struct rig rig = rig_make("witness");
    struct teak_store *store = open_still(&rig, NULL);
    rig_create(store, 7);
    uint64_t next = 1;
    for (; rig_stats(store).newest_segment < 3; next++) rig_append_synced(store, 7, next, next, 1, 3000);
    teak_abandon(store);
    const uint32_t count = damage_frames(&rig, 2, frames, FRAMES_MAX);
    assert_true(count > 2);
    char name[64];
    rig_segment_name(2, name);
    rig_zero(&rig, name, RIG_SEGMENT - RIG_BLOCK, RIG_BLOCK); /* no index yet: it is scanned */
    rig_zero(&rig, name, frames[count - 1].offset, RIG_BLOCK);
    expect_refused(&rig, TEAK_DAMAGED);
    rig_remove(rig.dir);

    rig = rig_make("torn");
    store = open_still(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 2, 1, 100);
    rig_append_synced(store, 7, 3, 3, 1, 9000);
    teak_abandon(store);
    const uint32_t all = damage_frames(&rig, 1, frames, FRAMES_MAX);
    assert_true(all >= 3 && frames[all - 1].bytes > RIG_BLOCK);
    rig_segment_name(1, name);
    rig_zero(&rig, name, frames[all - 2].offset, RIG_BLOCK);
    rig_zero(&rig, name, frames[all - 1].offset + RIG_BLOCK, RIG_BLOCK);
    expect_refused(&rig, TEAK_DAMAGED);
    rig_remove(rig.dir);
}

/* Two stores go on in place from one beginning: same salt, same LSNs, same offsets. A frame of the one that gets into
 * the other is no frame there: it was built behind another one. */
static void a_frame_of_another_life_is_never_chained(void **state)
{
    (void)state;
    const struct rig rig = rig_make("chain"), other = rig_make("chainother");
    static struct found_frame mine[FRAMES_MAX], theirs[FRAMES_MAX];
    struct teak_store *store = open_still(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 2, 1, 100);
    rig_close(store);
    rig_copy(&rig, &other);
    for (uint32_t which = 0; which < 2; which++) {
        store = open_still(which ? &rig : &other, NULL);
        rig_append_synced(store, 7, 3, 4, 1 + which, 100);
        teak_abandon(store);
    }
    const uint32_t count = damage_frames(&rig, 1, mine, FRAMES_MAX);
    assert_int_equal(damage_frames(&other, 1, theirs, FRAMES_MAX), count);
    const struct found_frame last = mine[count - 1];
    assert_int_equal(theirs[count - 1].lsn, last.lsn);
    assert_int_equal(theirs[count - 1].offset, last.offset);
    assert_int_equal(last.bytes, RIG_BLOCK);
    char name[64];
    size_t bytes;
    rig_segment_name(1, name);
    uint8_t *file = rig_read(&other, name, &bytes);
    rig_write(&rig, name, last.offset, file + last.offset, RIG_BLOCK);
    free(file);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 7).last.index, 3);
    assert_int_equal(rig_log(store, 7).last.term, 2);
    rig_expect_entries(store, 7, 1, 3);
    rig_close(store);
    rig_remove(other.dir);
    rig_remove(rig.dir);
}

/* The last frame, under good sums, holds an operation that this build does not know: a later version wrote it. */
static void what_is_whole_and_not_understood_is_never_cut(void **state)
{
    (void)state;
    const struct rig rig = rig_make("unknown");
    static struct found_frame frames[FRAMES_MAX];
    struct teak_store *store = open_still(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    const struct key key = segment_active(&store->segments)->key;
    teak_abandon(store);
    const uint32_t count = damage_frames(&rig, 1, frames, FRAMES_MAX);
    const struct found_frame last = frames[count - 1];
    char name[64];
    size_t bytes;
    rig_segment_name(1, name);
    uint8_t *file = rig_read(&rig, name, &bytes);
    uint8_t *frame = file + last.offset;
    const struct frame_place place = {1, last.offset, RIG_SEGMENT, RIG_BLOCK};
    struct frame_head head;
    assert_true(frame_head_judge(frame, &key, &place, &head));
    frame[head.table_offset] = 200; /* the operation's code */
    head.table_sum = key_sum(&key, frame + head.table_offset, head.table_bytes);
    (void)frame_head_encode(&head, &key, frame);
    struct op bad;
    uint64_t bad_index;
    assert_int_equal(frame_judge(frame, &head, &key, &bad, &bad_index), FRAME_UNKNOWN);
    rig_write(&rig, name, last.offset, frame, last.bytes);
    free(file);
    expect_refused(&rig, TEAK_FEATURE);
    rig_remove(rig.dir);
}

/* History 8: an idle mark needs no sync; behind it another session's frames may lie. */
static void an_idle_mark_is_no_clean_one(void **state)
{
    (void)state;
    const struct rig rig = rig_make("idle");
    struct faulty *faulty;
    struct teak_store *store = open_still(&rig, &faulty);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    const uint64_t frames = rig_stats(store).frames;
    for (struct rig_patience patience = {0}; rig_stats(store).frames == frames && rig_waits(&patience);) {
        faulty->ahead_ns += 20000000;
        rig_poll(store);
    }
    assert_int_equal(rig_stats(store).frames, frames + 1);
    for (struct rig_patience patience = {0};
         rig_stats(store).durable_lsn < rig_stats(store).last_lsn && rig_waits(&patience);) {
        rig_poll(store);
        if (store->flight.in_flight == 0) break; /* it landed; nobody waits for its sync */
    }
    teak_abandon(store);
    store = backend_open(&rig);
    rig_close(store); /* nothing was written: as it was */
    store = rig_open_read_only(&rig, &report);
    assert_int_not_equal(report.verdict, TEAK_VERDICT_CLEAN);
    rig_close(store);
    store = backend_open(&rig);
    rig_append_synced(store, 7, 4, 4, 1, 100);
    assert_true(rig_has_segment(&rig, 2));
    assert_int_equal(rig_stats(store).newest_segment, 2);
    rig_expect_entries(store, 7, 1, 4);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_that_join_keep_term_and_kind),
        cmocka_unit_test(a_snapshot_at_the_very_last_entry_keeps_the_log),
        cmocka_unit_test(nothing_leaves_memory_before_it_is_durable),
        cmocka_unit_test(a_window_ends_where_durable_does),
        cmocka_unit_test(what_was_removed_and_not_replaced_stays_removed),
        cmocka_unit_test(the_detector_fires_wherever_the_witness_stands),
        cmocka_unit_test(a_frame_of_another_life_is_never_chained),
        cmocka_unit_test(what_is_whole_and_not_understood_is_never_cut),
        cmocka_unit_test(an_idle_mark_is_no_clean_one),
    };
    return backends_run(argc, argv, "guard", tests, sizeof tests / sizeof tests[0]);
}
