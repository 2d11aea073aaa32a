/* segment.c: see segment.h. */
#include "store/segment.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"

enum { HUGE_FROM = 8 << 20 }; /* bytes; the slots of many logs in turn lie all over it */
#define BIT(state) (1u << (state))

/* Never back: somebody was told that what lies there is safe. */
static const uint8_t may_become[SEGMENT_STATE_COUNT] = {
    [SEGMENT_READY] = BIT(SEGMENT_ACTIVE),
    [SEGMENT_ACTIVE] = BIT(SEGMENT_CLOSED),
    [SEGMENT_CLOSED] = BIT(SEGMENT_SEALED),
    [SEGMENT_SEALED] = 0,
};

void segment_move(struct segment *segment, enum segment_state to)
{
    CHECK(may_become[segment->state] & BIT(to));
    segment->state = to;
}

uint64_t segment_index_bytes(uint64_t slots, uint64_t effects, uint64_t extents, uint32_t block_bytes)
{
    const uint64_t summary = effects * sizeof(struct layout_touched) + extents * sizeof(struct layout_extent);
    return align_up(slots * sizeof(struct layout_slot), block_bytes) + align_up(summary, block_bytes) + block_bytes;
}

/* A slot costs 16 bytes in its frame's table and 16 in the index: a segment cannot hold more than one per 32 bytes. An
 * eighth more, so that each of many logs can be given a run when it comes the first time. The memory is touched as
 * slots come, so a segment of large entries pays for what it uses. */
bool segment_make_tables(struct segment *segment, uint64_t segment_bytes)
{
    if (!segment->slots) {
        const uint64_t slots = segment_bytes / (2 * sizeof(struct layout_slot));
        segment->slot_capacity = (uint32_t)(slots + slots / SEGMENT_SPARE_SLOTS);
        const uint64_t bytes = segment->slot_capacity * sizeof(struct layout_slot);
        segment->slots = bytes >= HUGE_FROM ? heap_take_huge(bytes) : heap_take(bytes);
        if (!segment->slots) return false;
    }
    return segment->effects || segment_grow_effects(segment, 64);
}

static void give_extents(struct segment *segment)
{
    for (uint32_t i = 0; i < segment->effect_count; i++)
        if (segment->effects[i].capacity > 1) heap_give(segment->effects[i].heap);
    segment->effect_count = 0;
}

void segment_drop_tables(struct segment *segment)
{
    give_extents(segment);
    heap_give(segment->effects);
    heap_give(segment->slots);
    segment->effects = NULL;
    segment->slots = NULL;
    segment->effect_capacity = 0;
    segment->slot_count = segment->slots_end = segment->slot_capacity = 0;
}

void segment_keep_tables(struct segment *segment, struct spare_tables *spare)
{
    const bool are_used = segment->effect_count > segment->effect_capacity / 4;
    give_extents(segment);
    if (!spare->slots) {
        spare->slots = segment->slots;
        spare->slot_capacity = segment->slot_capacity;
        segment->slots = NULL;
    }
    if (!spare->effects && are_used) {
        spare->effects = segment->effects;
        spare->effect_capacity = segment->effect_capacity;
        segment->effects = NULL;
    }
    segment_drop_tables(segment);
}

void segment_take_tables(struct segment *segment, struct spare_tables *spare)
{
    CHECK(!segment->slots && !segment->effects);
    segment->slots = spare->slots;
    segment->slot_capacity = spare->slot_capacity;
    segment->effects = spare->effects;
    segment->effect_capacity = spare->effect_capacity;
    *spare = (struct spare_tables){0};
}

void spare_tables_fini(struct spare_tables *spare)
{
    heap_give(spare->slots);
    heap_give(spare->effects);
    *spare = (struct spare_tables){0};
}

bool segment_grow_effects(struct segment *segment, uint32_t capacity)
{
    if (capacity <= segment->effect_capacity) return true;
    struct effect *grown = heap_grow(segment->effects, capacity * sizeof *grown);
    if (!grown) return false;
    segment->effects = grown;
    segment->effect_capacity = capacity;
    return true;
}

uint32_t segment_add_effect(struct segment *segment, uint64_t log)
{
    CHECK_LT(segment->effect_count, segment->effect_capacity);
    segment->effects[segment->effect_count] =
        (struct effect){.log = log, .removed_from = UINT64_MAX, .capacity = 1};
    return segment->effect_count++;
}

bool effect_grow(struct effect *effect, uint32_t capacity)
{
    if (capacity <= effect->capacity) return true;
    struct layout_extent *grown = heap_take(capacity * sizeof *grown);
    if (!grown) return false;
    memcpy(grown, effect_extents(effect), effect->count * sizeof *grown);
    if (effect->capacity > 1) heap_give(effect->heap);
    effect->heap = grown;
    effect->capacity = capacity;
    return true;
}

struct segment *segment_new(uint64_t number)
{
    struct segment *segment = heap_take_aligned(_Alignof(struct segment), sizeof *segment);
    if (!segment) return NULL;
    *segment = (struct segment){.number = number, .state = SEGMENT_READY, .file = DISK_NONE};
    return segment;
}

void segment_free(struct segment *segment, struct disk *disk)
{
    if (!segment) return;
    if (segment->map) disk_unmap(disk, (void *)(uintptr_t)segment->map, segment->map_bytes);
    disk_close_file(disk, &segment->file);
    segment_drop_tables(segment);
    heap_give(segment);
}

bool segments_init(struct segments *segments)
{
    *segments = (struct segments){.capacity = 64, .oldest = 1, .newest = 0};
    segments->row = heap_take_zeroed(segments->capacity, sizeof *segments->row);
    return segments->row != NULL;
}

void segments_fini(struct segments *segments, struct disk *disk)
{
    if (!segments->row) return;
    for (uint64_t number = segments->oldest; number <= segments->newest; number++)
        segment_free(segment_at(segments, number), disk);
    segment_free(segments->ready, disk);
    heap_give(segments->row);
    *segments = (struct segments){0};
}

bool segments_make_room(struct segments *segments)
{
    if (segments->newest + 2 - segments->oldest < segments->capacity) return true;
    const uint64_t capacity = segments->capacity * 2;
    struct segment **row = heap_take_zeroed(capacity, sizeof *row);
    if (!row) return false;
    for (uint64_t number = segments->oldest; number <= segments->newest; number++)
        row[number & (capacity - 1)] = segment_at(segments, number);
    heap_give(segments->row);
    segments->row = row;
    segments->capacity = capacity;
    return true;
}

void segments_push(struct segments *segments, struct segment *segment)
{
    CHECK_EQ(segment->number, segments->newest + 1);
    CHECK_LE(segment->number - segments->oldest, segments->capacity - 1);
    segments->row[segment->number & (segments->capacity - 1)] = segment;
    segments->newest = segment->number;
}

uint32_t segments_closed(const struct segments *segments)
{
    uint32_t closed = 0;
    for (uint64_t number = segments->newest; number-- > segments->oldest;) {
        if (segment_at(segments, number)->state == SEGMENT_SEALED) break;
        closed++;
    }
    return closed;
}
