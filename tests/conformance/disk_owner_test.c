/* disk_owner_test.c: what engine/os/disk.h promises of who owns a store: locks, processes that live and die, and what
 * is still on its way when a disk is closed or its process killed. Where the cases run: disk_case.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_case.h"

/* ---- locks, processes ---- */

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
        assert_int_equal(disk_case_open(&now.disk), 0);
    }
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
    assert_int_equal(disk_case_open(&now.disk), 0);
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
    if (disk_case_open(&now.disk) != 0) _exit(2);
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        DISK_CASE(a_lock_is_held_against_others),
        DISK_CASE(closing_gives_a_guarded_lock_up),
        DISK_CASE(processes_live_and_die),
        DISK_CASE(closing_waits_for_what_is_out),
        DISK_CASE(i1_after_a_kill_the_lock_outlives_the_writes),
    };
    return disk_case_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
