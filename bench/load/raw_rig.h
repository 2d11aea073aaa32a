/* raw_rig.h: what the raw probes share: options, a scratch file that cannot be left behind, a ring, exact quantiles,
 * and what the device says it did.
 *
 * OWNS   The scratch file: unlinked as soon as it exists, so that neither SIGINT nor SIGKILL leaves it behind.
 * FAILS  A probe that cannot measure says why on one line and exits: 2 for wrong use, 1 for the machine's refusal.
 * Self-contained on purpose: what the engine is measured against shares no line with it.
 */
#ifndef TEAK_BENCH_RAW_RIG_H
#define TEAK_BENCH_RAW_RIG_H

#ifndef _GNU_SOURCE
#error "define _GNU_SOURCE before anything is included"
#endif

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "disk_count.h"

enum { RIG_TMPFS = 0x01021994, RIG_RAMFS = (int)0x858458f6 }; /* statfs(2) */
enum { RIG_BLOCK = 4096, RIG_FILL_PIECE = 1 << 20, RIG_SAMPLES_MAX = 1 << 22 };

static volatile sig_atomic_t rig_stopped;

static inline void rig_stop(int number)
{
    (void)number;
    rig_stopped = 1;
}

static inline void rig_catch_signals(void)
{
    const struct sigaction action = {.sa_handler = rig_stop}; /* no SA_RESTART: waits end at once */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static inline _Noreturn void rig_refuse(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

static inline uint64_t rig_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of the whole process, the kernel's workers for its ring included. */
static inline double rig_cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

/* Exactly one of the targets is set. */
struct rig_option {
    const char *name;
    const char **text;
    uint64_t *number; /* with an optional k, m or g: powers of 1024 */
    bool *flag;
    double *seconds;  /* fractions too */
    const char *help;
};

static inline _Noreturn void rig_usage(const char *program, const struct rig_option *options, FILE *out, int code)
{
    fprintf(out, "usage: %s [options]\n", program);
    for (const struct rig_option *o = options; o->name != NULL; o++)
        fprintf(out, "  %-16s %s\n", o->name, o->help);
    exit(code);
}

static inline uint64_t rig_number(const char *name, const char *text)
{
    char *end = NULL;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    const char *const unit = strchr("kmg", *end);
    const uint32_t shift = *end == '\0' || unit == NULL ? 0 : 10u * (*unit == 'k' ? 1 : *unit == 'm' ? 2 : 3);
    const bool ends = unit != NULL && (*end == '\0' || end[1] == '\0');
    if (end == text || errno != 0 || *text == '-' || !ends || value >> 32 != 0) {
        fprintf(stderr, "%s wants a number, for example 256 or 64k, not '%s'\n", name, text);
        exit(2);
    }
    return (uint64_t)value << shift;
}

static inline double rig_seconds(const char *name, const char *text)
{
    char *end = NULL;
    const double value = strtod(text, &end);
    if (end != text && *end == '\0' && value > 0 && value < 1e6) return value;
    fprintf(stderr, "%s wants seconds, for example 0.5 or 2, not '%s'\n", name, text);
    exit(2);
}

/* Of a directory that is not there yet its parent tells. */
static inline void rig_warn_of_memory(const char *dir)
{
    struct statfs kind;
    char parent[4096];
    const char *const slash = strrchr(dir, '/');
    if (slash == dir) snprintf(parent, sizeof(parent), "/");
    else snprintf(parent, sizeof(parent), "%.*s", slash != NULL ? (int)(slash - dir) : 1, slash != NULL ? dir : ".");
    if (statfs(dir, &kind) != 0 && statfs(parent, &kind) != 0) return; /* what uses it will say why */
    if ((int)kind.f_type == RIG_TMPFS || (int)kind.f_type == RIG_RAMFS)
        fprintf(stderr, "warning: %s lies in memory: nothing there is durable\n", dir);
}

/* Options end with a NULL name. */
static inline void rig_parse(int argc, char **argv, const struct rig_option *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) rig_usage(argv[0], options, stdout, 0);
        const struct rig_option *o = options;
        while (o->name != NULL && strcmp(o->name, argv[i]) != 0) o++;
        if (o->name == NULL) rig_usage(argv[0], options, stderr, 2);
        if (o->flag != NULL) {
            *o->flag = true;
            continue;
        }
        if (++i == argc) {
            fprintf(stderr, "%s wants a value\n", o->name);
            exit(2);
        }
        if (o->text != NULL) *o->text = argv[i];
        else if (o->seconds != NULL) *o->seconds = rig_seconds(o->name, argv[i]);
        else *o->number = rig_number(o->name, argv[i]);
    }
}

/* Zeroed, every page present, for as long as the process lives. In huge pages where the kernel grants them: a device
 * takes so many pieces a request (virtio: 254), and 1 MiB of small pages is 256 of them. */
static bool rig_small_pages;
static inline uint8_t *rig_memory(uint64_t bytes)
{
    const uint64_t huge = 2 << 20, room = (bytes + huge - 1) / huge * huge;
    void *const mapped = mmap(NULL, room + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) rig_refuse("mmap", errno);
    uint8_t *const memory = (uint8_t *)mapped + (huge - (uintptr_t)mapped % huge) % huge;
    madvise(memory, room, rig_small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    memset(memory, 0, bytes);
    return memory;
}

/* A file of `bytes` for direct writes, without a name. `written`: zero-filled past the page cache and synced, so that a
 * write is a pure overwrite; otherwise only allocated, so that a first write converts an extent in the journal. */
static inline int rig_scratch(const char *dir, uint64_t bytes, bool written)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/scratch-%ld-%lld", dir, (long)getpid(), (long long)rig_now());
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0) rig_refuse(path, errno);
    if (unlink(path) != 0) rig_refuse(path, errno);
    const int error = posix_fallocate(fd, 0, (off_t)bytes);
    if (error != 0) rig_refuse("allocating the scratch file", error);
    if (written) {
        uint8_t *const zeros = rig_memory(RIG_FILL_PIECE);
        for (uint64_t at = 0; at < bytes && !rig_stopped; at += RIG_FILL_PIECE) {
            const size_t piece = (size_t)(bytes - at < RIG_FILL_PIECE ? bytes - at : RIG_FILL_PIECE);
            if (pwrite(fd, zeros, piece, (off_t)at) != (ssize_t)piece) rig_refuse("filling the scratch file", errno);
        }
    }
    if (fsync(fd) != 0) rig_refuse("fsync", errno);
    return fd;
}

/* A ring like the engine's, with `file` as fixed file 0 and `memory` as buffer 0. False: memory is not registered. */
static inline bool rig_ring(struct io_uring *ring, uint32_t depth, int file, uint8_t *memory, uint64_t bytes)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(depth, ring, &params);
    if (error != 0) rig_refuse("io_uring_setup", -error);
    error = io_uring_register_files(ring, &file, 1);
    if (error != 0) rig_refuse("registering a file", -error);
    io_uring_register_ring_fd(ring);
    const struct iovec buffer = {.iov_base = memory, .iov_len = bytes};
    return io_uring_register_buffers(ring, &buffer, 1) == 0;
}

/* Queues a write of fixed file 0; `rw_flags` is 0 or RWF_DSYNC. */
static inline struct io_uring_sqe *rig_write(struct io_uring *ring, bool registered, const uint8_t *data,
                                             uint64_t bytes, uint64_t offset, int rw_flags, uint64_t tag)
{
    struct io_uring_sqe *const sqe = io_uring_get_sqe(ring);
    if (registered) io_uring_prep_write_fixed(sqe, 0, data, (unsigned)bytes, offset, 0);
    else io_uring_prep_write(sqe, 0, data, (unsigned)bytes, offset);
    sqe->rw_flags = rw_flags;
    sqe->flags = (uint8_t)(sqe->flags | IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, tag);
    return sqe;
}

static inline void rig_fdatasync(struct io_uring *ring, uint64_t tag)
{
    struct io_uring_sqe *const sqe = io_uring_get_sqe(ring);
    io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
    sqe->flags = (uint8_t)(sqe->flags | IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, tag);
}

/* Latencies with how many shared each; quantiles are exact. */
struct rig_sample {
    uint64_t ns, count;
};
struct rig_tally {
    struct rig_sample *samples;
    uint64_t used, total;
};

static inline void rig_tally_init(struct rig_tally *tally)
{
    void *const memory = mmap(NULL, RIG_SAMPLES_MAX * sizeof(struct rig_sample), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) rig_refuse("mmap", errno);
    *tally = (struct rig_tally){.samples = memory};
}

static inline void rig_tally_add(struct rig_tally *tally, uint64_t ns, uint64_t count)
{
    if (tally->used == RIG_SAMPLES_MAX) return; /* at 50,000 a second: a minute and a half */
    tally->samples[tally->used++] = (struct rig_sample){ns, count};
    tally->total += count;
}

static inline int rig_sample_order(const void *a, const void *b)
{
    const struct rig_sample *const x = a;
    const struct rig_sample *const y = b;
    return (x->ns > y->ns) - (x->ns < y->ns);
}

static inline void rig_tally_sort(struct rig_tally *tally)
{
    qsort(tally->samples, tally->used, sizeof(struct rig_sample), rig_sample_order);
}

/* Of sorted samples; 0 without any. */
static inline uint64_t rig_tally_quantile(const struct rig_tally *tally, double share)
{
    if (tally->used == 0) return 0;
    uint64_t at = 0;
    uint64_t seen = tally->samples[0].count;
    while (at + 1 < tally->used && (double)seen < share * (double)tally->total) seen += tally->samples[++at].count;
    return tally->samples[at].ns;
}

/* Prints "latency_us": {...}. */
static inline void rig_tally_print(struct rig_tally *tally, FILE *out)
{
    static const struct { const char *name; double share; } wanted[] = {
        {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}};
    rig_tally_sort(tally);
    fprintf(out, "\"latency_us\": {");
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        fprintf(out, "%s\"%s\": %.1f", i > 0 ? ", " : "", wanted[i].name,
                (double)rig_tally_quantile(tally, wanted[i].share) * 1e-3);
    fprintf(out, "}");
}

/* Of the device below the directory, in between: zeros where nobody counts. */
static inline void rig_device_print(struct disk_count before, struct disk_count after, FILE *out)
{
    const struct disk_count did = disk_count_difference(before, after);
    fprintf(out, "\"device\": {\"writes\": %llu, \"write_bytes\": %llu, \"flushes\": %llu}",
            (unsigned long long)did.writes, (unsigned long long)did.write_bytes, (unsigned long long)did.flushes);
}

#endif
