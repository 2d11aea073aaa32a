/* log_stores_heap_test.c: whatever a log store of Raft asks of the heap, for itself or through the engine below it, the
 * n-th is refused, for every n, once or until somebody hears of it. The call, or a completion, says so; what is then
 * asked for again is done; in the end everything is there that was told durable, also for who opens it anew, and no
 * memory is out. Every second call is refused once, the others until it is told; TEAK_FAULT_STEP=1: each both ways.
 */
#include "countdown_disk.h"

#include "sim/sim_disk.h"
#include "store/rig.h"
#include "store/store.h"
#include "teak/clock.h"
#include "teak/raft_store_memory.h"
#include "teak/raft_store_teak.h"

enum { GROUPS = 18, FEW = 3, TERMS = 80, BULK = 40, BULK_BYTES = 2500, JOBS_MAX = TERMS, CALLS_MAX = 100000 };
enum { GROUP_TERMS = 1, GROUP_BULK = 2, GROUP_OWN_SNAPSHOT = 3, GROUP_FOREIGN_SNAPSHOT = 4, GROUP_DROPPED = 5 };
enum { FOREIGN_INDEX = 50 };

static struct {
    bool is_on_engine;
    struct sim_medium *medium;
    struct teak_store *engine;
    struct teak_raft_log_store store;
    uint64_t token, ticket;
    bool was_aside;     /* the store took no more at once */
    uint64_t refusals;  /* told in this life              */
    bool is_under_way;
    uint64_t n;         /* the call that is refused, and  */
    bool for_good;      /* those behind it                */
} life;

#define DO(name, ...) life.store.ops->name(life.store.self, __VA_ARGS__)

/* The engine tries again a while after a failure, and its clock is nobody's but ours. */
static void pass_time(void)
{
    if (life.is_on_engine) disk_pause(life.engine->disk, 100000000);
}

/* Somebody was told that memory is lacking: that is so, and it is over. */
static void is_refused(void)
{
    assert_non_null(countdown_struck().name);
    life.refusals++;
    (void)countdown_end();
    pass_time();
}

/* Between two looks. A store may also wait for memory without a word: for a while there is none, then there is. */
static void wait_on(struct rig_patience *patience)
{
    if (patience->turns == 20) (void)countdown_end();
    pass_time();
    assert_true(rig_waits(patience));
}

/* True: ask again. */
static bool is_to_be_repeated(enum teak_raft_status status, struct rig_patience *patience)
{
    if (status == TEAK_RAFT_OK) return false;
    if (status == TEAK_RAFT_NO_SPACE)
        is_refused();
    else
        assert_int_equal(status, TEAK_RAFT_BUSY);
    wait_on(patience);
    assert_int_equal(DO(collect, 1000000, NULL, 0), 0);
    return true;
}

/* ------------------------------------------------------------------------------------------------------------- jobs */

/* The bytes of an entry say which one it is. */
static uint32_t payload_of(uint64_t group, uint64_t index, uint8_t out[BULK_BYTES])
{
    struct seeded bytes = {.state = group * 31 + index * 7919};
    const uint32_t count = group == GROUP_BULK ? BULK_BYTES : 1 + seeded_below(&bytes, 40);
    seeded_fill(&bytes, out, count);
    return count;
}

static uint64_t term_of(uint64_t group, uint64_t index)
{
    if (group == GROUP_TERMS) return index;
    return group == GROUP_FOREIGN_SNAPSHOT && index >= FOREIGN_INDEX ? 2 : 1;
}

static struct teak_raft_pos pos_of(uint64_t group, uint64_t index)
{
    return (struct teak_raft_pos){index, index > 0 ? term_of(group, index) : 0};
}

/* The entry at `index`, in a job of its own. What a configuration says no store looks at. */
static void submit(uint64_t group, uint64_t first, uint64_t index, uint64_t token)
{
    static uint8_t bytes[BULK_BYTES];
    const struct teak_raft_pos pos = pos_of(group, index);
    const bool is_config = group == GROUP_TERMS && index % 20 == 1;
    const struct teak_raft_entry entry = {.index = index, .term = pos.term, .data = bytes,
                                          .kind = is_config ? TEAK_RAFT_CONFIG : TEAK_RAFT_KIND_APPLICATION,
                                          .bytes = payload_of(group, index, bytes)};
    const struct teak_raft_job job = {.token = token, .hard = {.term = pos.term}, .entries = &entry, .count = 1,
                                      .after_first = first, .after_last = pos};
    assert_int_equal(DO(submit, group, &job), TEAK_RAFT_OK);
}

static struct teak_raft_completion next(void)
{
    struct teak_raft_completion done;
    struct rig_patience patience = {0};
    while (DO(collect, 1000000, &done, 1) == 0) wait_on(&patience);
    return done;
}

/* What became of the jobs of `group` behind token `from`: up to which they are durable. If the next one was refused,
 * there is room again. */
static uint64_t next_durable(uint64_t group, uint64_t from)
{
    struct teak_raft_completion done;
    do { /* what was in flight before a refusal comes behind it */
        done = next();
        assert_int_equal(done.kind, TEAK_RAFT_JOB_DONE);
        assert_int_equal(done.group, group);
        assert_true(done.number <= life.token);
    } while (done.outcome == TEAK_RAFT_DURABLE && done.number <= from);
    if (done.outcome == TEAK_RAFT_DURABLE) return done.number;
    assert_int_equal(done.outcome, TEAK_RAFT_NO_ROOM);
    is_refused();
    const uint64_t refused = done.number;
    assert_true(refused > from);
    while ((done = next()).kind == TEAK_RAFT_JOB_DONE) {
        assert_int_equal(done.outcome, TEAK_RAFT_DURABLE);
        assert_true(done.number < refused);
    }
    assert_int_equal(done.kind, TEAK_RAFT_ROOM);
    assert_int_equal(done.group, group);
    return refused - 1;
}

/* Entries first to last, all in flight together. What is refused is brought again, under tokens of its own. */
static void append(uint64_t group, uint64_t log_first, uint64_t first, uint64_t last)
{
    while (first <= last) {
        const uint64_t before = life.token, refusals = life.refusals;
        for (uint64_t index = first; index <= last; index++) {
            submit(group, log_first, index, ++life.token);
            life.was_aside |= !life.store.ops->takes(life.store.self);
        }
        uint64_t told = before;
        while (told < life.token && life.refusals == refusals) told = next_durable(group, told);
        first += told - before;
    }
}

/* A job without entries, until it is durable. */
static void persist(uint64_t group, struct teak_raft_job job)
{
    do {
        job.token = ++life.token;
        assert_int_equal(DO(submit, group, &job), TEAK_RAFT_OK);
    } while (next_durable(group, job.token - 1) != job.token);
}

static const uint8_t config_bytes[] = {1, 2, 3};

static struct teak_raft_snapshot snapshot_at(uint64_t group, uint64_t index)
{
    return (struct teak_raft_snapshot){.pos = pos_of(group, index), .born = group, .bytes = 9, .checksum = index,
                                       .config_index = 1, .config = config_bytes, .config_bytes = sizeof config_bytes};
}

/* ---------------------------------------------------------------------------------------------------- lives of logs */

static void open_adapter(void)
{
    struct rig_patience patience = {0};
    enum teak_raft_status status;
    do {
        status = life.is_on_engine ? teak_raft_teak_open(life.engine, false, &life.store)
                                   : teak_raft_memory_open(&life.store);
        if (status == TEAK_RAFT_OK) return;
        assert_int_equal(status, TEAK_RAFT_NO_SPACE);
        is_refused();
    } while (rig_waits(&patience));
}

static void open_engine(void)
{
    struct teak_options options = rig_options();
    struct teak_error error = {0};
    rig_ok(store_open_on(sim_open(life.medium), "store", &options, &life.engine, NULL, &error), &error);
}

static struct teak_raft_start start(uint64_t group)
{
    struct teak_raft_start is = {.applied = 0};
    struct rig_patience patience = {0};
    while (is_to_be_repeated(DO(start, group, &is), &patience)) continue;
    assert_int_equal(is.verdict, TEAK_RAFT_WHOLE);
    return is;
}

static void create(uint64_t group, uint64_t born)
{
    struct rig_patience patience = {0};
    while (is_to_be_repeated(DO(create, group, born), &patience)) continue;
    assert_int_equal(start(group).born, born);
}

static void drop(uint64_t group)
{
    struct rig_patience patience = {0};
    while (is_to_be_repeated(DO(drop, group), &patience)) continue;
}

/* From `first` on; returns how many came. The frame is held: the caller's. */
static uint32_t fetch(uint64_t group, uint64_t first, uint64_t last, struct teak_raft_frame **frame_out)
{
    struct rig_patience patience = {0};
    const struct teak_raft_fetch wanted = {.ticket = ++life.ticket, .first = first, .last = last, .bytes_max = 20000};
    enum teak_raft_status status;
    while ((status = DO(fetch, group, &wanted)) == TEAK_RAFT_BUSY && rig_waits(&patience)) is_refused();
    assert_int_equal(status, TEAK_RAFT_OK);
    const struct teak_raft_completion done = next();
    assert_int_equal(done.kind, TEAK_RAFT_FETCH_DONE);
    assert_int_equal(done.number, wanted.ticket);
    assert_int_equal(done.outcome, TEAK_RAFT_FETCHED);
    assert_int_equal(done.term_before, pos_of(group, first - 1).term);
    assert_in_range(done.count, 1, last - first + 1);
    for (uint32_t i = 0; i < done.count; i++) {
        uint8_t bytes[BULK_BYTES];
        assert_int_equal(done.entries[i].index, first + i);
        assert_int_equal(done.entries[i].term, term_of(group, first + i));
        assert_int_equal(done.entries[i].bytes, payload_of(group, first + i, bytes));
        assert_memory_equal(done.entries[i].data, bytes, done.entries[i].bytes);
    }
    *frame_out = done.entries[0].frame;
    teak_raft_hold(*frame_out);
    return done.count;
}

static void expect_log(uint64_t group, uint64_t first, uint64_t last)
{
    const struct teak_raft_start is = start(group);
    assert_int_equal(is.first, first);
    assert_int_equal(is.last.index, last);
    assert_int_equal(is.last.term, pos_of(group, last).term);
    assert_int_equal(is.hard.term, pos_of(group, last).term);
    while (first <= last) {
        struct teak_raft_frame *frame;
        first += fetch(group, first, last, &frame);
        teak_raft_drop(frame);
    }
}

static void expect_snapshot(uint64_t group, uint64_t index)
{
    const struct teak_raft_start is = start(group);
    assert_non_null(is.snapshot);
    assert_int_equal(is.snapshot->pos.index, index);
    assert_int_equal(is.snapshot->checksum, index);
    assert_int_equal(is.snapshot->config_bytes, sizeof config_bytes);
    assert_memory_equal(is.snapshot->config, config_bytes, sizeof config_bytes);
}

/* All that was told durable. */
static void expect_all(void)
{
    uint64_t groups[GROUPS + 1];
    assert_int_equal(DO(groups, true, 0, groups, GROUPS + 1), GROUPS);
    for (uint64_t i = 0; i < GROUPS; i++) assert_int_equal(groups[i], i + 1);
    expect_log(GROUP_TERMS, 1, TERMS);
    const struct teak_raft_start is = start(GROUP_TERMS);
    assert_int_equal(is.run_count, TERMS);
    for (uint64_t i = 0; i < TERMS; i++) assert_true(is.runs[i].index == i + 1 && is.runs[i].term == i + 1);
    assert_int_equal(is.config_count, 2);
    assert_int_equal(is.configs[0].index, TERMS / 20 * 20 - 39);
    assert_int_equal(is.configs[1].index, TERMS / 20 * 20 - 19);
    expect_log(GROUP_BULK, 1, BULK);
    expect_log(GROUP_OWN_SNAPSHOT, 3, FEW);
    expect_snapshot(GROUP_OWN_SNAPSHOT, 2);
    expect_log(GROUP_FOREIGN_SNAPSHOT, FOREIGN_INDEX + 1, FOREIGN_INDEX + FEW);
    expect_snapshot(GROUP_FOREIGN_SNAPSHOT, FOREIGN_INDEX);
    expect_log(GROUP_DROPPED, 1, FEW);
    for (uint64_t group = GROUP_DROPPED + 1; group <= GROUPS; group++) expect_log(group, 1, 0);
}

/* Groups come, are filled and emptied, one goes and comes anew; the frame of an entry outlives the store. */
static struct teak_raft_frame *live(void)
{
    struct teak_raft_frame *held;
    for (uint64_t group = GROUPS; group > 0; group--) create(group, group);
    append(GROUP_TERMS, 1, 1, TERMS);
    append(GROUP_BULK, 1, 1, BULK);
    append(GROUP_OWN_SNAPSHOT, 1, 1, FEW);
    const struct teak_raft_snapshot own = snapshot_at(GROUP_OWN_SNAPSHOT, 2);
    persist(GROUP_OWN_SNAPSHOT,
            (struct teak_raft_job){.hard = {.term = 1}, .snapshot = &own, .compact_to = 2, .after_first = 3,
                                   .after_last = pos_of(GROUP_OWN_SNAPSHOT, FEW)});
    append(GROUP_FOREIGN_SNAPSHOT, 1, 1, FEW);
    const struct teak_raft_snapshot foreign = snapshot_at(GROUP_FOREIGN_SNAPSHOT, FOREIGN_INDEX);
    persist(GROUP_FOREIGN_SNAPSHOT,
            (struct teak_raft_job){.hard = {.term = 2}, .snapshot = &foreign, .clear = true,
                                   .after_first = FOREIGN_INDEX + 1, .after_last = foreign.pos});
    append(GROUP_FOREIGN_SNAPSHOT, FOREIGN_INDEX + 1, FOREIGN_INDEX + 1, FOREIGN_INDEX + FEW);
    append(GROUP_DROPPED, 1, 1, 1);
    drop(GROUP_DROPPED);
    create(GROUP_DROPPED, 77);
    append(GROUP_DROPPED, 1, 1, FEW);
    expect_all();
    (void)fetch(GROUP_BULK, BULK, BULK, &held);
    return held;
}

/* The process ends, and another one looks, with all the memory it wants. */
static void begin_anew(void)
{
    if (!life.is_on_engine) {
        teak_raft_memory_crash(&life.store, 0);
        return;
    }
    life.store.ops->close(life.store.self);
    teak_abandon(life.engine);
    struct seeded seeded = {.state = life.n};
    struct sim_medium *left = sim_cut(life.medium, SIM_POWER, &seeded);
    sim_free(life.medium);
    life.medium = left;
    open_engine();
    open_adapter();
}

/* Calls that the heap was asked for. */
static uint64_t live_once(uint64_t n, bool for_good)
{
    const bool is_on_engine = life.is_on_engine;
    memset(&life, 0, sizeof life);
    life.is_on_engine = is_on_engine;
    life.n = n;
    life.for_good = for_good;
    if (is_on_engine) {
        life.medium = sim_make(1);
        open_engine();
    }
    life.is_under_way = true;
    countdown_begin(n, ENOMEM, for_good, false);
    open_adapter();
    struct teak_raft_frame *held = live();
    const bool was_struck = countdown_struck().name != NULL;
    (void)countdown_end();
    const uint64_t calls = countdown_calls();
    assert_true(was_struck == (n > 0));
    begin_anew();
    expect_all();
    life.store.ops->close(life.store.self);
    if (is_on_engine) {
        teak_abandon(life.engine);
        sim_free(life.medium);
        assert_true(life.was_aside); /* a job had to wait for memory of the engine */
    }
    assert_int_equal(countdown_allocated(), 1);
    teak_raft_drop(held);
    assert_int_equal(countdown_allocated(), 0);
    life.is_under_way = false;
    return calls;
}

static void refuse_each(bool is_on_engine)
{
    life.is_on_engine = is_on_engine;
    const uint64_t calls = live_once(0, false);
    uint64_t told = 0;
    assert_in_range(calls, GROUPS + TERMS, CALLS_MAX);
    const bool has_time = getenv("TEAK_FAULT_STEP") != NULL;
    for (uint64_t n = 1; n <= calls; n++)
        for (uint64_t way = 0; way < (has_time ? 2 : 1); way++) {
            (void)live_once(n, (n + way) % 2 == 0);
            told += life.refusals > 0;
        }
    assert_true(told > GROUPS + FEW);
    print_message("%" PRIu64 " calls; that they were refused was told %" PRIu64 " times\n", calls, told);
}

/* No memory at all, for five seconds of the simulated disk: a job cannot be kept aside either. Who makes the next one
 * whenever the store takes it and waits for no ROOM, as for a term or a vote, is refused once in a tenth of a second.
 */
static void who_is_refused_all_memory_is_given_a_pause(void **state)
{
    (void)state;
    const uint64_t lasts_ns = UINT64_C(5000000000), step_ns = 1000000, pause_ns = 100000000;
    uint64_t index = 1, refusals = 0, rooms = 0;
    bool is_out = false;
    struct teak_raft_completion done;
    struct rig_patience patience = {0};
    memset(&life, 0, sizeof life);
    life.is_on_engine = true;
    life.medium = sim_make(1);
    open_engine();
    open_adapter();
    create(GROUP_TERMS, GROUP_TERMS);
    append(GROUP_TERMS, 1, 1, 1);
    countdown_begin(1, ENOMEM, true, false);
    const uint64_t begin_ns = teak_now(life.engine);
    while (teak_now(life.engine) - begin_ns < lasts_ns) {
        if (!is_out && life.store.ops->takes(life.store.self)) {
            submit(GROUP_TERMS, 1, index + 1, ++life.token);
            is_out = true;
        }
        disk_pause(life.engine->disk, step_ns);
        if (DO(collect, step_ns, &done, 1) == 0) continue;
        rooms += done.kind == TEAK_RAFT_ROOM;
        if (done.kind == TEAK_RAFT_ROOM) continue;
        assert_int_equal(done.number, life.token);
        is_out = false;
        refusals += done.outcome == TEAK_RAFT_NO_ROOM;
        index += done.outcome == TEAK_RAFT_DURABLE;
    }
    assert_in_range(refusals, 2, (teak_now(life.engine) - begin_ns) / pause_ns + 1);
    assert_in_range(rooms, 1, refusals);
    (void)countdown_end();
    while (is_out || !life.store.ops->takes(life.store.self)) {
        wait_on(&patience);
        if (DO(collect, step_ns, &done, 1) > 0 && done.kind == TEAK_RAFT_JOB_DONE) is_out = false;
    }
    while (DO(collect, step_ns, &done, 1) > 0) assert_int_equal(done.kind, TEAK_RAFT_ROOM);
    index = start(GROUP_TERMS).last.index;
    append(GROUP_TERMS, 1, index + 1, index + FEW);
    expect_log(GROUP_TERMS, 1, index + FEW);
    life.store.ops->close(life.store.self);
    teak_abandon(life.engine);
    sim_free(life.medium);
    assert_int_equal(countdown_allocated(), 0);
}

static void memory_that_is_refused_costs_the_memory_store_nothing(void **state)
{
    (void)state;
    refuse_each(false);
}

static void memory_that_is_refused_costs_the_store_on_the_engine_nothing(void **state)
{
    (void)state;
    refuse_each(true);
}

/* After a failure: which call it was. */
static int tell_run(void **state)
{
    (void)state;
    (void)countdown_end();
    if (life.is_under_way) print_error("call %" PRIu64 "%s\n", life.n, life.for_good ? " and those behind it" : "");
    return 0;
}

int main(void)
{
    countdown_take_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_is_refused_all_memory_is_given_a_pause, tell_run),
        cmocka_unit_test_teardown(memory_that_is_refused_costs_the_memory_store_nothing, tell_run),
        cmocka_unit_test_teardown(memory_that_is_refused_costs_the_store_on_the_engine_nothing, tell_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
