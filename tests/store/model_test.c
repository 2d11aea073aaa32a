/* model_test.c: random batches over several logs, random ends of sessions, against a model that knows nothing of disks.
 * What a crash may leave is every state from the last acknowledged batch to the last submitted one, and nothing else.
 * TEAK_SEED=n repeats a run; TEAK_ROUNDS=n makes it longer.
 */
#include "store/rig.h"
#include "unit/seeded.h"

enum { LOGS = 4, ENTRIES_MAX = 256, STATES = 256, OPS_MAX = 5, COUNT_MAX = 6, BYTES_MAX = 400 };

struct model_entry {
    uint64_t term;
    uint32_t bytes;
    uint8_t kind;
};

struct model_log {
    bool alive, fresh;
    struct teak_pos base, last, snapshot;
    struct teak_hard_state hard;
    uint32_t meta_bytes;
    uint8_t meta; /* every byte of it */
    struct model_entry entries[ENTRIES_MAX]; /* entries[0] is base.index + 1 */
};

struct model {
    struct model_log logs[LOGS];
};

/* States after batch n, for the last STATES batches: states[n % STATES]. */
static struct {
    struct model states[STATES];
    uint64_t submitted, acknowledged;
    struct seeded seeded;
    struct rig rig;
    struct teak_store *store;
    struct teak_options options;
} run;

static struct model *state_of(uint64_t batch) { return &run.states[batch % STATES]; }

static uint32_t below(uint32_t limit) { return seeded_below(&run.seeded, limit); }

/* ---- the model's rules ---- */

static uint64_t model_term(const struct model_log *log, uint64_t index)
{
    return index == log->base.index ? log->base.term : log->entries[index - log->base.index - 1].term;
}

static void model_truncate(struct model_log *log, uint64_t from)
{
    if (from <= log->last.index) log->last = (struct teak_pos){.index = from - 1, .term = model_term(log, from - 1)};
}

static void model_compact(struct model_log *log, uint64_t upto)
{
    if (upto <= log->base.index) return;
    const uint64_t gone = upto - log->base.index;
    const struct teak_pos base = {.index = upto, .term = model_term(log, upto)};
    memmove(log->entries, log->entries + gone, (ENTRIES_MAX - gone) * sizeof log->entries[0]);
    log->base = base;
}

static void model_snapshot(struct model_log *log, struct teak_pos at)
{
    if (at.index <= log->snapshot.index || at.index < log->base.index) return;
    const bool keeps = !log->fresh && at.index <= log->last.index && model_term(log, at.index) == at.term;
    log->snapshot = at;
    if (keeps) return;
    log->base = log->last = at;
    log->fresh = false;
}

/* ---- one random batch ---- */

struct scratch {
    struct teak_op ops[OPS_MAX];
    struct teak_bytes entries[OPS_MAX][COUNT_MAX];
    uint8_t payload[OPS_MAX][COUNT_MAX][BYTES_MAX];
    uint8_t meta[OPS_MAX][256];
};

static void random_append(struct scratch *scratch, uint32_t at, struct model_log *log)
{
    struct teak_op *op = &scratch->ops[at];
    const uint64_t room = ENTRIES_MAX - (log->last.index - log->base.index);
    if (room < COUNT_MAX) {
        op->op = TEAK_OP_COMPACT;
        op->index = log->last.index - below(4);
        model_compact(log, op->index);
        return;
    }
    op->op = TEAK_OP_ENTRIES;
    op->index = log->fresh ? log->snapshot.index + 1 + below(1000) : log->last.index + 1;
    op->count = 1 + below(COUNT_MAX);
    op->term = log->last.term + (below(4) == 0);
    op->kind = (uint8_t)below(3);
    op->entries = scratch->entries[at];
    if (log->fresh) log->base = (struct teak_pos){.index = op->index - 1};
    log->fresh = false;
    const uint64_t first = op->index - log->base.index - 1;
    for (uint32_t i = 0; i < op->count; i++) {
        const uint32_t bytes = below(3) == 0 ? below(BYTES_MAX) : below(32);
        rig_fill(scratch->payload[at][i], bytes, op->log, op->index + i, op->term);
        scratch->entries[at][i] = (struct teak_bytes){.data = scratch->payload[at][i], .bytes = bytes};
        log->entries[first + i] = (struct model_entry){.term = op->term, .bytes = bytes, .kind = op->kind};
    }
    log->last = (struct teak_pos){.index = op->index + op->count - 1, .term = op->term};
}

static void random_op(struct scratch *scratch, uint32_t at, struct model *model)
{
    struct teak_op *op = &scratch->ops[at];
    const uint32_t which = below(LOGS);
    struct model_log *log = &model->logs[which];
    *op = (struct teak_op){.log = which * 1000 + 1};
    if (!log->alive) {
        op->op = TEAK_OP_CREATE;
        *log = (struct model_log){.alive = true, .fresh = true};
        return;
    }
    const uint32_t dice = below(100);
    const uint64_t lowest = (log->base.index > log->snapshot.index ? log->base.index : log->snapshot.index) + 1;
    if (dice < 10 && lowest <= log->last.index + 1) {
        op->op = TEAK_OP_TRUNCATE;
        op->index = lowest + below((uint32_t)(log->last.index + 2 - lowest));
        model_truncate(log, op->index);
    } else if (dice < 20 && log->last.index > log->base.index) {
        op->op = TEAK_OP_COMPACT;
        op->index = log->base.index + 1 + below((uint32_t)(log->last.index - log->base.index));
        model_compact(log, op->index);
    } else if (dice < 28) {
        op->op = TEAK_OP_HARD_STATE;
        const bool next = below(2);
        op->term = log->hard.term + next;
        op->vote = next || log->hard.vote == 0 ? below(5) : log->hard.vote;
        op->commit = log->hard.commit + below(3);
        log->hard = (struct teak_hard_state){.term = op->term, .vote = op->vote, .commit = op->commit};
    } else if (dice < 33) {
        op->op = TEAK_OP_SNAPSHOT;
        op->index = 1 + below((uint32_t)log->last.index + 10);
        const bool inside = op->index >= log->base.index && op->index <= log->last.index && !log->fresh;
        op->term = inside && below(4) ? model_term(log, op->index) : below(4) ? log->last.term : log->last.term + 1;
        model_snapshot(log, (struct teak_pos){.index = op->index, .term = op->term});
    } else if (dice < 37) {
        op->op = TEAK_OP_META;
        op->bytes = below(257);
        log->meta = (uint8_t)below(256);
        log->meta_bytes = op->bytes;
        memset(scratch->meta[at], log->meta, sizeof scratch->meta[at]);
        op->data = scratch->meta[at];
    } else if (dice < 39) {
        op->op = TEAK_OP_DROP;
        *log = (struct model_log){0};
    } else {
        random_append(scratch, at, log);
    }
}

/* ---- the store against the model ---- */

static bool same_pos(struct teak_pos a, struct teak_pos b) { return a.index == b.index && a.term == b.term; }

static bool same_log(struct teak_store *store, uint64_t id, const struct model_log *want)
{
    struct teak_log log;
    const enum teak_status status = teak_log(store, id, &log, NULL);
    if (status != TEAK_OK) return !want->alive;
    return want->alive && log.fresh == want->fresh && same_pos(log.base, want->base) &&
           same_pos(log.last, want->last) && same_pos(log.snapshot, want->snapshot) &&
           log.hard.term == want->hard.term && log.hard.vote == want->hard.vote &&
           log.hard.commit == want->hard.commit && log.meta_bytes == want->meta_bytes;
}

static bool same_entries(struct teak_store *store, uint64_t id, const struct model_log *want)
{
    struct teak_error error = {0};
    uint8_t meta[256];
    uint32_t meta_bytes, count;
    rig_ok(teak_meta(store, id, meta, sizeof meta, &meta_bytes, &error), &error);
    for (uint32_t i = 0; i < meta_bytes; i++)
        if (meta[i] != want->meta) return false;
    if (want->fresh || want->last.index == want->base.index) return true;
    struct teak_cursor *cursor;
    rig_ok(teak_cursor_open(store, id, want->base.index + 1, &cursor, &error), &error);
    uint64_t next = want->base.index + 1;
    bool same = true;
    while (same && next <= want->last.index) {
        struct teak_entry entries[16];
        rig_ok(teak_cursor_read(cursor, 1 << 16, entries, 16, &count, &error), &error);
        assert_true(count > 0);
        for (uint32_t i = 0; same && i < count; i++, next++) {
            const struct model_entry *entry = &want->entries[next - want->base.index - 1];
            uint8_t payload[BYTES_MAX];
            uint64_t term;
            struct teak_pos last_of_kind;
            assert_int_equal(entries[i].index, next);
            rig_ok(teak_term_at(store, id, next, &term, &error), &error);
            assert_int_equal(term, entries[i].term);
            rig_ok(teak_last_of_kind(store, id, entries[i].kind, next, &last_of_kind, &error), &error);
            assert_int_equal(last_of_kind.index, next);
            assert_int_equal(last_of_kind.term, term);
            rig_fill(payload, entry->bytes, id, next, entry->term);
            same = entries[i].term == entry->term && entries[i].bytes == entry->bytes &&
                   entries[i].kind == entry->kind && memcmp(payload, entries[i].data, entry->bytes) == 0;
        }
    }
    teak_cursor_close(cursor);
    return same;
}

static bool same_state(struct teak_store *store, const struct model *want)
{
    for (uint64_t i = 0; i < LOGS; i++)
        if (!same_log(store, i * 1000 + 1, &want->logs[i])) return false;
    for (uint64_t i = 0; i < LOGS; i++)
        if (want->logs[i].alive && !same_entries(store, i * 1000 + 1, &want->logs[i])) return false;
    return true;
}

static void print_state(struct teak_store *store, uint64_t batch)
{
    printf("batch %" PRIu64 "\n", batch);
    for (uint64_t i = 0; i < LOGS; i++) {
        const struct model_log *want = &state_of(batch)->logs[i];
        struct teak_log log = {0};
        const bool found = teak_log(store, i * 1000 + 1, &log, NULL) == TEAK_OK;
        printf("  log %" PRIu64 ": alive %d %d, fresh %d %d, base %" PRIu64 "/%" PRIu64 " %" PRIu64 "/%" PRIu64
               ", last %" PRIu64 "/%" PRIu64 " %" PRIu64 "/%" PRIu64 ", snapshot %" PRIu64 "/%" PRIu64 " %" PRIu64
               "/%" PRIu64 ", %s\n",
               i, found, want->alive, log.fresh, want->fresh, log.base.index, log.base.term, want->base.index,
               want->base.term, log.last.index, log.last.term, want->last.index, want->last.term, log.snapshot.index,
               log.snapshot.term, want->snapshot.index, want->snapshot.term,
               same_log(store, i * 1000 + 1, want) ? "same" : "OTHER");
    }
}

/* The newest legal state that the store is in. */
static uint64_t find_state(struct teak_store *store)
{
    for (uint64_t batch = run.submitted + 1; batch-- > run.acknowledged;)
        if (same_state(store, state_of(batch))) return batch;
    for (uint64_t batch = run.submitted + 1; batch-- > run.acknowledged;) print_state(store, batch);
    fail_msg("the store is in no state between batch %" PRIu64 " and batch %" PRIu64, run.acknowledged, run.submitted);
    return 0;
}

/* ---- driving ---- */

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
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct teak_batch batch = {.ops = scratch.ops, .count = 1 + below(OPS_MAX), .tag = run.submitted + 1};
    const uint32_t flags[] = {0, TEAK_URGENT, TEAK_LAZY};
    batch.flags = flags[below(3)];
    for (uint32_t i = 0; i < batch.count; i++) random_op(&scratch, i, next);
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_submit(run.store, &batch, &error)) == TEAK_FULL) take_completions(100000000);
    rig_ok(status, &error);
    run.submitted++;
}

static void reopen(void)
{
    run.store = rig_open_with(&run.rig, &run.options, NULL);
    run.submitted = run.acknowledged = find_state(run.store);
}

/* What a crash at this moment would leave is opened beside, recovered, written to, and crashes again. */
static void crash_beside(const struct rig *copy, const struct rig *again)
{
    rig_copy(&run.rig, copy);
    struct teak_store *store = rig_open_with(copy, &run.options, NULL);
    const uint64_t batch = find_state(store);
    rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 77});
    rig_drain(store);
    rig_copy(copy, again);
    teak_abandon(store);
    store = rig_open_with(again, &run.options, NULL);
    assert_true(same_state(store, state_of(batch)));
    (void)rig_log(store, 77);
    rig_close(store);
    store = rig_open_read_only(again, NULL);
    struct teak_error error = {0};
    struct teak_verify_result result;
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    rig_close(store);
}

static void the_store_is_always_in_a_legal_state(void **state)
{
    (void)state;
    const char *rounds_given = getenv("TEAK_ROUNDS");
    const uint32_t rounds = rounds_given ? (uint32_t)atoi(rounds_given) : 60;
    run.seeded = seeded_begin("model");
    run.rig = rig_make("model");
    run.options = rig_options();
    const struct rig copy = rig_make("modelcopy"), again = rig_make("modelagain");
    run.store = rig_open_with(&run.rig, &run.options, NULL);
    for (uint32_t round = 0; round < rounds; round++) {
        const uint32_t batches = 1 + below(150);
        for (uint32_t i = 0; i < batches; i++) {
            submit_random();
            if (below(8) == 0 || run.submitted - run.acknowledged > STATES - 8) take_completions(below(2) * 2000000);
            if (run.submitted - run.acknowledged > STATES - 8) {
                struct teak_error error = {0};
                rig_ok(teak_barrier(run.store, run.submitted + 1, &error), &error);
                while (run.acknowledged != run.submitted + 1) take_completions(1000000000);
                run.submitted++;
                *state_of(run.submitted) = *state_of(run.submitted - 1);
            }
            if (below(40) == 0) crash_beside(&copy, &again);
        }
        assert_true(same_state(run.store, state_of(run.submitted)));
        if (below(2)) {
            const uint64_t all = run.submitted;
            rig_close(run.store);
            reopen();
            assert_true(same_state(run.store, state_of(all)));
        } else {
            teak_abandon(run.store);
            reopen();
        }
        static const uint32_t in_flight[] = {0, 1, 4, 16};
        run.options.in_flight = in_flight[below(4)];
        static const enum teak_strategy strategies[] = {TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC, TEAK_BUFFERED};
        run.options.strategy = strategies[below(4)];
        run.options.group_bytes = below(2) ? 0 : 4096;
        run.options.backend = below(3) ? TEAK_BACKEND_AUTO : TEAK_BACKEND_POSIX;
        run.options.spares = 1 + below(3);
    }
    rig_close(run.store);
    rig_remove(run.rig.dir);
    rig_remove(copy.dir);
    rig_remove(again.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_store_is_always_in_a_legal_state)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
