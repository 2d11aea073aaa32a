/* sim_life.c: see sim_life.h. */
#define RIG_MOVES 0
#include "sim_life.h"

#include <malloc.h>
#include <sys/mman.h>

#include "sim_disk.h"
#include "sim_shrink.h"
#include "store/model.h"
#include "store/store.h"
#include "store/turn.h"

enum { SEEN_ROOM = 1 << 18, QUESTIONS_MAX = 2048, EXTRA_LOG = 77, PAIRS_BELOW = 40, STEPS_MAX = 2048 };
enum { CHILD_SECONDS = 600, SHRINK_TRIES = 400 };
#define SEED_USUAL UINT64_C(20261122)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 40 }; /* fewer lives: every step costs that much more */
#else
enum { SLOWER = 1 };
#endif

/* A state that was opened, and the batch that it was found at. */
struct seen {
    uint64_t print, batch;
    uint32_t session; /* batches are numbered anew after a crash */
};

/* The life that this process lives. */
static struct {
    const struct life_shape *shape;
    struct sim_medium *medium;
    struct seeded cuts; /* theirs, so that looking does not change what is looked at */
    struct life_totals *totals;
    struct seen seen[SEEN_ROOM];
    uint32_t seen_count, session;
    bool is_quiet;      /* nobody looks now */
    bool is_dead;       /* the store is poisoned, or said that the disk failed */
    bool is_told;       /* every step is printed */
    bool is_lied_to;    /* from now on: what an end of the session would find is no longer certain */
} life;

/* ---------------------------------------------------------------------------------------------------------- looking */

static enum teak_status try_open(struct sim_medium *image, enum teak_on_damage on_damage, struct teak_store **out,
                                 struct teak_report *report, struct teak_error *error)
{
    struct teak_options options = run.options;
    options.on_damage = on_damage;
    *out = NULL;
    return store_open_on(sim_open(image), "store", &options, out, report, error);
}

static struct teak_store *open_image(struct sim_medium *image)
{
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    const enum teak_status status = try_open(image, TEAK_REFUSE, &store, &report, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("opening what a cut left: %s", text);
    }
    return store;
}

static bool is_whole(struct teak_store *store, uint64_t batch)
{
    const struct model *model = state_of(batch);
    if (!same_state(store, model)) return false;
    for (uint32_t i = 0; i < LOGS; i++)
        if (model->logs[i].alive) assert_true(same_file(store, i * 1000 + 1, &model->logs[i]));
    return true;
}

typedef void (*look_fn)(void *context, struct sim_medium *image);

struct looking {
    const struct sim_medium *medium;
    uint32_t all_below, near, samples;
    look_fn look;
    void *context;
};

static void look_by(const struct looking *looking, const uint16_t *answer, uint32_t count)
{
    looking->look(looking->context, sim_cut_by(looking->medium, answer, count));
}

/* All that there are, as an odometer counts. */
static void look_at_all(const struct looking *looking, const uint16_t *answers, uint32_t count)
{
    uint16_t answer[QUESTIONS_MAX] = {0};
    for (;;) {
        look_by(looking, answer, count);
        uint32_t at = 0;
        while (at < count && ++answer[at] == answers[at]) answer[at++] = 0;
        if (at == count) return;
    }
}

/* All that differ from one outcome in at most so many answers. */
static void look_near(const struct looking *looking, const uint16_t *answers, uint32_t count, bool is_all)
{
    uint16_t base[QUESTIONS_MAX] = {0}, answer[QUESTIONS_MAX];
    for (uint32_t i = 0; i < count; i++) base[i] = is_all ? (uint16_t)(answers[i] - 1) : 0;
    look_by(looking, base, count);
    for (uint32_t i = 0; looking->near > 0 && i < count; i++) {
        memcpy(answer, base, count * sizeof *answer);
        for (answer[i] = 0; answer[i] < answers[i]; answer[i]++) {
            if (answer[i] == base[i]) continue;
            look_by(looking, answer, count);
            if (looking->near < 2 || count >= PAIRS_BELOW) continue;
            for (uint32_t j = i + 1; j < count; j++)
                for (uint16_t other = 0; other < answers[j]; other++) {
                    if (other == base[j]) continue;
                    uint16_t pair[QUESTIONS_MAX];
                    memcpy(pair, answer, count * sizeof *pair);
                    pair[j] = other;
                    look_by(looking, pair, count);
                }
        }
    }
}

/* What a power cut now may leave. True: all of it. */
static bool look_around(const struct looking *looking)
{
    uint16_t answers[QUESTIONS_MAX]; /* of its own: looking is nested */
    const uint32_t count = sim_questions(looking->medium, answers, QUESTIONS_MAX);
    uint64_t outcomes = 1;
    for (uint32_t i = 0; i < count && outcomes < looking->all_below; i++)
        outcomes *= i < QUESTIONS_MAX ? answers[i] : 2;
    if (outcomes < looking->all_below) {
        look_at_all(looking, answers, count);
        return true;
    }
    if (looking->near > 0 && count <= QUESTIONS_MAX) {
        look_near(looking, answers, count, false);
        look_near(looking, answers, count, true);
    }
    for (uint32_t i = 0; i < looking->samples; i++)
        looking->look(looking->context, sim_cut(looking->medium, SIM_POWER, &life.cuts));
    return false;
}

struct recovering {
    struct sim_medium *image;
    uint64_t batch;
};

static void look_at_recovery(void *context, struct sim_medium *image)
{
    const struct recovering *recovering = context;
    struct teak_store *store = open_image(image);
    assert_true(is_whole(store, recovering->batch));
    teak_abandon(store);
    sim_free(image);
    life.totals->nested_states++;
}

/* The power goes again, while the store recovers: it is still in the state that it was found in. */
static void cut_recovery(void *context)
{
    struct recovering *recovering = context;
    const struct life_shape *shape = life.shape;
    if (shape->nested_below == 0 && seeded_below(&life.cuts, 3) != 0) return;
    const struct looking looking = {.medium = recovering->image, .all_below = shape->nested_below,
                                    .samples = shape->nested_samples, .look = look_at_recovery, .context = context};
    (void)look_around(&looking);
}

/* Written to, with cuts in what that makes of the recovery; then opened again. */
static void go_on_from(struct sim_medium *image, uint64_t batch)
{
    struct recovering recovering = {.image = image, .batch = batch};
    struct teak_store *store = open_image(image);
    struct teak_error error = {0};
    sim_set_hook(image, cut_recovery, &recovering);
    rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = EXTRA_LOG});
    rig_ok(teak_drain(store, &error), &error);
    sim_set_hook(image, NULL, NULL);
    assert_true(is_whole(store, batch));
    teak_abandon(store);
    store = open_image(image);
    assert_true(is_whole(store, batch));
    (void)rig_log(store, EXTRA_LOG);
    teak_abandon(store);
}

/* Opened, found in a legal state; that changes nothing, and a second time finds the same. Returns the batch. */
static uint64_t examine(struct sim_medium *image)
{
    struct teak_store *store = open_image(image);
    const uint64_t batch = find_state(store);
    assert_true(is_whole(store, batch));
    teak_abandon(store);
    const uint64_t before = sim_fingerprint(image);
    store = open_image(image); /* the first one may have been a creation */
    assert_true(is_whole(store, batch));
    teak_abandon(store);
    assert_int_equal(sim_fingerprint(image), before);
    if (seeded_below(&life.cuts, life.shape->nested_one_in) == 0) go_on_from(image, batch);
    return batch;
}

static struct seen *seen_at(uint64_t print)
{
    struct seen *seen = &life.seen[print % SEEN_ROOM];
    while (seen->print != 0 && seen->print != print) seen = seen == &life.seen[SEEN_ROOM - 1] ? life.seen : seen + 1;
    return seen;
}

/* One outcome of a cut. What was opened before needs only be within what is promised by now. */
static void look_at(void *context, struct sim_medium *image)
{
    (void)context;
    life.totals->outcomes++;
    const uint64_t found = sim_fingerprint(image), print = found ? found : 1;
    struct seen *seen = seen_at(print);
    const bool is_new = seen->print == 0;
    const bool is_legal = !is_new && seen->session == life.session && seen->batch >= run.acknowledged;
    if (!is_legal) {
        const uint64_t batch = examine(image);
        if (!is_new || life.seen_count < SEEN_ROOM / 4 * 3) {
            *seen = (struct seen){.print = print, .batch = batch, .session = life.session};
            life.seen_count += is_new;
            life.totals->states += is_new;
        }
    }
    sim_free(image);
}

static void cut(void *context)
{
    (void)context;
    const struct life_shape *shape = life.shape;
    if (life.is_quiet || seeded_below(&life.cuts, shape->look_one_in) != 0) return;
    life.totals->cut_points++;
    const struct looking looking = {.medium = life.medium, .all_below = shape->all_below, .near = shape->near,
                                    .samples = shape->samples, .look = look_at};
    life.totals->exhausted += look_around(&looking);
    if (seeded_below(&life.cuts, 8) != 0) return;
    life.totals->kills++;
    struct sim_medium *image = sim_cut(life.medium, SIM_KILL, &life.cuts);
    struct teak_store *store = open_image(image);
    assert_true(is_whole(store, find_state(store)));
    teak_abandon(store);
    sim_free(image);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

static void tell(const char *what, uint64_t number)
{
    if (life.is_told) printf("    %s %" PRIu64 "\n", what, number);
}

static void tell_batch(const struct teak_batch *batch)
{
    static const char *const names[] = {"",         "CREATE",  "ENTRIES", "HARD_STATE", "TRUNCATE",
                                        "SNAPSHOT", "COMPACT", "META",    "DROP"};
    if (!life.is_told) return;
    printf("    batch %" PRIu64 ":", batch->tag);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct teak_op *op = &batch->ops[i];
        printf(" %s log %" PRIu64 " index %" PRIu64 " term %" PRIu64 " count %u;", names[op->op], op->log, op->index,
               op->term, op->count);
    }
    printf("\n");
}

static bool may_fail(void) { return life.shape->fail_one_in > 0; }

static void let_faults(bool on, uint64_t seed)
{
    const struct life_shape *shape = life.shape;
    const struct sim_faults faults = {.fail_one_in = shape->fail_one_in, .shorten_one_in = shape->shorten_one_in,
                                      .stall_one_in = shape->stall_one_in, .stall_ns = UINT64_C(3000000000),
                                      .seed = seed};
    sim_set_faults(life.medium, on ? faults : (struct sim_faults){0});
}

static void count_faults(const struct sim_medium *medium)
{
    const struct sim_hits hits = sim_hits(medium);
    life.totals->faults += hits.failed;
    life.totals->failed_syncs += hits.failed_syncs;
    life.totals->dropped_sectors += hits.dropped_sectors;
    life.totals->short_writes += hits.shortened;
    life.totals->stalls += hits.stalled;
    life.totals->lies += hits.lost + hits.misdirected;
    life.totals->operations += sim_operations(medium);
    life.totals->history = (life.totals->history ^ sim_history(medium)) * UINT64_C(0x9e3779b97f4a7c15);
}

static void take_completions(uint64_t wait_ns)
{
    struct teak_completion done[64];
    struct teak_error error = {0};
    uint32_t count = 0;
    const enum teak_status status = teak_poll(run.store, wait_ns, done, 64, &count, &error);
    for (uint32_t i = 0; i < count && !life.is_dead; i++) {
        if (done[i].status != TEAK_OK) {
            assert_true(may_fail());
            life.is_dead = true;
            return;
        }
        assert_int_equal(done[i].tag, run.acknowledged + 1);
        run.acknowledged++;
    }
    if (status == TEAK_OK) return;
    if (!may_fail()) rig_ok(status, &error);
    life.is_dead = true;
}

static void drain(void)
{
    struct teak_error error = {0};
    const enum teak_status status = teak_drain(run.store, &error);
    if (status == TEAK_OK) {
        run.acknowledged = run.submitted;
        return;
    }
    if (!may_fail()) rig_ok(status, &error);
    life.is_dead = true;
}

static void submit(const struct teak_batch *batch)
{
    struct teak_error error = {0};
    enum teak_status status = TEAK_FULL;
    tell_batch(batch);
    run.submitted++; /* from now on it may be there */
    life.totals->batches++;
    for (uint32_t tries = 0; !life.is_dead; tries++) {
        status = teak_submit(run.store, batch, &error);
        if (status != TEAK_FULL) break;
        assert_true(tries < 1000000);
        take_completions(100000000);
    }
    if (status == TEAK_OK) return;
    if (!may_fail()) rig_ok(status, &error);
    run.submitted--;
    if (status != TEAK_NO_SPACE) life.is_dead = true;
}

static void step_batch(void)
{
    static struct scratch scratch;
    struct teak_batch batch = random_batch(&scratch);
    if (!life.shape->is_small || batch.count == 1) {
        submit(&batch);
        return;
    }
    /* once more, with one operation: what the model has drawn for the others is forgotten */
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    batch.count = 1;
    random_op(&scratch, 0, next);
    submit(&batch);
}

/* As a new leader does: what is there from some index on goes, and other entries come, of a higher term. */
static void step_conflict(void)
{
    static struct scratch scratch;
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    const uint32_t which = below(LOGS);
    struct model_log *log = &next->logs[which];
    const uint64_t lowest = (log->base.index > log->snapshot.index ? log->base.index : log->snapshot.index) + 1;
    if (!log->alive || log->fresh || lowest > log->last.index) return;
    const uint64_t from = lowest + below((uint32_t)(log->last.index - lowest) + 1), term = log->last.term + 1;
    const uint32_t count = 1 + below(COUNT_MAX);
    model_truncate(log, from);
    if (log->last.index - log->base.index + count > ENTRIES_MAX) return;
    const uint64_t id = which * 1000 + 1;
    scratch.ops[0] = (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = id, .index = from};
    scratch.ops[1] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id, .index = from, .term = term, .count = count,
                                      .entries = scratch.entries[1]};
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t bytes = below(BYTES_MAX);
        rig_fill(scratch.payload[1][i], bytes, id, from + i, term);
        scratch.entries[1][i] = (struct teak_bytes){.data = scratch.payload[1][i], .bytes = bytes};
        log->entries[from + i - log->base.index - 1] = (struct model_entry){.term = term, .bytes = bytes};
    }
    log->last = (struct teak_pos){.index = from + count - 1, .term = term};
    const struct teak_batch batch = {.ops = scratch.ops, .count = 2, .tag = run.submitted + 1};
    submit(&batch);
}

/* Logs give up nearly all they have, so that segments die; with `spares` one of them lags, and what it holds moves. */
static void step_compact(bool spares)
{
    static struct scratch scratch;
    struct teak_batch batch = compaction_batch(&scratch);
    if (spares && batch.count > 1) {
        const uint32_t spared = below(batch.count);
        const uint64_t which = scratch.ops[spared].log / 1000;
        state_of(run.submitted + 1)->logs[which] = state_of(run.submitted)->logs[which];
        scratch.ops[spared] = scratch.ops[--batch.count];
    }
    if (batch.count > 0) submit(&batch);
}

/* All entries of a log go, the last one too: its end is its base. */
static void step_empty(void)
{
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    const uint32_t which = below(LOGS);
    struct model_log *log = &next->logs[which];
    if (!log->alive || log->fresh || log->last.index == log->base.index) return;
    const struct teak_op op = {.op = TEAK_OP_COMPACT, .log = which * 1000 + 1, .index = log->last.index};
    model_compact(log, op.index);
    const struct teak_batch batch = {.ops = &op, .count = 1, .tag = run.submitted + 1};
    submit(&batch);
}

/* A snapshot with a file of its own: streamed in, and in force when its completion comes. */
static void step_install(void)
{
    struct teak_error error = {0};
    drain();
    struct teak_snapshot_offer offer;
    uint8_t body[BODY_MAX];
    if (life.is_dead || may_fail() || !random_snapshot(&offer, body)) return;
    struct teak_snapshot_writer *writer;
    enum teak_status status;
    while ((status = teak_snapshot_begin(run.store, &offer, &writer, &error)) == TEAK_FULL)
        rig_ok(teak_drain(run.store, &error), &error);
    rig_ok(status, &error);
    rig_ok(teak_snapshot_write(writer, 0, body, offer.body_bytes, &error), &error);
    run.submitted++;
    tell("a snapshot of its own at batch", run.submitted);
    rig_ok(teak_snapshot_install(writer, (struct teak_trailing){0}, run.submitted, &error), &error);
    while (run.acknowledged < run.submitted) take_completions(100000000);
}

static void session_options(void)
{
    random_options();
    if (below(4) == 0) run.options.move_bytes_per_second = TEAK_FOREVER;
}

/* ------------------------------------------------------------------------------------------------- sessions' ends */

/* Faults let a few attempts fail, with a word that says whose fault it is. */
static void open_after_faults(void)
{
    struct teak_error error = {0};
    static struct teak_report report;
    for (uint32_t tries = 0; may_fail() && tries < 4; tries++) {
        let_faults(true, seeded_u64(&run.seeded));
        const enum teak_status status = try_open(life.medium, TEAK_REFUSE, &run.store, &report, &error);
        let_faults(false, 0);
        if (status == TEAK_OK) return;
        if (status != TEAK_IO && status != TEAK_NO_SPACE) rig_ok(status, &error);
    }
    run.store = open_image(life.medium);
}

/* Frames leave while batches are submitted, and beside others, as large ones do on a store of the usual size. */
static void choose_lanes(void)
{
    static const uint32_t lanes[] = {1, 700, 5000, TURN_LANE_BYTES};
    run.store->lane_bytes = lanes[below(4)];
}

static void begin_session(void)
{
    life.is_dead = false;
    life.session++;
    life.totals->sessions++;
    session_options();
    open_after_faults();
    choose_lanes();
    run.submitted = run.acknowledged = find_state(run.store);
    assert_true(is_whole(run.store, run.submitted));
    if (may_fail()) let_faults(true, seeded_u64(&run.seeded));
}

/* The life goes on with what the end has left. */
static void end_by(enum sim_end end)
{
    struct sim_medium *left = sim_cut(life.medium, end, &run.seeded);
    life.is_quiet = true;
    let_faults(false, 0);
    teak_abandon(run.store);
    count_faults(life.medium);
    sim_free(life.medium);
    life.medium = left;
    life.is_quiet = false;
    if (!life.shape->has_lies) sim_set_hook(left, cut, NULL);
}

static void end_session(void)
{
    struct teak_error error = {0};
    const uint32_t how = life.is_dead ? 1 + below(3) : below(4);
    tell("session ends: closed, abandoned, killed, power cut:", how);
    life.totals->deaths += life.is_dead;
    if (how == 0) {
        const enum teak_status status = teak_close(run.store, &error);
        if (status == TEAK_OK)
            run.acknowledged = run.submitted;
        else if (!may_fail())
            rig_ok(status, &error);
        let_faults(false, 0);
    } else if (how == 1) {
        teak_abandon(run.store); /* what was out lands */
        let_faults(false, 0);
    } else {
        end_by(how == 2 ? SIM_KILL : SIM_POWER);
    }
    begin_session();
    tell("found at batch", run.submitted);
}

/* ------------------------------------------------------------------------------------------------------------- lies */

static const struct model_entry *entry_of(const struct model_log *log, uint64_t index)
{
    return index > log->base.index && index <= log->last.index ? &log->entries[index - log->base.index - 1] : NULL;
}

/* Every entry is the one that was written there, or the read says that it is hurt. Returns whether one did. */
static bool entries_are_right_or_told(struct teak_store *store, uint64_t id, const struct model_log *want,
                                      bool is_marked)
{
    struct teak_error error = {0};
    struct teak_log log;
    struct teak_cursor *cursor;
    rig_ok(teak_log(store, id, &log, &error), &error);
    rig_ok(teak_cursor_open(store, id, log.base.index + 1, &cursor, &error), &error);
    bool is_told = false;
    for (uint64_t next = log.base.index + 1; next <= log.last.index && !is_told;) {
        struct teak_entry entries[16];
        uint32_t count = 0;
        const enum teak_status status = teak_cursor_read(cursor, 1 << 16, entries, 16, &count, &error);
        if (status != TEAK_OK) {
            assert_true(status == TEAK_HASH_MISMATCH || status == TEAK_DAMAGED || status == TEAK_IO);
            assert_int_equal(error.log, id);
            assert_true(error.index >= next && error.index <= log.last.index);
            is_told = true;
        }
        for (uint32_t i = 0; status == TEAK_OK && i < count; i++, next++) {
            assert_int_equal(entries[i].index, next);
            const struct model_entry *entry = entry_of(want, next);
            uint8_t payload[BYTES_MAX];
            assert_true(entries[i].bytes <= BYTES_MAX);
            rig_fill(payload, entries[i].bytes, id, next, entries[i].term);
            assert_memory_equal(payload, entries[i].data, entries[i].bytes);
            if (is_marked) continue; /* an older one may be the last that is known */
            assert_non_null(entry);
            assert_int_equal(entries[i].term, entry->term);
            assert_int_equal(entries[i].bytes, entry->bytes);
            assert_int_equal(entries[i].kind, entry->kind);
        }
        if (status == TEAK_OK) assert_true(count > 0);
    }
    teak_cursor_close(cursor);
    return is_told;
}

/* What opened, whole or under quarantine: logs without a mark are as they were, the others show nothing that was not
 * written. Returns whether a read told of damage. */
static bool judge_logs(struct teak_store *store, const struct model *want, bool may_be_missing)
{
    bool is_told = false;
    for (uint64_t i = 0; i < LOGS; i++) {
        struct teak_log log;
        const bool is_there = teak_log(store, i * 1000 + 1, &log, NULL) == TEAK_OK;
        if (!is_there) {
            assert_true(!want->logs[i].alive || may_be_missing);
            continue;
        }
        if (log.marks == 0) assert_true(same_log(store, i * 1000 + 1, &want->logs[i]));
        is_told |= entries_are_right_or_told(store, i * 1000 + 1, &want->logs[i], log.marks != 0);
    }
    return is_told;
}

/* A refusal says where: a file, or what was told durable and is hurt. */
static void judge_refusal(enum teak_status status, const struct teak_error *error, const struct teak_report *report)
{
    if (life.is_told) {
        char text[512];
        teak_error_text(error, text, sizeof text);
        printf("    refused: %s\n", text);
    }
    if (status != TEAK_DAMAGED) {
        assert_true(error->file[0] != 0 || error->segment != 0);
        return;
    }
    assert_true(report->damage_count > 0);
    for (uint32_t i = 0; i < report->damage_count && i < TEAK_DAMAGE_MAX; i++) {
        const struct teak_damage *damage = &report->damage[i];
        if (life.is_told)
            printf("    damaged: segment %" PRIu64 " offset %" PRIu64 " lsn %" PRIu64 "..%" PRIu64 " log %" PRIu64
                   " index %" PRIu64 "..%" PRIu64 "\n",
                   damage->segment, damage->offset, damage->first_lsn, damage->last_lsn, damage->log, damage->first,
                   damage->last);
        if (damage->has_log)
            assert_true(damage->first <= damage->last);
        else
            assert_true(damage->first_lsn <= damage->last_lsn && damage->segment > 0);
    }
}

/* The disk has lied once; everything was acknowledged, and the store closed. */
static void judge_after_a_lie(void)
{
    static struct teak_report report;
    struct teak_error error = {0};
    struct teak_store *store;
    const struct model *want = state_of(run.submitted);
    enum teak_status status = try_open(life.medium, TEAK_REFUSE, &store, &report, &error);
    if (status == TEAK_OK) {
        const bool is_told = judge_logs(store, want, false);
        life.totals->told_by_reads += is_told;
        life.totals->harmless += !is_told;
        teak_abandon(store);
        return;
    }
    life.totals->refused++;
    judge_refusal(status, &error, &report);
    status = try_open(life.medium, TEAK_QUARANTINE, &store, &report, &error);
    if (status != TEAK_OK) {
        judge_refusal(status, &error, &report);
        return;
    }
    (void)judge_logs(store, want, report.logs_may_be_missing);
    teak_abandon(store);
}

/* From a random moment on the next write of a file is lost, or goes astray; or a sector rots in the end. */
static void lie(void)
{
    const bool loses = below(2);
    life.is_lied_to = true;
    tell("the next write is lost (1), goes astray (0)", loses);
    sim_set_faults(life.medium, (struct sim_faults){.lose_one_in = loses, .misdirect_one_in = !loses, .lies_max = 1,
                                                    .lies_from = RIG_BLOCK, .seed = seeded_u64(&run.seeded)});
}

static void end_with_lies(void)
{
    drain();
    sim_set_faults(life.medium, (struct sim_faults){0});
    for (uint32_t i = 0; i < 3; i++) { /* somebody vouches for what was lost */
        static struct scratch scratch;
        const struct teak_batch batch = random_batch(&scratch);
        submit(&batch);
        drain();
    }
    rig_close(run.store);
    struct sim_decay rot;
    while (sim_hits(life.medium).lost + sim_hits(life.medium).misdirected == 0) {
        if (!sim_decay(life.medium, &run.seeded, &rot)) continue; /* what it would have become was there */
        life.totals->lies++;
        if (life.is_told) printf("    %s in %s at %" PRIu64 "\n", rot.how, rot.name, rot.offset);
        break;
    }
    judge_after_a_lie();
}

/* ------------------------------------------------------------------------------------------------------------- life */

static void make_room(void)
{
    if (run.submitted - run.acknowledged > STATES - 8) drain();
}

static void live_step(uint32_t step, uint64_t seed)
{
    run.seeded.state = seed + step * UINT64_C(0x9e3779b97f4a7c15);
    run.seeded.state = seeded_u64(&run.seeded);
    life.cuts.state = run.seeded.state ^ UINT64_C(0xc4a54);
    const uint32_t dice = below(100);
    if (life.is_told) printf("  step %u\n", step);
    life.totals->steps++;
    if (dice < 62)
        step_batch();
    else if (dice < 76)
        step_conflict();
    else if (dice < 82)
        step_compact(below(2));
    else if (dice < 86)
        step_empty();
    else if (dice < 94)
        step_install();
    else
        take_completions(UINT64_C(1) << below(31));
    if (!life.is_dead && below(3) == 0) take_completions(below(2) * 20000000);
    if (!life.is_dead) make_room();
    if (life.is_dead || (below(life.shape->ends_one_in) == 0 && !life.is_lied_to)) end_session();
}

static void finish_life(void)
{
    life.is_quiet = true;
    if (life.shape->has_lies) {
        end_with_lies();
    } else {
        let_faults(false, 0);
        drain();
        if (life.is_dead) {
            teak_abandon(run.store);
        } else {
            rig_close(run.store);
            run.acknowledged = run.submitted;
        }
        run.store = open_image(life.medium);
        assert_true(is_whole(run.store, find_state(run.store)));
        rig_close(run.store);
    }
    count_faults(life.medium);
    sim_free(life.medium);
}

static void live(const struct life_shape *shape, uint64_t seed, const uint32_t *steps, uint32_t count)
{
    life.shape = shape;
    memset(&run.states[0], 0, sizeof run.states[0]);
    run.seeded.state = seed;
    life.cuts.state = seed ^ UINT64_C(0xc4a54);
    run.submitted = run.acknowledged = 0;
    life.totals->lives++;
    life.medium = sim_make(seeded_u64(&run.seeded));
    if (!shape->has_lies) sim_set_hook(life.medium, cut, NULL);
    const uint32_t lie_at = below(shape->steps);
    begin_session();
    if (shape->syncs_lie) sim_let_syncs_lie(life.medium);
    bool has_lied = false;
    for (uint32_t i = 0; i < (steps ? count : shape->steps); i++) {
        const uint32_t step = steps ? steps[i] : i;
        if (shape->has_lies && !has_lied && step >= lie_at) {
            has_lied = true;
            if (below(3) > 0) lie();
        }
        if (has_lied && sim_hits(life.medium).lost + sim_hits(life.medium).misdirected > 0) break;
        live_step(step, seed);
    }
    finish_life();
}

/* --------------------------------------------------------------------------------------------------------- children */

static struct {
    const struct life_shape *shape;
    uint64_t seed;
    const uint32_t *steps;
    uint32_t count;
} order;

static void one_life(void **state)
{
    (void)state;
    live(order.shape, order.seed, order.steps, order.count);
}

/* In a child: it ends here. */
static void live_and_exit(bool is_told, bool is_silent)
{
    if (is_silent) {
        const int nowhere = open("/dev/null", O_WRONLY);
        if (nowhere < 0 || dup2(nowhere, 1) < 0 || dup2(nowhere, 2) < 0) _exit(3);
    }
    alarm(CHILD_SECONDS);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    life.is_told = is_told;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_life)};
    cmocka_set_message_output(is_silent || is_told ? CM_OUTPUT_STDOUT : CM_OUTPUT_TAP);
    const int failed = cmocka_run_group_tests_name("life", tests, NULL, NULL);
    fflush(stdout);
    exit(failed == 0 ? 0 : 1);
}

static bool live_in_child(const struct life_shape *shape, uint64_t seed, const uint32_t *steps, uint32_t count,
                          bool is_told, bool is_silent, struct life_totals *totals)
{
    struct life_totals *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    order.shape = shape;
    order.seed = seed;
    order.steps = steps;
    order.count = count;
    life.totals = shared;
    fflush(stdout);
    fflush(stderr);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) live_and_exit(is_told, is_silent);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    uint64_t *sums = (uint64_t *)totals;
    const uint64_t *more = (const uint64_t *)shared;
    for (size_t i = 0; totals && i < sizeof *totals / sizeof *sums; i++) sums[i] += more[i];
    assert_int_equal(munmap(shared, sizeof *shared), 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool live_once(const struct life_shape *shape, uint64_t seed, const uint32_t *steps, uint32_t count, bool is_told,
               struct life_totals *totals)
{
    return live_in_child(shape, seed, steps, count, is_told, !is_told, totals);
}

struct failing {
    const struct life_shape *shape;
    uint64_t seed;
};

static bool fails_too(void *context, const uint32_t *steps, uint32_t count)
{
    const struct failing *failing = context;
    return !live_in_child(failing->shape, failing->seed, steps, count, false, true, NULL);
}

uint32_t shrink_life(const struct life_shape *shape, uint64_t seed, uint32_t *steps)
{
    struct failing failing = {.shape = shape, .seed = seed};
    for (uint32_t i = 0; i < shape->steps; i++) steps[i] = i;
    return shrink(steps, shape->steps, fails_too, &failing, SHRINK_TRIES);
}

/* --------------------------------------------------------------------------------------------------------- programs */

static void print_totals(const struct life_shape *shape, const struct life_totals *t)
{
    printf("%s: %" PRIu64 " lives, %" PRIu64 " sessions, %" PRIu64 " batches, %" PRIu64 " operations of the disk\n",
           shape->name, t->lives, t->sessions, t->batches, t->operations);
    if (t->cut_points > 0)
        printf("%s: %" PRIu64 " cut points (%" PRIu64 " with every outcome), %" PRIu64 " outcomes, %" PRIu64
               " DIFFERENT STATES opened, %" PRIu64 " cuts during recovery, %" PRIu64 " kills\n",
               shape->name, t->cut_points, t->exhausted, t->outcomes, t->states, t->nested_states, t->kills);
    if (t->faults > 0)
        printf("%s: %" PRIu64 " operations failed (%" PRIu64 " syncs, which dropped %" PRIu64 " sectors), %" PRIu64
               " short writes, %" PRIu64 " stalls, %" PRIu64 " stores died of it\n",
               shape->name, t->faults, t->failed_syncs, t->dropped_sectors, t->short_writes, t->stalls, t->deaths);
    if (t->lies > 0)
        printf("%s: %" PRIu64 " lies of the disk: %" PRIu64 " refused, %" PRIu64 " told by reads, %" PRIu64
               " harmless\n",
               shape->name, t->lies, t->refused, t->told_by_reads, t->harmless);
    fflush(stdout);
}

static void print_trace(const struct life_shape *shape, uint64_t seed, const uint32_t *steps, uint32_t count)
{
    printf("TEAK_TRACE=%s:%" PRIu64 ":", shape->name, seed);
    for (uint32_t i = 0; i < count; i++) printf("%s%u", i > 0 ? "," : "", steps[i]);
    printf("\n");
}

static int report_failure(const struct life_shape *shape, uint64_t seed)
{
    static uint32_t steps[STEPS_MAX];
    struct life_totals ignored = {0};
    printf("a life fails: TEAK_TRACE=%s:%" PRIu64 ":all; it is being shrunk\n", shape->name, seed);
    fflush(stdout);
    const uint32_t count = shrink_life(shape, seed, steps);
    printf("the shortest that fails has %u of %u steps:\n", count, shape->steps);
    print_trace(shape, seed, steps, count);
    (void)live_once(shape, seed, steps, count, true, &ignored);
    return 1;
}

/* TEAK_TRACE: is it one of this program's? Then it is lived. */
static bool replay_trace(const struct life_shape *shape, int *status)
{
    const char *trace = getenv("TEAK_TRACE");
    if (!trace) return false;
    static uint32_t steps[STEPS_MAX];
    struct life_totals totals = {0};
    const size_t name = strlen(shape->name);
    if (strncmp(trace, shape->name, name) != 0 || trace[name] != ':') {
        printf("TEAK_TRACE is not of %s\n", shape->name);
        *status = 77;
        return true;
    }
    char *at;
    const uint64_t seed = strtoull(trace + name + 1, &at, 10);
    uint32_t count = 0;
    const bool is_all = strcmp(at, ":all") == 0;
    while (!is_all && (*at == ':' || *at == ',') && count < STEPS_MAX && at[1] != 0)
        steps[count++] = (uint32_t)strtoul(at + 1, &at, 10);
    *status = live_once(shape, seed, is_all ? NULL : steps, count, true, &totals) ? 0 : 1;
    print_totals(shape, &totals);
    return true;
}

int live_many(const struct life_shape *shape, uint64_t states, uint32_t runs, int argc, char **argv)
{
    int status;
    /* opening and leaving thousands of stores: their memory is used again, in small pages */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    if (replay_trace(shape, &status)) return status;
    const char *seed_given = getenv("TEAK_SEED"), *runs_given = getenv("TEAK_RUNS");
    const bool is_endless = argc > 1 && strcmp(argv[1], "--long") == 0;
    const uint64_t seed = seed_given ? strtoull(seed_given, NULL, 0)
                          : is_endless ? (uint64_t)time(NULL) * 1000000 : SEED_USUAL;
    struct life_totals totals = {0};
    states = (states + SLOWER - 1) / SLOWER;
    runs = (runs + SLOWER - 1) / SLOWER;
    printf("%s: TEAK_SEED=%" PRIu64 "\n", shape->name, seed);
    if (runs_given) runs = (uint32_t)strtoul(runs_given, NULL, 0);
    for (uint32_t i = 0;; i++) {
        const bool is_enough = runs_given || states == 0 ? i >= runs : totals.states >= states;
        if (is_enough && !is_endless) break;
        if (!live_in_child(shape, seed + i, NULL, 0, false, true, &totals)) return report_failure(shape, seed + i);
        if (is_endless && i % 1000 == 999) print_totals(shape, &totals);
    }
    print_totals(shape, &totals);
    return 0;
}
