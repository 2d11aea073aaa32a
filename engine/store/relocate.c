/* relocate.c: see relocate.h. */
#include "store/relocate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/segment_index.h"
#include "os/heap.h"
#include "store/locate.h"
#include "store/store.h"

enum { RECORDS_A_STEP = 256, WRITER_SHARE = 2, SLOT_BYTES = sizeof(struct layout_slot) };
#define IDLE_RATE (UINT64_C(4) << 20) /* bytes per second where nobody writes */
#define RETRY_NS UINT64_C(10000000000)
#define RATE_MAX (UINT64_C(1) << 40)
#define SECOND_NS UINT64_C(1000000000)

void relocate_init(struct relocate *relocate, uint64_t bytes_per_second)
{
    *relocate = (struct relocate){.errand = ERRAND_RELOCATE, .file = DISK_NONE, .rate = bytes_per_second};
}

static void give_memory(struct relocate *relocate)
{
    heap_give(relocate->summary);
    heap_give(relocate->slots);
    heap_give(relocate->window);
    relocate->summary = relocate->slots = relocate->window = NULL;
    relocate->window_room = relocate->window_begin = relocate->window_end = 0;
}

void relocate_fini(struct relocate *relocate) { give_memory(relocate); }

void relocate_let_go(struct relocate *relocate, struct disk *disk)
{
    if (relocate->waiting) disk_landed(&relocate->op, &relocate->file);
    disk_close_file(disk, &relocate->file);
}

/* ------------------------------------------------------------------------------------------------------------ when */

uint64_t relocate_disk_bytes(const struct teak_store *store)
{
    const struct segments *segments = &store->segments;
    uint64_t bytes = 0;
    for (uint64_t number = segments->oldest; number <= segments->newest; number++)
        bytes += segment_at(segments, number)->file_bytes;
    return bytes + (store->pool.stock_count + (segments->ready ? 1u : 0u)) * store->limits.segment_bytes;
}

/* Two segments are always there, one is ready, one in stock: 2 x live + 4 segments is what a store may take. A pass
 * over everything that is live writes that once, and the writer half of it meanwhile: so it begins at 1.5 x live. */
static bool holds_too_much(const struct teak_store *store)
{
    const struct segments *segments = &store->segments;
    const uint64_t row = (segments->newest - segments->oldest + 1) * store->limits.segment_bytes;
    return row >= segments->live_bytes + segments->live_bytes / 2 + 2 * store->limits.segment_bytes;
}

static bool is_due(const struct teak_store *store)
{
    const struct segments *segments = &store->segments;
    if (store->relocate.rate == TEAK_FOREVER) return false;
    if (segments->oldest + 1 >= segments->newest || !holds_too_much(store)) return false;
    const struct segment *oldest = segment_at(segments, segments->oldest);
    return oldest->state == SEGMENT_SEALED && oldest->live > 0 && store->now_ns >= store->relocate.retry_ns;
}

/* What may be moved grows with time, or with twice what others write and a little where nobody does. */
static void earn(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const uint64_t written = store->writer.frame_bytes - min_u64(store->writer.frame_bytes, relocate->moved_bytes);
    const uint64_t passed = min_u64(store->now_ns - relocate->paced_ns, SECOND_NS);
    const uint64_t rate = relocate->rate ? min_u64(relocate->rate, RATE_MAX) : IDLE_RATE;
    uint64_t earned = passed / 1000 * rate / (SECOND_NS / 1000);
    if (!relocate->rate) earned += WRITER_SHARE * (written - min_u64(written, relocate->paced_bytes));
    const int64_t most = (int64_t)(relocate->rate ? rate : store->limits.segment_bytes);
    if (earned == 0) return;
    relocate->paced_ns = store->now_ns;
    relocate->paced_bytes = written;
    relocate->budget += (int64_t)earned;
    if (relocate->budget > most) relocate->budget = most;
}

/* ------------------------------------------------------------------------------------------------------- the disk */

static void submit(struct teak_store *store, struct disk_op op)
{
    struct relocate *relocate = &store->relocate;
    op.flags |= DISK_CHORE;
    op.owner = relocate;
    relocate->op = op;
    relocate->waiting = true;
    disk_submit(store->disk, &relocate->op);
}

static void read_file(struct teak_store *store, uint8_t *out, uint64_t offset, uint64_t bytes)
{
    submit(store, (struct disk_op){.kind = DISK_READ, .file = store->relocate.file, .data = out, .bytes = bytes,
                                   .offset = offset});
}

/* The job ends; if its segment is not free it is not taken up again at once. */
static void end_job(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct segments *segments = &store->segments;
    give_memory(relocate);
    const bool is_there = relocate->segment >= segments->oldest && relocate->segment <= segments->newest;
    if (is_there && segment_at(segments, relocate->segment)->live > 0) relocate->retry_ns = store->now_ns + RETRY_NS;
    relocate->step = relocate->file == DISK_NONE ? RELOCATE_IDLE : RELOCATE_CLOSE;
}

static void begin(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct segment *oldest = segment_at(&store->segments, store->segments.oldest);
    const uint64_t block = store->limits.block_bytes;
    relocate->segment = oldest->number;
    relocate->record = relocate->extent = 0;
    relocate->index = 0;
    relocate->summary = heap_take_aligned(65536, align_up(oldest->footer.summary_bytes + 1, 65536));
    relocate->slots = heap_take_aligned(65536, align_up(RELOCATE_RUN_MAX * SLOT_BYTES + 2 * block, 65536));
    relocate->window = heap_take_aligned(65536, RELOCATE_WINDOW_BYTES);
    relocate->window_room = RELOCATE_WINDOW_BYTES;
    if (!relocate->summary || !relocate->slots || !relocate->window) {
        end_job(store);
        return;
    }
    relocate->step = RELOCATE_OPEN;
    name_segment(relocate->segment, relocate->name);
    submit(store, (struct disk_op){.kind = DISK_OPEN, .dir = store->directory, .name = relocate->name,
                                   .flags = store->open_flags});
}

/* ------------------------------------------------------------------------------------------------------- what lives */

/* Entries from `index` on that lie in the segment at hand; 0: none before `end`. *index moves to the first of them. */
static uint64_t mapped_run(const struct teak_store *store, const struct log *log, uint64_t *index, uint64_t end)
{
    const struct log_head *head = &log->head;
    *index = max_u64(*index, head->base.index + 1);
    end = min_u64(end, head->last.index + 1);
    while (*index < end) {
        const struct piece *piece = locate_piece(log, *index);
        if (!piece) return 0;
        const bool is_last = piece == &log->pieces[log->piece_count - 1];
        const uint64_t piece_end = is_last ? head->last.index + 1 : piece[1].first;
        if (piece->segment == (uint32_t)store->relocate.segment) return min_u64(end, piece_end) - *index;
        *index = piece_end;
    }
    return 0;
}

/* The next entries of the segment that are live, in the summary's order. false: not yet, or the walk is over. */
static bool next_run(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct footer *footer = &segment_at(&store->segments, relocate->segment)->footer;
    for (uint32_t records = 0; relocate->record < footer->summary_bytes; records++) {
        struct touched touched;
        const uint32_t next = touched_get(relocate->summary, relocate->record, &touched);
        const struct log *log = logs_find(&store->logs, touched.log);
        for (; log && log->head.alive && relocate->extent < touched.extent_count; relocate->extent++) {
            const struct layout_extent *extent = &touched.extents[relocate->extent];
            const uint64_t first = le64_get(extent->first);
            uint64_t index = max_u64(relocate->index, first);
            const uint64_t count = mapped_run(store, log, &index, first + le32_get(extent->count));
            relocate->index = 0;
            if (count == 0) continue;
            relocate->log = log->id;
            relocate->life = log->head.life;
            relocate->first = index;
            relocate->count = (uint32_t)min_u64(count, RELOCATE_RUN_MAX);
            relocate->term = le64_get(extent->term);
            relocate->kind = extent->kind;
            relocate->slot = le32_get(extent->slot) + (uint32_t)(index - first);
            return true;
        }
        relocate->record = next;
        relocate->extent = 0;
        relocate->index = 0;
        if (records == RECORDS_A_STEP) return false;
    }
    end_job(store);
    return false;
}

/* What was read is the entry it should be no more, or never was: its log stays, the walk goes on behind it. */
static void leave_log(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    struct touched touched;
    relocate->record = touched_get(relocate->summary, relocate->record, &touched);
    relocate->extent = 0;
    relocate->index = 0;
    relocate->rotten++;
    relocate->step = RELOCATE_NEXT;
}

static const struct layout_slot *slots_at_hand(const struct teak_store *store)
{
    const struct relocate *relocate = &store->relocate;
    const uint64_t into = (uint64_t)relocate->slot * SLOT_BYTES % store->limits.block_bytes;
    return (const struct layout_slot *)(const void *)(relocate->slots + into);
}

static void read_slots(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct footer *footer = &segment_at(&store->segments, relocate->segment)->footer;
    const uint64_t block = store->limits.block_bytes, at = (uint64_t)relocate->slot * SLOT_BYTES;
    const uint64_t begin = align_down(at, block), end = align_up(at + relocate->count * (uint64_t)SLOT_BYTES, block);
    read_file(store, relocate->slots, footer->slots_offset + begin, end - begin);
}

/* As many of the run as go into one window and one batch. Nothing in a slot is trusted: false: it cannot be. */
static bool measure_run(struct teak_store *store, uint64_t *begin_out, uint64_t *end_out)
{
    struct relocate *relocate = &store->relocate;
    const struct layout_slot *slots = slots_at_hand(store);
    const uint64_t limit = segment_at(&store->segments, relocate->segment)->frames_end;
    const uint64_t most = min_u64(RELOCATE_WINDOW_BYTES / 2, store->limits.batch_bytes / 2);
    const uint64_t begin = align_down(le32_get(slots[0].offset), store->limits.block_bytes);
    uint64_t end = 0, cost = 0;
    uint32_t count = 0;
    for (; count < relocate->count; count++) {
        const uint64_t offset = le32_get(slots[count].offset), bytes = le32_get(slots[count].bytes);
        const bool is_sound = offset >= begin && offset + bytes <= limit && bytes <= store->limits.entry_bytes;
        if (!is_sound && count == 0) return false;
        cost += entry_cost((uint32_t)bytes);
        const uint64_t reach = align_up(offset + max_u64(bytes, 1), store->limits.block_bytes);
        if (count > 0 && (!is_sound || cost > most || reach - begin > RELOCATE_WINDOW_BYTES)) break;
        end = max_u64(end, reach);
    }
    relocate->count = count;
    *begin_out = begin;
    *end_out = end;
    return true;
}

/* Reads what the run needs, unless the window shows it; then goes on to writing it. */
static void read_payload(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    uint64_t begin, end;
    if (!measure_run(store, &begin, &end)) {
        leave_log(store);
        return;
    }
    relocate->step = RELOCATE_PAYLOAD;
    if (begin >= relocate->window_begin && end <= relocate->window_end) return;
    if (end - begin > relocate->window_room) {
        const uint64_t room = align_up(end - begin, 65536);
        heap_give(relocate->window);
        relocate->window_room = relocate->window_begin = relocate->window_end = 0;
        relocate->window = heap_take_aligned(65536, room);
        if (!relocate->window) {
            end_job(store);
            return;
        }
        relocate->window_room = room;
    }
    const uint64_t limit = segment_at(&store->segments, relocate->segment)->frames_end;
    const uint64_t ahead = min_u64(begin + RELOCATE_WINDOW_BYTES / 2, limit); /* others live nearby, mostly */
    relocate->window_begin = begin;
    relocate->window_end = max_u64(end, min_u64(ahead, begin + relocate->window_room));
    read_file(store, relocate->window, begin, relocate->window_end - begin);
}

/* Under the salt of where they lie: rot must not be summed anew. */
static void verify(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct segment *segment = segment_at(&store->segments, relocate->segment);
    const struct layout_slot *slots = slots_at_hand(store);
    uint32_t whole = 0;
    for (; whole < relocate->count; whole++) {
        const struct layout_slot *slot = &slots[whole];
        const struct entry_identity who = {.log = relocate->log, .index = relocate->first + whole,
                                           .term = relocate->term, .bytes = le32_get(slot->bytes),
                                           .kind = relocate->kind};
        const uint8_t *payload = relocate->window + (le32_get(slot->offset) - relocate->window_begin);
        if (key_entry_sum(&segment->key, &who, payload) != le64_get(slot->sum)) break;
        relocate->entries[whole] = (struct teak_bytes){.data = payload, .bytes = who.bytes};
    }
    relocate->count = whole;
    if (whole == 0)
        leave_log(store);
    else
        relocate->step = RELOCATE_PUT;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

/* Are they still what the map says of these indexes, in this life of the log? */
static bool is_still_there(struct teak_store *store)
{
    const struct relocate *relocate = &store->relocate;
    const struct log *log = logs_find(&store->logs, relocate->log);
    if (!log || !log->head.alive || log->head.life != relocate->life) return false;
    uint64_t index = relocate->first;
    return mapped_run(store, log, &index, index + relocate->count) == relocate->count && index == relocate->first;
}

static void put(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    if (relocate->budget <= 0) return;
    const struct moved_entries moved = {.log = relocate->log, .first = relocate->first, .term = relocate->term,
                                        .count = relocate->count, .kind = relocate->kind,
                                        .entries = relocate->entries};
    uint64_t next = relocate->first; /* what is left of them is looked for again */
    if (!is_still_there(store)) {
        relocate->refused++;
    } else {
        const uint64_t bytes = writer_put_replace(store, &moved);
        if (bytes == 0) return; /* no room yet */
        relocate->moved_entries += relocate->count;
        relocate->moved_bytes += bytes;
        relocate->budget -= (int64_t)bytes;
        next += relocate->count;
    }
    relocate->index = next;
    relocate->step = RELOCATE_NEXT;
}

bool relocate_holds_below(struct teak_store *store, uint64_t number)
{
    struct relocate *relocate = &store->relocate;
    if (relocate->step == RELOCATE_IDLE || relocate->segment >= number) return false;
    if (!relocate->waiting && relocate->step != RELOCATE_CLOSE) end_job(store);
    return relocate->step != RELOCATE_IDLE;
}

void relocate_step(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    if (relocate->waiting) return;
    earn(store);
    if (relocate->step == RELOCATE_IDLE) {
        if (is_due(store)) begin(store);
        return;
    }
    if (relocate->step == RELOCATE_PUT) put(store);
    if (relocate->step == RELOCATE_NEXT && next_run(store)) relocate->step = RELOCATE_SLOTS;
    if (relocate->step == RELOCATE_SLOTS) {
        read_slots(store);
    } else if (relocate->step == RELOCATE_CLOSE) {
        submit(store, (struct disk_op){.kind = DISK_CLOSE, .file = relocate->file});
    }
}

void relocate_ended(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    relocate->waiting = false;
    if (relocate->step == RELOCATE_CLOSE) {
        relocate->file = DISK_NONE;
        relocate->step = RELOCATE_IDLE;
        return;
    }
    if (relocate->step == RELOCATE_OPEN) relocate->file = relocate->op.error ? DISK_NONE : relocate->op.file;
    if (relocate->op.error || (relocate->op.kind == DISK_READ && relocate->op.done != relocate->op.bytes)) {
        end_job(store);
        return;
    }
    const struct segment *segment = segment_at(&store->segments, relocate->segment);
    const struct footer *footer = &segment->footer;
    switch (relocate->step) {
    case RELOCATE_OPEN:
        relocate->step = RELOCATE_SUMMARY;
        read_file(store, relocate->summary, footer->summary_offset,
                  align_up(footer->summary_bytes, store->limits.block_bytes));
        return;
    case RELOCATE_SUMMARY:
        relocate->step = RELOCATE_NEXT;
        if (!summary_judge(relocate->summary, footer, &segment->key)) end_job(store);
        return;
    case RELOCATE_SLOTS:
        read_payload(store);
        if (relocate->step == RELOCATE_PAYLOAD && !relocate->waiting) verify(store);
        return;
    case RELOCATE_PAYLOAD: verify(store); return;
    case RELOCATE_IDLE:
    case RELOCATE_NEXT:
    case RELOCATE_PUT:
    case RELOCATE_CLOSE: CHECK(relocate->step == RELOCATE_PAYLOAD);
    }
}
