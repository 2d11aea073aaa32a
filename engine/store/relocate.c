/* relocate.c: see relocate.h. */
#include "store/relocate.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "format/segment_index.h"
#include "os/heap.h"
#include "store/locate.h"
#include "store/store.h"

enum { RECORDS_A_STEP = 256, RUNS_A_STEP = 256, WRITER_SHARE = 2, SLOT_BYTES = sizeof(struct layout_slot) };
#define NO_NOTE UINT32_MAX
#define IDLE_RATE (UINT64_C(4) << 20) /* bytes per second where nobody writes */
#define RETRY_NS UINT64_C(10000000000)
#define RATE_MAX (UINT64_C(1) << 40)
#define SECOND_NS UINT64_C(1000000000)

void relocate_init(struct relocate *relocate, uint64_t bytes_per_second)
{
    *relocate = (struct relocate){.errand = ERRAND_RELOCATE, .file = DISK_NONE, .rate = bytes_per_second,
                                  .notes_max = RELOCATE_NOTES_MAX};
}

static void give_memory(struct relocate *relocate)
{
    heap_give(relocate->summary);
    heap_give(relocate->slots);
    heap_give(relocate->notes);
    heap_give(relocate->windows);
    heap_give(relocate->bytes);
    relocate->summary = relocate->slots = relocate->bytes = NULL;
    relocate->notes = NULL;
    relocate->windows = NULL;
    relocate->room = 0;
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
    store->relocate.reads++;
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

static void forget_notes(struct relocate *relocate)
{
    relocate->note_count = 0;
    for (uint32_t i = 0; i < relocate->window_count; i++)
        relocate->windows[i] = (struct window_notes){.first = NO_NOTE, .last = NO_NOTE};
    relocate->window = 0;
    relocate->note = NO_NOTE;
}

static void begin(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const struct segment *oldest = segment_at(&store->segments, store->segments.oldest);
    const struct footer *footer = &oldest->footer;
    const uint64_t block = store->limits.block_bytes;
    const uint64_t slots = min_u64(footer->slot_count, RELOCATE_SLOTS_MAX) * SLOT_BYTES + 2 * block;
    relocate->segment = oldest->number;
    relocate->record = relocate->extent = 0;
    relocate->index = 0;
    relocate->is_walked = false;
    relocate->slots_begin = relocate->slots_end = 0;
    relocate->window_count = oldest->frames_end / RELOCATE_WINDOW_BYTES + 1;
    relocate->room = RELOCATE_WINDOW_BYTES;
    relocate->summary = heap_take_aligned(65536, align_up(footer->summary_bytes + 1, 65536));
    relocate->slots = heap_take_aligned(65536, align_up(slots, 65536));
    relocate->notes = heap_take(min_u64(footer->slot_count + UINT64_C(1), relocate->notes_max) * sizeof(struct note));
    relocate->windows = heap_take(relocate->window_count * sizeof *relocate->windows);
    relocate->bytes = heap_take_aligned(65536, relocate->room);
    if (!relocate->summary || !relocate->slots || !relocate->notes || !relocate->windows || !relocate->bytes) {
        end_job(store);
        return;
    }
    forget_notes(relocate);
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

/* Entries of one log, one term, one kind, in slots that are neighbours. */
struct run {
    uint64_t first;
    uint32_t count, slot;
};
enum walk { WALK_FOUND, WALK_NOT_YET, WALK_OVER };

/* The next run that is live, in the summary's order, which is that of the slots. */
static enum walk next_run(struct teak_store *store, struct run *out)
{
    struct relocate *relocate = &store->relocate;
    const struct footer *footer = &segment_at(&store->segments, relocate->segment)->footer;
    for (uint32_t records = 0; relocate->record < footer->summary_bytes; records++) {
        if (records == RECORDS_A_STEP) return WALK_NOT_YET;
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
            *out = (struct run){.first = index, .count = (uint32_t)count,
                                .slot = le32_get(extent->slot) + (uint32_t)(index - first)};
            return WALK_FOUND;
        }
        relocate->record = next;
        relocate->extent = 0;
        relocate->index = 0;
    }
    return WALK_OVER;
}

static void read_slots(struct teak_store *store, uint32_t slot)
{
    struct relocate *relocate = &store->relocate;
    const struct footer *footer = &segment_at(&store->segments, relocate->segment)->footer;
    const uint64_t block = store->limits.block_bytes;
    relocate->slots_begin = slot;
    relocate->slots_end = (uint32_t)min_u64(slot + (uint64_t)RELOCATE_SLOTS_MAX, footer->slot_count);
    const uint64_t begin = align_down(relocate->slots_begin * (uint64_t)SLOT_BYTES, block);
    const uint64_t end = align_up(relocate->slots_end * (uint64_t)SLOT_BYTES, block);
    relocate->step = RELOCATE_SLOTS;
    read_file(store, relocate->slots, footer->slots_offset + begin, end - begin);
}

/* Nothing in a slot is trusted: false: no entry can be there. */
static bool note_entry(struct teak_store *store, uint64_t index, const struct layout_slot *slot)
{
    struct relocate *relocate = &store->relocate;
    const uint64_t offset = le32_get(slot->offset), bytes = le32_get(slot->bytes);
    if (offset + bytes > segment_at(&store->segments, relocate->segment)->frames_end ||
        bytes > store->limits.entry_bytes)
        return false;
    const uint32_t at = relocate->note_count++;
    relocate->notes[at] = (struct note){.index = index, .sum = le64_get(slot->sum), .offset = (uint32_t)offset,
                                        .bytes = (uint32_t)bytes, .record = relocate->record,
                                        .extent = relocate->extent, .next = NO_NOTE};
    struct window_notes *window = &relocate->windows[offset / RELOCATE_WINDOW_BYTES];
    if (window->last == NO_NOTE)
        window->first = at;
    else
        relocate->notes[window->last].next = at;
    window->last = at;
    return true;
}

/* Notes what lives, as far as its slots are at hand and there is room for notes. */
static void note_entries(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    const uint32_t into = (uint32_t)(relocate->slots_begin * (uint64_t)SLOT_BYTES % store->limits.block_bytes);
    const struct layout_slot *slots = (const struct layout_slot *)(const void *)(relocate->slots + into);
    while (relocate->note_count < relocate->notes_max) {
        struct run run;
        const enum walk walk = next_run(store, &run);
        if (walk == WALK_NOT_YET) return; /* at the next turn */
        relocate->is_walked = walk == WALK_OVER;
        if (relocate->is_walked) break;
        if (run.slot < relocate->slots_begin || run.slot >= relocate->slots_end) {
            relocate->index = run.first;
            read_slots(store, run.slot);
            return;
        }
        const uint64_t room = min_u64(relocate->notes_max - relocate->note_count, relocate->slots_end - run.slot);
        const uint32_t count = (uint32_t)min_u64(run.count, room);
        for (uint32_t i = 0; i < count; i++)
            relocate->rotten += !note_entry(store, run.first + i, &slots[run.slot - relocate->slots_begin + i]);
        relocate->index = run.first + count;
    }
    relocate->step = RELOCATE_NEXT;
}

/* ---------------------------------------------------------------------------------------------------------- reading */

/* Who a note is about. */
static struct layout_extent who_is(const struct relocate *relocate, const struct note *note, uint64_t *log_out)
{
    struct touched touched;
    touched_get(relocate->summary, note->record, &touched);
    *log_out = touched.log;
    return touched.extents[note->extent];
}

/* The bytes of the next window that has notes; those of others between them are few, or read anyway. Meanwhile the
 * chores grow what its logs will need. */
static void next_window(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    while (relocate->window < relocate->window_count && relocate->windows[relocate->window].first == NO_NOTE)
        relocate->window++;
    if (relocate->window == relocate->window_count) {
        if (relocate->is_walked) {
            end_job(store);
            return;
        }
        forget_notes(relocate);
        relocate->step = RELOCATE_NOTE;
        return;
    }
    uint64_t begin = UINT64_MAX, end = 0, before = 0;
    relocate->note = relocate->windows[relocate->window].first;
    for (uint32_t at = relocate->note; at != NO_NOTE; at = relocate->notes[at].next) {
        const struct note *note = &relocate->notes[at];
        uint64_t log;
        begin = min_u64(begin, note->offset);
        end = max_u64(end, note->offset + max_u64(note->bytes, 1));
        (void)who_is(relocate, note, &log);
        if (log != before) writer_foresee_replace(store, log);
        before = log;
    }
    relocate->begin = align_down(begin, store->limits.block_bytes);
    relocate->end = align_up(end, store->limits.block_bytes);
    if (relocate->end - relocate->begin > relocate->room) {
        heap_give(relocate->bytes);
        relocate->room = align_up(relocate->end - relocate->begin, 65536);
        relocate->bytes = heap_take_aligned(65536, relocate->room);
        if (!relocate->bytes) {
            end_job(store);
            return;
        }
    }
    relocate->step = RELOCATE_WINDOW;
    read_file(store, relocate->bytes, relocate->begin, relocate->end - relocate->begin);
}

/* Under the salt of where it lies: rot must not be summed anew. */
static bool is_whole(const struct teak_store *store, const struct note *note, uint64_t log,
                     const struct layout_extent *extent)
{
    const struct relocate *relocate = &store->relocate;
    const struct entry_identity who = {.log = log, .index = note->index, .term = le64_get(extent->term),
                                       .bytes = note->bytes, .kind = extent->kind};
    return key_entry_sum(&segment_at(&store->segments, relocate->segment)->key, &who,
                         relocate->bytes + (note->offset - relocate->begin)) == note->sum;
}

/* ---------------------------------------------------------------------------------------------------------- writing */

/* Entries from the note at hand on that are one REPLACE: whole, indexes and extent going on, and still what the map
 * says of these indexes. *next_out: the note behind them. 0 entries: the note at hand is not moved. */
static struct moved_entries gather(struct teak_store *store, uint32_t *next_out)
{
    struct relocate *relocate = &store->relocate;
    const struct note *first = &relocate->notes[relocate->note];
    struct moved_entries moved = {.first = first->index, .entries = relocate->entries};
    const struct layout_extent extent = who_is(relocate, first, &moved.log);
    const struct log *log = logs_find(&store->logs, moved.log);
    uint64_t index = first->index, cost = 0;
    const uint64_t end = le64_get(extent.first) + le32_get(extent.count);
    const uint64_t mapped = log && log->head.alive ? mapped_run(store, log, &index, end) : 0;
    moved.term = le64_get(extent.term);
    moved.kind = extent.kind;
    *next_out = first->next;
    if (mapped == 0 || index != first->index) {
        relocate->refused++;
        return moved;
    }
    const struct note *note;
    for (uint32_t at = relocate->note; at != NO_NOTE && moved.count < RELOCATE_RUN_MAX; at = note->next) {
        note = &relocate->notes[at];
        const bool goes_on = note->record == first->record && note->extent == first->extent &&
                             note->index == first->index + moved.count && moved.count < mapped;
        cost += entry_cost(note->bytes);
        if (!goes_on || (moved.count > 0 && cost > store->limits.batch_bytes / 2)) break;
        if (!is_whole(store, note, moved.log, &extent)) {
            relocate->rotten += moved.count == 0; /* else it is the next one at hand */
            break;
        }
        relocate->entries[moved.count++] =
            (struct teak_bytes){.data = relocate->bytes + (note->offset - relocate->begin), .bytes = note->bytes};
        *next_out = note->next;
    }
    return moved;
}

static void put(struct teak_store *store)
{
    struct relocate *relocate = &store->relocate;
    for (uint32_t runs = 0; relocate->note != NO_NOTE && runs < RUNS_A_STEP; runs++) {
        if (relocate->budget <= 0) return;
        uint32_t next;
        const struct moved_entries moved = gather(store, &next);
        if (moved.count > 0) {
            const uint64_t bytes = writer_put_replace(store, &moved);
            if (bytes == 0) return; /* no room yet */
            relocate->moved_entries += moved.count;
            relocate->moved_bytes += bytes;
            relocate->budget -= (int64_t)bytes;
        }
        relocate->note = next;
    }
    if (relocate->note != NO_NOTE) return;
    relocate->window++;
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
    if (relocate->step == RELOCATE_NEXT) next_window(store);
    if (relocate->step == RELOCATE_NOTE) note_entries(store);
    if (relocate->step == RELOCATE_CLOSE && !relocate->waiting)
        submit(store, (struct disk_op){.kind = DISK_CLOSE, .file = relocate->file});
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
        relocate->step = RELOCATE_NOTE;
        if (!summary_judge(relocate->summary, footer, &segment->key)) end_job(store);
        return;
    case RELOCATE_SLOTS: relocate->step = RELOCATE_NOTE; return;
    case RELOCATE_WINDOW: relocate->step = RELOCATE_PUT; return;
    case RELOCATE_IDLE:
    case RELOCATE_NOTE:
    case RELOCATE_NEXT:
    case RELOCATE_PUT:
    case RELOCATE_CLOSE: CHECK(relocate->step == RELOCATE_WINDOW);
    }
}
