/* reader_test.c: readers on other threads: what they are answered, by whom, and what happens when nobody answers, or
 * the store goes away. Most of it plays both parts on one thread: a read that does not wait, a turn, a read.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "store/cold.h"
#include "store/fetch.h"
#include "unit/seeded.h"

enum { READ_MAX = 32 };

static struct teak_reader *open_at(struct teak_store *store, uint64_t log, uint64_t index)
{
    struct teak_reader *reader;
    struct teak_error error = {0};
    rig_ok(teak_reader_open(store, log, index, NULL, &reader, &error), &error);
    return reader;
}

static void poll_once(struct teak_store *store)
{
    uint32_t count;
    struct teak_error error = {0};
    struct teak_completion done[16];
    const enum teak_status status = teak_poll(store, 0, done, 16, &count, &error);
    assert_true(status == TEAK_OK || status == TEAK_POISONED);
}

/* Both parts, until there is an answer. */
static enum teak_status read_driven(struct teak_store *store, struct teak_reader *reader, struct teak_entry *out,
                                    uint32_t max, uint32_t *count, struct teak_error *error)
{
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        const enum teak_status status = teak_reader_read(reader, 0, 1 << 20, out, max, count, error);
        if (status != TEAK_PENDING) return status;
        poll_once(store);
    }
    fail_msg("nobody answered");
    return TEAK_PENDING;
}

static void read_all(struct teak_store *store, struct teak_reader *reader, uint64_t log, uint64_t first, uint64_t last)
{
    for (uint64_t next = first; next <= last;) {
        struct teak_entry entries[READ_MAX];
        struct teak_error error = {0};
        uint32_t count;
        rig_ok(read_driven(store, reader, entries, READ_MAX, &count, &error), &error);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(log, &entries[i], next++);
    }
}

static void cold_entries_then_the_tail(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct teak_store *store = backend_open(&rig);
    struct teak_reader *reader = open_at(store, 1, 1);
    read_all(store, reader, 1, 1, LAST);
    rig_append(store, 1, LAST + 1, LAST + 200, 2, BYTES);
    struct teak_entry entries[READ_MAX];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(read_driven(store, reader, entries, 4, &count, &error), &error);
    assert_int_equal(count, 4);
    rig_expect_entry(1, &entries[3], LAST + 4);
    rig_drain(store);
    read_all(store, reader, 1, LAST + 5, LAST + 200);
    rig_ok(read_driven(store, reader, entries, READ_MAX, &count, &error), &error);
    assert_int_equal(count, 0); /* the end, for now */
    rig_append_synced(store, 1, LAST + 201, LAST + 202, 2, 10);
    rig_ok(read_driven(store, reader, entries, 1, &count, &error), &error);
    rig_expect_entry(1, &entries[0], LAST + 201); /* answered as soon as it was there */
    assert_false(entries[0].durable);
    rig_ok(read_driven(store, reader, entries, 1, &count, &error), &error);
    rig_expect_entry(1, &entries[0], LAST + 202);
    assert_true(entries[0].durable);
    rig_ok(read_driven(store, reader, entries, 0, &count, &error), &error);
    assert_int_equal(count, 0);
    teak_reader_close(reader);
    teak_reader_close(NULL);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_store_that_nobody_drives_answers_nobody(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct teak_store *store = backend_open(&rig);
    struct teak_reader *reader = open_at(store, 1, 1);
    struct teak_entry entry;
    struct teak_error error = {0};
    uint32_t count;
    assert_int_equal(teak_reader_read(reader, 2000000, 0, &entry, 1, &count, &error), TEAK_PENDING);
    assert_int_equal(error.status, TEAK_PENDING);
    assert_int_equal(error.index, 1);
    assert_int_equal(teak_deadline(store), 0); /* there is somebody to be answered */
    read_all(store, reader, 1, 1, 5);
    struct teak_reader *other;
    assert_int_equal(teak_reader_open(store, 9, 1, NULL, &other, &error), TEAK_UNKNOWN_LOG);
    assert_int_equal(teak_reader_open(store, 1, LAST + 2, NULL, &other, &error), TEAK_BEYOND);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 100});
    assert_int_equal(teak_reader_open(store, 1, 100, NULL, &other, &error), TEAK_COMPACTED);
    assert_null(other);
    teak_reader_close(reader);
    rig_close(store);
    store = rig_open_read_only(&rig, NULL);
    assert_int_equal(teak_reader_open(store, 1, 101, NULL, &other, &error), TEAK_READ_ONLY);
    rig_close(store);
    rig_remove(rig.dir);
}

static void rot_is_told_with_the_entry(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    char name[64];
    const struct place place = cold_place(&rig, 7, name);
    rig_flip(&rig, name, place.offset + 5, 0x10);
    struct teak_store *store = backend_open(&rig);
    struct teak_reader *reader = open_at(store, 1, 1), *other = open_at(store, 2, 1);
    read_all(store, reader, 1, 1, 6);
    struct teak_entry entries[READ_MAX];
    struct teak_error error = {0};
    uint32_t count;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(read_driven(store, reader, entries, READ_MAX, &count, &error), TEAK_HASH_MISMATCH);
        assert_int_equal(error.log, 1);
        assert_int_equal(error.index, 7);
        assert_int_equal(error.term, 1);
    }
    read_all(store, other, 2, 1, 20);
    rig_append_synced(store, 2, 21, 22, 3, 10);
    read_all(store, other, 2, 21, 22);
    rig_flip(&rig, name, place.offset + 5, 0x10);
    read_all(store, reader, 1, 7, LAST);
    teak_reader_close(reader);
    teak_reader_close(other);
    rig_close(store);
    rig_remove(rig.dir);
}

static void read_cold(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last)
{
    struct teak_reader *reader = open_at(store, log, first);
    read_all(store, reader, log, first, last);
    teak_reader_close(reader);
}

static void a_rotten_slot_is_asked_of_its_frame(void **state)
{
    (void)state;
    cold_rot_a_slot(read_cold);
}

static void an_error_is_the_answer_of_that_read(void **state)
{
    (void)state;
    static const enum disk_kind kinds[] = {DISK_OPEN, DISK_POPULATE, DISK_READ};
    const struct rig rig = cold_make("reader");
    for (size_t k = 0; k < 3; k++)
        for (uint64_t nth = 1; nth <= 4; nth++) {
            struct faulty *faulty;
            struct teak_store *store = cold_open_faulty(&rig, &faulty);
            rig_settle(store); /* nobody but the reader asks the disk for anything */
            struct teak_reader *reader = open_at(store, 1, 1);
            faulty->chores_too = true;
            faulty_arm(faulty, kinds[k], nth, EIO);
            uint32_t failures = 0;
            for (uint64_t next = 1; next <= LAST;) {
                struct teak_entry entries[READ_MAX];
                struct teak_error error = {0};
                uint32_t count;
                const enum teak_status status = read_driven(store, reader, entries, READ_MAX, &count, &error);
                for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
                if (status == TEAK_OK) continue;
                assert_int_equal(status, TEAK_IO);
                assert_int_equal(error.os_errno, EIO);
                failures++;
            }
            assert_int_equal(failures, 1);
            assert_int_equal(faulty->struck, 1);
            teak_reader_close(reader);
            rig_close(store);
        }
    rig_remove(rig.dir);
}

/* What a reader was given the places of is read as it was, though it is forgotten and the space is used again. */
static void what_is_forgotten_under_a_reader_is_never_written_over(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        const struct rig rig = cold_make("reader");
        struct teak_store *store = backend_open(&rig);
        struct teak_reader *reader = open_at(store, 1, 1);
        struct teak_entry entries[READ_MAX];
        struct teak_error error = {0};
        uint32_t count;
        assert_int_equal(teak_reader_read(reader, 0, 1 << 20, entries, 5, &count, &error), TEAK_PENDING);
        poll_once(store);
        for (struct rig_patience patience = {0}; store->readers.asking > 0 && rig_waits(&patience);)
            poll_once(store); /* until it is answered, and not read yet */
        assert_int_equal(store->readers.asking, 0);
        const uint64_t oldest = store->segments.oldest;
        if (how == 0) rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = LAST});
        if (how == 1) rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 1});
        if (how == 2) rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = 1});
        rig_append(store, 2, 21, 1000, 3, BYTES);
        rig_drain(store);
        assert_true(store->segments.oldest > oldest);
        uint64_t next = 1;
        rig_ok(teak_reader_read(reader, 0, 1 << 20, entries, 5, &count, &error), &error);
        assert_int_equal(count, 5);
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
        enum teak_status status;
        while ((status = read_driven(store, reader, entries, READ_MAX, &count, &error)) == TEAK_OK && count > 0)
            for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], next++);
        static const enum teak_status wanted[] = {TEAK_COMPACTED, TEAK_LOG_GONE, TEAK_OK};
        assert_int_equal(status, wanted[how]);
        assert_true(next < LAST);
        teak_reader_close(reader);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void a_poisoned_store_still_answers(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_reader *reader = open_at(store, 1, 1);
    struct teak_error error = {0};
    faulty_arm(faulty, DISK_WRITE, 1, EIO);
    rig_append(store, 1, LAST + 1, LAST + 1, 1, BYTES);
    assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
    read_all(store, reader, 1, 1, LAST);
    teak_reader_close(reader);
    assert_int_equal(teak_close(store, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

static void the_store_may_go_first_in_every_state(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    for (int polls = 0; polls < 12; polls++)
        for (int abandons = 0; abandons < 2; abandons++) {
            struct teak_store *store = backend_open(&rig);
            struct teak_reader *reader = open_at(store, 1, 1), *first = open_at(store, 1, 100);
            struct teak_entry entries[READ_MAX];
            struct teak_error error = {0};
            uint32_t count = 0;
            for (int i = 0; i < polls; i++) {
                if (count == 0) (void)teak_reader_read(reader, 0, 1 << 20, entries, 3, &count, &error);
                poll_once(store);
                if (i % 3 == 2) usleep(500);
            }
            if (polls % 2) teak_reader_close(first);
            if (abandons)
                teak_abandon(store);
            else
                rig_close(store);
            for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], i + 1); /* until its next call */
            assert_int_equal(teak_reader_read(reader, 0, 1, entries, 1, &count, &error), TEAK_LOG_GONE);
            assert_int_equal(teak_reader_read(reader, TEAK_FOREVER, 1, entries, 1, &count, &error), TEAK_LOG_GONE);
            teak_reader_close(reader);
            if (polls % 2 == 0) teak_reader_close(first);
        }
    rig_remove(rig.dir);
}

/* ---- on threads ---- */

struct job {
    struct teak_reader *reader;
    uint64_t log, first, last;
    atomic_uint wakes;
    atomic_bool is_over;
    uint64_t read;
    enum teak_status ended;
};

static void *read_to_the_end(void *context)
{
    struct job *job = context;
    uint64_t next = job->first;
    struct teak_entry entries[READ_MAX];
    struct teak_error error = {0};
    while (next <= job->last) {
        uint32_t count;
        const enum teak_status status =
            teak_reader_read(job->reader, 50000000, 30000, entries, READ_MAX, &count, &error);
        if (status == TEAK_PENDING) continue;
        job->ended = status;
        if (status != TEAK_OK) break;
        for (uint32_t i = 0; i < count; i++) rig_expect_entry(job->log, &entries[i], next++);
        job->read += count;
    }
    atomic_store(&job->is_over, true);
    return NULL;
}

static void count_wake(void *context) { atomic_fetch_add((atomic_uint *)context, 1); }

static void many_threads_replay_and_follow(void **state)
{
    (void)state;
    enum { THREADS = 8, MORE = 1500 };
    const struct rig rig = cold_make("reader");
    struct teak_options options = backend_options();
    options.arena_bytes = 65536;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    static struct job jobs[THREADS];
    pthread_t threads[THREADS];
    struct teak_error error = {0};
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.log = 1, .first = 1 + (uint64_t)i * 30, .last = LAST + MORE};
        const struct teak_reader_options wake = {.wake = count_wake, .context = &jobs[i].wakes};
        rig_ok(teak_reader_open(store, 1, jobs[i].first, &wake, &jobs[i].reader, &error), &error);
        assert_int_equal(pthread_create(&threads[i], NULL, read_to_the_end, &jobs[i]), 0);
    }
    for (uint64_t next = LAST + 1; next <= LAST + MORE; next += 3) {
        rig_append(store, 1, next, next + 2, 2, 300);
        poll_once(store);
        if (next % 100 == 0) usleep(1000);
    }
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        bool is_over = true;
        for (int i = 0; i < THREADS; i++) is_over &= atomic_load(&jobs[i].is_over);
        if (is_over) break;
        poll_once(store);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(jobs[i].ended, TEAK_OK);
        assert_int_equal(jobs[i].read, jobs[i].last - jobs[i].first + 1);
        assert_true(atomic_load(&jobs[i].wakes) > 0);
        teak_reader_close(jobs[i].reader);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

static void *close_it(void *context)
{
    teak_reader_close(context);
    return NULL;
}

/* Readers that wait, read, and are closed by others, while the store goes away under them. */
static void the_store_goes_away_under_threads(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    const struct rig rig = cold_make("reader");
    for (int round = 0; round < 12; round++) {
        struct teak_store *store = backend_open(&rig);
        static struct job jobs[THREADS];
        pthread_t threads[THREADS], closer;
        for (int i = 0; i < THREADS; i++) {
            jobs[i] = (struct job){.log = 1, .first = 1, .last = UINT64_MAX};
            jobs[i].reader = open_at(store, 1, 1);
            assert_int_equal(pthread_create(&threads[i], NULL, read_to_the_end, &jobs[i]), 0);
        }
        struct teak_reader *idle = open_at(store, 1, 50);
        assert_int_equal(pthread_create(&closer, NULL, close_it, idle), 0);
        for (int i = 0; i < round * 10; i++) poll_once(store);
        if (round % 2)
            teak_abandon(store);
        else
            rig_close(store);
        pthread_join(closer, NULL);
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(jobs[i].ended, TEAK_LOG_GONE);
            teak_reader_close(jobs[i].reader);
        }
    }
    rig_remove(rig.dir);
}

/* ---- seek ---- */

/* One read that does not wait, whatever it says. */
static enum teak_status glance(struct teak_reader *reader, struct teak_entry *out, uint32_t *count)
{
    struct teak_error error = {0};
    return teak_reader_read(reader, 0, 1 << 20, out, READ_MAX, count, &error);
}

static void expect_next(struct teak_store *store, struct teak_reader *reader, uint64_t index)
{
    struct teak_entry entries[READ_MAX];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(read_driven(store, reader, entries, READ_MAX, &count, &error), &error);
    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++) rig_expect_entry(1, &entries[i], index + i);
}

/* In whatever state its mailbox is: idle, asked, at the tail, answered and half read. */
static void a_reader_goes_on_where_it_was_put(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct faulty *faulty;
    struct teak_store *store = cold_open_faulty(&rig, &faulty);
    struct teak_reader *reader = open_at(store, 1, 1);
    struct teak_entry entries[READ_MAX];
    uint32_t count;
    teak_reader_seek(reader, 50);
    teak_reader_seek(reader, 60);
    expect_next(store, reader, 60);
    teak_reader_seek(reader, 20);
    assert_int_equal(glance(reader, entries, &count), TEAK_PENDING); /* asked */
    teak_reader_seek(reader, 200);
    expect_next(store, reader, 200);
    teak_reader_seek(reader, 10);
    assert_int_equal(glance(reader, entries, &count), TEAK_PENDING);
    poll_once(store);
    for (struct rig_patience patience = {0}; store->readers.asking > 0 && rig_waits(&patience);)
        poll_once(store); /* until it is answered, and nobody has looked */
    teak_reader_seek(reader, 11);
    expect_next(store, reader, 11);
    teak_reader_seek(reader, LAST + 1);
    struct teak_error error = {0};
    rig_ok(read_driven(store, reader, entries, READ_MAX, &count, &error), &error);
    assert_int_equal(count, 0); /* waits at the tail */
    teak_reader_seek(reader, LAST);
    expect_next(store, reader, LAST);
    rig_append(store, 1, LAST + 1, LAST + 3, 2, BYTES);
    expect_next(store, reader, LAST + 1);
    teak_reader_seek(reader, 1); /* and closed while the question stands */
    assert_int_equal(glance(reader, entries, &count), TEAK_PENDING);
    teak_reader_seek(reader, 2);
    assert_int_equal(glance(reader, entries, &count), TEAK_PENDING); /* recalled */
    teak_reader_close(reader);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_place_that_is_not_there_is_an_answer(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct teak_store *store = backend_open(&rig);
    struct teak_reader *reader = open_at(store, 1, 1);
    struct teak_entry entries[READ_MAX];
    struct teak_error error = {0};
    uint32_t count;
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = 5});
    rig_drain(store);
    for (int again = 0; again < 2; again++) { /* it stands there, and hears it again */
        teak_reader_seek(reader, again ? LAST + 2 : UINT64_MAX);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(read_driven(store, reader, entries, 1, &count, &error), TEAK_BEYOND);
            assert_int_equal(error.expected, LAST + 1);
            assert_int_equal(count, 0);
        }
        teak_reader_seek(reader, 5);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(read_driven(store, reader, entries, 1, &count, &error), TEAK_COMPACTED);
            assert_int_equal(error.expected, 6);
        }
    }
    teak_reader_seek(reader, 6);
    expect_next(store, reader, 6);
    rig_close(store);
    teak_reader_seek(reader, 7);
    assert_int_equal(glance(reader, entries, &count), TEAK_LOG_GONE);
    teak_reader_close(reader);
    rig_remove(rig.dir);
}

/* Moved, glanced at and driven at random; whatever is handed out is what stands there. */
static void a_reader_is_moved_at_random(void **state)
{
    (void)state;
    const struct rig rig = cold_make("reader");
    struct seeded seeded = seeded_begin("reader");
    struct teak_store *store = backend_open(&rig);
    struct teak_reader *reader = open_at(store, 1, 1);
    struct teak_entry entries[READ_MAX];
    uint64_t next = 1, last = LAST, last_when_moved = LAST, got = 0;
    for (int i = 0; i < 3000; i++) {
        const uint32_t what = seeded_below(&seeded, 12);
        uint32_t count = 0;
        if (what == 0 && last < 2 * LAST) {
            rig_append(store, 1, last + 1, last + 5, 2, BYTES);
            last += 5;
        } else if (what <= 2) {
            next = 1 + seeded_below(&seeded, (uint32_t)last + 3);
            last_when_moved = last;
            teak_reader_seek(reader, next);
        } else if (what <= 6) {
            poll_once(store);
        } else {
            const enum teak_status status = glance(reader, entries, &count);
            if (status == TEAK_BEYOND)
                assert_true(next > last_when_moved + 1); /* it may have grown since it was judged */
            else
                assert_true(status == TEAK_OK || status == TEAK_PENDING);
        }
        for (uint32_t k = 0; k < count; k++) rig_expect_entry(1, &entries[k], next++);
        got += count;
    }
    teak_reader_seek(reader, 1); /* and it ends well */
    read_all(store, reader, 1, 1, last);
    print_message("%d entries read on the way\n", (int)got);
    teak_reader_close(reader);
    rig_close(store);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_entries_then_the_tail),
        cmocka_unit_test(a_store_that_nobody_drives_answers_nobody),
        cmocka_unit_test(rot_is_told_with_the_entry),
        cmocka_unit_test(a_rotten_slot_is_asked_of_its_frame),
        cmocka_unit_test(an_error_is_the_answer_of_that_read),
        cmocka_unit_test(what_is_forgotten_under_a_reader_is_never_written_over),
        cmocka_unit_test(a_poisoned_store_still_answers),
        cmocka_unit_test(the_store_may_go_first_in_every_state),
        cmocka_unit_test(a_reader_goes_on_where_it_was_put),
        cmocka_unit_test(a_place_that_is_not_there_is_an_answer),
        cmocka_unit_test(a_reader_is_moved_at_random),
        cmocka_unit_test(many_threads_replay_and_follow),
        cmocka_unit_test(the_store_goes_away_under_threads),
    };
    return backends_run(argc, argv, "reader", tests, sizeof tests / sizeof tests[0]);
}
