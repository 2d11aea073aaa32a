/* disk_wait_test.c: what engine/os/disk.h promises of waiting: when a wait ends and what does not end it, who is held
 * back by whom, and which threads may drive, wait and wake. Where the cases run: disk_case.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_case.h"

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

static void submit_open_of_fifo(struct disk_op *op)
{
    assert_int_equal(disk_attach(now.disk), 0);
    assert_int_equal(mkfifoat(now.dir, "fifo", 0600), 0);
    *op = (struct disk_op){.kind = DISK_OPEN, .dir = now.dir, .name = "fifo", .flags = DISK_OR_CREATE};
    disk_submit(now.disk, op);
}

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
    struct disk_op op;
    submit_open_of_fifo(&op);
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
    struct disk_op op;
    submit_open_of_fifo(&op);
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
    assert_int_equal(disk_case_open(&now.disk), 0);
    const int32_t next = open_file("LOCK", DISK_WRITABLE);
    assert_int_equal(disk_lock(now.disk, next, DISK_LOCK_EXCLUSIVE), 0);
    close_file(next);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        DISK_CASE(nothing_out_returns_at_once_and_without_a_call),
        DISK_CASE(what_is_started_needs_no_collect),
        DISK_CASE(a_wait_ends_after_its_time),
        DISK_CASE(a_wait_outlives_a_stop),
        DISK_CASE(the_rest_of_a_short_transfer_is_asked_for),
        DISK_CASE(a_signal_does_not_end_a_wait),
        DISK_CASE(chores_leave_a_worker_to_commits),
        DISK_CASE(the_event_fd_tells_of_a_completion),
        DISK_CASE(a_wait_can_be_ended_by_another_thread),
        DISK_CASE(a_second_thread_may_not_attach),
        DISK_CASE(opened_here_driven_there),
    };
    return disk_case_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
