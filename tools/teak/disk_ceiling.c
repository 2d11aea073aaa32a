/* disk_ceiling.c: see disk_ceiling.h.
 * OWNS   A scratch file without a name, memory to write from, a ring for each point.
 * PATH   open: file written full. run: one point, through the ring or by threads.
 * FAILS  errno's word and what was being done; the point's file and ring are gone again. */
#include "disk_ceiling.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stop.h"
#include "ticks.h"

const char *const ceiling_way_names[] = {"dsync", "fdatasync", "write_fdatasync", NULL};
static_assert(sizeof(ceiling_way_names) / sizeof(char *) == CEILING_WAYS + 1, "a name for every way");

enum { FILL_PIECE = 1 << 20, HUGE_PAGE = 2 << 20, TAG_SYNC = CEILING_FLIGHT_MAX };

static bool failed(struct ceiling *ceiling, const char *operation, int error)
{
    snprintf(ceiling->operation, sizeof(ceiling->operation), "%s", operation);
    ceiling->error = error;
    return false;
}

/* ------------------------------------------------------------------------------------------------------ preparation */

static int open_nameless(const char *directory, int flags)
{
    const int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | flags, 0600);
    if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return file;
    char path[4096]; /* a file system without O_TMPFILE: named for a moment */
    const int wrote = snprintf(path, sizeof(path), "%s/.teak-ceiling-%ld-%llu", directory, (long)getpid(),
                               (unsigned long long)ticks_ns());
    if (wrote < 0 || (size_t)wrote >= sizeof(path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int named = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600);
    if (named >= 0) unlink(path);
    return named;
}

/* Room for it, before anything is written; where a file system cannot promise that its size has to do. */
static int allocate(int file, uint64_t bytes)
{
    if (fallocate(file, 0, 0, (off_t)bytes) == 0) return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL) return errno;
    return ftruncate(file, (off_t)bytes) == 0 ? 0 : errno;
}

/* Allocated, and `written` full if so wished. -1: failed. */
static int make_file(struct ceiling *ceiling, bool written)
{
    int file = open_nameless(ceiling->directory, O_DIRECT);
    ceiling->direct = file >= 0;
    if (file < 0 && errno == EINVAL) file = open_nameless(ceiling->directory, 0);
    if (file < 0) {
        failed(ceiling, "open scratch file", errno);
        return -1;
    }
    const int error = allocate(file, ceiling->file_bytes);
    if (error != 0) {
        failed(ceiling, "allocate", error);
        close(file);
        return -1;
    }
    for (uint64_t at = 0; written && at < ceiling->file_bytes && !stop_asked(); at += FILL_PIECE) {
        const uint64_t left = ceiling->file_bytes - at, piece = left < FILL_PIECE ? left : FILL_PIECE;
        const ssize_t did = pwrite(file, ceiling->memory, piece, (off_t)at);
        if (did == (ssize_t)piece) continue;
        failed(ceiling, "fill", did < 0 ? errno : EIO);
        close(file);
        return -1;
    }
    if (fsync(file) == 0) return file;
    failed(ceiling, "fsync", errno);
    close(file);
    return -1;
}

static bool take_memory(struct ceiling *ceiling)
{
    ceiling->mapped_bytes = CEILING_MEMORY + HUGE_PAGE;
    ceiling->mapped = mmap(NULL, ceiling->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (ceiling->mapped == MAP_FAILED) {
        ceiling->mapped = NULL;
        return failed(ceiling, "mmap", errno);
    }
    const uintptr_t over = (uintptr_t)ceiling->mapped % HUGE_PAGE;
    ceiling->memory = (uint8_t *)ceiling->mapped + (over == 0 ? 0 : HUGE_PAGE - over);
    (void)madvise(ceiling->memory, CEILING_MEMORY, MADV_HUGEPAGE); /* without them it is slower, and so is the engine */
    memset(ceiling->memory, 0x5a, CEILING_MEMORY);
    return true;
}

/* Is there an io_uring to be had? */
static bool ring_is_there(void)
{
    struct io_uring ring;
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    if (io_uring_queue_init_params(4, &ring, &params) != 0) return false;
    io_uring_queue_exit(&ring);
    return true;
}

bool ceiling_open(struct ceiling *ceiling, const char *directory, uint64_t file_bytes)
{
    *ceiling = (struct ceiling){.directory = directory, .file_bytes = file_bytes, .file = -1};
    if (!take_memory(ceiling)) return false;
    ceiling->ring = ring_is_there();
    ceiling->file = make_file(ceiling, true);
    if (ceiling->file >= 0) return true;
    ceiling_close(ceiling);
    return false;
}

void ceiling_close(struct ceiling *ceiling)
{
    if (ceiling->file >= 0) close(ceiling->file);
    if (ceiling->mapped != NULL) munmap(ceiling->mapped, ceiling->mapped_bytes);
    ceiling->file = -1;
    ceiling->mapped = NULL;
}

/* --------------------------------------------------------------------------------------------------- through a ring */

struct flight {
    struct ceiling *ceiling;
    const struct ceiling_point *point;
    struct ceiling_result *out;
    struct io_uring ring;
    bool registered;
    int file;
    uint64_t at;                /* where the next write goes           */
    uint64_t until_ns;
    uint32_t flying;            /* requests that the ring has          */
    uint32_t idle_count, landed_count, covered_count;
    uint32_t idle[CEILING_FLIGHT_MAX];    /* slots to write from                           */
    uint32_t landed[CEILING_FLIGHT_MAX];  /* written, and no sync was begun since          */
    uint32_t covered[CEILING_FLIGHT_MAX]; /* written, and the sync in flight is for them   */
    uint64_t begun_ns[CEILING_FLIGHT_MAX];
};

static void queue_write(struct flight *flight, uint32_t slot)
{
    const struct ceiling_point *point = flight->point;
    struct io_uring_sqe *const sqe = io_uring_get_sqe(&flight->ring);
    const uint8_t *memory = flight->ceiling->memory + slot * point->write_bytes;
    if (flight->registered)
        io_uring_prep_write_fixed(sqe, 0, memory, (unsigned)point->write_bytes, flight->at, 0);
    else
        io_uring_prep_write(sqe, 0, memory, (unsigned)point->write_bytes, flight->at);
    sqe->rw_flags = point->way == CEILING_DSYNC ? RWF_DSYNC : 0;
    sqe->flags = (uint8_t)(sqe->flags | IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, slot);
    flight->begun_ns[slot] = ticks_ns();
    flight->at += point->write_bytes;
    flight->flying++;
}

static void queue_sync(struct flight *flight)
{
    memcpy(flight->covered, flight->landed, flight->landed_count * sizeof(flight->landed[0]));
    flight->covered_count = flight->landed_count;
    flight->landed_count = 0;
    struct io_uring_sqe *const sqe = io_uring_get_sqe(&flight->ring);
    io_uring_prep_fsync(sqe, 0, IORING_FSYNC_DATASYNC);
    sqe->flags = (uint8_t)(sqe->flags | IOSQE_FIXED_FILE);
    io_uring_sqe_set_data64(sqe, TAG_SYNC);
    flight->flying++;
    flight->out->syncs++;
}

static void settle(struct flight *flight)
{
    const uint64_t now_ns = ticks_ns();
    while (flight->covered_count > 0) {
        const uint32_t slot = flight->covered[--flight->covered_count];
        latency_add(&flight->out->latency, now_ns - flight->begun_ns[slot], 1);
        flight->idle[flight->idle_count++] = slot;
        flight->out->writes++;
    }
}

/* One result. False: it was none to be proud of. */
static bool land(struct flight *flight, uint64_t tag, int result)
{
    flight->flying--;
    if (result < 0) return failed(flight->ceiling, tag == TAG_SYNC ? "fdatasync" : "write", -result);
    if (tag != TAG_SYNC && (uint64_t)result != flight->point->write_bytes)
        return failed(flight->ceiling, "write", EIO);
    if (tag == TAG_SYNC) {
        settle(flight);
    } else if (flight->point->way == CEILING_DSYNC) {
        flight->covered[flight->covered_count++] = (uint32_t)tag;
        flight->out->syncs++;
        settle(flight);
    } else {
        flight->landed[flight->landed_count++] = (uint32_t)tag;
    }
    return true;
}

/* May another write begin? Merely allocated blocks are written once; the others again and again. */
static bool goes_on(struct flight *flight)
{
    if (flight->at + flight->point->write_bytes <= flight->ceiling->file_bytes) return true;
    if (flight->point->allocated) return false;
    flight->at = 0;
    return true;
}

static bool fly(struct flight *flight)
{
    bool good = true, going = true, begun = false;
    do {
        going = going && good && !stop_asked() && (!begun || ticks_ns() < flight->until_ns); /* at least one round */
        begun = true;
        while (going && flight->idle_count > 0 && (going = goes_on(flight)))
            queue_write(flight, flight->idle[--flight->idle_count]);
        if (good && flight->covered_count == 0 && flight->landed_count > 0) queue_sync(flight);
        if (flight->flying == 0) break;
        const int error = io_uring_submit_and_wait(&flight->ring, 1);
        if (error < 0 && error != -EINTR) return failed(flight->ceiling, "io_uring_enter", -error);
        struct io_uring_cqe *cqe;
        while (io_uring_peek_cqe(&flight->ring, &cqe) == 0) {
            const uint64_t tag = cqe->user_data;
            const int result = cqe->res;
            io_uring_cqe_seen(&flight->ring, cqe);
            good = land(flight, tag, result) && good;
        }
    } while (going || flight->flying > 0 || flight->landed_count > 0);
    return good;
}

static bool run_ring(struct ceiling *ceiling, const struct ceiling_point *point, int file, struct ceiling_result *out)
{
    struct flight flight = {.ceiling = ceiling, .point = point, .out = out, .file = file};
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
    int error = io_uring_queue_init_params(CEILING_FLIGHT_MAX + 1, &flight.ring, &params);
    if (error != 0) return failed(ceiling, "io_uring_setup", -error);
    error = io_uring_register_files(&flight.ring, &file, 1);
    if (error != 0) {
        io_uring_queue_exit(&flight.ring);
        return failed(ceiling, "io_uring_register", -error);
    }
    const struct iovec buffer = {.iov_base = ceiling->memory, .iov_len = point->in_flight * point->write_bytes};
    flight.registered = io_uring_register_buffers(&flight.ring, &buffer, 1) == 0; /* memlock may forbid it */
    for (uint32_t i = 0; i < point->in_flight; i++) flight.idle[flight.idle_count++] = i;
    const uint64_t begin_ns = ticks_ns();
    flight.until_ns = begin_ns + point->measure_ns;
    const bool good = fly(&flight);
    out->ns = ticks_ns() - begin_ns;
    io_uring_queue_exit(&flight.ring);
    return good;
}

/* ------------------------------------------------------------------------------------------------------- by threads */

struct crew {
    struct ceiling *ceiling;
    const struct ceiling_point *point;
    int file;
    uint64_t until_ns;
    _Atomic uint64_t turn; /* writes begun */
    _Atomic int error;
};

struct hand {
    struct crew *crew;
    pthread_t thread;
    uint64_t writes, syncs;
    uint8_t *memory;
    struct latency latency;
};

static void *toil(void *context)
{
    struct hand *hand = context;
    struct crew *crew = hand->crew;
    const struct ceiling_point *point = crew->point;
    const uint64_t places = crew->ceiling->file_bytes / point->write_bytes;
    const struct iovec vector = {.iov_base = hand->memory, .iov_len = point->write_bytes};
    for (bool begun = false; !begun || (!stop_asked() && ticks_ns() < crew->until_ns); begun = true) {
        if (atomic_load(&crew->error) != 0) break;
        const uint64_t turn = atomic_fetch_add(&crew->turn, 1);
        if (point->allocated && turn >= places) break;
        const off_t at = (off_t)(turn % places * point->write_bytes);
        const uint64_t begin_ns = ticks_ns();
        const ssize_t did = pwritev2(crew->file, &vector, 1, at, point->way == CEILING_DSYNC ? RWF_DSYNC : 0);
        const bool wrote = did == (ssize_t)point->write_bytes;
        if (!wrote || (point->way != CEILING_DSYNC && fdatasync(crew->file) != 0)) {
            atomic_store(&crew->error, wrote || did < 0 ? errno : EIO);
            break;
        }
        latency_add(&hand->latency, ticks_ns() - begin_ns, 1);
        hand->writes++;
        hand->syncs++;
    }
    return NULL;
}

static bool run_threads(struct ceiling *ceiling, const struct ceiling_point *point, int file,
                        struct ceiling_result *out)
{
    struct hand *hands = calloc(point->in_flight, sizeof(*hands));
    if (hands == NULL) return failed(ceiling, "memory", ENOMEM);
    const uint64_t begin_ns = ticks_ns();
    struct crew crew = {
        .ceiling = ceiling, .point = point, .file = file, .until_ns = begin_ns + point->measure_ns};
    uint32_t running = 0;
    for (; running < point->in_flight; running++) {
        hands[running].crew = &crew;
        hands[running].memory = ceiling->memory + running * point->write_bytes;
        const int error = pthread_create(&hands[running].thread, NULL, toil, &hands[running]);
        if (error == 0) continue;
        atomic_store(&crew.error, error);
        break;
    }
    for (uint32_t i = 0; i < running; i++) {
        pthread_join(hands[i].thread, NULL);
        out->writes += hands[i].writes;
        out->syncs += hands[i].syncs;
        latency_merge(&out->latency, &hands[i].latency);
    }
    out->ns = ticks_ns() - begin_ns;
    free(hands);
    return crew.error == 0 || failed(ceiling, "write and sync", crew.error);
}

/* ------------------------------------------------------------------------------------------------------------- both */

bool ceiling_run(struct ceiling *ceiling, const struct ceiling_point *point, struct ceiling_result *out)
{
    memset(out, 0, sizeof(*out));
    if (point->in_flight == 0 || point->in_flight > CEILING_FLIGHT_MAX || point->write_bytes == 0 ||
        point->write_bytes % CEILING_BLOCK != 0 || point->in_flight * point->write_bytes > CEILING_MEMORY ||
        point->write_bytes > ceiling->file_bytes)
        return failed(ceiling, "point", EINVAL);
    const int file = point->allocated ? make_file(ceiling, false) : ceiling->file;
    if (file < 0) return false;
    const struct disk_count before = disk_count_read(ceiling->directory);
    const bool by_ring = ceiling->ring && point->way != CEILING_WRITE_SYNC;
    const bool good = by_ring ? run_ring(ceiling, point, file, out) : run_threads(ceiling, point, file, out);
    out->did = disk_count_difference(before, disk_count_read(ceiling->directory));
    if (point->allocated) close(file);
    return good;
}
