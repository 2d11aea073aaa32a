/* snapshot_rig.h: bodies made of who they are, whole streams in and out, what lies in `snapshots`, and a disk that dies
 * after so many operations.
 */
#ifndef TEAK_TESTS_SNAPSHOT_RIG_H
#define TEAK_TESTS_SNAPSHOT_RIG_H

#include "format/snapshot_file.h"
#include "store/backends.h"
#include "teak/snapshot.h"

enum { CHUNK = SNAPSHOT_CHUNK_BODY, PIECE = 50000 };
static const struct teak_trailing keep_nothing = {0}, keep_all = {UINT64_MAX, UINT64_MAX};

static inline uint8_t body_byte(uint64_t stream, uint64_t offset)
{
    uint64_t x = (stream + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (offset >> 3) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    return (uint8_t)(x >> (8 * (offset & 7)));
}

static inline void body_fill(uint8_t *out, uint64_t stream, uint64_t offset, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++) out[i] = body_byte(stream, offset + i);
}

static inline struct teak_snapshot_offer offer_of(uint64_t log, uint64_t index, uint64_t term, uint64_t stream,
                                                  uint64_t bytes)
{
    return (struct teak_snapshot_offer){.log = log, .pos = {.index = index, .term = term}, .stream = stream,
                                        .body_bytes = bytes, .meta = "meta of it", .meta_bytes = 10};
}

static inline struct teak_snapshot_writer *begin_in(struct teak_store *store, const struct teak_snapshot_offer *offer)
{
    struct teak_snapshot_writer *writer;
    struct teak_error error = {0};
    enum teak_status status;
    while ((status = teak_snapshot_begin(store, offer, &writer, &error)) == TEAK_FULL) /* its file is being removed */
        rig_ok(teak_poll(store, 1000000, NULL, 0, NULL, &error), &error);
    rig_ok(status, &error);
    return writer;
}

static inline uint64_t offset_in(struct teak_snapshot_writer *writer)
{
    uint64_t offset;
    struct teak_error error = {0};
    rig_ok(teak_snapshot_offset(writer, &offset, &error), &error);
    return offset;
}

/* Writes the body of `stream` from where the writer stands up to `end`; stops at the first failure. */
static inline enum teak_status try_write_in(struct teak_snapshot_writer *writer, uint64_t stream, uint64_t end)
{
    static uint8_t piece[PIECE];
    uint64_t offset;
    enum teak_status status = teak_snapshot_offset(writer, &offset, NULL);
    while (status == TEAK_OK && offset < end) {
        const uint64_t bytes = end - offset < PIECE ? end - offset : PIECE;
        body_fill(piece, stream, offset, bytes);
        status = teak_snapshot_write(writer, offset, piece, bytes, NULL);
        offset += bytes;
    }
    return status;
}

static inline void write_in(struct teak_snapshot_writer *writer, uint64_t stream, uint64_t end)
{
    assert_int_equal(try_write_in(writer, stream, end), TEAK_OK);
}

/* Drives until the completion with that tag comes. */
static inline enum teak_status wait_for(struct teak_store *store, uint64_t tag)
{
    for (struct rig_patience patience = {0}; rig_waits(&patience);) {
        struct teak_completion done[64];
        uint32_t count;
        if (teak_poll(store, 1000000, done, 64, &count, NULL) == TEAK_POISONED) return TEAK_POISONED;
        for (uint32_t at = 0; at < count; at++)
            if (done[at].tag == tag) return done[at].status;
    }
    fail_msg("no completion with tag %u", (unsigned)tag);
    return TEAK_IO;
}

enum { INSTALL_TAG = 777000 };

static inline enum teak_status try_install(struct teak_store *store, struct teak_snapshot_writer *writer,
                                           struct teak_trailing keep)
{
    const enum teak_status status = teak_snapshot_install(writer, keep, INSTALL_TAG, NULL);
    if (status != TEAK_OK) {
        teak_snapshot_abort(writer);
        return status;
    }
    return wait_for(store, INSTALL_TAG);
}

static inline void install(struct teak_store *store, struct teak_snapshot_writer *writer, struct teak_trailing keep)
{
    struct teak_error error = {0};
    rig_ok(teak_snapshot_install(writer, keep, INSTALL_TAG, &error), &error);
    assert_int_equal(wait_for(store, INSTALL_TAG), TEAK_OK);
}

/* A snapshot, streamed in and put in force. */
static inline void put_snapshot(struct teak_store *store, uint64_t log, uint64_t index, uint64_t term, uint64_t stream,
                                uint64_t bytes, struct teak_trailing keep)
{
    const struct teak_snapshot_offer offer = offer_of(log, index, term, stream, bytes);
    struct teak_snapshot_writer *writer = begin_in(store, &offer);
    write_in(writer, stream, bytes);
    install(store, writer, keep);
}

static inline void expect_body(struct teak_snapshot_reader *reader, uint64_t stream, uint64_t bytes)
{
    static uint8_t piece[PIECE], want[PIECE];
    struct teak_snapshot_info info;
    struct teak_error error = {0};
    rig_ok(teak_snapshot_info(reader, &info, &error), &error);
    assert_int_equal(info.stream, stream);
    assert_int_equal(info.body_bytes, bytes);
    assert_int_equal(info.meta_bytes, 10);
    assert_memory_equal(info.meta, "meta of it", 10);
    uint64_t offset = 0, got;
    do {
        rig_ok(teak_snapshot_read(reader, offset, piece, PIECE, &got, &error), &error);
        body_fill(want, stream, offset, got);
        assert_memory_equal(piece, want, got);
        offset += got;
    } while (got > 0);
    assert_int_equal(offset, bytes);
}

static inline struct teak_snapshot_reader *open_out(struct teak_store *store, uint64_t log)
{
    struct teak_snapshot_reader *reader;
    struct teak_error error = {0};
    rig_ok(teak_snapshot_open(store, log, &reader, &error), &error);
    return reader;
}

/* The snapshot in force of the log is the one of that stream, whole. */
static inline void expect_snapshot(struct teak_store *store, uint64_t log, uint64_t index, uint64_t stream,
                                   uint64_t bytes)
{
    assert_int_equal(rig_log(store, log).snapshot.index, index);
    struct teak_snapshot_reader *reader = open_out(store, log);
    expect_body(reader, stream, bytes);
    teak_snapshot_close(reader);
}

/* ---- the directory ---- */

static inline uint32_t files_in(const struct rig *rig, const char *ending, char last[280])
{
    char path[2 * RIG_PATH];
    rig_path(rig, "snapshots", path);
    DIR *list = opendir(path);
    if (!list) return 0;
    uint32_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(list)) != NULL) {
        const size_t bytes = strlen(entry->d_name), more = strlen(ending);
        if (bytes < more || entry->d_name[0] == '.' || strcmp(entry->d_name + bytes - more, ending) != 0) continue;
        count++;
        if (last) snprintf(last, 280, "snapshots/%s", entry->d_name);
    }
    closedir(list);
    return count;
}

struct expected_files {
    const struct rig *rig;
    uint32_t snaps, parts;
};

static inline bool files_are(struct teak_store *store, void *context)
{
    (void)store;
    const struct expected_files *expected = context;
    return files_in(expected->rig, ".snap", NULL) == expected->snaps &&
           files_in(expected->rig, ".part", NULL) == expected->parts;
}

/* The chores bring it to that. */
static inline void expect_files(struct teak_store *store, const struct rig *rig, uint32_t snaps, uint32_t parts)
{
    struct expected_files expected = {.rig = rig, .snaps = snaps, .parts = parts};
    rig_drive_until(store, files_are, &expected);
}

/* ---- a disk that dies ---- */

static struct {
    uint64_t budget; /* operations that change something, from now on; UINT64_MAX: it lives */
    uint64_t seen;
    bool is_dead;
} dying;

static inline bool dying_changes(const struct disk_op *op)
{
    return (op->kind == DISK_OPEN && (op->flags & (DISK_CREATE | DISK_OR_CREATE))) || op->kind == DISK_WRITE ||
           op->kind == DISK_SYNC || op->kind == DISK_SYNC_ALL || op->kind == DISK_ALLOCATE ||
           op->kind == DISK_TRUNCATE || op->kind == DISK_RENAME || op->kind == DISK_UNLINK || op->kind == DISK_MKDIR;
}

static inline bool dying_strikes(const struct disk_op *op)
{
    if (!dying_changes(op)) return false;
    if (dying.seen++ >= dying.budget) dying.is_dead = true;
    return dying.is_dead;
}

static inline int dying_run(struct disk *disk, struct disk_op *op)
{
    if (!dying_strikes(op)) return faulty_run(disk, op);
    op->error = ECANCELED;
    op->done = 0;
    if (op->kind == DISK_OPEN) op->file = DISK_NONE;
    return op->error;
}

static inline void dying_submit(struct disk *disk, struct disk_op *op)
{
    struct faulty *faulty = faulty_of(disk);
    if (!dying_strikes(op)) {
        faulty_submit(disk, op);
        return;
    }
    op->error = ECANCELED;
    op->done = 0;
    faulty->ended[faulty->ended_count++] = op;
}

/* Opens on a disk that will die; give it a budget later. */
static inline struct teak_store *open_dying(const struct rig *rig)
{
    static struct disk_ops ops;
    struct faulty *faulty = faulty_make(backend_now);
    assert_non_null(faulty);
    ops = *faulty->disk.ops;
    ops.run = dying_run;
    ops.submit = dying_submit;
    faulty->disk.ops = &ops;
    memset(&dying, 0, sizeof dying);
    dying.budget = UINT64_MAX;
    struct teak_store *store;
    struct teak_error error = {0};
    const struct teak_options options = backend_options();
    rig_ok(store_open_on(&faulty->disk, rig->dir, &options, &store, NULL, &error), &error);
    return store;
}

static inline void die_after(uint64_t operations)
{
    dying.seen = 0;
    dying.budget = operations;
}

#endif
