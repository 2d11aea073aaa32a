/* writer_test.c: what a batch may ask for, what it gets, and that TEAK_FULL always ends by driving the store. */
#include "store/backends.h"

static struct teak_bytes bytes_of(const void *data, uint32_t bytes)
{
    return (struct teak_bytes){.data = data, .bytes = bytes};
}

static struct teak_op entries_op(uint64_t log, uint64_t index, uint64_t term, uint8_t kind,
                                 const struct teak_bytes *entries, uint32_t count)
{
    return (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term, .kind = kind,
                            .entries = entries, .count = count};
}

/* Submits; drives for at most a few turns while it is full. A livelock is a failure here, not a hang. */
static void submit_soon(struct teak_store *store, const struct teak_op *ops, uint32_t count)
{
    const struct teak_batch batch = {.ops = ops, .count = count, .tag = 77};
    struct teak_error error = {0};
    for (int i = 0; i < 200; i++) {
        const enum teak_status status = teak_submit(store, &batch, &error);
        if (status != TEAK_FULL) {
            rig_ok(status, &error);
            return;
        }
        struct teak_completion done[64];
        uint32_t taken;
        rig_ok(teak_poll(store, 100000000, done, 64, &taken, &error), &error);
    }
    fail_msg("still full after 200 turns");
}

/* Histories 29 and 47. */
static void a_log_is_created_and_filled_in_one_batch_as_often_as_one_likes(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    const struct teak_bytes entry = bytes_of("twelve bytes", 12);
    for (uint64_t log = 1; log <= 100; log++) {
        const struct teak_op ops[] = {
            {.op = TEAK_OP_CREATE, .log = log},
            entries_op(log, 10, 1, 0, &entry, 1),
            entries_op(log, 11, 2, 1, &entry, 1),
            entries_op(log, 12, 3, 0, &entry, 1),
            {.op = TEAK_OP_META, .log = log, .data = "word", .bytes = 4},
            {.op = TEAK_OP_HARD_STATE, .log = log, .term = 3, .vote = 1, .commit = 10},
        };
        submit_soon(store, ops, 6);
    }
    rig_close(store);
    store = backend_open(&rig);
    for (uint64_t log = 1; log <= 100; log++) {
        const struct teak_log is = rig_log(store, log);
        assert_int_equal(is.first, 10);
        assert_int_equal(is.last.index, 12);
        assert_int_equal(is.last.term, 3);
        assert_int_equal(is.durable.index, 12);
        assert_int_equal(is.hard.commit, 10);
        char word[8];
        uint32_t bytes;
        assert_int_equal(teak_meta(store, log, word, sizeof word, &bytes, NULL), TEAK_OK);
        assert_int_equal(bytes, 4);
        assert_memory_equal(word, "word", 4);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 48: logs are enumerated. */
static void one_batch_creates_many_logs(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    enum { LOGS = 90 };
    struct teak_op ops[2 * LOGS];
    const struct teak_bytes entry = bytes_of("x", 1);
    for (uint32_t i = 0; i < LOGS; i++) {
        ops[2 * i] = (struct teak_op){.op = TEAK_OP_CREATE, .log = 1000 - i};
        ops[2 * i + 1] = entries_op(1000 - i, 1, 1, 0, &entry, 1);
    }
    submit_soon(store, ops, 2 * LOGS);
    uint64_t ids[2 * LOGS];
    assert_int_equal(teak_logs(store, true, 0, ids, 2 * LOGS), LOGS);
    for (uint32_t i = 0; i < LOGS; i++) assert_int_equal(ids[i], 1000 - LOGS + 1 + i);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 29. */
static void a_batch_may_hold_many_stretches_of_one_log(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    enum { STRETCHES = 40 };
    const struct teak_bytes entry = bytes_of("payload", 7);
    for (uint64_t round = 0; round < 30; round++) { /* over several segments: rotation forgets what was grown */
        struct teak_op ops[STRETCHES];
        for (uint32_t i = 0; i < STRETCHES; i++)
            ops[i] = entries_op(1, round * STRETCHES + i + 1, round * STRETCHES + i + 1, (uint8_t)(i & 1), &entry, 1);
        submit_soon(store, ops, STRETCHES);
    }
    rig_drain(store);
    const struct teak_log is = rig_log(store, 1);
    assert_int_equal(is.last.index, 30 * STRETCHES);
    assert_int_equal(is.durable.index, 30 * STRETCHES);
    for (uint64_t index = 1; index <= 30 * STRETCHES; index++) {
        uint64_t term;
        assert_int_equal(teak_term_at(store, 1, index, &term, NULL), TEAK_OK);
        assert_int_equal(term, index);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

/* An append that goes on where its log ends is admitted without a copy of the log's state: what comes behind it in the
 * batch must see it all the same, and a refusal must leave nothing of it. Beside it the same operations one by one. */
static void what_follows_an_append_in_its_batch_sees_it(void **state)
{
    (void)state;
    enum { BEFORE = 5, NEW = BEFORE + 1, TERM = 2 };
    const struct teak_bytes entry = bytes_of("payload", 7);
    const struct teak_op seconds[] = {
        {.op = TEAK_OP_COMPACT, .index = NEW},
        {.op = TEAK_OP_COMPACT, .index = NEW + 1},                 /* beyond                    */
        {.op = TEAK_OP_TRUNCATE, .index = NEW},
        {.op = TEAK_OP_TRUNCATE, .index = NEW + 1},                /* nothing to take away      */
        {.op = TEAK_OP_TRUNCATE, .index = NEW + 2},                /* beyond                    */
        entries_op(0, NEW + 1, TERM, 0, &entry, 1),
        entries_op(0, NEW + 1, TERM, 1, &entry, 1),
        entries_op(0, NEW + 1, TERM + 1, 0, &entry, 1),
        entries_op(0, NEW + 1, TERM - 1, 0, &entry, 1),            /* the term goes backwards   */
        entries_op(0, NEW, TERM, 0, &entry, 1),                    /* overlap                   */
        entries_op(0, NEW + 2, TERM, 0, &entry, 1),                /* gap                       */
        entries_op(0, NEW + 1, TERM, 0, NULL, 1),
        {.op = TEAK_OP_SNAPSHOT, .index = NEW, .term = TERM},      /* keeps the log             */
        {.op = TEAK_OP_SNAPSHOT, .index = NEW, .term = TERM + 1},  /* clears it                 */
        {.op = TEAK_OP_SNAPSHOT, .index = NEW + 9, .term = TERM},
        {.op = TEAK_OP_HARD_STATE, .term = 3, .vote = 1, .commit = NEW},
        {.op = TEAK_OP_META, .data = "word", .bytes = 4},
        {.op = TEAK_OP_CREATE},                                    /* it is there               */
    };
    enum { CASES = sizeof seconds / sizeof seconds[0] };
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    enum teak_status statuses[CASES];
    for (uint64_t i = 0; i < CASES; i++) {
        for (uint64_t log = 2 * i + 1; log <= 2 * i + 2; log++) {
            rig_create(store, log);
            rig_append(store, log, 1, BEFORE, TERM, 20);
        }
        const uint64_t batched = 2 * i + 1, single = 2 * i + 2;
        struct teak_op ops[2] = {entries_op(batched, NEW, TERM, 0, &entry, 1), seconds[i]};
        struct teak_error error = {0};
        ops[1].log = batched;
        statuses[i] = rig_submit(store, &(struct teak_batch){.ops = ops, .count = 2}, &error);
        ops[0].log = ops[1].log = single;
        if (statuses[i] == TEAK_OK) rig_do(store, ops[0]);
        if (statuses[i] == TEAK_OK) rig_do(store, ops[1]);
    }
    rig_drain(store);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < CASES; i++) {
            const struct teak_log one = rig_log(store, 2 * i + 1), other = rig_log(store, 2 * i + 2);
            assert_int_equal(one.first, other.first);
            assert_int_equal(one.last.index, other.last.index);
            assert_int_equal(one.last.term, other.last.term);
            assert_int_equal(one.base.index, other.base.index);
            assert_int_equal(one.base.term, other.base.term);
            assert_int_equal(one.snapshot.index, other.snapshot.index);
            assert_int_equal(one.durable.index, other.durable.index);
            assert_int_equal(one.hard.commit, other.hard.commit);
            assert_int_equal(one.meta_bytes, other.meta_bytes);
            if (statuses[i] != TEAK_OK) assert_int_equal(one.last.index, BEFORE);
        }
        rig_close(store);
        store = backend_open(&rig);
    }
    const enum teak_status refused[CASES] = {[1] = TEAK_BEYOND, [4] = TEAK_BEYOND, [8] = TEAK_TERM_BACKWARDS,
                                             [9] = TEAK_OVERLAP, [10] = TEAK_GAP, [11] = TEAK_INVALID,
                                             [17] = TEAK_LOG_EXISTS};
    for (uint64_t i = 0; i < CASES; i++) assert_int_equal(statuses[i], refused[i]);
    rig_close(store);
    rig_remove(rig.dir);
}

static void two_logs_that_take_turns_never_wait_for_long(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_create(store, 2);
    const struct teak_bytes entry = bytes_of("payload", 7);
    for (uint64_t index = 1; index <= 2000; index++) {
        const struct teak_op ops[] = {entries_op(1, index, 1, 0, &entry, 1), entries_op(2, index, 1, 0, &entry, 1)};
        submit_soon(store, ops, 2);
    }
    rig_drain(store);
    assert_int_equal(rig_log(store, 2).durable.index, 2000);
    rig_close(store);
    rig_remove(rig.dir);
}

/* [DROP, CREATE] in one batch: the new life has the memory that was judged, not another log's. */
static void logs_change_lives_within_a_batch(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    const struct teak_bytes entry = bytes_of("payload", 7);
    for (uint64_t log = 1; log <= 3; log++) {
        const struct teak_op ops[] = {{.op = TEAK_OP_CREATE, .log = log}, entries_op(log, 1, 1, 0, &entry, 1)};
        submit_soon(store, ops, 2);
    }
    uint64_t lives[4] = {0};
    for (uint64_t log = 1; log <= 3; log++) lives[log] = rig_log(store, log).life;
    for (int round = 0; round < 50; round++) {
        struct teak_op ops[16] = {
            {.op = TEAK_OP_DROP, .log = 1}, {.op = TEAK_OP_DROP, .log = 2}, {.op = TEAK_OP_DROP, .log = 3},
            {.op = TEAK_OP_CREATE, .log = 1}, {.op = TEAK_OP_META, .log = 1, .data = "m", .bytes = 1},
            {.op = TEAK_OP_CREATE, .log = 3}, {.op = TEAK_OP_CREATE, .log = 2}};
        uint32_t count = 7;
        for (uint64_t log = 1; log <= 3; log++)
            for (uint32_t i = 0; i < 3; i++) ops[count++] = entries_op(log, 5 + i, 7 + i, (uint8_t)i, &entry, 1);
        submit_soon(store, ops, count);
        for (uint64_t log = 1; log <= 3; log++) {
            const struct teak_log is = rig_log(store, log);
            assert_true(is.life > lives[log]);
            lives[log] = is.life;
            assert_int_equal(is.first, 5);
            assert_int_equal(is.last.index, 7);
            assert_int_equal(is.last.term, 9);
            assert_int_equal(is.meta_bytes, log == 1 ? 1 : 0);
        }
    }
    rig_close(store);
    store = backend_open(&rig);
    for (uint64_t log = 1; log <= 3; log++) assert_int_equal(rig_log(store, log).life, lives[log]);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 24. A log that is created, dropped and created in what would be one frame gets two numbers. */
static void two_lives_never_share_a_number(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_drain(store);
    const struct teak_op create = {.op = TEAK_OP_CREATE, .log = 9}, drop = {.op = TEAK_OP_DROP, .log = 9};
    submit_soon(store, &create, 1);
    const uint64_t first = rig_log(store, 9).life;
    const struct teak_op both[] = {drop, create};
    submit_soon(store, both, 2);
    const uint64_t second = rig_log(store, 9).life;
    assert_true(second > first);
    submit_soon(store, &drop, 1);
    submit_soon(store, &create, 1);
    assert_true(rig_log(store, 9).life > second);
    rig_close(store);
    rig_remove(rig.dir);
}

struct shape {
    uint32_t block;
    uint64_t segment;
};

/* The largest entry and the largest batch go in, and come out, in stores of every shape; and the empty entry. */
static void largest_and_smallest_go_through_every_shape(void **state)
{
    (void)state;
    static const struct shape shapes[] = {{4096, 65536},     {8192, 131072},  {16384, 262144},
                                          {32768, 524288},   {65536, 1048576}, {4096, 1048576}};
    for (uint32_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        const struct rig rig = rig_make("writer");
        struct teak_options options = backend_options();
        options.block_bytes = shapes[s].block;
        options.segment_bytes = shapes[s].segment;
        struct teak_store *store = rig_open_with(&rig, &options, NULL);
        struct teak_limits limits;
        teak_limits(store, &limits);
        rig_create(store, 1);
        uint8_t *large = malloc(limits.entry_bytes + 1);
        assert_non_null(large);
        rig_fill(large, limits.entry_bytes, 1, 2, 3);
        const struct teak_bytes none = bytes_of(NULL, 0), one = bytes_of(large, limits.entry_bytes),
                                more = bytes_of(large, limits.entry_bytes + 1);
        for (uint64_t index = 1; index <= 11; index++) {
            const struct teak_op op = entries_op(1, index, 3, 0, index % 2 ? &none : &one, 1);
            const struct teak_batch batch = {.ops = &op, .count = 1};
            if (index % 2 == 0) assert_int_equal(teak_batch_bytes(&batch), limits.batch_bytes);
            submit_soon(store, &op, 1);
        }
        struct teak_error error = {0};
        const struct teak_op op = entries_op(1, 12, 3, 0, &more, 1);
        assert_int_equal(rig_op(store, op, &error), TEAK_ENTRY_TOO_LARGE);
        assert_int_equal(error.index, 12);
        assert_int_equal(error.expected, limits.entry_bytes);
        rig_close(store);
        store = rig_open_with(&rig, &options, NULL);
        struct teak_cursor *cursor;
        rig_ok(teak_cursor_open(store, 1, 1, &cursor, &error), &error);
        for (uint64_t index = 1; index <= 11; index++) {
            struct teak_entry entry;
            uint32_t count;
            rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error);
            assert_int_equal(count, 1);
            assert_int_equal(entry.index, index);
            assert_int_equal(entry.bytes, index % 2 ? 0 : limits.entry_bytes);
            if (entry.bytes) assert_memory_equal(entry.data, large, entry.bytes);
        }
        teak_cursor_close(cursor);
        rig_close(store);
        free(large);
        rig_remove(rig.dir);
    }
}

/* Batches of the largest number of empty entries, again and again: slots, not payload, are what fills a segment. */
static void largest_batches_of_empty_entries_follow_each_other(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    struct teak_limits limits;
    teak_limits(store, &limits);
    rig_create(store, 1);
    enum { MANY = 1000 };
    static struct teak_bytes none[MANY];
    uint64_t next = 1;
    for (int round = 0; round < 20; round++) {
        const struct teak_op op = entries_op(1, next, 1, 0, none, MANY);
        assert_true(teak_batch_bytes(&(struct teak_batch){.ops = &op, .count = 1}) <= limits.batch_bytes);
        submit_soon(store, &op, 1);
        next += MANY;
    }
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 1).last.index, 20 * MANY);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A slow device: everything that is bounded fills up, and empties again. */
static void every_bound_gives_way_when_the_device_goes_on(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_options options = backend_options();
    struct faulty *faulty;
    struct teak_store *store = backend_open_faulty(&rig, &options, &faulty);
    rig_create(store, 1);
    rig_drain(store);
    uint8_t data[3000];
    uint64_t next = 1;
    for (int round = 0; round < 20; round++) {
        faulty->holds_writes = true;
        struct teak_error error = {0};
        enum teak_status status;
        do {
            rig_fill(data, sizeof data, 1, next, 1);
            status = teak_append(store, 1, next, 1, data, sizeof data, next, &error);
            if (status == TEAK_OK) next++;
            struct teak_completion done[8];
            uint32_t count;
            rig_ok(teak_poll(store, 0, done, 8, &count, &error), &error);
        } while (status == TEAK_OK);
        assert_int_equal(status, TEAK_FULL);
        faulty_release_all(faulty);
        rig_fill(data, sizeof data, 1, next, 1);
        const struct teak_bytes entry = bytes_of(data, sizeof data);
        const struct teak_op op = entries_op(1, next, 1, 0, &entry, 1);
        submit_soon(store, &op, 1);
        next++;
    }
    rig_drain(store);
    rig_expect_entries(store, 1, 1, next - 1);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, 1, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* 131,072 batches can be owed a completion; then it is full until some are taken. */
static void the_ring_of_tickets_fills_and_empties(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_options options = backend_options();
    options.strategy = TEAK_NONE;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 1);
    rig_drain(store);
    struct teak_error error = {0};
    uint32_t put = 0;
    while (teak_barrier(store, put, &error) == TEAK_OK) put++;
    assert_int_equal(error.status, TEAK_FULL);
    assert_int_equal(put, TICKETS);
    assert_int_equal(teak_append(store, 1, 1, 1, "x", 1, 0, &error), TEAK_FULL);
    uint32_t taken = 0, count;
    struct teak_completion done[1000];
    while (taken < TICKETS) {
        rig_ok(teak_poll(store, 0, done, 1000, &count, &error), &error);
        for (uint32_t i = 0; i < count; i++) assert_int_equal(done[i].tag, taken + i);
        taken += count;
        assert_true(count > 0);
    }
    rig_append(store, 1, 1, 1, 1, 1);
    rig_close(store);
    rig_remove(rig.dir);
}

/* History 39. */
static void a_reservation_is_filled_in_place_and_outlives_polls(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    rig_drain(store);
    struct teak_error error = {0};
    uint64_t next = 1;
    for (int round = 0; round < 60; round++) {
        void *memory;
        enum teak_status status;
        while ((status = teak_reserve(store, 2048, 8, &memory, &error)) == TEAK_FULL) {
            struct teak_completion done[16];
            uint32_t count;
            rig_ok(teak_poll(store, 100000000, done, 16, &count, &error), &error);
        }
        rig_ok(status, &error);
        void *other;
        assert_int_equal(teak_reserve(store, 8, 1, &other, &error), TEAK_RESERVED);
        assert_int_equal(teak_drain(store, &error), TEAK_RESERVED);
        struct teak_bytes entries[4];
        uint8_t *at = memory;
        for (uint32_t i = 0; i < 4; i++) {
            rig_fill(at, 300 + i, 1, next + i, 1);
            entries[i] = bytes_of(at, 300 + i);
            at += (300 + i + 7) / 8 * 8;
        }
        for (int turns = 0; turns < 3; turns++) {
            struct teak_completion done[16];
            uint32_t count;
            rig_ok(teak_poll(store, 1000000, done, 16, &count, &error), &error);
        }
        const struct teak_bytes elsewhere = bytes_of("elsewhere", 9);
        const struct teak_op wrong = entries_op(1, next, 1, 0, &elsewhere, 1);
        assert_int_equal(teak_submit(store, &(struct teak_batch){.ops = &wrong, .count = 1}, &error), TEAK_INVALID);
        const struct teak_op op = entries_op(1, next, 1, 0, entries, 4);
        submit_soon(store, &op, 1);
        /* what is read back lies where it was serialised */
        struct teak_cursor *cursor;
        rig_ok(teak_cursor_open(store, 1, next, &cursor, &error), &error);
        struct teak_entry entry;
        uint32_t count;
        rig_ok(teak_cursor_read(cursor, 0, &entry, 1, &count, &error), &error);
        assert_ptr_equal(entry.data, memory);
        teak_cursor_close(cursor);
        next += 4;
    }
    void *unused;
    enum teak_status status;
    while ((status = teak_reserve(store, 64, 1, &unused, &error)) == TEAK_FULL) {
        struct teak_completion done[16];
        uint32_t count;
        rig_ok(teak_poll(store, 100000000, done, 16, &count, &error), &error);
    }
    rig_ok(status, &error);
    teak_release(store);
    rig_drain(store);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, 1, next - 1);
    rig_close(store);
    rig_remove(rig.dir);
}

static void indexes_reach_to_the_end_of_their_range(void **state)
{
    (void)state;
    const struct rig rig = rig_make("writer");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    struct teak_error error = {0};
    const uint64_t last = UINT64_MAX - 1;
    rig_append(store, 1, last - 3, last, 5, 10);
    assert_int_not_equal(teak_append(store, 1, UINT64_MAX, 5, "x", 1, 0, &error), TEAK_OK);
    assert_int_not_equal(rig_op(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 1, .index = UINT64_MAX}, &error),
                         TEAK_OK);
    rig_drain(store);
    rig_expect_entries(store, 1, last - 3, last);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = last - 2});
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, last - 1, last);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = last});
    rig_drain(store);
    assert_int_equal(rig_log(store, 1).durable.index, last);
    assert_int_equal(rig_log(store, 1).first, UINT64_MAX);
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 1).last.index, last);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_clean_mark_finds_room_however_full_the_segment_is(void **state)
{
    (void)state;
    for (uint32_t entries = 1; entries <= 24; entries++) {
        const struct rig rig = rig_make("writer");
        struct teak_store *store = backend_open(&rig);
        rig_create(store, 1);
        rig_append_synced(store, 1, 1, entries, 1, 100);
        rig_close(store);
        struct teak_report report;
        struct teak_options options = backend_options();
        store = rig_open_with(&rig, &options, &report);
        assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_created_and_filled_in_one_batch_as_often_as_one_likes),
        cmocka_unit_test(one_batch_creates_many_logs),
        cmocka_unit_test(a_batch_may_hold_many_stretches_of_one_log),
        cmocka_unit_test(what_follows_an_append_in_its_batch_sees_it),
        cmocka_unit_test(two_logs_that_take_turns_never_wait_for_long),
        cmocka_unit_test(logs_change_lives_within_a_batch),
        cmocka_unit_test(two_lives_never_share_a_number),
        cmocka_unit_test(largest_and_smallest_go_through_every_shape),
        cmocka_unit_test(largest_batches_of_empty_entries_follow_each_other),
        cmocka_unit_test(every_bound_gives_way_when_the_device_goes_on),
        cmocka_unit_test(the_ring_of_tickets_fills_and_empties),
        cmocka_unit_test(a_reservation_is_filled_in_place_and_outlives_polls),
        cmocka_unit_test(indexes_reach_to_the_end_of_their_range),
        cmocka_unit_test(a_clean_mark_finds_room_however_full_the_segment_is),
    };
    return backends_run(argc, argv, "writer", tests, sizeof tests / sizeof tests[0]);
}
