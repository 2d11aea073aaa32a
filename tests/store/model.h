/* model.h: what a store is, by a model that knows nothing of disks: random batches, the states they lead to, and the
 * question which of them a store is in. What a crash may leave is every state from the last acknowledged batch to the
 * last submitted one, and nothing else.
 */
#ifndef TEAK_TESTS_MODEL_H
#define TEAK_TESTS_MODEL_H

#include "store/rig.h"
#include "teak/snapshot.h"
#include "unit/seeded.h"

#ifndef MODEL_STATES
#define MODEL_STATES 256 /* batches that are remembered; a test that looks back further says so before this header */
#endif

enum { LOGS = 4, ENTRIES_MAX = 256, STATES = MODEL_STATES, OPS_MAX = 5, COUNT_MAX = 6 };
enum { BYTES_MAX = 400, BODY_MAX = 3000 }; /* of an entry, of a snapshot */

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
    uint32_t file_bytes; /* body of its snapshot's file, and one; 0: the caller keeps it, or none */
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
    struct teak_store *store;
    struct teak_options options;
} run;

static inline struct model *state_of(uint64_t batch) { return &run.states[batch % STATES]; }

static inline uint32_t below(uint32_t limit) { return seeded_below(&run.seeded, limit); }

/* ---- the model's rules ---- */

static inline uint64_t model_term(const struct model_log *log, uint64_t index)
{
    return index == log->base.index ? log->base.term : log->entries[index - log->base.index - 1].term;
}

static inline void model_truncate(struct model_log *log, uint64_t from)
{
    if (from <= log->last.index) log->last = (struct teak_pos){.index = from - 1, .term = model_term(log, from - 1)};
}

static inline void model_compact(struct model_log *log, uint64_t upto)
{
    if (upto <= log->base.index) return;
    const uint64_t gone = upto - log->base.index;
    const struct teak_pos base = {.index = upto, .term = model_term(log, upto)};
    memmove(log->entries, log->entries + gone, (ENTRIES_MAX - gone) * sizeof log->entries[0]);
    log->base = base;
}

static inline void model_snapshot(struct model_log *log, struct teak_pos at)
{
    if (at.index <= log->snapshot.index || at.index < log->base.index) return;
    const bool keeps = !log->fresh && at.index <= log->last.index && model_term(log, at.index) == at.term;
    log->snapshot = at;
    log->file_bytes = 0;
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

static inline void random_append(struct scratch *scratch, uint32_t at, struct model_log *log)
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

static inline void random_op(struct scratch *scratch, uint32_t at, struct model *model)
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

static inline bool same_pos(struct teak_pos a, struct teak_pos b) { return a.index == b.index && a.term == b.term; }

static inline bool same_log(struct teak_store *store, uint64_t id, const struct model_log *want)
{
    struct teak_log log;
    const enum teak_status status = teak_log(store, id, &log, NULL);
    if (status != TEAK_OK) return !want->alive;
    return want->alive && log.fresh == want->fresh && same_pos(log.base, want->base) &&
           same_pos(log.last, want->last) && same_pos(log.snapshot, want->snapshot) &&
           log.hard.term == want->hard.term && log.hard.vote == want->hard.vote &&
           log.hard.commit == want->hard.commit && log.meta_bytes == want->meta_bytes;
}

static inline bool same_entries(struct teak_store *store, uint64_t id, const struct model_log *want)
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

static inline bool same_state(struct teak_store *store, const struct model *want)
{
    for (uint64_t i = 0; i < LOGS; i++)
        if (!same_log(store, i * 1000 + 1, &want->logs[i])) return false;
    for (uint64_t i = 0; i < LOGS; i++)
        if (want->logs[i].alive && !same_entries(store, i * 1000 + 1, &want->logs[i])) return false;
    return true;
}

static inline void print_state(struct teak_store *store, uint64_t batch)
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

/* The log's snapshot is there, whole and its own; or there is none. */
static inline bool same_file(struct teak_store *store, uint64_t id, const struct model_log *log)
{
    struct teak_snapshot_reader *reader;
    struct teak_error error = {0};
    const enum teak_status status = teak_snapshot_open(store, id, &reader, &error);
    if (log->file_bytes == 0) {
        assert_int_equal(status, TEAK_NOT_FOUND);
        return true;
    }
    if (status == TEAK_NOT_FOUND) return false;
    rig_ok(status, &error);
    uint8_t want[BODY_MAX + 1], got[BODY_MAX + 1];
    uint64_t bytes;
    rig_fill(want, log->file_bytes - 1, id, log->snapshot.index, log->snapshot.term);
    rig_ok(teak_snapshot_read(reader, 0, got, sizeof got, &bytes, &error), &error);
    teak_snapshot_close(reader);
    return bytes == log->file_bytes - 1 && memcmp(got, want, bytes) == 0;
}

/* The newest legal state that the store is in. */
static inline uint64_t find_state(struct teak_store *store)
{
    for (uint64_t batch = run.submitted + 1; batch-- > run.acknowledged;)
        if (same_state(store, state_of(batch))) return batch;
    for (uint64_t batch = run.submitted + 1; batch-- > run.acknowledged;) print_state(store, batch);
    fail_msg("the store is in no state between batch %" PRIu64 " and batch %" PRIu64, run.acknowledged, run.submitted);
    return 0;
}

/* ---- a batch ---- */

/* The next random batch; the state that it leads to is that of run.submitted + 1. */
static inline struct teak_batch random_batch(struct scratch *scratch)
{
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct teak_batch batch = {.ops = scratch->ops, .count = 1 + below(OPS_MAX), .tag = run.submitted + 1};
    const uint32_t flags[] = {0, TEAK_URGENT, TEAK_LAZY};
    batch.flags = flags[below(3)];
    for (uint32_t i = 0; i < batch.count; i++) random_op(scratch, i, next);
    return batch;
}

/* Every log gives up nearly all it has: whole segments die of it. 0 operations: nothing to give. */
static inline struct teak_batch compaction_batch(struct scratch *scratch)
{
    _Static_assert((int)LOGS <= (int)OPS_MAX, "one operation a log");
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct teak_batch batch = {.ops = scratch->ops, .tag = run.submitted + 1};
    for (uint32_t which = 0; which < LOGS; which++) {
        struct model_log *log = &next->logs[which];
        if (!log->alive || log->last.index <= log->base.index + 3) continue;
        const uint64_t upto = log->last.index - below(3);
        scratch->ops[batch.count++] =
            (struct teak_op){.op = TEAK_OP_COMPACT, .log = which * 1000 + 1, .index = upto};
        model_compact(log, upto);
    }
    return batch;
}

/* A snapshot of some log with a file of its own, and its body; the state that it leads to is that of run.submitted + 1.
 * false: that log can have none now. */
static inline bool random_snapshot(struct teak_snapshot_offer *offer, uint8_t body[BODY_MAX])
{
    const uint32_t which = below(LOGS);
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct model_log *log = &next->logs[which];
    if (!log->alive || log->fresh) return false;
    const uint64_t lowest = log->base.index > log->snapshot.index ? log->base.index : log->snapshot.index + 1;
    if (lowest == 0) return false;
    const uint64_t index = lowest + below(log->last.index + 4 > lowest ? (uint32_t)(log->last.index + 4 - lowest) : 1);
    const uint64_t term = index <= log->last.index ? model_term(log, index) : log->last.term;
    *offer = (struct teak_snapshot_offer){.log = which * 1000 + 1, .stream = run.submitted,
                                          .pos = {.index = index, .term = term}, .body_bytes = below(BODY_MAX)};
    model_snapshot(log, offer->pos);
    model_compact(log, index);
    log->file_bytes = (uint32_t)offer->body_bytes + 1;
    rig_fill(body, (uint32_t)offer->body_bytes, offer->log, index, term);
    return true;
}

/* ---- a session ---- */

static inline void random_options(void)
{
    run.options = rig_options();
    static const uint32_t in_flight[] = {0, 1, 4, 16};
    run.options.in_flight = in_flight[below(4)];
    static const enum teak_strategy strategies[] = {TEAK_AUTO, TEAK_DSYNC, TEAK_FDATASYNC, TEAK_BUFFERED};
    run.options.strategy = strategies[below(4)];
    run.options.group_bytes = below(2) ? 0 : 4096;
    run.options.spares = 1 + below(3);
}

#endif
