/* snapshot_in.c: a snapshot streamed in, on the thread of whoever streams.
 *
 * OWNS   The part file of one log, and a window of it: a few chunks that are not written yet.
 * PATH   prepare (once: go on with what is there, or begin anew) -> copy into the window -> seal each full chunk ->
 *        write the window when it is full.
 * FAILS  No space: the window stays as it is, the same call may come again. Any other error: the stream is over; what
 *        the medium has of it is found out by reading, never by trying again.
 * HOLDS  (1) in the file stand whole chunks only, and a foot only behind the last   (2) what is gone on with was
 *        synced, then read from the medium, and every chunk of it verified
 *        (3) nothing stands behind what is gone on with
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/snapshots.h"
#include "store/store.h"

enum { WINDOW_ALIGN = 65536, UNSYNCED_MAX = 8 << 20 };

static void part_name(const struct teak_snapshot_writer *writer, char out[SNAPSHOT_NAME_BYTES])
{
    snapshot_name_put(&(struct snapshot_name){.log = writer->file_key.head.log, .is_part = true}, out);
}

static enum teak_status fail_part(const struct teak_snapshot_writer *writer, struct teak_error *error, int os_errno,
                                  const char *operation)
{
    char name[SNAPSHOT_NAME_BYTES];
    part_name(writer, name);
    const enum teak_status status = fail_errno(error, os_errno, operation, name);
    if (error) {
        error->log = writer->file_key.head.log;
        error->has_log = 1;
    }
    return status;
}

static enum teak_status break_off(struct teak_snapshot_writer *writer, struct teak_error *error, int os_errno,
                                  const char *operation)
{
    writer->is_broken = true;
    writer->broken_errno = os_errno;
    return fail_part(writer, error, os_errno, operation);
}

static void close_part(struct teak_snapshot_writer *writer)
{
    disk_close_file(writer->disk, &writer->file);
}

void snapshot_in_free(struct teak_snapshot_writer *writer)
{
    close_part(writer);
    heap_give(writer->window);
    heap_give(writer->meta);
    heap_give(writer);
}

/* ------------------------------------------------------------------------------------------------ going on, or anew */

/* Head and meta of an open part into the window. */
static bool load_head(struct teak_snapshot_writer *writer, struct snapshot_head *out)
{
    const uint64_t room = SNAPSHOT_WINDOW_BYTES;
    struct disk_op read = {.kind = DISK_READ, .file = writer->file, .data = writer->window, .bytes = room};
    if (disk_run(writer->disk, &read) != 0 || read.done < HEAD_BYTES) return false;
    struct snapshot_key_head *own = &writer->file_key;
    struct key key;
    uint64_t chain;
    if (snapshot_head_judge(writer->window, own->head.family, &key, out, &chain) != TEAK_OK) return false;
    if (!range_fits(HEAD_BYTES, out->meta_bytes, read.done)) return false;
    if (snapshot_meta_sum(&key, out, writer->window + HEAD_BYTES) != out->meta_sum) return false;
    const struct snapshot_head *head = &own->head;
    const bool is_same = out->log == head->log && out->life == head->life && out->index == head->index &&
                         out->term == head->term && out->stream == head->stream &&
                         out->body_bytes == head->body_bytes && out->block_bytes == head->block_bytes &&
                         out->meta_bytes == head->meta_bytes &&
                         (out->meta_bytes == 0 ||
                          memcmp(writer->window + HEAD_BYTES, writer->meta, out->meta_bytes) == 0);
    if (!is_same) return false;
    own->key = key;
    own->chain = chain;
    return true;
}

/* Whole chunks behind the head, as far as they go without a gap. */
static void load_chunks(struct teak_snapshot_writer *writer)
{
    struct snapshot_key_head *own = &writer->file_key;
    const uint64_t most = own->head.body_bytes / SNAPSHOT_CHUNK_BODY;
    for (own->chained = 0; own->chained < most;) {
        struct disk_op read = {.kind = DISK_READ, .file = writer->file, .data = writer->window,
                               .bytes = SNAPSHOT_WINDOW_BYTES,
                               .offset = snapshot_chunk_offset(&own->head, own->chained)};
        if (disk_run(writer->disk, &read) != 0) return;
        for (uint64_t at = 0; at + SNAPSHOT_CHUNK <= SNAPSHOT_WINDOW_BYTES; at += SNAPSHOT_CHUNK) {
            uint64_t sum;
            if (at + SNAPSHOT_CHUNK > read.done || own->chained == most ||
                !snapshot_chunk_judge(&own->key, &own->head, own->chained, SNAPSHOT_CHUNK_BODY, writer->window + at,
                                      &sum))
                return;
            own->chain = snapshot_chain(&own->key, own->chain, sum);
            own->chained++;
        }
    }
}

/* An interrupted stream of the same name: true, and everything stands as if it had been written just now. */
static bool go_on(struct teak_snapshot_writer *writer, const char *name)
{
    struct disk_op open = {.kind = DISK_OPEN, .dir = writer->directory, .name = name,
                           .flags = DISK_WRITABLE | writer->open_flags};
    if (disk_run(writer->disk, &open) != 0) return false;
    writer->file = open.file;
    struct disk_op sync = {.kind = DISK_SYNC, .file = writer->file};
    struct snapshot_head head;
    int os_errno = disk_run(writer->disk, &sync);
    if (!os_errno && !(writer->open_flags & DISK_DIRECT)) os_errno = disk_drop_cache(writer->disk, writer->file);
    if (!os_errno && load_head(writer, &head)) {
        writer->file_key.head = head;
        load_chunks(writer);
        /* What stands behind is of the interrupted stream, a foot perhaps: it must not be taken for this one's. */
        struct disk_op cut = {.kind = DISK_TRUNCATE, .file = writer->file,
                              .bytes = snapshot_chunk_offset(&head, writer->file_key.chained)};
        if (disk_run(writer->disk, &cut) == 0) {
            writer->window_first = writer->file_key.chained;
            writer->body = writer->file_key.chained * SNAPSHOT_CHUNK_BODY;
            return true;
        }
    }
    close_part(writer);
    return false;
}

static int draw_file_id(struct teak_snapshot_writer *writer)
{
    uint64_t id = 0;
    while (id == 0) {
        const int os_errno = disk_entropy(writer->disk, &id, sizeof id);
        if (os_errno) return os_errno;
    }
    struct snapshot_key_head *own = &writer->file_key;
    own->head.file_id = id;
    key_derive(&own->key, own->head.family, id);
    return 0;
}

static int begin_anew(struct teak_snapshot_writer *writer, const char *name)
{
    struct snapshot_key_head *own = &writer->file_key;
    struct disk_op unlink = {.kind = DISK_UNLINK, .dir = writer->directory, .name = name};
    struct disk_op open = {.kind = DISK_OPEN, .dir = writer->directory, .name = name,
                           .flags = DISK_CREATE | DISK_WRITABLE | DISK_NO_COW | writer->open_flags};
    int os_errno = disk_run(writer->disk, &unlink);
    if (os_errno == ENOENT) os_errno = 0;
    if (!os_errno) os_errno = draw_file_id(writer);
    if (!os_errno) os_errno = disk_run(writer->disk, &open);
    if (os_errno) return os_errno;
    writer->file = open.file;
    const uint64_t end = snapshot_head_end(&own->head);
    memset(writer->window, 0, end);
    if (own->head.meta_bytes > 0) memcpy(writer->window + HEAD_BYTES, writer->meta, own->head.meta_bytes);
    own->head.meta_sum = snapshot_meta_sum(&own->key, &own->head, writer->window + HEAD_BYTES);
    own->chain = snapshot_head_encode(&own->head, &own->key, writer->window);
    own->chained = writer->window_first = writer->body = 0;
    struct disk_op write = {.kind = DISK_WRITE, .file = writer->file, .data = writer->window, .bytes = end};
    os_errno = disk_run(writer->disk, &write);
    if (os_errno) close_part(writer);
    return os_errno;
}

static bool is_no_space(int os_errno) { return os_errno == ENOSPC || os_errno == EDQUOT || os_errno == EFBIG; }

static enum teak_status prepare(struct teak_snapshot_writer *writer, struct teak_error *error)
{
    if (writer->is_broken) return fail_part(writer, error, writer->broken_errno, "snapshot");
    if (writer->is_prepared) return TEAK_OK;
    if (!writer->window) writer->window = heap_take_aligned(WINDOW_ALIGN, SNAPSHOT_WINDOW_BYTES + BLOCK_BYTES_MAX);
    if (!writer->window) return fail(error, TEAK_NO_MEMORY, "snapshot");
    char name[SNAPSHOT_NAME_BYTES];
    part_name(writer, name);
    if (writer->begins_anew || !go_on(writer, name)) {
        const int os_errno = begin_anew(writer, name);
        if (is_no_space(os_errno)) return fail_part(writer, error, os_errno, "create");
        if (os_errno) return break_off(writer, error, os_errno, "create");
    }
    writer->is_prepared = true;
    return TEAK_OK;
}

bool snapshot_in_peek(struct disk *disk, int32_t directory, uint64_t log, const uint8_t family[16],
                      struct snapshot_head *out)
{
    char name[SNAPSHOT_NAME_BYTES];
    snapshot_name_put(&(struct snapshot_name){.log = log, .is_part = true}, name);
    struct disk_op open = {.kind = DISK_OPEN, .dir = directory, .name = name};
    if (disk_run(disk, &open) != 0) return false;
    uint8_t bytes[HEAD_BYTES];
    struct disk_op read = {.kind = DISK_READ, .file = open.file, .data = bytes, .bytes = sizeof bytes};
    const bool is_read = disk_run(disk, &read) == 0 && read.done == sizeof bytes;
    disk_close_file(disk, &open.file);
    struct key key;
    uint64_t chain;
    return is_read && snapshot_head_judge(bytes, family, &key, out, &chain) == TEAK_OK && out->log == log;
}

/* --------------------------------------------------------------------------------------------------------- the body */

/* Every chunk that is sealed goes to the file. */
static int flush(struct teak_snapshot_writer *writer)
{
    const struct snapshot_key_head *own = &writer->file_key;
    const uint64_t sealed = own->chained - writer->window_first;
    if (sealed == 0) return 0;
    struct disk_op write = {.kind = DISK_WRITE, .file = writer->file, .data = writer->window,
                            .bytes = sealed * SNAPSHOT_CHUNK,
                            .offset = snapshot_chunk_offset(&own->head, writer->window_first)};
    int os_errno = disk_run(writer->disk, &write);
    if (os_errno) return os_errno;
    writer->window_first = own->chained;
    writer->unsynced += write.bytes;
    /* Through the page cache: not so much of it that the last sync, which the store waits for, takes long. */
    if ((writer->open_flags & DISK_DIRECT) || writer->unsynced < UNSYNCED_MAX) return 0;
    writer->unsynced = 0;
    struct disk_op sync = {.kind = DISK_SYNC, .file = writer->file};
    os_errno = disk_run(writer->disk, &sync);
    return os_errno ? EIO : 0; /* whatever it was: what is in the file is not known any more */
}

static void seal_chunk(struct teak_snapshot_writer *writer, uint32_t bytes)
{
    struct snapshot_key_head *own = &writer->file_key;
    uint8_t *chunk = writer->window + (own->chained - writer->window_first) * SNAPSHOT_CHUNK;
    const uint64_t sum = snapshot_chunk_seal(&own->key, &own->head, own->chained, bytes, chunk);
    own->chain = snapshot_chain(&own->key, own->chain, sum);
    own->chained++;
}

static int take(struct teak_snapshot_writer *writer, const uint8_t *data, uint64_t bytes)
{
    while (bytes > 0) {
        const struct snapshot_key_head *own = &writer->file_key;
        if (own->chained - writer->window_first == SNAPSHOT_WINDOW_CHUNKS) {
            const int os_errno = flush(writer);
            if (os_errno) return os_errno;
        }
        const uint64_t filled = writer->body - own->chained * SNAPSHOT_CHUNK_BODY;
        const uint64_t piece = min_u64(bytes, SNAPSHOT_CHUNK_BODY - filled);
        memcpy(writer->window + (own->chained - writer->window_first) * SNAPSHOT_CHUNK + SNAPSHOT_CHUNK_HEAD + filled,
               data, piece);
        writer->body += piece;
        data += piece;
        bytes -= piece;
        if (filled + piece == SNAPSHOT_CHUNK_BODY) seal_chunk(writer, SNAPSHOT_CHUNK_BODY);
    }
    return 0;
}

enum teak_status teak_snapshot_offset(struct teak_snapshot_writer *writer, uint64_t *offset_out,
                                      struct teak_error *error)
{
    const enum teak_status status = prepare(writer, error);
    *offset_out = status == TEAK_OK ? writer->body : 0;
    return status;
}

enum teak_status teak_snapshot_write(struct teak_snapshot_writer *writer, uint64_t offset, const void *data,
                                     uint64_t bytes, struct teak_error *error)
{
    const enum teak_status status = prepare(writer, error);
    if (status != TEAK_OK) return status;
    const struct snapshot_head *head = &writer->file_key.head;
    if (offset > writer->body) return fail_index(error, TEAK_GAP, head->log, head->index, writer->body);
    if (bytes > 0 && !data) return fail_log(error, TEAK_INVALID, head->log);
    const uint64_t most = min_u64(head->body_bytes, SNAPSHOT_BODY_MAX);
    if (!range_fits(offset, bytes, most)) return fail_index(error, TEAK_INVALID, head->log, head->index, most);
    const uint64_t known = writer->body - offset;
    if (bytes <= known) return TEAK_OK;
    const int os_errno = take(writer, (const uint8_t *)data + known, bytes - known);
    if (os_errno == 0) return TEAK_OK;
    return is_no_space(os_errno) ? fail_part(writer, error, os_errno, "write")
                                 : break_off(writer, error, os_errno, "write");
}

uint64_t snapshot_in_finish(struct teak_snapshot_writer *writer, uint64_t *offset_out)
{
    struct snapshot_key_head *own = &writer->file_key;
    const uint64_t left = writer->body - own->chained * SNAPSHOT_CHUNK_BODY;
    *offset_out = snapshot_chunk_offset(&own->head, writer->window_first);
    uint64_t end = (own->chained - writer->window_first) * SNAPSHOT_CHUNK;
    CHECK_LE(own->chained - writer->window_first + (left > 0), SNAPSHOT_WINDOW_CHUNKS);
    if (left > 0) {
        const uint64_t used = end + SNAPSHOT_CHUNK_HEAD + left;
        end = align_up(used, own->head.block_bytes);
        memset(writer->window + used, 0, end - used);
        seal_chunk(writer, (uint32_t)left);
    }
    const struct snapshot_foot foot = {.file_id = own->head.file_id,
                                       .file_bytes = *offset_out + end + own->head.block_bytes,
                                       .body_bytes = writer->body,
                                       .chunk_count = own->chained,
                                       .chain = own->chain};
    CHECK_EQ(foot.file_bytes, snapshot_file_bytes(&own->head, writer->body));
    memset(writer->window + end, 0, own->head.block_bytes);
    writer->file_sum = snapshot_foot_encode(&foot, &own->key, writer->window + end);
    writer->file_bytes = foot.file_bytes;
    return end + own->head.block_bytes;
}

/* ----------------------------------------------------------------------------------------------- begin, and give up */

static enum teak_status make_directory(struct teak_store *store, struct teak_error *error)
{
    static const char name[] = "snapshots";
    struct snapshots *snapshots = &store->snapshots;
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->directory, .name = name, .flags = DISK_DIRECTORY};
    if (snapshots->directory == DISK_NONE) {
        struct disk_op mkdir = {.kind = DISK_MKDIR, .dir = store->directory, .name = name};
        int os_errno = disk_run(store->disk, &mkdir);
        if (!os_errno || os_errno == EEXIST) os_errno = disk_run(store->disk, &open);
        if (os_errno) return fail_errno(error, os_errno, "mkdir", name);
        snapshots->directory = open.file;
    }
    if (snapshots->is_synced) return TEAK_OK;
    /* Also where it was there: whoever made it may have died before its name was durable. */
    const int os_errno = disk_sync_all(store->disk, store->directory);
    if (os_errno) snapshots->failure = os_errno;
    snapshots->is_synced = os_errno == 0;
    return os_errno ? fail_errno(error, os_errno, "sync", ".") : TEAK_OK;
}

static enum teak_status check_offer(struct teak_store *store, const struct teak_snapshot_offer *offer,
                                    struct teak_error *error)
{
    if (offer->pos.index == 0) return fail_index(error, TEAK_INDEX_ZERO, offer->log, 0, 1);
    if (offer->pos.index == UINT64_MAX || offer->meta_bytes > TEAK_SNAPSHOT_META_MAX ||
        (offer->meta_bytes > 0 && !offer->meta) ||
        (offer->body_bytes > TEAK_SNAPSHOT_BODY_MAX && offer->body_bytes != TEAK_SNAPSHOT_UNKNOWN))
        return fail_log(error, TEAK_INVALID, offer->log);
    const struct log *log = logs_find(&store->logs, offer->log);
    if (!log || !log->head.alive) return fail_log(error, TEAK_UNKNOWN_LOG, offer->log);
    if (snapshot_is_stale(log, offer->pos, offer->replace))
        return fail_index(error, TEAK_BELOW_SNAPSHOT, offer->log, offer->pos.index,
                          max_u64(log->head.snapshot.index, log->head.base.index) + 1);
    const struct snapshots *snapshots = &store->snapshots;
    if (snapshots->failure) return fail_errno(error, snapshots->failure, "sync", "snapshots");
    if (snapshots->step == SNAPSHOT_REMOVE && snapshots->removes_part && snapshots->removing == offer->log)
        return fail_log(error, TEAK_FULL, offer->log);
    const struct snapshot_note *note = snapshots_part_of(&store->snapshots, offer->log);
    return note && note->writer ? fail_log(error, TEAK_BUSY, offer->log) : TEAK_OK;
}

static struct teak_snapshot_writer *make_writer(struct teak_store *store, const struct teak_snapshot_offer *offer)
{
    struct teak_snapshot_writer *writer = heap_take_aligned(64, align_up(sizeof *writer, 64));
    if (!writer) return NULL;
    memset(writer, 0, sizeof *writer);
    writer->store = store;
    writer->disk = store->disk;
    writer->directory = store->snapshots.directory;
    writer->open_flags = store->open_flags;
    writer->file = DISK_NONE;
    writer->replaces = offer->replace;
    writer->file_key.head = (struct snapshot_head){.log = offer->log,
                                                   .life = logs_find(&store->logs, offer->log)->head.life,
                                                   .index = offer->pos.index,
                                                   .term = offer->pos.term,
                                                   .stream = offer->stream,
                                                   .body_bytes = offer->body_bytes,
                                                   .meta_bytes = offer->meta_bytes,
                                                   .block_bytes = store->limits.block_bytes};
    memcpy(writer->file_key.head.family, store->superblock.family, sizeof writer->file_key.head.family);
    if (offer->meta_bytes == 0) return writer;
    writer->meta = heap_take(offer->meta_bytes);
    if (writer->meta) {
        memcpy(writer->meta, offer->meta, offer->meta_bytes);
        return writer;
    }
    heap_give(writer);
    return NULL;
}

enum teak_status teak_snapshot_begin(struct teak_store *store, const struct teak_snapshot_offer *offer,
                                     struct teak_snapshot_writer **out, struct teak_error *error)
{
    *out = NULL;
    enum teak_status status = store_guard_writing(store, error);
    if (status == TEAK_OK) status = check_offer(store, offer, error);
    /* who waits for room is driven on, also with completions that he does not take */
    if (status == TEAK_FULL) store->starved = store->unstarted = true;
    if (status == TEAK_OK) status = make_directory(store, error);
    if (status != TEAK_OK) return status;
    struct snapshots *snapshots = &store->snapshots;
    struct teak_snapshot_writer *writer = snapshots_make_room(snapshots, 1) ? make_writer(store, offer) : NULL;
    if (!writer) return fail(error, TEAK_NO_MEMORY, "snapshot");
    struct snapshot_note *note = snapshots_part_of(snapshots, offer->log);
    if (!note) {
        note = &snapshots->notes[snapshots->count++];
        *note = (struct snapshot_note){.name = {.log = offer->log, .is_part = true}, .dead_lsn = UINT64_MAX};
    }
    writer->begins_anew = note->is_aborted;
    if (note->dead_lsn != UINT64_MAX) snapshots->dead--;
    note->dead_lsn = UINT64_MAX;
    note->is_aborted = false;
    note->life = writer->file_key.head.life;
    note->index = offer->pos.index;
    note->writer = writer;
    *out = writer;
    return TEAK_OK;
}

void teak_snapshot_suspend(struct teak_snapshot_writer *writer)
{
    if (!writer) return;
    struct snapshots *snapshots = &writer->store->snapshots;
    /* The store may have ended its service meanwhile: then nothing is written. */
    if (writer->is_prepared && !writer->is_broken && !writer->store->flight.poisoned) (void)flush(writer);
    struct snapshot_note *note = snapshots_part_of(snapshots, writer->file_key.head.log);
    CHECK(note && note->writer == writer);
    note->writer = NULL;
    note->is_aborted |= writer->is_broken || (writer->begins_anew && !writer->is_prepared);
    snapshots->changed = true; /* the log may have gone on without it */
    snapshot_in_free(writer);
}

void teak_snapshot_abort(struct teak_snapshot_writer *writer)
{
    if (!writer) return;
    struct snapshots *snapshots = &writer->store->snapshots;
    struct snapshot_note *note = snapshots_part_of(snapshots, writer->file_key.head.log);
    CHECK(note && note->writer == writer);
    note->writer = NULL;
    note->is_aborted = true;
    snapshots->changed = true;
    snapshot_in_free(writer);
}
