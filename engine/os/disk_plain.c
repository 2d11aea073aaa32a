/* disk_plain.c: every kind of operation by plain system calls, and what else the backends share.
 * OWNS   Nothing: no state, no memory, no descriptor outlives a call. Any thread.
 * PATH   plain_run() asks plain_refusal(), then goes to the one function of that kind. A transfer loops until all
 *        bytes are moved, the file ends, or an error comes.
 * FAILS  An error is the operation's result, as an errno. Retried: EINTR, EAGAIN, the rest of a short transfer.
 *        A failed sync is never asked again: the kernel may have dropped the pages and call the next one a success.
 *        Not a signal: RLIMIT_FSIZE is asked first (the kernel answers a breach with SIGXFSZ), mappings are brought in
 *        by MADV_POPULATE_READ (an error where a touch would be SIGBUS).
 * HOLDS  (1) op->file of an OPEN that failed is DISK_NONE
 *        (2) a transfer ends with all its bytes moved, or an error, or (READ) at the end of the file
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os/disk_plain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14, include/uapi/asm-generic/mman-common.h */
#endif

/* ---- transfers ---- */

uint64_t plain_size_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
}

/* A TRUNCATE beyond the limit is refused even where it would cut: rare, and telling the two apart is a race. */
int plain_refusal(const struct disk_op *op, uint64_t size_limit)
{
    switch (op->kind) {
    case DISK_WRITE:
    case DISK_READ:
        /* off_t is signed, and -1 would mean "at the file's position" to preadv2 and to io_uring. */
        if (op->offset > INT64_MAX || op->bytes > INT64_MAX - op->offset) return EINVAL;
        return op->kind == DISK_WRITE && op->offset + op->bytes > size_limit ? EFBIG : 0;
    case DISK_ALLOCATE:
    case DISK_TRUNCATE:
        return op->bytes > INT64_MAX || op->bytes > size_limit ? EFBIG : 0;
    case DISK_SYNC:
    case DISK_SYNC_ALL:
    case DISK_OPEN:
    case DISK_CLOSE:
    case DISK_RENAME:
    case DISK_UNLINK:
    case DISK_MKDIR:
    case DISK_LINK:
    case DISK_POPULATE:
    case DISK_KIND_COUNT:
        break;
    }
    return 0;
}

uint32_t plain_piece(const struct disk_op *op)
{
    const uint64_t rest = op->bytes - op->done;
    return rest < PLAIN_PIECE_MAX ? (uint32_t)rest : PLAIN_PIECE_MAX;
}

/* A direct read of a file whose size is no multiple of a block: 1 it moves the bytes there are, short; 2 the rest
 * would start inside a block: EINVAL. The first part was not misaligned, and only a file's end lies inside a block. */
int plain_transfer_error(const struct disk_op *op, int error)
{
    return error == EINVAL && op->kind == DISK_READ && op->done > 0 ? 0 : error;
}

static ssize_t transfer_once(const struct disk_op *op, size_t bytes)
{
    const struct iovec piece = {.iov_base = (uint8_t *)op->data + op->done, .iov_len = bytes};
    const off_t offset = (off_t)(op->offset + op->done);
    if (op->kind == DISK_READ) return preadv(op->file, &piece, 1, offset);
    if (!(op->flags & DISK_DSYNC)) return pwritev(op->file, &piece, 1, offset);
    const ssize_t moved = pwritev2(op->file, &piece, 1, offset, RWF_DSYNC);
    if (moved >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return moved;
    const ssize_t unsynced = pwritev(op->file, &piece, 1, offset); /* before Linux 4.7, and some file systems */
    while (unsynced > 0 && fdatasync(op->file) != 0)
        if (errno != EINTR) return -1;
    return unsynced;
}

/* A file read whole, at opening: its memory is fresh, and a fault for each small page would cost as much as the reading
 * (docs/performance.md). Where the system has no huge pages it says so, and nothing is lost. */
static void read_into_huge_pages(const struct disk_op *op)
{
    const uintptr_t begin = ((uintptr_t)op->data + PLAIN_HUGE_PAGE - 1) / PLAIN_HUGE_PAGE * PLAIN_HUGE_PAGE;
    const uintptr_t end_of = ((uintptr_t)op->data + op->bytes) / PLAIN_HUGE_PAGE * PLAIN_HUGE_PAGE;
    if (end_of > begin) (void)madvise((void *)begin, end_of - begin, MADV_HUGEPAGE);
}

static int run_transfer(struct disk_op *op, struct plain_tally *tally)
{
    if (op->kind == DISK_READ && op->bytes >= 2 * PLAIN_HUGE_PAGE) read_into_huge_pages(op);
    while (op->done < op->bytes) {
        const size_t asked = plain_piece(op);
        const ssize_t moved = transfer_once(op, asked);
        if (moved < 0 && (errno == EINTR || errno == EAGAIN)) {
            tally->retries++;
            continue;
        }
        if (moved < 0) return plain_transfer_error(op, errno);
        if (moved == 0) return op->kind == DISK_READ ? 0 : EIO;
        op->done += (uint64_t)moved;
        if ((size_t)moved < asked) tally->short_transfers++;
    }
    return 0;
}

/* ---- names and sizes ---- */

int plain_open_flags(const struct disk_op *op)
{
    int flags = O_CLOEXEC | (op->flags & DISK_WRITABLE ? O_RDWR : O_RDONLY);
    if (op->flags & DISK_CREATE) flags |= O_CREAT | O_EXCL;
    if (op->flags & DISK_OR_CREATE) flags |= O_CREAT;
    if (op->flags & DISK_DIRECT) flags |= O_DIRECT;
    if (op->flags & DISK_DIRECTORY) flags |= O_DIRECTORY;
    return flags;
}

/* Copy-on-write costs speed, never truth: where the flag is refused the file is as good as one on a file system that
 * has no such flag, so errors are not looked at. It can only be set on a file without bytes, as this one is. */
static void avoid_copy_on_write(int file)
{
    struct statfs info;
    int flags = 0;
    if (fstatfs(file, &info) != 0 || info.f_type != BTRFS_SUPER_MAGIC) return;
    if (ioctl(file, FS_IOC_GETFLAGS, &flags) != 0) return;
    flags |= FS_NOCOW_FL;
    (void)ioctl(file, FS_IOC_SETFLAGS, &flags);
}

/* Where there is no O_DIRECT the kernel creates the file first and says EINVAL then (fs/open.c, do_dentry_open). With
 * O_EXCL it was not there before, so it is ours to take away: who failed to create finds nothing created. */
void plain_open_end(const struct disk_op *op, int error)
{
    if (!(op->flags & DISK_CREATE)) return;
    if (error == 0 && (op->flags & DISK_NO_COW)) avoid_copy_on_write(op->file);
    if (error == EINVAL && (op->flags & DISK_DIRECT)) (void)unlinkat(op->dir, op->name, 0);
}

static int run_open(struct disk_op *op)
{
    const int file = openat(op->dir, op->name, plain_open_flags(op), (mode_t)PLAIN_FILE_MODE);
    const int error = file < 0 ? errno : 0;
    op->file = file < 0 ? DISK_NONE : file;
    plain_open_end(op, error);
    return error;
}

/* Linux lets go of the descriptor before it can be interrupted (close(2), NOTES): again could close another's. */
static int run_close(const struct disk_op *op)
{
    return close(op->file) == 0 || errno == EINTR ? 0 : errno;
}

static int run_allocate(const struct disk_op *op)
{
    if (op->bytes == 0) return 0;
    if (fallocate(op->file, 0, 0, (off_t)op->bytes) == 0) return 0;
    if (errno != EOPNOTSUPP) return errno;
    struct stat info; /* no blocks to be had: the size at least, and never a shorter file */
    if (fstat(op->file, &info) != 0) return errno;
    if ((uint64_t)info.st_size >= op->bytes) return 0;
    return ftruncate(op->file, (off_t)op->bytes) == 0 ? 0 : errno;
}

/* Some file systems (FUSE, NFS, old ones) say EINVAL to RENAME_NOREPLACE. Then looking first has to do: the gap is open
 * only to a stranger who creates our names in our directory, since one store has one owner. */
static int run_rename(const struct disk_op *op)
{
    const unsigned flags = op->flags & DISK_REPLACE ? 0 : RENAME_NOREPLACE;
    if (renameat2(op->dir, op->name, op->dir, op->to, flags) == 0) return 0;
    if (flags == 0 || (errno != EINVAL && errno != ENOSYS)) return errno;
    struct stat info;
    if (fstatat(op->dir, op->to, &info, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
    if (errno != ENOENT) return errno;
    return renameat(op->dir, op->name, op->dir, op->to) == 0 ? 0 : errno;
}

void *plain_populate_from(const struct disk_op *op, uint64_t *bytes_out)
{
    uint8_t *from = (uint8_t *)op->data + op->done;
    const uint64_t before = (uintptr_t)from % (uint64_t)sysconf(_SC_PAGESIZE);
    *bytes_out = plain_piece(op) + before;
    return from - before;
}

static int run_populate(struct disk_op *op)
{
    while (op->done < op->bytes) {
        uint64_t bytes;
        void *from = plain_populate_from(op, &bytes);
        if (madvise(from, bytes, MADV_POPULATE_READ) != 0) return errno;
        op->done += plain_piece(op);
    }
    return 0;
}

/* ---- any kind ---- */

static int run_once(struct disk_op *op, struct plain_tally *tally)
{
    switch (op->kind) {
    case DISK_WRITE:
    case DISK_READ: return run_transfer(op, tally);
    case DISK_SYNC: return fdatasync(op->file) == 0 ? 0 : errno;
    case DISK_SYNC_ALL: return fsync(op->file) == 0 ? 0 : errno;
    case DISK_OPEN: return run_open(op);
    case DISK_CLOSE: return run_close(op);
    case DISK_ALLOCATE: return run_allocate(op);
    case DISK_TRUNCATE: return ftruncate(op->file, (off_t)op->bytes) == 0 ? 0 : errno;
    case DISK_RENAME: return run_rename(op);
    case DISK_UNLINK: return unlinkat(op->dir, op->name, 0) == 0 ? 0 : errno;
    case DISK_MKDIR: return mkdirat(op->dir, op->name, (mode_t)PLAIN_DIRECTORY_MODE) == 0 ? 0 : errno;
    case DISK_LINK: return linkat(op->dir, op->name, op->file, op->to, 0) == 0 ? 0 : errno;
    case DISK_POPULATE: return run_populate(op);
    case DISK_KIND_COUNT: break;
    }
    return EINVAL; /* not reached: plain_run() */
}

int plain_run(struct disk_op *op, struct plain_tally *tally)
{
    CHECK_LT(op->kind, DISK_KIND_COUNT);
    op->done = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    op->error = plain_refusal(op, plain_size_limit());
    if (op->error != 0) return op->error;
    while ((op->error = run_once(op, tally)) == EINTR || op->error == EAGAIN) tally->retries++;
    return op->error;
}

void plain_count(struct disk_counters *counters, const struct disk_op *op)
{
    if (op->error != 0) return;
    switch (op->kind) {
    case DISK_WRITE:
        counters->writes++;
        counters->write_bytes += op->done;
        if (op->flags & DISK_DSYNC) counters->syncs++;
        break;
    case DISK_READ:
        counters->reads++;
        counters->read_bytes += op->done;
        break;
    case DISK_SYNC:
    case DISK_SYNC_ALL: counters->syncs++; break;
    case DISK_OPEN:
    case DISK_CLOSE:
    case DISK_ALLOCATE:
    case DISK_TRUNCATE:
    case DISK_RENAME:
    case DISK_UNLINK:
    case DISK_MKDIR:
    case DISK_LINK:
    case DISK_POPULATE:
    case DISK_KIND_COUNT: break;
    }
}

/* ---- what is no operation ---- */

/* Opened anew: the position of `dir` itself is shared by all who hold it. */
int plain_list(struct disk *disk, int32_t dir, disk_name_fn fn, void *context)
{
    (void)disk;
    const int file = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return errno;
    DIR *names = fdopendir(file);
    if (!names) {
        const int error = errno;
        close(file);
        return error;
    }
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(names)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        fn(context, entry->d_name);
    }
    const int error = errno;
    closedir(names);
    return error;
}

int plain_stat(struct disk *disk, int32_t file, struct disk_file_info *out)
{
    (void)disk;
    struct stat info;
    if (fstat(file, &info) != 0) return errno;
    *out = (struct disk_file_info){
        .bytes = (uint64_t)info.st_size,
        .allocated = (uint64_t)info.st_blocks * 512, /* stat(2): st_blocks counts 512 B, whatever the block size */
        .links = (uint32_t)info.st_nlink,
        .modified_ns = (uint64_t)info.st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)info.st_mtim.tv_nsec,
        .is_directory = S_ISDIR(info.st_mode),
    };
    return 0;
}

int plain_lock(struct disk *disk, int32_t file, enum disk_lock how)
{
    static const int operations[] = {
        [DISK_LOCK_SHARED] = LOCK_SH | LOCK_NB,
        [DISK_LOCK_EXCLUSIVE] = LOCK_EX | LOCK_NB,
        [DISK_UNLOCK] = LOCK_UN,
    };
    (void)disk;
    while (flock(file, operations[how]) != 0)
        if (errno != EINTR) return errno;
    return 0;
}

int plain_is_named(struct disk *disk, int32_t dir, const char *name, int32_t file, bool *out)
{
    (void)disk;
    struct stat named, held;
    *out = false;
    if (fstat(file, &held) != 0) return errno;
    if (fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
    *out = named.st_dev == held.st_dev && named.st_ino == held.st_ino;
    return 0;
}

int plain_map(struct disk *disk, int32_t file, uint64_t offset, uint64_t bytes, void **out)
{
    (void)disk;
    *out = NULL;
    void *data = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, (off_t)offset);
    if (data == MAP_FAILED) return errno;
    *out = data;
    return 0;
}

void plain_unmap(struct disk *disk, void *data, uint64_t bytes)
{
    (void)disk;
    const int result = munmap(data, bytes);
    CHECK(result == 0);
}

int plain_drop_cache(struct disk *disk, int32_t file)
{
    (void)disk;
    return posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
}

void plain_pause(struct disk *disk, uint64_t ns)
{
    (void)disk;
    const struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&pause, NULL); /* a signal ends it early: the caller looks again, that is all */
}

uint64_t plain_now(struct disk *disk)
{
    (void)disk;
    struct timespec now;
    const int result = clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(result == 0);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int plain_entropy(struct disk *disk, void *out, size_t bytes)
{
    (void)disk;
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = getrandom((uint8_t *)out + done, bytes - done, 0);
        if (got < 0 && errno != EINTR) return errno;
        if (got > 0) done += (size_t)got;
    }
    return 0;
}

/* A process that was killed and that nobody has waited for (a zombie) answers kill(pid, 0) as if it were alive; its
 * pidfd, readable once all its threads are gone, does not. Where pidfds are missing or forbidden kill has to do. */
bool plain_is_process_alive(struct disk *disk, uint64_t pid)
{
    (void)disk;
    if (pid == 0 || pid > INT32_MAX) return false;
    const int file = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (file >= 0) {
        struct pollfd ended = {.fd = file, .events = POLLIN};
        const int ready = poll(&ended, 1, 0);
        close(file);
        return ready <= 0;
    }
    if (errno == ESRCH) return false;
    return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

uint64_t plain_process_id(struct disk *disk)
{
    (void)disk;
    return (uint64_t)getpid();
}
