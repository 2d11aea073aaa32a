/* cursor_test.c: reading a log from anywhere: out of the arena, out of segments in every state, past limits, along the
 * tail, and past what has rotted.
 */
#include "store/cold.h"

static struct teak_cursor *open_at(struct teak_store *store, uint64_t index)
{
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 1, index, &cursor, &error), &error);
    return cursor;
}

static uint32_t read_some(struct teak_cursor *cursor, uint64_t bytes, struct teak_entry *out, uint32_t max)
{
    uint32_t count;
    struct teak_error error = {0};
    rig_ok(teak_cursor_read(cursor, bytes, out, max, &count, &error), &error);
    return count;
}

static bool is_in_arena(const struct teak_store *store, const void *data)
{
    const uint8_t *at = data;
    return at >= store->arena.base && at < store->arena.base + store->arena.bytes;
}

static void the_tail_is_read_out_of_the_arena_before_it_is_durable(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_drain(store);
    faulty->holds_writes = true;
    rig_append(store, 1, 1, 5, 1, 100);
    struct teak_cursor *cursor = open_at(store, 1);
    struct teak_entry entries[8];
    assert_int_equal(read_some(cursor, 1 << 20, entries, 8), 5);
    for (int i = 0; i < 5; i++) assert_true(is_in_arena(store, entries[i].data));
    assert_int_equal(rig_log(store, 1).durable.index, 0);
    assert_int_equal(read_some(cursor, 1 << 20, entries, 8), 0); /* the end, for now */
    faulty_release_all(faulty);
    rig_append(store, 1, 6, 7, 1, 100);
    assert_int_equal(read_some(cursor, 1 << 20, entries, 8), 2); /* and on it goes */
    assert_int_equal(entries[1].index, 7);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static bool one_is_sealed(struct teak_store *store, void *context)
{
    (void)context;
    return segment_at(&store->segments, store->segments.oldest)->state == SEGMENT_SEALED;
}

static void every_entry_is_read_whatever_its_segment_is_doing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    const struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_append(store, 1, 1, 150, 1, 500);
    rig_drain(store);
    rig_drive_until(store, one_is_sealed, NULL);
    faulty->holds_chores = true; /* what is closed now stays without its index */
    struct teak_error error = {0};
    uint64_t next = 151;
    static uint8_t data[500];
    for (int full = 0; full < 20;) {
        rig_fill(data, sizeof data, 1, next, 1);
        if (teak_append(store, 1, next, 1, data, sizeof data, 0, &error) == TEAK_OK) {
            next++;
            continue;
        }
        full++;
        uint32_t count;
        struct teak_completion done[16];
        rig_ok(teak_poll(store, 5000000, done, 16, &count, &error), &error);
    }
    uint32_t states[SEGMENT_STATE_COUNT] = {0};
    for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++)
        states[segment_at(&store->segments, number)->state]++;
    assert_true(states[SEGMENT_SEALED] > 0 && states[SEGMENT_ACTIVE] == 1);
    rig_expect_entries(store, 1, 1, next - 1);
    struct teak_stats stats;
    teak_stats(store, &stats);
    assert_true(stats.arena_reads > 0 && stats.disk_reads > 0);
    faulty_release_all(faulty);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, 1, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

static void limits_are_kept_and_one_entry_always_comes(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, 400, 1, 300);
    rig_drain(store);
    for (uint64_t from = 1; from <= 400; from += 133) {
        struct teak_cursor *cursor = open_at(store, from);
        struct teak_entry entries[16];
        assert_int_equal(read_some(cursor, 1000, entries, 0), 0);
        assert_int_equal(read_some(cursor, 0, entries, 16), 1);
        assert_int_equal(entries[0].index, from);
        if (from < 400) {
            const uint32_t count = read_some(cursor, 1000, entries, 16);
            assert_true(count >= 1 && count <= 3);
        }
        teak_cursor_close(cursor);
    }
    struct teak_cursor *cursor = open_at(store, 401);
    struct teak_entry entry;
    assert_int_equal(read_some(cursor, 1000, &entry, 1), 0);
    teak_cursor_close(cursor);
    teak_cursor_close(NULL);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_cursor_that_compaction_passed_says_so_and_can_be_moved(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, 50, 1, 100);
    struct teak_cursor *cursor = open_at(store, 10);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 20});
    struct teak_entry entry;
    struct teak_error error = {0};
    uint32_t count;
    assert_int_equal(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_COMPACTED);
    assert_int_equal(error.index, 10);
    assert_int_equal(error.expected, 21);
    assert_int_equal(teak_cursor_seek(cursor, 20, &error), TEAK_COMPACTED);
    assert_int_equal(teak_cursor_seek(cursor, 52, &error), TEAK_BEYOND);
    rig_ok(teak_cursor_seek(cursor, 21, &error), &error);
    assert_int_equal(read_some(cursor, 0, &entry, 1), 1);
    assert_int_equal(entry.index, 21);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What was truncated and written again is read as it is now, also where a window still shows the old bytes. */
static void replaced_entries_are_read_as_they_are_now(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, 200, 1, 400);
    rig_drain(store);
    struct teak_cursor *cursor = open_at(store, 95);
    struct teak_entry entry;
    assert_int_equal(read_some(cursor, 0, &entry, 1), 1);
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 97});
    rig_append(store, 1, 97, 300, 2, 400);
    for (uint64_t index = 96; index <= 300; index++) {
        assert_int_equal(read_some(cursor, 0, &entry, 1), 1);
        assert_int_equal(entry.index, index);
        assert_int_equal(entry.term, index < 97 ? 1 : 2);
        static uint8_t wanted[400];
        rig_fill(wanted, sizeof wanted, 1, index, entry.term);
        assert_memory_equal(entry.data, wanted, sizeof wanted);
    }
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void read_cold(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last)
{
    rig_expect_entries(store, log, first, last);
}

static void a_rotten_slot_is_asked_of_its_frame(void **state)
{
    (void)state;
    cold_rot_a_slot(read_cold);
}

/* The frame of an entry rots, head and payload. An older frame of the segment holds the same index, as it was before it
 * was truncated: that is no answer. */
static void an_entry_that_was_truncated_is_no_answer_for_a_rotten_one(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cursor");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, 300);
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 3});
    rig_append_synced(store, 1, 3, 3, 2, 100);
    rig_append(store, 1, 4, 200, 2, 500);
    rig_close(store);
    store = backend_open(&rig);
    const struct segment *first = segment_at(&store->segments, store->segments.oldest);
    assert_int_equal(first->state, SEGMENT_SEALED);
    struct teak_cursor *cursor = open_at(store, 3);
    struct teak_entry entry;
    assert_int_equal(read_some(cursor, 0, &entry, 1), 1);
    assert_int_equal(entry.term, 2);
    struct place place;
    assert_true(locate(&store->segments, logs_find(&store->logs, 1), 3, &place));
    char name[64];
    rig_segment_name(first->number, name);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_zero(&rig, name, align_down(place.offset, RIG_BLOCK), 512);

    store = backend_open(&rig);
    struct teak_error error = {0};
    uint32_t count;
    cursor = open_at(store, 3);
    assert_int_equal(teak_cursor_read(cursor, 1, &entry, 1, &count, &error), TEAK_HASH_MISMATCH);
    assert_int_equal(error.index, 3);
    enum teak_status status;
    while ((status = teak_cursor_try_read(cursor, 1, &entry, 1, &count, &error)) == TEAK_PENDING)
        rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    assert_int_equal(status, TEAK_HASH_MISMATCH);
    assert_int_equal(error.index, 3);
    rig_ok(teak_cursor_seek(cursor, 4, &error), &error);
    assert_int_equal(read_some(cursor, 0, &entry, 1), 1);
    assert_int_equal(entry.index, 4);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void many_cursors_read_at_their_own_pace(void **state)
{
    (void)state;
    enum { CURSORS = 12 };
    const struct rig rig = rig_make("cursor");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append(store, 1, 1, 500, 1, 200);
    rig_drain(store);
    struct teak_cursor *cursors[CURSORS];
    uint64_t next[CURSORS];
    for (uint32_t i = 0; i < CURSORS; i++) cursors[i] = open_at(store, next[i] = 1 + i * 40);
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < CURSORS; i++) {
            struct teak_entry entries[32];
            const uint32_t count = read_some(cursors[i], 5000, entries, 1 + i);
            for (uint32_t e = 0; e < count; e++) assert_int_equal(entries[e].index, next[i]++);
            more |= count > 0;
        }
    }
    for (uint32_t i = 0; i < CURSORS; i++) {
        assert_int_equal(next[i], 501);
        teak_cursor_close(cursors[i]);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tail_is_read_out_of_the_arena_before_it_is_durable),
        cmocka_unit_test(every_entry_is_read_whatever_its_segment_is_doing),
        cmocka_unit_test(limits_are_kept_and_one_entry_always_comes),
        cmocka_unit_test(a_cursor_that_compaction_passed_says_so_and_can_be_moved),
        cmocka_unit_test(replaced_entries_are_read_as_they_are_now),
        cmocka_unit_test(a_rotten_slot_is_asked_of_its_frame),
        cmocka_unit_test(an_entry_that_was_truncated_is_no_answer_for_a_rotten_one),
        cmocka_unit_test(many_cursors_read_at_their_own_pace),
    };
    return backends_run(argc, argv, "cursor", tests, sizeof tests / sizeof tests[0]);
}
