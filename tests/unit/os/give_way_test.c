/* give_way_test.c: who asks the ring again and again, in vain, lets the kernel's workers have the processor. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/disk.h"

enum { POLLS = 100 };
#define MS UINT64_C(1000000)

static struct {
    uint64_t times;
    uint64_t long_ns; /* how long each takes: others are running */
} given;

/* In place of libc's. */
int sched_yield(void)
{
    given.times++;
    const struct timespec pause = {.tv_nsec = (long)given.long_ns};
    if (given.long_ns > 0) return nanosleep(&pause, NULL);
    return (int)syscall(SYS_sched_yield);
}

/* One read is out, of a pipe that nobody writes to. */
static struct {
    struct disk *disk;
    struct disk_op read;
    int ends[2];
    char byte;
} now;

static int set_up(void **state)
{
    (void)state;
    given.times = given.long_ns = 0;
    assert_int_equal(disk_uring_open(&now.disk), 0);
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(pipe(now.ends), 0);
    now.read = (struct disk_op){.kind = DISK_READ, .file = now.ends[0], .data = &now.byte, .bytes = 1};
    disk_submit(now.disk, &now.read);
    return 0;
}

static void let_it_end(uint64_t wait_ns)
{
    struct disk_op *done = NULL;
    assert_int_equal(write(now.ends[1], "x", 1), 1);
    while (disk_collect(now.disk, &done, 1, wait_ns) == 0) continue;
    assert_ptr_equal(done, &now.read);
    assert_int_equal(now.read.error, 0);
}

static int tear_down(void **state)
{
    (void)state;
    close(now.ends[1]); /* ends the read, where a test failed before it did */
    disk_close(now.disk);
    close(now.ends[0]);
    return 0;
}

static void poll_in_vain(uint32_t polls)
{
    struct disk_op *done;
    for (uint32_t i = 0; i < polls; i++) assert_int_equal(disk_collect(now.disk, &done, 1, 0), 0);
}

static void each_poll_in_vain_gives_way(void **state)
{
    (void)state;
    poll_in_vain(1);
    assert_int_equal(given.times, 1);
    let_it_end(UINT64_MAX);
}

static void who_finds_something_does_not(void **state)
{
    (void)state;
    let_it_end(UINT64_MAX);
    assert_int_equal(given.times, 0);
    poll_in_vain(POLLS); /* nothing is out: nobody is waited for */
    assert_int_equal(given.times, 0);
}

/* Where others take the processor they get a tenth of the time, not a slice for each poll. */
static void not_again_soon_where_it_took_long(void **state)
{
    (void)state;
    given.long_ns = MS;
    const uint64_t began = disk_now(now.disk);
    uint64_t spent = 0;
    do {
        poll_in_vain(POLLS);
        spent = disk_now(now.disk) - began;
    } while (spent < 50 * MS);
    assert_in_range(given.times, 1, 1 + spent / (10 * given.long_ns));
    let_it_end(UINT64_MAX);
}

int main(void)
{
    struct disk *trial;
    const int error = disk_uring_open(&trial);
    if (error) {
        printf("skipped: no io_uring here: errno %d\n", error);
        return 77;
    }
    disk_close(trial);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_poll_in_vain_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_finds_something_does_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_again_soon_where_it_took_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
