/* store_test.c: whole stores against a naive model: batches of everything on several logs, through rotation,
 * compaction, reopening; and several stores side by side.
 */
#include "store/backends.h"
#include "unit/seeded.h"

enum { LOGS = 5, INDEXES = 6000, OPS_MAX = 4, ENTRIES_MAX = 6, BYTES_MAX = 600, KINDS = 3 };

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
    uint8_t meta[256];
    struct model_entry entries[INDEXES];
};

struct world {
    struct seeded seeded;
    struct teak_store *store;
    struct model_log logs[LOGS];
    struct teak_op ops[OPS_MAX];
    struct teak_bytes payloads[OPS_MAX][ENTRIES_MAX];
    uint8_t memory[OPS_MAX * ENTRIES_MAX][BYTES_MAX], meta[OPS_MAX][256];
    uint32_t count;
};

static uint64_t id_of(uint32_t log) { return log == 0 ? 0 : log == 1 ? UINT64_MAX : log * 1000; }

static uint64_t model_term(const struct model_log *log, uint64_t index)
{
    return index == log->base.index ? log->base.term : log->entries[index].term;
}

/* One more operation that is right where it stands, done to the model at once. */
static void add_entries(struct world *world, uint32_t which, struct teak_op *op)
{
    struct model_log *log = &world->logs[which];
    struct seeded *seeded = &world->seeded;
    const uint64_t first = log->fresh ? 1 + seeded_below(seeded, 50) : log->last.index + 1;
    if (first + ENTRIES_MAX >= INDEXES) return;
    if (log->fresh) log->base = log->last = (struct teak_pos){.index = first - 1};
    log->fresh = false;
    *op = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = id_of(which), .index = first,
                           .term = log->last.term + (seeded_below(seeded, 4) == 0),
                           .kind = (uint8_t)seeded_below(seeded, KINDS), .entries = world->payloads[world->count],
                           .count = 1 + seeded_below(seeded, ENTRIES_MAX)};
    if (op->term == 0) op->term = 1;
    const uint32_t limit = seeded_below(seeded, 3) == 0 ? BYTES_MAX : 60;
    for (uint32_t i = 0; i < op->count; i++) {
        const uint32_t bytes = seeded_below(seeded, limit);
        uint8_t *data = world->memory[world->count * ENTRIES_MAX + i];
        rig_fill(data, bytes, op->log, first + i, op->term);
        world->payloads[world->count][i] = (struct teak_bytes){.data = data, .bytes = bytes};
        log->entries[first + i] = (struct model_entry){.term = op->term, .bytes = bytes, .kind = op->kind};
    }
    log->last = (struct teak_pos){.index = first + op->count - 1, .term = op->term};
}

static void add_snapshot(struct world *world, uint32_t which, struct teak_op *op)
{
    struct model_log *log = &world->logs[which];
    struct seeded *seeded = &world->seeded;
    const bool inside = seeded_below(seeded, 3) != 0;
    const uint32_t ahead = seeded_below(seeded, (uint32_t)(log->last.index - log->base.index) + 2);
    const uint64_t index = log->base.index + 1 + ahead;
    if (index + 100 >= INDEXES) return;
    const bool is_there = index <= log->last.index && !log->fresh;
    const uint64_t term = is_there && inside ? log->entries[index].term : log->last.term + 1;
    *op = (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = id_of(which), .index = index, .term = term};
    if (index <= log->snapshot.index) return;
    log->snapshot = (struct teak_pos){.index = index, .term = term};
    if (is_there && log->entries[index].term == term) return;
    log->base = log->last = log->snapshot;
    log->fresh = false;
}

static void add_op(struct world *world)
{
    struct seeded *seeded = &world->seeded;
    const uint32_t which = seeded_below(seeded, LOGS);
    struct model_log *log = &world->logs[which];
    struct teak_op *op = &world->ops[world->count];
    *op = (struct teak_op){.log = id_of(which)};
    if (!log->alive) {
        op->op = TEAK_OP_CREATE;
        memset(log, 0, offsetof(struct model_log, entries));
        log->alive = log->fresh = true;
        world->count++;
        return;
    }
    switch (seeded_below(seeded, 40)) {
    case 0:
        op->op = TEAK_OP_DROP;
        log->alive = false;
        break;
    case 1: case 2: case 3: case 4:
        op->op = TEAK_OP_HARD_STATE;
        log->hard = (struct teak_hard_state){.term = log->hard.term + 1, .vote = seeded_below(seeded, 9),
                                             .commit = log->hard.commit + seeded_below(seeded, 3)};
        op->term = log->hard.term;
        op->vote = log->hard.vote;
        op->commit = log->hard.commit;
        break;
    case 5: case 6: case 7: {
        const uint64_t lowest = log->base.index > log->snapshot.index ? log->base.index : log->snapshot.index;
        if (log->fresh || lowest >= log->last.index) return;
        op->op = TEAK_OP_TRUNCATE;
        const uint32_t range = (uint32_t)(log->last.index - lowest);
        op->index = log->last.index + 1 - seeded_below(seeded, range < 20 ? range : 20);
        log->last = (struct teak_pos){.index = op->index - 1, .term = model_term(log, op->index - 1)};
        break;
    }
    case 8: case 9: case 10:
        if (log->fresh || log->last.index == log->base.index) return;
        op->op = TEAK_OP_COMPACT;
        op->index = log->base.index + 1 + seeded_below(seeded, (uint32_t)(log->last.index - log->base.index));
        log->base = (struct teak_pos){.index = op->index, .term = log->entries[op->index].term};
        break;
    case 11: case 12: add_snapshot(world, which, op); break;
    case 13: case 14:
        op->op = TEAK_OP_META;
        op->bytes = seeded_below(seeded, 257);
        seeded_fill(seeded, world->meta[world->count], op->bytes);
        op->data = world->meta[world->count];
        memcpy(log->meta, op->data, op->bytes);
        log->meta_bytes = op->bytes;
        break;
    default: add_entries(world, which, op); break;
    }
    if (op->op != 0) world->count++;
}

static void submit(struct world *world)
{
    world->count = 0;
    const uint32_t wanted = 1 + seeded_below(&world->seeded, OPS_MAX);
    for (uint32_t i = 0; i < wanted; i++) add_op(world);
    if (world->count == 0) return;
    struct teak_error error = {0};
    const struct teak_batch batch = {.ops = world->ops, .count = world->count,
                                     .flags = seeded_below(&world->seeded, 10) == 0 ? TEAK_URGENT : 0};
    rig_ok(rig_submit(world->store, &batch, &error), &error);
}

static void check_entries(struct world *world, uint32_t which)
{
    const struct model_log *log = &world->logs[which];
    struct teak_error error = {0};
    struct teak_cursor *cursor;
    uint64_t next = log->base.index + 1;
    rig_ok(teak_cursor_open(world->store, id_of(which), next, &cursor, &error), &error);
    static uint8_t wanted[BYTES_MAX];
    while (next <= log->last.index) {
        struct teak_entry entries[16];
        uint32_t count;
        const uint64_t limit = seeded_below(&world->seeded, 4000);
        const uint32_t max = 1 + seeded_below(&world->seeded, 16);
        rig_ok(teak_cursor_read(cursor, limit, entries, max, &count, &error), &error);
        assert_true(count >= 1 && count <= max);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < count; i++, next++) {
            const struct model_entry *is = &log->entries[next];
            assert_int_equal(entries[i].index, next);
            assert_int_equal(entries[i].term, is->term);
            assert_int_equal(entries[i].kind, is->kind);
            assert_int_equal(entries[i].bytes, is->bytes);
            rig_fill(wanted, is->bytes, id_of(which), next, is->term);
            assert_memory_equal(entries[i].data, wanted, is->bytes);
            bytes += is->bytes;
        }
        assert_true(count == 1 || bytes <= limit);
    }
    struct teak_entry none;
    uint32_t count;
    rig_ok(teak_cursor_read(cursor, 1000, &none, 1, &count, &error), &error);
    assert_int_equal(count, 0);
    teak_cursor_close(cursor);
}

static void check_terms(struct world *world, uint32_t which)
{
    const struct model_log *log = &world->logs[which];
    struct teak_error error = {0};
    for (uint64_t index = log->base.index; index <= log->last.index; index++) {
        uint64_t term;
        rig_ok(teak_term_at(world->store, id_of(which), index, &term, &error), &error);
        assert_int_equal(term, model_term(log, index));
    }
    static struct teak_pos runs[INDEXES];
    uint32_t count, run = 0;
    rig_ok(teak_term_runs(world->store, id_of(which), runs, INDEXES, &count, &error), &error);
    for (uint64_t index = log->last.index; index > log->base.index; index--) {
        if (index > log->base.index + 1 && log->entries[index - 1].term == log->entries[index].term) continue;
        assert_true(run < count);
        assert_int_equal(runs[run].index, index);
        assert_int_equal(runs[run].term, log->entries[index].term);
        run++;
    }
    assert_int_equal(run, count);
    for (uint8_t kind = 0; kind < KINDS; kind++) {
        const uint32_t back = seeded_below(&world->seeded, (uint32_t)(log->last.index - log->base.index) + 1);
        const uint64_t from = log->last.index - back;
        uint64_t index = from;
        while (index > log->base.index && log->entries[index].kind != kind) index--;
        struct teak_pos pos;
        const enum teak_status status = teak_last_of_kind(world->store, id_of(which), kind, from, &pos, &error);
        assert_int_equal(status, index > log->base.index ? TEAK_OK : TEAK_NOT_FOUND);
        if (status != TEAK_OK) continue;
        assert_int_equal(pos.index, index);
        assert_int_equal(pos.term, log->entries[index].term);
    }
}

static void check(struct world *world, bool is_drained)
{
    uint64_t ids[LOGS + 1];
    uint32_t alive = 0;
    for (uint32_t which = 0; which < LOGS; which++) {
        const struct model_log *log = &world->logs[which];
        struct teak_log is;
        struct teak_error error = {0};
        const enum teak_status status = teak_log(world->store, id_of(which), &is, &error);
        assert_int_equal(status, log->alive ? TEAK_OK : TEAK_UNKNOWN_LOG);
        if (!log->alive) continue;
        alive++;
        assert_int_equal(is.fresh, log->fresh);
        assert_int_equal(is.first, log->base.index + 1);
        assert_memory_equal(&is.last, &log->last, sizeof is.last);
        assert_memory_equal(&is.base, &log->base, sizeof is.base);
        assert_memory_equal(&is.snapshot, &log->snapshot, sizeof is.snapshot);
        assert_memory_equal(&is.hard, &log->hard, sizeof is.hard);
        uint8_t meta[256];
        uint32_t bytes;
        rig_ok(teak_meta(world->store, id_of(which), meta, sizeof meta, &bytes, &error), &error);
        assert_int_equal(bytes, log->meta_bytes);
        assert_memory_equal(meta, log->meta, bytes);
        assert_true(is.durable.index <= log->last.index);
        if (is_drained) assert_memory_equal(&is.durable, &log->last, sizeof is.durable);
        check_terms(world, which);
        check_entries(world, which);
    }
    assert_int_equal(teak_logs(world->store, true, 0, ids, LOGS + 1), alive);
}

static void everything_agrees_with_a_naive_model(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->seeded = seeded_begin("everything_agrees_with_a_naive_model");
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_STRATEGY_COUNT; strategy++) {
        const struct rig rig = rig_make("store");
        struct teak_options options = backend_options();
        options.strategy = strategy;
        memset(world->logs, 0, sizeof world->logs);
        world->store = rig_open_with(&rig, &options, NULL);
        for (uint32_t round = 0; round < 12; round++) {
            for (uint32_t i = 0; i < 40; i++) submit(world);
            check(world, false);
            rig_drain(world->store);
            check(world, true);
            const uint32_t how = seeded_below(&world->seeded, 3);
            if (how == 0) continue;
            struct teak_report report;
            if (how == 1)
                rig_close(world->store);
            else
                teak_abandon(world->store);
            world->store = rig_open_with(&rig, &options, &report);
            if (how == 1) assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
            check(world, true);
        }
        rig_close(world->store);
        rig_remove(rig.dir);
    }
    free(world);
}

static void stores_side_by_side_do_not_meet(void **state)
{
    (void)state;
    enum { STORES = 3 };
    struct rig rigs[STORES];
    struct teak_store *stores[STORES];
    for (int i = 0; i < STORES; i++) {
        char name[32];
        snprintf(name, sizeof name, "store%d", i);
        rigs[i] = rig_make(name);
        stores[i] = backend_open(&rigs[i]);
        rig_create(stores[i], 1);
    }
    for (uint64_t index = 1; index <= 60; index++)
        for (int i = 0; i < STORES; i++) rig_append(stores[i], 1, index, index, (uint64_t)i + 1, 300);
    for (int i = 0; i < STORES; i++) rig_drain(stores[i]);
    for (int i = 0; i < STORES; i++) {
        rig_expect_entries(stores[i], 1, 1, 60);
        assert_int_equal(rig_log(stores[i], 1).last.term, i + 1);
        rig_close(stores[i]);
        rig_remove(rigs[i].dir);
    }
}

static bool has_few_segments(struct teak_store *store, void *context)
{
    (void)context;
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.segments <= 8;
}

/* With a steady compaction behind it the log goes round in a few files. */
static void compaction_feeds_the_writer(void **state)
{
    (void)state;
    const struct rig rig = rig_make("store");
    struct teak_store *store = backend_open(&rig);
    rig_create(store, 1);
    struct teak_stats stats;
    uint64_t last = 0;
    do { /* how many are made new meanwhile depends on who is faster */
        assert_true(last < 60000);
        for (uint64_t end = last + 40; last < end; last++) rig_append(store, 1, last + 1, last + 1, 1, 700);
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = last - 20});
        teak_stats(store, &stats);
    } while (last < 3000 || stats.recycled <= 10);
    rig_drain(store);
    rig_drive_until(store, has_few_segments, NULL);
    rig_expect_entries(store, 1, last - 19, last);
    rig_close(store);
    store = backend_open(&rig);
    rig_expect_entries(store, 1, last - 19, last);
    rig_close(store);
    rig_remove(rig.dir);
}

static void close_finishes_what_nobody_waited_for(void **state)
{
    (void)state;
    for (int taken = 0; taken <= 1; taken++) {
        const struct rig rig = rig_make("store");
        struct teak_store *store = backend_open(&rig);
        rig_create(store, 1);
        rig_drain(store);
        struct teak_error error = {0};
        uint32_t count;
        rig_append(store, 1, 1, 1, 1, 10);
        for (struct rig_patience patience = {0};
             taken && rig_log(store, 1).durable.index == 0 && rig_waits(&patience);) /* its completion stays there */
            rig_ok(teak_poll(store, 1000000, NULL, 0, &count, &error), &error);
        rig_append(store, 1, 2, 50, 1, 900);
        rig_close(store);
        store = backend_open(&rig);
        rig_expect_entries(store, 1, 1, 50);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

/* 200 entries, each as soon as there is room; `make_room` is all that is done where there is none. */
static void fill_where_there_is_room(void (*make_room)(struct teak_store *store), bool drains)
{
    const struct rig rig = rig_make("store");
    struct teak_store *store = backend_open(&rig);
    struct teak_error error = {0};
    rig_ok(teak_create_log(store, 1, 0, &error), &error);
    static uint8_t data[3000];
    for (uint64_t index = 1; index <= 200; index++) {
        rig_fill(data, sizeof data, 1, index, 1);
        enum teak_status status;
        uint32_t turns = 0;
        while ((status = teak_append(store, 1, index, 1, data, sizeof data, index, &error)) == TEAK_FULL) {
            make_room(store);
            assert_true(turns++ < 1000000);
        }
        rig_ok(status, &error);
        if (drains) rig_drain(store);
    }
    rig_drain(store);
    rig_expect_entries(store, 1, 1, 200);
    rig_close(store);
    rig_remove(rig.dir);
}

static void poll_and_take_nothing(struct teak_store *store)
{
    struct teak_error error = {0};
    rig_ok(teak_poll(store, TEAK_FOREVER, NULL, 0, NULL, &error), &error);
}

/* Polling without taking completions is allowed, and makes room all the same. */
static void room_is_made_for_one_who_takes_no_completions(void **state)
{
    (void)state;
    fill_where_there_is_room(poll_and_take_nothing, false);
}

/* So is draining where there was no room; often nothing is owed then, and what is missing is a segment. */
static void room_is_made_for_one_who_only_drains(void **state)
{
    (void)state;
    fill_where_there_is_room(rig_drain, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_agrees_with_a_naive_model),
        cmocka_unit_test(stores_side_by_side_do_not_meet),
        cmocka_unit_test(compaction_feeds_the_writer),
        cmocka_unit_test(close_finishes_what_nobody_waited_for),
        cmocka_unit_test(room_is_made_for_one_who_takes_no_completions),
        cmocka_unit_test(room_is_made_for_one_who_only_drains),
    };
    return backends_run(argc, argv, "store", tests, sizeof tests / sizeof tests[0]);
}
