/* read_async_test.c: reads that wait for nothing: what is not in memory comes while the store is driven; whatever goes
 * wrong, or goes away, on the way.
 */
#include <poll.h>

#include "store/cold.h"
#include "store/fetch.h"
#include "unit/seeded.h"

static struct teak_cursor *open_at(struct teak_store *store, uint64_t log, uint64_t index)
{
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, log, index, &cursor, &error), &error);
    return cursor;
}

static enum teak_status try_some(struct teak_cursor *cursor, struct teak_entry *out, uint32_t max, uint32_t *count,
                                 struct teak_error *error)
{
    const enum teak_status status = teak_cursor_try_read(cursor, 1 << 20, out, max, count, error);
    if (status != TEAK_OK) assert_int_equal(error->status, status);
    if (status != TEAK_OK) assert_int_equal(*count, 0);
    return status;
}

static void poll_for(struct teak_store *store, uint64_t wait_ns)
{
    uint32_t count;
    struct teak_completion done[16];
    struct teak_error error = {0};
    const enum teak_status status = teak_poll(store, wait_ns, done, 16, &count, &error);
    assert_true(status == TEAK_OK || status == TEAK_POISONED);
}

/* Until it answers something else than PENDING. */
static enum teak_status read_on(struct teak_store *store, struct teak_cursor *cursor, struct teak_entry *out,
                                uint32_t max, uint32_t *count, struct teak_error *error)
{
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        const enum teak_status status = try_some(cursor, out, max, count, error);
        if (status != TEAK_PENDING) return status;
        poll_for(store, 1000000000);
    }
    fail_msg("it never came");
    return TEAK_PENDING;
}

/* Reads the log to its end; every entry is what was written. Returns how often it was told PENDING. */
static uint32_t read_all(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last)
{
    struct teak_cursor *cursor = open_at(store, log, first);
    struct teak_error error = {0};
    uint32_t pending = 0;
    for (uint64_t next = first; next <= last;) {
        struct teak_entry entries[32];
        uint32_t count;
        const enum teak_status status = try_some(cursor, entries, 32, &count, &error);
        if (status == TEAK_PENDING) {
            pending++;
            poll_for(store, TEAK_FOREVER);
            continue;
        }
        rig_ok(status, &error);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(log, &entries[i], next++);
    }
    teak_cursor_close(cursor);
    return pending;
}

static void what_lies_on_the_medium_comes_while_the_store_is_driven(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    const uint64_t reads = faulty->tried[DISK_READ];
    assert_true(read_all(store, 1, 1, LAST) > 0); /* before the first batch */
    assert_int_equal(store->phase, STORE_OPENED);
    assert_true(faulty->tried[DISK_READ] > reads);
    rig_append(store, 1, LAST + 1, LAST + 50, 2, BYTES);
    rig_drain(store);
    assert_true(read_all(store, 1, 1, LAST + 50) > 0);
    assert_int_equal(store->streams.out, 0);
    assert_int_equal(store->streams.awaited, 0);
    assert_null(store->streams.all);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The driving thread itself reads, opens and populates nothing. */
static void the_driving_thread_waits_for_no_disk(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_entry entries[32];
    struct teak_error error = {0};
    uint32_t count;
    faulty->holds_chores = true;
    const uint64_t tried = faulty->tried[DISK_READ] + faulty->tried[DISK_OPEN] + faulty->tried[DISK_POPULATE];
    for (int i = 0; i < 5; i++) {
        assert_int_equal(try_some(cursor, entries, 32, &count, &error), TEAK_PENDING);
        assert_int_equal(error.index, 1);
        poll_for(store, 0);
    }
    assert_int_equal(faulty->held_count, 1); /* one at the disk, and nothing asked twice */
    assert_int_equal(faulty->tried[DISK_READ] + faulty->tried[DISK_OPEN] + faulty->tried[DISK_POPULATE], tried + 1);
    rig_append_synced(store, 1, LAST + 1, LAST + 3, 2, 100); /* commits go on beside it */
    faulty_release_all(faulty);
    rig_ok(read_on(store, cursor, entries, 32, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], 1 + i);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Descriptor and deadline are enough to be woken. */
/* Reads to the end of the log, which is cold. Returns the bytes of the longest read that was asked for. */
static uint64_t longest_read(struct teak_store *store, struct faulty *faulty, uint64_t last, uint32_t out_max)
{
    enum { TRACE = 4096 };
    static struct faulty_trace trace[TRACE];
    struct teak_error error = {0};
    faulty->trace = trace;
    faulty->trace_room = TRACE;
    faulty->trace_count = 0;
    struct teak_cursor *cursor = open_at(store, 1, 1); /* with no window yet */
    uint64_t next = 1;
    for (struct rig_patience patience = {0}; next <= last && rig_waits(&patience);) {
        struct teak_entry entries[32];
        uint32_t count;
        const enum teak_status status = try_some(cursor, entries, 32, &count, &error);
        assert_true(store->streams.out <= out_max);
        if (status == TEAK_PENDING) poll_for(store, 1000000);
        if (status != TEAK_PENDING) rig_ok(status, &error);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
    }
    assert_int_equal(next, last + 1);
    teak_cursor_close(cursor);
    assert_true(faulty->trace_count < TRACE);
    uint64_t longest = 0;
    for (uint32_t i = 0; i < faulty->trace_count; i++)
        if (trace[i].kind == DISK_READ && trace[i].bytes > longest) longest = trace[i].bytes;
    faulty->trace = NULL;
    return longest;
}

/* A commit waits for what the disk was given before it: so that is little. */
static void reads_beside_frames_are_short_and_one_at_a_time(void **state)
{
    (void)state;
    enum { ENTRIES = 512, ENTRY = 4000, SHORT = 128 * 1024, IDLE_NS = 20000000 };
    const struct rig rig = rig_make("read_async");
    struct teak_options options = backend_options();
    options.segment_bytes = 4 << 20;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 1);
    rig_append(store, 1, 1, ENTRIES, 1, ENTRY);
    rig_create(store, 2);
    rig_close(store);
    struct faulty *faulty;
    store = backend_open_faulty(&rig, &options, &faulty);
    assert_true(longest_read(store, faulty, ENTRIES, 2) > SHORT);
    faulty->stands_ns = disk_now(faulty->real); /* however slow this machine is: no time goes by but what is made so */
    faulty->holds_writes = true;
    rig_append(store, 2, 1, 1, 1, 100);
    poll_for(store, 0);
    assert_true(faulty->held_count > 0); /* its frame is on its way */
    uint64_t longest = longest_read(store, faulty, ENTRIES, 1);
    assert_true(longest > 0 && longest <= SHORT + RIG_BLOCK);
    faulty_release_all(faulty);
    rig_drain(store);
    poll_for(store, 0);
    assert_int_equal(store->flight.in_flight, 0);
    longest = longest_read(store, faulty, ENTRIES, 1); /* the next one may come at once */
    assert_true(longest > 0 && longest <= SHORT + RIG_BLOCK);
    faulty->ahead_ns += IDLE_NS;
    poll_for(store, 0); /* the mark that says that all is durable */
    for (struct rig_patience patience = {0}; store->flight.in_flight > 0 && rig_waits(&patience);)
        poll_for(store, 1000000);
    assert_true(longest_read(store, faulty, ENTRIES, 2) > SHORT);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_loop_is_woken_for_what_came(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct teak_store *store = backend_open(&rig);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_error error = {0};
    int event;
    rig_ok(teak_event_fd(store, &event, &error), &error);
    uint32_t spins = 0;
    for (uint64_t next = 1; next <= LAST;) {
        struct teak_entry entries[64];
        uint32_t count;
        const enum teak_status status = try_some(cursor, entries, 64, &count, &error);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
        if (status != TEAK_PENDING) continue;
        assert_true(spins++ < 2000);
        if (teak_deadline(store) == TEAK_NO_DEADLINE) {
            struct pollfd wait = {.fd = event, .events = POLLIN};
            assert_int_equal(poll(&wait, 1, 10000), 1);
            uint64_t times;
            (void)!read(event, &times, sizeof times);
        }
        poll_for(store, 0);
    }
    assert_int_equal(teak_deadline(store), TEAK_NO_DEADLINE);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void an_error_of_any_step_is_told_once_and_the_next_try_asks_again(void **state)
{
    (void)state;
    static const enum disk_kind kinds[] = {DISK_OPEN, DISK_POPULATE, DISK_READ};
    const struct rig rig = cold_make("read_async");
    uint32_t told = 0;
    for (size_t k = 0; k < 3; k++)
        for (uint64_t nth = 1; nth <= 8; nth++) {
            struct faulty *faulty;
            struct teak_store *store = cold_open_faulty(&rig, &faulty);
            rig_settle(store); /* nobody but the cursor asks the disk for anything */
            struct teak_cursor *cursor = open_at(store, 1, 1);
            struct teak_error error = {0};
            faulty->chores_too = true;
            faulty_arm(faulty, kinds[k], nth, EIO);
            uint32_t failures = 0;
            for (uint64_t next = 1; next <= LAST;) {
                struct teak_entry entries[32];
                uint32_t count;
                const enum teak_status status = read_on(store, cursor, entries, 32, &count, &error);
                for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
                if (status == TEAK_OK) continue;
                assert_int_equal(status, TEAK_IO);
                assert_int_equal(error.os_errno, EIO);
                assert_true(error.segment > 0);
                failures++;
            }
            assert_int_equal(failures, faulty->struck);
            faulty->nth = 0; /* where there were not that many steps */
            told += failures;
            teak_cursor_close(cursor);
            rig_append(store, 1, LAST + 1, LAST + 1, 1, 10); /* the store goes on */
            rig_drain(store);
            rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = LAST + 1});
            rig_close(store);
        }
    assert_true(told >= 10);
    rig_remove(rig.dir);
}

static void rot_is_told_with_the_entry_and_hurts_nobody_else(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    char name[64];
    const struct place place = cold_place(&rig, 7, name);
    rig_flip(&rig, name, place.offset + 5, 0x10);
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_entry entries[32];
    struct teak_error error = {0};
    uint32_t count;
    for (uint64_t next = 1; next < 7;) {
        rig_ok(read_on(store, cursor, entries, 32, &count, &error), &error);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
    }
    for (int again = 0; again < 3; again++) {
        assert_int_equal(read_on(store, cursor, entries, 32, &count, &error), TEAK_HASH_MISMATCH);
        assert_int_equal(error.log, 1);
        assert_int_equal(error.index, 7);
        assert_int_equal(error.term, 1);
        assert_true(error.has_log && error.has_term);
    }
    read_all(store, 2, 1, 20);
    rig_append(store, 2, 21, 30, 3, 100);
    rig_drain(store);
    rig_ok(teak_cursor_seek(cursor, 8, &error), &error);
    rig_ok(read_on(store, cursor, entries, 32, &count, &error), &error);
    rig_expect_entry(1, &entries[0], 8);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_flip(&rig, name, place.offset + 5, 0x10); /* it was only the medium */
    store = backend_open(&rig);
    read_all(store, 1, 1, LAST);
    rig_close(store);
    rig_remove(rig.dir);
}

static void read_cold(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last)
{
    (void)read_all(store, log, first, last);
}

static void a_rotten_slot_is_asked_of_its_frame(void **state)
{
    (void)state;
    cold_rot_a_slot(read_cold);
}

static void a_rotten_summary_is_told(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct teak_store *store = backend_open(&rig);
    const struct segment *first = segment_at(&store->segments, store->segments.oldest);
    char name[64];
    rig_segment_name(first->number, name);
    const uint64_t summary = first->footer.summary_offset;
    rig_flip(&rig, name, summary + 9, 1); /* it was judged when the store was opened */
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_entry entry;
    struct teak_error error = {0};
    uint32_t count;
    assert_int_equal(read_on(store, cursor, &entry, 1, &count, &error), TEAK_HASH_MISMATCH);
    assert_int_equal(error.segment, first->number);
    rig_flip(&rig, name, summary + 9, 1);
    rig_ok(read_on(store, cursor, &entry, 1, &count, &error), &error);
    rig_expect_entry(1, &entry, 1);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Holds the n-th operation of a cold read at the disk. false: it came to an end before. */
static bool hold_step(struct teak_store *store, struct faulty *faulty, struct teak_cursor *cursor, uint32_t steps)
{
    struct teak_entry entry;
    struct teak_error error = {0};
    uint32_t count;
    faulty->holds_chores = true;
    assert_int_equal(try_some(cursor, &entry, 1, &count, &error), TEAK_PENDING);
    poll_for(store, 0);
    for (uint32_t i = 0; i < steps; i++) {
        if (store->streams.out == 0) return false;
        faulty_release(faulty, faulty->held_count);
        poll_for(store, 0);
        for (struct rig_patience patience = {0};
             faulty->real->submitted != faulty->real->collected && rig_waits(&patience);)
            poll_for(store, 1000000); /* until whatever is out is held */
        assert_true(store->streams.out <= faulty->held_count);
    }
    return store->streams.out > 0;
}

static void cursor_and_store_can_be_closed_at_any_step(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    for (uint32_t steps = 0; steps < 6; steps++)
        for (int how = 0; how < 4; how++) {
            struct faulty *faulty;
            struct teak_store *store = cold_open_faulty(&rig, &faulty);
            struct teak_cursor *cursor = open_at(store, 1, 1);
            struct teak_cursor *other = open_at(store, 1, 100);
            hold_step(store, faulty, cursor, steps);
            if (how < 2) teak_cursor_close(cursor);
            if (how == 0) {
                faulty_release_all(faulty);
                read_all(store, 1, 1, LAST);
            }
            teak_cursor_close(other);
            if (how == 3)
                teak_abandon(store);
            else
                rig_close(store);
            if (how < 2) continue;
            struct teak_entry entry;
            uint32_t count;
            struct teak_error error = {0};
            assert_int_equal(teak_cursor_try_read(cursor, 0, &entry, 1, &count, &error), TEAK_LOG_GONE);
            assert_int_equal(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), TEAK_LOG_GONE);
            assert_int_equal(teak_cursor_seek(cursor, 1, &error), TEAK_LOG_GONE);
            teak_cursor_close(cursor);
        }
    rig_remove(rig.dir);
}

/* What is forgotten while it is read is neither written over nor called rotten. */
static void what_is_forgotten_on_the_way_is_no_rot(void **state)
{
    (void)state;
    for (uint32_t steps = 0; steps < 5; steps++)
        for (int how = 0; how < 3; how++) {
            const struct rig rig = cold_make("read_async");
            struct faulty *faulty;
            struct teak_store *store = cold_open_faulty(&rig, &faulty);
            struct teak_cursor *cursor = open_at(store, 1, 1);
            const bool is_out = hold_step(store, faulty, cursor, steps);
            faulty->holds_chores = false; /* what is held stays held */
            if (how == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = LAST - 1});
            if (how == 1) rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 1});
            if (how == 2) rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 1});
            if (how == 1) rig_create(store, 1);
            const uint64_t oldest = store->segments.oldest, from = how == 0 ? LAST + 1 : 1;
            rig_append(store, 1, from, from + 399, 2, BYTES); /* segments are taken into use again */
            rig_drain(store);
            assert_true(store->segments.oldest > oldest);
            if (is_out) assert_non_null(store->retired);
            struct teak_entry entries[32];
            struct teak_error error = {0};
            uint32_t count;
            faulty_release_all(faulty);
            const enum teak_status status = read_on(store, cursor, entries, 32, &count, &error);
            if (how == 0) assert_int_equal(status, TEAK_COMPACTED);
            if (how == 1) assert_int_equal(status, TEAK_LOG_GONE);
            if (how == 2) rig_ok(status, &error);
            for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], from + i);
            /* nobody waits for it: polls do not either */
            for (struct rig_patience patience = {0}; store->streams.out > 0 && rig_waits(&patience);) {
                poll_for(store, 0);
                usleep(200);
            }
            assert_null(store->retired);
            teak_cursor_close(cursor);
            rig_close(store);
            store = backend_open(&rig);
            read_all(store, 1, how == 0 ? LAST : from, from + 399);
            rig_close(store);
            rig_remove(rig.dir);
        }
}

static void a_poisoned_store_still_brings_what_is_durable(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_error error = {0};
    uint32_t count;
    struct teak_entry entries[32];
    assert_int_equal(try_some(cursor, entries, 32, &count, &error), TEAK_PENDING);
    rig_append_synced(store, 1, LAST + 1, LAST + 2, 1, BYTES);
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    rig_append(store, 1, LAST + 3, LAST + 3, 1, BYTES);
    assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
    for (uint64_t next = 1; next <= LAST + 2;) {
        rig_ok(read_on(store, cursor, entries, 32, &count, &error), &error);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(entries[i].durable);
            rig_expect_entry(1, &entries[i], next++);
        }
    }
    teak_cursor_close(cursor);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

/* Follows the tail, and is told what survives a power cut. */
static void a_cursor_follows_the_tail_and_knows_what_is_durable(void **state)
{
    (void)state;
    const struct rig rig = cold_make("read_async");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_error error = {0};
    struct teak_entry entries[64];
    uint32_t count;
    for (uint64_t next = 1; next <= LAST;) {
        rig_ok(read_on(store, cursor, entries, 64, &count, &error), &error);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(entries[i].durable);
            rig_expect_entry(1, &entries[i], next++);
        }
    }
    rig_ok(try_some(cursor, entries, 64, &count, &error), &error);
    assert_int_equal(count, 0); /* the end, for now */
    faulty->holds_writes = true;
    rig_append(store, 1, LAST + 1, LAST + 5, 2, BYTES);
    poll_for(store, 0);
    rig_ok(try_some(cursor, entries, 3, &count, &error), &error);
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < count; i++) assert_false(entries[i].durable);
    faulty_release_all(faulty);
    rig_drain(store);
    rig_ok(try_some(cursor, entries, 64, &count, &error), &error);
    assert_int_equal(count, 2);
    assert_true(entries[1].durable);
    rig_expect_entry(1, &entries[1], LAST + 5);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void many_cursors_are_served_side_by_side(void **state)
{
    (void)state;
    enum { CURSORS = 64 };
    const struct rig rig = cold_make("read_async");
    struct teak_store *store = backend_open(&rig);
    struct teak_cursor *cursors[CURSORS];
    uint64_t next[CURSORS];
    for (uint32_t i = 0; i < CURSORS; i++) cursors[i] = open_at(store, 1, next[i] = 1 + i * (LAST / CURSORS));
    for (bool more = true; more;) {
        bool is_waiting = false;
        more = false;
        for (uint32_t i = 0; i < CURSORS; i++) {
            struct teak_entry entries[32];
            struct teak_error error = {0};
            uint32_t count;
            const enum teak_status status = try_some(cursors[i], entries, 1 + i % 32, &count, &error);
            is_waiting |= status == TEAK_PENDING;
            if (status != TEAK_PENDING) rig_ok(status, &error);
            for (uint32_t e = 0; e < count; e++) rig_expect_entry(1, &entries[e], next[i]++);
            more |= count > 0 || status == TEAK_PENDING;
        }
        if (is_waiting) poll_for(store, TEAK_FOREVER);
    }
    for (uint32_t i = 0; i < CURSORS; i++) {
        assert_int_equal(next[i], LAST + 1);
        teak_cursor_close(cursors[i]);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

/* Random work on three logs against what they should hold, eight cursors reading beside it, now like this, now like
 * that. An entry's bytes tell its log, index and term: only indexes and terms need a model. */
static void everything_agrees_with_a_model(void **state)
{
    (void)state;
    enum { LOGS = 3, CURSORS = 8, STEPS = 4000, TERMS = 8192 };
    struct seeded seeded = seeded_begin("everything_agrees_with_a_model");
    static uint64_t terms[LOGS][TERMS];
    uint64_t first[LOGS], last[LOGS], at[CURSORS], read = 0, pending = 0, term = 1;
    struct teak_cursor *cursors[CURSORS];
    uint64_t log_of[CURSORS];
    const struct rig rig = rig_make("read_async");
    struct teak_options options = backend_options();
    options.arena_bytes = 65536;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    struct teak_error error = {0};
    for (uint32_t i = 0; i < LOGS; i++) {
        rig_create(store, i + 1);
        rig_append(store, i + 1, 1, 1, term, 10);
        terms[i][1] = term;
        first[i] = last[i] = 1;
    }
    for (uint32_t i = 0; i < CURSORS; i++) cursors[i] = open_at(store, 1 + (log_of[i] = i % LOGS), at[i] = 1);
    for (uint32_t step = 0; step < STEPS; step++) {
        const uint32_t l = seeded_below(&seeded, LOGS), what = seeded_below(&seeded, 100);
        if (what < 30 && last[l] + 20 < TERMS) {
            const uint64_t to = last[l] + 1 + seeded_below(&seeded, 8);
            for (uint64_t i = last[l] + 1; i <= to; i++) terms[l][i] = term;
            rig_append(store, l + 1, last[l] + 1, to, term, seeded_below(&seeded, 1500));
            last[l] = to;
        } else if (what < 34 && last[l] >= first[l]) {
            const uint64_t from = last[l] - seeded_below(&seeded, (uint32_t)(last[l] - first[l] + 1) / 4 + 1);
            rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = l + 1, .index = from});
            last[l] = from - 1;
            term++;
        } else if (what < 38 && last[l] > first[l]) {
            const uint64_t upto = first[l] + seeded_below(&seeded, (uint32_t)(last[l] - first[l]));
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = l + 1, .index = upto});
            first[l] = upto + 1;
        } else if (what < 60) {
            poll_for(store, what < 50 ? 0 : 2000000);
        }
        const uint32_t c = seeded_below(&seeded, CURSORS);
        const uint64_t log = log_of[c];
        if (seeded_below(&seeded, 60) == 0) {
            teak_cursor_close(cursors[c]);
            cursors[c] = open_at(store, log + 1, at[c] = first[log]);
        }
        struct teak_entry entries[16];
        uint32_t count;
        const uint32_t max = 1 + seeded_below(&seeded, 16);
        const enum teak_status status =
            seeded_below(&seeded, 8) == 0 ? teak_cursor_read(cursors[c], 20000, entries, max, &count, &error)
                                          : try_some(cursors[c], entries, max, &count, &error);
        const struct teak_log told = rig_log(store, log + 1);
        if (status == TEAK_COMPACTED) {
            assert_true(at[c] < first[log]);
            rig_ok(teak_cursor_seek(cursors[c], at[c] = first[log], &error), &error);
        } else if (status == TEAK_PENDING) {
            assert_true(at[c] >= first[log] && at[c] <= last[log]);
            pending++;
        } else {
            rig_ok(status, &error);
            if (count == 0) assert_true(at[c] > last[log]);
            if (at[c] > last[log] + 1) at[c] = last[log] + 1; /* it was truncated under it: see below */
        }
        for (uint32_t i = 0; i < count; i++, read++) {
            assert_int_equal(entries[i].index, at[c]);
            assert_int_equal(entries[i].term, terms[log][at[c]]);
            assert_int_equal(entries[i].durable, at[c] <= told.durable.index);
            rig_expect_entry(log + 1, &entries[i], at[c]++);
        }
        if (status == TEAK_OK && at[c] == last[log] + 1) rig_ok(teak_cursor_seek(cursors[c], at[c], &error), &error);
    }
    printf("entries read: %" PRIu64 ", told to wait: %" PRIu64 "\n", read, pending);
    assert_true(read > 1000 && pending > 20);
    for (uint32_t i = 0; i < CURSORS; i++) teak_cursor_close(cursors[i]);
    for (uint32_t i = 0; i < LOGS; i++)
        if (last[i] >= first[i]) read_all(store, i + 1, first[i], last[i]);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_on_the_medium_comes_while_the_store_is_driven),
        cmocka_unit_test(the_driving_thread_waits_for_no_disk),
        cmocka_unit_test(reads_beside_frames_are_short_and_one_at_a_time),
        cmocka_unit_test(a_loop_is_woken_for_what_came),
        cmocka_unit_test(an_error_of_any_step_is_told_once_and_the_next_try_asks_again),
        cmocka_unit_test(rot_is_told_with_the_entry_and_hurts_nobody_else),
        cmocka_unit_test(a_rotten_slot_is_asked_of_its_frame),
        cmocka_unit_test(a_rotten_summary_is_told),
        cmocka_unit_test(cursor_and_store_can_be_closed_at_any_step),
        cmocka_unit_test(what_is_forgotten_on_the_way_is_no_rot),
        cmocka_unit_test(a_poisoned_store_still_brings_what_is_durable),
        cmocka_unit_test(a_cursor_follows_the_tail_and_knows_what_is_durable),
        cmocka_unit_test(many_cursors_are_served_side_by_side),
        cmocka_unit_test(everything_agrees_with_a_model),
    };
    return backends_run(argc, argv, "read_async", tests, sizeof tests / sizeof tests[0]);
}
