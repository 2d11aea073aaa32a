/* crash_test.c: at every change that a store makes, the power goes, and every legal outcome (where there are few) or a
 * sample of them is opened: it must be a state from the last acknowledged batch to the last submitted one, batches
 * whole. What was opened then goes on, is cut again while it recovers, and must still be in the state that it was found
 * in. TEAK_SEED=n repeats a run; TEAK_RUNS=n makes it longer.
 */
#include "sim_disk.h"

#include "store/model.h"
#include "store/store.h"
#include "teak/snapshot.h"

enum { EXHAUSTIVE_MAX = 16, SAMPLES = 6, NESTED_ONE_IN = 16, SEEN_ROOM = 1 << 21, EXTRA_LOG = 77, BODY_MAX = 3000 };

static struct {
    struct sim_medium *medium;
    struct seeded seeded; /* the cuts', so that looking does not change what is looked at */
    uint64_t looked, states, nested, kills, cut_points;
    uint64_t seen[SEEN_ROOM];
    uint64_t one_in;      /* cut points that are looked at */
    bool is_quiet;        /* nobody looks now */
} crash;

/* Was this very outcome, with this much promised, looked at before? */
static bool is_known(const struct sim_medium *image)
{
    uint64_t hash = sim_fingerprint(image) ^ run.acknowledged * UINT64_C(0x9e3779b97f4a7c15) ^ run.submitted << 32;
    if (hash == 0) hash = 1;
    for (uint64_t at = hash % SEEN_ROOM, tries = 0; tries < 64; at = (at + 1) % SEEN_ROOM, tries++) {
        if (crash.seen[at] == hash) return true;
        if (crash.seen[at] != 0) continue;
        crash.seen[at] = hash;
        return false;
    }
    return false;
}

static struct teak_store *open_image(struct sim_medium *image)
{
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    const enum teak_status status = store_open_on(sim_open(image), "store", &run.options, &store, &report, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("opening what a cut left: %s", text);
    }
    return store;
}

/* The log's snapshot is there, whole and its own. */
static void check_file(struct teak_store *store, uint64_t id, const struct model_log *log)
{
    struct teak_snapshot_reader *reader;
    struct teak_error error = {0};
    const enum teak_status status = teak_snapshot_open(store, id, &reader, &error);
    if (log->file_bytes == 0) {
        assert_int_equal(status, TEAK_NOT_FOUND);
        return;
    }
    rig_ok(status, &error);
    uint8_t want[BODY_MAX + 1], got[BODY_MAX + 1];
    uint64_t bytes;
    rig_fill(want, log->file_bytes - 1, id, log->snapshot.index, log->snapshot.term);
    rig_ok(teak_snapshot_read(reader, 0, got, sizeof got, &bytes, &error), &error);
    assert_int_equal(bytes, log->file_bytes - 1);
    assert_memory_equal(got, want, bytes);
    teak_snapshot_close(reader);
}

static bool is_whole(struct teak_store *store, uint64_t batch)
{
    const struct model *model = state_of(batch);
    if (!same_state(store, model)) return false;
    for (uint32_t i = 0; i < LOGS; i++)
        if (model->logs[i].alive) check_file(store, i * 1000 + 1, &model->logs[i]);
    return true;
}

struct recovering {
    struct sim_medium *image;
    uint64_t batch;
};

/* The power goes again, while the store recovers: it is still in the state that it was found in. */
static void cut_recovery(void *context)
{
    const struct recovering *recovering = context;
    if (seeded_below(&crash.seeded, 3) != 0) return;
    struct sim_medium *image = sim_cut(recovering->image, SIM_POWER, &crash.seeded);
    struct teak_store *store = open_image(image);
    assert_true(is_whole(store, recovering->batch));
    teak_abandon(store);
    sim_free(image);
    crash.nested++;
}

/* Opened, found in a legal state; now and then written to, cut, and opened again. */
static void examine(struct sim_medium *image)
{
    crash.states++;
    struct teak_store *store = open_image(image);
    struct recovering recovering = {.image = image, .batch = find_state(store)};
    assert_true(is_whole(store, recovering.batch));
    if (seeded_below(&crash.seeded, NESTED_ONE_IN) == 0) {
        sim_set_hook(image, cut_recovery, &recovering);
        struct teak_error error = {0};
        rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = EXTRA_LOG});
        rig_ok(teak_drain(store, &error), &error);
        sim_set_hook(image, NULL, NULL);
        assert_true(is_whole(store, recovering.batch));
        teak_abandon(store);
        store = open_image(image);
        assert_true(is_whole(store, recovering.batch));
        (void)rig_log(store, EXTRA_LOG);
    }
    teak_abandon(store);
}

static void look_at(struct sim_medium *image)
{
    crash.looked++;
    if (!is_known(image)) examine(image);
    sim_free(image);
}

static void cut(void *context)
{
    (void)context;
    if (crash.is_quiet || seeded_below(&crash.seeded, (uint32_t)crash.one_in) != 0) return;
    crash.cut_points++;
    const uint64_t outcomes = sim_outcomes(crash.medium);
    if (outcomes <= EXHAUSTIVE_MAX)
        for (uint64_t n = 0; n < outcomes; n++) look_at(sim_cut_nth(crash.medium, n));
    else
        for (uint32_t i = 0; i < SAMPLES; i++) look_at(sim_cut(crash.medium, SIM_POWER, &crash.seeded));
    if (seeded_below(&crash.seeded, 8) != 0) return;
    crash.kills++;
    look_at(sim_cut(crash.medium, SIM_KILL, &crash.seeded));
}

static void take_completions(uint64_t wait_ns)
{
    struct teak_completion done[64];
    struct teak_error error = {0};
    uint32_t count;
    rig_ok(teak_poll(run.store, wait_ns, done, 64, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(done[i].status, TEAK_OK);
        assert_int_equal(done[i].tag, run.acknowledged + 1);
        run.acknowledged++;
    }
}

static void submit_random(void)
{
    static struct scratch scratch;
    struct teak_batch batch = {0};
    if (below(20) == 0) batch = compaction_batch(&scratch);
    if (batch.count == 0) batch = random_batch(&scratch);
    struct teak_error error = {0};
    enum teak_status status;
    run.submitted++; /* from now on it may be there */
    while ((status = teak_submit(run.store, &batch, &error)) == TEAK_FULL) take_completions(100000000);
    rig_ok(status, &error);
}

/* A snapshot with a file of its own: streamed in, and in force when its completion comes. */
static void install_snapshot(void)
{
    struct teak_error error = {0};
    rig_ok(teak_drain(run.store, &error), &error);
    run.acknowledged = run.submitted;
    const uint32_t which = below(LOGS);
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct model_log *log = &next->logs[which];
    if (!log->alive || log->fresh) return;
    const uint64_t lowest = log->base.index > log->snapshot.index ? log->base.index : log->snapshot.index + 1;
    if (lowest == 0) return;
    const uint64_t index = lowest + below(log->last.index + 4 > lowest ? (uint32_t)(log->last.index + 4 - lowest) : 1);
    const bool is_inside = index <= log->last.index;
    struct teak_snapshot_offer offer = {.log = which * 1000 + 1, .stream = run.submitted};
    offer.body_bytes = below(BODY_MAX);
    offer.pos = (struct teak_pos){.index = index, .term = is_inside ? model_term(log, index) : log->last.term};
    if (offer.pos.index <= log->snapshot.index) return;
    model_snapshot(log, offer.pos);
    model_compact(log, index);
    log->file_bytes = (uint32_t)offer.body_bytes + 1;
    uint8_t body[BODY_MAX];
    rig_fill(body, (uint32_t)offer.body_bytes, offer.log, offer.pos.index, offer.pos.term);
    struct teak_snapshot_writer *writer;
    enum teak_status status;
    while ((status = teak_snapshot_begin(run.store, &offer, &writer, &error)) == TEAK_FULL)
        rig_ok(teak_drain(run.store, &error), &error);
    rig_ok(status, &error);
    rig_ok(teak_snapshot_write(writer, 0, body, offer.body_bytes, &error), &error);
    run.submitted++;
    rig_ok(teak_snapshot_install(writer, (struct teak_trailing){0}, run.submitted, &error), &error);
    while (run.acknowledged < run.submitted) take_completions(100000000);
}

static void random_options(void)
{
    run.options = rig_options();
    static const uint32_t in_flight[] = {0, 1, 4, 16};
    run.options.in_flight = in_flight[below(4)];
    static const enum teak_strategy strategies[] = {TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC, TEAK_BUFFERED};
    run.options.strategy = strategies[below(4)];
    run.options.group_bytes = below(2) ? 0 : 4096;
    run.options.spares = 1 + below(3);
    if (below(2)) run.options.move_bytes_per_second = 0;
}

/* One store's life, with some ends of sessions in it; looked at from its first change on. */
static void live(uint32_t batches)
{
    memset(&run.states[0], 0, sizeof run.states[0]);
    run.submitted = run.acknowledged = 0;
    random_options();
    crash.medium = sim_make(seeded_u64(&run.seeded));
    sim_set_hook(crash.medium, cut, NULL);
    run.store = open_image(crash.medium);
    for (uint32_t i = 0; i < batches; i++) {
        if (below(12) == 0)
            install_snapshot();
        else
            submit_random();
        if (below(3) == 0 || run.submitted - run.acknowledged > STATES - 8) take_completions(below(2) * 20000000);
        while (run.submitted - run.acknowledged > STATES - 8) {
            struct teak_error error = {0};
            rig_ok(teak_drain(run.store, &error), &error);
            run.acknowledged = run.submitted;
        }
        if (below(100) != 0) continue;
        if (below(2)) {
            rig_close(run.store);
            run.acknowledged = run.submitted;
        } else {
            teak_abandon(run.store); /* what was out lands */
        }
        random_options();
        run.store = open_image(crash.medium);
        run.submitted = run.acknowledged = find_state(run.store);
    }
    rig_close(run.store);
    run.acknowledged = run.submitted;
    crash.is_quiet = true;
    run.store = open_image(crash.medium);
    assert_true(same_state(run.store, state_of(run.submitted)));
    rig_close(run.store);
    crash.is_quiet = false;
    sim_free(crash.medium);
}

static void what_a_cut_leaves_is_a_legal_state(void **state)
{
    (void)state;
    const char *runs_given = getenv("TEAK_RUNS");
    const uint32_t runs = runs_given ? (uint32_t)atoi(runs_given) : 24;
    run.seeded = seeded_begin("crash");
    crash.seeded.state = run.seeded.state ^ UINT64_C(0xc4a54);
    for (uint32_t i = 0; i < runs; i++) {
        const bool is_short = i % 2 == 0; /* every cut point of a short life, some of a long one */
        crash.one_in = is_short ? 1 : 4;
        live(is_short ? 40 : 400);
    }
    printf("crash: %" PRIu64 " cut points, %" PRIu64 " outcomes, %" PRIu64 " different states opened (%" PRIu64
           " after a kill), %" PRIu64 " cuts during recovery\n",
           crash.cut_points, crash.looked, crash.states, crash.kills, crash.nested);
    assert_true(crash.states > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_cut_leaves_is_a_legal_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
