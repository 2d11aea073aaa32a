/* others_test.c: histories that hurt other logs, told from what is publicly known of them; each in a test of its own.
 * Where a power cut is part of it, the power goes at every change that the store makes, in several ways.
 */
#include "every_cut.h"

#include "format/layout.h"
#include "store/damage.h"

enum { FRAMES_MAX = 64 };

static void truncate_log(struct teak_store *store, uint64_t log, uint64_t from)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = log, .index = from});
}

static void compact(struct teak_store *store, uint64_t log, uint64_t upto)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = log, .index = upto});
}

static void snapshot(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_SNAPSHOT, .log = log, .index = index, .term = term});
}

/* ---- wal-db, and raft-io's log on it ---- */

static void expect_retained(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    assert_true(log.last.index >= scene.promised);
    assert_true(log.first == 1 || log.first == 31);
    rig_expect_entries(store, 7, log.first, log.last.index);
}

/* There the record of a snapshot and the hard state were written, and at once everything before them was given back:
 * the entries behind the snapshot's index, which were appended earlier, with it; and without a sync between. */
static void wal_db_entries_kept_behind_a_snapshot_survive_its_installation(void **state)
{
    (void)state;
    struct teak_store *store = begin("wal_db_retained");
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 40, 1, 2000);
    scene.promised = 40;
    watch(expect_retained);
    snapshot(store, 7, 30, 1);
    compact(store, 7, 30);
    rig_drain(store);
    for (uint64_t index = 41; index <= 80; index++) { /* segments die, and are used again */
        rig_append_synced(store, 7, index, index, 1, 2000);
        scene.promised = index;
    }
    end(store);
}

static void expect_three_or_four(struct teak_store *store)
{
    const uint64_t last = rig_log(store, 7).last.index;
    assert_true(last == 3 || last == 4);
    rig_expect_entries(store, 7, 1, last);
}

/* There whoever waited behind a failed sync became the next to try it: Linux may answer that all is well, with the
 * pages dropped. */
static void wal_db_a_failed_sync_is_never_asked_again(void **state)
{
    (void)state;
    struct teak_store *store = begin("wal_db_sync");
    teak_abandon(store);
    scene.options.strategy = TEAK_FDATASYNC;
    store = open_medium(scene.medium);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    for (int i = 0; pool_has_work(&store->pool, &store->segments) || pool_is_busy(&store->pool) ||
                    seal_is_busy(&store->seal) || seal_is_due(&store->segments, store->flight.durable_lsn);
         i++) {
        struct teak_error error = {0};
        struct teak_completion done[8];
        uint32_t count;
        assert_true(i < 100000);
        rig_ok(teak_poll(store, 1000000, done, 8, &count, &error), &error); /* so that the next sync is a frame's */
    }
    sim_fail(scene.medium, DISK_SYNC, 1, EIO);
    rig_append(store, 7, 4, 4, 1, 100);
    struct teak_error error = {0};
    assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
    struct teak_completion done[8];
    uint32_t count;
    for (int i = 0; i < 50; i++) { /* the disk would say yes the second time */
        assert_int_equal(teak_append(store, 7, 5, 1, "x", 1, 5, &error), TEAK_POISONED);
        assert_int_equal(teak_poll(store, 1000000, done, 8, &count, &error), TEAK_POISONED);
        assert_int_equal(rig_log(store, 7).durable.index, 3);
    }
    scene.judge = expect_three_or_four;
    scene.looked = 1;
    end(store);
}

/* There the index in memory was moved before the write, and stayed where it was when that failed. */
static void wal_db_memory_never_runs_ahead_of_a_failed_write(void **state)
{
    (void)state;
    struct teak_store *store = begin("wal_db_memory");
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 3, 1, 100);
    sim_fail(scene.medium, DISK_WRITE, 1, EIO);
    rig_append(store, 7, 4, 4, 1, 100);
    struct teak_error error = {0};
    assert_int_equal(teak_drain(store, &error), TEAK_POISONED);
    assert_int_equal(rig_log(store, 7).last.index, 3);
    assert_int_equal(rig_log(store, 7).durable.index, 3);
    rig_expect_entries(store, 7, 1, 3);
    scene.judge = expect_three_or_four;
    scene.looked = 1;
    end(store);
}

/* ---- a bad checksum taken for the end: libraft, wal-db, redpanda; etcd's zeroed length ---- */

/* A store of frames that lie one behind another in its first segment, each durable before the next. */
static uint32_t make_frames(const struct rig *rig, enum teak_strategy strategy, struct found_frame *frames)
{
    struct teak_options options = rig_options();
    options.strategy = strategy;
    struct teak_store *store = rig_open_with(rig, &options, NULL);
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 6, 1, 100);
    teak_abandon(store);
    return damage_frames(rig, 1, frames, FRAMES_MAX);
}

static const char first_segment[] = "0000000000000001.seg";

static void expect_refused(const struct rig *rig, enum teak_status expected)
{
    struct teak_store *store;
    struct teak_error error = {0};
    static struct teak_report report;
    const struct teak_options options = rig_options();
    const uint64_t before = rig_fingerprint(rig);
    assert_int_equal(rig_try_open(rig, &options, &store, &report, &error), expected);
    assert_null(store);
    assert_true(rig_fingerprint(rig) == before); /* nothing was cut, moved or written */
}

/* There the first frame whose sum is wrong is the end, wherever it stands: what was acknowledged behind it goes. */
static void libraft_a_bad_sum_in_the_middle_is_not_the_end(void **state)
{
    (void)state;
    static struct found_frame frames[FRAMES_MAX];
    const struct rig rig = rig_make("middle");
    const uint32_t count = make_frames(&rig, TEAK_AUTO, frames);
    assert_true(count >= 7);
    for (uint32_t i = 0; i + 1 < count; i++) {
        rig_flip(&rig, first_segment, frames[i].offset + HEAD_BYTES, 0x10); /* what the frame holds */
        expect_refused(&rig, TEAK_DAMAGED);
        rig_flip(&rig, first_segment, frames[i].offset + HEAD_BYTES, 0x10);
        rig_flip(&rig, first_segment, frames[i].offset + 120, 0x01); /* its own sum */
        expect_refused(&rig, TEAK_DAMAGED);
        rig_flip(&rig, first_segment, frames[i].offset + 120, 0x01);
    }
    struct teak_store *store = rig_open(&rig, NULL);
    rig_expect_entries(store, 7, 1, 6);
    rig_close(store);
    rig_remove(rig.dir);
}

/* There a length of zero reads as the end of the file, and everything behind it is wiped. */
static void etcd_a_zeroed_length_is_not_the_end(void **state)
{
    (void)state;
    static struct found_frame frames[FRAMES_MAX];
    const struct rig rig = rig_make("zeroed");
    const uint32_t count = make_frames(&rig, TEAK_AUTO, frames);
    static const struct {
        uint64_t offset;
        size_t bytes;
    } zeroed[] = {{offsetof(struct layout_frame, bytes), 4}, {offsetof(struct layout_frame, table_bytes), 4},
                  {0, HEAD_BYTES}, {0, RIG_BLOCK}};
    size_t bytes;
    uint8_t *before = rig_read(&rig, first_segment, &bytes);
    for (uint32_t i = 0; i + 1 < count; i++)
        for (uint32_t z = 0; z < sizeof zeroed / sizeof zeroed[0]; z++) {
            rig_zero(&rig, first_segment, frames[i].offset + zeroed[z].offset, zeroed[z].bytes);
            expect_refused(&rig, TEAK_DAMAGED);
            rig_write(&rig, first_segment, frames[i].offset, before + frames[i].offset, RIG_BLOCK);
        }
    free(before);
    struct teak_store *store = rig_open(&rig, NULL);
    rig_expect_entries(store, 7, 1, 6);
    rig_close(store);
    rig_remove(rig.dir);
}

/* pebble #6031: there what was durable was not carried forward while metrics were off, so that the detector of damage
 * never fired, and nobody missed it. So it is made to fire, under every strategy that promises something. */
static void pebble_6031_the_detector_fires_under_every_strategy(void **state)
{
    (void)state;
    static struct found_frame frames[FRAMES_MAX];
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_NONE; strategy++) {
        const struct rig rig = rig_make("fires");
        const uint32_t count = make_frames(&rig, strategy, frames);
        size_t bytes;
        uint8_t *file = rig_read(&rig, first_segment, &bytes);
        for (uint32_t i = 1; i < count; i++) {
            struct layout_frame head;
            memcpy(&head, file + frames[i].offset, sizeof head);
            assert_true(le64_get(head.durable_lsn) + 1 == frames[i].lsn); /* each waited for the one before */
        }
        for (uint32_t i = 0; i + 1 < count; i++) {
            rig_zero(&rig, first_segment, frames[i].offset, RIG_BLOCK);
            expect_refused(&rig, TEAK_DAMAGED);
            rig_write(&rig, first_segment, frames[i].offset, file + frames[i].offset, RIG_BLOCK);
        }
        free(file);
        rig_remove(rig.dir);
    }
}

/* ---- truncation ---- */

/* promised: 0 nothing yet, 1 the truncation, 2 what replaced it, 3 snapshot and compaction */
static void expect_no_resurrection(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    rig_expect_entries(store, 7, log.first, log.last.index);
    if (scene.promised >= 1) assert_true(log.last.index <= 25);
    if (scene.promised >= 1 && log.last.index >= 20) assert_int_equal(log.last.term, 2);
    if (scene.promised >= 2) assert_int_equal(log.last.index, 25);
    if (scene.promised >= 3) assert_int_equal(log.first, 26);
    if (log.last.index < 20) assert_int_equal(log.last.index, 19);
}

/* etcd #22442: there replay passed over truncations at or below the snapshot's index: what they removed was back. */
static void etcd_22442_what_was_truncated_below_a_snapshot_stays_gone(void **state)
{
    (void)state;
    struct teak_store *store = begin("etcd_22442");
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 50, 1, 2000);
    watch(expect_no_resurrection);
    truncate_log(store, 7, 20);
    rig_drain(store);
    scene.promised = 1;
    rig_append_synced(store, 7, 20, 25, 2, 2000);
    scene.promised = 2;
    snapshot(store, 7, 25, 2);
    compact(store, 7, 25);
    rig_drain(store);
    scene.promised = 3;
    rig_create(store, 8);
    rig_append_synced(store, 8, 1, 60, 1, 2000); /* the segments with the truncation die */
    end(store);
}

static void expect_one_or_none(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    if (scene.promised == 1) assert_int_equal(log.last.index, log.base.index);
    assert_true(log.last.index <= log.base.index + 1);
    rig_expect_entries(store, 7, log.base.index + 1, log.last.index);
}

/* raft-wal #31: there deleting a log's one entry and starting again ended in a panic: a segment without an index. */
static void raft_wal_31_the_only_entry_is_removed_and_the_store_lives(void **state)
{
    (void)state;
    for (uint64_t base = 0; base <= 4; base += 4) {
        struct teak_store *store = begin("raft_wal_31");
        rig_create(store, 7);
        rig_append_synced(store, 7, 1, base + 1, 1, 100);
        if (base > 0) compact(store, 7, base);
        rig_drain(store);
        watch(expect_one_or_none);
        truncate_log(store, 7, base + 1);
        rig_drain(store);
        scene.promised = 1;
        for (int session = 0; session < 3; session++) { /* nothing else is ever written */
            if (session % 2)
                teak_abandon(store);
            else
                rig_close(store);
            store = open_medium(scene.medium);
            expect_one_or_none(store);
        }
        scene.promised = 2;
        rig_append_synced(store, 7, base + 1, base + 1, 2, 100);
        assert_int_equal(rig_log(store, 7).last.term, 2);
        end(store);
    }
}

static void expect_ahead(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    if (log.last.index <= 5) {
        assert_int_equal(scene.promised, 0);
        rig_expect_entries(store, 7, 1, 5);
        return;
    }
    assert_int_equal(log.snapshot.index, 100);
    assert_int_equal(log.base.index, 100);
    assert_int_equal(log.base.term, 7);
    assert_true(log.last.index >= scene.promised);
    rig_expect_entries(store, 7, 101, log.last.index);
}

/* consul #16600: there a snapshot ahead of the log left a gap behind it: followers could not catch up, leaders fell. */
static void consul_16600_a_snapshot_ahead_of_the_log_begins_it_anew(void **state)
{
    (void)state;
    struct teak_store *store = begin("consul_16600");
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 5, 1, 100);
    watch(expect_ahead);
    snapshot(store, 7, 100, 7);
    rig_drain(store);
    scene.promised = 100;
    expect_ahead(store);
    struct teak_error error = {0};
    assert_int_equal(teak_append(store, 7, 150, 7, "x", 1, 0, &error), TEAK_GAP);
    assert_int_equal(teak_append(store, 7, 6, 7, "x", 1, 0, &error), TEAK_BELOW_SNAPSHOT);
    for (uint64_t index = 101; index <= 140; index++) {
        rig_append_synced(store, 7, index, index, 7, 2000);
        scene.promised = index;
    }
    end(store);
}

/* ---- two crashes ---- */

enum { FLYING = 3, TWICE_BYTES = 3000 };

struct second {
    struct sim_medium *image;
    uint64_t kept; /* what the first opening found */
};

/* Up to `kept` it is the first life's, behind that the second's, which wrote frames of just the same size. */
static void expect_two_lives(struct teak_store *store, uint64_t kept)
{
    const uint64_t last = rig_log(store, 7).last.index;
    assert_true(last >= kept);
    rig_expect_entries(store, 7, 1, last);
    for (uint64_t index = 1; index <= last; index++) {
        uint64_t term;
        struct teak_error error = {0};
        rig_ok(teak_term_at(store, 7, index, &term, &error), &error);
        assert_int_equal(term, index <= kept ? 1 : 2);
    }
}

static void cut_again(void *context)
{
    const struct second *second = context;
    if (seeded_below(&scene.seeded, 3) != 0) return;
    struct sim_medium *image = sim_cut(second->image, SIM_POWER, &scene.seeded);
    struct teak_store *store = open_medium(image);
    expect_two_lives(store, second->kept);
    teak_abandon(store);
    sim_free(image);
    scene.looked++;
}

static void live_again(struct sim_medium *image)
{
    struct teak_store *store = open_medium(image);
    struct second second = {.image = image, .kept = rig_log(store, 7).last.index};
    expect_two_lives(store, second.kept);
    sim_set_hook(image, cut_again, &second);
    rig_append(store, 7, second.kept + 1, second.kept + FLYING, 2, TWICE_BYTES);
    rig_drain(store);
    sim_set_hook(image, NULL, NULL);
    teak_abandon(store);
}

static void cut_once(void *context)
{
    (void)context;
    for (uint32_t i = 0; i < 8; i++) {
        struct sim_medium *image = sim_cut(scene.medium, SIM_POWER, &scene.seeded);
        live_again(image);
        sim_free(image);
    }
}

/* raft-wal: there frames behind a commit were taken as proof that it had been acknowledged, and it was not verified. A
 * torn batch leaves frames behind; the next, of the same size, overwrites some of them and tears as well: what is left
 * of the first is accepted as the second's proof. */
static void raft_wal_what_one_crash_left_proves_nothing_in_the_next(void **state)
{
    (void)state;
    for (uint32_t clean = 0; clean < 2; clean++) { /* behind a clean mark the segment is written on in place */
        struct teak_store *store = begin("raft_wal_twice");
        rig_create(store, 7);
        rig_append_synced(store, 7, 1, 3, 1, TWICE_BYTES);
        if (clean)
            rig_close(store);
        else
            teak_abandon(store);
        scene.options.group_bytes = RIG_BLOCK; /* a frame each, on their way together */
        scene.options.in_flight = 8;
        store = open_medium(scene.medium);
        sim_set_hook(scene.medium, cut_once, NULL);
        rig_append(store, 7, 4, 3 + FLYING, 1, TWICE_BYTES);
        rig_drain(store);
        sim_set_hook(scene.medium, NULL, NULL);
        teak_abandon(store);
        sim_free(scene.medium);
        assert_true(scene.looked > 20);
    }
}

/* ---- segments ---- */

static void expect_all_three(struct teak_store *store)
{
    for (uint64_t log = 1; log <= 3; log++) {
        const uint64_t last = rig_log(store, log).last.index;
        assert_true(last >= scene.promised);
        assert_int_equal(last, rig_log(store, 1).last.index); /* batches are whole */
        rig_expect_entries(store, log, 1, last);
    }
}

/* dragonboat's tan: there one call wrote for several groups, rotated in between, and synced the new file alone. */
static void dragonboat_a_rotation_inside_a_batch_loses_nothing(void **state)
{
    (void)state;
    for (enum teak_strategy strategy = TEAK_AUTO; strategy < TEAK_NONE; strategy++) {
        struct teak_store *store = begin("tan");
        teak_abandon(store);
        scene.options.strategy = strategy;
        scene.options.in_flight = 8;
        store = open_medium(scene.medium);
        for (uint64_t log = 1; log <= 3; log++) rig_create(store, log);
        rig_drain(store);
        scene.judge = expect_all_three;
        for (uint64_t index = 1; index <= 24; index++) {
            uint8_t data[3][3000];
            struct teak_bytes entries[3];
            struct teak_op ops[3];
            for (uint64_t log = 1; log <= 3; log++) {
                rig_fill(data[log - 1], 3000, log, index, 1);
                entries[log - 1] = (struct teak_bytes){.data = data[log - 1], .bytes = 3000};
                ops[log - 1] = (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = 1,
                                                .entries = &entries[log - 1], .count = 1};
            }
            struct teak_error error = {0};
            rig_ok(rig_submit(store, &(struct teak_batch){.ops = ops, .count = 3}, &error), &error);
            if (index % 3 != 0) continue; /* so the roll comes among what is not durable */
            rig_drain(store);
            scene.promised = index; /* acknowledged: whatever a cut takes now, this stays */
            look_at_a_cut();
            look_at_a_cut();
        }
        assert_true(store->segments.newest > 3);
        end(store);
    }
}

/* Hard states alone, so that no index is missing whatever of them is. */
static void set_hard_states(struct teak_store *store, uint64_t first, uint64_t last)
{
    for (uint64_t commit = first; commit <= last; commit++) {
        rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7, .term = 1, .vote = 1, .commit = commit});
        rig_drain(store);
    }
}

/* raft-engine: there a gap in the sequence of files silently drops all that are older. */
static void raft_engine_a_sequence_gap_is_never_passed_over(void **state)
{
    (void)state;
    const struct rig rig = rig_make("gap"), less = rig_make("gapless");
    struct teak_store *store = rig_open(&rig, NULL);
    rig_create(store, 7);
    rig_create(store, 8);
    rig_append_synced(store, 8, 1, 1, 1, 10); /* lives in the first segment: none is forgotten */
    set_hard_states(store, 1, 2);
    teak_abandon(store);
    rig_copy(&rig, &less);
    /* one life ends its second segment early, another fills it; both go on from there */
    for (uint64_t commit = 3; commit <= 4; commit++) {
        store = rig_open(&less, NULL);
        set_hard_states(store, commit, commit);
        if (commit == 4)
            rig_close(store); /* its second segment has its index */
        else
            teak_abandon(store);
    }
    store = rig_open(&rig, NULL);
    set_hard_states(store, 3, 80);
    assert_true(store->segments.newest > 5);
    rig_close(store);
    char name[64], from[2 * RIG_PATH], to[2 * RIG_PATH];
    for (uint64_t number = 2; number <= 4; number++) { /* no file of that number */
        rig_segment_name(number, name);
        rig_path(&rig, name, from);
        rig_path(&rig, "away", to);
        assert_int_equal(rename(from, to), 0);
        expect_refused(&rig, TEAK_SEGMENT_MISSING);
        assert_int_equal(rename(to, from), 0);
    }
    /* the other life's: every sum in it holds, and its LSNs end early */
    rig_path(&less, "0000000000000002.seg", from);
    rig_path(&rig, "0000000000000002.seg", to);
    rig_copy_file(from, to);
    expect_refused(&rig, TEAK_DAMAGED);
    rig_remove(less.dir);
    rig_remove(rig.dir);
}

/* ---- space ---- */

static void no_space_ever(void *context)
{
    (void)context;
    sim_fail(scene.medium, DISK_ALLOCATE, 1, ENOSPC);
}

static void expect_before_the_disk_was_full(struct teak_store *store)
{
    const struct teak_log log = rig_log(store, 7);
    assert_true(log.last.index >= scene.promised);
    assert_int_equal(log.hard.commit, 9);
    rig_expect_entries(store, 7, log.first, log.last.index);
}

/* dqlite #309, and its like: there a full disk left files that contradicted each other, and the advice was to delete
 * one of them. */
static void dqlite_309_a_full_disk_costs_nothing_that_was_acknowledged(void **state)
{
    (void)state;
    struct teak_store *store = begin("dqlite_309");
    rig_create(store, 7);
    rig_append_synced(store, 7, 1, 10, 1, 2000);
    sim_set_hook(scene.medium, no_space_ever, NULL);
    no_space_ever(NULL);
    uint8_t data[2000];
    struct teak_error error = {0};
    enum teak_status status = TEAK_OK;
    uint64_t next = 11;
    while (status == TEAK_OK && next < 1000) {
        rig_fill(data, sizeof data, 7, next, 1);
        const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
        status = rig_op(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 7, .index = next, .term = 1,
                                                .entries = &entry, .count = 1}, &error);
        next += status == TEAK_OK;
    }
    assert_int_equal(status, TEAK_NO_SPACE);
    rig_drain(store);
    scene.promised = next - 1;
    rig_do(store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 7, .term = 2, .vote = 1, .commit = 9});
    rig_drain(store);
    scene.judge = expect_before_the_disk_was_full;
    scene.looked = 1;
    for (uint32_t i = 0; i < 8; i++) look_at_a_cut();
    sim_fail(scene.medium, DISK_ALLOCATE, 0, 0);
    sim_set_hook(scene.medium, NULL, NULL);
    compact(store, 7, next - 2); /* room comes back: appends go on, without opening again */
    for (uint64_t turns = 0, last = next + 60; next <= last; turns++) {
        assert_true(turns < 100000);
        rig_fill(data, sizeof data, 7, next, 1);
        const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
        status = rig_op(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 7, .index = next, .term = 1,
                                                .entries = &entry, .count = 1}, &error);
        next += status == TEAK_OK;
        if (status == TEAK_OK) continue;
        assert_int_equal(status, TEAK_NO_SPACE);
        struct teak_completion done[16];
        uint32_t count;
        rig_ok(teak_poll(store, 100000000, done, 16, &count, &error), &error);
    }
    rig_drain(store);
    scene.promised = next - 1;
    end(store);
}

/* ---- copies ---- */

/* pebble #5142: there a copy of a living store, taken while it was writing, looked like corruption. */
static void pebble_5142_a_copied_living_store_is_no_damaged_one(void **state)
{
    (void)state;
    const struct rig rig = rig_make("living"), copy = rig_make("livingcopy");
    struct teak_options options = rig_options();
    options.strategy = TEAK_DSYNC;
    options.in_flight = 16;
    options.group_bytes = RIG_BLOCK;
    options.arena_bytes = 1 << 20;
    struct faulty *faulty = faulty_make(TEAK_BACKEND_POSIX);
    assert_non_null(faulty);
    struct teak_store *store;
    struct teak_error error = {0};
    rig_ok(store_open_on(&faulty->disk, rig.dir, &options, &store, NULL, &error), &error);
    rig_create(store, 7);
    rig_drain(store);
    uint64_t last = 0;
    for (uint32_t round = 0; round < 20; round++) {
        const uint64_t promised = last;
        faulty->holds_writes = true;
        rig_append(store, 7, last + 1, last + 4, 1, 3000); /* four frames, of which some are on the medium */
        last += 4;
        struct teak_completion done[16];
        uint32_t count;
        for (struct rig_patience patience = {0}; faulty->held_count < 3 && rig_waits(&patience);)
            rig_ok(teak_poll(store, 100000, done, 16, &count, &error), &error);
        for (uint32_t i = round % 4; i > 0 && faulty->held_count > 0; i--) /* the newest land first */
            disk_submit(faulty->real, faulty->held[--faulty->held_count]);
        while (faulty->real->submitted != faulty->real->collected)
            rig_ok(teak_poll(store, 100000, done, 16, &count, &error), &error);
        rig_copy(&rig, &copy);
        struct teak_store *second = rig_open(&copy, NULL);
        const uint64_t found = rig_log(second, 7).last.index;
        assert_true(found >= promised && found <= last);
        rig_expect_entries(second, 7, 1, found);
        rig_append_synced(second, 7, found + 1, found + 1, 1, 10);
        rig_close(second);
        faulty_release_all(faulty);
        rig_drain(store);
    }
    rig_close(store);
    rig_remove(copy.dir);
    rig_remove(rig.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wal_db_entries_kept_behind_a_snapshot_survive_its_installation),
        cmocka_unit_test(wal_db_a_failed_sync_is_never_asked_again),
        cmocka_unit_test(wal_db_memory_never_runs_ahead_of_a_failed_write),
        cmocka_unit_test(libraft_a_bad_sum_in_the_middle_is_not_the_end),
        cmocka_unit_test(etcd_a_zeroed_length_is_not_the_end),
        cmocka_unit_test(pebble_6031_the_detector_fires_under_every_strategy),
        cmocka_unit_test(etcd_22442_what_was_truncated_below_a_snapshot_stays_gone),
        cmocka_unit_test(raft_wal_31_the_only_entry_is_removed_and_the_store_lives),
        cmocka_unit_test(consul_16600_a_snapshot_ahead_of_the_log_begins_it_anew),
        cmocka_unit_test(raft_wal_what_one_crash_left_proves_nothing_in_the_next),
        cmocka_unit_test(dragonboat_a_rotation_inside_a_batch_loses_nothing),
        cmocka_unit_test(raft_engine_a_sequence_gap_is_never_passed_over),
        cmocka_unit_test(dqlite_309_a_full_disk_costs_nothing_that_was_acknowledged),
        cmocka_unit_test(pebble_5142_a_copied_living_store_is_no_damaged_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
