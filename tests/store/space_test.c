/* space_test.c: file systems that are really full: a small ext4 on a loop device, a small tmpfs, and a btrfs where a
 * quota is used up, mounted in a mount namespace of this process's own, so that nothing is left mounted however the
 * program ends. Needs root; else skipped.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include "store/backends.h"

enum { MIB = 1 << 20, SEGMENT = MIB, ENTRY = 4000, DISK_MIB = 24, MS = 1000000 };

enum kind { EXT4, TMPFS, KINDS };
static const char *const kind_names[] = {"ext4", "tmpfs"};

static char base[RIG_PATH]; /* a directory of this program's own on the build's file system */

/* ---- small file systems ---- */

struct small {
    struct rig rig;          /* the store, on the file system */
    char mount[RIG_PATH], image[RIG_PATH];
};

static int run(const char *const *words)
{
    const pid_t child = fork();
    if (child == 0) {
        execvp(words[0], (char *const *)(uintptr_t)words);
        _exit(127);
    }
    int status = -1;
    if (child > 0) waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool make_image(const struct small *small, uint32_t mib)
{
    const int file = open(small->image, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    const bool made = file >= 0 && ftruncate(file, (off_t)mib * MIB) == 0;
    if (file >= 0) close(file);
    return made;
}

static bool mount_ext4(const struct small *small, uint32_t mib)
{
    const char *const mkfs[] = {"mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", small->image, NULL};
    const char *const mount[] = {"mount", "-o", "loop", small->image, small->mount, NULL};
    return make_image(small, mib) && run(mkfs) == 0 && run(mount) == 0;
}

static bool mount_small(enum kind kind, uint32_t mib, struct small *small)
{
    static int number;
    number++;
    snprintf(small->mount, sizeof small->mount, "%.400s/mount%d", base, number);
    snprintf(small->image, sizeof small->image, "%.400s/image%d", base, number);
    snprintf(small->rig.dir, sizeof small->rig.dir, "%.480s/store", small->mount);
    if (mkdir(small->mount, 0700) != 0) return false;
    char options[32];
    snprintf(options, sizeof options, "size=%um", mib);
    return kind == EXT4 ? mount_ext4(small, mib) : mount("none", small->mount, "tmpfs", 0, options) == 0;
}

static void unmount_small(const struct small *small)
{
    if (umount2(small->mount, MNT_DETACH) != 0) print_message("%s stays mounted\n", small->mount);
    (void)rmdir(small->mount);
    (void)unlink(small->image);
}

static uint64_t free_bytes(const struct small *small)
{
    struct statvfs space;
    assert_int_equal(statvfs(small->mount, &space), 0);
    return (uint64_t)space.f_bavail * space.f_frsize;
}

static void ballast_name(const struct small *small, char out[2 * RIG_PATH])
{
    snprintf(out, 2 * RIG_PATH, "%s/ballast", small->mount);
}

/* Somebody else takes all but `leave` bytes. */
static void put_ballast(const struct small *small, uint64_t leave)
{
    char name[2 * RIG_PATH];
    ballast_name(small, name);
    const int file = open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    struct stat stat;
    assert_int_equal(fstat(file, &stat), 0);
    for (uint64_t end = (uint64_t)stat.st_size, step = MIB; step >= 4096;) {
        const uint64_t has = free_bytes(small);
        if (has < leave + step || posix_fallocate(file, (off_t)end, (off_t)step) != 0)
            step /= 2;
        else
            end += step;
    }
    close(file);
}

static void drop_ballast(const struct small *small)
{
    char name[2 * RIG_PATH];
    ballast_name(small, name);
    assert_int_equal(unlink(name), 0);
}

/* ---- a store that listens ---- */

static uint32_t heard[64];

static void hear(void *context, const struct teak_event *event)
{
    (void)context;
    if ((unsigned)event->kind < 64) heard[event->kind]++;
}

static struct teak_options small_options(void)
{
    memset(heard, 0, sizeof heard);
    struct teak_options options = backend_options();
    options.segment_bytes = SEGMENT;
    options.on_event = hear;
    return options;
}

static struct teak_store *open_small(const struct small *small)
{
    const struct teak_options options = small_options();
    return rig_open_with(&small->rig, &options, NULL);
}

static enum teak_status try_entry(struct teak_store *store, uint64_t index, struct teak_error *error)
{
    uint8_t data[ENTRY];
    rig_fill(data, sizeof data, 1, index, 1);
    const struct teak_bytes entry = {.data = data, .bytes = sizeof data};
    return rig_op(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = 1, .index = index, .term = 1,
                                          .entries = &entry, .count = 1}, error);
}

/* Appends until there is no space; the last index that was taken, and is durable. */
static uint64_t fill_up(struct teak_store *store, uint64_t next)
{
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = try_entry(store, next, &error)) == TEAK_OK) {
        next++;
        assert_true(next < 100000);
    }
    assert_int_equal(status, TEAK_NO_SPACE);
    assert_int_equal(error.status, TEAK_NO_SPACE);
    rig_drain(store);
    assert_int_equal(rig_log(store, 1).durable.index, next - 1);
    return next - 1;
}

static enum teak_status try_hard_state(struct teak_store *store, uint64_t commit)
{
    struct teak_error error = {0};
    const enum teak_status status = rig_op(
        store, (struct teak_op){.op = TEAK_OP_HARD_STATE, .log = 1, .term = 1, .vote = 1, .commit = commit}, &error);
    if (status == TEAK_OK) rig_drain(store); /* a frame of its own */
    return status;
}

static void compact(struct teak_store *store, uint64_t index)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_COMPACT, .log = 1, .index = index});
    rig_drain(store);
}

/* Appends go on, without reopening, within a few of the supply's tries. */
static void resume(struct teak_store *store, uint64_t index)
{
    struct teak_error error = {0};
    enum teak_status status = TEAK_NO_SPACE;
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        status = try_entry(store, index, &error);
        if (status != TEAK_NO_SPACE) break;
        uint32_t count;
        rig_ok(teak_poll(store, 20 * MS, NULL, 0, &count, &error), &error);
        usleep(20000);
    }
    rig_ok(status, &error);
    rig_drain(store);
}

static void expect_all_after_reopening(const struct small *small, uint64_t first, uint64_t last, uint64_t commit)
{
    struct teak_store *store = open_small(small);
    rig_expect_entries(store, 1, first, last);
    assert_int_equal(rig_log(store, 1).hard.commit, commit);
    rig_close(store);
}

typedef void (*small_fn)(const struct small *small);

static void on_each(uint32_t mib, small_fn fn)
{
    for (enum kind kind = EXT4; kind < KINDS; kind++) {
        struct small small;
        if (!mount_small(kind, mib, &small)) {
            print_message("skipped: no %s can be mounted here\n", kind_names[kind]);
            continue;
        }
        fn(&small);
        unmount_small(&small);
    }
}

/* ---- the tests ---- */

static void refuse_and_resume(const struct small *small)
{
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    const uint64_t last = fill_up(store, 1);
    assert_true(last > 8 * SEGMENT / ENTRY);
    struct teak_stats stats = rig_stats(store);
    assert_true(stats.lacks_space && stats.no_space > 0 && stats.supply_failures > 0 && !stats.poisoned);
    assert_true(heard[TEAK_EVENT_SPACE_LOW] == 1 && heard[TEAK_EVENT_NO_SPACE] == 1);
    assert_int_equal(heard[TEAK_EVENT_SPACE_BACK], 0);
    /* what grows is refused, whole */
    struct teak_error error = {0};
    const struct teak_bytes entry = {.data = "new", .bytes = 3};
    const struct teak_op both[] = {{.op = TEAK_OP_CREATE, .log = 9},
                                   {.op = TEAK_OP_ENTRIES, .log = 9, .index = 1, .term = 1, .entries = &entry,
                                    .count = 1}};
    assert_int_equal(rig_submit(store, &(struct teak_batch){.ops = both, .count = 2}, &error), TEAK_NO_SPACE);
    assert_int_equal(rig_op(store, both[0], &error), TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, ENOSPC);
    struct teak_log log;
    assert_int_equal(teak_log(store, 9, &log, &error), TEAK_UNKNOWN_LOG);
    /* what does not, is not */
    for (uint64_t commit = 1; commit <= 50; commit++) assert_int_equal(try_hard_state(store, commit), TEAK_OK);
    rig_do(store, (struct teak_op){.op = TEAK_OP_TRUNCATE, .log = 1, .index = last});
    rig_do(store, (struct teak_op){.op = TEAK_OP_META, .log = 1, .data = "word", .bytes = 4});
    compact(store, last / 2);
    resume(store, last);
    uint64_t next = last + 1;
    for (; next <= last + 300; next++) rig_ok(try_entry(store, next, &error), &error);
    rig_expect_entries(store, 1, last / 2 + 1, next - 1);
    assert_false(rig_stats(store).poisoned);
    rig_close(store);
    expect_all_after_reopening(small, last / 2 + 1, next - 1, 50);
}

static void appends_stop_and_go_on_when_compaction_frees_segments(void **state)
{
    (void)state;
    on_each(DISK_MIB, refuse_and_resume);
}

static void fill_by_others(const struct small *small)
{
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, ENTRY); /* the supply is at work: the disk fills in the middle of it */
    put_ballast(small, 0);
    const uint64_t last = fill_up(store, 4);
    assert_true(heard[TEAK_EVENT_NO_SPACE] >= 1);
    uint64_t commit = 1;
    for (; commit <= 20; commit++) assert_int_equal(try_hard_state(store, commit), TEAK_OK);
    drop_ballast(small);
    resume(store, last + 1);
    const uint64_t more = last + 3 * SEGMENT / ENTRY;
    for (uint64_t next = last + 2; next <= more; next++) {
        struct teak_error error = {0};
        rig_ok(try_entry(store, next, &error), &error);
    }
    rig_drain(store);
    assert_true(heard[TEAK_EVENT_SPACE_BACK] >= 1);
    assert_false(rig_stats(store).lacks_space);
    rig_expect_entries(store, 1, 1, more);
    rig_close(store);
    expect_all_after_reopening(small, 1, more, 20);
}

static void appends_go_on_when_others_free_space(void **state)
{
    (void)state;
    on_each(DISK_MIB, fill_by_others);
}

/* History 28: about 16,000 of 64 MiB; of 1 MiB a 64th. */
static void use_up_the_reserve(const struct small *small)
{
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    const uint64_t last = fill_up(store, 1);
    uint64_t commit = 0;
    while (try_hard_state(store, commit + 1) == TEAK_OK) commit++;
    print_message("%d lone frames\n", (int)commit);
    assert_true(commit >= SEGMENT / RIG_BLOCK - 10);
    assert_int_equal(try_hard_state(store, commit + 1), TEAK_NO_SPACE); /* not poison, not a wait without end */
    struct teak_error error = {0};
    assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
    rig_expect_entries(store, 1, 1, last);
    rig_close(store); /* room for the clean mark was kept */
    struct teak_report report;
    const struct teak_options options = small_options();
    store = rig_open_with(&small->rig, &options, &report);
    assert_int_equal(report.verdict, TEAK_VERDICT_CLEAN);
    rig_close(store);
    expect_all_after_reopening(small, 1, last, commit);
}

static void the_reserve_takes_a_segment_of_lone_frames(void **state)
{
    (void)state;
    on_each(12, use_up_the_reserve);
}

/* The file that is made when space is back is the reserve's, before any entry goes behind it. */
static void refill_the_reserve_first(const struct small *small)
{
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, ENTRY);
    put_ballast(small, 3 * SEGMENT);
    uint64_t last = fill_up(store, 4);
    put_ballast(small, 0);
    uint64_t commit = 0;
    while (try_hard_state(store, commit + 1) == TEAK_OK) commit++;
    const uint32_t ready = heard[TEAK_EVENT_SEGMENT_READY];
    drop_ballast(small);
    put_ballast(small, SEGMENT + SEGMENT / 2); /* room for one */
    struct teak_error error = {0};
    /* made within two tries, then prepared */
    for (struct rig_patience patience = {0}; !rig_stats(store).spares && rig_waits(&patience);) {
        assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
        uint32_t count;
        rig_ok(teak_poll(store, 20 * MS, NULL, 0, &count, &error), &error);
        usleep(10000);
        if (heard[TEAK_EVENT_SEGMENT_READY] > ready) break;
    }
    assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
    const uint64_t before = commit;
    while (try_hard_state(store, commit + 1) == TEAK_OK) commit++;
    assert_true(commit - before >= SEGMENT / RIG_BLOCK - 10);
    drop_ballast(small);
    last++;
    resume(store, last);
    rig_expect_entries(store, 1, 1, last);
    rig_close(store);
    expect_all_after_reopening(small, 1, last, commit);
}

static void the_reserve_is_refilled_first(void **state)
{
    (void)state;
    on_each(DISK_MIB, refill_the_reserve_first);
}

/* What the store's files take of the file system; one that is being tried to make aside. */
static uint64_t disk_use(const struct small *small)
{
    uint32_t tries = 0;
    DIR *list = opendir(small->rig.dir);
    assert_non_null(list);
    uint64_t bytes = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        char path[2 * RIG_PATH];
        struct stat stat;
        rig_path(&small->rig, entry->d_name, path);
        if (entry->d_name[0] == '.' || lstat(path, &stat) != 0) continue;
        const bool is_try = strstr(entry->d_name, ".tmp") != NULL;
        tries += is_try;
        if (!is_try) bytes += (uint64_t)stat.st_blocks * 512;
    }
    closedir(list);
    assert_true(tries <= 1);
    return bytes;
}

static void reopen_full(const struct small *small)
{
    put_ballast(small, 6 * SEGMENT);
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    uint64_t last = fill_up(store, 1), commit = 0;
    rig_close(store);
    put_ballast(small, 0); /* nearly a segment was left: what the file system gives back must not make it one */
    struct teak_error error = {0};
    store = open_small(small); /* after a clean close the reserve is still there */
    assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
    teak_abandon(store);
    store = open_small(small); /* after a crash the reserve is the segment that goes on */
    for (; commit < 30; commit++) assert_int_equal(try_hard_state(store, commit + 1), TEAK_OK);
    assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
    rig_expect_entries(store, 1, 1, last);
    char name[64], path[2 * RIG_PATH], second[2 * RIG_PATH];
    rig_segment_name(rig_stats(store).newest_segment, name);
    rig_path(&small->rig, name, path);
    rig_join(small->mount, "backup", second);
    teak_abandon(store);
    assert_int_equal(link(path, second), 0);
    store = open_small(small); /* after another there is none: into somebody's backup nothing is written */
    assert_int_equal(try_hard_state(store, commit + 1), TEAK_NO_SPACE);
    rig_expect_entries(store, 1, 1, last);
    assert_int_equal(unlink(second), 0); /* else it is written on */
    assert_int_equal(try_hard_state(store, ++commit), TEAK_OK);
    assert_int_equal(try_entry(store, last + 1, &error), TEAK_NO_SPACE);
    rig_expect_entries(store, 1, 1, last);
    drop_ballast(small);
    assert_int_equal(try_hard_state(store, ++commit), TEAK_OK); /* without reopening */
    compact(store, last - 100);
    last++;
    resume(store, last);
    rig_expect_entries(store, 1, last - 100, last);
    rig_close(store);
    expect_all_after_reopening(small, last - 100, last, commit);
}

/* A service that dies at once, again and again, on a disk that is full: each life reads everything, takes a hard state
 * and compacts, and none of them takes space. `rolls`: the reserve was begun before the first crash. */
static void die_young_on_full(const struct small *small, bool rolls)
{
    enum { LIVES = 50 };
    put_ballast(small, 6 * SEGMENT);
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    const uint64_t last = fill_up(store, 1);
    put_ballast(small, 0);
    uint64_t commit = 0, first = 1;
    const uint64_t newest = rig_stats(store).newest_segment;
    while (rolls && rig_stats(store).newest_segment == newest)
        assert_int_equal(try_hard_state(store, ++commit), TEAK_OK);
    const uint64_t used = disk_use(small);
    for (uint32_t life = 0; life < LIVES; life++) {
        teak_abandon(store);
        store = open_small(small);
        rig_expect_entries(store, 1, first, last);
        assert_int_equal(rig_log(store, 1).hard.commit, commit);
        assert_int_equal(try_hard_state(store, ++commit), TEAK_OK);
        compact(store, first++);
        if (disk_use(small) > used) fail_msg("%d bytes, and %d before", (int)disk_use(small), (int)used);
    }
    assert_true(rig_stats(store).newest_segment <= newest + 2);
    drop_ballast(small);
    resume(store, last + 1);
    rig_close(store);
    expect_all_after_reopening(small, first, last + 1, commit);
}

static void die_young(const struct small *small) { die_young_on_full(small, false); }
static void die_young_in_the_reserve(const struct small *small) { die_young_on_full(small, true); }

static void fifty_crashes_on_a_full_disk_take_no_space(void **state)
{
    (void)state;
    on_each(12, die_young);
    on_each(12, die_young_in_the_reserve);
}

static void a_full_store_can_be_opened_and_compacted(void **state)
{
    (void)state;
    on_each(12, reopen_full);
}

static void create_on_full(const struct small *small)
{
    put_ballast(small, SEGMENT / 2);
    struct teak_options options = small_options();
    struct teak_store *store;
    struct teak_error error = {0};
    assert_int_equal(rig_try_open(&small->rig, &options, &store, NULL, &error), TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, ENOSPC);
    drop_ballast(small);
    store = open_small(small); /* begun anew */
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 3, 1, ENTRY);
    rig_close(store);
    expect_all_after_reopening(small, 1, 3, 0);
}

static void creation_on_a_full_disk_says_so_and_can_be_repeated(void **state)
{
    (void)state;
    on_each(12, create_on_full);
}

/* The least that goes round: active, its predecessor, and the next one. */
static void go_round(const struct small *small)
{
    struct teak_store *store = open_small(small);
    rig_create(store, 1);
    put_ballast(small, 2 * SEGMENT + SEGMENT / 2);
    struct teak_error error = {0};
    uint64_t last = 0;
    for (uint32_t rounds = 0; rounds < 12; rounds++) {
        while (try_entry(store, last + 1, &error) == TEAK_OK) last++;
        assert_int_equal(error.status, TEAK_NO_SPACE);
        rig_drain(store);
        assert_int_equal(try_hard_state(store, rounds + 1), TEAK_OK);
        compact(store, last);
        last++;
        resume(store, last);
    }
    assert_true(rig_stats(store).segments <= 3);
    assert_true(rig_stats(store).newest_segment > 6);
    const uint64_t first = rig_log(store, 1).first;
    rig_close(store);
    expect_all_after_reopening(small, first, last, 12);
}

static void three_segments_go_round(void **state)
{
    (void)state;
    on_each(12, go_round);
}

/* ---- a quota ---- */

static bool limit_quota(const struct small *small, const char *bytes)
{
    const char *const limit[] = {"btrfs", "qgroup", "limit", bytes, small->rig.dir, NULL};
    return run(limit) == 0;
}

/* A btrfs with much room, and in it a subvolume that may have little. */
static bool mount_quota(struct small *small, const char *bytes)
{
    enum { BTRFS_MIB = 512 };
    snprintf(small->mount, sizeof small->mount, "%.400s/quota", base);
    snprintf(small->image, sizeof small->image, "%.400s/quota.image", base);
    snprintf(small->rig.dir, sizeof small->rig.dir, "%.480s/store", small->mount);
    const char *const mkfs[] = {"mkfs.btrfs", "-q", "-f", small->image, NULL};
    const char *const mount[] = {"mount", "-o", "loop", small->image, small->mount, NULL};
    const char *const enable[] = {"btrfs", "-q", "quota", "enable", small->mount, NULL};
    const char *const make[] = {"btrfs", "-q", "subvolume", "create", small->rig.dir, NULL};
    if (mkdir(small->mount, 0700) != 0 || !make_image(small, BTRFS_MIB) || run(mkfs) != 0 || run(mount) != 0)
        return false;
    if (run(enable) == 0 && run(make) == 0 && limit_quota(small, bytes)) return true;
    unmount_small(small);
    return false;
}

static void a_quota_is_no_space(void **state)
{
    (void)state;
    struct small small;
    if (!mount_quota(&small, "24M")) {
        print_message("skipped: no btrfs with quotas here\n");
        return;
    }
    struct teak_store *store = open_small(&small);
    rig_create(store, 1);
    uint64_t last = fill_up(store, 1);
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = try_entry(store, last + 1, &error)) == TEAK_OK) last++; /* where a btrfs gave a little back */
    rig_drain(store);
    assert_int_equal(status, TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, EDQUOT);
    assert_true(free_bytes(&small) > 64 * MIB);
    assert_true(heard[TEAK_EVENT_NO_SPACE] >= 1 && !rig_stats(store).poisoned);
    uint64_t commit = 0;
    for (uint32_t life = 0; life < 5; life++) {
        assert_int_equal(try_hard_state(store, ++commit), TEAK_OK);
        compact(store, commit);
        teak_abandon(store);
        store = open_small(&small);
        rig_expect_entries(store, 1, commit + 1, last);
    }
    assert_int_equal(try_hard_state(store, ++commit), TEAK_OK);
    assert_true(limit_quota(&small, "none"));
    resume(store, last + 1); /* without reopening */
    rig_close(store);
    expect_all_after_reopening(&small, commit, last + 1, commit);
    unmount_small(&small);
}

/* ---- RLIMIT_FSIZE ---- */

static void set_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* In a child, so that a SIGXFSZ would end that, and be seen. */
static void under_limit(void)
{
    struct rig rig;
    snprintf(rig.dir, sizeof rig.dir, "%.400s/limited", base);
    struct teak_options options = small_options();
    struct teak_store *store;
    struct teak_error error = {0};
    set_limit(SEGMENT - 1);
    assert_int_equal(rig_try_open(&rig, &options, &store, NULL, &error), TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, EFBIG);
    set_limit(RLIM_INFINITY);
    store = rig_open_with(&rig, &options, NULL);
    rig_create(store, 1);
    rig_append_synced(store, 1, 1, 5, 1, ENTRY);
    rig_close(store);
    set_limit(SEGMENT - 1); /* it opens and reads; what it would write may end beyond the limit */
    store = rig_open_with(&rig, &options, NULL);
    rig_expect_entries(store, 1, 1, 5);
    assert_int_equal(try_entry(store, 6, &error), TEAK_NO_SPACE);
    assert_int_equal(error.os_errno, EFBIG);
    set_limit(RLIM_INFINITY); /* and goes on, without reopening */
    rig_ok(try_entry(store, 6, &error), &error);
    rig_drain(store);
    rig_close(store);
    store = rig_open_with(&rig, &options, NULL);
    rig_expect_entries(store, 1, 1, 6);
    rig_close(store);
    rig_remove(rig.dir);
}

static void a_file_size_limit_is_no_space_and_no_signal(void **state)
{
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGXFSZ, SIG_DFL);
        under_limit();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv)
{
    if (geteuid() != 0) {
        printf("skipped: mounting needs root\n");
        return 77;
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        printf("skipped: no mount namespace of its own: %s\n", strerror(errno));
        return 77;
    }
    const char *where = getenv("TEAK_TEST_DIR");
    snprintf(base, sizeof base, "%.400s/space.%d", where ? where : ".", (int)getpid());
    if (mkdir(base, 0700) != 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_stop_and_go_on_when_compaction_frees_segments),
        cmocka_unit_test(appends_go_on_when_others_free_space),
        cmocka_unit_test(the_reserve_takes_a_segment_of_lone_frames),
        cmocka_unit_test(the_reserve_is_refilled_first),
        cmocka_unit_test(a_full_store_can_be_opened_and_compacted),
        cmocka_unit_test(fifty_crashes_on_a_full_disk_take_no_space),
        cmocka_unit_test(creation_on_a_full_disk_says_so_and_can_be_repeated),
        cmocka_unit_test(three_segments_go_round),
        cmocka_unit_test(a_quota_is_no_space),
        cmocka_unit_test(a_file_size_limit_is_no_space_and_no_signal),
    };
    const int result = backends_run(argc, argv, "space", tests, sizeof tests / sizeof tests[0]);
    rig_remove(base);
    return result;
}
