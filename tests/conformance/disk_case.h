/* disk_case.h: the suite that asks both real backends what engine/os/disk.h promises, on a real file system and on
 * tmpfs: a disk in an empty directory for each case, and what cases do with it. The cases: disk_test.c (operations),
 * disk_wait_test.c, disk_owner_test.c.
 */
#ifndef TEAK_TESTS_CONFORMANCE_DISK_CASE_H
#define TEAK_TESTS_CONFORMANCE_DISK_CASE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/disk.h"

enum { KIB = 1024, MIB = 1024 * KIB, BLOCK = 4096 };
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

struct disk_case {
    bool uring;
    char root[256]; /* made and removed by disk_case_main */
    char path[300]; /* of the running test                */
    struct disk *disk;
    int32_t dir;
    bool direct_io;
};

extern struct disk_case now;

int disk_case_open(struct disk **out);
int disk_case_set_up(void **state);
int disk_case_tear_down(void **state);

#define DISK_CASE(name) cmocka_unit_test_setup_teardown(name, disk_case_set_up, disk_case_tear_down)

/* Arguments narrow it: "uring" or "posix". TEAK_TEST_DIR names the directory on a real file system; else one is made
 * under the current directory. Where the machine has no io_uring its half is skipped, with a line that says so; nothing
 * to run at all is exit 77. */
int disk_case_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);

/* Submit and wait for that one: the way the engine's hot path goes. */
static inline int do_async(struct disk_op *op)
{
    struct disk_op *done = NULL;
    disk_submit(now.disk, op);
    assert_int_equal(disk_collect(now.disk, &done, 1, UINT64_MAX), 1);
    assert_ptr_equal(done, op);
    return op->error;
}

/* Each kind is tried through both doors. */
typedef int (*door)(struct disk_op *op);
static inline int do_now(struct disk_op *op) { return disk_run(now.disk, op); }

static inline int32_t open_file(const char *name, uint32_t flags)
{
    struct disk_op op = {.kind = DISK_OPEN, .dir = now.dir, .name = name, .flags = flags};
    assert_int_equal(do_now(&op), 0);
    return op.file;
}

static inline void close_file(int32_t file)
{
    struct disk_op op = {.kind = DISK_CLOSE, .file = file};
    assert_int_equal(do_now(&op), 0);
}

static inline uint8_t *blocks(size_t bytes, int fill)
{
    uint8_t *data = aligned_alloc(BLOCK, bytes);
    assert_non_null(data);
    memset(data, fill, bytes);
    return data;
}

#define skip_as(why) (print_message("skipped: %s\n", why), skip())

static inline uint64_t size_of(int32_t file)
{
    struct disk_file_info info;
    assert_int_equal(disk_stat(now.disk, file, &info), 0);
    return info.bytes;
}

#endif
