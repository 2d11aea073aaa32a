/* reader.c: see reader.h. */
#include "store/reader.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/check.h"
#include "store/failure.h"
#include "store/recover.h"
#include "store/scan.h"

static void close_sealed(struct teak_store *store, struct segment *segment)
{
    if (segment->map) disk_unmap(store->disk, (void *)(uintptr_t)segment->map, segment->map_bytes);
    segment->map = NULL;
    disk_close_file(store->disk, &segment->file);
    store->open_sealed--;
}

static void let_go(struct teak_store *store, struct segment *segment)
{
    if (segment->state != SEGMENT_SEALED || !segment->map) return;
    /* No page of it stays in the cache: each would be in the way of a direct write in the file's next use (history 37).
     * Where the system does not let go, that is all it costs. */
    disk_unmap(store->disk, (void *)(uintptr_t)segment->map, segment->map_bytes);
    segment->map = NULL;
    (void)disk_drop_cache(store->disk, segment->file);
    close_sealed(store, segment);
}

void reader_forget(struct teak_store *store, struct segment *segment)
{
    if (segment->pins == 0) {
        let_go(store, segment);
        segment_free(segment, store->disk);
        return;
    }
    /* Where the lock cannot be had the pool's cannot either. A file that is being opened just now needs none: whoever
     * opened it finds that it is retired, and closes it. */
    if (segment->file != DISK_NONE) (void)disk_lock(store->disk, segment->file, DISK_LOCK_SHARED);
    segment->is_retired = true;
    segment->next_retired = store->retired;
    store->retired = segment;
}

void reader_unpin(struct teak_store *store, struct segment *segment)
{
    CHECK_LT(0, segment->pins);
    if (--segment->pins > 0) return;
    if (segment->is_retired) {
        struct segment **link = &store->retired;
        while (*link != segment) link = &(*link)->next_retired;
        *link = segment->next_retired;
        let_go(store, segment);
        segment_free(segment, store->disk);
    } else if (segment->state == SEGMENT_SEALED && !segment->map) {
        disk_close_file(store->disk, &segment->file); /* no part of the cache without a mapping */
    }
}

void reader_fini(struct teak_store *store)
{
    while (store->retired) {
        struct segment *segment = store->retired;
        store->retired = segment->next_retired;
        segment_free(segment, store->disk);
    }
}

void reader_make_place(struct teak_store *store)
{
    while (store->open_sealed >= READER_OPEN_MAX) {
        struct segment *oldest = NULL;
        for (uint64_t number = store->segments.oldest; number <= store->segments.newest; number++) {
            struct segment *segment = segment_at(&store->segments, number);
            const bool may_go = segment->state == SEGMENT_SEALED && segment->map && segment->pins == 0;
            if (may_go && (!oldest || segment->used < oldest->used))
                oldest = segment;
        }
        if (!oldest) return; /* fetches are at work on all of them: as many more as there are cursors */
        close_sealed(store, oldest);
    }
}

static enum teak_status open_again(struct teak_store *store, struct segment *segment, struct teak_error *error)
{
    struct scan_source source = recover_source(store);
    source.lenient |= segment->is_cut_short; /* known since opening: what is there is read */
    struct image image;
    enum teak_status status = image_open(&source, segment->number, &image, error);
    if (status == TEAK_LOG_GONE) return fail_segment(error, TEAK_COMPACTED, "open", segment->number, 0);
    if (status != TEAK_OK) return status;
    /* Without an identity it is the same file still: one that is used again was locked, and has another name. */
    if (source.beside && image.has_key && image.key.salt != segment->key.salt) {
        image_close(&source, &image);
        return fail_segment(error, TEAK_COMPACTED, "open", segment->number, 0);
    }
    segment->file = image.file;
    return TEAK_OK;
}

static enum teak_status map_index(struct teak_store *store, struct segment *segment, struct teak_error *error)
{
    const struct footer *footer = &segment->footer;
    const uint64_t summary = footer->summary_offset - footer->slots_offset;
    segment->map_bytes = align_up(summary + footer->summary_bytes, 4096);
    void *map;
    int os_errno = disk_map(store->disk, segment->file, footer->slots_offset, segment->map_bytes, &map);
    if (os_errno) return fail_segment(error, os_errno == ENOMEM ? TEAK_NO_MEMORY : TEAK_IO, "map", segment->number, 0);
    struct disk_op op = {.kind = DISK_POPULATE, .data = (uint8_t *)map + align_down(summary, 4096),
                         .bytes = segment->map_bytes - align_down(summary, 4096)};
    os_errno = disk_run(store->disk, &op);
    if (os_errno) {
        disk_unmap(store->disk, map, segment->map_bytes);
        fail_segment(error, TEAK_IO, "populate", segment->number, footer->summary_offset);
        if (error) error->os_errno = os_errno;
        return TEAK_IO;
    }
    /* It was judged when the store was opened or the segment sealed, but the medium may have changed its mind. */
    if (!summary_judge((const uint8_t *)map + summary, footer, &segment->key)) {
        disk_unmap(store->disk, map, segment->map_bytes);
        return fail_segment(error, TEAK_HASH_MISMATCH, "map", segment->number, footer->summary_offset);
    }
    reader_take_map(store, segment, map, segment->map_bytes);
    return TEAK_OK;
}

void reader_take_map(struct teak_store *store, struct segment *segment, const void *map, uint64_t bytes)
{
    segment->map = map;
    segment->map_bytes = bytes;
    segment->mapped_at = ++store->segments.tick;
    store->open_sealed++;
}

enum teak_status reader_hold(struct teak_store *store, struct segment *segment, struct teak_error *error)
{
    segment->used = ++store->segments.tick;
    if (segment->state == SEGMENT_SEALED && !segment->map) reader_make_place(store);
    if (segment->file == DISK_NONE) {
        const enum teak_status status = open_again(store, segment, error);
        if (status != TEAK_OK) return status;
    }
    if (segment->state != SEGMENT_SEALED || segment->map || segment->footer.summary_bytes == 0) return TEAK_OK;
    return map_index(store, segment, error);
}

enum teak_status reader_populate(struct teak_store *store, const struct piece *piece, uint64_t first, uint64_t count,
                                 struct teak_error *error)
{
    struct segment *segment = segment_of_piece(&store->segments, piece->segment);
    if (segment->state != SEGMENT_SEALED) return TEAK_OK;
    uint32_t extent_count;
    const struct layout_extent *extents = locate_extents(&store->segments, piece, &extent_count);
    const struct layout_extent *extent = extent_find(extents, extent_count, first);
    if (!extent) return TEAK_OK; /* a hole: locate says so */
    const struct layout_extent *last = &extents[extent_count - 1];
    const uint64_t slot = le32_get(extent->slot) + (first - le64_get(extent->first));
    const uint64_t slots = min_u64(count, le32_get(last->slot) + le32_get(last->count) - slot);
    const uint64_t begin = align_down(slot * sizeof(struct layout_slot), 4096);
    const uint64_t end = align_up((slot + slots) * sizeof(struct layout_slot), 4096);
    struct disk_op op = {.kind = DISK_POPULATE, .data = (uint8_t *)(uintptr_t)segment->map + begin,
                         .bytes = min_u64(end, segment->map_bytes) - begin};
    const int os_errno = disk_run(store->disk, &op);
    if (os_errno == 0) return TEAK_OK;
    fail_segment(error, TEAK_IO, "populate", segment->number, segment->footer.slots_offset + begin);
    if (error) error->os_errno = os_errno;
    return TEAK_IO;
}

enum teak_status reader_read(struct teak_store *store, struct segment *segment, uint64_t offset, void *out,
                             uint64_t bytes, struct teak_error *error)
{
    struct disk_op op = {.kind = DISK_READ, .file = segment->file, .data = out, .bytes = bytes, .offset = offset};
    const int os_errno = disk_run(store->disk, &op);
    store->disk_read_bytes += op.done;
    if (os_errno == 0 && op.done == bytes) return TEAK_OK;
    fail_segment(error, TEAK_IO, "read", segment->number, offset);
    if (error) error->os_errno = os_errno;
    return TEAK_IO;
}

uint64_t reader_end(const struct teak_store *store, const struct segment *segment)
{
    if (segment->number < store->flight.durable_segment) /* a salvaged file may be shorter than it was */
        return min_u64(segment->frames_end, segment->file_bytes);
    return segment->number == store->flight.durable_segment ? store->flight.durable_offset : 0;
}

enum teak_status reader_rotten(const struct log *log, uint64_t index, const struct segment *segment, uint64_t offset,
                               struct teak_error *error)
{
    fail_segment(error, TEAK_HASH_MISMATCH, "read", segment->number, offset);
    if (error) {
        error->log = log->id;
        error->has_log = 1;
        error->index = index;
        error->term = log_term_at(log, index);
        error->has_term = 1;
    }
    return TEAK_HASH_MISMATCH;
}

bool reader_is_whole(const struct log *log, uint64_t index, const struct place *place, const void *payload)
{
    const struct entry_identity who = {.log = log->id, .index = index, .term = place->term, .bytes = place->bytes,
                                       .kind = place->kind};
    return key_entry_sum(&place->segment->key, &who, payload) == place->sum;
}

struct asking {
    uint64_t log, index, term; /* term and kind as the index says: who answers with others speaks of another entry */
    uint8_t kind;
    struct place *place;
    bool found;
};

static void ask_frame(struct asking *asking, const uint8_t *frame, const struct frame_head *head)
{
    uint32_t cursor = 0;
    struct op op;
    while (table_next(frame, head, &cursor, &op)) {
        if (!op_has_entries(op.code) || op.log != asking->log || asking->index < op.entries.first ||
            asking->index - op.entries.first >= op.count)
            continue;
        const struct layout_slot *slot = &op.entries.slots[asking->index - op.entries.first];
        struct place *place = asking->place;
        const bool is_other = place->offset != le32_get(slot->offset) || place->bytes != le32_get(slot->bytes) ||
                              place->sum != le64_get(slot->sum);
        asking->found = is_other && op.entries.term == asking->term && op.kind == asking->kind;
        place->offset = le32_get(slot->offset);
        place->bytes = le32_get(slot->bytes);
        place->sum = le64_get(slot->sum);
        place->term = op.entries.term;
        place->kind = op.kind;
    }
}

/* The newest answer of the frames' tables. A frame that cannot be read may have written the same index anew: what
 * stands before it is no answer. */
static void ask_tables(const struct scan_source *source, const struct image *image, uint64_t end, struct asking *asking)
{
    for (uint64_t offset = source->block_bytes; offset < end;) {
        struct frame_head head;
        const bool is_frame = image_head(source, image, offset, &head);
        if (is_frame && frame_judge_table(image->bytes + offset, &head, &image->key) == FRAME_WHOLE)
            ask_frame(asking, image->bytes + offset, &head);
        else
            asking->found = false;
        offset += is_frame ? head.bytes : source->block_bytes;
    }
}

bool reader_ask_bytes(struct teak_store *store, const struct log *log, uint64_t index, uint8_t *bytes, uint64_t count,
                      struct place *place)
{
    const struct scan_source source = recover_source(store);
    const struct image image = {.number = place->segment->number, .file = DISK_NONE, .file_bytes = count,
                                .identity = TEAK_OK, .has_key = true, .key = place->segment->key, .bytes = bytes};
    struct asking asking = {.log = log->id, .index = index, .term = place->term, .kind = place->kind,
                            .place = place};
    ask_tables(&source, &image, min_u64(place->segment->frames_end, count), &asking);
    return asking.found;
}

enum teak_status reader_ask_table(struct teak_store *store, const struct log *log, uint64_t index, struct place *place,
                                  struct teak_error *error)
{
    const struct scan_source source = recover_source(store);
    struct image image;
    enum teak_status status = image_open(&source, place->segment->number, &image, error);
    if (status == TEAK_LOG_GONE) return fail_segment(error, TEAK_COMPACTED, "open", place->segment->number, 0);
    if (status != TEAK_OK) return status;
    status = image_load(&source, &image, error);
    struct place asked = *place;
    struct asking asking = {.log = log->id, .index = index, .term = place->term, .kind = place->kind,
                            .place = &asked};
    if (status == TEAK_OK) ask_tables(&source, &image, place->segment->frames_end, &asking);
    image_close(&source, &image);
    if (status != TEAK_OK) return status;
    if (!asking.found) return fail_index(error, TEAK_NOT_FOUND, log->id, index, 0);
    *place = asked;
    return TEAK_OK;
}
