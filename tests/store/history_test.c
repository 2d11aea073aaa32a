/* history_test.c: histories that break an engine built carelessly, by their number in the list the design was made
 * from. Those that are judged by what is asked of the disk are in history_disk_test.c, others in the tests of what they
 * are about: docs/testing.md says which is where.
 */
#include "format/layout.h"
#include "store/rig.h"
#include "store/store.h"

static struct teak_report report;

/* Several segments pass, so that what is replayed comes from summaries too. */
static void fill(struct teak_store *store, uint64_t log, uint64_t segments)
{
    struct teak_log now = rig_log(store, log);
    rig_append(store, log, now.last.index + 1, now.last.index + segments * 20, 1, 3000);
    rig_drain(store);
}

static void history_08_no_frame_of_another_session_comes_back(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h8"), second = rig_make("h8second");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 10);
    rig_close(store); /* clean mark */
    struct teak_store_info info;
    store = rig_open_read_only(&rig, &report);
    teak_inspect_store(store, &info);
    rig_close(store);
    struct teak_segment_info segment;
    store = rig_open_read_only(&rig, &report);
    assert_int_equal(teak_inspect_segments(store, 0, &segment, 1), 1);
    rig_close(store);
    /* session 2: m+1 and m+2 were written in place; m+2 landed, m+1 did not */
    rig_copy(&rig, &second);
    store = rig_open(&second, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    rig_append_synced(store, 7, 4, 4, 1, 10);
    rig_append_synced(store, 7, 5, 5, 1, 10);
    teak_abandon(store);
    rig_zero(&second, "0000000000000001.seg", segment.frames_end, RIG_BLOCK);
    /* the first frame of a session flies alone, so this is no state of ours: m+2 says that m+1 was durable */
    struct teak_error error = {0};
    struct teak_options options = rig_options();
    assert_int_equal(rig_try_open(&second, &options, &store, &report, &error), TEAK_DAMAGED);
    /* session 3 over a torn m+1 begins a segment of its own, with another salt */
    rig_copy(&rig, &second);
    store = rig_open(&second, &report);
    rig_append_synced(store, 7, 4, 4, 1, 6000);
    teak_abandon(store);
    rig_zero(&second, "0000000000000001.seg", segment.frames_end + RIG_BLOCK, RIG_BLOCK);
    store = rig_open(&second, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CUT);
    rig_append_synced(store, 7, 4, 4, 1, 6000);
    assert_true(rig_has_segment(&second, 2));
    teak_abandon(store);
    for (int twice = 0; twice < 2; twice++) {
        store = rig_open(&second, &report);
        rig_expect_entries(store, 7, 1, 4);
        rig_close(store);
    }
    rig_remove(second.dir);
    rig_remove(rig.dir);
}

static void history_14_a_segment_ended_early_gives_the_rest_back(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h14");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 1, 1, 10);
    teak_abandon(store);
    store = rig_open(&rig, &report);
    rig_append_synced(store, 7, 2, 2, 1, 10);
    rig_close(store); /* waits for pending indexes */
    size_t bytes;
    free(rig_read(&rig, "0000000000000001.seg", &bytes));
    assert_true(bytes < RIG_SEGMENT);
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, 1, 2);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 2});
    fill(store, 7, 3); /* the short one is forgotten, unlinked, and never a segment again */
    struct teak_log log = rig_log(store, 7);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = log.last.index});
    fill(store, 7, 2);
    rig_close(store);
    store = rig_open(&rig, &report);
    log = rig_log(store, 7);
    rig_expect_entries(store, 7, log.first, log.last.index);
    rig_close(store);
    assert_false(rig_has_segment(&rig, 1));
    rig_remove(rig.dir);
}

static bool is_forgotten(struct teak_store *store, void *context)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats.oldest_segment > *(uint64_t *)context;
}

static bool first_is_gone(struct teak_store *store, void *context)
{
    (void)store;
    return !rig_has_segment(context, 1);
}

static void history_17_a_file_that_somebody_holds_is_not_recycled(void **state)
{
    (void)state;
    for (uint32_t how = 0; how < 2; how++) {
        const struct rig rig = rig_make("h17");
        struct teak_store *store = rig_open(&rig, NULL);
        rig_create(store, 7);
        fill(store, 7, 3);
        char from[2 * RIG_PATH], backup[2 * RIG_PATH];
        rig_path(&rig, "0000000000000001.seg", from);
        rig_path(&rig, "backup", backup);
        int held = -1;
        if (how == 0) {
            assert_int_equal(link(from, backup), 0);
        } else {
            held = open(from, O_RDONLY | O_CLOEXEC);
            assert_true(held >= 0);
            assert_int_equal(flock(held, LOCK_SH), 0);
        }
        uint8_t before[RIG_SEGMENT], after[RIG_SEGMENT];
        if (how == 0) held = open(backup, O_RDONLY | O_CLOEXEC);
        assert_int_equal(pread(held, before, RIG_SEGMENT, 0), RIG_SEGMENT);
        uint64_t one = 1;
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = rig_log(store, 7).last.index - 1});
        rig_drive_until(store, is_forgotten, &one);
        for (uint32_t i = 0; i < 6; i++) {
            fill(store, 7, 1);
            rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = rig_log(store, 7).last.index - 1});
        }
        rig_drive_until(store, first_is_gone, (void *)(uintptr_t)&rig); /* a chore of its own */
        rig_close(store);
        assert_int_equal(pread(held, after, RIG_SEGMENT, 0), RIG_SEGMENT);
        assert_memory_equal(before, after, RIG_SEGMENT);
        close(held);
        store = rig_open(&rig, &report);
        const struct teak_log log = rig_log(store, 7);
        rig_expect_entries(store, 7, log.first, log.last.index);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

static void history_24_a_log_created_anew_knows_nothing_of_its_former_life(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h24");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 60, 5, 3000);
    const uint64_t life = rig_log(store, 7).life;
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 7, 1, &cursor, &error), &error);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 7});
    rig_create(store, 7);
    rig_append_synced(store, 7, 30, 40, 1, 3000);
    struct teak_entry entry;
    uint32_t count;
    assert_int_equal(teak_cursor_read(cursor, 1000, &entry, 1, &count, &error), TEAK_LOG_GONE);
    teak_cursor_close(cursor);
    for (int how = 0; how < 3; how++) {
        assert_true(rig_log(store, 7).life > life);
        rig_expect_entries(store, 7, 30, 40);
        if (how == 0) rig_close(store);
        if (how == 1) teak_abandon(store);
        if (how == 2) break;
        store = rig_open(&rig, &report);
    }
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_30_a_removal_is_remembered_though_nothing_else_is_left(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h30");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_create(store, 8);
    rig_append(store, 7, 1, 20, 1, 100);
    fill(store, 8, 1); /* another segment */
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 7, .index = 8});
    rig_append(store, 7, 8, 10, 2, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 10});
    fill(store, 8, 4); /* and that one is sealed */
    rig_close(store);
    for (int twice = 0; twice < 2; twice++) {
        store = rig_open(&rig, &report);
        const struct teak_log log = rig_log(store, 7);
        assert_int_equal(log.last.index, 10);
        assert_int_equal(log.last.term, 2);
        assert_int_equal(log.first, 11);
        struct teak_error error = {0};
        uint64_t term;
        assert_int_equal(teak_term_at(store, 7, 11, &term, &error), TEAK_BEYOND);
        rig_close(store);
    }
    rig_remove(rig.dir);
}

/* etcd #22442: entries removed by later ones of a higher term came back where the later ones were compacted away. */
static void history_22442_what_was_replaced_stays_replaced(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h22442");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 50, 1, 3000);
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 7, .index = 20});
    rig_append_synced(store, 7, 20, 25, 2, 3000);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 7, .index = 25, .term = 2});
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 25});
    rig_drain(store);
    teak_abandon(store);
    for (int how = 0; how < 3; how++) {
        store = rig_open(&rig, &report);
        const struct teak_log log = rig_log(store, 7);
        assert_int_equal(log.last.index, 25);
        assert_int_equal(log.last.term, 2);
        assert_int_equal(log.first, 26);
        if (how == 1) {
            rig_create(store, 9);
            rig_close(store);
        } else {
            teak_abandon(store);
        }
    }
    rig_remove(rig.dir);
}

/* Whether a snapshot keeps the tail was decided by the term of an entry. Where it was compacted away since and its
 * segment forgotten, replay cannot ask again: the operation says what it did. */
static void a_snapshot_keeps_its_tail_though_the_term_that_decided_is_forgotten(void **state)
{
    (void)state;
    const struct rig rig = rig_make("snapshot");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 40, 1, 3000);
    rig_append_synced(store, 7, 41, 43, 2, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = 7, .index = 30, .term = 1});
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 41});
    rig_drain(store);
    uint64_t one = 1;
    rig_drive_until(store, is_forgotten, &one);
    teak_abandon(store);
    for (int twice = 0; twice < 2; twice++) {
        store = rig_open(&rig, &report);
        const struct teak_log log = rig_log(store, 7);
        assert_int_equal(log.snapshot.index, 30);
        rig_expect_entries(store, 7, 42, 43);
        if (twice)
            rig_close(store);
        else
            teak_abandon(store);
    }
    rig_remove(rig.dir);
}

/* The segment was not sealed yet: a footer says that the successor's checkpoint is durable. */
static void unseal(const struct rig *rig, uint64_t number)
{
    char name[64];
    rig_segment_name(number, name);
    rig_zero(rig, name, RIG_SEGMENT - RIG_BLOCK, RIG_BLOCK);
}

/* Recovery is itself cut short behind each of its steps. */
static void history_03_recovery_cut_short_is_judged_again_alike(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h3"), torn = rig_make("h3torn"), step = rig_make("h3step");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 30, 1, 3000);
    struct teak_stats stats;
    teak_stats(store, &stats);
    teak_abandon(store);
    /* the newest segment's checkpoint did not land, and nothing behind it */
    rig_copy(&rig, &torn);
    char newest[64], fresh[64];
    rig_segment_name(stats.newest_segment, newest);
    rig_zero(&torn, newest, RIG_BLOCK, RIG_SEGMENT - RIG_BLOCK);
    unseal(&torn, stats.newest_segment - 1);
    uint64_t kept = 0;
    for (uint32_t how = 0; how < 4; how++) {
        rig_copy(&torn, &step);
        if (how >= 1) { /* step 1 of recovery: what lies behind the cut became spares */
            char from[2 * RIG_PATH], to[2 * RIG_PATH];
            for (uint64_t number = stats.newest_segment + 2; number >= stats.newest_segment; number--) {
                rig_segment_name(number, fresh);
                if (!rig_has(&step, fresh)) continue;
                rig_path(&step, fresh, from);
                char spare[64];
                snprintf(spare, sizeof spare, "spare-%016" PRIx64 ".seg", number + 100);
                rig_path(&step, spare, to);
                assert_int_equal(rename(from, to), 0);
            }
        }
        if (how >= 2) { /* step 2: a fresh file took the number; step 3: its checkpoint tore */
            store = rig_open(&step, &report);
            rig_create(store, 9);
            rig_drain(store);
            teak_stats(store, &stats);
            teak_abandon(store);
            rig_segment_name(stats.newest_segment, fresh);
            unseal(&step, stats.newest_segment - 1);
            rig_zero(&step, fresh, RIG_BLOCK + (how == 3 ? 128 : 0), RIG_SEGMENT - RIG_BLOCK - (how == 3 ? 128 : 0));
        }
        for (int twice = 0; twice < 2; twice++) {
            store = rig_open(&step, &report);
            const struct teak_log log = rig_log(store, 7);
            if (!kept) kept = log.last.index;
            assert_int_equal(log.last.index, kept);
            rig_expect_entries(store, 7, 1, kept);
            if (twice)
                rig_close(store);
            else
                teak_abandon(store);
        }
    }
    assert_true(kept > 0 && kept < 30);
    rig_remove(rig.dir);
    rig_remove(torn.dir);
    rig_remove(step.dir);
}

/* An entry holds heads of this very segment, whole and under its salt, that say that the torn frame was durable. */
static void history_07_a_head_inside_a_payload_is_no_head(void **state)
{
    (void)state;
    enum { COPIED = 2, FIRST = RIG_BLOCK - HEAD_BYTES, BYTES = FIRST + COPIED * RIG_BLOCK };
    const char *name = "0000000000000001.seg";
    const struct rig rig = rig_make("h7"), other = rig_make("h7other");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 2, 1, 100);
    rig_close(store);
    struct teak_segment_info segment;
    store = rig_open_read_only(&rig, &report);
    assert_int_equal(teak_inspect_segments(store, 0, &segment, 1), 1);
    rig_close(store);
    rig_copy(&rig, &other); /* what the same session would have written behind, each frame in a block */
    store = rig_open(&other, &report);
    rig_append_synced(store, 7, 3, 8, 1, 100);
    teak_abandon(store);
    size_t bytes;
    uint8_t *later = rig_read(&other, name, &bytes);
    static uint8_t payload[BYTES];
    for (uint64_t shift = 0; shift <= 2; shift += 2) {
        rig_copy(&rig, &other);
        const uint8_t *heads = later + segment.frames_end + (1 + shift) * RIG_BLOCK;
        memcpy(payload + FIRST, heads, COPIED * RIG_BLOCK);
        store = rig_open(&other, &report);
        struct teak_error error = {0};
        enum teak_status taken;
        while ((taken = teak_append(store, 7, 3, 1, payload, BYTES, 0, &error)) == TEAK_FULL) rig_drain(store);
        rig_ok(taken, &error);
        rig_drain(store);
        teak_abandon(store);
        uint8_t *now = rig_read(&other, name, &bytes);
        assert_memory_equal(now + segment.frames_end + RIG_BLOCK, heads, COPIED * RIG_BLOCK);
        free(now);
        rig_zero(&other, name, segment.frames_end, RIG_BLOCK);
        const struct teak_options options = rig_options();
        const enum teak_status status = rig_try_open(&other, &options, &store, &report, &error);
        if (shift == 0) { /* at the very place that they name they would be believed: nothing else protects */
            assert_int_equal(status, TEAK_DAMAGED);
            continue;
        }
        rig_ok(status, &error);
        rig_expect_entries(store, 7, 1, 2);
        rig_close(store);
    }
    free(later);
    rig_remove(other.dir);
    rig_remove(rig.dir);
}

static void history_12_under_none_a_hole_is_a_cut(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h12");
    struct teak_options options = rig_options();
    options.strategy = TEAK_NONE;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 7);
    rig_drain(store);
    rig_append_synced(store, 7, 1, 8, 1, 100);
    teak_abandon(store);
    rig_zero(&rig, "0000000000000001.seg", 6 * RIG_BLOCK, RIG_BLOCK); /* of entry 4: a page that a power cut took */
    for (uint64_t last = 3; last <= 5; last++) { /* by an owner who syncs, too */
        store = rig_open(&rig, &report);
        if (last == 3) {
            assert_int_equal(report.verdict, TEAK_VERDICT_CUT);
            assert_int_equal(report.cut_offset, 6 * RIG_BLOCK);
        }
        rig_expect_entries(store, 7, 1, last);
        rig_append_synced(store, 7, last + 1, last + 1, 1, 10);
        teak_abandon(store);
    }
    rig_remove(rig.dir);
}

static uint64_t bytes_of_files(const struct rig *rig)
{
    DIR *list = opendir(rig->dir);
    assert_non_null(list);
    uint64_t sum = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        struct stat stat;
        if (fstatat(dirfd(list), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode))
            sum += (uint64_t)stat.st_size;
    }
    closedir(list);
    return sum;
}

/* Each crash closes a segment; a session that dies before it indexed one leaves that to the next. */
static void history_14_a_crash_loop_does_not_fill_the_disk(void **state)
{
    (void)state;
    enum { CRASHES = 30, SEGMENT = 1 << 20 };
    const struct rig rig = rig_make("h14loop");
    struct teak_options options = rig_options();
    options.segment_bytes = SEGMENT;
    struct teak_store *store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 7);
    rig_drain(store);
    teak_abandon(store);
    for (uint64_t i = 1; i <= CRASHES; i++) {
        store = rig_open_with(&rig, &options, &report);
        rig_append_synced(store, 7, i, i, 1, 10);
        teak_abandon(store); /* at once: what it did not come to, the next one does first */
    }
    assert_true(bytes_of_files(&rig) < UINT64_C(8) * SEGMENT);
    store = rig_open_with(&rig, &options, &report);
    rig_expect_entries(store, 7, 1, CRASHES);
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_15_the_segment_before_the_active_one_is_kept(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h15");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    struct teak_stats stats;
    uint64_t index = 0;
    do {
        assert_true(++index < 5000);
        rig_append_synced(store, 7, index, index, 1, 4000);
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = index}); /* nothing is live */
        rig_drain(store);
        teak_stats(store, &stats);
        assert_true(stats.newest_segment == 1 || stats.oldest_segment < stats.newest_segment);
        assert_true(stats.newest_segment == 1 || rig_has_segment(&rig, stats.newest_segment - 1));
    } while (stats.forgotten < 10);
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_23_an_emptied_log_goes_on_at_its_base(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h23");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append(store, 7, 100, 200, 3, 10);
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = 200});
    rig_drain(store);
    for (int how = 0; how < 3; how++) {
        struct teak_error error = {0};
        uint64_t term;
        assert_int_equal(teak_append(store, 7, 300, 3, "x", 1, 0, &error), TEAK_GAP);
        assert_int_equal(error.expected, 201);
        assert_int_equal(teak_append(store, 7, 150, 3, "x", 1, 0, &error), TEAK_OVERLAP);
        assert_int_equal(teak_append(store, 7, 201, 2, "x", 1, 0, &error), TEAK_TERM_BACKWARDS);
        rig_ok(teak_term_at(store, 7, 200, &term, &error), &error);
        assert_int_equal(term, 3);
        if (how == 0) rig_close(store);
        if (how == 1) teak_abandon(store);
        if (how < 2) store = rig_open(&rig, &report);
    }
    rig_append(store, 7, 201, 202, 3, 10);
    rig_drain(store);
    rig_expect_entries(store, 7, 201, 202);
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_27_as_many_logs_as_were_told_and_the_store_lives(void **state)
{
    (void)state;
    const struct rig rig = rig_make("h27");
    struct teak_store *store = rig_open(&rig, NULL);
    struct teak_limits limits;
    teak_limits(store, &limits);
    assert_true(limits.arena_bytes >= limits.checkpoint_bytes + 2 * (uint64_t)limits.batch_bytes);
    for (uint64_t log = 1; log <= limits.logs; log++) rig_create(store, log);
    static const uint8_t word[256];
    struct teak_error error = {0};
    assert_int_equal(rig_op(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = 5000}, &error), TEAK_TOO_MANY_LOGS);
    assert_int_equal(error.expected, limits.logs);
    assert_int_equal(rig_op(store, (struct teak_op){.op = TEAK_OP_META, .log = 1, .data = word, .bytes = 256}, &error),
                     TEAK_TOO_MANY_LOGS);
    rig_append(store, 1, 1, 100, 1, 3000); /* segments pass, each with the largest checkpoint */
    for (uint64_t log = 1; log <= limits.logs; log++)
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = log, .term = log, .vote = 1});
    rig_close(store);
    store = rig_open(&rig, &report);
    assert_int_equal(report.logs, limits.logs);
    for (uint64_t log = 1; log <= limits.logs; log++) assert_int_equal(rig_log(store, log).hard.term, log);
    rig_expect_entries(store, 1, 1, 100);
    rig_do(store, (struct teak_op){.op = TEAK_OP_DROP, .log = 9});
    rig_create(store, 5000);
    rig_close(store);
    rig_remove(rig.dir);
}

static void history_33_logs_that_take_turns_cost_a_segment_one_record_each(void **state)
{
    (void)state;
    enum { LOGS = 60, ROUNDS = 30 };
    const struct rig rig = rig_make("h33");
    struct teak_store *store = rig_open(&rig, NULL);
    for (uint64_t log = 1; log <= LOGS; log++) rig_create(store, log);
    for (uint64_t index = 1; index <= ROUNDS; index++)
        for (uint64_t log = 1; log <= LOGS; log++) rig_append(store, log, index, index, 1, 40);
    rig_drain(store);
    assert_int_equal(sizeof(struct piece), 24);
    for (int reopened = 0; reopened <= 1; reopened++) {
        struct teak_stats stats;
        teak_stats(store, &stats);
        assert_true(stats.segments >= 3 && 2 * stats.segments <= ROUNDS);
        for (uint64_t log = 1; log <= LOGS; log++) {
            assert_true(logs_find(&store->logs, log)->piece_count <= stats.segments);
            rig_expect_entries(store, log, 1, ROUNDS);
        }
        rig_close(store);
        if (!reopened) store = rig_open(&rig, &report);
    }
    rig_remove(rig.dir);
}

/* Whole frames of the file; what lies in them between what means something is zeros. Returns how many. */
static uint32_t expect_zero_padding(const uint8_t *file, size_t bytes, uint32_t payload_bytes)
{
    uint32_t frames = 0;
    uint64_t at = RIG_BLOCK;
    struct layout_frame first, head;
    memcpy(&first, file + at, sizeof first);
    while (at + RIG_BLOCK <= bytes) {
        memcpy(&head, file + at, sizeof head);
        if (memcmp(&head, &first, offsetof(struct layout_frame, offset)) != 0) break; /* magic, salt, segment */
        const uint64_t table = le32_get(head.table_offset), table_bytes = le32_get(head.table_bytes);
        const uint64_t end = le32_get(head.bytes);
        assert_true(end > 0 && at + end <= bytes);
        const uint64_t payload = le32_get(head.entry_count) == 1 ? HEAD_BYTES + payload_bytes : table;
        for (uint64_t i = payload; i < table; i++) assert_int_equal(file[at + i], 0);
        for (uint64_t i = table + table_bytes; i < end; i++) assert_int_equal(file[at + i], 0);
        at += end;
        frames++;
    }
    return frames;
}

static void history_44_padding_is_zeros_and_never_what_the_arena_held(void **state)
{
    (void)state;
    enum { LAST = 60, BYTES = 5001 }; /* two blocks each: the arena goes round several times */
    const struct rig rig = rig_make("h44");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append(store, 7, 1, 100, 1, 3999); /* no zeros where the padding will be */
    rig_drain(store);
    rig_append_synced(store, 7, 101, 100 + LAST, 1, BYTES);
    struct teak_stats stats;
    teak_stats(store, &stats);
    const uint64_t newest = stats.newest_segment;
    rig_close(store);
    uint32_t frames = 0;
    for (uint64_t number = newest - 5; number <= newest; number++) {
        char name[64];
        size_t bytes;
        rig_segment_name(number, name);
        uint8_t *file = rig_read(&rig, name, &bytes);
        frames += expect_zero_padding(file, bytes, BYTES);
        free(file);
    }
    assert_true(frames > 20);
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_03_recovery_cut_short_is_judged_again_alike),
        cmocka_unit_test(history_08_no_frame_of_another_session_comes_back),
        cmocka_unit_test(history_14_a_segment_ended_early_gives_the_rest_back),
        cmocka_unit_test(history_17_a_file_that_somebody_holds_is_not_recycled),
        cmocka_unit_test(history_24_a_log_created_anew_knows_nothing_of_its_former_life),
        cmocka_unit_test(history_30_a_removal_is_remembered_though_nothing_else_is_left),
        cmocka_unit_test(history_22442_what_was_replaced_stays_replaced),
        cmocka_unit_test(a_snapshot_keeps_its_tail_though_the_term_that_decided_is_forgotten),
        cmocka_unit_test(history_07_a_head_inside_a_payload_is_no_head),
        cmocka_unit_test(history_12_under_none_a_hole_is_a_cut),
        cmocka_unit_test(history_14_a_crash_loop_does_not_fill_the_disk),
        cmocka_unit_test(history_15_the_segment_before_the_active_one_is_kept),
        cmocka_unit_test(history_23_an_emptied_log_goes_on_at_its_base),
        cmocka_unit_test(history_27_as_many_logs_as_were_told_and_the_store_lives),
        cmocka_unit_test(history_33_logs_that_take_turns_cost_a_segment_one_record_each),
        cmocka_unit_test(history_44_padding_is_zeros_and_never_what_the_arena_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
