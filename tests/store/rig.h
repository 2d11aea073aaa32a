/* rig.h: what the tests of whole stores share: directories on a real file system, stores with 64 KiB segments, lists of
 * entries and of states, hands that hurt files, copies of directories.
 * TEAK_TEST_DIR names the directory to work in; else it is the current one.
 */
#ifndef TEAK_TESTS_STORE_RIG_H
#define TEAK_TESTS_STORE_RIG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "teak/engine.h"
#include "teak/inspect.h"

enum { RIG_BLOCK = 4096, RIG_SEGMENT = 65536, RIG_PATH = 512 };

/* ---- directories ---- */

struct rig {
    char dir[RIG_PATH]; /* the store's directory */
};

static inline void rig_join(const char *dir, const char *name, char out[2 * RIG_PATH])
{
    const size_t bytes = strlen(dir), more = strlen(name);
    assert_true(bytes + more + 2 <= 2 * RIG_PATH);
    memcpy(out, dir, bytes);
    out[bytes] = '/';
    memcpy(out + bytes + 1, name, more + 1);
}

static inline void rig_remove(const char *dir)
{
    DIR *list = opendir(dir);
    if (!list) return;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        char path[2 * RIG_PATH];
        rig_join(dir, entry->d_name, path);
        if (unlink(path) != 0) rig_remove(path);
    }
    closedir(list);
    (void)rmdir(dir);
}

/* An empty directory of the test's own; `name` tells it from others of this program. */
static inline struct rig rig_make(const char *name)
{
    const char *base = getenv("TEAK_TEST_DIR");
    struct rig rig;
    snprintf(rig.dir, sizeof rig.dir, "%s/%s.%d", base ? base : ".", name, (int)getpid());
    rig_remove(rig.dir);
    assert_int_equal(mkdir(rig.dir, 0700), 0);
    return rig;
}

static inline void rig_path(const struct rig *rig, const char *name, char out[2 * RIG_PATH])
{
    rig_join(rig->dir, name, out);
}

static inline void rig_segment_name(uint64_t number, char out[64]) { snprintf(out, 64, "%016" PRIx64 ".seg", number); }

static inline bool rig_has(const struct rig *rig, const char *name)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    return access(path, F_OK) == 0;
}

static inline bool rig_has_segment(const struct rig *rig, uint64_t number)
{
    char name[64];
    rig_segment_name(number, name);
    return rig_has(rig, name);
}

/* Numbers of the segments that are there. */
static inline void rig_segments(const struct rig *rig, uint64_t *first_out, uint64_t *last_out)
{
    DIR *list = opendir(rig->dir);
    assert_non_null(list);
    *first_out = UINT64_MAX;
    *last_out = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        uint64_t number;
        char name[64];
        if (sscanf(entry->d_name, "%16" SCNx64 ".seg", &number) != 1) continue;
        rig_segment_name(number, name);
        if (strcmp(name, entry->d_name) != 0) continue;
        if (number < *first_out) *first_out = number;
        if (number > *last_out) *last_out = number;
    }
    closedir(list);
}

/* ---- files ---- */

/* Past the page cache where that can be: beside direct writes in flight a cached page may stay stale. */
static inline uint8_t *rig_read_path(const char *path, size_t *bytes_out)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    struct stat stat;
    uint8_t *bytes = NULL;
    for (int direct = 1; direct >= 0; direct--) {
        if (file < 0) file = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(file >= 0);
        assert_int_equal(fstat(file, &stat), 0);
        const size_t room = ((size_t)stat.st_size + 2 * RIG_BLOCK) / RIG_BLOCK * RIG_BLOCK;
        free(bytes);
        bytes = aligned_alloc(RIG_BLOCK, room);
        assert_non_null(bytes);
        if (pread(file, bytes, room, 0) == stat.st_size) break;
        assert_int_equal(direct, 1);
        close(file);
        file = -1;
    }
    close(file);
    *bytes_out = (size_t)stat.st_size;
    return bytes;
}

static inline uint8_t *rig_read(const struct rig *rig, const char *name, size_t *bytes_out)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    return rig_read_path(path, bytes_out);
}

/* Writes bytes over a file, which is made if it is not there and otherwise keeps its length. */
static inline void rig_write(const struct rig *rig, const char *name, uint64_t offset, const void *bytes, size_t count)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(pwrite(file, bytes, count, (off_t)offset), (ssize_t)count);
    close(file);
}

static inline void rig_flip(const struct rig *rig, const char *name, uint64_t offset, uint8_t mask)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    const int file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(file >= 0);
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, (off_t)offset), 1);
    byte ^= mask;
    assert_int_equal(pwrite(file, &byte, 1, (off_t)offset), 1);
    close(file);
}

static inline void rig_zero(const struct rig *rig, const char *name, uint64_t offset, size_t count)
{
    uint8_t *zeros = calloc(1, count);
    assert_non_null(zeros);
    rig_write(rig, name, offset, zeros, count);
    free(zeros);
}

static inline void rig_truncate(const struct rig *rig, const char *name, uint64_t bytes)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    assert_int_equal(truncate(path, (off_t)bytes), 0);
}

static inline void rig_unlink(const struct rig *rig, const char *name)
{
    char path[2 * RIG_PATH];
    rig_path(rig, name, path);
    assert_int_equal(unlink(path), 0);
}

static inline void rig_copy_file(const char *from, const char *to)
{
    size_t bytes;
    uint8_t *data = rig_read_path(from, &bytes);
    const int file = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, data, bytes), (ssize_t)bytes);
    close(file);
    free(data);
}

static inline bool rig_copy_once(const struct rig *from, const struct rig *to)
{
    rig_remove(to->dir);
    assert_int_equal(mkdir(to->dir, 0700), 0);
    DIR *list = opendir(from->dir);
    assert_non_null(list);
    struct dirent *entry;
    bool is_whole = true;
    while (is_whole && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.' || entry->d_type == DT_DIR) continue;
        char source[2 * RIG_PATH], target[2 * RIG_PATH];
        rig_path(from, entry->d_name, source);
        rig_path(to, entry->d_name, target);
        const int held = open(source, O_RDONLY | O_CLOEXEC); /* however it is named when it is read */
        is_whole = held >= 0;
        if (!is_whole) break;
        snprintf(source, sizeof source, "/proc/self/fd/%d", held);
        rig_copy_file(source, target);
        close(held);
    }
    closedir(list);
    return is_whole;
}

/* `to` becomes what `from` is: what a power cut now could leave. A renaming in flight meanwhile: once more. */
static inline void rig_copy(const struct rig *from, const struct rig *to)
{
    while (!rig_copy_once(from, to)) continue;
}

/* A sum over names and bytes of everything but LOCK and STATS: did anybody write? */
static inline uint64_t rig_fingerprint(const struct rig *rig)
{
    DIR *list = opendir(rig->dir);
    assert_non_null(list);
    uint64_t sum = 0;
    struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "LOCK") || !strcmp(entry->d_name, "STATS") ||
            entry->d_type == DT_DIR)
            continue;
        size_t bytes;
        uint8_t *data = rig_read(rig, entry->d_name, &bytes);
        uint64_t h = UINT64_C(14695981039346656037) ^ bytes;
        for (const char *c = entry->d_name; *c; c++) h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
        for (size_t i = 0; i < bytes; i++) h = (h ^ data[i]) * UINT64_C(1099511628211);
        sum += h; /* names come in any order */
        free(data);
    }
    closedir(list);
    return sum;
}

/* ---- stores ---- */

#ifndef RIG_MOVES
#define RIG_MOVES TEAK_FOREVER /* entries stay where a test put them; who wants them moved says 0 before this header */
#endif

static inline struct teak_options rig_options(void)
{
    struct teak_options options = teak_options_default();
    options.create = true;
    options.block_bytes = RIG_BLOCK;
    options.segment_bytes = RIG_SEGMENT;
    options.arena_bytes = 0;
    options.spares = 1;
    options.stats_interval_ns = TEAK_FOREVER; /* no operation but those the test causes; publish_test asks for them */
    options.move_bytes_per_second = RIG_MOVES;
    return options;
}

static inline enum teak_status rig_try_open(const struct rig *rig, const struct teak_options *options,
                                            struct teak_store **out, struct teak_report *report,
                                            struct teak_error *error)
{
    static struct teak_report no_report;
    static struct teak_error no_error;
    *out = NULL;
    return teak_open(rig->dir, options, out, report ? report : &no_report, error ? error : &no_error);
}

static inline struct teak_store *rig_open_with(const struct rig *rig, const struct teak_options *options,
                                               struct teak_report *report)
{
    struct teak_store *store;
    struct teak_error error = {0};
    const enum teak_status status = rig_try_open(rig, options, &store, report, &error);
    if (status != TEAK_OK) {
        char text[512];
        teak_error_text(&error, text, sizeof text);
        fail_msg("opening %s: %s", rig->dir, text);
    }
    return store;
}

static inline struct teak_store *rig_open(const struct rig *rig, struct teak_report *report)
{
    const struct teak_options options = rig_options();
    return rig_open_with(rig, &options, report);
}

static inline struct teak_store *rig_open_read_only(const struct rig *rig, struct teak_report *report)
{
    struct teak_options options = rig_options();
    options.create = false;
    options.read_only = true;
    return rig_open_with(rig, &options, report);
}

static inline void rig_ok(enum teak_status status, const struct teak_error *error)
{
    if (status == TEAK_OK) return;
    char text[512];
    teak_error_text(error, text, sizeof text);
    fail_msg("%s: %s", teak_status_name(status), text);
}

static inline void rig_close(struct teak_store *store)
{
    struct teak_error error = {0};
    rig_ok(teak_close(store, &error), &error);
}

/* Submits, driving the store while it is full. */
static inline enum teak_status rig_submit(struct teak_store *store, const struct teak_batch *batch,
                                          struct teak_error *error)
{
    for (;;) {
        const enum teak_status status = teak_submit(store, batch, error);
        if (status != TEAK_FULL) return status;
        struct teak_completion done[16];
        uint32_t count;
        const enum teak_status polled = teak_poll(store, 1000000000, done, 16, &count, error);
        if (polled != TEAK_OK) return polled;
    }
}

static inline enum teak_status rig_op(struct teak_store *store, struct teak_op op, struct teak_error *error)
{
    return rig_submit(store, &(struct teak_batch){.ops = &op, .count = 1}, error);
}

static inline void rig_do(struct teak_store *store, struct teak_op op)
{
    struct teak_error error = {0};
    rig_ok(rig_op(store, op, &error), &error);
}

static inline void rig_drain(struct teak_store *store)
{
    struct teak_error error = {0};
    rig_ok(teak_drain(store, &error), &error);
}

static inline void rig_create(struct teak_store *store, uint64_t log)
{
    rig_do(store, (struct teak_op){.op = TEAK_OP_CREATE, .log = log});
}

/* What an entry of these tests holds: so many bytes, made of who it is. */
static inline void rig_fill(uint8_t *out, uint32_t bytes, uint64_t log, uint64_t index, uint64_t term)
{
    uint64_t x = log * UINT64_C(0x9e3779b97f4a7c15) ^ index * UINT64_C(0xbf58476d1ce4e5b9) ^ term;
    for (uint32_t i = 0; i < bytes; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
        out[i] = (uint8_t)(x >> 56);
    }
}

/* Appends entries first .. last, one batch each, of `bytes` bytes. */
static inline void rig_append(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last, uint64_t term,
                              uint32_t bytes)
{
    uint8_t *data = malloc(bytes + 1);
    assert_non_null(data);
    for (uint64_t index = first; index <= last; index++) {
        rig_fill(data, bytes, log, index, term);
        const struct teak_bytes entry = {.data = data, .bytes = bytes};
        rig_do(store, (struct teak_op){.op = TEAK_OP_ENTRIES, .log = log, .index = index, .term = term,
                                       .entries = &entry, .count = 1});
    }
    free(data);
}

/* The same, each frame durable before the next: a frame of its own for each entry. */
static inline void rig_append_synced(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last,
                                     uint64_t term, uint32_t bytes)
{
    for (uint64_t index = first; index <= last; index++) {
        rig_append(store, log, index, index, term, bytes);
        rig_drain(store);
    }
}

static inline struct teak_log rig_log(struct teak_store *store, uint64_t log)
{
    struct teak_log out;
    struct teak_error error = {0};
    rig_ok(teak_log(store, log, &out, &error), &error);
    return out;
}

/* It is that entry, and what rig_append wrote. */
static inline void rig_expect_entry(uint64_t log, const struct teak_entry *entry, uint64_t index)
{
    assert_int_equal(entry->index, index);
    uint8_t *want = malloc(entry->bytes + 1);
    assert_non_null(want);
    rig_fill(want, entry->bytes, log, index, entry->term);
    assert_memory_equal(entry->data, want, entry->bytes);
    free(want);
}

/* Every entry of the log is read and is what rig_append wrote, whatever its length; terms agree. Returns how many. */
static inline uint64_t rig_expect_entries(struct teak_store *store, uint64_t log, uint64_t first, uint64_t last)
{
    struct teak_cursor *cursor;
    struct teak_error error = {0};
    const struct teak_log state = rig_log(store, log);
    assert_int_equal(state.first, first);
    assert_int_equal(state.last.index, last);
    rig_ok(teak_cursor_open(store, log, first, &cursor, &error), &error);
    uint64_t next = first;
    for (;;) {
        struct teak_entry entries[32];
        uint32_t count;
        rig_ok(teak_cursor_read(cursor, 1 << 20, entries, 32, &count, &error), &error);
        if (count == 0) break;
        for (uint32_t i = 0; i < count; i++, next++) {
            uint64_t term;
            rig_expect_entry(log, &entries[i], next);
            rig_ok(teak_term_at(store, log, next, &term, &error), &error);
            assert_int_equal(entries[i].term, term);
        }
    }
    teak_cursor_close(cursor);
    assert_int_equal(next, last + 1);
    return next - first;
}

/* Flips a bit of an entry that rig_append wrote, where it lies in that segment. false: it does not lie there. */
static inline bool rig_rot_entry(const struct rig *rig, uint64_t segment, uint64_t log, uint64_t index, uint64_t term,
                                 uint32_t entry_bytes)
{
    char name[64];
    rig_segment_name(segment, name);
    uint8_t *wanted = malloc(entry_bytes);
    assert_non_null(wanted);
    rig_fill(wanted, entry_bytes, log, index, term);
    size_t bytes;
    uint8_t *file = rig_read(rig, name, &bytes);
    const uint8_t *at = memmem(file, bytes, wanted, entry_bytes);
    if (at) rig_flip(rig, name, (uint64_t)(at - file) + entry_bytes / 2, 1);
    free(file);
    free(wanted);
    return at != NULL;
}

static inline struct teak_stats rig_stats(struct teak_store *store)
{
    struct teak_stats stats;
    teak_stats(store, &stats);
    return stats;
}

/* ---- waiting ---- */

static inline uint64_t rig_now_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct rig_patience {
    uint64_t until_ns;
    uint32_t turns;
};

/* Between two looks at what somebody else brings about. false: a minute is over, however few turns that were; it will
 * not come any more. */
static inline bool rig_waits(struct rig_patience *patience)
{
    const uint64_t now_ns = rig_now_ns();
    if (patience->until_ns == 0) patience->until_ns = now_ns + UINT64_C(60000000000);
    if (patience->turns++ > 50) usleep(100);
    return now_ns < patience->until_ns;
}

/* One turn, whatever it brings. */
static inline void rig_poll(struct teak_store *store)
{
    struct teak_error error = {0};
    struct teak_completion done[16];
    uint32_t count;
    rig_ok(teak_poll(store, 1000000, done, 16, &count, &error), &error);
    if (count == 0) usleep(200); /* it may have nothing to wait for */
}

/* Drives the store until `done` says so. */
static inline void rig_drive_until(struct teak_store *store, bool (*done)(struct teak_store *store, void *context),
                                   void *context)
{
    for (struct rig_patience patience = {0}; !done(store, context);) {
        struct teak_completion completions[16];
        uint32_t count;
        struct teak_error error = {0};
        rig_ok(teak_poll(store, 1000000, completions, 16, &count, &error), &error);
        if (!rig_waits(&patience)) fail_msg("the store never came there");
    }
}

/* ---- children ---- */

/* A child process that runs `fn`, and has written a byte to its pipe: it has come as far as the test wants it. */
struct rig_child {
    pid_t pid;
    int ready;
};

/* Never returns in the child, which ends with status 0 where `fn` returns. */
static inline struct rig_child rig_start_child(void (*fn)(const struct rig *rig, int ready), const struct rig *rig)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no writer behind */
        close(ends[0]);
        fn(rig, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    return (struct rig_child){.pid = child, .ready = ends[0]};
}

/* Kills it with SIGKILL. true: it had not ended by itself. */
static inline bool rig_kill_child(const struct rig_child *child)
{
    kill(child->pid, SIGKILL);
    int status;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->ready);
    return WIFSIGNALED(status);
}

static inline void rig_run_killed(void (*fn)(const struct rig *rig, int ready), const struct rig *rig)
{
    const struct rig_child child = rig_start_child(fn, rig);
    (void)rig_kill_child(&child);
}

#endif
