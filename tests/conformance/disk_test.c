/* disk_test.c: what engine/os/disk.h promises, asked of both real backends, on a real file system and on tmpfs.
 * TEAK_TEST_DIR names the directory of the first; else one is made under the current directory. Where the machine has
 * no io_uring its half is skipped, with a line that says so; nothing to run at all is exit 77.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/disk.h"

enum { KIB = 1024, MIB = 1024 * KIB, BLOCK = 4096 };
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

/* ---- one store's disk in an empty directory ---- */

static struct {
    bool uring;
    char root[256]; /* made and removed by this program */
    char path[300]; /* of the running test */
    struct disk *disk;
    int32_t dir;
    bool direct_io;
} now;

static int open_backend(struct disk **out) { return now.uring ? disk_uring_open(out) : disk_posix_open(3, out); }

static int set_up(void **state)
{
    (void)state;
    snprintf(now.path, sizeof now.path, "%s/case", now.root);
    assert_int_equal(mkdir(now.path, 0700), 0);
    now.dir = open(now.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(now.dir >= 0);
    assert_int_equal(open_backend(&now.disk), 0);
    struct disk_device device;
    assert_int_equal(disk_probe(now.disk, now.dir, &device), 0);
    now.direct_io = device.direct_io && strcmp(device.filesystem, "tmpfs") != 0;
    return 0;
}

static void remove_name(void *context, const char *name)
{
    const int *dir = context;
    if (unlinkat(*dir, name, 0) != 0) (void)unlinkat(*dir, name, AT_REMOVEDIR);
}

static int tear_down(void **state)
{
    (void)state;
    /* A test that failed half-way may have left readers of a pipe waiting, which closing would wait for in turn. */
    const int fifo = openat(now.dir, "fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    disk_list(now.disk, now.dir, remove_name, &now.dir);
    if (now.disk) disk_close(now.disk);
    if (fifo >= 0) close(fifo);
    close(now.dir);
    return rmdir(now.path);
}

/* Submit and wait for that one: the way the engine's hot path goes. */
static int do_async(struct disk_op *op)
{
    struct disk_op *done = NULL;
    disk_submit(now.disk, op);
    assert_int_equal(disk_collect(now.disk, &done, 1, UINT64_MAX), 1);
    assert_ptr_equal(done, op);
    return op->error;
}

/* Each kind is tried through both doors. */
typedef int (*door)(struct disk_op *op);
static int do_now(struct disk_op *op) { return disk_run(now.disk, op); }

static int32_t open_file(const char *name, uint32_t flags)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = name, .flags = flags};
    assert_int_equal(do_now(&op), 0);
    return op.file;
}

static void close_file(int32_t file)
{
    struct disk_op op = {.kind = DISK_CLOSE, .file = file};
    assert_int_equal(do_now(&op), 0);
}

static uint8_t *blocks(size_t bytes, int fill)
{
    uint8_t *data = aligned_alloc(BLOCK, bytes);
    assert_non_null(data);
    memset(data, fill, bytes);
    return data;
}

#define skip_as(why) (print_message("skipped: %s\n", why), skip())

static uint64_t size_of(int32_t file)
{
    struct disk_file_info info;
    assert_int_equal(disk_stat(now.disk, file, &info), 0);
    return info.bytes;
}

/* ---- every kind, through both doors ---- */

static void each_kind(door through)
{
    char text[] = "first";
    char back[16] = "";
    struct disk_op open_op = {.kind = DISK_OPEN, .dir = now.dir, .name = "a", .flags = DISK_CREATE | DISK_WRITABLE};
    assert_int_equal(through(&open_op), 0);
    const int32_t file = open_op.file;
    assert_true(file >= 0);
    assert_int_equal(fcntl(file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(through(&open_op), EEXIST);
    assert_int_equal(open_op.file, DISK_NONE);

    struct disk_op write_op = {.kind = DISK_WRITE, .file = file, .data = text, .bytes = 5, .offset = 3};
    assert_int_equal(through(&write_op), 0);
    assert_int_equal(write_op.done, 5);
    write_op.bytes = 0;
    assert_int_equal(through(&write_op), 0);
    struct disk_op sync_op = {.kind = DISK_SYNC, .file = file};
    assert_int_equal(through(&sync_op), 0);
    sync_op = (struct disk_op){.kind = DISK_SYNC_ALL, .file = now.dir};
    assert_int_equal(through(&sync_op), 0);

    struct disk_op read_op = {.kind = DISK_READ, .file = file, .data = back, .bytes = 16};
    assert_int_equal(through(&read_op), 0);
    assert_int_equal(read_op.done, 8); /* short: the end of the file */
    assert_memory_equal(back, "\0\0\0first", 8);
    read_op.offset = 8;
    assert_int_equal(through(&read_op), 0);
    assert_int_equal(read_op.done, 0);

    struct disk_op size_op = {.kind = DISK_ALLOCATE, .file = file, .bytes = MIB};
    assert_int_equal(through(&size_op), 0);
    assert_int_equal(size_of(file), MIB);
    size_op = (struct disk_op){.kind = DISK_TRUNCATE, .file = file, .bytes = 100};
    assert_int_equal(through(&size_op), 0);
    assert_int_equal(size_of(file), 100);

    struct disk_op close_op = {.kind = DISK_CLOSE, .file = file};
    assert_int_equal(through(&close_op), 0);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    assert_int_equal(through(&close_op), EBADF);
    struct disk_op link_op = {.kind = DISK_LINK, .dir = now.dir, .name = "a", .file = now.dir, .to = "b"};
    assert_int_equal(through(&link_op), 0);
    assert_int_equal(through(&link_op), EEXIST); /* never replaces */
    link_op.name = "missing";
    link_op.to = "c";
    assert_int_equal(through(&link_op), ENOENT);
    const int32_t linked = open_file("b", 0);
    struct disk_file_info info;
    assert_int_equal(disk_stat(now.disk, linked, &info), 0);
    assert_int_equal(info.links, 2);
    assert_int_equal(info.bytes, 100);
    assert_true(info.modified_ns > UINT64_C(1600000000) * SECOND);
    close_file(linked);
    struct disk_op unlink_op = {.kind = DISK_UNLINK, .dir = now.dir, .name = "a"};
    assert_int_equal(through(&unlink_op), 0);
    assert_int_equal(through(&unlink_op), ENOENT);
    unlink_op.name = "b";
    assert_int_equal(through(&unlink_op), 0);
    struct disk_op mkdir_op = {.kind = DISK_MKDIR, .dir = now.dir, .name = "d"};
    assert_int_equal(through(&mkdir_op), 0);
    assert_int_equal(through(&mkdir_op), EEXIST);
    open_op = (struct disk_op){.kind = DISK_OPEN, .dir = now.dir, .name = "d", .flags = DISK_DIRECTORY};
    assert_int_equal(through(&open_op), 0);
    close_file(open_op.file);
    assert_int_equal(unlinkat(now.dir, "d", AT_REMOVEDIR), 0);
}

static void every_kind_does_what_it_says(void **state)
{
    (void)state;
    each_kind(do_now);
    assert_int_equal(disk_attach(now.disk), 0);
    each_kind(do_async);
}

static void open_refuses(door through)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = "missing"};
    assert_int_equal(through(&op), ENOENT);
    assert_int_equal(op.file, DISK_NONE);
    op.flags = DISK_OR_CREATE | DISK_WRITABLE | DISK_NO_COW;
    assert_int_equal(through(&op), 0);
    close_file(op.file);
    assert_int_equal(through(&op), 0); /* there now */
    close_file(op.file);
    op.flags = DISK_DIRECTORY;
    assert_int_equal(through(&op), ENOTDIR);
    op.flags = DISK_CREATE | DISK_WRITABLE | DISK_NO_COW;
    op.name = "quick";
    assert_int_equal(through(&op), 0);
    close_file(op.file);
    struct disk_op unlink_op = {.kind = DISK_UNLINK, .dir = now.dir, .name = "missing"};
    assert_int_equal(through(&unlink_op), 0);
    unlink_op.name = "quick";
    assert_int_equal(through(&unlink_op), 0);
}

static void open_tells_what_is_missing(void **state)
{
    (void)state;
    open_refuses(do_now);
    assert_int_equal(disk_attach(now.disk), 0);
    open_refuses(do_async);
}

static void rename_case(door through)
{
    const int32_t a = open_file("a", DISK_CREATE | DISK_WRITABLE);
    close_file(open_file("b", DISK_CREATE));
    bool named = true;
    struct disk_op op = {.kind = DISK_RENAME, .dir = now.dir, .name = "a", .to = "b"};
    assert_int_equal(through(&op), EEXIST);
    assert_int_equal(disk_is_named(now.disk, now.dir, "b", a, &named), 0);
    assert_false(named);
    op.flags = DISK_REPLACE;
    assert_int_equal(through(&op), 0);
    assert_int_equal(disk_is_named(now.disk, now.dir, "b", a, &named), 0);
    assert_true(named);
    op = (struct disk_op){.kind = DISK_RENAME, .dir = now.dir, .name = "b", .to = "c"};
    assert_int_equal(through(&op), 0);
    assert_int_equal(through(&op), ENOENT);
    assert_int_equal(disk_is_named(now.disk, now.dir, "b", a, &named), 0);
    assert_false(named);
    struct disk_op unlink_op = {.kind = DISK_UNLINK, .dir = now.dir, .name = "c"};
    assert_int_equal(through(&unlink_op), 0);
    struct disk_file_info info;
    assert_int_equal(disk_stat(now.disk, a, &info), 0);
    assert_int_equal(info.links, 0);
    close_file(a);
}

static void rename_refuses_to_replace(void **state)
{
    (void)state;
    rename_case(do_now);
    assert_int_equal(disk_attach(now.disk), 0);
    rename_case(do_async);
}

static void offsets_no_file_has_are_refused(void **state)
{
    (void)state;
    char byte = 'x';
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    assert_int_equal(disk_attach(now.disk), 0);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = &byte, .bytes = 1, .offset = UINT64_MAX};
    assert_int_equal(do_async(&op), EINVAL); /* -1 would be "at the file's position" */
    assert_int_equal(do_now(&op), EINVAL);
    op.offset = INT64_MAX;
    assert_int_equal(do_async(&op), EINVAL);
    op.kind = DISK_TRUNCATE;
    op.bytes = UINT64_MAX;
    assert_int_equal(do_async(&op), EFBIG);
    assert_int_equal(size_of(file), 0);
    close_file(file);
}

/* ---- counters, order, numbers ---- */

static void a_dsync_write_is_counted(void **state)
{
    (void)state;
    assert_int_equal(disk_attach(now.disk), 0);
    uint8_t *data = blocks(BLOCK, 1);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data, .bytes = BLOCK, .flags = DISK_DSYNC};
    assert_int_equal(do_async(&op), 0);
    op.flags = 0;
    op.offset = BLOCK;
    assert_int_equal(do_async(&op), 0);
    op.kind = DISK_SYNC;
    assert_int_equal(do_async(&op), 0);
    op.kind = DISK_READ;
    assert_int_equal(do_async(&op), 0);
    const struct disk_counters *counters = &now.disk->counters;
    assert_int_equal(counters->writes, 2);
    assert_int_equal(counters->write_bytes, 2 * BLOCK);
    assert_int_equal(counters->syncs, 2);
    assert_int_equal(counters->reads, 1);
    assert_int_equal(counters->read_bytes, BLOCK);
    close_file(file);
    free(data);
}

/* All that may be out, at once, chores among them; each comes back once, in whatever order, and moved its own bytes. */
static void as_many_as_may_be_out(void **state)
{
    (void)state;
    assert_int_equal(disk_attach(now.disk), 0);
    static struct disk_op ops[DISK_SUBMITTED_MAX];
    struct disk_op *done[DISK_SUBMITTED_MAX];
    uint8_t *data = blocks((size_t)DISK_SUBMITTED_MAX * BLOCK, 0);
    uint8_t *back = blocks((size_t)DISK_SUBMITTED_MAX * BLOCK, 0);
    disk_register_memory(now.disk, data, (uint64_t)DISK_SUBMITTED_MAX * BLOCK);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    for (int round = 0; round < 4; round++) {
        const bool reads = round % 2 == 1;
        bool seen[DISK_SUBMITTED_MAX] = {false};
        for (uint32_t i = 0; i < DISK_SUBMITTED_MAX; i++) {
            uint8_t *slot = data + (size_t)i * BLOCK;
            if (!reads) memset(slot, (int)(i + (uint32_t)round), BLOCK);
            ops[i] = (struct disk_op){
                .kind = reads ? DISK_READ : DISK_WRITE,
                .file = file,
                .data = reads ? back + (size_t)i * BLOCK : slot,
                .bytes = BLOCK,
                .offset = (uint64_t)(DISK_SUBMITTED_MAX - 1 - i) * BLOCK, /* from the end: not in the file's order */
                .flags = i % 3 == 0 ? DISK_CHORE : 0,
            };
            disk_submit(now.disk, &ops[i]);
        }
        for (uint32_t got = 0; got < DISK_SUBMITTED_MAX;) {
            const uint32_t count = disk_collect(now.disk, done, 7, 10 * SECOND);
            assert_true(count > 0 && count <= 7);
            for (uint32_t i = 0; i < count; i++, got++) {
                const size_t which = (size_t)(done[i] - ops);
                assert_false(seen[which]);
                seen[which] = true;
                assert_int_equal(done[i]->error, 0);
                assert_int_equal(done[i]->done, BLOCK);
            }
        }
        assert_int_equal(disk_collect(now.disk, done, 1, SECOND), 0);
        if (reads) assert_memory_equal(data, back, (size_t)DISK_SUBMITTED_MAX * BLOCK);
    }
    close_file(file);
    free(back);
    free(data);
}

static void chores_of_every_sort_end(void **state)
{
    (void)state;
    assert_int_equal(disk_attach(now.disk), 0);
    static char names[40][8];
    static struct disk_op ops[40];
    struct disk_op *done[40];
    for (uint32_t pass = 0; pass < 3; pass++) {
        for (uint32_t i = 0; i < 40; i++) {
            snprintf(names[i], sizeof names[i], "c%u", i);
            if (pass == 0)
                ops[i] = (struct disk_op){.kind = DISK_OPEN, .dir = now.dir, .name = names[i],
                                          .flags = DISK_CHORE | DISK_CREATE | DISK_WRITABLE};
            else if (pass == 1)
                ops[i].kind = DISK_CLOSE;
            else
                ops[i].kind = DISK_UNLINK;
            ops[i].flags |= DISK_CHORE;
            disk_submit(now.disk, &ops[i]);
        }
        uint32_t got = 0;
        for (uint32_t count; got < 40; got += count) {
            count = disk_collect(now.disk, done, 40, 10 * SECOND);
            assert_true(count > 0);
            for (uint32_t i = 0; i < count; i++) assert_int_equal(done[i]->error, 0);
        }
    }
}

/* ---- transfers ---- */

static void a_direct_read_ends_short_inside_a_block(void **state)
{
    (void)state;
    if (!now.direct_io) skip_as("no O_DIRECT worth the name here");
    assert_int_equal(disk_attach(now.disk), 0);
    uint8_t *data = blocks(4 * BLOCK, 7);
    const int32_t buffered = open_file("f", DISK_CREATE | DISK_WRITABLE);
    struct disk_op op = {.kind = DISK_WRITE, .file = buffered, .data = data, .bytes = BLOCK + 100, .flags = DISK_DSYNC};
    assert_int_equal(do_async(&op), 0);
    const int32_t file = open_file("f", DISK_DIRECT);
    const door doors[] = {do_now, do_async};
    for (int i = 0; i < 2; i++) {
        op = (struct disk_op){.kind = DISK_READ, .file = file, .data = data, .bytes = 4 * BLOCK};
        assert_int_equal(doors[i](&op), 0);
        assert_int_equal(op.done, BLOCK + 100);
    }
    close_file(file);
    close_file(buffered);
    free(data);
}

static void a_misaligned_direct_transfer_is_an_error(void **state)
{
    (void)state;
    if (!now.direct_io) skip_as("no O_DIRECT worth the name here");
    assert_int_equal(disk_attach(now.disk), 0);
    uint8_t *data = blocks(2 * BLOCK, 7);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | DISK_DIRECT);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data + 1, .bytes = BLOCK};
    assert_int_equal(do_async(&op), EINVAL);
    assert_int_equal(do_now(&op), EINVAL);
    op.data = data;
    op.bytes = BLOCK - 1;
    assert_int_equal(do_async(&op), EINVAL);
    op.bytes = BLOCK;
    assert_int_equal(do_async(&op), 0);
    op.kind = DISK_READ;
    op.offset = 1;
    assert_int_equal(do_async(&op), EINVAL);
    close_file(file);
    free(data);
}

/* History 40. */
static void memory_is_registered_as_far_as_the_limit_goes(void **state)
{
    (void)state;
    const uint64_t bytes = 16 * MIB;
    uint8_t *data = blocks(bytes, 3);
    struct rlimit before, low;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    low = (struct rlimit){.rlim_cur = 4 * MIB, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    const uint64_t registered = disk_register_memory(now.disk, data, bytes);
    setrlimit(RLIMIT_MEMLOCK, &before);
    assert_true(registered <= bytes);
    print_message("registered %llu KiB of 16 MiB under a limit of 4 MiB\n", (unsigned long long)registered / KIB);
    if (!now.uring) assert_int_equal(registered, 0);

    assert_int_equal(disk_attach(now.disk), 0); /* inside, across the edge, and beyond it */
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    const uint64_t edge = registered > 0 && registered < bytes ? registered : bytes / 2;
    const uint64_t from[] = {0, edge - BLOCK, edge, bytes - 2 * BLOCK};
    uint8_t *back = blocks(2 * BLOCK, 0);
    for (size_t i = 0; i < 4; i++) {
        memset(data + from[i], (int)i + 1, 2 * BLOCK);
        struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data + from[i], .bytes = 2 * BLOCK,
                             .flags = DISK_DSYNC};
        assert_int_equal(do_async(&op), 0);
        op = (struct disk_op){.kind = DISK_READ, .file = file, .data = back, .bytes = 2 * BLOCK};
        assert_int_equal(do_async(&op), 0);
        assert_memory_equal(data + from[i], back, 2 * BLOCK);
    }
    close_file(file);
    free(back);
    disk_close(now.disk); /* before its memory goes */
    assert_int_equal(open_backend(&now.disk), 0);
    fflush(NULL);
    const pid_t child = fork(); /* and then it is memory like any other: the allocator gives it to anyone */
    if (child == 0) {
        memset(data, 9, bytes);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    free(data);
}

/* ---- waiting ---- */

static void nothing_out_returns_at_once_and_without_a_call(void **state)
{
    (void)state;
    struct disk_op *done[1];
    assert_int_equal(disk_attach(now.disk), 0);
    const uint64_t began = disk_now(now.disk);
    assert_int_equal(disk_collect(now.disk, done, 1, UINT64_MAX), 0);
    assert_true(disk_now(now.disk) - began < SECOND);
    assert_int_equal(now.disk->counters.enters, 0);
}

/* Somebody else sees it, and nobody has collected yet. */
static void what_is_started_needs_no_collect(void **state)
{
    (void)state;
    uint8_t *data = blocks(BLOCK, 7), *back = blocks(BLOCK, 0);
    struct disk_op *done[1];
    assert_int_equal(disk_attach(now.disk), 0);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    disk_start(now.disk);
    assert_int_equal(now.disk->counters.enters, 0); /* nothing was queued */
    const int event = disk_event_fd(now.disk);
    assert_true(event >= 0);
    assert_int_equal(disk_collect(now.disk, done, 1, 0), 0);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data, .bytes = BLOCK};
    disk_submit(now.disk, &op);
    disk_start(now.disk);
    assert_int_equal(now.disk->counters.enters, 1);
    struct pollfd fd = {.fd = event, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 60000), 1);
    assert_int_equal(disk_collect(now.disk, done, 1, UINT64_MAX), 1);
    assert_ptr_equal(done[0], &op);
    assert_int_equal(op.error, 0);
    struct disk_op read = {.kind = DISK_READ, .file = file, .data = back, .bytes = BLOCK};
    assert_int_equal(disk_run(now.disk, &read), 0);
    assert_memory_equal(data, back, BLOCK);
    close_file(file);
    free(data);
    free(back);
}

/* An open of a fifo for reading ends when somebody opens it for writing: it is out for as long as the test likes.
 * Only with O_CREAT does io_uring not try it with O_NONBLOCK first, which would succeed. */
static int let_go(void) { return openat(now.dir, "fifo", O_WRONLY | O_CLOEXEC); }
static int try_let_go(void) { return openat(now.dir, "fifo", O_WRONLY | O_NONBLOCK | O_CLOEXEC); }

static void wait_for_nothing(uint64_t wait_ns)
{
    struct disk_op *done[1];
    const uint64_t began = disk_now(now.disk);
    assert_int_equal(disk_collect(now.disk, done, 1, wait_ns), 0);
    const uint64_t took = disk_now(now.disk) - began;
    assert_true(took + MS >= wait_ns && took < wait_ns + 10 * SECOND);
}

static void a_wait_ends_after_its_time(void **state)
{
    (void)state;
    struct disk_op *done[1];
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = "fifo", .flags = DISK_OR_CREATE};
    disk_submit(now.disk, &op);
    wait_for_nothing(0);
    wait_for_nothing(30 * MS);
    assert_true(now.disk->counters.enters <= 2); /* one call each */
    const int writer = let_go();
    assert_int_equal(disk_collect(now.disk, done, 1, 10 * SECOND), 1);
    assert_ptr_equal(done[0], &op);
    assert_int_equal(op.error, 0);
    close_file(op.file);
    close(writer);
}

/* What the process is stopped over goes on. */
static void a_wait_outlives_a_stop(void **state)
{
    (void)state;
    struct disk_op *done[1];
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    for (int i = 0; i < 20; i++) {
        struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = "fifo", .flags = DISK_OR_CREATE};
        disk_submit(now.disk, &op);
        assert_int_equal(disk_collect(now.disk, done, 1, MS), 0);
        const pid_t child = fork();
        if (child == 0) {
            kill(getppid(), SIGSTOP);
            usleep(2000);
            kill(getppid(), SIGCONT);
            _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(disk_collect(now.disk, done, 1, MS), 0);
        int writer; /* with nobody at the other end, for a moment, until it is asked again */
        for (uint64_t began = disk_now(now.disk); (writer = try_let_go()) < 0;) {
            assert_int_equal(errno, ENXIO);
            assert_true(disk_now(now.disk) - began < 60 * SECOND);
            assert_int_equal(disk_collect(now.disk, done, 1, MS), 0);
        }
        assert_int_equal(disk_collect(now.disk, done, 1, 10 * SECOND), 1);
        assert_int_equal(op.error, 0);
        close_file(op.file);
        close(writer);
    }
}

/* A pipe gives less than was asked: no file does so at will. preadv(2) knows no pipes. */
static void the_rest_of_a_short_transfer_is_asked_for(void **state)
{
    (void)state;
    if (!now.uring) skip_as("plain reads know no pipes");
    int ends[2];
    char back[11] = "";
    struct disk_op *done[1];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(disk_attach(now.disk), 0);
    struct disk_op op = {.kind = DISK_READ, .file = ends[0], .data = back, .bytes = 10};
    disk_submit(now.disk, &op);
    wait_for_nothing(0);
    assert_int_equal(write(ends[1], "half ", 5), 5);
    wait_for_nothing(10 * MS);
    assert_int_equal(now.disk->counters.short_transfers, 1);
    assert_int_equal(write(ends[1], "whole", 5), 5);
    assert_int_equal(disk_collect(now.disk, done, 1, UINT64_MAX), 1);
    assert_int_equal(op.error, 0);
    assert_string_equal(back, "half whole");
    close(ends[0]);
    close(ends[1]);
}

static void on_alarm(int number) { (void)number; }

static void a_signal_does_not_end_a_wait(void **state)
{
    (void)state;
    struct disk_op *done[1];
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = "fifo", .flags = DISK_OR_CREATE};
    disk_submit(now.disk, &op);
    struct sigaction act = {.sa_handler = on_alarm}, before;
    sigaction(SIGALRM, &act, &before);
    ualarm(10000, 0);
    wait_for_nothing(60 * MS);
    sigaction(SIGALRM, &before, NULL);
    const int writer = let_go();
    assert_int_equal(disk_collect(now.disk, done, 1, UINT64_MAX), 1);
    close_file(op.file);
    close(writer);
}

/* History 41. Chores that hang hold back neither a commit nor a commit's sync. */
static void chores_leave_a_worker_to_commits(void **state)
{
    (void)state;
    static struct disk_op chores[8];
    struct disk_op *done[8];
    uint8_t *data = blocks(BLOCK, 1);
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    for (uint32_t i = 0; i < 8; i++) {
        chores[i] = (struct disk_op){.kind = DISK_OPEN, .dir = now.dir, .name = "fifo",
                                     .flags = DISK_CHORE | DISK_OR_CREATE};
        disk_submit(now.disk, &chores[i]);
    }
    assert_int_equal(disk_collect(now.disk, done, 8, 0), 0);
    static struct disk_op ops[2]; /* outlive a failed assertion: closing waits for them */
    ops[0] = (struct disk_op){.kind = DISK_WRITE, .file = file, .data = data, .bytes = BLOCK, .flags = DISK_DSYNC};
    ops[1] = (struct disk_op){.kind = DISK_SYNC_ALL, .file = file};
    for (uint32_t i = 0; i < 2; i++) {
        disk_submit(now.disk, &ops[i]);
        if (disk_collect(now.disk, done, 8, 10 * SECOND) != 1) fail_msg("op %u waits behind chores", i);
        assert_ptr_equal(done[0], &ops[i]);
        assert_int_equal(ops[i].error, 0);
    }
    const int writer = let_go();
    for (uint32_t got = 0; got < 8;) {
        const uint32_t count = disk_collect(now.disk, done, 8, 10 * SECOND);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++, got++) close_file(done[i]->file);
    }
    close(writer);
    close_file(file);
    free(data);
}

/* History 35. */
static void the_event_fd_tells_of_a_completion(void **state)
{
    (void)state;
    struct disk_op *done[4];
    uint8_t *data = blocks(BLOCK, 1);
    assert_int_equal(disk_attach(now.disk), 0);
    const int event = disk_event_fd(now.disk);
    assert_true(event >= 0);
    assert_int_equal(disk_event_fd(now.disk), event);
    struct pollfd fd = {.fd = event, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 0);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    for (uint32_t round = 0; round < 20; round++) {
        static struct disk_op ops[4];
        for (uint32_t i = 0; i < 4; i++) {
            ops[i] = (struct disk_op){.kind = DISK_WRITE, .file = file, .data = data, .bytes = BLOCK,
                                      .offset = (uint64_t)i * BLOCK, .flags = DISK_DSYNC};
            if (i == 2)
                ops[i] = (struct disk_op){.kind = DISK_UNLINK, .dir = now.dir, .name = "no", .flags = DISK_CHORE};
            if (i == 3) ops[i] = (struct disk_op){.kind = DISK_SYNC, .file = file, .flags = DISK_CHORE};
            disk_submit(now.disk, &ops[i]);
        }
        uint32_t got = 0;
        while (got < 4) { /* never waits in collect: the host waits in poll */
            got += disk_collect(now.disk, done, 1, 0);
            if (got < 4) assert_int_equal(poll(&fd, 1, 10000), 1);
        }
    }
    /* Nothing out: at most one idle turn later the fd is quiet, so that a host does not spin. */
    assert_int_equal(disk_collect(now.disk, done, 1, 0), 0);
    assert_int_equal(disk_collect(now.disk, done, 1, 0), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    close_file(file);
    free(data);
}

/* ---- threads ---- */

static void *attach_elsewhere(void *result)
{
    *(int *)result = disk_attach(now.disk);
    return NULL;
}

static void *wake_soon(void *unused)
{
    (void)unused;
    usleep(20000);
    disk_wake(now.disk);
    return NULL;
}

/* A wait for what takes its time ends when another thread says so, also when it said so before the wait began; and no
 * wake is heard twice. */
static void a_wait_can_be_ended_by_another_thread(void **state)
{
    (void)state;
    struct disk_op *done = NULL;
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = "fifo", .flags = DISK_OR_CREATE};
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    assert_int_equal(disk_listen(now.disk), 0);
    assert_int_equal(disk_listen(now.disk), 0);
    assert_int_equal(disk_collect(now.disk, &done, 1, 0), 0);
    disk_submit(now.disk, &op);
    for (int i = 0; i < 20; i++) {
        pthread_t waker;
        const bool early = i % 2 == 1;
        if (early)
            disk_wake(now.disk);
        else
            assert_int_equal(pthread_create(&waker, NULL, wake_soon, NULL), 0);
        now.disk->woken = false;
        assert_int_equal(disk_collect(now.disk, &done, 1, 10 * SECOND), 0);
        assert_true(now.disk->woken);
        if (!early) assert_int_equal(pthread_join(waker, NULL), 0);
    }
    now.disk->woken = false;
    wait_for_nothing(20 * MS);
    assert_false(now.disk->woken);
    const int writer = let_go();
    assert_int_equal(disk_collect(now.disk, &done, 1, 10 * SECOND), 1);
    assert_ptr_equal(done, &op);
    close_file(op.file);
    close(writer);
}

static void a_second_thread_may_not_attach(void **state)
{
    (void)state;
    int result = 0;
    pthread_t thread;
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(disk_attach(now.disk), 0);
    pthread_create(&thread, NULL, attach_elsewhere, &result);
    pthread_join(thread, NULL);
    assert_int_equal(result, EEXIST);
}

static void *drive_elsewhere(void *argument)
{
    struct disk_op *op = argument;
    struct disk_op *done[1];
    if (disk_attach(now.disk) != 0) return NULL;
    disk_submit(now.disk, op);
    return disk_collect(now.disk, done, 1, UINT64_MAX) == 1 ? op : NULL;
}

/* History 35. Opened here, driven there, closed here, with a lock file given to it before and the lock free
 * afterwards. */
static void opened_here_driven_there(void **state)
{
    (void)state;
    char text[] = "there";
    void *result = NULL;
    pthread_t thread;
    const int32_t lock = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    assert_int_equal(disk_lock(now.disk, lock, DISK_LOCK_EXCLUSIVE), 0);
    assert_int_equal(disk_guard(now.disk, lock), 0);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = text, .bytes = 5, .flags = DISK_DSYNC};
    pthread_create(&thread, NULL, drive_elsewhere, &op);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &op);
    assert_int_equal(op.error, 0);
    close_file(file);
    close_file(lock);
    disk_close(now.disk);
    assert_int_equal(open_backend(&now.disk), 0);
    const int32_t next = open_file("LOCK", DISK_WRITABLE);
    assert_int_equal(disk_lock(now.disk, next, DISK_LOCK_EXCLUSIVE), 0);
    close_file(next);
}

/* ---- locks, names, maps ---- */

static void a_lock_is_held_against_others(void **state)
{
    (void)state;
    const int32_t a = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
    const int32_t b = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
    assert_int_equal(disk_lock(now.disk, a, DISK_LOCK_EXCLUSIVE), 0);
    assert_int_equal(disk_lock(now.disk, b, DISK_LOCK_SHARED), EWOULDBLOCK);
    assert_int_equal(disk_lock(now.disk, a, DISK_UNLOCK), 0);
    assert_int_equal(disk_lock(now.disk, b, DISK_LOCK_SHARED), 0);
    assert_int_equal(disk_lock(now.disk, a, DISK_LOCK_EXCLUSIVE), EWOULDBLOCK);
    assert_int_equal(disk_lock(now.disk, a, DISK_LOCK_SHARED), 0);
    close_file(a);
    close_file(b);
}

/* A guarded lock is free once its disk is closed, not some time later. */
static void closing_gives_a_guarded_lock_up(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        const int32_t lock = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
        assert_int_equal(disk_lock(now.disk, lock, DISK_LOCK_EXCLUSIVE), 0);
        if (i % 3 > 0) assert_int_equal(disk_guard(now.disk, lock), 0);
        assert_int_equal(disk_attach(now.disk), 0);
        if (i % 3 > 1) assert_int_equal(disk_guard(now.disk, lock), 0); /* again, and once attached */
        close_file(lock);
        disk_close(now.disk);
        assert_int_equal(open_backend(&now.disk), 0);
    }
}

static void count_name(void *context, const char *name)
{
    uint32_t *counts = context;
    if (strcmp(name, "one") == 0) counts[0]++;
    else if (strcmp(name, "two") == 0) counts[1]++;
    else counts[2]++;
}

static void listing_names_everything_once(void **state)
{
    (void)state;
    close_file(open_file("one", DISK_CREATE));
    close_file(open_file("two", DISK_CREATE));
    for (int i = 0; i < 2; i++) {
        uint32_t counts[3] = {0};
        assert_int_equal(disk_list(now.disk, now.dir, count_name, counts), 0);
        assert_int_equal(counts[0], 1);
        assert_int_equal(counts[1], 1);
        assert_int_equal(counts[2], 0);
    }
    assert_int_equal(disk_list(now.disk, DISK_NONE, count_name, NULL), EBADF);
    struct disk_file_info info;
    assert_int_equal(disk_stat(now.disk, now.dir, &info), 0);
    assert_true(info.is_directory);
    assert_int_equal(disk_stat(now.disk, DISK_NONE, &info), EBADF);
}

/* History 36. */
static void populating_beyond_the_end_is_an_error_and_no_signal(void **state)
{
    (void)state;
    assert_int_equal(disk_attach(now.disk), 0);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    uint8_t *data = blocks(16 * BLOCK, 9);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data, .bytes = 16 * BLOCK};
    assert_int_equal(do_async(&op), 0);
    void *map = NULL;
    assert_int_equal(disk_map(now.disk, file, 0, 16 * BLOCK, &map), 0);
    const door doors[] = {do_now, do_async};
    for (int i = 0; i < 2; i++) { /* not on a page's edge, and across several */
        op = (struct disk_op){.kind = DISK_POPULATE, .data = (uint8_t *)map + 100, .bytes = 3 * BLOCK};
        assert_int_equal(doors[i](&op), 0);
        assert_int_equal(op.done, 3 * BLOCK);
    }
    assert_int_equal(((uint8_t *)map)[3 * BLOCK], 9);
    op = (struct disk_op){.kind = DISK_TRUNCATE, .file = file, .bytes = 4 * BLOCK};
    assert_int_equal(do_async(&op), 0);
    for (int i = 0; i < 2; i++) {
        op = (struct disk_op){.kind = DISK_POPULATE, .data = (uint8_t *)map + 8 * BLOCK, .bytes = BLOCK};
        assert_int_not_equal(doors[i](&op), 0);
    }
    disk_unmap(now.disk, map, 16 * BLOCK);
    assert_int_equal(disk_map(now.disk, DISK_NONE, 0, BLOCK, &map), EBADF);
    assert_null(map);
    assert_int_equal(disk_drop_cache(now.disk, file), 0);
    close_file(file);
    free(data);
}

/* History 28. SIGXFSZ keeps its deadly default here: a signal would end the program. */
static void a_file_size_limit_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct rlimit before, low;
    uint8_t *data = blocks(2 * BLOCK, 1);
    assert_int_equal(disk_attach(now.disk), 0);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = (struct rlimit){.rlim_cur = MIB, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int errors[8], n = 0;
    const door doors[] = {do_now, do_async};
    for (int i = 0; i < 2; i++) {
        struct disk_op op = {.kind = DISK_ALLOCATE, .file = file, .bytes = MIB + 1};
        errors[n++] = doors[i](&op);
        op = (struct disk_op){.kind = DISK_TRUNCATE, .file = file, .bytes = MIB + 1};
        errors[n++] = doors[i](&op);
        op = (struct disk_op){.kind = DISK_WRITE, .file = file, .data = data, .bytes = 2 * BLOCK,
                              .offset = MIB - BLOCK};
        errors[n++] = doors[i](&op);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    for (int i = 0; i < n; i++) assert_int_equal(errors[i], EFBIG);
    struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data, .bytes = 2 * BLOCK, .offset = MIB - BLOCK};
    assert_int_equal(do_async(&op), 0); /* raised again: seen at once */
    op = (struct disk_op){.kind = DISK_ALLOCATE, .file = file, .bytes = MIB};
    assert_int_equal(do_async(&op), 0);
    assert_int_equal(size_of(file), MIB + BLOCK); /* and never shorter */
    close_file(file);
    free(data);
}

static void the_device_is_described(void **state)
{
    (void)state;
    struct disk_device device;
    assert_int_equal(disk_probe(now.disk, DISK_NONE, &device), EBADF);
    assert_int_equal(disk_probe(now.disk, now.dir, &device), 0);
    print_message("%s: direct %d, alignment %u, device known %d, write cache %d, fua %d, free %llu MiB\n",
                  device.filesystem, device.direct_io, device.direct_alignment, device.known, device.write_cache,
                  device.fua, (unsigned long long)(device.free_bytes / MIB));
    assert_true(device.filesystem[0] != '\0');
    assert_true(device.direct_alignment >= 1 && (device.direct_alignment & (device.direct_alignment - 1)) == 0);
    assert_false(device.read_only);
    assert_true(device.free_bytes > 0);
    uint32_t counts[3] = {0};
    assert_int_equal(disk_list(now.disk, now.dir, count_name, counts), 0);
    assert_int_equal(counts[0] + counts[1] + counts[2], 0); /* the probe left nothing behind */
}

static void processes_live_and_die(void **state)
{
    (void)state;
    uint8_t random[64] = {0}, zero[64] = {0};
    assert_int_equal(disk_entropy(now.disk, random, sizeof random), 0);
    assert_memory_not_equal(random, zero, sizeof random);
    assert_int_equal(disk_process_id(now.disk), getpid());
    assert_true(disk_is_process_alive(now.disk, (uint64_t)getpid()));
    assert_true(disk_is_process_alive(now.disk, 1));
    assert_false(disk_is_process_alive(now.disk, 0));
    assert_false(disk_is_process_alive(now.disk, UINT64_MAX));
    const pid_t child = fork();
    if (child == 0) {
        for (;;) pause();
    }
    assert_true(disk_is_process_alive(now.disk, (uint64_t)child));
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
    assert_false(disk_is_process_alive(now.disk, (uint64_t)child)); /* dead, though nobody has buried it */
    waitpid(child, NULL, 0);
    assert_false(disk_is_process_alive(now.disk, (uint64_t)child));
}

/* ---- ends ---- */

static void closing_waits_for_what_is_out(void **state)
{
    (void)state;
    static struct disk_op ops[32];
    assert_int_equal(disk_attach(now.disk), 0);
    uint8_t *data = blocks(32 * 64 * KIB, 0x5a);
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    struct disk_op *done[1];
    for (uint32_t i = 0; i < 32; i++) {
        ops[i] = (struct disk_op){.kind = DISK_WRITE, .file = file, .data = data + (size_t)i * 64 * KIB,
                                  .bytes = 64 * KIB, .offset = (uint64_t)i * 64 * KIB,
                                  .flags = DISK_DSYNC | (i % 2 ? DISK_CHORE : 0)};
        disk_submit(now.disk, &ops[i]);
        if (i == 16) (void)disk_collect(now.disk, done, 1, 0);
    }
    disk_close(now.disk);
    memset(data, 0, 32 * 64 * KIB); /* nobody reads it any more */
    assert_int_equal(open_backend(&now.disk), 0);
    assert_int_equal(size_of(file), 32 * 64 * KIB);
    struct disk_op op = {.kind = DISK_READ, .file = file, .data = data, .bytes = 32 * 64 * KIB};
    assert_int_equal(do_now(&op), 0);
    for (uint32_t i = 0; i < 32 * 64 * KIB; i += BLOCK) assert_int_equal(data[i], 0x5a);
    close_file(file);
    free(data);
}

/* History 1. The child holds LOCK, puts large direct writes in flight and is killed. Whoever gets the lock
 * afterwards finds a file in which no block changes any more. */
enum { FLIGHT = 128 };

static _Noreturn void fly_until_killed(int tell)
{
    static struct disk_op ops[FLIGHT];
    struct disk_op *done[FLIGHT];
    uint8_t *data = blocks((size_t)FLIGHT * MIB, 0xa5);
    if (open_backend(&now.disk) != 0) _exit(2);
    const int32_t lock = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
    const int32_t file = open_file("f", DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    if (disk_lock(now.disk, lock, DISK_LOCK_EXCLUSIVE) != 0) _exit(3);
    if (disk_guard(now.disk, lock) != 0 || disk_attach(now.disk) != 0) _exit(4);
    for (uint32_t i = 0; i < FLIGHT; i++) {
        ops[i] = (struct disk_op){.kind = DISK_WRITE, .file = file, .data = data + (size_t)i * MIB, .bytes = MIB,
                                  .offset = (uint64_t)i * MIB};
        disk_submit(now.disk, &ops[i]);
    }
    (void)disk_collect(now.disk, done, FLIGHT, 0);
    if (write(tell, "", 1) != 1) _exit(5);
    for (;;) pause();
}

static void read_marks(int32_t file, uint8_t *block, uint8_t marks[2 * FLIGHT])
{
    for (uint32_t i = 2 * FLIGHT; i-- > 0;) { /* the last and the first block of each write; the last to land first */
        struct disk_op op = {.kind = DISK_READ, .file = file, .data = block, .bytes = BLOCK,
                             .offset = (uint64_t)(i / 2) * MIB + (i % 2 ? MIB - BLOCK : 0)};
        assert_int_equal(do_now(&op), 0);
        assert_int_equal(op.done, BLOCK);
        marks[i] = block[BLOCK - 1];
    }
}

static void i1_after_a_kill_the_lock_outlives_the_writes(void **state)
{
    (void)state;
    uint8_t *data = blocks(4 * MIB, 0), *block = blocks(BLOCK, 0);
    uint8_t first[2 * FLIGHT], later[2 * FLIGHT];
    int told[2];
    char byte;
    const int32_t file = open_file("f", DISK_CREATE | DISK_WRITABLE | (now.direct_io ? DISK_DIRECT : 0));
    for (uint32_t i = 0; i < FLIGHT / 4; i++) {
        struct disk_op op = {.kind = DISK_WRITE, .file = file, .data = data, .bytes = 4 * MIB,
                             .offset = (uint64_t)i * 4 * MIB};
        assert_int_equal(do_now(&op), 0);
    }
    struct disk_op sync_op = {.kind = DISK_SYNC, .file = file};
    assert_int_equal(do_now(&sync_op), 0);
    const int32_t lock = open_file("LOCK", DISK_OR_CREATE | DISK_WRITABLE);
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    const pid_t child = fork();
    if (child == 0) fly_until_killed(told[1]);
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    const uint64_t killed = disk_now(now.disk);
    kill(child, SIGKILL);
    int error;
    while ((error = disk_lock(now.disk, lock, DISK_LOCK_EXCLUSIVE)) == EWOULDBLOCK) {
        assert_true(disk_now(now.disk) - killed < 10 * SECOND);
        usleep(200);
    }
    const uint64_t waited = disk_now(now.disk) - killed;
    assert_int_equal(error, 0);
    read_marks(file, block, first);
    usleep(300000);
    read_marks(file, block, later);
    assert_memory_equal(first, later, sizeof first);
    waitpid(child, NULL, 0);
    uint32_t landed = 0;
    for (uint32_t i = 0; i < 2 * FLIGHT; i++) landed += first[i] == 0xa5;
    print_message("lock free %.1f ms after the kill, %u of %d marks landed\n", (double)waited / 1e6, landed,
                  2 * FLIGHT);
    close_file(lock);
    close_file(file);
    free(block);
    free(data);
}

/* ---- both backends, two file systems ---- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int run_on(const char *root, bool uring)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_does_what_it_says),
        TEST(open_tells_what_is_missing),
        TEST(rename_refuses_to_replace),
        TEST(offsets_no_file_has_are_refused),
        TEST(a_dsync_write_is_counted),
        TEST(as_many_as_may_be_out),
        TEST(chores_of_every_sort_end),
        TEST(a_direct_read_ends_short_inside_a_block),
        TEST(a_misaligned_direct_transfer_is_an_error),
        TEST(memory_is_registered_as_far_as_the_limit_goes),
        TEST(nothing_out_returns_at_once_and_without_a_call),
        TEST(what_is_started_needs_no_collect), TEST(a_wait_ends_after_its_time), TEST(a_wait_outlives_a_stop),
        TEST(the_rest_of_a_short_transfer_is_asked_for),
        TEST(a_signal_does_not_end_a_wait),
        TEST(chores_leave_a_worker_to_commits),
        TEST(the_event_fd_tells_of_a_completion),
        TEST(a_wait_can_be_ended_by_another_thread),
        TEST(a_second_thread_may_not_attach),
        TEST(opened_here_driven_there),
        TEST(a_lock_is_held_against_others),
        TEST(closing_gives_a_guarded_lock_up),
        TEST(listing_names_everything_once),
        TEST(populating_beyond_the_end_is_an_error_and_no_signal),
        TEST(a_file_size_limit_is_an_error_and_no_signal),
        TEST(the_device_is_described),
        TEST(processes_live_and_die),
        TEST(closing_waits_for_what_is_out),
        TEST(i1_after_a_kill_the_lock_outlives_the_writes),
    };
    char name[320];
    now.uring = uring;
    snprintf(name, sizeof name, "%s on %s", uring ? "uring" : "posix", root);
    snprintf(now.root, sizeof now.root, "%s/teak-disk-XXXXXX", root);
    if (!mkdtemp(now.root)) {
        printf("skipped: %s: %s\n", now.root, strerror(errno));
        return -1;
    }
    struct disk *trial = NULL;
    const int error = open_backend(&trial);
    int failed = -1;
    if (error != 0) {
        printf("skipped: %s: %s\n", name, strerror(error));
    } else {
        disk_close(trial);
        failed = _cmocka_run_group_tests(name, tests, sizeof tests / sizeof tests[0], NULL, NULL);
    }
    rmdir(now.root);
    return failed;
}

/* Arguments narrow it: "uring" or "posix". */
int main(int argc, char **argv)
{
    const char *given = getenv("TEAK_TEST_DIR");
    const char *const roots[] = {given ? given : ".", "/dev/shm"};
    int ran = 0, failed = 0;
    for (int i = 0; i < 2; i++) {
        for (int uring = 0; uring < 2; uring++) {
            if (argc > 1 && strcmp(argv[1], uring ? "uring" : "posix") != 0) continue;
            const int result = run_on(roots[i], uring);
            if (result >= 0) ran++;
            if (result > 0) failed += result;
        }
    }
    if (ran == 0) return 77;
    return failed > 0 ? 1 : 0;
}
