/* disk_uring.c: operations through io_uring, driven by one thread.
 * OWNS   The ring, its registered memory and lock file, and what waits to enter it.
 *
 *      submit() ──► commits, chores ──push()──► SQ ──enter()──► kernel ──► CQ ──land()──► handed back
 *                          ▲                                                   │
 *                          └──────────── again: EINTR, EAGAIN, the rest ◄──────┘
 *
 * PATH   collect() pushes what may start, hands back what is in the CQ already, and otherwise enters the kernel once:
 *        to submit, to run the completions it has deferred (DEFER_TASKRUN: they appear in no other call), and to wait.
 *        A kind the kernel has no opcode for is done inline by plain calls and comes back like the others.
 * FAILS  Opening says EPERM, ENOSYS or ENOMEM where there is no ring: "take posix". Later only operations fail; an
 *        error of the ring itself other than EINTR, EAGAIN, EBUSY, ENOMEM is a bug, and CHECKed.
 * HOLDS  (1) one CQE for each SQE, and a CQ of twice DISK_SUBMITTED_MAX: it cannot overflow (the bell has one)
 *        (2) at most CHORES_MAX chores that may need a kernel worker are in the ring; io-wq has more than that
 *        (3) collect() leaves nothing that could be started, or the event fd readable: a host that waits is woken
 *        (4) the LOCK lies in the ring's file table, and the kernel keeps the table until the last request has ended:
 *            a killed writer's lock outlives its writes
 * The ring is created disabled and belongs to the first thread that drives it, for good. io-wq's bound is the kernel's
 * per thread: another ring of the host's on this thread shares it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "os/disk_plain.h"
#include "os/heap.h"
#include "os/op_list.h"
#include "os/thread.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14, include/uapi/asm-generic/mman-common.h */
#endif

enum {
    OPCODE_FTRUNCATE = 55,              /* IORING_OP_FTRUNCATE: Linux 6.9, uapi/linux/io_uring.h; not in liburing 2.3 */
    SQ_ENTRIES = 64,                    /* a burst of 128 takes two calls; 64 SQEs are one page */
    CQ_ENTRIES = 2 * DISK_SUBMITTED_MAX,
    IOWQ_WORKERS = 8,                   /* syncs and allocations block a worker each; unbounded, each gets a thread */
    CHORES_MAX = 3,                     /* the others are the commits'; the thread's other rings share them */
    ROUNDS_MAX = 4,                     /* collect() without a wait: how often it starts again what came back EAGAIN */
    WAY_NS = 100000,                    /* a worker that ends a write takes less: longer, and others were let run */
    WAY_SHARE = 9,                      /* what takes longer is a tenth of the time at most */
    REGISTER_BYTES_MAX = 1 << 30,       /* io_uring_registered_buffers(7) */
    REGISTER_BYTES_MIN = 64 * 1024,
};

struct uring {
    struct disk disk;          /* first member: see disk.h */
    struct io_uring ring;
    _Atomic uintptr_t owner;   /* pthread_self() of the thread that drives; 0: none yet. Set once, by attach() */
    bool has[DISK_KIND_COUNT]; /* the kernel has an opcode for that kind */

    uint32_t out;              /* submitted, not handed back. At most DISK_SUBMITTED_MAX */
    uint32_t in_ring;          /* of these: in the SQ, the kernel or the CQ              */
    uint32_t chores_in_ring;   /* of these: chores that count. Holds: <= CHORES_MAX      */
    struct op_list commits;    /* wait for room in the SQ                                */
    struct op_list chores;     /* wait for room in the SQ and for chores_in_ring         */
    struct op_list ended;      /* done inline, not handed back                           */

    const uint8_t *registered; /* writes from [registered, + registered_bytes) use buffer 0 */
    uint64_t registered_bytes;
    uint8_t *unshared;         /* whole pages of the memory given, which no child inherits until close() */
    uint64_t unshared_bytes;
    uint64_t size_limit;       /* RLIMIT_FSIZE when last asked: at open, by ALLOCATE, and before a write is refused */
    int guard;                 /* our own descriptor of the LOCK; -1: none */
    int event;                 /* eventfd registered with the ring; -1: none was asked for */
    bool event_is_clear;       /* nothing was out since the event fd was read: it need not be read again */
    int bell;                  /* eventfd that wake() writes; -1: nobody listens */
    bool bell_is_watched;      /* a poll of it is in the ring: one CQE of its own */

    uint64_t way_from_ns;      /* give_way() does nothing before */
};

static struct uring *uring_of(struct disk *disk) { return (struct uring *)disk; }

/* ---- into the ring ---- */

static const uint8_t opcodes[DISK_KIND_COUNT] = {
    [DISK_WRITE] = IORING_OP_WRITE,         [DISK_READ] = IORING_OP_READ,
    [DISK_SYNC] = IORING_OP_FSYNC,          [DISK_SYNC_ALL] = IORING_OP_FSYNC,
    [DISK_OPEN] = IORING_OP_OPENAT,         [DISK_CLOSE] = IORING_OP_CLOSE,
    [DISK_ALLOCATE] = IORING_OP_FALLOCATE,  [DISK_TRUNCATE] = OPCODE_FTRUNCATE,
    [DISK_RENAME] = IORING_OP_RENAMEAT,     [DISK_UNLINK] = IORING_OP_UNLINKAT,
    [DISK_MKDIR] = IORING_OP_MKDIRAT,       [DISK_LINK] = IORING_OP_LINKAT,
    [DISK_POPULATE] = IORING_OP_MADVISE,
};

/* Those that the kernel never starts on the thread that submits: REQ_F_FORCE_ASYNC in the prep functions of Linux 6.x
 * (io_uring/sync.c, fs.c, advise.c, truncate.c), -EAGAIN to IO_URING_F_NONBLOCK before; an open that creates likewise
 * (io_uring/openclose.c), and a close that asks for it here. */
static bool runs_on_worker(const struct disk_op *op)
{
    switch (op->kind) {
    case DISK_WRITE:
    case DISK_READ: return false; /* may be; the kernel does not say */
    case DISK_OPEN: return (op->flags & (DISK_CREATE | DISK_OR_CREATE)) != 0;
    case DISK_CLOSE: return (op->flags & DISK_CHORE) != 0;
    case DISK_SYNC:
    case DISK_SYNC_ALL:
    case DISK_ALLOCATE:
    case DISK_TRUNCATE:
    case DISK_RENAME:
    case DISK_UNLINK:
    case DISK_MKDIR:
    case DISK_LINK:
    case DISK_POPULATE:
    case DISK_KIND_COUNT: return true;
    }
    return true;
}

/* Reads need no worker: direct ones are asynchronous, others wait for their page without one. */
static bool counts_as_chore(const struct disk_op *op) { return (op->flags & DISK_CHORE) && op->kind != DISK_READ; }

static void prepare_write(const struct uring *uring, const struct disk_op *op, struct io_uring_sqe *sqe)
{
    const uint8_t *from = (const uint8_t *)op->data + op->done;
    const uint64_t bytes = plain_piece(op);
    const uintptr_t start = (uintptr_t)uring->registered;
    const bool fixed = (uintptr_t)from >= start && (uintptr_t)from - start <= uring->registered_bytes &&
                       bytes <= uring->registered_bytes - ((uintptr_t)from - start);
    if (fixed)
        io_uring_prep_write_fixed(sqe, op->file, from, (unsigned)bytes, op->offset + op->done, 0);
    else
        io_uring_prep_write(sqe, op->file, from, (unsigned)bytes, op->offset + op->done);
    sqe->rw_flags = op->flags & DISK_DSYNC ? RWF_DSYNC : 0;
}

static void prepare_populate(const struct disk_op *op, struct io_uring_sqe *sqe)
{
    uint64_t bytes;
    void *from = plain_populate_from(op, &bytes);
    io_uring_prep_madvise(sqe, from, (off_t)bytes, MADV_POPULATE_READ);
}

static void prepare(const struct uring *uring, const struct disk_op *op, struct io_uring_sqe *sqe)
{
    switch (op->kind) {
    case DISK_WRITE: prepare_write(uring, op, sqe); break;
    case DISK_READ:
        io_uring_prep_read(sqe, op->file, (uint8_t *)op->data + op->done, plain_piece(op), op->offset + op->done);
        break;
    case DISK_SYNC: io_uring_prep_fsync(sqe, op->file, IORING_FSYNC_DATASYNC); break;
    case DISK_SYNC_ALL: io_uring_prep_fsync(sqe, op->file, 0); break;
    case DISK_OPEN:
        io_uring_prep_openat(sqe, op->dir, op->name, plain_open_flags(op), (mode_t)PLAIN_FILE_MODE);
        break;
    case DISK_CLOSE:
        io_uring_prep_close(sqe, op->file);
        /* The last reference to an unlinked file frees its blocks, on the thread that closes it: not on the owner's. */
        if (op->flags & DISK_CHORE) sqe->flags |= IOSQE_ASYNC;
        break;
    case DISK_ALLOCATE: io_uring_prep_fallocate(sqe, op->file, 0, 0, (off_t)op->bytes); break;
    case DISK_TRUNCATE: io_uring_prep_rw(OPCODE_FTRUNCATE, sqe, op->file, NULL, 0, op->bytes); break;
    case DISK_RENAME:
        io_uring_prep_renameat(sqe, op->dir, op->name, op->dir, op->to,
                               op->flags & DISK_REPLACE ? 0 : RENAME_NOREPLACE);
        break;
    case DISK_UNLINK: io_uring_prep_unlinkat(sqe, op->dir, op->name, 0); break;
    case DISK_MKDIR: io_uring_prep_mkdirat(sqe, op->dir, op->name, (mode_t)PLAIN_DIRECTORY_MODE); break;
    case DISK_LINK: io_uring_prep_linkat(sqe, op->dir, op->name, op->file, op->to, 0); break;
    case DISK_POPULATE: prepare_populate(op, sqe); break;
    case DISK_KIND_COUNT: break;
    }
    io_uring_sqe_set_data(sqe, (void *)(uintptr_t)op);
}

static int refusal(struct uring *uring, const struct disk_op *op)
{
    const int error = op->kind == DISK_ALLOCATE ? EFBIG : plain_refusal(op, uring->size_limit);
    if (error != EFBIG) return error;
    uring->size_limit = plain_size_limit();
    return plain_refusal(op, uring->size_limit);
}

static void end(struct uring *uring, struct disk_op *op, int error)
{
    op->error = error;
    op_list_push(&uring->ended, op);
}

static void run_inline(struct uring *uring, struct disk_op *op)
{
    struct plain_tally tally = {0};
    end(uring, op, plain_run(op, &tally));
    uring->disk.counters.short_transfers += tally.short_transfers;
    uring->disk.counters.retries += tally.retries;
}

/* No byte to move: the kernel would answer 0 to a write, which means "stuck", and EINVAL to fallocate. */
static bool is_empty(const struct disk_op *op)
{
    return op->bytes == 0 && (op->kind == DISK_WRITE || op->kind == DISK_ALLOCATE || op->kind == DISK_POPULATE);
}

/* False: no room in the SQ; nothing has happened. */
static bool start(struct uring *uring, struct disk_op *op)
{
    const int error = refusal(uring, op);
    if (error != 0) {
        end(uring, op, error);
        return true;
    }
    if (!uring->has[op->kind] || is_empty(op)) {
        run_inline(uring, op);
        return true;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe) return false;
    prepare(uring, op, sqe);
    uring->in_ring++;
    uring->disk.counters.worker_ops += runs_on_worker(op);
    if (counts_as_chore(op)) uring->chores_in_ring++;
    return true;
}

static bool may_start_commit(const struct uring *uring) { return uring->commits.first != NULL; }
static bool may_start_chore(const struct uring *uring)
{
    const struct disk_op *op = uring->chores.first;
    return op && (uring->chores_in_ring < CHORES_MAX || !counts_as_chore(op));
}

/* As many as may start and find room; commits first. */
static void push(struct uring *uring)
{
    for (;;) {
        struct op_list *list = may_start_commit(uring) ? &uring->commits : &uring->chores;
        if (list == &uring->chores && !may_start_chore(uring)) return;
        struct disk_op *op = op_list_pop(list);
        if (start(uring, op)) continue;
        op_list_push_front(list, op);
        return;
    }
}

static bool may_start(const struct uring *uring) { return may_start_commit(uring) || may_start_chore(uring); }

static bool may_push(const struct uring *uring)
{
    return may_start(uring) && io_uring_sq_space_left(&uring->ring) > 0;
}

/* ---- out of the ring ---- */

static void again(struct uring *uring, struct disk_op *op)
{
    op_list_push_front(op->flags & DISK_CHORE ? &uring->chores : &uring->commits, op);
}

/* What plain_run() knows another way for: a file system without RENAME_NOREPLACE, RWF_DSYNC or fallocate. */
static bool has_another_way(const struct disk_op *op, int error)
{
    return (op->kind == DISK_RENAME && !(op->flags & DISK_REPLACE) && error == EINVAL) ||
           (op->kind == DISK_WRITE && (op->flags & DISK_DSYNC) && error == EOPNOTSUPP) ||
           (op->kind == DISK_ALLOCATE && error == EOPNOTSUPP);
}

/* A worker of the ring that waited when the process was stopped (SIGSTOP, a debugger) gives up. It was to be run again
 * by the way back into the process, which it has none of: the kernel's own codes for that are handed out as they are
 * (include/linux/errno.h, ERESTARTSYS to ERESTART_RESTARTBLOCK; io_openat2() does not translate them). */
static bool was_interrupted(int error) { return error == EINTR || (error >= 512 && error <= 516); }

static void land_error(struct uring *uring, struct disk_op *op, int error)
{
    if (op->kind == DISK_CLOSE && was_interrupted(error)) {
        end(uring, op, 0); /* closed all the same: close(2), NOTES */
    } else if (was_interrupted(error) || error == EAGAIN) {
        uring->disk.counters.retries++;
        again(uring, op);
    } else if (has_another_way(op, error)) {
        run_inline(uring, op);
    } else {
        if (op->kind == DISK_OPEN) plain_open_end(op, error);
        end(uring, op, plain_transfer_error(op, error));
    }
}

static void land_transfer(struct uring *uring, struct disk_op *op, uint32_t moved)
{
    const uint32_t asked = plain_piece(op);
    op->done += op->kind == DISK_POPULATE ? asked : moved;
    if (op->done == op->bytes)
        end(uring, op, 0);
    else if (moved == 0 && op->kind != DISK_POPULATE)
        end(uring, op, op->kind == DISK_READ ? 0 : EIO);
    else {
        if (op->kind != DISK_POPULATE && moved < asked) uring->disk.counters.short_transfers++;
        again(uring, op);
    }
}

/* To `ended`, or back into a list. */
static void land(struct uring *uring, struct disk_op *op, int32_t result)
{
    CHECK_LT(0, uring->in_ring);
    uring->in_ring--;
    if (counts_as_chore(op)) uring->chores_in_ring--;
    if (result < 0) {
        land_error(uring, op, -result);
    } else if (op->kind == DISK_WRITE || op->kind == DISK_READ || op->kind == DISK_POPULATE) {
        land_transfer(uring, op, (uint32_t)result);
    } else {
        if (op->kind == DISK_OPEN) {
            op->file = result;
            plain_open_end(op, 0);
        }
        end(uring, op, 0);
    }
}

/* ---- the bell ---- */

static int uring_listen(struct disk *disk)
{
    struct uring *uring = uring_of(disk);
    if (uring->bell >= 0) return 0;
    uring->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return uring->bell >= 0 ? 0 : errno;
}

static void uring_wake(struct disk *disk)
{
    const uint64_t one = 1;
    const ssize_t wrote = write(uring_of(disk)->bell, &one, sizeof one);
    CHECK(wrote == (ssize_t)sizeof one || errno == EAGAIN);
}

/* Asked for once, answered once. The bell that rang before it is watched is heard at once. */
static void watch_bell(struct uring *uring)
{
    if (uring->bell < 0 || uring->bell_is_watched) return;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (!sqe) return; /* the next turn of the loop that follows has room */
    io_uring_prep_poll_add(sqe, uring->bell, POLLIN);
    io_uring_sqe_set_data(sqe, &uring->bell);
    uring->bell_is_watched = true;
}

static void land_bell(struct uring *uring, int32_t result)
{
    uint64_t times;
    const ssize_t got = read(uring->bell, &times, sizeof times);
    CHECK(result >= 0 && (got == (ssize_t)sizeof times || errno == EAGAIN));
    uring->bell_is_watched = false;
    uring->disk.woken = true;
}

/* ---- out of the CQ ---- */

/* Makes no call but for the bell: what is in the CQ, and what has ended inline. */
static uint32_t reap(struct uring *uring, struct disk_op **done, uint32_t max, uint32_t count)
{
    unsigned head;
    unsigned landed = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&uring->ring, head, cqe) {
        if (cqe->user_data == (uintptr_t)&uring->bell)
            land_bell(uring, cqe->res);
        else
            land(uring, (struct disk_op *)(uintptr_t)cqe->user_data, cqe->res);
        landed++;
    }
    io_uring_cq_advance(&uring->ring, landed);
    while (count < max && uring->ended.first) {
        done[count] = op_list_pop(&uring->ended);
        plain_count(&uring->disk.counters, done[count++]);
    }
    return count;
}

static void note_entered(struct uring *uring, int result)
{
    uring->disk.counters.enters++;
    uring->event_is_clear = false;
    CHECK(!io_uring_cq_has_overflow(&uring->ring)); /* HOLDS (1) */
    if (result >= 0 || result == -ETIME) return;
    if (result != -EINTR) uring->disk.counters.retries++;
    CHECK(result == -EINTR || result == -EAGAIN || result == -EBUSY || result == -ENOMEM);
}

/* One call: submit, run deferred completions, wait for one. */
static void enter(struct uring *uring, uint64_t wait_ns)
{
    int result;
    if (wait_ns == 0) {
        result = io_uring_submit_and_get_events(&uring->ring);
    } else if (wait_ns == UINT64_MAX) {
        result = io_uring_submit_and_wait(&uring->ring, 1);
    } else {
        /* With an empty CQ, as here, liburing 2.3 enters once, whatever comes of it: src/queue.c, _io_uring_get_cqe. */
        struct io_uring_cqe *unused;
        struct __kernel_timespec wait = {
            .tv_sec = (int64_t)(wait_ns / 1000000000),
            .tv_nsec = (int64_t)(wait_ns % 1000000000),
        };
        result = io_uring_submit_and_wait_timeout(&uring->ring, &unused, 1, &wait, NULL);
    }
    note_entered(uring, result);
}

/* ---- the event fd ---- */

static void set_event(struct uring *uring)
{
    const uint64_t one = 1;
    const ssize_t wrote = write(uring->event, &one, sizeof one);
    CHECK(wrote == (ssize_t)sizeof one || errno == EAGAIN);
    uring->event_is_clear = false;
}

/* Before looking for completions: one that lands afterwards makes it readable again. */
static void clear_event(struct uring *uring)
{
    uint64_t times;
    const ssize_t got = read(uring->event, &times, sizeof times);
    CHECK(got == (ssize_t)sizeof times || errno == EAGAIN);
    uring->event_is_clear = uring->out == 0;
}

/* HOLDS (3): where something could be started, or handed back, the host comes back. */
static void call_back(struct uring *uring)
{
    const bool unfinished = uring->ended.first || may_push(uring) || io_uring_sq_ready(&uring->ring) > 0;
    if (uring->event >= 0 && unfinished) set_event(uring);
}

static int uring_event_fd(struct disk *disk)
{
    struct uring *uring = uring_of(disk);
    if (uring->event >= 0) return uring->event;
    const int event = eventfd(uring->out > 0 ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0) return -errno;
    const int result = io_uring_register_eventfd(&uring->ring, event);
    if (result < 0) {
        close(event);
        return result;
    }
    uring->event = event;
    return event;
}

/* ---- the owner ---- */

/* The kernel ties the ring to this thread; where it is too old to (before 6.0), `owner` does. */
static int uring_attach(struct disk *disk)
{
    struct uring *uring = uring_of(disk);
    const uintptr_t self = (uintptr_t)pthread_self();
    uintptr_t owner = 0;
    if (!atomic_compare_exchange_strong(&uring->owner, &owner, self)) return owner == self ? 0 : EEXIST;
    /* io_uring_enable_rings() by hand: liburing.so 2.3 declares it and does not export it. */
    const int result = io_uring_register((unsigned)uring->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    if (result < 0) {
        atomic_store(&uring->owner, 0);
        return -result;
    }
    unsigned workers[2] = {IOWQ_WORKERS, IOWQ_WORKERS}; /* bounded, unbounded */
    (void)io_uring_register_iowq_max_workers(&uring->ring, workers); /* Linux 5.15; without it a herd is possible */
    (void)io_uring_register_ring_fd(&uring->ring); /* Linux 5.18; without it entering costs a little more */
    return 0;
}

static void uring_submit(struct disk *disk, struct disk_op *op)
{
    struct uring *uring = uring_of(disk);
    DCHECK(atomic_load(&uring->owner) == (uintptr_t)pthread_self());
    CHECK_LT(uring->out, DISK_SUBMITTED_MAX);
    CHECK_LT(op->kind, DISK_KIND_COUNT);
    op->done = 0;
    op->error = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    uring->out++;
    op_list_push(op->flags & DISK_CHORE ? &uring->chores : &uring->commits, op);
}

static uint64_t time_left(struct uring *uring, uint64_t wait_ns, uint64_t began)
{
    if (wait_ns == 0 || wait_ns == UINT64_MAX) return wait_ns;
    const uint64_t spent = plain_now(&uring->disk) - began;
    return spent < wait_ns ? wait_ns - spent : 0;
}

/* Where the device needs a flush, a DSYNC write is ended by a kernel worker bound to the processor that took the
 * interrupt (fs/iomap/direct-io.c: iomap_dio_bio_end_io queues to s_dio_done_wq). A host that asks again and again runs
 * there as likely as not, and the worker would wait for the end of its slice: 3 ms for a write of 0.1. So who finds
 * nothing gives way, once each time. Others may be waiting for the processor, too: then it takes long, and is not done
 * again soon. */
static void give_way(struct uring *uring)
{
    const uint64_t began = plain_now(&uring->disk);
    if (began < uring->way_from_ns) return;
    thread_yield();
    const uint64_t ended = plain_now(&uring->disk), took = ended - began;
    if (took > WAY_NS) uring->way_from_ns = ended + WAY_SHARE * took;
}

/* One turn of the loop where all goes well: push, enter, reap. It turns again only for what came back to be started
 * again, chores that may now start, a burst larger than the SQ, and a signal while there is time left. */
static uint32_t uring_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    struct uring *uring = uring_of(disk);
    DCHECK(atomic_load(&uring->owner) == (uintptr_t)pthread_self());
    CHECK_LT(0, max);
    if (uring->event >= 0 && !uring->event_is_clear) clear_event(uring);
    if (uring->out == 0) return 0;
    const uint64_t began = wait_ns == 0 || wait_ns == UINT64_MAX ? 0 : plain_now(disk);
    uint32_t count = 0;
    bool entered = false;
    /* The kernel tells of deferred completions once, until they are run: what was read above may have been that. */
    const bool must_enter = uring->event >= 0;
    for (uint32_t rounds = 0; rounds < ROUNDS_MAX;) {
        push(uring);
        count = reap(uring, done, max, count);
        if (may_push(uring)) continue;
        if (wait_ns > 0) watch_bell(uring);
        const bool unsent = io_uring_sq_ready(&uring->ring) > 0;
        const bool in_vain = count > 0 || disk->woken || may_start(uring);
        const uint64_t left = in_vain ? 0 : time_left(uring, wait_ns, began);
        const bool enough = count > 0 || uring->ended.first || disk->woken || (entered && left == 0);
        if (!unsent && (uring->in_ring == 0 || (enough && (entered || !must_enter)))) break;
        enter(uring, left);
        entered = true;
        if (left == 0) rounds++;
    }
    uring->out -= count;
    call_back(uring);
    if (count == 0 && uring->in_ring > 0 && !disk->woken) give_way(uring);
    return count;
}

/* Runs no completion: where they are deferred they wait for collect. */
static void uring_start(struct disk *disk)
{
    struct uring *uring = uring_of(disk);
    DCHECK(atomic_load(&uring->owner) == (uintptr_t)pthread_self());
    push(uring);
    if (io_uring_sq_ready(&uring->ring) > 0) note_entered(uring, io_uring_submit(&uring->ring));
    call_back(uring);
}

/* ---- what the ring keeps ---- */

/* A descriptor of our own besides: closing gives up the lock by it, for the kernel lets go of a ring's files later. */
static int uring_guard(struct disk *disk, int32_t file)
{
    struct uring *uring = uring_of(disk);
    const int own = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (own < 0) return errno;
    const int result = uring->guard < 0 ? io_uring_register_files(&uring->ring, &own, 1)
                                        : io_uring_register_files_update(&uring->ring, 0, &own, 1);
    if (result < 0) {
        close(own);
        return -result;
    }
    if (uring->guard >= 0) close(uring->guard);
    uring->guard = own;
    return 0;
}

/* A forked child must not share pages that the device reads: whole pages inside, never a neighbour's. */
static void keep_from_children(struct uring *uring, uint8_t *data, uint64_t bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    const uintptr_t end_of = ((uintptr_t)data + bytes) / page * page;
    if (end_of <= begin) return;
    uring->unshared = (uint8_t *)begin;
    uring->unshared_bytes = end_of - begin;
    (void)madvise(uring->unshared, uring->unshared_bytes, MADV_DONTFORK);
    /* One request of the device takes a limited number of pieces: a write of 1 MiB from small pages is cut in two, from
     * huge ones it is one (docs/performance.md). Where the system has none it says so, and nothing is lost. */
    (void)madvise(uring->unshared, uring->unshared_bytes, MADV_HUGEPAGE);
}

/* Where the whole is refused: what the limit admits at most, and from there down in steps: others have their part. */
static uint64_t smaller_part(uint64_t part, uint64_t bytes)
{
    struct rlimit limit;
    if (part == bytes && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur < bytes)
        part = limit.rlim_cur;
    else
        part -= part / 16 > REGISTER_BYTES_MIN ? part / 16 : REGISTER_BYTES_MIN;
    return part / REGISTER_BYTES_MIN * REGISTER_BYTES_MIN;
}

/* Memory is pinned, and counts against RLIMIT_MEMLOCK, which all rings of this user share. */
static uint64_t uring_register_memory(struct disk *disk, void *data, uint64_t bytes)
{
    struct uring *uring = uring_of(disk);
    CHECK(uring->registered_bytes == 0);
    keep_from_children(uring, data, bytes);
    const uint64_t most = bytes < REGISTER_BYTES_MAX ? bytes : REGISTER_BYTES_MAX;
    for (uint64_t part = most; part > 0; part = part > REGISTER_BYTES_MIN ? smaller_part(part, most) : 0) {
        const struct iovec prefix = {.iov_base = data, .iov_len = part};
        const int result = io_uring_register_buffers(&uring->ring, &prefix, 1);
        if (result == 0) {
            uring->registered = data;
            uring->registered_bytes = part;
            return part;
        }
        if (result != -ENOMEM) return 0;
    }
    return 0;
}

static int uring_run(struct disk *disk, struct disk_op *op)
{
    struct plain_tally tally = {0}; /* any thread: not counted */
    (void)disk;
    return plain_run(op, &tally);
}

static void drain(struct uring *uring)
{
    struct disk_op *done[DISK_SUBMITTED_MAX];
    CHECK(uring->out == 0 || atomic_load(&uring->owner) == (uintptr_t)pthread_self());
    while (uring->out > 0) uring_collect(&uring->disk, done, DISK_SUBMITTED_MAX, UINT64_MAX);
}

/* The owner, or, when nothing is out, another thread after the owner's end. The kernel takes a ring apart in its own
 * time; what the next open would miss, the lock and the pinned memory, is given up here where it allows that. */
static void uring_close(struct disk *disk)
{
    struct uring *uring = uring_of(disk);
    drain(uring);
    const uintptr_t owner = atomic_load(&uring->owner);
    if (owner == 0 || owner == (uintptr_t)pthread_self()) {
        if (uring->registered_bytes > 0) io_uring_unregister_buffers(&uring->ring);
        if (uring->guard >= 0) io_uring_unregister_files(&uring->ring);
    } else {
        /* liburing would unregister the ring's descriptor from this thread's table: the owner's went with the owner. */
        uring->ring.int_flags = 0;
        uring->ring.enter_ring_fd = uring->ring.ring_fd;
    }
    if (uring->guard >= 0) {
        (void)flock(uring->guard, LOCK_UN);
        close(uring->guard);
    }
    io_uring_queue_exit(&uring->ring);
    /* It goes back to the allocator, which may hand it to anyone: a child that touched it would die. */
    if (uring->unshared_bytes > 0) (void)madvise(uring->unshared, uring->unshared_bytes, MADV_DOFORK);
    if (uring->event >= 0) close(uring->event);
    if (uring->bell >= 0) close(uring->bell);
    heap_give(uring);
}

static const struct disk_ops uring_ops = {
    .name = "uring",
    .run = uring_run,
    .submit = uring_submit,
    .collect = uring_collect,
    .start = uring_start,
    .attach = uring_attach,
    .list = plain_list,
    .stat = plain_stat,
    .probe = plain_probe,
    .room = plain_room,
    .lock = plain_lock,
    .guard = uring_guard,
    .is_named = plain_is_named,
    .map = plain_map,
    .unmap = plain_unmap,
    .register_memory = uring_register_memory,
    .drop_cache = plain_drop_cache,
    .event_fd = uring_event_fd,
    .listen = uring_listen,
    .wake = uring_wake,
    .now = plain_now,
    .pause = plain_pause,
    .entropy = plain_entropy,
    .is_process_alive = plain_is_process_alive,
    .process_id = plain_process_id,
    .close = uring_close,
};

/* ---- opening ---- */

/* The best the kernel has: EINVAL means it does not know a flag. DEFER_TASKRUN: completions run when we ask, and never
 * interrupt the host's calls with EINTR. */
static int create_ring(struct io_uring *ring)
{
    static const unsigned rungs[] = {
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* Linux 6.1  */
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,  /* Linux 6.0  */
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,                               /* Linux 5.19 */
        IORING_SETUP_SUBMIT_ALL,                                                           /* Linux 5.18 */
        0,                                                                                 /* Linux 5.10 */
    };
    int result = -EINVAL;
    for (size_t i = 0; i < sizeof rungs / sizeof rungs[0] && result == -EINVAL; i++) {
        struct io_uring_params params = {
            .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | rungs[i],
            .cq_entries = CQ_ENTRIES,
        };
        result = io_uring_queue_init_params(SQ_ENTRIES, ring, &params);
    }
    return result == -EINVAL ? ENOSYS : -result;
}

/* Without these the ring is of no use to us; for any other kind there are plain calls. */
static int ask_opcodes(struct uring *uring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(&uring->ring);
    if (!probe) return ENOSYS;
    for (int kind = 0; kind < DISK_KIND_COUNT; kind++)
        uring->has[kind] = io_uring_opcode_supported(probe, opcodes[kind]) != 0;
    const bool fixed = io_uring_opcode_supported(probe, IORING_OP_WRITE_FIXED) != 0;
    io_uring_free_probe(probe);
    const bool timed = (uring->ring.features & IORING_FEAT_EXT_ARG) != 0; /* Linux 5.11 */
    return fixed && timed && uring->has[DISK_WRITE] && uring->has[DISK_READ] && uring->has[DISK_SYNC] ? 0 : ENOSYS;
}

int disk_uring_open(struct disk **out)
{
    *out = NULL;
    struct uring *uring = heap_take_zeroed(1, sizeof *uring);
    if (!uring) return ENOMEM;
    uring->disk.ops = &uring_ops;
    uring->size_limit = plain_size_limit();
    uring->guard = -1;
    uring->event = -1;
    uring->bell = -1;
    int error = create_ring(&uring->ring);
    if (error != 0) goto free_uring;
    error = ask_opcodes(uring);
    if (error != 0) goto exit_ring;
    (void)io_uring_ring_dontfork(&uring->ring);
    *out = &uring->disk;
    return 0;
exit_ring:
    io_uring_queue_exit(&uring->ring);
free_uring:
    heap_give(uring);
    return error;
}
