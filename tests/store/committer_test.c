/* committer_test.c: one store, many threads. What each of them was told is there, in the order in which it asked;
 * nobody is forgotten, whatever fails or closes meanwhile.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "store/committer_rig.h"

enum { THREADS = 16, EACH = 60, IN_TURN = 10 };

/* Threads of a test run with cmocka's asserts only in the one that joins them: what they find lies in `wrong`. */
struct crew {
    struct teak_committer *committer;
    uint32_t logs;
    atomic_uint wrong;
};

struct hand {
    struct crew *crew;
    pthread_t id;
    uint32_t number, count;
    uint64_t indexes[EACH];
    enum teak_status last;
    uint64_t done;
};

static void start(struct hand *hands, uint32_t count, struct crew *crew, void *(*run)(void *))
{
    for (uint32_t i = 0; i < count; i++) {
        hands[i] = (struct hand){.crew = crew, .number = i};
        assert_int_equal(pthread_create(&hands[i].id, NULL, run, &hands[i]), 0);
    }
}

static void join(struct hand *hands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) assert_int_equal(pthread_join(hands[i].id, NULL), 0);
}

/* ---- many threads ---- */

static void *append_next(void *argument)
{
    struct hand *hand = argument;
    struct crew *crew = hand->crew;
    for (; hand->count < EACH; hand->count++) {
        const uint64_t word[2] = {hand->number, hand->count};
        const uint64_t log = 1 + hand->number % crew->logs;
        struct teak_error error = {0};
        hand->last = teak_committer_append(crew->committer, log, TEAK_INDEX_NEXT, 1, word, sizeof word,
                                           &hand->indexes[hand->count], &error);
        if (hand->last != TEAK_OK) atomic_fetch_add(&crew->wrong, 1);
    }
    return NULL;
}

/* Every index once; what stands there is what the thread that was told of it wrote; a thread's own are in order. */
static void expect_all_of(struct teak_store *store, const struct hand *hands, uint32_t logs)
{
    for (uint64_t log = 1; log <= logs; log++) {
        uint64_t next = 1;
        struct teak_cursor *cursor;
        struct teak_error error = {0};
        rig_ok(teak_cursor_open(store, log, 1, &cursor, &error), &error);
        for (;;) {
            struct teak_entry entries[32];
            uint32_t count;
            rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 32, &count, &error), &error);
            if (count == 0) break;
            for (uint32_t i = 0; i < count; i++, next++) {
                uint64_t word[2];
                assert_int_equal(entries[i].bytes, sizeof word);
                memcpy(word, entries[i].data, sizeof word);
                assert_true(word[0] < THREADS && word[1] < EACH && word[0] % logs == log - 1);
                assert_int_equal(hands[word[0]].indexes[word[1]], next);
                if (word[1] > 0) assert_true(hands[word[0]].indexes[word[1] - 1] < next);
            }
        }
        teak_cursor_close(cursor);
        uint64_t wanted = 0;
        for (uint32_t i = 0; i < THREADS; i++) wanted += i % logs == log - 1 ? EACH : 0;
        assert_int_equal(next, wanted + 1);
        assert_int_equal(rig_log(store, log).durable.index, wanted);
    }
}

static void run_crew_over(uint32_t lanes, uint32_t logs, const struct teak_committer_options *own)
{
    const struct rig rig = rig_make("committer");
    struct crew crew = {.committer = open_over(&rig, lanes, own), .logs = logs};
    static struct hand hands[THREADS];
    for (uint64_t log = 1; log <= logs; log++) create(crew.committer, log);
    start(hands, THREADS, &crew, append_next);
    join(hands, THREADS);
    assert_int_equal(crew.wrong, 0);
    close_it(crew.committer);
    struct teak_store *store = reopen(&rig);
    expect_all_of(store, hands, logs);
    rig_close(store);
    rig_remove(rig.dir);
}

static void run_crew(uint32_t logs, const struct teak_committer_options *own) { run_crew_over(0, logs, own); }

/* However many frames may fly: the crowd is shared out over them, or not at all. */
static void threads_share_a_log_over_lanes(void **state)
{
    (void)state;
    run_crew_over(1, 1, NULL);
    run_crew_over(2, 2, NULL);
    run_crew_over(64, 1, &(struct teak_committer_options){.never_gather = true});
}

static void threads_share_a_log(void **state)
{
    (void)state;
    run_crew(1, NULL);
}

static void threads_have_logs_of_their_own(void **state)
{
    (void)state;
    run_crew(THREADS, NULL);
}

static void threads_share_a_log_without_gathering(void **state)
{
    (void)state;
    run_crew(3, &(struct teak_committer_options){.never_gather = true});
}

static void threads_share_a_log_gathering_long(void **state)
{
    (void)state;
    run_crew(2, &(struct teak_committer_options){.gather_ns = 20000000});
}

static void threads_share_a_log_spinning(void **state)
{
    (void)state;
    run_crew(2, &(struct teak_committer_options){.spin_ns = 50000}); /* some are told meanwhile, some later */
    run_crew(1, &(struct teak_committer_options){.spin_ns = 1000000000});
}

/* ---- what a batch may say ---- */

static void a_batch_learns_its_indexes(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    struct teak_error error = {0};
    const struct teak_bytes two[2] = {{"a", 1}, {"bc", 2}};
    const struct teak_op ops[] = {
        {.op = TEAK_OP_CREATE, .log = 1},
        {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1, .entries = two, .count = 2},
        {.op = TEAK_OP_CREATE, .log = 2},
        {.op = TEAK_OP_ENTRIES, .log = 2, .index = 100, .term = 1, .entries = two, .count = 2},
        {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 2, .entries = two, .count = 1},
        {.op = TEAK_OP_TRUNCATE, .log = 2, .index = 101},
        {.op = TEAK_OP_ENTRIES, .log = 2, .index = TEAK_INDEX_NEXT, .term = 3, .entries = two, .count = 2},
    };
    enum { OPS = sizeof ops / sizeof ops[0] };
    static const uint64_t wanted[OPS] = {0, 1, 0, 100, 3, 0, 101};
    uint64_t indexes[OPS], lsn = 0;
    struct teak_op given[OPS];
    memcpy(given, ops, sizeof ops);
    struct teak_request request = {.batch = {.ops = given, .count = OPS, .tag = 77}, .indexes = indexes};
    rig_ok(teak_committer_commit(committer, &(struct teak_batch){.ops = ops, .count = 1}, &lsn, &error), &error);
    assert_true(lsn > 0);
    /* the same through a request, behind a DROP: what is const stays what it was */
    rig_ok(commit_op(committer, (struct teak_op){.op = TEAK_OP_DROP, .log = 1}, &error), &error);
    atomic_bool told = false;
    request.context = &told;
    request.done = set;
    rig_ok(teak_committer_submit(committer, &request, &error), &error);
    while (!atomic_load(&told)) usleep(100);
    rig_ok(request.status, &request.error);
    assert_memory_equal(indexes, wanted, sizeof wanted);
    assert_memory_equal(given, ops, sizeof ops);
    assert_int_equal(request.index, 1);
    assert_int_equal(request.batch.tag, 77);
    assert_true(request.lsn > lsn);
    close_it(committer);
    struct teak_store *store = reopen(&rig);
    assert_int_equal(rig_log(store, 1).last.index, 3);
    assert_int_equal(rig_log(store, 2).last.index, 102);
    rig_close(store);
    rig_remove(rig.dir);
}

static void what_the_store_refuses_is_the_answer(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    struct teak_error error = {0};
    create(committer, 1);
    assert_int_equal(teak_committer_append(committer, 9, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), TEAK_UNKNOWN_LOG);
    assert_int_equal(error.log, 9);
    rig_ok(teak_committer_append(committer, 1, 5, 4, "x", 1, NULL, &error), &error);
    assert_int_equal(teak_committer_append(committer, 1, 7, 4, "x", 1, NULL, &error), TEAK_GAP);
    assert_int_equal(error.expected, 6);
    assert_int_equal(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 3, "x", 1, NULL, &error),
                     TEAK_TERM_BACKWARDS);
    assert_int_equal(teak_committer_commit(committer, &(struct teak_batch){0}, NULL, &error), TEAK_EMPTY_BATCH);
    uint64_t index = 0;
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 4, "x", 1, &index, &error), &error);
    assert_int_equal(index, 6);
    static uint8_t large[1 << 20];
    assert_int_equal(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 4, large, sizeof large, &index, &error),
                     TEAK_ENTRY_TOO_LARGE);
    close_it(committer);
    rig_remove(rig.dir);
}

/* More than the arena and the next segment hold at a time: the head waits, the others behind it. */
static void full_is_waited_for(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    struct teak_error error = {0};
    create(committer, 1);
    enum { REQUESTS = 400, LARGE = 100000 };
    static struct teak_request requests[REQUESTS];
    static atomic_bool told[REQUESTS];
    static uint8_t large[LARGE];
    const struct teak_bytes entry = {large, LARGE};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1,
                               .entries = &entry, .count = 1};
    for (int i = 0; i < REQUESTS; i++) {
        told[i] = false;
        requests[i] = (struct teak_request){.batch = {.ops = &op, .count = 1}, .done = set, .context = &told[i]};
        rig_ok(teak_committer_submit(committer, &requests[i], &error), &error);
    }
    struct teak_stats stats;
    rig_ok(teak_committer_call(committer, look, &stats, &error), &error); /* behind them all */
    assert_int_equal(stats.batches, REQUESTS + 1);
    assert_true(stats.full > 0);
    for (int i = 0; i < REQUESTS; i++) {
        while (!atomic_load(&told[i])) usleep(100);
        rig_ok(requests[i].status, &requests[i].error);
        assert_int_equal(requests[i].index, i + 1);
        if (i > 0) assert_true(requests[i].lsn >= requests[i - 1].lsn);
    }
    close_it(committer);
    rig_remove(rig.dir);
}

/* ---- callbacks ---- */

struct chain {
    struct teak_committer *committer;
    struct teak_request request;
    struct teak_bytes entry;
    struct teak_op op;
    uint64_t left, wrong, refused;
    atomic_bool ended;
};

static void never(struct teak_store *store, void *context)
{
    (void)store;
    (void)context;
    abort();
}

/* From a callback: what waits or closes is refused, submitting is not. */
static void next_of_chain(struct teak_request *request, void *context)
{
    struct chain *chain = context;
    struct teak_error error = {0};
    chain->wrong += request != &chain->request || request->status != TEAK_OK;
    chain->refused += teak_committer_append(chain->committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error) ==
                      TEAK_IN_CALLBACK;
    chain->refused += teak_committer_commit(chain->committer, &request->batch, NULL, NULL) == TEAK_IN_CALLBACK;
    chain->refused += teak_committer_call(chain->committer, never, NULL, NULL) == TEAK_IN_CALLBACK;
    chain->refused += teak_committer_close(chain->committer, &error) == TEAK_IN_CALLBACK;
    if (--chain->left > 0 && teak_committer_submit(chain->committer, request, &error) == TEAK_OK) return;
    atomic_store(&chain->ended, true);
}

static void callbacks_submit_and_never_wait(void **state)
{
    (void)state;
    enum { LENGTH = 100 };
    const struct rig rig = rig_make("committer");
    struct teak_error error = {0};
    struct chain chains[4] = {0};
    struct teak_committer *committer = open_with(&rig, NULL);
    for (uint64_t i = 0; i < 4; i++) {
        struct chain *chain = &chains[i];
        create(committer, i + 1);
        chain->committer = committer;
        chain->left = LENGTH;
        chain->entry = (struct teak_bytes){"chain", 5};
        chain->op = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = i + 1, .index = TEAK_INDEX_NEXT, .term = 1,
                                     .entries = &chain->entry, .count = 1};
        chain->request = (struct teak_request){.batch = {.ops = &chain->op, .count = 1}, .done = next_of_chain,
                                               .context = chain};
        rig_ok(teak_committer_submit(committer, &chain->request, &error), &error);
    }
    for (int i = 0; i < 4; i++) {
        while (!atomic_load(&chains[i].ended)) usleep(100);
        assert_int_equal(chains[i].wrong, 0);
        assert_int_equal(chains[i].left, 0);
        assert_int_equal(chains[i].refused, 4 * LENGTH);
    }
    close_it(committer);
    struct teak_store *store = reopen(&rig);
    for (uint64_t log = 1; log <= 4; log++) assert_int_equal(rig_log(store, log).last.index, LENGTH);
    rig_close(store);
    rig_remove(rig.dir);
}

/* What waits for a time waits for ever. */
static void stop_the_clock(struct teak_store *store, void *context)
{
    ((struct faulty *)context)->stands_ns = disk_now(store->disk);
}

static void requests_are_judged_and_counted(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct faulty *faulty;
    struct teak_committer *committer = open_faulty(&rig, &(struct teak_committer_options){.requests_max = 2}, &faulty);
    struct teak_error error = {0};
    create(committer, 1);
    rig_ok(teak_committer_call(committer, stop_the_clock, faulty, &error), &error);
    const struct teak_bytes entry = {"x", 1};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1,
                               .entries = &entry, .count = 1};
    struct teak_request requests[3];
    atomic_bool told[3] = {false, false, false};
    for (int i = 0; i < 3; i++)
        requests[i] = (struct teak_request){.batch = {.ops = &op, .count = 1, .flags = TEAK_LAZY}, .done = set,
                                            .context = &told[i]};
    struct teak_request none = {.done = set}, silent = {.batch = {.ops = &op, .count = 1}};
    assert_int_equal(teak_committer_submit(committer, &none, &error), TEAK_INVALID);
    assert_int_equal(teak_committer_submit(committer, &silent, &error), TEAK_INVALID);
    assert_int_equal(teak_committer_call(committer, NULL, NULL, &error), TEAK_INVALID);
    rig_ok(teak_committer_submit(committer, &requests[0], &error), &error); /* lazy: they stay */
    rig_ok(teak_committer_submit(committer, &requests[1], &error), &error);
    assert_int_equal(teak_committer_submit(committer, &requests[2], &error), TEAK_FULL);
    /* what is not lazy takes them along */
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), &error);
    while (!atomic_load(&told[0]) || !atomic_load(&told[1])) usleep(100);
    rig_ok(teak_committer_submit(committer, &requests[2], &error), &error);
    close_it(committer); /* does not wait for who is lazy: with this clock it would for ever */
    assert_true(atomic_load(&told[2]));
    rig_ok(requests[2].status, &requests[2].error);
    rig_remove(rig.dir);
}

/* ---- calls ---- */

struct question {
    struct teak_log log;
    enum teak_status status;
    uint64_t entries;
};

static void look_at_log(struct teak_store *store, void *context)
{
    struct question *question = context;
    struct teak_cursor *cursor;
    struct teak_entry entries[8];
    uint32_t count = 0;
    question->status = teak_log(store, 1, &question->log, NULL);
    if (question->status == TEAK_OK) question->status = teak_cursor_open(store, 1, 1, &cursor, NULL);
    if (question->status != TEAK_OK) return;
    question->status = teak_cursor_read(cursor, 1 << 16, entries, 8, &count, NULL);
    question->entries = count;
    teak_cursor_close(cursor);
}

struct asked {
    struct question question;
    atomic_bool told;
};

static void look_at_log_too(struct teak_store *store, void *context)
{
    look_at_log(store, &((struct asked *)context)->question);
}

static void answered(struct teak_request *request, void *context)
{
    (void)request;
    atomic_store(&((struct asked *)context)->told, true);
}

/* Everything that is the committer's part, from a call or a callback. Returns how many were not refused as they should
 * be. */
static uint64_t meddle(struct teak_store *store)
{
    struct teak_error error = {0};
    struct teak_completion done[4];
    uint32_t count = 9;
    int descriptor;
    void *memory;
    uint64_t wrong = teak_append(store, 1, 2, 1, "mine", 4, 1, &error) != TEAK_IN_CALLBACK;
    wrong += error.status != TEAK_IN_CALLBACK || strcmp(error.operation, "submit") != 0;
    wrong += teak_submit(store, &(struct teak_batch){0}, NULL) != TEAK_IN_CALLBACK;
    wrong += teak_create_log(store, 77, 0, NULL) != TEAK_IN_CALLBACK;
    wrong += teak_reserve(store, 8, 1, &memory, NULL) != TEAK_IN_CALLBACK;
    wrong += teak_barrier(store, 1, NULL) != TEAK_IN_CALLBACK;
    wrong += teak_poll(store, 0, done, 4, &count, &error) != TEAK_IN_CALLBACK || count != 0;
    wrong += error.status != TEAK_IN_CALLBACK || strcmp(error.operation, "poll") != 0;
    wrong += teak_drain(store, &error) != TEAK_IN_CALLBACK || strcmp(error.operation, "drain") != 0;
    wrong += teak_event_fd(store, &descriptor, NULL) != TEAK_IN_CALLBACK;
    wrong += teak_close(store, &error) != TEAK_IN_CALLBACK || strcmp(error.operation, "close") != 0;
    teak_release(store);
    teak_abandon(store); /* does nothing */
    return wrong;
}

static void meddle_in_a_call(struct teak_store *store, void *context)
{
    *(uint64_t *)context = meddle(store) + (teak_snapshot_begin(store, &(struct teak_snapshot_offer){.log = 99},
                                                                &(struct teak_snapshot_writer *){0}, NULL) ==
                                            TEAK_IN_CALLBACK);
}

struct meddler {
    struct teak_store *store;
    uint64_t wrong;
    atomic_bool told;
};

static void remember_store(struct teak_store *store, void *context) { ((struct meddler *)context)->store = store; }

static void meddle_in_a_callback(struct teak_request *request, void *context)
{
    struct meddler *meddler = context;
    struct teak_log log;
    meddler->wrong = meddle(meddler->store);
    meddler->wrong += request->status != TEAK_OK;
    meddler->wrong += teak_log(meddler->store, 1, &log, NULL) != TEAK_OK; /* looking is fine */
    atomic_store(&meddler->told, true);
}

/* Who is called on the committer's thread cannot take its work from it, nor its completions. */
static void callers_can_look_but_not_drive(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    struct teak_error error = {0};
    const struct teak_bytes entry = {"x", 1};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1,
                               .entries = &entry, .count = 1};
    struct meddler meddler = {0};
    uint64_t wrong = 1;
    rig_ok(teak_committer_call(committer, meddle_in_a_call, &wrong, &error), &error); /* nothing was written yet */
    assert_int_equal(wrong, 0);
    create(committer, 1);
    rig_ok(teak_committer_call(committer, meddle_in_a_call, &wrong, &error), &error);
    assert_int_equal(wrong, 0);
    rig_ok(teak_committer_call(committer, remember_store, &meddler, &error), &error);
    struct teak_request request = {.batch = {.ops = &op, .count = 1}, .done = meddle_in_a_callback,
                                   .context = &meddler};
    rig_ok(teak_committer_submit(committer, &request, &error), &error);
    while (!atomic_load(&meddler.told)) usleep(100);
    assert_int_equal(meddler.wrong, 0);
    uint64_t index = 0;
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, &index, &error), &error);
    assert_int_equal(index, 2); /* none of it left a trace */
    close_it(committer);
    struct teak_store *store = reopen(&rig);
    assert_int_equal(rig_log(store, 1).last.index, 2);
    rig_close(store);
    rig_remove(rig.dir);
}

static void calls_run_on_the_thread_of_the_store(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    struct question question = {0};
    struct teak_error error = {0};
    rig_ok(teak_committer_call(committer, look_at_log, &question, &error), &error);
    assert_int_equal(question.status, TEAK_UNKNOWN_LOG);
    create(committer, 1);
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), &error);
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), &error);
    rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), &error);
    rig_ok(teak_committer_call(committer, look_at_log, &question, &error), &error);
    assert_int_equal(question.status, TEAK_OK);
    assert_int_equal(question.entries, 3);
    assert_int_equal(question.log.durable.index, 3);
    struct asked asked = {0};
    struct teak_request request = {.call = look_at_log_too, .done = answered, .context = &asked};
    rig_ok(teak_committer_submit(committer, &request, &error), &error);
    while (!atomic_load(&asked.told)) usleep(100);
    assert_int_equal(request.status, TEAK_OK);
    assert_int_equal(asked.question.entries, 3);
    close_it(committer);
    rig_remove(rig.dir);
}

/* ---- failures ---- */

static void *append_until_it_fails(void *argument)
{
    struct hand *hand = argument;
    struct teak_error error = {0};
    do {
        hand->last = teak_committer_append(hand->crew->committer, 1, TEAK_INDEX_NEXT, 1, "xyz", 3, NULL, &error);
        hand->done += hand->last == TEAK_OK;
    } while (hand->last == TEAK_OK);
    if (error.status != hand->last) atomic_fetch_add(&hand->crew->wrong, 1);
    return NULL;
}

static void arm(struct teak_store *store, void *context)
{
    (void)store;
    faulty_arm(context, DISK_WRITE, 1, EIO);
}

static uint64_t processor_ns(void)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
}

/* Sooner or later nothing is left to do, and then nothing is done. */
static void expect_sleeping(void)
{
    bool sleeps = false;
    for (int i = 0; i < 100 && !sleeps; i++) {
        const uint64_t began = processor_ns();
        usleep(300000);
        sleeps = processor_ns() - began < 20000000;
    }
    assert_true(sleeps);
}

static void poison_reaches_everybody(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct faulty *faulty;
    struct crew crew = {.committer = open_faulty(&rig, NULL, &faulty)};
    struct teak_error error = {0};
    static struct hand hands[THREADS];
    create(crew.committer, 1);
    start(hands, THREADS, &crew, append_until_it_fails);
    usleep(20000);
    rig_ok(teak_committer_call(crew.committer, arm, faulty, &error), &error);
    join(hands, THREADS);
    uint64_t done = 0;
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(hands[i].last, TEAK_POISONED);
        done += hands[i].done;
    }
    assert_int_equal(crew.wrong, 0);
    assert_int_equal(teak_committer_append(crew.committer, 1, TEAK_INDEX_NEXT, 1, "x", 1, NULL, &error), TEAK_POISONED);
    assert_int_equal(error.os_errno, EIO);
    struct question question = {0};
    rig_ok(teak_committer_call(crew.committer, look_at_log, &question, &error), &error);
    assert_int_equal(question.log.durable.index, done);
    expect_sleeping(); /* and it does not burn the processor over it */
    assert_int_equal(teak_committer_close(crew.committer, &error), TEAK_POISONED);
    struct teak_store *store = reopen(&rig);
    assert_true(rig_log(store, 1).last.index >= done);
    rig_close(store);
    rig_remove(rig.dir);
}

/* Again and again: who is inside gets an answer, who comes later is told, nobody hangs. */
static void stopping_answers_everybody(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    uint64_t done = 0;
    for (useconds_t round = 0; round < 20; round++) {
        struct crew crew = {.committer = open_with(&rig, NULL)};
        struct teak_error error = {0};
        static struct hand hands[THREADS];
        if (round == 0) create(crew.committer, 1);
        start(hands, THREADS, &crew, append_until_it_fails);
        usleep(round * 300);
        rig_ok(teak_committer_stop(crew.committer, &error), &error);
        join(hands, THREADS);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(hands[i].last, TEAK_CLOSED);
            done += hands[i].done;
        }
        struct teak_request request = {.call = look, .done = set};
        assert_int_equal(teak_committer_submit(crew.committer, &request, &error), TEAK_CLOSED);
        assert_int_equal(teak_committer_call(crew.committer, look, NULL, &error), TEAK_CLOSED);
        rig_ok(teak_committer_stop(crew.committer, &error), &error);
        close_it(crew.committer);
    }
    struct teak_store *store = reopen(&rig);
    assert_int_equal(rig_log(store, 1).last.index, done);
    rig_close(store);
    rig_remove(rig.dir);
}

static void hold_writes(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->holds_writes = faulty->is_patient = true;
}

static void fail_writes(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->holds_writes = faulty->is_patient = false;
    faulty_fail_held(faulty, EIO);
}

/* The disk does not answer. Calls are, all the same, for the thread sleeps where it can be woken; and when the writes
 * fail in the end everybody hears of it. */
static void a_disk_that_hangs_holds_nobody_else_up(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct faulty *faulty;
    struct crew crew = {.committer = open_faulty(&rig, NULL, &faulty)};
    struct teak_error error = {0};
    static struct hand hands[THREADS];
    create(crew.committer, 1);
    rig_ok(teak_committer_call(crew.committer, hold_writes, faulty, &error), &error);
    start(hands, THREADS, &crew, append_until_it_fails);
    usleep(20000);
    for (int i = 0; i < 100; i++) {
        struct teak_stats stats;
        rig_ok(teak_committer_call(crew.committer, look, &stats, &error), &error);
    }
    rig_ok(teak_committer_call(crew.committer, fail_writes, faulty, &error), &error);
    join(hands, THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(hands[i].last, TEAK_POISONED);
        assert_int_equal(hands[i].done, 0);
    }
    assert_int_equal(teak_committer_close(crew.committer, &error), TEAK_POISONED);
    rig_remove(rig.dir);
}

static void hold_chores(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->holds_chores = faulty->is_patient = true;
}

static void release_all(struct teak_store *store, void *context)
{
    struct faulty *faulty = context;
    (void)store;
    faulty->is_patient = false;
    faulty_release_all(faulty);
}

/* A lazy batch waits, a chore is at the disk, and the committer sleeps beside both: whoever is not lazy is heard. */
static void who_is_lazy_holds_nobody_up(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct faulty *faulty;
    struct teak_committer *committer = open_faulty(&rig, NULL, &faulty);
    struct teak_error error = {0};
    const struct teak_bytes entry = {"x", 1};
    const struct teak_op op = {.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1,
                               .entries = &entry, .count = 1};
    create(committer, 1);
    rig_ok(teak_committer_call(committer, hold_chores, faulty, &error), &error);
    rig_ok(teak_committer_call(committer, stop_the_clock, faulty, &error), &error);
    for (int i = 0; i < 5; i++) {
        atomic_bool told = false;
        struct teak_request lazy = {.batch = {.ops = &op, .count = 1, .flags = TEAK_LAZY}, .done = set,
                                    .context = &told};
        rig_ok(teak_committer_submit(committer, &lazy, &error), &error);
        usleep(5000);
        rig_ok(teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "y", 1, NULL, &error), &error);
        while (!atomic_load(&told)) usleep(100);
        rig_ok(lazy.status, &lazy.error);
    }
    rig_ok(teak_committer_call(committer, release_all, faulty, &error), &error);
    close_it(committer);
    rig_remove(rig.dir);
}

/* ---- fairness ---- */

/* One count for all threads orders what they do: who has handed a request over before another began to is first. */
struct turn_taken {
    struct teak_request request;
    uint64_t begun, ended;
    atomic_bool told;
};

struct fair {
    struct crew crew;
    atomic_ullong clock;
    struct teak_op op;
    struct turn_taken turns[THREADS][EACH];
    atomic_uint whose; /* turn it is to hand over */
};

static struct fair *fair_make(const struct rig *rig)
{
    static const struct teak_bytes entry = {"fair", 4};
    struct fair *fair = calloc(1, sizeof *fair);
    assert_non_null(fair);
    fair->crew.committer = open_with(rig, NULL);
    fair->op = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 1, .index = TEAK_INDEX_NEXT, .term = 1,
                                .entries = &entry, .count = 1};
    create(fair->crew.committer, 1);
    return fair;
}

static void hand_over(struct fair *fair, struct hand *hand, struct turn_taken *turn)
{
    turn->request = (struct teak_request){.batch = {.ops = &fair->op, .count = 1}, .done = set,
                                          .context = &turn->told};
    turn->begun = atomic_fetch_add(&fair->clock, 1);
    if (teak_committer_submit(fair->crew.committer, &turn->request, NULL) != TEAK_OK)
        atomic_fetch_add(&hand->crew->wrong, 1);
    turn->ended = atomic_fetch_add(&fair->clock, 1);
}

static void *hand_over_at_will(void *argument)
{
    struct hand *hand = argument;
    struct fair *fair = (struct fair *)(void *)hand->crew; /* its first member */
    for (uint32_t i = 0; i < EACH; i++) hand_over(fair, hand, &fair->turns[hand->number][i]);
    return NULL;
}

static int by_index(const void *left, const void *right)
{
    const struct turn_taken *const *a = left, *const *b = right;
    return ((*a)->request.index > (*b)->request.index) - ((*a)->request.index < (*b)->request.index);
}

static void await_all(struct fair *fair, struct turn_taken **sorted, uint32_t each)
{
    for (uint32_t i = 0; i < THREADS * each; i++) {
        sorted[i] = &fair->turns[i / each][i % each];
        while (!atomic_load(&sorted[i]->told)) usleep(100);
        rig_ok(sorted[i]->request.status, &sorted[i]->request.error);
    }
    qsort(sorted, THREADS * each, sizeof sorted[0], by_index);
}

/* Nobody is passed by a request that came later, whoever it is from: so between a thread's request and its answer each
 * of the others, waiting for its own, gets in at most one. */
static void no_request_is_passed_by_a_later_one(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct fair *fair = fair_make(&rig);
    static struct hand hands[THREADS];
    static struct turn_taken *sorted[THREADS * EACH];
    start(hands, THREADS, &fair->crew, hand_over_at_will);
    join(hands, THREADS);
    assert_int_equal(fair->crew.wrong, 0);
    await_all(fair, sorted, EACH);
    uint64_t first_ended = UINT64_MAX; /* of all that stand behind it */
    for (uint32_t i = THREADS * EACH; i-- > 0;) {
        assert_int_equal(sorted[i]->request.index, i + 1);
        assert_true(sorted[i]->begun < first_ended);
        if (sorted[i]->ended < first_ended) first_ended = sorted[i]->ended;
    }
    close_it(fair->crew.committer);
    free(fair);
    rig_remove(rig.dir);
}

static void *hand_over_in_turn(void *argument)
{
    struct hand *hand = argument;
    struct fair *fair = (struct fair *)(void *)hand->crew;
    for (uint32_t i = 0; i < IN_TURN; i++) {
        while (atomic_load(&fair->whose) != i * THREADS + hand->number) sched_yield();
        hand_over(fair, hand, &fair->turns[hand->number][i]);
        atomic_fetch_add(&fair->whose, 1);
    }
    return NULL;
}

static void hold_the_committer(struct teak_store *store, void *context)
{
    struct fair *fair = context;
    (void)store;
    while (atomic_load(&fair->whose) < THREADS * IN_TURN) usleep(100);
}

static void is_let_go(struct teak_request *request, void *context)
{
    (void)request;
    (void)context;
}

/* All of them come while it is busy elsewhere: they are served round after round, in just the order in which they
 * came. */
static void a_crowd_at_the_door_is_served_in_order(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct fair *fair = fair_make(&rig);
    struct teak_error error = {0};
    static struct hand hands[THREADS];
    static struct turn_taken *sorted[THREADS * IN_TURN];
    struct teak_request hold = {.call = hold_the_committer, .context = fair, .done = is_let_go};
    rig_ok(teak_committer_submit(fair->crew.committer, &hold, &error), &error);
    start(hands, THREADS, &fair->crew, hand_over_in_turn);
    join(hands, THREADS);
    assert_int_equal(fair->crew.wrong, 0);
    await_all(fair, sorted, IN_TURN);
    for (uint32_t i = 0; i < THREADS * IN_TURN; i++) {
        assert_ptr_equal(sorted[i], &fair->turns[i % THREADS][i / THREADS]);
        assert_int_equal(sorted[i]->request.index, i + 1);
    }
    close_it(fair->crew.committer);
    free(fair);
    rig_remove(rig.dir);
}

/* What a committer counts of all this. */
static void a_committer_is_counted(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct crew crew = {.committer = open_with(&rig, NULL), .logs = 1};
    static struct hand hands[THREADS];
    struct teak_stats stats;
    struct teak_error error = {0};
    create(crew.committer, 1);
    start(hands, THREADS, &crew, append_next);
    join(hands, THREADS);
    rig_ok(teak_committer_call(crew.committer, look, &stats, &error), &error);
    assert_int_equal(stats.requests, 1 + THREADS * EACH); /* the call itself is not answered yet */
    assert_int_equal(stats.batches, 1 + THREADS * EACH);
    assert_true(stats.request_groups > 1 && stats.request_groups <= stats.requests);
    assert_true(stats.gathers_vain <= stats.gathers);
    close_it(crew.committer);
    struct teak_store *store = reopen(&rig);
    teak_stats(store, &stats);
    assert_int_equal(stats.requests + stats.request_groups + stats.threads_woken + stats.gathers, 0);
    rig_close(store);
    rig_remove(rig.dir);
}

/* A wake that is lost leaves somebody asleep for ever: many short rounds in which everybody sleeps now and then. */
static void *append_with_pauses(void *argument)
{
    struct hand *hand = argument;
    uint64_t x = hand->number + 1;
    for (int i = 0; i < 150; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct timespec pause = {.tv_nsec = (long)(x >> 33) % 300000};
        if (i % 3 == 0) nanosleep(&pause, NULL);
        struct teak_stats stats;
        struct teak_committer *committer = hand->crew->committer;
        hand->last = i % 7 == 0 ? teak_committer_call(committer, look, &stats, NULL)
                                : teak_committer_append(committer, 1, TEAK_INDEX_NEXT, 1, "p", 1, NULL, NULL);
        if (hand->last != TEAK_OK) atomic_fetch_add(&hand->crew->wrong, 1);
    }
    return NULL;
}

static void no_wake_is_lost(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 5; count++) {
        const struct rig rig = rig_make("committer");
        struct crew crew = {.committer = open_with(&rig, NULL)};
        static struct hand hands[THREADS];
        create(crew.committer, 1);
        start(hands, count, &crew, append_with_pauses);
        join(hands, count);
        assert_int_equal(crew.wrong, 0);
        close_it(crew.committer);
        rig_remove(rig.dir);
    }
}

static void an_idle_committer_sleeps(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_committer *committer = open_with(&rig, NULL);
    create(committer, 1);
    expect_sleeping(); /* as soon as spares are filled and the idle mark is written */
    close_it(committer);
    struct teak_report report;
    const struct teak_options options = options_here();
    struct teak_store *store = rig_open_with(&rig, &options, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    rig_close(store);
    rig_remove(rig.dir);
}

static void opening_answers_as_a_store_does(void **state)
{
    (void)state;
    const struct rig rig = rig_make("committer");
    struct teak_options options = options_here();
    struct teak_committer *committer;
    struct teak_error error = {0};
    options.create = false;
    assert_int_equal(teak_committer_open(rig.dir, &options, NULL, &committer, NULL, &error), TEAK_NOT_A_STORE);
    assert_null(committer);
    options.read_only = true;
    assert_int_equal(teak_committer_open(rig.dir, &options, NULL, &committer, NULL, &error), TEAK_OPTIONS);
    options = options_here();
    const struct teak_committer_options long_gather = {.gather_ns = 1000000001};
    const struct teak_committer_options long_spin = {.spin_ns = 1000000001};
    const struct teak_committer_options many = {.requests_max = UINT32_MAX};
    assert_int_equal(teak_committer_open(rig.dir, &options, &long_gather, &committer, NULL, &error), TEAK_OPTIONS);
    assert_int_equal(teak_committer_open(rig.dir, &options, &long_spin, &committer, NULL, &error), TEAK_OPTIONS);
    assert_int_equal(teak_committer_open(rig.dir, &options, &many, &committer, NULL, &error), TEAK_OPTIONS);
    assert_int_equal(teak_committer_open(NULL, &options, NULL, &committer, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_committer_open(rig.dir, NULL, NULL, &committer, NULL, &error), TEAK_INVALID);
    rig_remove(rig.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_answers_as_a_store_does),
        cmocka_unit_test(threads_share_a_log),
        cmocka_unit_test(threads_have_logs_of_their_own),
        cmocka_unit_test(threads_share_a_log_without_gathering),
        cmocka_unit_test(threads_share_a_log_gathering_long),
        cmocka_unit_test(threads_share_a_log_spinning),
        cmocka_unit_test(threads_share_a_log_over_lanes),
        cmocka_unit_test(a_batch_learns_its_indexes),
        cmocka_unit_test(what_the_store_refuses_is_the_answer),
        cmocka_unit_test(full_is_waited_for),
        cmocka_unit_test(callbacks_submit_and_never_wait),
        cmocka_unit_test(requests_are_judged_and_counted),
        cmocka_unit_test(calls_run_on_the_thread_of_the_store),
        cmocka_unit_test(callers_can_look_but_not_drive),
        cmocka_unit_test(poison_reaches_everybody),
        cmocka_unit_test(stopping_answers_everybody),
        cmocka_unit_test(a_disk_that_hangs_holds_nobody_else_up),
        cmocka_unit_test(who_is_lazy_holds_nobody_up),
        cmocka_unit_test(no_request_is_passed_by_a_later_one),
        cmocka_unit_test(a_crowd_at_the_door_is_served_in_order),
        cmocka_unit_test(a_committer_is_counted),
        cmocka_unit_test(no_wake_is_lost),
        cmocka_unit_test(an_idle_committer_sleeps),
    };
    return backends_run(argc, argv, "committer", tests, sizeof tests / sizeof tests[0]);
}
