/* fetch.c: see fetch.h. */
#include "store/fetch.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"
#include "store/failure.h"
#include "store/reader.h"
#include "store/turn.h"

/* Beside frames one fetch at a time, and a short one, for the disk may take what it was given in turn: a commit does
 * not wait for a megabyte, whoever reads at full speed (docs/performance.md). */
enum { STREAMS_OUT_MAX = 16, STREAMS_BESIDE_MAX = 1, WINDOW_BESIDE_BYTES = 128 * 1024 };

/* --------------------------------------------------------------------------------------------------------- windows */

void window_memory_drop(struct window_memory *memory)
{
    if (!memory || atomic_fetch_sub_explicit(&memory->refs, 1, memory_order_acq_rel) > 1) return;
    heap_give(memory->data);
    heap_give(memory);
}

bool window_make_room(struct window *window, uint64_t bytes)
{
    struct window_memory *memory = window->memory;
    window->segment = window->begin = window->end = 0;
    /* acquire: pairs with the release of a hold's end, whose last look at the bytes comes before they are written */
    if (memory && memory->room >= bytes && atomic_load_explicit(&memory->refs, memory_order_acquire) == 1) return true;
    window->memory = NULL;
    window_memory_drop(memory);
    const uint64_t room = align_up(max_u64(bytes, WINDOW_BYTES), WINDOW_MARGIN);
    memory = heap_take(sizeof *memory);
    if (!memory) return false;
    *memory = (struct window_memory){.refs = 1, .room = room, .data = heap_take_huge(room)};
    if (!memory->data) {
        heap_give(memory);
        return false;
    }
    window->memory = memory;
    return true;
}

/* --------------------------------------------------------------------------------------------------------- streams */

static bool is_busy(const struct fetch *fetch) { return fetch->step != FETCH_IDLE && fetch->step != FETCH_ENDED; }

struct stream *stream_open(struct teak_store *store, uint64_t log, uint64_t life, uint64_t index)
{
    struct stream *stream = heap_take_zeroed(1, sizeof *stream);
    if (!stream) return NULL;
    stream->store = store;
    stream->log = log;
    stream->life = life;
    stream->at = index;
    for (uint32_t i = 0; i < 2; i++) {
        stream->fetches[i].errand = ERRAND_READ;
        stream->fetches[i].stream = stream;
        stream->fetches[i].own = DISK_NONE;
    }
    stream->behind = store->streams.all;
    if (stream->behind) stream->behind->before = stream;
    store->streams.all = stream;
    return stream;
}

static void close_own(struct fetch *fetch)
{
    disk_close_file(fetch->stream->store->disk, &fetch->own);
}

static void stream_free(struct stream *stream)
{
    struct streams *streams = &stream->store->streams;
    if (stream->before)
        stream->before->behind = stream->behind;
    else
        streams->all = stream->behind;
    if (stream->behind) stream->behind->before = stream->before;
    for (uint32_t i = 0; i < 2; i++) {
        close_own(&stream->fetches[i]);
        window_memory_drop(stream->fetches[i].window.memory);
        heap_give(stream->fetches[i].spots);
        heap_give(stream->fetches[i].table);
    }
    heap_give(stream);
}

static void free_if_left(struct stream *stream)
{
    if (stream->is_orphan && !is_busy(&stream->fetches[0]) && !is_busy(&stream->fetches[1])) stream_free(stream);
}

static void await(struct stream *stream, bool is_awaited)
{
    struct streams *streams = &stream->store->streams;
    if (stream->is_awaited == is_awaited) return;
    stream->is_awaited = is_awaited;
    streams->awaited += is_awaited ? 1 : UINT32_MAX; /* one less */
}

static void leave_queue(struct streams *streams, struct fetch *fetch)
{
    struct fetch *before = NULL, *at = streams->first;
    while (at != fetch) {
        before = at;
        at = at->next;
    }
    if (before)
        before->next = fetch->next;
    else
        streams->first = fetch->next;
    if (streams->last == fetch) streams->last = before;
}

void stream_close(struct stream *stream)
{
    if (!stream) return;
    await(stream, false);
    stream->is_orphan = true;
    for (uint32_t i = 0; i < 2; i++) {
        if (stream->fetches[i].step != FETCH_BEGIN) continue;
        leave_queue(&stream->store->streams, &stream->fetches[i]);
        stream->fetches[i].step = FETCH_IDLE;
    }
    free_if_left(stream);
}

void stream_move(struct stream *stream, uint64_t index)
{
    stream->at = index;
    await(stream, false);
}

void fetch_reset(struct fetch *fetch)
{
    CHECK(!is_busy(fetch));
    close_own(fetch);
    fetch->step = FETCH_IDLE;
    fetch->count = 0;
    fetch->asks_table = false;
}

static bool covers(const struct fetch *fetch, uint64_t index)
{
    return index >= fetch->index && index - fetch->index < max_u64(fetch->count, 1);
}

struct fetch *stream_find(struct stream *stream, uint64_t index)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct fetch *fetch = &stream->fetches[i];
        const bool has = fetch->step == FETCH_ENDED && fetch->status == TEAK_OK && fetch->count > 0;
        if (has && covers(fetch, index)) return fetch;
    }
    return NULL;
}

static void put_in_queue(struct fetch *fetch, uint64_t index, bool asks_table)
{
    struct streams *streams = &fetch->stream->store->streams;
    fetch_reset(fetch);
    fetch->index = index;
    fetch->asks_table = asks_table;
    fetch->step = FETCH_BEGIN;
    fetch->next = NULL;
    if (streams->first)
        streams->last->next = fetch;
    else
        streams->first = fetch;
    streams->last = fetch;
    fetch->stream->store->unstarted = true;
}

enum teak_status stream_want(struct stream *stream, uint64_t index, struct teak_error *error)
{
    struct fetch *idle = NULL;
    bool is_coming = false;
    for (uint32_t i = 0; i < 2; i++) {
        struct fetch *fetch = &stream->fetches[i];
        if (is_busy(fetch)) {
            is_coming |= covers(fetch, index);
        } else if (fetch->step == FETCH_ENDED && fetch->status != TEAK_OK && fetch->index == index) {
            const enum teak_status status = fetch->status;
            if (error) *error = fetch->error;
            fetch_reset(fetch);
            return status;
        } else if (!idle || fetch->step == FETCH_IDLE) {
            idle = fetch;
        }
    }
    /* where both are busy with what nobody wants any more the next try finds one that is not */
    if (!is_coming && idle) put_in_queue(idle, index, false);
    await(stream, true);
    return TEAK_OK;
}

bool stream_ask(struct stream *stream, uint64_t index)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (is_busy(&stream->fetches[i])) continue;
        put_in_queue(&stream->fetches[i], index, true);
        await(stream, true);
        return true;
    }
    return false;
}

/* The fetch that holds what the cursor stands at leads: the other one brings what lies behind it. */
void stream_read_ahead(struct stream *stream)
{
    if (stream->is_orphan || stream->only_places) return;
    for (uint32_t i = 0; i < 2; i++) {
        const struct fetch *lead = &stream->fetches[i];
        struct fetch *other = &stream->fetches[1 - i];
        const bool leads = lead->count > 0 && (lead->step == FETCH_READ || lead->step == FETCH_ENDED) &&
                           lead->status == TEAK_OK && covers(lead, stream->at);
        if (!leads || is_busy(other)) continue;
        const uint64_t index = lead->index + lead->count;
        const struct log *log = logs_find(&stream->store->logs, stream->log);
        const bool is_there = log && log->head.life == stream->life && index > log->head.base.index &&
                              index <= log->head.last.index;
        const bool has_it = other->step == FETCH_ENDED && (other->status != TEAK_OK || other->count > 0) &&
                            (covers(other, index) || covers(other, stream->at));
        if (is_there && !has_it) put_in_queue(other, index, false);
        return;
    }
}

void fetch_ask_table(struct fetch *fetch, uint64_t index) { put_in_queue(fetch, index, true); }

/* ----------------------------------------------------------------------------------------------------------- steps */

static void end(struct fetch *fetch, enum teak_status status)
{
    struct stream *stream = fetch->stream;
    struct teak_store *store = stream->store;
    fetch->step = FETCH_ENDED;
    fetch->status = status;
    heap_give(fetch->table);
    fetch->table = NULL;
    if (fetch->segment) reader_unpin(store, fetch->segment);
    fetch->segment = NULL;
    store->streams.out--;
    if (stream->is_awaited && !stream->only_places) store->streams.news = true;
    await(stream, false);
    if (fetch->count > 0) stream_read_ahead(stream); /* what came to nothing leads nowhere */
    free_if_left(stream);
}

static void end_failed(struct fetch *fetch, int os_errno, const char *operation, uint64_t offset)
{
    const enum teak_status status = os_errno == ENOMEM ? TEAK_NO_MEMORY : TEAK_IO;
    fail_segment(&fetch->error, status, operation, fetch->segment->number, offset);
    fetch->error.os_errno = os_errno;
    end(fetch, status);
}

/* It lies elsewhere by now, or nowhere: the cursor's next look says which. */
static void end_without(struct fetch *fetch)
{
    fetch->count = 0;
    end(fetch, TEAK_OK);
}

static struct log *log_of(const struct fetch *fetch)
{
    const struct stream *stream = fetch->stream;
    struct log *log = logs_find(&stream->store->logs, stream->log);
    const bool is_there = log && log->head.life == stream->life && fetch->index > log->head.base.index &&
                          fetch->index <= log->head.last.index;
    return is_there && !stream->is_orphan ? log : NULL;
}

static void submit(struct fetch *fetch, enum fetch_step step, struct disk_op op)
{
    fetch->step = step;
    op.flags |= DISK_CHORE;
    op.owner = fetch;
    if (op.kind != DISK_OPEN) op.file = fetch->segment->file;
    fetch->op = op;
    fetch->at_disk = true;
    disk_submit(fetch->stream->store->disk, &fetch->op);
}

static void submit_open(struct fetch *fetch)
{
    struct teak_store *store = fetch->stream->store;
    reader_make_place(store);
    name_segment(fetch->segment->number, fetch->name);
    submit(fetch, FETCH_OPEN, (struct disk_op){.kind = DISK_OPEN, .dir = store->directory, .name = fetch->name,
                                               .flags = store->open_flags | DISK_WRITABLE});
}

static void submit_summary(struct fetch *fetch)
{
    struct teak_store *store = fetch->stream->store;
    const struct footer *footer = &fetch->segment->footer;
    const uint64_t summary = footer->summary_offset - footer->slots_offset;
    fetch->map_bytes = align_up(summary + footer->summary_bytes, 4096);
    const int os_errno =
        disk_map(store->disk, fetch->segment->file, footer->slots_offset, fetch->map_bytes, &fetch->map);
    if (os_errno) {
        fetch->map = NULL;
        end_failed(fetch, os_errno, "map", footer->slots_offset);
        return;
    }
    submit(fetch, FETCH_SUMMARY, (struct disk_op){.kind = DISK_POPULATE,
                                                  .data = (uint8_t *)fetch->map + align_down(summary, 4096),
                                                  .bytes = fetch->map_bytes - align_down(summary, 4096)});
}

static void submit_table(struct fetch *fetch)
{
    const uint64_t bytes = fetch->segment->file_bytes;
    if (!fetch->table) fetch->table = heap_take_aligned(WINDOW_MARGIN, align_up(bytes, WINDOW_MARGIN));
    if (!fetch->table) {
        end_failed(fetch, ENOMEM, "cursor", 0);
        return;
    }
    submit(fetch, FETCH_TABLE, (struct disk_op){.kind = DISK_READ, .data = fetch->table, .bytes = bytes});
}

static void end_rotten(struct fetch *fetch, const struct log *log, uint64_t offset)
{
    end(fetch, reader_rotten(log, fetch->index, fetch->segment, offset, &fetch->error));
}

/* ---------------------------------------------------------------------------------------------------------- places */

/* Slot number of the entry in its sealed segment, and how far the log's slots go there. false: a hole. */
static bool find_slots(const struct teak_store *store, const struct piece *piece, uint64_t index, uint64_t *begin_out,
                       uint64_t *end_out)
{
    uint32_t count;
    const struct layout_extent *extents = locate_extents(&store->segments, piece, &count);
    const struct layout_extent *extent = extent_find(extents, count, index);
    if (!extent) return false;
    const struct layout_extent *last = &extents[count - 1];
    *begin_out = le32_get(extent->slot) + (index - le64_get(extent->first));
    *end_out = le32_get(last->slot) + (uint64_t)le32_get(last->count);
    return true;
}

static bool slots_are_ready(const struct stream *stream, const struct segment *segment, uint64_t slot)
{
    return stream->ready_segment == segment->number && stream->ready_tick == segment->mapped_at &&
           slot >= stream->ready_begin && slot < stream->ready_end;
}

static void submit_slots(struct fetch *fetch, uint64_t begin, uint64_t end_of)
{
    const struct segment *segment = fetch->segment;
    const uint64_t slots_end = min_u64(end_of, begin + SLOTS_AHEAD);
    const uint64_t from = align_down(begin * sizeof(struct layout_slot), 4096);
    const uint64_t to = min_u64(align_up(slots_end * sizeof(struct layout_slot), 4096), segment->map_bytes);
    fetch->slots_tick = segment->mapped_at;
    fetch->slots_begin = from / sizeof(struct layout_slot);
    fetch->slots_end = slots_end;
    uint8_t *map = (uint8_t *)(uintptr_t)segment->map;
    submit(fetch, FETCH_SLOTS, (struct disk_op){.kind = DISK_POPULATE, .data = map + from, .bytes = to - from});
}

/* Known from here on; and used at once, for the other fetch may say the same of others in a moment. */
static void slots_came(const struct fetch *fetch)
{
    struct stream *stream = fetch->stream;
    stream->ready_segment = fetch->segment->number;
    stream->ready_tick = fetch->slots_tick;
    stream->ready_begin = fetch->slots_begin;
    stream->ready_end = fetch->slots_end;
}

static struct spot spot_of(const struct layout_slot *slot, uint64_t term, uint8_t kind)
{
    return (struct spot){.sum = le64_get(slot->sum), .term = term, .offset = le32_get(slot->offset),
                         .bytes = le32_get(slot->bytes), .kind = kind};
}

/* Where the piece ends: at most this many entries of it from `index` on. */
static uint64_t entries_left(const struct log *log, const struct piece *piece, uint64_t index)
{
    const bool is_last = piece == &log->pieces[log->piece_count - 1];
    return (is_last ? log->head.last.index + 1 : piece[1].first) - index;
}

static void note_sealed(struct fetch *fetch, const struct log *log, const struct piece *piece)
{
    const struct teak_store *store = fetch->stream->store;
    const uint64_t max = min_u64(SPOTS_MAX, entries_left(log, piece, fetch->index));
    const struct layout_slot *slots = (const struct layout_slot *)(const void *)fetch->segment->map;
    uint32_t extent_count;
    const struct layout_extent *extents = locate_extents(&store->segments, piece, &extent_count);
    const struct layout_extent *extent = extent_find(extents, extent_count, fetch->index);
    const struct layout_extent *const behind = extents + extent_count;
    fetch->count = 0;
    for (; fetch->count < max && extent < behind; extent++) {
        const uint64_t skip = fetch->index + fetch->count - le64_get(extent->first);
        if (skip >= le32_get(extent->count)) break; /* a hole: whoever comes there says so */
        for (uint64_t slot = le32_get(extent->slot) + skip, left = le32_get(extent->count) - skip;
             left > 0 && fetch->count < max; left--, slot++) {
            if (!slots_are_ready(fetch->stream, fetch->segment, slot)) return;
            fetch->spots[fetch->count++] = spot_of(&slots[slot], le64_get(extent->term), extent->kind);
        }
    }
}

static bool is_in_arena(const struct fetch *fetch, const struct spot *spot)
{
    return arena_find(&fetch->stream->store->arena, fetch->segment->number, spot->offset, spot->bytes) != NULL;
}

static void note_unsealed(struct fetch *fetch, const struct log *log, const struct piece *piece)
{
    const struct segments *segments = &fetch->stream->store->segments;
    const uint64_t max = min_u64(SPOTS_MAX, entries_left(log, piece, fetch->index));
    struct place place;
    for (fetch->count = 0; fetch->count < max;) {
        if (!locate(segments, log, fetch->index + fetch->count, &place)) return;
        fetch->spots[fetch->count++] = (struct spot){.sum = place.sum, .term = place.term, .offset = place.offset,
                                                     .bytes = place.bytes, .kind = place.kind};
        if (fetch->count == 1 && is_in_arena(fetch, &fetch->spots[0])) return; /* read from there, without us */
    }
}

/* How many of the places one window can show, and where it ends. 0: not even the first, its slot is rotten. */
static uint32_t plan_window(const struct fetch *fetch, uint64_t begin, uint64_t limit, uint64_t *end_out)
{
    const struct stream *stream = fetch->stream;
    const bool is_short = !stream->only_places && turn_is_beside_frames(stream->store);
    const uint64_t room = is_short ? WINDOW_BESIDE_BYTES : WINDOW_BYTES;
    uint32_t count = 0;
    uint64_t end_of = begin;
    while (count < fetch->count) {
        const struct spot *spot = &fetch->spots[count];
        const uint64_t spot_end = (uint64_t)spot->offset + spot->bytes;
        if (spot->offset < begin || spot_end > limit || (count > 0 && spot_end > begin + room)) break;
        end_of = max_u64(end_of, spot_end);
        count++;
    }
    *end_out = end_of;
    return count;
}

/* While the segment is not retired its name means this file. */
static void submit_own(struct fetch *fetch)
{
    const struct stream *stream = fetch->stream;
    if (stream->own_segment == fetch->segment->number && stream->own_salt == fetch->segment->key.salt) {
        end(fetch, TEAK_OK);
        return;
    }
    name_segment(fetch->segment->number, fetch->name);
    submit(fetch, FETCH_OWN, (struct disk_op){.kind = DISK_OPEN, .dir = stream->store->directory, .name = fetch->name,
                                              .flags = stream->store->open_flags});
}

static void submit_window(struct fetch *fetch, const struct log *log)
{
    const struct teak_store *store = fetch->stream->store;
    const uint64_t block = store->superblock.block_bytes;
    const uint64_t begin = align_down(fetch->spots[0].offset, block);
    const uint64_t limit = reader_end(store, fetch->segment);
    uint64_t end_of;
    const uint32_t count = plan_window(fetch, begin, limit, &end_of);
    if (count == 0 && fetch->was_sealed && !fetch->table) {
        fetch->asks_table = true;
        submit_table(fetch);
        return;
    }
    if (count == 0) {
        end_rotten(fetch, log, fetch->spots[0].offset);
        return;
    }
    fetch->count = count;
    end_of = max_u64(align_up(end_of, block), begin + block);
    fetch->window.begin = begin;
    fetch->window.end = end_of;
    if (fetch->stream->only_places) {
        submit_own(fetch);
        return;
    }
    fetch->stream->fills++;
    if (!window_make_room(&fetch->window, end_of - begin)) {
        end_failed(fetch, ENOMEM, "cursor", begin);
        return;
    }
    fetch->window.begin = begin;
    fetch->window.end = end_of;
    fetch->window.salt = fetch->segment->key.salt; /* what it will show; `segment` says that it does */
    submit(fetch, FETCH_READ, (struct disk_op){.kind = DISK_READ, .data = fetch->window.memory->data,
                                               .bytes = end_of - begin, .offset = begin});
    stream_read_ahead(fetch->stream);
}

/* The places are noted: what the arena has needs no window. */
static void bring(struct fetch *fetch, const struct log *log)
{
    uint32_t here = 0;
    while (here < fetch->count && is_in_arena(fetch, &fetch->spots[here])) here++;
    if (here == 0) {
        submit_window(fetch, log);
        return;
    }
    fetch->count = here;
    fetch->window.segment = fetch->window.begin = fetch->window.end = 0; /* shows nothing */
    end(fetch, TEAK_OK);
}

/* -------------------------------------------------------------------------------------------------- what comes next */

static void proceed_sealed(struct fetch *fetch, const struct log *log, const struct piece *piece)
{
    const struct teak_store *store = fetch->stream->store;
    struct segment *segment = fetch->segment;
    if (segment->file == DISK_NONE) {
        submit_open(fetch);
        return;
    }
    if (!segment->map) {
        submit_summary(fetch);
        return;
    }
    if (fetch->asks_table) {
        submit_table(fetch);
        return;
    }
    uint64_t begin, end_of;
    if (!find_slots(store, piece, fetch->index, &begin, &end_of)) {
        end_rotten(fetch, log, 0);
        return;
    }
    if (!slots_are_ready(fetch->stream, segment, begin)) {
        submit_slots(fetch, begin, end_of);
        return;
    }
    note_sealed(fetch, log, piece);
    bring(fetch, log);
}

/* The next step, from what is there already. */
static void proceed(struct fetch *fetch)
{
    struct teak_store *store = fetch->stream->store;
    struct log *log = log_of(fetch);
    if (!log) {
        end_without(fetch);
        return;
    }
    const struct piece *piece = locate_piece(log, fetch->index);
    if (!piece) { /* a hole; as the other read says it */
        end(fetch, fail_index(&fetch->error, TEAK_HASH_MISMATCH, log->id, fetch->index, 0));
        return;
    }
    struct segment *segment = segment_of_piece(&store->segments, piece->segment);
    if (!fetch->segment) {
        fetch->segment = segment;
        segment->pins++;
        segment->used = ++store->segments.tick;
    }
    if (fetch->segment != segment) {
        end_without(fetch);
        return;
    }
    if (!fetch->spots) fetch->spots = heap_take(SPOTS_MAX * sizeof *fetch->spots);
    if (!fetch->spots) {
        end_failed(fetch, ENOMEM, "cursor", 0);
        return;
    }
    fetch->was_sealed = segment->state == SEGMENT_SEALED;
    fetch->noted = segment->number;
    fetch->salt = segment->key.salt;
    if (fetch->was_sealed) {
        proceed_sealed(fetch, log, piece);
        return;
    }
    note_unsealed(fetch, log, piece);
    if (fetch->asks_table || fetch->count == 0)
        end_rotten(fetch, log, fetch->count ? fetch->spots[0].offset : 0); /* its slots are in memory */
    else
        bring(fetch, log);
}

void streams_start(struct teak_store *store)
{
    struct streams *streams = &store->streams;
    const uint32_t max = turn_is_beside_frames(store) ? STREAMS_BESIDE_MAX : STREAMS_OUT_MAX;
    while (streams->first && streams->out < max) {
        struct fetch *fetch = streams->first;
        streams->first = fetch->next;
        streams->out++;
        proceed(fetch);
    }
}

/* ------------------------------------------------------------------------------------------------- what came of it */

static void opened(struct fetch *fetch)
{
    if (fetch->segment->file != DISK_NONE || fetch->segment->is_retired) { /* somebody was faster, or it is forgotten */
        disk_close_file(fetch->stream->store->disk, &fetch->op.file);
    } else {
        fetch->segment->file = fetch->op.file;
    }
    proceed(fetch);
}

/* Judged when the store was opened or the segment sealed, but the medium may have changed its mind. */
static void mapped(struct fetch *fetch)
{
    struct teak_store *store = fetch->stream->store;
    struct segment *segment = fetch->segment;
    const uint64_t summary = segment->footer.summary_offset - segment->footer.slots_offset;
    const bool is_whole = fetch->op.error == 0 &&
                          summary_judge((const uint8_t *)fetch->map + summary, &segment->footer, &segment->key);
    if (is_whole && !segment->map && !segment->is_retired) {
        reader_take_map(store, segment, fetch->map, fetch->map_bytes);
    } else {
        disk_unmap(store->disk, fetch->map, fetch->map_bytes);
    }
    fetch->map = NULL;
    if (is_whole || segment->is_retired) {
        proceed(fetch);
    } else if (fetch->op.error) {
        end_failed(fetch, fetch->op.error, "populate", segment->footer.summary_offset);
    } else {
        end(fetch, fail_segment(&fetch->error, TEAK_HASH_MISMATCH, "map", segment->number,
                                segment->footer.summary_offset));
    }
}

static void asked(struct fetch *fetch, const struct log *log)
{
    const struct piece *piece = locate_piece(log, fetch->index);
    struct place place = {.segment = fetch->segment};
    const bool in_place = piece && segment_of_piece(&fetch->stream->store->segments, piece->segment) == place.segment;
    if (!in_place) {
        end_without(fetch);
        return;
    }
    uint32_t count;
    const struct layout_extent *extents = locate_extents(&fetch->stream->store->segments, piece, &count);
    const struct layout_extent *extent = extent_find(extents, count, fetch->index);
    if (!extent) {
        end_rotten(fetch, log, 0);
        return;
    }
    place.term = le64_get(extent->term);
    place.kind = extent->kind;
    if (!reader_ask_bytes(fetch->stream->store, log, fetch->index, fetch->table, fetch->op.done, &place)) {
        end_rotten(fetch, log, 0);
        return;
    }
    fetch->spots[0] = (struct spot){.sum = place.sum, .term = place.term, .offset = place.offset,
                                    .bytes = place.bytes, .kind = place.kind};
    fetch->count = 1;
    submit_window(fetch, log);
}

/* As long as it is open the pool cannot lock the file for itself, and unlinks it when it is forgotten. */
static void lock_own(struct fetch *fetch)
{
    const int os_errno = disk_lock(fetch->stream->store->disk, fetch->own, DISK_LOCK_SHARED);
    if (os_errno) {
        close_own(fetch);
        end_failed(fetch, os_errno, "lock", 0);
        return;
    }
    end(fetch, TEAK_OK);
}

void fetch_ended(struct fetch *fetch)
{
    fetch->at_disk = false;
    struct teak_store *store = fetch->stream->store;
    const struct disk_op *op = &fetch->op;
    const bool is_read = op->kind == DISK_READ;
    if (is_read) store->disk_read_bytes += op->done;
    const int os_errno = op->error ? op->error : is_read && op->done != op->bytes ? EIO : 0;
    if (fetch->step == FETCH_OPEN && os_errno == 0) {
        opened(fetch);
        return;
    }
    if (fetch->step == FETCH_SUMMARY) {
        mapped(fetch);
        return;
    }
    const struct log *log = log_of(fetch);
    if (fetch->step == FETCH_OWN && os_errno == 0) fetch->own = op->file;
    if (!log || fetch->segment->is_retired) {
        close_own(fetch);
        end_without(fetch);
        return;
    }
    if (os_errno) {
        static const char *const words[] = {[FETCH_OPEN] = "open", [FETCH_SLOTS] = "populate", [FETCH_READ] = "read",
                                            [FETCH_TABLE] = "read", [FETCH_OWN] = "open"};
        end_failed(fetch, os_errno, words[fetch->step], fetch->step == FETCH_READ ? op->offset : 0);
        return;
    }
    if (fetch->step == FETCH_SLOTS) {
        slots_came(fetch);
        proceed(fetch);
    } else if (fetch->step == FETCH_TABLE) {
        asked(fetch, log);
    } else if (fetch->step == FETCH_OWN) {
        lock_own(fetch);
    } else {
        CHECK_EQ(fetch->step, FETCH_READ);
        fetch->window.segment = fetch->segment->number;
        end(fetch, TEAK_OK);
    }
}

void streams_fini(struct teak_store *store)
{
    struct stream *behind;
    for (struct stream *stream = store->streams.all; stream; stream = behind) {
        behind = stream->behind;
        for (uint32_t i = 0; i < 2; i++) {
            struct fetch *fetch = &stream->fetches[i];
            int32_t opened = DISK_NONE;
            if (fetch->at_disk) disk_landed(&fetch->op, &opened);
            disk_close_file(store->disk, &opened);
            if (fetch->map) disk_unmap(store->disk, fetch->map, fetch->map_bytes);
        }
        stream_free(stream);
    }
    store->streams = (struct streams){0};
}
