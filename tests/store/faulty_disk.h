/* faulty_disk.h: a disk that hands everything on to a real one, until the test says otherwise: the n-th operation of a
 * kind fails, or writes are held back as if the device were slow.
 */
#ifndef TEAK_TESTS_FAULTY_DISK_H
#define TEAK_TESTS_FAULTY_DISK_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "os/disk.h"
#include "store/store.h"

enum { FAULTY_HELD_MAX = 2 * DISK_SUBMITTED_MAX };

struct faulty_trace;

struct faulty {
    struct disk disk;
    struct disk *real;
    /* the fault: the nth operation of `kind` from now on; 0: none */
    enum disk_kind kind;
    uint64_t nth, seen;
    int fault;          /* its errno                                             */
    bool for_good;      /* and every one of that kind after it                   */
    bool chores_too;    /* else the background's operations are left in peace    */
    bool lands_anyway;  /* the operation is done and reported as failed          */
    int fails_chores;   /* an errno: every write of the background fails with it; 0: none */
    uint64_t struck;    /* how often it came to that                             */
    /* a slow device */
    bool holds_writes, holds_syncs, holds_chores;
    bool is_patient;    /* a wait without a limit is no giving up                */
    atomic_bool rung;   /* disk_wake                                             */
    struct disk_op *held[FAULTY_HELD_MAX];
    struct disk_op *ended[FAULTY_HELD_MAX]; /* failed, or landed already: told at the next collecting */
    uint32_t held_count, ended_count;
    uint64_t stands_ns;  /* its clock: stands there; 0: goes as the real one     */
    uint64_t ahead_ns;   /* and is that much ahead                               */
    uint64_t free_bytes; /* what it says of its space; 0: the truth              */
    uint64_t tried[DISK_KIND_COUNT]; /* operations that were asked for           */
    struct faulty_trace *trace;      /* what was submitted, in order; NULL: not kept */
    uint32_t trace_count, trace_room;
    /* told of every operation: of a plain one when it was done, of another when it was asked for */
    void (*watch)(void *context, const struct disk_op *op);
    void *watch_context;
    uint32_t guarded;    /* how often it was asked to guard a file, and which one last */
    int32_t guarded_file;
};

struct faulty_trace {
    enum disk_kind kind;
    uint32_t flags;
    int32_t file;
    uint64_t offset, bytes;
};

static uint64_t faulty_tried_at_end[DISK_KIND_COUNT]; /* by the disk that was closed last */

static inline struct faulty *faulty_of(struct disk *disk) { return (struct faulty *)(void *)disk; }

static inline bool faulty_strikes(struct faulty *faulty, const struct disk_op *op)
{
    faulty->tried[op->kind]++;
    if (faulty->fails_chores && op->kind == DISK_WRITE && (op->flags & DISK_CHORE)) {
        faulty->fault = faulty->fails_chores;
        return true;
    }
    if (faulty->nth == 0 || op->kind != faulty->kind || (!faulty->chores_too && (op->flags & DISK_CHORE))) return false;
    faulty->seen++;
    if (faulty->seen < faulty->nth || (faulty->seen > faulty->nth && !faulty->for_good)) return false;
    faulty->struck++;
    return true;
}

static inline int faulty_run(struct disk *disk, struct disk_op *op)
{
    struct faulty *faulty = faulty_of(disk);
    const bool strikes = faulty_strikes(faulty, op);
    if (!strikes || faulty->lands_anyway) (void)disk_run(faulty->real, op);
    disk->counters = faulty->real->counters;
    if (strikes) {
        op->error = faulty->fault;
        op->done = 0;
        if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    }
    if (faulty->watch) faulty->watch(faulty->watch_context, op);
    return op->error;
}

static inline bool faulty_holds(const struct faulty *faulty, const struct disk_op *op)
{
    if (op->flags & DISK_CHORE) return faulty->holds_chores;
    return (op->kind == DISK_WRITE && faulty->holds_writes) || (op->kind == DISK_SYNC && faulty->holds_syncs);
}

static inline void faulty_submit(struct disk *disk, struct disk_op *op)
{
    struct faulty *faulty = faulty_of(disk);
    if (faulty->trace && faulty->trace_count < faulty->trace_room)
        faulty->trace[faulty->trace_count++] =
            (struct faulty_trace){op->kind, op->flags, op->file, op->offset, op->bytes};
    if (faulty->watch) faulty->watch(faulty->watch_context, op);
    if (faulty_strikes(faulty, op)) {
        if (faulty->lands_anyway) (void)disk_run(faulty->real, op);
        op->error = faulty->fault;
        op->done = 0;
        faulty->ended[faulty->ended_count++] = op;
    } else if (faulty_holds(faulty, op)) {
        faulty->held[faulty->held_count++] = op;
    } else {
        disk_submit(faulty->real, op);
    }
}

/* Lets go of what was held, the oldest `count` of them. */
static inline void faulty_release(struct faulty *faulty, uint32_t count)
{
    if (count > faulty->held_count) count = faulty->held_count;
    for (uint32_t i = 0; i < count; i++) disk_submit(faulty->real, faulty->held[i]);
    faulty->held_count -= count;
    memmove(faulty->held, faulty->held + count, faulty->held_count * sizeof(faulty->held[0]));
}

static inline void faulty_release_all(struct faulty *faulty)
{
    faulty->holds_writes = faulty->holds_syncs = faulty->holds_chores = false;
    faulty_release(faulty, faulty->held_count);
}

/* Waits until the device has done all that it was given. The store hears of it when it looks next. */
static inline void faulty_land(struct faulty *faulty)
{
    while (faulty->real->submitted > faulty->real->collected) {
        const uint32_t room = FAULTY_HELD_MAX - faulty->ended_count;
        faulty->ended_count += disk_collect(faulty->real, faulty->ended + faulty->ended_count, room, 1000000);
    }
}

/* What was held never reached the device. */
static inline void faulty_fail_held(struct faulty *faulty, int fault)
{
    for (uint32_t i = 0; i < faulty->held_count; i++) {
        faulty->held[i]->error = fault;
        faulty->held[i]->done = 0;
        faulty->ended[faulty->ended_count++] = faulty->held[i];
    }
    faulty->held_count = 0;
}

static inline uint32_t faulty_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    struct faulty *faulty = faulty_of(disk);
    const bool idle = faulty->real->submitted == faulty->real->collected;
    if (idle && faulty->held_count > 0 && faulty->ended_count == 0 && wait_ns == UINT64_MAX && !faulty->is_patient)
        faulty_fail_held(faulty, ECANCELED); /* the store is being given up */
    uint32_t count = 0;
    while (count < max && faulty->ended_count > 0) {
        done[count++] = faulty->ended[0];
        faulty->ended_count--;
        memmove(faulty->ended, faulty->ended + 1, faulty->ended_count * sizeof(faulty->ended[0]));
    }
    if (count > 0) wait_ns = 0;
    if (idle && faulty->held_count > 0 && wait_ns > 0) {
        disk_pause(faulty->real, wait_ns < 1000000 ? wait_ns : 1000000);
        wait_ns = 0;
    }
    count += disk_collect(faulty->real, done + count, max - count, wait_ns);
    disk->woken = atomic_exchange(&faulty->rung, false);
    faulty->real->woken = false;
    disk->counters = faulty->real->counters;
    return count;
}

static inline int faulty_attach(struct disk *disk) { return disk_attach(faulty_of(disk)->real); }
static inline int faulty_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context)
{
    return disk_list(faulty_of(disk)->real, dir, fn, context);
}
static inline int faulty_stat(struct disk *disk, int32_t file, struct disk_file_info *out)
{
    return disk_stat(faulty_of(disk)->real, file, out);
}
static inline int faulty_probe(struct disk *disk, int32_t dir, struct disk_device *out)
{
    return disk_probe(faulty_of(disk)->real, dir, out);
}
static inline int faulty_room(struct disk *disk, int32_t dir, uint64_t *free_out)
{
    const int error = disk_room(faulty_of(disk)->real, dir, free_out);
    if (faulty_of(disk)->free_bytes) *free_out = faulty_of(disk)->free_bytes;
    return error;
}
static inline int faulty_lock(struct disk *disk, int32_t file, enum disk_lock how)
{
    return disk_lock(faulty_of(disk)->real, file, how);
}
static inline int faulty_guard(struct disk *disk, int32_t file)
{
    faulty_of(disk)->guarded++;
    faulty_of(disk)->guarded_file = file;
    return disk_guard(faulty_of(disk)->real, file);
}
static inline int faulty_is_named(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out)
{
    return disk_is_named(faulty_of(disk)->real, dir, name, file, out);
}
static inline int faulty_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out)
{
    return disk_map(faulty_of(disk)->real, file, offset, bytes, out);
}
static inline void faulty_unmap(struct disk *disk, void *data, uint64_t bytes)
{
    disk_unmap(faulty_of(disk)->real, data, bytes);
}
static inline uint64_t faulty_register(struct disk *disk, void *data, uint64_t bytes)
{
    return disk_register_memory(faulty_of(disk)->real, data, bytes);
}
static inline int faulty_drop_cache(struct disk *disk, int32_t file)
{
    return disk_drop_cache(faulty_of(disk)->real, file);
}
static inline int faulty_event_fd(struct disk *disk) { return disk_event_fd(faulty_of(disk)->real); }
static inline int faulty_listen(struct disk *disk) { return disk_listen(faulty_of(disk)->real); }
static inline void faulty_wake(struct disk *disk)
{
    atomic_store(&faulty_of(disk)->rung, true);
    disk_wake(faulty_of(disk)->real);
}
static inline uint64_t faulty_now(struct disk *disk)
{
    const struct faulty *faulty = faulty_of(disk);
    return (faulty->stands_ns ? faulty->stands_ns : disk_now(faulty->real)) + faulty->ahead_ns;
}
static inline void faulty_pause(struct disk *disk, uint64_t ns) { disk_pause(faulty_of(disk)->real, ns); }
static inline int faulty_entropy(struct disk *disk, void *out, size_t bytes)
{
    return disk_entropy(faulty_of(disk)->real, out, bytes);
}
static inline bool faulty_is_alive(struct disk *disk, uint64_t pid)
{
    return disk_is_process_alive(faulty_of(disk)->real, pid);
}
static inline uint64_t faulty_process_id(struct disk *disk) { return disk_process_id(faulty_of(disk)->real); }
static inline void faulty_close(struct disk *disk)
{
    struct faulty *faulty = faulty_of(disk);
    memcpy(faulty_tried_at_end, faulty->tried, sizeof faulty_tried_at_end);
    disk_close(faulty->real);
    free(faulty);
}

/* Around a disk of `backend`; belongs to the store that is opened on it. NULL: there is no such backend here. */
static inline struct faulty *faulty_make(enum teak_backend backend)
{
    static const struct disk_ops ops = {
        .name = "faulty", .run = faulty_run, .submit = faulty_submit, .collect = faulty_collect,
        .attach = faulty_attach, .list = faulty_list, .stat = faulty_stat, .probe = faulty_probe,
        .room = faulty_room, .lock = faulty_lock,
        .guard = faulty_guard, .is_named = faulty_is_named, .map = faulty_map, .unmap = faulty_unmap,
        .register_memory = faulty_register, .drop_cache = faulty_drop_cache, .event_fd = faulty_event_fd,
        .listen = faulty_listen, .wake = faulty_wake,
        .now = faulty_now, .pause = faulty_pause, .entropy = faulty_entropy, .is_process_alive = faulty_is_alive,
        .process_id = faulty_process_id, .close = faulty_close,
    };
    struct faulty *faulty = calloc(1, sizeof *faulty);
    if (!faulty) return NULL;
    const bool posix = backend == TEAK_BACKEND_POSIX;
    const int error = posix ? disk_posix_open(4, &faulty->real) : disk_uring_open(&faulty->real);
    if (error) {
        free(faulty);
        return NULL;
    }
    faulty->disk.ops = &ops;
    return faulty;
}

/* From now on the nth operation of `kind` fails with `fault`. */
static inline void faulty_arm(struct faulty *faulty, enum disk_kind kind, uint64_t nth, int fault)
{
    faulty->kind = kind;
    faulty->nth = nth;
    faulty->seen = 0;
    faulty->fault = fault;
}

/* ---- a fault of an index, and of nothing else: spares are made at the same time ---- */

struct faulty_index {
    struct faulty *faulty;
    enum disk_kind kind;       /* DISK_WRITE: its first piece; DISK_SYNC: the sync behind it */
    int32_t file;              /* the segment's that frames went to first; DISK_NONE: none yet */
    bool is_begun, is_armed;
};

/* What the background writes into a file that has frames is its index. */
static inline void faulty_watch_index(void *context, const struct disk_op *op)
{
    struct faulty_index *fault = context;
    const bool is_chore = op->flags & DISK_CHORE;
    if (op->kind == DISK_WRITE && !is_chore && fault->file == DISK_NONE) fault->file = op->file;
    if (!is_chore || fault->is_armed || fault->file == DISK_NONE || op->file != fault->file) return;
    fault->is_begun |= op->kind == DISK_WRITE;
    if (!fault->is_begun || op->kind != fault->kind) return;
    fault->is_armed = true;
    fault->faulty->chores_too = true;
    faulty_arm(fault->faulty, fault->kind, 1, EIO); /* asked right after this */
}

/* From now on, with the segment that the next frame goes to: its index fails. `fault` has to outlive the disk. */
static inline void faulty_arm_at_index(struct faulty *faulty, enum disk_kind kind, struct faulty_index *fault)
{
    *fault = (struct faulty_index){.faulty = faulty, .kind = kind, .file = DISK_NONE};
    faulty->watch = faulty_watch_index;
    faulty->watch_context = fault;
}

#endif
