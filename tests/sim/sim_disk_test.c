/* sim_disk_test.c: the simulated disk forgets, fails and lies as its header says, and no other way. */
#include "sim_disk.h"
#include "store/rig.h"

enum { SECTOR = 512 };

struct bench {
    struct sim_medium *medium;
    struct disk *disk;
    int32_t root, store, file;
};

static int run_op(struct disk *disk, struct disk_op op) { return disk_run(disk, &op); }

static int32_t open_file(struct disk *disk, int32_t dir, const char *name, uint32_t flags)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = dir, .name = name, .flags = flags};
    assert_int_equal(disk_run(disk, &op), 0);
    return op.file;
}

static int sync_file(struct disk *disk, int32_t file)
{
    return run_op(disk, (struct disk_op){.kind = DISK_SYNC_ALL, .file = file});
}

/* A durable file "f" of eight sectors of 'a'. */
static struct bench set_up(uint32_t flags)
{
    struct bench bench = {.medium = sim_make(1)};
    static uint8_t bytes[8 * SECTOR];
    memset(bytes, 'a', sizeof bytes);
    bench.disk = sim_open(bench.medium);
    bench.store = open_file(bench.disk, DISK_CWD, "store", DISK_DIRECTORY);
    bench.file = open_file(bench.disk, bench.store, "f", DISK_CREATE | DISK_WRITABLE | flags);
    assert_int_equal(run_op(bench.disk, (struct disk_op){.kind = DISK_WRITE, .file = bench.file, .data = bytes,
                                                         .bytes = sizeof bytes}), 0);
    assert_int_equal(sync_file(bench.disk, bench.file), 0);
    assert_int_equal(sync_file(bench.disk, bench.store), 0);
    assert_int_equal(sim_questions(bench.medium, NULL, 0), 0);
    return bench;
}

static void tear_down(const struct bench *bench)
{
    (void)run_op(bench->disk, (struct disk_op){.kind = DISK_CLOSE, .file = bench->file});
    (void)run_op(bench->disk, (struct disk_op){.kind = DISK_CLOSE, .file = bench->store});
    disk_close(bench->disk);
    sim_free(bench->medium);
}

static int put(const struct bench *bench, uint64_t sector, uint32_t count, char what, uint32_t flags)
{
    uint8_t bytes[8 * SECTOR];
    memset(bytes, what, sizeof bytes);
    return run_op(bench->disk, (struct disk_op){.kind = DISK_WRITE, .file = bench->file, .data = bytes, .flags = flags,
                                                .bytes = (uint64_t)count * SECTOR, .offset = sector * SECTOR});
}

/* The file's sectors, a letter each; "?" where a sector is not of one letter, "!" at its end. */
static void letters(struct disk *disk, int32_t file, char out[16])
{
    uint8_t bytes[8 * SECTOR];
    struct disk_op op = {.kind = DISK_READ, .file = file, .data = bytes, .bytes = sizeof bytes};
    assert_int_equal(disk_run(disk, &op), 0);
    uint32_t at = 0;
    for (; at < op.done / SECTOR; at++) {
        out[at] = (char)bytes[at * SECTOR];
        for (uint32_t i = 0; i < SECTOR; i++)
            if (bytes[at * SECTOR + i] != bytes[at * SECTOR]) out[at] = '?';
    }
    out[at] = 0;
}

static void expect_now(const struct bench *bench, const char *want)
{
    char got[16];
    letters(bench->disk, bench->file, got);
    assert_string_equal(got, want);
}

static void expect_of(struct sim_medium *left, const char *name, const char *want)
{
    struct disk *disk = sim_open(left);
    const int32_t store = open_file(disk, DISK_CWD, "store", DISK_DIRECTORY);
    struct disk_op op = {.kind = DISK_OPEN, .dir = store, .name = name};
    const int error = disk_run(disk, &op);
    if (want) {
        char got[16];
        assert_int_equal(error, 0);
        letters(disk, op.file, got);
        assert_string_equal(got, want);
        (void)run_op(disk, (struct disk_op){.kind = DISK_CLOSE, .file = op.file});
    } else {
        assert_int_equal(error, ENOENT);
    }
    (void)run_op(disk, (struct disk_op){.kind = DISK_CLOSE, .file = store});
    disk_close(disk);
    sim_free(left);
}

static void each_unsynced_sector_is_decided_on_its_own(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    assert_int_equal(put(&bench, 2, 3, 'b', 0), 0);
    assert_int_equal(put(&bench, 3, 1, 'c', 0), 0);
    assert_int_equal(put(&bench, 4, 1, 'b', 0), 0); /* says the same again */
    uint16_t answers[8];
    assert_int_equal(sim_questions(bench.medium, answers, 8), 3);
    assert_int_equal(answers[0] * 100 + answers[1] * 10 + answers[2], 232);
    uint64_t prints[12];
    for (uint16_t n = 0; n < 12; n++) {
        const uint16_t answer[] = {n % 2, n / 2 % 3, n / 6};
        const char want[] = {'a', 'a', "ab"[answer[0]], "abc"[answer[1]], "ab"[answer[2]], 'a', 'a', 'a', 0};
        struct sim_medium *left = sim_cut_by(bench.medium, answer, 3);
        prints[n] = sim_fingerprint(left);
        for (uint16_t other = 0; other < n; other++) assert_true(prints[other] != prints[n]);
        expect_of(left, "f", want);
    }
    assert_int_equal(sync_file(bench.disk, bench.file), 0);
    assert_int_equal(sim_questions(bench.medium, NULL, 0), 0);
    expect_of(sim_cut_by(bench.medium, NULL, 0), "f", "aabcbaaa");
    assert_int_equal(put(&bench, 0, 1, 'd', DISK_DSYNC), 0);
    expect_of(sim_cut_by(bench.medium, NULL, 0), "f", "dabcbaaa");
    tear_down(&bench);
}

static void a_sync_covers_what_had_completed_when_it_was_submitted(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    static uint8_t bytes[SECTOR];
    memset(bytes, 'b', sizeof bytes);
    bool has_mattered = false, was_reordered = false;
    for (uint32_t tries = 0; tries < 64; tries++) {
        memset(bytes, 'A' + (int)tries % 26, sizeof bytes);
        struct disk_op write = {.kind = DISK_WRITE, .file = bench.file, .data = bytes, .bytes = SECTOR},
                       sync = {.kind = DISK_SYNC, .file = bench.file}, *done[2];
        disk_submit(bench.disk, &write);
        disk_submit(bench.disk, &sync);
        uint32_t count = disk_collect(bench.disk, done, 2, UINT64_MAX);
        was_reordered |= done[0] == &sync;
        if (count < 2) count += disk_collect(bench.disk, done + count, 2 - count, UINT64_MAX);
        assert_int_equal(count, 2);
        assert_int_equal(sim_questions(bench.medium, NULL, 0), 1); /* whichever came first */
        has_mattered |= done[0] == &write;
        assert_int_equal(sync_file(bench.disk, bench.file), 0);
    }
    assert_true(has_mattered && was_reordered);
    tear_down(&bench);
}

static void names_become_durable_in_their_order(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    const struct disk_op rename = {.kind = DISK_RENAME, .dir = bench.store, .name = "f", .to = "g"};
    assert_int_equal(run_op(bench.disk, rename), 0);
    const int32_t other = open_file(bench.disk, bench.store, "f", DISK_CREATE | DISK_WRITABLE);
    (void)run_op(bench.disk, (struct disk_op){.kind = DISK_CLOSE, .file = other});
    assert_int_equal(run_op(bench.disk, (struct disk_op){.kind = DISK_UNLINK, .dir = bench.store, .name = "g"}), 0);
    static const char *const fs[] = {"aaaaaaaa", NULL, "", ""}, *const gs[] = {NULL, "aaaaaaaa", "aaaaaaaa", NULL};
    uint16_t answers[4];
    assert_int_equal(sim_questions(bench.medium, answers, 4), 1);
    assert_int_equal(answers[0], 4);
    for (uint16_t n = 0; n < 4; n++) {
        expect_of(sim_cut_by(bench.medium, &n, 1), "f", fs[n]);
        expect_of(sim_cut_by(bench.medium, &n, 1), "g", gs[n]);
    }
    assert_int_equal(sync_file(bench.disk, bench.store), 0);
    expect_of(sim_cut_by(bench.medium, NULL, 0), "f", "");
    tear_down(&bench);
}

static void a_size_is_the_old_one_or_the_new(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    assert_int_equal(run_op(bench.disk, (struct disk_op){.kind = DISK_TRUNCATE, .file = bench.file, .bytes = 1024}), 0);
    assert_int_equal(run_op(bench.disk, (struct disk_op){.kind = DISK_ALLOCATE, .file = bench.file, .bytes = 2048}), 0);
    uint16_t answer = 0;
    assert_int_equal(sim_questions(bench.medium, NULL, 0), 1);
    expect_of(sim_cut_by(bench.medium, &answer, 1), "f", "aaaaaaaa");
    struct sim_medium *left = sim_cut_by(bench.medium, (answer = 1, &answer), 1);
    struct disk *disk = sim_open(left);
    const int32_t file = open_file(disk, DISK_CWD, "store/f", 0);
    char got[16];
    letters(disk, file, got); /* the third and the fourth are zeros: the string ends there */
    assert_string_equal(got, "aa");
    (void)run_op(disk, (struct disk_op){.kind = DISK_CLOSE, .file = file});
    disk_close(disk);
    sim_free(left);
    tear_down(&bench);
}

/* It drops what it covered, or not, sector by sector; the next one succeeds and brings nothing back. */
static void a_failed_sync_drops_and_the_next_one_lies(void **state)
{
    (void)state;
    for (uint32_t flags = 0; flags <= DISK_DIRECT; flags += DISK_DIRECT) {
        struct bench bench = set_up(flags);
        assert_int_equal(put(&bench, 0, 8, 'b', 0), 0);
        sim_set_faults(bench.medium, (struct sim_faults){.fail_one_in = 1, .seed = 3});
        assert_int_equal(sync_file(bench.disk, bench.file), EIO);
        sim_set_faults(bench.medium, (struct sim_faults){0});
        assert_int_equal(sim_hits(bench.medium).failed_syncs, 1);
        assert_true(sim_hits(bench.medium).dropped_sectors > 0 && sim_hits(bench.medium).dropped_sectors < 8);
        char shown[16], kept[16];
        letters(bench.disk, bench.file, shown);
        assert_int_equal(sync_file(bench.disk, bench.file), 0);
        assert_int_equal(disk_drop_cache(bench.disk, bench.file), 0);
        letters(bench.disk, bench.file, kept);
        assert_true(strchr(kept, 'a') != NULL && strchr(kept, 'b') != NULL);
        assert_string_equal(shown, flags ? kept : "bbbbbbbb"); /* the page cache knows no better */
        assert_int_equal(sim_questions(bench.medium, NULL, 0), 0);
        expect_of(sim_cut_by(bench.medium, NULL, 0), "f", kept);
        tear_down(&bench);
    }
}

static void a_failed_write_leaves_some_of_it(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    sim_set_faults(bench.medium, (struct sim_faults){.fail_one_in = 1, .seed = 3});
    const int error = put(&bench, 0, 8, 'b', 0);
    assert_true(error == EIO || error == ENOSPC);
    sim_set_faults(bench.medium, (struct sim_faults){0});
    char got[16];
    letters(bench.disk, bench.file, got);
    assert_true(strchr(got, 'a') != NULL && strchr(got, 'b') != NULL);
    tear_down(&bench);
}

static void count_halves(void *context)
{
    uint64_t *halves = context;
    ++*halves;
}

static void a_short_write_is_two(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    uint64_t changes = 0;
    sim_set_hook(bench.medium, count_halves, &changes);
    sim_set_faults(bench.medium, (struct sim_faults){.shorten_one_in = 1, .seed = 3});
    assert_int_equal(put(&bench, 0, 8, 'b', 0), 0);
    assert_int_equal(changes, 2);
    assert_int_equal(sim_hits(bench.medium).shortened, 1);
    assert_int_equal(bench.disk->counters.short_transfers, 1);
    sim_set_hook(bench.medium, NULL, NULL);
    expect_now(&bench, "bbbbbbbb");
    assert_int_equal(put(&bench, 0, 8, 'c', DISK_DSYNC), 0); /* durable are both parts */
    expect_of(sim_cut_by(bench.medium, NULL, 0), "f", "cccccccc");
    tear_down(&bench);
}

static void lost_and_stray_writes_are_acknowledged(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    sim_set_faults(bench.medium, (struct sim_faults){.lose_one_in = 1, .lies_max = 1, .seed = 3});
    assert_int_equal(put(&bench, 0, 2, 'b', 0), 0);
    assert_int_equal(sim_hits(bench.medium).lost, 1);
    expect_now(&bench, "aaaaaaaa");
    assert_int_equal(put(&bench, 0, 2, 'b', 0), 0); /* only one is */
    expect_now(&bench, "bbaaaaaa");
    sim_set_faults(bench.medium, (struct sim_faults){.misdirect_one_in = 1, .lies_max = 2, .seed = 5});
    assert_int_equal(put(&bench, 0, 1, 'c', 0), 0);
    assert_int_equal(sim_hits(bench.medium).misdirected, 1);
    char got[16];
    letters(bench.disk, bench.file, got);
    assert_non_null(strchr(got + 1, 'c'));
    tear_down(&bench);
}

static void a_stall_takes_time_and_rot_one_sector(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    const uint64_t before = disk_now(bench.disk);
    sim_set_faults(bench.medium, (struct sim_faults){.stall_one_in = 1, .stall_ns = UINT64_C(1) << 40, .seed = 3});
    assert_int_equal(put(&bench, 0, 1, 'b', DISK_DSYNC), 0);
    assert_true(disk_now(bench.disk) - before > UINT64_C(1000000000));
    sim_set_faults(bench.medium, (struct sim_faults){0});
    struct seeded seeded = {.state = 1};
    for (uint32_t i = 0; i < 100; i++) {
        struct sim_decay rot;
        const uint64_t print = sim_fingerprint(bench.medium);
        const bool has_changed = sim_decay(bench.medium, &seeded, &rot);
        assert_int_equal(has_changed, sim_fingerprint(bench.medium) != print);
        assert_string_equal(rot.name, "f");
        assert_true(rot.offset < (uint64_t)8 * SECTOR && rot.offset % SECTOR == 0);
    }
    tear_down(&bench);
}

static void a_kill_leaves_the_cache(void **state)
{
    (void)state;
    struct bench bench = set_up(0);
    struct seeded seeded = {.state = 1};
    assert_int_equal(put(&bench, 1, 2, 'b', 0), 0);
    struct sim_medium *left = sim_cut(bench.medium, SIM_KILL, &seeded);
    assert_int_equal(sim_questions(left, NULL, 0), 2); /* and the power may go later */
    expect_of(left, "f", "abbaaaaa");
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_unsynced_sector_is_decided_on_its_own),
        cmocka_unit_test(a_sync_covers_what_had_completed_when_it_was_submitted),
        cmocka_unit_test(names_become_durable_in_their_order),
        cmocka_unit_test(a_size_is_the_old_one_or_the_new),
        cmocka_unit_test(a_failed_sync_drops_and_the_next_one_lies),
        cmocka_unit_test(a_failed_write_leaves_some_of_it),
        cmocka_unit_test(a_short_write_is_two),
        cmocka_unit_test(lost_and_stray_writes_are_acknowledged),
        cmocka_unit_test(a_stall_takes_time_and_rot_one_sector),
        cmocka_unit_test(a_kill_leaves_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
