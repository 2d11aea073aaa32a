/* disk_posix.c: operations by plain calls on a small pool of threads, where io_uring is missing or forbidden.
 * OWNS   The workers, what waits for them, and what they have ended.
 *
 *      owner                 under the lock                 workers
 *      fresh ──collect()──► commits, chores ──take()──► plain_run() ──end()──► ended ──collect()──► owner
 *
 * PATH   submit() keeps an operation in `fresh`; collect() hands all of them over under one lock, waits, and takes what
 *        has ended. A worker takes commits before chores. A lone operation whose owner waits for it without a limit is
 *        done by the owner itself: there is nothing it could overtake, and two hand-overs are saved (p50 of one 4 KiB
 *        DSYNC write on virtio, 99 us: +1 %; by a worker +9 %).
 * FAILS  Too few threads to be had: attach() says so and leaves none behind. Operations carry their own errors.
 * HOLDS  (1) chores_running < workers: a commit never finds all workers held by chores
 *        (2) workers block all signals: the host's handlers run on the host's threads
 *        (3) the event fd, if there is one, is readable iff `ended` is not empty
 *        (4) counters are written by the owner only; workers leave their tally under the lock
 * Killed, the process keeps its descriptors until the last worker has returned from its call: no guard is needed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "os/disk_plain.h"
#include "os/heap.h"
#include "os/op_list.h"

enum { WORKERS_MIN = 2, WORKERS_MAX = 64 };

struct posix {
    struct disk disk;          /* first member: see disk.h */
    _Atomic uintptr_t owner;   /* pthread_self() of the thread that drives; 0: none yet. Set once, by attach() */
    uint32_t workers;          /* threads that attach() starts, and then: that run */
    pthread_t threads[WORKERS_MAX];

    /* the owner's */
    uint32_t out;              /* submitted, not handed back. At most DISK_SUBMITTED_MAX */
    uint32_t fresh_count;
    struct op_list fresh;      /* submitted, not yet handed over */

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t work;       /* a worker waits: for an operation it may take, or for `stopping` */
    pthread_cond_t ends;       /* the owner waits: for `ended`. CLOCK_MONOTONIC                   */
    struct op_list commits;
    struct op_list chores;
    struct op_list ended;
    uint32_t chores_running;   /* holds: < workers */
    uint32_t idle;             /* workers that wait on `work` */
    bool owner_waits;
    bool rung;                 /* wake() was called since collect() looked */
    bool stopping;             /* close(): a worker that finds nothing to take ends */
    int event;                 /* eventfd, -1: none was asked for */
    struct plain_tally tally;  /* of all workers, since collect() took it last */
};

static struct posix *posix_of(struct disk *disk) { return (struct posix *)disk; }

/* ---- workers ---- */

static struct disk_op *take(struct posix *posix)
{
    struct disk_op *op = op_list_pop(&posix->commits);
    if (op) return op;
    if (posix->chores_running + 1 >= posix->workers) return NULL;
    op = op_list_pop(&posix->chores);
    if (op) posix->chores_running++;
    return op;
}

static void signal_event(const struct posix *posix)
{
    const uint64_t one = 1;
    const ssize_t wrote = write(posix->event, &one, sizeof one);
    CHECK(wrote == (ssize_t)sizeof one || errno == EAGAIN);
}

static void end(struct posix *posix, struct disk_op *op, const struct plain_tally *tally)
{
    posix->tally.short_transfers += tally->short_transfers;
    posix->tally.retries += tally->retries;
    posix->tally.worker_ops++;
    if (op->flags & DISK_CHORE) posix->chores_running--;
    if (posix->event >= 0 && !posix->ended.first) signal_event(posix);
    op_list_push(&posix->ended, op);
    if (posix->owner_waits) pthread_cond_signal(&posix->ends);
}

/* A chore that may not start wakes nobody when it may: the worker that ended the chore before it looks here first. */
static void *work(void *argument)
{
    struct posix *posix = argument;
    pthread_mutex_lock(&posix->lock);
    for (;;) {
        struct disk_op *op = take(posix);
        if (op) {
            struct plain_tally tally = {0};
            pthread_mutex_unlock(&posix->lock);
            plain_run(op, &tally);
            pthread_mutex_lock(&posix->lock);
            end(posix, op, &tally);
        } else if (posix->stopping) {
            break;
        } else {
            posix->idle++;
            pthread_cond_wait(&posix->work, &posix->lock);
            posix->idle--;
        }
    }
    pthread_mutex_unlock(&posix->lock);
    return NULL;
}

static void stop_workers(struct posix *posix, uint32_t started)
{
    pthread_mutex_lock(&posix->lock);
    posix->stopping = true;
    pthread_cond_broadcast(&posix->work);
    pthread_mutex_unlock(&posix->lock);
    for (uint32_t i = 0; i < started; i++) pthread_join(posix->threads[i], NULL);
    posix->stopping = false;
}

static int start_workers(struct posix *posix)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: HOLDS (2) */
    uint32_t started = 0;
    int error = 0;
    while (started < posix->workers && error == 0) {
        error = pthread_create(&posix->threads[started], NULL, work, posix);
        if (error == 0) started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) stop_workers(posix, started);
    return error;
}

/* ---- the owner ---- */

static int posix_attach(struct disk *disk)
{
    struct posix *posix = posix_of(disk);
    const uintptr_t self = (uintptr_t)pthread_self();
    uintptr_t owner = 0;
    if (!atomic_compare_exchange_strong(&posix->owner, &owner, self)) return owner == self ? 0 : EEXIST;
    const int error = start_workers(posix);
    if (error != 0) atomic_store(&posix->owner, 0);
    return error;
}

static void posix_submit(struct disk *disk, struct disk_op *op)
{
    struct posix *posix = posix_of(disk);
    DCHECK(atomic_load(&posix->owner) == (uintptr_t)pthread_self());
    CHECK_LT(posix->out, DISK_SUBMITTED_MAX);
    posix->out++;
    posix->fresh_count++;
    op_list_push(&posix->fresh, op);
}

/* Under the lock. Wakes as many as may find something. */
static void hand_over(struct posix *posix)
{
    uint32_t wake = posix->fresh_count < posix->idle ? posix->fresh_count : posix->idle;
    posix->disk.counters.enters += posix->fresh_count;
    posix->fresh_count = 0;
    for (struct disk_op *op; (op = op_list_pop(&posix->fresh)) != NULL;)
        op_list_push(op->flags & DISK_CHORE ? &posix->chores : &posix->commits, op);
    while (wake-- > 0) pthread_cond_signal(&posix->work);
}

/* Under the lock. */
static void wait_for_end(struct posix *posix, uint64_t wait_ns)
{
    const uint64_t now = plain_now(&posix->disk);
    const uint64_t until = wait_ns > INT64_MAX - now ? INT64_MAX : now + wait_ns;
    const struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    int result = 0;
    posix->owner_waits = true;
    while (!posix->ended.first && !posix->rung && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&posix->ends, &posix->lock, &deadline);
    posix->owner_waits = false;
}

/* Under the lock. */
static uint32_t take_ended(struct posix *posix, struct disk_op **done, uint32_t max)
{
    uint32_t count = 0;
    while (count < max && posix->ended.first) done[count++] = op_list_pop(&posix->ended);
    if (posix->event >= 0 && count > 0 && !posix->ended.first) {
        uint64_t times;
        const ssize_t got = read(posix->event, &times, sizeof times); /* HOLDS (3) */
        CHECK(got == (ssize_t)sizeof times || errno == EAGAIN);
    }
    return count;
}

static void count_tally(struct posix *posix, struct plain_tally *tally)
{
    posix->disk.counters.short_transfers += tally->short_transfers;
    posix->disk.counters.retries += tally->retries;
    posix->disk.counters.worker_ops += tally->worker_ops;
    *tally = (struct plain_tally){0};
}

static struct disk_op *run_lone(struct posix *posix)
{
    struct plain_tally tally = {0};
    struct disk_op *op = op_list_pop(&posix->fresh);
    posix->fresh_count = 0;
    plain_run(op, &tally);
    count_tally(posix, &tally);
    return op;
}

static uint32_t posix_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    struct posix *posix = posix_of(disk);
    DCHECK(atomic_load(&posix->owner) == (uintptr_t)pthread_self());
    CHECK_LT(0, max);
    if (posix->out == 0) return 0;
    uint32_t count = 0;
    if (wait_ns == UINT64_MAX && posix->out == 1 && posix->fresh_count == 1) {
        done[count++] = run_lone(posix);
    } else {
        pthread_mutex_lock(&posix->lock);
        hand_over(posix);
        if (wait_ns > 0 && !posix->ended.first) wait_for_end(posix, wait_ns);
        disk->woken |= posix->rung;
        posix->rung = false;
        count = take_ended(posix, done, max);
        count_tally(posix, &posix->tally);
        pthread_mutex_unlock(&posix->lock);
    }
    for (uint32_t i = 0; i < count; i++) plain_count(&disk->counters, done[i]);
    posix->out -= count;
    return count;
}

static void posix_start(struct disk *disk)
{
    struct posix *posix = posix_of(disk);
    DCHECK(atomic_load(&posix->owner) == (uintptr_t)pthread_self());
    pthread_mutex_lock(&posix->lock);
    hand_over(posix);
    pthread_mutex_unlock(&posix->lock);
}

static int posix_event_fd(struct disk *disk)
{
    struct posix *posix = posix_of(disk);
    if (posix->event >= 0) return posix->event;
    const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return -errno;
    pthread_mutex_lock(&posix->lock);
    posix->event = event;
    if (posix->ended.first) signal_event(posix);
    pthread_mutex_unlock(&posix->lock);
    return event;
}

static int posix_listen(struct disk *disk)
{
    (void)disk;
    return 0;
}

static void posix_wake(struct disk *disk)
{
    struct posix *posix = posix_of(disk);
    pthread_mutex_lock(&posix->lock);
    posix->rung = true;
    if (posix->owner_waits) pthread_cond_signal(&posix->ends);
    pthread_mutex_unlock(&posix->lock);
}

/* ---- the rest ---- */

static int posix_run(struct disk *disk, struct disk_op *op)
{
    struct plain_tally tally = {0}; /* any thread: not counted */
    (void)disk;
    return plain_run(op, &tally);
}

/* A killed process holds its locks until its workers' calls have returned: see the head. */
static int posix_guard(struct disk *disk, int32_t file)
{
    (void)disk;
    (void)file;
    return 0;
}

static uint64_t posix_register_memory(struct disk *disk, void *data, uint64_t bytes)
{
    (void)disk;
    (void)data;
    (void)bytes;
    return 0;
}

/* Any thread, as long as no other uses the disk. What is out is done by the workers before they end. */
static void posix_close(struct disk *disk)
{
    struct posix *posix = posix_of(disk);
    if (atomic_load(&posix->owner) != 0) {
        pthread_mutex_lock(&posix->lock);
        hand_over(posix);
        pthread_mutex_unlock(&posix->lock);
        stop_workers(posix, posix->workers);
    }
    CHECK(!posix->commits.first && !posix->chores.first);
    if (posix->event >= 0) close(posix->event);
    pthread_cond_destroy(&posix->ends);
    pthread_cond_destroy(&posix->work);
    pthread_mutex_destroy(&posix->lock);
    heap_give(posix);
}

static const struct disk_ops posix_ops = {
    .name = "posix",
    .run = posix_run,
    .submit = posix_submit,
    .collect = posix_collect,
    .start = posix_start,
    .attach = posix_attach,
    .list = plain_list,
    .stat = plain_stat,
    .probe = plain_probe,
    .room = plain_room,
    .lock = plain_lock,
    .guard = posix_guard,
    .is_named = plain_is_named,
    .map = plain_map,
    .unmap = plain_unmap,
    .register_memory = posix_register_memory,
    .drop_cache = plain_drop_cache,
    .event_fd = posix_event_fd,
    .listen = posix_listen,
    .wake = posix_wake,
    .now = plain_now,
    .pause = plain_pause,
    .entropy = plain_entropy,
    .is_process_alive = plain_is_process_alive,
    .process_id = plain_process_id,
    .close = posix_close,
};

int disk_posix_open(uint32_t workers, struct disk **out)
{
    *out = NULL;
    if (workers < WORKERS_MIN || workers > WORKERS_MAX) return EINVAL;
    struct posix *posix = heap_take_zeroed(1, sizeof *posix);
    if (!posix) return ENOMEM;
    posix->disk.ops = &posix_ops;
    posix->workers = workers;
    posix->event = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&posix->lock, NULL);
    pthread_cond_init(&posix->work, NULL);
    pthread_cond_init(&posix->ends, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *out = &posix->disk;
    return 0;
}
