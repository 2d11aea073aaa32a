/* recover_test.c: opening a store after everything that a crash, a bad disk or a person may have done to its files. */
#include "store/rig.h"

static struct teak_report report;

static enum teak_status try_open(const struct rig *rig, struct teak_error *error)
{
    struct teak_store *store;
    struct teak_options options = rig_options();
    const enum teak_status status = rig_try_open(rig, &options, &store, &report, error);
    if (store) teak_abandon(store);
    return status;
}

/* A store with log 7, whose entries 1 .. `last` were each a frame of its own, and then one of `large` bytes if that is
 * not 0; not closed. Where the machine dawdles a frame more says that all is durable: then the first segment, whose
 * frames are told by number, is made once again. */
static struct rig make_frames(const char *name, uint64_t last, uint32_t bytes, uint32_t large)
{
    const uint64_t frames = 2 + last + (large > 0);
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        const struct rig rig = rig_make(name);
        struct teak_store *store = rig_open(&rig, NULL);
        rig_create(store, 7);
        rig_drain(store);
        rig_append_synced(store, 7, 1, last, 3, bytes);
        if (large > 0) rig_append_synced(store, 7, last + 1, last + 1, 3, large);
        struct teak_stats stats;
        teak_stats(store, &stats);
        teak_abandon(store);
        if (stats.newest_segment > 1 || stats.last_lsn == frames) return rig;
        rig_remove(rig.dir);
    }
    fail_msg("the machine always paused");
    return (struct rig){.dir = ""};
}

static struct rig make_store(const char *name, uint64_t last, uint32_t bytes)
{
    return make_frames(name, last, bytes, 0);
}

static void clean_close_is_clean_and_goes_on_in_place(void **state)
{
    (void)state;
    const struct rig rig = rig_make("clean");
    struct teak_store *store = rig_open(&rig, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CREATED);
    rig_create(store, 7);
    rig_append(store, 7, 1, 3, 1, 100);
    rig_close(store);
    for (uint64_t last = 3; last < 6; last++) {
        store = rig_open(&rig, &report);
        assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
        assert_int_equal(report.segments, 1);
        rig_expect_entries(store, 7, 1, last);
        rig_append(store, 7, last + 1, last + 1, 2, 100);
        rig_close(store);
    }
    /* opened, looked at, closed: nothing is written */
    const uint64_t before = rig_fingerprint(&rig);
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, 1, 6);
    rig_close(store);
    assert_int_equal(rig_fingerprint(&rig), before);
    rig_remove(rig.dir);
}

static void clean_close_with_compaction_under_way_is_clean(void **state)
{
    (void)state;
    const struct rig rig = rig_make("cleancompact");
    for (uint64_t round = 0; round < 6; round++) {
        struct teak_store *store = rig_open(&rig, &report);
        if (round == 0) rig_create(store, 7);
        if (round > 0) assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
        rig_append(store, 7, round * 40 + 1, round * 40 + 40, 1, 4000);
        rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 7, .index = round * 40 + 39});
        rig_close(store);
    }
    rig_remove(rig.dir);
}

static void abandoned_store_has_everything_durable_and_opens_alike_twice(void **state)
{
    (void)state;
    const struct rig rig = make_store("abandon", 20, 3000);
    const uint64_t before = rig_fingerprint(&rig);
    for (int i = 0; i < 3; i++) {
        struct teak_store *store = rig_open(&rig, &report);
        assert_true(report.verdict == TEAK_VERDICT_UNCLEAN || report.verdict == TEAK_VERDICT_CUT);
        rig_expect_entries(store, 7, 1, 20);
        teak_abandon(store); /* nothing was asked of it: nothing is written */
        assert_int_equal(rig_fingerprint(&rig), before);
    }
    rig_remove(rig.dir);
}

static void crash_loop_ends_in_the_same_state(void **state)
{
    (void)state;
    const struct rig rig = rig_make("loop");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_drain(store);
    teak_abandon(store);
    for (uint64_t i = 1; i <= 12; i++) { /* each open begins a segment, and leaves it unsealed */
        store = rig_open(&rig, &report);
        if (i > 1) rig_expect_entries(store, 7, 1, i - 1);
        rig_append_synced(store, 7, i, i, i, 500);
        teak_abandon(store);
    }
    store = rig_open(&rig, &report);
    rig_expect_entries(store, 7, 1, 12);
    rig_append(store, 7, 13, 40, 12, 4000);
    rig_close(store);
    store = rig_open_read_only(&rig, &report);
    rig_expect_entries(store, 7, 1, 40);
    struct teak_verify_result result;
    struct teak_error error = {0};
    rig_ok(teak_verify(store, NULL, 0, &result, NULL, NULL, &error), &error);
    rig_close(store);
    rig_remove(rig.dir);
}

static void child_appends(const struct rig *rig, int ready)
{
    struct teak_store *store = rig_open(rig, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 60, 1, 2000);
    assert_int_equal(write(ready, "x", 1), 1);
    rig_append(store, 7, 61, 100000, 1, 2000);
}

static void killed_writer_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        const struct rig rig = rig_make("killed");
        rig_run_killed(child_appends, &rig);
        struct teak_store *store = rig_open_read_only(&rig, &report); /* waits for the dead owner's lock */
        const struct teak_log log = rig_log(store, 7);
        assert_true(log.last.index >= 60);
        rig_expect_entries(store, 7, 1, log.last.index);
        rig_close(store);
        store = rig_open(&rig, &report);
        assert_int_equal(rig_log(store, 7).last.index, log.last.index);
        rig_append_synced(store, 7, log.last.index + 1, log.last.index + 3, 2, 10);
        rig_close(store);
        store = rig_open(&rig, &report);
        rig_expect_entries(store, 7, 1, log.last.index + 3);
        rig_close(store);
        rig_remove(rig.dir);
    }
}

/* Histories 6 and 9. Blocks of the only segment from the identity to the last frame: each is hurt in turn. */
static void a_damaged_block_is_cut_only_where_nobody_vouches(void **state)
{
    (void)state;
    enum { LAST = 8 };
    const struct rig rig = make_store("hurt", LAST, 1000);
    const struct rig hurt = rig_make("hurtcopy");
    char name[64];
    rig_segment_name(1, name);
    /* block 0 identity, 1 checkpoint, 2 CREATE, 3 .. 10 entries 1 .. 8; frame n vouches for all before it */
    for (uint32_t block = 0; block <= LAST + 2; block++) {
        for (uint32_t at = 0; at < 2; at++) {
            rig_copy(&rig, &hurt);
            rig_flip(&hurt, name, (uint64_t)block * RIG_BLOCK + (at ? 200 : 20), 0x10);
            if (block == 0 && at == 1) continue; /* padding */
            if (block == 2 && at == 1) continue;
            if (block == 1 && at == 1) continue;
            const uint64_t before = rig_fingerprint(&hurt);
            struct teak_error error = {0};
            const enum teak_status status = try_open(&hurt, &error);
            assert_int_equal(rig_fingerprint(&hurt), before);
            if (block == 0) { /* repaired from the heads */
                assert_int_equal(status, TEAK_OK);
            } else if (block == LAST + 2) { /* nobody vouches for the last */
                assert_int_equal(status, TEAK_OK);
                struct teak_store *store = rig_open(&hurt, &report);
                rig_expect_entries(store, 7, 1, LAST - 1);
                rig_append_synced(store, 7, LAST, LAST + 1, 4, 900);
                rig_close(store);
                for (int twice = 0; twice < 2; twice++) {
                    store = rig_open(&hurt, &report);
                    rig_expect_entries(store, 7, 1, LAST + 1);
                    rig_close(store);
                }
            } else {
                assert_int_equal(status, TEAK_DAMAGED);
                assert_int_equal(error.segment, 1);
                assert_int_equal(error.offset, block * RIG_BLOCK);
                assert_int_equal(report.verdict, TEAK_VERDICT_DAMAGED);
                assert_true(report.damage_count >= 1);
                assert_int_equal(report.damage[0].segment, 1);
                if (block > 2 && at == 1) { /* the payload is hurt, the table says whose it is */
                    assert_true(report.damage[0].has_log);
                    assert_int_equal(report.damage[0].log, 7);
                    assert_int_equal(report.damage[0].first, block - 2);
                    assert_int_equal(report.damage[0].last, block - 2);
                    assert_false(report.hard_states_suspect);
                } else {
                    assert_true(report.hard_states_suspect);
                }
            }
        }
    }
    rig_remove(hurt.dir);
    rig_remove(rig.dir);
}

static void a_torn_last_frame_is_cut_and_stays_cut(void **state)
{
    (void)state;
    const struct rig rig = make_frames("torn", 5, 100, 9000); /* the last has three blocks: 8, 9, 10 */
    struct teak_store *store;
    const struct rig torn = rig_make("torncopy");
    for (uint32_t landed = 0; landed < 3; landed++) {
        rig_copy(&rig, &torn);
        rig_zero(&torn, "0000000000000001.seg", (uint64_t)(8 + landed) * RIG_BLOCK, (3 - landed) * RIG_BLOCK);
        const uint64_t before = rig_fingerprint(&torn);
        for (int twice = 0; twice < 2; twice++) {
            store = rig_open(&torn, &report);
            assert_int_equal(report.verdict, landed ? TEAK_VERDICT_CUT : TEAK_VERDICT_UNCLEAN);
            if (landed) {
                assert_int_equal(report.cut_segment, 1);
                assert_int_equal(report.cut_offset, 8 * RIG_BLOCK);
                assert_int_equal(report.cut_frames, 1);
            }
            rig_expect_entries(store, 7, 1, 5);
            teak_abandon(store);
        }
        assert_int_equal(rig_fingerprint(&torn), before);
        store = rig_open(&torn, &report);
        rig_append_synced(store, 7, 6, 7, 4, 50); /* the LSN is given again */
        teak_abandon(store);
        for (int twice = 0; twice < 2; twice++) {
            store = rig_open(&torn, &report);
            rig_expect_entries(store, 7, 1, 7);
            assert_int_equal(rig_log(store, 7).last.term, 4);
            rig_close(store);
        }
    }
    rig_remove(torn.dir);
    rig_remove(rig.dir);
}

/* ---- files that are missing, short, garbage, foreign ---- */

/* Several segments, sealed but for the newest; closed. */
/* How many entries share a frame depends on how fast the disk is, and so does how many segments they fill. */
static struct rig make_longer(const char *name, uint64_t entries, uint64_t *oldest, uint64_t *newest)
{
    const struct rig rig = rig_make(name);
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_append(store, 7, 1, entries, 1, 4000);
    rig_close(store);
    store = rig_open_read_only(&rig, &report);
    struct teak_store_info info;
    teak_inspect_store(store, &info);
    *oldest = info.oldest_segment;
    *newest = info.oldest_segment + info.segment_count - 1;
    assert_true(info.segment_count >= 5);
    rig_close(store);
    return rig;
}

static struct rig make_long(const char *name, uint64_t *oldest, uint64_t *newest)
{
    return make_longer(name, 100, oldest, newest);
}

/* History 16 (ii), (v). */
static void every_missing_segment_is_missed(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("missing", &oldest, &newest);
    const struct rig copy = rig_make("missingcopy");
    for (uint64_t number = oldest; number <= newest; number++) {
        char name[64];
        rig_segment_name(number, name);
        rig_copy(&rig, &copy);
        for (uint64_t above = newest + 1; rig_has_segment(&copy, above); above++) {
            char ready[64];
            rig_segment_name(above, ready);
            rig_unlink(&copy, ready);
        }
        rig_unlink(&copy, name);
        const uint64_t before = rig_fingerprint(&copy);
        struct teak_error error = {0};
        assert_int_equal(try_open(&copy, &error), TEAK_SEGMENT_MISSING);
        assert_int_equal(error.segment, number);
        assert_int_equal(rig_fingerprint(&copy), before);
    }
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* History 5: a short file is damage, never a tail. */
static void short_garbage_and_foreign_segments_have_names_of_their_own(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("wrong", &oldest, &newest);
    uint64_t other_oldest, other_newest;
    const struct rig other = make_longer("other", 200, &other_oldest, &other_newest);
    assert_true(other_oldest <= oldest && other_newest >= newest);
    const struct rig copy = rig_make("wrongcopy");
    for (uint64_t number = oldest; number <= newest; number++) {
        char name[64], from[2 * RIG_PATH], to[2 * RIG_PATH];
        struct teak_error error = {0};
        rig_segment_name(number, name);
        rig_copy(&rig, &copy);
        rig_truncate(&copy, name, 3 * RIG_BLOCK + 17);
        uint64_t before = rig_fingerprint(&copy);
        assert_int_equal(try_open(&copy, &error), TEAK_SEGMENT_SHORT);
        assert_int_equal(error.segment, number);
        assert_int_equal(rig_fingerprint(&copy), before);

        rig_copy(&rig, &copy);
        uint8_t *garbage = malloc(RIG_SEGMENT);
        assert_non_null(garbage);
        rig_fill(garbage, RIG_SEGMENT, 1, number, 2);
        rig_write(&copy, name, 0, garbage, RIG_SEGMENT);
        free(garbage);
        before = rig_fingerprint(&copy);
        assert_int_equal(try_open(&copy, &error), TEAK_BAD_MAGIC);
        assert_int_equal(rig_fingerprint(&copy), before);

        rig_copy(&rig, &copy);
        rig_path(&other, name, from);
        rig_path(&copy, name, to);
        rig_copy_file(from, to);
        before = rig_fingerprint(&copy);
        assert_int_equal(try_open(&copy, &error), TEAK_FOREIGN_FILE);
        assert_int_equal(error.segment, number);
        assert_int_equal(rig_fingerprint(&copy), before);

        rig_copy(&rig, &copy); /* one of ours under another's number */
        rig_segment_name(number == oldest ? newest : oldest, from);
        char path[2 * RIG_PATH];
        rig_path(&rig, from, path);
        rig_path(&copy, name, to);
        rig_copy_file(path, to);
        assert_int_equal(try_open(&copy, &error), TEAK_FOREIGN_FILE);
    }
    rig_remove(copy.dir);
    rig_remove(other.dir);
    rig_remove(rig.dir);
}

/* History 6. */
static void a_lost_identity_is_repaired_from_what_repeats_it(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("identity", &oldest, &newest);
    const struct rig copy = rig_make("identitycopy");
    for (uint64_t number = oldest; number <= newest; number++) {
        for (uint32_t how = 0; how < 4; how++) {
            char name[64], other[64];
            rig_segment_name(number, name);
            rig_segment_name(number == oldest ? number + 1 : number - 1, other);
            rig_copy(&rig, &copy);
            if (how == 0) rig_zero(&copy, name, 0, RIG_BLOCK);
            if (how == 1) rig_flip(&copy, name, 30, 1);  /* family */
            if (how == 2) rig_flip(&copy, name, 50, 1);  /* salt */
            if (how == 3) { /* another use's, whole: the write of this one was lost */
                size_t bytes;
                uint8_t *earlier = rig_read(&rig, other, &bytes);
                rig_write(&copy, name, 0, earlier, RIG_BLOCK);
                free(earlier);
            }
            struct teak_store *store = rig_open(&copy, &report);
            rig_expect_entries(store, 7, 1, 100);
            rig_append_synced(store, 7, 101, 101, 1, 10);
            rig_close(store);
            store = rig_open(&copy, &report);
            rig_expect_entries(store, 7, 1, 101);
            rig_close(store);
        }
    }
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* Histories 2 and 15. */
static void lost_footers_summaries_and_slots_cost_nothing_but_time(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("index", &oldest, &newest);
    const struct rig copy = rig_make("indexcopy");
    for (uint64_t number = oldest; number < newest; number++) {
        char name[64];
        rig_segment_name(number, name);
        size_t bytes;
        uint8_t *file = rig_read(&rig, name, &bytes);
        assert_int_equal(memcmp(file + bytes - RIG_BLOCK, "TEAKFOOT", 8), 0);
        uint32_t slots, summary;
        memcpy(&slots, file + bytes - RIG_BLOCK + 68, 4);
        memcpy(&summary, file + bytes - RIG_BLOCK + 76, 4);
        free(file);
        for (uint32_t how = 0; how < 6; how++) {
            rig_copy(&rig, &copy);
            if (how == 0) rig_flip(&copy, name, bytes - RIG_BLOCK + 40, 4);
            if (how == 1) rig_flip(&copy, name, summary + 8, 4);
            if (how == 2) rig_flip(&copy, name, slots + 2, 1);      /* offset: within the file, elsewhere */
            if (how == 3) rig_flip(&copy, name, slots + 16 + 3, 0x40); /* offset: far beyond it */
            if (how == 4) rig_flip(&copy, name, slots + 7, 0x40);   /* bytes: 1 GiB more */
            if (how == 5) rig_flip(&copy, name, slots + 12, 1);     /* sum */
            struct teak_store *store = rig_open(&copy, &report);
            rig_expect_entries(store, 7, 1, 100);
            rig_close(store);
            store = rig_open(&copy, &report);
            rig_expect_entries(store, 7, 1, 100);
            rig_append(store, 7, 101, 130, 1, 4000);
            rig_close(store);
            store = rig_open_read_only(&copy, &report);
            rig_expect_entries(store, 7, 1, 130);
            rig_close(store);
        }
    }
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* History 2: a sealed segment whose successor has no checkpoint is damage, never a tail. */
static void a_lost_checkpoint_is_damage_of_its_segment(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("checkpoint", &oldest, &newest);
    char name[64];
    rig_segment_name(newest, name);
    rig_flip(&rig, name, RIG_BLOCK + 130, 1);
    const uint64_t before = rig_fingerprint(&rig);
    struct teak_error error = {0};
    assert_int_equal(try_open(&rig, &error), TEAK_DAMAGED);
    assert_int_equal(error.segment, newest);
    assert_int_equal(error.offset, RIG_BLOCK);
    assert_int_equal(report.damage[0].segment, newest);
    assert_true(report.hard_states_suspect);
    assert_int_equal(rig_fingerprint(&rig), before);
    rig_remove(rig.dir);
}

/* History 9. */
static void rot_in_a_sealed_entry_is_a_status_of_that_read(void **state)
{
    (void)state;
    uint64_t oldest, newest;
    const struct rig rig = make_long("rot", &oldest, &newest);
    size_t bytes, at = 0; /* of the payload of entry 2 */
    uint8_t payload[4000];
    rig_fill(payload, sizeof payload, 7, 2, 1);
    uint8_t *file = rig_read(&rig, "0000000000000001.seg", &bytes);
    while (memcmp(file + at, payload, sizeof payload) != 0) at += 8;
    free(file);
    rig_flip(&rig, "0000000000000001.seg", at + 1000, 1);
    struct teak_store *store = rig_open(&rig, &report);
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    rig_ok(teak_cursor_open(store, 7, 1, &cursor, &error), &error);
    struct teak_entry entries[16];
    uint32_t count, rotten = 0;
    uint64_t next = 1;
    while (next <= 100) {
        const enum teak_status status = teak_cursor_read(cursor, 1 << 20, entries, 16, &count, &error);
        if (status == TEAK_HASH_MISMATCH) {
            assert_int_equal(error.index, next);
            assert_true(error.has_log);
            assert_int_equal(error.log, 7);
            rotten++;
            rig_ok(teak_cursor_seek(cursor, ++next, &error), &error);
            continue;
        }
        rig_ok(status, &error);
        assert_true(count > 0);
        next += count;
    }
    assert_int_equal(rotten, 1);
    teak_cursor_close(cursor);
    rig_append_synced(store, 7, 101, 101, 1, 10);
    rig_close(store);
    store = rig_open_read_only(&rig, &report);
    struct teak_damage damage[4];
    struct teak_verify_result result;
    assert_int_equal(teak_verify(store, damage, 4, &result, NULL, NULL, &error), TEAK_DAMAGED);
    assert_int_equal(result.damage_count, 1);
    assert_int_equal(damage[0].segment, 1);
    assert_true(damage[0].has_log);
    assert_int_equal(damage[0].log, 7);
    rig_close(store);
    rig_remove(rig.dir);
}

/* ---- STORE ---- */

/* History 20 (i). */
static void a_lost_store_is_never_created_over(void **state)
{
    (void)state;
    const struct rig rig = rig_make("lost");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_close(store);
    rig_unlink(&rig, "STORE");
    if (rig_has_segment(&rig, 2)) rig_unlink(&rig, "0000000000000002.seg"); /* made ready: it would say so by itself */
    const uint64_t before = rig_fingerprint(&rig);
    struct teak_error error = {0};
    assert_int_equal(try_open(&rig, &error), TEAK_STORE_LOST);
    assert_int_equal(rig_fingerprint(&rig), before);
    /* not even where the head of the only frame rots besides */
    rig_flip(&rig, "0000000000000001.seg", 2 * RIG_BLOCK + 8, 1);
    rig_flip(&rig, "0000000000000001.seg", 3 * RIG_BLOCK + 8, 1);
    assert_int_equal(try_open(&rig, &error), TEAK_STORE_LOST);
    rig_remove(rig.dir);
}

/* History 20 (ii). */
static void a_creation_cut_short_is_begun_anew(void **state)
{
    (void)state;
    const struct rig rig = rig_make("creation");
    teak_abandon(rig_open(&rig, NULL));
    const struct rig copy = rig_make("creationcopy");
    for (uint32_t step = 0; step < 5; step++) {
        rig_copy(&rig, &copy);
        rig_unlink(&copy, "STORE");
        if (step == 1) rig_write(&copy, "STORE.tmp", 0, "TEAK", 4);
        if (step == 2) rig_zero(&copy, "0000000000000001.seg", RIG_BLOCK, RIG_BLOCK); /* no checkpoint yet */
        if (step == 3) rig_flip(&copy, "0000000000000001.seg", RIG_BLOCK + 140, 1);   /* it tore */
        if (step == 4) {
            rig_unlink(&copy, "0000000000000001.seg");
            rig_zero(&copy, "spare-0000000000000000.tmp", 0, 8192);
        }
        struct teak_store *store = rig_open(&copy, &report);
        assert_int_equal(report.verdict, TEAK_VERDICT_CREATED);
        rig_create(store, 7);
        rig_append_synced(store, 7, 1, 3, 1, 10);
        rig_close(store);
        store = rig_open(&copy, &report);
        rig_expect_entries(store, 7, 1, 3);
        rig_close(store);
    }
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

/* History 20 (iii). */
static void unknown_names_are_reported_and_left_alone(void **state)
{
    (void)state;
    const struct rig rig = rig_make("names");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_close(store);
    static const char *const directories[] = {"lost+found", "replaced"}; /* the second is what a repair leaves: known */
    for (int i = 0; i < 2; i++) {
        char path[2 * RIG_PATH];
        rig_path(&rig, directories[i], path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    rig_write(&rig, "7.seg", 0, "x", 1);
    rig_write(&rig, "000000000000000A.seg", 0, "x", 1);
    store = rig_open(&rig, &report);
    assert_int_equal(report.unknown_count, 3);
    rig_create(store, 7);
    rig_close(store);
    assert_true(rig_has(&rig, "lost+found") && rig_has(&rig, "replaced") && rig_has(&rig, "7.seg"));
    assert_true(rig_has(&rig, "000000000000000A.seg"));
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_close_is_clean_and_goes_on_in_place),
        cmocka_unit_test(clean_close_with_compaction_under_way_is_clean),
        cmocka_unit_test(abandoned_store_has_everything_durable_and_opens_alike_twice),
        cmocka_unit_test(crash_loop_ends_in_the_same_state),
        cmocka_unit_test(killed_writer_loses_nothing_acknowledged),
        cmocka_unit_test(a_damaged_block_is_cut_only_where_nobody_vouches),
        cmocka_unit_test(a_torn_last_frame_is_cut_and_stays_cut),
        cmocka_unit_test(every_missing_segment_is_missed),
        cmocka_unit_test(short_garbage_and_foreign_segments_have_names_of_their_own),
        cmocka_unit_test(a_lost_identity_is_repaired_from_what_repeats_it),
        cmocka_unit_test(lost_footers_summaries_and_slots_cost_nothing_but_time),
        cmocka_unit_test(a_lost_checkpoint_is_damage_of_its_segment),
        cmocka_unit_test(rot_in_a_sealed_entry_is_a_status_of_that_read),
        cmocka_unit_test(a_lost_store_is_never_created_over),
        cmocka_unit_test(a_creation_cut_short_is_begun_anew),
        cmocka_unit_test(unknown_names_are_reported_and_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
