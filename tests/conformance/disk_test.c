/* disk_test.c: what engine/os/disk.h promises of operations: each kind through both doors, their order and number,
 * transfers, names, maps, limits. Where the cases run: disk_case.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_case.h"

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
    assert_int_equal(disk_case_open(&now.disk), 0);
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

/* ---- names, maps, limits, the device ---- */

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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        DISK_CASE(every_kind_does_what_it_says),
        DISK_CASE(open_tells_what_is_missing),
        DISK_CASE(rename_refuses_to_replace),
        DISK_CASE(offsets_no_file_has_are_refused),
        DISK_CASE(a_dsync_write_is_counted),
        DISK_CASE(as_many_as_may_be_out),
        DISK_CASE(chores_of_every_sort_end),
        DISK_CASE(a_direct_read_ends_short_inside_a_block),
        DISK_CASE(a_misaligned_direct_transfer_is_an_error),
        DISK_CASE(memory_is_registered_as_far_as_the_limit_goes),
        DISK_CASE(listing_names_everything_once),
        DISK_CASE(populating_beyond_the_end_is_an_error_and_no_signal),
        DISK_CASE(a_file_size_limit_is_an_error_and_no_signal),
        DISK_CASE(the_device_is_described),
    };
    return disk_case_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
