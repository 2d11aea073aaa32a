/* arena.c: see arena.h. */
#include "store/arena.h"


#include "base/bytes.h"
#include "base/check.h"
#include "os/heap.h"

bool arena_init(struct arena *arena, uint64_t bytes)
{
    *arena = (struct arena){.bytes = bytes};
    const uint64_t alignment = bytes >= ARENA_HUGE_PAGE ? ARENA_HUGE_PAGE : 65536;
    arena->base = heap_take_aligned(alignment, align_up(bytes, alignment));
    return arena->base != NULL;
}

void arena_fini(struct arena *arena)
{
    heap_give(arena->base);
    *arena = (struct arena){0};
}

uint64_t arena_room(const struct arena *arena, uint64_t wanted, uint64_t *position_out)
{
    const uint64_t limit = arena->durable + arena->bytes; /* first position that must not be written */
    const uint64_t to_end = arena->bytes - arena->head % arena->bytes;
    const uint64_t room = min_u64(to_end, limit - arena->head);
    *position_out = arena->head;
    if (room >= wanted) return room;
    const uint64_t lap = arena->head + to_end; /* skip the rest */
    if (lap + wanted > limit || to_end == arena->bytes) return 0;
    *position_out = lap;
    return min_u64(arena->bytes, limit - lap);
}

static struct arena_run *newest(struct arena *arena)
{
    return &arena->runs[(arena->run_begin + arena->run_count - 1) % ARENA_RUNS];
}

void arena_begin(struct arena *arena, uint64_t segment, uint32_t offset, uint64_t position, uint64_t room)
{
    CHECK_LE(arena->head, position);
    CHECK_LE(position + room, arena->durable + arena->bytes);
    /* runs that lie wholly in memory that is taken over now can be forgotten; arena_find bounds the rest */
    arena->taken = position + room;
    const uint64_t floor = arena->taken > arena->bytes ? arena->taken - arena->bytes : 0;
    while (arena->run_count > 0) {
        const struct arena_run *oldest = &arena->runs[arena->run_begin];
        const bool gone = oldest->position + (oldest->end - oldest->begin) <= floor;
        if (!gone && arena->run_count < ARENA_RUNS) break;
        arena->run_begin = (arena->run_begin + 1) % ARENA_RUNS;
        arena->run_count--;
    }
    if (arena->run_count > 0) {
        const struct arena_run *run = newest(arena);
        const uint64_t end = run->position + (run->end - run->begin);
        if (run->segment == segment && run->end == offset && end == position) return;
    }
    arena->run_count++;
    *newest(arena) = (struct arena_run){.segment = segment, .position = position, .begin = offset, .end = offset};
}

void arena_end(struct arena *arena, uint64_t position, uint32_t offset, uint64_t bytes)
{
    struct arena_run *run = newest(arena);
    CHECK_EQ(run->end, offset);
    CHECK_EQ(run->position + (run->end - run->begin), position);
    run->end = (uint32_t)(offset + bytes);
    CHECK_LE(position + bytes, arena->taken);
    arena->head = arena->taken = position + bytes;
}

const uint8_t *arena_find(const struct arena *arena, uint64_t segment, uint32_t offset, uint32_t bytes)
{
    for (uint32_t back = 1; back <= arena->run_count; back++) {
        const struct arena_run *run = &arena->runs[(arena->run_begin + arena->run_count - back) % ARENA_RUNS];
        if (run->segment != segment || offset < run->begin) continue;
        const bool is_open = back == 1; /* the newest run grows with the frame that is being built */
        if (!is_open && (uint64_t)offset + bytes > run->end) return NULL;
        const uint64_t position = run->position + (offset - run->begin);
        return position + arena->bytes >= arena->taken ? arena_at(arena, position) : NULL;
    }
    return NULL;
}
