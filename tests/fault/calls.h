/* calls.h: the n-th system call fails, for a program that is linked with -Wl,--wrap of each that stands here
 * (tests/CMakeLists.txt); and the runs for every n. Included by its one file.
 */
#ifndef TEAK_TESTS_CALLS_H
#define TEAK_TESTS_CALLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/stat.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <cmocka.h>
#include <liburing.h>

enum { CALLS_NAME = 32, CALLS_MAX = 20000 };

static struct {
    _Atomic uint64_t count;
    _Atomic int64_t mapped;
    _Atomic bool is_running, was_struck;
    bool is_under_way;
    uint64_t n;
    int error;
    const char *lacking;   /* not the n-th call fails but this one, each time; NULL */
    char name[CALLS_NAME]; /* of the call that failed                               */
} calls;

static inline bool strikes(const char *name)
{
    if (!atomic_load(&calls.is_running)) return false;
    const uint64_t at = atomic_fetch_add(&calls.count, 1) + 1;
    if (calls.lacking ? strcmp(calls.lacking, name) != 0 : at != calls.n) return false;
    snprintf(calls.name, sizeof calls.name, "%s", name);
    atomic_store(&calls.was_struck, true);
    return true;
}

static inline int set_errno(int error)
{
    errno = error;
    return error;
}

#define WRAP(type, name, parameters, arguments, failure)                                                               \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return strikes(#name) && set_errno(calls.error) ? (failure) : __real_##name arguments;                         \
    }

WRAP(ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), -1)
WRAP(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), -1)
WRAP(ssize_t, pwritev2, (int fd, const struct iovec *v, int n, off_t at, int how), (fd, v, n, at, how), -1)
WRAP(int, fdatasync, (int fd), (fd), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(int, fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes), -1)
WRAP(int, ftruncate, (int fd, off_t bytes), (fd, bytes), -1)
WRAP(int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b), -1)
WRAP(int, renameat2, (int from, const char *a, int to, const char *b, unsigned how), (from, a, to, b, how), -1)
WRAP(int, linkat, (int from, const char *a, int to, const char *b, int how), (from, a, to, b, how), -1)
WRAP(int, unlinkat, (int dir, const char *name, int how), (dir, name, how), -1)
WRAP(int, mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode), -1)
WRAP(int, flock, (int fd, int how), (fd, how), -1)
WRAP(int, fstat, (int fd, struct stat *out), (fd, out), -1)
WRAP(int, fstatat, (int dir, const char *name, struct stat *out, int how), (dir, name, out, how), -1)
WRAP(int, statx, (int dir, const char *name, int how, unsigned mask, struct statx *out), (dir, name, how, mask, out),
     -1)
WRAP(int, fstatfs, (int fd, struct statfs *out), (fd, out), -1)
WRAP(int, fstatvfs, (int fd, struct statvfs *out), (fd, out), -1)
WRAP(DIR *, fdopendir, (int fd), (fd), NULL)
WRAP(struct dirent *, readdir, (DIR *dir), (dir), NULL)
WRAP(int, madvise, (void *at, size_t bytes, int how), (at, bytes, how), -1)
WRAP(int, posix_fadvise, (int fd, off_t at, off_t bytes, int how), (fd, at, bytes, how), calls.error)
WRAP(int, eventfd, (unsigned value, int how), (value, how), -1)
WRAP(ssize_t, getrandom, (void *out, size_t bytes, unsigned how), (out, bytes, how), -1)
WRAP(int, pthread_create,
     (pthread_t * out, const pthread_attr_t *with, void *(*fn)(void *), void *context), (out, with, fn, context),
     calls.error)
WRAP(int, io_uring_queue_init_params, (unsigned n, struct io_uring *ring, struct io_uring_params *with),
     (n, ring, with), -calls.error)
WRAP(struct io_uring_probe *, io_uring_get_probe_ring, (struct io_uring * ring), (ring), NULL)
WRAP(int, io_uring_register, (unsigned fd, unsigned what, const void *with, unsigned n), (fd, what, with, n),
     -calls.error)
WRAP(int, io_uring_register_files, (struct io_uring * ring, const int *files, unsigned n), (ring, files, n),
     -calls.error)
WRAP(int, io_uring_register_buffers, (struct io_uring * ring, const struct iovec *v, unsigned n), (ring, v, n),
     -calls.error)
WRAP(int, io_uring_register_eventfd, (struct io_uring * ring, int fd), (ring, fd), -calls.error)

int __real_openat(int dir, const char *name, int how, ...);
int __wrap_openat(int dir, const char *name, int how, ...);
int __wrap_openat(int dir, const char *name, int how, ...)
{
    va_list rest;
    va_start(rest, how);
    const mode_t mode = how & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return strikes("openat") && set_errno(calls.error) ? -1 : __real_openat(dir, name, how, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) /* a descriptor is gone whatever close says */
{
    const int result = __real_close(fd);
    return strikes("close") && set_errno(calls.error) ? -1 : result;
}

void *__real_mmap(void *at, size_t bytes, int may, int how, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int may, int how, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int may, int how, int fd, off_t offset)
{
    if (strikes("mmap") && set_errno(calls.error)) return MAP_FAILED;
    void *memory = __real_mmap(at, bytes, may, how, fd, offset);
    if (memory != MAP_FAILED) calls.mapped++;
    return memory;
}

int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes)
{
    calls.mapped--;
    return __real_munmap(at, bytes);
}

static inline uint64_t open_descriptors(void)
{
    uint64_t count = 0;
    DIR *list = opendir("/proc/self/fd");
    if (!list) abort();
    while (__real_readdir(list)) count++;
    closedir(list);
    return count;
}

/* From here on calls count, and the n-th fails. */
static inline void calls_arm(uint64_t n, int error)
{
    calls.count = 0;
    calls.n = n;
    calls.error = error;
    calls.was_struck = false;
    calls.name[0] = '\0';
    atomic_store(&calls.is_running, true);
}

/* A run for every n, until none is struck, which `run_once` tells. TEAK_FAULT_STEP=1: every error at every call, else
 * one of them, in turn. Returns how many calls there were to fail. */
static inline uint64_t calls_each(const char *name, bool (*run_once)(uint64_t n, int error))
{
    static const int errors[] = {EIO, ENOSPC, EINTR, EAGAIN, ENOMEM, EMFILE};
    enum { WAYS = sizeof errors / sizeof errors[0] };
    const char *given = getenv("TEAK_FAULT_STEP");
    const uint32_t step = given ? (uint32_t)atoi(given) : WAYS;
    uint64_t n = 1, struck = 0;
    for (bool goes_on = true; goes_on; n++) {
        assert_true(n < CALLS_MAX);
        goes_on = false;
        for (uint32_t way = (uint32_t)n % step; way < WAYS; way += step) goes_on |= run_once(n, errors[way]);
        struck += goes_on;
    }
    printf("%s: one of %" PRIu64 " calls failed\n", name, struck);
    return struck;
}

/* A teardown: in which run a test ended too early. */
static inline int calls_tell(void **state)
{
    (void)state;
    atomic_store(&calls.is_running, false);
    if (calls.is_under_way) print_error("call %" PRIu64 ", %s, errno %d\n", calls.n, calls.name, calls.error);
    return 0;
}

#endif
