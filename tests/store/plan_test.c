/* plan_test.c: a repair as a value, made, printed and done; and a salvage: what of a store comes over into a new one.
 */
#include "store/damage.h"
#include "store/snapshot_rig.h"

static struct teak_report report;

static struct teak_options plan_options(void)
{
    struct teak_options options = teak_options_default();
    options.backend = backend_now;
    options.lock_wait_ns = 0;
    return options;
}

static struct teak_repair_plan *make_plan(const struct rig *rig)
{
    const struct teak_options options = plan_options();
    struct teak_repair_plan *plan;
    struct teak_error error = {0};
    rig_ok(teak_repair_plan_make(rig->dir, &options, &plan, &report, &error), &error);
    return plan;
}

static enum teak_status apply(const struct rig *rig, const struct teak_repair_plan *plan)
{
    const struct teak_options options = plan_options();
    struct teak_error error = {0};
    const enum teak_status status = teak_repair_plan_apply(rig->dir, &options, plan, &error);
    assert_int_equal(error.status, status);
    return status;
}

static uint32_t newest_frames(const struct rig *rig, struct found_frame frames[16])
{
    uint64_t first, newest;
    uint32_t count;
    rig_segments(rig, &first, &newest);
    while ((count = damage_frames(rig, newest, frames, 16)) == 0) newest--; /* made ready, not begun */
    return count;
}

/* A store of several segments, with frames enough in the newest one, which has no index. */
static struct damage_model make_store(const struct rig *rig)
{
    struct found_frame frames[16];
    struct damage_model model = damage_make(rig, 20, 2000);
    struct teak_store *store = backend_open(rig);
    do {
        model.last[1]++;
        rig_append_synced(store, 1, model.last[1], model.last[1], 1, 2000);
    } while (newest_frames(rig, frames) < 9);
    teak_abandon(store);
    return model;
}

/* The payload of a frame in the newest segment, so far from its end. */
static void hurt_tail(const struct rig *rig, uint32_t from_end)
{
    struct found_frame frames[16];
    char name[64];
    const uint32_t count = newest_frames(rig, frames);
    for (uint32_t i = count - from_end; i > 0; i--) {
        if (frames[i - 1].entries == 0) continue;
        rig_segment_name(frames[i - 1].segment, name);
        rig_flip(rig, name, frames[i - 1].offset + HEAD_BYTES + 5, 0x10);
        return;
    }
    fail_msg("no frame with an entry");
}

static void count_line(void *context, const char *line)
{
    uint32_t *lines = context;
    assert_null(strchr(line, '\n'));
    (*lines)++;
}

static void a_plan_is_done_as_it_was_shown(void **state)
{
    (void)state;
    const struct rig rig = rig_make("plan");
    const struct damage_model model = make_store(&rig);
    hurt_tail(&rig, 4);
    const uint64_t before = rig_fingerprint(&rig);
    struct teak_repair_plan *plan = make_plan(&rig);
    assert_true(plan->is_damaged && !plan->rebuilds_store);
    assert_true(plan->damage_count == 1 && plan->log_count == 1);
    assert_true(plan->file_count >= 1); /* one that was made ready behind it may be another */
    assert_int_equal(plan->files[0].segment, plan->damages[0].segment);
    assert_int_equal(plan->files[0].fate, TEAK_REPAIR_COPIED);
    assert_int_equal(plan->logs[0].log, plan->damages[0].log);
    assert_int_equal(plan->logs[0].last, plan->damages[0].first - 1);
    uint32_t lines = 0;
    teak_repair_plan_print(plan, count_line, &lines);
    assert_int_equal(lines, 2 + plan->file_count);
    assert_true(rig_fingerprint(&rig) == before);
    assert_int_equal(apply(&rig, plan), TEAK_OK);
    assert_int_equal(apply(&rig, plan), TEAK_CHANGED); /* done already */
    for (uint32_t opening = 0; opening < 2; opening++) { /* the mark stays */
        struct teak_store *store = backend_open(&rig);
        assert_int_equal(damage_expect(store, &model, false), 1);
        assert_int_equal(rig_log(store, plan->logs[0].log).marks, plan->logs[0].marks);
        assert_int_equal(rig_log(store, plan->logs[0].log).last.index, plan->logs[0].last);
        rig_close(store);
    }
    struct teak_store *store = backend_open(&rig);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = plan->logs[0].log}); /* until it is dropped */
    rig_create(store, plan->logs[0].log);
    assert_int_equal(rig_log(store, plan->logs[0].log).marks, 0);
    rig_close(store);
    teak_repair_plan_free(plan);
    plan = make_plan(&rig);
    assert_true(!plan->is_damaged && plan->log_count == 0 && plan->file_count == 0 && plan->damage_count == 0);
    assert_int_equal(apply(&rig, plan), TEAK_OK); /* nothing */
    teak_repair_plan_free(plan);
    teak_repair_plan_free(NULL);
    rig_remove(rig.dir);
}

static void a_plan_of_another_state_is_refused(void **state)
{
    (void)state;
    enum { MORE_ROT, A_FILE_LESS, REPAIRED, ANOTHER_STORE, WAYS };
    const struct rig rig = rig_make("changed"), origin = rig_make("changed0");
    (void)make_store(&origin);
    hurt_tail(&origin, 4);
    for (int way = 0; way < WAYS; way++) {
        rig_copy(&origin, &rig);
        struct teak_repair_plan *plan = make_plan(&rig), *other;
        uint64_t first, newest;
        char name[64];
        rig_segments(&rig, &first, &newest);
        rig_segment_name(first + 1, name);
        if (way == MORE_ROT) hurt_tail(&rig, 6);
        if (way == A_FILE_LESS) rig_unlink(&rig, name);
        if (way == REPAIRED) {
            other = make_plan(&rig);
            assert_int_equal(apply(&rig, other), TEAK_OK);
            teak_repair_plan_free(other);
        }
        if (way == ANOTHER_STORE) {
            rig_remove(rig.dir);
            assert_int_equal(mkdir(rig.dir, 0700), 0);
            (void)make_store(&rig);
        }
        const uint64_t before = rig_fingerprint(&rig);
        assert_int_equal(apply(&rig, plan), TEAK_CHANGED);
        assert_true(rig_fingerprint(&rig) == before);
        teak_repair_plan_free(plan);
    }
    rig_remove(origin.dir);
    rig_remove(rig.dir);
}

static void beside_a_living_writer_nothing_is_repaired(void **state)
{
    (void)state;
    const struct rig rig = rig_make("living"), to = rig_make("living.to");
    const struct damage_model model = make_store(&rig);
    hurt_tail(&rig, 4);
    struct teak_repair_plan *plan = make_plan(&rig);
    struct teak_options options = backend_options();
    options.create = false;
    options.on_damage = TEAK_QUARANTINE;
    struct teak_store *store = rig_open_with(&rig, &options, &report);
    struct teak_error error = {0};
    const uint64_t before = rig_fingerprint(&rig);
    assert_int_equal(apply(&rig, plan), TEAK_LOCKED);
    options = plan_options();
    struct teak_repair_plan *other = NULL;
    assert_int_equal(teak_repair_plan_make(rig.dir, &options, &other, NULL, &error), TEAK_DAMAGED);
    assert_null(other);
    assert_int_equal(teak_salvage(rig.dir, to.dir, &options, NULL, NULL, NULL, NULL, &error), TEAK_DAMAGED);
    assert_true(rig_fingerprint(&rig) == before);
    rig_ok(teak_barrier(store, 1, &error), &error); /* it repairs itself */
    rig_drain(store);
    rig_append_synced(store, 4, 3, 3, 1, 100);
    assert_int_equal(apply(&rig, plan), TEAK_LOCKED);
    assert_int_equal(teak_salvage(rig.dir, to.dir, &options, NULL, NULL, NULL, NULL, &error), TEAK_LOCKED);
    struct teak_store *reader = rig_open_read_only(&rig, &report); /* and can be looked at */
    struct teak_verify_result result;
    rig_ok(teak_verify_each(reader, NULL, &result, NULL, NULL, &error), &error);
    rig_close(reader);
    rig_close(store);
    store = backend_open(&rig);
    assert_int_equal(rig_log(store, 4).last.index, model.last[4] + 1);
    rig_close(store);
    teak_repair_plan_free(plan);
    rig_remove(rig.dir);
    rig_remove(to.dir);
}

/* ---- STORE ---- */

static void store_is_made_anew_and_nothing_else_changes(void **state)
{
    (void)state;
    const struct rig rig = rig_make("remade"), origin = rig_make("remade0");
    const struct damage_model model = make_store(&origin);
    static const enum disk_kind kinds[] = {DISK_WRITE, DISK_SYNC_ALL, DISK_RENAME, DISK_MKDIR};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (uint64_t nth = 1; nth < 5; nth++) { /* cut short at each step, it is planned and done again */
            rig_copy(&origin, &rig);
            rig_flip(&rig, "STORE", 30, 1);
            struct teak_options options = backend_options();
            options.create = false;
            struct teak_store *store;
            struct teak_error error = {0};
            assert_int_equal(rig_try_open(&rig, &options, &store, &report, &error), TEAK_HASH_MISMATCH);
            struct faulty *faulty = faulty_make(backend_now);
            assert_non_null(faulty);
            options.on_damage = TEAK_QUARANTINE;
            rig_ok(store_open_mending_on(&faulty->disk, rig.dir, &options, &store, &report, &error), &error);
            faulty->chores_too = true;
            faulty_arm(faulty, kinds[k], nth, EIO);
            (void)teak_barrier(store, 1, &error);
            teak_abandon(store);
            struct teak_repair_plan *plan = make_plan(&rig);
            assert_int_equal(apply(&rig, plan), TEAK_OK);
            teak_repair_plan_free(plan);
            store = backend_open(&rig);
            assert_int_equal(damage_expect(store, &model, false), 0);
            rig_close(store);
            assert_true(rig_has(&rig, "replaced/STORE"));
        }
    rig_remove(origin.dir);
    rig_remove(rig.dir);
}

/* ---- salvage ---- */

enum { PLAIN = 1, WITH_FILE = 2, FRESH = 3, BOUNDARY = 4, EMPTIED = 5, ROTTEN = 6, LOGS_OF_ALL = 6, BODY = 200000 };

static void put_kinds(struct teak_store *store)
{
    for (uint64_t index = 1; index <= 40; index++) {
        uint8_t data[300];
        rig_fill(data, sizeof data, PLAIN, index, 1 + index / 15);
        const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
        rig_do(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = PLAIN, .index = index, .term = 1 + index / 15,
                                       .kind = (uint8_t)(index % 5 == 0), .entries = &entry, .count = 1});
    }
}

static void make_all_sorts(const struct rig *rig)
{
    struct teak_store *store = backend_open(rig);
    for (uint64_t log = 1; log <= LOGS_OF_ALL; log++) rig_create(store, log);
    rig_append_synced(store, ROTTEN, 1, 60, 2, 2000); /* several segments, sealed by the end */
    put_kinds(store);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = PLAIN, .index = 17});
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = PLAIN, .term = 9, .vote = 3, .commit = 33});
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = PLAIN, .data = "a word", .bytes = 6});
    rig_append(store, WITH_FILE, 1, 30, 4, 500);
    put_snapshot(store, WITH_FILE, 20, 4, 77, BODY, keep_nothing);
    rig_append(store, BOUNDARY, 1, 10, 1, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = BOUNDARY, .index = 6, .term = 1});
    rig_append(store, EMPTIED, 1, 10, 3, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = EMPTIED, .index = 10});
    rig_drain(store);
    rig_close(store);
}

static struct teak_salvaged came[LOGS_OF_ALL + 1];

static void note_salvaged(void *context, const struct teak_salvaged *salvaged)
{
    (void)context;
    came[salvaged->log] = *salvaged;
}

static void salvage(const struct rig *rig, const struct rig *to, struct teak_salvage_result *result)
{
    const struct teak_options options = plan_options();
    struct teak_error error = {0};
    rig_remove(to->dir);
    memset(came, 0, sizeof came);
    const uint64_t before = rig_fingerprint(rig);
    rig_ok(teak_salvage(rig->dir, to->dir, &options, result, note_salvaged, NULL, &report, &error), &error);
    assert_true(rig_fingerprint(rig) == before);
}

static void expect_same_log(struct teak_store *from, struct teak_store *to, uint64_t id)
{
    const struct teak_log a = rig_log(from, id), b = rig_log(to, id);
    assert_true(a.first == b.first && a.last.index == b.last.index && a.last.term == b.last.term);
    assert_true(a.base.index == b.base.index && a.base.term == b.base.term && a.fresh == b.fresh);
    assert_true(a.snapshot.index == b.snapshot.index && a.snapshot.term == b.snapshot.term);
    assert_true(a.snapshot_file_bytes == b.snapshot_file_bytes && a.marks == b.marks);
    assert_memory_equal(&a.hard, &b.hard, sizeof a.hard);
    uint8_t one[256], other[256];
    uint32_t bytes, other_bytes;
    rig_ok(teak_meta(from, id, one, sizeof one, &bytes, NULL), NULL);
    rig_ok(teak_meta(to, id, other, sizeof other, &other_bytes, NULL), NULL);
    assert_int_equal(bytes, other_bytes);
    assert_memory_equal(one, other, bytes);
    if (!a.fresh) rig_expect_entries(to, id, a.first, a.last.index);
    for (uint64_t index = a.first; index <= a.last.index; index++) {
        struct teak_pos last, other_last;
        const enum teak_status status = teak_last_of_kind(from, id, 1, index, &last, NULL);
        assert_int_equal(teak_last_of_kind(to, id, 1, index, &other_last, NULL), status);
        if (status == TEAK_OK) assert_true(last.index == other_last.index && last.term == other_last.term);
    }
}

static void a_whole_store_comes_over_whole(void **state)
{
    (void)state;
    const struct rig rig = rig_make("salvage"), to = rig_make("salvage.to");
    make_all_sorts(&rig);
    struct teak_salvage_result result;
    salvage(&rig, &to, &result);
    assert_true(result.logs == LOGS_OF_ALL && result.hurt == 0 && result.lost_entries == 0 && result.snapshots == 1);
    struct teak_store *from = rig_open_read_only(&rig, NULL), *store = rig_open_read_only(&to, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    for (uint64_t id = 1; id <= LOGS_OF_ALL; id++) expect_same_log(from, store, id);
    expect_snapshot(store, WITH_FILE, 20, 77, BODY);
    struct teak_store_info a, b;
    teak_inspect_store(from, &a);
    teak_inspect_store(store, &b);
    assert_true(memcmp(a.family, b.family, sizeof a.family) != 0);
    assert_memory_equal(b.instance, result.instance, sizeof b.instance);
    rig_close(from);
    rig_close(store);
    store = backend_open(&to); /* it lives on */
    rig_append_synced(store, EMPTIED, 11, 13, 3, 100);
    rig_append_synced(store, FRESH, 7, 9, 1, 100);
    rig_close(store);
    rig_remove(rig.dir);
    rig_remove(to.dir);
}

static void rot_entry(const struct rig *rig, uint64_t index)
{
    uint64_t first, last;
    rig_segments(rig, &first, &last);
    for (uint64_t number = first; number <= last; number++)
        if (rig_rot_entry(rig, number, ROTTEN, index, 2, 2000)) return;
    fail_msg("entry %" PRIu64 " is nowhere", index);
}

static void what_is_lost_is_named_and_marked(void **state)
{
    (void)state;
    const struct rig rig = rig_make("salvage"), to = rig_make("salvage.to");
    char name[280];
    make_all_sorts(&rig);
    rot_entry(&rig, 12);
    rot_entry(&rig, 30);
    assert_int_equal(files_in(&rig, ".snap", name), 1);
    rig_flip(&rig, name, BODY / 2, 1);
    struct teak_salvage_result result;
    salvage(&rig, &to, &result);
    assert_true(result.hurt == 2 && result.snapshots == 0 && result.snapshots_lost == 1);
    assert_int_equal(result.lost_entries, 60 - 11);
    assert_true(came[ROTTEN].first == 1 && came[ROTTEN].last == 11 && came[ROTTEN].lost_first == 12 &&
                came[ROTTEN].lost_last == 60 && came[ROTTEN].marks == TEAK_TAIL_LOST);
    assert_true(came[WITH_FILE].snapshot_lost && came[WITH_FILE].marks == TEAK_TAIL_LOST);
    for (uint32_t opening = 0; opening < 2; opening++) {
        struct teak_store *store = backend_open(&to);
        for (uint64_t id = 1; id <= LOGS_OF_ALL; id++) {
            assert_int_equal(rig_log(store, id).marks, came[id].marks);
            if (id != FRESH) rig_expect_entries(store, id, came[id].first, came[id].last);
        }
        struct teak_error error = {0};
        assert_int_equal(rig_op(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = ROTTEN, .index = 3}, &error),
                         TEAK_QUARANTINED);
        rig_append_synced(store, EMPTIED, 11 + opening, 11 + opening, 3, 100);
        came[EMPTIED].last++;
        rig_close(store);
    }
    rig_remove(rig.dir);
    rig_remove(to.dir);
}

static void a_salvage_answers_what_is_wrong(void **state)
{
    (void)state;
    const struct rig rig = rig_make("salvage"), to = rig_make("salvage.to");
    struct teak_error error = {0};
    assert_int_equal(teak_salvage(NULL, to.dir, NULL, NULL, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_salvage(rig.dir, NULL, NULL, NULL, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_int_equal(teak_salvage(rig.dir, to.dir, NULL, NULL, NULL, NULL, NULL, &error), TEAK_NOT_A_STORE);
    make_all_sorts(&rig);
    rig_write(&to, "mine", 0, "x", 1);
    assert_int_equal(teak_salvage(rig.dir, to.dir, NULL, NULL, NULL, NULL, NULL, &error), TEAK_INVALID);
    assert_string_equal(error.file, "mine");
    assert_int_equal(teak_salvage(rig.dir, "no/such/place", NULL, NULL, NULL, NULL, NULL, &error), TEAK_NO_DIRECTORY);
    rig_unlink(&to, "mine"); /* an empty directory will do */
    rig_ok(teak_salvage(rig.dir, to.dir, NULL, NULL, NULL, NULL, NULL, &error), &error);
    struct teak_store *store = rig_open_read_only(&to, NULL);
    assert_int_equal(rig_log(store, ROTTEN).last.index, 60);
    rig_close(store);
    rig_remove(rig.dir);
    rig_remove(to.dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_done_as_it_was_shown),
        cmocka_unit_test(a_plan_of_another_state_is_refused),
        cmocka_unit_test(beside_a_living_writer_nothing_is_repaired),
        cmocka_unit_test(store_is_made_anew_and_nothing_else_changes),
        cmocka_unit_test(a_whole_store_comes_over_whole),
        cmocka_unit_test(what_is_lost_is_named_and_marked),
        cmocka_unit_test(a_salvage_answers_what_is_wrong),
    };
    return backends_run(argc, argv, "plan", tests, sizeof tests / sizeof tests[0]);
}
