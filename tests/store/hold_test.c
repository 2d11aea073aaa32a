/* hold_test.c: entries that are held stay what they were, whatever the store does, and it never stops for them.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store/backends.h"
#include "teak/memory.h"
#include "unit/seeded.h"

enum { READ_MAX = 16 };

/* A hold with what it must show. */
struct held {
    struct teak_hold *hold;
    struct teak_entry entries[READ_MAX];
    uint32_t count;
    uint64_t log;
};

static void expect_entries(const struct held *held)
{
    for (uint32_t i = 0; i < held->count; i++)
        rig_expect_entry(held->log, &held->entries[i], held->entries[i].index);
}

static void let_go(struct held *held)
{
    expect_entries(held);
    teak_hold_end(held->hold);
    *held = (struct held){0};
}

static struct teak_cursor *open_at(struct teak_store *store, uint64_t log, uint64_t index)
{
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, log, index, &cursor, &error), &error);
    return cursor;
}

/* Reads from where the cursor stands, by whichever call, and holds it. false: nothing was there yet. */
static bool read_and_hold(struct teak_cursor *cursor, uint64_t log, uint32_t max, bool tries, struct held *out)
{
    struct teak_error error = {0};
    *out = (struct held){.log = log};
    const enum teak_status status =
        tries ? teak_cursor_try_read(cursor, 1 << 20, out->entries, max, &out->count, &error)
              : teak_cursor_read(cursor, 1 << 20, out->entries, max, &out->count, &error);
    if (status == TEAK_PENDING || (status == TEAK_OK && out->count == 0)) return false;
    rig_ok(status, &error);
    rig_ok(teak_cursor_hold(cursor, out->entries, out->count, &out->hold, &error), &error);
    expect_entries(out);
    return true;
}

static bool is_in_arena(const struct teak_store *store, const void *data) { return arena_owns(&store->arena, data); }

static struct teak_store *open_with_arena(const struct rig *rig, uint64_t arena_bytes)
{
    struct teak_options options = backend_options();
    options.arena_bytes = arena_bytes;
    return rig_open_with(rig, &options, NULL);
}

static void held_bytes_stay_in_the_arena_while_it_goes_round(void **state)
{
    (void)state;
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 1 << 20);
    rig_create(store, 1);
    rig_append(store, 1, 1, 10, 1, 300);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct held held;
    assert_true(read_and_hold(cursor, 1, 8, true, &held));
    assert_int_equal(held.count, 8);
    const void *const where = held.entries[0].data;
    assert_true(is_in_arena(store, where));
    rig_append(store, 1, 11, 12000, 1, 300); /* three times round */
    rig_drain(store);
    assert_true(store->arena.head > 3 * store->arena.bytes);
    assert_ptr_equal(held.entries[0].data, where);
    let_go(&held);
    for (uint32_t i = 0; i < ARENA_CHUNKS; i++) assert_false(arena_is_pinned(&store->arena, i));
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What is held of the newest entries costs the writer nothing: it goes on right behind them. */
static void holding_the_tail_leaves_no_gaps(void **state)
{
    (void)state;
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 1 << 20);
    rig_create(store, 1);
    struct teak_cursor *cursor = NULL;
    struct held held[4] = {0};
    for (uint64_t index = 1; index <= 100; index++) {
        rig_append_synced(store, 1, index, index, 1, 100);
        if (!cursor) cursor = open_at(store, 1, 1);
        if (held[index % 4].hold) let_go(&held[index % 4]);
        assert_true(read_and_hold(cursor, 1, 1, true, &held[index % 4]));
        assert_true(is_in_arena(store, held[index % 4].entries[0].data));
    }
    assert_true(store->arena.head <= 110 * (uint64_t)RIG_BLOCK);
    for (int i = 0; i < 4; i++) let_go(&held[i]);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* However much is held, a quarter of the arena at most is pinned; the rest is copied, and the writer goes on. */
static void what_would_pin_too_much_is_copied(void **state)
{
    (void)state;
    enum { HELD = 400 };
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 1 << 20);
    rig_create(store, 1);
    rig_append(store, 1, 1, 1, 1, 2000);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    static struct held held[HELD];
    uint32_t copied = 0, pinned = 0;
    for (uint32_t i = 0; i < HELD; i++) {
        assert_true(read_and_hold(cursor, 1, 1, true, &held[i]));
        if (is_in_arena(store, held[i].entries[0].data))
            pinned++;
        else
            copied++;
        rig_append(store, 1, i + 2, i + 2, 1, 2000);
    }
    assert_true(copied > HELD / 4 && pinned > 20);
    rig_drain(store);
    for (uint32_t i = 0; i < HELD; i++) let_go(&held[i]);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* The largest batches find room however the pins lie. */
static void the_largest_batch_finds_room_whatever_is_pinned(void **state)
{
    (void)state;
    struct seeded seeded = seeded_begin("the_largest_batch_finds_room_whatever_is_pinned");
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 0); /* the least there can be */
    struct teak_limits limits;
    teak_limits(store, &limits);
    rig_create(store, 1);
    rig_append(store, 1, 1, 1, 1, 10);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct held held[6] = {0};
    uint64_t next = 2;
    uint32_t pinned = 0;
    for (int round = 0; round < 400; round++) {
        const uint32_t bytes = seeded_below(&seeded, 3) == 0 ? limits.entry_bytes : seeded_below(&seeded, 6000);
        rig_append(store, 1, next, next, 1, bytes); /* drives while it is FULL: a writer that stops hangs here */
        next++;
        struct held *slot = &held[seeded_below(&seeded, 6)];
        if (slot->hold) let_go(slot);
        if (next > 5) {
            struct teak_error error = {0};
            rig_ok(teak_cursor_seek(cursor, next - 1 - seeded_below(&seeded, 4), &error), &error);
            read_and_hold(cursor, 1, 1 + seeded_below(&seeded, 2), true, slot);
        }
        for (uint32_t i = 0; i < ARENA_CHUNKS; i++) pinned += arena_is_pinned(&store->arena, i);
        if (next > 20 && seeded_below(&seeded, 20) == 0)
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = next - 1 - 6});
    }
    assert_true(pinned > 50);
    for (int i = 0; i < 6; i++)
        if (held[i].hold) let_go(&held[i]);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

static void windows_are_held_beyond_cursor_and_store(void **state)
{
    (void)state;
    enum { LAST = 300, HELD = 40 };
    for (int tries = 0; tries < 2; tries++) {
        const struct rig rig = rig_make("hold");
        struct teak_store *store = backend_open(&rig);
        rig_create(store, 1);
        rig_append(store, 1, 1, LAST, 1, 500);
        rig_close(store);
        store = backend_open(&rig);
        struct teak_cursor *cursor = open_at(store, 1, 1);
        static struct held held[HELD];
        uint32_t count = 0;
        for (uint64_t next = 1; next <= LAST;) {
            struct held *slot = &held[count % HELD];
            if (slot->hold) let_go(slot);
            if (!read_and_hold(cursor, 1, 7, tries == 1, slot)) {
                uint32_t done;
                struct teak_error error = {0};
                rig_ok(teak_poll(store, TEAK_FOREVER, NULL, 0, &done, &error), &error);
                continue;
            }
            assert_int_equal(slot->entries[0].index, next);
            assert_false(is_in_arena(store, slot->entries[0].data));
            next += slot->count;
            count++;
        }
        rig_append(store, 1, LAST + 1, LAST + 5, 1, 100);
        struct held tail;
        assert_true(read_and_hold(cursor, 1, 5, tries == 1, &tail));
        assert_true(is_in_arena(store, tail.entries[0].data));
        teak_cursor_close(cursor);
        for (uint32_t i = 0; i < HELD / 2; i++) expect_entries(&held[i]);
        rig_close(store);
        for (uint32_t i = 0; i < HELD && i < count; i++) let_go(&held[i]);
        let_go(&tail);
        rig_remove(rig.dir);
    }
}

static void what_was_not_just_read_cannot_be_held(void **state)
{
    (void)state;
    const struct rig rig = rig_make("hold");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 10, 1, 100);
    struct teak_cursor *cursor = open_at(store, 1, 1);
    struct teak_error error = {0};
    struct teak_hold *hold = NULL;
    struct teak_entry entries[8], other[8];
    uint32_t count;
    assert_int_equal(teak_cursor_hold(cursor, entries, 1, &hold, &error), TEAK_INVALID); /* nothing was read */
    rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 4, &count, &error), &error);
    assert_int_equal(teak_cursor_hold(cursor, entries, 0, &hold, &error), TEAK_INVALID);
    assert_int_equal(teak_cursor_hold(cursor, NULL, 1, &hold, &error), TEAK_INVALID);
    assert_int_equal(error.status, TEAK_INVALID);
    memcpy(other, entries, sizeof other);
    other[0].index = 9; /* not of this read */
    assert_int_equal(teak_cursor_hold(cursor, other, 1, &hold, &error), TEAK_INVALID);
    memcpy(other, entries, sizeof other);
    other[1] = other[2]; /* no neighbours */
    assert_int_equal(teak_cursor_hold(cursor, other, 2, &hold, &error), TEAK_INVALID);
    memcpy(other, entries, sizeof other);
    other[0].data = &error; /* somewhere else */
    assert_int_equal(teak_cursor_hold(cursor, other, 1, &hold, &error), TEAK_INVALID);
    assert_null(hold);
    rig_ok(teak_cursor_hold(cursor, entries + 1, 2, &hold, &error), &error); /* a part of it is fine */
    struct teak_hold *again;
    rig_ok(teak_cursor_hold(cursor, entries, 4, &again, &error), &error); /* and so is holding twice */
    teak_hold_end(hold);
    teak_hold_end(again);
    teak_hold_end(NULL);
    rig_append_synced(store, 1, 11, 11, 1, 100);
    assert_int_equal(teak_cursor_hold(cursor, entries, 1, &hold, &error), TEAK_INVALID); /* too late */
    rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 4, &count, &error), &error);
    rig_ok(teak_cursor_seek(cursor, 1, &error), &error);
    assert_int_equal(teak_cursor_hold(cursor, entries, 1, &hold, &error), TEAK_INVALID);
    teak_cursor_close(cursor);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A reservation that was written and then not submitted, or not all of it, leaves nothing readable behind. */
static void a_reservation_given_up_spoils_nothing(void **state)
{
    (void)state;
    const struct rig rig = rig_make("hold");
    struct teak_options options = backend_options();
    options.arena_bytes = 65536;
    options.group_bytes = RIG_BLOCK;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 40, 1, 900);
    struct teak_error error = {0};
    for (uint64_t next = 41; next < 80; next++) {
        void *room;
        enum teak_status status;
        while ((status = teak_reserve(store, 12000, 1, &room, &error)) == TEAK_FULL) {
            uint32_t count;
            rig_ok(teak_poll(store, 1000000, NULL, 0, &count, &error), &error);
        }
        rig_ok(status, &error);
        memset(room, 0xee, 12000);
        teak_release(store);
        rig_append_synced(store, 1, next, next, 1, 900);
        rig_expect_entries(store, 1, 1, next);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

/* Random work and random holds; every one shows what it showed, to its end. */
static void random_holds_never_change(void **state)
{
    (void)state;
    enum { SLOTS = 24, STEPS = 5000, CURSORS = 4 };
    struct seeded seeded = seeded_begin("random_holds_never_change");
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 131072);
    rig_create(store, 1);
    rig_append(store, 1, 1, 1, 1, 10);
    struct teak_cursor *cursors[CURSORS];
    for (int i = 0; i < CURSORS; i++) cursors[i] = open_at(store, 1, 1);
    static struct held held[SLOTS];
    uint64_t first = 1, next = 2;
    uint32_t holds = 0;
    struct teak_error error = {0};
    for (int step = 0; step < STEPS; step++) {
        const uint32_t what = seeded_below(&seeded, 100);
        if (what < 40) {
            const uint64_t to = next + seeded_below(&seeded, 4);
            rig_append(store, 1, next, to, 1, seeded_below(&seeded, seeded_below(&seeded, 6) ? 400 : 12000));
            next = to + 1;
        } else if (what < 44 && next - first > 200) {
            first = next - 150;
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = first - 1});
        } else if (what < 60) {
            uint32_t count;
            rig_ok(teak_poll(store, what < 55 ? 0 : 300000, NULL, 0, &count, &error), &error);
            if (what > 57) rig_drain(store);
        }
        struct held *slot = &held[seeded_below(&seeded, SLOTS)];
        if (slot->hold && seeded_below(&seeded, 3) == 0) let_go(slot);
        if (slot->hold) continue;
        struct teak_cursor *cursor = cursors[seeded_below(&seeded, CURSORS)];
        const uint64_t near = next - first < 30 || seeded_below(&seeded, 4) == 0 ? next - first : 30;
        if (seeded_below(&seeded, 3) == 0)
            rig_ok(teak_cursor_seek(cursor, next - 1 - seeded_below(&seeded, (uint32_t)near), &error), &error);
        struct teak_entry probe;
        uint32_t count;
        if (teak_cursor_read(cursor, 0, &probe, 1, &count, &error) == TEAK_COMPACTED)
            rig_ok(teak_cursor_seek(cursor, first, &error), &error);
        holds += read_and_hold(cursor, 1, 1 + seeded_below(&seeded, READ_MAX), seeded_below(&seeded, 2) == 0, slot);
    }
    assert_true(holds > STEPS / 20);
    for (int i = 0; i < CURSORS; i++) teak_cursor_close(cursors[i]);
    rig_close(store);
    for (int i = 0; i < SLOTS; i++)
        if (held[i].hold) let_go(&held[i]);
    rig_remove(rig.dir);
}

/* ---- let go of on other threads ---- */

enum { BELT = 64, HELPERS = 3 };

struct belt {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct held slots[BELT];
    uint32_t count;
    bool is_over;
    atomic_uint ended;
};

static void *end_holds(void *context)
{
    struct belt *belt = context;
    for (;;) {
        pthread_mutex_lock(&belt->lock);
        while (belt->count == 0 && !belt->is_over) pthread_cond_wait(&belt->moved, &belt->lock);
        if (belt->count == 0) break;
        struct held held = belt->slots[--belt->count];
        pthread_mutex_unlock(&belt->lock);
        let_go(&held);
        atomic_fetch_add(&belt->ended, 1);
    }
    pthread_mutex_unlock(&belt->lock);
    return NULL;
}

static void any_thread_lets_go(void **state)
{
    (void)state;
    const struct rig rig = rig_make("hold");
    struct teak_store *store = open_with_arena(&rig, 262144);
    static struct belt belt = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    belt.is_over = false;
    atomic_store(&belt.ended, 0);
    pthread_t helpers[HELPERS];
    for (int i = 0; i < HELPERS; i++) assert_int_equal(pthread_create(&helpers[i], NULL, end_holds, &belt), 0);
    rig_create(store, 1);
    struct teak_cursor *cursor = NULL;
    uint32_t holds = 0;
    for (uint64_t next = 1; next <= 3000; next += 3) {
        rig_append(store, 1, next, next + 2, 1, 200);
        if (!cursor) cursor = open_at(store, 1, 1);
        struct held held;
        if (!read_and_hold(cursor, 1, 6, true, &held)) {
            uint32_t count;
            struct teak_error error = {0};
            rig_ok(teak_poll(store, 100000, NULL, 0, &count, &error), &error);
            continue;
        }
        holds++;
        pthread_mutex_lock(&belt.lock);
        const bool fits = belt.count < BELT;
        if (fits) belt.slots[belt.count++] = held;
        pthread_cond_signal(&belt.moved);
        pthread_mutex_unlock(&belt.lock);
        if (!fits) {
            let_go(&held);
            atomic_fetch_add(&belt.ended, 1);
        }
    }
    teak_cursor_close(cursor);
    rig_close(store); /* some of it is still held */
    pthread_mutex_lock(&belt.lock);
    belt.is_over = true;
    pthread_cond_broadcast(&belt.moved);
    pthread_mutex_unlock(&belt.lock);
    for (int i = 0; i < HELPERS; i++) pthread_join(helpers[i], NULL);
    assert_true(holds > 500);
    assert_int_equal(atomic_load(&belt.ended), holds);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(held_bytes_stay_in_the_arena_while_it_goes_round),
        cmocka_unit_test(holding_the_tail_leaves_no_gaps),
        cmocka_unit_test(what_would_pin_too_much_is_copied),
        cmocka_unit_test(the_largest_batch_finds_room_whatever_is_pinned),
        cmocka_unit_test(windows_are_held_beyond_cursor_and_store),
        cmocka_unit_test(what_was_not_just_read_cannot_be_held),
        cmocka_unit_test(a_reservation_given_up_spoils_nothing),
        cmocka_unit_test(random_holds_never_change),
        cmocka_unit_test(any_thread_lets_go),
    };
    return backends_run(argc, argv, "hold", tests, sizeof tests / sizeof tests[0]);
}
