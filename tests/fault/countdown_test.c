/* countdown_test.c: whatever the engine asks of its disk and its heap, the n-th fails, for every n, once or from then
 * on, with or without having had its effect. Each call answers with a status that says so; nothing is left open,
 * mapped or allocated; the store goes on or is poisoned as docs/durability.md says; opened again, without faults and
 * also after a power cut, it is in a legal state.
 *
 * The disk is the simulated one: the same calls in the same order, every time. EINTR and EAGAIN end below this seam.
 * TEAK_FAULT_STEP=1 fails every call in every way; by default a call has some of them, in turn.
 */
#include "countdown_disk.h"

#include "sim/sim_disk.h"
#include "store/model_drive.h"
#include "store/store.h"

enum { TRIES_MAX = 2000, CALLS_MAX = 200000 };

static struct {
    struct sim_medium *medium;
    enum teak_status status; /* the last answer that was not OK */
    uint64_t n;              /* the call that fails             */
    int error;               /* with what                       */
    bool for_good, lands, is_under_way;
    bool is_over;            /* the store is gone, or poisoned  */
    bool is_poisoned, was_open;
    uint64_t runs, struck, poisoned;
} fault;

/* A failed call is told as what it is, and as nothing else. */
static bool is_told(enum teak_status status)
{
    return status == TEAK_IO || status == TEAK_NO_MEMORY || status == TEAK_NO_SPACE || status == TEAK_POISONED;
}

static enum teak_status told(enum teak_status status, const struct teak_error *error)
{
    if (status == TEAK_OK || status == TEAK_FULL) return status;
    const char *call = countdown_struck().name;
    const bool is_heap = call && (fault.for_good || !strcmp(call, "allocate")) && error->os_errno == ENOMEM;
    const bool is_said = error->os_errno == 0 || error->os_errno == fault.error || is_heap ||
                         error->os_errno == EIO; /* of a spare that was passed over, whatever its reason */
    if (!is_told(status) || !is_said) {
        char text[512];
        teak_error_text(error, text, sizeof text);
        fail_msg("errno %d was told as: %s", fault.error, text);
    }
    fault.status = status;
    fault.is_poisoned |= status == TEAK_POISONED;
    fault.is_over |= status == TEAK_POISONED;
    return status;
}

/* ---- a life that goes on as far as it can ---- */

static enum teak_status open_store(struct teak_store **out)
{
    struct teak_error error = {0};
    static struct teak_report report;
    struct disk *disk = countdown_disk(sim_open(fault.medium));
    return told(store_open_on(disk, "store", &run.options, out, &report, &error), &error);
}

static void poll_once(uint64_t wait_ns)
{
    struct teak_completion done[16];
    struct teak_error error = {0};
    uint32_t count = 0;
    (void)told(teak_poll(run.store, wait_ns, done, 16, &count, &error), &error);
    for (uint32_t i = 0; i < count; i++) {
        if (done[i].status == TEAK_OK) {
            assert_int_equal(done[i].tag, run.acknowledged + 1);
            run.acknowledged++;
        } else {
            assert_int_equal(done[i].status, TEAK_POISONED);
            fault.is_poisoned = fault.is_over = true;
        }
    }
}

static void settle(void)
{
    for (int i = 0; i < TRIES_MAX && !fault.is_over && run.acknowledged < run.submitted; i++) poll_once(1000000);
    if (!fault.is_over && run.acknowledged < run.submitted) {
        assert_true(fault.for_good);
        fault.is_over = true;
    }
}

static struct scratch scratch;

static void submit(struct teak_batch batch)
{
    struct teak_error error = {0};
    enum teak_status status = TEAK_FULL;
    for (int i = 0; i < TRIES_MAX && status == TEAK_FULL && !fault.is_over; i++) {
        status = told(teak_submit(run.store, &batch, &error), &error);
        if (status == TEAK_FULL) poll_once(10000000);
    }
    if (status == TEAK_FULL && !fault.is_over) {
        assert_true(fault.for_good); /* what failed once is tried again */
        fault.is_over = true;
    }
    run.submitted += status == TEAK_OK;
}

static void batch(void)
{
    struct teak_batch batch = {0};
    if (below(8) == 0) batch = compaction_batch(&scratch);
    if (batch.count == 0) batch = random_batch(&scratch);
    submit(batch);
}

/* A frame of its own to one log, which keeps nothing: segments fill, and the others' entries stay behind in them. */
static void churn(void)
{
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct model_log *log = &next->logs[0];
    struct teak_batch batch = {.ops = scratch.ops, .count = 1, .tag = run.submitted + 1};
    scratch.ops[0] = (struct teak_op){.op = TEAK_OP_CREATE, .log = 1};
    if (!log->alive) {
        *log = (struct model_log){.alive = true, .fresh = true};
    } else {
        random_append(&scratch, 0, log);
        scratch.ops[batch.count++] = (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = log->last.index};
        model_compact(log, log->last.index);
    }
    submit(batch);
    settle();
}

static void snapshot_in(void)
{
    settle();
    const uint32_t which = below(LOGS);
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct model_log *log = &next->logs[which];
    if (fault.is_over || !log->alive || log->fresh || log->last.index == 0) return;
    const struct teak_pos at = {.index = log->last.index, .term = log->last.term};
    if (at.index <= log->snapshot.index) return;
    struct teak_snapshot_offer offer = {
        .log = which * 1000 + 1, .stream = run.submitted, .pos = at, .body_bytes = 1500};
    uint8_t body[BODY_MAX];
    rig_fill(body, (uint32_t)offer.body_bytes, offer.log, at.index, at.term);
    struct teak_snapshot_writer *writer = NULL;
    struct teak_error error = {0};
    enum teak_status status = TEAK_FULL;
    for (int i = 0; i < TRIES_MAX && status == TEAK_FULL && !fault.is_over; i++) {
        status = told(teak_snapshot_begin(run.store, &offer, &writer, &error), &error);
        if (status == TEAK_FULL) poll_once(1000000);
    }
    if (status != TEAK_OK) return;
    status = told(teak_snapshot_write(writer, 0, body, offer.body_bytes, &error), &error);
    if (status == TEAK_OK)
        status = told(teak_snapshot_install(writer, (struct teak_trailing){0}, run.submitted + 1, &error), &error);
    if (status != TEAK_OK) {
        teak_snapshot_abort(writer);
        return;
    }
    model_snapshot(log, at);
    model_compact(log, at.index);
    log->file_bytes = (uint32_t)offer.body_bytes + 1;
    run.submitted++;
    for (int i = 0; i < TRIES_MAX && !fault.is_over && run.acknowledged < run.submitted; i++) {
        struct teak_completion done;
        uint32_t count = 0;
        (void)told(teak_poll(run.store, 1000000, &done, 1, &count, &error), &error);
        if (count == 0) continue;
        assert_int_equal(done.tag, run.submitted);
        if (done.status == TEAK_OK)
            run.acknowledged++;
        else if (told(done.status, &(struct teak_error){0}) != TEAK_POISONED)
            run.submitted--; /* it changed nothing */
    }
    assert_true(fault.is_over || run.acknowledged == run.submitted);
}

/* What is read is right, or the call says why not. */
static void read_log(uint32_t which, bool never_waits)
{
    const struct model_log *log = &state_of(run.submitted)->logs[which];
    struct teak_cursor *cursor = NULL;
    struct teak_error error = {0};
    if (!log->alive || log->fresh || log->last.index == log->base.index) return;
    const uint64_t id = which * 1000 + 1;
    enum teak_status status = told(teak_cursor_open(run.store, id, log->base.index + 1, &cursor, &error), &error);
    uint64_t next = log->base.index + 1;
    for (int i = 0; i < TRIES_MAX && status == TEAK_OK && next <= log->last.index; i++) {
        struct teak_entry entries[8];
        uint32_t count = 0;
        status = never_waits ? teak_cursor_try_read(cursor, 1 << 14, entries, 8, &count, &error)
                             : teak_cursor_read(cursor, 1 << 14, entries, 8, &count, &error);
        if (status == TEAK_PENDING) {
            poll_once(1000000);
            status = TEAK_OK;
            continue;
        }
        if (fault.is_poisoned && (status == TEAK_BEYOND || (status == TEAK_OK && count == 0))) break;
        (void)told(status, &error);
        struct teak_hold *hold = NULL;
        if (status == TEAK_OK && count > 0) (void)told(teak_cursor_hold(cursor, entries, count, &hold, &error), &error);
        if (hold) poll_once(0);
        for (uint32_t k = 0; k < count && status == TEAK_OK && (hold || k == 0); k++, next++) {
            const struct model_entry *entry = &log->entries[next - log->base.index - 1];
            uint8_t want[BYTES_MAX];
            rig_fill(want, entry->bytes, id, next, entry->term);
            assert_int_equal(entries[k].index, next);
            assert_int_equal(entries[k].bytes, entry->bytes);
            if (hold) assert_memory_equal(entries[k].data, want, entry->bytes);
        }
        if (status == TEAK_OK && count > 0 && !hold) break;
        teak_hold_end(hold);
    }
    teak_cursor_close(cursor);
}

static void read_handle(uint32_t which)
{
    const struct model_log *log = &state_of(run.submitted)->logs[which];
    struct teak_reader *reader = NULL;
    struct teak_error error = {0};
    if (!log->alive || log->fresh || log->last.index == log->base.index) return;
    const uint64_t first = log->base.index + 1;
    enum teak_status status = told(teak_reader_open(run.store, which * 1000 + 1, first, NULL, &reader, &error), &error);
    for (int i = 0; i < TRIES_MAX && status == TEAK_OK && !fault.is_over; i++) {
        struct teak_entry entry;
        uint32_t count = 0;
        status = teak_reader_read(reader, 0, 1, &entry, 1, &count, &error);
        if (status != TEAK_PENDING) {
            if (told(status, &error) == TEAK_OK && count > 0) {
                uint8_t want[BYTES_MAX];
                rig_fill(want, log->entries[0].bytes, which * 1000 + 1, first, log->entries[0].term);
                assert_int_equal(entry.index, first);
                assert_memory_equal(entry.data, want, log->entries[0].bytes);
            }
            break;
        }
        poll_once(1000000);
        status = TEAK_OK;
    }
    teak_reader_close(reader);
}

static void snapshot_out(uint32_t which)
{
    const struct model_log *log = &state_of(run.submitted)->logs[which];
    struct teak_snapshot_reader *reader = NULL;
    struct teak_error error = {0};
    if (!log->alive || log->file_bytes == 0) return;
    uint8_t want[BODY_MAX], got[BODY_MAX];
    uint64_t bytes = 0;
    rig_fill(want, log->file_bytes - 1, which * 1000 + 1, log->snapshot.index, log->snapshot.term);
    enum teak_status status = told(teak_snapshot_open(run.store, which * 1000 + 1, &reader, &error), &error);
    if (status != TEAK_OK) return;
    status = told(teak_snapshot_read(reader, 0, got, sizeof got, &bytes, &error), &error);
    if (status == TEAK_OK) {
        assert_int_equal(bytes, log->file_bytes - 1);
        assert_memory_equal(got, want, bytes);
    }
    teak_snapshot_close(reader);
}

/* Opened read-only, beside nobody. */
static void verify(void)
{
    struct teak_store *store;
    struct teak_verify_result result;
    struct teak_error error = {0};
    run.options.read_only = true;
    run.options.create = false;
    const enum teak_status status = open_store(&store);
    run.options.read_only = false;
    run.options.create = true;
    if (status != TEAK_OK) return;
    if (told(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error) == TEAK_OK)
        assert_int_equal(result.damage_count, 0);
    rig_close(store);
}

static void reserve(void)
{
    void *memory;
    struct teak_error error = {0};
    if (told(teak_reserve(run.store, 200, 2, &memory, &error), &error) == TEAK_OK) teak_release(run.store);
}

static void work(uint32_t steps)
{
    for (uint32_t i = 0; i < steps && !fault.is_over; i++) {
        batch();
        if (below(3) == 0 && !fault.is_over) poll_once(below(2) * 20000000);
        if (i % 5 == 4) settle();
        if (i % 9 == 8) snapshot_in();
        if (i % 7 == 6) {
            read_log(below(LOGS), below(2));
            read_handle(below(LOGS));
            snapshot_out(below(LOGS));
            reserve();
        }
    }
    settle();
}

static void leave(bool is_clean)
{
    struct teak_error error = {0};
    if (!is_clean) {
        teak_abandon(run.store);
    } else if (told(teak_close(run.store, &error), &error) == TEAK_OK) {
        run.acknowledged = run.submitted;
    }
}

/* ---- what must hold whatever failed ---- */

static void check_nothing_is_left(void)
{
    assert_int_equal(countdown_mapped(), 0);
    assert_int_equal(countdown_allocated(), 0);
}

/* The medium as it is, or as a power cut leaves it. It is found in a legal state, goes on, and is there again. */
static void check_medium(struct sim_medium *medium)
{
    struct sim_medium *kept = fault.medium;
    fault.medium = medium;
    struct teak_store *store;
    assert_int_equal(open_store(&store), TEAK_OK);
    const uint64_t found = find_state(store);
    assert_true(is_whole(store, found));
    rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 77});
    rig_close(store);
    assert_int_equal(open_store(&store), TEAK_OK);
    assert_true(is_whole(store, found));
    rig_close(store);
    check_nothing_is_left();
    fault.medium = kept;
}

/* Only a failed write or sync may poison; and one on the way of a commit must. */
static void check_poison(void)
{
    const struct countdown_call call = countdown_struck();
    const bool is_operation = call.name && (!strcmp(call.name, "run") || !strcmp(call.name, "submit"));
    const bool is_write = is_operation && (call.kind == DISK_WRITE || call.kind == DISK_SYNC ||
                                           call.kind == DISK_SYNC_ALL);
    const bool is_commit = is_write && call.kind != DISK_SYNC_ALL && !strcmp(call.name, "submit") && !call.is_chore;
    if (fault.for_good) return;
    if (fault.is_poisoned && !is_write) fail_msg("a failed %s (%d) poisoned the store", call.name, (int)call.kind);
    if (is_commit && !fault.is_poisoned) fail_msg("a failed write or sync (%d) was passed over", (int)call.kind);
}

typedef void (*scene_fn)(void);

/* Where a scene begins: an empty medium, or one that was lived on before, without faults. */
static struct {
    struct sim_medium *medium; /* NULL: an empty one */
    struct model model;
    struct seeded seeded;
    uint64_t batch;
} base;

static void begin_at_base(void)
{
    memset(&run.states[0], 0, sizeof run.states[0]);
    run.submitted = run.acknowledged = base.batch;
    run.seeded.state = 1;
    if (base.medium) {
        *state_of(base.batch) = base.model;
        run.seeded = base.seeded;
    }
    struct seeded as_it_is = {.state = 1}; /* nothing is in flight: a copy */
    fault.medium = base.medium ? sim_cut(base.medium, SIM_KILL, &as_it_is) : sim_make(1);
}

static void set_options(void)
{
    run.options = rig_options();
    run.options.spares = 1;
    run.options.in_flight = 4;
    run.options.move_bytes_per_second = 0;
    run.options.stats_interval_ns = 5000000;
}

/* One run; false: it was over before the n-th call. */
static bool run_once(scene_fn scene, uint64_t n, int error, bool for_good, bool lands)
{
    const uint64_t runs = fault.runs + 1, struck = fault.struck, poisoned = fault.poisoned;
    memset(&fault, 0, sizeof fault);
    set_options();
    fault.n = n;
    fault.error = error;
    fault.for_good = for_good;
    fault.lands = lands;
    fault.is_under_way = true;
    begin_at_base();
    countdown_begin(n, error, for_good, lands);
    scene();
    const bool was_struck = countdown_end() > 0;
    check_nothing_is_left();
    if (was_struck) check_poison();
    struct seeded cuts = {.state = n};
    struct sim_medium *cut = sim_cut(fault.medium, SIM_POWER, &cuts);
    check_medium(fault.medium);
    check_medium(cut);
    sim_free(cut);
    sim_free(fault.medium);
    fault.is_under_way = false;
    fault.runs = runs;
    fault.struck = struck + was_struck;
    fault.poisoned = poisoned + fault.is_poisoned;
    return was_struck;
}

static void run_all(const char *name, scene_fn scene)
{
    static const int errors[] = {EIO, ENOSPC, ENOMEM, EMFILE};
    const char *given = getenv("TEAK_FAULT_STEP"), *one = getenv("TEAK_FAULT");
#ifdef __SANITIZE_ADDRESS__
    const uint32_t usual = 16;
#else
    const uint32_t usual = 7;
#endif
    uint64_t one_n;
    int one_error, one_for_good, one_lands;
    if (one && sscanf(one, "%" SCNu64 ",%d,%d,%d", &one_n, &one_error, &one_for_good, &one_lands) == 4) {
        (void)run_once(scene, one_n, one_error, one_for_good, one_lands);
        return;
    }
    const uint32_t step = given ? (uint32_t)atoi(given) : usual;
    fault.runs = fault.struck = fault.poisoned = 0;
    bool goes_on = true;
    uint64_t n = 1;
    for (; goes_on; n++) {
        assert_true(n < CALLS_MAX);
        goes_on = false;
        for (uint32_t way = (uint32_t)n % step; way < 16; way += step) {
            const bool was_struck = run_once(scene, n, errors[way % 4], way / 4 % 2, way / 8);
            goes_on |= was_struck;
            if (was_struck && !strcmp(countdown_struck().name, "allocate")) break; /* knows no errno */
        }
    }
    printf("%s: %" PRIu64 " calls, %" PRIu64 " runs with one failed, %" PRIu64 " poisoned\n", name, n - 2, fault.struck,
           fault.poisoned);
    assert_true(fault.struck > 100);
}

/* ---- scenes ---- */

static struct teak_stats round_stats;

/* From nothing: creation, a session that is closed, another. */
static void a_whole_life(void)
{
    if (open_store(&run.store) != TEAK_OK) return;
    work(40);
    leave(true);
    verify();
    if (fault.is_over || open_store(&run.store) != TEAK_OK) return;
    work(10);
    leave(false);
}

static void work_later(void)
{
    work(30);
    for (uint32_t i = 0; i < 30 && !fault.is_over; i++) {
        churn();
        if (i % 15 != 14) continue;
        const struct teak_batch batch = compaction_batch(&scratch);
        if (batch.count > 0) submit(batch);
        settle();
    }
}

/* Every log keeps nothing: what is sealed is dead. */
static void compact_all(void)
{
    struct model *next = state_of(run.submitted + 1);
    *next = *state_of(run.submitted);
    struct teak_batch batch = {.ops = scratch.ops, .count = 0, .tag = run.submitted + 1};
    for (uint32_t which = 0; which < LOGS; which++) {
        struct model_log *log = &next->logs[which];
        if (!log->alive || log->fresh || log->last.index == log->base.index) continue;
        scratch.ops[batch.count++] =
            (struct teak_op){.op = TEAK_OP_COMPACT, .log = which * 1000 + 1, .index = log->last.index};
        model_compact(log, log->last.index);
    }
    if (batch.count > 0) submit(batch);
    settle();
}

/* What is forgotten is used again: new identity, sync, new name, sync of the directory; and again. */
static void segments_go_round(void)
{
    if (open_store(&run.store) != TEAK_OK) return;
    compact_all();
    for (uint32_t i = 0; i < 50 && !fault.is_over; i++) churn();
    if (!fault.is_over) teak_stats(run.store, &round_stats);
    leave(true);
}

/* Sealed segments are read, entries move forward, segments are forgotten. */
static void a_later_life(void)
{
    if (open_store(&run.store) != TEAK_OK) return;
    for (uint32_t which = 0; which < LOGS && !fault.is_over; which++) read_log(which, which % 2);
    work_later();
    leave(true);
}

/* What a power cut left is cut, and written on. */
static void after_a_cut(void)
{
    if (open_store(&run.store) != TEAK_OK) return;
    work(6);
    leave(false);
}

/* What `fault.medium` holds, at rest, is where the next scene begins. */
static void take_as_base(void)
{
    base.medium = fault.medium;
    base.batch = run.submitted;
    base.model = *state_of(run.submitted);
    base.seeded = run.seeded;
}

static void drop_base(void)
{
    sim_free(base.medium);
    memset(&base, 0, sizeof base);
}

/* A life without faults, in which nothing is moved. */
static void live_before(uint32_t steps, uint32_t churns)
{
    memset(&fault, 0, sizeof fault);
    set_options();
    run.options.move_bytes_per_second = TEAK_FOREVER;
    begin_at_base();
    assert_int_equal(open_store(&run.store), TEAK_OK);
    work(steps);
    for (uint32_t i = 0; i < churns; i++) churn();
    assert_false(fault.is_over);
}

static void whatever_fails_in_a_life_is_told_and_costs_nothing(void **state)
{
    (void)state;
    run_all("a whole life", a_whole_life);
}

static void whatever_fails_in_a_later_life(void **state)
{
    (void)state;
    live_before(60, 120);
    leave(true);
    take_as_base();
    run_all("a later life", a_later_life);
    struct teak_stats stats;
    set_options();
    begin_at_base();
    assert_int_equal(open_store(&run.store), TEAK_OK);
    work_later();
    teak_stats(run.store, &stats);
    printf("segments %" PRIu64 " to %" PRIu64 ", sealed %" PRIu64 ", forgotten %" PRIu64 ", recycled %" PRIu64
           ", moved %" PRIu64 "\n", stats.oldest_segment, stats.newest_segment, stats.sealed, stats.forgotten,
           stats.recycled, stats.moved_entries);
    assert_true(stats.sealed > 0 && stats.forgotten > 0 && stats.moved_entries > 0);
    leave(true);
    sim_free(fault.medium);
    drop_base();
}

static void whatever_fails_while_segments_are_used_again(void **state)
{
    (void)state;
    live_before(40, 40);
    leave(true);
    take_as_base();
    run_all("segments go round", segments_go_round);
    set_options();
    begin_at_base();
    segments_go_round();
    printf("recycled %" PRIu64 ", forgotten %" PRIu64 "\n", round_stats.recycled, round_stats.forgotten);
    assert_true(round_stats.recycled > 1);
    sim_free(fault.medium);
    drop_base();
}

/* The power goes, in a way that makes the next opening cut something. */
static void cut_now(void)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct seeded seeded = {.state = seed};
        struct sim_medium *cut = sim_cut(fault.medium, SIM_POWER, &seeded), *copy = sim_cut(cut, SIM_KILL, &seeded);
        struct teak_store *store;
        struct teak_report report = {0};
        struct teak_error error = {0};
        rig_ok(store_open_on(sim_open(copy), "store", &run.options, &store, &report, &error), &error);
        const bool will_do = report.verdict == TEAK_VERDICT_CUT && report.cut_frames > 0;
        const uint64_t found = find_state(store);
        teak_abandon(store);
        sim_free(copy);
        if (will_do) {
            leave(false);
            sim_free(fault.medium);
            fault.medium = cut;
            run.submitted = run.acknowledged = found;
            take_as_base();
            return;
        }
        sim_free(cut);
    }
    fail_msg("nothing was ever cut");
}

static void whatever_fails_after_a_power_cut(void **state)
{
    (void)state;
    live_before(60, 0);
    for (uint32_t i = 0; i < 12; i++) batch();
    poll_once(0); /* some of it is on its way now */
    cut_now();
    run_all("after a cut", after_a_cut);
    drop_base();
}

/* After a failure: which run it was. */
static int tell_run(void **state)
{
    (void)state;
    const struct countdown_call call = countdown_struck();
    if (!fault.is_under_way) return 0;
    print_error("call %" PRIu64 " (%s, kind %d%s, \"%s\"): TEAK_FAULT=%" PRIu64 ",%d,%d,%d\n", fault.n,
                call.name ? call.name : "none", (int)call.kind, call.is_chore ? ", a chore" : "", call.file, fault.n,
                fault.error, fault.for_good, fault.lands);
    return 0;
}

int main(void)
{
    countdown_take_heap();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_fails_in_a_life_is_told_and_costs_nothing, tell_run),
        cmocka_unit_test_teardown(whatever_fails_in_a_later_life, tell_run),
        cmocka_unit_test_teardown(whatever_fails_while_segments_are_used_again, tell_run),
        cmocka_unit_test_teardown(whatever_fails_after_a_power_cut, tell_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
