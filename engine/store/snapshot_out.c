/* snapshot_out.c: a snapshot streamed out, on the thread of whoever streams.
 *
 * OWNS   A descriptor of the file and a window of it.
 * PATH   judge (once: head, meta, foot, against the log's record) -> the window that holds the offset -> each chunk of
 *        it is verified before a byte of it is handed out.
 * HOLDS  what is read from beginning to end is the very chain that the foot, and so the log's record, names: also a
 *        chunk that was whole once, and was written anew since, is found out.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/snapshots.h"
#include "store/store.h"

struct teak_snapshot_reader {
    struct snapshot_key_head file_key;
    struct disk *disk;
    int32_t file;
    bool is_judged;
    uint64_t log, life;
    struct teak_pos pos;
    uint64_t file_id, file_bytes, file_sum; /* as the log's record says     */
    uint8_t family[16];
    struct snapshot_foot foot;
    uint8_t *meta;
    uint8_t *window;
    uint64_t first, count;                  /* chunks in the window         */
    uint64_t verified;                      /* chunk that was verified last */
};

enum { WINDOW_ALIGN = 65536 };

static void file_name(const struct teak_snapshot_reader *reader, char out[SNAPSHOT_NAME_BYTES])
{
    snapshot_name_put(&(struct snapshot_name){.log = reader->log, .index = reader->pos.index, .term = reader->pos.term,
                                              .file_id = reader->file_id},
                      out);
}

static enum teak_status name_it(const struct teak_snapshot_reader *reader, enum teak_status status,
                                const char *operation, uint64_t offset, int os_errno, struct teak_error *error)
{
    char name[SNAPSHOT_NAME_BYTES];
    file_name(reader, name);
    fail_file(error, status, operation, name, offset);
    if (error) {
        error->log = reader->log;
        error->has_log = 1;
        error->index = reader->pos.index;
        error->os_errno = os_errno;
    }
    return status;
}

static enum teak_status read_at(struct teak_snapshot_reader *reader, uint64_t offset, void *out, uint64_t bytes,
                                struct teak_error *error)
{
    struct disk_op read = {.kind = DISK_READ, .file = reader->file, .data = out, .bytes = bytes, .offset = offset};
    const int os_errno = disk_run(reader->disk, &read);
    if (os_errno) return name_it(reader, TEAK_IO, "read", offset, os_errno, error);
    return read.done == bytes ? TEAK_OK : name_it(reader, TEAK_HASH_MISMATCH, "read", offset + read.done, 0, error);
}

/* --------------------------------------------------------------------------------------------------- open and judge */

static enum teak_status open_file(struct teak_store *store, struct teak_snapshot_reader *reader,
                                  struct teak_error *error)
{
    char name[SNAPSHOT_NAME_BYTES];
    file_name(reader, name);
    struct disk_op open = {.kind = DISK_OPEN, .dir = store->snapshots.directory, .name = name,
                           .flags = store->open_flags};
    int os_errno = store->snapshots.directory == DISK_NONE ? ENOENT : disk_run(store->disk, &open);
    if (os_errno == ENOENT) return name_it(reader, TEAK_DAMAGED, "open", 0, os_errno, error);
    if (os_errno) return name_it(reader, TEAK_IO, "open", 0, os_errno, error);
    reader->file = open.file;
    struct disk_file_info info;
    os_errno = disk_stat(store->disk, reader->file, &info);
    if (os_errno) return name_it(reader, TEAK_IO, "stat", 0, os_errno, error);
    if (info.bytes == reader->file_bytes) return TEAK_OK;
    name_it(reader, TEAK_DAMAGED, "open", info.bytes, 0, error);
    if (error) {
        error->expected = reader->file_bytes;
        error->has_expected = 1;
    }
    return TEAK_DAMAGED;
}

static enum teak_status reader_make(struct teak_store *store, const struct log *log, struct teak_snapshot_reader **out,
                                    struct teak_error *error)
{
    const struct log_head *head = &log->head;
    if (head->file_id == 0) return fail_log(error, TEAK_NOT_FOUND, log->id);
    struct teak_snapshot_reader *reader = heap_take_aligned(64, align_up(sizeof *reader, 64));
    if (!reader) return fail(error, TEAK_NO_MEMORY, "snapshot");
    memset(reader, 0, sizeof *reader);
    reader->disk = store->disk;
    reader->file = DISK_NONE;
    reader->log = log->id;
    reader->life = head->life;
    reader->pos = head->snapshot;
    reader->file_id = head->file_id;
    reader->file_bytes = head->file_bytes;
    reader->file_sum = head->file_sum;
    reader->file_key.head.block_bytes = store->superblock.block_bytes; /* of the store, until the file's own is known */
    reader->verified = UINT64_MAX;
    memcpy(reader->family, store->superblock.family, sizeof reader->family);
    const enum teak_status status = open_file(store, reader, error);
    if (status == TEAK_OK)
        *out = reader;
    else
        teak_snapshot_close(reader);
    return status;
}

enum teak_status teak_snapshot_open(struct teak_store *store, uint64_t id, struct teak_snapshot_reader **out,
                                    struct teak_error *error)
{
    *out = NULL;
    const enum teak_status status = store_guard(store, error);
    if (status != TEAK_OK) return status;
    const struct log *log = logs_find(&store->logs, id);
    if (!log || !log->head.alive) return fail_log(error, TEAK_UNKNOWN_LOG, id);
    return reader_make(store, log, out, error);
}

void teak_snapshot_close(struct teak_snapshot_reader *reader)
{
    if (!reader) return;
    disk_close_file(reader->disk, &reader->file);
    heap_give(reader->window);
    heap_give(reader->meta);
    heap_give(reader);
}

static enum teak_status judge_head(struct teak_snapshot_reader *reader, struct teak_error *error)
{
    struct snapshot_key_head *own = &reader->file_key;
    const uint32_t block = own->head.block_bytes;
    struct snapshot_head head;
    struct key key;
    if (reader->file_bytes < 2 * (uint64_t)block || reader->file_bytes % block != 0)
        return name_it(reader, TEAK_HASH_MISMATCH, "judge", 0, 0, error);
    enum teak_status status = read_at(reader, 0, reader->window, block, error);
    if (status != TEAK_OK) return status;
    const bool is_it =
        snapshot_head_judge(reader->window, reader->family, &key, &head, &own->chain) == TEAK_OK &&
        head.file_id == reader->file_id && head.log == reader->log && head.life == reader->life &&
        head.index == reader->pos.index && head.term == reader->pos.term && head.block_bytes == block &&
        snapshot_head_end(&head) <= reader->file_bytes - block;
    if (!is_it) return name_it(reader, TEAK_HASH_MISMATCH, "judge", 0, 0, error);
    status = read_at(reader, 0, reader->window, snapshot_head_end(&head), error);
    if (status != TEAK_OK) return status;
    if (snapshot_meta_sum(&key, &head, reader->window + HEAD_BYTES) != head.meta_sum)
        return name_it(reader, TEAK_HASH_MISMATCH, "judge", HEAD_BYTES, 0, error);
    if (head.meta_bytes > 0 && !reader->meta) reader->meta = heap_take(head.meta_bytes);
    if (head.meta_bytes > 0 && !reader->meta) return fail(error, TEAK_NO_MEMORY, "snapshot");
    if (head.meta_bytes > 0) memcpy(reader->meta, reader->window + HEAD_BYTES, head.meta_bytes);
    own->head = head;
    own->key = key;
    return TEAK_OK;
}

static enum teak_status judge(struct teak_snapshot_reader *reader, struct teak_error *error)
{
    if (reader->is_judged) return TEAK_OK;
    if (!reader->window) reader->window = heap_take_aligned(WINDOW_ALIGN, SNAPSHOT_WINDOW_BYTES);
    if (!reader->window) return fail(error, TEAK_NO_MEMORY, "snapshot");
    enum teak_status status = judge_head(reader, error);
    if (status != TEAK_OK) return status;
    const struct snapshot_key_head *own = &reader->file_key;
    const uint64_t foot = reader->file_bytes - own->head.block_bytes;
    status = read_at(reader, foot, reader->window, own->head.block_bytes, error);
    if (status != TEAK_OK) return status;
    uint64_t checksum;
    if (snapshot_foot_judge(reader->window, &own->key, &own->head, reader->file_bytes, &reader->foot, &checksum) !=
            TEAK_OK ||
        checksum != reader->file_sum)
        return name_it(reader, TEAK_HASH_MISMATCH, "judge", foot, 0, error);
    reader->is_judged = true;
    return TEAK_OK;
}

/* ------------------------------------------------------------------------------------------------------------- read */

static enum teak_status fill_window(struct teak_snapshot_reader *reader, uint64_t number, struct teak_error *error)
{
    const uint64_t begin = snapshot_chunk_offset(&reader->file_key.head, number);
    const uint64_t end = snapshot_foot_offset(&reader->file_key.head, reader->foot.body_bytes);
    const uint64_t bytes = min_u64(SNAPSHOT_WINDOW_BYTES, end - begin);
    reader->count = 0;
    const enum teak_status status = read_at(reader, begin, reader->window, bytes, error);
    if (status != TEAK_OK) return status;
    reader->first = number;
    reader->count = (bytes + SNAPSHOT_CHUNK - 1) / SNAPSHOT_CHUNK;
    reader->verified = UINT64_MAX;
    return TEAK_OK;
}

/* Chunk `number` is in the window, verified. */
static enum teak_status hold_chunk(struct teak_snapshot_reader *reader, uint64_t number, const uint8_t **body_out,
                                   struct teak_error *error)
{
    struct snapshot_key_head *own = &reader->file_key;
    if (number < reader->first || number - reader->first >= reader->count) {
        const enum teak_status status = fill_window(reader, number, error);
        if (status != TEAK_OK) return status;
    }
    uint8_t *chunk = reader->window + (number - reader->first) * SNAPSHOT_CHUNK;
    *body_out = chunk + SNAPSHOT_CHUNK_HEAD;
    if (reader->verified == number) return TEAK_OK;
    const uint64_t offset = snapshot_chunk_offset(&own->head, number);
    uint64_t sum;
    if (!snapshot_chunk_judge(&own->key, &own->head, number, snapshot_chunk_bytes(reader->foot.body_bytes, number),
                              chunk, &sum)) {
        reader->count = 0; /* what the medium says next time is asked next time */
        return name_it(reader, TEAK_HASH_MISMATCH, "read", offset, 0, error);
    }
    if (number == own->chained) {
        const uint64_t chain = snapshot_chain(&own->key, own->chain, sum);
        if (number + 1 == reader->foot.chunk_count && chain != reader->foot.chain)
            return name_it(reader, TEAK_HASH_MISMATCH, "read", offset, 0, error);
        own->chain = chain;
        own->chained++;
    }
    reader->verified = number;
    return TEAK_OK;
}

enum teak_status teak_snapshot_info(struct teak_snapshot_reader *reader, struct teak_snapshot_info *out,
                                    struct teak_error *error)
{
    const enum teak_status status = judge(reader, error);
    if (status != TEAK_OK) return status;
    const struct snapshot_head *head = &reader->file_key.head;
    *out = (struct teak_snapshot_info){.log = reader->log,
                                       .life = reader->life,
                                       .pos = reader->pos,
                                       .stream = head->stream,
                                       .body_bytes = reader->foot.body_bytes,
                                       .file_bytes = reader->file_bytes,
                                       .meta = reader->meta,
                                       .meta_bytes = head->meta_bytes};
    return TEAK_OK;
}

enum teak_status teak_snapshot_read(struct teak_snapshot_reader *reader, uint64_t offset, void *out, uint64_t bytes,
                                    uint64_t *bytes_out, struct teak_error *error)
{
    *bytes_out = 0;
    const enum teak_status status = judge(reader, error);
    if (status != TEAK_OK) return status;
    const uint64_t body = reader->foot.body_bytes;
    uint64_t left = offset < body ? min_u64(bytes, body - offset) : 0;
    while (left > 0) {
        const uint64_t number = offset / SNAPSHOT_CHUNK_BODY, within = offset % SNAPSHOT_CHUNK_BODY;
        const uint8_t *chunk;
        const enum teak_status held = hold_chunk(reader, number, &chunk, error);
        if (held != TEAK_OK) return held;
        const uint64_t piece = min_u64(left, SNAPSHOT_CHUNK_BODY - within);
        memcpy((uint8_t *)out + *bytes_out, chunk + within, piece);
        *bytes_out += piece;
        offset += piece;
        left -= piece;
    }
    return TEAK_OK;
}

enum teak_status snapshot_verify(struct teak_store *store, const struct log *log, uint64_t *bytes_out,
                                 struct teak_error *error)
{
    struct teak_snapshot_reader *reader;
    *bytes_out = 0;
    enum teak_status status = reader_make(store, log, &reader, error);
    if (status != TEAK_OK) return status;
    status = judge(reader, error);
    for (uint64_t number = 0; status == TEAK_OK && number < reader->foot.chunk_count; number++) {
        const uint8_t *chunk;
        status = hold_chunk(reader, number, &chunk, error);
    }
    *bytes_out = reader->file_bytes;
    teak_snapshot_close(reader);
    return status;
}
