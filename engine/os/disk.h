/* disk.h: the seam between the engine and whatever holds its bytes.
 *
 * Every byte that reaches a medium, every sync, every listing, creating, renaming, unlinking and directory sync goes
 * through here, and so do the clock and the entropy: a simulated disk needs no other door. The seam knows no format.
 *
 * One `struct disk` serves one store. An operation is a value, `struct disk_op`, that its owner keeps:
 *
 *   disk_run      does it now, on the calling thread, with plain calls: opening, closing, tools.
 *   disk_submit   queues it; disk_collect hands it back when it has ended. Owner thread only. The op, its buffer and
 *                 its names belong to the disk from submit to collect.
 *
 * What a completion means
 *   WRITE  all bytes were accepted (a short write is finished by the backend, and counted). With DISK_DSYNC they are
 *          also durable. O_DIRECT or not is a property of the open file.
 *   SYNC   fdatasync of that file: covers only writes whose completions were collected before it was submitted. The
 *          engine sees to that; the backend must not start it before it was submitted.
 *   READ   `done` bytes; fewer than `bytes` only at the end of the file.
 * Completions come in any order. Nothing is retried except EINTR, EAGAIN and the rest of a short transfer.
 * An operation marked DISK_CHORE never takes the last worker.
 */
#ifndef TEAK_OS_DISK_H
#define TEAK_OS_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;

enum disk_kind {
    DISK_WRITE,    /* file, data, bytes, offset                                                            */
    DISK_READ,     /* file, data, bytes, offset                                                            */
    DISK_SYNC,     /* file: fdatasync                                                                      */
    DISK_SYNC_ALL, /* file: fsync (also of a directory's descriptor): names, sizes and bytes               */
    DISK_OPEN,     /* dir, name, flags -> file                                                             */
    DISK_CLOSE,    /* file                                                                                 */
    DISK_ALLOCATE, /* file, bytes: blocks for [0, bytes) and that size; EFBIG where RLIMIT_FSIZE forbids,
                    * asked beforehand so that no SIGXFSZ reaches the host                                 */
    DISK_TRUNCATE, /* file, bytes: cut the file there                                                      */
    DISK_RENAME,   /* dir, name -> to (same directory). Fails with EEXIST rather than replace, unless DISK_REPLACE */
    DISK_UNLINK,   /* dir, name                                                                            */
    DISK_MKDIR,    /* dir, name                                                                            */
    DISK_LINK,     /* dir, name -> to, in the directory `file`: a second name. EEXIST rather than replace; EXDEV, EPERM,
                    * EMLINK, EOPNOTSUPP where there can be none                                           */
    DISK_POPULATE, /* data, bytes of a mapping: bring its pages in (MADV_POPULATE_READ): an error, never a signal */
    DISK_KIND_COUNT,
};

enum disk_flag {
    DISK_DSYNC = 1 << 0,     /* WRITE: durable when it completes (RWF_DSYNC)                              */
    DISK_CHORE = 1 << 1,     /* background work                                                           */
    DISK_CREATE = 1 << 2,    /* OPEN: create, and fail with EEXIST if it is there                         */
    DISK_WRITABLE = 1 << 3,  /* OPEN: for reading and writing; otherwise for reading                      */
    DISK_DIRECT = 1 << 4,    /* OPEN: O_DIRECT; EINVAL where the file system has none                     */
    DISK_DIRECTORY = 1 << 5, /* OPEN: a directory                                                         */
    DISK_REPLACE = 1 << 6,   /* RENAME: may replace `to`                                                  */
    DISK_NO_COW = 1 << 7,    /* OPEN with DISK_CREATE: no copy-on-write where the file system knows it (btrfs) */
    DISK_OR_CREATE = 1 << 8, /* OPEN: create if missing, open if there                                    */
};

enum { DISK_NONE = -1, DISK_CWD = -100 }; /* no file; paths relative to the process's directory (AT_FDCWD) */

struct disk_op {
    /* set by the owner */
    enum disk_kind kind;
    uint32_t flags;
    int32_t file;     /* in; OPEN: out, DISK_NONE on failure                     */
    int32_t dir;      /* directory that `name` and `to` are relative to          */
    void *data;
    uint64_t bytes;
    uint64_t offset;
    const char *name;
    const char *to;
    void *owner;      /* the owner's word                                        */
    /* set by the disk before it hands the op back */
    int32_t error;    /* 0, or an errno                                          */
    uint64_t done;    /* bytes transferred                                       */
    /* the backend's, from submit to collect */
    struct disk_op *next;
};

struct disk_file_info {
    uint64_t bytes;     /* size                          */
    uint64_t allocated; /* bytes of blocks               */
    uint32_t links;     /* 0: unlinked                   */
    uint64_t modified_ns; /* since 1970, by the machine's clock */
    bool is_directory;
};

struct disk_device {
    char filesystem[16];       /* "ext4", "xfs", "btrfs", "tmpfs", "overlay", ... or "0x%x" of statfs        */
    bool direct_io;            /* a file in that directory opens with O_DIRECT                              */
    uint32_t direct_alignment; /* bytes; memory, offset and length (statx STATX_DIOALIGN), 4096 if unknown  */
    bool known;                /* a block device was found behind the directory; else the next are false    */
    bool write_cache;          /* volatile write-back cache (queue/write_cache)                             */
    bool fua;                  /* queue/fua                                                                 */
    bool read_only;            /* file system mounted read-only                                             */
    uint64_t free_bytes;       /* for this user                                                             */
    uint64_t size_limit;       /* RLIMIT_FSIZE, UINT64_MAX if none                                          */
};

struct disk_counters {
    /* completed; `syncs` counts DISK_SYNC, DISK_SYNC_ALL and DSYNC writes */
    uint64_t writes, write_bytes, syncs, reads, read_bytes;
    /* `enters`: system calls of the ring or hand-overs to workers */
    uint64_t short_transfers, retries, enters;
    /* What surely ran on another thread than the owner's. io_uring: the kinds that the kernel always gives to a worker
     * of its own, or that ask for one; whether it did so with a write or a read it tells nobody. */
    uint64_t worker_ops;
};

enum disk_lock { DISK_LOCK_SHARED, DISK_LOCK_EXCLUSIVE, DISK_UNLOCK };

/* Called once for each name in a directory, without "." and "..". */
typedef void (*disk_name_fn)(void *context, const char *name);

struct disk_ops {
    const char *name; /* "uring", "posix", "sim" */
    int (*run)(struct disk *disk, struct disk_op *op);
    void (*submit)(struct disk *disk, struct disk_op *op);
    uint32_t (*collect)(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns);
    void (*start)(struct disk *disk);
    int (*attach)(struct disk *disk);
    int (*list)(struct disk *disk, int32_t dir, disk_name_fn fn, void *context);
    int (*stat)(struct disk *disk, int32_t file, struct disk_file_info *out);
    int (*probe)(struct disk *disk, int32_t dir, struct disk_device *out);
    int (*room)(struct disk *disk, int32_t dir, uint64_t *free_out);
    int (*lock)(struct disk *disk, int32_t file, enum disk_lock how);
    int (*guard)(struct disk *disk, int32_t file);
    int (*is_named)(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out);
    int (*map)(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out);
    void (*unmap)(struct disk *disk, void *data, uint64_t bytes);
    uint64_t (*register_memory)(struct disk *disk, void *data, uint64_t bytes);
    int (*drop_cache)(struct disk *disk, int32_t file);
    int (*event_fd)(struct disk *disk);
    int (*listen)(struct disk *disk);
    void (*wake)(struct disk *disk);
    uint64_t (*now)(struct disk *disk);
    void (*pause)(struct disk *disk, uint64_t ns);
    int (*entropy)(struct disk *disk, void *out, size_t bytes);
    bool (*is_process_alive)(struct disk *disk, uint64_t pid);
    uint64_t (*process_id)(struct disk *disk);
    void (*close)(struct disk *disk);
};

/* First member of every backend's own struct. */
struct disk {
    const struct disk_ops *ops;
    struct disk_counters counters; /* owner thread */
    uint64_t submitted, collected; /* operations ever given, and handed back; owner thread */
    bool woken;                    /* collect ended early for disk_wake. Owner thread, which sets it back */
};

/* Do `op` now. Returns op->error. Any thread, one op per thread at a time; never while the same op is submitted. */
static inline int disk_run(struct disk *disk, struct disk_op *op) { return disk->ops->run(disk, op); }

/* Closes `*file` if it is open, which it then is not. Nobody needs to hear how: what was written was synced, or given
 * up, before. */
void disk_close_file(struct disk *disk, int32_t *file);

/* Plain calls. All of an open file, or of a directory: the names in it; of a directory by its path. An errno. */
int disk_sync_all(struct disk *disk, int32_t file);
int disk_sync_directory(struct disk *disk, int32_t dir, const char *path);

/* An operation on `*file` landed, and its owner was never told because it is being abandoned: what it opened is open,
 * what it closed is closed. */
void disk_landed(const struct disk_op *op, int32_t *file);

/* Queue `op`. It may start at once or at the next collect. Never fails: what cannot be started comes back with an
 * error. At most DISK_SUBMITTED_MAX ops may be out at a time. Owner thread, after attach. */
enum { DISK_SUBMITTED_MAX = 128 };
static inline void disk_submit(struct disk *disk, struct disk_op *op)
{
    disk->submitted++;
    disk->ops->submit(disk, op);
}

/* Start what was queued; hand back up to `max` ended ops. Waits up to `wait_ns` for the first one (0: does not wait;
 * UINT64_MAX: as long as it takes) if none has ended and any is out. One system call where the backend can. */
static inline uint32_t disk_collect(struct disk *disk, struct disk_op **done, uint32_t max, uint64_t wait_ns)
{
    const uint32_t count = disk->ops->collect(disk, done, max, wait_ns);
    disk->collected += count;
    return count;
}

/* Start what was queued, now: the owner does something else before it collects. One system call; nothing is handed
 * back. A disk that is not real may have none: then it starts at the next collect. Owner thread. */
static inline void disk_start(struct disk *disk)
{
    if (disk->ops->start) disk->ops->start(disk);
}

/* The calling thread becomes the one that submits and collects. 0, or an errno (EEXIST: another thread is).
 * Idempotent. */
static inline int disk_attach(struct disk *disk) { return disk->ops->attach(disk); }

static inline int disk_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context)
{
    return disk->ops->list(disk, dir, fn, context);
}
static inline int disk_stat(struct disk *disk, int32_t file, struct disk_file_info *out)
{
    return disk->ops->stat(disk, file, out);
}
static inline int disk_probe(struct disk *disk, int32_t dir, struct disk_device *out)
{
    return disk->ops->probe(disk, dir, out);
}

/* Bytes that this user may still fill on the file system of `dir`, a directory's descriptor. One call; now. */
static inline int disk_room(struct disk *disk, int32_t dir, uint64_t *free_out)
{
    return disk->ops->room(disk, dir, free_out);
}

/* flock, not waiting: 0, EWOULDBLOCK, or another errno. */
static inline int disk_lock(struct disk *disk, int32_t file, enum disk_lock how)
{
    return disk->ops->lock(disk, file, how);
}

/* Tie `file` to the requests of this disk: after a kill it stays open (and so locked) until the last of them has ended.
 * ENGINE history 1. uring: registered with the ring. posix: nothing to do, the workers' writes are synchronous. */
static inline int disk_guard(struct disk *disk, int32_t file) { return disk->ops->guard(disk, file); }

/* Is `file` still the file of that name? */
static inline int disk_is_named(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out)
{
    return disk->ops->is_named(disk, dir, name, file, out);
}

/* Map [offset, offset + bytes) read-only, shared. offset is a multiple of 4096. */
static inline int disk_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out)
{
    return disk->ops->map(disk, file, offset, bytes, out);
}
static inline void disk_unmap(struct disk *disk, void *data, uint64_t bytes) { disk->ops->unmap(disk, data, bytes); }

/* Tell the kernel of memory that writes will come from. Returns how many bytes from the beginning were registered
 * (0 to bytes); the rest works too. Once, before the first submit. The memory outlives the disk; until close no child
 * inherits it. */
static inline uint64_t disk_register_memory(struct disk *disk, void *data, uint64_t bytes)
{
    return disk->ops->register_memory(disk, data, bytes);
}

/* Drop the file's clean cached pages, so that the next read without O_DIRECT asks the medium. */
static inline int disk_drop_cache(struct disk *disk, int32_t file) { return disk->ops->drop_cache(disk, file); }

/* A descriptor that becomes readable when a completion is there, for epoll and its kin. Made at the first call (after
 * attach), owned by the disk. A negative errno where it cannot be had. */
static inline int disk_event_fd(struct disk *disk) { return disk->ops->event_fd(disk); }

/* From now on collect can be woken by other threads. Owner thread, after attach; idempotent. 0, or an errno: ENOSYS
 * where there is no way (both ops may be NULL in a disk that is not real). */
static inline int disk_listen(struct disk *disk)
{
    return disk->ops->listen && disk->ops->wake ? disk->ops->listen(disk) : ENOSYS;
}

/* A collect that waits, or else the next that would, ends early with `woken` set: one for any number of wakes before
 * it. A collect with nothing out does not wait, and may leave the wake for the next. Any thread, after listen. */
static inline void disk_wake(struct disk *disk) { disk->ops->wake(disk); }

static inline uint64_t disk_now(struct disk *disk) { return disk->ops->now(disk); } /* ns, CLOCK_MONOTONIC */
static inline void disk_pause(struct disk *disk, uint64_t ns) { disk->ops->pause(disk, ns); } /* nothing is out */
static inline int disk_entropy(struct disk *disk, void *out, size_t bytes)
{
    return disk->ops->entropy(disk, out, bytes);
}
static inline bool disk_is_process_alive(struct disk *disk, uint64_t pid)
{
    return disk->ops->is_process_alive(disk, pid);
}
static inline uint64_t disk_process_id(struct disk *disk) { return disk->ops->process_id(disk); }

/* Waits for everything that is out, without handing it back; gives up a guarded lock; then frees. By the owner thread,
 * or, with nothing out, by another after the owner thread has ended. */
static inline void disk_close(struct disk *disk) { disk->ops->close(disk); }

/* disk_uring.c, disk_posix.c. 0 and a disk, or an errno: EPERM, ENOSYS and ENOMEM from uring mean "take posix". */
int disk_uring_open(struct disk **out);
int disk_posix_open(uint32_t workers, struct disk **out); /* workers: 2 to 64; started at attach */

#endif
